use super::state::Overlay;
use crate::eth::{Address, Bytes, U256, keccak256};
use alloy::consensus::Header;
use alloy::consensus::constants::{EMPTY_OMMER_ROOT_HASH, EMPTY_WITHDRAWALS};
use revm::state::{AccountInfo, Bytecode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The chain id of an embedded ledger unless configured otherwise: "VIM" in ASCII.
pub const DEFAULT_CHAIN_ID: u64 = 0x56_49_4d;

/// The rules of the virtual machine. London is the pinned default: the oldest network that Vidimus supports runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fork {
    /// August 2021: EIP-1559.
    #[default]
    London,
    /// September 2022: PREVRANDAO in place of DIFFICULTY. It reads zero here: an embedded ledger has no beacon.
    Paris,
    /// April 2023: PUSH0, warm coinbase, limits on creation code; withdrawals, of which there are none here.
    Shanghai,
}

/// How the base fee of a block comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaseFee {
    /// The same in every block; 0 makes gas free. (Besu's `zeroBaseFee`, for any constant.) The header carries it, and the
    /// EIP-1559 formula for its change is switched off.
    Constant(u64),
    /// EIP-1559's formula, from this value in the genesis block.
    Eip1559(u64),
}

/// What the genesis block holds for one account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// Wei.
    #[serde(default)]
    pub balance: U256,
    /// Code, for a contract that is there from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Bytes>,
    /// Storage of that contract.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub storage: BTreeMap<U256, U256>,
}

/// What fixes a chain for good. A file opens only with the genesis it was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Genesis {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The virtual machine's rules.
    pub fork: Fork,
    /// The base fee.
    pub base_fee: BaseFee,
    /// Gas limit of every block, the genesis block included.
    pub gas_limit: u64,
    /// Timestamp of the genesis block, Unix seconds.
    pub timestamp: u64,
    /// Who gets the tips.
    pub coinbase: Address,
    /// Accounts that exist from the start.
    pub alloc: BTreeMap<Address, Allocation>,
}

impl Default for Genesis {
    /// Chain 0x56494d, London, free gas, 30 million gas a block, no accounts.
    fn default() -> Self {
        Self {
            chain_id: DEFAULT_CHAIN_ID,
            fork: Fork::default(),
            base_fee: BaseFee::Constant(0),
            gas_limit: 30_000_000,
            timestamp: 0,
            coinbase: Address::ZERO,
            alloc: BTreeMap::new(),
        }
    }
}

impl Genesis {
    /// Gives an account wei from the start.
    pub fn funded(mut self, account: Address, balance: U256) -> Self {
        self.alloc.entry(account).or_default().balance = balance;
        self
    }
}

impl Genesis {
    /// The genesis block's header, without its roots.
    pub(super) fn header(&self) -> Header {
        let (BaseFee::Constant(base_fee) | BaseFee::Eip1559(base_fee)) = self.base_fee;
        Header {
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: self.coinbase,
            gas_limit: self.gas_limit,
            timestamp: self.timestamp,
            base_fee_per_gas: Some(base_fee),
            withdrawals_root: (self.fork == Fork::Shanghai).then_some(EMPTY_WITHDRAWALS),
            ..Default::default()
        }
    }

    /// Puts the first accounts into an empty state.
    pub(super) fn allocate(&self, overlay: &mut Overlay) {
        for (address, allocation) in &self.alloc {
            if allocation.balance.is_zero() && allocation.code.as_ref().is_none_or(|code| code.is_empty()) {
                // EIP-161: an empty account is no account.
                continue;
            }
            let mut info = AccountInfo {
                balance: allocation.balance,
                code: None,
                ..Default::default()
            };
            if let Some(code) = allocation.code.as_ref().filter(|code| !code.is_empty()) {
                info.code_hash = keccak256(code);
                // A contract's nonce starts at 1 (EIP-161).
                info.nonce = 1;
                overlay.codes.insert(info.code_hash, Bytecode::new_raw(code.clone()));
            }
            let slots = allocation.storage.iter().filter(|(_, value)| !value.is_zero());
            overlay
                .slots
                .insert(*address, slots.map(|(slot, value)| (*slot, *value)).collect());
            overlay.accounts.insert(*address, Some(info));
        }
    }
}
