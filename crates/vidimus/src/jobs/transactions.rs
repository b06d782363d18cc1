//! Follows every transaction of ours until its block is final: signs what is queued, resends what is not mined, byte for byte, and replaces
//! what blocks pass by.

use crate::app::{
    App, Error,
    chain::{dispatch, replace},
};
use std::collections::HashSet;
use vidimus_core::{Timestamp, receipt::BlockHash};
use vidimus_ledger::{Blame, Ledger, convert, eth};
use vidimus_store::{
    batches::Place,
    transactions::{self, Outbound, State},
};

/// Seconds after which a transaction whose nonce is used up, and which is nowhere, counts as displaced: nodes behind one address may not all
/// know the newest block at once.
const DISPLACED: i64 = 60;

/// Looks after all open transactions once. What is wrong with one does not keep the others: one that the ledger refuses is passed by, any other
/// failure ends its account's queue only; a ledger or a database that does not answer ends the round.
pub async fn settle(app: &App) -> Result<(), Error> {
    let chain = app.facts.chain;
    let open = app.store.read(move |tx| transactions::open(tx, chain, 1_000)).await?;
    if open.is_empty() {
        return Ok(());
    }
    let finalized = app.ledger.finalized().await?.number;
    let mut settled = false;
    let mut failed = None;
    let mut ended = HashSet::new();
    for outbound in open {
        let account = outbound.call.account;
        if ended.contains(&account) {
            continue;
        }
        match step(app, outbound, finalized).await {
            Ok(done) => settled |= done,
            Err(error) => {
                let blame = match &error {
                    Error::Ledger(error) => Some(error.blame()),
                    Error::Store(_) => Some(Blame::Retry),
                    _ => None,
                };
                failed = Some(error);
                match blame {
                    Some(Blame::Caller) => {}
                    Some(Blame::Retry) => break,
                    _ => drop(ended.insert(account)),
                }
            }
        }
    }
    if settled {
        app.wake.blocks.notify_one();
        app.wake.anchor_now.notify_one();
    }
    failed.map_or(Ok(()), Err)
}

async fn step(app: &App, outbound: Outbound, finalized: u64) -> Result<bool, Error> {
    let id = outbound.call.id;
    let Some(hash) = outbound.hash else {
        dispatch(app, outbound).await?;
        return Ok(false);
    };
    let now = app.now();
    let Some((place, success)) = any_place(app, &outbound, hash).await? else {
        if outbound.state == State::Mined {
            app.store.write(move |tx| transactions::unmined(tx, id, now)).await?;
        } else if is_displaced(app, &outbound, hash).await? {
            app.store.write(move |tx| transactions::displaced(tx, id, now)).await?;
            tracing::error!(
                purpose = outbound.call.purpose,
                nonce = outbound.nonce,
                "a transaction of ours cannot be mined any more: another one used its nonce (was the database restored from a backup?)"
            );
            return Ok(true);
        }
        let replaced = replace(app, &outbound).await?;
        dispatch(app, replaced.unwrap_or(outbound)).await?;
        return Ok(false);
    };
    app.store
        .write(move |tx| {
            transactions::mined(tx, id, &place, now)?;
            if place.block_number <= finalized {
                transactions::finish(tx, id, (!success).then_some("reverted"), now)?;
            }
            Ok::<_, vidimus_store::Error>(())
        })
        .await?;
    if !success {
        tracing::error!(purpose = outbound.call.purpose, hash = %place.transaction, "a transaction of ours reverted");
    }
    Ok(place.block_number <= finalized)
}

/// Whether the final chain has used the nonce for something else: it is beyond it, and none of what was signed under it is anywhere.
async fn is_displaced(app: &App, outbound: &Outbound, hash: BlockHash) -> Result<bool, Error> {
    if outbound.updated > app.now().plus(-DISPLACED) {
        return Ok(false);
    }
    let account = convert::to_address(outbound.call.account);
    // A node that cannot show it is one that does not say so.
    let Ok(next) = app.ledger.settled_nonce(account).await else {
        return Ok(false);
    };
    // Looked for again: it may have been mined since.
    Ok(next > outbound.nonce && any_place(app, outbound, hash).await?.is_none())
}

/// Where a transaction is mined: as it is sent now, or as it was sent before it was replaced.
async fn any_place(app: &App, outbound: &Outbound, hash: BlockHash) -> Result<Option<(Place, bool)>, Error> {
    if let Some(found) = place(&*app.ledger, hash).await? {
        return Ok(Some(found));
    }
    let id = outbound.call.id;
    for offer in app.store.read(move |tx| transactions::offers(tx, id)).await? {
        if offer != hash
            && let Some(found) = place(&*app.ledger, offer).await?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Where a transaction is mined, and whether it succeeded.
async fn place(ledger: &dyn Ledger, hash: BlockHash) -> Result<Option<(Place, bool)>, Error> {
    let Some(receipt) = ledger.receipt(convert::to_hash(hash)).await? else {
        return Ok(None);
    };
    let (Some(number), Some(block_hash)) = (receipt.block_number, receipt.block_hash) else {
        return Ok(None);
    };
    let Some(block) = ledger.block(eth::BlockId::hash(block_hash), false).await? else {
        return Ok(None);
    };
    let place = Place {
        transaction: hash,
        block_number: number,
        block_hash: convert::from_hash(block_hash),
        block_time: Timestamp(i64::try_from(block.header.timestamp).unwrap_or(i64::MAX)),
    };
    Ok(Some((place, receipt.status())))
}
