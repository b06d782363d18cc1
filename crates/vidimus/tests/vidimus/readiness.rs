//! What an instance says of itself when something it needs is not there.

use crate::{
    harness::{Later, TestApp, airline, configuration, initialise, laboratory, result},
    node::{Mood, Node},
};
use axum::http::StatusCode;
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use vidimus::{clock::SystemClock, config::Database};
use vidimus_store::testing;

#[tokio::test(flavor = "multi_thread")]
async fn without_its_ledger_it_is_degraded_and_goes_on() {
    let node = Node::start().await;
    let clock = Arc::new(Later::default());
    let app = node.deployment(clock.clone()).await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await.key;
    let airline = app.admit(&authority, &airline("Danube Air")).await.key;
    let part = async |name: &str| {
        let ready = app.get("/readyz", None).await.expect(StatusCode::OK);
        (
            ready["status"].clone(),
            ready["parts"][name].as_str().unwrap().to_owned(),
        )
    };
    let becomes = async |what: &str, name: &str, status: &str, text: &str| {
        app.until(what, async || {
            let (found, said) = part(name).await;
            found == status && said.starts_with(text)
        })
        .await;
    };
    becomes("all is well", "ledger", "ready", "ok").await;

    node.now(Mood::Refuses);
    becomes("the ledger is missed", "ledger", "degraded", "does not answer").await;
    // Issued all the same; the anchor follows.
    let made = app.post("/v1/results", Some(&laboratory), &result("P8000001")).await;
    let made = made.expect(StatusCode::CREATED);
    let metrics = app.get("/metrics", Some(&authority)).await.text();
    assert!(metrics.contains("\nvidimus_ledger_up 0\n"), "{metrics}");

    // A ledger that takes the question and never answers does not keep the probe waiting.
    node.now(Mood::Hangs);
    clock.by(2);
    let asked = Instant::now();
    assert_eq!(part("ledger").await, (json!("degraded"), "does not answer".to_owned()));
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());

    // What waits for it for long is told apart.
    assert_eq!(part("anchoring").await.1, "ok");
    clock.by(1_000);
    becomes(
        "the backlog is seen",
        "anchoring",
        "degraded",
        "a commitment has waited",
    )
    .await;

    // It is back, with a newest block of a while ago: it makes blocks only when something is sent, so that block is of now.
    node.now(Mood::Answers);
    app.until("the ledger is back", async || part("ledger").await.1 == "ok")
        .await;
    becomes("the backlog is gone", "anchoring", "ready", "ok").await;
    let path = format!(
        "/v1/copies/{}/paper?form=text",
        made["copies"][0]["id"].as_str().unwrap()
    );
    let paper = app.get(&path, Some(&laboratory)).await.text();
    let body = json!({"input": paper, "purpose": "boarding"});
    clock.by(86_400 + 7_200);
    let mut verdict = json!(null);
    app.until("what is known is of now", async || {
        let checked = app.post("/v1/checks", Some(&airline), &body).await;
        verdict = checked.expect(StatusCode::OK)["verdict"].clone();
        verdict == "valid"
    })
    .await;
    assert_eq!(part("ledger").await.1, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_is_counted_and_after_a_while_told() {
    let clock = Arc::new(Later::default());
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "");
    initialise(&config).await;
    let blobs = config.blobs.path.join("blobs");
    let app = TestApp::opened(directory, config, clock.clone()).await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await.key;
    let figure = async |name: &str| {
        let text = app.get("/metrics", Some(&authority)).await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in:\n{text}"))
            .parse::<u64>()
            .unwrap()
    };
    const RUNS: &str = "vidimus_job_runs_total{job=\"publish\"}";
    const FAILURES: &str = "vidimus_job_failures_total{job=\"publish\"}";
    const AGE: &str = "vidimus_job_success_age_seconds{job=\"publish\"}";
    app.until("it has run", async || figure(RUNS).await > 0).await;
    assert_eq!(figure(FAILURES).await, 0);

    // Where blobs go is no directory any more.
    let _ = std::fs::remove_dir_all(&blobs);
    std::fs::write(&blobs, b"").unwrap();
    app.post("/v1/results", Some(&laboratory), &result("P8000002"))
        .await
        .expect(StatusCode::CREATED);
    app.until("it fails", async || figure(FAILURES).await > 0).await;
    assert_eq!(figure("vidimus_copies_unpublished").await, 1);
    assert!(figure(RUNS).await > figure(FAILURES).await);
    let ready = app.get("/readyz", None).await.expect(StatusCode::OK);
    assert_eq!(
        (&ready["status"], &ready["parts"]["jobs"]),
        (&json!("ready"), &json!("ok"))
    );

    clock.by(1_000);
    let ready = app.get("/readyz", None).await.expect(StatusCode::OK);
    assert_eq!(ready["status"], "degraded");
    let told = ready["parts"]["jobs"].as_str().unwrap();
    assert!(told.starts_with("`publish` has failed for "), "{told}");
    assert!(figure(AGE).await >= 1_000);

    std::fs::remove_file(&blobs).unwrap();
    app.until("it has done its work", async || {
        figure("vidimus_copies_unpublished").await == 0
    })
    .await;
    app.until("it is well", async || {
        app.get("/readyz", None).await.expect(StatusCode::OK)["status"] == "ready"
    })
    .await;
    assert!(figure(AGE).await < 900);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_it_is_not_ready() {
    let Some(server) = testing::Server::start() else { return };
    let place = server.place();
    let vidimus_store::Config::Postgres { url, .. } = &place.config else {
        unreachable!("a PostgreSQL place")
    };
    let directory = TempDir::new().unwrap();
    let mut config = configuration(directory.path(), "");
    config.database = Database::Postgres(vidimus_core::Secret::new(url.clone()));
    initialise(&config).await;
    let app = TestApp::opened(directory, config, Arc::new(SystemClock)).await;
    app.get("/readyz", None).await.expect(StatusCode::OK);

    drop(server);
    app.until("the database is missed", async || {
        app.get("/readyz", None).await.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let asked = Instant::now();
    let answer = app.get("/readyz", None).await;
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    assert_eq!(answer.problem(), "not-ready");
    let errors = answer.json()["errors"].clone();
    assert_eq!(
        (errors.as_array().unwrap().len(), &errors[0]["pointer"]),
        (1, &json!("database"))
    );
    app.get("/livez", None).await.expect(StatusCode::OK);
}
