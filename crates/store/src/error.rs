//! What can go wrong in the store, by what the caller can do about it.

use std::sync::Arc;

/// A failure of the store. Nothing here repeats a value of a row: values may be personal.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// What was to be written does not fit what is there. The caller's to resolve; repeating it changes nothing.
    #[error("it does not fit what is stored ({constraint})")]
    Conflict {
        /// Name of the index, key or check that refused, the same on both databases; `foreign_key` for any foreign key.
        constraint: Arc<str>,
    },
    /// Not now: the disk is full, the database does not answer, too much waits. Nothing was written; retry later.
    #[error("the database is not available: {reason}")]
    Unavailable {
        /// Cause and next step.
        reason: &'static str,
        /// The driver's error code.
        code: Code,
    },
    /// A commit failed and nobody knows whether it took. The store refuses every later write: stop the process and start it again, which
    /// reads what is really there.
    #[error("a commit failed with an unknown outcome (code {code}); the process must stop and start again")]
    Fatal {
        /// The driver's error code.
        code: Code,
    },
    /// What is stored is damaged. Restore from a backup.
    #[error("the database is damaged ({place}); restore it from a backup")]
    Corrupt {
        /// Table or file, never a value.
        place: Arc<str>,
    },
    /// Written by a newer version of Vidimus.
    #[error(
        "the database has schema {found}, this version knows {known}: start the version that wrote it, or a newer one"
    )]
    SchemaNewer {
        /// Newest migration in the database.
        found: u32,
        /// Newest migration this program knows.
        known: u32,
    },
    /// An applied migration is not the one this program carries.
    #[error(
        "migration {number} ({name}) was applied in another wording: this database was not made by a release of this program"
    )]
    SchemaChanged {
        /// The migration.
        number: u32,
        /// Its name.
        name: Arc<str>,
    },
    /// A migration did not run through; it was rolled back.
    #[error("migration {number} ({name}) failed and was rolled back")]
    Migration {
        /// The migration.
        number: u32,
        /// Its name.
        name: Arc<str>,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// The database cannot be opened as configured.
    #[error("the database cannot be opened: {reason}")]
    Open {
        /// Cause and next step.
        reason: Arc<str>,
    },
    /// The row is another participant's. To callers it is not there.
    #[error("out of scope")]
    Scope,
    /// A statement of ours is wrong.
    #[error("a statement failed (code {code}): {statement}")]
    Statement {
        /// The driver's error code.
        code: Code,
        /// Text of the statement; it holds no values.
        statement: Arc<str>,
    },
}

/// The driver's error code: SQLite's extended result code or PostgreSQL's SQLSTATE.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(pub(crate) Arc<str>);

impl Code {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error {
    /// Whether the same request may succeed later, unchanged.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
    /// Whether the process has to stop.
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Fatal { .. })
    }
    /// The constraint that refused, if one did.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Conflict { constraint } => Some(constraint),
            _ => None,
        }
    }
    pub(crate) const fn code(&self) -> Option<&Code> {
        match self {
            Self::Unavailable { code, .. } | Self::Fatal { code } | Self::Statement { code, .. } => Some(code),
            _ => None,
        }
    }
    pub(crate) fn corrupt(place: &str) -> Self {
        Self::Corrupt { place: place.into() }
    }
    pub(crate) fn unavailable(reason: &'static str, code: &str) -> Self {
        Self::Unavailable {
            reason,
            code: Code::new(code),
        }
    }
    pub(crate) fn open(reason: impl Into<Arc<str>>) -> Self {
        Self::Open { reason: reason.into() }
    }
    pub(crate) fn conflict(constraint: &str) -> Self {
        Self::Conflict {
            constraint: constraint.into(),
        }
    }
}
