//! Configuration: one TOML file, and `VIDIMUS_*` variables over it. Unknown keys are refused by name, so that a misspelt limit is never
//! silently the default. `docs/config/` holds the samples; tests parse them.

use serde::Deserialize;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Component, Path, PathBuf},
};
use toml::{Table, Value};
use vidimus_core::Secret;

/// Where `serve` looks when no file is named.
pub const DEFAULT_FILE: &str = "vidimus.toml";

/// Why the configuration is refused. Each text says what to do; none repeats a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there.
    #[error("there is no configuration file at {0}: run `vidimus init` to make one, or name it with --config")]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read: make it readable for the user that runs vidimus")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not valid TOML: {message}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A key nobody reads.
    #[error("{place}: unknown configuration key `{key}`{}; remove or correct it", nearest_text(.nearest))]
    UnknownKey {
        /// File, or environment variable.
        place: String,
        /// The key as written.
        key: String,
        /// The known key that is written most alike, if any is close.
        nearest: Option<String>,
    },
    /// A value of the wrong kind.
    #[error("configuration key `{key}`: {message}")]
    Value {
        /// Which key.
        key: String,
        /// What is expected.
        message: String,
    },
}

fn nearest_text(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map_or_else(String::new, |key| format!(" (did you mean `{key}`?)"))
}

fn wrong(key: &str, message: impl Into<String>) -> Error {
    Error::Value {
        key: key.into(),
        message: message.into(),
    }
}

/// Every key there is, its kind, in the order of the sample.
const KEYS: &[(&str, Kind)] = &[
    ("data_dir", Kind::Text),
    ("root_key", Kind::Text),
    ("categories_dir", Kind::Text),
    ("server.listen", Kind::Text),
    ("server.public_url", Kind::Text),
    ("server.trusted_proxies", Kind::List),
    ("server.metrics_public", Kind::Flag),
    ("server.tls.certificate", Kind::Text),
    ("server.tls.key", Kind::Text),
    ("server.limits.body_bytes", Kind::Number),
    ("server.limits.large_body_bytes", Kind::Number),
    ("server.limits.header_seconds", Kind::Number),
    ("server.limits.request_seconds", Kind::Number),
    ("server.limits.drain_seconds", Kind::Number),
    ("server.limits.concurrency", Kind::Number),
    ("server.limits.connections", Kind::Number),
    ("server.limits.key_requests_per_minute", Kind::Number),
    ("server.limits.address_requests_per_minute", Kind::Number),
    ("server.limits.disk_headroom_mib", Kind::Number),
    ("database.path", Kind::Text),
    ("database.url", Kind::Text),
    ("ledger.mode", Kind::Text),
    ("ledger.chain_id", Kind::Number),
    ("ledger.rpc_url", Kind::Text),
    ("ledger.rpc_key", Kind::Text),
    ("ledger.path", Kind::Text),
    ("ledger.fork", Kind::Text),
    ("ledger.base_fee", Kind::Number),
    ("ledger.confirmations", Kind::Number),
    ("ledger.rpc_public_reads", Kind::Flag),
    ("blobs.path", Kind::Text),
    ("log.format", Kind::Text),
    ("log.level", Kind::Text),
    ("anchor.interval_seconds", Kind::Number),
    ("anchor.max_batch", Kind::Number),
    ("status.ttl_seconds", Kind::Number),
    ("status.valid_seconds", Kind::Number),
    ("checks.registry_max_age_seconds", Kind::Number),
    ("checks.status_max_age_seconds", Kind::Number),
    ("checks.ledger_max_age_seconds", Kind::Number),
    ("checks.presentation_max_age_seconds", Kind::Number),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Number,
    Flag,
    List,
}

/// The configuration of one process, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the database, the embedded ledger and the blobs live.
    pub data_dir: PathBuf,
    /// The root key's file; outside `data_dir`, so that a copy of the data is not a copy of the key.
    pub root_key: PathBuf,
    /// More category files, beside those built in.
    pub categories_dir: Option<PathBuf>,
    /// HTTP.
    pub server: Server,
    /// SQLite or PostgreSQL.
    pub database: Database,
    /// Embedded or network.
    pub ledger: Ledger,
    /// Where sealed payloads are kept.
    pub blobs: Blobs,
    /// Logs.
    pub log: Log,
    /// Anchoring.
    pub anchor: Anchor,
    /// Status lists.
    pub status: Status,
    /// How old what a check leans on may be.
    pub checks: Checks,
}

