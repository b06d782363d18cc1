//! Flows that work.

use super::world::*;
use serde_json::json;
use vidimus_core::{Algorithm, Signer as _};
use vidimus_credential::jws::Jws;
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};
use vidimus_openid4vc::{
    jwe::{ContentEncryption, Jwe},
    oauth::Form,
    vp::*,
};

#[test]
fn the_airline_asks_and_the_traveller_presents() {
    for method in [RequestUriMethod::Get, RequestUriMethod::Post] {
        for encrypted_requests in [false, true] {
            let world = World::new();
            let wallet = Wallet {
                encrypted_requests,
                ..wallet(Policy::haip())
            };
            let mut ask = ask();
            ask.verifier_info = vec![statement().to_info(world.client.id())];
            let (session, private) = world.open(ask);
            let incoming = world.receive(&wallet, &session, method).unwrap();
            let Who::Certificate(leaf) = &incoming.who else {
                panic!("known by its certificate")
            };
            assert!(leaf.subject.contains("Airline"));
            assert_eq!(incoming.statement, Some(statement()));
            assert_eq!(incoming.request.nonce, session.nonce);
            assert_eq!(incoming.request.query, session.query);
            assert_eq!(&incoming.request.client_id, world.client.id());

            let post = incoming.present(&token(), NOW, &world.native, &mut OsEntropy).unwrap();
            assert_eq!(post.url, session.response_uri);
            let body = post.body.unwrap();
            let posted = world.posted(&body);
            assert_eq!(posted.session_key(), SessionKey::Kid(session.kid.as_deref().unwrap()));
            let answer = posted
                .read(&session, private.as_ref(), NOW.plus(20), &world.native)
                .unwrap();
            assert_eq!(answer, Answer::Presented(token()));
            // A256GCM where both are listed (HAIP 1.0 §5).
            let response = Form::parse(body.as_bytes()).unwrap();
            let jwe = Jwe::parse(response.get("response").unwrap(), MAX_RESPONSE).unwrap();
            assert_eq!(jwe.encryption(), ContentEncryption::A256Gcm);
        }
    }
}

#[test]
fn the_request_object_says_what_the_specification_asks() {
    let world = World::new();
    let (session, _) = world.open(ask());
    let post = RequestUriPost {
        wallet_nonce: Some("qPmxiNFCR3QTm19POc8u".into()),
        ..RequestUriPost::default()
    };
    let object = world.object(&session, &post);
    let jws = Jws::parse(&object, 1 << 20).unwrap();
    assert!(jws.header().is_type("oauth-authz-req+jwt"));
    assert_eq!(jws.header().algorithm, Algorithm::Es256);
    assert_eq!(jws.header().x5c, std::slice::from_ref(&world.leaf));
    let claims = jws.claims().unwrap();
    assert_eq!(claims["aud"], "https://self-issued.me/v2");
    assert_eq!(claims["client_id"], format!("x509_hash:{}", hash_of(&world.leaf)));
    assert_eq!(claims["response_type"], "vp_token");
    assert_eq!(claims["response_mode"], "direct_post.jwt");
    assert_eq!(claims["wallet_nonce"], "qPmxiNFCR3QTm19POc8u");
    assert_eq!(claims["exp"], NOW.plus(300).0);
    let metadata = &claims["client_metadata"];
    assert_eq!(
        metadata["encrypted_response_enc_values_supported"],
        json!(["A256GCM", "A128GCM"])
    );
    let jwk = &metadata["jwks"]["keys"][0];
    for (name, value) in [("kty", "EC"), ("crv", "P-256"), ("use", "enc"), ("alg", "ECDH-ES")] {
        assert_eq!(jwk[name], value);
    }
    assert_eq!(jwk["kid"], session.kid.as_deref().unwrap());
    assert!(jwk.get("d").is_none());
    assert!(metadata["vp_formats_supported"]["dc+sd-jwt"].is_object());
    for (one, other) in [
        (&session.nonce, &session.state),
        (&session.state, session.kid.as_ref().unwrap()),
    ] {
        assert!(one.len() >= 43 && one != other);
    }
    let (again, _) = world.open(ask());
    assert_ne!(again.encryption_key, session.encryption_key, "a key for each request");
    assert_ne!(again.nonce, session.nonce);
}

