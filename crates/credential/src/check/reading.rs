//! What a copy says, whichever its form, held against its category.

use super::{Context, Input, TrustList, Usage};
use crate::{
    category::{Category, DccError, Strictness},
    format::{Content, hcert, sd_jwt_vc},
    statement::{CategoryId, DisclosedPerson, Format, Person},
};
use serde_json::{Map, Value};
use std::borrow::Cow;
use vidimus_core::{PublicKey, Timestamp, reason::Reason};

/// What a copy says, whichever its form.
pub(super) struct Reading<'a> {
    pub(super) syntax: Reason,
    pub(super) category: Option<&'a Category>,
    pub(super) category_id: Option<Cow<'a, CategoryId>>,
    pub(super) person: Named<'a>,
    /// An object.
    pub(super) claims: Value,
    /// Of an HCERT or an SD-JWT VC; a statement has its own.
    pub(super) id: String,
    pub(super) holder: Holder<'a>,
    pub(super) issued_at: Timestamp,
    pub(super) valid_from: Timestamp,
    pub(super) valid_until: Timestamp,
    pub(super) usage: Option<Usage>,
}

/// Whom a copy is about.
pub(super) enum Named<'a> {
    Whole(Cow<'a, Person>),
    Disclosed(DisclosedPerson),
}

/// To whom a copy is bound.
#[derive(Clone, Copy)]
pub(super) enum Holder<'a> {
    Nobody,
    Did(&'a str),
    Key(&'a PublicKey),
}

impl<'a> Reading<'a> {
    pub(super) fn of(input: &'a Input, claims: Map<String, Value>, context: &Context<'a>) -> Self {
        match &input.copy.content {
            Content::Statement(statement) => {
                let category = context
                    .categories
                    .category(&statement.category)
                    .map(|category| &**category);
                let mut reading = Self {
                    syntax: Reason::SyntaxOk,
                    category,
                    category_id: Some(Cow::Borrowed(&statement.category)),
                    person: Named::Whole(Cow::Borrowed(&statement.person)),
                    claims: Value::Object(claims),
                    id: String::new(),
                    holder: statement.holder.as_deref().map_or(Holder::Nobody, Holder::Did),
                    issued_at: statement.issued_at,
                    valid_from: statement.valid_from,
                    valid_until: statement.valid_until,
                    usage: None,
                };
                reading.syntax = reading.fits_category(input.copy.format);
                reading
            }
            Content::Hcert(content) => Self::of_hcert(content, context),
            Content::SdJwtVc(content) => Self::of_sd_jwt_vc(content, context),
        }
    }

    /// An SD-JWT VC shows what its holder chose. One of another type than ours is read where issuers of such are trusted at all.
    fn of_sd_jwt_vc(content: &'a sd_jwt_vc::Content, context: &Context<'a>) -> Self {
        let named = content.category();
        let mut reading = Self {
            syntax: Reason::SyntaxOk,
            category: named
                .as_ref()
                .and_then(|id| context.categories.category(id))
                .map(|category| &**category),
            category_id: named.map(Cow::Owned),
            person: Named::Disclosed(DisclosedPerson::default()),
            claims: Value::Null,
            id: match content.copy_id() {
                Some(id) => id.to_string(),
                None => content.id.clone().unwrap_or_default(),
            },
            holder: content.holder.as_ref().map_or(Holder::Nobody, Holder::Key),
            issued_at: content.issued_at.or(content.valid_from).unwrap_or(context.now),
            valid_from: content.valid_from.or(content.issued_at).unwrap_or(context.now),
            valid_until: content.valid_until.unwrap_or(NO_END),
            usage: None,
        };
        let shown = match content.show(context.provider) {
            Ok(shown) => shown,
            Err(error) => {
                reading.syntax = error.reason();
                return reading;
            }
        };
        reading.issued_at = shown.issued_at.unwrap_or(reading.issued_at);
        reading.person = Named::Disclosed(shown.person);
        reading.syntax = match reading.category {
            None if reading.category_id.is_none() && context.trust.is_some_and(TrustList::has_issuers) => {
                Reason::SyntaxOk
            }
            None => Reason::UnknownCategory,
            Some(category) if !category.permits(Format::SdJwtVc) => Reason::UnsupportedFormat,
            Some(category) if category.has_shape_of_parts(&shown.claims) => Reason::SyntaxOk,
            Some(_) => Reason::SchemaMismatch,
        };
        reading.claims = Value::Object(shown.claims);
        reading
    }

    /// An HCERT says when it was signed and when it ends; from when it counts is the category's to say.
    fn of_hcert(content: &'a hcert::Content, context: &Context<'a>) -> Self {
        let mut reading = Self {
            syntax: Reason::SyntaxOk,
            category: None,
            category_id: None,
            person: Named::Disclosed(DisclosedPerson::default()),
            claims: Value::Null,
            id: String::new(),
            holder: Holder::Nobody,
            issued_at: content.issued_at,
            valid_from: content.issued_at,
            valid_until: content.expires_at,
            usage: Usage::of_payload(&content.dcc),
        };
        match context.categories.from_dcc(&content.dcc, Strictness::Lenient) {
            Ok(dcc) => {
                reading.category = context.categories.category(&dcc.category).map(|category| &**category);
                reading.category_id = Some(Cow::Owned(dcc.category));
                reading.person = Named::Whole(Cow::Owned(dcc.person));
                reading.id = dcc.uvci;
                if let Some(Ok(validity)) = reading
                    .category
                    .map(|category| category.validity(&dcc.claims, content.issued_at))
                {
                    reading.valid_from = validity.from.max(content.issued_at);
                    reading.valid_until = validity.until.min(content.expires_at);
                }
                reading.claims = Value::Object(dcc.claims);
                reading.syntax = reading.fits_category(Format::Hcert);
            }
            Err(DccError::UnknownEntry(_)) => reading.syntax = Reason::UnknownCategory,
            Err(_) => reading.syntax = Reason::SchemaMismatch,
        }
        reading
    }

    fn fits_category(&self, format: Format) -> Reason {
        match self.category {
            None => Reason::UnknownCategory,
            Some(category) if !category.permits(format) => Reason::UnsupportedFormat,
            Some(category) if category.has_shape(&self.claims) => Reason::SyntaxOk,
            Some(_) => Reason::SchemaMismatch,
        }
    }
}

/// The end of what says none: of the year 9999.
const NO_END: Timestamp = Timestamp(253_402_300_799);
