//! Two processes on one PostgreSQL: one has the ledger, the other reaches it by JSON-RPC. Both issue and check at once, and each is killed
//! in turn.

use crate::{
    batches::Batches,
    harness::{airline, laboratory, postgres_url, result},
    program,
    server::{Api, Server, free_port},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use vidimus_core::Digest;
use vidimus_store::testing;

const PATIENCE: Duration = Duration::from_secs(120);

/// One of the two: where it is configured and where it listens.
struct Instance {
    directory: PathBuf,
    api: Api,
    running: Option<Server>,
}

impl Instance {
    fn new(directory: &Path, port: u16) -> Self {
        Self {
            directory: directory.to_owned(),
            api: Api::new(format!("http://127.0.0.1:{port}")),
            running: None,
        }
    }

    /// Starts it; gives what it prints first when it is asked for.
    fn start(&mut self, printed: bool) -> Value {
        let server = Server::start(&self.directory, None, printed).unwrap();
        let first = server.setup.as_deref().unwrap_or("null");
        let first = serde_json::from_str(first).unwrap();
        self.running = Some(server);
        first
    }

    fn kill(&mut self) {
        drop(self.running.take());
    }
}

/// A report that is the same when it is sent again later.
fn same_result(passport: &str) -> Value {
    static FIRST: std::sync::OnceLock<Value> = std::sync::OnceLock::new();
    let mut report = FIRST.get_or_init(|| result(passport)).clone();
    report["document"]["number"] = json!(passport);
    report
}

/// Certificates that were acknowledged, by who asked.
type Acknowledged = BTreeMap<String, String>;

/// Reports `count` results, one after the other, until the instance is gone. Gives what was acknowledged.
async fn report(instance: &Instance, laboratory: &str, series: &str, count: usize) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    for turn in 0..count {
        let passport = format!("{series}{turn:04}");
        let body = same_result(&passport);
        let Some((status, answer)) = instance
            .api
            .send(Some(laboratory), "POST", "/v1/results", Some(&body), &passport)
            .await
        else {
            break;
        };
        assert_eq!(status, StatusCode::CREATED, "{passport}: {answer}");
        acknowledged.insert(passport, answer["certificate"].as_str().unwrap().to_owned());
    }
    acknowledged
}

/// Waits until every copy of these is anchored; gives their commitments.
async fn anchored(instance: &Instance, laboratory: &str, certificates: &Acknowledged) -> BTreeSet<String> {
    let mut commitments = BTreeSet::new();
    for (passport, certificate) in certificates {
        let path = format!("/v1/certificates/{certificate}");
        let mut view = Value::Null;
        program::until_async(&format!("{passport} is anchored"), PATIENCE, async || {
            view = instance.api.get(Some(laboratory), &path).await;
            view["copies"]
                .as_array()
                .unwrap()
                .iter()
                .all(|copy| copy["anchored"] == true)
        })
        .await;
        for copy in view["copies"].as_array().unwrap() {
            assert!(
                commitments.insert(copy["commitment"].as_str().unwrap().to_owned()),
                "one commitment, two copies"
            );
        }
    }
    commitments
}

async fn verdict(instance: &Instance, laboratory: &str, airline: &str, certificate: &str) -> Value {
    let view = instance
        .api
        .get(Some(laboratory), &format!("/v1/certificates/{certificate}"))
        .await;
    let copy = view["copies"][0]["id"].as_str().unwrap();
    let paper = instance
        .api
        .get(Some(laboratory), &format!("/v1/copies/{copy}/paper?form=text"))
        .await;
    instance
        .api
        .post(
            Some(airline),
            "/v1/checks",
            &json!({"input": paper, "purpose": "boarding"}),
        )
        .await["verdict"]
        .clone()
}

