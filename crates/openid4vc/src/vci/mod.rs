//! OpenID for Verifiable Credential Issuance 1.0.
//!
//! The wire types of the credential issuer's endpoints, the proofs of the keys that credentials are bound to, and a pure decision for each
//! request that reaches an issuer ([`issuer`]).

pub mod claims;
pub mod encryption;
mod error;
pub mod issuer;
pub mod key_attestation;
pub mod metadata;
mod notification;
pub mod offer;
pub mod proof;
pub mod request;
mod response;
pub mod signed_metadata;
pub mod wallet;

pub use error::CredentialErrorCode;
pub use metadata::IssuerMetadata;
pub use notification::{Event, Notification, NotificationError};
pub use offer::{CredentialOffer, OfferLink};
pub use request::{CredentialRequest, DeferredRequest, NonceResponse};
pub use response::{CredentialResponse, MAX_CREDENTIALS, MAX_RESPONSE};
