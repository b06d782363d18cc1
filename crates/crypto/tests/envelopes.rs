//! Envelopes: both ways with ourselves, and opened as other implementations made them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{bytes, text, vectors};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};
use vidimus_core::{
    Secret,
    encoding::{base64, from_base64, hex},
};
use vidimus_crypto::{
    Error, OsEntropy, SealingKey, SealingPublicKey, eip1098,
    envelope::{self, Padding},
};

const INFO: &[u8] = b"vidimus/payload/v1";

#[test]
fn the_holder_opens_what_was_sealed_for_her_and_nobody_else_does() {
    let (alice, mallory) = (
        SealingKey::generate(&mut OsEntropy),
        SealingKey::generate(&mut OsEntropy),
    );
    for padding in [Padding::None, Padding::Buckets] {
        for content in [&b""[..], b"\0", b"\x80", b"content\x80\0\0", &[0; 5000]] {
            let sealed = envelope::seal(alice.public_key(), INFO, b"copy 1", content, padding, &mut OsEntropy).unwrap();
            assert_eq!(
                envelope::open(&alice, INFO, b"copy 1", &sealed).unwrap().expose(),
                content
            );
            for refused in [
                envelope::open(&mallory, INFO, b"copy 1", &sealed),
                envelope::open(&alice, b"vidimus/backup/v1", b"copy 1", &sealed),
                envelope::open(&alice, INFO, b"copy 2", &sealed),
            ] {
                assert!(matches!(refused, Err(Error::Open)));
            }
        }
    }
}

#[test]
fn a_changed_or_cut_envelope_does_not_open() {
    let alice = SealingKey::generate(&mut OsEntropy);
    let sealed = envelope::seal(alice.public_key(), INFO, b"", b"content", Padding::None, &mut OsEntropy).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 0x01;
        assert!(envelope::open(&alice, INFO, b"", &changed).is_err(), "byte {at}");
        assert!(envelope::open(&alice, INFO, b"", &sealed[..at]).is_err(), "cut at {at}");
    }
    let mut longer = sealed.clone();
    longer.push(0);
    assert!(envelope::open(&alice, INFO, b"", &longer).is_err());
    // The version is bound: an unpadded envelope does not pass for a padded one.
    let mut relabelled = sealed;
    relabelled[0] = 2;
    assert!(matches!(
        envelope::open(&alice, INFO, b"", &relabelled),
        Err(Error::Open)
    ));
    relabelled[0] = 3;
    assert!(matches!(
        envelope::open(&alice, INFO, b"", &relabelled),
        Err(Error::Version { version: 3, .. })
    ));
}

#[test]
fn sealing_twice_gives_nothing_in_common() {
    let alice = SealingKey::generate(&mut OsEntropy);
    let seal = || envelope::seal(alice.public_key(), INFO, b"", b"content", Padding::None, &mut OsEntropy).unwrap();
    let (one, other) = (seal(), seal());
    assert_ne!(one[1..33], other[1..33]);
    assert_ne!(one[33..], other[33..]);
}

#[test]
fn padding_hides_which_of_two_certificates_it_is() {
    let alice = SealingKey::generate(&mut OsEntropy);
    let length = |content: &[u8]| {
        envelope::seal(alice.public_key(), INFO, b"", content, Padding::Buckets, &mut OsEntropy)
            .unwrap()
            .len()
    };
    assert_eq!(length(&[1; 1500]), length(&[1; 1900]));
}

#[test]
fn keys_of_low_order_are_refused() {
    for low in [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        let low = SealingPublicKey(low);
        let sealed = envelope::seal(&low, INFO, b"", b"content", Padding::None, &mut OsEntropy);
        assert!(matches!(sealed, Err(Error::Key(_))), "{sealed:?}");
        assert!(matches!(
            eip1098::seal(&low, "content", &mut OsEntropy),
            Err(Error::Key(_))
        ));
    }
}

#[test]
fn envelopes_of_another_hpke_open() {
    let vector = &vectors("envelopes.json")["hpke"];
    let key = SealingKey::from_bytes(&bytes(&vector["secret"])).unwrap();
    assert_eq!(key.public_key().0.to_vec(), bytes(&vector["publicKey"]));
    let open = |name: &str| {
        envelope::open(
            &key,
            text(&vector["info"]).as_bytes(),
            text(&vector["aad"]).as_bytes(),
            &bytes(&vector[name]),
        )
    };
    for name in ["plain", "padded"] {
        assert_eq!(
            open(name).unwrap().expose(),
            text(&vector["content"]).as_bytes(),
            "{name}"
        );
    }
    assert!(matches!(open("paddedWithoutEnd"), Err(Error::Malformed(_))));
}

