//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

#[path = "../../../fuzz/src/wallet.rs"]
mod fuzz;
#[path = "../../../fuzz/src/run.rs"]
mod run;

use serde_json::{Value, json};
use vidimus_core::{Encryption as _, Entropy, SecretBytes, Signer as _};
use vidimus_crypto::{KeyKind, Native, SigningKey};
use vidimus_wallet::{
    PrivateKey, Wallet,
    backup::{self, Code},
    issuer::{MAX_DOCUMENT, read_document},
    left::{LARGEST, Left},
    request,
};

/// What a backup is made with, the same each time.
struct Sevens;

impl Entropy for Sevens {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn opens(file: &[u8]) -> bool {
    backup::open(file, &Code::parse(fuzz::CODE).unwrap(), &Native::new()).is_ok()
}

/// A backup with this inside, as whoever has the code could make it.
fn sealed(version: u8, plain: &[u8]) -> Vec<u8> {
    let mut file = backup::MAGIC.to_vec();
    file.push(version);
    let nonce = [7; 12];
    let key = SecretBytes::new(fuzz::KEY.to_vec());
    let sealed = Native::new().seal_gcm(&key, &nonce, &file, plain).unwrap();
    [file.as_slice(), &nonce, &sealed].concat()
}

#[test]
fn the_corpus_of_backups_is_what_makes_it() {
    let account = SigningKey::from_bytes(KeyKind::Secp256k1, &[1; 32]).unwrap();
    let keys = [[1; 32], [2; 32], [3; 32]].map(PrivateKey::new);
    let wallet = Wallet::new(1, &account, keys, &Native::new()).unwrap();
    let (file, code) = backup::seal(&wallet, &Native::new(), &mut Sevens);
    assert_eq!(code.to_string(), fuzz::CODE);
    let json = serde_json::to_vec(&wallet).unwrap();
    let length = |length: usize| u32::try_from(length).unwrap().to_be_bytes();
    let plain = [&length(json.len()), json.as_slice()].concat();
    let mut altered = file.clone();
    altered[100] ^= 1;
    run::seeds(
        "backup",
        opens,
        &[("wallet", file.clone()), ("unpadded", sealed(1, &plain))],
        &[
            ("empty", Vec::new()),
            ("plain", plain.clone()),
            ("magic", [b"VIDIMUS-WALLET\0\0", &file[16..]].concat()),
            ("cut", file[..file.len() - 1].to_vec()),
            ("header-alone", file[..40].to_vec()),
            ("altered", altered),
            ("version", sealed(2, &plain)),
            ("no-length", sealed(1, &[0, 0, 1])),
            (
                "length-beyond",
                sealed(1, &[&length(json.len() + 1), json.as_slice()].concat()),
            ),
            (
                "length-short",
                sealed(1, &[&length(json.len() - 1), json.as_slice()].concat()),
            ),
            ("no-json", sealed(1, &[&length(2), b"{}".as_slice()].concat())),
            (
                "deep",
                sealed(1, &[&length(4096), "[".repeat(4096).as_bytes()].concat()),
            ),
        ],
    );
}

#[test]
fn the_corpus_of_codes_is_what_makes_it() {
    let code = fuzz::CODE;
    let spaced = code
        .replace('-', " \n ")
        .to_lowercase()
        .replace('0', "o")
        .replace('1', "l");
    run::seeds(
        "backup_code",
        |data| std::str::from_utf8(data).is_ok_and(|text| Code::parse(text).is_ok()),
        &[("printed", code.into()), ("typed", spaced.into())],
        &[
            ("empty", Vec::new()),
            ("short", code[..code.len() - 1].into()),
            ("long", format!("{code}0").into()),
            ("endless", code.repeat(100).into()),
            ("letter", code.replacen('0', "U", 1).into()),
            ("slip", format!("1{}", &code[1..]).into()),
            (
                "swapped-groups",
                format!("{}-{}{}", &code[6..11], &code[..5], &code[11..]).into(),
            ),
            ("no-text", vec![0xff; 65]),
        ],
    );
}

#[test]
fn the_corpus_of_documents_is_what_makes_it() {
    let key = SigningKey::from_bytes(KeyKind::P256, &[9; 32]).unwrap();
    let jwk = serde_json::to_value(key.public_key()).unwrap();
    let method = json!({"id": "#a", "type": "JsonWebKey2020", "controller": fuzz::DID, "publicKeyJwk": jwk});
    let with = |name: &str, value: Value| {
        let mut document = json!({"id": fuzz::DID, "verificationMethod": [method], "assertionMethod": ["#a"]});
        document[name] = value;
        serde_json::to_vec(&document).unwrap()
    };
    let whole = with("authentication", json!([]));
    run::seeds(
        "did_web_document",
        |data| read_document(fuzz::DID, data).is_ok(),
        &[
            ("whole", whole.clone()),
            ("written", with("assertionMethod", json!([method]))),
        ],
        &[
            ("another", with("id", json!("did:web:other.example"))),
            ("no-id", with("id", Value::Null)),
            ("no-keys", with("verificationMethod", json!([]))),
            ("for-nothing", with("assertionMethod", json!([]))),
            ("unknown-key", with("assertionMethod", json!(["#b"]))),
            ("too-many", with("assertionMethod", json!(vec!["#a"; 65]))),
            ("long", with("note", json!("x".repeat(MAX_DOCUMENT)))),
            ("cut", whole[..whole.len() / 2].into()),
            ("array", b"[]".to_vec()),
        ],
    );
}

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

#[test]
fn the_corpus_of_what_is_left_is_what_makes_it() {
    let whole = json!({
        "presentation": "eyJhbGciOiJFUzI1NiJ9.e30.c2ln~",
        "nonce": "bm9uY2U",
        "audience": "did:ethr:0x56494d:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74",
        "purpose": "boarding",
    });
    let with = |name: &str, value: Value| {
        let mut changed = whole.clone();
        changed[name] = value;
        serde_json::to_vec(&changed).unwrap()
    };
    let written = serde_json::to_string(&whole).unwrap();
    run::seeds(
        "left",
        |data| Left::read(data).is_ok(),
        &[
            ("whole", written.clone().into()),
            ("no-presentation-in-it", with("presentation", json!(""))),
            ("other-letters", with("purpose", json!("Grenzübertritt ✈"))),
        ],
        &[
            ("no-presentation", with("presentation", Value::Null)),
            ("no-nonce", with("nonce", Value::Null)),
            ("no-audience", with("audience", json!(""))),
            ("no-purpose", with("purpose", Value::Null)),
            ("empty-purpose", with("purpose", json!(""))),
            ("more", with("more", json!(1))),
            ("object", with("presentation", json!({"copy": "x"}))),
            ("terminal", with("purpose", json!("boarding\u{1b}[2K\u{1b}[1Aborder"))),
            ("too-large", with("presentation", json!("x".repeat(LARGEST)))),
            ("twice", written.replacen('{', r#"{"purpose":"border","#, 1).into()),
            ("array", format!("[{written}]").into()),
            ("cut", written[..written.len() / 2].into()),
            ("deep", "[".repeat(4096).into()),
        ],
    );
}
