//! What handlers extract: JSON that is checked before it is read, ids that answer like missing objects when they are none, idempotency keys.

use super::error::Failure;
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request},
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::IntoParams;

/// Deepest nesting of arrays and objects that is read.
const MAX_DEPTH: usize = 64;

/// A JSON body, and a JSON answer.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        if !is_json(request.headers()) {
            return Err(Failure::content_type());
        }
        parse(&body(request, state).await?).map(Self)
    }
}

/// No body at all reads as `None`, so that a body of options can be left out.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Failure> {
        let json = is_json(request.headers());
        let bytes = body(request, state).await?;
        match (bytes.is_empty(), json) {
            (true, _) => Ok(None),
            (false, true) => parse(&bytes).map(|value| Some(Self(value))),
            (false, false) => Err(Failure::content_type()),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure> {
    Bytes::from_request(request, state).await.map_err(Failure::from)
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(header::CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Parses JSON from outside; the refusal never repeats a value, which may be personal.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    if deeper_than(bytes, MAX_DEPTH) {
        return Err(Failure::too_deep());
    }
    serde_json::from_slice(bytes).map_err(|error| Failure::json(refusal(&error)))
}

/// Why a body does not read, and where, without a value of it.
pub(crate) fn refusal(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => format!("{} ({place})", without_value(&error.to_string())),
        _ => format!("the body is not JSON ({place})"),
    }
}

/// What serde says, as far as it names only what this API defines.
fn without_value(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let harmless = |start: &str| message.starts_with(start);
    if harmless("missing field `") || harmless("duplicate field `") {
        return message.to_owned();
    }
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    match expected {
        // `unknown field` and `unknown variant` repeat what was sent; what would fit is ours.
        Some(expected) if harmless("unknown field `") => format!("a member is not known here, expected {expected}"),
        Some(expected) if harmless("unknown variant `") => {
            format!("a value is not among those known, expected {expected}")
        }
        Some(expected) if harmless("invalid type: ") || harmless("invalid length ") || harmless("invalid value: ") => {
            format!("a value has the wrong type, expected {expected}")
        }
        _ => "a value does not have the form it needs".into(),
    }
}

/// Whether arrays and objects nest deeper than `limit`, without parsing: what serde would recurse into is counted before it does.
pub(crate) fn deeper_than(bytes: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_text = false,
            (true, _) => {}
            (false, b'"') => in_text = true,
            (false, b'[' | b'{') => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, _) => {}
        }
    }
    false
}

/// A parameter of the path. What does not parse answers like what is not there.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Failure::not_found()),
        }
    }
}

/// Parameters of the query.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(_) => Err(Failure::query(
                "the query has an unknown parameter, or a value of the wrong form".into(),
            )),
        }
    }
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// Rows in the page, 1 to 500; 50 without it.
    pub limit: Option<u32>,
}

/// The `Idempotency-Key` header: what was asked with it once is answered the same again, and done once.
#[derive(Debug, Clone)]
pub struct Idempotency(pub Option<String>);

impl Idempotency {
    /// The key, if the request has one.
    pub fn key(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Idempotency {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let mut keys = parts.headers.get_all("idempotency-key").iter();
        let Some(key) = keys.next() else { return Ok(Self(None)) };
        let fits = keys.next().is_none()
            && (1..=255).contains(&key.len())
            && key.as_bytes().iter().all(|byte| (b'!'..=b'~').contains(byte));
        match key.to_str() {
            Ok(key) if fits => Ok(Self(Some(key.to_owned()))),
            _ => Err(Failure::bad_idempotency_key()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only what does not read is of interest")]
    struct Body {
        name: String,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Passport,
    }

    #[test]
    fn a_refusal_never_repeats_what_was_sent() {
        for text in [
            r#"{"name": ["geheim"]}"#,
            r#"{"name": "x", "geheim": 1}"#,
            r#"{"name": "x", "kind": "geheim"}"#,
            r#"{"name": "x", "kind": "geheim, expected geheim"}"#,
            r#"{"name": {"geheim": "geheim"}}"#,
            r#"{"name": "geheim"#,
            r#"geheim"#,
            r#"["geheim"]"#,
            r#""geheim, expected x""#,
        ] {
            let failure = parse::<Body>(text.as_bytes()).unwrap_err();
            assert!(!format!("{failure:?}").contains("geheim"), "{text}: {failure:?}");
        }
        let failure = format!("{:?}", parse::<Body>(b"{}").unwrap_err());
        assert!(failure.contains("missing field `name`"), "{failure}");
        let failure = format!("{:?}", parse::<Body>(br#"{"nam": 1}"#).unwrap_err());
        assert!(failure.contains("`name`"), "{failure}");
    }

    #[test]
    fn depth_is_counted_outside_of_texts() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!deeper_than(nested(64).as_bytes(), 64));
        assert!(deeper_than(nested(65).as_bytes(), 64));
        assert!(!deeper_than(br#"["[[[[\"[[[["]"#, 1));
        assert!(deeper_than(br#"["\\",[]]"#, 1));
    }
}
