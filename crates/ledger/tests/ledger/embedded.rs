//! The embedded ledger by itself.

use crate::support::open;
use std::sync::Arc;
use vidimus_ledger::conformance::{self, Chain};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(open(&folder.path().join("ledger")));
    conformance::all(&Chain::new(ledger.clone(), ledger.genesis().chain_id)).await;
    let audit = ledger.audit().unwrap();
    assert!(audit.transactions > 100, "{audit:?}");
}
