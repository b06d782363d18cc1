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
fn who_may_touch_whose_rows_is_said_in_few_places() {
    let files = sources();
    let say = |text: &str| -> Vec<&str> {
        files
            .iter()
            .filter(|path| std::fs::read_to_string(path).unwrap().contains(text))
            .map(|path| path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")))
            .map(|inside| inside.unwrap().to_str().unwrap())
            .collect()
    };
    // A request's own scope comes from its principal, and that from authentication.
    assert_eq!(say("Scope::authenticated("), ["app/principal.rs"]);
    assert_eq!(
        say("Principal {"),
        ["app/api_keys.rs", "app/principal.rs", "http/auth.rs"]
    );
    // The authority for a participant, the operator for the authority, accounts, which act on the chain, and wallets, which a participant let in.
    assert_eq!(
        say("Scope::on_behalf_of("),
        [
            "app/api_keys.rs",
            "app/chain/accounts.rs",
            "app/participants/admission.rs",
            "app/participants/keys.rs",
            "app/participants/view.rs",
            "app/recovery.rs",
            "app/wallets/mod.rs",
        ]
    );
    // Everybody's rows: what `Scope::system` says of itself.
    assert_eq!(
        say("Scope::system("),
        [
            "app/chain/creation.rs",
            "app/chain/registries.rs",
            "app/copies/paper.rs",
            "app/delivery/mod.rs",
            "app/deployment.rs",
            "app/issue/first.rs",
            "app/mod.rs",
            "app/push.rs",
            "app/trust.rs",
            "jobs/mod.rs",
        ]
    );
}

#[test]
fn addresses_of_others_are_asked_through_one_client() {
    let speak: Vec<_> = sources()
        .into_iter()
        .filter(|path| std::fs::read_to_string(path).unwrap().contains("Client::builder("))
        .map(|path| {
            path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
                .unwrap()
                .to_owned()
        })
        .collect();
    // The command line asks the server that its user names.
    let expected = ["cli/client.rs", "outside/mod.rs"].map(PathBuf::from);
    assert_eq!(speak, expected);
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

/// Every source file of the service.
fn sources() -> Vec<PathBuf> {
    let mut directories = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Name and status of every problem that the application makes, with the first wording found.
fn problems_in_sources() -> BTreeMap<(String, u16), (String, String)> {
    let mut found = BTreeMap::new();
    let mut files = sources();
    // Where the constructors are: they take any name.
    files.retain(|path| !path.ends_with("app/error.rs"));
    for path in files {
        let source = std::fs::read_to_string(&path).unwrap();
        let spelled = source.matches("Problem {").count();
        assert_eq!(spelled, 0, "{}: a problem is made by `Problem::new`", path.display());
        for call in ["::invalid(", "::forbidden(", "::conflict(", "Problem::new("] {
            for (start, _) in source.match_indices(call) {
                let place = format!("{}:{}", path.display(), source[..start].lines().count());
                let status = status(&source, start, call).unwrap_or_else(|| panic!("{place}: no status is to be seen"));
                let arguments = arguments(&source[start + call.len()..]);
                let [name, detail, next] = &arguments[..] else {
                    panic!("{place}: a problem has a name, a cause and a next step: {arguments:?}")
                };
                let name = name
                    .strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'))
                    .unwrap_or_else(|| {
                        panic!("{place}: the name of a problem is a literal, so that it is listed: {name}")
                    });
                let text =
                    |argument: &str| literal(argument).unwrap_or_else(|| panic!("{place}: no text in {argument}"));
                found
                    .entry((name.to_owned(), status))
                    .or_insert_with(|| (text(detail), text(next)));
            }
        }
    }
    assert!(found.len() > 75, "{} problems found", found.len());
    found
}

/// The status of a problem that is made at `start`: by the constructor's name, by the variant around it, or by the variant that the variable
/// is put into.
fn status(source: &str, start: usize, call: &str) -> Option<u16> {
    const KINDS: [(&str, u16); 4] = [
        ("Invalid", 422),
        ("Forbidden", 403),
        ("Conflict", 409),
        ("NotReady", 503),
    ];
    let before = source[..start].trim_end();
    if call != "Problem::new(" {
        let kind = KINDS
            .iter()
            .find(|(kind, _)| call[2..call.len() - 1].eq_ignore_ascii_case(kind));
        return kind.map(|(_, status)| *status);
    }
    KINDS.iter().find_map(|(kind, status)| {
        let around = before.ends_with(&format!("::{kind}("));
        let later = before.strip_suffix('=').is_some_and(|left| {
            let variable = left.trim_end().rsplit([' ', '\n']).next().unwrap();
            let function = &source[start..][..source[start..].find("\n}\n").unwrap()];
            function.contains(&format!("::{kind}({variable})"))
        });
        (around || later).then_some(*status)
    })
}

/// The arguments of a call, as they are written; `rest` begins behind its parenthesis.
fn arguments(rest: &str) -> Vec<String> {
    let (mut found, mut argument) = (Vec::new(), String::new());
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for c in rest.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(std::mem::take(&mut argument).trim().to_owned());
                continue;
            }
            _ => {}
        }
        argument.push(c);
    }
    found.extend(Some(argument.trim().to_owned()).filter(|argument| !argument.is_empty()));
    found
}

/// The first string literal of an argument; values in format strings become `{}`.
fn literal(argument: &str) -> Option<String> {
    let mut chars = argument[argument.find('"')? + 1..].chars().peekable();
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
    Some(text.replace('|', "\\|"))
}
