//! Whether the process lives, whether the instance can work, and its metrics.

use super::{Guard, error::Failure, extract::Json};
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
    Json(Alive { status: "alive".into(), version: env!("CARGO_PKG_VERSION").into() })
}
