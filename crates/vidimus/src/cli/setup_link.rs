//! `vidimus setup-link`.

use super::{Failure, Output, clock};
use crate::{
    app::{App, setup},
    config::Config,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Make a new one-time setup link, while there is no authority yet.
///
/// Links made before are withdrawn. With the embedded ledger, stop `serve` first: one process at a time opens the ledger's file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  vidimus setup-link")]
pub struct Arguments {}

pub(super) async fn run(_: Arguments, config: Config, output: Output) -> Result<(), Failure> {
    let app = App::open(Arc::new(config), clock()).await?;
    let made = setup::make_link(&app).await;
    app.close().await;
    let link = made?;
    output.answer(&text(&app, &link), &json!({"setup": value(&app, &link)}));
    Ok(())
}

/// A link for people. It goes to standard output: never to the logs, which are kept and read by others.
pub(super) fn text(app: &App, link: &setup::Link) -> String {
    let (url, base) = (app.url("/v1/setup"), app.url(""));
    let token = link.token.expose();
    format!(
        "This deployment has no authority yet. Within 15 minutes, once:\n\n  \
         vidimus setup --url {base} --name \"Ministry of Health\" --country AT --save-api-key authority.key\n    \
         with VIDIMUS_SETUP_TOKEN={token}\n\nor\n\n  \
         curl {url} -H 'Content-Type: application/json' \\\n    \
         -d '{{\"token\": \"{token}\", \"name\": \"Ministry of Health\", \"country\": \"AT\"}}'\n"
    )
}

/// A link for programs.
pub(super) fn value(app: &App, link: &setup::Link) -> Value {
    json!({"url": app.url("/v1/setup"), "token": link.token.expose(), "expires": link.expires.0})
}
