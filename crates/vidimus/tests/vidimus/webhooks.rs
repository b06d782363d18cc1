//! Webhooks, against a real receiver: signed, tried again, never sent into the network, given up at last.

use crate::{
    events::happens,
    harness::{Later, Participant, TestApp, airline, configuration, initialise, laboratory, on_both},
    receiver::{Received, Receiver},
};
use axum::{
    http::{Method, StatusCode, header},
    response::IntoResponse,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
};
use tempfile::TempDir;
use vidimus_core::encoding;
use vidimus_crypto::hmac_sha256;
use vidimus_store::events::Kind;

const LOOPBACK: &str = "[outside]\nloopback = true\n";

/// What a receiver does: anything that is signed otherwise is refused.
fn verified(request: &Received, secret: &str, now: i64) -> Value {
    let (id, timestamp) = (request.header("webhook-id"), request.header("webhook-timestamp"));
    assert!(
        (now - timestamp.parse::<i64>().unwrap()).abs() <= 300,
        "too old or too new: {timestamp}"
    );
    let key = encoding::from_base64(secret.strip_prefix("whsec_").unwrap()).unwrap();
    assert_eq!(key.len(), 32);
    let mac = hmac_sha256(&key, &[format!("{id}.{timestamp}.").as_bytes(), &request.body]);
    assert_eq!(
        request.header("webhook-signature"),
        format!("v1,{}", encoding::base64(&mac))
    );
    assert_eq!(request.header("content-type"), "application/json");
    serde_json::from_slice(&request.body).unwrap()
}

/// A webhook of a participant: its id and its secret.
async fn listen(app: &TestApp, to: &Participant, body: &Value) -> (String, String) {
    let made = app
        .post("/v1/webhooks", Some(&to.key), body)
        .await
        .expect(StatusCode::CREATED);
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

async fn details(app: &TestApp, of: &Participant, id: &str) -> Value {
    app.get(&format!("/v1/webhooks/{id}"), Some(&of.key))
        .await
        .expect(StatusCode::OK)
}

/// A deployment that may reach loopback, whose clock the test moves.
async fn deployment() -> (TestApp, Arc<Later>) {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), LOOPBACK);
    initialise(&config).await;
    let clock = Arc::new(Later::default());
    (TestApp::opened(directory, config, clock.clone()).await, clock)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_arrives_signed_and_thin_and_again_until_it_is_taken() {
    let (app, clock) = deployment().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let airline = app.admit(&authority, &airline("Airline")).await;
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let receiver = Receiver::plain(move |_, _| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        1 => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "40")]).into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    })
    .await;
    let url = format!("http://127.0.0.1:{}/hook?token=geheim", receiver.port);
    let (id, secret) = listen(&app, &laboratory, &json!({"url": url})).await;
    let object = happens(&app, &laboratory, Kind::CredentialIssued).await;
    happens(&app, &airline, Kind::PresentationAnswered).await;
    app.until("the first try", async || receiver.requests().len() == 1)
        .await;
    app.until("it is noted", async || {
        details(&app, &laboratory, &id).await["deliveries"][0]["last_error"] == "the receiver answered 500"
    })
    .await;
    clock.by(10);
    app.until("the second try", async || receiver.requests().len() == 2)
        .await;
    app.until("it is noted", async || {
        let seen = details(&app, &laboratory, &id).await;
        // The receiver's own word, which is later than the pause.
        seen["deliveries"][0]["next"].as_i64().unwrap() >= app.app.now().0 + 35
            && seen["webhook"]["failing_since"].is_i64()
    })
    .await;
    clock.by(60);
    app.until("the third try", async || {
        details(&app, &laboratory, &id).await["deliveries"][0]["state"] == "delivered"
    })
    .await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 3);
    let ids: BTreeSet<_> = requests
        .iter()
        .map(|request| request.header("webhook-id").to_owned())
        .collect();
    let times: BTreeSet<_> = requests
        .iter()
        .map(|request| request.header("webhook-timestamp").to_owned())
        .collect();
    assert_eq!(
        (ids.len(), times.len()),
        (1, 3),
        "one id over all tries, a time of its own for each"
    );
    for request in &requests {
        let body = verified(request, &secret, request.header("webhook-timestamp").parse().unwrap());
        assert_eq!(
            (&body["type"], &body["data"]["object"]),
            (&json!("credential.issued"), &json!(object))
        );
        assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
        assert_eq!(body["data"].as_object().unwrap().len(), 2, "{body}");
    }
    let seen = details(&app, &laboratory, &id).await;
    assert_eq!(seen["webhook"]["failing_since"], Value::Null);
    assert_eq!(seen["webhook"]["state"], "active");
    assert_eq!(seen["webhook"].get("secret"), None, "it is shown once");
    assert_eq!(seen["deliveries"][0]["attempts"], 3);
    let list = app
        .get("/v1/webhooks", Some(&laboratory.key))
        .await
        .expect(StatusCode::OK);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let others = app.get("/v1/webhooks", Some(&airline.key)).await.expect(StatusCode::OK);
    assert_eq!(others["items"], json!([]));
}

