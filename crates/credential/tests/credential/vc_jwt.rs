//! VC as JWT: the laboratory issues, anyone reads; did-jwt-vc issues, we read.

use crate::support::{NOW, key, keys, public, statement};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use vidimus_core::{Algorithm, Signer, Timestamp, encoding, id::CopyId, reason::Reason};
use vidimus_credential::{
    CategoryId, Format, Person, Statement, StatusReference,
    format::{self, Content, FormatError, KeyHint, Unsigned, vc_jwt, vc_jwt::Version},
    jws,
};
use vidimus_crypto::{KeyKind, Native};

const KID: &str = "did:ethr:0x56494d:0x00112233445566778899aabbccddeeff00112233#controller";

fn context() -> String {
    vc_jwt::context_url("https://health.example/")
}

fn prepared(statement: &Statement, version: Version, algorithm: Algorithm) -> jws::Unsigned {
    vc_jwt::prepare(statement, version, &context(), algorithm, KID).unwrap()
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&encoding::from_base64url(payload).unwrap()).unwrap()
}

/// A token with the claims of ours, changed.
fn changed(version: Version, change: impl FnOnce(&mut Value)) -> Result<Statement, FormatError> {
    let token = prepared(&statement(), version, Algorithm::Es256k).finish(&[1; 64]);
    let mut claims = claims(&token);
    change(&mut claims);
    let header: Value =
        serde_json::from_slice(&encoding::from_base64url(token.split('.').next().unwrap()).unwrap()).unwrap();
    let token = jws::Unsigned::new(header.as_object().unwrap(), claims.to_string().as_bytes()).finish(&[1; 64]);
    format::parse(&token).map(|parsed| parsed.statement().unwrap().clone())
}

#[test]
fn every_version_and_algorithm_reads_back_and_verifies() {
    let native = Native::new();
    for (version, format) in [(Version::V1_1, Format::VcJwt11), (Version::V2_0, Format::VcJwt20)] {
        for (algorithm, key) in keys() {
            let unsigned = Unsigned::Jws(prepared(&statement(), version, algorithm));
            let kept = Unsigned::from_message(format, unsigned.message().to_vec()).unwrap();
            assert_eq!(kept, unsigned);
            let digest = unsigned.digest(&native);
            let signature = key.sign(algorithm, unsigned.message()).unwrap();
            let token = unsigned.finish(&signature);
            let parsed = format::parse(&token).unwrap();
            assert_eq!((parsed.format, parsed.algorithm), (format, algorithm));
            assert_eq!(parsed.content, Content::Statement(Box::new(statement())));
            assert_eq!(parsed.key, KeyHint::Kid(KID.into()));
            assert_eq!(parsed.digest(&native), digest);
            let verified =
                vidimus_core::Provider::verify(&native, algorithm, &public(&key), &parsed.message, &parsed.signature);
            assert_eq!(verified, Ok(()));
            assert_eq!(format::parse(&format!("\n {token}\r\n")), Ok(parsed));
        }
    }
}

#[test]
fn version_1_1_has_the_claims_of_the_data_model() {
    let claims = claims(&prepared(&statement(), Version::V1_1, Algorithm::Es256k).finish(&[1; 64]));
    assert_eq!(claims["iss"], statement().issuer);
    assert_eq!(claims["sub"], statement().holder.unwrap());
    assert_eq!(claims["jti"], format!("urn:uuid:{}", statement().id));
    assert_eq!(
        (&claims["nbf"], &claims["exp"]),
        (&json!(NOW.0 - 3600), &json!(NOW.0 + 259_200))
    );
    assert_eq!(claims["vc"]["@context"][0], "https://www.w3.org/2018/credentials/v1");
    assert_eq!(
        claims["vc"]["@context"][1],
        "https://health.example/contexts/certificate/v1"
    );
    assert_eq!(claims["vc"]["credentialSubject"]["id"], claims["sub"]);
    assert_eq!(
        claims["vc"]["credentialStatus"][0]["statusListIndex"], "90001",
        "a text, as the standard asks"
    );
    assert_eq!(claims["vc"]["credentialStatus"][1]["statusPurpose"], "suspension");
    assert_eq!(
        claims["status"]["status_list"],
        json!({"idx": 90_001, "uri": "https://health.example/status/1"})
    );
}

