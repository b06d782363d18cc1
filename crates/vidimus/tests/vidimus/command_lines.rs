//! Every command line that is written down (documents, scripts, help, messages) is one that the program takes.

use clap::{CommandFactory as _, Parser as _};
use std::{collections::BTreeMap, path::PathBuf};
use vidimus::cli::Arguments;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn files(directory: &str, endings: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(directory)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{directory}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            if !path.ends_with("node_modules") {
                found.extend(files(&path, endings));
            }
        } else if endings.iter().any(|ending| path.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What is wrong with a command line, given without the program's name; `None` where it is taken. Words that only name a subcommand, as
/// prose does, need not have its arguments; neither need those that leave some out (`…`).
fn wrong_with(line: &str) -> Option<String> {
    let words = words(line);
    let error = Arguments::try_parse_from(std::iter::once("vidimus").chain(words.iter().map(String::as_str))).err()?;
    let mut command = Arguments::command();
    let named = words.iter().filter(|word| *word != "--json").all(|word| {
        let found = command.find_subcommand(word).cloned();
        found.is_some_and(|found| {
            command = found;
            true
        })
    });
    let left_out = line.contains(" … ") && error.kind() == clap::error::ErrorKind::MissingRequiredArgument;
    (error.use_stderr() && !named && !left_out).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
}

/// The words of a command line as a shell has them, up to what ends the command. What stands for a value becomes one.
fn words(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line.chars().peekable();
    'words: loop {
        let mut spaces = 0;
        while rest.next_if(|c| c.is_whitespace()).is_some() {
            spaces += 1;
        }
        // A column of explanations stands apart.
        if spaces > 1 && !found.is_empty() {
            break;
        }
        let (mut word, mut quote, mut any) = (String::new(), None, false);
        while let Some(&c) = rest.peek() {
            match (c, quote) {
                ('|' | '>' | '<' | ';' | '&' | ')' | '`' | '#' | '\\', None) => {
                    if any && !matches!(word.as_str(), "2" | "1") {
                        found.push(word);
                    }
                    break 'words;
                }
                (c, None) if c.is_whitespace() => break,
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                ('$', None | Some('"')) => {
                    rest.next();
                    // `"$@"`: arguments of the script, none or many.
                    if !variable(&mut rest) {
                        word.push('1');
                    }
                    any = true;
                    continue;
                }
                _ => word.push(c),
            }
            any = true;
            rest.next();
        }
        if !any {
            break;
        }
        found.push(word);
    }
    found.retain(|word| !word.is_empty());
    let values = |(place, word): (usize, &String)| {
        let option = place.checked_sub(1).and_then(|before| found.get(before));
        value(word, option.map_or("", String::as_str))
    };
    found.iter().enumerate().filter_map(values).collect()
}

/// Takes what follows a `$`; whether it was all arguments.
fn variable(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let (open, close) = match rest.peek() {
        Some('(') => ('(', ')'),
        Some('{') => ('{', '}'),
        Some('@') => {
            rest.next();
            return true;
        }
        _ => {
            while rest.next_if(|c| c.is_alphanumeric() || *c == '_').is_some() {}
            return false;
        }
    };
    let mut depth = 0;
    for c in rest.by_ref() {
        depth += i32::from(c == open) - i32::from(c == close);
        if depth == 0 {
            break;
        }
    }
    false
}

fn value(word: &str, before: &str) -> Option<String> {
    let placeholder = |c: char| c.is_ascii_uppercase() || "-_.:…".contains(c);
    let text = match (word, before) {
        ("…" | "ARGUMENTS…" | "SUBCOMMAND", before) if !before.starts_with("--") => return None,
        ("…" | "TEXT" | "NAME", "--permission") => "read",
        ("NUMBER" | "VERSION" | "N", _) => "1",
        ("TIME", _) => "2026-11-21T12:00:00Z",
        ("URL", _) => "https://vidimus.example",
        (word, _)
            if word.starts_with(|c: char| c.is_ascii_uppercase())
                && word.len() > 2
                && word.chars().all(placeholder) =>
        {
            "x"
        }
        (word, _) => {
            return Some(
                word.replace("{url}", "http://127.0.0.1:8654")
                    .replace("{name}", "wallet"),
            );
        }
    };
    Some(text.to_owned())
}

/// Everything between backquotes, over line breaks.
fn spans(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(|span| {
        let lines = span.lines().map(|line| {
            line.trim()
                .trim_start_matches("///")
                .trim_start_matches("//!")
                .trim_start_matches('|')
        });
        lines
            .map(|line| line.trim().trim_end_matches('\\'))
            .collect::<Vec<_>>()
            .join(" ")
    })
}

