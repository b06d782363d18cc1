//! `application/x-www-form-urlencoded`, as token, pushed authorization and authorization requests use it (RFC 6749 appendix B).

use std::fmt;
use url::form_urlencoded::byte_serialize;

/// The longest form that is read.
pub const MAX_FORM: usize = 128 << 10;
/// The most parameters that are read.
pub const MAX_PARAMETERS: usize = 64;

/// Why a form is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Longer than [`MAX_FORM`], or than its reader allows.
    #[error("the form is longer than is read")]
    TooLarge,
    /// More than [`MAX_PARAMETERS`].
    #[error("the form has more than {MAX_PARAMETERS} parameters")]
    TooMany,
    /// A percent sign without two hexadecimal digits, or not UTF-8.
    #[error("not a readable form")]
    Encoding,
    /// A parameter is there twice (RFC 6749 §3.1, §3.2).
    #[error("a parameter is there twice")]
    Duplicate,
}

/// Parameters in their order, no name twice. `Debug` shows the names only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Form(Vec<(String, String)>);

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Form {
    /// An empty form.
    pub fn new() -> Self {
        Self::default()
    }
    /// Reads a body, or the query of a URL. Parameters without a value count as absent (RFC 6749 §3.1, §3.2).
    pub fn parse(text: &[u8]) -> Result<Self, FormError> {
        Self::parse_bounded(text, MAX_FORM)
    }
    /// [`Self::parse`] of at most `max_bytes`.
    pub fn parse_bounded(text: &[u8], max_bytes: usize) -> Result<Self, FormError> {
        if text.len() > max_bytes {
            return Err(FormError::TooLarge);
        }
        let mut form = Self::new();
        let mut names = Vec::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let name = decode(&pair[..at])?;
            let value = decode(pair.get(at + 1..).unwrap_or_default())?;
            if names.len() == MAX_PARAMETERS {
                return Err(FormError::TooMany);
            }
            if names.contains(&name) {
                return Err(FormError::Duplicate);
            }
            names.push(name.clone());
            if !value.is_empty() {
                form.0.push((name, value));
            }
        }
        Ok(form)
    }
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
    /// All parameters.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
    /// Adds a parameter, once for each name.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        debug_assert!(self.get(name).is_none(), "a parameter is added once");
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }
    /// [`Self::with`] where there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
    /// As it goes into a body, or behind the `?` of a URL.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            if !text.is_empty() {
                text.push('&');
            }
            text.extend(byte_serialize(name.as_bytes()));
            text.push('=');
            text.extend(byte_serialize(value.as_bytes()));
        }
        text
    }
}

/// A text as it stands in a form (RFC 6749 appendix B).
pub(crate) fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

fn decode(text: &[u8]) -> Result<String, FormError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    rest.next()
                        .and_then(|digit| char::from(*digit).to_digit(16))
                        .and_then(|digit| u8::try_from(digit).ok())
                        .ok_or(FormError::Encoding)
                };
                digit()? << 4 | digit()?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| FormError::Encoding)
}
