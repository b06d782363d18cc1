//! Compact JWS: the examples of RFC 7515 and RFC 8037, and what forgers send.

use crate::support::{key, keys, public};
use serde_json::json;
use vidimus_core::{Algorithm, Provider, PublicKey, SignatureError, Signer, encoding::base64url};
use vidimus_credential::{
    json::JsonError,
    jws::{Jws, JwsError, Part, Unsigned},
};
use vidimus_crypto::{KeyKind, Native, SigningKey};

const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn token(header: &str, payload: &str) -> String {
    format!(
        "{}.{}.{}",
        base64url(header.as_bytes()),
        base64url(payload.as_bytes()),
        base64url(&[1; 64])
    )
}

fn refusal(token: &str) -> JwsError {
    match Jws::parse(token, 10_000).and_then(|jws| jws.claims()) {
        Err(error) => error,
        Ok(_) => panic!("{token} was read"),
    }
}

#[test]
fn rfc_7515_appendix_a_3_es256_verifies() {
    let token = format!(
        "eyJhbGciOiJFUzI1NiJ9.{JOE}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let jwk = json!({"kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let key = PublicKey::from_jwk(&jwk).unwrap();
    let jws = Jws::parse(&token, 10_000).unwrap();
    assert_eq!(jws.claims().unwrap()["iss"], "joe");
    let signed = jws.into_signed();
    let native = Native::new();
    assert_eq!(signed.verify(&native, Algorithm::Es256, &key), Ok(()));
    // The key record says another algorithm than the header: refused before anything is computed.
    assert_eq!(
        signed.verify(&native, Algorithm::Es256k, &key),
        Err(SignatureError::Key)
    );
}

#[test]
fn rfc_8037_appendix_a_4_eddsa_is_signed_and_verified() {
    let secret = vidimus_core::encoding::from_base64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let key = SigningKey::from_bytes(KeyKind::Ed25519, &secret).unwrap();
    let header = json!({"alg": "EdDSA"}).as_object().unwrap().clone();
    let unsigned = Unsigned::new(&header, b"Example of Ed25519 signing");
    let signature = key.sign(Algorithm::EdDsa, unsigned.message()).unwrap();
    let token = unsigned.finish(&signature);
    assert_eq!(
        token,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
         hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    let signed = Jws::parse(&token, 10_000).unwrap().into_signed();
    assert_eq!(signed.verify(&Native::new(), Algorithm::EdDsa, &public(&key)), Ok(()));
}

#[test]
fn algorithms_outside_the_closed_set_are_refused() {
    // RFC 7515 appendices A.1 (HS256), A.2 (RS256), A.4 (ES512) and A.5 (none), then other spellings of none.
    for header in [
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJSUzI1NiJ9",
        "eyJhbGciOiJFUzUxMiJ9",
    ] {
        assert_eq!(refusal(&format!("{header}.{JOE}.AAAA")), JwsError::Algorithm);
    }
    assert_eq!(refusal(&format!("eyJhbGciOiJub25lIn0.{JOE}.")), JwsError::Algorithm);
    for name in [
        "none",
        "None",
        "nOnE",
        "",
        "es256",
        "ES256 ",
        "ES256\u{0}",
        "ES384",
        "HS256",
    ] {
        let header = json!({ "alg": name }).to_string();
        assert_eq!(refusal(&token(&header, "{}")), JwsError::Algorithm, "{name:?}");
    }
    for header in [
        "{}",
        r#"{"alg":null}"#,
        r#"{"alg":["ES256"]}"#,
        r#"{"alg":1}"#,
        r#"{"Alg":"ES256"}"#,
    ] {
        assert_eq!(refusal(&token(header, "{}")), JwsError::Algorithm, "{header}");
    }
}

#[test]
fn extensions_that_are_not_implemented_are_refused() {
    // RFC 7515 appendix E.
    let critical = "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.";
    assert_eq!(refusal(critical), JwsError::Critical);
    for header in [
        r#"{"alg":"ES256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"ES256","crit":[]}"#,
        r#"{"alg":"ES256","b64":false,"crit":["b64"]}"#,
        r#"{"alg":"ES256","b64":true}"#,
    ] {
        assert_eq!(refusal(&token(header, "{}")), JwsError::Critical, "{header}");
    }
}

#[test]
fn what_is_not_exactly_a_compact_jws_is_refused() {
    let good = token(r#"{"alg":"ES256"}"#, "{}");
    assert!(Jws::parse(&good, 10_000).is_ok());
    for bad in [
        "",
        ".",
        "..",
        "a.b",
        "{}",
        &format!("{good}."),
        &good.replacen('.', "..", 1),
        &good.replace('.', ""),
    ] {
        assert!(Jws::parse(bad, 10_000).is_err(), "{bad}");
    }
    let parts: Vec<_> = good.split('.').collect();
    for (part, text) in [(Part::Header, 0), (Part::Payload, 1), (Part::Signature, 2)] {
        for spoil in ["=", "+", "/", "\n", " ", "é", "A"] {
            let mut parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
            // Four characters hold no spare bits, so one more is one too many.
            parts[text] = format!("{}{spoil}", &parts[text][..4 * (parts[text].len() / 4).min(5)]);
            let error = Jws::parse(&parts.join("."), 10_000).unwrap_err();
            assert_eq!(error, JwsError::Base64(part), "{spoil:?}");
        }
    }
    // Spare bits that are not zero: a second text of the same signature.
    assert_eq!(
        refusal(&format!("{}B", &good[..good.len() - 1])),
        JwsError::Base64(Part::Signature)
    );
    assert_eq!(
        Jws::parse(&good, good.len() - 1).unwrap_err(),
        JwsError::TooLarge(good.len() - 1)
    );
}

#[test]
fn headers_and_payloads_with_two_readings_are_refused() {
    for (header, payload, part, source) in [
        (
            r#"{"alg":"ES256","alg":"none"}"#,
            "{}",
            Part::Header,
            JsonError::Duplicate,
        ),
        (
            r#"{"alg":"ES256","\u0061lg":"ES256"}"#,
            "{}",
            Part::Header,
            JsonError::Duplicate,
        ),
        (
            r#"{"alg":"ES256"}"#,
            r#"{"exp":1,"exp":9}"#,
            Part::Payload,
            JsonError::Duplicate,
        ),
        (r#"{"alg":"ES256"}"#, "[]", Part::Payload, JsonError::NotAnObject),
        (r#"{"alg":"ES256"}"#, "{", Part::Payload, JsonError::Syntax),
        (r#"{"alg":"ES256"} "#, "{} x", Part::Payload, JsonError::Syntax),
        ("[]", "{}", Part::Header, JsonError::NotAnObject),
        (r#""ES256""#, "{}", Part::Header, JsonError::NotAnObject),
    ] {
        assert_eq!(
            refusal(&token(header, payload)),
            JwsError::Json { part, source },
            "{header} {payload}"
        );
    }
    for (name, header) in [
        ("kid", r#"{"alg":"ES256","kid":7}"#),
        ("typ", r#"{"alg":"ES256","typ":null}"#),
        ("cty", r#"{"alg":"ES256","cty":{}}"#),
        ("x5c", r#"{"alg":"ES256","x5c":"MIIB"}"#),
        ("x5c", r#"{"alg":"ES256","x5c":[]}"#),
        ("x5c", r#"{"alg":"ES256","x5c":["MI-_"]}"#),
        ("x5c", r#"{"alg":"ES256","x5c":["","","","",""]}"#),
    ] {
        assert_eq!(refusal(&token(header, "{}")), JwsError::Parameter(name), "{header}");
    }
}

#[test]
fn a_key_in_the_header_is_never_taken() {
    let forger = key(KeyKind::P256, 666);
    let issuer = key(KeyKind::P256, 1);
    let header = json!({"alg": "ES256", "jwk": public(&forger), "jku": "https://forger.example/k", "x5u": "https://forger.example/c"});
    let unsigned = Unsigned::new(header.as_object().unwrap(), b"{}");
    let signature = forger.sign(Algorithm::Es256, unsigned.message()).unwrap();
    let token = unsigned.finish(&signature);
    let signed = Jws::parse(&token, 10_000).unwrap().into_signed();
    let native = Native::new();
    assert_eq!(
        signed.verify(&native, Algorithm::Es256, &public(&forger)),
        Ok(()),
        "it is the forger's, rightly signed"
    );
    assert_eq!(
        signed.verify(&native, Algorithm::Es256, &public(&issuer)),
        Err(SignatureError::Invalid)
    );
    assert!(
        !format!("{:?}", signed.header).contains("forger"),
        "nothing of it is even kept"
    );
}

#[test]
fn types_compare_as_media_types_do() {
    for (typ, fits) in [
        ("vc+jwt", true),
        ("VC+JWT", true),
        ("application/vc+jwt", true),
        ("Application/vc+jwt", true),
        ("application/application/vc+jwt", false),
        ("text/vc+jwt", false),
        ("vc+jwt ", false),
        ("", false),
        ("applicationé", false),
    ] {
        let header = json!({"alg": "ES256", "typ": typ}).to_string();
        assert_eq!(
            Jws::parse(&token(&header, "{}"), 10_000)
                .unwrap()
                .header()
                .is_type("vc+jwt"),
            fits,
            "{typ}"
        );
    }
}

#[test]
fn every_flipped_byte_is_noticed_for_every_algorithm() {
    let native = Native::new();
    for (algorithm, key) in keys() {
        let header = json!({"alg": algorithm.name(), "typ": "JWT"});
        let unsigned = Unsigned::new(header.as_object().unwrap(), br#"{"sub":"traveller"}"#);
        let kept = Unsigned::from_message(unsigned.message().to_vec()).unwrap();
        assert_eq!(kept, unsigned);
        let signature = key.sign(algorithm, unsigned.message()).unwrap();
        let token = unsigned.finish(&signature);
        let verifies = |token: &str| {
            Jws::parse(token, 10_000)
                .is_ok_and(|jws| jws.into_signed().verify(&native, algorithm, &public(&key)).is_ok())
        };
        assert!(verifies(&token));
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(
                !verifies(std::str::from_utf8(&bytes).unwrap()),
                "{algorithm:?} byte {at}"
            );
        }
        assert!(native.verify(algorithm, &public(&key), b"", &[]).is_err());
    }
}

#[test]
fn what_waited_for_a_signature_is_read_back_strictly() {
    for message in [
        "",
        ".",
        "e30",
        "e30.e30",
        "eyJhbGciOiJFUzI1NiJ9.e30=",
        "eyJhbGciOiJub25lIn0.e30",
        "eyJhbGciOiJFUzI1NiJ9.a.b",
    ] {
        assert!(Unsigned::from_message(message.into()).is_err(), "{message}");
    }
    assert!(Unsigned::from_message(vec![0xff, b'.']).is_err());
}
