use crate::eth::{Address, Bytes, U256};
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
