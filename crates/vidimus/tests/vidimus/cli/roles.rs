//! Authority, laboratory, traveller, airline and a gate without a network, with keys that the deployment keeps.

use super::place::{CATEGORY, Deployment, content_id, fhir, text, until};
use crate::foreign::Country;
use serde_json::json;
use vidimus_core::encoding;

#[test]
fn each_role_does_its_part_from_the_command_line() {
    let server = Deployment::serve();
    let (laboratory, airline) = server.with_participants();

    // The traveller makes an identity; the laboratory issues for it.
    let made = server.ask(&["wallet", "new"]).json();
    assert!(text(&made, "/did").starts_with("did:ethr:0x56494d:0x"));
    server.keep("card.jwt", server.run(&["wallet", "card"]));
    server.write("fhir.json", &fhir());
    let lab = ["--api-key-file", "issuer.key"];
    let formats = [
        "--format",
        "vc-jwt-1.1",
        "--format",
        "hcert",
        "--card",
        "card.jwt",
        "--wait",
    ];
    let issued = server
        .ask(&[&["issue", "--fhir", "fhir.json"], &formats[..], &lab].concat())
        .json();
    assert!(
        issued["copies"]
            .as_array()
            .unwrap()
            .iter()
            .all(|copy| copy["anchored"] == true),
        "{issued}"
    );
    let again = server.ask(&[&["issue", "--fhir", "fhir.json"], &formats[..], &lab].concat());
    again.refused(4, &["replace"]);

    // The traveller takes it in; another wallet cannot.
    let content = content_id(&issued, "vc-jwt-1.1");
    let received = server
        .ask(&["wallet", "receive", &content, "--from", &server.url])
        .json();
    assert_eq!((&received["number"], &received["anchored"]), (&json!(1), &json!(true)));
    server
        .ask(&["wallet", "receive", &content, "--from", &server.url])
        .refused(4, &["already"]);
    server.ask(&["wallet", "new", "--wallet", "other.vidimus"]).json();
    let other = [
        "wallet",
        "receive",
        &content,
        "--from",
        &server.url,
        "--wallet",
        "other.vidimus",
    ];
    server.ask(&other).refused(4, &["other keys", "card"]);
    server.ask(&["wallet", "counter-sign", "1"]).json();

    // The airline asks and checks: valid, once.
    server.present();
    let answer = server.check("presentation.jwt").checked(0, "nonce_ok");
    assert_eq!(answer["attributes"]["family_name"], "Achleitner-Sørby");
    assert_eq!(
        answer["attributes"].as_object().unwrap().len(),
        2,
        "only what it was admitted for: {answer}"
    );
    server.check("presentation.jwt").checked(1, "nonce_mismatch");
    let history = server.ask(&["wallet", "history"]).json();
    assert_eq!(history["shown"].as_array().unwrap().len(), 1);
    server.present();
    let people = server.run(&[
        "check",
        "presentation.jwt",
        "--purpose",
        "boarding",
        "--api-key-file",
        "verifier.key",
    ]);
    assert_eq!(people.code, 0, "{}", people.err);
    for part in [
        "V A L I D",
        "Not detected",
        "Labor Donauraum",
        "✓ signature",
        "✓ holder binding",
    ] {
        assert!(people.out.contains(part), "{part:?} is not in: {}", people.out);
    }

    // What is not shown as an answer, cut, altered or asked for too much.
    server.keep("envelope.json", server.run(&["wallet", "export", "1"]));
    server.check("envelope.json").checked(3, "holder_binding_missing");
    let copy = server.keep("copy.jwt", server.run(&["wallet", "show", "1"]));
    server.write("cut.jwt", &copy[..copy.len() / 2]);
    server.check("cut.jwt").checked(1, "unsupported_format");
    server.present();
    let beyond = [
        "check",
        "presentation.jwt",
        "--purpose",
        "boarding",
        "--attribute",
        "birth_date",
    ];
    server
        .ask(&[&beyond[..], &["--api-key-file", "verifier.key"]].concat())
        .refused(4, &["attribute-not-granted", "/attributes"]);
    server
        .ask(&[
            "check",
            "presentation.jwt",
            "--purpose",
            "marketing",
            "--api-key-file",
            "verifier.key",
        ])
        .refused(4, &["purpose-not-granted"]);
    server
        .ask(&["check", "presentation.jwt", "--purpose", "boarding"])
        .refused(2, &["--api-key-file", "VIDIMUS_API_KEY"]);
    server
        .ask(&[
            "check",
            "presentation.jwt",
            "--purpose",
            "boarding",
            "--api-key-file",
            "issuer.key",
        ])
        .refused(4, &["role"]);
    server.write("bad.key", "vk_nonsense");
    server
        .ask(&["result", "list", "--api-key-file", "bad.key"])
        .refused(4, &["API key", "request "]);

    // Offline, with a bundle and a pinned root.
    let fetched = server.ask(&["bundle", "--save-root", "root.pem"]).json();
    assert_eq!(text(&fetched, "/root/sha256").len(), 64);
    let root_again = server.ask(&["bundle", "--save-root", "root.pem"]);
    root_again.refused(2, &["root.pem", "not replaced"]);
    let audience = text(
        &server
            .ask(&["participant", "show", "--api-key-file", "verifier.key"])
            .json(),
        "/did",
    );
    let answer = server.check_offline(&audience, "gate-1").checked(0, "receipt_ok");
    assert!(answer["bundle"]["age"].as_i64().unwrap() < 120);
    server.answered_offline("gate-1.json").checked(1, "nonce_mismatch");

    // The traveller prints both codes of the health certificate; the gate scans them without a network.
    let hcert = content_id(&issued, "hcert");
    server.ask(&["wallet", "receive", &hcert, "--from", &server.url]).json();
    server.ask(&["wallet", "print", "2", "--output", "paper.txt"]).json();
    let second = ["wallet", "print", "2", "--evidence", "--output"];
    server.ask(&[&second[..], &["evidence.txt"]].concat()).json();
    server.ask(&[&second[..], &["evidence.svg"]].concat()).json();
    assert!(server.read("evidence.svg").contains("<svg"));
    server.ask(&["wallet", "print", "1"]).refused(4, &["HCERT"]);
    // Without a file too, the answer is JSON where that was asked for.
    let drawn = |words: &[&str], form: &str| {
        let answer = server.ask(words).json();
        assert_eq!(text(&answer, "/form"), form);
        answer
    };
    let printed = text(&drawn(&["wallet", "print", "2"], "text"), "/text");
    assert_eq!(format!("{printed}\n"), server.read("paper.txt"));
    assert_eq!(server.run(&["wallet", "print", "2"]).out, server.read("paper.txt"));
    let shown = text(&drawn(&["wallet", "print", "2", "--evidence"], "text"), "/text");
    assert_eq!(format!("{shown}\n"), server.read("evidence.txt"));
    let svg = text(&drawn(&["wallet", "print", "2", "--form", "svg"], "svg"), "/text");
    assert!(svg.starts_with("<?xml") && svg.ends_with("</svg>"), "{svg}");
    let png = text(&drawn(&["wallet", "print", "2", "--form", "png"], "png"), "/base64");
    assert!(encoding::from_base64(&png).unwrap().starts_with(b"\x89PNG"));
    let fetched = server.run(&["evidence", "paper.txt"]);
    assert_eq!(
        fetched.out.trim(),
        server.read("evidence.txt").trim(),
        "{}",
        fetched.err
    );
    let gate = ["check", "paper.txt", "--bundle", "bundle.jwt", "--root", "root.pem"];
    let with = |more: &[&'static str]| [&gate[..], more].concat();
    server
        .ask(&with(&["--evidence", "evidence.txt"]))
        .checked(0, "receipt_ok");
    server.ask(&with(&[])).checked(3, "evidence_missing");
    let waived = server
        .ask(&with(&["--accept-without-evidence"]))
        .checked(0, "receipt_waived");
    assert_eq!(waived["accepted_without_evidence"], true);
    let people = server.run(&with(&["--accept-without-evidence"]));
    assert!(people.out.contains("Accepted without its evidence"), "{}", people.out);
    server.write(
        "both.txt",
        &format!("{}\n{}", server.read("evidence.txt"), server.read("paper.txt")),
    );
    server
        .ask(&[&["check", "both.txt"], &gate[2..]].concat())
        .checked(0, "receipt_ok");

    // Others beside the deployment's own: each is judged by those whom it is of.
    let country = Country::new();
    std::fs::create_dir_all(server.path("trusted/issuers")).unwrap();
    server.write("trusted/issuers/country.pem", &country.root_pem());
    server.write("permit.txt", &country.permit_with(|_| {}));
    let at_gate =
        |file: &'static str, more: &[&'static str]| server.ask(&[&["check", file], &gate[2..], more].concat());
    at_gate("permit.txt", &["--trust", "trusted"]).checked(0, "issuer_trusted");
    at_gate("permit.txt", &[]).checked(1, "key_unknown");
    at_gate("both.txt", &["--trust", "trusted"]).checked(0, "receipt_ok");

    // Paper: drawn, and checked online and against the laboratory's certificate as a foreigner would.
    let result = text(&issued, "/result");
    let added = server
        .ask(&[&["copies", "add", &result, "--format", "hcert"], &lab[..]].concat())
        .json();
    let copies = added["copies"].as_array().unwrap();
    let paper = text(copies.iter().find(|copy| copy["content_id"].is_null()).unwrap(), "/id");
    for (file, start) in [("qr.svg", &b"<?xml"[..]), ("qr.png", b"\x89PNG"), ("qr.txt", b"HC1:")] {
        server
            .ask(&[&["paper", &paper, "--output", file], &lab[..]].concat())
            .json();
        assert!(std::fs::read(server.path(file)).unwrap().starts_with(start), "{file}");
    }
    let drawn = server.ask(&[&["paper", &paper], &lab[..]].concat()).json();
    assert_eq!(
        (text(&drawn, "/form"), text(&drawn, "/text")),
        ("text".into(), server.read("qr.txt"))
    );
    let issuers = ["participant", "show", &laboratory, "--api-key-file", "authority.key"];
    let keys = server.ask(&issuers).json()["keys"].clone();
    let signer = keys
        .as_array()
        .unwrap()
        .iter()
        .find_map(|key| key["certificate"].as_str())
        .unwrap()
        .to_owned();
    server.write("trust.json", &json!([signer]).to_string());
    let foreign = server
        .ask(&["check", "qr.txt", "--trust-list", "trust.json"])
        .checked(3, "issuer_trusted");
    let tests = foreign["tests"].to_string();
    assert!(
        tests.contains("signature_ok") && tests.contains("status_missing"),
        "{foreign}"
    );

    // Suspended, resumed; granted, withdrawn; keys made and revoked; the log is whole.
    let authority = ["--api-key-file", "authority.key"];
    let participant =
        |verb: &str, more: &[&str]| server.ask(&[&["participant", verb, &laboratory], more, &authority[..]].concat());
    participant("suspend", &["--reason", "audit"]).json();
    until(|| participant("show", &[]).json()["status"] == "suspended");
    server.present();
    server.check("presentation.jwt").checked(1, "issuer_suspended");
    participant("resume", &[]).json();
    until(|| participant("show", &[]).json()["status"] == "active");
    participant("grant", &["--category", "sars-cov-2-antigen"]).json();
    until(|| participant("show", &[]).json()["categories"].as_array().unwrap().len() == 2);
    participant("withdraw", &["--category", "sars-cov-2-antigen"]).json();
    until(|| participant("show", &[]).json()["categories"].as_array().unwrap().len() == 1);
    assert_eq!(
        server
            .ask(&["participant", "list", "--api-key-file", "authority.key"])
            .json()["items"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let key = server
        .ask(&[
            "api-key",
            "create",
            "--permission",
            "check",
            "--label",
            "gate",
            "--api-key-file",
            "verifier.key",
        ])
        .json();
    let (id, secret) = (text(&key, "/id"), text(&key, "/secret"));
    server.write("gate.key", &secret);
    server
        .ask(&["request", "--purpose", "boarding", "--api-key-file", "gate.key"])
        .json();
    server
        .ask(&["api-key", "list", "--api-key-file", "gate.key"])
        .refused(4, &["permission"]);
    assert!(
        !server
            .run(&["--json", "api-key", "list", "--api-key-file", "verifier.key"])
            .out
            .contains(&secret)
    );
    server
        .ask(&["api-key", "revoke", &id, "--api-key-file", "verifier.key"])
        .json();
    server
        .ask(&["request", "--purpose", "boarding", "--api-key-file", "gate.key"])
        .refused(4, &["API key"]);
    assert!(server.run(&["category", "list"]).out.contains(CATEGORY));
    assert_eq!(server.ask(&["category", "show", CATEGORY]).json()["id"], CATEGORY);
    let log = server
        .ask(&["audit", "verify", "--api-key-file", "authority.key"])
        .json();
    assert!(log["whole"] == true && log["entries"].as_u64().unwrap() > 5, "{log}");
    assert!(
        server
            .run(&["audit", "list", "--api-key-file", "authority.key"])
            .out
            .contains("set-up")
    );
    server
        .ask(&["participant", "show", &airline, "--api-key-file", "verifier.key"])
        .refused(4, &["role"]);

    // Revoked: online at once, offline with a fresh bundle; the one before is not taken again.
    std::fs::copy(server.path("bundle.jwt"), server.path("old.jwt")).unwrap();
    let certificate = text(&issued, "/certificate");
    server
        .ask(&[&["revoke", &certificate, "--reason", "because of Mr X"], &lab[..]].concat())
        .refused(2, &["/reason"]);
    let revoked = server
        .ask(&[&["revoke", &certificate, "--reason", "error"], &lab[..]].concat())
        .json();
    assert_eq!(revoked["status"], "revoked");
    server.present();
    let answer = server.check("presentation.jwt").checked(1, "revoked");
    assert_eq!(
        answer["attributes"],
        json!({}),
        "nothing is shown of what does not hold"
    );
    server.check("qr.txt").checked(1, "revoked");
    server.ask(&["bundle", "--root", "root.pem"]).json();
    server.check_offline(&audience, "gate-2").checked(1, "revoked");
    std::fs::copy(server.path("old.jwt"), server.path("bundle.jwt")).unwrap();
    server
        .check_offline(&audience, "gate-3")
        .refused(4, &["older than", "vidimus bundle"]);
    server.ask(&["bundle", "--root", "root.pem"]).json();
    let listed = server.ask(&[&["result", "list"], &lab[..]].concat()).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let shown = server.ask(&[&["result", "show", &result], &lab[..]].concat()).json();
    assert_eq!(shown["result"], result);

    // A bundle of one deployment is nothing to who pinned another's root.
    let elsewhere = Deployment::serve();
    elsewhere.ask(&["bundle", "--save-root", "root.pem"]).json();
    std::fs::copy(server.path("bundle.jwt"), elsewhere.path("bundle.jwt")).unwrap();
    std::fs::copy(server.path("copy.jwt"), elsewhere.path("copy.jwt")).unwrap();
    elsewhere
        .ask(&["check", "copy.jwt", "--bundle", "bundle.jwt", "--root", "root.pem"])
        .refused(4, &["root certificate"]);
}
