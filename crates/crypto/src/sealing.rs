//! X25519 keys that payloads are sealed to. A key of its own: WebCrypto forbids key agreement with a signing key.

use crate::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use vidimus_core::{
    Entropy, Secret, SecretBytes,
    encoding::{base64url, from_base64url},
};
use zeroize::Zeroizing;

/// The public half, 32 bytes (RFC 7748 §5); text form base64url, as in a JWK's `x`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SealingPublicKey(pub [u8; 32]);

impl SealingPublicKey {
    /// As a JSON Web Key (RFC 8037 §2).
    pub fn to_jwk(&self) -> serde_json::Value {
        serde_json::json!({"crv": "X25519", "kty": "OKP", "x": base64url(&self.0)})
    }
    /// From a JSON Web Key of kind OKP, curve X25519.
    pub fn from_jwk(jwk: &serde_json::Value) -> Option<Self> {
        let member = |name: &str| jwk.get(name)?.as_str();
        if (member("kty")?, member("crv")?) != ("OKP", "X25519") {
            return None;
        }
        member("x")?.parse().ok()
    }
}

impl fmt::Display for SealingPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url(&self.0))
    }
}

impl fmt::Debug for SealingPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "X25519:{self}")
    }
}

impl std::str::FromStr for SealingPublicKey {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = from_base64url(text).map_err(|_| Error::Key("X25519"))?;
        bytes.try_into().map(Self).map_err(|_| Error::Key("X25519"))
    }
}

impl Serialize for SealingPublicKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SealingPublicKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The private half: whoever reads it reads everything that was ever sealed to it. Wiped when dropped.
pub struct SealingKey {
    secret: Secret<[u8; 32]>,
    public: SealingPublicKey,
}

impl SealingKey {
    /// A new key.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        Self::from_array(&bytes)
    }
    /// From its 32 bytes; any are a key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self::from_array(bytes.try_into().map_err(|_| Error::Key("X25519"))?))
    }
    fn from_array(bytes: &[u8; 32]) -> Self {
        let public = crypto_box::SecretKey::from(*bytes).public_key().to_bytes();
        Self {
            secret: Secret::new(*bytes),
            public: SealingPublicKey(public),
        }
    }
    /// The bytes that [`Self::from_bytes`] reads, to be wrapped and stored.
    pub fn expose_bytes(&self) -> SecretBytes {
        SecretBytes::new(self.secret.expose().to_vec())
    }
    /// The public half.
    pub fn public_key(&self) -> &SealingPublicKey {
        &self.public
    }
    pub(crate) fn secret(&self) -> &[u8; 32] {
        self.secret.expose()
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({:?})", self.public)
    }
}
