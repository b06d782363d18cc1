//! A laboratory that keeps its own keys makes new ones, has them registered, and has the old one revoked.

use super::place::{CATEGORY, Deployment, Place, content_id, fhir, now, text, until};
use serde_json::Value;
use vidimus_core::encoding::from_base64url;
use vidimus_credential::card::HolderCard;
use vidimus_crypto::Native;

fn line(server: &Deployment, line: &str) -> Value {
    server.ask(&line.split(' ').collect::<Vec<_>>()).json()
}

fn with(server: &Deployment, line: &str, answer: &Value) -> Value {
    let words: Vec<_> = line.split(' ').collect();
    server.with_input(&words, &answer.to_string()).json()
}

/// Signs what an answer prepared for the laboratory's account; how many that were.
fn sign_transactions(server: &Deployment, answer: &Value) -> usize {
    let command = "keys sign-transactions - --keys laboratory.keys --api-key-file laboratory.key";
    with(server, command, answer)["signed"].as_array().unwrap().len()
}

/// The laboratory issues for another person each time and signs the copies; the wallet takes the credential in. What was issued.
fn issue(server: &Deployment, passport: &str) -> Value {
    let report = fhir();
    assert!(report.contains("P 4711 087"), "the sample's passport");
    server.write("fhir.json", &report.replace("P 4711 087", passport));
    let what = "--fhir fhir.json --card card.jwt --api-key-file laboratory.key";
    let issued = line(
        server,
        &format!("issue {what} --format vc-jwt-1.1 --algorithm ES256 --format hcert"),
    );
    let signed = with(
        server,
        &format!("keys sign-copies - --keys laboratory.keys {what}"),
        &issued,
    );
    let copies = signed["copies"].as_array().unwrap();
    assert_eq!(copies.len(), 2);
    assert!(copies.iter().all(|copy| copy["state"] == "signed"), "{signed}");
    let result = text(&issued, "/result");
    until(|| {
        let view = line(server, &format!("result show {result} --api-key-file laboratory.key"));
        let copies = view["certificate"]["copies"].as_array().unwrap();
        copies.iter().all(|copy| copy["anchored"] == true)
    });
    let content = content_id(&signed, "vc-jwt-1.1");
    let received = line(server, &format!("wallet receive {content} --from {}", server.url));
    line(server, &format!("wallet counter-sign {}", received["number"]));
    signed
}

