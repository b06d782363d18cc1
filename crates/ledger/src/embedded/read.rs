//! Questions to the file, answered in Ethereum's types.

use super::block::consensus_receipt;
use super::genesis::Genesis;
use super::state::{Codes, State};
use super::store::{Sealed, StoredReceipt, View, damaged, unreadable};
use super::trie::{self, Nodes};
use crate::convert;
use crate::error::{CallerError, Result};
use crate::eth::{
    AccountProof, Address, B256, Block, BlockId, BlockNumberOrTag, BlockTransactions, FeeHistory, Filter, Header, Log,
    StorageProof, Transaction, TransactionReceipt, TxHash, U256,
};
use crate::ledger::Head;
use alloy::consensus::transaction::{Recovered, TransactionInfo};
use alloy::consensus::{Receipt, ReceiptEnvelope, ReceiptWithBloom, Transaction as _, TxEnvelope};
use alloy::eips::eip2718::Decodable2718;
use alloy::rlp::Encodable;
use alloy::rpc::types::FilterBlockOption;
use std::sync::Arc;
use vidimus_core::Timestamp;

/// Most blocks that one question for logs may span.
pub const LOG_BLOCKS: u64 = 100_000;
/// Most logs in one answer.
pub const LOG_ANSWERS: usize = 10_000;
/// Most storage slots in one question for proofs.
pub const PROOF_SLOTS: usize = 256;
/// Most blocks of one fee history (go-ethereum's limit).
pub const FEE_BLOCKS: u64 = 1024;

/// What the file said at one moment.
pub(super) struct Reader {
    pub(super) view: Arc<View>,
    pub(super) genesis: Arc<Genesis>,
    pub(super) codes: Codes,
}

pub(super) fn head_of(sealed: &Sealed) -> Head {
    Head {
        number: sealed.header.number,
        hash: convert::from_hash(sealed.hash),
        parent: convert::from_hash(sealed.header.parent_hash),
        time: Timestamp(i64::try_from(sealed.header.timestamp).unwrap_or(i64::MAX)),
    }
}

impl Reader {
    pub(super) fn sealed(&self, at: BlockId) -> Result<Option<Sealed>> {
        match at {
            BlockId::Number(BlockNumberOrTag::Number(number)) => self.view.header(number),
            BlockId::Number(BlockNumberOrTag::Earliest) => self.view.header(0),
            BlockId::Number(_) => self.view.head().map(Some),
            BlockId::Hash(hash) => match self.view.number(hash.block_hash)? {
                Some(number) => self.view.header(number),
                None => Ok(None),
            },
        }
    }

    /// The block and the state after it.
    pub(super) fn state(&self, at: BlockId) -> Result<(Sealed, State)> {
        let sealed = self.sealed(at)?.ok_or(CallerError::NoSuchBlock)?;
        let (view, codes) = (Arc::clone(&self.view), self.codes.clone());
        let state = if sealed.header.number == self.view.head()?.header.number {
            State::newest(view, codes)
        } else {
            State::past(view, sealed.header.state_root, codes)
        };
        Ok((sealed, state))
    }

    pub(super) fn nonce(&self, account: Address, at: BlockId) -> Result<u64> {
        let (_, state) = self.state(at)?;
        let mut nonce = state.account(account)?.map_or(0, |account| account.nonce);
        if matches!(at, BlockId::Number(BlockNumberOrTag::Pending)) {
            while self
                .view
                .waiting
                .get((&account.into_array(), nonce))
                .map_err(unreadable)?
                .is_some()
            {
                nonce += 1;
            }
        }
        Ok(nonce)
    }

    fn body(&self, number: u64, index: u32) -> Result<Recovered<TxEnvelope>> {
        let row = self.view.bodies.get((number, index)).map_err(unreadable)?;
        decode_body(row.ok_or_else(|| damaged("a transaction is missing"))?.value())
    }

