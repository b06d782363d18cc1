//! What the targets of `vidimus-crypto`'s parsers do with their bytes.

use vidimus_core::Algorithm;
use vidimus_core::{Provider, PublicKey};
use vidimus_crypto::{Native, SealingKey, Wrapped, eip1098, envelope};

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[
    ("eip1098", metamask),
    ("sealed", sealed),
    ("signature", signature),
    ("wrapped", wrapped),
];

fn key() -> SealingKey {
    SealingKey::from_bytes(&[7; 32]).expect("any 32 bytes are an X25519 key")
}

/// The HPKE envelope: nothing that was not sealed for this key opens.
pub fn sealed(data: &[u8]) {
    assert!(envelope::open(&key(), b"fuzz", b"", data).is_err());
}

/// The MetaMask envelope.
pub fn metamask(data: &[u8]) {
    if let Ok(read) = serde_json::from_slice::<eip1098::Envelope>(data) {
        let _ = eip1098::open(&key(), &read);
        let _ = eip1098::open_safely(&key(), &read);
    }
}

/// A wrapped key as the store keeps it: one spelling.
pub fn wrapped(data: &[u8]) {
    if let Ok(read) = Wrapped::from_bytes(data) {
        assert_eq!(read.to_bytes(), data);
    }
}

/// Signatures and keys of every kind: first byte the kind, then key, then signature.
pub fn signature(data: &[u8]) {
    let provider = Native::new();
    let Some((&kind, rest)) = data.split_first() else {
        return;
    };
    let point = |rest: &[u8]| rest.get(..65).and_then(|point| <[u8; 65]>::try_from(point).ok());
    let (algorithm, key, at) = match kind % 4 {
        0 => (Algorithm::Es256, point(rest).map(PublicKey::P256), 65),
        1 => (Algorithm::Es256k, point(rest).map(PublicKey::Secp256k1), 65),
        2 => (
            Algorithm::EdDsa,
            rest.get(..32)
                .and_then(|key| key.try_into().ok())
                .map(PublicKey::Ed25519),
            32,
        ),
        _ => (
            Algorithm::Ps256,
            rest.get(..rest.len() / 2).map(|key| PublicKey::Rsa(key.to_vec())),
            rest.len() / 2,
        ),
    };
    if let Some(key) = key {
        let _ = provider.verify(algorithm, &key, b"message", &rest[at..]);
        if let Some(signature) = rest
            .get(at..at + 65)
            .and_then(|bytes| <&[u8; 65]>::try_from(bytes).ok())
        {
            let _ = provider.recover(b"message", signature);
        }
    }
}
