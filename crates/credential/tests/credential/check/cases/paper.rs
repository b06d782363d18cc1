//! Paper and the evidence beside it: two codes, together, apart, wrong, or one of them alone.

use super::*;
use crate::check::world::{at, bitstring_list, vaccination};
use ciborium::Value as Cbor;
use vidimus_credential::{
    check::{Evidence, Policy},
    format::evidence,
    status::bitstring::Purpose,
};

/// The two texts: certificate and evidence.
fn codes(setup: &mut Setup) -> (String, String) {
    let envelope = paper(setup, &statement(&LABS.lab), &LABS.lab, 2);
    let evidence = evidence_of(&envelope);
    (envelope.copy, evidence)
}

fn evidence_of(envelope: &Envelope) -> String {
    let (salt, receipt) = (envelope.salt.clone().unwrap(), envelope.receipt.clone().unwrap());
    Evidence { salt, receipt }.to_text()
}

/// The evidence with its CBOR changed, whatever comes of it.
fn changed(text: &str, change: impl FnOnce(&mut Vec<(Cbor, Cbor)>)) -> String {
    let bytes = base45::decode(text.strip_prefix(evidence::PREFIX).unwrap()).unwrap();
    let mut map: Cbor = ciborium::from_reader(&bytes[..]).unwrap();
    change(map.as_map_mut().unwrap());
    let mut out = Vec::new();
    ciborium::into_writer(&map, &mut out).unwrap();
    spelled(&out)
}

fn spelled(bytes: &[u8]) -> String {
    format!("{}{}", evidence::PREFIX, base45::encode(bytes))
}

fn bytes_of(text: &str) -> Vec<u8> {
    base45::decode(text.strip_prefix(evidence::PREFIX).unwrap()).unwrap()
}

fn without() -> Policy {
    Policy {
        paper_without_evidence: true,
        ..Policy::default()
    }
}

pub fn cases() -> Vec<Case> {
    use Reason::*;
    let lab = &LABS.lab;
    let mut cases = Vec::new();
    let mut add = |name, says, reasons: &[Reason], build: &dyn Fn(&mut Setup) -> String| {
        let mut setup = Setup::new();
        setup.expected = None;
        let input = build(&mut setup);
        cases.push(case(name, says, input, setup, reasons));
    };
    add("paper", "Both codes of a paper, one after the other.", &[], &|setup| {
        let (copy, evidence) = codes(setup);
        format!("{copy}\n{evidence}\n")
    });
    add(
        "paper-other-order",
        "The evidence was scanned first; the scanner ends lines in its own way.",
        &[],
        &|setup| {
            let (copy, evidence) = codes(setup);
            format!("\r\n {evidence}\r\n\r\n{copy} \r\n")
        },
    );
    add(
        "paper-waived",
        "No evidence; the verifier's policy accepts that, and the report says so.",
        &[],
        &|setup| {
            setup.policy = Some(without());
            codes(setup).0
        },
    );
    add(
        "paper-alone",
        "No evidence, and no policy that does without it.",
        &[IntegrityMissing, EvidenceMissing],
        &|setup| codes(setup).0,
    );
    add(
        "paper-waived-and-no-status-list",
        "What is accepted on its status needs the list.",
        &[StatusMissing],
        &|setup| {
            setup.policy = Some(without());
            setup.status.clear();
            codes(setup).0
        },
    );
    add(
        "paper-waived-and-no-status",
        "What carries no status cannot be accepted on its status.",
        &[StatusAbsent, IntegrityMissing, EvidenceMissing],
        &|setup| {
            setup.policy = Some(without());
            setup.labs = Some(vec![lab]);
            let mut content = hcert_content(&statement(lab));
            content.status = None;
            hcert_of(&content, lab.kid(2), &lab.keys[1].0)
        },
    );
    add(
        "paper-waived-and-key-stolen-later",
        "The key was stolen later, and without evidence nothing shows that the paper is older.",
        &[KeyRevokedSince],
        &|setup| {
            setup.policy = Some(without());
            let statement = vaccination(&LABS.robbed, "2026-01-20T10:00:00Z");
            paper(setup, &statement, &LABS.robbed, 1).copy
        },
    );
    add(
        "paper-waived-and-revoked",
        "Revoked stays revoked.",
        &[Revoked],
        &|setup| {
            setup.policy = Some(without());
            let mut statement = statement(lab);
            statement.status.as_mut().unwrap().index = crate::check::world::REVOKED;
            paper(setup, &statement, lab, 2).copy
        },
    );
    add(
        "paper-waived-and-wrong-evidence",
        "The policy does without evidence, but not with evidence that is another's.",
        &[IntegrityMismatch, ReceiptMismatch],
        &|setup| {
            setup.policy = Some(without());
            let other = paper(setup, &vaccination(lab, "2026-02-20T10:00:00Z"), lab, 2);
            format!("{}\n{}", codes(setup).0, evidence_of(&other))
        },
    );
    add(
        "paper-evidence-of-another",
        "The evidence of another certificate of the same laboratory.",
        &[IntegrityMismatch, ReceiptMismatch],
        &|setup| {
            let other = paper(setup, &vaccination(lab, "2026-02-20T10:00:00Z"), lab, 2);
            format!("{}\n{}", codes(setup).0, evidence_of(&other))
        },
    );
    add(
        "paper-evidence-unknown-root",
        "Evidence that leads to a root nobody anchored.",
        &[RootUnknown],
        &|setup| {
            let (copy, evidence) = codes(setup);
            setup.anchors.as_mut().unwrap().roots.clear();
            format!("{copy}\n{evidence}")
        },
    );
    add(
        "paper-evidence-other-salt",
        "One bit of the salt flipped.",
        &[IntegrityMismatch, ReceiptMismatch],
        &|setup| {
            let (copy, evidence) = codes(setup);
            let flipped = changed(&evidence, |map| map[0].1.as_bytes_mut().unwrap()[0] ^= 1);
            format!("{copy}\n{flipped}")
        },
    );
    add(
        "paper-evidence-other-block",
        "Another block than the root stands in.",
        &[ReceiptMismatch],
        &|setup| {
            let (copy, evidence) = codes(setup);
            let moved = changed(&evidence, |map| map[8].1 = Cbor::from(801));
            format!("{copy}\n{moved}")
        },
    );
    add(
        "paper-evidence-not-in-lists",
        "Nothing but the two codes at hand, and the status lists by bitstring do not help an HCERT.",
        &[KeyUnavailable, RegistryMissing, StatusMissing, LedgerMissing],
        &|setup| {
            let (copy, evidence) = codes(setup);
            (setup.labs, setup.anchors) = (None, None);
            setup.status = vec![(bitstring_list(Purpose::Revocation), at("2026-03-02T11:59:00Z"))];
            format!("{copy}\n{evidence}")
        },
    );
    malformed(&mut add);
    cases
}

