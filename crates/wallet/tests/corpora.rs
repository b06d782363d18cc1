//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

#[path = "../../../fuzz/src/wallet.rs"]
mod fuzz;
#[path = "../../../fuzz/src/run.rs"]
mod run;

use serde_json::{Value, json};
use vidimus_wallet::request;

#[test]
fn the_corpus_of_requests_is_what_makes_it() {
    // What a verifier's service answers, with its id and when it expires.
    let whole = json!({
        "id": "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f",
        "nonce": "bm9uY2U",
        "audience": "did:ethr:0x56494d:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74",
        "purpose": "boarding",
        "expires": "2026-03-02T12:05:00Z",
    });
    let with = |name: &str, value: Value| {
        let mut changed = whole.clone();
        changed[name] = value;
        serde_json::to_vec(&changed).unwrap()
    };
    let written = serde_json::to_string(&whole).unwrap();
    run::seeds(
        "presentation_request",
        |data| request::read(data).is_ok(),
        &[
            ("whole", written.clone().into()),
            ("no-purpose", with("purpose", Value::Null)),
            ("other-letters", with("purpose", json!("Grenzübertritt ✈"))),
            ("longest", with("purpose", json!("x".repeat(request::LONGEST)))),
        ],
        &[
            ("no-nonce", with("nonce", Value::Null)),
            ("empty-nonce", with("nonce", json!(""))),
            ("no-audience", with("audience", Value::Null)),
            ("number", with("nonce", json!(7))),
            ("list", with("audience", json!(["did:web:airline.example"]))),
            (
                "terminal",
                with("audience", json!("airline\u{1b}[2K\u{1b}[1Aborder police")),
            ),
            ("lines", with("purpose", json!("boarding\nborder control"))),
            ("too-long", with("purpose", json!("x".repeat(request::LONGEST + 1)))),
            (
                "twice",
                written
                    .replacen('{', r#"{"audience":"did:web:other.example","#, 1)
                    .into(),
            ),
            ("array", format!("[{written}]").into()),
            ("cut", written[..written.len() / 2].into()),
            ("deep", "[".repeat(4096).into()),
        ],
    );
}
