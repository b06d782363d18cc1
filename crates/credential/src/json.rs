//! A strict JSON reader: no duplicate members, bounded size and depth.
//!
//! Two readers of a JWT that pick different ones of two equal names would check different things (RFC 8725 §2.4), so a document
//! with a duplicate member has no reading here.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{cell::Cell, fmt};

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 64;

/// Why a text is not read. The text itself is never repeated: it may be personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Longer than the caller allows.
    #[error("JSON is longer than {0} bytes")]
    TooLarge(usize),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("JSON is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// An object names a member twice.
    #[error("a JSON object names a member twice")]
    Duplicate,
    /// Not JSON (RFC 8259) in UTF-8, or a number out of range, or something after its end.
    #[error("not valid JSON")]
    Syntax,
    /// JSON, but not an object.
    #[error("not a JSON object")]
    NotAnObject,
}

/// Reads one JSON value of at most `max_bytes`.
pub fn parse(bytes: &[u8], max_bytes: usize) -> Result<Value, JsonError> {
    if bytes.len() > max_bytes {
        return Err(JsonError::TooLarge(max_bytes));
    }
    let fault = Cell::new(JsonError::Syntax);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict {
        depth: 0,
        fault: &fault,
    }
    .deserialize(&mut reader)
    .map_err(|_| fault.get())?;
    reader.end().map_err(|_| JsonError::Syntax)?;
    Ok(value)
}

/// Reads one JSON object of at most `max_bytes`.
pub fn parse_object(bytes: &[u8], max_bytes: usize) -> Result<Map<String, Value>, JsonError> {
    match parse(bytes, max_bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NotAnObject),
    }
}

/// Reads one value at `depth`; what is wrong, beyond syntax, is left in `fault`.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    fault: &'a Cell<JsonError>,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            self.fault.set(JsonError::TooDeep);
            return Err(E::custom(JsonError::TooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom(JsonError::Syntax))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                self.fault.set(JsonError::Duplicate);
                return Err(A::Error::custom(JsonError::Duplicate));
            }
            let value = members.next_value_seed(inner)?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_has_two_readings_or_none() {
        for (text, error) in [
            (r#"{"a":1,"a":2}"#, JsonError::Duplicate),
            (r#"{"a":{"b":1,"\u0062":2}}"#, JsonError::Duplicate),
            (r#"[{"x":[{"k":null,"k":null}]}]"#, JsonError::Duplicate),
            ("", JsonError::Syntax),
            ("{", JsonError::Syntax),
            (r#"{"a":1,}"#, JsonError::Syntax),
            ("{} {}", JsonError::Syntax),
            ("NaN", JsonError::Syntax),
            ("1e999", JsonError::Syntax),
            ("\u{feff}{}", JsonError::Syntax),
            (r#""\ud800""#, JsonError::Syntax),
        ] {
            assert_eq!(parse(text.as_bytes(), 1000), Err(error), "{text}");
        }
        assert_eq!(parse(b"\"\xff\"", 10), Err(JsonError::Syntax));
        assert_eq!(parse(b"[1,2,3]", 6), Err(JsonError::TooLarge(6)));
        assert_eq!(parse_object(b"[]", 6), Err(JsonError::NotAnObject));
    }

    #[test]
    fn depth_ends_at_the_limit_and_not_in_the_stack() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(nested(MAX_DEPTH).as_bytes(), 1 << 20).is_ok());
        assert_eq!(
            parse(nested(MAX_DEPTH + 1).as_bytes(), 1 << 20),
            Err(JsonError::TooDeep)
        );
        assert_eq!(parse(nested(100_000).as_bytes(), 1 << 20), Err(JsonError::TooDeep));
        let objects = r#"{"a":"#.repeat(MAX_DEPTH + 1);
        assert_eq!(parse(objects.as_bytes(), 1 << 20), Err(JsonError::TooDeep));
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_reads(text in r#"[\[\]{}:,"a-c0-9.eE\\ u-]{0,40}"#) {
            let ours = parse(text.as_bytes(), 1000);
            let theirs = serde_json::from_str::<Value>(&text);
            match ours {
                Ok(value) => prop_assert_eq!(Some(value), theirs.ok()),
                Err(JsonError::Duplicate) => {}
                Err(_) => prop_assert!(theirs.is_err()),
            }
        }
    }
}
