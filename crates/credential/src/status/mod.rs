//! The status of copies: one table of two bits a copy, in several encodings.
//!
//! Whoever signs a status list can revive revoked certificates until the list expires; whoever withholds it can only make checks undetermined.

pub mod bitstring;
pub mod token_list;

use crate::{
    format::{Encoding, InflateError, inflate},
    jws::JwsError,
};
use serde_json::{Map, Value};
use vidimus_core::{Algorithm, encoding};

/// The fewest entries of a list (Bitstring Status List 1.0 §6.1): what keeps one person from standing out.
pub const MIN_ENTRIES: u64 = 131_072;
/// Entries in a byte of [`Bits`].
const PER_BYTE: u64 = 4;
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

impl Status {
    /// From the value in a Token Status List.
    pub const fn from_value(value: u8) -> Self {
        match value {
            0 => Self::Valid,
            1 => Self::Revoked,
            2 => Self::Suspended,
            other => Self::Other(other),
        }
    }
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
    /// The list has fewer entries than [`MIN_ENTRIES`].
    #[error("the status list has {0} entries, fewer than {MIN_ENTRIES}")]
    TooFew(u64),
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
    /// A table with every entry valid: at least `entries`, rounded up to whole bytes, and never fewer than [`MIN_ENTRIES`].
    pub fn new(entries: u64) -> Result<Self, StatusError> {
        let bytes = usize::try_from(entries.max(MIN_ENTRIES).div_ceil(PER_BYTE)).map_err(|_| StatusError::TooLarge)?;
        if bytes > MAX_INFLATED {
            Err(StatusError::TooLarge)
        } else {
            Ok(Self { bytes: vec![0; bytes] })
        }
    }
    /// From bytes that a store kept. A table that is too small, or holds a value that was never set, is refused: it is not one of ours.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, StatusError> {
        if (bytes.len() as u64) * PER_BYTE < MIN_ENTRIES {
            return Err(StatusError::TooFew(bytes.len() as u64 * PER_BYTE));
        }
        if bytes.len() > MAX_INFLATED {
            return Err(StatusError::TooLarge);
        }
        // 0b11 in any of the four entries.
        if bytes.iter().any(|byte| byte & (byte >> 1) & 0b0101_0101 != 0) {
            return Err(StatusError::Value);
        }
        Ok(Self { bytes })
    }
    /// As a store keeps it, and as the Token Status List has it before compression.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        self.bytes.len() as u64 * PER_BYTE
    }
    /// The status of entry `index`.
    pub fn status(&self, index: u64) -> Result<Status, StatusError> {
        least_significant_first(&self.bytes, 2, index).map(Status::from_value)
    }
    /// Sets the status of entry `index`.
    pub fn set(&mut self, index: u64, status: Status) -> Result<(), StatusError> {
        let value = match status {
            Status::Valid => 0,
            Status::Revoked => 1,
            Status::Suspended => 2,
            Status::Other(_) => return Err(StatusError::Value),
        };
        let entries = self.entries();
        let byte = usize::try_from(index / PER_BYTE)
            .ok()
            .and_then(|at| self.bytes.get_mut(at))
            .ok_or(StatusError::Index { index, entries })?;
        let shift = index % PER_BYTE * 2;
        *byte = *byte & !(0b11 << shift) | value << shift;
        Ok(())
    }
    /// The entries in order.
    fn values(&self) -> impl Iterator<Item = u8> + '_ {
        self.bytes
            .iter()
            .flat_map(|byte| [0, 2, 4, 6].map(|shift| byte >> shift & 0b11))
    }
}

/// Entry `index` of a list of `bits` (1, 2, 4 or 8) an entry, counted from the least significant bits of byte 0.
fn least_significant_first(bytes: &[u8], bits: u8, index: u64) -> Result<u8, StatusError> {
    let per_byte = u64::from(8 / bits);
    let byte = usize::try_from(index / per_byte)
        .ok()
        .and_then(|at| bytes.get(at))
        .ok_or(StatusError::Index {
            index,
            entries: (bytes.len() as u64).saturating_mul(per_byte),
        })?;
    let mask = u8::MAX >> (8 - bits);
    Ok(byte >> (index % per_byte * u64::from(bits)) & mask)
}

/// How a list is signed: the header's key parts.
#[derive(Debug, Clone)]
pub struct SigningHeader<'a> {
    /// ES256 (with `x5c`), ES256K, ES256K-R or EdDSA.
    pub algorithm: Algorithm,
    /// DID URL or other id of the key.
    pub kid: Option<&'a str>,
    /// DER of the status signer's certificate, leaf first and without the trust anchor (HAIP 1.0).
    pub x5c: &'a [Vec<u8>],
}

impl SigningHeader<'_> {
    /// The header's members, but for those that say which list it is.
    fn members(&self, typ: &str) -> Result<Map<String, Value>, StatusError> {
        if self.algorithm == Algorithm::Ps256 {
            return Err(StatusError::Algorithm);
        }
        let mut members = Map::new();
        members.insert("alg".into(), self.algorithm.name().into());
        members.insert("typ".into(), typ.into());
        if let Some(kid) = self.kid {
            members.insert("kid".into(), kid.into());
        }
        if !self.x5c.is_empty() {
            let chain: Vec<_> = self.x5c.iter().map(|der| encoding::base64(der)).collect();
            members.insert("x5c".into(), chain.into());
        }
        Ok(members)
    }
}

fn inflate_list(text: &str, encoding: Encoding) -> Result<Vec<u8>, StatusError> {
    let bytes = encoding::from_base64url(text).map_err(|_| StatusError::Compression)?;
    inflate(&bytes, encoding, MAX_INFLATED).map_err(|error| match error {
        InflateError::TooLarge => StatusError::TooLarge,
        InflateError::Corrupt => StatusError::Compression,
    })
}
