//! What a wallet refuses.

use super::*;

type Change = fn(&mut Server);

fn review(server: &mut Server, link: &str, policy: Policy) -> Result<Next, WalletError> {
    let mut wallet = Wallet::new();
    let (mut issuance, next) = wallet.begin(link, policy)?;
    wallet.run(&mut issuance, next, server)
}

#[test]
fn metadata_that_are_not_in_order_are_refused() {
    let cases: [(&str, Change, WalletError); 12] = [
        (
            "another issuer",
            |server| server.metadata["credential_issuer"] = json!("https://evil.example"),
            WalletError::IssuerMetadata(MetadataError::Issuer),
        ),
        (
            "a slash more",
            |server| server.metadata["credential_issuer"] = json!(format!("{ISSUER}/")),
            WalletError::IssuerMetadata(MetadataError::Issuer),
        ),
        (
            "another server",
            |server| server.server["issuer"] = json!("https://evil.example"),
            WalletError::ServerMetadata(vidimus_openid4vc::oauth::metadata::MetadataError::Issuer),
        ),
        (
            "loopback nonce endpoint",
            |server| server.metadata["nonce_endpoint"] = json!("http://127.0.0.1/nonce"),
            WalletError::Insecure("http://127.0.0.1/nonce".into()),
        ),
        (
            "loopback token endpoint",
            |server| server.server["token_endpoint"] = json!("http://localhost/token"),
            WalletError::Insecure("http://localhost/token".into()),
        ),
        (
            "no PKCE",
            |server| server.server["code_challenge_methods_supported"] = json!(["plain"]),
            WalletError::Policy("PKCE with S256"),
        ),
        (
            "no PAR",
            |server| {
                drop(
                    server
                        .server
                        .as_object_mut()
                        .unwrap()
                        .remove("pushed_authorization_request_endpoint"),
                )
            },
            WalletError::Policy("pushed authorization requests"),
        ),
        (
            "no iss",
            |server| server.server["authorization_response_iss_parameter_supported"] = json!(false),
            WalletError::Policy("the issuer in the authorization response"),
        ),
        (
            "no DPoP",
            |server| {
                drop(
                    server
                        .server
                        .as_object_mut()
                        .unwrap()
                        .remove("dpop_signing_alg_values_supported"),
                )
            },
            WalletError::Policy("DPoP"),
        ),
        (
            "DPoP with another algorithm",
            |server| server.server["dpop_signing_alg_values_supported"] = json!(["EdDSA"]),
            WalletError::Algorithm("DPoP"),
        ),
        (
            "no client attestation",
            |server| server.server["token_endpoint_auth_methods_supported"] = json!(["none"]),
            WalletError::Policy("client authentication by attestation"),
        ),
        (
            "no scope",
            |server| {
                let supported = &mut server.metadata["credential_configurations_supported"][NAAT];
                supported.as_object_mut().unwrap().remove("scope");
            },
            WalletError::Policy("a scope for each configuration"),
        ),
    ];
    assert!(matches!(
        review(&mut Server::new(), &by_browser(), Policy::HAIP),
        Ok(Next::Review)
    ));
    for (name, change, why) in cases {
        let mut server = Server::new();
        change(&mut server);
        assert_eq!(
            review(&mut server, &by_browser(), Policy::HAIP).unwrap_err(),
            why,
            "{name}"
        );
    }
    let plain: Change = |server| server.metadata["credential_endpoint"] = json!("http://health.example/credential");
    let mut server = Server::new();
    plain(&mut server);
    assert!(matches!(
        review(&mut server, &by_browser(), Policy::HAIP),
        Err(WalletError::IssuerMetadata(_))
    ));
}

#[test]
fn an_offer_of_a_server_that_is_not_the_issuers_is_refused() {
    let named = |server: &str| {
        link(Grants {
            pre_authorized_code: None,
            authorization_code: Some(AuthorizationCodeGrant {
                issuer_state: None,
                authorization_server: Some(server.parse().unwrap()),
            }),
        })
    };
    let mut server = Server::new();
    let mixed_up = review(&mut server, &named("https://evil.example"), Policy::LENIENT);
    assert_eq!(mixed_up.unwrap_err(), WalletError::OtherServer);
    assert!(review(&mut server, &named(ISSUER), Policy::LENIENT).is_ok());
    let handed = handed_over(&mut server, None);
    assert_eq!(
        review(&mut server, &handed, Policy::HAIP).unwrap_err(),
        WalletError::NoGrant
    );
    server.metadata["credential_configurations_supported"] = json!({
        NAAT: {"format": "mso_mdoc", "doctype": "x", "credential_signing_alg_values_supported": [-7]},
    });
    assert_eq!(
        review(&mut server, &handed, Policy::LENIENT).unwrap_err(),
        WalletError::NothingOffered
    );
}

