//! The native provider behind the seam of `vidimus-core`, and everything else that holds a key: sealing, wrapping, the root key, password
//! files and the deployment's small certificate authority.
//!
//! aws-lc-rs does P-256, Ed25519, RSA, SHA-256, HKDF, HMAC and AES-GCM; libsecp256k1 does ES256K; `hpke` and `crypto_box` do the two
//! envelopes. Nothing here reads a clock: `now` is an argument. Randomness comes through [`Entropy`](vidimus_core::Entropy).

mod entropy;
mod error;
mod native;
mod sealing;
mod signing;

pub use entropy::OsEntropy;
pub use error::Error;
pub use native::Native;
pub use sealing::{SealingKey, SealingPublicKey};
pub use signing::{KeyKind, SigningKey};
