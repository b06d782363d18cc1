//! What is under way with issuers: issuances that wait, and what new copies can be had with.

use crate::Wallet;
use serde::{Deserialize, Serialize};
use vidimus_core::Timestamp;
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

/// An issuance that is not done: the certificate is still to come, or the browser is out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Where it stands.
    pub issuance: Box<Issuance>,
    /// Since when.
    pub since: Timestamp,
    /// The Credential Issuer Identifier.
    pub issuer: String,
    /// The keys that were proved for it.
    pub keys: Vec<crate::PrivateKey>,
}

impl Wallet {
    /// What new copies can be had with.
    pub fn renewals(&self) -> &[Renewal] {
        &self.renewals
    }

    /// Keeps what new copies can be had with; it takes the place of what was had for the same issuer and one of the same configurations.
    pub fn renew_by(&mut self, renewal: Renewal) {
        self.renewals.retain(|known| {
            let same = known.session.issuer == renewal.session.issuer;
            !(same
                && known
                    .configurations
                    .iter()
                    .any(|one| renewal.configurations.contains(one)))
        });
        self.renewals.push(renewal);
    }

    /// Forgets it, where the issuer takes it no more.
    pub fn forget_renewal(&mut self, place: usize) {
        if place < self.renewals.len() {
            self.renewals.remove(place);
        }
    }

    /// Issuances that are not done.
    pub fn pending(&self) -> &[Pending] {
        &self.pending
    }

    /// Ends one that is done, or that comes to nothing: the oldest that began with the same keys.
    pub fn end_pending(&mut self, done: &Pending) {
        let same = |one: &Pending| {
            one.issuer == done.issuer
                && one.since == done.since
                && one
                    .keys
                    .iter()
                    .map(|key| key.expose())
                    .eq(done.keys.iter().map(|key| key.expose()))
        };
        if let Some(place) = self.pending.iter().position(same) {
            self.pending.remove(place);
        }
    }

    /// Keeps one for later.
    pub fn wait(&mut self, pending: Pending) {
        self.pending.push(pending);
    }
}
