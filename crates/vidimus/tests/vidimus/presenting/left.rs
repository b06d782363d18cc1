//! What is left for a verifier, and by whom: so much, and no more.

use super::*;
use axum::extract::ConnectInfo;
use vidimus_core::{
    Timestamp,
    encoding::{base64url, from_base64url},
    id::PresentationId,
};
use vidimus_crypto::{
    SealingPublicKey,
    envelope::{self, Padding},
};
use vidimus_store::{Scope, checks, left_presentations};

/// A client at this address leaves something sealed for the airline.
pub async fn leave(app: &TestApp, airline: &Participant, from: &str) -> crate::harness::Answer {
    leave_this(app, airline, from, b"sealed").await
}

async fn leave_this(app: &TestApp, airline: &Participant, from: &str, sealed: &[u8]) -> crate::harness::Answer {
    let address: std::net::SocketAddr = from.parse().unwrap();
    let body = json!({"verifier": airline.id, "payload": base64url(sealed)}).to_string();
    let request = Request::post("/v1/left-presentations")
        .header(header::CONTENT_TYPE, "application/json")
        .extension(ConnectInfo(address))
        .body(Body::from(body));
    app.send(request.unwrap()).await
}

pub async fn one_sender_does_not_fill_a_verifier_s_box(app: TestApp) {
    let authority = app.set_up().await;
    let airline = app.admit(&authority, &airline()).await;
    for from in ["192.0.2.7:4000", "[2001:db8:1:2::7]:4000"] {
        for count in 0..200 {
            assert_eq!(leave(&app, &airline, from).await.status, StatusCode::CREATED, "{count}");
        }
        let more = leave(&app, &airline, from).await;
        assert_eq!(
            (more.status, more.problem().as_str()),
            (StatusCode::FORBIDDEN, "left-limit")
        );
    }
    let neighbour = leave(&app, &airline, "[2001:db8:1:2:ffff::1]:9").await;
    assert_eq!(neighbour.problem(), "left-limit", "a subscriber has a whole network");
    for from in ["192.0.2.8:4000", "[2001:db8:1:3::7]:4000"] {
        assert_eq!(leave(&app, &airline, from).await.status, StatusCode::CREATED, "{from}");
    }
    let page = app.get("/v1/left-presentations?limit=500", Some(&airline.key)).await;
    assert_eq!(page.expect(StatusCode::OK)["items"].as_array().unwrap().len(), 402);
}

pub async fn one_network_does_not_fill_it_from_all_its_addresses(app: TestApp) {
    let authority = app.set_up().await;
    let airline = app.admit(&authority, &airline()).await;
    // But one of what a network leaves in a day.
    for network in ["192.0.2.0", "2001:db8:1::"] {
        let hash = app.app.keys.credential_hash("left-network", network.as_bytes());
        let now = app.app.now();
        let counted = app
            .app
            .store
            .write(move |tx| vidimus_store::limits::hit_by(tx, "left-network", &hash, 1_999, 86_400, now))
            .await;
        assert_eq!(counted.unwrap(), 1_999);
    }
    for (last, more, others) in [
        ("192.0.2.7:1", "192.0.2.200:1", "192.0.3.7:1"),
        ("[2001:db8:1:2::7]:1", "[2001:db8:1:ffff::7]:1", "[2001:db8:2::7]:1"),
    ] {
        assert_eq!(leave(&app, &airline, last).await.status, StatusCode::CREATED, "{last}");
        let refused = leave(&app, &airline, more).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (StatusCode::FORBIDDEN, "left-limit"),
            "{more}"
        );
        assert_eq!(
            leave(&app, &airline, others).await.status,
            StatusCode::CREATED,
            "{others}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_senders_together_leave_so_many_in_a_day() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let airline = app.admit(&authority, &airline()).await;
    let now = app.app.now();
    app.app
        .store
        .write(move |tx| {
            (0..49_999).try_for_each(|_| vidimus_store::limits::hit(tx, "left-all", &[], 86_400, now).map(drop))
        })
        .await
        .unwrap();
    assert_eq!(leave(&app, &airline, "192.0.2.7:1").await.status, StatusCode::CREATED);
    let more = leave(&app, &airline, "192.0.2.8:1").await;
    assert_eq!(
        (more.status, more.problem().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "left-capacity")
    );
}

/// The airline's DID and its newest sealing key, as the registry says them.
async fn registered(app: &TestApp, airline: &Participant) -> (String, SealingPublicKey) {
    let registry = app.get("/v1/registry/verifiers", None).await.expect(StatusCode::OK);
    let mut items = registry["items"].as_array().unwrap().iter();
    let entry = items.find(|one| one["id"] == airline.id.as_str()).unwrap();
    let mut keys = entry["keys"].as_array().unwrap().iter();
    let key = keys.find(|key| key["purpose"] == "sealing" && key["state"] == "active");
    let point = from_base64url(key.unwrap()["jwk"]["x"].as_str().unwrap()).unwrap();
    let did = entry["did"].as_str().unwrap().to_owned();
    (did, SealingPublicKey(point.try_into().unwrap()))
}

fn seal(to: &SealingPublicKey, info: &[u8], plain: &str) -> Vec<u8> {
    envelope::seal(to, info, &[], plain.as_bytes(), Padding::Buckets, &mut OsEntropy).unwrap()
}

/// An airline's box: what is put in, and how it is told of it.
struct Box<'a> {
    app: &'a TestApp,
    world: &'a World,
    did: String,
    key: SealingPublicKey,
}

