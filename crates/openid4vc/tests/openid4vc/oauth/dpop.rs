//! A wallet proves the key of its token.

use super::world::{ES256, NOW, Seeded, altered, key};
use proptest::prelude::*;
use serde_json::json;
use vidimus_core::{Algorithm, PublicKey, Signer};
use vidimus_crypto::{KeyKind, Native, SigningKey};
use vidimus_openid4vc::oauth::{
    ErrorCode, Opaque,
    dpop::{DpopError, Draft, Expected, MAX_PROOF, Proof, Proven, Request, WINDOW},
    jwk,
};

const REQUEST: Request<'_> = Request {
    method: "POST",
    url: "https://health.example/issuer/credential",
};

fn draft<'a>() -> Draft<'a> {
    Draft {
        request: REQUEST,
        token: None,
        nonce: None,
        now: NOW,
    }
}

fn sign(draft: &Draft<'_>) -> String {
    draft
        .sign(&key(1), Algorithm::Es256, &Native::new(), &mut Seeded(3))
        .unwrap()
}

fn expected<'a>() -> Expected<'a> {
    Expected {
        request: REQUEST,
        algorithms: ES256,
        token: None,
        nonce: None,
        now: NOW,
    }
}

fn check(text: &str, expected: &Expected<'_>) -> Result<Proven, DpopError> {
    Proof::parse(text)?.verify(expected, &Native::new())
}

#[test]
fn a_proof_made_here_is_taken_here() {
    let token = Opaque::new("token");
    let draft = Draft {
        token: Some(&token),
        nonce: Some("n-1"),
        ..draft()
    };
    let text = sign(&draft);
    let proof = Proof::from_headers(&[&text]).unwrap().unwrap();
    assert_eq!(proof.nonce(), Some("n-1"));
    let wanted = Expected {
        token: Some(&token),
        nonce: Some(&|nonce| nonce == "n-1"),
        ..expected()
    };
    let proven = proof.verify(&wanted, &Native::new()).unwrap();
    assert_eq!(proven.key, *key(1).public_key());
    assert_eq!(
        Some(proven.thumbprint),
        jwk::thumbprint(key(1).public_key(), &Native::new())
    );
    assert_eq!(proven.until, NOW.plus(WINDOW));
}

#[test]
fn query_fragment_case_and_default_port_of_the_url_do_not_count() {
    let text = sign(&draft());
    for url in [
        "https://health.example:443/issuer/credential",
        "HTTPS://HEALTH.example/issuer/credential?x=1#y",
        "https://health.example/issuer/./credential",
    ] {
        let request = Request { url, ..REQUEST };
        assert!(check(&text, &Expected { request, ..expected() }).is_ok(), "{url}");
    }
}

#[test]
fn a_proof_for_another_request_time_token_or_nonce_is_refused() {
    let (token, other) = (Opaque::new("token"), Opaque::new("other"));
    let text = sign(&draft());
    let with_token = sign(&Draft {
        token: Some(&other),
        ..draft()
    });
    let with_nonce = sign(&Draft {
        nonce: Some("old"),
        ..draft()
    });
    let known = |nonce: &str| nonce == "new";
    let request = |method, url| Expected {
        request: Request { method, url },
        ..expected()
    };
    let at = |seconds| Expected {
        now: NOW.plus(seconds),
        ..expected()
    };
    let bound = || Expected {
        token: Some(&token),
        ..expected()
    };
    let fresh = || Expected {
        nonce: Some(&known),
        ..expected()
    };
    for (text, expected, why) in [
        (&text, request("GET", REQUEST.url), DpopError::Request),
        (&text, request("post", REQUEST.url), DpopError::Request),
        (
            &text,
            request("POST", "https://health.example/issuer/token"),
            DpopError::Request,
        ),
        (
            &text,
            request("POST", "https://evil.example/issuer/credential"),
            DpopError::Request,
        ),
        (
            &text,
            request("POST", "http://health.example/issuer/credential"),
            DpopError::Request,
        ),
        (&text, at(WINDOW + 1), DpopError::Time),
        (&text, at(-WINDOW - 1), DpopError::Time),
        (&text, bound(), DpopError::Token),
        (&with_token, bound(), DpopError::Token),
        (&text, fresh(), DpopError::Nonce),
        (&with_nonce, fresh(), DpopError::Nonce),
    ] {
        assert_eq!(check(text, &expected), Err(why), "{expected:?}");
    }
    assert_eq!(DpopError::Nonce.code(), ErrorCode::UseDpopNonce);
    assert_eq!(DpopError::Time.code(), ErrorCode::InvalidDpopProof);
}

