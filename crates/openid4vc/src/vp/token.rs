//! `vp_token` (§8.1): presentations, by the credential query that they answer.

use crate::dcql::{AnswerError, Query};
use serde_json::{Map, Value};
use std::fmt;

/// The most presentations that are read, for all queries together.
pub const MAX_PRESENTATIONS: usize = 256;

/// Why a `vp_token` is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not an object of lists of presentations, each a text or an object.
    #[error("the vp_token has the wrong form")]
    Form,
    /// More than are read.
    #[error("the vp_token holds more than {MAX_PRESENTATIONS} presentations")]
    TooMany,
    /// It is no answer to the query.
    #[error("the vp_token does not answer the query")]
    Answer(#[source] AnswerError),
}

/// One presentation, not verified. Personal: `Debug` hides it.
#[derive(Clone, PartialEq)]
pub enum Presentation {
    /// `dc+sd-jwt`, `jwt_vc_json`, `mso_mdoc`.
    Text(String),
    /// `ldp_vc`.
    Object(Map<String, Value>),
}

impl Presentation {
    /// The text, where it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Object(_) => None,
        }
    }
}

impl fmt::Debug for Presentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presentation(…)")
    }
}

/// Presentations by credential query, in the order they came. Says nothing about what is in them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VpToken(Vec<(String, Vec<Presentation>)>);

impl VpToken {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds what is presented for one credential query.
    #[must_use]
    pub fn with(mut self, id: impl Into<String>, presentations: Vec<Presentation>) -> Self {
        self.0.push((id.into(), presentations));
        self
    }
    /// Reads one.
    pub fn from_json(value: &Value) -> Result<Self, TokenError> {
        let members = value.as_object().ok_or(TokenError::Form)?;
        let mut count = 0;
        let mut token = Self::new();
        for (id, list) in members {
            let list = list
                .as_array()
                .filter(|list| !list.is_empty())
                .ok_or(TokenError::Form)?;
            count += list.len();
            if count > MAX_PRESENTATIONS {
                return Err(TokenError::TooMany);
            }
            let presentation = |item: &Value| match item {
                Value::String(text) if !text.is_empty() => Ok(Presentation::Text(text.clone())),
                Value::Object(members) => Ok(Presentation::Object(members.clone())),
                _ => Err(TokenError::Form),
            };
            let presentations = list.iter().map(presentation).collect::<Result<_, _>>()?;
            token.0.push((id.clone(), presentations));
        }
        Ok(token)
    }
    /// As it is sent.
    pub fn to_json(&self) -> Value {
        let value = |one: &Presentation| match one {
            Presentation::Text(text) => Value::from(text.as_str()),
            Presentation::Object(members) => Value::Object(members.clone()),
        };
        let entries = self.0.iter();
        entries
            .map(|(id, all)| (id.clone(), all.iter().map(value).collect()))
            .collect::<Map<_, Value>>()
            .into()
    }
    /// Whether the right queries are answered, each with as many presentations as it may have. Whether they are what was asked for is seen once they
    /// are read ([`crate::dcql::check_response`]).
    pub fn check(&self, query: &Query) -> Result<(), TokenError> {
        query
            .check_counts(self.0.iter().map(|(id, all)| (id.as_str(), all.len())))
            .map_err(TokenError::Answer)
    }
    /// By credential query.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Presentation])> {
        self.0.iter().map(|(id, all)| (id.as_str(), all.as_slice()))
    }
    /// What is presented for one credential query.
    pub fn find(&self, id: &str) -> &[Presentation] {
        self.0
            .iter()
            .find(|(known, _)| known == id)
            .map_or(&[], |(_, all)| all.as_slice())
    }
}
