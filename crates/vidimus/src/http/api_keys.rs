//! API keys of machines.

use super::{
    auth::Caller,
    error::Failure,
    extract::{Idempotency, Json, Path},
};
use crate::app::{
    App, api_keys,
    once::{Asked, as_noted, once},
    requests::{ApiKeyView, NewApiKey},
};
use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use vidimus_core::id::{ApiKeyId, ParticipantId};

/// The API keys of a participant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyList {
    /// Newest first.
    pub items: Vec<ApiKeyView>,
}

/// Make another API key
///
/// It can have no permission that the calling key does not have. The secret is shown this once.
#[utoipa::path(
    post, path = "/v1/api-keys", tag = "API keys", request_body = NewApiKey,
    params(("Idempotency-Key" = Option<String>, Header, description = "Random, the same for each try of one request")),
    responses((status = 201, description = "Made", body = ApiKeyView))
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    idempotency: Idempotency,
    Json(new): Json<NewApiKey>,
) -> Result<(StatusCode, Json<ApiKeyView>), Failure> {
    let request = new.clone();
    let asked = Asked {
        key: idempotency.key(),
        operation: "create-api-key",
        request: &request,
    };
    let work = |once| api_keys::create(&app, &caller, new, once);
    let made = once(&app, &caller, asked, work, as_noted).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Make an API key for a participant
///
/// Its first one, or one to replace what was lost. The secret is shown this once.
#[utoipa::path(
    post, path = "/v1/participants/{participant}/api-keys", tag = "participants", request_body = NewApiKey,
    params(
        ("participant" = String, Path, description = "Id of the participant"),
        ("Idempotency-Key" = Option<String>, Header, description = "Random, the same for each try of one request")
    ),
    responses((status = 201, description = "Made", body = ApiKeyView))
)]
pub(super) async fn create_for(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(participant): Path<ParticipantId>,
    idempotency: Idempotency,
    Json(new): Json<NewApiKey>,
) -> Result<(StatusCode, Json<ApiKeyView>), Failure> {
    let request = (participant, new.clone());
    let asked = Asked {
        key: idempotency.key(),
        operation: "create-participant-api-key",
        request: &request,
    };
    let work = |once| api_keys::create_for(&app, &caller, participant, new, once);
    let made = once(&app, &caller, asked, work, as_noted).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// List the participant's API keys
#[utoipa::path(get, path = "/v1/api-keys", tag = "API keys", responses((status = 200, body = ApiKeyList)))]
pub(super) async fn list(State(app): State<Arc<App>>, Caller(caller): Caller) -> Result<Json<ApiKeyList>, Failure> {
    Ok(Json(ApiKeyList {
        items: api_keys::list(&app, &caller).await?,
    }))
}

/// Revoke an API key
///
/// From the next request on it is not accepted.
#[utoipa::path(
    delete, path = "/v1/api-keys/{api_key}", tag = "API keys",
    params(("api_key" = String, Path, description = "Id of the API key")),
    responses((status = 204, description = "Revoked"))
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<ApiKeyId>,
) -> Result<StatusCode, Failure> {
    api_keys::revoke(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
