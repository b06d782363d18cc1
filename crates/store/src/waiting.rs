//! Copies that an issuer signs with its own key, on their way to the wallet that asked for them: sealed under the person's data key, and gone
//! from here once the wallet has them.

use crate::{Error, Tx, value::params};
use vidimus_core::id::{ClaimId, CopyId, GrantId};

/// A copy of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The copy.
    pub copy: CopyId,
    /// Its text, once it is signed. Bind it with `binding("waiting_copies", copy, "text")`.
    pub text: Option<Vec<u8>>,
}

/// Notes the copies that a claim waits for, in the order of its keys.
pub fn insert(tx: &mut Tx<'_>, claim: ClaimId, copies: &[CopyId]) -> Result<(), Error> {
    for (place, copy) in copies.iter().enumerate() {
        tx.execute(
            "INSERT INTO waiting_copies (copy_id, claim_id, place) VALUES ($1, $2, $3)",
            params![copy, claim, place as u64],
        )?;
    }
    Ok(())
}

/// Keeps the text of a copy that was signed. Gives the claim and its grant; none where no wallet waits for it.
pub fn fill(tx: &mut Tx<'_>, copy: CopyId, text: &[u8]) -> Result<Option<(ClaimId, GrantId)>, Error> {
    tx.execute(
        "UPDATE waiting_copies SET text_ciphertext = $1 WHERE copy_id = $2",
        params![*text, copy],
    )?;
    tx.find(
        "SELECT c.id, c.grant_id FROM waiting_copies w JOIN claims c ON c.id = w.claim_id WHERE w.copy_id = $1",
        params![copy],
        |mut row| Ok((row.take(0)?, row.take(1)?)),
    )
}

/// The copies of a claim, in the order of its keys.
pub fn of_claim(tx: &mut Tx<'_>, claim: ClaimId) -> Result<Vec<Waiting>, Error> {
    tx.list(
        "SELECT copy_id, text_ciphertext FROM waiting_copies WHERE claim_id = $1 ORDER BY place",
        params![claim],
        |mut row| {
            Ok(Waiting {
                copy: row.take(0)?,
                text: row.take(1)?,
            })
        },
    )
}

/// Forgets the copies of a claim: the wallet has them, or nobody is to get them any more.
pub fn remove(tx: &mut Tx<'_>, claim: ClaimId) -> Result<u64, Error> {
    tx.execute("DELETE FROM waiting_copies WHERE claim_id = $1", params![claim])
}
