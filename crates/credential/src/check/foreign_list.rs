//! Status lists of others: read when they are fetched, and held in each check against what is trusted then.

use super::{
    TrustList,
    lists::{Answer, ListError, Time, refuse_future},
    signer::{Who, algorithm_of, named},
};
use crate::{format::sd_jwt_vc::issuer_metadata::Key, status::token_list::TokenList, x509};
use vidimus_core::{Provider, PublicKey, Timestamp};

/// How long a list that says nothing of it is taken without fetching it again.
const TTL: i64 = 300;
/// How long a list is taken at most, whatever it says.
const MOST: i64 = 86_400;

/// A Token Status List of somebody else (draft-ietf-oauth-status-list-14, JWT form).
///
/// It is read and not verified: whose it may be depends on the certificate that refers to it and on what is trusted when that is checked, so a list
/// can be kept while trust changes. Whoever signs it can revive what its issuer revoked, until it ends.
#[derive(Debug, Clone)]
pub struct ForeignList {
    list: TokenList,
    read_at: Timestamp,
}

impl ForeignList {
    /// Reads what was fetched at `uri`, at `read_at`: a list of that name (§8.3) and not of the future.
    pub fn read(uri: &str, token: &str, read_at: Timestamp) -> Result<Self, ListError> {
        let list = Self::read_by_its_name(token, read_at)?;
        if list.uri() != uri {
            return Err(ListError::Uri);
        }
        Ok(list)
    }

    /// Reads one that was fetched somewhere; it counts for certificates that refer to its name.
    pub fn read_by_its_name(token: &str, read_at: Timestamp) -> Result<Self, ListError> {
        let list = TokenList::parse(token.trim()).map_err(ListError::Malformed)?;
        refuse_future(list.terms.issued_at, read_at)?;
        Ok(Self { list, read_at })
    }

    /// What it says, for who holds it against other signers than certificates have.
    pub const fn list(&self) -> &TokenList {
        &self.list
    }
    /// Its name: where it is fetched.
    pub fn uri(&self) -> &str {
        &self.list.terms.uri
    }
    /// When it was made.
    pub fn issued_at(&self) -> Timestamp {
        self.list.terms.issued_at
    }
    /// When it was fetched.
    pub fn read_at(&self) -> Timestamp {
        self.read_at
    }
    /// From when it is to be fetched again: its `ttl` after it was fetched (§8.4), or its end where that comes first.
    pub fn due(&self) -> Timestamp {
        let terms = &self.list.terms;
        let ttl = terms
            .ttl
            .map_or(TTL, |ttl| i64::try_from(ttl).unwrap_or(MOST).min(MOST));
        let due = self.read_at.plus(ttl);
        terms.expires_at.map_or(due, |end| due.min(end))
    }
    /// Bytes that it takes in memory.
    pub fn size(&self) -> usize {
        self.list.size()
    }

    /// What it says of a certificate of `who`, whose other certificates in `x5c` are `above`.
    #[allow(
        clippy::too_many_arguments,
        reason = "each is another thing to hold the list against, and no two belong together"
    )]
    pub(super) fn answer(
        &self,
        index: u64,
        who: &Who<'_>,
        above: &[Vec<u8>],
        trust: &TrustList,
        time: &Time,
        provider: &dyn Provider,
    ) -> Answer {
        let Ok(status) = self.list.status(index) else {
            return Answer::Refused;
        };
        if !self.by_a_status_signer(trust, time.now, provider) && !self.by_the_issuer(who, above, time.now, provider) {
            return Answer::Refused;
        }
        let terms = &self.list.terms;
        time.answer(status, terms.issued_at, terms.expires_at, terms.ttl, self.read_at)
    }

    /// Whether one signed it whom the caller trusts with status lists.
    fn by_a_status_signer(&self, trust: &TrustList, now: Timestamp, provider: &dyn Provider) -> bool {
        let anchors = trust.status_signers();
        let chain = &self.list.signed.header.x5c;
        let by_certificate = match anchors.listed(chain) {
            Some(signer) => signer.is_valid_at(now) && self.is_signed_by(signer, provider),
            None => x509::leaf_of_path(chain, &anchors.authorities, now, provider)
                .is_ok_and(|leaf| leaf.allows(&[x509::usage::STATUS_LIST]) && self.is_signed_by(&leaf, provider)),
        };
        by_certificate || self.is_by_one_of(trust.status_keys(), provider)
    }

    /// Whether the certificate's own issuer signed it, or one for status lists whom the same authority certified.
    fn by_the_issuer(&self, who: &Who<'_>, above: &[Vec<u8>], now: Timestamp, provider: &dyn Provider) -> bool {
        let chain = &self.list.signed.header.x5c;
        match who {
            Who::Certified(signer, _) if chain.first().is_some_and(|der| der == signer.certificate.der()) => {
                self.is_signed_by(&signer.certificate, provider)
            }
            Who::Certified(_, Some(anchor)) if chain.get(1..).is_some_and(|rest| rest == above) => {
                x509::leaf_of_path(chain, std::slice::from_ref(*anchor), now, provider).is_ok_and(|leaf| {
                    let named = leaf
                        .extended_key_usage
                        .iter()
                        .any(|oid| oid == x509::usage::STATUS_LIST);
                    named && self.is_signed_by(&leaf, provider)
                })
            }
            Who::Known(_, keys) => self.is_by_one_of(keys, provider),
            Who::Certified(..) | Who::Foreign(_) | Who::Own(..) | Who::Unknown => false,
        }
    }

    fn is_by_one_of(&self, keys: &[Key], provider: &dyn Provider) -> bool {
        named(keys, self.list.signed.header.kid.as_deref()).any(|key| self.verifies(&key.key, provider))
    }

    fn is_signed_by(&self, certificate: &x509::Certificate, provider: &dyn Provider) -> bool {
        certificate.digital_signature != Some(false) && self.verifies(&certificate.public_key, provider)
    }

    fn verifies(&self, key: &PublicKey, provider: &dyn Provider) -> bool {
        algorithm_of(key).is_some_and(|algorithm| self.list.signed.verify(provider, algorithm, key).is_ok())
    }
}
