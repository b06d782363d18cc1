//! A result becomes a certificate and its copies.
//!
//! Two commits for a request: the *intent* (person, result, certificate, places in the status list, what is to be signed) with its
//! idempotency key, then, after signing, the copies with their sealed payloads and outbox rows. The answer goes out after the second. What a
//! crash leaves between the two is taken up by a retry with the same key, or by `jobs::finish_intents`.

mod first;
mod input;
mod intents;
mod reported;
mod retry;
mod wallet;
mod wanted;

use crate::app::{
    App,
    channel::{self, Contact},
    copies,
    error::Error,
    participants,
    principal::Principal,
    push,
    requests::{CertificateView, NewCopies, Report},
    wallets::again,
};
use first::First;
pub use input::index_of;
use input::{known, person_key};
use intents::{intend, intents};
use reported::Reported;
use retry::{Begun, Retry, begin};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vidimus_core::id::{OfferId, ResultId};
use vidimus_credential::{CategoryId, Person};
use vidimus_store::{Scope, audit, certificates, participants::Custody};
pub use wallet::{ForWallet, for_wallet, to_be_signed};
use wanted::{Terms, Wanted};

/// What is kept of a result, under the person's data key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Body {
    /// Whom it is about.
    pub person: Person,
    /// What it says.
    pub claims: Map<String, Value>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Body(…)")
    }
}

/// The issuer on whose behalf a request runs, allowed to issue now.
#[derive(Debug)]
pub struct Issuer {
    /// Its row.
    pub row: vidimus_store::participants::Participant,
    /// Its rows.
    scope: Scope,
}

impl Issuer {
    /// The caller, if it is admitted and in good standing. `category` is asked for where it is known.
    pub fn of(app: &App, caller: &Principal, category: Option<&CategoryId>) -> Result<Self, Error> {
        let issuer = Self {
            row: caller.row.as_ref().clone(),
            scope: caller.scope(),
        };
        issuer.require(app, category)?;
        Ok(issuer)
    }

    /// Whether it is admitted and in good standing now, for the category where one is named.
    fn require(&self, app: &App, category: Option<&CategoryId>) -> Result<(), Error> {
        let registries = app.registries();
        let entry = participants::in_good_standing(&registries.issuers, &self.row)?;
        if let Some(category) = category
            && !entry.admitted_for(category.as_str(), app.now())
        {
            return Err(Error::forbidden(
                "category-not-granted",
                format!("you are not admitted for the category `{category}`"),
                "ask the authority to grant it",
            ));
        }
        Ok(())
    }
}

/// Reports a result, and issues its copies where that can be done now.
pub async fn report(
    app: &App,
    caller: &Principal,
    report: Report,
    key: Option<&str>,
) -> Result<CertificateView, Error> {
    let now = app.now();
    let retry = Retry::new(app, key, "report", &[], &report)?;
    let issuer = Issuer::of(app, caller, None)?;
    let reported = Reported::read(app, issuer, &report, now)?;
    let wanted = Wanted::read(app, Terms::from(&report), &reported.category, now)?;
    let (kept, keys) = known(app, &reported.issuer, &reported.person).await?;
    let plans = wanted.plans(app, &reported.issuer, &keys, now).await?;
    let subject = reported.subject();
    copies::require_renderable(app, &subject, &plans).await?;
    let (data_key, wrapped) = person_key(app, &reported.person, kept)?;
    let (result, certificate) = reported.rows(app, &data_key)?;
    let (new, issuer) = (certificate.id, certificate.participant);
    let contact = match &report.contact {
        Some(contact) => {
            channel::reaches(app, caller, &Contact::parse(&contact.to)?).await?;
            Some(again::sealed(app, issuer, &data_key, result.id, contact)?)
        }
        None => None,
    };
    let first = First {
        intents: intents(app, new, issuer, &plans, &data_key, now)?,
        result,
        certificate: certificate.clone(),
        wrapped,
        contact,
        offer: offer(&report)?,
        notice: push::notice(app),
        replace: report.replace,
    };
    let scope = caller.scope();
    let entry = app.audit_entry(Some(caller.participant), "report", new.as_bytes());
    let begun = {
        let retry = retry.clone();
        app.store
            .write(move |tx| {
                if let Some(begun) = begin(tx, issuer, retry.as_ref(), new, now)? {
                    return Ok(begun);
                }
                let intents = first.record(tx, &scope)?;
                audit::append(tx, &entry)?;
                Ok::<_, Error>(Begun::New(intents))
            })
            .await?
    };
    let key = retry.map(|retry| retry.key);
    let certificate = match begun {
        Begun::New(intents) => {
            let loaded = reported.loaded(certificate, subject, data_key, intents);
            let planned: Vec<_> = loaded.copies.iter().cloned().zip(plans).collect();
            let signed = copies::sign(app, scope, &loaded, &planned, key).await?;
            let is_whole = loaded.issuer.custody != Custody::Own && signed.len() == loaded.copies.len();
            if is_whole && !report.wait {
                return Ok(copies::issued_view(app, loaded, &signed));
            }
            new
        }
        Begun::Resumed(begun) => {
            copies::sign_all(app, scope, begun, key).await?;
            begun
        }
        Begun::Done(done) => done,
    };
    if report.wait {
        copies::await_anchors(app, &scope, certificate).await?;
    }
    copies::view(app, &scope, certificate).await
}

