//! A registry rebuilt from events.

use super::world::{LABS, Lab, PROVIDER, TestKey, at, events, head, profile};
use vidimus_core::{Digest, Timestamp};
use vidimus_credential::check::{
    Registry,
    registry::{CertificateError, Change, Event, Grant, Keys, Standing},
};

fn registry() -> Registry {
    Registry::build(head(), &events()).unwrap()
}

fn event(lab: &Lab, block: u64, time: Timestamp, change: Change) -> Event {
    Event {
        participant: lab.account.address(),
        block,
        time,
        change,
    }
}

#[test]
fn who_was_admitted_for_what_when() {
    let registry = registry();
    let of = |lab: &Lab| registry.resolve(&lab.did()).unwrap();
    let labs = &*LABS;
    let lab = of(&labs.lab);
    assert_eq!(lab.standing(), Standing::Active);
    assert!(!lab.admitted_for("sars-cov-2-naat", at("2026-01-05T07:59:59Z")));
    assert!(lab.admitted_for("sars-cov-2-naat", at("2026-01-05T08:00:00Z")));
    assert!(!lab.admitted_for("sars-cov-2-recovery", at("2026-02-01T00:00:00Z")));
    assert!(lab.held(&Grant::Category("sars-cov-2-naat".into()), at("2026-02-01T00:00:00Z")));
    let withdrawn = of(&labs.withdrawn);
    assert!(withdrawn.admitted_for("sars-cov-2-naat", at("2026-03-01T11:59:59Z")));
    assert!(!withdrawn.admitted_for("sars-cov-2-naat", at("2026-03-01T12:00:00Z")));
    assert_eq!(
        withdrawn.grants().collect::<Vec<_>>(),
        [&Grant::Category("sars-cov-2-vaccination".into())]
    );
    assert_eq!(of(&labs.suspended).standing(), Standing::Suspended);
    assert_eq!(of(&labs.revoked).standing(), Standing::Revoked);
    let resumed = of(&labs.resumed);
    let standing = |time| resumed.standing_at(at(time));
    assert_eq!(standing("2026-01-01T00:00:00Z"), None);
    assert_eq!(standing("2026-02-12T00:00:00Z"), Some(Standing::Suspended));
    assert_eq!(standing("2026-02-15T00:00:00Z"), Some(Standing::Active));
}

#[test]
fn a_did_has_one_spelling() {
    let registry = registry();
    let did = LABS.lab.did();
    assert!(registry.resolve(&did).is_some());
    for other in [
        did.to_uppercase(),
        did.replace("0x56494d", "0x1"),
        did.replace("did:ethr", "did:web"),
        did.replace(":0x56494d", ""),
        format!("{did}#controller"),
        LABS.stranger.did(),
        String::new(),
    ] {
        assert!(registry.resolve(&other).is_none(), "{other}");
    }
}

#[test]
fn keys_have_versions_times_and_kids() {
    let registry = registry();
    let labs = &*LABS;
    let lab = registry.resolve(&labs.lab.did()).unwrap();
    let [first, second] = lab.keys() else {
        panic!("two versions")
    };
    assert_eq!((first.version, first.until), (1, Some(at("2026-02-01T00:00:00Z"))));
    assert_eq!((second.version, second.until, second.revoked_from), (2, None, None));
    let robbed = registry.resolve(&labs.robbed.did()).unwrap();
    assert_eq!(robbed.keys()[0].revoked_from, Some(at("2026-02-25T00:00:00Z")));
    let found: Vec<_> = registry
        .by_kid(&labs.lab.kid(2))
        .map(|(who, record)| (who.address(), record.version))
        .collect();
    assert_eq!(found, [(labs.lab.account.address(), 2)]);
    for kid in [&labs.stranger.kid(1)[..], &labs.lab.kid(2)[..7], &[]] {
        assert_eq!(registry.by_kid(kid).count(), 0);
    }
}

#[test]
fn an_account_is_handed_over_and_given_up() {
    let mut registry = registry();
    let moved = &LABS.moved;
    let of = |registry: &Registry| {
        let moved = registry.resolve(&moved.did()).unwrap();
        (moved.address(), moved.account(), moved.accounts().len())
    };
    let (first, second) = (moved.account.address(), LABS.moved_to.address());
    assert_eq!(of(&registry), (first, Some(second), 2));
    let time = at("2026-03-02T00:00:00Z");
    let mut next = |block, owner| {
        registry
            .apply(&event(moved, block, time, Change::OwnerChanged(owner)))
            .unwrap();
        of(&registry)
    };
    assert_eq!(next(700, first), (first, Some(first), 3));
    // Zero is nobody: from then on no account signs for this DID, whatever is said of it later.
    assert_eq!(next(701, vidimus_core::Address([0; 20])), (first, None, 3));
    assert_eq!(next(702, second), (first, None, 3));
}

