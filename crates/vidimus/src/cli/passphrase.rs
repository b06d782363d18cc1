//! Passphrases: asked for at the terminal, or read from a file or a variable where no one is there to ask.

use super::{Exit, Failure};
use std::path::{Path, PathBuf};
use vidimus_core::{Secret, SecretBytes};

/// Where the passphrase comes from.
#[derive(Debug, Clone, clap::Args)]
pub struct PassphraseArguments {
    /// File whose first line is the passphrase. Without it the variable VIDIMUS_PASSPHRASE is used, else the terminal asks.
    #[arg(long, global = true, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// The least that a new passphrase has, in characters.
const LEAST: usize = 8;

impl PassphraseArguments {
    /// The passphrase of a file that is there.
    pub fn existing(&self) -> Result<SecretBytes, Failure> {
        match self.given()? {
            Some(given) => Ok(given),
            None => ask("Passphrase: "),
        }
    }

    /// A new passphrase; at the terminal it is asked for twice.
    pub fn new_one(&self) -> Result<SecretBytes, Failure> {
        let new = match self.given()? {
            Some(given) => given,
            None => {
                let first = ask("New passphrase: ")?;
                let again = ask("The same again: ")?;
                if first.expose() != again.expose() {
                    return Err(Failure::new(
                        Exit::Usage,
                        "the two passphrases differ; nothing was written",
                    ));
                }
                first
            }
        };
        if String::from_utf8_lossy(new.expose()).chars().count() < LEAST {
            return Err(Failure::new(
                Exit::Usage,
                "a passphrase has at least 8 characters; a few random words are best",
            ));
        }
        Ok(new)
    }

    fn given(&self) -> Result<Option<SecretBytes>, Failure> {
        if let Some(path) = &self.passphrase_file {
            return first_line(path).map(Some);
        }
        Ok(std::env::var("VIDIMUS_PASSPHRASE")
            .ok()
            .map(|text| Secret::new(text.into_bytes())))
    }
}

fn first_line(path: &Path) -> Result<SecretBytes, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be read: {error}", path.display())))?;
    let text = zeroize::Zeroizing::new(text);
    Ok(Secret::new(text.lines().next().unwrap_or_default().as_bytes().to_vec()))
}

fn ask(prompt: &str) -> Result<SecretBytes, Failure> {
    rpassword::prompt_password(prompt)
        .map(|text| Secret::new(text.into_bytes()))
        .map_err(|_| {
            Failure::new(
                Exit::Usage,
                "there is no terminal to ask for the passphrase: use --passphrase-file or VIDIMUS_PASSPHRASE",
            )
        })
}
