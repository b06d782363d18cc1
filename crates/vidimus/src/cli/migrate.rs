//! `vidimus migrate`.

use super::{Failure, Output};
use crate::{app::deployment, config::Config};
use serde_json::json;
use std::sync::Arc;
use vidimus_crypto::Native;
use vidimus_store::{MIGRATIONS, Missing};

/// Bring the database's schema up to date.
///
/// `serve` does the same at its start; this does it apart, before the new version takes over. Each step is one transaction: an interrupted run
/// is taken up where it stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  vidimus --config /etc/vidimus/vidimus.toml migrate")]
pub struct Arguments {}

pub(super) async fn run(_: Arguments, config: Config, output: Output) -> Result<(), Failure> {
    let progress = output.waiting("bringing the schema up to date");
    let store = deployment::open_store(&config, Arc::new(Native::new()), Missing::Refuse).await?;
    store.close().await;
    drop(progress);
    let newest = MIGRATIONS.last().map_or(0, |migration| migration.number);
    output.answer(
        &format!("the schema is up to date ({newest})"),
        &json!({"schema": newest}),
    );
    Ok(())
}
