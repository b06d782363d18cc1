//! What a wallet was permitted to claim, and the tokens that say so. Tokens are 256 random bits, kept as hashes.

use crate::{
    Error, Tx,
    persons::PersonIndex,
    value::{Row, names, params},
};
use vidimus_core::{
    Digest, Timestamp,
    id::{GrantId, OfferId, ParticipantId, ResultId},
};

names! {
    /// Where a grant stands.
    pub enum State {
        /// Its tokens count.
        Live = "live",
        /// They do not: a token or code was used twice, or the offer's issuer ended it.
        Ended = "ended",
    }
    /// What a token is for.
    pub enum Kind {
        /// Claiming credentials (RFC 6750, RFC 9449).
        Access = "access",
        /// Other access tokens (RFC 6749 §6), for as long as it holds.
        Refresh = "refresh",
    }
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The issuer.
    pub participant: ParticipantId,
    /// The offer it came from.
    pub offer: Option<OfferId>,
    /// The person who said who they are, where there was no offer.
    pub person: Option<PersonIndex>,
    /// The address that they proved it by, as [`crate::contacts`] has it: what was recorded with another is not theirs to claim.
    pub contact: Option<Digest>,
    /// Ids of the credential configurations, separated by spaces.
    pub configurations: String,
    /// The wallet's client id.
    pub client: Option<String>,
    /// Thumbprint of the key that its attestation names.
    pub client_key: Option<Digest>,
    /// Thumbprint of the DPoP key that the tokens are bound to.
    pub dpop_key: Option<Digest>,
    /// Copies that were made under it.
    pub claimed: u32,
    /// Where it stands.
    pub state: State,
    /// When it was made.
    pub created: Timestamp,
    /// When the last token of it can expire.
    pub expires: Timestamp,
}

/// A token with its grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is for.
    pub kind: Kind,
    /// Until when.
    pub expires: Timestamp,
    /// When a refresh token was used.
    pub used: Option<Timestamp>,
    /// What it permits.
    pub grant: Grant,
}

/// Records a grant.
pub fn insert(tx: &mut Tx<'_>, new: &Grant) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO wallet_grants (id, participant_id, offer_id, person, contact_hash, configurations, client, client_key, dpop_key, claimed, \
         state, created, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 'live', $10, $11)",
        params![
            new.id, new.participant, new.offer, new.person, new.contact, new.configurations, new.client, new.client_key,
            new.dpop_key, new.created, new.expires
        ],
    )
    .map(drop)
}

/// Records a token of a grant.
pub fn insert_token(
    tx: &mut Tx<'_>,
    hash: &Digest,
    grant: GrantId,
    kind: Kind,
    created: Timestamp,
    expires: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO tokens (token_hash, grant_id, kind, created, expires) VALUES ($1, $2, $3, $4, $5)",
        params![hash, grant, kind, created, expires],
    )
    .map(drop)
}

/// A token of this issuer, with its grant, whatever its state.
pub fn find_token(tx: &mut Tx<'_>, issuer: ParticipantId, hash: &Digest) -> Result<Option<Token>, Error> {
    tx.find(
        "SELECT t.kind, t.expires, t.used, g.id, g.participant_id, g.offer_id, g.person, g.contact_hash, g.configurations, g.client, g.client_key, \
         g.dpop_key, g.claimed, g.state, g.created, g.expires FROM tokens t JOIN wallet_grants g ON g.id = t.grant_id \
         WHERE t.token_hash = $1 AND g.participant_id = $2",
        params![hash, issuer],
        |mut row: Row| {
            Ok(Token {
                kind: row.take(0)?,
                expires: row.take(1)?,
                used: row.take(2)?,
                grant: Grant {
                    id: row.take(3)?,
                    participant: row.take(4)?,
                    offer: row.take(5)?,
                    person: row.take(6)?,
                    contact: row.take(7)?,
                    configurations: row.take(8)?,
                    client: row.take(9)?,
                    client_key: row.take(10)?,
                    dpop_key: row.take(11)?,
                    claimed: row.take(12)?,
                    state: row.take(13)?,
                    created: row.take(14)?,
                    expires: row.take(15)?,
                },
            })
        },
    )
}

/// Lets a refresh token that is used hold until `until`: it is bound to a key, so it goes on as it is (FAPI 2.0 §5.3.2.1). `false` where it has
/// expired, or was exchanged for another.
pub fn use_refresh(tx: &mut Tx<'_>, hash: &Digest, now: Timestamp, until: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE tokens SET expires = $1 WHERE token_hash = $2 AND kind = 'refresh' AND used IS NULL AND expires > $3 \
         AND EXISTS (SELECT 1 FROM wallet_grants g WHERE g.id = tokens.grant_id AND g.state = 'live')",
        params![until, hash, now],
    )?;
    Ok(rows == 1)
}

/// Lets a grant last longer: its tokens were renewed.
pub fn prolong(tx: &mut Tx<'_>, id: GrantId, expires: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE wallet_grants SET expires = $1 WHERE id = $2 AND expires < $1",
        params![expires, id],
    )
    .map(drop)
}

/// Counts copies made under a grant, if it is live and they stay within `most`.
pub fn count(tx: &mut Tx<'_>, id: GrantId, copies: u32, most: u32) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE wallet_grants SET claimed = claimed + $1 WHERE id = $2 AND state = 'live' AND claimed + $1 <= $3",
        params![copies, id, most],
    )?;
    Ok(rows == 1)
}

/// Ends a grant and all its tokens.
pub fn end(tx: &mut Tx<'_>, id: GrantId) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE wallet_grants SET state = 'ended' WHERE id = $1 AND state = 'live'",
        params![id],
    )?;
    Ok(rows == 1)
}

/// Ends every grant that came from an offer.
pub fn end_of_offer(tx: &mut Tx<'_>, offer: OfferId) -> Result<u64, Error> {
    tx.execute(
        "UPDATE wallet_grants SET state = 'ended' WHERE offer_id = $1 AND state = 'live'",
        params![offer],
    )
}

/// Ends every grant of an issuer that leads to a result or, where its person is known, to that person.
pub fn end_of_result(
    tx: &mut Tx<'_>,
    issuer: ParticipantId,
    result: ResultId,
    person: &PersonIndex,
) -> Result<u64, Error> {
    tx.execute(
        "UPDATE wallet_grants SET state = 'ended' WHERE participant_id = $1 AND state = 'live' \
         AND (person = $2 OR offer_id IN (SELECT id FROM offers WHERE result_id = $3))",
        params![issuer, person, result],
    )
}

/// Removes tokens that have expired, and grants that nothing refers to any more.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<u64, Error> {
    let tokens = tx.execute("DELETE FROM tokens WHERE expires <= $1", params![now])?;
    let grants = tx.execute(
        "DELETE FROM wallet_grants WHERE id IN (SELECT g.id FROM wallet_grants g WHERE g.expires <= $1 \
         AND NOT EXISTS (SELECT 1 FROM tokens t WHERE t.grant_id = g.id) \
         AND NOT EXISTS (SELECT 1 FROM claims c WHERE c.grant_id = g.id) LIMIT $2)",
        params![now, limit],
    )?;
    Ok(tokens + grants)
}
