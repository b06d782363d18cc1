//! `vidimus check`, `request`, `bundle`, `category`, `audit`: what a verifier and the public do.

use super::{
    Exit, Failure, Output,
    client::{Server, ServerArguments, read, read_json, read_text, text},
    clock,
    participants::{items, joined},
    wallet::expected,
};
use crate::app::checks;
use serde_json::{Map, Value, json};
use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};
use vidimus_core::{
    Digest, Entropy as _, Provider as _, Timestamp,
    encoding::base64url,
    reason::{Outcome, Reason},
};
use vidimus_credential::{
    CategoryId,
    category::Categories,
    check::{self, Bundle, Context, Expected, Input, Policy, Report, StatusLists, TrustList, bundle::BundleError},
    x509,
};
use vidimus_crypto::{Native, OsEntropy};

/// Check a certificate, an envelope or a presentation.
///
/// Three ways: on a server, with a verifier's API key; offline, with a bundle (`vidimus bundle`) and the deployment's root certificate; or, for
/// health certificates of others, against a trust list. Every test is told with its reason. Exit code 0: valid, 1: invalid, 3: undetermined.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus check presentation.jwt --purpose boarding --api-key-file airline.key
  vidimus check presentation.jwt --bundle bundle.jwt --root root.pem --request request.json
  vidimus check - --trust-list eu.json < qr.txt")]
pub struct CheckArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// What to check: a file with a VC-JWT, `HC1:…`, an envelope or a presentation; `-` for standard input.
    input: PathBuf,
    /// What the check is for (on a server): one of the verifier's purposes.
    #[arg(long)]
    purpose: Option<String>,
    /// Attribute wanted; default all that may be seen. Can be given several times.
    #[arg(long, value_name = "NAME")]
    attribute: Vec<String>,
    /// Offline: the bundle. The newest version that was used is remembered beside it; an older one is refused.
    #[arg(long, value_name = "FILE", requires = "root", conflicts_with_all = ["trust_list", "purpose"])]
    bundle: Option<PathBuf>,
    /// Offline: the deployment's root certificate, PEM, that was pinned once.
    #[arg(long, value_name = "FILE", requires = "bundle")]
    root: Option<PathBuf>,
    /// Offline: the request that a presentation answers; it is used once.
    #[arg(long, value_name = "FILE", requires = "bundle")]
    request: Option<PathBuf>,
    /// Health certificates of others: their signers, PEM or JSON. Its age is that of the file.
    #[arg(long, value_name = "FILE", conflicts_with = "purpose")]
    trust_list: Option<PathBuf>,
}

/// Make a request for a holder to answer with a presentation.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus request --purpose boarding > request.json
  vidimus request --purpose boarding --offline --audience did:ethr:0x56494d:0x… > request.json")]
pub struct RequestArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// What for: one of the verifier's purposes.
    #[arg(long)]
    purpose: String,
    /// Make it here, for a check with a bundle; no server is asked.
    #[arg(long, requires = "audience")]
    offline: bool,
    /// Offline: the verifier's DID.
    #[arg(long, value_name = "DID", requires = "offline")]
    audience: Option<String>,
}

/// Fetch what an offline check takes.
///
/// A bundle holds the registries, anchored roots and status lists as of now, signed. The root certificate is fetched once and compared with what
/// the authority published elsewhere; from then on it is what a bundle is verified with.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus bundle --url https://vidimus.example --output bundle.jwt --save-root root.pem
  vidimus bundle --url https://vidimus.example --output bundle.jwt --root root.pem")]
pub struct BundleArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Where the bundle goes.
    #[arg(long, short, value_name = "FILE", default_value = "bundle.jwt")]
    output: PathBuf,
    /// The root certificate that was pinned: the bundle is verified with it before it replaces the one that is there.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "save_root",
        required_unless_present = "save_root"
    )]
    root: Option<PathBuf>,
    /// Fetch the root certificate too, into a new file. Compare the fingerprint that is printed.
    #[arg(long, value_name = "FILE")]
    save_root: Option<PathBuf>,
}

/// Read the kinds of certificates.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vidimus category list\n  vidimus --json category show sars-cov-2-naat")]
pub struct CategoryArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: CategoryCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CategoryCommand {
    /// List the categories.
    List,
    /// Show a category.
    Show {
        /// Its name.
        name: String,
    },
}