#[test]
fn a_session_is_kept_as_json() {
    let world = World::new();
    let mut ask = ask();
    ask.return_uri = Some(endpoint("https://airline.example.org/done?flight=17"));
    let (session, _) = world.open(ask);
    let text = serde_json::to_string(&session).unwrap();
    assert_eq!(serde_json::from_str::<Session>(&text).unwrap(), session);
}

#[test]
fn on_the_same_device_the_browser_brings_the_code() {
    let world = World::new();
    let (session, _) = world.open(Ask {
        return_uri: Some(endpoint("https://airline.example.org/done?flight=17")),
        ..ask()
    });
    let (code, body) = session.acknowledge(&mut OsEntropy);
    let code = code.unwrap();
    let wallet = wallet(Policy::haip());
    let uri = wallet.acknowledged(200, body.as_bytes()).unwrap().unwrap();
    assert_eq!(
        uri,
        format!(
            "https://airline.example.org/done?flight=17&response_code={}",
            code.expose()
        )
    );
    assert!(code.expose().len() >= 43);
    assert_ne!(session.acknowledge(&mut OsEntropy).0, Some(code));
    let (across, _) = world.open(ask());
    let (none, body) = across.acknowledge(&mut OsEntropy);
    assert_eq!(none, None);
    assert_eq!(wallet.acknowledged(200, body.as_bytes()), Ok(None));
    let fragment = br##"{"redirect_uri": "https://client.example.org/cb#response_code=091535f699ea575c7937fa5f0f454aee", "x": 1}"##;
    assert!(wallet.acknowledged(200, fragment).unwrap().is_some());
}

#[test]
fn the_traveller_says_no() {
    let world = World::new();
    for mode in [ResponseMode::DirectPostJwt, ResponseMode::DirectPost] {
        let world = World {
            policy: Policy::open(),
            ..World::new()
        };
        let (session, private) = world.open(Ask {
            response_mode: mode,
            ..ask()
        });
        let incoming = world
            .receive(&wallet(Policy::open()), &session, RequestUriMethod::Post)
            .unwrap();
        let post = incoming
            .decline(ErrorCode::AccessDenied, &world.native, &mut OsEntropy)
            .unwrap();
        let posted = world.posted(&post.body.unwrap());
        let answer = posted.read(&session, private.as_ref(), NOW, &world.native).unwrap();
        let Answer::Declined(error) = answer else {
            panic!("declined")
        };
        assert_eq!(error.code(), Some(ErrorCode::AccessDenied));
    }
    // In plain text too, where the wallet could not encrypt (§8.3.1).
    let (session, private) = world.open(ask());
    let body = format!("error=access_denied&error_description=no%22%0A&state={}", session.state);
    let answer = world.posted(&body).read(&session, private.as_ref(), NOW, &world.native);
    let Ok(Answer::Declined(error)) = answer else {
        panic!("declined")
    };
    assert_eq!(error.description.as_deref(), Some("no'?"));
}

#[test]
fn plain_responses_come_as_a_form() {
    let world = World {
        policy: Policy::open(),
        ..World::new()
    };
    let (session, private) = world.open(Ask {
        response_mode: ResponseMode::DirectPost,
        ..ask()
    });
    assert!(private.is_none() && session.kid.is_none());
    let incoming = world
        .receive(&wallet(Policy::open()), &session, RequestUriMethod::Get)
        .unwrap();
    let post = incoming.present(&token(), NOW, &world.native, &mut OsEntropy).unwrap();
    let posted = world.posted(&post.body.unwrap());
    assert_eq!(posted.session_key(), SessionKey::State(&session.state));
    assert_eq!(
        posted.read(&session, None, NOW, &world.native),
        Ok(Answer::Presented(token()))
    );
}

#[test]
fn a_client_known_by_its_dns_name() {
    let mut world = World::new();
    world.client = Client::x509_san_dns(HOST, vec![world.leaf.clone()]).unwrap();
    world.policy = Policy::open();
    let (session, _) = world.open(ask());
    let incoming = world
        .receive(&wallet(Policy::open()), &session, RequestUriMethod::Get)
        .unwrap();
    assert_eq!(incoming.request.client_id.to_string(), format!("x509_san_dns:{HOST}"));
}

