//! The evaluation of all tests.

use super::{
    Ages, Certificate, Context, Input, IssuerSummary, Report, Signer, TestResult, Verdict,
    input::status_of,
    lists::{Answer, Time},
    reading::{Holder, Named, Reading},
    registry::Standing,
    signer::{self, Times, Who},
};
use crate::{
    countersign::{CounterSignature, CounterSignatureError},
    format::Content,
    sd_jwt::key_binding::{KeyBinding, KeyBindingError, Window},
    statement::{CategoryId, Format},
    status::Status,
};
use serde_json::{Map, Value};
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
        Content::Hcert(_) | Content::SdJwtVc(_) => Map::new(),
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
            Content::SdJwtVc(content) => signer::of_sd_jwt_vc(&input.copy, content, &self.digest, times, context),
        };
        let foreign = who.is_foreign();
        let (status, status_age) = self.status(&who);
        let has_status = status_of(&input.copy).is_some();
        let (integrity, receipt) = match foreign {
            true if input.receipt.is_none() => (Reason::IntegrityNotApplicable, Reason::ReceiptNotApplicable),
            false if input.is_bare_paper() => self.without_evidence(integrity, has_status),
            _ => (integrity, receipt),
        };
        let waived = receipt == Reason::ReceiptWaived;
        let ages = Ages {
            registry: match foreign {
                true => context.trust.map(|trust| context.now.since(trust.read_at())),
                false => context
                    .registry
                    .map(|registry| context.now.since(registry.head().read_at)),
            },
            status: status_age,
            anchors: context.roots.map(|roots| context.now.since(roots.read_at())),
        };
        let reasons = [
            (self.reading.syntax, None),
            (signature, None),
            (self.issuer(&who, times), ages.registry),
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
            // What no category speaks for, and what is not ours, is good only where its own status says so.
            Test::Status if has_status && (foreign || self.reading.category.is_none()) => true,
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
    fn without_evidence(&self, integrity: Reason, has_status: bool) -> (Reason, Reason) {
        // What is accepted on its status has to have one.
        if self.context.policy.paper_without_evidence && has_status {
            (Reason::IntegrityWaived, Reason::ReceiptWaived)
        } else {
            (integrity, Reason::EvidenceMissing)
        }
    }

    fn issuer(&self, who: &Who<'_>, times: Times) -> Reason {
        let (context, policy) = (self.context, &self.context.policy);
        let stale = |read_at: Timestamp, max_age: i64| context.now.since(read_at) > max_age;
        let (registry, issuer) = match who {
            Who::Own(registry, issuer) => (*registry, *issuer),
            Who::Foreign(_) | Who::Certified(..) | Who::Known(..) => {
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
                    (None, _, Content::Statement(_)) | (None, None, Content::Hcert(_) | Content::SdJwtVc(_)) => {
                        Reason::RegistryMissing
                    }
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

    /// The key binding that an SD-JWT VC was shown with.
    fn key_binding(&self) -> Option<&KeyBinding> {
        match &self.input.copy.content {
            Content::SdJwtVc(content) => content.binding.as_ref(),
            Content::Statement(_) | Content::Hcert(_) => None,
        }
    }

    fn holder_binding(&self) -> Reason {
        if let Content::SdJwtVc(content) = &self.input.copy.content
            && content.binding.is_some()
        {
            return match content.verify_binding(self.context.provider) {
                Ok(()) => Reason::HolderBindingOk,
                Err(_) => Reason::HolderBindingInvalid,
            };
        }
        let Some(presentation) = &self.input.presentation else {
            return match self.reading.holder {
                Holder::Did(_) | Holder::Key(_) => Reason::HolderBindingMissing,
                Holder::Nobody => Reason::HolderBindingNotApplicable,
            };
        };
        let signed = presentation
            .verify_holder(self.context.provider, self.context.now)
            .is_ok();
        match self.reading.holder {
            _ if !signed => Reason::HolderBindingInvalid,
            Holder::Did(holder) if holder == presentation.holder => Reason::HolderBindingOk,
            Holder::Did(_) | Holder::Key(_) => Reason::HolderBindingInvalid,
            Holder::Nobody => Reason::HolderBindingNotApplicable,
        }
    }

    fn nonce(&self) -> Reason {
        let (now, policy) = (self.context.now, &self.context.policy);
        if let Some(binding) = self.key_binding() {
            return self.answers(binding);
        }
        let Some(shown) = &self.input.presentation else {
            return match (self.context.expected, self.reading.holder) {
                (Some(_), Holder::Did(_) | Holder::Key(_)) => Reason::PresentationMissing,
                _ => Reason::NonceNotApplicable,
            };
        };
        let soon = now.plus(policy.clock_skew);
        // One that says no time of making (OpenID4VP 1.0 asks for none) is as old as the nonce of its request, which is the caller's to bound.
        let made = shown.issued_at.map(|made| made.plus(policy.presentation_max_age));
        let end = [made, shown.expires_at].into_iter().flatten().min();
        let future =
            shown.issued_at.is_some_and(|made| made > soon) || shown.not_before.is_some_and(|from| from > soon);
        if future || end.is_some_and(|end| now > end) {
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

    /// Whether a key binding answers the request. It names no purpose: nonce and audience lead to the one request, which had one.
    fn answers(&self, binding: &KeyBinding) -> Reason {
        let policy = &self.context.policy;
        let window = Window {
            now: self.context.now,
            max_age: policy.presentation_max_age,
            skew: policy.clock_skew,
        };
        let answer = match self.context.expected {
            Some(expected) => binding.verify_request(&expected.audience, &expected.nonce, &window),
            None => binding.verify_time(&window),
        };
        match answer {
            Ok(()) if self.context.expected.is_none() => Reason::RequestMissing,
            Ok(()) => Reason::NonceOk,
            Err(KeyBindingError::Audience) => Reason::AudienceMismatch,
            Err(KeyBindingError::Nonce) => Reason::NonceMismatch,
            Err(_) => Reason::PresentationExpired,
        }
    }

    fn counter_signature(&self) -> Reason {
        match (&self.input.counter_signature, self.reading.holder) {
            (None, Holder::Nobody) => Reason::CounterSignatureNotApplicable,
            (None, Holder::Did(_) | Holder::Key(_)) => Reason::CounterSignatureMissing,
            // Nobody can have counter-signed what is bound to nobody.
            (Some(_), Holder::Nobody) => Reason::CounterSignatureInvalid,
            (Some(text), Holder::Did(holder)) => {
                let (provider, now) = (self.context.provider, self.context.now);
                counter_signed(text, |signature| signature.verify(holder, &self.digest, provider, now))
            }
            (Some(text), Holder::Key(key)) => counter_signed(text, |signature| {
                signature.verify_by_key(key, &self.digest, self.context.provider)
            }),
        }
    }

    fn status(&self, who: &Who<'_>) -> (Reason, Option<i64>) {
        let Some(reference) = status_of(&self.input.copy) else {
            return (self.no_status(who), None);
        };
        let policy = &self.context.policy;
        let time = Time {
            now: self.context.now,
            max_age: policy.status_max_age,
            grace: policy.status_grace,
        };
        let answer = match self.context.trust {
            Some(trust) if who.is_foreign() => {
                let above = match &self.input.copy.content {
                    Content::SdJwtVc(content) => content.chain.get(1..).unwrap_or_default(),
                    Content::Statement(_) | Content::Hcert(_) => &[],
                };
                match trust.status_list(&reference.token_list) {
                    None => Answer::None,
                    Some(None) => Answer::Refused,
                    Some(Some(list)) => list.answer(reference.index, who, above, trust, &time, self.context.provider),
                }
            }
            _ => self.context.status.status(reference, &time),
        };
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

    /// What it means that a certificate refers to no status: health certificates of other countries have none, whatever is required of ours.
    fn no_status(&self, who: &Who<'_>) -> Reason {
        let format = self.input.copy.format;
        let required = self
            .reading
            .category
            .is_some_and(|category| category.requires(Test::Status, format));
        if required && (format != Format::Hcert || matches!(who, Who::Own(..))) {
            Reason::StatusAbsent
        } else {
            Reason::StatusNotApplicable
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
            (Some(category), Value::Object(claims))
                if self.reading.syntax == Reason::SyntaxOk && self.input.copy.format == Format::SdJwtVc =>
            {
                match category.acceptance_of_parts(claims) {
                    _ if !category.has_acceptance() => Reason::AcceptanceNotApplicable,
                    Some(true) => Reason::AcceptanceOk,
                    Some(false) => Reason::NotAcceptable,
                    None => Reason::AcceptanceUndisclosed,
                }
            }
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
            Who::Foreign(signer) => certified(signer),
            Who::Certified(signer, _) => certified(&signer),
            Who::Known(issuer, _) => IssuerSummary {
                id: issuer.to_owned(),
                name: None,
                country: None,
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
                .map_or(reading.id, |statement| statement.id.to_string()),
            issuer,
            holder: match reading.holder {
                Holder::Did(did) => Some(did.to_owned()),
                Holder::Key(_) | Holder::Nobody => None,
            },
            person: match reading.person {
                Named::Whole(person) => person.into_owned().into(),
                Named::Disclosed(person) => person,
            },
            claims,
            issued_at: reading.issued_at,
            valid_from: reading.valid_from,
            valid_until: reading.valid_until,
        })
    }
}

fn counter_signed(text: &str, verify: impl FnOnce(CounterSignature) -> Result<(), CounterSignatureError>) -> Reason {
    match CounterSignature::parse(text).and_then(verify) {
        Ok(()) => Reason::CounterSignatureOk,
        Err(_) => Reason::CounterSignatureInvalid,
    }
}

fn certified(signer: &Signer) -> IssuerSummary {
    IssuerSummary {
        id: format!("x509:{}", signer.digest),
        name: Some(signer.certificate.subject.clone()),
        country: signer.country.clone(),
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
