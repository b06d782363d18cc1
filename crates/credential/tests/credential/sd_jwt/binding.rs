//! Key binding: made by the traveller, held against by the gate.

use super::*;
use crate::support::{NOW, Seeded, key, public};
use vidimus_core::{Algorithm, PublicKey, Signer};
use vidimus_credential::sd_jwt::{
    ClaimPath, Frame, conceal,
    key_binding::{Draft, KeyBinding, KeyBindingError, TYPE, Window, holder_key},
};
use vidimus_crypto::{KeyKind, SigningKey};

const GATE: &str = "x509_hash:gate";
const NONCE: &str = "n-0S6_WzA2Mj";

fn window(age: i64) -> Window {
    Window {
        now: NOW.plus(age),
        max_age: 300,
        skew: 60,
    }
}

fn presented() -> String {
    let claims = json!({"iss": "https://lab.example", "result": "negative", "sampled_at": "2026-03-01"});
    let frame = ["result", "sampled_at"]
        .iter()
        .fold(Frame::new(), |frame, name| frame.disclosable(&ClaimPath::of([name])));
    let concealed = conceal(claims.as_object().unwrap(), &frame, &Native::new(), &mut Seeded(3)).unwrap();
    concealed.combine(&unsigned(&concealed.payload))
}

fn draft() -> Draft<'static> {
    Draft {
        audience: GATE,
        nonce: NONCE,
        issued_at: NOW,
        more: Map::new(),
    }
}

