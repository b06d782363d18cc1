//! Well-formed, and not to be accepted.

use super::*;
use crate::check::world::{
    REVOKED, SUSPENDED, TOKEN_LIST, at, did, foreign, kid, now, receipt, request, token_list_of, token_list_with,
    vaccination,
};
use serde_json::json as object;
use vidimus_core::{Address, encoding::base64};
use vidimus_credential::check::{Policy, bundle::List};

type Build<'a> = &'a dyn Fn(&mut Setup) -> String;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, says, reasons: &[Reason], build: Build<'_>| {
        let mut setup = Setup::new();
        let input = build(&mut setup);
        cases.push(case(name, says, input, setup, reasons));
    };
    signatures(&mut add);
    issuers(&mut add);
    status(&mut add);
    times_and_content(&mut add);
    receipts(&mut add);
    holders(&mut add);
    hcerts(&mut add);
    cases
}

type Add<'a> = &'a mut dyn FnMut(&'static str, &'static str, &[Reason], Build<'_>);

/// Algorithms, keys and headers.
fn signatures(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let newest = &lab.keys[1].0;
    let es256k = || simple(&statement(lab), lab);
    let es256 = || vc(&statement(lab), Version::V1_1, Algorithm::Es256, newest);
    add(
        "signed-by-another",
        "Signed by somebody who is not the issuer.",
        &[SignatureInvalid],
        &|setup| {
            shown(
                setup,
                &vc(
                    &statement(lab),
                    Version::V1_1,
                    Algorithm::Es256k,
                    &LABS.stranger.account,
                ),
            )
        },
    );
    add(
        "signed-by-another-es256",
        "The same with ES256.",
        &[SignatureInvalid],
        &|setup| {
            shown(
                setup,
                &vc(
                    &statement(lab),
                    Version::V1_1,
                    Algorithm::Es256,
                    &LABS.stranger.keys[0].0,
                ),
            )
        },
    );
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
    add(
        "eddsa",
        "An algorithm that none of the issuer's keys has.",
        &[AlgorithmNotAllowed],
        &|setup| {
            let copy = resigned(&es256k(), Algorithm::Es256k, &lab.account, |header, _| {
                header["alg"] = "EdDSA".into()
            });
            shown(setup, &copy)
        },
    );
    add(
        "es256k-r-without-id",
        "ES256K-R with the 64 bytes of ES256K.",
        &[SignatureInvalid],
        &|setup| {
            let copy = resigned(&es256k(), Algorithm::Es256k, &lab.account, |header, _| {
                header["alg"] = "ES256K-R".into()
            });
            shown(setup, &copy)
        },
    );
    add(
        "signature-der",
        "The signature in DER instead of r and s.",
        &[SignatureInvalid],
        &|setup| {
            let copy = es256();
            let (message, _) = copy.rsplit_once('.').unwrap();
            let raw = newest.sign(Algorithm::Es256, message.as_bytes()).unwrap();
            let der = p256::ecdsa::Signature::from_slice(&raw).unwrap().to_der();
            shown(setup, &format!("{message}.{}", base64url(der.as_bytes())))
        },
    );
    add("signature-zero", "r and s are zero.", &[SignatureInvalid], &|setup| {
        let copy = es256();
        let (message, _) = copy.rsplit_once('.').unwrap();
        shown(setup, &format!("{message}.{}", base64url(&[0; 64])))
    });
    add(
        "signature-empty",
        "No signature at all.",
        &[SignatureInvalid],
        &|setup| {
            let copy = es256k();
            let (message, _) = copy.rsplit_once('.').unwrap();
            shown(setup, &format!("{message}."))
        },
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

/// Who issued.
fn issuers(add: Add<'_>) {
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

/// Status lists.
fn status(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let with_index = |setup: &mut Setup, index| {
        let mut statement = statement(lab);
        statement.status.as_mut().unwrap().index = index;
        shown(setup, &simple(&statement, lab))
    };
    add("revoked", "Revoked by its issuer.", &[Revoked], &|setup| {
        with_index(setup, REVOKED)
    });
    add("suspended", "Suspended by its issuer.", &[Suspended], &|setup| {
        with_index(setup, SUSPENDED)
    });
    add(
        "revoked-in-old-list",
        "Revoked is for good: an old list says it as well.",
        &[Revoked],
        &|setup| {
            setup.status = vec![(
                token_list_of(&DEPLOYMENT, now().plus(-9 * 86_400), None, None),
                now().plus(-60),
            )];
            with_index(setup, REVOKED)
        },
    );
    add(
        "revoked-by-bitstring",
        "Revoked, as the bitstring list says.",
        &[Revoked],
        &|setup| {
            let purpose = vidimus_credential::status::bitstring::Purpose::Revocation;
            setup.status = vec![(crate::check::world::bitstring_list(purpose), now().plus(-60))];
            with_index(setup, REVOKED)
        },
    );
    add(
        "status-index-outside",
        "An index that the list does not have.",
        &[StatusInvalid],
        &|setup| with_index(setup, 1 << 40),
    );
    let list_case = |setup: &mut Setup, list: List| {
        setup.status = vec![(list, now().plus(-60))];
        with_index(setup, REVOKED)
    };
    add(
        "status-list-of-another-root",
        "A list under a root that nobody trusts here would revive what was revoked.",
        &[StatusInvalid],
        &|setup| list_case(setup, token_list_of(&OTHER, now().plus(-600), None, None)),
    );
    add(
        "status-list-by-document-signer",
        "A laboratory signs a status list: its certificate is not for that.",
        &[StatusInvalid],
        &|setup| {
            let (key, certificate) = &lab.keys[1];
            list_case(
                setup,
                token_list_with(
                    key,
                    std::slice::from_ref(certificate),
                    TOKEN_LIST,
                    now().plus(-600),
                    None,
                    None,
                ),
            )
        },
    );
    add(
        "status-list-without-chain",
        "A status list without its signer's certificate.",
        &[StatusInvalid],
        &|setup| {
            list_case(
                setup,
                token_list_with(&DEPLOYMENT.lists, &[], TOKEN_LIST, now().plus(-600), None, None),
            )
        },
    );
    add(
        "status-list-of-another-url",
        "A good list, but another one than the certificate names.",
        &[StatusInvalid],
        &|setup| {
            let x5c = [DEPLOYMENT.lists_certificate.clone()];
            let other = "https://health.example/status/token/2";
            list_case(
                setup,
                token_list_with(&DEPLOYMENT.lists, &x5c, other, now().plus(-600), None, None),
            )
        },
    );
    add(
        "status-list-from-the-future",
        "A list of tomorrow.",
        &[StatusInvalid],
        &|setup| list_case(setup, token_list_of(&DEPLOYMENT, now().plus(86_400), None, None)),
    );
    add(
        "status-list-altered",
        "One character of the list's signature changed.",
        &[StatusInvalid],
        &|setup| {
            let mut list = token_list_of(&DEPLOYMENT, now().plus(-600), None, None);
            let place = list.token.len() - 10;
            let swap = if &list.token[place..=place] == "A" { "B" } else { "A" };
            list.token.replace_range(place..=place, swap);
            list_case(setup, list)
        },
    );
    add("status-list-cut", "Half a list.", &[StatusInvalid], &|setup| {
        let mut list = token_list_of(&DEPLOYMENT, now().plus(-600), None, None);
        list.token.truncate(list.token.len() / 2);
        list_case(setup, list)
    });
}

/// Time, category and content.
fn times_and_content(add: Add<'_>) {
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

/// What leads to the ledger.
fn receipts(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let copy = || simple(&statement(lab), lab);
    let other_copy = || {
        let mut other = statement(lab);
        other.valid_until = other.valid_until.plus(-60);
        simple(&other, lab)
    };
    let with = |setup: &mut Setup, change: &dyn Fn(&mut Setup, &mut Envelope)| {
        let mut envelope = setup.anchor(&copy());
        change(setup, &mut envelope);
        TRAVELLER.present(&envelope)
    };
    add(
        "root-unknown",
        "The ledger has no such anchor.",
        &[RootUnknown],
        &|setup| with(setup, &|setup, _| setup.anchors.as_mut().unwrap().roots.clear()),
    );
    add(
        "receipt-of-another-copy",
        "The receipt of another certificate of the same person.",
        &[IntegrityMismatch, ReceiptMismatch],
        &|setup| {
            let other = setup.anchor(&other_copy());
            with(setup, &|_, envelope| {
                envelope.salt = other.salt.clone();
                envelope.receipt = other.receipt.clone();
            })
        },
    );
    add(
        "salt-of-another-copy",
        "The right receipt with another salt.",
        &[IntegrityMismatch, ReceiptMismatch],
        &|setup| {
            let other = setup.anchor(&other_copy());
            with(setup, &|_, envelope| envelope.salt = other.salt.clone())
        },
    );
    add(
        "receipt-path-cut",
        "A hash is missing in the proof.",
        &[IntegrityMismatch, ReceiptMismatch],
        &|setup| {
            with(setup, &|_, envelope| {
                envelope.receipt.as_mut().unwrap().proof.path.truncate(2)
            })
        },
    );
    add(
        "receipt-path-flipped",
        "One bit of the proof changed.",
        &[IntegrityMismatch, ReceiptMismatch],
        &|setup| {
            with(setup, &|_, envelope| {
                envelope.receipt.as_mut().unwrap().proof.path[0].0[9] ^= 4
            })
        },
    );
    add(
        "receipt-index-outside",
        "A place that the batch does not have.",
        &[IntegrityMismatch, ReceiptMismatch],
        &|setup| with(setup, &|_, envelope| envelope.receipt.as_mut().unwrap().proof.index = 5),
    );
    add(
        "receipt-size-changed",
        "The batch is said to be larger.",
        &[IntegrityMismatch, ReceiptMismatch],
        &|setup| with(setup, &|_, envelope| envelope.receipt.as_mut().unwrap().proof.size = 9),
    );
    add(
        "receipt-time-changed",
        "The anchor is said to be older than it is.",
        &[ReceiptMismatch],
        &|setup| {
            with(setup, &|_, envelope| {
                envelope.receipt.as_mut().unwrap().anchor.time = at("2026-01-06T00:00:00Z")
            })
        },
    );
    add(
        "receipt-block-changed",
        "The anchor is said to be in another block.",
        &[ReceiptMismatch],
        &|setup| {
            with(setup, &|_, envelope| {
                envelope.receipt.as_mut().unwrap().anchor.block_number = 3
            })
        },
    );
    add(
        "receipt-of-another-contract",
        "Anchored in a contract that the forger deployed.",
        &[RootUnknown],
        &|setup| {
            with(setup, &|_, envelope| {
                envelope.receipt.as_mut().unwrap().anchor.contract = Address([0xee; 20])
            })
        },
    );
    add(
        "receipt-of-another-chain",
        "Anchored on a chain that the forger runs.",
        &[RootUnknown],
        &|setup| {
            with(setup, &|_, envelope| {
                envelope.receipt.as_mut().unwrap().anchor.chain_id = 1337
            })
        },
    );
    add(
        "receipt-without-salt-root-unknown",
        "No salt, and no such anchor either.",
        &[RootUnknown],
        &|setup| {
            with(setup, &|setup, envelope| {
                envelope.salt = None;
                setup.anchors.as_mut().unwrap().roots.clear();
            })
        },
    );
    add(
        "receipt-from-the-future",
        "A block that the cached anchors do not reach, dated tomorrow.",
        &[RootUnknown],
        &|setup| {
            let copy = copy();
            let (envelope, _) = receipt(&copy, now().plus(86_400));
            setup.anchors.as_mut().unwrap().block_number = 700;
            TRAVELLER.present(&Envelope {
                counter_signature: Some(TRAVELLER.countersign(&copy)),
                ..envelope
            })
        },
    );
}

/// Who shows it, to whom, and who counter-signed.
fn holders(add: Add<'_>) {
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
            THIEF.present_as(
                &Show {
                    holder: Some(TRAVELLER.did()),
                    ..Show::default()
                },
                &[envelope],
            )
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
        "presentation-undated",
        "Does not say when it was made.",
        &[PresentationExpired],
        &|setup| {
            let token = show(setup, Show::default());
            resigned(&token, Algorithm::Es256k, &TRAVELLER.account, |_, payload| {
                payload.as_object_mut().unwrap().remove("iat");
            })
        },
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

/// Health certificates.
fn hcerts(add: Add<'_>) {
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
            THIEF.present_as(
                &Show {
                    holder: Some(TRAVELLER.did()),
                    ..Show::default()
                },
                &[envelope],
            )
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
