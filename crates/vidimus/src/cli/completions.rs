//! `vidimus completions`.

use super::{Exit, Failure, Output};
use clap_complete::Shell;
use serde_json::json;

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  vidimus completions zsh > ~/.zfunc/_vidimus")]
pub struct Arguments {
    /// Which shell.
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, mut command: clap::Command, output: Output) -> Result<(), Failure> {
    // Into memory first: the generator panics where its reader goes away.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "vidimus", &mut script);
    let script =
        String::from_utf8(script).map_err(|_| Failure::new(Exit::Internal, "a completion script that is not text"))?;
    output.answer(
        &script,
        &json!({"shell": arguments.shell.to_string(), "script": script}),
    );
    Ok(())
}
