//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

#[path = "../../../fuzz/src/crypto.rs"]
mod fuzz;
#[path = "../../../fuzz/src/run.rs"]
mod run;

use vidimus_core::{Provider, SecretBytes};
use vidimus_crypto::{Native, PasswordFile, password::Cost};

#[test]
fn the_corpus_of_password_files_is_what_makes_it() {
    let cheap = |lanes: u32| Cost {
        memory: 8 * lanes,
        passes: 1,
        lanes,
    };
    let sealed = |password: &[u8], cost: Cost, content: &[u8]| {
        let file = PasswordFile::create(&SecretBytes::new(password.to_vec()), cost, &mut fuzz::Sevens).unwrap();
        file.seal(content, &mut fuzz::Sevens)
    };
    let whole = sealed(fuzz::PASSWORD, cheap(1), b"{}");
    // With a checksum that fits, as who forges a file would write it.
    let changed = |at: usize, bytes: &[u8]| {
        let mut body = whole[..whole.len() - 8].to_vec();
        body[at..at + bytes.len()].copy_from_slice(bytes);
        let sum = Native::new().sha256(&[&body]);
        [&body, &sum.0[..8]].concat()
    };
    let password = SecretBytes::new(fuzz::PASSWORD.to_vec());
    assert!(PasswordFile::open(&whole, &password).is_ok());
    run::seeds(
        "password_file",
        |data| PasswordFile::open(data, &SecretBytes::new(fuzz::PASSWORD.to_vec())).is_ok(),
        &[
            ("one", whole.clone()),
            ("lanes", sealed(fuzz::PASSWORD, cheap(2), b"{}")),
            ("empty", sealed(fuzz::PASSWORD, cheap(1), b"")),
        ],
        &[
            ("another-password", sealed(b"battery staple", cheap(1), b"{}")),
            (
                "checksum",
                [&whole[..whole.len() - 1], &[whole[whole.len() - 1] ^ 1]].concat(),
            ),
            ("cut", whole[..whole.len() / 2].to_vec()),
            ("magic", changed(0, b"vidimus")),
            ("version", changed(8, &[2])),
            ("memory-of-4-tib", changed(9, &[0xff; 4])),
            ("memory-of-nothing", changed(9, &[0; 4])),
            ("passes-without-end", changed(13, &[0xff; 4])),
            ("no-passes", changed(13, &[0; 4])),
            ("lanes-without-end", changed(17, &[0xff; 4])),
            ("no-lanes", changed(17, &[0; 4])),
            ("salt", changed(21, &[0; 16])),
            ("key-check", changed(37, &[0; 16])),
            ("nonce", changed(53, &[0; 12])),
            ("tag", changed(whole.len() - 24, &[0; 16])),
            ("nothing", Vec::new()),
        ],
    );
}
