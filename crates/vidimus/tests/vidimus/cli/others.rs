//! Certificates of another country at a gate without a server.

use super::place::Place;
use crate::foreign::{Country, REVOKED, list_by, now, pem, signed_permit};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use vidimus_core::{Algorithm, Signer, encoding::base64};
use vidimus_credential::sd_jwt::key_binding;
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};

const LIST: &str = "https://office.example/lists/1";

/// A gate that trusts the country's authority.
fn gate(country: &Country) -> Place {
    let place = Place::new();
    for role in ["issuers", "status"] {
        std::fs::create_dir_all(place.path("trusted").join(role)).unwrap();
    }
    place.write("trusted/issuers/country.pem", &country.root_pem());
    place
}

#[test]
fn a_certificate_of_others_checks_against_a_directory_of_whom_one_trusts() {
    let country = Country::new();
    let place = gate(&country);
    let check = |copy: &str, more: &[&str]| {
        place.write("permit.txt", copy);
        place.ask(&[&["check", "permit.txt", "--trust", "trusted"], more].concat())
    };
    let plain = country.permit_with(|_| {});
    let answer = check(&plain, &[]).checked(0, "issuer_trusted");
    assert_eq!(answer["attributes"], json!({"family_name": "Gößinger", "level": 3}));
    let one = check(&plain, &["--attribute", "level"]).checked(0, "issuer_trusted");
    assert_eq!(one["attributes"], json!({"level": 3}));
    check(&Country::new().permit_with(|_| {}), &[]).checked(1, "issuer_unknown");
    check(&signed_permit(&country.lists, |_| {}), &[]).checked(1, "key_usage");
    // Its status, by a list that was fetched.
    let (good, revoked) = (country.permit(LIST, 5), country.permit(LIST, REVOKED));
    check(&good, &[]).checked(3, "status_missing");
    place.write("list.jwt", &country.list(LIST, Some(300)));
    let listed = ["--status-list", "list.jwt"];
    check(&good, &listed).checked(0, "status_ok");
    check(&revoked, &listed).checked(1, "revoked");
    place.write("other.jwt", &country.list("https://office.example/lists/2", Some(300)));
    check(&good, &["--status-list", "other.jwt"]).checked(3, "status_missing");
    check(&good, &["--status-list", "other.jwt", "--status-list", "list.jwt"]).checked(0, "status_ok");
    // Fetched long ago: the list asks to be fetched again.
    let file = std::fs::File::options()
        .write(true)
        .open(place.path("list.jwt"))
        .unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(2 * 86_400))
        .unwrap();
    check(&good, &listed).refused(2, &["list.jwt", "future"]);
    place.write("list.jwt", &list_by(&Country::new().lists, LIST, None, &[]));
    check(&good, &listed).checked(3, "status_missing");
    // By a signer of lists whom the gate trusts.
    let other = Country::new();
    place.write("list.jwt", &list_by(&other.lists, LIST, None, &[]));
    place.write("trusted/status/lists.pem", &pem(&other.lists.1));
    check(&good, &listed).checked(0, "status_ok");
    check(&signed_permit(&other.lists, |_| {}), &listed).checked(1, "issuer_unknown");
}

#[test]
fn a_trust_list_can_name_issuers_of_sd_jwt_vcs() {
    let country = Country::new();
    let place = Place::new();
    let list = json!({
        "sd_jwt_vc": {"authorities": [base64(&country.authority)]},
        "status_signers": {"jwks": {"keys": [country.lists.0.public_key()]}},
    });
    place.write("trust.json", &list.to_string());
    place.write("permit.txt", &country.permit(LIST, 5));
    place.write("list.jwt", &country.list(LIST, None));
    let check = ["check", "permit.txt", "--trust-list", "trust.json"];
    place.ask(&check).checked(3, "status_missing");
    let listed = [&check[..], &["--status-list", "list.jwt"]].concat();
    let answer = place.ask(&listed).checked(0, "status_ok");
    assert_eq!(answer["trust_list"]["signers"], 1);
    let by_key = json!({"sd_jwt_vc": {"issuers": [
        {"issuer": "https://office.example", "jwks": {"keys": [country.issuer.0.public_key()]}},
    ]}});
    place.write("trust.json", &by_key.to_string());
    place.write("permit.txt", &country.permit_with(|_| {}));
    place.ask(&check).checked(0, "issuer_trusted");
    place.write(
        "permit.txt",
        &country.permit_with(|claims| claims["iss"] = "https://other.example".into()),
    );
    place.ask(&check).checked(1, "key_unknown");
    place.write("trust.json", r#"{"sd_jwt_vc": {"authorities": ["AAAA"]}}"#);
    place.ask(&check).refused(2, &["trust.json", "sd_jwt_vc"]);
}

#[test]
fn what_is_said_of_whom_one_trusts_has_to_read() {
    let country = Country::new();
    let place = gate(&country);
    place.write("permit.txt", &country.permit_with(|_| {}));
    let check = ["check", "permit.txt"];
    let ask = |more: &[&str]| place.ask(&[&check[..], more].concat());
    ask(&[]).refused(2, &["--trust"]);
    ask(&["--trust", "nowhere"]).refused(2, &["nowhere", "issuers"]);
    ask(&["--status-list", "list.jwt"]).refused(2, &["--trust"]);
    ask(&["--trust", "trusted", "--purpose", "boarding"]).refused(2, &["--purpose"]);
    place.write("list.jwt", "x");
    ask(&["--trust", "trusted", "--status-list", "list.jwt"]).refused(2, &["list.jwt", "readable"]);
    ask(&["--trust", "trusted", "--status-list", "gone.jwt"]).refused(2, &["gone.jwt"]);
    place.write("trusted/status/broken.pem", "-----BEGIN CERTIFICATE-----");
    ask(&["--trust", "trusted"]).refused(2, &["broken.pem", "certificate"]);
}

#[test]
fn a_key_binding_answers_a_gates_own_request_once() {
    let country = Country::new();
    let place = gate(&country);
    let holder = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let copy = country.permit_with(|claims| claims["cnf"] = json!({"jwk": holder.public_key()}));
    let request = |name: &str| -> Value {
        let audience = ["--offline", "--audience", "https://gate.example"];
        place.keep(
            name,
            place.run(&[&["request", "--purpose", "entry"], &audience[..]].concat()),
        );
        serde_json::from_str(&place.read(name)).unwrap()
    };
    let bound = |request: &Value, audience: &str, key: &SigningKey| {
        let draft = key_binding::Draft {
            audience,
            nonce: request["nonce"].as_str().unwrap(),
            issued_at: now(),
            more: serde_json::Map::new(),
        };
        let unsigned = draft.prepare(copy.clone(), Algorithm::Es256, &Native::new());
        let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    };
    let check = |copy: &str, request: &str| {
        place.write("shown.txt", copy);
        place.ask(&["check", "shown.txt", "--trust", "trusted", "--request", request])
    };
    let answer = bound(&request("one.json"), "https://gate.example", &holder);
    check(&answer, "one.json").checked(0, "nonce_ok");
    check(&answer, "one.json").checked(1, "nonce_mismatch");
    let elsewhere = bound(&request("two.json"), "https://elsewhere.example", &holder);
    check(&elsewhere, "two.json").checked(1, "audience_mismatch");
    let thief = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let stolen = bound(&request("three.json"), "https://gate.example", &thief);
    check(&stolen, "three.json").checked(1, "holder_binding_invalid");
}
