//! A person as an input names one, brought into the one form that is issued.

use super::{Code, DocumentKind, IdentityDocument, Issue};
use crate::{category::transliteration, statement::Person};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::LazyLock};
use time::{Date, Month};
use vidimus_core::Timestamp;

/// ISO 3166-1 alpha-3 → alpha-2.
static ALPHA_3: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let json = include_str!("../../value-sets/country-alpha-3.json");
    serde_json::from_str(json).expect("compiled in, and used by a test")
});

/// The alpha-2 code of a country given by alpha-2 or alpha-3 code, in any case.
pub(super) fn country(text: &str) -> Option<&'static str> {
    let upper = text.trim().to_ascii_uppercase();
    ALPHA_3
        .iter()
        .filter(|(name, _)| *name != "$comment")
        .find(|(three, two)| **three == upper || **two == upper)
        .map(|(_, two)| two.as_str())
}

/// A document with its number in its one spelling. Nothing where the number or the country is none.
pub(super) fn document(kind: DocumentKind, issuing: &str, number: &str) -> Option<IdentityDocument> {
    let country = country(issuing)?.to_owned();
    let number: String = number
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '/' | '<'))
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let fits = (3..=40).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    fits.then_some(IdentityDocument { kind, country, number })
}

/// A person before the transliterated names are known.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    #[serde(default)]
    pub(super) family_name: String,
    #[serde(default)]
    pub(super) given_name: String,
    #[serde(default)]
    pub(super) family_name_transliterated: String,
    #[serde(default)]
    pub(super) given_name_transliterated: String,
    #[serde(default)]
    pub(super) birth_date: String,
}

/// Where the parts of a person stand in the input.
pub(super) struct Places {
    pub(super) family: String,
    pub(super) given: String,
    pub(super) birth: String,
}

impl Draft {
    /// Checks every part and derives what is missing.
    pub(super) fn finish(self, places: &Places, now: Timestamp) -> Result<Person, Vec<Issue>> {
        let mut issues = Vec::new();
        let (family_name, family_zone) = name(
            &self.family_name,
            self.family_name_transliterated,
            &places.family,
            &mut issues,
        );
        let (given_name, given_zone) = name(
            &self.given_name,
            self.given_name_transliterated,
            &places.given,
            &mut issues,
        );
        if family_name.is_empty() && given_name.is_empty() && family_zone.is_empty() && given_zone.is_empty() {
            let next = "send the name as in the identity document";
            issues.push(issue(&places.family, Code::Missing, "the person has no name", next));
        }
        issues.extend(wrong_birth(&self.birth_date, &places.birth, now));
        if !issues.is_empty() {
            return Err(issues);
        }
        Ok(Person {
            family_name,
            given_name,
            family_name_transliterated: family_zone,
            given_name_transliterated: given_zone,
            birth_date: self.birth_date,
        })
    }
}

fn issue(location: &str, code: Code, message: &str, next: &str) -> Issue {
    Issue {
        location: location.to_owned(),
        code,
        message: message.to_owned(),
        next: next.to_owned(),
    }
}

/// A name and its machine-readable form: the one `given`, else made of the name.
fn name(text: &str, given: String, place: &str, issues: &mut Vec<Issue>) -> (String, String) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() > transliteration::MAX || text.chars().any(char::is_control) {
        let message = "a name has at most 80 characters, and no control characters";
        issues.push(issue(place, Code::Malformed, message, "correct the name"));
    }
    if !given.is_empty() {
        if !transliteration::is_standardised(&given) {
            let message = "a name in machine-readable form has only A–Z and <, at most 80";
            let next = "give it as in the document's machine-readable zone";
            issues.push(issue(place, Code::Malformed, message, next));
        }
        return (text, given);
    }
    if text.is_empty() {
        return (text, String::new());
    }
    let zone = transliteration::transliterate(&text).unwrap_or_else(|error| {
        let next = "send the transliterated name too";
        issues.push(issue(place, Code::Transliteration, &error.to_string(), next));
        String::new()
    });
    (text, zone)
}

fn wrong_birth(date: &str, place: &str, now: Timestamp) -> Option<Issue> {
    let (code, message) = match latest_birth(date) {
        None => (
            Code::Malformed,
            "a birth date is YYYY-MM-DD, YYYY-MM or YYYY from 1900 on",
        ),
        Some(earliest) if earliest > now.plus(14 * 3_600) => (Code::Future, "the birth date lies in the future"),
        Some(_) => return None,
    };
    Some(issue(place, code, message, "correct the birth date"))
}

/// The first second that a birth date (full, partial or empty) can mean; nothing for what is no date.
fn latest_birth(text: &str) -> Option<Timestamp> {
    if text.is_empty() {
        return Some(Timestamp(i64::MIN));
    }
    let mut parts = text.split('-');
    let mut part = |digits: usize| match parts.next() {
        Some(part) if part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()) => {
            part.parse::<u16>().ok().map(Some)
        }
        Some(_) => None,
        None => Some(None),
    };
    let (year, month, day) = (part(4)??, part(2)?, part(2)?);
    if parts.next().is_some() || !(1900..=2099).contains(&year) {
        return None;
    }
    let month = Month::try_from(u8::try_from(month.unwrap_or(1)).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, u8::try_from(day.unwrap_or(1)).ok()?).ok()?;
    Some(Timestamp(date.midnight().assume_utc().unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn birth_dates_may_be_partial_and_must_exist() {
        for text in ["", "1964", "1964-12", "2000-02-29", "2099-12-31"] {
            assert!(latest_birth(text).is_some(), "{text}");
        }
        for text in [
            "64",
            "1899-12-31",
            "2001-02-29",
            "1964-13",
            "1964-1-1",
            "1964-01-01T00:00:00",
            "2100",
            "1964-",
            "-",
            "1964-01-01-01",
            "é",
        ] {
            assert!(latest_birth(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_document_has_one_spelling() {
        let one = document(DocumentKind::Passport, "AUT", "p 123-456.7").unwrap();
        assert_eq!((one.country.as_str(), one.number.as_str()), ("AT", "P1234567"));
        assert_eq!(document(DocumentKind::Passport, "at", "P1234567"), Some(one));
        assert_eq!(document(DocumentKind::Passport, "XYZ", "P1234567"), None);
        assert_eq!(document(DocumentKind::Passport, "AT", "П1234567"), None);
        assert_eq!(document(DocumentKind::Passport, "$comment", "P1234567"), None);
        assert_eq!(
            document(DocumentKind::Passport, "D", "C01X00T47").unwrap().country,
            "DE"
        );
    }
}
