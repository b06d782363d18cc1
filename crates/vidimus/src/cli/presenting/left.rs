//! `vidimus presentation left`: what holders left for a verifier that had asked for nothing, sealed to its key.

use super::super::{
    Exit, Failure, Output,
    checking::{Asked, Shown, WayArguments, describe, exit_of, refused},
    client::{Server, text, write_private},
    paging::Paging,
    passphrase::PassphraseArguments,
    wallet::{Kind, Open},
};
use serde_json::{Value, json};
use std::{io::IsTerminal as _, path::PathBuf};
use vidimus_core::{Timestamp, encoding::from_base64url};
use vidimus_wallet::left::Left;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List what waits, oldest first. Each is kept for a day.
    List(Paging),
    Open(Box<OpenArguments>),
    /// Remove one, before its day is over.
    Remove {
        /// Its id.
        id: String,
    },
}

/// Open one, and check it.
///
/// Where the server keeps your keys, it opens and checks it. If you keep them yourself (--keys), it is opened here, and checked as `vidimus check` does: on the
/// server with --purpose, or offline with a bundle or against whom you trust. It answers no request of yours: what it is bound to was sealed with it, has to name
/// you, and it has to have been new when it was left. It can be checked again until it is removed. The exit code is that of a check.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus presentation left open ID --purpose boarding
  vidimus presentation left open ID --keys airline.keys --purpose boarding
  vidimus presentation left open ID --keys airline.keys --bundle bundle.jwt --root root.pem
  vidimus presentation left open ID --keys airline.keys --output left.json")]
pub(super) struct OpenArguments {
    /// Its id.
    id: String,
    /// Your keys' file, if you keep them yourself.
    #[arg(long, short, env = "VIDIMUS_KEYS", value_name = "FILE")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    #[command(flatten)]
    way: WayArguments,
    /// Write the presentation to this new file, which only you can read. Alone it opens without checking.
    #[arg(long, short, value_name = "FILE", requires = "keys")]
    output: Option<PathBuf>,
}

pub(super) async fn run(command: Command, server: &Server, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::List(paging) => {
            let path = "/v1/left-presentations";
            paging.show(server, path, "Nothing was left.", line, output).await?;
            Ok(Exit::Done)
        }
        Command::Remove { id } => {
            server.delete(&path(&id)).await?;
            output.answer("It was removed.", &json!({"removed": id}));
            Ok(Exit::Done)
        }
        Command::Open(arguments) => open(&arguments, server, output).await,
    }
}

fn path(id: &str) -> String {
    format!("/v1/left-presentations/{id}")
}

fn line(view: &Value) -> String {
    let of = |name| text(view, name);
    format!("{}  left {}  until {}", of("/id"), of("/created"), of("/expires"))
}

async fn open(arguments: &OpenArguments, server: &Server, output: Output) -> Result<Exit, Failure> {
    let way = &arguments.way;
    refuse_unclear(arguments)?;
    let Some(keys) = &arguments.keys else {
        let answer = on_server(&arguments.id, way, None, server).await?;
        output.answer(&describe(&answer, std::io::stdout().is_terminal()), &answer);
        return Ok(exit_of(&answer));
    };
    let keys = Open::existing(Kind::Keys, keys, &arguments.passphrase.existing()?)?;
    let view = server.get(&path(&arguments.id)).await?;
    let unreadable = |_| Failure::new(Exit::Unavailable, "the server's answer does not read");
    let at = Timestamp::parse_rfc3339(&text(&view, "/created")).map_err(|_| unreadable(()))?;
    let sealed = from_base64url(&text(&view, "/payload")).map_err(|_| unreadable(()))?;
    let left = keys.open_left(&sealed)?;
    let checked = match here(&left, keys.wallet.did(), at, way)? {
        None if way.purpose.is_some() => Some(on_server(&arguments.id, way, Some(&left), server).await?),
        checked => checked,
    };
    if let Some(file) = &arguments.output {
        write_private(file, left.presentation.as_bytes())?;
    }
    let exit = checked.as_ref().map_or(Exit::Done, exit_of);
    let (shown, answer) = told(arguments, &view, &left, checked);
    output.answer(&shown, &answer);
    Ok(exit)
}

/// Refuses what does not say who opens it and how it is checked, before anybody is asked.
fn refuse_unclear(arguments: &OpenArguments) -> Result<(), Failure> {
    let way = &arguments.way;
    let (own, asks) = (arguments.keys.is_some(), way.purpose.is_some());
    let why = match way.needs_no_server() {
        true if asks => {
            "with --purpose the server checks it, with whom its operator trusts: leave --trust-list out, or --purpose"
        }
        true if !own => "to check it here it has to be opened here: name your keys' file with --keys",
        false if !own && !asks => {
            "say what you check it for: --purpose; the server, which keeps your keys, then opens it. If you keep them yourself: --keys"
        }
        false if !asks && arguments.output.is_none() => {
            "say how to check it: --purpose on the server, --bundle and --root offline, or whom you trust: --trust, --trust-list; or --output, \
             to open it alone"
        }
        _ => return Ok(()),
    };
    Err(Failure::new(Exit::Usage, why))
}

/// The server's check: of what it opens itself, or of what was opened here.
async fn on_server(id: &str, way: &WayArguments, opened: Option<&Left>, server: &Server) -> Result<Value, Failure> {
    let mut body = json!({"purpose": way.purpose, "opened": opened});
    if !way.attribute.is_empty() {
        body["attributes"] = json!(way.attribute);
    }
    server.post(&format!("{}/check", path(id)), &body).await
}

/// A check here, where one was asked for: against what was sealed with it, which has to name the owner of these keys.
fn here(left: &Left, own: &str, at: Timestamp, way: &WayArguments) -> Result<Option<Value>, Failure> {
    if !way.needs_no_server() {
        return Ok(None);
    }
    match left.to_check(own, None) {
        Err(reason) => Ok(Some(refused(reason))),
        Ok((_, expected)) => way.here(&Shown {
            input: left.presentation.as_bytes(),
            asked: Asked::Left(&expected, at),
            ..Shown::default()
        }),
    }
}

fn told(arguments: &OpenArguments, view: &Value, left: &Left, checked: Option<Value>) -> (String, Value) {
    let mut lines = vec![
        format!("left {}", text(view, "/id")),
        format!("  at        {}", text(view, "/created")),
        format!("  for       {}", left.audience),
        format!("  purpose   {}", left.purpose),
    ];
    lines.push(match &checked {
        Some(answer) => describe(answer, std::io::stdout().is_terminal()),
        None => "\nIt was opened, and nothing of it was checked.".to_owned(),
    });
    let mut answer = checked.unwrap_or_else(|| json!({"verdict": null}));
    answer["left"] = json!({
        "id": view["id"], "created": view["created"], "expires": view["expires"],
        "nonce": left.nonce, "audience": left.audience, "purpose": left.purpose,
    });
    if let Some(file) = &arguments.output {
        lines.push(format!("\nThe presentation is in {}.", file.display()));
        answer["output"] = json!(file);
    }
    (lines.join("\n"), answer)
}
