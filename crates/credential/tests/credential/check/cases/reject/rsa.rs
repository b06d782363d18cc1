//! PS256: health certificates of foreign document signers with RSA keys.

use super::*;
use crate::check::world::{FOREIGN_RSA, RsaSigner, SMALL_RSA, foreign_with, ps256_hcert};
use vidimus_credential::format::hcert::Content;

pub fn cases(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let content = || Content {
        status: None,
        ..hcert_content(&statement(lab))
    };
    let list = |setup: &mut Setup, signers: &[&RsaSigner]| {
        setup.trust_list = Some((foreign_with(signers), now().plus(-3600)));
    };
    add(
        "hcert-ps256-forged",
        "A listed RSA signer's signature, under another test of the same person.",
        &[SignatureInvalid],
        &|setup| {
            list(setup, &[&FOREIGN_RSA]);
            let genuine = FOREIGN_RSA.hcert(&content(), FOREIGN_RSA.kid());
            let mut forged = content();
            forged.dcc["t"][0]["sc"] = "2026-03-01T20:15:00Z".into();
            ps256_hcert(&forged, FOREIGN_RSA.kid(), |_| {
                vidimus_credential::format::parse(&genuine).unwrap().signature
            })
        },
    );
    add(
        "hcert-ps256-small-key",
        "An RSA signer of 1024 bits: the trust list names it, and it is not taken from there.",
        &[KeyUnknown, IssuerUnknown],
        &|setup| {
            list(setup, &[&FOREIGN_RSA, &SMALL_RSA]);
            SMALL_RSA.hcert(&content(), SMALL_RSA.kid())
        },
    );
    add(
        "hcert-ps256-key-of-another",
        "The kid of a listed P-256 signer on a genuine signature of an RSA key: the key says the algorithm, not the header.",
        &[AlgorithmNotAllowed],
        &|setup| {
            list(setup, &[&FOREIGN_RSA]);
            let (_, der, _) = foreign();
            FOREIGN_RSA.hcert(&content(), kid(&der))
        },
    );
    add(
        "hcert-es256-kid-of-rsa",
        "The kid of a listed RSA signer on a genuine ES256 signature of somebody else.",
        &[AlgorithmNotAllowed],
        &|setup| {
            list(setup, &[&FOREIGN_RSA]);
            hcert_of(&content(), FOREIGN_RSA.kid(), &LABS.stranger.keys[0].0)
        },
    );
    add(
        "hcert-ps256-kid-of-issuer",
        "The kid of an admitted laboratory on a genuine signature of a foreign RSA key.",
        &[AlgorithmNotAllowed],
        &|setup| {
            list(setup, &[&FOREIGN_RSA]);
            let copy = FOREIGN_RSA.hcert(&hcert_content(&statement(lab)), lab.kid(2));
            json(&setup.anchor_at(&copy, at("2026-03-01T09:01:00Z")))
        },
    );
}
