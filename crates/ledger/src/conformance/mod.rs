//! The suite that every backend of [`Ledger`](crate::Ledger) runs. Test support: it panics where a ledger does not conform.
//!
//! A backend under test is a [`Chain`]: the ledger and a few funded accounts. [`all`] runs every scenario on it, one after the other, on
//! a chain that may have been used before.
#![allow(
    clippy::unwrap_used,
    reason = "a scenario that cannot go on has found a ledger that does not conform"
)]

mod contracts;
mod refusals;
mod transfers;

use crate::eth::{self, BlockId, BlockNumberOrTag};
use crate::transaction::{Fields, Signed, sender_of};
use crate::{Blame, Ledger, LedgerError, Mined, await_mined, convert};
use std::sync::Arc;
use std::time::Duration;
use vidimus_core::Address;

/// How long a scenario waits for one transaction.
const PATIENCE: Duration = Duration::from_secs(30);

/// An account with its secret; for tests only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Account {
    secret: [u8; 32],
    /// Its address.
    pub address: Address,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({})", self.address)
    }
}

impl Account {
    /// The account whose secret is `number` as a big-endian integer.
    pub fn numbered(number: u64) -> Self {
        let mut secret = [0; 32];
        secret[24..].copy_from_slice(&number.to_be_bytes());
        Self {
            secret,
            address: sender_of(&secret).unwrap(),
        }
    }

    /// The secret, to sign what the suite does not.
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Its address as alloy writes it.
    pub fn eth(&self) -> eth::Address {
        convert::to_address(self.address)
    }
}

/// A ledger under test.
#[derive(Clone)]
pub struct Chain {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// Its chain id.
    pub chain_id: u64,
    /// Admits and suspends. Funded.
    pub authority: Account,
    /// Three other funded accounts.
    pub funded: [Account; 3],
    /// An account that holds nothing.
    pub poor: Account,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

impl Chain {
    /// The accounts that [`Chain::new`] expects to be funded, with at least [`Chain::FUNDS`].
    pub fn accounts() -> [Account; 4] {
        [0xa11ce, 0xb0b, 0xca401, 0xda7e].map(Account::numbered)
    }

    /// Wei that each funded account needs: 1000 ether.
    pub const FUNDS: u128 = 1_000_000_000_000_000_000_000;

    /// `ledger` with the usual accounts.
    pub fn new(ledger: Arc<dyn Ledger>, chain_id: u64) -> Self {
        let [authority, a, b, c] = Self::accounts();
        Self {
            ledger,
            chain_id,
            authority,
            funded: [a, b, c],
            poor: Account::numbered(0xdead_beef),
        }
    }

    /// Fields of a transaction that offers what the ledger asks for.
    pub async fn fields(&self, nonce: u64, to: Option<Address>, value: u128, data: Vec<u8>) -> Fields {
        let fees = self.ledger.fees().await.unwrap();
        Fields {
            chain_id: self.chain_id,
            nonce,
            gas_limit: 3_000_000,
            max_fee: fees.max_fee,
            priority_fee: fees.priority_fee,
            to,
            value,
            data,
        }
    }

    /// The account's next nonce.
    pub async fn nonce(&self, account: &Account) -> u64 {
        self.ledger.nonce(account.eth(), BlockId::pending()).await.unwrap()
    }

    /// Signs a call from `account` with its next nonce.
    pub async fn signed(&self, account: &Account, to: Option<Address>, value: u128, data: Vec<u8>) -> Signed {
        let fields = self.fields(self.nonce(account).await, to, value, data).await;
        fields.prepare().sign_with_secret(&account.secret).unwrap()
    }

    /// Submits and waits until it is mined.
    pub async fn mine(&self, signed: &Signed) -> Mined {
        let hash = self.ledger.submit(&signed.raw).await.unwrap();
        assert_eq!(
            convert::from_hash(hash),
            signed.hash,
            "the ledger names the transaction's own hash"
        );
        await_mined(&*self.ledger, signed.hash, PATIENCE).await.unwrap()
    }

    /// Sends a call from `account` and expects it to succeed.
    pub async fn send(&self, account: &Account, to: Address, data: Vec<u8>) -> Mined {
        let mined = self.mine(&self.signed(account, Some(to), 0, data).await).await;
        assert!(mined.success, "{:?} reverted", mined.transaction);
        mined
    }

    /// Sends a call from `account` and expects it to be mined and to fail.
    pub async fn send_reverting(&self, account: &Account, to: Address, data: Vec<u8>) -> Mined {
        let mined = self.mine(&self.signed(account, Some(to), 0, data).await).await;
        assert!(!mined.success, "{:?} did not revert", mined.transaction);
        assert!(mined.logs.is_empty(), "what is reverted logs nothing");
        mined
    }
}

/// A block by its number.
fn at(number: u64) -> BlockId {
    BlockId::Number(BlockNumberOrTag::Number(number))
}

/// Asserts that `result` blames the caller and says `text`.
fn refused<T: std::fmt::Debug>(result: Result<T, LedgerError>, text: &str) {
    let error = result.expect_err(text);
    assert_eq!(error.blame(), Blame::Caller, "{error}");
    let said = error.to_string().to_ascii_lowercase();
    assert!(said.contains(text), "expected {text:?}, the ledger says {said:?}");
}

/// Every scenario.
pub async fn all(chain: &Chain) {
    transfers::chain_and_blocks(chain).await;
    transfers::value_moves_and_fees_are_paid(chain).await;
    transfers::history_is_read_by_number_and_hash(chain).await;
    transfers::resubmission_is_idempotent(chain).await;
    transfers::many_transactions_from_several_senders(chain).await;
    transfers::a_gap_waits_until_it_closes(chain).await;
    contracts::a_deployment_is_where_and_what_it_should_be(chain).await;
    contracts::the_authority_approves_and_suspends(chain).await;
    contracts::a_verifier_is_admitted(chain).await;
    contracts::a_root_is_anchored_once(chain).await;
    contracts::an_identity_changes_and_is_read_back(chain).await;
    contracts::logs_are_found_by_address_topic_and_range(chain).await;
    contracts::calls_and_estimates_say_what_a_transaction_would_do(chain).await;
    contracts::proofs_lead_to_the_state_root(chain).await;
    refusals::what_is_wrong_is_refused(chain).await;
    refusals::what_is_not_there_is_none(chain).await;
}
