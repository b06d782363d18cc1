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

/// What is known of who signed a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Nobody of whom it is known that they speak for the issuer.
    Unknown,
    /// It names one who may not sign lists, or who did not sign this one.
    Refused,
    /// One who signs the issuer's lists.
    Good,
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
    /// Whether it names the same signer: certificate, or name of a key. Who did sign it is the check's to say.
    pub fn names_signer_of(&self, other: &Self) -> bool {
        let (own, other) = (&self.list.signed.header, &other.list.signed.header);
        own.x5c.first() == other.x5c.first() && own.kid == other.kid
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

    /// What it says of a certificate of `who`, whose other certificates in `x5c` are `above`. Nothing, where it cannot be told that its signer speaks for
    /// that issuer: an authority that changes its root has issuers under one and signers of lists under the other for a time.
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
        let by_a_status_signer = self.by_a_status_signer(trust, time.now, provider);
        match by_a_status_signer.max(self.by_the_issuer(who, above, time.now, provider)) {
            Standing::Unknown => return Answer::None,
            Standing::Refused => return Answer::Refused,
            Standing::Good => {}
        }
        let Ok(status) = self.list.status(index) else {
            return Answer::Refused;
        };
        let terms = &self.list.terms;
        time.answer(status, terms.issued_at, terms.expires_at, terms.ttl, self.read_at)
    }

    /// Whether one signed it whom the caller trusts with status lists.
    fn by_a_status_signer(&self, trust: &TrustList, now: Timestamp, provider: &dyn Provider) -> Standing {
        let anchors = trust.status_signers();
        let chain = &self.list.signed.header.x5c;
        let by_certificate = match anchors.listed(chain) {
            // Who listed it said that it signs lists.
            Some(signer) if signer.is_valid_at(now) => self.signed_by(signer, provider),
            Some(_) => Standing::Unknown,
            None => self.signed_below(&anchors.authorities, now, provider),
        };
        by_certificate.max(self.signed_by_one_of(trust.status_keys(), provider))
    }

    /// Whether the certificate's own issuer signed it, or one for status lists whom the same authority certified.
    fn by_the_issuer(&self, who: &Who<'_>, above: &[Vec<u8>], now: Timestamp, provider: &dyn Provider) -> Standing {
        let chain = &self.list.signed.header.x5c;
        match who {
            Who::Certified(signer, _) if chain.first().is_some_and(|der| der == signer.certificate.der()) => {
                self.signed_by(&signer.certificate, provider)
            }
            Who::Certified(_, Some(anchor)) if chain.get(1..).is_some_and(|rest| rest == above) => {
                self.signed_below(std::slice::from_ref(*anchor), now, provider)
            }
            Who::Known(_, keys) => self.signed_by_one_of(keys, provider),
            Who::Certified(..) | Who::Foreign(_) | Who::Own(..) | Who::Unknown => Standing::Unknown,
        }
    }

    /// By whom one of these authorities certified: for lists, or it is one whom they certified for something else.
    fn signed_below(&self, authorities: &[x509::Certificate], now: Timestamp, provider: &dyn Provider) -> Standing {
        match x509::leaf_of_path(&self.list.signed.header.x5c, authorities, now, provider) {
            Ok(leaf) if leaf.names(x509::usage::STATUS_LIST) => self.signed_by(&leaf, provider),
            Ok(_) => Standing::Refused,
            Err(_) => Standing::Unknown,
        }
    }

    fn signed_by_one_of(&self, keys: &[Key], provider: &dyn Provider) -> Standing {
        // That it does not verify says nothing of whose it is.
        match named(keys, self.list.signed.header.kid.as_deref()).any(|key| self.verifies(&key.key, provider)) {
            true => Standing::Good,
            false => Standing::Unknown,
        }
    }

    fn signed_by(&self, certificate: &x509::Certificate, provider: &dyn Provider) -> Standing {
        match certificate.digital_signature != Some(false) && self.verifies(&certificate.public_key, provider) {
            true => Standing::Good,
            false => Standing::Refused,
        }
    }

    fn verifies(&self, key: &PublicKey, provider: &dyn Provider) -> bool {
        algorithm_of(key).is_some_and(|algorithm| self.list.signed.verify(provider, algorithm, key).is_ok())
    }
}
