//! Client identifiers and addresses.

use proptest::prelude::*;
use vidimus_openid4vc::vp::*;

#[test]
fn identifiers_of_the_specification_read_back() {
    for (text, prefix) in [
        (
            "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk",
            Prefix::X509Hash,
        ),
        ("x509_san_dns:client.example.org", Prefix::X509SanDns),
        (
            "decentralized_identifier:did:example:123",
            Prefix::DecentralizedIdentifier,
        ),
        ("redirect_uri:https://client.example.org/cb", Prefix::RedirectUri),
        ("example-client", Prefix::PreRegistered),
    ] {
        let id: ClientId = text.parse().unwrap();
        assert_eq!((id.to_string().as_str(), id.prefix()), (text, prefix));
        assert_eq!(
            serde_json::from_str::<ClientId>(&serde_json::to_string(&id).unwrap()).unwrap(),
            id
        );
    }
}

#[test]
fn identifiers_that_are_none() {
    use ClientIdError::{Content, Malformed};
    let long = "a".repeat(3000);
    for (text, error) in [
        ("", Malformed),
        ("a b", Malformed),
        ("client\u{e9}", Malformed),
        (&long, Malformed),
        ("https://client.example.org", ClientIdError::Prefix),
        ("verifier_attestation:verifier.example", ClientIdError::Prefix),
        (
            "openid_federation:https://federation.example.com",
            ClientIdError::Prefix,
        ),
        ("origin:https://verifier.example.com/", ClientIdError::Prefix),
        (
            "X509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk",
            ClientIdError::Prefix,
        ),
        ("did:example:123", ClientIdError::Prefix),
        (":", ClientIdError::Prefix),
        ("x509_hash:", Content(Prefix::X509Hash)),
        (
            "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk=",
            Content(Prefix::X509Hash),
        ),
        (
            "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszl",
            Content(Prefix::X509Hash),
        ),
        ("x509_hash:AAAA", Content(Prefix::X509Hash)),
        ("x509_san_dns:", Content(Prefix::X509SanDns)),
        ("x509_san_dns:*.example.org", Content(Prefix::X509SanDns)),
        ("x509_san_dns:client.example.org:443", Content(Prefix::X509SanDns)),
        ("x509_san_dns:client..org", Content(Prefix::X509SanDns)),
        ("x509_san_dns:https://client.example.org", Content(Prefix::X509SanDns)),
        (
            "decentralized_identifier:client",
            Content(Prefix::DecentralizedIdentifier),
        ),
        (
            "decentralized_identifier:did:web",
            Content(Prefix::DecentralizedIdentifier),
        ),
        (
            "decentralized_identifier:did:web:a#k",
            Content(Prefix::DecentralizedIdentifier),
        ),
        (
            "decentralized_identifier:did:web:a?x=1",
            Content(Prefix::DecentralizedIdentifier),
        ),
        (
            "decentralized_identifier:did:WEB:a",
            Content(Prefix::DecentralizedIdentifier),
        ),
        (
            "redirect_uri:http://client.example.org/cb",
            Content(Prefix::RedirectUri),
        ),
        ("redirect_uri:client", Content(Prefix::RedirectUri)),
    ] {
        assert_eq!(text.parse::<ClientId>(), Err(error), "{text}");
    }
}

#[test]
fn addresses_that_no_wallet_is_asked_at() {
    for text in [
        "",
        "openid4vp",
        "openid4vp:",
        "://",
        "javascript://x",
        "data://x",
        "file:///etc",
        "http://wallet.example.org",
        "https://a:b@wallet.example.org",
        "https://wallet.example.org/#x",
        "OpenID4VP://",
        "openid4vp://a b",
        "openid4vp://?x=1",
        "1wallet://",
    ] {
        assert!(text.parse::<WalletAddress>().is_err(), "{text}");
    }
    assert_eq!(WalletAddress::openid4vp(), "openid4vp://".parse().unwrap());
    let address: WalletAddress = serde_json::from_str("\"haip-vp://\"").unwrap();
    assert_eq!(address, WalletAddress::haip());
}

