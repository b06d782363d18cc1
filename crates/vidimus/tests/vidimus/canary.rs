//! Canaries: a mark in every personal field that can be sent, and a search for it everywhere it must not be: logs at their finest, errors,
//! metrics, everything public, the ledger, the blobs, the database.

mod wallets;

use crate::{holder::Holder, program};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use vidimus::clock::SystemClock;
use vidimus_core::{encoding, time::Clock};

/// For what jobs do.
const PATIENCE: Duration = Duration::from_secs(30);

/// The marks. Capitals and digits only, so that they survive transliteration; long, so that they are nowhere by chance.
const MARKS: [&str; 11] = [
    "QZFAMILYQZ",
    "QZGIVENQZ",
    "QZPASS71Q",
    "QZFALLBACKQZ",
    "QZCENTREQZ",
    "QZTESTNAMEQZ",
    "QZSTRAYQZ",
    "QZQUERYQZ",
    "1913-03-17",
    "QZMAILQZ",
    "QZCODE99QZ",
];

/// What a mark can look like: as it is, in other cases, in hexadecimal, in base64 at each of the three alignments.
fn spellings(mark: &str) -> Vec<Vec<u8>> {
    let mut found = vec![mark.to_owned(), mark.to_lowercase(), encoding::hex(mark.as_bytes())];
    for shift in 0..3 {
        let padded = [&vec![0; shift][..], mark.as_bytes()].concat();
        let text = encoding::base64(&padded);
        // The characters that no neighbour's bits touch.
        let (start, end) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
        found.push(text[start..end].to_owned());
    }
    found.into_iter().map(String::into_bytes).collect()
}

/// Where marks were found, and secrets that are looked for beside them.
#[derive(Default)]
pub struct Finds(pub Vec<String>, Vec<String>);

impl Finds {
    pub fn search(&mut self, place: &str, bytes: &[u8]) {
        let secrets = self.1.iter().map(String::as_str);
        let spelt = MARKS
            .into_iter()
            .chain(secrets)
            .map(|mark| (mark.to_owned(), spellings(mark)));
        for (mark, spellings) in spelt.collect::<Vec<_>>() {
            for spelling in spellings {
                let found = bytes.windows(spelling.len()).position(|window| window == spelling);
                if let Some(at) = found {
                    let around = &bytes[at.saturating_sub(80)..(at + 80).min(bytes.len())];
                    self.0
                        .push(format!("{mark} is in {place}: …{}…", String::from_utf8_lossy(around)));
                }
            }
        }
    }
}

pub fn search_files(finds: &mut Finds, place: &str, directory: &Path) -> usize {
    let (mut count, mut waiting) = (0, vec![directory.to_owned()]);
    while let Some(at) = waiting.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                finds.search(&format!("{place}: {}", path.display()), &std::fs::read(&path).unwrap());
                count += 1;
            }
        }
    }
    count
}

#[test]
fn the_search_finds_what_is_there() {
    for mark in MARKS {
        for prefix in ["", "a", "ab"] {
            let text = format!("{prefix}{mark} and more");
            let texts = [
                text.clone(),
                encoding::base64(text.as_bytes()),
                encoding::base64url(text.as_bytes()),
                encoding::hex(text.as_bytes()),
            ];
            for text in texts {
                let mut finds = Finds::default();
                finds.search("a test", text.as_bytes());
                assert!(!finds.0.is_empty(), "{text}");
            }
        }
    }
}

struct Client {
    base: String,
    http: reqwest::Client,
    /// Every answer that a stranger, an operator or a log could see.
    seen: Vec<(String, Vec<u8>)>,
}

