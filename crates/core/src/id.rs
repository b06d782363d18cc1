//! Identifiers, each its own type so that one cannot be passed for another.
//!
//! All are 128 random bits in the text form of a version 4 UUID (RFC 9562 §5.4). Random and not time-ordered on purpose:
//! an id that tells when a person was tested is personal data.

use crate::crypto::Entropy;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The text is not a UUID in its canonical lower-case form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected 8-4-4-4-12 lower-case hexadecimal digits")]
pub struct IdError;

/// Where the text form has its hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// Written at once: ids are printed for each certificate that is checked.
fn format(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for byte in bytes {
        at += usize::from(HYPHENS.contains(&at));
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    f.write_str(std::str::from_utf8(&text).expect("digits and hyphens are ASCII"))
}

fn parse(text: &str) -> Result<[u8; 16], IdError> {
    let text: &[u8; 36] = text.as_bytes().try_into().map_err(|_| IdError)?;
    let digit = |at: usize| match text[at] {
        digit @ b'0'..=b'9' => Ok(digit - b'0'),
        digit @ b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(IdError),
    };
    let mut bytes = [0; 16];
    let mut at = 0;
    for byte in &mut bytes {
        if HYPHENS.contains(&at) {
            if text[at] != b'-' {
                return Err(IdError);
            }
            at += 1;
        }
        *byte = digit(at)? << 4 | digit(at + 1)?;
        at += 2;
    }
    Ok(bytes)
}

fn generate(entropy: &mut dyn Entropy) -> [u8; 16] {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new random id.
            pub fn generate(entropy: &mut dyn Entropy) -> Self {
                Self(generate(entropy))
            }
            /// From the 16 bytes that a store kept.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
            /// The 16 bytes, as a store keeps them.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                format(&self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                format(&self.0, f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An admitted organisation (or the authority itself) within one deployment.
    ParticipantId;
    /// A reported result: a person, a category and data, before any rendering.
    ResultId;
    /// The internal record of a certificate: what its copies render.
    CertificateId;
    /// One rendering for one set of holder keys. It is the `jti`/`id` inside the signed bytes; copies of one certificate share nothing.
    CopyId;
    /// A key of a participant or of the deployment.
    KeyId;
    /// An API key's public part.
    ApiKeyId;
    /// A Merkle batch of commitments.
    BatchId;
    /// One check that a verifier asked the server for.
    CheckId;
    /// A request, as it is quoted in errors and logs.
    RequestId;
    /// What an issuer offers a wallet.
    OfferId;
    /// A wallet's authorization request.
    AuthorizationId;
    /// What a wallet was permitted to claim.
    GrantId;
    /// One credential request of a wallet.
    ClaimId;
    /// A verifier's request for a presentation, or a presentation that was left for it.
    PresentationId;
    /// Something that happened to a participant's object.
    EventId;
    /// Where a participant wants to be told.
    WebhookId;
    /// Something that is to leave for an address of others.
    DeliveryId;
    /// Where a wallet wants to be woken.
    SubscriptionId;
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(u8);
    impl Entropy for Counting {
        fn fill(&mut self, into: &mut [u8]) {
            for byte in into {
                self.0 = self.0.wrapping_add(37);
                *byte = self.0;
            }
        }
    }

    #[test]
    fn an_id_reads_back_as_written_and_is_a_version_4_uuid() {
        let id = CopyId::generate(&mut Counting(0));
        let text = id.to_string();
        assert_eq!(text.parse::<CopyId>(), Ok(id));
        assert_eq!(&text[14..15], "4");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"));
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "x",
            "{00000000-0000-4000-8000-000000000000}",
            "00000000-0000-4000-8000-00000000000A",
            "000000000-000-4000-8000-000000000000",
            "00000000000040008000000000000000",
            "00000000-0000-4000-8000-0000000000é",
        ] {
            assert_eq!(text.parse::<CopyId>(), Err(IdError), "{text}");
        }
    }
}
