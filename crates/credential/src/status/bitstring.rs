//! Bitstring Status List 1.0 (W3C), as a VC 2.0 secured with JOSE.

use super::{Bits, SigningHeader, Status, StatusError, Unsigned};
use crate::jws::Signed;
use vidimus_core::Timestamp;

/// What a set bit means: there is one list for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Revoked, for good.
    Revocation,
    /// Suspended, for the time being.
    Suspension,
}

impl Purpose {
    /// The name in `statusPurpose`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Suspension => "suspension",
        }
    }
    /// The status that a set bit stands for.
    pub const fn status(self) -> Status {
        match self {
            Self::Revocation => Status::Revoked,
            Self::Suspension => Status::Suspended,
        }
    }
}

/// What a list credential says beside its bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// `id`: the URL of the list, as the certificates refer to it.
    pub uri: String,
    /// `issuer`: DID.
    pub issuer: String,
    /// `validFrom`.
    pub valid_from: Timestamp,
    /// `validUntil`.
    pub valid_until: Option<Timestamp>,
    /// `credentialSubject.ttl`, here in seconds (milliseconds on the wire).
    pub ttl: Option<u64>,
}

/// Prepares the list of one purpose.
pub fn prepare(
    bits: &Bits,
    purpose: Purpose,
    terms: &Terms,
    header: &SigningHeader<'_>,
) -> Result<Unsigned, StatusError> {
    todo!("{bits:?}{purpose:?}{terms:?}{header:?}")
}

/// A list as it was read; not verified before [`Signed::verify`].
#[derive(Debug, Clone)]
pub struct BitstringList {
    /// What it says of itself.
    pub terms: Terms,
    /// What a set bit means.
    pub purpose: Purpose,
    /// What it takes to verify it.
    pub signed: Signed,
    bytes: Vec<u8>,
}

impl BitstringList {
    /// Reads a list.
    pub fn parse(token: &str) -> Result<Self, StatusError> {
        todo!("{}", token.len())
    }
    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        self.bytes.len() as u64 * 8
    }
    /// Whether the bit of entry `index` is set.
    pub fn is_set(&self, index: u64) -> Result<bool, StatusError> {
        todo!("{index}")
    }
}
