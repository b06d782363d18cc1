//! Receipts, by the batch that they lead to.

use std::collections::{BTreeMap, BTreeSet};
use vidimus_core::{Digest, Receipt};
use vidimus_crypto::Native;

/// The root of each batch, with its size and the places that receipts name in it.
#[derive(Default)]
pub struct Batches(pub BTreeMap<Digest, (u64, BTreeSet<u64>)>);

impl Batches {
    /// A receipt that must be of this commitment, and at a place of its own.
    #[track_caller]
    pub fn add(&mut self, commitment: &str, receipt: &Receipt) {
        receipt.verify(&Native::new(), &commitment.parse().unwrap()).unwrap();
        let (size, places) = self
            .0
            .entry(receipt.anchor.root)
            .or_insert((receipt.proof.size, BTreeSet::new()));
        assert_eq!(*size, receipt.proof.size);
        assert!(
            places.insert(receipt.proof.index),
            "two commitments at one place of a batch"
        );
    }
}
