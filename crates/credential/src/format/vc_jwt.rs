//! W3C Verifiable Credentials as JWT: Data Model 1.1 with the `vc` claim (§6.3.1), and 2.0 as `vc+jwt` (VC-JOSE-COSE §3.1.1).
//!
//! The shape, in both versions:
//! ```json
//! { "type": ["VerifiableCredential", "VidimusCertificate"],
//!   "issuer": { "id": "did:ethr:…", "country": "AT" },
//!   "credentialSubject": { "id": "did:ethr:…", "category": "sars-cov-2-naat",
//!     "person": { "familyName": "…", "givenName": "…", "familyNameTransliterated": "…", "givenNameTransliterated": "…", "birthDate": "…" },
//!     "claims": { } },
//!   "credentialStatus": [ { "type": "BitstringStatusListEntry", "statusPurpose": "revocation", … }, … ] }
//! ```
//! One `type` for every certificate and the category as data in it, so that adding a category changes no vocabulary: `claims` is what the
//! category's schema says (`@json` in the JSON-LD context, which is named and never fetched). The Token Status List reference is the JWT's own
//! claim `status` (draft-ietf-oauth-status-list §6.2); both status mechanisms refer to the same index. `issuer.country` is left out when it is
//! not known.
//!
//! What is said twice must agree: `iss`, `sub`, `jti`, `nbf`, `exp` against `issuer`, `credentialSubject.id`, `id`, `issuanceDate`/`validFrom`,
//! `expirationDate`/`validUntil`. What is not understood inside `credentialSubject` or `credentialStatus` is refused; other members are not
//! read.

mod read;

pub use read::parse;

use super::FormatError;
use crate::{Person, Statement, StatusReference, jws};
use serde_json::{Map, Number, Value, json};
use vidimus_core::{Algorithm, Timestamp};

/// Which data model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// VC Data Model 1.1, JWT claims beside a `vc` claim (§6.3.1).
    V1_1,
    /// VC Data Model 2.0 secured with JOSE (VC-JOSE-COSE §3.1.1): the payload is the credential.
    V2_0,
}

impl Version {
    /// The base context that the data model requires first.
    pub const fn base_context(self) -> &'static str {
        match self {
            Self::V1_1 => "https://www.w3.org/2018/credentials/v1",
            Self::V2_0 => "https://www.w3.org/ns/credentials/v2",
        }
    }
}

/// The `typ` of a 2.0 credential (VC-JOSE-COSE §3.1.1); its `cty` is [`CONTENT_TYPE_2_0`].
pub const TYPE_2_0: &str = "vc+jwt";
/// The `cty` of a 2.0 credential.
pub const CONTENT_TYPE_2_0: &str = "vc";
/// The `typ` of a 1.1 credential.
pub const TYPE_1_1: &str = "JWT";
/// What [`context_url`] ends in.
pub const CONTEXT_PATH: &str = "/contexts/certificate/v1";

/// The terms of `credentialStatus` for data model 1.1, which has none itself (Bitstring Status List 1.0 §2).
const STATUS_CONTEXT: &str = "https://www.w3.org/ns/credentials/status/v1";
/// The years 0 to 9999: what RFC 3339 can write.
const WRITABLE: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;
const CREDENTIAL: &str = "VerifiableCredential";
const CERTIFICATE: &str = "VidimusCertificate";
const STATUS_ENTRY: &str = "BitstringStatusListEntry";

/// The URL of our JSON-LD context for a deployment. Nothing here ever fetches it.
pub fn context_url(public_url: &str) -> String {
    format!("{}{CONTEXT_PATH}", public_url.trim_end_matches('/'))
}

/// The JSON-LD context document that a deployment serves at [`context_url`].
pub fn context_document(public_url: &str) -> Value {
    let url = context_url(public_url);
    let term = |name: &str| format!("{url}#{name}");
    json!({ "@context": {
        "@version": 1.1,
        "@protected": true,
        CERTIFICATE: term(CERTIFICATE),
        "category": term("category"),
        "country": term("country"),
        "claims": { "@id": term("claims"), "@type": "@json" },
        "person": { "@id": term("person"), "@context": {
            "familyName": term("familyName"),
            "givenName": term("givenName"),
            "familyNameTransliterated": term("familyNameTransliterated"),
            "givenNameTransliterated": term("givenNameTransliterated"),
            "birthDate": term("birthDate"),
        } },
    } })
}

/// Prepares a VC to be signed with `algorithm` by the key whose DID URL is `kid`. `context` is [`context_url`] of the deployment.
pub fn prepare(
    statement: &Statement,
    version: Version,
    context: &str,
    algorithm: Algorithm,
    kid: &str,
) -> Result<jws::Unsigned, FormatError> {
    if algorithm == Algorithm::Ps256 {
        return Err(FormatError::Algorithm);
    }
    writable_times(statement)?;
    let mut header = object(json!({ "alg": algorithm.name() }));
    let payload = match version {
        Version::V1_1 => {
            header.insert("typ".into(), TYPE_1_1.into());
            claims_1_1(statement, context)
        }
        Version::V2_0 => {
            header.insert("typ".into(), TYPE_2_0.into());
            header.insert("cty".into(), CONTENT_TYPE_2_0.into());
            credential_2_0(statement, context)
        }
    };
    header.insert("kid".into(), kid.into());
    let payload = serde_json::to_vec(&payload).expect("a map of JSON values with text keys always writes");
    Ok(jws::Unsigned::new(&header, &payload))
}

