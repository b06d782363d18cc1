//! Configuration: one TOML file, and `VIDIMUS_*` variables over it. Unknown keys are refused by name, so that a misspelt limit is never
//! silently the default. `docs/config/` holds the samples; tests parse them.

mod draft;
mod keys;

use crate::outside::Network;
use draft::Draft;
use keys::{apply_variable, rebase, refuse_unknown};
use lettre::message::Mailbox;
use serde::Deserialize;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};
use toml::Table;
use vidimus_core::Secret;
use vidimus_openid4vc::oauth::Endpoint;

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
    /// Issuing to wallets and asking them.
    pub wallets: Wallets,
    /// Who is trusted beside this deployment's own participants.
    pub trust: Trust,
    /// What may be reached of addresses that others choose.
    pub outside: Outside,
    /// How mail leaves; without it none does.
    pub mail: Option<Mail>,
    /// Who says who people are that claim again; without it only codes that they are sent.
    pub identity: Option<Identity>,
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
    /// Largest trust list that a check may bring, beside that.
    pub trust_list_bytes: usize,
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
    /// Streams of events open at once; above that, 503.
    pub streams: usize,
    /// Requests a minute by one API key.
    pub key_requests_per_minute: u32,
    /// Requests a minute from one client address.
    pub address_requests_per_minute: u32,
    /// Keys that one client address has attested in a minute, as it is a wallet of this deployment.
    pub attested_keys_per_minute: u32,
    /// Free space below which the instance is not ready.
    pub disk_headroom_mib: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 * 1024,
            large_body_bytes: 1024 * 1024,
            trust_list_bytes: 4 * 1024 * 1024,
            header_seconds: 10,
            request_seconds: 30,
            drain_seconds: 10,
            concurrency: 1024,
            connections: 4096,
            streams: 256,
            key_requests_per_minute: 60_000,
            address_requests_per_minute: 60_000,
            attested_keys_per_minute: 6_000,
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
    /// What is sent as `Authorization: Bearer` to the node behind `rpc_url`: for a node that is another Vidimus, an API key with the
    /// permission `operate`.
    pub rpc_key: Option<Secret<String>>,
    /// Whether `/rpc` answers reading calls without an API key.
    pub rpc_public_reads: bool,
    /// How to get on with the network behind `rpc_url`.
    pub network: NetworkRules,
}

/// How to get on with a network that others run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkRules {
    /// The most to offer for gas, tip included, in wei; 0 where gas costs nothing.
    pub max_fee_per_gas: u64,
    /// The tip to offer, in wei; without it the node is asked.
    pub priority_fee_per_gas: Option<u64>,
    /// A transaction that blocks have passed by for this long is replaced by one that offers more.
    pub replace_after_seconds: u64,
    /// Whether the network makes blocks also when nothing is sent; without it only another Vidimus is taken not to.
    pub empty_blocks: Option<bool>,
    /// Whether what the node says is held against the hashes of its blocks.
    pub verify_blocks: bool,
}

impl Default for NetworkRules {
    fn default() -> Self {
        Self {
            max_fee_per_gas: 500_000_000_000,
            priority_fee_per_gas: None,
            replace_after_seconds: 60,
            empty_blocks: None,
            verify_blocks: true,
        }
    }
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

/// What may be reached of addresses that others choose: webhooks, push endpoints, what messages point to.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Networks of one's own that may be reached beside what everybody reaches.
    pub networks: Vec<Network>,
    /// Whether loopback may be reached, also without TLS: for trying things out on one machine.
    pub loopback: bool,
    /// More certificate authorities than the system's, PEM; for mail too.
    pub authorities: Option<PathBuf>,
    /// Hosts of push services, each with its subdomains.
    pub push_hosts: Vec<String>,
}

impl Default for Outside {
    fn default() -> Self {
        let known = [
            "fcm.googleapis.com",
            "updates.push.services.mozilla.com",
            "web.push.apple.com",
            "notify.windows.com",
        ];
        Self {
            networks: Vec::new(),
            loopback: false,
            authorities: None,
            push_hosts: known.map(str::to_owned).to_vec(),
        }
    }
}

/// How mail leaves.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The server that takes it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// User and password, where the server asks for them.
    pub login: Option<(String, Secret<String>)>,
    /// The sender, `Name <address>`.
    pub from: Mailbox,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// Made secure before anything is said, or not used.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// Not at all: to loopback alone.
    None,
}