#[test]
fn version_2_0_is_the_credential_itself() {
    let token = prepared(&statement(), Version::V2_0, Algorithm::Es256).finish(&[1; 64]);
    let jws = jws::Jws::parse(&token, 100_000).unwrap();
    assert_eq!(
        (jws.header().typ.as_deref(), jws.header().cty.as_deref()),
        (Some("vc+jwt"), Some("vc"))
    );
    let claims = claims(&token);
    assert_eq!(claims["@context"][0], "https://www.w3.org/ns/credentials/v2");
    assert_eq!(claims["validFrom"], NOW.plus(-3600).to_rfc3339());
    assert!(claims.get("vc").is_none() && claims.get("vp").is_none());
}

#[test]
fn the_context_document_defines_each_term_we_write() {
    let document = vc_jwt::context_document("https://health.example");
    let terms = document["@context"].as_object().unwrap();
    for term in ["VidimusCertificate", "category", "country", "claims", "person"] {
        assert!(terms.contains_key(term), "{term}");
    }
    let claims = claims(&prepared(&statement(), Version::V2_0, Algorithm::Es256).finish(&[1; 64]));
    let person = claims["credentialSubject"]["person"].as_object().unwrap();
    assert!(
        person
            .keys()
            .all(|name| terms["person"]["@context"].get(name).is_some())
    );
    assert!(
        claims["credentialSubject"]
            .as_object()
            .unwrap()
            .keys()
            .all(|name| name == "id" || terms.contains_key(name))
    );
}

#[test]
fn what_did_jwt_vc_issues_is_read_and_verifies() {
    let secret = encoding::from_hex("278a5de700e29faae8e40e366ec5012b5ec63d36ec77e8a2417154cc1d25383f").unwrap();
    let native = Native::new();
    let tokens = include_str!("data/did-jwt-vc-4.0.16.txt");
    let mut algorithms = Vec::new();
    for token in tokens.lines() {
        let parsed = format::parse(token).unwrap();
        let kind = if parsed.algorithm == Algorithm::Es256 {
            KeyKind::P256
        } else {
            KeyKind::Secp256k1
        };
        let key = vidimus_crypto::SigningKey::from_bytes(kind, &secret).unwrap();
        let verified = vidimus_core::Provider::verify(
            &native,
            parsed.algorithm,
            key.public_key(),
            &parsed.message,
            &parsed.signature,
        );
        assert_eq!(verified, Ok(()));
        let read = parsed.statement().unwrap();
        assert_eq!(
            (read.issuer_country.as_str(), read.person.given_name.as_str()),
            ("FR", "Zoé")
        );
        assert_eq!(
            (read.valid_from, read.valid_until),
            (Timestamp(1_772_352_900), Timestamp(1_772_612_100))
        );
        assert_eq!(read.issued_at, read.valid_from, "it writes no iat");
        assert_eq!(read.status.as_ref().unwrap().index, 42);
        algorithms.push(parsed.algorithm);
    }
    assert_eq!(algorithms, [Algorithm::Es256k, Algorithm::Es256kR, Algorithm::Es256]);
}

#[test]
fn two_places_that_disagree_are_refused() {
    type Change = fn(&mut Value);
    let old: [(Change, &str); 9] = [
        (|c| c["vc"]["issuanceDate"] = json!("2026-03-01T08:15:01Z"), "nbf"),
        (|c| c["vc"]["expirationDate"] = json!("2027-03-01T08:15:00Z"), "exp"),
        (|c| c["exp"] = json!(NOW.0 + 9_999_999), "exp"),
        (
            |c| c["iss"] = json!("did:ethr:0x56494d:0x9900000000000000000000000000000000000000"),
            "iss",
        ),
        (|c| c["vc"]["issuer"] = json!("did:web:forger.example"), "iss"),
        (|c| c["issuer"] = json!({"country": "FR"}), "issuer"),
        (|c| c["sub"] = json!("did:web:someone.example"), "sub"),
        (
            |c| c["vc"]["id"] = json!("urn:uuid:00000000-0000-4000-8000-000000000000"),
            "jti",
        ),
        (
            |c| c["vc"]["credentialStatus"][1]["statusListIndex"] = json!("90002"),
            "the status index",
        ),
    ];
    for (change, name) in old {
        let result = changed(Version::V1_1, |claims| {
            // Said twice in all cases, so that a change makes a difference.
            claims["vc"]["expirationDate"] = json!(NOW.plus(72 * 3600).to_rfc3339());
            change(claims);
        });
        assert_eq!(result, Err(FormatError::Mismatch(name)));
    }
    let new: [(Change, &str); 6] = [
        (|c| c["nbf"] = json!(1), "nbf"),
        (|c| c["exp"] = json!(9_999_999_999_i64), "exp"),
        (|c| c["iss"] = json!("did:web:forger.example"), "iss"),
        (|c| c["sub"] = json!("did:web:someone.example"), "sub"),
        (
            |c| c["jti"] = json!("urn:uuid:00000000-0000-4000-8000-000000000000"),
            "jti",
        ),
        (|c| c["status"]["status_list"]["idx"] = json!(1), "the status index"),
    ];
    for (change, name) in new {
        assert_eq!(changed(Version::V2_0, change), Err(FormatError::Mismatch(name)));
    }
}

