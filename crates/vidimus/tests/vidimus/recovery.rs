//! An operator ends the authority's API keys while somebody who has one makes others with it, as fast as they come.

use crate::harness::{TestApp, on_both};
use axum::http::StatusCode;
use serde_json::json;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};
use vidimus::app::recovery::{Lost, Recovered, Recovery, recover};
use vidimus_core::{id::ApiKeyId, time::Clock as _};
use vidimus_store::{audit, testing::rows};

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

async fn in_force(app: &TestApp) -> u64 {
    app.app.store.read(rows::api_keys_in_force).await.unwrap()
}

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
        assert_eq!(in_force(&app).await, 1, "round {round}");
        let before = std::mem::replace(&mut key, recovered.secret.expose().clone());
        let stolen = std::mem::take(&mut *loot.keys.lock().unwrap());
        for lost in stolen.iter().chain([&before]) {
            assert_eq!(status(&app, lost).await, StatusCode::UNAUTHORIZED, "round {round}");
        }
        assert_eq!(status(&app, &key).await, StatusCode::OK);
    }
    // Each end of a key is in the log.
    let ended = app.app.store.read(rows::revocations_in_the_log).await.unwrap();
    assert_eq!(ended, app.app.store.read(rows::revoked_api_keys).await.unwrap());
    let verdict = app.app.store.read(audit::verify).await.unwrap();
    assert!(matches!(verdict, audit::Verdict::Whole(_)), "{verdict:?}");
}

/// More keys than are listed at once, all of them newer than the first, in force or revoked.
async fn make_many(app: &TestApp, first: &str, in_force: bool) -> ApiKeyId {
    let id = first.parse::<vidimus_core::ApiKey>().unwrap().id;
    let made = app
        .app
        .store
        .write(move |tx| rows::put_api_keys_beside(tx, id, 1_001, in_force));
    made.await.unwrap();
    id
}

/// Whoever has a key can make so many that it is not among those that are listed.
async fn a_key_ends_however_many_newer_ones_there_are(app: TestApp) {
    let first = app.set_up().await;
    make_many(&app, &first, true).await;
    let recovered = operator(&app, Lost::All).await;
    assert_eq!(status(&app, &first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(in_force(&app).await, 1);
    assert_eq!(status(&app, recovered.secret.expose()).await, StatusCode::OK);
}

/// The same, where the one key is named.
async fn a_named_key_ends_however_many_newer_ones_there_are(app: TestApp) {
    let first = app.set_up().await;
    let id = make_many(&app, &first, false).await;
    operator(&app, Lost::Named(vec![id])).await;
    assert_eq!(status(&app, &first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(in_force(&app).await, 1);
}
