//! A result becomes a certificate and its copies.
//!
//! Two commits for a request: the *intent* (person, result, certificate, places in the status list, what is to be signed) with its
//! idempotency key, then, after signing, the copies with their sealed payloads and outbox rows. The answer goes out after the second. What a
//! crash leaves between the two is taken up by a retry with the same key, or by `jobs::finish_intents`.

use crate::app::{
    App,
    copies::{self, Loaded, Plan},
    error::{Error, Place, Problem},
    keys::place,
    participants::{self, bad_card},
    principal::Principal,
    render::{self, Subject},
    requests::{CertificateView, NewCopies, Report},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vidimus_core::{
    Algorithm, Digest, Timestamp, Transcript,
    id::{CertificateId, CopyId, ResultId},
};
use vidimus_credential::{
    CategoryId, Format, Person,
    card::HolderCard,
    category::Category,
    intake::{self, IdentityDocument, Intake, Rejection},
};
use vidimus_crypto::DataKey;
use vidimus_store::{Scope, audit, certificates, copies as copy_rows, idempotency, persons, results, status};

/// How long an idempotency key is kept.
const KEPT: i64 = 2 * 86_400;
/// How long a request may be at work before a retry takes it over.
const LEASE: i64 = 30;
/// Candidates drawn for a place in the status list.
const CANDIDATES: usize = 8;

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
    pub async fn of(app: &App, caller: &Principal, category: Option<&CategoryId>) -> Result<Self, Error> {
        let issuer = Self {
            row: participants::find(app, caller.participant).await?,
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

/// An idempotency key and what was sent with it.
#[derive(Debug, Clone)]
struct Retry {
    key: String,
    request: Digest,
}

impl Retry {
    /// `operation` and `object` are part of what a key stands for: the same body for another object is another request.
    fn new(
        app: &App,
        key: Option<&str>,
        operation: &str,
        object: &[u8],
        request: &impl Serialize,
    ) -> Result<Option<Self>, Error> {
        let Some(key) = key else { return Ok(None) };
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::invalid(
                "idempotency-key",
                "Idempotency-Key: 1 to 255 printable ASCII characters",
                "send a random one, such as a UUID, and the same one again when you retry",
            ));
        }
        let body = serde_json::to_vec(request).map_err(|_| Error::Internal("a request does not serialise"))?;
        let text = Transcript::new("vidimus/request/v1")
            .field(operation.as_bytes())
            .field(object)
            .field(&body)
            .into_bytes();
        // Keyed: the digest of a request that is about a person must not be searchable.
        let request = Digest(app.keys.credential_hash("idempotency", &text));
        Ok(Some(Self {
            key: key.to_owned(),
            request,
        }))
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
    let issuer = Issuer::of(app, caller, None).await?;
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
    let plans = plans(
        app,
        &issuer,
        &formats,
        report.algorithm.as_deref(),
        report.envelope.as_deref(),
        card.as_ref(),
        now,
    )
    .await?;

    let (result, certificate) = (
        ResultId::generate(&mut *app.entropy()),
        CertificateId::generate(&mut *app.entropy()),
    );
    let kind = Digest(
        app.keys
            .person_index(Transcript::new("vidimus/kind/v1").field(category.kind(&intake.claims).as_bytes())),
    );
    let (data_key, wrapped) = person_key(app, &person, now).await?;
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
    let issuer = Issuer::of(app, caller, Some(&category_id)).await?;
    let category = render::category(&app.categories, &category_id)?;
    let card = card(app, new.card.as_deref(), now)?;
    let formats = formats(category, &new.formats, card.is_some())?;
    let plans = plans(
        app,
        &issuer,
        &formats,
        new.algorithm.as_deref(),
        new.envelope.as_deref(),
        card.as_ref(),
        now,
    )
    .await?;
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

enum Begun {
    /// To be signed, with the places the copies got.
    New(Vec<copy_rows::Intent>),
    Resumed(CertificateId),
    Done(CertificateId),
}

fn issuer_id(scope: &Scope) -> vidimus_core::id::ParticipantId {
    scope.participant().expect("an issuer's scope is its own")
}

/// Looks the idempotency key up; `None` where the request is new and is to be done.
fn begin(
    tx: &mut vidimus_store::Tx<'_>,
    issuer: vidimus_core::id::ParticipantId,
    retry: Option<&Retry>,
    certificate: CertificateId,
    now: Timestamp,
) -> Result<Option<Begun>, Error> {
    let Some(retry) = retry else { return Ok(None) };
    let reference = certificate.as_bytes();
    let (lease, expires) = (now.plus(LEASE), now.plus(KEPT));
    let id = |bytes: &[u8]| -> Result<CertificateId, Error> {
        bytes
            .try_into()
            .map(CertificateId::from_bytes)
            .map_err(|_| Error::Internal("an idempotency key leads nowhere"))
    };
    match idempotency::begin(tx, issuer, &retry.key, &retry.request, reference, now, lease, expires)? {
        idempotency::Begin::New => Ok(None),
        idempotency::Begin::Resumed { reference } => Ok(Some(Begun::Resumed(id(&reference)?))),
        idempotency::Begin::Done { response } => Ok(Some(Begun::Done(id(&response)?))),
        idempotency::Begin::Running => Err(Error::conflict(
            "in-progress",
            "a request with this Idempotency-Key is at work",
            "send the same request again in a few seconds",
        )),
        idempotency::Begin::Mismatch => Err(Error::conflict(
            "idempotency-key-reused",
            "this Idempotency-Key was sent with another request",
            "use a new key for a new request",
        )),
    }
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

/// Intents as the first commit records them, with the places drawn for each.
struct Planned {
    intent: copy_rows::Intent,
    candidates: Vec<u64>,
}

fn intents(
    app: &App,
    certificate: CertificateId,
    participant: vidimus_core::id::ParticipantId,
    plans: &[Plan],
    data_key: &DataKey,
    now: Timestamp,
) -> Result<Vec<Planned>, Error> {
    plans
        .iter()
        .map(|plan| {
            let id = CopyId::generate(&mut *app.entropy());
            let plain = serde_json::to_vec(plan).map_err(|_| Error::Internal("a plan does not serialise"))?;
            let prepared = data_key.seal(&place("copies", id.as_bytes(), "prepared"), &plain, &mut *app.entropy());
            let candidates = (0..CANDIDATES)
                .map(|_| u64::from_be_bytes(app.random()) % crate::app::deployment::STATUS_PLACES)
                .collect();
            let intent = copy_rows::Intent {
                id,
                participant,
                certificate,
                format: plan.format.name().to_owned(),
                holder: plan.holder.clone(),
                status_list: 0,
                status_index: 0,
                prepared: Some(prepared),
                created: now,
            };
            Ok(Planned { intent, candidates })
        })
        .collect()
}

fn intend(tx: &mut vidimus_store::Tx<'_>, scope: &Scope, planned: &[Planned]) -> Result<Vec<copy_rows::Intent>, Error> {
    let mut intents = Vec::with_capacity(planned.len());
    let list = status::newest_list(tx)?.ok_or(Error::Internal("there is no status list"))?;
    for Planned { intent, candidates } in planned {
        let place = status::reserve(tx, list.list, candidates, intent.id, intent.created)?;
        let place = place.ok_or_else(|| {
            Error::NotReady(Problem::new(
                "status-list-full",
                "the status list has no free place left for this certificate",
                "try again; if it lasts, ask the operator",
            ))
        })?;
        let intent = copy_rows::Intent {
            status_list: list.list,
            status_index: place,
            ..intent.clone()
        };
        copy_rows::intend(tx, scope, &intent)?;
        intents.push(intent);
    }
    Ok(intents)
}

fn not_valid() -> Error {
    Error::conflict(
        "not-valid",
        "this certificate is not valid any more",
        "report a new result",
    )
}

/// An intent as its row has it now.
fn as_row(intent: copy_rows::Intent) -> copy_rows::Copy {
    copy_rows::Copy {
        id: intent.id,
        participant: intent.participant,
        certificate: intent.certificate,
        format: intent.format,
        holder: intent.holder,
        state: copy_rows::State::Intent,
        status_list: intent.status_list,
        status_index: intent.status_index,
        prepared: intent.prepared,
        key: None,
        digest: None,
        commitment: None,
        salt_nonce: None,
        salt_ciphertext: None,
        payload: None,
        content: None,
        counter_signature: None,
        created: intent.created,
        issued_at: None,
    }
}

fn read(app: &App, issuer: &Issuer, report: &Report, now: Timestamp) -> Result<Intake, Error> {
    let category = report
        .category
        .as_deref()
        .map(CategoryId::new)
        .transpose()
        .map_err(|error| {
            Error::invalid(
                "category",
                format!("/category: {error}"),
                "name one that `GET /v1/categories` lists",
            )
        })?;
    let context = intake::Context {
        categories: &app.categories,
        now,
        country: Some(&issuer.row.country),
        category: category.as_ref(),
    };
    match (&report.fhir, &report.dcc, &report.claims) {
        (Some(bundle), None, None) => intake::fhir::read_value(bundle, &context),
        (None, Some(payload), None) => intake::dcc::read_value(payload, &context),
        (None, None, Some(form)) => intake::claims::read_value(form, &context),
        _ => {
            return Err(Error::invalid(
                "one-source",
                "a report has exactly one of `fhir`, `dcc` and `claims`",
                "send one of them",
            ));
        }
    }
    .map_err(rejected)
}

fn rejected(rejection: Rejection) -> Error {
    let mut problem = Problem::new(
        "result-refused",
        "the result does not fit a category",
        "mend the places named, and send it again",
    );
    problem.places = rejection
        .issues
        .into_iter()
        .map(|issue| Place {
            pointer: issue.location,
            code: issue.code.name().to_owned(),
            message: format!("{}; {}", issue.message, issue.next),
        })
        .collect();
    Error::Invalid(problem)
}

/// The person's blind index: by the identity document that was seen, else by the issuer's own identifier.
fn person_index(
    app: &App,
    issuer: &Issuer,
    document: Option<&IdentityDocument>,
    report: &Report,
    intake: &Intake,
) -> Result<Digest, Error> {
    let who = match (document, report.fallback_id.as_deref()) {
        (Some(document), _) => {
            let number: String = document
                .number
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_uppercase())
                .collect();
            let country = document.country.to_ascii_uppercase();
            let fits = (4..=32).contains(&number.len())
                && country.len() == 2
                && country.bytes().all(|byte| byte.is_ascii_uppercase());
            if !fits {
                return Err(Error::invalid(
                    "document",
                    "/document: an identity document has a country of two letters and a number of 4 to 32 letters and digits",
                    "copy type, country and number from the document",
                ));
            }
            Transcript::new("vidimus/person/document/v1")
                .field(document.kind.name().as_bytes())
                .field(country.as_bytes())
                .field(number.as_bytes())
        }
        (None, Some(id)) if (1..=128).contains(&id.len()) => Transcript::new("vidimus/person/fallback/v1")
            .field(issuer.row.id.as_bytes())
            .field(id.as_bytes())
            .field(intake.person.birth_date.as_bytes()),
        (None, Some(_)) => {
            return Err(Error::invalid(
                "fallback-id",
                "/fallback_id: 1 to 128 bytes",
                "send your own identifier of the person",
            ));
        }
        (None, None) => {
            return Err(Error::invalid(
                "no-identity",
                "nothing tells this person from others",
                "send `document` {type, country, number}, or `fallback_id` with your own identifier of the person",
            ));
        }
    };
    Ok(Digest(app.keys.person_index(who)))
}

/// The person's data key, made where the person is new. It counts only once its row is committed.
async fn person_key(app: &App, person: &Digest, _now: Timestamp) -> Result<(DataKey, vidimus_store::Wrapped), Error> {
    let wanted = *person;
    let found = app.store.read(move |tx| persons::find(tx, &wanted)).await?;
    if let Some(wrapped) = found.and_then(|person| person.data_key) {
        return Ok((app.keys.person_key(&person.0, &wrapped)?, wrapped));
    }
    let key = DataKey::generate(&mut *app.entropy());
    let wrapped = app.keys.wrap_person_key(&person.0, &key, &mut *app.entropy());
    Ok((key, wrapped))
}

fn card(app: &App, text: Option<&str>, now: Timestamp) -> Result<Option<HolderCard>, Error> {
    let Some(text) = text else { return Ok(None) };
    let card = HolderCard::verify(text, app.provider(), now)
        .map_err(bad_card)?
        .into_inner();
    participants::account_of(app, &card.did)?;
    Ok(Some(card))
}

/// The renderings to make: those asked for, else all that the category has. Without keys of the holder only paper can be made.
fn formats(category: &Category, wanted: &[String], bound: bool) -> Result<Vec<Format>, Error> {
    let possible = |format: Format| category.permits(format) && (bound || format == Format::Hcert);
    if wanted.is_empty() {
        return Ok(category
            .formats()
            .iter()
            .copied()
            .filter(|format| possible(*format))
            .collect());
    }
    let mut formats = Vec::new();
    for (place, name) in wanted.iter().enumerate() {
        let format = Format::from_name(name)
            .filter(|format| possible(*format))
            .ok_or_else(|| {
                let known: Vec<_> = category
                    .formats()
                    .iter()
                    .filter(|f| possible(**f))
                    .map(|f| f.name())
                    .collect();
                let known = if known.is_empty() {
                    "none without a holder card".to_owned()
                } else {
                    known.join(", ")
                };
                Error::invalid(
                    "format",
                    format!("/formats/{place}: not a rendering that can be made here; possible: {known}"),
                    "name a possible one; all but paper need the holder's card",
                )
            })?;
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    Ok(formats)
}

async fn plans(
    app: &App,
    issuer: &Issuer,
    formats: &[Format],
    algorithm: Option<&str>,
    envelope: Option<&str>,
    card: Option<&HolderCard>,
    now: Timestamp,
) -> Result<Vec<Plan>, Error> {
    let eip1098 = match envelope {
        None | Some("hpke") => false,
        Some("eip1098") => true,
        Some(_) => {
            return Err(Error::invalid(
                "envelope",
                "/envelope: `hpke` or `eip1098`",
                "name one of these, or none",
            ));
        }
    };
    let wanted = match algorithm {
        None => None,
        Some(name) => Some(
            Algorithm::from_name(name)
                .filter(|algorithm| render::algorithms(Format::VcJwt11).contains(algorithm))
                .ok_or_else(|| {
                    Error::invalid(
                        "algorithm",
                        "/algorithm: `ES256K`, `ES256K-R` or `ES256`",
                        "name one of these, or none",
                    )
                })?,
        ),
    };
    let keys = copies::issuer_keys(app, issuer.row.id).await?;
    formats
        .iter()
        .map(|format| {
            let possible = render::algorithms(*format);
            let algorithm = wanted.filter(|wanted| possible.contains(wanted)).unwrap_or(possible[0]);
            let key = keys.for_algorithm(algorithm)?;
            Ok(Plan {
                format: *format,
                algorithm,
                key,
                holder: card.map(|card| card.did.clone()),
                sealing_key: card.map(|card| vidimus_core::encoding::hex(&card.sealing_key)),
                eip1098,
                issued_at: now,
            })
        })
        .collect()
}
