//! Vidimus's contracts, typed: calldata to put into a transaction, calls to read, events to follow, and the code itself.
//!
//! Everything is generated from the artifacts that the repository's Solidity compiles to, so bindings and bytecodes cannot
//! drift apart. [`abi`] holds the raw bindings; the modules beside it speak Vidimus's own types.

pub mod anchors;
pub mod dids;
pub mod issuers;
pub mod registry;
pub mod verifiers;

use crate::error::{CallerError, FatalError, LedgerError, Result};
use crate::eth::{self, BlockId, Bytes, TransactionRequest};
use crate::{Ledger, convert};
use alloy::primitives::TxKind;
use alloy::sol_types::{SolCall, SolConstructor};
use vidimus_core::{Address, Timestamp, receipt::BlockHash};

/// The bindings as alloy generates them.
#[allow(
    clippy::all,
    missing_debug_implementations,
    reason = "written by the macro from the contracts' artifacts"
)]
pub mod abi {
    alloy::sol!(
        #[derive(Debug)]
        IssuerRegistry,
        "../../contracts/artifacts/IssuerRegistry.json"
    );
    alloy::sol!(
        #[derive(Debug)]
        VerifierRegistry,
        "../../contracts/artifacts/VerifierRegistry.json"
    );
    alloy::sol!(
        #[derive(Debug)]
        EthereumDIDRegistry,
        "../../contracts/artifacts/EthereumDIDRegistry.json"
    );
    alloy::sol!(
        #[derive(Debug)]
        Anchors,
        "../../contracts/artifacts/Anchors.json"
    );
}

/// The contracts of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contract {
    /// Who may issue which categories.
    IssuerRegistry,
    /// Who may ask for which attributes, for which purposes.
    VerifierRegistry,
    /// ERC-1056: owners, delegates and attributes of `did:ethr`.
    EthereumDidRegistry,
    /// Merkle roots of batches of commitments.
    Anchors,
}

impl Contract {
    /// All of them, in the order in which a deployment creates them.
    pub const ALL: [Self; 4] = [
        Self::IssuerRegistry,
        Self::VerifierRegistry,
        Self::EthereumDidRegistry,
        Self::Anchors,
    ];

    /// The Solidity name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IssuerRegistry => "IssuerRegistry",
            Self::VerifierRegistry => "VerifierRegistry",
            Self::EthereumDidRegistry => "EthereumDIDRegistry",
            Self::Anchors => "Anchors",
        }
    }

    /// What a transaction without recipient carries to create it. `authority` is the account that will admit, suspend and
    /// revoke; the DID registry has none.
    pub fn creation_code(self, authority: Address) -> Vec<u8> {
        let first = convert::to_address(authority);
        let (code, arguments) = match self {
            Self::IssuerRegistry => (
                &abi::IssuerRegistry::BYTECODE,
                abi::IssuerRegistry::constructorCall { first }.abi_encode(),
            ),
            Self::VerifierRegistry => (
                &abi::VerifierRegistry::BYTECODE,
                abi::VerifierRegistry::constructorCall { first }.abi_encode(),
            ),
            Self::EthereumDidRegistry => (&abi::EthereumDIDRegistry::BYTECODE, Vec::new()),
            Self::Anchors => (
                &abi::Anchors::BYTECODE,
                abi::Anchors::constructorCall { first }.abi_encode(),
            ),
        };
        [code.as_ref(), &arguments].concat()
    }

    /// The code that stands on the chain once it is created. None of the contracts has immutables, so it is always the same.
    pub fn runtime_code(self) -> &'static Bytes {
        match self {
            Self::IssuerRegistry => &abi::IssuerRegistry::DEPLOYED_BYTECODE,
            Self::VerifierRegistry => &abi::VerifierRegistry::DEPLOYED_BYTECODE,
            Self::EthereumDidRegistry => &abi::EthereumDIDRegistry::DEPLOYED_BYTECODE,
            Self::Anchors => &abi::Anchors::DEPLOYED_BYTECODE,
        }
    }
}

/// Where `deployer`'s transaction with `nonce` creates its contract (CREATE).
pub fn address_created(deployer: Address, nonce: u64) -> Address {
    convert::from_address(convert::to_address(deployer).create(nonce))
}

/// Makes sure that the code at `address` is this very contract.
pub async fn verify_code(ledger: &dyn Ledger, contract: Contract, address: Address) -> Result<()> {
    let code = ledger.code(convert::to_address(address), BlockId::latest()).await?;
    if code == *contract.runtime_code() {
        Ok(())
    } else {
        Err(FatalError::OtherCode {
            contract: contract.name(),
            address,
        }
        .into())
    }
}

/// Where on the chain an event stands. Orders events: first by block, then within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Block number.
    pub block_number: u64,
    /// Index of the log within the block.
    pub log_index: u64,
    /// Hash of the block.
    pub block_hash: BlockHash,
    /// The transaction that logged it.
    pub transaction: BlockHash,
    /// The block's timestamp where the node says it with the log (embedded ledgers do); otherwise ask for the block.
    pub time: Option<Timestamp>,
}

/// An event with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<E> {
    /// Where it stands.
    pub at: Position,
    /// The contract that logged it.
    pub contract: Address,
    /// What it says.
    pub event: E,
}

impl<E> Placed<E> {
    /// `event` at the place of `log`; `None` for a log that is not on the chain (yet).
    fn new(log: &eth::Log, event: E) -> Option<Self> {
        Some(Self {
            at: Position {
                block_number: log.block_number?,
                log_index: log.log_index?,
                block_hash: convert::from_hash(log.block_hash?),
                transaction: convert::from_hash(log.transaction_hash?),
                time: log
                    .block_timestamp
                    .map(|t| Timestamp(i64::try_from(t).unwrap_or(i64::MAX))),
            },
            contract: convert::from_address(log.address()),
            event,
        })
    }
}

/// The Solidity name of the custom error in the data of a revert, for those that Vidimus's contracts have.
pub fn revert_name(data: &[u8]) -> Option<&'static str> {
    use abi::{Anchors, EthereumDIDRegistry, IssuerRegistry, VerifierRegistry};
    let selector: [u8; 4] = data.get(..4)?.try_into().ok()?;
    IssuerRegistry::IssuerRegistryErrors::name_by_selector(selector)
        .or_else(|| VerifierRegistry::VerifierRegistryErrors::name_by_selector(selector))
        .or_else(|| Anchors::AnchorsErrors::name_by_selector(selector))
        .or_else(|| EthereumDIDRegistry::EthereumDIDRegistryErrors::name_by_selector(selector))
}

/// A typed call that reads.
async fn read<C: SolCall>(ledger: &dyn Ledger, contract: Address, call: C, at: BlockId) -> Result<C::Return> {
    let request = TransactionRequest {
        to: Some(TxKind::Call(convert::to_address(contract))),
        input: Bytes::from(call.abi_encode()).into(),
        ..Default::default()
    };
    let output = ledger.call(request, at).await?;
    C::abi_decode_returns(&output).map_err(|_| {
        LedgerError::from(CallerError::Argument(format!(
            "{contract} does not answer {} as its interface says",
            C::SIGNATURE
        )))
    })
}
