//! Keys of participants and of the deployment. Whoever reads this table has public keys and ciphertext; the key that opens it is derived from
//! the root key, which is not in the database.

use crate::{
    Error, Scope, Tx, Wrapped,
    value::{Row, names, params},
};
use vidimus_core::{
    Timestamp,
    id::{KeyId, ParticipantId},
};

names! {
    /// The curve.
    pub enum Kind {
        /// secp256k1: accounts, ES256K.
        Secp256k1 = "secp256k1",
        /// P-256: document signers, ES256.
        P256 = "p256",
        /// Ed25519.
        Ed25519 = "ed25519",
        /// X25519: sealing.
        X25519 = "x25519",
    }

    /// Where a key stands.
    pub enum State {
        /// Not announced yet.
        Pending = "pending",
        /// Signs.
        Active = "active",
        /// Signs no more; what it signed stays good.
        Retired = "retired",
        /// What it signs from its revocation on is not good.
        Revoked = "revoked",
    }
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// Whose; none for the deployment's own (certificate authority, status signer, anchorer).
    pub participant: Option<ParticipantId>,
    /// What it is for, such as `account`, `document-signer`, `sealing`, `certificate-authority`, `anchor`, `status`.
    pub purpose: String,
    /// The curve.
    pub kind: Kind,
    /// Counted from 1 within participant, purpose and kind.
    pub version: u32,
    /// Uncompressed SEC1 point, or 32 bytes.
    pub public: Vec<u8>,
    /// The private half; none where its owner keeps it. Bind it with `binding("keys", id, "secret")`.
    pub secret: Option<Wrapped>,
    /// X.509 certificate, DER.
    pub certificate: Option<Vec<u8>>,
    /// From when it may sign.
    pub valid_from: Timestamp,
    /// Until when.
    pub valid_until: Option<Timestamp>,
    /// Where it stands.
    pub state: State,
    /// When it was recorded.
    pub created: Timestamp,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, participant_id, purpose, kind, version, public, kek_id, kek_version, nonce, secret_ciphertext, ",
            "certificate, valid_from, valid_until, state, created FROM keys ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<Key, Error> {
    let secret = match row.take::<Option<String>>(6)? {
        None => None,
        Some(kek_id) => Some(Wrapped {
            kek_id,
            kek_version: row.take(7)?,
            nonce: row.take(8)?,
            ciphertext: row.take(9)?,
        }),
    };
    Ok(Key {
        id: row.take(0)?,
        participant: row.take(1)?,
        purpose: row.take(2)?,
        kind: row.take(3)?,
        version: row.take(4)?,
        public: row.take(5)?,
        secret,
        certificate: row.take(10)?,
        valid_from: row.take(11)?,
        valid_until: row.take(12)?,
        state: row.take(13)?,
        created: row.take(14)?,
    })
}

/// Records a key. Conflict `keys_version` or `keys_deployment_version`: that version is there already.
pub fn insert(tx: &mut Tx<'_>, key: &Key) -> Result<(), Error> {
    let secret = key.secret.as_ref();
    tx.execute(
        "INSERT INTO keys (id, participant_id, purpose, kind, version, public, kek_id, kek_version, nonce, secret_ciphertext, \
         certificate, valid_from, valid_until, state, created) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        params![
            key.id,
            key.participant,
            key.purpose,
            key.kind,
            key.version,
            key.public,
            secret.map(|s| &s.kek_id),
            secret.map(|s| s.kek_version),
            secret.map(|s| &s.nonce),
            secret.map(|s| &s.ciphertext),
            key.certificate,
            key.valid_from,
            key.valid_until,
            key.state,
            key.created
        ],
    )
    .map(drop)
}

/// A key, with its wrapped secret.
pub fn find(tx: &mut Tx<'_>, scope: &Scope, id: KeyId) -> Result<Option<Key>, Error> {
    tx.find(
        columns!("WHERE id = $1 AND (participant_id = $2 OR $2 IS NULL)"),
        params![id, scope.participant()],
        read,
    )
}

/// The newest active key for a purpose and kind.
pub fn active(
    tx: &mut Tx<'_>,
    scope: &Scope,
    owner: Option<ParticipantId>,
    purpose: &str,
    kind: Kind,
) -> Result<Option<Key>, Error> {
    check(scope, owner)?;
    tx.find(
        columns!(
            "WHERE (participant_id = $1 OR ($1 IS NULL AND participant_id IS NULL)) AND purpose = $2 AND kind = $3 AND state = 'active' \
             ORDER BY version DESC LIMIT 1"
        ),
        params![owner, *purpose, kind],
        read,
    )
}

/// All keys of a participant, or of the deployment, by purpose, kind and version.
pub fn list(tx: &mut Tx<'_>, scope: &Scope, owner: Option<ParticipantId>) -> Result<Vec<Key>, Error> {
    check(scope, owner)?;
    // Two statements, so that each goes by its index.
    match owner {
        Some(owner) => tx.list(
            columns!("WHERE participant_id = $1 ORDER BY purpose, kind, version"),
            params![owner],
            read,
        ),
        None => tx.list(
            columns!("WHERE participant_id IS NULL ORDER BY purpose, kind, version"),
            params![],
            read,
        ),
    }
}

/// Every participant's account keys, old and new: who looks for the key of an account has no scope.
pub fn accounts(tx: &mut Tx<'_>) -> Result<Vec<Key>, Error> {
    tx.query(
        columns!("WHERE purpose = 'account' AND participant_id IS NOT NULL ORDER BY participant_id, version"),
        params![],
    )?
    .into_iter()
    .map(read)
    .collect()
}

/// Moves a key from `before` to `after`; `false` when it does not stand at `before`.
pub fn set_state(tx: &mut Tx<'_>, id: KeyId, before: State, after: State) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE keys SET state = $1 WHERE id = $2 AND state = $3",
        params![after, id, before],
    )?;
    Ok(rows == 1)
}

/// Gives a key its certificate.
pub fn set_certificate(
    tx: &mut Tx<'_>,
    id: KeyId,
    certificate: &[u8],
    until: Option<Timestamp>,
) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE keys SET certificate = $1, valid_until = $2 WHERE id = $3",
        params![*certificate, until, id],
    )?;
    Ok(rows == 1)
}

/// Puts a secret under another key-encryption key, if it is still under the version `before`.
pub fn rewrap(tx: &mut Tx<'_>, id: KeyId, before: u32, after: &Wrapped) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE keys SET kek_id = $1, kek_version = $2, nonce = $3, secret_ciphertext = $4 WHERE id = $5 AND kek_version = $6",
        params![after.kek_id, after.kek_version, after.nonce, after.ciphertext, id, before],
    )?;
    Ok(rows == 1)
}

fn check(scope: &Scope, owner: Option<ParticipantId>) -> Result<(), Error> {
    match (owner, scope.participant()) {
        (Some(owner), _) => scope.check(owner),
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Error::Scope),
    }
}
