//! The methods, each from its parameters to its result.

use super::{Failure, Limits, code};
use crate::Ledger;
use crate::eth::{Address, B256, BlockId, BlockNumberOrTag, Bytes, Filter, TransactionRequest, U256};
use alloy::primitives::U64;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Positional parameters.
struct Params(Vec<Value>);

impl Params {
    fn required<T: DeserializeOwned>(&self, at: usize, name: &str) -> Result<T, Failure> {
        self.optional(at, name)?
            .ok_or_else(|| Failure::new(code::PARAMS, format!("missing parameter {at}: {name}")))
    }

    fn optional<T: DeserializeOwned>(&self, at: usize, name: &str) -> Result<Option<T>, Failure> {
        match self.0.get(at) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value)
                .map(Some)
                .map_err(|_| Failure::new(code::PARAMS, format!("parameter {at} is not a valid {name}"))),
        }
    }

    fn block(&self, at: usize) -> Result<BlockId, Failure> {
        Ok(self.optional(at, "block")?.unwrap_or_else(BlockId::latest))
    }

    fn at_most(&self, count: usize) -> Result<(), Failure> {
        if self.0.len() > count {
            return Err(Failure::new(
                code::PARAMS,
                format!("too many parameters: at most {count}"),
            ));
        }
        Ok(())
    }
}

fn value(result: impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(result).map_err(|_| Failure::new(code::INTERNAL, "internal error"))
}

fn quantity(number: u64) -> Result<Value, Failure> {
    value(U64::from(number))
}

pub(super) async fn call(
    ledger: &dyn Ledger,
    limits: Limits,
    method: &str,
    params: Vec<Value>,
) -> Result<Value, Failure> {
    let params = Params(params);
    match method {
        "web3_clientVersion" => value(concat!("vidimus/", env!("CARGO_PKG_VERSION"))),
        "net_version" => value(ledger.chain_id().await?.to_string()),
        "net_listening" => value(true),
        "eth_syncing" => value(false),
        "eth_accounts" => value(Vec::<Address>::new()),
        "eth_chainId" => quantity(ledger.chain_id().await?),
        "eth_blockNumber" => quantity(ledger.head().await?.number),
        "eth_gasPrice" => {
            let fees = ledger.fees().await?;
            value(U256::from(u128::from(fees.base_fee) + fees.priority_fee))
        }
        "eth_maxPriorityFeePerGas" => value(U256::from(ledger.fees().await?.priority_fee)),
        "eth_feeHistory" => {
            let blocks: U256 = params.required(0, "count of blocks")?;
            let newest: BlockNumberOrTag = params.required(1, "block")?;
            let percentiles: Option<Vec<f64>> = params.optional(2, "list of percentiles")?;
            let blocks = blocks.saturating_to();
            value(
                ledger
                    .fee_history(blocks, newest.into(), &percentiles.unwrap_or_default())
                    .await?,
            )
        }
        "eth_getBlockByNumber" => {
            let at: BlockNumberOrTag = params.required(0, "block number")?;
            block(ledger, at.into(), &params).await
        }
        "eth_getBlockByHash" => {
            let at: B256 = params.required(0, "block hash")?;
            block(ledger, BlockId::hash(at), &params).await
        }
        "eth_getTransactionByHash" => value(ledger.transaction(params.required(0, "transaction hash")?).await?),
        "eth_getTransactionReceipt" => value(ledger.receipt(params.required(0, "transaction hash")?).await?),
        "eth_getBlockReceipts" => value(ledger.receipts(params.required(0, "block")?).await?),
        "eth_getTransactionCount" => quantity(ledger.nonce(params.required(0, "address")?, params.block(1)?).await?),
        "eth_getBalance" => value(ledger.balance(params.required(0, "address")?, params.block(1)?).await?),
        "eth_getCode" => value(ledger.code(params.required(0, "address")?, params.block(1)?).await?),
        "eth_getStorageAt" => {
            let (account, slot) = (params.required(0, "address")?, params.required(1, "slot")?);
            value(ledger.storage(account, slot, params.block(2)?).await?)
        }
        "eth_call" => {
            // Overriding state or block for a call is not offered; leaving it out silently would answer another question.
            params.at_most(2)?;
            let request: TransactionRequest = params.required(0, "call")?;
            value(ledger.call(request, params.block(1)?).await?)
        }
        "eth_estimateGas" => {
            params.at_most(2)?;
            let request: TransactionRequest = params.required(0, "call")?;
            quantity(ledger.estimate_gas(request, params.block(1)?).await?)
        }
        "eth_sendRawTransaction" if limits.may_send => {
            let raw: Bytes = params.required(0, "signed transaction")?;
            value(ledger.submit(&raw).await?)
        }
        "eth_sendRawTransaction" => Err(Failure::new(
            code::NOT_ALLOWED,
            "sending transactions is not allowed to this caller",
        )),
        "eth_getLogs" => value(ledger.logs(&params.required::<Filter>(0, "filter")?).await?),
        "eth_getProof" => {
            let account: Address = params.required(0, "address")?;
            let slots: Vec<U256> = params.required(1, "list of slots")?;
            let slots = slots.into_iter().map(B256::from).collect();
            value(ledger.proof(account, slots, params.block(2)?).await?)
        }
        _ => Err(Failure::new(
            code::METHOD,
            "the method does not exist or is not available",
        )),
    }
}

async fn block(ledger: &dyn Ledger, at: BlockId, params: &Params) -> Result<Value, Failure> {
    let full: Option<bool> = params.optional(1, "flag for full transactions")?;
    value(ledger.block(at, full.unwrap_or_default()).await?)
}
