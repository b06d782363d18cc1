//! Requests as the specification writes them.

use super::world::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use vidimus_crypto::{Native, OsEntropy};
use vidimus_openid4vc::vp::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../../vectors/vp/requests.json")).unwrap()
}

/// Every case of the file has the outcome that it states.
#[test]
fn requests_of_the_file_have_their_outcome() {
    let vectors = vectors();
    let cases = vectors["cases"].as_array().unwrap();
    let mut refused = 0;
    for case in cases {
        let claims = case["claims"].as_object().unwrap();
        let outcome = Request::from_claims(claims);
        match (case["expected"].as_str().unwrap(), outcome) {
            ("accepted", Ok(request)) => {
                assert_eq!(request.client_id.to_string(), claims["client_id"].as_str().unwrap());
                let again = Request::from_claims(&request.to_claims()).unwrap();
                assert_eq!(again, request, "{}", case["name"]);
            }
            (code, Err(error)) => {
                assert_eq!(error.code().name(), code, "{}: {error}", case["name"]);
                refused += 1;
            }
            (expected, Ok(_)) => panic!("{}: taken, not {expected}", case["name"]),
        }
    }
    assert!(refused > cases.len() - refused, "more is refused than taken");
}

#[test]
fn the_specifications_links_read() {
    let by_reference = "https://wallet.example.com?client_id=x509_san_dns%3Aclient.example.org&request_uri=https%3A%2F%2Fclient.example.org%2Frequest%2Fvapof4ql2i7m41m68uep&request_uri_method=post";
    let Ok(Invocation::Reference {
        client_id,
        request_uri,
        method: RequestUriMethod::Post,
    }) = Invocation::parse(by_reference)
    else {
        panic!("by reference")
    };
    assert_eq!(client_id.to_string(), "x509_san_dns:client.example.org");
    assert_eq!(
        request_uri.as_str(),
        "https://client.example.org/request/vapof4ql2i7m41m68uep"
    );
    // §5.9.3, unsigned: its response mode is the default, by redirect, which is not here.
    let plain = "https://wallet.example.org/universal-link?response_type=vp_token&client_id=redirect_uri%3Ahttps%3A%2F%2Fclient.example.org%2Fcb&redirect_uri=https%3A%2F%2Fclient.example.org%2Fcb&dcql_query=%7B%7D&nonce=n-0S6_WzA2Mj";
    let wallet = wallet(all_prefixes());
    let native = Native::new();
    let Ok(Step::Received(received)) = wallet.start(Invocation::parse(plain).unwrap(), &native, &mut OsEntropy) else {
        panic!("plain")
    };
    let refused = received.verify(&wallet, Trust::default(), NOW, &native).unwrap_err();
    assert_eq!(refused.error, RequestError::Missing("response_mode"));
}

#[test]
fn formats_say_what_is_supported() {
    for value in [json!({}), json!([]), json!("x"), json!({"dc+sd-jwt": "x"}), Value::Null] {
        assert!(Formats::from_json(&value).is_err(), "{value}");
    }
    let ours = formats();
    assert!(ours.supports("dc+sd-jwt") && ours.supports("jwt_vc_json") && !ours.supports("mso_mdoc"));
    let silent = Formats::from_json(&json!({"dc+sd-jwt": {}})).unwrap();
    assert!(silent.allows("dc+sd-jwt", "kb-jwt_alg_values", vidimus_core::Algorithm::EdDsa));
    assert!(!silent.allows("jwt_vc_json", "alg_values", vidimus_core::Algorithm::EdDsa));
    assert_eq!(Formats::from_json(&ours.to_json()), Ok(ours));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9:/._-]{0,20}|direct_post(.jwt)?|https://[a-z.]{1,12}/".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let names = "id|format|meta|path|keys|kid|alg|type|data|[a-z]{1,6}";
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((names, inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_claim_of_a_request_is_read_or_refused(case: prop::sample::Index, member: prop::sample::Index, value in any_json()) {
        let vectors = vectors();
        let cases = vectors["cases"].as_array().unwrap();
        let mut claims = cases[case.index(cases.len())]["claims"].as_object().unwrap().clone();
        let name = claims.keys().nth(member.index(claims.len())).unwrap().clone();
        claims.insert(name, value);
        if let Ok(request) = Request::from_claims(&claims) {
            prop_assert_eq!(Request::from_claims(&request.to_claims()), Ok(request));
        }
    }

    #[test]
    fn any_answer_to_a_response_sends_nobody_anywhere_else(value in any_json(), text in "\\PC{0,40}") {
        let wallet = wallet(Policy::haip());
        for body in [json!({"redirect_uri": value}).to_string(), json!({"redirect_uri": text}).to_string(), text.clone()] {
            if let Ok(Some(uri)) = wallet.acknowledged(200, body.as_bytes()) {
                prop_assert!(uri.starts_with("https://"), "{}", uri);
            }
        }
    }
}
