//! What a wallet is told when it is refused: the error codes of OAuth and OpenID4VCI.

use crate::app::error::Error;
use vidimus_openid4vc::{
    oauth::{ErrorCode, ErrorResponse},
    vci::CredentialErrorCode,
};

/// A refusal of an endpoint that wallets speak to.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Of an authorization server's endpoint, or of a token (RFC 6749 §5.2, RFC 6750 §3.1, RFC 9449 §7.1).
    #[error("{code}: {description}")]
    Oauth {
        /// The code; none where no token came at all.
        code: ErrorCode,
        /// A sentence for the wallet's developer. Repeats nothing that was sent.
        description: String,
        /// Whether it is about the token that came with the request, so that the answer is a challenge.
        token: bool,
    },
    /// No token came at all (RFC 6750 §3.1).
    #[error("an access token is needed")]
    NoToken,
    /// Of a credential endpoint (OpenID4VCI §8.3.1.2, §9.3, §11.3).
    #[error("{code}: {description}")]
    Credential {
        /// The code.
        code: CredentialErrorCode,
        /// A sentence for the wallet's developer.
        description: String,
    },
    /// Not the wallet's fault, or nothing that the protocol has a code for.
    #[error(transparent)]
    App(#[from] Error),
}

impl Refusal {
    /// At an authorization server's endpoint.
    pub fn oauth(code: ErrorCode, description: impl ToString) -> Self {
        Self::Oauth {
            code,
            description: description.to_string(),
            token: false,
        }
    }
    /// About the token, or its proof, at a resource.
    pub fn token(code: ErrorCode, description: impl ToString) -> Self {
        Self::Oauth {
            code,
            description: description.to_string(),
            token: true,
        }
    }
    /// At a credential endpoint.
    pub fn credential(code: CredentialErrorCode, description: impl ToString) -> Self {
        Self::Credential {
            code,
            description: description.to_string(),
        }
    }
    /// The body, where the protocol has one.
    pub fn response(&self) -> Option<ErrorResponse> {
        match self {
            Self::Oauth { code, description, .. } => Some(ErrorResponse::new(code.name(), description)),
            Self::NoToken => Some(ErrorResponse::new(
                ErrorCode::InvalidToken.name(),
                "an access token is needed",
            )),
            Self::Credential { code, description } => Some(code.response(description)),
            Self::App(_) => None,
        }
    }
}

impl From<vidimus_store::Error> for Refusal {
    fn from(error: vidimus_store::Error) -> Self {
        Self::App(error.into())
    }
}

impl From<vidimus_crypto::Error> for Refusal {
    fn from(error: vidimus_crypto::Error) -> Self {
        Self::App(error.into())
    }
}
