//! The keys this process works with: derived from the root key at start, or unwrapped from the database when first used and then kept.

use crate::app::error::Error;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use vidimus_core::{
    Digest, Entropy, Provider, SecretBytes, Timestamp, Transcript,
    id::{KeyId, ParticipantId},
};
use vidimus_crypto::{
    BlindIndexKey, DataKey, KeyEncryptionKey, KeyKind, Purpose, RootKey, SealingKey, SigningKey, Wrapped,
};

/// Version of the key-encryption keys in use. Every wrapped key names the version it was wrapped under, so that a later version can
/// take over while old wrappings still open.
const KEK_VERSION: u32 = 1;

/// What the root key opens. Whoever holds one of these reads and signs as the whole deployment.
pub struct Keys {
    participants: KeyEncryptionKey,
    persons: KeyEncryptionKey,
    deployment: DataKey,
    blind: BlindIndexKey,
    credentials: BlindIndexKey,
    audit: BlindIndexKey,
    check_value: [u8; 32],
    signing: Mutex<HashMap<KeyId, Arc<SigningKey>>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// Derives what is needed and lets the root key go.
    pub fn derive(root: &RootKey) -> Self {
        Self {
            participants: root.key_encryption_key(Purpose::ParticipantKeys, KEK_VERSION),
            persons: root.key_encryption_key(Purpose::PersonKeys, KEK_VERSION),
            deployment: root.data_key(Purpose::DeploymentData, KEK_VERSION),
            blind: root.blind_index_key(Purpose::BlindIndex, KEK_VERSION),
            credentials: root.blind_index_key(Purpose::Credentials, KEK_VERSION),
            audit: root.blind_index_key(Purpose::Audit, KEK_VERSION),
            check_value: root.check_value(),
            signing: Mutex::new(HashMap::new()),
        }
    }

    /// What the database keeps to tell a wrong root key.
    pub fn check_value(&self) -> &[u8; 32] {
        &self.check_value
    }

    /// The person's index: HMAC over who they are, meaningless without the root key.
    pub fn person_index(&self, who: Transcript) -> [u8; 32] {
        self.blind.derive(who)
    }

    /// A bearer secret as the database keeps it.
    pub fn credential_hash(&self, kind: &str, secret: &[u8]) -> [u8; 32] {
        self.credentials.derive(
            Transcript::new("vidimus/credential/v1")
                .field(kind.as_bytes())
                .field(secret),
        )
    }

    /// The details of an audited operation, salted by the root key, so that an entry can be checked against details but not searched.
    fn audit_digest(&self, details: Transcript) -> [u8; 32] {
        self.audit.derive(details)
    }

    /// An entry for the audit log: who did what to which object. Details are salted, and keyed by the root key.
    pub fn audit_entry(
        &self,
        now: Timestamp,
        actor: Option<ParticipantId>,
        operation: &str,
        object: &[u8],
        entropy: &mut dyn Entropy,
    ) -> vidimus_store::audit::Event {
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let details = Transcript::new("vidimus/audit/details/v1")
            .field(operation.as_bytes())
            .field(object)
            .field(&salt);
        vidimus_store::audit::Event {
            time: now,
            actor,
            operation: operation.to_owned(),
            object: object.to_vec(),
            details: Digest(self.audit_digest(details)),
        }
    }

    /// Wraps a participant's (or the deployment's) private key for its row.
    pub fn wrap_key(&self, id: KeyId, secret: &SecretBytes, entropy: &mut dyn Entropy) -> vidimus_store::Wrapped {
        to_row(self.participants.wrap(&key_place(id), secret, entropy))
    }

    /// The signing key of a row. Unwrapped once, then kept in memory: unwrapping costs more than a signature.
    pub fn signing_key(
        &self,
        id: KeyId,
        kind: KeyKind,
        wrapped: &vidimus_store::Wrapped,
    ) -> Result<Arc<SigningKey>, Error> {
        if let Some(key) = self.signing.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(key.clone());
        }
        let secret = self.participants.unwrap(&key_place(id), &from_row(wrapped)?)?;
        let key = Arc::new(SigningKey::from_bytes(kind, secret.expose())?);
        self.signing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, key.clone());
        Ok(key)
    }

    /// A signing key that is not to stay in memory.
    pub fn unwrap_signing_key(
        &self,
        id: KeyId,
        kind: KeyKind,
        wrapped: &vidimus_store::Wrapped,
    ) -> Result<SigningKey, Error> {
        let secret = self.participants.unwrap(&key_place(id), &from_row(wrapped)?)?;
        Ok(SigningKey::from_bytes(kind, secret.expose())?)
    }

    /// The sealing key of a row.
    pub fn sealing_key(&self, id: KeyId, wrapped: &vidimus_store::Wrapped) -> Result<SealingKey, Error> {
        let secret = self.participants.unwrap(&key_place(id), &from_row(wrapped)?)?;
        Ok(SealingKey::from_bytes(secret.expose())?)
    }

    /// Wraps a person's data key for its row.
    pub fn wrap_person_key(
        &self,
        person: &[u8; 32],
        key: &DataKey,
        entropy: &mut dyn Entropy,
    ) -> vidimus_store::Wrapped {
        to_row(self.persons.wrap(&person_place(person), &key.expose_bytes(), entropy))
    }

    /// The data key of a person's row.
    pub fn person_key(&self, person: &[u8; 32], wrapped: &vidimus_store::Wrapped) -> Result<DataKey, Error> {
        let secret = self.persons.unwrap(&person_place(person), &from_row(wrapped)?)?;
        Ok(DataKey::from_bytes(secret.expose())?)
    }

    /// Encrypts what belongs to the deployment itself, such as a stored answer.
    pub fn seal(&self, place: &Transcript, plain: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
        self.deployment.seal(place, plain, entropy)
    }

    /// Opens what [`Self::seal`] made for the same place.
    pub fn open(&self, place: &Transcript, sealed: &[u8]) -> Result<SecretBytes, Error> {
        Ok(self.deployment.open(place, sealed)?)
    }
}

/// Ciphertext is bound to its table, row and column.
pub fn place(table: &str, row: &[u8], column: &str) -> Transcript {
    Transcript::new("vidimus/place/v1")
        .field(table.as_bytes())
        .field(row)
        .field(column.as_bytes())
}

fn key_place(id: KeyId) -> Transcript {
    place("keys", id.as_bytes(), "secret")
}

fn person_place(person: &[u8; 32]) -> Transcript {
    place("persons", person, "data_key")
}

/// SHA-256 of a profile, as it goes to the registry.
pub fn profile_digest(provider: &dyn Provider, profile: &str) -> [u8; 32] {
    provider.sha256(&[profile.as_bytes()]).0
}

/// A wrapped secret as its row keeps it.
pub fn to_row(wrapped: Wrapped) -> vidimus_store::Wrapped {
    vidimus_store::Wrapped {
        kek_id: wrapped.kek_id,
        kek_version: wrapped.kek_version,
        nonce: wrapped.nonce.to_vec(),
        ciphertext: wrapped.ciphertext,
    }
}

fn from_row(row: &vidimus_store::Wrapped) -> Result<Wrapped, Error> {
    let nonce = row
        .nonce
        .as_slice()
        .try_into()
        .map_err(|_| Error::Internal("a wrapped key has a nonce of another length"))?;
    Ok(Wrapped {
        kek_id: row.kek_id.clone(),
        kek_version: row.kek_version,
        nonce,
        ciphertext: row.ciphertext.clone(),
    })
}
