//! The server is killed, again and again, while a laboratory issues and revokes. Clients journal every acknowledgement outside of it; what it
//! acknowledged must hold, once, whenever it is back.
//!
//! `VIDIMUS_KILL_ROUNDS` sets the rounds (3 without it); `VIDIMUS_KILL_SEED` repeats a run's choices. Even rounds are killed at a random moment,
//! odd ones abort at one of the program's own fail-points ([`vidimus::fault`]); after each round the server is killed once more when it has
//! been looked at, while its jobs are at work.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use vidimus::{clock::SystemClock, fault};
use vidimus_core::{Algorithm, Commitment, Digest, Entropy, Provider, Receipt, Signer, time::Clock};
use vidimus_credential::{card::HolderCard, check::Envelope, format, status::Status, status::token_list::TokenList};
use vidimus_crypto::{KeyKind, Native, OsEntropy, SealingKey, SigningKey, envelope};

const CLIENTS: u64 = 6;
/// Every certificate has these copies.
const FORMATS: [&str; 2] = ["vc-jwt-1.1", "hcert"];
const CHAIN: &str = "0x56494d";
/// Longer than an abandoned intent waits before a job takes it up, and than a key's lease.
const PATIENCE: Duration = Duration::from_secs(180);

/// SplitMix64: a run can be repeated from its seed.
struct Choices(u64);

impl Choices {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// What the outside knows of one report.
#[derive(Clone)]
struct Report {
    body: Value,
    /// The answer, once it came.
    acknowledged: Option<Value>,
    round: u64,
    /// Never sent again, to see that the server finishes by itself what it began.
    given_up: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Revocation {
    Asked,
    Acknowledged,
}

/// What the clients know, and the journal that they write it to before they count on it.
struct Outside {
    reports: BTreeMap<String, Report>,
    revocations: BTreeMap<String, Revocation>,
    journal: File,
    acknowledgements: u64,
}

impl Outside {
    fn note(&mut self, line: &Value) {
        writeln!(self.journal, "{line}").unwrap();
        self.journal.sync_data().unwrap();
        self.acknowledgements += 1;
    }
}

struct Server {
    child: Child,
    setup: Option<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts `serve`; `first` waits for the setup link too.
    fn start(directory: &Path, failpoint: Option<&str>, first: bool) -> Option<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vidimus"));
        command
            .current_dir(directory)
            .args(["--json", "serve"])
            .stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VIDIMUS_")) {
            command.env_remove(name);
        }
        if let Some(failpoint) = failpoint {
            command.env("VIDIMUS_FAILPOINT", failpoint);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut logs = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let mut told = Vec::new();
        while !line.contains("\"serving\"") {
            told.push(std::mem::take(&mut line));
            if logs.read_line(&mut line).unwrap() == 0 {
                let ended = child.wait().unwrap();
                assert!(
                    failpoint.is_some() && ended.code().is_none(),
                    "the server does not start: {ended} {told:?}"
                );
                return None;
            }
        }
        let directory = directory.to_owned();
        std::thread::spawn(move || {
            let mut file = File::options()
                .append(true)
                .create(true)
                .open(directory.join("serve.log"))
                .unwrap();
            let _ = std::io::copy(&mut logs, &mut file);
        });
        let mut setup = String::new();
        if first {
            BufReader::new(child.stdout.take().unwrap())
                .read_line(&mut setup)
                .unwrap();
        }
        Some(Self {
            child,
            setup: first.then_some(setup),
        })
    }
}

struct Api {
    client: Client,
    base: String,
}

impl Api {
    async fn send(
        &self,
        key: Option<&str>,
        method: &str,
        path: &str,
        body: Option<&Value>,
        idempotency: &str,
    ) -> Option<(StatusCode, Value)> {
        let mut request = self
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.base));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if !idempotency.is_empty() {
            request = request.header("idempotency-key", idempotency);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.ok()?;
        let status = response.status();
        let bytes = response.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    async fn get(&self, key: Option<&str>, path: &str) -> Value {
        let (status, body) = self
            .send(key, "GET", path, None, "")
            .await
            .expect("a server that nobody kills answers");
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (_, answer) = self
            .send(None, "POST", "/rpc", Some(&body), "")
            .await
            .expect("the ledger answers");
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }
}

struct Holder {
    sealing: SealingKey,
    card: String,
}

fn holder() -> Holder {
    let native = Native::new();
    let mut entropy = OsEntropy;
    let account = SigningKey::generate(KeyKind::Secp256k1, &mut entropy);
    let signing = SigningKey::generate(KeyKind::P256, &mut entropy);
    let sealing = SealingKey::generate(&mut entropy);
    let card = HolderCard {
        did: format!("did:ethr:{CHAIN}:{}", account.public_key().address(&native).unwrap()),
        signing_key: signing.public_key().clone(),
        sealing_key: sealing.public_key().0,
        issued_at: SystemClock.now(),
    };
    let possession = signing.sign(Algorithm::Es256, &card.possession_message()).unwrap();
    let unsigned = card.prepare(&possession);
    let signature = account.sign(Algorithm::Es256k, unsigned.message()).unwrap();
    Holder {
        sealing,
        card: unsigned.finish(&signature),
    }
}

fn report(passport: &str, card: &str) -> Value {
    json!({
        "claims": {
            "person": {"family_name": "Musterfrau", "given_name": "Gabriele", "birth_date": "1998-02-26"},
            "category": "sars-cov-2-naat",
            "claims": {
                "sampled_at": SystemClock.now().plus(-3_600).to_rfc3339(),
                "result": "260415000",
                "test_name": "TaqPath COVID-19 RT-PCR",
                "testing_centre": "Labor Donauraum GmbH",
                "country": "AT",
            },
        },
        "document": {"type": "passport", "country": "AT", "number": passport},
        "formats": FORMATS,
        "card": card,
    })
}

/// The whole of a run.
struct Run {
    api: Api,
    laboratory: String,
    authority: String,
    holder: Holder,
    outside: Mutex<Outside>,
    over: AtomicBool,
}

impl Run {
    /// One client until the server is gone.
    async fn client(&self, round: u64, number: u64, mut choices: Choices) {
        for turn in 0.. {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let alive = match choices.next(10) {
                0 | 1 => self.revoke_something(&mut choices).await,
                2 => self.repeat_something(&mut choices, number).await,
                _ => {
                    let key = format!("report-{round}-{number}-{turn}");
                    let passport = format!("R{round:04}C{number}T{turn:05}");
                    let body = report(&passport, &self.holder.card);
                    let new = Report {
                        body,
                        acknowledged: None,
                        round,
                        given_up: choices.next(40) == 0,
                    };
                    self.outside.lock().unwrap().reports.insert(key.clone(), new);
                    self.report(&key).await
                }
            };
            if !alive {
                return;
            }
        }
    }

