//! The native provider behind the seam of `vidimus-core`, and everything else that holds a key: sealing, wrapping, the root key, password
//! files and the deployment's small certificate authority.
//!
//! aws-lc-rs does P-256, Ed25519, RSA, SHA-256, HKDF, HMAC and AES-GCM; libsecp256k1 does ES256K; `hpke` and `crypto_box` do the two
//! envelopes. Nothing here reads a clock: `now` is an argument. Randomness comes through [`Entropy`](vidimus_core::Entropy).

mod aead;
pub mod ca;
pub mod eip1098;
mod entropy;
pub mod envelope;
mod error;
pub mod file;
mod mac;
mod native;
pub mod password;
mod root;
mod sealing;
mod signing;
mod wrap;

pub use entropy::OsEntropy;
pub use error::Error;
pub use mac::hmac_sha256;
pub use native::Native;
pub use password::PasswordFile;
pub use root::{Purpose, RootKey};
pub use sealing::{SealingKey, SealingPublicKey};
pub use signing::{KeyKind, SigningKey};
pub use wrap::{BlindIndexKey, DataKey, KeyEncryptionKey, Wrapped};
