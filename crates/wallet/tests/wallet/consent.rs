//! A verifier asks: what the holder sees, what the wallet refuses by itself, and what the verifier gets.

use crate::world::{Airline, DAY, Laboratory, NOW, Request, VCT, boarding, purpose, query, wallet};
use serde_json::json;
use vidimus_core::Signer as _;
use vidimus_credential::{format::sd_jwt_vc, sd_jwt::SdJwt};
use vidimus_crypto::{Native, OsEntropy};
use vidimus_openid4vc::vp::Answer;
use vidimus_wallet::{
    Wallet, WalletError,
    consent::{Refusal, Wishes},
    registration::{Entry, Policy, Standing, State},
    shared::Outcome,
};

fn traveller(airline: &Airline) -> Wallet {
    let mut wallet = wallet();
    Laboratory::new().give(&mut wallet, 3);
    airline.registered(&mut wallet, airline.entry());
    wallet
}

fn asks(airline: &Airline) -> Request {
    airline.asks(query(boarding()), Some(purpose("boarding")))
}

#[test]
fn what_is_agreed_to_is_shown_and_nothing_else() {
    let airline = Airline::new();
    let mut wallet = traveller(&airline);
    let request = asks(&airline);
    let consent = request.consider(&wallet, &Policy::STRICT, &Wishes::default()).unwrap();
    assert_eq!(consent.verifier.name.as_deref(), Some("Danube Air"));
    assert_eq!(
        (consent.verifier.standing, consent.verifier.known_at),
        (Standing::Admitted, Some(NOW))
    );
    assert_eq!(
        (consent.purpose.as_deref(), consent.retention_seconds),
        (Some("boarding"), Some(3_600))
    );
    let offered = &consent.credentials[0];
    assert!(offered.required && offered.chosen && !offered.whole && !offered.linkable);
    let shown: Vec<_> = offered
        .attributes
        .iter()
        .map(|one| (one.name.as_str(), one.value.clone(), one.required, one.permitted))
        .collect();
    assert_eq!(
        shown,
        [
            ("result", json!("260415000"), true, Some(true)),
            ("family_name", json!("Musterfrau"), true, Some(true)),
        ]
    );
    assert!(!format!("{consent:?}").contains("Musterfrau"), "values are in no log");

    let http = request.answer(&mut wallet, &consent).unwrap();
    let Answer::Presented(token) = request.read(&http) else {
        panic!("it was declined")
    };
    let text = token.find("test")[0].as_str().unwrap();
    let native = Native::new();
    let parsed = sd_jwt_vc::parse(text).unwrap();
    let vidimus_credential::format::Content::SdJwtVc(content) = &parsed.content else {
        panic!()
    };
    content.verify_binding(&native).unwrap();
    let binding = content.binding.as_ref().unwrap();
    assert_eq!(
        (binding.audience.as_str(), binding.nonce.as_str()),
        (airline.client.id().to_string().as_str(), request.session.nonce.as_str())
    );
    let claims = SdJwt::parse(text).unwrap().process(&native).unwrap().claims;
    assert_eq!(claims["family_name"], "Musterfrau");
    assert_eq!(claims["claims"], json!({"result": "260415000"}));
    assert!(claims.get("given_name").is_none() && claims.get("birthdate").is_none());

    let record = wallet.shared().last().unwrap();
    assert_eq!(
        (record.outcome, record.name.as_deref(), record.host.as_str()),
        (Outcome::Presented, Some("Danube Air"), crate::world::HOST)
    );
    assert_eq!(record.items[0].attributes, ["result", "family_name"]);
    assert!(
        !serde_json::to_string(record).unwrap().contains("Musterfrau"),
        "the record has no values"
    );
}

#[test]
fn a_request_is_answered_once() {
    let airline = Airline::new();
    let mut wallet = traveller(&airline);
    let request = asks(&airline);
    let consent = request.consider(&wallet, &Policy::STRICT, &Wishes::default()).unwrap();
    request.answer(&mut wallet, &consent).unwrap();
    assert!(matches!(
        request.answer(&mut wallet, &consent),
        Err(WalletError::Answered)
    ));
    assert_eq!(
        request.consider(&wallet, &Policy::STRICT, &Wishes::default()),
        Err(Refusal::Answered)
    );
    let declined = wallet.decline(&request.incoming, NOW, &Native::new(), &mut OsEntropy);
    assert!(matches!(declined, Err(WalletError::Answered)));
    // It is remembered in the file.
    let text = serde_json::to_string(&wallet).unwrap();
    let again: Wallet = serde_json::from_str(&text).unwrap();
    assert_eq!(
        request.consider(&again, &Policy::STRICT, &Wishes::default()),
        Err(Refusal::Answered)
    );
}

