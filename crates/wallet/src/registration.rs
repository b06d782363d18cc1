//! What the registry says of a verifier, as far as the wallet knows it.

use serde::{Deserialize, Serialize};
use vidimus_core::{Digest, Timestamp};

/// How a participant stands in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Admitted.
    Active,
    /// For the time being it may not ask.
    Suspended,
    /// It may not ask any more.
    Revoked,
}

/// A verifier's entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name there.
    pub name: String,
    /// Its DID.
    pub did: String,
    /// How it stands.
    pub state: State,
    /// Attributes that it may ask for.
    pub attributes: Vec<String>,
    /// Purposes that it may ask for them for.
    pub purposes: Vec<String>,
    /// SHA-256 of the certificates of its keys.
    #[serde(default)]
    pub certificates: Vec<Digest>,
}

/// A registry's verifiers, as they were at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Where it was read.
    pub source: String,
    /// When.
    pub as_of: Timestamp,
    /// The entries.
    pub entries: Vec<Entry>,
}

impl Registry {
    /// The entry of who asks: by its DID, or by the certificate that signed.
    pub fn find(&self, did: Option<&str>, certificate: Option<&Digest>) -> Option<&Entry> {
        let is = |entry: &&Entry| {
            did.is_some_and(|did| entry.did == did)
                || certificate.is_some_and(|certificate| entry.certificates.contains(certificate))
        };
        // Where two entries have one key, the worse one counts.
        let found = self.entries.iter().filter(is);
        found.max_by_key(|entry| match entry.state {
            State::Active => 0,
            State::Suspended => 1,
            State::Revoked => 2,
        })
    }
}

/// How a verifier stands, and how old the knowledge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Admitted.
    Admitted,
    /// Admitted, when the registry was last read; too long ago to rely on.
    Stale,
    /// Suspended.
    Suspended,
    /// Revoked.
    Revoked,
    /// No registry that the wallet knows has it.
    Unknown,
}

/// What the wallet refuses by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Verifiers that no registry has, or whose entry is too old, are refused.
    pub registered_only: bool,
    /// How old what is known of the registry may be, in seconds.
    pub max_age: i64,
}

impl Policy {
    /// Only verifiers that are registered, by a registry that was read within a day.
    pub const STRICT: Self = Self {
        registered_only: true,
        max_age: 86_400,
    };
    /// Also verifiers that nobody registered.
    pub const OPEN: Self = Self {
        registered_only: false,
        ..Self::STRICT
    };

    pub(crate) fn standing(&self, entry: Option<&Entry>, as_of: Timestamp, now: Timestamp) -> Standing {
        match entry.map(|entry| entry.state) {
            None => Standing::Unknown,
            Some(State::Suspended) => Standing::Suspended,
            Some(State::Revoked) => Standing::Revoked,
            Some(State::Active) if now.since(as_of) > self.max_age => Standing::Stale,
            Some(State::Active) => Standing::Admitted,
        }
    }
}