/// Read the audit log and verify its chain of hashes (the authority).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vidimus audit list --after 100\n  vidimus audit verify")]
pub struct AuditArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// List entries.
    List {
        /// Entries after this sequence number.
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// Rows, 1 to 500.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Walk the whole chain of hashes.
    Verify,
}

pub(super) async fn check(arguments: CheckArguments, output: Output) -> Result<Exit, Failure> {
    let input = read(&arguments.input)?;
    let answer = match (&arguments.bundle, &arguments.root, &arguments.trust_list) {
        (Some(bundle), Some(root), _) => {
            offline(&input, bundle, root, arguments.request.as_deref(), &arguments.attribute)?
        }
        (_, _, Some(list)) => foreign(&input, list, &arguments.attribute)?,
        _ => {
            let purpose = arguments.purpose.ok_or_else(|| {
                let text = "say how to check: --purpose on a server, --bundle and --root offline, or --trust-list";
                Failure::new(Exit::Usage, text)
            })?;
            let server = arguments.server.authenticated()?;
            let input = String::from_utf8(input)
                .map_err(|_| Failure::new(Exit::Usage, "a certificate is text; this file is not"))?;
            let mut body = json!({"input": input.trim(), "purpose": purpose});
            if !arguments.attribute.is_empty() {
                body["attributes"] = json!(arguments.attribute);
            }
            server.post("/v1/checks", &body).await?
        }
    };
    output.answer(&describe(&answer, std::io::stdout().is_terminal()), &answer);
    Ok(exit_of(&answer))
}

/// The exit code of a verdict.
fn exit_of(answer: &Value) -> Exit {
    match answer["verdict"].as_str() {
        Some("valid") => Exit::Done,
        Some("invalid") => Exit::Invalid,
        _ => Exit::Undetermined,
    }
}

fn root_of(path: &Path) -> Result<x509::Certificate, Failure> {
    x509::Certificate::from_text(&read_text(path)?).map_err(|error| {
        let causes = super::with_causes(&error);
        Failure::new(
            Exit::Usage,
            format!("{} is no root certificate: {causes}", path.display()),
        )
    })
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Opens a bundle, refuses one that is older than what was used before, and remembers its version.
fn open_bundle(content: &str, path: &Path, root: &Path, now: Timestamp) -> Result<Bundle, Failure> {
    let root = root_of(root)?;
    let memory = beside(path, ".seen");
    let seen = match std::fs::read_to_string(&memory) {
        Ok(text) => Some(text.trim().parse().map_err(|_| {
            let text = format!(
                "{} does not read: it holds the newest bundle's version; restore or remove it",
                memory.display()
            );
            Failure::new(Exit::Setup, text)
        })?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Failure::new(
                Exit::Usage,
                format!("{} cannot be read: {error}", memory.display()),
            ));
        }
    };
    let bundle = Bundle::open(content, &[root], &Native::new(), now, seen).map_err(|error| {
        let exit = if matches!(error, BundleError::Jws(_) | BundleError::Malformed) {
            Exit::Usage
        } else {
            Exit::Refused
        };
        Failure::new(
            exit,
            format!(
                "{}; fetch a new bundle with `vidimus bundle`",
                super::with_causes(&error)
            ),
        )
    })?;
    let bundle = bundle.into_inner();
    if seen != Some(bundle.version) {
        replace(&memory, bundle.version.to_string().as_bytes())?;
    }
    Ok(bundle)
}

/// Replaces a file as a whole: a reader sees the old content or the new.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let fresh = beside(path, ".new");
    let failed =
        |error: std::io::Error| Failure::new(Exit::Usage, format!("{} cannot be written: {error}", path.display()));
    let mut file = std::fs::File::create(&fresh).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, path).map_err(failed)
}

/// A request that is used by this: a second use of the same finds a nonce that nothing can match.
fn use_request(path: &Path) -> Result<Expected, Failure> {
    let mut request = expected(&read_json(path)?)?;
    let mark = beside(path, ".used");
    match std::fs::OpenOptions::new().write(true).create_new(true).open(&mark) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => request.nonce = nonce(),
        Err(error) => {
            return Err(Failure::new(
                Exit::Usage,
                format!("{} cannot be made: {error}", mark.display()),
            ));
        }
    }
    Ok(request)
}

