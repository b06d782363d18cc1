//! The server is killed while wallets claim and present. Whatever was acknowledged holds; no offer is used up without its certificate being
//! claimable; no answer counts twice.
//!
//! A fourth of `VIDIMUS_KILL_ROUNDS` is made (3 rounds without it), with `VIDIMUS_KILL_SEED`. The first round, and each sixth after it, is killed at a
//! random moment, the others abort at a fail-point on a wallet's way ([`fault::OF_WALLETS`]).

use super::{PATIENCE, SIGABRT, begin, number, outside::Choices, seed};
use crate::{
    claimer::{self, Claimer, new_key},
    harness::result,
    program,
    server::{Api, Server},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::process::ExitStatusExt,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};
use vidimus::fault;
use vidimus_core::Provider as _;
use vidimus_credential::{
    format::{self, Content},
    sd_jwt::{ClaimPath, SdJwt},
    x509::Certificate,
};
use vidimus_crypto::{Native, SigningKey};

const TRAVELLERS: u64 = 6;
const CONFIGURATION: &str = "sars-cov-2-naat.dc+sd-jwt";

/// One traveller's way from the laboratory to the airline, as far as it was acknowledged. What is kept is what the outside knows.
struct Journey {
    name: String,
    dpop: SigningKey,
    key: SigningKey,
    report: Value,
    /// How often the laboratory offered: again, where the answer that had the token got lost.
    offers: u64,
    result: Option<String>,
    offer: Option<Value>,
    token: Option<(Claimer, String)>,
    copy: Option<String>,
    request: Option<Value>,
    /// Whether the airline's server said that it took the answer.
    acknowledged: bool,
    /// Whether it said afterwards that there is nothing to answer: then it had taken one whose acknowledgement got lost.
    presented: bool,
}

impl Journey {
    fn new(name: String) -> Self {
        Self {
            report: result(&name.to_uppercase()),
            name,
            dpop: new_key(),
            key: new_key(),
            offers: 0,
            result: None,
            offer: None,
            token: None,
            copy: None,
            request: None,
            acknowledged: false,
            presented: false,
        }
    }
}

/// How often an event of a kind was told of an object.
type Told = BTreeMap<(String, String), u64>;

/// What is counted.
#[derive(Default)]
struct Counts {
    acknowledged: AtomicU64,
    /// Codes whose token got lost on its way.
    offered_again: AtomicU64,
    /// Answers that were taken and whose acknowledgement got lost.
    taken_unheard: AtomicU64,
}

impl Counts {
    fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

struct Scene {
    api: Api,
    laboratory: String,
    airline: String,
    roots: Vec<Certificate>,
    counts: Counts,
    over: AtomicBool,
    /// Those that were broken off, and those that are at their end.
    journeys: Mutex<Vec<Journey>>,
}

/// What came of a step.
enum Stepped {
    On,
    /// Nothing came of it for the moment.
    Again,
    /// Nobody answers.
    Gone,
}

impl Scene {
    /// Makes something, once however often it is asked for.
    async fn make(&self, key: &str, path: &str, body: &Value, idempotency: &str) -> Result<Value, Stepped> {
        let sent = self.api.send(Some(key), "POST", path, Some(body), idempotency).await;
        let (status, answer) = sent.ok_or(Stepped::Gone)?;
        match status {
            StatusCode::CREATED => {
                self.counts.acknowledge();
                Ok(answer)
            }
            StatusCode::CONFLICT if answer["type"] == "urn:vidimus:error:in-progress" => Err(Stepped::Again),
            StatusCode::SERVICE_UNAVAILABLE => Err(Stepped::Again),
            _ => panic!("{idempotency}: {status} {answer}"),
        }
    }

