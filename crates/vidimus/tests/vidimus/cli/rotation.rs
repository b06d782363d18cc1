//! Accounts that their owners keep get other keys, and the operator finds back in.

use super::place::{CATEGORY, Deployment, content_id, fhir, text, until};
use crate::harness::postgres_url;
use serde_json::Value;
use vidimus_store::testing;

/// A new account key beside the one before; what it takes is prepared by the server and signed with both.
fn rotate(server: &Deployment, who: &str) -> Value {
    let (keys, card, key) = (format!("{who}.keys"), format!("{who}-2.jwt"), format!("{who}.key"));
    server.keep(&card, server.run(&["keys", "new-account", "--keys", &keys]));
    let asked = server
        .ask(&["participant", "rotate-account", "--card", &card, "--api-key-file", &key])
        .json();
    sign(server, who, &asked);
    asked
}

fn sign(server: &Deployment, who: &str, answer: &Value) -> usize {
    let (keys, key) = (format!("{who}.keys"), format!("{who}.key"));
    let command = [
        "keys",
        "sign-transactions",
        "-",
        "--keys",
        &keys,
        "--api-key-file",
        &key,
    ];
    let signed = server.with_input(&command, &answer.to_string()).json();
    signed["signed"].as_array().unwrap().len()
}

fn account_states(server: &Deployment, who: &str) -> Vec<String> {
    let key = format!("{who}.key");
    let shown = server.ask(&["participant", "show", "--api-key-file", &key]).json();
    let keys = shown["keys"].as_array().unwrap().iter();
    keys.filter(|key| key["purpose"] == "account")
        .map(|key| text(key, "/state"))
        .collect()
}

#[test]
fn authority_and_laboratory_rotate_accounts_that_they_keep_themselves() {
    let server = Deployment::serve();
    for who in ["authority", "laboratory"] {
        let keys = format!("{who}.keys");
        server.ask(&["keys", "new", "--keys", &keys]).json();
        server.keep(&format!("{who}.jwt"), server.run(&["keys", "card", "--keys", &keys]));
    }
    let setup = "setup --token-file - --name Ministry --country AT --card authority.jwt --save-api-key authority.key";
    let setup: Vec<_> = setup.split(' ').collect();
    let made = server.with_input(&setup, &server.token).json();
    assert_eq!(sign(&server, "authority", &made), 3);
    let admit = |role: &str, more: &str| {
        let line = format!("participant admit {role} --country AT --api-key-file authority.key {more}");
        let admitted = server.ask(&line.split(' ').collect::<Vec<_>>()).json();
        sign(&server, "authority", &admitted);
        admitted
    };
    let active = |who: &str| {
        let key = format!("{who}.key");
        until(|| server.ask(&["participant", "show", "--api-key-file", &key]).json()["status"] == "active");
    };
    let laboratory = admit(
        "issuer",
        &format!("--name Labor --category {CATEGORY} --card laboratory.jwt --save-api-key laboratory.key"),
    );
    sign(&server, "laboratory", &laboratory);
    active("laboratory");

    // The laboratory's DID goes over to its new account, the authority's contracts to its own.
    let did = text(&laboratory, "/participant/did");
    let asked = rotate(&server, "laboratory");
    assert_eq!(asked["prepared"].as_array().unwrap().len(), 1);
    until(|| account_states(&server, "laboratory") == ["retired", "active"]);
    let asked = rotate(&server, "authority");
    assert_eq!(asked["prepared"].as_array().unwrap().len(), 1 + 3 + 3, "{asked}");
    until(|| account_states(&server, "authority") == ["retired", "active"]);
    admit(
        "verifier",
        "--name Air --attribute result --purpose boarding --save-api-key verifier.key",
    );
    active("verifier");

    // What the laboratory signs now is its DID's, and its new account signs it.
    server.ask(&["wallet", "new"]).json();
    server.keep("card.jwt", server.run(&["wallet", "card"]));
    server.write("fhir.json", &fhir());
    let issue = "issue --fhir fhir.json --card card.jwt --format vc-jwt-1.1 --api-key-file laboratory.key";
    let issued = server.ask(&issue.split(' ').collect::<Vec<_>>()).json();
    let signs = text(&issued, "/copies/0/to_sign/account");
    assert!(!did.contains(&signs), "{signs} is not the account that {did} names");
    let sign =
        "keys sign-copies - --keys laboratory.keys --api-key-file laboratory.key --fhir fhir.json --card card.jwt";
    let signed = server
        .with_input(&sign.split(' ').collect::<Vec<_>>(), &issued.to_string())
        .json();
    let result = text(&issued, "/result");
    until(|| {
        let view = server
            .ask(&["result", "show", &result, "--api-key-file", "laboratory.key"])
            .json();
        view["certificate"]["copies"][0]["anchored"] == true
    });
    let content = content_id(&signed, "vc-jwt-1.1");
    server
        .ask(&["wallet", "receive", &content, "--from", &server.url])
        .json();
    server.ask(&["wallet", "counter-sign", "1"]).json();
    server.present();
    server.check("presentation.jwt").checked(0, "signature_ok");
}

