//! Who asks: made by authentication (`http/auth.rs`, or the CLI acting on its own files), passed to every application function.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use vidimus_core::id::{ApiKeyId, ParticipantId};
use vidimus_store::{Scope, participants::Participant};

/// What a participant is admitted as. One participant has one role here; an organisation that is both laboratory and airline is admitted twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Admits, suspends, revokes; one per deployment.
    Authority,
    /// Reports results and issues certificates.
    Issuer,
    /// Asks for attributes and checks.
    Verifier,
}

impl Role {
    /// The name as it stands in the database and in APIs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Issuer => "issuer",
            Self::Verifier => "verifier",
        }
    }
    /// The inverse of [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Authority, Self::Issuer, Self::Verifier]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// What an API key may be used for, within what its participant may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Read what is the participant's own.
    Read,
    /// Report results, issue and revoke certificates.
    Issue,
    /// Ask for checks.
    Check,
    /// Change keys, API keys and, for the authority, other participants.
    Admin,
    /// Read metrics and send raw transactions.
    Operate,
}

impl Permission {
    /// The name as it stands in APIs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Issue => "issue",
            Self::Check => "check",
            Self::Admin => "admin",
            Self::Operate => "operate",
        }
    }
    /// The inverse of [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Issue, Self::Check, Self::Admin, Self::Operate]
            .into_iter()
            .find(|p| p.name() == name)
    }
}

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The participant it acts for.
    pub participant: ParticipantId,
    /// What that participant is.
    pub role: Role,
    /// The API key it came with; none for the deployment's own commands.
    pub api_key: Option<ApiKeyId>,
    /// What that key may be used for.
    pub permissions: Vec<Permission>,
    /// The participant's row, as it was when the caller was authenticated.
    pub row: Arc<Participant>,
}

impl Principal {
    /// The rows of the participant it acts for. No other place makes an authenticated scope.
    pub const fn scope(&self) -> Scope {
        Scope::authenticated(self.participant)
    }
}
