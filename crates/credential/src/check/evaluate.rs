//! The evaluation of all tests.

use super::{
    Ages, Certificate, Context, Input, IssuerSummary, Report, TestResult, Usage, Verdict,
    input::status_of,
    lists::Answer,
    registry::Standing,
    signer::{self, Times, Who},
};
use crate::{
    category::{Category, Strictness},
    countersign::CounterSignature,
    format::{Content, hcert},
    statement::{CategoryId, Format, Person},
    status::Status,
};
use serde_json::{Map, Value};
use std::borrow::Cow;
use vidimus_core::{
    Commitment, Digest, Timestamp,
    merkle::ProofError,
    reason::{Outcome, Reason, Test},
};

/// Checks `input` with what `context` holds. Pure and synchronous; never panics, whatever the input.
pub fn check(input: &Input, context: &Context<'_>) -> Report {
    let claims = input.statement().map(|statement| statement.claims.clone());
    evaluate(input, claims.unwrap_or_default(), context)
}

/// [`check`] of an input that nobody needs afterwards: the claims go into the report uncopied.
pub(super) fn check_taken(mut input: Input, context: &Context<'_>) -> Report {
    let claims = match &mut input.copy.content {
        Content::Statement(statement) => std::mem::take(&mut statement.claims),
        Content::Hcert(_) => Map::new(),
    };
    evaluate(&input, claims, context)
}

/// `claims` are the statement's, where there is one.
fn evaluate(input: &Input, claims: Map<String, Value>, context: &Context<'_>) -> Report {
    Check {
        input,
        context,
        reading: Reading::of(input, claims, context),
        digest: input.copy.digest(context.provider),
    }
    .run()
}

/// What a copy says, whichever its form.
struct Reading<'a> {
    syntax: Reason,
    category: Option<&'a Category>,
    category_id: Option<Cow<'a, CategoryId>>,
    person: Cow<'a, Person>,
    /// An object.
    claims: Value,
    /// Inside an HCERT; a statement has its own.
    uvci: String,
    holder: Option<&'a str>,
    issued_at: Timestamp,
    valid_from: Timestamp,
    valid_until: Timestamp,
    usage: Option<Usage>,
}

impl<'a> Reading<'a> {
    fn of(input: &'a Input, claims: Map<String, Value>, context: &Context<'a>) -> Self {
        match &input.copy.content {
            Content::Statement(statement) => {
                let category = context
                    .categories
                    .category(&statement.category)
                    .map(|category| &**category);
                let mut reading = Self {
                    syntax: Reason::SyntaxOk,
                    category,
                    category_id: Some(Cow::Borrowed(&statement.category)),
                    person: Cow::Borrowed(&statement.person),
                    claims: Value::Object(claims),
                    uvci: String::new(),
                    holder: statement.holder.as_deref(),
                    issued_at: statement.issued_at,
                    valid_from: statement.valid_from,
                    valid_until: statement.valid_until,
                    usage: None,
                };
                reading.syntax = reading.fits_category(input.copy.format);
                reading
            }
            Content::Hcert(content) => Self::of_hcert(content, context),
        }
    }

    /// An HCERT says when it was signed and when it ends; from when it counts is the category's to say.
    fn of_hcert(content: &'a hcert::Content, context: &Context<'a>) -> Self {
        let mut reading = Self {
            syntax: Reason::SyntaxOk,
            category: None,
            category_id: None,
            person: Cow::Owned(nobody()),
            claims: Value::Null,
            uvci: String::new(),
            holder: None,
            issued_at: content.issued_at,
            valid_from: content.issued_at,
            valid_until: content.expires_at,
            usage: Usage::of_payload(&content.dcc),
        };
        match context.categories.from_dcc(&content.dcc, Strictness::Lenient) {
            Ok(dcc) => {
                reading.category = context.categories.category(&dcc.category).map(|category| &**category);
                reading.category_id = Some(Cow::Owned(dcc.category));
                reading.person = Cow::Owned(dcc.person);
                reading.uvci = dcc.uvci;
                if let Some(Ok(validity)) = reading
                    .category
                    .map(|category| category.validity(&dcc.claims, content.issued_at))
                {
                    reading.valid_from = validity.from.max(content.issued_at);
                    reading.valid_until = validity.until.min(content.expires_at);
                }
                reading.claims = Value::Object(dcc.claims);
                reading.syntax = reading.fits_category(Format::Hcert);
            }
            Err(crate::category::DccError::UnknownEntry(_)) => reading.syntax = Reason::UnknownCategory,
            Err(_) => reading.syntax = Reason::SchemaMismatch,
        }
        reading
    }

