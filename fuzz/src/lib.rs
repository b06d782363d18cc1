//! What each fuzz target does with its bytes, apart from libFuzzer: one module for each crate, which that crate's tests include and feed
//! the committed corpora, so that every `./test` runs them on the stable toolchain.
//!
//! An entry never panics, whatever the bytes; where there is more to say about what was read, it says it with an assertion.

pub mod core;
pub mod credential;
pub mod crypto;
pub mod identity;
pub mod ledger;
pub mod openid4vc;
pub mod store;
pub mod wallet;
