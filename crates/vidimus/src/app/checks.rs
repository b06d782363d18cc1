//! Checks that verifiers ask the server for, and the requests that holders answer.
//!
//! A verifier sees only attributes it is admitted for, for a purpose it is admitted for; one that is not in good standing sees nothing.

use crate::app::{
    App, Problem, copies,
    error::Error,
    foreign_lists::{self, Asker},
    once::Once,
    participants,
    principal::Principal,
    requests::{CheckAnswer, CheckRequest, NewPresentationRequest, PresentationRequestView, TrustListView},
    status,
};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use vidimus_core::{
    Digest, Provider, Timestamp,
    encoding::base64url,
    id::{CheckId, ParticipantId, RequestId},
    reason::{Outcome, Reason, Test},
    receipt::Anchor,
};
use vidimus_credential::{
    category::Category,
    check::{
        self, Certificate, Context, Expected, Input, Policy, Report, Root, Roots, TrustList, Verdict, registry::Grant,
    },
    jws::Jws,
    presentation::MAX_PRESENTATION,
    sd_jwt::SdJwt,
};
use vidimus_store::{chain, checks as rows, requests, status as status_rows};

/// How long a presentation request may be answered: five minutes.
const REQUEST_SECONDS: i64 = 300;

/// What a verifier is admitted for now.
#[derive(Debug)]
pub struct Admitted {
    /// Names of attributes.
    pub attributes: Vec<String>,
}

impl Admitted {
    /// The attributes to tell: those asked for, if the verifier is admitted for each; all that it is admitted for where none are named.
    pub fn wanted(self, asked: Option<Vec<String>>) -> Result<Vec<String>, Error> {
        let Some(asked) = asked else {
            return Ok(self.attributes);
        };
        match asked.iter().position(|name| !self.attributes.contains(name)) {
            None => Ok(asked),
            Some(place) => Err(Error::forbidden(
                "attribute-not-granted",
                format!("/attributes/{place}: you are not admitted for this attribute"),
                "ask only for attributes you are admitted for",
            )),
        }
    }
}

/// What the caller is admitted for now, if `purpose` is among it.
pub fn admitted(app: &App, caller: &Principal, purpose: &str) -> Result<Admitted, Error> {
    let registries = app.registries();
    let entry = participants::in_good_standing(&registries.verifiers, &caller.row)?;
    let (mut attributes, mut purposes) = (Vec::new(), Vec::new());
    for grant in entry.grants() {
        match grant {
            Grant::Attribute(name) => attributes.push(name.clone()),
            Grant::Purpose(name) => purposes.push(name.clone()),
            Grant::Category(_) => {}
        }
    }
    if !purposes.iter().any(|known| known == purpose) {
        return Err(Error::forbidden(
            "purpose-not-granted",
            format!("/purpose: you are admitted for {}", purposes.join(", ")),
            "name one of these, or ask the authority to grant another",
        ));
    }
    Ok(Admitted { attributes })
}

/// Makes a request for a holder to answer: a nonce that works once, within five minutes.
pub async fn request_presentation(
    app: &App,
    caller: &Principal,
    new: NewPresentationRequest,
    once: Once<'_>,
) -> Result<PresentationRequestView, Error> {
    admitted(app, caller, &new.purpose)?;
    let nonce = base64url(&app.random::<32>());
    let now = app.now();
    let id = RequestId::generate(&mut *app.entropy());
    let expires = now.plus(REQUEST_SECONDS);
    let row = requests::Request {
        nonce_hash: app.provider.sha256(&[nonce.as_bytes()]),
        id,
        participant: caller.participant,
        body: new.purpose.clone().into_bytes(),
        created: now,
        expires,
        used: None,
    };
    let answer = PresentationRequestView {
        id: id.to_string(),
        nonce,
        audience: caller.row.did.clone(),
        purpose: new.purpose,
        expires: expires.to_rfc3339(),
    };
    let (scope, note) = (caller.scope(), once.note(&answer)?);
    app.store
        .write(move |tx| {
            requests::insert(tx, &scope, &row)?;
            note.keep(tx)
        })
        .await?;
    Ok(answer)
}

