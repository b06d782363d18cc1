//! Authorization server metadata (RFC 8414).

use super::{
    Endpoint, Identifier,
    wire::{self, WireError},
};
use serde::{Deserialize, Serialize};

/// The name of the well-known document (RFC 8414 §3).
pub const WELL_KNOWN: &str = "oauth-authorization-server";
/// The grant type of a pre-authorized code (OpenID4VCI §4.1.1).
pub const PRE_AUTHORIZED: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
/// Attestation-based client authentication (its draft -07 §10.1).
pub const ATTEST_JWT: &str = "attest_jwt_client_auth";

/// What an authorization server publishes about itself. Members that are unknown here are ignored (RFC 8414 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMetadata {
    /// Its identifier.
    pub issuer: Identifier,
    /// Where the person is sent. Absent where only pre-authorized codes are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<Endpoint>,
    /// Where codes become tokens.
    pub token_endpoint: Endpoint,
    /// Where authorization requests are pushed to (RFC 9126 §5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<Endpoint>,
    /// Whether they must be (RFC 9126 §5).
    #[serde(default, skip_serializing_if = "is_false")]
    pub require_pushed_authorization_requests: bool,
    /// Where challenges for client attestations come from (attestation-based client authentication §8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge_endpoint: Option<Endpoint>,
    /// Where the server's keys are, if it signs tokens that others read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<Endpoint>,
    /// Scope values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes_supported: Option<Vec<String>>,
    /// `code`. May be absent where only pre-authorized codes are taken (OpenID4VCI §12.2.4).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_types_supported: Vec<String>,
    /// How an authorization response comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_modes_supported: Option<Vec<String>>,
    /// Grant types; absent means `authorization_code` and `implicit` (RFC 8414 §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_types_supported: Option<Vec<String>>,
    /// How clients authenticate at the token endpoint; absent means `client_secret_basic` (RFC 8414 §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Algorithms that client attestations may be signed with (attestation-based client authentication §10.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_attestation_signing_alg_values_supported: Option<Vec<String>>,
    /// Algorithms that their proofs of possession may be signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_attestation_pop_signing_alg_values_supported: Option<Vec<String>>,
    /// Algorithms that DPoP proofs may be signed with (RFC 9449 §5.1); absent means no DPoP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// PKCE methods (RFC 8414 §2); absent means no PKCE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether authorization responses name their issuer (RFC 9207 §3).
    #[serde(default, skip_serializing_if = "is_false")]
    pub authorization_response_iss_parameter_supported: bool,
    /// Types of authorization details (RFC 9396 §10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_details_types_supported: Option<Vec<String>>,
    /// Whether pre-authorized codes are taken from who does not say who they are (OpenID4VCI §12.3).
    #[serde(
        default,
        rename = "pre-authorized_grant_anonymous_access_supported",
        skip_serializing_if = "is_false"
    )]
    pub anonymous_access: bool,
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl ServerMetadata {
    /// The least of a server: identifier and token endpoint.
    pub fn new(issuer: Identifier, token_endpoint: Endpoint) -> Self {
        Self {
            issuer,
            authorization_endpoint: None,
            token_endpoint,
            pushed_authorization_request_endpoint: None,
            require_pushed_authorization_requests: false,
            challenge_endpoint: None,
            jwks_uri: None,
            scopes_supported: None,
            response_types_supported: Vec::new(),
            response_modes_supported: None,
            grant_types_supported: None,
            token_endpoint_auth_methods_supported: None,
            client_attestation_signing_alg_values_supported: None,
            client_attestation_pop_signing_alg_values_supported: None,
            dpop_signing_alg_values_supported: None,
            code_challenge_methods_supported: None,
            authorization_response_iss_parameter_supported: false,
            authorization_details_types_supported: None,
            anonymous_access: false,
        }
    }
    /// Reads the document that was fetched for `issuer`, and refuses that of another (RFC 8414 §3.3).
    pub fn parse(bytes: &[u8], issuer: &Identifier) -> Result<Self, MetadataError> {
        let metadata: Self = wire::read_public(bytes, wire::MAX_DOCUMENT, "authorization server metadata")?;
        if metadata.issuer != *issuer {
            return Err(MetadataError::Issuer);
        }
        Ok(metadata)
    }
    /// Where the document of `issuer` is.
    pub fn location(issuer: &Identifier) -> Endpoint {
        issuer.well_known(WELL_KNOWN)
    }
    /// Whether a grant type is supported; what absence means is RFC 8414's.
    pub fn supports_grant(&self, grant: &str) -> bool {
        match &self.grant_types_supported {
            Some(grants) => grants.iter().any(|known| known == grant),
            None => grant == "authorization_code",
        }
    }
    /// Whether a list of this document holds `value`.
    pub fn lists(list: Option<&Vec<String>>, value: &str) -> bool {
        list.is_some_and(|list| list.iter().any(|known| known == value))
    }
}

/// Why metadata are not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not readable as such.
    #[error("the authorization server's metadata are not readable")]
    Wire(#[from] WireError),
    /// They are about another server than the one they were fetched for: a mix-up.
    #[error("the metadata are those of another authorization server")]
    Issuer,
}
