//! A wallet's answer: read, checked, and kept for its verifier, sealed.
//!
//! The first answer that is one to this request settles it. What is none (another session's, encrypted to another key, too late) is refused and
//! settles nothing. So is a presentation that anybody could have made, who saw the link: of something else than was asked for, or not signed
//! by an issuer that is known. Such are counted, and the request fails when there were [`MOST_WRONG`].

use super::{
    Kept, answer_of, answer_place, opened, view,
    views::{Confirmation, PresentationView},
};
use crate::app::{App, checks, error::Error, participants, principal::Principal, wallets::offers};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;
use vidimus_core::{
    id::PresentationId,
    reason::{Outcome, Test},
};
use vidimus_credential::{
    check::{Certificate, Expected, Input, Report, Verdict},
    jws::Jws,
    presentation::{MAX_PRESENTATION, Presentation as Shown},
    sd_jwt::SdJwt,
    x509,
};
use vidimus_openid4vc::{
    dcql::{Authority, Candidate, Query, Step, Type, check_response},
    oauth::Opaque,
    vp::{Answer, Posted, Presentation as Presented, ResponseError, Session, TransactionData, VpToken},
};
use vidimus_store::{
    checks as check_rows, events,
    participants::{self as participant_rows, Participant},
    presentations::{self, Presentation, State},
};

/// Wrong answers that a request has; the last fails it.
const MOST_WRONG: u32 = 5;

/// What a wallet is told of its answer.
#[derive(Debug)]
pub enum Told {
    /// It was taken: the JSON to answer with.
    Taken(String),
    /// It is none to this request.
    Refused(ResponseError),
    /// It presents what does not answer this request.
    Wrong,
}

/// What came of an answer: what the verifier is told, and the reports.
enum Judged {
    Declined(Value),
    Answered(Value, Vec<Report>),
    Wrong(Value, Vec<Report>),
}

impl Judged {
    fn wrong(told: Value) -> Self {
        Self::Wrong(told, Vec::new())
    }
}

/// Takes what a wallet posted.
pub async fn respond(app: &App, id: PresentationId, body: &[u8]) -> Result<Told, Error> {
    let missing = || Error::NotFound("presentation");
    let posted = match Posted::parse(body) {
        Ok(posted) => posted,
        Err(error) => return Ok(Told::Refused(error)),
    };
    let now = app.now();
    // In one step, so that a request of a verifier that may not read its answer takes no longer than none.
    let found = app.store.get(move |tx| {
        let Some(row) = presentations::answerable(tx, id, now)? else {
            return Ok(None);
        };
        let verifier = participant_rows::find(tx, row.participant)?;
        Ok::<_, vidimus_store::Error>(verifier.map(|verifier| (row, verifier)))
    });
    let (row, verifier) = found.await?.ok_or_else(missing)?;
    participants::in_good_standing(&app.registries().verifiers, &verifier).map_err(|_| missing())?;
    let kept = opened(app, &row)?;
    let answer = match posted.read(&kept.session, kept.private()?.as_ref(), now, &*app.provider) {
        Ok(answer) => answer,
        Err(error) => return Ok(Told::Refused(error)),
    };
    // Judged before it is taken: what fails here for the moment leaves the request as it is.
    let judged = match answer {
        Answer::Declined(error) => {
            Judged::Declined(json!({"error": error.code().map_or("access_denied", |code| code.name())}))
        }
        Answer::Presented(token) => {
            // What it is registered for now, not when it asked.
            let permitted = participants::attributes_of(&app.registries().verifiers, &verifier);
            judge(app, &kept, &token, &permitted).await?
        }
    };
    match judged {
        Judged::Declined(result) => settle(app, &row, &verifier, &kept, State::Declined, &result, &[]).await,
        Judged::Answered(result, reports) => {
            settle(app, &row, &verifier, &kept, State::Answered, &result, &reports).await
        }
        Judged::Wrong(result, reports) => refuse(app, &row, &verifier, &result, &reports).await,
    }
}

