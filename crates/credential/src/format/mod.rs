//! The renderings: how a [`crate::Statement`] becomes signed text, and how signed text is read back.
//!
//! Each format is split into *prepare* (pure, gives the bytes to sign), *sign* (wherever the key lives) and *finish*. Reading verifies nothing:
//! a [`Parsed`] holds what was claimed and what it takes to check the claim.

pub mod evidence;
pub mod hcert;
pub mod qr;
pub mod sd_jwt_vc;
pub mod vc_jwt;

mod cbor;
mod inflate;

pub(crate) use inflate::{Encoding, InflateError, deflate, inflate};
pub(crate) use vc_jwt::numeric_date;

use crate::{Format, Statement, json::JsonError, jws, jws::JwsError, sd_jwt::SdJwtError};
use std::fmt;
use vidimus_core::{Algorithm, Digest, Provider, reason::Reason};

/// Inflates one complete bare deflate stream (RFC 1951), which is what JOSE calls `DEF`, into at most `max` bytes. `None` where it is not one, or larger.
/// It has no checksum: only for what is authenticated otherwise.
pub fn inflate_raw(bytes: &[u8], max: usize) -> Option<Vec<u8>> {
    inflate(bytes, Encoding::Raw, max).ok()
}

/// The inverse of [`inflate_raw`].
pub fn deflate_raw(bytes: &[u8]) -> Vec<u8> {
    deflate(bytes, Encoding::Raw)
}

/// The longest text of one certificate that is read, in bytes.
pub const MAX_CERTIFICATE: usize = 64 << 10;

