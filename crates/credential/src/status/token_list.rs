//! Token Status List (draft-ietf-oauth-status-list), JWT form (§5.1).

use super::{Bits, MAX_LIST, SigningHeader, Status, StatusError, inflate_list, least_significant_first};
use crate::{
    format::{Encoding, deflate, numeric_date},
    jws::{Jws, Signed, Unsigned},
};
use serde_json::json;
use std::fmt;
use vidimus_core::{Timestamp, encoding};

/// The draft that is followed: HAIP 1.0 pins 14.
pub const DRAFT: u8 = 14;
/// The JWS `typ` of that draft (§5.1).
pub const TYPE: &str = "statuslist+jwt";
/// The media type it is served as (§8.1).
pub const MEDIA_TYPE: &str = "application/statuslist+jwt";

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

/// Prepares a list of two bits an entry.
pub fn prepare(bits: &Bits, terms: &Terms, header: &SigningHeader<'_>) -> Result<Unsigned, StatusError> {
    let mut claims = serde_json::Map::new();
    claims.insert("sub".into(), terms.uri.as_str().into());
    claims.insert("iat".into(), terms.issued_at.0.into());
    if let Some(expires_at) = terms.expires_at {
        claims.insert("exp".into(), expires_at.0.into());
    }
    if let Some(ttl) = terms.ttl {
        claims.insert("ttl".into(), ttl.into());
    }
    let list = encoding::base64url(&deflate(bits.as_bytes(), Encoding::Zlib));
    claims.insert("status_list".into(), json!({ "bits": 2, "lst": list }));
    let payload = serde_json::to_vec(&claims).expect("a map of JSON values with text keys always writes");
    Ok(Unsigned::new(&header.members(TYPE)?, &payload))
}

/// A list as it was read; not verified before [`Signed::verify`].
#[derive(Clone)]
pub struct TokenList {
    /// What it says of itself.
    pub terms: Terms,
    /// What it takes to verify it.
    pub signed: Signed,
    bits: u8,
    bytes: Vec<u8>,
}

impl fmt::Debug for TokenList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenList")
            .field("terms", &self.terms)
            .field("entries", &self.entries())
            .finish_non_exhaustive()
    }
}

impl TokenList {
    /// Reads a list of 1, 2, 4 or 8 bits an entry. The caller compares [`Terms::uri`] with the URL it asked for (§8.3).
    pub fn parse(token: &str) -> Result<Self, StatusError> {
        let jws = Jws::parse(token, MAX_LIST).map_err(StatusError::Jws)?;
        if !jws.header().is_type(TYPE) {
            return Err(StatusError::Type);
        }
        let claims = jws.claims().map_err(StatusError::Jws)?;
        let date = |name| {
            claims
                .get(name)
                .map(|v| numeric_date(v).ok_or(StatusError::Claim(name)))
                .transpose()
        };
        let terms = Terms {
            uri: claims
                .get("sub")
                .and_then(|v| v.as_str())
                .ok_or(StatusError::Claim("sub"))?
                .to_owned(),
            issued_at: date("iat")?.ok_or(StatusError::Claim("iat"))?,
            expires_at: date("exp")?,
            ttl: match claims.get("ttl") {
                None => None,
                Some(ttl) => Some(ttl.as_u64().filter(|&ttl| ttl > 0).ok_or(StatusError::Claim("ttl"))?),
            },
        };
        let list = claims.get("status_list").ok_or(StatusError::Claim("status_list"))?;
        let bits = match list.get("bits").and_then(|v| v.as_u64()) {
            Some(bits @ (1 | 2 | 4 | 8)) => bits as u8,
            _ => return Err(StatusError::Claim("bits")),
        };
        let text = list
            .get("lst")
            .and_then(|v| v.as_str())
            .ok_or(StatusError::Claim("lst"))?;
        let bytes = inflate_list(text, Encoding::Zlib)?;
        Ok(Self {
            terms,
            signed: jws.into_signed(),
            bits,
            bytes,
        })
    }
    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        (self.bytes.len() as u64).saturating_mul(u64::from(8 / self.bits))
    }
    /// Bytes that it takes in memory.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.signed.message.len()
    }
    /// The status of entry `index`.
    pub fn status(&self, index: u64) -> Result<Status, StatusError> {
        least_significant_first(&self.bytes, self.bits, index).map(Status::from_value)
    }
}
