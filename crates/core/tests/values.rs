//! The values of this crate: how they are written, what is refused, and what must never collide.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;
use serde_json::{Value, json};
use vidimus_core::{
    Address, Algorithm, Commitment, Digest, Provider, PublicKey, Receipt, Salt, Secret, SecretBytes, Timestamp,
    Transcript,
    encoding::{base64, base64url, from_base64, from_base64url, from_hex, from_hex_exact, hex},
    id::{CopyId, ResultId},
};
use vidimus_crypto::{Native, OsEntropy};

#[test]
fn commitments_are_the_ones_of_the_vector_file() {
    let native = Native::new();
    let vectors: Value = serde_json::from_str(include_str!("../../../vectors/commitment.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let digest = native.sha256(&[&from_hex(text("message")).unwrap()]);
        assert_eq!(digest.to_string(), text("digest"));
        let salt = Salt::from_bytes(from_hex_exact(text("salt")).unwrap());
        assert_eq!(
            Commitment::derive(&native, &salt, &digest).to_string(),
            text("commitment")
        );
    }
    assert!(cases.len() >= 4);
}

#[test]
fn salts_differ_and_never_print() {
    let (one, other) = (Salt::generate(&mut OsEntropy), Salt::generate(&mut OsEntropy));
    assert_ne!(one, other);
    assert_eq!(format!("{one:?}"), "Salt(…)");
    let json = serde_json::to_string(&one).unwrap();
    assert_eq!(serde_json::from_str::<Salt>(&json).unwrap(), one);
    let digest = Digest([7; 32]);
    let native = Native::new();
    assert_ne!(
        Commitment::derive(&native, &one, &digest),
        Commitment::derive(&native, &other, &digest)
    );
}

#[test]
fn secrets_never_print() {
    let secret = SecretBytes::new(b"hunter2".to_vec());
    let nested = Secret::new(String::from("hunter2"));
    assert_eq!(format!("{secret:?} {nested:?}"), "Secret(…) Secret(…)");
}

#[test]
fn times_are_read_as_rfc_3339_says() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2021-06-01T00:00:00Z", 1_622_505_600),
        ("2021-06-01T02:00:00+02:00", 1_622_505_600),
        ("2021-05-31T12:00:00-12:00", 1_622_505_600),
        ("2021-06-01T00:00:00.999999999Z", 1_622_505_600),
        ("1969-12-31T23:59:59Z", -1),
        ("2024-02-29T00:00:00Z", 1_709_164_800),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ] {
        assert_eq!(Timestamp::parse_rfc3339(text), Ok(Timestamp(seconds)), "{text}");
    }
    for text in [
        "",
        "2021-06-01",
        "2021-06-01T00:00:00",
        "2021-06-01T00:00Z",
        "2021-13-01T00:00:00Z",
        "2021-02-29T00:00:00Z",
        "2021-06-31T00:00:00Z",
        "2021-06-01T24:00:00Z",
        "2021-06-01T00:60:00Z",
        "2021-06-01T00:00:61Z",
        "2021-06-01T00:00:00+24:00",
        "2021-06-01T00:00:00+0200",
        "2021-06-01T00:00:00 Z",
        " 2021-06-01T00:00:00Z",
        "2021-06-01T00:00:00Z ",
        "2021-06-01T00:00:00.Z",
        "+2021-06-01T00:00:00Z",
        "21-06-01T00:00:00Z",
        "1622505600",
        "２０２１-06-01T00:00:00Z",
    ] {
        assert!(Timestamp::parse_rfc3339(text).is_err(), "{text}");
    }
}

#[test]
fn times_are_written_in_utc_and_hold_at_the_ends() {
    assert_eq!(Timestamp(1_622_505_600).to_rfc3339(), "2021-06-01T00:00:00Z");
    assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59Z");
    assert_eq!(Timestamp(i64::MAX).to_rfc3339(), i64::MAX.to_string());
    assert_eq!(Timestamp(i64::MAX).plus(1), Timestamp(i64::MAX));
    assert_eq!(Timestamp(i64::MIN).plus(-1), Timestamp(i64::MIN));
    assert_eq!(Timestamp(0).since(Timestamp(i64::MIN)), i64::MAX);
    assert_eq!(Timestamp(5).since(Timestamp(7)), -2);
}

