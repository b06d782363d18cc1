//! The state of accounts as the virtual machine reads it, and the changes that blocks and calls make on top.

use super::store::{Account, View};
use super::trie::{self, Nodes};
use crate::error::{LedgerError, Result};
use crate::eth::{Address, B256, Bytes, U256};
use alloy::primitives::KECCAK256_EMPTY;
use revm::context::DBErrorMarker;
use revm::primitives::{AddressMap, StorageKey, StorageValue};
use revm::state::{Account as Touched, AccountInfo, Bytecode};
use revm::{Database, DatabaseCommit};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

impl DBErrorMarker for LedgerError {}

/// The state after some block.
#[derive(Clone)]
pub(super) struct State {
    view: Arc<View>,
    /// `None`: the newest block of the view, from the flat tables. Otherwise that block's root, through its trie.
    root: Option<B256>,
    codes: Codes,
}

impl State {
    pub(super) fn newest(view: Arc<View>, codes: Codes) -> Self {
        Self {
            view,
            root: None,
            codes,
        }
    }
    pub(super) fn past(view: Arc<View>, root: B256, codes: Codes) -> Self {
        Self {
            view,
            root: Some(root),
            codes,
        }
    }
    pub(super) fn view(&self) -> &Arc<View> {
        &self.view
    }
    pub(super) fn account(&self, address: Address) -> Result<Option<Account>> {
        match self.root {
            None => self.view.account(address),
            Some(root) => trie::account(&Arc::new(Nodes::new(Arc::clone(&self.view))), root, address),
        }
    }
    pub(super) fn slot(&self, address: Address, slot: U256) -> Result<U256> {
        match self.root {
            None => self.view.slot(address, slot),
            Some(_) => {
                let Some(account) = self.account(address)? else {
                    return Ok(U256::ZERO);
                };
                trie::slot(
                    &Arc::new(Nodes::new(Arc::clone(&self.view))),
                    account.storage_root,
                    slot,
                )
            }
        }
    }
    pub(super) fn code_of(&self, address: Address) -> Result<Bytes> {
        match self.account(address)? {
            Some(account) => self.view.code(account.code_hash),
            None => Ok(Bytes::new()),
        }
    }
}

/// Code that was analysed lately, by hash. Jump tables are made once for a contract, not once for a call.
#[derive(Clone, Default)]
pub(super) struct Codes(Arc<Mutex<HashMap<B256, Bytecode>>>);

impl Codes {
    const MOST: usize = 512;

    fn of(&self, view: &View, hash: B256) -> Result<Bytecode> {
        if hash == KECCAK256_EMPTY {
            return Ok(Bytecode::default());
        }
        if let Some(code) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&hash) {
            return Ok(code.clone());
        }
        let code = Bytecode::new_raw(view.code(hash)?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(hash, code.clone());
        Ok(code)
    }
}

/// Changes on top of a [`State`]. Ordered maps, so that the file is written in key order.
pub(super) struct Overlay {
    pub(super) state: State,
    /// `None`: the account is gone.
    pub(super) accounts: BTreeMap<Address, Option<AccountInfo>>,
    pub(super) slots: BTreeMap<Address, BTreeMap<U256, U256>>,
    /// Accounts whose storage from before this overlay does not count any more.
    pub(super) wiped: BTreeSet<Address>,
    pub(super) codes: BTreeMap<B256, Bytecode>,
}

impl Overlay {
    pub(super) fn over(state: State) -> Self {
        Self {
            state,
            accounts: BTreeMap::new(),
            slots: BTreeMap::new(),
            wiped: BTreeSet::new(),
            codes: BTreeMap::new(),
        }
    }
}

impl Database for Overlay {
    type Error = LedgerError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>> {
        if let Some(changed) = self.accounts.get(&address) {
            return Ok(changed.clone());
        }
        Ok(self.state.account(address)?.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code: None,
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode> {
        match self.codes.get(&hash) {
            Some(code) => Ok(code.clone()),
            None => self.state.codes.of(&self.state.view, hash),
        }
    }

    fn storage(&mut self, address: Address, slot: StorageKey) -> Result<StorageValue> {
        if let Some(value) = self.slots.get(&address).and_then(|slots| slots.get(&slot)) {
            return Ok(*value);
        }
        if self.wiped.contains(&address) {
            Ok(U256::ZERO)
        } else {
            self.state.slot(address, slot)
        }
    }

    fn block_hash(&mut self, number: u64) -> Result<B256> {
        Ok(self.state.view.header(number)?.map_or(B256::ZERO, |sealed| sealed.hash))
    }
}

impl DatabaseCommit for Overlay {
    fn commit(&mut self, changes: AddressMap<Touched>) {
        for (address, account) in changes {
            if !account.is_touched() {
                continue;
            }
            // EIP-161: an account that was touched and is empty is no account.
            if account.is_selfdestructed() || account.is_empty() {
                self.accounts.insert(address, None);
                self.slots.remove(&address);
                self.wiped.insert(address);
                continue;
            }
            if account.is_created() {
                self.slots.remove(&address);
                self.wiped.insert(address);
            }
            let mut info = account.info;
            if let Some(code) = info.code.take()
                && info.code_hash != KECCAK256_EMPTY
            {
                self.codes.insert(info.code_hash, code);
            }
            self.accounts.insert(address, Some(info));
            let changed = account.storage.into_iter().filter(|(_, slot)| slot.is_changed());
            let slots = self.slots.entry(address).or_default();
            slots.extend(changed.map(|(key, slot)| (key, slot.present_value())));
        }
    }
}
