//! Authorization requests (RFC 9126) on their way to a code: pushed by the wallet, shown to the person, granted once the person has said who they are.
//!
//! The request handle, the page's cookie and the code are kept as hashes; what the wallet sent is sealed under a key of the deployment.

use crate::{
    Error, Tx,
    persons::PersonIndex,
    value::{Row, names, params},
};
use vidimus_core::{
    Digest, Timestamp,
    id::{AuthorizationId, OfferId, ParticipantId},
};

names! {
    /// Where an authorization stands.
    pub enum State {
        /// The wallet pushed it.
        Pushed = "pushed",
        /// A browser has it, and no other can.
        Shown = "shown",
        /// A code is on its way to the person.
        Asked = "asked",
        /// The person has shown who they are, and the wallet has an authorization code.
        Granted = "granted",
        /// The code was redeemed.
        Redeemed = "redeemed",
        /// The person declined, or guessed too often.
        Refused = "refused",
    }
}

/// An authorization.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Its id.
    pub id: AuthorizationId,
    /// The issuer that is asked.
    pub participant: ParticipantId,
    /// The offer it began with.
    pub offer: Option<OfferId>,
    /// SHA-256 of the request handle.
    pub request_hash: Digest,
    /// What the wallet sent, sealed. Bind it with `binding("authorizations", id, "request")`.
    pub request: Vec<u8>,
    /// Who it turned out to be about.
    pub person: Option<PersonIndex>,
    /// The code that was sent to the person, under a key of the deployment.
    pub proof_code: Option<[u8; 32]>,
    /// The address that was named for it, as [`crate::contacts`] has it.
    pub contact: Option<Digest>,
    /// Wrong codes so far.
    pub tries: u32,
    /// Where it stands.
    pub state: State,
    /// When it was pushed.
    pub created: Timestamp,
    /// Until when its state holds.
    pub expires: Timestamp,
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorization")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

macro_rules! columns {
    () => {
        "id, participant_id, offer_id, request_hash, request_ciphertext, person, proof_code, contact_hash, tries, state, created, expires"
    };
}

fn read(mut row: Row) -> Result<Authorization, Error> {
    Ok(Authorization {
        id: row.take(0)?,
        participant: row.take(1)?,
        offer: row.take(2)?,
        request_hash: row.take(3)?,
        request: row.take(4)?,
        person: row.take(5)?,
        proof_code: row.take(6)?,
        contact: row.take(7)?,
        tries: row.take(8)?,
        state: row.take(9)?,
        created: row.take(10)?,
        expires: row.take(11)?,
    })
}

/// Records a pushed request.
pub fn insert(tx: &mut Tx<'_>, new: &Authorization) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO authorizations (id, participant_id, offer_id, request_hash, request_ciphertext, tries, state, created, expires) \
         VALUES ($1, $2, $3, $4, $5, 0, 'pushed', $6, $7)",
        params![new.id, new.participant, new.offer, new.request_hash, new.request, new.created, new.expires],
    )
    .map(drop)
}

/// Gives a pushed request to the browser that brought its handle, once: from here on only the page's cookie leads to it.
pub fn show(
    tx: &mut Tx<'_>,
    issuer: ParticipantId,
    request: &Digest,
    page: &Digest,
    now: Timestamp,
    expires: Timestamp,
) -> Result<Option<Authorization>, Error> {
    tx.find(
        concat!(
            "UPDATE authorizations SET state = 'shown', page_hash = $1, expires = $2 \
             WHERE request_hash = $3 AND participant_id = $4 AND state = 'pushed' AND expires > $5 RETURNING ",
            columns!()
        ),
        params![page, expires, request, issuer, now],
        read,
    )
}

/// The authorization that a page's cookie leads to, while it is under way.
pub fn find_by_page(
    tx: &mut Tx<'_>,
    issuer: ParticipantId,
    page: &Digest,
    now: Timestamp,
) -> Result<Option<Authorization>, Error> {
    tx.find(
        concat!(
            "SELECT ",
            columns!(),
            " FROM authorizations WHERE page_hash = $1 AND participant_id = $2 AND state IN ('shown', 'asked') AND expires > $3"
        ),
        params![page, issuer, now],
        read,
    )
}

/// One that is under way, for a browser that comes back from where its person was asked who they are.
pub fn find(tx: &mut Tx<'_>, id: AuthorizationId, now: Timestamp) -> Result<Option<Authorization>, Error> {
    tx.find(
        concat!(
            "SELECT ",
            columns!(),
            " FROM authorizations WHERE id = $1 AND state IN ('shown', 'asked') AND expires > $2"
        ),
        params![id, now],
        read,
    )
}

