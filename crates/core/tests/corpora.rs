//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

#[path = "../../../fuzz/src/core.rs"]
mod fuzz;
#[path = "../../../fuzz/src/run.rs"]
mod run;

use vidimus_core::{ApiKey, Secret, id::ApiKeyId};

#[test]
fn the_corpus_of_api_keys_is_what_makes_it() {
    let key = |byte: u8| {
        let key = ApiKey {
            id: ApiKeyId::from_bytes([byte; 16]),
            secret: Secret::new([byte ^ 0xff; 32]),
        };
        key.text().expose().clone()
    };
    let one = key(0x0a);
    let reads = |data: &[u8]| std::str::from_utf8(data).is_ok_and(|text| text.parse::<ApiKey>().is_ok());
    run::seeds(
        "api_key",
        reads,
        &[
            ("one", one.clone().into()),
            ("zeros", key(0).into()),
            ("ones", key(0xff).into()),
        ],
        &[
            ("upper-case", one.to_uppercase().into()),
            ("upper-case-digits", one.replace('a', "A").into()),
            ("prefixed-digits", one.replacen("0a0a", "0x0a", 1).into()),
            ("short-secret", one[..one.len() - 2].into()),
            ("long-id", one.replacen("0a", "0a0a", 1).into()),
            ("no-secret", one[..35].into()),
            ("space", format!("{one} ").into()),
            ("uuid", ApiKeyId::from_bytes([7; 16]).to_string().into()),
        ],
    );
}
