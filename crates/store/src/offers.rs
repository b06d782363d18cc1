//! Offers: what an issuer lets a wallet claim (OpenID4VCI §4), of a result that is there or still to come.
//!
//! Reference, pre-authorized code and issuer state are bearer values kept as hashes, the transaction code under a key of the deployment: who
//! reads this table can claim nothing with it.

use crate::{
    Error, Scope, Tx, page,
    value::{Row, names, params},
};
use vidimus_core::{
    Digest, Timestamp,
    id::{OfferId, ParticipantId, ResultId},
};

names! {
    /// Where an offer stands.
    pub enum State {
        /// May be claimed.
        Open = "open",
        /// Was claimed.
        Claimed = "claimed",
        /// Too many wrong transaction codes.
        Locked = "locked",
        /// Its issuer took it back.
        Withdrawn = "withdrawn",
    }
}

/// An offer.
#[derive(Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// Who offers.
    pub participant: ParticipantId,
    /// What is offered; none while the result is pending.
    pub result: Option<ResultId>,
    /// The category's name.
    pub category: String,
    /// Ids of the credential configurations, separated by spaces.
    pub configurations: String,
    /// SHA-256 of the token in the offer's address.
    pub reference_hash: Digest,
    /// SHA-256 of the pre-authorized code, where it has that grant.
    pub code_hash: Option<Digest>,
    /// SHA-256 of the issuer state, where it has the grant of an authorization code.
    pub state_hash: Option<Digest>,
    /// The transaction code, under a key of the deployment.
    pub tx_code: Option<[u8; 32]>,
    /// How many digits it has.
    pub tx_code_length: Option<u32>,
    /// Wrong transaction codes so far.
    pub tries: u32,
    /// Where it stands.
    pub state: State,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it may be claimed.
    pub expires: Timestamp,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offer")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, participant_id, result_id, category, configurations, reference_hash, code_hash, state_hash, tx_code, ",
            "tx_code_length, tries, state, created, expires FROM offers ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<Offer, Error> {
    Ok(Offer {
        id: row.take(0)?,
        participant: row.take(1)?,
        result: row.take(2)?,
        category: row.take(3)?,
        configurations: row.take(4)?,
        reference_hash: row.take(5)?,
        code_hash: row.take(6)?,
        state_hash: row.take(7)?,
        tx_code: row.take(8)?,
        tx_code_length: row.take(9)?,
        tries: row.take(10)?,
        state: row.take(11)?,
        created: row.take(12)?,
        expires: row.take(13)?,
    })
}

/// Records an offer.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, new: &Offer) -> Result<(), Error> {
    scope.check(new.participant)?;
    tx.execute(
        "INSERT INTO offers (id, participant_id, result_id, category, configurations, reference_hash, code_hash, state_hash, tx_code, \
         tx_code_length, tries, state, created, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 'open', $11, $12)",
        params![
            new.id, new.participant, new.result, new.category, new.configurations, new.reference_hash, new.code_hash,
            new.state_hash, new.tx_code, new.tx_code_length, new.created, new.expires
        ],
    )
    .map(drop)
}

/// An offer.
pub fn find(tx: &mut Tx<'_>, scope: &Scope, id: OfferId) -> Result<Option<Offer>, Error> {
    tx.find(
        columns!("WHERE id = $1 AND (participant_id = $2 OR $2 IS NULL)"),
        params![id, scope.participant()],
        read,
    )
}

/// By the token in its address, whoever's: it was given to whom it is for.
pub fn find_by_reference(tx: &mut Tx<'_>, hash: &Digest) -> Result<Option<Offer>, Error> {
    tx.find(columns!("WHERE reference_hash = $1"), params![hash], read)
}

/// By its pre-authorized code.
pub fn find_by_code(tx: &mut Tx<'_>, hash: &Digest) -> Result<Option<Offer>, Error> {
    tx.find(columns!("WHERE code_hash = $1"), params![hash], read)
}

/// By its issuer state.
pub fn find_by_state(tx: &mut Tx<'_>, hash: &Digest) -> Result<Option<Offer>, Error> {
    tx.find(columns!("WHERE state_hash = $1"), params![hash], read)
}

/// Offers of the scope after a place in the order (created, id), oldest first.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &Scope,
    after: Option<(Timestamp, OfferId)>,
    limit: u32,
) -> Result<Vec<Offer>, Error> {
    page::list(tx, scope, &page::statements!(columns), after, limit, read)
}

/// Counts a wrong transaction code, and locks the offer at the last one that is allowed. Gives the count; none where it was not open.
pub fn miss(tx: &mut Tx<'_>, id: OfferId, allowed: u32) -> Result<Option<u32>, Error> {
    tx.find(
        "UPDATE offers SET tries = tries + 1, state = CASE WHEN tries + 1 >= $1 THEN 'locked' ELSE state END \
         WHERE id = $2 AND state = 'open' RETURNING tries",
        params![allowed, id],
        |mut row| row.take(0),
    )
}

/// Uses an open offer up: once, before it expires.
pub fn claim(tx: &mut Tx<'_>, id: OfferId, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE offers SET state = 'claimed' WHERE id = $1 AND state = 'open' AND expires > $2",
        params![id, now],
    )?;
    Ok(rows == 1)
}

/// Takes an offer back before it is claimed.
pub fn withdraw(tx: &mut Tx<'_>, scope: &Scope, id: OfferId) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE offers SET state = 'withdrawn' WHERE id = $1 AND state IN ('open', 'locked') \
         AND (participant_id = $2 OR $2 IS NULL)",
        params![id, scope.participant()],
    )?;
    Ok(rows == 1)
}

/// Gives a pending offer its result, once, and within the scope and category.
pub fn settle(tx: &mut Tx<'_>, scope: &Scope, id: OfferId, result: ResultId, category: &str) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE offers SET result_id = $1 WHERE id = $2 AND result_id IS NULL AND category = $3 \
         AND state <> 'withdrawn' AND (participant_id = $4 OR $4 IS NULL)",
        params![result, id, *category, scope.participant()],
    )?;
    Ok(rows == 1)
}

/// Removes offers that nobody can claim any more and that nothing refers to.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<u64, Error> {
    tx.execute(
        "DELETE FROM offers WHERE id IN (SELECT o.id FROM offers o WHERE o.expires <= $1 \
         AND NOT EXISTS (SELECT 1 FROM wallet_grants g WHERE g.offer_id = o.id) \
         AND NOT EXISTS (SELECT 1 FROM authorizations a WHERE a.offer_id = o.id) LIMIT $2)",
        params![now, limit],
    )
}
