//! What wallets speak to: OpenID4VCI 1.0 and the OAuth endpoints it takes. Requests are read, and refusals written, as those specifications say.

use super::{
    edge::Client,
    error::{Failure, Told},
    extract::{Json, Path},
    page::{cookie, over, show},
};
use crate::app::{
    App,
    push::NewSubscription,
    wallets::{
        self, Incoming, Refusal, Site,
        attest::{AttestationRequest, Attestations},
        authorize, credential, deferred, metadata, nonces, notification, offers, token,
    },
};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts as _, RawQuery, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use vidimus_core::id::ParticipantId;
use vidimus_credential::CategoryId;
use vidimus_openid4vc::oauth::{ErrorCode, Form, challenge};

/// Where a fresh nonce for DPoP proofs is given (RFC 9449 §8).
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// The same for proofs of client attestations (attestation-based client authentication §8).
const CHALLENGE: HeaderName = HeaderName::from_static("oauth-client-attestation-challenge");

/// What a wallet sends to an issuer's endpoint.
pub(super) struct Sent {
    site: Site,
    incoming: Incoming,
}

impl FromRequest<Arc<App>> for Sent {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let Path(issuer) = Path::<ParticipantId>::from_request_parts(&mut parts, app).await?;
        let mut incoming = incoming(parts.method.as_str(), &parts.headers);
        incoming.body = Bytes::from_request(Request::from_parts(parts, body), app)
            .await?
            .to_vec();
        let site = open(app, issuer).await?;
        Ok(Self { site, incoming })
    }
}

fn incoming(method: &str, headers: &HeaderMap) -> Incoming {
    let all = |name: &str| -> Vec<String> {
        headers
            .get_all(name)
            .iter()
            // What is not ASCII is no token of any kind.
            .map(|value| value.to_str().unwrap_or("\u{fffd}").to_owned())
            .collect()
    };
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok()?.split(';').next())
        .unwrap_or_default();
    Incoming {
        method: method.to_owned(),
        authorization: all("authorization"),
        dpop: all("dpop"),
        attestation: all("oauth-client-attestation"),
        attestation_pop: all("oauth-client-attestation-pop"),
        content_type: content_type.trim().to_ascii_lowercase(),
        body: Vec::new(),
    }
}

pub(super) fn document(kind: &'static str, body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body.into()).into_response()
}

const JSON: &str = "application/json";
const JWT: &str = "application/jwt";

/// A refusal, as the protocol writes it; where a nonce or challenge was not ours, with one to try again with.
fn refuse(app: &App, site: &Site, refusal: Refusal) -> Response {
    let fresh = match &refusal {
        // RFC 9449 §8 and §9.
        Refusal::Oauth {
            code: ErrorCode::UseDpopNonce,
            ..
        } => Some((DPOP_NONCE, nonces::Kind::Dpop)),
        Refusal::Oauth {
            code: ErrorCode::UseAttestationChallenge,
            ..
        } => Some((CHALLENGE, nonces::Kind::Attestation)),
        _ => None,
    };
    let mut response = written(refusal);
    if let Some((name, kind)) = fresh
        && let Ok(value) = HeaderValue::from_str(&nonces::make(app, site, kind))
    {
        response.headers_mut().insert(name, value);
    }
    response
}

fn written(refusal: Refusal) -> Response {
    let Some(body) = refusal.response() else {
        let Refusal::App(error) = refusal else {
            return Failure::internal().into_response();
        };
        return Failure::from(error).into_response();
    };
    let (status, name, challenge) = match &refusal {
        Refusal::Oauth { code, token, .. } => {
            let status = match code {
                ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
                ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
                ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
                _ if *token => StatusCode::UNAUTHORIZED,
                _ => StatusCode::BAD_REQUEST,
            };
            let challenge = token.then(|| format!("DPoP error=\"{}\", algs=\"ES256 EdDSA\"", code.name()));
            (status, code.name(), challenge)
        }
        Refusal::NoToken => (
            StatusCode::UNAUTHORIZED,
            ErrorCode::InvalidToken.name(),
            Some("DPoP algs=\"ES256 EdDSA\", Bearer".to_owned()),
        ),
        Refusal::Credential { code, .. } => (StatusCode::BAD_REQUEST, code.name(), None),
        Refusal::App(_) => return Failure::internal().into_response(),
    };
    let json = serde_json::to_string(&body).expect("two texts are JSON");
    let mut response = (status, document(JSON, json)).into_response();
    if let Some(challenge) = challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response.extensions_mut().insert(Told(name));
    response
}

