//! The Merkle Patricia tries: state roots after a block, reads at past blocks, proofs.

use super::state::Overlay;
use super::store::{Account, View, damaged};
use crate::error::{LedgerError, Result};
use crate::eth::{Address, B256, Bytes, U256, keccak256};
use alloy::consensus::TrieAccount;
use alloy::consensus::constants::EMPTY_ROOT_HASH;
use alloy::rlp::{Decodable, Encodable};
use eth_trie::{DB, EthTrie, Trie, TrieError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The nodes that the file holds, and those made since.
///
/// Nodes are never removed: they are named by their hash, shared between blocks and accounts, and the roots of past blocks
/// lead to them.
pub(super) struct Nodes {
    view: Arc<View>,
    fresh: Mutex<BTreeMap<B256, Vec<u8>>>,
}

impl Nodes {
    pub(super) fn new(view: Arc<View>) -> Self {
        Self {
            view,
            fresh: Mutex::new(BTreeMap::new()),
        }
    }
    fn fresh(&self) -> MutexGuard<'_, BTreeMap<B256, Vec<u8>>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// What was made since, in key order.
    pub(super) fn take_fresh(&self) -> BTreeMap<B256, Vec<u8>> {
        std::mem::take(&mut *self.fresh())
    }
}

impl DB for Nodes {
    type Error = LedgerError;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let hash = B256::try_from(key).map_err(|_| damaged("a trie names a node that is no hash"))?;
        if let Some(node) = self.fresh().get(&hash) {
            return Ok(Some(node.clone()));
        }
        self.view.node(hash)
    }
    fn insert(&self, key: &[u8], value: Vec<u8>) -> Result<()> {
        self.fresh().insert(B256::from_slice(key), value);
        Ok(())
    }
    fn insert_batch(&self, keys: Vec<Vec<u8>>, values: Vec<Vec<u8>>) -> Result<()> {
        self.fresh()
            .extend(keys.iter().map(|key| B256::from_slice(key)).zip(values));
        Ok(())
    }
    fn remove(&self, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn remove_batch(&self, _: &[Vec<u8>]) -> Result<()> {
        Ok(())
    }
    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

fn broken(error: TrieError) -> LedgerError {
    damaged(error.to_string())
}

fn trie(nodes: &Arc<Nodes>, root: B256) -> Result<EthTrie<Nodes>> {
    if root == EMPTY_ROOT_HASH {
        Ok(EthTrie::new(Arc::clone(nodes)))
    } else {
        EthTrie::from(Arc::clone(nodes), root).map_err(broken)
    }
}

/// An account in the trie under `root`.
pub(super) fn account(nodes: &Arc<Nodes>, root: B256, address: Address) -> Result<Option<Account>> {
    let found = trie(nodes, root)?.get(keccak256(address).as_slice()).map_err(broken)?;
    let Some(rlp) = found else { return Ok(None) };
    let account =
        TrieAccount::decode(&mut rlp.as_slice()).map_err(|_| damaged("an account in the trie does not decode"))?;
    Ok(Some(Account {
        nonce: account.nonce,
        balance: account.balance,
        code_hash: account.code_hash,
        storage_root: account.storage_root,
    }))
}

/// A slot in the storage trie under `root`.
pub(super) fn slot(nodes: &Arc<Nodes>, root: B256, slot: U256) -> Result<U256> {
    let found = trie(nodes, root)?
        .get(keccak256(slot.to_be_bytes::<32>()).as_slice())
        .map_err(broken)?;
    let Some(rlp) = found else { return Ok(U256::ZERO) };
    U256::decode(&mut rlp.as_slice()).map_err(|_| damaged("a slot in the trie does not decode"))
}

/// The nodes from `root` to `key`, whether it is there or not; none where the trie is empty.
pub(super) fn proof(nodes: &Arc<Nodes>, root: B256, key: &[u8]) -> Result<Vec<Bytes>> {
    let path = trie(nodes, root)?
        .get_proof(keccak256(key).as_slice())
        .map_err(broken)?;
    Ok(path.into_iter().map(Bytes::from).collect())
}

/// One account after a block: its row, or `None` where it is gone.
pub(super) type Row = (Address, Option<Account>);

/// Applies the changes of `overlay` to the tries under `root`. Returns the new root and the rows of accounts that changed.
pub(super) fn apply(nodes: &Arc<Nodes>, root: B256, overlay: &Overlay) -> Result<(B256, Vec<Row>)> {
    let mut accounts = trie(nodes, root)?;
    let mut rows = Vec::new();
    for (address, info) in &overlay.accounts {
        let before = overlay.state.view().account(*address)?;
        let after = match info {
            None => None,
            Some(info) => {
                let mut storage_root = match before {
                    Some(before) if !overlay.wiped.contains(address) => before.storage_root,
                    _ => EMPTY_ROOT_HASH,
                };
                let slots = overlay.slots.get(address);
                if let Some(slots) = slots.filter(|slots| !slots.is_empty()) {
                    let mut storage = trie(nodes, storage_root)?;
                    for (slot, value) in slots {
                        let key = keccak256(slot.to_be_bytes::<32>());
                        if value.is_zero() {
                            storage.remove(key.as_slice()).map_err(broken)?;
                        } else {
                            let mut rlp = Vec::with_capacity(33);
                            value.encode(&mut rlp);
                            storage.insert(key.as_slice(), &rlp).map_err(broken)?;
                        }
                    }
                    storage_root = storage.root_hash().map_err(broken)?;
                }
                Some(Account {
                    nonce: info.nonce,
                    balance: info.balance,
                    code_hash: info.code_hash,
                    storage_root,
                })
            }
        };
        if after == before {
            continue;
        }
        let key = keccak256(address);
        match after {
            None => {
                accounts.remove(key.as_slice()).map_err(broken)?;
            }
            Some(account) => {
                accounts.insert(key.as_slice(), &encode(&account)).map_err(broken)?;
            }
        }
        rows.push((*address, after));
    }
    Ok((accounts.root_hash().map_err(broken)?, rows))
}

fn encode(account: &Account) -> Vec<u8> {
    let mut rlp = Vec::with_capacity(110);
    TrieAccount {
        nonce: account.nonce,
        balance: account.balance,
        storage_root: account.storage_root,
        code_hash: account.code_hash,
    }
    .encode(&mut rlp);
    rlp
}
