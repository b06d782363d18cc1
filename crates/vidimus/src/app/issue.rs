//! A result becomes a certificate and its copies.
//!
//! Two commits for a request: the *intent* (person, result, certificate, places in the status list, what is to be signed) with its
//! idempotency key, then, after signing, the copies with their sealed payloads and outbox rows. The answer goes out after the second. What a
//! crash leaves between the two is taken up by a retry with the same key, or by `jobs::finish_intents`.

mod input;
mod intents;
mod retry;

use crate::app::{
    App,
    copies::{self, Loaded},
    error::Error,
    keys::place,
    participants,
    principal::Principal,
    render::{self, Subject},
    requests::{CertificateView, NewCopies, Report},
};
use input::{card, formats, known, person_index, person_key, plans, read};
use intents::{as_row, intend, intents};
use retry::{Begun, Retry, begin};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vidimus_core::{
    Digest, Timestamp, Transcript,
    id::{CertificateId, ResultId},
};
use vidimus_credential::{CategoryId, Person};
use vidimus_store::{Scope, audit, certificates, persons, results, status};

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
}

impl Issuer {
    /// The caller, if it is admitted and in good standing. `category` is asked for where it is known.
    pub fn of(app: &App, caller: &Principal, category: Option<&CategoryId>) -> Result<Self, Error> {
        let issuer = Self {
            row: caller.row.as_ref().clone(),
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
    let mut intake = read(app, &issuer, &report, now)?;
    // Again, now that the category is known: what is granted is part of what is asked.
    issuer.require(app, Some(&intake.category))?;
    let category = render::category(&app.categories, &intake.category)?;
    if category.schema().pointer("/properties/issuer_name").is_some() {
        // Who issues is not the reporter's to say.
        intake
            .claims
            .insert("issuer_name".to_owned(), Value::String(issuer.row.name.clone()));
    }
    let validity = category.validity(&intake.claims, now).map_err(|error| {
        Error::invalid(
            "validity",
            format!("no validity can be computed: {error}"),
            "mend the times in the result",
        )
    })?;
    if validity.until <= now {
        return Err(Error::invalid(
            "expired-already",
            format!("a certificate of this result would have expired on {}", validity.until),
            "report a more recent result",
        ));
    }
    let person = person_index(
        app,
        &issuer,
        report.document.as_ref().or(intake.document.as_ref()),
        &report,
        &intake,
    )?;
    let card = card(app, report.card.as_deref(), now)?;
    let formats = formats(category, &report.formats, card.is_some())?;
    let (kept, keys) = known(app, &issuer, &person).await?;
    let plans = plans(
        &keys,
        &formats,
        report.algorithm.as_deref(),
        report.envelope.as_deref(),
        card.as_ref(),
        now,
    )?;
    keys.require_settled(app, &issuer.row, &plans).await?;

    let (result, certificate) = (
        ResultId::generate(&mut *app.entropy()),
        CertificateId::generate(&mut *app.entropy()),
    );
    let kind = Digest(
        app.keys
            .person_index(Transcript::new("vidimus/kind/v1").field(category.kind(&intake.claims).as_bytes())),
    );
    let (data_key, wrapped) = person_key(app, &person, kept)?;
    let body = Body {
        person: intake.person.clone(),
        claims: intake.claims.clone(),
    };
    let plain = serde_json::to_vec(&body).map_err(|_| Error::Internal("a result does not serialise"))?;
    let sealed = data_key.seal(
        &place("results", result.as_bytes(), "body"),
        &plain,
        &mut *app.entropy(),
    );
    let result_row = results::ResultRecord {
        id: result,
        participant: issuer.row.id,
        person,
        category: intake.category.to_string(),
        uniqueness: kind,
        nonce: None,
        body: Some(sealed),
        state: results::State::Live,
        created: now,
    };
    let certificate_row = certificates::Certificate {
        id: certificate,
        participant: issuer.row.id,
        result,
        person,
        category: intake.category.to_string(),
        uniqueness: kind,
        state: certificates::State::Valid,
        reason: None,
        replaced_by: None,
        valid_from: validity.from,
        valid_until: validity.until,
        created: now,
        updated: now,
    };
    let intents = intents(app, certificate, issuer.row.id, &plans, &data_key, now)?;
    let replace = report.replace;
    let scope = Scope::authenticated(issuer.row.id);
    let entry = app.audit_entry(Some(caller.participant), "report", certificate.as_bytes());
    let begun = {
        let (retry, wrapped, certificate_row) = (retry.clone(), wrapped.clone(), certificate_row.clone());
        app.store
            .write(move |tx| {
                if let Some(begin) = begin(tx, issuer_id(&scope), retry.as_ref(), certificate, now)? {
                    return Ok(begin);
                }
                let kept = persons::ensure(tx, &person, &wrapped, now)?;
                if kept
                    .data_key
                    .as_ref()
                    .is_none_or(|kept| kept.ciphertext != wrapped.ciphertext)
                {
                    // Somebody else has just recorded this person: their data key is the one that counts.
                    return Err(Error::conflict(
                        "busy",
                        "another result about this person is being reported",
                        "try again",
                    ));
                }
                make_room(tx, &result_row, certificate, replace, now)?;
                results::insert(tx, &scope, &result_row).map_err(doubled)?;
                certificates::insert(tx, &scope, &certificate_row).map_err(doubled)?;
                let intents = intend(tx, &scope, &intents)?;
                audit::append(tx, &entry)?;
                Ok::<_, Error>(Begun::New(intents))
            })
            .await?
    };
    let certificate = match begun {
        Begun::New(intents) => {
            let subject = Subject {
                category: intake.category,
                issuer: issuer.row.did.clone(),
                country: issuer.row.country.clone(),
                person: body.person,
                claims: body.claims,
                valid_from: validity.from,
                valid_until: validity.until,
            };
            let own = issuer.row.custody == vidimus_store::participants::Custody::Own;
            let copies: Vec<_> = intents.into_iter().map(as_row).collect();
            let planned: Vec<_> = copies.iter().cloned().zip(plans).collect();
            let loaded = Loaded {
                certificate: certificate_row,
                issuer: issuer.row,
                subject,
                data_key,
                copies,
            };
            let signed = copies::sign(app, &loaded, &planned, retry.map(|retry| retry.key)).await?;
            if !own && !report.wait && signed.len() == loaded.copies.len() {
                return Ok(copies::issued_view(app, loaded, &signed));
            }
            certificate
        }
        Begun::Resumed(begun) => {
            copies::sign_all(app, begun, retry.map(|retry| retry.key)).await?;
            begun
        }
        Begun::Done(done) => done,
    };
    if report.wait {
        copies::await_anchors(app, certificate).await?;
    }
    copies::view(app, &scope, certificate).await
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
    let scope = Scope::authenticated(caller.participant);
    let found = app
        .store
        .read(move |tx| certificates::find_by_result(tx, &scope, result))
        .await?;
    let found = found.ok_or(Error::NotFound("result"))?;
    if found.state != certificates::State::Valid || found.valid_until <= now {
        return Err(not_valid());
    }
    let category_id = CategoryId::new(found.category.as_str()).map_err(|_| Error::Internal("a kept category"))?;
    let issuer = Issuer::of(app, caller, Some(&category_id))?;
    let category = render::category(&app.categories, &category_id)?;
    let card = card(app, new.card.as_deref(), now)?;
    let formats = formats(category, &new.formats, card.is_some())?;
    let keys = copies::issuer_keys(app, &issuer.row).await?;
    let plans = plans(
        &keys,
        &formats,
        new.algorithm.as_deref(),
        new.envelope.as_deref(),
        card.as_ref(),
        now,
    )?;
    keys.require_settled(app, &issuer.row, &plans).await?;
    let data_key = copies::data_key(app, &found.person).await?;
    let intents = intents(app, found.id, issuer.row.id, &plans, &data_key, now)?;
    let certificate = found.id;
    let entry = app.audit_entry(Some(caller.participant), "add-copies", certificate.as_bytes());
    let begun = {
        let retry = retry.clone();
        app.store
            .write(move |tx| {
                if let Some(begin) = begin(tx, issuer_id(&scope), retry.as_ref(), certificate, now)? {
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
        copies::sign_all(app, certificate, retry.map(|retry| retry.key)).await?;
    }
    copies::view(app, &scope, certificate).await
}

fn issuer_id(scope: &Scope) -> vidimus_core::id::ParticipantId {
    scope.participant().expect("an issuer's scope is its own")
}

/// Ends what would be doubled: a certificate that has expired, or one that the request replaces.
fn make_room(
    tx: &mut vidimus_store::Tx<'_>,
    new: &results::ResultRecord,
    by: CertificateId,
    replace: bool,
    now: Timestamp,
) -> Result<(), Error> {
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

fn not_valid() -> Error {
    Error::conflict(
        "not-valid",
        "this certificate is not valid any more",
        "report a new result",
    )
}
