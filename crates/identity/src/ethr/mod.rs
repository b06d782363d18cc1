//! did:ethr: documents from the events of an ERC-1056 registry, as npm `ethr-did-resolver` 11 builds them.
//!
//! # Which attribute makes a P-256 issuer key
//! `did/pub/Multikey/veriKey/hex` with the **uncompressed SEC1 point** (65 bytes, no multicodec prefix) as value; see
//! [`AttributeName::p256_issuer_key`].

mod attribute;
mod event;
mod resolve;

pub use attribute::{AttributeError, AttributeName, Encoding, PublicKeyPurpose};
pub use event::{Change, Event, delegate_type};
pub use resolve::{At, checksum, resolve};