#[test]
fn a_client_known_by_its_did() {
    let native = Native::new();
    for (kind, algorithm) in [
        (KeyKind::Secp256k1, Algorithm::Es256kR),
        (KeyKind::Secp256k1, Algorithm::Es256k),
        (KeyKind::P256, Algorithm::Es256),
        (KeyKind::Ed25519, Algorithm::EdDsa),
    ] {
        let key = SigningKey::generate(kind, &mut OsEntropy);
        let mut keys = vec![DidKey::Key(key.public_key().clone())];
        keys.extend(key.public_key().address(&native).map(DidKey::Account));
        let did = "did:ethr:0x5:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74";
        let kid = format!("{did}#controller");
        let client = Client::did(did, &kid).unwrap();
        let (session, _) = Session::open(ask(), &client, &Policy::open(), NOW, &native, &mut OsEntropy).unwrap();
        let object = session
            .request_object(
                &client,
                (&key, algorithm),
                &RequestUriPost::default(),
                NOW,
                &native,
                &mut OsEntropy,
            )
            .unwrap();
        let wallet = wallet(Policy::open());
        let invocation = Invocation::Value {
            client_id: client.id().clone(),
            request: object,
        };
        let link = invocation.to_link(&WalletAddress::openid4vp());
        for key in &keys {
            let Ok(Step::Received(received)) = wallet.start(Invocation::parse(&link).unwrap(), &native, &mut OsEntropy)
            else {
                panic!("it is in the link")
            };
            assert_eq!(
                received.evidence(),
                Evidence::Did {
                    did,
                    kid: Some(kid.as_str())
                }
            );
            let trust = Trust {
                roots: &[],
                keys: std::slice::from_ref(key),
            };
            let verified = received.verify(&wallet, trust, NOW, &native);
            let fits = matches!(key, DidKey::Key(_)) || kind == KeyKind::Secp256k1;
            assert_eq!(verified.is_ok(), fits, "{algorithm:?} {key:?}");
        }
    }
}

#[test]
fn a_client_that_nobody_knows_gets_the_response_at_its_identifier() {
    let native = Native::new();
    let policy = all_prefixes();
    let client = Client::redirect_uri(ask().response_uri);
    let mut ask = ask();
    ask.verifier_info = vec![statement().to_info(client.id())];
    let (session, private) = Session::open(ask, &client, &policy, NOW, &native, &mut OsEntropy).unwrap();
    let link = session.plain_invocation().to_link(&WalletAddress::openid4vp());
    let wallet = wallet(policy);
    let Ok(Step::Received(received)) = wallet.start(Invocation::parse(&link).unwrap(), &native, &mut OsEntropy) else {
        panic!("it is in the link")
    };
    assert_eq!(received.evidence(), Evidence::Nothing);
    let incoming = received.verify(&wallet, Trust::default(), NOW, &native).unwrap();
    assert_eq!(incoming.who, Who::Nobody);
    assert_eq!(incoming.statement, None, "nobody stands behind what it says");
    let post = incoming.present(&token(), NOW, &native, &mut OsEntropy).unwrap();
    let posted = Posted::parse(post.body.unwrap().as_bytes()).unwrap();
    assert_eq!(
        posted.read(&session, private.as_ref(), NOW, &native),
        Ok(Answer::Presented(token()))
    );
}

#[test]
fn links_of_every_wallet_read_back() {
    let (session, _) = World::new().open(ask());
    for method in [RequestUriMethod::Get, RequestUriMethod::Post] {
        let invocation = session.invocation(request_uri(), method);
        for address in [
            "openid4vp://",
            "haip-vp://",
            "eudi-openid4vp://authorize",
            "https://wallet.example.org/present",
            "https://wallet.example.org/present?lang=de",
        ] {
            let address: WalletAddress = address.parse().unwrap();
            let link = invocation.to_link(&address);
            assert!(link.starts_with(address.as_str()));
            assert_eq!(Invocation::parse(&link).unwrap(), invocation, "{link}");
        }
    }
    assert!(
        session
            .invocation(request_uri(), RequestUriMethod::Get)
            .to_link(&WalletAddress::haip())
            .len()
            < 250,
        "it fits a code that is easy to scan"
    );
}
