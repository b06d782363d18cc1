//! The application: what Vidimus does, without HTTP and without the command line. Handlers and commands call these functions; SQL, keys and
//! the chain are behind them.

pub mod api_keys;
pub mod chain;
pub mod channel;
pub mod checks;
pub mod copies;
pub mod counter_signing;
pub mod delivery;
pub mod deployment;
pub mod dids;
pub mod error;
pub mod events;
pub mod foreign_lists;
pub mod issue;
pub mod keys;
pub mod memo;
pub mod once;
pub mod participants;
pub mod presenting;
pub mod principal;
pub mod push;
pub mod readiness;
pub mod reading;
pub mod recovery;
pub mod render;
pub mod requests;
pub mod revoke;
pub mod setup;
pub mod status;
pub mod tally;
pub mod trust;
pub mod trusted;
pub mod wallets;
pub mod webhooks;

pub use error::{Error, Problem};

use crate::{
    config::{self, Config, LedgerMode},
    outside::Outside,
};
use chain::Contracts;
use deployment::Refusal;
use keys::Keys;
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;
use vidimus_core::{Entropy, Provider, Timestamp, id::KeyId, time::Clock};
use vidimus_credential::{
    category::{Added, Categories},
    check::{Registry, StatusLists},
    x509,
};
use vidimus_crypto::{Native, OsEntropy, RootKey};
use vidimus_ledger::{Blame, Embedded, Genesis, Ledger, Network, network};
use vidimus_store::{Store, blobs::Blobs};

/// Registries as the chain has them, rebuilt by `chain::catch_up`.
#[derive(Debug, Clone)]
pub struct Registries {
    /// Issuers.
    pub issuers: Registry,
    /// Verifiers.
    pub verifiers: Registry,
    /// The block up to which events were read; none before the first reading.
    pub read_to: Option<u64>,
    /// Block and index of the last event that was taken in.
    pub last: Option<(u64, u64)>,
}

/// What jobs wait for beside their interval.
#[derive(Debug, Default)]
pub struct Wake {
    /// There is a commitment to anchor.
    pub outbox: Notify,
    /// There is a transaction to send, or one that was sent.
    pub transactions: Notify,
    /// The registries were read anew.
    pub registries: Notify,
    /// There may be a new block to read.
    pub blocks: Notify,
    /// The number of an issuer's key may be there.
    pub delegates: Notify,
    /// A batch may be taken further.
    pub anchor_now: Notify,
    /// The contracts are to be handed over.
    pub authority: Notify,
    /// For jobs that only their interval wakes.
    pub never: Notify,
    /// A batch became final: its receipts are there.
    pub receipts: Notify,
    /// Something happened that is to be told.
    pub events: Notify,
    /// Events have their numbers.
    pub numbered: Notify,
    /// There is something to send to an address of others.
    pub deliveries: Notify,
    /// Somebody has said who they are, to claim again.
    pub proofs: Notify,
}

/// How much is kept of each kind of thing that would otherwise be made for each request.
const MOST_MADE: usize = 1_000;

/// One running instance.
pub struct App {
    /// Its configuration.
    pub config: Arc<Config>,
    /// Where it takes time from.
    pub clock: Arc<dyn Clock>,
    /// The cryptography.
    pub provider: Arc<Native>,
    /// The database.
    pub store: Store,
    /// The chain.
    pub ledger: Arc<dyn Ledger>,
    /// Whether it makes blocks also when nothing is sent, so that an old head means that something stands still.
    pub steady_blocks: bool,
    /// Sealed payloads.
    pub blobs: Blobs,
    /// What the root key opens.
    pub keys: Keys,
    /// The categories, built in and from `categories_dir`.
    pub categories: Arc<Categories>,
    /// The files of categories and value sets that are not built in, for offline bundles.
    pub added: Added,
    /// Whom the operator trusts beside the deployment's own participants.
    pub trusted: trusted::Trusted,
    /// Status lists of others.
    pub foreign_lists: foreign_lists::ForeignLists,
    /// The deployment's facts.
    pub facts: deployment::Facts,
    /// Addresses of the contracts.
    pub contracts: Contracts,
    /// The roots that status lists and document signers chain to.
    pub roots: Vec<x509::Certificate>,
    /// The client for addresses that others chose.
    pub outside: Outside,
    /// Sends mail, where that is configured.
    pub mailer: Option<delivery::Mailer>,
    /// The key that push services know this deployment by.
    pub push: push::Key,
    /// Wakes jobs.
    pub wake: Wake,
    /// How the jobs fare.
    pub tally: tally::Tally,
    readiness: readiness::Recent,
    registries: RwLock<Arc<Registries>>,
    key_rows: Mutex<HashMap<KeyId, Arc<vidimus_store::keys::Key>>>,
    askers: presenting::Clients,
    site_metadata: wallets::metadata::Made,
    types: wallets::credential::Types,
    lists: Mutex<Option<Kept>>,
    delegates: Mutex<chain::Delegates>,
    handed_over: AtomicBool,
}

