//! The first commit of a report: the person, the result, its certificate, and the copies that are meant to be.

use super::intents::{Planned, intend};
use crate::app::{error::Error, push, wallets::push_owner};
use vidimus_core::{
    Timestamp,
    id::{CertificateId, OfferId},
};
use vidimus_store::{
    Scope, Tx, Wrapped, certificates, claims, contacts, copies,
    events::{self, Event},
    offers, persons, results, status,
};

/// All that it records.
pub(super) struct First {
    pub(super) result: results::ResultRecord,
    pub(super) certificate: certificates::Certificate,
    /// The person's data key.
    pub(super) wrapped: Wrapped,
    pub(super) intents: Vec<Planned>,
    /// Where the person is reached, to claim again.
    pub(super) contact: Option<contacts::Contact>,
    /// The offer that waited for it.
    pub(super) offer: Option<OfferId>,
    /// Wakes the wallets that wait with it.
    pub(super) notice: push::Notice,
    /// Whether it may take the place of a valid certificate of the same issuer.
    pub(super) replace: bool,
}

impl First {
    /// Records it, and gives the intents with the places in the status list that they got.
    pub(super) fn record(&self, tx: &mut Tx<'_>, scope: &Scope) -> Result<Vec<copies::Intent>, Error> {
        let (result, certificate, now) = (&self.result, &self.certificate, self.result.created);
        let kept = persons::ensure(tx, &result.person, &self.wrapped, now)?;
        if kept
            .data_key
            .as_ref()
            .is_none_or(|kept| kept.ciphertext != self.wrapped.ciphertext)
        {
            // Somebody else has just recorded this person: their data key is the one that counts.
            return Err(Error::conflict(
                "busy",
                "another result about this person is being reported",
                "try again",
            ));
        }
        make_room(tx, result, certificate.id, self.replace, now)?;
        results::insert(tx, scope, result).map_err(doubled)?;
        certificates::insert(tx, scope, certificate).map_err(doubled)?;
        if let Some(contact) = &self.contact {
            contacts::set(tx, result.id, contact)?;
        }
        if let Some(offer) = self.offer {
            if !offers::settle(tx, scope, offer, result.id, &result.category)? {
                return Err(Error::conflict(
                    "offer-result",
                    "/offer: no offer of yours that waits for a result of this category",
                    "name an offer that was made for the category, or none",
                ));
            }
            for (claim, grant) in claims::waiting_for(tx, offer)? {
                let event = Event::once(
                    result.participant,
                    events::Kind::CredentialReady,
                    *claim.as_bytes(),
                    now,
                );
                events::append(tx, &event)?;
                push::notify(tx, &push_owner(grant), &self.notice)?;
            }
        }
        intend(tx, scope, &self.intents)
    }
}

/// Ends what would be doubled: a certificate that has expired, or one that the request replaces.
fn make_room(
    tx: &mut Tx<'_>,
    new: &results::ResultRecord,
    by: CertificateId,
    replace: bool,
    now: Timestamp,
) -> Result<(), Error> {
    // Whoever issued the one before: nothing of it is told but that it is there.
    let system = Scope::system();
    let Some(live) = results::find_live(tx, &system, &new.person, &new.category, &new.uniqueness)? else {
        return Ok(());
    };
    let before = certificates::find_by_result(tx, &system, live.id)?;
    let expired = before.as_ref().is_none_or(|before| before.valid_until <= now);
    let own = live.participant == new.participant;
    let may_go = expired || (replace && own);
    if !may_go {
        return Err(Error::conflict(
            "already-certified",
            "this person has a valid certificate of this kind",
            if own {
                "send `replace: true` to have the new one take its place, or revoke it first"
            } else {
                "it was issued by somebody else: only its issuer or its expiry can make room"
            },
        ));
    }
    results::end(tx, &system, live.id, results::State::Replaced)?;
    if let Some(before) = before {
        certificates::replace(tx, &system, before.id, by, now)?;
        if !expired {
            status::set_of_certificate(tx, before.id, status::REVOKED, Some("superseded"), now)?;
        }
    }
    Ok(())
}

fn doubled(error: vidimus_store::Error) -> Error {
    match error.constraint() {
        Some("results_live" | "certificates_live") => Error::conflict(
            "already-certified",
            "this person has a valid certificate of this kind",
            "send `replace: true` to have the new one take its place, or revoke it first",
        ),
        _ => error.into(),
    }
}
