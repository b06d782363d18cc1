//! Decentralised identifiers (W3C DID Core 1.0): their text, and the documents of did:ethr built from ERC-1056 events.
//!
//! Pure: events come from whoever indexes the ledger, time is an argument, and hashing goes through the crypto seam.

#![warn(missing_docs)]

mod base58;
mod did;
mod document;
pub mod ethr;

pub use did::{Did, DidError, DidUrl, Ethr, EthrKey, Web};
pub use document::{
    Document, KeyMaterial, Metadata, MethodType, Relationship, Resolution, Service, VerificationKey, VerificationMethod,
};
