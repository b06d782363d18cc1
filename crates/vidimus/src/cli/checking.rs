//! `vidimus check`, `request`: what a verifier does.

mod bundle;
mod describe;
mod others;

pub(super) use bundle::bundle;
pub use bundle::{BundleArguments, fetch_bundle, fetch_root};
pub use describe::{describe, words};
pub use others::OthersArguments;

use super::{
    Exit, Failure, Output,
    client::{ServerArguments, read, read_json, read_text},
    clock,
    wallet::expected,
};
use crate::app::checks;
use bundle::{beside, open_bundle};
use others::fetched_at;
use serde_json::{Map, Value, json};
use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};
use vidimus_core::{Entropy as _, Timestamp, encoding::base64url, reason::Reason};
use vidimus_credential::{
    category::Categories,
    check::{self, Certificate, Context, Expected, Input, Policy, Report, StatusLists, TrustList},
};
use vidimus_crypto::{Native, OsEntropy};
use vidimus_wallet::left::Left;

/// Check a certificate, an envelope or a presentation.
///
/// Three ways: on a server, with a verifier's API key; offline, with a bundle (`vidimus bundle`) and the deployment's root certificate; or, for
/// certificates of others, against whom you trust. Every test is told with its reason. Exit code 0: valid, 1: invalid, 3: undetermined.
///
/// Paper has two codes: the certificate (`HC1:…`) and its evidence (`VE1:…`). Give both, in one file, a line each, or the second with
/// --evidence; `vidimus evidence` fetches it where the second code is missing.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus check presentation.jwt --purpose boarding --api-key-file airline.key
  vidimus check presentation.jwt --bundle bundle.jwt --root root.pem --request request.json
  vidimus check paper.txt --evidence evidence.txt --bundle bundle.jwt --root root.pem
  vidimus check - --trust-list eu.json < qr.txt
  vidimus check pid.txt --trust trusted --status-list list.jwt")]
pub struct CheckArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// What to check: a file with a VC-JWT, `HC1:…`, an envelope or a presentation; `-` for standard input.
    input: PathBuf,
    /// Paper: the text of its second code, `VE1:…`, where it is not in the same file.
    #[arg(long, value_name = "FILE", conflicts_with = "trust_list")]
    evidence: Option<PathBuf>,
    /// Paper: accept it without its evidence, on signature, registry and status alone. Nothing then shows when it was made; the answer says so.
    #[arg(long, conflicts_with_all = ["trust_list", "evidence"])]
    accept_without_evidence: bool,
    #[command(flatten)]
    way: WayArguments,
    /// Offline: the request that a presentation answers; it is used once.
    #[arg(long, value_name = "FILE", conflicts_with = "purpose")]
    request: Option<PathBuf>,
}

/// How something is checked: on a server, with a bundle, or against whom one trusts.
#[derive(Debug, clap::Args)]
pub struct WayArguments {
    /// What the check is for (on a server): one of the verifier's purposes.
    #[arg(long)]
    pub(super) purpose: Option<String>,
    /// Attribute wanted; default all that may be seen. Can be given several times.
    #[arg(long, value_name = "NAME")]
    pub(super) attribute: Vec<String>,
    /// Offline: the bundle. The newest version that was used is remembered beside it; an older one is refused.
    #[arg(long, value_name = "FILE", requires = "root", conflicts_with_all = ["trust_list", "purpose"])]
    bundle: Option<PathBuf>,
    /// Offline: the deployment's root certificate, PEM, that was pinned once.
    #[arg(long, value_name = "FILE", requires = "bundle")]
    root: Option<PathBuf>,
    #[command(flatten)]
    others: OthersArguments,
}

impl WayArguments {
    /// Whether somebody else's issuers, or a bundle, were named.
    pub(super) fn needs_no_server(&self) -> bool {
        self.bundle.is_some() || self.others.is_given()
    }

