//! A verifier that may not ask (not admitted, suspended, revoked) is told the same whatever there is to be told: whether a certificate is held
//! and genuine, whether an attribute is registered, whether somebody answered. Status, headers, size and text are compared; time is measured.

use super::{left::leave, *};
use crate::harness::{Answer, laboratory};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Nothing has this id.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// What can be seen of an answer.
#[derive(Debug, PartialEq)]
struct Seen {
    status: StatusCode,
    headers: BTreeMap<String, Vec<u8>>,
    length: usize,
    body: Value,
}

fn seen(answer: &Answer) -> Seen {
    let mut headers: BTreeMap<_, _> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    let id = headers.get_mut("x-request-id").expect("each answer has an id");
    id.fill(b'0');
    let mut body = answer.json();
    // The id of the request again, of one length.
    body.as_object_mut().unwrap().remove("instance");
    Seen {
        status: answer.status,
        headers,
        length: answer.body.len(),
        body,
    }
}

/// What is sent, made anew for each time.
struct Probe {
    method: Method,
    path: String,
    key: Option<String>,
    kind: &'static str,
    body: String,
}

impl Probe {
    fn of(key: &str, method: Method, path: impl Into<String>, body: Option<&Value>) -> Self {
        Self {
            method,
            path: path.into(),
            key: Some(key.to_owned()),
            kind: "application/json",
            body: body.map(Value::to_string).unwrap_or_default(),
        }
    }
    fn of_wallet(method: Method, path: impl Into<String>, body: &str) -> Self {
        Self {
            method,
            path: path.into(),
            key: None,
            kind: "application/x-www-form-urlencoded",
            body: body.to_owned(),
        }
    }
    async fn send(&self, app: &TestApp) -> Answer {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        if !self.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, self.kind);
        }
        app.send(request.body(Body::from(self.body.clone())).unwrap()).await
    }
}

