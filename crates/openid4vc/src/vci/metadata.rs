//! Credential issuer metadata (OpenID4VCI §12.2).

use super::claims::{self, ClaimDescription};
use crate::oauth::{
    Endpoint, Identifier, jwk, strict,
    wire::{self, WireError},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use vidimus_core::{Algorithm, PublicKey};

/// The name of the well-known document (§12.2.2).
pub const WELL_KNOWN: &str = "openid-credential-issuer";
/// The longest document that is read: logos may be in it as `data:` URLs.
pub const MAX_METADATA: usize = 2 << 20;
/// The most configurations that are read.
pub const MAX_CONFIGURATIONS: usize = 1024;

/// What a credential issuer publishes about itself (§12.2.4). Members that are unknown here are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerMetadata {
    /// Its identifier.
    pub credential_issuer: Identifier,
    /// Its authorization servers; absent where it is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_servers: Option<Vec<Identifier>>,
    /// Where credentials are requested.
    pub credential_endpoint: Endpoint,
    /// Where nonces come from; absent where proofs need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce_endpoint: Option<Endpoint>,
    /// Where what was not ready is asked for again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred_credential_endpoint: Option<Endpoint>,
    /// Where the wallet tells what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_endpoint: Option<Endpoint>,
    /// Whether and how requests are encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_request_encryption: Option<RequestEncryption>,
    /// Whether and how responses are encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_response_encryption: Option<ResponseEncryption>,
    /// How many copies one request can be for; absent means one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_credential_issuance: Option<Batch>,
    /// Its name, in each language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<IssuerDisplay>,
    /// What it issues.
    pub credential_configurations_supported: Configurations,
}

/// How requests are encrypted (§12.2.4, `credential_request_encryption`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestEncryption {
    /// Keys to encrypt to, each with a `kid` and an `alg`.
    pub jwks: KeySet,
    /// Content encryption algorithms.
    pub enc_values_supported: Vec<String>,
    /// Compressions; absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zip_values_supported: Option<Vec<String>>,
    /// Whether every request must be encrypted.
    pub encryption_required: bool,
}

/// A JSON Web Key Set (RFC 7517 §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// The keys, as they were written.
    pub keys: Vec<Value>,
}

impl KeySet {
    /// Those that are public P-256 keys for key agreement with `alg` (§10), with their `kid`.
    pub fn agreement_keys<'a>(&'a self, algorithm: &'a str) -> impl Iterator<Item = (&'a str, PublicKey)> {
        self.keys.iter().filter_map(move |value| {
            let text = |name| value.get(name).and_then(Value::as_str);
            let fits = text("alg") == Some(algorithm) && text("use").is_none_or(|usage| usage == "enc");
            let key = jwk::public(value)
                .ok()
                .filter(|key| matches!(key, PublicKey::P256(_)))?;
            fits.then_some((text("kid")?, key))
        })
    }
}

/// How responses are encrypted (§12.2.4, `credential_response_encryption`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseEncryption {
    /// Key agreement algorithms.
    pub alg_values_supported: Vec<String>,
    /// Content encryption algorithms.
    pub enc_values_supported: Vec<String>,
    /// Compressions; absent means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zip_values_supported: Option<Vec<String>>,
    /// Whether every response must be encrypted.
    pub encryption_required: bool,
}

/// Several copies in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The most keys in one request, 2 or more.
    pub batch_size: u32,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Where it is; may be a `data:` URL.
    pub uri: String,
    /// What to read out in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
}

/// The issuer in one language.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IssuerDisplay {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The language (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Its logo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Image>,
}

/// A credential in one language.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CredentialDisplay {
    /// Its name.
    pub name: String,
    /// The language (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Its logo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Image>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// CSS colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_color: Option<String>,
    /// Behind the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background_image: Option<Image>,
    /// CSS colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_color: Option<String>,
}

/// How a credential is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CredentialMetadata {
    /// In each language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<CredentialDisplay>,
    /// Its claims, in the order in which they are shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ClaimDescription>,
}

/// What a configuration is, by its format (appendix A). Others are not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format")]
pub enum Format {
    /// SD-JWT VC (appendix A.3).
    #[serde(rename = "dc+sd-jwt")]
    SdJwtVc {
        /// The type.
        vct: String,
    },
    /// A W3C credential as JWT, without JSON-LD (appendix A.1.1).
    #[serde(rename = "jwt_vc_json")]
    JwtVcJson {
        /// Its types.
        credential_definition: Definition,
    },
}

