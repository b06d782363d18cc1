//! Under which numbers issuers' keys stand in their DID documents. Derived from the chain: [`crate::chain::drop_derived`] forgets it, too.

use crate::{Error, Tx, value::params};
use vidimus_core::id::KeyId;

/// Where a key stands in its issuer's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delegate {
    /// The key.
    pub key: KeyId,
    /// Its number: N of `#delegate-N`.
    pub number: u64,
    /// Block of the DID's newest change when this was read.
    pub changed: u64,
}

/// Keeps what was read last.
pub fn put(tx: &mut Tx<'_>, chain: u64, delegate: &Delegate) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO delegates (chain, key_id, number, changed) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (chain, key_id) DO UPDATE SET number = excluded.number, changed = excluded.changed",
        params![chain, delegate.key, delegate.number, delegate.changed],
    )
    .map(drop)
}

/// Forgets a key that is in the document no more.
pub fn remove(tx: &mut Tx<'_>, chain: u64, key: KeyId) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM delegates WHERE chain = $1 AND key_id = $2",
        params![chain, key],
    )
    .map(drop)
}

/// Forgets all that was read from a chain.
pub(crate) fn forget(tx: &mut Tx<'_>, chain: u64) -> Result<(), Error> {
    tx.execute("DELETE FROM delegates WHERE chain = $1", params![chain])
        .map(drop)
}

/// All of them.
pub fn list(tx: &mut Tx<'_>, chain: u64) -> Result<Vec<Delegate>, Error> {
    tx.list(
        "SELECT key_id, number, changed FROM delegates WHERE chain = $1 ORDER BY key_id",
        params![chain],
        |mut row| {
            Ok(Delegate {
                key: row.take(0)?,
                number: row.take(1)?,
                changed: row.take(2)?,
            })
        },
    )
}
