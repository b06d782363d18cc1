//! Who shows it, to whom, and who counter-signed.

use super::*;

pub fn cases(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let copy = || simple(&statement(lab), lab);
    let show = |setup: &mut Setup, show: Show| {
        let envelope = setup.anchor(&copy());
        TRAVELLER.present_as(&show, &[envelope])
    };
    add(
        "shown-by-a-thief",
        "Somebody else shows the traveller's certificate.",
        &[HolderBindingInvalid],
        &|setup| THIEF.present(&setup.anchor(&copy())),
    );
    add(
        "shown-in-anothers-name",
        "The thief writes the traveller's DID and signs with its own key.",
        &[HolderBindingInvalid],
        &|setup| {
            let envelope = setup.anchor(&copy());
            THIEF.present_in_the_name_of(&TRAVELLER, envelope)
        },
    );
    add(
        "shown-with-anothers-card",
        "A P-256 key with the card of another holder.",
        &[HolderBindingInvalid],
        &|setup| {
            let envelope = setup.anchor(&copy());
            let show = Show {
                holder: Some(TRAVELLER.did()),
                algorithm: Algorithm::Es256,
                card: Some(THIEF.card()),
                ..Show::default()
            };
            THIEF.present_as(&show, &[envelope])
        },
    );
    add(
        "shown-with-forged-card",
        "A card for the thief's P-256 key that the account did not sign.",
        &[HolderBindingInvalid],
        &|setup| {
            let envelope = setup.anchor(&copy());
            let forged = Holder {
                account: TestKey::account("traveller"),
                p256: TestKey::p256("thief"),
            };
            let card = Some(forged.card_by(&THIEF.account));
            let show = Show {
                holder: Some(TRAVELLER.did()),
                algorithm: Algorithm::Es256,
                card,
                ..Show::default()
            };
            THIEF.present_as(&show, &[envelope])
        },
    );
    add(
        "shown-with-p256-without-card",
        "A P-256 key that nothing binds to the holder.",
        &[HolderBindingInvalid],
        &|setup| {
            show(
                setup,
                Show {
                    algorithm: Algorithm::Es256,
                    ..Show::default()
                },
            )
        },
    );
    add(
        "shown-altered",
        "The presentation was changed after it was signed.",
        &[HolderBindingInvalid],
        &|setup| {
            let token = show(
                setup,
                Show {
                    audience: "did:example:other".to_owned(),
                    ..Show::default()
                },
            );
            let (header, mut payload) = parts(&token);
            payload["aud"] = request().audience.into();
            let signature = token.rsplit('.').next().unwrap();
            format!(
                "{}.{}.{signature}",
                base64url(header.to_string().as_bytes()),
                base64url(payload.to_string().as_bytes())
            )
        },
    );
    add(
        "replayed-nonce",
        "The answer to an earlier request.",
        &[NonceMismatch],
        &|setup| {
            show(
                setup,
                Show {
                    nonce: "an-earlier-nonce".to_owned(),
                    ..Show::default()
                },
            )
        },
    );
    add(
        "nonce-absent",
        "A presentation that answers no request.",
        &[NonceMismatch],
        &|setup| {
            let token = show(setup, Show::default());
            resigned(&token, Algorithm::Es256k, &TRAVELLER.account, |_, payload| {
                payload.as_object_mut().unwrap().remove("nonce");
            })
        },
    );
    add(
        "wrong-audience",
        "Made for another verifier, who passes it on.",
        &[AudienceMismatch],
        &|setup| {
            show(
                setup,
                Show {
                    audience: did(&Address([0xa2; 20])),
                    ..Show::default()
                },
            )
        },
    );
    add(
        "wrong-purpose",
        "Consented to for another purpose.",
        &[PurposeMismatch],
        &|setup| {
            show(
                setup,
                Show {
                    purpose: Some("marketing".to_owned()),
                    ..Show::default()
                },
            )
        },
    );
    add(
        "presentation-ended",
        "Ended a second ago.",
        &[PresentationExpired],
        &|setup| {
            show(
                setup,
                Show {
                    expires_at: now().plus(-1),
                    ..Show::default()
                },
            )
        },
    );
    add(
        "presentation-too-long",
        "Made six minutes ago, and says it holds for a year.",
        &[PresentationExpired],
        &|setup| {
            let issued_at = now().plus(-360);
            show(
                setup,
                Show {
                    issued_at,
                    expires_at: now().plus(365 * 86_400),
                    ..Show::default()
                },
            )
        },
    );
    add(
        "presentation-from-the-future",
        "Made in two minutes' time.",
        &[PresentationExpired],
        &|setup| {
            show(
                setup,
                Show {
                    issued_at: now().plus(120),
                    expires_at: now().plus(240),
                    ..Show::default()
                },
            )
        },
    );
    add(
        "presentation-undated-and-ended",
        "Does not say when it was made, and that it ended a moment ago.",
        &[PresentationExpired],
        &|setup| undated(setup, &|payload| payload["exp"] = serde_json::json!(now().plus(-1))),
    );
    add(
        "presentation-expired-for-offline-policy",
        "A policy of ten seconds.",
        &[PresentationExpired],
        &|setup| {
            setup.policy = Some(Policy {
                presentation_max_age: 10,
                ..Policy::default()
            });
            show(setup, Show::default())
        },
    );
    add(
        "counter-signed-by-another",
        "The thief counter-signed.",
        &[CounterSignatureInvalid],
        &|setup| {
            let copy = copy();
            let mut envelope = setup.anchor(&copy);
            envelope.counter_signature = Some(THIEF.countersign(&copy));
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "counter-signature-of-another-copy",
        "The holder counter-signed something else.",
        &[CounterSignatureInvalid],
        &|setup| {
            let mut envelope = setup.anchor(&copy());
            let mut other = statement(lab);
            other.valid_until = other.valid_until.plus(-60);
            envelope.counter_signature = Some(TRAVELLER.countersign(&simple(&other, lab)));
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "counter-signature-unreadable",
        "What stands there is no counter-signature.",
        &[CounterSignatureInvalid],
        &|setup| {
            let mut envelope = setup.anchor(&copy());
            envelope.counter_signature = Some("yes".to_owned());
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "counter-signature-of-another-type",
        "A holder card passed off as a counter-signature.",
        &[CounterSignatureInvalid],
        &|setup| {
            let mut envelope = setup.anchor(&copy());
            envelope.counter_signature = Some(TRAVELLER.card());
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "counter-signature-without-holder",
        "Nobody can counter-sign what is bound to nobody.",
        &[CounterSignatureInvalid],
        &|setup| {
            let mut statement = statement(lab);
            statement.holder = None;
            json(&setup.anchor(&simple(&statement, lab)))
        },
    );
}

/// A presentation that does not say when it was made, changed.
fn undated(setup: &mut Setup, change: &dyn Fn(&mut Value)) -> String {
    let token = shown(setup, &simple(&statement(&LABS.lab), &LABS.lab));
    resigned(&token, Algorithm::Es256k, &TRAVELLER.account, |_, payload| {
        let claims = payload.as_object_mut().unwrap();
        claims.remove("iat");
        claims.remove("exp");
        change(payload);
    })
}

/// Presentations whose age only the nonce of their request tells.
pub fn without_time(add: Add<'_>) {
    use Reason::*;
    add(
        "presentation-undated-and-to-come",
        "Does not say when it was made, and that it begins in two minutes.",
        &[PresentationExpired],
        &|setup| undated(setup, &|payload| payload["nbf"] = serde_json::json!(now().plus(120))),
    );
    add(
        "presentation-undated-for-another-request",
        "Nothing but its nonce says how old it is, and that is another's.",
        &[NonceMismatch],
        &|setup| undated(setup, &|payload| payload["nonce"] = "x3J9mQ2xTz7Lk0Wv".into()),
    );
    add(
        "presentation-undated-without-nonce",
        "Nothing says how old it is.",
        &[NonceMismatch],
        &|setup| undated(setup, &|payload| drop(payload.as_object_mut().unwrap().remove("nonce"))),
    );
    add(
        "presentation-undated-for-another-verifier",
        "Made for somebody else, at no time.",
        &[AudienceMismatch],
        &|setup| undated(setup, &|payload| payload["aud"] = "https://elsewhere.example".into()),
    );
}