#[test]
fn ids_of_one_kind_are_not_ids_of_another_and_are_random() {
    let ids: std::collections::HashSet<_> = (0..1000)
        .map(|_| CopyId::generate(&mut OsEntropy).to_string())
        .collect();
    assert_eq!(ids.len(), 1000);
    // The types differ; what they hold reads back through JSON.
    let id = ResultId::generate(&mut OsEntropy);
    assert_eq!(
        serde_json::from_str::<ResultId>(&serde_json::to_string(&id).unwrap()).unwrap(),
        id
    );
    assert!(serde_json::from_str::<ResultId>("\"\"").is_err());
    assert!(serde_json::from_str::<ResultId>("1").is_err());
}

#[test]
fn a_text_of_bytes_has_one_spelling() {
    for text in ["A", "AA=", "AA==", "AB", "A+8", "A/8", "AA A", "AA\n", "ÄÄ", "AAA="] {
        assert!(from_base64url(text).is_err(), "{text}");
    }
    for text in ["AA", "AA=", "AB==", "A-==", "A_==", "AA==\n", "AAA", " AA=="] {
        assert!(from_base64(text).is_err(), "{text}");
    }
    for text in ["0", "0x0", "0g", "0X00", "0x0x00", " 00", "00 "] {
        assert!(from_hex(text).is_err(), "{text}");
    }
    assert_eq!(from_hex("0xAbCd").unwrap(), [0xab, 0xcd]);
    assert_eq!(
        from_hex_exact::<2>("abcdef").unwrap_err().to_string(),
        "expected 2 bytes, found 3"
    );
    assert!("00".repeat(31).parse::<Digest>().is_err());
    assert!("00".repeat(33).parse::<Commitment>().is_err());
    assert!("0x52908400098527886E0F7030069857D2E4169EE".parse::<Address>().is_err());
    let address: Address = "0x52908400098527886E0F7030069857D2E4169EE7".parse().unwrap();
    assert_eq!(address.to_string(), "0x52908400098527886e0f7030069857d2e4169ee7");
}

#[test]
fn algorithms_have_their_jose_names_and_no_others() {
    for algorithm in [
        Algorithm::Es256,
        Algorithm::Es256k,
        Algorithm::Es256kR,
        Algorithm::EdDsa,
        Algorithm::Ps256,
    ] {
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.name());
        let fitting = [
            PublicKey::Secp256k1([4; 65]),
            PublicKey::P256([4; 65]),
            PublicKey::Ed25519([0; 32]),
            PublicKey::Rsa(Vec::new()),
        ];
        assert_eq!(
            fitting.iter().filter(|key| key.fits(algorithm)).count(),
            1,
            "{algorithm:?}"
        );
    }
    for name in [
        "none", "None", "", "es256", "ES256 ", "HS256", "RS256", "ES384", "Ed25519", "PS384",
    ] {
        assert_eq!(Algorithm::from_name(name), None, "{name}");
    }
}

