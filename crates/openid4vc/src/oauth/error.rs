//! Error codes and the JSON they travel in.

use super::wire::{self, WireError};
use crate::codes::codes;
use serde::{Deserialize, Serialize};

codes! {
    /// Error codes of the OAuth endpoints. An answer with status 400 carries them, but for [`Self::InvalidClient`] and
    /// [`Self::InvalidToken`] (401, the latter with `WWW-Authenticate`), [`Self::InsufficientScope`] (403), [`Self::ServerError`] (500) and
    /// [`Self::TemporarilyUnavailable`] (503); at a resource the DPoP ones have 401 too (RFC 9449 §7.1).
    ErrorCode:
    /// A parameter is missing, twice or malformed (RFC 6749 §5.2).
    InvalidRequest = "invalid_request";
    /// Client authentication failed (RFC 6749 §5.2).
    InvalidClient = "invalid_client";
    /// A code or refresh token is wrong, expired, used or another client's (RFC 6749 §5.2; OpenID4VCI §6.3 for a wrong `tx_code`).
    InvalidGrant = "invalid_grant";
    /// The client may not use this grant (RFC 6749 §5.2).
    UnauthorizedClient = "unauthorized_client";
    /// The grant is not one that this server knows (RFC 6749 §5.2).
    UnsupportedGrantType = "unsupported_grant_type";
    /// The scope is unknown or more than was granted (RFC 6749 §5.2).
    InvalidScope = "invalid_scope";
    /// The person or the server said no (RFC 6749 §4.1.2.1).
    AccessDenied = "access_denied";
    /// Only `code` is supported (RFC 6749 §4.1.2.1).
    UnsupportedResponseType = "unsupported_response_type";
    /// Something unexpected (RFC 6749 §4.1.2.1).
    ServerError = "server_error";
    /// Overloaded or under maintenance (RFC 6749 §4.1.2.1).
    TemporarilyUnavailable = "temporarily_unavailable";
    /// The access token is missing what it needs, unknown, expired or bound to another key (RFC 6750 §3.1).
    InvalidToken = "invalid_token";
    /// The access token is for less (RFC 6750 §3.1).
    InsufficientScope = "insufficient_scope";
    /// The DPoP proof is missing or wrong (RFC 9449 §5, §7.1).
    InvalidDpopProof = "invalid_dpop_proof";
    /// Again, with the nonce of the header `DPoP-Nonce` (RFC 9449 §8, §9).
    UseDpopNonce = "use_dpop_nonce";
    /// An authorization detail is of an unknown type or malformed (RFC 9396 §5).
    InvalidAuthorizationDetails = "invalid_authorization_details";
    /// The resource is not one of this server's (RFC 8707 §2).
    InvalidTarget = "invalid_target";
    /// The client attestation or its proof of possession does not verify (attestation-based client authentication §6.2).
    InvalidClientAttestation = "invalid_client_attestation";
    /// Again, with the challenge of the header `OAuth-Client-Attestation-Challenge` (§6.2).
    UseAttestationChallenge = "use_attestation_challenge";
    /// The client attestation is too old for this server (§6.2).
    UseFreshAttestation = "use_fresh_attestation";
    /// The `request_uri` is unknown, expired or another client's (RFC 9101 §6.2, RFC 9126 §4).
    InvalidRequestUri = "invalid_request_uri";
}

/// An error as it stands in the body (RFC 6749 §5.2, OpenID4VCI §8.3.1): of an OAuth endpoint, and of the credential endpoints alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorResponse {
    /// The code.
    pub error: String,
    /// A sentence for a developer, of the characters that RFC 6749 §5.2 allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
}

impl ErrorResponse {
    /// With a description, reduced to the characters that may be in one.
    pub fn new(code: &str, description: &str) -> Self {
        Self {
            error: code.to_owned(),
            error_description: Some(plain(description)),
        }
    }
    /// Reads one. What it says is the sender's: it is shown, if at all, as theirs.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let response: Self = wire::read(bytes, "error response")?;
        let code = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if response.error.is_empty() || response.error.len() > 100 || !response.error.bytes().all(code) {
            return Err(WireError::Form("error response"));
        }
        Ok(Self {
            error_description: response.error_description.as_deref().map(plain),
            ..response
        })
    }
    /// The code, where it is one of OAuth's.
    pub fn code(&self) -> Option<ErrorCode> {
        ErrorCode::from_name(&self.error)
    }
}

/// At most 300 characters of `%x20-21 / %x23-5B / %x5D-7E`; others become `'` or `?`.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .take(300)
        .map(|c| match c {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => c,
            _ => '?',
        })
        .collect()
}
