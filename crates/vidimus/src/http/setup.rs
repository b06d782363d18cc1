//! The first start.

use super::{error::Failure, extract::Json};
use crate::app::{App, participants, requests};
use axum::{extract::State, http::StatusCode};
use std::sync::Arc;

/// Make the authority, once
///
/// Takes the token of the one-time setup link. The answer holds the authority's first API key, which is shown this once.
#[utoipa::path(
    post, path = "/v1/setup", tag = "setup", request_body = requests::Setup,
    responses((status = 201, description = "The authority was made", body = requests::ParticipantChange))
)]
pub(super) async fn set_up(
    State(app): State<Arc<App>>,
    Json(setup): Json<requests::Setup>,
) -> Result<(StatusCode, Json<requests::ParticipantChange>), Failure> {
    let change = participants::create_authority(&app, setup).await?;
    Ok((StatusCode::CREATED, Json(change)))
}
