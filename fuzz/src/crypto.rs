//! What the targets of `vidimus-crypto`'s parsers do with their bytes.

use vidimus_core::{Algorithm, Entropy, Provider, PublicKey, SecretBytes};
use vidimus_crypto::{Error, Native, PasswordFile, SealingKey, Wrapped, eip1098, envelope};

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[
    ("eip1098", metamask),
    ("password_file", password_file),
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

/// The passphrase of the corpus's files.
pub const PASSWORD: &[u8] = b"correct horse";

/// A file that a passphrase opens: as it is, and with its checksum made to fit, as who forges one would. A cost beyond the limits is refused
/// before anything is spent on it; one that would take long here is left out.
pub fn password_file(data: &[u8]) {
    open(data);
    let Some(body) = data.len().checked_sub(8).and_then(|end| data.get(..end)) else {
        return;
    };
    let sum = Native::new().sha256(&[body]);
    open(&[body, &sum.0[..8]].concat());
}

fn open(file: &[u8]) {
    let number = |at: usize| {
        file.get(at..at + 4)
            .map(|bytes| u32::from_be_bytes(bytes.try_into().expect("4 bytes")))
    };
    let (Some(memory), Some(passes), Some(lanes)) = (number(9), number(13), number(17)) else {
        assert!(PasswordFile::open(file, &SecretBytes::new(PASSWORD.to_vec())).is_err());
        return;
    };
    let work = u64::from(memory) * u64::from(passes);
    let beyond = memory > 1 << 20 || passes > 32 || lanes > 16 || work > 4 << 20;
    if !beyond && work > 1 << 10 {
        return;
    }
    match PasswordFile::open(file, &SecretBytes::new(PASSWORD.to_vec())) {
        Ok((unlocked, content)) => {
            assert!(!beyond, "a cost beyond the limits");
            let again = unlocked.seal(content.expose(), &mut Sevens);
            let (_, read) =
                PasswordFile::open(&again, &SecretBytes::new(PASSWORD.to_vec())).expect("what is sealed opens");
            assert_eq!(read.expose(), content.expose());
        }
        Err(error) => assert!(
            matches!(
                error,
                Error::Password | Error::PasswordFileDamaged(_) | Error::PasswordFileCost | Error::Version { .. }
            ),
            "{error}"
        ),
    }
}

/// Always the same entropy.
pub struct Sevens;

impl Entropy for Sevens {
    fn fill(&mut self, into: &mut [u8]) {
        into.fill(7);
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
