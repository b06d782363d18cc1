//! A laboratory's offers and an airline's requests from the command line.

use super::place::{Deployment, fhir, text};
use serde_json::json;

#[test]
fn offers_and_requests_are_made_shown_and_taken_back() {
    let server = Deployment::serve();
    server.with_participants();
    let lab = ["--api-key-file", "issuer.key"];
    let airline = ["--api-key-file", "verifier.key"];
    let of_lab = |words: &[&str]| server.ask(&[&["offer"], words, &lab].concat());
    let of_airline = |words: &[&str]| server.ask(&[&["presentation"], words, &airline].concat());
    server.write("fhir.json", &fhir());
    let issued = server
        .ask(&[&["issue", "--fhir", "fhir.json", "--format", "hcert"], &lab[..]].concat())
        .json();
    let result = text(&issued, "/result");

    let offer = of_lab(&[
        "create",
        "--result",
        &result,
        "--format",
        "dc+sd-jwt",
        "--output",
        "offer.svg",
    ])
    .json();
    assert_eq!(text(&offer, "/tx_code/code").len(), 8);
    assert!(text(&offer, "/link").starts_with("openid-credential-offer://?credential_offer_uri="));
    assert!(server.read("offer.svg").starts_with("<?xml") || server.read("offer.svg").starts_with("<svg"));
    let id = text(&offer, "/id");
    let people = server.run(&[&["offer", "show", &id], &lab[..]].concat());
    assert!(
        people.out.contains("open") && !people.out.contains(&text(&offer, "/tx_code/code")),
        "{}",
        people.out
    );
    let haip = of_lab(&[
        "create",
        "--category",
        "sars-cov-2-naat",
        "--haip",
        "--expires-in",
        "600",
    ])
    .json();
    assert_eq!((&haip["haip"], &haip["result"]), (&json!(true), &json!(null)));
    assert_eq!(of_lab(&["list"]).json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(of_lab(&["withdraw", &id]).json()["state"], "withdrawn");
    server.write("contact.txt", "+436641234567\n");
    of_lab(&["create", "--result", &result, "--contact", "contact.txt"]).refused(4, &["no-second-channel"]);
    server.write("contact.txt", "Anna");
    of_lab(&["create", "--result", &result, "--contact", "contact.txt"]).refused(2, &["contact"]);
    of_lab(&["create", "--result", &result, "--format", "hcert"]).refused(2, &["/formats/0", "dc+sd-jwt"]);
    of_lab(&["create"]).refused(2, &["--result", "--category"]);
    of_lab(&["show", "00000000-0000-4000-8000-000000000000"]).refused(4, &["not-found"]);

    let asked = [
        "ask",
        "--category",
        "sars-cov-2-naat",
        "--purpose",
        "boarding",
        "--attribute",
        "result",
    ];
    let made = of_airline(&[&asked[..], &["--purpose-text", "Your flight"]].concat()).json();
    assert!(text(&made, "/link").starts_with("openid4vp://?"));
    let id = text(&made, "/id");
    assert_eq!(of_airline(&["show", &id]).json()["state"], "made");
    assert_eq!(of_airline(&["list"]).json()["items"].as_array().unwrap().len(), 1);
    of_airline(&[&asked[..], &["--attribute", "birth_date"]].concat()).refused(4, &["attribute-not-granted"]);
    of_airline(&[
        "ask",
        "--category",
        "sars-cov-2-naat",
        "--purpose",
        "marketing",
        "--attribute",
        "result",
    ])
    .refused(4, &["purpose-not-granted"]);
    assert_eq!(of_airline(&["withdraw", &id]).json()["state"], "withdrawn");
    server.write("request.json", &json!({"purpose": "boarding"}).to_string());
    of_airline(&["ask", "--request", "request.json"]).refused(2, &["credentials"]);
}
