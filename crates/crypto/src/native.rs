//! The provider: aws-lc-rs and libsecp256k1, with parsed keys kept.

use aws_lc_rs::{
    aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement, digest,
    signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PSS_2048_8192_SHA256, VerificationAlgorithm},
};
use secp256k1::{
    Message, SECP256K1,
    ecdsa::{RecoverableSignature, RecoveryId, Signature},
};
use sha2::Digest as _;
use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, PoisonError, RwLock},
};
use vidimus_core::{Address, Algorithm, Digest, Encryption, Provider, PublicKey, Secret, SecretBytes, SignatureError};

use x509_cert::der::{Decode, Reader, SliceReader, asn1::UintRef};

/// Keys kept parsed. A deployment's issuers are fewer; whoever sends many keys only pushes out what is parsed again in microseconds.
const KEPT: usize = 4096;

/// The native [`Provider`]. Cheap to share behind an `Arc`; parsed keys are kept, at most [a few thousand](Self::new).
pub struct Native {
    keys: Recent<PublicKey, Arc<Parsed>>,
    accounts: Recent<Address, secp256k1::PublicKey>,
}

enum Parsed {
    Secp256k1(secp256k1::PublicKey),
    Other(ParsedPublicKey),
}

impl Native {
    /// A provider that keeps at most 8192 parsed keys and as many accounts' keys.
    pub fn new() -> Self {
        Self {
            keys: Recent::new(KEPT),
            accounts: Recent::new(KEPT),
        }
    }

    fn parsed(&self, key: &PublicKey) -> Result<Arc<Parsed>, SignatureError> {
        if let Some(parsed) = self.keys.find(key) {
            return Ok(parsed);
        }
        let parsed = Arc::new(Parsed::new(key)?);
        self.keys.keep(key.clone(), parsed.clone());
        Ok(parsed)
    }
}

impl Default for Native {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Native")
    }
}

impl Parsed {
    fn new(key: &PublicKey) -> Result<Self, SignatureError> {
        let other = |algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]| {
            ParsedPublicKey::new(algorithm, bytes)
                .map(Self::Other)
                .map_err(|_| SignatureError::Key)
        };
        match key {
            PublicKey::Secp256k1(point) if point[0] == 4 => secp256k1::PublicKey::from_byte_array_uncompressed(*point)
                .map(Self::Secp256k1)
                .map_err(|_| SignatureError::Key),
            PublicKey::P256(point) if point[0] == 4 => other(&ECDSA_P256_SHA256_FIXED, point),
            PublicKey::Secp256k1(_) | PublicKey::P256(_) => Err(SignatureError::Key),
            PublicKey::Ed25519(key) => other(&ED25519, key),
            PublicKey::Rsa(der) if modulus_bits(der).is_some_and(|bits| (2048..=8192).contains(&bits)) => {
                other(&RSA_PSS_2048_8192_SHA256, der)
            }
            PublicKey::Rsa(_) => Err(SignatureError::Key),
        }
    }
}

/// The size of an RSA key. `None` unless `der` is an `RSAPublicKey` (RFC 8017 A.1.1) and nothing else.
fn modulus_bits(der: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(der).ok()?;
    let modulus: UintRef<'_> = reader
        .sequence(|fields| {
            let modulus = UintRef::decode(fields)?;
            UintRef::decode(fields)?;
            Ok::<_, x509_cert::der::Error>(modulus)
        })
        .ok()?;
    let bytes = modulus.as_bytes();
    let bits = bytes.len() * 8 - usize::try_from(bytes.first()?.leading_zeros()).ok()?;
    reader.is_finished().then_some(bits)
}

impl Provider for Native {
    fn sha256(&self, parts: &[&[u8]]) -> Digest {
        Digest(sha256(parts))
    }

    fn keccak256(&self, data: &[u8]) -> [u8; 32] {
        sha3::Keccak256::digest(data).into()
    }

    fn verify(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        if !key.fits(algorithm) {
            return Err(SignatureError::Key);
        }
        match &*self.parsed(key)? {
            Parsed::Other(parsed) => parsed
                .verify_sig(message, signature)
                .map_err(|_| SignatureError::Invalid),
            Parsed::Secp256k1(parsed) => verify_secp256k1(parsed, algorithm, &sha256(&[message]), signature),
        }
    }

