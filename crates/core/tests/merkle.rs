//! Trees and proofs against RFC 6962's recursive definition and against `vectors/merkle.json`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;
use serde_json::Value;
use vidimus_core::{
    Commitment, Digest, Provider, Salt,
    merkle::{Proof, ProofError, Tree},
};
use vidimus_crypto::Native;

/// RFC 6962 §2.1, word for word.
fn naive_root(provider: &Native, entries: &[Commitment]) -> Digest {
    match entries {
        [] => provider.sha256(&[]),
        [only] => provider.sha256(&[&[0], only.as_bytes()]),
        _ => {
            let (left, right) = entries.split_at(split(entries.len()));
            provider.sha256(&[&[1], &naive_root(provider, left).0, &naive_root(provider, right).0])
        }
    }
}

/// RFC 6962 §2.1.1: the hashes, and on which side of the way each stands.
fn naive_path(provider: &Native, entries: &[Commitment], index: usize) -> Vec<(Digest, bool)> {
    if entries.len() == 1 {
        return Vec::new();
    }
    let (left, right) = entries.split_at(split(entries.len()));
    let (mut path, sibling, is_left) = if index < left.len() {
        (naive_path(provider, left, index), naive_root(provider, right), false)
    } else {
        (
            naive_path(provider, right, index - left.len()),
            naive_root(provider, left),
            true,
        )
    };
    path.push((sibling, is_left));
    path
}

/// The largest power of two below `size`.
fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

fn sides(index: usize, size: usize) -> Vec<bool> {
    let (mut index, mut size, mut sides) = (index, size, Vec::new());
    while size > 1 {
        let left = split(size);
        sides.push(index >= left);
        (index, size) = if index < left {
            (index, left)
        } else {
            (index - left, size - left)
        };
    }
    sides.reverse();
    sides
}

fn entries(provider: &Native, count: usize) -> Vec<Commitment> {
    (0..count as u64)
        .map(|n| {
            let salt = Salt::from_bytes([n as u8; 32]);
            Commitment::derive(provider, &salt, &provider.sha256(&[&n.to_be_bytes()]))
        })
        .collect()
}

#[test]
fn every_proof_of_every_small_tree_is_rfc_6962s() {
    let native = Native::new();
    let all = entries(&native, 130);
    assert_eq!(Tree::build(&native, &[]).root(), naive_root(&native, &[]));
    for size in 1..=130 {
        let entries = &all[..size];
        let tree = Tree::build(&native, entries);
        let root = naive_root(&native, entries);
        assert_eq!((tree.root(), tree.size()), (root, size as u64));
        for index in 0..size {
            let proof = tree.prove(index as u64).unwrap();
            let expected: Vec<Digest> = naive_path(&native, entries, index)
                .into_iter()
                .map(|(hash, _)| hash)
                .collect();
            assert_eq!(proof.path, expected, "{index} of {size}");
            assert_eq!(
                proof.verify(&native, &entries[index], &root),
                Ok(()),
                "{index} of {size}"
            );
        }
        assert_eq!(tree.prove(size as u64), None);
        assert_eq!(tree.prove(u64::MAX), None);
    }
}

#[test]
fn trees_are_the_ones_that_python_builds() {
    let native = Native::new();
    let vectors: Value = serde_json::from_str(include_str!("../../../vectors/merkle.json")).unwrap();
    for tree in vectors["trees"].as_array().unwrap() {
        let size = tree["size"].as_u64().unwrap();
        let entries = entries(&native, size.try_into().unwrap());
        let built = Tree::build(&native, &entries);
        assert_eq!(built.root().to_string(), tree["root"].as_str().unwrap(), "{size}");
        for proof in tree["proofs"].as_array().unwrap() {
            let index = proof["index"].as_u64().unwrap();
            let path = serde_json::from_value(proof["path"].clone()).unwrap();
            assert_eq!(
                built.prove(index),
                Some(Proof { index, size, path }),
                "{index} of {size}"
            );
        }
    }
}

