//! Transactions that are known and not mined.
//!
//! The rules: one transaction for each sender and nonce; another one replaces it when both its fees are at least a tenth
//! higher (and higher at all); a transaction ahead of its sender's next nonce waits, durably, up to [`WAITING_EACH`] for a sender
//! and [`WAITING_ALL`] together.

use super::check::Checked;
use super::store::{View, WAITING, WAITING_HASHES, damaged, unreadable};
use crate::error::{CallerError, Result};
use crate::eth::{Address, B256};
use alloy::consensus::Transaction as _;
use redb::{ReadableTable, WriteTransaction};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most transactions of one sender that wait for an earlier nonce.
pub const WAITING_EACH: usize = 1024;
/// Most transactions that wait, of all senders.
pub const WAITING_ALL: usize = 16 * 1024;
/// Most bytes of transactions that wait.
pub const WAITING_BYTES: usize = 64 << 20;

#[derive(Default)]
pub(super) struct Pool {
    senders: BTreeMap<Address, BTreeMap<u64, Checked>>,
    hashes: HashMap<B256, (Address, u64)>,
    /// What the file's table of waiting transactions holds, with the hash.
    stored: BTreeMap<(Address, u64), B256>,
    stored_bytes: usize,
}

impl Pool {
    /// What waited when the file was closed.
    pub(super) fn load(view: &View, chain_id: u64, fork: super::Fork, gas_limit: u64) -> Result<Self> {
        let mut pool = Self::default();
        for row in view.waiting.iter().map_err(unreadable)? {
            let (_, raw) = row.map_err(unreadable)?;
            let checked = Checked::new(raw.value(), chain_id, fork, gas_limit)
                .map_err(|error| damaged(format!("a waiting transaction does not check: {error}")))?;
            pool.stored.insert((checked.sender, checked.nonce()), checked.hash);
            pool.stored_bytes += checked.raw.len();
            pool.insert(checked);
        }
        Ok(pool)
    }

    pub(super) fn senders(&self) -> Vec<Address> {
        self.senders.keys().copied().collect()
    }

    pub(super) fn knows(&self, hash: B256) -> bool {
        self.hashes.contains_key(&hash)
    }

    pub(super) fn by_hash(&self, hash: B256) -> Option<&Checked> {
        let (sender, nonce) = self.hashes.get(&hash)?;
        self.get(*sender, *nonce)
    }

    pub(super) fn get(&self, sender: Address, nonce: u64) -> Option<&Checked> {
        self.senders.get(&sender)?.get(&nonce)
    }

    /// Takes a transaction in. Returns the hash of the one it replaces.
    pub(super) fn add(&mut self, checked: Checked) -> std::result::Result<Option<B256>, CallerError> {
        let replaced = match self.get(checked.sender, checked.nonce()) {
            None => None,
            Some(old) => {
                let tenth_more = |old: u128, new: u128| new > old && new >= old.saturating_add(old / 10);
                let fees = |tx: &Checked| {
                    let tip = tx.transaction.max_priority_fee_per_gas();
                    (
                        tx.transaction.max_fee_per_gas(),
                        tip.unwrap_or(tx.transaction.max_fee_per_gas()),
                    )
                };
                let ((old_fee, old_tip), (fee, tip)) = (fees(old), fees(&checked));
                if !tenth_more(old_fee, fee) || !tenth_more(old_tip, tip) {
                    return Err(CallerError::Underpriced);
                }
                Some(old.hash)
            }
        };
        if let Some(hash) = replaced {
            self.hashes.remove(&hash);
        }
        self.insert(checked);
        Ok(replaced)
    }

    fn insert(&mut self, checked: Checked) {
        self.hashes.insert(checked.hash, (checked.sender, checked.nonce()));
        self.senders
            .entry(checked.sender)
            .or_default()
            .insert(checked.nonce(), checked);
    }

    pub(super) fn remove(&mut self, sender: Address, nonce: u64) -> Option<Checked> {
        let of_sender = self.senders.get_mut(&sender)?;
        let removed = of_sender.remove(&nonce);
        if of_sender.is_empty() {
            self.senders.remove(&sender);
        }
        if let Some(removed) = &removed {
            self.hashes.remove(&removed.hash);
        }
        removed
    }

