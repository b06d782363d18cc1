//! The only place that knows status codes: refusals and failures as RFC 9457 problem documents.
//!
//! A handler answers with a [`Failure`]; the outermost layer ([`super::edge`]) turns it, and every other answer that says "error" without
//! saying which, into a document with the request's id. What is not mapped is an opaque 500.

use crate::app::error::{Error, Place, Problem};
use axum::{
    body::Body,
    extract::rejection::BytesRejection,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;
use vidimus_core::id::RequestId;

/// On an answer that is written as a protocol says, and not as a problem document: the name for the log.
#[derive(Debug, Clone, Copy)]
pub struct Told(pub &'static str);

/// A refusal or failure, ready to be answered.
#[derive(Debug, Clone)]
pub struct Failure {
    status: StatusCode,
    name: &'static str,
    detail: Cow<'static, str>,
    next: &'static str,
    places: Vec<Place>,
    retry_after: Option<u64>,
}

/// An RFC 9457 problem document (`application/problem+json`).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// Stable name of the kind of problem, `urn:vidimus:error:…`; `docs/errors.md` lists them.
    #[schema(example = "urn:vidimus:error:not-found")]
    pub r#type: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The cause. Never repeats a personal value.
    pub detail: String,
    /// What to do next.
    pub next: String,
    /// This occurrence, `urn:uuid:` and the request's id; quote it when asking the operator.
    pub instance: String,
    /// The places in the request that do not fit, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemPlace>,
}

/// One place in a request that does not fit.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemPlace {
    /// JSON pointer or FHIR path.
    pub pointer: String,
    /// Stable name of what is wrong there.
    pub code: String,
    /// What is wrong there, without the value.
    pub detail: String,
}

