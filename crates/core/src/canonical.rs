//! Canonical bytes for everything that is hashed or used as associated data.

use crate::{Digest, Provider};

/// A domain-separated, length-prefixed sequence of fields: two different sequences never give the same bytes.
///
/// Layout: `domain` as UTF-8, one zero byte, then for each field its length as 8 bytes big-endian and the field.
#[derive(Debug, Clone)]
pub struct Transcript(Vec<u8>);

impl Transcript {
    /// Starts a transcript. `domain` names purpose and version, such as `vidimus/audit/v1`, and holds no zero byte.
    pub fn new(domain: &str) -> Self {
        debug_assert!(!domain.contains('\0'), "a domain holds no zero byte");
        let mut bytes = domain.as_bytes().to_vec();
        bytes.push(0);
        Self(bytes)
    }
    /// Appends one field.
    #[must_use]
    pub fn field(mut self, field: &[u8]) -> Self {
        self.0.extend_from_slice(&(field.len() as u64).to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }
    /// Appends a number as 8 bytes big-endian.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.field(&number.to_be_bytes())
    }
    /// The bytes, for use as associated data or as a message to sign.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
    /// SHA-256 of the bytes.
    pub fn digest(&self, provider: &dyn Provider) -> Digest {
        provider.sha256(&[&self.0])
    }
}
