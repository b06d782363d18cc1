//! Commitments become a batch, a batch becomes a root, a root stands on the chain, and each commitment gets its receipt. Every step is one
//! transaction of the database and can be repeated; the contract refuses a root twice.

use crate::{
    app::{
        App, Error,
        chain::{CALL_GAS, dispatch, floor},
    },
    fault,
};
use vidimus_core::{
    Commitment,
    id::{BatchId, RequestId},
    merkle::Tree,
};
use vidimus_ledger::contracts::anchors;
use vidimus_store::{
    batches::{self, Batch, Place, State},
    transactions::{self, Outbound},
};

/// Proofs kept in one database transaction.
const PROOFS_AT_ONCE: usize = 2_000;
/// Seconds after which a batch that is not final counts as stuck.
const STUCK: i64 = 60;
/// Batches that may be open at once.
const MOST_OPEN: usize = 64;
/// What the anchoring transactions are for.
const PURPOSE: &str = "anchor";

/// Takes every open batch as far as it goes, then gathers a new one if commitments wait and none is open.
pub async fn run(app: &App) -> Result<(), Error> {
    let chain = app.facts.chain;
    let mut open = app.store.read(move |tx| batches::open(tx, chain)).await?;
    // One batch at a time, so that commitments gather; but one that is stuck must not keep the others from the chain.
    let stuck = app.now().plus(-STUCK);
    if open.len() < MOST_OPEN && open.iter().all(|batch| batch.created < stuck) {
        let id = BatchId::generate(&mut *app.entropy());
        let (limit, now) = (app.config.anchor.max_batch, app.now());
        let gathered = app
            .store
            .write(move |tx| batches::gather(tx, id, chain, limit, now))
            .await?;
        if gathered.is_empty() && open.is_empty() {
            return Ok(());
        }
        fault::point(fault::AFTER_GATHER);
        open = app.store.read(move |tx| batches::open(tx, chain)).await?;
    }
    let mut failed = None;
    for batch in open {
        if let Err(error) = advance(app, batch).await {
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn advance(app: &App, batch: Batch) -> Result<(), Error> {
    let id = batch.id;
    if batch.state == State::Gathered {
        let (_, tree) = tree(app, id).await?;
        let root = tree.root();
        let floor = floor(app, app.facts.anchorer).await;
        let call = call(app, &batch, 0, anchors::anchor(root, tree.size()));
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
    let (attempt, queued) = latest(app, id).await?;
    let place = match (standing(app, &batch).await?, queued.state, queued.hash, queued.block) {
        (Some(place), ..) => place,
        (None, transactions::State::Final, Some(transaction), Some((block_number, block_hash, block_time))) => Place {
            transaction,
            block_number,
            block_hash,
            block_time,
        },
        (None, transactions::State::Failed, ..) => return again(app, &batch, attempt, &queued).await,
        _ => return Ok(()),
    };
    let (commitments, tree) = tree(app, id).await?;
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

/// The transaction that anchors a batch. Attempts are told apart by their object; the contract takes a root once, whatever is sent.
fn call(app: &App, batch: &Batch, attempt: u8, data: Vec<u8>) -> transactions::Call {
    transactions::Call {
        id: RequestId::generate(&mut *app.entropy()),
        chain: batch.chain,
        account: app.facts.anchorer,
        purpose: PURPOSE.to_owned(),
        object: object(batch.id, attempt),
        to: Some(app.contracts.anchors),
        data,
        gas: CALL_GAS,
    }
}

fn object(id: BatchId, attempt: u8) -> Vec<u8> {
    let mut object = id.as_bytes().to_vec();
    object.extend((attempt > 0).then_some(attempt));
    object
}

/// The newest attempt at anchoring a batch.
async fn latest(app: &App, id: BatchId) -> Result<(u8, Outbound), Error> {
    app.store
        .read(move |tx| {
            let mut newest = None;
            for attempt in 0..=u8::MAX {
                match transactions::find_by_object(tx, PURPOSE, &object(id, attempt))? {
                    Some(found) => newest = Some((attempt, found)),
                    None => break,
                }
            }
            newest.ok_or(Error::Internal("a built batch without its transaction"))
        })
        .await
}

/// Where a batch's root stands already, by whatever transaction: the database may have been restored from before it was sent, and then no row
/// knows of it.
async fn standing(app: &App, batch: &Batch) -> Result<Option<Place>, Error> {
    let (chain, Some(root)) = (batch.chain, batch.root) else {
        return Ok(None);
    };
    let stands = app
        .store
        .read(move |tx| vidimus_store::chain::root(tx, chain, &root))
        .await?;
    Ok(stands.map(|stands| Place {
        transaction: stands.transaction,
        block_number: stands.block_number,
        block_hash: stands.block_hash,
        block_time: stands.block_time,
    }))
}

/// An anchor that reverted, or whose nonce something else took, is sent again, once a minute, until the cause (the anchorer's permission, most
/// likely) is mended.
async fn again(app: &App, batch: &Batch, attempt: u8, queued: &Outbound) -> Result<(), Error> {
    let now = app.now();
    let Some(next) = attempt.checked_add(1).filter(|_| queued.updated < now.plus(-STUCK)) else {
        return Ok(());
    };
    tracing::error!(
        attempt,
        reason = queued.reason.as_deref().unwrap_or_default(),
        "an anchor failed and is sent again: may the anchoring account still anchor?"
    );
    let floor = floor(app, app.facts.anchorer).await;
    let call = call(app, batch, next, queued.call.data.clone());
    let again = app
        .store
        .write(move |tx| transactions::enqueue(tx, &call, floor, now))
        .await?;
    dispatch(app, again).await.map(drop)
}

/// A batch's commitments and the tree over them. Hashing many takes a while: not on a thread that serves requests.
async fn tree(app: &App, id: BatchId) -> Result<(Vec<Commitment>, Tree), Error> {
    let commitments = app.store.read(move |tx| batches::commitments(tx, id)).await?;
    let provider = app.provider.clone();
    tokio::task::spawn_blocking(move || {
        let tree = Tree::build(&*provider, &commitments);
        (commitments, tree)
    })
    .await
    .map_err(|_| Error::Internal("building a tree panicked"))
}
