//! Claiming again without the laboratory (`docs/decisions/0015-claiming-again.md`): who lost a wallet proves on the authorization page who they are,
//! and gets other copies of the certificates that are theirs.
//!
//! The proof is a code that is sent where the laboratory recorded that the person is reached, asked for with the date of birth. Whether that
//! is known here is told by nothing: the page answers the same, and a job looks it up afterwards.

use super::{
    Configuration, Site,
    authorize::{self, Answering, Notice, Shown, Step},
    identity,
    offers::{TX_CODE_TRIES, digits},
    token::pushed,
    views::SendCode,
};
use crate::app::{
    App,
    channel::{self, Code, Contact},
    error::Error,
    issue::Body,
    keys::place,
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use vidimus_core::{
    Digest, Secret, Timestamp,
    id::{AuthorizationId, ParticipantId, ResultId},
};
use vidimus_crypto::DataKey;
use vidimus_openid4vc::oauth::{ErrorCode, Form};
use vidimus_store::{
    Scope, Tx, audit,
    authorizations::{self, Authorization, State},
    certificates,
    contacts::{self, Contact as Kept},
    grants, limits,
    persons::{self, PersonIndex},
    results, status,
};
use zeroize::Zeroize;

/// Codes that are asked for with one contact in a day, at one issuer. With the tries of each that bounds how often one is guessed.
const ASKED: u64 = 5;
const DAY: i64 = 86_400;
/// Digits of a code.
const DIGITS: u32 = 8;
/// Authorizations that one look takes.
const BATCH: u32 = 100;
/// Why copies of a lost wallet do not count any more.
const LOST: &str = "wallet-lost";

const TOO_OFTEN: &str = "As many codes were asked for with this address today as may be. Try again tomorrow, or ask who issued your certificate.";

/// What a person says of who they are, until it was looked up.
#[derive(Serialize, Deserialize)]
struct Said {
    contact: String,
    birth_date: String,
}

impl Drop for Said {
    fn drop(&mut self) {
        self.contact.zeroize();
        self.birth_date.zeroize();
    }
}

fn said_at(id: AuthorizationId) -> vidimus_core::Transcript {
    place("authorizations", id.as_bytes(), "proof")
}

/// The hash by which results are found that an issuer recorded with a contact. Another issuer's is another.
fn hash(app: &App, issuer: ParticipantId, contact: &Contact) -> Digest {
    let mut message = issuer.as_bytes().to_vec();
    message.extend_from_slice(contact.as_text().to_ascii_lowercase().as_bytes());
    Digest(app.keys.credential_hash("claim-contact", &message))
}

fn keyed(app: &App, id: AuthorizationId, code: &str) -> [u8; 32] {
    let mut message = id.as_bytes().to_vec();
    message.extend_from_slice(code.as_bytes());
    app.keys.credential_hash("claim-code", &message)
}

/// A contact as it is kept with its result: under the person's data key, so that it goes with it.
pub fn sealed(
    app: &App,
    issuer: ParticipantId,
    data_key: &DataKey,
    result: ResultId,
    contact: &SendCode,
) -> Result<Kept, Error> {
    let parsed = Contact::parse(&contact.to)?;
    let plain = serde_json::to_vec(contact).map(Secret::new);
    let plain = plain.map_err(|_| Error::Internal("a contact does not serialise"))?;
    let place = place("contacts", result.as_bytes(), "contact");
    Ok(Kept {
        sealed: data_key.seal(&place, plain.expose(), &mut *app.entropy()),
        hash: hash(app, issuer, &parsed),
    })
}

/// The same for a result that is there.
pub async fn sealed_for(app: &App, scope: Scope, result: ResultId, contact: &SendCode) -> Result<Kept, Error> {
    let found = app
        .store
        .read(move |tx| {
            let Some(result) = results::find(tx, &scope, result)? else {
                return Ok(None);
            };
            let person = persons::find(tx, &result.person)?;
            Ok::<_, vidimus_store::Error>(person.map(|person| (result.participant, person)))
        })
        .await?;
    let (issuer, person) = found.ok_or(Error::NotFound("result"))?;
    let wrapped = person.data_key.ok_or(Error::NotFound("result"))?;
    let data_key = app.keys.person_key(&person.person.0, &wrapped)?;
    sealed(app, issuer, &data_key, result, contact)
}

/// Whether anybody could be sent a code by this issuer. That is about the issuer, and may be told.
pub async fn is_possible(app: &App, site: &Site) -> Result<bool, Error> {
    channel::is_there(app, site.scope(), site.issuer.id).await
}

/// What the page asks for, for who has no offer.
pub async fn step(app: &App, site: &Site, state: State) -> Result<Step, Error> {
    if state == State::Asked {
        return Ok(Step::Code);
    }
    let by_code = app.config.identity.is_none() || is_possible(app, site).await?;
    Ok(if by_code { Step::Contact } else { Step::Service })
}

/// What the person does on the page: says who they are, then gives the code.
pub async fn answer(answering: &Answering<'_>, form: &Form) -> Result<Shown, Error> {
    if let Some(service) = &answering.app.config.identity {
        if form.get("identity").is_some() {
            return Ok(identity::leave(answering, service));
        }
        if let Some(code) = form.get("identity_code") {
            return identity::answer(answering, service, code, form.get("lost").is_some()).await;
        }
    }
    match answering.authorization.state {
        State::Shown => say(answering, form).await,
        _ => prove(answering, form).await,
    }
}

/// A date as documents have it, the day or month left out where they do not.
fn is_date(text: &str) -> bool {
    matches!(text.len(), 4 | 7 | 10)
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

async fn say(answering: &Answering<'_>, form: &Form) -> Result<Shown, Error> {
    let Answering {
        app,
        site,
        authorization,
        ..
    } = *answering;
    let contact = Contact::parse(form.get("contact").unwrap_or_default().trim());
    let birth_date = form.get("birth_date").unwrap_or_default().trim();
    let Some(contact) = contact.ok().filter(|_| is_date(birth_date)) else {
        return Ok(answering.tell(Step::Contact, Notice::Wrong));
    };
    let (id, now) = (authorization.id, app.now());
    let said = Said {
        contact: contact.as_text(),
        birth_date: birth_date.to_owned(),
    };
    let plain = serde_json::to_vec(&said).map(Secret::new);
    let plain = plain.map_err(|_| Error::Internal("what was said does not serialise"))?;
    let sealed = app.keys.seal(&said_at(id), plain.expose(), &mut *app.entropy());
    let hash = hash(app, site.issuer.id, &contact);
    let asked = app
        .store
        .write(move |tx| {
            // Counted whether it is known or not.
            if limits::hit(tx, "claim-again", &hash.0, DAY, now)? > ASKED {
                authorizations::refuse(tx, id)?;
                return Ok(false);
            }
            authorizations::ask(tx, id, &sealed, &hash)?;
            Ok::<_, Error>(true)
        })
        .await?;
    if !asked {
        return Ok(Shown::Over(TOO_OFTEN));
    }
    app.wake.proofs.notify_one();
    Ok(answering.ask(Step::Code))
}

async fn prove(answering: &Answering<'_>, form: &Form) -> Result<Shown, Error> {
    let Answering { app, authorization, .. } = *answering;
    let given = keyed(app, authorization.id, &authorize::digits_of(form));
    let right = authorization.proof_code.is_some_and(|code| code.ct_eq(&given).into());
    match authorization.person {
        Some(person) if right => {
            let proved = Proved {
                person,
                contact: authorization.contact,
            };
            grant(answering, proved, form.get("lost").is_some()).await
        }
        _ => {
            let id = authorization.id;
            let count = app
                .store
                .write(move |tx| authorizations::miss(tx, id, TX_CODE_TRIES))
                .await?;
            match count {
                Some(count) if count < TX_CODE_TRIES => Ok(answering.tell(Step::Code, Notice::Wrong)),
                _ => answering.refused(ErrorCode::AccessDenied).await,
            }
        }
    }
}

/// Who somebody proved to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proved {
    /// The person.
    pub(super) person: PersonIndex,
    /// By which address: then it is about what was recorded with it.
    pub(super) contact: Option<Digest>,
}

/// The wallet gets its code. `lost`: what another wallet of theirs holds of this does not count any more.
pub(super) async fn grant(answering: &Answering<'_>, proved: Proved, lost: bool) -> Result<Shown, Error> {
    let Answering {
        app,
        site,
        authorization,
        kept,
    } = *answering;
    let (code, hash) = answering.code();
    let Proved { person, contact } = proved;
    let (id, now) = (authorization.id, app.now());
    let (issuer, scope) = (site.issuer.id, site.scope());
    let categories = categories(app, site, &kept.configurations);
    let entry = app.audit_entry(Some(issuer), "prove-person", id.as_bytes());
    let ended = app.audit_entry(Some(issuer), "end-lost-wallet", id.as_bytes());
    let granted = app
        .store
        .write(move |tx| {
            let until = now.plus(authorize::CODE_SECONDS);
            if !authorizations::grant_to(tx, id, &person, contact.as_ref(), &hash, until)? {
                return Ok(false);
            }
            audit::append(tx, &entry)?;
            if lost {
                end_lost(tx, &scope, issuer, &person, contact.as_ref(), &categories, now)?;
                audit::append(tx, &ended)?;
            }
            Ok::<_, Error>(true)
        })
        .await?;
    if granted {
        Ok(answering.granted(code))
    } else {
        answering.refused(ErrorCode::AccessDenied).await
    }
}

/// The first of these persons, each with a date of birth, who was reported with that date and has something valid of this issuer among what is asked for.
pub(super) async fn with_valid(
    answering: &Answering<'_>,
    persons: Vec<(PersonIndex, String)>,
) -> Result<Option<PersonIndex>, Error> {
    let Answering { app, site, kept, .. } = *answering;
    let (scope, now) = (site.scope(), app.now());
    let wanted = categories(app, site, &kept.configurations);
    let found = app.store.read(move |tx| {
        let mut found = Vec::new();
        for (person, born) in &persons {
            let Some(wrapped) = persons::find(tx, person)?.and_then(|person| person.data_key) else {
                continue;
            };
            for category in &wanted {
                for result in results::list_live(tx, &scope, person, category, None)? {
                    if has_valid(tx, &scope, &result, now)? {
                        found.push((result, wrapped.clone(), born.clone()));
                    }
                }
            }
        }
        Ok::<_, vidimus_store::Error>(found)
    });
    for (result, wrapped, born) in found.await? {
        let data_key = app.keys.person_key(&result.person.0, &wrapped)?;
        if is_born(&data_key, &result, &born)? {
            return Ok(Some(result.person));
        }
    }
    Ok(None)
}

fn has_valid(
    tx: &mut Tx<'_>,
    scope: &Scope,
    result: &results::ResultRecord,
    now: Timestamp,
) -> Result<bool, vidimus_store::Error> {
    let certificate = certificates::find_by_result(tx, scope, result.id)?;
    Ok(certificate
        .is_some_and(|certificate| certificate.state == certificates::State::Valid && certificate.valid_until > now))
}

/// Whether a result was reported of somebody with this date of birth.
fn is_born(data_key: &DataKey, result: &results::ResultRecord, date: &str) -> Result<bool, Error> {
    let Some(sealed) = &result.body else { return Ok(false) };
    let plain = data_key.open(&place("results", result.id.as_bytes(), "body"), sealed)?;
    let body: Body =
        serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a kept result does not read"))?;
    Ok(!body.person.birth_date.is_empty() && body.person.birth_date == date)
}

/// Ends what a lost wallet holds of these categories: its copies, and the tokens that would get it others. The certificates stay.
fn end_lost(
    tx: &mut Tx<'_>,
    scope: &Scope,
    issuer: ParticipantId,
    person: &PersonIndex,
    contact: Option<&Digest>,
    categories: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    for category in categories {
        // A wallet may hold copies of each, whichever of them it would be given now.
        for result in results::list_live(tx, scope, person, category, contact)? {
            grants::end_of_result(tx, issuer, result.id, person)?;
            if let Some(certificate) = certificates::find_by_result(tx, scope, result.id)? {
                status::revoke_held(tx, certificate.id, LOST, now)?;
            }
        }
    }
    Ok(())
}

fn categories(app: &App, site: &Site, configurations: &[String]) -> Vec<String> {
    let known = site.configurations(app);
    let mut categories: Vec<String> = configurations
        .iter()
        .filter_map(|id| Some(Configuration::find(id, &known)?.category.to_string()))
        .collect();
    categories.sort_unstable();
    categories.dedup();
    categories
}

/// Looks up who was meant, and sends them a code: a job, so that nothing of it is in the time that the page takes.
pub async fn send_codes(app: &App) -> Result<(), Error> {
    loop {
        let now = app.now();
        let rows = app
            .store
            .read(move |tx| authorizations::unproved(tx, now, BATCH))
            .await?;
        let whole = rows.len() == BATCH as usize;
        for (row, said) in rows {
            if let Err(error) = send_code(app, &row, &said).await {
                // One that cannot be served must not keep the others.
                tracing::warn!(error = %crate::causes::with_causes(&error), "a code to claim again was not sent");
                looked_up(app, row.id).await?;
            }
        }
        if !whole {
            return Ok(());
        }
    }
}

async fn looked_up(app: &App, id: AuthorizationId) -> Result<(), Error> {
    app.store
        .write(move |tx| authorizations::look_up(tx, id, None, None))
        .await?;
    Ok(())
}

async fn send_code(app: &App, row: &Authorization, said: &[u8]) -> Result<(), Error> {
    let plain = app.keys.open(&said_at(row.id), said)?;
    let said: Said =
        serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("what was said does not read"))?;
    let site = Site::open(app, row.participant).await?;
    let Some((person, kept)) = find(app, &site, row, &said).await? else {
        return looked_up(app, row.id).await;
    };
    let code = Secret::new(digits(app, DIGITS));
    // As the laboratory recorded it: what was typed may differ in case.
    let contact = Contact::parse(&kept.to)?;
    let code_for = Code {
        issuer: row.participant,
        contact: &contact,
        code: &code,
        expires: row.expires,
        language: kept.language,
    };
    let message = channel::prepare(app, site.scope(), &code_for).await?;
    let (id, proof) = (row.id, keyed(app, row.id, code.expose()));
    app.store
        .write(move |tx| {
            if authorizations::look_up(tx, id, Some(&person), Some(&proof))? {
                message.queue(tx)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    app.wake.deliveries.notify_one();
    Ok(())
}

/// The one person whom the issuer recorded with this contact and date of birth, where a certificate of theirs is asked for and valid, and the contact
/// as it was recorded. None where there are two, whatever became of their certificates: an address that they share does not tell which of them it
/// is.
async fn find(
    app: &App,
    site: &Site,
    row: &Authorization,
    said: &Said,
) -> Result<Option<(PersonIndex, SendCode)>, Error> {
    let (scope, now) = (site.scope(), app.now());
    let Some(hash) = row.contact else { return Ok(None) };
    let wanted = categories(app, site, &pushed(app, row)?.configurations);
    let candidates = app
        .store
        .read(move |tx| {
            let mut candidates = Vec::new();
            let recorded = contacts::live_results(tx, &scope, &hash)?;
            if recorded.len() >= contacts::MOST as usize {
                // Who else may be meant is not looked at.
                return Ok(candidates);
            }
            for (result, contact) in recorded {
                let fits = has_valid(tx, &scope, &result, now)? && wanted.contains(&result.category);
                if let Some(wrapped) = persons::find(tx, &result.person)?.and_then(|person| person.data_key) {
                    candidates.push((result, contact, wrapped, fits));
                }
            }
            Ok::<_, vidimus_store::Error>(candidates)
        })
        .await?;
    let (mut who, mut found) = (None, None);
    for (result, contact, wrapped, fits) in candidates {
        let data_key = app.keys.person_key(&result.person.0, &wrapped)?;
        if !is_born(&data_key, &result, &said.birth_date)? {
            continue;
        }
        if *who.get_or_insert(result.person) != result.person {
            return Ok(None);
        }
        if fits && found.is_none() {
            let plain = data_key.open(&place("contacts", result.id.as_bytes(), "contact"), &contact.sealed)?;
            let kept: SendCode =
                serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a kept contact does not read"))?;
            found = Some((result.person, kept));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::is_date;

    #[test]
    fn dates_of_birth_are_those_of_documents() {
        for text in ["1986-02-11", "1986-02", "1986"] {
            assert!(is_date(text), "{text}");
        }
        for text in [
            "",
            "86",
            "11.02.1986",
            "1986-2-11",
            "1986-02-1",
            "1986/02/11",
            "1986-02-11T",
            "１９８６",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }
}
