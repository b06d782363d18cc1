//! What becomes of executed transactions: receipts, roots, a header; and their rows in the file.

use super::check::Checked;
use super::genesis::{Fork, Genesis};
use super::state::Overlay;
use super::store::{
    ACCOUNTS, Account, BODIES, CODES, HEADERS, LOCATIONS, NODES, NUMBERS, RECEIPTS, STORAGE, Sealed, StoredReceipt,
    storage_key,
};
use super::trie::{self, Nodes};
use crate::error::Result;
use crate::eth::{Address, B256, Bloom, U256};
use alloy::consensus::constants::{EMPTY_OMMER_ROOT_HASH, EMPTY_WITHDRAWALS};
use alloy::consensus::{Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, TxType, proofs};
use redb::{ReadableTable, WriteTransaction};
use revm::context::result::ExecutionResult;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A transaction that was run.
pub(super) struct Executed {
    pub(super) checked: Checked,
    pub(super) receipt: StoredReceipt,
}

/// Turns the results of a block's transactions into receipts, in order.
#[derive(Default)]
pub(super) struct Receipts {
    gas_used: u64,
    logs: u32,
}

impl Receipts {
    pub(super) fn gas_used(&self) -> u64 {
        self.gas_used
    }
    pub(super) fn next(&mut self, result: ExecutionResult) -> StoredReceipt {
        let gas_used = result.tx_gas_used();
        self.gas_used += gas_used;
        let (success, logs) = match result {
            ExecutionResult::Success { logs, .. } => (true, logs),
            ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => (false, Vec::new()),
        };
        let first_log = self.logs;
        self.logs += u32::try_from(logs.len()).expect("a log costs gas, and a block's gas is bounded");
        StoredReceipt {
            success,
            gas_used,
            cumulative_gas_used: self.gas_used,
            first_log,
            logs,
        }
    }
}

/// The receipt as Ethereum hashes it.
pub(super) fn consensus_receipt(kind: TxType, stored: &StoredReceipt) -> ReceiptEnvelope {
    let receipt = Receipt {
        status: stored.success.into(),
        cumulative_gas_used: stored.cumulative_gas_used,
        logs: stored.logs.clone(),
    };
    let logs_bloom = alloy::primitives::logs_bloom(&receipt.logs);
    ReceiptEnvelope::from_typed(kind, ReceiptWithBloom { receipt, logs_bloom })
}

/// The header before its transactions are run: all that they can see of it.
pub(super) fn open_header(genesis: &Genesis, parent: &Sealed, now: u64) -> Header {
    Header {
        parent_hash: parent.hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: genesis.coinbase,
        number: parent.header.number + 1,
        gas_limit: genesis.gas_limit,
        // Never backwards. Several blocks may share a second: Ethereum's "strictly later" would let a busy chain run ahead
        // of the clock.
        timestamp: parent.header.timestamp.max(now),
        base_fee_per_gas: Some(genesis.next_base_fee(&parent.header)),
        withdrawals_root: (genesis.fork == Fork::Shanghai).then_some(EMPTY_WITHDRAWALS),
        ..Default::default()
    }
}

/// A block ready to be written.
pub(super) struct Block {
    pub(super) sealed: Sealed,
    pub(super) executed: Vec<Executed>,
    pub(super) overlay: Overlay,
    rows: Vec<(Address, Option<Account>)>,
    nodes: BTreeMap<B256, Vec<u8>>,
}

/// Computes the roots of a block over the state under `parent_root`.
pub(super) fn seal(mut header: Header, parent_root: B256, executed: Vec<Executed>, overlay: Overlay) -> Result<Block> {
    let receipts: Vec<ReceiptEnvelope> = executed
        .iter()
        .map(|tx| consensus_receipt(tx.checked.transaction.tx_type(), &tx.receipt))
        .collect();
    let raw: Vec<&[u8]> = executed.iter().map(|tx| tx.checked.raw.as_ref()).collect();
    let nodes = Arc::new(Nodes::new(Arc::clone(overlay.state.view())));
    let (state_root, rows) = trie::apply(&nodes, parent_root, &overlay)?;
    header.state_root = state_root;
    header.transactions_root = proofs::ordered_trie_root_encoded(&raw);
    header.receipts_root = proofs::calculate_receipt_root(&receipts);
    header.logs_bloom = receipts
        .iter()
        .fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
    header.gas_used = executed.last().map_or(0, |tx| tx.receipt.cumulative_gas_used);
    Ok(Block {
        sealed: Sealed::new(header),
        executed,
        overlay,
        rows,
        nodes: nodes.take_fresh(),
    })
}

impl Block {
    /// Puts everything of the block into one write transaction.
    pub(super) fn write(&self, write: &WriteTransaction) -> std::result::Result<(), redb::Error> {
        let number = self.sealed.header.number;
        write
            .open_table(HEADERS)?
            .insert(number, self.sealed.encode().as_slice())?;
        write.open_table(NUMBERS)?.insert(&self.sealed.hash.0, number)?;
        {
            let mut bodies = write.open_table(BODIES)?;
            let mut receipts = write.open_table(RECEIPTS)?;
            let mut locations = write.open_table(LOCATIONS)?;
            for (index, tx) in (0..).zip(&self.executed) {
                let body = [tx.checked.sender.as_slice(), &tx.checked.raw].concat();
                bodies.insert((number, index), body.as_slice())?;
                receipts.insert((number, index), tx.receipt.encode().as_slice())?;
                locations.insert(&tx.checked.hash.0, (number, index))?;
            }
        }
        self.write_state(write)?;
        let mut nodes = write.open_table(NODES)?;
        for (hash, node) in &self.nodes {
            nodes.insert(&hash.0, node.as_slice())?;
        }
        Ok(())
    }

    fn write_state(&self, write: &WriteTransaction) -> std::result::Result<(), redb::Error> {
        let mut accounts = write.open_table(ACCOUNTS)?;
        for (address, row) in &self.rows {
            match row {
                Some(account) => accounts.insert(&address.into_array(), &account.encode())?,
                None => accounts.remove(&address.into_array())?,
            };
        }
        let mut storage = write.open_table(STORAGE)?;
        for address in &self.overlay.wiped {
            let (first, last) = (storage_key(*address, U256::ZERO), storage_key(*address, U256::MAX));
            storage.retain_in::<&[u8; 52], _>(&first..=&last, |_, _| false)?;
        }
        for (address, slots) in &self.overlay.slots {
            for (slot, value) in slots {
                let key = storage_key(*address, *slot);
                if value.is_zero() {
                    storage.remove(&key)?;
                } else {
                    storage.insert(&key, &value.to_be_bytes::<32>())?;
                }
            }
        }
        let mut codes = write.open_table(CODES)?;
        for (hash, code) in &self.overlay.codes {
            if codes.get(&hash.0)?.is_none() {
                codes.insert(&hash.0, code.original_byte_slice())?;
            }
        }
        Ok(())
    }
}
