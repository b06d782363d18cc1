//! Nonces, credential requests and deferred credential requests (OpenID4VCI §7, §8.2, §9.1).

use super::{
    error::CredentialErrorCode,
    metadata::{IssuerMetadata, ResponseEncryption},
};
use crate::oauth::{
    jwk,
    wire::{self, MAX_DOCUMENT, MAX_TEXT, WireError},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vidimus_core::PublicKey;
use vidimus_credential::json as strict;

/// The most proofs in one request, whatever the metadata say.
pub const MAX_PROOFS: usize = 256;

/// What the nonce endpoint answers to a POST (§7.2). Sent with `Cache-Control: no-store`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonceResponse {
    /// Goes into the next proofs.
    pub c_nonce: String,
}

impl NonceResponse {
    /// Reads one.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let response: Self = wire::read(bytes, "nonce response")?;
        if (1..=MAX_TEXT).contains(&response.c_nonce.len()) {
            Ok(response)
        } else {
            Err(WireError::Form("nonce response"))
        }
    }
}

/// Which credential is requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requested {
    /// By an identifier of the token response: the only way where there were any.
    Identifier(String),
    /// By a configuration of the metadata.
    Configuration(String),
}

/// The proofs of a request (§8.2, appendix F): JWTs as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proofs {
    /// A proof of possession for each key.
    Jwt(Vec<String>),
    /// One key attestation for all keys.
    Attestation(String),
}

impl Proofs {
    /// The name of the proof type.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Jwt(_) => "jwt",
            Self::Attestation(_) => "attestation",
        }
    }
}

/// What the response is to be encrypted with (§8.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptTo {
    /// The wallet's key.
    pub key: PublicKey,
    /// The key agreement algorithm: `alg` of the key.
    pub alg: String,
    /// Goes into the header of the response where it is there (§10).
    pub kid: Option<String>,
    /// The content encryption algorithm.
    pub enc: String,
    /// The compression.
    pub zip: Option<String>,
}

impl EncryptTo {
    fn read(value: &Value) -> Option<Self> {
        let jwk = value.get("jwk")?;
        let text = |value: &Value, name| match value.get(name) {
            None => Some(None),
            Some(Value::String(text)) if !text.is_empty() && text.len() <= MAX_TEXT => Some(Some(text.clone())),
            Some(_) => None,
        };
        if text(jwk, "use")?.is_some_and(|usage| usage != "enc") {
            return None;
        }
        Some(Self {
            key: jwk::public(jwk).ok()?,
            alg: text(jwk, "alg")??,
            kid: text(jwk, "kid")?,
            enc: text(value, "enc")??,
            zip: text(value, "zip")?,
        })
    }
    fn to_json(&self) -> Value {
        let mut jwk = self.key.to_jwk().unwrap_or_default();
        jwk["alg"] = json!(self.alg);
        jwk["use"] = json!("enc");
        if let Some(kid) = &self.kid {
            jwk["kid"] = json!(kid);
        }
        let mut object = json!({"jwk": jwk, "enc": self.enc});
        if let Some(zip) = &self.zip {
            object["zip"] = json!(zip);
        }
        object
    }
    /// Whether the metadata list all of it.
    pub fn is_offered(&self, offered: &ResponseEncryption) -> bool {
        let lists = |list: &[String], value: &String| list.contains(value);
        let zips = offered.zip_values_supported.as_deref().unwrap_or_default();
        lists(&offered.alg_values_supported, &self.alg)
            && lists(&offered.enc_values_supported, &self.enc)
            && self.zip.as_ref().is_none_or(|zip| lists(zips, zip))
    }
}

/// A credential request (§8.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRequest {
    /// Which credential.
    pub requested: Requested,
    /// The keys to bind it to.
    pub proofs: Option<Proofs>,
    /// How to encrypt the response.
    pub encrypt_to: Option<EncryptTo>,
}

/// Why a credential request, or a deferred one, is not taken as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not a JSON object of the size that is read, with each member once.
    #[error("not a readable credential request")]
    Json,
    /// A member has the wrong type.
    #[error("the member {0} has not the form that it must have")]
    Form(&'static str),
    /// Neither `credential_identifier` nor `credential_configuration_id`, or both.
    #[error("exactly one of credential_identifier and credential_configuration_id is needed")]
    Which,
    /// `proofs` is not an object with one proof type and its proofs.
    #[error("proofs must hold one proof type with its proofs")]
    Proofs,
    /// The proof type is not one that is known here.
    #[error("the proof type is not supported")]
    ProofType,
    /// More than [`MAX_PROOFS`], or more than one key attestation.
    #[error("there are more proofs than are accepted")]
    TooMany,
    /// `credential_response_encryption` is malformed, or not among what the metadata list.
    #[error("the encryption parameters are not accepted")]
    Encryption,
    /// The metadata demand that responses are encrypted, and the parameters are missing.
    #[error("the response must be encrypted, and the parameters are missing")]
    EncryptionMissing,
    /// Parameters of the response's encryption came in the clear (§8.2), or the metadata demand that requests are encrypted.
    #[error("the request must be encrypted")]
    Clear,
}

impl RequestError {
    /// Its code (§8.3.1.2).
    pub const fn code(self) -> CredentialErrorCode {
        match self {
            Self::Json | Self::Form(_) | Self::Which | Self::TooMany => CredentialErrorCode::InvalidCredentialRequest,
            Self::Proofs | Self::ProofType => CredentialErrorCode::InvalidProof,
            Self::Encryption | Self::EncryptionMissing | Self::Clear => {
                CredentialErrorCode::InvalidEncryptionParameters
            }
        }
    }
}