/// Verified status lists, and the revisions that they show.
struct Kept {
    state: Vec<(u64, u64)>,
    read_at: Timestamp,
    lists: Arc<StatusLists>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("App(…)")
    }
}

impl App {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Random bytes. A value, so that each caller draws its own.
    pub fn entropy(&self) -> Box<dyn Entropy + Send> {
        Box::new(OsEntropy)
    }

    /// N random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy().fill(&mut bytes);
        bytes
    }

    /// The provider, as pure code takes it.
    pub fn provider(&self) -> &dyn Provider {
        &*self.provider
    }

    /// The registries as last read from the chain.
    pub fn registries(&self) -> Arc<Registries> {
        self.registries.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts newly read registries in place and wakes those who wait for a change.
    pub fn set_registries(&self, registries: Registries) {
        *self.registries.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registries);
        self.wake.registries.notify_waiters();
    }

    /// An entry for the audit log: who did what to which object. Details are salted by the root key.
    pub fn audit_entry(
        &self,
        actor: Option<vidimus_core::id::ParticipantId>,
        operation: &str,
        object: &[u8],
    ) -> vidimus_store::audit::Event {
        self.keys
            .audit_entry(self.now(), actor, operation, object, &mut *self.entropy())
    }

    /// An absolute URL of this deployment.
    pub fn url(&self, path: &str) -> String {
        self.config.server.public_url.join(path)
    }

    /// Opens a deployment: the root key, the database, the ledger, the blobs. Makes no keys and no database; each refusal says what to do.
    pub async fn open(config: Arc<Config>, clock: Arc<dyn Clock>) -> Result<Self, Refusal> {
        let root = RootKey::load(&config.root_key).map_err(Refusal::RootKey)?;
        let keys = Keys::derive(&root);
        drop(root);
        let provider = Arc::new(Native::new());
        let store = deployment::open_store(&config, provider.clone(), vidimus_store::Missing::Refuse).await?;
        let facts = deployment::load(&store, &keys, &config, &provider, clock.now()).await?;
        let push = push::key(&store, &keys, clock.now()).await?;
        let (outside, mailer) = deployment::ways_out(&config)?;
        let (categories, added) = deployment::categories(&config)?;
        let blobs = Blobs::local(&config.blobs.path, provider.clone()).map_err(Refusal::Blobs)?;
        let (ledger, steady_blocks) = open_ledger(&config, clock.clone()).await?;
        let most_per_gas = config.ledger.network.max_fee_per_gas.into();
        let contracts = chain::ensure_contracts(&*ledger, &store, &keys, &facts, most_per_gas).await?;
        let roots = vec![
            x509::Certificate::from_der(&facts.authority_certificate)
                .map_err(|_| Refusal::Damaged("the deployment's root certificate does not read"))?,
        ];
        let registries = chain::empty_registries(&*ledger, clock.now()).await?;
        let app = Self {
            tally: tally::Tally::new(clock.now()),
            readiness: readiness::Recent::default(),
            trusted: trusted::Trusted::new(config.trust.directory.clone()),
            foreign_lists: foreign_lists::ForeignLists::default(),
            config,
            clock,
            provider,
            store,
            ledger,
            steady_blocks,
            blobs,
            keys,
            categories: Arc::new(categories),
            added,
            facts,
            contracts,
            roots,
            outside,
            mailer,
            push,
            wake: Wake::default(),
            registries: RwLock::new(Arc::new(registries)),
            key_rows: Mutex::new(HashMap::new()),
            askers: memo::Memo::new(MOST_MADE),
            // Each is some hundred kilobytes.
            site_metadata: memo::Memo::new(MOST_MADE / 10),
            types: memo::Memo::new(MOST_MADE),
            lists: Mutex::new(None),
            delegates: Mutex::default(),
            handed_over: AtomicBool::new(false),
        };
        chain::catch_up(&app).await.map_err(Refusal::Start)?;
        Ok(app)
    }

    /// Under which numbers issuers' keys stand in their DID documents.
    pub fn delegates(&self) -> MutexGuard<'_, chain::Delegates> {
        self.delegates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the contracts are known to be with the authority.
    pub fn handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed)
    }

    /// Notes that the contracts are with the authority: it cannot give them back to the operator by accident.
    pub fn set_handed_over(&self) {
        self.handed_over.store(true, Ordering::Relaxed);
    }

    /// The private half of the key that wallets encrypt credential requests to.
    pub async fn exchange_key(&self) -> Result<vidimus_core::Secret<[u8; 32]>, error::Error> {
        let row = self.key(self.facts.exchange_key).await?;
        let wrapped = row
            .secret
            .as_ref()
            .ok_or(error::Error::Internal("the exchange key has no secret"))?;
        let key = self.keys.signing_key(row.id, vidimus_crypto::KeyKind::P256, wrapped)?;
        let bytes = key.expose_bytes();
        let scalar = bytes.expose().as_slice().try_into();
        scalar
            .map(vidimus_core::Secret::new)
            .map_err(|_| error::Error::Internal("a key of another length"))
    }

    /// The verified status lists, if they show these revisions and are not about to be signed anew.
    pub fn kept_lists(&self, state: &[(u64, u64)]) -> Option<Arc<StatusLists>> {
        let fresh = i64::try_from(self.config.status.ttl_seconds).unwrap_or(i64::MAX) / 2;
        let kept = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref()
            .filter(|kept| kept.state == state && self.now().since(kept.read_at) < fresh)
            .map(|kept| kept.lists.clone())
    }

    /// Keeps verified status lists for the next check.
    pub fn keep_lists(&self, state: Vec<(u64, u64)>, lists: StatusLists) -> Arc<StatusLists> {
        let lists = Arc::new(lists);
        let kept = Kept {
            state,
            read_at: self.now(),
            lists: lists.clone(),
        };
        *self.lists.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        lists
    }

    /// Closes the database (the ledger closes when the last handle goes); what was acknowledged is durable already, so this only makes the next start quick.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// A key's row, read once: rows of keys never change but for their state, which decides only whether new things are signed.
    pub async fn key(&self, id: KeyId) -> Result<Arc<vidimus_store::keys::Key>, error::Error> {
        if let Some(key) = self.key_rows.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(key.clone());
        }
        let scope = vidimus_store::Scope::system();
        let found = self
            .store
            .get(move |tx| vidimus_store::keys::find(tx, &scope, id))
            .await?;
        let key = Arc::new(found.ok_or(error::Error::Internal("a key that is referred to is not there"))?);
        self.key_rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, key.clone());
        Ok(key)
    }
}

