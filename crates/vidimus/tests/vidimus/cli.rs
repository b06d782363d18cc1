//! The command line as each role uses it: the real program against a real server that it serves itself.

use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;
use vidimus_core::{Timestamp, time::Clock as _};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vidimus");
const CATEGORY: &str = "sars-cov-2-naat";

/// How a command ended.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    /// It did what it was asked; its answer in JSON.
    #[track_caller]
    fn json(self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
    /// A check's answer; `code` says the verdict, and one of its tests gave `reason`.
    #[track_caller]
    fn checked(self, code: i32, reason: &str) -> Value {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        let answer: Value = serde_json::from_str(&self.out).unwrap();
        let verdict = ["valid", "invalid", "", "undetermined"][usize::try_from(code).unwrap()];
        assert_eq!(answer["verdict"], verdict);
        let reasons: Vec<_> = answer["tests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|test| &test["reason"])
            .collect();
        assert!(reasons.contains(&&json!(reason)), "{reason} is not among {reasons:?}");
        answer
    }
    /// It was refused with this exit code and a sentence that has all of `parts`, and nothing but that.
    #[track_caller]
    fn refused(self, code: i32, parts: &[&str]) {
        let said = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
}

/// A directory with files, and the program run in it.
struct Place {
    directory: TempDir,
    url: String,
}

impl Place {
    fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            url: "http://127.0.0.1:9".into(),
        }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }
    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
    /// Keeps a command's standard output in a file.
    #[track_caller]
    fn keep(&self, name: &str, ended: Ended) -> String {
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        self.write(name, ended.out.trim());
        ended.out.trim().to_owned()
    }
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .current_dir(self.directory.path())
            .args(arguments)
            .stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VIDIMUS_")) {
            command.env_remove(name);
        }
        command
            .env("VIDIMUS_URL", &self.url)
            .env("VIDIMUS_PASSPHRASE", "correct horse battery");
        command
    }
    fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments))
    }
    /// With an input, answered in JSON.
    fn with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self
            .command(arguments)
            .arg("--json")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses may not read its input.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        read(output)
    }
    /// Answered in JSON.
    fn ask(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        command.arg("--json");
        ended(command)
    }
}

fn ended(mut command: Command) -> Ended {
    read(command.output().unwrap())
}

