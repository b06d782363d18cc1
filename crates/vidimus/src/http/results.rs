//! Results, as their issuer reports and reads them.

use super::{
    auth::Caller,
    error::Failure,
    extract::{Idempotency, Json, PageQuery, Path, Query},
};
use crate::app::{
    App, issue,
    reading::{self, ResultPage, ResultView},
    requests::{CertificateView, NewCopies, Report},
};
use axum::{extract::State, http::StatusCode};
use std::sync::Arc;
use vidimus_core::id::ResultId;

/// Report a result
///
/// Makes the certificate, and its copies where that can be done now: with a holder's card they are signed and sealed at once, and anchored soon
/// after. Acknowledged means durable. With an `Idempotency-Key`, a request that is sent again is answered again and done once.
#[utoipa::path(
    post, path = "/v1/results", tag = "results", request_body = Report,
    params(("Idempotency-Key" = Option<String>, Header, description = "Random, the same for each try of one request")),
    responses((status = 201, body = CertificateView))
)]
pub(super) async fn report(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    idempotency: Idempotency,
    Json(report): Json<Report>,
) -> Result<(StatusCode, Json<CertificateView>), Failure> {
    let view = issue::report(&app, &caller, report, idempotency.key()).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// Make more copies
///
/// For other holder keys, or, without a card, for paper.
#[utoipa::path(
    post, path = "/v1/results/{result}/copies", tag = "results", request_body = NewCopies,
    params(
        ("result" = String, Path, description = "Id of the result"),
        ("Idempotency-Key" = Option<String>, Header, description = "Random, the same for each try of one request")
    ),
    responses((status = 201, body = CertificateView))
)]
pub(super) async fn add_copies(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(result): Path<ResultId>,
    idempotency: Idempotency,
    Json(new): Json<NewCopies>,
) -> Result<(StatusCode, Json<CertificateView>), Failure> {
    let view = issue::add_copies(&app, &caller, result, new, idempotency.key()).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// List the own results
#[utoipa::path(
    get, path = "/v1/results", tag = "results", params(PageQuery),
    responses((status = 200, body = ResultPage))
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<ResultPage>, Failure> {
    Ok(Json(
        reading::list_results(&app, &caller, page.cursor.as_deref(), page.limit).await?,
    ))
}

/// Read an own result and its certificate
#[utoipa::path(
    get, path = "/v1/results/{result}", tag = "results",
    params(("result" = String, Path, description = "Id of the result")),
    responses((status = 200, body = ResultView))
)]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<ResultId>,
) -> Result<Json<ResultView>, Failure> {
    Ok(Json(reading::result(&app, &caller, id).await?))
}
