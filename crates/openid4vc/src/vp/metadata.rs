//! What each side says it can do: `client_metadata` (§5.1, §11) and `wallet_metadata` (§5.10, §10).

use super::Prefix;
use crate::jwe::{self, ContentEncryption, Recipient};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vidimus_core::Algorithm;

/// The most keys in `jwks`, and the most values in a list.
const MAX_LIST: usize = 64;

/// Why metadata are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A member has the wrong form.
    #[error("the metadata's {0} has the wrong form")]
    Form(&'static str),
    /// The response shall be encrypted, and no key is there that it can be encrypted to.
    #[error("no key of the metadata is one to encrypt to")]
    Key,
    /// The response shall be encrypted with algorithms of which none is known.
    #[error("no content encryption of the metadata is supported")]
    Encryption,
}

/// `vp_formats_supported`: by format, what is supported in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Formats(Map<String, Value>);

impl Formats {
    /// Reads one: not empty, objects only.
    pub fn from_json(value: &Value) -> Result<Self, MetadataError> {
        let refused = MetadataError::Form("vp_formats_supported");
        let members = value.as_object().ok_or(refused)?;
        let fits = (1..=MAX_LIST).contains(&members.len()) && members.values().all(Value::is_object);
        fits.then(|| Self(members.clone())).ok_or(refused)
    }
    /// What this platform makes and checks: `dc+sd-jwt` with these algorithms for issuers and holders, `jwt_vc_json` with its own.
    pub fn of(issuers: &[Algorithm], holders: &[Algorithm], jwt: &[Algorithm]) -> Self {
        let names = |all: &[Algorithm]| -> Vec<&str> { all.iter().map(|one| one.name()).collect() };
        let formats = json!({
            "dc+sd-jwt": {"sd-jwt_alg_values": names(issuers), "kb-jwt_alg_values": names(holders)},
            "jwt_vc_json": {"alg_values": names(jwt)},
        });
        Self::from_json(&formats).expect("objects, two of them")
    }
    /// Whether the format is there.
    pub fn supports(&self, format: &str) -> bool {
        self.0.contains_key(format)
    }
    /// Whether `algorithm` may be used in `format`, in the place that `member` names (such as `kb-jwt_alg_values`): the list has it, or
    /// there is no list (appendix B).
    pub fn allows(&self, format: &str, member: &str, algorithm: Algorithm) -> bool {
        let Some(parameters) = self.0.get(format) else {
            return false;
        };
        match parameters.get(member) {
            None => true,
            Some(list) => list
                .as_array()
                .is_some_and(|list| list.iter().any(|name| name == algorithm.name())),
        }
    }
    /// As JSON.
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// A verifier's metadata, for one request.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientMetadata {
    /// The first of `jwks` that responses can be encrypted to.
    pub recipient: Option<Recipient>,
    /// `encrypted_response_enc_values_supported`, those known here.
    pub encryptions: Vec<ContentEncryption>,
    /// `vp_formats_supported`.
    pub formats: Option<Formats>,
}

impl ClientMetadata {
    /// Reads one. Members that are not known are ignored (§5.1).
    pub fn from_json(value: &Value) -> Result<Self, MetadataError> {
        let members = value.as_object().ok_or(MetadataError::Form("client_metadata"))?;
        let jwks = members.get("jwks").map(check_jwks).transpose()?;
        let encryptions = match members.get("encrypted_response_enc_values_supported") {
            None => vec![ContentEncryption::A128Gcm],
            Some(list) => names(list, "encrypted_response_enc_values_supported")?
                .into_iter()
                .filter_map(ContentEncryption::from_name)
                .collect(),
        };
        Ok(Self {
            recipient: jwks.and_then(Recipient::from_jwks),
            encryptions,
            formats: members
                .get("vp_formats_supported")
                .map(Formats::from_json)
                .transpose()?,
        })
    }
    /// The JSON of it. Both content encryptions are listed by whoever asks for an encrypted response (HAIP 1.0 §5); else the list is absent.
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        if let Some(recipient) = &self.recipient {
            members.insert("jwks".into(), json!({"keys": [recipient.to_jwk()]}));
            let names: Vec<&str> = self.encryptions.iter().map(|one| one.name()).collect();
            members.insert("encrypted_response_enc_values_supported".into(), names.into());
        }
        if let Some(formats) = &self.formats {
            members.insert("vp_formats_supported".into(), formats.to_json());
        }
        Value::Object(members)
    }
    /// Whom to encrypt a response to, and how: A256GCM where it is listed.
    pub fn encryption(&self) -> Result<(&Recipient, ContentEncryption), MetadataError> {
        let recipient = self.recipient.as_ref().ok_or(MetadataError::Key)?;
        let listed = |one: &ContentEncryption| self.encryptions.contains(one);
        let encryption = ContentEncryption::ALL.into_iter().find(listed);
        Ok((recipient, encryption.ok_or(MetadataError::Encryption)?))
    }
}