#[test]
fn what_is_missing_or_malformed_is_refused() {
    type Change = fn(&mut Value);
    let cases: [(Change, FormatError); 27] = [
        (|c| c["vc"] = json!([]), FormatError::Claim("vc")),
        (|c| drop(c.as_object_mut().unwrap().remove("vc")), FormatError::Unknown),
        (
            |c| drop(c.as_object_mut().unwrap().remove("exp")),
            FormatError::Claim("exp"),
        ),
        (
            |c| drop(c.as_object_mut().unwrap().remove("nbf")),
            FormatError::Claim("nbf"),
        ),
        (|c| c["exp"] = json!("never"), FormatError::Claim("exp")),
        (|c| c["exp"] = json!(1e300), FormatError::Claim("exp")),
        (|c| c["nbf"] = json!(null), FormatError::Claim("nbf")),
        (|c| c["iat"] = json!([1]), FormatError::Claim("iat")),
        (|c| c["iss"] = json!(["a"]), FormatError::Claim("iss")),
        (
            |c| c["jti"] = json!("6f1c9a52-6b0e-4c4e-9d3f-1a2b3c4d5e6f"),
            FormatError::Claim("jti"),
        ),
        (
            |c| c["jti"] = json!("urn:uuid:6F1C9A52-6b0e-4c4e-9d3f-1a2b3c4d5e6f"),
            FormatError::Claim("jti"),
        ),
        (
            |c| c["vc"]["@context"] = json!("https://www.w3.org/2018/credentials/v1"),
            FormatError::Claim("@context"),
        ),
        (
            |c| c["vc"]["@context"] = json!(["https://www.w3.org/ns/credentials/v2"]),
            FormatError::Claim("@context"),
        ),
        (
            |c| c["vc"]["@context"][1] = json!("https://health.example/contexts/other"),
            FormatError::Unknown,
        ),
        (
            |c| c["vc"]["type"] = json!("VerifiableCredential"),
            FormatError::Claim("type"),
        ),
        (
            |c| c["vc"]["type"] = json!(["VerifiableCredential", "UniversityDegree"]),
            FormatError::Unknown,
        ),
        (|c| c["vc"]["issuer"] = json!(7), FormatError::Claim("issuer")),
        (
            |c| c["vc"]["credentialSubject"] = json!([{}]),
            FormatError::Claim("credentialSubject"),
        ),
        (
            |c| c["vc"]["credentialSubject"]["admin"] = json!(true),
            FormatError::Claim("credentialSubject"),
        ),
        (
            |c| c["vc"]["credentialSubject"]["category"] = json!("../naat"),
            FormatError::Claim("category"),
        ),
        (
            |c| c["vc"]["credentialSubject"]["claims"] = json!("none"),
            FormatError::Claim("claims"),
        ),
        (
            |c| c["vc"]["credentialSubject"]["person"]["nick"] = json!("x"),
            FormatError::Claim("person"),
        ),
        (
            |c| c["vc"]["credentialSubject"]["person"]["birthDate"] = json!(1998),
            FormatError::Claim("birthDate"),
        ),
        (
            |c| drop(c.as_object_mut().unwrap().remove("status")),
            FormatError::Claim("status"),
        ),
        (
            |c| c["status"]["status_list"]["idx"] = json!(-1),
            FormatError::Claim("status"),
        ),
        (
            |c| c["vc"]["credentialStatus"][0]["type"] = json!("StatusList2021Entry"),
            FormatError::Claim("credentialStatus"),
        ),
        (
            |c| c["vc"]["credentialStatus"][1]["statusPurpose"] = json!("revocation"),
            FormatError::Claim("credentialStatus"),
        ),
    ];
    for (change, error) in cases {
        assert_eq!(changed(Version::V1_1, change), Err(error));
    }
    for name in ["validFrom", "validUntil"] {
        let removed = changed(Version::V2_0, |c| drop(c.as_object_mut().unwrap().remove(name)));
        assert_eq!(removed, Err(FormatError::Claim(name)));
        assert_eq!(
            changed(Version::V2_0, |c| c[name] = json!("2026-03-01")),
            Err(FormatError::Claim(name))
        );
    }
    assert_eq!(
        changed(Version::V2_0, |c| c["vc"] = json!({})),
        Err(FormatError::Claim("vc"))
    );
    assert_eq!(
        changed(Version::V2_0, |c| c["vp"] = json!({})),
        Err(FormatError::Claim("vc"))
    );
}

