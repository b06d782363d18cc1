//! The check: one pure function from an input and what is known to a verdict with reasons.
//!
//! Every test that can be evaluated is evaluated, each with its own [`Reason`](vidimus_core::reason::Reason). A test that failed makes the
//! verdict *invalid*; one that the category (or the request) requires and that could not be decided, because something is missing or too
//! old, makes it *undetermined*; what a form of certificate cannot have is said to be *not applicable*. Nothing is ever passed because
//! something was not at hand.
//!
//! Decisions that a reader might look for:
//! - **Time of signing** is the `issued_at` that the issuer signed, but not later than a proven anchor, and not longer before it than the policy
//!   allows. A key that was revoked from some time on is judged by the anchor alone, since whoever stole a key can write any date: anchored
//!   before, it holds; anchored later, it is revoked; without a proven anchor it is revoked if it says so itself, and otherwise undetermined.
//! - **Suspended now** fails whatever was signed when: a suspension is a doubt about everything the issuer did. Revoked now fails for good.
//!   A category that was withdrawn leaves what was signed before it in force.
//! - **Lists of others** count for certificates of others alone, and where their signer is trusted for it or belongs to the issuer ([`ForeignList`]). What a
//!   certificate of others refers to has to be known: its status is required whatever its category requires.
//! - **Absence** in a list that is older than the policy allows proves nothing; presence of a revocation does.
//! - **Paper** (an HCERT) carries neither salt nor receipt. Offline they come as the text of a second code ([`Evidence`]); without it the check
//!   is undetermined, unless the verifier's policy waives it: *waived* is an outcome of its own, so that nobody takes it for *passed*.
//! - **Acceptance** is the one test whose failure does not make the verdict invalid by itself: the category decides.

pub mod bundle;
mod context;
mod envelope;
mod evaluate;
mod foreign_list;
mod input;
mod lists;
mod reading;
pub mod registry;
mod report;
mod roots;
mod signer;
mod trust;

pub use crate::format::evidence::Evidence;
pub use bundle::Bundle;
pub use context::{Context, Expected, Policy};
pub use envelope::Envelope;
pub use evaluate::check;
pub use foreign_list::ForeignList;
pub use input::{Input, MAX_INPUT};
pub use lists::{ListError, StatusLists};
pub use registry::{Head, Registry};
pub use report::{Ages, Certificate, IssuerSummary, Report, TestResult, Verdict, Verified};
pub use roots::{Root, Roots};
pub use trust::{MAX_TRUST_LIST, Signer, TrustAnchors, TrustList, TrustListError, Usage};

/// Reads `bytes` and checks what they are ([`Input::parse`], [`check`]).
pub fn check_bytes(bytes: &[u8], context: &Context<'_>) -> Report {
    check_with_evidence(bytes, None, context)
}

/// [`check_bytes`] of paper whose evidence was scanned apart from it.
pub fn check_with_evidence(bytes: &[u8], evidence: Option<&str>, context: &Context<'_>) -> Report {
    match Input::parse_with(bytes, evidence) {
        Ok(input) => evaluate::check_taken(input, context),
        Err(reason) => Report::refused(reason, context.now),
    }
}
