//! Webhooks from the command line.

use super::place::{Deployment, text, until};
use serde_json::json;

#[test]
fn webhooks_are_made_tested_rotated_and_removed() {
    let server = Deployment::serve();
    let (laboratory, _) = server.with_participants();
    let lab = |words: &[&str]| server.ask(&[&["webhook"], words, &["--api-key-file", "issuer.key"]].concat());
    let airline = |words: &[&str]| server.ask(&[&["webhook"], words, &["--api-key-file", "verifier.key"]].concat());
    assert_eq!(lab(&["list"]).json()["items"], json!([]));

    let url = "https://receiver.invalid/hook";
    let made = lab(&[
        "create",
        "--to",
        url,
        "--kind",
        "registration.resumed",
        "--save-secret",
        "first.secret",
    ])
    .json();
    assert_eq!(
        (made["kinds"].clone(), text(&made, "/secret").starts_with("in ")),
        (json!(["registration.resumed"]), true),
        "the secret is in the file: {made}"
    );
    let first = server.read("first.secret");
    assert!(first.starts_with("whsec_"), "{first}");
    let id = text(&made, "/id");
    server.write("address.txt", "https://gateway.invalid/sms?token=geheim\n");
    let codes = lab(&["create", "--to-file", "address.txt", "--codes"]).json();
    assert_eq!((&codes["purpose"], &codes["kinds"]), (&json!("codes"), &json!([])));
    assert!(
        text(&codes, "/secret").starts_with("whsec_"),
        "without a file it is shown"
    );
    assert_eq!(lab(&["list"]).json()["items"].as_array().unwrap().len(), 2);

    let people = server.run(&["webhook", "show", &id, "--api-key-file", "issuer.key"]);
    assert!(
        people.out.contains(url) && people.out.contains("active"),
        "{}",
        people.out
    );
    assert!(!people.out.contains("whsec_"), "shown once: {}", people.out);
    lab(&["test", &id]).refused(5, &["does not resolve"]);

    let rotated = lab(&["rotate", &id, "--overlap", "600", "--save-secret", "next.secret"]).json();
    assert!(rotated["previous_until"].is_i64(), "{rotated}");
    assert_ne!(first, server.read("next.secret"));
    lab(&["rotate", &id, "--overlap", "700000"]).refused(2, &["secret-overlap"]);
    lab(&["rotate", &id, "--save-secret", "next.secret"]).refused(2, &["next.secret"]);

    let participant = |verb: &str, more: &[&str]| {
        let key = ["--api-key-file", "authority.key"];
        server
            .ask(&[&["participant", verb, &laboratory], more, &key].concat())
            .json()
    };
    participant("suspend", &["--reason", "audit"]);
    until(|| participant("show", &[])["status"] == "suspended");
    participant("resume", &[]);
    until(|| participant("show", &[])["status"] == "active");
    until(|| {
        let sent = lab(&["deliveries", &id]).json();
        let newest = &sent["items"][0];
        newest["kind"] == "registration.resumed" && newest["attempts"].as_u64() > Some(0)
    });
    let people = server.run(&["webhook", "deliveries", &id, "--api-key-file", "issuer.key"]);
    assert!(
        people.out.contains("waiting") && people.out.contains("does not resolve"),
        "{}",
        people.out
    );

    airline(&["show", &id]).refused(4, &["not-found"]);
    airline(&["delete", &id]).refused(4, &["not-found"]);
    airline(&["create", "--to", url, "--codes"]).refused(2, &["webhook-purpose"]);
    lab(&["create", "--to", url, "--kind", "nothing"]).refused(2, &["event-kind"]);
    lab(&["create", "--to", "http://127.0.0.1/"]).refused(2, &["webhook-url"]);
    lab(&["create"]).refused(2, &["--to"]);
    assert_eq!(lab(&["delete", &id]).json()["removed"], true);
    lab(&["show", &id]).refused(4, &["not-found"]);
}
