//! Codes, tokens and verifiers: whoever holds one can use it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use subtle::ConstantTimeEq;
use vidimus_core::{Entropy, Secret, encoding};
use zeroize::Zeroizing;

/// A text that is worth what it opens: an authorization code, a transaction code, an access or refresh token, a PKCE verifier. Hidden from
/// `Debug`, compared in constant time.
#[derive(Clone)]
pub struct Opaque(Secret<String>);

impl Opaque {
    /// From the text as it came or is kept.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Secret::new(text.into()))
    }
    /// A new one of 256 random bits: 43 characters of base64url.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        Self::new(encoding::base64url(&*bytes))
    }
    /// The text; the name is there to be seen in review.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl PartialEq for Opaque {
    /// Takes the same time wherever the texts differ; their lengths are not hidden.
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for Opaque {}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opaque(…)")
    }
}

impl Serialize for Opaque {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Self::new)
    }
}
