//! `vidimus demo`: one certificate from the laboratory's result to the airline's check, and what forgers, thieves and replays meet.
//!
//! A real deployment in a directory of its own, asked over HTTP by the same functions that the other commands use. Every step states what must
//! come of it; one that gives anything else ends the demo with a failure.

mod attacks;
mod paper;
mod place;
mod steps;
mod story;
mod wallets;

use self::{
    place::{Home, Served},
    story::Story,
};
use super::{
    Failure, Output,
    client::Server,
    clock,
    wallet::{Kind, Open},
};
use serde_json::json;
use std::path::{Path, PathBuf};
use vidimus_core::{Entropy as _, Secret, SecretBytes, encoding::hex};
use vidimus_crypto::OsEntropy;

const PURPOSE: &str = "boarding";
const VC: &str = "vc-jwt-1.1";
const HCERT: &str = "hcert";

/// Show it all: one certificate from the laboratory's result to the airline's check, each step told.
///
/// Makes a deployment in a directory of its own, serves it on a free port of this machine, and plays authority, laboratory, traveller, airline,
/// forger and thief over HTTP. Ends with 0 only if every step gave what it must.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus demo
  vidimus demo --home ./demo --keep      keeps the directory, and serves until it is stopped")]
pub struct Arguments {
    /// Directory for everything; it is kept. Without it a temporary one is used and removed.
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Go on serving at the end, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

pub(super) async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let start = clock().now();
    let home = Home::make(arguments.home.as_deref(), arguments.keep)?;
    let mut story = Story {
        output,
        steps: Vec::new(),
    };
    let served = Served::start(&home.path, &mut story).await?;
    let told = tell(&served, &home.path, &mut story).await;
    if told.is_ok() {
        let seconds = clock().now().0 - start.0;
        let mut shown = format!(
            "\nAll {} steps gave what they must, in {seconds} s.\n",
            story.steps.len()
        );
        shown.push_str(&whats_next(&served.url, &home, arguments.keep));
        output.answer(
            &shown,
            &json!({"steps": story.steps, "seconds": seconds, "url": served.url, "home": home.kept()}),
        );
        if arguments.keep {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
    served.stop().await;
    told
}

fn whats_next(url: &str, home: &Home, keep: bool) -> String {
    let path = home.path.display();
    if keep {
        return format!(
            "\nWhat next, while it serves (Ctrl-C stops it):\n  {url}/openapi.json        the API\n  \
             {url}/v1/registry/issuers    who may issue\n  vidimus category list --url {url}\n  \
             files, keys and the certificate's QR code are in {path}"
        );
    }
    match home.kept() {
        Some(_) => format!("\nWhat next: everything is in {path}; serve it again with\n  vidimus --config {path}/vidimus.toml serve"),
        None => "\nWhat next:\n  ./run demo --home ./demo --keep   the same, kept and served, to look around in\n  \
                 ./run                             a deployment of your own\n  ./run --help                      all that there is"
            .into(),
    }
}

/// Who takes part.
struct Cast<'a> {
    home: &'a Path,
    anyone: Server,
    laboratory: Server,
    airline: Server,
    airline_did: String,
}

async fn tell(served: &Served, home: &Path, story: &mut Story) -> Result<(), Failure> {
    let cast = steps::admit(served, home, story).await?;
    let mut wallet = Open::create(
        Kind::Wallet,
        &home.join("traveller.wallet"),
        &passphrase(),
        served.app.facts.chain,
    )?;
    story.done(
        "A traveller's wallet made an identity: three key pairs; no server and no chain was asked.",
        &[("DID", wallet.wallet.did().to_owned())],
    );
    let issued = steps::issue(&cast, &wallet, story).await?;
    steps::receive(&cast, &issued, &mut wallet, story).await?;
    let shown = steps::board(&cast, &mut wallet, story).await?;
    attacks::attack(&cast, &wallet, &shown, served.app.facts.chain, story).await?;
    let root = steps::offline(&cast, &mut wallet, story).await?;
    paper::paper(&cast, &issued, &root, story).await?;
    wallets::wallets(&cast, &issued, &mut wallet, story).await?;
    steps::revoke(&cast, &issued, &mut wallet, &root, story).await
}

/// The demo's wallets live as long as it does; with a kept directory their passphrases are beyond recall on purpose.
fn passphrase() -> SecretBytes {
    let mut random = [0; 32];
    OsEntropy.fill(&mut random);
    Secret::new(hex(&random).into_bytes())
}
