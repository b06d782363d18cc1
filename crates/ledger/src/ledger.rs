use crate::error::Result;
use crate::eth::{
    AccountProof, Address, B256, Block, BlockId, Bytes, FeeHistory, Filter, Log, Transaction, TransactionReceipt,
    TransactionRequest, TxHash, U256,
};
use async_trait::async_trait;
use vidimus_core::{Timestamp, receipt::BlockHash};

/// One block, as much of it as following a chain needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number; the genesis block is 0.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// The hash of the block before it: a change here is a reorganisation.
    pub parent: BlockHash,
    /// Its timestamp. Never orders data: several blocks may share one.
    pub time: Timestamp,
}

/// What a transaction should offer now, wei per gas. Always set explicitly: client libraries raise a tip of 0 to 1, which
/// free-gas networks refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fees {
    /// Base fee of the next block.
    pub base_fee: u64,
    /// `maxPriorityFeePerGas` to offer.
    pub priority_fee: u128,
    /// `maxFeePerGas` to offer: room for the base fee to double.
    pub max_fee: u128,
}

/// A ledger, wherever it runs.
///
/// Reads take a [`BlockId`]: a number, a hash, or a tag. `latest`, `safe` and `pending` all mean the newest block (only
/// [`nonce`](Self::nonce) tells `pending` apart), `finalized` the newest final one. A block that is not on the chain is
/// [`NoSuchBlock`](crate::CallerError::NoSuchBlock) where state is asked for and `None` where the block itself is.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// EIP-155 chain id.
    async fn chain_id(&self) -> Result<u64>;
    /// The newest block.
    async fn head(&self) -> Result<Head>;
    /// The newest block that is final, by this ledger's configuration.
    async fn finalized(&self) -> Result<Head>;
    /// A block with its transactions, or with their hashes only.
    async fn block(&self, at: BlockId, full: bool) -> Result<Option<Block>>;
    /// Submits one signed transaction (EIP-2718 bytes) and returns its hash.
    ///
    /// Idempotent: bytes that are known or mined already succeed again. When an embedded ledger answers, the transaction is
    /// durable: mined, or, where its nonce is ahead, stored as waiting.
    async fn submit(&self, raw: &[u8]) -> Result<TxHash>;
    /// A transaction, mined or waiting.
    async fn transaction(&self, hash: TxHash) -> Result<Option<Transaction>>;
    /// The receipts of a block, in the order of its transactions.
    async fn receipts(&self, at: BlockId) -> Result<Option<Vec<TransactionReceipt>>> {
        let Some(block) = self.block(at, false).await? else {
            return Ok(None);
        };
        let mut receipts = Vec::new();
        for hash in block.transactions.hashes() {
            let Some(receipt) = self.receipt(hash).await? else {
                return Ok(None);
            };
            receipts.push(receipt);
        }
        Ok(Some(receipts))
    }
    /// The receipt of a mined transaction.
    async fn receipt(&self, hash: TxHash) -> Result<Option<TransactionReceipt>>;
    /// The next nonce of an account. At `pending` it counts transactions that wait.
    async fn nonce(&self, account: Address, at: BlockId) -> Result<u64>;
    /// The next nonce of an account in the newest final block: what comes after this cannot be taken back. A backend that asks others has it
    /// proven, and fails where it is not.
    async fn settled_nonce(&self, account: Address) -> Result<u64> {
        self.nonce(account, BlockId::finalized()).await
    }
    /// Wei held by an account.
    async fn balance(&self, account: Address, at: BlockId) -> Result<U256>;
    /// Code at an address; empty for accounts without.
    async fn code(&self, account: Address, at: BlockId) -> Result<Bytes>;
    /// One storage slot.
    async fn storage(&self, account: Address, slot: U256, at: BlockId) -> Result<B256>;
    /// Runs a call without a transaction. A revert is [`Reverted`](crate::CallerError::Reverted) with its data.
    async fn call(&self, request: TransactionRequest, at: BlockId) -> Result<Bytes>;
    /// The least gas limit with which the transaction would succeed.
    async fn estimate_gas(&self, request: TransactionRequest, at: BlockId) -> Result<u64>;
    /// Logs that match, in order. Ranges and answers are bounded: [`TooMuch`](crate::CallerError::TooMuch) says so, never a
    /// shortened answer.
    async fn logs(&self, filter: &Filter) -> Result<Vec<Log>>;
    /// What to offer for gas now.
    async fn fees(&self) -> Result<Fees>;
    /// Base fees, gas used and tips of `blocks` blocks up to `newest`.
    async fn fee_history(&self, blocks: u64, newest: BlockId, percentiles: &[f64]) -> Result<FeeHistory>;
    /// Merkle proofs of an account and some of its slots against the block's state root (EIP-1186).
    async fn proof(&self, account: Address, slots: Vec<B256>, at: BlockId) -> Result<AccountProof>;
}