/// A wallet's metadata, as it sends them for its request object (§5.10).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WalletMetadata {
    /// `vp_formats_supported`.
    pub formats: Option<Formats>,
    /// `client_id_prefixes_supported`, by name; empty: not said.
    pub prefixes: Vec<String>,
    /// `request_object_signing_alg_values_supported`, by name; empty: not said.
    pub signing: Vec<String>,
    /// The first of `jwks` that the request object can be encrypted to: there only where the wallet wants that.
    pub recipient: Option<Recipient>,
    /// Content encryptions for it (`request_object_encryption_enc_values_supported`), those known here.
    pub encryptions: Vec<ContentEncryption>,
}

impl WalletMetadata {
    /// Reads one. Members that are not known are ignored (§10.1).
    pub fn from_json(value: &Value) -> Result<Self, MetadataError> {
        let members = value.as_object().ok_or(MetadataError::Form("wallet_metadata"))?;
        let list = |name: &'static str| match members.get(name) {
            None => Ok(Vec::new()),
            Some(list) => names(list, name).map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>()),
        };
        let encryptions = list("request_object_encryption_enc_values_supported")?;
        Ok(Self {
            formats: members
                .get("vp_formats_supported")
                .map(Formats::from_json)
                .transpose()?,
            prefixes: list("client_id_prefixes_supported")?,
            signing: list("request_object_signing_alg_values_supported")?,
            recipient: match members.get("jwks") {
                // A wallet that gives keys wants the request encrypted: where none fits, plain text is not what it asked for.
                Some(jwks) => Some(Recipient::from_jwks(jwks).ok_or(MetadataError::Key)?),
                None => None,
            },
            encryptions: if encryptions.is_empty() {
                vec![ContentEncryption::A128Gcm]
            } else {
                encryptions
                    .iter()
                    .filter_map(|name| ContentEncryption::from_name(name))
                    .collect()
            },
        })
    }
    /// The JSON of it, with the response modes and encryptions that this crate's wallet has.
    pub fn to_json(&self) -> Value {
        let encryptions: Vec<&str> = ContentEncryption::ALL.iter().map(|one| one.name()).collect();
        let mut members = json!({
            "response_types_supported": ["vp_token"],
            "response_modes_supported": ["direct_post.jwt", "direct_post"],
            "authorization_encryption_alg_values_supported": [jwe::ECDH_ES],
            "authorization_encryption_enc_values_supported": encryptions,
        });
        if let Some(formats) = &self.formats {
            members["vp_formats_supported"] = formats.to_json();
        }
        if !self.prefixes.is_empty() {
            members["client_id_prefixes_supported"] = json!(self.prefixes);
        }
        if !self.signing.is_empty() {
            members["request_object_signing_alg_values_supported"] = json!(self.signing);
        }
        if let Some(recipient) = &self.recipient {
            members["jwks"] = json!({"keys": [recipient.to_jwk()]});
            members["request_object_encryption_alg_values_supported"] = json!([jwe::ECDH_ES]);
            members["request_object_encryption_enc_values_supported"] = json!(encryptions);
        }
        members
    }
    /// Whether it takes requests under this prefix, as far as it says.
    pub(super) fn takes_prefix(&self, prefix: Prefix) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|name| name == prefix.name())
    }
    /// Whether it verifies this algorithm, as far as it says.
    pub(super) fn takes_signature(&self, algorithm: Algorithm) -> bool {
        self.signing.is_empty() || self.signing.iter().any(|name| name == algorithm.name())
    }
}

/// Each key of a request needs a `kid` of its own (§5.1).
fn check_jwks(jwks: &Value) -> Result<&Value, MetadataError> {
    let refused = MetadataError::Form("jwks");
    let keys = jwks.get("keys").and_then(Value::as_array).ok_or(refused)?;
    let mut kids = Vec::new();
    for jwk in keys {
        let kid = jwk.get("kid").and_then(Value::as_str).ok_or(refused)?;
        if kid.len() > super::MAX_TEXT || kids.len() == MAX_LIST || kids.contains(&kid) {
            return Err(refused);
        }
        kids.push(kid);
    }
    Ok(jwks)
}

/// A list of texts that is not empty.
fn names<'v>(list: &'v Value, name: &'static str) -> Result<Vec<&'v str>, MetadataError> {
    let refused = MetadataError::Form(name);
    let list = list.as_array().filter(|list| (1..=MAX_LIST).contains(&list.len()));
    let text = |item: &'v Value| item.as_str().filter(|text| text.len() <= 100).ok_or(refused);
    list.ok_or(refused)?.iter().map(text).collect()
}