/// An identity service: an OpenID provider with verified claims (OpenID Connect for Identity Assurance). Its keys stand in the trust directory.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name, for people.
    pub name: String,
    /// Its issuer identifier, as its ID tokens have it.
    pub issuer: String,
    /// Where browsers are sent.
    pub authorization_endpoint: Endpoint,
    /// Where codes are exchanged.
    pub token_endpoint: Endpoint,
    /// As whom this deployment is registered there.
    pub client_id: String,
    /// What it shows there, beside PKCE.
    pub client_secret: Option<Secret<String>>,
    /// By which rules people have to have been identified; any, where none is named.
    pub trust_framework: Option<String>,
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

/// Issuing to wallets (OpenID4VCI) and asking them (OpenID4VP).
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Wallets {
    /// Whether a wallet has to show by whom it was made (attestation-based client authentication).
    pub client_attestation: ClientAttestation,
    /// How a link to an offer begins.
    pub offer_link: String,
    /// How a link to a request for a presentation begins, where the verifier does not say it.
    pub request_link: String,
    /// Copies that one request may ask for.
    pub batch_size: u32,
    /// Copies that all requests under one grant may ask for.
    pub copies_per_grant: u32,
    /// How long an access token holds.
    pub token_seconds: u64,
    /// For how long after it was last used a refresh token gets new copies.
    pub refresh_days: u64,
    /// For how long after the first ones it gets new copies at all (HAIP 1.0 §4.4: less than a year).
    pub refresh_end_days: u64,
    /// Whether HAIP 1.0 is all there is: no pre-authorized codes, no wallets that are not attested, no tokens without a key, no requests for
    /// presentations beside it.
    pub haip_only: bool,
    /// Whether proofs need a nonce or challenge of ours, beside being taken once.
    pub require_nonces: bool,
    /// Where wallets may be answered from the authorization page: a client id and an address each. Empty: anywhere, unless `haip_only`.
    pub redirects: Vec<String>,
}

impl Wallets {
    /// Whether a wallet may be answered at an address. One of this deployment's may be at a port of its own machine (RFC 8252 §7.3).
    pub fn may_redirect(&self, client: &str, address: &str) -> bool {
        if self.redirects.is_empty() && !self.haip_only {
            return true;
        }
        let own = client == crate::app::wallets::attest::CLIENT && loopback_port(address).is_some();
        own || self
            .redirects
            .iter()
            .filter_map(|entry| entry.split_once(' '))
            .filter(|(registered, _)| *registered == client)
            .any(
                |(_, registered)| match (loopback_port(registered), loopback_port(address)) {
                    (Some(registered), Some(address)) => registered == address,
                    _ => registered == address,
                },
            )
    }
}

/// An address of this machine without its port: `http` on a literal loopback address. None where it is another address.
fn loopback_port(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = ["127.0.0.1", "[::1]"].into_iter().find(|host| {
        authority.strip_prefix(host).is_some_and(|port| {
            port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
        })
    })?;
    Some((host, path))
}

impl Default for Wallets {
    fn default() -> Self {
        Self {
            client_attestation: ClientAttestation::Authorization,
            offer_link: "openid-credential-offer://".into(),
            request_link: "openid4vp://".into(),
            batch_size: 20,
            copies_per_grant: 200,
            token_seconds: 300,
            refresh_days: 90,
            refresh_end_days: 364,
            haip_only: false,
            require_nonces: false,
            redirects: Vec::new(),
        }
    }
}

/// For which grants a wallet's attestation is required. One that is sent is checked in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAttestation {
    /// For none.
    Optional,
    /// For the authorization code grant (HAIP 1.0 §4.4.1), not for the pre-authorized code that a laboratory hands over.
    Authorization,
    /// For all.
    Required,
}

/// Who is trusted beside this deployment's own participants.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Trust {
    /// A directory with one for each role: `attesters`, `identity`, `issuers`, `status`, `verifiers`. In them certificates (PEM or DER) and JWK
    /// sets, read again when they change.
    pub directory: Option<PathBuf>,
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
    /// Whether an address may be trusted with what is not for everybody: `https`, or the same machine.
    pub fn is_safe(text: &str) -> bool {
        let uri: Result<axum::http::Uri, _> = text.parse();
        uri.is_ok_and(|uri| {
            let authority = uri.authority().map_or("", |authority| authority.as_str());
            !authority.is_empty()
                && Self::new(&format!("{}://{authority}", uri.scheme_str().unwrap_or_default())).is_ok()
        })
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

#[cfg(test)]
mod tests;
