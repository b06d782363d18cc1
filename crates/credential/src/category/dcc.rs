//! EU Digital COVID Certificate payloads (eHealth Network, Technical Specifications for EU Digital COVID Certificates, JSON Schema 1.3):
//! from a [`Statement`], and back into a person, a category and claims.

use super::{
    Categories, Category, Violation,
    file::{Group, Hcert},
    rule,
    schema::Schema,
    uvci,
};
use crate::statement::{CategoryId, Person, Statement};
use serde_json::{Map, Value, json};
use std::{fmt, sync::LazyLock};

/// How exactly a payload has to follow the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Version 1.3 to the letter, and no member that would be lost: for what is to be issued.
    Strict,
    /// What issuers really signed: versions 1.0 to 1.3, times where dates belong, members that later versions dropped.
    Lenient,
}

/// A payload, read.
#[derive(Clone, PartialEq)]
pub struct Dcc {
    /// Whom it is about.
    pub person: Person,
    /// The category whose mapping fits the entry.
    pub category: CategoryId,
    /// The entry as the category's claims. Not yet validated.
    pub claims: Map<String, Value>,
    /// The unique certificate identifier, `ci`.
    pub uvci: String,
    /// The schema version, `ver`.
    pub version: String,
}

impl fmt::Debug for Dcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dcc")
            .field("category", &self.category)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Why a statement has no payload, or a payload cannot be read. Never repeats a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DccError {
    /// The category has no rendering as an EU certificate (antibody tests, for one).
    #[error("{0} certificates have no HCERT rendering; choose another format")]
    NoRendering(CategoryId),
    /// The payload breaks the schema.
    #[error("the payload breaks the DCC schema{}", at(.0))]
    Schema(Vec<Violation>),
    /// Several entries: a certificate holds one vaccination, test or recovery.
    #[error("the payload holds several entries; a certificate holds one")]
    SeveralEntries,
    /// No category's mapping fits the entry.
    #[error("no category accepts the entry at {0}; add a category whose hcert.match fits it")]
    UnknownEntry(String),
}

fn at(violations: &[Violation]) -> String {
    violations
        .first()
        .map(|v| format!(" at {}: {}", v.pointer, v.message))
        .unwrap_or_default()
}

static STRICT: LazyLock<Schema> = LazyLock::new(|| compiled(include_str!("../../schemas/dcc-1.3.schema.json")));
static LENIENT: LazyLock<Schema> = LazyLock::new(|| compiled(include_str!("../../schemas/dcc-lenient.schema.json")));

fn compiled(json: &str) -> Schema {
    let schema = serde_json::from_str(json).expect("compiled in, and used by a test");
    Schema::compile(&schema)
        .map_err(|(pointer, _)| pointer)
        .expect("compiled in, and used by a test")
}

/// Checks a payload (what stands under claim −260, 1 of an HCERT) against the JSON Schema.
pub fn check_dcc(payload: &Value, strictness: Strictness) -> Result<(), Vec<Violation>> {
    let schema = match strictness {
        Strictness::Strict => &STRICT,
        Strictness::Lenient => &LENIENT,
    };
    let violations = schema.violations(payload);
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

impl Category {
    /// The payload of the EU certificate that says what `statement` says, checked against the 1.3 schema. `is` is the claim `issuer_name`, or
    /// the issuer's DID where there is none; `ci` is made from the copy's id.
    pub fn to_dcc(&self, statement: &Statement) -> Result<Value, DccError> {
        let hcert = self
            .file
            .hcert
            .as_ref()
            .ok_or_else(|| DccError::NoRendering(self.id().clone()))?;
        let person = &statement.person;
        let mut name = Map::new();
        for (key, text) in [
            ("fn", &person.family_name),
            ("fnt", &person.family_name_transliterated),
            ("gn", &person.given_name),
            ("gnt", &person.given_name_transliterated),
        ] {
            if !text.is_empty() {
                name.insert(key.to_owned(), json!(text));
            }
        }
        // 1.3.0 demands `fnt`; 1.3.2 lets a person have one name only.
        let version = if name.contains_key("fnt") { "1.3.0" } else { "1.3.2" };
        let mut entry = Map::new();
        for (key, claim) in &hcert.fields {
            let value = match (rule::at(&statement.claims, claim), key.as_str()) {
                (Some(value), _) => value.clone(),
                (None, "is") => json!(statement.issuer),
                (None, "co") => json!(statement.issuer_country),
                (None, _) => continue,
            };
            entry.insert(key.clone(), value);
        }
        entry.insert(
            "ci".to_owned(),
            json!(uvci::of(statement.id, &statement.issuer_country)),
        );
        let payload = json!({"ver": version, "nam": name, "dob": person.birth_date, hcert.group.name(): [entry]});
        check_dcc(&payload, Strictness::Strict).map_err(DccError::Schema)?;
        Ok(payload)
    }

    fn fits(&self, group: Group, entry: &Map<String, Value>) -> Option<&Hcert> {
        let hcert = self.file.hcert.as_ref()?;
        let fits = hcert.group == group && hcert.matches.iter().all(|(key, value)| entry.get(key) == Some(value));
        fits.then_some(hcert)
    }
}

impl Categories {
    /// Reads a payload: checks it against the schema, chooses the category whose mapping fits, and turns the entry into its claims.
    pub fn from_dcc(&self, payload: &Value, strictness: Strictness) -> Result<Dcc, DccError> {
        let mut entries = Group::ALL.into_iter().flat_map(|group| {
            let items = payload
                .get(group.name())
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            items.map(move |entry| (group, entry))
        });
        let first = entries.next();
        if entries.next().is_some() {
            return Err(DccError::SeveralEntries);
        }
        check_dcc(payload, strictness).map_err(DccError::Schema)?;
        let (group, entry) = first
            .and_then(|(group, entry)| Some((group, entry.as_object()?)))
            .ok_or_else(|| DccError::UnknownEntry("/".to_owned()))?;
        let (category, hcert) = self
            .iter()
            .find_map(|category| Some((category, category.fits(group, entry)?)))
            .ok_or_else(|| DccError::UnknownEntry(format!("/{}/0", group.name())))?;
        let mut claims = Map::new();
        for (key, pointer) in &hcert.fields {
            let Some(value) = entry.get(key) else { continue };
            let name = pointer.trim_start_matches('/');
            let mut value = value.clone();
            if strictness == Strictness::Lenient && category.is_date(name) {
                cut_to_date(&mut value);
            }
            claims.insert(name.to_owned(), value);
        }
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = |key| text(payload.get("nam").and_then(|names| names.get(key)));
        let mut birth_date = payload["dob"].clone();
        cut_to_date(&mut birth_date);
        Ok(Dcc {
            person: Person {
                family_name: name("fn"),
                given_name: name("gn"),
                family_name_transliterated: name("fnt"),
                given_name_transliterated: name("gnt"),
                birth_date: text(Some(&birth_date)),
            },
            category: category.id().clone(),
            claims,
            uvci: text(entry.get("ci")),
            version: text(payload.get("ver")),
        })
    }
}

/// `2021-03-09T00:00:00` where a date belongs: early Belgian issuers.
fn cut_to_date(value: &mut Value) {
    if let Value::String(text) = value
        && text.as_bytes().get(10) == Some(&b'T')
        && text.is_char_boundary(10)
    {
        text.truncate(10);
    }
}
