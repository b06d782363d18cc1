//! The seam: what pure code asks of cryptography. `vidimus-crypto` is the native provider behind it.

use crate::{Digest, Secret, SecretBytes, encoding};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Fills buffers with random bytes. The real one is the operating system's; tests bring seeded ones.
pub trait Entropy {
    /// Overwrites all of `into`. An entropy source that cannot deliver aborts the process rather than return.
    fn fill(&mut self, into: &mut [u8]);
}

impl<T: Entropy + ?Sized> Entropy for Box<T> {
    fn fill(&mut self, into: &mut [u8]) {
        (**self).fill(into);
    }
}

/// Signature algorithms, by their JOSE names (RFC 7518 §3.1, RFC 8812, RFC 8037; `ES256K-R` as in did-jwt).
///
/// An algorithm is bound to the key record that is trusted; a header only says which it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256; signature is r ‖ s, 64 bytes.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on secp256k1 with SHA-256; signature is r ‖ s, 64 bytes, low s when we make it.
    #[serde(rename = "ES256K")]
    Es256k,
    /// ES256K with the recovery id appended; 65 bytes.
    #[serde(rename = "ES256K-R")]
    Es256kR,
    /// Ed25519 (RFC 8032); 64 bytes.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes. Checked, never made.
    #[serde(rename = "PS256")]
    Ps256,
}

impl Algorithm {
    /// The JOSE name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es256k => "ES256K",
            Self::Es256kR => "ES256K-R",
            Self::EdDsa => "EdDSA",
            Self::Ps256 => "PS256",
        }
    }
    /// From the JOSE name; `None` for `none` and whatever else is not in the closed set.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Es256, Self::Es256k, Self::Es256kR, Self::EdDsa, Self::Ps256]
            .into_iter()
            .find(|a| a.name() == name)
    }
}

/// A public key. Holding one says only that the bytes have the right length; the provider refuses points that are not on the curve.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// secp256k1, uncompressed SEC1: 0x04 ‖ x ‖ y.
    Secp256k1([u8; 65]),
    /// P-256, uncompressed SEC1: 0x04 ‖ x ‖ y.
    P256([u8; 65]),
    /// Ed25519, 32 bytes.
    Ed25519([u8; 32]),
    /// RSA, the DER of PKCS #1's `RSAPublicKey`.
    Rsa(Vec<u8>),
}

impl PublicKey {
    /// Whether `algorithm` may be used with this kind of key at all.
    pub const fn fits(&self, algorithm: Algorithm) -> bool {
        matches!(
            (self, algorithm),
            (Self::Secp256k1(_), Algorithm::Es256k | Algorithm::Es256kR)
                | (Self::P256(_), Algorithm::Es256)
                | (Self::Ed25519(_), Algorithm::EdDsa)
                | (Self::Rsa(_), Algorithm::Ps256)
        )
    }
    /// The bytes as the variant holds them.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Secp256k1(point) | Self::P256(point) => point,
            Self::Ed25519(key) => key,
            Self::Rsa(der) => der,
        }
    }
    /// The Ethereum address of a secp256k1 key: the last 20 bytes of Keccak-256(x ‖ y). `None` for other keys.
    pub fn address(&self, provider: &dyn Provider) -> Option<Address> {
        let Self::Secp256k1(point) = self else { return None };
        let hash = provider.keccak256(&point[1..]);
        let mut address = [0; 20];
        address.copy_from_slice(&hash[12..]);
        Some(Address(address))
    }
    /// As a JSON Web Key (RFC 7517, RFC 8812, RFC 8037), members in the lexical order that RFC 7638 asks of a thumbprint.
    /// RSA keys are only read from certificates and have no JWK form here.
    pub fn to_jwk(&self) -> Option<serde_json::Value> {
        let ec = |curve: &str, point: &[u8; 65]| {
            serde_json::json!({
                "crv": curve, "kty": "EC",
                "x": encoding::base64url(&point[1..33]), "y": encoding::base64url(&point[33..]),
            })
        };
        match self {
            Self::Secp256k1(point) => Some(ec("secp256k1", point)),
            Self::P256(point) => Some(ec("P-256", point)),
            Self::Ed25519(key) => {
                Some(serde_json::json!({"crv": "Ed25519", "kty": "OKP", "x": encoding::base64url(key)}))
            }
            Self::Rsa(_) => None,
        }
    }
    /// From a JSON Web Key. `None` when it is not one of the kinds above, or its coordinates have the wrong length.
    pub fn from_jwk(jwk: &serde_json::Value) -> Option<Self> {
        let member = |name: &str| jwk.get(name)?.as_str();
        let coordinate =
            |name: &str| -> Option<[u8; 32]> { encoding::from_base64url(member(name)?).ok()?.try_into().ok() };
        let point = || -> Option<[u8; 65]> {
            let mut point = [4; 65];
            point[1..33].copy_from_slice(&coordinate("x")?);
            point[33..].copy_from_slice(&coordinate("y")?);
            Some(point)
        };
        match (member("kty")?, member("crv")?) {
            ("EC", "secp256k1") => Some(Self::Secp256k1(point()?)),
            ("EC", "P-256") => Some(Self::P256(point()?)),
            ("OKP", "Ed25519") => Some(Self::Ed25519(coordinate("x")?)),
            _ => None,
        }
    }
    /// RFC 7638 thumbprint; `None` where there is no JWK form.
    pub fn thumbprint(&self, provider: &dyn Provider) -> Option<Digest> {
        Some(provider.sha256(&[self.to_jwk()?.to_string().as_bytes()]))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Secp256k1(_) => "secp256k1",
            Self::P256(_) => "P-256",
            Self::Ed25519(_) => "Ed25519",
            Self::Rsa(_) => "RSA",
        };
        write!(f, "{kind}:{}", encoding::hex(self.as_bytes()))
    }
}

