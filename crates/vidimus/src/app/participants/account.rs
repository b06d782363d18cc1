//! Another key for a participant's account: its DID gets another owner (ERC-1056); DID and registry entry stay.

use super::{find, keys::kept_account_key, made::new_account, pending, record, refuse_custody, with_entry};
use crate::app::{
    App,
    chain::{self, accounts},
    error::Error,
    principal::{Principal, Role},
    requests::ParticipantChange,
};
use vidimus_core::{Address, id::ParticipantId};
use vidimus_ledger::{contracts::dids, eth};
use vidimus_store::{keys as key_rows, participants as rows};

/// Gives a participant's account a new key, which signs in its name as soon as the ledger has it; the key before it does not any more. For the
/// authority, and for the participant itself. `card` names the new account where the participant keeps its keys itself; what was prepared is
/// then signed with the account before.
pub async fn rotate_account(
    app: &App,
    caller: &Principal,
    id: ParticipantId,
    card: Option<&str>,
) -> Result<ParticipantChange, Error> {
    if caller.role != Role::Authority && caller.participant != id {
        return Err(Error::NotFound("participant"));
    }
    let participant = find(app, id).await?;
    refuse_custody(&participant, card)?;
    let own = accounts::accounts(app, id).await?;
    let (_, account) = accounts::acting(app, id).await?;
    if chain::changes_under_way(app, participant.account).await? > 0 {
        return Err(accounts::under_way());
    }
    // Nothing of it is under way, and the chain has nothing of it: what was begun before came to nothing.
    let dead: Vec<_> = own
        .iter()
        .filter(|(key, _)| key.state == key_rows::State::Pending && key.secret.is_some())
        .map(|(key, _)| key.id)
        .collect();
    let version = own.iter().map(|(key, _)| key.version).max().unwrap_or(0) + 1;
    let (key, to) = new_account(app, id, version, card)?;
    if to == account {
        return Err(Error::invalid(
            "same-account",
            "the card is of the account that acts already",
            "make a new account key (`vidimus keys new-account`), and a card with it",
        ));
    }
    // One that was asked for before another does not come back either: the contracts may have been offered to that one since.
    let newest = own.iter().map(|(key, _)| key.version).max();
    let is_passed = |(key, account): &(key_rows::Key, _)| {
        *account == to && (key.state == key_rows::State::Retired || Some(key.version) != newest)
    };
    if own.iter().any(is_passed) {
        return Err(Error::invalid(
            "former-account",
            "the card is of an account that another has taken over from, or that another was asked for after",
            "make a new account key (`vidimus keys new-account`), and a card with it",
        ));
    }
    let mut plan = chain::Plan::default();
    let kept = kept_account_key(app, &participant, account).await?;
    let keeps_the_role = participant.role == rows::Role::Authority && kept.is_none();
    let owner = owner(app, &participant).await?;
    // The contracts follow by transactions of their own: where the DID went over already, the rest is prepared again.
    if !(keeps_the_role && owner == to) {
        require_owner(app, &participant, owner == account)?;
        let owner = chain::Owner {
            identity: participant.account,
            account,
            key: kept.as_deref(),
        };
        chain::change_owner(app, owner, to, &mut plan).await?;
    }
    if keeps_the_role {
        chain::prepare_hand_over(app, account, to, &mut plan).await?;
    }
    // The same card again, because the answer was lost: its row is there.
    let known = own.iter().any(|(key, account)| *account == to && key.secret.is_none());
    let key = (!known).then_some(key);
    let change = record(app, caller, id, "rotate-account", plan, move |tx| {
        for key in &dead {
            key_rows::set_state(tx, *key, key_rows::State::Pending, key_rows::State::Retired)?;
        }
        if let Some(key) = &key {
            key_rows::insert(tx, key).map_err(|error| match error.constraint() {
                Some("keys_version") => accounts::under_way(),
                _ => error.into(),
            })?;
        }
        Ok(())
    })
    .await?;
    app.wake.authority.notify_one();
    Ok(change)
}

/// Whom the chain knows as the owner of a participant's DID.
async fn owner(app: &App, participant: &rows::Participant) -> Result<Address, Error> {
    let latest = eth::BlockId::latest();
    Ok(dids::owner(&*app.ledger, app.contracts.dids, participant.account, latest).await?)
}

/// The chain must have the admission, and must know the account that acts as the owner of the DID: nobody else can hand it over.
fn require_owner(app: &App, participant: &rows::Participant, is_owner: bool) -> Result<(), Error> {
    if participant.role != rows::Role::Authority {
        with_entry(app, participant, |_| ()).ok_or_else(pending)?;
    }
    if is_owner {
        return Ok(());
    }
    Err(Error::conflict(
        "account-not-owner",
        "the DID of this participant belongs to another account than the one that acts here",
        "wait a few seconds and try again; if it lasts, the authority must revoke the participant and admit it anew",
    ))
}
