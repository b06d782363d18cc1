//! What the chain says, read into the derived tables.

use super::registries::refresh;
use crate::app::{App, error::Error};
use vidimus_core::{Address, Digest, PublicKey, Timestamp};
use vidimus_credential::check::registry::{self, Change, Grant};
use vidimus_ledger::{
    contracts::{
        Position, anchors, dids,
        registry::{Permission, RegistryEvent},
    },
    convert, eth,
};
use vidimus_store::chain as rows;

pub(super) const ISSUER: &str = "issuer";
pub(super) const VERIFIER: &str = "verifier";
/// Of the DID registry: an owner's change.
const DID: &str = "did";
/// The place of what is known as of the end of a block: after each log in it.
const AFTER_BLOCK: u64 = 1 << 32;
/// Blocks whose logs are asked for at once; fewer, where the ledger says that this is too much.
const BLOCKS_AT_ONCE: u64 = 2_000;

/// Reads what the chain has since the cursor into the derived tables, then brings the registries up to date. Idempotent; several instances
/// may do it at once.
pub async fn catch_up(app: &App) -> Result<(), Error> {
    let chain = app.facts.chain;
    let mut anew = false;
    let mut at_once = BLOCKS_AT_ONCE;
    loop {
        let before = app.store.read(move |tx| rows::cursor(tx, chain)).await?;
        // Everything that was read was dropped, here or by another instance.
        anew = anew || (before.is_none() && app.registries().read_to.is_some());
        let head = app.ledger.finalized().await?;
        if let Some(before) = before {
            let there = app
                .ledger
                .block(eth::BlockId::number(before.block_number), false)
                .await?;
            if there.is_none_or(|block| convert::from_hash(block.header.hash) != before.block_hash) {
                // What was final is gone: another chain, or one restored from a backup. The tables hold nothing of their own.
                tracing::error!(
                    block = before.block_number,
                    "the chain is not the one that was read: reading it again"
                );
                app.store.write(move |tx| rows::drop_derived(tx, chain)).await?;
                anew = true;
                continue;
            }
            if before.block_number >= head.number {
                break;
            }
        }
        let from = before.map_or(0, |before| before.block_number + 1);
        let to = head.number.min(from + at_once - 1);
        let (events, roots) = match read_logs(app, from, to).await {
            Ok(found) => found,
            Err(Error::Ledger(error)) if error.asks_too_much() && to > from => {
                at_once = (to - from).div_ceil(2);
                continue;
            }
            Err(error) => return Err(error),
        };
        let block = app
            .ledger
            .block(eth::BlockId::number(to), false)
            .await?
            .ok_or(Error::Internal("a final block"))?;
        let after = rows::Cursor {
            block_number: to,
            block_hash: convert::from_hash(block.header.hash),
            block_time: Timestamp(i64::try_from(block.header.timestamp).unwrap_or(i64::MAX)),
        };
        app.store
            .write(move |tx| rows::advance(tx, chain, before, after, &events, &roots))
            .await?;
    }
    let read_before = app.registries().read_to;
    let anew = anew || !is_on_the_chain(app).await?;
    refresh(app, anew).await?;
    if app.registries().read_to != read_before && app.delegates().is_looking() {
        app.wake.delegates.notify_one();
    }
    Ok(())
}

/// Whether the block that the registries in memory are as of is on the chain that the tables are of: both may have gone back meanwhile, by
/// another instance, or here before something failed.
async fn is_on_the_chain(app: &App) -> Result<bool, Error> {
    let (registries, chain) = (app.registries(), app.facts.chain);
    let Some(number) = registries.read_to else {
        return Ok(true);
    };
    let hash = registries.issuers.head().block_hash;
    let cursor = app.store.read(move |tx| rows::cursor(tx, chain)).await?;
    if let Some(cursor) = cursor.filter(|cursor| cursor.block_number == number) {
        return Ok(cursor.block_hash == hash);
    }
    let there = app.ledger.block(eth::BlockId::number(number), false).await?;
    Ok(there.is_some_and(|block| convert::from_hash(block.header.hash) == hash))
}

