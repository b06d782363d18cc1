//! Counter-signatures.

use super::{error::Failure, extract::Json};
use crate::app::{
    App,
    counter_signing::{self, CounterSigned, NewCounterSignature},
};
use axum::extract::State;
use std::sync::Arc;

/// Sign receipt of a copy
///
/// The holder signs that it has it; its issuer sees that, and is told by an event. Signing by anybody else is refused.
#[utoipa::path(
    post, path = "/v1/counter-signatures", tag = "certificates", request_body = NewCounterSignature,
    responses((status = 200, body = CounterSigned))
)]
pub(super) async fn take(
    State(app): State<Arc<App>>,
    Json(new): Json<NewCounterSignature>,
) -> Result<Json<CounterSigned>, Failure> {
    Ok(Json(counter_signing::take(&app, &new).await?))
}
