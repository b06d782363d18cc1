//! Client identifiers and their prefixes (§5.9).

use crate::oauth::Endpoint;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::{fmt, str::FromStr};
use vidimus_core::{Digest, Provider, encoding};
use vidimus_credential::x509::{Certificate, CertificateError};

/// The prefixes that are known here (§5.9.3), by which a wallet knows how to authenticate a verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Prefix {
    /// SHA-256 of the certificate that signs the request. The one that HAIP 1.0 §5 allows.
    #[serde(rename = "x509_hash")]
    X509Hash,
    /// A DNS name in the certificate that signs the request.
    #[serde(rename = "x509_san_dns")]
    X509SanDns,
    /// A DID whose document has the key.
    #[serde(rename = "decentralized_identifier")]
    DecentralizedIdentifier,
    /// Nobody in particular: where the response goes. Cannot be signed.
    #[serde(rename = "redirect_uri")]
    RedirectUri,
    /// No prefix: a client that the wallet knows already.
    #[serde(rename = "pre-registered")]
    PreRegistered,
}

impl Prefix {
    /// All.
    pub const ALL: [Self; 5] = [
        Self::X509Hash,
        Self::X509SanDns,
        Self::DecentralizedIdentifier,
        Self::RedirectUri,
        Self::PreRegistered,
    ];

    /// As `client_id_prefixes_supported` names it (§10.1).
    pub const fn name(self) -> &'static str {
        match self {
            Self::X509Hash => "x509_hash",
            Self::X509SanDns => "x509_san_dns",
            Self::DecentralizedIdentifier => "decentralized_identifier",
            Self::RedirectUri => "redirect_uri",
            Self::PreRegistered => "pre-registered",
        }
    }
    /// Whether requests under it are signed.
    pub const fn is_signed(self) -> bool {
        !matches!(self, Self::RedirectUri)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text is not read as a client identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientIdError {
    /// Empty, too long, or with characters that no identifier has.
    #[error("not a client identifier")]
    Malformed,
    /// A prefix that is not known here. It may not pass for a pre-registered client either (§5.9.2).
    #[error("the client identifier's prefix is not supported")]
    Prefix,
    /// What follows the prefix is not what this prefix asks for.
    #[error("the client identifier is none of its prefix {0}")]
    Content(Prefix),
}

/// Who asks, always with its prefix (§14.8). Text form as in `client_id`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum ClientId {
    /// `x509_hash:` and the SHA-256 of the leaf's DER.
    X509Hash(Digest),
    /// `x509_san_dns:` and a DNS name.
    X509SanDns(String),
    /// `decentralized_identifier:` and a DID.
    Did(String),
    /// `redirect_uri:` and the URL that the response goes to.
    RedirectUri(Endpoint),
    /// No prefix.
    PreRegistered(String),
}

impl ClientId {
    /// Its prefix.
    pub const fn prefix(&self) -> Prefix {
        match self {
            Self::X509Hash(_) => Prefix::X509Hash,
            Self::X509SanDns(_) => Prefix::X509SanDns,
            Self::Did(_) => Prefix::DecentralizedIdentifier,
            Self::RedirectUri(_) => Prefix::RedirectUri,
            Self::PreRegistered(_) => Prefix::PreRegistered,
        }
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X509Hash(digest) => write!(f, "x509_hash:{}", encoding::base64url(digest.as_bytes())),
            Self::X509SanDns(name) => write!(f, "x509_san_dns:{name}"),
            Self::Did(did) => write!(f, "decentralized_identifier:{did}"),
            Self::RedirectUri(uri) => write!(f, "redirect_uri:{uri}"),
            Self::PreRegistered(id) => f.write_str(id),
        }
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ClientId {
    type Err = ClientIdError;
    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        if !(1..=super::MAX_TEXT).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ClientIdError::Malformed);
        }
        // The first colon ends the prefix, whatever follows (§5.9.1).
        let Some((prefix, id)) = text.split_once(':') else {
            return Ok(Self::PreRegistered(text.to_owned()));
        };
        let refused = ClientIdError::Content;
        match prefix {
            "x509_hash" => encoding::from_base64url(id)
                .ok()
                .and_then(|bytes| bytes.try_into().ok())
                .map(|bytes| Self::X509Hash(Digest(bytes)))
                .ok_or(refused(Prefix::X509Hash)),
            "x509_san_dns" if is_dns_name(id) => Ok(Self::X509SanDns(id.to_owned())),
            "x509_san_dns" => Err(refused(Prefix::X509SanDns)),
            "decentralized_identifier" if is_did(id) => Ok(Self::Did(id.to_owned())),
            "decentralized_identifier" => Err(refused(Prefix::DecentralizedIdentifier)),
            "redirect_uri" => Endpoint::new(id)
                .map(Self::RedirectUri)
                .map_err(|_| refused(Prefix::RedirectUri)),
            _ => Err(ClientIdError::Prefix),
        }
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// RFC 1123 §2.1, at least one label.
fn is_dns_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// DID Core §3.1, without path, query or fragment.
fn is_did(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let method = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let id = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
    parts.next() == Some("did")
        && parts.next().is_some_and(method)
        && parts
            .next()
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(id) && !rest.ends_with(':'))
}