    /// The answer of a check without a server; none where a server is to be asked.
    pub(super) fn here(&self, shown: &Shown<'_>) -> Result<Option<Value>, Failure> {
        match (&self.bundle, &self.root) {
            (Some(bundle), Some(root)) => {
                let others = self.others.read(clock().now())?;
                with_bundle(shown, bundle, root, others.as_ref(), &self.attribute).map(Some)
            }
            _ if self.purpose.is_none() && self.others.is_given() => {
                foreign(shown, &self.others, &self.attribute).map(Some)
            }
            _ => Ok(None),
        }
    }
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

pub(super) async fn check(arguments: CheckArguments, output: Output) -> Result<Exit, Failure> {
    let input = read(&arguments.input)?;
    let evidence = arguments.evidence.as_deref().map(read_text).transpose()?;
    let shown = Shown {
        input: &input,
        evidence: evidence.as_deref(),
        accept_without_evidence: arguments.accept_without_evidence,
        asked: arguments.request.as_deref().map_or(Asked::Nothing, Asked::InFile),
    };
    let way = &arguments.way;
    let answer = match way.here(&shown)? {
        Some(answer) => answer,
        None => {
            let purpose = way.purpose.as_deref().ok_or_else(|| {
                let text = "say how to check: --purpose on a server, --bundle and --root offline, or whom you trust: --trust, --trust-list";
                Failure::new(Exit::Usage, text)
            })?;
            let server = arguments.server.authenticated()?;
            let input = String::from_utf8(input)
                .map_err(|_| Failure::new(Exit::Usage, "a certificate is text; this file is not"))?;
            let mut body = json!({
                "input": input.trim(), "purpose": purpose, "evidence": evidence,
                "accept_without_evidence": arguments.accept_without_evidence,
            });
            if let Some(list) = &way.others.trust_list {
                body["trust_list"] = json!(read_text(list)?);
                body["trust_list_read_at"] = json!(fetched_at(list, clock().now()).to_rfc3339());
            }
            if !way.attribute.is_empty() {
                body["attributes"] = json!(way.attribute);
            }
            server.post("/v1/checks", &body).await?
        }
    };
    output.answer(&describe(&answer, std::io::stdout().is_terminal()), &answer);
    Ok(exit_of(&answer))
}

/// The exit code of a verdict.
pub(super) fn exit_of(answer: &Value) -> Exit {
    match answer["verdict"].as_str() {
        Some("valid") => Exit::Done,
        Some("invalid") => Exit::Invalid,
        _ => Exit::Undetermined,
    }
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

/// What is checked: the text, and of paper what came beside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown<'a> {
    /// The certificate, envelope or presentation.
    pub input: &'a [u8],
    /// The text of paper's second code, where it was scanned apart.
    pub evidence: Option<&'a str>,
    /// Whether paper is accepted without it.
    pub accept_without_evidence: bool,
    /// What a presentation has to answer.
    pub asked: Asked<'a>,
}

/// The request that a presentation, or the key binding of an SD-JWT VC, has to answer.
#[derive(Debug, Clone, Copy, Default)]
pub enum Asked<'a> {
    /// None is at hand.
    #[default]
    Nothing,
    /// In a file; it is used once.
    InFile(&'a Path),
    /// The one that was sealed with a presentation that was left at this time.
    Left(&'a Expected, Timestamp),
}

impl Shown<'_> {
    /// The request, which is used up by this.
    fn expected(&self) -> Result<Option<Expected>, Failure> {
        match self.asked {
            Asked::Nothing => Ok(None),
            Asked::Left(expected, _) => Ok(Some(expected.clone())),
            Asked::InFile(path) => match Input::parse(self.input) {
                Ok(input) if input.is_shown() => use_request(path).map(Some),
                _ => Ok(None),
            },
        }
    }

    fn policy(&self, now: Timestamp) -> Policy {
        match self.asked {
            Asked::Left(_, at) => Left::policy(OFFLINE, at, now),
            Asked::Nothing | Asked::InFile(_) => OFFLINE,
        }
    }
}

/// A check with a bundle, without a server.
pub fn offline(shown: &Shown<'_>, bundle: &Path, root: &Path, wanted: &[String]) -> Result<Value, Failure> {
    with_bundle(shown, bundle, root, None, wanted)
}

/// [`offline`], where `others` are trusted beside the deployment's own issuers.
fn with_bundle(
    shown: &Shown<'_>,
    bundle: &Path,
    root: &Path,
    others: Option<&TrustList>,
    wanted: &[String],
) -> Result<Value, Failure> {
    let now = clock().now();
    let bundle = open_bundle(&read_text(bundle)?, bundle, root, now)?;
    let expected = shown.expected()?;
    let context = Context {
        now,
        provider: &Native::new(),
        categories: &bundle.categories,
        registry: Some(&bundle.issuers),
        status: &bundle.status,
        roots: Some(&bundle.roots),
        trust: others,
        policy: Policy {
            paper_without_evidence: shown.accept_without_evidence,
            ..shown.policy(now)
        },
        expected: expected.as_ref(),
    };
    let report = check::check_with_evidence(shown.input, shown.evidence, &context);
    let mut answer = answer(&report, &bundle.categories, wanted);
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

/// A check of somebody else's certificate, with issuers whom the caller trusts.
fn foreign(shown: &Shown<'_>, others: &OthersArguments, wanted: &[String]) -> Result<Value, Failure> {
    let now = clock().now();
    let trust = others.read(now)?.unwrap_or_else(|| TrustList::new(now));
    let expected = shown.expected()?;
    let categories = Categories::built_in();
    let context = Context {
        now,
        provider: &Native::new(),
        categories: &categories,
        registry: None,
        status: &StatusLists::new(),
        roots: None,
        trust: Some(&trust),
        policy: shown.policy(now),
        expected: expected.as_ref(),
    };
    let mut answer = answer(&check::check_bytes(shown.input, &context), &categories, wanted);
    let read_at = trust.read_at();
    answer["trust_list"] = json!({"signers": trust.len(), "read_at": read_at.to_rfc3339(), "age": now.0 - read_at.0});
    Ok(answer)
}

/// The answer of a check of what is refused before it is looked at.
pub(super) fn refused(reason: Reason) -> Value {
    answer(&Report::refused(reason, clock().now()), &Categories::built_in(), &[])
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
        (None, Some(certificate)) => shown(certificate, wanted),
        (_, None) => Map::new(),
    };
    let issuer = report.certificate.as_ref().map(|certificate| &certificate.issuer);
    json!({
        "verdict": checks::verdict(report.verdict),
        "tests": report.tests,
        "category": report.category,
        "format": report.format.map(|format| format.name()),
        "attributes": attributes,
        "issuer": issuer.map(|issuer| issuer.name.as_ref().unwrap_or(&issuer.id)),
        "accepted_without_evidence": checks::waived(report),
        "checked_at": report.checked_at.to_rfc3339(),
    })
}

/// What a certificate says that no category here describes.
fn shown(certificate: &Certificate, wanted: &[String]) -> Map<String, Value> {
    let person = json!(certificate.person);
    let person = person.as_object().into_iter().flatten();
    let all = person.chain(&certificate.claims);
    let picked = all.filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    picked.map(|(name, value)| (name.clone(), value.clone())).collect()
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
