//! A traveller leaves a presentation for an airline that asked for nothing yet.

use crate::world::{Airline, Laboratory, NOW, key, origin, proved, purpose, signer, wallet};
use serde_json::{Value, json};
use vidimus_core::{Signer as _, reason::Reason};
use vidimus_credential::{
    category::Categories,
    check::{Envelope, Expected, Policy as CheckPolicy},
    format::{Content, sd_jwt_vc},
    presentation::Presentation,
    sd_jwt::SdJwt,
};
use vidimus_crypto::Native;
use vidimus_openid4vc::{dcql::Query, vp::Statement};
use vidimus_wallet::{
    Wallet, WalletError,
    consent::{Asked, Refusal, Wishes},
    left::{KEPT_SECONDS, Left},
    registration::{Entry, Policy, State},
    shared::Outcome,
};

fn asked<'a>(entry: &Entry, query: &'a Query, statement: &'a Statement) -> Asked<'a> {
    Asked {
        client_id: entry.did.clone(),
        name: None,
        did: Some(entry.did.clone()),
        certificate: None,
        host: "x.example".into(),
        query,
        statement: Some(statement),
        authorise: &[],
        nonce: "n-1",
        expires_at: None,
    }
}

/// Leaves these attributes of certificate 1, agreed to as they are shown.
fn leave(wallet: &mut Wallet, entry: &Entry, what_for: &str, attributes: &[&str]) -> Result<Left, Refusal> {
    let (native, categories) = (Native::new(), Categories::built_in());
    let attributes: Vec<_> = attributes.iter().map(|name| (*name).to_owned()).collect();
    let query = wallet.query_for(1, &attributes, &categories, &native).unwrap();
    let statement = purpose(what_for);
    let asked = asked(entry, &query, &statement);
    let consent = wallet.consider(&asked, &Policy::STRICT, &Wishes::default(), &categories, NOW, &native)?;
    let names = consent.credentials[0].attributes.iter().map(|one| one.name.clone());
    assert_eq!(
        names.collect::<std::collections::BTreeSet<_>>(),
        attributes.into_iter().collect()
    );
    let left = wallet.leave(&asked, &consent, &signer, NOW, &native).unwrap();
    let again = wallet.leave(&asked, &consent, &signer, NOW, &native);
    assert!(matches!(again, Err(WalletError::Answered)), "once");
    Ok(left)
}

#[test]
fn what_is_left_says_what_was_agreed_to_and_is_for_one_verifier() {
    let airline = Airline::new();
    let mut wallet = wallet();
    Laboratory::new().give(&mut wallet, 2);
    airline.registered(&mut wallet, airline.entry());
    let left = leave(&mut wallet, &airline.entry(), "boarding", &["family_name"]).unwrap();
    assert_eq!(
        (left.audience.as_str(), left.purpose.as_str()),
        (airline.entry().did.as_str(), "boarding")
    );
    assert!(!format!("{left:?}").contains(&left.presentation));
    let envelope: Envelope = serde_json::from_str(&left.presentation).unwrap();
    let parsed = sd_jwt_vc::parse(&envelope.copy).unwrap();
    let Content::SdJwtVc(content) = &parsed.content else {
        panic!()
    };
    content.verify_binding(&Native::new()).unwrap();
    let binding = content.binding.as_ref().unwrap();
    assert_eq!((&binding.audience, &binding.nonce), (&left.audience, &left.nonce));
    let claims = SdJwt::parse(&envelope.copy)
        .unwrap()
        .process(&Native::new())
        .unwrap()
        .claims;
    assert_eq!(claims["family_name"], "Musterfrau");
    assert!(claims["claims"].get("result").is_none() && claims.get("given_name").is_none());
    let record = wallet.shared().last().unwrap();
    assert_eq!(
        (record.outcome, record.purpose.as_deref()),
        (Outcome::Presented, Some("boarding"))
    );
    assert_eq!(wallet.batch(1).unwrap().unused(), 1, "that copy is this verifier's");
}

#[test]
fn a_verifier_reads_what_was_left_for_it_and_nothing_else() {
    let airline = Airline::new();
    let mut wallet = wallet();
    Laboratory::new().give(&mut wallet, 1);
    airline.registered(&mut wallet, airline.entry());
    let left = leave(&mut wallet, &airline.entry(), "boarding", &["family_name"]).unwrap();
    let did = airline.entry().did;
    let read = Left::read(&serde_json::to_vec(&left).unwrap()).unwrap();
    assert_eq!(read, left);
    for purpose in [Some("boarding"), None] {
        let (input, expected) = read.to_check(&did, purpose).unwrap();
        assert!(input.is_shown());
        let right = Expected {
            nonce: left.nonce.clone(),
            audience: did.clone(),
            purpose: Some("boarding".into()),
        };
        assert_eq!(expected, right);
    }
    let refused = |left: &Left, who: &str, purpose: &str| left.to_check(who, Some(purpose)).unwrap_err();
    assert_eq!(
        refused(&left, "did:web:other.example", "boarding"),
        Reason::AudienceMismatch
    );
    assert_eq!(refused(&left, &did, "marketing"), Reason::PurposeMismatch);
    let envelope: Envelope = serde_json::from_str(&left.presentation).unwrap();
    let unbound = &envelope.copy[..=envelope.copy.rfind('~').unwrap()];
    for presentation in [unbound, "", "HC1:NCF", "{}"] {
        let other = Left {
            presentation: presentation.to_owned(),
            ..left.clone()
        };
        assert_eq!(refused(&other, &did, "boarding"), Reason::Malformed, "{presentation}");
    }
}