/// How HTTP is served.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// The address others know this deployment by; it is signed into certificates.
    pub public_url: PublicUrl,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether `/metrics` answers without an operator's key.
    pub metrics_public: bool,
    /// TLS in this process; without it a proxy in front does TLS.
    pub tls: Option<Tls>,
    /// Sizes, times and rates.
    pub limits: Limits,
}

/// PEM files for TLS.
#[derive(Debug, Clone, Deserialize)]
pub struct Tls {
    /// Certificate chain, leaf first.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// Sizes, times and rates of HTTP.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Largest request body.
    pub body_bytes: usize,
    /// Largest body of the operations that take documents (results, checks, JSON-RPC).
    pub large_body_bytes: usize,
    /// Within this a client must have sent its headers (and finished its TLS handshake).
    pub header_seconds: u64,
    /// Within this a request is answered, body included.
    pub request_seconds: u64,
    /// How long a stop waits for requests that are under way.
    pub drain_seconds: u64,
    /// Requests under way at once; above that, 503.
    pub concurrency: usize,
    /// Connections open at once.
    pub connections: usize,
    /// Requests a minute by one API key.
    pub key_requests_per_minute: u32,
    /// Requests a minute from one client address.
    pub address_requests_per_minute: u32,
    /// Free space below which the instance is not ready.
    pub disk_headroom_mib: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 * 1024,
            large_body_bytes: 1024 * 1024,
            header_seconds: 10,
            request_seconds: 30,
            drain_seconds: 10,
            concurrency: 1024,
            connections: 4096,
            key_requests_per_minute: 60_000,
            address_requests_per_minute: 60_000,
            disk_headroom_mib: 64,
        }
    }
}

/// Which database.
#[derive(Debug, Clone)]
pub enum Database {
    /// One file.
    Sqlite(PathBuf),
    /// A server; the URL may hold a password.
    Postgres(Secret<String>),
}

/// Which ledger.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// Where the chain runs.
    pub mode: LedgerMode,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The fork whose rules the engine follows, in lower case.
    pub fork: String,
    /// Base fee per gas, in wei, of the embedded chain.
    pub base_fee: u64,
    /// Blocks on top before a block counts as final; 0 on embedded and QBFT.
    pub confirmations: u64,
    /// What is sent as `Authorization: Bearer` to the node behind `rpc_url`: for a node that is another Vidimus, an API key with the permission
    /// `operate`.
    pub rpc_key: Option<Secret<String>>,
    /// Whether `/rpc` answers reading calls without an API key.
    pub rpc_public_reads: bool,
}

/// Where the chain runs.
#[derive(Debug, Clone)]
pub enum LedgerMode {
    /// In this process, in one file.
    Embedded(PathBuf),
    /// Behind an Ethereum JSON-RPC. The URL may hold a credential.
    Network(Secret<String>),
}

/// Where sealed payloads are kept.
#[derive(Debug, Clone)]
pub struct Blobs {
    /// A directory.
    pub path: PathBuf,
}

/// Logs.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Log {
    /// One JSON object a line, or text for people.
    pub format: LogFormat,
    /// A level, or filter directives (`info,vidimus=debug`).
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Json,
            level: "info".into(),
        }
    }
}

/// Form of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Anchoring.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Anchor {
    /// A batch is closed at the latest after this.
    pub interval_seconds: u64,
    /// Commitments in one batch.
    pub max_batch: u32,
}

impl Default for Anchor {
    fn default() -> Self {
        Self {
            interval_seconds: 5,
            max_batch: 100_000,
        }
    }
}

/// Status lists.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Status {
    /// How long a fetched list may be used (`ttl` of a Token Status List, `Cache-Control`).
    pub ttl_seconds: u64,
    /// How long a signed list is valid (`exp`).
    pub valid_seconds: u64,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            ttl_seconds: 300,
            valid_seconds: 86_400,
        }
    }
}

