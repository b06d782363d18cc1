//! Who governs the contracts, and what issuers announce of themselves.

use super::{
    Call, Plan,
    accounts::{accounts, displaced},
    await_success, send,
};
use crate::app::{
    App,
    error::{Error, Problem},
};
use vidimus_core::{Address, PublicKey};
use vidimus_crypto::SigningKey;
use vidimus_identity::ethr::AttributeName;
use vidimus_ledger::{
    contracts::{dids, registry},
    convert, eth,
};
use vidimus_store::{keys as key_rows, transactions};

/// Hands the contracts over to the authority's account: who holds one offers it, the account accepts it. At first the operator holds them;
/// where the authority's key is rotated, its account from before does. Safe to repeat; `jobs` does so until it is done. What an authority with
/// its own keys has to offer and to accept was prepared for it.
pub async fn hand_over(app: &App) -> Result<(), Error> {
    let authority = crate::app::participants::authority_row(app).await?;
    let accounts = accounts(app, authority.id).await?;
    let Some((next, account)) = successor(&accounts) else {
        return Err(Error::Internal("an authority without account key"));
    };
    for contract in app.contracts.governed() {
        let held_by = registry::authority(&*app.ledger, contract, eth::BlockId::latest()).await?;
        if held_by == *account {
            continue;
        }
        let object = [contract.0, account.0].concat();
        let kept = |(key, account): &(key_rows::Key, Address)| *account == held_by && key.secret.is_some();
        if held_by == app.facts.operator || accounts.iter().any(kept) {
            let call = Call::new(contract, registry::offer_authority(*account), "offer-authority");
            let numbered = attempt(app, "offer-authority", object.clone()).await?;
            let offer = send(app, held_by, call, numbered).await?;
            await_success(app, &offer).await?;
        }
        if next.secret.is_some() {
            let call = Call::new(contract, registry::accept_authority(), "accept-authority");
            let numbered = attempt(app, "accept-authority", object).await?;
            let accepted = send(app, *account, call, numbered).await?;
            await_success(app, &accepted).await?;
        }
    }
    Ok(())
}

/// Prepares what an authority that keeps its own keys has to sign so that `to` holds the contracts, as the chain has them now: whatever of it was
/// signed before, or never was. `account` is the one that acts; it takes what was offered to it, and hands it on where `to` is another. What the
/// operator still holds, [`hand_over`] offers to the newest account as soon as that is recorded, whoever it was offered to before.
pub async fn prepare_hand_over(app: &App, account: Address, to: Address, plan: &mut Plan) -> Result<(), Error> {
    let latest = eth::BlockId::latest();
    let (mut hand_on, mut take) = (Vec::new(), Vec::new());
    for contract in app.contracts.governed() {
        let held_by = registry::authority(&*app.ledger, contract, latest).await?;
        let offered_to = registry::pending_authority(&*app.ledger, contract, latest).await?;
        if held_by == to {
            continue;
        }
        let is_offered_anew = held_by == app.facts.operator && to != account;
        if offered_to != to && !is_offered_anew {
            if held_by != account {
                if offered_to != account {
                    return Err(on_their_way());
                }
                let call = Call::new(contract, registry::accept_authority(), "accept-authority");
                plan.prepare(app, account, call).await?;
            }
            hand_on.push(contract);
        }
        take.push(contract);
    }
    for contract in hand_on {
        let call = Call::new(contract, registry::offer_authority(to), "offer-authority");
        plan.prepare(app, account, call).await?;
    }
    for contract in take {
        let call = Call::new(contract, registry::accept_authority(), "accept-authority");
        plan.prepare(app, to, call).await?;
    }
    Ok(())
}

/// Prepares what an authority that keeps its own keys has yet to accept of what the operator offered to `account`, whatever became of the answer
/// that prepared it first. `needed` is the contract that is called next: it has to be the authority's by then. `own` are its accounts.
pub async fn prepare_acceptances(
    app: &App,
    own: &[(key_rows::Key, Address)],
    account: Address,
    needed: Address,
    plan: &mut Plan,
) -> Result<(), Error> {
    let latest = eth::BlockId::latest();
    for contract in app.contracts.governed() {
        let held_by = registry::authority(&*app.ledger, contract, latest).await?;
        if own.iter().any(|(_, account)| *account == held_by) {
            continue;
        }
        if registry::pending_authority(&*app.ledger, contract, latest).await? == account {
            let call = Call::new(contract, registry::accept_authority(), "accept-authority");
            plan.prepare(app, account, call).await?;
        } else if contract == needed {
            return Err(on_their_way());
        }
    }
    Ok(())
}

