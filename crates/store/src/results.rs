//! Results, as laboratories report them: encrypted under the person's data key.

use crate::{
    Error, Scope, Tx, page,
    persons::PersonIndex,
    value::{Row, names, params},
};
use vidimus_core::{
    Digest, Timestamp,
    id::{ParticipantId, ResultId},
};

names! {
    /// Where a result stands.
    pub enum State {
        /// Counts.
        Live = "live",
        /// A correction took its place.
        Replaced = "replaced",
        /// Its reporter took it back.
        Withdrawn = "withdrawn",
        /// Its content is gone.
        Erased = "erased",
    }
}

/// A result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRecord {
    /// Its id.
    pub id: ResultId,
    /// Who reported it.
    pub participant: ParticipantId,
    /// About whom.
    pub person: PersonIndex,
    /// Name of its category.
    pub category: String,
    /// What tells two results of one person and category apart, as the category's rule says: at most one live result for each.
    pub uniqueness: Digest,
    /// Nonce of the body.
    pub nonce: Option<Vec<u8>>,
    /// The content under the person's data key; none after erasure. Bind it with `binding("results", id, "body")`.
    pub body: Option<Vec<u8>>,
    /// Where it stands.
    pub state: State,
    /// When it was reported.
    pub created: Timestamp,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, participant_id, person, category, uniqueness, nonce, body_ciphertext, state, created FROM results ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<ResultRecord, Error> {
    Ok(ResultRecord {
        id: row.take(0)?,
        participant: row.take(1)?,
        person: row.take(2)?,
        category: row.take(3)?,
        uniqueness: row.take(4)?,
        nonce: row.take(5)?,
        body: row.take(6)?,
        state: row.take(7)?,
        created: row.take(8)?,
    })
}

/// Records a result. Conflict `results_live`: there is a live one that it would double.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, new: &ResultRecord) -> Result<(), Error> {
    scope.check(new.participant)?;
    tx.execute(
        "INSERT INTO results (id, participant_id, person, category, uniqueness, nonce, body_ciphertext, state, created) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            new.id, new.participant, new.person, new.category, new.uniqueness, new.nonce, new.body, new.state, new.created
        ],
    )
    .map(drop)
}

/// A result.
pub fn find(tx: &mut Tx<'_>, scope: &Scope, id: ResultId) -> Result<Option<ResultRecord>, Error> {
    tx.find(
        columns!("WHERE id = $1 AND (participant_id = $2 OR $2 IS NULL)"),
        params![id, scope.participant()],
        read,
    )
}

/// The live result that another one would double. Another issuer's is out of scope and not shown, though it conflicts.
pub fn find_live(
    tx: &mut Tx<'_>,
    scope: &Scope,
    person: &PersonIndex,
    category: &str,
    uniqueness: &Digest,
) -> Result<Option<ResultRecord>, Error> {
    tx.find(
        columns!(
            "WHERE person = $1 AND category = $2 AND uniqueness = $3 AND state = 'live' AND (participant_id = $4 OR $4 IS NULL)"
        ),
        params![person, *category, uniqueness, scope.participant()],
        read,
    )
}

/// The live results of the scope about a person in a category, newest first; `contact`: only those that were recorded with this address.
pub fn list_live(
    tx: &mut Tx<'_>,
    scope: &Scope,
    person: &PersonIndex,
    category: &str,
    contact: Option<&Digest>,
) -> Result<Vec<ResultRecord>, Error> {
    match contact {
        None => tx.list(
            columns!(
                "WHERE person = $1 AND category = $2 AND state = 'live' AND (participant_id = $3 OR $3 IS NULL) \
                 ORDER BY created DESC, id DESC"
            ),
            params![person, *category, scope.participant()],
            read,
        ),
        Some(contact) => tx.list(
            columns!(
                "WHERE person = $1 AND category = $2 AND state = 'live' AND (participant_id = $3 OR $3 IS NULL) \
                 AND id IN (SELECT result_id FROM contacts WHERE contact_hash = $4) ORDER BY created DESC, id DESC"
            ),
            params![person, *category, scope.participant(), contact],
            read,
        ),
    }
}

/// Results of the scope after a place in the order (created, id), oldest first.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: Option<(Timestamp, ResultId)>,
    limit: u32,
) -> Result<Vec<ResultRecord>, Error> {
    page::list(tx, scope, &page::statements!(columns), after, limit, read)
}

/// Moves a result from live to `after`; `false` when it is not live, or not in scope.
pub fn end(tx: &mut Tx<'_>, scope: &Scope, id: ResultId, after: State) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE results SET state = $1 WHERE id = $2 AND state = 'live' AND (participant_id = $3 OR $3 IS NULL)",
        params![after, id, scope.participant()],
    )?;
    Ok(rows == 1)
}

/// Removes the content of all results about a person.
pub fn erase(tx: &mut Tx<'_>, person: &PersonIndex) -> Result<u64, Error> {
    tx.execute(
        "UPDATE results SET body_ciphertext = NULL, nonce = NULL, state = 'erased' WHERE person = $1 AND state <> 'erased'",
        params![person],
    )
}