/// Whether its times can be written in every format.
pub(super) fn writable_times(statement: &Statement) -> Result<(), FormatError> {
    for (name, time) in [
        ("iat", statement.issued_at),
        ("nbf", statement.valid_from),
        ("exp", statement.valid_until),
    ] {
        if !WRITABLE.contains(&time.0) {
            return Err(FormatError::Claim(name));
        }
    }
    Ok(())
}

fn claims_1_1(statement: &Statement, context: &str) -> Map<String, Value> {
    let mut contexts = vec![Version::V1_1.base_context(), context];
    let mut credential = Map::new();
    let entries = status_entries(statement.status.as_ref());
    if !entries.is_empty() {
        contexts.push(STATUS_CONTEXT);
    }
    credential.insert("@context".into(), json!(contexts));
    credential.insert("type".into(), json!([CREDENTIAL, CERTIFICATE]));
    credential.insert("issuer".into(), issuer(statement));
    credential.insert("credentialSubject".into(), subject(statement));
    if !entries.is_empty() {
        credential.insert("credentialStatus".into(), Value::Array(entries));
    }
    let mut claims = object(json!({ "iss": statement.issuer }));
    if let Some(holder) = &statement.holder {
        claims.insert("sub".into(), holder.as_str().into());
    }
    claims.insert("jti".into(), urn(statement).into());
    claims.insert("iat".into(), statement.issued_at.0.into());
    claims.insert("nbf".into(), statement.valid_from.0.into());
    claims.insert("exp".into(), statement.valid_until.0.into());
    claims.insert("vc".into(), credential.into());
    insert_status(&mut claims, statement.status.as_ref());
    claims
}

fn credential_2_0(statement: &Statement, context: &str) -> Map<String, Value> {
    let mut credential = object(json!({
        "@context": [Version::V2_0.base_context(), context],
        "id": urn(statement),
        "type": [CREDENTIAL, CERTIFICATE],
        "issuer": issuer(statement),
        "validFrom": statement.valid_from.to_rfc3339(),
        "validUntil": statement.valid_until.to_rfc3339(),
        "credentialSubject": subject(statement),
    }));
    let entries = status_entries(statement.status.as_ref());
    if !entries.is_empty() {
        credential.insert("credentialStatus".into(), Value::Array(entries));
    }
    // Claims of the JWT, not of the credential: who signed and when (VC-JOSE-COSE §3.1.3).
    credential.insert("iss".into(), statement.issuer.as_str().into());
    credential.insert("iat".into(), statement.issued_at.0.into());
    insert_status(&mut credential, statement.status.as_ref());
    credential
}

fn urn(statement: &Statement) -> String {
    format!("urn:uuid:{}", statement.id)
}

fn issuer(statement: &Statement) -> Value {
    if statement.issuer_country.is_empty() {
        json!({ "id": statement.issuer })
    } else {
        json!({ "id": statement.issuer, "country": statement.issuer_country })
    }
}

fn subject(statement: &Statement) -> Value {
    let Person {
        family_name,
        given_name,
        family_name_transliterated,
        given_name_transliterated,
        birth_date,
    } = &statement.person;
    let mut subject = Map::new();
    if let Some(holder) = &statement.holder {
        subject.insert("id".into(), holder.as_str().into());
    }
    subject.insert("category".into(), statement.category.as_str().into());
    subject.insert(
        "person".into(),
        json!({
            "familyName": family_name,
            "givenName": given_name,
            "familyNameTransliterated": family_name_transliterated,
            "givenNameTransliterated": given_name_transliterated,
            "birthDate": birth_date,
        }),
    );
    subject.insert("claims".into(), statement.claims.clone().into());
    subject.into()
}

fn status_entries(status: Option<&StatusReference>) -> Vec<Value> {
    let Some(status) = status else { return Vec::new() };
    [
        ("revocation", &status.bitstring_list),
        ("suspension", &status.suspension_list),
    ]
    .into_iter()
    .filter_map(|(purpose, list)| {
        let list = list.as_deref()?;
        Some(json!({
            "id": format!("{list}#{}", status.index),
            "type": STATUS_ENTRY,
            "statusPurpose": purpose,
            "statusListIndex": status.index.to_string(),
            "statusListCredential": list,
        }))
    })
    .collect()
}

fn insert_status(claims: &mut Map<String, Value>, status: Option<&StatusReference>) {
    if let Some(status) = status {
        let reference = json!({ "status_list": { "idx": status.index, "uri": status.token_list } });
        claims.insert("status".into(), reference);
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// A NumericDate (RFC 7519 §2): whole seconds, or a fraction that is cut off.
pub(crate) fn numeric_date(value: &Value) -> Option<Timestamp> {
    value.as_number().and_then(whole_seconds)
}

fn whole_seconds(number: &Number) -> Option<Timestamp> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let fraction = || {
        number
            .as_f64()
            .filter(|seconds| seconds.abs() < EXACT)
            .map(|seconds| seconds.floor() as i64)
    };
    number.as_i64().or_else(fraction).map(Timestamp)
}
