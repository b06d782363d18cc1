//! Presentations that holders left for a verifier, sealed to its key: the server cannot read them.

use crate::{
    Error, Scope, Tx, page,
    value::{Row, params},
};
use vidimus_core::{
    Timestamp,
    id::{ParticipantId, PresentationId},
};

/// One of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Left {
    /// Its id.
    pub id: PresentationId,
    /// The verifier it is for.
    pub participant: ParticipantId,
    /// What was sealed.
    pub payload: Vec<u8>,
    /// When it was left.
    pub created: Timestamp,
    /// Until when it is kept.
    pub expires: Timestamp,
}

impl std::fmt::Debug for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Left").field("id", &self.id).finish_non_exhaustive()
    }
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, participant_id, payload, created, expires FROM left_presentations ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<Left, Error> {
    Ok(Left {
        id: row.take(0)?,
        participant: row.take(1)?,
        payload: row.take(2)?,
        created: row.take(3)?,
        expires: row.take(4)?,
    })
}

/// Keeps one, unless the verifier has `most` already: then `false`.
pub fn insert(tx: &mut Tx<'_>, new: &Left, most: u32) -> Result<bool, Error> {
    let rows = tx.execute(
        "INSERT INTO left_presentations (id, participant_id, payload, created, expires) SELECT $1, $2, $3, $4, $5 \
         WHERE (SELECT COUNT(*) FROM left_presentations WHERE participant_id = $2) < $6",
        params![new.id, new.participant, new.payload, new.created, new.expires, most],
    )?;
    Ok(rows == 1)
}

/// One of the scope's.
pub fn find(tx: &mut Tx<'_>, scope: &Scope, id: PresentationId, now: Timestamp) -> Result<Option<Left>, Error> {
    tx.find(
        columns!("WHERE id = $1 AND expires > $2 AND (participant_id = $3 OR $3 IS NULL)"),
        params![id, now, scope.participant()],
        read,
    )
}

/// The scope's after a place in the order (created, id), oldest first.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: Option<(Timestamp, PresentationId)>,
    limit: u32,
) -> Result<Vec<Left>, Error> {
    page::list(tx, scope, &page::statements!(columns), after, limit, read)
}

/// Removes one.
pub fn remove(tx: &mut Tx<'_>, scope: &Scope, id: PresentationId) -> Result<bool, Error> {
    let rows = tx.execute(
        "DELETE FROM left_presentations WHERE id = $1 AND (participant_id = $2 OR $2 IS NULL)",
        params![id, scope.participant()],
    )?;
    Ok(rows == 1)
}

/// Removes what nobody fetched in time.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    tx.execute("DELETE FROM left_presentations WHERE expires <= $1", params![now])
}