    /// The next step of a journey.
    async fn step(&self, journey: &mut Journey) -> Stepped {
        let stepped = if journey.result.is_none() {
            self.report(journey).await
        } else if journey.offer.is_none() {
            self.offer(journey).await
        } else if journey.token.is_none() {
            self.redeem(journey).await
        } else if journey.copy.is_none() {
            self.claim(journey).await
        } else if journey.request.is_none() {
            self.ask(journey).await
        } else {
            self.present(journey).await
        };
        match stepped {
            Ok(()) => Stepped::On,
            Err(stopped) => stopped,
        }
    }

    async fn report(&self, journey: &mut Journey) -> Result<(), Stepped> {
        let made = self
            .make(&self.laboratory, "/v1/results", &journey.report, &journey.name)
            .await?;
        journey.result = Some(made["result"].as_str().unwrap().to_owned());
        Ok(())
    }

    async fn offer(&self, journey: &mut Journey) -> Result<(), Stepped> {
        let body = json!({"result": journey.result});
        let idempotency = format!("{}-offer-{}", journey.name, journey.offers);
        let made = self.make(&self.laboratory, "/v1/offers", &body, &idempotency).await?;
        journey.offer = Some(made);
        Ok(())
    }

    async fn redeem(&self, journey: &mut Journey) -> Result<(), Stepped> {
        let offer = journey.offer.as_ref().unwrap();
        let id = offer["id"].as_str().unwrap();
        let view = self
            .api
            .send(Some(&self.laboratory), "GET", &format!("/v1/offers/{id}"), None, "")
            .await;
        let (_, view) = view.ok_or(Stepped::Gone)?;
        if view["state"] != "open" {
            // The token was given out, and its answer got lost on the way: the laboratory hands over another code.
            assert_eq!(view["state"], "claimed", "nobody else had the code");
            self.counts.offered_again.fetch_add(1, Ordering::Relaxed);
            journey.offers += 1;
            journey.offer = None;
            return Ok(());
        }
        let claimer = Claimer::of_link(&self.api, offer["link"].as_str().unwrap()).await;
        let claimer = claimer.ok_or(Stepped::Gone)?;
        let code = offer["tx_code"]["code"].as_str().unwrap();
        let (status, token) = claimer
            .token(&self.api, &journey.dpop, code)
            .await
            .ok_or(Stepped::Gone)?;
        assert_eq!(
            status,
            StatusCode::OK,
            "an open offer is claimed with its code: {token}"
        );
        self.counts.acknowledge();
        journey.token = Some((claimer, token["access_token"].as_str().unwrap().to_owned()));
        Ok(())
    }

    async fn claim(&self, journey: &mut Journey) -> Result<(), Stepped> {
        let (claimer, token) = journey.token.as_ref().unwrap();
        let claimed = claimer
            .claim(&self.api, &journey.dpop, token, CONFIGURATION, &journey.key)
            .await;
        let (status, claimed) = claimed.ok_or(Stepped::Gone)?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(Stepped::Again);
        }
        assert_eq!(status, StatusCode::OK, "a token that was given out permits: {claimed}");
        self.counts.acknowledge();
        journey.copy = Some(claimed["credentials"][0]["credential"].as_str().unwrap().to_owned());
        Ok(())
    }

    async fn ask(&self, journey: &mut Journey) -> Result<(), Stepped> {
        let body = json!({
            "purpose": "boarding", "retention_seconds": 0, "expires_in": 300,
            "credentials": [{"category": "sars-cov-2-naat", "attributes": ["family_name"]}],
        });
        let idempotency = format!("{}-ask", journey.name);
        let made = self
            .make(&self.airline, "/v1/presentations", &body, &idempotency)
            .await?;
        journey.request = Some(made);
        Ok(())
    }

