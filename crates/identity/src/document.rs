//! DID documents and what resolving gives (DID Core 1.0 §5, DID Resolution).

use crate::base58;
use serde::{Deserialize, Serialize};
use vidimus_core::{
    Address, Algorithm, Provider, PublicKey, SignatureError,
    encoding::{from_base64, from_hex},
};

/// A DID document, as far as did:ethr fills one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// JSON-LD contexts; left out for `application/did+json`.
    #[serde(rename = "@context", default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<String>,
    /// The DID.
    pub id: String,
    /// Its keys.
    pub verification_method: Vec<VerificationMethod>,
    /// Ids of the keys that log in.
    pub authentication: Vec<String>,
    /// Ids of the keys that sign statements.
    pub assertion_method: Vec<String>,
    /// Ids of the keys to encrypt to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_agreement: Vec<String>,
    /// Where to reach it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<Service>,
}

/// One key of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationMethod {
    /// Its DID URL.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: MethodType,
    /// Whose it is.
    pub controller: String,
    /// The key itself.
    #[serde(flatten)]
    pub material: KeyMaterial,
}

/// The type of a verification method. Open: an attribute can name any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MethodType(pub String);

impl MethodType {
    /// An account that is recovered from the signature.
    pub const RECOVERY: &str = "EcdsaSecp256k1RecoveryMethod2020";
    /// A secp256k1 key.
    pub const SECP256K1: &str = "EcdsaSecp256k1VerificationKey2019";
    /// An Ed25519 key.
    pub const ED25519: &str = "Ed25519VerificationKey2018";
    /// An RSA key.
    pub const RSA: &str = "RSAVerificationKey2018";
    /// An X25519 key.
    pub const X25519: &str = "X25519KeyAgreementKey2019";
    /// A key that says itself what it is.
    pub const MULTIKEY: &str = "Multikey";
}

/// The forms that keys are written in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyMaterial {
    /// `eip155:<chain id>:<address>` (CAIP-10).
    BlockchainAccountId(String),
    /// Hexadecimal.
    PublicKeyHex(String),
    /// Base64.
    PublicKeyBase64(String),
    /// Base58, with Bitcoin's alphabet.
    PublicKeyBase58(String),
    /// PEM.
    PublicKeyPem(String),
    /// Multibase (the letter says which base).
    PublicKeyMultibase(String),
    /// A form that did:ethr does not name, in hexadecimal.
    Value(String),
}

/// A service of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its DID URL.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// A URL, or what its type asks for.
    pub service_endpoint: serde_json::Value,
}

/// About the document: whether it still stands, and which version it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Given up for ever.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deactivated: bool,
    /// Number of the block of the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Time of that block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<String>,
    /// Number of the block of the first change after the version that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_version_id: Option<String>,
    /// Time of that block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<String>,
}

/// A document and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolution {
    /// The document; without keys when deactivated.
    pub did_document: Document,
    /// About it.
    pub did_document_metadata: Metadata,
}

/// What a key of a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relationship {
    /// Logging in; a holder's presentations.
    Authentication,
    /// Statements; an issuer's certificates.
    AssertionMethod,
}

/// A key that a signature can be checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerificationKey {
    /// Known as an account only.
    Account(Address),
    /// Known itself.
    Key(PublicKey),
}

impl VerificationKey {
    /// Verifies a signature over `message`.
    pub fn verify(
        &self,
        provider: &dyn Provider,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        match self {
            Self::Account(account) => provider.verify_account(algorithm, account, message, signature),
            Self::Key(key) => provider.verify(algorithm, key, message, signature),
        }
    }
}

const P256: [u8; 2] = [0x80, 0x24];
const SECP256K1: [u8; 2] = [0xe7, 0x01];
const ED25519: [u8; 2] = [0xed, 0x01];
const X25519: [u8; 2] = [0xec, 0x01];

impl Document {
    /// The keys that stand in this relationship and can check a signature, with their ids.
    pub fn keys(&self, relationship: Relationship, provider: &dyn Provider) -> Vec<(&str, VerificationKey)> {
        let ids = match relationship {
            Relationship::Authentication => &self.authentication,
            Relationship::AssertionMethod => &self.assertion_method,
        };
        self.verification_method
            .iter()
            .filter(|method| ids.contains(&method.id))
            .filter_map(|method| Some((method.id.as_str(), method.key(provider)?)))
            .collect()
    }

