//! What was read from the chain. These tables hold nothing of their own: [`drop_derived`] and reading again gives the same [`digest`].

use crate::{
    Error, Tx, delegates,
    value::{Row, params},
};
use vidimus_core::{Address, Digest, Timestamp, Transcript, receipt::BlockHash};

/// How far a chain was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The last block that was read.
    pub block_number: u64,
    /// Its hash: when the chain has another at this number, it was reorganised.
    pub block_hash: BlockHash,
    /// Its time: the age of what we know.
    pub block_time: Timestamp,
}

/// A contract's event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The block's number.
    pub block_number: u64,
    /// The event's place in the block.
    pub log_index: u64,
    /// The block's hash.
    pub block_hash: BlockHash,
    /// The block's time.
    pub block_time: Timestamp,
    /// Hash of the transaction.
    pub transaction: BlockHash,
    /// The contract that emitted it.
    pub contract: Address,
    /// Its name in the contract's interface, such as `Approved`.
    pub kind: String,
    /// The account it is about: participant or identity.
    pub subject: Address,
    /// Its arguments, as JSON.
    pub payload: String,
}

/// A root on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The root.
    pub root: Digest,
    /// Commitments under it.
    pub size: u64,
    /// The contract.
    pub contract: Address,
    /// Who anchored it.
    pub anchorer: Address,
    /// Hash of the transaction.
    pub transaction: BlockHash,
    /// The block's number.
    pub block_number: u64,
    /// The block's hash.
    pub block_hash: BlockHash,
    /// The block's time.
    pub block_time: Timestamp,
}

/// How far a chain was read; none at the beginning.
pub fn cursor(tx: &mut Tx<'_>, chain: u64) -> Result<Option<Cursor>, Error> {
    let row = tx.query_one(
        "SELECT block_number, block_hash, block_time FROM chain_cursors WHERE chain = $1",
        params![chain],
    )?;
    row.map(|mut row| {
        Ok(Cursor {
            block_number: row.take(0)?,
            block_hash: row.take(1)?,
            block_time: row.take(2)?,
        })
    })
    .transpose()
}

/// Takes in what stands between `before` and `after` and moves the cursor, in one step. `false`, and nothing done, when the cursor is not at
/// `before` any more: another instance was faster.
pub fn advance(
    tx: &mut Tx<'_>,
    chain: u64,
    before: Option<Cursor>,
    after: Cursor,
    events: &[Event],
    roots: &[Root],
) -> Result<bool, Error> {
    let rows = match before {
        None => tx.execute(
            "INSERT INTO chain_cursors (chain, block_number, block_hash, block_time) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (chain) DO NOTHING",
            params![chain, after.block_number, after.block_hash, after.block_time],
        )?,
        Some(before) => tx.execute(
            "UPDATE chain_cursors SET block_number = $1, block_hash = $2, block_time = $3 \
             WHERE chain = $4 AND block_number = $5 AND block_hash = $6",
            params![
                after.block_number,
                after.block_hash,
                after.block_time,
                chain,
                before.block_number,
                before.block_hash
            ],
        )?,
    };
    if rows == 0 {
        return Ok(false);
    }
    for event in events {
        tx.execute(
            "INSERT INTO chain_events (chain, block_number, log_index, block_hash, block_time, transaction_hash, contract, kind, subject, payload) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (chain, block_number, log_index) DO NOTHING",
            params![
                chain, event.block_number, event.log_index, event.block_hash, event.block_time, event.transaction,
                event.contract, event.kind, event.subject, event.payload
            ],
        )?;
    }
    for root in roots {
        tx.execute(
            "INSERT INTO chain_anchors (chain, root, size, contract, anchorer, transaction_hash, block_number, block_hash, block_time) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (chain, root) DO NOTHING",
            params![
                chain, root.root, root.size, root.contract, root.anchorer, root.transaction, root.block_number,
                root.block_hash, root.block_time
            ],
        )?;
    }
    Ok(true)
}

/// Forgets all that was read from a chain, to read it again from its beginning.
pub fn drop_derived(tx: &mut Tx<'_>, chain: u64) -> Result<(), Error> {
    delegates::forget(tx, chain)?;
    tx.execute("DELETE FROM chain_events WHERE chain = $1", params![chain])?;
    tx.execute("DELETE FROM chain_anchors WHERE chain = $1", params![chain])?;
    tx.execute("DELETE FROM chain_cursors WHERE chain = $1", params![chain])
        .map(drop)
}

macro_rules! events {
    ($rest:literal) => {
        concat!(
            "SELECT block_number, log_index, block_hash, block_time, transaction_hash, contract, kind, subject, payload ",
            "FROM chain_events WHERE chain = $1 ",
            $rest
        )
    };
}