const INFO: &[u8] = b"vidimus/left/v1";

impl Box<'_> {
    /// What a holder leaves: a presentation that is bound to this, at this time.
    fn content(&self, audience: &str, nonce: &str, at: Timestamp) -> Value {
        let draft = key_binding::Draft {
            audience,
            nonce,
            issued_at: at,
            more: Map::new(),
        };
        let presentation = bound(self.world, &draft, &names());
        json!({"presentation": presentation, "nonce": "n-1", "audience": self.did, "purpose": "boarding"})
    }

    fn good(&self) -> Value {
        self.content(&self.did, "n-1", self.app.app.now())
    }

    async fn put(&self, sealed: &[u8]) -> String {
        let left = leave_this(self.app, &self.world.airline, "192.0.2.1:1", sealed).await;
        left.expect(StatusCode::CREATED)["id"].as_str().unwrap().to_owned()
    }

    /// Put in with a time of its own.
    async fn put_at(&self, content: &Value, at: Timestamp) -> String {
        let id = PresentationId::generate(&mut OsEntropy);
        let left = left_presentations::Left {
            id,
            participant: self.world.airline.id.parse().unwrap(),
            payload: seal(&self.key, INFO, &content.to_string()),
            created: at,
            expires: at.plus(86_400),
        };
        let write = self
            .app
            .app
            .store
            .write(move |tx| left_presentations::insert(tx, &left, 100));
        assert!(write.await.unwrap());
        id.to_string()
    }

    async fn ask(&self, key: &str, id: &str, body: &Value) -> crate::harness::Answer {
        let path = format!("/v1/left-presentations/{id}/check");
        self.app.post(&path, Some(key), body).await
    }

    async fn check(&self, id: &str) -> Value {
        let answer = self
            .ask(&self.world.airline.key, id, &json!({"purpose": "boarding"}))
            .await;
        answer.expect(StatusCode::OK)
    }

    /// Left and checked: the verdict, the reasons that did not pass, and whether an attribute was told.
    async fn verdict(&self, content: &str) -> (String, Vec<String>, bool) {
        judged(&self.check(&self.put(&seal(&self.key, INFO, content)).await).await)
    }

    /// Reasons of the checks that are on record.
    async fn recorded(&self) -> Vec<String> {
        let scope = Scope::on_behalf_of(self.world.airline.id.parse().unwrap());
        let rows = self.app.app.store.read(move |tx| checks::list(tx, &scope, 500)).await;
        rows.unwrap().into_iter().map(|row| row.reasons).collect()
    }
}

fn judged(answer: &Value) -> (String, Vec<String>, bool) {
    let tests = answer["tests"].as_array().unwrap().iter();
    let failed = tests.filter(|test| test["outcome"] == "failed");
    (
        answer["verdict"].as_str().unwrap().to_owned(),
        failed.map(|test| test["reason"].as_str().unwrap().to_owned()).collect(),
        answer["attributes"] != json!({}),
    )
}

fn invalid(reason: &str) -> (String, Vec<String>, bool) {
    ("invalid".to_owned(), vec![reason.to_owned()], false)
}

