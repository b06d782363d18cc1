//! Copies: one rendering for one set of holder keys.
//!
//! Two phases: [`intend`] is committed before anything is signed, [`complete`] commits the signed copy, its sealed payload and its outbox row
//! together. A copy that was signed but not completed was never handed out; it is completed by the retry of its request, or abandoned.

use crate::{
    Error, Scope, Tx,
    persons::PersonIndex,
    value::{Row, names, params},
};
use vidimus_core::{
    Commitment, Digest, Timestamp,
    id::{CertificateId, CopyId, KeyId, ParticipantId},
};

names! {
    /// Where a copy stands.
    pub enum State {
        /// To be signed.
        Intent = "intent",
        /// Signed; its payload is only in the row.
        Signed = "signed",
        /// Its payload is in the blob store too.
        Published = "published",
        /// Never signed.
        Abandoned = "abandoned",
    }
}

/// A copy that is to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its id; goes into the signed bytes.
    pub id: CopyId,
    /// The issuer.
    pub participant: ParticipantId,
    /// What it renders.
    pub certificate: CertificateId,
    /// Name of the format.
    pub format: String,
    /// The holder's DID; none for paper.
    pub holder: Option<String>,
    /// Status list, as [`crate::status::reserve`] was asked for.
    pub status_list: u64,
    /// Its answer.
    pub status_index: u64,
    /// What an issuer that keeps its own key has to sign, under the person's data key (`binding("copies", id, "prepared")`).
    pub prepared: Option<Vec<u8>>,
    /// When.
    pub created: Timestamp,
}

/// A copy that was signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// Which intent.
    pub id: CopyId,
    /// The key that signed it.
    pub key: Option<KeyId>,
    /// SHA-256 of the issuer-signed bytes.
    pub digest: Digest,
    /// The salted commitment to it.
    pub commitment: Commitment,
    /// Nonce of the salt's ciphertext.
    pub salt_nonce: Vec<u8>,
    /// The salt under the person's data key. Bind it with `binding("copies", id, "salt")`.
    pub salt_ciphertext: Vec<u8>,
    /// The payload, sealed to the holder or under the person's data key; none where the holder is given it at once and nobody else keeps it.
    pub payload: Option<Vec<u8>>,
    /// Content id of the payload.
    pub content: Option<String>,
    /// The time that stands in the signed bytes.
    pub issued_at: Timestamp,
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A copy as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Copy {
    /// Its id.
    pub id: CopyId,
    /// The issuer.
    pub participant: ParticipantId,
    /// What it renders.
    pub certificate: CertificateId,
    /// Name of the format.
    pub format: String,
    /// The holder's DID.
    pub holder: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Its status list.
    pub status_list: u64,
    /// Its place in it.
    pub status_index: u64,
    /// What is to be signed elsewhere; gone once signed.
    pub prepared: Option<Vec<u8>>,
    /// The key that signed it.
    pub key: Option<KeyId>,
    /// SHA-256 of the issuer-signed bytes.
    pub digest: Option<Digest>,
    /// The salted commitment to it.
    pub commitment: Option<Commitment>,
    /// Nonce of the salt's ciphertext.
    pub salt_nonce: Option<Vec<u8>>,
    /// The salt under the person's data key; none after erasure.
    pub salt_ciphertext: Option<Vec<u8>>,
    /// The sealed payload; none after erasure.
    pub payload: Option<Vec<u8>>,
    /// Content id of the payload.
    pub content: Option<String>,
    /// The holder's signature that it has it.
    pub counter_signature: Option<Vec<u8>>,
    /// When it was intended.
    pub created: Timestamp,
    /// The time in the signed bytes.
    pub issued_at: Option<Timestamp>,
}

