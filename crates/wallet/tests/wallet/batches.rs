//! Copies from issuers: what is taken in, which is shown next, and what the holder signs.

use crate::world::{
    Airline, DAY, Laboratory, NOW, VCT, boarding, key, origin, person, proved, purpose, query, signer, wallet,
};
use serde_json::json;
use vidimus_core::{Algorithm, PublicKey, Signer as _, Timestamp};
use vidimus_credential::{countersign::CounterSignature, presentation::Presentation};
use vidimus_crypto::Native;
use vidimus_openid4vc::vp::Answer;
use vidimus_wallet::{
    Wallet, WalletError,
    batch::{Form, RECEIVED, Validity},
    consent::Wishes,
    registration::Policy,
};

#[test]
fn what_is_not_for_this_wallet_or_not_whole_is_refused() {
    let (native, laboratory) = (Native::new(), Laboratory::new());
    let (mine, other) = (key(), key());
    let made = |public: &PublicKey| laboratory.sd_jwt(VCT, &person(), (None, None), public);
    let copy = made(mine.public_key());
    let keep = |wallet: &mut Wallet, copies: &[String]| {
        let keys = proved(std::slice::from_ref(&mine));
        wallet.keep(&origin("PCR test"), copies, &keys, &[], &native, NOW)
    };
    let refused = |copies: &[String]| keep(&mut wallet(), copies).unwrap_err();
    assert!(matches!(refused(&[]), WalletError::NoCopies));
    assert!(matches!(refused(&[made(other.public_key())]), WalletError::OtherHolder));
    // One key, two copies: they could be linked.
    assert!(matches!(
        refused(&[copy.clone(), made(mine.public_key())]),
        WalletError::OtherHolder
    ));
    assert!(matches!(refused(&["nonsense".into()]), WalletError::Unreadable));
    assert!(matches!(
        refused(&[format!("{copy}e30.e30.e30")]),
        WalletError::Format(_)
    ));
    assert!(matches!(refused(&["x".repeat(300_000)]), WalletError::Unreadable));
    let (signed, disclosures) = copy.split_once('~').unwrap();
    let (head, signature) = signed.rsplit_once('.').unwrap();
    let other_signature: String = signature.chars().rev().collect();
    let forged = format!("{head}.{other_signature}~{disclosures}");
    assert!(matches!(
        refused(&[forged]),
        WalletError::IssuerSignature | WalletError::Unreadable | WalletError::Format(_)
    ));
    let first = disclosures.split('~').next().unwrap();
    assert!(
        matches!(refused(&[format!("{copy}{first}~")]), WalletError::Format(_)),
        "a disclosure twice"
    );
    let mut wallet = wallet();
    assert_eq!(keep(&mut wallet, std::slice::from_ref(&copy)).unwrap(), 1);
    assert!(matches!(keep(&mut wallet, &[copy]), Err(WalletError::Known)));
    assert!(matches!(wallet.batch(2), Err(WalletError::NoSuchBatch(2))));
    let removed = wallet.remove_batch(1).unwrap();
    assert_eq!(removed.title(), "PCR test");
    assert_eq!(laboratory.give(&mut wallet, 1), 2, "a number is given once");
}

#[test]
fn copies_of_two_certificates_are_not_one() {
    let (native, laboratory) = (Native::new(), Laboratory::new());
    let keys = [key(), key()];
    let copies = [
        laboratory.sd_jwt(VCT, &person(), (None, None), keys[0].public_key()),
        laboratory.sd_jwt("urn:other", &json!({"a": 1}), (None, None), keys[1].public_key()),
    ];
    let refused = wallet().keep(&origin("x"), &copies, &proved(&keys), &[], &native, NOW);
    assert!(matches!(refused, Err(WalletError::Mixed)));
}

