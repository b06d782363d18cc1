//! Who signed, with what.

use super::*;

pub(super) fn cases(add: Add<'_>) {
    use Reason::*;
    add(
        "sd-jwt-payload-changed",
        "A digest exchanged after it was signed.",
        &[SignatureInvalid],
        &|setup| {
            let shown = showing(&sd_jwt(&LABS.lab), &["result"]);
            let (jwt, rest) = shown.split_once('~').unwrap();
            let (_, mut payload) = parts(jwt);
            let parts: Vec<&str> = jwt.split('.').collect();
            payload["exp"] = object!(4_102_444_800_i64);
            let payload = base64url(payload.to_string().as_bytes());
            anchored(
                setup,
                &Binding::default().bind(&format!("{}.{payload}.{}~{rest}", parts[0], parts[2])),
            )
        },
    );
    for (name, says, typ, reasons) in [
        (
            "sd-jwt-type-jwt",
            "Typed as something else.",
            "JWT",
            &[UnsupportedFormat][..],
        ),
        (
            "sd-jwt-type-former",
            "Typed as a former draft had it.",
            "vc+sd-jwt",
            &[UnsupportedFormat],
        ),
        (
            "sd-jwt-type-key-binding",
            "Typed as a key binding.",
            "kb+jwt",
            &[UnsupportedFormat],
        ),
    ] {
        add(name, says, reasons, &|setup| {
            shows_changed(setup, |header, _| header["typ"] = typ.into())
        });
    }
    for (name, says, algorithm, reasons) in [
        ("sd-jwt-none", "The algorithm none.", "none", &[AlgorithmNotAllowed][..]),
        (
            "sd-jwt-hmac",
            "HMAC under the public key.",
            "HS256",
            &[AlgorithmNotAllowed],
        ),
        (
            "sd-jwt-es256k",
            "Claims another curve than its certificate's.",
            "ES256K",
            &[AlgorithmNotAllowed],
        ),
        (
            "sd-jwt-ps256",
            "Claims RSA with a key on P-256.",
            "PS256",
            &[AlgorithmNotAllowed],
        ),
        (
            "sd-jwt-eddsa",
            "Claims Ed25519 with a key on P-256.",
            "EdDSA",
            &[AlgorithmNotAllowed],
        ),
    ] {
        add(name, says, reasons, &|setup| {
            shows_changed(setup, |header, _| header["alg"] = algorithm.into())
        });
    }
    add(
        "sd-jwt-without-certificate",
        "No certificate in its header.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| shows_changed(setup, |header, _| drop(header.as_object_mut().unwrap().remove("x5c"))),
    );
    add(
        "sd-jwt-certificate-not-one",
        "Something else in x5c.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| shows_changed(setup, |header, _| header["x5c"] = object!(["AAAA"])),
    );
    add(
        "sd-jwt-certificate-of-another",
        "The certificate of another laboratory of the registry.",
        &[SignatureInvalid],
        &|setup| {
            setup.labs = Some(vec![&LABS.lab, &LABS.kept]);
            shows_changed(setup, |header, _| {
                header["x5c"] = object!([base64(&LABS.kept.keys[0].1)])
            })
        },
    );
    add(
        "sd-jwt-certificate-made-anew",
        "Another certificate of the deployment for the laboratory's key: the registry names one.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| {
            let key = &LABS.lab.keys.last().unwrap().0;
            let other = crate::check::world::DEPLOYMENT.certify(
                key,
                &[vidimus_crypto::ca::DocumentGroup::Test],
                "2026-01-02T00:00:00Z",
                "2028-01-01T00:00:00Z",
            );
            shows_changed(setup, |header, _| header["x5c"] = object!([base64(&other)]))
        },
    );
    add(
        "sd-jwt-by-a-stranger",
        "Signed by who was never admitted.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| {
            let copy = sd_jwt(&LABS.stranger);
            anchored(setup, &Binding::default().bind(&copy))
        },
    );
    for (name, says, lab, version, reasons) in [
        (
            "sd-jwt-key-replaced",
            "Signed in March with the key that was replaced in February.",
            &LABS.lab,
            1,
            &[KeyExpired][..],
        ),
        (
            "sd-jwt-lab-suspended",
            "The laboratory is suspended.",
            &LABS.suspended,
            1,
            &[IssuerSuspended],
        ),
        (
            "sd-jwt-lab-revoked",
            "The laboratory's admission was revoked.",
            &LABS.revoked,
            1,
            &[IssuerRevoked],
        ),
        (
            "sd-jwt-lab-not-admitted-for-it",
            "The clinic vaccinates and does not test.",
            &LABS.clinic,
            1,
            &[IssuerCategory],
        ),
        (
            "sd-jwt-certificate-expired",
            "The signer's certificate had expired.",
            &LABS.mixed,
            2,
            &[KeyExpired],
        ),
    ] {
        add(name, says, reasons, &|setup| {
            setup.labs = Some(vec![lab]);
            let copy = sd_jwt_of(&statement(lab), lab, version, &TRAVELLER.p256);
            anchored(setup, &Binding::default().bind(&copy))
        });
    }
}
