//! What can go wrong in an application function, by who is to blame. `http/error.rs` turns these into problem documents and the CLI into
//! exit codes; nothing else knows status codes.

use std::fmt;

/// A refusal or failure of an application function.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller sent something that cannot be: mend the request.
    #[error("{0}")]
    Invalid(Problem),
    /// The caller may not do this, whoever owns it.
    #[error("{0}")]
    Forbidden(Problem),
    /// Not there, or not the caller's: the two answer alike.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It does not fit what is already there: read the current state first.
    #[error("{0}")]
    Conflict(Problem),
    /// The deployment is not set up far enough for this.
    #[error("{0}")]
    NotReady(Problem),
    /// The ledger could not be reached or refused; retry later. Nothing was lost.
    #[error("the ledger is not available")]
    Ledger(#[from] vidimus_ledger::LedgerError),
    /// The database.
    #[error("the store is not available")]
    Store(#[from] vidimus_store::Error),
    /// The blob store.
    #[error("the blob store is not available")]
    Blobs(#[from] vidimus_store::blobs::Error),
    /// Cryptography failed on what we ourselves keep: a wrong root key, or damage.
    #[error("a kept key or ciphertext does not open")]
    Crypto(#[from] vidimus_crypto::Error),
    /// An invariant of ours does not hold. The text is for the log and holds no personal data.
    #[error("internal: {0}")]
    Internal(&'static str),
}

/// Cause and next step of a refusal, under a stable name that programs match on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable name, `kebab-case`.
    pub name: &'static str,
    /// The cause; never repeats a personal value.
    pub detail: String,
    /// What to do next.
    pub next: &'static str,
    /// Where in the request, as JSON pointers or FHIR paths, when there are several causes.
    pub places: Vec<Place>,
    /// In how many seconds to try again, where that is known.
    pub retry_after: Option<u64>,
}

/// One place in a request that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// JSON pointer or FHIR path.
    pub pointer: String,
    /// Stable name of what is wrong there.
    pub code: String,
    /// What is wrong there, without the value.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.detail, self.next)
    }
}

impl Problem {
    /// A problem without places.
    pub fn new(name: &'static str, detail: impl Into<String>, next: &'static str) -> Self {
        Self {
            name,
            detail: detail.into(),
            next,
            places: Vec::new(),
            retry_after: None,
        }
    }
}

impl Error {
    /// The same refusal, with the time after which another try can succeed.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        if let Self::Invalid(problem) | Self::Forbidden(problem) | Self::Conflict(problem) | Self::NotReady(problem) =
            &mut self
        {
            problem.retry_after = Some(seconds);
        }
        self
    }

    /// [`Error::Invalid`] in short.
    pub fn invalid(name: &'static str, detail: impl Into<String>, next: &'static str) -> Self {
        Self::Invalid(Problem::new(name, detail, next))
    }
    /// [`Error::Conflict`] in short.
    pub fn conflict(name: &'static str, detail: impl Into<String>, next: &'static str) -> Self {
        Self::Conflict(Problem::new(name, detail, next))
    }
    /// [`Error::Forbidden`] in short.
    pub fn forbidden(name: &'static str, detail: impl Into<String>, next: &'static str) -> Self {
        Self::Forbidden(Problem::new(name, detail, next))
    }
}
