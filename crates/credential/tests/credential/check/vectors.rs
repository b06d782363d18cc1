//! `vectors/check/`: each file an input, everything it is checked with, and what the check says. Other languages read them too.
//!
//! The files are made by this test (`VIDIMUS_WRITE_VECTORS=1 cargo test -p vidimus-credential vectors`) and compared with what is committed;
//! a second test reads them as a stranger would.

use super::{
    cases::{self, Case},
    world::{self, PROVIDER, Setup},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::PathBuf,
    sync::Arc,
};
use vidimus_core::{Timestamp, encoding, reason::Reason, reason::Test};
use vidimus_credential::{
    category::Categories,
    check::{
        self, Context, Expected, ForeignList, Head, ListError, Policy, Registry, Report, Roots, StatusLists, TrustList,
        Verdict,
        bundle::{Anchors, ListKind},
        registry::Event,
    },
    format::sd_jwt_vc::issuer_metadata,
    status::StatusError,
    x509,
};

/// A vector, as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    says: String,
    now: Timestamp,
    input: Input,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expected: Option<Expected>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
    verdict: Verdict,
    /// Every test, in the order of a report.
    reasons: serde_json::Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registry: Option<RegistryFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anchors: Option<Anchors>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    status: Vec<StatusFile>,
    /// Roots of who may sign status lists: DER in base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trusted_roots: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trust_list: Option<TrustFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trusted_issuers: Option<IssuersFile>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// UTF-8.
    Text(String),
    /// Bytes that are not text.
    Base64(String),
    /// `head`, then `unit` `times` times, then `tail`: what would make a file large.
    Repeat {
        head: String,
        unit: String,
        times: usize,
        tail: String,
    },
}