fn command(text: &str) -> Option<&str> {
    let line = ["vidimus ", "./run "]
        .iter()
        .find_map(|name| text.trim_start().strip_prefix(name))?;
    // A column of explanations stands apart.
    Some(if line.starts_with(' ') { "" } else { line })
}

/// Markdown: what stands in backquotes or in a block, with the program's name or beginning with a subcommand.
fn in_document(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut prose = String::new();
    for (place, part) in text.split("```").enumerate() {
        if place % 2 == 1 {
            found.extend(part.lines().filter_map(command).map(str::to_owned));
        } else {
            prose.push_str(part);
        }
    }
    let names = Arguments::command();
    for span in spans(&prose) {
        let first = span.split(' ').next().unwrap_or_default();
        match command(&span) {
            Some(line) => found.push(line.to_owned()),
            None if span.contains(' ') && names.find_subcommand(first).is_some() => found.push(span),
            None => {}
        }
    }
    found
}

/// Scripts: the program called by its variable or path, and what the comments say.
fn in_script(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        if let Some(comment) = line.trim_start().strip_prefix('#') {
            found.extend(command(comment).map(str::to_owned));
            found.extend(spans(comment).filter_map(|span| command(&span).map(str::to_owned)));
            continue;
        }
        for marker in ["\"$vidimus\" ", "/debug/vidimus\" ", "\"$here/run\" "] {
            found.extend(
                line.match_indices(marker)
                    .map(|(at, _)| line[at + marker.len()..].to_owned()),
            );
        }
    }
    found
}

/// Sources: examples of the help, and what messages and comments name in backquotes or on a line of their own.
fn in_source(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", "\n").replace("\\n", "\n").replace("\\\"", "'");
    let mut found: Vec<_> = spans(&text)
        .filter_map(|span| command(&span).map(str::to_owned))
        .collect();
    let own = |line: &&str| line.starts_with(' ') && !line.contains("//");
    found.extend(
        text.lines()
            .filter(own)
            .filter_map(command)
            .filter_map(|line| line.split('"').next())
            .map(str::to_owned),
    );
    found
}

#[test]
fn every_command_line_that_is_written_down_is_taken() {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/manual.md"] {
        lines.insert(name.to_owned(), in_document(&read(name)));
    }
    let scripts = [files("scripts", &[".sh"]), files("e2e", &[".sh", ".mjs", ".py"])].concat();
    for name in ["run", "test"].map(str::to_owned).into_iter().chain(scripts) {
        lines.insert(name.clone(), in_script(&read(&name)));
    }
    for name in files("crates/vidimus/src", &[".rs"]) {
        lines.insert(name.clone(), in_source(&read(&name)));
    }
    let mut wrong = Vec::new();
    for (name, lines) in &lines {
        for line in lines {
            wrong.extend(wrong_with(line).map(|why| format!("{name}: {line}\n    {why}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, least) in [
        ("README.md", 15),
        ("docs/manual.md", 25),
        ("run", 2),
        ("scripts/demo-test.sh", 2),
        ("scripts/fixture.sh", 6),
        ("e2e/clients.sh", 2),
    ] {
        let count = lines[name].len();
        assert!(count >= least, "{name}: only {count} command lines were found");
    }
    let sources: usize = lines
        .iter()
        .filter(|(name, _)| name.ends_with(".rs"))
        .map(|(_, lines)| lines.len())
        .sum();
    assert!(sources > 60, "only {sources} in the sources");
}

/// The test above sees what is wrong.
#[test]
fn a_command_line_that_is_not_taken_is_found() {
    for wrong in [
        in_script("[ -e x ] || \"$vidimus\" init --home \"$home\" # there is no such option"),
        in_script("#   ./run fly             nowhere"),
        in_document("Run `vidimus wallet print\nONE`."),
        in_document("```\nvidimus init --name\n```"),
        in_document("See `participant revoke-keys ID`."),
        in_source("Example:\\n  vidimus demo --forever\")]"),
    ] {
        assert_eq!(wrong.len(), 1);
        assert!(wrong_with(&wrong[0]).is_some(), "{wrong:?}");
    }
    let line = "participant admit issuer --name \"City Laboratory\" --country AT --category x --wait >out 2>&1";
    let right = words(line);
    assert_eq!(right[4], "City Laboratory");
    assert_eq!(right.last().unwrap(), "--wait");
    assert_eq!(wrong_with(line), None);
}
