//! An authority and a laboratory that keep their own keys, and what their wallets refuse to sign.

use super::place::{CATEGORY, Deployment, content_id, fhir, text, until};
use serde_json::{Value, json};

fn sign_transactions<'a>(keys: &'a str, api_key: &'a str) -> [&'a str; 7] {
    [
        "keys",
        "sign-transactions",
        "-",
        "--keys",
        keys,
        "--api-key-file",
        api_key,
    ]
}

#[test]
fn authority_and_laboratory_keep_their_own_keys() {
    let server = Deployment::serve();
    for who in ["authority", "laboratory"] {
        let keys = format!("{who}.keys");
        server.ask(&["keys", "new", "--keys", &keys]).json();
        server.keep(&format!("{who}.jwt"), server.run(&["keys", "card", "--keys", &keys]));
    }
    let setup = [
        "setup",
        "--token-file",
        "-",
        "--name",
        "Ministry",
        "--country",
        "AT",
        "--card",
        "authority.jwt",
    ];
    let made = server
        .with_input(
            &[&setup[..], &["--save-api-key", "authority.key"]].concat(),
            &server.token,
        )
        .json();
    assert_eq!(made["participant"]["custody"], "own");
    assert_eq!(
        made["prepared"].as_array().unwrap().len(),
        3,
        "three contracts are handed over: {made}"
    );

    // What others prepared, or what was altered on the way, is not signed.
    let sign = sign_transactions("authority.keys", "authority.key");
    let mut altered = made.clone();
    altered["prepared"][0]["signing_hash"] = json!(format!("0x{}", "00".repeat(32)));
    server.with_input(&sign, &altered.to_string()).refused(4, &["hash"]);
    let wrong = sign_transactions("laboratory.keys", "authority.key");
    let nothing = server.with_input(&wrong, &made.to_string()).json();
    assert_eq!((&nothing["signed"], &nothing["for_others"]), (&json!([]), &json!(3)));
    let signed = server.with_input(&sign, &made.to_string()).json();
    assert_eq!(signed["signed"].as_array().unwrap().len(), 3);

    // The authority signs the admission, the laboratory what concerns its own account.
    let admit = [
        "participant",
        "admit",
        "issuer",
        "--name",
        "Labor",
        "--country",
        "AT",
        "--category",
        CATEGORY,
    ];
    let keys = [
        "--card",
        "laboratory.jwt",
        "--api-key-file",
        "authority.key",
        "--save-api-key",
        "laboratory.key",
    ];
    let admitted = server.ask(&[&admit[..], &keys].concat()).json();
    assert_eq!(admitted["participant"]["status"], "pending");
    // Nothing else is signed than what was asked: not for another country, and not into another contract.
    let mut other = admitted.clone();
    other["asked"]["request"]["country"] = json!("DE");
    server
        .with_input(&sign, &other.to_string())
        .refused(4, &["something else than what was asked"]);
    let pinned = server.read("authority.keys.contracts");
    let contracts: Value = serde_json::from_str(&pinned).unwrap();
    server.write(
        "authority.keys.contracts",
        &pinned.replace(
            contracts["issuers"].as_str().unwrap(),
            contracts["anchors"].as_str().unwrap(),
        ),
    );
    server
        .with_input(&sign, &admitted.to_string())
        .refused(4, &["is not signed"]);
    server.write("authority.keys.contracts", &pinned);
    let done = server.with_input(&sign, &admitted.to_string()).json();
    assert!(!done["signed"].as_array().unwrap().is_empty(), "{admitted}");
    let lab = sign_transactions("laboratory.keys", "laboratory.key");
    let own = server.with_input(&lab, &admitted.to_string()).json();
    assert_eq!(
        own["signed"].as_array().unwrap().len(),
        1,
        "its P-256 key goes into its DID: {admitted}"
    );
    until(|| {
        server
            .ask(&["participant", "show", "--api-key-file", "laboratory.key"])
            .json()["status"]
            == "active"
    });
    let airline = [
        "participant",
        "admit",
        "verifier",
        "--name",
        "Air",
        "--country",
        "AT",
        "--attribute",
        "result",
    ];
    let keys = [
        "--purpose",
        "boarding",
        "--api-key-file",
        "authority.key",
        "--save-api-key",
        "verifier.key",
    ];
    let airline = server.ask(&[&airline[..], &keys].concat()).json();
    server.with_input(&sign, &airline.to_string()).json();

    // Copies wait for the laboratory's signature, and are whole after it.
    server.ask(&["wallet", "new"]).json();
    server.keep("card.jwt", server.run(&["wallet", "card"]));
    server.write("fhir.json", &fhir());
    let issue = [
        "issue",
        "--fhir",
        "fhir.json",
        "--card",
        "card.jwt",
        "--format",
        "vc-jwt-1.1",
        "--format",
        "hcert",
    ];
    let issued = server
        .ask(&[&issue[..], &["--api-key-file", "laboratory.key"]].concat())
        .json();
    assert!(
        issued["copies"]
            .as_array()
            .unwrap()
            .iter()
            .all(|copy| copy["state"] == "unsigned"),
        "{issued}"
    );
    let sign = [
        "keys",
        "sign-copies",
        "-",
        "--keys",
        "laboratory.keys",
        "--api-key-file",
        "laboratory.key",
        "--card",
        "card.jwt",
    ];
    let reported = |file: &'static str| [&sign[..], &["--fhir", file]].concat();
    let sign = reported("fhir.json");
    let mut trap = issued.clone();
    trap["copies"][0]["to_sign"]["message"] = json!(vidimus_core::encoding::base64url(b"anything else"));
    server
        .with_input(&sign, &trap.to_string())
        .refused(4, &["is not signed", "no certificate"]);
    // A server that prepares something else than what was reported gets no signature.
    let honest = server.read("fhir.json");
    let other = honest.replace("1987-05-14", "1987-05-15");
    assert_ne!(other, honest);
    server.write("other.json", &other);
    server
        .with_input(&reported("other.json"), &issued.to_string())
        .refused(4, &["is not signed", "another person"]);
    server.ask(&["wallet", "new", "--wallet", "thief.vidimus"]).json();
    server.keep(
        "other-card.jwt",
        server.run(&["wallet", "card", "--wallet", "thief.vidimus"]),
    );
    let for_another: Vec<_> = sign
        .iter()
        .map(|word| if *word == "card.jwt" { "other-card.jwt" } else { word })
        .collect();
    server
        .with_input(&for_another, &issued.to_string())
        .refused(4, &["another holder"]);
    let signed = server.with_input(&sign, &issued.to_string()).json();
    assert!(
        signed["copies"]
            .as_array()
            .unwrap()
            .iter()
            .all(|copy| copy["state"] == "signed"),
        "{signed}"
    );
    server
        .with_input(&sign, &issued.to_string())
        .refused(4, &["signed already"]);
    let result = text(&issued, "/result");
    until(|| {
        let view = server
            .ask(&["result", "show", &result, "--api-key-file", "laboratory.key"])
            .json();
        view["certificate"]["copies"]
            .as_array()
            .unwrap()
            .iter()
            .all(|copy| copy["anchored"] == true)
    });
    claims_an_offer(&server, &result, &reported("fhir.json"), &reported("other.json"));
    let content = content_id(&signed, "vc-jwt-1.1");
    server
        .ask(&["wallet", "receive", &content, "--from", &server.url])
        .json();
    server.ask(&["wallet", "counter-sign", "1"]).json();
    until(|| {
        server
            .ask(&["participant", "show", "--api-key-file", "verifier.key"])
            .json()["status"]
            == "active"
    });
    server.present();
    server.check("presentation.jwt").checked(0, "signature_ok");
}

