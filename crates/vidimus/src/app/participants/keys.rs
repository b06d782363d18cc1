//! New keys for a participant.

use super::{
    change, find,
    made::{Made, authority},
    not_in_a_registry,
    profile::Profile,
    registry_contract,
};
use crate::app::{
    App,
    chain::{self, Call},
    error::Error,
    principal::Principal,
    requests::ParticipantChange,
};
use vidimus_core::id::ParticipantId;
use vidimus_ledger::contracts::registry;
use vidimus_store::{Scope, audit, keys as key_rows, participants as rows};

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
    let own = participant.custody == rows::Custody::Own;
    if own != card.is_some() {
        return Err(Error::invalid(
            "custody",
            "a card is given exactly where the participant keeps its own keys",
            if own {
                "send a card with the new keys"
            } else {
                "send no card: the server makes the new keys"
            },
        ));
    }
    let mut made = Made::new(app, card, &profile, participant.role, Some(&authority))?;
    if own && made.account != participant.account {
        return Err(Error::invalid(
            "other-account",
            "the card is of another account",
            "sign the card with the account the participant was admitted with",
        ));
    }
    let scope = Scope::system();
    let before = app.store.read(move |tx| key_rows::list(tx, &scope, Some(id))).await?;
    let version = before.iter().map(|key| key.version).max().unwrap_or(0) + 1;
    made.keys.retain(|key| key.purpose != "account");
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
        let account_key = if own {
            None
        } else {
            Some(chain::account_key(app, participant.account).await?)
        };
        let key = account_key.as_deref();
        chain::announce_signing_key(app, participant.account, key, &made.signing, &mut plan).await?;
    }
    let (keys, queued, now) = (made.keys, plan.queued(), app.now());
    let entry = app.audit_entry(Some(caller.participant), "rotate-keys", id.as_bytes());
    app.store
        .write(move |tx| {
            for key in &keys {
                key_rows::insert(tx, key)?;
            }
            chain::enqueue(tx, &queued, now)?;
            audit::append(tx, &entry)?;
            Ok::<_, Error>(())
        })
        .await?;
    let mut change = change(app, id).await?;
    plan.send(app, &mut change).await;
    Ok(change)
}
