//! Certificates: the records that copies render.

use crate::{
    Error, Scope, Tx, page,
    persons::PersonIndex,
    value::{Row, names, params},
};
use vidimus_core::{
    Digest, Timestamp,
    id::{CertificateId, ParticipantId, ResultId},
};

names! {
    /// Where a certificate stands.
    pub enum State {
        /// Good, within its time.
        Valid = "valid",
        /// Not for now.
        Suspended = "suspended",
        /// Not any more.
        Revoked = "revoked",
        /// Another took its place.
        Replaced = "replaced",
    }
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its id; never leaves the deployment (copies have their own).
    pub id: CertificateId,
    /// The issuer.
    pub participant: ParticipantId,
    /// Of which result.
    pub result: ResultId,
    /// About whom.
    pub person: PersonIndex,
    /// Name of its category.
    pub category: String,
    /// As in the result: at most one valid or suspended certificate for each.
    pub uniqueness: Digest,
    /// Where it stands.
    pub state: State,
    /// Why it does not stand at valid: a code, never text about a person.
    pub reason: Option<String>,
    /// The certificate that took its place.
    pub replaced_by: Option<CertificateId>,
    /// From when it is valid.
    pub valid_from: Timestamp,
    /// Until when.
    pub valid_until: Timestamp,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, participant_id, result_id, person, category, uniqueness, state, reason, replaced_by, valid_from, ",
            "valid_until, created, updated FROM certificates ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<Certificate, Error> {
    Ok(Certificate {
        id: row.take(0)?,
        participant: row.take(1)?,
        result: row.take(2)?,
        person: row.take(3)?,
        category: row.take(4)?,
        uniqueness: row.take(5)?,
        state: row.take(6)?,
        reason: row.take(7)?,
        replaced_by: row.take(8)?,
        valid_from: row.take(9)?,
        valid_until: row.take(10)?,
        created: row.take(11)?,
        updated: row.take(12)?,
    })
}

/// Records a certificate. Conflict `certificates_live`: there is a live one that it would double.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, new: &Certificate) -> Result<(), Error> {
    scope.check(new.participant)?;
    tx.execute(
        "INSERT INTO certificates (id, participant_id, result_id, person, category, uniqueness, state, reason, replaced_by, \
         valid_from, valid_until, created, updated) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        params![
            new.id, new.participant, new.result, new.person, new.category, new.uniqueness, new.state, new.reason,
            new.replaced_by, new.valid_from, new.valid_until, new.created, new.updated
        ],
    )
    .map(drop)
}

/// A certificate.
pub fn find(tx: &mut Tx<'_>, scope: &Scope, id: CertificateId) -> Result<Option<Certificate>, Error> {
    tx.find(
        columns!("WHERE id = $1 AND (participant_id = $2 OR $2 IS NULL)"),
        params![id, scope.participant()],
        read,
    )
}

/// The live certificate of a result.
pub fn find_by_result(tx: &mut Tx<'_>, scope: &Scope, result: ResultId) -> Result<Option<Certificate>, Error> {
    tx.find(
        columns!("WHERE result_id = $1 AND state IN ('valid', 'suspended') AND (participant_id = $2 OR $2 IS NULL)"),
        params![result, scope.participant()],
        read,
    )
}

/// Certificates of the scope after a place in the order (created, id), oldest first.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: Option<(Timestamp, CertificateId)>,
    limit: u32,
) -> Result<Vec<Certificate>, Error> {
    page::list(tx, scope, &page::statements!(columns), after, limit, read)
}

/// Moves a certificate from `before` to `after` for a reason (a code); `false` when it does not stand at `before`, or is not in scope.
/// The statuses of its copies change in the same transaction: [`crate::status::set_of_certificate`].
pub fn set_state(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: CertificateId,
    before: State,
    after: State,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE certificates SET state = $1, reason = $2, updated = $3 \
         WHERE id = $4 AND state = $5 AND (participant_id = $6 OR $6 IS NULL)",
        params![after, reason, now, id, before, scope.participant()],
    )?;
    Ok(rows == 1)
}

/// Marks a live certificate as replaced by another.
pub fn replace(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: CertificateId,
    by: CertificateId,
    now: Timestamp,
) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE certificates SET state = 'replaced', replaced_by = $1, updated = $2 \
         WHERE id = $3 AND state IN ('valid', 'suspended') AND (participant_id = $4 OR $4 IS NULL)",
        params![by, now, id, scope.participant()],
    )?;
    Ok(rows == 1)
}
