//! Whose rows a caller may touch.

use crate::Error;
use vidimus_core::id::ParticipantId;

/// Whose rows a function may read and write. Functions over rows that belong to a participant ask for one; a row outside the scope is
/// treated exactly like a row that does not exist.
///
/// Whoever holds [`Scope::system`] holds everybody's rows: it is for jobs, and no request from outside may lead to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(Option<ParticipantId>);

impl Scope {
    /// The rows of one participant. Only the authenticator calls this, with the participant whose credentials it has just checked.
    pub const fn authenticated(participant: ParticipantId) -> Self {
        Self(Some(participant))
    }
    /// Every row: for background jobs and the deployment's own commands.
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