/// How old what a check leans on may be, in seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Checks {
    /// The registry view.
    pub registry_max_age_seconds: u64,
    /// Status lists.
    pub status_max_age_seconds: u64,
    /// Cached anchor roots.
    pub ledger_max_age_seconds: u64,
    /// A presentation, from when it was signed.
    pub presentation_max_age_seconds: u64,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            registry_max_age_seconds: 86_400,
            status_max_age_seconds: 86_400,
            ledger_max_age_seconds: 86_400,
            presentation_max_age_seconds: 60,
        }
    }
}

/// An origin: scheme, host and port, no path. `https` unless the host is loopback.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Parses an origin.
    pub fn new(text: &str) -> Result<Self, String> {
        let uri: axum::http::Uri = text
            .parse()
            .map_err(|_| "not a URL, such as https://vidimus.example".to_owned())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("a full URL is needed, such as https://vidimus.example".into());
        };
        if authority.as_str().contains('@') {
            return Err("a URL without user name or password is needed".into());
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err("only scheme, host and port: paths are added by vidimus".into());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match scheme {
            "https" => {}
            "http" if loopback => {}
            _ => return Err("https is needed: this address is signed into certificates".into()),
        }
        Ok(Self(format!("{scheme}://{}", authority.as_str().to_ascii_lowercase())))
    }
    /// Without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// An absolute URL; `path` begins with a slash, or is empty.
    pub fn join(&self, path: &str) -> String {
        debug_assert!(path.is_empty() || path.starts_with('/'));
        format!("{}{path}", self.0)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Config {
    /// Reads `path` and lays the environment over it.
    pub fn load(path: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Error::Missing(path.into())),
            Err(source) => {
                return Err(Error::Unreadable {
                    path: path.into(),
                    source,
                });
            }
        };
        let base = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        Self::parse(&text, path, base, environment)
    }

    /// Parses `text`; relative paths in it are relative to `base`, those in variables to the working directory.
    pub fn parse(
        text: &str,
        file: &Path,
        base: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
            // The parser's own text quotes the line, which may hold a password.
            let line = error
                .span()
                .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            Error::Syntax {
                path: file.into(),
                message: format!("line {line}: {}", error.message()),
            }
        })?;
        refuse_unknown(&table, "", file)?;
        rebase(&mut table, base);
        for (name, value) in environment {
            apply_variable(&mut table, &name, &value)?;
        }
        Draft::new(table)?.check()
    }

    /// A directory that must exist for data, made by `vidimus init`.
    pub fn database_file(&self) -> Option<&Path> {
        match &self.database {
            Database::Sqlite(path) => Some(path),
            Database::Postgres(_) => None,
        }
    }
}

/// Keys that hold paths of files.
const PATHS: &[&str] = &[
    "data_dir",
    "root_key",
    "categories_dir",
    "server.tls.certificate",
    "server.tls.key",
    "database.path",
    "ledger.path",
    "blobs.path",
];

fn rebase(table: &mut Table, base: &Path) {
    for key in PATHS {
        if let Some(Value::String(text)) = find(table, key) {
            *text = base.join(&*text).to_string_lossy().into_owned();
        }
    }
}

fn find<'t>(table: &'t mut Table, key: &str) -> Option<&'t mut Value> {
    let mut parts = key.split('.');
    let mut at = table.get_mut(parts.next()?)?;
    for part in parts {
        at = at.as_table_mut()?.get_mut(part)?;
    }
    Some(at)
}

fn refuse_unknown(table: &Table, prefix: &str, file: &Path) -> Result<(), Error> {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        let section = KEYS.iter().any(|(known, _)| known.starts_with(&format!("{key}.")));
        match value {
            Value::Table(inner) if section => refuse_unknown(inner, &key, file)?,
            _ if KEYS.iter().any(|(known, _)| *known == key) => {}
            _ if section => return Err(wrong(&key, "is a section: write its keys below [section]")),
            _ => {
                let nearest = nearest(&key, KEYS.iter().map(|(known, _)| (*known).to_owned()));
                return Err(Error::UnknownKey {
                    place: file.display().to_string(),
                    key,
                    nearest,
                });
            }
        }
    }
    Ok(())
}

fn variable(key: &str) -> String {
    format!("VIDIMUS_{}", key.replace('.', "_").to_ascii_uppercase())
}

