//! `vidimus rebuild`.

use super::{Exit, Failure, Output, clock, progress::Progress};
use crate::{
    app::{App, chain},
    config::Config,
};
use serde_json::json;
use std::{convert::Infallible, sync::Arc, time::Duration};
use vidimus_core::Digest;
use vidimus_store::chain as rows;

/// Read registries and anchors again from the ledger, and compare.
///
/// Forgets all that was derived from the ledger and reads it anew. What was there before must come out again: a difference is told, and the
/// database then has what the ledger says. With the embedded ledger, stop `serve` first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  vidimus --config /etc/vidimus/vidimus.toml rebuild")]
pub struct Arguments {}

pub(super) async fn run(_: Arguments, config: Config, output: Output) -> Result<(), Failure> {
    let progress = output.waiting("opening");
    let app = App::open(Arc::new(config), clock()).await?;
    drop(progress);
    let rebuilt = rebuild(&app, output).await;
    app.close().await;
    let (before, after) = rebuilt?;
    if before != after {
        let text = format!(
            "the database had something else than the ledger ({before} before, {after} now); it has what the ledger says now: \
             find out who changed the database"
        );
        return Err(Failure::new(Exit::Setup, text));
    }
    output.answer(
        &format!("the same as before: {after}"),
        &json!({"digest": after.to_string()}),
    );
    Ok(())
}

async fn rebuild(app: &App, output: Output) -> Result<(Digest, Digest), Failure> {
    let chain_id = app.facts.chain;
    let digest = async || {
        app.store
            .read(move |tx| rows::digest(tx, chain_id))
            .await
            .map_err(crate::app::Error::from)
    };
    let before = digest().await?;
    let dropped = app.store.write(move |tx| rows::drop_derived(tx, chain_id)).await;
    dropped.map_err(crate::app::Error::from)?;
    let head = app.ledger.finalized().await.map_err(crate::app::Error::from)?;
    let progress = output.counting("reading blocks", head.number);
    if progress.is_shown() {
        tokio::select! {
            read = chain::catch_up(app) => read?,
            never = show(app, &progress) => match never {},
        }
    } else {
        chain::catch_up(app).await?;
    }
    drop(progress);
    Ok((before, digest().await?))
}

/// Shows how far the reading came.
async fn show(app: &App, progress: &Progress) -> Infallible {
    let chain_id = app.facts.chain;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if let Ok(Some(cursor)) = app.store.read(move |tx| rows::cursor(tx, chain_id)).await {
            progress.at(cursor.block_number);
        }
    }
}
