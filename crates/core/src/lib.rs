//! What everything in Vidimus is made of: identifiers, time, canonical bytes, commitments, Merkle trees and the seam
//! behind which the cryptography lives.
//!
//! Pure: no clock, no random source, no IO. Callers pass `now` ([`time::Timestamp`]), entropy ([`crypto::Entropy`]) and a
//! provider ([`crypto::Provider`]).

#![warn(missing_docs)]

pub mod api_key;
pub mod canonical;
pub mod commitment;
pub mod crypto;
pub mod encoding;
pub mod id;
pub mod merkle;
pub mod reason;
pub mod receipt;
pub mod secret;
pub mod time;

pub use api_key::ApiKey;
pub use canonical::Transcript;
pub use commitment::{Commitment, Salt};
pub use crypto::{Address, Algorithm, Encryption, Entropy, Provider, PublicKey, SignError, SignatureError, Signer};
pub use encoding::Digest;
pub use receipt::Receipt;
pub use secret::{Secret, SecretBytes};
pub use time::Timestamp;
