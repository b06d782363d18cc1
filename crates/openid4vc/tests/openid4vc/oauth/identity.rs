//! An identity service says who somebody is.

use super::world::{Attester, ES256, NOW, altered, key};
use serde_json::{Value, json};
use vidimus_core::{Algorithm, PublicKey, Signer};
use vidimus_credential::x509::Certificate;
use vidimus_crypto::{Native, SigningKey};
use vidimus_openid4vc::oauth::{
    Endpoint, Form, Opaque,
    identity::{Ask, Document, Expected, IdentityError, id_token, verify},
    pkce::Challenge,
};

const SERVICE: &str = "https://id.example";

/// An ID token as the specifications' examples have it, for the client `vidimus`.
fn token(signer: &SigningKey, change: impl Fn(&mut Value, &mut Value)) -> String {
    let claims = json!({
        "iss": SERVICE, "sub": "24400320", "aud": "vidimus", "nonce": "n-0S6_WzA2Mj", "iat": NOW.0, "exp": NOW.0 + 600, "auth_time": NOW.0 - 20,
        "verified_claims": {
            "verification": {
                "trust_framework": "eidas",
                "evidence": [{
                    "type": "document",
                    "document_details": {"type": "passport", "document_number": "P1234567", "issuer": {"country_code": "AUT"}},
                }],
            },
            "claims": {"birthdate": "1998-02-26"},
        },
    });
    let part = |value: Value| vidimus_core::encoding::base64url(value.to_string().as_bytes());
    let unsigned = format!("{}.{}.AA", part(json!({"alg": "ES256", "kid": "k1"})), part(claims));
    altered(&unsigned, signer, change)
}

struct Case {
    keys: Vec<(Option<&'static str>, PublicKey)>,
    roots: Vec<Certificate>,
    framework: Option<&'static str>,
    later: i64,
}

impl Case {
    fn new() -> Self {
        Self {
            keys: vec![(Some("k1"), key(1).public_key().clone())],
            roots: Vec::new(),
            framework: Some("eidas"),
            later: 0,
        }
    }

