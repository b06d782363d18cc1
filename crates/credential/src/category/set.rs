//! The categories a deployment knows: those built in, and those its files add.

use super::{
    Category, CategoryError, ValueSets,
    consistent::{consistent, escape},
    file::File,
    schema::{Schema, of_parts},
};
use crate::statement::CategoryId;
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

macro_rules! files {
    ($folder:literal: $($name:literal),* $(,)?) => {
        [$((concat!($folder, "/", $name, ".json"), include_str!(concat!("../../", $folder, "/", $name, ".json")))),*]
    };
}

const VALUE_SETS: [(&str, &str); 9] = files!["value-sets":
    "disease-agent-targeted", "test-type", "test-result", "test-manufacturer-and-name", "antibody-test-type", "vaccine-prophylaxis",
    "vaccine-medicinal-product", "vaccine-mah-manf", "country-codes",
];

const CATEGORIES: [(&str, &str); 5] = files!["categories":
    "sars-cov-2-naat", "sars-cov-2-antigen", "sars-cov-2-antibody", "sars-cov-2-recovery", "sars-cov-2-vaccination",
];

static BUILT_IN: LazyLock<Categories> = LazyLock::new(|| {
    let mut set = Categories {
        categories: BTreeMap::new(),
        value_sets: ValueSets::default(),
    };
    for (file, json) in VALUE_SETS {
        set.load_value_set(file, json)
            .expect("compiled in, and loaded by a test");
    }
    for (file, json) in CATEGORIES {
        set.load(file, json).expect("compiled in, and loaded by a test");
    }
    set
});

static FILE_SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let json = include_str!("../../categories/category.schema.json");
    let schema = serde_json::from_str(json).expect("compiled in, and used by a test");
    Schema::compile(&schema)
        .map_err(|(pointer, _)| pointer)
        .expect("compiled in, and used by a test")
});

/// The most bytes a category's file may have.
const MAX_BYTES: usize = 1024 * 1024;

/// Categories by name, with the value sets they use. Cloning is cheap: categories are shared.
#[derive(Debug, Clone)]
pub struct Categories {
    categories: BTreeMap<CategoryId, Arc<Category>>,
    value_sets: ValueSets,
}

impl Categories {
    /// The five SARS-CoV-2 categories and the EU value sets. Parsed and compiled once in a process.
    pub fn built_in() -> Self {
        BUILT_IN.clone()
    }

    /// The category of that name.
    pub fn category(&self, id: &CategoryId) -> Option<&Arc<Category>> {
        self.categories.get(id)
    }

    /// All categories, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Category>> {
        self.categories.values()
    }

    /// The value sets.
    pub fn value_sets(&self) -> &ValueSets {
        &self.value_sets
    }

    /// Adds the value set in `json`, or replaces the one of its name for every category bound to it. Load value sets before categories.
    pub fn load_value_set(&mut self, file: &str, json: &str) -> Result<String, CategoryError> {
        let id = self.value_sets.load(file, json)?;
        let set = self.value_sets.value_set(&id).expect("just loaded");
        for category in self.categories.values_mut() {
            if category.value_sets.iter().any(|(_, bound)| bound.id == id) {
                let bound = &mut Arc::make_mut(category).value_sets;
                bound
                    .iter_mut()
                    .filter(|(_, old)| old.id == id)
                    .for_each(|(_, old)| *old = Arc::clone(set));
            }
        }
        Ok(id)
    }

    /// Adds the category in `json`, or replaces the one of its name. `file` names it in errors; reading it is the caller's.
    pub fn load(&mut self, file: &str, json: &str) -> Result<CategoryId, CategoryError> {
        let error = |pointer: &str, message: String, next: &str| CategoryError {
            file: file.to_owned(),
            pointer: if pointer.is_empty() {
                "/".to_owned()
            } else {
                pointer.to_owned()
            },
            message,
            next: next.to_owned(),
        };
        let value: serde_json::Value = crate::json::parse(json.as_bytes(), MAX_BYTES)
            .map_err(|e| error("/", e.to_string(), "correct the file"))?;
        if let Some(violation) = FILE_SCHEMA.violations(&value).into_iter().next() {
            return Err(error(
                &violation.pointer,
                violation.message,
                "see categories/category.schema.json",
            ));
        }
        let parsed: File = serde_json::from_value(value)
            .map_err(|e| error("/", e.to_string(), "see categories/category.schema.json"))?;
        let schema = Schema::compile(&parsed.schema)
            .map_err(|(pointer, message)| error(&format!("/schema{pointer}"), message, "correct the schema"))?;
        let schema_of_parts = Schema::compile(&of_parts(&parsed.schema))
            .map_err(|(pointer, message)| error(&format!("/schema{pointer}"), message, "correct the schema"))?;
        let mut value_sets = Vec::new();
        for (pointer, name) in &parsed.value_sets {
            let set = self.value_sets.value_set(name).ok_or_else(|| {
                let place = format!("/value_sets/{}", escape(pointer));
                error(
                    &place,
                    format!("there is no value set {name}"),
                    "add the value set's file beside the category's",
                )
            })?;
            value_sets.push((pointer.clone(), Arc::clone(set)));
        }
        consistent(&parsed)
            .map_err(|(pointer, message)| error(&pointer, message, "make the two places of the file agree"))?;
        let id = parsed.id.clone();
        let times = parsed.schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, schema)| matches!(schema["format"].as_str(), Some("date" | "date-time")))
            .map(|(name, _)| name.clone())
            .collect();
        let category = Category {
            file: Arc::new(parsed),
            schema: Arc::new(schema),
            schema_of_parts: Arc::new(schema_of_parts),
            value_sets,
            times,
        };
        self.categories.insert(id.clone(), Arc::new(category));
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_built_in_load() {
        let set = Categories::built_in();
        let names: Vec<_> = set.iter().map(|category| category.id().to_string()).collect();
        assert_eq!(
            names,
            [
                "sars-cov-2-antibody",
                "sars-cov-2-antigen",
                "sars-cov-2-naat",
                "sars-cov-2-recovery",
                "sars-cov-2-vaccination"
            ]
        );
        assert_eq!(set.value_sets().iter().count(), VALUE_SETS.len());
    }
}
