//! Whose rows a caller may touch.

use crate::Error;
use vidimus_core::id::ParticipantId;

/// Whose rows a function may read and write. Functions over rows that belong to a participant ask for one; a row outside the scope is
/// treated exactly like a row that does not exist.
///
/// Three ways lead to one, and which code takes which is tested (`documents` in the service's tests). What a request does for its caller, it
/// does with [`Scope::authenticated`]. Other scopes are for what is not the caller's own, and say so by their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(Option<ParticipantId>);

impl Scope {
    /// The rows of a caller whose credentials were checked: only the service's `Principal` makes it.
    pub const fn authenticated(participant: ParticipantId) -> Self {
        Self(Some(participant))
    }
    /// The rows of one participant for which somebody else acts who may: the authority that admits it, reads it or changes its keys; the
    /// operator that recovers the authority; the ledger's reader, for its accounts; a wallet that the participant's own offer or request leads to,
    /// for what its token permits. The caller has looked whether they may.
    pub const fn on_behalf_of(participant: ParticipantId) -> Self {
        Self(Some(participant))
    }
    /// Every row: for background jobs, the deployment's own keys and commands, and in a request for these alone: a key that a row in the caller's
    /// scope names; the salt and receipt of a copy whose signed bytes were shown; keys and certificates that the bundle publishes; and whether
    /// a person has a valid certificate already, whoever issued it.
    pub const fn system() -> Self {
        Self(None)
    }
    /// The participant, or none for the system.
    pub const fn participant(&self) -> Option<ParticipantId> {
        self.0
    }
    /// Whether rows of `participant` are within.
    pub fn covers(&self, participant: ParticipantId) -> bool {
        self.0.is_none_or(|own| own == participant)
    }
    pub(crate) fn check(&self, participant: ParticipantId) -> Result<(), Error> {
        if self.covers(participant) {
            Ok(())
        } else {
            Err(Error::Scope)
        }
    }
}