impl Input {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Base64(text) => encoding::from_base64(text).unwrap(),
            Self::Repeat {
                head,
                unit,
                times,
                tail,
            } => format!("{head}{}{tail}", unit.repeat(*times)).into_bytes(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistryFile {
    head: Head,
    events: Vec<Event>,
    certificates: Vec<String>,
    profiles: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusFile {
    uri: String,
    kind: ListKind,
    read_at: Timestamp,
    token: String,
    /// Why it is not taken in, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

/// The name of a refusal in a file.
fn refusal(error: ListError) -> &'static str {
    match error {
        ListError::Malformed(StatusError::TooLarge) => "too_large",
        ListError::Malformed(_) => "malformed",
        ListError::Uri => "uri",
        ListError::Chain(_) => "chain",
        ListError::Usage => "usage",
        ListError::Signature => "signature",
        ListError::Future => "future",
        ListError::Older => "older",
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustFile {
    read_at: Timestamp,
    list: Value,
}

/// Whom a check trusts to issue SD-JWT VCs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuersFile {
    read_at: Timestamp,
    /// DER in base64.
    authorities: Vec<String>,
    /// JWK sets by `iss`.
    keys: BTreeMap<String, Value>,
    /// Who signs status lists of others: DER in base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    status_signers: Vec<String>,
    /// The same by key: a JWK set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status_keys: Option<Value>,
    /// Status lists of others, as they were fetched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    status: Vec<StatusFile>,
}

fn jwks(keys: &[issuer_metadata::Key]) -> Value {
    let document: Value = serde_json::from_slice(&issuer_metadata::document("", keys)).unwrap();
    document["jwks"].clone()
}

impl IssuersFile {
    fn add_to(&self, list: &mut TrustList) {
        let read = |text: &String| x509::Certificate::from_der(&encoding::from_base64(text).unwrap()).unwrap();
        for text in &self.authorities {
            list.add_authority(read(text));
        }
        for (issuer, keys) in &self.keys {
            let keys = issuer_metadata::read_keys(keys.to_string().as_bytes()).unwrap();
            list.add_issuer(issuer, keys);
        }
        for text in &self.status_signers {
            list.add_status_signer(read(text));
        }
        if let Some(keys) = &self.status_keys {
            list.add_status_keys(issuer_metadata::read_keys(keys.to_string().as_bytes()).unwrap());
        }
        for file in &self.status {
            list.add_status_list(&file.uri, file.fetched().ok().map(Arc::new));
        }
    }
}

impl StatusFile {
    fn of_others((uri, token, read_at): (String, String, Timestamp)) -> Self {
        let mut file = Self {
            uri,
            kind: ListKind::Token,
            read_at,
            token,
            refused: None,
        };
        file.refused = file.fetched().err().map(|error| refusal(error).to_owned());
        file
    }

    fn fetched(&self) -> Result<ForeignList, ListError> {
        ForeignList::read(&self.uri, &self.token, self.read_at)
    }
}

impl Vector {
    fn of(case: &Case) -> Self {
        let Setup {
            now,
            head,
            labs,
            certificates,
            anchors,
            status,
            trusted,
            trust_list,
            issuers,
            policy,
            expected,
        } = case.setup.clone();
        let mut vector = Self {
            name: case.name.to_owned(),
            says: case.says.to_owned(),
            now,
            input: case.input.clone(),
            expected,
            policy,
            verdict: Verdict::Invalid,
            reasons: serde_json::Map::new(),
            registry: labs.map(|labs| RegistryFile {
                head,
                events: world::events_of(&labs),
                certificates: labs
                    .iter()
                    .filter(|_| certificates)
                    .flat_map(|lab| lab.keys.iter().map(|(_, der)| encoding::base64(der)))
                    .collect(),
                profiles: labs.iter().map(|lab| world::profile(lab)).collect(),
            }),
            anchors,
            status: status
                .into_iter()
                .map(|(list, read_at)| StatusFile {
                    uri: list.uri,
                    kind: list.kind,
                    read_at,
                    token: list.token,
                    refused: None,
                })
                .collect(),
            trusted_roots: trusted.iter().map(|der| encoding::base64(der)).collect(),
            trust_list: trust_list.map(|(list, read_at)| TrustFile { read_at, list }),
            trusted_issuers: issuers.map(|issuers| IssuersFile {
                read_at: now.plus(-600),
                authorities: issuers.authorities.iter().map(|der| encoding::base64(der)).collect(),
                keys: issuers
                    .keys
                    .into_iter()
                    .map(|(issuer, keys)| (issuer, jwks(&keys)))
                    .collect(),
                status_signers: issuers.status_signers.iter().map(|der| encoding::base64(der)).collect(),
                status_keys: Some(jwks(&issuers.status_keys)).filter(|_| !issuers.status_keys.is_empty()),
                status: issuers.lists.into_iter().map(StatusFile::of_others).collect(),
            }),
        };
        let (_, refused) = vector.status_lists();
        for (file, refused) in vector.status.iter_mut().zip(refused) {
            file.refused = refused.map(str::to_owned);
        }
        let report = vector.check();
        vector.verdict = report.verdict;
        vector.reasons = reasons(&report);
        vector
    }

    /// The status lists, and for each in the file why it was refused, if it was.
    fn status_lists(&self) -> (StatusLists, Vec<Option<&'static str>>) {
        let provider = &*PROVIDER;
        let trusted: Vec<_> = self
            .trusted_roots
            .iter()
            .map(|root| x509::Certificate::from_der(&encoding::from_base64(root).unwrap()).unwrap())
            .collect();
        let mut lists = StatusLists::new();
        let refused = self.status.iter().map(|file| {
            let (uri, token) = (&file.uri, &file.token);
            let taken = match file.kind {
                ListKind::Token => lists.add_token_list(uri, token, &trusted, file.read_at, provider),
                ListKind::Bitstring => lists.add_bitstring_list(uri, token, &trusted, file.read_at, provider),
            };
            taken.err().map(refusal)
        });
        let refused = refused.collect();
        (lists, refused)
    }

    /// Runs the check with what the file holds and nothing else.
    fn check(&self) -> Report {
        let provider = &*PROVIDER;
        let registry = self.registry.as_ref().map(|file| {
            let mut registry = Registry::build(file.head, &file.events).unwrap();
            for certificate in &file.certificates {
                registry
                    .add_certificate(&encoding::from_base64(certificate).unwrap(), provider)
                    .unwrap();
            }
            for profile in &file.profiles {
                assert!(registry.add_profile(profile.as_bytes(), provider));
            }
            registry
        });
        let (status, _) = self.status_lists();
        let roots = self.anchors.clone().map(Roots::from);
        let trust = self
            .trust_list
            .as_ref()
            .map(|file| TrustList::parse(file.list.to_string().as_bytes(), file.read_at, provider).unwrap());
        let mut trust = trust;
        if let Some(file) = &self.trusted_issuers {
            let list = trust.get_or_insert_with(|| TrustList::new(file.read_at));
            file.add_to(list);
        }
        let categories = Categories::built_in();
        let context = Context {
            now: self.now,
            provider,
            categories: &categories,
            registry: registry.as_ref(),
            status: &status,
            roots: roots.as_ref(),
            trust: trust.as_ref(),
            policy: self.policy.unwrap_or_default(),
            expected: self.expected.as_ref(),
        };
        check::check_bytes(&self.input.bytes(), &context)
    }
}

fn reasons(report: &Report) -> serde_json::Map<String, Value> {
    let name = |test: Test| serde_json::to_value(test).unwrap().as_str().unwrap().to_owned();
    report
        .tests
        .iter()
        .map(|result| (name(result.test), result.reason.code().into()))
        .collect()
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

fn group(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "accept",
        Verdict::Invalid => "reject",
        Verdict::Undetermined => "undetermined",
    }
}

/// The files as they should be: path below `vectors/` → content.
fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in cases::all() {
        let vector = Vector::of(&case);
        let report = vector.check();
        let why = report.reasons();
        if why != case.reasons {
            wrong.push(format!("{}: expected {:?}, found {why:?}", case.name, case.reasons));
        }
        let number = numbers.entry(group(vector.verdict)).or_default();
        *number += 1;
        let path = format!("check/{}/{number:03}-{}.json", group(vector.verdict), case.name);
        let json = serde_json::to_string_pretty(&vector).unwrap() + "\n";
        assert!(
            files.insert(path, json).is_none(),
            "two vectors are called {}",
            case.name
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for key in cases::keys() {
        let json = serde_json::to_string_pretty(&key.file()).unwrap() + "\n";
        files.insert(format!("keys/TEST-KEY-{}.json", key.name), json);
    }
    files
}

/// Files that are there, below `check/` and `keys/`.
fn present() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["check/accept", "check/reject", "check/undetermined", "keys"] {
        for entry in fs::read_dir(directory().join(folder)).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            // Other tests keep keys of their own there.
            if folder != "keys" || name.starts_with("TEST-KEY-") {
                found.push(format!("{folder}/{name}"));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_vectors_are_what_the_code_makes() {
    let files = files();
    if std::env::var_os("VIDIMUS_WRITE_VECTORS").is_some() {
        for stale in present().iter().filter(|path| !files.contains_key(*path)) {
            fs::remove_file(directory().join(stale)).unwrap();
        }
        for (path, content) in &files {
            let path = directory().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
    let (present, wanted) = (present(), files.keys().cloned().collect::<Vec<_>>());
    assert!(
        present == wanted,
        "files are missing or too many: run with VIDIMUS_WRITE_VECTORS=1, then look"
    );
    for (path, content) in &files {
        let committed = fs::read_to_string(directory().join(path)).unwrap();
        assert!(
            committed == *content,
            "{path} is not what the code makes: run with VIDIMUS_WRITE_VECTORS=1, then look"
        );
    }
    let count = |group: &str| {
        files
            .keys()
            .filter(|path| path.starts_with(&format!("check/{group}/")))
            .count()
    };
    let (accept, reject, undetermined) = (count("accept"), count("reject"), count("undetermined"));
    println!("vectors: {accept} accepted, {reject} rejected, {undetermined} undetermined");
    assert!(reject > accept, "more rejects than accepts");
}

#[test]
fn a_stranger_who_reads_only_the_files_finds_the_same() {
    if std::env::var_os("VIDIMUS_WRITE_VECTORS").is_some() {
        return println!("the files are being written: run again without VIDIMUS_WRITE_VECTORS");
    }
    let mut seen = HashSet::new();
    for path in present().iter().filter(|path| path.starts_with("check/")) {
        let vector: Vector = serde_json::from_str(&fs::read_to_string(directory().join(path)).unwrap()).expect(path);
        let report = vector.check();
        assert_eq!(report.verdict, vector.verdict, "{path}");
        assert_eq!(reasons(&report), vector.reasons, "{path}");
        for (file, refused) in vector.status.iter().zip(vector.status_lists().1) {
            assert_eq!(refused, file.refused.as_deref(), "{path}: {}", file.uri);
        }
        for file in vector.trusted_issuers.iter().flat_map(|issuers| &issuers.status) {
            let refused = file.fetched().err().map(refusal);
            assert_eq!(refused, file.refused.as_deref(), "{path}: {}", file.uri);
        }
        assert!(path.starts_with(&format!("check/{}/", group(report.verdict))), "{path}");
        seen.extend(report.tests.iter().map(|result| result.reason));
    }
    // A reason that no vector gives is a reason that nobody has tried.
    let never: Vec<_> = Reason::ALL.iter().filter(|reason| !seen.contains(*reason)).collect();
    assert!(never.is_empty(), "no vector gives {never:?}");
}
