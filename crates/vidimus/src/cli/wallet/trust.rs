//! Whom the wallet trusts, and what it knows of registries.

use super::{Told, open::Open, web::Web};
use crate::{
    app::trusted::{Role, TrustError, Trusted as In},
    cli::{Exit, Failure, clock},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};
use vidimus_core::{
    Digest, Provider as _, PublicKey,
    encoding::{from_base64, from_base64url},
};
use vidimus_credential::x509::Certificate;
use vidimus_crypto::Native;
use vidimus_openid4vc::vp::DidKey;
use vidimus_wallet::{
    Others, Trusted, Wallet,
    registration::{Entry, Registry, State},
};

/// What trusting a deployment takes.
#[derive(Debug, Clone, clap::Args)]
pub struct TrustArguments {
    /// Its address.
    url: String,
    /// Its root certificate (PEM), as you got it in another way. Without it the deployment's own word is taken, once.
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
}

impl TrustArguments {
    /// To take a deployment's own word.
    pub(in crate::cli) fn of(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            root: None,
        }
    }
}

fn base(url: &str) -> &str {
    url.trim_end_matches('/')
}

fn unreadable(what: &str) -> Failure {
    Failure::new(Exit::Unavailable, format!("the {what} does not read"))
}

pub(super) async fn run(arguments: &TrustArguments, open: &mut Open, web: &Web) -> Result<Told, Failure> {
    let url = base(&arguments.url).to_owned();
    let pem = match &arguments.root {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be read: {error}", path.display())))?,
        None => {
            let came = web.get(&format!("{url}/v1/trust/root")).await?;
            if came.status != 200 {
                return Err(unreadable("root certificate of the deployment"));
            }
            String::from_utf8(came.body).map_err(|_| unreadable("root certificate"))?
        }
    };
    let root = Certificate::from_text(&pem).map_err(|_| unreadable("root certificate"))?;
    let fingerprint = root.fingerprint(&Native::new());
    open.wallet.trust(Trusted {
        url: url.clone(),
        root: root.to_pem(),
    });
    let known = learn(open, web, &url).await?;
    open.save()?;
    let name = &root.subject;
    Ok(Told(
        format!(
            "This wallet trusts {url}: {name}\nSHA-256 of its root: {fingerprint}\nVerifiers that its registry has: {known}"
        ),
        json!({"url": url, "root": root.subject, "fingerprint": fingerprint, "verifiers": known}),
    ))
}

/// The roots that the wallet trusts.
pub(super) fn roots(wallet: &Wallet) -> Vec<Certificate> {
    let trusted = wallet.trusted().iter();
    trusted
        .filter_map(|one| Certificate::from_text(&one.root).ok())
        .collect()
}

/// The roots that issuers are held against: those, and what the directory of others has.
pub(super) fn issuer_roots(wallet: &Wallet) -> Vec<Certificate> {
    let mut all = roots(wallet);
    all.extend_from_slice(&wallet.others().issuers);
    all
}

/// Whom a directory like that of a server's `[trust]` has.
pub(super) fn others(directory: Option<&Path>) -> Result<Others, Failure> {
    let Some(directory) = directory else {
        return Ok(Others::default());
    };
    if !directory.is_dir() {
        let path = directory.display();
        return Err(Failure::new(
            Exit::Usage,
            format!("--trust {path}: there is no such directory"),
        ));
    }
    let read =
        |role| In::role(directory, role).map_err(|error: TrustError| Failure::new(Exit::Usage, error.to_string()));
    let (issuers, verifiers) = (read(Role::Issuer)?, read(Role::Verifier)?);
    Ok(Others {
        issuers: issuers.certificates,
        issuer_keys: issuers.keys.into_iter().map(|key| (key.owner, key.key)).collect(),
        verifiers: verifiers.certificates,
    })
}

/// Reads the registry of a trusted deployment, and keeps what it says. How many verifiers it has.
async fn learn(open: &mut Open, web: &Web, url: &str) -> Result<usize, Failure> {
    Ok(read(open, web, url).await?.0)
}

