//! Any Ethereum node, or another Vidimus, by JSON-RPC.
//!
//! How far the node is believed: a block must hash to the hash it is given under, and a log or a receipt must stand in a block whose
//! transaction and receipt roots, computed here from all of its transactions and receipts, are those of that header; and a log must be what
//! was asked for: any contract can log what looks like another's. So a node cannot invent an anchor or an admission, or move one to another
//! time, without a block to show for it. What it can do: follow a chain that the network does not (headers are not checked against the
//! consensus), leave logs out, and answer calls (`eth_call`) and states as it likes. Choose one that is your own, or compare several.
//! Reorganisations show as another hash at a known height ([`Head::parent`]). Answers are bounded in size and time.

mod answer;
#[cfg(feature = "conformance")]
pub mod heard;
mod proof;
mod refusal;
mod verify;

use crate::error::{CallerError, FatalError, LedgerError, Result, RetryError};
use crate::eth::{
    AccountProof, Address, B256, Block, BlockId, BlockNumberOrTag, Bytes, FeeHistory, Filter, Log, Transaction,
    TransactionReceipt, TransactionRequest, TxHash, U256, keccak256,
};
use crate::{Fees, Head, Ledger, convert};
use alloy::primitives::U64;
use alloy::transports::http::reqwest;
use answer::Node;
use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use verify::Proven;
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
    /// What to offer for gas.
    pub fees: FeeRules,
    /// Whether blocks, and what is said of them, are held against their hashes. Not for networks whose blocks have a form of their own.
    pub verify: bool,
    /// Most bytes of an answer.
    pub answer: usize,
}

/// Most bytes of an answer, unless the settings say otherwise: more than the receipts of a full block of the public network.
pub const ANSWER: usize = 32 << 20;

/// What to offer for gas, wei per gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeRules {
    /// The most, tip included; 0 where gas costs nothing.
    pub most: u128,
    /// The tip; without it the node is asked what it takes to be mined soon.
    pub priority_fee: Option<u128>,
}

impl Default for FeeRules {
    fn default() -> Self {
        Self {
            most: 500_000_000_000,
            priority_fee: None,
        }
    }
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
    node: Node,
    settings: Settings,
    proven: Mutex<VecDeque<Arc<Proven>>>,
}