    async fn present(&self, journey: &mut Journey) -> Result<(), Stepped> {
        let request = journey.request.as_ref().unwrap();
        let id = request["id"].as_str().unwrap();
        let view = self
            .api
            .send(Some(&self.airline), "GET", &format!("/v1/presentations/{id}"), None, "")
            .await;
        let (_, view) = view.ok_or(Stepped::Gone)?;
        if view["state"] == "answered" {
            self.counts.taken_unheard.fetch_add(1, Ordering::Relaxed);
            journey.presented = true;
            return Ok(());
        }
        assert!(["made", "fetched"].contains(&view["state"].as_str().unwrap()), "{view}");
        let incoming = claimer::incoming(&self.api, request["link"].as_str().unwrap(), &self.roots).await;
        let incoming = incoming.ok_or(Stepped::Gone)?;
        let claims = [ClaimPath::of(["family_name"])];
        let answer = claimer::answer(&incoming, journey.copy.as_ref().unwrap(), &journey.key, &claims);
        let (status, _, body) = claimer::send(&self.api, &answer).await.ok_or(Stepped::Gone)?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(Stepped::Again);
        }
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        self.counts.acknowledge();
        (journey.acknowledged, journey.presented) = (true, true);
        Ok(())
    }

    /// One journey after the other, until the server is gone.
    async fn travel(&self, round: u64, number: u64) {
        for turn in 0.. {
            let mut journey = Journey::new(format!("w{round}t{number}n{turn}"));
            let mut gone = false;
            while !journey.presented && !gone {
                gone = self.over.load(Ordering::Relaxed) || matches!(self.step(&mut journey).await, Stepped::Gone);
            }
            self.journeys.lock().unwrap().push(journey);
            if gone {
                return;
            }
        }
    }

    /// Brings to their end the journeys that were broken off: each can go on where its traveller last heard something.
    async fn finish(&self) -> u64 {
        let broken = {
            let mut journeys = self.journeys.lock().unwrap();
            let (there, broken): (Vec<_>, Vec<_>) = journeys.drain(..).partition(|journey| journey.presented);
            *journeys = there;
            broken
        };
        let count = broken.len() as u64;
        for mut journey in broken {
            program::until_async("a journey goes on", PATIENCE, async || {
                assert!(
                    !matches!(self.step(&mut journey).await, Stepped::Gone),
                    "a server that nobody kills answers"
                );
                journey.presented
            })
            .await;
            self.journeys.lock().unwrap().push(journey);
        }
        count
    }

    /// Everything that was acknowledged is there: each answer with its verifier, each copy with a place of its own in the status list.
    async fn look(&self) {
        let journeys: Vec<(String, bool, String)> = {
            let journeys = self.journeys.lock().unwrap();
            let seen = |journey: &Journey| {
                let id = journey.request.as_ref().unwrap()["id"].as_str().unwrap().to_owned();
                (id, journey.acknowledged, journey.copy.clone().unwrap())
            };
            journeys.iter().map(seen).collect()
        };
        let mut places = BTreeSet::new();
        for (id, _, copy) in &journeys {
            let view = self
                .api
                .get(Some(&self.airline), &format!("/v1/presentations/{id}"))
                .await;
            assert_eq!(
                (&view["state"], &view["wrong_answers"]),
                (&json!("answered"), &json!(0)),
                "{view}"
            );
            assert_ne!(view["answer"]["verdict"], "invalid", "{view}");
            assert_eq!(
                view["answer"]["credentials"][0]["attributes"]["family_name"], "Musterfrau",
                "{view}"
            );
            let Content::SdJwtVc(content) = format::parse(copy).unwrap().content else {
                panic!("an SD-JWT VC")
            };
            assert!(places.insert(content.status.unwrap().index), "two copies at one place");
        }
        assert_eq!(places.len(), journeys.len());
    }

    /// Each copy that somebody has is known to the deployment, and anchored.
    async fn anchored(&self) {
        let copies: Vec<String> = {
            let journeys = self.journeys.lock().unwrap();
            journeys.iter().filter_map(|journey| journey.copy.clone()).collect()
        };
        for copy in copies {
            let digest = Native::new().sha256(&[SdJwt::parse(&copy).unwrap().jws().message()]);
            let body = json!({"digest": digest.to_string()});
            self.api
                .until_ok("a copy that a wallet has is anchored", "/v1/evidence", &body)
                .await;
        }
    }

    /// Each of the participant's events, read until the server ends the stream: how often each kind was told of each object. A server that
    /// stops ends a stream wherever it is; what comes first says that each of `expected` was told.
    async fn events(&self, key: &str, expected: Vec<(String, String)>) -> (oneshot::Receiver<()>, JoinHandle<Told>) {
        let request = self
            .api
            .client
            .get(format!("{}/v1/events?after=0", self.api.base))
            .timeout(PATIENCE)
            .bearer_auth(key);
        let mut response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let (up_to_date, told_all) = oneshot::channel();
        let reading = tokio::spawn(async move {
            let (mut told, mut last, mut unread) = (Told::new(), 0, Vec::new());
            let mut up_to_date = Some(up_to_date);
            while let Some(chunk) = response.chunk().await.expect("a stream that is ended in order") {
                unread.extend_from_slice(&chunk);
                while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = unread.drain(..=end).collect();
                    let Some(data) = line.strip_prefix(b"data: ") else {
                        continue;
                    };
                    let event: Value = serde_json::from_slice(data).unwrap();
                    last += 1;
                    assert_eq!(event["sequence"], last, "no number is left out or given twice");
                    let of = |name: &str| event[name].as_str().unwrap().to_owned();
                    *told.entry((of("kind"), of("object"))).or_default() += 1;
                }
                if expected.iter().all(|expected| told.contains_key(expected))
                    && let Some(up_to_date) = up_to_date.take()
                {
                    let _ = up_to_date.send(());
                }
            }
            told
        });
        (told_all, reading)
    }
}