#[test]
fn validity_is_told_in_days() {
    let (native, laboratory) = (Native::new(), Laboratory::new());
    let at = |times: (Option<i64>, Option<i64>)| {
        let holder = key();
        let mut wallet = wallet();
        let copy = laboratory.sd_jwt(VCT, &person(), times, holder.public_key());
        let id = wallet.keep(&origin("x"), &[copy], &proved(&[holder]), &[], &native, NOW);
        wallet.batch(id.unwrap()).unwrap().validity(NOW)
    };
    let days = |count: i64| NOW.plus(count * DAY);
    assert_eq!(
        at((None, Some(days(3).0))),
        Validity::Until {
            until: days(3),
            days: 3
        }
    );
    assert_eq!(at((None, Some(NOW.0))).to_string(), "expires within a day");
    assert_eq!(
        at((None, Some(NOW.0 - 1))),
        Validity::Expired {
            until: Timestamp(NOW.0 - 1)
        }
    );
    assert_eq!(at((Some(days(1).0), None)), Validity::NotYet { from: days(1) });
    assert!(!at((Some(days(1).0), None)).is_valid());
}

#[test]
fn each_verifier_sees_another_copy_until_they_run_out() {
    let (laboratory, mut wallet) = (Laboratory::new(), wallet());
    let id = laboratory.give(&mut wallet, 2);
    // Two of them go by the host name of one deployment: they are two all the same.
    let airlines = [Airline::of_host(), Airline::of_host(), Airline::new()];
    assert_eq!(airlines[0].client.id(), airlines[1].client.id());
    let (mut seen, mut verifiers) = (Vec::new(), Vec::new());
    for (place, airline) in airlines.iter().enumerate() {
        airline.registered(&mut wallet, airline.entry());
        let request = airline.asks(query(boarding()), Some(purpose("boarding")));
        let next = wallet.batch(id).unwrap().next(&request.verifier());
        assert_eq!(next.linkable, place == 2, "there are two");
        request.agree(&mut wallet).unwrap();
        verifiers.push(request.verifier());
        seen.push(wallet.shared().last().unwrap().items[0].digest);
        let left = 2_usize.saturating_sub(place + 1);
        assert_eq!(wallet.batch(id).unwrap().unused(), left);
    }
    assert_ne!(seen[0], seen[1]);
    // None is left: the second sees the one that nobody else has seen.
    let again = airlines[1].asks(query(boarding()), Some(purpose("boarding")));
    assert_eq!(again.verifier(), verifiers[1]);
    let next = wallet.batch(id).unwrap().next(&verifiers[1]);
    let digest = wallet.batch(id).unwrap().copies()[next.copy].digest();
    assert_eq!((next.linkable, digest), (false, seen[1]));
}

#[test]
fn a_presentation_that_names_its_holder_names_the_same_one_to_the_same_verifier() {
    let (laboratory, mut wallet, native) = (Laboratory::new(), wallet(), Native::new());
    let keys = [key(), key()];
    let subject = json!({"category": "sars-cov-2-naat", "person": {"familyName": "Musterfrau"}, "claims": {"result": "260415000"}});
    let copies: Vec<_> = keys
        .iter()
        .map(|key| laboratory.vc_jwt(&subject, key.public_key()))
        .collect();
    let id = wallet
        .keep(&origin("PCR test"), &copies, &proved(&keys), &[], &native, NOW)
        .unwrap();
    assert_eq!(wallet.batch(id).unwrap().form(), Form::JwtVcJson);
    let asked = json!({"credentials": [{
        "id": "test", "format": "jwt_vc_json",
        "meta": {"type_values": [["https://www.w3.org/2018/credentials#VerifiableCredential"]]},
        "claims": [{"path": ["credentialSubject", "claims", "result"]}],
    }]});
    let (first, second) = (Airline::new(), Airline::new());
    let mut digests = Vec::new();
    for airline in [&first, &second, &first] {
        airline.registered(&mut wallet, airline.entry());
        let request = airline.asks(query(asked.clone()), Some(purpose("boarding")));
        let consent = request.consider(&wallet, &Policy::STRICT, &Wishes::default()).unwrap();
        let offered = &consent.credentials[0];
        assert!(offered.whole && !offered.linkable);
        let names: Vec<_> = offered
            .attributes
            .iter()
            .map(|one| (one.name.as_str(), one.asked))
            .collect();
        assert!(
            names.contains(&("result", true)) && names.contains(&("family_name", false)),
            "{names:?}"
        );
        assert!(consent.shows_more());
        let refused = request.answer(&mut wallet, &consent);
        assert!(matches!(refused, Err(WalletError::Whole)));
        let whole = Wishes {
            whole: true,
            ..Wishes::default()
        };
        let consent = request.consider(&wallet, &Policy::STRICT, &whole).unwrap();
        request.answer(&mut wallet, &consent).unwrap();
        digests.push(wallet.shared().last().unwrap().items[0].digest);
    }
    assert_ne!(digests[0], digests[1]);
    assert_eq!(digests[0], digests[2]);
}