#[test]
fn other_headers_are_refused() {
    let token = prepared(&statement(), Version::V1_1, Algorithm::Es256k).finish(&[1; 64]);
    let with = |header: Value| {
        let unsigned = jws::Unsigned::new(header.as_object().unwrap(), claims(&token).to_string().as_bytes());
        format::parse(&unsigned.finish(&[1; 64]))
    };
    assert!(with(json!({"alg": "ES256K"})).is_ok(), "no typ is a JWT");
    for (header, reason) in [
        (json!({"alg": "PS256", "typ": "JWT"}), Reason::AlgorithmNotAllowed),
        (json!({"alg": "none", "typ": "JWT"}), Reason::AlgorithmNotAllowed),
        (json!({"alg": "HS256", "typ": "JWT"}), Reason::AlgorithmNotAllowed),
        (json!({"alg": "ES256K", "typ": "dc+sd-jwt"}), Reason::UnsupportedFormat),
        (
            json!({"alg": "ES256K", "typ": "statuslist+jwt"}),
            Reason::UnsupportedFormat,
        ),
        (
            json!({"alg": "ES256K", "typ": "vc+jwt", "cty": "vp"}),
            Reason::UnsupportedFormat,
        ),
        (json!({"alg": "ES256K", "typ": "vc+jwt"}), Reason::Malformed),
        (
            json!({"alg": "ES256K", "crit": ["b64"], "b64": false}),
            Reason::Malformed,
        ),
    ] {
        assert_eq!(with(header.clone()).unwrap_err().reason(), reason, "{header}");
    }
    for (text, reason) in [
        ("", Reason::UnsupportedFormat),
        ("hello", Reason::UnsupportedFormat),
        ("{}", Reason::UnsupportedFormat),
        ("HC2:6BF", Reason::UnsupportedFormat),
        ("a.b.c", Reason::Malformed),
        (&format!("{token}.x"), Reason::UnsupportedFormat),
        (&"A".repeat(70_000), Reason::TooLarge),
    ] {
        assert_eq!(
            format::parse(text).unwrap_err().reason(),
            reason,
            "{}",
            &text[..text.len().min(20)]
        );
    }
    assert_eq!(
        vc_jwt::prepare(&statement(), Version::V1_1, &context(), Algorithm::Ps256, KID),
        Err(FormatError::Algorithm)
    );
    let endless = Statement {
        valid_until: Timestamp(i64::MAX),
        ..statement()
    };
    assert_eq!(
        vc_jwt::prepare(&endless, Version::V2_0, &context(), Algorithm::Es256, KID),
        Err(FormatError::Claim("exp"))
    );
}

#[test]
fn nothing_personal_is_in_an_error_or_a_debug_text() {
    let token = prepared(&statement(), Version::V1_1, Algorithm::Es256k).finish(&[1; 64]);
    let parsed = format::parse(&token).unwrap();
    let error = changed(Version::V1_1, |c| {
        c["vc"]["credentialSubject"]["person"]["x"] = json!("Gabriele")
    })
    .unwrap_err();
    let shown = format!("{parsed:?} {error} {error:?}");
    assert!(shown.len() < 500, "the signed bytes would say it too: {shown}");
    assert!(!shown.contains("Gabriele") && !shown.contains("1998"), "{shown}");
}

