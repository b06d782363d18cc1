//! The network backend, in front of an embedded ledger that is served over HTTP.

use crate::support::{open, serve};
use std::sync::Arc;
use std::time::Duration;
use vidimus_ledger::conformance::{self, Chain};
use vidimus_ledger::network::{Finality, Settings};
use vidimus_ledger::rpc::Limits;
use vidimus_ledger::{FatalError, LedgerError, Network, embedded::DEFAULT_CHAIN_ID};

pub fn settings(url: String) -> Settings {
    Settings {
        url,
        bearer: None,
        chain_id: DEFAULT_CHAIN_ID,
        finality: Finality::Latest,
        timeout: Duration::from_secs(10),
        priority_fee: 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_in_front_of_an_embedded_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(
        Arc::new(open(&folder.path().join("ledger"))),
        Limits {
            may_send: true,
            ..Limits::default()
        },
    )
    .await;
    let network = Network::connect(settings(url)).await.unwrap();
    conformance::all(&Chain::new(Arc::new(network), DEFAULT_CHAIN_ID)).await;
}

#[tokio::test]
async fn another_chain_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(Arc::new(open(&folder.path().join("ledger"))), Limits::default()).await;
    let error = Network::connect(Settings {
        chain_id: 1,
        ..settings(url)
    })
    .await
    .unwrap_err();
    assert!(matches!(
        error,
        LedgerError::Fatal(FatalError::WrongChain {
            expected: 1,
            found: DEFAULT_CHAIN_ID
        })
    ));
}