async fn open(app: &App, issuer: ParticipantId) -> Result<Site, Failure> {
    Ok(Site::open(app, issuer).await?)
}

/// Read an issuer's metadata for wallets
///
/// OpenID4VCI 1.0 §12.2. Signed with the issuer's certificate (§12.2.3) for who prefers `application/jwt`.
#[utoipa::path(
    get, path = "/.well-known/openid-credential-issuer/issuers/{issuer}", tag = "wallets",
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 200, content((Object = "application/json"), (String = "application/jwt"))))
)]
pub(super) async fn issuer_metadata(
    State(app): State<Arc<App>>,
    Path(issuer): Path<ParticipantId>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let site = open(&app, issuer).await?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if metadata::wants_signed(accept.unwrap_or_default())
        && let Some(signed) = metadata::signed(&app, &site).await?
    {
        return Ok(document(JWT, signed));
    }
    Ok(document(JSON, metadata::issuer(&app, &site).await?.to_json()))
}

/// Read an issuer's authorization server metadata
///
/// RFC 8414. Each issuer is its own authorization server.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server/issuers/{issuer}", tag = "wallets",
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 200, body = Object))
)]
pub(super) async fn server_metadata(
    State(app): State<Arc<App>>,
    Path(issuer): Path<ParticipantId>,
) -> Result<Response, Failure> {
    let site = open(&app, issuer).await?;
    let json = serde_json::to_string(&metadata::server(&app, &site)).map_err(|_| Failure::internal())?;
    Ok(document(JSON, json))
}

/// Read the keys of an issuer's SD-JWT VCs
///
/// JWT VC Issuer Metadata (SD-JWT VC draft 13 §5).
#[utoipa::path(
    get, path = "/.well-known/jwt-vc-issuer/issuers/{issuer}", tag = "wallets",
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 200, body = Object))
)]
pub(super) async fn jwt_vc_issuer(
    State(app): State<Arc<App>>,
    Path(issuer): Path<ParticipantId>,
) -> Result<Response, Failure> {
    let site = open(&app, issuer).await?;
    let body = credential::jwt_vc_issuer(&app, &site).await?;
    Ok(document(JSON, body))
}

/// Read the type of a category's SD-JWT VCs
///
/// Type Metadata (SD-JWT VC draft 13 §6); each copy names the digest of these bytes.
#[utoipa::path(
    get, path = "/v1/types/{category}", tag = "wallets",
    params(("category" = String, Path, description = "Name of the category")),
    responses((status = 200, body = Object))
)]
pub(super) async fn type_metadata(
    State(app): State<Arc<App>>,
    Path(category): Path<String>,
) -> Result<Response, Failure> {
    let category = CategoryId::new(category).map_err(|_| Failure::not_found())?;
    let body = credential::type_metadata(&app, &category)?.0.clone();
    Ok(document(JSON, body))
}

/// Read an offer
///
/// OpenID4VCI 1.0 §4.1.3, for who has its link.
#[utoipa::path(
    get, path = "/offers/{reference}", tag = "wallets",
    params(("reference" = String, Path, description = "As the link has it")),
    responses((status = 200, body = Object))
)]
pub(super) async fn offer(State(app): State<Arc<App>>, Path(reference): Path<String>) -> Result<Response, Failure> {
    let offer = offers::by_reference(&app, &reference).await?;
    Ok(document(JSON, offer.to_json()))
}

/// Push an authorization request
///
/// RFC 9126, with PKCE and, as HAIP 1.0 asks, the wallet's attestation.
#[utoipa::path(
    post, path = "/issuers/{issuer}/par", tag = "wallets",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 201, body = Object))
)]
pub(super) async fn push(State(app): State<Arc<App>>, Sent { site, incoming }: Sent) -> Result<Response, Failure> {
    Ok(match authorize::push(&app, &site, &incoming).await {
        Ok(pushed) => {
            let json = serde_json::to_string(&pushed).map_err(|_| Failure::internal())?;
            (StatusCode::CREATED, document(JSON, json)).into_response()
        }
        Err(refusal) => refuse(&app, &site, refusal),
    })
}

