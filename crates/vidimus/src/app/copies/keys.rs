//! Which of an issuer's keys sign now.

use super::Plan;
use crate::app::{
    App, Registries,
    chain::{
        self,
        accounts::{self, account_of},
    },
    error::Error,
};
use std::sync::Arc;
use vidimus_core::{Address, Algorithm, Provider as _, PublicKey, SignatureError, id::KeyId};
use vidimus_crypto::{KeyKind, SigningKey};
use vidimus_ledger::{
    contracts::{dids, registry},
    eth,
};
use vidimus_store::{
    Scope,
    keys::{self as rows, State},
    participants::Participant,
};

/// Why a key does not sign.
pub type Refusal = fn() -> Error;

/// An issuer's newest keys, each with what keeps it from signing.
#[derive(Debug)]
pub struct IssuerKeys {
    account: (KeyId, Option<Refusal>),
    signing: (KeyId, Option<Refusal>),
    /// The account that acts, where another is to take its place.
    leaving: Option<Address>,
    /// Whether newer signing keys wait for the ledger.
    renewed: bool,
}

impl IssuerKeys {
    /// From all its rows.
    pub fn of(app: &App, issuer: &Participant, rows: &[rows::Key]) -> Result<Self, Error> {
        let signing = rows
            .iter()
            .filter(|key| key.purpose == "signing" && matches!(key.state, State::Active | State::Revoked))
            .max_by_key(|key| key.version)
            .ok_or(Error::Internal("an issuer without keys"))?;
        // The account key that acts is not always the newest: an account may come back.
        let account = accounts::acting_of(rows).ok_or(Error::Internal("a participant without account key"))?;
        let waits = |purpose: &str, version: u32| {
            let mut pending = rows.iter().filter(|key| key.state == State::Pending);
            pending.any(|key| key.purpose == purpose && key.version > version)
        };
        let with_refusal = |key: &rows::Key| (key.id, refusal(app, issuer, key));
        Ok(Self {
            account: with_refusal(account),
            signing: with_refusal(signing),
            leaving: if waits(accounts::PURPOSE, 0) {
                account_of(app, account)
            } else {
                None
            },
            renewed: waits("signing", signing.version),
        })
    }

    /// Refuses to sign with keys whose rotation the ledger may have while we do not see it as final yet: what they signed then would check as
    /// too late. A rotation that came to nothing refuses nothing.
    pub async fn require_settled(&self, app: &App, issuer: &Participant, plans: &[Plan]) -> Result<(), Error> {
        let (mut account, mut signing) = (false, false);
        for plan in plans {
            match plan.algorithm {
                Algorithm::Es256k | Algorithm::Es256kR => account = true,
                _ => signing = true,
            }
        }
        let latest = eth::BlockId::latest();
        if account && let Some(acting) = self.leaving {
            let begun = chain::changes_under_way(app, issuer.account).await? > 0;
            if begun || dids::owner(&*app.ledger, app.contracts.dids, issuer.account, latest).await? != acting {
                return Err(accounts::under_way());
            }
        }
        if signing && self.renewed {
            let entry = |registries: &Registries| {
                let entry = registries.issuers.participant(&issuer.account)?;
                entry.keys().last().map(|record| record.version)
            };
            let ours = entry(&app.registries());
            let begun = chain::rotation_under_way(app, issuer.account).await?;
            let theirs = registry::keys(&*app.ledger, app.contracts.issuers, issuer.account, latest).await?;
            if begun || theirs.map(|(version, _)| version) != ours {
                return Err(Error::conflict(
                    "key-rotation",
                    "your signing keys are being rotated",
                    "try again in a few seconds, when the ledger has the new ones",
                ));
            }
        }
        Ok(())
    }

    /// The key that signs with `algorithm`, if it may.
    pub fn for_algorithm(&self, algorithm: Algorithm) -> Result<KeyId, Error> {
        let (key, refusal) = match algorithm {
            Algorithm::Es256k | Algorithm::Es256kR => self.account,
            Algorithm::Es256 => self.signing,
            Algorithm::EdDsa | Algorithm::Ps256 => return Err(Error::Internal("issuers have no such key")),
        };
        refusal.map_or(Ok(key), |refusal| Err(refusal()))
    }
}

/// A signing key that is kept here.
pub fn signer(app: &App, row: &rows::Key) -> Result<Arc<SigningKey>, Error> {
    let kind = match row.kind {
        rows::Kind::Secp256k1 => KeyKind::Secp256k1,
        rows::Kind::P256 => KeyKind::P256,
        _ => return Err(Error::Internal("a signing key of another kind")),
    };
    let wrapped = row
        .secret
        .as_ref()
        .ok_or(Error::Internal("a wrapped key without its secret"))?;
    app.keys.signing_key(row.id, kind, wrapped)
}

