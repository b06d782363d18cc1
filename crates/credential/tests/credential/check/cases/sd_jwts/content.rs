//! What is said.

use super::*;

pub(super) fn cases(add: Add<'_>) {
    use Reason::*;
    let shown_statement = |setup: &mut Setup, change: &dyn Fn(&mut Statement)| {
        let mut statement = statement(&LABS.lab);
        change(&mut statement);
        let copy = sd_jwt_of(&statement, &LABS.lab, 2, &TRAVELLER.p256);
        anchored(setup, &Binding::default().bind(&copy))
    };
    add(
        "sd-jwt-positive",
        "Genuine, and the virus was found.",
        &[NotAcceptable],
        &|setup| shown_statement(setup, &|statement| statement.claims["result"] = "260373001".into()),
    );
    add("sd-jwt-expired", "Over by a second.", &[Expired], &|setup| {
        shown_statement(setup, &|statement| statement.valid_until = now().plus(-1))
    });
    add("sd-jwt-not-yet-valid", "Begins tomorrow.", &[NotYetValid], &|setup| {
        shown_statement(setup, &|statement| statement.valid_from = now().plus(86_400))
    });
    add("sd-jwt-revoked", "Revoked by its issuer.", &[Revoked], &|setup| {
        shown_statement(setup, &|statement| statement.status.as_mut().unwrap().index = REVOKED)
    });
    add("sd-jwt-suspended", "Suspended by its issuer.", &[Suspended], &|setup| {
        shown_statement(setup, &|statement| statement.status.as_mut().unwrap().index = SUSPENDED)
    });
    add(
        "sd-jwt-extra-claim",
        "A claim that the category does not have, shown.",
        &[SchemaMismatch],
        &|setup| {
            shown_statement(setup, &|statement| {
                drop(statement.claims.insert("vip".to_owned(), true.into()))
            })
        },
    );
    add(
        "sd-jwt-wrong-type",
        "A date that is a number.",
        &[SchemaMismatch],
        &|setup| shown_statement(setup, &|statement| statement.claims["sampled_at"] = 20_260_301.into()),
    );
    add(
        "sd-jwt-no-date",
        "A time that is no time.",
        &[SchemaMismatch],
        &|setup| shown_statement(setup, &|statement| statement.claims["sampled_at"] = "yesterday".into()),
    );
    for (name, says, change) in [
        (
            "sd-jwt-claim-at-the-top",
            "A claim at the top that its format does not have.",
            (|payload| payload["vip"] = true.into()) as fn(&mut Value),
        ),
        (
            "sd-jwt-claims-no-object",
            "The category's claims are a list.",
            |payload| payload["claims"] = object!([]),
        ),
        (
            "sd-jwt-holder-by-thumbprint",
            "Bound to a key that it does not hold.",
            |payload| payload["cnf"] = object!({"jkt": "AAAA"}),
        ),
        ("sd-jwt-without-id", "Without an id.", |payload| {
            drop(payload.as_object_mut().unwrap().remove("jti"))
        }),
        ("sd-jwt-without-time", "Without a time of issue.", |payload| {
            drop(payload.as_object_mut().unwrap().remove("iat"))
        }),
        ("sd-jwt-without-end", "Without an end.", |payload| {
            drop(payload.as_object_mut().unwrap().remove("exp"))
        }),
        ("sd-jwt-without-type", "Without a type.", |payload| {
            drop(payload.as_object_mut().unwrap().remove("vct"))
        }),
        (
            "sd-jwt-status-strange",
            "A status mechanism that is not understood.",
            |payload| payload["status"] = object!({"other_list": {}}),
        ),
    ] {
        add(name, says, &[Malformed], &|setup| {
            let shown = changed(&showing(&sd_jwt(&LABS.lab), &[]), |_, payload| change(payload));
            anchored(setup, &Binding::default().bind(&shown))
        });
    }
    add(
        "sd-jwt-without-holder",
        "Bound to no key.",
        &[Malformed, HolderBindingInvalid],
        &|setup| shows_changed(setup, |_, payload| drop(payload.as_object_mut().unwrap().remove("cnf"))),
    );
    add(
        "sd-jwt-category-unknown",
        "A type that names a kind of certificate that nobody described.",
        &[UnknownCategory, IssuerCategory],
        &|setup| {
            shows_changed(setup, |_, payload| {
                payload["vct"] = "https://health.example/v1/types/perfect-health".into()
            })
        },
    );
    add(
        "sd-jwt-type-of-others",
        "A type that is none of ours, where no issuer of such is trusted.",
        &[UnknownCategory, IssuerCategory],
        &|setup| shows_changed(setup, |_, payload| payload["vct"] = "urn:eudi:pid:1".into()),
    );
}
