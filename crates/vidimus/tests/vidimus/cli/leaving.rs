//! A traveller leaves presentations for airlines: one keeps its own keys, the keys of the other are kept by the deployment. Nobody else reads them.

use super::{
    claiming::{claimed, everything, until_anchored},
    place::{AIRLINE, Deployment, Ended, text, until},
};
use crate::server::Api;
use serde_json::{Value, json};
use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _};
use vidimus_core::encoding::from_base64url;

/// A deployment with both airlines, and a traveller with three copies of a certificate; the id of the airline that keeps its own keys.
async fn scene() -> (Deployment, Api, String) {
    let server = Deployment::serve();
    server.with_participants();
    server.ask(&["keys", "new", "--keys", "airline.keys"]).json();
    server.keep("airline.jwt", server.run(&["keys", "card", "--keys", "airline.keys"]));
    let with_card = [AIRLINE, &["--card", "airline.jwt"]].concat();
    let airline = server.admit("verifier", "Blue Air", "airline.key", &with_card);
    let api = claimed(&server, &server.url, "P1234567", "dc+sd-jwt", "3").await;
    until_anchored(&server, 3);
    (server, api, airline)
}

/// The traveller leaves two attributes.
fn leave(server: &Deployment, who: &str, purpose: &str, attribute: &str, more: &[&str]) -> Ended {
    let base = ["wallet", "leave", who, "--loopback", "--certificate", "c1"];
    let what = ["--purpose", purpose, "--attribute", "result", "--attribute", attribute];
    server.ask(&[&base[..], &what, more].concat())
}

/// What an airline does with what was left for it.
fn left(server: &Deployment, key: &str, words: &[&str]) -> Ended {
    server.ask(&[&["presentation", "left"], words, &["--api-key-file", key]].concat())
}

/// Ids of what waits for an airline.
fn waiting(server: &Deployment, key: &str) -> Vec<String> {
    let listed = left(server, key, &["list"]).json();
    let items = listed["items"].as_array().unwrap().iter();
    items.map(|one| text(one, "/id")).collect()
}

#[tokio::test]
async fn a_presentation_is_left_for_a_verifier_and_nobody_else_reads_it() {
    let (server, api, airline) = scene().await;

    // Shown first, with each value; then left.
    let shown = leave(&server, "Blue Air", "boarding", "family_name", &[]).json();
    assert_eq!(shown["outcome"], "shown");
    let attributes = shown["consent"]["credentials"][0]["attributes"].as_array().unwrap();
    let attributes: BTreeMap<_, _> = attributes
        .iter()
        .map(|one| (text(one, "/name"), text(one, "/value")))
        .collect();
    assert_eq!(attributes["family_name"], "Musterfrau");
    assert_eq!((attributes["result"].as_str(), attributes.len()), ("260415000", 2));
    let refused = |who: &str, purpose: &str, attribute: &str, parts: &[&str]| {
        leave(&server, who, purpose, attribute, &["--yes"]).refused(4, parts);
    };
    refused(
        "Blue Air",
        "marketing",
        "family_name",
        &["purpose marketing", "nothing was left"],
    );
    refused(
        "Blue Air",
        "boarding",
        "birth_date",
        &["asks for birth_date", "nothing was left"],
    );
    refused("Green Air", "boarding", "family_name", &["no registry"]);
    assert!(waiting(&server, "airline.key").is_empty(), "nothing was sent so far");
    let said = leave(&server, &airline, "boarding", "family_name", &["--yes"]).json();
    assert_eq!(
        (&said["outcome"], &said["shared"]["name"]),
        (&json!("left"), &json!("Blue Air"))
    );
    assert_eq!(server.ask(&["wallet", "list"]).json()["claimed"][0]["unused"], 2);
    let id = text(&said, "/left/id");
    assert_eq!(waiting(&server, "airline.key"), [id.as_str()]);
    assert!(waiting(&server, "verifier.key").is_empty());
    let path = format!("/v1/left-presentations/{id}");
    let read = api.get(Some(server.read("airline.key").trim()), &path).await;
    let payload = text(&read, "/payload");
    assert!(!String::from_utf8_lossy(&from_base64url(&payload).unwrap()).contains("eyJ"));

    opened_by_its_own_keys(&server, &id);
    opened_and_checked_apart(&server, &id);
    nobody_else_opens_it(&server, &id);

    // Rubbish can be left by anybody; it is told from what was sealed for somebody else by nobody.
    let rubbish = json!({"verifier": airline, "payload": "c2VhbGVk"});
    let rubbish = api.post(None, "/v1/left-presentations", &rubbish).await;
    let open = [
        "open",
        &text(&rubbish, "/id"),
        "--keys",
        "airline.keys",
        "--purpose",
        "boarding",
    ];
    left(&server, "airline.key", &open).refused(4, &["sealed for other keys", "remove it"]);

    // Removed, it is gone.
    left(&server, "airline.key", &["remove", &id]).json();
    left(&server, "airline.key", &["remove", &id]).refused(4, &["not-found"]);
    let open = ["open", &id, "--keys", "airline.keys", "--purpose", "boarding"];
    left(&server, "airline.key", &open).refused(4, &["not-found"]);

    who_is_suspended_is_left_nothing_and_opens_nothing(&server, &api, &airline, &payload).await;
}

