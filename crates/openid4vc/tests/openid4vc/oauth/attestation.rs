//! A wallet authenticates by what its provider attests.

use super::world::{Attester, ES256, NOW, Seeded, altered, issuer, key};
use proptest::prelude::*;
use serde_json::{Value, json};
use vidimus_core::{Algorithm, Signer, encoding};
use vidimus_credential::x509::{Certificate, CertificateError};
use vidimus_crypto::Native;
use vidimus_openid4vc::oauth::{
    ErrorCode, Identifier,
    attestation::{AttestationError, Client, Draft, Expected, Headers, WINDOW, prove},
};

fn attestation() -> String {
    let attester = Attester::new(100);
    let instance = key(10);
    let draft = Draft {
        issuer: "https://provider.example",
        client_id: "wallet",
        key: instance.public_key(),
        issued_at: NOW.plus(-3600),
        expires_at: NOW.plus(3600),
        wallet_name: Some("Vidimus"),
        wallet_link: None,
        status: Some(&json!({"status_list": {"idx": 7, "uri": "https://provider.example/status"}})),
    };
    draft.sign(&attester.key, Algorithm::Es256, &attester.chain).unwrap()
}

fn pop(audience: &Identifier, challenge: Option<&str>) -> String {
    prove(
        &key(10),
        Algorithm::Es256,
        "wallet",
        audience,
        challenge,
        NOW,
        &mut Seeded(3),
    )
    .unwrap()
}

struct Case {
    roots: Vec<Certificate>,
    client_id: Option<&'static str>,
    challenge: Option<&'static str>,
    max_age: Option<i64>,
    now: i64,
}

impl Case {
    fn new() -> Self {
        Self {
            roots: vec![Attester::new(100).root],
            client_id: Some("wallet"),
            challenge: None,
            max_age: None,
            now: 0,
        }
    }
    fn check(&self, attestation: &str, pop: &str) -> Result<Client, AttestationError> {
        let known = |text: &str| Some(text) == self.challenge;
        let expected = Expected {
            audience: &issuer(),
            roots: &self.roots,
            algorithms: ES256,
            pop_algorithms: ES256,
            client_id: self.client_id,
            challenge: self.challenge.is_some().then_some(&known as &dyn Fn(&str) -> bool),
            max_age: self.max_age,
            now: NOW.plus(self.now),
        };
        let headers = Headers::parse(&[attestation], &[pop])?.unwrap();
        headers.verify(&expected, &Native::new())
    }
}

#[test]
fn a_wallet_that_its_provider_attests_is_who_it_says() {
    let case = Case {
        challenge: Some("c-1"),
        max_age: Some(86_400),
        ..Case::new()
    };
    let client = case.check(&attestation(), &pop(&issuer(), Some("c-1"))).unwrap();
    assert_eq!(
        (client.client_id.as_str(), client.wallet_name.as_deref()),
        ("wallet", Some("Vidimus"))
    );
    assert_eq!(client.key, *key(10).public_key());
    assert_eq!(client.status.unwrap()["status_list"]["idx"], 7);
    assert_eq!(client.until, NOW.plus(WINDOW));
    // The next draft has no iss in the proof, and earlier ones want exp.
    let newer = altered(&pop(&issuer(), Some("c-1")), &key(10), |_, claims| {
        claims.as_object_mut().unwrap().remove("iss");
        assert_eq!(
            claims.as_object_mut().unwrap().remove("exp"),
            Some(json!(NOW.plus(WINDOW)))
        );
    });
    assert!(case.check(&attestation(), &newer).is_ok());
}

type Change = fn(&mut Value, &mut Value);

#[test]
fn attestations_that_are_not_in_order_are_refused() {
    use AttestationError as Why;
    let cases: [(&str, Change, Why); 16] = [
        ("typ", |header, _| header["typ"] = json!("JWT"), Why::Malformed),
        (
            "typ of the proof",
            |header, _| header["typ"] = json!("oauth-client-attestation-pop+jwt"),
            Why::Malformed,
        ),
        ("none", |header, _| header["alg"] = json!("none"), Why::Algorithm),
        ("HS256", |header, _| header["alg"] = json!("HS256"), Why::Algorithm),
        ("EdDSA", |header, _| header["alg"] = json!("EdDSA"), Why::Algorithm),
        (
            "no chain",
            |header, _| drop(header.as_object_mut().unwrap().remove("x5c")),
            Why::Signer(CertificateError::Chain),
        ),
        (
            "anchor",
            |header, _| header["x5c"] = json!([encoding::base64(Attester::new(100).root.der())]),
            Why::Signer(CertificateError::Chain),
        ),
        (
            "other chain",
            |header, _| header["x5c"] = json!([encoding::base64(&Attester::new(200).chain[0])]),
            Why::Signer(CertificateError::Issuer),
        ),
        (
            "no sub",
            |_, claims| drop(claims.as_object_mut().unwrap().remove("sub")),
            Why::Malformed,
        ),
        (
            "no exp",
            |_, claims| drop(claims.as_object_mut().unwrap().remove("exp")),
            Why::Malformed,
        ),
        ("ended", |_, claims| claims["exp"] = json!(NOW), Why::Expired),
        (
            "not begun",
            |_, claims| claims["nbf"] = json!(NOW.plus(WINDOW + 1)),
            Why::Expired,
        ),
        ("no cnf", |_, claims| claims["cnf"] = json!({}), Why::Malformed),
        (
            "private",
            |_, claims| claims["cnf"]["jwk"]["d"] = json!("AAAA"),
            Why::Key,
        ),
        (
            "other key",
            |_, claims| claims["cnf"]["jwk"] = key(11).public_key().to_jwk().unwrap(),
            Why::PopSignature,
        ),
        ("other client", |_, claims| claims["sub"] = json!("other"), Why::Client),
    ];
    let signer = Attester::new(100).key;
    for (name, change, why) in cases {
        let text = altered(&attestation(), &signer, change);
        assert_eq!(
            Case::new().check(&text, &pop(&issuer(), None)).unwrap_err(),
            why,
            "{name}"
        );
    }
    let forged = altered(&attestation(), &key(1), |_, _| {});
    assert_eq!(
        Case::new().check(&forged, &pop(&issuer(), None)).unwrap_err(),
        Why::Signature
    );
    let old = Case {
        max_age: Some(3599),
        ..Case::new()
    };
    let error = old.check(&attestation(), &pop(&issuer(), None)).unwrap_err();
    assert_eq!((error, error.code()), (Why::Old, ErrorCode::UseFreshAttestation));
}

