//! Whoever changes a byte, wherever it is, does not get a valid certificate.

use super::world::{
    LABS, Lab, PROVIDER, Setup, TRAVELLER, events_of, hcert_content, hcert_of, profile, simple, statement, vc,
};
use vidimus_core::Algorithm;
use vidimus_credential::{
    category::Categories,
    check::{Context, Envelope, Input, Registry, Roots, StatusLists, Verdict, check_bytes},
    format::vc_jwt::Version,
    x509,
};

/// What a setup holds, ready for many checks.
pub struct Ready {
    setup: Setup,
    registry: Registry,
    status: StatusLists,
    roots: Roots,
    categories: Categories,
}

impl Ready {
    pub fn new(setup: Setup) -> Self {
        let provider = &*PROVIDER;
        let labs = setup.labs.clone().unwrap();
        let mut registry = Registry::build(setup.head, &events_of(&labs)).unwrap();
        for lab in &labs {
            for (_, der) in &lab.keys {
                registry.add_certificate(der, provider).unwrap();
            }
            assert!(registry.add_profile(profile(lab).as_bytes(), provider));
        }
        let trusted: Vec<_> = setup
            .trusted
            .iter()
            .map(|der| x509::Certificate::from_der(der).unwrap())
            .collect();
        let mut status = StatusLists::new();
        for (list, read_at) in &setup.status {
            status
                .add_token_list(&list.uri, &list.token, &trusted, *read_at, provider)
                .unwrap();
        }
        let roots = Roots::from(setup.anchors.clone().unwrap());
        Self {
            setup,
            registry,
            status,
            roots,
            categories: Categories::built_in(),
        }
    }

    pub fn context(&self) -> Context<'_> {
        Context {
            now: self.setup.now,
            provider: &*PROVIDER,
            categories: &self.categories,
            registry: Some(&self.registry),
            status: &self.status,
            roots: Some(&self.roots),
            trust: None,
            policy: self.setup.policy.unwrap_or_default(),
            expected: self.setup.expected.as_ref(),
        }
    }

    fn verdict(&self, bytes: &[u8]) -> Verdict {
        check_bytes(bytes, &self.context()).verdict
    }
}

/// Every byte of `text`, changed in each of `masks`' ways and put back into what `shown` makes of it.
fn flip(ready: &Ready, text: &str, masks: &[u8], shown: impl Fn(String) -> Option<Vec<u8>>) {
    let whole = shown(text.to_owned()).unwrap();
    assert_eq!(ready.verdict(&whole), Verdict::Valid, "unchanged it is valid");
    let mut tried = 0;
    for place in 0..text.len() {
        for mask in masks {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] ^= mask;
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            let Some(input) = shown(changed.clone()) else { continue };
            tried += 1;
            assert_ne!(
                ready.verdict(&input),
                Verdict::Valid,
                "byte {place} changed by {mask:#04x}"
            );
        }
    }
    assert!(tried >= text.len(), "only {tried} of {} bytes were tried", text.len());
}

const MASKS: &[u8] = &[0x01, 0x10];

/// [`flip`] for the copy of an envelope.
fn flip_copy(ready: &Ready, envelope: &Envelope) {
    flip(ready, &envelope.copy, MASKS, |copy| {
        let mut envelope = envelope.clone();
        envelope.copy = copy;
        Some(serde_json::to_vec(&envelope).unwrap())
    });
}

#[test]
fn no_byte_of_a_vc_can_be_changed() {
    let lab: &'static Lab = &LABS.lab;
    for (version, algorithm, key) in [
        (Version::V1_1, Algorithm::Es256k, &lab.account),
        (Version::V2_0, Algorithm::Es256, &lab.keys[1].0),
    ] {
        // Bound to nobody: what comes with it need not be made anew for each changed byte.
        let mut statement = statement(lab);
        statement.holder = None;
        let copy = vc(&statement, version, algorithm, key);
        let mut setup = Setup::new();
        let envelope = setup.anchor_at(&copy, statement.issued_at.plus(60));
        let ready = Ready::new(setup);
        flip_copy(&ready, &envelope);
    }
}

#[test]
fn no_byte_of_an_hcert_can_be_changed() {
    let lab: &'static Lab = &LABS.lab;
    let statement = statement(lab);
    let copy = hcert_of(&hcert_content(&statement), lab.kid(2), &lab.keys[1].0);
    let mut setup = Setup::new();
    let envelope = setup.anchor_at(&copy, statement.issued_at.plus(60));
    let ready = Ready::new(setup);
    flip_copy(&ready, &envelope);
}

#[test]
fn no_byte_of_a_receipt_or_salt_can_be_changed() {
    let lab: &'static Lab = &LABS.lab;
    let mut statement = statement(lab);
    statement.holder = None;
    let copy = simple(&statement, lab);
    let mut setup = Setup::new();
    let envelope = setup.anchor_at(&copy, statement.issued_at.plus(60));
    let ready = Ready::new(setup);
    let text = serde_json::to_string(&envelope).unwrap();
    let (before, evidence) = text.split_at(text.find("\"salt\"").unwrap());
    // 0x20 would change the case of hexadecimal digits, which is the same number.
    flip(&ready, evidence, &[0x01, 0x02, 0x10], |evidence| {
        Some(format!("{before}{evidence}").into_bytes())
    });
}

#[test]
fn no_byte_of_a_presentation_can_be_changed() {
    let lab: &'static Lab = &LABS.lab;
    let mut setup = Setup::new();
    let envelope = setup.anchor(&simple(&statement(lab), lab));
    let ready = Ready::new(setup);
    flip(&ready, &TRAVELLER.present(&envelope), &[0x01], |token| {
        Some(token.into_bytes())
    });
}

#[test]
fn a_prefix_of_an_input_is_never_valid_and_never_a_panic() {
    let lab: &'static Lab = &LABS.lab;
    let mut setup = Setup::new();
    let copy = simple(&statement(lab), lab);
    let hcert = hcert_of(&hcert_content(&statement(lab)), lab.kid(2), &lab.keys[1].0);
    let envelope = setup.anchor(&copy);
    let inputs = [
        TRAVELLER.present(&envelope),
        serde_json::to_string(&setup.anchor_at(&hcert, statement(lab).issued_at.plus(60))).unwrap(),
    ];
    let ready = Ready::new(setup);
    for input in inputs {
        assert_eq!(ready.verdict(input.as_bytes()), Verdict::Valid);
        for end in (0..input.len()).step_by(7) {
            assert_ne!(ready.verdict(&input.as_bytes()[..end]), Verdict::Valid, "cut at {end}");
        }
    }
    assert!(Input::parse(copy.as_bytes()).is_ok());
}
