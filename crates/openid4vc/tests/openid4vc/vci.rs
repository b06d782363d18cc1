//! OpenID for Verifiable Credential Issuance.

mod grants;
mod proofs;
pub mod world;
