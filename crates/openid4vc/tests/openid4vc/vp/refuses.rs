//! Requests that are not in order: what the traveller's wallet refuses, and with which code.

use super::world::*;
use serde_json::{Value, json};
use vidimus_core::encoding;
use vidimus_credential::{jws::JwsError, x509::CertificateError};
use vidimus_openid4vc::{dcql::QueryError, vp::*};

#[test]
fn an_unchanged_request_is_taken() {
    let world = World::new();
    assert!(world.tampered(&wallet(Policy::haip()), |_, _| {}).is_ok());
    // `iss` is ignored, and so is whatever is not known (§5).
    let more = world.tampered(&wallet(Policy::haip()), |claims, _| {
        put(claims, "iss", "somebody else");
        put(claims, "presentation_definition", json!({"id": 1}));
        put(claims, "aud", json!(["https://self-issued.me/v2"]));
    });
    assert!(more.is_ok());
}

/// What `@openid4vc/openid4vp` writes by default. Under HAIP it has to be told better.
#[test]
fn an_open_wallet_takes_the_url_of_the_request_for_its_audience() {
    let world = World::new();
    let with = |policy: Policy, audience: &str| {
        world
            .tampered(&wallet(policy), |claims, _| put(claims, "aud", audience))
            .map(drop)
            .map_err(|refused| refused.error)
    };
    assert_eq!(with(Policy::open(), request_uri().as_str()), Ok(()));
    assert_eq!(
        with(Policy::haip(), request_uri().as_str()),
        Err(RequestError::Audience)
    );
    let other = "https://airline.example.org/vp/request/8";
    assert_eq!(with(Policy::open(), other), Err(RequestError::Audience));
}

