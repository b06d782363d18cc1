//! The token endpoint (RFC 6749 §4.1.3, §5, §6; OpenID4VCI §6).

use super::{
    AuthorizationDetail, ErrorCode, Form, Identifier, Opaque, Scope,
    authorization::{RequestError, short},
    metadata::PRE_AUTHORIZED,
    wire::{self, MAX_TEXT, WireError},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// What a token request gives for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The code of an offer (OpenID4VCI §6.1).
    PreAuthorized {
        /// The code.
        code: Opaque,
        /// What came by the second channel.
        tx_code: Option<Opaque>,
    },
    /// The code that came through the browser (RFC 6749 §4.1.3).
    AuthorizationCode {
        /// The code.
        code: Opaque,
        /// Where it came to.
        redirect_uri: Option<String>,
        /// PKCE's verifier.
        code_verifier: Option<Opaque>,
    },
    /// A refresh token (RFC 6749 §6).
    Refresh(Opaque),
}

/// A token request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// What is given.
    pub grant: Grant,
    /// Who asks. May be absent where the client authenticates otherwise, or not at all.
    pub client_id: Option<String>,
    /// Less than was granted, by scope.
    pub scope: Option<Scope>,
    /// Less than was granted, in detail (OpenID4VCI §6.1.1).
    pub authorization_details: Option<Vec<AuthorizationDetail>>,
    /// The credential issuer (RFC 8707).
    pub resource: Option<String>,
}

/// Why a token request is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRequestError {
    /// A parameter is missing or not accepted.
    #[error("the token request is malformed")]
    Request(#[from] RequestError),
    /// The grant type is not one of the three.
    #[error("the grant type is not supported")]
    Grant,
    /// `tx_code` with another grant than that of a pre-authorized code (OpenID4VCI §6.1).
    #[error("a transaction code goes with a pre-authorized code only")]
    TxCode,
}

impl TokenRequestError {
    /// Its code.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Request(error) => error.code(),
            Self::Grant => ErrorCode::UnsupportedGrantType,
            Self::TxCode => ErrorCode::InvalidRequest,
        }
    }
}

impl From<super::form::FormError> for TokenRequestError {
    fn from(error: super::form::FormError) -> Self {
        Self::Request(RequestError::Form(error))
    }
}

impl TokenRequest {
    /// A request that gives `grant` and says nothing else.
    pub fn new(grant: Grant) -> Self {
        Self {
            grant,
            client_id: None,
            scope: None,
            authorization_details: None,
            resource: None,
        }
    }

    /// Reads one; `issuer` and `must_locate` as in [`super::authorization::AuthorizationRequest::parse`].
    pub fn parse(form: &Form, issuer: &Identifier, must_locate: bool) -> Result<Self, TokenRequestError> {
        let secret = |name| Ok::<_, RequestError>(short(form, name)?.map(Opaque::new));
        let needed = |name| secret(name)?.ok_or(RequestError::Missing(name));
        let tx_code = secret("tx_code")?;
        let grant_type = short(form, "grant_type")?.ok_or(RequestError::Missing("grant_type"))?;
        let grant = match grant_type.as_str() {
            PRE_AUTHORIZED => Grant::PreAuthorized {
                code: needed("pre-authorized_code")?,
                tx_code,
            },
            _ if tx_code.is_some() => return Err(TokenRequestError::TxCode),
            "authorization_code" => Grant::AuthorizationCode {
                code: needed("code")?,
                redirect_uri: short(form, "redirect_uri")?,
                code_verifier: secret("code_verifier")?,
            },
            "refresh_token" => Grant::Refresh(needed("refresh_token")?),
            _ => return Err(TokenRequestError::Grant),
        };
        let details = form
            .get("authorization_details")
            .map(|text| AuthorizationDetail::parse_request(text, issuer.as_str(), must_locate));
        Ok(Self {
            grant,
            client_id: short(form, "client_id")?,
            scope: short(form, "scope")?
                .map(|text| Scope::parse(&text).ok_or(RequestError::Scope))
                .transpose()?,
            authorization_details: details.transpose().map_err(RequestError::Details)?,
            resource: short(form, "resource")?,
        })
    }

