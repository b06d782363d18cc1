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

/// The schema of what may be left of a document of which parts are not shown: every shape stays, what has to be there goes. Conditions on what
/// is not there go as well, and forms that exclude each other become forms of which one has to fit.
pub(crate) fn of_parts(schema: &Value) -> Value {
    const GONE: [&str; 16] = [
        "required",
        "minProperties",
        "minItems",
        "dependentRequired",
        "dependentSchemas",
        "dependencies",
        "if",
        "then",
        "else",
        "not",
        "contains",
        "minContains",
        "maxContains",
        "unevaluatedProperties",
        "unevaluatedItems",
        "prefixItems",
    ];
    let holds = |value: &Value| value.is_object() || value.is_array();
    match schema {
        Value::Array(all) => all.iter().map(of_parts).collect(),
        Value::Object(members) => {
            let by_place = members.contains_key("prefixItems");
            let mut kept = serde_json::Map::new();
            for (name, value) in members {
                let value = match (name.as_str(), value) {
                    ("properties" | "patternProperties" | "$defs" | "definitions", Value::Object(inner)) => inner
                        .iter()
                        .map(|(name, inner)| (name.clone(), of_parts(inner)))
                        .collect(),
                    ("const", value) if holds(value) => continue,
                    ("enum", Value::Array(values)) if values.iter().any(holds) => continue,
                    ("const" | "enum" | "default" | "examples", value) => value.clone(),
                    ("items", _) if by_place => continue,
                    (name, _) if GONE.contains(&name) => continue,
                    (_, value) => of_parts(value),
                };
                let name = if name == "oneOf" { "anyOf" } else { name };
                // Both beside each other: each is a condition of its own.
                if kept.contains_key(name) {
                    let other = serde_json::json!({ name: value });
                    match kept.entry("allOf").or_insert_with(|| Value::Array(Vec::new())) {
                        Value::Array(all) => all.push(other),
                        _ => continue,
                    }
                } else {
                    kept.insert(name.to_owned(), value);
                }
            }
            Value::Object(kept)
        }
        other => other.clone(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fits(schema: &Value, value: Value) -> bool {
        Schema::compile(&of_parts(schema))
            .unwrap_or_else(|(at, why)| panic!("{at}: {why}"))
            .is_valid(&value)
    }

    #[test]
    fn parts_keep_their_shape_and_may_lack_the_rest() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["a", "required", "list"], "minProperties": 3,
            "properties": {
                "a": {"type": "integer", "maximum": 9},
                "required": {"const": "yes"},
                "not": {"enum": ["one", "two"]},
                "list": {"type": "array", "minItems": 2, "items": {"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}}},
                "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false},
            },
            "if": {"required": ["a"]}, "then": {"required": ["pair"]},
            "oneOf": [{"required": ["a"]}, {"required": ["pair"]}],
            "not": {"required": ["nothing"]},
            "dependentRequired": {"a": ["pair"]},
        });
        for parts in [
            json!({}),
            json!({"a": 1}),
            json!({"required": "yes", "not": "two"}),
            json!({"list": []}),
            json!({"list": [{}, {"x": "y"}]}),
            json!({"pair": [7]}),
            json!({"a": 1, "pair": ["x", 1]}),
        ] {
            assert!(fits(&schema, parts.clone()), "{parts}");
        }
        for wrong in [
            json!({"a": "1"}),
            json!({"a": 10}),
            json!({"required": "no"}),
            json!({"not": "three"}),
            json!({"list": [{"x": 1}]}),
            json!({"list": {}}),
            json!({"pair": "x"}),
            json!({"vip": true}),
            json!([]),
        ] {
            assert!(!fits(&schema, wrong.clone()), "{wrong}");
        }
    }

    #[test]
    fn forms_that_exclude_each_other_become_forms_of_which_one_fits() {
        let form =
            |kind: &str, name: &str| json!({"required": ["kind", name], "properties": {"kind": {"const": kind}}});
        let schema = json!({
            "type": "object",
            "oneOf": [form("one", "a"), form("two", "b")],
            "anyOf": [{"properties": {"a": {"type": "integer"}}}],
        });
        for parts in [json!({}), json!({"kind": "one"}), json!({"kind": "two", "a": 1})] {
            assert!(fits(&schema, parts.clone()), "{parts}");
        }
        for wrong in [json!({"kind": "three"}), json!({"a": "1"})] {
            assert!(!fits(&schema, wrong.clone()), "{wrong}");
        }
    }
}
