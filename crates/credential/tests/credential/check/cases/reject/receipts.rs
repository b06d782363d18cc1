//! What leads to the ledger.

use super::*;

pub fn cases(add: Add<'_>) {
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