/// Under which of the issuer's keys a copy says that it is signed.
fn kid(server: &Deployment, number: u8) -> String {
    let number = number.to_string();
    let copy = server.run(&["wallet", "show", &number]).out;
    let header = from_base64url(copy.trim().split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let (_, fragment) = header["kid"].as_str().unwrap().split_once('#').unwrap();
    fragment.to_owned()
}

/// The airline checks what the traveller shows it of the wallet.
fn check(server: &Deployment, number: u8) -> super::place::Ended {
    let request = server.run(&["request", "--purpose", "boarding", "--api-key-file", "verifier.key"]);
    server.keep("request.json", request);
    let number = number.to_string();
    let shown = server.run(&["wallet", "present", &number, "--request", "request.json"]);
    server.keep("presentation.jwt", shown);
    server.check("presentation.jwt")
}

fn signing_keys(server: &Deployment) -> Vec<(Option<u64>, String)> {
    let shown = line(server, "participant show --api-key-file laboratory.key");
    let keys = shown["keys"].as_array().unwrap().iter();
    keys.filter(|key| key["purpose"] == "signing")
        .map(|key| (key["version"].as_u64(), text(key, "/state")))
        .collect()
}

#[test]
fn a_laboratory_renews_keys_that_it_keeps_itself_and_the_old_one_is_revoked() {
    let server = Deployment::serve();
    server.set_up();
    line(&server, "keys new --keys laboratory.keys");
    server.keep(
        "laboratory.jwt",
        server.run(&["keys", "card", "--keys", "laboratory.keys"]),
    );
    let authority = "--country AT --api-key-file authority.key";
    let admitted = line(
        &server,
        &format!(
            "participant admit issuer --name Labor --category {CATEGORY} --card laboratory.jwt --save-api-key laboratory.key --wait {authority}"
        ),
    );
    let id = text(&admitted, "/participant/id");
    assert_eq!(sign_transactions(&server, &admitted), 1);
    line(
        &server,
        &format!(
            "participant admit verifier --name Air --attribute result --purpose boarding --save-api-key verifier.key --wait {authority}"
        ),
    );
    line(&server, "wallet new");
    server.keep("card.jwt", server.run(&["wallet", "card"]));
    let before = now().plus(-60).to_rfc3339();
    issue(&server, "P 4711 1");

    // New keys: the old ones stay in the file, and go on signing until the new ones are registered.
    let made = line(&server, "keys renew --keys laboratory.keys");
    assert_eq!(made["earlier_keys"], 1);
    assert!(made["next"].to_string().contains("participant rotate-keys"), "{made}");
    let card = |name: &str| {
        HolderCard::verify(&server.read(name), &Native::new(), now())
            .unwrap()
            .into_inner()
    };
    server.write("renewed.jwt", &text(&made, "/card"));
    let (old, new) = (card("laboratory.jwt"), card("renewed.jwt"));
    assert_eq!(old.did, new.did);
    assert!(old.signing_key != new.signing_key && old.sealing_key != new.sealing_key);
    let people = server.run(&["keys", "card", "--keys", "laboratory.keys"]);
    server.keep("again.jwt", people);
    assert_eq!(
        card("again.jwt").signing_key,
        new.signing_key,
        "the newest are on cards"
    );
    issue(&server, "P 4711 2");

    // The authority registers them, the laboratory puts its key into its DID document.
    let rotated = line(
        &server,
        &format!("participant rotate-keys {id} --card renewed.jwt --api-key-file authority.key"),
    );
    assert_eq!(sign_transactions(&server, &rotated), 1);
    until(|| signing_keys(&server) == [(Some(1), "retired".into()), (Some(2), "active".into())]);
    issue(&server, "P 4711 3");
    for number in 1..=3 {
        check(&server, number).checked(0, "signature_ok");
    }

    // The old key leaked: what anchors prove older than the theft stays good, and the new key's is not touched.
    let revoked = line(
        &server,
        &format!("participant revoke-keys {id} 1 --api-key-file authority.key"),
    );
    assert_eq!(
        sign_transactions(&server, &revoked),
        1,
        "it leaves the DID document: {revoked}"
    );
    until(|| signing_keys(&server) == [(Some(1), "revoked".into()), (Some(2), "active".into())]);
    for number in 1..=3 {
        check(&server, number).checked(0, "signature_ok");
    }
    // The theft was earlier than was thought.
    line(
        &server,
        &format!("participant revoke-keys {id} 1 --from {before} --api-key-file authority.key"),
    );
    until(|| check(&server, 1).code == 1);
    for number in 1..=2 {
        check(&server, number).checked(1, "key_revoked");
    }
    check(&server, 3).checked(0, "signature_ok");
    issue(&server, "P 4711 4");
    check(&server, 4).checked(0, "signature_ok");

    // The next key: the DID document counts the revocation between them, the registry does not; what was signed before keeps its key.
    let made = line(&server, "keys renew --keys laboratory.keys");
    server.write("third.jwt", &text(&made, "/card"));
    let rotated = line(
        &server,
        &format!("participant rotate-keys {id} --card third.jwt --api-key-file authority.key"),
    );
    assert_eq!(sign_transactions(&server, &rotated), 1);
    until(|| signing_keys(&server).last() == Some(&(Some(3), "active".into())));
    issue(&server, "P 4711 5");
    for number in 3..=5 {
        check(&server, number).checked(0, "signature_ok");
    }
    let kids: Vec<_> = (1..=5).map(|number| kid(&server, number)).collect();
    assert_eq!(
        kids,
        ["delegate-1", "delegate-1", "delegate-2", "delegate-2", "delegate-4"],
        "3 is the revocation of 1"
    );
}

#[test]
fn keys_are_not_renewed_without_their_passphrase_or_their_file() {
    let place = Place::new();
    place
        .ask(&["keys", "renew"])
        .refused(2, &["no keys file", "vidimus keys new"]);
    assert!(!place.path("keys.vidimus").exists());
    place.ask(&["keys", "new"]).json();
    let kept = std::fs::read(place.path("keys.vidimus")).unwrap();
    place.write("wrong.txt", "another passphrase");
    place.ask(&["keys", "renew", "--passphrase-file", "wrong.txt"]).refused(
        4,
        &["the passphrase is not that of this keys' file; nothing was changed"],
    );
    place.write("damaged.keys", "no keys at all");
    place
        .ask(&["keys", "renew", "--keys", "damaged.keys"])
        .refused(6, &["damaged"]);
    assert_eq!(
        std::fs::read(place.path("keys.vidimus")).unwrap(),
        kept,
        "nothing was changed"
    );

    // People are told what to do beside the card, which can be kept in a file.
    let made = place.run(&["keys", "renew"]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert_eq!(
        made.out.trim().split('.').count(),
        3,
        "a card and nothing else: {}",
        made.out
    );
    for part in [
        "keep a copy",
        "participant rotate-keys",
        "keys sign-transactions",
        "revoke-keys",
    ] {
        assert!(made.err.contains(part), "{part:?} is not in: {}", made.err);
    }
    assert_ne!(std::fs::read(place.path("keys.vidimus")).unwrap(), kept);
    assert_eq!(place.ask(&["keys", "renew"]).json()["earlier_keys"], 2);
    let left: Vec<_> = std::fs::read_dir(place.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("keys.vidimus"))
        .collect();
    assert_eq!(left.len(), 2, "the file and its lock, nothing half-written: {left:?}");
}
