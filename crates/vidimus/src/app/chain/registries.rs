//! The registries as checks see them, from the derived tables.

use super::{
    delegates,
    follow::{ISSUER, VERIFIER},
    mirror,
};
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

/// As of when a view of the chain up to a block with this time is known, now that the ledger answers that this block is the newest.
///
/// A chain that makes blocks only when something is sent (the embedded one, here or behind another Vidimus) may have a newest block of
/// last week, and that block is still all there is to know: the view is as of now. A network that makes blocks all the time and shows an
/// old one has a node that stands still or is cut off, whatever it answers: the view is as of that block. The lag of finality (minutes,
/// where it takes confirmations) then counts into the age, as it should: what is not final is not known.
fn known_at(steady_blocks: bool, block_time: Timestamp, now: Timestamp) -> Timestamp {
    // A node's clock may be ahead of ours; nothing is known from the future.
    if steady_blocks { block_time.min(now) } else { now }
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
        read_at: known_at(app.steady_blocks, cursor.block_time, app.now()),
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
    let events = events_after(app, registries.last).await?;
    registries.issuers.advance(head);
    registries.verifiers.advance(head);
    registries.read_to = Some(cursor.block_number);
    if !anew && events.is_empty() {
        app.set_registries(registries);
        return Ok(());
    }
    for event in events {
        take(&mut registries, event)?;
    }
    complete(app, &mut registries, anew).await?;
    app.set_registries(registries);
    Ok(())
}

/// Every derived event after a place in the chain.
async fn events_after(app: &App, after: Option<(u64, u64)>) -> Result<Vec<rows::Event>, Error> {
    let chain = app.facts.chain;
    app.store
        .read(move |tx| {
            let mut events: Vec<rows::Event> = Vec::new();
            loop {
                let after = events.last().map(place).or(after);
                let page = rows::events(tx, chain, after, 1_000)?;
                if page.is_empty() {
                    return Ok::<_, Error>(events);
                }
                events.extend(page);
            }
        })
        .await
}

fn place(event: &rows::Event) -> (u64, u64) {
    (event.block_number, event.log_index)
}

/// Takes the next event into the registry it is of.
fn take(registries: &mut Registries, event: rows::Event) -> Result<(), Error> {
    registries.last = Some(place(&event));
    let change = serde_json::from_str(&event.payload).map_err(|_| Error::Internal("a kept event does not read"))?;
    let Registries { issuers, verifiers, .. } = registries;
    let to = match event.kind.as_str() {
        ISSUER => [Some(issuers), None],
        VERIFIER => [Some(verifiers), None],
        // An owner's change is no registry's: whoever knows the participant takes it.
        _ => [issuers, verifiers].map(|registry| registry.participant(&event.subject).is_some().then_some(registry)),
    };
    let event = registry::Event {
        participant: event.subject,
        block: event.block_number,
        time: event.block_time,
        change,
    };
    for registry in to.into_iter().flatten() {
        registry
            .apply(&event)
            .map_err(|_| Error::Internal("the registry's events do not follow from each other"))?;
    }
    Ok(())
}

/// Adds what the events name by its digest only, certificates and profiles, and mirrors into the rows where each participant stands.
async fn complete(app: &App, registries: &mut Registries, anew: bool) -> Result<(), Error> {
    let chain = app.facts.chain;
    let (known, keys, numbers) = app
        .store
        .read(move |tx| {
            let known = participants::list(tx, None)?;
            let mut keys = Vec::new();
            for participant in &known {
                keys.extend(key_rows::list(tx, &Scope::system(), Some(participant.id))?);
            }
            Ok::<_, Error>((known, keys, delegates::Kept::read(tx, chain)?))
        })
        .await?;
    for registry in [&mut registries.issuers, &mut registries.verifiers] {
        for certificate in keys.iter().filter_map(|key| key.certificate.as_deref()) {
            if registry.add_certificate(certificate, app.provider()).is_err() {
                tracing::error!("a participant's certificate is not for the key that the registry names");
            }
        }
        for participant in &known {
            registry.add_profile(participant.profile.as_bytes(), app.provider());
        }
    }
    // Before any of them signs: it is to know its number.
    app.delegates().note(&known, &keys, &numbers, anew);
    mirror::participants(app, registries, &known, &keys).await
}
