//! Everything that is sent to the chain.

use super::{
    CALL_GAS, CREATIONS, PATIENCE, accounts,
    authority::{on_their_way, prepare_acceptances},
};
use crate::app::{
    App,
    error::{Error, Problem},
    principal::Principal,
    requests::{ParticipantChange, Prepared},
};
use std::sync::Arc;
use vidimus_core::{
    Address, Timestamp,
    encoding::{from_hex, hex},
    id::RequestId,
};
use vidimus_crypto::{KeyKind, SigningKey};
use vidimus_ledger::{
    await_mined,
    contracts::registry,
    convert, eth,
    transaction::{self, Fields, Offer, Signed},
};
use vidimus_store::{
    keys as key_rows, participants,
    transactions::{self, Outbound},
};

/// A call to a contract.
#[derive(Debug, Clone)]
pub struct Call {
    to: Address,
    data: Vec<u8>,
    purpose: &'static str,
}

impl Call {
    /// `purpose` is a stable name, for the queue and for people.
    pub fn new(to: Address, data: Vec<u8>, purpose: &'static str) -> Self {
        Self { to, data, purpose }
    }
}

/// Calls that are decided on together with a row: those from accounts whose keys are wrapped here are queued in the row's own transaction,
/// so that neither is there without the other; those from other accounts are prepared for their owners to sign.
#[derive(Debug, Default)]
pub struct Plan {
    queued: Vec<(transactions::Call, u64)>,
    prepared: Vec<Prepared>,
}

impl Plan {
    /// Adds a call from an account whose key is wrapped here. `object` makes the decision unique for its purpose.
    pub async fn queue(&mut self, app: &App, account: Address, call: Call, object: Vec<u8>) {
        let row = transactions::Call {
            id: RequestId::generate(&mut *app.entropy()),
            chain: app.facts.chain,
            account,
            purpose: call.purpose.to_owned(),
            object,
            to: Some(call.to),
            data: call.data,
            gas: CALL_GAS,
        };
        self.queued.push((row, floor(app, account).await));
    }

    /// Adds a call from the authority's account.
    pub async fn as_authority(&mut self, app: &App, call: Call) -> Result<(), Error> {
        let authority = crate::app::participants::authority_row(app).await?;
        accounts::require_settled(app, authority.id).await?;
        let own = accounts::accounts(app, authority.id).await?;
        // The chain says who may call; where it does not answer, the call waits for it, too.
        let held_by = registry::authority(&*app.ledger, call.to, eth::BlockId::latest())
            .await
            .ok();
        // On its way from the operator: by whatever was sent now the one would come before the other, or the other way round.
        if held_by == Some(app.facts.operator) && authority.custody == participants::Custody::Wrapped {
            return Err(on_their_way());
        }
        let from = match own.iter().find(|(_, account)| Some(*account) == held_by) {
            Some((_, account)) => *account,
            None => accounts::acting(app, authority.id).await?.1,
        };
        match authority.custody {
            participants::Custody::Wrapped => {
                self.queue(app, from, call, app.random::<16>().to_vec()).await;
                Ok(())
            }
            participants::Custody::Own => {
                // What was prepared at the set-up may have been lost, or brought before the operator's offer: without it the call would revert.
                if !app.handed_over() && self.prepared.is_empty() {
                    prepare_acceptances(app, &own, from, call.to, self).await?;
                }
                self.prepare(app, from, call).await
            }
        }
    }

    /// Adds a call for an account's owner to sign.
    pub async fn prepare(&mut self, app: &App, from: Address, call: Call) -> Result<(), Error> {
        let fees = app.ledger.fees().await?;
        let waiting = self
            .prepared
            .iter()
            .filter(|prepared| prepared.from == from.to_string())
            .count() as u64;
        let nonce = app
            .ledger
            .nonce(convert::to_address(from), eth::BlockId::pending())
            .await?
            + waiting;
        let unsigned = Fields {
            chain_id: app.facts.chain,
            nonce,
            gas_limit: CALL_GAS,
            max_fee: fees.max_fee,
            priority_fee: fees.priority_fee,
            to: Some(call.to),
            value: 0,
            data: call.data,
        }
        .prepare();
        self.prepared.push(Prepared {
            summary: call.purpose.to_owned(),
            from: from.to_string(),
            unsigned: format!("0x{}", hex(&unsigned.encoded())),
            signing_hash: format!("0x{}", hex(unsigned.hash())),
        });
        Ok(())
    }

