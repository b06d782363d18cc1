//! Health certificates.

use super::*;

pub fn cases(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let made = |setup: &mut Setup, kid, key: &TestKey| {
        let copy = hcert_of(&hcert_content(&statement(lab)), kid, key);
        json(&setup.anchor_at(&copy, at("2026-03-01T09:01:00Z")))
    };
    add(
        "hcert-signed-by-another",
        "The kid of a laboratory, the key of a stranger.",
        &[SignatureInvalid],
        &|setup| made(setup, lab.kid(2), &LABS.stranger.keys[0].0),
    );
    add(
        "hcert-kid-unknown",
        "A document signer that nobody admitted.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| made(setup, LABS.stranger.kid(1), &LABS.stranger.keys[0].0),
    );
    add(
        "hcert-kid-of-another",
        "Another laboratory's kid on this one's signature.",
        &[SignatureInvalid, IssuerCategory],
        &|setup| {
            setup.labs = Some(vec![lab, &LABS.clinic]);
            made(setup, LABS.clinic.kid(1), &lab.keys[1].0)
        },
    );
    add(
        "hcert-key-usage",
        "The document signer is certified for vaccinations only.",
        &[KeyUsage],
        &|setup| {
            // The first keys counted for a day only: dated in it, so that the usage is what fails.
            let mut statement = statement(&LABS.mixed);
            statement.issued_at = at("2026-01-05T12:00:00Z");
            statement.claims["sampled_at"] = "2026-01-05T11:00:00Z".into();
            setup.now = at("2026-01-05T18:00:00Z");
            setup.head.read_at = setup.now;
            setup.status = vec![(token_list_of(&DEPLOYMENT, setup.now.plus(-60), None, None), setup.now)];
            statement.valid_until = at("2026-01-08T11:00:00Z");
            json(&paper(setup, &statement, &LABS.mixed, 1))
        },
    );
    add(
        "hcert-signer-expired",
        "Signed after the document signer's certificate had ended.",
        &[KeyExpired],
        &|setup| json(&paper(setup, &statement(&LABS.mixed), &LABS.mixed, 2)),
    );
    add(
        "hcert-issuer-suspended",
        "A suspended laboratory's QR code.",
        &[IssuerSuspended],
        &|setup| json(&paper(setup, &statement(&LABS.suspended), &LABS.suspended, 1)),
    );
    add("hcert-revoked", "A QR code that was revoked.", &[Revoked], &|setup| {
        let mut statement = statement(lab);
        statement.status.as_mut().unwrap().index = REVOKED;
        json(&paper(setup, &statement, lab, 2))
    });
    add("hcert-expired", "A test of last week.", &[Expired], &|setup| {
        setup.now = at("2026-03-05T12:00:00Z");
        setup.head.read_at = setup.now;
        setup.status = vec![(token_list_of(&DEPLOYMENT, setup.now.plus(-60), None, None), setup.now)];
        json(&paper(setup, &statement(lab), lab, 2))
    });
    add(
        "hcert-too-long",
        "Says that it ends next year; the category ends it after 72 hours.",
        &[Expired],
        &|setup| {
            setup.now = at("2026-03-05T12:00:00Z");
            setup.head.read_at = setup.now;
            setup.status = vec![(token_list_of(&DEPLOYMENT, setup.now.plus(-60), None, None), setup.now)];
            let mut statement = statement(lab);
            statement.valid_until = at("2027-03-01T00:00:00Z");
            json(&paper(setup, &statement, lab, 2))
        },
    );
    add(
        "hcert-positive",
        "Genuine, and the virus was found.",
        &[NotAcceptable],
        &|setup| {
            let mut statement = statement(lab);
            statement.claims["result"] = "260373001".into();
            json(&paper(setup, &statement, lab, 2))
        },
    );
    let edited = |setup: &mut Setup, change: &dyn Fn(&mut Value)| {
        let mut content = hcert_content(&statement(lab));
        change(&mut content.dcc);
        let copy = hcert_of(&content, lab.kid(2), &lab.keys[1].0);
        json(&setup.anchor_at(&copy, at("2026-03-01T09:01:00Z")))
    };
    add(
        "hcert-schema",
        "A DCC payload without its version.",
        &[SchemaMismatch, IssuerCategory],
        &|setup| edited(setup, &|dcc| drop(dcc.as_object_mut().unwrap().remove("ver"))),
    );
    add(
        "hcert-two-entries",
        "Two tests in one certificate.",
        &[SchemaMismatch, IssuerCategory],
        &|setup| {
            edited(setup, &|dcc| {
                let first = dcc["t"][0].clone();
                dcc["t"].as_array_mut().unwrap().push(first);
            })
        },
    );
    add(
        "hcert-unknown-entry",
        "A test for another disease.",
        &[UnknownCategory, IssuerCategory],
        &|setup| edited(setup, &|dcc| dcc["t"][0]["tg"] = "6142004".into()),
    );
    add(
        "hcert-of-another-copy",
        "The receipt of another QR code.",
        &[IntegrityMismatch, ReceiptMismatch],
        &|setup| {
            let envelope = paper(setup, &statement(lab), lab, 2);
            let mut other = statement(lab);
            other.valid_until = other.valid_until.plus(-60);
            let copy = hcert_of(&hcert_content(&other), lab.kid(2), &lab.keys[1].0);
            json(&Envelope { copy, ..envelope })
        },
    );
    add(
        "hcert-shown-by-nobody",
        "A QR code in a presentation whose signature is broken.",
        &[HolderBindingInvalid],
        &|setup| {
            let envelope = paper(setup, &statement(lab), lab, 2);
            THIEF.present_in_the_name_of(&TRAVELLER, envelope)
        },
    );
    add(
        "hcert-foreign-signature",
        "A foreign QR code with a broken signature.",
        &[SignatureInvalid],
        &|setup| {
            let (_, der, list) = foreign();
            setup.trust_list = Some((list, now().plus(-3600)));
            let mut content = hcert_content(&statement(lab));
            content.status = None;
            hcert_of(&content, kid(&der), &LABS.stranger.keys[0].0)
        },
    );
    add(
        "hcert-foreign-unlisted",
        "A foreign document signer that the trust list does not have.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| {
            let (_, _, list) = foreign();
            setup.trust_list = Some((list, now().plus(-3600)));
            let mut content = hcert_content(&statement(lab));
            content.status = None;
            hcert_of(&content, LABS.stranger.kid(1), &LABS.stranger.keys[0].0)
        },
    );
}
