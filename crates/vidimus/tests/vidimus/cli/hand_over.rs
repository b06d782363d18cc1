//! An authority that keeps its own keys takes the contracts over, and hands them on, also where it signed only some of what was prepared.

use super::place::{CATEGORY, Deployment, text, until};
use serde_json::{Value, json};

fn line(server: &Deployment, line: &str) -> Value {
    server.ask(&line.split(' ').collect::<Vec<_>>()).json()
}

/// Signs what an answer prepared; how many that were.
fn sign(server: &Deployment, answer: &Value) -> usize {
    let command = "keys sign-transactions - --keys authority.keys --api-key-file authority.key";
    let words: Vec<_> = command.split(' ').collect();
    let signed = server.with_input(&words, &answer.to_string()).json();
    signed["signed"].as_array().unwrap().len()
}

/// What an answer prepared, in order.
fn prepared(answer: &Value) -> Vec<String> {
    let prepared = answer["prepared"].as_array().unwrap().iter();
    prepared.map(|one| text(one, "/summary")).collect()
}

/// An answer of which only the first transactions are left.
fn cut(answer: &Value, left: usize) -> Value {
    let mut cut = answer.clone();
    cut["prepared"] = json!(answer["prepared"].as_array().unwrap()[..left]);
    cut
}

fn account_states(server: &Deployment) -> Vec<String> {
    let shown = line(server, "participant show --api-key-file authority.key");
    let keys = shown["keys"].as_array().unwrap().iter();
    keys.filter(|key| key["purpose"] == "account")
        .map(|key| text(key, "/state"))
        .collect()
}

/// A deployment whose authority keeps its own keys, and what it has to sign first.
fn set_up() -> (Deployment, Value) {
    let server = Deployment::serve();
    line(&server, "keys new --keys authority.keys");
    server.keep(
        "authority.jwt",
        server.run(&["keys", "card", "--keys", "authority.keys"]),
    );
    let setup = "setup --token-file - --name Ministry --country AT --card authority.jwt --save-api-key authority.key";
    let setup: Vec<_> = setup.split(' ').collect();
    let made = server.with_input(&setup, &server.token).json();
    (server, made)
}

#[test]
fn an_authority_that_signed_nothing_or_half_of_it_is_led_to_the_rest() {
    let (server, made) = set_up();
    assert_eq!(prepared(&made), ["accept-authority"; 3]);

    // One of the three was signed, the rest of the answer is lost: the next thing that the authority asks for brings it again, before itself.
    assert_eq!(sign(&server, &cut(&made, 1)), 1);
    let admit = format!("participant admit issuer --country AT --category {CATEGORY} --api-key-file authority.key");
    let verifier =
        "participant admit verifier --country AT --attribute result --purpose boarding --api-key-file authority.key";
    let airline = line(&server, &format!("{verifier} --name Air --save-api-key air.key"));
    assert_eq!(prepared(&airline), ["accept-authority", "accept-authority", "approve"]);
    assert_eq!(sign(&server, &airline), 3);
    let active = |key: &str| {
        until(|| line(&server, &format!("participant show --api-key-file {key}"))["status"] == "active");
    };
    active("air.key");
    let laboratory = line(&server, &format!("{admit} --name Labor --save-api-key lab.key"));
    assert_eq!(prepared(&laboratory), ["approve"], "the contracts are its own now");
    assert_eq!(sign(&server, &laboratory), 1);
    active("lab.key");

    // It hands them on to its new account. Whatever is signed of it, the same question prepares the rest.
    server.keep(
        "new.jwt",
        server.run(&["keys", "new-account", "--keys", "authority.keys"]),
    );
    let rotate = || {
        line(
            &server,
            "participant rotate-account --card new.jwt --api-key-file authority.key",
        )
    };
    let (owner, offer, accept) = ("change-owner", "offer-authority", "accept-authority");
    let asked = rotate();
    assert_eq!(prepared(&asked), [owner, offer, offer, offer, accept, accept, accept]);
    assert_eq!(sign(&server, &cut(&asked, 2)), 2);
    let asked = rotate();
    assert_eq!(prepared(&asked), [offer, offer, accept, accept, accept]);
    assert_eq!(sign(&server, &cut(&asked, 3)), 3);
    let asked = rotate();
    assert_eq!(prepared(&asked), [accept, accept]);
    assert_eq!(account_states(&server), ["active", "pending"]);
    assert_eq!(sign(&server, &asked), 2);
    until(|| account_states(&server) == ["retired", "active"]);
    let second = line(&server, &format!("{admit} --name Another --save-api-key second.key"));
    assert_eq!(prepared(&second), ["approve"]);
    assert_eq!(sign(&server, &second), 1);
    active("second.key");

    // Only a card with another account key is one to rotate to, and what is another's is refused.
    let same = [
        "participant",
        "rotate-account",
        "--card",
        "new.jwt",
        "--api-key-file",
        "authority.key",
    ];
    server.ask(&same).refused(2, &["vidimus keys new-account"]);
    server
        .ask(&["participant", "rotate-account", "--api-key-file", "authority.key"])
        .refused(2, &["send a card with the new keys"]);
}

#[test]
fn an_acceptance_that_no_call_needs_is_prepared_again_too() {
    let (server, made) = set_up();
    assert_eq!(sign(&server, &cut(&made, 2)), 2);
    let admit =
        "participant admit issuer --country AT --api-key-file authority.key --save-api-key lab.key --name Labor";
    let laboratory = line(&server, &format!("{admit} --category {CATEGORY}"));
    assert_eq!(prepared(&laboratory), ["accept-authority", "approve"]);
    assert_eq!(sign(&server, &laboratory), 2);
    until(|| line(&server, "participant show --api-key-file lab.key")["status"] == "active");
}

#[test]
fn an_account_that_was_lost_before_it_took_the_contracts_makes_room_for_another() {
    let (server, _) = set_up();
    let new_account = |card: &str| {
        server.keep(card, server.run(&["keys", "new-account", "--keys", "authority.keys"]));
    };
    let rotate = |card: &str| {
        let words = format!("participant rotate-account --card {card} --api-key-file authority.key");
        line(&server, &words)
    };
    // What the operator offered to the first account is offered to the second one, whose file is then lost: nothing of it is signed.
    new_account("lost.jwt");
    assert_eq!(
        prepared(&rotate("lost.jwt")),
        [
            "change-owner",
            "accept-authority",
            "accept-authority",
            "accept-authority"
        ]
    );
    new_account("third.jwt");
    rotate("third.jwt");
    // The operator offers to the third from here on: what the second one accepted would revert.
    let passed_by = "participant rotate-account --card lost.jwt --api-key-file authority.key";
    let passed_by: Vec<_> = passed_by.split(' ').collect();
    server.ask(&passed_by).refused(2, &["another was asked for after"]);
    until(|| {
        let is_done = account_states(&server) == ["retired", "retired", "active"];
        if !is_done {
            sign(&server, &rotate("third.jwt"));
        }
        is_done
    });
    // One that was replaced does not come back: what it signs would be taken for what it signed before.
    let back = "participant rotate-account --card authority.jwt --api-key-file authority.key";
    let back: Vec<_> = back.split(' ').collect();
    server
        .ask(&back)
        .refused(2, &["another has taken over", "vidimus keys new-account"]);
}