async fn read(open: &mut Open, web: &Web, url: &str) -> Result<(usize, Keys), Failure> {
    let came = web.get(&format!("{url}/v1/registry/verifiers")).await?;
    let value: Value = serde_json::from_slice(&came.body).map_err(|_| unreadable("registry"))?;
    let items = value["items"].as_array().filter(|_| came.status == 200);
    let items = items.ok_or_else(|| unreadable("registry"))?;
    let mut keys = Keys::default();
    let mut entries = Vec::with_capacity(items.len());
    for item in items {
        let entry = entry(item).ok_or_else(|| unreadable("registry"))?;
        keys.add(url, &entry.did, item);
        entries.push(entry);
    }
    let count = entries.len();
    open.wallet.learn(Registry {
        source: url.to_owned(),
        as_of: clock().now(),
        entries,
    });
    Ok((count, keys))
}

/// A registered verifier, as it is left something.
#[derive(Debug, Clone)]
pub(super) struct Addressee {
    /// The deployment that has it.
    pub(super) url: String,
    /// Its id there.
    pub(super) id: String,
    /// Its DID.
    pub(super) did: String,
    /// Its name there.
    pub(super) name: String,
    /// Its X25519 key, where it has one.
    pub(super) sealing: Option<[u8; 32]>,
}

/// What is read of registered verifiers: keys behind their DIDs, and where they are left something.
#[derive(Default)]
pub(super) struct Keys {
    by_did: HashMap<String, Vec<DidKey>>,
    addressees: Vec<Addressee>,
}

impl Keys {
    fn add(&mut self, url: &str, did: &str, item: &Value) {
        let of = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let sealing = item["keys"].as_array().into_iter().flatten().find_map(|key| {
            let counts = key["purpose"] == "sealing" && key["state"] == "active" && key["jwk"]["crv"] == "X25519";
            let point = key["jwk"]["x"].as_str().filter(|_| counts)?;
            from_base64url(point).ok()?.try_into().ok()
        });
        self.addressees.push(Addressee {
            url: url.to_owned(),
            id: of("id"),
            did: did.to_owned(),
            name: of("name"),
            sealing,
        });
        let keys = item["keys"].as_array().into_iter().flatten();
        let accounts = keys.filter(|key| key["purpose"] == "account" && key["state"] == "active");
        let read = accounts
            .filter_map(|key| PublicKey::from_jwk(&key["jwk"]))
            .map(DidKey::Key);
        self.by_did.entry(did.to_owned()).or_default().extend(read);
    }
    /// Those of this DID.
    pub(super) fn of(&self, did: &str) -> &[DidKey] {
        self.by_did.get(did).map_or(&[], Vec::as_slice)
    }
    /// The one verifier of this id, DID or name.
    pub(super) fn addressee(&self, text: &str) -> Result<&Addressee, Failure> {
        let is = |one: &&Addressee| [&one.id, &one.did, &one.name].iter().any(|known| *known == text);
        let mut found = self.addressees.iter().filter(is);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(Failure::new(
                Exit::Refused,
                "no registry that this wallet trusts has this verifier now",
            )),
            _ => Err(Failure::new(
                Exit::Usage,
                "several verifiers go by that name: give an id or a DID",
            )),
        }
    }
}

/// Reads the registries of all that are trusted; one that does not answer stays known as it was.
pub(super) async fn refresh(open: &mut Open, web: &Web) -> Result<Keys, Failure> {
    let urls: Vec<String> = open.wallet.trusted().iter().map(|one| one.url.clone()).collect();
    let mut all = Keys::default();
    for url in urls {
        if let Ok((_, keys)) = read(open, web, &url).await {
            all.by_did.extend(keys.by_did);
            all.addressees.extend(keys.addressees);
        }
    }
    open.save()?;
    Ok(all)
}

fn entry(item: &Value) -> Option<Entry> {
    let texts = |name: &str| -> Option<Vec<String>> {
        item[name]
            .as_array()?
            .iter()
            .map(|one| one.as_str().map(str::to_owned))
            .collect()
    };
    let native = Native::new();
    let keys = item["keys"].as_array().into_iter().flatten();
    let certificates = keys
        .filter(|key| key["state"] == "active")
        .filter_map(|key| from_base64(key["certificate"].as_str()?).ok());
    let certificates: Vec<Digest> = certificates.map(|der| native.sha256(&[&der])).collect();
    Some(Entry {
        name: item["name"].as_str()?.to_owned(),
        did: item["did"].as_str()?.to_owned(),
        state: match item["status"].as_str()? {
            "active" => State::Active,
            "revoked" => State::Revoked,
            // Also what is not admitted yet.
            _ => State::Suspended,
        },
        attributes: texts("attributes")?,
        purposes: texts("purposes")?,
        certificates,
    })
}
