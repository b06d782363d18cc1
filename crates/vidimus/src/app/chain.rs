//! The chain as the application sees it: the contracts of the deployment, the registries rebuilt from their events, and the way in for
//! transactions.

use crate::app::{
    App, Registries,
    deployment::{Facts, Refusal},
    error::{Error, Problem},
    keys::Keys,
    principal::{Principal, Role},
    requests::{ParticipantChange, Prepared},
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use vidimus_core::{
    Address, Digest, PublicKey, Timestamp,
    encoding::{from_hex, hex},
    id::RequestId,
};
use vidimus_credential::check::{
    Registry,
    registry::{self, Change, Grant, Head},
};
use vidimus_crypto::{KeyKind, SigningKey};
use vidimus_identity::ethr::AttributeName;
use vidimus_ledger::{
    Ledger, await_mined,
    contracts::{
        Contract, Position, address_created, anchors, dids,
        registry::{Permission, RegistryEvent},
        verify_code,
    },
    convert, eth,
    transaction::{self, Fields},
};
use vidimus_store::{
    Scope, Store, chain as rows, deployment as deployment_rows, keys as key_rows, participants,
    transactions::{self, Outbound},
};

/// Addresses of the deployment's contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contracts {
    /// Who may issue.
    pub issuers: Address,
    /// Who may ask.
    pub verifiers: Address,
    /// ERC-1056.
    pub dids: Address,
    /// Merkle roots.
    pub anchors: Address,
}

/// How long a transaction may take to be mined before we say that the ledger is slow.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Gas that creating any of our contracts stays below.
const CREATION_GAS: u64 = 6_000_000;
/// Gas that any call of ours stays below; a call that needs more reverts, and says so.
pub const CALL_GAS: u64 = 1_500_000;
/// The operator's first transactions: the contracts, and the anchorer's permission.
const CREATIONS: u64 = Contract::ALL.len() as u64 + 1;
/// Blocks whose logs are asked for at once.
const BLOCKS_AT_ONCE: u64 = 2_000;

/// Makes sure that the contracts are on the chain: checks their code where they are known, else creates them.
///
/// The operator's first transactions create them, in a fixed order, so their addresses follow from its account; whatever was sent before a
/// crash is not sent again. The operator is the first authority, until the one that is set up takes over.
pub async fn ensure_contracts(
    ledger: &dyn Ledger,
    store: &Store,
    keys: &Keys,
    facts: &Facts,
) -> Result<Contracts, Refusal> {
    let found = store
        .read(deployment_rows::find)
        .await?
        .ok_or(Refusal::NotInitialised)?;
    if let Ok(contracts) = serde_json::from_str::<Contracts>(&found.contracts) {
        for (contract, address) in contracts.all() {
            verify_code(ledger, contract, address).await.map_err(Refusal::Ledger)?;
        }
        return Ok(contracts);
    }
    let key = operator_key(store, keys, facts).await?;
    let at = |contract: Contract| {
        let nonce = Contract::ALL
            .iter()
            .position(|candidate| *candidate == contract)
            .unwrap_or_default() as u64;
        address_created(facts.operator, nonce)
    };
    let contracts = Contracts {
        issuers: at(Contract::IssuerRegistry),
        verifiers: at(Contract::VerifierRegistry),
        dids: at(Contract::EthereumDidRegistry),
        anchors: at(Contract::Anchors),
    };
    let steps = CREATIONS;
    loop {
        let operator = convert::to_address(facts.operator);
        let nonce = ledger
            .nonce(operator, eth::BlockId::latest())
            .await
            .map_err(Refusal::Ledger)?;
        if nonce >= steps {
            break;
        }
        let fees = ledger.fees().await.map_err(Refusal::Ledger)?;
        let creation = usize::try_from(nonce).ok().and_then(|place| Contract::ALL.get(place));
        let fields = Fields {
            chain_id: facts.chain,
            nonce,
            gas_limit: CREATION_GAS,
            max_fee: fees.max_fee,
            priority_fee: fees.priority_fee,
            to: creation.is_none().then_some(contracts.anchors),
            value: 0,
            data: match creation {
                Some(contract) => contract.creation_code(facts.operator),
                None => anchors::set_anchorer(facts.anchorer, true),
            },
        };
        let signed = fields
            .prepare()
            .sign(facts.operator, |hash| key.sign_digest(hash))
            .map_err(|_| Refusal::Damaged("the operator's key does not sign"))?;
        ledger.submit(&signed.raw).await.map_err(Refusal::Ledger)?;
        let mined = await_mined(ledger, signed.hash, PATIENCE)
            .await
            .map_err(Refusal::Ledger)?;
        if !mined.success {
            return Err(Refusal::Configuration("a contract could not be created on this chain"));
        }
    }
    for (contract, address) in contracts.all() {
        verify_code(ledger, contract, address).await.map_err(Refusal::Ledger)?;
    }
    let text = serde_json::to_string(&contracts).expect("addresses serialise");
    store
        .write(move |tx| deployment_rows::set_contracts(tx, "{}", &text))
        .await?;
    Ok(contracts)
}