/// The refusal of what would come before the operator's hand-over.
pub(super) fn on_their_way() -> Error {
    Error::NotReady(Problem::new(
        "hand-over",
        "the contracts are on their way to the authority's account",
        "try again in a minute; if it stays so, look whether the operator's and the authority's accounts can pay for gas, and whether a new \
         account of the authority has yet to accept them (`participant rotate-account` with its card says what it has to sign)",
    ))
}

/// The object of the newest attempt at something, or of the next one where that failed: what reverted once must not stand in the way for ever.
async fn attempt(app: &App, purpose: &'static str, object: Vec<u8>) -> Result<Vec<u8>, Error> {
    app.store
        .read(move |tx| {
            for attempt in 0..=u16::MAX {
                let mut numbered = object.clone();
                if attempt > 0 {
                    numbered.extend(attempt.to_be_bytes());
                }
                match transactions::find_by_object(tx, purpose, &numbered)? {
                    Some(found) if found.state == transactions::State::Failed => {}
                    _ => return Ok(numbered),
                }
            }
            Err(Error::Internal("the contracts were handed over in vain too often"))
        })
        .await
}

/// Whether the authority's account holds all contracts. Where that is a new account, it acts from now on: the one that took them, even if others
/// were to be new after it.
pub async fn is_handed_over(app: &App) -> Result<bool, Error> {
    let authority = crate::app::participants::authority_row(app).await?;
    let accounts = accounts(app, authority.id).await?;
    let Some(awaited) = successor(&accounts) else {
        return Err(Error::Internal("an authority without account key"));
    };
    let mut holders = Vec::new();
    for contract in app.contracts.governed() {
        holders.push(registry::authority(&*app.ledger, contract, eth::BlockId::latest()).await?);
    }
    let holds_all = |(_, account): &&(key_rows::Key, Address)| holders.iter().all(|holder| holder == account);
    let begun = accounts.iter().filter(|(key, _)| key.state == key_rows::State::Pending);
    let Some((next, _)) = begun.rev().chain([awaited]).find(holds_all) else {
        return Ok(false);
    };
    if next.state == key_rows::State::Pending {
        let mut changes = displaced(accounts.iter().map(|(key, _)| (key, key.id == next.id)));
        changes.push((next.id, next.state, key_rows::State::Active));
        app.store
            .write(move |tx| {
                for (id, before, after) in &changes {
                    key_rows::set_state(tx, *id, *before, *after)?;
                }
                Ok::<_, Error>(())
            })
            .await?;
    }
    Ok(true)
}

/// Whether the authority's account is about to change: any instance may have begun it, and each can end it.
pub async fn is_rotating(app: &App) -> Result<bool, Error> {
    let authority = crate::app::participants::authority_row(app).await?;
    let accounts = accounts(app, authority.id).await?;
    Ok(accounts.iter().any(|(key, _)| key.state == key_rows::State::Pending))
}

/// The account that is to hold the contracts: the one that is about to act, else the one that does.
fn successor(accounts: &[(key_rows::Key, Address)]) -> Option<&(key_rows::Key, Address)> {
    let newest = |state| accounts.iter().rfind(|(key, _)| key.state == state);
    newest(key_rows::State::Pending).or_else(|| newest(key_rows::State::Active))
}

/// What a transaction is for that puts a signing key into a DID document, and one that takes it out.
pub(super) const ANNOUNCE: &str = "announce-signing-key";
pub(super) const WITHDRAW: &str = "withdraw-signing-key";
/// How long a signing key's attribute holds in the DID registry: ten years, as long as the root certificate.
pub const ATTRIBUTE_VALIDITY: u64 = 10 * 365 * 86_400;

/// Whose signature a change of a participant's DID takes.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'k> {
    /// The identity: the account that the DID names.
    pub identity: Address,
    /// The account that owns it now.
    pub account: Address,
    /// That account's key; none where the participant keeps it.
    pub key: Option<&'k SigningKey>,
}

