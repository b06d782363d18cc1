//! JWT VC Issuer Metadata (§5): where an issuer's keys are found by its `iss`.

use crate::json::{self, JsonError};
use serde_json::{Value, json};
use vidimus_core::PublicKey;

/// What stands between host and path of an `iss` (§5).
pub const WELL_KNOWN: &str = "/.well-known/jwt-vc-issuer";
/// The longest document that is read, and the longest key set.
pub const MAX_DOCUMENT: usize = 256 << 10;
/// The most keys of a set.
const MAX_KEYS: usize = 64;

/// A key of an issuer, and the `kid` that it goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its `kid`, where it has one.
    pub id: Option<String>,
    /// The key.
    pub key: PublicKey,
}

/// Why an issuer's metadata are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// An `iss` that is no HTTPS URL of a host and a path alone.
    #[error("the issuer is not an HTTPS URL without query and fragment")]
    Url,
    /// It does not read.
    #[error("the issuer's metadata are not readable JSON")]
    Json(#[source] JsonError),
    /// It is another issuer's (§5.3).
    #[error("the metadata are another issuer's")]
    Issuer,
    /// A member is missing, has the wrong form, or stands beside one that it excludes.
    #[error("the member {0} of the issuer's metadata is missing or has the wrong form")]
    Member(&'static str),
    /// None of its keys can be used here.
    #[error("the issuer has no key that can be used here")]
    NoKey,
}

/// The URL of the metadata of `issuer` (§5): [`WELL_KNOWN`] goes between host and path.
pub fn url(issuer: &str) -> Result<String, IssuerError> {
    let rest = issuer.strip_prefix("https://").ok_or(IssuerError::Url)?;
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let strange = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '\\' | '@');
    if host.is_empty() || issuer.contains(strange) {
        return Err(IssuerError::Url);
    }
    Ok(format!(
        "https://{host}{WELL_KNOWN}{}",
        path.strip_suffix('/').unwrap_or(path)
    ))
}

/// The document of an issuer. Keys without a JWK form are left out.
pub fn document(issuer: &str, keys: &[Key]) -> Vec<u8> {
    let keys: Vec<Value> = keys
        .iter()
        .filter_map(|key| {
            let mut jwk = key.key.to_jwk()?;
            if let Some(id) = &key.id {
                jwk["kid"] = id.as_str().into();
            }
            jwk["use"] = "sig".into();
            Some(jwk)
        })
        .collect();
    let document = json!({"issuer": issuer, "jwks": {"keys": keys}});
    serde_json::to_vec(&document).expect("JSON values always write")
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// In the metadata.
    Here(Vec<Key>),
    /// At this URL, as a JWK set for [`read_keys`].
    At(String),
}

/// Reads the metadata that were found at [`url`] of `issuer`.
pub fn read(document: &[u8], issuer: &str) -> Result<Keys, IssuerError> {
    let members = json::parse_object(document, MAX_DOCUMENT).map_err(IssuerError::Json)?;
    match members.get("issuer") {
        Some(Value::String(named)) if named == issuer => {}
        Some(Value::String(_)) => return Err(IssuerError::Issuer),
        _ => return Err(IssuerError::Member("issuer")),
    }
    match (members.get("jwks"), members.get("jwks_uri")) {
        (Some(set), None) => keys(set).map(Keys::Here),
        (None, Some(Value::String(uri))) => Ok(Keys::At(uri.clone())),
        (None, Some(_)) => Err(IssuerError::Member("jwks_uri")),
        _ => Err(IssuerError::Member("jwks")),
    }
}

/// Reads a JWK set (RFC 7517 §5). Keys of other kinds, and those for encryption, are passed over.
pub fn read_keys(document: &[u8]) -> Result<Vec<Key>, IssuerError> {
    let set = json::parse_object(document, MAX_DOCUMENT).map_err(IssuerError::Json)?;
    keys(&Value::Object(set))
}

pub(crate) fn keys(set: &Value) -> Result<Vec<Key>, IssuerError> {
    let all = set["keys"].as_array().ok_or(IssuerError::Member("jwks"))?;
    if all.len() > MAX_KEYS {
        return Err(IssuerError::Member("jwks"));
    }
    let one = |jwk: &Value| {
        let other_use = jwk["use"].as_str().is_some_and(|usage| usage != "sig");
        // A private key there is everybody's.
        if other_use || jwk.get("d").is_some() {
            return None;
        }
        let key = PublicKey::from_jwk(jwk)?;
        let id = jwk["kid"].as_str().map(str::to_owned);
        Some(Key { id, key })
    };
    let keys: Vec<Key> = all.iter().filter_map(one).collect();
    if keys.is_empty() {
        Err(IssuerError::NoKey)
    } else {
        Ok(keys)
    }
}
