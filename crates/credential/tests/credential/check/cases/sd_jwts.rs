//! SD-JWT VCs, ours and of others.

mod bindings;
mod content;
mod disclosures;
mod foreign;
mod foreign_status;
mod signatures;

use super::*;
use crate::check::world::{
    Binding, ISSUER_ELSEWHERE, Issuers, PROVIDER, REVOKED, SUSPENDED, THIRD, at, bits, countersign_by, now, sd_jwt,
    sd_jwt_of, showing, vaccination,
};
use serde_json::json as object;
use vidimus_core::{Provider, encoding::base64};
use vidimus_credential::{
    format::sd_jwt_vc::issuer_metadata::Key,
    sd_jwt::{ClaimPath, Frame, conceal},
};

const ALL: &[&str] = &[
    "/family_name",
    "/given_name",
    "/birthdate",
    "result",
    "sampled_at",
    "country",
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, says, reasons: &[Reason], build: Build<'_>| {
        let mut setup = Setup::new();
        let input = build(&mut setup);
        cases.push(case(name, says, input, setup, reasons));
    };
    good(&mut add);
    undetermined(&mut add);
    bindings::cases(&mut add);
    disclosures::cases(&mut add);
    signatures::cases(&mut add);
    content::cases(&mut add);
    foreign::cases(&mut add);
    cases
}

/// What signers and lists of others may say, and what names no status.
pub fn of_others(add: Add<'_>) {
    foreign::certificates(add);
    foreign_status::cases(add);
    without_status(add);
}

/// Anchored, and shown as `presented` with its key binding.
fn anchored(setup: &mut Setup, presented: &str) -> String {
    let mut envelope = match vidimus_credential::format::parse(presented) {
        Ok(_) => setup.anchor_at(presented, at("2026-03-01T09:01:00Z")),
        // What does not read has no digest to anchor.
        Err(_) => Envelope::new(presented),
    };
    envelope.copy = presented.to_owned();
    json(&envelope)
}

/// The copy of the day, with these claims shown to the airline.
fn shows(setup: &mut Setup, claims: &[&str]) -> String {
    let bound = Binding::default().bind(&showing(&sd_jwt(&LABS.lab), claims));
    anchored(setup, &bound)
}

/// The issuer-signed part changed and signed again by the laboratory, with the copy's own disclosures.
fn changed(copy: &str, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let (jwt, disclosures) = copy.split_once('~').unwrap();
    let key = &LABS.lab.keys.last().unwrap().0;
    format!("{}~{disclosures}", resigned(jwt, Algorithm::Es256, key, change))
}

/// A changed copy, shown whole to the airline.
fn shows_changed(setup: &mut Setup, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let bound = Binding::default().bind(&changed(&sd_jwt(&LABS.lab), change));
    anchored(setup, &bound)
}

fn disclosure(content: &Value) -> (String, String) {
    let text = base64url(content.to_string().as_bytes());
    let digest = base64url(&PROVIDER.sha256(&[text.as_bytes()]).0);
    (text, digest)
}

fn good(add: Add<'_>) {
    add(
        "sd-jwt",
        "An SD-JWT VC, six of its claims shown by its holder.",
        &[],
        &|setup| shows(setup, ALL),
    );
    add(
        "sd-jwt-result-alone",
        "The result, and nothing about the person.",
        &[],
        &|setup| shows(setup, &["result"]),
    );
    add("sd-jwt-whole", "Everything that there is to disclose.", &[], &|setup| {
        anchored(setup, &Binding::default().bind(&sd_jwt(&LABS.lab)))
    });
    add(
        "sd-jwt-counter-signed",
        "The holder signed its receipt with the key of the copy.",
        &[],
        &|setup| {
            let shown = Binding::default().bind(&showing(&sd_jwt(&LABS.lab), &["result"]));
            let mut envelope = setup.anchor_at(&shown, at("2026-03-01T09:01:00Z"));
            envelope.counter_signature = Some(countersign_by(&TRAVELLER.p256, &shown));
            json(&envelope)
        },
    );
    add(
        "sd-jwt-without-certificates",
        "The certificate in its header is the one that the registry names.",
        &[],
        &|setup| {
            setup.certificates = false;
            shows(setup, &["result"])
        },
    );
    add(
        "sd-jwt-vaccination",
        "A series of doses, its two numbers shown.",
        &[],
        &|setup| {
            setup.labs = Some(vec![&LABS.clinic]);
            let copy = sd_jwt_of(
                &vaccination(&LABS.clinic, "2026-03-01T09:00:00Z"),
                &LABS.clinic,
                1,
                &TRAVELLER.p256,
            );
            anchored(
                setup,
                &Binding::default().bind(&showing(&copy, &["dose", "doses_in_series"])),
            )
        },
    );
}

fn undetermined(add: Add<'_>) {
    use Reason::*;
    add(
        "sd-jwt-result-not-shown",
        "Whether the result is accepted depends on it.",
        &[AcceptanceUndisclosed],
        &|setup| shows(setup, &["/family_name", "sampled_at"]),
    );
    add(
        "sd-jwt-nothing-shown",
        "Not a single disclosure.",
        &[AcceptanceUndisclosed],
        &|setup| shows(setup, &[]),
    );
    add(
        "sd-jwt-one-number-shown",
        "The dose without how many there are to be.",
        &[AcceptanceUndisclosed],
        &|setup| {
            setup.labs = Some(vec![&LABS.clinic]);
            let copy = sd_jwt_of(
                &vaccination(&LABS.clinic, "2026-03-01T09:00:00Z"),
                &LABS.clinic,
                1,
                &TRAVELLER.p256,
            );
            anchored(setup, &Binding::default().bind(&showing(&copy, &["dose"])))
        },
    );
    add(
        "sd-jwt-without-binding",
        "Asked for by a and not bound to it.",
        &[HolderBindingMissing, PresentationMissing],
        &|setup| {
            let copy = showing(&sd_jwt(&LABS.lab), &["result"]);
            anchored(setup, &copy)
        },
    );
    add(
        "sd-jwt-without-receipt",
        "Shown with nothing beside it.",
        &[IntegrityMissing, ReceiptMissing],
        &|_| Binding::default().bind(&showing(&sd_jwt(&LABS.lab), &["result"])),
    );
    add(
        "sd-jwt-without-registry",
        "Nothing is known of issuers.",
        &[KeyUnavailable, RegistryMissing],
        &|setup| {
            setup.labs = None;
            shows(setup, &["result"])
        },
    );
    add(
        "sd-jwt-without-status-list",
        "No status list at hand.",
        &[StatusMissing],
        &|setup| {
            setup.status.clear();
            shows(setup, &["result"])
        },
    );
    add(
        "sd-jwt-without-request",
        "Bound to a request that is not at hand.",
        &[RequestMissing],
        &|setup| {
            setup.expected = None;
            shows(setup, &["result"])
        },
    );
}

fn without_status(add: Add<'_>) {
    add(
        "sd-jwt-without-status",
        "One of ours that names no status.",
        &[Reason::StatusAbsent],
        &|setup| {
            shows_changed(setup, |_, payload| {
                payload.as_object_mut().unwrap().remove("status");
            })
        },
    );
    add(
        "vc-without-status",
        "A VC of ours that names no status.",
        &[Reason::StatusAbsent],
        &|setup| {
            let mut statement = statement(&LABS.lab);
            statement.status = None;
            shown(setup, &simple(&statement, &LABS.lab))
        },
    );
}
