//! A check's answer as text, for people.

use super::super::client::text;
use serde_json::Value;
use vidimus_core::reason::{Outcome, Reason};
use vidimus_credential::{CategoryId, category::Categories};

/// An answer as text: the verdict, large; each test with its sentence; the attributes.
pub fn describe(answer: &Value, colour: bool) -> String {
    let verdict = text(answer, "/verdict");
    let (icon, paint) = match verdict.as_str() {
        "valid" => ("✓", "\x1b[1;32m"),
        "invalid" => ("✗", "\x1b[1;31m"),
        _ => ("?", "\x1b[1;33m"),
    };
    let (paint, plain) = if colour { (paint, "\x1b[0m") } else { ("", "") };
    let word = verdict
        .to_uppercase()
        .chars()
        .map(String::from)
        .collect::<Vec<_>>()
        .join(" ");
    let mut lines = vec![
        String::new(),
        format!("    {paint}{icon}  {word}{plain}"),
        String::new(),
    ];
    if answer["accepted_without_evidence"] == true {
        lines.extend([
            "    ! Accepted without its evidence, by the verifier's choice: nothing shows that it was anchored, or when it was made.".to_owned(),
            String::new(),
        ]);
    }
    let about = [
        text(answer, "/category"),
        text(answer, "/format"),
        text(answer, "/issuer"),
    ];
    let about: Vec<_> = about
        .iter()
        .filter(|part| !part.is_empty())
        .map(String::as_str)
        .collect();
    if !about.is_empty() {
        lines.extend([about.join(", "), String::new()]);
    }
    for test in answer["tests"].as_array().into_iter().flatten() {
        lines.push(test_line(test));
    }
    let attributes = answer["attributes"]
        .as_object()
        .filter(|attributes| !attributes.is_empty());
    for (place, (name, value)) in attributes.into_iter().flatten().enumerate() {
        if place == 0 {
            lines.push(String::new());
        }
        let words = words(answer, name).map_or_else(String::new, |words| format!(" ({words})"));
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned) + &words;
        // What comes from a certificate must not steer the terminal.
        let value: String = value
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        lines.push(format!("  {name:<22} {value}"));
    }
    for (name, what) in [("/bundle/age", "bundle"), ("/trust_list/age", "trust list")] {
        if let Some(age) = answer.pointer(name).and_then(Value::as_i64) {
            lines.extend([String::new(), format!("With a {what} that is {} old.", span(age))]);
        }
    }
    lines.join("\n")
}

/// The words for an attribute that is a code, where the category is built in.
pub fn words(answer: &Value, attribute: &str) -> Option<String> {
    let categories = Categories::built_in();
    let category = categories.category(&CategoryId::new(text(answer, "/category")).ok()?)?;
    let words = category.display(&format!("/{attribute}"), answer["attributes"].as_object()?, "en")?;
    Some(words.to_owned())
}

fn test_line(test: &Value) -> String {
    let reason = serde_json::from_value::<Reason>(test["reason"].clone()).ok();
    let icon = match reason.map(Reason::outcome) {
        Some(Outcome::Passed) => "✓",
        Some(Outcome::Failed) => "✗",
        Some(Outcome::Missing | Outcome::Stale) => "?",
        Some(Outcome::NotApplicable) => "–",
        Some(Outcome::Waived) => "!",
        None => " ",
    };
    let sentence = reason.map_or_else(|| text(test, "/reason"), |reason| reason.text().to_owned());
    let age = test
        .get("age")
        .and_then(Value::as_i64)
        .map_or_else(String::new, |age| format!(" ({} old)", span(age)));
    let required = if test["required"] == true {
        ""
    } else {
        " [not required]"
    };
    format!(
        "  {icon} {:<18} {sentence}{age}{required}",
        text(test, "/test").replace('_', " ")
    )
}

fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
