//! Figures for metrics and readiness: counts and ages, never ids.

use crate::{Error, Tx};
use vidimus_core::Timestamp;

/// How the store stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Commitments that wait for a batch.
    pub outbox_waiting: u64,
    /// Since when the oldest commitment without a final anchor waits.
    pub oldest_unanchored: Option<Timestamp>,
    /// Transactions that are not settled.
    pub transactions_open: u64,
    /// Copies whose payload is not in the blob store yet.
    pub copies_unpublished: u64,
    /// Deliveries to webhooks, people and wallets that wait.
    pub deliveries_waiting: u64,
    /// When the oldest of them was queued.
    pub oldest_delivery: Option<Timestamp>,
    /// Length of the audit log.
    pub audit_entries: u64,
    /// Time of its last entry.
    pub audit_time: Option<Timestamp>,
}

/// Reads them: each from an index that only holds what is open.
pub fn read(tx: &mut Tx<'_>) -> Result<Figures, Error> {
    let mut waiting = tx.query_exactly("SELECT COUNT(*), MIN(created) FROM outbox WHERE batch_id IS NULL", &[])?;
    let mut batched = tx.query_exactly(
        // In this order: SQLite would look at what every batch has.
        "SELECT MIN(o.created) FROM batches b CROSS JOIN outbox o WHERE o.batch_id = b.id AND b.state IN ('gathered', 'built')",
        &[],
    )?;
    let ages: [Option<Timestamp>; 2] = [waiting.take(1)?, batched.take(0)?];
    let mut deliveries = tx.query_exactly(
        "SELECT COUNT(*), MIN(created) FROM deliveries WHERE state = 'waiting'",
        &[],
    )?;
    let mut one = |statement| tx.query_exactly(statement, &[])?.take::<u64>(0);
    Ok(Figures {
        outbox_waiting: waiting.take(0)?,
        oldest_unanchored: ages.into_iter().flatten().min(),
        transactions_open: one(
            "SELECT COUNT(*) FROM transactions WHERE state IN ('queued', 'signed', 'sent', 'mined')",
        )?,
        copies_unpublished: one("SELECT COUNT(*) FROM copies WHERE state = 'signed'")?,
        deliveries_waiting: deliveries.take(0)?,
        oldest_delivery: deliveries.take(1)?,
        audit_entries: crate::audit::head(tx)?.sequence,
        audit_time: Some(crate::audit::head(tx)?)
            .filter(|head| head.sequence > 0)
            .map(|head| head.time),
    })
}

/// Writes and takes back a row, for readiness: whether the database takes writes now.
pub fn probe(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
    crate::limits::hit(tx, "probe", &[], 1, now).map(drop)
}
