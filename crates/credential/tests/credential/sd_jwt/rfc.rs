//! `vectors/sd-jwt/rfc9901.json`.

use super::*;
use serde::Deserialize;
use vidimus_core::{Algorithm, Provider, PublicKey, Timestamp};
use vidimus_credential::sd_jwt::{
    ClaimPath,
    key_binding::{KeyBindingError, Window, holder_key},
};

#[derive(Deserialize)]
struct File {
    digests: Vec<Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    sd_jwt: Option<String>,
    #[serde(default)]
    issuer_key: Option<PublicKey>,
    #[serde(default)]
    payload: Map<String, Value>,
    #[serde(default)]
    disclosures: Vec<String>,
    #[serde(default)]
    key_binding: Option<Binding>,
    paths: Vec<ClaimPath>,
    #[serde(default)]
    parents: Option<Vec<Option<usize>>>,
    processed: Map<String, Value>,
}

#[derive(Deserialize)]
struct Binding {
    audience: String,
    nonce: String,
    issued_at: Timestamp,
}

fn file() -> File {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/sd-jwt/rfc9901.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn digests_are_those_of_the_rfc() {
    for case in file().digests {
        assert_eq!(digest(case["disclosure"].as_str().unwrap()), case["digest"], "{case}");
    }
}

#[test]
fn the_examples_read_as_the_rfc_says() {
    let cases = file().cases;
    assert!(cases.len() >= 10, "{}", cases.len());
    for case in cases {
        let name = &case.name;
        let text = case
            .sd_jwt
            .clone()
            .unwrap_or_else(|| combine(&unsigned(&case.payload), case.disclosures.iter().map(String::as_str)));
        let read = SdJwt::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Some(key) = &case.issuer_key {
            let verified = Native::new().verify(Algorithm::Es256, key, read.jws().message(), read.jws().signature());
            assert_eq!(verified, Ok(()), "{name}");
        }
        let processed = read
            .process(&Native::new())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(processed.claims, case.processed, "{name}");
        let paths: Vec<_> = processed.disclosed.iter().map(|one| one.path.clone()).collect();
        assert_eq!(paths, case.paths, "{name}");
        if let Some(parents) = &case.parents {
            let found: Vec<_> = processed.disclosed.iter().map(|one| one.parent).collect();
            assert_eq!(found, *parents, "{name}");
        }
        assert_eq!(read.bound().is_some(), case.key_binding.is_some(), "{name}");
        let Some(expected) = case.key_binding else { continue };
        let binding = read.key_binding().unwrap().unwrap();
        let key = holder_key(&processed.claims).unwrap();
        assert_eq!(
            binding.verify_holder(read.unbound(), &key, &Native::new()),
            Ok(()),
            "{name}"
        );
        let window = Window {
            now: expected.issued_at.plus(10),
            max_age: 60,
            skew: 5,
        };
        let answers = |audience: &str, nonce: &str| binding.verify_request(audience, nonce, &window);
        assert_eq!(answers(&expected.audience, &expected.nonce), Ok(()), "{name}");
        assert_eq!(
            answers(&expected.audience, "12345678901"),
            Err(KeyBindingError::Nonce),
            "{name}"
        );
        assert_eq!(
            answers("https://other.example", &expected.nonce),
            Err(KeyBindingError::Audience),
            "{name}"
        );
        let issuer = case.issuer_key.unwrap();
        assert_eq!(
            binding.verify_holder(read.unbound(), &issuer, &Native::new()),
            Err(KeyBindingError::Signature),
            "{name}"
        );
    }
}
