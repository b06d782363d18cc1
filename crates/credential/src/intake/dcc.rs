//! EU DCC 1.3 JSON payloads, as national systems hand them over for signing.

use super::{Code, Context, Intake, Issue, Rejection, Source, json, person};
use crate::category::{DccError, Strictness, Violation};
use serde_json::Value;

/// The most bytes a payload may have. An HCERT in a QR code holds some 2 KiB.
pub const MAX_BYTES: usize = 64 * 1024;

/// Reads a payload: the schema of version 1.3 exactly, one entry, codes of the value sets.
pub fn read(bytes: &[u8], context: &Context<'_>) -> Result<Intake, Rejection> {
    read_value(&json::parse(bytes, MAX_BYTES)?, context)
}

/// [`read`] for JSON that [`json::parse`] read.
pub fn read_value(payload: &Value, context: &Context<'_>) -> Result<Intake, Rejection> {
    let dcc = context
        .categories
        .from_dcc(payload, Strictness::Strict)
        .map_err(|e| match e {
            DccError::Schema(violations) => schema(violations),
            DccError::SeveralEntries => several(),
            DccError::UnknownEntry(pointer) => {
                let message = "no category accepts an entry of this disease and kind of test";
                Rejection::one(pointer, Code::UnknownCode, message, "see the categories' hcert.match")
            }
            DccError::NoRendering(_) => unreachable!("only rendering gives this"),
        })?;
    if context.category.is_some_and(|asked| *asked != dcc.category) {
        let message = format!("the entry is of the category {}", dcc.category);
        return Err(Rejection::one(
            "/",
            Code::WrongCategory,
            message,
            "ask for that one, or for none",
        ));
    }
    let mut claims = dcc.claims;
    let category = context
        .categories
        .category(&dcc.category)
        .expect("from_dcc chose it from these");
    category.complete(&mut claims);
    category
        .validate_at(&claims, context.now)
        .map_err(Rejection::violations)?;
    let places = person::Places {
        family: "/nam/fn".into(),
        given: "/nam/gn".into(),
        birth: "/dob".into(),
    };
    let draft = person::Draft {
        family_name: dcc.person.family_name,
        given_name: dcc.person.given_name,
        family_name_transliterated: dcc.person.family_name_transliterated,
        given_name_transliterated: dcc.person.given_name_transliterated,
        birth_date: dcc.person.birth_date,
    };
    let person = draft
        .finish(&places, context.now)
        .map_err(|issues| Rejection { issues })?;
    Ok(Intake {
        person,
        document: None,
        category: dcc.category,
        claims,
        source: Source::Dcc,
    })
}

fn several() -> Rejection {
    let next = "send each entry in a payload of its own";
    Rejection::one(
        "/",
        Code::SeveralResults,
        "the payload has several entries; a certificate holds one",
        next,
    )
}

fn schema(violations: Vec<Violation>) -> Rejection {
    let issues = violations.into_iter().map(|violation| Issue {
        location: if violation.pointer.is_empty() {
            "/".to_owned()
        } else {
            violation.pointer
        },
        code: if violation.code == "required" {
            Code::Missing
        } else {
            Code::DccSchema
        },
        message: violation.message,
        next: "send a payload of schema version 1.3".to_owned(),
    });
    Rejection {
        issues: issues.collect(),
    }
}
