//! Counters of guesses and of rare, dear actions. They are in the database because another instance must see them.

use crate::{Error, Tx, value::params};
use vidimus_core::Timestamp;

/// Counts one more of `kind` for `subject` (a hash, never an address or a name) and gives the count since the window began. The first one
/// begins a window of `seconds`; refuse when the count is above what is allowed, and do not count before asking.
pub fn hit(tx: &mut Tx<'_>, kind: &str, subject: &[u8], seconds: i64, now: Timestamp) -> Result<u64, Error> {
    hit_by(tx, kind, subject, 1, seconds, now)
}

/// The same for what counts as `many`.
pub fn hit_by(
    tx: &mut Tx<'_>,
    kind: &str,
    subject: &[u8],
    many: u64,
    seconds: i64,
    now: Timestamp,
) -> Result<u64, Error> {
    tx.query_exactly(
        "INSERT INTO limits (kind, subject, window_start, hits, expires) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (kind, subject) DO UPDATE SET \
         hits = CASE WHEN limits.expires <= $3 THEN $4 ELSE limits.hits + $4 END, \
         window_start = CASE WHEN limits.expires <= $3 THEN $3 ELSE limits.window_start END, \
         expires = CASE WHEN limits.expires <= $3 THEN $5 ELSE limits.expires END RETURNING hits",
        params![*kind, *subject, now, many, now.plus(seconds)],
    )?
    .take(0)
}

/// Forgets the count, after the right guess.
pub fn clear(tx: &mut Tx<'_>, kind: &str, subject: &[u8]) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM limits WHERE kind = $1 AND subject = $2",
        params![*kind, *subject],
    )
    .map(drop)
}

/// Removes windows that are over.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    tx.execute("DELETE FROM limits WHERE expires <= $1", params![now])
}
