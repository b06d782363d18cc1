//! What the traveller's wallet refuses, and with which code.

use super::world::*;
use serde_json::{Map, Value, json};
use vidimus_core::{Encryption as _, encoding};
use vidimus_credential::{
    jws::JwsError,
    x509::{Certificate, CertificateError},
};
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};
use vidimus_openid4vc::{
    dcql::QueryError,
    jwe::{self, ContentEncryption, JweError, Parameters, Recipient},
    vp::*,
};

type Members = Map<String, Value>;

fn put(members: &mut Members, name: &str, value: impl Into<Value>) {
    members.insert(name.to_owned(), value.into());
}

fn refusal(result: Result<Verified<Incoming>, Refusal>) -> Refusal {
    result.expect_err("refused")
}

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

#[test]
fn signed_by_another_key_or_for_another_certificate() {
    let world = World::new();
    let wallet = wallet(Policy::haip());
    let (session, _) = world.open(ask());
    let id = session.client_id.to_string();
    let object = world.object(&session, &RequestUriPost::default());
    let error = |client_id: &str, object: &str| refusal(world.deliver(&wallet, client_id, object)).error;
    assert!(world.deliver(&wallet, &id, &object).is_ok());

    // A thief who has the certificate, and not its key.
    let thief = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let parsed = vidimus_credential::jws::Jws::parse(&object, 1 << 20).unwrap();
    let (header, claims) = (parsed.header_members(), parsed.claims().unwrap());
    assert_eq!(error(&id, &sign(&thief, &header, &claims)), RequestError::Signature);
    // A thief with a certificate of their own, under the airline's name.
    let own = access(&world.authority, vidimus_core::Signer::public_key(&thief), &[HOST]);
    let mut header = header;
    put(&mut header, "x5c", json!([encoding::base64(&own)]));
    assert_eq!(
        error(&id, &sign(&thief, &header, &claims)),
        RequestError::OtherCertificate
    );
    // One with an authority of their own.
    let mut other = World::new();
    other.key = thief;
    let foreign = access(&other.authority, vidimus_core::Signer::public_key(&other.key), &[HOST]);
    put(&mut header, "x5c", json!([encoding::base64(&foreign)]));
    let foreign_id = format!("x509_hash:{}", hash_of(&foreign));
    let mut own_claims = claims.clone();
    put(&mut own_claims, "client_id", foreign_id.clone());
    assert_eq!(
        error(&foreign_id, &sign(&other.key, &header, &own_claims)),
        RequestError::Certificate(CertificateError::Issuer)
    );
    // The trust anchor in the chain, or a self-signed certificate (HAIP 1.0 §5).
    let root = world.authority.certificate().to_vec();
    for chain in [vec![&world.leaf, &root], vec![&root]] {
        let chain: Vec<String> = chain.iter().map(|der| encoding::base64(der)).collect();
        put(&mut header, "x5c", json!(chain));
        assert_eq!(
            error(&id, &sign(&world.key, &header, &claims)),
            RequestError::Certificate(CertificateError::Chain)
        );
    }
    // Each changed character, wherever it is.
    for at in (0..object.len()).step_by(7) {
        let mut changed = object.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(world.deliver(&wallet, &id, &changed).is_err(), "character {at}");
    }
}

