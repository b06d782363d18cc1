//! Transaction data (§5.1, §8.4): what a holder authorises beside presenting, bound to the key that presents (appendix B.3.3).

use crate::dcql::Query;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::fmt;
use vidimus_core::{Provider, encoding};
use vidimus_credential::json as strict;

/// The longest transaction data that are read, in bytes of base64url.
pub const MAX_DATA: usize = 16 << 10;
/// The most of them in one request.
pub const MAX_COUNT: usize = 16;

const SHA_256: &str = "sha-256";

/// Why transaction data are not taken: `invalid_transaction_data` (§8.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Not base64url of a JSON object within bounds.
    #[error("the transaction data are not readable")]
    Malformed,
    /// There are none, or too many.
    #[error("there are no transaction data, or more than {MAX_COUNT}")]
    Count,
    /// A type that the wallet does not know.
    #[error("the transaction data are of an unknown type")]
    Type,
    /// A member that the type does not have, lacks, or has in another form.
    #[error("the transaction data are not of the form of their type")]
    Member,
    /// `credential_ids` is empty, or names what is not asked for.
    #[error("the transaction data name a credential that is not asked for")]
    Credential,
    /// The credential need not be presented with its key, so nothing would be authorised (appendix B.3.3).
    #[error("the transaction data name a credential that need not be bound to its holder's key")]
    NotBound,
    /// None of the hash algorithms is SHA-256.
    #[error("the transaction data ask for a hash algorithm that is not supported")]
    Hash,
    /// The presentation does not authorise it.
    #[error("the presentation does not authorise the transaction data")]
    NotAuthorised,
    /// The presentation authorises something else, or something twice.
    #[error("the presentation authorises what was not asked for")]
    Other,
}

/// One object of `transaction_data`, exactly as it was encoded: that text is what is hashed.
#[derive(Clone, PartialEq)]
pub struct TransactionData {
    encoded: String,
    kind: String,
    credential_ids: Vec<String>,
    names_hash: bool,
    members: Map<String, Value>,
}

impl fmt::Debug for TransactionData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionData")
            .field("kind", &self.kind)
            .field("credential_ids", &self.credential_ids)
            .finish_non_exhaustive()
    }
}

impl TransactionData {
    /// Of type `kind`, to be authorised with one of these credentials. `members` are the type's own.
    pub fn new(kind: &str, credential_ids: &[&str], members: &Map<String, Value>) -> Result<Self, TransactionError> {
        let mut object = Map::new();
        object.insert("type".into(), kind.into());
        object.insert("credential_ids".into(), json!(credential_ids));
        object.insert("transaction_data_hashes_alg".into(), json!([SHA_256]));
        for (name, value) in members {
            if object.insert(name.clone(), value.clone()).is_some() {
                return Err(TransactionError::Member);
            }
        }
        Self::parse(&encoding::base64url(Value::Object(object).to_string().as_bytes()))
    }

