//! Follows every transaction of ours until its block is final: signs what is queued, resends what is not mined, byte for byte.

use crate::app::{App, Error, chain::dispatch};
use vidimus_core::{Timestamp, receipt::BlockHash};
use vidimus_ledger::{Ledger, convert, eth};
use vidimus_store::{
    batches::Place,
    transactions::{self, Outbound, State},
};

/// Looks after all open transactions once.
pub async fn settle(app: &App) -> Result<(), Error> {
    let chain = app.facts.chain;
    let open = app.store.read(move |tx| transactions::open(tx, chain, 1_000)).await?;
    if open.is_empty() {
        return Ok(());
    }
    let finalized = app.ledger.finalized().await?.number;
    let mut settled = false;
    for outbound in open {
        settled |= step(app, outbound, finalized).await?;
    }
    if settled {
        app.wake.blocks.notify_one();
        app.wake.anchor_now.notify_one();
    }
    Ok(())
}

async fn step(app: &App, outbound: Outbound, finalized: u64) -> Result<bool, Error> {
    let id = outbound.call.id;
    let Some(hash) = outbound.hash else {
        dispatch(app, outbound).await?;
        return Ok(false);
    };
    let now = app.now();
    let Some((place, success)) = place(&*app.ledger, hash).await? else {
        if outbound.state == State::Mined {
            app.store.write(move |tx| transactions::unmined(tx, id, now)).await?;
        }
        dispatch(app, outbound).await?;
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
        tracing::error!(purpose = outbound.call.purpose, %hash, "a transaction of ours reverted");
    }
    Ok(place.block_number <= finalized)
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