/// Show the page on which a person permits a wallet
///
/// RFC 6749 §3.1, with the handle of a pushed request.
#[utoipa::path(
    get, path = "/issuers/{issuer}/authorize", tag = "wallets",
    params(
        ("issuer" = String, Path, description = "Id of the issuer"),
        ("client_id" = String, Query, description = "Of the wallet"),
        ("request_uri" = String, Query, description = "Of the pushed request")
    ),
    responses((status = 200, body = String, content_type = "text/html"), (status = 303, description = "Back to the wallet"))
)]
pub(super) async fn authorize(
    State(app): State<Arc<App>>,
    Path(issuer): Path<ParticipantId>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let site = open(&app, issuer).await?;
    let shown = authorize::start(&app, &site, query.as_deref().unwrap_or_default()).await?;
    show(&app, &site, shown)
}

/// Take what a person did on that page
#[utoipa::path(
    post, path = "/issuers/{issuer}/authorize", tag = "wallets",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 200, body = String, content_type = "text/html"), (status = 303, description = "Back to the wallet"))
)]
pub(super) async fn answer_authorization(
    State(app): State<Arc<App>>,
    Path(issuer): Path<ParticipantId>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let site = open(&app, issuer).await?;
    let form = Form::parse(&body).map_err(|_| Failure::bad_request().detail("the form does not read"))?;
    let shown = authorize::answer(&app, &site, cookie(&headers), &form).await?;
    show(&app, &site, shown)
}

/// Come back from an identity service
///
/// For browsers: OpenID Connect Core 1.0 §3.1.2.5. The page asks the person to go on.
#[utoipa::path(
    get, path = "/identity-return", tag = "wallets",
    params(
        ("state" = String, Query, description = "As the service was given it"),
        ("code" = Option<String>, Query, description = "The service's"),
        ("error" = Option<String>, Query, description = "Why there is none")
    ),
    responses((status = 200, body = String, content_type = "text/html"))
)]
pub(super) async fn identified(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    match wallets::identity::returned(&app, query.as_deref().unwrap_or_default()).await? {
        Some((site, shown)) => show(&app, &site, shown),
        None => Ok(over(&app, wallets::authorize::OVER)),
    }
}

/// Exchange a code for tokens
///
/// RFC 6749 §3.2, OpenID4VCI 1.0 §6: pre-authorized codes with a transaction code, authorization codes with PKCE, refresh tokens; DPoP (RFC 9449).
#[utoipa::path(
    post, path = "/issuers/{issuer}/token", tag = "wallets",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 200, body = Object))
)]
pub(super) async fn token(State(app): State<Arc<App>>, Sent { site, incoming }: Sent) -> Result<Response, Failure> {
    Ok(match token::request(&app, &site, &incoming).await {
        Ok(tokens) => with_nonce(&app, &site, document(JSON, tokens.to_json())),
        Err(refusal) => refuse(&app, &site, refusal),
    })
}

/// A fresh nonce for the next DPoP proof.
fn with_nonce(app: &App, site: &Site, mut response: Response) -> Response {
    if let Ok(nonce) = HeaderValue::from_str(&nonces::make(app, site, nonces::Kind::Dpop)) {
        response.headers_mut().insert(DPOP_NONCE, nonce);
    }
    response
}

/// Get a nonce for proofs of keys
///
/// OpenID4VCI 1.0 §7.
#[utoipa::path(
    post, path = "/issuers/{issuer}/nonce", tag = "wallets",
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 200, body = Object))
)]
pub(super) async fn nonce(State(app): State<Arc<App>>, Path(issuer): Path<ParticipantId>) -> Result<Response, Failure> {
    let site = open(&app, issuer).await?;
    let json = serde_json::to_string(&credential::nonce(&app, &site)).map_err(|_| Failure::internal())?;
    Ok(with_nonce(&app, &site, document(JSON, json)))
}

/// Get a challenge for a client attestation
#[utoipa::path(
    post, path = "/issuers/{issuer}/challenge", tag = "wallets",
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 200, body = Object))
)]
pub(super) async fn challenge(
    State(app): State<Arc<App>>,
    Path(issuer): Path<ParticipantId>,
) -> Result<Response, Failure> {
    let site = open(&app, issuer).await?;
    let response = challenge::ChallengeResponse {
        attestation_challenge: nonces::make(&app, &site, nonces::Kind::Attestation),
    };
    let json = serde_json::to_string(&response).map_err(|_| Failure::internal())?;
    Ok(document(JSON, json))
}

