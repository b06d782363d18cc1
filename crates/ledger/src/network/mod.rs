//! Any Ethereum node, or another Vidimus, by JSON-RPC.
//!
//! The node is believed: what it says about blocks and logs is not checked against headers here, beyond the chain id, and the hash of
//! what is submitted. Choose one that is your own, or compare several. Reorganisations show as another hash at a known height
//! ([`Head::parent`]).

mod refusal;

use crate::error::{CallerError, FatalError, LedgerError, Result, RetryError};
use crate::eth::{
    AccountProof, Address, B256, Block, BlockId, BlockNumberOrTag, Bytes, FeeHistory, Filter, Log, Transaction,
    TransactionReceipt, TransactionRequest, TxHash, U256, keccak256,
};
use crate::{Fees, Head, Ledger, convert};
use alloy::primitives::U64;
use alloy::rpc::client::RpcClient;
use alloy::transports::http::reqwest;
use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use vidimus_core::Timestamp;

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
#[derive(Clone)]
pub struct Settings {
    /// `http://` or `https://` address of its JSON-RPC. May hold a token: never printed.
    pub url: String,
    /// A token for the `Authorization: Bearer` header. Never printed.
    pub bearer: Option<String>,
    /// The chain it must be on.
    pub chain_id: u64,
    /// When a block counts as final.
    pub finality: Finality,
    /// The longest one request may take.
    pub timeout: Duration,
    /// Tip to offer, wei per gas; 0 on free-gas networks.
    pub priority_fee: u128,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("chain_id", &self.chain_id)
            .field("finality", &self.finality)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A ledger reached by JSON-RPC.
#[derive(Debug)]
pub struct Network {
    client: RpcClient,
    settings: Settings,
}

impl Network {
    /// Prepares the client and makes sure that the node is on the right chain.
    ///
    /// Redirects are not followed: a node has no reason to send us elsewhere.
    pub async fn connect(settings: Settings) -> Result<Self> {
        let unusable = |what: &str| LedgerError::from(FatalError::Open(what.to_owned()));
        let url = reqwest::Url::parse(&settings.url).map_err(|_| unusable("the node's address is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(unusable("the node's address must begin with http:// or https://"));
        }
        let mut headers = reqwest::header::HeaderMap::new();
        if let Some(token) = &settings.bearer {
            let mut value = reqwest::header::HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| unusable("the node's token has characters that a header cannot hold"))?;
            value.set_sensitive(true);
            headers.insert(reqwest::header::AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers)
            .build()
            .map_err(|_| unusable("the HTTP client cannot be set up"))?;
        let network = Self {
            client: RpcClient::new_http_with_client(http, url),
            settings,
        };
        let (expected, found) = (network.settings.chain_id, network.chain_id().await?);
        if found != expected {
            return Err(FatalError::WrongChain { expected, found }.into());
        }
        Ok(network)
    }

    async fn ask<P, R>(&self, method: &'static str, params: P) -> Result<R>
    where
        P: Serialize + Clone + std::fmt::Debug + Send + Sync + Unpin,
        R: DeserializeOwned + std::fmt::Debug + Send + Sync + Unpin + 'static,
    {
        let answer = self.client.request::<P, R>(method, params).await;
        answer.map_err(|error| refusal::read(error, self.settings.timeout))
    }

    async fn head_at(&self, at: BlockNumberOrTag) -> Result<Option<Head>> {
        let block = self.block(at.into(), false).await?;
        Ok(block.map(|block| Head {
            number: block.header.number,
            hash: convert::from_hash(block.header.hash),
            parent: convert::from_hash(block.header.parent_hash),
            time: Timestamp(i64::try_from(block.header.timestamp).unwrap_or(i64::MAX)),
        }))
    }
}

fn no_block() -> LedgerError {
    RetryError::Unreachable("the node does not have a block it spoke of".into()).into()
}

#[async_trait]
impl Ledger for Network {
    async fn chain_id(&self) -> Result<u64> {
        self.ask::<_, U64>("eth_chainId", ()).await.map(|id| id.to())
    }

    async fn head(&self) -> Result<Head> {
        self.head_at(BlockNumberOrTag::Latest).await?.ok_or_else(no_block)
    }

    async fn finalized(&self) -> Result<Head> {
        let found = match self.settings.finality {
            Finality::Latest => return self.head().await,
            Finality::Tag => self.head_at(BlockNumberOrTag::Finalized).await?,
            Finality::Confirmations(blocks) => {
                let head = self.head().await?;
                self.head_at(BlockNumberOrTag::Number(head.number.saturating_sub(blocks)))
                    .await?
            }
        };
        found.ok_or_else(no_block)
    }

    async fn block(&self, at: BlockId, full: bool) -> Result<Option<Block>> {
        match at {
            BlockId::Number(number) => self.ask("eth_getBlockByNumber", (number, full)).await,
            BlockId::Hash(hash) => self.ask("eth_getBlockByHash", (hash.block_hash, full)).await,
        }
    }

    async fn submit(&self, raw: &[u8]) -> Result<TxHash> {
        let hash = keccak256(raw);
        let sent = self
            .ask::<_, TxHash>("eth_sendRawTransaction", (Bytes::copy_from_slice(raw),))
            .await;
        match sent {
            Ok(said) if said == hash => Ok(hash),
            Ok(_) => Err(FatalError::Inconsistent("the node names another hash than was sent".into()).into()),
            // Nodes say so in many words: "already known", "nonce too low", "replacement transaction underpriced". What they mean
            // is seen by asking for the transaction.
            Err(LedgerError::Caller(error)) => match self.transaction(hash).await {
                Ok(Some(_)) => Ok(hash),
                _ => Err(error.into()),
            },
            Err(error) => Err(error),
        }
    }

    async fn transaction(&self, hash: TxHash) -> Result<Option<Transaction>> {
        self.ask("eth_getTransactionByHash", (hash,)).await
    }

    async fn receipt(&self, hash: TxHash) -> Result<Option<TransactionReceipt>> {
        self.ask("eth_getTransactionReceipt", (hash,)).await
    }

    async fn nonce(&self, account: Address, at: BlockId) -> Result<u64> {
        self.ask::<_, U64>("eth_getTransactionCount", (account, at))
            .await
            .map(|nonce| nonce.to())
    }

    async fn balance(&self, account: Address, at: BlockId) -> Result<U256> {
        self.ask("eth_getBalance", (account, at)).await
    }

    async fn code(&self, account: Address, at: BlockId) -> Result<Bytes> {
        self.ask("eth_getCode", (account, at)).await
    }

    async fn storage(&self, account: Address, slot: U256, at: BlockId) -> Result<B256> {
        self.ask::<_, U256>("eth_getStorageAt", (account, B256::from(slot), at))
            .await
            .map(B256::from)
    }

    async fn call(&self, request: TransactionRequest, at: BlockId) -> Result<Bytes> {
        self.ask("eth_call", (request, at)).await
    }

    async fn estimate_gas(&self, request: TransactionRequest, at: BlockId) -> Result<u64> {
        self.ask::<_, U64>("eth_estimateGas", (request, at))
            .await
            .map(|gas| gas.to())
    }

    async fn logs(&self, filter: &Filter) -> Result<Vec<Log>> {
        self.ask("eth_getLogs", (filter.clone(),)).await
    }

    async fn fees(&self) -> Result<Fees> {
        let history: FeeHistory = self
            .ask(
                "eth_feeHistory",
                (U64::from(1), BlockNumberOrTag::Latest, Vec::<f64>::new()),
            )
            .await?;
        let next = history.base_fee_per_gas.last().copied().unwrap_or_default();
        let base_fee =
            u64::try_from(next).map_err(|_| FatalError::Inconsistent("the node's base fee is out of range".into()))?;
        let priority_fee = self.settings.priority_fee;
        Ok(Fees {
            base_fee,
            priority_fee,
            max_fee: next * 2 + priority_fee,
        })
    }

    async fn fee_history(&self, blocks: u64, newest: BlockId, percentiles: &[f64]) -> Result<FeeHistory> {
        let BlockId::Number(newest) = newest else {
            return Err(CallerError::Argument("a fee history ends at a block number or tag".into()).into());
        };
        self.ask("eth_feeHistory", (U64::from(blocks), newest, percentiles.to_vec()))
            .await
    }

    async fn proof(&self, account: Address, slots: Vec<B256>, at: BlockId) -> Result<AccountProof> {
        self.ask("eth_getProof", (account, slots, at)).await
    }
}
