//! What is under way with issuers: issuances that are not done, and what new copies can be had with.

use crate::{PrivateKey, Wallet, WalletError};
use serde::{Deserialize, Serialize};
use vidimus_core::{Digest, Timestamp};
use vidimus_openid4vc::vci::wallet::{Issuance, Session};

/// What new copies of a certificate can be had with. Whoever has it, and the wallet's seed, can have them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// The session with the issuer.
    pub session: Session,
    /// The credential configurations that it is for.
    pub configurations: Vec<String>,
}

/// An issuance that is not done: the certificate is still to come, or a connection broke. It is kept before each message, so that the message can be sent
/// again and nothing that counts once is lost.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Its number, as long as it is kept.
    #[serde(default)]
    pub id: u32,
    /// Where it stands.
    pub issuance: Box<Issuance>,
    /// Since when.
    pub since: Timestamp,
    /// The Credential Issuer Identifier.
    pub issuer: String,
    /// SHA-256 of the offer's link: who opens it again goes on here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Digest>,
    /// The keys that were proved for it.
    pub keys: Vec<PrivateKey>,
    /// The configurations that its tokens gave copies of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configurations: Vec<String>,
    /// Those that copies are wanted of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<String>,
    /// Whether the wallet authenticates with an attestation.
    #[serde(default)]
    pub attested: bool,
    /// Whether the person insists on HAIP 1.0.
    #[serde(default)]
    pub haip: bool,
}

impl Pending {
    /// Whether copies of this configuration may still come of it.
    pub fn is_for(&self, configuration: &str) -> bool {
        let mut all = self.configurations.iter().chain(&self.wanted);
        all.any(|id| id == configuration)
    }

    /// Whether what the issuer gave is there, and only waits until its signature can be verified.
    pub fn is_unverified(&self) -> bool {
        self.issuance.has_received()
    }
}

impl Wallet {
    /// What new copies can be had with.
    pub fn renewals(&self) -> &[Renewal] {
        &self.renewals
    }

    /// Keeps what new copies can be had with; it takes the place of what the same configurations of the same issuer were had with.
    pub fn renew_by(&mut self, renewal: Renewal) {
        for known in &mut self.renewals {
            if known.session.issuer == renewal.session.issuer {
                known.configurations.retain(|id| !renewal.configurations.contains(id));
            }
        }
        self.renewals.push(renewal);
        self.renewals.retain(|known| !known.configurations.is_empty());
    }

    /// Keeps what copies can be had with that nothing came of yet, beside what is known.
    pub fn keep_renewal(&mut self, renewal: Renewal) {
        self.renewals.push(renewal);
    }

    /// Forgets it, where the issuer takes it no more, or something else takes its place.
    pub fn forget_session(&mut self, session: &Session) {
        self.renewals.retain(|known| known.session != *session);
    }

    /// Issuances that are not done.
    pub fn pending(&self) -> &[Pending] {
        &self.pending
    }

    /// The one that began with this offer.
    pub fn pending_of(&self, offer: &Digest) -> Option<&Pending> {
        self.pending.iter().find(|one| one.offer.as_ref() == Some(offer))
    }

    /// A number that none has.
    pub fn next_pending(&self) -> u32 {
        self.pending.iter().map(|one| one.id + 1).max().unwrap_or(1)
    }

    /// Keeps where one stands now, in the place of where it stood.
    pub fn keep_pending(&mut self, pending: Pending) {
        match self.pending.iter_mut().find(|one| one.id == pending.id) {
            Some(known) => *known = pending,
            None => self.pending.push(pending),
        }
    }

    /// Gives one up: what the issuer gave and could not be verified, and what it could be had with where nothing came of that.
    pub fn give_up(&mut self, id: u32) -> Result<Pending, WalletError> {
        let at = self.pending.iter().position(|one| one.id == id);
        let given_up = self.pending.remove(at.ok_or(WalletError::NoSuchPending(id))?);
        if let Some(session) = given_up.issuance.session()
            && given_up.configurations.is_empty()
        {
            self.forget_session(session);
        }
        Ok(given_up)
    }

    /// Ends one that is done, or that comes to nothing.
    pub fn end_pending(&mut self, id: u32) {
        self.pending.retain(|one| one.id != id);
    }
}
