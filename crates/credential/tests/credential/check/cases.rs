//! The cases that become vectors, by what the check says about them.

mod accept;
mod bombs;
mod jwks;
mod malformed;
mod odd;
mod paper;
mod reject;
mod sd_jwts;
mod undetermined;

use super::{
    vectors::Input,
    world::{
        DEPLOYMENT, Holder, LABS, Lab, OTHER, Setup, Show, THIEF, TRAVELLER, TestKey, hcert_content, hcert_of, raw_jws,
        simple, statement, vc,
    },
};
use serde_json::Value;
use vidimus_core::{Algorithm, Signer, encoding::base64url, reason::Reason};
use vidimus_credential::{Statement, check::Envelope, format::vc_jwt::Version};

/// One case.
pub struct Case {
    pub name: &'static str,
    pub says: &'static str,
    pub input: Input,
    pub setup: Setup,
    /// Why the verdict is not valid, in the order of the tests; none for a valid one.
    pub reasons: Vec<Reason>,
}

/// How a case's input is built, with what it is checked with.
type Build<'a> = &'a dyn Fn(&mut Setup) -> String;
/// Takes a case: name, what it says, reasons, input.
type Add<'a> = &'a mut dyn FnMut(&'static str, &'static str, &[Reason], Build<'_>);

pub fn all() -> Vec<Case> {
    let mut cases = accept::cases();
    cases.extend(reject::cases());
    cases.extend(malformed::cases());
    cases.extend(paper::cases());
    cases.extend(undetermined::cases());
    cases.extend(odd::cases());
    cases.extend(bombs::cases());
    cases.extend(sd_jwts::cases());
    cases.extend(jwks::cases());
    let mut add = |name, says, reasons: &[Reason], build: Build<'_>| {
        let mut setup = Setup::new();
        let input = build(&mut setup);
        cases.push(case(name, says, input, setup, reasons));
    };
    accept::without_time(&mut add);
    reject::without_time(&mut add);
    sd_jwts::of_others(&mut add);
    cases
}

/// The keys that the vectors are signed with.
pub fn keys() -> Vec<&'static TestKey> {
    let labs = &*LABS;
    let all: [&Lab; 13] = [
        &labs.lab,
        &labs.clinic,
        &labs.late,
        &labs.suspended,
        &labs.resumed,
        &labs.revoked,
        &labs.withdrawn,
        &labs.robbed,
        &labs.mixed,
        &labs.moved,
        &labs.kept,
        &labs.gone,
        &labs.stranger,
    ];
    let holders: [&Holder; 2] = [&TRAVELLER, &THIEF];
    let mut keys: Vec<&TestKey> = Vec::new();
    for lab in all {
        keys.push(&lab.account);
        keys.extend(lab.keys.iter().map(|(key, _)| key));
    }
    keys.push(&labs.moved_to);
    for holder in holders {
        keys.extend([&holder.account, &holder.p256]);
    }
    keys.extend([&DEPLOYMENT.lists, &OTHER.lists]);
    keys
}

fn case(name: &'static str, says: &'static str, input: impl Into<Input>, setup: Setup, reasons: &[Reason]) -> Case {
    Case {
        name,
        says,
        input: input.into(),
        setup,
        reasons: reasons.to_vec(),
    }
}

impl From<String> for Input {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A copy as it should be, anchored, counter-signed and presented by the traveller.
fn shown(setup: &mut Setup, copy: &str) -> String {
    let envelope = setup.anchor(copy);
    TRAVELLER.present(&envelope)
}

/// The same in one step: a statement of `lab`, signed ES256K, with `lab` in the registry.
fn shown_by(lab: &'static Lab, statement: &Statement) -> (String, Setup) {
    let mut setup = Setup::new();
    setup.labs = Some(vec![lab]);
    let input = shown(&mut setup, &simple(statement, lab));
    (input, setup)
}

/// An HCERT of `lab`'s keys of `version`, anchored, nobody's in particular: as it stands on paper once its receipt was fetched.
fn paper(setup: &mut Setup, statement: &Statement, lab: &'static Lab, version: usize) -> Envelope {
    setup.labs = Some(vec![lab]);
    let copy = hcert_of(&hcert_content(statement), lab.kid(version), &lab.keys[version - 1].0);
    setup.anchor_at(&copy, statement.issued_at.plus(60))
}

fn json(envelope: &Envelope) -> String {
    serde_json::to_string(envelope).unwrap()
}

/// Header and payload of a valid copy, to be changed and signed again.
fn parts(copy: &str) -> (Value, Value) {
    let part = |n: usize| {
        let text = copy.split('.').nth(n).unwrap();
        serde_json::from_slice(&vidimus_core::encoding::from_base64url(text).unwrap()).unwrap()
    };
    (part(0), part(1))
}

/// A copy whose header or payload differs, properly signed by `key` with `algorithm`.
fn resigned(copy: &str, algorithm: Algorithm, key: &TestKey, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let (mut header, mut payload) = parts(copy);
    change(&mut header, &mut payload);
    raw_jws(&header.to_string(), &payload.to_string(), |message| {
        key.sign(algorithm, message).unwrap()
    })
}
