//! Rules as data: conditions on claims, and times computed from them. A small closed language, so that a file cannot run code.

use super::span::{Moment, Span};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{cmp::Ordering, collections::BTreeMap};
use vidimus_core::Timestamp;

/// A named condition and, by language, the sentence for whoever does not meet it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) holds: Condition,
    /// The claim a violation points to.
    #[serde(default)]
    pub(crate) claim: Option<String>,
    pub(crate) texts: BTreeMap<String, String>,
}

impl Rule {
    pub(crate) fn text(&self) -> &str {
        self.texts.get("en").map_or("", String::as_str)
    }
}

/// A condition on claims. A claim that is not there equals nothing, is in nothing and compares with nothing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Condition {
    Equals {
        claim: String,
        value: Value,
    },
    In {
        claim: String,
        values: Vec<Value>,
    },
    Present {
        claim: String,
    },
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Compare {
        left: Operand,
        is: Comparison,
        right: Operand,
    },
}

/// One side of a comparison: numbers compare as numbers, dates and times by their first second.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Operand {
    Claim {
        claim: String,
        #[serde(default)]
        add: Option<Span>,
    },
    Value {
        value: Value,
    },
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Comparison {
    LessThan,
    AtMost,
    AtLeast,
    MoreThan,
}

impl Condition {
    pub(crate) fn holds(&self, claims: &Map<String, Value>) -> bool {
        match self {
            Self::Equals { claim, value } => at(claims, claim) == Some(value),
            Self::In { claim, values } => at(claims, claim).is_some_and(|found| values.contains(found)),
            Self::Present { claim } => at(claims, claim).is_some(),
            Self::Not(inner) => !inner.holds(claims),
            Self::And(all) => all.iter().all(|inner| inner.holds(claims)),
            Self::Or(any) => any.iter().any(|inner| inner.holds(claims)),
            Self::Compare { left, is, right } => {
                let order = match (left.resolve(claims), right.resolve(claims)) {
                    (Some(Resolved::Number(left)), Some(Resolved::Number(right))) => left.cmp(&right),
                    (Some(Resolved::Time(left)), Some(Resolved::Time(right))) => left.cmp(&right),
                    _ => return false,
                };
                match is {
                    Comparison::LessThan => order == Ordering::Less,
                    Comparison::AtMost => order != Ordering::Greater,
                    Comparison::AtLeast => order != Ordering::Less,
                    Comparison::MoreThan => order == Ordering::Greater,
                }
            }
        }
    }

    /// Whether it holds whatever the claims are that are not there; nothing where that depends on them.
    pub(crate) fn holds_of_parts(&self, claims: &Map<String, Value>) -> Option<bool> {
        match self {
            Self::Equals { claim, .. } | Self::In { claim, .. } | Self::Present { claim } => {
                at(claims, claim)?;
                Some(self.holds(claims))
            }
            Self::Not(inner) => inner.holds_of_parts(claims).map(|holds| !holds),
            Self::And(all) => decided(all, claims, false),
            Self::Or(any) => decided(any, claims, true),
            Self::Compare { left, right, .. } => {
                for operand in [left, right] {
                    if let Operand::Claim { claim, .. } = operand {
                        at(claims, claim)?;
                    }
                }
                Some(self.holds(claims))
            }
        }
    }

    /// Every claim that the condition reads.
    pub(crate) fn pointers<'a>(&'a self, into: &mut Vec<&'a str>) {
        match self {
            Self::Equals { claim, .. } | Self::In { claim, .. } | Self::Present { claim } => into.push(claim),
            Self::Not(inner) => inner.pointers(into),
            Self::And(all) | Self::Or(all) => all.iter().for_each(|inner| inner.pointers(into)),
            Self::Compare { left, right, .. } => {
                for operand in [left, right] {
                    if let Operand::Claim { claim, .. } = operand {
                        into.push(claim);
                    }
                }
            }
        }
    }
}

/// What several conditions come to, of which one that is `decisive` decides.
fn decided(conditions: &[Condition], claims: &Map<String, Value>, decisive: bool) -> Option<bool> {
    let mut open = false;
    for condition in conditions {
        match condition.holds_of_parts(claims) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => open = true,
        }
    }
    if open { None } else { Some(!decisive) }
}

