//! Where a person is reached with a code: an address that the laboratory recorded with the result. Sealed under the person's data key, so
//! that it goes with it.

use crate::{Error, Tx, persons::PersonIndex, value::params};
use vidimus_core::id::ResultId;

/// Keeps the address of a result; another takes its place.
pub fn set(tx: &mut Tx<'_>, result: ResultId, sealed: &[u8]) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO contacts (result_id, contact_ciphertext) VALUES ($1, $2) \
         ON CONFLICT (result_id) DO UPDATE SET contact_ciphertext = excluded.contact_ciphertext",
        params![result, *sealed],
    )
    .map(drop)
}

/// The address of a result.
pub fn find(tx: &mut Tx<'_>, result: ResultId) -> Result<Option<Vec<u8>>, Error> {
    tx.find(
        "SELECT contact_ciphertext FROM contacts WHERE result_id = $1",
        params![result],
        |mut row| row.take(0),
    )
}

/// Removes the addresses of all results about a person.
pub fn erase(tx: &mut Tx<'_>, person: &PersonIndex) -> Result<u64, Error> {
    tx.execute(
        "DELETE FROM contacts WHERE result_id IN (SELECT id FROM results WHERE person = $1)",
        params![person],
    )
}