fn nonce() -> String {
    let mut bytes = [0; 32];
    OsEntropy.fill(&mut bytes);
    base64url(&bytes)
}

/// A check with a bundle, without a server.
pub fn offline(
    input: &[u8],
    bundle: &Path,
    root: &Path,
    request: Option<&Path>,
    wanted: &[String],
) -> Result<Value, Failure> {
    let now = clock().now();
    let bundle = open_bundle(&read_text(bundle)?, bundle, root, now)?;
    let expected = match (request, Input::parse(input)) {
        (Some(path), Ok(input)) if input.presentation().is_some() => Some(use_request(path)?),
        _ => None,
    };
    let context = Context {
        now,
        provider: &Native::new(),
        categories: &bundle.categories,
        registry: Some(&bundle.issuers),
        status: &bundle.status,
        roots: Some(&bundle.roots),
        trust: None,
        policy: OFFLINE,
        expected: expected.as_ref(),
    };
    let mut answer = answer(&check::check_bytes(input, &context), &bundle.categories, wanted);
    answer["bundle"] =
        json!({"version": bundle.version, "made_at": bundle.made_at.to_rfc3339(), "age": now.0 - bundle.made_at.0});
    Ok(answer)
}

/// Offline, a list's own time to refresh cannot be kept: it may run out by a day, and its age is said.
const OFFLINE: Policy = Policy {
    registry_max_age: 86_400,
    status_max_age: 86_400,
    status_grace: 86_400,
    anchors_max_age: 7 * 86_400,
    anchor_lag: 86_400,
    trust_max_age: 7 * 86_400,
    clock_skew: 60,
    presentation_max_age: 300,
    paper_without_evidence: false,
};

/// A check of somebody else's health certificate, with a list of signers that the caller trusts.
fn foreign(input: &[u8], list: &Path, wanted: &[String]) -> Result<Value, Failure> {
    let now = clock().now();
    let provider = Native::new();
    let read_at = std::fs::metadata(list)
        .and_then(|file| file.modified())
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(now, |since| Timestamp(i64::try_from(since.as_secs()).unwrap_or(now.0)));
    let trust = TrustList::parse(&read(list)?, read_at, &provider)
        .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", list.display())))?;
    let categories = Categories::built_in();
    let context = Context {
        now,
        provider: &provider,
        categories: &categories,
        registry: None,
        status: &StatusLists::new(),
        roots: None,
        trust: Some(&trust),
        policy: Policy::default(),
        expected: None,
    };
    let mut answer = answer(&check::check_bytes(input, &context), &categories, wanted);
    answer["trust_list"] = json!({"signers": trust.len(), "read_at": read_at.to_rfc3339(), "age": now.0 - read_at.0});
    Ok(answer)
}

/// A report in the form of the server's answer. Without a server nobody limits the attributes: whoever checks has the certificate in hand.
fn answer(report: &Report, categories: &Categories, wanted: &[String]) -> Value {
    let category = report.category.as_ref().and_then(|id| categories.category(id));
    let attributes = match (category, &report.certificate) {
        (Some(category), Some(certificate)) => {
            let all = || {
                category
                    .disclosures()
                    .iter()
                    .map(|disclosure| disclosure.name.clone())
                    .collect()
            };
            let wanted: Vec<_> = if wanted.is_empty() { all() } else { wanted.to_vec() };
            checks::attributes(category, certificate, &wanted)
        }
        _ => Map::new(),
    };
    let issuer = report.certificate.as_ref().map(|certificate| &certificate.issuer);
    json!({
        "verdict": checks::verdict(report.verdict),
        "tests": report.tests,
        "category": report.category,
        "format": report.format.map(|format| format.name()),
        "attributes": attributes,
        "issuer": issuer.map(|issuer| issuer.name.as_ref().unwrap_or(&issuer.id)),
        "checked_at": report.checked_at.to_rfc3339(),
    })
}