/// Checks an input for a verifier.
pub async fn check(app: &App, caller: &Principal, request: CheckRequest) -> Result<CheckAnswer, Error> {
    let wanted = admitted(app, caller, &request.purpose)?.wanted(request.attributes)?;
    let now = app.now();
    let trust = match request.trust_list {
        Some(text) => Some(trust_list(app, text, request.trust_list_read_at.as_deref(), now).await?),
        None => None,
    };
    let told = trust.as_ref().map(|list| TrustListView {
        signers: list.len(),
        read_at: list.read_at().to_rfc3339(),
        age: now.since(list.read_at()),
    });
    let policy = Policy {
        paper_without_evidence: request.accept_without_evidence,
        ..policy(app)
    };
    let report = match Input::parse_with(request.input.as_bytes(), request.evidence.as_deref()) {
        Err(reason) => Report::refused(reason, now),
        Ok(input) => {
            let shown = nonce_shown(&input, &request.input);
            let expected = expected(app, caller, shown, &caller.row.did, &request.purpose, now).await?;
            // Whom the operator trusts counts where the caller brings no list; with status lists, also where it does.
            let known = app.trusted.list(now);
            let asker = match trust {
                Some(_) => Asker::Caller(caller.participant),
                None => Asker::Operator,
            };
            let trust = match (trust, known) {
                (Some(mut own), Some(known)) => {
                    own.add_status_signers_of(&known);
                    Some(own)
                }
                (own, known) => own.or(known),
            };
            let trust = trust.map(|list| (list, asker));
            evaluate(app, input, expected.as_ref(), trust, policy, now).await?
        }
    };
    Ok(CheckAnswer {
        trust_list: told,
        ..keep(app, caller, &report, &wanted, now).await?
    })
}

/// Keeps that a check was made, and answers it.
pub async fn keep(
    app: &App,
    caller: &Principal,
    report: &Report,
    wanted: &[String],
    now: Timestamp,
) -> Result<CheckAnswer, Error> {
    let row = record(app, caller.participant, report, now);
    let (id, scope) = (row.id, caller.scope());
    app.store.write(move |tx| rows::insert(tx, &scope, &row)).await?;
    Ok(answer(app, id, report, wanted))
}

/// Reads the list of signers that a caller trusts, away from the threads that answer others.
async fn trust_list(app: &App, text: String, read_at: Option<&str>, now: Timestamp) -> Result<TrustList, Error> {
    // While it is read a list takes many times its size.
    static AT_ONCE: Semaphore = Semaphore::const_new(2);
    let refused = |why: String| {
        Error::invalid(
            "trust-list",
            format!("the trust list is not used, and nothing was checked: {why}"),
            "send PEM, or JSON with X.509 certificates in base64, and the time it was fetched in RFC 3339",
        )
    };
    let read_at = match read_at {
        // A list from the future would never grow old.
        Some(text) => Timestamp::parse_rfc3339(text)
            .map_err(|_| refused("/trust_list_read_at: not a time".to_owned()))?
            .min(now),
        None => now,
    };
    let most = app.config.server.limits.trust_list_bytes;
    if text.len() > most {
        return Err(refused(format!("/trust_list: larger than {most} bytes")));
    }
    let _turn = AT_ONCE
        .acquire()
        .await
        .map_err(|_| Error::Internal("a closed semaphore"))?;
    let provider = app.provider.clone();
    tokio::task::spawn_blocking(move || TrustList::parse(text.as_bytes(), read_at, &*provider))
        .await
        .map_err(|_| Error::Internal("reading a trust list ended"))?
        .map_err(|error| refused(format!("/trust_list: {error}")))
}

/// Whom the operator trusts, and on whose behalf lists are fetched then.
pub fn trusted_here(app: &App, now: Timestamp) -> Option<(TrustList, Asker)> {
    app.trusted.list(now).map(|list| (list, Asker::Operator))
}