/// A wallet that claims an offer waits for the laboratory's own signature, which it gives to what it reported alone.
fn claims_an_offer(server: &Deployment, result: &str, sign: &[&str], sign_other: &[&str]) {
    let lab = ["--api-key-file", "laboratory.key"];
    let offer = server
        .ask(&[&["offer", "create", "--result", result][..], &lab].concat())
        .json();
    let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
    server.ask(&["wallet", "trust", &server.url, "--loopback"]).json();
    let claim = ["wallet", "offer", &link, "--code", &code, "--loopback", "--copies", "2"];
    let claimed = server.ask(&claim).json();
    assert_eq!(claimed["claimed"], json!([]), "{claimed}");
    assert_eq!(claimed["waiting"], 1, "{claimed}");

    let shown = server.ask(&[&["result", "show", result][..], &lab].concat()).json();
    let copies = shown["certificate"]["copies"].as_array().unwrap();
    let waiting: Vec<_> = copies.iter().filter(|copy| copy["state"] == "unsigned").collect();
    assert_eq!(waiting.len(), 2, "{shown}");
    let wallets = [sign, &["--wallets"]].concat();
    server.with_input(sign, &shown.to_string()).refused(4, &["--wallets"]);
    let other = [sign_other, &["--wallets"]].concat();
    server
        .with_input(&other, &shown.to_string())
        .refused(4, &["is not signed"]);
    // Without what it was made of, or with something else, nobody can make it again, so nobody signs it.
    let place = copies
        .iter()
        .position(|copy| copy["state"] == "unsigned" && copy["format"] == "dc+sd-jwt");
    let mut trap = shown.clone();
    trap["certificate"]["copies"][place.unwrap()]["to_sign"]["wallet_seed"] =
        json!(vidimus_core::encoding::base64url(&[7; 32]));
    server
        .with_input(&wallets, &trap.to_string())
        .refused(4, &["is not signed"]);
    let early = server.ask(&["wallet", "refresh", "--loopback"]).json();
    assert_eq!(early["claimed"], json!([]), "{early}");
    server.with_input(&wallets, &shown.to_string()).json();
    until(|| {
        let come = server.ask(&["wallet", "refresh", "--loopback"]).json();
        come["claimed"]
            .as_array()
            .is_some_and(|claimed| claimed.iter().filter_map(|one| one["copies"].as_u64()).sum::<u64>() == 2)
    });
}
