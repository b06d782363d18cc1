//! The audit log, for the authority.

use super::{
    error::Failure,
    extract::{Json, Query},
};
use crate::app::{
    App,
    reading::{self, AuditPage, AuditVerdict},
};
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// Entries after this sequence number; from the first without it.
    #[serde(default)]
    after: u64,
    /// Rows in the page, 1 to 500; 50 without it.
    limit: Option<u32>,
}

/// Read the audit log
///
/// Who did what to which object, by id; no personal data.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(AuditQuery), responses((status = 200, body = AuditPage)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditPage>, Failure> {
    Ok(Json(reading::audit_entries(&app, query.after, query.limit).await?))
}

/// Check the audit log
///
/// Walks the whole chain of hashes.
#[utoipa::path(get, path = "/v1/audit/verification", tag = "audit", responses((status = 200, body = AuditVerdict)))]
pub(super) async fn verify(State(app): State<Arc<App>>) -> Result<Json<AuditVerdict>, Failure> {
    Ok(Json(reading::verify_audit(&app).await?))
}
