//! Signing keys held in this process.

use crate::Error;
use aws_lc_rs::{
    agreement,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use secp256k1::{Message, SECP256K1};
use serde::{Deserialize, Serialize};
use std::fmt;
use vidimus_core::{Algorithm, Entropy, PublicKey, Secret, SecretBytes, SignError, Signer};
use zeroize::Zeroizing;

use crate::native::sha256;

/// The kinds of signing keys made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// For accounts, did:ethr, ES256K and ES256K-R.
    Secp256k1,
    /// For X.509, HCERT, EUDI wallets: ES256.
    P256,
    /// EdDSA.
    Ed25519,
}

impl KeyKind {
    /// The name as it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secp256k1 => "secp256k1",
            Self::P256 => "p256",
            Self::Ed25519 => "ed25519",
        }
    }
    /// The inverse of [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Secp256k1, Self::P256, Self::Ed25519]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// A private key for signatures. Whoever reads it signs as its owner. Wiped when dropped; `Debug` shows its public half.
pub struct SigningKey {
    secret: Secret<[u8; 32]>,
    public: PublicKey,
    inner: Inner,
}

enum Inner {
    Secp256k1(Scalar),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// libsecp256k1's own copy, wiped when dropped.
struct Scalar(secp256k1::SecretKey);

impl Drop for Scalar {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

impl SigningKey {
    /// A new key.
    pub fn generate(kind: KeyKind, entropy: &mut dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            entropy.fill(&mut *bytes);
            // Zero and what is not below the group order are no keys: a chance of 2⁻³² for P-256, drawn again.
            if let Ok(key) = Self::from_bytes(kind, &*bytes) {
                return key;
            }
        }
    }

    /// From its 32 bytes: the scalar, big-endian, or Ed25519's seed (RFC 8032 §5.1.5).
    pub fn from_bytes(kind: KeyKind, bytes: &[u8]) -> Result<Self, Error> {
        let invalid = || Error::Key(kind.name());
        let secret = Secret::new(<[u8; 32]>::try_from(bytes).map_err(|_| invalid())?);
        let (public, inner) = match kind {
            KeyKind::Secp256k1 => {
                let key = Scalar(secp256k1::SecretKey::from_byte_array(*secret.expose()).map_err(|_| invalid())?);
                let public = PublicKey::Secp256k1(key.0.public_key(SECP256K1).serialize_uncompressed());
                (public, Inner::Secp256k1(key))
            }
            KeyKind::P256 => {
                let scalar = secret.expose();
                let point = agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, scalar)
                    .map_err(|_| invalid())?
                    .compute_public_key()
                    .map_err(|_| invalid())?;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    scalar,
                    point.as_ref(),
                )
                .map_err(|_| invalid())?;
                let public = PublicKey::P256(point.as_ref().try_into().map_err(|_| invalid())?);
                (public, Inner::P256(pair))
            }
            KeyKind::Ed25519 => {
                let pair = Ed25519KeyPair::from_seed_unchecked(secret.expose()).map_err(|_| invalid())?;
                let public = PublicKey::Ed25519(pair.public_key().as_ref().try_into().map_err(|_| invalid())?);
                (public, Inner::Ed25519(pair))
            }
        };
        Ok(Self { secret, public, inner })
    }

    /// The kind.
    pub fn kind(&self) -> KeyKind {
        match self.inner {
            Inner::Secp256k1(_) => KeyKind::Secp256k1,
            Inner::P256(_) => KeyKind::P256,
            Inner::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// The 32 bytes that [`Self::from_bytes`] reads, to be wrapped and stored.
    pub fn expose_bytes(&self) -> SecretBytes {
        SecretBytes::new(self.secret.expose().to_vec())
    }

    /// Signs a digest that is already made (Keccak-256 of a transaction, EIP-712, ERC-1056's signed variants): r ‖ s ‖ recovery id 0 or 1,
    /// s low, nonce by RFC 6979. secp256k1 only.
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Result<[u8; 65], SignError> {
        let Inner::Secp256k1(key) = &self.inner else {
            return Err(SignError::Algorithm(Algorithm::Es256kR));
        };
        let (id, compact) = SECP256K1
            .sign_ecdsa_recoverable(Message::from_digest(*digest), &key.0)
            .serialize_compact();
        let mut signature = [0; 65];
        signature[..64].copy_from_slice(&compact);
        signature[64] = u8::try_from(i32::from(id)).expect("a recovery id is 0 to 3");
        Ok(signature)
    }
}

impl Signer for SigningKey {
    fn algorithms(&self) -> &[Algorithm] {
        match self.inner {
            Inner::Secp256k1(_) => &[Algorithm::Es256k, Algorithm::Es256kR],
            Inner::P256(_) => &[Algorithm::Es256],
            Inner::Ed25519(_) => &[Algorithm::EdDsa],
        }
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match (&self.inner, algorithm) {
            (Inner::Secp256k1(key), Algorithm::Es256k) => {
                let message = Message::from_digest(sha256(&[message]));
                Ok(SECP256K1.sign_ecdsa(message, &key.0).serialize_compact().to_vec())
            }
            (Inner::Secp256k1(_), Algorithm::Es256kR) => Ok(self.sign_digest(&sha256(&[message]))?.to_vec()),
            (Inner::P256(pair), Algorithm::Es256) => pair
                .sign(&signature_randomness(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError::Unavailable),
            (Inner::Ed25519(pair), Algorithm::EdDsa) => pair
                .try_sign(message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError::Unavailable),
            _ => Err(SignError::Algorithm(algorithm)),
        }
    }
}

/// What AWS-LC asks for with an ECDSA signature, and takes its nonce from. `Signer::sign` has no entropy to give.
#[expect(
    clippy::disallowed_methods,
    reason = "a handle on AWS-LC's own source, which a signature is made with"
)]
fn signature_randomness() -> SystemRandom {
    SystemRandom::new()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.public)
    }
}