#[test]
fn an_answer_from_the_browser_that_is_anothers_changes_nothing() {
    let (mut wallet, mut server) = (Wallet::new(), Server::new());
    let (mut issuance, next) = wallet.begin(&by_browser(), Policy::LENIENT).unwrap();
    wallet.run(&mut issuance, next, &mut server).unwrap();
    let next = wallet.accept(&mut issuance, &[(NAAT, 1)], None, &mut server).unwrap();
    let Next::Browse(location) = next else {
        panic!("expected the browser, found {next:?}")
    };
    let back = server.browse(&location);
    let iss = format!("iss={}", ISSUER.replace(':', "%3A").replace('/', "%2F"));
    assert!(back.ends_with(&iss));
    for query in [
        back.replace("state=", "state=x"),
        back.replace(&iss, "iss=https%3A%2F%2Fevil.example"),
        back.replace(&iss, ""),
        back.replace("code=", "other="),
        format!("{back}&state=x"),
        format!("{back}&error=access_denied"),
        String::new(),
    ] {
        let refused = issuance.callback(&query, &mut wallet.context());
        assert!(matches!(refused, Err(WalletError::Callback(_))), "{query}");
    }
    let next = issuance.callback(&back, &mut wallet.context()).unwrap();
    assert!(matches!(
        wallet.run(&mut issuance, next, &mut server).unwrap(),
        Next::Prove(_)
    ));
    assert_eq!(
        issuance.callback(&back, &mut wallet.context()).unwrap_err(),
        WalletError::Step
    );
}

#[test]
fn answers_that_do_not_fit_are_refused() {
    let cases: [(&str, Tamper); 9] = [
        ("/issuer/token", |reply| reply.body = reply.body.replace("DPoP", "mac")),
        ("/issuer/token", |reply| reply.headers[0].1 = "text/html".into()),
        ("/issuer/token", |reply| reply.body.truncate(20)),
        ("/issuer/nonce", |reply| reply.body = "{}".into()),
        ("/issuer/credential", |reply| {
            reply.body = json!({"credentials": [{"credential": "a"}, {"credential": "b"}]}).to_string()
        }),
        ("/issuer/credential", |reply| {
            reply.body = json!({"credentials": []}).to_string()
        }),
        ("/issuer/credential", |reply| {
            reply.body = json!({"transaction_id": "a"}).to_string()
        }),
        ("/issuer/credential", |reply| reply.status = 302),
        ("/issuer/credential", |reply| {
            reply.status = 401;
            reply.body = json!({"error": "use_dpop_nonce"}).to_string();
            reply.headers.push(("dpop-nonce".into(), "again".into()));
        }),
    ];
    for (at, case) in cases.into_iter().enumerate() {
        let (mut wallet, mut server) = (Wallet::new(), Server::new());
        server.tamper = Some(case);
        let link = handed_over(&mut server, None);
        let (mut issuance, next) = wallet.begin(&link, Policy::LENIENT).unwrap();
        wallet.run(&mut issuance, next, &mut server).unwrap();
        let outcome = wallet
            .accept(&mut issuance, &[(NAAT, 1)], None, &mut server)
            .and_then(|next| wallet.receive(&mut issuance, next, &mut server));
        assert!(outcome.is_err(), "case {at}");
    }
}

#[test]
fn credentials_in_the_clear_are_refused_where_they_were_to_be_encrypted() {
    let (mut wallet, mut server) = (Wallet::new(), Server::new().with_encryption(true));
    server.tamper = Some(("/issuer/credential", |reply| {
        *reply = Reply::json(200, json!({"credentials": [{"credential": "a"}]}));
    }));
    let link = handed_over(&mut server, None);
    let (mut issuance, next) = wallet.begin(&link, Policy::LENIENT).unwrap();
    wallet.run(&mut issuance, next, &mut server).unwrap();
    let next = wallet.accept(&mut issuance, &[(NAAT, 1)], None, &mut server).unwrap();
    assert_eq!(
        wallet.receive(&mut issuance, next, &mut server).unwrap_err(),
        WalletError::Clear
    );
}

