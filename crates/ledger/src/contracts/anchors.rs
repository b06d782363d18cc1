//! Merkle roots of batches of commitments.

use super::abi::Anchors as Abi;
use super::{Placed, read};
use crate::error::Result;
use crate::eth::{self, BlockId};
use crate::{Ledger, convert};
use alloy::sol_types::{SolCall, SolEventInterface};
use vidimus_core::{Address, Digest, Timestamp};

/// Where a root stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchored {
    /// Block number.
    pub block_number: u64,
    /// The block's timestamp.
    pub time: Timestamp,
    /// How many commitments the root stands for.
    pub size: u64,
}

/// An event of the contract (those about the authority: [`registry::decode`](super::registry::decode)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnchorsEvent {
    /// A root was anchored.
    Anchored {
        /// The root.
        root: Digest,
        /// How many commitments it stands for.
        size: u64,
        /// Who anchored it.
        anchorer: Address,
    },
    /// An account may anchor, or no longer.
    AnchorerChanged {
        /// The account.
        anchorer: Address,
        /// Whether it may.
        allowed: bool,
    },
}

/// Reads a log of the contract; `None` for logs of anything else.
pub fn decode(log: &eth::Log) -> Option<Placed<AnchorsEvent>> {
    let event = match Abi::AnchorsEvents::decode_log(&log.inner).ok()?.data {
        Abi::AnchorsEvents::Anchored(e) => AnchorsEvent::Anchored {
            root: convert::from_word(e.root),
            size: e.size,
            anchorer: convert::from_address(e.anchorer),
        },
        Abi::AnchorsEvents::AnchorerChanged(e) => AnchorsEvent::AnchorerChanged {
            anchorer: convert::from_address(e.anchorer),
            allowed: e.allowed,
        },
        _ => return None,
    };
    Placed::new(log, event)
}

/// Calldata: anchors `root`, which stands for `size` commitments. Reverts when it is anchored already.
pub fn anchor(root: Digest, size: u64) -> Vec<u8> {
    Abi::anchorCall {
        root: convert::to_word(root),
        size,
    }
    .abi_encode()
}

/// Calldata: allows an account to anchor, or no longer.
pub fn set_anchorer(account: Address, allowed: bool) -> Vec<u8> {
    Abi::setAnchorerCall {
        account: convert::to_address(account),
        allowed,
    }
    .abi_encode()
}

/// Where `root` stands; `None` when it is not anchored.
pub async fn anchored(ledger: &dyn Ledger, contract: Address, root: Digest, at: BlockId) -> Result<Option<Anchored>> {
    let found = read(
        ledger,
        contract,
        Abi::anchoredCall {
            root: convert::to_word(root),
        },
        at,
    )
    .await?;
    Ok((found.size > 0).then(|| Anchored {
        block_number: found.blockNumber,
        time: Timestamp(i64::try_from(found.time).unwrap_or(i64::MAX)),
        size: found.size,
    }))
}

/// Whether `account` may anchor.
pub async fn is_anchorer(ledger: &dyn Ledger, contract: Address, account: Address, at: BlockId) -> Result<bool> {
    read(
        ledger,
        contract,
        Abi::isAnchorerCall {
            account: convert::to_address(account),
        },
        at,
    )
    .await
}