enum Resolved {
    Number(i64),
    Time(Timestamp),
}

impl Operand {
    fn resolve(&self, claims: &Map<String, Value>) -> Option<Resolved> {
        let (value, add) = match self {
            Self::Claim { claim, add } => (at(claims, claim)?, *add),
            Self::Value { value } => (value, None),
        };
        match value {
            Value::Number(number) => number.as_i64().map(Resolved::Number),
            Value::String(text) => Some(Resolved::Time(
                Moment::parse(text)?.plus(add.unwrap_or_default())?.start(),
            )),
            _ => None,
        }
    }
}

/// A time computed from a claim, or from the moment of issue.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Term {
    /// JSON pointer to a claim, or `issued_at`.
    pub(crate) of: String,
    #[serde(default)]
    pub(crate) add: Option<Span>,
}

impl Term {
    pub(crate) const ISSUED_AT: &'static str = "issued_at";

    pub(crate) fn resolve(&self, claims: &Map<String, Value>, issued_at: Timestamp) -> Option<Moment> {
        let base = if self.of == Self::ISSUED_AT {
            Moment::at(issued_at)?
        } else {
            Moment::parse(at(claims, &self.of)?.as_str()?)?
        };
        base.plus(self.add.unwrap_or_default())
    }
}

/// When a certificate speaks, where `when` holds: from the latest of `from` to the earliest of `until`. Days count from their first second
/// in `from`, to their last in `until`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    #[serde(rename = "$comment", default)]
    _comment: Option<String>,
    #[serde(default)]
    pub(crate) when: Option<Condition>,
    pub(crate) from: Vec<Term>,
    pub(crate) until: Vec<Term>,
}

/// The claim at a JSON pointer (RFC 6901).
pub(crate) fn at<'a>(claims: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let rest = pointer.strip_prefix('/')?;
    let (first, tail) = rest
        .split_once('/')
        .map_or((rest, None), |(first, tail)| (first, Some(tail)));
    let first = first.replace("~1", "/").replace("~0", "~");
    let found = claims.get(&first)?;
    match tail {
        None => Some(found),
        Some(tail) => found.pointer(&format!("/{tail}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_depends_on_what_is_not_there_is_open() {
        let equals = |claim: &str, value: Value| json!({"equals": {"claim": claim, "value": value}});
        let yes = equals("/a", json!(1));
        let no = equals("/a", json!(2));
        let open = equals("/z", json!(1));
        let compare =
            |right: &str| json!({"compare": {"left": {"claim": "/a"}, "is": "at_least", "right": {"claim": right}}});
        let claims = json!({"a": 1, "b": 1});
        let claims = claims.as_object().expect("an object");
        for (condition, expected) in [
            (yes.clone(), Some(true)),
            (no.clone(), Some(false)),
            (open.clone(), None),
            (json!({"present": {"claim": "/a"}}), Some(true)),
            (json!({"present": {"claim": "/z"}}), None),
            (json!({"not": {"present": {"claim": "/z"}}}), None),
            (json!({ "not": yes }), Some(false)),
            (json!({"in": {"claim": "/z", "values": [1]}}), None),
            (json!({"and": [yes, open]}), None),
            (json!({"and": [open, no]}), Some(false)),
            (json!({"or": [open, yes]}), Some(true)),
            (json!({"or": [no, open]}), None),
            (json!({"or": [no, no]}), Some(false)),
            (compare("/b"), Some(true)),
            (compare("/z"), None),
            (
                json!({"compare": {"left": {"claim": "/a"}, "is": "less_than", "right": {"value": 1}}}),
                Some(false),
            ),
        ] {
            let read: Condition = serde_json::from_value(condition.clone()).expect("a condition");
            assert_eq!(read.holds_of_parts(claims), expected, "{condition}");
            // What is decided of parts stays decided when the rest is there.
            if let Some(decided) = expected {
                let mut whole = claims.clone();
                whole.insert("z".into(), json!(1));
                assert_eq!(read.holds(&whole), decided, "{condition}");
            }
        }
    }
}
