//! Requests for presentations: as verifiers make and read them, and as wallets fetch and answer them (OpenID4VP 1.0).

use super::{
    auth::Caller,
    edge::Client,
    error::{Failure, Told},
    extract::{Idempotency, Json, PageQuery, Path, Query},
};
use crate::app::{
    App, once,
    presenting::{
        self,
        views::{
            CheckLeft, Confirmation, Leave, LeftPage, LeftView, NewPresentation, PresentationPage, PresentationView,
        },
    },
    requests::CheckAnswer,
};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use vidimus_core::id::PresentationId;
use vidimus_openid4vc::vp::{REQUEST_TYPE, RequestUriPost};

/// Ask a wallet
///
/// Signed, by reference, answered once, within 60 to 300 seconds. Five wrong answers fail it. The link goes to the holder as a link or QR code.
#[utoipa::path(
    post, path = "/v1/presentations", tag = "presentations", request_body = NewPresentation,
    params(("Idempotency-Key" = Option<String>, Header, description = "Random, the same for each try of one request")),
    responses((status = 201, body = PresentationView))
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    idempotency: Idempotency,
    Json(new): Json<NewPresentation>,
) -> Result<(StatusCode, Json<PresentationView>), Failure> {
    let asked = once::Asked {
        key: idempotency.key(),
        operation: "ask-presentation",
        request: &new.clone(),
    };
    let work = |once| presenting::ask::create(&app, &caller, new, once);
    let view = once::once(&app, &caller, asked, work, |view: PresentationView| async { Ok(view) }).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// List the own requests
#[utoipa::path(get, path = "/v1/presentations", tag = "presentations", params(PageQuery), responses((status = 200, body = PresentationPage)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<PresentationPage>, Failure> {
    Ok(Json(
        presenting::list(&app, &caller, page.cursor.as_deref(), page.limit).await?,
    ))
}

/// Read an own request and its answer
#[utoipa::path(
    get, path = "/v1/presentations/{presentation}", tag = "presentations",
    params(("presentation" = String, Path, description = "Id of the request")),
    responses((status = 200, body = PresentationView))
)]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<PresentationId>,
) -> Result<Json<PresentationView>, Failure> {
    Ok(Json(presenting::read(&app, &caller, id).await?))
}

/// Take a request back
#[utoipa::path(
    delete, path = "/v1/presentations/{presentation}", tag = "presentations",
    params(("presentation" = String, Path, description = "Id of the request")),
    responses((status = 200, body = PresentationView))
)]
pub(super) async fn withdraw(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<PresentationId>,
) -> Result<Json<PresentationView>, Failure> {
    Ok(Json(presenting::withdraw(&app, &caller, id).await?))
}

/// Say that the holder's browser came back
///
/// On the same device the answer is read only so: with the response code of the address that it came back to, and the secret of the session in which the
/// request was made (HAIP 1.0 §5.1).
#[utoipa::path(
    post, path = "/v1/presentations/{presentation}/confirmation", tag = "presentations", request_body = Confirmation,
    params(("presentation" = String, Path, description = "Id of the request")),
    responses((status = 200, body = PresentationView))
)]
pub(super) async fn confirm(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<PresentationId>,
    Json(confirmation): Json<Confirmation>,
) -> Result<Json<PresentationView>, Failure> {
    Ok(Json(presenting::confirm(&app, &caller, id, confirmation).await?))
}

fn object(text: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(REQUEST_TYPE))], text).into_response()
}

/// Fetch a request object
///
/// For wallets (OpenID4VP 1.0 §5.7). Until the request is answered, and at most ten times.
#[utoipa::path(
    get, path = "/presentations/{presentation}/request", tag = "wallets",
    params(("presentation" = String, Path, description = "Id of the request")),
    responses((status = 200, body = String, content_type = "application/oauth-authz-req+jwt"))
)]
pub(super) async fn request(State(app): State<Arc<App>>, Path(id): Path<PresentationId>) -> Result<Response, Failure> {
    let wallet = RequestUriPost::default();
    Ok(object(presenting::fetch(&app, id, &wallet).await?))
}