/// Probes that must all be answered alike.
struct Group(&'static str, Vec<Probe>);

/// A verifier that has asked while it might.
struct Asker {
    participant: Participant,
    answered: Value,
    declined: Value,
    open: Value,
    /// The answer to the open one, as a wallet sends it.
    answer: HttpRequest,
    left: String,
}

fn id(view: &Value) -> &str {
    view["id"].as_str().unwrap()
}

async fn asker(app: &TestApp, world: &World, name: &str) -> Asker {
    let mut admission = airline();
    admission["name"] = name.into();
    let participant = app.admit(&world.authority, &admission).await;
    let mut views = Vec::new();
    for _ in 0..3 {
        let view = ask(app, &participant, &asked()).await;
        let incoming = received(app, &wallet(), &view).await.unwrap();
        views.push((view, incoming));
    }
    let [(answered, one), (declined, two), (open, three)]: [_; 3] = views.try_into().ok().unwrap();
    let text = presentation(app, world, &one, &names(), Map::new());
    answer(app, &one, text).await.expect(StatusCode::OK);
    let no = two
        .decline(ErrorCode::AccessDenied, &Native::new(), &mut OsEntropy)
        .unwrap();
    send(app, &no).await.expect(StatusCode::OK);
    let text = presentation(app, world, &three, &names(), Map::new());
    let token = VpToken::new().with("c0", vec![Presentation::Text(text)]);
    let answer = three
        .present(&token, app.app.now(), &Native::new(), &mut OsEntropy)
        .unwrap();
    let left = leave(app, &participant, "192.0.2.1:1")
        .await
        .expect(StatusCode::CREATED);
    Asker {
        participant,
        answered,
        declined,
        open,
        answer,
        left: id(&left).to_owned(),
    }
}

/// What a verifier asks the server with its own key. Of one that never asked, everything is somebody else's.
fn own(world: &World, copy: &str, verifier: &Participant, asked_before: Option<&Asker>) -> Vec<Group> {
    let key = verifier.key.as_str();
    let post = |path: &str, body: &Value| Probe::of(key, Method::POST, path, Some(body));
    let get = |path: String| Probe::of(key, Method::GET, path, None);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut body = asked();
        change(&mut body);
        post("/v1/presentations", &body)
    };
    let check = |input: &str, more: Value| {
        let mut body = json!({"input": input, "purpose": "boarding"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post("/v1/checks", &body)
    };
    let mut ids = [NOBODY, "11111111-1111-4111-8111-111111111111"]
        .map(str::to_owned)
        .to_vec();
    let mut left = vec![NOBODY.to_owned()];
    if let Some(before) = asked_before {
        ids.extend([&before.answered, &before.declined, &before.open].map(|view| id(view).to_owned()));
        left.push(before.left.clone());
    }
    let mut read = vec![get("/v1/presentations".into()), get("/v1/left-presentations".into())];
    read.extend(ids.iter().map(|id| get(format!("/v1/presentations/{id}"))));
    read.extend(left.iter().map(|id| get(format!("/v1/left-presentations/{id}"))));
    let confirmation = json!({"response_code": "x", "session": "y"});
    let confirm = ids
        .iter()
        .map(|id| post(&format!("/v1/presentations/{id}/confirmation"), &confirmation));
    let forged = copy.replacen('.', ".e30", 1);
    let mut checks = vec![
        check(copy, json!({})),
        check(&world.copy, json!({"attributes": ["family_name"]})),
        check(copy, json!({"attributes": ["birth_date"]})),
        check(&forged, json!({})),
        check("nothing", json!({})),
    ];
    for id in &left {
        let path = format!("/v1/left-presentations/{id}/check");
        checks.extend(["boarding", "marketing"].map(|purpose| post(&path, &json!({"purpose": purpose}))));
    }
    vec![
        Group(
            "ask",
            vec![
                post("/v1/presentations", &asked()),
                changed(&|body| body["credentials"][0]["attributes"] = json!(["birth_date"])),
                changed(&|body| body["purpose"] = "marketing".into()),
                changed(&|body| body["credentials"][0]["category"] = "no-such-category".into()),
                changed(&|body| body["expires_in"] = 1.into()),
                post("/v1/presentation-requests", &json!({"purpose": "boarding"})),
                post("/v1/presentation-requests", &json!({"purpose": "marketing"})),
            ],
        ),
        Group("check", checks),
        Group("read", read),
        Group(
            "follow",
            vec![get("/v1/events".into()), get("/v1/events?after=0".into())],
        ),
        Group("confirm", confirm.collect()),
    ]
}

/// What anybody asks about the requests of verifiers who may not ask, as a wallet would; and about requests that there are not.
fn as_wallets(askers: &[&Asker], nobodies: &[&str]) -> Vec<Group> {
    let (mut get, mut post, mut respond, mut unreadable) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut probe = |id: &str, responses: &[&str]| {
        let (request, response) = (
            format!("/presentations/{id}/request"),
            format!("/presentations/{id}/response"),
        );
        get.push(Probe::of_wallet(Method::GET, &request, ""));
        post.push(Probe::of_wallet(Method::POST, &request, "wallet_nonce=n"));
        unreadable.push(Probe::of_wallet(Method::POST, &response, "response=x"));
        let responses = responses
            .iter()
            .map(|body| Probe::of_wallet(Method::POST, &response, body));
        respond.extend(responses);
    };
    for asker in askers {
        let right = asker.answer.body.as_deref().unwrap();
        for id in [NOBODY, id(&asker.open), id(&asker.answered), id(&asker.declined)] {
            probe(id, &[right]);
        }
    }
    let mut leave: Vec<_> = askers.iter().map(|asker| asker.participant.id.as_str()).collect();
    leave.extend(nobodies);
    let leave = leave.into_iter().map(|verifier| Probe {
        kind: "application/json",
        ..Probe::of_wallet(
            Method::POST,
            "/v1/left-presentations",
            &json!({"verifier": verifier, "payload": "c2VhbGVk"}).to_string(),
        )
    });
    vec![
        Group("fetch", get),
        Group("fetch by post", post),
        Group("respond", respond),
        Group("unreadable", unreadable),
        Group("leave", leave.collect()),
    ]
}

/// The scene: two that have asked and may not any more, one that never might.
struct Scene {
    world: World,
    suspended: Asker,
    revoked: Asker,
    pending: Participant,
    issuer: String,
}

async fn scene(app: &TestApp) -> Scene {
    let world = world(app).await;
    let suspended = asker(app, &world, "Suspended Air").await;
    let revoked = asker(app, &world, "Revoked Air").await;
    let issuer = app.admit(&world.authority, &laboratory("Another laboratory")).await.id;
    for (asker, what) in [(&suspended, "suspend"), (&revoked, "revoke")] {
        let path = format!("/v1/participants/{}/{what}", asker.participant.id);
        app.post(&path, Some(&world.authority), &json!({"reason": "accreditation-lost"}))
            .await
            .expect(StatusCode::OK);
        app.until("it is on the ledger", async || {
            let asked = app
                .post("/v1/presentations", Some(&asker.participant.key), &asked())
                .await;
            asked.status == StatusCode::FORBIDDEN
        })
        .await;
    }
    // The chain is not followed any more: whoever is admitted now is not in the registry.
    app.end_jobs().await;
    let mut admission = airline();
    admission["name"] = "Pending Air".into();
    let made = app.post("/v1/participants", Some(&world.authority), &admission).await;
    let made = made.expect(StatusCode::CREATED);
    let pending = Participant {
        id: made["participant"]["id"].as_str().unwrap().to_owned(),
        key: made["api_key"].as_str().unwrap().to_owned(),
    };
    Scene {
        world,
        suspended,
        revoked,
        pending,
        issuer,
    }
}

impl Scene {
    fn groups(&self) -> Vec<(&'static str, Group)> {
        let copy = self.world.copy.as_str();
        let of = |who: &'static str, groups: Vec<Group>| groups.into_iter().map(move |group| (who, group));
        let before = |asker| own(&self.world, copy, asker, None);
        let mut all = Vec::new();
        let suspended = &self.suspended;
        all.extend(of(
            "suspended",
            own(&self.world, copy, &suspended.participant, Some(suspended)),
        ));
        all.extend(of(
            "revoked",
            own(&self.world, copy, &self.revoked.participant, Some(&self.revoked)),
        ));
        all.extend(of("not admitted", before(&self.pending)));
        let nobodies = [self.pending.id.as_str(), &self.issuer, NOBODY, "no-id"];
        all.extend(of("anybody", as_wallets(&[&self.suspended, &self.revoked], &nobodies)));
        all
    }
}

pub async fn a_verifier_that_may_not_ask_is_told_nothing(app: TestApp) {
    let scene = scene(&app).await;
    for (who, Group(what, probes)) in scene.groups() {
        let mut first = None;
        for probe in &probes {
            let answer = seen(&probe.send(&app).await);
            assert!(
                answer.status.is_client_error(),
                "{who}, {what}, {}: {answer:?}",
                probe.path
            );
            match &first {
                None => first = Some(answer),
                Some(first) => assert_eq!(&answer, first, "{who}, {what}, {} {}", probe.method, probe.path),
            }
        }
        assert!(probes.len() > 1, "{who}, {what}");
    }
    // Nor afterwards: what wallets did meanwhile has left no trace.
    let id: vidimus_core::id::PresentationId = id(&scene.suspended.open).parse().unwrap();
    let scope = vidimus_store::Scope::on_behalf_of(scene.suspended.participant.id.parse().unwrap());
    let kept = app
        .app
        .store
        .read(move |tx| vidimus_store::presentations::find(tx, &scope, id));
    let kept = kept.await.unwrap().unwrap();
    assert_eq!((kept.fetches, kept.wrong_answers, kept.answer), (1, 0, None));
}

/// Medians of each group's answers, and the ratio of the slowest to the fastest probe in it. Prints, since a busy machine proves nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test -p vidimus --test vidimus told::time -- --ignored --nocapture"]
async fn time_is_measured() {
    const ROUNDS: usize = 300;
    let app =
        TestApp::with("[server.limits]\naddress_requests_per_minute = 10000000\nkey_requests_per_minute = 10000000\n")
            .await;
    let scene = scene(&app).await;
    println!(
        "{:<13} {:<12} {:>7} {:>9} {:>9} {:>6}",
        "who", "asks", "probes", "least µs", "most µs", "ratio"
    );
    for (who, Group(what, probes)) in scene.groups() {
        let mut taken = vec![Vec::with_capacity(ROUNDS); probes.len()];
        for _ in 0..ROUNDS {
            // In turn, so that what the machine does meanwhile hits all alike.
            for (probe, taken) in probes.iter().zip(&mut taken) {
                let start = Instant::now();
                let answer = probe.send(&app).await;
                taken.push(start.elapsed());
                assert!(answer.status.is_client_error(), "{who}, {what}");
            }
        }
        let medians: Vec<Duration> = taken
            .iter_mut()
            .map(|times| {
                times.sort();
                times[ROUNDS / 2]
            })
            .collect();
        let micros = |time: &Duration| time.as_secs_f64() * 1e6;
        let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
        println!(
            "{who:<13} {what:<12} {:>7} {:>9.0} {:>9.0} {:>6.2}",
            probes.len(),
            micros(least),
            micros(most),
            micros(most) / micros(least)
        );
        if std::env::var_os("VIDIMUS_TOLD_ALL").is_some() {
            for (probe, median) in probes.iter().zip(&medians) {
                println!(
                    "    {:>9.0} {} {} {}",
                    micros(median),
                    probe.method,
                    probe.path,
                    probe.body.len()
                );
            }
        }
    }
}
