//! What counts once, whoever shows it: nonces that were answered, ids of DPoP proofs and of attestations' proofs. Kept until it could not be
//! shown again anyway.

use crate::{Error, Tx, value::params};
use vidimus_core::{Digest, Timestamp};

/// Notes a value until `expires`; `false` where it was seen before.
pub fn first(tx: &mut Tx<'_>, kind: &str, hash: &Digest, expires: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "INSERT INTO seen (kind, hash, expires) VALUES ($1, $2, $3) ON CONFLICT (kind, hash) DO NOTHING",
        params![*kind, hash, expires],
    )?;
    Ok(rows == 1)
}

/// Forgets what could not be shown again anyway.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    tx.execute("DELETE FROM seen WHERE expires <= $1", params![now])
}
