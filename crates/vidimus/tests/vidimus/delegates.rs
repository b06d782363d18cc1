//! Under which number a signing key stands in its issuer's DID document, whatever the issuer and the node do.

use crate::{
    harness::{Later, Participant, TestApp, configuration, initialise, laboratory, result},
    holder::Holder,
    node::{Mood, Node},
    participants::acts,
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;
use vidimus::{
    app::{
        App,
        chain::{self, Delegates},
        copies::SEAL_INFO,
    },
    clock::SystemClock,
};
use vidimus_core::{Address, encoding::from_base64url, id::KeyId};
use vidimus_crypto::envelope;
use vidimus_identity::ethr::AttributeName;
use vidimus_ledger::contracts::dids::Change;
use vidimus_store::{Scope, chain as derived, delegates, keys, participants, transactions};

/// A laboratory whose keys are kept here: its account, and its newest signing key.
struct Signing {
    account: Address,
    key: keys::Key,
}

async fn signing(app: &App, of: &Participant) -> Signing {
    let id = of.id.parse().unwrap();
    let (row, keys) = app
        .store
        .read(move |tx| {
            let row = participants::find(tx, id)?.unwrap();
            Ok::<_, vidimus_store::Error>((row, keys::list(tx, &Scope::system(), Some(id))?))
        })
        .await
        .unwrap();
    let signing = keys.into_iter().filter(|key| key.purpose == "signing");
    Signing {
        account: row.account,
        key: signing.max_by_key(|key| key.version).unwrap(),
    }
}

impl Signing {
    /// The laboratory's own transactions, which this server knows nothing of.
    async fn changes(&self, app: &TestApp, change: Change) {
        let data = change.calldata(self.account);
        assert!(acts(app, self.account, app.app.contracts.dids, data).await);
    }

    fn announcement(&self) -> Change {
        Change::SetAttribute {
            name: AttributeName::p256_issuer_key().encode().unwrap(),
            value: self.key.public.clone(),
            validity: 86_400,
        }
    }

    fn withdrawal(&self) -> Change {
        Change::RevokeAttribute {
            name: AttributeName::p256_issuer_key().encode().unwrap(),
            value: self.key.public.clone(),
        }
    }
}

/// What is no key of a certificate's.
fn something_else() -> Change {
    Change::SetAttribute {
        name: AttributeName::p256_issuer_key().encode().unwrap(),
        value: vec![7],
        validity: 86_400,
    }
}

async fn kept(app: &App) -> Vec<(KeyId, u64)> {
    let chain = app.facts.chain;
    let rows = app.store.read(move |tx| delegates::list(tx, chain)).await.unwrap();
    rows.into_iter().map(|row| (row.key, row.number)).collect()
}

async fn is_settled(app: &App) -> bool {
    let chain = app.facts.chain;
    let open = app.store.read(move |tx| transactions::open(tx, chain, 10)).await;
    open.unwrap().is_empty()
}

/// The `kid` of a certificate that is signed with the laboratory's P-256 key.
async fn kid(app: &TestApp, laboratory: &Participant, passport: &str) -> String {
    let holder = Holder::new();
    let mut body = result(passport);
    body["formats"] = json!(["vc-jwt-1.1"]);
    body["algorithm"] = json!("ES256");
    body["card"] = json!(holder.card);
    let made = app.post("/v1/results", Some(&laboratory.key), &body).await;
    let made = made.expect(StatusCode::CREATED);
    let content = made["copies"][0]["content_id"].as_str().unwrap();
    let sealed = app.get(&format!("/ipfs/{content}?format=raw"), None).await.body;
    let opened = envelope::open(&holder.sealing, SEAL_INFO, &[], &sealed).unwrap();
    let opened: Value = serde_json::from_slice(opened.expose()).unwrap();
    let header = opened["copy"].as_str().unwrap().split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&from_base64url(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_announced_again_gets_its_new_number_and_keeps_it_over_a_restart() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "");
    initialise(&config).await;
    let app = TestApp::opened(TempDir::new().unwrap(), config.clone(), Arc::new(SystemClock)).await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let signing = signing(&app.app, &laboratory).await;
    let id = signing.key.id;
    assert!(kid(&app, &laboratory, "P8500001").await.ends_with("#delegate-1"));
    app.until("its number is read", async || kept(&app.app).await == [(id, 1)])
        .await;

    signing.changes(&app, signing.announcement()).await;
    app.until("the new number is read", async || {
        app.app.wake.delegates.notify_one();
        kept(&app.app).await == [(id, 2)]
    })
    .await;
    app.until("it is known", async || app.app.delegates().number(id) == Some(2))
        .await;
    assert!(kid(&app, &laboratory, "P8500002").await.ends_with("#delegate-2"));

    // By what it sent itself the server would say 1.
    app.end_jobs().await;
    app.app.close().await;
    drop(app);
    let app = App::open(Arc::new(config), Arc::new(SystemClock)).await.unwrap();
    assert_eq!(app.delegates().number(id), Some(2));
    assert!(!app.delegates().is_looking());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_limits_questions_about_one_laboratory_keeps_no_other_from_its_number() {
    let node = Node::start().await;
    let app = node.deployment(Arc::new(Later::default())).await;
    let authority = app.set_up().await;
    node.now(Mood::LimitsHistories(None));
    let mut both = Vec::new();
    for name in ["Alpha", "Beta"] {
        let admitted = app.admit(&authority, &laboratory(name)).await;
        both.push(signing(&app.app, &admitted).await);
    }
    app.until("all that was announced is on the ledger", async || {
        is_settled(&app.app).await
    })
    .await;
    app.end_jobs().await;
    let app = &*app.app;
    chain::catch_up(app).await.unwrap();
    for _ in 0..3 {
        Delegates::look(app).await.unwrap();
    }
    assert!(kept(app).await.is_empty(), "the node refuses to say");
    let numbers = || {
        both.iter()
            .map(|of| app.delegates().number(of.key.id))
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(), [Some(1), Some(1)], "what was sent says it meanwhile");

    // Whoever comes first; then the other.
    for (limited, other) in [(0, 1), (1, 0)] {
        let chain_id = app.facts.chain;
        app.store
            .write(move |tx| derived::drop_derived(tx, chain_id))
            .await
            .unwrap();
        chain::catch_up(app).await.unwrap();
        assert!(kept(app).await.is_empty());
        node.now(Mood::LimitsHistories(Some(both[limited].account)));
        Delegates::look(app).await.unwrap();
        assert_eq!(kept(app).await, [(both[other].key.id, 1)]);
        assert!(app.delegates().is_looking());
        node.now(Mood::Answers);
        Delegates::look(app).await.unwrap();
        assert_eq!(kept(app).await.len(), 2, "a limit is not for ever");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_did_that_changes_all_the_time_is_left_alone_and_keeps_no_other_from_its_number() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "");
    initialise(&config).await;
    let app = TestApp::opened(TempDir::new().unwrap(), config.clone(), Arc::new(SystemClock)).await;
    let authority = app.set_up().await;
    let mut both = Vec::new();
    for name in ["Alpha", "Beta"] {
        let admitted = app.admit(&authority, &laboratory(name)).await;
        both.push(signing(&app.app, &admitted).await);
    }
    app.until("both numbers are read", async || kept(&app.app).await.len() == 2)
        .await;
    app.end_jobs().await;
    let [busy, calm] = &both[..] else { unreachable!("two") };

    // Not in its document any more, and changed before each look: looked for some times, and then no more.
    busy.changes(&app, busy.withdrawal()).await;
    let mut looks = 0;
    while looks < 2 || app.app.delegates().is_looking() {
        looks += 1;
        assert!(looks < 30, "it is looked for without end");
        chain::catch_up(&app.app).await.unwrap();
        Delegates::look(&app.app).await.unwrap();
        busy.changes(&app, something_else()).await;
    }
    assert!(looks > 10, "{looks}");
    assert_eq!(kept(&app.app).await, [(calm.key.id, 1)]);

    // After a restart, and with nothing known: its history is longer than what is read in a round.
    for _ in 0..200 {
        busy.changes(&app, something_else()).await;
    }
    let chain_id = app.app.facts.chain;
    app.app
        .store
        .write(move |tx| derived::drop_derived(tx, chain_id))
        .await
        .unwrap();
    app.app.close().await;
    drop(app);
    let app = App::open(Arc::new(config), Arc::new(SystemClock)).await.unwrap();
    assert!(app.delegates().is_looking());
    for _ in 0..3 {
        Delegates::look(&app).await.unwrap();
    }
    assert_eq!(kept(&app).await, [(calm.key.id, 1)]);
    assert!(!app.delegates().is_looking(), "it is given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_together_with_a_revocation_signs_under_its_number_before_it_is_read() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let old = signing(&app.app, &laboratory).await.key.id;
    app.until("its number is read", async || kept(&app.app).await == [(old, 1)])
        .await;
    app.end_jobs().await;
    for path in ["keys/1/revoke", "keys"] {
        let path = format!("/v1/participants/{}/{path}", laboratory.id);
        app.post(&path, Some(&authority), &json!({}))
            .await
            .expect(StatusCode::OK);
    }
    let new = signing(&app.app, &laboratory).await.key;
    assert_eq!(new.version, 2);
    app.until("the ledger has both", async || {
        chain::catch_up(&app.app).await.unwrap();
        signing(&app.app, &laboratory).await.key.state == keys::State::Active
    })
    .await;
    assert_eq!(kept(&app.app).await, [(old, 1)], "nobody has looked");
    let number = |id: KeyId| app.app.delegates().number(id);
    assert_eq!(number(new.id), Some(3), "2 is the revocation");
    assert!(kid(&app, &laboratory, "P8500003").await.ends_with("#delegate-3"));

    // And that is where the document has it.
    app.until("the announcement is final", async || {
        chain::catch_up(&app.app).await.unwrap();
        Delegates::look(&app.app).await.unwrap();
        kept(&app.app).await.contains(&(new.id, 3))
    })
    .await;

    // What does not sign any more is not looked at any more either.
    let path = format!("/v1/participants/{}/keys", laboratory.id);
    app.post(&path, Some(&authority), &json!({}))
        .await
        .expect(StatusCode::OK);
    let newest = signing(&app.app, &laboratory).await.key.id;
    app.until("the ledger has another key", async || {
        chain::catch_up(&app.app).await.unwrap();
        number(newest) == Some(4)
    })
    .await;
    assert_eq!(number(old), None);
}