    /// What accounts' owners have to sign.
    pub fn prepared(&self) -> &[Prepared] {
        &self.prepared
    }

    /// What to queue, for the closure that writes the row.
    pub fn queued(&self) -> Vec<(transactions::Call, u64)> {
        self.queued.clone()
    }

    /// After the commit: sends what was queued, if the ledger answers; else the job does. Never fails: what was decided stands.
    pub async fn send(self, app: &App, change: &mut ParticipantChange) {
        change.prepared.extend(self.prepared);
        for (call, _) in self.queued {
            let id = call.id;
            let sent = match app.store.read(move |tx| transactions::find(tx, id)).await {
                Ok(Some(queued)) => dispatch(app, queued).await,
                Ok(None) => continue,
                Err(error) => Err(error.into()),
            };
            match sent {
                Ok(sent) => change.transactions.extend(sent.hash.map(|hash| hash.to_string())),
                Err(error) => tracing::warn!(%error, purpose = call.purpose, "a transaction waits for the ledger"),
            }
        }
        app.wake.transactions.notify_one();
    }
}

/// Queues planned calls, in the transaction of what they belong to.
pub fn enqueue(
    tx: &mut vidimus_store::Tx<'_>,
    queued: &[(transactions::Call, u64)],
    now: Timestamp,
) -> Result<(), vidimus_store::Error> {
    for (call, floor) in queued {
        transactions::enqueue(tx, call, *floor, now)?;
    }
    Ok(())
}

/// The least nonce an account may use next: what the final chain says, where it shows it, and for the operator that its first ones created the
/// contracts. Beyond that our own rows count, which know of all that we sent: a node's word alone would leave a gap that nothing fills.
pub async fn floor(app: &App, account: Address) -> u64 {
    let least = if account == app.facts.operator { CREATIONS } else { 0 };
    app.ledger
        .settled_nonce(convert::to_address(account))
        .await
        .unwrap_or(0)
        .max(least)
}

/// Queues a call on its own and sends it at once, if the ledger answers.
pub async fn send(app: &App, account: Address, call: Call, object: Vec<u8>) -> Result<Outbound, Error> {
    let mut plan = Plan::default();
    plan.queue(app, account, call, object).await;
    let (row, floor) = plan.queued.remove(0);
    let now = app.now();
    let queued = app
        .store
        .write(move |tx| transactions::enqueue(tx, &row, floor, now))
        .await?;
    if queued.state == transactions::State::Queued {
        dispatch(app, queued).await
    } else {
        Ok(queued)
    }
}

/// Signs what is queued and sends what is signed. The bytes are stored before they are sent, and only ever resent as they are.
pub async fn dispatch(app: &App, mut outbound: Outbound) -> Result<Outbound, Error> {
    let id = outbound.call.id;
    if outbound.state == transactions::State::Queued {
        let fees = app.ledger.fees().await?;
        let offer = Offer {
            max_fee: fees.max_fee,
            priority_fee: fees.priority_fee,
        };
        let signed = signed(app, &outbound, offer).await?;
        let (raw, hash, now) = (signed.raw.clone(), signed.hash, app.now());
        app.store
            .write(move |tx| transactions::sign(tx, id, &raw, hash, now))
            .await?;
        // Another instance may have been faster; what is stored is what is sent.
        outbound = app
            .store
            .read(move |tx| transactions::find(tx, id))
            .await?
            .ok_or(Error::Internal("a queued transaction is gone"))?;
    }
    let raw = outbound
        .raw
        .clone()
        .ok_or(Error::Internal("a signed transaction has no bytes"))?;
    crate::fault::point(crate::fault::AFTER_RAW);
    app.ledger.submit(&raw).await?;
    crate::fault::point(crate::fault::AFTER_SUBMIT);
    let now = app.now();
    app.store.write(move |tx| transactions::sent(tx, id, now)).await?;
    app.wake.transactions.notify_one();
    Ok(outbound)
}

