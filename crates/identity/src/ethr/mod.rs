//! did:ethr: documents from the events of an ERC-1056 registry, as npm `ethr-did-resolver` 11 builds them.
//!
//! # Which attribute makes a P-256 issuer key
//! [`AttributeName::p256_issuer_key`]: `did/pub/Multikey/veriKey/hex`, and as its value the **bare uncompressed point** (SEC1, 65 bytes, no
//! multicodec prefix). Tried with npm `did-jwt-vc` 4.0.16, `did-jwt` 8.0.18 and `ethr-did-resolver` 11.1.3, ES256 certificates, with and without a
//! `kid`:
//!
//! | attribute name | value | `verifyCredential` |
//! |---|---|---|
//! | `did/pub/Multikey/veriKey[/hex]`, `…/base58`, `…/base64` | point, 65 or 33 bytes | verifies |
//! | `did/pub/Multikey/veriKey/hex` | multicodec 0x8024 and 33 bytes | no matching key |
//! | `did/pub/JsonWebKey2020/veriKey` | point, 65 or 33 bytes | verifies, but the document then names a type whose form it does not have |
//! | `did/pub/Secp256r1/veriKey/…` | any | no suitable keys: `did-jwt` knows no such type |
//! | `did/pub/EcdsaSecp256r1VerificationKey2019/…` | – | longer than 32 bytes |
//!
//! `veriKey` stands under `assertionMethod`, and a check with `proofPurpose: 'assertionMethod'` passes; `sigAuth` would let the key log in as well.
//! Uncompressed, because a compressed point does not tell its curve, and [`Document::with_multibase`](crate::Document::with_multibase) needs to know
//! it. ES256K and ES256K-R by the account go on verifying beside it.
//!
//! # Where documents differ from the npm resolver's
//! Its `keyAgreement` goes on naming a revoked encryption key whose method is gone; ours does not. A key of more than 2048 bytes that is to be
//! shown in base58 is left out of ours, and counted. A DID is written back in lower case,
//! and chain 1 without its number.

mod attribute;
mod event;
mod resolve;

pub use attribute::{AttributeError, AttributeName, Encoding, PublicKeyPurpose};
pub use event::{Change, Event, delegate_type};
pub use resolve::{At, checksum, resolve};
