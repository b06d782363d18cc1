//! From a bundle to an [`Intake`]: one patient, one result, its category, its claims.

use super::{
    bundle::{Bundle, Coding, Node, codings, merge, system_name},
    mapping::{Extract, Kind, Mapping, Meaning},
    patient,
};
use crate::{
    category::Category,
    intake::{Code, Context, Intake, Issue, Rejection, Source, json, person},
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use vidimus_core::Timestamp;

/// The most bytes a bundle may have.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Reads a bundle.
pub fn read(bytes: &[u8], context: &Context<'_>) -> Result<Intake, Rejection> {
    read_value(&json::parse(bytes, MAX_BYTES)?, context)
}

/// [`read`] for JSON that [`json::parse`] read.
pub fn read_value(value: &Value, context: &Context<'_>) -> Result<Intake, Rejection> {
    let bundle = Bundle::new(value)?;
    let patient = patient::only(&bundle)?;
    let found = the_result(&bundle, context)?;
    about(&bundle, &found, &patient)?;
    reports_are_final(&bundle, &found.node)?;
    let (claims, places) = found.claims(&bundle, context)?;
    found.category.validate_at(&claims, context.now).map_err(|violations| {
        let issues = violations.into_iter().map(|violation| {
            let claim = violation.pointer.trim_start_matches('/');
            let (code, next) = match violation.code.as_str() {
                "required" => (Code::Missing, found.whereabouts(claim)),
                "future" => (Code::Future, "correct the time".to_owned()),
                _ => (Code::Claims, "correct the value".to_owned()),
            };
            let location = places.get(claim).unwrap_or(&found.node.location).clone();
            Issue {
                location,
                code,
                message: format!("{claim}: {}", violation.message),
                next,
            }
        });
        Rejection {
            issues: issues.collect(),
        }
    })?;
    let person = patient::person(&patient, context.now)?;
    let document = patient::document(&bundle, &patient);
    Ok(Intake {
        person,
        document,
        category: found.category.id().clone(),
        claims,
        source: Source::Fhir,
    })
}

/// A resource that some category's mapping takes for a result.
struct Found<'a, 'c> {
    node: Node<'a>,
    category: &'c Category,
    mapping: &'c Mapping,
    /// What the codes alone say.
    claims: Map<String, Value>,
}

fn the_result<'a, 'c>(bundle: &Bundle<'a>, context: &Context<'c>) -> Result<Found<'a, 'c>, Rejection> {
    let kinds: BTreeSet<&str> = context
        .categories
        .iter()
        .flat_map(|category| category.fhir())
        .map(|mapping| mapping.resource.as_str())
        .collect();
    let candidates: Vec<_> = bundle
        .resources()
        .filter(|node| node.text("resourceType").is_some_and(|kind| kinds.contains(kind)))
        .map(|node| (node, classify(node, context)))
        .collect();
    let evidence: BTreeSet<usize> = candidates
        .iter()
        .filter_map(|(_, found)| found.as_ref().ok())
        .flat_map(|found| {
            let references = found
                .mapping
                .supports
                .iter()
                .flat_map(|path| path.evaluate(bundle, &found.node));
            references
                .filter_map(|reference| bundle.resolve(&reference))
                .map(|node| node.entry)
                .collect::<Vec<_>>()
        })
        .collect();
    let mut results = candidates
        .into_iter()
        .filter(|(node, _)| !evidence.contains(&node.entry));
    match (results.next(), results.next()) {
        (None, _) => {
            let message = format!(
                "no resource of a type that holds results ({})",
                Vec::from_iter(kinds).join(", ")
            );
            Err(Rejection::one(
                "Bundle.entry",
                Code::NoResult,
                message,
                "send the result in the bundle",
            ))
        }
        (Some((_, found)), None) => found,
        // An unknown code is more telling than the number of results.
        (Some((_, Err(unknown))), Some(_)) => Err(unknown),
        (Some(_), Some((_, Err(unknown)))) => Err(unknown),
        (Some(_), Some((second, Ok(_)))) => Err(second.reject(
            Code::SeveralResults,
            "a second result",
            "send one bundle for each result",
        )),
    }
}

/// The category of a resource, by its codes.
fn classify<'a, 'c>(node: &Node<'a>, context: &Context<'c>) -> Result<Found<'a, 'c>, Rejection> {
    let kind = node.text("resourceType").unwrap_or_default();
    let mut found: Option<Found<'a, 'c>> = None;
    let mut seen: Option<Coding<'a>> = None;
    for (category, mapping) in mappings(kind, context, true) {
        for concept in mapping.concept.members_of(node) {
            for coding in codings(&concept) {
                seen.get_or_insert(coding);
                let Some(meaning) = meaning(&mapping.codes, &coding) else {
                    continue;
                };
                let Some(before) = &mut found else {
                    found = Some(Found {
                        node: node.clone(),
                        category,
                        mapping,
                        claims: meaning.claims.clone(),
                    });
                    continue;
                };
                if !std::ptr::eq(before.mapping, mapping) {
                    return Err(two_descriptions(&concept, before.category, category));
                }
                merge(&mut before.claims, &meaning.claims).map_err(|claim| {
                    let message = format!("the codes contradict each other about {claim}");
                    concept.reject(Code::ContradictoryCodes, message, "send codes that mean the same")
                })?;
            }
        }
    }
    found.ok_or_else(|| unclassified(node, kind, seen, context))
}

/// Every description of a result of this type; of those that are for one category `asked` only, where that counts.
fn mappings<'c>(kind: &str, context: &Context<'c>, asked: bool) -> impl Iterator<Item = (&'c Category, &'c Mapping)> {
    let wanted = context.category;
    context.categories.iter().flat_map(move |category| {
        let chosen = wanted.is_none_or(|id| !asked || id == category.id());
        let all = category.fhir().iter().filter(move |mapping| {
            chosen && mapping.resource == kind && (!mapping.when_asked || (asked && wanted.is_some()))
        });
        all.map(move |mapping| (category.as_ref(), mapping))
    })
}

