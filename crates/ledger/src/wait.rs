use crate::error::{Result, RetryError};
use crate::{Ledger, convert, eth};
use std::time::Duration;
use tokio::time::Instant;
use vidimus_core::{Timestamp, receipt::BlockHash};

/// A mined transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mined {
    /// The transaction's hash.
    pub transaction: BlockHash,
    /// Number of its block.
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: BlockHash,
    /// Timestamp of its block.
    pub time: Timestamp,
    /// Whether it did what it was sent for; a reverted transaction is mined too.
    pub success: bool,
    /// Gas it used.
    pub gas_used: u64,
    /// The contract it created; nodes name an address for failed creations too, this does not.
    pub contract: Option<vidimus_core::Address>,
    /// What it logged.
    pub logs: Vec<eth::Log>,
}

/// Polls until `hash` is mined: at once, then every 50 ms, slowing to one second. Never a subscription: those hang on chains
/// whose blocks come faster than they ask.
///
/// A block that is mined need not be final: compare with [`Ledger::finalized`].
pub async fn await_mined(ledger: &dyn Ledger, hash: BlockHash, patience: Duration) -> Result<Mined> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(50);
    loop {
        if let Some(mined) = mined(ledger, hash).await? {
            return Ok(mined);
        }
        if started.elapsed() >= patience {
            return Err(RetryError::NotMined(patience.as_secs()).into());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// The transaction as it is mined now, with its block's time; `None` while it is not.
pub(crate) async fn mined(ledger: &dyn Ledger, hash: BlockHash) -> Result<Option<Mined>> {
    let Some(receipt) = ledger.receipt(convert::to_hash(hash)).await? else {
        return Ok(None);
    };
    let (Some(block_number), Some(block_hash)) = (receipt.block_number, receipt.block_hash) else {
        return Ok(None);
    };
    // By hash, so that a reorganisation between the two questions is seen as "not mined".
    let Some(block) = ledger.block(eth::BlockId::hash(block_hash), false).await? else {
        return Ok(None);
    };
    Ok(Some(Mined {
        transaction: hash,
        block_number,
        block_hash: convert::from_hash(block_hash),
        time: Timestamp(i64::try_from(block.header.timestamp).unwrap_or(i64::MAX)),
        success: receipt.status(),
        gas_used: receipt.gas_used,
        contract: receipt
            .contract_address
            .filter(|_| receipt.status())
            .map(convert::from_address),
        logs: receipt.inner.logs().to_vec(),
    }))
}
