//! Where a person is reached with a code: an address that the laboratory recorded with the result. Sealed under the person's data key, so
//! that it goes with it, and found by a keyed hash of issuer and address: who reads this table learns nobody's address from it.

use crate::{
    Error, Scope, Tx,
    persons::PersonIndex,
    results::{self, ResultRecord},
    value::{Row, params},
};
use vidimus_core::{Digest, id::ResultId};

/// The most results that one address is looked for in.
pub const MOST: u32 = 64;

/// An address as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The address under the person's data key. Bind it with `binding("contacts", result, "contact")`.
    pub sealed: Vec<u8>,
    /// Issuer and address under a key of the deployment.
    pub hash: Digest,
}

/// Keeps the address of a result; another takes its place.
pub fn set(tx: &mut Tx<'_>, result: ResultId, contact: &Contact) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO contacts (result_id, contact_ciphertext, contact_hash) VALUES ($1, $2, $3) \
         ON CONFLICT (result_id) DO UPDATE SET contact_ciphertext = excluded.contact_ciphertext, contact_hash = excluded.contact_hash",
        params![result, contact.sealed, contact.hash],
    )
    .map(drop)
}

/// The address of a result.
pub fn find(tx: &mut Tx<'_>, result: ResultId) -> Result<Option<Contact>, Error> {
    tx.find(
        "SELECT contact_ciphertext, contact_hash FROM contacts WHERE result_id = $1 AND contact_hash IS NOT NULL",
        params![result],
        read,
    )
}

fn read(mut row: Row) -> Result<Contact, Error> {
    Ok(Contact {
        sealed: row.take(0)?,
        hash: row.take(1)?,
    })
}

/// The newest live results of the scope that were recorded with this address, newest first, each with it.
pub fn live_results(tx: &mut Tx<'_>, scope: &Scope, hash: &Digest) -> Result<Vec<(ResultRecord, Contact)>, Error> {
    let ids = tx.list(
        "SELECT c.result_id FROM contacts c JOIN results r ON r.id = c.result_id WHERE c.contact_hash = $1 \
         AND r.state = 'live' AND (r.participant_id = $2 OR $2 IS NULL) ORDER BY r.created DESC, r.id DESC LIMIT $3",
        params![hash, scope.participant(), MOST],
        |mut row| row.take::<ResultId>(0),
    )?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        if let (Some(result), Some(contact)) = (results::find(tx, scope, id)?, find(tx, id)?) {
            found.push((result, contact));
        }
    }
    Ok(found)
}

/// Removes the addresses of all results about a person.
pub fn erase(tx: &mut Tx<'_>, person: &PersonIndex) -> Result<u64, Error> {
    tx.execute(
        "DELETE FROM contacts WHERE result_id IN (SELECT id FROM results WHERE person = $1)",
        params![person],
    )
}