#[test]
fn consent_to_one_request_is_none_to_another() {
    let airline = Airline::new();
    let mut wallet = traveller(&airline);
    let (first, second) = (asks(&airline), asks(&airline));
    let consent = first.consider(&wallet, &Policy::STRICT, &Wishes::default()).unwrap();
    assert!(matches!(
        second.answer(&mut wallet, &consent),
        Err(WalletError::OtherRequest)
    ));
    // What was agreed to is gone.
    wallet.remove_batch(1).unwrap();
    assert!(first.answer(&mut wallet, &consent).is_err());
    assert!(wallet.shared().is_empty(), "nothing was shared");
}

fn changed(airline: &Airline, change: impl FnOnce(&mut Entry)) -> Entry {
    let mut entry = airline.entry();
    change(&mut entry);
    entry
}

#[test]
fn a_verifier_is_held_to_its_registration_and_learns_nothing() {
    let airline = Airline::new();
    let cases: Vec<(Option<Entry>, Refusal)> = vec![
        (None, Refusal::Unknown),
        (
            Some(changed(&airline, |entry| entry.state = State::Suspended)),
            Refusal::Suspended,
        ),
        (
            Some(changed(&airline, |entry| entry.state = State::Revoked)),
            Refusal::Revoked,
        ),
        (
            Some(changed(&airline, |entry| entry.purposes = vec!["border".into()])),
            Refusal::Purpose("boarding".into()),
        ),
        (
            Some(changed(&airline, |entry| {
                entry.attributes.retain(|name| name != "result")
            })),
            Refusal::Attribute("result".into()),
        ),
        (
            Some(changed(&airline, |entry| entry.certificates.clear())),
            Refusal::Unknown,
        ),
    ];
    let mut sizes = Vec::new();
    for (entry, refusal) in cases {
        let mut wallet = wallet();
        Laboratory::new().give(&mut wallet, 1);
        if let Some(entry) = entry {
            airline.registered(&mut wallet, entry);
        }
        let request = asks(&airline);
        let refused = request
            .consider(&wallet, &Policy::STRICT, &Wishes::default())
            .unwrap_err();
        assert_eq!(refused, refusal);
        // Who may not ask at all is not even told a no.
        let beyond = matches!(refusal, Refusal::Purpose(_) | Refusal::Attribute(_));
        assert_eq!(refused.is_standing(), !beyond);
        sizes.push(declined(&mut wallet, &request));
    }
    // Who holds nothing, and who says no.
    let mut empty = wallet();
    airline.registered(&mut empty, airline.entry());
    let request = asks(&airline);
    assert_eq!(
        request
            .consider(&empty, &Policy::STRICT, &Wishes::default())
            .unwrap_err(),
        Refusal::Nothing
    );
    sizes.push(declined(&mut empty, &request));
    sizes.push(declined(&mut traveller(&airline), &asks(&airline)));
    assert!(
        sizes.windows(2).all(|pair| pair[0] == pair[1]),
        "the answers have one size: {sizes:?}"
    );
}

/// Declines, and gives how long the answer is.
fn declined(wallet: &mut Wallet, request: &Request) -> usize {
    let http = wallet
        .decline(&request.incoming, NOW, &Native::new(), &mut OsEntropy)
        .unwrap();
    let Answer::Declined(error) = request.read(&http) else {
        panic!("something was presented")
    };
    assert_eq!((error.error.as_str(), error.description), ("access_denied", None));
    assert_eq!(wallet.shared().last().unwrap().outcome, Outcome::Declined);
    assert!(wallet.shared().last().unwrap().items.is_empty());
    http.body.unwrap().len()
}

#[test]
fn old_knowledge_is_none_where_only_registered_verifiers_are_answered() {
    let airline = Airline::new();
    let mut wallet = wallet();
    Laboratory::new().give(&mut wallet, 1);
    airline.registered_at(&mut wallet, airline.entry(), NOW.plus(-2 * DAY));
    let request = asks(&airline);
    assert_eq!(
        request
            .consider(&wallet, &Policy::STRICT, &Wishes::default())
            .unwrap_err(),
        Refusal::Stale
    );
    let consent = request.consider(&wallet, &Policy::OPEN, &Wishes::default()).unwrap();
    assert_eq!(
        (consent.verifier.standing, consent.verifier.known_at),
        (Standing::Stale, Some(NOW.plus(-2 * DAY)))
    );
    // What was revoked stays so, however long ago that was read.
    airline.registered_at(
        &mut wallet,
        changed(&airline, |entry| entry.state = State::Revoked),
        NOW.plus(-400 * DAY),
    );
    assert_eq!(
        request
            .consider(&wallet, &Policy::OPEN, &Wishes::default())
            .unwrap_err(),
        Refusal::Revoked
    );
}

