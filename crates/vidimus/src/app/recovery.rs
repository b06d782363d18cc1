//! The operator's way back in, when the authority's API key is lost or has expired: who holds the root key and the database makes another.
//!
//! Needs no ledger and no server, and harms none that runs: the database takes a second writer.

use crate::{
    app::{
        api_keys::{MOST_DAYS, make_with, permissions_of},
        deployment::{self, Refusal},
        error::{Error, Problem},
        keys::Keys,
        principal::Role,
    },
    config::Config,
};
use std::sync::Arc;
use vidimus_core::{
    Secret, Timestamp,
    id::{ApiKeyId, ParticipantId},
};
use vidimus_crypto::{Native, OsEntropy, RootKey};
use vidimus_store::{
    Missing, Scope, Store, Tx,
    api_keys::{self as rows, ApiKey},
    audit, participants,
};

/// Which of the authority's other API keys end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// These; none at all where it is empty.
    Named(Vec<ApiKeyId>),
    /// Every one.
    All,
}

/// What an operator wants.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// Days until the new key expires.
    pub days: u32,
    /// Which keys end.
    pub lost: Lost,
}

/// A new API key of the authority.
#[derive(Debug)]
pub struct Recovered {
    /// Its row.
    pub key: ApiKey,
    /// `vk_…`, shown this once.
    pub secret: Secret<String>,
    /// The authority's other keys as they are now, newest first.
    pub others: Vec<ApiKey>,
}

/// Makes a new API key for the authority, and revokes those that were lost. Both stand in the audit log, without an actor: the operator is no
/// participant.
pub async fn recover(config: &Config, now: Timestamp, recovery: Recovery) -> Result<Recovered, Refusal> {
    if !(1..=MOST_DAYS).contains(&recovery.days) {
        return Err(Refusal::Start(Error::invalid(
            "days",
            "an API key lasts 1 to 730 days",
            "give `days` in that range",
        )));
    }
    let root = RootKey::load(&config.root_key).map_err(Refusal::RootKey)?;
    let keys = Arc::new(Keys::derive(&root));
    drop(root);
    let provider = Arc::new(Native::new());
    let store = deployment::open_store(config, provider.clone(), Missing::Refuse).await?;
    let recovered = with_store(&store, &keys, config, &provider, now, recovery).await;
    store.close().await;
    recovered
}

async fn with_store(
    store: &Store,
    keys: &Arc<Keys>,
    config: &Config,
    provider: &Native,
    now: Timestamp,
    recovery: Recovery,
) -> Result<Recovered, Refusal> {
    // Refuses another deployment's root key.
    deployment::load(store, keys, config, provider, now).await?;
    let found = store
        .read(|tx| participants::list(tx, Some(participants::Role::Authority)))
        .await?;
    let authority = found.into_iter().next().ok_or_else(|| {
        Refusal::Start(Error::NotReady(Problem::new(
            "not-set-up",
            "this deployment has no authority yet",
            "open the setup link that `serve` printed, or make one with `vidimus setup-link`",
        )))
    })?;
    let (id, mut entropy) = (authority.id, OsEntropy);
    let permissions = permissions_of(Role::Authority);
    let made = make_with(keys, now, &mut entropy, id, "recovered", permissions, recovery.days);
    let scope = Scope::on_behalf_of(id);
    let recovered = keys.audit_entry(now, None, "recover-api-key", made.row.id.as_bytes(), &mut entropy);
    let row = made.row.clone();
    let sealer = keys.clone();
    store
        .write(move |tx| {
            let ended = match &recovery.lost {
                Lost::Named(named) => end_named(tx, &scope, named, now)?,
                Lost::All => end_all(tx, &scope, id, now)?,
            };
            rows::insert(tx, &scope, &row)?;
            // The log comes last: others who write to it wait from here on, and one of them may hold a key that is ended above.
            for key in &ended {
                let entry = sealer.audit_entry(now, None, "revoke-api-key", key.as_bytes(), &mut OsEntropy);
                audit::append(tx, &entry)?;
            }
            audit::append(tx, &recovered)?;
            Ok::<_, Refusal>(())
        })
        .await?;
    let mut others = store.read(move |tx| rows::list(tx, &scope, id)).await?;
    others.retain(|key| key.id != made.row.id);
    Ok(Recovered {
        key: made.row,
        secret: made.text,
        others,
    })
}

/// Ends these keys of the authority; which of them were not ended before.
fn end_named(tx: &mut Tx<'_>, scope: &Scope, named: &[ApiKeyId], now: Timestamp) -> Result<Vec<ApiKeyId>, Refusal> {
    let mut ended = Vec::new();
    for key in named {
        if !rows::find(tx, *key)?.is_some_and(|found| scope.covers(found.participant)) {
            return Err(Refusal::Start(Error::invalid(
                "unknown-api-key",
                "one of the ids is of no API key of the authority",
                "run the command without --revoke: it lists the keys that there are",
            )));
        }
        ended.extend(rows::revoke(tx, scope, *key, now)?.then_some(*key));
    }
    Ok(ended)
}

/// Ends every key of the authority. Until none is left: a key that is being revoked may just have made another. One that is revoked makes none.
fn end_all(
    tx: &mut Tx<'_>,
    scope: &Scope,
    authority: ParticipantId,
    now: Timestamp,
) -> Result<Vec<ApiKeyId>, vidimus_store::Error> {
    let mut ended = Vec::new();
    loop {
        let found = rows::revoke_all(tx, scope, authority, now)?;
        if found.is_empty() {
            return Ok(ended);
        }
        ended.extend(found);
    }
}