/// Forgets everything that was read from the chain and reads it again; the digests over it before and after, which are the same.
pub async fn rebuild(app: &App) -> Result<(Digest, Digest), Error> {
    let chain = app.facts.chain;
    catch_up(app).await?;
    let before = app.store.read(move |tx| rows::digest(tx, chain)).await?;
    app.store.write(move |tx| rows::drop_derived(tx, chain)).await?;
    catch_up(app).await?;
    let after = app.store.read(move |tx| rows::digest(tx, chain)).await?;
    Ok((before, after))
}

async fn read_logs(app: &App, from: u64, to: u64) -> Result<(Vec<rows::Event>, Vec<rows::Root>), Error> {
    let contracts = app.contracts.all().map(|(_, contract)| contract);
    let filter = eth::Filter::new()
        .from_block(from)
        .to_block(to)
        .address(contracts.map(convert::to_address).to_vec());
    let (mut events, mut roots) = (Vec::new(), Vec::new());
    for log in app.ledger.logs(&filter).await? {
        // By the contract that logged it, never by what it looks like: any contract can log the same.
        let logged_by = convert::from_address(log.address());
        if logged_by == app.contracts.anchors {
            roots.extend(root_of(app, &log).await?);
            continue;
        }
        let changed = if logged_by == app.contracts.dids {
            owner_changed(app, &log, &events).await?
        } else {
            registry_changed(app, logged_by, &log)
        };
        let Some(changed) = changed else { continue };
        let block_time = time_of(app, &changed.at).await?;
        // Its DID may have been given to another account between the look at it and this block.
        let given_to = match changed.change {
            Change::Approved(_) => owner_by(app, changed.participant, changed.at.block_number).await?,
            _ => None,
        };
        let given = given_to.map(|owner| Changed {
            at: Position {
                log_index: AFTER_BLOCK + changed.at.log_index,
                ..changed.at
            },
            contract: app.contracts.dids,
            kind: DID,
            participant: changed.participant,
            change: Change::OwnerChanged(owner),
        });
        let changes = std::iter::once(changed).chain(given);
        events.extend(changes.map(|changed| changed.into_row(block_time)));
    }
    Ok((events, roots))
}

/// What a log says of a participant.
struct Changed {
    at: Position,
    contract: Address,
    kind: &'static str,
    participant: Address,
    change: Change,
}

impl Changed {
    fn into_row(self, block_time: Timestamp) -> rows::Event {
        rows::Event {
            block_number: self.at.block_number,
            log_index: self.at.log_index,
            block_hash: self.at.block_hash,
            block_time,
            transaction: self.at.transaction,
            contract: self.contract,
            kind: self.kind.to_owned(),
            subject: self.participant,
            payload: serde_json::to_string(&self.change).expect("a change serialises"),
        }
    }
}

async fn root_of(app: &App, log: &eth::Log) -> Result<Option<rows::Root>, Error> {
    let Some(placed) = anchors::decode(log) else {
        return Ok(None);
    };
    let anchors::AnchorsEvent::Anchored { root, size, anchorer } = placed.event else {
        return Ok(None);
    };
    Ok(Some(rows::Root {
        root,
        size,
        contract: placed.contract,
        anchorer,
        transaction: placed.at.transaction,
        block_number: placed.at.block_number,
        block_hash: placed.at.block_hash,
        block_time: time_of(app, &placed.at).await?,
    }))
}

/// Another owner of a participant's DID. Holders' DIDs are their own business, and so is what a participant's was before it was admitted.
async fn owner_changed(app: &App, log: &eth::Log, events: &[rows::Event]) -> Result<Option<Changed>, Error> {
    let Some(placed) = dids::decode(log) else {
        return Ok(None);
    };
    let dids::DidEvent::OwnerChanged { identity, owner, .. } = placed.event else {
        return Ok(None);
    };
    let chain = app.facts.chain;
    let is_known = events.iter().any(|event| event.subject == identity)
        || !app
            .store
            .read(move |tx| rows::events_of(tx, chain, identity))
            .await?
            .is_empty();
    Ok(is_known.then_some(Changed {
        at: placed.at,
        contract: placed.contract,
        kind: DID,
        participant: identity,
        change: Change::OwnerChanged(owner),
    }))
}

