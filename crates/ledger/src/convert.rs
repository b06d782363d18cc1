//! From Vidimus's types to Ethereum's and back. Plain functions: neither side's types are ours to give traits to.

use crate::eth;
use vidimus_core::{Address, Digest, receipt::BlockHash};

/// An address for alloy.
pub fn to_address(address: Address) -> eth::Address {
    eth::Address::new(address.0)
}

/// An address from alloy.
pub fn from_address(address: eth::Address) -> Address {
    Address(address.into_array())
}

/// A block or transaction hash for alloy.
pub fn to_hash(hash: BlockHash) -> eth::B256 {
    eth::B256::new(hash.0)
}

/// A block or transaction hash from alloy.
pub fn from_hash(hash: eth::B256) -> BlockHash {
    BlockHash(hash.0)
}

/// A SHA-256 digest as a contract's `bytes32`.
pub fn to_word(digest: Digest) -> eth::B256 {
    eth::B256::new(digest.0)
}

/// A contract's `bytes32` as a SHA-256 digest.
pub fn from_word(word: eth::B256) -> Digest {
    Digest(word.0)
}
