//! Checks that verifiers asked the server for: verdict and reasons, nothing about the person or the certificate.

use crate::{
    Error, Scope, Tx,
    value::{Row, params},
};
use vidimus_core::{
    Timestamp,
    id::{CheckId, ParticipantId},
};

/// A check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its id.
    pub id: CheckId,
    /// Who asked.
    pub participant: ParticipantId,
    /// Name of the certificate's category, when it could be read.
    pub category: Option<String>,
    /// `valid`, `invalid` or `undetermined`.
    pub verdict: String,
    /// Codes of the reasons that did not pass, separated by spaces.
    pub reasons: String,
    /// When.
    pub time: Timestamp,
}

/// Records a check.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, check: &Check) -> Result<(), Error> {
    scope.check(check.participant)?;
    tx.execute(
        "INSERT INTO checks (id, participant_id, category, verdict, reasons, time) VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            check.id,
            check.participant,
            check.category,
            check.verdict,
            check.reasons,
            check.time
        ],
    )
    .map(drop)
}

fn read(mut row: Row) -> Result<Check, Error> {
    Ok(Check {
        id: row.take(0)?,
        participant: row.take(1)?,
        category: row.take(2)?,
        verdict: row.take(3)?,
        reasons: row.take(4)?,
        time: row.take(5)?,
    })
}

/// A check.
pub fn find(tx: &mut Tx<'_>, scope: &Scope, id: CheckId) -> Result<Option<Check>, Error> {
    tx.find(
        "SELECT id, participant_id, category, verdict, reasons, time FROM checks \
         WHERE id = $1 AND (participant_id = $2 OR $2 IS NULL)",
        params![id, scope.participant()],
        read,
    )
}

/// The scope's newest checks.
pub fn list(tx: &mut Tx<'_>, scope: &Scope, limit: u32) -> Result<Vec<Check>, Error> {
    tx.list(
        "SELECT id, participant_id, category, verdict, reasons, time FROM checks \
         WHERE (participant_id = $1 OR $1 IS NULL) ORDER BY time DESC, id LIMIT $2",
        params![scope.participant(), limit],
        read,
    )
}

/// How the scope's checks ended since a time: verdict and count.
pub fn tally(tx: &mut Tx<'_>, scope: &Scope, since: Timestamp) -> Result<Vec<(String, u64)>, Error> {
    tx.list(
        "SELECT verdict, COUNT(*) FROM checks WHERE (participant_id = $1 OR $1 IS NULL) AND time >= $2 \
         GROUP BY verdict ORDER BY verdict",
        params![scope.participant(), since],
        |mut row| Ok((row.take(0)?, row.take(1)?)),
    )
}

/// Removes checks from before a time.
pub fn sweep(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, Error> {
    tx.execute("DELETE FROM checks WHERE time < $1", params![before])
}
