//! The record of what verifiers asked for and got by OpenID4VP. No values: it must not become a second copy of the certificates.

use serde::{Deserialize, Serialize};
use vidimus_core::{Digest, Timestamp};

/// How many answered requests are remembered, so that none is answered twice.
pub(crate) const MAX_ANSWERED: usize = 10_000;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was answered with what is listed.
    Presented,
    /// The holder said no, or the wallet did by itself.
    Declined,
}

/// What was shared of one certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What the certificate is called.
    pub title: String,
    /// Digest of the copy.
    pub digest: Digest,
    /// Names of the attributes.
    pub attributes: Vec<String>,
}

/// One request that came to an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// When.
    pub time: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// The verifier's client identifier.
    pub verifier: String,
    /// Its verified name, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the answer went.
    pub host: String,
    /// What for, as it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// How long it keeps it, as it said, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_seconds: Option<u64>,
    /// What it got.
    pub items: Vec<Item>,
}
