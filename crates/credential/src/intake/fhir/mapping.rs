//! How a category's results are read from FHIR, as its file says it.

use super::path::Path;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One way in which a category's results come.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    #[serde(rename = "$comment", default)]
    _comment: Option<String>,
    /// Type of the resource that holds the result.
    pub resource: String,
    /// Path to the concept that says what the result is.
    pub concept: Path,
    /// The codes of that concept that make it this category.
    pub codes: Vec<Meaning>,
    /// Only where the reporter asks for this category.
    #[serde(default)]
    pub when_asked: bool,
    /// Path → the values that are final.
    pub status: BTreeMap<Path, Vec<String>>,
    /// References to evidence: what they lead to is not a result of its own.
    #[serde(default)]
    pub supports: Vec<Path>,
    /// Concepts that have to be there with certain codes.
    #[serde(default)]
    pub require: Vec<Requirement>,
    /// Where each claim is found.
    pub claims: BTreeMap<String, Extract>,
}

/// What a code means for a category.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// The code system's URI.
    pub system: String,
    /// The code.
    pub code: String,
    /// The words for it; for readers of the file only.
    #[serde(default, rename = "display")]
    _display: Option<String>,
    /// What the claim becomes.
    #[serde(default)]
    pub value: Option<String>,
    /// Claims that the code says.
    #[serde(default)]
    pub claims: Map<String, Value>,
}

/// A concept that has to be there with one of these codes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Where, first match first.
    pub paths: Vec<Path>,
    /// Which codes.
    pub codes: Vec<Meaning>,
}

/// Where a claim is found and how it is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extract {
    /// How.
    pub read: Kind,
    /// Where: the first path that leads to something.
    pub paths: Vec<Path>,
    /// For concepts: what their codes become.
    #[serde(default)]
    pub codes: Vec<Meaning>,
    /// For identifiers: those of this system only.
    #[serde(default)]
    pub system: Option<String>,
}

/// How a claim is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// CodeableConcept, by the codes given.
    Concept,
    /// Identifier: its value.
    Identifier,
    /// date or dateTime, to the day.
    Date,
    /// dateTime or instant, to the second, with an offset.
    DateTime,
    /// positiveInt, or a string that holds one.
    Integer,
    /// string.
    Text,
    /// Address.country as ISO 3166-1 alpha-2.
    Country,
}
