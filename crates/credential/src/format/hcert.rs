//! HCERT: the EU Digital COVID Certificate and WHO GDHCN health certificate
//! (Electronic Health Certificate Specification 1.3): CWT claims in a COSE_Sign1, zlib, base45, `HC1:`.
//!
//! What is read is what the EU's own validators accept: with or without the CBOR tags 61 and 18, `alg` and `kid` in either header with
//! the protected one winning, whole or fractional numeric dates, tagged date texts. What is made has one form: tag 18, both
//! parameters protected, deterministic CBOR (RFC 8949 §4.2.1).

use super::{FormatError, Parsed};
use crate::StatusReference;
use serde_json::Value;
use vidimus_core::Timestamp;

/// What the text of a health certificate begins with (specification §4: version 1 of the context).
pub const PREFIX: &str = "HC1:";
/// The largest COSE message that is inflated to.
pub const MAX_INFLATED: usize = 64 << 10;

/// The claims of an HCERT.
#[derive(Clone, PartialEq)]
pub struct Content {
    /// `iss` (1): ISO 3166-1 alpha-2 code of the issuing country. Optional in the specification; we always write it.
    pub issuer_country: Option<String>,
    /// `iat` (6).
    pub issued_at: Timestamp,
    /// `exp` (4).
    pub expires_at: Timestamp,
    /// The EU DCC payload: `hcert` (-260), key 1.
    pub dcc: Value,
    /// Token Status List reference: claim 65535 (draft-ietf-oauth-status-list §6.3). Foreign certificates have none.
    pub status: Option<StatusReference>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("hcert::Content")
            .field("issuer_country", &self.issuer_country)
            .finish_non_exhaustive()
    }
}

/// An HCERT that waits for its ES256 signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Unsigned {
    message: Vec<u8>,
}

impl std::fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hcert::Unsigned(…)")
    }
}

impl Unsigned {
    /// From the Sig_structure that an earlier [`Self::message`] gave.
    pub fn from_message(message: &[u8]) -> Result<Self, FormatError> {
        todo!("{}", message.len())
    }
    /// The Sig_structure (RFC 9052 §4.4): the bytes to sign.
    pub fn message(&self) -> &[u8] {
        &self.message
    }
    /// The text of the certificate, `HC1:…`. `signature` is r ‖ s.
    pub fn finish(self, signature: &[u8]) -> String {
        todo!("{}", signature.len())
    }
}

/// Prepares an HCERT to be signed with ES256. `kid` is the first 8 bytes of SHA-256 of the signer's certificate
/// ([`crate::x509::Certificate::kid`]).
pub fn prepare(content: &Content, kid: [u8; 8]) -> Result<Unsigned, FormatError> {
    todo!("{content:?}{kid:?}")
}

/// Reads an HCERT.
pub fn parse(text: &str) -> Result<Parsed, FormatError> {
    todo!("{}", text.len())
}