    fn verify(&self, token: &str) -> Result<Vec<Document>, IdentityError> {
        let keys: Vec<_> = self.keys.iter().map(|(kid, key)| (*kid, key)).collect();
        let expected = Expected {
            issuer: SERVICE,
            client_id: "vidimus",
            nonce: &Opaque::new("n-0S6_WzA2Mj"),
            trust_framework: self.framework,
            keys: &keys,
            roots: &self.roots,
            algorithms: ES256,
            now: NOW.plus(self.later),
        };
        verify(token, &expected, &Native::new())
    }
}

fn passport() -> Document {
    Document {
        kind: "passport".into(),
        country: "AUT".into(),
        number: "P1234567".into(),
        birth_date: "1998-02-26".into(),
    }
}

#[test]
fn the_browser_is_sent_with_what_is_asked_for() {
    let endpoint = Endpoint::new("https://id.example/authorize?tenant=1").unwrap();
    let redirect = Endpoint::new("https://health.example/identity-return").unwrap();
    let verifier = Opaque::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let ask = Ask {
        endpoint: &endpoint,
        client_id: "vidimus",
        redirect_uri: &redirect,
        state: &Opaque::new("s"),
        nonce: &Opaque::new("n"),
        challenge: &Challenge::of(&verifier, &Native::new()),
        trust_framework: Some("eidas"),
        max_age: 300,
    };
    let location = ask.location();
    let query = location.strip_prefix("https://id.example/authorize?").unwrap();
    let form = Form::parse(query.as_bytes()).unwrap();
    for (name, value) in [
        ("tenant", "1"),
        ("response_type", "code"),
        ("scope", "openid"),
        ("client_id", "vidimus"),
        ("redirect_uri", "https://health.example/identity-return"),
        ("state", "s"),
        ("nonce", "n"),
        // RFC 7636 appendix B.
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("max_age", "300"),
    ] {
        assert_eq!(form.get(name), Some(value));
    }
    let claims: Value = serde_json::from_str(form.get("claims").unwrap()).unwrap();
    let asked = &claims["id_token"]["verified_claims"];
    assert_eq!(asked["verification"]["trust_framework"], json!({"value": "eidas"}));
    assert_eq!(
        asked["verification"]["evidence"][0]["type"],
        json!({"value": "document"})
    );
    assert!(
        !asked["claims"].as_object().unwrap().is_empty(),
        "at least one claim is asked for"
    );
}

#[test]
fn a_token_of_the_service_names_the_documents_that_it_saw() {
    let case = Case::new();
    assert_eq!(case.verify(&token(&key(1), |_, _| {})), Ok(vec![passport()]));
    // Without `kid`, on either side, every key is tried.
    let unnamed = token(&key(1), |header, _| drop(header.as_object_mut().unwrap().remove("kid")));
    assert_eq!(case.verify(&unnamed), Ok(vec![passport()]));
    let any = Case {
        keys: vec![(None, key(2).public_key().clone()), (None, key(1).public_key().clone())],
        framework: None,
        ..Case::new()
    };
    assert_eq!(any.verify(&token(&key(1), |_, _| {})), Ok(vec![passport()]));
    // Several sets of verified claims, of which one was made by other rules, one is of another kind of evidence, and one has two documents.
    let several = token(&key(1), |_, claims| {
        let one = claims["verified_claims"].take();
        let (mut other, mut signature, mut two) = (one.clone(), one.clone(), one);
        other["verification"]["trust_framework"] = "de_aml".into();
        signature["verification"]["evidence"][0]["type"] = "electronic_signature".into();
        let mut card = two["verification"]["evidence"][0].clone();
        card["document_details"] = json!({"type": "idcard", "document_number": "I1", "issuer": {"country": "AT"}});
        two["verification"]["evidence"].as_array_mut().unwrap().push(card);
        claims["verified_claims"] = json!([other, signature, two]);
    });
    let found = case.verify(&several).unwrap();
    assert_eq!(
        (found.len(), &found[0], found[1].country.as_str()),
        (2, &passport(), "AT")
    );
}

#[test]
fn a_certificate_of_the_service_counts_below_a_trusted_root() {
    let service = Attester::new(100);
    let chain: Vec<String> = service
        .chain
        .iter()
        .map(|der| vidimus_core::encoding::base64(der))
        .collect();
    let with_chain = token(&service.key, |header, _| header["x5c"] = json!(chain));
    let trusting = |roots| Case {
        keys: Vec::new(),
        roots,
        ..Case::new()
    };
    assert_eq!(trusting(vec![service.root]).verify(&with_chain), Ok(vec![passport()]));
    let other = trusting(vec![Attester::new(200).root]).verify(&with_chain);
    assert!(matches!(other, Err(IdentityError::Signer(_))), "{other:?}");
    assert_eq!(trusting(Vec::new()).verify(&with_chain), Err(IdentityError::Signature));
}

#[test]
fn what_is_no_token_for_this_session_names_nobody() {
    type Change = fn(&mut Value, &mut Value);
    let cases: [(Change, IdentityError); 23] = [
        (|_, c| c["iss"] = "https://id.example/".into(), IdentityError::Issuer),
        (
            |_, c| drop(c.as_object_mut().unwrap().remove("iss")),
            IdentityError::Issuer,
        ),
        (|_, c| c["aud"] = "other".into(), IdentityError::Audience),
        (|_, c| c["aud"] = json!(["vidimus", "other"]), IdentityError::Audience),
        (|_, c| c["azp"] = "other".into(), IdentityError::Audience),
        (|_, c| c["nonce"] = "another".into(), IdentityError::Nonce),
        (
            |_, c| drop(c.as_object_mut().unwrap().remove("nonce")),
            IdentityError::Nonce,
        ),
        (|_, c| c["exp"] = NOW.0.into(), IdentityError::Time),
        (|_, c| c["iat"] = (NOW.0 - 301).into(), IdentityError::Time),
        (|_, c| c["iat"] = (NOW.0 + 61).into(), IdentityError::Time),
        (|_, c| c["iat"] = "now".into(), IdentityError::Claim("iat")),
        (|_, c| c["auth_time"] = (NOW.0 - 361).into(), IdentityError::Time),
        (
            |_, c| drop(c.as_object_mut().unwrap().remove("auth_time")),
            IdentityError::Claim("auth_time"),
        ),
        (
            |_, c| {
                drop(
                    c["verified_claims"]["claims"]
                        .as_object_mut()
                        .unwrap()
                        .remove("birthdate"),
                )
            },
            IdentityError::Unverified,
        ),
        (
            |_, c| drop(c.as_object_mut().unwrap().remove("exp")),
            IdentityError::Claim("exp"),
        ),
        (
            |_, c| drop(c.as_object_mut().unwrap().remove("verified_claims")),
            IdentityError::Unverified,
        ),
        (|_, c| c["verified_claims"] = json!([]), IdentityError::Unverified),
        (
            |_, c| c["verified_claims"]["verification"]["trust_framework"] = "de_aml".into(),
            IdentityError::Unverified,
        ),
        (
            |_, c| {
                drop(
                    c["verified_claims"]["verification"]
                        .as_object_mut()
                        .unwrap()
                        .remove("trust_framework"),
                )
            },
            IdentityError::Unverified,
        ),
        (
            |_, c| c["verified_claims"]["verification"]["evidence"][0]["type"] = "vouch".into(),
            IdentityError::Unverified,
        ),
        (
            |_, c| {
                c["verified_claims"]["verification"]["evidence"][0]["document_details"]["document_number"] = "".into()
            },
            IdentityError::Unverified,
        ),
        (
            // Said by the person, not by the service: no evidence.
            |_, c| {
                let said = c["verified_claims"]["verification"]["evidence"][0].take();
                c["verified_claims"]["claims"]["evidence"] = json!([said]);
            },
            IdentityError::Unverified,
        ),
        (|h, _| h["kid"] = "k2".into(), IdentityError::Signature),
    ];
    let case = Case::new();
    for (place, (change, expected)) in cases.into_iter().enumerate() {
        assert_eq!(case.verify(&token(&key(1), change)), Err(expected), "case {place}");
    }
    assert_eq!(case.verify(&token(&key(2), |_, _| {})), Err(IdentityError::Signature));
    let late = Case {
        later: 600,
        ..Case::new()
    };
    assert_eq!(late.verify(&token(&key(1), |_, _| {})), Err(IdentityError::Time));
    let other_algorithm = token(&key(1), |header, _| header["alg"] = Algorithm::Es256k.name().into());
    assert_eq!(case.verify(&other_algorithm), Err(IdentityError::Signature));
    for text in ["", "a.b", "e30.e30.AA", "not a token"] {
        assert!(matches!(case.verify(text), Err(IdentityError::Token(_))), "{text}");
    }
}

#[test]
fn a_token_response_without_an_id_token_is_none() {
    let answer = br#"{"access_token": "a", "token_type": "Bearer", "id_token": "x.y.z", "expires_in": 60}"#;
    assert_eq!(id_token(answer).as_deref(), Ok("x.y.z"));
    for answer in [
        "",
        "{}",
        "[]",
        r#"{"id_token": 1}"#,
        r#"{"id_token": "a", "id_token": "b"}"#,
    ] {
        assert_eq!(id_token(answer.as_bytes()), Err(IdentityError::Answer), "{answer}");
    }
}

#[test]
fn documents_hide_what_they_say() {
    assert_eq!(format!("{:?}", passport()), "Document(…)");
}