/// The chain has each root once, with as many leaves as receipts lead to it, and the anchoring account sent nothing else.
async fn anchored_once(instance: &Instance, commitments: &BTreeSet<String>) {
    let mut batches = Batches::default();
    for commitment in commitments {
        let receipt = instance.api.get(None, &format!("/v1/receipts/{commitment}")).await;
        batches.add(commitment, &serde_json::from_value(receipt).unwrap());
    }
    let Batches(batches) = batches;
    for (root, (size, places)) in &batches {
        assert_eq!(*size, places.len() as u64, "{root} holds what nobody has a receipt for");
    }
    let deployment = instance.api.get(None, "/v1/deployment").await;
    let filter = json!([{"address": deployment["contracts"]["anchors"], "fromBlock": "0x0", "toBlock": "latest"}]);
    let logs = instance.api.call("eth_getLogs", filter).await;
    let mut on_chain = Vec::new();
    for log in logs.as_array().unwrap() {
        let topic = log["topics"][1].as_str().unwrap_or_default();
        let root: Option<Digest> = topic.get(2..).and_then(|root| root.parse().ok());
        on_chain.extend(root.filter(|root| batches.contains_key(root)));
    }
    assert_eq!(
        on_chain.len(),
        batches.len(),
        "a root is missing on the chain, or stands there twice"
    );
    let sent = json!([deployment["accounts"]["anchorer"], "latest"]);
    let sent = instance.api.call("eth_getTransactionCount", sent).await;
    assert_eq!(
        sent,
        format!("{:#x}", batches.len()),
        "more was sent than one transaction a batch"
    );
}

