//! Compact JWE: the published examples, and whatever must not be opened.

use proptest::prelude::*;
use serde_json::{Value, json};
use vidimus_core::{Encryption as _, PublicKey, Secret, encoding};
use vidimus_crypto::{Native, OsEntropy};
use vidimus_openid4vc::jwe::{
    ContentEncryption, Jwe, JweError, MAX_PARTY_INFO, Parameters, Recipient, derive_key, encrypt, generate_key,
};

const MAX: usize = 64 << 10;

fn scalar(text: &str) -> Secret<[u8; 32]> {
    Secret::new(encoding::from_base64url(text).unwrap().try_into().unwrap())
}

fn pair(kid: &str) -> (Secret<[u8; 32]>, Recipient) {
    let native = Native::new();
    let private = generate_key(&native, &mut OsEntropy).unwrap();
    let key = native.p256_public(&private).unwrap();
    let kid = Some(kid.to_owned());
    (private, Recipient { key, kid })
}

fn seal(to: &Recipient, parameters: &Parameters, text: &[u8]) -> String {
    encrypt(
        to,
        ContentEncryption::A256Gcm,
        parameters,
        text,
        &Native::new(),
        &mut OsEntropy,
    )
    .unwrap()
}

fn open(token: &str, private: &Secret<[u8; 32]>) -> Result<Vec<u8>, JweError> {
    Jwe::parse(token, MAX)?
        .decrypt(private, None, &Native::new())
        .map(|content| content.expose().clone())
}

/// `token` with a header of these members.
fn with_header(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&encoding::from_base64url(header).unwrap()).unwrap();
    change(&mut header);
    format!("{}.{rest}", encoding::base64url(header.to_string().as_bytes()))
}