impl Client {
    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        key: Option<&str>,
        kind: &str,
        body: Option<String>,
    ) -> (u16, Value) {
        let mut request = self
            .http
            .request(method.parse().unwrap(), format!("{}{path}", self.base));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.header("content-type", kind).body(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let headers = format!("{:?}", answer.headers());
        let bytes = answer.bytes().await.unwrap().to_vec();
        let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        self.seen.push((
            format!("the answer {status} to {method} {path}"),
            [headers.into_bytes(), bytes].concat(),
        ));
        (status, value)
    }
    async fn post(&mut self, path: &str, key: Option<&str>, body: &Value) -> (u16, Value) {
        self.ask("POST", path, key, "application/json", Some(body.to_string()))
            .await
    }
    async fn get(&mut self, path: &str, key: Option<&str>) -> (u16, Value) {
        self.ask("GET", path, key, "", None).await
    }
}

/// A server that logs at its finest, and what is seen of it.
struct Watched {
    directory: TempDir,
    server: Child,
    stdout: BufReader<ChildStdout>,
    printed: String,
    client: Client,
}

impl Watched {
    fn begin() -> Self {
        let directory = TempDir::new().unwrap();
        let port = crate::server::free_port();
        let program = |arguments: &[&str]| program::command(directory.path(), arguments);
        assert!(program(&["init"]).output().unwrap().status.success());
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let mut server = program(&["--json", "serve"])
            .env("VIDIMUS_SERVER_LISTEN", &base[7..])
            .env("VIDIMUS_SERVER_PUBLIC_URL", &base)
            .env("VIDIMUS_LOG_LEVEL", "trace")
            .env("VIDIMUS_ANCHOR_INTERVAL_SECONDS", "1")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut printed = String::new();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        stdout.read_line(&mut printed).unwrap();
        let watched = Self {
            client: Client {
                base,
                http: reqwest::Client::builder().no_proxy().build().unwrap(),
                seen: Vec::new(),
            },
            directory,
            server,
            stdout,
            printed,
        };
        program::until("it serves", PATIENCE, || watched.log().contains("\"serving\""));
        watched
    }

