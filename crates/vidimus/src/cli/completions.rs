//! `vidimus completions`.

use super::Failure;
use clap_complete::Shell;

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  vidimus completions zsh > ~/.zfunc/_vidimus")]
pub struct Arguments {
    /// Which shell.
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, mut command: clap::Command) -> Result<(), Failure> {
    clap_complete::generate(arguments.shell, &mut command, "vidimus", &mut std::io::stdout());
    Ok(())
}