impl std::fmt::Debug for Copy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copy")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, participant_id, certificate_id, format, holder, state, status_list, status_index, prepared, key_id, ",
            "digest, commitment, salt_nonce, salt_ciphertext, payload, content, counter_signature, created, issued_at ",
            "FROM copies ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<Copy, Error> {
    Ok(Copy {
        id: row.take(0)?,
        participant: row.take(1)?,
        certificate: row.take(2)?,
        format: row.take(3)?,
        holder: row.take(4)?,
        state: row.take(5)?,
        status_list: row.take(6)?,
        status_index: row.take(7)?,
        prepared: row.take(8)?,
        key: row.take(9)?,
        digest: row.take(10)?,
        commitment: row.take(11)?,
        salt_nonce: row.take(12)?,
        salt_ciphertext: row.take(13)?,
        payload: row.take(14)?,
        content: row.take(15)?,
        counter_signature: row.take(16)?,
        created: row.take(17)?,
        issued_at: row.take(18)?,
    })
}

/// First phase: records that a copy is about to be signed.
pub fn intend(tx: &mut Tx<'_>, scope: &Scope, intent: &Intent) -> Result<(), Error> {
    scope.check(intent.participant)?;
    tx.execute(
        "INSERT INTO copies (id, participant_id, certificate_id, format, holder, state, status_list, status_index, prepared, created) \
         VALUES ($1, $2, $3, $4, $5, 'intent', $6, $7, $8, $9)",
        params![
            intent.id, intent.participant, intent.certificate, intent.format, intent.holder, intent.status_list,
            intent.status_index, intent.prepared, intent.created
        ],
    )
    .map(drop)
}

/// Second phase: records the signed copy and puts its commitment into the outbox for `chain`, in this transaction. `false` when the copy is no
/// intent any more (another request completed it, with signed bytes of its own: read those), or is not in scope.
pub fn complete(tx: &mut Tx<'_>, scope: &Scope, signed: &Signed, chain: u64, now: Timestamp) -> Result<bool, Error> {
    // What nobody keeps has nowhere to be put.
    let state = match signed.payload {
        Some(_) => State::Signed,
        None => State::Published,
    };
    let rows = tx.execute(
        "UPDATE copies SET state = $1, prepared = NULL, key_id = $2, digest = $3, commitment = $4, salt_nonce = $5, \
         salt_ciphertext = $6, payload = $7, content = $8, issued_at = $9 \
         WHERE id = $10 AND state = 'intent' AND (participant_id = $11 OR $11 IS NULL)",
        params![
            state,
            signed.key,
            signed.digest,
            signed.commitment,
            signed.salt_nonce,
            signed.salt_ciphertext,
            signed.payload,
            signed.content,
            signed.issued_at,
            signed.id,
            scope.participant()
        ],
    )?;
    if rows == 1 {
        crate::outbox::insert(tx, &signed.commitment, signed.id, chain, now)?;
    }
    Ok(rows == 1)
}

/// Gives up an intent; its status place stays used. `false` when it is none any more.
pub fn abandon(tx: &mut Tx<'_>, scope: &Scope, id: CopyId) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE copies SET state = 'abandoned', prepared = NULL \
         WHERE id = $1 AND state = 'intent' AND (participant_id = $2 OR $2 IS NULL)",
        params![id, scope.participant()],
    )?;
    Ok(rows == 1)
}