    fn fits_category(&self, format: Format) -> Reason {
        match self.category {
            None => Reason::UnknownCategory,
            Some(category) if !category.permits(format) => Reason::UnsupportedFormat,
            Some(category) if category.has_shape(&self.claims) => Reason::SyntaxOk,
            Some(_) => Reason::SchemaMismatch,
        }
    }
}

fn nobody() -> Person {
    Person {
        family_name: String::new(),
        given_name: String::new(),
        family_name_transliterated: String::new(),
        given_name_transliterated: String::new(),
        birth_date: String::new(),
    }
}

struct Check<'a> {
    input: &'a Input,
    context: &'a Context<'a>,
    reading: Reading<'a>,
    digest: Digest,
}

impl<'a> Check<'a> {
    fn run(self) -> Report {
        let (context, input) = (self.context, self.input);
        let (integrity, receipt, anchored_at) = self.receipt();
        let signed_at = match anchored_at {
            Some(at) => self.reading.issued_at.min(at).max(at.plus(-context.policy.anchor_lag)),
            None => self.reading.issued_at,
        };
        let times = Times { signed_at, anchored_at };
        let (signature, who) = match &input.copy.content {
            Content::Statement(statement) => {
                signer::of_vc(&input.copy, &self.digest, &statement.issuer, times, context)
            }
            Content::Hcert(_) => signer::of_hcert(&input.copy, &self.digest, self.reading.usage, times, context),
        };
        let foreign = matches!(who, Who::Foreign(_));
        let (status, status_age) = self.status();
        let (integrity, receipt) = match foreign {
            true if input.receipt.is_none() => (Reason::IntegrityNotApplicable, Reason::ReceiptNotApplicable),
            false if input.is_bare_paper() => self.without_evidence(integrity, status),
            _ => (integrity, receipt),
        };
        let waived = receipt == Reason::ReceiptWaived;
        let ages = Ages {
            registry: match who {
                Who::Foreign(_) => context.trust.map(|trust| context.now.since(trust.read_at())),
                _ => context
                    .registry
                    .map(|registry| context.now.since(registry.head().read_at)),
            },
            status: status_age,
            anchors: context.roots.map(|roots| context.now.since(roots.read_at())),
        };
        let reasons = [
            (self.reading.syntax, None),
            (signature, None),
            (self.issuer(who, times), ages.registry),
            (self.holder_binding(), None),
            (self.nonce(), None),
            (self.counter_signature(), None),
            (status, status_age),
            (self.validity(), None),
            (self.acceptance(), None),
            (integrity, None),
            (receipt, if input.receipt.is_some() { ages.anchors } else { None }),
        ];
        let required = self
            .reading
            .category
            .map(|category| category.required_tests(input.copy.format));
        let requires = |test: Test| match test {
            Test::Syntax | Test::Signature | Test::Issuer | Test::Validity => true,
            Test::Nonce | Test::HolderBinding if context.expected.is_some() => true,
            Test::Status if waived => true,
            _ => required.as_ref().is_some_and(|required| required.contains(&test)),
        };
        let tests: Vec<TestResult> = reasons
            .into_iter()
            .map(|(reason, age)| {
                let test = reason.test();
                TestResult {
                    test,
                    outcome: reason.outcome(),
                    reason,
                    required: requires(test),
                    age,
                }
            })
            .collect();
        let verdict = verdict(&tests);
        Report {
            verdict,
            tests,
            format: Some(input.copy.format),
            category: self.reading.category_id.as_deref().cloned(),
            digest: Some(self.digest),
            certificate: self.certificate(verdict, signature, who),
            ages,
            checked_at: context.now,
        }
    }

