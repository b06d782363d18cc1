//! Histories of an issuer that a registry should not have, and that are read the safe way. After the others, so that their numbers stay.

use super::*;
use crate::check::world::vaccination;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, says, reasons: &[Reason], build: &dyn Fn(&mut Setup) -> String| {
        let mut setup = Setup::new();
        let input = build(&mut setup);
        cases.push(case(name, says, input, setup, reasons));
    };
    add(
        "signed-before-the-same-key-again",
        "Signed in January with keys that the registry took in a second time in February.",
        &[],
        &|setup| {
            setup.labs = Some(vec![&LABS.kept]);
            let statement = vaccination(&LABS.kept, "2026-01-20T10:00:00Z");
            shown(
                setup,
                &vc(&statement, Version::V1_1, Algorithm::Es256, &LABS.kept.keys[0].0),
            )
        },
    );
    add(
        "paper-before-the-same-key-again",
        "The same on paper: one certificate under two versions of the keys.",
        &[],
        &|setup| {
            setup.labs = Some(vec![&LABS.kept]);
            let statement = vaccination(&LABS.kept, "2026-01-20T10:00:00Z");
            json(&paper(setup, &statement, &LABS.kept, 1))
        },
    );
    add(
        "did-given-up",
        "Signed by the account that a DID was handed to after it had been given up for ever.",
        &[Reason::SignatureInvalid],
        &|setup| {
            setup.labs = Some(vec![&LABS.gone]);
            let statement = vaccination(&LABS.gone, "2026-02-20T10:00:00Z");
            shown(
                setup,
                &vc(&statement, Version::V1_1, Algorithm::Es256kR, &LABS.moved_to),
            )
        },
    );
    cases
}