/// Certificates with intents older than `before` whose issuer's key is kept here, for the job that finishes them. Repeats a certificate for
/// each of its copies.
pub fn stale_intents(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<Vec<CertificateId>, Error> {
    tx.list(
        "SELECT c.certificate_id FROM copies c JOIN participants p ON p.id = c.participant_id \
         WHERE c.state = 'intent' AND c.created < $1 AND p.custody = 'wrapped' ORDER BY c.created LIMIT $2",
        params![before, limit],
        |mut row| row.take(0),
    )
}

/// Gives up all intents from before a time; how many.
pub fn abandon_all(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, Error> {
    tx.execute(
        "UPDATE copies SET state = 'abandoned', prepared = NULL WHERE state = 'intent' AND created < $1",
        params![before],
    )
}

/// A copy.
pub fn find(tx: &mut Tx<'_>, scope: &Scope, id: CopyId) -> Result<Option<Copy>, Error> {
    tx.find(
        columns!("WHERE id = $1 AND (participant_id = $2 OR $2 IS NULL)"),
        params![id, scope.participant()],
        read,
    )
}

/// By the digest of its signed bytes, whoever's: who has the digest has the copy.
pub fn find_by_digest(tx: &mut Tx<'_>, digest: &Digest) -> Result<Option<Copy>, Error> {
    tx.find(columns!("WHERE digest = $1 LIMIT 1"), params![digest], read)
}

/// By the content id of its sealed payload, whoever's: the payload opens only with the holder's key.
pub fn find_by_content(tx: &mut Tx<'_>, content: &str) -> Result<Option<Copy>, Error> {
    tx.find(columns!("WHERE content = $1 LIMIT 1"), params![*content], read)
}

/// All copies of a certificate, oldest first.
pub fn list_by_certificate(tx: &mut Tx<'_>, scope: &Scope, certificate: CertificateId) -> Result<Vec<Copy>, Error> {
    tx.list(
        columns!("WHERE certificate_id = $1 AND (participant_id = $2 OR $2 IS NULL) ORDER BY created, id"),
        params![certificate, scope.participant()],
        read,
    )
}

/// Signed copies whose payload is not in the blob store yet: id, content id, payload.
pub fn unpublished(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<(CopyId, String, Vec<u8>)>, Error> {
    tx.list(
        "SELECT id, content, payload FROM copies WHERE state = 'signed' AND payload IS NOT NULL AND content IS NOT NULL \
         ORDER BY created LIMIT $1",
        params![limit],
        |mut row| Ok((row.take(0)?, row.take(1)?, row.take(2)?)),
    )
}

/// Notes that a payload is in the blob store.
pub fn set_published(tx: &mut Tx<'_>, id: CopyId) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE copies SET state = 'published' WHERE id = $1 AND state = 'signed'",
        params![id],
    )?;
    Ok(rows == 1)
}

/// Copies whose payload is in the blob store, in the order of their ids, after one of them: id, content id. Those that were erased are not
/// among them.
pub fn published(tx: &mut Tx<'_>, after: Option<CopyId>, limit: u32) -> Result<Vec<(CopyId, String)>, Error> {
    tx.list(
        "SELECT id, content FROM copies WHERE state = 'published' AND payload IS NOT NULL AND content IS NOT NULL AND id > $1 \
         ORDER BY id LIMIT $2",
        params![after.unwrap_or(CopyId::from_bytes([0; 16])), limit],
        |mut row| Ok((row.take(0)?, row.take(1)?)),
    )
}

/// The payload of a copy with this content id; none where it was erased.
pub fn payload(tx: &mut Tx<'_>, id: CopyId, content: &str) -> Result<Option<Vec<u8>>, Error> {
    tx.find(
        "SELECT payload FROM copies WHERE id = $1 AND content = $2 AND payload IS NOT NULL",
        params![id, *content],
        |mut row| row.take(0),
    )
}

/// Keeps the holder's signature that it has the copy; the first one stays.
pub fn counter_sign(tx: &mut Tx<'_>, id: CopyId, holder: &str, signature: &[u8]) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE copies SET counter_signature = $1 WHERE id = $2 AND holder = $3 AND counter_signature IS NULL \
         AND state IN ('signed', 'published')",
        params![*signature, id, *holder],
    )?;
    Ok(rows == 1)
}

/// Removes salt, payload and holder of every copy about a person, and gives back the content ids that are to be removed from the blob store.
pub fn erase(tx: &mut Tx<'_>, person: &PersonIndex) -> Result<Vec<String>, Error> {
    let rows = tx.query(
        "SELECT content FROM copies WHERE certificate_id IN (SELECT id FROM certificates WHERE person = $1) \
         AND content IS NOT NULL",
        params![person],
    )?;
    tx.execute(
        "UPDATE copies SET prepared = NULL, salt_nonce = NULL, salt_ciphertext = NULL, payload = NULL, holder = NULL, \
         counter_signature = NULL, content = NULL WHERE certificate_id IN (SELECT id FROM certificates WHERE person = $1)",
        params![person],
    )?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}