#[test]
fn an_operator_makes_a_new_api_key_for_an_authority_that_lost_its_own() {
    finds_back_in("");
}

#[test]
fn an_operator_makes_a_new_api_key_on_postgresql_too() {
    let Some(place) = testing::postgres() else { return };
    finds_back_in(&format!("[database]\nurl = \"{}\"\n", postgres_url(&place)));
}

fn finds_back_in(database: &str) {
    let server = Deployment::serve_with(database, |_| {});
    server.with_participants();
    let own = |key: &str| server.ask(&["participant", "list", "--api-key-file", key]);
    // Beside the server that runs: it takes files, not an API key.
    let made = server
        .ask(&["authority-key", "--days", "7", "--save-api-key", "new.key"])
        .json();
    assert_eq!(made["secret"], "in new.key");
    assert_eq!(made["others"].as_array().unwrap().len(), 1);
    own("new.key").json();
    own("authority.key").json();
    let unknown = uuid();
    server
        .ask(&["authority-key", "--revoke", &unknown])
        .refused(2, &["no API key of the authority"]);
    let lost = text(&made, "/others/0/id");
    let again = server
        .ask(&["authority-key", "--revoke", &lost, "--save-api-key", "second.key"])
        .json();
    assert_eq!(again["others"].as_array().unwrap().len(), 2);
    own("authority.key").refused(4, &["API key"]);
    own("new.key").json();
    let last = server
        .ask(&["authority-key", "--revoke-others", "--save-api-key", "last.key"])
        .json();
    assert!(
        last["others"]
            .as_array()
            .unwrap()
            .iter()
            .all(|key| key["revoked"] == true)
    );
    for lost in ["new.key", "second.key"] {
        own(lost).refused(4, &["API key"]);
    }
    // Recorded, in a log that is whole.
    let audit = server.ask(&["audit", "list", "--api-key-file", "last.key"]).json();
    let entries = audit["items"].as_array().unwrap();
    let count = |operation: &str| entries.iter().filter(|entry| entry["operation"] == operation).count();
    assert_eq!((count("recover-api-key"), count("revoke-api-key")), (3, 3), "{audit}");
    let verdict = server.ask(&["audit", "verify", "--api-key-file", "last.key"]).json();
    assert_eq!(verdict["whole"], true);

    // Not with another deployment's root key.
    let other = Deployment::serve();
    std::fs::copy(other.path("keys/root.key"), server.path("other.key")).unwrap();
    let config = server.read("vidimus.toml").replace("keys/root.key", "other.key");
    server.write("other.toml", &config);
    server
        .ask(&["--config", "other.toml", "authority-key"])
        .refused(6, &["root key"]);
}

fn uuid() -> String {
    vidimus_core::id::ApiKeyId::generate(&mut vidimus_crypto::OsEntropy).to_string()
}