fn apply_variable(table: &mut Table, name: &str, value: &str) -> Result<(), Error> {
    if !name.starts_with("VIDIMUS_") {
        return Ok(());
    }
    let Some((key, kind)) = KEYS.iter().find(|(key, _)| variable(key) == name) else {
        // The command line has variables of its own. What is written like a key, or stands in a section of this file, is meant for it.
        let in_section = KEYS
            .iter()
            .filter_map(|(key, _)| key.split_once('.'))
            .any(|(section, _)| {
                name.strip_prefix(&variable(section))
                    .is_some_and(|rest| rest.starts_with('_'))
            });
        if !in_section && KEYS.iter().all(|(key, _)| edits(&variable(key), name) > 2) {
            return Ok(());
        }
        let nearest = nearest(name, KEYS.iter().map(|(key, _)| variable(key)));
        return Err(Error::UnknownKey {
            place: "environment".into(),
            key: name.into(),
            nearest,
        });
    };
    let value = match kind {
        Kind::Text => Value::String(value.into()),
        Kind::Number => Value::Integer(value.parse().map_err(|_| wrong(key, "a whole number is needed"))?),
        Kind::Flag => Value::Boolean(value.parse().map_err(|_| wrong(key, "true or false is needed"))?),
        Kind::List => Value::Array(
            value
                .split(',')
                .map(str::trim)
                .filter(|s| !s.is_empty())
                .map(Value::from)
                .collect(),
        ),
    };
    let (section, leaf) = key.rsplit_once('.').unwrap_or(("", key));
    let mut at = table;
    for part in section.split('.').filter(|part| !part.is_empty()) {
        at = at
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .expect("sections were checked to be tables");
    }
    at.insert(leaf.into(), value);
    Ok(())
}

/// The known key that is written most alike: few edits for its length, or the same last part in another section.
fn nearest(key: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let leaf = |k: &str| k.rsplit('.').next().unwrap_or(k).to_owned();
    known
        .map(|candidate| {
            let whole = edits(key, &candidate);
            let last = 1 + edits(&leaf(key), &leaf(&candidate));
            (whole.min(last), candidate)
        })
        .min()
        .filter(|(distance, _)| *distance <= 1 + key.len() / 3)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (above + 1).min(row[j] + 1).min(diagonal + usize::from(x != *y));
            diagonal = above;
        }
    }
    row[b.len()]
}

