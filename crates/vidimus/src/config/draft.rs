//! The file as it is written, and how its values are held against each other before they become a [`Config`].

use super::{
    Anchor, Blobs, Checks, ClientAttestation, Config, Database, Error, Identity, Ledger, LedgerMode, Limits, Log, Mail,
    MailTls, NetworkRules, Outside, PublicUrl, Server, Status, Tls, Trust, Wallets, wrong,
};
use crate::outside::NetworkError;
use serde::Deserialize;
use std::{
    net::{IpAddr, SocketAddr},
    path::{Component, Path, PathBuf},
};
use toml::{Table, Value};
use vidimus_core::Secret;
use vidimus_credential::check::MAX_TRUST_LIST;
use vidimus_openid4vc::oauth::Endpoint;

/// The file as it is written, before the values are held against each other.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Draft {
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
    wallets: Wallets,
    trust: Trust,
    outside: DraftOutside,
    mail: Option<DraftMail>,
    identity: Option<DraftIdentity>,
}

#[derive(Deserialize)]
#[serde(default)]
struct DraftOutside {
    networks: Vec<String>,
    loopback: bool,
    authorities: Option<PathBuf>,
    push_hosts: Vec<String>,
}

impl Default for DraftOutside {
    fn default() -> Self {
        Self {
            networks: Vec::new(),
            loopback: false,
            authorities: None,
            push_hosts: Outside::default().push_hosts,
        }
    }
}

#[derive(Deserialize)]
struct DraftMail {
    host: Option<String>,
    port: Option<u16>,
    tls: Option<MailTls>,
    user: Option<String>,
    password: Option<String>,
    from: Option<String>,
}

#[derive(Deserialize)]
struct DraftIdentity {
    name: Option<String>,
    issuer: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    trust_framework: Option<String>,
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
    max_fee_per_gas: Option<u64>,
    priority_fee_per_gas: Option<u64>,
    replace_after_seconds: Option<u64>,
    empty_blocks: Option<bool>,
    verify_blocks: Option<bool>,
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
            max_fee_per_gas: None,
            priority_fee_per_gas: None,
            replace_after_seconds: None,
            empty_blocks: None,
            verify_blocks: None,
        }
    }
}

impl Draft {
    pub(super) fn new(table: Table) -> Result<Self, Error> {
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
            wallets: section(&table, "wallets")?,
            trust: section(&table, "trust")?,
            outside: section(&table, "outside")?,
            mail: table.get("mail").map(|_| section(&table, "mail")).transpose()?,
            identity: table.get("identity").map(|_| section(&table, "identity")).transpose()?,
        })
    }

    pub(super) fn check(self) -> Result<Config, Error> {
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
        if self.identity.is_some() && self.trust.directory.is_none() {
            return Err(wrong(
                "trust.directory",
                "is needed beside [identity]: the service's keys stand in its directory `identity`",
            ));
        }
        if self.identity.is_some() && self.wallets.redirects.is_empty() && !self.wallets.haip_only {
            return Err(wrong(
                "wallets.redirects",
                "is needed beside [identity]: where wallets may be answered. Else whoever sends somebody a link could have their certificates",
            ));
        }
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
            wallets: self.wallets.check()?,
            trust: Trust {
                directory: self.trust.directory.map(|p| absolute(&p)),
            },
            outside: self.outside.check()?,
            mail: self.mail.map(DraftMail::check).transpose()?,
            identity: self.identity.map(DraftIdentity::check).transpose()?,
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

impl Wallets {
    fn check(self) -> Result<Self, Error> {
        for (key, value, most) in [
            ("wallets.batch_size", u64::from(self.batch_size), 100),
            ("wallets.copies_per_grant", u64::from(self.copies_per_grant), 10_000),
            ("wallets.token_seconds", self.token_seconds, 86_400),
            ("wallets.refresh_days", self.refresh_days, 365),
            ("wallets.refresh_end_days", self.refresh_end_days, 364),
        ] {
            if at_least_one(key, value)? > most {
                return Err(wrong(key, format!("may be at most {most}")));
            }
        }
        if self.copies_per_grant < self.batch_size {
            return Err(wrong(
                "wallets.copies_per_grant",
                "must not be less than wallets.batch_size",
            ));
        }
        if self.haip_only && self.client_attestation == ClientAttestation::Optional {
            return Err(wrong(
                "wallets.client_attestation",
                "is \"optional\" where wallets.haip_only asks for it always: drop one of them",
            ));
        }
        for entry in &self.redirects {
            let address = entry.split_once(' ').map(|(_, address)| address);
            if address.is_none_or(|address| Endpoint::new(address).is_err()) {
                return Err(wrong(
                    "wallets.redirects",
                    "each is a client id and an https address, \"wallet https://wallet.example/back\"; http on this machine itself",
                ));
            }
        }
        for (key, link) in [
            ("wallets.offer_link", &self.offer_link),
            ("wallets.request_link", &self.request_link),
        ] {
            let scheme = link.split_once("://").map(|(scheme, _)| scheme);
            let fits = scheme.is_some_and(|scheme| {
                scheme.starts_with(|c: char| c.is_ascii_lowercase())
                    && scheme
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte))
            });
            let plain = link.bytes().all(|byte| byte.is_ascii_graphic()) && !link.contains(['?', '#']);
            if !fits || !plain || scheme == Some("http") {
                return Err(wrong(
                    key,
                    "must be the beginning of an address that opens a wallet: `openid4vp://`, `haip-vp://`, `https://wallet.example/open`",
                ));
            }
        }
        Ok(self)
    }
}