/// The offer that a report names.
fn offer(report: &Report) -> Result<Option<OfferId>, Error> {
    let read = |text: &String| {
        text.parse().map_err(|_| {
            Error::invalid(
                "offer",
                "/offer: not the id of an offer",
                "copy the id that the offer was answered with",
            )
        })
    };
    report.offer.as_ref().map(read).transpose()
}

/// More copies of a certificate, for other keys or for paper.
pub async fn add_copies(
    app: &App,
    caller: &Principal,
    result: ResultId,
    new: NewCopies,
    key: Option<&str>,
) -> Result<CertificateView, Error> {
    let now = app.now();
    let retry = Retry::new(app, key, "add-copies", result.as_bytes(), &new)?;
    let scope = caller.scope();
    let found = app
        .store
        .get(move |tx| certificates::find_by_result(tx, &scope, result))
        .await?;
    let found = found.ok_or(Error::NotFound("result"))?;
    if found.state != certificates::State::Valid || found.valid_until <= now {
        return Err(not_valid());
    }
    let category = CategoryId::new(found.category.as_str()).map_err(|_| Error::Internal("a kept category"))?;
    let issuer = Issuer::of(app, caller, Some(&category))?;
    let wanted = Wanted::read(app, Terms::from(&new), &category, now)?;
    let keys = copies::issuer_keys(app, scope, &issuer.row).await?;
    let plans = wanted.plans(app, &issuer, &keys, now).await?;
    let (certificate, participant) = (found.id, issuer.row.id);
    let loaded = copies::load(app, scope, certificate).await?;
    copies::require_renderable(app, &loaded.subject, &plans).await?;
    let intents = intents(app, certificate, participant, &plans, &loaded.data_key, now)?;
    let entry = app.audit_entry(Some(caller.participant), "add-copies", certificate.as_bytes());
    let begun = {
        let retry = retry.clone();
        app.store
            .write(move |tx| {
                if let Some(begin) = begin(tx, participant, retry.as_ref(), certificate, now)? {
                    return Ok(begin);
                }
                // Takes the certificate's row, so that a revocation comes either before, and is seen here, or after, and sees these copies.
                let valid = certificates::State::Valid;
                if !certificates::set_state(tx, &scope, certificate, valid, valid, None, now)? {
                    return Err(not_valid());
                }
                let intents = intend(tx, &scope, &intents)?;
                audit::append(tx, &entry)?;
                Ok::<_, Error>(Begun::New(intents))
            })
            .await?
    };
    if !matches!(begun, Begun::Done(_)) {
        copies::sign_all(app, scope, certificate, retry.map(|retry| retry.key)).await?;
    }
    copies::view(app, &scope, certificate).await
}

fn not_valid() -> Error {
    Error::conflict(
        "not-valid",
        "this certificate is not valid any more",
        "report a new result",
    )
}
