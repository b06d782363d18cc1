//! Credential requests of wallets: what was asked for, what was made, and what the wallet said of it (OpenID4VCI §8, §9, §11).

use crate::{
    Error, Scope, Tx,
    value::{Row, names, params},
};
use vidimus_core::{
    Digest, Timestamp,
    id::{ClaimId, GrantId, OfferId, ParticipantId, ResultId},
};

names! {
    /// Where a request stands.
    pub enum State {
        /// The result, or its issuer's signature, is still to come.
        Pending = "pending",
        /// The copies are there, and wait to be fetched.
        Made = "made",
        /// The wallet was given them.
        Delivered = "delivered",
        /// There will be none.
        Denied = "denied",
    }
    /// What a wallet said of what it was given (OpenID4VCI §11.1).
    pub enum Notified {
        /// It keeps them.
        Accepted = "credential_accepted",
        /// It could not keep them.
        Failure = "credential_failure",
        /// The person did not want them.
        Deleted = "credential_deleted",
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its id.
    pub id: ClaimId,
    /// The issuer.
    pub participant: ParticipantId,
    /// What permits it.
    pub grant: GrantId,
    /// Id of the credential configuration.
    pub configuration: String,
    /// The keys that copies are bound to, as JSON.
    pub holder_keys: String,
    /// Ids of the copies, separated by spaces, once they are there.
    pub copies: Option<String>,
    /// SHA-256 of the transaction id, where it was deferred.
    pub transaction_hash: Option<Digest>,
    /// SHA-256 of the notification id.
    pub notification_hash: Option<Digest>,
    /// What the wallet said.
    pub notified: Option<Notified>,
    /// Where it stands.
    pub state: State,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it is answered.
    pub expires: Timestamp,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, participant_id, grant_id, configuration, holder_keys, copies, transaction_hash, notification_hash, notified, ",
            "state, created, expires FROM claims ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<Claim, Error> {
    Ok(Claim {
        id: row.take(0)?,
        participant: row.take(1)?,
        grant: row.take(2)?,
        configuration: row.take(3)?,
        holder_keys: row.take(4)?,
        copies: row.take(5)?,
        transaction_hash: row.take(6)?,
        notification_hash: row.take(7)?,
        notified: row.take(8)?,
        state: row.take(9)?,
        created: row.take(10)?,
        expires: row.take(11)?,
    })
}

/// Records a request.
pub fn insert(tx: &mut Tx<'_>, new: &Claim) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO claims (id, participant_id, grant_id, configuration, holder_keys, copies, transaction_hash, notification_hash, state, \
         created, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            new.id, new.participant, new.grant, new.configuration, new.holder_keys, new.copies, new.transaction_hash,
            new.notification_hash, new.state, new.created, new.expires
        ],
    )
    .map(drop)
}

/// By the transaction id of a deferred one, with its issuer.
pub fn find_by_transaction(tx: &mut Tx<'_>, issuer: ParticipantId, hash: &Digest) -> Result<Option<Claim>, Error> {
    tx.find(
        columns!("WHERE transaction_hash = $1 AND participant_id = $2"),
        params![hash, issuer],
        read,
    )
}

/// Notes the copies that were made for it.
pub fn make(tx: &mut Tx<'_>, id: ClaimId, copies: &str, notification: &Digest) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE claims SET copies = $1, notification_hash = $2, state = 'made' WHERE id = $3 AND state = 'pending'",
        params![*copies, notification, id],
    )?;
    Ok(rows == 1)
}

/// Notes that the wallet was given them.
pub fn deliver(tx: &mut Tx<'_>, id: ClaimId) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE claims SET state = 'delivered' WHERE id = $1 AND state IN ('made', 'delivered')",
        params![id],
    )?;
    Ok(rows == 1)
}

/// Requests that wait for the result of an offer, each with its grant.
pub fn waiting_for(tx: &mut Tx<'_>, offer: OfferId) -> Result<Vec<(ClaimId, GrantId)>, Error> {
    tx.list(
        "SELECT c.id, c.grant_id FROM claims c JOIN wallet_grants g ON g.id = c.grant_id \
         WHERE g.offer_id = $1 AND c.state = 'pending' ORDER BY c.created, c.id LIMIT 1000",
        params![offer],
        |mut row| Ok((row.take(0)?, row.take(1)?)),
    )
}

/// Notes that there will be none.
pub fn deny(tx: &mut Tx<'_>, id: ClaimId) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE claims SET state = 'denied' WHERE id = $1 AND state = 'pending'",
        params![id],
    )?;
    Ok(rows == 1)
}

/// Notes what the wallet says of what it was given; a later word takes the place of an earlier one. Gives the claim; none where the id is no
/// notification id of this grant.
pub fn notify(
    tx: &mut Tx<'_>,
    grant: GrantId,
    notification: &Digest,
    said: Notified,
) -> Result<Option<ClaimId>, Error> {
    tx.find(
        "UPDATE claims SET notified = $1 WHERE notification_hash = $2 AND grant_id = $3 RETURNING id",
        params![said, notification, grant],
        |mut row| row.take(0),
    )
}

/// What wallets said of the copies of a result: each claim's state and word, oldest first.
pub fn of_result(
    tx: &mut Tx<'_>,
    scope: &Scope,
    result: ResultId,
    limit: u32,
) -> Result<Vec<(State, Option<Notified>, Timestamp)>, Error> {
    tx.list(
        "SELECT c.state, c.notified, c.created FROM claims c JOIN wallet_grants g ON g.id = c.grant_id \
         JOIN offers o ON o.id = g.offer_id WHERE o.result_id = $1 AND (c.participant_id = $2 OR $2 IS NULL) \
         ORDER BY c.created, c.id LIMIT $3",
        params![result, scope.participant(), limit],
        |mut row| Ok((row.take(0)?, row.take(1)?, row.take(2)?)),
    )
}

/// Removes requests that are over.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    tx.execute(
        "DELETE FROM waiting_copies WHERE claim_id IN (SELECT id FROM claims WHERE expires <= $1)",
        params![now],
    )?;
    tx.execute("DELETE FROM claims WHERE expires <= $1", params![now])
}
