//! Holders whose DID is their key (`did:jwk`), as wallets have it that know no ledger.

use super::*;
use crate::check::world::{Show, at, digest_of};
use vidimus_credential::countersign;

pub fn cases() -> Vec<Case> {
    use Reason::*;
    let mut cases = Vec::new();
    let mut add = |name, says, reasons: &[Reason], build: Build<'_>| {
        let mut setup = Setup::new();
        let input = build(&mut setup);
        cases.push(case(name, says, input, setup, reasons));
    };
    let good = did(&TRAVELLER.p256.public_key().to_jwk().unwrap());
    add(
        "did-jwk",
        "A VC for a holder whose DID is its key, shown and counter-signed with it.",
        &[],
        &|setup| shows(setup, &good, &TRAVELLER.p256, |_| {}),
    );
    add(
        "did-jwk-shown-by-a-thief",
        "Shown and counter-signed with another key than the one in the DID.",
        &[HolderBindingInvalid, CounterSignatureInvalid],
        &|setup| shows(setup, &good, &THIEF.p256, |_| {}),
    );
    for (name, says, kid) in [
        ("did-jwk-kid-of-another", "Names another DID's key.", "did:jwk:e30#0"),
        (
            "did-jwk-kid-without-end",
            "Names a key that the DID does not have.",
            "#1",
        ),
    ] {
        add(name, says, &[HolderBindingInvalid], &|setup| {
            let kid = if kid.starts_with('#') {
                format!("{good}{kid}")
            } else {
                kid.to_owned()
            };
            shows(setup, &good, &TRAVELLER.p256, |header| {
                header["kid"] = kid.as_str().into()
            })
        });
    }
    add(
        "did-jwk-other-algorithm",
        "Claims an algorithm of another curve.",
        &[HolderBindingInvalid],
        &|setup| shows(setup, &good, &TRAVELLER.p256, |header| header["alg"] = "ES256K".into()),
    );
    let mut private = TRAVELLER.p256.public_key().to_jwk().unwrap();
    private["d"] = "c2VjcmV0".into();
    let account = TRAVELLER.account.public_key().to_jwk().unwrap();
    for (name, says, holder) in [
        ("did-jwk-private", "The DID gives the private key away.", did(&private)),
        (
            "did-jwk-of-another-curve",
            "A key that ES256 does not go with.",
            did(&account),
        ),
        ("did-jwk-unreadable", "No key at all.", "did:jwk:e30".to_owned()),
        ("did-jwk-not-base64", "Not even base64url.", "did:jwk:*".to_owned()),
        ("did-jwk-long", "A key with a kilobyte beside it.", {
            let mut jwk = TRAVELLER.p256.public_key().to_jwk().unwrap();
            jwk["note"] = "x".repeat(1_024).into();
            did(&jwk)
        }),
    ] {
        add(name, says, &[HolderBindingInvalid, CounterSignatureInvalid], &|setup| {
            shows(setup, &holder, &TRAVELLER.p256, |_| {})
        });
    }
    cases
}

fn did(jwk: &Value) -> String {
    format!("did:jwk:{}", base64url(jwk.to_string().as_bytes()))
}

/// A VC for `holder`, counter-signed and shown with `key`; the header of the presentation is changed before it is signed.
fn shows(setup: &mut Setup, holder: &str, key: &TestKey, change: impl FnOnce(&mut Value)) -> String {
    let mut statement = statement(&LABS.lab);
    statement.holder = Some(holder.to_owned());
    let copy = simple(&statement, &LABS.lab);
    let mut envelope = setup.anchor_at(&copy, at("2026-03-01T09:01:00Z"));
    let unsigned = countersign::prepare(
        holder,
        &digest_of(&copy),
        at("2026-03-01T10:00:00Z"),
        Algorithm::Es256,
        None,
    );
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    envelope.counter_signature = Some(unsigned.finish(&signature));
    let show = Show {
        holder: Some(holder.to_owned()),
        algorithm: Algorithm::Es256,
        ..Show::default()
    };
    let shown = TRAVELLER.present_as(&show, &[envelope]);
    resigned(&shown, Algorithm::Es256, key, |header, _| change(header))
}