    fn verify_digest(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        if !key.fits(algorithm) || algorithm == Algorithm::EdDsa {
            return Err(SignatureError::Key);
        }
        match &*self.parsed(key)? {
            Parsed::Other(parsed) => {
                let digest = digest::Digest::import_less_safe(&digest.0, &digest::SHA256)
                    .expect("32 bytes are a SHA-256 digest");
                parsed
                    .verify_digest_sig(&digest, signature)
                    .map_err(|_| SignatureError::Invalid)
            }
            Parsed::Secp256k1(parsed) => verify_secp256k1(parsed, algorithm, &digest.0, signature),
        }
    }

    fn recover(&self, message: &[u8], signature: &[u8; 65]) -> Result<PublicKey, SignatureError> {
        recover(&sha256(&[message]), signature).map(|key| PublicKey::Secp256k1(key.serialize_uncompressed()))
    }

    fn decompress(&self, compressed: &[u8; 33]) -> Result<PublicKey, SignatureError> {
        secp256k1::PublicKey::from_byte_array_compressed(*compressed)
            .map(|key| PublicKey::Secp256k1(key.serialize_uncompressed()))
            .map_err(|_| SignatureError::Key)
    }

    fn verify_account_digest(
        &self,
        algorithm: Algorithm,
        account: &Address,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        if !matches!(algorithm, Algorithm::Es256k | Algorithm::Es256kR) {
            return Err(SignatureError::Key);
        }
        // An account has one key (another would be a Keccak-256 collision), so once seen it is verified against, without recovering.
        if let Some(key) = self.accounts.find(account) {
            return verify_secp256k1(&key, algorithm, &digest.0, signature);
        }
        let matches = |signature: &[u8]| -> Result<(), SignatureError> {
            let key = recover(&digest.0, signature)?;
            if PublicKey::Secp256k1(key.serialize_uncompressed()).address(self) != Some(*account) {
                return Err(SignatureError::Invalid);
            }
            self.accounts.keep(*account, key);
            Ok(())
        };
        match algorithm {
            Algorithm::Es256kR => matches(signature),
            Algorithm::Es256k => {
                let mut recoverable = [0; 65];
                recoverable[..64]
                    .copy_from_slice(<&[u8; 64]>::try_from(signature).map_err(|_| SignatureError::Invalid)?);
                // Ids 2 and 3 stand for an r above the group order, which no signer can find.
                matches(&recoverable).or_else(|_| {
                    recoverable[64] = 1;
                    matches(&recoverable)
                })
            }
            Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Ps256 => Err(SignatureError::Key),
        }
    }
}

impl Encryption for Native {
    fn p256_public(&self, private: &Secret<[u8; 32]>) -> Option<PublicKey> {
        let public = p256_private(private)?.compute_public_key().ok()?;
        Some(PublicKey::P256(public.as_ref().try_into().ok()?))
    }

    fn p256_agree(&self, private: &Secret<[u8; 32]>, public: &PublicKey) -> Option<Secret<[u8; 32]>> {
        let PublicKey::P256(point) = public else { return None };
        let peer = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, point);
        // The library refuses points that are not on the curve.
        agreement::agree(&p256_private(private)?, peer, (), |shared| {
            shared.try_into().map(Secret::new).map_err(drop)
        })
        .ok()
    }

    fn seal_gcm(&self, key: &SecretBytes, nonce: &[u8; 12], aad: &[u8], plaintext: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = plaintext.to_vec();
        gcm(key)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut bytes)
            .ok()?;
        Some(bytes)
    }

    fn open_gcm(&self, key: &SecretBytes, nonce: &[u8; 12], aad: &[u8], sealed: &[u8]) -> Option<SecretBytes> {
        let mut bytes = zeroize::Zeroizing::new(sealed.to_vec());
        let length = gcm(key)?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut bytes)
            .ok()?
            .len();
        bytes.truncate(length);
        Some(SecretBytes::new(std::mem::take(&mut *bytes)))
    }
}