/// Keeps an answer, if it is the first.
async fn settle(
    app: &App,
    row: &Presentation,
    verifier: &Participant,
    kept: &Kept,
    state: State,
    result: &Value,
    reports: &[Report],
) -> Result<Told, Error> {
    let (id, now) = (row.id, app.now());
    let scope = super::scope_of(verifier);
    let rows = check_rows_of(app, row, reports);
    let (code, told) = kept.session.acknowledge(&mut *app.entropy());
    let code = code.map(|code| offers::hash(app, &code));
    let sealed = sealed(app, id, result);
    let kind = match state {
        State::Declined => events::Kind::PresentationDeclined,
        _ => events::Kind::PresentationAnswered,
    };
    let event = crate::app::events::event(app, row.participant, kind, id.as_bytes());
    let taken = app
        .store
        .write(move |tx| {
            if !presentations::settle(tx, id, state, &sealed, code.as_ref(), now)? {
                return Ok(false);
            }
            events::append(tx, &event)?;
            rows.iter().try_for_each(|row| check_rows::insert(tx, &scope, row))?;
            Ok::<_, Error>(true)
        })
        .await?;
    if !taken {
        return Err(Error::NotFound("presentation"));
    }
    crate::fault::point(crate::fault::AFTER_ANSWER);
    app.wake.events.notify_one();
    Ok(Told::Taken(told))
}

/// Counts a wrong answer; the last that is looked at fails the request.
async fn refuse(
    app: &App,
    row: &Presentation,
    verifier: &Participant,
    result: &Value,
    reports: &[Report],
) -> Result<Told, Error> {
    let (id, now) = (row.id, app.now());
    let scope = super::scope_of(verifier);
    let rows = check_rows_of(app, row, reports);
    let sealed = sealed(app, id, result);
    let event = crate::app::events::event(app, row.participant, events::Kind::PresentationAnswered, id.as_bytes());
    let stands = app
        .store
        .write(move |tx| {
            let stands = presentations::refuse(tx, id, &sealed, MOST_WRONG, now)?;
            if stands.is_some() {
                rows.iter().try_for_each(|row| check_rows::insert(tx, &scope, row))?;
            }
            if stands == Some(State::Failed) {
                events::append(tx, &event)?;
            }
            Ok::<_, Error>(stands)
        })
        .await?;
    match stands {
        None => return Err(Error::NotFound("presentation")),
        Some(State::Failed) => app.wake.events.notify_one(),
        Some(_) => {}
    }
    Ok(Told::Wrong)
}

fn sealed(app: &App, id: PresentationId, result: &Value) -> Vec<u8> {
    let plain = result.to_string();
    app.keys.seal(&answer_place(id), plain.as_bytes(), &mut *app.entropy())
}

fn check_rows_of(app: &App, row: &Presentation, reports: &[Report]) -> Vec<check_rows::Check> {
    let now = app.now();
    let check = |report| checks::record(app, row.participant, report, now);
    reports.iter().map(check).collect()
}

/// One presentation, read and checked.
struct Checked {
    query: String,
    report: Report,
    format: &'static str,
    /// The claims that it shows, where paths begin.
    claims: Value,
    types: Vec<String>,
    /// The chain that its issuer's signature came with.
    chain: Vec<Vec<u8>>,
    bound: bool,
    /// The claims of its key binding.
    binding: Option<Map<String, Value>>,
}

/// Whether an issuer that is known signed it: nobody else can make the like.
fn is_genuine(report: &Report) -> bool {
    let signature = report.test(Test::Signature);
    report.verdict != Verdict::Invalid || signature.is_some_and(|result| result.outcome == Outcome::Passed)
}

async fn judge(app: &App, kept: &Kept, token: &VpToken, permitted: &[String]) -> Result<Judged, Error> {
    let session = &kept.session;
    let mut checked = Vec::new();
    for (id, presentations) in token.iter() {
        for presentation in presentations {
            match check(app, session, id, presentation).await? {
                Some(one) => checked.push(one),
                None => return Ok(Judged::wrong(json!({"error": "unreadable", "credential": id}))),
            }
        }
    }
    if let Err(error) = fits(&session.query, &checked) {
        return Ok(Judged::wrong(json!({"error": "no_match", "cause": error})));
    }
    let bindings: Vec<(&str, &Map<String, Value>)> = checked
        .iter()
        .filter_map(|one| Some((one.query.as_str(), one.binding.as_ref()?)))
        .collect();
    if let Err(error) = TransactionData::verify(&session.transaction_data, &bindings, app.provider()) {
        let told = json!({"error": "transaction_data", "cause": error.to_string()});
        return Ok(Judged::wrong(told));
    }
    let genuine = checked.iter().all(|one| is_genuine(&one.report));
    let mut credentials: Vec<Value> = checked.iter().map(|one| tell(app, kept, one, permitted)).collect();
    if !genuine {
        // A wrong answer settles nothing, so that nobody has confirmed yet who the holder is.
        for one in credentials.iter_mut().filter_map(Value::as_object_mut) {
            one.insert("attributes".into(), json!({}));
        }
    }
    let verdict = checked
        .iter()
        .map(|one| one.report.verdict)
        .reduce(worse)
        .unwrap_or(Verdict::Undetermined);
    let mut told = json!({
        "verdict": checks::verdict(verdict),
        "credentials": credentials,
        "checked_at": app.now().to_rfc3339(),
    });
    if !session.transaction_data.is_empty() {
        told["transaction_data"] = "authorised".into();
    }
    let reports: Vec<Report> = checked.into_iter().map(|one| one.report).collect();
    Ok(if genuine {
        Judged::Answered(told, reports)
    } else {
        Judged::Wrong(told, reports)
    })
}