#[test]
fn keys_and_choices_that_were_not_asked_for_are_refused() {
    let (mut wallet, mut server) = (Wallet::new(), Server::new());
    let link = handed_over(&mut server, None);
    let (mut issuance, next) = wallet.begin(&link, Policy::LENIENT).unwrap();
    wallet.run(&mut issuance, next, &mut server).unwrap();
    for (wanted, tx_code) in [
        (&[][..], None),
        (&[(NAAT, 0)], None),
        (&[(NAAT, 6)], None),
        (&[(NAAT, 1), (NAAT, 1)], None),
        (&[("other", 1)], None),
        (&[(NAAT, 1)], Some("1")),
    ] {
        let refused = wallet.accept(&mut issuance, wanted, tx_code, &mut server).unwrap_err();
        assert_eq!(refused, WalletError::Choice);
    }
    let next = wallet.accept(&mut issuance, &[(NAAT, 2)], None, &mut server).unwrap();
    assert!(matches!(next, Next::Prove(_)));
    let (one, two) = (key(1), key(2));
    let holder = |signer| HolderKey { signer, kid: None };
    for keys in [
        &[][..],
        &[holder(&one)],
        &[holder(&one), holder(&one)],
        &[holder(&one), holder(&two), holder(&wallet.dpop)],
    ] {
        let mut entropy = Seeded(5);
        let mut context = Context {
            now: NOW,
            crypto: &wallet.native,
            entropy: &mut entropy,
            dpop: Some(&wallet.dpop),
            client: None,
            metadata_roots: &[],
        };
        assert_eq!(issuance.prove(keys, None, &mut context).unwrap_err(), WalletError::Keys);
    }
}

#[test]
fn an_offer_by_reference_is_fetched_over_tls_only() {
    let (mut wallet, mut server) = (Wallet::new(), Server::new());
    let OfferLink::Value(offer) = OfferLink::parse(&handed_over(&mut server, None)).unwrap() else {
        panic!()
    };
    server.metadata["offer"] = serde_json::to_value(&offer).unwrap();
    let by_reference = "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fhealth.example%2Foffer";
    let (mut issuance, next) = wallet.begin(by_reference, Policy::LENIENT).unwrap();
    assert!(matches!(
        wallet.run(&mut issuance, next, &mut server).unwrap(),
        Next::Review
    ));
    let local = "openid-credential-offer://?credential_offer_uri=http%3A%2F%2F127.0.0.1%2Foffer";
    assert!(matches!(
        wallet.begin(local, Policy::LENIENT),
        Err(WalletError::Insecure(_))
    ));
    let loopback = Policy {
        loopback: true,
        ..Policy::LENIENT
    };
    assert!(wallet.begin(local, loopback).is_ok());
}

#[test]
fn metadata_are_taken_signed_where_the_policy_insists() {
    let signer = Attester::new(600);
    let mut server = Server::new();
    let link = handed_over(&mut server, None);
    let insists = Policy {
        signed_metadata: true,
        ..Policy::LENIENT
    };
    let roots = [signer.root.clone()];
    let strangers = [Attester::new(700).root];
    let take = |policy, roots: &[vidimus_credential::x509::Certificate], signed: bool| {
        let mut wallet = Wallet::new();
        let mut context = Context {
            metadata_roots: roots,
            ..wallet.context()
        };
        let (mut issuance, next) = Issuance::from_link(&link, policy, Wallet::client(), &mut context)?;
        let Next::Send(request) = next else {
            panic!("expected a request, found {next:?}")
        };
        assert_eq!(
            request.header("accept").unwrap().contains("application/jwt"),
            !roots.is_empty()
        );
        let metadata = crate::vci::world::metadata();
        let body = if signed {
            sign(
                &metadata,
                &signer.key,
                Algorithm::Es256,
                &signer.chain,
                NOW,
                NOW.plus(60),
            )
            .unwrap()
        } else {
            metadata.to_json()
        };
        let media_type = if signed { "application/jwt" } else { "application/json" };
        let headers = [("content-type".to_owned(), media_type.to_owned())];
        let response = HttpResponse {
            status: 200,
            headers: &headers,
            body: body.as_bytes(),
        };
        issuance.receive(&mut context, response).map(drop)
    };
    assert_eq!(take(insists, &roots, true), Ok(()));
    assert_eq!(take(Policy::LENIENT, &roots, false), Ok(()));
    assert_eq!(take(insists, &roots, false), Err(WalletError::Unsigned));
    assert!(matches!(
        take(insists, &strangers, true),
        Err(WalletError::SignedMetadata(_))
    ));
    assert_eq!(
        take(Policy::LENIENT, &[], true),
        Err(WalletError::MediaType(Place::IssuerMetadata))
    );
}

