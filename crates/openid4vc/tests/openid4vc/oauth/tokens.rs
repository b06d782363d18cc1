//! Access tokens, secrets and what comes back from a browser.

use super::world::{Seeded, issuer};
use vidimus_openid4vc::oauth::{
    ErrorCode, ErrorResponse, Opaque,
    access::{AccessError, AccessToken},
    authorization::{AuthorizationResponse, AuthorizationStart, PushedResponse, ResponseError},
    pkce,
    token::TokenType,
};

#[test]
fn an_access_token_is_presented_as_it_was_given_out() {
    let bearer = AccessToken::parse(&["bearer abc"]).unwrap();
    let bound = AccessToken::parse(&["DPoP abc"]).unwrap();
    assert_eq!(bearer.to_header(), "Bearer abc");
    assert!(bearer.check_binding(None, None).is_ok());
    assert!(bound.check_binding(Some("k"), Some("k")).is_ok());
    for (token, key, proof) in [
        (&bearer, Some("k"), None),
        (&bearer, Some("k"), Some("k")),
        (&bound, Some("k"), Some("other")),
        (&bound, Some("k"), None),
        (&bound, None, Some("k")),
    ] {
        assert_eq!(token.check_binding(key, proof), Err(AccessError::Binding));
    }
    for (headers, why) in [
        (&[][..], AccessError::Missing),
        (&["Bearer a", "Bearer a"], AccessError::Malformed),
        (&["Bearer"], AccessError::Malformed),
        (&["Bearer "], AccessError::Malformed),
        (&["Basic YTpi"], AccessError::Malformed),
        (&["Bearer a b"], AccessError::Malformed),
        (&["Bearer a,b"], AccessError::Malformed),
        (&["Bearer \u{e9}"], AccessError::Malformed),
    ] {
        assert_eq!(AccessToken::parse(headers), Err(why), "{headers:?}");
    }
    assert_eq!(AccessError::Missing.code(), None);
    assert_eq!(AccessError::Binding.code(), Some(ErrorCode::InvalidToken));
    assert_eq!(TokenType::from_name("mac"), None);
}

#[test]
fn secrets_are_random_equal_only_to_themselves_and_hidden() {
    let entropy = &mut Seeded(1);
    let (one, two) = (Opaque::generate(entropy), Opaque::generate(entropy));
    assert_eq!(one.expose().len(), 43);
    assert!(one == one.clone() && one != two && one != Opaque::new(""));
    assert!(!format!("{one:?}").contains(&one.expose()[..8]));
}

#[test]
fn pkce_is_as_rfc_7636_has_it() {
    use vidimus_crypto::Native;
    let verifier = Opaque::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let challenge = pkce::Challenge::of(&verifier, &Native::new());
    assert_eq!(challenge.as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let fresh = pkce::generate_verifier(&mut Seeded(2));
    assert!(pkce::Challenge::of(&fresh, &Native::new()).matches(&fresh, &Native::new()));
    assert!(!challenge.matches(&fresh, &Native::new()));
    for wrong in [
        "a".repeat(42),
        "a".repeat(129),
        format!("{}+", "a".repeat(43)),
        String::new(),
    ] {
        let wrong = Opaque::new(wrong);
        assert!(!pkce::Challenge::of(&wrong, &Native::new()).matches(&wrong, &Native::new()));
    }
}

#[test]
fn what_a_browser_brings_names_a_pushed_request_and_nothing_else_counts() {
    let name = Opaque::generate(&mut Seeded(3));
    let pushed = PushedResponse::new(&name, 60);
    let endpoint = "https://health.example/authorize?tenant=1".parse().unwrap();
    let location = AuthorizationStart::location(&endpoint, "wallet", &pushed);
    let query = location.split_once('?').unwrap().1;
    assert!(query.starts_with("tenant=1&client_id=wallet&request_uri="));
    let start = AuthorizationStart::parse(&format!("{query}&scope=more&redirect_uri=https://evil.example")).unwrap();
    assert_eq!((start.client_id.as_str(), &start.request), ("wallet", &name));
    for query in [
        "",
        "client_id=wallet",
        "request_uri=urn:ietf:params:oauth:request_uri:x",
        "client_id=wallet&request_uri=https://evil.example/request",
        "client_id=wallet&request_uri=urn:ietf:params:oauth:request_uri:",
        "client_id=wallet&client_id=w&request_uri=urn:ietf:params:oauth:request_uri:x",
    ] {
        assert!(AuthorizationStart::parse(query).is_err(), "{query}");
    }
}

#[test]
fn a_refusal_comes_back_with_state_and_issuer_and_as_plain_text() {
    let state = Opaque::new("af0ifjsldkj");
    let refused = AuthorizationResponse::Refused {
        error: "access_denied".into(),
        description: Some("not now".into()),
    };
    let back = refused.location("org.example.wallet://cb?x=1", Some(state.expose()), &issuer());
    let query = back.strip_prefix("org.example.wallet://cb?x=1&").unwrap();
    assert_eq!(
        AuthorizationResponse::parse(query, &state, &issuer(), true),
        Ok(refused)
    );
    let hostile = query.replace("access_denied", "%3Cscript%3E%22%0A");
    let AuthorizationResponse::Refused { error, .. } =
        AuthorizationResponse::parse(&hostile, &state, &issuer(), true).unwrap()
    else {
        panic!("expected a refusal")
    };
    assert_eq!(error, "<script>'?");
    let other = AuthorizationResponse::parse(query, &Opaque::new("other"), &issuer(), true);
    assert_eq!(other, Err(ResponseError::State));
}

#[test]
fn descriptions_hold_no_character_that_they_must_not() {
    let response = ErrorResponse::new("invalid_request", &format!("a \"b\" \\ ü\n{}", "x".repeat(400)));
    let text = response.error_description.unwrap();
    assert!(text.starts_with("a 'b' / ??xxx") && text.len() == 300);
    assert_eq!(response.error, ErrorCode::InvalidRequest.name());
    for code in [
        "invalid_dpop_proof",
        "use_attestation_challenge",
        "use_fresh_attestation",
        "invalid_client_attestation",
    ] {
        assert_eq!(ErrorCode::from_name(code).unwrap().name(), code);
    }
    assert_eq!(ErrorCode::from_name("Invalid_Request"), None);
}
