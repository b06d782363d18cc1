//! Categories and intake from outside: the laboratory reports, the category decides, the EU's and issuers' own examples agree.

#![allow(clippy::unwrap_used, reason = "a test stops where what it expects is not so")]

mod added;
mod dcc;
mod foreign;
mod intake;
mod property;
mod rules;

use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use vidimus_core::Timestamp;
use vidimus_credential::{
    CategoryId, Statement,
    category::{Categories, Category},
    intake::{Context, Intake},
};

/// The time at which every sample and vector is read: 2025-03-03T08:00:00Z.
const NOW: Timestamp = Timestamp(1_740_988_800);

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

/// The JSON files of a folder under `vectors`, by name.
fn files(folder: &str) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(vectors().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            (
                path.file_stem().unwrap().to_string_lossy().into_owned(),
                std::fs::read_to_string(path).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

fn id(name: &str) -> CategoryId {
    CategoryId::new(name).unwrap()
}

fn category(name: &str) -> std::sync::Arc<Category> {
    std::sync::Arc::clone(Categories::built_in().category(&id(name)).unwrap())
}

fn context(categories: &Categories) -> Context<'_> {
    Context {
        categories,
        now: NOW,
        country: Some("AT"),
        category: None,
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// What a laboratory would sign for an intake.
fn statement(intake: &Intake, categories: &Categories) -> Statement {
    let category = categories.category(&intake.category).unwrap();
    let validity = category.validity(&intake.claims, NOW).unwrap();
    Statement {
        person: intake.person.clone(),
        category: intake.category.clone(),
        claims: intake.claims.clone(),
        issued_at: NOW,
        valid_from: validity.from,
        valid_until: validity.until,
        ..crate::support::statement()
    }
}
