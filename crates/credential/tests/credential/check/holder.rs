//! The holder card, and what a holder signs.

use super::world::{LABS, PROVIDER, Setup, THIEF, TRAVELLER, TestKey, digest_of, now, simple, statement};
use vidimus_core::{Algorithm, Signer};
use vidimus_credential::{
    card::{CardError, HolderCard},
    check::Envelope,
    countersign::{self, CounterSignature, CounterSignatureError},
    presentation::{MAX_COPIES, Presentation, PresentationError},
};

#[test]
fn the_traveller_gives_the_lab_a_card_with_three_keys() {
    let card = HolderCard::verify(&TRAVELLER.card(), &*PROVIDER, now()).unwrap();
    assert_eq!(card.did, TRAVELLER.did());
    assert_eq!(card.signing_key, *TRAVELLER.p256.public_key());
    assert_eq!(card.sealing_key, [0x25; 32]);
}

#[test]
fn a_card_is_refused_when_anything_about_it_is_not_the_holders() {
    let verify = |text: &str| HolderCard::verify(text, &*PROVIDER, now()).map(|card| card.did.clone());
    // Signed by somebody else's account.
    assert_eq!(verify(&TRAVELLER.card_by(&THIEF.account)), Err(CardError::Account));
    // The thief puts the traveller's P-256 key into its own card, without having it.
    let stolen = HolderCard {
        did: THIEF.did(),
        signing_key: TRAVELLER.p256.public_key().clone(),
        sealing_key: [1; 32],
        issued_at: now(),
    };
    let possession = THIEF.p256.sign(Algorithm::Es256, &stolen.possession_message()).unwrap();
    assert_eq!(
        verify(&finish(&stolen, &possession, &THIEF.account)),
        Err(CardError::Possession)
    );
    // Possession that was proven for another card does not carry over.
    let earlier = HolderCard {
        did: TRAVELLER.did(),
        ..stolen.clone()
    };
    let possession = TRAVELLER
        .p256
        .sign(Algorithm::Es256, &earlier.possession_message())
        .unwrap();
    assert_eq!(
        verify(&finish(&stolen, &possession, &THIEF.account)),
        Err(CardError::Possession)
    );
    // Dated ahead.
    let future = HolderCard {
        issued_at: now().plus(120),
        ..earlier
    };
    let possession = TRAVELLER
        .p256
        .sign(Algorithm::Es256, &future.possession_message())
        .unwrap();
    assert_eq!(
        verify(&finish(&future, &possession, &TRAVELLER.account)),
        Err(CardError::Future)
    );
    // Something else that the holder signed.
    let copy = simple(&statement(&LABS.lab), &LABS.lab);
    assert_eq!(verify(&TRAVELLER.countersign(&copy)), Err(CardError::Member("typ")));
    assert!(matches!(verify("not a card"), Err(CardError::Jws(_))));
}

fn finish(card: &HolderCard, possession: &[u8], account: &TestKey) -> String {
    let unsigned = card.prepare(possession);
    let signature = account.sign(Algorithm::Es256k, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

#[test]
fn a_counter_signature_holds_for_one_copy_and_one_holder() {
    let copy = simple(&statement(&LABS.lab), &LABS.lab);
    let digest = digest_of(&copy);
    let signature = CounterSignature::parse(&TRAVELLER.countersign(&copy)).unwrap();
    let verify = |holder: &str, digest| signature.verify(holder, digest, &*PROVIDER, now());
    assert_eq!(verify(&TRAVELLER.did(), &digest), Ok(()));
    assert_eq!(verify(&THIEF.did(), &digest), Err(CounterSignatureError::Holder));
    let mut other = digest;
    other.0[0] ^= 1;
    assert_eq!(verify(&TRAVELLER.did(), &other), Err(CounterSignatureError::Digest));
}

#[test]
fn the_p256_key_counter_signs_where_a_card_binds_it() {
    let digest = digest_of(&simple(&statement(&LABS.lab), &LABS.lab));
    let sign = |card: Option<&str>| {
        let unsigned = countersign::prepare(&TRAVELLER.did(), &digest, now(), Algorithm::Es256, card);
        let signature = TRAVELLER.p256.sign(Algorithm::Es256, unsigned.message()).unwrap();
        CounterSignature::parse(&unsigned.finish(&signature)).unwrap()
    };
    let verify = |signature: CounterSignature| signature.verify(&TRAVELLER.did(), &digest, &*PROVIDER, now());
    assert_eq!(verify(sign(Some(&TRAVELLER.card()))), Ok(()));
    assert_eq!(verify(sign(None)), Err(CounterSignatureError::Signature));
    assert_eq!(verify(sign(Some(&THIEF.card()))), Err(CounterSignatureError::Signature));
}

#[test]
fn a_presentation_reads_back_as_it_was_made() {
    let mut setup = Setup::new();
    let envelope = setup.anchor(&simple(&statement(&LABS.lab), &LABS.lab));
    let bare = Envelope::new(envelope.copy.clone());
    let shown =
        Presentation::parse(&TRAVELLER.present_as(&Default::default(), &[envelope.clone(), bare.clone()])).unwrap();
    assert_eq!(shown.envelopes, [envelope, bare]);
    assert_eq!(shown.holder, TRAVELLER.did());
    assert_eq!(shown.verify_holder(&*PROVIDER, now()), Ok(()));
}

#[test]
fn a_presentation_of_too_many_copies_is_refused() {
    let copies = vec![Envelope::new("x"); MAX_COPIES + 1];
    let token = TRAVELLER.present_as(&Default::default(), &copies);
    assert_eq!(
        Presentation::parse(&token),
        Err(PresentationError::Claim("verifiableCredential"))
    );
}

#[test]
fn debug_output_shows_neither_person_nor_salt() {
    let mut setup = Setup::new();
    let envelope = setup.anchor(&simple(&statement(&LABS.lab), &LABS.lab));
    let shown = Presentation::parse(&TRAVELLER.present(&envelope)).unwrap();
    let input = vidimus_credential::check::Input::parse(TRAVELLER.present(&envelope).as_bytes()).unwrap();
    let salt = serde_json::to_string(&envelope.salt).unwrap();
    for text in [format!("{envelope:?}"), format!("{shown:?}"), format!("{input:?}")] {
        assert!(
            !text.contains("Mustermann") && !text.contains(salt.trim_matches('"')),
            "{text}"
        );
        assert!(!text.contains(&envelope.copy), "{text}");
    }
}
