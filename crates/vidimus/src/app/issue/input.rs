//! What a report says, and what is known of the person and the issuer, before anything is written.

use super::Issuer;
use crate::app::{
    App,
    copies::IssuerKeys,
    error::{Error, Place, Problem},
    requests::Report,
};
use vidimus_core::{Digest, Timestamp, Transcript};
use vidimus_credential::{
    CategoryId,
    intake::{self, IdentityDocument, Intake, Rejection},
};
use vidimus_crypto::DataKey;
use vidimus_store::{keys, persons};

pub(super) fn read(app: &App, issuer: &Issuer, report: &Report, now: Timestamp) -> Result<Intake, Error> {
    let category = report
        .category
        .as_deref()
        .map(CategoryId::new)
        .transpose()
        .map_err(|error| {
            Error::invalid(
                "category",
                format!("/category: {error}"),
                "name one that `GET /v1/categories` lists",
            )
        })?;
    let context = intake::Context {
        categories: &app.categories,
        now,
        country: Some(&issuer.row.country),
        category: category.as_ref(),
    };
    match (&report.fhir, &report.dcc, &report.claims) {
        (Some(bundle), None, None) => intake::fhir::read_value(bundle, &context),
        (None, Some(payload), None) => intake::dcc::read_value(payload, &context),
        (None, None, Some(form)) => intake::claims::read_value(form, &context),
        _ => {
            return Err(Error::invalid(
                "one-source",
                "a report has exactly one of `fhir`, `dcc` and `claims`",
                "send one of them",
            ));
        }
    }
    .map_err(rejected)
}

fn rejected(rejection: Rejection) -> Error {
    let mut problem = Problem::new(
        "result-refused",
        "the result does not fit a category",
        "mend the places named, and send it again",
    );
    problem.places = rejection
        .issues
        .into_iter()
        .map(|issue| Place {
            pointer: issue.location,
            code: issue.code.name().to_owned(),
            message: format!("{}; {}", issue.message, issue.next),
        })
        .collect();
    Error::Invalid(problem)
}

/// The person's blind index: by the identity document that was seen, else by the issuer's own identifier.
pub(super) fn person_index(app: &App, issuer: &Issuer, report: &Report, intake: &Intake) -> Result<Digest, Error> {
    let document = report.document.as_ref().or(intake.document.as_ref());
    let who = match (document, report.fallback_id.as_deref()) {
        (Some(document), _) => {
            return index_of(app, document).ok_or_else(|| {
                Error::invalid(
                    "document",
                    "/document: an identity document has a country of two letters and a number of 4 to 32 letters and digits",
                    "copy type, country and number from the document",
                )
            });
        }
        (None, Some(id)) if (1..=128).contains(&id.len()) => Transcript::new("vidimus/person/fallback/v1")
            .field(issuer.row.id.as_bytes())
            .field(id.as_bytes())
            .field(intake.person.birth_date.as_bytes()),
        (None, Some(_)) => {
            return Err(Error::invalid(
                "fallback-id",
                "/fallback_id: 1 to 128 bytes",
                "send your own identifier of the person",
            ));
        }
        (None, None) => {
            return Err(Error::invalid(
                "no-identity",
                "nothing tells this person from others",
                "send `document` {type, country, number}, or `fallback_id` with your own identifier of the person",
            ));
        }
    };
    Ok(Digest(app.keys.person_index(who)))
}

/// The blind index of whoever has this identity document. None where its country or number are none.
pub fn index_of(app: &App, document: &IdentityDocument) -> Option<Digest> {
    let number: String = document
        .number
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let country = document.country.to_ascii_uppercase();
    let fits =
        (4..=32).contains(&number.len()) && country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
    fits.then(|| {
        let who = Transcript::new("vidimus/person/document/v1")
            .field(document.kind.name().as_bytes())
            .field(country.as_bytes())
            .field(number.as_bytes());
        Digest(app.keys.person_index(who))
    })
}

/// What is kept of a person, and the issuer's keys: all that a report needs of the database before its first commit.
pub(super) async fn known(
    app: &App,
    issuer: &Issuer,
    person: &Digest,
) -> Result<(Option<persons::Person>, IssuerKeys), Error> {
    let (person, scope, id) = (*person, issuer.scope, issuer.row.id);
    let (kept, rows) = app
        .store
        .get(move |tx| Ok::<_, vidimus_store::Error>((persons::find(tx, &person)?, keys::list(tx, &scope, Some(id))?)))
        .await?;
    Ok((kept, IssuerKeys::of(app, &issuer.row, &rows)?))
}

/// The person's data key, made where the person is new. It counts only once its row is committed.
pub(super) fn person_key(
    app: &App,
    person: &Digest,
    kept: Option<persons::Person>,
) -> Result<(DataKey, vidimus_store::Wrapped), Error> {
    if let Some(wrapped) = kept.and_then(|kept| kept.data_key) {
        return Ok((app.keys.person_key(&person.0, &wrapped)?, wrapped));
    }
    let key = DataKey::generate(&mut *app.entropy());
    let wrapped = app.keys.wrap_person_key(&person.0, &key, &mut *app.entropy());
    Ok((key, wrapped))
}