impl Format {
    /// As it is written.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SdJwtVc { .. } => "dc+sd-jwt",
            Self::JwtVcJson { .. } => "jwt_vc_json",
        }
    }
    fn is_known(name: &str) -> bool {
        matches!(name, "dc+sd-jwt" | "jwt_vc_json")
    }
}

/// The types of a W3C credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// `VerifiableCredential` and more.
    #[serde(rename = "type")]
    pub types: Vec<String>,
}

/// One credential that can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Format and type.
    #[serde(flatten)]
    pub format: Format,
    /// Asks for it in an authorization request; HAIP §4.1 wants one for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// What the issuer signs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_signing_alg_values_supported: Option<Vec<String>>,
    /// How the holder's key is named in it: `jwk`, `did:ethr` …; absent where it is bound to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cryptographic_binding_methods_supported: Option<Vec<String>>,
    /// How the wallet proves its keys; absent where it need not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_types_supported: Option<BTreeMap<String, ProofType>>,
    /// How it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_metadata: Option<CredentialMetadata>,
}

impl Configuration {
    /// Of a format, bound to no key.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            scope: None,
            credential_signing_alg_values_supported: None,
            cryptographic_binding_methods_supported: None,
            proof_types_supported: None,
            credential_metadata: None,
        }
    }
    /// What is asked of a proof type; `None` where it is not taken.
    pub fn proof_type(&self, name: &str) -> Option<&ProofType> {
        self.proof_types_supported.as_ref()?.get(name)
    }

    fn check(&self) -> Result<(), &'static str> {
        let filled = |list: &Option<Vec<String>>| list.as_ref().is_none_or(|list| !list.is_empty());
        if !filled(&self.credential_signing_alg_values_supported) {
            return Err("credential_signing_alg_values_supported is empty");
        }
        if !filled(&self.cryptographic_binding_methods_supported) {
            return Err("cryptographic_binding_methods_supported is empty");
        }
        if self.cryptographic_binding_methods_supported.is_some() && self.proof_types_supported.is_none() {
            return Err("proof_types_supported is missing where keys are bound");
        }
        for proof in self.proof_types_supported.iter().flat_map(BTreeMap::values) {
            if proof.proof_signing_alg_values_supported.is_empty() {
                return Err("proof_signing_alg_values_supported is empty");
            }
        }
        if let Format::JwtVcJson { credential_definition } = &self.format
            && credential_definition.types.is_empty()
        {
            return Err("credential_definition has no type");
        }
        let claims = self.credential_metadata.iter().flat_map(|metadata| &metadata.claims);
        if !claims::is_consistent(claims.map(|claim| &claim.path)) {
            return Err("the claims descriptions contradict each other");
        }
        Ok(())
    }
}

/// What is asked of a proof of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofType {
    /// What it may be signed with.
    pub proof_signing_alg_values_supported: Vec<String>,
    /// Whether, and how strongly, the keys must be attested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_attestations_required: Option<AttestationsRequired>,
}

impl ProofType {
    /// The algorithms among those that are known here.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        self.proof_signing_alg_values_supported
            .iter()
            .filter_map(|name| Algorithm::from_name(name))
            .collect()
    }
}

/// What a key attestation must say (§12.2.4, appendix D.2).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AttestationsRequired {
    /// How the keys are kept: one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_storage: Option<Vec<String>>,
    /// How the person unlocks them: one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_authentication: Option<Vec<String>>,
}

/// The configurations by their ids; those of formats that are not known here are not read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configurations(BTreeMap<String, Configuration>);

impl Configurations {
    /// One of them.
    pub fn get(&self, id: &str) -> Option<&Configuration> {
        self.0.get(id)
    }
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Configuration)> {
        self.0.iter().map(|(id, configuration)| (id.as_str(), configuration))
    }
}

impl<T: Into<String>> FromIterator<(T, Configuration)> for Configurations {
    fn from_iter<I: IntoIterator<Item = (T, Configuration)>>(list: I) -> Self {
        Self(
            list.into_iter()
                .map(|(id, configuration)| (id.into(), configuration))
                .collect(),
        )
    }
}

impl Serialize for Configurations {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.0.len()))?;
        for (id, configuration) in &self.0 {
            map.serialize_entry(id, configuration)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Configurations {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let all = Map::<String, Value>::deserialize(d)?;
        if all.len() > MAX_CONFIGURATIONS {
            return Err(D::Error::custom("too many configurations"));
        }
        let mut known = BTreeMap::new();
        for (id, value) in all {
            let format = value.get("format").and_then(Value::as_str);
            if !Format::is_known(format.ok_or_else(|| D::Error::missing_field("format"))?) {
                continue;
            }
            let configuration: Configuration =
                strict::from_value(value).map_err(|error| D::Error::custom(format_args!("{id}: {error}")))?;
            configuration
                .check()
                .map_err(|error| D::Error::custom(format_args!("{id}: {error}")))?;
            known.insert(id, configuration);
        }
        Ok(Self(known))
    }
}

