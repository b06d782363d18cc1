//! What others need to check without asking about a person: the root certificate, and the offline bundle.

use crate::app::{App, checks::to_root, error::Error, status};
use vidimus_core::encoding::base64;
use vidimus_credential::check::{
    Head,
    bundle::{Anchors, Content, List, ListKind},
    registry::Event,
};
use vidimus_store::{Scope, chain, keys as key_rows, participants, status as lists};

/// The most roots in one bundle.
const MOST_ROOTS: u32 = 100_000;

/// What one reading of the database gives a bundle: all of one moment.
struct Kept {
    events: Vec<chain::Event>,
    roots: Vec<chain::Root>,
    lists: Vec<lists::List>,
    certificates: Vec<String>,
    profiles: Vec<String>,
}

/// A bundle as of now, signed by the status signer, whose certificate leads to the root.
pub async fn bundle(app: &App) -> Result<String, Error> {
    // Before anything is read: what comes meanwhile is more than the bundle claims, never less.
    let head = *app.registries().issuers.head();
    let kept = kept(app).await?;
    let (issuers, verifiers) = histories(app, kept.events)?;
    let now = app.now();
    let content = Content {
        version: u64::try_from(now.0).unwrap_or(0),
        made_at: now,
        head,
        issuers,
        verifiers,
        anchors: anchors(app, &head, kept.roots),
        status: token_lists(app, &kept.lists).await?,
        certificates: kept.certificates,
        profiles: kept.profiles,
        value_sets: app.added.value_sets.clone(),
        categories: app.added.categories.clone(),
    };
    let signer = status::status_signer(app).await?;
    status::finish(
        &signer,
        content.prepare(std::slice::from_ref(&app.facts.status_certificate)),
    )
}

async fn kept(app: &App) -> Result<Kept, Error> {
    let chain_id = app.facts.chain;
    let kept = app
        .store
        .read(move |tx| {
            let mut events = Vec::new();
            loop {
                let after = events
                    .last()
                    .map(|event: &chain::Event| (event.block_number, event.log_index));
                let page = chain::events(tx, chain_id, after, 1_000)?;
                if page.is_empty() {
                    break;
                }
                events.extend(page);
            }
            let (mut certificates, mut profiles) = (Vec::new(), Vec::new());
            for participant in participants::list(tx, None)? {
                let keys = key_rows::list(tx, &Scope::system(), Some(participant.id))?;
                certificates.extend(keys.iter().filter_map(|key| key.certificate.as_deref()).map(base64));
                profiles.push(participant.profile);
            }
            Ok::<_, vidimus_store::Error>(Kept {
                events,
                roots: chain::newest_roots(tx, chain_id, MOST_ROOTS)?,
                lists: lists::lists(tx)?,
                certificates,
                profiles,
            })
        })
        .await?;
    Ok(kept)
}

/// The histories of issuers and of verifiers.
fn histories(app: &App, events: Vec<chain::Event>) -> Result<(Vec<Event>, Vec<Event>), Error> {
    let (mut issuers, mut verifiers) = (Vec::new(), Vec::new());
    for event in events {
        let change = serde_json::from_str(&event.payload).map_err(|_| Error::Internal("a kept event does not read"))?;
        let contract = event.contract;
        let event = Event {
            participant: event.subject,
            block: event.block_number,
            time: event.block_time,
            change,
        };
        if contract == app.contracts.issuers {
            issuers.push(event);
        } else if contract == app.contracts.verifiers {
            verifiers.push(event);
        } else if contract == app.contracts.dids {
            // An owner's change is no registry's: whoever knows the participant takes it.
            for registry in [&mut issuers, &mut verifiers] {
                if registry
                    .iter()
                    .any(|before: &Event| before.participant == event.participant)
                {
                    registry.push(event.clone());
                }
            }
        }
    }
    Ok((issuers, verifiers))
}

/// The roots, newest first as they come. Where not all fit, the oldest are left out, and the bundle says so: it then says nothing of them.
fn anchors(app: &App, head: &Head, roots: Vec<chain::Root>) -> Anchors {
    let chain_id = app.facts.chain;
    let from_block = if roots.len() < MOST_ROOTS as usize {
        0
    } else {
        roots.last().map_or(0, |root| root.block_number + 1)
    };
    let kept = roots.into_iter().filter(|root| root.block_number >= from_block);
    Anchors {
        chain_id,
        contract: app.contracts.anchors,
        from_block,
        block_number: head.block_number,
        read_at: head.read_at,
        roots: kept.map(|root| to_root(chain_id, root)).collect(),
    }
}

/// The status lists as they are served.
async fn token_lists(app: &App, open: &[lists::List]) -> Result<Vec<List>, Error> {
    let mut tokens = Vec::new();
    for list in open {
        let served = status::served(app, list.list, status::Encoding::Token).await?;
        tokens.push(List {
            uri: app.url(&status::Encoding::Token.path(list.list)),
            kind: ListKind::Token,
            token: served.token,
        });
    }
    Ok(tokens)
}

/// The root certificate, PEM.
pub fn root_pem(app: &App) -> String {
    let text = base64(&app.facts.authority_certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
