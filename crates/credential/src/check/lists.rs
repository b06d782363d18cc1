//! The status lists at hand, verified when they are taken in.

use crate::{
    statement::StatusReference,
    status::{
        Status,
        bitstring::{BitstringList, Purpose},
        token_list::TokenList,
    },
    x509,
};
use std::collections::HashMap;
use vidimus_core::{Algorithm, Provider, Timestamp};

/// By how many seconds a list may seem to come from the future.
const CLOCK_SKEW: i64 = 60;

/// Status lists by URL.
///
/// Only a list that a status signer of the deployment signed gets in: `x5c` leads to a root that the caller trusts, and the leaf may sign
/// status lists. A list that is not so signed is remembered as refused, so that a check says *invalid list* and not *no list*; it never
/// replaces a good one, and neither does an older one.
#[derive(Debug, Clone, Default)]
pub struct StatusLists {
    lists: HashMap<String, Entry>,
}

#[derive(Debug, Clone)]
enum Entry {
    Good(Box<Listed>),
    Refused,
}

/// A verified list.
#[derive(Debug, Clone)]
struct Listed {
    kind: Kind,
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    ttl: Option<u64>,
    read_at: Timestamp,
}

#[derive(Debug, Clone)]
enum Kind {
    Token(TokenList),
    Bitstring(BitstringList),
}

/// Why a status list is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It does not read.
    #[error("the status list does not read")]
    Malformed(#[source] crate::status::StatusError),
    /// Its `sub` or `id` is another list's.
    #[error("the status list is another list than the one that was asked for")]
    Uri,
    /// Its signer's certificate does not lead to a trusted root.
    #[error("the status list's signer is not trusted")]
    Chain(#[source] x509::CertificateError),
    /// Its signer's certificate is not one for status lists.
    #[error("the certificate of the status list's signer is for something else")]
    Usage,
    /// The signature does not verify.
    #[error("the status list's signature does not verify")]
    Signature,
    /// Dated in the future.
    #[error("the status list is dated in the future")]
    Future,
    /// Older than the one at hand.
    #[error("the status list is older than the one at hand")]
    Older,
}

/// What a list says about one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// No list.
    None,
    /// A list that was refused, is of another kind, or has no such entry.
    Refused,
    /// The status, the list's age in seconds, and whether its own time or the policy's has run out.
    Status { status: Status, age: i64, stale: bool },
}

impl StatusLists {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Verifies a Token Status List and takes it in. `uri` is where it was fetched, `read_at` when.
    pub fn add_token_list(
        &mut self,
        uri: &str,
        token: &str,
        roots: &[x509::Certificate],
        read_at: Timestamp,
        provider: &dyn Provider,
    ) -> Result<(), ListError> {
        let listed = TokenList::parse(token).map_err(ListError::Malformed).and_then(|list| {
            let terms = list.terms.clone();
            verify(&list.signed, &terms.uri, uri, terms.issued_at, roots, read_at, provider)?;
            let (issued_at, expires_at, ttl) = (terms.issued_at, terms.expires_at, terms.ttl);
            Ok(Listed {
                kind: Kind::Token(list),
                issued_at,
                expires_at,
                ttl,
                read_at,
            })
        });
        self.insert(uri, listed)
    }

    /// Verifies a Bitstring Status List credential and takes it in. A list has one purpose: two of them, for
    /// revocation and for suspension, say what one token list says.
    pub fn add_bitstring_list(
        &mut self,
        uri: &str,
        token: &str,
        roots: &[x509::Certificate],
        read_at: Timestamp,
        provider: &dyn Provider,
    ) -> Result<(), ListError> {
        let listed = BitstringList::parse(token)
            .map_err(ListError::Malformed)
            .and_then(|list| {
                let terms = list.terms.clone();
                verify(
                    &list.signed,
                    &terms.uri,
                    uri,
                    terms.valid_from,
                    roots,
                    read_at,
                    provider,
                )?;
                let (issued_at, expires_at, ttl) = (terms.valid_from, terms.valid_until, terms.ttl);
                Ok(Listed {
                    kind: Kind::Bitstring(list),
                    issued_at,
                    expires_at,
                    ttl,
                    read_at,
                })
            });
        self.insert(uri, listed)
    }

    /// Whether a verified list is at hand for `uri`.
    pub fn contains(&self, uri: &str) -> bool {
        matches!(self.lists.get(uri), Some(Entry::Good(_)))
    }

    /// When the list at hand for `uri` was made.
    pub fn issued_at(&self, uri: &str) -> Option<Timestamp> {
        match self.lists.get(uri)? {
            Entry::Good(listed) => Some(listed.issued_at),
            Entry::Refused => None,
        }
    }

