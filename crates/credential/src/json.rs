//! A strict JSON reader: no duplicate members, bounded size and depth.
//!
//! Two readers of a JWT that pick different ones of two equal names would check different things (RFC 8725 §2.4), so a document
//! with a duplicate member has no reading here.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{borrow::Cow, cell::Cell, fmt};

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
    read(bytes, max_bytes).map(|node| node.to_value())
}

/// Reads one JSON object of at most `max_bytes`.
pub fn parse_object(bytes: &[u8], max_bytes: usize) -> Result<Map<String, Value>, JsonError> {
    match parse(bytes, max_bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NotAnObject),
    }
}

/// Reads one JSON value of at most `max_bytes` without copying what can be borrowed: what the check's hot path reads tokens with.
pub fn read(bytes: &[u8], max_bytes: usize) -> Result<Node<'_>, JsonError> {
    if bytes.len() > max_bytes {
        return Err(JsonError::TooLarge(max_bytes));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Syntax)?;
    let fault = Cell::new(JsonError::Syntax);
    let mut reader = serde_json::Deserializer::from_str(text);
    let node = Strict {
        depth: 0,
        fault: &fault,
    }
    .deserialize(&mut reader)
    .map_err(|_| fault.get())?;
    reader.end().map_err(|_| JsonError::Syntax)?;
    Ok(node)
}

/// Reads one JSON object of at most `max_bytes`, as [`read`] does.
pub fn read_object(bytes: &[u8], max_bytes: usize) -> Result<Members<'_>, JsonError> {
    match read(bytes, max_bytes)? {
        Node::Object(members) => Ok(members),
        _ => Err(JsonError::NotAnObject),
    }
}

/// A JSON value that borrows its texts from the document, but for those with escapes. `Debug` hides it: it may be personal.
#[derive(Clone, PartialEq)]
pub enum Node<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Node<'a>>),
    /// An object.
    Object(Members<'a>),
}

/// The members of an object, in the document's order, no name twice. `Debug` hides them.
#[derive(Clone, PartialEq, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Node(…)")
    }
}

impl fmt::Debug for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Members({})", self.0.len())
    }
}

impl<'a> Node<'a> {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
    /// The members of an object.
    pub fn as_object(&self) -> Option<&Members<'a>> {
        if let Self::Object(members) = self {
            Some(members)
        } else {
            None
        }
    }
    /// The items of an array.
    pub fn as_list(&self) -> Option<&[Node<'a>]> {
        if let Self::List(items) = self {
            Some(items)
        } else {
            None
        }
    }
    /// A number.
    pub fn as_number(&self) -> Option<&Number> {
        if let Self::Number(number) = self {
            Some(number)
        } else {
            None
        }
    }
    /// The member of that name, of an object.
    pub fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.as_object()?.get(name)
    }
    /// A copy that borrows nothing.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.clone().into_owned()),
            Self::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Self::Object(members) => Value::Object(members.to_map()),
        }
    }
}

impl<'a> Members<'a> {
    /// The member of that name. Objects that are looked into are small, so this is a walk.
    pub fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, node)| node)
    }
    /// Whether there is a member of that name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
    /// The names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }
    /// A copy that borrows nothing.
    pub fn to_map(&self) -> Map<String, Value> {
        let members = self.0.iter();
        members
            .map(|(name, node)| (name.clone().into_owned(), node.to_value()))
            .collect()
    }

    /// Walks where that is fastest, sorts where walking would be slow on purpose.
    fn has_duplicate(&self) -> bool {
        const FEW: usize = 24;
        if self.0.len() <= FEW {
            let names =
                |members: &[(Cow<'a, str>, Node<'a>)], name: &str| members.iter().any(|(known, _)| known == name);
            return (1..self.0.len()).any(|at| names(&self.0[..at], &self.0[at].0));
        }
        let mut names: Vec<&str> = self.keys().collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }
}

/// Reads one value at `depth`; what is wrong, beyond syntax, is left in `fault`.
#[derive(Clone, Copy)]
struct Strict<'f> {
    depth: usize,
    fault: &'f Cell<JsonError>,
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
    type Value = Node<'de>;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Node<'de>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Node<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number(value.into()))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node<'de>, E> {
        Number::from_f64(value)
            .map(Node::Number)
            .ok_or_else(|| E::custom(JsonError::Syntax))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Node::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut all = Members(Vec::with_capacity(8));
        while let Some(name) = members.next_key_seed(Name)? {
            all.0.push((name, members.next_value_seed(inner)?));
        }
        if all.has_duplicate() {
            self.fault.set(JsonError::Duplicate);
            return Err(A::Error::custom(JsonError::Duplicate));
        }
        Ok(Node::Object(all))
    }
}

/// The name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Cow<'de, str>, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
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