    /// What is said of integrity and receipt of paper that came alone.
    fn without_evidence(&self, integrity: Reason, status: Reason) -> (Reason, Reason) {
        // What is accepted on its status has to have one.
        if self.context.policy.paper_without_evidence && status != Reason::StatusNotApplicable {
            (Reason::IntegrityWaived, Reason::ReceiptWaived)
        } else {
            (integrity, Reason::EvidenceMissing)
        }
    }

    fn issuer(&self, who: Who<'_>, times: Times) -> Reason {
        let (context, policy) = (self.context, &self.context.policy);
        let stale = |read_at: Timestamp, max_age: i64| context.now.since(read_at) > max_age;
        let (registry, issuer) = match who {
            Who::Own(registry, issuer) => (registry, issuer),
            Who::Foreign(_) => {
                let old = context
                    .trust
                    .is_none_or(|trust| stale(trust.read_at(), policy.trust_max_age));
                return if old {
                    Reason::RegistryStale
                } else {
                    Reason::IssuerTrusted
                };
            }
            Who::Unknown => {
                return match (context.registry, context.trust, &self.input.copy.content) {
                    (None, _, Content::Statement(_)) | (None, None, Content::Hcert(_)) => Reason::RegistryMissing,
                    (Some(registry), ..) if stale(registry.head().read_at, policy.registry_max_age) => {
                        Reason::RegistryStale
                    }
                    _ => Reason::IssuerUnknown,
                };
            }
        };
        match issuer.standing() {
            Standing::Revoked => return Reason::IssuerRevoked,
            Standing::Suspended => return Reason::IssuerSuspended,
            Standing::Active => {}
        }
        // Block times and the issuer's clock differ: what was true a moment later counts too.
        let (then, later) = (times.signed_at, times.signed_at.plus(policy.clock_skew));
        let category = self.reading.category_id.as_deref().map_or("", CategoryId::as_str);
        if issuer.admitted_at() > later {
            Reason::IssuerNotAdmitted
        } else if issuer.standing_at(then) == Some(Standing::Suspended)
            && issuer.standing_at(later) == Some(Standing::Suspended)
        {
            Reason::IssuerSuspended
        } else if !issuer.admitted_for(category, then) && !issuer.admitted_for(category, later) {
            Reason::IssuerCategory
        } else if stale(registry.head().read_at, policy.registry_max_age) {
            Reason::RegistryStale
        } else {
            Reason::IssuerOk
        }
    }

    fn holder_binding(&self) -> Reason {
        let Some(presentation) = &self.input.presentation else {
            return match self.reading.holder {
                Some(_) => Reason::HolderBindingMissing,
                None => Reason::HolderBindingNotApplicable,
            };
        };
        let signed = presentation
            .verify_holder(self.context.provider, self.context.now)
            .is_ok();
        match self.reading.holder {
            _ if !signed => Reason::HolderBindingInvalid,
            Some(holder) if holder == presentation.holder => Reason::HolderBindingOk,
            Some(_) => Reason::HolderBindingInvalid,
            None => Reason::HolderBindingNotApplicable,
        }
    }

