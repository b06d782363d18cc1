//! Reading of JSON documents into their types, bounded and without duplicate members.

use super::strict;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use vidimus_credential::{json, json::JsonError, jws};

/// The longest document that is read, in bytes, unless its reader says otherwise.
pub(crate) const MAX_DOCUMENT: usize = 256 << 10;
/// The longest identifier, code, nonce or other short text that is read.
pub(crate) const MAX_TEXT: usize = 4096;

/// Why a document is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not one JSON object of the size that is read.
    #[error("not readable JSON")]
    Json(#[source] JsonError),
    /// A member is missing, has the wrong type or a value that it must not have.
    #[error("the {0} has not the form that it must have")]
    Form(&'static str),
    /// The same, where the document is public and the cause may be told.
    #[error("the {document} has not the form that it must have: {cause}")]
    Cause {
        /// Which document.
        document: &'static str,
        /// What is wrong with it.
        cause: String,
    },
}

/// Reads a document whose content is nobody else's business: the error does not say more than that it has the wrong form.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], document: &'static str) -> Result<T, WireError> {
    let members = json::parse_object(bytes, MAX_DOCUMENT).map_err(WireError::Json)?;
    strict::from_value(Value::Object(members)).map_err(|_| WireError::Form(document))
}

/// Reads a document that is published.
pub(crate) fn read_public<T: DeserializeOwned>(
    bytes: &[u8],
    max_bytes: usize,
    document: &'static str,
) -> Result<T, WireError> {
    let members = json::parse_object(bytes, max_bytes).map_err(WireError::Json)?;
    from_public(members, document)
}

/// The same of members that were read before.
pub(crate) fn from_public<T: DeserializeOwned>(
    members: Map<String, Value>,
    document: &'static str,
) -> Result<T, WireError> {
    strict::from_value(Value::Object(members)).map_err(|error| WireError::Cause {
        document,
        cause: error.to_string(),
    })
}

/// The members of a JSON object that is written here.
pub(crate) fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => unreachable!("written as an object"),
    }
}

/// A text claim of at most [`MAX_TEXT`]. `None` where it is absent, `Err` where it is something else.
pub(crate) fn text(claims: &Map<String, Value>, name: &'static str) -> Result<Option<String>, &'static str> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && text.len() <= MAX_TEXT => Ok(Some(text.clone())),
        Some(_) => Err(name),
    }
}

/// A NumericDate (RFC 7519 §2); fractions of a second are cut off.
pub(crate) fn time(
    claims: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<vidimus_core::Timestamp>, &'static str> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value
        .as_i64()
        .or_else(|| value.as_f64().filter(|f| f.abs() < 1e15).map(|f| f.floor() as i64));
    whole.map(|seconds| Some(vidimus_core::Timestamp(seconds))).ok_or(name)
}

/// Whether `aud` (RFC 7519 §4.1.3) is exactly `audience`: the text, or a list of this one.
pub(crate) fn is_audience(claims: &Map<String, Value>, audience: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(list)) => matches!(list.as_slice(), [Value::String(one)] if one == audience),
        _ => false,
    }
}

/// Makes a token: the header and payload given, signed with `algorithm` by `signer`.
pub(crate) fn sign(
    signer: &dyn vidimus_core::Signer,
    algorithm: vidimus_core::Algorithm,
    header: Value,
    payload: &Value,
) -> Result<String, vidimus_core::SignError> {
    let unsigned = jws::Unsigned::new(&members(header), payload.to_string().as_bytes());
    let signature = signer.sign(algorithm, unsigned.message())?;
    Ok(unsigned.finish(&signature))
}