fn bind(holder: &SigningKey, algorithm: Algorithm, draft: &Draft<'_>) -> String {
    let unsigned = draft.prepare(presented(), algorithm, &Native::new());
    let signature = holder.sign(algorithm, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

fn held(text: &str, key: &PublicKey) -> Result<(), KeyBindingError> {
    let read = SdJwt::parse(text).unwrap();
    read.key_binding()
        .unwrap()?
        .verify_holder(read.unbound(), key, &Native::new())
}

#[test]
fn the_holder_answers_a_request() {
    for (algorithm, kind) in [
        (Algorithm::Es256, KeyKind::P256),
        (Algorithm::EdDsa, KeyKind::Ed25519),
        (Algorithm::Es256k, KeyKind::Secp256k1),
    ] {
        let holder = key(kind, 11);
        let mut draft = draft();
        draft.more.insert("transaction_data_hashes".into(), json!(["aGFzaA"]));
        draft.more.insert("nonce".into(), "another".into());
        let text = bind(&holder, algorithm, &draft);
        assert_eq!(held(&text, &public(&holder)), Ok(()));
        let binding = SdJwt::parse(&text).unwrap().key_binding().unwrap().unwrap();
        assert_eq!(binding.verify_request(GATE, NONCE, &window(0)), Ok(()));
        assert_eq!(
            Value::Object(binding.more),
            json!({"transaction_data_hashes": ["aGFzaA"]})
        );
    }
}

#[test]
fn another_request_another_time_another_audience() {
    let holder = key(KeyKind::P256, 11);
    let text = bind(&holder, Algorithm::Es256, &draft());
    let binding = SdJwt::parse(&text).unwrap().key_binding().unwrap().unwrap();
    for (audience, nonce, age, error) in [
        (GATE, "other", 0, KeyBindingError::Nonce),
        (GATE, "", 0, KeyBindingError::Nonce),
        ("https://other.example", NONCE, 0, KeyBindingError::Audience),
        (GATE, NONCE, 301, KeyBindingError::Old),
        (GATE, NONCE, -61, KeyBindingError::Future),
    ] {
        assert_eq!(
            binding.verify_request(audience, nonce, &window(age)),
            Err(error),
            "{audience} {nonce} {age}"
        );
    }
    for age in [-60, 300] {
        assert_eq!(binding.verify_request(GATE, NONCE, &window(age)), Ok(()), "{age}");
    }
    let mut draft = draft();
    draft.more.insert("exp".into(), json!(NOW.0 + 20));
    draft.more.insert("nbf".into(), json!(NOW.0 - 20));
    let text = bind(&holder, Algorithm::Es256, &draft);
    let binding = SdJwt::parse(&text).unwrap().key_binding().unwrap().unwrap();
    assert_eq!(binding.verify_time(&window(80)), Ok(()));
    assert_eq!(binding.verify_time(&window(81)), Err(KeyBindingError::Old));
}

#[test]
fn another_key_or_another_choice_of_claims() {
    let (holder, thief) = (key(KeyKind::P256, 11), key(KeyKind::P256, 12));
    let text = bind(&holder, Algorithm::Es256, &draft());
    assert_eq!(held(&text, &public(&thief)), Err(KeyBindingError::Signature));
    assert_eq!(
        held(&text, &public(&key(KeyKind::Secp256k1, 11))),
        Err(KeyBindingError::Algorithm)
    );
    assert_eq!(
        held(&text, &public(&key(KeyKind::Ed25519, 11))),
        Err(KeyBindingError::Algorithm)
    );
    let parts: Vec<&str> = text.split('~').collect();
    let without = [parts[0], parts[1], parts[3]].join("~");
    assert_eq!(held(&without, &public(&holder)), Err(KeyBindingError::Hash));
    let swapped = [parts[0], parts[2], parts[1], parts[3]].join("~");
    assert_eq!(held(&swapped, &public(&holder)), Err(KeyBindingError::Hash));
    let mut flipped = text.clone().into_bytes();
    let last = flipped.len() - 10;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    assert_eq!(
        held(std::str::from_utf8(&flipped).unwrap(), &public(&holder)),
        Err(KeyBindingError::Signature)
    );
    // Not signed at all.
    let unsigned = draft()
        .prepare(presented(), Algorithm::Es256, &Native::new())
        .finish(&[]);
    assert_eq!(held(&unsigned, &public(&holder)), Err(KeyBindingError::Signature));
}

#[test]
fn what_is_no_key_binding() {
    let make = |header: Value, payload: Value| {
        let payload = payload.to_string();
        let token = jws::Unsigned::new(header.as_object().unwrap(), payload.as_bytes()).finish(&[1]);
        KeyBinding::parse(&token).unwrap_err()
    };
    let header = json!({"alg": "ES256", "typ": TYPE});
    let payload = json!({"iat": 1, "aud": "a", "nonce": "n", "sd_hash": base64url(&[0; 32])});
    for header in [
        json!({"alg": "ES256"}),
        json!({"alg": "ES256", "typ": "JWT"}),
        json!({"alg": "ES256", "typ": "kb"}),
    ] {
        assert_eq!(make(header, payload.clone()), KeyBindingError::Type);
    }
    for header in [
        json!({"typ": TYPE}),
        json!({"alg": "none", "typ": TYPE}),
        json!({"alg": "HS256", "typ": TYPE}),
        json!({"alg": "ES256", "typ": TYPE, "crit": ["exp"]}),
    ] {
        assert!(matches!(make(header, payload.clone()), KeyBindingError::Jws(_)));
    }
    for (name, values) in [
        ("iat", [json!("1"), json!(null)]),
        ("aud", [json!(["a"]), json!(1)]),
        ("nonce", [json!(1), json!(["n"])]),
        ("sd_hash", [json!("AA"), json!("not base64url!")]),
        ("exp", [json!("1"), json!({})]),
        ("nbf", [json!("1"), json!([])]),
    ] {
        for value in values {
            let mut payload = payload.clone();
            payload[name] = value;
            assert_eq!(make(header.clone(), payload), KeyBindingError::Claim(name));
        }
        let mut payload = payload.clone();
        if payload.as_object_mut().unwrap().remove(name).is_some() {
            assert_eq!(make(header.clone(), payload), KeyBindingError::Claim(name));
        }
    }
}

#[test]
fn the_holders_key() {
    let p256 = public(&key(KeyKind::P256, 11));
    let jwk = p256.to_jwk().unwrap();
    let of = |cnf: Value| {
        let claims = json!({ "cnf": cnf });
        holder_key(claims.as_object().unwrap())
    };
    assert_eq!(of(json!({ "jwk": jwk })), Ok(p256));
    assert_eq!(holder_key(&Map::new()), Err(KeyBindingError::Key));
    let mut private = jwk.clone();
    private["d"] = "c2VjcmV0".into();
    for cnf in [
        json!({}),
        json!(null),
        json!({"jkt": "abc"}),
        json!({"kid": "did:example:1#0"}),
        json!({"jwk": {}}),
        json!({"jwk": [jwk]}),
        json!({"jwk": {"kty": "oct", "k": "AAAA"}}),
        json!({"jwk": {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}}),
        json!({ "jwk": private }),
    ] {
        assert_eq!(of(cnf.clone()), Err(KeyBindingError::Key), "{cnf}");
    }
}
