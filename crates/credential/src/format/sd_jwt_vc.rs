//! SD-JWT VC (draft-ietf-oauth-sd-jwt-vc-13, which HAIP 1.0 pins): `dc+sd-jwt`, over RFC 9901.
//!
//! In the clear stands what says nothing of the person, and may not be concealed (§3.2.2.2): `iss`, `iat`, `nbf`, `exp`, `jti`, `vct`,
//! `vct#integrity`, `cnf` with the key of this copy, and `status`. Everything else is disclosed part by part:
//! ```json
//! { "family_name": "…", "given_name": "…", "family_name_transliterated": "…", "given_name_transliterated": "…", "birthdate": "1998-02-26",
//!   "claims": { } }
//! ```
//! The person's attributes have the names of OpenID Connect where it has some; `claims` is what the category's schema says, each part of it
//! disclosable at every depth. Decoys fill both levels up to what the category can say, so that their number does not tell which optional
//! claims there are. Neither `sub` nor a DID: copies must not link.
//!
//! The issuer is who holds the key of the certificate in `x5c` (§3.5); `iss` is where its metadata are.

mod attribute;
pub mod issuer_metadata;
mod read;
pub mod type_metadata;

pub use attribute::{Asked, asked, path_of};
pub use read::{Content, Shown, parse};

use super::FormatError;
use crate::{
    CategoryId, DisclosedPerson, Statement, StatusReference,
    category::Category,
    jws::{self, MAX_CHAIN},
    sd_jwt::{ClaimPath, ConcealError, Frame, MAX_DISCLOSURES, MAX_SD_JWT, SdJwtError, combine, conceal},
};
use serde_json::{Map, Value, json};
use std::fmt;
use vidimus_core::{Algorithm, Digest, Entropy, Provider, PublicKey, encoding};

/// The `typ` of an SD-JWT VC (§3.2.1).
pub const TYPE: &str = "dc+sd-jwt";
/// Where a deployment serves the types of its certificates.
pub const TYPES_PATH: &str = "/v1/types/";

/// A full stop and a signature of 64 bytes.
const SIGNATURE: usize = 87;

/// Claims that are never disclosed by themselves: what §3.2.2.2 says, and what our own certificates have beside it.
const IN_THE_CLEAR: [&str; 9] = [
    "iss",
    "iat",
    "nbf",
    "exp",
    "jti",
    "vct",
    "vct#integrity",
    "cnf",
    "status",
];
/// The object that holds the category's claims.
const CLAIMS: &str = "claims";
/// The person's attributes: the claim, and its place in a [`Statement`].
const PERSON: [(&str, &str); 5] = [
    ("family_name", "/person/family_name"),
    ("given_name", "/person/given_name"),
    ("family_name_transliterated", "/person/family_name_transliterated"),
    ("given_name_transliterated", "/person/given_name_transliterated"),
    ("birthdate", "/person/birth_date"),
];

/// The `vct` of a category's certificates: a URL where a deployment serves the type's metadata.
pub fn type_url(public_url: &str, category: &CategoryId) -> String {
    format!("{}{TYPES_PATH}{category}", public_url.trim_end_matches('/'))
}

/// The category that a `vct` of [`type_url`]'s form names, whichever deployment serves it.
pub fn category_of(vct: &str) -> Option<CategoryId> {
    let (before, name) = vct.rsplit_once(TYPES_PATH)?;
    let is_url = ["https://", "http://"]
        .iter()
        .any(|scheme| before.len() > scheme.len() && before.starts_with(scheme));
    is_url.then(|| CategoryId::new(name).ok()).flatten()
}

/// What a copy says besides the statement.
#[derive(Debug, Clone)]
pub struct Terms<'a> {
    /// `iss`: the Credential Issuer identifier, an HTTPS URL.
    pub issuer: &'a str,
    /// `vct`: [`type_url`].
    pub vct: &'a str,
    /// `vct#integrity`: [`type_metadata::integrity`] of the bytes that are served there.
    pub integrity: &'a str,
    /// The holder's P-256 key for this copy.
    pub holder: &'a PublicKey,
    /// `kid`, as the issuer's metadata have it.
    pub kid: Option<&'a str>,
    /// `x5c`: the issuer's certificates as DER, leaf first, without the trust anchor (HAIP 1.0 §6.1.1).
    pub chain: &'a [Vec<u8>],
}

/// An SD-JWT VC that waits for its signature (ES256).
#[derive(Clone, PartialEq, Eq)]
pub struct Unsigned {
    token: jws::Unsigned,
    disclosures: Vec<String>,
}

impl fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sd_jwt_vc::Unsigned(…)")
    }
}