fn p256_private(scalar: &Secret<[u8; 32]>) -> Option<agreement::PrivateKey> {
    agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, scalar.expose()).ok()
}

fn gcm(key: &SecretBytes) -> Option<LessSafeKey> {
    let algorithm = match key.expose().len() {
        16 => &AES_128_GCM,
        32 => &AES_256_GCM,
        _ => return None,
    };
    UnboundKey::new(algorithm, key.expose()).ok().map(LessSafeKey::new)
}

/// Short inputs, which are what Merkle trees and commitments are made of, go to `sha2`: aws-lc-rs takes its state from the heap, which costs
/// as much as hashing two blocks does. Long ones go to aws-lc-rs, the faster of the two where the processor has no SHA instructions.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    const SHORT: usize = 256;
    if parts.iter().map(|part| part.len()).sum::<usize>() <= SHORT {
        let mut hash = sha2::Sha256::new();
        for part in parts {
            hash.update(part);
        }
        return hash.finalize().into();
    }
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

fn verify_secp256k1(
    key: &secp256k1::PublicKey,
    algorithm: Algorithm,
    digest: &[u8; 32],
    signature: &[u8],
) -> Result<(), SignatureError> {
    if algorithm == Algorithm::Es256kR {
        // The recovery id is part of the signature: one that leads to another key is refused.
        return (recover(digest, signature)? == *key)
            .then_some(())
            .ok_or(SignatureError::Invalid);
    }
    let mut signature = <&[u8; 64]>::try_from(signature)
        .ok()
        .and_then(|bytes| Signature::from_compact(bytes).ok())
        .ok_or(SignatureError::Invalid)?;
    // libsecp256k1 takes low s only; JOSE allows both (RFC 8812 sets no rule).
    signature.normalize_s();
    SECP256K1
        .verify_ecdsa(Message::from_digest(*digest), &signature, key)
        .map_err(|_| SignatureError::Invalid)
}

fn recover(digest: &[u8; 32], signature: &[u8]) -> Result<secp256k1::PublicKey, SignatureError> {
    let bytes = <&[u8; 65]>::try_from(signature).map_err(|_| SignatureError::Invalid)?;
    let id = match bytes[64] {
        id @ 0..=3 => id,
        id @ 27..=30 => id - 27,
        _ => return Err(SignatureError::Invalid),
    };
    let id = RecoveryId::try_from(i32::from(id)).map_err(|_| SignatureError::Invalid)?;
    let signature = RecoverableSignature::from_compact(&bytes[..64], id).map_err(|_| SignatureError::Invalid)?;
    SECP256K1
        .recover_ecdsa(Message::from_digest(*digest), &signature)
        .map_err(|_| SignatureError::Invalid)
}

/// A bounded map that forgets what was not used lately: two generations, the older dropped whole when the younger is full. A look-up
/// takes a shared lock and no bookkeeping.
struct Recent<K, V> {
    size: usize,
    generations: RwLock<[HashMap<K, V>; 2]>,
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    fn new(size: usize) -> Self {
        Self {
            size,
            generations: RwLock::new([HashMap::new(), HashMap::new()]),
        }
    }
    fn find(&self, key: &K) -> Option<V> {
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = generations[0].get(key) {
            return Some(value.clone());
        }
        let value = generations[1].get(key)?.clone();
        drop(generations);
        self.keep(key.clone(), value.clone());
        Some(value)
    }
    fn keep(&self, key: K, value: V) {
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        if generations[0].len() >= self.size {
            generations[1] = std::mem::take(&mut generations[0]);
        }
        generations[0].insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_forgets_the_oldest_and_keeps_what_is_used() {
        let recent = Recent::new(2);
        for n in 0..4 {
            recent.keep(n, n);
            assert_eq!(recent.find(&0), Some(0), "0 is used all the time");
        }
        for n in 4..20 {
            recent.keep(n, n);
        }
        assert_eq!(recent.find(&0), None);
        assert_eq!(recent.find(&19), Some(19));
        let generations = recent.generations.read().unwrap();
        assert!(generations.iter().all(|generation| generation.len() <= 2));
    }
}
