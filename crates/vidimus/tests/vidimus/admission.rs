//! Admissions while the ledger does not answer: refused whole or taken whole, and made once, whoever asks again.

use crate::{
    harness::{Answer, Later, TestApp, airline, laboratory},
    node::{Mood, Node},
};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};
use tokio_util::sync::CancellationToken;
use vidimus::{app::chain, jobs};
use vidimus_ledger::{
    contracts::registry::{self, RegistryEvent},
    convert, eth,
};
use vidimus_store::testing::rows;

/// A deployment on another's ledger, set up; the authority's API key.
struct Scene {
    node: Node,
    clock: Arc<Later>,
    app: TestApp,
    authority: String,
}

impl Scene {
    async fn new() -> Self {
        let node = Node::start().await;
        let clock = Arc::new(Later::default());
        let app = node.deployment(clock.clone()).await;
        let authority = app.set_up().await;
        app.until("the contracts are handed over", async || {
            chain::is_handed_over(&app.app).await.unwrap()
        })
        .await;
        Self {
            node,
            clock,
            app,
            authority,
        }
    }

    /// Asks for an admission, under an idempotency key.
    async fn admit(&self, admission: &Value, key: &str) -> Answer {
        let request = Request::post("/v1/participants")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.authority))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Body::from(admission.to_string()));
        self.app.send(request.unwrap()).await
    }

    /// Asks again until there is an answer: where two are at work on it, one of them may have to wait.
    async fn sent_again(&self, admission: &Value, key: &str) -> Value {
        let mut made = Value::Null;
        self.app
            .until("it is answered", async || {
                let answer = self.admit(admission, key).await;
                made = answer.json();
                let is_made = answer.status == StatusCode::CREATED;
                assert!(is_made || answer.problem() == "in-progress", "{made}");
                is_made
            })
            .await;
        made
    }

    /// How many participants, keys, API keys, transactions and audit entries there are.
    async fn rows(&self) -> [u64; 5] {
        self.app.app.store.read(rows::of_admissions).await.unwrap()
    }

    /// Waits until the participant with this API key is admitted; its profile.
    async fn admitted(&self, key: &str) -> Value {
        let mut profile = Value::Null;
        self.app
            .until("the admission is on the ledger", async || {
                // The job that reads the ledger pauses for longer each time that it did not answer.
                let _ = chain::catch_up(&self.app.app).await;
                profile = self.app.get("/v1/profile", Some(key)).await.expect(StatusCode::OK);
                profile["status"] == "active"
            })
            .await;
        profile
    }

    /// The accounts that the ledger has an admission of, one entry for each time.
    async fn approved(&self) -> Vec<String> {
        let app = &self.app.app;
        let contracts = [app.contracts.issuers, app.contracts.verifiers].map(convert::to_address);
        let filter = eth::Filter::new().from_block(0).address(contracts.to_vec());
        let logs = app.ledger.logs(&filter).await.unwrap();
        let placed = logs.iter().filter_map(registry::decode);
        placed
            .filter_map(|placed| match placed.event {
                RegistryEvent::Approved { participant, .. } => Some(participant.to_string()),
                _ => None,
            })
            .collect()
    }
}

