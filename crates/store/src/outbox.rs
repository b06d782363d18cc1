//! The outbox: commitments that wait for the chain, committed together with the copies they belong to, and their proofs once they are anchored.

use crate::{Error, Tx, value::params};
use vidimus_core::{
    Commitment, Digest, Timestamp,
    id::{BatchId, CopyId},
    merkle,
    receipt::BlockHash,
};

/// Puts a commitment in; only [`crate::copies::complete`] does.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    commitment: &Commitment,
    copy: CopyId,
    chain: u64,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO outbox (commitment, copy_id, chain, created) VALUES ($1, $2, $3, $4)",
        params![commitment, copy, chain, now],
    )
    .map(drop)
}

/// What waits for a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub count: u64,
    /// Since when the oldest waits.
    pub oldest: Option<Timestamp>,
}

/// What waits for a batch on a chain.
pub fn waiting(tx: &mut Tx<'_>, chain: u64) -> Result<Waiting, Error> {
    let mut row = tx.query_exactly(
        "SELECT COUNT(*), MIN(created) FROM outbox WHERE chain = $1 AND batch_id IS NULL",
        params![chain],
    )?;
    Ok(Waiting {
        count: row.take(0)?,
        oldest: row.take(1)?,
    })
}

/// Where a commitment stands on the chain, when its block is final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchored {
    /// The copy it belongs to.
    pub copy: CopyId,
    /// The chain.
    pub chain: u64,
    /// Its place in the batch.
    pub proof: merkle::Proof,
    /// The batch.
    pub batch: BatchId,
    /// The batch's root.
    pub root: Digest,
    /// Hash of the transaction that anchored it.
    pub transaction: BlockHash,
    /// The block's number.
    pub block_number: u64,
    /// The block's hash.
    pub block_hash: BlockHash,
    /// The block's time.
    pub block_time: Timestamp,
}

/// The receipt of a commitment; none while it is not final.
pub fn anchored(tx: &mut Tx<'_>, commitment: &Commitment) -> Result<Option<Anchored>, Error> {
    let row = tx.query_one(
        "SELECT o.copy_id, o.chain, o.proof_index, b.size, o.proof_path, b.id, b.root, b.anchor_transaction, b.block_number, \
         b.block_hash, b.block_time FROM outbox o JOIN batches b ON b.id = o.batch_id \
         WHERE o.commitment = $1 AND b.state = 'final' AND o.proof_path IS NOT NULL",
        params![commitment],
    )?;
    row.map(|mut row| {
        Ok(Anchored {
            copy: row.take(0)?,
            chain: row.take(1)?,
            proof: merkle::Proof {
                index: row.take(2)?,
                size: row.take(3)?,
                path: unpack(&row.take::<Vec<u8>>(4)?)?,
            },
            batch: row.take(5)?,
            root: row.take(6)?,
            transaction: row.take(7)?,
            block_number: row.take(8)?,
            block_hash: row.take(9)?,
            block_time: row.take(10)?,
        })
    })
    .transpose()
}

/// Keeps the proofs of a batch. Large batches go in several transactions, before the batch is made final; keeping a proof twice is harmless.
pub fn keep_proofs(tx: &mut Tx<'_>, batch: BatchId, proofs: &[(Commitment, merkle::Proof)]) -> Result<(), Error> {
    for (commitment, proof) in proofs {
        let rows = tx.execute(
            "UPDATE outbox SET proof_index = $1, proof_path = $2 WHERE commitment = $3 AND batch_id = $4",
            params![proof.index, pack(&proof.path), commitment, batch],
        )?;
        if rows != 1 {
            return Err(tx.conflict("outbox_batch"));
        }
    }
    Ok(())
}

fn pack(path: &[Digest]) -> Vec<u8> {
    path.iter().flat_map(|digest| digest.0).collect()
}

fn unpack(bytes: &[u8]) -> Result<Vec<Digest>, Error> {
    let (whole, rest) = bytes.as_chunks::<32>();
    if rest.is_empty() {
        Ok(whole.iter().map(|hash| Digest(*hash)).collect())
    } else {
        Err(Error::corrupt("outbox"))
    }
}
