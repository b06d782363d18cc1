//! Our own plain form: `{"person": {…}, "category": "…", "claims": {…}, "document": {…}}`.

use super::{Code, Context, DocumentKind, IdentityDocument, Intake, Rejection, Source, json, person};
use crate::{
    category::Category,
    statement::{CategoryId, Person},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use vidimus_core::Timestamp;

/// The most bytes the form may have.
pub const MAX_BYTES: usize = 64 * 1024;

const MEMBERS: [&str; 4] = ["person", "category", "claims", "document"];

/// Reads the form. Transliterated names and what the category fills in may be left out; `document` too.
pub fn read(bytes: &[u8], context: &Context<'_>) -> Result<Intake, Rejection> {
    read_value(&json::parse(bytes, MAX_BYTES)?, context)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "type")]
    kind: DocumentKind,
    country: String,
    number: String,
}

/// [`read`] for JSON that [`json::parse`] read.
pub fn read_value(form: &Value, context: &Context<'_>) -> Result<Intake, Rejection> {
    let members = members(form)?;
    let category = category(members, context)?;
    let mut claims = claims(members)?;
    let person = person(members, context.now)?;
    let document = document(members)?;
    if let Some(country) = context.country
        && !claims.contains_key("country")
        && category.schema()["properties"].get("country").is_some()
    {
        claims.insert("country".to_owned(), Value::from(country));
    }
    category.complete(&mut claims);
    category
        .validate_at(&claims, context.now)
        .map_err(Rejection::violations)?;
    Ok(Intake {
        person,
        document,
        category: category.id().clone(),
        claims,
        source: Source::Claims,
    })
}

fn members(form: &Value) -> Result<&Map<String, Value>, Rejection> {
    let members = form.as_object().ok_or_else(|| {
        Rejection::one(
            "/",
            Code::UnknownForm,
            "not an object",
            "send an object with person, category and claims",
        )
    })?;
    if members.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(Rejection::one(
            "/",
            Code::Unexpected,
            "has a member that is not known",
            "send person, category, claims and document only",
        ));
    }
    Ok(members)
}

fn category<'c>(members: &Map<String, Value>, context: &Context<'c>) -> Result<&'c Category, Rejection> {
    let reject = |code, message: &str, next: &str| Rejection::one("/category", code, message, next);
    let id = match members.get("category").map(|value| value.as_str().map(CategoryId::new)) {
        None => return Err(reject(Code::Missing, "the category is missing", "name a category")),
        Some(Some(Ok(id))) => id,
        Some(_) => {
            return Err(reject(Code::Malformed, "not the name of a category", "name a category"));
        }
    };
    let category = context.categories.category(&id).ok_or_else(|| {
        reject(
            Code::WrongCategory,
            "there is no such category",
            "choose one of the categories known here",
        )
    })?;
    if context.category.is_some_and(|asked| *asked != id) {
        return Err(reject(
            Code::WrongCategory,
            "not the category that was asked for",
            "ask for the same one, or for none",
        ));
    }
    Ok(category)
}

fn claims(members: &Map<String, Value>) -> Result<Map<String, Value>, Rejection> {
    let (code, message) = match members.get("claims") {
        Some(Value::Object(claims)) => return Ok(claims.clone()),
        None => (Code::Missing, "the claims are missing"),
        Some(_) => (Code::Malformed, "not an object"),
    };
    let next = "send what the category's schema requires";
    Err(Rejection::one("/claims", code, message, next))
}

fn person(members: &Map<String, Value>, now: Timestamp) -> Result<Person, Rejection> {
    let value = members.get("person").ok_or_else(|| {
        Rejection::one(
            "/person",
            Code::Missing,
            "the person is missing",
            "send names and birth date",
        )
    })?;
    // The cause is not repeated: it may quote what was sent.
    let draft: person::Draft = serde_json::from_value(value.clone()).map_err(|_| {
        let message = "a member that is not known, or not text";
        Rejection::one("/person", Code::Malformed, message, "send names and birth date as text")
    })?;
    let places = person::Places {
        family: "/person/family_name".into(),
        given: "/person/given_name".into(),
        birth: "/person/birth_date".into(),
    };
    draft.finish(&places, now).map_err(|issues| Rejection { issues })
}

fn document(members: &Map<String, Value>) -> Result<Option<IdentityDocument>, Rejection> {
    let value = match members.get("document") {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let document = serde_json::from_value::<Document>(value.clone())
        .ok()
        .and_then(|document| person::document(document.kind, &document.country, &document.number));
    document.map(Some).ok_or_else(|| {
        let message = "a document has a type, an issuing country and a number of 3 to 40 letters A–Z and digits";
        let next = "correct the document, or leave it out";
        Rejection::one("/document", Code::Malformed, message, next)
    })
}