impl Api {
    async fn until_ok(&self, what: &str, path: &str, body: &Value) {
        program::until_async(what, PATIENCE, async || {
            let answer = self.send(None, "POST", path, Some(body), "").await;
            answer.is_some_and(|(status, _)| status == StatusCode::OK)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_wallets_were_told_holds_whenever_the_server_is_killed() {
    let rounds = number("VIDIMUS_KILL_ROUNDS").map_or(3, |rounds| rounds.div_ceil(4));
    let seed = seed();
    println!("VIDIMUS_KILL_SEED={seed}, {rounds} rounds with wallets");
    let mut choices = Choices(seed);
    let directory = TempDir::new().unwrap();
    let (mut server, api, authority) = begin(directory.path()).await;
    let admit = async |body: Value| {
        let made = api.post(Some(&authority), "/v1/participants", &body).await;
        made["api_key"].as_str().unwrap().to_owned()
    };
    let laboratory =
        admit(json!({"role": "issuer", "name": "Labor", "country": "AT", "categories": ["sars-cov-2-naat"]})).await;
    let airline = admit(json!({
        "role": "verifier", "name": "Donau Air", "country": "AT", "url": "https://donau-air.example",
        "attributes": ["family_name"], "purposes": ["boarding"],
    }))
    .await;
    for key in [&laboratory, &airline] {
        program::until_async("the admission is on the ledger", PATIENCE, async || {
            api.get(Some(key), "/v1/profile").await["status"] == "active"
        })
        .await;
    }
    let root = api
        .client
        .get(format!("{}/v1/trust/root", api.base))
        .send()
        .await
        .unwrap();
    let roots = vec![Certificate::from_text(&root.text().await.unwrap()).unwrap()];
    let scene = Arc::new(Scene {
        api,
        laboratory,
        airline,
        roots,
        counts: Counts::default(),
        over: AtomicBool::new(false),
        journeys: Mutex::default(),
    });
    let mut broken = 0;
    let mut aborts: BTreeMap<&str, u64> = BTreeMap::new();
    for round in 0..rounds {
        let failpoint = (round % 6)
            .checked_sub(1)
            .map(|place| fault::OF_WALLETS[place as usize]);
        if let Some(name) = failpoint {
            drop(server);
            let passes = 1 + choices.next(8);
            server =
                Server::start(directory.path(), Some(&format!("{name}:{passes}")), false).expect("nobody asks yet");
        }
        scene.over.store(false, Ordering::Relaxed);
        let mut travellers = JoinSet::new();
        for number in 0..TRAVELLERS {
            let scene = scene.clone();
            travellers.spawn(async move { scene.travel(round, number).await });
        }
        if let Some(name) = failpoint {
            program::until_async("the server comes to its fail-point", PATIENCE, async || {
                server.child.try_wait().unwrap().is_some()
            })
            .await;
            let ended = server.child.wait().unwrap();
            assert_eq!(ended.signal(), Some(SIGABRT), "{name}: {ended}");
            *aborts.entry(name).or_default() += 1;
        } else {
            let delay = 500 + choices.next(2_500);
            let gone = async { while travellers.join_next().await.transpose().unwrap().is_some() {} };
            let _ = tokio::time::timeout(Duration::from_millis(delay), gone).await;
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended by itself: {ended:?}");
            server.child.kill().unwrap();
            server.child.wait().unwrap();
        }
        scene.over.store(true, Ordering::Relaxed);
        while let Some(traveller) = travellers.join_next().await {
            traveller.unwrap();
        }
        server = Server::start(directory.path(), None, false).unwrap();
        broken += scene.finish().await;
        scene.look().await;
    }
    scene.anchored().await;
    let expected = |kind: &str, object: fn(&Journey) -> &Option<Value>| -> Vec<(String, String)> {
        let journeys = scene.journeys.lock().unwrap();
        let id = |journey| object(journey).as_ref().unwrap()["id"].as_str().unwrap().to_owned();
        journeys.iter().map(|journey| (kind.to_owned(), id(journey))).collect()
    };
    let answers = expected("presentation.answered", |journey| &journey.request);
    let claims = expected("offer.claimed", |journey| &journey.offer);
    let (all_answers, told_airline) = scene.events(&scene.airline, answers.clone()).await;
    let (all_claims, told_laboratory) = scene.events(&scene.laboratory, claims.clone()).await;
    for told_all in [all_answers, all_claims] {
        told_all.await.expect("everything is told before the stream ends");
    }
    let stopped = Command::new("kill")
        .args(["-TERM", &server.child.id().to_string()])
        .status();
    assert!(stopped.unwrap().success());
    let (told_airline, told_laboratory) = (told_airline.await.unwrap(), told_laboratory.await.unwrap());
    server.child.wait().unwrap();
    let journeys = scene.journeys.lock().unwrap();
    for (told, expected) in [(&told_airline, &answers), (&told_laboratory, &claims)] {
        for event in expected {
            assert_eq!(told.get(event), Some(&1), "{event:?}");
        }
    }
    let answered = told_airline
        .keys()
        .filter(|(kind, _)| kind == "presentation.answered")
        .count();
    assert_eq!(answered, journeys.len(), "an answer that nobody gave was counted");
    let counts = &scene.counts;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "{rounds} rounds with wallets, {} of them aborted at fail-points: {} acknowledgements, {} travellers from the laboratory to the \
         airline, {broken} of them broken off and finished; {} offered again, {} answers taken whose acknowledgement got lost; lost 0, \
         doubled 0",
        aborts.values().sum::<u64>(),
        count(&counts.acknowledged),
        journeys.len(),
        count(&counts.offered_again),
        count(&counts.taken_unheard),
    );
    assert!(
        broken > 0 && journeys.len() as u64 >= rounds,
        "the server was killed at work"
    );
    // What is hardest to hit by chance was hit each time.
    let of = |name: &str| aborts.get(name).copied().unwrap_or(0);
    assert!(count(&counts.offered_again) >= of(fault::AFTER_TOKEN));
    assert!(count(&counts.taken_unheard) >= of(fault::AFTER_ANSWER));
}