/// Notes what the person said of who they are, sealed, and the address among it: a code is on its way, or not. `false` where it is not under
/// way any more, or was asked before.
pub fn ask(tx: &mut Tx<'_>, id: AuthorizationId, said: &[u8], contact: &Digest) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE authorizations SET state = 'asked', proof_ciphertext = $1, contact_hash = $2 WHERE id = $3 AND state = 'shown'",
        params![*said, contact, id],
    )?;
    Ok(rows == 1)
}

/// Those for which nobody has looked yet who was meant, oldest first, each with what was said. Bind it with
/// `binding("authorizations", id, "proof")`.
pub fn unproved(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<Vec<(Authorization, Vec<u8>)>, Error> {
    let ids = tx.list(
        "SELECT id, proof_ciphertext FROM authorizations WHERE proof_ciphertext IS NOT NULL AND state = 'asked' AND expires > $1 \
         ORDER BY created LIMIT $2",
        params![now, limit],
        |mut row| Ok((row.take::<AuthorizationId>(0)?, row.take::<Vec<u8>>(1)?)),
    )?;
    let mut found = Vec::with_capacity(ids.len());
    for (id, said) in ids {
        let row = tx.find(
            concat!("SELECT ", columns!(), " FROM authorizations WHERE id = $1"),
            params![id],
            read,
        )?;
        found.extend(row.map(|row| (row, said)));
    }
    Ok(found)
}

/// Notes whom it is about and the code that they are sent; neither where nobody is meant. Once: `false` where another did it.
pub fn look_up(
    tx: &mut Tx<'_>,
    id: AuthorizationId,
    person: Option<&PersonIndex>,
    code: Option<&[u8; 32]>,
) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE authorizations SET person = $1, proof_code = $2, proof_ciphertext = NULL \
         WHERE id = $3 AND state = 'asked' AND proof_ciphertext IS NOT NULL",
        params![person, code, id],
    )?;
    Ok(rows == 1)
}

/// Counts a wrong code, and ends the authorization at the last one that is allowed. Gives the count.
pub fn miss(tx: &mut Tx<'_>, id: AuthorizationId, allowed: u32) -> Result<Option<u32>, Error> {
    tx.find(
        "UPDATE authorizations SET tries = tries + 1, state = CASE WHEN tries + 1 >= $1 THEN 'refused' ELSE state END \
         WHERE id = $2 AND state IN ('shown', 'asked') RETURNING tries",
        params![allowed, id],
        |mut row| row.take(0),
    )
}

/// Grants it for its offer: the wallet may redeem the code with this hash, once, until `expires`.
pub fn grant(tx: &mut Tx<'_>, id: AuthorizationId, code: &Digest, expires: Timestamp) -> Result<bool, Error> {
    grant_as(tx, id, None, None, code, expires)
}

/// Grants it to a person: what is theirs, and, where they proved to be reached at `contact`, what was recorded with it.
pub fn grant_to(
    tx: &mut Tx<'_>,
    id: AuthorizationId,
    person: &PersonIndex,
    contact: Option<&Digest>,
    code: &Digest,
    expires: Timestamp,
) -> Result<bool, Error> {
    grant_as(tx, id, Some(person), contact, code, expires)
}

fn grant_as(
    tx: &mut Tx<'_>,
    id: AuthorizationId,
    person: Option<&PersonIndex>,
    contact: Option<&Digest>,
    code: &Digest,
    expires: Timestamp,
) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE authorizations SET state = 'granted', person = $1, contact_hash = $2, code_hash = $3, proof_code = NULL, \
         proof_ciphertext = NULL, expires = $4 WHERE id = $5 AND state IN ('shown', 'asked')",
        params![person, contact, code, expires, id],
    )?;
    Ok(rows == 1)
}

/// Ends it: the person declined.
pub fn refuse(tx: &mut Tx<'_>, id: AuthorizationId) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE authorizations SET state = 'refused', proof_code = NULL, proof_ciphertext = NULL WHERE id = $1 AND state IN ('shown', 'asked')",
        params![id],
    )?;
    Ok(rows == 1)
}

/// By its code, in whatever state: a code that comes twice is a sign of theft (RFC 6749 §4.1.2).
pub fn find_by_code(tx: &mut Tx<'_>, issuer: ParticipantId, code: &Digest) -> Result<Option<Authorization>, Error> {
    tx.find(
        concat!(
            "SELECT ",
            columns!(),
            " FROM authorizations WHERE code_hash = $1 AND participant_id = $2"
        ),
        params![code, issuer],
        read,
    )
}

/// Redeems a code: once, before it expires.
pub fn redeem(tx: &mut Tx<'_>, id: AuthorizationId, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE authorizations SET state = 'redeemed' WHERE id = $1 AND state = 'granted' AND expires > $2",
        params![id, now],
    )?;
    Ok(rows == 1)
}

/// Removes authorizations that are over.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    // Redeemed ones stay a while longer, so that a code that comes again is recognised.
    tx.execute(
        "DELETE FROM authorizations WHERE expires <= $1",
        params![now.plus(-600)],
    )
}