#[test]
fn revoking_keys_again_never_makes_them_trusted_again() {
    let mut registry = registry();
    let robbed = &LABS.robbed;
    for from in ["2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"] {
        let change = Change::KeysRevoked {
            version: 1,
            from: at(from),
        };
        registry
            .apply(&event(robbed, 700, at("2026-03-02T00:00:00Z"), change))
            .unwrap();
    }
    assert_eq!(
        registry.resolve(&robbed.did()).unwrap().keys()[0].revoked_from,
        Some(at("2026-02-01T00:00:00Z"))
    );
}

#[test]
fn events_that_do_not_follow_are_refused() {
    let labs = &*LABS;
    let time = at("2026-03-02T00:00:00Z");
    let category = Grant::Category("sars-cov-2-naat".to_owned());
    for (what, next) in [
        ("out of order", event(&labs.lab, 0, time, Change::Resumed)),
        (
            "approved twice",
            event(&labs.lab, 700, time, Change::Approved(Digest([0; 32]))),
        ),
        ("about nobody", event(&labs.stranger, 700, time, Change::Resumed)),
        (
            "withdrawn, never granted",
            event(&labs.late, 700, time, Change::Withdrawn(Grant::Category("x".into()))),
        ),
        (
            "granted twice",
            event(&labs.lab, 700, time, Change::Granted(category.clone())),
        ),
        ("back from revocation", event(&labs.revoked, 700, time, Change::Resumed)),
        (
            "withdrawn twice",
            event(&labs.withdrawn, 700, time, Change::Withdrawn(category)),
        ),
        (
            "an old version",
            event(
                &labs.lab,
                700,
                time,
                Change::KeysRotated {
                    version: 2,
                    keys: Keys::default(),
                },
            ),
        ),
        (
            "no such keys",
            event(&labs.lab, 700, time, Change::KeysRevoked { version: 9, from: time }),
        ),
    ] {
        assert!(registry().apply(&next).is_err(), "{what}");
    }
}

#[test]
fn a_certificate_has_to_hold_the_key_that_stands_beside_it() {
    let labs = &*LABS;
    // The registry names the stranger's certificate beside another key.
    let wrong = Keys {
        p256: Some(vidimus_core::Signer::public_key(&TestKey::p256("somebody")).clone()),
        x25519: None,
        certificate: Some(vidimus_core::Provider::sha256(&*PROVIDER, &[&labs.stranger.keys[0].1])),
    };
    let mut registry = registry();
    let change = Change::KeysRotated {
        version: 3,
        keys: wrong,
    };
    registry
        .apply(&event(&labs.lab, 700, at("2026-03-02T00:00:00Z"), change))
        .unwrap();
    assert_eq!(
        registry.add_certificate(&labs.stranger.keys[0].1, &*PROVIDER),
        Err(CertificateError::Key)
    );
    assert_eq!(
        registry.add_certificate(b"not DER", &*PROVIDER),
        Err(CertificateError::Malformed)
    );
    let lab = registry.resolve(&labs.lab.did()).unwrap().clone();
    assert!(registry.certificate(&lab.keys()[2]).is_none());
    assert!(registry.certificate(&lab.keys()[1]).is_none(), "not at hand yet");
    registry.add_certificate(&labs.lab.keys[1].1, &*PROVIDER).unwrap();
    assert!(registry.certificate(&lab.keys()[1]).is_some());
}

#[test]
fn a_profile_is_the_participants_when_the_registry_has_its_digest() {
    let mut registry = registry();
    assert!(registry.add_profile(profile(&LABS.lab).as_bytes(), &*PROVIDER));
    assert!(registry.add_profile(br#"{"name":"Forged","country":"AT"}"#, &*PROVIDER));
    assert!(!registry.add_profile(b"not a profile", &*PROVIDER));
    let named = |lab: &Lab| {
        registry
            .profile(registry.resolve(&lab.did()).unwrap())
            .map(|profile| profile.name.clone())
    };
    assert_eq!(named(&LABS.lab).as_deref(), Some("Test lab-account"));
    assert_eq!(named(&LABS.clinic), None);
}

#[test]
fn events_read_back_as_written() {
    let events = events();
    let json = serde_json::to_string(&events).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Event>>(&json).unwrap(), events);
    assert!(
        json.contains(r#"{"granted":{"category":"sars-cov-2-naat"}}"#),
        "a form that other languages read too"
    );
}