#[test]
fn metamasks_envelopes_open() {
    let vector = &vectors("envelopes.json")["eip1098"];
    let published = &vector["published"];
    let key = SealingKey::from_bytes(&bytes(&published["secret"])).unwrap();
    assert_eq!(base64(&key.public_key().0), text(&published["publicKey"]));
    let envelope = |value: &serde_json::Value| serde_json::from_value::<eip1098::Envelope>(value.clone()).unwrap();
    let content = text(&vector["content"]);
    assert_eq!(
        eip1098::open(&key, &envelope(&published["envelope"])).unwrap().expose(),
        text(&published["content"])
    );
    assert_eq!(
        eip1098::open(&key, &envelope(&vector["encrypt"])).unwrap().expose(),
        content
    );
    assert_eq!(
        eip1098::open_safely(&key, &envelope(&vector["encryptSafely"]))
            .unwrap()
            .expose(),
        content
    );
}

/// `envelopes-reject.json`, as it is made from the envelopes that open.
fn rejects() -> Value {
    let vectors = vectors("envelopes.json");
    let (hpke, eip1098) = (&vectors["hpke"], &vectors["eip1098"]);
    let mut cases = Vec::new();
    let mut hpke_case = |name: &str, sealed: Vec<u8>, changed: (&str, &str), expected: &str| {
        let mut case = json!({"name": name, "kind": "hpke", "secret": hpke["secret"], "info": hpke["info"], "aad": hpke["aad"],
            "sealed": hex(&sealed), "expected": expected});
        if !changed.0.is_empty() {
            case[changed.0] = changed.1.into();
        }
        cases.push(case);
    };
    let (plain, padded) = (bytes(&hpke["plain"]), bytes(&hpke["padded"]));
    let flipped = |sealed: &[u8], at: usize| {
        let mut sealed = sealed.to_vec();
        sealed[at] ^= 1;
        sealed
    };
    let put = |at: usize, new: &[u8]| {
        let mut sealed = plain.clone();
        sealed[at..at + new.len()].copy_from_slice(new);
        sealed
    };
    let (end, same) = (plain.len(), ("", ""));
    hpke_case("nothing", Vec::new(), same, "malformed");
    hpke_case("version alone", plain[..1].to_vec(), same, "malformed");
    hpke_case(
        "cut within the encapsulated key",
        plain[..32].to_vec(),
        same,
        "malformed",
    );
    hpke_case("cut after the encapsulated key", plain[..33].to_vec(), same, "open");
    hpke_case("cut within the tag", plain[..end - 1].to_vec(), same, "open");
    hpke_case(
        "cut to the tag",
        [&plain[..33], &plain[end - 16..]].concat(),
        same,
        "open",
    );
    hpke_case("longer by a byte", [&plain[..], &[0]].concat(), same, "open");
    hpke_case("bit of the encapsulated key flipped", flipped(&plain, 1), same, "open");
    hpke_case(
        "last byte of the encapsulated key flipped",
        flipped(&plain, 32),
        same,
        "open",
    );
    hpke_case("bit of the ciphertext flipped", flipped(&plain, 33), same, "open");
    hpke_case(
        "bit of the padding's ciphertext flipped",
        flipped(&padded, 800),
        same,
        "open",
    );
    hpke_case("bit of the tag flipped", flipped(&plain, end - 1), same, "open");
    hpke_case("encapsulated key of low order", put(1, &[0; 32]), same, "open");
    hpke_case("plain passed off as padded", put(0, &[2]), same, "open");
    hpke_case("version 0", put(0, &[0]), same, "version");
    hpke_case("version 3", put(0, &[3]), same, "version");
    hpke_case(
        "padding without its end",
        bytes(&hpke["paddedWithoutEnd"]),
        same,
        "malformed",
    );
    let other = text(&eip1098["published"]["secret"]);
    hpke_case("another key", plain.clone(), ("secret", other), "open");
    hpke_case("another purpose", plain.clone(), ("info", "vidimus/backup/v1"), "open");
    hpke_case("no purpose", plain.clone(), ("info", ""), "open");
    hpke_case("another copy's", plain.clone(), ("aad", "copy 8"), "open");
    hpke_case("no copy's", plain.clone(), ("aad", ""), "open");

    let mut eip1098_case = |name: &str, kind: &str, secret: &Value, envelope: &Value, expected: &str| {
        cases.push(json!({"name": name, "kind": kind, "secret": secret, "envelope": envelope, "expected": expected}));
    };
    let (secret, good) = (&eip1098["published"]["secret"], &eip1098["encrypt"]);
    let with = |member: &str, value: &str| {
        let mut envelope = good.clone();
        envelope[member] = value.into();
        envelope
    };
    let flip = |member: &str, last: bool| {
        let mut raw = from_base64(text(&good[member])).unwrap();
        let at = if last { raw.len() - 1 } else { 0 };
        raw[at] ^= 1;
        with(member, &base64(&raw))
    };
    let ciphertext = from_base64(text(&good["ciphertext"])).unwrap();
    let cut = |length: usize| with("ciphertext", &base64(&ciphertext[..length]));
    let mut without_nonce = good.clone();
    without_nonce.as_object_mut().unwrap().remove("nonce");
    let mut bare =
        |name: &str, envelope: Value, expected: &str| eip1098_case(name, "eip1098", secret, &envelope, expected);
    bare("bit of the tag flipped", flip("ciphertext", false), "open");
    bare("bit of the ciphertext flipped", flip("ciphertext", true), "open");
    bare("bit of the nonce flipped", flip("nonce", false), "open");
    bare(
        "bit of the ephemeral key flipped",
        flip("ephemPublicKey", false),
        "open",
    );
    bare("ciphertext cut by a byte", cut(ciphertext.len() - 1), "open");
    bare("ciphertext cut to its tag", cut(16), "open");
    bare("ciphertext shorter than a tag", cut(15), "open");
    bare("no ciphertext", cut(0), "open");
    bare("ciphertext that is no base64", with("ciphertext", "****"), "malformed");
    bare("nonce cut", with("nonce", &base64(&[7; 23])), "malformed");
    bare("no nonce", without_nonce, "malformed");
    bare(
        "ephemeral key cut",
        with("ephemPublicKey", &base64(&[7; 31])),
        "malformed",
    );
    bare(
        "ephemeral key of low order",
        with("ephemPublicKey", &base64(&[0; 32])),
        "key",
    );
    bare(
        "another version",
        with("version", "x25519-xsalsa20-poly1306"),
        "malformed",
    );
    eip1098_case("another key", "eip1098", &hpke["secret"], good, "open");
    eip1098_case(
        "content that is not padded",
        "eip1098-safely",
        secret,
        good,
        "malformed",
    );
    let mut safely = eip1098["encryptSafely"].clone();
    let mut raw = from_base64(text(&safely["ciphertext"])).unwrap();
    raw[2047] ^= 1;
    safely["ciphertext"] = base64(&raw).into();
    eip1098_case("bit of the padding flipped", "eip1098-safely", secret, &safely, "open");
    json!({
        "comment": "Envelopes that must not open: those of envelopes.json, flipped, cut, with other keys and in other places. Made by crates/crypto/tests/envelopes.rs.",
        "cases": cases,
    })
}

