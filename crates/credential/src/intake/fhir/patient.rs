//! The patient of a bundle: who, and by which identity document.

use super::bundle::{Bundle, Node, codings};
use crate::{
    category::transliteration,
    intake::{Code, DocumentKind, IdentityDocument, Rejection, person},
    statement::Person,
};
use vidimus_core::Timestamp;

const IDENTIFIER_TYPES: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
const REPRESENTATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation";
const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// The one Patient.
pub(super) fn only<'a>(bundle: &Bundle<'a>) -> Result<Node<'a>, Rejection> {
    let mut patients = bundle.of_type("Patient");
    let first = patients.next().cloned();
    let first = first.ok_or_else(|| {
        Rejection::one(
            "Bundle.entry",
            Code::Missing,
            "there is no Patient",
            "send the patient in the bundle",
        )
    })?;
    match patients.next() {
        None => Ok(first),
        Some(other) => Err(other.reject(
            Code::SeveralSubjects,
            "a second Patient",
            "send one bundle for each person",
        )),
    }
}

/// Names and birth date.
pub(super) fn person(patient: &Node<'_>, now: Timestamp) -> Result<Person, Rejection> {
    let names = patient.members("name");
    let name = name_in_use(patient, &names)?;
    let (family_name, given_name) = (text_of(name, "family")?, text_of(name, "given")?);
    let (mut family_zone, mut given_zone) = (String::new(), String::new());
    if let Some(latin) = names.iter().find(|name| is_latin_form(name)) {
        let zone = |text: String| transliteration::transliterate(&text).unwrap_or_default();
        (family_zone, given_zone) = (zone(text_of(latin, "family")?), zone(text_of(latin, "given")?));
    }
    let birth_place = format!("{}.birthDate", patient.location);
    let draft = person::Draft {
        family_name,
        given_name,
        family_name_transliterated: family_zone,
        given_name_transliterated: given_zone,
        birth_date: birth_date(patient, &birth_place)?,
    };
    let places = person::Places {
        family: format!("{}.family", name.location),
        given: format!("{}.given", name.location),
        birth: birth_place,
    };
    draft.finish(&places, now).map_err(|issues| Rejection { issues })
}

/// The official name; without one the usual one, or the only one.
fn name_in_use<'n, 'a>(patient: &Node<'_>, names: &'n [Node<'a>]) -> Result<&'n Node<'a>, Rejection> {
    let rank = |name: &Node<'_>| match name.text("use") {
        Some("old" | "nickname" | "anonymous" | "temp" | "maiden") => None,
        _ if is_latin_form(name) => None,
        Some("official") => Some(0),
        Some("usual") => Some(1),
        _ => Some(2),
    };
    let ranked = || names.iter().filter_map(|name| Some((rank(name)?, name)));
    let best = ranked().map(|(rank, _)| rank).min();
    let mut named = ranked().filter(|(rank, _)| Some(*rank) == best).map(|(_, name)| name);
    let (code, message, next) = match (named.next(), named.next()) {
        (Some(name), None) => return Ok(name),
        (None, _) => (
            Code::Missing,
            "the patient has no name that is in use",
            "send the official name",
        ),
        (Some(_), Some(_)) => (
            Code::Malformed,
            "several names, and none alone is official",
            "mark one as official",
        ),
    };
    Err(Rejection::one(
        format!("{}.name", patient.location),
        code,
        message,
        next,
    ))
}

/// Empty where it is said why it is absent.
fn birth_date(patient: &Node<'_>, place: &str) -> Result<String, Rejection> {
    let absent = patient.member("_birthDate").is_some_and(|node| {
        node.members("extension")
            .iter()
            .any(|extension| extension.text("url") == Some(ABSENT) && extension.text("valueCode").is_some())
    });
    match patient.member("birthDate") {
        None if absent => Ok(String::new()),
        None => Err(Rejection::one(
            place,
            Code::Missing,
            "the birth date is missing",
            "send it, or say why it is absent",
        )),
        Some(node) => match node.value.as_str() {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(node.reject(Code::Malformed, "not a date", "send YYYY-MM-DD")),
        },
    }
}

/// The name in Latin letters beside one in another script (extension iso21090-EN-representation, `ABC`).
fn is_latin_form(name: &Node<'_>) -> bool {
    let mut extensions = name.members("extension").into_iter();
    extensions.any(|e| e.text("url") == Some(REPRESENTATION) && e.text("valueCode") == Some("ABC"))
}

/// `family` is one text, `given` several.
fn text_of(name: &Node<'_>, member: &str) -> Result<String, Rejection> {
    let parts = name.members(member).into_iter().map(|node| match node.value.as_str() {
        Some(text) => Ok(text),
        None => Err(node.reject(Code::Malformed, "not a text", "send a text")),
    });
    Ok(parts.collect::<Result<Vec<_>, _>>()?.join(" "))
}

/// The identity document among the patient's identifiers, the strongest first (HL7 v2 table 0203).
pub(super) fn document(bundle: &Bundle<'_>, patient: &Node<'_>) -> Option<IdentityDocument> {
    let mut documents: Vec<(DocumentKind, IdentityDocument)> = Vec::new();
    for identifier in patient.members("identifier") {
        if matches!(identifier.text("use"), Some("old" | "temp")) {
            continue;
        }
        let system = identifier.text("system").unwrap_or_default();
        let passport = system.strip_prefix("http://hl7.org/fhir/sid/passport-");
        let types = identifier.member("type").map(|kind| codings(&kind)).unwrap_or_default();
        let code = types
            .iter()
            .find(|coding| coding.system == IDENTIFIER_TYPES)
            .map(|coding| coding.code);
        let (kind, named) = match code {
            None if passport.is_some() => (DocumentKind::Passport, None),
            Some("PPN") => (DocumentKind::Passport, None),
            Some("NI") => (DocumentKind::NationalId, None),
            // NNxxx: national person identifier, with the country as alpha-3 code.
            Some(code) if code.len() == 5 && code.starts_with("NN") => (DocumentKind::NationalId, code.get(2..)),
            Some("DL") => (DocumentKind::DrivingLicence, None),
            Some("PRC") => (DocumentKind::ResidencePermit, None),
            Some("HC" | "NH") => (DocumentKind::HealthCard, None),
            _ => continue,
        };
        let assigner = identifier.member("assigner");
        let registered = assigner
            .as_ref()
            .and_then(|assigner| assigner.member("identifier"))
            .and_then(|identifier| {
                (identifier.text("system") == Some("urn:iso:std:iso:3166"))
                    .then(|| identifier.text("value"))
                    .flatten()
            });
        let address = assigner
            .as_ref()
            .and_then(|assigner| bundle.resolve(assigner))
            .and_then(|organization| {
                organization
                    .member("address")
                    .and_then(|address| address.text("country"))
            });
        let country = passport.or(named).or(registered).or(address);
        if let (Some(country), Some(number)) = (country, identifier.text("value"))
            && let Some(document) = person::document(kind, country, number)
        {
            documents.push((kind, document));
        }
    }
    documents
        .into_iter()
        .min_by_key(|(kind, _)| *kind as u8)
        .map(|(_, document)| document)
}
