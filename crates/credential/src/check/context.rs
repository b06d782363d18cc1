//! What a check is made with.

use super::{Registry, Roots, StatusLists, TrustList};
use crate::category::Categories;
use vidimus_core::{Provider, Timestamp};

/// How old what is known may be, and how far clocks may differ. Seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Age from which the registry is stale.
    pub registry_max_age: i64,
    /// Age from which a status list is stale; its own `exp` and `ttl` hold as well.
    pub status_max_age: i64,
    /// Grace after a status list's own end, for checkers that are offline.
    pub status_grace: i64,
    /// Age from which the list of anchors is stale.
    pub anchors_max_age: i64,
    /// Age from which a foreign trust list is stale.
    pub trust_max_age: i64,
    /// How long an anchor may come after the signature. Beyond it the date that the issuer wrote is not believed: the copy counts as signed
    /// so long before its anchor. Bounds what an issuer that lost its admission gains by writing an earlier date.
    pub anchor_lag: i64,
    /// By how much two clocks may differ.
    pub clock_skew: i64,
    /// How long a presentation may be used, whatever it says itself.
    pub presentation_max_age: i64,
    /// Accept paper without its evidence, on signature, registry and status alone. Off unless a verifier chooses it; the report says so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paper_without_evidence: bool,
}

impl Default for Policy {
    /// A day for the registry and status lists, a week for anchors and foreign trust lists, a minute between clocks, five minutes for a
    /// presentation, a day from signature to anchor, no grace, no paper without evidence.
    fn default() -> Self {
        Self {
            registry_max_age: 86_400,
            status_max_age: 86_400,
            status_grace: 0,
            anchors_max_age: 7 * 86_400,
            trust_max_age: 7 * 86_400,
            anchor_lag: 86_400,
            clock_skew: 60,
            presentation_max_age: 300,
            paper_without_evidence: false,
        }
    }
}

/// The verifier's request that a presentation has to answer. Remembering which nonces were used up is the caller's: a check is pure.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The nonce of the request.
    pub nonce: String,
    /// Who asked: the verifier's DID or URL, as the request said it.
    pub audience: String,
    /// What for; compared when it is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// Everything a check is made with. What is absent makes the tests that need it *missing*, never passed.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The time of the check.
    pub now: Timestamp,
    /// The cryptography.
    pub provider: &'a dyn Provider,
    /// The categories that are known.
    pub categories: &'a Categories,
    /// The registry of issuers.
    pub registry: Option<&'a Registry>,
    /// Status lists that were fetched and verified.
    pub status: &'a StatusLists,
    /// Anchors: the ledger's answer, or cached ones.
    pub roots: Option<&'a Roots>,
    /// Foreign document signers that the caller trusts.
    pub trust: Option<&'a TrustList>,
    /// How old all that may be.
    pub policy: Policy,
    /// The request that a presentation has to answer.
    pub expected: Option<&'a Expected>,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
