//! Lists and reasons as the registry takes them.

use crate::app::{
    App,
    error::{Error, Place, Problem},
};
use vidimus_credential::CategoryId;

pub(super) fn known_categories(app: &App, categories: &[String]) -> Result<Vec<String>, Error> {
    names("/categories", categories)?;
    let mut places = Vec::new();
    for (place, name) in categories.iter().enumerate() {
        let known = CategoryId::new(name.as_str()).is_ok_and(|id| app.categories.category(&id).is_some());
        if !known {
            places.push(Place {
                pointer: format!("/categories/{place}"),
                code: "unknown-category".into(),
                message: "there is no such category".to_owned(),
            });
        }
    }
    if places.is_empty() {
        return Ok(categories.to_vec());
    }
    let mut problem = Problem::new(
        "unknown-category",
        "a category is not one of this deployment's",
        "name categories that `GET /v1/categories` lists",
    );
    problem.places = places;
    Err(Error::Invalid(problem))
}

/// Names as the registry takes them: at least one, each 1 to 64 bytes of lower-case letters, digits, `-`, `_` and `.`, none twice.
pub(super) fn names(pointer: &str, list: &[String]) -> Result<(), Error> {
    let fits = |name: &String| {
        (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
    };
    let mut sorted: Vec<_> = list.iter().collect();
    sorted.sort();
    sorted.dedup();
    if list.is_empty() || list.len() > 64 || sorted.len() != list.len() || !list.iter().all(fits) {
        return Err(Error::invalid(
            "names",
            format!(
                "{pointer}: 1 to 64 different names are needed, each of 1 to 64 lower-case letters, digits, `-`, `_`, `.`"
            ),
            "correct the list",
        ));
    }
    Ok(())
}

pub(super) fn refuse_lists(lists: &[(&str, &Vec<String>)], whom: &str) -> Result<(), Error> {
    match lists.iter().find(|(_, list)| !list.is_empty()) {
        None => Ok(()),
        Some((pointer, _)) => Err(Error::invalid(
            "wrong-role",
            format!("{pointer}: {whom} is not admitted for these"),
            "leave the list out",
        )),
    }
}

/// Reasons are codes, so that no text about a person gets onto the chain.
pub fn code(pointer: &str, text: &str) -> Result<(), Error> {
    let fits = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits {
        return Ok(());
    }
    Err(Error::invalid(
        "reason",
        format!("{pointer}: a reason is a code of 1 to 64 lower-case letters, digits and hyphens"),
        "use a code such as `accreditation-lost`; never text about a person",
    ))
}
