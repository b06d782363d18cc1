//! Requests for a presentation by OpenID4VP, and what came of them. What is asked and what was answered is sealed under a key of the
//! deployment, the answer only until its verifier had the time to read it.

use crate::{
    Error, Scope, Tx, page,
    value::{Row, names, params},
};
use vidimus_core::{
    Digest, Timestamp,
    id::{ParticipantId, PresentationId},
};

names! {
    /// Where a request stands.
    pub enum State {
        /// No wallet has fetched it.
        Made = "made",
        /// A wallet has it.
        Fetched = "fetched",
        /// An answer is being checked: no other is taken. Versions that judge an answer before they take it do not set it.
        Answering = "answering",
        /// It was answered; the answer holds the verdict.
        Answered = "answered",
        /// The holder declined, or the wallet said why it cannot answer.
        Declined = "declined",
        /// As many answers were none to this request as are looked at.
        Failed = "failed",
        /// Its verifier took it back.
        Withdrawn = "withdrawn",
    }
}

/// A request.
#[derive(Clone, PartialEq, Eq)]
pub struct Presentation {
    /// Its id.
    pub id: PresentationId,
    /// The verifier.
    pub participant: ParticipantId,
    /// What for.
    pub purpose: String,
    /// What is asked, sealed. Bind it with `binding("presentations", id, "request")`; gone once it is over.
    pub request: Option<Vec<u8>>,
    /// SHA-256 of the browser session's secret, for the same device.
    pub session_hash: Option<Digest>,
    /// SHA-256 of the response code that the wallet was sent back with.
    pub response_code_hash: Option<Digest>,
    /// What came of it, or of the last wrong answer to it, sealed. Bind it with `binding("presentations", id, "answer")`.
    pub answer: Option<Vec<u8>>,
    /// Where it stands.
    pub state: State,
    /// How often a wallet was given it.
    pub fetches: u32,
    /// How many answers were none to it.
    pub wrong_answers: u32,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it may be answered.
    pub expires: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

impl std::fmt::Debug for Presentation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presentation")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, participant_id, purpose, request_ciphertext, session_hash, response_code_hash, answer_ciphertext, state, fetches, ",
            "wrong_answers, created, expires, updated FROM presentations ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<Presentation, Error> {
    Ok(Presentation {
        id: row.take(0)?,
        participant: row.take(1)?,
        purpose: row.take(2)?,
        request: row.take(3)?,
        session_hash: row.take(4)?,
        response_code_hash: row.take(5)?,
        answer: row.take(6)?,
        state: row.take(7)?,
        fetches: row.take(8)?,
        wrong_answers: row.take(9)?,
        created: row.take(10)?,
        expires: row.take(11)?,
        updated: row.take(12)?,
    })
}

/// Records a request.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, new: &Presentation) -> Result<(), Error> {
    scope.check(new.participant)?;
    tx.execute(
        "INSERT INTO presentations (id, participant_id, purpose, request_ciphertext, session_hash, state, created, expires, updated) \
         VALUES ($1, $2, $3, $4, $5, 'made', $6, $7, $6)",
        params![
            new.id, new.participant, new.purpose, new.request, new.session_hash, new.created, new.expires
        ],
    )
    .map(drop)
}

/// A request of the scope.
pub fn find(tx: &mut Tx<'_>, scope: &Scope, id: PresentationId) -> Result<Option<Presentation>, Error> {
    tx.find(
        columns!("WHERE id = $1 AND (participant_id = $2 OR $2 IS NULL)"),
        params![id, scope.participant()],
        read,
    )
}

/// Requests of the scope after a place in the order (created, id), oldest first.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: Option<(Timestamp, PresentationId)>,
    limit: u32,
) -> Result<Vec<Presentation>, Error> {
    page::list(tx, scope, &page::statements!(columns), after, limit, read)
}

/// A request that may still be answered; for whoever has its address.
pub fn open(tx: &mut Tx<'_>, id: PresentationId, now: Timestamp) -> Result<Option<Presentation>, Error> {
    tx.find(
        columns!("WHERE id = $1 AND state IN ('made', 'fetched') AND expires > $2"),
        params![id, now],
        read,
    )
}

