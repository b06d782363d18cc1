//! Bitstring Status List 1.0 (W3C), as a VC 2.0 secured with JOSE.

use super::{Bits, MAX_LIST, MIN_ENTRIES, SigningHeader, Status, StatusError, inflate_list};
use crate::{
    format::{Encoding, deflate, vc_jwt},
    jws::{Jws, Signed, Unsigned},
};
use serde_json::{Value, json};
use std::fmt;
use vidimus_core::{Timestamp, encoding};

/// The media type it is served as (VC-JOSE-COSE §6.1.1).
pub const MEDIA_TYPE: &str = "application/vc+jwt";

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
    fn from_name(name: &str) -> Option<Self> {
        [Self::Revocation, Self::Suspension]
            .into_iter()
            .find(|purpose| purpose.name() == name)
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
    /// `credentialSubject.ttl`, here in seconds (milliseconds on the wire, §2.2).
    pub ttl: Option<u64>,
}

/// Prepares the list of one purpose.
pub fn prepare(
    bits: &Bits,
    purpose: Purpose,
    terms: &Terms,
    header: &SigningHeader<'_>,
) -> Result<Unsigned, StatusError> {
    let mut subject = json!({
        "id": format!("{}#list", terms.uri),
        "type": "BitstringStatusList",
        "statusPurpose": purpose.name(),
        "encodedList": format!("u{}", encoding::base64url(&deflate(&bitstring(bits, purpose), Encoding::Gzip))),
    });
    if let Some(ttl) = terms.ttl {
        subject["ttl"] = ttl.saturating_mul(1000).into();
    }
    let mut credential = json!({
        "@context": [vc_jwt::Version::V2_0.base_context()],
        "id": terms.uri,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": terms.issuer,
        "validFrom": terms.valid_from.to_rfc3339(),
        "credentialSubject": subject,
    });
    if let Some(valid_until) = terms.valid_until {
        credential["validUntil"] = valid_until.to_rfc3339().into();
    }
    let mut members = header.members(vc_jwt::TYPE_2_0)?;
    members.insert("cty".into(), vc_jwt::CONTENT_TYPE_2_0.into());
    let payload = serde_json::to_vec(&credential).expect("a JSON value with text keys always writes");
    Ok(Unsigned::new(&members, &payload))
}

/// One bit an entry, entry 0 in the most significant bit of byte 0 (§3.3).
fn bitstring(bits: &Bits, purpose: Purpose) -> Vec<u8> {
    let mut bytes = vec![0_u8; bits.as_bytes().len().div_ceil(2)];
    for (index, value) in bits.values().enumerate() {
        if Status::from_value(value) == purpose.status() {
            bytes[index / 8] |= 0x80 >> (index % 8);
        }
    }
    bytes
}

/// A list as it was read; not verified before [`Signed::verify`].
#[derive(Clone)]
pub struct BitstringList {
    /// What it says of itself.
    pub terms: Terms,
    /// What a set bit means.
    pub purpose: Purpose,
    /// What it takes to verify it.
    pub signed: Signed,
    bytes: Vec<u8>,
}

impl fmt::Debug for BitstringList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BitstringList")
            .field("terms", &self.terms)
            .field("purpose", &self.purpose)
            .field("entries", &self.entries())
            .finish_non_exhaustive()
    }
}

impl BitstringList {
    /// Reads a list. The caller compares [`Terms::uri`] with the URL it asked for, and the purpose with the certificate's (§3.2).
    pub fn parse(token: &str) -> Result<Self, StatusError> {
        let jws = Jws::parse(token, MAX_LIST).map_err(StatusError::Jws)?;
        if !jws.header().is_type(vc_jwt::TYPE_2_0) {
            return Err(StatusError::Type);
        }
        let credential = jws.claims().map_err(StatusError::Jws)?;
        let has_type = |name| {
            let types = credential.get("type").and_then(Value::as_array);
            types.is_some_and(|types| types.iter().any(|kind| kind.as_str() == Some(name)))
        };
        let base = credential
            .get("@context")
            .and_then(|contexts| contexts.get(0))
            .and_then(Value::as_str);
        if base != Some(vc_jwt::Version::V2_0.base_context())
            || !has_type("VerifiableCredential")
            || !has_type("BitstringStatusListCredential")
        {
            return Err(StatusError::Type);
        }
        let date = |name| match credential.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_str()
                .and_then(|text| Timestamp::parse_rfc3339(text).ok())
                .map(Some)
                .ok_or(StatusError::Claim(name)),
        };
        let issuer = credential
            .get("issuer")
            .and_then(|issuer| issuer.as_str().or_else(|| issuer.get("id")?.as_str()));
        let subject = credential
            .get("credentialSubject")
            .ok_or(StatusError::Claim("credentialSubject"))?;
        let text = |name| subject.get(name).and_then(Value::as_str);
        if text("type") != Some("BitstringStatusList") {
            return Err(StatusError::Type);
        }
        if subject.get("statusSize").is_some_and(|size| size.as_u64() != Some(1)) {
            return Err(StatusError::Claim("statusSize"));
        }
        let terms = Terms {
            uri: credential
                .get("id")
                .and_then(Value::as_str)
                .ok_or(StatusError::Claim("id"))?
                .to_owned(),
            issuer: issuer.ok_or(StatusError::Claim("issuer"))?.to_owned(),
            valid_from: date("validFrom")?.ok_or(StatusError::Claim("validFrom"))?,
            valid_until: date("validUntil")?,
            ttl: match subject.get("ttl") {
                None => None,
                Some(ttl) => Some(ttl.as_u64().ok_or(StatusError::Claim("ttl"))? / 1000),
            },
        };
        let purpose = text("statusPurpose")
            .and_then(Purpose::from_name)
            .ok_or(StatusError::Claim("statusPurpose"))?;
        let list = text("encodedList")
            .and_then(|list| list.strip_prefix('u'))
            .ok_or(StatusError::Claim("encodedList"))?;
        let bytes = inflate_list(list, Encoding::Gzip)?;
        let read = Self {
            terms,
            purpose,
            signed: jws.into_signed(),
            bytes,
        };
        if read.entries() < MIN_ENTRIES {
            Err(StatusError::TooFew(read.entries()))
        } else {
            Ok(read)
        }
    }
    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        (self.bytes.len() as u64).saturating_mul(8)
    }
    /// Whether the bit of entry `index` is set.
    pub fn is_set(&self, index: u64) -> Result<bool, StatusError> {
        let byte = usize::try_from(index / 8)
            .ok()
            .and_then(|at| self.bytes.get(at))
            .ok_or(StatusError::Index {
                index,
                entries: self.entries(),
            })?;
        Ok(byte & (0x80 >> (index % 8)) != 0)
    }
    /// The status of entry `index` as far as this list's purpose goes.
    pub fn status(&self, index: u64) -> Result<Status, StatusError> {
        Ok(if self.is_set(index)? {
            self.purpose.status()
        } else {
            Status::Valid
        })
    }
}