    fn bodies(&self, number: u64) -> Result<Vec<Recovered<TxEnvelope>>> {
        let rows = self
            .view
            .bodies
            .range((number, 0)..=(number, u32::MAX))
            .map_err(unreadable)?;
        rows.map(|row| decode_body(row.map_err(unreadable)?.1.value()))
            .collect()
    }

    pub(super) fn block(&self, at: BlockId, full: bool) -> Result<Option<Block>> {
        let Some(sealed) = self.sealed(at)? else {
            return Ok(None);
        };
        let bodies = self.bodies(sealed.header.number)?;
        let size = block_size(&sealed, &bodies);
        let transactions = if full {
            let placed = (0..).zip(bodies).map(|(index, body)| placed(&sealed, index, body));
            BlockTransactions::Full(placed.collect())
        } else {
            BlockTransactions::Hashes(bodies.iter().map(|body| *body.tx_hash()).collect())
        };
        let withdrawals = sealed.header.withdrawals_root.map(|_| Default::default());
        let header = Header {
            hash: sealed.hash,
            inner: sealed.header,
            total_difficulty: Some(U256::ZERO),
            size: Some(size),
        };
        Ok(Some(Block {
            header,
            uncles: Vec::new(),
            transactions,
            withdrawals,
        }))
    }

    pub(super) fn transaction(&self, hash: TxHash) -> Result<Option<Transaction>> {
        if let Some((number, index)) = self.view.location(hash)? {
            let sealed = self.view.header(number)?.ok_or_else(|| damaged("a block is missing"))?;
            return Ok(Some(placed(&sealed, u64::from(index), self.body(number, index)?)));
        }
        let Some(key) = self.view.waiting_hashes.get(&hash.0).map_err(unreadable)? else {
            return Ok(None);
        };
        let Some(raw) = self.view.waiting.get(key.value()).map_err(unreadable)? else {
            return Ok(None);
        };
        let sender = Address::from(*key.value().0);
        let transaction = decode(raw.value())?;
        Ok(Some(Transaction::from_transaction(
            Recovered::new_unchecked(transaction, sender),
            TransactionInfo::default(),
        )))
    }

    pub(super) fn receipt(&self, hash: TxHash) -> Result<Option<TransactionReceipt>> {
        let Some((number, index)) = self.view.location(hash)? else {
            return Ok(None);
        };
        let sealed = self.view.header(number)?.ok_or_else(|| damaged("a block is missing"))?;
        let body = self.body(number, index)?;
        let row = self.view.receipts.get((number, index)).map_err(unreadable)?;
        let stored = StoredReceipt::decode(row.ok_or_else(|| damaged("a receipt is missing"))?.value())?;
        Ok(Some(receipt(&sealed, u64::from(index), &body, stored)))
    }

    /// Matching logs of the blocks asked for. Blocks whose bloom filter says no are not opened.
    pub(super) fn logs(&self, filter: &Filter) -> Result<Vec<Log>> {
        let head = self.view.head()?.header.number;
        let (from, to) = match filter.block_option {
            FilterBlockOption::AtBlockHash(hash) => {
                let number = self.view.number(hash)?.ok_or(CallerError::NoSuchBlock)?;
                (number, number)
            }
            FilterBlockOption::Range { from_block, to_block } => {
                let number = |tag: Option<BlockNumberOrTag>| match tag {
                    Some(BlockNumberOrTag::Number(number)) => number,
                    Some(BlockNumberOrTag::Earliest) => 0,
                    _ => head,
                };
                (number(from_block), number(to_block))
            }
        };
        if from > to {
            return Err(CallerError::Argument("the range of blocks ends before it begins".into()).into());
        }
        if to.min(head).saturating_sub(from) >= LOG_BLOCKS {
            return Err(CallerError::TooMuch {
                what: "blocks in one question for logs",
                limit: LOG_BLOCKS,
            }
            .into());
        }
        let mut found = Vec::new();
        for number in from..=to.min(head) {
            let sealed = self.view.header(number)?.ok_or_else(|| damaged("a block is missing"))?;
            if !filter.matches_bloom(sealed.header.logs_bloom) {
                continue;
            }
            let mut hashes = None;
            for (index, stored) in self.view.receipts_of(number)?.into_iter().enumerate() {
                for (offset, log) in (0..).zip(stored.logs) {
                    if !filter.matches(&log) {
                        continue;
                    }
                    if found.len() >= LOG_ANSWERS {
                        let limit = LOG_ANSWERS as u64;
                        return Err(CallerError::TooMuch {
                            what: "logs in one answer",
                            limit,
                        }
                        .into());
                    }
                    if hashes.is_none() {
                        hashes = Some(self.bodies(number)?);
                    }
                    let hash = hashes.as_ref().and_then(|all| all.get(index)).map(|tx| *tx.tx_hash());
                    found.push(place(
                        &sealed,
                        hash,
                        index as u64,
                        u64::from(stored.first_log) + offset,
                        log,
                    ));
                }
            }
        }
        Ok(found)
    }

