//! The ledger: one trait over raw signed Ethereum transactions and two backends behind it.
//!
//! * [`Embedded`] runs the Ethereum virtual machine in this process over one file, a block per durable write;
//! * [`Network`] speaks JSON-RPC to any Ethereum node, or to another Vidimus whose embedded ledger is served by [`rpc`].
//!
//! Signing, contract bindings, hashes and receipts are the same for both, because both take what a sender signed and
//! nothing else. Keys never come into this crate to stay: [`transaction`] hands out hashes to sign.
//!
//! Types that Ethereum defines (blocks, receipts, logs, filters) are alloy's, re-exported as [`eth`]; at the edge to the
//! rest of Vidimus stand the newtypes of `vidimus-core`, and [`convert`] leads from one to the other.

pub mod contracts;
pub mod convert;
pub mod embedded;
mod error;
mod ledger;
pub mod network;
pub mod rpc;
pub mod transaction;
mod wait;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use embedded::{Embedded, Genesis};
pub use error::{Blame, CallerError, FatalError, LedgerError, Result, RetryError};
pub use ledger::{Fees, Head, Ledger};
pub use network::Network;
pub use wait::{Mined, await_mined};

/// Ethereum's own types, as alloy defines them.
pub mod eth {
    pub use alloy::eips::{BlockId, BlockNumberOrTag};
    pub use alloy::primitives::{Address, B256, Bloom, Bytes, TxHash, TxKind, U256, keccak256};
    pub use alloy::rpc::types::{
        Block, BlockTransactions, EIP1186AccountProofResponse as AccountProof, EIP1186StorageProof as StorageProof,
        FeeHistory, Filter, Header, Log, Transaction, TransactionReceipt, TransactionRequest,
    };
}