const fn worse(one: Verdict, two: Verdict) -> Verdict {
    match (one, two) {
        (Verdict::Invalid, _) | (_, Verdict::Invalid) => Verdict::Invalid,
        (Verdict::Undetermined, _) | (_, Verdict::Undetermined) => Verdict::Undetermined,
        _ => Verdict::Valid,
    }
}

/// Reads and checks one presentation. None where it is none that is read here.
async fn check(app: &App, session: &Session, id: &str, presentation: &Presented) -> Result<Option<Checked>, Error> {
    let Some(text) = presentation.as_str() else {
        return Ok(None);
    };
    let Some(mut checked) = read(app, id, text) else {
        return Ok(None);
    };
    let Ok(input) = Input::parse(text.as_bytes()) else {
        return Ok(None);
    };
    let expected = Expected {
        nonce: session.nonce.clone(),
        audience: session.client_id.to_string(),
        purpose: None,
    };
    let (now, policy) = (app.now(), checks::policy(app));
    let trust = checks::trusted_here(app, now);
    checked.report = checks::evaluate(app, input, Some(&expected), trust, policy, now).await?;
    let passed = |test| {
        let result = checked.report.test(test);
        result.is_some_and(|result| result.outcome == Outcome::Passed)
    };
    checked.bound = passed(Test::HolderBinding) && passed(Test::Nonce);
    Ok(Some(checked))
}

/// What a presentation shows, before anything of it is verified.
fn read(app: &App, id: &str, text: &str) -> Option<Checked> {
    let none = Report::refused(vidimus_core::reason::Reason::Malformed, app.now());
    if text.contains('~') {
        let sd_jwt = SdJwt::parse(text).ok()?;
        let claims = Value::Object(sd_jwt.process(app.provider()).ok()?.claims);
        let vct = claims.get("vct")?.as_str()?.to_owned();
        let binding = match sd_jwt.bound() {
            Some(binding) => Some(Jws::parse(binding, MAX_PRESENTATION).ok()?.claims().ok()?),
            None => None,
        };
        return Some(Checked {
            query: id.to_owned(),
            report: none,
            format: "dc+sd-jwt",
            chain: sd_jwt.jws().header().x5c.clone(),
            claims,
            types: vec![vct],
            bound: false,
            binding,
        });
    }
    let shown = Shown::parse(text).ok()?;
    let [envelope] = shown.envelopes.as_slice() else {
        return None;
    };
    let copy = Jws::parse(&envelope.copy, MAX_PRESENTATION).ok()?;
    let mut payload = copy.claims().ok()?;
    let credential = payload.remove("vc")?;
    let types = credential.get("type")?.as_array()?;
    let base = "https://www.w3.org/2018/credentials#VerifiableCredential";
    let context = vidimus_credential::format::vc_jwt::context_url(app.config.server.public_url.as_str());
    let types = types.iter().filter_map(Value::as_str).map(|name| match name {
        "VerifiableCredential" => base.to_owned(),
        "VidimusCertificate" => format!("{context}#VidimusCertificate"),
        other => other.to_owned(),
    });
    Some(Checked {
        query: id.to_owned(),
        report: none,
        format: "jwt_vc_json",
        types: types.collect(),
        chain: copy.header().x5c.clone(),
        claims: credential,
        bound: false,
        binding: None,
    })
}

/// The key identifiers of the authorities in a chain.
fn authorities(chain: &[Vec<u8>]) -> Vec<Vec<u8>> {
    chain
        .iter()
        .filter_map(|der| x509::Certificate::from_der(der).ok()?.authority_key_id)
        .collect()
}

