//! OAuth 2.0 as OpenID4VCI and HAIP use it: server metadata (RFC 8414), PKCE (RFC 7636), pushed authorization requests (RFC 9126), the
//! issuer in the authorization response (RFC 9207), token requests (RFC 6749), DPoP (RFC 9449) and attestation-based client authentication.
//!
//! Both sides of each message are here: what a server makes a wallet reads, and the other way round.

pub mod access;
pub mod attestation;
pub mod authorization;
pub mod challenge;
pub mod details;
pub mod dpop;
mod error;
pub mod form;
pub mod identity;
pub mod jwk;
pub mod metadata;
mod opaque;
pub mod pkce;
mod scope;
pub(crate) mod signed;
pub mod standing;
pub(crate) mod strict;
pub mod token;
mod uri;
pub(crate) mod wire;

pub use details::AuthorizationDetail;
pub(crate) use error::plain;
pub use error::{ErrorCode, ErrorResponse};
pub use form::{Form, FormError};
pub use metadata::ServerMetadata;
pub use opaque::Opaque;
pub use scope::Scope;
pub use token::{Grant, TokenRequest, TokenResponse};
pub use uri::{Endpoint, Identifier, MAX_URL, UriError};
pub use wire::WireError;
