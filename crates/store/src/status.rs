//! Status lists: for each copy a random place in a list, and what stands there. Places are never used twice, not even after an intent came to
//! nothing, so a place says nothing about when a copy was made.

use crate::{
    Error, Tx,
    value::{Row, params},
};
use vidimus_core::{
    Timestamp,
    id::{CertificateId, CopyId},
};

/// Status 0: good.
pub const VALID: u8 = 0;
/// Status 1: revoked, for good (Token Status List §7.1).
pub const REVOKED: u8 = 1;
/// Status 2: suspended.
pub const SUSPENDED: u8 = 2;

/// A list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Its number, part of its URL.
    pub list: u64,
    /// Places it has.
    pub capacity: u64,
    /// Grows with every change of a status in it.
    pub revision: u64,
    /// When it was opened.
    pub created: Timestamp,
}

/// What stands at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The list.
    pub list: u64,
    /// The place in it.
    pub place: u64,
    /// The copy it belongs to.
    pub copy: CopyId,
    /// [`VALID`], [`REVOKED`] or [`SUSPENDED`].
    pub status: u8,
    /// Why: a code.
    pub reason: Option<String>,
    /// When it last changed.
    pub updated: Timestamp,
}

/// A list as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The list.
    pub list: u64,
    /// Its encoding, such as `token` or `bitstring`.
    pub encoding: String,
    /// Counted from 1.
    pub version: u64,
    /// The [`List::revision`] it shows.
    pub revision: u64,
    /// The signed bytes.
    pub signed: Vec<u8>,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// Until when it may be relied on.
    pub valid_until: Timestamp,
}

fn read_list(mut row: Row) -> Result<List, Error> {
    Ok(List {
        list: row.take(0)?,
        capacity: row.take(1)?,
        revision: row.take(2)?,
        created: row.take(3)?,
    })
}

/// Opens a list; `false` when another instance has just opened it.
pub fn open_list(tx: &mut Tx<'_>, list: u64, capacity: u64, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "INSERT INTO status_lists (list, capacity, revision, created) VALUES ($1, $2, 0, $3) ON CONFLICT (list) DO NOTHING",
        params![list, capacity, now],
    )?;
    Ok(rows == 1)
}

/// All lists, oldest first.
pub fn lists(tx: &mut Tx<'_>) -> Result<Vec<List>, Error> {
    tx.list(
        "SELECT list, capacity, revision, created FROM status_lists ORDER BY list",
        &[],
        read_list,
    )
}

/// The list that new copies go to.
pub fn newest_list(tx: &mut Tx<'_>) -> Result<Option<List>, Error> {
    tx.find(
        "SELECT list, capacity, revision, created FROM status_lists ORDER BY list DESC LIMIT 1",
        &[],
        read_list,
    )
}

/// One list.
pub fn list(tx: &mut Tx<'_>, list: u64) -> Result<Option<List>, Error> {
    tx.find(
        "SELECT list, capacity, revision, created FROM status_lists WHERE list = $1",
        params![list],
        read_list,
    )
}

/// Places taken in a list. Reads all of them: ask now and then, not for each copy.
pub fn used(tx: &mut Tx<'_>, list: u64) -> Result<u64, Error> {
    tx.query_exactly("SELECT COUNT(*) FROM status_entries WHERE list = $1", params![list])?
        .take(0)
}

/// Takes the first of `candidates` that is free, for `copy`. The caller draws them at random, below the list's capacity; when all are taken
/// (`None`) the list is fuller than it should be: draw again, or open another.
pub fn reserve(
    tx: &mut Tx<'_>,
    list: u64,
    candidates: &[u64],
    copy: CopyId,
    now: Timestamp,
) -> Result<Option<u64>, Error> {
    for place in candidates {
        let rows = tx.execute(
            "INSERT INTO status_entries (list, place, copy_id, status, updated) VALUES ($1, $2, $3, 0, $4) \
             ON CONFLICT (list, place) DO NOTHING",
            params![list, place, copy, now],
        )?;
        if rows == 1 {
            return Ok(Some(*place));
        }
    }
    Ok(None)
}

fn read_entry(mut row: Row) -> Result<Entry, Error> {
    Ok(Entry {
        list: row.take(0)?,
        place: row.take(1)?,
        copy: row.take(2)?,
        status: row.take(3)?,
        reason: row.take(4)?,
        updated: row.take(5)?,
    })
}

/// What stands at a copy's place.
pub fn find(tx: &mut Tx<'_>, copy: CopyId) -> Result<Option<Entry>, Error> {
    tx.find(
        "SELECT list, place, copy_id, status, reason, updated FROM status_entries WHERE copy_id = $1",
        params![copy],
        read_entry,
    )
}

/// Sets the status of one copy. A revoked place stays revoked: `false`.
pub fn set(tx: &mut Tx<'_>, copy: CopyId, status: u8, reason: Option<&str>, now: Timestamp) -> Result<bool, Error> {
    let changed = tx.query_one(
        "UPDATE status_entries SET status = $1, reason = $2, updated = $3 WHERE copy_id = $4 AND status <> 1 RETURNING list",
        params![status, reason, now, copy],
    )?;
    let Some(mut row) = changed else { return Ok(false) };
    let list: u64 = row.take(0)?;
    tx.execute(
        "UPDATE status_lists SET revision = revision + 1 WHERE list = $1",
        params![list],
    )?;
    Ok(true)
}