impl DraftOutside {
    fn check(self) -> Result<Outside, Error> {
        let network = |text: &String| {
            text.parse()
                .map_err(|error: NetworkError| wrong("outside.networks", error.to_string()))
        };
        let is_host = |host: &String| {
            let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-".contains(&c);
            !host.is_empty() && host.bytes().all(fits) && !host.starts_with('.')
        };
        if !self.push_hosts.iter().all(is_host) {
            return Err(wrong(
                "outside.push_hosts",
                "names of hosts in lower case are needed, such as \"push.example\"",
            ));
        }
        Ok(Outside {
            networks: self.networks.iter().map(network).collect::<Result<_, _>>()?,
            loopback: self.loopback,
            authorities: self.authorities.map(|path| absolute(&path)),
            push_hosts: self.push_hosts,
        })
    }
}

impl DraftMail {
    fn check(self) -> Result<Mail, Error> {
        let host = self
            .host
            .filter(|host| !host.is_empty())
            .ok_or_else(|| wrong("mail.host", "is needed: the server that takes mail"))?;
        let from = self
            .from
            .ok_or_else(|| {
                wrong(
                    "mail.from",
                    "is needed: the sender, such as \"Laboratory <codes@lab.example>\"",
                )
            })?
            .parse()
            .map_err(|_| wrong("mail.from", "must be an address, or `Name <address>`"))?;
        let tls = self.tls.unwrap_or(MailTls::Starttls);
        let is_near = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if tls == MailTls::None && !is_near {
            return Err(wrong(
                "mail.tls",
                "\"none\" is for a server on loopback: codes are sent here; use \"starttls\" or \"implicit\"",
            ));
        }
        let usual = match tls {
            MailTls::Starttls => 587,
            MailTls::Implicit => 465,
            MailTls::None => 25,
        };
        let login = match (self.user, self.password) {
            (Some(user), Some(password)) => Some((user, Secret::new(password))),
            (None, None) => None,
            (Some(_), None) => return Err(wrong("mail.password", "is needed beside mail.user")),
            (None, Some(_)) => return Err(wrong("mail.user", "is needed beside mail.password")),
        };
        Ok(Mail {
            host,
            port: self.port.unwrap_or(usual),
            tls,
            login,
            from,
        })
    }
}

impl DraftIdentity {
    fn check(self) -> Result<Identity, Error> {
        let needed = |key: &str, value: Option<String>| {
            let value = value.filter(|text| !text.is_empty() && !text.chars().any(char::is_control));
            value.ok_or_else(|| wrong(key, "is needed in [identity]"))
        };
        let endpoint = |key: &str, value: Option<String>| {
            let text = needed(key, value)?;
            Endpoint::new(text).map_err(|_| wrong(key, "must be an https address; http on this machine itself"))
        };
        Ok(Identity {
            name: needed("identity.name", self.name)?,
            issuer: needed("identity.issuer", self.issuer)?,
            authorization_endpoint: endpoint("identity.authorization_endpoint", self.authorization_endpoint)?,
            token_endpoint: endpoint("identity.token_endpoint", self.token_endpoint)?,
            client_id: needed("identity.client_id", self.client_id)?,
            client_secret: self.client_secret.map(Secret::new),
            trust_framework: self.trust_framework,
        })
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
            ("server.limits.trust_list_bytes", limits.trust_list_bytes as u64),
            ("server.limits.header_seconds", limits.header_seconds),
            ("server.limits.request_seconds", limits.request_seconds),
            ("server.limits.concurrency", limits.concurrency as u64),
            ("server.limits.connections", limits.connections as u64),
            ("server.limits.streams", limits.streams as u64),
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
        if limits.trust_list_bytes > MAX_TRUST_LIST {
            return Err(wrong(
                "server.limits.trust_list_bytes",
                format!("may be at most {MAX_TRUST_LIST}: a larger list is not read"),
            ));
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
        let for_a_network = [
            ("ledger.max_fee_per_gas", self.max_fee_per_gas.is_some()),
            ("ledger.priority_fee_per_gas", self.priority_fee_per_gas.is_some()),
            ("ledger.replace_after_seconds", self.replace_after_seconds.is_some()),
            ("ledger.empty_blocks", self.empty_blocks.is_some()),
            ("ledger.verify_blocks", self.verify_blocks.is_some()),
        ];
        for (key, set) in for_a_network {
            if set && matches!(mode, LedgerMode::Embedded(_)) {
                return Err(wrong(key, "is for ledger.mode = \"network\": remove it"));
            }
        }
        let usual = NetworkRules::default();
        let network = NetworkRules {
            max_fee_per_gas: self.max_fee_per_gas.unwrap_or(usual.max_fee_per_gas),
            priority_fee_per_gas: self.priority_fee_per_gas,
            replace_after_seconds: at_least_one(
                "ledger.replace_after_seconds",
                self.replace_after_seconds.unwrap_or(usual.replace_after_seconds),
            )?,
            empty_blocks: self.empty_blocks,
            verify_blocks: self.verify_blocks.unwrap_or(usual.verify_blocks),
        };
        if network.priority_fee_per_gas > Some(network.max_fee_per_gas) {
            return Err(wrong(
                "ledger.priority_fee_per_gas",
                "is part of ledger.max_fee_per_gas and must not be more",
            ));
        }
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
            network,
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
