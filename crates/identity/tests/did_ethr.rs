//! Documents of did:ethr against the ones that npm `ethr-did-resolver` builds (`vectors/did-ethr/`, made by `generate.mjs` beside them).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use std::{collections::BTreeMap, fs, path::PathBuf};
use vidimus_core::{
    Algorithm, PublicKey, Timestamp,
    encoding::{from_hex, from_hex_exact},
};
use vidimus_crypto::Native;
use vidimus_identity::{
    Did, KeyMaterial, Relationship, Resolution, VerificationKey,
    ethr::{At, Change, Event, checksum, resolve},
};

fn vectors() -> Vec<(String, Value)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/did-ethr");
    let mut vectors: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let vector = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), vector)
        })
        .collect();
    vectors.sort_by(|a, b| a.0.cmp(&b.0));
    vectors
}

fn vector(name: &str) -> Value {
    vectors().into_iter().find(|(file, _)| file == name).unwrap().1
}

fn bytes32(event: &Value, member: &str) -> [u8; 32] {
    if let Some(hex) = event.get("nameHex") {
        return from_hex_exact(hex.as_str().unwrap()).unwrap();
    }
    let mut bytes = [0; 32];
    let text = event[member].as_str().unwrap();
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

fn events(vector: &Value) -> Vec<Event> {
    let event = |event: &Value| Event {
        block: event["block"].as_u64().unwrap(),
        time: Timestamp(event["time"].as_i64().unwrap()),
        previous_change: event["previousChange"].as_u64().unwrap(),
        change: match event["type"].as_str().unwrap() {
            "owner" => Change::Owner {
                owner: event["owner"].as_str().unwrap().parse().unwrap(),
            },
            "delegate" => Change::Delegate {
                delegate_type: bytes32(event, "delegateType"),
                delegate: event["delegate"].as_str().unwrap().parse().unwrap(),
                valid_to: event["validTo"].as_u64().unwrap(),
            },
            "attribute" => Change::Attribute {
                name: bytes32(event, "name"),
                value: from_hex(event["value"].as_str().unwrap()).unwrap(),
                valid_to: event["validTo"].as_u64().unwrap(),
            },
            other => panic!("{other}"),
        },
    };
    vector["events"].as_array().unwrap().iter().map(event).collect()
}

fn resolved(vector: &Value, at: At) -> Resolution {
    let did: Did = vector["did"].as_str().unwrap().parse().unwrap();
    resolve(did.as_ethr().unwrap(), &events(vector), at, &Native::new()).unwrap()
}

fn at(vector: &Value) -> At {
    match vector.get("versionId") {
        Some(number) => At::Block {
            number: number.as_u64().unwrap(),
            time: Timestamp(vector["versionTime"].as_i64().unwrap()),
        },
        None => At::Now(Timestamp(vector["now"].as_i64().unwrap())),
    }
}

#[test]
fn documents_are_the_ones_that_the_npm_resolver_builds() {
    let vectors = vectors();
    for (name, vector) in &vectors {
        let resolution = serde_json::to_value(resolved(vector, at(vector))).unwrap();
        assert_eq!(resolution, vector["expected"], "{name}");
    }
    assert!(vectors.len() >= 20, "the vectors are there");
}

#[test]
fn an_id_stays_its_key_s_whatever_is_revoked_later() {
    let vector = vector("signing-keys-rotated-and-revoked");
    let mut keys: BTreeMap<String, KeyMaterial> = BTreeMap::new();
    for event in events(&vector) {
        let stood = resolved(
            &vector,
            At::Block {
                number: event.block,
                time: event.time,
            },
        );
        for method in stood.did_document.verification_method {
            let known = keys.entry(method.id.clone()).or_insert_with(|| method.material.clone());
            assert_eq!(*known, method.material, "{} names another key now", method.id);
        }
    }
    let numbers: Vec<_> = keys.keys().filter_map(|id| id.split_once("#delegate-")).collect();
    let numbers: Vec<_> = numbers.into_iter().map(|(_, number)| number).collect();
    // 3, 5, 6 and 7 are revocations: their numbers are used up.
    assert_eq!(numbers, ["1", "2", "4", "8"]);
}

#[test]
fn a_document_as_of_a_time_is_the_one_as_of_its_block() {
    let vector = vector("version");
    let At::Block { time, .. } = at(&vector) else {
        panic!("a version is asked for")
    };
    assert_eq!(resolved(&vector, At::Time(time)), resolved(&vector, at(&vector)));
    assert_ne!(
        resolved(&vector, At::Time(time.plus(-1))),
        resolved(&vector, at(&vector))
    );
}

#[test]
fn what_was_deactivated_has_no_keys_and_says_so() {
    let resolution = resolved(&vector("deactivated"), At::Now(Timestamp(1_800_000_000)));
    assert!(resolution.did_document_metadata.deactivated);
    assert!(
        resolution
            .did_document
            .keys(Relationship::AssertionMethod, &Native::new())
            .is_empty()
    );
}

#[test]
fn keys_come_out_by_what_they_are_for() {
    let native = Native::new();
    let document = resolved(&vector("multikey"), At::Now(Timestamp(1_800_000_000))).did_document;
    let assertion = document.keys(Relationship::AssertionMethod, &native);
    assert!(matches!(assertion[0], (_, VerificationKey::Account(_))));
    assert!(matches!(assertion[1], (_, VerificationKey::Key(PublicKey::P256(_)))));
    assert_eq!(
        document.keys(Relationship::Authentication, &native).len(),
        1,
        "veriKey does not log in"
    );
    // An account's key checks ES256K only.
    assert!(assertion[0].1.verify(&native, Algorithm::Es256, b"", &[0; 64]).is_err());

    let forms = resolved(&vector("attribute-forms"), At::Now(Timestamp(1_800_000_000))).did_document;
    let kinds = |relationship| -> Vec<String> {
        forms
            .keys(relationship, &native)
            .into_iter()
            .map(|(_, key)| format!("{key:?}"))
            .collect()
    };
    let logs_in = kinds(Relationship::Authentication);
    assert_eq!(logs_in.len(), 3, "controller, secp256k1 and Ed25519: {logs_in:?}");
    assert!(logs_in[1].contains("secp256k1") && logs_in[2].contains("Ed25519"));
    let signs = kinds(Relationship::AssertionMethod);
    assert_eq!(
        signs.len(),
        5,
        "also secp256k1 in hexadecimal and Ed25519 in base58, not RSA or X25519: {signs:?}"
    );
}

#[test]
fn a_multikey_is_served_in_its_own_form_on_request() {
    let native = Native::new();
    let document = resolved(&vector("multikey"), At::Now(Timestamp(1_800_000_000)))
        .did_document
        .with_multibase(&native);
    let forms: Vec<_> = document
        .verification_method
        .iter()
        .map(|method| &method.material)
        .collect();
    // did:key of the P-256 generator: 0x80 0x24 and the compressed point.
    let KeyMaterial::PublicKeyMultibase(p256) = forms[1] else {
        panic!("{:?}", forms[1])
    };
    assert!(p256.starts_with("zDn"), "{p256}");
    let KeyMaterial::PublicKeyMultibase(ed25519) = forms[2] else {
        panic!("{:?}", forms[2])
    };
    assert!(ed25519.starts_with("z6Mk"), "{ed25519}");
    let KeyMaterial::PublicKeyMultibase(x25519) = forms[3] else {
        panic!("{:?}", forms[3])
    };
    assert!(x25519.starts_with("z6LS"), "{x25519}");
}

#[test]
fn addresses_are_cased_as_eip_55_says() {
    // The examples of EIP-55.
    for address in [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ] {
        assert_eq!(checksum(&address.parse().unwrap(), &Native::new()), address);
    }
}
