//! Waking wallets, against a push service of the test's own that checks who sends (RFC 8030, RFC 8292).

use crate::{
    harness::{Later, TestApp, configuration, initialise, laboratory, result},
    receiver::{Authority, Received, Receiver},
    wallets::{
        code,
        traveller::{Traveller, Wallet},
    },
};
use axum::{
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};
use tempfile::TempDir;
use vidimus::app::push::{self, NewSubscription};
use vidimus_core::{Algorithm, Digest, PublicKey, encoding};

const OWNER: Digest = Digest([5; 32]);

struct Service {
    receiver: Receiver,
    answer: Arc<AtomicU16>,
}

/// A push service on this machine, and a deployment that knows it.
async fn setting() -> (TestApp, Arc<Later>, Service) {
    let authority = Authority::new();
    let answer = Arc::new(AtomicU16::new(201));
    let now = answer.clone();
    let receiver = Receiver::tls(&authority, "localhost", move |_, _| {
        let status = StatusCode::from_u16(now.load(Ordering::SeqCst)).unwrap();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return (status, [(header::RETRY_AFTER, "120")]).into_response();
        }
        status.into_response()
    })
    .await;
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("authority.pem"), authority.pem()).unwrap();
    let more = "[server]\npublic_url = \"https://vidimus.example\"\n\
                [outside]\nloopback = true\nauthorities = \"authority.pem\"\npush_hosts = [\"push.example\", \"localhost\"]\n";
    let config = configuration(directory.path(), more);
    initialise(&config).await;
    let clock = Arc::new(Later::default());
    let app = TestApp::opened(directory, config, clock.clone()).await;
    (app, clock, Service { receiver, answer })
}

impl Service {
    fn endpoint(&self, device: &str) -> NewSubscription {
        NewSubscription {
            endpoint: format!("https://localhost:{}/push/{device}", self.receiver.port),
        }
    }
    fn count(&self) -> usize {
        self.receiver.requests().len()
    }
}

async fn wake(app: &TestApp) {
    let notice = push::notice(&app.app);
    app.app
        .store
        .write(move |tx| push::notify(tx, &OWNER, &notice))
        .await
        .unwrap();
    app.app.wake.deliveries.notify_one();
}

/// What a push service does with each message: who sends it, to whom, until when.
fn verified(app: &TestApp, request: &Received, origin: &str, key: &str) {
    assert!(request.body.is_empty());
    assert_eq!(request.header("urgency"), "high");
    let ttl: i64 = request.header("ttl").parse().unwrap();
    assert!((86_000..=86_400).contains(&ttl), "{ttl}");
    let shown = request.header("authorization").strip_prefix("vapid ").unwrap();
    let parts: Vec<_> = shown.split(", ").collect();
    let [token, own] = [
        parts[0].strip_prefix("t=").unwrap(),
        parts[1].strip_prefix("k=").unwrap(),
    ];
    assert_eq!(own, key, "the key that wallets subscribed with");
    let point: [u8; 65] = encoding::from_base64url(own).unwrap().try_into().unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = encoding::from_base64url(signature).unwrap();
    let provider = app.app.provider();
    provider
        .verify(
            Algorithm::Es256,
            &PublicKey::P256(point),
            message.as_bytes(),
            &signature,
        )
        .unwrap();
    let mut halves = message
        .split('.')
        .map(|half| -> Value { serde_json::from_slice(&encoding::from_base64url(half).unwrap()).unwrap() });
    let (head, claims) = (halves.next().unwrap(), halves.next().unwrap());
    assert_eq!((&head["alg"], &head["typ"]), (&"ES256".into(), &"JWT".into()));
    assert_eq!(claims["aud"], origin);
    assert_eq!(claims["sub"], "https://vidimus.example");
    let left = claims["exp"].as_i64().unwrap() - app.app.now().0;
    assert!((0..=86_400).contains(&left), "{left}");
}

