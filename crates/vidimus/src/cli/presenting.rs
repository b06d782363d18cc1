//! `vidimus presentation`: what a verifier asks wallets for, and what they leave for it.

mod left;

use super::{
    Exit, Failure, Output,
    client::{Server, ServerArguments, read_json, text},
    paging::Paging,
};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};

/// Ask wallets for presentations (OpenID4VP).
///
/// No more than the registration permits: a request beyond it is refused before anybody is asked. The exit code of what shows an answer is
/// that of a check.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus presentation ask --category sars-cov-2-naat --attribute result --purpose boarding --wait
  vidimus presentation ask --request request.json             all that the API takes
  vidimus presentation show PRESENTATION
  vidimus presentation left list                              what holders left without being asked")]
pub struct Arguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a request; the link, as QR code or on the same device, brings it to a wallet.
    Ask(Ask),
    /// List the own requests, oldest first.
    List(Paging),
    /// Show a request and its answer.
    Show {
        /// Its id.
        id: String,
    },
    /// Take a request back.
    Withdraw {
        /// Its id.
        id: String,
    },
    /// Presentations that holders left without being asked.
    #[command(subcommand)]
    Left(left::Command),
}

#[derive(Debug, clap::Args)]
struct Ask {
    /// The request as JSON (`POST /v1/presentations`); `-` for standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["category", "attribute", "purpose"])]
    request: Option<PathBuf>,
    /// Category of the certificate.
    #[arg(long, value_name = "NAME", required_unless_present = "request")]
    category: Option<String>,
    /// Attribute that is needed. Can be given several times.
    #[arg(long, value_name = "NAME", required_unless_present = "request")]
    attribute: Vec<String>,
    /// Attribute that may be left out. Can be given several times.
    #[arg(long, value_name = "NAME")]
    optional: Vec<String>,
    /// What for: one of the purposes of the registration.
    #[arg(long, value_name = "NAME", required_unless_present = "request")]
    purpose: Option<String>,
    /// The purpose in a sentence for the holder.
    #[arg(long, value_name = "TEXT")]
    purpose_text: Option<String>,
    /// For how many seconds the answer is kept; 0 for no longer than it is looked at.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    retention: u64,
    /// How the link begins: `openid4vp://`, `haip-vp://`, or an https address of a wallet.
    #[arg(long, value_name = "START")]
    link: Option<String>,
    /// Show the link, wait for the answer until the request ends, and show it.
    #[arg(long)]
    wait: bool,
}

pub(super) async fn run(arguments: Arguments, output: Output) -> Result<Exit, Failure> {
    let server = arguments.server.authenticated()?;
    let view = match arguments.command {
        Command::Ask(new) => return ask(&server, new, output).await,
        Command::List(paging) => {
            paging
                .show(&server, "/v1/presentations", "There are no requests.", line, output)
                .await?;
            return Ok(Exit::Done);
        }
        Command::Left(command) => return left::run(command, &server, output).await,
        Command::Show { id } => server.get(&path(&id)).await?,
        Command::Withdraw { id } => {
            server.delete(&path(&id)).await?;
            server.get(&path(&id)).await?
        }
    };
    output.answer(&describe(&view), &view);
    Ok(exit(&view))
}

fn path(id: &str) -> String {
    format!("/v1/presentations/{id}")
}

async fn ask(server: &Server, new: Ask, output: Output) -> Result<Exit, Failure> {
    let body = match &new.request {
        Some(path) => read_json(path)?,
        None => json!({
            "purpose": new.purpose, "purpose_text": new.purpose_text, "retention_seconds": new.retention, "link": new.link,
            "credentials": [{"category": new.category, "attributes": new.attribute, "optional": new.optional}],
        }),
    };
    let made = server.post("/v1/presentations", &body).await?;
    if !new.wait {
        output.answer(&describe(&made), &made);
        return Ok(Exit::Done);
    }
    // On the other channel, so that what is waited for alone is the answer.
    eprintln!("{}", text(&made, "/link"));
    let waiting = output.waiting("waiting for a wallet");
    let answer = until_over(server, &text(&made, "/id")).await;
    drop(waiting);
    let view = answer?;
    output.answer(&describe(&view), &view);
    Ok(exit(&view))
}

/// The request when it is over. It ends by itself.
pub async fn until_over(server: &Server, id: &str) -> Result<Value, Failure> {
    loop {
        let view = server.get(&path(id)).await?;
        if !["made", "fetched", "answering"].contains(&view["state"].as_str().unwrap_or_default()) {
            return Ok(view);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn exit(view: &Value) -> Exit {
    match (text(view, "/state").as_str(), text(view, "/answer/verdict").as_str()) {
        ("answered", "valid") | ("made" | "fetched" | "answering" | "withdrawn", _) => Exit::Done,
        ("answered", "undetermined") => Exit::Undetermined,
        ("answered" | "failed", _) => Exit::Invalid,
        _ => Exit::Refused,
    }
}

fn line(view: &Value) -> String {
    format!(
        "{}  {:<9} until {}  {}",
        text(view, "/id"),
        text(view, "/state"),
        text(view, "/expires"),
        text(view, "/purpose")
    )
}

/// A request and its answer, as text.
pub fn describe(view: &Value) -> String {
    let mut lines = vec![
        format!("presentation {}  {}", text(view, "/id"), text(view, "/state")),
        format!("  purpose   {}", text(view, "/purpose")),
        format!("  until     {}", text(view, "/expires")),
    ];
    for (name, place) in [
        ("link   ", "/link"),
        ("fetched", "/fetches"),
        ("wrong  ", "/wrong_answers"),
        ("error  ", "/answer/error"),
        ("cause  ", "/answer/cause"),
        ("verdict", "/answer/verdict"),
    ] {
        let value = text(view, place);
        if !value.is_empty() && value != "0" {
            lines.push(format!("  {name}   {value}"));
        }
    }
    for credential in view["answer"]["credentials"].as_array().into_iter().flatten() {
        lines.push(format!(
            "  {}  {}, of {}",
            text(credential, "/category"),
            text(credential, "/verdict"),
            text(credential, "/issuer")
        ));
        for (name, value) in credential["attributes"].as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            lines.push(format!("    {name}: {value}"));
        }
        for test in credential["tests"].as_array().into_iter().flatten() {
            if test["outcome"] != "passed" {
                lines.push(format!(
                    "    {} {}: {}",
                    text(test, "/test"),
                    text(test, "/outcome"),
                    text(test, "/reason")
                ));
            }
        }
    }
    lines.join("\n")
}