impl Contracts {
    /// Those that have an authority.
    fn governed(&self) -> [Address; 3] {
        [self.issuers, self.verifiers, self.anchors]
    }

    fn all(&self) -> [(Contract, Address); 4] {
        [
            (Contract::IssuerRegistry, self.issuers),
            (Contract::VerifierRegistry, self.verifiers),
            (Contract::EthereumDidRegistry, self.dids),
            (Contract::Anchors, self.anchors),
        ]
    }
}

async fn operator_key(store: &Store, keys: &Keys, facts: &Facts) -> Result<Arc<SigningKey>, Refusal> {
    let id = facts.operator_key;
    let row = store.read(move |tx| key_rows::find(tx, &Scope::system(), id)).await?;
    let row = row.ok_or(Refusal::Damaged("the operator's key is not in the database"))?;
    let wrapped = row.secret.ok_or(Refusal::Damaged("the operator's key has no secret"))?;
    keys.signing_key(id, KeyKind::Secp256k1, &wrapped)
        .map_err(Refusal::Start)
}

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

/// A call to a contract.
#[derive(Debug, Clone)]
pub struct Call {
    to: Address,
    data: Vec<u8>,
    purpose: &'static str,
}

impl Call {
    /// `purpose` is a stable name, for the queue and for people.
    pub fn new(to: Address, data: Vec<u8>, purpose: &'static str) -> Self {
        Self { to, data, purpose }
    }
}

/// The registry a role stands in.
pub fn registry_of(app: &App, role: Role) -> Address {
    match role {
        Role::Issuer => app.contracts.issuers,
        _ => app.contracts.verifiers,
    }
}

/// Calls that are decided on together with a row: those from accounts whose keys are wrapped here are queued in the row's own transaction,
/// so that neither is there without the other; those from other accounts are prepared for their owners to sign.
#[derive(Debug, Default)]
pub struct Plan {
    queued: Vec<(transactions::Call, u64)>,
    prepared: Vec<Prepared>,
}

impl Plan {
    /// Adds a call from an account whose key is wrapped here. `object` makes the decision unique for its purpose.
    pub async fn queue(&mut self, app: &App, account: Address, call: Call, object: Vec<u8>) {
        let row = transactions::Call {
            id: RequestId::generate(&mut *app.entropy()),
            chain: app.facts.chain,
            account,
            purpose: call.purpose.to_owned(),
            object,
            to: Some(call.to),
            data: call.data,
            gas: CALL_GAS,
        };
        self.queued.push((row, floor(app, account).await));
    }

    /// Adds a call from the authority's account.
    pub async fn as_authority(&mut self, app: &App, call: Call) -> Result<(), Error> {
        let authority = crate::app::participants::authority_row(app).await?;
        match authority.custody {
            participants::Custody::Wrapped => {
                self.queue(app, authority.account, call, app.random::<16>().to_vec())
                    .await;
                Ok(())
            }
            participants::Custody::Own => self.prepare(app, authority.account, call).await,
        }
    }

    /// Adds a call for an account's owner to sign.
    pub async fn prepare(&mut self, app: &App, from: Address, call: Call) -> Result<(), Error> {
        let fees = app.ledger.fees().await?;
        let waiting = self
            .prepared
            .iter()
            .filter(|prepared| prepared.from == from.to_string())
            .count() as u64;
        let nonce = app
            .ledger
            .nonce(convert::to_address(from), eth::BlockId::pending())
            .await?
            + waiting;
        let unsigned = Fields {
            chain_id: app.facts.chain,
            nonce,
            gas_limit: CALL_GAS,
            max_fee: fees.max_fee,
            priority_fee: fees.priority_fee,
            to: Some(call.to),
            value: 0,
            data: call.data,
        }
        .prepare();
        self.prepared.push(Prepared {
            summary: call.purpose.to_owned(),
            from: from.to_string(),
            unsigned: format!("0x{}", hex(&unsigned.encoded())),
            signing_hash: format!("0x{}", hex(unsigned.hash())),
        });
        Ok(())
    }