#[test]
fn requests_that_are_not_in_order() {
    let world = World::new();
    let metadata = |change: fn(&mut Value)| {
        move |claims: &mut Members, _: &mut Members| change(claims.get_mut("client_metadata").unwrap())
    };
    type Change = Box<dyn Fn(&mut Members, &mut Members)>;
    let claim =
        |name: &'static str, value: Value| -> Change { Box::new(move |claims, _| put(claims, name, value.clone())) };
    let without = |name: &'static str| -> Change { Box::new(move |claims, _| drop(claims.remove(name))) };
    let header =
        |name: &'static str, value: Value| -> Change { Box::new(move |_, header| put(header, name, value.clone())) };
    let bare_header = |name: &'static str| -> Change { Box::new(move |_, header| drop(header.remove(name))) };
    use ErrorCode::{InvalidRequest, InvalidRequestObject, InvalidScope, UnsupportedResponseType};
    use RequestError::*;
    let cases: Vec<(&str, Change, RequestError, ErrorCode)> = vec![
        ("no typ", bare_header("typ"), Type, InvalidRequestObject),
        ("typ JWT", header("typ", "JWT".into()), Type, InvalidRequestObject),
        (
            "alg none",
            header("alg", "none".into()),
            Object(JwsError::Algorithm),
            InvalidRequestObject,
        ),
        (
            "another alg",
            header("alg", "ES256K".into()),
            Signature,
            InvalidRequestObject,
        ),
        (
            "crit",
            header("crit", json!(["x"])),
            Object(JwsError::Critical),
            InvalidRequestObject,
        ),
        (
            "no x5c",
            bare_header("x5c"),
            Certificate(CertificateError::Chain),
            InvalidRequest,
        ),
        (
            "another client",
            claim(
                "client_id",
                format!("x509_hash:{}", encoding::base64url(&[1; 32])).into(),
            ),
            OtherClient,
            InvalidRequest,
        ),
        (
            "client without prefix",
            claim("client_id", "airline".into()),
            OtherClient,
            InvalidRequest,
        ),
        ("no client", without("client_id"), OtherClient, InvalidRequest),
        ("no aud", without("aud"), Audience, InvalidRequestObject),
        (
            "another aud",
            claim("aud", "https://wallet.example.org".into()),
            Audience,
            InvalidRequestObject,
        ),
        (
            "two auds",
            claim("aud", json!(["https://self-issued.me/v2", "x"])),
            Audience,
            InvalidRequestObject,
        ),
        (
            "request inside",
            claim("request", "eyJ".into()),
            Nested,
            InvalidRequestObject,
        ),
        (
            "request_uri inside",
            claim("request_uri", "https://x".into()),
            Nested,
            InvalidRequestObject,
        ),
        (
            "no response_type",
            without("response_type"),
            Missing("response_type"),
            InvalidRequest,
        ),
        (
            "code",
            claim("response_type", "code".into()),
            ResponseType,
            UnsupportedResponseType,
        ),
        (
            "id_token",
            claim("response_type", "vp_token id_token".into()),
            ResponseType,
            UnsupportedResponseType,
        ),
        (
            "no response_mode",
            without("response_mode"),
            Missing("response_mode"),
            InvalidRequest,
        ),
        (
            "fragment",
            claim("response_mode", "fragment".into()),
            ResponseMode,
            InvalidRequest,
        ),
        (
            "dc_api",
            claim("response_mode", "dc_api.jwt".into()),
            ResponseMode,
            InvalidRequest,
        ),
        (
            "plain",
            claim("response_mode", "direct_post".into()),
            ResponseMode,
            InvalidRequest,
        ),
        (
            "redirect_uri",
            claim("redirect_uri", "https://airline.example.org/".into()),
            Both("redirect_uri", "response_mode=direct_post"),
            InvalidRequest,
        ),
        (
            "no response_uri",
            without("response_uri"),
            Missing("response_uri"),
            InvalidRequest,
        ),
        ("no nonce", without("nonce"), Missing("nonce"), InvalidRequest),
        ("empty nonce", claim("nonce", "".into()), Form("nonce"), InvalidRequest),
        (
            "nonce with a space",
            claim("nonce", "a b".into()),
            Form("nonce"),
            InvalidRequest,
        ),
        (
            "nonce a number",
            claim("nonce", 7.into()),
            Form("nonce"),
            InvalidRequest,
        ),
        (
            "long nonce",
            claim("nonce", "n".repeat(513).into()),
            Form("nonce"),
            InvalidRequest,
        ),
        (
            "state with an ampersand",
            claim("state", "a&b".into()),
            Form("state"),
            InvalidRequest,
        ),
        ("no query", without("dcql_query"), Missing("dcql_query"), InvalidRequest),
        (
            "a scope too",
            claim("scope", "com.example.pid".into()),
            Both("dcql_query", "scope"),
            InvalidRequest,
        ),
        (
            "a scope instead",
            Box::new(|claims, _| {
                claims.remove("dcql_query");
                put(claims, "scope", "x");
            }),
            Scope,
            InvalidScope,
        ),
        (
            "query a text",
            claim("dcql_query", "{}".into()),
            Query(QueryError::Form("dcql_query")),
            InvalidRequest,
        ),
        (
            "query empty",
            claim("dcql_query", json!({"credentials": []})),
            Query(QueryError::Empty("credentials")),
            InvalidRequest,
        ),
        (
            "transaction data",
            claim(
                "transaction_data",
                json!([encoding::base64url(br#"{"type":"pay","credential_ids":["test"]}"#)]),
            ),
            Transaction(TransactionError::Type),
            ErrorCode::InvalidTransactionData,
        ),
        (
            "no transaction data",
            claim("transaction_data", json!([])),
            Transaction(TransactionError::Count),
            ErrorCode::InvalidTransactionData,
        ),
        (
            "verifier_info empty",
            claim("verifier_info", json!([])),
            VerifierInfo,
            InvalidRequest,
        ),
        (
            "verifier_info elsewhere",
            claim(
                "verifier_info",
                json!([{"format": "jwt", "data": "x", "credential_ids": ["other"]}]),
            ),
            VerifierInfo,
            InvalidRequest,
        ),
        (
            "verifier_info a number",
            claim("verifier_info", json!([{"format": "jwt", "data": 1}])),
            VerifierInfo,
            InvalidRequest,
        ),
        (
            "statement of another",
            claim(
                "verifier_info",
                json!([statement().to_info(&"x509_san_dns:other.example".parse().unwrap())]),
            ),
            VerifierInfo,
            InvalidRequest,
        ),
        (
            "two statements",
            Box::new(|claims, _| {
                let one = json!(statement().to_info(&claims["client_id"].as_str().unwrap().parse().unwrap()));
                put(claims, "verifier_info", json!([one, one]));
            }),
            VerifierInfo,
            InvalidRequest,
        ),
        ("expired", claim("exp", NOW.0.into()), Expired, InvalidRequest),
        ("exp a text", claim("exp", "soon".into()), Form("exp"), InvalidRequest),
        ("not yet", claim("nbf", (NOW.0 + 61).into()), Future, InvalidRequest),
        (
            "from the future",
            claim("iat", (NOW.0 + 61).into()),
            Future,
            InvalidRequest,
        ),
        (
            "no metadata",
            without("client_metadata"),
            Missing("client_metadata"),
            InvalidRequest,
        ),
        (
            "metadata a text",
            claim("client_metadata", "{}".into()),
            Metadata(MetadataError::Form("client_metadata")),
            InvalidRequest,
        ),
        (
            "no keys",
            Box::new(metadata(|m| drop(m.as_object_mut().unwrap().remove("jwks")))),
            Metadata(MetadataError::Key),
            InvalidRequest,
        ),
        (
            "key without alg",
            Box::new(metadata(|m| {
                drop(m["jwks"]["keys"][0].as_object_mut().unwrap().remove("alg"))
            })),
            Metadata(MetadataError::Key),
            InvalidRequest,
        ),
        (
            "key without kid",
            Box::new(metadata(|m| {
                drop(m["jwks"]["keys"][0].as_object_mut().unwrap().remove("kid"))
            })),
            Metadata(MetadataError::Form("jwks")),
            InvalidRequest,
        ),
        (
            "one kid twice",
            Box::new(metadata(|m| {
                let key = m["jwks"]["keys"][0].clone();
                m["jwks"]["keys"] = json!([key, key]);
            })),
            Metadata(MetadataError::Form("jwks")),
            InvalidRequest,
        ),
        (
            "only CBC",
            Box::new(metadata(|m| {
                m["encrypted_response_enc_values_supported"] = json!(["A128CBC-HS256"])
            })),
            Metadata(MetadataError::Encryption),
            InvalidRequest,
        ),
        (
            "no enc",
            Box::new(metadata(|m| m["encrypted_response_enc_values_supported"] = json!([]))),
            Metadata(MetadataError::Form("encrypted_response_enc_values_supported")),
            InvalidRequest,
        ),
        (
            "no formats",
            Box::new(metadata(|m| {
                drop(m.as_object_mut().unwrap().remove("vp_formats_supported"))
            })),
            Missing("vp_formats_supported"),
            InvalidRequest,
        ),
        (
            "formats empty",
            Box::new(metadata(|m| m["vp_formats_supported"] = json!({}))),
            Metadata(MetadataError::Form("vp_formats_supported")),
            InvalidRequest,
        ),
        (
            "formats that do not fit",
            Box::new(metadata(|m| m["vp_formats_supported"] = json!({"mso_mdoc": {}}))),
            Formats,
            ErrorCode::VpFormatsNotSupported,
        ),
        (
            "query of a format that is not held",
            claim(
                "dcql_query",
                json!({"credentials": [{"id": "a", "format": "mso_mdoc", "meta": {}}]}),
            ),
            Formats,
            ErrorCode::VpFormatsNotSupported,
        ),
        (
            "a response elsewhere",
            claim("response_uri", "https://thief.example.org/".into()),
            ResponseHost,
            InvalidRequest,
        ),
        (
            "a response below",
            claim("response_uri", "https://a.airline.example.org/".into()),
            ResponseHost,
            InvalidRequest,
        ),
        (
            "a response without TLS",
            claim("response_uri", "http://airline.example.org/".into()),
            Form("response_uri"),
            InvalidRequest,
        ),
        (
            "a response with a password",
            claim("response_uri", "https://a:b@airline.example.org/".into()),
            Form("response_uri"),
            InvalidRequest,
        ),
        (
            "a response to this machine",
            claim("response_uri", "http://127.0.0.1:8080/".into()),
            Host(HostError::Loopback),
            InvalidRequest,
        ),
        (
            "a response to localhost",
            claim("response_uri", "https://localhost/".into()),
            Host(HostError::Loopback),
            InvalidRequest,
        ),
        (
            "a response inside",
            claim("response_uri", "https://10.0.0.7/".into()),
            Host(HostError::Inside),
            InvalidRequest,
        ),
    ];
    for (name, change, error, code) in cases {
        let refused = refusal(world.tampered(&wallet(Policy::haip()), |claims, header| change(claims, header)));
        assert_eq!(refused.error, error, "{name}");
        assert_eq!(refused.error.code(), code, "{name}");
    }
}

#[test]
fn the_one_who_asked_hears_why_and_nobody_else() {
    let world = World::new();
    let wallet = wallet(Policy::haip());
    // Known, and the place is theirs: the code goes there, with their state.
    let refused = refusal(world.tampered(&wallet, |claims, _| {
        put(claims, "transaction_data", json!([]));
        put(claims, "state", "s1");
    }));
    let reply = refused.reply.unwrap();
    assert_eq!(reply.url.as_str(), "https://airline.example.org/vp/response/7");
    assert_eq!(reply.body.as_deref(), Some("error=invalid_transaction_data&state=s1"));
    // Not known, or a place that is not theirs: nothing goes out.
    for refused in [
        world.tampered(&wallet, |claims, _| {
            put(claims, "response_uri", "https://thief.example.org/")
        }),
        world.tampered(&wallet, |claims, header| {
            put(claims, "transaction_data", json!([]));
            header.remove("x5c");
        }),
        world.tampered(&wallet, |claims, _| {
            put(claims, "transaction_data", json!([]));
            put(claims, "response_uri", "https://10.0.0.7/");
        }),
        world.tampered(&wallet, |claims, _| drop(claims.remove("response_uri"))),
    ] {
        assert_eq!(refusal(refused).reply, None);
    }
}
