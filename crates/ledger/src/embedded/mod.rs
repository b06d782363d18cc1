//! The embedded ledger: an Ethereum chain in this process, in one file.
//!
//! One thread writes. It gathers the transactions that were submitted meanwhile, runs them, and commits one block of them: accounts,
//! storage, code, header, transactions, receipts, trie nodes and waiting transactions in one durable write transaction of the
//! file (redb). [`submit`](crate::Ledger::submit) answers after that commit. Everything else reads, concurrently, from the last
//! commit.
//!
//! **Blocks** are London blocks: real transaction, receipt and state roots, a bloom filter, a base fee; difficulty, mix hash and
//! nonce are zero and nobody seals them: their authority is this file's owner. There are no empty blocks. A block's timestamp is
//! the clock's or its parent's, whichever is later, so it never goes backwards, and several blocks may share a second. Every
//! block is final.
//!
//! **History** is complete: every block's state can be asked for by number or hash, since trie nodes are never removed. The newest
//! state is kept flat beside it.
//!
//! **Waiting.** A transaction whose nonce is ahead is stored, durably, and mined when the gap closes; the rules are in `pool`:
//! at most [`WAITING_EACH`] of one sender and [`WAITING_ALL`] in all; a replacement must offer a tenth more for both fees.
//!
//! **Failure.** When a commit fails nobody knows what the file holds: the engine stops, answers
//! [`CommitFailed`](FatalError::CommitFailed) to all who wait and all who ask, and works again after close and open, which
//! reconciles. Opening checks all pages in use; nodes, code and headers are checked against their hashes whenever they are read; and
//! [`Embedded::audit`] recomputes every root.
//!
//! **What an attacker gains who controls the file.** Reading it: nothing that the chain's readers do not have, since the ledger is
//! public by design; no key is in it. Writing it: everything the chain says. Blocks carry no seal, so whoever can write the file
//! can make another history with other registries and anchors, as consistent in itself as the true one; signatures on transactions
//! keep it from acting in a participant's name, but not from leaving transactions out or giving accounts in the genesis state
//! another meaning. It is caught by whoever kept receipts or block hashes from before. Keep the file as well as the signing
//! keys; where the authority itself is not to be trusted alone, use a network of several.

mod audit;
mod backend;
mod block;
mod check;
mod engine;
mod evm;
mod genesis;
mod pool;
mod read;
mod state;
mod store;
mod trie;

pub use audit::Audit;
pub use check::TRANSACTION_BYTES;
pub use genesis::{Allocation, BaseFee, DEFAULT_CHAIN_ID, Fork, Genesis};
pub use pool::{WAITING_ALL, WAITING_BYTES, WAITING_EACH};
pub use read::{FEE_BLOCKS, LOG_ANSWERS, LOG_BLOCKS, PROOF_SLOTS};

use crate::error::{CallerError, FatalError, LedgerError, Result};
use crate::eth::{
    AccountProof, Address, B256, Block, BlockId, Bytes, FeeHistory, Filter, Log, Transaction, TransactionReceipt,
    TransactionRequest, TxHash, U256,
};
use crate::{Fees, Head, Ledger};
use async_trait::async_trait;
use check::Checked;
use engine::{Engine, Submission};
use read::Reader;
use redb::{Database, ReadableDatabase, StorageBackend};
use state::{Codes, Overlay, State};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use store::{META, Sealed, View, damaged, unreadable};
use tokio::sync::{Semaphore, mpsc, oneshot};
use vidimus_core::time::Clock;

/// Bundles of transactions that may queue for the engine before submitters have to wait.
const QUEUE: usize = 4096;