/// RFC 7518 Appendix C.
#[test]
fn derives_the_published_key() {
    let native = Native::new();
    let alice = scalar("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
    let bob = PublicKey::from_jwk(&json!({"kty": "EC", "crv": "P-256",
        "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}))
    .unwrap();
    let shared = native.p256_agree(&alice, &bob).unwrap();
    let key = derive_key(&shared, ContentEncryption::A128Gcm, b"Alice", b"Bob", &native);
    assert_eq!(encoding::base64url(key.expose()), "VqqN6vgjbSBcIijNcacQGg");
    for (encryption, apu, apv) in [
        (ContentEncryption::A128Gcm, "Bob", "Alice"),
        (ContentEncryption::A128Gcm, "AliceB", "ob"),
        (ContentEncryption::A256Gcm, "Alice", "Bob"),
    ] {
        let other = derive_key(&shared, encryption, apu.as_bytes(), apv.as_bytes(), &native);
        assert_ne!(other.expose()[..16], key.expose()[..]);
        assert_eq!(other.expose().len(), encryption.key_length());
    }
}

/// OpenID4VP 1.0 §8.3: its encrypted response opens with its key.
#[test]
fn opens_the_response_of_the_specification() {
    let vector: Value = serde_json::from_str(include_str!("../../../../vectors/vp/encrypted-response.json")).unwrap();
    let (token, jwk) = (vector["response"].as_str().unwrap(), &vector["jwk"]);
    let private = scalar(jwk["d"].as_str().unwrap());
    let recipient = Recipient::from_jwk(jwk).unwrap();
    assert_eq!(Native::new().p256_public(&private), Some(recipient.key.clone()));
    let jwe = Jwe::parse(token, MAX).unwrap();
    assert_eq!(jwe.kid(), recipient.kid.as_deref());
    assert_eq!(jwe.encryption(), ContentEncryption::A128Gcm);
    let content: Value = serde_json::from_slice(&open(token, &private).unwrap()).unwrap();
    assert_eq!(content, vector["content"]);
    assert_eq!(Recipient::from_jwks(&vector["jwks"]), Some(recipient));
}

#[test]
fn what_is_encrypted_opens_with_its_key_and_no_other() {
    let (private, recipient) = pair("session-1");
    let (other, _) = pair("session-1");
    let parameters = Parameters {
        apu: Some(b"wallet".to_vec()),
        apv: Some(b"nonce".to_vec()),
        typ: Some("JWT".into()),
        cty: None,
        compressed: false,
    };
    for encryption in ContentEncryption::ALL {
        let token = encrypt(
            &recipient,
            encryption,
            &parameters,
            b"text",
            &Native::new(),
            &mut OsEntropy,
        )
        .unwrap();
        assert_eq!(open(&token, &private).unwrap(), b"text");
        assert_eq!(open(&token, &other), Err(JweError::Open));
        let jwe = Jwe::parse(&token, MAX).unwrap();
        assert_eq!((jwe.encryption(), jwe.kid()), (encryption, Some("session-1")));
        assert_eq!(jwe.parameters(), &parameters);
        assert!(jwe.is_type("jwt") && !jwe.is_type("other"));
    }
    let again = [(); 2].map(|()| seal(&recipient, &parameters, b"text"));
    assert_ne!(again[0], again[1], "a fresh key each time");
}

#[test]
fn each_changed_character_is_refused() {
    let (private, recipient) = pair("k");
    let token = seal(&recipient, &Parameters::default(), b"some text");
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(open(&changed, &private).is_err(), "character {at}");
    }
    for end in 0..token.len() {
        assert!(open(&token[..end], &private).is_err(), "cut at {end}");
    }
}

#[test]
fn headers_that_ask_for_more_or_say_less_are_refused() {
    let (private, recipient) = pair("k");
    let token = seal(&recipient, &Parameters::default(), b"some text");
    type Change = fn(&mut Value);
    let cases: [(&str, Change, JweError); 17] = [
        ("alg none", |h| h["alg"] = "none".into(), JweError::Algorithm),
        ("alg dir", |h| h["alg"] = "dir".into(), JweError::Algorithm),
        (
            "key wrapping",
            |h| h["alg"] = "ECDH-ES+A128KW".into(),
            JweError::Algorithm,
        ),
        ("alg a number", |h| h["alg"] = 1.into(), JweError::Parameter("alg")),
        ("enc CBC", |h| h["enc"] = "A128CBC-HS256".into(), JweError::Encryption),
        (
            "enc smaller case",
            |h| h["enc"] = "a256gcm".into(),
            JweError::Encryption,
        ),
        (
            "no enc",
            |h| drop(h.as_object_mut().unwrap().remove("enc")),
            JweError::Encryption,
        ),
        ("crit", |h| h["crit"] = json!(["x"]), JweError::Critical),
        ("zip", |h| h["zip"] = "DEF".into(), JweError::Compression),
        ("zip unknown", |h| h["zip"] = "GZ".into(), JweError::Compression),
        (
            "no epk",
            |h| drop(h.as_object_mut().unwrap().remove("epk")),
            JweError::Parameter("epk"),
        ),
        (
            "epk another curve",
            |h| h["epk"]["crv"] = "secp256k1".into(),
            JweError::Parameter("epk"),
        ),
        (
            "epk not on the curve",
            |h| h["epk"]["x"] = encoding::base64url(&[7; 32]).into(),
            JweError::Key("ephemeral"),
        ),
        (
            "epk short",
            |h| h["epk"]["y"] = encoding::base64url(&[7; 31]).into(),
            JweError::Parameter("epk"),
        ),
        (
            "apu not base64url",
            |h| h["apu"] = "=".into(),
            JweError::Parameter("apu"),
        ),
        (
            "apv too long",
            |h| h["apv"] = encoding::base64url(&[0; MAX_PARTY_INFO + 1]).into(),
            JweError::Parameter("apv"),
        ),
        ("other party info", |h| h["apv"] = "Qm9i".into(), JweError::Open),
    ];
    for (name, change, error) in cases {
        assert_eq!(open(&with_header(&token, change), &private), Err(error), "{name}");
    }
    assert_eq!(
        open(&with_header(&token, |h| h["kid"] = "other".into()), &private),
        Err(JweError::Open),
        "the header is authenticated"
    );
}

#[test]
fn parts_have_their_form_and_all_has_its_bound() {
    let (private, recipient) = pair("k");
    let token = seal(&recipient, &Parameters::default(), b"some text");
    let parts: Vec<&str> = token.split('.').collect();
    let with = |at: usize, part: &str| {
        let mut parts = parts.clone();
        parts[at] = part;
        parts.join(".")
    };
    for (text, error) in [
        (String::new(), JweError::Parts),
        (parts[..4].join("."), JweError::Parts),
        (format!("{token}."), JweError::Parts),
        (with(1, "AAAA"), JweError::Part("the encrypted key")),
        (with(2, "AAAA"), JweError::Part("the nonce")),
        (with(3, "A A"), JweError::Part("the ciphertext")),
        (with(4, "AAAA"), JweError::Part("the tag")),
        (with(4, ""), JweError::Part("the tag")),
        (with(0, "e30="), JweError::Part("the header")),
        (with(0, &encoding::base64url(b"{\"alg\":1,\"alg\":1}")), {
            JweError::Header(vidimus_credential::json::JsonError::Duplicate)
        }),
        (with(0, &"A".repeat(20 << 10)), {
            JweError::Header(vidimus_credential::json::JsonError::TooLarge(8 << 10))
        }),
    ] {
        assert_eq!(open(&text, &private), Err(error), "{text}");
    }
    assert_eq!(
        Jwe::parse(&token, token.len() - 1).unwrap_err(),
        JweError::TooLarge(token.len() - 1)
    );
}

#[test]
fn compressed_content_opens_within_its_bound() {
    let (private, recipient) = pair("k");
    let compressed = Parameters {
        compressed: true,
        ..Parameters::default()
    };
    let native = Native::new();
    let token = seal(&recipient, &compressed, &[b'a'; 100_000]);
    assert!(token.len() < 2000);
    let jwe = Jwe::parse(&token, MAX).unwrap();
    let inflated = |max| {
        jwe.decrypt(&private, max, &native)
            .map(|content| content.expose().len())
    };
    assert_eq!(inflated(Some(100_000)), Ok(100_000));
    assert_eq!(inflated(Some(99_999)), Err(JweError::Inflate));
    assert_eq!(inflated(None), Err(JweError::Compression));
    // Allowed is not demanded.
    let plain = seal(&recipient, &Parameters::default(), b"text");
    let plain = Jwe::parse(&plain, MAX).unwrap();
    assert_eq!(plain.decrypt(&private, Some(1), &native).unwrap().expose(), b"text");
}

#[test]
fn a_jwk_that_is_for_something_else_is_not_encrypted_to() {
    let (_, recipient) = pair("k");
    let good = recipient.to_jwk();
    assert_eq!(Recipient::from_jwk(&good), Ok(recipient.clone()));
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 7] = [
        ("no alg", |jwk| drop(jwk.as_object_mut().unwrap().remove("alg"))),
        ("another alg", |jwk| jwk["alg"] = "ECDH-ES+A256KW".into()),
        ("for signing", |jwk| jwk["use"] = "sig".into()),
        ("another curve", |jwk| jwk["crv"] = "secp256k1".into()),
        ("another kind", |jwk| jwk["kty"] = "OKP".into()),
        ("kid a number", |jwk| jwk["kid"] = 1.into()),
        ("short", |jwk| jwk["x"] = "AAAA".into()),
    ];
    for (name, change) in cases {
        let mut jwk = good.clone();
        change(&mut jwk);
        assert_eq!(Recipient::from_jwk(&jwk), Err(JweError::Jwk), "{name}");
        assert_eq!(
            Recipient::from_jwks(&json!({"keys": [jwk, good]})),
            Some(recipient.clone()),
            "{name}: the next one is taken"
        );
    }
    let mut off = good.clone();
    off["x"] = encoding::base64url(&[7; 32]).into();
    let off = Recipient::from_jwk(&off).unwrap();
    let refused = encrypt(
        &off,
        ContentEncryption::A128Gcm,
        &Parameters::default(),
        b"",
        &Native::new(),
        &mut OsEntropy,
    );
    assert_eq!(refused, Err(JweError::Key("recipient's")));
}

#[test]
fn broken_entropy_makes_no_key() {
    struct Zeros;
    impl vidimus_core::Entropy for Zeros {
        fn fill(&mut self, into: &mut [u8]) {
            into.fill(0);
        }
    }
    assert!(matches!(
        generate_key(&Native::new(), &mut Zeros),
        Err(JweError::Entropy)
    ));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[A-Za-z0-9_.-]{0,200}|\\PC{0,60}") {
        if Jwe::parse(&text, MAX).is_ok() {
            prop_assert_eq!(text.matches('.').count(), 4);
        }
    }

    #[test]
    fn any_content_comes_back(content in proptest::collection::vec(any::<u8>(), 0..300), compressed: bool) {
        let (private, recipient) = pair("k");
        let token = seal(&recipient, &Parameters { compressed, ..Parameters::default() }, &content);
        let jwe = Jwe::parse(&token, MAX).unwrap();
        let opened = jwe.decrypt(&private, Some(300), &Native::new()).unwrap();
        prop_assert_eq!(opened.expose(), &content);
    }
}