    /// Sends a report, the first time or again. `false` when the server is gone.
    async fn report(&self, key: &str) -> bool {
        let (body, before) = {
            let outside = self.outside.lock().unwrap();
            let report = &outside.reports[key];
            (report.body.clone(), report.acknowledged.clone())
        };
        let Some((status, answer)) = self
            .api
            .send(Some(&self.laboratory), "POST", "/v1/results", Some(&body), key)
            .await
        else {
            return false;
        };
        match status {
            StatusCode::CREATED => {
                assert_eq!(
                    answer["copies"].as_array().map(Vec::len),
                    Some(FORMATS.len()),
                    "{answer}"
                );
                let mut outside = self.outside.lock().unwrap();
                if let Some(before) = before {
                    assert_eq!(before["certificate"], answer["certificate"], "{key} was done twice");
                    return true;
                }
                outside.note(&json!({"reported": key, "certificate": answer["certificate"]}));
                outside.reports.get_mut(key).unwrap().acknowledged = Some(answer);
            }
            // Begun before the server was killed, and its lease has not run out.
            StatusCode::CONFLICT => assert_eq!(answer["type"], "urn:vidimus:error:in-progress", "{key}: {answer}"),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {}
            _ => panic!("{key}: {status} {answer}"),
        }
        true
    }

