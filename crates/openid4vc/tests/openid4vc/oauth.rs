//! OAuth 2.0 as OpenID4VCI uses it.

mod attestation;
mod dpop;
mod forms;
mod identity;
mod standing;
mod tokens;
pub mod world;
