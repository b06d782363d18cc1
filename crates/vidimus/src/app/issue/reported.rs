//! A report as it was judged, before anything is written: what its rows and its copies follow from.

use super::{
    Body, Issuer,
    input::{person_index, read},
    intents::as_row,
};
use crate::app::{
    App,
    copies::Loaded,
    error::Error,
    keys::place,
    render::{self, Subject},
    requests::Report,
};
use serde_json::Value;
use vidimus_core::{
    Digest, Timestamp, Transcript,
    id::{CertificateId, ResultId},
};
use vidimus_credential::{
    CategoryId,
    category::{Category, Validity},
    intake::Intake,
};
use vidimus_crypto::DataKey;
use vidimus_store::{certificates, copies as copy_rows, results};

pub(super) struct Reported {
    pub(super) issuer: Issuer,
    pub(super) category: CategoryId,
    /// The person's blind index.
    pub(super) person: Digest,
    /// What tells results of one person and category apart.
    kind: Digest,
    validity: Validity,
    body: Body,
    at: Timestamp,
}

impl Reported {
    pub(super) fn read(app: &App, issuer: Issuer, report: &Report, now: Timestamp) -> Result<Self, Error> {
        let mut intake = read(app, &issuer, report, now)?;
        // Again, now that the category is known: what is granted is part of what is asked.
        issuer.require(app, Some(&intake.category))?;
        let category = render::category(&app.categories, &intake.category)?;
        if category.schema().pointer("/properties/issuer_name").is_some() {
            // Who issues is not the reporter's to say.
            let name = Value::String(issuer.row.name.clone());
            intake.claims.insert("issuer_name".to_owned(), name);
        }
        let validity = validity(category, &intake, now)?;
        let person = person_index(app, &issuer, report, &intake)?;
        let kind = Transcript::new("vidimus/kind/v1").field(category.kind(&intake.claims).as_bytes());
        Ok(Self {
            issuer,
            category: intake.category,
            person,
            kind: Digest(app.keys.person_index(kind)),
            validity,
            body: Body {
                person: intake.person,
                claims: intake.claims,
            },
            at: now,
        })
    }

    /// The rows of a new result and its certificate, the result sealed under the person's data key.
    pub(super) fn rows(
        &self,
        app: &App,
        data_key: &DataKey,
    ) -> Result<(results::ResultRecord, certificates::Certificate), Error> {
        let (result, certificate) = (
            ResultId::generate(&mut *app.entropy()),
            CertificateId::generate(&mut *app.entropy()),
        );
        let plain = serde_json::to_vec(&self.body).map_err(|_| Error::Internal("a result does not serialise"))?;
        let sealed = data_key.seal(
            &place("results", result.as_bytes(), "body"),
            &plain,
            &mut *app.entropy(),
        );
        let result_row = results::ResultRecord {
            id: result,
            participant: self.issuer.row.id,
            person: self.person,
            category: self.category.to_string(),
            uniqueness: self.kind,
            nonce: None,
            body: Some(sealed),
            state: results::State::Live,
            created: self.at,
        };
        let certificate_row = certificates::Certificate {
            id: certificate,
            participant: self.issuer.row.id,
            result,
            person: self.person,
            category: self.category.to_string(),
            uniqueness: self.kind,
            state: certificates::State::Valid,
            reason: None,
            replaced_by: None,
            valid_from: self.validity.from,
            valid_until: self.validity.until,
            created: self.at,
            updated: self.at,
        };
        Ok((result_row, certificate_row))
    }

    /// What every copy says.
    pub(super) fn subject(&self) -> Subject {
        Subject {
            category: self.category.clone(),
            issuer: self.issuer.row.did.clone(),
            country: self.issuer.row.country.clone(),
            person: self.body.person.clone(),
            claims: self.body.claims.clone(),
            valid_from: self.validity.from,
            valid_until: self.validity.until,
        }
    }

    /// The certificate as it would be loaded after the first commit.
    pub(super) fn loaded(
        self,
        certificate: certificates::Certificate,
        subject: Subject,
        data_key: DataKey,
        intents: Vec<copy_rows::Intent>,
    ) -> Loaded {
        Loaded {
            certificate,
            issuer: self.issuer.row,
            subject,
            data_key,
            copies: intents.into_iter().map(as_row).collect(),
        }
    }
}

fn validity(category: &Category, intake: &Intake, now: Timestamp) -> Result<Validity, Error> {
    let validity = category.validity(&intake.claims, now).map_err(|error| {
        Error::invalid(
            "validity",
            format!("no validity can be computed: {error}"),
            "mend the times in the result",
        )
    })?;
    if validity.until <= now {
        return Err(Error::invalid(
            "expired-already",
            format!("a certificate of this result would have expired on {}", validity.until),
            "report a more recent result",
        ));
    }
    Ok(validity)
}