/// Claim credentials
///
/// OpenID4VCI 1.0 §8: one copy for each key that is proved, none linked to another. 202 where the result is still to come.
#[utoipa::path(
    post, path = "/issuers/{issuer}/credential", tag = "wallets",
    request_body(content = String, content_type = "application/json"),
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 200, body = Object), (status = 202, body = Object))
)]
pub(super) async fn credential(
    State(app): State<Arc<App>>,
    Sent { site, incoming }: Sent,
) -> Result<Response, Failure> {
    Ok(answer(&app, &site, credential::request(&app, &site, &incoming).await))
}

/// Claim credentials that were not ready
///
/// OpenID4VCI 1.0 §9.
#[utoipa::path(
    post, path = "/issuers/{issuer}/deferred-credential", tag = "wallets",
    request_body(content = String, content_type = "application/json"),
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 200, body = Object), (status = 202, body = Object))
)]
pub(super) async fn deferred(State(app): State<Arc<App>>, Sent { site, incoming }: Sent) -> Result<Response, Failure> {
    Ok(answer(&app, &site, deferred::request(&app, &site, &incoming).await))
}

fn answer(app: &App, site: &Site, answer: Result<credential::Answer, Refusal>) -> Response {
    match answer {
        Ok(answer) => {
            let status = if answer.deferred {
                StatusCode::ACCEPTED
            } else {
                StatusCode::OK
            };
            let kind = if answer.encrypted { JWT } else { JSON };
            with_nonce(app, site, (status, document(kind, answer.body)).into_response())
        }
        Err(refusal) => refuse(app, site, refusal),
    }
}

fn taken(app: &App, site: &Site, taken: Result<(), Refusal>) -> Response {
    match taken {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refuse(app, site, refusal),
    }
}

/// Say what became of credentials
///
/// OpenID4VCI 1.0 §11.
#[utoipa::path(
    post, path = "/issuers/{issuer}/notification", tag = "wallets",
    request_body(content = String, content_type = "application/json"),
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 204, description = "Taken"))
)]
pub(super) async fn notify(State(app): State<Arc<App>>, Sent { site, incoming }: Sent) -> Result<Response, Failure> {
    let told = notification::notify(&app, &site, &incoming).await;
    Ok(taken(&app, &site, told))
}

/// Have a wallet woken
///
/// When what it waits for is there: an empty message (RFC 8030) to the endpoint that its push service gave it. For who has an access token.
#[utoipa::path(
    post, path = "/issuers/{issuer}/push-subscription", tag = "wallets", request_body = NewSubscription,
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 204, description = "Taken"))
)]
pub(super) async fn subscribe(State(app): State<Arc<App>>, Sent { site, incoming }: Sent) -> Result<Response, Failure> {
    let told = notification::subscribe(&app, &site, &incoming).await;
    Ok(taken(&app, &site, told))
}

/// Have a wallet woken no more
#[utoipa::path(
    delete, path = "/issuers/{issuer}/push-subscription", tag = "wallets",
    params(("issuer" = String, Path, description = "Id of the issuer")),
    responses((status = 204, description = "Ended"))
)]
pub(super) async fn unsubscribe(
    State(app): State<Arc<App>>,
    Sent { site, incoming }: Sent,
) -> Result<Response, Failure> {
    let ended = notification::unsubscribe(&app, &site, &incoming).await;
    Ok(taken(&app, &site, ended))
}

/// Get a wallet and its keys attested
///
/// For instances of this deployment's wallet: client and key attestations (OpenID4VCI 1.0 appendices D and E). Nothing is kept; how many
/// keys one network has had attested is counted for a minute.
#[utoipa::path(
    post, path = "/v1/wallet-attestations", tag = "wallets", request_body = AttestationRequest,
    responses((status = 200, body = Attestations))
)]
pub(super) async fn attest(
    State(app): State<Arc<App>>,
    Client(from): Client,
    Json(request): Json<AttestationRequest>,
) -> Result<Json<Attestations>, Failure> {
    Ok(Json(wallets::attest::attest(&app, request, from).await?))
}
