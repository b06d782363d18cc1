//! The command line as each role uses it: the real program against a real server that it serves itself.

mod added;
mod asking;
mod breaking;
mod claiming;
mod hand_over;
mod leaving;
mod mistakes;
mod others;
mod own_keys;
mod place;
mod proxy;
mod renewal;
mod roles;
mod rotation;
mod showing;
mod telling;

use self::place::{Place, ended, text};
use serde_json::{Value, json};
use std::path::PathBuf;
use vidimus_store::testing;

/// Foreign data beside the checkout, unless `VIDIMUS_FOREIGN` says where it is.
const FOREIGN_BESIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/foreign");

#[test]
fn health_certificates_of_others_check_against_a_trust_list() {
    let foreign = std::env::var_os("VIDIMUS_FOREIGN").map_or_else(|| FOREIGN_BESIDE.into(), PathBuf::from);
    let file = foreign.join("dgc-testdata/AT/2DCode/raw/1.json");
    let Ok(content) = std::fs::read_to_string(&file) else {
        // On CI, too: the data are no part of the project.
        testing::tell("SKIPPED: foreign data: no dgc-testdata; set VIDIMUS_FOREIGN to the folder that holds it");
        return;
    };
    let case: Value = serde_json::from_str(&content).unwrap();
    let place = Place::new();
    place.write("qr.txt", &text(&case, "/PREFIX"));
    place.write("trust.json", &json!([text(&case, "/TESTCTX/CERTIFICATE")]).to_string());
    let ended = place.ask(&["check", "qr.txt", "--trust-list", "trust.json"]);
    let answer: Value = serde_json::from_str(&ended.out).unwrap();
    let tests = answer["tests"].to_string();
    for reason in ["signature_ok", "issuer_trusted"] {
        assert!(tests.contains(reason), "{reason}: {answer}");
    }
    // Somebody else's signers do not make it genuine.
    let other = std::fs::read_to_string(file.with_file_name("1.json").to_string_lossy().replace("/AT/", "/DE/"));
    if let Ok(other) = other {
        let other: Value = serde_json::from_str(&other).unwrap();
        place.write("other.json", &json!([text(&other, "/TESTCTX/CERTIFICATE")]).to_string());
        place
            .ask(&["check", "qr.txt", "--trust-list", "other.json"])
            .checked(1, "key_unknown");
    }
}

#[test]
fn the_demo_ends_well_and_leaves_nothing() {
    let place = Place::new();
    std::fs::create_dir(place.path("tmp")).unwrap();
    let mut demo = place.command(&["--json", "demo"]);
    demo.env("TMPDIR", place.path("tmp"));
    let told = ended(demo).json();
    assert_eq!(told["steps"].as_array().unwrap().len(), 23);
    assert_eq!(std::fs::read_dir(place.path("tmp")).unwrap().count(), 0);
}

#[test]
fn what_is_read_from_the_ledger_can_be_read_again() {
    let place = Place::new();
    place.ask(&["demo", "--home", "."]).json();
    let rebuilt = place.ask(&["rebuild"]).json();
    assert_eq!(text(&rebuilt, "/digest").len(), 64);
    assert_ne!(text(&rebuilt, "/digest"), "0".repeat(64), "there is something to read");
}
