//! The small world that the vectors play in: a deployment with its root, laboratories of every standing, travellers, and what they sign.
//!
//! Everything is derived from names, signatures included (RFC 6979), so that the same files come out each time.
mod content;
mod keys;
mod lists;
mod parties;
mod registry;
mod rsa;
mod sd_jwts;
mod setup;

pub use self::content::*;
pub use self::keys::*;
pub use self::lists::*;
pub use self::parties::*;
pub use self::registry::*;
pub use self::rsa::*;
pub use self::sd_jwts::*;
pub use self::setup::*;

use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};
use std::sync::LazyLock;
use vidimus_core::{
    Address, Algorithm, Commitment, Digest, Entropy, Provider, PublicKey, Receipt, Salt, SignError, Signer, Timestamp,
    encoding::{base64, base64url},
    id::CopyId,
    merkle::Tree,
    receipt::{Anchor, BlockHash},
};
use vidimus_credential::{
    CategoryId, Person, Statement, StatusReference,
    card::HolderCard,
    check::{
        Envelope, Expected, Head, Policy, Root,
        bundle::{Anchors, List, ListKind},
        registry::{Change, Event, Grant, Keys},
    },
    countersign,
    format::{hcert, vc_jwt},
    jws,
    presentation::Draft,
    status::{Bits, SigningHeader, Status, bitstring, token_list},
};
use vidimus_crypto::{
    KeyKind, Native, SigningKey,
    ca::{Authority, DocumentGroup, Subject, Validity},
};

pub const CHAIN: u64 = 0x56_494d;
pub const ANCHORS: Address = Address([0xac; 20]);
pub const CONTEXT: &str = "https://health.example/contexts/certificate/v1";
pub const TOKEN_LIST: &str = "https://health.example/status/token/1";
pub const REVOCATION_LIST: &str = "https://health.example/status/bitstring/1";
pub const SUSPENSION_LIST: &str = "https://health.example/status/bitstring/2";

pub static PROVIDER: LazyLock<Native> = LazyLock::new(Native::new);

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

/// When the checks are made.
pub fn now() -> Timestamp {
    at("2026-03-02T12:00:00Z")
}

/// What the airline asks.
pub fn request() -> Expected {
    Expected {
        nonce: "f3J9mQ2xTz7Lk0Wv".to_owned(),
        audience: did(&Address([0xa1; 20])),
        purpose: Some("boarding".to_owned()),
    }
}
