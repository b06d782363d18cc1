//! A receipt: the proof that a commitment is under an anchor on a chain.

use crate::{Address, Commitment, Digest, Provider, Timestamp, encoding, merkle};
use serde::{Deserialize, Serialize};

/// Where a Merkle root stands on a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The `Anchors` contract.
    pub contract: Address,
    /// The root that was anchored.
    pub root: Digest,
    /// Hash of the anchoring transaction.
    pub transaction: BlockHash,
    /// Number of the block that holds it.
    pub block_number: u64,
    /// Hash of that block.
    pub block_hash: BlockHash,
    /// The block's timestamp.
    pub time: Timestamp,
}

/// A Keccak-256 hash of a block or transaction; text form `0x` and 64 hexadecimal digits, as Ethereum tools print it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockHash(pub [u8; 32]);

impl std::fmt::Display for BlockHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0x{}", encoding::hex(&self.0))
    }
}

impl std::fmt::Debug for BlockHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for BlockHash {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlockHash {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        encoding::deserialize_hex(d).map(Self)
    }
}

/// Travels beside a copy, with its salt; never inside the signed bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Format version, 1.
    pub version: u8,
    /// The commitment's place in its batch.
    pub proof: merkle::Proof,
    /// Where the batch's root stands.
    pub anchor: Anchor,
}

impl Receipt {
    /// Whether `commitment` leads to the anchored root. Says nothing about whether that root is on the chain: ask the ledger, or roots that
    /// were cached from it.
    pub fn verify(&self, provider: &dyn Provider, commitment: &Commitment) -> Result<(), merkle::ProofError> {
        self.proof.verify(provider, commitment, &self.anchor.root)
    }
}