#[test]
fn proofs_of_possession_that_are_not_in_order_are_refused() {
    use AttestationError as Why;
    let cases: [(&str, Change, Why); 10] = [
        (
            "this server in a list",
            |_, claims| claims["aud"] = json!([issuer()]),
            Why::Audience,
        ),
        (
            "typ",
            |header, _| header["typ"] = json!("oauth-client-attestation+jwt"),
            Why::PopMalformed,
        ),
        ("alg", |header, _| header["alg"] = json!("EdDSA"), Why::Algorithm),
        ("other client", |_, claims| claims["iss"] = json!("other"), Why::Client),
        (
            "other server",
            |_, claims| claims["aud"] = json!("https://other.example"),
            Why::Audience,
        ),
        (
            "two servers",
            |_, claims| claims["aud"] = json!([issuer(), "https://other.example"]),
            Why::Audience,
        ),
        (
            "old",
            |_, claims| claims["iat"] = json!(NOW.plus(-WINDOW - 1)),
            Why::Time,
        ),
        (
            "future",
            |_, claims| claims["iat"] = json!(NOW.plus(WINDOW + 1)),
            Why::Time,
        ),
        ("ended", |_, claims| claims["exp"] = json!(NOW), Why::Time),
        (
            "no jti",
            |_, claims| drop(claims.as_object_mut().unwrap().remove("jti")),
            Why::PopMalformed,
        ),
    ];
    for (name, change, why) in cases {
        let text = altered(&pop(&issuer(), None), &key(10), change);
        assert_eq!(Case::new().check(&attestation(), &text).unwrap_err(), why, "{name}");
    }
    let stolen = altered(&pop(&issuer(), None), &key(11), |_, _| {});
    assert_eq!(
        Case::new().check(&attestation(), &stolen).unwrap_err(),
        Why::PopSignature
    );
    let elsewhere = pop(&"https://other.example".parse().unwrap(), None);
    assert_eq!(
        Case::new().check(&attestation(), &elsewhere).unwrap_err(),
        Why::Audience
    );
    let asked = Case {
        challenge: Some("c-2"),
        ..Case::new()
    };
    for challenge in [None, Some("c-1")] {
        let error = asked.check(&attestation(), &pop(&issuer(), challenge)).unwrap_err();
        assert_eq!(
            (error, error.code()),
            (Why::Challenge, ErrorCode::UseAttestationChallenge)
        );
    }
    let other = Case {
        client_id: Some("other"),
        ..Case::new()
    };
    let error = other.check(&attestation(), &pop(&issuer(), None)).unwrap_err();
    assert_eq!((error, error.code()), (Why::Client, ErrorCode::InvalidClient));
    let later = Case {
        now: WINDOW + 1,
        ..Case::new()
    };
    assert_eq!(
        later.check(&attestation(), &pop(&issuer(), None)).unwrap_err(),
        Why::Time
    );
}

#[test]
fn one_header_of_each_or_none() {
    let (attestation, pop) = (attestation(), pop(&issuer(), None));
    let (one, other) = ([attestation.as_str()], [pop.as_str()]);
    assert!(Headers::parse(&[], &[]).unwrap().is_none());
    for (first, second) in [
        (&one[..], &[][..]),
        (&[], &other),
        (&[one[0], one[0]], &other),
        (&one, &[other[0], other[0]]),
    ] {
        assert_eq!(Headers::parse(first, second).unwrap_err(), AttestationError::Count);
    }
    assert!(Headers::parse(&other, &one).is_err());
}

#[test]
fn a_verifiers_certificate_attests_no_wallet() {
    let (attester, instance) = (Attester::for_verifiers(100), key(10));
    let draft = Draft {
        issuer: "https://verifier.example",
        client_id: "wallet",
        key: instance.public_key(),
        issued_at: NOW,
        expires_at: NOW.plus(60),
        wallet_name: None,
        wallet_link: None,
        status: None,
    };
    let text = draft.sign(&attester.key, Algorithm::Es256, &attester.chain).unwrap();
    let case = Case {
        roots: vec![attester.root],
        ..Case::new()
    };
    let refused = case.check(&text, &pop(&issuer(), None)).unwrap_err();
    assert_eq!(refused, AttestationError::Signer(CertificateError::Key));
}

proptest! {
    #[test]
    fn reading_never_panics(text in "\\PC{0,200}", claims in "\\PC{0,60}") {
        let encode = |text: &str| encoding::base64url(text.as_bytes());
        let head = |typ: &str| encode(&format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#));
        let one = format!("{}.{}.AAAA", head("oauth-client-attestation+jwt"), encode(&format!(r#"{{"cnf":{claims}}}"#)));
        let two = format!("{}.{}.AAAA", head("oauth-client-attestation-pop+jwt"), encode("{}"));
        prop_assert!(Headers::parse(&[&text], &[&two]).is_err());
        let known = Case::new();
        prop_assert!(known.check(&one, &two).is_err());
    }
}
