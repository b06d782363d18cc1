//! Categories: the kinds of certificate, described by data files and not by code.
//!
//! A category's file (`categories/*.json`) holds its texts, the JSON Schema of its claims, the value sets its codes come from, when a
//! certificate is valid and acceptable, what makes it unique, what a verifier may be permitted to see, which tests a check requires, how it
//! becomes a EU digital COVID certificate, and how it is read from HL7 FHIR. Adding a category means adding a file.

mod consistent;
mod dcc;
mod file;
mod files;
mod rule;
mod schema;
mod set;
mod span;
pub mod transliteration;
pub mod uvci;
mod value_set;

pub use dcc::{Dcc, DccError, Strictness, check_dcc};
pub use file::{Disclosure, Texts};
pub use files::{Added, Source};
pub use set::Categories;
pub use value_set::{Concept, ValueSet, ValueSets};

use crate::statement::{CategoryId, Format, Statement};
use rule::Term;
use serde_json::{Map, Value};
use span::Moment;
use std::{fmt, sync::Arc};
use vidimus_core::{Timestamp, reason::Test};

/// One kind of certificate. Made only by [`Categories`], which checks the file; cheap to share.
#[derive(Clone)]
pub struct Category {
    file: Arc<file::File>,
    schema: Arc<schema::Schema>,
    /// The same for claims of which some are not shown.
    schema_of_parts: Arc<schema::Schema>,
    value_sets: Vec<(String, Arc<ValueSet>)>,
    /// The claims that are dates or times.
    times: Vec<String>,
}

/// Something in the claims that the category does not allow. `message` never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the claim.
    pub pointer: String,
    /// Stable name of what is wrong: the JSON Schema keyword (`required`, `pattern`, …), `value_set`, `constraint` or `future`.
    pub code: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// From when until when a certificate speaks, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: Timestamp,
    /// The last second.
    pub until: Timestamp,
}

/// An acceptance rule that the claims do not meet.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Refusal {
    /// The rule's name within the category.
    pub rule: String,
    /// Why, in English.
    pub message: String,
}

/// A category's file or a value set's file cannot be used. Never holds personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {pointer}: {message}; {next}")]
pub struct CategoryError {
    /// The file, as the caller named it.
    pub file: String,
    /// JSON pointer to what is wrong (`/` for the whole file).
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub next: String,
}

/// The claims do not say what a time rule of the category needs; [`Category::validate`] them first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{category}: no time can be computed from the claim at {pointer}")]
pub struct ValidityError {
    /// The category.
    pub category: CategoryId,
    /// JSON pointer to the claim.
    pub pointer: String,
}

impl Category {
    /// The name.
    pub fn id(&self) -> &CategoryId {
        &self.file.id
    }
    /// The file's version, `major.minor.patch`.
    pub fn version(&self) -> &str {
        &self.file.version
    }
    /// Title and description in `language` (`en`, `de`, …), in English where there is none.
    pub fn texts(&self, language: &str) -> &Texts {
        self.file.texts(language)
    }
    /// The languages that the category has texts in.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.file.texts.keys().map(String::as_str)
    }
    /// The JSON Schema (draft 2020-12) of the claims.
    pub fn schema(&self) -> &Value {
        &self.file.schema
    }
    /// Which value set the claim at each JSON pointer is bound to.
    pub fn value_sets(&self) -> impl Iterator<Item = (&str, &ValueSet)> {
        self.value_sets
            .iter()
            .map(|(pointer, set)| (pointer.as_str(), set.as_ref()))
    }
    /// The renderings that this category allows.
    pub fn formats(&self) -> &[Format] {
        &self.file.formats
    }
    /// Whether a rendering is allowed.
    pub fn permits(&self, format: Format) -> bool {
        self.file.formats.contains(&format)
    }
    /// The chain that commitments of this category are anchored on.
    pub fn chain(&self) -> &str {
        &self.file.chain
    }
    /// The tests that a check of this rendering requires: a failed one makes it invalid, a missing or stale one undetermined.
    pub fn required_tests(&self, format: Format) -> Vec<Test> {
        self.file.checks.required(format)
    }
    /// Whether a check of this rendering requires `test`.
    pub fn requires(&self, test: Test, format: Format) -> bool {
        self.file.checks.required(format).contains(&test)
    }
    /// The attributes that a verifier may be permitted to see.
    pub fn disclosures(&self) -> &[Disclosure] {
        &self.file.disclosures
    }
    /// The attribute of that name.
    pub fn disclosure(&self, name: &str) -> Option<&Disclosure> {
        self.file.disclosures.iter().find(|disclosure| disclosure.name == name)
    }
}

