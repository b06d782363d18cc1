//! Proof Key for Code Exchange (RFC 7636), with `S256` only: `plain` protects against nobody who reads the request.

use super::Opaque;
use vidimus_core::{Entropy, Provider, encoding};

/// The one method.
pub const S256: &str = "S256";

/// `code_challenge`: the digest of a verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// Reads `code_challenge`: base64url of 32 bytes. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digest = encoding::from_base64url(text).ok()?;
        (digest.len() == 32).then(|| Self(text.to_owned()))
    }
    /// Of a verifier (§4.2).
    pub fn of(verifier: &Opaque, provider: &dyn Provider) -> Self {
        let digest = provider.sha256(&[verifier.expose().as_bytes()]);
        Self(encoding::base64url(digest.as_bytes()))
    }
    /// As it goes into a request.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether `verifier` is the one (§4.6), of 43 to 128 unreserved characters (§4.1).
    pub fn matches(&self, verifier: &Opaque, provider: &dyn Provider) -> bool {
        let text = verifier.expose();
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        (43..=128).contains(&text.len())
            && text.bytes().all(unreserved)
            && Opaque::new(Self::of(verifier, provider).0) == Opaque::new(self.0.as_str())
    }
}

/// A new verifier of 256 random bits.
pub fn generate_verifier(entropy: &mut dyn Entropy) -> Opaque {
    Opaque::generate(entropy)
}