/// What is no evidence, or not in the one spelling it has.
fn malformed(add: Add<'_>) {
    use Reason::{EvidenceMalformed, Malformed, UnsupportedFormat};
    type Change<'a> = &'a dyn Fn(&str) -> String;
    let cases: [(&str, &str, Change<'_>); 17] = [
        ("paper-evidence-empty", "The prefix alone.", &|_| "VE1:".into()),
        ("paper-evidence-cut", "The first half of the code.", &|text| {
            text[..text.len() / 2].to_owned()
        }),
        (
            "paper-evidence-base45",
            "A character that base45 does not have.",
            &|text| text.replacen(&text[10..11], "a", 1),
        ),
        ("paper-evidence-base45-overflow", "A group beyond 65535.", &|text| {
            format!("VE1:::{}", &text[6..])
        }),
        ("paper-evidence-trailing", "A byte after the end.", &|text| {
            spelled(&[bytes_of(text), vec![0]].concat())
        }),
        ("paper-evidence-not-a-map", "A list of the same.", &|text| {
            let mut bytes = bytes_of(text);
            bytes[0] = 0x8b;
            spelled(&bytes)
        }),
        ("paper-evidence-deep", "Lists within lists.", &|_| spelled(&[0x81; 900])),
        (
            "paper-evidence-length-lie",
            "A salt that claims to be longer than everything.",
            &|_| spelled(&[0xa1, 0x01, 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ),
        (
            "paper-evidence-long-number",
            "The index in more bytes than it needs.",
            &|text| {
                let mut bytes = bytes_of(text);
                let at = 1 + 1 + 2 + 32 + 1;
                assert_eq!(bytes[at], 2, "the index");
                bytes.splice(at..=at, [0x18, 0x02]);
                spelled(&bytes)
            },
        ),
        (
            "paper-evidence-other-order-of-keys",
            "The same members in another order.",
            &|text| changed(text, |map| map.reverse()),
        ),
        ("paper-evidence-member-twice", "Two salts.", &|text| {
            changed(text, |map| map.insert(1, map[0].clone()))
        }),
        (
            "paper-evidence-unknown-member",
            "A member that there is not.",
            &|text| changed(text, |map| map.push((Cbor::from(12), Cbor::from(1)))),
        ),
        ("paper-evidence-without-root", "No root.", &|text| {
            changed(text, |map| drop(map.remove(6)))
        }),
        ("paper-evidence-short-salt", "A salt of 31 bytes.", &|text| {
            changed(text, |map| map[0].1.as_bytes_mut().unwrap().truncate(31))
        }),
        ("paper-evidence-negative-index", "A place before the first.", &|text| {
            changed(text, |map| map[1].1 = Cbor::from(-1))
        }),
        (
            "paper-evidence-odd-path",
            "A path that ends within a digest.",
            &|text| changed(text, |map| map[3].1.as_bytes_mut().unwrap().push(0)),
        ),
        (
            "paper-evidence-long-path",
            "A path longer than any batch is deep.",
            &|text| changed(text, |map| map[3].1 = Cbor::Bytes(vec![0; 33 * 32])),
        ),
    ];
    for (name, says, change) in cases {
        add(name, says, &[EvidenceMalformed], &|setup| {
            let (copy, evidence) = codes(setup);
            format!("{copy}\n{}", change(&evidence))
        });
    }
    add(
        "paper-evidence-oversized",
        "More than any evidence has.",
        &[EvidenceMalformed],
        &|setup| format!("{}\nVE1:{}", codes(setup).0, "0".repeat(evidence::MAX_EVIDENCE)),
    );
    add(
        "paper-evidence-alone",
        "The second code without the first.",
        &[UnsupportedFormat],
        &|setup| codes(setup).1,
    );
    add(
        "paper-evidence-version-2",
        "A version to come.",
        &[Malformed],
        &|setup| {
            let (copy, evidence) = codes(setup);
            format!("{copy}\n{}", evidence.replace("VE1:", "VE2:"))
        },
    );
    add(
        "paper-three-codes",
        "The same evidence twice.",
        &[Malformed],
        &|setup| {
            let (copy, evidence) = codes(setup);
            format!("{copy}\n{evidence}\n{evidence}")
        },
    );
}
