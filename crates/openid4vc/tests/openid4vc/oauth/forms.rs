//! Forms, URLs and scopes.

use proptest::prelude::*;
use vidimus_openid4vc::oauth::{
    Endpoint, Form, Identifier, Scope, UriError,
    form::{FormError, MAX_FORM},
};

#[test]
fn a_form_reads_back_and_hides_its_values() {
    let form = Form::new()
        .with("code", "a b+c&d=é%")
        .with_some("state", None)
        .with("iss", "https://x/");
    let read = Form::parse(form.encode().as_bytes()).unwrap();
    assert_eq!(read, form);
    assert_eq!(read.get("code"), Some("a b+c&d=é%"));
    assert!(!format!("{read:?}").contains("é"));
}

#[test]
fn a_parameter_without_a_value_is_absent() {
    let form = Form::parse(b"a=&b&c=1").unwrap();
    assert_eq!((form.get("a"), form.get("b"), form.get("c")), (None, None, Some("1")));
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let many = (0..65).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
    for (text, why) in [
        ("code=1&code=2", FormError::Duplicate),
        ("code=1&code=", FormError::Duplicate),
        ("code=1&c%6fde=2", FormError::Duplicate),
        ("code=%", FormError::Encoding),
        ("code=%4", FormError::Encoding),
        ("code=%zz", FormError::Encoding),
        ("code=%ff", FormError::Encoding),
        (many.as_str(), FormError::TooMany),
        (" ".repeat(MAX_FORM + 1).as_str(), FormError::TooLarge),
    ] {
        assert_eq!(
            Form::parse(text.as_bytes()),
            Err(why),
            "{}",
            &text[..text.len().min(40)]
        );
    }
}

#[test]
fn identifiers_are_https_without_query_or_fragment() {
    for good in [
        "https://a.example",
        "https://a.example/",
        "https://a.example:8443/x/y",
        "http://127.0.0.1:80",
        "http://[::1]/",
        "http://localhost:1/x",
    ] {
        assert_eq!(Identifier::new(good).unwrap().as_str(), good);
    }
    for (bad, why) in [
        ("", UriError::Malformed),
        ("a.example", UriError::Malformed),
        ("https://", UriError::Malformed),
        ("https://a.example /", UriError::Malformed),
        ("http://a.example", UriError::Scheme),
        ("http://127.0.0.1.a.example", UriError::Scheme),
        ("http://localhost.a.example", UriError::Scheme),
        ("javascript:alert(1)", UriError::Scheme),
        ("file:///etc/passwd", UriError::Scheme),
        ("https://u@a.example", UriError::User),
        ("https://u:p@a.example", UriError::User),
        ("https://a.example?x", UriError::Component),
        ("https://a.example#x", UriError::Component),
    ] {
        assert_eq!(Identifier::new(bad).unwrap_err(), why, "{bad}");
    }
    assert!(Endpoint::new("https://a.example/x?y=1").is_ok());
    assert!(Endpoint::new("https://a.example/x#y").is_err());
    assert!(Identifier::new(format!("https://a.example/{}", "x".repeat(2048))).is_err());
}

#[test]
fn well_known_documents_stand_between_host_and_path() {
    for (issuer, location) in [
        (
            "https://issuer.example.com/tenant",
            "https://issuer.example.com/.well-known/openid-credential-issuer/tenant",
        ),
        (
            "https://tenant.issuer.example.com",
            "https://tenant.issuer.example.com/.well-known/openid-credential-issuer",
        ),
        (
            "https://issuer.example.com/",
            "https://issuer.example.com/.well-known/openid-credential-issuer",
        ),
        (
            "https://issuer.example.com/a/b/",
            "https://issuer.example.com/.well-known/openid-credential-issuer/a/b",
        ),
        (
            "http://127.0.0.1:8080/a",
            "http://127.0.0.1:8080/.well-known/openid-credential-issuer/a",
        ),
    ] {
        let issuer = Identifier::new(issuer).unwrap();
        assert_eq!(issuer.well_known("openid-credential-issuer").as_str(), location);
    }
}

#[test]
fn scopes_are_read_as_rfc_6749_writes_them() {
    let scope = Scope::parse("b a b").unwrap();
    assert_eq!(scope.to_string(), "b a");
    assert!(scope.contains("a") && !scope.contains(""));
    for bad in ["", " a", "a  b", "a\"b", "a\\b", "ä", "a\tb"] {
        assert!(Scope::parse(bad).is_none(), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_form_reads_back(pairs in proptest::collection::btree_map("\\PC{1,12}", "\\PC{1,40}", 0..20)) {
        let form = pairs.iter().fold(Form::new(), |form, (name, value)| form.with(name, value));
        prop_assert_eq!(Form::parse(form.encode().as_bytes()).unwrap(), form);
    }

    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Form::parse(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = (Identifier::new(text.as_ref()), Endpoint::new(text.as_ref()), Scope::parse(&text));
    }
}
