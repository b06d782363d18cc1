//! The shape of a category's file. `categories/category.schema.json` says the same as JSON Schema; a file is checked against it first, so
//! that errors name a place.

use super::rule::{Rule, Term, Window};
use crate::{
    intake::fhir::Mapping,
    statement::{CategoryId, Format},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use vidimus_core::reason::Test;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[serde(rename = "$comment", default)]
    _comment: Option<String>,
    #[serde(rename = "$schema", default)]
    _schema: Option<String>,
    pub(crate) id: CategoryId,
    pub(crate) version: String,
    pub(crate) texts: BTreeMap<String, Texts>,
    pub(crate) schema: Value,
    #[serde(default)]
    pub(crate) value_sets: BTreeMap<String, String>,
    /// Claims with one possible value, filled in where the input leaves them out.
    #[serde(default)]
    pub(crate) constants: Map<String, Value>,
    /// Date claims computed where the input leaves them out.
    #[serde(default)]
    pub(crate) defaults: BTreeMap<String, Term>,
    /// What the schema cannot say: relations between claims.
    #[serde(default)]
    pub(crate) constraints: Vec<Rule>,
    /// Claims that cannot lie in the future when a result is reported.
    #[serde(default)]
    pub(crate) past: Vec<String>,
    pub(crate) validity: Vec<Window>,
    #[serde(default)]
    pub(crate) acceptance: Vec<Rule>,
    pub(crate) uniqueness: Uniqueness,
    pub(crate) disclosures: Vec<Disclosure>,
    pub(crate) chain: String,
    pub(crate) checks: Checks,
    pub(crate) formats: Vec<Format>,
    #[serde(default)]
    pub(crate) hcert: Option<Hcert>,
    #[serde(default)]
    pub(crate) fhir: Vec<Mapping>,
}

impl File {
    pub(crate) fn texts(&self, language: &str) -> &Texts {
        self.texts
            .get(language)
            .or_else(|| self.texts.get("en"))
            .expect("a file without English texts does not load")
    }
}

/// Words for people, in one language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// The name of the category.
    pub title: String,
    /// One or two sentences.
    pub description: String,
}

/// What makes two certificates of one person the same kind, of which at most one is live.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Uniqueness {
    /// Besides the category: claims whose values tell kinds apart. Usually none.
    pub(crate) claims: Vec<String>,
}

/// An attribute that a verifier can be permitted to see.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// The name that the verifier registry and requests use.
    pub name: String,
    /// JSON pointer into `{"person": …, "claims": …, "valid_from": …, "valid_until": …}`.
    pub pointer: String,
    /// What it is called, by language.
    pub titles: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checks {
    required: Vec<Test>,
    /// By rendering: required tests that it cannot have.
    #[serde(default)]
    except: BTreeMap<Format, BTreeSet<Test>>,
}

impl Checks {
    pub(crate) fn required(&self, format: Format) -> Vec<Test> {
        let except = self.except.get(&format);
        self.required
            .iter()
            .filter(|test| !except.is_some_and(|tests| tests.contains(test)))
            .copied()
            .collect()
    }
}

/// How the claims become an entry of a EU digital COVID certificate, and back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hcert {
    /// `v`, `t` or `r`.
    pub(crate) group: Group,
    /// What an entry of the group has to hold to be of this category.
    #[serde(rename = "match")]
    pub(crate) matches: BTreeMap<String, Value>,
    /// Key of the entry → JSON pointer to the claim.
    pub(crate) fields: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Group {
    V,
    T,
    R,
}

impl Group {
    pub(crate) const ALL: [Self; 3] = [Self::V, Self::T, Self::R];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V => "v",
            Self::T => "t",
            Self::R => "r",
        }
    }
}