#[test]
fn the_holder_signs_each_copy_with_its_own_key() {
    let (laboratory, mut wallet, native) = (Laboratory::new(), wallet(), Native::new());
    let id = laboratory.give(&mut wallet, 2);
    assert_eq!(wallet.counter_sign_batch(id, &signer, &native, NOW).unwrap(), 2);
    let copies = wallet.batch(id).unwrap().copies().to_vec();
    let signed = |place: usize| copies[place].envelope().counter_signature.clone().unwrap();
    for (place, copy) in copies.iter().enumerate() {
        let read = CounterSignature::parse(&signed(place)).unwrap();
        let own = signer(copy.key(), Algorithm::Es256).unwrap();
        read.verify_by_key(own.public_key(), &copy.digest(), &native).unwrap();
        let other = signer(copies[1 - place].key(), Algorithm::Es256).unwrap();
        assert!(read.verify_by_key(other.public_key(), &copy.digest(), &native).is_err());
        assert!(
            read.verify_by_key(own.public_key(), &copies[1 - place].digest(), &native)
                .is_err()
        );
    }
    wallet.counter_sign_batch(id, &signer, &native, NOW.plus(9)).unwrap();
    assert_eq!(
        wallet.batch(id).unwrap().copies()[0].envelope().counter_signature,
        Some(signed(0)),
        "once"
    );
    assert!(matches!(
        wallet.counter_sign_batch(9, &signer, &native, NOW),
        Err(WalletError::NoSuchBatch(9))
    ));
}

#[test]
fn a_file_from_before_reads_and_a_new_one_reads_again() {
    let mut wallet = wallet();
    let old = serde_json::to_value(&wallet).unwrap();
    let members: Vec<_> = old.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        members,
        [
            "version",
            "did",
            "account",
            "signing",
            "sealing",
            "held",
            "shown",
            "last_batch"
        ]
    );
    let mut before = old.clone();
    before.as_object_mut().unwrap().shift_remove("last_batch");
    serde_json::from_value::<Wallet>(before).unwrap();
    Laboratory::new().give(&mut wallet, 2);
    let text = serde_json::to_string(&wallet).unwrap();
    let again: Wallet = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    assert!(!format!("{wallet:?}").contains("Musterfrau"));
}

#[test]
fn what_was_received_under_the_holders_did_is_shown_under_it() {
    let (airline, native, mut wallet) = (Airline::new(), Native::new(), wallet());
    let mut entry = airline.entry();
    let names = ["family_name", "given_name", "birth_date", "result"];
    entry.attributes = names.map(str::to_owned).into();
    airline.registered(&mut wallet, entry);
    let envelope = crate::certificate(Some(wallet.did()), 1);
    assert_eq!(
        wallet.receive(envelope, "https://lab.example", &native, NOW).unwrap(),
        1
    );
    let asked = json!({"credentials": [{
        "id": "test", "format": "jwt_vc_json",
        "meta": {"type_values": [["https://www.w3.org/2018/credentials#VerifiableCredential"]]},
        "claims": [{"path": ["credentialSubject", "claims", "result"]}],
    }]});
    let request = airline.asks(query(asked), Some(purpose("boarding")));
    let whole = Wishes {
        whole: true,
        using: [("test".to_owned(), RECEIVED + 1)].into(),
        ..Wishes::default()
    };
    let consent = request.consider(&wallet, &Policy::STRICT, &whole).unwrap();
    let offered = &consent.credentials[0];
    assert_eq!(
        (offered.certificate, offered.linkable, offered.vouched),
        (RECEIVED + 1, true, false)
    );
    let http = request.answer(&mut wallet, &consent).unwrap();
    let Answer::Presented(token) = request.read(&http) else {
        panic!("it was declined")
    };
    let shown = Presentation::parse(token.find("test")[0].as_str().unwrap()).unwrap();
    shown.verify_holder(&native, NOW).unwrap();
    assert_eq!(shown.holder, wallet.did());
    assert_eq!(
        wallet.shared().last().unwrap().items[0].digest,
        wallet.get(1).unwrap().digest()
    );
}