/// The file as it is written, before the values are held against each other.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Draft {
    data_dir: Option<PathBuf>,
    root_key: Option<PathBuf>,
    categories_dir: Option<PathBuf>,
    server: DraftServer,
    database: DraftDatabase,
    ledger: DraftLedger,
    blobs: DraftBlobs,
    log: Log,
    anchor: Anchor,
    status: Status,
    checks: Checks,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DraftServer {
    listen: Option<SocketAddr>,
    public_url: Option<String>,
    trusted_proxies: Vec<IpAddr>,
    metrics_public: bool,
    tls: Option<Tls>,
    limits: Limits,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DraftDatabase {
    path: Option<PathBuf>,
    url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DraftBlobs {
    path: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(default)]
struct DraftLedger {
    mode: String,
    chain_id: u64,
    rpc_url: Option<String>,
    rpc_key: Option<String>,
    path: Option<PathBuf>,
    fork: String,
    base_fee: u64,
    confirmations: u64,
    rpc_public_reads: bool,
}

impl Default for DraftLedger {
    fn default() -> Self {
        Self {
            mode: "embedded".into(),
            chain_id: 5_654_861,
            rpc_url: None,
            rpc_key: None,
            path: None,
            fork: "london".into(),
            base_fee: 0,
            confirmations: 0,
            rpc_public_reads: true,
        }
    }
}

impl Draft {
    fn new(table: Table) -> Result<Self, Error> {
        // Section by section, so that a value of the wrong kind is named by its key.
        fn section<T: serde::de::DeserializeOwned>(table: &Table, name: &str) -> Result<T, Error> {
            let value = table.get(name).cloned().unwrap_or_else(|| Value::Table(Table::new()));
            value
                .try_into()
                .map_err(|error: toml::de::Error| wrong(name, in_one_line(&error)))
        }
        let path = |name: &str| match table.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(PathBuf::from(text))),
            Some(_) => Err(wrong(name, "a path in quotes is needed")),
        };
        Ok(Self {
            data_dir: path("data_dir")?,
            root_key: path("root_key")?,
            categories_dir: path("categories_dir")?,
            server: section(&table, "server")?,
            database: section(&table, "database")?,
            ledger: section(&table, "ledger")?,
            blobs: section(&table, "blobs")?,
            log: section(&table, "log")?,
            anchor: section(&table, "anchor")?,
            status: section(&table, "status")?,
            checks: section(&table, "checks")?,
        })
    }

    fn check(self) -> Result<Config, Error> {
        let data_dir = self
            .data_dir
            .ok_or_else(|| wrong("data_dir", "is needed: where data is kept"))?;
        let root_key = self.root_key.ok_or_else(|| {
            wrong(
                "root_key",
                "is needed: the file that `vidimus init` wrote the root key to, outside data_dir",
            )
        })?;
        let data_dir = absolute(&data_dir);
        let root_key = absolute(&root_key);
        if resolved(&root_key).starts_with(resolved(&data_dir)) {
            return Err(wrong(
                "root_key",
                "lies inside data_dir, where every backup would carry it: move the file out and name its new place",
            ));
        }
        let database = match (self.database.url, self.database.path) {
            (Some(_), Some(_)) => return Err(wrong("database.url", "stands beside database.path: keep one of them")),
            (Some(url), None) if url.starts_with("postgresql://") || url.starts_with("postgres://") => {
                Database::Postgres(Secret::new(url))
            }
            (Some(_), None) => return Err(wrong("database.url", "must begin with postgresql://")),
            (None, path) => Database::Sqlite(path.map_or_else(|| data_dir.join("vidimus.db"), |p| absolute(&p))),
        };
        Ok(Config {
            server: self.server.check()?,
            ledger: self.ledger.check(&data_dir)?,
            blobs: Blobs {
                path: self.blobs.path.map_or_else(|| data_dir.join("blobs"), |p| absolute(&p)),
            },
            log: self.log,
            anchor: Anchor {
                interval_seconds: at_least_one("anchor.interval_seconds", self.anchor.interval_seconds)?,
                max_batch: at_least_one("anchor.max_batch", self.anchor.max_batch.into())?.min(1_000_000) as u32,
            },
            status: self.status.check()?,
            checks: self.checks,
            categories_dir: self.categories_dir.map(|p| absolute(&p)),
            database,
            data_dir,
            root_key,
        })
    }
}

impl Status {
    fn check(self) -> Result<Self, Error> {
        at_least_one("status.ttl_seconds", self.ttl_seconds)?;
        if self.valid_seconds < self.ttl_seconds {
            return Err(wrong(
                "status.valid_seconds",
                "must not be shorter than status.ttl_seconds",
            ));
        }
        Ok(self)
    }
}

impl DraftServer {
    fn check(self) -> Result<Server, Error> {
        let listen = self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8654)));
        let public_url = match self.public_url {
            Some(text) => PublicUrl::new(&text).map_err(|message| wrong("server.public_url", message))?,
            None if listen.ip().is_loopback() => {
                let scheme = if self.tls.is_some() { "https" } else { "http" };
                PublicUrl(format!("{scheme}://{listen}"))
            }
            None => {
                return Err(wrong(
                    "server.public_url",
                    format!(
                        "is needed because server.listen ({listen}) is not loopback: it is signed into certificates, so \
                         set the https address that others reach this deployment by, such as https://vidimus.example"
                    ),
                ));
            }
        };
        let limits = &self.limits;
        for (key, value) in [
            ("server.limits.body_bytes", limits.body_bytes as u64),
            ("server.limits.large_body_bytes", limits.large_body_bytes as u64),
            ("server.limits.header_seconds", limits.header_seconds),
            ("server.limits.request_seconds", limits.request_seconds),
            ("server.limits.concurrency", limits.concurrency as u64),
            ("server.limits.connections", limits.connections as u64),
            (
                "server.limits.key_requests_per_minute",
                limits.key_requests_per_minute.into(),
            ),
            (
                "server.limits.address_requests_per_minute",
                limits.address_requests_per_minute.into(),
            ),
        ] {
            at_least_one(key, value)?;
        }
        Ok(Server {
            listen,
            public_url,
            trusted_proxies: self.trusted_proxies,
            metrics_public: self.metrics_public,
            tls: self.tls,
            limits: self.limits,
        })
    }
}

