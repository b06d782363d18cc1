//! Requests for a presentation, found by the hash of their nonce, answered once.

use crate::{Error, Scope, Tx, value::Row, value::params};
use vidimus_core::{
    Digest, Timestamp,
    id::{ParticipantId, RequestId},
};

/// A verifier's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// SHA-256 of the nonce; the nonce itself is not kept.
    pub nonce_hash: Digest,
    /// Its id.
    pub id: RequestId,
    /// The verifier.
    pub participant: ParticipantId,
    /// What is asked for.
    pub body: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it may be answered.
    pub expires: Timestamp,
    /// When it was answered.
    pub used: Option<Timestamp>,
}

fn read(mut row: Row) -> Result<Request, Error> {
    Ok(Request {
        nonce_hash: row.take(0)?,
        id: row.take(1)?,
        participant: row.take(2)?,
        body: row.take(3)?,
        created: row.take(4)?,
        expires: row.take(5)?,
        used: row.take(6)?,
    })
}

/// Records a request.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, request: &Request) -> Result<(), Error> {
    scope.check(request.participant)?;
    tx.execute(
        "INSERT INTO requests (nonce_hash, id, participant_id, body, created, expires) VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            request.nonce_hash,
            request.id,
            request.participant,
            request.body,
            request.created,
            request.expires
        ],
    )
    .map(drop)
}

/// Uses a nonce: once, before it expires, within the scope. None otherwise, without saying why.
pub fn take(tx: &mut Tx<'_>, scope: &Scope, nonce_hash: &Digest, now: Timestamp) -> Result<Option<Request>, Error> {
    tx.find(
        "UPDATE requests SET used = $1 WHERE nonce_hash = $2 AND used IS NULL AND expires > $1 \
         AND (participant_id = $3 OR $3 IS NULL) \
         RETURNING nonce_hash, id, participant_id, body, created, expires, used",
        params![now, nonce_hash, scope.participant()],
        read,
    )
}

/// Whether the scope asked with this nonce, and still keeps the request.
pub fn has(tx: &mut Tx<'_>, scope: &Scope, nonce_hash: &Digest) -> Result<bool, Error> {
    let found = tx.find(
        "SELECT id FROM requests WHERE nonce_hash = $1 AND (participant_id = $2 OR $2 IS NULL)",
        params![nonce_hash, scope.participant()],
        |mut row| row.take::<RequestId>(0),
    )?;
    Ok(found.is_some())
}

/// A request by its id, whoever's: whoever was given the id may answer it.
pub fn find(tx: &mut Tx<'_>, id: RequestId) -> Result<Option<Request>, Error> {
    tx.find(
        "SELECT nonce_hash, id, participant_id, body, created, expires, used FROM requests WHERE id = $1",
        params![id],
        read,
    )
}

/// Removes requests that have expired.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    tx.execute("DELETE FROM requests WHERE expires <= $1", params![now])
}
