//! What happens to a laboratory's objects reaches it: as a stream, on either instance, and nobody else.

use crate::{
    harness::{Later, Participant, TestApp, airline, configuration, initialise, laboratory, on_both, result},
    wallets::{
        code,
        traveller::{Traveller, Wallet},
    },
};
use axum::{
    body::{Body, BodyDataStream},
    http::{Request, StatusCode, header},
};
use futures::StreamExt;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use vidimus_core::{Algorithm, Digest, Signer as _, id::ParticipantId};
use vidimus_credential::{countersign, sd_jwt::SdJwt};
use vidimus_crypto::{KeyKind, OsEntropy, SigningKey};
use vidimus_store::events::{self, Kind};

/// A stream, read as it comes.
pub struct Stream {
    body: BodyDataStream,
    text: String,
}

/// An event of a stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    id: u64,
    pub kind: String,
    pub object: String,
}

impl Stream {
    pub async fn open(app: &TestApp, key: &str, after: Option<u64>) -> Self {
        let mut request = Request::get("/v1/events").header(header::AUTHORIZATION, format!("Bearer {key}"));
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = app.open(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event; none when the stream has ended.
    pub async fn next(&mut self) -> Option<Told> {
        let read = async {
            loop {
                if let Some((block, rest)) = self.text.split_once("\n\n") {
                    let (block, rest) = (block.to_owned(), rest.to_owned());
                    self.text = rest;
                    if !block.starts_with(':') {
                        return Some(told(&block));
                    }
                    continue;
                }
                let chunk = self.body.next().await?.unwrap();
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(20), read)
            .await
            .expect("it comes in time")
    }
}

fn told(block: &str) -> Told {
    let field = |name: &str| {
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name}: {block}"))
    };
    let data: Value = serde_json::from_str(field("data")).unwrap();
    let id: u64 = field("id").parse().unwrap();
    assert_eq!(data["sequence"], id);
    assert_eq!(data["kind"], field("event"));
    assert!(data["time"].as_i64().unwrap() > 1_700_000_000);
    assert_eq!(data.as_object().unwrap().len(), 4, "nothing else: {data}");
    Told {
        id,
        kind: data["kind"].as_str().unwrap().to_owned(),
        object: data["object"].as_str().unwrap().to_owned(),
    }
}

/// Something happens to an object of a participant.
pub async fn happens(app: &TestApp, to: &Participant, kind: Kind) -> String {
    let participant: ParticipantId = to.id.parse().unwrap();
    let object = app.app.random();
    let event = vidimus::app::events::event(&app.app, participant, kind, &object);
    app.app.store.write(move |tx| events::append(tx, &event)).await.unwrap();
    app.app.wake.events.notify_one();
    ParticipantId::from_bytes(object).to_string()
}

on_both! {
    a_stream_goes_on_where_it_stopped_and_shows_only_what_is_one_s_own,
    a_laboratory_is_told_what_wallets_do,
}

/// From an offer whose result is still to come to the holder's signature that it has the certificate.
async fn a_laboratory_is_told_what_wallets_do(app: TestApp) {
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let body = json!({"category": "sars-cov-2-naat", "formats": ["dc+sd-jwt"]});
    let offer = app.post("/v1/offers", Some(&laboratory.key), &body).await;
    let offer = offer.expect(StatusCode::CREATED);
    let mut stream = Stream::open(&app, &laboratory.key, Some(0)).await;
    let traveller = Traveller::new();
    let wallet = Wallet::of_offer(&app, &offer).await;
    let tokens = wallet.pre_authorized(&app, &traveller, Some(code(&offer))).await;
    let claimed = stream.next().await.unwrap();
    assert_eq!(
        (claimed.kind.as_str(), claimed.object.as_str()),
        ("offer.claimed", offer["id"].as_str().unwrap())
    );

    let key = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let nonce = wallet.nonce(&app).await;
    let proofs = wallet.proofs(&app, &tokens, std::slice::from_ref(&key), &nonce);
    let wanted = json!({"credential_configuration_id": "sars-cov-2-naat.dc+sd-jwt", "proofs": {"jwt": proofs}});
    let waiting = wallet.resource(&app, &traveller, &tokens, "credential", &wanted).await;
    let waiting = waiting.expect(StatusCode::ACCEPTED);
    let mut report = result("P1234567");
    report["offer"] = offer["id"].clone();
    let reported = app.post("/v1/results", Some(&laboratory.key), &report).await;
    let reported = reported.expect(StatusCode::CREATED);
    let ready = stream.next().await.unwrap();
    assert_eq!(ready.kind, "credential.ready");
    let transaction = json!({"transaction_id": waiting["transaction_id"]});
    let given = wallet
        .resource(&app, &traveller, &tokens, "deferred-credential", &transaction)
        .await
        .expect(StatusCode::OK);
    let issued = stream.next().await.unwrap();
    assert_eq!(issued.kind, "credential.issued");
    let said = json!({"notification_id": given["notification_id"], "event": "credential_accepted"});
    let said = wallet.resource(&app, &traveller, &tokens, "notification", &said).await;
    said.expect(StatusCode::NO_CONTENT);
    let accepted = stream.next().await.unwrap();
    assert_eq!(
        (accepted.kind.as_str(), &accepted.object),
        ("credential.accepted", &ready.object)
    );

    // The holder signs receipt; somebody else, or over another copy, does not.
    let text = given["credentials"][0]["credential"].as_str().unwrap();
    let digest = SdJwt::parse(text).unwrap().jws().digest(app.app.provider());
    let sign = |digest: &Digest, key: &SigningKey| {
        let now = app.app.now();
        let unsigned = countersign::prepare_by_key(key.public_key(), digest, now, app.app.provider()).unwrap();
        let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
        json!({"counter_signature": unsigned.finish(&signature), "key": key.public_key()})
    };
    let signed = async || {
        let path = format!("/v1/certificates/{}", reported["certificate"].as_str().unwrap());
        let view = app.get(&path, Some(&laboratory.key)).await.expect(StatusCode::OK);
        let copies = view["copies"].as_array().unwrap();
        copies
            .iter()
            .find(|copy| copy["id"] == issued.object.as_str())
            .map(|copy| copy["counter_signed"].as_bool().unwrap())
    };
    let other = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let mut without_key = sign(&digest, &key);
    without_key.as_object_mut().unwrap().remove("key");
    let mut forged = sign(&digest, &other);
    forged["key"] = json!(key.public_key());
    let mut broken = sign(&digest, &key);
    let whole = broken["counter_signature"].as_str().unwrap().to_owned();
    broken["counter_signature"] = whole[..whole.len() - 4].into();
    for (body, status, problem) in [
        (sign(&digest, &other), StatusCode::FORBIDDEN, "other-holder"),
        (forged, StatusCode::FORBIDDEN, "other-holder"),
        (sign(&Digest([7; 32]), &key), StatusCode::NOT_FOUND, "not-found"),
        (without_key, StatusCode::UNPROCESSABLE_ENTITY, "counter-signature"),
        (broken, StatusCode::UNPROCESSABLE_ENTITY, "counter-signature"),
        (
            json!({"counter_signature": "x"}),
            StatusCode::UNPROCESSABLE_ENTITY,
            "counter-signature",
        ),
    ] {
        let refused = app.post("/v1/counter-signatures", None, &body).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (status, problem),
            "{body}"
        );
    }
    assert_eq!(signed().await, Some(false));
    for _ in 0..2 {
        let taken = app.post("/v1/counter-signatures", None, &sign(&digest, &key)).await;
        assert_eq!(taken.expect(StatusCode::OK)["copy"], issued.object.as_str());
    }
    assert_eq!(signed().await, Some(true));
    let told = stream.next().await.unwrap();
    assert_eq!(
        (told.kind.as_str(), &told.object),
        ("copy.counter-signed", &issued.object)
    );
    // Once: what follows is another's.
    happens(&app, &laboratory, Kind::CredentialFailed).await;
    assert_eq!(stream.next().await.unwrap().kind, "credential.failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_airline_is_told_that_nobody_answered() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "");
    initialise(&config).await;
    let clock = Arc::new(Later::default());
    let app = TestApp::opened(directory, config, clock.clone()).await;
    let authority = app.set_up().await;
    let airline = app.admit(&authority, &airline("Airline")).await;
    let asked = json!({
        "purpose": "boarding", "purpose_text": "Your flight", "retention_seconds": 0, "expires_in": 60,
        "credentials": [{"category": "sars-cov-2-naat", "attributes": ["family_name"]}],
    });
    let asked = app.post("/v1/presentations", Some(&airline.key), &asked).await;
    let asked = asked.expect(StatusCode::CREATED);
    let mut stream = Stream::open(&app, &airline.key, Some(0)).await;
    clock.by(61);
    let told = stream.next().await.unwrap();
    assert_eq!(
        (told.kind.as_str(), told.object.as_str()),
        ("presentation.expired", asked["id"].as_str().unwrap())
    );
}

async fn a_stream_goes_on_where_it_stopped_and_shows_only_what_is_one_s_own(app: TestApp) {
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let airline = app.admit(&authority, &airline("Airline")).await;
    let mut stream = Stream::open(&app, &laboratory.key, None).await;
    let mut foreign = Stream::open(&app, &airline.key, None).await;
    let first = happens(&app, &laboratory, Kind::OfferClaimed).await;
    let answered = happens(&app, &airline, Kind::PresentationAnswered).await;
    let second = happens(&app, &laboratory, Kind::CredentialIssued).await;
    let expected = |id, kind: &str, object: &str| {
        let (kind, object) = (kind.to_owned(), object.to_owned());
        Some(Told { id, kind, object })
    };
    assert_eq!(stream.next().await, expected(1, "offer.claimed", &first));
    assert_eq!(stream.next().await, expected(2, "credential.issued", &second));
    assert_eq!(foreign.next().await, expected(1, "presentation.answered", &answered));
    drop(stream);
    let third = happens(&app, &laboratory, Kind::CredentialAccepted).await;
    let mut again = Stream::open(&app, &laboratory.key, Some(1)).await;
    assert_eq!(again.next().await, expected(2, "credential.issued", &second));
    assert_eq!(again.next().await, expected(3, "credential.accepted", &third));
    for (path, id) in [
        ("/v1/events?after=x", "1"),
        ("/v1/events?since=1", "1"),
        ("/v1/events", "-1"),
        ("/v1/events", "x"),
    ] {
        let request = Request::get(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", laboratory.key))
            .header("last-event-id", id);
        let refused = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (StatusCode::BAD_REQUEST, "query"),
            "{path} {id}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_key_and_with_its_participant_s_standing() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let spare = json!({"permissions": ["read"], "days": 1});
    let spare = app
        .post("/v1/api-keys", Some(&laboratory.key), &spare)
        .await
        .expect(StatusCode::CREATED);
    let mut by_spare = Stream::open(&app, spare["secret"].as_str().unwrap(), None).await;
    let mut stream = Stream::open(&app, &laboratory.key, None).await;
    let path = format!("/v1/api-keys/{}", spare["id"].as_str().unwrap());
    let revoked = app
        .ask(axum::http::Method::DELETE, &path, Some(&laboratory.key), None)
        .await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(by_spare.next().await, None);

    let path = format!("/v1/participants/{}/suspend", laboratory.id);
    let reason = json!({"reason": "accreditation-lost"});
    app.post(&path, Some(&authority), &reason).await.expect(StatusCode::OK);
    // What it is told of the suspension may still come; then it ends.
    while let Some(told) = stream.next().await {
        assert_eq!(
            (told.kind.as_str(), told.object.as_str()),
            ("registration.suspended", laboratory.id.as_str())
        );
    }
    assert_eq!(
        app.get("/v1/events", Some(&laboratory.key)).await.problem(),
        "suspended"
    );
    let path = format!("/v1/participants/{}/resume", laboratory.id);
    app.post(&path, Some(&authority), &json!({}))
        .await
        .expect(StatusCode::OK);
    app.until("it may read again", async || {
        app.get("/v1/events", Some(&laboratory.key)).await.status == StatusCode::OK
    })
    .await;
    let mut again = Stream::open(&app, &laboratory.key, Some(0)).await;
    for kind in ["registration.suspended", "registration.resumed"] {
        assert_eq!(again.next().await.unwrap().kind, kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_few_and_end_when_the_process_stops() {
    let app = TestApp::with("[server.limits]\nstreams = 10\n").await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let airline = app.admit(&authority, &airline("Airline")).await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(Stream::open(&app, &laboratory.key, None).await);
    }
    assert_eq!(
        app.get("/v1/events", Some(&laboratory.key)).await.problem(),
        "rate-limit"
    );
    for _ in 0..2 {
        open.push(Stream::open(&app, &airline.key, None).await);
    }
    assert_eq!(app.get("/v1/events", Some(&airline.key)).await.problem(), "busy");
    open.clear();
    let mut stream = Stream::open(&app, &laboratory.key, None).await;
    app.guard.stop();
    assert_eq!(stream.next().await, None);
}

/// Two instances on one PostgreSQL: what happens at one is told at the other, without being woken.
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_at_one_instance_is_told_at_the_other() {
    let Some(app) = TestApp::postgres().await else { return };
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let mut stream = Stream::open(&app, &laboratory.key, None).await;
    // As the other would: it writes to the database, and wakes only what runs beside it.
    let other = app.app.store.clone();
    let event = vidimus::app::events::event(&app.app, laboratory.id.parse().unwrap(), Kind::CounterSigned, &[7; 16]);
    other.write(move |tx| events::append(tx, &event)).await.unwrap();
    assert_eq!(stream.next().await.unwrap().kind, "copy.counter-signed");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_events_go_and_leave_a_gap() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "");
    initialise(&config).await;
    let clock = Arc::new(Later::default());
    let app = TestApp::opened(directory, config, clock.clone()).await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    happens(&app, &laboratory, Kind::OfferClaimed).await;
    let mut stream = Stream::open(&app, &laboratory.key, Some(0)).await;
    assert_eq!(stream.next().await.unwrap().id, 1);
    let old = app.app.now().plus(1);
    app.app.store.write(move |tx| events::sweep(tx, old)).await.unwrap();
    clock.by(60);
    happens(&app, &laboratory, Kind::CredentialIssued).await;
    let mut again = Stream::open(&app, &laboratory.key, Some(0)).await;
    assert_eq!(again.next().await.unwrap().id, 2);
}
