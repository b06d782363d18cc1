//! Time, category and content.

use super::*;

pub fn cases(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let changed = |setup: &mut Setup, change: &dyn Fn(&mut Statement)| {
        let mut statement = statement(lab);
        change(&mut statement);
        shown(setup, &simple(&statement, lab))
    };
    add("expired", "Over by a second.", &[Expired], &|setup| {
        changed(setup, &|statement| statement.valid_until = now().plus(-1))
    });
    add("not-yet-valid", "Begins tomorrow.", &[NotYetValid], &|setup| {
        changed(setup, &|statement| statement.valid_from = now().plus(86_400))
    });
    add(
        "issued-in-the-future",
        "Dated two minutes ahead.",
        &[NotYetValid],
        &|setup| changed(setup, &|statement| statement.issued_at = now().plus(120)),
    );
    add(
        "positive",
        "Genuine, and the virus was found.",
        &[NotAcceptable],
        &|setup| changed(setup, &|statement| statement.claims["result"] = "260373001".into()),
    );
    add(
        "schema-missing-claim",
        "A test without a result.",
        &[SchemaMismatch],
        &|setup| changed(setup, &|statement| drop(statement.claims.remove("result"))),
    );
    add(
        "schema-extra-claim",
        "A claim that the category does not have.",
        &[SchemaMismatch],
        &|setup| {
            changed(setup, &|statement| {
                drop(statement.claims.insert("vip".to_owned(), true.into()))
            })
        },
    );
    add(
        "schema-wrong-type",
        "A date that is a number.",
        &[SchemaMismatch],
        &|setup| changed(setup, &|statement| statement.claims["sampled_at"] = 20_260_301.into()),
    );
    add(
        "category-unknown",
        "A kind of certificate that nobody described.",
        &[UnknownCategory, IssuerCategory],
        &|setup| {
            changed(setup, &|statement| {
                statement.category = vidimus_credential::CategoryId::new("perfect-health").unwrap();
            })
        },
    );
}