/// An answer as text: the verdict, large; each test with its sentence; the attributes.
pub fn describe(answer: &Value, colour: bool) -> String {
    let verdict = text(answer, "/verdict");
    let (icon, paint) = match verdict.as_str() {
        "valid" => ("✓", "\x1b[1;32m"),
        "invalid" => ("✗", "\x1b[1;31m"),
        _ => ("?", "\x1b[1;33m"),
    };
    let (paint, plain) = if colour { (paint, "\x1b[0m") } else { ("", "") };
    let word = verdict
        .to_uppercase()
        .chars()
        .map(String::from)
        .collect::<Vec<_>>()
        .join(" ");
    let mut lines = vec![
        String::new(),
        format!("    {paint}{icon}  {word}{plain}"),
        String::new(),
    ];
    let about = [
        text(answer, "/category"),
        text(answer, "/format"),
        text(answer, "/issuer"),
    ];
    let about: Vec<_> = about
        .iter()
        .filter(|part| !part.is_empty())
        .map(String::as_str)
        .collect();
    if !about.is_empty() {
        lines.extend([about.join(", "), String::new()]);
    }
    for test in answer["tests"].as_array().into_iter().flatten() {
        lines.push(test_line(test));
    }
    let attributes = answer["attributes"]
        .as_object()
        .filter(|attributes| !attributes.is_empty());
    for (place, (name, value)) in attributes.into_iter().flatten().enumerate() {
        if place == 0 {
            lines.push(String::new());
        }
        let words = words(answer, name).map_or_else(String::new, |words| format!(" ({words})"));
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned) + &words;
        // What comes from a certificate must not steer the terminal.
        let value: String = value
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        lines.push(format!("  {name:<22} {value}"));
    }
    for (name, what) in [("/bundle/age", "bundle"), ("/trust_list/age", "trust list")] {
        if let Some(age) = answer.pointer(name).and_then(Value::as_i64) {
            lines.extend([String::new(), format!("With a {what} that is {} old.", span(age))]);
        }
    }
    lines.join("\n")
}

/// The words for an attribute that is a code, where the category is built in.
pub fn words(answer: &Value, attribute: &str) -> Option<String> {
    let categories = Categories::built_in();
    let category = categories.category(&CategoryId::new(text(answer, "/category")).ok()?)?;
    let words = category.display(&format!("/{attribute}"), answer["attributes"].as_object()?, "en")?;
    Some(words.to_owned())
}

fn test_line(test: &Value) -> String {
    let reason = serde_json::from_value::<Reason>(test["reason"].clone()).ok();
    let icon = match reason.map(Reason::outcome) {
        Some(Outcome::Passed) => "✓",
        Some(Outcome::Failed) => "✗",
        Some(Outcome::Missing | Outcome::Stale) => "?",
        Some(Outcome::NotApplicable) => "–",
        Some(Outcome::Waived) => "!",
        None => " ",
    };
    let sentence = reason.map_or_else(|| text(test, "/reason"), |reason| reason.text().to_owned());
    let age = test
        .get("age")
        .and_then(Value::as_i64)
        .map_or_else(String::new, |age| format!(" ({} old)", span(age)));
    let required = if test["required"] == true {
        ""
    } else {
        " [not required]"
    };
    format!(
        "  {icon} {:<18} {sentence}{age}{required}",
        text(test, "/test").replace('_', " ")
    )
}

fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// A request that is made here, for a check with a bundle.
pub fn local_request(audience: &str, purpose: &str) -> Value {
    json!({"nonce": nonce(), "audience": audience, "purpose": purpose})
}

pub(super) async fn request(arguments: RequestArguments, output: Output) -> Result<(), Failure> {
    let request = match arguments.audience {
        Some(audience) if arguments.offline => local_request(&audience, &arguments.purpose),
        _ => {
            let server = arguments.server.authenticated()?;
            server
                .post("/v1/presentation-requests", &json!({"purpose": arguments.purpose}))
                .await?
        }
    };
    output.answer(&request.to_string(), &request);
    Ok(())
}

/// Fetches a bundle, verifies it with the pinned root and keeps it. Its version and time.
pub async fn fetch_bundle(server: &Server, to: &Path, root: &Path) -> Result<Value, Failure> {
    let bytes = server.bytes("/v1/bundle").await?;
    let content =
        String::from_utf8(bytes).map_err(|_| Failure::new(Exit::Unavailable, "the server's bundle is not text"))?;
    let bundle = open_bundle(content.trim(), to, root, clock().now())?;
    replace(to, content.trim().as_bytes())?;
    Ok(json!({"version": bundle.version, "made_at": bundle.made_at.to_rfc3339(), "bundle": to}))
}