#[test]
fn keys_read_back_from_their_jwk() {
    let key =
        PublicKey::Ed25519(from_hex_exact("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap());
    // RFC 8037 A.2 and A.3.
    assert_eq!(
        key.to_jwk().unwrap().to_string(),
        r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
    );
    let thumbprint = key.thumbprint(&Native::new()).unwrap();
    assert_eq!(base64url(&thumbprint.0), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let mut point = [9; 65];
    point[0] = 4;
    for key in [key, PublicKey::P256(point), PublicKey::Secp256k1(point)] {
        let jwk = key.to_jwk().unwrap();
        assert_eq!(PublicKey::from_jwk(&jwk).as_ref(), Some(&key));
        assert_eq!(serde_json::from_value::<PublicKey>(jwk).unwrap(), key);
    }
    assert_eq!(PublicKey::Rsa(vec![1]).to_jwk(), None);
    assert!(serde_json::to_value(PublicKey::Rsa(vec![1])).is_err());
}

#[test]
fn what_is_no_jwk_of_ours_is_refused() {
    let x = base64url(&[9; 32]);
    for jwk in [
        json!(null),
        json!([]),
        json!({}),
        json!({"kty": "EC", "crv": "P-256", "x": x}),
        json!({"kty": "EC", "crv": "P-384", "x": x, "y": x}),
        json!({"kty": "OKP", "crv": "P-256", "x": x, "y": x}),
        json!({"kty": "EC", "crv": "Ed25519", "x": x}),
        json!({"kty": "OKP", "crv": "X25519", "x": x}),
        json!({"kty": "EC", "crv": "P-256", "x": base64url(&[9; 31]), "y": x}),
        json!({"kty": "EC", "crv": "P-256", "x": base64url(&[9; 33]), "y": x}),
        json!({"kty": "EC", "crv": "P-256", "x": format!("{x}="), "y": x}),
        json!({"kty": "EC", "crv": "P-256", "x": 1, "y": x}),
        json!({"kty": "oct", "k": x}),
        json!({"kty": "RSA", "n": x, "e": "AQAB"}),
    ] {
        assert_eq!(PublicKey::from_jwk(&jwk), None, "{jwk}");
    }
}

#[test]
fn a_receipt_with_anything_unknown_is_refused() {
    let hash = format!("0x{}", "11".repeat(32));
    let good = json!({
        "version": 1,
        "proof": {"index": 0, "size": 1, "path": []},
        "anchor": {
            "chain_id": 5_654_861, "contract": format!("0x{}", "22".repeat(20)), "root": "33".repeat(32),
            "transaction": hash, "block_number": 7, "block_hash": hash, "time": 1_622_505_600,
        },
    });
    let receipt: Receipt = serde_json::from_value(good.clone()).unwrap();
    assert_eq!(serde_json::to_value(&receipt).unwrap(), good);
    for pointer in ["", "/proof", "/anchor"] {
        let mut changed = good.clone();
        changed.pointer_mut(pointer).unwrap()["extra"] = json!(true);
        assert!(serde_json::from_value::<Receipt>(changed).is_err(), "{pointer}");
    }
}

fn transcript(domain: &str, fields: &[Vec<u8>]) -> Vec<u8> {
    fields
        .iter()
        .fold(Transcript::new(domain), |transcript, field| transcript.field(field))
        .into_bytes()
}

#[test]
fn a_transcript_is_laid_out_as_documented() {
    let bytes = Transcript::new("d").field(b"ab").number(7).into_bytes();
    assert_eq!(
        hex(&bytes),
        "640000000000000000026162".to_owned() + "0000000000000008" + "0000000000000007"
    );
}

proptest! {
    #[test]
    fn two_sequences_never_give_the_same_transcript(
        one in ("[a-z/]{0,6}", prop::collection::vec(prop::collection::vec(0u8..3, 0..4), 0..5)),
        other in ("[a-z/]{0,6}", prop::collection::vec(prop::collection::vec(0u8..3, 0..4), 0..5)),
        at in any::<prop::sample::Index>(),
    ) {
        prop_assert_eq!(one == other, transcript(&one.0, &one.1) == transcript(&other.0, &other.1));
        // The near misses: a boundary moved, an empty field put in, two fields made one.
        let bytes = transcript(&one.0, &one.1);
        let mut inserted = one.1.clone();
        inserted.insert(at.index(inserted.len() + 1), Vec::new());
        prop_assert_ne!(&transcript(&one.0, &inserted), &bytes);
        if one.1.len() > 1 {
            let i = at.index(one.1.len() - 1);
            let mut joined = one.1.clone();
            let tail = joined.remove(i + 1);
            joined[i].extend(tail);
            prop_assert_ne!(&transcript(&one.0, &joined), &bytes);
        }
    }

    #[test]
    fn texts_of_bytes_read_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(&from_base64url(&base64url(&bytes)).unwrap(), &bytes);
        prop_assert_eq!(&from_base64(&base64(&bytes)).unwrap(), &bytes);
        prop_assert_eq!(&from_hex(&hex(&bytes)).unwrap(), &bytes);
    }

    #[test]
    fn what_decodes_is_the_one_spelling(text in "[A-Za-z0-9_=-]{0,12}") {
        if let Ok(bytes) = from_base64url(&text) {
            prop_assert_eq!(base64url(&bytes), text);
        }
    }

    #[test]
    fn times_within_four_digit_years_read_back(seconds in -62_167_219_200_i64..=253_402_300_799) {
        let time = Timestamp(seconds);
        prop_assert_eq!(Timestamp::parse_rfc3339(&time.to_rfc3339()), Ok(time));
    }

    #[test]
    fn no_text_breaks_a_parser(text in any::<String>()) {
        let _ = Timestamp::parse_rfc3339(&text);
        prop_assert!(text.parse::<CopyId>().is_err() || text.len() == 36);
        let _ = (from_hex(&text), text.parse::<Address>(), text.parse::<Digest>());
    }
}