/// The secrets that a request is signed with, of these.
fn signed_with<'s>(request: &Received, secrets: &[&'s str]) -> Vec<&'s str> {
    let header = request.header("webhook-signature").to_owned();
    let signatures: Vec<_> = header.split(' ').collect();
    let (id, timestamp) = (request.header("webhook-id"), request.header("webhook-timestamp"));
    let found: Vec<_> = secrets
        .iter()
        .copied()
        .filter(|secret| {
            let key = encoding::from_base64(secret.strip_prefix("whsec_").unwrap()).unwrap();
            let mac = hmac_sha256(&key, &[format!("{id}.{timestamp}.").as_bytes(), &request.body]);
            signatures.contains(&format!("v1,{}", encoding::base64(&mac)).as_str())
        })
        .collect();
    assert_eq!(
        found.len(),
        signatures.len(),
        "each signature is by a secret that is known: {header}"
    );
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_replaced_while_both_are_good() {
    let (app, clock) = deployment().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let airline = app.admit(&authority, &airline("Airline")).await;
    let receiver = Receiver::plain(|_, _| StatusCode::NO_CONTENT.into_response()).await;
    let url = format!("http://127.0.0.1:{}/", receiver.port);
    let (id, first) = listen(&app, &laboratory, &json!({"url": url})).await;
    let path = format!("/v1/webhooks/{id}/secret");
    let rotate = async |body: Value, key: &str| {
        let request = axum::http::Request::post(&path)
            .header(header::AUTHORIZATION, format!("Bearer {}", laboratory.key))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(axum::body::Body::from(body.to_string()));
        app.send(request.unwrap()).await
    };
    let mut told = 0;
    let mut next = async || {
        happens(&app, &laboratory, Kind::CredentialIssued).await;
        told += 1;
        app.until("it is told", async || receiver.requests().len() == told)
            .await;
        receiver.requests().pop().unwrap()
    };
    let made = rotate(json!({"overlap_seconds": 600}), "one")
        .await
        .expect(StatusCode::OK);
    let second = made["secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert!(made["previous_until"].as_i64().unwrap() - app.app.now().0 <= 600);
    let again = rotate(json!({"overlap_seconds": 600}), "one")
        .await
        .expect(StatusCode::OK);
    assert_eq!(again, made, "an answer that got lost is given again");
    // What was promised of the first one holds: it is not cut short by another rotation.
    for (more, key) in [(json!({}), "soon"), (json!({"overlap_seconds": 60}), "sooner")] {
        let refused = rotate(more, key).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (StatusCode::CONFLICT, "secret-rotating")
        );
        let until = vidimus_core::Timestamp(made["previous_until"].as_i64().unwrap()).to_rfc3339();
        assert!(refused.text().contains(&until), "{}", refused.text());
    }
    assert_eq!(signed_with(&next().await, &[&first, &second]), [&first, &second]);
    let seen = details(&app, &laboratory, &id).await;
    assert_eq!(seen["webhook"]["previous_until"], made["previous_until"]);
    assert_eq!(seen["webhook"].get("secret"), None);
    clock.by(601);
    assert_eq!(
        signed_with(&next().await, &[&first, &second]),
        [&second],
        "its time is over"
    );
    assert_eq!(
        details(&app, &laboratory, &id).await["webhook"].get("previous_until"),
        None
    );
    // Known to others: all before it end at once.
    let made = rotate(json!({}), "after").await.expect(StatusCode::OK);
    let after = made["secret"].as_str().unwrap().to_owned();
    let made = rotate(json!({"overlap_seconds": 0}), "two")
        .await
        .expect(StatusCode::OK);
    let third = made["secret"].as_str().unwrap();
    assert_eq!(signed_with(&next().await, &[&first, &second, &after, third]), [third]);

    let long = rotate(json!({"overlap_seconds": 604_801}), "three").await;
    assert_eq!(
        (long.status, long.problem().as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "secret-overlap")
    );
    assert_eq!(
        app.post(&path, Some(&airline.key), &json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    let audit = app
        .get("/v1/audit?limit=500", Some(&authority))
        .await
        .expect(StatusCode::OK);
    let rotations = audit["items"].as_array().unwrap().iter();
    assert_eq!(
        rotations.filter(|entry| entry["operation"] == "rotate-webhook").count(),
        3
    );
}

on_both! { every_event_arrives_once_at_each_who_listens_for_it }

async fn every_event_arrives_once_at_each_who_listens_for_it(app: TestApp) {
    // As this deployment may not reach loopback, each is given up to a failure; what is asked for is what is queued.
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let kinds = json!(["credential.issued", "offer.claimed", "credential.issued"]);
    let (some, _) = listen(
        &app,
        &laboratory,
        &json!({"url": "https://receiver.invalid/", "kinds": kinds}),
    )
    .await;
    let (all, _) = listen(&app, &laboratory, &json!({"url": "https://receiver.invalid/"})).await;
    let (codes, _) = listen(
        &app,
        &laboratory,
        &json!({"url": "https://receiver.invalid/", "purpose": "codes"}),
    )
    .await;
    for kind in [Kind::CredentialIssued, Kind::CredentialDeleted, Kind::OfferClaimed] {
        happens(&app, &laboratory, kind).await;
    }
    app.until("all are queued", async || {
        let seen = details(&app, &laboratory, &all).await;
        seen["deliveries"].as_array().unwrap().len() == 3
    })
    .await;
    let seen = details(&app, &laboratory, &some).await;
    assert_eq!(seen["webhook"]["kinds"], json!(["offer.claimed", "credential.issued"]));
    assert_eq!(seen["deliveries"].as_array().unwrap().len(), 2);
    assert_eq!(details(&app, &laboratory, &codes).await["deliveries"], json!([]));
    app.until("a name that does not resolve is told", async || {
        let seen = details(&app, &laboratory, &all).await;
        seen["webhook"]["last_error"] == "the name of the host does not resolve"
    })
    .await;
    let path = format!("/v1/webhooks/{all}");
    for expected in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        let removed = app.ask(Method::DELETE, &path, Some(&laboratory.key), None).await;
        assert_eq!(removed.status, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leads_inside_is_refused_when_it_is_made_and_when_it_is_used() {
    let inside = Receiver::plain(|_, _| StatusCode::OK.into_response()).await;
    let port = inside.port;
    let redirecting = Receiver::plain(move |_, _| {
        (
            StatusCode::FOUND,
            [(header::LOCATION, format!("http://127.0.0.1:{port}/"))],
        )
            .into_response()
    })
    .await;
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let airline = app.admit(&authority, &airline("Airline")).await;
    for url in [
        "https://127.0.0.1/".to_owned(),
        "https://169.254.169.254/latest".to_owned(),
        "https://[::1]/".to_owned(),
        format!("http://127.0.0.1:{port}/"),
        "http://receiver.example/".to_owned(),
        "ftp://receiver.example/".to_owned(),
        "https://u:geheim@receiver.example/".to_owned(),
        "receiver".to_owned(),
    ] {
        let refused = app
            .post("/v1/webhooks", Some(&laboratory.key), &json!({"url": url}))
            .await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "webhook-url"),
            "{url}"
        );
        assert!(!refused.text().contains("geheim"));
    }
    for (body, problem) in [
        (
            json!({"url": "https://receiver.example/", "kinds": ["everything"]}),
            "event-kind",
        ),
        (
            json!({"url": "https://receiver.example/", "kinds": ["offer.claimed"], "purpose": "codes"}),
            "event-kind",
        ),
        (json!({"url": "https://receiver.example/", "secret": "mine"}), "json"),
    ] {
        let refused = app.post("/v1/webhooks", Some(&laboratory.key), &body).await;
        assert_eq!(refused.problem(), problem, "{body}");
    }
    let codes = json!({"url": "https://receiver.example/", "purpose": "codes"});
    assert_eq!(
        app.post("/v1/webhooks", Some(&airline.key), &codes).await.problem(),
        "webhook-purpose"
    );
    // A name that resolves to this machine; `localhost` is one everywhere.
    let url = format!("https://localhost:{port}/");
    let (id, _) = listen(&app, &laboratory, &json!({"url": url})).await;
    let test = app
        .post(&format!("/v1/webhooks/{id}/test"), Some(&laboratory.key), &json!({}))
        .await;
    let test = test.expect(StatusCode::OK);
    assert_eq!(test["arrived"], false);
    assert!(
        test["error"]
            .as_str()
            .unwrap()
            .contains("private, local or reserved network"),
        "{test}"
    );
    assert_eq!(inside.connections(), 0);

    // Where loopback may be reached, a redirect is not followed even so.
    let (near, _) = deployment().await;
    let authority = near.set_up().await;
    let laboratory = near.admit(&authority, &crate::harness::laboratory("Laboratory")).await;
    let url = format!("http://127.0.0.1:{}/", redirecting.port);
    let (id, _) = listen(&near, &laboratory, &json!({"url": url})).await;
    happens(&near, &laboratory, Kind::OfferClaimed).await;
    near.until("the redirect is told", async || {
        let seen = details(&near, &laboratory, &id).await;
        seen["webhook"]["last_error"] == "the answer redirects, which is not followed"
    })
    .await;
    assert_eq!(inside.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_for_days_is_given_up_and_comes_back_with_a_test() {
    let (app, clock) = deployment().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let answer = Arc::new(AtomicU16::new(500));
    let now = answer.clone();
    let receiver = Receiver::plain(move |_, _| {
        StatusCode::from_u16(now.load(Ordering::SeqCst))
            .unwrap()
            .into_response()
    })
    .await;
    let (id, secret) = listen(
        &app,
        &laboratory,
        &json!({"url": format!("http://127.0.0.1:{}/", receiver.port)}),
    )
    .await;
    happens(&app, &laboratory, Kind::OfferClaimed).await;
    app.until("the first try", async || {
        details(&app, &laboratory, &id).await["webhook"]["failing_since"].is_i64()
    })
    .await;
    clock.by(2 * 86_400);
    app.until("it is tried again", async || receiver.requests().len() == 2)
        .await;
    assert_eq!(
        details(&app, &laboratory, &id).await["deliveries"][0]["state"],
        "waiting"
    );
    clock.by(3 * 86_400 + 60);
    app.until("it is given up", async || {
        details(&app, &laboratory, &id).await["deliveries"][0]["state"] == "given-up"
    })
    .await;
    // The next one finds out that it was for too long.
    happens(&app, &laboratory, Kind::CredentialIssued).await;
    app.until("it is disabled", async || {
        details(&app, &laboratory, &id).await["webhook"]["state"] == "disabled"
    })
    .await;
    let tried = receiver.requests().len();
    happens(&app, &laboratory, Kind::CredentialIssued).await;
    app.until("it has its number, and goes nowhere", async || {
        let waiting = app.app.store.read(vidimus_store::events::unnumbered).await;
        waiting.unwrap().is_empty()
    })
    .await;
    let test = async || {
        let path = format!("/v1/webhooks/{id}/test");
        app.post(&path, Some(&laboratory.key), &json!({}))
            .await
            .expect(StatusCode::OK)
    };
    assert_eq!(
        test().await,
        json!({"arrived": false, "error": "the receiver answered 500"})
    );
    assert_eq!(details(&app, &laboratory, &id).await["webhook"]["state"], "disabled");
    answer.store(200, Ordering::SeqCst);
    assert_eq!(test().await, json!({"arrived": true, "error": null}));
    let requests = receiver.requests();
    assert_eq!(
        requests.len(),
        tried + 2,
        "what happened while it was disabled is not sent"
    );
    let body = verified(requests.last().unwrap(), &secret, app.app.clock.now().0);
    assert_eq!(body["type"], "test");
    happens(&app, &laboratory, Kind::CredentialAccepted).await;
    app.until("it is told again", async || receiver.requests().len() == tried + 3)
        .await;
    // A receiver that says that it is gone is believed at once.
    answer.store(410, Ordering::SeqCst);
    happens(&app, &laboratory, Kind::CredentialAccepted).await;
    app.until("it is disabled", async || {
        details(&app, &laboratory, &id).await["webhook"]["state"] == "disabled"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_does_not_hold_up_the_others() {
    let (app, _) = deployment().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}/", silent.local_addr().unwrap());
    let receiver = Receiver::plain(|_, _| StatusCode::OK.into_response()).await;
    listen(&app, &laboratory, &json!({"url": silent})).await;
    let url = format!("http://127.0.0.1:{}/", receiver.port);
    listen(&app, &laboratory, &json!({"url": url})).await;
    let started = std::time::Instant::now();
    for _ in 0..40 {
        happens(&app, &laboratory, Kind::CredentialIssued).await;
    }
    app.until("all arrive at the one that listens", async || {
        receiver.requests().len() >= 40
    })
    .await;
    assert!(
        started.elapsed().as_secs() < 10,
        "they did not wait for the one that hangs: {:?}",
        started.elapsed()
    );
    let ids: BTreeSet<_> = receiver
        .requests()
        .iter()
        .map(|request| request.header("webhook-id").to_owned())
        .collect();
    assert_eq!((ids.len(), receiver.requests().len()), (40, 40), "each once");
}

/// As several instances on one database do, beside the job of this one.
#[tokio::test(flavor = "multi_thread")]
async fn several_that_deliver_at_once_deliver_each_once() {
    let Some(app) = TestApp::postgres_with(LOOPBACK).await else {
        return;
    };
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let receiver = Receiver::plain(|_, _| StatusCode::OK.into_response()).await;
    let url = format!("http://127.0.0.1:{}/", receiver.port);
    let (id, secret) = listen(&app, &laboratory, &json!({"url": url})).await;
    let never = tokio_util::sync::CancellationToken::new();
    for _ in 0..5 {
        for _ in 0..12 {
            happens(&app, &laboratory, Kind::CredentialIssued).await;
        }
        let run = || vidimus::app::delivery::run(&app.app, &never);
        let (one, two, three) = tokio::join!(run(), run(), run());
        one.and(two).and(three).unwrap();
    }
    app.until("all arrive", async || receiver.requests().len() >= 60).await;
    app.until("nothing waits", async || {
        let deliveries = details(&app, &laboratory, &id).await["deliveries"].clone();
        deliveries
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["state"] == "delivered" && one["attempts"] == 1)
    })
    .await;
    let requests = receiver.requests();
    let now = app.app.now().0;
    let events: BTreeSet<_> = requests
        .iter()
        .map(|one| verified(one, &secret, now)["data"]["event"].to_string())
        .collect();
    assert_eq!((requests.len(), events.len()), (60, 60));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_makes_one_webhook() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let send = async || {
        let request = axum::http::Request::post("/v1/webhooks")
            .header(header::AUTHORIZATION, format!("Bearer {}", laboratory.key))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", "one-webhook")
            .body(json!({"url": "https://receiver.example/"}).to_string().into());
        app.send(request.unwrap()).await.expect(StatusCode::CREATED)
    };
    assert_eq!(send().await, send().await);
    for turn in 1..=20 {
        let made = app
            .post(
                "/v1/webhooks",
                Some(&laboratory.key),
                &json!({"url": "https://receiver.example/"}),
            )
            .await;
        if turn < 20 {
            made.expect(StatusCode::CREATED);
        } else {
            assert_eq!(
                (made.status, made.problem().as_str()),
                (StatusCode::CONFLICT, "too-many-webhooks")
            );
        }
    }
}
