use super::*;
use crate::check::world::{
    FOREIGN_RSA, LABS, REVOCATION_LIST, Setup, TRAVELLER, at, bitstring_list, foreign, foreign_with, now,
    token_list_of, vaccination,
};
use vidimus_credential::status::bitstring::Purpose;

/// n of P-256 and of secp256k1.
const P256: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const SECP256K1: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

pub fn cases() -> Vec<Case> {
    let lab = &LABS.lab;
    let newest = &lab.keys[1].0;
    let mut cases = Vec::new();
    let mut add = |name, says, build: &dyn Fn(&mut Setup) -> String| {
        let mut setup = Setup::new();
        let input = build(&mut setup);
        cases.push(case(name, says, input, setup, &[]));
    };
    for (name, says, version, algorithm, key) in [
        (
            "vc-1-1-es256k",
            "A VC 1.1 with ES256K, shown by its holder.",
            Version::V1_1,
            Algorithm::Es256k,
            &lab.account,
        ),
        (
            "vc-1-1-es256k-r",
            "A VC 1.1 with ES256K-R.",
            Version::V1_1,
            Algorithm::Es256kR,
            &lab.account,
        ),
        (
            "vc-1-1-es256",
            "A VC 1.1 with ES256 by the issuer's newest key.",
            Version::V1_1,
            Algorithm::Es256,
            newest,
        ),
        (
            "vc-2-0-es256k",
            "A VC 2.0 with ES256K.",
            Version::V2_0,
            Algorithm::Es256k,
            &lab.account,
        ),
        (
            "vc-2-0-es256",
            "A VC 2.0 with ES256.",
            Version::V2_0,
            Algorithm::Es256,
            newest,
        ),
    ] {
        add(name, says, &|setup| {
            shown(setup, &vc(&statement(lab), version, algorithm, key))
        });
    }
    add(
        "hcert",
        "An HCERT with the receipt that its digest fetched.",
        &|setup| json(&paper(setup, &statement(lab), lab, 2)),
    );
    add(
        "hcert-foreign",
        "An HCERT of a foreign document signer in the caller's trust list; nothing else to ask.",
        &|setup| {
            let (key, der, list) = foreign();
            setup.trust_list = Some((list, now().plus(-3600)));
            let mut content = hcert_content(&statement(lab));
            content.status = None;
            hcert_of(&content, crate::check::world::kid(&der), &key)
        },
    );
    add(
        "vc-without-holder",
        "A VC on paper: bound to nobody, so there is nobody to prove.",
        &|setup| {
            let mut statement = statement(lab);
            statement.holder = None;
            json(&setup.anchor_at(&simple(&statement, lab), at("2026-03-01T09:01:00Z")))
        },
    );
    add(
        "signed-before-key-rotation",
        "Signed in January with keys that were replaced in February.",
        &|setup| {
            let copy = vc(
                &vaccination(lab, "2026-01-20T10:00:00Z"),
                Version::V1_1,
                Algorithm::Es256,
                &lab.keys[0].0,
            );
            shown(setup, &copy)
        },
    );
    for (name, says, issued_at, key) in [
        (
            "signed-before-account-rotation",
            "Signed in January by the account that owned the issuer's DID until February.",
            "2026-01-20T10:00:00Z",
            &LABS.moved.account,
        ),
        (
            "signed-after-account-rotation",
            "Signed by the account that the issuer's DID was handed over to.",
            "2026-02-20T10:00:00Z",
            &LABS.moved_to,
        ),
    ] {
        add(name, says, &|setup| {
            setup.labs = Some(vec![&LABS.moved]);
            let statement = vaccination(&LABS.moved, issued_at);
            shown(setup, &vc(&statement, Version::V1_1, Algorithm::Es256k, key))
        });
    }
    add(
        "key-revoked-after-anchor",
        "The key was stolen later; the anchor shows that the copy is older.",
        &|setup| {
            setup.labs = Some(vec![&LABS.robbed]);
            let statement = vaccination(&LABS.robbed, "2026-01-20T10:00:00Z");
            let copy = vc(&statement, Version::V1_1, Algorithm::Es256, &LABS.robbed.keys[0].0);
            let mut envelope = setup.anchor_at(&copy, at("2026-01-20T10:01:00Z"));
            envelope.counter_signature = Some(TRAVELLER.countersign(&copy));
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "high-s-es256",
        "The other of the two s: JOSE allows both, so a signature is never an identity.",
        &|setup| {
            shown(
                setup,
                &other_s(&vc(&statement(lab), Version::V1_1, Algorithm::Es256, newest), P256),
            )
        },
    );
    add("high-s-es256k", "The other of the two s, with secp256k1.", &|setup| {
        shown(setup, &other_s(&simple(&statement(lab), lab), SECP256K1))
    });
    add(
        "issuer-resumed",
        "The issuer was suspended for five days in February, and is not now.",
        &|setup| {
            setup.labs = Some(vec![&LABS.resumed]);
            shown(setup, &simple(&statement(&LABS.resumed), &LABS.resumed))
        },
    );
    add(
        "category-withdrawn-later",
        "The issuer tests no more; what it signed before stays.",
        &|setup| {
            setup.labs = Some(vec![&LABS.withdrawn]);
            shown(setup, &simple(&statement(&LABS.withdrawn), &LABS.withdrawn))
        },
    );
    add(
        "shown-with-p256-and-card",
        "The presentation is signed by the P-256 key that the holder card binds.",
        &|setup| {
            let envelope = setup.anchor(&simple(&statement(lab), lab));
            let show = Show {
                algorithm: Algorithm::Es256,
                card: Some(TRAVELLER.card()),
                ..Show::default()
            };
            TRAVELLER.present_as(&show, &[envelope])
        },
    );
    add(
        "shown-with-es256k-r",
        "The presentation is signed ES256K-R.",
        &|setup| {
            let envelope = setup.anchor(&simple(&statement(lab), lab));
            TRAVELLER.present_as(
                &Show {
                    algorithm: Algorithm::Es256kR,
                    ..Show::default()
                },
                &[envelope],
            )
        },
    );
    add(
        "status-by-bitstring",
        "Both bitstring lists at hand, the token list not.",
        &|setup| {
            setup.status = [Purpose::Revocation, Purpose::Suspension]
                .map(|purpose| (bitstring_list(purpose), now().plus(-60)))
                .into();
            assert_eq!(setup.status[0].0.uri, REVOCATION_LIST);
            shown(setup, &simple(&statement(lab), lab))
        },
    );
    add(
        "status-grace",
        "The status list has ended; the policy gives offline checkers an hour more.",
        &|setup| {
            let ended = token_list_of(&DEPLOYMENT, now().plus(-7200), Some(now().plus(-1800)), None);
            setup.status = vec![(ended, now().plus(-7000))];
            setup.policy = Some(vidimus_credential::check::Policy {
                status_grace: 3600,
                ..Default::default()
            });
            shown(setup, &simple(&statement(lab), lab))
        },
    );
    add(
        "old-anchors",
        "The cached anchors are a month old and hold this one: an anchor never goes away.",
        &|setup| {
            let input = shown(setup, &simple(&statement(lab), lab));
            setup.now = at("2026-03-02T12:00:00Z");
            setup.anchors.as_mut().unwrap().read_at = now().plus(-30 * 86_400);
            input
        },
    );
    add(
        "white-space-around",
        "Line breaks around the text are not part of it.",
        &|setup| format!("\r\n {} \n", shown(setup, &simple(&statement(lab), lab))),
    );
    add("last-second", "The last second of its time.", &|setup| {
        let mut statement = statement(lab);
        statement.valid_until = now();
        shown(setup, &simple(&statement, lab))
    });
    add(
        "issued-a-minute-ahead",
        "The issuer's clock is a minute ahead.",
        &|setup| {
            let mut statement = statement(lab);
            statement.issued_at = now().plus(60);
            let copy = simple(&statement, lab);
            let mut envelope = setup.anchor_at(&copy, now());
            envelope.counter_signature = Some(TRAVELLER.countersign(&copy));
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "hcert-foreign-ps256",
        "An HCERT with PS256 of a foreign document signer with an RSA key in the caller's trust list.",
        &|setup| {
            setup.trust_list = Some((foreign_with(&[&FOREIGN_RSA]), now().plus(-3600)));
            let mut content = hcert_content(&statement(lab));
            content.status = None;
            FOREIGN_RSA.hcert(&content, FOREIGN_RSA.kid())
        },
    );
    cases
}

/// The same signature with n − s.
fn other_s(token: &str, order: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut signature = vidimus_core::encoding::from_base64url(signature).unwrap();
    let order = vidimus_core::encoding::from_hex(order).unwrap();
    let mut borrow = 0i16;
    for i in (0..32).rev() {
        let difference = i16::from(order[i]) - i16::from(signature[32 + i]) - borrow;
        borrow = i16::from(difference < 0);
        signature[32 + i] = (difference & 0xff) as u8;
    }
    format!("{message}.{}", base64url(&signature))
}

/// Presentations that do not say when they were made.
pub fn without_time(add: Add<'_>) {
    let lab = &LABS.lab;
    add(
        "presentation-undated",
        "Says neither when it was made nor when it ends, as OpenID4VP permits: its nonce answers the request.",
        &[],
        &|setup| {
            let token = shown(setup, &simple(&statement(lab), lab));
            resigned(&token, Algorithm::Es256k, &TRAVELLER.account, |_, payload| {
                let claims = payload.as_object_mut().unwrap();
                claims.remove("iat");
                claims.remove("exp");
            })
        },
    );
    add(
        "presentation-begun",
        "Says from when it counts, and not when it was made.",
        &[],
        &|setup| {
            let token = shown(setup, &simple(&statement(lab), lab));
            resigned(&token, Algorithm::Es256k, &TRAVELLER.account, |_, payload| {
                payload.as_object_mut().unwrap().remove("iat");
                payload["nbf"] = serde_json::json!(now().plus(-20));
            })
        },
    );
}
