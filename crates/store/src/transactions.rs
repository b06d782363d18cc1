//! Outbound transactions: everything this deployment sends to a chain, each exactly once.
//!
//! [`enqueue`] fixes what is called and its account nonce, in the transaction that decided on it; the signed bytes are stored before they
//! are sent and only ever resent as they are. Where blocks pass them by, [`replace`] puts others with the same nonce in their place, and
//! keeps both: a chain takes one of them. Two instances, a crash, a retry: the nonce is unique for its account, and the purpose and object
//! are unique for what was decided.

use crate::{
    Error, Tx,
    batches::Place,
    value::{Row, names, params},
};
use vidimus_core::{Address, Timestamp, id::RequestId, receipt::BlockHash};

names! {
    /// Where a transaction stands.
    pub enum State {
        /// To be signed.
        Queued = "queued",
        /// Signed; its bytes will not change any more.
        Signed = "signed",
        /// Sent at least once.
        Sent = "sent",
        /// In a block.
        Mined = "mined",
        /// In a final block, and succeeded.
        Final = "final",
        /// In a final block, and reverted.
        Failed = "failed",
    }
}

/// A call that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Id of the row.
    pub id: RequestId,
    /// The chain.
    pub chain: u64,
    /// The account that sends it.
    pub account: Address,
    /// What it is for, such as `anchor` or `approve-issuer`.
    pub purpose: String,
    /// What it is about: at most one transaction for each purpose and object.
    pub object: Vec<u8>,
    /// The contract; none to create one.
    pub to: Option<Address>,
    /// Call data.
    pub data: Vec<u8>,
    /// Gas limit.
    pub gas: u64,
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// What is called.
    pub call: Call,
    /// The account's nonce.
    pub nonce: u64,
    /// The signed bytes, once signed.
    pub raw: Option<Vec<u8>>,
    /// Their hash.
    pub hash: Option<BlockHash>,
    /// Where it stands.
    pub state: State,
    /// Why it failed: a code.
    pub reason: Option<String>,
    /// The block, once mined.
    pub block: Option<(u64, BlockHash, Timestamp)>,
    /// When it was queued.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, chain, account, purpose, object, recipient, data, gas, account_nonce, raw, hash, state, reason, ",
            "block_number, block_hash, block_time, created, updated FROM transactions ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<Outbound, Error> {
    let block = match row.take::<Option<u64>>(13)? {
        None => None,
        Some(number) => Some((number, row.take(14)?, row.take(15)?)),
    };
    Ok(Outbound {
        call: Call {
            id: row.take(0)?,
            chain: row.take(1)?,
            account: row.take(2)?,
            purpose: row.take(3)?,
            object: row.take(4)?,
            to: row.take(5)?,
            data: row.take(6)?,
            gas: row.take(7)?,
        },
        nonce: row.take(8)?,
        raw: row.take(9)?,
        hash: row.take(10)?,
        state: row.take(11)?,
        reason: row.take(12)?,
        block,
        created: row.take(16)?,
        updated: row.take(17)?,
    })
}

/// Queues a call with the account's next nonce: the one after our own newest, and at least `floor`, of which the caller is sure (a nonce that
/// is too high is never mined). When there is one for this purpose and object already, gives that one back instead; its id tells.
pub fn enqueue(tx: &mut Tx<'_>, call: &Call, floor: u64, now: Timestamp) -> Result<Outbound, Error> {
    if let Some(there) = find_by_object(tx, &call.purpose, &call.object)? {
        return Ok(there);
    }
    // The row is locked until the commit, and a rollback gives the nonce back: no gaps, no doubles. What was next before is not asked: only
    // what we have queued counts, so that a floor that was once too high is not kept.
    tx.execute(
        "INSERT INTO nonces (chain, account, next) VALUES ($1, $2, 0) ON CONFLICT (chain, account) DO UPDATE SET next = nonces.next",
        params![call.chain, call.account],
    )?;
    let newest: Option<u64> = tx
        .query_exactly(
            "SELECT MAX(account_nonce) FROM transactions WHERE chain = $1 AND account = $2",
            params![call.chain, call.account],
        )?
        .take(0)?;
    let nonce = newest.map_or(0, |newest| newest + 1).max(floor);
    tx.execute(
        "UPDATE nonces SET next = $1 + 1 WHERE chain = $2 AND account = $3",
        params![nonce, call.chain, call.account],
    )?;
    tx.execute(
        "INSERT INTO transactions (id, chain, account, account_nonce, purpose, object, recipient, data, gas, state, created, updated) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', $10, $10)",
        params![call.id, call.chain, call.account, nonce, call.purpose, call.object, call.to, call.data, call.gas, now],
    )?;
    Ok(Outbound {
        call: call.clone(),
        nonce,
        raw: None,
        hash: None,
        state: State::Queued,
        reason: None,
        block: None,
        created: now,
        updated: now,
    })
}

/// Stores the signed bytes, once: `false` when there are some already, and those are the ones to send.
pub fn sign(tx: &mut Tx<'_>, id: RequestId, raw: &[u8], hash: BlockHash, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE transactions SET raw = $1, hash = $2, state = 'signed', updated = $3 WHERE id = $4 AND state = 'queued'",
        params![*raw, hash, now, id],
    )?;
    Ok(rows == 1)
}

