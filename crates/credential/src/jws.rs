//! Compact JWS (RFC 7515 §3.1, §7.1): strict reading, and making in three steps: prepare, sign, finish.
//!
//! No crate does ES256K and its recoverable form, and none lets the signature be made elsewhere; hence this small layer.
//! It reads and never verifies: which key, and which algorithm that key signs with, is the caller's to know
//! ([`vidimus_core::Provider::verify`] with the algorithm of the trusted key record). Header members that point at keys (`jwk`, `jku`,
//! `x5u`) are not even kept; `x5c` is, for [`crate::x509::leaf_of_chain`] and roots the caller trusts.

use crate::json::{self, JsonError, Members, Node};
use serde_json::{Map, Value};
use std::fmt;
use vidimus_core::{Algorithm, Digest, Provider, SignatureError, encoding};

/// The longest header that is read, in bytes of JSON. A chain in `x5c` is most of it.
pub const MAX_HEADER: usize = 32 << 10;
/// The most certificates in an `x5c` header that are read.
pub const MAX_CHAIN: usize = 4;

/// Why a text is not read as a compact JWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Longer than the caller allows.
    #[error("the token is longer than {0} bytes")]
    TooLarge(usize),
    /// Not exactly three parts separated by full stops.
    #[error("a compact JWS has three parts")]
    Parts,
    /// A part is not base64url without padding.
    #[error("{0} is not base64url")]
    Base64(Part),
    /// A part is not the JSON it must be.
    #[error("{part} is not readable")]
    Json {
        /// Which part.
        part: Part,
        /// What is wrong with it.
        #[source]
        source: JsonError,
    },
    /// A registered header parameter has the wrong type.
    #[error("the header parameter {0} has the wrong form")]
    Parameter(&'static str),
    /// `alg` is missing, `none`, or not in the closed set of [`Algorithm`].
    #[error("the algorithm is not one that is accepted")]
    Algorithm,
    /// The header asks for an extension (`crit`, or `b64` of RFC 7797): none is implemented, so all are refused (RFC 7515 §4.1.11).
    #[error("the header asks for an extension that is not implemented")]
    Critical,
}

/// The parts of a compact JWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The protected header.
    Header,
    /// The payload.
    Payload,
    /// The signature.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the header",
            Self::Payload => "the payload",
            Self::Signature => "the signature",
        })
    }
}

/// What a header says that is used. All of it is a claim until the signature is verified with a key found by other means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `alg`: claimed; compare it with the algorithm of the key record.
    pub algorithm: Algorithm,
    /// `typ` (RFC 7515 §4.1.9), as written.
    pub typ: Option<String>,
    /// `cty` (§4.1.10), as written.
    pub cty: Option<String>,
    /// `kid` (§4.1.4): a hint which of the issuer's trusted keys to take.
    pub kid: Option<String>,
    /// `x5c` (§4.1.6): DER of the leaf first; means nothing before it is checked against trusted roots.
    pub x5c: Vec<Vec<u8>>,
}

