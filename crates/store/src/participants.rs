//! Who takes part: the authority, issuers, verifiers. What counts is the registry on the chain; `state` mirrors it for the deployment's own use.

use crate::{
    Error, Scope, Tx,
    value::{Row, names, params},
};
use vidimus_core::{Address, Digest, Timestamp, id::ParticipantId};

names! {
    /// What a participant is admitted as.
    pub enum Role {
        /// Admits, suspends, revokes.
        Authority = "authority",
        /// Reports results and issues.
        Issuer = "issuer",
        /// Asks and checks.
        Verifier = "verifier",
    }

    /// Who holds a participant's private keys.
    pub enum Custody {
        /// We do, wrapped.
        Wrapped = "wrapped",
        /// The participant, which signs locally.
        Own = "own",
    }

    /// Where a participant stands.
    pub enum State {
        /// Recorded here, not yet on the chain.
        Pending = "pending",
        /// Admitted.
        Active = "active",
        /// Not for now.
        Suspended = "suspended",
        /// Not any more, for good.
        Revoked = "revoked",
    }
}

/// A participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Its id.
    pub id: ParticipantId,
    /// What it is.
    pub role: Role,
    /// Its DID.
    pub did: String,
    /// Its account in the registry.
    pub account: Address,
    /// The organisation's name.
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// The public profile as JSON: the exact text that `profile_digest` is of.
    pub profile: String,
    /// SHA-256 of `profile`; stands in the registry.
    pub profile_digest: Digest,
    /// What it is admitted for, as JSON: categories of an issuer, attributes and purposes of a verifier. Mirrors the registry.
    pub permits: String,
    /// Who holds its keys.
    pub custody: Custody,
    /// Where it stands.
    pub state: State,
    /// When it was recorded.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, role, did, account, name, country, profile, profile_digest, permits, custody, state, created, updated ",
            "FROM participants ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<Participant, Error> {
    Ok(Participant {
        id: row.take(0)?,
        role: row.take(1)?,
        did: row.take(2)?,
        account: row.take(3)?,
        name: row.take(4)?,
        country: row.take(5)?,
        profile: row.take(6)?,
        profile_digest: row.take(7)?,
        permits: row.take(8)?,
        custody: row.take(9)?,
        state: row.take(10)?,
        created: row.take(11)?,
        updated: row.take(12)?,
    })
}

/// Records a participant. Conflict `participants_account`: this account has this role already.
pub fn insert(tx: &mut Tx<'_>, new: &Participant) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO participants (id, role, did, account, name, country, profile, profile_digest, permits, custody, state, created, updated) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        params![
            new.id, new.role, new.did, new.account, new.name, new.country, new.profile, new.profile_digest, new.permits,
            new.custody, new.state, new.created, new.updated
        ],
    )
    .map(drop)
}

/// A participant. Who takes part is public, so there is no scope.
pub fn find(tx: &mut Tx<'_>, id: ParticipantId) -> Result<Option<Participant>, Error> {
    tx.find(columns!("WHERE id = $1"), params![id], read)
}

/// By role and account.
pub fn find_by_account(tx: &mut Tx<'_>, role: Role, account: Address) -> Result<Option<Participant>, Error> {
    tx.find(
        columns!("WHERE role = $1 AND account = $2"),
        params![role, account],
        read,
    )
}

/// All of one role, or all, oldest first.
pub fn list(tx: &mut Tx<'_>, role: Option<Role>) -> Result<Vec<Participant>, Error> {
    tx.list(
        columns!("WHERE (role = $1 OR $1 IS NULL) ORDER BY created, id"),
        params![role],
        read,
    )
}

/// Moves a participant from `before` to `after`; `false` when it does not stand at `before`.
pub fn set_state(
    tx: &mut Tx<'_>,
    id: ParticipantId,
    before: State,
    after: State,
    now: Timestamp,
) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE participants SET state = $1, updated = $2 WHERE id = $3 AND state = $4",
        params![after, now, id, before],
    )?;
    Ok(rows == 1)
}

/// Mirrors what the registry permits, as JSON.
pub fn set_permits(tx: &mut Tx<'_>, id: ParticipantId, permits: &str, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE participants SET permits = $1, updated = $2 WHERE id = $3",
        params![*permits, now, id],
    )?;
    Ok(rows == 1)
}

/// Changes the public profile.
pub fn set_profile(
    tx: &mut Tx<'_>,
    scope: &Scope,
    id: ParticipantId,
    profile: &str,
    digest: &Digest,
    now: Timestamp,
) -> Result<bool, Error> {
    scope.check(id)?;
    let rows = tx.execute(
        "UPDATE participants SET profile = $1, profile_digest = $2, updated = $3 WHERE id = $4",
        params![*profile, digest, now, id],
    )?;
    Ok(rows == 1)
}