/// An issuer's or verifier's P-256 key that signs now, and its certificate as a chain without the trust anchor. None where the participant keeps
/// the key itself, or the key is not to sign.
pub async fn document_signer(
    app: &App,
    scope: Scope,
    participant: &Participant,
) -> Result<Option<(Arc<SigningKey>, Vec<Vec<u8>>)>, Error> {
    let id = participant.id;
    let found = app.store.get(move |tx| rows::list(tx, &scope, Some(id))).await?;
    let newest = found
        .into_iter()
        .filter(|key| key.purpose == "signing" && key.state == State::Active && key.secret.is_some())
        .max_by_key(|key| key.version);
    let Some(row) = newest.filter(|row| refusal(app, participant, row).is_none()) else {
        return Ok(None);
    };
    let certificate = row.certificate.clone();
    let chain = certificate.ok_or(Error::Internal("a signing key has no certificate"))?;
    Ok(Some((signer(app, &row)?, vec![chain])))
}

/// The P-256 keys that an issuer signs with, or has signed with and that are not revoked.
pub async fn published(app: &App, scope: Scope, issuer: &Participant) -> Result<Vec<PublicKey>, Error> {
    let id = issuer.id;
    let found = app.store.get(move |tx| rows::list(tx, &scope, Some(id))).await?;
    Ok(found
        .iter()
        .filter(|key| key.purpose == "signing" && matches!(key.state, State::Active | State::Retired))
        .filter(|key| !is_revoked(app, issuer, key))
        .filter_map(crate::app::deployment::public_key)
        .collect())
}

/// The issuer's keys as they are now.
pub async fn issuer_keys(app: &App, scope: Scope, issuer: &Participant) -> Result<IssuerKeys, Error> {
    let id = issuer.id;
    let found = app.store.get(move |tx| rows::list(tx, &scope, Some(id))).await?;
    IssuerKeys::of(app, issuer, &found)
}

/// What keeps a key from signing for its issuer. The registry says when a revocation begins, and who owns the issuer's DID.
pub fn refusal(app: &App, issuer: &Participant, key: &rows::Key) -> Option<Refusal> {
    match key.state {
        State::Pending | State::Retired => return Some(rotated),
        State::Revoked => return Some(revoked),
        State::Active => {}
    }
    let registries = app.registries();
    let entry = registries.issuers.participant(&issuer.account)?;
    if key.purpose == accounts::PURPOSE {
        return (account_of(app, key) != entry.account()).then_some(handed_over as Refusal);
    }
    is_revoked(app, issuer, key).then_some(revoked as Refusal)
}

/// Whether the registry says that nothing signed with this key from now on is to be trusted.
pub fn is_revoked(app: &App, issuer: &Participant, key: &rows::Key) -> bool {
    let registries = app.registries();
    let Some(entry) = registries.issuers.participant(&issuer.account) else {
        return false;
    };
    entry
        .keys()
        .iter()
        .filter(|record| {
            record
                .keys
                .p256
                .as_ref()
                .is_some_and(|point| point.as_bytes() == key.public)
        })
        .any(|record| record.revoked_from.is_some_and(|from| from <= app.now()))
}

/// Verifies what an issuer signed itself.
pub fn verify(
    app: &App,
    key: &rows::Key,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    match key.kind {
        // An own account key is known by its address alone.
        rows::Kind::Secp256k1 => {
            let account = account_of(app, key).ok_or(SignatureError::Key)?;
            app.provider.verify_account(algorithm, &account, message, signature)
        }
        rows::Kind::P256 => {
            let point = key.public.as_slice().try_into().map_err(|_| SignatureError::Key)?;
            app.provider
                .verify(algorithm, &PublicKey::P256(point), message, signature)
        }
        _ => Err(SignatureError::Key),
    }
}

fn rotated() -> Error {
    Error::conflict(
        "key-rotated",
        "this copy was prepared for a key that is not in force any more",
        "ask for a new copy with `POST /v1/results/{id}/copies`; this one is given up",
    )
}

fn revoked() -> Error {
    Error::conflict(
        "key-revoked",
        "your signing key was revoked: nothing that it signs is trusted",
        "ask the authority to rotate your keys (`vidimus participant rotate-keys`), then try again",
    )
}

fn handed_over() -> Error {
    Error::conflict(
        "account-handed-over",
        "your DID belongs to another account than the one whose key would sign",
        "wait a few seconds and try again; if it lasts, ask the authority",
    )
}
