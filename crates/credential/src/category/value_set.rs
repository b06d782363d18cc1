//! Value sets: the codes that a claim may hold, with the words for people.

use super::{CategoryError, consistent::escape, files::MAX_FILE};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

/// A list of codes, such as the EU's list of vaccines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueSet {
    #[serde(rename = "$comment", default)]
    _comment: Option<String>,
    /// The name that categories bind claims to.
    pub id: String,
    /// `YYYY-MM-DD` or `major.minor.patch`.
    pub version: String,
    /// The code system of concepts that name none.
    pub system: String,
    /// The concepts by code.
    pub concepts: BTreeMap<String, Concept>,
}

/// One code of a value set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concept {
    /// The words for it by language; `en` is always there.
    pub display: BTreeMap<String, String>,
    /// Its code system, where it is not the set's.
    #[serde(default)]
    pub system: Option<String>,
    /// Whether it may be issued. One that is retired still reads.
    #[serde(default = "active")]
    pub active: bool,
}

fn active() -> bool {
    true
}

impl Concept {
    /// The words in `language`, in English where there are none.
    pub fn text(&self, language: &str) -> &str {
        self.display
            .get(language)
            .or_else(|| self.display.get("en"))
            .map_or("", String::as_str)
    }
}

/// Value sets by name. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct ValueSets(BTreeMap<String, Arc<ValueSet>>);

impl ValueSets {
    /// The value set of that name.
    pub fn value_set(&self, id: &str) -> Option<&Arc<ValueSet>> {
        self.0.get(id)
    }
    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ValueSet>> {
        self.0.values()
    }

    /// Adds the value set in `json`, in place of one with the same name. `file` names it in errors.
    pub(crate) fn load(&mut self, file: &str, json: &str) -> Result<String, CategoryError> {
        let error = |pointer: &str, message: String| CategoryError {
            file: file.to_owned(),
            pointer: pointer.to_owned(),
            message,
            next: "correct the value set's file".to_owned(),
        };
        let value = crate::json::parse(json.as_bytes(), MAX_FILE).map_err(|e| error("/", e.to_string()))?;
        let set: ValueSet = serde_json::from_value(value).map_err(|e| error("/", e.to_string()))?;
        if let Some((code, _)) = set
            .concepts
            .iter()
            .find(|(_, concept)| !concept.display.contains_key("en"))
        {
            return Err(error(
                &format!("/concepts/{}/display/en", escape(code)),
                "every concept has an English text".to_owned(),
            ));
        }
        let id = set.id.clone();
        self.0.insert(id.clone(), Arc::new(set));
        Ok(id)
    }
}
