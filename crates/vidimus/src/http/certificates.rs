//! Certificates and their copies, as their issuer has them.

use super::{
    auth::Caller,
    error::Failure,
    extract::{Json, Path, Query},
};
use crate::app::{
    App,
    copies::{self, Code},
    reading,
    requests::{CertificateView, CopySignature, Revocation},
    revoke,
};
use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use vidimus_core::id::{CertificateId, CopyId};
use vidimus_credential::format::qr::{QrCode, QrError};

/// Read an own certificate and its copies
#[utoipa::path(
    get, path = "/v1/certificates/{certificate}", tag = "certificates",
    params(("certificate" = String, Path, description = "Id of the certificate")),
    responses((status = 200, body = CertificateView))
)]
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<CertificateId>,
) -> Result<Json<CertificateView>, Failure> {
    Ok(Json(reading::certificate(&app, &caller, id).await?))
}

/// Revoke a certificate
///
/// All its copies, everywhere: the status lists show it at once.
#[utoipa::path(
    post, path = "/v1/certificates/{certificate}/revoke", tag = "certificates", request_body = Revocation,
    params(("certificate" = String, Path, description = "Id of the certificate")),
    responses((status = 200, body = CertificateView))
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<CertificateId>,
    Json(revocation): Json<Revocation>,
) -> Result<Json<CertificateView>, Failure> {
    Ok(Json(revoke::revoke(&app, &caller, id, revocation).await?))
}

/// Bring the signature of a copy
///
/// For issuers that keep their own keys: `to_sign` of the copy says what is signed.
#[utoipa::path(
    post, path = "/v1/copies/{copy}/signature", tag = "certificates", request_body = CopySignature,
    params(("copy" = String, Path, description = "Id of the copy")),
    responses((status = 200, body = CertificateView))
)]
pub(super) async fn sign_copy(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<CopyId>,
    Json(signature): Json<CopySignature>,
) -> Result<Json<CertificateView>, Failure> {
    Ok(Json(copies::commit_signature(&app, &caller, id, signature).await?))
}

/// How a paper copy is drawn.
#[derive(Debug, Default, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Drawing {
    /// QR code, SVG.
    #[default]
    Svg,
    /// QR code, PNG.
    Png,
    /// The text in the QR code.
    Text,
}

/// How a paper copy is drawn.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DrawingQuery {
    /// `svg` without it.
    #[serde(default)]
    #[param(inline)]
    form: Drawing,
    /// `certificate` without it.
    #[serde(default)]
    #[param(inline)]
    code: Code,
}

/// Draw a paper copy
///
/// Of copies that are bound to no holder: the certificate itself, which whoever sees it can read, or, once it is anchored, its evidence, a
/// second code that belongs beside it.
#[utoipa::path(
    get, path = "/v1/copies/{copy}/paper", tag = "certificates",
    params(("copy" = String, Path, description = "Id of the copy"), DrawingQuery),
    responses((status = 200, content(
        (String = "image/svg+xml"), (Vec<u8> = "image/png"), (String = "text/plain")
    )))
)]
pub(super) async fn paper(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Path(id): Path<CopyId>,
    Query(query): Query<DrawingQuery>,
) -> Result<Response, Failure> {
    let text = copies::printed(&app, &caller, id, query.code).await?;
    draw(text, query.form, QrCode::new)
}

/// The drawing of a text, as its code is made.
pub(super) fn draw(
    text: String,
    form: Drawing,
    code: fn(&str) -> Result<QrCode, QrError>,
) -> Result<Response, Failure> {
    let code = || {
        code(&text).map_err(|error| {
            tracing::error!(cause = %error, "what is to be drawn fits no QR code");
            Failure::internal()
        })
    };
    let (kind, body) = match form {
        Drawing::Svg => ("image/svg+xml", code()?.to_svg().into_bytes()),
        Drawing::Png => ("image/png", code()?.to_png(8)),
        Drawing::Text => ("text/plain; charset=us-ascii", text.into_bytes()),
    };
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response())
}