/// Puts other signed bytes with the same nonce, which offer more, in the place of those with the hash `before`, and keeps both. `false`,
/// and nothing done, when these are not the ones to send any more: another instance was faster, or it is mined.
pub fn replace(
    tx: &mut Tx<'_>,
    id: RequestId,
    before: BlockHash,
    raw: &[u8],
    hash: BlockHash,
    now: Timestamp,
) -> Result<bool, Error> {
    // The row is locked first, so that of two instances one finds that it came too late.
    let rows = tx.execute(
        "UPDATE transactions SET updated = $1 WHERE id = $2 AND hash = $3 AND state IN ('signed', 'sent')",
        params![now, id, before],
    )?;
    if rows == 0 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO transaction_offers (hash, transaction_id, raw, created) SELECT hash, id, raw, $1 FROM transactions WHERE id = $2 \
         ON CONFLICT (hash) DO NOTHING",
        params![now, id],
    )?;
    tx.execute(
        "INSERT INTO transaction_offers (hash, transaction_id, raw, created) VALUES ($1, $2, $3, $4)",
        params![hash, id, *raw, now],
    )?;
    tx.execute(
        "UPDATE transactions SET raw = $1, hash = $2, state = 'signed' WHERE id = $3",
        params![*raw, hash, id],
    )?;
    Ok(true)
}

/// The hashes of everything that was signed for a transaction and replaced, the newest first, and of what replaced it.
pub fn offers(tx: &mut Tx<'_>, id: RequestId) -> Result<Vec<BlockHash>, Error> {
    tx.query(
        "SELECT hash FROM transaction_offers WHERE transaction_id = $1 ORDER BY created DESC, hash",
        params![id],
    )?
    .into_iter()
    .map(|mut row| row.take(0))
    .collect()
}

/// Notes that it was sent.
pub fn sent(tx: &mut Tx<'_>, id: RequestId, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE transactions SET state = 'sent', updated = $1 WHERE id = $2 AND state = 'signed'",
        params![now, id],
    )?;
    Ok(rows == 1)
}

/// Notes the block that it stands in; also when a reorganisation has moved it to another. Of several offers, the one that is mined is the
/// transaction from then on.
pub fn mined(tx: &mut Tx<'_>, id: RequestId, place: &Place, now: Timestamp) -> Result<bool, Error> {
    tx.execute(
        "UPDATE transactions SET hash = $1, raw = (SELECT raw FROM transaction_offers WHERE hash = $1) WHERE id = $2 AND hash <> $1 \
         AND state IN ('signed', 'sent', 'mined') AND EXISTS (SELECT 1 FROM transaction_offers WHERE hash = $1 AND transaction_id = $2)",
        params![place.transaction, id],
    )?;
    let rows = tx.execute(
        "UPDATE transactions SET state = 'mined', block_number = $1, block_hash = $2, block_time = $3, updated = $4 \
         WHERE id = $5 AND state IN ('signed', 'sent', 'mined')",
        params![place.block_number, place.block_hash, place.block_time, now, id],
    )?;
    Ok(rows == 1)
}

/// Its block is gone: it is to be resent, as it is.
pub fn unmined(tx: &mut Tx<'_>, id: RequestId, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE transactions SET state = 'sent', block_number = NULL, block_hash = NULL, block_time = NULL, updated = $1 \
         WHERE id = $2 AND state = 'mined'",
        params![now, id],
    )?;
    Ok(rows == 1)
}

/// Its block is final; `failure` is the code of a revert.
pub fn finish(tx: &mut Tx<'_>, id: RequestId, failure: Option<&str>, now: Timestamp) -> Result<bool, Error> {
    let state = if failure.is_some() { State::Failed } else { State::Final };
    let rows = tx.execute(
        "UPDATE transactions SET state = $1, reason = $2, updated = $3 WHERE id = $4 AND state = 'mined'",
        params![state, failure, now, id],
    )?;
    Ok(rows == 1)
}

/// It will never be mined: its account's nonce was used by something that is not ours to know, such as what was sent before the database was
/// restored from a backup.
pub fn displaced(tx: &mut Tx<'_>, id: RequestId, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE transactions SET state = 'failed', reason = 'displaced', updated = $1 WHERE id = $2 AND state IN ('signed', 'sent')",
        params![now, id],
    )?;
    Ok(rows == 1)
}

/// A transaction.
pub fn find(tx: &mut Tx<'_>, id: RequestId) -> Result<Option<Outbound>, Error> {
    tx.find(columns!("WHERE id = $1"), params![id], read)
}

/// The transaction for a purpose and object.
pub fn find_by_object(tx: &mut Tx<'_>, purpose: &str, object: &[u8]) -> Result<Option<Outbound>, Error> {
    tx.find(
        columns!("WHERE purpose = $1 AND object = $2"),
        params![*purpose, *object],
        read,
    )
}

/// All for a purpose, in the order of their nonces.
pub fn list_by_purpose(tx: &mut Tx<'_>, chain: u64, purpose: &str) -> Result<Vec<Outbound>, Error> {
    tx.list(
        columns!("WHERE purpose = $1 AND chain = $2 ORDER BY account, account_nonce"),
        params![*purpose, chain],
        read,
    )
}

/// Those that are not settled, in the order of their nonces: what to sign, send and look for, also after a restart.
pub fn open(tx: &mut Tx<'_>, chain: u64, limit: u32) -> Result<Vec<Outbound>, Error> {
    tx.list(
        columns!(
            "WHERE chain = $1 AND state IN ('queued', 'signed', 'sent', 'mined') ORDER BY account, account_nonce LIMIT $2"
        ),
        params![chain, limit],
        read,
    )
}