/// A verifier's own identifier, with what its request objects carry as evidence for it. The signing key is the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    id: ClientId,
    evidence: Evidence,
    /// Hosts that responses may go to; `None` where nothing says which.
    hosts: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Evidence {
    Chain(Vec<Vec<u8>>),
    Kid(String),
    Nothing,
}

impl Client {
    /// Known by its certificate. `chain` holds the leaf first and no trust anchor (HAIP 1.0 §5).
    pub fn x509_hash(chain: Vec<Vec<u8>>, provider: &dyn Provider) -> Result<Self, CertificateError> {
        let leaf = check_chain(&chain)?;
        Ok(Self {
            id: ClientId::X509Hash(leaf.fingerprint(provider)),
            evidence: Evidence::Chain(chain),
            hosts: Some(leaf.dns_names),
        })
    }
    /// Known by a DNS name of its certificate.
    pub fn x509_san_dns(name: &str, chain: Vec<Vec<u8>>) -> Result<Self, CertificateError> {
        let leaf = check_chain(&chain)?;
        if !is_dns_name(name) || !leaf.names_host(name) {
            return Err(CertificateError::Chain);
        }
        Ok(Self {
            id: ClientId::X509SanDns(name.to_owned()),
            evidence: Evidence::Chain(chain),
            hosts: Some(vec![name.to_owned()]),
        })
    }
    /// Known by its DID; `kid` is the DID URL of the verification method that signs.
    pub fn did(did: &str, kid: &str) -> Result<Self, ClientIdError> {
        let refused = ClientIdError::Content(Prefix::DecentralizedIdentifier);
        if !is_did(did) || !names_key_of(kid, did) {
            return Err(refused);
        }
        Ok(Self {
            id: ClientId::Did(did.to_owned()),
            evidence: Evidence::Kid(kid.to_owned()),
            hosts: None,
        })
    }
    /// Nobody in particular, whose requests are not signed.
    pub fn redirect_uri(response_uri: Endpoint) -> Self {
        Self {
            id: ClientId::RedirectUri(response_uri),
            evidence: Evidence::Nothing,
            hosts: None,
        }
    }
    /// `client_id`.
    pub fn id(&self) -> &ClientId {
        &self.id
    }
    /// Whether a wallet that keeps to our policy would let a response go to this host.
    pub(super) fn may_respond_to(&self, host: &str) -> bool {
        let same = |known: &String| known.eq_ignore_ascii_case(host);
        self.hosts.as_ref().is_none_or(|hosts| hosts.iter().any(same))
    }
    /// Adds `x5c` or `kid` to a request object's header.
    pub(super) fn add_evidence(&self, header: &mut Map<String, Value>) {
        match &self.evidence {
            Evidence::Chain(chain) => {
                let chain: Vec<String> = chain.iter().map(|der| encoding::base64(der)).collect();
                header.insert("x5c".into(), chain.into());
            }
            Evidence::Kid(kid) => drop(header.insert("kid".into(), kid.as_str().into())),
            Evidence::Nothing => {}
        }
    }
}

/// Whether `kid` is a DID URL that names a verification method of `did`.
pub(super) fn names_key_of(kid: &str, did: &str) -> bool {
    kid.len() <= super::MAX_TEXT
        && kid
            .strip_prefix(did)
            .and_then(|rest| rest.strip_prefix('#'))
            .is_some_and(|fragment| !fragment.is_empty() && fragment.bytes().all(|b| b.is_ascii_graphic()))
}

fn check_chain(chain: &[Vec<u8>]) -> Result<Certificate, CertificateError> {
    let all: Vec<_> = chain
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect::<Result<_, _>>()?;
    if all.len() > vidimus_credential::jws::MAX_CHAIN || all.iter().any(Certificate::is_self_issued) {
        return Err(CertificateError::Chain);
    }
    all.into_iter()
        .next()
        .filter(|leaf| !leaf.is_authority)
        .ok_or(CertificateError::Chain)
}
