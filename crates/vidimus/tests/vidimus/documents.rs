//! What is written down about the API is what the code does. `VIDIMUS_TEST_UPDATE=1 cargo test -p vidimus documents` writes it anew.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};
use vidimus::http::{description, error::CATALOGUE};

fn docs(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn is_fresh(name: &str, now: &str) {
    let path = docs(name);
    if std::env::var_os("VIDIMUS_TEST_UPDATE").is_some() {
        std::fs::write(&path, now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == now,
        "docs/{name} is stale: VIDIMUS_TEST_UPDATE=1 cargo test -p vidimus documents"
    );
}

#[test]
fn the_api_description_is_fresh_and_is_openapi_3_1() {
    let text = description::text();
    let document: serde_json::Value = serde_json::from_str(text).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let ids: Vec<_> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| {
            path.as_object()
                .unwrap()
                .values()
                .map(|operation| operation["operationId"].clone())
        })
        .collect();
    assert_eq!(ids.len(), vidimus::http::operation::Operation::ALL.len());
    is_fresh("openapi.json", text);
}

/// Every `$ref` leads somewhere.
#[test]
fn the_api_description_is_whole() {
    let document: serde_json::Value = serde_json::from_str(description::text()).unwrap();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            into.extend(members.get("$ref").and_then(|r| r.as_str()).map(str::to_owned));
            members.values().for_each(|value| collect(value, into));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|value| collect(value, into)),
        _ => {}
    }
}

/// A handler is reachable only through `Routes::on`, which takes a row of the authorization matrix.
#[test]
fn no_route_goes_past_the_matrix() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let source = std::fs::read_to_string(&path).unwrap();
        for way in [
            ".route(",
            ".route_service(",
            ".nest(",
            ".nest_service(",
            ".merge(",
            ".fallback_service(",
        ] {
            let found = source.matches(way).count();
            let allowed = usize::from(name == "route.rs" && way == ".route(");
            assert_eq!(
                found, allowed,
                "{way} in http/{name}: serve operations through Routes::on"
            );
        }
        count += 1;
    }
    assert!(count > 15, "{count} files looked at");
}

#[test]
fn every_problem_is_listed() {
    let mut text = String::from(
        "# Problems\n\n\
         Errors are RFC 9457 problem documents. `type` is `urn:vidimus:error:` and one of these names, which stay; `detail` says the cause,\n\
         `next` what to do, `instance` identifies the occurrence in the log. `{}` stands for a value of the occurrence, never a personal one.\n\n\
         ## From HTTP\n\n| name | status | cause | next step |\n|---|---|---|---|\n",
    );
    let mut own: Vec<_> = CATALOGUE.to_vec();
    own.sort_by_key(|(name, ..)| *name);
    for (name, status, detail, next) in own {
        let _ = writeln!(text, "| `{name}` | {} | {detail} | {next} |", status.as_u16());
    }
    text.push_str("| `json` | 400 | the body is not JSON, or not of the operation's shape | mend the request body |\n");
    text.push_str(
        "| `query` | 400 | the query has an unknown parameter, or a value of the wrong form | mend the query |\n",
    );
    text.push_str("\n## From the application\n\n| name | status | cause | next step |\n|---|---|---|---|\n");
    for ((name, status), (detail, next)) in problems_in_sources() {
        let _ = writeln!(text, "| `{name}` | {status} | {detail} | {next} |");
    }
    is_fresh("errors.md", &text);
}

/// Name and status of each `Error::invalid("name", "detail", "next")` and its like, with the first wording found.
fn problems_in_sources() -> BTreeMap<(String, u16), (String, String)> {
    let mut found = BTreeMap::new();
    let mut directories = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    for path in files {
        let source = std::fs::read_to_string(path).unwrap();
        for (call, status) in [
            ("Error::invalid(", 422),
            ("Error::forbidden(", 403),
            ("Error::conflict(", 409),
            ("Error::NotReady(Problem::new(", 503),
        ] {
            for (start, _) in source.match_indices(call) {
                let literals = literals(&source[start + call.len()..]);
                if let [name, detail, next] = &literals[..] {
                    found
                        .entry((name.clone(), status))
                        .or_insert((detail.clone(), next.clone()));
                }
            }
        }
    }
    assert!(found.len() > 20, "{} problems found", found.len());
    found
}

/// The first three string literals of a call's arguments; values in format strings become `{}`.
fn literals(arguments: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = arguments.chars().peekable();
    let mut depth = 1;
    while let Some(c) = chars.next() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => match chars.next() {
                            Some('\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                            Some(c) => text.push(c),
                            None => {}
                        },
                        '{' => {
                            text.push_str("{}");
                            while chars.next().is_some_and(|c| c != '}') {}
                        }
                        c => text.push(c),
                    }
                }
                found.push(text.replace('|', "\\|"));
            }
            _ => {}
        }
        if depth == 0 || found.len() == 3 {
            break;
        }
    }
    found
}