    async fn repeat_something(&self, choices: &mut Choices, number: u64) -> bool {
        let key = {
            let outside = self.outside.lock().unwrap();
            // A client of its own repeats what it sent; two at once for one key are another test's.
            let own: Vec<_> = outside
                .reports
                .iter()
                .filter(|(key, report)| !report.given_up && key.split('-').nth(2) == Some(&number.to_string()))
                .collect();
            let waiting: Vec<_> = own.iter().filter(|(_, report)| report.acknowledged.is_none()).collect();
            let from = if waiting.is_empty() {
                own.iter().collect()
            } else {
                waiting
            };
            match from.len() as u64 {
                0 => return true,
                count => from[choices.next(count) as usize].0.clone(),
            }
        };
        self.report(&key).await
    }

    async fn revoke_something(&self, choices: &mut Choices) -> bool {
        let certificate = {
            let mut outside = self.outside.lock().unwrap();
            let candidates: Vec<String> = outside
                .reports
                .values()
                .filter_map(|report| Some(report.acknowledged.as_ref()?["certificate"].as_str()?.to_owned()))
                .filter(|id| outside.revocations.get(id) != Some(&Revocation::Acknowledged))
                .collect();
            if candidates.is_empty() {
                return true;
            }
            let id = candidates[choices.next(candidates.len() as u64) as usize].clone();
            outside.revocations.insert(id.clone(), Revocation::Asked);
            id
        };
        let path = format!("/v1/certificates/{certificate}/revoke");
        let Some((status, answer)) = self
            .api
            .send(
                Some(&self.laboratory),
                "POST",
                &path,
                Some(&json!({"reason": "error"})),
                "",
            )
            .await
        else {
            return false;
        };
        let done = match status {
            StatusCode::OK => true,
            // By another client, or by a request whose answer got lost.
            StatusCode::CONFLICT => true,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => false,
            _ => panic!("{certificate}: {status} {answer}"),
        };
        if done {
            let mut outside = self.outside.lock().unwrap();
            outside.note(&json!({"revoked": certificate}));
            outside.revocations.insert(certificate, Revocation::Acknowledged);
        }
        true
    }

    /// Everything acknowledged in `rounds` is there, and is there once. Gives how many certificates were looked at.
    async fn look(&self, rounds: std::ops::RangeInclusive<u64>) -> u64 {
        let (reports, revocations) = {
            let outside = self.outside.lock().unwrap();
            let reports: Vec<_> = outside
                .reports
                .iter()
                .filter(|(_, report)| rounds.contains(&report.round))
                .filter_map(|(key, report)| Some((key.clone(), report.acknowledged.clone()?)))
                .collect();
            (reports, outside.revocations.clone())
        };
        for (place, (key, acknowledged)) in reports.iter().enumerate() {
            let id = acknowledged["certificate"].as_str().unwrap();
            let now = self
                .api
                .get(Some(&self.laboratory), &format!("/v1/certificates/{id}"))
                .await;
            match revocations.get(id) {
                None => assert_eq!(now["status"], "valid", "{key}: nobody revoked it"),
                Some(Revocation::Acknowledged) => assert_eq!(now["status"], "revoked", "{key}: a revocation was lost"),
                Some(Revocation::Asked) => assert!(["valid", "revoked"].contains(&now["status"].as_str().unwrap())),
            }
            for (before, copy) in acknowledged["copies"]
                .as_array()
                .unwrap()
                .iter()
                .zip(now["copies"].as_array().unwrap())
            {
                for member in ["id", "format", "content_id", "commitment"] {
                    assert_eq!(before[member], copy[member], "{key}: {member} of a copy has changed");
                }
                assert_eq!(copy["state"], "signed");
                if place % 7 == 0 {
                    let index = self.open(copy).await;
                    if revocations.get(id) == Some(&Revocation::Acknowledged) {
                        let token = self
                            .api
                            .client
                            .get(format!("{}/v1/status/1/token", self.api.base))
                            .send()
                            .await;
                        let list = TokenList::parse(&token.unwrap().text().await.unwrap()).unwrap();
                        assert_eq!(
                            list.status(index).unwrap(),
                            Status::Revoked,
                            "{key}: the status list forgot it"
                        );
                    }
                }
            }
            if place % 5 == 0 {
                assert!(self.report(key).await, "a server that nobody kills answers");
            }
        }
        let audit = self.api.get(Some(&self.authority), "/v1/audit/verification").await;
        assert_eq!(audit["whole"], true, "{audit}");
        reports.len() as u64
    }

