//! Bounded, strict CBOR (RFC 8949) and the way between it and JSON.

use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value as Json};
use std::collections::BTreeSet;

/// How deep arrays, maps and tags may nest.
const MAX_DEPTH: usize = 64;

/// Whole numbers up to here are exact in a double (2^53).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// What is wrong, in words for [`super::FormatError::Cbor`].
pub(super) type Fault = &'static str;

/// Reads exactly one item. Map keys are whole numbers or texts, and none occurs twice in a map.
pub(super) fn read(bytes: &[u8]) -> Result<Cbor, Fault> {
    let mut rest = bytes;
    let value: Cbor = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH)
        .map_err(|_| "not well-formed, or nested too deeply")?;
    if !rest.is_empty() {
        return Err("something follows its end");
    }
    unique_keys(&value)?;
    Ok(value)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Number(i128),
    Text(&'a str),
}

/// Depth is bounded: only called on what [`read`] has read.
fn unique_keys(value: &Cbor) -> Result<(), Fault> {
    match value {
        Cbor::Array(items) => items.iter().try_for_each(unique_keys),
        Cbor::Tag(_, inner) => unique_keys(inner),
        Cbor::Map(members) => {
            let mut seen = BTreeSet::new();
            for (key, value) in members {
                let key = match key {
                    Cbor::Integer(number) => Key::Number((*number).into()),
                    Cbor::Text(text) => Key::Text(text),
                    _ => return Err("a map's key is neither a number nor a text"),
                };
                if !seen.insert(key) {
                    return Err("a map has a key twice");
                }
                unique_keys(value)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Writes deterministically: definite lengths, shortest numbers, map keys in bytewise order (RFC 8949 §4.2.1).
pub(super) fn write(value: Cbor) -> Vec<u8> {
    fn sorted(value: Cbor) -> Cbor {
        match value {
            Cbor::Array(items) => Cbor::Array(items.into_iter().map(sorted).collect()),
            Cbor::Tag(tag, inner) => Cbor::Tag(tag, Box::new(sorted(*inner))),
            Cbor::Map(members) => {
                let mut members: Vec<_> = members.into_iter().map(|(k, v)| (encode(&k), k, sorted(v))).collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                Cbor::Map(members.into_iter().map(|(_, k, v)| (k, v)).collect())
            }
            other => other,
        }
    }
    encode(&sorted(value))
}

fn encode(value: &Cbor) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("a vector takes every write, and values nest as deep as JSON did");
    out
}

/// The value of `key` in a map read by [`read`].
pub(super) fn member(map: &[(Cbor, Cbor)], key: i64) -> Option<&Cbor> {
    map.iter().find(|(k, _)| *k == Cbor::from(key)).map(|(_, value)| value)
}

/// The value of `key` in a map read by [`read`].
pub(super) fn named<'a>(map: &'a [(Cbor, Cbor)], key: &str) -> Option<&'a Cbor> {
    map.iter()
        .find(|(k, _)| k.as_text() == Some(key))
        .map(|(_, value)| value)
}

/// A numeric date (RFC 8392 §2): whole or fractional seconds; foreign issuers also write it with tag 1.
pub(super) fn seconds(value: &Cbor) -> Option<i64> {
    match value {
        Cbor::Integer(number) => i64::try_from(*number).ok(),
        Cbor::Float(number) if number.is_finite() && number.abs() < EXACT => Some(number.floor() as i64),
        Cbor::Tag(1, inner) if !matches!(**inner, Cbor::Tag(..)) => seconds(inner),
        _ => None,
    }
}

/// As JSON. Dates in tags become the texts that the EU schema has: tags 0 and 1004 (RFC 3339, RFC 8943) are texts already, 1 and 100 are
/// counted since 1970. A whole number written as a float becomes a whole number again. What JSON does not have is refused.
pub(super) fn to_json(value: &Cbor) -> Result<Json, Fault> {
    Ok(match value {
        Cbor::Null => Json::Null,
        Cbor::Bool(value) => Json::Bool(*value),
        Cbor::Text(text) => Json::String(text.clone()),
        Cbor::Integer(number) => u64::try_from(*number)
            .map(Json::from)
            .or_else(|_| i64::try_from(*number).map(Json::from))
            .map_err(|_| "a number is out of range")?,
        Cbor::Float(number) if number.fract() == 0.0 && number.abs() < EXACT => Json::from(*number as i64),
        Cbor::Float(number) => Number::from_f64(*number)
            .map(Json::Number)
            .ok_or("a number is not finite")?,
        Cbor::Array(items) => Json::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Cbor::Map(members) => {
            let mut map = Map::new();
            for (key, value) in members {
                let key = key.as_text().ok_or("a map's key is not a text")?;
                map.insert(key.to_owned(), to_json(value)?);
            }
            Json::Object(map)
        }
        Cbor::Tag(0 | 1004, inner) => inner.as_text().map(Json::from).ok_or("a date's tag is not on a text")?,
        Cbor::Tag(1, _) => {
            let time = seconds(value).ok_or("a date's tag is not on a number")?;
            Json::String(vidimus_core::Timestamp(time).to_rfc3339())
        }
        Cbor::Tag(100, inner) => {
            let days = inner
                .as_integer()
                .and_then(|n| i32::try_from(n).ok())
                .ok_or("a date's tag is not on a number")?;
            let time = vidimus_core::Timestamp(i64::from(days) * 86_400).to_rfc3339();
            Json::String(time.get(..10).ok_or("a date is out of range")?.to_owned())
        }
        _ => return Err("it holds what JSON does not have"),
    })
}

/// From JSON. Whole numbers stay whole.
pub(super) fn from_json(value: &Json) -> Cbor {
    match value {
        Json::Null => Cbor::Null,
        Json::Bool(value) => Cbor::Bool(*value),
        Json::String(text) => Cbor::Text(text.clone()),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Cbor::from(number),
            (None, Some(number)) => Cbor::from(number),
            (None, None) => Cbor::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::Array(items) => Cbor::Array(items.iter().map(from_json).collect()),
        Json::Object(members) => Cbor::Map(
            members
                .iter()
                .map(|(k, v)| (Cbor::Text(k.clone()), from_json(v)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        vidimus_core::encoding::from_hex(text).unwrap()
    }

    #[test]
    fn refuses_what_has_two_readings_or_none() {
        for (bytes, why) in [
            ("", "not well-formed, or nested too deeply"),
            ("ff", "not well-formed, or nested too deeply"),
            ("a2010201", "not well-formed, or nested too deeply"),
            ("9bffffffffffffffff01", "not well-formed, or nested too deeply"),
            ("5bffffffffffffffff01", "not well-formed, or nested too deeply"),
            ("a201020103", "a map has a key twice"),
            ("a2616102180161", "not well-formed, or nested too deeply"),
            ("a261610261610 3", "a map has a key twice"),
            // The same number in two lengths is the same key.
            ("a20102180103", "a map has a key twice"),
            ("81a1d81200 01", "a map's key is neither a number nor a text"),
            ("a1800 1", "a map's key is neither a number nor a text"),
            ("0102", "something follows its end"),
        ] {
            assert_eq!(read(&hex(&bytes.replace(' ', ""))), Err(why), "{bytes}");
        }
        assert!(read(&[vec![0x81; 60], vec![0x01]].concat()).is_ok());
        assert!(read(&[vec![0x81; 100_000], vec![0x01]].concat()).is_err());
        assert!(read(&[vec![0xc1; 100_000], vec![0x01]].concat()).is_err());
    }

    #[test]
    fn dates_in_tags_are_read_as_foreign_issuers_write_them() {
        for (bytes, text) in [
            ("c074323032312d30352d30335431383a30303a30305a", "2021-05-03T18:00:00Z"),
            ("d903ec6a323032312d30352d3033", "2021-05-03"),
            ("c11a60903a20", "2021-05-03T18:00:00Z"),
            ("c1fb41d8240e88000000", "2021-05-03T18:00:00Z"),
            ("d86419493e", "2021-05-03"),
        ] {
            assert_eq!(to_json(&read(&hex(bytes)).unwrap()), Ok(Json::from(text)), "{bytes}");
        }
        for bytes in [
            "c001",
            "c16161",
            "d9d9f701",
            "4100",
            "f97e00",
            "c249010000000000000000",
            "f7",
            "a10101",
        ] {
            let json = read(&hex(bytes)).and_then(|value| to_json(&value));
            assert!(json.is_err() || json == Ok(Json::Null), "{bytes} {json:?}");
        }
    }

    #[test]
    fn numbers_keep_their_value_and_whole_ones_their_kind() {
        for (bytes, json) in [
            ("f93c00", "1"),
            ("fb3ff0000000000000", "1"),
            ("f93e00", "1.5"),
            ("3903e7", "-1000"),
        ] {
            assert_eq!(to_json(&read(&hex(bytes)).unwrap()).unwrap().to_string(), json);
        }
    }

    #[test]
    fn writes_the_deterministic_form() {
        // RFC 8949 §4.2.1's order: 10, 100, -1, "z", "aa".
        let map = serde_json::json!({"aa": 1, "z": 2, "b": {"y": 1.5, "x": 65536}});
        let expected = hex("a3616 2a2617 81a00010000617 9f93e00617a0262616101"
            .replace(' ', "")
            .as_str());
        assert_eq!(write(from_json(&map)), expected);
        let keys = Cbor::Map([100, -1, 10].map(|k| (Cbor::from(k), Cbor::Null)).to_vec());
        assert_eq!(write(keys), hex("a30af61864f620f6"));
    }

    proptest! {
        #[test]
        fn reading_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = read(&bytes) {
                let _ = to_json(&value);
                prop_assert_eq!(read(&write(value.clone())).is_ok(), true);
            }
        }
    }
}