/// Notes that a wallet is given the request: `false` where it may not be answered any more, or was given out `most` times.
pub fn fetch(tx: &mut Tx<'_>, id: PresentationId, most: u32, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE presentations SET state = 'fetched', fetches = fetches + 1, updated = $1 \
         WHERE id = $2 AND state IN ('made', 'fetched') AND fetches < $3 AND expires > $1",
        params![now, id, most],
    )?;
    Ok(rows == 1)
}

/// A request that a wallet has fetched and may answer now; for whoever has its address.
pub fn answerable(tx: &mut Tx<'_>, id: PresentationId, now: Timestamp) -> Result<Option<Presentation>, Error> {
    tx.find(
        columns!("WHERE id = $1 AND state = 'fetched' AND expires > $2"),
        params![id, now],
        read,
    )
}

/// Notes an answer that was none to the request, and what was wrong with it. The request can still be answered, until `most` were wrong: then
/// it has failed. Gives where it stands; none where it takes no answer any more.
pub fn refuse(
    tx: &mut Tx<'_>,
    id: PresentationId,
    answer: &[u8],
    most: u32,
    now: Timestamp,
) -> Result<Option<State>, Error> {
    tx.find(
        "UPDATE presentations SET wrong_answers = wrong_answers + 1, answer_ciphertext = $1, updated = $2, \
         state = CASE WHEN wrong_answers + 1 >= $3 THEN 'failed' ELSE state END, \
         request_ciphertext = CASE WHEN wrong_answers + 1 >= $3 THEN NULL ELSE request_ciphertext END \
         WHERE id = $4 AND state = 'fetched' AND expires > $2 RETURNING state",
        params![*answer, now, most, id],
        |mut row| row.take(0),
    )
}

/// Takes the one answer that a request has, and notes what came of it: `true` for the first, before the request expires. What was asked is not
/// needed any more.
pub fn settle(
    tx: &mut Tx<'_>,
    id: PresentationId,
    state: State,
    answer: &[u8],
    response_code: Option<&Digest>,
    now: Timestamp,
) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE presentations SET state = $1, answer_ciphertext = $2, response_code_hash = $3, request_ciphertext = NULL, updated = $4 \
         WHERE id = $5 AND state = 'fetched' AND expires > $4",
        params![state, *answer, response_code, now, id],
    )?;
    Ok(rows == 1)
}

/// Takes a request back.
pub fn withdraw(tx: &mut Tx<'_>, scope: &Scope, id: PresentationId, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE presentations SET state = 'withdrawn', request_ciphertext = NULL, updated = $1 \
         WHERE id = $2 AND state IN ('made', 'fetched') AND (participant_id = $3 OR $3 IS NULL)",
        params![now, id, scope.participant()],
    )?;
    Ok(rows == 1)
}

/// Whether [`lapse`] would find any.
pub fn has_lapsed(tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, Error> {
    let found: Option<PresentationId> = tx.find(
        "SELECT id FROM presentations WHERE request_ciphertext IS NOT NULL AND expires <= $1 \
         AND (state IN ('made', 'fetched') OR (state = 'answering' AND updated <= $2)) LIMIT 1",
        params![now, now.plus(-ANSWERING)],
        |mut row| row.take(0),
    )?;
    Ok(found.is_some())
}

/// Ends requests that were not answered in time, and gives each once, with its verifier. What was asked is not needed any more.
pub fn lapse(tx: &mut Tx<'_>, now: Timestamp) -> Result<Vec<(PresentationId, ParticipantId)>, Error> {
    // An answer that was begun before the end is still checked; one that nobody finished was given up.
    tx.list(
        "UPDATE presentations SET request_ciphertext = NULL WHERE request_ciphertext IS NOT NULL AND expires <= $1 \
         AND (state IN ('made', 'fetched') OR (state = 'answering' AND updated <= $2)) RETURNING id, participant_id",
        params![now, now.plus(-ANSWERING)],
        |mut row| Ok((row.take(0)?, row.take(1)?)),
    )
}

/// Seconds in which an answer that was taken is surely checked, or never.
const ANSWERING: i64 = 120;

/// Removes requests that are long over: answers are kept for `seconds` after the end.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp, seconds: i64) -> Result<u64, Error> {
    tx.execute(
        "DELETE FROM presentations WHERE expires <= $1",
        params![now.plus(-seconds)],
    )
}