/// Why a text is not read as a certificate, or a statement cannot be rendered. Never repeats content: it may be personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Longer than [`MAX_CERTIFICATE`], or larger than that once decompressed.
    #[error("larger than a certificate may be")]
    TooLarge,
    /// Neither a compact JWS of a known type, nor an SD-JWT VC, nor `HC1:`.
    #[error("not a certificate in a known format")]
    Unknown,
    /// Not a readable compact JWS.
    #[error("not a readable JWS")]
    Jws(#[source] JwsError),
    /// The text after `HC1:` is not base45 (RFC 9285).
    #[error("not base45")]
    Base45,
    /// The bytes are not one complete zlib stream (RFC 1950).
    #[error("not a complete zlib stream")]
    Compression,
    /// Not the CBOR it must be; says where.
    #[error("the CBOR is wrong: {0}")]
    Cbor(&'static str),
    /// The algorithm is not in the closed set for this format.
    #[error("the algorithm is not one that is accepted")]
    Algorithm,
    /// A claim that the format requires is missing or has the wrong form.
    #[error("the claim {0} is missing or has the wrong form")]
    Claim(&'static str),
    /// Disclosures do not fit what is signed.
    #[error("the disclosures do not fit")]
    Disclosures(#[source] SdJwtError),
    /// Two places that must say the same do not.
    #[error("two places disagree about {0}")]
    Mismatch(&'static str),
}

impl FormatError {
    /// The reason a check gives for this error.
    pub const fn reason(self) -> Reason {
        match self {
            Self::TooLarge
            | Self::Jws(
                JwsError::TooLarge(_)
                | JwsError::Json {
                    source: JsonError::TooLarge(_),
                    ..
                },
            ) => Reason::TooLarge,
            Self::Unknown => Reason::UnsupportedFormat,
            Self::Algorithm | Self::Jws(JwsError::Algorithm) => Reason::AlgorithmNotAllowed,
            _ => Reason::Malformed,
        }
    }
}

/// A certificate as it was read. Nothing in it is verified. Personal: `Debug` hides what is signed.
#[derive(Clone, PartialEq)]
pub struct Parsed {
    /// Which rendering it is.
    pub format: Format,
    /// What it says.
    pub content: Content,
    /// The algorithm its header claims.
    pub algorithm: Algorithm,
    /// Which key its header hints at.
    pub key: KeyHint,
    /// The bytes that are signed: JWS signing input, or COSE's Sig_structure.
    pub message: Vec<u8>,
    /// The signature, raw (r ‖ s for ECDSA).
    pub signature: Vec<u8>,
}

impl fmt::Debug for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parsed")
            .field("format", &self.format)
            .field("content", &self.content)
            .field("algorithm", &self.algorithm)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Parsed {
    /// SHA-256 of the signed bytes: what is anchored, revoked and deduplicated by, with the copy's id.
    pub fn digest(&self, provider: &dyn Provider) -> Digest {
        provider.sha256(&[&self.message])
    }
    /// The statement, where the format carries a whole one; an HCERT becomes one through its category (`Category::from_dcc`).
    pub fn statement(&self) -> Option<&Statement> {
        match &self.content {
            Content::Statement(statement) => Some(statement),
            Content::Hcert(_) | Content::SdJwtVc(_) => None,
        }
    }
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// The statement itself (both VC renderings).
    Statement(Box<Statement>),
    /// A health certificate payload.
    Hcert(Box<hcert::Content>),
    /// What an SD-JWT VC says in the clear, and its disclosures.
    SdJwtVc(Box<sd_jwt_vc::Content>),
}

/// Which of the issuer's keys a certificate says it was signed with. A hint: only keys that are trusted for other reasons are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyHint {
    /// `kid` of a JWS: a DID URL, or whatever a foreign issuer writes.
    Kid(String),
    /// `kid` of a COSE message: the first 8 bytes of SHA-256 of the signer's certificate; foreign ones may have another length.
    Bytes(Vec<u8>),
    /// No hint.
    None,
}

/// A certificate that waits for its signature, in any format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsigned {
    /// A VC as JWT.
    Jws(jws::Unsigned),
    /// An HCERT.
    Hcert(hcert::Unsigned),
    /// An SD-JWT VC.
    SdJwtVc(sd_jwt_vc::Unsigned),
}

impl Unsigned {
    /// From the bytes that an earlier [`Self::to_kept`] gave, kept while the signature was made elsewhere.
    pub fn from_message(format: Format, message: Vec<u8>) -> Result<Self, FormatError> {
        Ok(match format {
            Format::VcJwt11 | Format::VcJwt20 => {
                Self::Jws(jws::Unsigned::from_message(message).map_err(FormatError::Jws)?)
            }
            Format::Hcert => Self::Hcert(hcert::Unsigned::from_message(&message)?),
            Format::SdJwtVc => Self::SdJwtVc(sd_jwt_vc::Unsigned::from_kept(message)?),
        })
    }
    /// What it takes to finish it later: the bytes to sign, and in an SD-JWT VC the disclosures.
    pub fn to_kept(&self) -> Vec<u8> {
        match self {
            Self::Jws(unsigned) => unsigned.message().to_vec(),
            Self::Hcert(unsigned) => unsigned.message().to_vec(),
            Self::SdJwtVc(unsigned) => unsigned.to_kept(),
        }
    }
    /// The bytes to sign.
    pub fn message(&self) -> &[u8] {
        match self {
            Self::Jws(unsigned) => unsigned.message(),
            Self::Hcert(unsigned) => unsigned.message(),
            Self::SdJwtVc(unsigned) => unsigned.message(),
        }
    }
    /// SHA-256 of [`Self::message`].
    pub fn digest(&self, provider: &dyn Provider) -> Digest {
        provider.sha256(&[self.message()])
    }
    /// The finished certificate. `signature` is raw (r ‖ s, not DER).
    pub fn finish(self, signature: &[u8]) -> String {
        match self {
            Self::Jws(unsigned) => unsigned.finish(signature),
            Self::Hcert(unsigned) => unsigned.finish(signature),
            Self::SdJwtVc(unsigned) => unsigned.finish(signature),
        }
    }
}

/// Reads a certificate in whichever format it is. Surrounding white space is not part of it.
pub fn parse(text: &str) -> Result<Parsed, FormatError> {
    if text.len() > MAX_CERTIFICATE {
        return Err(FormatError::TooLarge);
    }
    // Base45 has a space in its alphabet, so a trailing one may belong to an HCERT.
    let text = text.trim_start().trim_end_matches(['\r', '\n', '\t']);
    if text.starts_with(hcert::PREFIX) {
        hcert::parse(text)
    } else if memchr::memchr(b'~', text.as_bytes()).is_some() {
        sd_jwt_vc::parse(text.trim_end())
    } else {
        vc_jwt::parse(text.trim_end())
    }
}
