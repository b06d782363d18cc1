//! A transaction that blocks pass by is replaced by one that offers more.
//!
//! The replacement has the same nonce, so the chain takes one of the two, and the same call. It is stored before it is sent, and what it
//! replaces is kept: whichever is mined is the transaction ([`transactions::mined`]).

use super::outbound::signed;
use crate::app::{App, error::Error};
use vidimus_ledger::{
    convert, eth,
    transaction::{self, Offer},
};
use vidimus_store::transactions::{self, Outbound, State};

/// What to send in place of a transaction that is not mined; `None` while it is to be sent as it is.
///
/// Time alone is no reason: it is counted by the chain's blocks, so that a network that stands still does not drive our own price up.
/// Neither is waiting for another transaction of the same account; only the one whose turn it is can be kept back by its price.
pub async fn replace(app: &App, outbound: &Outbound) -> Result<Option<Outbound>, Error> {
    let rules = &app.config.ledger.network;
    let (State::Signed | State::Sent, Some(raw), Some(before)) = (outbound.state, &outbound.raw, outbound.hash) else {
        return Ok(None);
    };
    let patience = i64::try_from(rules.replace_after_seconds).unwrap_or(i64::MAX);
    if app.now().since(outbound.updated) < patience {
        return Ok(None);
    }
    if app.ledger.head().await?.time.since(outbound.updated) < patience {
        return Ok(None);
    }
    let account = convert::to_address(outbound.call.account);
    if app.ledger.nonce(account, eth::BlockId::latest()).await? != outbound.nonce {
        return Ok(None);
    }
    let fees = app.ledger.fees().await?;
    let now = Offer {
        max_fee: fees.max_fee,
        priority_fee: fees.priority_fee,
    };
    if now.max_fee == 0 {
        return Ok(None);
    }
    let offered = transaction::offer(raw).ok_or(Error::Internal("a signed transaction does not read"))?;
    let Some(instead) = offered.instead(now, rules.max_fee_per_gas.into()) else {
        // Looked at every second, said about once a minute.
        if app.now().since(outbound.updated) % 60 == 0 {
            tracing::warn!(
                purpose = outbound.call.purpose,
                base_fee = fees.base_fee,
                "a transaction waits: the network asks for more than ledger.max_fee_per_gas; raise it, or wait until it asks for less"
            );
        }
        return Ok(None);
    };
    let signed = signed(app, outbound, instead).await?;
    let (id, at) = (outbound.call.id, app.now());
    app.store
        .write(move |tx| transactions::replace(tx, id, before, &signed.raw, signed.hash, at))
        .await?;
    tracing::info!(
        purpose = outbound.call.purpose,
        max_fee = %instead.max_fee,
        priority_fee = %instead.priority_fee,
        "blocks pass a transaction by: it is replaced by one that offers more"
    );
    // Another instance may have been faster; what is stored is what is sent.
    app.store
        .read(move |tx| transactions::find(tx, id))
        .await?
        .ok_or(Error::Internal("a queued transaction is gone"))
        .map(Some)
}
