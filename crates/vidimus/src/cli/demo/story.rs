//! What the demo tells, and what each step must give.

use super::super::{Exit, Failure, Output};
use serde_json::{Value, json};

/// What was told so far.
pub(super) struct Story {
    pub(super) output: Output,
    pub(super) steps: Vec<Value>,
}

impl Story {
    /// Tells a step that gave what it must; `facts` are ids and the like.
    pub(super) fn done(&mut self, sentence: &str, facts: &[(&str, String)]) {
        let number = self.steps.len() + 1;
        if !self.output.json {
            let mut shown = format!("{number:>2}. ✓ {sentence}");
            for (name, value) in facts {
                shown.push_str(&format!("\n        {name:<12} {value}"));
            }
            self.output.answer(&shown, &Value::Null);
        }
        let facts: serde_json::Map<_, _> = facts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        self.steps
            .push(json!({"step": number, "done": sentence, "facts": facts}));
    }
}

/// What a step gave against what it must give.
pub(super) fn must(what: &str, holds: bool, found: impl std::fmt::Display) -> Result<(), Failure> {
    if holds {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Internal,
        format!("the demo stops: {what}, but it gave: {found}"),
    ))
}

/// A check must give this verdict, and this reason among those of its tests.
pub(super) fn must_check(what: &str, answer: &Value, verdict: &str, reason: &str) -> Result<String, Failure> {
    let found = answer["tests"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|test| test["reason"] == reason);
    must(what, answer["verdict"] == verdict && found.is_some(), answer)?;
    let sentence =
        found.and_then(|test| serde_json::from_value::<vidimus_core::reason::Reason>(test["reason"].clone()).ok());
    Ok(sentence.map(|reason| reason.text().to_owned()).unwrap_or_default())
}
