//! Checks, and the requests that presentations answer.

use super::{
    auth::Caller,
    error::Failure,
    extract::{Idempotency, Json},
};
use crate::app::{
    App, checks,
    once::{Asked, as_noted, once},
    requests::{CheckAnswer, CheckRequest, NewPresentationRequest, PresentationRequestView},
};
use axum::{extract::State, http::StatusCode};
use std::sync::Arc;

/// Check a certificate or a presentation
///
/// Every test has its own reason. Attributes are those the verifier is admitted for, and only where the signature holds.
#[utoipa::path(
    post, path = "/v1/checks", tag = "checks", request_body = CheckRequest,
    responses((status = 200, body = CheckAnswer))
)]
pub(super) async fn check(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Json(request): Json<CheckRequest>,
) -> Result<Json<CheckAnswer>, Failure> {
    Ok(Json(checks::check(&app, &caller, request).await?))
}

/// Ask a holder to show something
///
/// The answer's nonce and audience go into the presentation; it is used once, within five minutes.
#[utoipa::path(
    post, path = "/v1/presentation-requests", tag = "checks", request_body = NewPresentationRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Random, the same for each try of one request")),
    responses((status = 201, body = PresentationRequestView))
)]
pub(super) async fn request_presentation(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    idempotency: Idempotency,
    Json(new): Json<NewPresentationRequest>,
) -> Result<(StatusCode, Json<PresentationRequestView>), Failure> {
    let request = new.clone();
    let asked = Asked {
        key: idempotency.key(),
        operation: "request-presentation",
        request: &request,
    };
    let work = |once| checks::request_presentation(&app, &caller, new, once);
    let made = once(&app, &caller, asked, work, as_noted).await?;
    Ok((StatusCode::CREATED, Json(made)))
}
