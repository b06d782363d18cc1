//! Background jobs: rows, inserted in the transaction of what caused them, claimed with leases, so that several instances share them and a
//! crash only delays them. Jobs run at least once and must be idempotent.

use crate::{
    Error, Tx,
    value::{Row, params},
};
use vidimus_core::{Timestamp, id::JobId};

/// A job that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What kind of work.
    pub kind: String,
    /// What tells two jobs of one kind apart.
    pub unique_key: String,
    /// What the work needs to know: ids, never personal data.
    pub payload: Vec<u8>,
    /// Grows when the job is asked for again; [`complete`] keeps the job when it has grown since.
    pub version: u64,
    /// How often it was claimed, this time included.
    pub attempts: u32,
    /// Code of the last failure.
    pub last_error: Option<String>,
}

/// Asks for a job at `run_at`. When the same kind and key waits already, it runs at the earlier of both times; when it is running, once more.
pub fn enqueue(
    tx: &mut Tx<'_>,
    id: JobId,
    kind: &str,
    unique_key: &str,
    payload: &[u8],
    run_at: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO jobs (id, kind, unique_key, payload, version, run_at, attempts, lease_until, created) \
         VALUES ($1, $2, $3, $4, 1, $5, 0, 0, $6) ON CONFLICT (kind, unique_key) DO UPDATE SET version = jobs.version + 1, \
         payload = excluded.payload, run_at = CASE WHEN excluded.run_at < jobs.run_at THEN excluded.run_at ELSE jobs.run_at END",
        params![id, *kind, *unique_key, *payload, run_at, now],
    )
    .map(drop)
}

/// Makes sure that a recurring job exists, without asking for it sooner.
pub fn ensure(tx: &mut Tx<'_>, id: JobId, kind: &str, unique_key: &str, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "INSERT INTO jobs (id, kind, unique_key, payload, version, run_at, attempts, lease_until, created) \
         VALUES ($1, $2, $3, $4, 1, $5, 0, 0, $5) ON CONFLICT (kind, unique_key) DO NOTHING",
        params![id, *kind, *unique_key, [0_u8; 0], now],
    )?;
    Ok(rows == 1)
}

fn read(mut row: Row) -> Result<Job, Error> {
    Ok(Job {
        id: row.take(0)?,
        kind: row.take(1)?,
        unique_key: row.take(2)?,
        payload: row.take(3)?,
        version: row.take(4)?,
        attempts: row.take(5)?,
        last_error: row.take(6)?,
    })
}

/// Claims at most `limit` due jobs for `owner` (random for each process) until `lease_until`. A lease that ran out is anybody's.
pub fn claim(
    tx: &mut Tx<'_>,
    owner: &[u8; 16],
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Job>, Error> {
    let rows = tx.query(
        "UPDATE jobs SET lease_owner = $1, lease_until = $2, attempts = attempts + 1 WHERE id IN (SELECT id FROM jobs \
         WHERE run_at <= $3 AND lease_until <= $3 ORDER BY run_at, id LIMIT $4) AND run_at <= $3 AND lease_until <= $3 \
         RETURNING id, kind, unique_key, payload, version, attempts, last_error",
        params![*owner, lease_until, now, limit],
    )?;
    rows.into_iter().map(read).collect()
}

/// Keeps a lease; `false` when it was lost, and the work must stop.
pub fn extend(tx: &mut Tx<'_>, id: JobId, owner: &[u8; 16], lease_until: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE jobs SET lease_until = $1 WHERE id = $2 AND lease_owner = $3",
        params![lease_until, id, *owner],
    )?;
    Ok(rows == 1)
}

/// Ends a job that was done; one that was asked for again meanwhile becomes due again. `false` when the lease was lost.
pub fn complete(tx: &mut Tx<'_>, job: &Job, owner: &[u8; 16]) -> Result<bool, Error> {
    let gone = tx.execute(
        "DELETE FROM jobs WHERE id = $1 AND lease_owner = $2 AND version = $3",
        params![job.id, *owner, job.version],
    )?;
    if gone == 1 {
        return Ok(true);
    }
    let again = tx.execute(
        "UPDATE jobs SET lease_owner = NULL, lease_until = 0, attempts = 0, last_error = NULL WHERE id = $1 AND lease_owner = $2",
        params![job.id, *owner],
    )?;
    Ok(again == 1)
}

/// Puts a recurring job that was done back for `run_at`; one that was asked for meanwhile stays due. `false` when the lease was lost.
pub fn repeat(tx: &mut Tx<'_>, job: &Job, owner: &[u8; 16], run_at: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE jobs SET run_at = CASE WHEN version = $1 THEN $2 ELSE run_at END, lease_owner = NULL, lease_until = 0, \
         attempts = 0, last_error = NULL WHERE id = $3 AND lease_owner = $4",
        params![job.version, run_at, job.id, *owner],
    )?;
    Ok(rows == 1)
}

/// Puts a job that failed back for `retry_at`, with a code. `false` when the lease was lost.
pub fn fail(tx: &mut Tx<'_>, id: JobId, owner: &[u8; 16], code: &str, retry_at: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE jobs SET lease_owner = NULL, lease_until = 0, last_error = $1, run_at = $2 WHERE id = $3 AND lease_owner = $4",
        params![*code, retry_at, id, *owner],
    )?;
    Ok(rows == 1)
}