impl DraftLedger {
    fn check(self, data_dir: &Path) -> Result<Ledger, Error> {
        let mode = match (self.mode.as_str(), self.rpc_url) {
            ("embedded", None) => {
                LedgerMode::Embedded(self.path.map_or_else(|| data_dir.join("ledger.redb"), |p| absolute(&p)))
            }
            ("embedded", Some(_)) => {
                return Err(wrong(
                    "ledger.rpc_url",
                    "is for ledger.mode = \"network\": remove one of the two",
                ));
            }
            ("network", Some(url)) if url.starts_with("https://") || url.starts_with("http://") => {
                LedgerMode::Network(Secret::new(url))
            }
            ("network", Some(_)) => return Err(wrong("ledger.rpc_url", "must begin with https:// or http://")),
            ("network", None) => return Err(wrong("ledger.rpc_url", "is needed when ledger.mode is \"network\"")),
            _ => return Err(wrong("ledger.mode", "must be \"embedded\" or \"network\"")),
        };
        at_least_one("ledger.chain_id", self.chain_id)?;
        if self.rpc_key.is_some() && matches!(mode, LedgerMode::Embedded(_)) {
            return Err(wrong("ledger.rpc_key", "is for ledger.mode = \"network\": remove it"));
        }
        Ok(Ledger {
            mode,
            rpc_key: self.rpc_key.map(Secret::new),
            chain_id: self.chain_id,
            fork: self.fork.to_ascii_lowercase(),
            base_fee: self.base_fee,
            confirmations: self.confirmations,
            rpc_public_reads: self.rpc_public_reads,
        })
    }
}

fn at_least_one(key: &str, value: u64) -> Result<u64, Error> {
    if value == 0 {
        Err(wrong(key, "must be 1 or more"))
    } else {
        Ok(value)
    }
}

