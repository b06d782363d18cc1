//! What is believed of a node's answers, apart from HTTP: for those who try the reading of them with whatever bytes (`fuzz/`).

use super::{FeeRules, answer, base_fee, offer, proof, usual_tip, verify, verify::Proven};
use crate::Fees;
use crate::error::{FatalError, Result};
use crate::eth::{
    AccountProof, Address, B256, Block, BlockId, BlockTransactions, FeeHistory, Header, Log, TransactionReceipt, U256,
    keccak256,
};
use alloy::consensus::proofs;
use alloy::eips::eip2718::Encodable2718;
use alloy::transports::http::reqwest::StatusCode;

/// A block, and of its receipts and of the logs that were named those that stand in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The header, which hashes to its hash.
    pub header: Header,
    /// What became of its transactions.
    pub receipts: Vec<TransactionReceipt>,
    /// What its contracts logged.
    pub logs: Vec<Log>,
    /// How many receipts and logs were refused.
    pub refused: usize,
}

/// Reads the bodies of three answers: to `eth_getBlockByHash` with its transactions, `eth_getBlockReceipts` and `eth_getLogs`. With `mined`
/// the header is given the roots of what was read and its own hash, as one would have it who can mine blocks: no bytes that are merely tried
/// come that far.
pub fn block(block: &[u8], receipts: &[u8], logs: &[u8], mined: bool) -> Result<Heard> {
    let mut block: Block = answer::read(StatusCode::OK, block)?;
    let receipts: Vec<TransactionReceipt> = answer::read(StatusCode::OK, receipts)?;
    let logs: Vec<Log> = answer::read(StatusCode::OK, logs)?;
    if mined {
        mine(&mut block, &receipts);
    }
    let header = block.header.clone();
    verify::block(BlockId::hash(header.hash), &block)?;
    verify::receipts(&header.inner, &receipts)?;
    let proven = Proven::new(header.hash, block, receipts.clone())?;
    let named = receipts.len() + logs.len();
    let receipts: Vec<_> = receipts
        .into_iter()
        .filter_map(|mut receipt| {
            let settled = proven.settle_receipt(receipt.transaction_hash, &mut receipt);
            settled.is_ok().then_some(receipt)
        })
        .collect();
    let logs: Vec<_> = logs
        .into_iter()
        .filter_map(|mut log| proven.settle_log(&mut log).is_ok().then_some(log))
        .collect();
    let refused = named - receipts.len() - logs.len();
    Ok(Heard {
        header,
        receipts,
        logs,
        refused,
    })
}

fn mine(block: &mut Block, receipts: &[TransactionReceipt]) {
    if let BlockTransactions::Full(transactions) = &block.transactions {
        let raw: Vec<_> = transactions
            .iter()
            .map(|transaction| transaction.inner.inner().encoded_2718())
            .collect();
        block.header.inner.transactions_root = proofs::ordered_trie_root_encoded(&raw);
    }
    let receipts: Vec<_> = receipts.iter().map(verify::consensus).collect();
    block.header.inner.receipts_root = proofs::calculate_receipt_root(&receipts);
    block.header.hash = block.header.inner.hash_slow();
}

/// Reads the bodies of two answers, to `eth_feeHistory` and `eth_maxPriorityFeePerGas`; a node that does not know the second one's method
/// says an error.
pub fn fees(history: &[u8], tip: &[u8], rules: FeeRules) -> Result<Fees> {
    let history: FeeHistory = answer::read(StatusCode::OK, history)?;
    let base_fee = base_fee(&history)?;
    let said = answer::read::<U256>(StatusCode::OK, tip).map(|tip| tip.saturating_to());
    let tip = rules
        .priority_fee
        .unwrap_or_else(|| said.unwrap_or_else(|_| usual_tip(&history, base_fee)));
    Ok(offer(base_fee, tip, rules.most))
}

/// Reads the body of an answer to `eth_getProof`: which nonce an account has in the state with this root. With `mined` the root is that of the
/// proof's own first node, as one would have it who can mine blocks.
pub fn nonce(root: B256, account: Address, answer: &[u8], mined: bool) -> Result<u64> {
    let answer: AccountProof = answer::read(StatusCode::OK, answer)?;
    let root = match answer.account_proof.first() {
        Some(first) if mined => keccak256(first),
        _ => root,
    };
    proof::nonce(root, account, &answer.account_proof)
}

/// Reads the body of an answer that may be a refusal, of any status; what it means is one of this crate's errors.
pub fn refusal(status: u16, body: &[u8]) -> Result<serde_json::Value> {
    let status = StatusCode::from_u16(status).map_err(|_| FatalError::Unproven("a status that is none"))?;
    answer::read(status, body)
}
