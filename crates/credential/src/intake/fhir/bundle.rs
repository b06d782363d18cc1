//! A bundle's entries, found by reference, each part with its place.

use crate::intake::{Code, Rejection};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Types of bundle that carry data as such. Search results, histories and responses are about data.
const TYPES: [&str; 5] = ["collection", "document", "message", "transaction", "batch"];

/// A part of a bundle and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    /// FHIRPath-like, such as `Bundle.entry[1].resource.code`.
    pub(super) location: String,
    /// Index of the entry that it is part of.
    pub(super) entry: usize,
}

impl<'a> Node<'a> {
    /// The member of that name; of a list, its items. `null`s are nothing.
    pub(super) fn members(&self, name: &str) -> Vec<Node<'a>> {
        let location = format!("{}.{name}", self.location);
        match self.value.get(name) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .filter(|(_, item)| !item.is_null())
                .map(|(i, value)| Node {
                    value,
                    location: format!("{location}[{i}]"),
                    entry: self.entry,
                })
                .collect(),
            Some(value) => vec![Node {
                value,
                location,
                entry: self.entry,
            }],
        }
    }

    /// The one member of that name, if it is there.
    pub(super) fn member(&self, name: &str) -> Option<Node<'a>> {
        self.members(name).into_iter().next()
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.value.get(name)?.as_str()
    }

    pub(super) fn reject(&self, code: Code, message: impl Into<String>, next: impl Into<String>) -> Rejection {
        Rejection::one(self.location.clone(), code, message, next)
    }
}

/// A bundle.
pub(super) struct Bundle<'a> {
    entries: Vec<Node<'a>>,
    places: HashMap<String, usize>,
}

impl<'a> Bundle<'a> {
    pub(super) fn new(value: &'a Value) -> Result<Self, Rejection> {
        let whole = |member: &str, code, message: &str, next: &str| {
            Err(Rejection::one(format!("Bundle{member}"), code, message, next))
        };
        if value.get("resourceType").and_then(Value::as_str) != Some("Bundle") {
            return whole(
                ".resourceType",
                Code::UnknownForm,
                "not a Bundle",
                "send the patient and the result in one Bundle",
            );
        }
        match value.get("type").and_then(Value::as_str) {
            None => return whole(".type", Code::Missing, "a Bundle has a type", "set it to collection"),
            Some(kind) if !TYPES.contains(&kind) => {
                return whole(
                    ".type",
                    Code::Malformed,
                    "a Bundle of this type is not read",
                    "send a collection",
                );
            }
            Some(_) => {}
        }
        let Some(items) = value.get("entry") else {
            return whole(
                ".entry",
                Code::Missing,
                "there are no entries",
                "send the patient and the result",
            );
        };
        let Some(items) = items.as_array() else {
            return whole(".entry", Code::Malformed, "not a list", "send a list of entries");
        };
        let mut bundle = Self {
            entries: Vec::with_capacity(items.len()),
            places: HashMap::new(),
        };
        for (i, item) in items.iter().enumerate() {
            bundle.add(i, item)?;
        }
        Ok(bundle)
    }

    fn add(&mut self, i: usize, item: &'a Value) -> Result<(), Rejection> {
        let location = format!("Bundle.entry[{i}].resource");
        let reject = |code, message: &str| {
            Err(Rejection::one(
                location.clone(),
                code,
                message,
                "send the resource itself",
            ))
        };
        let Some(resource) = item.get("resource") else {
            return reject(Code::Missing, "an entry has a resource");
        };
        let Some(kind) = resource.get("resourceType").and_then(Value::as_str) else {
            return reject(Code::Malformed, "a resource is an object with a resourceType");
        };
        // FHIR R4 §2.5.3 and §2.1.5: what modifies the meaning and is not understood must not be ignored.
        if let Some(name) = ["modifierExtension", "implicitRules"]
            .into_iter()
            .find(|name| resource.get(*name).is_some())
        {
            let message = format!("{name} changes what the resource means, and none is understood here");
            return Err(Rejection::one(
                format!("{location}.{name}"),
                Code::Unexpected,
                message,
                "send the resource without it",
            ));
        }
        let mut names = Vec::new();
        if let Some(id) = resource.get("id").and_then(Value::as_str) {
            names.push(format!("{kind}/{id}"));
        }
        if let Some(url) = item.get("fullUrl").and_then(Value::as_str) {
            names.push(url.to_owned());
        }
        for name in names {
            if self.places.insert(name, i).is_some_and(|other| other != i) {
                return reject(
                    Code::Malformed,
                    "two entries have the same fullUrl, or the same type and id",
                );
            }
        }
        self.entries.push(Node {
            value: resource,
            location,
            entry: i,
        });
        Ok(())
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = &Node<'a>> {
        self.entries.iter()
    }

    pub(super) fn of_type(&self, kind: &str) -> impl Iterator<Item = &Node<'a>> {
        self.entries
            .iter()
            .filter(move |node| node.text("resourceType") == Some(kind))
    }

    /// What a Reference leads to: an entry by `fullUrl` or `Type/id`, or a contained resource by `#id`.
    pub(super) fn resolve(&self, reference: &Node<'a>) -> Option<Node<'a>> {
        let target = reference.text("reference")?;
        if let Some(id) = target.strip_prefix('#') {
            let container = self.entries.get(reference.entry)?;
            return container
                .members("contained")
                .into_iter()
                .find(|node| node.text("id") == Some(id));
        }
        if let Some(&i) = self.places.get(target) {
            return self.entries.get(i).cloned();
        }
        // An absolute URL that ends in Type/id and was sent without fullUrl is not matched: that would be a guess.
        None
    }
}

/// One coding of a CodeableConcept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coding<'a> {
    pub(super) system: &'a str,
    pub(super) code: &'a str,
}

/// The codings of a CodeableConcept that have a system and a code.
pub(super) fn codings<'a>(concept: &Node<'a>) -> Vec<Coding<'a>> {
    let codings = concept.members("coding").into_iter();
    codings
        .filter_map(|node| {
            Some(Coding {
                system: node.text("system")?,
                code: node.text("code")?,
            })
        })
        .collect()
}

/// A code system's name for people.
pub(super) fn system_name(system: &str) -> &str {
    match system {
        "http://loinc.org" => "LOINC",
        "http://snomed.info/sct" => "SNOMED CT",
        "http://hl7.org/fhir/sid/cvx" => "CVX",
        "http://www.whocc.no/atc" => "ATC",
        "http://hl7.org/fhir/sid/icd-10" => "ICD-10",
        // Anything else came from outside and is not repeated.
        _ => "unknown system's",
    }
}

/// Merges claims; the same claim with another value is a contradiction, whose name is returned.
pub(super) fn merge(into: &mut Map<String, Value>, more: &Map<String, Value>) -> Result<(), String> {
    for (name, value) in more {
        match into.get(name) {
            Some(present) if present != value => return Err(name.clone()),
            Some(_) => {}
            None => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(())
}
