//! Text forms of bytes. One place, so that no two crates disagree about padding or case.

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use const_hex::FromHexError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A text is not what its form asks for. The text itself is not repeated: it may be personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A character outside the alphabet, wrong padding, or trailing bits that are not zero.
    #[error("not valid {0}")]
    Alphabet(&'static str),
    /// Decodes, but to another number of bytes than the type has.
    #[error("expected {expected} bytes, found {found}")]
    Length {
        /// Bytes the type has.
        expected: usize,
        /// Bytes the text holds.
        found: usize,
    },
}

/// Base64url without padding (RFC 4648 §5, as RFC 7515 §2 asks).
pub fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// [`base64url`], appended to a text's bytes.
pub fn base64url_into(bytes: &[u8], text: &mut Vec<u8>) {
    let before = text.len();
    text.resize(before + (bytes.len() * 4).div_ceil(3), 0);
    let written = BASE64_URL_SAFE_NO_PAD.encode_slice(bytes, &mut text[before..]);
    debug_assert_eq!(written, Ok(text.len() - before));
}

/// Strict inverse of [`base64url`]: padding and non-zero trailing bits are refused, so a text has one reading.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, DecodeError> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| DecodeError::Alphabet("base64url"))
}

/// [`from_base64url`] of a text that says exactly 32 bytes; `None` for every other.
pub fn digest_from_base64url(text: &str) -> Option<[u8; 32]> {
    if text.len() != 43 {
        return None;
    }
    let mut digest = [0; 32];
    let written = BASE64_URL_SAFE_NO_PAD.decode_slice_unchecked(text, &mut digest).ok()?;
    (written == 32).then_some(digest)
}

/// Standard padded base64 (RFC 4648 §4), as `x5c` (RFC 7515 §4.1.6) asks.
pub fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// Strict inverse of [`base64()`].
pub fn from_base64(text: &str) -> Result<Vec<u8>, DecodeError> {
    BASE64_STANDARD
        .decode(text)
        .map_err(|_| DecodeError::Alphabet("base64"))
}

/// Lower-case hexadecimal without prefix.
pub fn hex(bytes: &[u8]) -> String {
    const_hex::encode(bytes)
}

/// Hexadecimal in either case, with or without `0x`.
pub fn from_hex(text: &str) -> Result<Vec<u8>, DecodeError> {
    const_hex::decode(one_prefix(text)?).map_err(|_| DecodeError::Alphabet("hexadecimal"))
}

/// [`from_hex`] into exactly `N` bytes.
pub fn from_hex_exact<const N: usize>(text: &str) -> Result<[u8; N], DecodeError> {
    const_hex::decode_to_array(one_prefix(text)?).map_err(|error| match error {
        FromHexError::InvalidStringLength => match from_hex(text) {
            Ok(bytes) => DecodeError::Length {
                expected: N,
                found: bytes.len(),
            },
            Err(error) => error,
        },
        FromHexError::InvalidHexCharacter { .. } | FromHexError::OddLength => DecodeError::Alphabet("hexadecimal"),
    })
}

/// The library takes `0X` for a prefix too.
fn one_prefix(text: &str) -> Result<&str, DecodeError> {
    if text.starts_with("0X") {
        return Err(DecodeError::Alphabet("hexadecimal"));
    }
    Ok(text)
}

/// Reads what [`from_hex_exact`] reads, without an owned text in between.
pub(crate) fn deserialize_hex<'de, D: Deserializer<'de>, const N: usize>(d: D) -> Result<[u8; N], D::Error> {
    struct Hex<const N: usize>;
    impl<const N: usize> serde::de::Visitor<'_> for Hex<N> {
        type Value = [u8; N];
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{N} bytes as hexadecimal text")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<[u8; N], E> {
            from_hex_exact(text).map_err(E::custom)
        }
    }
    d.deserialize_str(Hex)
}

/// A SHA-256 digest. 32 bytes; text form is lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Digest {
    type Err = DecodeError;
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        from_hex_exact(text).map(Self)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        deserialize_hex(d).map(Self)
    }
}