/// Offline with a bundle, and on the server, which is given what was opened; as often as the airline likes.
fn opened_by_its_own_keys(server: &Deployment, id: &str) {
    server
        .ask(&["bundle", "--output", "bundle.jwt", "--save-root", "root.pem"])
        .json();
    let own = ["open", id, "--keys", "airline.keys"];
    let here = ["--bundle", "bundle.jwt", "--root", "root.pem"];
    for way in [&here[..], &["--purpose", "boarding"], &here] {
        let answer = left(server, "airline.key", &[&own[..], way].concat()).checked(0, "nonce_ok");
        let shown = answer["attributes"].as_object().unwrap();
        assert_eq!(
            (&shown["family_name"], &shown["result"]),
            (&json!("Musterfrau"), &json!("260415000"))
        );
        assert!(shown.get("given_name").is_none(), "it was not disclosed: {answer}");
        assert_eq!(
            (text(&answer, "/left/purpose"), text(&answer, "/left/id")),
            ("boarding".to_owned(), id.to_owned())
        );
    }
    let less = ["--purpose", "boarding", "--attribute", "result"];
    let answer = left(server, "airline.key", &[&own[..], &less].concat()).checked(0, "nonce_ok");
    assert_eq!(answer["attributes"], json!({"result": "260415000"}));
    let people = [
        &["presentation", "left"],
        &own[..],
        &here,
        &["--api-key-file", "airline.key"],
    ]
    .concat();
    let people = server.run(&people);
    assert_eq!(people.code, 0, "{}", people.err);
    for part in ["V A L I D", "boarding", "Musterfrau", "✓ nonce"] {
        assert!(people.out.contains(part), "{part:?} is not in: {}", people.out);
    }
    let refused = |way: &[&str], code: i32, parts: &[&str]| {
        left(server, "airline.key", &[&own[..], way].concat()).refused(code, parts);
    };
    refused(&["--purpose", "marketing"], 4, &["purpose-not-granted"]);
    refused(
        &["--purpose", "boarding", "--attribute", "birth_date"],
        4,
        &["attribute-not-granted"],
    );
    refused(&[], 2, &["--purpose", "--bundle", "--output"]);
    refused(
        &["--purpose", "boarding", "--trust-list", "root.pem"],
        2,
        &["--trust-list"],
    );
    server.write("wrong.txt", "another passphrase");
    refused(
        &["--passphrase-file", "wrong.txt", "--purpose", "boarding"],
        4,
        &["the passphrase is not"],
    );
}

