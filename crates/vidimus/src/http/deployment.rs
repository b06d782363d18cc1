//! What this deployment is, for whoever talks to its contracts or pays for their gas.

use super::extract::Json;
use crate::app::App;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// This deployment.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DeploymentView {
    /// Version of this program.
    pub version: String,
    /// The address that is signed into certificates.
    pub public_url: String,
    /// EIP-155 id of the chain.
    pub chain_id: u64,
    /// Blocks that follow a block before it counts as final.
    pub confirmations: u64,
    /// The contracts on that chain.
    pub contracts: ContractsView,
    /// What wallets give their push service as `applicationServerKey`: the key that wake-ups are signed with, an uncompressed P-256 point in
    /// base64url.
    pub push_key: String,
    /// The accounts of the deployment itself. Where gas is paid for, they have to hold some of the chain's currency.
    pub accounts: AccountsView,
}

/// Addresses of the contracts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ContractsView {
    /// `IssuerRegistry`: who may issue.
    pub issuers: String,
    /// `VerifierRegistry`: who may ask.
    pub verifiers: String,
    /// `EthereumDIDRegistry` (ERC-1056).
    pub dids: String,
    /// `Anchors`: Merkle roots.
    pub anchors: String,
}

/// Addresses of accounts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AccountsView {
    /// Creates the contracts and relays what others sign.
    pub operator: String,
    /// Anchors.
    pub anchorer: String,
}

/// Read what this deployment is
///
/// The chain, the addresses of the contracts on it, and the accounts that it sends from.
#[utoipa::path(get, path = "/v1/deployment", tag = "service", responses((status = 200, body = DeploymentView)))]
pub(super) async fn read(State(app): State<Arc<App>>) -> Json<DeploymentView> {
    Json(DeploymentView {
        version: env!("CARGO_PKG_VERSION").into(),
        public_url: app.config.server.public_url.to_string(),
        chain_id: app.facts.chain,
        confirmations: app.config.ledger.confirmations,
        contracts: ContractsView {
            issuers: app.contracts.issuers.to_string(),
            verifiers: app.contracts.verifiers.to_string(),
            dids: app.contracts.dids.to_string(),
            anchors: app.contracts.anchors.to_string(),
        },
        push_key: app.push.application_server_key(),
        accounts: AccountsView {
            operator: app.facts.operator.to_string(),
            anchorer: app.facts.anchorer.to_string(),
        },
    })
}
