//! Any Ethereum node, or another Vidimus, by JSON-RPC.
use crate::error::{FatalError, Result};
use crate::eth::*;
use crate::{Fees, Head, Ledger};
use async_trait::async_trait;
use std::time::Duration;

/// When a block counts as final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finality {
    /// At once: an embedded ledger, Besu QBFT.
    Latest,
    /// When this many blocks follow it.
    Confirmations(u64),
    /// When the node says `finalized` (proof of stake).
    Tag,
}

/// How to reach a node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `http://` or `https://` address of its JSON-RPC. May hold a token: never printed.
    pub url: String,
    /// The chain it must be on.
    pub chain_id: u64,
    /// When a block counts as final.
    pub finality: Finality,
    /// The longest one request may take.
    pub timeout: Duration,
    /// Tip to offer, wei per gas; 0 on free-gas networks.
    pub priority_fee: u128,
}

/// A ledger reached by JSON-RPC.
#[derive(Debug)]
pub struct Network {}

fn pending<T>() -> Result<T> {
    Err(FatalError::Closed.into())
}

impl Network {
    /// Prepares the client and makes sure that the node is on the right chain.
    pub async fn connect(settings: Settings) -> Result<Self> {
        let _ = settings;
        pending()
    }
}

#[async_trait]
impl Ledger for Network {
    async fn chain_id(&self) -> Result<u64> {
        pending()
    }
    async fn head(&self) -> Result<Head> {
        pending()
    }
    async fn finalized(&self) -> Result<Head> {
        pending()
    }
    async fn block(&self, _: BlockId, _: bool) -> Result<Option<Block>> {
        pending()
    }
    async fn submit(&self, _: &[u8]) -> Result<TxHash> {
        pending()
    }
    async fn transaction(&self, _: TxHash) -> Result<Option<Transaction>> {
        pending()
    }
    async fn receipt(&self, _: TxHash) -> Result<Option<TransactionReceipt>> {
        pending()
    }
    async fn nonce(&self, _: Address, _: BlockId) -> Result<u64> {
        pending()
    }
    async fn balance(&self, _: Address, _: BlockId) -> Result<U256> {
        pending()
    }
    async fn code(&self, _: Address, _: BlockId) -> Result<Bytes> {
        pending()
    }
    async fn storage(&self, _: Address, _: U256, _: BlockId) -> Result<B256> {
        pending()
    }
    async fn call(&self, _: TransactionRequest, _: BlockId) -> Result<Bytes> {
        pending()
    }
    async fn estimate_gas(&self, _: TransactionRequest, _: BlockId) -> Result<u64> {
        pending()
    }
    async fn logs(&self, _: &Filter) -> Result<Vec<Log>> {
        pending()
    }
    async fn fees(&self) -> Result<Fees> {
        pending()
    }
    async fn fee_history(&self, _: u64, _: BlockId, _: &[f64]) -> Result<FeeHistory> {
        pending()
    }
    async fn proof(&self, _: Address, _: Vec<B256>, _: BlockId) -> Result<AccountProof> {
        pending()
    }
}