    /// Reads one.
    pub fn parse(encoded: &str) -> Result<Self, TransactionError> {
        if encoded.len() > MAX_DATA {
            return Err(TransactionError::Malformed);
        }
        let bytes = encoding::from_base64url(encoded).map_err(|_| TransactionError::Malformed)?;
        let mut members = strict::parse_object(&bytes, MAX_DATA).map_err(|_| TransactionError::Malformed)?;
        let kind = match members.shift_remove("type") {
            Some(Value::String(kind)) if (1..=super::MAX_TEXT).contains(&kind.len()) => kind,
            _ => return Err(TransactionError::Member),
        };
        let texts = |value: Value| -> Option<Vec<String>> {
            let list = value.as_array().filter(|list| !list.is_empty())?;
            list.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let credential_ids = members
            .shift_remove("credential_ids")
            .and_then(texts)
            .ok_or(TransactionError::Credential)?;
        let hashes = members.shift_remove("transaction_data_hashes_alg");
        let names_hash = hashes.is_some();
        match hashes.map(texts) {
            None => {}
            Some(None) => return Err(TransactionError::Member),
            Some(Some(names)) if names.iter().any(|name| name == SHA_256) => {}
            Some(Some(_)) => return Err(TransactionError::Hash),
        }
        Ok(Self {
            encoded: encoded.to_owned(),
            kind,
            credential_ids,
            names_hash,
            members,
        })
    }

    /// As it is in the request.
    pub fn encoded(&self) -> &str {
        &self.encoded
    }
    /// `type`.
    pub fn kind(&self) -> &str {
        &self.kind
    }
    /// The credential queries of which one authorises it.
    pub fn credential_ids(&self) -> &[String] {
        &self.credential_ids
    }
    /// The members of its type: shown to the holder.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }
    /// SHA-256 of the encoded text, base64url.
    pub fn hash(&self, provider: &dyn Provider) -> String {
        encoding::base64url(provider.sha256(&[self.encoded.as_bytes()]).as_bytes())
    }

    /// Whether a query asks for the credentials that may authorise it, bound to their holder's key.
    pub fn check_query(&self, query: &Query) -> Result<(), TransactionError> {
        for id in &self.credential_ids {
            let place = query.position(id).ok_or(TransactionError::Credential)?;
            if !query.credentials()[place].holder_binding {
                return Err(TransactionError::NotBound);
            }
        }
        Ok(())
    }

    /// The claims that a key binding JWT gets which authorises all of these: `transaction_data_hashes` and, where one of them asks for it,
    /// `transaction_data_hashes_alg` (appendix B.3.3.1).
    pub fn claims(authorised: &[&Self], provider: &dyn Provider) -> Map<String, Value> {
        let mut claims = Map::new();
        if !authorised.is_empty() {
            let hashes: Vec<String> = authorised.iter().map(|one| one.hash(provider)).collect();
            claims.insert("transaction_data_hashes".into(), hashes.into());
        }
        if authorised.iter().any(|one| one.names_hash) {
            claims.insert("transaction_data_hashes_alg".into(), SHA_256.into());
        }
        claims
    }

    /// Whether presentations authorise all that was asked for, each with one credential, and nothing else. `presented` holds, for each key binding
    /// JWT that was verified, the credential query it answers and its claims.
    pub fn verify(
        asked: &[Self],
        presented: &[(&str, &Map<String, Value>)],
        provider: &dyn Provider,
    ) -> Result<(), TransactionError> {
        let mut authorised = vec![false; asked.len()];
        for (id, claims) in presented {
            let Some(hashes) = claims.get("transaction_data_hashes") else {
                continue;
            };
            let hashes = hashes
                .as_array()
                .filter(|list| !list.is_empty())
                .ok_or(TransactionError::Other)?;
            let algorithm = claims.get("transaction_data_hashes_alg");
            if algorithm.is_some_and(|name| name != SHA_256) {
                return Err(TransactionError::Hash);
            }
            for hash in hashes {
                let is_meant =
                    |one: &&Self| *hash == one.hash(provider) && one.credential_ids.iter().any(|of| of == id);
                // The same data may be asked for twice: each hash stands for one of them.
                let open = |at: &usize| !authorised[*at] && is_meant(&&asked[*at]);
                let at = (0..asked.len()).find(open).ok_or(TransactionError::Other)?;
                if asked[at].names_hash && algorithm.is_none() {
                    return Err(TransactionError::Hash);
                }
                authorised[at] = true;
            }
        }
        authorised
            .iter()
            .all(|one| *one)
            .then_some(())
            .ok_or(TransactionError::NotAuthorised)
    }
}

impl Serialize for TransactionData {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.encoded)
    }
}

impl<'de> Deserialize<'de> for TransactionData {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// A type of transaction data that a wallet can show and authorise. What is of no such type is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionType {
    /// Its name.
    pub name: String,
    /// Its members; there may be no others.
    pub members: Vec<MemberRule>,
}

/// A member of a [`TransactionType`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRule {
    /// Its name.
    pub name: String,
    /// What its value is.
    pub kind: MemberKind,
    /// Whether it must be there.
    pub required: bool,
}

/// Kinds of values that a member of transaction data may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberKind {
    /// A text that is not empty and has no control characters.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
}

impl TransactionType {
    /// Whether these data are of this type.
    pub fn check(&self, data: &TransactionData) -> Result<(), TransactionError> {
        let fits = |rule: &MemberRule, value: &Value| match (rule.kind, value) {
            (MemberKind::Text, Value::String(text)) => !text.is_empty() && !text.chars().any(char::is_control),
            (MemberKind::Integer, Value::Number(number)) => number.is_i64() || number.is_u64(),
            (MemberKind::Boolean, Value::Bool(_)) => true,
            _ => false,
        };
        let rule = |name: &str| self.members.iter().find(|rule| rule.name == name);
        let known = data
            .members
            .iter()
            .all(|(name, value)| rule(name).is_some_and(|rule| fits(rule, value)));
        let complete = self
            .members
            .iter()
            .all(|rule| !rule.required || data.members.contains_key(&rule.name));
        (self.name == data.kind && known && complete)
            .then_some(())
            .ok_or(TransactionError::Member)
    }
}

/// A wallet's look at all transaction data of a request: known types, well-formed, for credentials that are asked for.
pub(super) fn check_all(
    all: &[TransactionData],
    types: &[TransactionType],
    query: &Query,
) -> Result<(), TransactionError> {
    for data in all {
        let kind = types.iter().find(|kind| kind.name == data.kind);
        kind.ok_or(TransactionError::Type)?.check(data)?;
        data.check_query(query)?;
    }
    Ok(())
}