/// One check on this server's own evidence: the registry and anchors as read from the chain, the status table, and, for copies that carry
/// none, the receipt by digest. `trust` holds signers of others, and who trusts them; a status list of theirs is fetched where nothing else
/// speaks against what refers to it.
pub async fn evaluate(
    app: &App,
    mut input: Input,
    expected: Option<&Expected>,
    trust: Option<(TrustList, Asker)>,
    policy: Policy,
    now: Timestamp,
) -> Result<Report, Error> {
    // Before the root is looked up: that there is none is said of no block that is read in between.
    let before = *app.registries().issuers.head();
    let known = known(app, &input).await?;
    // After it: where there is one, its block is known here too.
    let registries = app.registries();
    if let Some((salt, Some(receipt))) = known.kept.map(|kept| kept.open(app)).transpose()?.flatten() {
        input = input.with_receipt(salt, receipt);
    }
    let lists = status::lists(app, &known.lists).await?;
    let head = match known.root {
        Some(_) => *registries.issuers.head(),
        None => before,
    };
    let chain_id = app.facts.chain;
    let roots = Roots::answer(
        chain_id,
        app.contracts.anchors,
        head.block_number,
        // Not the time of this question: while the ledger does not answer, what is known of it grows old.
        head.read_at,
        known.root.map(|found| to_root(chain_id, found)),
    );
    let context = Context {
        now,
        provider: app.provider(),
        categories: &app.categories,
        registry: Some(&registries.issuers),
        status: &lists,
        roots: Some(&roots),
        trust: None,
        policy,
        expected,
    };
    let with = |trust: Option<&TrustList>| check::check(&input, &Context { trust, ..context });
    let Some((mut trust, asker)) = trust else {
        return Ok(with(None));
    };
    let Some(uri) = input.status().map(|reference| reference.token_list.clone()) else {
        return Ok(with(Some(&trust)));
    };
    let lists = app.foreign_lists.of(asker);
    if let Some(list) = lists.fresh(&uri, now, context.policy.status_max_age) {
        trust.add_status_list(uri.as_str(), Some(list));
    }
    let report = with(Some(&trust));
    if !hangs_on_its_status(&report) {
        return Ok(report);
    }
    let Some(found) = foreign_lists::fetch(app, asker, &uri).await else {
        return Ok(report);
    };
    trust.add_status_list(uri.as_str(), found);
    let report = with(Some(&trust));
    let Some(before) = lists.before(&uri).filter(|_| hangs_on_its_status(&report)) else {
        return Ok(report);
    };
    // Of who signed the newer one nothing is known; what the other said holds for as long as it may be taken.
    trust.put_status_list(uri, before);
    let earlier = with(Some(&trust));
    Ok(if hangs_on_its_status(&earlier) { report } else { earlier })
}

/// Whether a trusted issuer of others signed what was checked, and nothing speaks against it as far as its status is not known.
fn hangs_on_its_status(report: &Report) -> bool {
    let says = |test, wanted| report.test(test).is_some_and(|result| result.reason == wanted);
    report.verdict != Verdict::Invalid
        && says(Test::Signature, Reason::SignatureOk)
        && says(Test::Issuer, Reason::IssuerTrusted)
        && says(Test::Status, Reason::StatusMissing)
}

/// What is kept of a check: who made it and how it came out, nothing of what was shown.
pub fn record(app: &App, participant: ParticipantId, report: &Report, now: Timestamp) -> rows::Check {
    rows::Check {
        id: CheckId::generate(&mut *app.entropy()),
        participant,
        category: report.category.as_ref().map(ToString::to_string),
        verdict: verdict(report.verdict).to_owned(),
        reasons: report
            .reasons()
            .iter()
            .map(|reason| reason.code())
            .collect::<Vec<_>>()
            .join(" "),
        time: now,
    }
}

/// The policy that the configuration sets.
pub fn policy(app: &App) -> Policy {
    let seconds = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let checks = &app.config.checks;
    Policy {
        registry_max_age: seconds(checks.registry_max_age_seconds),
        status_max_age: seconds(checks.status_max_age_seconds),
        anchors_max_age: seconds(checks.ledger_max_age_seconds),
        presentation_max_age: seconds(checks.presentation_max_age_seconds),
        ..Policy::default()
    }
}

/// What the database has for a check.
struct Known {
    /// Salt and receipt of a copy that brought none.
    kept: Option<copies::Kept>,
    /// The status lists' rows.
    lists: Vec<status_rows::List>,
    /// What the chain has for the one root that the receipt names.
    root: Option<chain::Root>,
}

async fn known(app: &App, input: &Input) -> Result<Known, Error> {
    let (brought, chain_id) = (input.anchor().map(|anchor| anchor.root), app.facts.chain);
    let digest = brought.is_none().then(|| input.digest(app.provider()));
    let found = app.store.get(move |tx| {
        let kept = match &digest {
            Some(digest) => copies::Kept::find(tx, digest)?,
            None => None,
        };
        let root = brought.or_else(|| kept.as_ref()?.root());
        Ok::<_, vidimus_store::Error>(Known {
            kept,
            lists: status_rows::lists(tx)?,
            root: match &root {
                Some(root) => chain::root(tx, chain_id, root)?,
                None => None,
            },
        })
    });
    Ok(found.await?)
}