#[test]
fn metadata_that_a_stranger_signed_are_asked_for_again_without() {
    let (signer, stranger) = (Attester::new(600), Attester::new(700));
    let link = handed_over(&mut Server::new(), None);
    let mut wallet = Wallet::new();
    let mut context = Context {
        metadata_roots: std::slice::from_ref(&stranger.root),
        ..wallet.context()
    };
    let (mut issuance, _) = Issuance::from_link(&link, Policy::LENIENT, Wallet::client(), &mut context).unwrap();
    let metadata = crate::vci::world::metadata();
    let (key, chain) = (&signer.key, &signer.chain);
    let signed = sign(&metadata, key, Algorithm::Es256, chain, NOW, NOW.plus(60)).unwrap();
    let mut answer = |media_type: &str, body: &str| {
        let headers = [("content-type".to_owned(), media_type.to_owned())];
        let (status, body) = (200, body.as_bytes());
        let headers = &headers;
        let mut again = issuance.clone();
        let next = again.receive(&mut context, HttpResponse { status, headers, body });
        next.inspect(|_| issuance = again)
    };
    let Ok(Next::Send(request)) = answer("application/jwt", &signed) else {
        panic!("the metadata are not asked for again")
    };
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(
        answer("application/jwt", &signed).unwrap_err(),
        WalletError::MediaType(Place::IssuerMetadata),
        "and not once more"
    );
    assert!(matches!(
        answer("application/json", &metadata.to_json()),
        Ok(Next::Send(_))
    ));
    let kept = serde_json::to_value(&issuance).unwrap();
    assert_eq!(kept["signed"], false);
}

#[test]
fn a_deferred_transaction_is_its_owners_and_ends_with_its_answer() {
    let (mut wallet, mut server) = (Wallet::new(), Server::new());
    server.ready = false;
    let link = handed_over(&mut server, None);
    let (mut issuance, next) = wallet.begin(&link, Policy::LENIENT).unwrap();
    wallet.run(&mut issuance, next, &mut server).unwrap();
    let next = wallet.accept(&mut issuance, &[(NAAT, 1)], None, &mut server).unwrap();
    let Next::Prove(prove) = next else {
        panic!("expected proofs, found {next:?}")
    };
    wallet.prove(&mut issuance, &prove, &mut server).unwrap();
    let kept = serde_json::to_string(&issuance).unwrap();
    wallet.now = NOW.plus(3600);
    server.now = wallet.now;
    server.tamper = Some(("/issuer/deferred", |reply| {
        reply.body = json!({"transaction_id": "another", "interval": 5}).to_string();
        reply.status = 202;
    }));
    let next = issuance.poll(&mut wallet.context()).unwrap();
    assert_eq!(
        wallet.run(&mut issuance, next, &mut server).unwrap_err(),
        WalletError::Response
    );

    // Read back from before: its refresh token was exchanged meanwhile.
    server.tamper = None;
    server.ready = true;
    let mut replayed: Issuance = serde_json::from_str(&kept).unwrap();
    let next = replayed.poll(&mut wallet.context()).unwrap();
    let refused = wallet.run(&mut replayed, next, &mut server).unwrap_err();
    assert!(matches!(refused, WalletError::Refused { place: Place::Token, ref error, .. } if error == "invalid_grant"));
    let next = issuance.again(&mut wallet.context()).unwrap();
    assert!(matches!(
        wallet.run(&mut issuance, next, &mut server).unwrap(),
        Next::Store(_)
    ));
}