fn read_event(mut row: Row) -> Result<Event, Error> {
    Ok(Event {
        block_number: row.take(0)?,
        log_index: row.take(1)?,
        block_hash: row.take(2)?,
        block_time: row.take(3)?,
        transaction: row.take(4)?,
        contract: row.take(5)?,
        kind: row.take(6)?,
        subject: row.take(7)?,
        payload: row.take(8)?,
    })
}

/// Everything about one account, in order.
pub fn events_of(tx: &mut Tx<'_>, chain: u64, subject: Address) -> Result<Vec<Event>, Error> {
    tx.list(
        events!("AND subject = $2 ORDER BY block_number, log_index"),
        params![chain, subject],
        read_event,
    )
}

/// Events after a place in the order (block, log index), in order.
pub fn events(tx: &mut Tx<'_>, chain: u64, after: Option<(u64, u64)>, limit: u32) -> Result<Vec<Event>, Error> {
    let (block, index) = after.map_or((-1, -1), |(block, index)| (block as i64, index as i64));
    tx.list(
        events!(
            "AND (block_number > $2 OR (block_number = $2 AND log_index > $3)) ORDER BY block_number, log_index LIMIT $4"
        ),
        params![chain, block, index, limit],
        read_event,
    )
}

macro_rules! roots {
    ($rest:literal) => {
        concat!(
            "SELECT root, size, contract, anchorer, transaction_hash, block_number, block_hash, block_time ",
            "FROM chain_anchors WHERE chain = $1 ",
            $rest
        )
    };
}

fn read_root(mut row: Row) -> Result<Root, Error> {
    Ok(Root {
        root: row.take(0)?,
        size: row.take(1)?,
        contract: row.take(2)?,
        anchorer: row.take(3)?,
        transaction: row.take(4)?,
        block_number: row.take(5)?,
        block_hash: row.take(6)?,
        block_time: row.take(7)?,
    })
}

/// Where a root stands.
pub fn root(tx: &mut Tx<'_>, chain: u64, root: &Digest) -> Result<Option<Root>, Error> {
    tx.find(roots!("AND root = $2"), params![chain, root], read_root)
}

/// Roots from a block on, in order of block and root; for bundles that are checked offline.
pub fn roots(tx: &mut Tx<'_>, chain: u64, from_block: u64, limit: u32) -> Result<Vec<Root>, Error> {
    tx.list(
        roots!("AND block_number >= $2 ORDER BY block_number, root LIMIT $3"),
        params![chain, from_block, limit],
        read_root,
    )
}

/// The newest roots, newest first; for bundles that cannot hold them all.
pub fn newest_roots(tx: &mut Tx<'_>, chain: u64, limit: u32) -> Result<Vec<Root>, Error> {
    tx.list(
        roots!("ORDER BY block_number DESC, root LIMIT $2"),
        params![chain, limit],
        read_root,
    )
}

/// A digest over all that was read from a chain, to compare before and after reading it again.
pub fn digest(tx: &mut Tx<'_>, chain: u64) -> Result<Digest, Error> {
    const PAGE: u32 = 1000;
    let provider = tx.provider();
    let mut digest = Digest([0; 32]);
    let mut after = None;
    loop {
        let page = events(tx, chain, after, PAGE)?;
        for event in &page {
            digest = Transcript::new("vidimus/chain/event/v1")
                .field(&digest.0)
                .number(event.block_number)
                .number(event.log_index)
                .field(&event.block_hash.0)
                .number(event.block_time.0 as u64)
                .field(&event.transaction.0)
                .field(&event.contract.0)
                .field(event.kind.as_bytes())
                .field(&event.subject.0)
                .field(event.payload.as_bytes())
                .digest(provider);
        }
        match page.last() {
            Some(last) => after = Some((last.block_number, last.log_index)),
            None => break,
        }
    }
    let mut after = Digest([0; 32]);
    loop {
        let page = tx.query(
            roots!("AND root > $2 ORDER BY root LIMIT $3"),
            params![chain, after, PAGE],
        )?;
        let page = page.into_iter().map(read_root).collect::<Result<Vec<_>, _>>()?;
        for root in &page {
            digest = Transcript::new("vidimus/chain/root/v1")
                .field(&digest.0)
                .field(&root.root.0)
                .number(root.size)
                .field(&root.contract.0)
                .field(&root.anchorer.0)
                .field(&root.transaction.0)
                .number(root.block_number)
                .field(&root.block_hash.0)
                .number(root.block_time.0 as u64)
                .digest(provider);
        }
        match page.last() {
            Some(last) => after = last.root,
            None => return Ok(digest),
        }
    }
}
