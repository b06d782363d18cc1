//! Keys that protect keys and rows. Each is derived from the root key for one purpose, or is itself kept wrapped.

use crate::{
    Error,
    aead::{Cipher, NONCE},
};
use aws_lc_rs::hmac;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use vidimus_core::{
    Entropy, Secret, SecretBytes, Transcript,
    encoding::{base64url, from_base64url},
};
use zeroize::Zeroizing;

/// A key that wraps keys. Whoever reads it unwraps every key of its purpose. `id` and `version` are stored with each wrapped key, so that a
/// rotation can go row by row and a wrong key is named instead of guessed.
pub struct KeyEncryptionKey {
    id: String,
    version: u32,
    cipher: Cipher,
}

/// A secret under a [`KeyEncryptionKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Id of the key that wraps it.
    pub kek_id: String,
    /// Version of that key.
    pub kek_version: u32,
    /// AES-GCM nonce.
    pub nonce: [u8; NONCE],
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

impl KeyEncryptionKey {
    pub(crate) fn new(id: String, version: u32, key: &[u8; 32]) -> Self {
        Self {
            id,
            version,
            cipher: Cipher::new(key),
        }
    }
    /// The id: its purpose and the root key it comes from.
    pub fn id(&self) -> &str {
        &self.id
    }
    /// The version, from 1.
    pub fn version(&self) -> u32 {
        self.version
    }
    /// Wraps `secret` for the place that `aad` names (table, row and column).
    pub fn wrap(&self, aad: &Transcript, secret: &SecretBytes, entropy: &mut dyn Entropy) -> Wrapped {
        let (nonce, ciphertext) = self.cipher.seal(&self.associated(aad), secret.expose(), entropy);
        Wrapped {
            kek_id: self.id.clone(),
            kek_version: self.version,
            nonce,
            ciphertext,
        }
    }
    /// Unwraps. [`Error::WrappingKey`] when another key wrapped it, [`Error::Open`] when the place or the bytes are other ones.
    pub fn unwrap(&self, aad: &Transcript, wrapped: &Wrapped) -> Result<SecretBytes, Error> {
        if (wrapped.kek_id.as_str(), wrapped.kek_version) != (self.id.as_str(), self.version) {
            return Err(Error::WrappingKey {
                id: wrapped.kek_id.clone(),
                version: wrapped.kek_version,
            });
        }
        self.cipher
            .open(&wrapped.nonce, &self.associated(aad), &wrapped.ciphertext)
    }
    fn associated(&self, aad: &Transcript) -> Vec<u8> {
        Transcript::new("vidimus/wrap/v1")
            .field(self.id.as_bytes())
            .number(self.version.into())
            .field(&aad.clone().into_bytes())
            .into_bytes()
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyEncryptionKey({} v{})", self.id, self.version)
    }
}

impl Wrapped {
    const VERSION: u8 = 1;

    /// As one value for a column: version ‖ length of the id ‖ id ‖ key version ‖ nonce ‖ ciphertext.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![
            Self::VERSION,
            u8::try_from(self.kek_id.len()).expect("an id is a purpose and 8 digits"),
        ];
        bytes.extend_from_slice(self.kek_id.as_bytes());
        bytes.extend_from_slice(&self.kek_version.to_be_bytes());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.ciphertext);
        bytes
    }
    /// The inverse of [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Error> {
            let (head, tail) = bytes.split_at_checked(count).ok_or(Error::Malformed("wrapped key"))?;
            *bytes = tail;
            Ok(head)
        }
        let mut rest = bytes;
        let version = take(&mut rest, 1)?[0];
        if version != Self::VERSION {
            return Err(Error::Version {
                what: "a wrapped key",
                version,
            });
        }
        let length = take(&mut rest, 1)?[0].into();
        let kek_id = std::str::from_utf8(take(&mut rest, length)?)
            .map_err(|_| Error::Malformed("wrapped key"))?
            .into();
        let kek_version = u32::from_be_bytes(take(&mut rest, 4)?.try_into().expect("4 bytes were taken"));
        let nonce = take(&mut rest, NONCE)?.try_into().expect("as many bytes were taken");
        Ok(Self {
            kek_id,
            kek_version,
            nonce,
            ciphertext: rest.to_vec(),
        })
    }
}

impl Serialize for Wrapped {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&base64url(&self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for Wrapped {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let bytes = from_base64url(&String::deserialize(d)?).map_err(serde::de::Error::custom)?;
        Self::from_bytes(&bytes).map_err(serde::de::Error::custom)
    }
}

/// Encrypts rows: a person's data, or what belongs to the deployment. Destroying it erases them. AES-256-GCM.
pub struct DataKey {
    secret: Secret<[u8; 32]>,
    cipher: Cipher,
}

impl DataKey {
    const VERSION: u8 = 1;

    /// A new key, to be kept wrapped.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        Self::from_array(&bytes)
    }
    /// From the bytes that were unwrapped.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self::from_array(bytes.try_into().map_err(|_| Error::Key("data"))?))
    }
    pub(crate) fn from_array(bytes: &[u8; 32]) -> Self {
        Self {
            secret: Secret::new(*bytes),
            cipher: Cipher::new(bytes),
        }
    }
    /// The bytes, to be wrapped.
    pub fn expose_bytes(&self) -> SecretBytes {
        SecretBytes::new(self.secret.expose().to_vec())
    }
    /// Encrypts for the place that `aad` names (table, row and column): version ‖ nonce ‖ ciphertext.
    pub fn seal(&self, aad: &Transcript, plaintext: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
        let (nonce, ciphertext) = self.cipher.seal(&Self::associated(aad), plaintext, entropy);
        [&[Self::VERSION][..], &nonce, &ciphertext].concat()
    }
    /// Decrypts what [`Self::seal`] made for the same place.
    pub fn open(&self, aad: &Transcript, sealed: &[u8]) -> Result<SecretBytes, Error> {
        let (&version, rest) = sealed.split_first().ok_or(Error::Malformed("sealed row"))?;
        if version != Self::VERSION {
            return Err(Error::Version {
                what: "a sealed row",
                version,
            });
        }
        let (nonce, ciphertext) = rest.split_first_chunk().ok_or(Error::Malformed("sealed row"))?;
        self.cipher.open(nonce, &Self::associated(aad), ciphertext)
    }
    fn associated(aad: &Transcript) -> Vec<u8> {
        Transcript::new("vidimus/row/v1")
            .field(&aad.clone().into_bytes())
            .into_bytes()
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// Makes blind indices: equal inputs give equal indices, and without the key neither is an input found from its index nor can a guess be
/// tried. Whoever reads the key can try guesses, and document numbers are few: it protects as long as it is secret.
pub struct BlindIndexKey(hmac::Key);

impl BlindIndexKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }
    /// HMAC-SHA256 of the transcript's bytes.
    pub fn derive(&self, transcript: Transcript) -> [u8; 32] {
        let bytes = Zeroizing::new(transcript.into_bytes());
        hmac::sign(&self.0, &bytes)
            .as_ref()
            .try_into()
            .expect("HMAC-SHA256 gives 32 bytes")
    }
    /// Whether `index` is the one of the transcript, in constant time. For tags in cookies, links and cursors.
    pub fn verify(&self, transcript: Transcript, index: &[u8]) -> bool {
        let bytes = Zeroizing::new(transcript.into_bytes());
        hmac::verify(&self.0, &bytes, index).is_ok()
    }
}

impl fmt::Debug for BlindIndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindIndexKey(…)")
    }
}
