//! Envelopes: both ways with ourselves, and opened as other implementations made them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{bytes, text, vectors};
use vidimus_core::encoding::base64;
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