/// Whether what is presented is what was asked for.
fn fits(query: &Query, checked: &[Checked]) -> Result<(), String> {
    let types: Vec<Vec<&str>> = checked
        .iter()
        .map(|one| one.types.iter().map(String::as_str).collect())
        .collect();
    // Read where they are asked for only: reading certificates takes time.
    let asked = query
        .credentials()
        .iter()
        .any(|one| !one.trusted_authorities.is_empty());
    let found: Vec<Vec<Vec<u8>>> = checked
        .iter()
        .map(|one| if asked { authorities(&one.chain) } else { Vec::new() })
        .collect();
    let authorities: Vec<Vec<Authority<'_>>> = found
        .iter()
        .map(|ids| ids.iter().map(|id| Authority::KeyIdentifier(id)).collect())
        .collect();
    let mut groups: Vec<(&str, Vec<Candidate<'_>>)> = Vec::new();
    for (place, one) in checked.iter().enumerate() {
        let kind = match one.format {
            "dc+sd-jwt" => Type::SdJwtVc(&types[place]),
            _ => Type::JwtVcJson(&types[place]),
        };
        let candidate = Candidate {
            kind,
            claims: &one.claims,
            authorities: &authorities[place],
            holder_bound: one.bound,
        };
        match groups.iter_mut().find(|(id, _)| *id == one.query) {
            Some((_, group)) => group.push(candidate),
            None => groups.push((&one.query, vec![candidate])),
        }
    }
    let presented: Vec<(&str, &[Candidate<'_>])> = groups.iter().map(|(id, group)| (*id, group.as_slice())).collect();
    check_response(query, &presented)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// What the verifier is told of one credential: of one that is not genuine nothing that it says.
fn tell(app: &App, kept: &Kept, one: &Checked, permitted: &[String]) -> Value {
    let report = &one.report;
    let asked = kept.attributes.iter().find(|(id, _)| *id == one.query);
    let wanted: Vec<String> = asked
        .map(|(_, names)| names.iter().filter(|name| permitted.contains(name)).cloned().collect())
        .unwrap_or_default();
    let category = report.category.as_ref().and_then(|id| app.categories.category(id));
    let attributes = match (&report.certificate, category) {
        (None, _) => Map::new(),
        (Some(certificate), Some(category)) => checks::attributes(category, certificate, &wanted),
        (Some(certificate), None) => foreign(kept, one, certificate, &wanted),
    };
    json!({
        "id": one.query,
        "format": one.format,
        "verdict": checks::verdict(report.verdict),
        "tests": report.tests,
        "category": report.category.as_ref().map(ToString::to_string),
        "issuer": report.certificate.as_ref().map(|certificate| {
            certificate.issuer.name.clone().unwrap_or_else(|| certificate.issuer.id.clone())
        }),
        "attributes": attributes,
    })
}

/// The claims of a credential of others that were asked for, by their first names.
fn foreign(kept: &Kept, one: &Checked, _: &Certificate, wanted: &[String]) -> Map<String, Value> {
    let types: Vec<&str> = one.types.iter().map(String::as_str).collect();
    let candidate = Candidate {
        kind: Type::SdJwtVc(&types),
        claims: &one.claims,
        authorities: &[],
        holder_bound: one.bound,
    };
    let mut shown = Map::new();
    for location in kept.session.query.asked_of(&one.query, &candidate) {
        let Some(Step::Key(name)) = location.steps().first() else {
            continue;
        };
        if wanted.iter().any(|known| known == name)
            && let Some(value) = one.claims.get(*name)
        {
            shown.insert((*name).to_owned(), value.clone());
        }
    }
    shown
}

/// The browser came back, on the same device: the answer, for who brings the code and the session's secret (HAIP 1.0 §5.1).
pub async fn confirm(
    app: &App,
    caller: &Principal,
    id: PresentationId,
    confirmation: Confirmation,
) -> Result<PresentationView, Error> {
    participants::in_good_standing(&app.registries().verifiers, &caller.row)?;
    let scope = caller.scope();
    let found = app.store.get(move |tx| presentations::find(tx, &scope, id)).await?;
    let row = found.ok_or(Error::NotFound("presentation"))?;
    let same = |kept: Option<vidimus_core::Digest>, given: &str| {
        let given = offers::hash(app, &Opaque::new(given));
        kept.is_some_and(|kept| kept.0.ct_eq(&given.0).into())
    };
    let confirmed =
        same(row.session_hash, &confirmation.session) & same(row.response_code_hash, &confirmation.response_code);
    if !confirmed {
        return Err(Error::forbidden(
            "other-session",
            "the browser that came back is not the one that the request was made in",
            "discard the presentation; make another request in this session",
        ));
    }
    let answer = answer_of(app, &row)?;
    Ok(view(app, &row, answer))
}
