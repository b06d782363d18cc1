//! The strict reader of [`crate::json`], with what is wrong put as an issue.

use super::{Code, Rejection};
use crate::json::JsonError;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Parses. The rejection of what is no JSON gives line and column, never the text.
pub fn parse(bytes: &[u8], max_bytes: usize) -> Result<Value, Rejection> {
    crate::json::parse(bytes, max_bytes).map_err(|e| {
        let (code, next) = match e {
            JsonError::TooLarge(_) => (Code::TooLarge, "send one result at a time, without attachments"),
            JsonError::TooDeep => (Code::TooDeep, "send flatter JSON"),
            JsonError::Duplicate => (Code::DuplicateKey, "send each member once"),
            JsonError::Syntax | JsonError::NotAnObject => (Code::NotJson, "send UTF-8 JSON (RFC 8259)"),
        };
        Rejection::one("/", code, format!("{e}{}", place(bytes, code)), next)
    })
}

fn place(bytes: &[u8], code: Code) -> String {
    match serde_json::from_slice::<IgnoredAny>(bytes) {
        Err(e) if code == Code::NotJson => format!(" at line {} column {}", e.line(), e.column()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_code_and_no_json_its_place() {
        let issue = |text: &str| parse(text.as_bytes(), 400).unwrap_err().issues.remove(0);
        assert_eq!(issue(r#"{"a":1,"\u0061":2}"#).code, Code::DuplicateKey);
        assert_eq!(issue(&"[".repeat(200)).code, Code::TooDeep);
        assert_eq!(issue(&" ".repeat(401)).code, Code::TooLarge);
        let cut = issue("{\n  \"secret\": ");
        assert_eq!(
            (cut.code, cut.message.as_str()),
            (Code::NotJson, "not valid JSON at line 2 column 12")
        );
    }
}