#[track_caller]
fn says_that_the_ledger_is_silent(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
    assert_eq!(answer.problem(), "ledger-unavailable");
    let document = answer.json();
    let said = |member: &str| document[member].as_str().unwrap().to_owned();
    assert!(said("detail").contains("the ledger does not answer"), "{document}");
    assert!(
        said("next").contains("Retry-After") && said("next").contains("try again"),
        "{document}"
    );
    let seconds: u64 = answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!(seconds > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admission_without_the_ledger_is_refused_and_the_same_request_admits_once_when_it_is_back() {
    let scene = Scene::new().await;
    let before = scene.rows().await;
    let admissions = [("one", laboratory("Laboratory")), ("two", airline("Danube Air"))];
    for mood in [Mood::Refuses, Mood::BreaksOff, Mood::Hangs] {
        scene.node.now(mood);
        let answers = admissions
            .each_ref()
            .map(|(key, admission)| scene.admit(admission, key));
        for refused in futures::future::join_all(answers).await {
            says_that_the_ledger_is_silent(&refused);
        }
        assert_eq!(
            scene.rows().await,
            before,
            "{mood:?}: nothing is there of what was refused"
        );
    }

    scene.node.now(Mood::Answers);
    let mut accounts = BTreeSet::new();
    for (key, admission) in &admissions {
        let made = scene.admit(admission, key).await.expect(StatusCode::CREATED);
        let again = scene.admit(admission, key).await.expect(StatusCode::CREATED);
        assert_eq!(made, again, "the same answer");
        let profile = scene.admitted(made["api_key"].as_str().unwrap()).await;
        assert_eq!(profile["id"], made["participant"]["id"]);
        accounts.insert(profile["account"].as_str().unwrap().to_owned());
    }
    let approved = scene.approved().await;
    assert_eq!(approved.len(), 2);
    assert_eq!(approved.into_iter().collect::<BTreeSet<_>>(), accounts);
    assert_eq!(scene.rows().await[0], before[0] + 2);
}

/// Asks for admissions of which each loses the ledger one question later, until one has all its questions answered. Each is refused whole or
/// taken whole; those that were refused, and those whose caller went away, are given back.
async fn losing_the_ledger(
    scene: &Scene,
    mood: Mood,
    admission: fn(&str) -> Value,
) -> Vec<(Value, String, Option<Value>)> {
    let mut asked = Vec::new();
    for questions in 0.. {
        let before = scene.rows().await;
        scene.node.after(questions, mood);
        let key = format!("{mood:?}-{questions}");
        let admission = admission(&key);
        let key = format!("{}-{key}", admission["role"].as_str().unwrap());
        let answer = tokio::select! {
            answer = scene.admit(&admission, &key) => Some(answer),
            // Whoever asked has gone away.
            () = scene.node.hanging() => None,
        };
        let is_through = scene.node.left() > 0;
        scene.node.now(Mood::Answers);
        let made = match answer {
            Some(answer) if answer.status == StatusCode::CREATED => Some(answer.json()),
            Some(answer) => {
                says_that_the_ledger_is_silent(&answer);
                assert_eq!(
                    scene.rows().await,
                    before,
                    "{key}: nothing is there of what was refused"
                );
                None
            }
            None => None,
        };
        assert!(made.is_some() || !is_through, "{key}: nothing kept it from being made");
        asked.push((admission, key, made));
        if is_through {
            break;
        }
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_an_admission_loses_the_ledger_it_is_made_once() {
    let scene = Scene::new().await;
    // What is asked of the ledger from here on, the admissions ask.
    scene.app.end_jobs().await;
    let before = scene.rows().await[0];
    let mut asked = Vec::new();
    for mood in [Mood::Refuses, Mood::BreaksOff, Mood::LosesTheAnswer, Mood::Hangs] {
        for admission in [laboratory, airline] {
            let some = losing_the_ledger(&scene, mood, admission).await;
            let refused = some.iter().filter(|(.., made)| made.is_none()).count();
            assert!(
                refused > 0 && some.len() > refused,
                "{mood:?}: {refused} of {}",
                some.len()
            );
            asked.extend(some);
        }
    }
    // A request whose caller went away is at work still; after a minute it counts as given up, and is taken over. The newest are sent again
    // first, before those that they take over from have ended.
    scene.clock.by(61);
    let mut keys = Vec::new();
    for (admission, key, before) in asked.iter().rev() {
        let made = scene.sent_again(admission, key).await;
        if let Some(before) = before {
            assert_eq!(&made, before, "the same answer");
        }
        keys.push(made["api_key"].as_str().unwrap().to_owned());
    }
    let stop = CancellationToken::new();
    let jobs = jobs::start(scene.app.app.clone(), stop.clone());
    let mut accounts = BTreeSet::new();
    for key in &keys {
        let profile = scene.admitted(key).await;
        accounts.insert(profile["account"].as_str().unwrap().to_owned());
    }
    let approved = scene.approved().await;
    assert_eq!((approved.len(), accounts.len()), (asked.len(), asked.len()));
    assert_eq!(approved.into_iter().collect::<BTreeSet<_>>(), accounts);
    assert_eq!(scene.rows().await[0], before + asked.len() as u64);
    stop.cancel();
    jobs.join().await;
}
