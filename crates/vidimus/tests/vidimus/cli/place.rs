//! Where the program is run: a directory with files, alone or with a deployment that it serves.

use crate::{program, server::free_port};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use vidimus_core::{Timestamp, time::Clock as _};

pub const CATEGORY: &str = "sars-cov-2-naat";

/// What an airline is admitted for.
pub const AIRLINE: &[&str] = &[
    "--attribute",
    "family_name",
    "--attribute",
    "result",
    "--purpose",
    "boarding",
];

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// It did what it was asked; its answer in JSON.
    #[track_caller]
    pub fn json(self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
    /// A check's answer; `code` says the verdict, and one of its tests gave `reason`.
    #[track_caller]
    pub fn checked(self, code: i32, reason: &str) -> Value {
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
    pub fn refused(self, code: i32, parts: &[&str]) {
        let said = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
}

/// A directory with files, and the program run in it.
pub struct Place {
    directory: TempDir,
    pub url: String,
}

impl Place {
    pub fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            url: "http://127.0.0.1:9".into(),
        }
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
    /// Keeps a command's standard output in a file.
    #[track_caller]
    pub fn keep(&self, name: &str, ended: Ended) -> String {
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        self.write(name, ended.out.trim());
        ended.out.trim().to_owned()
    }
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program::command(self.directory.path(), arguments);
        command
            .env("VIDIMUS_URL", &self.url)
            .env("VIDIMUS_PASSPHRASE", "correct horse battery");
        command
    }
    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments))
    }
    /// With an input, answered in JSON.
    pub fn with_input(&self, arguments: &[&str], input: &str) -> Ended {
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
    pub fn ask(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        command.arg("--json");
        ended(command)
    }
}

pub fn ended(mut command: Command) -> Ended {
    read(command.output().unwrap())
}

pub fn read(output: std::process::Output) -> Ended {
    Ended {
        code: output.status.code().expect("it was not killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A deployment that the program serves.
pub struct Deployment {
    place: Place,
    pub token: String,
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
    pub fn serve() -> Self {
        Self::serve_with("", |_| {})
    }

    /// Known by another address than it listens at; it is asked there by whom [`Place::url`] does not lead.
    pub fn known_as(public: &str, port: u16) -> Self {
        Self::serve_at(port, &format!("public_url = \"{public}\"\n"), "", |_| {})
    }

    /// With more at the top of the configuration, and what `prepare` puts beside it.
    pub fn serve_with(more: &str, prepare: impl FnOnce(&Place)) -> Self {
        Self::serve_at(free_port(), "", more, prepare)
    }

    fn serve_at(port: u16, public: &str, more: &str, prepare: impl FnOnce(&Place)) -> Self {
        let mut place = Place::new();
        place.url = format!("http://127.0.0.1:{port}");
        place.write(
            "vidimus.toml",
            &format!(
                "data_dir = \"data\"\nroot_key = \"keys/root.key\"\n{more}[server]\nlisten = \"127.0.0.1:{port}\"\n{public}\
                 [anchor]\ninterval_seconds = 1\n"
            ),
        );
        place.ask(&["init"]).json();
        prepare(&place);
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

    /// The authority, with an API key in a file.
    pub fn set_up(&self) {
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
    }

    /// Authority, laboratory and airline, each with an API key in a file; the ids of the two.
    pub fn with_participants(&self) -> (String, String) {
        self.set_up();
        let laboratory = self.admit("issuer", "Labor Donauraum", "issuer.key", &["--category", CATEGORY]);
        (
            laboratory,
            self.admit("verifier", "Danube Air", "verifier.key", AIRLINE),
        )
    }

    /// Admits a participant, with an API key in a file, and waits for it; its id.
    pub fn admit(&self, role: &str, name: &str, key: &str, more: &[&str]) -> String {
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
        let keys = ["--api-key-file", "authority.key", "--save-api-key", key];
        let made = self.ask(&[&base[..], &keys, more].concat()).json();
        assert_eq!(made["participant"]["status"], "active");
        text(&made, "/participant/id")
    }

    /// The authority suspends a participant.
    pub fn suspend(&self, id: &str) {
        let suspend = ["participant", "suspend", id, "--reason", "audit"];
        self.ask(&[&suspend[..], &["--api-key-file", "authority.key"]].concat())
            .json();
    }

    /// A presentation of the wallet's certificate in answer to a new request of the airline, in `presentation.jwt`.
    pub fn present(&self) {
        self.keep(
            "request.json",
            self.run(&["request", "--purpose", "boarding", "--api-key-file", "verifier.key"]),
        );
        self.keep(
            "presentation.jwt",
            self.run(&["wallet", "present", "1", "--request", "request.json"]),
        );
    }

    pub fn check(&self, file: &str) -> Ended {
        self.ask(&["check", file, "--purpose", "boarding", "--api-key-file", "verifier.key"])
    }

    /// A gate's own request, answered, checked with the bundle.
    pub fn check_offline(&self, audience: &str, name: &str) -> Ended {
        let request = format!("{name}.json");
        self.keep(
            &request,
            self.run(&["request", "--purpose", "boarding", "--offline", "--audience", audience]),
        );
        self.keep(
            "offline.jwt",
            self.run(&["wallet", "present", "1", "--request", &request]),
        );
        self.answered_offline(&request)
    }

    /// The answer to a gate's own request, checked with the bundle.
    pub fn answered_offline(&self, request: &str) -> Ended {
        self.ask(&[
            "check",
            "offline.jwt",
            "--bundle",
            "bundle.jwt",
            "--root",
            "root.pem",
            "--request",
            request,
        ])
    }
}

pub fn now() -> Timestamp {
    vidimus::clock::SystemClock.now()
}

/// The repository's sample of a negative PCR test, taken some hours ago.
pub fn fhir() -> String {
    let (sampled, reported) = (now().plus(-5 * 3_600).to_rfc3339(), now().plus(-3_600).to_rfc3339());
    include_str!("../../../../../vectors/samples/fhir/pcr-negative.json")
        .replace("2025-03-02T09:15:00+01:00", &sampled)
        .replace("2025-03-02T17:45:00+01:00", &reported)
        .replace("2025-03-02T18:00:00+01:00", &reported)
}

pub fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer}: {value}"))
        .to_owned()
}

pub fn content_id(view: &Value, format: &str) -> String {
    let copies = view["copies"].as_array().unwrap();
    text(
        copies.iter().find(|copy| copy["format"] == format).unwrap(),
        "/content_id",
    )
}

/// Waits for what jobs do, at most 30 seconds.
#[track_caller]
pub fn until(there: impl FnMut() -> bool) {
    program::until("what jobs do", Duration::from_secs(30), there);
}