    /// The same document with each `Multikey` as `publicKeyMultibase`, the form that its specification (Controlled Identifiers 1.0 §2.2.2)
    /// defines, where the kind of key can be told.
    #[must_use]
    pub fn with_multibase(mut self, provider: &dyn Provider) -> Self {
        for method in &mut self.verification_method {
            if method.kind.0 == MethodType::MULTIKEY
                && let Some(bytes) = method.material.bytes()
                && let Some(multikey) = multikey(&bytes, provider)
            {
                method.material = KeyMaterial::PublicKeyMultibase(format!("z{}", base58::encode(&multikey)));
            }
        }
        self
    }
}

impl VerificationMethod {
    /// The key, where it is one that checks signatures.
    pub fn key(&self, provider: &dyn Provider) -> Option<VerificationKey> {
        if let KeyMaterial::BlockchainAccountId(account) = &self.material {
            let address = account.strip_prefix("eip155:")?.split_once(':')?.1;
            return address.parse().ok().map(VerificationKey::Account);
        }
        let bytes = self.material.bytes()?;
        let key = match self.kind.0.as_str() {
            MethodType::SECP256K1 => secp256k1(&bytes, provider)?,
            MethodType::ED25519 => PublicKey::Ed25519(bytes.try_into().ok()?),
            // A Multikey is written to the registry as its bare point, uncompressed, so that its curve can be told.
            MethodType::MULTIKEY => bare(&bytes, provider)?,
            _ => return None,
        };
        Some(VerificationKey::Key(key))
    }
}

impl KeyMaterial {
    fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::PublicKeyHex(text) => from_hex(text).ok(),
            Self::PublicKeyBase64(text) => from_base64(text).ok(),
            Self::PublicKeyBase58(text) => base58::decode(text),
            // Nobody says how a form without a name is to be read.
            Self::BlockchainAccountId(_) | Self::PublicKeyPem(_) | Self::PublicKeyMultibase(_) | Self::Value(_) => None,
        }
    }
}

fn secp256k1(bytes: &[u8], provider: &dyn Provider) -> Option<PublicKey> {
    match bytes.len() {
        33 => provider.decompress(bytes.try_into().ok()?).ok(),
        65 => on_curve(
            PublicKey::Secp256k1(bytes.try_into().ok()?),
            Algorithm::Es256k,
            provider,
        ),
        _ => None,
    }
}

/// The key of an uncompressed point: one curve at most holds it.
fn bare(bytes: &[u8], provider: &dyn Provider) -> Option<PublicKey> {
    let point: [u8; 65] = bytes.try_into().ok()?;
    on_curve(PublicKey::P256(point), Algorithm::Es256, provider)
        .or_else(|| on_curve(PublicKey::Secp256k1(point), Algorithm::Es256k, provider))
}

/// A provider says [`SignatureError::Key`] for a point that is not on the curve, whatever the signature.
fn on_curve(key: PublicKey, algorithm: Algorithm, provider: &dyn Provider) -> Option<PublicKey> {
    let verdict = provider.verify(algorithm, &key, &[], &[0; 64]);
    (verdict != Err(SignatureError::Key)).then_some(key)
}

/// The multicodec form of a key that is either in it already or an uncompressed point.
fn multikey(bytes: &[u8], provider: &dyn Provider) -> Option<Vec<u8>> {
    let prefixed = |codec: [u8; 2], length: usize| bytes.len() == 2 + length && bytes.starts_with(&codec);
    if prefixed(P256, 33) || prefixed(SECP256K1, 33) || prefixed(ED25519, 32) || prefixed(X25519, 32) {
        return Some(bytes.to_vec());
    }
    let (codec, point) = match bare(bytes, provider)? {
        PublicKey::P256(point) => (P256, point),
        PublicKey::Secp256k1(point) => (SECP256K1, point),
        PublicKey::Ed25519(_) | PublicKey::Rsa(_) => return None,
    };
    Some([&codec[..], &[2 | point[64] & 1], &point[1..33]].concat())
}
