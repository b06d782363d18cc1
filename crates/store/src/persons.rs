//! Persons: a blind index and a wrapped data key, nothing else. The index is an HMAC, so this table says neither who nor, without the root
//! key, anything about anyone; destroying the data key makes everything under it unreadable.

use crate::{
    Error, Tx, Wrapped,
    value::{Row, params},
};
use vidimus_core::{Digest, Timestamp};

/// The blind index of a person: HMAC over what the identity document says.
pub type PersonIndex = Digest;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The blind index.
    pub person: PersonIndex,
    /// The person's data key; none after erasure. Bind it with `binding("persons", person, "data_key")`.
    pub data_key: Option<Wrapped>,
    /// When first seen. A day would be finer than needed for anything.
    pub created: Timestamp,
    /// When erased.
    pub erased: Option<Timestamp>,
}

const READ: &str =
    "SELECT person, kek_id, kek_version, nonce, data_key_ciphertext, created, erased FROM persons WHERE person = $1";

fn read(mut row: Row) -> Result<Person, Error> {
    let data_key = match row.take::<Option<String>>(1)? {
        None => None,
        Some(kek_id) => Some(Wrapped {
            kek_id,
            kek_version: row.take(2)?,
            nonce: row.take(3)?,
            ciphertext: row.take(4)?,
        }),
    };
    Ok(Person {
        person: row.take(0)?,
        data_key,
        created: row.take(5)?,
        erased: row.take(6)?,
    })
}

/// The person with this index. When there is none yet, records it with `data_key`; when two do so at once, both get the one that was first.
/// A person that was erased comes back with the new data key.
pub fn ensure(tx: &mut Tx<'_>, person: &PersonIndex, data_key: &Wrapped, now: Timestamp) -> Result<Person, Error> {
    tx.execute(
        "INSERT INTO persons (person, kek_id, kek_version, nonce, data_key_ciphertext, created) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (person) DO UPDATE SET kek_id = excluded.kek_id, \
         kek_version = excluded.kek_version, nonce = excluded.nonce, data_key_ciphertext = excluded.data_key_ciphertext, \
         erased = NULL WHERE persons.erased IS NOT NULL",
        params![person, data_key.kek_id, data_key.kek_version, data_key.nonce, data_key.ciphertext, now],
    )?;
    tx.query_exactly(READ, params![person]).and_then(read)
}

/// The person with this index.
pub fn find(tx: &mut Tx<'_>, person: &PersonIndex) -> Result<Option<Person>, Error> {
    tx.find(READ, params![person], read)
}

/// Destroys the data key. The rows that were encrypted under it stay, unreadable, until their own erasure removes them.
pub fn erase(tx: &mut Tx<'_>, person: &PersonIndex, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE persons SET kek_id = NULL, kek_version = NULL, nonce = NULL, data_key_ciphertext = NULL, erased = $1 \
         WHERE person = $2 AND erased IS NULL",
        params![now, person],
    )?;
    Ok(rows == 1)
}

/// Puts a data key under another key-encryption key, if it is still under the version `before`.
pub fn rewrap(tx: &mut Tx<'_>, person: &PersonIndex, before: u32, after: &Wrapped) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE persons SET kek_id = $1, kek_version = $2, nonce = $3, data_key_ciphertext = $4 \
         WHERE person = $5 AND kek_version = $6",
        params![
            after.kek_id,
            after.kek_version,
            after.nonce,
            after.ciphertext,
            person,
            before
        ],
    )?;
    Ok(rows == 1)
}
