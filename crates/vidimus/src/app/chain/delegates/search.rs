//! The search in the histories of DIDs, a job of its own: anybody may make its own DID's history as long as it pays for, and registries,
//! suspensions and revocations are read meanwhile.

use super::{Delegates, Key, Seen};
use crate::app::{App, error::Error};
use std::collections::HashSet;
use vidimus_core::encoding::hex;
use vidimus_identity::{
    Did, KeyMaterial,
    ethr::{self, At, AttributeName},
};
use vidimus_ledger::{
    CallerError, LedgerError,
    contracts::{
        Placed,
        dids::{self, DidEvent},
    },
    eth,
};
use vidimus_store::delegates as rows;

/// Keys without number in one round: each takes a question to the ledger.
const AT_ONCE: usize = 100;
/// Blocks with changes that are read in one round. A DID with more is not numbered here.
const MOST_BLOCKS: u64 = 200;
/// How often a DID is read in vain before it is left alone.
const MOST_IN_VAIN: u32 = 16;

/// What became of a key's turn.
enum Turn {
    Over,
    /// What is left of the round may not be enough: it is the first of the next.
    Kept,
}

impl Delegates {
    /// One round: looks for some of the keys whose number is not known, and again at one that has its number.
    pub async fn look(app: &App) -> Result<(), Error> {
        let Some(block) = app.registries().read_to else {
            return Ok(());
        };
        let turn = app.delegates().turn(AT_ONCE);
        let mut blocks = MOST_BLOCKS;
        for mut key in turn {
            let looked = look_at(app, &mut key, block, &mut blocks).await;
            if let Ok(Turn::Kept) = looked {
                return Ok(());
            }
            // Whatever keeps this one from its number: the others have their turns before it has another.
            app.delegates().put_back(key);
            match looked {
                Ok(_) => {}
                // Most likely the ledger does not answer about the others either.
                Err(error @ (Error::Store(_) | Error::Ledger(LedgerError::Retry(_)))) => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "the number of an issuer's key is looked for later");
                    // How much was read is not known.
                    blocks /= 2;
                }
            }
            if blocks == 0 {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Reads a DID where it changed since it was read last. `blocks` is what may be read of it yet.
async fn look_at(app: &App, key: &mut Key, block: u64, blocks: &mut u64) -> Result<Turn, Error> {
    let (registry, at) = (app.contracts.dids, eth::BlockId::number(block));
    let changed = dids::changed(&*app.ledger, registry, key.issuer, at).await?;
    if key.seen.is_some_and(|seen| seen.changed == changed) {
        return Ok(Turn::Over);
    }
    let history = match dids::history(&*app.ledger, registry, key.issuer, at, *blocks).await {
        Ok(history) => history,
        Err(LedgerError::Caller(CallerError::TooMuch { .. })) if *blocks < MOST_BLOCKS => return Ok(Turn::Kept),
        // Somebody pays for a DID of very many changes. What nodes refuse for other reasons, they may answer later.
        Err(LedgerError::Caller(CallerError::TooMuch { .. })) => {
            give_up(key);
            *blocks = 0;
            return Ok(Turn::Over);
        }
        Err(error) => return Err(error.into()),
    };
    let read: HashSet<_> = history.iter().map(|placed| placed.at.block_number).collect();
    *blocks = blocks.saturating_sub(read.len() as u64);
    let before = key.number();
    let events = events(app, history);
    let number = number_in(app, key, &events)?;
    let (chain, id) = (app.facts.chain, key.id);
    match number {
        Some(number) => {
            let row = rows::Delegate {
                key: id,
                number,
                changed,
            };
            app.store.write(move |tx| rows::put(tx, chain, &row)).await?;
            key.in_vain = 0;
        }
        None => {
            if before.is_some() {
                app.store.write(move |tx| rows::remove(tx, chain, id)).await?;
            }
            if key.is_own {
                key.expected = next_number(app, key, events, block, changed)?;
            }
            key.in_vain += 1;
            if key.in_vain == MOST_IN_VAIN {
                give_up(key);
            }
        }
    }
    key.seen = Some(Seen { changed, number });
    Ok(Turn::Over)
}

/// From now on it has the number that is known, or none but its version.
fn give_up(key: &mut Key) {
    key.is_given_up = true;
    if key.is_own {
        key.expected = None;
    }
}

fn events(app: &App, history: Vec<Placed<DidEvent>>) -> Vec<ethr::Event> {
    let now = app.now();
    let event = |placed: Placed<DidEvent>| ethr::Event {
        block: placed.at.block_number,
        time: placed.at.time.unwrap_or(now),
        previous_change: placed.event.previous(),
        change: placed.event.into(),
    };
    history.into_iter().map(event).collect()
}

/// The number that a key gets if nothing else changes before.
fn next_number(
    app: &App,
    key: &Key,
    mut events: Vec<ethr::Event>,
    block: u64,
    changed: u64,
) -> Result<Option<u64>, Error> {
    let name = AttributeName::p256_issuer_key().encode();
    events.push(ethr::Event {
        block,
        time: app.now(),
        previous_change: changed,
        change: ethr::Change::Attribute {
            name: name.map_err(|_| Error::Internal("the attribute's name does not fit"))?,
            value: key.point.as_bytes().to_vec(),
            valid_to: u64::MAX,
        },
    });
    number_in(app, key, &events)
}

fn number_in(app: &App, key: &Key, events: &[ethr::Event]) -> Result<Option<u64>, Error> {
    let unreadable = || Error::Internal("the DID of an issuer does not read");
    let did: Did = key.did.parse().map_err(|_| unreadable())?;
    let did = did.as_ethr().ok_or_else(unreadable)?;
    let resolved = ethr::resolve(did, events, At::Now(app.now()), app.provider()).map_err(|_| unreadable())?;
    let material = KeyMaterial::PublicKeyHex(hex(key.point.as_bytes()));
    let methods = resolved.did_document.verification_method;
    let method = methods.iter().find(|method| method.material == material);
    Ok(method.and_then(|method| method.id.split_once("#delegate-")?.1.parse().ok()))
}
