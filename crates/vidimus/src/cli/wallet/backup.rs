//! A backup of the whole wallet under a code that is on paper alone.

use super::open::{Kind, Open};
use crate::cli::{Exit, Failure, Output, passphrase::PassphraseArguments};
use serde_json::json;
use std::path::{Path, PathBuf};
use vidimus_crypto::{Native, OsEntropy, file};
use vidimus_wallet::backup::{self, BackupError, Code};

/// Where the backup is, and what to do with it.
#[derive(Debug, Clone, clap::Args)]
pub struct RestoreArguments {
    /// The backup.
    file: PathBuf,
    /// File with the printed code. Without it the terminal asks; a code never stands on the command line, where others see it.
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
    /// Only try whether file and code go together: nothing is written.
    #[arg(long)]
    rehearse: bool,
}

pub(super) fn make(path: &Path, open: &Open, output: Output) -> Result<(), Failure> {
    if path.exists() {
        return Err(Failure::new(
            Exit::Refused,
            format!("{} is there already; name another file", path.display()),
        ));
    }
    let (sealed, code) = backup::seal(&open.wallet, &Native::new(), &mut OsEntropy);
    file::replace_private(path, &sealed).map_err(|error| Failure::setup(&error))?;
    let text = format!(
        "{}\n\nThe backup is {}. This code opens it, and nothing else does: print it or write it down, keep it apart from the file, and try it with\n  \
         vidimus wallet restore {} --rehearse",
        zeroize::Zeroizing::new(lines(&code)).as_str(),
        path.display(),
        path.display()
    );
    output.answer(&text, &json!({"backup": path, "code": code.to_string()}));
    Ok(())
}

/// The groups as they are easy to read aloud: four in a line, numbered.
fn lines(code: &Code) -> String {
    let groups = code.groups();
    let numbered = groups.iter().enumerate();
    let texts: Vec<String> = numbered
        .map(|(place, group)| format!("{:>2}: {}", place + 1, group.as_str()))
        .collect();
    texts
        .chunks(4)
        .map(|line| line.join("   "))
        .collect::<Vec<_>>()
        .join("\n")
}

pub(super) fn restore(
    arguments: &RestoreArguments,
    path: &Path,
    passphrase: &PassphraseArguments,
    output: Output,
) -> Result<(), Failure> {
    let bytes = std::fs::read(&arguments.file).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("{} cannot be read: {error}", arguments.file.display()),
        )
    })?;
    let typed = zeroize::Zeroizing::new(match &arguments.code_file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be read: {error}", path.display())))?,
        None => rpassword::prompt_password("Code: ")
            .map_err(|_| Failure::new(Exit::Usage, "there is no terminal to ask for the code: use --code-file"))?,
    });
    let refused = |error: BackupError| {
        let exit = match error {
            BackupError::Open => Exit::Refused,
            _ => Exit::Usage,
        };
        Failure::new(exit, error.to_string())
    };
    let code = Code::parse(&numbers_left_out(&typed)).map_err(refused)?;
    let wallet = backup::open(&bytes, &code, &Native::new()).map_err(refused)?;
    let held = wallet.held().len() + wallet.batches().len();
    let value = json!({"did": wallet.did(), "certificates": held, "written": !arguments.rehearse});
    if arguments.rehearse {
        let text = format!(
            "File and code go together. {} with {held} certificates; nothing was written.",
            wallet.did()
        );
        output.answer(&text, &value);
        return Ok(());
    }
    let open = Open::with(Kind::Wallet, path, &passphrase.new_one()?, wallet)?;
    let text = format!(
        "{} is back in {}, with {held} certificates.",
        open.wallet.did(),
        path.display()
    );
    output.answer(&text, &value);
    Ok(())
}

/// Without the numbers of the groups, as they are printed.
fn numbers_left_out(typed: &str) -> zeroize::Zeroizing<String> {
    let words = typed.split_whitespace().filter(|word| !word.ends_with(':'));
    zeroize::Zeroizing::new(words.collect::<Vec<_>>().join(" "))
}
