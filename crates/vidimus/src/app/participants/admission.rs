//! The authority is made, issuers and verifiers are admitted.

use super::{
    change,
    made::{Made, authority},
    profile::Profile,
    record,
    terms::{known_categories, names, refuse_lists},
};
use crate::app::{
    App, api_keys,
    chain::{self, Call},
    error::Error,
    once::Once,
    principal::{Principal, Role},
    requests::{Admission, ParticipantChange, Prepared, Setup, hidden},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vidimus_core::Address;
use vidimus_core::id::ParticipantId;
use vidimus_ledger::{
    contracts::{dids, issuers, registry, verifiers},
    eth,
};
use vidimus_store::{
    Scope, Tx, audit, keys as key_rows,
    participants::{self as rows, State},
};

/// How long the first API key of a participant holds.
const FIRST_KEY_DAYS: u32 = 90;

/// Makes the authority, and hands the contracts over to it.
pub async fn create_authority(app: &App, setup: Setup) -> Result<ParticipantChange, Error> {
    let hash = crate::app::setup::token_hash(app, &setup.token);
    let profile = Profile::new(&setup.name, &setup.country, None)?;
    let made = Made::new(app, setup.card.as_deref(), &profile, rows::Role::Authority, None, None)?;
    let mut participant = made.participant(app, rows::Role::Authority, &profile, "{}".into());
    // The authority is in no registry: it is in force from the moment it exists.
    participant.state = State::Active;
    let (id, account) = (participant.id, participant.account);
    let (api_key, secret) = first_api_key(app, id, Role::Authority);
    let mut plan = chain::Plan::default();
    if made.custody == rows::Custody::Own {
        for contract in [app.contracts.issuers, app.contracts.verifiers, app.contracts.anchors] {
            let call = Call::new(contract, registry::accept_authority(), "accept-authority");
            plan.prepare(app, account, call).await?;
        }
    }
    let keys = made.keys;
    let new = New {
        participant,
        keys,
        api_key,
    };
    let (entry, now) = (app.audit_entry(Some(id), "set-up", id.as_bytes()), app.now());
    app.store
        .write(move |tx| {
            crate::app::setup::use_link(tx, &hash, now)?;
            new.insert(tx)?;
            audit::append(tx, &entry)?;
            Ok::<_, Error>(())
        })
        .await?;
    let mut change = change(app, id).await?;
    change.api_key = Some(secret);
    plan.send(app, &mut change).await;
    // The authority is there, whatever the ledger does now; a job goes on where this stops.
    if let Err(error) = chain::hand_over(app).await {
        tracing::warn!(%error, "the contracts are handed over when the ledger answers");
    }
    Ok(change)
}

/// A participant as it begins.
struct New {
    participant: rows::Participant,
    keys: Vec<key_rows::Key>,
    api_key: vidimus_store::api_keys::ApiKey,
}

impl New {
    fn insert(&self, tx: &mut Tx<'_>) -> Result<(), vidimus_store::Error> {
        rows::insert(tx, &self.participant)?;
        for key in &self.keys {
            key_rows::insert(tx, key)?;
        }
        vidimus_store::api_keys::insert(tx, &Scope::on_behalf_of(self.participant.id), &self.api_key)
    }
}

/// Its row, and its text, which is shown once.
fn first_api_key(app: &App, participant: ParticipantId, role: Role) -> (vidimus_store::api_keys::ApiKey, String) {
    let permissions = api_keys::permissions_of(role);
    let entropy = &mut *app.entropy();
    let made = api_keys::make(app, entropy, participant, "first", permissions, FIRST_KEY_DAYS);
    (made.row, made.text.expose().clone())
}

/// What a retry of an admission needs to answer the same.
#[derive(Serialize, Deserialize)]
pub struct Admitted {
    participant: ParticipantId,
    api_key: String,
    prepared: Vec<Prepared>,
}
hidden!(Admitted);

/// The answer to an admission that was committed, where the process ended before it was given.
pub async fn recall(app: &App, admitted: Admitted) -> Result<ParticipantChange, Error> {
    let mut change = change(app, admitted.participant).await?;
    change.api_key = Some(admitted.api_key);
    change.prepared = admitted.prepared;
    app.wake.transactions.notify_one();
    Ok(change)
}

/// Admits an issuer or a verifier.
pub async fn admit(
    app: &App,
    caller: &Principal,
    admission: Admission,
    once: Once<'_>,
) -> Result<ParticipantChange, Error> {
    let profile = Profile::new(&admission.name, &admission.country, admission.url.as_deref())?;
    let (role, permits) = permits(app, &admission)?;
    let authority = authority(app).await?;
    let made = Made::new(app, admission.card.as_deref(), &profile, role, Some(&authority), None)?;
    let participant = made.participant(app, role, &profile, permits.to_string());
    require_own_did(app, participant.account).await?;
    let id = participant.id;
    let (api_key, secret) = first_api_key(app, id, admission.role);
    let plan = approval(app, &admission, &participant, &made).await?;
    let note = once.note(&Admitted {
        participant: id,
        api_key: secret.clone(),
        prepared: plan.prepared().to_vec(),
    })?;
    let keys = made.keys;
    let new = New {
        participant,
        keys,
        api_key,
    };
    let mut change = record(app, caller, id, "admit", plan, move |tx| {
        new.insert(tx).map_err(|error| match error.constraint() {
            Some("participants_account") => Error::conflict(
                "already-admitted",
                "the account of this card is admitted in this role already",
                "change the participant that is there, or use other keys",
            ),
            _ => error.into(),
        })?;
        note.keep(tx)
    })
    .await?;
    change.api_key = Some(secret);
    Ok(change)
}

/// The role, and what is permitted in it, as its row keeps it.
fn permits(app: &App, admission: &Admission) -> Result<(rows::Role, Value), Error> {
    match admission.role {
        Role::Issuer => {
            let categories = known_categories(app, &admission.categories)?;
            refuse_lists(
                &[
                    ("/attributes", &admission.attributes),
                    ("/purposes", &admission.purposes),
                ],
                "an issuer",
            )?;
            Ok((rows::Role::Issuer, json!({ "categories": categories })))
        }
        Role::Verifier => {
            names("/attributes", &admission.attributes)?;
            names("/purposes", &admission.purposes)?;
            refuse_lists(&[("/categories", &admission.categories)], "a verifier")?;
            let permits = json!({ "attributes": admission.attributes, "purposes": admission.purposes });
            Ok((rows::Role::Verifier, permits))
        }
        Role::Authority => Err(Error::invalid(
            "one-authority",
            "a deployment has one authority",
            "admit an `issuer` or a `verifier`",
        )),
    }
}

/// What the ledger is to do: approve the participant, and announce an issuer's signing key in its DID document.
async fn approval(
    app: &App,
    admission: &Admission,
    participant: &rows::Participant,
    made: &Made,
) -> Result<chain::Plan, Error> {
    let (account, profile, keys) = (participant.account, participant.profile_digest, made.registry_keys(app));
    let calldata = match admission.role {
        Role::Issuer => issuers::approve(account, profile, &keys, &admission.categories),
        _ => verifiers::approve(account, profile, &keys, &admission.attributes, &admission.purposes),
    };
    let contract = chain::registry_of(app, admission.role);
    let mut plan = chain::Plan::default();
    plan.as_authority(app, Call::new(contract, calldata, "approve")).await?;
    if admission.role == Role::Issuer {
        let owner = chain::Owner {
            identity: account,
            account,
            key: made.account_key.as_ref(),
        };
        chain::announce_signing_key(app, owner, &made.signing, &mut plan).await?;
    }
    Ok(plan)
}

/// What an account did before it is admitted does not count here: one whose DID belongs to another already would be admitted in vain. Where the
/// ledger does not say, nobody is admitted.
async fn require_own_did(app: &App, account: Address) -> Result<(), Error> {
    let owner = dids::owner(&*app.ledger, app.contracts.dids, account, eth::BlockId::latest()).await?;
    if owner != account {
        return Err(Error::conflict(
            "did-given-away",
            "the account of this card has given its DID to another account",
            "make new keys (`vidimus keys new`), and a card with them",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_api_key_is_not_debugged() {
        let admitted = Admitted {
            participant: ParticipantId::from_bytes([1; 16]),
            api_key: "vk_CANARY".into(),
            prepared: Vec::new(),
        };
        assert_eq!(format!("{admitted:?}"), "Admitted(…)");
    }
}
