//! The deployment: made once by `vidimus init`, opened at every start.

use crate::{
    app::{
        delivery::{Mailer, MailerError},
        keys::Keys,
        push,
    },
    config::{Config, Database},
    outside::{Outside, Rules},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use vidimus_core::{Address, Entropy, PublicKey, Signer, Timestamp, id::KeyId};
use vidimus_credential::category::{Added, Categories, Source};
use vidimus_crypto::{
    KeyKind, Native, OsEntropy, RootKey, SigningKey,
    ca::{Authority, Subject, Validity},
};
use vidimus_store::{Missing, Scope, Store, deployment, keys as key_rows};

/// How long the deployment's root certificate holds: ten years.
const ROOT_YEARS: i64 = 10;
const YEAR: i64 = 365 * 86_400;
/// Places in a status list: eight times the least that hides one copy among others (Bitstring Status List §6.1).
pub const STATUS_PLACES: u64 = 1 << 20;

/// Why the deployment is not opened. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The root key's file is missing, readable by others, damaged, or there already.
    #[error("{0}")]
    RootKey(#[source] vidimus_crypto::Error),
    /// Another root key made this database.
    #[error(
        "the root key in {0} is not the one this database was made with: put the right file back, nothing was changed"
    )]
    WrongRootKey(PathBuf),
    /// The database cannot be opened.
    #[error("{0}")]
    Store(#[from] vidimus_store::Error),
    /// The database was never initialised.
    #[error("this database holds no deployment: run `vidimus init` first")]
    NotInitialised,
    /// `init` on what is there already.
    #[error(
        "this database holds a deployment already: `vidimus serve` starts it; to make another one, name another directory"
    )]
    Initialised,
    /// The configuration names another chain than the deployment was made on.
    #[error(
        "the configuration says chain {configured}, the deployment was made on chain {found}: mend `ledger.chain_id`"
    )]
    Chain {
        /// In the configuration.
        configured: u64,
        /// In the database.
        found: u64,
    },
    /// The ledger cannot be opened or reached.
    #[error("{0}")]
    Ledger(#[source] vidimus_ledger::LedgerError),
    /// The blob store cannot be opened.
    #[error("{0}")]
    Blobs(#[source] vidimus_store::blobs::Error),
    /// A category's or value set's file is wrong.
    #[error("{0}")]
    Category(#[from] vidimus_credential::category::CategoryError),
    /// The directory of category files cannot be read.
    #[error("{path} cannot be read: check `categories_dir`")]
    Categories {
        /// Directory or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key of the configuration that only now turns out wrong.
    #[error("{0}")]
    Configuration(&'static str),
    /// The file of additional certificate authorities cannot be read.
    #[error("{path} cannot be read: check `outside.authorities`")]
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The client for addresses outside cannot be made.
    #[error("{0}")]
    Outside(#[from] crate::outside::BuildError),
    /// Mail cannot be sent as configured.
    #[error("{0}")]
    Mail(#[from] MailerError),
    /// Something kept is not whole.
    #[error("{0}: restore the data directory from a backup")]
    Damaged(&'static str),
    /// Making keys or certificates failed.
    #[error("a key or certificate could not be made: {0}")]
    Crypto(#[from] vidimus_crypto::Error),
    /// The first step after opening failed.
    #[error("the deployment was opened but could not start: {0}")]
    Start(#[source] crate::app::error::Error),
}

/// What is true of the whole deployment.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Random id.
    pub deployment: [u8; 32],
    /// EIP-155 chain id.
    pub chain: u64,
    /// The row of the certificate authority's key.
    pub authority_key: KeyId,
    /// DER of the root certificate.
    pub authority_certificate: Vec<u8>,
    /// The row of the status signer's key.
    pub status_key: KeyId,
    /// DER of its certificate.
    pub status_certificate: Vec<u8>,
    /// The row of the key that attests wallets and their keys.
    pub attester_key: KeyId,
    /// DER of its certificate.
    pub attester_certificate: Vec<u8>,
    /// The row of the P-256 key that wallets encrypt credential requests to.
    pub exchange_key: KeyId,
    /// The row of the operator's account key, which deploys contracts and relays.
    pub operator_key: KeyId,
    /// Its address.
    pub operator: Address,
    /// The row of the anchoring account's key.
    pub anchor_key: KeyId,
    /// Its address.
    pub anchorer: Address,
}

/// Opens the configured database.
pub async fn open_store(config: &Config, provider: Arc<Native>, missing: Missing) -> Result<Store, Refusal> {
    let which = match &config.database {
        Database::Sqlite(path) => vidimus_store::Config::Sqlite {
            path: path.clone(),
            missing,
        },
        Database::Postgres(url) => vidimus_store::Config::Postgres {
            url: url.expose().clone(),
            connections: 16,
        },
    };
    Ok(Store::open(which, provider).await?)
}

/// The categories built in, and those of `categories_dir` with the text of their files, value sets among them.
pub fn categories(config: &Config) -> Result<(Categories, Added), Refusal> {
    let mut categories = Categories::built_in();
    let Some(directory) = &config.categories_dir else {
        return Ok((categories, Added::default()));
    };
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Refusal::Categories { path, source }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable(directory))? {
        let path = entry.map_err(unreadable(directory))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
        let name = path.display().to_string();
        files.push(Source { name, text });
    }
    let added = categories.add(files)?;
    Ok((categories, added))
}

/// The client for addresses of others, and what sends mail.
pub fn ways_out(config: &Config) -> Result<(Outside, Option<Mailer>), Refusal> {
    let authorities = match &config.outside.authorities {
        None => Vec::new(),
        Some(path) => std::fs::read(path).map_err(|source| Refusal::Authorities {
            path: path.clone(),
            source,
        })?,
    };
    let mailer = config.mail.as_ref().map(|mail| Mailer::new(mail, &authorities));
    let outside = Outside::new(Rules {
        networks: config.outside.networks.clone(),
        loopback: config.outside.loopback,
        authorities,
    })?;
    Ok((outside, mailer.transpose()?))
}

/// Makes a deployment: the root key (which must not be there), the database, the deployment's own keys and its certificate authority.
pub async fn init(config: &Config, name: &str, country: &str, now: Timestamp) -> Result<(), Refusal> {
    let mut entropy = OsEntropy;
    let provider = Arc::new(Native::new());
    let store = open_store(config, provider.clone(), Missing::Create).await?;
    if store.read(deployment::find).await?.is_some() {
        return Err(Refusal::Initialised);
    }
    let root = RootKey::generate(&mut entropy);
    root.create(&config.root_key).map_err(Refusal::RootKey)?;
    let keys = Keys::derive(&root);

    let validity = Validity {
        not_before: now.plus(-300),
        not_after: now.plus(ROOT_YEARS * YEAR),
    };
    let subject = |role: &str| Subject {
        common_name: format!("{} {role}", name.chars().take(40).collect::<String>()),
        organization: Some(name.chars().take(64).collect()),
        country: Some(country.to_owned()),
    };
    let authority_key = SigningKey::generate(KeyKind::P256, &mut entropy);
    let authority_row = row(&keys, "certificate-authority", &authority_key, now, &mut entropy);
    let authority = Authority::create(authority_key, subject("root"), validity, &mut entropy)?;
    let status_key = SigningKey::generate(KeyKind::P256, &mut entropy);
    let status_certificate =
        authority.issue_status_signer(status_key.public_key(), &subject("lists"), validity, now, &mut entropy)?;
    let mut rows = vec![
        key_rows::Key {
            certificate: Some(authority.certificate().to_vec()),
            ..authority_row
        },
        key_rows::Key {
            certificate: Some(status_certificate),
            ..row(&keys, "status", &status_key, now, &mut entropy)
        },
    ];
    rows.extend(later(&keys, &authority, now, &mut entropy)?);
    for (purpose, kind) in [
        ("operator", KeyKind::Secp256k1),
        ("anchor", KeyKind::Secp256k1),
        (push::PURPOSE, KeyKind::P256),
    ] {
        let key = SigningKey::generate(kind, &mut entropy);
        rows.push(row(&keys, purpose, &key, now, &mut entropy));
    }
    let mut id = [0; 32];
    entropy.fill(&mut id);
    let facts = deployment::Deployment {
        deployment: id,
        chain: config.ledger.chain_id,
        contracts: "{}".into(),
        public_url: config.server.public_url.as_str().to_owned(),
        root_key_check: keys.check_value().to_vec(),
        created: now,
    };
    let made = store
        .write(move |tx| {
            let made = deployment::create(tx, &facts)?;
            if made {
                for row in &rows {
                    key_rows::insert(tx, row)?;
                }
                vidimus_store::status::open_list(tx, 1, STATUS_PLACES, now)?;
            }
            Ok::<_, vidimus_store::Error>(made)
        })
        .await?;
    store.close().await;
    if made { Ok(()) } else { Err(Refusal::Initialised) }
}

/// Attests wallets and their keys.
const ATTESTER: &str = "attester";
/// What wallets encrypt credential requests to.
const EXCHANGE: &str = "exchange";
/// Keys that came with the open protocols: a deployment that was made before them gets them when it is opened.
const LATER: [&str; 2] = [ATTESTER, EXCHANGE];

/// Makes the keys that an older deployment lacks.
async fn make_later(
    store: &Store,
    keys: &Keys,
    config: &Config,
    rows: &[key_rows::Key],
    now: Timestamp,
) -> Result<(), Refusal> {
    let mut entropy = OsEntropy;
    let damaged = || Refusal::Damaged("the certificate authority's key is not in the database");
    let authority = rows
        .iter()
        .find(|row| row.purpose == "certificate-authority")
        .ok_or_else(damaged)?;
    let certificate = authority.certificate.as_deref().ok_or_else(damaged)?;
    let wrapped = authority.secret.as_ref().ok_or_else(damaged)?;
    let key = keys
        .unwrap_signing_key(authority.id, KeyKind::P256, wrapped)
        .map_err(|_| Refusal::WrongRootKey(config.root_key.clone()))?;
    let authority = Authority::load(key, certificate)?;
    let mut made = later(keys, &authority, now, &mut entropy)?;
    made.retain(|new| !rows.iter().any(|row| row.purpose == new.purpose));
    let written = store
        .write(move |tx| made.iter().try_for_each(|row| key_rows::insert(tx, row)))
        .await;
    match written {
        // Another instance was quicker.
        Err(error) if error.constraint() == Some("keys_deployment_version") => Ok(()),
        other => Ok(other?),
    }
}

/// The keys of [`LATER`].
fn later(
    keys: &Keys,
    authority: &Authority,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<Vec<key_rows::Key>, Refusal> {
    let attester = SigningKey::generate(KeyKind::P256, entropy);
    let subject = Subject {
        common_name: "Vidimus wallet".into(),
        organization: None,
        country: None,
    };
    let validity = Validity {
        not_before: now.plus(-300).max(authority.validity().not_before),
        not_after: authority.validity().not_after,
    };
    let certificate = authority.issue_attester(attester.public_key(), &subject, validity, now, entropy)?;
    let exchange = SigningKey::generate(KeyKind::P256, entropy);
    Ok(vec![
        key_rows::Key {
            certificate: Some(certificate),
            ..row(keys, ATTESTER, &attester, now, entropy)
        },
        row(keys, EXCHANGE, &exchange, now, entropy),
    ])
}

/// The row of a key of the deployment's own, its first version.
pub(super) fn row(
    keys: &Keys,
    purpose: &str,
    key: &SigningKey,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> key_rows::Key {
    let id = KeyId::generate(entropy);
    key_rows::Key {
        id,
        participant: None,
        purpose: purpose.to_owned(),
        kind: kind(key.kind()),
        version: 1,
        public: key.public_key().as_bytes().to_vec(),
        secret: Some(keys.wrap_key(id, &key.expose_bytes(), entropy)),
        certificate: None,
        valid_from: now,
        valid_until: None,
        state: key_rows::State::Active,
        created: now,
    }
}

/// The store's name of a kind of signing key.
pub(super) const fn kind(kind: KeyKind) -> key_rows::Kind {
    match kind {
        KeyKind::Secp256k1 => key_rows::Kind::Secp256k1,
        KeyKind::P256 => key_rows::Kind::P256,
        KeyKind::Ed25519 => key_rows::Kind::Ed25519,
    }
}

/// A row's public key as core has it; none for X25519.
pub fn public_key(key: &key_rows::Key) -> Option<PublicKey> {
    Some(match key.kind {
        key_rows::Kind::Secp256k1 => PublicKey::Secp256k1(key.public.as_slice().try_into().ok()?),
        key_rows::Kind::P256 => PublicKey::P256(key.public.as_slice().try_into().ok()?),
        key_rows::Kind::Ed25519 => PublicKey::Ed25519(key.public.as_slice().try_into().ok()?),
        key_rows::Kind::X25519 => return None,
    })
}

/// Reads the deployment's facts and makes sure that root key and chain are the ones it was made with.
pub async fn load(
    store: &Store,
    keys: &Keys,
    config: &Config,
    provider: &Native,
    now: Timestamp,
) -> Result<Facts, Refusal> {
    let found = store.read(deployment::find).await?.ok_or(Refusal::NotInitialised)?;
    if found.root_key_check != keys.check_value() {
        return Err(Refusal::WrongRootKey(config.root_key.clone()));
    }
    if found.chain != config.ledger.chain_id {
        return Err(Refusal::Chain {
            configured: config.ledger.chain_id,
            found: found.chain,
        });
    }
    let mut rows = store.read(|tx| key_rows::list(tx, &Scope::system(), None)).await?;
    if !LATER
        .iter()
        .all(|purpose| rows.iter().any(|row| row.purpose == *purpose))
    {
        make_later(store, keys, config, &rows, now).await?;
        rows = store.read(|tx| key_rows::list(tx, &Scope::system(), None)).await?;
    }
    let newest = |purpose: &str| {
        rows.iter()
            .filter(|row| row.purpose == purpose && row.state == key_rows::State::Active)
            .max_by_key(|row| row.version)
            .ok_or(Refusal::Damaged("a key of the deployment is not in the database"))
    };
    let account = |purpose: &str| {
        let row = newest(purpose)?;
        let address = public_key(row).and_then(|key| key.address(provider));
        Ok::<_, Refusal>((
            row.id,
            address.ok_or(Refusal::Damaged("an account key of the deployment is no account key"))?,
        ))
    };
    let certified = |purpose: &str| {
        let row = newest(purpose)?;
        let certificate = row.certificate.clone();
        Ok::<_, Refusal>((
            row.id,
            certificate.ok_or(Refusal::Damaged("a key of the deployment has no certificate"))?,
        ))
    };
    let (authority_key, authority_certificate) = certified("certificate-authority")?;
    let (status_key, status_certificate) = certified("status")?;
    let (attester_key, attester_certificate) = certified(ATTESTER)?;
    let exchange_key = newest(EXCHANGE)?.id;
    let (operator_key, operator) = account("operator")?;
    let (anchor_key, anchorer) = account("anchor")?;
    let configured = config.server.public_url.as_str().to_owned();
    if found.public_url != configured {
        store
            .write(move |tx| deployment::set_public_url(tx, &configured))
            .await?;
    }
    Ok(Facts {
        deployment: found.deployment,
        chain: found.chain,
        authority_key,
        authority_certificate,
        status_key,
        status_certificate,
        attester_key,
        attester_certificate,
        exchange_key,
        operator_key,
        operator,
        anchor_key,
        anchorer,
    })
}
