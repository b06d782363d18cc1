//! Idempotency keys: the same key with the same request gives the same answer, with another request a conflict.
//!
//! `reference` leads from a key to what its request has begun (ids that were drawn for it), so that a retry after a crash goes on with the same
//! intent instead of a second one. Neither reference nor response holds personal data in clear.

use crate::{Error, Tx, value::params};
use vidimus_core::{Digest, Timestamp, id::ParticipantId};

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// First time: do it.
    New,
    /// Begun before, by a process that has not finished in time: go on with what `reference` names.
    Resumed {
        /// As it was given the first time.
        reference: Vec<u8>,
    },
    /// Another process is at it now.
    Running {
        /// Until when, unless it ends before.
        until: Timestamp,
    },
    /// Done: give this answer again.
    Done {
        /// As it was given the first time.
        response: Vec<u8>,
    },
    /// The key was used for another request.
    Mismatch,
}

/// Looks a key up and, where it is new or was left behind, takes it until `lease_until`. Commit this together with the intent.
#[allow(clippy::too_many_arguments, reason = "a row")]
pub fn begin(
    tx: &mut Tx<'_>,
    participant: ParticipantId,
    key: &str,
    request: &Digest,
    reference: &[u8],
    now: Timestamp,
    lease_until: Timestamp,
    expires: Timestamp,
) -> Result<Begin, Error> {
    // A key that has expired is as good as new, also for another request.
    let rows = tx.execute(
        "INSERT INTO idempotency (participant_id, idempotency_key, request_digest, reference, state, lease_until, expires) \
         VALUES ($1, $2, $3, $4, 'running', $5, $6) ON CONFLICT (participant_id, idempotency_key) DO UPDATE SET \
         request_digest = excluded.request_digest, reference = excluded.reference, state = 'running', response = NULL, \
         lease_until = excluded.lease_until, expires = excluded.expires WHERE idempotency.expires <= $7",
        params![participant, *key, request, *reference, lease_until, expires, now],
    )?;
    if rows == 1 {
        return Ok(Begin::New);
    }
    let mut row = tx.query_exactly(
        "SELECT request_digest, state, response, reference, lease_until FROM idempotency WHERE participant_id = $1 AND idempotency_key = $2",
        params![participant, *key],
    )?;
    if row.take::<Digest>(0)? != *request {
        return Ok(Begin::Mismatch);
    }
    if row.take::<String>(1)? == "done" {
        return Ok(Begin::Done { response: row.take(2)? });
    }
    let taken = tx.execute(
        "UPDATE idempotency SET lease_until = $1 WHERE participant_id = $2 AND idempotency_key = $3 AND state = 'running' \
         AND lease_until <= $4",
        params![lease_until, participant, *key, now],
    )?;
    Ok(if taken == 1 {
        Begin::Resumed {
            reference: row.take(3)?,
        }
    } else {
        Begin::Running { until: row.take(4)? }
    })
}

/// Keeps the answer. Commit this together with the results. `false` when the key is not running any more.
pub fn finish(tx: &mut Tx<'_>, participant: ParticipantId, key: &str, response: &[u8]) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE idempotency SET state = 'done', response = $1 WHERE participant_id = $2 AND idempotency_key = $3 \
         AND state = 'running'",
        params![*response, participant, *key],
    )?;
    Ok(rows == 1)
}

/// Notes what a request has done, in the transaction that does it; once. `false` where another process noted something or took the key away:
/// give the transaction up.
pub fn note(tx: &mut Tx<'_>, participant: ParticipantId, key: &str, reference: &[u8]) -> Result<bool, Error> {
    let nothing: &[u8] = &[];
    let rows = tx.execute(
        "UPDATE idempotency SET reference = $1 WHERE participant_id = $2 AND idempotency_key = $3 AND state = 'running' \
         AND reference = $4",
        params![*reference, participant, *key, *nothing],
    )?;
    Ok(rows == 1)
}

/// Lets a key go whose request was refused, so that it can be sent again once mended. One whose work is noted stays.
pub fn release(tx: &mut Tx<'_>, participant: ParticipantId, key: &str) -> Result<(), Error> {
    let nothing: &[u8] = &[];
    tx.execute(
        "DELETE FROM idempotency WHERE participant_id = $1 AND idempotency_key = $2 AND state = 'running' AND reference = $3",
        params![participant, *key, *nothing],
    )
    .map(drop)
}

/// Removes keys that have expired.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    tx.execute("DELETE FROM idempotency WHERE expires <= $1", params![now])
}
