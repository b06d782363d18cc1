//! Merkle trees as RFC 6962 §2.1 defines them (also RFC 9162 §2.1): leaf = SHA-256(0x00 ‖ entry), node = SHA-256(0x01 ‖ left ‖ right), an
//! unbalanced tree splits at the largest power of two below its size. An entry here is a 32-byte [`Commitment`].

use crate::{Commitment, Digest, Provider};
use serde::{Deserialize, Serialize};

/// The most entries one batch may hold: proofs stay within 32 hashes and indices within 32 bits.
pub const MAX_ENTRIES: usize = 1 << 32;

/// Where an entry stands in a tree of `size` entries, and the hashes that lead from it to the root, from the leaf upward.
/// At most 64 hashes; `32·⌈log₂ size⌉` bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Position of the entry, from 0.
    pub index: u64,
    /// Number of entries in the tree.
    pub size: u64,
    /// Sibling hashes, from the leaf upward.
    pub path: Vec<Digest>,
}

/// Why a proof does not lead from an entry to a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Index outside the tree, or more or fewer hashes than a tree of this size has.
    #[error("the proof's index, size and length do not fit together")]
    Shape,
    /// The hashes lead elsewhere: the entry is not under this root.
    #[error("the proof leads to another root")]
    Root,
}

fn leaf(provider: &dyn Provider, entry: &Commitment) -> Digest {
    provider.sha256(&[&[0], entry.as_bytes()])
}

fn node(provider: &dyn Provider, left: &Digest, right: &Digest) -> Digest {
    provider.sha256(&[&[1], &left.0, &right.0])
}

/// All levels of a tree, kept so that many proofs cost one pass: level 0 holds the leaf hashes, the last level the root.
///
/// A node without a sibling is carried up unchanged, which gives exactly RFC 6962's tree. Memory: 64 bytes an entry.
#[derive(Debug, Clone)]
pub struct Tree {
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// Builds the tree over `entries` in their order. The empty tree's root is SHA-256 of nothing; such a batch is never anchored.
    pub fn build(provider: &dyn Provider, entries: &[Commitment]) -> Self {
        let mut levels = vec![entries.iter().map(|entry| leaf(provider, entry)).collect::<Vec<_>>()];
        while levels[levels.len() - 1].len() > 1 {
            let below = &levels[levels.len() - 1];
            let above = below
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node(provider, left, right),
                    [only] => *only,
                    _ => unreachable!("chunks(2) yields one or two"),
                })
                .collect();
            levels.push(above);
        }
        if levels[0].is_empty() {
            levels[0].push(provider.sha256(&[]));
            return Self {
                levels: vec![Vec::new(), levels.swap_remove(0)],
            };
        }
        Self { levels }
    }

    /// The root.
    pub fn root(&self) -> Digest {
        self.levels[self.levels.len() - 1][0]
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.levels[0].len() as u64
    }

    /// The proof for entry `index`; `None` outside the tree.
    pub fn prove(&self, index: u64) -> Option<Proof> {
        if index >= self.size() {
            return None;
        }
        let mut at = usize::try_from(index).ok()?;
        let mut path = Vec::with_capacity(self.levels.len());
        for level in &self.levels[..self.levels.len() - 1] {
            if let Some(sibling) = level.get(at ^ 1) {
                path.push(*sibling);
            }
            at >>= 1;
        }
        Some(Proof {
            index,
            size: self.size(),
            path,
        })
    }
}

impl Proof {
    /// The root that this proof leads to from `entry` (RFC 9162 §2.1.3.2). [`ProofError::Shape`] when the numbers do not fit.
    pub fn root(&self, provider: &dyn Provider, entry: &Commitment) -> Result<Digest, ProofError> {
        if self.index >= self.size {
            return Err(ProofError::Shape);
        }
        let (mut at, mut last) = (self.index, self.size - 1);
        let mut hash = leaf(provider, entry);
        for sibling in &self.path {
            if last == 0 {
                return Err(ProofError::Shape);
            }
            if at & 1 == 1 || at == last {
                hash = node(provider, sibling, &hash);
                while at & 1 == 0 && at != 0 {
                    at >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node(provider, &hash, sibling);
            }
            at >>= 1;
            last >>= 1;
        }
        if last == 0 { Ok(hash) } else { Err(ProofError::Shape) }
    }

    /// Whether `entry` is under `root` at this place.
    pub fn verify(&self, provider: &dyn Provider, entry: &Commitment, root: &Digest) -> Result<(), ProofError> {
        if self.root(provider, entry)? == *root {
            Ok(())
        } else {
            Err(ProofError::Root)
        }
    }
}
