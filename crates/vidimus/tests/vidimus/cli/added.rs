//! The manual's chapter "Adding a category", run command by command.

use super::place::{Deployment, Ended, Place, content_id, ended, text};
use serde_json::{Value, json};
use std::{path::PathBuf, process::Command};

const CATEGORY: &str = "yellow-fever-vaccination";

/// The commands of the chapter, by block.
fn chapter() -> Vec<Vec<&'static str>> {
    let manual = include_str!("../../../../../docs/manual.md");
    let (_, chapter) = manual.split_once("## Adding a category\n").unwrap();
    let chapter = chapter.split("\n## ").next().unwrap();
    let blocks = chapter.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().lines().collect())
        .collect()
}

/// A line as it stands, in a shell, but for the paths of the repository and what stands for something; with `--json` where a person reads.
fn typed(place: &Place, line: &str, values: &[(&str, &str)]) -> Ended {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut line = line.replace(" vectors/", &format!(" {}/vectors/", repository.display()));
    line = line.replace("http://127.0.0.1:8654", &place.url);
    for (name, value) in values {
        line = line.replace(name, value);
    }
    if line.starts_with("vidimus ") && !line.contains('>') {
        line.push_str(" --json");
    }
    let program = PathBuf::from(env!("CARGO_BIN_EXE_vidimus"));
    let mut path = program.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    // With the directory and the environment of the program itself.
    let environment = place.command(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-ec", &line]).env("PATH", path);
    shell.current_dir(environment.get_current_dir().unwrap());
    for (name, value) in environment.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    ended(shell)
}

/// The lines of a block, one after the other; each one's answer.
fn run(place: &Place, lines: &[&str], values: &[(&str, &str)]) -> Vec<Value> {
    let answer = |line: &&str| {
        let ended = typed(place, line, values);
        assert_eq!(ended.code, 0, "{line}: {}{}", ended.out, ended.err);
        serde_json::from_str(&ended.out).unwrap_or_default()
    };
    lines.iter().map(answer).collect()
}

#[test]
fn the_manuals_commands_add_a_category_and_every_role_uses_it() {
    let blocks = chapter();
    let [files, admission, issuing, gate] = &blocks[..] else {
        panic!("{blocks:?}")
    };
    let server = Deployment::serve_with("categories_dir = \"categories\"\n", |place| {
        // The category alone: refused with its place and the next step.
        run(place, &[files[0], files[2]], &[]);
        place.ask(&["serve"]).refused(
            6,
            &[
                "yellow-fever-vaccination.json",
                "/value_sets/~1product",
                "add the value set's file",
            ],
        );
        run(place, &files[1..2], &[]);
    });
    server.set_up();
    let admitted = run(&server, admission, &[]);
    assert_eq!(admitted[0]["id"], CATEGORY);
    let airline = text(&admitted[2], "/participant/did");

    // Up to `issue`, which answers with the content id; then the rest.
    let (before, after) = issuing.split_at(3);
    let issued = run(&server, before, &[]).pop().unwrap();
    let content = content_id(&issued, "vc-jwt-1.1");
    let checked = run(&server, after, &[("CONTENT", content.as_str())]).pop().unwrap();
    let shown = json!({"family_name": "Nakagawa", "vaccinated_on": "2025-02-01"});
    assert_eq!(
        (&checked["verdict"], &checked["category"], &checked["attributes"]),
        (&json!("valid"), &json!(CATEGORY), &shown)
    );

    // What the gate asks and checks takes no server: what it knows of the category came with the bundle.
    let offline = run(&server, gate, &[("DID", airline.as_str())]).pop().unwrap();
    assert_eq!(
        (
            &offline["verdict"],
            &offline["category"],
            &offline["attributes"]["vaccinated_on"]
        ),
        (&json!("valid"), &json!(CATEGORY), &json!("2025-02-01"))
    );
}
