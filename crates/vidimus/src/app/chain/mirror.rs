//! What the registries say, taken into our own rows.

use super::accounts;
use crate::app::{App, Registries, error::Error, events};
use vidimus_core::Provider as _;
use vidimus_credential::check::registry::{self, KeyRecord};
use vidimus_store::{events as event_rows, keys as key_rows, participants as rows};

/// Brings the participants' rows to where the registries have them, so that authentication need not ask the chain.
pub(super) async fn participants(
    app: &App,
    registries: &Registries,
    known: &[rows::Participant],
    keys: &[key_rows::Key],
) -> Result<(), Error> {
    let now = app.now();
    for participant in known {
        let registry = match participant.role {
            rows::Role::Issuer => &registries.issuers,
            rows::Role::Verifier => &registries.verifiers,
            rows::Role::Authority => continue,
        };
        let standing = registry.participant(&participant.account).map(|entry| entry.standing());
        let state = match standing {
            None => rows::State::Pending,
            Some(registry::Standing::Active) => rows::State::Active,
            Some(registry::Standing::Suspended) => rows::State::Suspended,
            Some(registry::Standing::Revoked) => rows::State::Revoked,
        };
        if state != participant.state {
            let (id, before) = (participant.id, participant.state);
            let told = told(before, state).map(|kind| events::event(app, id, kind, id.as_bytes()));
            let moved = app.store.write(move |tx| {
                let moved = rows::set_state(tx, id, before, state, now)?;
                if let Some(event) = told.filter(|_| moved) {
                    event_rows::append(tx, &event)?;
                }
                Ok::<_, Error>(())
            });
            moved.await?;
            app.wake.events.notify_one();
        }
        let Some(entry) = registry.participant(&participant.account) else {
            continue;
        };
        let own: Vec<_> = keys
            .iter()
            .filter(|key| key.participant == Some(participant.id))
            .collect();
        if let Some(newest) = entry.keys().last() {
            activate(app, &own, newest).await?;
        }
        revoke(app, &own, entry.keys()).await?;
        if let Some(owner) = entry.account() {
            accounts::follow(app, participant, &own, owner).await?;
        }
    }
    Ok(())
}

/// What a participant is told of a change of where it stands.
fn told(before: rows::State, after: rows::State) -> Option<event_rows::Kind> {
    match (before, after) {
        (_, rows::State::Suspended) => Some(event_rows::Kind::RegistrationSuspended),
        (rows::State::Suspended, rows::State::Active) => Some(event_rows::Kind::RegistrationResumed),
        (_, rows::State::Revoked) => Some(event_rows::Kind::RegistrationRevoked),
        _ => None,
    }
}

/// New keys sign from the moment the registry holds them, and not before: what was signed earlier would be by a key that nobody knows.
async fn activate(app: &App, own: &[&key_rows::Key], newest: &KeyRecord) -> Result<(), Error> {
    let Some(point) = &newest.keys.p256 else {
        return Ok(());
    };
    let is_certified = |key: &key_rows::Key| {
        let certificate = key.certificate.as_deref();
        certificate.map(|der| app.provider.sha256(&[der])) == newest.keys.certificate
    };
    // One key may have several rows, each with a certificate of its own, where it was asked for again: the row that the registry names.
    let signing = own
        .iter()
        .filter(|key| key.purpose == "signing" && key.public == point.as_bytes())
        .max_by_key(|key| (is_certified(key), key.version));
    let Some(version) = signing
        .filter(|key| key.state == key_rows::State::Pending)
        .map(|key| key.version)
    else {
        return Ok(());
    };
    let changes: Vec<_> = own
        .iter()
        .filter(|key| key.purpose != "account")
        .filter_map(|key| match key.state {
            key_rows::State::Pending if key.version == version => {
                Some((key.id, key_rows::State::Pending, key_rows::State::Active))
            }
            key_rows::State::Active if key.version < version => {
                Some((key.id, key_rows::State::Active, key_rows::State::Retired))
            }
            _ => None,
        })
        .collect();
    app.store
        .write(move |tx| {
            for (id, before, after) in &changes {
                key_rows::set_state(tx, *id, *before, *after)?;
            }
            Ok::<_, Error>(())
        })
        .await
}

/// Keys that the registry calls revoked are shown so, the sealing key of the same version with them. What may be signed is not read here but
/// from the registry, where a revocation can begin later.
async fn revoke(app: &App, own: &[&key_rows::Key], records: &[KeyRecord]) -> Result<(), Error> {
    let revoked = |key: &key_rows::Key| {
        records
            .iter()
            .filter(|record| record.revoked_from.is_some_and(|from| from <= app.now()))
            .filter_map(|record| record.keys.p256.as_ref())
            .any(|point| key.purpose == "signing" && key.public == point.as_bytes())
    };
    let versions: Vec<_> = own.iter().filter(|key| revoked(key)).map(|key| key.version).collect();
    let changes: Vec<_> = own
        .iter()
        .filter(|key| key.purpose != accounts::PURPOSE && versions.contains(&key.version))
        .filter(|key| key.state != key_rows::State::Revoked)
        .map(|key| (key.id, key.state))
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    app.store
        .write(move |tx| {
            for (id, before) in &changes {
                key_rows::set_state(tx, *id, *before, key_rows::State::Revoked)?;
            }
            Ok::<_, Error>(())
        })
        .await
}
