//! The anchors that are known: read from the ledger just now, or cached from it earlier.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use vidimus_core::{Address, Digest, Timestamp, receipt::Anchor};

/// One anchored root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// Where it stands.
    pub anchor: Anchor,
    /// Number of commitments under it.
    pub size: u64,
}

/// Roots of one `Anchors` contract, complete up to a block.
///
/// With the ledger at hand, ask it for the one root that the receipt names ([`Input::anchor`](super::Input::anchor)) and pass
/// [`Roots::answer`]; offline, pass the cached list. An anchor never goes away, so a root in an old list is as good as one in a new list; only
/// a root that is *not* in an old list says nothing.
#[derive(Debug, Clone)]
pub struct Roots {
    chain_id: u64,
    contract: Address,
    from_block: u64,
    block_number: u64,
    read_at: Timestamp,
    roots: HashMap<Digest, Root>,
}

impl Roots {
    /// The list of a contract, complete up to `block_number`, as read from the ledger at `read_at`. Roots of other contracts are left out.
    pub fn new(
        chain_id: u64,
        contract: Address,
        block_number: u64,
        read_at: Timestamp,
        roots: impl IntoIterator<Item = Root>,
    ) -> Self {
        let of_this = |root: &Root| root.anchor.chain_id == chain_id && root.anchor.contract == contract;
        let roots = roots
            .into_iter()
            .filter(of_this)
            .map(|root| (root.anchor.root, root))
            .collect();
        Self {
            chain_id,
            contract,
            from_block: 0,
            block_number,
            read_at,
            roots,
        }
    }

    /// The list holds roots only from this block on: of older ones it says nothing.
    #[must_use]
    pub fn since(mut self, from_block: u64) -> Self {
        self.from_block = from_block;
        self
    }

    /// The first block whose roots the list holds.
    pub fn from_block(&self) -> u64 {
        self.from_block
    }

    /// What the ledger answered just now when it was asked for one root; `None`: it has no such anchor up to `block_number`.
    pub fn answer(
        chain_id: u64,
        contract: Address,
        block_number: u64,
        read_at: Timestamp,
        found: Option<Root>,
    ) -> Self {
        Self::new(chain_id, contract, block_number, read_at, found)
    }

    /// Takes in roots of later blocks, up to `block_number`.
    pub fn extend(&mut self, block_number: u64, read_at: Timestamp, roots: impl IntoIterator<Item = Root>) {
        let (chain_id, contract) = (self.chain_id, self.contract);
        let of_this = |root: &Root| root.anchor.chain_id == chain_id && root.anchor.contract == contract;
        self.roots
            .extend(roots.into_iter().filter(of_this).map(|root| (root.anchor.root, root)));
        self.block_number = self.block_number.max(block_number);
        self.read_at = self.read_at.max(read_at);
    }

    /// EIP-155 id of the chain.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }
    /// The `Anchors` contract.
    pub fn contract(&self) -> Address {
        self.contract
    }
    /// The last block that was read.
    pub fn block_number(&self) -> u64 {
        self.block_number
    }
    /// When the ledger was asked.
    pub fn read_at(&self) -> Timestamp {
        self.read_at
    }
    /// A root, if it is known.
    pub fn find(&self, root: &Digest) -> Option<&Root> {
        self.roots.get(root)
    }
    /// All roots, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Root> {
        self.roots.values()
    }
}
