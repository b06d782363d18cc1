//! The audit log: entries chained by their hashes, ids and salted digests only, so that erasing a person never rewrites it.
//!
//! Whoever controls the database can cut the log's end or replace all of it, but not change an entry in the middle; the head's hash, written
//! down elsewhere, shows the rest.

use crate::{
    Error, Tx,
    value::{Row, params},
};
use vidimus_core::{Digest, Provider, Timestamp, Transcript, id::ParticipantId};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When; the sequence is what orders.
    pub time: Timestamp,
    /// Who; none for the system.
    pub actor: Option<ParticipantId>,
    /// Name of the operation.
    pub operation: String,
    /// Id of what it was done to.
    pub object: Vec<u8>,
    /// Salted digest of the details; the salt lies with what is erased.
    pub details: Digest,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counted from 1 without gaps.
    pub sequence: u64,
    /// What happened.
    pub event: Event,
    /// Hash of the entry before; zero for the first.
    pub previous: Digest,
    /// Hash of this one.
    pub hash: Digest,
}

/// Where the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of entries.
    pub sequence: u64,
    /// Hash of the last; zero when there is none.
    pub hash: Digest,
    /// Time of the last.
    pub time: Timestamp,
}

/// The log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every entry follows from the one before, up to this head.
    Whole(Head),
    /// The first entry that does not.
    Broken {
        /// Its sequence number.
        sequence: u64,
    },
}

fn hash(provider: &dyn Provider, sequence: u64, event: &Event, previous: &Digest) -> Digest {
    Transcript::new("vidimus/audit/v1")
        .number(sequence)
        .number(event.time.0 as u64)
        .field(event.actor.as_ref().map_or(&[][..], |actor| actor.as_bytes()))
        .field(event.operation.as_bytes())
        .field(&event.object)
        .field(&event.details.0)
        .field(&previous.0)
        .digest(provider)
}

/// Appends an entry, in the transaction of what it tells. Call it last: from here to the commit, other writers of the log wait.
pub fn append(tx: &mut Tx<'_>, event: &Event) -> Result<Entry, Error> {
    let mut row = next(tx, event.time)?;
    let (sequence, previous) = (row.take::<u64>(0)?, row.take::<Digest>(1)?);
    let hash = hash(tx.provider(), sequence, event, &previous);
    tx.execute(
        "INSERT INTO audit_entries (sequence, time, actor, operation, object, details, previous, hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            sequence,
            event.time,
            event.actor,
            event.operation,
            event.object,
            event.details,
            previous,
            hash
        ],
    )?;
    // Takes only on the very state that the entry was chained to: a fork is a conflict here and at the entries' key.
    let rows = tx.execute(
        "UPDATE audit_head SET hash = $1 WHERE id = 1 AND sequence = $2 AND hash = $3",
        params![hash, sequence, previous],
    )?;
    if rows != 1 {
        return Err(tx.conflict("audit_head"));
    }
    Ok(Entry {
        sequence,
        event: event.clone(),
        previous,
        hash,
    })
}

/// Takes the next number: locks the head, and gives the hash that it still has.
fn next(tx: &mut Tx<'_>, time: Timestamp) -> Result<Row, Error> {
    const TAKE: &str = "UPDATE audit_head SET sequence = sequence + 1, time = $1 WHERE id = 1 RETURNING sequence, hash";
    if let Some(row) = tx.query_one(TAKE, params![time])? {
        return Ok(row);
    }
    tx.execute(
        "INSERT INTO audit_head (id, sequence, hash, time) VALUES (1, 0, $1, $2) ON CONFLICT (id) DO NOTHING",
        params![[0_u8; 32], time],
    )?;
    tx.query_exactly(TAKE, params![time])
}

/// Where the log ends.
pub fn head(tx: &mut Tx<'_>) -> Result<Head, Error> {
    match tx.query_one("SELECT sequence, hash, time FROM audit_head WHERE id = 1", &[])? {
        Some(mut row) => Ok(Head {
            sequence: row.take(0)?,
            hash: row.take(1)?,
            time: row.take(2)?,
        }),
        None => Ok(Head {
            sequence: 0,
            hash: Digest([0; 32]),
            time: Timestamp(0),
        }),
    }
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT sequence, time, actor, operation, object, details, previous, hash FROM audit_entries ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<Entry, Error> {
    Ok(Entry {
        sequence: row.take(0)?,
        event: Event {
            time: row.take(1)?,
            actor: row.take(2)?,
            operation: row.take(3)?,
            object: row.take(4)?,
            details: row.take(5)?,
        },
        previous: row.take(6)?,
        hash: row.take(7)?,
    })
}

/// Entries after a sequence number, in order.
pub fn list(tx: &mut Tx<'_>, after: u64, limit: u32) -> Result<Vec<Entry>, Error> {
    tx.list(
        columns!("WHERE sequence > $1 ORDER BY sequence LIMIT $2"),
        params![after, limit],
        read,
    )
}

/// What happened to one object, in order.
pub fn of_object(tx: &mut Tx<'_>, object: &[u8]) -> Result<Vec<Entry>, Error> {
    tx.list(
        columns!("WHERE object = $1 ORDER BY sequence LIMIT 1000"),
        params![*object],
        read,
    )
}

/// Walks the whole log in pages and holds it against its hashes and its head.
pub fn verify(tx: &mut Tx<'_>) -> Result<Verdict, Error> {
    const PAGE: u32 = 1000;
    let provider = tx.provider();
    let (mut sequence, mut previous) = (0, Digest([0; 32]));
    loop {
        let page = tx.query(
            columns!("WHERE sequence > $1 ORDER BY sequence LIMIT $2"),
            params![sequence, PAGE],
        )?;
        if page.is_empty() {
            break;
        }
        for row in page {
            // An entry that does not even read is as broken as one that reads otherwise.
            let Ok(entry) = read(row) else {
                return Ok(Verdict::Broken { sequence: sequence + 1 });
            };
            let follows = entry.sequence == sequence + 1
                && entry.previous == previous
                && entry.hash == hash(provider, entry.sequence, &entry.event, &previous);
            if !follows {
                return Ok(Verdict::Broken { sequence: sequence + 1 });
            }
            (sequence, previous) = (entry.sequence, entry.hash);
        }
    }
    let head = head(tx)?;
    if head.sequence == sequence && head.hash == previous {
        Ok(Verdict::Whole(head))
    } else {
        Ok(Verdict::Broken { sequence: sequence + 1 })
    }
}