#[test]
fn every_flipped_byte_is_noticed() {
    let native = Native::new();
    let key = key(KeyKind::Secp256k1, 7);
    let unsigned = prepared(&statement(), Version::V1_1, Algorithm::Es256k);
    let signature = key.sign(Algorithm::Es256k, unsigned.message()).unwrap();
    let token = unsigned.finish(&signature);
    let mut noticed = 0;
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] ^= 0x01;
        let text = String::from_utf8(bytes).unwrap();
        let accepted = format::parse(&text).is_ok_and(|parsed| {
            vidimus_core::Provider::verify(
                &native,
                Algorithm::Es256k,
                &public(&key),
                &parsed.message,
                &parsed.signature,
            )
            .is_ok()
        });
        assert!(!accepted, "byte {at}");
        noticed += 1;
    }
    assert_eq!(noticed, token.len());
}

fn any_statement() -> impl Strategy<Value = Statement> {
    let text = "[a-zA-Zéß<\\- \"\\\\\u{1F600}]{0,12}";
    let person = [text, text, "[A-Z<]{0,12}", "[A-Z<]{0,12}", "[0-9-]{0,10}"];
    let value = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        text.prop_map(Value::from),
        (-1_000_000_i32..1_000_000).prop_map(|n| Value::from(f64::from(n) / 4.0)),
        Just(json!([1, {"a": null}])),
    ];
    let time = -62_000_000_000_i64..250_000_000_000;
    (
        any::<[u8; 16]>(),
        "[a-z]{1,8}(-[0-9]{1,3})?",
        proptest::option::of("did:ethr:0x[0-9a-f]{40}"),
        person,
        proptest::collection::btree_map("[a-z_]{1,6}", value, 0..6),
        [time.clone(), time.clone(), time],
        proptest::option::of((
            any::<u64>(),
            "https://[a-z]{1,9}/1",
            proptest::option::of(text),
            proptest::option::of(text),
        )),
        "([A-Z]{2})?",
    )
        .prop_map(|(id, category, holder, person, claims, times, status, country)| {
            let [
                family_name,
                given_name,
                family_name_transliterated,
                given_name_transliterated,
                birth_date,
            ] = person;
            Statement {
                id: CopyId::from_bytes(id),
                category: CategoryId::new(category).unwrap(),
                issuer: "did:ethr:0x56494d:0x00112233445566778899aabbccddeeff00112233".into(),
                issuer_country: country,
                holder,
                person: Person {
                    family_name,
                    given_name,
                    family_name_transliterated,
                    given_name_transliterated,
                    birth_date,
                },
                claims: claims.into_iter().collect::<Map<_, _>>(),
                issued_at: Timestamp(times[0]),
                valid_from: Timestamp(times[1]),
                valid_until: Timestamp(times[2]),
                status: status.map(|(index, token_list, bitstring_list, suspension_list)| StatusReference {
                    token_list,
                    bitstring_list,
                    suspension_list,
                    index,
                }),
            }
        })
}

proptest! {
    #[test]
    fn any_statement_reads_back(statement in any_statement(), new in any::<bool>()) {
        let version = if new { Version::V2_0 } else { Version::V1_1 };
        let token = prepared(&statement, version, Algorithm::Es256k).finish(&[1; 64]);
        let parsed = format::parse(&token).unwrap();
        prop_assert_eq!(parsed.statement(), Some(&statement));
    }

    #[test]
    fn reading_is_total(text in "[A-Za-z0-9_.:-]{0,300}") {
        prop_assert!(format::parse(&text).is_err());
    }

    #[test]
    fn reading_changed_claims_is_total(at in any::<prop::sample::Index>(), with in any::<u8>(), new in any::<bool>()) {
        let version = if new { Version::V2_0 } else { Version::V1_1 };
        let token = prepared(&statement(), version, Algorithm::Es256k).finish(&[1; 64]);
        let parts: Vec<_> = token.split('.').collect();
        let mut payload = encoding::from_base64url(parts[1]).unwrap();
        let at = at.index(payload.len());
        payload[at] = with;
        let token = format!("{}.{}.{}", parts[0], encoding::base64url(&payload), parts[2]);
        if let Ok(parsed) = format::parse(&token) {
            prop_assert_eq!(parsed.message, token.rsplit_once('.').unwrap().0.as_bytes());
        }
    }
}
