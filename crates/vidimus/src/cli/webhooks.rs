//! `vidimus webhook`: where issuers and verifiers want to be told.

use super::{
    Exit, Failure, Output,
    client::{SecretFile, Server, ServerArguments, idempotency_key, read_text, text},
    participants::items,
};
use crate::app::webhooks::WebhookPurpose;
use serde_json::{Value, json};
use std::path::PathBuf;
use vidimus_core::Timestamp;

/// Be told what happens, at an address of yours (Standard Webhooks).
///
/// The secret that signs is shown once, when it is made; let it be written to a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus webhook create --to https://receiver.example/hook --kind credential.issued --save-secret webhook.secret
  vidimus webhook test WEBHOOK
  vidimus webhook rotate WEBHOOK --save-secret next.secret      both secrets sign for a day
  vidimus webhook deliveries WEBHOOK")]
pub struct Arguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a webhook.
    Create(Create),
    /// List the own webhooks, oldest first.
    List,
    /// Show a webhook.
    Show {
        /// Its id.
        id: String,
    },
    /// Show what was sent to a webhook, what waits, and what was given up: the newest 50.
    Deliveries {
        /// Its id.
        id: String,
    },
    /// Send a test now. One that arrives makes a disabled webhook active again.
    Test {
        /// Its id.
        id: String,
    },
    /// Give a webhook another secret.
    Rotate(Rotate),
    /// Remove a webhook. What was still to be sent there is not sent.
    Delete {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("address").required(true)))]