#[test]
fn a_proof_with_another_key_or_form_is_refused() {
    let text = sign(&draft());
    let cases: [(&str, String, DpopError); 14] = [
        (
            "typ",
            altered(&text, &key(1), |header, _| header["typ"] = json!("JWT")),
            DpopError::Malformed,
        ),
        (
            "no jwk",
            altered(&text, &key(1), |header, _| {
                drop(header.as_object_mut().unwrap().remove("jwk"))
            }),
            DpopError::Key,
        ),
        (
            "private",
            altered(&text, &key(1), |header, _| header["jwk"]["d"] = json!("AAAA")),
            DpopError::Key,
        ),
        (
            "symmetric",
            altered(&text, &key(1), |header, _| {
                header["jwk"] = json!({"kty": "oct", "k": "AAAA"})
            }),
            DpopError::Key,
        ),
        (
            "for encryption",
            altered(&text, &key(1), |header, _| header["jwk"]["use"] = json!("enc")),
            DpopError::Key,
        ),
        (
            "alg of the key",
            altered(&text, &key(1), |header, _| header["jwk"]["alg"] = json!("ES256K")),
            DpopError::Key,
        ),
        ("other signer", altered(&text, &key(2), |_, _| {}), DpopError::Signature),
        (
            "none",
            altered(&text, &key(1), |header, _| header["alg"] = json!("none")),
            DpopError::Algorithm,
        ),
        (
            "HS256",
            altered(&text, &key(1), |header, _| header["alg"] = json!("HS256")),
            DpopError::Algorithm,
        ),
        (
            "ES256K",
            altered(&text, &key(1), |header, _| header["alg"] = json!("ES256K")),
            DpopError::Algorithm,
        ),
        (
            "no jti",
            altered(&text, &key(1), |_, claims| claims["jti"] = json!("")),
            DpopError::Malformed,
        ),
        (
            "long jti",
            altered(&text, &key(1), |_, claims| claims["jti"] = json!("x".repeat(257))),
            DpopError::Malformed,
        ),
        (
            "no iat",
            altered(&text, &key(1), |_, claims| claims["iat"] = json!("now")),
            DpopError::Malformed,
        ),
        (
            "htu",
            altered(&text, &key(1), |_, claims| claims["htu"] = json!("/credential")),
            DpopError::Malformed,
        ),
    ];
    for (name, text, why) in cases {
        assert_eq!(check(&text, &expected()), Err(why), "{name}");
    }
    assert_eq!(
        check(&"x".repeat(MAX_PROOF + 1), &expected()),
        Err(DpopError::Malformed)
    );
    let two: [&str; 2] = [&text, &text];
    assert_eq!(Proof::from_headers(&two).unwrap_err(), DpopError::Count);
    assert!(Proof::from_headers(&[]).unwrap().is_none());
}

#[test]
fn an_algorithm_that_the_metadata_do_not_list_is_refused() {
    let signer = SigningKey::generate(KeyKind::Ed25519, &mut Seeded(9));
    let text = draft()
        .sign(&signer, Algorithm::EdDsa, &Native::new(), &mut Seeded(3))
        .unwrap();
    assert_eq!(check(&text, &expected()), Err(DpopError::Algorithm));
    let both = [Algorithm::Es256, Algorithm::EdDsa];
    let wanted = Expected {
        algorithms: &both,
        ..expected()
    };
    assert!(matches!(check(&text, &wanted).unwrap().key, PublicKey::Ed25519(_)));
}

proptest! {
    #[test]
    fn reading_never_panics(text in "\\PC{0,200}", header in "\\PC{0,60}") {
        let _ = Proof::parse(&text);
        let encode = |text: &str| vidimus_core::encoding::base64url(text.as_bytes());
        let token = format!("{}.{}.AAAA", encode(&format!(r#"{{"alg":"ES256","typ":"dpop+jwt","jwk":{header}}}"#)), encode(&text));
        let _ = Proof::parse(&token);
    }

    #[test]
    fn a_flipped_byte_is_refused(at in 0usize..300) {
        let text = sign(&draft());
        let mut bytes = text.into_bytes();
        let at = at % bytes.len();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        prop_assert!(check(std::str::from_utf8(&bytes).unwrap(), &expected()).is_err());
    }
}