fn short(members: &Map<String, Value>, name: &'static str) -> Result<Option<String>, RequestError> {
    wire::text(members, name).map_err(RequestError::Form)
}

fn read_object(bytes: &[u8]) -> Result<Map<String, Value>, RequestError> {
    strict::parse_object(bytes, 4 * MAX_DOCUMENT).map_err(|_| RequestError::Json)
}

fn encryption(members: &Map<String, Value>) -> Result<Option<EncryptTo>, RequestError> {
    members
        .get("credential_response_encryption")
        .map(|value| EncryptTo::read(value).ok_or(RequestError::Encryption))
        .transpose()
}

/// What the metadata demand of the encryption of a request and its response; `encrypted`: the request came so.
fn check_encryption(
    encrypt_to: Option<&EncryptTo>,
    metadata: &IssuerMetadata,
    encrypted: bool,
) -> Result<(), RequestError> {
    let requests = metadata.credential_request_encryption.as_ref();
    if !encrypted && requests.is_some_and(|encryption| encryption.encryption_required) {
        return Err(RequestError::Clear);
    }
    let responses = metadata.credential_response_encryption.as_ref();
    match (encrypt_to, responses) {
        (None, Some(offered)) if offered.encryption_required => Err(RequestError::EncryptionMissing),
        (None, _) => Ok(()),
        (Some(_), _) if !encrypted => Err(RequestError::Clear),
        (Some(wanted), Some(offered)) if wanted.is_offered(offered) => Ok(()),
        (Some(_), _) => Err(RequestError::Encryption),
    }
}

impl CredentialRequest {
    /// Reads the JSON of one: the body, or what was in the JWE. Unknown members are ignored.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        let members = read_object(bytes)?;
        let requested = match (
            short(&members, "credential_identifier")?,
            short(&members, "credential_configuration_id")?,
        ) {
            (Some(identifier), None) => Requested::Identifier(identifier),
            (None, Some(configuration)) => Requested::Configuration(configuration),
            _ => return Err(RequestError::Which),
        };
        Ok(Self {
            requested,
            proofs: members.get("proofs").map(proofs).transpose()?,
            encrypt_to: encryption(&members)?,
        })
    }
    /// Whether the metadata allow it to be, and to be answered, as it is; `encrypted`: it came so.
    pub fn check_encryption(&self, metadata: &IssuerMetadata, encrypted: bool) -> Result<(), RequestError> {
        check_encryption(self.encrypt_to.as_ref(), metadata, encrypted)
    }
    /// As JSON.
    pub fn to_json(&self) -> String {
        let mut members = Map::new();
        match &self.requested {
            Requested::Identifier(identifier) => members.insert("credential_identifier".into(), json!(identifier)),
            Requested::Configuration(id) => members.insert("credential_configuration_id".into(), json!(id)),
        };
        let proofs = self.proofs.as_ref().map(|proofs| match proofs {
            Proofs::Jwt(tokens) => json!({"jwt": tokens}),
            Proofs::Attestation(token) => json!({"attestation": [token]}),
        });
        members.extend(proofs.map(|proofs| ("proofs".to_owned(), proofs)));
        let encryption = self.encrypt_to.as_ref().map(EncryptTo::to_json);
        members.extend(encryption.map(|object| ("credential_response_encryption".to_owned(), object)));
        Value::Object(members).to_string()
    }
}

fn proofs(value: &Value) -> Result<Proofs, RequestError> {
    let types = value.as_object().filter(|types| types.len() == 1);
    let (name, list) = types
        .and_then(|types| types.iter().next())
        .ok_or(RequestError::Proofs)?;
    if !matches!(name.as_str(), "jwt" | "attestation") {
        return Err(RequestError::ProofType);
    }
    let list = list
        .as_array()
        .filter(|list| !list.is_empty())
        .ok_or(RequestError::Proofs)?;
    if list.len() > MAX_PROOFS {
        return Err(RequestError::TooMany);
    }
    let token = |value: &Value| value.as_str().map(str::to_owned).ok_or(RequestError::Proofs);
    match (name.as_str(), list.as_slice()) {
        ("jwt", list) => Ok(Proofs::Jwt(list.iter().map(token).collect::<Result<_, _>>()?)),
        (_, [one]) => Ok(Proofs::Attestation(token(one)?)),
        _ => Err(RequestError::TooMany),
    }
}

/// A deferred credential request (§9.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeferredRequest {
    /// Which issuance.
    pub transaction_id: String,
    /// How to encrypt this response; what the first request said does not count.
    pub encrypt_to: Option<EncryptTo>,
}

impl DeferredRequest {
    /// Reads the JSON of one.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        let members = read_object(bytes)?;
        Ok(Self {
            transaction_id: short(&members, "transaction_id")?.ok_or(RequestError::Form("transaction_id"))?,
            encrypt_to: encryption(&members)?,
        })
    }
    /// As [`CredentialRequest::check_encryption`].
    pub fn check_encryption(&self, metadata: &IssuerMetadata, encrypted: bool) -> Result<(), RequestError> {
        check_encryption(self.encrypt_to.as_ref(), metadata, encrypted)
    }
    /// As JSON.
    pub fn to_json(&self) -> String {
        let mut object = json!({"transaction_id": self.transaction_id});
        if let Some(encryption) = &self.encrypt_to {
            object["credential_response_encryption"] = encryption.to_json();
        }
        object.to_string()
    }
}