/// Why metadata are not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not readable as such.
    #[error("the credential issuer's metadata are not readable")]
    Wire(#[from] WireError),
    /// They are about another issuer than the one they were fetched for.
    #[error("the metadata are those of another credential issuer")]
    Issuer,
    /// A list is empty, a batch smaller than 2, or a language there twice.
    #[error("the metadata contradict themselves: {0}")]
    Content(&'static str),
}

impl IssuerMetadata {
    /// The least of an issuer: identifier, credential endpoint and what it issues.
    pub fn new(issuer: Identifier, credential_endpoint: Endpoint, configurations: Configurations) -> Self {
        Self {
            credential_issuer: issuer,
            authorization_servers: None,
            credential_endpoint,
            nonce_endpoint: None,
            deferred_credential_endpoint: None,
            notification_endpoint: None,
            credential_request_encryption: None,
            credential_response_encryption: None,
            batch_credential_issuance: None,
            display: Vec::new(),
            credential_configurations_supported: configurations,
        }
    }
    /// Where the document of `issuer` is.
    pub fn location(issuer: &Identifier) -> Endpoint {
        issuer.well_known(WELL_KNOWN)
    }
    /// Reads the document that was fetched for `issuer`, and refuses that of another (§12.2.4: compared without normalisation).
    pub fn parse(bytes: &[u8], issuer: &Identifier) -> Result<Self, MetadataError> {
        let metadata: Self = wire::read_public(bytes, MAX_METADATA, "credential issuer metadata")?;
        metadata.check(issuer)?;
        Ok(metadata)
    }

    pub(super) fn from_members(members: Map<String, Value>, issuer: &Identifier) -> Result<Self, MetadataError> {
        let metadata: Self = wire::from_public(members, "credential issuer metadata")?;
        metadata.check(issuer)?;
        Ok(metadata)
    }

    fn check(&self, issuer: &Identifier) -> Result<(), MetadataError> {
        if self.credential_issuer != *issuer {
            return Err(MetadataError::Issuer);
        }
        let wrong = |what| Err(MetadataError::Content(what));
        if self.authorization_servers.as_ref().is_some_and(Vec::is_empty) {
            return wrong("authorization_servers is empty");
        }
        if self.batch_credential_issuance.is_some_and(|batch| batch.batch_size < 2) {
            return wrong("batch_size is below 2");
        }
        let locales: Vec<_> = self
            .display
            .iter()
            .filter_map(|display| display.locale.as_deref())
            .collect();
        if locales
            .iter()
            .enumerate()
            .any(|(at, locale)| locales[..at].contains(locale))
        {
            return wrong("a language is there twice");
        }
        if let Some(encryption) = &self.credential_request_encryption {
            let kid = |key: &Value| key.get("kid").is_some_and(Value::is_string);
            if encryption.enc_values_supported.is_empty() || !encryption.jwks.keys.iter().all(kid) {
                return wrong("credential_request_encryption lacks an algorithm or a kid");
            }
        }
        if let Some(encryption) = &self.credential_response_encryption
            && (encryption.enc_values_supported.is_empty() || encryption.alg_values_supported.is_empty())
        {
            return wrong("credential_response_encryption lacks an algorithm");
        }
        Ok(())
    }

    /// The authorization servers, the issuer itself where it names none.
    pub fn servers(&self) -> Vec<&Identifier> {
        match &self.authorization_servers {
            Some(servers) => servers.iter().collect(),
            None => vec![&self.credential_issuer],
        }
    }
    /// The most proofs in one request.
    pub fn batch_size(&self) -> usize {
        self.batch_credential_issuance
            .map_or(1, |batch| usize::try_from(batch.batch_size).unwrap_or(usize::MAX))
    }
    /// The configurations that a scope value stands for.
    pub fn with_scope<'a>(&'a self, scope: &'a str) -> impl Iterator<Item = (&'a str, &'a Configuration)> {
        self.credential_configurations_supported
            .iter()
            .filter(move |(_, configuration)| configuration.scope.as_deref() == Some(scope))
    }
    /// As JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and lists of them are JSON")
    }
}