impl Category {
    /// Whether a result may be stated and issued as this category: the schema, the value sets (retired codes included) and the constraints
    /// between claims.
    pub fn validate(&self, claims: &Map<String, Value>) -> Result<(), Vec<Violation>> {
        let mut violations = self.schema_violations(claims);
        for (pointer, set) in &self.value_sets {
            let Some(code) = rule::at(claims, pointer).and_then(Value::as_str) else {
                continue;
            };
            if !set.concepts.contains_key(code) {
                let message = format!("not a code of the value set {} ({})", set.id, set.version);
                violations.push(Violation {
                    pointer: pointer.clone(),
                    code: "value_set".to_owned(),
                    message,
                });
            }
        }
        // A relation between claims that are themselves wrong says nothing more.
        if violations.is_empty() {
            for constraint in self.file.constraints.iter().filter(|rule| !rule.holds.holds(claims)) {
                let pointer = constraint.claim.clone().unwrap_or_else(|| "/".to_owned());
                let message = constraint.text().to_owned();
                violations.push(Violation {
                    pointer,
                    code: "constraint".to_owned(),
                    message,
                });
            }
        }
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// [`Self::validate`] for a result reported at `now`: what lies in the past by its nature cannot be in the future. Allows the reporter's
    /// clock five minutes, and a bare date the time zones ahead of UTC.
    pub fn validate_at(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<(), Vec<Violation>> {
        const SKEW: i64 = 300;
        const EASTERNMOST: i64 = 14 * 3_600;
        self.validate(claims)?;
        let mut violations = Vec::new();
        for pointer in &self.file.past {
            let Some(moment) = rule::at(claims, pointer)
                .and_then(Value::as_str)
                .and_then(Moment::parse)
            else {
                continue;
            };
            let allowed = match moment {
                Moment::Day(_) => EASTERNMOST,
                Moment::Second(_) => SKEW,
            };
            if moment.start() > now.plus(allowed) {
                let message = "lies in the future".to_owned();
                violations.push(Violation {
                    pointer: pointer.clone(),
                    code: "future".to_owned(),
                    message,
                });
            }
        }
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// Whether claims that somebody else signed have the category's shape. Codes outside the value sets and broken constraints are let
    /// pass: a verifier meets lists newer than its own.
    pub fn validate_foreign(&self, claims: &Map<String, Value>) -> Result<(), Vec<Violation>> {
        let violations = self.schema_violations(claims);
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// Whether [`Self::validate_foreign`] would let these pass; copies nothing.
    pub(crate) fn has_shape(&self, claims: &Value) -> bool {
        self.schema.is_valid(claims)
            && claims
                .as_object()
                .is_some_and(|claims| self.wrong_times(claims).next().is_none())
    }

    /// [`Self::has_shape`] of claims of which some may not be shown.
    pub(crate) fn has_shape_of_parts(&self, claims: &Map<String, Value>) -> bool {
        self.wrong_times(claims).next().is_none() && self.schema_of_parts.is_valid(&Value::Object(claims.clone()))
    }

    fn schema_violations(&self, claims: &Map<String, Value>) -> Vec<Violation> {
        let violations = self.schema.violations(&Value::Object(claims.clone()));
        if !violations.is_empty() {
            return violations;
        }
        let message = "must be a time of the years 1900 to 2199, to the second".to_owned();
        self.wrong_times(claims)
            .map(|name| Violation {
                pointer: format!("/{name}"),
                code: "format".to_owned(),
                message: message.clone(),
            })
            .collect()
    }

    /// What a schema takes for a time has to be one for the rules too, or they would pass over it.
    fn wrong_times<'a>(&'a self, claims: &'a Map<String, Value>) -> impl Iterator<Item = &'a String> {
        let wrong = |name: &&String| claims.get(*name).is_some_and(|value| !is_time(value));
        self.times.iter().filter(wrong)
    }

    /// Fills in what the category knows without being told: constants, and dates computed from other claims.
    pub fn complete(&self, claims: &mut Map<String, Value>) {
        for (name, value) in &self.file.constants {
            if !claims.contains_key(name) {
                claims.insert(name.clone(), value.clone());
            }
        }
        for (name, term) in &self.file.defaults {
            if !claims.contains_key(name)
                && let Some(date) = term.resolve(claims, Timestamp(0)).and_then(Moment::date_text)
            {
                claims.insert(name.clone(), Value::String(date));
            }
        }
    }

    /// From when until when a certificate with these claims speaks if it is signed at `issued_at`: the first of the category's windows whose
    /// condition holds. It can be over already: what is issued then would never be valid.
    pub fn validity(&self, claims: &Map<String, Value>, issued_at: Timestamp) -> Result<Validity, ValidityError> {
        let error = |pointer: &str| ValidityError {
            category: self.id().clone(),
            pointer: pointer.to_owned(),
        };
        let window = self
            .file
            .validity
            .iter()
            .find(|window| window.when.as_ref().is_none_or(|when| when.holds(claims)))
            .ok_or_else(|| error("/"))?;
        let resolve = |term: &Term| term.resolve(claims, issued_at).ok_or_else(|| error(&term.of));
        let from: Result<Vec<_>, _> = window
            .from
            .iter()
            .map(|term| resolve(term).map(Moment::start))
            .collect();
        let until: Result<Vec<_>, _> = window.until.iter().map(|term| resolve(term).map(Moment::end)).collect();
        Ok(Validity {
            from: from?.into_iter().max().ok_or_else(|| error("/"))?,
            until: until?.into_iter().min().ok_or_else(|| error("/"))?,
        })
    }

    /// Whether the content is what a verifier accepts (a negative test, a complete series), whatever the time: that is [`Self::validity`].
    pub fn acceptance(&self, claims: &Map<String, Value>) -> Result<(), Vec<Refusal>> {
        let refusals: Vec<_> = self
            .file
            .acceptance
            .iter()
            .filter(|rule| !rule.holds.holds(claims))
            .map(|rule| Refusal {
                rule: rule.name.clone(),
                message: rule.text().to_owned(),
            })
            .collect();
        if refusals.is_empty() { Ok(()) } else { Err(refusals) }
    }

    /// [`Self::acceptance`] of claims of which some may not be shown: `None` where it depends on those.
    pub fn acceptance_of_parts(&self, claims: &Map<String, Value>) -> Option<bool> {
        let mut open = false;
        for rule in &self.file.acceptance {
            match rule.holds.holds_of_parts(claims) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => open = true,
            }
        }
        (!open).then_some(true)
    }

    /// Whether the category has rules of acceptance at all.
    pub fn has_acceptance(&self) -> bool {
        !self.file.acceptance.is_empty()
    }

    /// Which kind this is: of certificates of one kind a person has at most one that is live.
    pub fn kind(&self, claims: &Map<String, Value>) -> String {
        let mut kind = self.id().to_string();
        for pointer in &self.file.uniqueness.claims {
            let value = rule::at(claims, pointer).map(ToString::to_string).unwrap_or_default();
            kind.push_str(&format!("/{}={value}", pointer.trim_start_matches('/')));
        }
        kind
    }

    /// The words for the code at `pointer`, in `language`, where the claim is bound to a value set that has it.
    pub fn display(&self, pointer: &str, claims: &Map<String, Value>, language: &str) -> Option<&str> {
        let (_, set) = self.value_sets.iter().find(|(bound, _)| bound == pointer)?;
        let code = rule::at(claims, pointer)?.as_str()?;
        set.concepts.get(code).map(|concept| concept.text(language))
    }

    pub(crate) fn fhir(&self) -> &[crate::intake::fhir::Mapping] {
        &self.file.fhir
    }

    fn is_date(&self, claim: &str) -> bool {
        self.file.schema["properties"][claim]["format"] == "date"
    }
}

fn is_time(value: &Value) -> bool {
    let moment = value.as_str().and_then(Moment::parse);
    moment.is_some_and(|moment| (1900..2200).contains(&moment.year()))
}

/// Whether `text` is a day of the calendar, `YYYY-MM-DD`.
pub(crate) fn is_date(text: &str) -> bool {
    span::date(text).is_some()
}

impl Disclosure {
    /// The attribute's value in a statement. Nothing where the statement does not say it.
    pub fn value(&self, statement: &Statement) -> Option<Value> {
        if let Some(claim) = self.pointer.strip_prefix("/claims") {
            return rule::at(&statement.claims, claim).cloned();
        }
        let person = &statement.person;
        let text = match self.pointer.as_str() {
            "/person/family_name" => person.family_name.clone(),
            "/person/given_name" => person.given_name.clone(),
            "/person/family_name_transliterated" => person.family_name_transliterated.clone(),
            "/person/given_name_transliterated" => person.given_name_transliterated.clone(),
            "/person/birth_date" => person.birth_date.clone(),
            "/valid_from" => statement.valid_from.to_rfc3339(),
            "/valid_until" => statement.valid_until.to_rfc3339(),
            _ => return None,
        };
        (!text.is_empty()).then_some(Value::String(text))
    }

    /// The attribute's value in what a check shows of a certificate. Nothing where the certificate does not say it, or did not disclose it.
    pub fn shown(&self, certificate: &crate::check::Certificate) -> Option<Value> {
        if let Some(claim) = self.pointer.strip_prefix("/claims") {
            return rule::at(&certificate.claims, claim).cloned();
        }
        let person = &certificate.person;
        let text = match self.pointer.as_str() {
            "/person/family_name" => person.family_name.clone()?,
            "/person/given_name" => person.given_name.clone()?,
            "/person/family_name_transliterated" => person.family_name_transliterated.clone()?,
            "/person/given_name_transliterated" => person.given_name_transliterated.clone()?,
            "/person/birth_date" => person.birth_date.clone()?,
            "/valid_from" => certificate.valid_from.to_rfc3339(),
            "/valid_until" => certificate.valid_until.to_rfc3339(),
            _ => return None,
        };
        (!text.is_empty()).then_some(Value::String(text))
    }
}

impl fmt::Debug for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Category({} {})", self.file.id, self.file.version)
    }
}
