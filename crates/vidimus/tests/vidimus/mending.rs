//! What an operator finds after a restored backup, a loss of power or a transaction that failed: it mends itself.

use crate::{
    harness::{Later, TestApp, configuration, initialise, laboratory, result},
    program::until_async,
};
use axum::http::StatusCode;
use serde_json::json;
use std::{str::FromStr, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use vidimus::{
    app::{
        App,
        chain::{self, Call, account_key},
    },
    jobs::{self, blobs},
};
use vidimus_core::{
    Address, Commitment, Digest, Signer as _,
    id::{BatchId, RequestId},
    merkle::Tree,
    receipt::BlockHash,
};
use vidimus_ledger::{
    contracts::{anchors, dids, registry, verifiers},
    transaction::Fields,
};
use vidimus_store::{batches, blobs::ContentId, copies, testing::rows, transactions};

async fn with_clock(clock: Arc<Later>) -> TestApp {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "");
    initialise(&config).await;
    TestApp::opened(directory, config, clock).await
}

async fn nonce_of(app: &TestApp, account: Address) -> u64 {
    let account = vidimus_ledger::convert::to_address(account);
    app.app.ledger.settled_nonce(account).await.unwrap()
}

/// A transaction of the anchorer that no row knows of: sent before the database was restored from a backup.
async fn sent_before(app: &TestApp, nonce: u64) {
    let account = app.app.facts.anchorer;
    let key = account_key(&app.app, account).await.unwrap();
    let fees = app.app.ledger.fees().await.unwrap();
    let fields = Fields {
        chain_id: app.app.facts.chain,
        nonce,
        // Another than ours: signatures are deterministic, and the same call would be the same transaction.
        gas_limit: 90_000,
        max_fee: fees.max_fee,
        priority_fee: fees.priority_fee,
        to: Some(account),
        value: 0,
        data: Vec::new(),
    };
    let signed = fields.prepare().sign(account, |hash| key.sign_digest(hash)).unwrap();
    app.app.ledger.submit(&signed.raw).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_nonce_was_used_before_a_backup_was_restored_is_given_up() {
    let clock = Arc::new(Later::default());
    let app = with_clock(clock.clone()).await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let anchorer = app.app.facts.anchorer;
    let next = nonce_of(&app, anchorer).await;
    sent_before(&app, next).await;
    let call = transactions::Call {
        id: RequestId::from_bytes([7; 16]),
        chain: app.app.facts.chain,
        account: anchorer,
        purpose: "of-a-test".into(),
        object: vec![1],
        to: Some(anchorer),
        data: Vec::new(),
        gas: 100_000,
    };
    let (id, now) = (call.id, app.app.now());
    let queued = app
        .app
        .store
        .write(move |tx| transactions::enqueue(tx, &call, next, now))
        .await;
    assert_eq!(queued.unwrap().nonce, next);
    let found = async || {
        app.app
            .store
            .read(move |tx| transactions::find(tx, id))
            .await
            .unwrap()
            .unwrap()
    };
    app.until("it is signed", async || found().await.raw.is_some()).await;
    clock.by(120);
    app.until("it is given up", async || {
        found().await.state == transactions::State::Failed
    })
    .await;
    assert_eq!(found().await.reason.as_deref(), Some("displaced"));
    // And what comes after it goes on.
    let mut body = result("P8000001");
    body["wait"] = json!(true);
    let made = app
        .post("/v1/results", Some(&laboratory.key), &body)
        .await
        .expect(StatusCode::CREATED);
    let path = format!("/v1/receipts/{}", made["copies"][0]["commitment"].as_str().unwrap());
    app.until("a receipt is there", async || {
        app.get(&path, None).await.status == StatusCode::OK
    })
    .await;
}

/// A batch of what waits, its anchor queued with this nonce and not signed yet.
async fn gathered(app: &TestApp, nonce: u64) -> Commitment {
    let (chain, anchorer, contract) = (app.app.facts.chain, app.app.facts.anchorer, app.app.contracts.anchors);
    let (provider, now) = (app.app.provider.clone(), app.app.now());
    let gather = move |tx: &mut vidimus_store::Tx<'_>| {
        let id = BatchId::from_bytes([6; 16]);
        let commitments = batches::gather(tx, id, chain, 100, now)?;
        let tree = Tree::build(&*provider, &commitments);
        batches::build(tx, id, &tree.root())?;
        let call = transactions::Call {
            id: RequestId::from_bytes([6; 16]),
            chain,
            account: anchorer,
            purpose: "anchor".into(),
            object: id.as_bytes().to_vec(),
            to: Some(contract),
            data: anchors::anchor(tree.root(), tree.size()),
            gas: chain::CALL_GAS,
        };
        let queued = transactions::enqueue(tx, &call, nonce, now)?;
        assert_eq!((commitments.len(), queued.nonce), (1, nonce));
        Ok::<_, vidimus_store::Error>(commitments[0])
    };
    app.app.store.write(gather).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_whose_nonce_was_used_before_a_backup_was_restored_is_sent_again() {
    let clock = Arc::new(Later::default());
    let app = with_clock(clock.clone()).await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    app.end_jobs().await;
    app.post("/v1/results", Some(&laboratory.key), &result("P8000002"))
        .await
        .expect(StatusCode::CREATED);
    let next = nonce_of(&app, app.app.facts.anchorer).await;
    let commitment = gathered(&app, next).await;
    sent_before(&app, next).await;
    let stop = CancellationToken::new();
    let jobs = jobs::start(app.app.clone(), stop.clone());
    let first = RequestId::from_bytes([6; 16]);
    app.until("it is signed, and then given up", async || {
        let found = app.app.store.read(move |tx| transactions::find(tx, first)).await;
        let found = found.unwrap().unwrap();
        // A minute after it changed last; counted from when it is signed.
        if found.raw.is_some() {
            clock.by(120);
        }
        found.reason.as_deref() == Some("displaced")
    })
    .await;
    clock.by(240);
    let path = format!("/v1/receipts/{commitment}");
    app.until("a receipt is there", async || {
        app.get(&path, None).await.status == StatusCode::OK
    })
    .await;
    stop.cancel();
    jobs.join().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_send_keeps_no_other_from_sending() {
    let app = TestApp::new().await;
    // Looked after first, and nobody has its key.
    let unsendable = RequestId::from_bytes([8; 16]);
    let call = transactions::Call {
        id: unsendable,
        chain: app.app.facts.chain,
        account: Address([0; 20]),
        purpose: "of-a-test".into(),
        object: vec![1],
        to: None,
        data: Vec::new(),
        gas: 100_000,
    };
    let now = app.app.now();
    app.app
        .store
        .write(move |tx| transactions::enqueue(tx, &call, 0, now))
        .await
        .unwrap();
    let own = Call::new(app.app.facts.operator, Vec::new(), "to-itself");
    let sent = chain::send(&app.app, app.app.facts.operator, own, vec![1])
        .await
        .unwrap();
    let id = sent.call.id;
    app.until("the other is settled", async || {
        let found = app.app.store.read(move |tx| transactions::find(tx, id)).await.unwrap();
        found.unwrap().state == transactions::State::Final
    })
    .await;
    // And the first is still there, tried in every round before that: nothing of it was signed.
    let chain = app.app.facts.chain;
    let open = app
        .app
        .store
        .read(move |tx| transactions::open(tx, chain, 10))
        .await
        .unwrap();
    let left: Vec<_> = open
        .iter()
        .map(|left| (left.call.id, left.state, left.raw.is_some()))
        .collect();
    assert_eq!(left, [(unsendable, transactions::State::Queued, false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_was_mined_as_it_was_sent_first_is_not_under_way() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "");
    initialise(&config).await;
    // Without its jobs, which would settle it.
    let app = App::open(Arc::new(config), Arc::new(Later::default())).await.unwrap();
    let identity = app.facts.operator;
    let data = dids::Change::Owner(Address([0x22; 20])).calldata(identity);
    let sent = chain::send(
        &app,
        identity,
        Call::new(app.contracts.dids, data, "change-owner"),
        vec![1],
    )
    .await
    .unwrap();
    chain::await_success(&app, &sent).await.unwrap();
    let (id, hash, now) = (sent.call.id, sent.hash.unwrap(), app.now());
    let replaced = app
        .store
        .write(move |tx| transactions::replace(tx, id, hash, b"more", BlockHash([9; 32]), now))
        .await;
    assert!(replaced.unwrap());
    assert_eq!(chain::changes_under_way(&app, identity).await.unwrap(), 0);

    // And it is settled as the one that was mined, whatever took its place in the row.
    let (app, stop) = (Arc::new(app), CancellationToken::new());
    let jobs = jobs::start(app.clone(), stop.clone());
    until_async("it is settled", Duration::from_secs(30), async || {
        let found = app
            .store
            .read(move |tx| transactions::find(tx, id))
            .await
            .unwrap()
            .unwrap();
        found.state == transactions::State::Final && found.hash == Some(hash)
    })
    .await;
    stop.cancel();
    jobs.join().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contracts_whose_offer_failed_are_offered_again() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let profile = app.get("/v1/profile", Some(&authority)).await.expect(StatusCode::OK);
    let account: Address = profile["account"].as_str().unwrap().parse().unwrap();
    app.until("the contracts are handed over", async || {
        chain::is_handed_over(&app.app).await.unwrap()
    })
    .await;
    // The operator has one of them again, and what is known of the hand-over is that it failed.
    let (contract, operator) = (app.app.contracts.issuers, app.app.facts.operator);
    let offer = Call::new(contract, registry::offer_authority(operator), "offer-authority");
    let sent = chain::send(&app.app, account, offer, vec![1]).await.unwrap();
    chain::await_success(&app.app, &sent).await.unwrap();
    let accept = Call::new(contract, registry::accept_authority(), "accept-authority");
    let sent = chain::send(&app.app, operator, accept, vec![1]).await.unwrap();
    chain::await_success(&app.app, &sent).await.unwrap();
    assert!(!chain::is_handed_over(&app.app).await.unwrap());
    assert!(app.app.store.write(rows::revert_hand_overs).await.unwrap() > 0);
    chain::hand_over(&app.app).await.unwrap();
    assert!(chain::is_handed_over(&app.app).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_did_that_was_given_away_before_the_admission_was_mined_is_the_new_owner_s() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let profile = app.get("/v1/profile", Some(&authority)).await.expect(StatusCode::OK);
    let from: Address = profile["account"].as_str().unwrap().parse().unwrap();
    let operator = app.app.facts.operator;
    app.until("the contracts are handed over", async || {
        chain::is_handed_over(&app.app).await.unwrap()
    })
    .await;
    // The operator's own account stands for one that was looked at, gave its DID away, and was admitted then.
    let owner = Address([0x22; 20]);
    let give = Call::new(
        app.app.contracts.dids,
        dids::Change::Owner(owner).calldata(operator),
        "give",
    );
    let sent = chain::send(&app.app, operator, give, vec![2]).await.unwrap();
    chain::await_success(&app.app, &sent).await.unwrap();
    let key = vidimus_crypto::SigningKey::generate(vidimus_crypto::KeyKind::P256, &mut *app.app.entropy());
    let public = key.public_key();
    let point = public.as_bytes();
    let keys = registry::Keys {
        p256_x: point[1..33].try_into().unwrap(),
        p256_y: point[33..65].try_into().unwrap(),
        x25519: [3; 32],
        certificate: [4; 32],
    };
    let data = verifiers::approve(
        operator,
        Digest([5; 32]),
        &keys,
        &["family_name".into()],
        &["boarding".into()],
    );
    let sent = chain::send(
        &app.app,
        from,
        Call::new(app.app.contracts.verifiers, data, "approve"),
        vec![3],
    )
    .await
    .unwrap();
    chain::await_success(&app.app, &sent).await.unwrap();
    app.until("the admission is read", async || {
        chain::catch_up(&app.app).await.unwrap();
        app.app.registries().verifiers.participant(&operator).is_some()
    })
    .await;
    let registries = app.app.registries();
    assert_eq!(
        registries.verifiers.participant(&operator).unwrap().account(),
        Some(owner)
    );
    // Read again from the beginning it is the same.
    let (before, after) = chain::rebuild(&app.app).await.unwrap();
    assert_eq!(before, after);
    let registries = app.app.registries();
    assert_eq!(
        registries.verifiers.participant(&operator).unwrap().account(),
        Some(owner)
    );
}

/// Reports results; the content ids of all that is in the blob store, once as many are there.
async fn published(app: &TestApp, key: &str, passports: &[&str]) -> Vec<ContentId> {
    for passport in passports {
        app.post("/v1/results", Some(key), &result(passport))
            .await
            .expect(StatusCode::CREATED);
    }
    let rows = async || app.app.store.read(|tx| copies::published(tx, None, 100)).await.unwrap();
    app.until("they are published", async || rows().await.len() == passports.len())
        .await;
    rows()
        .await
        .iter()
        .map(|(_, content)| ContentId::from_str(content).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_that_a_loss_of_power_took_are_put_again() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let contents = published(&app, &laboratory.key, &["P8100001", "P8100002", "P8100003"]).await;
    let [gone, cut, erased] = contents[..] else {
        panic!("three copies")
    };
    let whole = app.app.blobs.get(gone).await.unwrap().unwrap();
    for content in [gone, erased] {
        app.app.blobs.remove(content).await.unwrap();
    }
    let name = cut.to_string();
    let path = app
        .app
        .config
        .blobs
        .path
        .join("blobs")
        .join(&name[name.len() - 2..])
        .join(&name);
    std::fs::write(&path, b"").unwrap();
    // What was erased has neither payload nor blob, and stays so.
    let erase = erased.to_string();
    let gone_for_good = app.app.store.write(move |tx| rows::erase_copy(tx, &erase)).await;
    assert_eq!(gone_for_good.unwrap(), 1);
    let stop = CancellationToken::new();
    assert_eq!(blobs::repair(&app.app, &stop).await.unwrap(), 2);
    assert_eq!(app.app.blobs.get(gone).await.unwrap(), Some(whole));
    assert!(app.app.blobs.get(cut).await.unwrap().is_some());
    assert!(app.app.blobs.get(erased).await.unwrap().is_none());
    assert_eq!(blobs::repair(&app.app, &stop).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_not_what_its_row_says_keeps_no_other_from_the_blob_store() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let [damaged] = published(&app, &laboratory.key, &["P8200001"]).await[..] else {
        panic!("one copy")
    };
    // The oldest of those that wait.
    app.app.blobs.remove(damaged).await.unwrap();
    assert_eq!(app.app.store.write(rows::damage_payloads).await.unwrap(), 1);
    published(&app, &laboratory.key, &["P8200002", "P8200003"]).await;
    assert!(app.app.blobs.get(damaged).await.unwrap().is_none());
    let waiting = app.app.store.read(|tx| copies::unpublished(tx, 10)).await.unwrap();
    assert_eq!(waiting.len(), 1, "the damaged one waits");
}