/// Fetch a request object, saying what the wallet can do
///
/// For wallets (OpenID4VP 1.0 §5.10). Until the request is answered, and at most ten times; each time with the nonce that the wallet sends.
#[utoipa::path(
    post, path = "/presentations/{presentation}/request", tag = "wallets",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    params(("presentation" = String, Path, description = "Id of the request")),
    responses((status = 200, body = String, content_type = "application/oauth-authz-req+jwt"))
)]
pub(super) async fn post_request(
    State(app): State<Arc<App>>,
    Path(id): Path<PresentationId>,
    body: Bytes,
) -> Result<Response, Failure> {
    let wallet = RequestUriPost::parse(&body).map_err(presenting::ask::refused)?;
    Ok(object(presenting::fetch(&app, id, &wallet).await?))
}

/// Answer a request
///
/// For wallets: `direct_post.jwt`, or `direct_post` where the verifier takes it (OpenID4VP 1.0 §8.2, §8.3). A presentation that is not what was
/// asked for, or that nobody known issued, is refused and counted; the request fails with the fifth.
#[utoipa::path(
    post, path = "/presentations/{presentation}/response", tag = "wallets",
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    params(("presentation" = String, Path, description = "Id of the request")),
    responses((status = 200, body = Object))
)]
pub(super) async fn respond(
    State(app): State<Arc<App>>,
    Path(id): Path<PresentationId>,
    body: Bytes,
) -> Result<Response, Failure> {
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok(match presenting::respond(&app, id, &body).await? {
        presenting::Told::Taken(body) => (json, body).into_response(),
        presenting::Told::Refused(error) => none(&error.to_string()),
        presenting::Told::Wrong => {
            none("what is presented is not what the request asks for, or nobody known issued it")
        }
    })
}

/// The answer to what is none: the wallet may try again.
fn none(description: &str) -> Response {
    let body = serde_json::json!({"error": "invalid_request", "error_description": description});
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (StatusCode::BAD_REQUEST, json, body.to_string()).into_response();
    response.extensions_mut().insert(Told("invalid_request"));
    response
}

/// Leave a presentation for a verifier
///
/// Sealed to its key; kept for a day. Nobody but the verifier can read it. One client leaves at most 200 a day.
#[utoipa::path(
    post, path = "/v1/left-presentations", tag = "presentations", request_body = Leave,
    responses((status = 201, body = LeftView))
)]
pub(super) async fn leave(
    State(app): State<Arc<App>>,
    Client(address): Client,
    Json(leave): Json<Leave>,
) -> Result<(StatusCode, Json<LeftView>), Failure> {
    Ok((
        StatusCode::CREATED,
        Json(presenting::leave(&app, address, leave).await?),
    ))
}

/// List what was left
#[utoipa::path(get, path = "/v1/left-presentations", tag = "presentations", params(PageQuery), responses((status = 200, body = LeftPage)))]
pub(super) async fn list_left(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<LeftPage>, Failure> {
    Ok(Json(
        presenting::list_left(&app, &caller, page.cursor.as_deref(), page.limit).await?,
    ))
}

/// Read what was left
#[utoipa::path(
    get, path = "/v1/left-presentations/{left}", tag = "presentations",
    params(("left" = String, Path, description = "Its id")),
    responses((status = 200, body = LeftView))
)]
pub(super) async fn read_left(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<PresentationId>,
) -> Result<Json<LeftView>, Failure> {
    Ok(Json(presenting::read_left(&app, &caller, id).await?))
}

/// Remove what was left
#[utoipa::path(
    delete, path = "/v1/left-presentations/{left}", tag = "presentations",
    params(("left" = String, Path, description = "Its id")),
    responses((status = 204, description = "Removed"))
)]
pub(super) async fn remove_left(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<PresentationId>,
) -> Result<StatusCode, Failure> {
    presenting::remove_left(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Check what was left
///
/// Where this server keeps your keys it opens it; else send what you opened. Checked like anything else, with the request that was sealed with it: it has to
/// be for you and for this purpose. It had to be new when it was left, and can be checked until it is removed. What does not open is *malformed*.
#[utoipa::path(
    post, path = "/v1/left-presentations/{left}/check", tag = "presentations", request_body = CheckLeft,
    params(("left" = String, Path, description = "Its id")),
    responses((status = 200, body = CheckAnswer))
)]
pub(super) async fn check_left(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<PresentationId>,
    Json(asked): Json<CheckLeft>,
) -> Result<Json<CheckAnswer>, Failure> {
    Ok(Json(presenting::check_left(&app, &caller, id, asked).await?))
}
