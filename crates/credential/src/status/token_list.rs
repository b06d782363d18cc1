//! Token Status List (draft-ietf-oauth-status-list), JWT form.

use super::{Bits, SigningHeader, Status, StatusError, Unsigned};
use crate::jws::Signed;
use vidimus_core::Timestamp;

/// The draft that is followed: HAIP 1.0 pins 14.
pub const DRAFT: u8 = 14;
/// The JWS `typ` of that draft.
pub const TYPE: &str = "statuslist+jwt";

/// What a list says beside its bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// `sub`: the URL of the list, as the certificates refer to it.
    pub uri: String,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Option<Timestamp>,
    /// `ttl`: seconds that a copy may be cached.
    pub ttl: Option<u64>,
}

/// Prepares a list.
pub fn prepare(bits: &Bits, terms: &Terms, header: &SigningHeader<'_>) -> Result<Unsigned, StatusError> {
    todo!("{bits:?}{terms:?}{header:?}")
}

/// A list as it was read; not verified before [`Signed::verify`].
#[derive(Debug, Clone)]
pub struct TokenList {
    /// What it says of itself.
    pub terms: Terms,
    /// What it takes to verify it.
    pub signed: Signed,
    bits: u8,
    bytes: Vec<u8>,
}

impl TokenList {
    /// Reads a list.
    pub fn parse(token: &str) -> Result<Self, StatusError> {
        todo!("{}", token.len())
    }
    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        self.bytes.len() as u64 * 8 / u64::from(self.bits)
    }
    /// The status of entry `index`.
    pub fn status(&self, index: u64) -> Result<Status, StatusError> {
        todo!("{index}")
    }
}