pub async fn what_is_left_is_opened_for_its_verifier_and_checked(app: TestApp) {
    let world = world(&app).await;
    anchored(&app, &world).await;
    let (did, key) = registered(&app, &world.airline).await;
    let of_airline = Box {
        app: &app,
        world: &world,
        did,
        key,
    };
    let id = is_checked_within_the_registration(&of_airline).await;
    is_for_this_verifier_and_purpose_and_was_new(&of_airline).await;
    what_is_none_is_malformed(&of_airline).await;

    // Another verifier has it not; new keys open what was sealed to those before.
    let other = app.admit(&world.authority, &crate::harness::airline("Other Air")).await;
    let purpose = json!({"purpose": "boarding"});
    let foreign = of_airline.ask(&other.key, &id, &purpose).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let (did_of_other, key_of_other) = registered(&app, &other).await;
    let sealed = seal(&key_of_other, INFO, &of_airline.good().to_string());
    let mine = leave_this(&app, &other, "192.0.2.1:1", &sealed)
        .await
        .expect(StatusCode::CREATED);
    let taken = of_airline.ask(&other.key, mine["id"].as_str().unwrap(), &purpose).await;
    assert_eq!(judged(&taken.expect(StatusCode::OK)), invalid("audience_mismatch"));
    assert_ne!(did_of_other, of_airline.did);
    let path = format!("/v1/participants/{}/keys", world.airline.id);
    app.post(&path, Some(&world.authority), &json!({}))
        .await
        .expect(StatusCode::OK);
    app.until("the new keys are in force", async || {
        registered(&app, &world.airline).await.1.0 != of_airline.key.0
    })
    .await;
    assert_eq!(of_airline.check(&id).await["verdict"], "valid");

    let path = format!("/v1/left-presentations/{id}");
    let removed = app.ask(Method::DELETE, &path, Some(&world.airline.key), None).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let gone = of_airline.ask(&world.airline.key, &id, &purpose).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

async fn is_checked_within_the_registration(of_airline: &Box<'_>) -> String {
    let airline = &of_airline.world.airline;
    let id = of_airline
        .put(&seal(&of_airline.key, INFO, &of_airline.good().to_string()))
        .await;
    for _ in 0..2 {
        let answer = of_airline.check(&id).await;
        assert_eq!(answer["verdict"], "valid", "{answer}");
        assert_eq!(
            answer["attributes"]["family_name"], "Musterfrau",
            "its own, so as often as it likes: {answer}"
        );
    }
    let ask = async |body: Value| of_airline.ask(&airline.key, &id, &body).await;
    let less = ask(json!({"purpose": "boarding", "attributes": ["result"]})).await;
    assert_eq!(
        less.expect(StatusCode::OK)["attributes"],
        json!({"result": "260415000"})
    );
    let beyond = ask(json!({"purpose": "boarding", "attributes": ["birth_date"]})).await;
    assert_eq!(beyond.problem(), "attribute-not-granted");
    assert_eq!(
        ask(json!({"purpose": "marketing"})).await.problem(),
        "purpose-not-granted"
    );
    assert_eq!(ask(json!({})).await.problem(), "json");
    let opened = ask(json!({"purpose": "boarding", "opened": of_airline.good()})).await;
    assert_eq!(opened.problem(), "left-opened", "this server has the keys");
    assert_eq!(
        of_airline.recorded().await,
        ["", "", ""],
        "each check counts, a refusal does not"
    );
    id
}

async fn is_for_this_verifier_and_purpose_and_was_new(of_airline: &Box<'_>) {
    let (did, now) = (of_airline.did.as_str(), of_airline.app.app.now());
    let changed = |name: &str, value: &str| {
        let mut content = of_airline.good();
        content[name] = value.into();
        content.to_string()
    };
    let elsewhere = of_airline.content(
        "did:ethr:0x56494d:0x0000000000000000000000000000000000000001",
        "n-1",
        now,
    );
    for (content, reason) in [
        (changed("audience", "did:web:other.example"), "audience_mismatch"),
        (elsewhere.to_string(), "audience_mismatch"),
        (changed("purpose", "marketing"), "purpose_mismatch"),
        (changed("nonce", "another"), "nonce_mismatch"),
        (of_airline.content(did, "n-2", now).to_string(), "nonce_mismatch"),
        (
            of_airline.content(did, "n-1", now.plus(-600)).to_string(),
            "presentation_expired",
        ),
    ] {
        let (verdict, reasons, _) = of_airline.verdict(&content).await;
        assert_eq!((verdict.as_str(), reasons), ("invalid", vec![reason.to_owned()]));
    }
    // New when it was left, it counts for as long as it lies there.
    let before = now.plus(-36_000);
    let content = of_airline.content(did, "n-1", before);
    let lying = of_airline.put_at(&content, before.plus(5)).await;
    assert_eq!(of_airline.check(&lying).await["verdict"], "valid");
    let late = of_airline.put_at(&content, before.plus(600)).await;
    assert_eq!(judged(&of_airline.check(&late).await).1, ["presentation_expired"]);
}

async fn what_is_none_is_malformed(of_airline: &Box<'_>) {
    let malformed = invalid("malformed");
    let good = of_airline.good();
    let with = |presentation: &str| {
        let mut content = good.clone();
        content["presentation"] = presentation.into();
        content.to_string()
    };
    let copy = SdJwt::parse(&of_airline.world.copy).unwrap();
    let bare = copy.present(&copy.process(&Native::new()).unwrap().choose(&names()).unwrap());
    for content in ["", "nonsense", "{}", "[]", "null", &with(""), &with(&bare), &with("{}")] {
        assert_eq!(of_airline.verdict(content).await, malformed, "{content}");
    }
    let mut more = good.clone();
    more["more"] = 1.into();
    assert_eq!(of_airline.verdict(&more.to_string()).await, malformed);
    let good = good.to_string();
    for sealed in [
        b"sealed".to_vec(),
        vec![2; 4096],
        seal(&of_airline.key, b"vidimus/copy/v1", &good),
        seal(&SealingPublicKey([9; 32]), INFO, &good),
    ] {
        let before = of_airline.recorded().await.len();
        let answer = of_airline.check(&of_airline.put(&sealed).await).await;
        assert_eq!(judged(&answer), malformed, "{answer}");
        assert_eq!(answer["tests"].as_array().unwrap().len(), 1, "and nothing else is said");
        let recorded = of_airline.recorded().await;
        assert_eq!(recorded.len(), before + 1);
        assert!(recorded.contains(&"malformed".to_owned()), "it counts");
    }
}
