//! AES-256-GCM as this crate uses it: a random 96-bit nonce, at most 2³² messages a key (NIST SP 800-38D §8.3).

use crate::Error;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use vidimus_core::{Entropy, SecretBytes};

pub(crate) const NONCE: usize = 12;

pub(crate) struct Cipher(LessSafeKey);

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes"),
        ))
    }

    /// A fresh nonce, and the ciphertext with its tag.
    pub(crate) fn seal(&self, aad: &[u8], plaintext: &[u8], entropy: &mut dyn Entropy) -> ([u8; NONCE], Vec<u8>) {
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce);
        let mut bytes = Vec::with_capacity(plaintext.len() + AES_256_GCM.tag_len());
        bytes.extend_from_slice(plaintext);
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut bytes)
            .expect("only a message of 64 GiB cannot be sealed");
        (nonce, bytes)
    }

    pub(crate) fn open(&self, nonce: &[u8; NONCE], aad: &[u8], ciphertext: &[u8]) -> Result<SecretBytes, Error> {
        let mut bytes = zeroize::Zeroizing::new(ciphertext.to_vec());
        let length = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut bytes)
            .map_err(|_| Error::Open)?
            .len();
        bytes.truncate(length);
        Ok(SecretBytes::new(std::mem::take(&mut *bytes)))
    }
}
