//! Recomputes everything that the file says from what it holds.

use super::block::consensus_receipt;
use super::read::decode_body;
use super::store::{Account, Sealed, View, damaged, unreadable};
use crate::error::Result;
use crate::eth::{Address, B256, Bloom, U256};
use alloy::consensus::{TrieAccount, proofs};
use redb::ReadableTable;
use std::collections::BTreeMap;

/// What an audit went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// Blocks, the genesis block included.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Accounts in the newest state.
    pub accounts: u64,
    /// The state root, computed anew from the flat tables by another implementation than the one that wrote it.
    pub state_root: B256,
}

/// Checks every block's parent, hash, index, transaction root, receipt root, bloom filter and gas; and that the newest state's
/// flat tables have the root that the newest header names.
pub(super) fn audit(view: &View) -> Result<Audit> {
    let head = view.head()?;
    let mut parent = B256::ZERO;
    let mut transactions = 0;
    for number in 0..=head.header.number {
        let sealed = view
            .header(number)?
            .ok_or_else(|| damaged(format!("block {number} is missing")))?;
        if sealed.header.parent_hash != parent || sealed.header.number != number {
            return Err(damaged(format!("block {number} does not follow the one before")));
        }
        if view.number(sealed.hash)? != Some(number) {
            return Err(damaged(format!("block {number} is not found by its hash")));
        }
        transactions += audit_block(view, &sealed)?;
        parent = sealed.hash;
    }
    let (state_root, accounts) = state_root(view)?;
    if state_root != head.header.state_root {
        return Err(damaged("the accounts do not have the state root of the newest block"));
    }
    Ok(Audit {
        blocks: head.header.number + 1,
        transactions,
        accounts,
        state_root,
    })
}

fn audit_block(view: &View, sealed: &Sealed) -> Result<u64> {
    let number = sealed.header.number;
    let wrong = |what: &str| damaged(format!("block {number}: {what} not as the header says"));
    let stored = view.receipts_of(number)?;
    let mut raw: Vec<Vec<u8>> = Vec::new();
    let mut receipts = Vec::new();
    for (index, row) in view
        .bodies
        .range((number, 0)..=(number, u32::MAX))
        .map_err(unreadable)?
        .enumerate()
    {
        let (_, row) = row.map_err(unreadable)?;
        let body = decode_body(row.value())?;
        let receipt = stored.get(index).ok_or_else(|| wrong("receipts are"))?;
        receipts.push(consensus_receipt(body.tx_type(), receipt));
        if view.location(*body.tx_hash())? != Some((number, index as u32)) {
            return Err(damaged(format!(
                "block {number}: a transaction is not found by its hash"
            )));
        }
        raw.push(row.value()[20..].to_vec());
    }
    if stored.len() != raw.len() || proofs::calculate_receipt_root(&receipts) != sealed.header.receipts_root {
        return Err(wrong("receipts are"));
    }
    if proofs::ordered_trie_root_encoded(&raw) != sealed.header.transactions_root {
        return Err(wrong("transactions are"));
    }
    if receipts
        .iter()
        .fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom())
        != sealed.header.logs_bloom
    {
        return Err(wrong("logs are"));
    }
    if stored.last().map_or(0, |last| last.cumulative_gas_used) != sealed.header.gas_used {
        return Err(wrong("gas used is"));
    }
    Ok(raw.len() as u64)
}

/// The newest state's root from the flat tables, and how many accounts there are.
fn state_root(view: &View) -> Result<(B256, u64)> {
    let mut slots: BTreeMap<Address, Vec<(B256, U256)>> = BTreeMap::new();
    for row in view.storage.iter().map_err(unreadable)? {
        let (key, value) = row.map_err(unreadable)?;
        let (account, slot) = key.value().split_at(20);
        let slots = slots.entry(Address::from_slice(account)).or_default();
        slots.push((B256::from_slice(slot), U256::from_be_bytes(*value.value())));
    }
    let mut accounts = Vec::new();
    for row in view.accounts.iter().map_err(unreadable)? {
        let (address, row) = row.map_err(unreadable)?;
        let address = Address::from(*address.value());
        let account = Account::decode(row.value());
        if proofs::storage_root_unhashed(slots.remove(&address).unwrap_or_default()) != account.storage_root {
            return Err(damaged(format!("the storage of {address} does not have its root")));
        }
        view.code(account.code_hash)?;
        accounts.push((
            address,
            TrieAccount {
                nonce: account.nonce,
                balance: account.balance,
                storage_root: account.storage_root,
                code_hash: account.code_hash,
            },
        ));
    }
    if !slots.is_empty() {
        return Err(damaged("there is storage without an account"));
    }
    let count = accounts.len() as u64;
    Ok((proofs::state_root_unhashed(accounts), count))
}