#[test]
fn the_vectors_of_envelopes_to_refuse_are_what_makes_them() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/crypto/envelopes-reject.json");
    let rejects = rejects();
    if std::env::var_os("VIDIMUS_WRITE_VECTORS").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&rejects).unwrap() + "\n").unwrap();
    }
    let kept: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(kept, rejects, "run with VIDIMUS_WRITE_VECTORS=1, then look");
}

#[test]
fn a_stranger_who_reads_only_the_file_cannot_open_them_either() {
    if std::env::var_os("VIDIMUS_WRITE_VECTORS").is_some() {
        return println!("the file is being written: run again without VIDIMUS_WRITE_VECTORS");
    }
    let vectors = vectors("envelopes-reject.json");
    let mut counts = BTreeMap::new();
    for case in vectors["cases"].as_array().unwrap() {
        let key = SealingKey::from_bytes(&bytes(&case["secret"])).unwrap();
        let eip1098 = |open: fn(&SealingKey, &eip1098::Envelope) -> Result<Secret<String>, Error>| {
            serde_json::from_value(case["envelope"].clone()).map_or(Err(Error::Malformed("JSON")), |envelope| {
                open(&key, &envelope).map(drop)
            })
        };
        let opened = match text(&case["kind"]) {
            "hpke" => {
                let (info, aad) = (text(&case["info"]).as_bytes(), text(&case["aad"]).as_bytes());
                envelope::open(&key, info, aad, &bytes(&case["sealed"])).map(drop)
            }
            "eip1098" => eip1098(eip1098::open),
            "eip1098-safely" => eip1098(eip1098::open_safely),
            kind => panic!("{kind} is no kind of envelope"),
        };
        let outcome = match opened {
            Ok(()) => "opened",
            Err(Error::Open) => "open",
            Err(Error::Malformed(_)) => "malformed",
            Err(Error::Version { .. }) => "version",
            Err(Error::Key(_)) => "key",
            Err(error) => panic!("{}: {error}", case["name"]),
        };
        assert_eq!(outcome, text(&case["expected"]), "{}: {}", case["kind"], case["name"]);
        *counts.entry(text(&case["kind"])).or_insert(0) += 1;
    }
    // More than those of envelopes.json that open: two, two and one.
    assert!(counts["hpke"] > 2 && counts["eip1098"] > 2 && counts["eip1098-safely"] > 1);
}

