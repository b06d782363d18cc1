//! Requests that somebody else signed, or signed with something else.

use super::world::*;
use serde_json::{Value, json};
use vidimus_core::encoding;
use vidimus_credential::x509::{Certificate, CertificateError};
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};
use vidimus_openid4vc::vp::*;

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

/// Others' authorities have authorities below them, and their certificates say what they are for: each case of the file has its outcome.
#[test]
fn certificates_under_a_foreign_hierarchy_have_their_outcome() {
    let file: Value = serde_json::from_str(include_str!("../../../../../vectors/vp/hierarchy.json")).unwrap();
    let der = |text: &Value| encoding::from_base64(text.as_str().unwrap()).unwrap();
    let key = encoding::from_hex(file["key"].as_str().unwrap()).unwrap();
    let key = SigningKey::from_bytes(KeyKind::P256, &key).unwrap();
    let roots = [Certificate::from_der(&der(&file["root"])).unwrap()];
    let (native, wallet) = (Native::new(), wallet(Policy::haip()));
    let policy = Policy {
        bound_hosts: false,
        ..Policy::haip()
    };
    for case in file["cases"].as_array().unwrap() {
        let chain = case["x5c"].as_array().unwrap().iter().map(der).collect();
        let client = Client::x509_hash(chain, &native).unwrap();
        let (session, _) = Session::open(ask(), &client, &policy, NOW, &native, &mut OsEntropy).unwrap();
        let signer = (&key as &dyn vidimus_core::Signer, vidimus_core::Algorithm::Es256);
        let post = RequestUriPost::default();
        let object = session.request_object(&client, signer, &post, NOW, &native, &mut OsEntropy);
        let invocation = session.invocation(request_uri(), RequestUriMethod::Get);
        let Ok(Step::Fetch(fetch)) = wallet.start(invocation, &native, &mut OsEntropy) else {
            panic!("fetched")
        };
        let trust = Trust {
            roots: &roots,
            keys: &[],
        };
        let outcome = fetch
            .received(200, Some(REQUEST_TYPE), object.unwrap().as_bytes(), &native)
            .unwrap()
            .verify(&wallet, trust, NOW, &native);
        let found = match outcome.map_err(|refused| refused.error) {
            Ok(_) => "accepted",
            Err(RequestError::Usage) => "usage",
            Err(RequestError::ResponseHost) => "host",
            Err(RequestError::Certificate(CertificateError::Issuer)) => "issuer",
            Err(RequestError::Certificate(CertificateError::CriticalExtension)) => "critical",
            Err(other) => panic!("{}: {other:?}", case["name"]),
        };
        assert_eq!(found, case["expected"], "{}", case["name"]);
    }
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