fn two_descriptions(concept: &Node<'_>, before: &Category, category: &Category) -> Rejection {
    let (message, next) = if before.id() == category.id() {
        (
            "the codes fit two descriptions of one category".to_owned(),
            "send one of the codes",
        )
    } else {
        (
            format!("the codes fit both {} and {}", before.id(), category.id()),
            "send codes of one kind, or name the category",
        )
    };
    concept.reject(Code::ContradictoryCodes, message, next)
}

/// Why no category takes the resource; `seen` is the first code that was looked up.
fn unclassified(node: &Node<'_>, kind: &str, seen: Option<Coding<'_>>, context: &Context<'_>) -> Rejection {
    let concept = context
        .categories
        .iter()
        .flat_map(|category| category.fhir())
        .find(|mapping| mapping.resource == kind)
        .map_or_else(|| "code".to_owned(), |mapping| mapping.concept.local());
    let location = format!("{}.{concept}", node.location);
    if let Some(asked) = context.category
        && let Some(other) = category_by_code(node, kind, context)
    {
        let message = format!("a result of the category {}, not {asked}", other.id());
        let next = "ask for that category, or for none";
        return Rejection::one(location, Code::WrongCategory, message, next);
    }
    let member = node.member(&concept);
    let coding = seen.or_else(|| codings(member.as_ref()?).into_iter().next());
    match coding {
        Some(coding) => unknown(&coding, location, "is not one any category accepts"),
        None => {
            let message = "there is no coding with a system and a code";
            Rejection::one(location, Code::Missing, message, "code what the result is of")
        }
    }
}

/// The category that one of its codes is of, whichever was asked for.
fn category_by_code<'c>(node: &Node<'_>, kind: &str, context: &Context<'c>) -> Option<&'c Category> {
    let fits = |mapping: &Mapping| {
        let concepts = mapping.concept.members_of(node);
        concepts
            .iter()
            .flat_map(codings)
            .any(|coding| meaning(&mapping.codes, &coding).is_some())
    };
    mappings(kind, context, false)
        .find(|(_, mapping)| fits(mapping))
        .map(|(category, _)| category)
}

fn meaning<'m>(meanings: &'m [Meaning], coding: &Coding<'_>) -> Option<&'m Meaning> {
    meanings
        .iter()
        .find(|meaning| meaning.system == coding.system && meaning.code == coding.code)
}

/// Codes are of public lists and short; anything else is not repeated.
fn unknown(coding: &Coding<'_>, location: String, what: &str) -> Rejection {
    let plain = coding.code.len() <= 18
        && coding
            .code
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'A'..=b'Z'));
    let code = if plain && system_name(coding.system) != "unknown system's" {
        coding.code
    } else {
        ""
    };
    let message = format!("{} code {code}", system_name(coding.system))
        .trim_end()
        .to_owned()
        + " "
        + what;
    Rejection::one(
        location,
        Code::UnknownCode,
        message,
        "use a code listed in the category's file, or add it there",
    )
}

