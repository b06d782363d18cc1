//! What a wallet's policy refuses, and what does not fit together.

use super::world::*;
use serde_json::json;
use vidimus_core::Encryption as _;
use vidimus_credential::jws::JwsError;
use vidimus_crypto::{Native, OsEntropy};
use vidimus_openid4vc::{
    jwe::{self, ContentEncryption, JweError, Parameters, Recipient},
    vp::*,
};

#[test]
fn a_client_that_nobody_knows_gets_nothing_anywhere_else() {
    let native = Native::new();
    let client = Client::redirect_uri(ask().response_uri);
    let (session, _) = Session::open(ask(), &client, &all_prefixes(), NOW, &native, &mut OsEntropy).unwrap();
    let wallet = wallet(all_prefixes());
    let Invocation::Plain(good) = session.plain_invocation() else {
        panic!("plain")
    };
    let read = |parameters: Members| {
        let link = Invocation::Plain(parameters).to_link(&WalletAddress::openid4vp());
        let Ok(Step::Received(received)) = wallet.start(Invocation::parse(&link).unwrap(), &native, &mut OsEntropy)
        else {
            panic!("it is in the link")
        };
        received.verify(&wallet, Trust::default(), NOW, &native).map(drop)
    };
    assert!(read(good.clone()).is_ok());
    let mut elsewhere = good.clone();
    put(&mut elsewhere, "response_uri", "https://airline.example.org/other");
    let refused = read(elsewhere).unwrap_err();
    assert_eq!((refused.error, refused.reply), (RequestError::ResponseHost, None));
    let mut implied = good.clone();
    implied.remove("response_uri");
    assert!(read(implied).is_ok(), "the client identifier says where (§5.9.3)");
    for (name, value) in [("dcql_query", "{"), ("client_metadata", "[]"), ("dcql_query", "x")] {
        let mut broken = good.clone();
        put(&mut broken, name, value);
        assert!(read(broken).is_err(), "{name}");
    }
}

#[test]
fn the_request_comes_from_the_clients_own_host() {
    let world = World::new();
    let (session, _) = world.open(ask());
    let wallet = wallet(Policy::haip());
    let invocation = session.invocation(endpoint("https://other.example.org/r"), RequestUriMethod::Get);
    let Ok(Step::Fetch(fetch)) = wallet.start(invocation, &world.native, &mut OsEntropy) else {
        panic!("fetched")
    };
    let object = world.object(&session, &RequestUriPost::default());
    let received = fetch
        .received(200, Some(REQUEST_TYPE), object.as_bytes(), &world.native)
        .unwrap();
    assert_eq!(
        refusal(world.verify(received, &wallet)).error,
        RequestError::RequestHost
    );
}

