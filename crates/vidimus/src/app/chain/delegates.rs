//! Under which number a signing key stands in its issuer's DID document: `#delegate-N`, the `kid` of what it signs with ES256.
//!
//! did:ethr counts every key that was set or revoked, whoever did it, and gives no number twice. The registry's versions count something else,
//! so the number is read from the DID's own history when the key is there, beside the registries and outside of any request. It is a name for
//! those who read DID documents; a check here holds a signature against the registry's keys, whatever the `kid` says.

use crate::app::{App, error::Error};
use std::collections::HashMap;
use vidimus_core::{Address, PublicKey, encoding::hex, id::KeyId};
use vidimus_identity::{
    Did, KeyMaterial,
    ethr::{self, At, AttributeName},
};
use vidimus_ledger::{
    contracts::{
        Placed,
        dids::{self, DidEvent},
    },
    eth,
};
use vidimus_store::{
    keys::{self as rows, State},
    participants::{Participant, Role},
};

/// Keys that are looked for at once: each takes a question or more to the ledger.
const AT_ONCE: usize = 16;
/// Most blocks with changes of one DID that are read for it.
const MOST_BLOCKS: u64 = 1_000;

/// What is known of it; it follows from the chain, and is read again after a start.
#[derive(Debug, Default)]
pub struct Delegates {
    known: HashMap<KeyId, u64>,
    wanted: Vec<Wanted>,
}

#[derive(Debug, Clone)]
struct Wanted {
    key: KeyId,
    issuer: Address,
    did: String,
    point: PublicKey,
    /// Block of the DID's newest change when the key was not there yet.
    without: Option<u64>,
    /// The number that it gets if nothing else changes before.
    expected: Option<u64>,
}

impl Delegates {
    /// The number of a key: the one that it has, or until it is there the next one.
    pub fn number(&self, key: KeyId) -> Option<u64> {
        let expected = || self.wanted.iter().find(|wanted| wanted.key == key)?.expected;
        self.known.get(&key).copied().or_else(expected)
    }

    /// Notes which keys of issuers sign now or will, of all that there are.
    pub fn note(&mut self, participants: &[Participant], keys: &[rows::Key]) {
        let issuers = participants.iter().filter(|row| row.role == Role::Issuer);
        let issuers: HashMap<_, _> = issuers.map(|row| (Some(row.id), row)).collect();
        let signs = |key: &&rows::Key| key.purpose == "signing" && matches!(key.state, State::Active | State::Pending);
        for key in keys.iter().filter(signs) {
            let is_noted = self.known.contains_key(&key.id) || self.wanted.iter().any(|wanted| wanted.key == key.id);
            let (Some(issuer), Ok(point), false) = (
                issuers.get(&key.participant),
                key.public.as_slice().try_into(),
                is_noted,
            ) else {
                continue;
            };
            self.wanted.push(Wanted {
                key: key.id,
                issuer: issuer.account,
                did: issuer.did.clone(),
                point: PublicKey::P256(point),
                without: None,
                expected: None,
            });
        }
    }
}

/// Looks for some of the keys whose number is not known, as of a final block. Where the ledger does not answer, another round does.
pub(super) async fn look(app: &App, block: u64) {
    let wanted: Vec<_> = app.delegates().wanted.iter().take(AT_ONCE).cloned().collect();
    for mut one in wanted {
        let found = match find(app, &mut one, block).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "the number of an issuer's key is looked for later");
                return;
            }
        };
        let mut delegates = app.delegates();
        delegates.wanted.retain(|wanted| wanted.key != one.key);
        match found {
            Some(number) => drop(delegates.known.insert(one.key, number)),
            // The others come first in the next round.
            None => delegates.wanted.push(one),
        }
    }
}

/// The number of a key that is there; else notes when it was looked for, and which number it gets next.
async fn find(app: &App, wanted: &mut Wanted, block: u64) -> Result<Option<u64>, Error> {
    let (registry, at) = (app.contracts.dids, eth::BlockId::number(block));
    let changed = dids::changed(&*app.ledger, registry, wanted.issuer, at).await?;
    if wanted.without == Some(changed) {
        return Ok(None);
    }
    let history = match dids::history(&*app.ledger, registry, wanted.issuer, at, MOST_BLOCKS).await {
        Ok(history) => history,
        // Somebody pays for a DID of very many changes: its keys are not numbered here.
        Err(error) if error.asks_too_much() => {
            wanted.without = Some(changed);
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let now = app.now();
    let event = |placed: Placed<DidEvent>| ethr::Event {
        block: placed.at.block_number,
        time: placed.at.time.unwrap_or(now),
        previous_change: placed.event.previous(),
        change: change(placed.event),
    };
    let mut events: Vec<_> = history.into_iter().map(event).collect();
    let number = number_in(app, wanted, &events)?;
    if number.is_none() {
        let name = AttributeName::p256_issuer_key().encode();
        events.push(ethr::Event {
            block,
            time: now,
            previous_change: changed,
            change: ethr::Change::Attribute {
                name: name.map_err(|_| Error::Internal("the attribute's name does not fit"))?,
                value: wanted.point.as_bytes().to_vec(),
                valid_to: u64::MAX,
            },
        });
        wanted.expected = number_in(app, wanted, &events)?;
        wanted.without = Some(changed);
    }
    Ok(number)
}

fn number_in(app: &App, wanted: &Wanted, events: &[ethr::Event]) -> Result<Option<u64>, Error> {
    let unreadable = || Error::Internal("the DID of an issuer does not read");
    let did: Did = wanted.did.parse().map_err(|_| unreadable())?;
    let did = did.as_ethr().ok_or_else(unreadable)?;
    let resolved = ethr::resolve(did, events, At::Now(app.now()), app.provider()).map_err(|_| unreadable())?;
    let material = KeyMaterial::PublicKeyHex(hex(wanted.point.as_bytes()));
    let methods = resolved.did_document.verification_method;
    let method = methods.iter().find(|method| method.material == material);
    Ok(method.and_then(|method| method.id.split_once("#delegate-")?.1.parse().ok()))
}

fn change(event: DidEvent) -> ethr::Change {
    match event {
        DidEvent::OwnerChanged { owner, .. } => ethr::Change::Owner { owner },
        DidEvent::DelegateChanged {
            kind,
            delegate,
            valid_to,
            ..
        } => ethr::Change::Delegate {
            delegate_type: kind,
            delegate,
            valid_to,
        },
        DidEvent::AttributeChanged {
            name, value, valid_to, ..
        } => ethr::Change::Attribute { name, value, valid_to },
    }
}
