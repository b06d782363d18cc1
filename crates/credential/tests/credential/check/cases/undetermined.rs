use super::*;
use crate::check::world::{SUSPENDED, at, bitstring_list, now, receipt, token_list_of, vaccination};
use vidimus_credential::status::bitstring::Purpose;

pub fn cases() -> Vec<Case> {
    use Reason::*;
    let lab = &LABS.lab;
    let mut cases = Vec::new();
    let mut add = |name, says, reasons: &[Reason], build: &dyn Fn(&mut Setup) -> String| {
        let mut setup = Setup::new();
        let input = build(&mut setup);
        cases.push(case(name, says, input, setup, reasons));
    };
    let good = |setup: &mut Setup| shown(setup, &simple(&statement(lab), lab));
    add(
        "no-registry",
        "Nothing known about issuers: the key cannot be judged.",
        &[KeyUnavailable, RegistryMissing],
        &|setup| {
            setup.labs = None;
            good(setup)
        },
    );
    add(
        "registry-stale",
        "The registry is two days old.",
        &[RegistryStale],
        &|setup| {
            setup.head.read_at = now().plus(-2 * 86_400);
            good(setup)
        },
    );
    add(
        "issuer-not-in-stale-registry",
        "The issuer may have been admitted since the registry was read.",
        &[KeyUnavailable, RegistryStale],
        &|setup| {
            setup.labs = Some(vec![&LABS.clinic]);
            setup.head.read_at = now().plus(-2 * 86_400);
            good(setup)
        },
    );
    add(
        "no-status-list",
        "No status list at hand.",
        &[StatusMissing],
        &|setup| {
            setup.status.clear();
            good(setup)
        },
    );
    add(
        "status-list-old",
        "The status list is two days old.",
        &[StatusStale],
        &|setup| {
            setup.status = vec![(
                token_list_of(&DEPLOYMENT, now().plus(-2 * 86_400), None, None),
                now().plus(-60),
            )];
            good(setup)
        },
    );
    add(
        "status-list-ended",
        "The status list has reached its end.",
        &[StatusStale],
        &|setup| {
            let ended = token_list_of(&DEPLOYMENT, now().plus(-600), Some(now().plus(-1)), None);
            setup.status = vec![(ended, now().plus(-60))];
            good(setup)
        },
    );
    add(
        "status-list-cached-too-long",
        "The list was kept longer than its ttl.",
        &[StatusStale],
        &|setup| {
            let list = token_list_of(&DEPLOYMENT, now().plus(-7200), None, Some(3600));
            setup.status = vec![(list, now().plus(-3601))];
            good(setup)
        },
    );
    add(
        "suspended-in-old-list",
        "Suspended two days ago, perhaps no longer.",
        &[StatusStale],
        &|setup| {
            setup.status = vec![(
                token_list_of(&DEPLOYMENT, now().plus(-2 * 86_400), None, None),
                now().plus(-60),
            )];
            let mut statement = statement(lab);
            statement.status.as_mut().unwrap().index = SUSPENDED;
            shown(setup, &simple(&statement, lab))
        },
    );
    add(
        "only-the-revocation-list",
        "Not revoked, but perhaps suspended: half a status.",
        &[StatusMissing],
        &|setup| {
            setup.status = vec![(bitstring_list(Purpose::Revocation), now().plus(-60))];
            good(setup)
        },
    );
    add(
        "bare-vc",
        "A copy without its holder.",
        &[HolderBindingMissing, PresentationMissing],
        &|setup| json(&setup.anchor(&simple(&statement(lab), lab))),
    );
    add(
        "no-receipt",
        "Not anchored yet.",
        &[IntegrityMissing, ReceiptMissing],
        &|_| {
            let copy = simple(&statement(lab), lab);
            let counter_signature = Some(TRAVELLER.countersign(&copy));
            TRAVELLER.present(&Envelope {
                counter_signature,
                ..Envelope::new(copy)
            })
        },
    );
    add(
        "no-salt",
        "A receipt without the salt that leads to it.",
        &[IntegrityMissing, ReceiptMissing],
        &|setup| {
            let mut envelope = setup.anchor(&simple(&statement(lab), lab));
            envelope.salt = None;
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "no-ledger",
        "Neither ledger nor cached anchors.",
        &[LedgerMissing],
        &|setup| {
            let input = good(setup);
            setup.anchors = None;
            input
        },
    );
    add(
        "anchors-stale",
        "Cached anchors of last month do not hold this one.",
        &[LedgerStale],
        &|setup| {
            let copy = simple(&statement(lab), lab);
            let (envelope, _) = receipt(&copy, at("2026-03-01T09:01:00Z"));
            setup.anchors.as_mut().unwrap().read_at = now().plus(-30 * 86_400);
            TRAVELLER.present(&Envelope {
                counter_signature: Some(TRAVELLER.countersign(&copy)),
                ..envelope
            })
        },
    );
    add(
        "anchored-before-the-cache",
        "The cached anchors begin only after this one.",
        &[LedgerMissing],
        &|setup| {
            let copy = simple(&statement(lab), lab);
            let (envelope, _) = receipt(&copy, at("2026-03-01T09:01:00Z"));
            setup.anchors.as_mut().unwrap().from_block = 801;
            TRAVELLER.present(&Envelope {
                counter_signature: Some(TRAVELLER.countersign(&copy)),
                ..envelope
            })
        },
    );
    add(
        "anchored-after-the-cache",
        "Anchored in a block that the cached anchors do not reach.",
        &[LedgerStale],
        &|setup| {
            let copy = simple(&statement(lab), lab);
            let (envelope, _) = receipt(&copy, at("2026-03-01T09:01:00Z"));
            setup.anchors.as_mut().unwrap().block_number = 700;
            TRAVELLER.present(&Envelope {
                counter_signature: Some(TRAVELLER.countersign(&copy)),
                ..envelope
            })
        },
    );
    add(
        "key-revoked-and-no-anchor",
        "The key was stolen later, and nothing shows that the copy is older.",
        &[KeyRevokedSince, IntegrityMissing, ReceiptMissing],
        &|setup| {
            setup.labs = Some(vec![&LABS.robbed]);
            let statement = vaccination(&LABS.robbed, "2026-01-20T10:00:00Z");
            let copy = vc(&statement, Version::V1_1, Algorithm::Es256, &LABS.robbed.keys[0].0);
            let counter_signature = Some(TRAVELLER.countersign(&copy));
            TRAVELLER.present(&Envelope {
                counter_signature,
                ..Envelope::new(copy)
            })
        },
    );
    add(
        "not-counter-signed",
        "The holder has not signed its receipt.",
        &[CounterSignatureMissing],
        &|setup| {
            let mut envelope = setup.anchor(&simple(&statement(lab), lab));
            envelope.counter_signature = None;
            TRAVELLER.present(&envelope)
        },
    );
    add(
        "request-unknown",
        "Presented, but the checker does not have the request.",
        &[RequestMissing],
        &|setup| {
            setup.expected = None;
            good(setup)
        },
    );
    add(
        "hcert-certificate-missing",
        "The document signer's certificate is not at hand.",
        &[KeyUnavailable],
        &|setup| {
            setup.certificates = false;
            json(&paper(setup, &statement(lab), lab, 2))
        },
    );
    add(
        "hcert-bare",
        "A QR code alone: its evidence has to be scanned or fetched too.",
        &[IntegrityMissing, EvidenceMissing],
        &|setup| paper(setup, &statement(lab), lab, 2).copy,
    );
    add(
        "hcert-foreign-stale-list",
        "The trust list is a month old.",
        &[RegistryStale],
        &|setup| {
            let (key, der, list) = crate::check::world::foreign();
            setup.trust_list = Some((list, now().plus(-30 * 86_400)));
            let mut content = hcert_content(&statement(lab));
            content.status = None;
            hcert_of(&content, crate::check::world::kid(&der), &key)
        },
    );
    add(
        "hcert-no-lists",
        "Neither registry nor trust list.",
        &[KeyUnavailable, RegistryMissing],
        &|setup| {
            let envelope = paper(setup, &statement(lab), lab, 2);
            setup.labs = None;
            json(&envelope)
        },
    );
    cases
}
