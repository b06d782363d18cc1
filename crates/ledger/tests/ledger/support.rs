//! Clocks, chains in temporary files, and a server for JSON-RPC.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use vidimus_core::receipt::BlockHash;
use vidimus_core::time::Clock;
use vidimus_core::{Address, Digest, Timestamp};
use vidimus_ledger::conformance::{Account, Chain};
use vidimus_ledger::contracts::{Contract, address_created, anchors};
use vidimus_ledger::embedded::DEFAULT_CHAIN_ID;
use vidimus_ledger::eth::U256;
use vidimus_ledger::rpc::{self, Limits};
use vidimus_ledger::transaction::{Fields, Signed};
use vidimus_ledger::{Embedded, Genesis, Ledger};

/// Says that a test cannot run here, and why; with `CI=true` that is a failure. It is written to standard error itself, because the harness
/// drops what a passed test prints.
pub fn skip(why: &str) {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!ci, "{why} (with CI=true nothing is skipped)");
    let line = format!("\nSKIPPED: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// A clock that tests set.
#[derive(Debug)]
pub struct Hand(AtomicI64);

impl Hand {
    pub fn at(seconds: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(seconds)))
    }
    pub fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// When most tests take place.
pub const NOW: i64 = 1_790_000_000;

/// The suite's accounts, funded.
pub fn genesis() -> Genesis {
    Chain::accounts().iter().fold(Genesis::default(), |genesis, account| {
        genesis.funded(account.eth(), U256::from(Chain::FUNDS))
    })
}

pub fn open(path: &Path) -> Embedded {
    Embedded::open(path, genesis(), Hand::at(NOW)).unwrap()
}

/// A chain with one anchor: the ledger, the contract, and the hash of the transaction.
pub async fn with_an_anchor(path: &Path) -> (Arc<Embedded>, Address, BlockHash) {
    let ledger = Arc::new(open(path));
    let chain = Chain::new(ledger.clone(), DEFAULT_CHAIN_ID);
    let authority = Chain::accounts()[0];
    let contract = address_created(authority.address, 0);
    let code = Contract::Anchors.creation_code(authority.address);
    chain.mine(&chain.signed(&authority, None, 0, code).await).await;
    chain
        .send(&authority, contract, anchors::set_anchorer(authority.address, true))
        .await;
    let mined = chain
        .send(&authority, contract, anchors::anchor(Digest([7; 32]), 3))
        .await;
    (ledger, contract, mined.transaction)
}

/// Serves `ledger` on a free loopback port; returns its address.
pub async fn serve(ledger: Arc<dyn Ledger>, limits: Limits) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |body: axum::body::Bytes| {
        let ledger = Arc::clone(&ledger);
        async move {
            (
                [("content-type", "application/json")],
                rpc::handle(&*ledger, limits, &body).await,
            )
        }
    };
    let router = axum::Router::new().route("/", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// A small transfer without fees.
pub fn transfer(sender: &Account, nonce: u64) -> Signed {
    plain(sender, nonce)
        .prepare()
        .sign_with_secret(sender.secret())
        .unwrap()
}

/// Its fields.
pub fn plain(sender: &Account, nonce: u64) -> Fields {
    Fields {
        chain_id: DEFAULT_CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee: 0,
        priority_fee: 0,
        to: Some(sender.address),
        value: 1,
        data: Vec::new(),
    }
}
