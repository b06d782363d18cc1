//! Scope values (RFC 6749 §3.3).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The most scope values in one request.
const MAX_VALUES: usize = 64;

/// Scope values in their order, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope(Vec<String>);

impl Scope {
    /// From values. `None` where one of them is empty or holds what no scope value may.
    pub fn new<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Option<Self> {
        let mut scope = Self::default();
        for value in values.into_iter().map(Into::into) {
            let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            if value.is_empty() || !value.bytes().all(fits) || scope.0.len() == MAX_VALUES {
                return None;
            }
            if !scope.0.contains(&value) {
                scope.0.push(value);
            }
        }
        Some(scope)
    }
    /// Reads values that are separated by single spaces.
    pub fn parse(text: &str) -> Option<Self> {
        Self::new(text.split(' '))
    }
    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
    /// Whether `value` is one of them.
    pub fn contains(&self, value: &str) -> bool {
        self.0.iter().any(|known| known == value)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).ok_or_else(|| serde::de::Error::custom("not scope values"))
    }
}