#[test]
fn who_nobody_registered_is_shown_as_such() {
    let airline = Airline::new();
    let mut wallet = wallet();
    Laboratory::new().give(&mut wallet, 1);
    let request = airline.asks(query(boarding()), None);
    let consent = request.consider(&wallet, &Policy::OPEN, &Wishes::default()).unwrap();
    assert_eq!(consent.verifier.standing, Standing::Unknown);
    assert!(
        consent.verifier.name.unwrap().contains("Danube Air"),
        "the name in its certificate"
    );
    assert_eq!(
        (consent.purpose, consent.retention_seconds, consent.verifier.known_at),
        (None, None, None)
    );
    assert!(
        consent.credentials[0]
            .attributes
            .iter()
            .all(|one| one.permitted.is_none())
    );
    // Registered, it has to say what for.
    airline.registered(&mut wallet, airline.entry());
    assert_eq!(
        request
            .consider(&wallet, &Policy::OPEN, &Wishes::default())
            .unwrap_err(),
        Refusal::NoPurpose
    );
}

#[test]
fn a_suspension_in_one_registry_counts_against_another() {
    let airline = Airline::new();
    let mut wallet = traveller(&airline);
    wallet.learn(vidimus_wallet::registration::Registry {
        source: "https://other.example".into(),
        as_of: NOW.plus(-400 * DAY),
        entries: vec![changed(&airline, |entry| entry.state = State::Suspended)],
    });
    assert_eq!(
        asks(&airline)
            .consider(&wallet, &Policy::STRICT, &Wishes::default())
            .unwrap_err(),
        Refusal::Suspended
    );
}

#[test]
fn a_certificate_that_is_over_answers_nothing() {
    let (airline, native) = (Airline::new(), Native::new());
    let mut wallet = wallet();
    let holder = crate::world::key();
    let copy = Laboratory::new().sd_jwt(
        VCT,
        &crate::world::person(),
        (None, Some(NOW.0 - 1)),
        holder.public_key(),
    );
    wallet
        .keep(
            &crate::world::origin("PCR test"),
            &[copy],
            &crate::world::proved(&[holder]),
            &[],
            &native,
            NOW,
        )
        .unwrap();
    airline.registered(&mut wallet, airline.entry());
    assert_eq!(
        asks(&airline)
            .consider(&wallet, &Policy::STRICT, &Wishes::default())
            .unwrap_err(),
        Refusal::Nothing
    );
}

#[test]
fn several_certificates_are_shown_where_several_are_asked_for() {
    let airline = Airline::new();
    let mut wallet = wallet();
    let laboratory = Laboratory::new();
    let (first, second) = (laboratory.give(&mut wallet, 1), laboratory.give(&mut wallet, 1));
    airline.registered(&mut wallet, airline.entry());
    let asking = |multiple: bool| {
        let mut asked = boarding();
        asked["credentials"][0]["multiple"] = multiple.into();
        airline.asks(query(asked), Some(purpose("boarding")))
    };
    let both = Wishes {
        using: [("test".to_owned(), first)].into(),
        more: [("test".to_owned(), vec![first, second])].into(),
        ..Wishes::default()
    };
    let one = asking(false);
    let refused = one.consider(&wallet, &Policy::STRICT, &both).unwrap_err();
    assert_eq!(refused, Refusal::NotOffered("test".into()), "one is asked for");
    let request = asking(true);
    let least = request.consider(&wallet, &Policy::STRICT, &Wishes::default()).unwrap();
    assert!(least.credentials.len() == 1 && least.credentials[0].multiple);
    let strange = Wishes {
        more: [("test".to_owned(), vec![7])].into(),
        ..Wishes::default()
    };
    assert_eq!(
        request.consider(&wallet, &Policy::STRICT, &strange).unwrap_err(),
        Refusal::Wishes
    );
    let consent = request.consider(&wallet, &Policy::STRICT, &both).unwrap();
    let chosen: Vec<_> = consent
        .credentials
        .iter()
        .map(|one| (one.certificate, one.chosen))
        .collect();
    assert_eq!(chosen, [(first, true), (second, true)]);
    let http = request.answer(&mut wallet, &consent).unwrap();
    let Answer::Presented(token) = request.read(&http) else {
        panic!("it was declined")
    };
    assert_eq!(token.find("test").len(), 2);
    assert_eq!(wallet.shared().last().unwrap().items.len(), 2);
}
