//! The program itself: what it refuses to start with, and what it says then; what it prints at the first start; how it stops.

use crate::program;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use vidimus_store::testing::SmallDisk;

fn run(directory: &Path, arguments: &[&str]) -> Output {
    program::command(directory, arguments).output().unwrap()
}

/// Runs `serve`, which must refuse with the exit code for "an operator has to act" and a sentence that has all of `parts`.
#[track_caller]
fn refuses(directory: &Path, parts: &[&str]) {
    refuses_command(program::command(directory, &["serve"]), parts);
}

#[track_caller]
fn refuses_command(mut command: Command, parts: &[&str]) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

fn initialised() -> TempDir {
    let directory = TempDir::new().unwrap();
    let output = run(directory.path(), &["init"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    append(
        directory.path(),
        "\n[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:8654\"\n",
    );
    directory
}

fn append(directory: &Path, text: &str) {
    let path = directory.join("vidimus.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, before + text).unwrap();
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_makes_everything_private_and_only_once() {
    let directory = TempDir::new().unwrap();
    let output = run(directory.path(), &["--json", "init"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["root_key"].as_str().unwrap().ends_with("keys/root.key"));
    assert_eq!(mode(&directory.path().join("keys/root.key")), 0o600);
    assert_eq!(mode(&directory.path().join("vidimus.toml")), 0o600);
    assert_eq!(mode(&directory.path().join("data")), 0o700);
    let key = std::fs::read(directory.path().join("keys/root.key")).unwrap();
    let again = run(directory.path(), &["--json", "init"]);
    assert_eq!(again.status.code(), Some(6));
    let answer: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert!(
        answer["error"]["message"].as_str().unwrap().contains("not overwritten"),
        "{answer}"
    );
    assert_eq!(std::fs::read(directory.path().join("keys/root.key")).unwrap(), key);
    // A lost key is not replaced by a new one that opens nothing.
    std::fs::remove_file(directory.path().join("keys/root.key")).unwrap();
    let lost = run(directory.path(), &["init"]);
    assert_eq!(lost.status.code(), Some(6));
    assert!(!directory.path().join("keys/root.key").exists());
}

#[test]
fn a_configuration_that_cannot_be_is_refused_with_what_to_do() {
    let directory = TempDir::new().unwrap();
    refuses(directory.path(), &["vidimus.toml", "vidimus init"]);
    let directory = initialised();
    append(directory.path(), "publc_url = \"https://a.example\"\n");
    refuses(directory.path(), &["`server.publc_url`", "`server.public_url`"]);
    let directory = initialised();
    let mut command = program::command(directory.path(), &["serve"]);
    command
        .env("VIDIMUS_SERVER_LISTEN", "0.0.0.0:0")
        .env("VIDIMUS_SERVER_PUBLIC_URL", "http://vidimus.example");
    refuses_command(command, &["server.public_url", "https"]);
    let mut command = program::command(directory.path(), &["serve"]);
    command.env("VIDIMUS_ROOT_KEY", directory.path().join("data/root.key"));
    refuses_command(command, &["root_key", "inside data_dir"]);
    let mut command = program::command(directory.path(), &["serve"]);
    command.env("VIDIMUS_LOG_LEVEL", "loud,,=");
    refuses_command(command, &["log.level"]);
}

#[test]
fn without_its_root_key_it_does_not_start() {
    let directory = initialised();
    let key = directory.path().join("keys/root.key");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    refuses(directory.path(), &["root.key", "chmod 600"]);
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();

    let other = initialised();
    std::fs::copy(other.path().join("keys/root.key"), &key).unwrap();
    refuses(directory.path(), &["root key", "not the one"]);

    let whole = std::fs::read(&key).unwrap();
    std::fs::write(&key, &whole[..whole.len() / 2]).unwrap();
    refuses(directory.path(), &["root key", "damaged", "backup"]);

    std::fs::remove_file(&key).unwrap();
    refuses(directory.path(), &["no root key", "backup"]);
    assert!(!key.exists(), "serve never makes keys");
}

#[test]
fn without_its_database_it_does_not_start() {
    let directory = initialised();
    let database = directory.path().join("data/vidimus.db");
    let moved = directory.path().join("moved.db");
    std::fs::rename(&database, &moved).unwrap();
    refuses(directory.path(), &["database", "vidimus init"]);
    assert!(!database.exists(), "serve never makes a database");
    std::fs::write(
        &database,
        b"this is no database, and long enough to be looked at as one: ".repeat(100),
    )
    .unwrap();
    refuses(directory.path(), &["database"]);
    let directory = initialised();
    let mut command = program::command(directory.path(), &["serve"]);
    command.env(
        "VIDIMUS_DATABASE_URL",
        "postgresql://vidimus:geheim@127.0.0.1:1/vidimus",
    );
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(5 | 6)), "{text}");
    assert!(!text.contains("geheim") && text.contains("database"), "{text}");
}

#[test]
fn bad_tls_files_are_refused_by_name() {
    let directory = initialised();
    let path = |name: &str| directory.path().join(name);
    append(
        directory.path(),
        "\n[server.tls]\ncertificate = \"chain.pem\"\nkey = \"tls.pem\"\n",
    );
    refuses(directory.path(), &["chain.pem", "cannot be read"]);
    std::fs::write(path("chain.pem"), "not PEM").unwrap();
    refuses(directory.path(), &["chain.pem", "no certificate"]);
    let one = certificate();
    std::fs::write(path("chain.pem"), &one.0).unwrap();
    std::fs::write(path("tls.pem"), "not PEM").unwrap();
    refuses(directory.path(), &["tls.pem", "no private key"]);
    std::fs::write(path("tls.pem"), certificate().1).unwrap();
    refuses(directory.path(), &["TLS certificate and key cannot be used"]);
}

/// A certificate and its key, in PEM.
fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(vec!["localhost".into()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    (made.pem(), key.serialize_pem())
}

/// `serve`, running.
struct Running {
    child: Child,
    address: String,
    printed: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(directory: &Path) -> Running {
    let mut child = program::command(directory, &["--json", "serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut logs = BufReader::new(child.stderr.take().unwrap());
    let (mut address, mut line) = (String::new(), String::new());
    while address.is_empty() {
        line.clear();
        assert_ne!(
            logs.read_line(&mut line).unwrap(),
            0,
            "it ended before it served: {:?}",
            child.wait()
        );
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("a log line that is no JSON: {line}"));
        if event["message"] == "serving" {
            address = event["address"].as_str().unwrap().to_owned();
        }
    }
    std::thread::spawn(move || std::io::copy(&mut logs, &mut std::io::sink()));
    let mut printed = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut printed)
        .unwrap();
    Running {
        child,
        address,
        printed,
    }
}

#[test]
fn the_first_start_prints_a_setup_link_and_a_signal_stops_it() {
    let directory = initialised();
    let mut running = serve(directory.path());
    let printed: Value = serde_json::from_str(&running.printed).unwrap();
    let token = printed["setup"]["token"].as_str().unwrap();
    assert!(token.starts_with("vs_") && token.len() == 67, "{token}");
    let taken = program::command(directory.path(), &["serve"])
        .env("VIDIMUS_SERVER_LISTEN", &running.address)
        .output()
        .unwrap();
    assert_eq!(taken.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("server.listen"));
    let start = Instant::now();
    let killed = Command::new("kill")
        .args(["-TERM", &running.child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let ended = running.child.wait().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    // What it printed before is void once another is made.
    let link = run(directory.path(), &["--json", "setup-link"]);
    let second: Value = serde_json::from_slice(&link.stdout).unwrap();
    assert_ne!(second["setup"]["token"].as_str(), Some(token));
}

#[test]
fn commands_answer_in_json_and_say_how_they_are_used() {
    let directory = initialised();
    let migrated = run(directory.path(), &["migrate", "--json"]);
    let answer: Value = serde_json::from_slice(&migrated.stdout).unwrap();
    assert!(answer["schema"].as_u64().unwrap() >= 1);
    assert_eq!(run(directory.path(), &["fly"]).status.code(), Some(2));
    assert_eq!(run(directory.path(), &[]).status.code(), Some(2));
    let help = String::from_utf8(run(directory.path(), &["help"]).stdout).unwrap();
    assert!(help.contains("Exit codes") && help.contains("Examples"));
    for shell in ["bash", "zsh", "fish"] {
        let script = run(directory.path(), &["completions", shell]);
        assert!(
            script.status.success() && String::from_utf8_lossy(&script.stdout).contains("setup-link"),
            "{shell}"
        );
    }
    let description = run(directory.path(), &["openapi"]);
    assert_eq!(
        String::from_utf8(description.stdout).unwrap().trim(),
        vidimus::http::description::text().trim()
    );
}

/// A blocking request over a connection of its own: status and body.
fn http(address: &str, request: &str) -> (u16, String) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no HTTP: {text}"));
    (
        status,
        text.split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
            .unwrap_or_default(),
    )
}

fn get(address: &str, path: &str) -> (u16, String) {
    http(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    )
}

/// Asks until the answer has this status: readiness is looked at once a second.
fn until(address: &str, path: &str, status: u16) -> String {
    let mut body = String::new();
    program::until(&format!("{path} is {status}"), Duration::from_secs(20), || {
        let (found, answer) = get(address, path);
        body = answer;
        found == status
    });
    body
}

#[test]
fn a_full_disk_is_said_refused_and_survived() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    let directory = disk.path();
    let output = run(directory, &["init"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    append(
        directory,
        "\n[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:8654\"\n[server.limits]\ndisk_headroom_mib = 8\n",
    );
    let running = serve(directory);
    let (status, body) = get(&running.address, "/readyz");
    assert_eq!(status, 200, "{body}");

    let filler = directory.join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    let block = vec![1_u8; 64 * 1024];
    while file.write_all(&block).is_ok() {}
    while file.write_all(&[1]).is_ok() {}
    let body = until(&running.address, "/readyz", 503);
    assert!(
        body.contains("urn:vidimus:error:not-ready") && body.contains("MiB"),
        "{body}"
    );
    // A write is refused as such; what only reads goes on.
    let printed: Value = serde_json::from_str(&running.printed).unwrap();
    let token = printed["setup"]["token"].as_str().unwrap();
    let body = format!("{{\"token\": \"{token}\", \"name\": \"Ministry\", \"country\": \"AT\"}}");
    let post = format!(
        "POST /v1/setup HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = http(&running.address, &post);
    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains("nothing was lost"), "{answer}");
    assert_eq!(get(&running.address, "/v1/categories").0, 200);
    assert_eq!(get(&running.address, "/livez").0, 200);

    drop(file);
    std::fs::remove_file(&filler).unwrap();
    let (status, answer) = http(&running.address, &post);
    assert_eq!(
        status, 201,
        "it heals when there is space again, and the link was not used up: {answer}"
    );
    until(&running.address, "/readyz", 200);
}

#[test]
fn it_serves_over_tls_and_nothing_else_then() {
    let directory = initialised();
    let (chain, key) = certificate();
    std::fs::write(directory.path().join("chain.pem"), &chain).unwrap();
    std::fs::write(directory.path().join("tls.pem"), key).unwrap();
    append(
        directory.path(),
        "\n[server.tls]\ncertificate = \"chain.pem\"\nkey = \"tls.pem\"\n[server.limits]\nheader_seconds = 1\n",
    );
    let running = serve(directory.path());
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(chain.as_bytes()).unwrap())
        .unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = rustls::ClientConnection::new(client.into(), "localhost".try_into().unwrap()).unwrap();
    let socket = std::net::TcpStream::connect(&running.address).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, socket);
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Plain HTTP gets no answer, and who never finishes the handshake is let go.
    let mut plain = std::net::TcpStream::connect(&running.address).unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    let _ = plain.read_to_end(&mut bytes);
    assert!(!String::from_utf8_lossy(&bytes).contains("HTTP/1.1"));
    let mut silent = std::net::TcpStream::connect(&running.address).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(matches!(silent.read(&mut [0; 1]), Ok(0)), "a silent client is let go");
}
