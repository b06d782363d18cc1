//! The envelope that payloads are sealed in: HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM.
//!
//! Layout: version (1 byte) ‖ encapsulated key (32 bytes) ‖ ciphertext with tag. HPKE's `info` is the caller's; its associated data is the
//! version byte followed by the caller's. Version 1 seals the plaintext as it is, version 2 the plaintext ‖ 0x80 ‖ zero bytes up to a size
//! that many plaintexts share.
//!
//! Nobody signs an envelope: whoever knows the public key can make one. What is inside is signed.

use crate::{Error, SealingKey, SealingPublicKey, entropy::Rng};
use hpke::{Deserializable, OpModeR, OpModeS, Serializable, aead::AesGcm256, kdf::HkdfSha256, kem::X25519HkdfSha256};
use vidimus_core::{Entropy, SecretBytes};
use zeroize::Zeroizing;

type Kem = X25519HkdfSha256;

const PLAIN: u8 = 1;
const PADDED: u8 = 2;
const KEY: usize = 32;

/// Whether the length of a sealed payload may tell the length of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// As long as the content.
    None,
    /// Padded to the next of few sizes: 1 KiB, then powers of two up to 64 KiB, then whole multiples of 64 KiB.
    Buckets,
}

/// Seals `plaintext` so that only the holder of `to`'s private half reads it. `info` names the purpose, `aad` the place it belongs to; both
/// are needed again to open.
pub fn seal(
    to: &SealingPublicKey,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    padding: Padding,
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, Error> {
    let invalid = |_| Error::Key("X25519");
    let to = <Kem as hpke::Kem>::PublicKey::from_bytes(&to.0).map_err(invalid)?;
    let padded;
    let (version, content) = match padding {
        Padding::None => (PLAIN, plaintext),
        Padding::Buckets => {
            padded = pad(plaintext);
            (PADDED, padded.as_slice())
        }
    };
    // Fails for a public key of low order, with which the shared secret would be zero.
    let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, Kem>(
        &OpModeS::Base,
        &to,
        info,
        content,
        &associated(version, aad),
        &mut Rng(entropy),
    )
    .map_err(invalid)?;
    let mut sealed = Vec::with_capacity(1 + KEY + ciphertext.len());
    sealed.push(version);
    sealed.extend_from_slice(&encapsulated.to_bytes());
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

/// Opens what [`seal`] made. [`Error::Open`] does not say whether key, `info`, `aad` or bytes are the wrong ones.
pub fn open(key: &SealingKey, info: &[u8], aad: &[u8], sealed: &[u8]) -> Result<SecretBytes, Error> {
    let (&version, rest) = sealed.split_first().ok_or(Error::Malformed("envelope"))?;
    if !matches!(version, PLAIN | PADDED) {
        return Err(Error::Version {
            what: "an envelope",
            version,
        });
    }
    let (encapsulated, ciphertext) = rest.split_at_checked(KEY).ok_or(Error::Malformed("envelope"))?;
    let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| Error::Open)?;
    let key = <Kem as hpke::Kem>::PrivateKey::from_bytes(key.secret()).map_err(|_| Error::Open)?;
    let mut content = Zeroizing::new(
        hpke::single_shot_open::<AesGcm256, HkdfSha256, Kem>(
            &OpModeR::Base,
            &key,
            &encapsulated,
            info,
            ciphertext,
            &associated(version, aad),
        )
        .map_err(|_| Error::Open)?,
    );
    if version == PADDED {
        let end = content
            .iter()
            .rposition(|&byte| byte != 0)
            .filter(|&end| content[end] == 0x80);
        content.truncate(end.ok_or(Error::Malformed("envelope"))?);
    }
    Ok(SecretBytes::new(std::mem::take(&mut *content)))
}

fn associated(version: u8, aad: &[u8]) -> Vec<u8> {
    [&[version], aad].concat()
}

fn pad(plaintext: &[u8]) -> Zeroizing<Vec<u8>> {
    const WHOLE: usize = 64 * 1024;
    let least = plaintext.len() + 1;
    let size = if least <= WHOLE {
        least.next_power_of_two().max(1024)
    } else {
        least.next_multiple_of(WHOLE)
    };
    let mut padded = Zeroizing::new(Vec::with_capacity(size));
    padded.extend_from_slice(plaintext);
    padded.push(0x80);
    padded.resize(size, 0);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lengths_share_a_size() {
        for (length, size) in [
            (0, 1024),
            (1023, 1024),
            (1024, 2048),
            (2047, 2048),
            (65_535, 65_536),
            (65_536, 131_072),
            (131_072, 196_608),
        ] {
            assert_eq!(pad(&vec![0x80; length]).len(), size, "{length}");
        }
    }
}
