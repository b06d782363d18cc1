//! JSON that can be read one way only: a size and a depth that are allowed, and no member named twice.

use super::{Code, Rejection};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{cell::Cell, fmt};

/// How deep lists and objects may nest.
pub const MAX_DEPTH: usize = 48;

/// Parses. The rejection gives line and column, never the text.
pub fn parse(bytes: &[u8], max_bytes: usize) -> Result<Value, Rejection> {
    if bytes.len() > max_bytes {
        let message = format!("{} bytes, and at most {max_bytes} are read", bytes.len());
        return Err(Rejection::one(
            "/",
            Code::TooLarge,
            message,
            "send one result at a time, without attachments",
        ));
    }
    let fault = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Tree {
        depth: 0,
        fault: &fault,
    }
    .deserialize(&mut reader)
    .and_then(|value| reader.end().map(|()| value));
    value.map_err(|e| {
        let (code, what, next) = match fault.get() {
            Some(Code::DuplicateKey) => (
                Code::DuplicateKey,
                "an object names a member twice",
                "send each member once",
            ),
            Some(_) => (Code::TooDeep, "nested too deep", "send flatter JSON"),
            None => (Code::NotJson, "not JSON", "send UTF-8 JSON (RFC 8259)"),
        };
        Rejection::one(
            "/",
            code,
            format!("{what} at line {} column {}", e.line(), e.column()),
            next,
        )
    })
}

#[derive(Clone, Copy)]
struct Tree<'a> {
    depth: usize,
    fault: &'a Cell<Option<Code>>,
}

impl Tree<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            self.fault.set(Some(Code::TooDeep));
            return Err(E::custom("too deep"));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a number"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if members.contains_key(&name) {
                self.fault.set(Some(Code::DuplicateKey));
                return Err(A::Error::custom("duplicate key"));
            }
            members.insert(name, object.next_value_seed(inner)?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        parse(text.as_bytes(), 4096).unwrap_err().issues[0].code
    }

    #[test]
    fn what_could_be_read_two_ways_is_refused() {
        assert_eq!(code(r#"{"a":1,"a":1}"#), Code::DuplicateKey);
        assert_eq!(code(r#"{"a":1,"\u0061":2}"#), Code::DuplicateKey);
        assert_eq!(code(r#"[{"b":{"x":null,"x":null}}]"#), Code::DuplicateKey);
        assert_eq!(code(&"[".repeat(200)), Code::TooDeep);
        assert_eq!(code(&"[".repeat(5000)), Code::TooLarge);
        for text in ["", "{", "nul", "{} {}", "1e999", "\u{feff}{}", "{'a':1}", "[1,]"] {
            assert_eq!(code(text), Code::NotJson, "{text:?}");
        }
        assert_eq!(parse(b"\"\xff\"", 9).unwrap_err().issues[0].code, Code::NotJson);
    }

    #[test]
    fn the_depth_allowed_reads() {
        let text = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert_eq!(parse(text.as_bytes(), 4096).unwrap().to_string(), text);
        assert_eq!(
            parse(br#" {"b":-1,"a":[0.5,true,null,"\u00e9"]}"#, 99)
                .unwrap()
                .to_string(),
            r#"{"b":-1,"a":[0.5,true,null,"é"]}"#
        );
    }
}
