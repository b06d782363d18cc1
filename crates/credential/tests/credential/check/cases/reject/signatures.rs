//! Algorithms, keys and headers.

use super::*;

pub fn cases(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let newest = &lab.keys[1].0;
    let es256k = || simple(&statement(lab), lab);
    let es256 = || vc(&statement(lab), Version::V1_1, Algorithm::Es256, newest);
    for (name, says, algorithm, key) in [
        (
            "signed-by-another",
            "Signed by somebody who is not the issuer.",
            Algorithm::Es256k,
            &LABS.stranger.account,
        ),
        (
            "signed-by-another-es256",
            "The same with ES256.",
            Algorithm::Es256,
            &LABS.stranger.keys[0].0,
        ),
    ] {
        add(name, says, &[SignatureInvalid], &|setup| {
            shown(setup, &vc(&statement(lab), Version::V1_1, algorithm, key))
        });
    }
    add(
        "confused-es256-by-account",
        "ES256 claimed, signed by the account's secp256k1 key.",
        &[SignatureInvalid],
        &|setup| {
            let copy = resigned(&es256(), Algorithm::Es256k, &lab.account, |_, _| {});
            shown(setup, &copy)
        },
    );
    add(
        "confused-es256k-by-p256",
        "ES256K claimed, signed by the P-256 key.",
        &[SignatureInvalid],
        &|setup| {
            let copy = resigned(&es256k(), Algorithm::Es256, newest, |_, _| {});
            shown(setup, &copy)
        },
    );
    let claiming = |algorithm: &str| {
        resigned(&es256k(), Algorithm::Es256k, &lab.account, |header, _| {
            header["alg"] = algorithm.into()
        })
    };
    add(
        "eddsa",
        "An algorithm that none of the issuer's keys has.",
        &[AlgorithmNotAllowed],
        &|setup| shown(setup, &claiming("EdDSA")),
    );
    add(
        "es256k-r-without-id",
        "ES256K-R with the 64 bytes of ES256K.",
        &[SignatureInvalid],
        &|setup| shown(setup, &claiming("ES256K-R")),
    );
    let with_signature = |copy: &str, signature: &dyn Fn(&[u8]) -> Vec<u8>| {
        let (message, _) = copy.rsplit_once('.').unwrap();
        format!("{message}.{}", base64url(&signature(message.as_bytes())))
    };
    add(
        "signature-der",
        "The signature in DER instead of r and s.",
        &[SignatureInvalid],
        &|setup| {
            let copy = with_signature(&es256(), &|message| {
                let raw = newest.sign(Algorithm::Es256, message).unwrap();
                let der = p256::ecdsa::Signature::from_slice(&raw).unwrap().to_der();
                der.as_bytes().to_vec()
            });
            shown(setup, &copy)
        },
    );
    add("signature-zero", "r and s are zero.", &[SignatureInvalid], &|setup| {
        shown(setup, &with_signature(&es256(), &|_| vec![0; 64]))
    });
    add(
        "signature-empty",
        "No signature at all.",
        &[SignatureInvalid],
        &|setup| shown(setup, &with_signature(&es256k(), &|_| Vec::new())),
    );
    for (name, says, member, value) in [
        (
            "injected-jwk",
            "The header brings its own key.",
            "jwk",
            LABS.stranger.account.public_key().to_jwk().unwrap(),
        ),
        (
            "injected-jku",
            "The header says where to fetch keys.",
            "jku",
            object!("https://forger.example/keys.json"),
        ),
        (
            "injected-x5u",
            "The header says where to fetch a certificate.",
            "x5u",
            object!("https://forger.example/x.pem"),
        ),
    ] {
        add(name, says, &[SignatureInvalid], &|setup| {
            let forger = &LABS.stranger.account;
            let copy = resigned(&es256k(), Algorithm::Es256k, forger, |header, _| {
                header[member] = value.clone()
            });
            shown(setup, &copy)
        });
    }
    add(
        "injected-x5c",
        "The header brings its own certificate.",
        &[SignatureInvalid],
        &|setup| {
            let (key, certificate) = &LABS.stranger.keys[0];
            let copy = resigned(&es256(), Algorithm::Es256, key, |header, _| {
                header["x5c"] = object!([base64(certificate)]);
            });
            shown(setup, &copy)
        },
    );
    for (name, says, kid) in [
        (
            "kid-path",
            "A key id that would walk through a file system.",
            "../../../../dev/null".to_owned(),
        ),
        (
            "kid-url",
            "A key id that would be fetched.",
            "https://forger.example/key".to_owned(),
        ),
        (
            "kid-sql",
            "A key id that would end a query.",
            "x' UNION SELECT 'key'; --".to_owned(),
        ),
        (
            "kid-of-another",
            "The key of another DID.",
            format!("{}#controller", LABS.stranger.did()),
        ),
        (
            "kid-longer-did",
            "A DID that only begins like the issuer's.",
            format!("{}0#controller", LABS.lab.did()),
        ),
    ] {
        add(name, says, &[KeyUnknown], &|setup| {
            let copy = resigned(&es256k(), Algorithm::Es256k, &lab.account, |header, _| {
                header["kid"] = kid.clone().into()
            });
            shown(setup, &copy)
        });
    }
    add(
        "old-key-used-on",
        "Signed in March with keys that were replaced in February.",
        &[KeyExpired],
        &|setup| {
            shown(
                setup,
                &vc(&statement(lab), Version::V1_1, Algorithm::Es256, &lab.keys[0].0),
            )
        },
    );
    add(
        "new-key-too-early",
        "Dated in January, signed with keys of February.",
        &[KeyExpired],
        &|setup| {
            let copy = vc(
                &vaccination(lab, "2026-01-20T10:00:00Z"),
                Version::V1_1,
                Algorithm::Es256,
                newest,
            );
            shown(setup, &copy)
        },
    );
    for (name, says, issued_at, key) in [
        (
            "old-account-used-on",
            "Signed in February by the account that had handed the issuer's DID over.",
            "2026-02-20T10:00:00Z",
            &LABS.moved.account,
        ),
        (
            "new-account-too-early",
            "Dated in January, signed by the account that owns the issuer's DID since February.",
            "2026-01-20T10:00:00Z",
            &LABS.moved_to,
        ),
    ] {
        add(name, says, &[KeyExpired], &|setup| {
            setup.labs = Some(vec![&LABS.moved]);
            let statement = vaccination(&LABS.moved, issued_at);
            shown(setup, &vc(&statement, Version::V1_1, Algorithm::Es256kR, key))
        });
    }
    add(
        "key-revoked",
        "Signed after the key was stolen.",
        &[KeyRevoked],
        &|setup| {
            setup.labs = Some(vec![&LABS.robbed]);
            let statement = vaccination(&LABS.robbed, "2026-02-25T10:00:00Z");
            let copy = vc(&statement, Version::V1_1, Algorithm::Es256, &LABS.robbed.keys[0].0);
            shown(setup, &copy)
        },
    );
    add(
        "key-revoked-backdated",
        "Dated before the theft, anchored after it: whoever has a key writes any date.",
        &[KeyRevoked],
        &|setup| {
            setup.labs = Some(vec![&LABS.robbed]);
            let statement = vaccination(&LABS.robbed, "2026-01-20T10:00:00Z");
            let copy = vc(&statement, Version::V1_1, Algorithm::Es256, &LABS.robbed.keys[0].0);
            let envelope = setup.counter_signed(&copy, at("2026-03-01T09:01:00Z"));
            TRAVELLER.present(&envelope)
        },
    );
    for (name, says, part) in [
        ("flipped-header", "One bit of the header changed.", 0),
        ("flipped-payload", "One bit of the payload changed.", 1),
        ("flipped-signature", "One bit of the signature changed.", 2),
    ] {
        add(name, says, &[SignatureInvalid], &|setup| {
            let copy = es256k();
            let mut parts: Vec<String> = copy.split('.').map(str::to_owned).collect();
            let mut bytes = vidimus_core::encoding::from_base64url(&parts[part]).unwrap();
            // A letter within a text stays a letter, so that only the signature can tell.
            let place = match part {
                0 => bytes.windows(4).position(|word| word == b"#con").unwrap() + 1,
                1 => bytes
                    .windows(6)
                    .position(|word| word == b"Wien\"}".as_slice() || word == b"zentru")
                    .unwrap(),
                _ => 20,
            };
            bytes[place] ^= 1;
            parts[part] = base64url(&bytes);
            shown(setup, &parts.join("."))
        });
    }
}