/// Opened into a file, and checked like anything else with the request that was sealed with it.
fn opened_and_checked_apart(server: &Deployment, id: &str) {
    let open = ["open", id, "--keys", "airline.keys", "--output", "left.json"];
    let opened = left(server, "airline.key", &open).json();
    assert_eq!(opened["verdict"], Value::Null, "nothing was checked: {opened}");
    let mode = std::fs::metadata(server.path("left.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0, "it is about somebody");
    left(server, "airline.key", &open).refused(2, &["left.json"]);
    server.write("request.json", &opened["left"].to_string());
    let with = [
        "--bundle",
        "bundle.jwt",
        "--root",
        "root.pem",
        "--request",
        "request.json",
    ];
    let said = server
        .ask(&[&["check", "left.json"], &with[..]].concat())
        .checked(0, "nonce_ok");
    assert!(!said.to_string().contains("Gabriele"), "{said}");
}

fn nobody_else_opens_it(server: &Deployment, id: &str) {
    let open = |key: &str, more: &[&str]| left(server, key, &[&["open", id][..], more].concat());
    open("verifier.key", &["--purpose", "boarding"]).refused(4, &["not-found"]);
    open("airline.key", &["--purpose", "boarding"]).refused(4, &["own-keys", "--keys"]);
    open("airline.key", &[]).refused(2, &["--purpose", "--keys"]);
    let here = ["--bundle", "bundle.jwt", "--root", "root.pem"];
    open("airline.key", &here).refused(2, &["--keys"]);
    server.ask(&["keys", "new", "--keys", "others.keys"]).json();
    let others = [&["--keys", "others.keys"], &here[..]].concat();
    open("airline.key", &others).refused(4, &["sealed for other keys"]);
}

/// Neither by the wallet nor by the deployment; and what was left before waits for nobody.
async fn who_is_suspended_is_left_nothing_and_opens_nothing(
    server: &Deployment,
    api: &Api,
    airline: &str,
    payload: &str,
) {
    let before = leave(server, "Blue Air", "boarding", "family_name", &["--yes"]).json();
    server.suspend(airline);
    until(|| {
        let answer = leave(server, "Blue Air", "boarding", "family_name", &[]);
        answer.code == 4 && (answer.out + &answer.err).contains("suspended")
    });
    leave(server, "Blue Air", "boarding", "family_name", &["--yes"]).refused(4, &["suspended"]);
    let open = ["open", &text(&before, "/left/id"), "--keys", "airline.keys"];
    for way in [
        &["--purpose", "boarding"][..],
        &["--bundle", "bundle.jwt", "--root", "root.pem"],
    ] {
        left(server, "airline.key", &[&open[..], way].concat()).refused(4, &["permission-missing"]);
    }
    let mut details = Vec::new();
    for verifier in [airline, "00000000-0000-4000-8000-000000000000"] {
        let body = json!({"verifier": verifier, "payload": payload});
        let (status, answer) = api
            .send(None, "POST", "/v1/left-presentations", Some(&body), "")
            .await
            .unwrap();
        details.push((status, text(&answer, "/detail")));
    }
    assert_eq!(details[0], details[1], "as if there were none");
}

#[tokio::test]
async fn the_deployment_opens_for_a_verifier_whose_keys_it_keeps() {
    let (server, ..) = scene().await;
    let said = leave(&server, "Danube Air", "boarding", "family_name", &["--yes"]).json();
    let id = text(&said, "/left/id");
    let open = |more: &[&str]| left(&server, "verifier.key", &[&["open", &id][..], more].concat());
    for _ in 0..2 {
        let answer = open(&["--purpose", "boarding"]).checked(0, "nonce_ok");
        assert_eq!(
            answer["attributes"],
            json!({"family_name": "Musterfrau", "result": "260415000"})
        );
    }
    open(&["--purpose", "marketing"]).refused(4, &["purpose-not-granted"]);
    open(&["--purpose", "boarding", "--output", "left.json"]).refused(2, &["--keys"]);
    open(&["--purpose", "boarding", "--keys", "airline.keys"]).refused(4, &["sealed for other keys"]);
    let other = ["open", &id, "--keys", "airline.keys", "--purpose", "boarding"];
    left(&server, "airline.key", &other).refused(4, &["not-found"]);
    left(&server, "verifier.key", &["remove", &id]).json();
    open(&["--purpose", "boarding"]).refused(4, &["not-found"]);
}

/// A certificate that is shown whole is left in a presentation that names the purpose itself.
#[tokio::test]
async fn a_whole_certificate_is_left_for_who_may_see_all_of_it() {
    let server = Deployment::serve();
    server.with_participants();
    let everything = everything();
    let mut grants = vec!["--purpose", "border", "--purpose", "statistics"];
    grants.extend(everything.iter().flat_map(|name| ["--attribute", name.as_str()]));
    server.admit("verifier", "Border Police", "border.key", &grants);
    claimed(&server, &server.url, "P1234567", "jwt_vc_json", "2").await;
    until_anchored(&server, 2);
    server.ask(&["wallet", "counter-sign", "c1", "--loopback"]).json();
    let leave = [
        "wallet",
        "leave",
        "Border Police",
        "--loopback",
        "--certificate",
        "c1",
        "--yes",
    ];
    let leave = [&leave[..], &["--purpose", "border", "--whole"]].concat();
    let id = text(&server.ask(&leave).json(), "/left/id");
    let open = |purpose: &str| left(&server, "border.key", &["open", &id, "--purpose", purpose]);
    for _ in 0..2 {
        let answer = open("border").checked(0, "nonce_ok");
        assert_eq!(answer["attributes"]["given_name"], "Gabriele", "{answer}");
    }
    open("statistics").checked(1, "purpose_mismatch");
}
