//! Batches of commitments on their way to the chain: gathered, built (the root is known and its transaction queued), final.
//!
//! Each step is one transaction and can be repeated after a crash: gathering claims outbox rows for the batch, so no commitment is in two; the
//! order within a batch is that of the commitments' bytes, so it tells nothing about time and the same tree is built again; the anchoring
//! transaction is unique for its batch ([`crate::transactions::enqueue`] with the batch's id as its object).

use crate::{
    Error, Tx,
    value::{Row, names, params},
};
use vidimus_core::{Commitment, Digest, Timestamp, id::BatchId, receipt::BlockHash};

names! {
    /// Where a batch stands.
    pub enum State {
        /// Its commitments are chosen.
        Gathered = "gathered",
        /// Its root is known.
        Built = "built",
        /// Its anchor is in a final block.
        Final = "final",
    }
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// The chain.
    pub chain: u64,
    /// Where it stands.
    pub state: State,
    /// How many commitments.
    pub size: u64,
    /// Their Merkle root.
    pub root: Option<Digest>,
    /// When it was gathered.
    pub created: Timestamp,
}

/// The block that a root stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Hash of the transaction.
    pub transaction: BlockHash,
    /// The block's number.
    pub block_number: u64,
    /// The block's hash.
    pub block_hash: BlockHash,
    /// The block's time.
    pub block_time: Timestamp,
}

fn read(mut row: Row) -> Result<Batch, Error> {
    Ok(Batch {
        id: row.take(0)?,
        chain: row.take(1)?,
        state: row.take(2)?,
        size: row.take(3)?,
        root: row.take(4)?,
        created: row.take(5)?,
    })
}

/// Claims at most `limit` waiting commitments of a chain for a new batch and gives them in their order; empty, and no batch, when none waits.
pub fn gather(tx: &mut Tx<'_>, id: BatchId, chain: u64, limit: u32, now: Timestamp) -> Result<Vec<Commitment>, Error> {
    tx.execute(
        "INSERT INTO batches (id, chain, state, size, created) VALUES ($1, $2, 'gathered', 0, $3)",
        params![id, chain, now],
    )?;
    let size = tx.execute(
        "UPDATE outbox SET batch_id = $1 WHERE commitment IN (SELECT commitment FROM outbox WHERE chain = $2 AND batch_id IS NULL \
         ORDER BY created, commitment LIMIT $3) AND batch_id IS NULL",
        params![id, chain, limit],
    )?;
    if size == 0 {
        tx.execute("DELETE FROM batches WHERE id = $1", params![id])?;
        return Ok(Vec::new());
    }
    tx.execute("UPDATE batches SET size = $1 WHERE id = $2", params![size, id])?;
    commitments(tx, id)
}

/// The commitments of a batch, in their order.
pub fn commitments(tx: &mut Tx<'_>, id: BatchId) -> Result<Vec<Commitment>, Error> {
    tx.list(
        "SELECT commitment FROM outbox WHERE batch_id = $1 ORDER BY commitment",
        params![id],
        |mut row| row.take(0),
    )
}

/// Records the root; in the same transaction, queue the transaction that anchors it. `false` when it was built already.
pub fn build(tx: &mut Tx<'_>, id: BatchId, root: &Digest) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE batches SET root = $1, state = 'built' WHERE id = $2 AND state = 'gathered'",
        params![root, id],
    )?;
    Ok(rows == 1)
}

/// Records the final block of a batch's anchor; from now on its receipts are there. `false` when it was final already.
pub fn finish(tx: &mut Tx<'_>, id: BatchId, place: &Place) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE batches SET state = 'final', anchor_transaction = $1, block_number = $2, block_hash = $3, block_time = $4 \
         WHERE id = $5 AND state = 'built'",
        params![place.transaction, place.block_number, place.block_hash, place.block_time, id],
    )?;
    Ok(rows == 1)
}

/// A batch.
pub fn find(tx: &mut Tx<'_>, id: BatchId) -> Result<Option<Batch>, Error> {
    tx.find(
        "SELECT id, chain, state, size, root, created FROM batches WHERE id = $1",
        params![id],
        read,
    )
}

/// The batches that are not final, oldest first: where to go on after a restart.
pub fn open(tx: &mut Tx<'_>, chain: u64) -> Result<Vec<Batch>, Error> {
    tx.list(
        "SELECT id, chain, state, size, root, created FROM batches WHERE chain = $1 AND state IN ('gathered', 'built') \
         ORDER BY created, id",
        params![chain],
        read,
    )
}
