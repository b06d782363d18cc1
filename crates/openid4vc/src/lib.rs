//! The open protocols between issuers, wallets and verifiers: OpenID for Verifiable Credential Issuance 1.0, OpenID for Verifiable
//! Presentations 1.0 with its query language DCQL, and what the High Assurance Interoperability Profile 1.0 asks of both.
//!
//! Pure, and sans-IO: a state machine takes what came in, `now` and entropy, and gives what goes out; sending it, keeping it and looking keys
//! up is the caller's. Wire types are our own: what is read is bounded and strict where the specification is, and carries on past members that it
//! says to ignore.

#![warn(missing_docs)]

mod codes;
pub mod dcql;
pub mod jwe;
pub mod oauth;
pub mod vci;
pub mod vp;
