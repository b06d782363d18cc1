//! Our own plain form: `{"person": {…}, "category": "…", "claims": {…}, "document": {…}}`.

use super::{Code, Context, DocumentKind, IdentityDocument, Intake, Rejection, Source, json, person};
use crate::statement::CategoryId;
use serde::Deserialize;
use serde_json::{Map, Value};

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
    let reject = |place: &str, code, message: &str, next: &str| Err(Rejection::one(place, code, message, next));
    let Some(members) = form.as_object() else {
        return reject(
            "/",
            Code::UnknownForm,
            "not an object",
            "send an object with person, category and claims",
        );
    };
    if members.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
        return reject(
            "/",
            Code::Unexpected,
            "has a member that is not known",
            "send person, category, claims and document only",
        );
    }
    let id = match members.get("category").map(|value| value.as_str().map(CategoryId::new)) {
        None => return reject("/category", Code::Missing, "the category is missing", "name a category"),
        Some(Some(Ok(id))) => id,
        Some(_) => {
            return reject(
                "/category",
                Code::Malformed,
                "not the name of a category",
                "name a category",
            );
        }
    };
    let Some(category) = context.categories.category(&id) else {
        return reject(
            "/category",
            Code::WrongCategory,
            "there is no such category",
            "choose one of the categories known here",
        );
    };
    if context.category.is_some_and(|asked| *asked != id) {
        return reject(
            "/category",
            Code::WrongCategory,
            "not the category that was asked for",
            "ask for the same one, or for none",
        );
    }
    let mut claims: Map<String, Value> = match members.get("claims") {
        None => {
            return reject(
                "/claims",
                Code::Missing,
                "the claims are missing",
                "send what the category's schema requires",
            );
        }
        Some(Value::Object(claims)) => claims.clone(),
        Some(_) => {
            return reject(
                "/claims",
                Code::Malformed,
                "not an object",
                "send what the category's schema requires",
            );
        }
    };
    let person = match members.get("person") {
        None => {
            return reject(
                "/person",
                Code::Missing,
                "the person is missing",
                "send names and birth date",
            );
        }
        Some(value) => match serde_json::from_value::<person::Draft>(value.clone()) {
            Ok(draft) => draft,
            // The cause is not repeated: it may quote what was sent.
            Err(_) => {
                let message = "a member that is not known, or not text";
                return reject("/person", Code::Malformed, message, "send names and birth date as text");
            }
        },
    };
    let places = person::Places {
        family: "/person/family_name".into(),
        given: "/person/given_name".into(),
        birth: "/person/birth_date".into(),
    };
    let person = person
        .finish(&places, context.now)
        .map_err(|issues| Rejection { issues })?;
    let document = match members.get("document") {
        None | Some(Value::Null) => None,
        Some(value) => match document(value) {
            Some(document) => Some(document),
            None => {
                let message =
                    "a document has a type, an issuing country and a number of 3 to 40 letters A–Z and digits";
                return reject(
                    "/document",
                    Code::Malformed,
                    message,
                    "correct the document, or leave it out",
                );
            }
        },
    };
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
        category: id,
        claims,
        source: Source::Claims,
    })
}

fn document(value: &Value) -> Option<IdentityDocument> {
    let document: Document = serde_json::from_value(value.clone()).ok()?;
    person::document(document.kind, &document.country, &document.number)
}
