//! Keys that a wallet has with one party and no other, out of one secret: what is in a backup brings them back.
//!
//! A key is HMAC-SHA-256 (RFC 2104) of the seed over what it is for and with whom, counted up until it is a scalar of the curve. Whoever has the seed
//! has all of them; whoever has one of them learns nothing of the others, so that two parties cannot tell that they deal with one wallet.

use crate::PrivateKey;
use vidimus_core::{Encryption, Entropy, Provider, Secret};
use zeroize::Zeroizing;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Tokens of this issuer are bound to it (RFC 9449).
    Tokens,
    /// The wallet shows itself to this authorization server with it (OpenID4VCI appendix E).
    Instance,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Tokens => b"vidimus/wallet/1/tokens",
            Self::Instance => b"vidimus/wallet/1/instance",
        }
    }
}

/// A new seed.
pub(crate) fn generate(entropy: &mut dyn Entropy) -> PrivateKey {
    let mut bytes = Zeroizing::new([0; 32]);
    entropy.fill(&mut *bytes);
    PrivateKey::new(*bytes)
}

/// The P-256 key for `purpose` with `party`.
pub(crate) fn derive(seed: &PrivateKey, purpose: Purpose, party: &str, crypto: &dyn Encryption) -> PrivateKey {
    // One in 2^32 candidates is no scalar.
    for count in 0..=u8::MAX {
        let parts = [purpose.label(), &[0], party.as_bytes(), &[0, count]];
        let bytes = hmac(seed.expose(), &parts, crypto);
        if crypto.p256_public(&Secret::new(*bytes)).is_some() {
            return PrivateKey::new(*bytes);
        }
    }
    unreachable!("256 outputs of HMAC-SHA-256 that are no scalars of P-256 do not occur")
}

fn hmac(key: &[u8; 32], parts: &[&[u8]], provider: &(impl Provider + ?Sized)) -> Zeroizing<[u8; 32]> {
    let mut inner = Zeroizing::new([0x36; 64]);
    let mut outer = Zeroizing::new([0x5c; 64]);
    for (at, byte) in key.iter().enumerate() {
        inner[at] ^= byte;
        outer[at] ^= byte;
    }
    let mut all: Vec<&[u8]> = vec![&*inner];
    all.extend(parts);
    let digest = Zeroizing::new(provider.sha256(&all).0);
    Zeroizing::new(provider.sha256(&[&*outer, &*digest]).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vidimus_core::encoding::hex;
    use vidimus_crypto::Native;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        // Its keys are shorter; HMAC fills them up with zeros.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let native = Native::new();
        let made = hmac(&key, &[b"Hi ", b"There"], &native);
        assert_eq!(
            hex(&*made),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let made = hmac(&key, &[b"what do ya want for nothing?"], &native);
        assert_eq!(
            hex(&*made),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn each_party_has_another_key() {
        let (native, seed) = (Native::new(), PrivateKey::new([7; 32]));
        let key = |purpose, party| hex(derive(&seed, purpose, party, &native).expose());
        let first = key(Purpose::Tokens, "https://a.example");
        assert_eq!(first, key(Purpose::Tokens, "https://a.example"));
        assert_ne!(first, key(Purpose::Tokens, "https://b.example"));
        assert_ne!(first, key(Purpose::Instance, "https://a.example"));
        let other = derive(&PrivateKey::new([8; 32]), Purpose::Tokens, "https://a.example", &native);
        assert_ne!(first, hex(other.expose()));
    }
}
