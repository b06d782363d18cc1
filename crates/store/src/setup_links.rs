//! One-time links: the authority's first sign-in, and a participant's. The token is 256 random bits; only its hash is kept, so whoever reads
//! this table cannot use it.

use crate::{Error, Tx, value::params};
use vidimus_core::{Digest, Timestamp, id::ParticipantId};

/// A link that was used just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// What it was made for.
    pub purpose: String,
    /// Whom it was made for; none for the deployment's first authority.
    pub participant: Option<ParticipantId>,
}

/// Records a link.
pub fn insert(
    tx: &mut Tx<'_>,
    token_hash: &Digest,
    purpose: &str,
    participant: Option<ParticipantId>,
    created: Timestamp,
    expires: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO setup_links (token_hash, purpose, participant_id, created, expires) VALUES ($1, $2, $3, $4, $5)",
        params![token_hash, *purpose, participant, created, expires],
    )
    .map(drop)
}

/// Uses a link: once, and before it expires. None otherwise, without saying why.
pub fn take(tx: &mut Tx<'_>, token_hash: &Digest, now: Timestamp) -> Result<Option<Used>, Error> {
    let row = tx.query_one(
        "UPDATE setup_links SET used = $1 WHERE token_hash = $2 AND used IS NULL AND expires > $1 \
         RETURNING purpose, participant_id",
        params![now, token_hash],
    )?;
    row.map(|mut row| {
        Ok(Used {
            purpose: row.take(0)?,
            participant: row.take(1)?,
        })
    })
    .transpose()
}

/// A link as it was recorded: to say why it could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it was made for.
    pub purpose: String,
    /// Until when it can be used.
    pub expires: Timestamp,
    /// When it was used or withdrawn.
    pub used: Option<Timestamp>,
}

/// The link with this hash. Whoever asks has the token, so what it says is no secret to them.
pub fn find(tx: &mut Tx<'_>, token_hash: &Digest) -> Result<Option<Link>, Error> {
    let row = tx.query_one(
        "SELECT purpose, expires, used FROM setup_links WHERE token_hash = $1",
        params![token_hash],
    )?;
    row.map(|mut row| {
        Ok(Link {
            purpose: row.take(0)?,
            expires: row.take(1)?,
            used: row.take(2)?,
        })
    })
    .transpose()
}

/// Makes every unused link of this purpose useless, before another is handed out.
pub fn withdraw(tx: &mut Tx<'_>, purpose: &str, now: Timestamp) -> Result<u64, Error> {
    tx.execute(
        "UPDATE setup_links SET used = $1 WHERE purpose = $2 AND used IS NULL",
        params![now, *purpose],
    )
}