    /// Throws out what is over the limits: the highest nonces first, and nothing that is stored already. Returns their hashes,
    /// with whether the sender's own limit was the reason.
    pub(super) fn shed(&mut self, touched: &BTreeSet<Address>) -> Vec<(B256, bool)> {
        let mut shed = Vec::new();
        let mut fresh: Vec<(u64, Address, usize)> = Vec::new();
        for sender in touched {
            let Some(of_sender) = self.senders.get(sender) else {
                continue;
            };
            let not_stored = |nonce: &u64, tx: &Checked| self.stored.get(&(*sender, *nonce)) != Some(&tx.hash);
            let over = of_sender.len().saturating_sub(WAITING_EACH);
            let highest: Vec<u64> = of_sender
                .iter()
                .rev()
                .filter(|(n, tx)| not_stored(n, tx))
                .map(|(n, _)| *n)
                .take(over)
                .collect();
            for nonce in highest {
                shed.extend(self.remove(*sender, nonce).map(|tx| (tx.hash, true)));
            }
            let Some(of_sender) = self.senders.get(sender) else {
                continue;
            };
            for (nonce, tx) in of_sender {
                if self.stored.get(&(*sender, *nonce)) != Some(&tx.hash) {
                    fresh.push((*nonce, *sender, tx.raw.len()));
                }
            }
        }
        let mut bytes = self.stored_bytes + fresh.iter().map(|(_, _, len)| len).sum::<usize>();
        let mut count = self.stored.len() + fresh.len();
        fresh.sort_unstable();
        while count > WAITING_ALL || bytes > WAITING_BYTES {
            let Some((nonce, sender, len)) = fresh.pop() else { break };
            shed.extend(self.remove(sender, nonce).map(|tx| (tx.hash, false)));
            count -= 1;
            bytes -= len;
        }
        shed
    }

    /// What has to change in the file so that it holds all transactions of `settled` senders, and none that left of `touched`
    /// ones.
    pub(super) fn changes(&self, touched: &BTreeSet<Address>, settled: &BTreeSet<Address>) -> Changes {
        let mut changes = Changes::default();
        for sender in touched {
            let now = self.senders.get(sender);
            for (&(_, nonce), hash) in self.stored.range((*sender, 0)..=(*sender, u64::MAX)) {
                if now.and_then(|now| now.get(&nonce)).is_none_or(|tx| tx.hash != *hash) {
                    changes.gone.push((*sender, nonce, *hash));
                }
            }
            for (nonce, tx) in now.filter(|_| settled.contains(sender)).into_iter().flatten() {
                if self.stored.get(&(*sender, *nonce)) != Some(&tx.hash) {
                    changes.new.push((*sender, *nonce, tx.hash));
                }
            }
        }
        changes
    }

    pub(super) fn write(&self, changes: &Changes, write: &WriteTransaction) -> std::result::Result<(), redb::Error> {
        let mut table = write.open_table(WAITING)?;
        let mut hashes = write.open_table(WAITING_HASHES)?;
        for (sender, nonce, hash) in &changes.gone {
            table.remove((&sender.into_array(), *nonce))?;
            hashes.remove(&hash.0)?;
        }
        for (sender, nonce, hash) in &changes.new {
            let tx = self.get(*sender, *nonce).expect("changes are made from the pool");
            table.insert((&sender.into_array(), *nonce), tx.raw.as_ref())?;
            hashes.insert(&hash.0, (&sender.into_array(), *nonce))?;
        }
        Ok(())
    }

    /// The file holds `changes` now.
    pub(super) fn stored(&mut self, changes: Changes) {
        for (sender, nonce, _) in changes.gone {
            self.stored.remove(&(sender, nonce));
        }
        for (sender, nonce, hash) in changes.new {
            self.stored.insert((sender, nonce), hash);
        }
        self.stored_bytes = self
            .stored
            .keys()
            .filter_map(|(sender, nonce)| self.get(*sender, *nonce))
            .map(|tx| tx.raw.len())
            .sum();
    }
}

/// Changes to the table of waiting transactions.
#[derive(Default)]
pub(super) struct Changes {
    gone: Vec<(Address, u64, B256)>,
    new: Vec<(Address, u64, B256)>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.new.is_empty()
    }
}
