//! What anybody may read: receipts, sealed payloads, status lists, trust, the registries. None of it names a person.

use super::{
    error::Failure,
    extract::{Json, Path},
    participants::ParticipantList,
};
use crate::app::{App, copies, participants, principal::Role, reading, status, status::Encoding, trust};
use crate::app::{
    checks,
    requests::{EvidenceRequest, EvidenceView},
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use std::sync::Arc;
use vidimus_core::Commitment;
use vidimus_credential::format::vc_jwt;

fn typed(kind: &'static str, cache: String, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_str(&cache).expect("our own words and numbers are ASCII"),
    );
    response
}

/// What never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Read a receipt
///
/// For whoever knows the commitment; it says nothing about what was committed to. Missing until the batch is anchored.
#[utoipa::path(
    get, path = "/v1/receipts/{commitment}", tag = "checking",
    params(("commitment" = String, Path, description = "64 hexadecimal digits")),
    responses((status = 200, description = "The receipt that travels beside the copy", body = Object))
)]
pub(super) async fn receipt(
    State(app): State<Arc<App>>,
    Path(commitment): Path<String>,
) -> Result<Json<Value>, Failure> {
    let commitment: Commitment = commitment.parse().map_err(|_| Failure::not_found())?;
    let receipt = copies::receipt(&app, commitment).await?;
    Ok(Json(serde_json::to_value(receipt).map_err(|_| Failure::internal())?))
}

/// Read the evidence of a copy
///
/// What leads from a copy to its anchor and is not on paper: salt and receipt. For whoever has the copy: only its signed bytes give the digest.
/// It names nobody. A body and not a path, so that digests stay out of logs on the way.
#[utoipa::path(
    post, path = "/v1/evidence", tag = "checking", request_body = EvidenceRequest,
    responses((status = 200, body = EvidenceView))
)]
pub(super) async fn evidence(
    State(app): State<Arc<App>>,
    Json(request): Json<EvidenceRequest>,
) -> Result<Json<EvidenceView>, Failure> {
    let evidence = copies::evidence_of(&app, checks::digest_of(&request.digest)?).await?;
    let text = evidence.to_text();
    Ok(Json(EvidenceView {
        salt: evidence.salt,
        receipt: evidence.receipt,
        text,
    }))
}

/// Read a sealed payload
///
/// By content id, as a trustless IPFS gateway serves raw blocks. It opens only with the holder's key.
#[utoipa::path(
    get, path = "/ipfs/{content_id}", tag = "checking",
    params(
        ("content_id" = String, Path, description = "CIDv1, raw, SHA-256"),
        ("format" = Option<String>, Query, description = "`raw`")
    ),
    responses((status = 200, description = "The bytes", content_type = "application/vnd.ipld.raw"))
)]
pub(super) async fn blob(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let tag = format!("\"{id}\"");
    let bytes = reading::sealed(&app, &id).await?;
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|sent| sent.as_bytes() == tag.as_bytes())
    {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let mut response = typed("application/vnd.ipld.raw", FOREVER.into(), bytes);
    let headers = response.headers_mut();
    headers.insert(
        header::ETAG,
        HeaderValue::from_str(&tag).map_err(|_| Failure::internal())?,
    );
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}

/// Read a Token Status List
#[utoipa::path(
    get, path = "/v1/status/{list}/token", tag = "checking",
    params(("list" = u64, Path, description = "Number of the list")),
    responses((status = 200, description = "Signed list", content_type = "application/statuslist+jwt"), (status = 304, description = "Not modified"))
)]
pub(super) async fn token_list(
    State(app): State<Arc<App>>,
    Path(list): Path<u64>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    served(&app, list, Encoding::Token, &headers).await
}

/// Read a Bitstring Status List
#[utoipa::path(
    get, path = "/v1/status/{list}/bitstring/{purpose}", tag = "checking",
    params(
        ("list" = u64, Path, description = "Number of the list"),
        ("purpose" = String, Path, description = "`revocation` or `suspension`")
    ),
    responses((status = 200, description = "Signed credential", content_type = "application/vc+jwt"), (status = 304, description = "Not modified"))
)]
pub(super) async fn bitstring_list(
    State(app): State<Arc<App>>,
    Path((list, purpose)): Path<(u64, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let encoding = match purpose.as_str() {
        "revocation" => Encoding::Revocation,
        "suspension" => Encoding::Suspension,
        _ => return Err(Failure::not_found()),
    };
    served(&app, list, encoding, &headers).await
}

async fn served(app: &App, list: u64, encoding: Encoding, headers: &HeaderMap) -> Result<Response, Failure> {
    let served = status::served(app, list, encoding).await?;
    let tag = format!("\"{}-{}\"", served.version, served.issued_at.0);
    let cache = format!("public, max-age={}", app.config.status.ttl_seconds);
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|sent| sent.as_bytes() == tag.as_bytes());
    let mut response = if known {
        typed("application/octet-stream", cache, StatusCode::NOT_MODIFIED)
    } else {
        let kind = match encoding {
            Encoding::Token => "application/statuslist+jwt",
            Encoding::Revocation | Encoding::Suspension => "application/vc+jwt",
        };
        typed(kind, cache, served.token)
    };
    response.headers_mut().insert(
        header::ETAG,
        HeaderValue::from_str(&tag).map_err(|_| Failure::internal())?,
    );
    Ok(response)
}

/// Read the root certificate
///
/// Document signers, status signers and access certificates chain to it.
#[utoipa::path(
    get, path = "/v1/trust/root", tag = "checking",
    responses((status = 200, description = "X.509, PEM", content_type = "application/pem-certificate-chain"))
)]
pub(super) async fn trust_root(State(app): State<Arc<App>>) -> Response {
    typed(
        "application/pem-certificate-chain",
        "public, max-age=3600".into(),
        trust::root_pem(&app),
    )
}

/// Read what an offline check takes
///
/// Registries, anchored roots, status lists and trust anchors as of now, in one signed file.
#[utoipa::path(
    get, path = "/v1/bundle", tag = "checking",
    responses((status = 200, description = "Signed bundle", content_type = "application/jwt"))
)]
pub(super) async fn bundle(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let cache = format!("public, max-age={}", app.config.status.ttl_seconds);
    Ok(typed("application/jwt", cache, trust::bundle(&app).await?))
}

/// List the admitted issuers
#[utoipa::path(get, path = "/v1/registry/issuers", tag = "checking", responses((status = 200, body = ParticipantList)))]
pub(super) async fn issuers(State(app): State<Arc<App>>) -> Result<Json<ParticipantList>, Failure> {
    Ok(Json(ParticipantList {
        items: participants::list(&app, Some(Role::Issuer)).await?,
    }))
}

/// List the admitted verifiers
#[utoipa::path(get, path = "/v1/registry/verifiers", tag = "checking", responses((status = 200, body = ParticipantList)))]
pub(super) async fn verifiers(State(app): State<Arc<App>>) -> Result<Json<ParticipantList>, Failure> {
    Ok(Json(ParticipantList {
        items: participants::list(&app, Some(Role::Verifier)).await?,
    }))
}

/// Read the JSON-LD context that certificates name
#[utoipa::path(
    get, path = "/contexts/certificate/v1", tag = "checking",
    responses((status = 200, description = "JSON-LD context", content_type = "application/ld+json"))
)]
pub(super) async fn context(State(app): State<Arc<App>>) -> Response {
    let document = vc_jwt::context_document(app.config.server.public_url.as_str());
    typed("application/ld+json", FOREVER.into(), document.to_string())
}
