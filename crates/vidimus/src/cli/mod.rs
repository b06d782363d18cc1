//! The command line. Every command can answer in JSON (`--json`), and its exit code means something ([`Exit`]).

pub mod authority_key;
pub mod checking;
pub mod client;
pub mod completions;
pub mod demo;
pub mod init;
pub mod issuing;
pub mod keys;
pub mod migrate;
pub mod offering;
pub mod openapi;
mod paging;
pub mod paper;
pub mod participants;
pub mod passphrase;
pub mod presenting;
pub mod progress;
pub mod reading;
pub mod rebuild;
pub mod serve;
pub mod setup_link;
pub mod wallet;
pub mod webhooks;

use crate::{
    app,
    causes::with_causes,
    clock::SystemClock,
    config::{self, Config},
};
use clap::{CommandFactory, Parser, Subcommand};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What an exit code says. `vidimus help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; a check's verdict is valid.
    Done = 0,
    /// A check's verdict is invalid.
    Invalid = 1,
    /// The command line, or a file or text given to it, is wrong.
    Usage = 2,
    /// A check's verdict is undetermined: something it takes was not at hand or too old.
    Undetermined = 3,
    /// Refused: not allowed, not found, or it does not fit what is there.
    Refused = 4,
    /// Something that is needed does not answer now: try again later.
    Unavailable = 5,
    /// Configuration, keys or database are missing or wrong: an operator has to act.
    Setup = 6,
    /// A defect of vidimus.
    Internal = 70,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// What is wrong and what to do, for people. Holds nothing secret or personal.
    pub message: String,
    /// Stable name of the problem, where there is one.
    pub name: Option<String>,
}

impl Failure {
    /// A failure with a message that says what to do.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            name: None,
        }
    }
    /// An operator has to act. The message is the error and its causes.
    pub fn setup(error: &dyn std::error::Error) -> Self {
        Self::new(Exit::Setup, with_causes(error))
    }
    /// Something does not answer now.
    pub fn unavailable(error: &dyn std::error::Error) -> Self {
        Self::new(Exit::Unavailable, with_causes(error))
    }
}

impl From<app::Error> for Failure {
    fn from(error: app::Error) -> Self {
        use app::Error;
        let named = |exit, problem: &app::Problem| Self {
            exit,
            message: problem.to_string(),
            name: Some(problem.name.to_owned()),
        };
        match &error {
            Error::Invalid(problem) => named(Exit::Usage, problem),
            Error::Forbidden(problem) | Error::Conflict(problem) => named(Exit::Refused, problem),
            // Nothing comes of waiting: somebody has to open the setup link.
            Error::NotReady(problem) if problem.name == "not-set-up" => named(Exit::Setup, problem),
            Error::NotReady(problem) => named(Exit::Unavailable, problem),
            Error::NotFound(_) => Self::new(Exit::Refused, error.to_string()),
            Error::Ledger(inner) if inner.blame() == vidimus_ledger::Blame::Fatal => Self::setup(&error),
            Error::Ledger(_) => Self::unavailable(&error),
            Error::Store(inner) if inner.is_retryable() => Self::unavailable(&error),
            Error::Store(_) | Error::Blobs(_) | Error::Crypto(_) => Self::setup(&error),
            Error::Internal(_) => Self::new(Exit::Internal, error.to_string()),
        }
    }
}

impl From<app::deployment::Refusal> for Failure {
    /// What only has to answer again is told from what an operator has to mend.
    fn from(refusal: app::deployment::Refusal) -> Self {
        use app::deployment::Refusal;
        match refusal {
            Refusal::Start(error) => error.into(),
            Refusal::Store(error) if error.is_retryable() => Self::unavailable(&error),
            Refusal::Ledger(error) if error.blame() == vidimus_ledger::Blame::Retry => Self::unavailable(&error),
            refusal => Self::setup(&refusal),
        }
    }
}

/// How a command answers: text for people, or one JSON object on standard output.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether JSON was asked for.
    pub json: bool,
}

impl Output {
    /// Prints the answer of a command.
    pub fn answer(self, text: &str, value: &Value) {
        let line = if self.json { value.to_string() } else { text.to_owned() };
        let mut out = std::io::stdout().lock();
        // A reader that went away is no failure of the command.
        let _ = writeln!(out, "{}", line.trim_end());
        let _ = out.flush();
    }

    fn failure(self, failure: &Failure) {
        if self.json {
            let value =
                json!({"error": {"name": failure.name, "message": failure.message, "exit": failure.exit as u8}});
            self.answer("", &value);
        } else {
            eprintln!("vidimus: {}", failure.message);
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  vidimus init                                  makes root key, configuration and data directory here
  vidimus serve                                 serves; at the first start prints the one-time setup link
  vidimus demo                                  shows it all, in a directory of its own
  vidimus --json migrate                        brings the database's schema up to date
  vidimus completions bash > /etc/bash_completion.d/vidimus

Exit codes:
  0  done; a check's verdict is valid
  1  a check's verdict is invalid
  2  the command line, or a file or text given to it, is wrong
  3  a check's verdict is undetermined
  4  refused: not allowed, not found, or it does not fit what is there
  5  something that is needed does not answer now: try again later
  6  configuration, keys or database are missing or wrong: an operator has to act
  70 a defect of vidimus";

/// Certificates about people, anchored on a ledger.
#[derive(Debug, Parser)]
#[command(name = "vidimus", version, about, long_about = None, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Arguments {
    /// Configuration file.
    #[arg(long, short, global = true, env = "VIDIMUS_CONFIG", default_value = config::DEFAULT_FILE, value_name = "FILE")]
    pub config: PathBuf,
    /// Answer in JSON, errors too.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[allow(
    missing_docs,
    reason = "each has the text of its arguments, which `help` shows whole"
)]
pub enum Command {
    Init(init::Arguments),
    Serve(serve::Arguments),
    Migrate(migrate::Arguments),
    Rebuild(rebuild::Arguments),
    SetupLink(setup_link::Arguments),
    AuthorityKey(authority_key::Arguments),
    Setup(participants::SetupArguments),
    Participant(participants::ParticipantArguments),
    ApiKey(participants::ApiKeyArguments),
    Keys(keys::Arguments),
    Issue(issuing::IssueArguments),
    Copies(issuing::CopiesArguments),
    Paper(paper::PaperArguments),
    Result(issuing::ResultArguments),
    Revoke(issuing::RevokeArguments),
    Offer(offering::Arguments),
    Wallet(wallet::Arguments),
    Presentation(presenting::Arguments),
    Webhook(webhooks::Arguments),
    Request(checking::RequestArguments),
    Check(checking::CheckArguments),
    Evidence(paper::EvidenceArguments),
    Bundle(checking::BundleArguments),
    Category(reading::CategoryArguments),
    Audit(reading::AuditArguments),
    Demo(demo::Arguments),
    Openapi(openapi::Arguments),
    Completions(completions::Arguments),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return ExitCode::from(not_understood(&error, asks_for_json()) as u8),
    };
    let output = Output { json: arguments.json };
    match run(arguments, output) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Tells what clap says of a command line that it did not take; help and version, which are no errors, as text in any case.
fn not_understood(error: &clap::Error, json: bool) -> Exit {
    use clap::error::ErrorKind;
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Done;
    }
    if json {
        let message = match error.kind() {
            // Instead of a message it has the whole help.
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                "a command is needed; `--help` lists them".to_owned()
            }
            _ => error
                .render()
                .to_string()
                .trim()
                .trim_start_matches("error: ")
                .to_owned(),
        };
        let failure = Failure {
            exit: Exit::Usage,
            message,
            name: Some("usage".into()),
        };
        Output { json }.failure(&failure);
    } else {
        let _ = error.print();
    }
    Exit::Usage
}

/// Whether `--json` is among the words of a command line that did not parse.
fn asks_for_json() -> bool {
    std::env::args_os()
        .skip(1)
        .take_while(|word| word != "--")
        .any(|word| word == "--json")
}

fn run(arguments: Arguments, output: Output) -> Result<Exit, Failure> {
    let config = arguments.config;
    match arguments.command {
        Command::Init(command) => runtime()?.block_on(init::run(command, &config, output)),
        Command::Serve(command) => runtime()?.block_on(serve::run(command, load(&config)?, output)),
        Command::Migrate(command) => runtime()?.block_on(migrate::run(command, load(&config)?, output)),
        Command::SetupLink(command) => runtime()?.block_on(setup_link::run(command, load(&config)?, output)),
        Command::AuthorityKey(command) => runtime()?.block_on(authority_key::run(command, load(&config)?, output)),
        Command::Setup(command) => runtime()?.block_on(participants::setup(command, output)),
        Command::Participant(command) => runtime()?.block_on(participants::participant(command, output)),
        Command::ApiKey(command) => runtime()?.block_on(participants::api_key(command, output)),
        Command::Keys(command) => runtime()?.block_on(keys::run(command, output)),
        Command::Issue(command) => runtime()?.block_on(issuing::issue(command, output)),
        Command::Copies(command) => runtime()?.block_on(issuing::copies(command, output)),
        Command::Paper(command) => runtime()?.block_on(paper::paper(command, output)),
        Command::Result(command) => runtime()?.block_on(issuing::result(command, output)),
        Command::Offer(command) => runtime()?.block_on(offering::run(command, output)),
        Command::Presentation(command) => return runtime()?.block_on(presenting::run(command, output)),
        Command::Webhook(command) => return runtime()?.block_on(webhooks::run(command, output)),
        Command::Revoke(command) => runtime()?.block_on(issuing::revoke(command, output)),
        Command::Wallet(command) => runtime()?.block_on(wallet::run(command, output)),
        Command::Request(command) => runtime()?.block_on(checking::request(command, output)),
        Command::Check(command) => return runtime()?.block_on(checking::check(command, output)),
        Command::Evidence(command) => runtime()?.block_on(paper::evidence(command, output)),
        Command::Bundle(command) => runtime()?.block_on(checking::bundle(command, output)),
        Command::Category(command) => runtime()?.block_on(reading::category(command, output)),
        Command::Audit(command) => return runtime()?.block_on(reading::audit(command, output)),
        Command::Demo(command) => runtime()?.block_on(demo::run(command, output)),
        Command::Rebuild(command) => runtime()?.block_on(rebuild::run(command, load(&config)?, output)),
        Command::Openapi(command) => openapi::run(&command, output),
        Command::Completions(command) => completions::run(&command, Arguments::command(), output),
    }
    .map(|()| Exit::Done)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(&error))
}

/// The configuration of this process.
pub fn load(path: &Path) -> Result<Config, Failure> {
    Config::load(path, std::env::vars()).map_err(|error| Failure::setup(&error))
}

/// The clock of this process.
pub fn clock() -> std::sync::Arc<dyn vidimus_core::time::Clock> {
    std::sync::Arc::new(SystemClock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