    pub(super) fn fee_history(&self, blocks: u64, newest: BlockId, percentiles: &[f64]) -> Result<FeeHistory> {
        if percentiles.windows(2).any(|pair| pair[0] > pair[1])
            || percentiles.iter().any(|p| !(0.0..=100.0).contains(p))
            || percentiles.len() > 100
        {
            return Err(CallerError::Argument("percentiles rise from 0 to 100".into()).into());
        }
        let newest = self.sealed(newest)?.ok_or(CallerError::NoSuchBlock)?;
        let count = blocks.min(FEE_BLOCKS).min(newest.header.number + 1);
        let oldest = newest.header.number + 1 - count;
        let mut history = FeeHistory {
            oldest_block: oldest,
            ..Default::default()
        };
        if count == 0 {
            return Ok(history);
        }
        let mut rewards = Vec::new();
        for number in oldest..=newest.header.number {
            let header = self
                .view
                .header(number)?
                .ok_or_else(|| damaged("a block is missing"))?
                .header;
            let base = header.base_fee_per_gas.unwrap_or_default();
            history.base_fee_per_gas.push(u128::from(base));
            history
                .gas_used_ratio
                .push(header.gas_used as f64 / header.gas_limit as f64);
            if !percentiles.is_empty() {
                rewards.push(self.rewards(number, base, header.gas_used, percentiles)?);
            }
        }
        history
            .base_fee_per_gas
            .push(u128::from(self.genesis.next_base_fee(&newest.header)));
        history.reward = (!percentiles.is_empty()).then_some(rewards);
        Ok(history)
    }

    /// Tips at the given percentiles of a block's gas.
    fn rewards(&self, number: u64, base: u64, gas_used: u64, percentiles: &[f64]) -> Result<Vec<u128>> {
        let bodies = self.bodies(number)?;
        let receipts = self.view.receipts_of(number)?;
        let mut tips: Vec<(u128, u64)> = bodies
            .iter()
            .zip(&receipts)
            .map(|(tx, receipt)| (tx.effective_tip_per_gas(base).unwrap_or_default(), receipt.gas_used))
            .collect();
        tips.sort_unstable();
        Ok(percentiles
            .iter()
            .map(|percentile| {
                let threshold = (gas_used as f64 * percentile / 100.0) as u64;
                let mut seen = 0;
                let at = tips.iter().find(|(_, gas)| {
                    seen += gas;
                    seen >= threshold
                });
                at.or(tips.last()).map_or(0, |(tip, _)| *tip)
            })
            .collect())
    }

