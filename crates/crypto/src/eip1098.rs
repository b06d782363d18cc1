//! The other envelope: `x25519-xsalsa20-poly1305` (EIP-1024's draft, which the literature calls ERC-1098), as MetaMask's `eth_decrypt` and
//! npm `@metamask/eth-sig-util` read and write it. NaCl's `box` with a fresh key for each message.
//!
//! It binds to no purpose and no place, and its content is text. New payloads use [`envelope`](crate::envelope) unless a client asks.

use crate::{Error, SealingKey, SealingPublicKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use crypto_box::{SalsaBox, aead::Aead};
use serde::{Deserialize, Serialize};
use vidimus_core::{
    Entropy, Secret,
    encoding::{base64, from_base64},
};
use zeroize::Zeroizing;

const VERSION: &str = "x25519-xsalsa20-poly1305";
/// `encryptSafely` pads to multiples of this, the 16 bytes of the tag included.
const BLOCK: usize = 2048;
const TAG: usize = 16;

/// The envelope as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// `x25519-xsalsa20-poly1305`.
    pub version: String,
    /// 24 bytes, base64.
    pub nonce: String,
    /// 32 bytes, base64.
    #[serde(rename = "ephemPublicKey")]
    pub ephemeral_public_key: String,
    /// Content and tag, base64.
    pub ciphertext: String,
}

/// What `encryptSafely` puts around the content.
#[derive(Serialize, Deserialize)]
struct Padded<'a> {
    #[serde(borrow)]
    data: std::borrow::Cow<'a, str>,
    padding: String,
}

/// Seals as `encrypt` does.
pub fn seal(to: &SealingPublicKey, text: &str, entropy: &mut dyn Entropy) -> Result<Envelope, Error> {
    let mut nonce = [0; 24];
    entropy.fill(&mut nonce);
    let ephemeral = SealingKey::generate(entropy);
    let ciphertext = boxed(to, &ephemeral)?
        .encrypt(&nonce.into(), text.as_bytes())
        .map_err(|_| Error::Malformed("text for an envelope"))?;
    Ok(Envelope {
        version: VERSION.into(),
        nonce: base64(&nonce),
        ephemeral_public_key: base64(&ephemeral.public_key().0),
        ciphertext: base64(&ciphertext),
    })
}

/// Seals as `encryptSafely` does: the length of the ciphertext is a multiple of 2048 bytes.
pub fn seal_safely(to: &SealingPublicKey, text: &str, entropy: &mut dyn Entropy) -> Result<Envelope, Error> {
    let json = |padding: usize| {
        let padded = Padded {
            data: text.into(),
            padding: "0".repeat(padding),
        };
        Zeroizing::new(serde_json::to_string(&padded).expect("two strings are JSON"))
    };
    let bare = json(0).len() + TAG;
    seal(to, &json(bare.next_multiple_of(BLOCK) - bare), entropy)
}

/// Opens what [`seal`], or `encrypt`, made.
pub fn open(key: &SealingKey, envelope: &Envelope) -> Result<Secret<String>, Error> {
    fn bytes<const N: usize>(text: &str) -> Result<[u8; N], Error> {
        from_base64(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(Error::Malformed("EIP-1098 envelope"))
    }
    if envelope.version != VERSION {
        return Err(Error::Malformed("EIP-1098 envelope"));
    }
    let nonce: [u8; 24] = bytes(&envelope.nonce)?;
    let ephemeral = SealingPublicKey(bytes(&envelope.ephemeral_public_key)?);
    let ciphertext = from_base64(&envelope.ciphertext).map_err(|_| Error::Malformed("EIP-1098 envelope"))?;
    let content = boxed(&ephemeral, key)?
        .decrypt(&nonce.into(), ciphertext.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| Error::Open)?;
    let text = std::str::from_utf8(&content).map_err(|_| Error::Malformed("EIP-1098 envelope"))?;
    Ok(Secret::new(text.to_owned()))
}

/// Opens what [`seal_safely`], or `encryptSafely`, made.
pub fn open_safely(key: &SealingKey, envelope: &Envelope) -> Result<Secret<String>, Error> {
    let padded = open(key, envelope)?;
    let padded: Padded<'_> =
        serde_json::from_str(padded.expose()).map_err(|_| Error::Malformed("padded EIP-1098 envelope"))?;
    Ok(Secret::new(padded.data.into_owned()))
}

/// Refuses public keys of low order, with which everybody knows the shared secret.
fn boxed(public: &SealingPublicKey, key: &SealingKey) -> Result<SalsaBox, Error> {
    let invalid = |_| Error::Key("X25519");
    let probe = PrivateKey::from_private_key(&X25519, key.secret()).map_err(invalid)?;
    agree(
        &probe,
        UnparsedPublicKey::new(&X25519, public.0),
        Error::Key("X25519"),
        |_| Ok(()),
    )?;
    Ok(SalsaBox::new(&public.0.into(), &(*key.secret()).into()))
}
