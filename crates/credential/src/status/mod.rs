//! The status of copies: one table of two bits a copy, in several encodings.
//!
//! Whoever signs a status list can revive revoked certificates until the list expires; whoever withholds it can only make checks undetermined.

pub mod bitstring;
pub mod token_list;

use crate::{jws, jws::JwsError};

/// The fewest entries of a list (Bitstring Status List 1.0 §6.1): what keeps one person from standing out.
pub const MIN_ENTRIES: u64 = 131_072;
/// The largest list that is read, inflated, in bytes.
pub const MAX_INFLATED: usize = 16 << 20;
/// The longest token of a list that is read.
pub const MAX_LIST: usize = 24 << 20;

/// The status of one copy (draft-ietf-oauth-status-list §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// 0x00.
    Valid,
    /// 0x01 INVALID: revoked, for good.
    Revoked,
    /// 0x02 SUSPENDED: for the time being.
    Suspended,
    /// Another value, which means nothing here: never treated as valid.
    Other(u8),
}

/// Why a status list is not read, or an index has no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatusError {
    /// Not a readable JWS.
    #[error("the status list is not a readable JWS")]
    Jws(#[source] JwsError),
    /// A JWS, but not a status list of the pinned version.
    #[error("not a status list of a known type")]
    Type,
    /// A claim is missing or wrong.
    #[error("the status list's claim {0} is missing or has the wrong form")]
    Claim(&'static str),
    /// The list does not decompress.
    #[error("the status list is not a complete compressed stream")]
    Compression,
    /// The list inflates to more than [`MAX_INFLATED`].
    #[error("the status list is larger than {MAX_INFLATED} bytes")]
    TooLarge,
    /// The index is not in the list.
    #[error("index {index} is outside the list of {entries}")]
    Index {
        /// The index asked for.
        index: u64,
        /// Entries of the list.
        entries: u64,
    },
    /// The list cannot hold this status.
    #[error("a list of two bits an entry cannot hold this status")]
    Value,
    /// The algorithm is never signed with here.
    #[error("status lists are not signed with this algorithm")]
    Algorithm,
}

/// The status table of one list in memory: two bits an entry, entry 0 in the least significant bits of byte 0.
#[derive(Clone, PartialEq, Eq)]
pub struct Bits {
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bits({} entries)", self.entries())
    }
}

impl Bits {
    /// A table with every entry valid. Rounded up to a whole number of bytes and to [`MIN_ENTRIES`].
    pub fn new(entries: u64) -> Result<Self, StatusError> {
        todo!("{entries}")
    }
    /// From bytes that a store kept.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, StatusError> {
        Ok(Self { bytes })
    }
    /// As a store keeps it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        self.bytes.len() as u64 * 4
    }
    /// The status of entry `index`.
    pub fn status(&self, index: u64) -> Result<Status, StatusError> {
        todo!("{index}")
    }
    /// Sets the status of entry `index`.
    pub fn set(&mut self, index: u64, status: Status) -> Result<(), StatusError> {
        todo!("{index}{status:?}")
    }
}

/// How a list is signed: the header's key parts.
#[derive(Debug, Clone)]
pub struct SigningHeader<'a> {
    /// ES256 (with `x5c`), ES256K, ES256K-R or EdDSA.
    pub algorithm: vidimus_core::Algorithm,
    /// DID URL or other id of the key.
    pub kid: Option<&'a str>,
    /// DER of the status signer's certificate, leaf first and without the trust anchor (HAIP 1.0).
    pub x5c: &'a [Vec<u8>],
}

/// A list waiting for its signature.
pub type Unsigned = jws::Unsigned;
