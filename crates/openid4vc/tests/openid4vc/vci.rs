//! OpenID for Verifiable Credential Issuance.

mod documents;
mod grants;
mod messages;
mod proofs;
mod server;
mod wallet;
pub mod world;