#[test]
fn certificates_that_are_for_something_else() {
    let world = World::new();
    let wallet = wallet(Policy::haip());
    let (key, native) = (&world.key, &world.native);
    let public = vidimus_core::Signer::public_key(key);
    let signer = world
        .authority
        .issue_status_signer(public, &subject("Lists"), validity(90), NOW, &mut OsEntropy)
        .unwrap();
    let parsed = Certificate::from_der(&signer).unwrap();
    assert!(!parsed.extended_key_usage.is_empty());
    let other = World {
        client: Client::x509_hash(vec![signer.clone()], native).unwrap(),
        policy: Policy {
            bound_hosts: false,
            ..Policy::haip()
        },
        key: SigningKey::from_bytes(KeyKind::P256, key.expose_bytes().expose()).unwrap(),
        ..World::new()
    };
    let (session, _) = other.open(ask());
    let object = other.object(&session, &RequestUriPost::default());
    let refused = refusal(world.deliver(&wallet, &session.client_id.to_string(), &object));
    assert_eq!(refused.error, RequestError::Usage);
    // Expired.
    let (session, _) = world.open(ask());
    let object = world.object(&session, &RequestUriPost::default());
    let fetch = world.fetch(&wallet, &session.client_id.to_string()).unwrap();
    let received = fetch
        .received(200, Some(REQUEST_TYPE), object.as_bytes(), native)
        .unwrap();
    let roots = world.roots();
    let trust = Trust {
        roots: &roots,
        keys: &[],
    };
    let late = received.verify(&wallet, trust, NOW.plus(91 * DAY), native);
    assert_eq!(
        refusal(late).error,
        RequestError::Certificate(CertificateError::Validity)
    );
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
fn a_dns_client_is_what_its_certificate_names() {
    let mut world = World::new();
    world.policy = Policy::open();
    let wallet = wallet(Policy {
        bound_hosts: false,
        ..Policy::open()
    });
    let both = access(
        &world.authority,
        vidimus_core::Signer::public_key(&world.key),
        &[HOST, "other.example.org"],
    );
    world.client = Client::x509_san_dns(HOST, vec![both]).unwrap();
    let own = format!("x509_san_dns:{HOST}");
    assert!(world.tampered(&wallet, |_, _| {}).is_ok());
    // §5.9.3: the response goes to the very name, though the certificate has another one too.
    let elsewhere = world.tampered(&wallet, |claims, _| {
        put(claims, "response_uri", "https://other.example.org/");
    });
    assert_eq!(refusal(elsewhere).error, RequestError::ResponseHost);
    let (session, _) = world.open(ask());
    let object = world.object(&session, &RequestUriPost::default());
    let parsed = vidimus_credential::jws::Jws::parse(&object, 1 << 20).unwrap();
    let (header, mut claims) = (parsed.header_members(), parsed.claims().unwrap());
    let stranger = "x509_san_dns:stranger.example.org";
    put(&mut claims, "client_id", stranger);
    let object = sign(&world.key, &header, &claims);
    assert_eq!(
        refusal(world.deliver(&wallet, stranger, &object)).error,
        RequestError::OtherCertificate
    );
    assert_eq!(
        refusal(world.deliver(&wallet, &own, &object)).error,
        RequestError::OtherClient
    );
}

#[test]
fn a_did_client_signs_with_the_key_its_header_names() {
    let native = Native::new();
    let wallet = wallet(Policy::open());
    let key = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let did = "did:web:airline.example.org";
    let client = Client::did(did, &format!("{did}#k1")).unwrap();
    let (session, _) = Session::open(ask(), &client, &Policy::open(), NOW, &native, &mut OsEntropy).unwrap();
    let post = RequestUriPost::default();
    let signer = (&key as &dyn vidimus_core::Signer, vidimus_core::Algorithm::Es256);
    let object = session
        .request_object(&client, signer, &post, NOW, &native, &mut OsEntropy)
        .unwrap();
    let parsed = vidimus_credential::jws::Jws::parse(&object, 1 << 20).unwrap();
    let (header, claims) = (parsed.header_members(), parsed.claims().unwrap());
    let own = [DidKey::Key(vidimus_core::Signer::public_key(&key).clone())];
    let other = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let other = [DidKey::Key(vidimus_core::Signer::public_key(&other).clone())];
    let account = [DidKey::Account(vidimus_core::Address([7; 20]))];
    let read = |header: &Members, keys: &[DidKey]| {
        let request = sign(&key, header, &claims);
        let invocation = Invocation::Value {
            client_id: client.id().clone(),
            request,
        };
        let Ok(Step::Received(received)) = wallet.start(invocation, &native, &mut OsEntropy) else {
            panic!("it is in the link")
        };
        received
            .verify(&wallet, Trust { roots: &[], keys }, NOW, &native)
            .map(|incoming| incoming.who.clone())
            .map_err(|refused| refused.error)
    };
    assert!(read(&header, &own).is_ok());
    assert_eq!(read(&header, &[]), Err(RequestError::Key));
    assert_eq!(read(&header, &other), Err(RequestError::Signature));
    assert_eq!(read(&header, &account), Err(RequestError::Signature));
    for kid in [
        json!("did:web:thief.example.org#k1"),
        json!("k1"),
        json!(did),
        json!("did:web:airline.example.org#"),
        json!("did:web:airline.example.org.thief.example#k1"),
    ] {
        let mut header = header.clone();
        put(&mut header, "kid", kid.clone());
        assert_eq!(read(&header, &own), Err(RequestError::Key), "{kid}");
    }
    let mut bare = header.clone();
    bare.remove("kid");
    assert_eq!(read(&bare, &own), Err(RequestError::Key));
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
