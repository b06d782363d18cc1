//! Commitments: the only thing of a certificate that goes near a chain.

use crate::{
    Digest, Entropy, Provider,
    encoding::{DecodeError, deserialize_hex, hex},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

const DOMAIN: &[u8] = b"vidimus/commitment/v1";

/// 256 random bits that hide a digest in its commitment. One per copy, so that copies do not link. Whoever knows salt and certificate
/// can find the commitment; destroying the salt makes the commitment meaningless.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// A fresh salt.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(bytes)
    }
    /// From the bytes that were kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    /// The bytes, to be kept encrypted or handed to the holder.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        deserialize_hex(d).map(Self)
    }
}

/// `SHA-256("vidimus/commitment/v1" ‖ salt ‖ digest)`, where `digest` is SHA-256 of the issuer-signed bytes: the JWS signing input, or
/// COSE's `Sig_structure`. Every part has a fixed length, so nothing needs a prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitment(Digest);

impl Commitment {
    /// Commits to `digest` under `salt`.
    pub fn derive(provider: &dyn Provider, salt: &Salt, digest: &Digest) -> Self {
        Self(provider.sha256(&[DOMAIN, &salt.0, &digest.0]))
    }
    /// From the bytes that were kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Digest(bytes))
    }
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::str::FromStr for Commitment {
    type Err = DecodeError;
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        text.parse().map(Self)
    }
}
