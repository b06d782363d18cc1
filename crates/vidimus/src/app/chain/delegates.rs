//! Under which number a signing key stands in its issuer's DID document: `#delegate-N`, the `kid` of what it signs with ES256.
//!
//! did:ethr counts every key that was set or revoked, whoever did it, and gives no number twice. The registry's versions count something else,
//! so the number is read from the DID's own history (`search`, a job), and kept in a table. Until it is there, our own queue says which number
//! the key of an issuer gets whose keys are kept here: nobody else changes its DID. It is a name for those who read DID documents; a check here
//! holds a signature against the registry's keys, whatever the `kid` says.

mod search;

use super::authority::{ANNOUNCE, WITHDRAW};
use std::collections::HashMap;
use vidimus_core::{Address, PublicKey, id::KeyId};
use vidimus_store::{
    Tx,
    delegates::{self as rows, Delegate},
    keys::{self as key_rows, State},
    participants::{Custody, Participant, Role},
    transactions::{self, Outbound},
};

/// The signing keys of issuers that sign or are about to, those that were looked at longest ago first.
#[derive(Debug, Default)]
pub struct Delegates {
    keys: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Key {
    id: KeyId,
    issuer: Address,
    did: String,
    point: PublicKey,
    /// Whether others than we may change the DID.
    is_own: bool,
    /// The number that it gets.
    expected: Option<u64>,
    /// What the DID said when it was read last.
    seen: Option<Seen>,
    /// How often its history was read in vain.
    in_vain: u32,
    is_given_up: bool,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Block of the DID's newest change.
    changed: u64,
    /// The key's number; none where the document does not have it.
    number: Option<u64>,
}

impl Key {
    fn number(&self) -> Option<u64> {
        self.seen?.number
    }
}

/// What the database has of it.
#[derive(Debug)]
pub(super) struct Kept {
    numbers: HashMap<KeyId, Delegate>,
    /// What we have sent or will to set and revoke keys, in order.
    changes: Vec<Outbound>,
}

impl Kept {
    pub(super) fn read(tx: &mut Tx<'_>, chain: u64) -> Result<Self, vidimus_store::Error> {
        let mut changes = transactions::list_by_purpose(tx, chain, ANNOUNCE)?;
        changes.extend(transactions::list_by_purpose(tx, chain, WITHDRAW)?);
        changes.retain(|change| change.state != transactions::State::Failed);
        changes.sort_by_key(|change| (change.call.account.0, change.nonce));
        let numbers = rows::list(tx, chain)?.into_iter().map(|row| (row.key, row));
        Ok(Self {
            numbers: numbers.collect(),
            changes,
        })
    }

    /// The number that a key gets by our own announcement: each change of a key before it has one.
    fn expected(&self, issuer: Address, point: &PublicKey) -> Option<u64> {
        // Every call names whom it is about first: after the selector, padded to a word.
        let is_of = |change: &&Outbound| change.call.data.get(16..36) == Some(&issuer.0[..]);
        let announces = |change: &Outbound| {
            let bytes = point.as_bytes();
            change.call.purpose == ANNOUNCE && change.call.data.windows(bytes.len()).any(|window| window == bytes)
        };
        let of_issuer: Vec<_> = self.changes.iter().filter(is_of).collect();
        let place = of_issuer.iter().rposition(|change| announces(change))?;
        Some(place as u64 + 1)
    }
}

impl Delegates {
    /// The number of a key: the one that it has, or until it is there the one that it gets.
    pub fn number(&self, key: KeyId) -> Option<u64> {
        let key = self.keys.iter().find(|known| known.id == key)?;
        key.number().or(key.expected)
    }

    /// Whether there are keys whose number is not known yet.
    pub fn is_looking(&self) -> bool {
        self.keys.iter().any(|key| !key.is_given_up && key.number().is_none())
    }

    /// Notes which keys of issuers sign now or will, of all that there are, and drops the others. Where the chain is read `anew`, nothing counts
    /// that was seen on it before.
    pub(super) fn note(&mut self, participants: &[Participant], keys: &[key_rows::Key], kept: &Kept, anew: bool) {
        if anew {
            self.keys.clear();
        }
        let issuers = participants.iter().filter(|row| row.role == Role::Issuer);
        let issuers: HashMap<_, _> = issuers.map(|row| (Some(row.id), row)).collect();
        let signing = || keys.iter().filter(|key| key.purpose == "signing");
        let mut newest = HashMap::new();
        for key in signing().filter(|key| key.state == State::Active) {
            let version = newest.entry(key.participant).or_insert(0);
            *version = key.version.max(*version);
        }
        // What waits behind a newer one that signs came to nothing.
        let signs = |key: &&key_rows::Key| match key.state {
            State::Active => true,
            State::Pending => newest.get(&key.participant).is_none_or(|newest| key.version > *newest),
            State::Retired | State::Revoked => false,
        };
        let mut before: HashMap<_, _> = self
            .keys
            .drain(..)
            .enumerate()
            .map(|(place, key)| (key.id, (place, key)))
            .collect();
        let mut noted = Vec::new();
        for key in signing().filter(signs) {
            let (Some(issuer), Ok(point)) = (issuers.get(&key.participant), key.public.as_slice().try_into()) else {
                continue;
            };
            let point = PublicKey::P256(point);
            let is_own = issuer.custody == Custody::Own;
            let by_us = if is_own {
                None
            } else {
                kept.expected(issuer.account, &point)
            };
            let (place, mut key) = before.remove(&key.id).unwrap_or_else(|| {
                let seen = kept.numbers.get(&key.id).map(|row| Seen {
                    changed: row.changed,
                    number: Some(row.number),
                });
                let new = Key {
                    id: key.id,
                    issuer: issuer.account,
                    did: issuer.did.clone(),
                    point,
                    is_own,
                    expected: None,
                    seen,
                    in_vain: 0,
                    is_given_up: false,
                };
                (usize::MAX, new)
            });
            key.expected = by_us.or(key.expected);
            noted.push((place, key));
        }
        // They keep their turns, and new ones come after them.
        noted.sort_by_key(|(place, _)| *place);
        self.keys = noted.into_iter().map(|(_, key)| key).collect();
    }

    /// Those whose turn it is: of the keys without number at most `most`, and one that has its number.
    fn turn(&self, most: usize) -> Vec<Key> {
        let looked_for = self.keys.iter().filter(|key| !key.is_given_up);
        let (found, wanted): (Vec<_>, Vec<_>) = looked_for.partition(|key| key.number().is_some());
        wanted
            .into_iter()
            .take(most)
            .chain(found.into_iter().take(1))
            .cloned()
            .collect()
    }

    /// Takes what was found of a key, whose next turn comes after all others'.
    fn put_back(&mut self, key: Key) {
        let Some(place) = self.keys.iter().position(|known| known.id == key.id) else {
            return;
        };
        let known = self.keys.remove(place);
        self.keys.push(Key {
            expected: if key.is_own { key.expected } else { known.expected },
            ..key
        });
    }
}
