//! Who issued.

use super::*;

pub fn cases(add: Add<'_>) {
    use Reason::*;
    let labs = &*LABS;
    add(
        "issuer-unknown",
        "Nobody ever admitted this issuer.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| shown(setup, &simple(&statement(&labs.stranger), &labs.stranger)),
    );
    add(
        "issuer-of-another-chain",
        "The same account on another chain is somebody else.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| {
            let mut statement = statement(&labs.lab);
            statement.issuer = format!("did:ethr:0x1:{}", labs.lab.account.address());
            shown(setup, &simple(&statement, &labs.lab))
        },
    );
    add(
        "issuer-of-another-method",
        "A DID of a method that issuers do not have.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| {
            let mut statement = statement(&labs.lab);
            statement.issuer = "did:web:forger.example".to_owned();
            shown(setup, &simple(&statement, &labs.lab))
        },
    );
    add(
        "issuer-exchanged",
        "Signed by one issuer, in the name of another.",
        &[SignatureInvalid],
        &|setup| {
            setup.labs = Some(vec![&labs.lab, &labs.clinic]);
            shown(
                setup,
                &vc(
                    &statement(&labs.lab),
                    Version::V1_1,
                    Algorithm::Es256k,
                    &labs.clinic.account,
                ),
            )
        },
    );
    for (name, says, lab, reason) in [
        (
            "issuer-admitted-later",
            "Admitted on the day after it signed.",
            &labs.late,
            IssuerNotAdmitted,
        ),
        (
            "issuer-of-another-category",
            "Admitted to vaccinate, not to test.",
            &labs.clinic,
            IssuerCategory,
        ),
        (
            "issuer-suspended",
            "Suspended for ten days.",
            &labs.suspended,
            IssuerSuspended,
        ),
        (
            "issuer-revoked",
            "Its admission was revoked.",
            &labs.revoked,
            IssuerRevoked,
        ),
    ] {
        add(name, says, &[reason], &|setup| {
            let (input, with) = shown_by(lab, &statement(lab));
            *setup = with;
            input
        });
    }
    add(
        "issuer-backdated-admission",
        "Dated after the admission to come, anchored before it.",
        &[IssuerNotAdmitted],
        &|setup| {
            let mut statement = statement(&labs.late);
            statement.issued_at = at("2026-03-02T07:00:00Z");
            setup.labs = Some(vec![&labs.late]);
            let copy = simple(&statement, &labs.late);
            let envelope = setup.counter_signed(&copy, at("2026-03-02T05:00:00Z"));
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "category-withdrawn-before",
        "Signed an hour after it might test no more.",
        &[IssuerCategory],
        &|setup| {
            let mut statement = statement(&labs.withdrawn);
            statement.issued_at = at("2026-03-01T13:00:00Z");
            let copy = simple(&statement, &labs.withdrawn);
            setup.labs = Some(vec![&labs.withdrawn]);
            let mut envelope = setup.anchor_at(&copy, at("2026-03-01T13:01:00Z"));
            envelope.counter_signature = Some(TRAVELLER.countersign(&copy));
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "category-withdrawn-backdated",
        "Dated before it might test no more, anchored long after.",
        &[IssuerCategory],
        &|setup| {
            let copy = simple(&statement(&labs.withdrawn), &labs.withdrawn);
            setup.labs = Some(vec![&labs.withdrawn]);
            let mut envelope = setup.anchor_at(&copy, at("2026-03-02T11:00:00Z"));
            setup.policy = Some(Policy {
                anchor_lag: 3600,
                ..Policy::default()
            });
            envelope.counter_signature = Some(TRAVELLER.countersign(&copy));
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "signed-while-suspended",
        "In good standing now, suspended when it signed.",
        &[IssuerSuspended],
        &|setup| {
            let statement = vaccination(&labs.resumed, "2026-02-12T10:00:00Z");
            let copy = simple(&statement, &labs.resumed);
            setup.labs = Some(vec![&labs.resumed]);
            let mut envelope = setup.anchor_at(&copy, at("2026-02-12T10:01:00Z"));
            envelope.counter_signature = Some(TRAVELLER.countersign(&copy));
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "revoked-in-stale-registry",
        "An old registry is still good enough to say that an issuer is out.",
        &[IssuerRevoked],
        &|setup| {
            let (input, with) = shown_by(&labs.revoked, &statement(&labs.revoked));
            *setup = with;
            setup.head.read_at = now().plus(-3 * 86_400);
            input
        },
    );
}
