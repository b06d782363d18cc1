//! Which nonces are used: whatever a node says, and whatever a restored backup forgot.

use crate::{
    harness::{Later, TestApp, configuration, initialise, laboratory, result},
    node::{Mood, Node},
};
use axum::http::StatusCode;
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;
use vidimus::{app::chain, clock::SystemClock, config::Database};
use vidimus_store::testing::rows;

async fn under_way(app: &TestApp) -> u64 {
    app.app.store.read(rows::transactions_under_way).await.unwrap()
}

async fn failed(app: &TestApp) -> u64 {
    app.app.store.read(rows::failed_transactions).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_a_node_makes_up_leaves_no_gap() {
    let node = Node::start().await;
    let app = node.deployment(Arc::new(Later::default())).await;
    let authority = app.set_up().await;
    app.until("the contracts are handed over", async || {
        chain::is_handed_over(&app.app).await.unwrap()
    })
    .await;
    let (operator, anchorer) = (app.app.facts.operator, app.app.facts.anchorer);
    let sent = chain::floor(&app.app, operator).await;
    // The contracts, the anchorer's permission, and three offers.
    assert_eq!(sent, 8);

    node.now(Mood::MakesUpNonces);
    assert_eq!(chain::floor(&app.app, operator).await, sent);
    app.admit(&authority, &laboratory("Laboratory")).await;

    // Where it says nothing, what is sure is that the operator's first transactions made the contracts.
    node.now(Mood::Refuses);
    assert_eq!(chain::floor(&app.app, operator).await, 5);
    assert_eq!(chain::floor(&app.app, anchorer).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_receipt_one_node_does_not_have_yet_is_not_given_up() {
    let node = Node::start().await;
    let app = node.deployment(Arc::new(Later::default())).await;
    let authority = app.set_up().await;
    app.until("the contracts are handed over", async || {
        chain::is_handed_over(&app.app).await.unwrap() && under_way(&app).await == 0
    })
    .await;
    node.now(Mood::HasNoReceipts);
    app.post("/v1/participants", Some(&authority), &laboratory("Laboratory"))
        .await
        .expect(StatusCode::CREATED);
    // Its nonces are used up by then: the ledger takes what it is sent at once.
    app.until("it is looked for, again and again", async || {
        node.hidden() >= 10 || failed(&app).await > 0
    })
    .await;
    assert_eq!(failed(&app).await, 0);
    assert_eq!(under_way(&app).await, 2);
    node.now(Mood::Answers);
    app.until("all is settled", async || under_way(&app).await == 0).await;
    assert_eq!(failed(&app).await, 0);
}

async fn receipt(app: &TestApp, commitment: &Value) -> Value {
    let path = format!("/v1/receipts/{}", commitment.as_str().unwrap());
    app.until("a receipt is there", async || {
        app.get(&path, None).await.status == StatusCode::OK
    })
    .await;
    app.get(&path, None).await.expect(StatusCode::OK)
}

async fn close(app: TestApp) {
    app.end_jobs().await;
    app.app.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restored_backup_forgot_is_found_on_the_ledger() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "");
    initialise(&config).await;
    let Database::Sqlite(database) = config.database.clone() else {
        panic!("SQLite is the default")
    };
    let backup = directory.path().join("backup.db");
    let open = async || {
        let elsewhere = TempDir::new().unwrap();
        TestApp::opened(elsewhere, config.clone(), Arc::new(SystemClock)).await
    };
    let app = open().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await.key;
    app.end_jobs().await;
    let report = async |app: &TestApp, passport: &str| {
        let made = app.post("/v1/results", Some(&laboratory), &result(passport)).await;
        made.expect(StatusCode::CREATED)["copies"][0]["commitment"].clone()
    };
    let first = report(&app, "P8300001").await;
    app.app.close().await;
    drop(app);
    std::fs::copy(&database, &backup).unwrap();

    let app = open().await;
    let before = receipt(&app, &first).await;
    close(app).await;
    for name in ["-wal", "-shm"] {
        let mut beside = database.clone().into_os_string();
        beside.push(name);
        let _ = std::fs::remove_file(beside);
    }
    std::fs::copy(&backup, &database).unwrap();

    // No row knows that it was anchored, or that the anchorer sent anything. The ledger does.
    let app = open().await;
    assert_eq!(receipt(&app, &first).await, before);
    let second = report(&app, "P8300002").await;
    let after = receipt(&app, &second).await;
    assert_ne!(after["anchor"]["transaction"], before["anchor"]["transaction"]);
    assert_eq!(app.app.store.read(rows::displaced_transactions).await.unwrap(), 0);
    close(app).await;
}