impl Unsigned {
    /// From what an earlier [`Self::to_kept`] gave. No larger, and with no more disclosures, than what comes of it may be.
    pub fn from_kept(kept: Vec<u8>) -> Result<Self, FormatError> {
        if kept.len() + SIGNATURE > MAX_SD_JWT {
            return Err(FormatError::TooLarge);
        }
        let text = String::from_utf8(kept).map_err(|_| FormatError::Unknown)?;
        let mut parts = text.strip_suffix('~').ok_or(FormatError::Unknown)?.split('~');
        let message = parts.next().unwrap_or_default().as_bytes().to_vec();
        let token = jws::Unsigned::from_message(message).map_err(FormatError::Jws)?;
        let disclosures: Vec<String> = parts.map(str::to_owned).collect();
        if disclosures.len() > MAX_DISCLOSURES {
            return Err(FormatError::Disclosures(SdJwtError::TooMany));
        }
        Ok(Self { token, disclosures })
    }
    /// The bytes to keep while the signature is made elsewhere: those to sign, and the disclosures. Personal.
    pub fn to_kept(&self) -> Vec<u8> {
        let message = std::str::from_utf8(self.token.message()).expect("base64url and a full stop");
        combine(message, self.disclosures.iter().map(String::as_str)).into_bytes()
    }
    /// The bytes to sign.
    pub fn message(&self) -> &[u8] {
        self.token.message()
    }
    /// SHA-256 of [`Self::message`]: without disclosures, as it is anchored.
    pub fn digest(&self, provider: &dyn Provider) -> Digest {
        self.token.digest(provider)
    }
    /// The SD-JWT as the holder gets it. `signature` is raw (r ‖ s, not DER).
    pub fn finish(self, signature: &[u8]) -> String {
        combine(
            &self.token.finish(signature),
            self.disclosures.iter().map(String::as_str),
        )
    }
}

/// Prepares a copy. The statement's holder and issuer are not in it. The same entropy gives the same bytes.
pub fn prepare(
    statement: &Statement,
    category: &Category,
    terms: &Terms<'_>,
    provider: &dyn Provider,
    entropy: &mut dyn Entropy,
) -> Result<Unsigned, FormatError> {
    if statement.category != *category.id() {
        return Err(FormatError::Mismatch("category"));
    }
    super::vc_jwt::writable_times(statement)?;
    let PublicKey::P256(_) = terms.holder else {
        return Err(FormatError::Claim("cnf"));
    };
    if !(1..=MAX_CHAIN).contains(&terms.chain.len()) {
        return Err(FormatError::Claim("x5c"));
    }
    let mut header = object(json!({"alg": Algorithm::Es256.name(), "typ": TYPE}));
    if let Some(kid) = terms.kid {
        header.insert("kid".into(), kid.into());
    }
    let chain = terms.chain.iter().map(|der| Value::from(encoding::base64(der)));
    header.insert("x5c".into(), chain.collect());

    let (payload, frame) = payload(statement, category, terms);
    let concealed = conceal(&payload, &frame, provider, entropy).map_err(|error| match error {
        ConcealError::Reserved | ConcealError::Frame => FormatError::Claim(CLAIMS),
        ConcealError::TooMany | ConcealError::TooDeep => FormatError::TooLarge,
    })?;
    let payload = serde_json::to_vec(&concealed.payload).expect("a map of JSON values with text keys always writes");
    Ok(Unsigned {
        token: jws::Unsigned::new(&header, &payload),
        disclosures: concealed.disclosures,
    })
}

fn payload(statement: &Statement, category: &Category, terms: &Terms<'_>) -> (Map<String, Value>, Frame) {
    let mut payload = object(json!({
        "iss": terms.issuer,
        "iat": statement.issued_at,
        "nbf": statement.valid_from,
        "exp": statement.valid_until,
        "jti": format!("urn:uuid:{}", statement.id),
        "vct": terms.vct,
        "vct#integrity": terms.integrity,
        "cnf": {"jwk": terms.holder},
    }));
    if let Some(StatusReference { token_list, index, .. }) = &statement.status {
        payload.insert(
            "status".into(),
            json!({"status_list": {"idx": index, "uri": token_list}}),
        );
    }
    let person = DisclosedPerson::from(statement.person.clone());
    let mut frame = Frame::new();
    let mut missing = 0;
    for ((name, _), value) in PERSON.into_iter().zip(attribute::of_person(&person)) {
        match value.as_deref() {
            // A date of birth that is not known is no claim.
            None | Some("") => missing += 1,
            Some(value) => {
                payload.insert(name.into(), value.into());
                frame = frame.disclosable(&ClaimPath::of([name]));
            }
        }
    }
    payload.insert(CLAIMS.into(), statement.claims.clone().into());
    let known = category.schema()["properties"].as_object().map_or(0, Map::len);
    let claims = ClaimPath::of([CLAIMS]);
    frame = frame
        .decoys(None, missing)
        .disclosable_beneath(&claims)
        .decoys(Some(&claims), known.saturating_sub(statement.claims.len()));
    (payload, frame)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => unreachable!("called with object literals"),
    }
}