#[test]
fn what_was_new_when_it_was_left_counts_while_it_is_kept() {
    let policy = CheckPolicy {
        presentation_max_age: 60,
        ..CheckPolicy::default()
    };
    for (lies, most) in [(0, 60), (3_600, 3_660), (86_400, 86_460), (90_000, 86_460), (-5, 60)] {
        let now = NOW.plus(lies);
        assert_eq!(Left::policy(policy, NOW, now).presentation_max_age, most, "{lies}");
    }
}

#[test]
fn nothing_is_left_beyond_the_registration_or_for_who_is_not_admitted() {
    let airline = Airline::new();
    let entry = |change: &dyn Fn(&mut Entry)| {
        let mut entry = airline.entry();
        change(&mut entry);
        entry
    };
    let refused = |entry: &Entry, what_for: &str, attributes: &[&str]| {
        let mut wallet = wallet();
        Laboratory::new().give(&mut wallet, 1);
        airline.registered(&mut wallet, entry.clone());
        let refusal = leave(&mut wallet, entry, what_for, attributes).unwrap_err();
        assert!(wallet.shared().is_empty() && wallet.batch(1).unwrap().unused() == 1);
        refusal
    };
    let name = &["family_name"];
    assert_eq!(
        refused(&airline.entry(), "marketing", name),
        Refusal::Purpose("marketing".into())
    );
    assert_eq!(
        refused(&airline.entry(), "boarding", &["family_name", "birth_date"]),
        Refusal::Attribute("birth_date".into())
    );
    let suspended = entry(&|entry| entry.state = State::Suspended);
    assert_eq!(refused(&suspended, "boarding", name), Refusal::Suspended);
    let revoked = entry(&|entry| entry.state = State::Revoked);
    assert_eq!(refused(&revoked, "boarding", name), Refusal::Revoked);

    let mut alone = wallet();
    Laboratory::new().give(&mut alone, 1);
    assert_eq!(
        leave(&mut alone, &airline.entry(), "boarding", name),
        Err(Refusal::Unknown)
    );
}

#[test]
fn attributes_are_those_of_the_certificate() {
    let (native, categories) = (Native::new(), Categories::built_in());
    let mut wallet = wallet();
    Laboratory::new().give(&mut wallet, 1);
    for names in [&["nationality"][..], &[]] {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let refused = wallet.query_for(1, &names, &categories, &native);
        assert!(matches!(refused, Err(WalletError::NoSuchAttribute)), "{names:?}");
    }
    assert!(matches!(
        wallet.query_for(2, &["result".into()], &categories, &native),
        Err(WalletError::NoSuchBatch(2))
    ));
}

/// One that does not say when it was made could be of any age: whoever leaves it chooses the nonce.
#[test]
fn what_does_not_say_when_it_was_made_is_not_checked() {
    let check = |vector: &str| {
        let path = format!(
            "{}/../../vectors/check/accept/{vector}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let vector: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let expected = &vector["expected"];
        let plain = json!({
            "presentation": vector["input"]["text"], "nonce": expected["nonce"], "audience": expected["audience"], "purpose": "boarding",
        });
        let left = Left::read(plain.to_string().as_bytes()).unwrap();
        left.to_check(expected["audience"].as_str().unwrap(), None).map(drop)
    };
    assert_eq!(check("001-vc-1-1-es256k"), Ok(()));
    assert_eq!(check("040-presentation-undated"), Err(Reason::PresentationExpired));
}

#[test]
fn a_whole_certificate_is_left_only_where_all_of_it_is_permitted() {
    let (airline, native, categories) = (Airline::new(), Native::new(), Categories::built_in());
    let holder = key();
    let subject = json!({"category": "sars-cov-2-naat", "person": {"familyName": "Musterfrau"}, "claims": {"result": "260415000"}});
    let copy = Laboratory::new().vc_jwt(&subject, holder.public_key());
    let mut wallet = wallet();
    wallet
        .keep(&origin("PCR test"), &[copy], &proved(&[holder]), &[], &native, NOW)
        .unwrap();
    let query = wallet.query_for(1, &[], &categories, &native).unwrap();
    let statement = purpose("boarding");
    let whole = Wishes {
        whole: true,
        ..Wishes::default()
    };
    for (attributes, permitted) in [(vec!["family_name", "result"], true), (vec!["result"], false)] {
        let mut entry = airline.entry();
        entry.attributes = attributes.into_iter().map(str::to_owned).collect();
        airline.registered(&mut wallet, entry.clone());
        let asked = asked(&entry, &query, &statement);
        let found = wallet.consider(&asked, &Policy::STRICT, &whole, &categories, NOW, &native);
        match found {
            Ok(consent) => {
                assert!(permitted);
                let left = wallet.clone().leave(&asked, &consent, &signer, NOW, &native).unwrap();
                let shown = Presentation::parse(&left.presentation).unwrap();
                let (made, end) = (shown.issued_at.unwrap(), shown.expires_at.unwrap());
                assert!(end.since(made) > KEPT_SECONDS, "it holds for as long as it is kept");
            }
            Err(refusal) => assert_eq!((permitted, refusal), (false, Refusal::Attribute("family_name".into()))),
        }
    }
}