    fn nonce(&self) -> Reason {
        let (now, policy) = (self.context.now, &self.context.policy);
        let Some(shown) = &self.input.presentation else {
            return match (self.context.expected, self.reading.holder) {
                (Some(_), Some(_)) => Reason::PresentationMissing,
                _ => Reason::NonceNotApplicable,
            };
        };
        let soon = now.plus(policy.clock_skew);
        let end = match (shown.issued_at, shown.expires_at) {
            (Some(made), Some(end)) => Some(end.min(made.plus(policy.presentation_max_age))),
            (Some(made), None) => Some(made.plus(policy.presentation_max_age)),
            // Without a time of making, nothing bounds how long it may have been about.
            (None, _) => None,
        };
        let future =
            shown.issued_at.is_some_and(|made| made > soon) || shown.not_before.is_some_and(|from| from > soon);
        if future || end.is_none_or(|end| now > end) {
            return Reason::PresentationExpired;
        }
        let Some(expected) = self.context.expected else {
            return Reason::RequestMissing;
        };
        if !shown.audience.contains(&expected.audience) {
            Reason::AudienceMismatch
        } else if shown.nonce.as_ref() != Some(&expected.nonce) {
            Reason::NonceMismatch
        } else if expected.purpose.is_some() && shown.purpose != expected.purpose {
            Reason::PurposeMismatch
        } else {
            Reason::NonceOk
        }
    }

    fn counter_signature(&self) -> Reason {
        match (&self.input.counter_signature, self.reading.holder) {
            (None, None) => Reason::CounterSignatureNotApplicable,
            (None, Some(_)) => Reason::CounterSignatureMissing,
            // Nobody can have counter-signed what is bound to nobody.
            (Some(_), None) => Reason::CounterSignatureInvalid,
            (Some(text), Some(holder)) => {
                let (provider, now) = (self.context.provider, self.context.now);
                let verified = CounterSignature::parse(text)
                    .and_then(|signature| signature.verify(holder, &self.digest, provider, now));
                if verified.is_ok() {
                    Reason::CounterSignatureOk
                } else {
                    Reason::CounterSignatureInvalid
                }
            }
        }
    }

    fn status(&self) -> (Reason, Option<i64>) {
        let Some(reference) = status_of(&self.input.copy) else {
            return (Reason::StatusNotApplicable, None);
        };
        let policy = &self.context.policy;
        let answer =
            self.context
                .status
                .status(reference, self.context.now, policy.status_max_age, policy.status_grace);
        match answer {
            Answer::None => (Reason::StatusMissing, None),
            Answer::Refused => (Reason::StatusInvalid, None),
            Answer::Status { status, age, stale } => {
                let reason = match (status, stale) {
                    // For good, so an old list says it as well as a new one.
                    (Status::Revoked, _) => Reason::Revoked,
                    (Status::Other(_), _) => Reason::StatusInvalid,
                    (Status::Valid | Status::Suspended, true) => Reason::StatusStale,
                    (Status::Suspended, false) => Reason::Suspended,
                    (Status::Valid, false) => Reason::StatusOk,
                };
                (reason, Some(age))
            }
        }
    }

    /// The start may lie ahead by as much as clocks differ; the end is the end.
    fn validity(&self) -> Reason {
        let (now, reading) = (self.context.now, &self.reading);
        let soon = now.plus(self.context.policy.clock_skew);
        if soon < reading.valid_from || soon < reading.issued_at {
            Reason::NotYetValid
        } else if now > reading.valid_until {
            Reason::Expired
        } else {
            Reason::ValidityOk
        }
    }

    fn acceptance(&self) -> Reason {
        match (self.reading.category, &self.reading.claims) {
            (Some(category), Value::Object(claims)) if self.reading.syntax == Reason::SyntaxOk => {
                match category.acceptance(claims) {
                    // A category without rules accepts nothing and refuses nothing: what it says is the verifier's to judge.
                    _ if !category.has_acceptance() => Reason::AcceptanceNotApplicable,
                    Ok(()) => Reason::AcceptanceOk,
                    Err(_) => Reason::NotAcceptable,
                }
            }
            _ => Reason::AcceptanceNotApplicable,
        }
    }

