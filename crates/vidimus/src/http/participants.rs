//! Who takes part: admitted, changed, suspended and revoked by the authority.

use super::{
    auth::Caller,
    error::Failure,
    extract::{Idempotency, Json, Path, Query},
};
use crate::app::{
    App, chain,
    once::once,
    participants,
    principal::Role,
    requests::{Admission, Grants, ParticipantChange, ParticipantView, SignedTransaction},
};
use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use vidimus_core::id::ParticipantId;

/// Participants.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ParticipantList {
    /// Oldest first.
    pub items: Vec<ParticipantView>,
}

/// Which participants.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ParticipantFilter {
    /// Only those of this role.
    role: Option<Role>,
}

/// Why a participant's standing changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StandingChange {
    /// A code such as `accreditation-lost`, which goes to the public registry: never text about a person.
    pub reason: String,
}

/// New keys for a participant.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyRotation {
    /// A card with the new public keys, where the participant keeps its keys itself; without it the server makes new ones.
    pub card: Option<String>,
}

/// A transaction that was taken to the ledger.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SentTransaction {
    /// Its hash.
    pub hash: String,
}

/// Admit an issuer or a verifier
///
/// Without a card, the participant's keys are made here and kept wrapped. The answer holds the participant's first API key, shown this once.
/// Where the authority keeps its own key, `prepared` holds the transactions that it must sign.
#[utoipa::path(
    post, path = "/v1/participants", tag = "participants", request_body = Admission,
    params(("Idempotency-Key" = Option<String>, Header, description = "Random, the same for each try of one request")),
    responses((status = 201, description = "Admitted, as soon as the ledger has it", body = ParticipantChange))
)]
pub(super) async fn admit(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    idempotency: Idempotency,
    Json(admission): Json<Admission>,
) -> Result<(StatusCode, Json<ParticipantChange>), Failure> {
    let request = admission.clone();
    let work = participants::admit(&app, &caller, admission);
    let change = once(&app, &caller, idempotency.key(), "admit", &request, work).await?;
    Ok((StatusCode::CREATED, Json(change)))
}

/// List the participants
#[utoipa::path(
    get, path = "/v1/participants", tag = "participants", params(ParticipantFilter),
    responses((status = 200, body = ParticipantList))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Query(filter): Query<ParticipantFilter>,
) -> Result<Json<ParticipantList>, Failure> {
    Ok(Json(ParticipantList {
        items: participants::list(&app, filter.role).await?,
    }))
}

/// Read a participant
#[utoipa::path(
    get, path = "/v1/participants/{participant}", tag = "participants",
    params(("participant" = String, Path, description = "Id of the participant")),
    responses((status = 200, body = ParticipantView))
)]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Path(id): Path<ParticipantId>,
) -> Result<Json<ParticipantView>, Failure> {
    Ok(Json(participants::get(&app, id).await?))
}

/// Read the own participant
#[utoipa::path(get, path = "/v1/profile", tag = "participants", responses((status = 200, body = ParticipantView)))]
pub(super) async fn profile(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
) -> Result<Json<ParticipantView>, Failure> {
    Ok(Json(participants::get(&app, caller.participant).await?))
}

/// Change what a participant is admitted for
#[utoipa::path(
    patch, path = "/v1/participants/{participant}", tag = "participants", request_body = Grants,
    params(("participant" = String, Path, description = "Id of the participant")),
    responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<ParticipantId>,
    Json(grants): Json<Grants>,
) -> Result<Json<ParticipantChange>, Failure> {
    Ok(Json(participants::change_grants(&app, &caller, id, grants).await?))
}

/// Suspend a participant
///
/// Until it is resumed, its certificates check as `issuer_suspended` and its API keys only read.
#[utoipa::path(
    post, path = "/v1/participants/{participant}/suspend", tag = "participants", request_body = StandingChange,
    params(("participant" = String, Path, description = "Id of the participant")),
    responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn suspend(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<ParticipantId>,
    Json(change): Json<StandingChange>,
) -> Result<Json<ParticipantChange>, Failure> {
    Ok(Json(participants::suspend(&app, &caller, id, &change.reason).await?))
}

/// End a suspension
#[utoipa::path(
    post, path = "/v1/participants/{participant}/resume", tag = "participants",
    params(("participant" = String, Path, description = "Id of the participant")),
    responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<ParticipantId>,
) -> Result<Json<ParticipantChange>, Failure> {
    Ok(Json(participants::resume(&app, &caller, id).await?))
}

/// Revoke a participant, for good
#[utoipa::path(
    post, path = "/v1/participants/{participant}/revoke", tag = "participants", request_body = StandingChange,
    params(("participant" = String, Path, description = "Id of the participant")),
    responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<ParticipantId>,
    Json(change): Json<StandingChange>,
) -> Result<Json<ParticipantChange>, Failure> {
    Ok(Json(participants::revoke(&app, &caller, id, &change.reason).await?))
}

/// Give a participant new keys
///
/// Certificates signed with the old ones stay valid: the registry keeps from when to when each key held.
#[utoipa::path(
    post, path = "/v1/participants/{participant}/keys", tag = "participants", request_body = KeyRotation,
    params(("participant" = String, Path, description = "Id of the participant")),
    responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn rotate_keys(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<ParticipantId>,
    rotation: Option<Json<KeyRotation>>,
) -> Result<Json<ParticipantChange>, Failure> {
    let card = rotation.and_then(|Json(rotation)| rotation.card);
    Ok(Json(
        participants::rotate_keys(&app, &caller, id, card.as_deref()).await?,
    ))
}

/// Bring a signed transaction
///
/// One that an answer's `prepared` asked for, signed by the caller's own account key.
#[utoipa::path(
    post, path = "/v1/transactions", tag = "participants", request_body = SignedTransaction,
    responses((status = 202, description = "Taken to the ledger", body = SentTransaction))
)]
pub(super) async fn bring_transaction(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Json(signed): Json<SignedTransaction>,
) -> Result<(StatusCode, Json<SentTransaction>), Failure> {
    let hash = chain::submit_signed(&app, &caller, &signed.raw).await?;
    Ok((StatusCode::ACCEPTED, Json(SentTransaction { hash })))
}
