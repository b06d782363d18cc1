//! What a deployment does not do that keeps to HAIP 1.0 alone, and what its settings bound.

use super::{
    code, offered,
    traveller::{Page, Proofs, Traveller, Wallet, path},
};
use crate::harness::{Answer, Later, TestApp, configuration, initialise};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;
use vidimus_openid4vc::oauth::Form;

const CONFIGURATION: &str = "sars-cov-2-naat.dc+sd-jwt";
const ONLY: &str = "[wallets]\nhaip_only = true\nredirects = [\"vidimus-wallet https://wallet.example/back\"]\n";

async fn with_clock(more: &str) -> (TestApp, Arc<Later>) {
    let directory = TempDir::new().unwrap();
    let config = configuration(directory.path(), more);
    initialise(&config).await;
    let clock = Arc::<Later>::default();
    (TestApp::opened(directory, config, clock.clone()).await, clock)
}

fn error(answer: &Answer) -> String {
    answer.json()["error"].as_str().unwrap_or("none").to_owned()
}

/// What leads back to the wallet with its code.
async fn permitted(app: &TestApp, wallet: &Wallet, traveller: &Traveller, offer: &Value) -> String {
    let pushed = wallet
        .push(app, traveller, &json!({}))
        .await
        .expect(StatusCode::CREATED);
    let page = wallet.page(app, pushed["request_uri"].as_str().unwrap()).await;
    let back = wallet
        .answer_page(app, &Page::of(&page), &[("code", code(offer))])
        .await;
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.text());
    back.headers["location"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_haip_is_all_there_is_wallets_are_attested_and_tokens_bound() {
    let app = TestApp::with(ONLY).await;
    let offered = offered(&app, json!({})).await;
    assert_eq!(
        (&offered.offer["haip"], &offered.offer["pre_authorized"]),
        (&json!(true), &json!(false))
    );
    let body = json!({"result": offered.offer["result"], "pre_authorized": true});
    let beside = app.post("/v1/offers", Some(&offered.laboratory.key), &body).await;
    assert_eq!(
        (beside.status, beside.problem().as_str()),
        (StatusCode::CONFLICT, "haip-only")
    );

    let issuer = format!("/issuers/{}", offered.laboratory.id);
    let metadata = app
        .get(&format!("/.well-known/oauth-authorization-server{issuer}"), None)
        .await;
    let metadata = metadata.expect(StatusCode::OK);
    assert_eq!(
        metadata["grant_types_supported"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(
        metadata["token_endpoint_auth_methods_supported"],
        json!(["attest_jwt_client_auth"])
    );
    assert_eq!(metadata.get("pre-authorized_grant_anonymous_access_supported"), None);

    let (traveller, wallet) = (Traveller::new(), Wallet::of_offer(&app, &offered.offer).await);
    let grant = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
    let form = Form::new()
        .with("grant_type", grant)
        .with("pre-authorized_code", "guessed");
    let refused = wallet.form(&app, &traveller, "token", &form, true).await;
    assert_eq!(error(&refused), "unsupported_grant_type");

    // Only to where the wallet's maker is registered, or to a port of the wallet's own machine.
    for (address, taken) in [
        ("https://wallet.example/back", true),
        ("https://wallet.example/back/", false),
        ("https://wallet.example/back?next=https://evil.example", false),
        ("https://evil.example/back", false),
        ("http://127.0.0.1:51234/callback", true),
        ("http://[::1]:51234/callback", true),
        ("http://127.0.0.1.evil.example/callback", false),
        ("http://localhost:51234/callback", false),
    ] {
        let pushed = wallet.push(&app, &traveller, &json!({"redirect_uri": address})).await;
        let expected = if taken {
            StatusCode::CREATED
        } else {
            StatusCode::BAD_REQUEST
        };
        assert_eq!(pushed.status, expected, "{address}: {}", pushed.text());
        assert!(taken || error(&pushed) == "invalid_request");
    }

    let location = permitted(&app, &wallet, &traveller, &offered.offer).await;
    let query = Form::parse(location.split_once('?').unwrap().1.as_bytes()).unwrap();
    let form = wallet.code_form(query.get("code").unwrap());
    let anonymous = wallet.form(&app, &traveller, "token", &form, false).await;
    assert_eq!(
        (anonymous.status, error(&anonymous).as_str()),
        (StatusCode::UNAUTHORIZED, "invalid_client")
    );
    let location = {
        // A code that is brought in the wrong way is used up.
        let body = json!({"result": offered.offer["result"]});
        let offer = app
            .post("/v1/offers", Some(&offered.laboratory.key), &body)
            .await
            .expect(StatusCode::CREATED);
        let wallet = Wallet::of_offer(&app, &offer).await;
        let location = permitted(&app, &wallet, &traveller, &offer).await;
        let query = Form::parse(location.split_once('?').unwrap().1.as_bytes()).unwrap();
        let form = wallet.code_form(query.get("code").unwrap());
        let bearer = Proofs {
            attested: true,
            without_dpop: true,
            ..Proofs::default()
        };
        let bearer = wallet.form_with(&app, &traveller, "token", &form, bearer).await;
        assert_eq!(error(&bearer), "invalid_dpop_proof");
        let offer = app
            .post("/v1/offers", Some(&offered.laboratory.key), &body)
            .await
            .expect(StatusCode::CREATED);
        let wallet = Wallet::of_offer(&app, &offer).await;
        let location = permitted(&app, &wallet, &traveller, &offer).await;
        (wallet, location)
    };
    let (wallet, location) = location;
    let tokens = wallet.redeem(&app, &traveller, &location).await.expect(StatusCode::OK);
    assert_eq!(tokens["token_type"], "DPoP");
    wallet
        .claim(&app, &traveller, &tokens, CONFIGURATION, 1)
        .await
        .expect(StatusCode::OK);
    let anonymous = wallet
        .form(&app, &traveller, "token", &wallet.refresh_form(&tokens), false)
        .await;
    assert_eq!(error(&anonymous), "invalid_client");
    wallet.refresh(&app, &traveller, &tokens).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_haip_is_all_there_is_verifiers_ask_by_it() {
    let app = TestApp::with(ONLY).await;
    let authority = app.set_up().await;
    let airline = app.admit(&authority, &crate::harness::airline("Donau Air")).await;
    let asked = json!({
        "purpose": "boarding",
        "credentials": [{"category": "sars-cov-2-naat", "attributes": ["family_name"]}],
        "return_uri": "https://donau-air.example/back",
    });
    let ask = async |change: Value| {
        let mut body = asked.clone();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        app.post("/v1/presentations", Some(&airline.key), &body).await
    };
    let jwt = json!({"credentials": [{
        "id": "a", "format": "jwt_vc_json", "meta": {"type_values": [["VidimusCertificate"]]},
        "claims": [{"path": ["vc", "credentialSubject", "person", "familyName"]}],
    }]});
    for beside in [
        json!({"unencrypted": true}),
        json!({"client": "x509_san_dns"}),
        json!({"client": "decentralized_identifier"}),
        json!({"return_uri": null}),
    ] {
        let refused = ask(beside.clone()).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (StatusCode::CONFLICT, "haip-only"),
            "{beside}"
        );
    }
    let refused = ask(json!({"credentials": [], "dcql_query": jwt})).await;
    assert!(refused.status.is_client_error(), "{}", refused.text());
    let view = ask(json!({})).await.expect(StatusCode::CREATED);
    // What is taken is listed, beside what HAIP names.
    let link = Form::parse(view["link"].as_str().unwrap().split_once('?').unwrap().1.as_bytes()).unwrap();
    let request = app
        .get(&path(&app, link.get("request_uri").unwrap()), None)
        .await
        .text();
    let payload = vidimus_core::encoding::from_base64url(request.split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    let formats = &payload["client_metadata"]["vp_formats_supported"]["dc+sd-jwt"];
    assert_eq!(formats["sd-jwt_alg_values"], json!(["ES256", "EdDSA", "PS256"]));
    assert_eq!(formats["kb-jwt_alg_values"], json!(["ES256", "EdDSA", "ES256K"]));
    ask(json!({"return_uri": null, "cross_device": true}))
        .await
        .expect(StatusCode::CREATED);
}

/// Each use lets it hold longer, but not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn refreshing_has_an_end() {
    const DAY: i64 = 86_400;
    let (app, clock) = with_clock("[wallets]\nrefresh_days = 2\nrefresh_end_days = 3\n").await;
    let offered = offered(&app, json!({"pre_authorized": false})).await;
    let (traveller, wallet) = (Traveller::new(), Wallet::of_offer(&app, &offered.offer).await);
    let location = permitted(&app, &wallet, &traveller, &offered.offer).await;
    let tokens = wallet.redeem(&app, &traveller, &location).await.expect(StatusCode::OK);
    for (at, holds) in [
        (DAY, true),
        (3 * DAY - 60, true),
        (3 * DAY + 1, false),
        (4 * DAY, false),
    ] {
        clock.by(at);
        let refreshed = wallet.refresh(&app, &traveller, &tokens).await;
        let expected = if holds { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        assert_eq!(refreshed.status, expected, "{at}: {}", refreshed.text());
        assert!(holds || error(&refreshed) == "invalid_grant");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_have_nonces_of_ours_where_they_must() {
    let app = TestApp::with("[wallets]\nrequire_nonces = true\n").await;
    let offered = offered(&app, json!({})).await;
    let (traveller, wallet) = (Traveller::new(), Wallet::of_offer(&app, &offered.offer).await);
    let fresh = |answer: &Answer, header: &str| answer.headers[header].to_str().unwrap().to_owned();

    let par = wallet.pushed(&json!({}));
    let send = async |proofs: Proofs<'_>| wallet.form_with(&app, &traveller, "par", &par, proofs).await;
    let attested = Proofs {
        attested: true,
        ..Proofs::default()
    };
    let none = send(attested).await;
    assert_eq!(
        (none.status, error(&none).as_str()),
        (StatusCode::BAD_REQUEST, "use_dpop_nonce")
    );
    let nonce = fresh(&none, "dpop-nonce");
    let challenge = send(Proofs {
        nonce: Some(&nonce),
        ..attested
    })
    .await;
    assert_eq!(
        (challenge.status, error(&challenge).as_str()),
        (StatusCode::BAD_REQUEST, "use_attestation_challenge")
    );
    let challenge = fresh(&challenge, "oauth-client-attestation-challenge");
    // Each is for its own use, and made here.
    for (nonce, challenge, why) in [
        (challenge.as_str(), challenge.as_str(), "use_dpop_nonce"),
        ("AAAA", challenge.as_str(), "use_dpop_nonce"),
        (nonce.as_str(), nonce.as_str(), "use_attestation_challenge"),
        (nonce.as_str(), "AAAA", "use_attestation_challenge"),
    ] {
        let proofs = Proofs {
            nonce: Some(nonce),
            challenge: Some(challenge),
            ..attested
        };
        assert_eq!(error(&send(proofs).await), why, "{nonce} {challenge}");
    }
    let both = Proofs {
        nonce: Some(&nonce),
        challenge: Some(&challenge),
        ..attested
    };
    send(both).await.expect(StatusCode::CREATED);

    // Tokens and resources alike.
    let form = wallet.pre_authorized_form(Some(code(&offered.offer)));
    let none = wallet.form(&app, &traveller, "token", &form, false).await;
    assert_eq!(error(&none), "use_dpop_nonce");
    let nonce = fresh(&none, "dpop-nonce");
    let proofs = Proofs {
        nonce: Some(&nonce),
        ..Proofs::default()
    };
    let tokens = wallet.form_with(&app, &traveller, "token", &form, proofs).await;
    let next = fresh(&tokens, "dpop-nonce");
    let tokens = tokens.expect(StatusCode::OK);
    let notification = json!({"notification_id": "unknown", "event": "credential_accepted"});
    let none = wallet
        .resource(&app, &traveller, &tokens, "notification", &notification)
        .await;
    assert_eq!(
        (none.status, error(&none).as_str()),
        (StatusCode::UNAUTHORIZED, "use_dpop_nonce")
    );
    assert!(
        none.headers["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("DPoP error=\"use_dpop_nonce\"")
    );
    assert!(none.headers.contains_key("dpop-nonce"));
    let known = wallet
        .resource_with(&app, &traveller, &tokens, "notification", &notification, Some(&next))
        .await;
    assert_eq!(error(&known), "invalid_notification_id", "it got so far");
}

/// Without the setting none is asked for, but one that is there has to be ours, and the answer has another.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_is_not_ours_is_answered_with_one_that_is() {
    let (app, clock) = with_clock("").await;
    let offered = offered(&app, json!({"pre_authorized": false})).await;
    let (traveller, wallet) = (Traveller::new(), Wallet::of_offer(&app, &offered.offer).await);
    let par = wallet.pushed(&json!({}));
    let send = async |nonce: Option<&str>, challenge: Option<&str>| {
        let proofs = Proofs {
            attested: true,
            nonce,
            challenge,
            ..Proofs::default()
        };
        wallet.form_with(&app, &traveller, "par", &par, proofs).await
    };
    let refused = send(Some("AAAA"), None).await;
    assert_eq!(error(&refused), "use_dpop_nonce");
    let nonce = refused.headers["dpop-nonce"].to_str().unwrap().to_owned();
    assert!(!refused.headers.contains_key("oauth-client-attestation-challenge"));
    let refused = send(Some(&nonce), Some("AAAA")).await;
    assert_eq!(error(&refused), "use_attestation_challenge");
    let challenge = refused.headers["oauth-client-attestation-challenge"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(!refused.headers.contains_key("dpop-nonce"));
    send(Some(&nonce), Some(&challenge)).await.expect(StatusCode::CREATED);
    send(None, None).await.expect(StatusCode::CREATED);
    clock.by(301);
    assert_eq!(
        error(&send(Some(&nonce), None).await),
        "use_dpop_nonce",
        "it was ours, and is too old"
    );
}

/// Keys of one network in a minute: nobody makes the deployment verify for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn attestations_are_bounded() {
    let (app, clock) = with_clock("[server.limits]\nattested_keys_per_minute = 3\n").await;
    app.set_up().await;
    let wallet = Wallet::of_issuer(&app, "any");
    let request = json!({"client": "not.a.proof", "keys": ["not.a.proof"]});
    let ask = async |body: &Value| app.post("/v1/wallet-attestations", None, body).await;
    assert_eq!(ask(&request).await.problem(), "attestation-request");
    wallet.attestations(&app, &Traveller::new()).await;
    let refused = ask(&request).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (StatusCode::FORBIDDEN, "too-many-attestations")
    );
    assert_eq!(refused.headers["retry-after"], "60");
    clock.by(61);
    wallet.attestations(&app, &Traveller::new()).await;
}