    /// What to queue, for the closure that writes the row.
    pub fn queued(&self) -> Vec<(transactions::Call, u64)> {
        self.queued.clone()
    }

    /// After the commit: sends what was queued, if the ledger answers; else the job does. Never fails: what was decided stands.
    pub async fn send(self, app: &App, change: &mut ParticipantChange) {
        change.prepared.extend(self.prepared);
        for (call, _) in self.queued {
            let id = call.id;
            let sent = match app.store.read(move |tx| transactions::find(tx, id)).await {
                Ok(Some(queued)) => dispatch(app, queued).await,
                Ok(None) => continue,
                Err(error) => Err(error.into()),
            };
            match sent {
                Ok(sent) => change.transactions.extend(sent.hash.map(|hash| hash.to_string())),
                Err(error) => tracing::warn!(%error, purpose = call.purpose, "a transaction waits for the ledger"),
            }
        }
        app.wake.transactions.notify_one();
    }
}

/// Queues planned calls, in the transaction of what they belong to.
pub fn enqueue(
    tx: &mut vidimus_store::Tx<'_>,
    queued: &[(transactions::Call, u64)],
    now: Timestamp,
) -> Result<(), vidimus_store::Error> {
    for (call, floor) in queued {
        transactions::enqueue(tx, call, *floor, now)?;
    }
    Ok(())
}

/// The least nonce an account may use next: what the chain says, and for the operator that its first ones created the contracts.
async fn floor(app: &App, account: Address) -> u64 {
    let least = if account == app.facts.operator { CREATIONS } else { 0 };
    app.ledger
        .nonce(convert::to_address(account), eth::BlockId::latest())
        .await
        .unwrap_or(0)
        .max(least)
}

/// Queues a call on its own and sends it at once, if the ledger answers.
pub async fn send(app: &App, account: Address, call: Call, object: Vec<u8>) -> Result<Outbound, Error> {
    let mut plan = Plan::default();
    plan.queue(app, account, call, object).await;
    let (row, floor) = plan.queued.remove(0);
    let now = app.now();
    let queued = app
        .store
        .write(move |tx| transactions::enqueue(tx, &row, floor, now))
        .await?;
    if queued.state == transactions::State::Queued {
        dispatch(app, queued).await
    } else {
        Ok(queued)
    }
}

/// Hands the contracts over to the authority: the operator offers, the authority accepts, for each contract that the operator still holds.
/// Safe to repeat; `jobs` does so until it is done. An authority with its own keys accepts by what was prepared for it.
pub async fn hand_over(app: &App) -> Result<(), Error> {
    let authority = crate::app::participants::authority_row(app).await?;
    let account = authority.account;
    for contract in app.contracts.governed() {
        let latest = eth::BlockId::latest();
        let held_by = vidimus_ledger::contracts::registry::authority(&*app.ledger, contract, latest).await?;
        if held_by != app.facts.operator {
            continue;
        }
        let object = [contract.0, account.0].concat();
        let call = Call::new(
            contract,
            vidimus_ledger::contracts::registry::offer_authority(account),
            "offer-authority",
        );
        let offer = send(app, app.facts.operator, call, object.clone()).await?;
        await_success(app, &offer).await?;
        if authority.custody == participants::Custody::Wrapped {
            let call = Call::new(
                contract,
                vidimus_ledger::contracts::registry::accept_authority(),
                "accept-authority",
            );
            let accepted = send(app, account, call, object).await?;
            await_success(app, &accepted).await?;
        }
    }
    Ok(())
}

