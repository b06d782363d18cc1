//! What others need to check without asking about a person: the root certificate, and the offline bundle.

use crate::app::{App, checks::to_root, error::Error, status};
use vidimus_core::encoding::base64;
use vidimus_credential::check::{
    bundle::{Anchors, Content, List, ListKind},
    registry::Event,
};
use vidimus_store::{Scope, chain, keys as key_rows, participants, status as lists};

/// The most roots in one bundle.
const MOST_ROOTS: u32 = 100_000;

/// A bundle as of now, signed by the status signer, whose certificate leads to the root.
pub async fn bundle(app: &App) -> Result<String, Error> {
    let chain_id = app.facts.chain;
    // Before anything is read: what comes meanwhile is more than the bundle claims, never less.
    let head = *app.registries().issuers.head();
    let (events, roots, open, rows, profiles) = app
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
            let roots = chain::newest_roots(tx, chain_id, MOST_ROOTS)?;
            let open = lists::lists(tx)?;
            let (mut rows, mut profiles) = (Vec::new(), Vec::new());
            for participant in participants::list(tx, None)? {
                rows.extend(key_rows::list(tx, &Scope::system(), Some(participant.id))?);
                profiles.push(participant.profile);
            }
            Ok::<_, vidimus_store::Error>((events, roots, open, rows, profiles))
        })
        .await?;
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
        } else {
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
    let now = app.now();
    let mut tokens = Vec::new();
    for list in open {
        let served = status::served(app, list.list, status::Encoding::Token).await?;
        let uri = app.url(&status::Encoding::Token.path(list.list));
        tokens.push(List {
            uri,
            kind: ListKind::Token,
            token: served.token,
        });
    }
    // Where not all fit, the oldest are left out, and the bundle says so: it then says nothing of them.
    let from_block = if roots.len() < MOST_ROOTS as usize {
        0
    } else {
        roots.last().map_or(0, |root| root.block_number + 1)
    };
    let content = Content {
        version: u64::try_from(now.0).unwrap_or(0),
        made_at: now,
        head,
        issuers,
        verifiers,
        anchors: Anchors {
            chain_id,
            contract: app.contracts.anchors,
            from_block,
            block_number: head.block_number,
            read_at: head.read_at,
            roots: roots
                .into_iter()
                .filter(|root| root.block_number >= from_block)
                .map(|root| to_root(chain_id, root))
                .collect(),
        },
        status: tokens,
        certificates: rows
            .iter()
            .filter_map(|key| key.certificate.as_deref())
            .map(base64)
            .collect(),
        profiles,
        value_sets: Vec::new(),
        categories: app.extra_categories.clone(),
    };
    let signer = status::status_signer(app).await?;
    status::finish(
        &signer,
        content.prepare(std::slice::from_ref(&app.facts.status_certificate)),
    )
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
