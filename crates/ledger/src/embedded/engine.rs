//! The one thread that writes: it gathers what is submitted, makes a block of it, commits, and only then answers.

use super::block::{self, Executed, Receipts};
use super::check::Checked;
use super::evm::{Machine, environment};
use super::genesis::{BaseFee, Genesis};
use super::pool::Pool;
use super::state::{Codes, Overlay, State};
use super::store::{Sealed, View};
use crate::error::{CallerError, FatalError, LedgerError, Result, RetryError};
use crate::eth::{Address, B256, U256};
use alloy::consensus::Transaction as _;
use redb::Database;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use tokio::sync::{mpsc, oneshot};
use vidimus_core::time::Clock;

/// Most transactions gathered for one block.
const GATHERED: usize = 4096;

/// One transaction and who waits for it.
pub(super) struct Submission {
    pub(super) checked: Checked,
    pub(super) reply: Reply,
}

pub(super) type Reply = oneshot::Sender<Result<B256>>;

pub(super) struct Engine {
    pub(super) database: Arc<Database>,
    pub(super) genesis: Arc<Genesis>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) codes: Codes,
    /// Why the engine stopped, for all who ask later.
    pub(super) failed: Arc<OnceLock<FatalError>>,
    pub(super) pool: Pool,
    waiters: HashMap<B256, Vec<Reply>>,
    /// Senders with transactions to look at in the next round.
    due: BTreeSet<Address>,
}

/// What a round decided, before it is durable.
struct Round {
    block: Option<block::Block>,
    /// Senders whose remaining transactions wait for another block, not for a nonce.
    deferred: BTreeSet<Address>,
}

impl Engine {
    pub(super) fn new(
        database: Arc<Database>,
        genesis: Arc<Genesis>,
        clock: Arc<dyn Clock>,
        codes: Codes,
        failed: Arc<OnceLock<FatalError>>,
    ) -> Result<Self> {
        let view = View::new(&database)?;
        let pool = Pool::load(&view, genesis.chain_id, genesis.fork, genesis.gas_limit)?;
        let due = pool.senders().into_iter().collect();
        Ok(Self {
            database,
            genesis,
            clock,
            codes,
            failed,
            pool,
            waiters: HashMap::new(),
            due,
        })
    }

    /// Works until every sender of submissions is gone and nothing is left to do, or a write fails.
    pub(super) fn run(mut self, mut submissions: mpsc::Receiver<Vec<Submission>>) {
        let mut open = true;
        loop {
            let mut gathered = Vec::new();
            if self.due.is_empty() {
                match submissions.blocking_recv() {
                    Some(first) => gathered = first,
                    None => return,
                }
            }
            while open && gathered.len() < GATHERED {
                match submissions.try_recv() {
                    Ok(more) => gathered.extend(more),
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => open = false,
                }
            }
            if let Err(fatal) = self.round(gathered) {
                tracing::error!(error = %fatal, "the ledger stops");
                let _ = self.failed.set(fatal.clone());
                for reply in self.waiters.drain().flat_map(|(_, replies)| replies) {
                    let _ = reply.send(Err(fatal.clone().into()));
                }
                return;
            }
        }
    }

    /// One block, or none where nothing is ready. An error here is the end.
    fn round(&mut self, gathered: Vec<Submission>) -> std::result::Result<(), FatalError> {
        let view = Arc::new(View::new(&self.database).map_err(fatal)?);
        let head = view.head().map_err(fatal)?;
        let base_fee = self.genesis.next_base_fee(&head.header);
        let mut touched = std::mem::take(&mut self.due);
        if matches!(self.genesis.base_fee, BaseFee::Eip1559(_)) {
            // Whoever waits for a lower base fee may be ready now.
            touched.extend(self.pool.senders());
        }
        let mut order: Vec<Address> = touched.iter().copied().collect();
        for submission in gathered {
            let sender = submission.checked.sender;
            let hash = submission.checked.hash;
            match self.admit(&view, base_fee, submission.checked) {
                Ok(Admitted::Durable) => answer(submission.reply, Ok(hash)),
                Ok(Admitted::Held) => {
                    self.waiters.entry(hash).or_default().push(submission.reply);
                    if touched.insert(sender) {
                        order.push(sender);
                    }
                }
                Err(LedgerError::Fatal(fatal)) => return Err(fatal),
                Err(error) => answer(submission.reply, Err(error)),
            }
        }
        let round = self.execute(&view, &head, order)?;
        let settled: BTreeSet<Address> = touched.difference(&round.deferred).copied().collect();
        for (hash, own_limit) in self.pool.shed(&settled) {
            let error: LedgerError = if own_limit {
                CallerError::TooMuch {
                    what: "transactions of one sender waiting",
                    limit: super::WAITING_EACH as u64,
                }
                .into()
            } else {
                RetryError::Busy.into()
            };
            self.answer(hash, Err(error));
        }
        self.commit(round.block.as_ref(), &touched, &settled)?;
        if let Some(block) = round.block {
            for tx in block.executed {
                self.answer(tx.checked.hash, Ok(tx.checked.hash));
            }
        }
        // What is left of settled senders waits durably.
        let waiting: Vec<B256> = self
            .waiters
            .keys()
            .filter(|hash| self.is_settled(**hash, &settled))
            .copied()
            .collect();
        for hash in waiting {
            self.answer(hash, Ok(hash));
        }
        self.due = round.deferred;
        Ok(())
    }