#[test]
fn policy_refuses_what_the_specification_would_allow() {
    let native = Native::new();
    let world = World::new();
    let start = |wallet: &Wallet, invocation: Invocation| {
        wallet
            .start(invocation, &native, &mut OsEntropy)
            .map(drop)
            .err()
            .unwrap()
    };
    let reference = |client_id: &str, uri: &str| Invocation::Reference {
        client_id: client_id.parse().unwrap(),
        request_uri: endpoint(uri),
        method: RequestUriMethod::Get,
    };
    let (haip, open) = (wallet(Policy::haip()), wallet(Policy::open()));
    let id = world.client.id().to_string();
    let uri = "https://airline.example.org/r";
    for (id, prefix) in [
        ("x509_san_dns:airline.example.org", Prefix::X509SanDns),
        (
            "decentralized_identifier:did:web:airline.example.org",
            Prefix::DecentralizedIdentifier,
        ),
        ("redirect_uri:https://airline.example.org/", Prefix::RedirectUri),
        ("airline", Prefix::PreRegistered),
    ] {
        assert_eq!(start(&haip, reference(id, uri)), RequestError::Prefix(prefix));
    }
    let everything = wallet(all_prefixes());
    assert_eq!(
        start(&everything, reference("airline", uri)),
        RequestError::Prefix(Prefix::PreRegistered),
        "no client is registered here"
    );
    assert_eq!(
        start(&everything, reference("redirect_uri:https://airline.example.org/", uri)),
        RequestError::Signed
    );
    let (session, _) = world.open(ask());
    let request = world.object(&session, &RequestUriPost::default());
    let value = Invocation::Value {
        client_id: session.client_id.clone(),
        request,
    };
    assert_eq!(start(&haip, value.clone()), RequestError::NotSigned);
    assert!(open.start(value, &native, &mut OsEntropy).is_ok());
    assert_eq!(start(&open, session.plain_invocation()), RequestError::NotSigned);
    for (uri, error) in [
        ("https://10.1.2.3/r", HostError::Inside),
        ("https://192.168.0.1/r", HostError::Inside),
        ("https://169.254.169.254/latest", HostError::Inside),
        ("https://[fd00::1]/r", HostError::Inside),
        ("https://[::ffff:127.0.0.1]/r", HostError::Inside),
        ("https://[64:ff9b::10.0.0.1]/r", HostError::Inside),
        ("https://0x0a000001/r", HostError::Inside),
        ("https://printer.local/r", HostError::Inside),
        ("https://intranet/r", HostError::Inside),
        ("https://127.0.0.1/r", HostError::Loopback),
        ("https://2130706433/r", HostError::Loopback),
        ("http://[::1]:8080/r", HostError::Loopback),
        ("http://localhost:8080/r", HostError::Loopback),
        ("https://wallet.localhost/r", HostError::Loopback),
    ] {
        assert_eq!(start(&haip, reference(&id, uri)), RequestError::Host(error), "{uri}");
        let home = wallet(Policy::haip().at_home());
        assert!(
            home.start(reference(&id, uri), &native, &mut OsEntropy).is_ok(),
            "{uri}"
        );
    }
    for uri in [
        "https://93.184.216.34/r",
        "https://[2606:2800:220:1::1]/r",
        "https://example.org./r",
    ] {
        assert!(
            haip.start(reference(&id, uri), &native, &mut OsEntropy).is_ok(),
            "{uri}"
        );
    }
}

#[test]
fn what_is_fetched_answers_the_fetch() {
    let world = World::new();
    let wallet = Wallet {
        encrypted_requests: true,
        ..wallet(Policy::haip())
    };
    let (session, _) = world.open(ask());
    let native = &world.native;
    let fetch = || {
        let invocation = session.invocation(request_uri(), RequestUriMethod::Post);
        match wallet.start(invocation, native, &mut OsEntropy).unwrap() {
            Step::Fetch(fetch) => fetch,
            Step::Received(_) => panic!("a reference is fetched"),
        }
    };
    let post = |fetch: &Fetch| RequestUriPost::parse(fetch.http().body.as_ref().unwrap().as_bytes()).unwrap();
    let take = |fetch: Fetch, body: &str| {
        fetch
            .received(200, Some(REQUEST_TYPE), body.as_bytes(), native)
            .map(drop)
    };
    let one = fetch();
    let body = world.object(&session, &post(&one));
    assert_eq!(take(one, &body), Ok(()));
    // Another fetch's answer: encrypted to another key.
    assert_eq!(take(fetch(), &body), Err(RequestError::Encryption(None)));
    // In plain text, where encryption was asked for.
    let one = fetch();
    let mut plain = post(&one);
    plain.metadata.recipient = None;
    assert_eq!(
        take(one, &world.object(&session, &plain)),
        Err(RequestError::Encryption(None))
    );
    // Encrypted as asked, and an old object inside.
    let one = fetch();
    let mut old = post(&one);
    old.wallet_nonce = Some("old".into());
    assert_eq!(take(one, &world.object(&session, &old)), Err(RequestError::WalletNonce));
    let one = fetch();
    let mut none = post(&one);
    none.wallet_nonce = None;
    assert_eq!(
        take(one, &world.object(&session, &none)),
        Err(RequestError::WalletNonce)
    );
    // Encrypted to a key of the same name that is another.
    let one = fetch();
    let mut wrong = post(&one);
    let private = jwe::generate_key(native, &mut OsEntropy).unwrap();
    wrong.metadata.recipient.as_mut().unwrap().key = native.p256_public(&private).unwrap();
    assert_eq!(
        take(one, &world.object(&session, &wrong)),
        Err(RequestError::Encryption(Some(JweError::Open)))
    );

    let get = || world.fetch(&wallet, &session.client_id.to_string()).unwrap();
    assert!(get().http().body.is_none());
    let object = world.object(&session, &RequestUriPost::default());
    for (status, media_type, body, error) in [
        (404, Some(REQUEST_TYPE), object.as_str(), RequestError::Fetch(404)),
        (302, Some(REQUEST_TYPE), &object, RequestError::Fetch(302)),
        (200, None, &object, RequestError::MediaType),
        (200, Some("application/json"), &object, RequestError::MediaType),
        (200, Some(REQUEST_TYPE), "", RequestError::Object(JwsError::Parts)),
        (200, Some(REQUEST_TYPE), "{}", RequestError::Object(JwsError::Parts)),
        (
            200,
            Some(REQUEST_TYPE),
            &"a".repeat(MAX_REQUEST + 1),
            RequestError::Object(JwsError::TooLarge(MAX_REQUEST)),
        ),
    ] {
        let refused = get().received(status, media_type, body.as_bytes(), native);
        assert_eq!(refused.map(drop), Err(error));
    }
    assert!(
        get()
            .received(
                200,
                Some("Application/OAuth-authz-req+JWT; charset=utf-8"),
                object.as_bytes(),
                native
            )
            .is_ok()
    );
    // Not asked to be encrypted, and is.
    let (key, kid) = (native.p256_public(&private).unwrap(), None);
    let jwe = jwe::encrypt(
        &Recipient { key, kid },
        ContentEncryption::A128Gcm,
        &Parameters::default(),
        object.as_bytes(),
        native,
        &mut OsEntropy,
    );
    assert_eq!(take(get(), &jwe.unwrap()), Err(RequestError::Object(JwsError::Parts)));
}

