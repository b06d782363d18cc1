//! The chain as the application sees it: the contracts of the deployment, the registries rebuilt from their events, and the way in for
//! transactions.
//!
//! - `creation` puts the contracts there, `authority` hands them over. [`accounts`] says who acts for whom.
//! - `outbound` is everything that is sent: queued with what it belongs to, signed, stored, sent, and sent again. `replacement` offers more
//!   for what blocks pass by.
//! - `delegates` knows under which number an issuer's key stands in its DID document.
//! - `follow` reads events into the derived tables, `registries` makes of them what checks lean on, `mirror` takes it into our rows.

pub mod accounts;
mod authority;
mod creation;
mod delegates;
mod follow;
mod mirror;
mod outbound;
mod registries;
mod replacement;

pub use authority::{
    ATTRIBUTE_VALIDITY, Owner, announce_signing_key, change_owner, changes_under_way, hand_over, is_handed_over,
    is_rotating, prepare_hand_over, rotation_under_way, withdraw_signing_key,
};
pub use creation::ensure_contracts;
pub use delegates::Delegates;
pub use follow::{catch_up, rebuild};
pub use outbound::{Call, Plan, account_key, await_success, dispatch, enqueue, floor, send, submit_signed};
pub use registries::empty_registries;
pub use replacement::replace;

use crate::app::{App, principal::Role};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use vidimus_core::Address;
use vidimus_ledger::contracts::Contract;

/// Addresses of the deployment's contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contracts {
    /// Who may issue.
    pub issuers: Address,
    /// Who may ask.
    pub verifiers: Address,
    /// ERC-1056.
    pub dids: Address,
    /// Merkle roots.
    pub anchors: Address,
}

/// How long a transaction may take to be mined before we say that the ledger is slow.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Gas that any call of ours stays below; a call that needs more reverts, and says so.
pub const CALL_GAS: u64 = 1_500_000;
/// The operator's first transactions: the contracts, and the anchorer's permission.
const CREATIONS: u64 = Contract::ALL.len() as u64 + 1;

impl Contracts {
    /// Those that have an authority.
    pub fn governed(&self) -> [Address; 3] {
        [self.issuers, self.verifiers, self.anchors]
    }

    fn all(&self) -> [(Contract, Address); 4] {
        [
            (Contract::IssuerRegistry, self.issuers),
            (Contract::VerifierRegistry, self.verifiers),
            (Contract::EthereumDidRegistry, self.dids),
            (Contract::Anchors, self.anchors),
        ]
    }
}

/// The registry a role stands in.
pub fn registry_of(app: &App, role: Role) -> Address {
    match role {
        Role::Issuer => app.contracts.issuers,
        _ => app.contracts.verifiers,
    }
}