fn read(output: std::process::Output) -> Ended {
    Ended {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A deployment that the program serves.
struct Deployment {
    place: Place,
    token: String,
    child: Child,
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl std::ops::Deref for Deployment {
    type Target = Place;
    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Deployment {
    fn serve() -> Self {
        let mut place = Place::new();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        place.url = format!("http://127.0.0.1:{port}");
        place.write(
            "vidimus.toml",
            &format!(
                "data_dir = \"data\"\nroot_key = \"keys/root.key\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n\
                 [anchor]\ninterval_seconds = 1\n"
            ),
        );
        place.ask(&["init"]).json();
        let mut child = place
            .command(&["--json", "serve"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut logs = child.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = logs.read_to_string(&mut text);
            text
        });
        let mut printed = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut printed)
            .unwrap();
        if printed.is_empty() {
            panic!("it does not serve: {:?} {}", child.wait(), reader.join().unwrap());
        }
        let printed: Value = serde_json::from_str(&printed).unwrap();
        let token = printed["setup"]["token"].as_str().unwrap().to_owned();
        Self { place, token, child }
    }

    /// Authority, laboratory and airline, each with an API key in a file; the ids of the two.
    fn with_participants(&self) -> (String, String) {
        let setup = [
            "setup",
            "--token-file",
            "-",
            "--name",
            "Ministry",
            "--country",
            "AT",
            "--save-api-key",
            "authority.key",
        ];
        let made = self.with_input(&setup, &self.token).json();
        assert_eq!(made["api_key"], "in authority.key");
        let admit = |role: &str, name: &str, more: &[&str]| {
            let key = format!("{role}.key");
            let base = [
                "participant",
                "admit",
                role,
                "--name",
                name,
                "--country",
                "AT",
                "--wait",
            ];
            let keys = ["--api-key-file", "authority.key", "--save-api-key", &key];
            let made = self.ask(&[&base[..], &keys[..], more].concat()).json();
            assert_eq!(made["participant"]["status"], "active");
            made["participant"]["id"].as_str().unwrap().to_owned()
        };
        let laboratory = admit("issuer", "Labor Donauraum", &["--category", CATEGORY]);
        let attributes = [
            "--attribute",
            "family_name",
            "--attribute",
            "result",
            "--purpose",
            "boarding",
        ];
        (laboratory, admit("verifier", "Danube Air", &attributes))
    }

    /// A presentation of the wallet's certificate in answer to a new request of the airline, in `presentation.jwt`.
    fn present(&self) {
        self.keep(
            "request.json",
            self.run(&["request", "--purpose", "boarding", "--api-key-file", "verifier.key"]),
        );
        self.keep(
            "presentation.jwt",
            self.run(&["wallet", "present", "1", "--request", "request.json"]),
        );
    }

    fn check(&self, file: &str) -> Ended {
        self.ask(&["check", file, "--purpose", "boarding", "--api-key-file", "verifier.key"])
    }

    /// A gate's own request, answered, checked with the bundle.
    fn check_offline(&self, audience: &str, name: &str) -> Ended {
        let request = format!("{name}.json");
        self.keep(
            &request,
            self.run(&["request", "--purpose", "boarding", "--offline", "--audience", audience]),
        );
        self.keep(
            "offline.jwt",
            self.run(&["wallet", "present", "1", "--request", &request]),
        );
        self.ask(&[
            "check",
            "offline.jwt",
            "--bundle",
            "bundle.jwt",
            "--root",
            "root.pem",
            "--request",
            &request,
        ])
    }
}

fn now() -> Timestamp {
    vidimus::clock::SystemClock.now()
}

/// The repository's sample of a negative PCR test, taken some hours ago.
fn fhir() -> String {
    let (sampled, reported) = (now().plus(-5 * 3_600).to_rfc3339(), now().plus(-3_600).to_rfc3339());
    include_str!("../../../../vectors/samples/fhir/pcr-negative.json")
        .replace("2025-03-02T09:15:00+01:00", &sampled)
        .replace("2025-03-02T17:45:00+01:00", &reported)
        .replace("2025-03-02T18:00:00+01:00", &reported)
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer}: {value}"))
        .to_owned()
}

fn content_id(view: &Value, format: &str) -> String {
    let copies = view["copies"].as_array().unwrap();
    text(
        copies.iter().find(|copy| copy["format"] == format).unwrap(),
        "/content_id",
    )
}

#[test]
fn each_role_does_its_part_from_the_command_line() {
    let server = Deployment::serve();
    let (laboratory, airline) = server.with_participants();

    // The traveller makes an identity; the laboratory issues for it.
    let made = server.ask(&["wallet", "new"]).json();
    assert!(text(&made, "/did").starts_with("did:ethr:0x56494d:0x"));
    server.keep("card.jwt", server.run(&["wallet", "card"]));
    server.write("fhir.json", &fhir());
    let lab = ["--api-key-file", "issuer.key"];
    let formats = [
        "--format",
        "vc-jwt-1.1",
        "--format",
        "hcert",
        "--card",
        "card.jwt",
        "--wait",
    ];
    let issued = server
        .ask(&[&["issue", "--fhir", "fhir.json"], &formats[..], &lab].concat())
        .json();
    assert!(
        issued["copies"]
            .as_array()
            .unwrap()
            .iter()
            .all(|copy| copy["anchored"] == true),
        "{issued}"
    );
    let again = server.ask(&[&["issue", "--fhir", "fhir.json"], &formats[..], &lab].concat());
    again.refused(4, &["replace"]);

    // The traveller takes it in; another wallet cannot.
    let content = content_id(&issued, "vc-jwt-1.1");
    let received = server
        .ask(&["wallet", "receive", &content, "--from", &server.url])
        .json();
    assert_eq!((&received["number"], &received["anchored"]), (&json!(1), &json!(true)));
    server
        .ask(&["wallet", "receive", &content, "--from", &server.url])
        .refused(4, &["already"]);
    server.ask(&["wallet", "new", "--wallet", "other.vidimus"]).json();
    let other = [
        "wallet",
        "receive",
        &content,
        "--from",
        &server.url,
        "--wallet",
        "other.vidimus",
    ];
    server.ask(&other).refused(4, &["other keys", "card"]);
    server.ask(&["wallet", "counter-sign", "1"]).json();

    // The airline asks and checks: valid, once.
    server.present();
    let answer = server.check("presentation.jwt").checked(0, "nonce_ok");
    assert_eq!(answer["attributes"]["family_name"], "Achleitner-Sørby");
    assert_eq!(
        answer["attributes"].as_object().unwrap().len(),
        2,
        "only what it was admitted for: {answer}"
    );
    server.check("presentation.jwt").checked(1, "nonce_mismatch");
    let history = server.ask(&["wallet", "history"]).json();
    assert_eq!(history["shown"].as_array().unwrap().len(), 1);
    server.present();
    let people = server.run(&[
        "check",
        "presentation.jwt",
        "--purpose",
        "boarding",
        "--api-key-file",
        "verifier.key",
    ]);
    assert_eq!(people.code, 0, "{}", people.err);
    for part in [
        "V A L I D",
        "Not detected",
        "Labor Donauraum",
        "✓ signature",
        "✓ holder binding",
    ] {
        assert!(people.out.contains(part), "{part:?} is not in: {}", people.out);
    }

    // What is not shown as an answer, cut, altered or asked for too much.
    server.keep("envelope.json", server.run(&["wallet", "export", "1"]));
    server.check("envelope.json").checked(3, "holder_binding_missing");
    let copy = server.keep("copy.jwt", server.run(&["wallet", "show", "1"]));
    server.write("cut.jwt", &copy[..copy.len() / 2]);
    server.check("cut.jwt").checked(1, "unsupported_format");
    server.present();
    let beyond = [
        "check",
        "presentation.jwt",
        "--purpose",
        "boarding",
        "--attribute",
        "birth_date",
    ];
    server
        .ask(&[&beyond[..], &["--api-key-file", "verifier.key"]].concat())
        .refused(4, &["attribute-not-granted", "/attributes"]);
    server
        .ask(&[
            "check",
            "presentation.jwt",
            "--purpose",
            "marketing",
            "--api-key-file",
            "verifier.key",
        ])
        .refused(4, &["purpose-not-granted"]);
    server
        .ask(&["check", "presentation.jwt", "--purpose", "boarding"])
        .refused(2, &["--api-key-file", "VIDIMUS_API_KEY"]);
    server
        .ask(&[
            "check",
            "presentation.jwt",
            "--purpose",
            "boarding",
            "--api-key-file",
            "issuer.key",
        ])
        .refused(4, &["role"]);
    server.write("bad.key", "vk_nonsense");
    server
        .ask(&["result", "list", "--api-key-file", "bad.key"])
        .refused(4, &["API key", "request "]);

    // Offline, with a bundle and a pinned root.
    let fetched = server.ask(&["bundle", "--save-root", "root.pem"]).json();
    assert_eq!(text(&fetched, "/root/sha256").len(), 64);
    let root_again = server.ask(&["bundle", "--save-root", "root.pem"]);
    root_again.refused(2, &["root.pem", "not replaced"]);
    let audience = text(
        &server
            .ask(&["participant", "show", "--api-key-file", "verifier.key"])
            .json(),
        "/did",
    );
    let answer = server.check_offline(&audience, "gate-1").checked(0, "receipt_ok");
    assert!(answer["bundle"]["age"].as_i64().unwrap() < 120);
    let replayed = [
        "check",
        "offline.jwt",
        "--bundle",
        "bundle.jwt",
        "--root",
        "root.pem",
        "--request",
        "gate-1.json",
    ];
    server.ask(&replayed).checked(1, "nonce_mismatch");

    // Paper: drawn, and checked online and against the laboratory's certificate as a foreigner would.
    let result = text(&issued, "/result");
    let added = server
        .ask(&[&["copies", "add", &result, "--format", "hcert"], &lab[..]].concat())
        .json();
    let copies = added["copies"].as_array().unwrap();
    let paper = text(copies.iter().find(|copy| copy["content_id"].is_null()).unwrap(), "/id");
    for (file, start) in [("qr.svg", &b"<?xml"[..]), ("qr.png", b"\x89PNG"), ("qr.txt", b"HC1:")] {
        server
            .ask(&[&["paper", &paper, "--output", file], &lab[..]].concat())
            .json();
        assert!(std::fs::read(server.path(file)).unwrap().starts_with(start), "{file}");
    }
    let issuers = ["participant", "show", &laboratory, "--api-key-file", "authority.key"];
    let keys = server.ask(&issuers).json()["keys"].clone();
    let signer = keys
        .as_array()
        .unwrap()
        .iter()
        .find_map(|key| key["certificate"].as_str())
        .unwrap()
        .to_owned();
    server.write("trust.json", &json!([signer]).to_string());
    let foreign = server
        .ask(&["check", "qr.txt", "--trust-list", "trust.json"])
        .checked(3, "issuer_trusted");
    let tests = foreign["tests"].to_string();
    assert!(
        tests.contains("signature_ok") && tests.contains("status_missing"),
        "{foreign}"
    );

    // Suspended, resumed; granted, withdrawn; keys made and revoked; the log is whole.
    let authority = ["--api-key-file", "authority.key"];
    let participant =
        |verb: &str, more: &[&str]| server.ask(&[&["participant", verb, &laboratory], more, &authority[..]].concat());
    participant("suspend", &["--reason", "audit"]).json();
    until(|| participant("show", &[]).json()["status"] == "suspended");
    server.present();
    server.check("presentation.jwt").checked(1, "issuer_suspended");
    participant("resume", &[]).json();
    until(|| participant("show", &[]).json()["status"] == "active");
    participant("grant", &["--category", "sars-cov-2-antigen"]).json();
    until(|| participant("show", &[]).json()["categories"].as_array().unwrap().len() == 2);
    participant("withdraw", &["--category", "sars-cov-2-antigen"]).json();
    until(|| participant("show", &[]).json()["categories"].as_array().unwrap().len() == 1);
    assert_eq!(
        server
            .ask(&["participant", "list", "--api-key-file", "authority.key"])
            .json()["items"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let key = server
        .ask(&[
            "api-key",
            "create",
            "--permission",
            "check",
            "--label",
            "gate",
            "--api-key-file",
            "verifier.key",
        ])
        .json();
    let (id, secret) = (text(&key, "/id"), text(&key, "/secret"));
    server.write("gate.key", &secret);
    server
        .ask(&["request", "--purpose", "boarding", "--api-key-file", "gate.key"])
        .json();
    server
        .ask(&["api-key", "list", "--api-key-file", "gate.key"])
        .refused(4, &["permission"]);
    assert!(
        !server
            .run(&["--json", "api-key", "list", "--api-key-file", "verifier.key"])
            .out
            .contains(&secret)
    );
    server
        .ask(&["api-key", "revoke", &id, "--api-key-file", "verifier.key"])
        .json();
    server
        .ask(&["request", "--purpose", "boarding", "--api-key-file", "gate.key"])
        .refused(4, &["API key"]);
    assert!(server.run(&["category", "list"]).out.contains(CATEGORY));
    assert_eq!(server.ask(&["category", "show", CATEGORY]).json()["id"], CATEGORY);
    let log = server
        .ask(&["audit", "verify", "--api-key-file", "authority.key"])
        .json();
    assert!(log["whole"] == true && log["entries"].as_u64().unwrap() > 5, "{log}");
    assert!(
        server
            .run(&["audit", "list", "--api-key-file", "authority.key"])
            .out
            .contains("set-up")
    );
    server
        .ask(&["participant", "show", &airline, "--api-key-file", "verifier.key"])
        .refused(4, &["role"]);

    // Revoked: online at once, offline with a fresh bundle; the one before is not taken again.
    std::fs::copy(server.path("bundle.jwt"), server.path("old.jwt")).unwrap();
    let certificate = text(&issued, "/certificate");
    server
        .ask(&[&["revoke", &certificate, "--reason", "because of Mr X"], &lab[..]].concat())
        .refused(2, &["/reason"]);
    let revoked = server
        .ask(&[&["revoke", &certificate, "--reason", "error"], &lab[..]].concat())
        .json();
    assert_eq!(revoked["status"], "revoked");
    server.present();
    let answer = server.check("presentation.jwt").checked(1, "revoked");
    assert_eq!(
        answer["attributes"],
        json!({}),
        "nothing is shown of what does not hold"
    );
    server.check("qr.txt").checked(1, "revoked");
    server.ask(&["bundle", "--root", "root.pem"]).json();
    server.check_offline(&audience, "gate-2").checked(1, "revoked");
    std::fs::copy(server.path("old.jwt"), server.path("bundle.jwt")).unwrap();
    server
        .check_offline(&audience, "gate-3")
        .refused(4, &["older than", "vidimus bundle"]);
    server.ask(&["bundle", "--root", "root.pem"]).json();
    let listed = server.ask(&[&["result", "list"], &lab[..]].concat()).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let shown = server.ask(&[&["result", "show", &result], &lab[..]].concat()).json();
    assert_eq!(shown["result"], result);

    // A bundle of one deployment is nothing to who pinned another's root.
    let elsewhere = Deployment::serve();
    elsewhere.ask(&["bundle", "--save-root", "root.pem"]).json();
    std::fs::copy(server.path("bundle.jwt"), elsewhere.path("bundle.jwt")).unwrap();
    std::fs::copy(server.path("copy.jwt"), elsewhere.path("copy.jwt")).unwrap();
    elsewhere
        .ask(&["check", "copy.jwt", "--bundle", "bundle.jwt", "--root", "root.pem"])
        .refused(4, &["root certificate"]);
}

/// Waits for what jobs do, at most 30 seconds.
#[track_caller]
fn until(there: impl Fn() -> bool) {
    for _ in 0..150 {
        if there() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("not within 30 seconds");
}

#[test]
fn authority_and_laboratory_keep_their_own_keys() {
    let server = Deployment::serve();
    for who in ["authority", "laboratory"] {
        let keys = format!("{who}.keys");
        server.ask(&["keys", "new", "--keys", &keys]).json();
        server.keep(&format!("{who}.jwt"), server.run(&["keys", "card", "--keys", &keys]));
    }
    let setup = [
        "setup",
        "--token-file",
        "-",
        "--name",
        "Ministry",
        "--country",
        "AT",
        "--card",
        "authority.jwt",
    ];
    let made = server
        .with_input(
            &[&setup[..], &["--save-api-key", "authority.key"]].concat(),
            &server.token,
        )
        .json();
    assert_eq!(made["participant"]["custody"], "own");
    assert_eq!(
        made["prepared"].as_array().unwrap().len(),
        3,
        "three contracts are handed over: {made}"
    );

    // What others prepared, or what was altered on the way, is not signed.
    let sign = [
        "keys",
        "sign-transactions",
        "-",
        "--keys",
        "authority.keys",
        "--api-key-file",
        "authority.key",
    ];
    let mut altered = made.clone();
    altered["prepared"][0]["signing_hash"] = json!(format!("0x{}", "00".repeat(32)));
    server.with_input(&sign, &altered.to_string()).refused(4, &["hash"]);
    let wrong = [
        "keys",
        "sign-transactions",
        "-",
        "--keys",
        "laboratory.keys",
        "--api-key-file",
        "authority.key",
    ];
    let nothing = server.with_input(&wrong, &made.to_string()).json();
    assert_eq!((&nothing["signed"], &nothing["for_others"]), (&json!([]), &json!(3)));
    let signed = server.with_input(&sign, &made.to_string()).json();
    assert_eq!(signed["signed"].as_array().unwrap().len(), 3);

    // The authority signs the admission, the laboratory what concerns its own account.
    let admit = [
        "participant",
        "admit",
        "issuer",
        "--name",
        "Labor",
        "--country",
        "AT",
        "--category",
        CATEGORY,
    ];
    let keys = [
        "--card",
        "laboratory.jwt",
        "--api-key-file",
        "authority.key",
        "--save-api-key",
        "laboratory.key",
    ];
    let admitted = server.ask(&[&admit[..], &keys].concat()).json();
    assert_eq!(admitted["participant"]["status"], "pending");
    let done = server.with_input(&sign, &admitted.to_string()).json();
    assert!(!done["signed"].as_array().unwrap().is_empty(), "{admitted}");
    let lab = [
        "keys",
        "sign-transactions",
        "-",
        "--keys",
        "laboratory.keys",
        "--api-key-file",
        "laboratory.key",
    ];
    let own = server.with_input(&lab, &admitted.to_string()).json();
    assert_eq!(
        own["signed"].as_array().unwrap().len(),
        1,
        "its P-256 key goes into its DID: {admitted}"
    );
    until(|| {
        server
            .ask(&["participant", "show", "--api-key-file", "laboratory.key"])
            .json()["status"]
            == "active"
    });
    let airline = [
        "participant",
        "admit",
        "verifier",
        "--name",
        "Air",
        "--country",
        "AT",
        "--attribute",
        "result",
    ];
    let keys = [
        "--purpose",
        "boarding",
        "--api-key-file",
        "authority.key",
        "--save-api-key",
        "verifier.key",
    ];
    let airline = server.ask(&[&airline[..], &keys].concat()).json();
    server.with_input(&sign, &airline.to_string()).json();

    // Copies wait for the laboratory's signature, and are whole after it.
    server.ask(&["wallet", "new"]).json();
    server.keep("card.jwt", server.run(&["wallet", "card"]));
    server.write("fhir.json", &fhir());
    let issue = [
        "issue",
        "--fhir",
        "fhir.json",
        "--card",
        "card.jwt",
        "--format",
        "vc-jwt-1.1",
        "--format",
        "hcert",
    ];
    let issued = server
        .ask(&[&issue[..], &["--api-key-file", "laboratory.key"]].concat())
        .json();
    assert!(
        issued["copies"]
            .as_array()
            .unwrap()
            .iter()
            .all(|copy| copy["state"] == "unsigned"),
        "{issued}"
    );
    let sign = [
        "keys",
        "sign-copies",
        "-",
        "--keys",
        "laboratory.keys",
        "--api-key-file",
        "laboratory.key",
    ];
    let mut trap = issued.clone();
    trap["copies"][0]["to_sign"]["message"] = json!(vidimus_core::encoding::base64url(b"anything else"));
    server
        .with_input(&sign, &trap.to_string())
        .refused(4, &["no certificate of this issuer"]);
    let signed = server.with_input(&sign, &issued.to_string()).json();
    assert!(
        signed["copies"]
            .as_array()
            .unwrap()
            .iter()
            .all(|copy| copy["state"] == "signed"),
        "{signed}"
    );
    server
        .with_input(&sign, &issued.to_string())
        .refused(4, &["signed already"]);
    let result = text(&issued, "/result");
    until(|| {
        let view = server
            .ask(&["result", "show", &result, "--api-key-file", "laboratory.key"])
            .json();
        view["certificate"]["copies"]
            .as_array()
            .unwrap()
            .iter()
            .all(|copy| copy["anchored"] == true)
    });
    let content = content_id(&signed, "vc-jwt-1.1");
    server
        .ask(&["wallet", "receive", &content, "--from", &server.url])
        .json();
    server.ask(&["wallet", "counter-sign", "1"]).json();
    until(|| {
        server
            .ask(&["participant", "show", "--api-key-file", "verifier.key"])
            .json()["status"]
            == "active"
    });
    server.present();
    server.check("presentation.jwt").checked(0, "signature_ok");
}

#[test]
fn what_a_wallet_and_a_client_are_given_wrong_is_told_with_the_next_step() {
    let place = Place::new();
    place
        .ask(&["wallet", "list"])
        .refused(2, &["there is no wallet", "vidimus wallet new"]);
    let made = place.ask(&["wallet", "new"]).json();
    let did = text(&made, "/did");
    place.ask(&["wallet", "new"]).refused(4, &["there already", "--wallet"]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(place.path("wallet.vidimus")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let content = std::fs::read(place.path("wallet.vidimus")).unwrap();
    assert!(
        !String::from_utf8_lossy(&content).contains(&did),
        "nothing of it is readable"
    );

    // Passphrases.
    let mut wrong = place.command(&["wallet", "list"]);
    wrong.env("VIDIMUS_PASSPHRASE", "incorrect horse");
    ended(wrong).refused(4, &["passphrase", "nothing was changed"]);
    let mut none = place.command(&["wallet", "list"]);
    none.env_remove("VIDIMUS_PASSPHRASE");
    // Without a terminal nobody can be asked; with one (some runners have it) this would wait.
    if std::fs::File::open("/dev/tty").is_err() {
        ended(none).refused(2, &["--passphrase-file", "VIDIMUS_PASSPHRASE"]);
    }
    let mut short = place.command(&["wallet", "new", "--wallet", "short.vidimus"]);
    short.env("VIDIMUS_PASSPHRASE", "short");
    ended(short).refused(2, &["at least 8"]);
    place.write("new.txt", "a better passphrase\n");
    place
        .ask(&["wallet", "passphrase", "--new-passphrase-file", "new.txt"])
        .json();
    place.ask(&["wallet", "list"]).refused(4, &["passphrase"]);
    place.ask(&["wallet", "list", "--passphrase-file", "new.txt"]).json();

    // Any byte of the file altered, or the end missing: refused, never misread.
    let whole = std::fs::read(place.path("wallet.vidimus")).unwrap();
    let damaged = |name: &str, bytes: &[u8]| {
        std::fs::write(place.path(name), bytes).unwrap();
        let ended = place.ask(&["wallet", "list", "--wallet", name, "--passphrase-file", "new.txt"]);
        assert!([2, 4, 6].contains(&ended.code), "{}{}", ended.out, ended.err);
        assert!(!ended.out.contains(&did));
    };
    damaged("cut.vidimus", &whole[..whole.len() - 1]);
    damaged("empty.vidimus", b"");
    for place in [0, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        damaged("flipped.vidimus", &bytes);
    }

    // Servers that are none, files that are not what they should be.
    place.write("x.key", "vk_x");
    let key = ["--api-key-file", "x.key"];
    place
        .ask(&[&["result", "list"], &key[..]].concat())
        .refused(5, &["http://127.0.0.1:9 does not answer"]);
    place
        .ask(&[&["result", "list", "--url", "ftp://x"], &key[..]].concat())
        .refused(2, &["https://"]);
    place
        .ask(&["result", "list", "--api-key-file", "no.key"])
        .refused(2, &["no.key"]);
    place
        .ask(&["setup", "--name", "x", "--country", "AT"])
        .refused(2, &["--token-file", "VIDIMUS_SETUP_TOKEN"]);
    place.write("not.json", "{");
    place
        .ask(&[&["issue", "--fhir", "not.json"], &key[..]].concat())
        .refused(2, &["not.json", "not JSON"]);
    place
        .ask(&[&["issue", "--fhir", "a", "--dcc", "b"], &key[..]].concat())
        .refused(2, &["--fhir", "--dcc"]);
    place
        .ask(&[&["issue", "--fhir", "a", "--document", "passport"], &key[..]].concat())
        .refused(2, &["passport:AT:"]);
    place
        .ask(&["check", "not.json"])
        .refused(2, &["--purpose", "--bundle", "--trust-list"]);
    place
        .ask(&["check", "not.json", "--bundle", "b"])
        .refused(2, &["--root"]);
    place.write("root.pem", "no certificate");
    place.write("b.jwt", "no bundle");
    place
        .ask(&["check", "not.json", "--bundle", "b.jwt", "--root", "root.pem"])
        .refused(2, &["root.pem"]);
    place
        .ask(&["check", "not.json", "--trust-list", "root.pem"])
        .refused(2, &["trust list"]);
    place.write("request.json", "{}");
    let present = [
        "wallet",
        "present",
        "1",
        "--request",
        "request.json",
        "--passphrase-file",
        "new.txt",
    ];
    place.ask(&present).refused(2, &["nonce"]);
    place
        .ask(&["wallet", "show", "7", "--passphrase-file", "new.txt"])
        .refused(2, &["number 7", "list"]);
    place.write("sealed", "nothing that was sealed");
    place
        .ask(&["wallet", "receive", "sealed", "--passphrase-file", "new.txt"])
        .refused(4, &["other keys"]);

    // A file that a secret should go to is never written over, and not left behind empty.
    place.write("there.key", "mine");
    let create = ["api-key", "create", "--permission", "read", "--save-api-key"];
    place
        .ask(&[&create[..], &["there.key"], &key].concat())
        .refused(2, &["there.key"]);
    assert_eq!(place.read("there.key"), "mine");
    place
        .ask(&[&create[..], &["new.key"], &key].concat())
        .refused(5, &["does not answer"]);
    assert!(!place.path("new.key").exists());
}

#[test]
fn health_certificates_of_others_check_against_a_trust_list() {
    let foreign = std::env::var("VIDIMUS_FOREIGN").unwrap_or_else(|_| "../../../shared/foreign".into());
    let file = PathBuf::from(foreign).join("dgc-testdata/AT/2DCode/raw/1.json");
    let Ok(content) = std::fs::read_to_string(&file) else {
        eprintln!("SKIPPED: {} is not there (VIDIMUS_FOREIGN)", file.display());
        return;
    };
    let case: Value = serde_json::from_str(&content).unwrap();
    let place = Place::new();
    place.write("qr.txt", &text(&case, "/PREFIX"));
    place.write("trust.json", &json!([text(&case, "/TESTCTX/CERTIFICATE")]).to_string());
    let ended = place.ask(&["check", "qr.txt", "--trust-list", "trust.json"]);
    let answer: Value = serde_json::from_str(&ended.out).unwrap();
    let tests = answer["tests"].to_string();
    for reason in ["signature_ok", "issuer_trusted"] {
        assert!(tests.contains(reason), "{reason}: {answer}");
    }
    // Somebody else's signers do not make it genuine.
    let other = std::fs::read_to_string(file.with_file_name("1.json").to_string_lossy().replace("/AT/", "/DE/"));
    if let Ok(other) = other {
        let other: Value = serde_json::from_str(&other).unwrap();
        place.write("other.json", &json!([text(&other, "/TESTCTX/CERTIFICATE")]).to_string());
        place
            .ask(&["check", "qr.txt", "--trust-list", "other.json"])
            .checked(1, "key_unknown");
    }
}

#[test]
fn the_demo_ends_well_and_leaves_nothing() {
    let place = Place::new();
    std::fs::create_dir(place.path("tmp")).unwrap();
    let mut demo = place.command(&["--json", "demo"]);
    demo.env("TMPDIR", place.path("tmp"));
    let told = ended(demo).json();
    assert_eq!(told["steps"].as_array().unwrap().len(), 17);
    assert_eq!(std::fs::read_dir(place.path("tmp")).unwrap().count(), 0);
}

#[test]
fn what_is_read_from_the_ledger_can_be_read_again() {
    let place = Place::new();
    place.ask(&["demo", "--home", "."]).json();
    let rebuilt = place.ask(&["rebuild"]).json();
    assert_eq!(text(&rebuilt, "/digest").len(), 64);
    assert_ne!(text(&rebuilt, "/digest"), "0".repeat(64), "there is something to read");
}
