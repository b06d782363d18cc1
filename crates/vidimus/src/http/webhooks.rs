//! Where participants want to be told.

use super::{
    auth::Caller,
    error::Failure,
    extract::{Idempotency, Json, Path},
};
use crate::app::{
    App,
    once::{Asked, as_noted, once},
    webhooks::{self, NewWebhook, SecretRotation, WebhookDetails, WebhookTest, WebhookView},
};
use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use vidimus_core::id::WebhookId;

/// The webhooks of a participant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookList {
    /// Oldest first.
    pub items: Vec<WebhookView>,
}

/// Make a webhook
///
/// What happens is sent there as Standard Webhooks 1.0 has it, signed with the secret that this answer shows once. Bodies have ids and times:
/// `{"type": "credential.issued", "timestamp": "…", "data": {"object": "…", "event": "…"}}`.
#[utoipa::path(
    post, path = "/v1/webhooks", tag = "events", request_body = NewWebhook,
    params(("Idempotency-Key" = Option<String>, Header, description = "Random, the same for each try of one request")),
    responses((status = 201, description = "Made", body = WebhookView))
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    idempotency: Idempotency,
    Json(new): Json<NewWebhook>,
) -> Result<(StatusCode, Json<WebhookView>), Failure> {
    let request = new.clone();
    let asked = Asked {
        key: idempotency.key(),
        operation: "create-webhook",
        request: &request,
    };
    let work = |once| webhooks::create(&app, &caller, new, once);
    let made = once(&app, &caller, asked, work, as_noted).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// List the participant's webhooks
#[utoipa::path(get, path = "/v1/webhooks", tag = "events", responses((status = 200, body = WebhookList)))]
pub(super) async fn list(State(app): State<Arc<App>>, Caller(caller): Caller) -> Result<Json<WebhookList>, Failure> {
    Ok(Json(WebhookList {
        items: webhooks::list(&app, &caller).await?,
    }))
}

/// Read a webhook
///
/// With its newest deliveries: what waits, what arrived, what was given up.
#[utoipa::path(
    get, path = "/v1/webhooks/{webhook}", tag = "events",
    params(("webhook" = String, Path, description = "Id of the webhook")),
    responses((status = 200, body = WebhookDetails))
)]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<WebhookId>,
) -> Result<Json<WebhookDetails>, Failure> {
    Ok(Json(webhooks::get(&app, &caller, id).await?))
}

/// Remove a webhook
///
/// What was still to be sent there is not sent.
#[utoipa::path(
    delete, path = "/v1/webhooks/{webhook}", tag = "events",
    params(("webhook" = String, Path, description = "Id of the webhook")),
    responses((status = 204, description = "Removed"))
)]
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<WebhookId>,
) -> Result<StatusCode, Failure> {
    webhooks::remove(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a webhook another secret
///
/// The answer shows it once. For the overlap `webhook-signature` has two signatures, with the new secret and with the one before; a receiver that
/// knows either finds its own. Within the overlap another rotation is refused (409 `secret-rotating`), unless its overlap is 0: then all secrets before it
/// end at once.
#[utoipa::path(
    post, path = "/v1/webhooks/{webhook}/secret", tag = "events", request_body = SecretRotation,
    params(
        ("webhook" = String, Path, description = "Id of the webhook"),
        ("Idempotency-Key" = Option<String>, Header, description = "Random, the same for each try of one request"),
    ),
    responses((status = 200, body = WebhookView))
)]
pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<WebhookId>,
    idempotency: Idempotency,
    rotation: Option<Json<SecretRotation>>,
) -> Result<Json<WebhookView>, Failure> {
    let rotation = rotation.map(|Json(rotation)| rotation).unwrap_or_default();
    let request = (id.to_string(), rotation.clone());
    let asked = Asked {
        key: idempotency.key(),
        operation: "rotate-webhook",
        request: &request,
    };
    let work = |once| webhooks::rotate(&app, &caller, id, rotation, once);
    Ok(Json(once(&app, &caller, asked, work, as_noted).await?))
}

/// Test a webhook
///
/// Sends a body of the type `test` now and says what came of it. One that arrives makes a disabled webhook active again.
#[utoipa::path(
    post, path = "/v1/webhooks/{webhook}/test", tag = "events",
    params(("webhook" = String, Path, description = "Id of the webhook")),
    responses((status = 200, body = WebhookTest))
)]
pub(super) async fn test(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<WebhookId>,
) -> Result<Json<WebhookTest>, Failure> {
    Ok(Json(webhooks::test(&app, &caller, id).await?))
}
