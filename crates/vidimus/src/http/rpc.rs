//! The ledger for any Ethereum tool.

use super::{auth::MaybeCaller, error::Failure};
use crate::app::{App, principal::Permission};
use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use vidimus_ledger::rpc;

/// Ethereum JSON-RPC 2.0
///
/// A request, or a batch. `eth_sendRawTransaction` is answered to callers whose API key has the permission `operate`.
#[utoipa::path(
    post, path = "/rpc", tag = "ledger", request_body(content = Object, description = "JSON-RPC 2.0"),
    responses((status = 200, description = "JSON-RPC 2.0", body = Object))
)]
pub(super) async fn call(
    State(app): State<Arc<App>>,
    MaybeCaller(caller): MaybeCaller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let body = body?;
    let limits = rpc::Limits {
        may_send: caller.is_some_and(|caller| caller.permissions.contains(&Permission::Operate)),
        body: app.config.server.limits.large_body_bytes,
        ..rpc::Limits::default()
    };
    let answer = rpc::handle(&*app.ledger, limits, &body).await;
    if answer.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let mut response = answer.into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
