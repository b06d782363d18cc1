//! Which of an issuer's keys sign now.

use crate::app::{
    App,
    chain::accounts::{self, account_of},
    error::Error,
};
use vidimus_core::{Algorithm, Provider as _, PublicKey, SignatureError, id::KeyId};
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
        let with_refusal = |key: &rows::Key| (key.id, refusal(app, issuer, key));
        Ok(Self {
            account: with_refusal(account),
            signing: with_refusal(signing),
        })
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

/// The issuer's keys as they are now.
pub async fn issuer_keys(app: &App, issuer: &Participant) -> Result<IssuerKeys, Error> {
    let (scope, id) = (Scope::authenticated(issuer.id), issuer.id);
    let found = app.store.read(move |tx| rows::list(tx, &scope, Some(id))).await?;
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
