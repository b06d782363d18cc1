//! Who takes part: admitted, changed, suspended and revoked by the authority.

use super::{
    auth::Caller,
    error::Failure,
    extract::{Idempotency, Json, Path, Query},
};
use crate::app::{
    App, Error, chain,
    once::{Asked, once},
    participants,
    principal::{Principal, Role},
    requests::{Admission, Grants, ParticipantChange, ParticipantView, SignedTransaction},
};
use axum::{
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use vidimus_core::{Timestamp, id::ParticipantId};

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

/// A version of a participant's keys that leaked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyRevocation {
    /// From when on nothing signed with them is to be trusted, Unix seconds; not in the future. Without it: from now on.
    pub from: Option<i64>,
}

/// Another account for a participant.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountRotation {
    /// A card of the new account, where the participant keeps its keys itself; without it the server makes a new key.
    pub card: Option<String>,
}

/// The participant that a path names, and who acts on it.
pub(super) struct On {
    app: Arc<App>,
    caller: Principal,
    participant: ParticipantId,
}

impl FromRequestParts<Arc<App>> for On {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let Caller(caller) = Caller::from_request_parts(parts, app).await?;
        let Path(named) = Path::<Named>::from_request_parts(parts, app).await?;
        Ok(Self {
            app: app.clone(),
            caller,
            participant: named.participant,
        })
    }
}

#[derive(Debug, Deserialize)]
struct Named {
    participant: ParticipantId,
}

/// Which participant.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes the path")]
struct ParticipantPath {
    /// Id of the participant
    participant: String,
}

/// The version of keys that a path names.
#[derive(Debug, Deserialize)]
pub(super) struct Version {
    version: u32,
}

/// What a change of a participant is answered with.
type Changed = Result<Json<ParticipantChange>, Failure>;

fn answered(change: Result<ParticipantChange, Error>) -> Changed {
    change.map(Json).map_err(Failure::from)
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
    let asked = Asked {
        key: idempotency.key(),
        operation: "admit",
        request: &request,
    };
    let work = |once| participants::admit(&app, &caller, admission, once);
    let recall = |admitted| participants::recall(&app, admitted);
    let change = once(&app, &caller, asked, work, recall).await?;
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
    params(ParticipantPath),
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
    params(ParticipantPath),
    responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn change(on: On, Json(grants): Json<Grants>) -> Changed {
    answered(participants::change_grants(&on.app, &on.caller, on.participant, grants).await)
}

/// Suspend a participant
///
/// Until it is resumed, its certificates check as `issuer_suspended` and its API keys only read.
#[utoipa::path(
    post, path = "/v1/participants/{participant}/suspend", tag = "participants", request_body = StandingChange,
    params(ParticipantPath),
    responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn suspend(on: On, Json(change): Json<StandingChange>) -> Changed {
    answered(participants::suspend(&on.app, &on.caller, on.participant, &change.reason).await)
}

/// End a suspension
#[utoipa::path(
    post, path = "/v1/participants/{participant}/resume", tag = "participants",
    params(ParticipantPath),
    responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn resume(on: On) -> Changed {
    answered(participants::resume(&on.app, &on.caller, on.participant).await)
}

/// Revoke a participant, for good
#[utoipa::path(
    post, path = "/v1/participants/{participant}/revoke", tag = "participants", request_body = StandingChange,
    params(ParticipantPath),
    responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn revoke(on: On, Json(change): Json<StandingChange>) -> Changed {
    answered(participants::revoke(&on.app, &on.caller, on.participant, &change.reason).await)
}

/// Give a participant new keys
///
/// Certificates signed with the old ones stay valid: the registry keeps from when to when each key held.
#[utoipa::path(
    post, path = "/v1/participants/{participant}/keys", tag = "participants", request_body = KeyRotation,
    params(ParticipantPath),
    responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn rotate_keys(on: On, rotation: Option<Json<KeyRotation>>) -> Changed {
    let card = rotation.and_then(|Json(rotation)| rotation.card);
    answered(participants::rotate_keys(&on.app, &on.caller, on.participant, card.as_deref()).await)
}

/// Revoke a version of a participant's keys
///
/// For keys that leaked. What was signed with them from that time on, and what no anchor proves older, checks as `key_revoked`; the participant
/// needs new keys before it can issue with them again. It cannot be taken back, only moved to an earlier time.
#[utoipa::path(
    post, path = "/v1/participants/{participant}/keys/{version}/revoke", tag = "participants", request_body = KeyRevocation,
    params(ParticipantPath, ("version" = u32, Path, description = "Version of the keys, as the participant's `keys` have it")),
    responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn revoke_keys(on: On, Path(keys): Path<Version>, revocation: Option<Json<KeyRevocation>>) -> Changed {
    let from = revocation.and_then(|Json(revocation)| revocation.from).map(Timestamp);
    answered(participants::revoke_keys(&on.app, &on.caller, on.participant, keys.version, from).await)
}

/// Give a participant's account a new key
///
/// The DID stays and gets another owner (ERC-1056), whose account key signs as soon as the ledger has it. The authority may do this, and the
/// participant for itself. Where it keeps its keys itself, `prepared` holds what the account before must sign; for an authority also what the
/// new one must.
#[utoipa::path(
    post, path = "/v1/participants/{participant}/account", tag = "participants", request_body = AccountRotation,
    params(ParticipantPath), responses((status = 200, body = ParticipantChange))
)]
pub(super) async fn rotate_account(on: On, rotation: Option<Json<AccountRotation>>) -> Changed {
    let card = rotation.and_then(|Json(rotation)| rotation.card);
    answered(participants::rotate_account(&on.app, &on.caller, on.participant, card.as_deref()).await)
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