/// Sets the status of all copies of a certificate and says how many changed. Call it beside [`crate::certificates::set_state`], in the same
/// transaction; a scope is not asked for twice.
pub fn set_of_certificate(
    tx: &mut Tx<'_>,
    certificate: CertificateId,
    status: u8,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<u64, Error> {
    let mut changed = tx.query(
        "UPDATE status_entries SET status = $1, reason = $2, updated = $3 \
         WHERE copy_id IN (SELECT id FROM copies WHERE certificate_id = $4) AND status <> 1 RETURNING list",
        params![status, reason, now, certificate],
    )?;
    raise_revisions(tx, &mut changed)
}

/// Revokes the copies of a certificate that wallets hold, and says how many: paper and the certificate itself stay as they are.
pub fn revoke_held(tx: &mut Tx<'_>, certificate: CertificateId, reason: &str, now: Timestamp) -> Result<u64, Error> {
    let mut changed = tx.query(
        "UPDATE status_entries SET status = 1, reason = $1, updated = $2 \
         WHERE copy_id IN (SELECT id FROM copies WHERE certificate_id = $3 AND holder IS NOT NULL) AND status <> 1 RETURNING list",
        params![*reason, now, certificate],
    )?;
    raise_revisions(tx, &mut changed)
}

/// Revokes the places of copies whose certificate is revoked, or was replaced before its end, where they are not: earlier versions could leave
/// some. How many there were.
pub fn repair(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    let mut changed = tx.query(
        "UPDATE status_entries SET status = 1, updated = $1, reason = COALESCE((SELECT k.reason FROM copies c \
         JOIN certificates k ON k.id = c.certificate_id WHERE c.id = status_entries.copy_id), 'superseded') \
         WHERE status <> 1 AND copy_id IN (SELECT c.id FROM copies c JOIN certificates k ON k.id = c.certificate_id \
         WHERE k.state = 'revoked' OR (k.state = 'replaced' AND k.valid_until > k.updated)) RETURNING list",
        params![now],
    )?;
    raise_revisions(tx, &mut changed)
}

/// Raises the revision of the lists of changed places, and counts the places.
fn raise_revisions(tx: &mut Tx<'_>, changed: &mut [Row]) -> Result<u64, Error> {
    let mut lists = changed
        .iter_mut()
        .map(|row| row.take::<u64>(0))
        .collect::<Result<Vec<_>, _>>()?;
    let count = lists.len() as u64;
    // Always in one order, so that two revocations never wait for each other.
    lists.sort_unstable();
    lists.dedup();
    for list in lists {
        tx.execute(
            "UPDATE status_lists SET revision = revision + 1 WHERE list = $1",
            params![list],
        )?;
    }
    Ok(count)
}

/// The places of a list that are not 0, in order: place and status.
pub fn not_valid(tx: &mut Tx<'_>, list: u64) -> Result<Vec<(u64, u8)>, Error> {
    tx.list(
        "SELECT place, status FROM status_entries WHERE list = $1 AND status <> 0 ORDER BY place",
        params![list],
        |mut row| Ok((row.take(0)?, row.take(1)?)),
    )
}

fn read_published(mut row: Row) -> Result<Published, Error> {
    Ok(Published {
        list: row.take(0)?,
        encoding: row.take(1)?,
        version: row.take(2)?,
        revision: row.take(3)?,
        signed: row.take(4)?,
        issued_at: row.take(5)?,
        valid_until: row.take(6)?,
    })
}

/// The list as it is served in one encoding.
pub fn published(tx: &mut Tx<'_>, list: u64, encoding: &str) -> Result<Option<Published>, Error> {
    tx.find(
        "SELECT list, encoding, version, revision, signed, issued_at, valid_until FROM published_lists \
         WHERE list = $1 AND encoding = $2",
        params![list, *encoding],
        read_published,
    )
}

/// Serves `new`, if its version follows the one that is served and its revision is not older; `false` when another instance was faster.
pub fn publish(tx: &mut Tx<'_>, new: &Published) -> Result<bool, Error> {
    let rows = tx.execute(
        "INSERT INTO published_lists (list, encoding, version, revision, signed, issued_at, valid_until) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (list, encoding) DO UPDATE SET version = excluded.version, \
         revision = excluded.revision, signed = excluded.signed, issued_at = excluded.issued_at, \
         valid_until = excluded.valid_until \
         WHERE published_lists.version + 1 = excluded.version AND published_lists.revision <= excluded.revision",
        params![
            new.list,
            new.encoding,
            new.version,
            new.revision,
            new.signed,
            new.issued_at,
            new.valid_until
        ],
    )?;
    Ok(rows == 1)
}

/// Lists that want signing again: one of `encodings` is missing, shows an old revision, or ends before `until`.
pub fn stale(tx: &mut Tx<'_>, encoding: &str, until: Timestamp) -> Result<Vec<List>, Error> {
    tx.list(
        "SELECT l.list, l.capacity, l.revision, l.created FROM status_lists l \
         LEFT JOIN published_lists p ON p.list = l.list AND p.encoding = $1 \
         WHERE p.version IS NULL OR p.revision < l.revision OR p.valid_until < $2 ORDER BY l.list",
        params![*encoding, until],
        read_list,
    )
}