#[test]
fn a_response_that_does_not_answer_is_not_sent() {
    let world = World::new();
    let wallet = wallet(Policy::haip());
    let (session, _) = world.open(ask());
    let incoming = world.receive(&wallet, &session, RequestUriMethod::Get).unwrap();
    let text = |count: usize| vec![Presentation::Text("eyJ~".into()); count];
    for token in [
        VpToken::new(),
        VpToken::new().with("other", text(1)),
        VpToken::new().with("test", text(0)),
        VpToken::new().with("test", text(2)),
        VpToken::new().with("test", text(1)).with("test", text(1)),
    ] {
        assert!(matches!(
            incoming.present(&token, NOW, &world.native, &mut OsEntropy),
            Err(PresentError::Token(TokenError::Answer(_)))
        ));
    }
    assert_eq!(
        incoming.present(&token(), NOW.plus(300), &world.native, &mut OsEntropy),
        Err(PresentError::Expired)
    );
}

#[test]
fn a_browser_is_not_sent_everywhere() {
    let wallet = wallet(Policy::haip());
    let redirect = |uri: &str| wallet.acknowledged(200, json!({"redirect_uri": uri}).to_string().as_bytes());
    assert!(redirect("https://airline.example.org/done#code=1").is_ok());
    for uri in [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "http://airline.example.org/",
        "https://a:b@airline.example.org/",
        "https://10.0.0.1/",
        "http://localhost/",
        "//airline.example.org",
        "/done",
        "",
        "https://airline.example.org/ x",
    ] {
        assert_eq!(redirect(uri), Err(AcknowledgeError::Redirect), "{uri}");
    }
    assert_eq!(wallet.acknowledged(200, b"[]"), Err(AcknowledgeError::Malformed));
    assert_eq!(wallet.acknowledged(200, b""), Err(AcknowledgeError::Malformed));
    assert_eq!(
        wallet.acknowledged(200, br#"{"redirect_uri": 1}"#),
        Err(AcknowledgeError::Malformed)
    );
    assert_eq!(wallet.acknowledged(400, b"{}"), Err(AcknowledgeError::Status(400)));
}