/// What the first does to a participant, its stream at the second tells.
async fn told_at_the_other(first: &Instance, second: &Instance, authority: &str, participant: &str) {
    let profile = first.api.get(Some(participant), "/v1/profile").await;
    let id = profile["id"].as_str().unwrap();
    for (change, status) in [("suspend", "suspended"), ("resume", "active")] {
        let path = format!("/v1/participants/{id}/{change}");
        let body = json!({"reason": "accreditation-lost"});
        first.api.post(Some(authority), &path, &body).await;
        program::until_async("the second knows", PATIENCE, async || {
            second.api.get(Some(participant), "/v1/profile").await["status"] == status
        })
        .await;
    }
    let url = format!("{}/v1/events?after=0", second.api.base);
    let mut stream = second
        .api
        .client
        .get(url)
        .bearer_auth(participant)
        .send()
        .await
        .unwrap();
    let mut text = String::new();
    while !text.contains("registration.resumed") {
        let chunk = stream.chunk().await.unwrap().expect("it goes on");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    for line in ["event: registration.suspended\n", "event: registration.resumed\n"] {
        assert_eq!(text.matches(line).count(), 1, "{text}");
    }
    let ids: Vec<usize> = text
        .lines()
        .filter_map(|line| line.strip_prefix("id: ")?.parse().ok())
        .collect();
    assert_eq!(ids, (1..=ids.len()).collect::<Vec<_>>(), "none is missing: {text}");
}

/// One address in front of both: each request goes to the other one than the request before.
async fn front(ports: [u16; 2]) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let turn = Arc::new(AtomicUsize::new(0));
    let pass_on = move |request: axum::extract::Request| {
        let (client, turn) = (client.clone(), turn.clone());
        async move {
            let port = ports[turn.fetch_add(1, Ordering::SeqCst) % 2];
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let url = format!("http://127.0.0.1:{port}{}", parts.uri);
            let answer = client.request(parts.method, url).headers(parts.headers).body(body);
            let answer = answer.send().await.unwrap();
            let (status, mut headers) = (answer.status(), answer.headers().clone());
            headers.remove(reqwest::header::TRANSFER_ENCODING);
            (status, headers, answer.bytes().await.unwrap())
        }
    };
    let router = axum::Router::new().fallback(pass_on);
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

/// Somebody claims and shows certificates, each step at the other instance than the step before. Gives the certificates.
async fn wallets_at_both(root: &Path, front: &Api, laboratory: &str, airline: &str) -> Acknowledged {
    let wallet = async |arguments: &[&str]| -> Value {
        let mut command = program::command(root, &[&["wallet", "--loopback", "--json"], arguments].concat());
        command.env("VIDIMUS_PASSPHRASE", "correct horse battery");
        let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await;
        let ended = ended.unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        assert!(ended.status.success(), "{arguments:?}: {said}");
        serde_json::from_str(&said).unwrap()
    };
    wallet(&["new"]).await;
    wallet(&["trust", &front.base]).await;
    let mut issued = Acknowledged::new();
    for turn in 0..4 {
        // So that each step begins at the one and at the other.
        for _ in 0..turn / 2 {
            front.get(None, "/livez").await;
        }
        let passport = format!("W{turn:04}");
        let pending = turn % 2 == 1;
        let body = same_result(&passport);
        let mut offer = json!({"formats": ["dc+sd-jwt"]});
        if pending {
            offer["category"] = body["claims"]["category"].clone();
        } else {
            let reported = front.post(Some(laboratory), "/v1/results", &body).await;
            offer["result"] = reported["result"].clone();
            issued.insert(passport.clone(), reported["certificate"].as_str().unwrap().to_owned());
        }
        let offer = front.post(Some(laboratory), "/v1/offers", &offer).await;
        let code = offer["tx_code"]["code"].as_str().unwrap();
        wallet(&[
            "offer",
            offer["link"].as_str().unwrap(),
            "--code",
            code,
            "--copies",
            "2",
        ])
        .await;
        if pending {
            let mut body = body;
            body["offer"] = offer["id"].clone();
            let reported = front.post(Some(laboratory), "/v1/results", &body).await;
            issued.insert(passport, reported["certificate"].as_str().unwrap().to_owned());
            wallet(&["refresh"]).await;
        }
        let asked = json!({
            "purpose": "boarding", "purpose_text": "Your flight", "retention_seconds": 0, "post": turn == 3,
            "credentials": [{"category": "sars-cov-2-naat", "attributes": ["family_name"]}],
        });
        let asked = front.post(Some(airline), "/v1/presentations", &asked).await;
        let answered = wallet(&["request", asked["link"].as_str().unwrap(), "--yes"]).await;
        assert_eq!(answered["outcome"], "presented");
        let path = format!("/v1/presentations/{}", asked["id"].as_str().unwrap());
        let read = front.get(Some(airline), &path).await;
        assert_eq!(read["state"], "answered", "{read}");
        let shown = &read["answer"]["credentials"][0]["attributes"];
        assert_eq!(shown, &json!({"family_name": "Musterfrau"}), "{read}");
    }
    issued
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_database_issue_and_check_and_each_may_die() {
    let Some(place) = testing::postgres() else { return };
    let url = postgres_url(&place);
    let root = TempDir::new().unwrap();
    let ports = [free_port(), free_port()];
    let public = front(ports).await;
    let configure = |name: &str, port: u16, ledger: &str| {
        let directory = root.path().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        // What both have in common: database, root key, payloads, and the address in front of them.
        let text = format!(
            "data_dir = \"data\"\nroot_key = \"../keys/root.key\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n\
             public_url = \"http://127.0.0.1:{public}\"\n[database]\nurl = \"{url}\"\n[blobs]\npath = \"../blobs\"\n\
             [anchor]\ninterval_seconds = 1\n[ledger]\n{ledger}"
        );
        std::fs::write(directory.join("vidimus.toml"), text).unwrap();
        directory
    };
    let first = configure("first", ports[0], "");
    let made = program::command(&first, &["init"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut first = Instance::new(&first, ports[0]);
    let printed = first.start(true);
    let token = &printed["setup"]["token"];
    let body = json!({"token": token, "name": "Ministry of Health", "country": "AT"});
    let made = first.api.post(None, "/v1/setup", &body).await;
    let authority = made["api_key"].as_str().unwrap().to_owned();
    let body = json!({"permissions": ["operate"], "days": 2, "label": "the second instance"});
    let made = first.api.post(Some(&authority), "/v1/api-keys", &body).await;
    let rpc_key = made["secret"].as_str().unwrap().to_owned();
    let second = configure(
        "second",
        ports[1],
        &format!(
            "mode = \"network\"\nrpc_url = \"{}/rpc\"\nrpc_key = \"{rpc_key}\"\n",
            first.api.base
        ),
    );
    std::fs::create_dir_all(second.join("data")).unwrap();
    let mut second = Instance::new(&second, ports[1]);
    second.start(false);

    // Admitted by one, known to both.
    let admit = async |instance: &Instance, admission: Value| {
        let made = instance
            .api
            .post(Some(&authority), "/v1/participants", &admission)
            .await;
        made["api_key"].as_str().unwrap().to_owned()
    };
    let laboratory = admit(&first, laboratory("Laboratory")).await;
    let airline = admit(&second, airline("Danube Air")).await;
    for instance in [&first, &second] {
        for key in [&laboratory, &airline] {
            program::until_async("the admission is on the ledger", PATIENCE, async || {
                instance.api.get(Some(key), "/v1/profile").await["status"] == "active"
            })
            .await;
        }
    }

    // Both at once; and the same report to both is done once.
    let (same, body) = ("same-report", same_result("S9000001"));
    let (mut all, there, one, other) = tokio::join!(
        report(&first, &laboratory, "A", 12),
        report(&second, &laboratory, "B", 12),
        first
            .api
            .send(Some(&laboratory), "POST", "/v1/results", Some(&body), same),
        second
            .api
            .send(Some(&laboratory), "POST", "/v1/results", Some(&body), same),
    );
    all.extend(there);
    assert_eq!(all.len(), 24);
    let at_both = Api::new(format!("http://127.0.0.1:{public}"));
    all.extend(wallets_at_both(root.path(), &at_both, &laboratory, &airline).await);
    let mut done = BTreeSet::new();
    for (status, answer) in [one.unwrap(), other.unwrap()] {
        match status {
            StatusCode::CREATED => drop(done.insert(answer["certificate"].as_str().unwrap().to_owned())),
            _ => assert_eq!(answer["type"], "urn:vidimus:error:in-progress", "{status} {answer}"),
        }
    }
    assert_eq!(done.len(), 1, "one of the two did it");
    all.insert("S".into(), done.pop_first().unwrap());
    anchored(&second, &laboratory, &all).await;
    for instance in [&first, &second] {
        for certificate in [&all["A0000"], &all["B0000"], &all["S"]] {
            assert_eq!(verdict(instance, &laboratory, &airline, certificate).await, "valid");
        }
    }
    // What one revokes is revoked at the other.
    let revoked = all["B0001"].clone();
    let path = format!("/v1/certificates/{revoked}/revoke");
    first
        .api
        .post(Some(&laboratory), &path, &json!({"reason": "error"}))
        .await;
    assert_eq!(verdict(&second, &laboratory, &airline, &revoked).await, "invalid");

    // The second dies at work; the first takes up what it left.
    let (there, here) = {
        let killed = async {
            let working = report(&second, &laboratory, "C", 1_000);
            tokio::pin!(working);
            let _ = tokio::time::timeout(Duration::from_millis(700), &mut working).await;
            // The request that is under way then loses its answer.
            let pid = second.running.as_ref().unwrap().child.id();
            let ended = std::process::Command::new("kill")
                .args(["-9", &pid.to_string()])
                .status();
            assert!(ended.unwrap().success());
            working.await
        };
        tokio::join!(killed, report(&first, &laboratory, "D", 12))
    };
    second.kill();
    assert!(!there.is_empty() && here.len() == 12);
    all.extend(there);
    all.extend(here);
    // What lost its answer is asked again, at the other one, and was begun once.
    let passport = format!(
        "C{:04}",
        all.keys().filter(|passport| passport.starts_with('C')).count()
    );
    let body = same_result(&passport);
    program::until_async("the report is taken up", PATIENCE, async || {
        let (status, answer) = first
            .api
            .send(Some(&laboratory), "POST", "/v1/results", Some(&body), &passport)
            .await
            .unwrap();
        if status == StatusCode::CREATED {
            all.insert(passport.clone(), answer["certificate"].as_str().unwrap().to_owned());
        } else {
            assert_eq!(answer["type"], "urn:vidimus:error:in-progress", "{status} {answer}");
        }
        status == StatusCode::CREATED
    })
    .await;
    anchored(&first, &laboratory, &all).await;

    // The first dies, and with it the ledger: the second issues, and checks what it knows.
    second.start(false);
    first.kill();
    let without = report(&second, &laboratory, "E", 5).await;
    assert_eq!(without.len(), 5);
    all.extend(without);
    program::until_async("the ledger is missed", PATIENCE, async || {
        second.api.get(None, "/readyz").await["status"] == "degraded"
    })
    .await;
    assert_eq!(verdict(&second, &laboratory, &airline, &all["A0001"]).await, "valid");
    first.start(false);
    all.extend(report(&first, &laboratory, "F", 5).await);

    // Everything acknowledged is there, anchored once, and valid at both.
    anchored(&second, &laboratory, &all).await;
    let (mut cursor, mut results) = (String::new(), 0);
    loop {
        let page = first
            .api
            .get(Some(&laboratory), &format!("/v1/results?limit=500{cursor}"))
            .await;
        results += page["items"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(results, all.len(), "each report was done once");
    assert_eq!(
        all.values().collect::<BTreeSet<_>>().len(),
        all.len(),
        "two reports share a certificate"
    );
    let commitments = anchored(&second, &laboratory, &all).await;
    anchored_once(&first, &commitments).await;
    told_at_the_other(&first, &second, &authority, &airline).await;
    for instance in [&first, &second] {
        program::until_async("both are ready", PATIENCE, async || {
            instance.api.get(None, "/readyz").await["status"] == "ready"
        })
        .await;
        assert_eq!(verdict(instance, &laboratory, &airline, &all["E0000"]).await, "valid");
    }
}