/// An Ethereum chain in this process, in one file.
pub struct Embedded {
    database: Arc<Database>,
    genesis: Arc<Genesis>,
    codes: Codes,
    failed: Arc<OnceLock<FatalError>>,
    /// Calls and other long reads at once: as many as there are processors, so that they cannot starve the engine.
    long_reads: Arc<Semaphore>,
    submissions: Option<mpsc::Sender<Vec<Submission>>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded")
            .field("chain_id", &self.genesis.chain_id)
            .finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens the file at `path`, or makes it with `genesis`. Blocks while all of the file that is in use is read and checked
    /// (about a second for each gigabyte).
    ///
    /// Refuses a damaged file, a file of a later format, a file that another process has open, and a file that was made with
    /// another genesis.
    pub fn open(path: &Path, genesis: Genesis, clock: Arc<dyn Clock>) -> Result<Self> {
        let path = path.to_owned();
        start(
            move || {
                if std::fs::metadata(&path).is_ok_and(|file| file.len() > 0) {
                    store::check(&path)?;
                }
                let file = std::fs::File::options()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&path)
                    .map_err(|e| FatalError::Open(format!("{}: {e}", path.display())))?;
                let backend = redb::backends::FileBackend::new(file).map_err(|e| FatalError::Open(e.to_string()))?;
                prepare(backend, genesis)
            },
            clock,
        )
    }

    /// The same over any storage, which is not checked beforehand: tests inject faults here.
    pub fn open_with(backend: impl StorageBackend, genesis: Genesis, clock: Arc<dyn Clock>) -> Result<Self> {
        start(move || prepare(backend, genesis), clock)
    }

    /// A chain that is forgotten when it is dropped.
    pub fn in_memory(genesis: Genesis, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_with(redb::backends::InMemoryBackend::new(), genesis, clock)
    }

    /// Finishes what was submitted, stops the engine and lets go of the file (once reads under way are done).
    pub async fn close(mut self) {
        self.submissions = None;
        if let Some(thread) = self.thread.take() {
            // The engine's own panic was reported by the panic hook; there is nothing left to do about it here.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// The chain's parameters.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Submits many transactions at once: they are looked at together, so those that fit share a block, in this order (each
    /// sender's by nonce). This is the fast way in; each answer is as [`submit`](Ledger::submit)'s.
    pub async fn submit_all(&self, raw: Vec<Vec<u8>>) -> Vec<Result<TxHash>> {
        let (chain_id, fork, gas) = (self.genesis.chain_id, self.genesis.fork, self.genesis.gas_limit);
        let count = raw.len();
        // Recovering a sender costs as much as running a small transaction: never on a thread that serves others.
        let checked = tokio::task::spawn_blocking(move || {
            raw.iter()
                .map(|raw| Checked::new(raw, chain_id, fork, gas))
                .collect::<Vec<_>>()
        });
        let Ok(checked) = checked.await else {
            return (0..count).map(|_| Err(FatalError::Closed.into())).collect();
        };
        let mut answers = Vec::with_capacity(checked.len());
        let mut bundle = Vec::with_capacity(checked.len());
        for checked in checked {
            answers.push(match checked {
                Ok(checked) => {
                    let (reply, answer) = oneshot::channel();
                    bundle.push(Submission { checked, reply });
                    Ok(answer)
                }
                Err(error) => Err(error),
            });
        }
        if let Some(submissions) = self.submissions.as_ref().filter(|_| !bundle.is_empty()) {
            // A closed channel drops the replies, which is seen below.
            let _ = submissions.send(bundle).await;
        }
        let mut results = Vec::with_capacity(answers.len());
        for answer in answers {
            results.push(match answer {
                Ok(answer) => answer.await.unwrap_or_else(|_| Err(self.stopped().into())),
                Err(error) => Err(error.into()),
            });
        }
        results
    }

    /// Recomputes every root of every block from what the file holds. Blocks; minutes on a long chain.
    pub fn audit(&self) -> Result<Audit> {
        self.alive()?;
        audit::audit(&View::new(&self.database)?)
    }

    fn stopped(&self) -> FatalError {
        self.failed.get().cloned().unwrap_or(FatalError::Closed)
    }

    fn alive(&self) -> Result<()> {
        match self.failed.get() {
            Some(failed) => Err(failed.clone().into()),
            None => Ok(()),
        }
    }

    fn reader(&self) -> Result<Reader> {
        self.alive()?;
        Ok(Reader {
            view: Arc::new(View::new(&self.database)?),
            genesis: Arc::clone(&self.genesis),
            codes: self.codes.clone(),
        })
    }

    /// Work that may take longer than a lookup, on a thread of its own.
    async fn long<T: Send + 'static>(&self, work: impl FnOnce(Reader) -> Result<T> + Send + 'static) -> Result<T> {
        let permit = Arc::clone(&self.long_reads)
            .acquire_owned()
            .await
            .map_err(|_| FatalError::Closed)?;
        let reader = self.reader()?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(reader)
        });
        done.await
            .map_err(|_| FatalError::Inconsistent("a read panicked".into()))?
    }
}

impl Drop for Embedded {
    /// Finishes what was submitted and joins the engine's thread.
    fn drop(&mut self) {
        self.submissions = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Says so to all who ask when the engine's thread panics.
struct PanicWatch(Arc<OnceLock<FatalError>>);

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.set(FatalError::Inconsistent("its engine panicked".into()));
        }
    }
}

