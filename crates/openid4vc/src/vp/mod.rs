//! OpenID for Verifiable Presentations 1.0, by redirects: both sides of a request and its answer, with what HAIP 1.0 §5 asks of them.
//!
//! A verifier opens a [`Session`] with what it [`Ask`]s, gives it out as a signed request object behind an [`Invocation`], and reads what a
//! wallet [`Posted`]. A wallet reads the [`Invocation`], fetches the request object ([`Fetch`]), verifies it with the keys that its client
//! identifier names, and then knows who asks for what ([`Incoming`]); it presents or declines. Each side has a [`Policy`].
//!
//! Response modes are `direct_post` and `direct_post.jwt`. Responses by redirect (`fragment`), `scope` for a query and the Digital Credentials API are
//! not here: a request for them is refused.

mod authenticate;
mod client;
mod error;
mod host;
mod info;
mod invocation;
mod metadata;
mod policy;
mod request;
mod response;
mod session;
mod token;
mod transaction;
mod wallet;

pub use authenticate::{DidKey, Trust, Who};
pub use client::{Client, ClientId, ClientIdError, Prefix};
pub use error::{ErrorCode, ErrorResponse};
pub use host::{HostError, is_inside};
pub use info::{Statement, VerifierInfo};
pub use invocation::{Invocation, RequestUriMethod, WalletAddress};
pub use metadata::{ClientMetadata, Formats, MetadataError, WalletMetadata};
pub use policy::Policy;
pub use request::{Request, RequestError, ResponseMode};
pub use response::{Answer, Posted, ResponseError, SessionKey};
pub use session::{Ask, AskError, RequestUriPost, Session};
pub use token::{Presentation, TokenError, VpToken};
pub use transaction::{MemberKind, MemberRule, TransactionData, TransactionError, TransactionType};
pub use wallet::{
    AcknowledgeError, Evidence, Fetch, HttpRequest, Incoming, PresentError, Received, Refusal, Step, Verified, Wallet,
};

/// The longest request object that is read, in bytes.
pub const MAX_REQUEST: usize = 128 << 10;
/// The longest response that is read, in bytes.
pub const MAX_RESPONSE: usize = 1 << 20;
/// Media type of a request object (RFC 9101 §10.8.1), and `typ` without `application/`.
pub const REQUEST_TYPE: &str = "application/oauth-authz-req+jwt";
/// `aud` of a request object for a wallet that is not known in advance (§5.8).
pub const AUDIENCE: &str = "https://self-issued.me/v2";
/// Extended key usage of a relying party's access certificate (ISO/IEC 18013-5 annex B.1.7).
pub const READER_USAGE: &str = "1.0.18013.5.1.6";

/// The longest identifier, nonce or other short text that is read.
pub(crate) const MAX_TEXT: usize = 2048;

/// `nonce` and `state` (§5.2): some of RFC 3986's unreserved characters, at most 512.
pub(crate) fn is_url_safe(text: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (1..=512).contains(&text.len()) && text.bytes().all(safe)
}

/// 256 random bits as base64url.
pub(crate) fn generate_text(entropy: &mut dyn vidimus_core::Entropy) -> String {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    vidimus_core::encoding::base64url(&bytes)
}
