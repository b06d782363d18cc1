//! A participant's keys: new ones, and an end to those that leaked.

use super::{
    carry_out_plan, find,
    made::{Made, authority},
    not_in_a_registry, pending,
    profile::Profile,
    record, refuse_custody, registry_contract, with_entry,
};
use crate::app::{
    App,
    chain::{self, Call},
    error::Error,
    principal::Principal,
    requests::ParticipantChange,
};
use std::sync::Arc;
use vidimus_core::{Address, PublicKey, Timestamp, id::ParticipantId};
use vidimus_crypto::SigningKey;
use vidimus_ledger::contracts::registry;
use vidimus_store::{Scope, keys as key_rows, participants as rows};

/// Gives a participant new signing and sealing keys. `card` is needed where it keeps its keys itself; the account must be the same.
pub async fn rotate_keys(
    app: &App,
    caller: &Principal,
    id: ParticipantId,
    card: Option<&str>,
) -> Result<ParticipantChange, Error> {
    let participant = find(app, id).await?;
    if participant.role == rows::Role::Authority {
        return Err(not_in_a_registry());
    }
    let profile = Profile::of(&participant)?;
    let authority = authority(app).await?;
    refuse_custody(&participant, card)?;
    let did = Some(participant.did.as_str());
    let mut made = Made::new(app, card, &profile, participant.role, Some(&authority), did)?;
    let (_, account) = chain::accounts::acting(app, id).await?;
    if card.is_some() && made.account != account {
        return Err(Error::invalid(
            "other-account",
            "the card is of another account",
            "sign the card with the account that acts for the participant now",
        ));
    }
    let scope = Scope::on_behalf_of(id);
    let before = app.store.read(move |tx| key_rows::list(tx, &scope, Some(id))).await?;
    refuse_known(app, &participant, &made.signing, &before)?;
    // The account's key has versions of its own.
    let versions = before.iter().filter(|key| key.purpose != chain::accounts::PURPOSE);
    let version = versions.map(|key| key.version).max().unwrap_or(0) + 1;
    made.keys.retain(|key| key.purpose != chain::accounts::PURPOSE);
    for key in &mut made.keys {
        key.participant = Some(id);
        key.version = version;
        // In force once the registry holds it: `chain::activate`.
        key.state = key_rows::State::Pending;
    }
    let calldata = registry::rotate_keys(participant.account, &made.registry_keys(app));
    let mut plan = chain::Plan::default();
    plan.as_authority(
        app,
        Call::new(registry_contract(app, &participant), calldata, "rotate-keys"),
    )
    .await?;
    if participant.role == rows::Role::Issuer {
        chain::accounts::require_settled(app, id).await?;
        let key = kept_account_key(app, &participant, account).await?;
        let owner = chain::Owner {
            identity: participant.account,
            account,
            key: key.as_deref(),
        };
        chain::announce_signing_key(app, owner, &made.signing, &mut plan).await?;
    }
    let keys = made.keys;
    record(app, caller, id, "rotate-keys", plan, move |tx| {
        for key in &keys {
            key_rows::insert(tx, key).map_err(|error| match error.constraint() {
                Some("keys_version") => Error::conflict(
                    "keys-rotated-meanwhile",
                    "somebody else is rotating these keys",
                    "read the participant, and try again if its keys still have to change",
                ),
                _ => error.into(),
            })?;
        }
        Ok(())
    })
    .await
}

/// Says that keys of a version are not to be trusted for what is signed from a time on. What is proven older by its anchor stays good.
pub async fn revoke_keys(
    app: &App,
    caller: &Principal,
    id: ParticipantId,
    version: u32,
    from: Option<Timestamp>,
) -> Result<ParticipantChange, Error> {
    let participant = find(app, id).await?;
    let now = app.now();
    let from = from.unwrap_or(now);
    if from > now || from.0 < 0 {
        return Err(Error::invalid(
            "revoked-from",
            "/from: keys are revoked from now on, or from an earlier time",
            "give the time of the theft in Unix seconds, or none; keys that are only to be replaced are rotated",
        ));
    }
    if participant.role == rows::Role::Authority {
        return Err(not_in_a_registry());
    }
    let known = with_entry(app, &participant, |entry| {
        let record = entry.keys().iter().find(|record| record.version == version);
        record.map(|record| (record.revoked_from, record.keys.p256.clone()))
    });
    match known.ok_or_else(pending)? {
        None => Err(Error::NotFound("version of the keys")),
        Some((Some(before), _)) if before <= from => Err(Error::conflict(
            "key-revoked-already",
            format!("these keys count as revoked from {before} on already"),
            "give an earlier time to move the revocation back; it cannot be taken back",
        )),
        Some((_, key)) => {
            let calldata = registry::revoke_keys(participant.account, version, from);
            let call = Call::new(registry_contract(app, &participant), calldata, "revoke-keys");
            let mut plan = chain::Plan::default();
            plan.as_authority(app, call).await?;
            if let (rows::Role::Issuer, Some(key)) = (participant.role, &key) {
                withdraw(app, &participant, key, &mut plan).await?;
            }
            carry_out_plan(app, caller, &participant, "revoke-keys", plan).await
        }
    }
}

/// Plans to take a key out of the DID document of its issuer, for those who know nothing of our registry.
async fn withdraw(
    app: &App,
    participant: &rows::Participant,
    key: &PublicKey,
    plan: &mut chain::Plan,
) -> Result<(), Error> {
    chain::accounts::require_settled(app, participant.id).await?;
    let (_, account) = chain::accounts::acting(app, participant.id).await?;
    let kept = kept_account_key(app, participant, account).await?;
    let owner = chain::Owner {
        identity: participant.account,
        account,
        key: kept.as_deref(),
    };
    chain::withdraw_signing_key(app, owner, key, plan).await
}

/// Refuses a card with a signing key that was the participant's before: its times would become those of the rotation, and what leaked would
/// come back. The same card again, because the answer was lost, is another matter.
fn refuse_known(
    app: &App,
    participant: &rows::Participant,
    signing: &PublicKey,
    before: &[key_rows::Key],
) -> Result<(), Error> {
    let is_row = before.iter().any(|key| {
        key.purpose == "signing" && key.public == signing.as_bytes() && key.state != key_rows::State::Pending
    });
    let is_recorded = with_entry(app, participant, |entry| {
        let mut keys = entry.keys().iter();
        keys.any(|record| record.keys.p256.as_ref() == Some(signing))
    });
    if !is_row && is_recorded != Some(true) {
        return Ok(());
    }
    Err(Error::conflict(
        "same-keys",
        "the card's signing key is or was the participant's already",
        "make other keys (`vidimus keys renew`), and give their card, which the account that acts now signs",
    ))
}

/// The key of a participant's account, where it is kept here.
pub(super) async fn kept_account_key(
    app: &App,
    participant: &rows::Participant,
    account: Address,
) -> Result<Option<Arc<SigningKey>>, Error> {
    match participant.custody {
        rows::Custody::Own => Ok(None),
        rows::Custody::Wrapped => chain::account_key(app, account).await.map(Some),
    }
}