/// The result has to be about the patient in the bundle.
fn about(bundle: &Bundle<'_>, found: &Found<'_, '_>, patient: &Node<'_>) -> Result<(), Rejection> {
    let subject = found.node.member("subject").or_else(|| found.node.member("patient"));
    let Some(subject) = subject else {
        return Err(found.node.reject(
            Code::Missing,
            "the result does not say whom it is about",
            "refer to the Patient in the bundle",
        ));
    };
    match bundle.resolve(&subject) {
        Some(target) if target.entry == patient.entry && std::ptr::eq(target.value, patient.value) => Ok(()),
        _ => Err(subject.reject(
            Code::BadReference,
            "does not lead to the Patient in the bundle",
            "refer to it by fullUrl or Patient/id",
        )),
    }
}

/// A report over the result that is not final withdraws it.
fn reports_are_final(bundle: &Bundle<'_>, result: &Node<'_>) -> Result<(), Rejection> {
    const FINAL: [&str; 5] = ["final", "amended", "corrected", "appended", "registered"];
    for report in bundle.of_type("DiagnosticReport") {
        let over = report
            .members("result")
            .iter()
            .filter_map(|reference| bundle.resolve(reference))
            .any(|r| r.entry == result.entry);
        if over && !report.text("status").is_some_and(|status| FINAL[..4].contains(&status)) {
            let message = "the report over the result is not final";
            return Err(Rejection::one(
                format!("{}.status", report.location),
                Code::NotFinal,
                message,
                "send the final report",
            ));
        }
    }
    Ok(())
}

type Places = BTreeMap<String, String>;

impl<'a> Found<'a, '_> {
    /// The claims, and where each stood.
    fn claims(&self, bundle: &Bundle<'a>, context: &Context<'_>) -> Result<(Map<String, Value>, Places), Rejection> {
        for (path, allowed) in &self.mapping.status {
            let values = path.evaluate(bundle, &self.node);
            let place = format!("{}.{}", self.node.location, path.local());
            if values.is_empty() {
                return Err(Rejection::one(
                    place,
                    Code::Missing,
                    "the status is missing",
                    format!("it has to be {}", allowed.join(" or ")),
                ));
            }
            if !values.iter().all(|node| {
                node.value
                    .as_str()
                    .is_some_and(|status| allowed.iter().any(|a| a == status))
            }) {
                let message = format!("not {}: such a result is not certified", allowed.join(" or "));
                return Err(Rejection::one(
                    place,
                    Code::NotFinal,
                    message,
                    "send the result when it is final",
                ));
            }
        }
        for requirement in &self.mapping.require {
            let concepts = first(&requirement.paths, bundle, &self.node);
            let known = concepts.iter().flat_map(codings).collect::<Vec<_>>();
            let all = !concepts.is_empty()
                && concepts.iter().all(|concept| {
                    codings(concept)
                        .iter()
                        .any(|coding| meaning(&requirement.codes, coding).is_some())
                });
            if !all {
                let place = concepts
                    .first()
                    .map_or_else(|| self.node.location.clone(), |node| node.location.clone());
                let what = "is not one that this category requires";
                return Err(match known.first() {
                    Some(coding) => unknown(coding, place, what),
                    None => Rejection::one(
                        place,
                        Code::Missing,
                        "what this category requires is missing",
                        "see the category's file",
                    ),
                });
            }
        }
        let (mut claims, mut places) = (self.claims.clone(), Places::new());
        for (name, extract) in &self.mapping.claims {
            let Some((value, place)) = extract.read(bundle, &self.node)? else {
                continue;
            };
            if claims.get(name).is_some_and(|said| *said != value) {
                let message = format!("{name} contradicts what the code says");
                return Err(Rejection::one(
                    place,
                    Code::ContradictoryCodes,
                    message,
                    "correct one of the two",
                ));
            }
            claims.insert(name.clone(), value);
            places.insert(name.clone(), place);
        }
        if let Some(country) = context.country
            && !claims.contains_key("country")
            && self.mapping.claims.contains_key("country")
        {
            claims.insert("country".to_owned(), Value::from(country));
        }
        self.category.complete(&mut claims);
        Ok((claims, places))
    }

    /// Where a missing claim was looked for.
    fn whereabouts(&self, claim: &str) -> String {
        match self.mapping.claims.get(claim) {
            Some(extract) => format!(
                "send it as {}",
                extract.paths.first().map(ToString::to_string).unwrap_or_default()
            ),
            None => "use a code that says it".to_owned(),
        }
    }
}

