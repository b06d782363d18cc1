//! The record of what was shown to whom. It has no values: it must not become a second copy of the certificates.

use serde::{Deserialize, Serialize};
use vidimus_core::{Digest, Timestamp};

/// One presentation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// When.
    pub time: Timestamp,
    /// To whom: the verifier's DID.
    pub audience: String,
    /// What for, as the verifier said.
    pub purpose: Option<String>,
    /// Which categories.
    pub categories: Vec<String>,
    /// Digests of the copies that were shown.
    pub digests: Vec<Digest>,
}