/// Opens on the engine's own thread: a damaged file may make the storage panic, and that must become an error here.
fn start(
    open: impl FnOnce() -> Result<(Database, Genesis)> + Send + 'static,
    clock: Arc<dyn Clock>,
) -> Result<Embedded> {
    let (submissions, queue) = mpsc::channel(QUEUE);
    let (ready, opened) = std::sync::mpsc::channel();
    let failed = Arc::new(OnceLock::new());
    let failing = Arc::clone(&failed);
    let codes = Codes::default();
    let shared_codes = codes.clone();
    let thread = std::thread::Builder::new()
        .name("ledger".into())
        .spawn(move || {
            let result = open().and_then(|(database, genesis)| {
                let (database, genesis) = (Arc::new(database), Arc::new(genesis));
                let shared = (Arc::clone(&database), Arc::clone(&genesis));
                Ok((Engine::new(database, genesis, clock, shared_codes, failing)?, shared))
            });
            match result {
                Ok((engine, shared)) => {
                    let _watch = PanicWatch(Arc::clone(&engine.failed));
                    if ready.send(Ok(shared)).is_ok() {
                        engine.run(queue);
                    }
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        })
        .map_err(|e| FatalError::Open(e.to_string()))?;
    let Ok(opened) = opened.recv() else {
        return Err(damaged("reading it failed"));
    };
    let (database, genesis) = opened?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Embedded {
        database,
        genesis,
        codes,
        failed,
        long_reads: Arc::new(Semaphore::new(processors)),
        submissions: Some(submissions),
        thread: Some(thread),
    })
}

/// Opens the storage, writes the genesis block where it is new, and compares it where it is not.
fn prepare(backend: impl StorageBackend, genesis: Genesis) -> Result<(Database, Genesis)> {
    let database = store::open(backend)?;
    let read = database.begin_read().map_err(unreadable)?;
    let meta = read.open_table(META).map_err(unreadable)?;
    let stored = meta.get("genesis").map_err(unreadable)?.map(|row| row.value().to_vec());
    let format = meta.get("format").map_err(unreadable)?.map(|row| row.value().to_vec());
    drop((meta, read));
    match (stored, format) {
        (None, None) => write_genesis(&database, &genesis)?,
        (Some(stored), Some(format)) => {
            let found = u64::from_be_bytes(format.try_into().map_err(|_| damaged("its format is no number"))?);
            if found != store::FORMAT {
                return Err(FatalError::Format {
                    found,
                    known: store::FORMAT,
                }
                .into());
            }
            let stored = serde_json::from_slice(&stored).map_err(|_| damaged("its genesis does not read"))?;
            compare(&stored, &genesis)?;
        }
        _ => return Err(damaged("it was begun and never finished")),
    }
    Ok((database, genesis))
}

fn compare(stored: &Genesis, configured: &Genesis) -> Result<()> {
    let differ = |what, stored: String, configured: String| -> Result<()> {
        Err(FatalError::OtherGenesis {
            what,
            stored,
            configured,
        }
        .into())
    };
    if stored.chain_id != configured.chain_id {
        return differ(
            "the chain id",
            stored.chain_id.to_string(),
            configured.chain_id.to_string(),
        );
    }
    if stored.fork != configured.fork {
        return differ(
            "the fork",
            format!("{:?}", stored.fork),
            format!("{:?}", configured.fork),
        );
    }
    if stored.base_fee != configured.base_fee {
        return differ(
            "the base fee",
            format!("{:?}", stored.base_fee),
            format!("{:?}", configured.base_fee),
        );
    }
    if stored.gas_limit != configured.gas_limit {
        return differ(
            "the gas limit",
            stored.gas_limit.to_string(),
            configured.gas_limit.to_string(),
        );
    }
    if stored.timestamp != configured.timestamp {
        return differ(
            "the first timestamp",
            stored.timestamp.to_string(),
            configured.timestamp.to_string(),
        );
    }
    if stored.coinbase != configured.coinbase {
        return differ(
            "the coinbase",
            stored.coinbase.to_string(),
            configured.coinbase.to_string(),
        );
    }
    if stored.alloc != configured.alloc {
        let count = |genesis: &Genesis| format!("a set of {} accounts", genesis.alloc.len());
        return differ("the first accounts", count(stored), count(configured));
    }
    Ok(())
}

fn write_genesis(database: &Database, genesis: &Genesis) -> Result<()> {
    let view = Arc::new(View::new(database)?);
    let mut overlay = Overlay::over(State::newest(view, Codes::default()));
    genesis.allocate(&mut overlay);
    let block = block::seal(
        genesis.header(),
        alloy::consensus::constants::EMPTY_ROOT_HASH,
        Vec::new(),
        overlay,
    )?;
    let failed = |error: redb::Error| LedgerError::from(FatalError::CommitFailed(error.to_string()));
    let json = serde_json::to_vec(genesis).map_err(|e| FatalError::Inconsistent(e.to_string()))?;
    let write = database.begin_write().map_err(|e| failed(e.into()))?;
    block.write(&write).map_err(failed)?;
    {
        let mut meta = write.open_table(META).map_err(|e| failed(e.into()))?;
        meta.insert("genesis", json.as_slice()).map_err(|e| failed(e.into()))?;
        meta.insert("format", store::FORMAT.to_be_bytes().as_slice())
            .map_err(|e| failed(e.into()))?;
    }
    write.commit().map_err(|e| failed(e.into()))
}

#[async_trait]
impl Ledger for Embedded {
    async fn chain_id(&self) -> Result<u64> {
        self.alive()?;
        Ok(self.genesis.chain_id)
    }

    async fn head(&self) -> Result<Head> {
        Ok(read::head_of(&self.reader()?.view.head()?))
    }

    async fn finalized(&self) -> Result<Head> {
        self.head().await
    }

    async fn block(&self, at: BlockId, full: bool) -> Result<Option<Block>> {
        self.reader()?.block(at, full)
    }

    async fn submit(&self, raw: &[u8]) -> Result<TxHash> {
        self.alive()?;
        let answer = self.submit_all(vec![raw.to_vec()]).await.pop();
        answer.unwrap_or_else(|| Err(self.stopped().into()))
    }

    async fn transaction(&self, hash: TxHash) -> Result<Option<Transaction>> {
        self.reader()?.transaction(hash)
    }

    async fn receipt(&self, hash: TxHash) -> Result<Option<TransactionReceipt>> {
        self.reader()?.receipt(hash)
    }

    async fn nonce(&self, account: Address, at: BlockId) -> Result<u64> {
        self.reader()?.nonce(account, at)
    }

    async fn balance(&self, account: Address, at: BlockId) -> Result<U256> {
        let (_, state) = self.reader()?.state(at)?;
        Ok(state.account(account)?.map_or(U256::ZERO, |account| account.balance))
    }

    async fn code(&self, account: Address, at: BlockId) -> Result<Bytes> {
        self.reader()?.state(at)?.1.code_of(account)
    }

    async fn storage(&self, account: Address, slot: U256, at: BlockId) -> Result<B256> {
        Ok(self.reader()?.state(at)?.1.slot(account, slot)?.into())
    }

    async fn call(&self, request: TransactionRequest, at: BlockId) -> Result<Bytes> {
        self.long(move |reader| {
            let (sealed, state) = reader.state(at)?;
            let gas = request.gas.unwrap_or(sealed.header.gas_limit);
            evm::output(evm::call(&reader.genesis, &sealed, &state, &request, gas)?)
        })
        .await
    }

    async fn estimate_gas(&self, request: TransactionRequest, at: BlockId) -> Result<u64> {
        self.long(move |reader| {
            let (sealed, state) = reader.state(at)?;
            evm::estimate(&reader.genesis, &sealed, &state, &request)
        })
        .await
    }

    async fn logs(&self, filter: &Filter) -> Result<Vec<Log>> {
        let filter = filter.clone();
        self.long(move |reader| reader.logs(&filter)).await
    }

    async fn fees(&self) -> Result<Fees> {
        let Sealed { header, .. } = self.reader()?.view.head()?;
        let base_fee = self.genesis.next_base_fee(&header);
        // Nobody competes for room in a block here, so no tip is asked for.
        Ok(Fees {
            base_fee,
            priority_fee: 0,
            max_fee: u128::from(base_fee) * 2,
        })
    }

    async fn fee_history(&self, blocks: u64, newest: BlockId, percentiles: &[f64]) -> Result<FeeHistory> {
        let percentiles = percentiles.to_vec();
        self.long(move |reader| reader.fee_history(blocks, newest, &percentiles))
            .await
    }

    async fn proof(&self, account: Address, slots: Vec<B256>, at: BlockId) -> Result<AccountProof> {
        if slots.len() > PROOF_SLOTS {
            return Err(CallerError::TooMuch {
                what: "slots in one proof",
                limit: PROOF_SLOTS as u64,
            }
            .into());
        }
        self.long(move |reader| reader.proof(account, slots, at)).await
    }
}
