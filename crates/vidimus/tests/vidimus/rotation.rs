//! Rotations on their way to the ledger: not taken yet, taken twice, and of the authority's account long after it was set up.

use crate::{
    harness::{Later, TestApp, laboratory, result},
    holder::Holder,
    node::{Mood, Node},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use vidimus::{app::chain, jobs};
use vidimus_core::{Address, Provider as _, encoding::from_base64};

async fn profile(app: &TestApp, of: &str) -> Value {
    app.get("/v1/profile", Some(of)).await.expect(StatusCode::OK)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_with_keys_whose_rotation_the_ledger_has_not_taken_yet() {
    let node = Node::start().await;
    let app = node.deployment(Arc::new(Later::default())).await;
    let authority = app.set_up().await;
    let keys = app.admit(&authority, &laboratory("Its keys change")).await;
    let account = app.admit(&authority, &laboratory("Its account changes")).await;
    app.until("all that was announced is on the ledger", async || {
        let settled = app
            .app
            .store
            .read(|tx| vidimus_store::transactions::open(tx, 0x56_494d, 10));
        settled.await.unwrap().is_empty()
    })
    .await;
    app.end_jobs().await;
    chain::catch_up(&app.app).await.unwrap();

    node.now(Mood::TakesNoTransactions);
    for (who, what) in [(&keys, "keys"), (&account, "account")] {
        let path = format!("/v1/participants/{}/{what}", who.id);
        app.post(&path, Some(&authority), &json!({}))
            .await
            .expect(StatusCode::OK);
    }
    let paper = result("P8400001");
    let mut digital = result("P8400002");
    digital["formats"] = json!(["vc-jwt-1.1"]);
    digital["algorithm"] = json!("ES256K");
    digital["card"] = json!(Holder::new().card);
    let cases = [
        (&keys, &paper, "key-rotation"),
        (&account, &digital, "account-rotation"),
    ];
    for (who, body, problem) in cases {
        let refused = app.post("/v1/results", Some(&who.key), body).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (StatusCode::CONFLICT, problem)
        );
    }

    node.now(Mood::Answers);
    let stop = CancellationToken::new();
    let jobs = jobs::start(app.app.clone(), stop.clone());
    for (who, body, problem) in cases {
        app.until("the ledger has it", async || {
            let answer = app.post("/v1/results", Some(&who.key), body).await;
            assert!(
                answer.status == StatusCode::CREATED || answer.problem() == problem,
                "{}",
                answer.text()
            );
            answer.status == StatusCode::CREATED
        })
        .await;
    }
    stop.cancel();
    jobs.join().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_keys_that_were_asked_for_twice_those_count_that_the_ledger_names() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let holder = Holder::new();
    let mut admission = laboratory("Laboratory");
    admission["card"] = json!(holder.card);
    let laboratory = app.admit(&authority, &admission).await;
    // The answer to the first was lost: the same card again, which gets another certificate.
    app.end_jobs().await;
    let path = format!("/v1/participants/{}/keys", laboratory.id);
    let card = json!({"card": holder.card_of_other_keys()});
    for _ in 0..2 {
        app.post(&path, Some(&authority), &card).await.expect(StatusCode::OK);
    }
    let stop = CancellationToken::new();
    let jobs = jobs::start(app.app.clone(), stop.clone());
    let account: Address = profile(&app, &laboratory.key).await["account"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let is_settled = async || {
        let open = app
            .app
            .store
            .read(|tx| vidimus_store::transactions::open(tx, 0x56_494d, 10));
        open.await.unwrap().is_empty()
    };
    app.until("the ledger has answered both", is_settled).await;
    chain::catch_up(&app.app).await.unwrap();
    let registries = app.app.registries();
    let entry = registries.issuers.participant(&account).unwrap();
    let named = entry.keys().last().unwrap().keys.certificate.unwrap();

    let shown = profile(&app, &laboratory.key).await;
    let keys = shown["keys"].as_array().unwrap().iter();
    let active: Vec<_> = keys
        .filter(|key| key["purpose"] == "signing" && key["state"] == "active")
        .map(|key| from_base64(key["certificate"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(active.len(), 1);
    assert_eq!(app.app.provider.sha256(&[&active[0]]), named);
    stop.cancel();
    jobs.join().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_rotates_its_account_when_the_hand_over_is_long_done() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    app.until("the job knows that there is nothing to hand over", async || {
        app.app.wake.authority.notify_one();
        app.app.handed_over()
    })
    .await;
    let id = profile(&app, &authority).await["id"].as_str().unwrap().parse().unwrap();
    let (_, before) = chain::accounts::acting(&app.app, id).await.unwrap();
    let path = format!("/v1/participants/{id}/account");
    app.post(&path, Some(&authority), &json!({}))
        .await
        .expect(StatusCode::OK);
    app.until("the contracts are handed over to the new account", async || {
        chain::accounts::acting(&app.app, id).await.unwrap().1 != before
    })
    .await;
    app.admit(&authority, &laboratory("Laboratory")).await;
}