/// Whoever waits for a result is woken when it is reported, and fetches it.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_waits_for_a_result_is_woken() {
    let (app, _, service) = setting().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let body = json!({"category": "sars-cov-2-naat"});
    let offer = app.post("/v1/offers", Some(&laboratory.key), &body).await;
    let offer = offer.expect(StatusCode::CREATED);
    let traveller = Traveller::new();
    let wallet = Wallet::of_offer(&app, &offer).await;
    let tokens = wallet.pre_authorized(&app, &traveller, Some(code(&offer))).await;
    let subscription = json!(service.endpoint("phone"));
    let nobody = json!({"access_token": "x"});
    for (tokens, body, status) in [
        (&tokens, &subscription, StatusCode::NO_CONTENT),
        (&nobody, &subscription, StatusCode::UNAUTHORIZED),
        (
            &tokens,
            &json!({"endpoint": "https://elsewhere.example/1"}),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (&tokens, &json!(7), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = wallet
            .resource(&app, &traveller, tokens, "push-subscription", body)
            .await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let waiting = wallet
        .claim(&app, &traveller, &tokens, "sars-cov-2-naat.dc+sd-jwt", 1)
        .await;
    let waiting = waiting.expect(StatusCode::ACCEPTED);
    let mut report = result("P1234567");
    report["offer"] = offer["id"].clone();
    let reported = app.post("/v1/results", Some(&laboratory.key), &report).await;
    reported.expect(StatusCode::CREATED);
    app.until("it is woken", async || service.count() == 1).await;
    assert!(service.receiver.requests()[0].body.is_empty());
    let transaction = json!({"transaction_id": waiting["transaction_id"]});
    let ready = wallet
        .resource(&app, &traveller, &tokens, "deferred-credential", &transaction)
        .await;
    ready.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_woken_by_an_empty_message_that_says_who_sends_it() {
    let (app, _, service) = setting().await;
    let deployment = app.get("/v1/deployment", None).await.expect(StatusCode::OK);
    let key = deployment["push_key"].as_str().unwrap();
    wake(&app).await;
    for device in ["one", "two", "one"] {
        push::subscribe(&app.app, OWNER, &service.endpoint(device))
            .await
            .unwrap();
    }
    push::subscribe(&app.app, Digest([6; 32]), &service.endpoint("another"))
        .await
        .unwrap();
    wake(&app).await;
    app.until("both devices are woken", async || service.count() >= 2).await;
    let requests = service.receiver.requests();
    let mut paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/push/one", "/push/two"], "each once, and nobody else");
    let origin = format!("https://localhost:{}", service.receiver.port);
    for request in &requests {
        verified(&app, request, &origin, key);
    }
    let files: Vec<_> = std::fs::read_dir(&app.app.config.data_dir).unwrap().flatten().collect();
    for file in files.iter().filter(|file| file.path().is_file()) {
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(
            !bytes.windows(9).any(|window| window == b"/push/one"),
            "{:?}",
            file.path()
        );
    }
    push::unsubscribe(&app.app, OWNER).await.unwrap();
    wake(&app).await;
    app.app.store.read(vidimus_store::deliveries::next_due).await.unwrap();
    assert_eq!(service.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_forgotten_and_what_is_too_much_waits() {
    let (app, clock, service) = setting().await;
    push::subscribe(&app.app, OWNER, &service.endpoint("one"))
        .await
        .unwrap();
    service.answer.store(429, Ordering::SeqCst);
    wake(&app).await;
    app.until("it is tried", async || service.count() == 1).await;
    let due = async || app.app.store.read(vidimus_store::deliveries::next_due).await.unwrap();
    app.until("it waits as long as the service says", async || {
        due().await.is_some_and(|due| due >= app.app.now().plus(100))
    })
    .await;
    service.answer.store(201, Ordering::SeqCst);
    clock.by(200);
    app.until("it is tried again", async || service.count() == 2).await;
    app.until("and is done", async || due().await.is_none()).await;
    for (status, forgotten) in [(400, false), (404, true), (410, true)] {
        push::subscribe(&app.app, OWNER, &service.endpoint("one"))
            .await
            .unwrap();
        service.answer.store(status, Ordering::SeqCst);
        let before = service.count();
        wake(&app).await;
        app.until("it is tried", async || service.count() == before + 1).await;
        app.until("and done with", async || due().await.is_none()).await;
        let notice = push::notice(&app.app);
        let queued = app.app.store.write(move |tx| {
            vidimus_store::push::notify(
                tx,
                &OWNER,
                &[9; 16],
                vidimus_core::Timestamp(0),
                vidimus_core::Timestamp(1),
            )
        });
        assert_eq!(queued.await.unwrap() == 0, forgotten, "{status}: {notice:?}");
        clock.by(300);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_known_push_services_are_taken() {
    let (app, _, service) = setting().await;
    for endpoint in [
        "https://push.example/x".to_owned(),
        "https://eu.push.example/x".to_owned(),
        format!("https://localhost:{}/x", service.receiver.port),
    ] {
        push::subscribe(&app.app, OWNER, &NewSubscription { endpoint })
            .await
            .unwrap();
    }
    for endpoint in [
        "https://evil-push.example/x",
        "https://push.example.evil/x",
        "https://fcm.googleapis.com/x",
        "https://127.0.0.1/x",
        "https://10.0.0.1/x",
        "http://push.example/x",
        "https://push.example@evil.example/x",
        "push.example",
        "",
    ] {
        let endpoint = endpoint.to_owned();
        let refused = push::subscribe(
            &app.app,
            OWNER,
            &NewSubscription {
                endpoint: endpoint.clone(),
            },
        )
        .await;
        assert!(matches!(refused, Err(vidimus::app::Error::Invalid(_))), "{endpoint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_older_than_the_key_gets_one_and_keeps_it() {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), "");
    initialise(&config).await;
    let provider = Arc::new(vidimus_crypto::Native::new());
    let open = async || {
        vidimus::app::deployment::open_store(&config, provider.clone(), vidimus_store::Missing::Refuse)
            .await
            .unwrap()
    };
    let store = open().await;
    let removed = store.write(|tx| vidimus_store::testing::execute(tx, "DELETE FROM keys WHERE purpose = 'push'", &[]));
    assert_eq!(removed.await.unwrap(), 1);
    let root = vidimus_crypto::RootKey::load(&config.root_key).unwrap();
    let keys = vidimus::app::keys::Keys::derive(&root);
    let now = vidimus_core::Timestamp(1_772_000_000);
    let (one, other) = tokio::join!(push::key(&store, &keys, now), push::key(&store, &keys, now));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((one.id, &one.public), (other.id, &other.public));
    assert_eq!(push::key(&store, &keys, now).await.unwrap().id, one.id);
}