#[test]
fn links_that_are_no_requests() {
    let id = "client_id=x509_san_dns%3Aa.example";
    let uri = "request_uri=https%3A%2F%2Fa.example%2Fr";
    for (query, error) in [
        ("".to_owned(), RequestError::Missing("client_id")),
        (uri.into(), RequestError::Missing("client_id")),
        (
            format!("client_id=unknown%3Ax&{uri}"),
            RequestError::ClientId(ClientIdError::Prefix),
        ),
        (
            format!("{id}&{uri}&request=eyJ"),
            RequestError::Both("request", "request_uri"),
        ),
        (format!("{id}&{uri}&request_uri_method=POST"), RequestError::Method),
        (format!("{id}&{uri}&request_uri_method=put"), RequestError::Method),
        (
            format!("{id}&request_uri_method=post"),
            RequestError::Missing("request_uri"),
        ),
        (
            format!("{id}&request=eyJ&request_uri_method=get"),
            RequestError::Missing("request_uri"),
        ),
        (
            format!("{id}&request_uri=http%3A%2F%2Fa.example"),
            RequestError::Form("request_uri"),
        ),
        (
            format!("{id}&request_uri=file%3A%2F%2F%2Fetc"),
            RequestError::Form("request_uri"),
        ),
        (
            format!("{id}&{id}&{uri}"),
            RequestError::Parameters(vidimus_openid4vc::oauth::FormError::Duplicate),
        ),
        (
            format!("{id}&{uri}&x=%2"),
            RequestError::Parameters(vidimus_openid4vc::oauth::FormError::Encoding),
        ),
    ] {
        assert_eq!(
            Invocation::parse(&format!("openid4vp://?{query}")),
            Err(error),
            "{query}"
        );
    }
    for link in [
        "",
        "openid4vp://",
        "text",
        "openid4vp",
        &format!("openid4vp://?{}", "a".repeat(MAX_REQUEST)),
    ] {
        assert_eq!(Invocation::parse(link), Err(RequestError::Link));
    }
    assert_eq!(RequestError::Method.code(), ErrorCode::InvalidRequestUriMethod);
}

proptest! {
    #[test]
    fn any_identifier_reads_back_or_is_refused(text in "(x509_hash|x509_san_dns|decentralized_identifier|redirect_uri|x)?:?[a-zA-Z0-9:/._#-]{0,60}|\\PC{0,40}") {
        if let Ok(id) = text.parse::<ClientId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn any_link_reads_back_or_is_refused(text in "(openid4vp|https)://a?\\?(client_id=[a-z:0-9%]{0,20}&)?(request(_uri)?=[a-zA-Z0-9%:/]{0,30}&?)?[a-z=&%0-9]{0,30}") {
        if let Ok(invocation) = Invocation::parse(&text) {
            let link = invocation.to_link(&WalletAddress::haip());
            prop_assert_eq!(Invocation::parse(&link), Ok(invocation));
        }
    }

    #[test]
    fn inside_is_what_is_not_outside(a: u8, b: u8, c: u8, d: u8) {
        let url = format!("https://{a}.{b}.{c}.{d}/").parse().unwrap();
        let address = std::net::Ipv4Addr::new(a, b, c, d);
        if address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast()
            || address.is_broadcast() || address.is_unspecified() || address.is_documentation() {
            prop_assert!(is_inside(&url));
        }
        let mapped = format!("https://[::ffff:{a}.{b}.{c}.{d}]/").parse().unwrap();
        prop_assert!(is_inside(&mapped));
    }
}

#[test]
fn policies_are_read_from_configuration() {
    let text = serde_json::to_string(&Policy::haip()).unwrap();
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), Policy::haip());
    assert!(text.contains("\"x509_hash\""));
    assert!(serde_json::from_str::<Policy>(&text.replace("loopback", "loop")).is_err());
}
