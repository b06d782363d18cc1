//! OpenID for Verifiable Credential Issuance.

mod grants;
mod proofs;
mod server;
mod wallet;
pub mod world;
