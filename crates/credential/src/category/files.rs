//! What a deployment adds: files of categories and of value sets in any order, told apart by their form.

use super::{Categories, CategoryError};
use std::collections::{BTreeMap, btree_map::Entry};

/// The most bytes of one file: a list of all medicinal products of a country stays well below this.
pub(super) const MAX_FILE: usize = 16 * 1024 * 1024;

/// A file's text, under the name that errors give it.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// What it holds, JSON.
    pub text: String,
}

/// The texts of files that were added, as an offline bundle carries them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// Value sets.
    pub value_sets: Vec<String>,
    /// Categories.
    pub categories: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    ValueSet,
    Category,
}

impl Categories {
    /// Adds categories and the value sets they need, value sets first. What is built in is replaced by a file that names the same; two
    /// files that name the same are refused, since which of them counted would be chance.
    pub fn add(&mut self, files: Vec<Source>) -> Result<Added, CategoryError> {
        let mut sorted = files
            .into_iter()
            .map(|file| Ok((kind(&file)?, file)))
            .collect::<Result<Vec<_>, CategoryError>>()?;
        sorted.sort_by_key(|(kind, _)| *kind);
        let (mut added, mut seen) = (Added::default(), BTreeMap::new());
        for (kind, Source { name, text }) in sorted {
            let id = match kind {
                Kind::ValueSet => self.load_value_set(&name, &text)?,
                Kind::Category => self.load(&name, &text)?.to_string(),
            };
            match seen.entry((kind, id)) {
                Entry::Vacant(place) => drop(place.insert(name)),
                Entry::Occupied(other) => {
                    let message = format!("{} is the id of {} too", other.key().1, other.get());
                    return Err(refused(&name, "/id", message, "keep one of the two files"));
                }
            }
            match kind {
                Kind::ValueSet => added.value_sets.push(text),
                Kind::Category => added.categories.push(text),
            }
        }
        Ok(added)
    }
}

/// A value set has concepts, a category has a schema.
fn kind(file: &Source) -> Result<Kind, CategoryError> {
    let value = crate::json::parse(file.text.as_bytes(), MAX_FILE)
        .map_err(|error| refused(&file.name, "/", error.to_string(), "correct the file"))?;
    if value.get("concepts").is_some() {
        Ok(Kind::ValueSet)
    } else if value.get("schema").is_some() {
        Ok(Kind::Category)
    } else {
        let message = "neither a category, which has a `schema`, nor a value set, which has `concepts`";
        let next = "correct the file, or take it out of this directory";
        Err(refused(&file.name, "/", message.to_owned(), next))
    }
}

fn refused(file: &str, pointer: &str, message: String, next: &str) -> CategoryError {
    CategoryError {
        file: file.to_owned(),
        pointer: pointer.to_owned(),
        message,
        next: next.to_owned(),
    }
}