struct Create {
    /// An https address.
    #[arg(long, value_name = "URL", group = "address")]
    to: Option<String>,
    /// File with the address, where that is a secret itself; `-` for standard input.
    #[arg(long, value_name = "FILE", group = "address")]
    to_file: Option<PathBuf>,
    /// What it is told, such as `credential.issued`. Can be given several times; default everything.
    #[arg(long, value_name = "NAME", conflicts_with = "codes")]
    kind: Vec<String>,
    /// It carries codes to people, for an issuer: a gateway for short messages.
    #[arg(long)]
    codes: bool,
    /// New file, for this user only, that the secret is written to.
    #[arg(long, value_name = "FILE")]
    save_secret: Option<PathBuf>,
    /// Same for each try of one request; default random.
    #[arg(long, value_name = "TEXT")]
    idempotency_key: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Rotate {
    /// Its id.
    id: String,
    /// Seconds in which the present secret signs beside the new one, at most 604 800; default a day. 0 where it became known to others: all secrets
    /// before the new one end at once. Within that time another rotation is refused, unless with 0.
    #[arg(long, value_name = "SECONDS")]
    overlap: Option<u32>,
    /// New file, for this user only, that the secret is written to.
    #[arg(long, value_name = "FILE")]
    save_secret: Option<PathBuf>,
    /// Same for each try of one request; default random.
    #[arg(long, value_name = "TEXT")]
    idempotency_key: Option<String>,
}

pub(super) async fn run(arguments: Arguments, output: Output) -> Result<Exit, Failure> {
    let server = arguments.server.authenticated()?;
    match arguments.command {
        Command::Create(new) => create(&server, new, output).await?,
        Command::List => {
            let list = server.get("/v1/webhooks").await?;
            let mut lines: Vec<_> = items(&list).map(line).collect();
            if lines.is_empty() {
                lines.push("There are no webhooks.".into());
            }
            output.answer(&lines.join("\n"), &list);
        }
        Command::Show { id } => {
            let view = server.get(&path(&id)).await?["webhook"].take();
            output.answer(&describe(&view), &view);
        }
        Command::Deliveries { id } => {
            let sent = server.get(&path(&id)).await?["deliveries"].take();
            let mut lines: Vec<_> = sent.as_array().into_iter().flatten().map(delivery).collect();
            if lines.is_empty() {
                lines.push("Nothing was to be sent there within two weeks.".into());
            }
            output.answer(&lines.join("\n"), &json!({"items": sent}));
        }
        Command::Test { id } => {
            let told = server.act(&format!("{}/test", path(&id))).await?;
            if told["arrived"] != true {
                output.answer(&format!("not received: {}", text(&told, "/error")), &told);
                return Ok(Exit::Unavailable);
            }
            output.answer("received", &told);
        }
        Command::Rotate(rotation) => rotate(&server, rotation, output).await?,
        Command::Delete { id } => {
            server.delete(&path(&id)).await?;
            output.answer("removed", &json!({"id": id, "removed": true}));
        }
    }
    Ok(Exit::Done)
}

fn path(id: &str) -> String {
    format!("/v1/webhooks/{id}")
}

fn reserve(path: Option<&PathBuf>) -> Result<Option<SecretFile>, Failure> {
    path.map(|path| SecretFile::reserve(path)).transpose()
}

async fn create(server: &Server, new: Create, output: Output) -> Result<(), Failure> {
    let url = match (new.to, &new.to_file) {
        (Some(url), _) => url,
        (None, file) => file.as_deref().map(read_text).transpose()?.unwrap_or_default(),
    };
    let purpose = if new.codes {
        WebhookPurpose::Codes
    } else {
        WebhookPurpose::Events
    };
    let body = json!({"url": url, "purpose": purpose, "kinds": new.kind});
    let key = new.idempotency_key.unwrap_or_else(idempotency_key);
    let reserved = reserve(new.save_secret.as_ref())?;
    let made = SecretFile::keep(reserved, "secret", server.create("/v1/webhooks", &body, &key)).await?;
    output.answer(&describe(&made), &made);
    Ok(())
}

async fn rotate(server: &Server, rotation: Rotate, output: Output) -> Result<(), Failure> {
    let body = json!({"overlap_seconds": rotation.overlap});
    let key = rotation.idempotency_key.unwrap_or_else(idempotency_key);
    let path = format!("{}/secret", path(&rotation.id));
    let reserved = reserve(rotation.save_secret.as_ref())?;
    let made = SecretFile::keep(reserved, "secret", server.create(&path, &body, &key)).await?;
    output.answer(&describe(&made), &made);
    Ok(())
}

fn line(view: &Value) -> String {
    format!(
        "{}  {:<8}  {:<6}  {}",
        text(view, "/id"),
        text(view, "/state"),
        text(view, "/purpose"),
        text(view, "/url")
    )
}

fn time(view: &Value, place: &str) -> String {
    let seconds = view.pointer(place).and_then(Value::as_i64);
    seconds.map_or_else(String::new, |seconds| Timestamp(seconds).to_rfc3339())
}

/// A webhook, as text.
fn describe(view: &Value) -> String {
    let mut lines = vec![
        format!("webhook {}  {}", text(view, "/id"), text(view, "/state")),
        format!("  address   {}", text(view, "/url")),
    ];
    let kinds: Vec<_> = view["kinds"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let told = match view["purpose"].as_str() {
        Some("codes") => "codes for people".to_owned(),
        _ => kinds.join(", "),
    };
    lines.push(format!("  is told   {told}"));
    for (name, value) in [
        ("received", time(view, "/last_success")),
        ("failing ", time(view, "/failing_since")),
        ("because ", text(view, "/last_error")),
        ("overlap ", time(view, "/previous_until")),
        ("secret  ", text(view, "/secret")),
    ] {
        if !value.is_empty() {
            lines.push(format!("  {name}  {value}"));
        }
    }
    lines.join("\n")
}

fn delivery(view: &Value) -> String {
    let kind = view["kind"].as_str().unwrap_or("code");
    let mut line = format!(
        "{}  {}  {:<9}  {kind}, {} tries",
        text(view, "/id"),
        time(view, "/created"),
        text(view, "/state"),
        text(view, "/attempts")
    );
    for (name, value) in [("next", time(view, "/next")), ("because", text(view, "/last_error"))] {
        if !value.is_empty() {
            line.push_str(&format!(", {name} {value}"));
        }
    }
    line
}