/// Whether the operator holds none of the contracts any more.
pub async fn is_handed_over(app: &App) -> Result<bool, Error> {
    for contract in app.contracts.governed() {
        let latest = eth::BlockId::latest();
        let held_by = vidimus_ledger::contracts::registry::authority(&*app.ledger, contract, latest).await?;
        if held_by == app.facts.operator {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Signs what is queued and sends what is signed. The bytes are stored before they are sent, and only ever resent as they are.
pub async fn dispatch(app: &App, mut outbound: Outbound) -> Result<Outbound, Error> {
    let id = outbound.call.id;
    if outbound.state == transactions::State::Queued {
        let fees = app.ledger.fees().await?;
        let fields = Fields {
            chain_id: outbound.call.chain,
            nonce: outbound.nonce,
            gas_limit: outbound.call.gas,
            max_fee: fees.max_fee,
            priority_fee: fees.priority_fee,
            to: outbound.call.to,
            value: 0,
            data: outbound.call.data.clone(),
        };
        let key = account_key(app, outbound.call.account).await?;
        let signed = fields
            .prepare()
            .sign(outbound.call.account, |hash| key.sign_digest(hash))
            .map_err(|_| Error::Internal("an account key does not sign"))?;
        let (raw, hash, now) = (signed.raw.clone(), signed.hash, app.now());
        app.store
            .write(move |tx| transactions::sign(tx, id, &raw, hash, now))
            .await?;
        // Another instance may have been faster; what is stored is what is sent.
        outbound = app
            .store
            .read(move |tx| transactions::find(tx, id))
            .await?
            .ok_or(Error::Internal("a queued transaction is gone"))?;
    }
    let raw = outbound
        .raw
        .clone()
        .ok_or(Error::Internal("a signed transaction has no bytes"))?;
    crate::fault::point(crate::fault::AFTER_RAW);
    app.ledger.submit(&raw).await?;
    crate::fault::point(crate::fault::AFTER_SUBMIT);
    let now = app.now();
    app.store.write(move |tx| transactions::sent(tx, id, now)).await?;
    app.wake.transactions.notify_one();
    Ok(outbound)
}

/// The key of an account: the operator's, the anchorer's, or a participant's that is wrapped here.
pub async fn account_key(app: &App, account: Address) -> Result<Arc<SigningKey>, Error> {
    let id = match account {
        account if account == app.facts.operator => app.facts.operator_key,
        account if account == app.facts.anchorer => app.facts.anchor_key,
        account => {
            let found = app
                .store
                .read(move |tx| {
                    for participant in participants::list(tx, None)? {
                        if participant.account == account {
                            let kind = key_rows::Kind::Secp256k1;
                            return key_rows::active(tx, &Scope::system(), Some(participant.id), "account", kind);
                        }
                    }
                    Ok::<_, vidimus_store::Error>(None)
                })
                .await?;
            found
                .ok_or(Error::Internal("no key of ours belongs to this account"))?
                .id
        }
    };
    let row = app.key(id).await?;
    let wrapped = row
        .secret
        .as_ref()
        .ok_or(Error::Internal("this account's key is not kept here"))?;
    app.keys.signing_key(id, KeyKind::Secp256k1, wrapped)
}

/// Takes a transaction that a participant signed itself: from its own account, to one of the deployment's contracts.
pub async fn submit_signed(app: &App, caller: &Principal, raw: &str) -> Result<String, Error> {
    let refused = |detail: &str| Error::invalid("transaction", detail, "sign one that a change of yours prepared");
    let raw = from_hex(raw).map_err(|_| refused("/raw: not hexadecimal"))?;
    let signed = transaction::inspect(&raw).map_err(|error| refused(&format!("/raw: {error}")))?;
    let own = crate::app::participants::find(app, caller.participant).await?;
    if signed.sender != own.account {
        return Err(refused("/raw: signed by another account than yours"));
    }
    let to = transaction::recipient(&raw);
    if !app.contracts.all().iter().any(|(_, contract)| Some(*contract) == to) {
        return Err(refused("/raw: not to one of this deployment's contracts"));
    }
    app.ledger.submit(&raw).await?;
    app.wake.transactions.notify_one();
    Ok(signed.hash.to_string())
}

/// Waits until a transaction that was sent is mined and succeeded.
pub async fn await_success(app: &App, outbound: &Outbound) -> Result<(), Error> {
    let hash = outbound.hash.ok_or_else(slow)?;
    let mined = await_mined(&*app.ledger, hash, PATIENCE).await?;
    if mined.success {
        Ok(())
    } else {
        Err(Error::Internal("a transaction of ours reverted"))
    }
}

fn slow() -> Error {
    Error::NotReady(Problem::new(
        "ledger-slow",
        "the ledger has not taken the transaction yet",
        "nothing is lost: it is sent again; look at the state in a minute",
    ))
}

/// How long a signing key's attribute holds in the DID registry: ten years, as long as the root certificate.
const ATTRIBUTE_VALIDITY: u64 = 10 * 365 * 86_400;

/// Plans to put an issuer's P-256 key into its DID document, so that clients that know nothing of our registry verify ES256. The issuer signs,
/// the operator pays (ERC-1056's signed variants); an issuer with its own keys gets a transaction to sign.
pub async fn announce_signing_key(
    app: &App,
    account: Address,
    account_key: Option<&SigningKey>,
    key: &PublicKey,
    plan: &mut Plan,
) -> Result<(), Error> {
    let name = AttributeName::p256_issuer_key()
        .encode()
        .map_err(|_| Error::Internal("the attribute's name does not fit"))?;
    let attribute = dids::Change::SetAttribute {
        name,
        value: key.as_bytes().to_vec(),
        validity: ATTRIBUTE_VALIDITY,
    };
    let Some(account_key) = account_key else {
        let call = Call::new(app.contracts.dids, attribute.calldata(account), "announce-signing-key");
        return plan.prepare(app, account, call).await;
    };
    let nonce = dids::nonce(&*app.ledger, app.contracts.dids, account, eth::BlockId::latest()).await?;
    let hash = attribute.hash(app.contracts.dids, nonce, account);
    let signature = account_key
        .sign_digest(&hash)
        .map_err(|_| Error::Internal("an account key does not sign"))?;
    let calldata = attribute.signed_calldata(account, &signature);
    let call = Call::new(app.contracts.dids, calldata, "announce-signing-key");
    plan.queue(app, app.facts.operator, call, app.random::<16>().to_vec())
        .await;
    Ok(())
}

const ISSUER: &str = "issuer";
const VERIFIER: &str = "verifier";

/// Reads what the chain has since the cursor into the derived tables, then brings the registries up to date. Idempotent; several instances
/// may do it at once.
pub async fn catch_up(app: &App) -> Result<(), Error> {
    let chain = app.facts.chain;
    let mut anew = false;
    loop {
        let before = app.store.read(move |tx| rows::cursor(tx, chain)).await?;
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
        let to = head.number.min(from + BLOCKS_AT_ONCE - 1);
        let (events, roots) = read_logs(app, from, to).await?;
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
    refresh(app, anew).await
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
    let contracts = [app.contracts.issuers, app.contracts.verifiers, app.contracts.anchors];
    let filter = eth::Filter::new()
        .from_block(from)
        .to_block(to)
        .address(contracts.map(convert::to_address).to_vec());
    let (mut events, mut roots) = (Vec::new(), Vec::new());
    for log in app.ledger.logs(&filter).await? {
        if let Some(placed) = anchors::decode(&log) {
            if let anchors::AnchorsEvent::Anchored { root, size, anchorer } = placed.event {
                let time = time_of(app, &placed.at).await?;
                roots.push(rows::Root {
                    root,
                    size,
                    contract: placed.contract,
                    anchorer,
                    transaction: placed.at.transaction,
                    block_number: placed.at.block_number,
                    block_hash: placed.at.block_hash,
                    block_time: time,
                });
            }
            continue;
        }
        let Some(placed) = vidimus_ledger::contracts::registry::decode(&log) else {
            continue;
        };
        let Some((participant, change)) = change_of(placed.event) else {
            continue;
        };
        let block_time = time_of(app, &placed.at).await?;
        events.push(rows::Event {
            block_number: placed.at.block_number,
            log_index: placed.at.log_index,
            block_hash: placed.at.block_hash,
            block_time,
            transaction: placed.at.transaction,
            contract: placed.contract,
            kind: if placed.contract == app.contracts.issuers {
                ISSUER
            } else {
                VERIFIER
            }
            .to_owned(),
            subject: participant,
            payload: serde_json::to_string(&change).expect("a change serialises"),
        });
    }
    Ok((events, roots))
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

/// Takes what is new in the derived tables into the registries; all of it where they were read anew.
async fn refresh(app: &App, anew: bool) -> Result<(), Error> {
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