fn in_one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Where the path really leads: links of the part that exists are followed, `..` is taken away from the rest.
fn resolved(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
        if let Ok(real) = plain.canonicalize() {
            plain = real;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "data_dir = \"data\"\nroot_key = \"keys/root.key\"\n";

    fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, Error> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::parse(text, Path::new("vidimus.toml"), Path::new("/srv/vidimus"), environment)
    }

    fn refusal(text: &str) -> String {
        parse(text, &[]).expect_err("must be refused").to_string()
    }

    #[test]
    fn the_least_file_has_safe_defaults() {
        let config = parse(LEAST, &[]).unwrap();
        assert_eq!(config.database_file(), Some(Path::new("/srv/vidimus/data/vidimus.db")));
        assert!(config.server.listen.ip().is_loopback());
        assert_eq!(config.server.public_url.as_str(), "http://127.0.0.1:8654");
        assert_eq!(config.ledger.chain_id, 0x56_494d);
        assert!(!config.server.metrics_public);
    }

    #[test]
    fn every_sample_parses_and_the_full_one_names_every_key() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config");
        let mut count = 0;
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "toml") {
                Config::load(&path, []).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                count += 1;
            }
        }
        assert!(count >= 3, "{count} samples");
        let full = std::fs::read_to_string(directory.join("every-key.toml")).unwrap();
        for (key, _) in KEYS {
            let leaf = key.rsplit('.').next().unwrap();
            let named = full
                .lines()
                .any(|l| l.trim_start_matches("# ").split(" = ").next() == Some(leaf));
            assert!(named, "docs/config/every-key.toml does not show {key}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_by_name_with_the_nearest_known_one() {
        let text = refusal(&format!("{LEAST}[server]\npublic_ulr = \"https://a.example\"\n"));
        assert!(
            text.contains("`server.public_ulr`") && text.contains("`server.public_url`"),
            "{text}"
        );
        let text = refusal(&format!("{LEAST}listen = \"127.0.0.1:1\"\n"));
        assert!(text.contains("`server.listen`"), "{text}");
        let text = refusal(&format!("{LEAST}[sevrer]\nlisten = \"127.0.0.1:1\"\n"));
        assert!(text.contains("`sevrer`"), "{text}");
        let error = parse(LEAST, &[("VIDIMUS_SERVER_LISTENS", "127.0.0.1:1")])
            .unwrap_err()
            .to_string();
        assert!(error.contains("`VIDIMUS_SERVER_LISTEN`"), "{error}");
        let error = parse(LEAST, &[("VIDIMUS_DATADIR", "x")]).unwrap_err().to_string();
        assert!(error.contains("`VIDIMUS_DATA_DIR`"), "{error}");
        assert!(parse(LEAST, &[("VIDIMUS_WALLET", "w"), ("VIDIMUS_URL", "u")]).is_ok());
    }

    #[test]
    fn variables_lie_over_the_file() {
        let config = parse(
            &format!("{LEAST}[server]\nlisten = \"127.0.0.1:1\"\n"),
            &[
                ("VIDIMUS_SERVER_LISTEN", "[::1]:9"),
                ("VIDIMUS_SERVER_TRUSTED_PROXIES", "10.0.0.1, 10.0.0.2"),
                ("VIDIMUS_SERVER_LIMITS_CONCURRENCY", "7"),
                ("VIDIMUS_DATABASE_URL", "postgresql://u:geheim@h/d"),
                ("VIDIMUS_API_KEY", "not configuration"),
                ("PATH", "/bin"),
            ],
        )
        .unwrap();
        assert_eq!(config.server.listen.to_string(), "[::1]:9");
        assert_eq!(config.server.trusted_proxies.len(), 2);
        assert_eq!(config.server.limits.concurrency, 7);
        assert!(matches!(config.database, Database::Postgres(_)));
        assert!(!format!("{config:?}").contains("geheim"));
    }

    #[test]
    fn outside_loopback_a_public_https_url_is_needed() {
        let text = refusal(&format!("{LEAST}[server]\nlisten = \"0.0.0.0:443\"\n"));
        assert!(text.contains("server.public_url") && text.contains("https"), "{text}");
        for url in [
            "http://vidimus.example",
            "https://a.example/path",
            "vidimus.example",
            "https://u:p@a.example",
            "ftp://x",
        ] {
            let text = refusal(&format!(
                "{LEAST}[server]\nlisten = \"0.0.0.0:443\"\npublic_url = \"{url}\"\n"
            ));
            assert!(text.contains("server.public_url"), "{url}: {text}");
        }
        let good = format!("{LEAST}[server]\nlisten = \"0.0.0.0:443\"\npublic_url = \"https://Vidimus.example/\"\n");
        assert_eq!(
            parse(&good, &[]).unwrap().server.public_url.as_str(),
            "https://vidimus.example"
        );
    }

    #[test]
    fn the_root_key_never_lies_in_the_data() {
        for key in ["data/root.key", "./data/keys/../root.key", "other/../data/x"] {
            let text = refusal(&format!("data_dir = \"data\"\nroot_key = \"{key}\"\n"));
            assert!(text.contains("inside data_dir"), "{key}: {text}");
        }
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("data")).unwrap();
        std::os::unix::fs::symlink(directory.path().join("data"), directory.path().join("keys")).unwrap();
        let error = Config::parse(LEAST, Path::new("f"), directory.path(), [])
            .unwrap_err()
            .to_string();
        assert!(error.contains("inside data_dir"), "{error}");
    }

    #[test]
    fn wrong_values_are_named_by_key_and_secrets_are_not_repeated() {
        for (text, key) in [
            ("[server]\nlisten = 8080\n", "server"),
            ("[server.limits]\nconcurrency = 0\n", "server.limits.concurrency"),
            ("[ledger]\nmode = \"paper\"\n", "ledger.mode"),
            ("[ledger]\nmode = \"network\"\n", "ledger.rpc_url"),
            ("[database]\nurl = \"mysql://geheim\"\n", "database.url"),
            ("[database]\nurl = \"postgresql://geheim\"\npath = \"x\"\n", "database"),
            (
                "[status]\nttl_seconds = 10\nvalid_seconds = 5\n",
                "status.valid_seconds",
            ),
            ("[log]\nformat = \"xml\"\n", "log"),
        ] {
            let refusal = refusal(&format!("{LEAST}{text}"));
            assert!(
                refusal.contains(key) && !refusal.contains("geheim"),
                "{text}: {refusal}"
            );
        }
        let refusal = refusal("data_dir = \"postgresql://geheim\nx");
        assert!(refusal.contains("line 2") && !refusal.contains("geheim"), "{refusal}");
    }
}