fn registry_changed(app: &App, logged_by: Address, log: &eth::Log) -> Option<Changed> {
    let kind = match logged_by {
        contract if contract == app.contracts.issuers => ISSUER,
        contract if contract == app.contracts.verifiers => VERIFIER,
        _ => return None,
    };
    let placed = vidimus_ledger::contracts::registry::decode(log)?;
    let (participant, change) = change_of(placed.event)?;
    Some(Changed {
        at: placed.at,
        contract: placed.contract,
        kind,
        participant,
        change,
    })
}

/// To whom an account had given its DID by the end of a block; `None` when it is its own. Read from logs: they are proven, and there when the
/// states of old blocks are not.
async fn owner_by(app: &App, identity: Address, block: u64) -> Result<Option<Address>, Error> {
    let filter = eth::Filter::new()
        .address(convert::to_address(app.contracts.dids))
        .topic1(convert::to_address(identity).into_word());
    let (mut to, mut at_once) = (block, u64::MAX);
    // Backwards: the newest change counts.
    loop {
        let from = to.saturating_sub(at_once);
        let logs = match app.ledger.logs(&filter.clone().from_block(from).to_block(to)).await {
            Err(error) if error.asks_too_much() && to > from => {
                at_once = (to - from) / 2;
                continue;
            }
            answer => answer?,
        };
        let changes = logs.iter().filter_map(dids::decode);
        let newest = changes
            .filter_map(|placed| match placed.event {
                dids::DidEvent::OwnerChanged { owner, .. } => {
                    Some((placed.at.block_number, placed.at.log_index, owner))
                }
                _ => None,
            })
            .max_by_key(|(block, index, _)| (*block, *index));
        if let Some((.., owner)) = newest {
            return Ok((owner != identity).then_some(owner));
        }
        if from == 0 {
            return Ok(None);
        }
        to = from - 1;
    }
}

async fn time_of(app: &App, at: &Position) -> Result<Timestamp, Error> {
    if let Some(time) = at.time {
        return Ok(time);
    }
    let block = app
        .ledger
        .block(eth::BlockId::hash(convert::to_hash(at.block_hash)), false)
        .await?;
    let block = block.ok_or(Error::Internal("a block whose log was read is not there"))?;
    Ok(Timestamp(i64::try_from(block.header.timestamp).unwrap_or(i64::MAX)))
}

/// An event of a registry contract as the check knows it. None for those about the contract's authority.
fn change_of(event: RegistryEvent) -> Option<(Address, Change)> {
    let grant = |permission: Permission, name: String| match permission {
        Permission::Category => Grant::Category(name),
        Permission::Attribute => Grant::Attribute(name),
        Permission::Purpose => Grant::Purpose(name),
    };
    Some(match event {
        RegistryEvent::Approved { participant, profile } => (participant, Change::Approved(profile)),
        RegistryEvent::ProfileChanged { participant, profile } => (participant, Change::ProfileChanged(profile)),
        RegistryEvent::KeysRotated {
            participant,
            version,
            keys,
        } => {
            let some = |word: [u8; 32]| (word != [0; 32]).then_some(Digest(word));
            let mut point = [4; 65];
            point[1..33].copy_from_slice(&keys.p256_x);
            point[33..].copy_from_slice(&keys.p256_y);
            let keys = registry::Keys {
                p256: some(keys.p256_x).map(|_| PublicKey::P256(point)),
                x25519: some(keys.x25519),
                certificate: some(keys.certificate),
            };
            (participant, Change::KeysRotated { version, keys })
        }
        RegistryEvent::KeysRevoked {
            participant,
            version,
            from,
        } => (participant, Change::KeysRevoked { version, from }),
        RegistryEvent::Suspended { participant, reason } => (participant, Change::Suspended(reason)),
        RegistryEvent::Resumed { participant } => (participant, Change::Resumed),
        RegistryEvent::Revoked { participant, reason } => (participant, Change::Revoked(reason)),
        RegistryEvent::Granted {
            participant,
            permission,
            name,
        } => (participant, Change::Granted(grant(permission, name))),
        RegistryEvent::Withdrawn {
            participant,
            permission,
            name,
        } => (participant, Change::Withdrawn(grant(permission, name))),
        RegistryEvent::AuthorityOffered { .. } | RegistryEvent::AuthorityTransferred { .. } => return None,
    })
}