/// The ledger as configured, and whether it makes blocks also when nothing is sent.
async fn open_ledger(config: &Config, clock: Arc<dyn Clock>) -> Result<(Arc<dyn Ledger>, bool), Refusal> {
    match &config.ledger.mode {
        LedgerMode::Embedded(path) => {
            let genesis = genesis(&config.ledger)?;
            let embedded = Embedded::open(path, genesis, clock).map_err(Refusal::Ledger)?;
            Ok((Arc::new(embedded), false))
        }
        LedgerMode::Network(url) => {
            let rules = &config.ledger.network;
            let settings = network::Settings {
                url: url.expose().clone(),
                bearer: config.ledger.rpc_key.as_ref().map(|key| key.expose().clone()),
                chain_id: config.ledger.chain_id,
                finality: network::Finality::Confirmations(config.ledger.confirmations),
                timeout: Duration::from_secs(10),
                fees: network::FeeRules {
                    most: rules.max_fee_per_gas.into(),
                    priority_fee: rules.priority_fee_per_gas.map(u128::from),
                },
                verify: rules.verify_blocks,
                answer: network::ANSWER,
            };
            let network = Network::connect(settings).await.map_err(Refusal::Ledger)?;
            let steady = match rules.empty_blocks {
                Some(steady) => steady,
                // Nodes need not say what they are; one that does not is no Vidimus.
                None => match network.client_version().await {
                    Ok(version) => !version.starts_with("vidimus/"),
                    Err(error) if error.blame() == Blame::Caller => true,
                    Err(error) => return Err(Refusal::Ledger(error)),
                },
            };
            Ok((Arc::new(network), steady))
        }
    }
}

fn genesis(config: &config::Ledger) -> Result<Genesis, Refusal> {
    let fork = serde_json::from_value(config.fork.clone().into())
        .map_err(|_| Refusal::Configuration("ledger.fork: `london`, `paris` or `shanghai`"))?;
    Ok(Genesis {
        chain_id: config.chain_id,
        fork,
        base_fee: vidimus_ledger::embedded::BaseFee::Constant(config.base_fee),
        ..Genesis::default()
    })
}