#[test]
fn our_eip_1098_envelopes_open_and_changed_ones_do_not() {
    let (alice, mallory) = (
        SealingKey::generate(&mut OsEntropy),
        SealingKey::generate(&mut OsEntropy),
    );
    let envelope = eip1098::seal(alice.public_key(), "Größe", &mut OsEntropy).unwrap();
    let json = serde_json::to_value(&envelope).unwrap();
    assert_eq!(json["version"], "x25519-xsalsa20-poly1305");
    assert!(json["ephemPublicKey"].is_string());
    assert_eq!(eip1098::open(&alice, &envelope).unwrap().expose(), "Größe");
    assert!(matches!(eip1098::open(&mallory, &envelope), Err(Error::Open)));
    for member in ["version", "nonce", "ephemPublicKey", "ciphertext"] {
        for value in ["", "AAAA", "****", "x25519-xsalsa20-poly1306"] {
            let mut changed = json.clone();
            changed[member] = value.into();
            let changed = serde_json::from_value(changed).unwrap();
            assert!(eip1098::open(&alice, &changed).is_err(), "{member}: {value}");
        }
    }
    for length in [0, 100, 1999, 2000, 2001, 2002, 4000] {
        let text = "é".repeat(length);
        let padded = eip1098::seal_safely(alice.public_key(), &text, &mut OsEntropy).unwrap();
        let ciphertext = vidimus_core::encoding::from_base64(&padded.ciphertext).unwrap();
        assert_eq!(ciphertext.len() % 2048, 0);
        assert_eq!(eip1098::open_safely(&alice, &padded).unwrap().expose(), &text);
    }
}

#[test]
fn a_sealing_key_reads_back_and_never_prints() {
    let key = SealingKey::generate(&mut OsEntropy);
    let bytes = key.expose_bytes();
    assert_eq!(
        SealingKey::from_bytes(bytes.expose()).unwrap().public_key(),
        key.public_key()
    );
    let public = key.public_key();
    assert_eq!(public.to_string().parse::<SealingPublicKey>().unwrap(), *public);
    assert_eq!(SealingPublicKey::from_jwk(&public.to_jwk()), Some(*public));
    assert_eq!(
        serde_json::from_str::<SealingPublicKey>(&serde_json::to_string(public).unwrap()).unwrap(),
        *public
    );
    assert!(!format!("{key:?}").contains(&vidimus_core::encoding::base64url(bytes.expose())));
    for refused in [
        serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": public.to_string()}),
        serde_json::json!({"kty": "EC", "crv": "X25519", "x": public.to_string()}),
        serde_json::json!({"kty": "OKP", "crv": "X25519", "x": "AAAA"}),
        serde_json::json!({"kty": "OKP", "crv": "X25519"}),
    ] {
        assert_eq!(SealingPublicKey::from_jwk(&refused), None, "{refused}");
    }
}
