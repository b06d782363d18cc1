//! Offers, as their issuer makes and reads them.

use super::{
    auth::Caller,
    certificates::{self, Drawing},
    error::Failure,
    extract::{Idempotency, Json, PageQuery, Path, Query},
};
use crate::app::{
    App, once,
    wallets::{
        offers,
        views::{NewOffer, OfferPage, OfferView},
    },
};
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use vidimus_core::id::OfferId;
use vidimus_credential::format::qr::QrCode;

/// Offer a certificate to a wallet
///
/// Of a result that is there, or of one that is still to come (OpenID4VCI 1.0 §4). The link, or a QR code of it, goes to the person in one way, the
/// code in another.
#[utoipa::path(
    post, path = "/v1/offers", tag = "offers", request_body = NewOffer,
    params(("Idempotency-Key" = Option<String>, Header, description = "Random, the same for each try of one request")),
    responses((status = 201, body = OfferView))
)]
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    idempotency: Idempotency,
    Json(new): Json<NewOffer>,
) -> Result<(StatusCode, Json<OfferView>), Failure> {
    let asked = once::Asked {
        key: idempotency.key(),
        operation: "offer",
        request: &new.clone(),
    };
    let work = |once| offers::create(&app, &caller, new, once);
    let view = once::once(&app, &caller, asked, work, |view: OfferView| async { Ok(view) }).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// List the own offers
#[utoipa::path(get, path = "/v1/offers", tag = "offers", params(PageQuery), responses((status = 200, body = OfferPage)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<OfferPage>, Failure> {
    Ok(Json(
        offers::list(&app, &caller, page.cursor.as_deref(), page.limit).await?,
    ))
}

/// Read an own offer
#[utoipa::path(
    get, path = "/v1/offers/{offer}", tag = "offers",
    params(("offer" = String, Path, description = "Id of the offer")),
    responses((status = 200, body = OfferView))
)]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<OfferId>,
) -> Result<Json<OfferView>, Failure> {
    Ok(Json(offers::read(&app, &caller, id).await?))
}

/// Take an offer back
///
/// Nothing can be claimed with it any more, also not with tokens that it gave. Copies that were claimed stay as they are: revoke the certificate.
#[utoipa::path(
    delete, path = "/v1/offers/{offer}", tag = "offers",
    params(("offer" = String, Path, description = "Id of the offer")),
    responses((status = 200, body = OfferView))
)]
pub(super) async fn withdraw(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<OfferId>,
) -> Result<Json<OfferView>, Failure> {
    Ok(Json(offers::withdraw(&app, &caller, id).await?))
}

/// How an offer is drawn.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DrawingQuery {
    /// `svg` without it.
    #[serde(default)]
    #[param(inline)]
    form: Drawing,
}

/// Draw an offer
///
/// Its link as a QR code.
#[utoipa::path(
    get, path = "/v1/offers/{offer}/qr", tag = "offers",
    params(("offer" = String, Path, description = "Id of the offer"), DrawingQuery),
    responses((status = 200, content(
        (String = "image/svg+xml"), (Vec<u8> = "image/png"), (String = "text/plain")
    )))
)]
pub(super) async fn draw(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<OfferId>,
    Query(query): Query<DrawingQuery>,
) -> Result<Response, Failure> {
    let view = offers::read(&app, &caller, id).await?;
    certificates::draw(view.link, query.form, QrCode::of_link)
}