    /// Integrity, receipt, and the anchor's time if all of it holds.
    fn receipt(&self) -> (Reason, Reason, Option<Timestamp>) {
        let provider = self.context.provider;
        let Some(receipt) = &self.input.receipt else {
            return (Reason::IntegrityMissing, Reason::ReceiptMissing, None);
        };
        let anchored = self.anchored();
        let Some(salt) = &self.input.salt else {
            // The anchor may be there, but whether this copy is under it cannot be told.
            return (
                Reason::IntegrityMissing,
                anchored.err().unwrap_or(Reason::ReceiptMissing),
                None,
            );
        };
        let commitment = Commitment::derive(provider, salt, &self.digest);
        match (receipt.verify(provider, &commitment), anchored) {
            (Ok(()), Ok(reason)) => (Reason::IntegrityOk, reason, Some(receipt.anchor.time)),
            (Ok(()), Err(reason)) => (Reason::IntegrityOk, reason, None),
            (Err(ProofError::Root | ProofError::Shape), Err(Reason::RootUnknown)) => {
                (Reason::IntegrityMismatch, Reason::RootUnknown, None)
            }
            (Err(ProofError::Root | ProofError::Shape), _) => {
                (Reason::IntegrityMismatch, Reason::ReceiptMismatch, None)
            }
        }
    }

    /// Whether the ledger has the anchor that the receipt names, in every particular.
    fn anchored(&self) -> Result<Reason, Reason> {
        let receipt = self.input.receipt.as_ref().ok_or(Reason::ReceiptMissing)?;
        let context = self.context;
        let roots = context.roots.ok_or(Reason::LedgerMissing)?;
        let anchor = &receipt.anchor;
        if (anchor.chain_id, anchor.contract) != (roots.chain_id(), roots.contract()) {
            return Err(Reason::RootUnknown);
        }
        match roots.find(&anchor.root) {
            Some(root) if root.anchor == *anchor && root.size == receipt.proof.size => Ok(Reason::ReceiptOk),
            Some(_) => Err(Reason::ReceiptMismatch),
            None => {
                let stale = context.now.since(roots.read_at()) > context.policy.anchors_max_age;
                let later = anchor.block_number > roots.block_number()
                    && anchor.time <= context.now.plus(context.policy.clock_skew);
                Err(if anchor.block_number < roots.from_block() {
                    Reason::LedgerMissing
                } else if stale || later {
                    Reason::LedgerStale
                } else {
                    Reason::RootUnknown
                })
            }
        }
    }

    fn certificate(self, verdict: Verdict, signature: Reason, who: Who<'_>) -> Option<Certificate> {
        let signed = matches!(signature, Reason::SignatureOk | Reason::KeyRevokedSince);
        if verdict == Verdict::Invalid || !signed {
            return None;
        }
        let issuer = match who {
            Who::Own(registry, issuer) => {
                let profile = registry.profile(issuer);
                IssuerSummary {
                    id: issuer.did().to_owned(),
                    name: profile.map(|profile| profile.name.clone()),
                    country: profile.map(|profile| profile.country.clone()),
                }
            }
            Who::Foreign(signer) => IssuerSummary {
                id: format!("x509:{}", signer.digest),
                name: Some(signer.certificate.subject.clone()),
                country: signer.country.clone(),
            },
            Who::Unknown => return None,
        };
        let Self { input, reading, .. } = self;
        let Value::Object(claims) = reading.claims else {
            return None;
        };
        Some(Certificate {
            id: input
                .statement()
                .map_or(reading.uvci, |statement| statement.id.to_string()),
            issuer,
            holder: reading.holder.map(str::to_owned),
            person: reading.person.into_owned(),
            claims,
            issued_at: reading.issued_at,
            valid_from: reading.valid_from,
            valid_until: reading.valid_until,
        })
    }
}

/// A failed test decides; acceptance only where it is required. Then what is required and undecided.
fn verdict(tests: &[TestResult]) -> Verdict {
    let failed =
        |result: &TestResult| result.outcome == Outcome::Failed && (result.required || result.test != Test::Acceptance);
    let undecided =
        |result: &TestResult| result.required && matches!(result.outcome, Outcome::Missing | Outcome::Stale);
    if tests.iter().any(failed) {
        Verdict::Invalid
    } else if tests.iter().any(undecided) {
        Verdict::Undetermined
    } else {
        Verdict::Valid
    }
}