    fn insert(&mut self, uri: &str, listed: Result<Listed, ListError>) -> Result<(), ListError> {
        match (listed, self.lists.get(uri)) {
            (Ok(new), Some(Entry::Good(old))) if new.issued_at < old.issued_at => Err(ListError::Older),
            (Ok(new), _) => {
                self.lists.insert(uri.to_owned(), Entry::Good(Box::new(new)));
                Ok(())
            }
            (Err(error), Some(Entry::Good(_))) => Err(error),
            (Err(error), _) => {
                self.lists.insert(uri.to_owned(), Entry::Refused);
                Err(error)
            }
        }
    }

    /// What is known of a copy's entry: by the token list, or else by the two bitstring lists together.
    pub(super) fn status(&self, reference: &StatusReference, time: &Time) -> Answer {
        let index = reference.index;
        let token = self.entry(&reference.token_list, time, |kind| match kind {
            Kind::Token(list) => list.status(index).ok(),
            Kind::Bitstring(_) => None,
        });
        let (Answer::None, Some(revocation)) = (token, &reference.bitstring_list) else {
            return token;
        };
        let bit = |uri: &str, purpose: Purpose| {
            self.entry(uri, time, |kind| match kind {
                Kind::Bitstring(list) if list.purpose == purpose => list.status(index).ok(),
                Kind::Bitstring(_) | Kind::Token(_) => None,
            })
        };
        let revoked = bit(revocation, Purpose::Revocation);
        let suspended = reference
            .suspension_list
            .as_deref()
            .map_or(Answer::None, |uri| bit(uri, Purpose::Suspension));
        match (revoked, suspended) {
            (
                Answer::Status {
                    status: Status::Valid,
                    age: first,
                    stale: old,
                },
                Answer::Status {
                    status,
                    age: second,
                    stale: older,
                },
            ) => Answer::Status {
                status,
                age: first.max(second),
                stale: old || older,
            },
            // Not revoked, but perhaps suspended: no answer.
            (
                Answer::Status {
                    status: Status::Valid, ..
                },
                other,
            ) => other,
            (known, _) => known,
        }
    }

    /// What one list says.
    fn entry(&self, uri: &str, time: &Time, status: impl FnOnce(&Kind) -> Option<Status>) -> Answer {
        let listed = match self.lists.get(uri) {
            None => return Answer::None,
            Some(Entry::Refused) => return Answer::Refused,
            Some(Entry::Good(listed)) => listed,
        };
        match status(&listed.kind) {
            Some(status) => time.answer(status, listed.issued_at, listed.expires_at, listed.ttl, listed.read_at),
            None => Answer::Refused,
        }
    }
}

/// The time of a check, and how old a list may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    pub(super) now: Timestamp,
    pub(super) max_age: i64,
    pub(super) grace: i64,
}

impl Time {
    /// The age counts from when the list was made, not fetched: who replays an old list gains nothing.
    pub(super) fn answer(
        &self,
        status: Status,
        issued_at: Timestamp,
        expires_at: Option<Timestamp>,
        ttl: Option<u64>,
        read_at: Timestamp,
    ) -> Answer {
        let age = self.now.since(issued_at).max(0);
        let past = |end: Timestamp| self.now > end.plus(self.grace);
        let ttl = ttl.and_then(|ttl| i64::try_from(ttl).ok()).map(|ttl| read_at.plus(ttl));
        let stale = age > self.max_age || expires_at.is_some_and(past) || ttl.is_some_and(past);
        Answer::Status { status, age, stale }
    }
}

/// A list may not be dated in the future.
pub(super) fn refuse_future(issued_at: Timestamp, now: Timestamp) -> Result<(), ListError> {
    if issued_at > now.plus(CLOCK_SKEW) {
        Err(ListError::Future)
    } else {
        Ok(())
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "each is another thing to hold the list against, and no two belong together"
)]
fn verify(
    signed: &crate::jws::Signed,
    named: &str,
    uri: &str,
    issued_at: Timestamp,
    roots: &[x509::Certificate],
    now: Timestamp,
    provider: &dyn Provider,
) -> Result<(), ListError> {
    if named != uri {
        return Err(ListError::Uri);
    }
    let signer = x509::leaf_of_chain(&signed.header.x5c, roots, now, provider).map_err(ListError::Chain)?;
    if !signer.names(x509::usage::STATUS_LIST) {
        return Err(ListError::Usage);
    }
    signed
        .verify(provider, Algorithm::Es256, &signer.public_key)
        .map_err(|_| ListError::Signature)?;
    refuse_future(issued_at, now)
}