/// Plans to put an issuer's P-256 key into its DID document, so that clients that know nothing of our registry verify ES256.
pub async fn announce_signing_key(app: &App, owner: Owner<'_>, key: &PublicKey, plan: &mut Plan) -> Result<(), Error> {
    let attribute = dids::Change::SetAttribute {
        name: signing_key_name()?,
        value: key.as_bytes().to_vec(),
        validity: ATTRIBUTE_VALIDITY,
    };
    change_did(app, owner, &attribute, ANNOUNCE, plan).await
}

/// Plans to take an issuer's P-256 key out of its DID document again.
pub async fn withdraw_signing_key(app: &App, owner: Owner<'_>, key: &PublicKey, plan: &mut Plan) -> Result<(), Error> {
    let attribute = dids::Change::RevokeAttribute {
        name: signing_key_name()?,
        value: key.as_bytes().to_vec(),
    };
    change_did(app, owner, &attribute, WITHDRAW, plan).await
}

fn signing_key_name() -> Result<[u8; 32], Error> {
    let name = AttributeName::p256_issuer_key().encode();
    name.map_err(|_| Error::Internal("the attribute's name does not fit"))
}

/// Plans to give a participant's DID another owner.
pub async fn change_owner(app: &App, owner: Owner<'_>, to: Address, plan: &mut Plan) -> Result<(), Error> {
    change_did(app, owner, &dids::Change::Owner(to), "change-owner", plan).await
}

/// The owner signs, the operator pays (ERC-1056's signed variants); an owner with its own keys gets a transaction to sign.
async fn change_did(
    app: &App,
    owner: Owner<'_>,
    change: &dids::Change,
    purpose: &'static str,
    plan: &mut Plan,
) -> Result<(), Error> {
    let Owner { identity, account, key } = owner;
    let Some(key) = key else {
        let call = Call::new(app.contracts.dids, change.calldata(identity), purpose);
        return plan.prepare(app, account, call).await;
    };
    let nonce = dids::nonce(&*app.ledger, app.contracts.dids, account, eth::BlockId::latest()).await?
        + changes_under_way(app, identity).await?;
    let hash = change.hash(app.contracts.dids, nonce, identity);
    let signature = key
        .sign_digest(&hash)
        .map_err(|_| Error::Internal("an account key does not sign"))?;
    let call = Call::new(
        app.contracts.dids,
        change.signed_calldata(identity, &signature),
        purpose,
    );
    plan.queue(app, app.facts.operator, call, app.random::<16>().to_vec())
        .await;
    Ok(())
}

/// Changes of an identity that the operator relays and the chain does not have yet: each takes a nonce of the owner's.
pub async fn changes_under_way(app: &App, identity: Address) -> Result<u64, Error> {
    under_way(app, identity, |call| call.to == Some(app.contracts.dids)).await
}

/// Whether new keys of an issuer are on their way to its registry.
pub async fn rotation_under_way(app: &App, issuer: Address) -> Result<bool, Error> {
    let rotates = |call: &transactions::Call| call.to == Some(app.contracts.issuers) && call.purpose == "rotate-keys";
    Ok(under_way(app, issuer, rotates).await? > 0)
}

async fn under_way(app: &App, subject: Address, is_meant: impl Fn(&transactions::Call) -> bool) -> Result<u64, Error> {
    let chain = app.facts.chain;
    let open = app.store.read(move |tx| transactions::open(tx, chain, 1_000)).await?;
    let mut count = 0;
    for outbound in open {
        let call = &outbound.call;
        // Every call that is meant here names whom it is about first: after the selector, padded to a word.
        if !is_meant(call) || call.data.get(16..36) != Some(&subject.0[..]) {
            continue;
        }
        // It may be mined as it was sent before it was replaced, too.
        let id = call.id;
        let offers = app.store.read(move |tx| transactions::offers(tx, id)).await?;
        let mut mined = false;
        for hash in outbound.hash.into_iter().chain(offers) {
            mined = mined || app.ledger.receipt(convert::to_hash(hash)).await?.is_some();
        }
        count += u64::from(!mined);
    }
    Ok(count)
}
