//! Key bindings and counter-signatures.

use super::*;

pub(super) fn cases(add: Add<'_>) {
    use Reason::*;
    let presented = || showing(&sd_jwt(&LABS.lab), &["result"]);
    let bound = |binding: &Binding<'_>| binding.bind(&presented());
    add(
        "sd-jwt-nonce",
        "In answer to another request.",
        &[NonceMismatch],
        &|setup| {
            let binding = Binding {
                nonce: "another".into(),
                ..Binding::default()
            };
            anchored(setup, &bound(&binding))
        },
    );
    add(
        "sd-jwt-audience",
        "Made for another verifier.",
        &[AudienceMismatch],
        &|setup| {
            let binding = Binding {
                audience: "x509_hash:other".into(),
                ..Binding::default()
            };
            anchored(setup, &bound(&binding))
        },
    );
    add(
        "sd-jwt-old-binding",
        "Bound six minutes ago.",
        &[PresentationExpired],
        &|setup| {
            let binding = Binding {
                issued_at: now().plus(-360),
                ..Binding::default()
            };
            anchored(setup, &bound(&binding))
        },
    );
    add(
        "sd-jwt-future-binding",
        "Bound two minutes ahead.",
        &[PresentationExpired],
        &|setup| {
            let binding = Binding {
                issued_at: now().plus(120),
                ..Binding::default()
            };
            anchored(setup, &bound(&binding))
        },
    );
    add(
        "sd-jwt-shown-by-a-thief",
        "Bound with a key that is not the copy's.",
        &[HolderBindingInvalid],
        &|setup| {
            let binding = Binding {
                key: &THIEF.p256,
                ..Binding::default()
            };
            anchored(setup, &bound(&binding))
        },
    );
    add(
        "sd-jwt-binding-unsigned",
        "A key binding that nobody signed.",
        &[HolderBindingInvalid],
        &|setup| {
            let text = bound(&Binding::default());
            let (message, _) = text.rsplit_once('.').unwrap();
            anchored(setup, &format!("{message}."))
        },
    );
    add(
        "sd-jwt-binding-over-more",
        "A disclosure taken out after it was bound.",
        &[HolderBindingInvalid],
        &|setup| {
            let text = Binding::default().bind(&showing(&sd_jwt(&LABS.lab), &["result", "country"]));
            let (_, binding) = text.rsplit_once('~').unwrap();
            anchored(setup, &format!("{}{binding}", presented()))
        },
    );
    add(
        "sd-jwt-binding-over-less",
        "A disclosure put in after it was bound.",
        &[HolderBindingInvalid],
        &|setup| {
            let text = bound(&Binding::default());
            let (_, binding) = text.rsplit_once('~').unwrap();
            anchored(
                setup,
                &format!("{}{binding}", showing(&sd_jwt(&LABS.lab), &["result", "country"])),
            )
        },
    );
    add(
        "sd-jwt-binding-of-another-copy",
        "The key binding of another copy of the same holder.",
        &[HolderBindingInvalid],
        &|setup| {
            let mut other = statement(&LABS.lab);
            other.issued_at = other.issued_at.plus(1);
            let other = sd_jwt_of(&other, &LABS.lab, 2, &TRAVELLER.p256);
            let text = Binding::default().bind(&showing(&other, &["result"]));
            let (_, binding) = text.rsplit_once('~').unwrap();
            anchored(setup, &format!("{}{binding}", presented()))
        },
    );
    for (name, says, header, reason) in [
        (
            "sd-jwt-binding-type",
            "A key binding of another type.",
            object!({"alg": "ES256", "typ": "JWT"}),
            Malformed,
        ),
        (
            "sd-jwt-binding-untyped",
            "A key binding without type.",
            object!({"alg": "ES256"}),
            Malformed,
        ),
        (
            "sd-jwt-binding-none",
            "A key binding with the algorithm none.",
            object!({"alg": "none", "typ": "kb+jwt"}),
            AlgorithmNotAllowed,
        ),
        (
            "sd-jwt-binding-hmac",
            "A key binding with HMAC under the public key.",
            object!({"alg": "HS256", "typ": "kb+jwt"}),
            AlgorithmNotAllowed,
        ),
        (
            "sd-jwt-binding-es256k",
            "A key binding that claims another curve.",
            object!({"alg": "ES256K", "typ": "kb+jwt"}),
            HolderBindingInvalid,
        ),
    ] {
        add(name, says, &[reason], &|setup| {
            let text = bound(&Binding::default());
            let (presented, binding) = text.rsplit_once('~').unwrap();
            let binding = resigned(binding, Algorithm::Es256, &TRAVELLER.p256, |old, _| {
                *old = header.clone()
            });
            anchored(setup, &format!("{presented}~{binding}"))
        });
    }
    for (name, says, claim) in [
        ("sd-jwt-binding-without-nonce", "A key binding without nonce.", "nonce"),
        (
            "sd-jwt-binding-without-audience",
            "A key binding without audience.",
            "aud",
        ),
        ("sd-jwt-binding-without-time", "A key binding without time.", "iat"),
        ("sd-jwt-binding-without-hash", "A key binding over nothing.", "sd_hash"),
    ] {
        add(name, says, &[Malformed], &|setup| {
            let text = bound(&Binding::default());
            let (presented, binding) = text.rsplit_once('~').unwrap();
            let binding = resigned(binding, Algorithm::Es256, &TRAVELLER.p256, |_, payload| {
                payload.as_object_mut().unwrap().remove(claim);
            });
            anchored(setup, &format!("{presented}~{binding}"))
        });
    }
    add(
        "sd-jwt-counter-signed-by-a-thief",
        "Counter-signed by another key than the copy's.",
        &[CounterSignatureInvalid],
        &|setup| {
            let shown = bound(&Binding::default());
            let mut envelope = setup.anchor_at(&shown, at("2026-03-01T09:01:00Z"));
            envelope.counter_signature = Some(countersign_by(&THIEF.p256, &shown));
            json(&envelope)
        },
    );
    add(
        "sd-jwt-counter-signed-by-account",
        "Counter-signed by the account of a DID that the copy does not name.",
        &[CounterSignatureInvalid],
        &|setup| {
            let shown = bound(&Binding::default());
            let mut envelope = setup.anchor_at(&shown, at("2026-03-01T09:01:00Z"));
            envelope.counter_signature = Some(TRAVELLER.countersign(&shown));
            json(&envelope)
        },
    );
    add(
        "sd-jwt-in-a-presentation",
        "Inside a presentation of W3C's, where its key binding has no place.",
        &[UnsupportedFormat],
        &|setup| {
            let envelope = setup.anchor_at(&sd_jwt(&LABS.lab), at("2026-03-01T09:01:00Z"));
            TRAVELLER.present(&envelope)
        },
    );
}
