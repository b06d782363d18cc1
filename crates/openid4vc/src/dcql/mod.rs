//! The Digital Credentials Query Language (OpenID4VP 1.0 §6) and claims path pointers (§7).
//!
//! A verifier builds a [`Query`] or reads its own back; a wallet reads one, [`evaluate`]s it over what it holds, and lets the holder choose among the
//! [`Match`]es; [`check_response`] tells the verifier whether what came back answers it. What is wrong with a query is the verifier's
//! fault, and a wallet says so with [`QueryError::CODE`].
//!
//! # What bounds an evaluation
//!
//! A query is outside input and may be made to be slow. Everything in it is counted while it is read, and a query beyond a limit of [`limit`] is refused,
//! not cut. What is left is plain: each candidate is looked at once for each credential query, each claim of the query at most once for
//! each candidate, and credential and claim sets are compared as bits of one word. There is no search: DCQL has no «not», so sets cannot
//! contradict each other, and a query is satisfiable when each required set has an option whose every member has a match.

mod answer;
mod evaluate;
mod path;
mod query;
mod read;
mod write;

pub use answer::{AnswerError, Chosen, check_response};
pub use evaluate::{Authority, Candidate, Evaluation, Match, Mismatch, SetOutcome, Type, evaluate};
pub use path::{Component, Location, Path, Step};
pub use query::{Claim, Credential, CredentialSet, Kind, Query, QueryError, TrustedAuthority, Value};

/// The limits of a query. They leave room for what a person could be asked in one go, many times over.
pub mod limit {
    /// Bytes of JSON of a whole query.
    pub const BYTES: usize = 64 << 10;
    /// Credential queries.
    pub const CREDENTIALS: usize = 64;
    /// Claims in one credential query.
    pub const CLAIMS: usize = 128;
    /// Claims in all credential queries together.
    pub const ALL_CLAIMS: usize = 512;
    /// Claim sets in one credential query.
    pub const CLAIM_SETS: usize = 64;
    /// Credential sets.
    pub const CREDENTIAL_SETS: usize = 64;
    /// Options in one credential set.
    pub const OPTIONS: usize = 64;
    /// Identifiers in one option or claim set.
    pub const MEMBERS: usize = 128;
    /// Values that a claim may have.
    pub const VALUES: usize = 256;
    /// Values in all claims together.
    pub const ALL_VALUES: usize = 4096;
    /// Types in `meta`, and in each alternative of them.
    pub const TYPES: usize = 64;
    /// Authorities in one credential query, and values in each.
    pub const AUTHORITIES: usize = 64;
    /// Components of a claims path.
    pub const PATH: usize = 32;
    /// Bytes of an identifier.
    pub const ID: usize = 256;
    /// Bytes of any other text.
    pub const TEXT: usize = 2048;
}
