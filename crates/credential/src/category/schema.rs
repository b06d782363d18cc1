//! JSON Schema (draft 2020-12) compiled once, with errors that never repeat the value.

use super::Violation;
use jsonschema::{Draft, Validator, error::ValidationErrorKind as Kind};
use serde_json::Value;

/// A compiled schema: no remote references, patterns by a linear-time engine, formats checked.
pub(crate) struct Schema(Validator);

impl Schema {
    /// Compiles. The error is a pointer into the schema and a sentence.
    pub(crate) fn compile(schema: &Value) -> Result<Self, (String, String)> {
        if let Some(pointer) = remote_reference(schema, String::new()) {
            return Err((
                pointer,
                "a reference may only point into the same schema (#/…)".to_owned(),
            ));
        }
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .build(schema)
            .map(Self)
            .map_err(|e| (e.instance_path().to_string(), e.to_string()))
    }

    pub(crate) fn is_valid(&self, value: &Value) -> bool {
        self.0.is_valid(value)
    }

    pub(crate) fn violations(&self, value: &Value) -> Vec<Violation> {
        if self.0.is_valid(value) {
            return Vec::new();
        }
        self.0
            .iter_errors(value)
            .take(32)
            .map(|error| {
                let mut pointer = error.instance_path().to_string();
                if let Kind::Required {
                    property: Value::String(name),
                } = error.kind()
                {
                    pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                }
                Violation {
                    pointer,
                    code: error.kind().keyword().to_owned(),
                    message: message(error.kind()),
                }
            })
            .collect()
    }
}

/// What would be right, from the schema alone.
fn message(kind: &Kind) -> String {
    match kind {
        Kind::Required { .. } => "required, and missing".to_owned(),
        // Names of unknown members come from outside and could be anything, a name included.
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!("has {} member(s) that the schema does not know", unexpected.len())
        }
        Kind::Constant { expected_value } => format!("must be {expected_value}"),
        Kind::Enum { options } => format!("must be one of {options}"),
        Kind::Format { format } => format!("must be a {format}"),
        Kind::Pattern { pattern } => format!("must match {pattern}"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinLength { limit } => format!("must have at least {limit} character(s)"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::MaxItems { limit } => format!("must have at most {limit} item(s)"),
        Kind::MinItems { limit } => format!("must have at least {limit} item(s)"),
        Kind::Type { .. } => "has the wrong type".to_owned(),
        Kind::OneOfMultipleValid { .. } => "fits more than one of the forms that exclude each other".to_owned(),
        Kind::OneOfNotValid { .. } | Kind::AnyOf { .. } => "fits none of the allowed forms".to_owned(),
        other => format!("breaks the schema's {}", other.keyword()),
    }
}

fn remote_reference(value: &Value, pointer: String) -> Option<String> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, inner)| {
            let pointer = format!("{pointer}/{name}");
            match inner {
                Value::String(target)
                    if matches!(name.as_str(), "$ref" | "$dynamicRef") && !target.starts_with('#') =>
                {
                    Some(pointer)
                }
                inner => remote_reference(inner, pointer),
            }
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(i, inner)| remote_reference(inner, format!("{pointer}/{i}"))),
        _ => None,
    }
}