fn first<'a>(paths: &[super::path::Path], bundle: &Bundle<'a>, start: &Node<'a>) -> Vec<Node<'a>> {
    paths
        .iter()
        .map(|path| path.evaluate(bundle, start))
        .find(|nodes| !nodes.is_empty())
        .unwrap_or_default()
}

impl Extract {
    /// The value and where it stood, of the first path that leads to one.
    fn read<'a>(&self, bundle: &Bundle<'a>, start: &Node<'a>) -> Result<Option<(Value, String)>, Rejection> {
        let nodes = if self.read == Kind::Identifier {
            let own = |node: &Node<'a>| {
                self.system
                    .as_deref()
                    .is_none_or(|system| node.text("system") == Some(system))
            };
            let paths = self.paths.iter().map(|path| path.evaluate(bundle, start));
            paths
                .map(|nodes| nodes.into_iter().filter(own).collect())
                .find(|nodes: &Vec<_>| !nodes.is_empty())
                .unwrap_or_default()
        } else {
            first(&self.paths, bundle, start)
        };
        let mut read: Option<(Value, String)> = None;
        for node in nodes {
            let value = self.one(&node)?;
            match &read {
                // A text for people: one name of several does.
                Some(_) if self.read == Kind::Text => {}
                Some((before, _)) if *before != value => {
                    return Err(node.reject(Code::ContradictoryCodes, "two values that differ", "send one"));
                }
                Some(_) => {}
                None => read = Some((value, node.location)),
            }
        }
        Ok(read)
    }

    fn one(&self, node: &Node<'_>) -> Result<Value, Rejection> {
        let malformed = |message: &str, next: &str| node.reject(Code::Malformed, message, next);
        let text = || node.value.as_str().map(str::trim).filter(|text| !text.is_empty());
        match self.read {
            Kind::Concept => self.concept(node),
            Kind::Identifier => {
                let value = node.text("value").map(str::trim).filter(|value| !value.is_empty());
                value
                    .map(Value::from)
                    .ok_or_else(|| malformed("the identifier has no value", "send its value"))
            }
            Kind::Text => {
                let text = text().ok_or_else(|| malformed("not a text", "send a text"))?;
                // An EU certificate has room for 80 characters.
                Ok(Value::from(text.chars().take(80).collect::<String>().trim_end()))
            }
            Kind::Date => {
                let day = text()
                    .filter(|text| text.len() == 10 || Timestamp::parse_rfc3339(text).is_ok())
                    .and_then(|text| text.get(..10));
                let day = day.filter(|day| crate::category::is_date(day));
                day.map(Value::from)
                    .ok_or_else(|| malformed("not a whole date", "send YYYY-MM-DD"))
            }
            Kind::DateTime => {
                let time = text().filter(|text| Timestamp::parse_rfc3339(text).is_ok());
                time.map(Value::from).ok_or_else(|| {
                    malformed(
                        "not a time to the second with an offset",
                        "send it as 2021-04-13T14:20:00+02:00",
                    )
                })
            }
            Kind::Integer => {
                let number = node
                    .value
                    .as_u64()
                    .or_else(|| text().filter(|t| t.len() <= 2).and_then(|t| t.parse().ok()));
                let number = number.filter(|number| (1..=99).contains(number));
                number
                    .map(Value::from)
                    .ok_or_else(|| malformed("not a positive whole number", "send 1 or more"))
            }
            Kind::Country => {
                let country = text().and_then(person::country);
                country
                    .map(Value::from)
                    .ok_or_else(|| malformed("not a country of ISO 3166-1", "send the two-letter code"))
            }
        }
    }

    fn concept(&self, node: &Node<'_>) -> Result<Value, Rejection> {
        let codings = codings(node);
        let mut said: Option<&str> = None;
        for coding in &codings {
            let Some(value) = meaning(&self.codes, coding).and_then(|meaning| meaning.value.as_deref()) else {
                continue;
            };
            if said.is_some_and(|before| before != value) {
                let message = "the codes contradict each other";
                return Err(node.reject(Code::ContradictoryCodes, message, "send codes that mean the same"));
            }
            said = Some(value);
        }
        match (said, codings.first()) {
            (Some(value), _) => Ok(Value::from(value)),
            (None, Some(coding)) => Err(unknown(
                coding,
                node.location.clone(),
                "is not a result that can be certified",
            )),
            (None, None) => Err(node.reject(
                Code::Missing,
                "there is no coding with a system and a code",
                "code the result",
            )),
        }
    }
}
