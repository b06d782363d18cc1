//! Results from outside: HL7 FHIR R4 bundles, EU DCC payloads and our own plain form, read into one [`Intake`].
//!
//! Strict and total: any bytes give either an [`Intake`] whose claims its category allows, or a [`Rejection`] that says where, what and what
//! to do. Nothing is guessed, and no issue repeats a personal value.

pub mod claims;
pub mod dcc;
pub mod fhir;
pub mod json;
mod person;

use crate::{
    category::{Categories, Violation},
    statement::{CategoryId, Person},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use vidimus_core::Timestamp;

/// What reading takes besides the bytes.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The categories that results may belong to.
    pub categories: &'a Categories,
    /// The time now: a sample cannot have been taken later.
    pub now: Timestamp,
    /// ISO 3166-1 alpha-2 code of the country of whoever reports; stands in where the input does not say where it was done.
    pub country: Option<&'a str>,
    /// The category asked for. Needed only where a result can become more than one: a positive test is a recovery only when asked.
    pub category: Option<&'a CategoryId>,
}

/// One result as it came in, checked against its category.
#[derive(Clone, PartialEq)]
pub struct Intake {
    /// Whom it is about.
    pub person: Person,
    /// The identity document that the input names, if any: what the person's blind index is made of.
    pub document: Option<IdentityDocument>,
    /// The kind of certificate it can become.
    pub category: CategoryId,
    /// What it says; valid by the category's schema.
    pub claims: Map<String, Value>,
    /// Which form it came in.
    pub source: Source,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake")
            .field("category", &self.category)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// The form of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// HL7 FHIR R4 Bundle.
    Fhir,
    /// EU DCC 1.x JSON payload.
    Dcc,
    /// Our own form: person, category, claims.
    Claims,
}

/// An identity document. Personal: `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityDocument {
    /// What kind.
    #[serde(rename = "type")]
    pub kind: DocumentKind,
    /// ISO 3166-1 alpha-2 code of the issuing state.
    pub country: String,
    /// Its number: `A`–`Z` and `0`–`9` only, upper case, so that one document has one spelling.
    pub number: String,
}

impl IdentityDocument {
    /// One in its one spelling. `country` is an ISO 3166-1 code of two or three letters. None where country or number are none.
    pub fn new(kind: DocumentKind, country: &str, number: &str) -> Option<Self> {
        person::document(kind, country, number)
    }
}

impl fmt::Debug for IdentityDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityDocument(…)")
    }
}

/// The kinds of identity document that name a person for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// Passport (HL7 v2-0203 `PPN`).
    Passport,
    /// National identity card (`NI`, national unique individual identifier).
    NationalId,
    /// Driving licence (`DL`).
    DrivingLicence,
    /// Residence permit (`PRC`, permanent resident card).
    ResidencePermit,
    /// Health card (`HC`) or national health number (`NH`).
    HealthCard,
}

impl DocumentKind {
    /// The name as it stands in files and APIs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passport => "passport",
            Self::NationalId => "national_id",
            Self::DrivingLicence => "driving_licence",
            Self::ResidencePermit => "residence_permit",
            Self::HealthCard => "health_card",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What is wrong with an input. The names are stable: programs match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code { $($(#[$doc])* #[serde(rename = $text)] $name),* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// The stable name.
            pub const fn name(self) -> &'static str { match self { $(Self::$name => $text),* } }
        }
    };
}

codes! {
    /// More bytes than an input may have.
    TooLarge = "too_large";
    /// Not JSON (RFC 8259).
    NotJson = "not_json";
    /// Nested deeper than allowed.
    TooDeep = "too_deep";
    /// An object names a member twice.
    DuplicateKey = "duplicate_key";
    /// JSON, but none of the forms that are read.
    UnknownForm = "unknown_form";
    /// Something that has to be there is not.
    Missing = "missing";
    /// A value of the wrong type or form.
    Malformed = "malformed";
    /// A member that the form does not have.
    Unexpected = "unexpected";
    /// The bundle is about several people.
    SeveralSubjects = "several_subjects";
    /// The bundle has several results, or the payload several entries.
    SeveralResults = "several_results";
    /// No result in the bundle.
    NoResult = "no_result";
    /// A reference that leads nowhere in the bundle, or to the wrong kind of resource.
    BadReference = "bad_reference";
    /// The result is preliminary, cancelled, or entered in error.
    NotFinal = "not_final";
    /// A code that no category accepts.
    UnknownCode = "unknown_code";
    /// Codes of one concept that contradict each other.
    ContradictoryCodes = "contradictory_codes";
    /// A time that has not come yet.
    Future = "future";
    /// The category asked for does not exist, or does not fit the result.
    WrongCategory = "wrong_category";
    /// The claims break the category's schema, value sets or constraints.
    Claims = "claims";
    /// A name in a script that is not transliterated here.
    Transliteration = "transliteration";
    /// A DCC payload that the schema of its version does not allow.
    DccSchema = "dcc_schema";
}

/// One thing that is wrong with an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// Where: FHIRPath-like for bundles (`Bundle.entry[1].resource.code`), JSON pointer otherwise.
    pub location: String,
    /// What, for programs.
    pub code: Code,
    /// What, for people. Never repeats a personal value.
    pub message: String,
    /// What to do.
    pub next: String,
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.location, self.message, self.next)
    }
}

/// Why an input was not taken: one issue or more, the most telling first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.issues.first().map(ToString::to_string).unwrap_or_default())]
pub struct Rejection {
    /// At least one.
    pub issues: Vec<Issue>,
}

/// Reads any of the forms, recognised by its members: `resourceType` (FHIR), `ver` and `nam` (DCC), `category` (ours).
pub fn read(bytes: &[u8], context: &Context<'_>) -> Result<Intake, Rejection> {
    let value = json::parse(bytes, fhir::MAX_BYTES)?;
    if value.get("resourceType").is_some() {
        fhir::read_value(&value, context)
    } else if value.get("ver").is_some() || value.get("nam").is_some() {
        dcc::read_value(&value, context)
    } else if value.get("category").is_some() {
        claims::read_value(&value, context)
    } else {
        Err(Rejection::one(
            "/",
            Code::UnknownForm,
            "neither a FHIR bundle, a DCC payload, nor an object with person, category and claims",
            "send one of the three forms",
        ))
    }
}

impl Rejection {
    pub(crate) fn one(
        location: impl Into<String>,
        code: Code,
        message: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            issues: vec![Issue {
                location: location.into(),
                code,
                message: message.into(),
                next: next.into(),
            }],
        }
    }

    fn violations(violations: Vec<Violation>) -> Self {
        let issues = violations
            .into_iter()
            .map(|violation| Issue {
                location: format!("/claims{}", violation.pointer),
                code: match violation.code.as_str() {
                    "future" => Code::Future,
                    "required" => Code::Missing,
                    _ => Code::Claims,
                },
                message: violation.message,
                next: "correct the claim, or choose the category that fits".into(),
            })
            .collect();
        Self { issues }
    }
}