#[test]
fn a_proof_of_another_shape_or_place_is_refused() {
    let native = Native::new();
    let all = entries(&native, 40);
    for size in 1..=40_usize {
        let tree = Tree::build(&native, &all[..size]);
        let root = tree.root();
        for index in 0..size {
            let good = tree.prove(index as u64).unwrap();
            let entry = &all[index];
            let shape =
                |proof: &Proof| assert_eq!(proof.verify(&native, entry, &root), Err(ProofError::Shape), "{proof:?}");
            let refused = |proof: &Proof| assert!(proof.verify(&native, entry, &root).is_err(), "{proof:?}");

            let mut longer = good.clone();
            longer.path.push(root);
            shape(&longer);
            shape(&Proof {
                index: size as u64,
                ..good.clone()
            });
            shape(&Proof {
                index: u64::MAX,
                ..good.clone()
            });
            shape(&Proof {
                size: 0,
                ..good.clone()
            });
            if !good.path.is_empty() {
                let mut shorter = good.clone();
                shorter.path.pop();
                shape(&shorter);
                shape(&Proof {
                    path: Vec::new(),
                    ..good.clone()
                });
                let mut reversed = good.clone();
                reversed.path.reverse();
                if reversed != good {
                    refused(&reversed);
                }
                let mut changed = good.clone();
                changed.path[0].0[31] ^= 1;
                assert_eq!(changed.verify(&native, entry, &root), Err(ProofError::Root));
            }
            for other in (0..size).filter(|&other| other != index) {
                refused(&Proof {
                    index: other as u64,
                    ..good.clone()
                });
                assert_eq!(good.verify(&native, &all[other], &root), Err(ProofError::Root));
            }
            // A root does not fix its tree's size: another size leads there when, and only when, the way is the same.
            for other in (1..=45).filter(|&other| other != size && index < other) {
                let verdict = Proof {
                    size: other as u64,
                    ..good.clone()
                }
                .verify(&native, entry, &root);
                assert_eq!(
                    verdict.is_ok(),
                    sides(index, other) == sides(index, size),
                    "{index} of {size}, said {other}"
                );
            }
        }
    }
}

#[test]
fn a_leaf_is_no_node_and_a_node_no_leaf() {
    let native = Native::new();
    let entries = entries(&native, 4);
    let tree = Tree::build(&native, &entries);
    // The second pre-image attack on trees without domain separation: present an inner node as an entry.
    let inner = tree.prove(0).unwrap().path[1];
    let proof = Proof {
        index: 1,
        size: 2,
        path: vec![naive_root(&native, &entries[..2])],
    };
    let forged = Commitment::from_bytes(inner.0);
    assert_eq!(proof.verify(&native, &forged, &tree.root()), Err(ProofError::Root));
}

#[test]
fn a_proof_reads_back_and_nothing_unknown_is_taken() {
    let native = Native::new();
    let proof = Tree::build(&native, &entries(&native, 5)).prove(3).unwrap();
    let json = serde_json::to_value(&proof).unwrap();
    assert_eq!(serde_json::from_value::<Proof>(json.clone()).unwrap(), proof);
    for (member, value) in [
        ("extra", Value::from(1)),
        ("index", (-1).into()),
        ("size", 1.5.into()),
        ("path", "".into()),
    ] {
        let mut changed = json.clone();
        changed[member] = value;
        assert!(serde_json::from_value::<Proof>(changed).is_err(), "{member}");
    }
}

proptest! {
    #[test]
    fn large_trees_prove_what_they_hold(size in 130_usize..3000, at in any::<prop::sample::Index>()) {
        let native = Native::new();
        let entries = entries(&native, size);
        let tree = Tree::build(&native, &entries);
        let index = at.index(size);
        let proof = tree.prove(index as u64).unwrap();
        prop_assert_eq!(tree.root(), naive_root(&native, &entries));
        prop_assert!(proof.path.len() <= size.ilog2() as usize + 1);
        prop_assert_eq!(proof.verify(&native, &entries[index], &tree.root()), Ok(()));
    }
}