macro_rules! failures {
    ($($(#[$doc:meta])* $function:ident = $status:ident, $name:literal, $detail:literal, $next:literal;)*) => {
        impl Failure {
            $($(#[$doc])* pub fn $function() -> Self {
                Self::new(StatusCode::$status, $name, $detail, $next)
            })*
        }

        /// The problems that HTTP itself gives: name, status, cause and next step. The application's own are beside them in `docs/errors.md`.
        pub const CATALOGUE: &[(&str, StatusCode, &str, &str)] =
            &[$(($name, StatusCode::$status, $detail, $next)),*];
    };
}

failures! {
    /// Not there, or not the caller's.
    not_found = NOT_FOUND, "not-found", "there is no such thing here", "check the address and the id";
    /// The path is served, but not with this method.
    method = METHOD_NOT_ALLOWED, "method-not-allowed", "this address does not take this method",
        "see /openapi.json for what it takes";
    /// No API key.
    no_key = UNAUTHORIZED, "no-api-key", "this needs an API key",
        "send it as `Authorization: Bearer vk_…`; a participant's administrator makes one";
    /// A key that is not known, wrong, expired or revoked: which of these is not told.
    bad_key = UNAUTHORIZED, "api-key-not-accepted", "the API key is not known, or expired or revoked",
        "ask a participant's administrator for a new one";
    /// The role may not do this.
    role = FORBIDDEN, "role-not-allowed", "this is not for participants of this role",
        "use an API key of a participant that may do this";
    /// The key may not do this.
    permission = FORBIDDEN, "permission-missing", "the API key does not have the permission for this",
        "make an API key with the permission, or use another";
    /// The participant is suspended or revoked.
    participant = FORBIDDEN, "participant-not-active", "the participant is suspended, revoked or not yet admitted",
        "ask the authority";
    /// The body is not what the content type says it is, or not one that is read here.
    content_type = UNSUPPORTED_MEDIA_TYPE, "content-type", "the body must be application/json",
        "set the header Content-Type: application/json";
    /// The body is too large.
    too_large = PAYLOAD_TOO_LARGE, "too-large", "the request body is larger than this operation takes",
        "send less, or ask the operator for a higher limit";
    /// Bytes that are not a request, or a body that broke off.
    bad_request = BAD_REQUEST, "bad-request", "the request cannot be read", "mend the request";
    /// The body is nested too deeply.
    too_deep = BAD_REQUEST, "too-deep", "the JSON is nested deeper than 64 levels", "send flatter JSON";
    /// The idempotency key is not one.
    bad_idempotency_key = BAD_REQUEST, "idempotency-key", "the Idempotency-Key header is not 1 to 255 visible ASCII characters",
        "send a random key of your own, the same for each try of one request";
    /// The request took too long.
    timeout = REQUEST_TIMEOUT, "timeout", "the request was not finished in time",
        "try again; with the same Idempotency-Key nothing is done twice";
    /// The caller asks too often.
    rate = TOO_MANY_REQUESTS, "rate-limit", "too many requests", "wait as long as Retry-After says";
    /// The server is busy.
    busy = SERVICE_UNAVAILABLE, "busy", "too many requests are under way", "wait as long as Retry-After says and try again";
    /// The server is stopping or cannot store.
    unavailable = SERVICE_UNAVAILABLE, "unavailable", "a part that this needs is not available now; nothing was lost",
        "wait as long as Retry-After says and try again with the same Idempotency-Key";
    /// The instance cannot do its work.
    not_ready = SERVICE_UNAVAILABLE, "not-ready", "this instance cannot do its work now", "see `errors` for the parts that fail";
    /// The ledger does not answer.
    ledger = SERVICE_UNAVAILABLE, "ledger-unavailable", "the ledger does not answer now; nothing was lost",
        "wait as long as Retry-After says and try again";
    /// Something of ours went wrong.
    internal = INTERNAL_SERVER_ERROR, "internal", "something went wrong on this side",
        "tell the operator the id in `instance`: the log has the cause under it";
}

impl Failure {
    fn new(status: StatusCode, name: &'static str, detail: impl Into<Cow<'static, str>>, next: &'static str) -> Self {
        let retry_after = match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Some(1),
            _ => None,
        };
        Self {
            status,
            name,
            detail: detail.into(),
            next,
            places: Vec::new(),
            retry_after,
        }
    }

    fn of(status: StatusCode, problem: Problem) -> Self {
        let mut failure = Self::new(status, problem.name, problem.detail, problem.next);
        failure.places = problem.places;
        match problem.retry_after {
            Some(seconds) => failure.retry_after(seconds),
            None => failure,
        }
    }

    /// Another detail for the same problem.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The parts that are concerned.
    #[must_use]
    pub fn places(mut self, places: Vec<Place>) -> Self {
        self.places = places;
        self
    }

    /// How long to wait before another try.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// The JSON body is syntactically or structurally wrong.
    pub fn json(detail: String) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "json",
            detail,
            "mend the request body; see /openapi.json for its shape",
        )
    }

    /// The query string is wrong.
    pub fn query(detail: String) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "query",
            detail,
            "mend the query; see /openapi.json for its parameters",
        )
    }

    /// For an answer that is an error by its status only, such as the router's own 404.
    pub fn for_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::METHOD_NOT_ALLOWED => Self::method(),
            StatusCode::UNAUTHORIZED => Self::bad_key(),
            StatusCode::FORBIDDEN => Self::role(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::content_type(),
            StatusCode::REQUEST_TIMEOUT => Self::timeout(),
            StatusCode::TOO_MANY_REQUESTS => Self::rate(),
            StatusCode::SERVICE_UNAVAILABLE => Self::unavailable(),
            status if status.is_client_error() => Self::bad_request(),
            _ => Self::internal(),
        }
    }

    /// The stable name, as logs have it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The document, with the headers of `before` that still hold.
    pub fn render(self, request: RequestId, before: &HeaderMap) -> Response {
        let document = ProblemDocument {
            r#type: format!("urn:vidimus:error:{}", self.name),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.into_owned(),
            next: self.next.to_owned(),
            instance: format!("urn:uuid:{request}"),
            errors: self
                .places
                .into_iter()
                .map(|place| ProblemPlace {
                    pointer: place.pointer,
                    code: place.code,
                    detail: place.message,
                })
                .collect(),
        };
        let body = serde_json::to_vec(&document).expect("strings and numbers are always JSON");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"vidimus\""),
            );
        }
        if let Some(allow) = before.get(header::ALLOW) {
            headers.insert(header::ALLOW, allow.clone());
        }
        response
    }
}

/// A body that could not be read whole.
impl From<BytesRejection> for Failure {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(),
            _ => Self::bad_request().detail("the request body broke off"),
        }
    }
}

/// What an application function refuses or fails with. The cause of what is not the caller's to mend is logged here, once; the answer does not
/// have it.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(problem) => Self::of(StatusCode::UNPROCESSABLE_ENTITY, problem),
            Error::Forbidden(problem) => Self::of(StatusCode::FORBIDDEN, problem),
            Error::Conflict(problem) => Self::of(StatusCode::CONFLICT, problem),
            Error::NotReady(problem) => Self::of(StatusCode::SERVICE_UNAVAILABLE, problem),
            Error::NotFound(_) => Self::not_found(),
            error => Self::ours(&error),
        }
    }
}

impl Failure {
    fn ours(error: &Error) -> Self {
        let failure = match error {
            Error::Ledger(inner) if inner.blame() == vidimus_ledger::Blame::Retry => Self::ledger(),
            Error::Store(inner) if inner.is_retryable() => Self::unavailable(),
            Error::Store(inner) if inner.is_fatal() => Self::unavailable(),
            Error::Blobs(_) => Self::unavailable(),
            _ => Self::internal(),
        };
        let cause = crate::causes::with_causes(error);
        if failure.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(cause, "a request failed by a fault of ours");
        } else {
            tracing::warn!(cause, "a part that a request needs is not available");
        }
        failure
    }
}

/// Carries the failure to the outermost layer, which renders it.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
