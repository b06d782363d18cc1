//! What is true of the whole deployment: one row.

use crate::{Error, Tx, value::params};
use vidimus_core::Timestamp;

/// The deployment's facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Random, made by `vidimus init`; part of what keys are derived and audit entries hashed with.
    pub deployment: [u8; 32],
    /// EIP-155 id of the chain.
    pub chain: u64,
    /// Addresses of the contracts, as JSON. `{}` until they are deployed.
    pub contracts: String,
    /// What certificates refer to: status lists and issuer documents lie under it.
    pub public_url: String,
    /// A value derived from the root key, so that a wrong root key is noticed at start and not at the first decryption.
    pub root_key_check: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
}

/// Writes the facts for the first time; `false` when there is a deployment already, which stays as it is.
pub fn create(tx: &mut Tx<'_>, new: &Deployment) -> Result<bool, Error> {
    let rows = tx.execute(
        "INSERT INTO deployment (id, deployment, chain, contracts, public_url, root_key_check, created) \
         VALUES (1, $1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        params![
            new.deployment,
            new.chain,
            new.contracts,
            new.public_url,
            new.root_key_check,
            new.created
        ],
    )?;
    Ok(rows == 1)
}

/// The facts; none before `vidimus init`.
pub fn find(tx: &mut Tx<'_>) -> Result<Option<Deployment>, Error> {
    let row = tx.query_one(
        "SELECT deployment, chain, contracts, public_url, root_key_check, created FROM deployment WHERE id = 1",
        &[],
    )?;
    row.map(|mut row| {
        Ok(Deployment {
            deployment: row.take(0)?,
            chain: row.take(1)?,
            contracts: row.take(2)?,
            public_url: row.take(3)?,
            root_key_check: row.take(4)?,
            created: row.take(5)?,
        })
    })
    .transpose()
}

/// Records the contracts' addresses, if what is recorded is still `before`.
pub fn set_contracts(tx: &mut Tx<'_>, before: &str, contracts: &str) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE deployment SET contracts = $1 WHERE id = 1 AND contracts = $2",
        params![*contracts, *before],
    )?;
    Ok(rows == 1)
}

/// Moves the deployment to another public URL; certificates that were signed keep the old one.
pub fn set_public_url(tx: &mut Tx<'_>, public_url: &str) -> Result<(), Error> {
    tx.execute(
        "UPDATE deployment SET public_url = $1 WHERE id = 1",
        params![*public_url],
    )
    .map(drop)
}

/// Replaces the check value of the root key, for a rotation of that key.
pub fn set_root_key_check(tx: &mut Tx<'_>, check: &[u8]) -> Result<(), Error> {
    tx.execute(
        "UPDATE deployment SET root_key_check = $1 WHERE id = 1",
        params![*check],
    )
    .map(drop)
}