    /// The holder opens a copy; it is the one that was committed to. Gives its place in the status list.
    async fn open(&self, copy: &Value) -> u64 {
        let url = format!("{}/ipfs/{}", self.api.base, copy["content_id"].as_str().unwrap());
        let sealed = self.api.client.get(url).send().await.unwrap();
        assert_eq!(sealed.status(), StatusCode::OK);
        let info = vidimus::app::copies::SEAL_INFO;
        let opened = envelope::open(&self.holder.sealing, info, &[], &sealed.bytes().await.unwrap()).unwrap();
        let envelope: Envelope = serde_json::from_slice(opened.expose()).unwrap();
        let native = Native::new();
        let parsed = format::parse(&envelope.copy).unwrap();
        let digest = native.sha256(&[&parsed.message]);
        let commitment = Commitment::derive(&native, &envelope.salt.unwrap(), &digest);
        assert_eq!(copy["commitment"], commitment.to_string());
        let status = match parsed.content {
            format::Content::Statement(statement) => statement.status,
            format::Content::Hcert(content) => content.status,
        };
        status.unwrap().index
    }

    /// Waits until everything that was begun is finished and anchored, then counts. Gives certificates, batches and receipts.
    async fn settle(&self) -> (u64, u64, u64) {
        let mut results = self.results().await;
        self.until("what was begun and given up is finished", async || {
            results = self.results().await;
            for id in &results {
                let view = self.api.get(Some(&self.laboratory), &format!("/v1/results/{id}")).await;
                let copies = view["certificate"]["copies"].as_array().cloned().unwrap_or_default();
                if copies.iter().any(|copy| copy["state"] != "signed") {
                    return false;
                }
            }
            true
        })
        .await;
        self.until("every request is answered", async || {
            let waiting: Vec<_> = {
                let outside = self.outside.lock().unwrap();
                let waiting = outside
                    .reports
                    .iter()
                    .filter(|(_, report)| report.acknowledged.is_none());
                waiting.map(|(key, _)| key.clone()).collect()
            };
            for key in &waiting {
                assert!(self.report(key).await, "a server that nobody kills answers");
            }
            waiting.is_empty()
        })
        .await;
        let results = self.results().await;
        let certificates: BTreeSet<String> = {
            let outside = self.outside.lock().unwrap();
            let acknowledged = outside
                .reports
                .values()
                .filter_map(|report| report.acknowledged.as_ref());
            acknowledged
                .map(|answer| answer["certificate"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            certificates.len(),
            self.outside.lock().unwrap().reports.len(),
            "two reports share a certificate"
        );
        assert_eq!(results.len(), certificates.len(), "a report was done twice");

        let mut commitments = BTreeSet::new();
        for id in &certificates {
            let mut copies = Vec::new();
            self.until("every copy is anchored", async || {
                let view = self
                    .api
                    .get(Some(&self.laboratory), &format!("/v1/certificates/{id}"))
                    .await;
                copies = view["copies"].as_array().unwrap().clone();
                copies.iter().all(|copy| copy["anchored"] == true)
            })
            .await;
            for copy in copies {
                assert!(
                    commitments.insert(copy["commitment"].as_str().unwrap().to_owned()),
                    "two copies, one commitment"
                );
            }
        }
        assert_eq!(commitments.len(), FORMATS.len() * certificates.len());
        let batches = self.anchored_once(&commitments).await;
        (certificates.len() as u64, batches, commitments.len() as u64)
    }

    async fn results(&self) -> BTreeSet<String> {
        let (mut all, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let page = self
                .api
                .get(Some(&self.laboratory), &format!("/v1/results?limit=500{cursor}"))
                .await;
            for item in page["items"].as_array().unwrap() {
                assert!(
                    all.insert(item["result"].as_str().unwrap().to_owned()),
                    "a page repeats a result"
                );
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Each commitment leads to one root, and the chain has each root once, with as many leaves as there are receipts under it.
    async fn anchored_once(&self, commitments: &BTreeSet<String>) -> u64 {
        let native = Native::new();
        let mut receipts: BTreeMap<Digest, (u64, BTreeSet<u64>)> = BTreeMap::new();
        let mut contract = None;
        for commitment in commitments {
            let receipt = self.api.get(None, &format!("/v1/receipts/{commitment}")).await;
            let receipt: Receipt = serde_json::from_value(receipt).unwrap();
            receipt.verify(&native, &commitment.parse().unwrap()).unwrap();
            contract = Some(receipt.anchor.contract);
            let (size, places) = receipts
                .entry(receipt.anchor.root)
                .or_insert((receipt.proof.size, BTreeSet::new()));
            assert_eq!(*size, receipt.proof.size);
            assert!(
                places.insert(receipt.proof.index),
                "two commitments at one place of a batch"
            );
        }
        let filter = json!([{"address": contract.unwrap().to_string(), "fromBlock": "0x0", "toBlock": "latest"}]);
        let logs = self.api.call("eth_getLogs", filter).await;
        let mut anchored: BTreeMap<Digest, u64> = BTreeMap::new();
        let mut transactions = BTreeSet::new();
        let mut senders = BTreeSet::new();
        // Anchored(bytes32 indexed root, uint64 size, address indexed anchorer): the only event of the contract with a size in its data.
        for log in logs.as_array().unwrap() {
            let hash = log["transactionHash"].as_str().unwrap().to_owned();
            let topics = log["topics"].as_array().unwrap();
            let data = log["data"].as_str().unwrap();
            let root: Digest = match topics.get(1).and_then(Value::as_str).map(|topic| topic[2..].parse()) {
                Some(Ok(root)) if data.len() == 66 && receipts.contains_key(&root) => root,
                _ => continue,
            };
            let size = u64::from_str_radix(&data[50..], 16).unwrap();
            assert!(
                anchored.insert(root, size).is_none(),
                "a root stands on the chain twice"
            );
            let transaction = self.api.call("eth_getTransactionByHash", json!([hash])).await;
            senders.insert(transaction["from"].as_str().unwrap().to_owned());
            assert!(transactions.insert(hash), "one transaction anchors twice");
        }
        assert_eq!(
            anchored.len(),
            receipts.len(),
            "a receipt leads to a root that is not on the chain"
        );
        for (root, (size, places)) in &receipts {
            assert_eq!(
                (anchored[root], places.len() as u64),
                (*size, *size),
                "a batch and its receipts differ"
            );
        }
        assert_eq!(anchored.values().sum::<u64>(), commitments.len() as u64);
        // Whatever else the anchoring account had sent would show in its nonce: a second try, a reverted one.
        let sender = senders.first().unwrap();
        assert_eq!(senders.len(), 1);
        let nonce = self
            .api
            .call("eth_getTransactionCount", json!([sender, "latest"]))
            .await;
        let nonce = u64::from_str_radix(&nonce.as_str().unwrap()[2..], 16).unwrap();
        assert_eq!(
            nonce,
            anchored.len() as u64,
            "the anchoring account sent more than one transaction for a batch"
        );
        nonce
    }

    async fn until(&self, what: &str, mut there: impl AsyncFnMut() -> bool) {
        let step = Duration::from_millis(200);
        for _ in 0..PATIENCE.as_millis() / step.as_millis() {
            if there().await {
                return;
            }
            tokio::time::sleep(step).await;
        }
        panic!("not within {PATIENCE:?}: {what}");
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_when_what_was_acknowledged_holds_once() {
    let rounds = number("VIDIMUS_KILL_ROUNDS").unwrap_or(3);
    let seed = number("VIDIMUS_KILL_SEED").unwrap_or_else(|| {
        let mut bytes = [0; 4];
        OsEntropy.fill(&mut bytes);
        u32::from_be_bytes(bytes).into()
    });
    println!("VIDIMUS_KILL_SEED={seed} VIDIMUS_KILL_ROUNDS={rounds}");
    let mut choices = Choices(seed);

    let directory = TempDir::new().unwrap();
    let base = format!("http://127.0.0.1:{}", free_port());
    let text = format!(
        "data_dir = \"data\"\nroot_key = \"keys/root.key\"\n[server]\nlisten = \"{}\"\npublic_url = \"{base}\"\n[server.limits]\n\
         address_requests_per_minute = 10000000\nkey_requests_per_minute = 10000000\n[anchor]\ninterval_seconds = 1\n",
        &base[7..]
    );
    std::fs::write(directory.path().join("vidimus.toml"), text).unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_vidimus"))
        .current_dir(directory.path())
        .arg("init")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let api = Api { client, base };
    let mut server = Server::start(directory.path(), None, true).unwrap();
    let link: Value = serde_json::from_str(server.setup.as_deref().unwrap()).unwrap();
    let body = json!({"token": link["setup"]["token"], "name": "Ministry of Health", "country": "AT"});
    let (_, set_up) = api.send(None, "POST", "/v1/setup", Some(&body), "").await.unwrap();
    let authority = set_up["api_key"].as_str().unwrap().to_owned();
    let body = json!({"role": "issuer", "name": "Labor Donauraum", "country": "AT", "categories": ["sars-cov-2-naat"]});
    let (_, admitted) = api
        .send(Some(&authority), "POST", "/v1/participants", Some(&body), "")
        .await
        .unwrap();
    let laboratory = admitted["api_key"].as_str().unwrap().to_owned();
    let journal = File::create(directory.path().join("journal.jsonl")).unwrap();
    let run = Arc::new(Run {
        api,
        laboratory,
        authority,
        holder: holder(),
        outside: Mutex::new(Outside {
            reports: BTreeMap::new(),
            revocations: BTreeMap::new(),
            journal,
            acknowledgements: 0,
        }),
        over: AtomicBool::new(false),
    });
    run.until("the admission is on the ledger", async || {
        run.api.get(Some(&run.laboratory), "/v1/profile").await["status"] == "active"
    })
    .await;

    let (mut kills, mut aborts, mut looked) = (0_u64, 0_u64, 0_u64);
    for round in 0..rounds {
        let failpoint = (round % 2 == 1).then(|| {
            let name = fault::ALL[(round / 2) as usize % fault::ALL.len()];
            // Requests pass the first three often, batches and transactions pass the others once or twice in a round.
            let often = [fault::AFTER_INTENT, fault::AFTER_SIGN, fault::AFTER_COMPLETE].contains(&name);
            let passes = 1 + choices.next(if often { 20 } else { 2 });
            format!("{name}:{passes}")
        });
        if failpoint.is_some() {
            drop(server);
            kills += 1;
            // It may abort before it serves: there is work left from the round before.
            match Server::start(directory.path(), failpoint.as_deref(), false) {
                Some(started) => server = started,
                None => {
                    aborts += 1;
                    server = Server::start(directory.path(), None, false).unwrap();
                    continue;
                }
            }
        }
        run.over.store(false, Ordering::Relaxed);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (run, choices) = (run.clone(), Choices(choices.next(u64::MAX)));
                tokio::spawn(async move { run.client(round, number, choices).await })
            })
            .collect();
        let delay = if failpoint.is_some() {
            6_000
        } else {
            200 + choices.next(1_800)
        };
        let aborted = async {
            while !clients.iter().all(tokio::task::JoinHandle::is_finished) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let aborted = tokio::time::timeout(Duration::from_millis(delay), aborted)
            .await
            .is_ok();
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        if aborted {
            aborts += 1;
        } else {
            kills += 1;
        }
        run.over.store(true, Ordering::Relaxed);
        for client in clients {
            client.await.unwrap();
        }
        server = Server::start(directory.path(), None, false).unwrap();
        looked += run.look(round.saturating_sub(1)..=round).await;
        println!(
            "round {round}: {} acknowledgements, {}",
            run.outside.lock().unwrap().acknowledgements,
            match failpoint {
                Some(failpoint) if aborted => format!("aborted at {failpoint}"),
                Some(failpoint) => format!("killed before it came to {failpoint}"),
                None => format!("killed after {delay} ms"),
            }
        );
    }
    let (certificates, batches, receipts) = run.settle().await;
    looked += run.look(0..=rounds).await;
    drop(server);
    let outside = run.outside.lock().unwrap();
    let revoked = outside
        .revocations
        .values()
        .filter(|state| **state == Revocation::Acknowledged)
        .count();
    println!(
        "{rounds} rounds, {kills} kills, {aborts} aborts at fail-points; {} acknowledgements: {certificates} certificates, {revoked} \
         revocations; {receipts} receipts in {batches} batches; looked at {looked} times; lost 0, doubled 0",
        outside.acknowledgements
    );
    assert!(kills + aborts >= rounds && certificates > 0);
}