    pub(super) fn proof(&self, address: Address, slots: Vec<B256>, at: BlockId) -> Result<AccountProof> {
        if slots.len() > PROOF_SLOTS {
            return Err(CallerError::TooMuch {
                what: "slots in one proof",
                limit: PROOF_SLOTS as u64,
            }
            .into());
        }
        let sealed = self.sealed(at)?.ok_or(CallerError::NoSuchBlock)?;
        let nodes = Arc::new(Nodes::new(Arc::clone(&self.view)));
        let root = sealed.header.state_root;
        let account = trie::account(&nodes, root, address)?.unwrap_or_default();
        let storage_proof = slots
            .into_iter()
            .map(|key| {
                Ok(StorageProof {
                    key: key.into(),
                    value: trie::slot(&nodes, account.storage_root, key.into())?,
                    proof: trie::proof(&nodes, account.storage_root, key.as_slice())?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(AccountProof {
            address,
            balance: account.balance,
            code_hash: account.code_hash,
            nonce: account.nonce,
            storage_hash: account.storage_root,
            account_proof: trie::proof(&nodes, root, address.as_slice())?,
            storage_proof,
        })
    }
}

fn decode(raw: &[u8]) -> Result<TxEnvelope> {
    TxEnvelope::decode_2718_exact(raw).map_err(|_| damaged("a transaction does not decode"))
}

pub(super) fn decode_body(row: &[u8]) -> Result<Recovered<TxEnvelope>> {
    let (sender, raw) = row
        .split_at_checked(20)
        .ok_or_else(|| damaged("a transaction is cut"))?;
    Ok(Recovered::new_unchecked(decode(raw)?, Address::from_slice(sender)))
}

/// Bytes of the RLP block, as `eth_getBlockBy…` says it.
fn block_size(sealed: &Sealed, bodies: &[Recovered<TxEnvelope>]) -> U256 {
    let list = |payload: usize| {
        alloy::rlp::Header {
            list: true,
            payload_length: payload,
        }
        .length_with_payload()
    };
    let transactions: usize = bodies.iter().map(|tx| Encodable::length(tx.inner())).sum();
    U256::from(list(sealed.header.length() + list(transactions) + 1))
}

fn placed(sealed: &Sealed, index: u64, body: Recovered<TxEnvelope>) -> Transaction {
    let info = TransactionInfo {
        hash: Some(*body.tx_hash()),
        index: Some(index),
        block_hash: Some(sealed.hash),
        block_number: Some(sealed.header.number),
        base_fee: sealed.header.base_fee_per_gas,
        block_timestamp: Some(sealed.header.timestamp),
    };
    Transaction::from_transaction(body, info)
}

fn place(
    sealed: &Sealed,
    transaction: Option<TxHash>,
    index: u64,
    log_index: u64,
    inner: alloy::primitives::Log,
) -> Log {
    Log {
        inner,
        block_hash: Some(sealed.hash),
        block_number: Some(sealed.header.number),
        block_timestamp: Some(sealed.header.timestamp),
        transaction_hash: transaction,
        transaction_index: Some(index),
        log_index: Some(log_index),
        removed: false,
    }
}

fn receipt(sealed: &Sealed, index: u64, body: &Recovered<TxEnvelope>, stored: StoredReceipt) -> TransactionReceipt {
    let hash = *body.tx_hash();
    let logs_bloom = *consensus_receipt(body.tx_type(), &stored).logs_bloom();
    let logs = (u64::from(stored.first_log)..)
        .zip(stored.logs)
        .map(|(log_index, log)| place(sealed, Some(hash), index, log_index, log))
        .collect();
    let receipt = Receipt {
        status: stored.success.into(),
        cumulative_gas_used: stored.cumulative_gas_used,
        logs,
    };
    TransactionReceipt {
        inner: ReceiptEnvelope::from_typed(body.tx_type(), ReceiptWithBloom { receipt, logs_bloom }),
        transaction_hash: hash,
        transaction_index: Some(index),
        block_hash: Some(sealed.hash),
        block_number: Some(sealed.header.number),
        gas_used: stored.gas_used,
        effective_gas_price: body.effective_gas_price(sealed.header.base_fee_per_gas),
        blob_gas_used: None,
        blob_gas_price: None,
        from: body.signer(),
        to: body.to(),
        // Nodes name the address that a creation was for, whether it succeeded or not.
        contract_address: body.to().is_none().then(|| body.signer().create(body.nonce())),
    }
}