    fn is_settled(&self, hash: B256, settled: &BTreeSet<Address>) -> bool {
        self.pool.by_hash(hash).is_some_and(|tx| settled.contains(&tx.sender))
    }

    fn answer(&mut self, hash: B256, result: Result<B256>) {
        for reply in self.waiters.remove(&hash).into_iter().flatten() {
            answer(reply, result.clone());
        }
    }

    fn admit(&mut self, view: &View, base_fee: u64, checked: Checked) -> Result<Admitted> {
        if view.location(checked.hash)?.is_some() {
            return Ok(Admitted::Durable);
        }
        if self.pool.knows(checked.hash) {
            return Ok(Admitted::Held);
        }
        let account = view.account(checked.sender)?.unwrap_or_default();
        if checked.nonce() < account.nonce {
            return Err(CallerError::NonceTooLow {
                expected: account.nonce,
                found: checked.nonce(),
            }
            .into());
        }
        if checked.transaction.max_fee_per_gas() < u128::from(base_fee) {
            let offered = checked.transaction.max_fee_per_gas();
            return Err(CallerError::FeeTooLow {
                base: base_fee,
                offered,
            }
            .into());
        }
        let gas = U256::from(checked.transaction.gas_limit());
        let want = gas
            .saturating_mul(U256::from(checked.transaction.max_fee_per_gas()))
            .saturating_add(checked.transaction.value());
        if want > account.balance {
            return Err(CallerError::InsufficientFunds {
                have: account.balance,
                want,
            }
            .into());
        }
        if let Some(replaced) = self.pool.add(checked)? {
            self.answer(replaced, Err(CallerError::Underpriced.into()));
        }
        Ok(Admitted::Held)
    }

    /// Runs what is ready, sender by sender in the order of arrival, as far as the block's gas goes.
    fn execute(
        &mut self,
        view: &Arc<View>,
        head: &Sealed,
        order: Vec<Address>,
    ) -> std::result::Result<Round, FatalError> {
        let now = u64::try_from(self.clock.now().0).unwrap_or(0);
        let header = block::open_header(&self.genesis, head, now);
        let base_fee = u128::from(header.base_fee_per_gas.unwrap_or_default());
        let state = State::newest(Arc::clone(view), self.codes.clone());
        let mut machine = Machine::new(&self.genesis, &header, Overlay::over(state));
        let mut receipts = Receipts::default();
        let mut executed = Vec::new();
        let mut deferred = BTreeSet::new();
        // A sender's code does not change its nonce, so the next one is known without asking the machine.
        let mut nonces: BTreeMap<Address, u64> = BTreeMap::new();
        for sender in order {
            let nonce = match nonces.get(&sender) {
                Some(nonce) => *nonce,
                None => view.account(sender).map_err(fatal)?.unwrap_or_default().nonce,
            };
            let mut next = nonce;
            while let Some(tx) = self.pool.get(sender, next) {
                if tx.transaction.max_fee_per_gas() < base_fee {
                    break;
                }
                if tx.transaction.gas_limit() > header.gas_limit - receipts.gas_used() {
                    deferred.insert(sender);
                    break;
                }
                let result = machine.run(environment(&tx.transaction, sender));
                let checked = self.pool.remove(sender, next).expect("looked at above");
                match result {
                    Ok(result) => executed.push(Executed {
                        checked,
                        receipt: receipts.next(result),
                    }),
                    Err(LedgerError::Fatal(fatal)) => return Err(fatal),
                    Err(error) => {
                        tracing::warn!(transaction = %checked.hash, error = %error, "a transaction is dropped");
                        self.answer(checked.hash, Err(error));
                        break;
                    }
                }
                next += 1;
            }
            nonces.insert(sender, next);
        }
        if executed.is_empty() {
            return Ok(Round { block: None, deferred });
        }
        let block = block::seal(header, head.header.state_root, executed, machine.into_overlay()).map_err(fatal)?;
        Ok(Round {
            block: Some(block),
            deferred,
        })
    }

    /// Makes the block and the waiting transactions durable, in one transaction of the file.
    fn commit(
        &mut self,
        block: Option<&block::Block>,
        touched: &BTreeSet<Address>,
        settled: &BTreeSet<Address>,
    ) -> std::result::Result<(), FatalError> {
        let changes = self.pool.changes(touched, settled);
        if block.is_none() && changes.is_empty() {
            return Ok(());
        }
        let failed = |error: redb::Error| FatalError::CommitFailed(error.to_string());
        let write = self.database.begin_write().map_err(|e| failed(e.into()))?;
        if let Some(block) = block {
            block.write(&write).map_err(failed)?;
        }
        self.pool.write(&changes, &write).map_err(failed)?;
        write.commit().map_err(|e| failed(e.into()))?;
        if !changes.is_empty() {
            self.pool.stored(changes);
        }
        Ok(())
    }
}

enum Admitted {
    /// Mined already.
    Durable,
    /// Taken; to be answered when this round is durable.
    Held,
}

fn answer(reply: Reply, result: Result<B256>) {
    // Whoever submitted may have stopped waiting; the transaction stands all the same.
    let _ = reply.send(result);
}

/// Errors of the engine's own reading are never the caller's.
fn fatal(error: LedgerError) -> FatalError {
    match error {
        LedgerError::Fatal(fatal) => fatal,
        other => FatalError::Inconsistent(other.to_string()),
    }
}
