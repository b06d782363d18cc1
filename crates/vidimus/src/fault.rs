//! Fail-points: steps of the durable work at which a test ends the process, as a power cut would.
//!
//! Only builds with debug assertions have them; in others [`point`] is nothing. `VIDIMUS_FAILPOINT=after-intent:3` aborts when the third
//! request passes [`AFTER_INTENT`].

/// The intent is committed, nothing is signed.
pub const AFTER_INTENT: &str = "after-intent";
/// The copies are signed, nothing of it is committed.
pub const AFTER_SIGN: &str = "after-sign";
/// The copies are committed, nobody was told.
pub const AFTER_COMPLETE: &str = "after-complete";
/// A batch has its commitments, no root.
pub const AFTER_GATHER: &str = "after-gather";
/// A batch has its root, and its transaction is queued.
pub const AFTER_ENQUEUE: &str = "after-enqueue";
/// A transaction is signed and stored, not sent.
pub const AFTER_RAW: &str = "after-raw";
/// A transaction is with the ledger, which we have not noted.
pub const AFTER_SUBMIT: &str = "after-submit";
/// A batch's transaction is final, no proof is kept.
pub const AFTER_MINED: &str = "after-mined";
/// The proofs of a batch are kept, it is not final yet.
pub const AFTER_PROOFS: &str = "after-proofs";

/// A wallet's code is redeemed, and its token on no way yet.
pub const AFTER_TOKEN: &str = "after-token";
/// A wallet's answer to a request is kept, and nobody was told.
pub const AFTER_ANSWER: &str = "after-answer";

/// Every fail-point on a wallet's way.
pub const OF_WALLETS: [&str; 5] = [AFTER_TOKEN, AFTER_ANSWER, AFTER_COMPLETE, AFTER_SIGN, AFTER_INTENT];

/// Every fail-point of issuing and anchoring.
pub const ALL: [&str; 9] = [
    AFTER_INTENT,
    AFTER_SIGN,
    AFTER_COMPLETE,
    AFTER_GATHER,
    AFTER_ENQUEUE,
    AFTER_RAW,
    AFTER_SUBMIT,
    AFTER_MINED,
    AFTER_PROOFS,
];

/// Ends the process here if it was started to.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };
    static WANTED: LazyLock<Option<(String, AtomicU32)>> = LazyLock::new(|| {
        let text = std::env::var("VIDIMUS_FAILPOINT").ok()?;
        let (name, passes) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), AtomicU32::new(passes.parse().ok()?)))
    });
    if let Some((wanted, passes)) = &*WANTED
        && wanted == name
        && passes.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}

/// Nothing: this build has no fail-points.
#[cfg(not(debug_assertions))]
pub const fn point(_: &'static str) {}
