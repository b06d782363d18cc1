//! Whether the process lives, whether the instance can work, and its metrics.

use super::{Guard, error::Failure, extract::Json, metrics};
use crate::app::readiness::{self, Readiness};
use axum::{
    Extension,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// The process answers.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Alive {
    /// Always `alive`.
    pub status: String,
    /// Version of this program.
    pub version: String,
}

/// The process is alive
#[utoipa::path(get, path = "/livez", tag = "service", responses((status = 200, body = Alive)))]
pub(super) async fn live() -> Json<Alive> {
    Json(Alive {
        status: "alive".into(),
        version: env!("CARGO_PKG_VERSION").into(),
    })
}

/// The instance can do its work
///
/// The ledger, and what waits for it or for a job, do not count: without them the instance is degraded, and still ready.
#[utoipa::path(get, path = "/readyz", tag = "service", responses((status = 200, body = Readiness)))]
pub(super) async fn ready(Extension(guard): Extension<Arc<Guard>>) -> Result<Json<Readiness>, Failure> {
    let looked = readiness::look(&guard.app).await;
    if guard.stopping() {
        return Err(Failure::not_ready().detail("the process is stopping"));
    }
    looked.map(Json).map_err(|wrong| Failure::not_ready().places(wrong))
}

/// Prometheus metrics
///
/// Text format 0.0.4. Labels are fixed; no metric names a person, a participant or a certificate.
#[utoipa::path(get, path = "/metrics", tag = "service", responses((status = 200, description = "Metrics", content_type = "text/plain")))]
pub(super) async fn metrics(Extension(guard): Extension<Arc<Guard>>) -> Response {
    let mut text = String::with_capacity(16_384);
    guard.metrics.render(&mut text);
    metrics::standing(&mut text, &readiness::standing(&guard.app).await);
    let mut response = text.into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
