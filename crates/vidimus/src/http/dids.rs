//! Holders' DIDs.

use super::{error::Failure, extract::Json};
use crate::app::{
    App,
    dids::{self, RelayedDidChange, SignedDidChange},
};
use axum::{extract::State, http::StatusCode};
use std::sync::Arc;

/// Relay a signed change to a DID
///
/// The identity's owner signs, the deployment pays (ERC-1056, the signed variants). A few a day for each identity.
#[utoipa::path(
    post, path = "/v1/dids/changes", tag = "identities", request_body = SignedDidChange,
    responses((status = 202, body = RelayedDidChange))
)]
pub(super) async fn relay(
    State(app): State<Arc<App>>,
    Json(change): Json<SignedDidChange>,
) -> Result<(StatusCode, Json<RelayedDidChange>), Failure> {
    Ok((StatusCode::ACCEPTED, Json(dids::relay(&app, change).await?)))
}
