//! An operator ends the authority's API keys while somebody who has one makes others with it, as fast as they come.

use crate::harness::{TestApp, on_both};
use axum::http::StatusCode;
use serde_json::json;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};
use vidimus::app::recovery::{Lost, Recovered, Recovery, recover};
use vidimus_core::time::Clock as _;
use vidimus_store::{audit, testing};

/// Who makes keys at once.
const THIEVES: usize = 12;
/// How many keys there are before the operator acts.
const MADE_BEFORE: usize = 40;
/// How often the operator acts.
const ROUNDS: usize = 4;

/// What the thieves have.
#[derive(Default)]
struct Loot {
    keys: Mutex<Vec<String>>,
    /// The operator's command has ended.
    is_over: AtomicBool,
}

/// Makes an API key with the newest one, again and again, until that is not accepted any more.
async fn steal(app: Arc<TestApp>, mut key: String, loot: Arc<Loot>) {
    let body = json!({"permissions": ["read", "admin"], "days": 700, "label": "another"});
    loop {
        let too_late = loot.is_over.load(Ordering::SeqCst);
        let answer = app.post("/v1/api-keys", Some(&key), &body).await;
        if answer.status != StatusCode::CREATED {
            let problem = answer.problem();
            assert!(
                ["api-key-not-accepted", "api-key-revoked"].contains(&problem.as_str()),
                "{problem}"
            );
            return;
        }
        assert!(!too_late, "a key that was made before still makes others");
        key = answer.json()["secret"].as_str().unwrap().to_owned();
        loot.keys.lock().unwrap().push(key.clone());
    }
}

/// What `vidimus authority-key` does: beside the server, on its files.
async fn operator(app: &TestApp, lost: Lost) -> Recovered {
    let now = vidimus::clock::SystemClock.now();
    recover(&app.app.config, now, Recovery { days: 7, lost }).await.unwrap()
}

async fn status(app: &TestApp, key: &str) -> StatusCode {
    app.get("/v1/profile", Some(key)).await.status
}

async fn number(app: &TestApp, statement: &'static str) -> i64 {
    let read = app
        .app
        .store
        .read(move |tx| testing::query(tx, statement, &[])?.remove(0).take(0));
    read.await.unwrap()
}

const VALID: &str = "SELECT COUNT(*) FROM api_keys WHERE revoked IS NULL";

on_both!(
    no_key_that_is_made_meanwhile_outlives_the_revocation_of_all_others,
    a_key_ends_however_many_newer_ones_there_are,
    a_named_key_ends_however_many_newer_ones_there_are,
);

async fn no_key_that_is_made_meanwhile_outlives_the_revocation_of_all_others(app: TestApp) {
    let app = Arc::new(app);
    let mut key = app.set_up().await;
    for round in 0..ROUNDS {
        let loot = Arc::new(Loot::default());
        let thieves: Vec<_> = (0..THIEVES)
            .map(|_| tokio::spawn(steal(app.clone(), key.clone(), loot.clone())))
            .collect();
        app.until("they are at work", async || {
            loot.keys.lock().unwrap().len() >= MADE_BEFORE
        })
        .await;
        let recovered = operator(&app, Lost::All).await;
        loot.is_over.store(true, Ordering::SeqCst);
        for thief in thieves {
            thief.await.unwrap();
        }

        assert!(
            recovered.others.iter().all(|other| other.revoked.is_some()),
            "round {round}"
        );
        assert_eq!(number(&app, VALID).await, 1, "round {round}");
        let before = std::mem::replace(&mut key, recovered.secret.expose().clone());
        let stolen = std::mem::take(&mut *loot.keys.lock().unwrap());
        for lost in stolen.iter().chain([&before]) {
            assert_eq!(status(&app, lost).await, StatusCode::UNAUTHORIZED, "round {round}");
        }
        assert_eq!(status(&app, &key).await, StatusCode::OK);
    }
    // Each end of a key is in the log.
    let ended = "SELECT COUNT(*) FROM audit_entries WHERE operation = 'revoke-api-key'";
    let revoked = "SELECT COUNT(*) FROM api_keys WHERE revoked IS NOT NULL";
    assert_eq!(number(&app, ended).await, number(&app, revoked).await);
    let verdict = app.app.store.read(audit::verify).await.unwrap();
    assert!(matches!(verdict, audit::Verdict::Whole(_)), "{verdict:?}");
}

/// More keys than are listed at once, all of them newer than the first.
async fn make_many(app: &TestApp, state: &'static str) {
    let many = format!(
        "INSERT INTO api_keys (id, participant_id, name, secret_hash, permissions, created, expires, revoked) \
         WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000) \
         SELECT {}, participant_id, name, secret_hash, permissions, created + 1, expires, {state} FROM api_keys, numbers",
        if app.is_on_postgresql() {
            "decode(lpad(to_hex(n), 32, '0'), 'hex')"
        } else {
            "unhex(printf('%032x', n))"
        }
    );
    let many: &'static str = many.leak();
    let made = app.app.store.write(move |tx| testing::execute(tx, many, &[])).await;
    assert_eq!(made.unwrap(), 1_001);
}

/// Whoever has a key can make so many that it is not among those that are listed.
async fn a_key_ends_however_many_newer_ones_there_are(app: TestApp) {
    let first = app.set_up().await;
    make_many(&app, "NULL").await;
    let recovered = operator(&app, Lost::All).await;
    assert_eq!(status(&app, &first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(number(&app, VALID).await, 1);
    assert_eq!(status(&app, recovered.secret.expose()).await, StatusCode::OK);
}

/// The same, where the one key is named.
async fn a_named_key_ends_however_many_newer_ones_there_are(app: TestApp) {
    let first = app.set_up().await;
    make_many(&app, "created").await;
    let id = first.parse::<vidimus_core::ApiKey>().unwrap().id;
    operator(&app, Lost::Named(vec![id])).await;
    assert_eq!(status(&app, &first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(number(&app, VALID).await, 1);
}