impl Serialize for PublicKey {
    /// As a JWK; fails for RSA.
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.to_jwk()
            .ok_or_else(|| serde::ser::Error::custom("an RSA key has no JWK form here"))?
            .serialize(s)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::from_jwk(&serde_json::Value::deserialize(d)?).ok_or_else(|| {
            serde::de::Error::custom("not a JSON Web Key of kind EC (P-256, secp256k1) or OKP (Ed25519)")
        })
    }
}

/// An Ethereum account address; text form `0x` and 40 lower-case hexadecimal digits (read in any case; EIP-55 is not enforced).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(pub [u8; 20]);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", encoding::hex(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Address {
    type Err = encoding::DecodeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        encoding::from_hex_exact(text).map(Self)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        encoding::deserialize_hex(d).map(Self)
    }
}

/// Why a signature is not accepted. Deliberately coarse: details help forgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The key is not a valid key of its kind, or may not be used with this algorithm.
    #[error("the key is not valid for this algorithm")]
    Key,
    /// The signature does not verify (wrong length included).
    #[error("the signature does not verify")]
    Invalid,
}

/// What pure code asks of cryptography.
pub trait Provider: Send + Sync {
    /// SHA-256 over the concatenation of `parts`.
    fn sha256(&self, parts: &[&[u8]]) -> Digest;
    /// Keccak-256 (Ethereum's, not SHA-3).
    fn keccak256(&self, data: &[u8]) -> [u8; 32];
    /// Verifies `signature` over `message`. `algorithm` comes from the trusted key record. Parsed keys may be cached. High-s ECDSA
    /// signatures verify (JOSE allows them): a signature is never an identity.
    fn verify(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError>;
    /// [`Self::verify`] of a message whose SHA-256 is known, so that it is hashed once. Ed25519 signs messages and no digests of them:
    /// [`SignatureError::Key`].
    fn verify_digest(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<(), SignatureError>;
    /// The secp256k1 key that made a 65-byte ES256K-R signature (r ‖ s ‖ recovery id 0–3, or 27–30) over SHA-256 of `message`.
    fn recover(&self, message: &[u8], signature: &[u8; 65]) -> Result<PublicKey, SignatureError>;
    /// The secp256k1 key of a compressed SEC1 point (0x02 or 0x03 ‖ x), as did:ethr writes public keys.
    fn decompress(&self, compressed: &[u8; 33]) -> Result<PublicKey, SignatureError>;
    /// A signature by a key known only as an Ethereum account: ES256K (both recovery ids are tried) or ES256K-R.
    fn verify_account(
        &self,
        algorithm: Algorithm,
        account: &Address,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        self.verify_account_digest(algorithm, account, &self.sha256(&[message]), signature)
    }
    /// [`Self::verify_account`] of a message whose SHA-256 is known.
    fn verify_account_digest(
        &self,
        algorithm: Algorithm,
        account: &Address,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<(), SignatureError>;
}

/// A signing key, wherever it lives.
pub trait Signer: Send + Sync {
    /// The algorithms this key signs with; the first is its default.
    fn algorithms(&self) -> &[Algorithm];
    /// Its public half.
    fn public_key(&self) -> &PublicKey;
    /// Signs `message` (not a digest). Output length as [`Algorithm`] says.
    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why a key did not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// This key does not sign with that algorithm.
    #[error("this key does not sign with {}", .0.name())]
    Algorithm(Algorithm),
    /// The key store could not sign now.
    #[error("the key store did not sign")]
    Unavailable,
}

/// What pure code asks of encryption: the primitives of JWE with ECDH-ES on P-256 (RFC 7518 §4.6, §5.3).
pub trait Encryption: Provider {
    /// The public half of a P-256 key, given as its scalar, big-endian. `None` where that is no scalar: zero, or not below the group order.
    fn p256_public(&self, private: &Secret<[u8; 32]>) -> Option<PublicKey>;
    /// ECDH on P-256: the shared secret Z, the x coordinate of the shared point (NIST SP 800-56A §5.7.1.2). `None` where either key is none
    /// on this curve.
    fn p256_agree(&self, private: &Secret<[u8; 32]>, public: &PublicKey) -> Option<Secret<[u8; 32]>>;
    /// AES-GCM with a 16-byte (A128GCM) or 32-byte (A256GCM) key: ciphertext ‖ tag of 16 bytes. A key seals once with a nonce. `None` for keys of
    /// another length.
    fn seal_gcm(&self, key: &SecretBytes, nonce: &[u8; 12], aad: &[u8], plaintext: &[u8]) -> Option<Vec<u8>>;
    /// The inverse. `None` where it does not open, whatever the cause.
    fn open_gcm(&self, key: &SecretBytes, nonce: &[u8; 12], aad: &[u8], sealed: &[u8]) -> Option<SecretBytes>;
}