impl Header {
    /// Whether `typ` names the media type `name`, given without `application/`: compared as RFC 7515 §4.1.9 and RFC 7519 §5.1 ask,
    /// without regard to case and with or without that prefix.
    pub fn is_type(&self, name: &str) -> bool {
        self.typ.as_deref().is_some_and(|typ| {
            let bare = match typ.get(..12) {
                Some(prefix) if prefix.eq_ignore_ascii_case("application/") => &typ[12..],
                _ => typ,
            };
            bare.eq_ignore_ascii_case(name)
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, JwsError> {
        let members = json::read_object(bytes, MAX_HEADER).map_err(|source| JwsError::Json {
            part: Part::Header,
            source,
        })?;
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(JwsError::Critical);
        }
        let text = |name: &'static str| match members.get(name) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text.clone().into_owned())),
            Some(_) => Err(JwsError::Parameter(name)),
        };
        let algorithm = members.get("alg").and_then(Node::as_str).and_then(Algorithm::from_name);
        Ok(Self {
            algorithm: algorithm.ok_or(JwsError::Algorithm)?,
            typ: text("typ")?,
            cty: text("cty")?,
            kid: text("kid")?,
            x5c: members.get("x5c").map_or(Ok(Vec::new()), chain)?,
        })
    }
}

fn chain(value: &Node<'_>) -> Result<Vec<Vec<u8>>, JwsError> {
    let refused = JwsError::Parameter("x5c");
    let list = value
        .as_list()
        .filter(|list| (1..=MAX_CHAIN).contains(&list.len()))
        .ok_or(refused)?;
    list.iter()
        .map(|item| {
            item.as_str()
                .and_then(|text| encoding::from_base64(text).ok())
                .ok_or(refused)
        })
        .collect()
}

/// A compact JWS that was read and not verified.
#[derive(Clone)]
pub struct Jws<'a> {
    header: Header,
    signing_input: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl fmt::Debug for Jws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jws")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl<'a> Jws<'a> {
    /// Reads `token`, of at most `max_bytes`. The payload is decoded, not interpreted.
    pub fn parse(token: &'a str, max_bytes: usize) -> Result<Self, JwsError> {
        if token.len() > max_bytes {
            return Err(JwsError::TooLarge(max_bytes));
        }
        let mut stops = memchr::memchr_iter(b'.', token.as_bytes());
        let (Some(first), Some(second), None) = (stops.next(), stops.next(), stops.next()) else {
            return Err(JwsError::Parts);
        };
        let (header, payload, signature) = (&token[..first], &token[first + 1..second], &token[second + 1..]);
        if header.len() > MAX_HEADER / 3 * 4 + 4 {
            return Err(JwsError::Json {
                part: Part::Header,
                source: JsonError::TooLarge(MAX_HEADER),
            });
        }
        let decode = |part, text| encoding::from_base64url(text).map_err(|_| JwsError::Base64(part));
        Ok(Self {
            header: Header::parse(&decode(Part::Header, header)?)?,
            signing_input: &token[..header.len() + 1 + payload.len()],
            payload: decode(Part::Payload, payload)?,
            signature: decode(Part::Signature, signature)?,
        })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }
    /// All members of the header, for protocols that have some of their own (a proof's `jwk`, a key attestation): claims of whoever made it.
    pub fn header_members(&self) -> Map<String, Value> {
        let text = self.signing_input.split('.').next().unwrap_or_default();
        let bytes = encoding::from_base64url(text).expect("it was decoded when it was read");
        json::parse_object(&bytes, MAX_HEADER).expect("it was read before")
    }
    /// The bytes that are signed: the first two parts with their full stop (RFC 7515 §5.1).
    pub fn message(&self) -> &'a [u8] {
        self.signing_input.as_bytes()
    }
    /// The payload's bytes.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
    /// The payload as a JSON object that borrows from it.
    pub fn members(&self) -> Result<Members<'_>, JwsError> {
        json::read_object(&self.payload, usize::MAX).map_err(|source| JwsError::Json {
            part: Part::Payload,
            source,
        })
    }
    /// The payload as a JSON object (what a JWT has, RFC 7519 §7.2).
    pub fn claims(&self) -> Result<Map<String, Value>, JwsError> {
        json::parse_object(&self.payload, usize::MAX).map_err(|source| JwsError::Json {
            part: Part::Payload,
            source,
        })
    }
    /// The signature's bytes.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
    /// SHA-256 of [`Self::message`].
    pub fn digest(&self, provider: &dyn Provider) -> Digest {
        provider.sha256(&[self.message()])
    }
    /// What remains once the payload has been interpreted: enough to verify, nothing borrowed.
    pub fn into_signed(self) -> Signed {
        Signed {
            header: self.header,
            message: self.signing_input.as_bytes().to_vec(),
            signature: self.signature,
        }
    }
}

/// The signed half of a JWS whose payload has been interpreted. Not verified. The payload may be personal: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// The header: claims about the key.
    pub header: Header,
    /// The bytes that are signed.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl Signed {
    /// Verifies with a trusted key. `algorithm` is that of the key record; a header that claims another is refused.
    pub fn verify(
        &self,
        provider: &dyn Provider,
        algorithm: Algorithm,
        key: &vidimus_core::PublicKey,
    ) -> Result<(), SignatureError> {
        if self.header.algorithm != algorithm {
            return Err(SignatureError::Key);
        }
        provider.verify(algorithm, key, &self.message, &self.signature)
    }
}

/// A JWS whose header and payload are final, and which waits for its signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Unsigned(String);

impl fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("jws::Unsigned(…)")
    }
}

impl Unsigned {
    /// From the header's members and the payload's bytes. The header must hold `alg`; the caller signs with that algorithm.
    pub fn new(header: &Map<String, Value>, payload: &[u8]) -> Self {
        let header = serde_json::to_vec(header).expect("a map of JSON values with text keys always writes");
        Self(format!(
            "{}.{}",
            encoding::base64url(&header),
            encoding::base64url(payload)
        ))
    }
    /// From the signing input that an earlier [`Self::message`] gave (kept while the signature was made elsewhere).
    pub fn from_message(message: Vec<u8>) -> Result<Self, JwsError> {
        let text = String::from_utf8(message).map_err(|_| JwsError::Parts)?;
        let (header, payload) = text.split_once('.').ok_or(JwsError::Parts)?;
        Header::parse(&encoding::from_base64url(header).map_err(|_| JwsError::Base64(Part::Header))?)?;
        encoding::from_base64url(payload).map_err(|_| JwsError::Base64(Part::Payload))?;
        Ok(Self(text))
    }
    /// The bytes to sign.
    pub fn message(&self) -> &[u8] {
        self.0.as_bytes()
    }
    /// SHA-256 of [`Self::message`].
    pub fn digest(&self, provider: &dyn Provider) -> Digest {
        provider.sha256(&[self.message()])
    }
    /// The finished token. `signature` is raw (r ‖ s, not DER).
    pub fn finish(self, signature: &[u8]) -> String {
        let mut token = self.0;
        token.push('.');
        token.push_str(&encoding::base64url(signature));
        token
    }
}