/// Fetches the root certificate into a new file; its fingerprint.
pub async fn fetch_root(server: &Server, to: &Path) -> Result<Digest, Failure> {
    let bytes = server.bytes("/v1/trust/root").await?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(to)
        .map_err(|error| {
            let text = format!(
                "{} cannot be made: {error}; a root that was pinned is not replaced by one from a network",
                to.display()
            );
            Failure::new(Exit::Usage, text)
        })?;
    file.write_all(&bytes)
        .map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be written: {error}", to.display())))?;
    let root = root_of(to).inspect_err(|_| drop(std::fs::remove_file(to)))?;
    Ok(Native::new().sha256(&[root.der()]))
}

pub(super) async fn bundle(arguments: BundleArguments, output: Output) -> Result<(), Failure> {
    let server = arguments.server.anonymous()?;
    let (root, fingerprint) = match (&arguments.root, &arguments.save_root) {
        (_, Some(path)) => (path, Some(fetch_root(&server, path).await?)),
        (Some(path), None) => (path, None),
        (None, None) => {
            return Err(Failure::new(
                Exit::Usage,
                "the root certificate is needed: --root, or --save-root",
            ));
        }
    };
    let mut answer = fetch_bundle(&server, &arguments.output, root).await?;
    let mut shown = format!(
        "bundle {} of {} in {}",
        text(&answer, "/version"),
        text(&answer, "/made_at"),
        arguments.output.display()
    );
    if let Some(fingerprint) = fingerprint {
        answer["root"] = json!({"file": root, "sha256": fingerprint.to_string()});
        shown.push_str(&format!(
            "\nroot certificate in {}, SHA-256 {fingerprint}: compare this with what the authority published",
            root.display()
        ));
    }
    output.answer(&shown, &answer);
    Ok(())
}

pub(super) async fn category(arguments: CategoryArguments, output: Output) -> Result<(), Failure> {
    let server = arguments.server.anonymous()?;
    match arguments.command {
        CategoryCommand::List => {
            let list = server.get("/v1/categories").await?;
            let lines: Vec<_> = items(&list)
                .map(|category| {
                    format!(
                        "{:<24} {}  ({})",
                        text(category, "/id"),
                        text(category, "/title"),
                        joined(&category["formats"])
                    )
                })
                .collect();
            output.answer(&lines.join("\n"), &list);
        }
        CategoryCommand::Show { name } => {
            let category = server.get(&format!("/v1/categories/{name}")).await?;
            let mut lines = vec![
                format!("{}  {}", text(&category, "/id"), text(&category, "/title")),
                text(&category, "/description"),
                format!("attributes: {}", joined(&category["attributes"])),
            ];
            for (format, tests) in category["required_tests"].as_object().into_iter().flatten() {
                lines.push(format!("{format}: {}", joined(tests)));
            }
            output.answer(&lines.join("\n"), &category);
        }
    }
    Ok(())
}

pub(super) async fn audit(arguments: AuditArguments, output: Output) -> Result<Exit, Failure> {
    let server = arguments.server.authenticated()?;
    match arguments.command {
        AuditCommand::List { after, limit } => {
            let page = server.get(&format!("/v1/audit?after={after}&limit={limit}")).await?;
            let lines: Vec<_> = items(&page)
                .map(|entry| {
                    let parts = ["/sequence", "/time", "/operation", "/actor", "/object"].map(|name| text(entry, name));
                    parts.join("  ")
                })
                .collect();
            output.answer(&lines.join("\n"), &page);
            Ok(Exit::Done)
        }
        AuditCommand::Verify => {
            let verdict = server.get("/v1/audit/verification").await?;
            let whole = verdict["whole"] == true;
            let shown = if whole {
                format!(
                    "whole: {} entries, head {}",
                    text(&verdict, "/entries"),
                    text(&verdict, "/head")
                )
            } else {
                format!("broken at entry {}: the log was altered", text(&verdict, "/broken_at"))
            };
            output.answer(&shown, &verdict);
            Ok(if whole { Exit::Done } else { Exit::Invalid })
        }
    }
}