/// The transaction's bytes with this offer, by the key of its account.
pub(super) async fn signed(app: &App, outbound: &Outbound, offer: Offer) -> Result<Signed, Error> {
    let fields = Fields {
        chain_id: outbound.call.chain,
        nonce: outbound.nonce,
        gas_limit: outbound.call.gas,
        max_fee: offer.max_fee,
        priority_fee: offer.priority_fee,
        to: outbound.call.to,
        value: 0,
        data: outbound.call.data.clone(),
    };
    let key = account_key(app, outbound.call.account).await?;
    fields
        .prepare()
        .sign(outbound.call.account, |hash| key.sign_digest(hash))
        .map_err(|_| Error::Internal("an account key does not sign"))
}

/// The key of an account: the operator's, the anchorer's, or a participant's that is wrapped here.
pub async fn account_key(app: &App, account: Address) -> Result<Arc<SigningKey>, Error> {
    let id = match account {
        account if account == app.facts.operator => app.facts.operator_key,
        account if account == app.facts.anchorer => app.facts.anchor_key,
        account => {
            let kept = app.store.read(key_rows::accounts).await?;
            // Also one that acts no more: what it sent before may have to be signed still.
            kept.iter()
                .rfind(|key| key.secret.is_some() && accounts::account_of(app, key) == Some(account))
                .ok_or(Error::Internal("no key of ours belongs to this account"))?
                .id
        }
    };
    let row = app.key(id).await?;
    let wrapped = row
        .secret
        .as_ref()
        .ok_or(Error::Internal("this account's key is not kept here"))?;
    app.keys.signing_key(id, KeyKind::Secp256k1, wrapped)
}

/// Takes a transaction that a participant signed itself: from its own account, to one of the deployment's contracts.
pub async fn submit_signed(app: &App, caller: &Principal, raw: &str) -> Result<String, Error> {
    let refused = |why: &str| {
        Error::invalid(
            "transaction",
            format!("/raw: the transaction is not taken: {why}"),
            "sign one that a change of yours prepared",
        )
    };
    let raw = from_hex(raw).map_err(|_| refused("not hexadecimal"))?;
    let signed = transaction::inspect(&raw).map_err(|error| refused(&error.to_string()))?;
    let own = accounts::accounts(app, caller.participant).await?;
    // An account that is about to act has to be able to say so.
    let acts = |state| matches!(state, key_rows::State::Active | key_rows::State::Pending);
    if !own
        .iter()
        .any(|(key, account)| *account == signed.sender && acts(key.state))
    {
        return Err(refused("signed by another account than yours"));
    }
    let to = transaction::recipient(&raw);
    if !app.contracts.all().iter().any(|(_, contract)| Some(*contract) == to) {
        return Err(refused("not to one of this deployment's contracts"));
    }
    app.ledger.submit(&raw).await?;
    app.wake.transactions.notify_one();
    Ok(signed.hash.to_string())
}

/// Waits until a transaction that was sent is mined and succeeded.
pub async fn await_success(app: &App, outbound: &Outbound) -> Result<(), Error> {
    let hash = outbound.hash.ok_or_else(slow)?;
    let mined = await_mined(&*app.ledger, hash, PATIENCE).await?;
    if mined.success {
        Ok(())
    } else {
        Err(Error::Internal("a transaction of ours reverted"))
    }
}

fn slow() -> Error {
    Error::NotReady(Problem::new(
        "ledger-slow",
        "the ledger has not taken the transaction yet",
        "nothing is lost: it is sent again; look at the state in a minute",
    ))
}
