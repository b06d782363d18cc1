//! A traveller leaves a presentation for an airline that keeps its own keys: nobody else reads it.

use super::{
    claiming::{api_key, offered},
    place::{Deployment, text, until},
};
use crate::server::Api;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vidimus_core::{
    SecretBytes,
    encoding::{from_base64url, from_hex},
};
use vidimus_crypto::{PasswordFile, SealingKey, envelope};

/// What lies for the airline, opened with the key in its file.
fn opened(server: &Deployment, payload: &str) -> Option<Value> {
    let passphrase = SecretBytes::new(b"correct horse battery".to_vec());
    let file = std::fs::read(server.path("airline.keys")).unwrap();
    let (_, content) = PasswordFile::open(&file, &passphrase).unwrap();
    let keys: Value = serde_json::from_slice(content.expose()).unwrap();
    let key = from_hex(&text(&keys, "/sealing")).unwrap();
    let key = SealingKey::from_bytes(&key).unwrap();
    let sealed = from_base64url(payload).unwrap();
    assert!(
        envelope::open(&key, b"vidimus/copy/v1", &[], &sealed).is_err(),
        "for nothing else"
    );
    let plain = envelope::open(&key, b"vidimus/left/v1", &[], &sealed).ok()?;
    serde_json::from_slice(plain.expose()).ok()
}

#[tokio::test]
async fn a_presentation_is_left_for_a_verifier_and_nobody_else_reads_it() {
    let server = Deployment::serve();
    let (_, other) = server.with_participants();
    let api = Api::new(server.url.clone());
    server.ask(&["keys", "new", "--keys", "airline.keys"]).json();
    server.keep("airline.jwt", server.run(&["keys", "card", "--keys", "airline.keys"]));
    let admit = [
        "participant",
        "admit",
        "verifier",
        "--name",
        "Blue Air",
        "--country",
        "AT",
        "--attribute",
        "family_name",
        "--attribute",
        "result",
        "--purpose",
        "boarding",
        "--card",
        "airline.jwt",
        "--wait",
        "--api-key-file",
        "authority.key",
        "--save-api-key",
        "airline.key",
    ];
    let airline = text(&server.ask(&admit).json(), "/participant/id");
    server.ask(&["wallet", "new"]).json();
    server.ask(&["wallet", "trust", &server.url, "--loopback"]).json();
    let offer = offered(&server, &api, "P1234567", json!({"formats": ["dc+sd-jwt"]})).await;
    let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
    server
        .ask(&["wallet", "offer", &link, "--loopback", "--code", &code, "--copies", "2"])
        .json();
    until(|| {
        server
            .ask(&["wallet", "receipts", "--from", &server.url, "--loopback"])
            .json();
        server.ask(&["wallet", "list"]).json()["claimed"][0]["anchored"] == 2
    });

    // Shown first, with each value; then left.
    let leave = |who: &str, purpose: &str, attribute: &str, more: &[&str]| {
        let base = ["wallet", "leave", who, "--loopback", "--certificate", "c1"];
        let what = ["--purpose", purpose, "--attribute", "result", "--attribute", attribute];
        server.ask(&[&base[..], &what, more].concat())
    };
    let shown = leave("Blue Air", "boarding", "family_name", &[]).json();
    assert_eq!(shown["outcome"], "shown");
    let attributes = shown["consent"]["credentials"][0]["attributes"].as_array().unwrap();
    let attributes: BTreeMap<_, _> = attributes
        .iter()
        .map(|one| (text(one, "/name"), text(one, "/value")))
        .collect();
    assert_eq!(attributes["family_name"], "Musterfrau");
    assert_eq!((attributes["result"].as_str(), attributes.len()), ("260415000", 2));
    leave("Blue Air", "marketing", "family_name", &["--yes"]).refused(4, &["purpose marketing", "nothing was left"]);
    leave("Blue Air", "boarding", "birth_date", &["--yes"]).refused(4, &["asks for birth_date", "nothing was left"]);
    leave("Green Air", "boarding", "family_name", &["--yes"]).refused(4, &["no registry"]);
    let key = server.read("airline.key").trim().to_owned();
    let waiting = api.get(Some(&key), "/v1/left-presentations").await;
    assert_eq!(waiting["items"], json!([]), "nothing was sent so far");
    let left = leave(&airline, "boarding", "family_name", &["--yes"]).json();
    assert_eq!(
        (&left["outcome"], &left["shared"]["name"]),
        (&json!("left"), &json!("Blue Air"))
    );
    assert_eq!(server.ask(&["wallet", "list"]).json()["claimed"][0]["unused"], 1);

    // The airline reads and checks it, with what it trusts; the other airline does not have it.
    let path = format!("/v1/left-presentations/{}", text(&left, "/left/id"));
    let foreign = api
        .send(Some(&api_key(&server, "verifier")), "GET", &path, None, "")
        .await;
    assert_eq!(foreign.unwrap().0, StatusCode::NOT_FOUND);
    let read = api.get(Some(&key), &path).await;
    let payload = text(&read, "/payload");
    assert!(!String::from_utf8_lossy(&from_base64url(&payload).unwrap()).contains("eyJ"));
    let opened = opened(&server, &payload).expect("sealed to its key");
    server.write("left.json", &text(&opened, "/presentation"));
    server.write("request.json", &opened.to_string());
    let root = api
        .client
        .get(format!("{}/v1/trust/root", server.url))
        .send()
        .await
        .unwrap();
    server.write("root.pem", &root.text().await.unwrap());
    server
        .ask(&["bundle", "--output", "bundle.jwt", "--root", "root.pem"])
        .json();
    let check = [
        "check",
        "left.json",
        "--bundle",
        "bundle.jwt",
        "--root",
        "root.pem",
        "--request",
        "request.json",
    ];
    let answer = server.ask(&check).checked(0, "nonce_ok");
    let said = answer.to_string();
    assert!(said.contains("Musterfrau") && !said.contains("Gabriele"), "{said}");

    // One that is suspended is left nothing, by the wallet and by the deployment.
    let suspend = [
        "participant",
        "suspend",
        &airline,
        "--reason",
        "audit",
        "--api-key-file",
        "authority.key",
    ];
    server.ask(&suspend).json();
    until(|| {
        let answer = leave("Blue Air", "boarding", "family_name", &[]);
        answer.code == 4 && (answer.out + &answer.err).contains("suspended")
    });
    leave("Blue Air", "boarding", "family_name", &["--yes"]).refused(4, &["suspended"]);
    let body = json!({"verifier": airline, "payload": payload});
    let refused = api
        .send(None, "POST", "/v1/left-presentations", Some(&body), "")
        .await
        .unwrap();
    let body = json!({"verifier": "00000000-0000-4000-8000-000000000000", "payload": payload});
    let unknown = api
        .send(None, "POST", "/v1/left-presentations", Some(&body), "")
        .await
        .unwrap();
    assert_eq!(
        (refused.0, &refused.1["detail"]),
        (unknown.0, &unknown.1["detail"]),
        "as if there were none"
    );
    let _ = other;
}
