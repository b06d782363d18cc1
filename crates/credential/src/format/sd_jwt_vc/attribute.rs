//! A category's attributes, as the verifier registry names them, and the claims that say them here.

use super::{CLAIMS, IN_THE_CLEAR, PERSON};
use crate::{
    DisclosedPerson,
    category::{Category, Disclosure},
    sd_jwt::{ClaimPath, Step},
};

/// What a request for a claim asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<'a> {
    /// An attribute that verifiers are permitted by name, or a part of it.
    Attribute(&'a str),
    /// What every copy says in the clear (`iss`, `vct`, `iat`, …), whoever asks.
    Clear,
    /// Nothing that can be permitted: no claim of this category, or one wider than any attribute.
    Nothing,
}

/// The path of the claim that says an attribute; none for a pointer that this format has no claim for.
pub fn path_of(disclosure: &Disclosure) -> Option<ClaimPath> {
    match disclosure.pointer.as_str() {
        "/valid_from" => return Some(ClaimPath::of(["nbf"])),
        "/valid_until" => return Some(ClaimPath::of(["exp"])),
        _ => {}
    }
    if let Some((name, _)) = PERSON.iter().find(|(_, pointer)| *pointer == disclosure.pointer) {
        return Some(ClaimPath::of([name]));
    }
    let claim = disclosure.pointer.strip_prefix("/claims/")?;
    let step = |token: &str| {
        // Members of ours are not named by numbers, so a number is a place in a list.
        let name = || Step::Name(token.replace("~1", "/").replace("~0", "~"));
        token.parse().map_or_else(|_| name(), Step::Index)
    };
    let steps = std::iter::once(Step::from(CLAIMS)).chain(claim.split('/').map(step));
    ClaimPath::new(steps.collect()).ok()
}

/// Which attribute of the category a path asks for: the one whose claim it leads to, or leads into.
pub fn asked<'a>(category: &'a Category, path: &ClaimPath) -> Asked<'a> {
    let covers = |disclosure: &&Disclosure| path_of(disclosure).is_some_and(|claim| claim.leads_to(path));
    if let Some(disclosure) = category.disclosures().iter().find(covers) {
        return Asked::Attribute(&disclosure.name);
    }
    match path.steps() {
        [Step::Name(name), ..] if IN_THE_CLEAR.contains(&name.as_str()) => Asked::Clear,
        _ => Asked::Nothing,
    }
}

/// The person's attributes in the order of [`PERSON`].
pub(super) fn of_person(person: &DisclosedPerson) -> [&Option<String>; 5] {
    [
        &person.family_name,
        &person.given_name,
        &person.family_name_transliterated,
        &person.given_name_transliterated,
        &person.birth_date,
    ]
}

/// The same, to be filled.
pub(super) fn of_person_mut(person: &mut DisclosedPerson) -> [&mut Option<String>; 5] {
    [
        &mut person.family_name,
        &mut person.given_name,
        &mut person.family_name_transliterated,
        &mut person.given_name_transliterated,
        &mut person.birth_date,
    ]
}