/// A derived row as the check knows it.
pub fn to_root(chain_id: u64, found: chain::Root) -> Root {
    Root {
        size: found.size,
        anchor: Anchor {
            chain_id,
            contract: found.contract,
            root: found.root,
            transaction: found.transaction,
            block_number: found.block_number,
            block_hash: found.block_hash,
            time: found.block_time,
        },
    }
}

/// The nonce in what is shown.
struct Nonce {
    nonce: String,
    /// Whether the holder signed the purpose too; the key binding of an SD-JWT VC has no place for it.
    purpose_bound: bool,
}

/// The nonce that a presentation, or the key binding of an SD-JWT VC, was made for.
fn nonce_shown(input: &Input, text: &str) -> Option<Nonce> {
    if let Some(presentation) = input.presentation() {
        return Some(Nonce {
            nonce: presentation.nonce.clone().unwrap_or_default(),
            purpose_bound: true,
        });
    }
    let sd_jwt = SdJwt::parse(text.trim()).ok()?;
    let binding = Jws::parse(sd_jwt.bound()?, MAX_PRESENTATION).ok()?.claims().ok()?;
    Some(Nonce {
        nonce: binding.get("nonce")?.as_str()?.to_owned(),
        purpose_bound: false,
    })
}

/// The request that a presentation answers: its nonce is used up by this, whatever the check says.
async fn expected(
    app: &App,
    caller: &Principal,
    shown: Option<Nonce>,
    audience: &str,
    purpose: &str,
    now: Timestamp,
) -> Result<Option<Expected>, Error> {
    let Some(Nonce { nonce, purpose_bound }) = shown else {
        return Ok(None);
    };
    let hash = app.provider.sha256(&[nonce.as_bytes()]);
    let scope = caller.scope();
    let taken = app
        .store
        .write(move |tx| requests::take(tx, &scope, &hash, now))
        .await?;
    let asked = taken.is_some_and(|request| request.body == purpose.as_bytes());
    Ok(Some(Expected {
        // A nonce that was never given out, was used or has expired matches nothing.
        nonce: if asked { nonce } else { base64url(&app.random::<32>()) },
        audience: audience.to_owned(),
        purpose: purpose_bound.then(|| purpose.to_owned()),
    }))
}

fn answer(app: &App, id: CheckId, report: &Report, wanted: &[String]) -> CheckAnswer {
    let category = report.category.as_ref().and_then(|id| app.categories.category(id));
    let shown = match (&report.certificate, category) {
        (Some(certificate), Some(category)) => attributes(category, certificate, wanted),
        _ => Map::new(),
    };
    CheckAnswer {
        id: id.to_string(),
        verdict: verdict(report.verdict).to_owned(),
        tests: serde_json::to_value(&report.tests).unwrap_or_default(),
        category: report.category.as_ref().map(ToString::to_string),
        format: report.format.map(|format| format.name().to_owned()),
        attributes: Value::Object(shown),
        issuer: report.certificate.as_ref().map(|certificate| {
            certificate
                .issuer
                .name
                .clone()
                .unwrap_or_else(|| certificate.issuer.id.clone())
        }),
        accepted_without_evidence: waived(report),
        trust_list: None,
        checked_at: report.checked_at.to_rfc3339(),
    }
}

/// Whether paper was accepted that nothing leads to an anchor.
pub fn waived(report: &Report) -> bool {
    report.verdict == Verdict::Valid && report.tests.iter().any(|test| test.outcome == Outcome::Waived)
}

/// The wanted attributes that the category discloses and the certificate has.
pub fn attributes(category: &Category, certificate: &Certificate, wanted: &[String]) -> Map<String, Value> {
    wanted
        .iter()
        .filter_map(|name| Some((name.clone(), category.disclosure(name)?.shown(certificate)?)))
        .collect()
}

/// The verdict's stable name.
pub const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "valid",
        Verdict::Invalid => "invalid",
        Verdict::Undetermined => "undetermined",
    }
}

/// A digest in a path.
pub fn digest_of(text: &str) -> Result<Digest, Error> {
    text.parse().map_err(|_| {
        Error::Invalid(Problem::new(
            "digest",
            "not a digest: 64 hexadecimal digits are needed",
            "correct the path",
        ))
    })
}
