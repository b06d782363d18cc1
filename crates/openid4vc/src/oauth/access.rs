//! Access tokens as they come with a request (RFC 6750 §2.1, RFC 9449 §7.1).

use super::{ErrorCode, Opaque, token::TokenType, wire::MAX_TEXT};

/// The `Authorization` header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// How it is presented.
    pub token_type: TokenType,
    /// The token.
    pub token: Opaque,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// No `Authorization` header. The challenge names no error then (RFC 6750 §3.1).
    #[error("an access token is needed")]
    Missing,
    /// More than one, or not a token of a type that is known.
    #[error("the authorization header is malformed")]
    Malformed,
    /// Unknown, expired or withdrawn.
    #[error("the access token is not valid")]
    Unknown,
    /// Bound to a key, and presented as `Bearer` or without a proof of that key; or not bound, and presented as `DPoP` (RFC 9449 §7.1, §7.2).
    #[error("the access token is bound to another key, or presented in another way than it was given out for")]
    Binding,
}

impl AccessError {
    /// Its code; `None` where no credentials were presented at all (RFC 6750 §3.1).
    pub const fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Missing => None,
            Self::Malformed => Some(ErrorCode::InvalidRequest),
            Self::Unknown | Self::Binding => Some(ErrorCode::InvalidToken),
        }
    }
}

impl AccessToken {
    /// From the values of all `Authorization` headers.
    pub fn parse(headers: &[&str]) -> Result<Self, AccessError> {
        let header = match headers {
            [] => return Err(AccessError::Missing),
            [header] => *header,
            _ => return Err(AccessError::Malformed),
        };
        let (scheme, token) = header.split_once(' ').ok_or(AccessError::Malformed)?;
        let token = token.trim_matches(' ');
        let token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || token.len() > 4 * MAX_TEXT || !token.bytes().all(token68) {
            return Err(AccessError::Malformed);
        }
        Ok(Self {
            token_type: TokenType::from_name(scheme).ok_or(AccessError::Malformed)?,
            token: Opaque::new(token),
        })
    }
    /// The header's value.
    pub fn to_header(&self) -> String {
        format!("{} {}", self.token_type, self.token.expose())
    }
    /// Whether the token, bound to the key with thumbprint `bound` or to none, is presented as it must be: `proof` is the thumbprint of the key
    /// whose DPoP proof came with the request and was verified, with this token.
    pub fn check_binding(&self, bound: Option<&str>, proof: Option<&str>) -> Result<(), AccessError> {
        match (self.token_type, bound, proof) {
            (TokenType::Bearer, None, _) => Ok(()),
            (TokenType::Dpop, Some(bound), Some(proof)) if bound == proof => Ok(()),
            _ => Err(AccessError::Binding),
        }
    }
}