/// Proven blocks that are kept, for the next question about the same one.
const KEPT: usize = 4;
/// Blocks whose tips are looked at where the node does not name one.
const TIPS: u64 = 10;

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
        let node = Node {
            client: http,
            url,
            timeout: settings.timeout,
            most: settings.answer,
            next: AtomicU64::new(1),
        };
        let network = Self {
            node,
            settings,
            proven: Mutex::default(),
        };
        let (expected, found) = (network.settings.chain_id, network.chain_id().await?);
        if found != expected {
            return Err(FatalError::WrongChain { expected, found }.into());
        }
        Ok(network)
    }

    /// What the node calls itself, such as `Geth/v1.16.0` or `vidimus/0.1.0`.
    pub async fn client_version(&self) -> Result<String> {
        self.ask("web3_clientVersion", ()).await
    }

    async fn ask<R: DeserializeOwned>(&self, method: &'static str, params: impl Serialize + Send) -> Result<R> {
        self.node.ask(method, params).await
    }

    async fn block_unproven(&self, at: BlockId, full: bool) -> Result<Option<Block>> {
        match at {
            BlockId::Number(number) => self.ask("eth_getBlockByNumber", (number, full)).await,
            BlockId::Hash(hash) => self.ask("eth_getBlockByHash", (hash.block_hash, full)).await,
        }
    }

    async fn receipts_unproven(&self, hash: B256) -> Result<Option<Vec<TransactionReceipt>>> {
        match self.ask("eth_getBlockReceipts", (hash,)).await {
            // Not every node has the method.
            Err(LedgerError::Caller(_)) => {}
            answer => return answer,
        }
        let Some(block) = self.block_unproven(BlockId::hash(hash), false).await? else {
            return Ok(None);
        };
        let mut receipts = Vec::new();
        for hash in block.transactions.hashes() {
            match self.ask("eth_getTransactionReceipt", (hash,)).await? {
                Some(receipt) => receipts.push(receipt),
                None => return Ok(None),
            }
        }
        Ok(Some(receipts))
    }

    /// A block with everything in it, held against its hash; `None` when the node does not have it (any more).
    async fn proven(&self, hash: B256) -> Result<Option<Arc<Proven>>> {
        let kept = |proven: &VecDeque<Arc<Proven>>| proven.iter().find(|proven| proven.hash == hash).cloned();
        if let Some(found) = kept(&self.proven.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(Some(found));
        }
        let Some(block) = self.block_unproven(BlockId::hash(hash), true).await? else {
            return Ok(None);
        };
        let Some(receipts) = self.receipts_unproven(hash).await? else {
            return Ok(None);
        };
        let proven = Arc::new(Proven::new(hash, block, receipts)?);
        let mut all = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        all.truncate(KEPT - 1);
        all.push_front(proven.clone());
        Ok(Some(proven))
    }

    /// The tip that is usual now: what the node suggests, or else what blocks have taken, or one wei, which go-ethereum asks for at least.
    async fn tip(&self, history: &FeeHistory, base_fee: u64) -> Result<u128> {
        match self.ask::<U256>("eth_maxPriorityFeePerGas", ()).await {
            Ok(tip) => return Ok(tip.saturating_to()),
            Err(LedgerError::Caller(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(usual_tip(history, base_fee))
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

/// What the next block takes, as the history ends.
fn base_fee(history: &FeeHistory) -> Result<u64> {
    let next = history.base_fee_per_gas.last().copied().unwrap_or_default();
    u64::try_from(next).map_err(|_| FatalError::Inconsistent("the node's base fee is out of range".into()).into())
}

/// The tip that the blocks of a history took in the middle, or one wei, which go-ethereum asks for at least.
fn usual_tip(history: &FeeHistory, base_fee: u64) -> u128 {
    let mut tips: Vec<u128> = history
        .reward
        .iter()
        .flatten()
        .filter_map(|tips| tips.first().copied())
        .filter(|tip| *tip > 0)
        .collect();
    tips.sort_unstable();
    let usual = tips.get(tips.len() / 2).copied();
    usual.unwrap_or(u128::from(base_fee > 0))
}

fn offer(base_fee: u64, tip: u128, most: u128) -> Fees {
    let max_fee = (u128::from(base_fee) * 2).saturating_add(tip).min(most);
    Fees {
        base_fee,
        priority_fee: tip.min(max_fee),
        max_fee,
    }
}

fn no_block() -> LedgerError {
    RetryError::Unreachable("the node does not have a block it spoke of".into()).into()
}

#[async_trait]
impl Ledger for Network {
    async fn chain_id(&self) -> Result<u64> {
        self.ask::<U64>("eth_chainId", ()).await.map(|id| id.to())
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
        let found = self.block_unproven(at, full).await?;
        if let Some(block) = found.as_ref().filter(|_| self.settings.verify) {
            verify::block(at, block)?;
        }
        Ok(found)
    }

    async fn receipts(&self, at: BlockId) -> Result<Option<Vec<TransactionReceipt>>> {
        let Some(block) = self.block(at, false).await? else {
            return Ok(None);
        };
        let Some(receipts) = self.receipts_unproven(block.header.hash).await? else {
            return Ok(None);
        };
        if self.settings.verify {
            verify::receipts(&block.header.inner, &receipts)?;
        }
        Ok(Some(receipts))
    }

    async fn submit(&self, raw: &[u8]) -> Result<TxHash> {
        let hash = keccak256(raw);
        let sent = self
            .ask::<TxHash>("eth_sendRawTransaction", (Bytes::copy_from_slice(raw),))
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
        let found: Option<TransactionReceipt> = self.ask("eth_getTransactionReceipt", (hash,)).await?;
        let Some(mut receipt) = found else { return Ok(None) };
        if let Some(block) = receipt.block_hash.filter(|_| self.settings.verify) {
            // A block that is gone has no transactions.
            let Some(proven) = self.proven(block).await? else {
                return Ok(None);
            };
            proven.settle_receipt(hash, &mut receipt)?;
        }
        Ok(Some(receipt))
    }

    async fn nonce(&self, account: Address, at: BlockId) -> Result<u64> {
        self.ask::<U64>("eth_getTransactionCount", (account, at))
            .await
            .map(|nonce| nonce.to())
    }

    async fn settled_nonce(&self, account: Address) -> Result<u64> {
        let head = self.finalized().await?;
        let at = BlockId::number(head.number);
        if !self.settings.verify {
            return self.nonce(account, at).await;
        }
        let by_hash = BlockId::hash(convert::to_hash(head.hash));
        let header = self.block(by_hash, false).await?.ok_or_else(no_block)?.header;
        let proof = self.proof(account, Vec::new(), at).await?;
        proof::nonce(header.state_root, account, &proof.account_proof)
    }

    async fn balance(&self, account: Address, at: BlockId) -> Result<U256> {
        self.ask("eth_getBalance", (account, at)).await
    }

    async fn code(&self, account: Address, at: BlockId) -> Result<Bytes> {
        self.ask("eth_getCode", (account, at)).await
    }

    async fn storage(&self, account: Address, slot: U256, at: BlockId) -> Result<B256> {
        self.ask::<U256>("eth_getStorageAt", (account, B256::from(slot), at))
            .await
            .map(B256::from)
    }

    async fn call(&self, request: TransactionRequest, at: BlockId) -> Result<Bytes> {
        self.ask("eth_call", (request, at)).await
    }

    async fn estimate_gas(&self, request: TransactionRequest, at: BlockId) -> Result<u64> {
        self.ask::<U64>("eth_estimateGas", (request, at))
            .await
            .map(|gas| gas.to())
    }

    async fn logs(&self, filter: &Filter) -> Result<Vec<Log>> {
        let mut logs: Vec<Log> = self.ask("eth_getLogs", (filter.clone(),)).await?;
        for log in &mut logs {
            if self.settings.verify {
                let block = log
                    .block_hash
                    .ok_or(FatalError::Unproven("that a log stands nowhere"))?;
                let proven = self.proven(block).await?.ok_or_else(no_block)?;
                proven.settle_log(log)?;
            }
            // Any contract can log what looks like ours: what stands in a block is not yet what was asked for.
            if !filter.rpc_matches(log) {
                return Err(FatalError::Unproven("that a log is what was asked for").into());
            }
        }
        Ok(logs)
    }

    async fn fees(&self) -> Result<Fees> {
        let history: FeeHistory = self
            .ask(
                "eth_feeHistory",
                (U64::from(TIPS), BlockNumberOrTag::Latest, [50.0_f64]),
            )
            .await?;
        let base_fee = base_fee(&history)?;
        let FeeRules { most, priority_fee } = self.settings.fees;
        let tip = match priority_fee {
            Some(tip) => tip,
            None if most == 0 => 0,
            None => self.tip(&history, base_fee).await?,
        };
        Ok(offer(base_fee, tip, most))
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
