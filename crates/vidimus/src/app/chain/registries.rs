//! The registries as checks see them, from the derived tables.

use super::follow::ISSUER;
use crate::app::{App, Registries, deployment::Refusal, error::Error};
use vidimus_core::Timestamp;
use vidimus_credential::check::{
    Registry,
    registry::{self, Head},
};
use vidimus_ledger::Ledger;
use vidimus_store::{Scope, chain as rows, keys as key_rows, participants};

/// Registries in which nothing has happened yet.
pub async fn empty_registries(ledger: &dyn Ledger, now: Timestamp) -> Result<Registries, Refusal> {
    let chain_id = ledger.chain_id().await.map_err(Refusal::Ledger)?;
    let head = ledger.finalized().await.map_err(Refusal::Ledger)?;
    let head = Head {
        chain_id,
        block_number: head.number,
        block_hash: head.hash,
        block_time: head.time,
        read_at: now,
    };
    Ok(Registries {
        issuers: Registry::new(head),
        verifiers: Registry::new(head),
        read_to: None,
        last: None,
    })
}

/// Takes what is new in the derived tables into the registries; all of it where they were read anew.
pub(super) async fn refresh(app: &App, anew: bool) -> Result<(), Error> {
    let chain = app.facts.chain;
    let cursor = app.store.read(move |tx| rows::cursor(tx, chain)).await?;
    let Some(cursor) = cursor else { return Ok(()) };
    let head = Head {
        chain_id: chain,
        block_number: cursor.block_number,
        block_hash: cursor.block_hash,
        block_time: cursor.block_time,
        read_at: app.now(),
    };
    let before = app.registries();
    // Another instance may have gone back, too.
    let anew = anew || before.read_to.is_none_or(|read_to| cursor.block_number < read_to);
    let mut registries = if anew {
        Registries {
            issuers: Registry::new(head),
            verifiers: Registry::new(head),
            read_to: None,
            last: None,
        }
    } else {
        Registries::clone(&before)
    };
    let after = registries.last;
    let events = app
        .store
        .read(move |tx| {
            let mut events: Vec<rows::Event> = Vec::new();
            loop {
                let after = events
                    .last()
                    .map(|event| (event.block_number, event.log_index))
                    .or(after);
                let page = rows::events(tx, chain, after, 1_000)?;
                if page.is_empty() {
                    return Ok::<_, Error>(events);
                }
                events.extend(page);
            }
        })
        .await?;
    registries.issuers.advance(head);
    registries.verifiers.advance(head);
    registries.read_to = Some(cursor.block_number);
    if !anew && events.is_empty() {
        app.set_registries(registries);
        return Ok(());
    }
    registries.last = events
        .last()
        .map(|event| (event.block_number, event.log_index))
        .or(after);
    for event in events {
        let change = serde_json::from_str(&event.payload).map_err(|_| Error::Internal("a kept event does not read"))?;
        let registry = if event.kind == ISSUER {
            &mut registries.issuers
        } else {
            &mut registries.verifiers
        };
        let event = registry::Event {
            participant: event.subject,
            block: event.block_number,
            time: event.block_time,
            change,
        };
        registry
            .apply(&event)
            .map_err(|_| Error::Internal("the registry's events do not follow from each other"))?;
    }
    let (known, keys) = app
        .store
        .read(|tx| {
            let known = participants::list(tx, None)?;
            let mut keys = Vec::new();
            for participant in &known {
                keys.extend(key_rows::list(tx, &Scope::system(), Some(participant.id))?);
            }
            Ok::<_, Error>((known, keys))
        })
        .await?;
    for certificate in keys.iter().filter_map(|key| key.certificate.as_deref()) {
        for registry in [&mut registries.issuers, &mut registries.verifiers] {
            if registry.add_certificate(certificate, app.provider()).is_err() {
                tracing::error!("a participant's certificate is not for the key that the registry names");
            }
        }
    }
    for participant in &known {
        registries
            .issuers
            .add_profile(participant.profile.as_bytes(), app.provider());
        registries
            .verifiers
            .add_profile(participant.profile.as_bytes(), app.provider());
    }
    mirror(app, &registries, &known, &keys).await?;
    app.set_registries(registries);
    Ok(())
}

/// Brings the participants' rows to where the registries have them, so that authentication need not ask the chain.
async fn mirror(
    app: &App,
    registries: &Registries,
    known: &[participants::Participant],
    keys: &[key_rows::Key],
) -> Result<(), Error> {
    let now = app.now();
    for participant in known {
        let registry = match participant.role {
            participants::Role::Issuer => &registries.issuers,
            participants::Role::Verifier => &registries.verifiers,
            participants::Role::Authority => continue,
        };
        let standing = registry.participant(&participant.account).map(|entry| entry.standing());
        let state = match standing {
            None => participants::State::Pending,
            Some(registry::Standing::Active) => participants::State::Active,
            Some(registry::Standing::Suspended) => participants::State::Suspended,
            Some(registry::Standing::Revoked) => participants::State::Revoked,
        };
        if state != participant.state {
            let (id, before) = (participant.id, participant.state);
            app.store
                .write(move |tx| participants::set_state(tx, id, before, state, now))
                .await?;
        }
        let entry = registry.participant(&participant.account);
        let point = entry.and_then(|entry| entry.keys().last()?.keys.p256.clone());
        if let Some(point) = point {
            activate(app, keys, participant.id, point.as_bytes()).await?;
        }
    }
    Ok(())
}

/// New keys sign from the moment the registry holds them, and not before: what was signed earlier would be by a key that nobody knows.
async fn activate(
    app: &App,
    keys: &[key_rows::Key],
    participant: vidimus_core::id::ParticipantId,
    point: &[u8],
) -> Result<(), Error> {
    let own: Vec<_> = keys.iter().filter(|key| key.participant == Some(participant)).collect();
    let signing = own.iter().find(|key| key.purpose == "signing" && key.public == point);
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
