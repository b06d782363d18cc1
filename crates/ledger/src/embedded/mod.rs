//! The embedded ledger.
mod genesis;
pub use genesis::{Allocation, BaseFee, DEFAULT_CHAIN_ID, Fork, Genesis};

use crate::error::{FatalError, Result};
use crate::eth::*;
use crate::{Fees, Head, Ledger};
use async_trait::async_trait;
use std::{path::Path, sync::Arc};
use vidimus_core::time::Clock;

/// An Ethereum chain in this process, in one file.
#[derive(Debug)]
pub struct Embedded {}

fn pending<T>() -> Result<T> {
    Err(FatalError::Closed.into())
}

impl Embedded {
    /// Opens the file at `path`, or makes it with `genesis`. Blocks while the file is checked.
    pub fn open(path: &Path, genesis: Genesis, clock: Arc<dyn Clock>) -> Result<Self> {
        let _ = (path, genesis, clock);
        pending()
    }

    /// Finishes what was submitted, stops the engine and lets go of the file.
    pub async fn close(self) {}
}

#[async_trait]
impl Ledger for Embedded {
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
