//! What tests count in a database, and how they leave it as a crash, a fault or an attacker would.

use crate::{
    Error, Scope, Tx,
    api_keys::{self, ApiKey},
    value::params,
};
use vidimus_core::{Timestamp, id::ApiKeyId};

fn count(tx: &mut Tx<'_>, statement: &'static str) -> Result<u64, Error> {
    tx.query_exactly(statement, &[])?.take(0)
}

/// How many participants, keys, API keys, transactions and audit entries there are.
pub fn of_admissions(tx: &mut Tx<'_>) -> Result<[u64; 5], Error> {
    Ok([
        count(tx, "SELECT COUNT(*) FROM participants")?,
        count(tx, "SELECT COUNT(*) FROM keys")?,
        count(tx, "SELECT COUNT(*) FROM api_keys")?,
        count(tx, "SELECT COUNT(*) FROM transactions")?,
        count(tx, "SELECT COUNT(*) FROM audit_entries")?,
    ])
}

/// How many persons, results, certificates, copies and places in status lists there are.
pub fn of_reports(tx: &mut Tx<'_>) -> Result<[u64; 5], Error> {
    Ok([
        count(tx, "SELECT COUNT(*) FROM persons")?,
        count(tx, "SELECT COUNT(*) FROM results")?,
        count(tx, "SELECT COUNT(*) FROM certificates")?,
        count(tx, "SELECT COUNT(*) FROM copies")?,
        count(tx, "SELECT COUNT(*) FROM status_entries")?,
    ])
}

/// Transactions that are not settled.
pub fn transactions_under_way(tx: &mut Tx<'_>) -> Result<u64, Error> {
    count(
        tx,
        "SELECT COUNT(*) FROM transactions WHERE state NOT IN ('final', 'failed')",
    )
}

/// Transactions that failed.
pub fn failed_transactions(tx: &mut Tx<'_>) -> Result<u64, Error> {
    count(tx, "SELECT COUNT(*) FROM transactions WHERE state = 'failed'")
}

/// Transactions whose nonce something else used.
pub fn displaced_transactions(tx: &mut Tx<'_>) -> Result<u64, Error> {
    count(tx, "SELECT COUNT(*) FROM transactions WHERE reason = 'displaced'")
}

/// API keys that are not revoked.
pub fn api_keys_in_force(tx: &mut Tx<'_>) -> Result<u64, Error> {
    count(tx, "SELECT COUNT(*) FROM api_keys WHERE revoked IS NULL")
}

/// API keys that are revoked.
pub fn revoked_api_keys(tx: &mut Tx<'_>) -> Result<u64, Error> {
    count(tx, "SELECT COUNT(*) FROM api_keys WHERE revoked IS NOT NULL")
}

/// Entries of the audit log that say that an API key was revoked.
pub fn revocations_in_the_log(tx: &mut Tx<'_>) -> Result<u64, Error> {
    count(
        tx,
        "SELECT COUNT(*) FROM audit_entries WHERE operation = 'revoke-api-key'",
    )
}

/// Puts so many API keys beside one, each a second newer than it, in force or revoked.
pub fn put_api_keys_beside(tx: &mut Tx<'_>, first: ApiKeyId, many: u32, in_force: bool) -> Result<(), Error> {
    let first = api_keys::find(tx, first)?.expect("the key is there");
    let scope = Scope::system();
    for number in 0..many {
        let mut id = [0; 16];
        id[12..].copy_from_slice(&number.to_be_bytes());
        let key = ApiKey {
            id: ApiKeyId::from_bytes(id),
            created: first.created.plus(1),
            ..first.clone()
        };
        api_keys::insert(tx, &scope, &key)?;
        if !in_force {
            api_keys::revoke(tx, &scope, key.id, key.created)?;
        }
    }
    Ok(())
}

/// Puts all idempotency keys where a crash leaves them: at work until then. How many.
pub fn leave_requests_at_work(tx: &mut Tx<'_>, until: Timestamp) -> Result<u64, Error> {
    tx.execute(
        "UPDATE idempotency SET state = 'running', response = NULL, lease_until = $1",
        params![until],
    )
}

/// Has every call of a hand-over of the contracts reverted. How many.
pub fn revert_hand_overs(tx: &mut Tx<'_>) -> Result<u64, Error> {
    tx.execute(
        "UPDATE transactions SET state = 'failed', reason = 'reverted' WHERE purpose IN ('offer-authority', 'accept-authority')",
        &[],
    )
}

/// Erases the copy whose payload has this content id. How many.
pub fn erase_copy(tx: &mut Tx<'_>, content: &str) -> Result<u64, Error> {
    tx.execute(
        "UPDATE copies SET payload = NULL, content = NULL WHERE content = $1",
        params![*content],
    )
}

/// Puts other bytes in the place of each copy's payload, as if none were published yet. How many.
pub fn damage_payloads(tx: &mut Tx<'_>) -> Result<u64, Error> {
    tx.execute("UPDATE copies SET payload = salt_ciphertext, state = 'signed'", &[])
}
