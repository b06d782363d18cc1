//! Commitments become a batch, a batch becomes a root, a root stands on the chain, and each commitment gets its receipt. Every step is one
//! transaction of the database and can be repeated; the contract refuses a root twice.

use crate::{
    app::{
        App, Error,
        chain::{CALL_GAS, dispatch},
    },
    fault,
};
use vidimus_core::{
    Commitment,
    id::{BatchId, RequestId},
    merkle::Tree,
};
use vidimus_ledger::{contracts::anchors, convert, eth};
use vidimus_store::{
    batches::{self, Batch, Place, State},
    transactions,
};

/// Proofs kept in one database transaction.
const PROOFS_AT_ONCE: usize = 2_000;

/// Takes every open batch as far as it goes, then gathers a new one if commitments wait and none is open.
pub async fn run(app: &App) -> Result<(), Error> {
    let chain = app.facts.chain;
    let mut open = app.store.read(move |tx| batches::open(tx, chain)).await?;
    if open.is_empty() {
        let id = BatchId::generate(&mut *app.entropy());
        let (limit, now) = (app.config.anchor.max_batch, app.now());
        let gathered = app
            .store
            .write(move |tx| batches::gather(tx, id, chain, limit, now))
            .await?;
        if gathered.is_empty() {
            return Ok(());
        }
        fault::point(fault::AFTER_GATHER);
        open = app.store.read(move |tx| batches::open(tx, chain)).await?;
    }
    for batch in open {
        advance(app, batch).await?;
    }
    Ok(())
}

async fn advance(app: &App, batch: Batch) -> Result<(), Error> {
    let id = batch.id;
    let commitments = app.store.read(move |tx| batches::commitments(tx, id)).await?;
    let tree = tree(app, &commitments).await?;
    if batch.state == State::Gathered {
        let root = tree.root();
        let account = app.facts.anchorer;
        let floor = app
            .ledger
            .nonce(convert::to_address(account), eth::BlockId::latest())
            .await?;
        let call = transactions::Call {
            id: RequestId::generate(&mut *app.entropy()),
            chain: batch.chain,
            account,
            purpose: "anchor".to_owned(),
            object: id.as_bytes().to_vec(),
            to: Some(app.contracts.anchors),
            data: anchors::anchor(root, tree.size()),
            gas: CALL_GAS,
        };
        let now = app.now();
        let queued = app
            .store
            .write(move |tx| {
                batches::build(tx, id, &root)?;
                transactions::enqueue(tx, &call, floor, now)
            })
            .await?;
        fault::point(fault::AFTER_ENQUEUE);
        dispatch(app, queued).await?;
        app.wake.transactions.notify_one();
        return Ok(());
    }
    let queued = app
        .store
        .read(move |tx| transactions::find_by_object(tx, "anchor", id.as_bytes()))
        .await?;
    let queued = queued.ok_or(Error::Internal("a built batch without its transaction"))?;
    let place = match (queued.state, queued.hash, queued.block) {
        (transactions::State::Final, Some(transaction), Some((block_number, block_hash, block_time))) => Place {
            transaction,
            block_number,
            block_hash,
            block_time,
        },
        (transactions::State::Failed, ..) => {
            return Err(Error::Internal(
                "an anchor reverted: is the anchoring account still allowed to anchor?",
            ));
        }
        _ => return Ok(()),
    };
    fault::point(fault::AFTER_MINED);
    for (part, chunk) in commitments.chunks(PROOFS_AT_ONCE).enumerate() {
        let proofs: Vec<_> = chunk
            .iter()
            .enumerate()
            .filter_map(|(offset, commitment)| {
                let index = (part * PROOFS_AT_ONCE + offset) as u64;
                Some((*commitment, tree.prove(index)?))
            })
            .collect();
        app.store
            .write(move |tx| vidimus_store::outbox::keep_proofs(tx, id, &proofs))
            .await?;
    }
    fault::point(fault::AFTER_PROOFS);
    app.store.write(move |tx| batches::finish(tx, id, &place)).await?;
    app.wake.receipts.notify_waiters();
    // The next batch need not wait for the interval: commitments have gathered meanwhile.
    app.wake.anchor_now.notify_one();
    Ok(())
}

/// Hashing a large batch takes a while: not on a thread that serves requests.
async fn tree(app: &App, commitments: &[Commitment]) -> Result<Tree, Error> {
    let (provider, commitments) = (app.provider.clone(), commitments.to_vec());
    tokio::task::spawn_blocking(move || Tree::build(&*provider, &commitments))
        .await
        .map_err(|_| Error::Internal("building a tree panicked"))
}