    /// As a form.
    pub fn to_form(&self) -> Form {
        let form = match &self.grant {
            Grant::PreAuthorized { code, tx_code } => Form::new()
                .with("grant_type", PRE_AUTHORIZED)
                .with("pre-authorized_code", code.expose())
                .with_some("tx_code", tx_code.as_ref().map(Opaque::expose)),
            Grant::AuthorizationCode {
                code,
                redirect_uri,
                code_verifier,
            } => Form::new()
                .with("grant_type", "authorization_code")
                .with("code", code.expose())
                .with_some("redirect_uri", redirect_uri.as_deref())
                .with_some("code_verifier", code_verifier.as_ref().map(Opaque::expose)),
            Grant::Refresh(token) => Form::new()
                .with("grant_type", "refresh_token")
                .with("refresh_token", token.expose()),
        };
        let details = self
            .authorization_details
            .as_deref()
            .map(AuthorizationDetail::to_parameter);
        form.with_some("client_id", self.client_id.as_deref())
            .with_some("scope", self.scope.as_ref().map(ToString::to_string).as_deref())
            .with_some("authorization_details", details.as_deref())
            .with_some("resource", self.resource.as_deref())
    }
}

/// How an access token is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// By whoever has it (RFC 6750).
    Bearer,
    /// With a proof of the key that it is bound to (RFC 9449).
    Dpop,
}

impl TokenType {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
    /// Read without regard to case (RFC 6749 §5.1).
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Bearer, Self::Dpop]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for TokenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The answer to a token request (RFC 6749 §5.1, OpenID4VCI §6.2). Sent with `Cache-Control: no-store`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenResponse {
    /// The token.
    pub access_token: Opaque,
    /// How it is used.
    pub token_type: TokenType,
    /// Seconds that it can be used for.
    pub expires_in: Option<u32>,
    /// For the next one.
    pub refresh_token: Option<Opaque>,
    /// What was granted, by scope, where it is not what was asked for.
    pub scope: Option<Scope>,
    /// What was granted, in detail. Where it is there, credentials are requested by the identifiers in it.
    pub authorization_details: Option<Vec<AuthorizationDetail>>,
}

#[derive(Serialize, Deserialize)]
struct TokenResponseWire {
    access_token: Opaque,
    token_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_in: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Opaque>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorization_details: Option<Vec<Value>>,
}

impl TokenResponse {
    /// Reads one.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        const WHAT: WireError = WireError::Form("token response");
        let wire: TokenResponseWire = wire::read(bytes, "token response")?;
        let usable = |token: &Opaque| (1..=4 * MAX_TEXT).contains(&token.expose().len());
        let header = |byte: u8| byte.is_ascii_graphic();
        if !usable(&wire.access_token)
            || !wire.access_token.expose().bytes().all(header)
            || !wire.refresh_token.as_ref().is_none_or(usable)
        {
            return Err(WHAT);
        }
        let details = wire.authorization_details.map(AuthorizationDetail::read_response);
        Ok(Self {
            access_token: wire.access_token,
            token_type: TokenType::from_name(&wire.token_type).ok_or(WHAT)?,
            expires_in: wire.expires_in,
            refresh_token: wire.refresh_token,
            scope: wire.scope,
            authorization_details: details
                .transpose()
                .map_err(|_| WHAT)?
                .filter(|details| !details.is_empty()),
        })
    }
    /// Its body. Whoever reads it has the tokens.
    pub fn to_json(&self) -> String {
        let details = self.authorization_details.as_ref().map(|details| {
            let write = |detail| serde_json::to_value(detail).expect("texts and lists of them are JSON");
            details.iter().map(write).collect()
        });
        let wire = TokenResponseWire {
            access_token: self.access_token.clone(),
            token_type: self.token_type.name().to_owned(),
            expires_in: self.expires_in,
            refresh_token: self.refresh_token.clone(),
            scope: self.scope.clone(),
            authorization_details: details,
        };
        serde_json::to_string(&wire).expect("texts, numbers and lists of them are JSON")
    }
}
