//! A wallet's provider withdraws what it attested.

use super::world::{Attester, NOW, altered};
use serde_json::{Value, json};
use std::sync::LazyLock;
use vidimus_core::{Algorithm, Provider as _, Signer as _};
use vidimus_credential::{
    status::{
        Bits, SigningHeader, Status,
        token_list::{self, Terms, TokenList},
    },
    x509::Certificate,
};
use vidimus_crypto::Native;
use vidimus_openid4vc::oauth::standing::{Reference, Signers, StandingError};

/// Made once: signatures of certificates are drawn.
static OWN: LazyLock<Attester> = LazyLock::new(|| Attester::new(100));

const LIST: &str = "https://provider.example/status/1";

fn terms() -> Terms {
    Terms {
        uri: LIST.into(),
        issued_at: NOW.plus(-60),
        expires_at: Some(NOW.plus(600)),
        ttl: Some(300),
    }
}

/// A list in which place 7 was revoked and place 8 is suspended.
fn list(signer: &Attester, terms: &Terms) -> String {
    let mut bits = Bits::new(1).unwrap();
    bits.set(7, Status::Revoked).unwrap();
    bits.set(8, Status::Suspended).unwrap();
    let header = SigningHeader {
        algorithm: Algorithm::Es256,
        kid: None,
        x5c: &signer.chain,
    };
    let unsigned = token_list::prepare(&bits, terms, &header).unwrap();
    let signature = signer.key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

fn check(token: &str, index: u64, roots: &[Certificate], listed: &[Certificate]) -> Result<(), StandingError> {
    let native = Native::new();
    let attester = native.sha256(&[&OWN.chain[0]]);
    let signers = Signers {
        attester: &attester,
        roots,
        listed,
    };
    let reference = Reference {
        uri: LIST.into(),
        index,
    };
    reference.check(&TokenList::parse(token).unwrap(), signers, NOW, &native)
}

#[test]
fn what_was_withdrawn_does_not_count() {
    let token = list(&OWN, &terms());
    for (index, standing) in [
        (6, Ok(())),
        (7, Err(StandingError::Withdrawn)),
        (8, Err(StandingError::Withdrawn)),
        (9, Ok(())),
        (u64::MAX, Err(StandingError::List)),
    ] {
        assert_eq!(check(&token, index, &[], &[]), standing, "{index}");
    }
}

#[test]
fn a_list_is_signed_by_who_attested_or_by_who_is_trusted_with_lists() {
    let (own, other, verifier) = (&*OWN, Attester::new(200), Attester::for_verifiers(300));
    let silent = Attester::for_nothing_named(400);
    let leaf = |attester: &Attester| Certificate::from_der(&attester.chain[0]).unwrap();
    let by = |signer: &Attester| list(signer, &terms());
    let signer = Err(StandingError::Signer);
    for (who, token, roots, listed, standing) in [
        ("the attester", by(own), vec![], vec![], Ok(())),
        ("a stranger", by(&other), vec![own.root.clone()], vec![], signer),
        (
            "a status signer of its authority",
            by(&other),
            vec![other.root.clone()],
            vec![],
            Ok(()),
        ),
        (
            "a verifier of its authority",
            by(&verifier),
            vec![verifier.root.clone()],
            vec![],
            signer,
        ),
        (
            "a signer that is listed",
            by(&other),
            vec![],
            vec![leaf(&other)],
            Ok(()),
        ),
        (
            "one of an authority that is listed",
            by(&other),
            vec![],
            vec![other.root.clone()],
            Ok(()),
        ),
        (
            "a verifier of such a one",
            by(&verifier),
            vec![],
            vec![verifier.root.clone()],
            signer,
        ),
        (
            "one of such a one that names no use",
            by(&silent),
            vec![],
            vec![silent.root.clone()],
            signer,
        ),
        (
            "the same, listed itself",
            by(&silent),
            vec![],
            vec![silent.root.clone(), leaf(&silent)],
            Ok(()),
        ),
        (
            "an altered one",
            altered(&by(own), &other.key, |_, _| {}),
            vec![],
            vec![],
            signer,
        ),
        (
            "nobody",
            altered(&by(own), &own.key, |header, _| {
                drop(header.as_object_mut().unwrap().remove("x5c"))
            }),
            vec![],
            vec![],
            signer,
        ),
        (
            "another algorithm",
            altered(&by(own), &own.key, |header, _| header["alg"] = json!("ES256K")),
            vec![],
            vec![],
            signer,
        ),
    ] {
        assert_eq!(check(&token, 6, &roots, &listed), standing, "{who}");
    }
}

#[test]
fn a_list_is_the_one_that_is_named_and_of_now() {
    let own = &*OWN;
    let changed = |change: fn(&mut Terms)| {
        let mut terms = terms();
        change(&mut terms);
        check(&list(own, &terms), 6, &[], &[])
    };
    assert_eq!(changed(|_| {}), Ok(()));
    assert_eq!(changed(|terms| terms.expires_at = None), Ok(()));
    assert_eq!(changed(|terms| terms.uri.push('1')), Err(StandingError::List));
    assert_eq!(changed(|terms| terms.expires_at = Some(NOW)), Err(StandingError::Time));
    assert_eq!(
        changed(|terms| terms.issued_at = NOW.plus(61)),
        Err(StandingError::Time)
    );
}

#[test]
fn a_status_that_is_not_known_is_not_passed_over() {
    let read = |status: Value| Reference::read(&status);
    let reference = read(json!({"status_list": {"idx": 7, "uri": LIST}, "more": 1})).unwrap();
    assert_eq!((reference.uri.as_str(), reference.index), (LIST, 7));
    for status in [
        json!({}),
        json!("revoked"),
        json!({"status_list": {}}),
        json!({"status_list": {"idx": -1, "uri": LIST}}),
        json!({"status_list": {"idx": "7", "uri": LIST}}),
        json!({"status_list": {"idx": 7}}),
        json!({"status_list": {"idx": 7, "uri": "x".repeat(2_049)}}),
        json!({"identifier_list": {"id": "AA", "uri": LIST}}),
    ] {
        assert_eq!(read(status.clone()), Err(StandingError::Kind), "{status}");
    }
}
