//! Claims path pointers (OpenID4VP 1.0 §7, and the `path` of SD-JWT VC Type Metadata): where in a JSON object claims stand.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;

/// The most steps of a path.
pub const MAX_STEPS: usize = 64;

/// One step down.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// To the member of that name.
    Name(String),
    /// To the element at that place, counted from 0.
    Index(usize),
    /// To every element.
    All,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name:?}"),
            Self::Index(index) => write!(f, "{index}"),
            Self::All => f.write_str("null"),
        }
    }
}

impl From<&str> for Step {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

/// What was given is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a claims path has 1 to {MAX_STEPS} steps, each a name, null, or a number of at least 0")]
pub struct PathError;

/// A path of 1 to 64 steps. As JSON an array of texts, numbers and `null`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimPath(Vec<Step>);

impl fmt::Debug for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl ClaimPath {
    /// From its steps.
    pub fn new(steps: Vec<Step>) -> Result<Self, PathError> {
        if (1..=MAX_STEPS).contains(&steps.len()) {
            Ok(Self(steps))
        } else {
            Err(PathError)
        }
    }
    /// Through members alone. `names` are 1 to 64.
    pub fn of<const N: usize>(names: [&str; N]) -> Self {
        const { assert!(N >= 1 && N <= MAX_STEPS) };
        Self(names.map(Step::from).into())
    }
    /// From its JSON.
    pub fn from_json(value: &Value) -> Result<Self, PathError> {
        let steps = value.as_array().ok_or(PathError)?;
        if steps.len() > MAX_STEPS {
            return Err(PathError);
        }
        let step = |value: &Value| match value {
            Value::String(name) => Ok(Step::Name(name.clone())),
            Value::Null => Ok(Step::All),
            Value::Number(number) => number
                .as_u64()
                .and_then(|index| usize::try_from(index).ok())
                .map(Step::Index)
                .ok_or(PathError),
            _ => Err(PathError),
        };
        Self::new(steps.iter().map(step).collect::<Result<_, _>>()?)
    }
    /// Its JSON.
    pub fn to_json(&self) -> Value {
        self.0
            .iter()
            .map(|step| match step {
                Step::Name(name) => Value::from(name.as_str()),
                Step::Index(index) => Value::from(*index),
                Step::All => Value::Null,
            })
            .collect()
    }
    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
    /// Whether this leads to what `other` leads to, or to something around it. Both without [`Step::All`].
    pub fn leads_to(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
    /// The path one step further down.
    #[must_use]
    pub fn then(&self, step: impl Into<Step>) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.into());
        Self(steps)
    }

    /// What it leads to, each with the path that leads there alone (OpenID4VP 1.0 §7.1.1). Nothing where it leads nowhere, and nothing where
    /// a step does not go with what it is taken from (a name from an array, a number from an object).
    pub fn select<'a>(&self, claims: &'a Map<String, Value>) -> Vec<(Self, &'a Value)> {
        let Some((Step::Name(first), rest)) = self.0.split_first() else {
            return Vec::new();
        };
        let mut selected: Vec<(Vec<Step>, &Value)> = match claims.get(first) {
            Some(value) => vec![(vec![Step::Name(first.clone())], value)],
            None => return Vec::new(),
        };
        for step in rest {
            let mut next = Vec::with_capacity(selected.len());
            for (at, value) in selected {
                let longer = |step: Step| {
                    let mut at = at.clone();
                    at.push(step);
                    at
                };
                match (step, value) {
                    (Step::Name(name), Value::Object(members)) => {
                        next.extend(members.get(name).map(|value| (longer(step.clone()), value)));
                    }
                    (Step::Index(index), Value::Array(items)) => {
                        next.extend(items.get(*index).map(|value| (longer(step.clone()), value)));
                    }
                    (Step::All, Value::Array(items)) => {
                        next.extend(
                            items
                                .iter()
                                .enumerate()
                                .map(|(i, value)| (longer(Step::Index(i)), value)),
                        );
                    }
                    _ => return Vec::new(),
                }
            }
            selected = next;
        }
        selected
            .into_iter()
            .map(|(steps, value)| (Self(steps), value))
            .collect()
    }
}

impl Serialize for ClaimPath {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(s)
    }
}

impl<'de> Deserialize<'de> for ClaimPath {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::from_json(&Value::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn leads(path: Value) -> Vec<Value> {
        let claims = json!({
            "name": "Arthur", "address": {"locality": "Milliways", "_": null},
            "degrees": [{"type": "Bachelor", "year": 1}, {"type": "Master"}], "numbers": [[1, 2], [3]],
        });
        let path = ClaimPath::from_json(&path).unwrap_or_else(|_| panic!("{path}"));
        let found = path.select(claims.as_object().expect("an object"));
        for (at, value) in &found {
            let again = at.select(claims.as_object().expect("an object"));
            assert_eq!(again, [(at.clone(), *value)], "a path without null leads to one place");
        }
        found.into_iter().map(|(_, value)| value.clone()).collect()
    }

    #[test]
    fn leads_where_the_specification_says() {
        assert_eq!(leads(json!(["name"])), [json!("Arthur")]);
        assert_eq!(leads(json!(["address", "locality"])), [json!("Milliways")]);
        assert_eq!(leads(json!(["address", "_"])), [Value::Null]);
        assert_eq!(
            leads(json!(["degrees", null, "type"])),
            [json!("Bachelor"), json!("Master")]
        );
        assert_eq!(leads(json!(["degrees", null, "year"])), [json!(1)]);
        assert_eq!(leads(json!(["degrees", 1, "type"])), [json!("Master")]);
        assert_eq!(leads(json!(["numbers", null, 1])), [json!(2)]);
        assert_eq!(leads(json!(["numbers", null, null])), [json!(1), json!(2), json!(3)]);
    }

    #[test]
    fn leads_nowhere() {
        for path in [
            json!(["nothing"]),
            json!([0]),
            json!([null]),
            json!(["name", "first"]),
            json!(["name", 0]),
            json!(["name", null]),
            json!(["degrees", "type"]),
            json!(["degrees", 2]),
            json!(["address", 0]),
            json!(["address", null]),
            json!(["degrees", null, 0]),
        ] {
            assert!(leads(path.clone()).is_empty(), "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let long = Value::from(vec!["a"; MAX_STEPS + 1]);
        for value in [
            json!([]),
            json!("a"),
            json!([-1]),
            json!([1.5]),
            json!([true]),
            json!([["a"]]),
            json!([{}]),
            long,
        ] {
            assert_eq!(ClaimPath::from_json(&value), Err(PathError), "{value}");
        }
        let path = json!(["a", 0, null]);
        let read: ClaimPath = serde_json::from_value(path.clone()).expect("a path");
        assert_eq!(serde_json::to_value(&read).expect("JSON"), path);
    }
}