    /// The token that makes the authority.
    fn token(&self) -> String {
        let printed: Value = serde_json::from_str(&self.printed).unwrap();
        printed["setup"]["token"].as_str().unwrap().to_owned()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// Ends the server, and looks everywhere. Gives the log.
    fn end(mut self, finds: &mut Finds) -> String {
        let id = self.server.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert!(self.server.wait().unwrap().success());
        finds.search("standard output", (self.printed.clone() + &rest).as_bytes());
        let log = self.log();
        assert!(log.lines().count() > 20, "the log is there: {log}");
        finds.search("the log", log.as_bytes());
        for (place, bytes) in &self.client.seen {
            finds.search(place, bytes);
        }
        assert!(search_files(finds, "the data directory", &self.directory.path().join("data")) >= 3);
        log
    }
}

fn report() -> Value {
    json!({
        "claims": {
            "person": {"family_name": "Qzfamilyqz", "given_name": "Qzgivenqz", "birth_date": "1913-03-17"},
            "category": "sars-cov-2-naat",
            "claims": {
                "sampled_at": SystemClock.now().plus(-3_600).to_rfc3339(),
                "result": "260415000",
                "test_name": "QZTESTNAMEQZ",
                "testing_centre": "QZCENTREQZ",
                "country": "AT",
            },
        },
        "document": {"type": "passport", "country": "AT", "number": "QZPASS71Q"},
        "formats": ["vc-jwt-1.1", "vc+jwt", "hcert"],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_personal_value_is_where_it_must_not_be() {
    let mut watched = Watched::begin();
    let token = watched.token();
    let outcome = exercise(&mut watched.client, &token).await;
    let mut finds = Finds::default();
    watched.end(&mut finds);
    assert!(finds.0.is_empty(), "{} finds:\n{}", finds.0.len(), finds.0.join("\n"));
    assert!(outcome.refusals > 20, "{} refusals were provoked", outcome.refusals);
}

struct Outcome {
    refusals: usize,
}

/// Sends the marks every way there is; what it returns to the issuer itself (its own paper copy) is not among what is searched.
async fn exercise(client: &mut Client, token: &str) -> Outcome {
    let (status, made) = client
        .post(
            "/v1/setup",
            None,
            &json!({"token": token, "name": "Ministry", "country": "AT"}),
        )
        .await;
    assert_eq!(status, 201, "{made}");
    let authority = made["api_key"].as_str().unwrap().to_owned();
    let issuer = json!({"role": "issuer", "name": "Laboratory", "country": "AT", "categories": ["sars-cov-2-naat"]});
    let (_, laboratory) = client.post("/v1/participants", Some(&authority), &issuer).await;
    let verifier = json!({"role": "verifier", "name": "Airline", "country": "AT", "attributes": ["family_name"], "purposes": ["boarding"]});
    let (_, airline) = client.post("/v1/participants", Some(&authority), &verifier).await;
    let laboratory = laboratory["api_key"].as_str().unwrap().to_owned();
    let airline = airline["api_key"].as_str().unwrap().to_owned();
    let mut body = report();
    body["card"] = json!(Holder::new().card);
    let mut certificate = Value::Null;
    program::until_async("the laboratory is admitted and reports", PATIENCE, async || {
        let (status, answer) = client.post("/v1/results", Some(&laboratory), &body).await;
        certificate = answer;
        status == 201
    })
    .await;
    let sealed: Vec<String> = certificate["copies"]
        .as_array()
        .unwrap_or_else(|| panic!("the result was reported: {certificate}"))
        .iter()
        .map(|copy| format!("/ipfs/{}", copy["content_id"].as_str().unwrap()))
        .collect();
    assert_eq!(sealed.len(), 3);
    for path in &sealed {
        assert_eq!(client.get(path, None).await.0, 200, "{path}");
    }
    let path = format!("/v1/results/{}/copies", certificate["result"].as_str().unwrap());
    let (status, more) = client
        .post(&path, Some(&laboratory), &json!({"formats": ["hcert"]}))
        .await;
    assert_eq!(status, 201, "{more}");
    let copy = more["copies"]
        .as_array()
        .unwrap()
        .iter()
        .find(|copy| copy["content_id"].is_null())
        .unwrap()
        .clone();
    let id = copy["id"].as_str().unwrap().to_owned();

    // The issuer's own paper copy holds the person, and is the issuer's to see.
    let own = client
        .http
        .get(format!("{}/v1/copies/{id}/paper?form=text", client.base))
        .bearer_auth(&laboratory);
    let paper = own.send().await.unwrap().text().await.unwrap();
    assert!(paper.starts_with("HC1:"), "{paper}");

    let mut refusals = 0;
    for body in spoiled() {
        for path in [
            "/v1/results",
            "/v1/checks",
            "/v1/setup",
            "/v1/participants",
            "/v1/dids/changes",
        ] {
            for key in [None, Some(&laboratory), Some(&airline), Some(&authority)] {
                let (status, _) = client
                    .ask(
                        "POST",
                        path,
                        key.map(String::as_str),
                        "application/json",
                        Some(body.clone()),
                    )
                    .await;
                refusals += usize::from(status >= 400);
            }
        }
    }
    for (method, path) in [
        ("GET", "/v1/categories/QZQUERYQZ"),
        ("GET", "/v1/results?cursor=QZQUERYQZ"),
        ("GET", "/v1/results?QZQUERYQZ=1"),
        ("GET", "/v1/results/QZQUERYQZ"),
        ("GET", "/ipfs/QZQUERYQZ"),
        ("GET", "/QZQUERYQZ?name=QZQUERYQZ"),
        ("DELETE", "/v1/api-keys/QZQUERYQZ"),
        ("PUT", "/v1/results/QZQUERYQZ"),
    ] {
        let (status, _) = client.ask(method, path, Some(&laboratory), "", None).await;
        assert!(status >= 400, "{method} {path}");
        refusals += 1;
    }
    let (_, checked) = client
        .post(
            "/v1/checks",
            Some(&airline),
            &json!({"input": paper, "purpose": "boarding"}),
        )
        .await;
    assert!(checked["verdict"].is_string(), "{checked}");
    for (path, key) in [
        ("/metrics", Some(&laboratory)),
        ("/v1/bundle", None),
        ("/v1/registry/issuers", None),
        ("/v1/status/1/token", None),
        ("/v1/status/1/bitstring/revocation", None),
        ("/v1/results", Some(&laboratory)),
        ("/v1/audit", Some(&authority)),
        ("/readyz", None),
    ] {
        let (status, _) = client.get(path, key.map(String::as_str)).await;
        assert_eq!(status, 200, "{path}");
    }
    let commitment = copy["commitment"].as_str().unwrap().to_owned();
    let receipt = format!("/v1/receipts/{commitment}");
    program::until_async("the copy is anchored", PATIENCE, async || {
        client.get(&receipt, None).await.0 == 200
    })
    .await;
    Outcome { refusals }
}

/// Bodies that are wrong in one way each, with marks where they are wrong.
fn spoiled() -> Vec<String> {
    let mut bodies = vec![
        "QZSTRAYQZ".to_owned(),
        "{\"QZSTRAYQZ\"".to_owned(),
        json!({"QZSTRAYQZ": "QZSTRAYQZ"}).to_string(),
        json!({"input": "QZSTRAYQZ.QZSTRAYQZ.QZSTRAYQZ", "purpose": "QZSTRAYQZ"}).to_string(),
        json!({"input": "HC1:QZSTRAYQZ", "purpose": "boarding"}).to_string(),
        json!({"input": "QZSTRAYQZ", "purpose": "boarding", "attributes": ["QZSTRAYQZ"]}).to_string(),
        json!({"identity": "QZSTRAYQZ", "change": {"kind": "QZSTRAYQZ"}, "signature": "QZSTRAYQZ"}).to_string(),
        json!({"role": "issuer", "name": "QZSTRAYQZ\u{7}", "country": "QZSTRAYQZ", "categories": ["QZSTRAYQZ"]}).to_string(),
        json!({"token": "QZSTRAYQZ", "name": "QZSTRAYQZ", "country": "QZ"}).to_string(),
        json!({"fhir": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {
            "resourceType": "Patient", "name": [{"family": "Qzfamilyqz", "given": ["Qzgivenqz"]}], "birthDate": "QZSTRAYQZ"}}]},
            "fallback_id": "QZFALLBACKQZ"}).to_string(),
        json!({"dcc": {"ver": "1.3.0", "nam": {"fn": "Qzfamilyqz", "fnt": "QZFAMILYQZ"}, "dob": "QZSTRAYQZ", "t": []}}).to_string(),
    ];
    for (pointer, wrong) in [
        ("/claims/person/family_name", json!({"QZFAMILYQZ": 1})),
        ("/claims/person/birth_date", json!("QZSTRAYQZ")),
        ("/claims/category", json!("QZSTRAYQZ")),
        ("/claims/claims/sampled_at", json!("QZSTRAYQZ")),
        ("/claims/claims/result", json!("QZSTRAYQZ")),
        ("/claims/claims/country", json!("QZSTRAYQZ")),
        ("/document/type", json!("QZSTRAYQZ")),
        ("/document/country", json!("QZSTRAYQZ")),
        ("/document/number", json!(["QZPASS71Q"])),
        ("/formats", json!(["QZSTRAYQZ"])),
    ] {
        let mut body = report();
        *body.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = wrong;
        bodies.push(body.to_string());
    }
    let mut body = report();
    body["card"] = json!("QZSTRAYQZ");
    body["algorithm"] = json!("QZSTRAYQZ");
    bodies.push(body.to_string());
    bodies
}
