//! API keys of machines. A key is an id and a secret of 256 random bits; only the secret's SHA-256 is kept.

use crate::{Error, Scope, Tx, value::Row, value::params};
use vidimus_core::{
    Digest, Timestamp,
    id::{ApiKeyId, ParticipantId},
};

/// An API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The public part.
    pub id: ApiKeyId,
    /// Whom it acts for.
    pub participant: ParticipantId,
    /// What its owner calls it.
    pub name: String,
    /// SHA-256 of the secret; compare in constant time.
    pub secret_hash: Digest,
    /// Names of permissions, separated by spaces.
    pub permissions: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// Day (since 1970) of its last use; no finer, so that the table does not tell who worked when.
    pub last_used_day: Option<i64>,
}

const READ: &str = "SELECT id, participant_id, name, secret_hash, permissions, created, expires, revoked, last_used_day FROM api_keys WHERE id = $1";

fn read(mut row: Row) -> Result<ApiKey, Error> {
    Ok(ApiKey {
        id: row.take(0)?,
        participant: row.take(1)?,
        name: row.take(2)?,
        secret_hash: row.take(3)?,
        permissions: row.take(4)?,
        created: row.take(5)?,
        expires: row.take(6)?,
        revoked: row.take(7)?,
        last_used_day: row.take(8)?,
    })
}

/// Records a key.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, key: &ApiKey) -> Result<(), Error> {
    scope.check(key.participant)?;
    tx.execute(
        "INSERT INTO api_keys (id, participant_id, name, secret_hash, permissions, created, expires) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            key.id,
            key.participant,
            key.name,
            key.secret_hash,
            key.permissions,
            key.created,
            key.expires
        ],
    )
    .map(drop)
}

/// The key with this id, whoever's: for the authenticator, which has no scope yet.
pub fn find(tx: &mut Tx<'_>, id: ApiKeyId) -> Result<Option<ApiKey>, Error> {
    tx.find(READ, params![id], read)
}

/// A participant's keys, newest first: the newest 1000.
pub fn list(tx: &mut Tx<'_>, scope: &Scope, participant: ParticipantId) -> Result<Vec<ApiKey>, Error> {
    scope.check(participant)?;
    let rows = tx.query(
        "SELECT id, participant_id, name, secret_hash, permissions, created, expires, revoked, last_used_day \
         FROM api_keys WHERE participant_id = $1 ORDER BY created DESC, id LIMIT 1000",
        params![participant],
    )?;
    rows.into_iter().map(read).collect()
}

/// Revokes a key; `false` when there is none in scope, or it was revoked before.
pub fn revoke(tx: &mut Tx<'_>, scope: &Scope, id: ApiKeyId, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE api_keys SET revoked = $1 WHERE id = $2 AND revoked IS NULL AND (participant_id = $3 OR $3 IS NULL)",
        params![now, id, scope.participant()],
    )?;
    Ok(rows == 1)
}

/// Revokes every key of a participant that is there now and is not revoked; which they were. Where others make keys at the same time, repeat
/// it until there are none: those that [`hold`] a key end first, and what they made is there then.
pub fn revoke_all(
    tx: &mut Tx<'_>,
    scope: &Scope,
    participant: ParticipantId,
    now: Timestamp,
) -> Result<Vec<ApiKeyId>, Error> {
    scope.check(participant)?;
    let rows = tx.query(
        "UPDATE api_keys SET revoked = $1 WHERE participant_id = $2 AND revoked IS NULL RETURNING id",
        params![now, participant],
    )?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}

/// Keeps a key from being revoked until this transaction has ended; `false` when it is revoked already.
pub fn hold(tx: &mut Tx<'_>, id: ApiKeyId) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE api_keys SET name = name WHERE id = $1 AND revoked IS NULL",
        params![id],
    )?;
    Ok(rows == 1)
}

/// Notes the day of use; writes at most once a day and key. Ask [`ApiKey::last_used_day`] first.
pub fn touch(tx: &mut Tx<'_>, id: ApiKeyId, day: i64) -> Result<(), Error> {
    tx.execute(
        "UPDATE api_keys SET last_used_day = $1 WHERE id = $2 AND (last_used_day IS NULL OR last_used_day < $1)",
        params![day, id],
    )
    .map(drop)
}
