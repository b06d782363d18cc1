//! Whether an attestation still counts: one that carries a `status` was withdrawn where its entry in that Token Status List says so
//! (draft-ietf-oauth-status-list-14; attestation-based client authentication §5.1, OpenID4VCI appendix D.1).

use super::signed::JWT;
use serde_json::Value;
use vidimus_core::{Algorithm, Digest, Provider, Timestamp};
use vidimus_credential::{
    status::{Status, token_list::TokenList},
    x509::{self, Certificate},
};

/// How far ahead a list's clock may be.
const WINDOW: i64 = 60;
/// The longest address of a list.
const MAX_URI: usize = 2_048;

/// Where the status of an attestation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The list's name, which is its address.
    pub uri: String,
    /// The place in it.
    pub index: u64,
}

/// Who may say that an attestation was withdrawn.
#[derive(Debug, Clone, Copy)]
pub struct Signers<'a> {
    /// The fingerprint of the certificate that signed the attestation: its own list.
    pub attester: &'a Digest,
    /// Roots below which attesters are, and whom they certify for status lists.
    pub roots: &'a [Certificate],
    /// Who is trusted with status lists of others, or certifies those who are.
    pub listed: &'a [Certificate],
}

/// Why an attestation does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StandingError {
    /// Its status is none of a kind that is known here.
    #[error("the attestation's status is of an unknown kind")]
    Kind,
    /// The list is another than the one that it names, or has no such place.
    #[error("the attestation's status list is not the one that it names")]
    List,
    /// The list has ended, or is of the future.
    #[error("the attestation's status list does not count now")]
    Time,
    /// Nobody signed the list who may.
    #[error("the attestation's status list is signed by nobody who may say so")]
    Signer,
    /// It was withdrawn.
    #[error("the attestation was withdrawn")]
    Withdrawn,
}

impl Reference {
    /// Reads a `status`: a `status_list` (§6.2). One that is none is refused, since what it says is not known.
    pub fn read(status: &Value) -> Result<Self, StandingError> {
        let list = status.get("status_list").ok_or(StandingError::Kind)?;
        let uri = list.get("uri").and_then(Value::as_str);
        let index = list.get("idx").and_then(Value::as_u64);
        match (uri, index) {
            (Some(uri), Some(index)) if uri.len() <= MAX_URI => Ok(Self {
                uri: uri.to_owned(),
                index,
            }),
            _ => Err(StandingError::Kind),
        }
    }

    /// Holds the list that was fetched against who may sign it, and looks the entry up (§8.3).
    pub fn check(
        &self,
        list: &TokenList,
        signers: Signers<'_>,
        now: Timestamp,
        provider: &dyn Provider,
    ) -> Result<(), StandingError> {
        if list.terms.uri != self.uri {
            return Err(StandingError::List);
        }
        if list.terms.issued_at > now.plus(WINDOW) || list.terms.expires_at.is_some_and(|end| end <= now) {
            return Err(StandingError::Time);
        }
        let signer = signer(list, signers, now, provider).ok_or(StandingError::Signer)?;
        let algorithm = list.signed.header.algorithm;
        let known = matches!(algorithm, Algorithm::Es256 | Algorithm::EdDsa) && signer.public_key.fits(algorithm);
        if !known || list.signed.verify(provider, algorithm, &signer.public_key).is_err() {
            return Err(StandingError::Signer);
        }
        match list.status(self.index) {
            Ok(Status::Valid) => Ok(()),
            Ok(_) => Err(StandingError::Withdrawn),
            Err(_) => Err(StandingError::List),
        }
    }
}

/// The certificate that signed a list, if it may.
fn signer(list: &TokenList, signers: Signers<'_>, now: Timestamp, provider: &dyn Provider) -> Option<Certificate> {
    let chain = &list.signed.header.x5c;
    let leaf = Certificate::from_der(chain.first()?).ok()?;
    if leaf.digital_signature == Some(false) || !leaf.is_valid_at(now) {
        return None;
    }
    let own = leaf.fingerprint(provider) == *signers.attester;
    let listed = signers.listed.iter().any(|one| one.der() == leaf.der());
    let below = |roots: &[Certificate]| x509::leaf_of_path(chain, roots, now, provider).is_ok();
    // An authority certifies others too, whoever trusts it with lists: only whom it names for this.
    let may = own || listed || (leaf.names(JWT) && (below(signers.roots) || below(signers.listed)));
    may.then_some(leaf)
}
