//! What one part of a category's file says about another: every claim that is named exists, times can be computed, and the renderings fit.

use super::{
    file::{File, Group, Hcert},
    rule::{Condition, Term},
};
use crate::statement::Format;

/// Place and message of what does not fit.
type Misfit = (String, String);
type Fit = Result<(), Misfit>;

/// A name as one segment of a JSON pointer.
pub(super) fn escape(pointer: &str) -> String {
    pointer.replace('~', "~0").replace('/', "~1")
}

pub(super) fn consistent(file: &File) -> Fit {
    let parts = [filled_in, rules, windows, uniqueness, disclosures, renderings, mappings];
    parts.into_iter().try_for_each(|part| part(file))
}

/// The schema has the claim at this JSON pointer.
fn known(file: &File, place: String, claim: &str) -> Fit {
    let path = claim.split('/').skip(1).collect::<Vec<_>>().join("/properties/");
    match file.schema.pointer(&format!("/properties/{path}")) {
        Some(_) => Ok(()),
        None => Err((place, format!("the schema has no claim {claim}"))),
    }
}

/// A certificate whose times cannot be computed could not be issued: what they are computed from has to be there and be a time.
fn timed(file: &File, place: String, claim: &str) -> Fit {
    known(file, place.clone(), claim)?;
    let name = claim.trim_start_matches('/');
    let required = file.schema["required"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one == name));
    let format = file.schema["properties"][name]["format"].as_str();
    if required && matches!(format, Some("date" | "date-time")) {
        Ok(())
    } else {
        let message = format!("the schema has to require {claim}, with the format date or date-time");
        Err((place, message))
    }
}

fn condition(file: &File, place: &str, condition: &Condition) -> Fit {
    let mut pointers = Vec::new();
    condition.pointers(&mut pointers);
    pointers
        .into_iter()
        .try_for_each(|claim| known(file, place.to_owned(), claim))
}

/// What claims are filled in with, and what they are held against.
fn filled_in(file: &File) -> Fit {
    for pointer in file.value_sets.keys() {
        known(file, format!("/value_sets/{}", escape(pointer)), pointer)?;
    }
    for name in file.constants.keys() {
        known(file, format!("/constants/{name}"), &format!("/{name}"))?;
    }
    for (name, default) in &file.defaults {
        known(file, format!("/defaults/{name}"), &format!("/{name}"))?;
        timed(file, format!("/defaults/{name}/of"), &default.of)?;
    }
    for (i, claim) in file.past.iter().enumerate() {
        known(file, format!("/past/{i}"), claim)?;
    }
    Ok(())
}

fn rules(file: &File) -> Fit {
    for (part, rules) in [("constraints", &file.constraints), ("acceptance", &file.acceptance)] {
        for (i, rule) in rules.iter().enumerate() {
            condition(file, &format!("/{part}/{i}/holds"), &rule.holds)?;
            if let Some(claim) = &rule.claim {
                known(file, format!("/{part}/{i}/claim"), claim)?;
            }
        }
    }
    Ok(())
}

fn windows(file: &File) -> Fit {
    for (i, window) in file.validity.iter().enumerate() {
        if let Some(when) = &window.when {
            condition(file, &format!("/validity/{i}/when"), when)?;
        }
        for (part, terms) in [("from", &window.from), ("until", &window.until)] {
            for term in terms.iter().filter(|term| term.of != Term::ISSUED_AT) {
                timed(file, format!("/validity/{i}/{part}"), &term.of)?;
            }
        }
    }
    if file.validity.last().is_some_and(|window| window.when.is_some()) {
        let place = format!("/validity/{}/when", file.validity.len() - 1);
        let message = "the last window is for whatever meets no other condition, so it has none";
        return Err((place, message.to_owned()));
    }
    Ok(())
}

fn uniqueness(file: &File) -> Fit {
    for (i, claim) in file.uniqueness.claims.iter().enumerate() {
        known(file, format!("/uniqueness/claims/{i}"), claim)?;
    }
    Ok(())
}

fn disclosures(file: &File) -> Fit {
    for (i, disclosure) in file.disclosures.iter().enumerate() {
        if let Some(claim) = disclosure.pointer.strip_prefix("/claims") {
            known(file, format!("/disclosures/{i}/pointer"), claim)?;
        }
        if file.disclosures[..i].iter().any(|other| other.name == disclosure.name) {
            return Err((format!("/disclosures/{i}/name"), "named twice".to_owned()));
        }
    }
    Ok(())
}

fn renderings(file: &File) -> Fit {
    match (&file.hcert, file.formats.contains(&Format::Hcert)) {
        (None, true) => Err(("/formats".to_owned(), "hcert needs the mapping at /hcert".to_owned())),
        (Some(_), false) => Err(("/hcert".to_owned(), "hcert is not among the formats".to_owned())),
        (None, false) => Ok(()),
        (Some(hcert), true) => entry(file, hcert),
    }
}

/// The entry of a EU digital COVID certificate has all that its group requires.
fn entry(file: &File, hcert: &Hcert) -> Fit {
    let required: &[&str] = match hcert.group {
        Group::V => &["tg", "vp", "mp", "ma", "dn", "sd", "dt", "co", "is"],
        Group::T => &["tg", "tt", "sc", "tr", "co", "is"],
        Group::R => &["tg", "fr", "co", "is", "df", "du"],
    };
    if let Some(missing) = required.iter().find(|key| !hcert.fields.contains_key(**key)) {
        let message = format!("the group's required key {missing} is not mapped");
        return Err(("/hcert/fields".to_owned(), message));
    }
    for (key, claim) in &hcert.fields {
        known(file, format!("/hcert/fields/{key}"), claim)?;
    }
    Ok(())
}

/// What is read from HL7 FHIR goes to claims that exist.
fn mappings(file: &File) -> Fit {
    for (i, mapping) in file.fhir.iter().enumerate() {
        for name in mapping.claims.keys() {
            known(file, format!("/fhir/{i}/claims/{name}"), &format!("/{name}"))?;
        }
        for (j, meaning) in mapping.codes.iter().enumerate() {
            for name in meaning.claims.keys() {
                known(file, format!("/fhir/{i}/codes/{j}/claims/{name}"), &format!("/{name}"))?;
            }
        }
    }
    Ok(())
}
