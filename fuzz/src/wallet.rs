//! What the targets of `vidimus-wallet`'s parsers do with their bytes.

use vidimus_core::{Encryption as _, SecretBytes};
use vidimus_crypto::Native;
use vidimus_wallet::{
    Wallet,
    backup::{self, Code},
    issuer::read_document,
    left::Left,
    request,
};

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[
    ("backup", backup_file),
    ("backup_code", backup_code),
    ("did_web_document", did_web_document),
    ("left", left),
    ("presentation_request", presentation_request),
];

/// The code that opens the corpus's backups, and the key that it is.
pub const CODE: &str = "0W3GJ-E1R72-0W3GQ-E1R77-0W3GR-E1R78-0W3GX-E1R7D-0W3G6-E1R7P-0W3G3-E1R7K-0W3GC";
/// The key.
pub const KEY: [u8; 32] = [7; 32];

/// A backup: as a file, and as what lies sealed in one, as whoever has the code could make it. A wallet that comes out is written and read as the same.
pub fn backup_file(data: &[u8]) {
    open(data);
    let mut header = backup::MAGIC.to_vec();
    header.push(backup::VERSION);
    let nonce = [0; 12];
    let key = SecretBytes::new(KEY.to_vec());
    let sealed = Native::new().seal_gcm(&key, &nonce, &header, data);
    let sealed = sealed.expect("a key of 32 bytes seals anything");
    open(&[header.as_slice(), &nonce, &sealed].concat());
}

fn open(file: &[u8]) {
    let code = Code::parse(CODE).expect("the code of the corpus");
    if let Ok(wallet) = backup::open(file, &code, &Native::new()) {
        let written = serde_json::to_vec(&wallet).expect("a wallet is JSON");
        let again: Wallet = serde_json::from_slice(&written).expect("what was written reads");
        assert_eq!(serde_json::to_vec(&again).ok(), Some(written));
    }
}

/// A code as somebody typed it: one that reads is printed in one way, and reads again as the same.
pub fn backup_code(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(code) = Code::parse(text) {
        let printed = code.to_string();
        assert_eq!(printed.len(), backup::GROUPS * 6 - 1);
        let again = Code::parse(&printed).expect("what is printed reads");
        assert_eq!(again.to_string(), printed);
    }
}

/// The document of a did:web: bounded, of the DID that was asked for.
pub fn did_web_document(data: &[u8]) {
    if let Ok(keys) = read_document(DID, data) {
        assert!((1..=64).contains(&keys.len()));
    }
}

/// The DID of the corpus's documents.
pub const DID: &str = "did:web:lab.example";

/// What a verifier asks a holder to show: bounded, without what would move a terminal's cursor, and read again as the same.
pub fn presentation_request(data: &[u8]) {
    if let Ok(read) = request::read(data) {
        let texts = [Some(&read.nonce), Some(&read.audience), read.purpose.as_ref()];
        for text in texts.into_iter().flatten() {
            assert!(!text.is_empty() && text.len() <= request::LONGEST);
            assert!(!text.chars().any(char::is_control));
        }
        let written = serde_json::to_vec(&read).expect("a request is JSON");
        assert_eq!(request::read(&written).ok(), Some(read));
    }
}

/// What is left for a verifier, opened: bounded, without what would move a terminal's cursor, read again as the same, and checked for nobody else.
pub fn left(data: &[u8]) {
    if let Ok(read) = Left::read(data) {
        for text in [&read.nonce, &read.audience, &read.purpose] {
            assert!(!text.is_empty() && text.len() <= request::LONGEST);
            assert!(!text.chars().any(char::is_control));
        }
        assert!(read.to_check("did:example:somebody-else", None).is_err());
        if let Ok((input, expected)) = read.to_check(&read.audience, Some(&read.purpose)) {
            assert!(input.is_shown() && expected.nonce == read.nonce);
        }
        let written = serde_json::to_vec(&read).expect("what is left is JSON");
        assert_eq!(Left::read(&written).ok(), Some(read));
    }
}
