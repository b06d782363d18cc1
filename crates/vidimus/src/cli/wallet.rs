//! `vidimus wallet`: the holder's keys and certificates in one encrypted file.

mod backup;
mod browser;
mod countersign;
mod desk;
mod issuer;
mod leave;
mod link;
mod offer;
mod open;
mod request;
mod trust;
mod web;

pub use self::open::{Kind, NewArguments, Open, Signers};
use self::{
    open::failure,
    web::{Web, WebArguments},
};

use super::{
    Exit, Failure, Output,
    client::{Server, read, read_json},
    clock,
    paper::Drawing,
    passphrase::PassphraseArguments,
    progress::Progress,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use vidimus_credential::{Format, check::Expected};
use vidimus_crypto::{Native, OsEntropy, PasswordFile, password::Cost};
use vidimus_wallet::{Held, Wallet, batch::Batch, session::Pending};

/// Keep keys and certificates, and show them.
///
/// Everything is in one file, encrypted with Argon2id and AES-256-GCM under a passphrase. Making an identity touches no server and no chain.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus wallet new
  vidimus wallet card > card.jwt                         what an issuer is given
  vidimus wallet receive --from https://vidimus.example bafkrei…
  vidimus wallet trust https://vidimus.example --root root.pem
  vidimus wallet offer offer.png --code 12345678         what a laboratory hands over
  vidimus wallet list
  vidimus wallet request 'openid4vp://…'                 shows who asks, for what; then --yes or --decline
  vidimus wallet backup wallet.backup; vidimus wallet restore wallet.backup --rehearse
  vidimus wallet print 2 --output paper.svg; vidimus wallet print 2 --evidence --output evidence.svg
  vidimus wallet present 1 --request request.json > presentation.jwt")]
pub struct Arguments {
    /// The wallet's file.
    #[arg(
        long,
        short,
        env = "VIDIMUS_WALLET",
        default_value = "wallet.vidimus",
        value_name = "FILE",
        global = true
    )]
    wallet: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    #[command(flatten)]
    web: WebArguments,
    /// A directory with whom you trust beside deployments, in the form of a server's `[trust]`: certificates and JWK sets in `issuers/`, certificates in
    /// `verifiers/`.
    #[arg(long = "trust", value_name = "DIR", env = "VIDIMUS_WALLET_TRUST", global = true)]
    others: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a new identity: three key pairs and a DID. No server and no chain is touched.
    New(NewArguments),
    /// Print a new holder card, which an issuer is given.
    Card,
    /// Receive a certificate: fetch it by content id, or read the sealed file; open it with the wallet's key and keep it.
    Receive {
        /// Content id of the sealed certificate, or the path of a file that holds it.
        what: String,
        /// Address of the server to fetch it (and its receipt) from.
        #[arg(long, value_name = "URL")]
        from: Option<String>,
    },
    /// Trust a deployment: its root certifies issuers and verifiers, its registry says what verifiers may ask.
    Trust(trust::TrustArguments),
    /// Claim what an issuer offers: by a link or a picture of its QR code (OpenID4VCI).
    Offer(offer::OfferArguments),
    /// Fetch what was still to come, and new copies of what is used up.
    Refresh(offer::RefreshArguments),
    /// Answer a verifier's request: by a link or a picture of its QR code (OpenID4VP). Shows who asks, for what and what for.
    Request(request::RequestArguments),
    /// Leave a presentation for a verifier that asked for nothing yet: sealed to its key, within what it is registered for.
    Leave(leave::LeaveArguments),
    /// What verifiers asked for and got.
    Shared,
    /// Write a backup of everything, and print the code that alone opens it.
    Backup {
        /// The file to write.
        file: PathBuf,
    },
    /// Bring a wallet back from its backup and the printed code.
    Restore(backup::RestoreArguments),
    /// List what is held.
    List,
    /// Show one certificate as it was issued.
    Show {
        /// Its number in the list, such as 1 or c1.
        number: Which,
    },
    /// Print a health certificate on paper, as SVG, PNG or text; with --evidence its second code, with which paper checks without a network.
    Print {
        /// Its number in the list.
        number: usize,
        #[command(flatten)]
        drawing: Drawing,
    },
    /// Fetch receipts that are still missing.
    Receipts {
        /// Address of the server.
        #[arg(long, value_name = "URL")]
        from: String,
    },
    /// Sign that you have received a certificate, and tell its issuer.
    CounterSign {
        /// Its number in the list, such as 1 or c1.
        number: Which,
        /// Do not tell anybody: the signature travels with the certificate alone.
        #[arg(long)]
        quietly: bool,
    },
    /// Answer a verifier's request: prints a presentation that holds for a minute.
    Present {
        /// Numbers in the list.
        #[arg(required = true)]
        numbers: Vec<usize>,
        /// The verifier's request: JSON with `nonce`, `audience` and `purpose`; `-` for standard input.
        #[arg(long, value_name = "FILE")]
        request: PathBuf,
    },
    /// Print a certificate with its salt and receipt, unbound to any request.
    Export {
        /// Its number in the list.
        number: usize,
    },
    /// What was shown to whom.
    History,
    /// Remove a certificate, or give up what is still to come.
    Remove {
        /// Its number in the list, such as 1, c1 or w1.
        number: Listed,
    },
    /// Change the passphrase.
    Passphrase {
        /// File whose first line is the new passphrase; else the terminal asks.
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
}

/// A certificate in the list: one that was received, or the copies of one that was claimed.
#[derive(Debug, Clone, Copy)]
enum Which {
    /// By its place.
    Held(usize),
    /// `c` and its number.
    Claimed(u32),
}

impl std::str::FromStr for Which {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = match text.strip_prefix('c') {
            Some(number) => number.parse().ok().map(Self::Claimed),
            None => text.parse().ok().map(Self::Held),
        };
        read.ok_or("a number as `list` shows it, such as 1 or c1")
    }
}

/// What the list shows: a certificate, or what is still to come.
#[derive(Debug, Clone, Copy)]
enum Listed {
    /// A certificate.
    There(Which),
    /// `w` and its number.
    Waiting(u32),
}

impl std::str::FromStr for Listed {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a number as `list` shows it, such as 1, c1 or w1";
        match text.strip_prefix('w') {
            Some(number) => number.parse().map(Self::Waiting).map_err(|_| wrong),
            None => text.parse().map(Self::There).map_err(|_| wrong),
        }
    }
}

/// What a command has to say: for people, and as JSON.
pub(super) struct Told(pub(super) String, pub(super) Value);

/// A wallet at a deployment on this machine, as its commands work.
pub(super) struct Local<'a> {
    open: &'a mut Open,
    web: Web,
}

impl<'a> Local<'a> {
    /// With the deployment trusted.
    pub(super) async fn at(open: &'a mut Open, url: &str) -> Result<Self, Failure> {
        let web = Web::new(&WebArguments { loopback: true })?;
        trust::run(&trust::TrustArguments::of(url), open, &web).await?;
        Ok(Self { open, web })
    }
    /// `wallet offer`.
    pub(super) async fn claim(&mut self, link: &str, code: &str, copies: usize) -> Result<Value, Failure> {
        let arguments = offer::OfferArguments::claim(link, code, copies);
        Ok(offer::offer(&arguments, self.open, &self.web, true).await?.1)
    }
    /// `wallet request`, looked at.
    pub(super) async fn look(&mut self, link: &str) -> Result<Value, Failure> {
        self.request(&request::RequestArguments::of(link, false, &[])).await
    }
    /// `wallet request --yes`.
    pub(super) async fn agree(&mut self, link: &str, without: &[&str]) -> Result<Value, Failure> {
        self.request(&request::RequestArguments::of(link, true, without)).await
    }
    async fn request(&mut self, arguments: &request::RequestArguments) -> Result<Value, Failure> {
        let output = Output { json: true };
        Ok(request::run(arguments, self.open, &self.web, true, output).await?.1)
    }
}

impl Told {
    fn print(self, output: Output) {
        output.answer(&self.0, &self.1);
    }
}

pub(super) async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let path = &arguments.wallet;
    if let Command::New(new) = &arguments.command {
        return Kind::Wallet.make(path, &arguments.passphrase, new, output);
    }
    if let Command::Restore(restore) = &arguments.command {
        return backup::restore(restore, path, &arguments.passphrase, output);
    }
    let passphrase = arguments.passphrase.existing()?;
    let mut open = Open::existing(Kind::Wallet, path, &passphrase)?;
    open.wallet.trust_others(trust::others(arguments.others.as_deref())?);
    let at = arguments.web.clone();
    let (web, loopback) = (|| Web::new(&at), at.loopback);
    match arguments.command {
        Command::New(_) | Command::Restore(_) => unreachable!("handled above"),
        Command::Trust(command) => {
            trust::run(&command, &mut open, &web()?).await?.print(output);
            Ok(())
        }
        Command::Offer(command) => {
            let told = offer::offer(&command, &mut open, &web()?, loopback).await?;
            told.print(output);
            Ok(())
        }
        Command::Refresh(command) => offer::refresh(&command, &mut open, &web()?, loopback, output).await,
        Command::Request(command) => {
            let told = request::run(&command, &mut open, &web()?, loopback, output).await?;
            told.print(output);
            Ok(())
        }
        Command::Leave(command) => {
            let told = leave::run(&command, &mut open, &web()?, output).await?;
            told.print(output);
            Ok(())
        }
        Command::Backup { file } => backup::make(&file, &open, output),
        Command::Shared => {
            shared(&open.wallet, output);
            Ok(())
        }
        Command::Card => open.print_card(output),
        Command::Receive { what, from } => receive(&mut open, &what, from.as_deref(), output).await,
        Command::List => {
            list(&open.wallet, output);
            Ok(())
        }
        Command::Show {
            number: Which::Held(number),
        } => {
            show(number, open.wallet.get(number).map_err(failure)?, output);
            Ok(())
        }
        Command::Show {
            number: Which::Claimed(number),
        } => {
            show_batch(&open.wallet, open.wallet.batch(number).map_err(failure)?, output);
            Ok(())
        }
        Command::Print { number, drawing } => print(open.wallet.get(number).map_err(failure)?, &drawing, output),
        Command::Export { number } => {
            let held = open.wallet.get(number).map_err(failure)?;
            let value =
                serde_json::to_value(held.envelope()).map_err(|_| Failure::new(Exit::Internal, "an envelope"))?;
            output.answer(&value.to_string(), &value);
            Ok(())
        }
        Command::Receipts { from } => {
            offer::fetch_evidence(&mut open, &web()?).await;
            fetch_receipts(&mut open, &from, output).await
        }
        Command::CounterSign { number, quietly } => {
            let web = web()?;
            countersign::run(&mut open, number, (!quietly).then_some(&web), output).await
        }
        Command::Present { numbers, request } => present(&mut open, &numbers, &request, output),
        Command::History => {
            history(&open.wallet, output);
            Ok(())
        }
        Command::Remove {
            number: Listed::Waiting(number),
        } => {
            let pending = open.wallet.give_up(number).map_err(failure)?;
            open.save()?;
            let line = pending_line(&pending);
            output.answer(&format!("Given up: {line}"), &pending_view(&pending));
            Ok(())
        }
        Command::Remove {
            number: Listed::There(Which::Claimed(number)),
        } => {
            let batch = open.wallet.remove_batch(number).map_err(failure)?;
            open.save()?;
            output.answer(
                &format!("Removed: {}", batch_line(&open.wallet, &batch)),
                &batch_view(&open.wallet, &batch),
            );
            Ok(())
        }
        Command::Remove {
            number: Listed::There(Which::Held(number)),
        } => {
            let held = open.wallet.remove(number).map_err(failure)?;
            open.save()?;
            output.answer(&format!("Removed: {}", line(number, &held)), &view(number, &held));
            Ok(())
        }
        Command::Passphrase { new_passphrase_file } => change_passphrase(&mut open, new_passphrase_file, output),
    }
}

async fn receive(open: &mut Open, what: &str, from: Option<&str>, output: Output) -> Result<(), Failure> {
    let number = match from {
        Some(url) => {
            let server = Server::new(url, None)?;
            let sealed = server.bytes(&format!("/ipfs/{what}?format=raw")).await?;
            let number = open.receive(&sealed, url)?;
            open.fetch_receipts(&server, &Progress::hidden()).await?;
            number
        }
        None => open.receive(&read(Path::new(what))?, "a file")?,
    };
    let held = open.wallet.get(number).map_err(failure)?;
    output.answer(&line(number, held), &view(number, held));
    Ok(())
}

fn list(wallet: &Wallet, output: Output) {
    let numbered = || wallet.held().iter().enumerate().map(|(place, held)| (place + 1, held));
    let mut lines: Vec<_> = numbered().map(|(number, held)| line(number, held)).collect();
    lines.extend(wallet.batches().iter().map(|batch| batch_line(wallet, batch)));
    let values: Vec<_> = numbered().map(|(number, held)| view(number, held)).collect();
    let claimed: Vec<_> = wallet.batches().iter().map(|batch| batch_view(wallet, batch)).collect();
    lines.extend(wallet.pending().iter().map(pending_line));
    let pending: Vec<_> = wallet.pending().iter().map(pending_view).collect();
    output.answer(
        &lines_or(&lines, "The wallet holds no certificates."),
        &json!({
            "did": wallet.did(), "certificates": values, "claimed": claimed, "waiting": wallet.pending().len(),
            "pending": pending,
        }),
    );
}

/// One that is still to come, as a line.
fn pending_line(pending: &Pending) -> String {
    let stands = if pending.is_unverified() {
        "it came and is not verified yet: `vidimus wallet refresh` looks again"
    } else {
        "still to come: `vidimus wallet refresh` asks again"
    };
    format!("w{}  {}  {stands}", pending.id, offer::plain(&pending.issuer))
}

fn pending_view(pending: &Pending) -> Value {
    json!({
        "number": format!("w{}", pending.id), "issuer": pending.issuer, "since": pending.since,
        "verified": !pending.is_unverified(),
    })
}

/// One claimed certificate, as a line.
fn batch_line(wallet: &Wallet, batch: &Batch) -> String {
    let vouched = if is_vouched_for(wallet, batch) {
        ""
    } else {
        ", from an issuer that nobody whom this wallet trusts vouches for"
    };
    let left = match batch.unused() {
        0 => "no unused copies: refresh".to_owned(),
        left => format!("{left} of {} copies unused", batch.copies().len()),
    };
    let receipts = batch.copies().iter().filter(|copy| copy.envelope().receipt.is_some());
    let anchored = if receipts.count() == batch.copies().len() {
        "anchored"
    } else {
        "receipt missing"
    };
    format!(
        "{:>3}  {:<26} {:<11} {}  {anchored}, {left}{vouched}",
        format!("c{}", batch.id()),
        offer::plain(batch.title()),
        batch.form().name(),
        batch.validity(clock().now())
    )
}

fn is_vouched_for(wallet: &Wallet, batch: &Batch) -> bool {
    wallet.vouches_for(batch, clock().now(), &Native::new())
}

fn batch_view(wallet: &Wallet, batch: &Batch) -> Value {
    let copies = batch.copies().iter();
    json!({
        "number": format!("c{}", batch.id()),
        "title": batch.title(),
        "format": batch.form().name(),
        "types": batch.types(),
        "issuer": batch.issuer(),
        "issuer_name": batch.issuer_name(),
        "vouched": is_vouched_for(wallet, batch),
        "configuration": batch.configuration(),
        "validity": batch.validity(clock().now()),
        "received_at": batch.received_at().to_rfc3339(),
        "copies": batch.copies().len(),
        "unused": batch.unused(),
        "anchored": copies.clone().filter(|copy| copy.envelope().receipt.is_some()).count(),
        "counter_signed": copies.filter(|copy| copy.envelope().counter_signature.is_some()).count(),
    })
}

fn show_batch(wallet: &Wallet, batch: &Batch, output: Output) {
    let mut value = batch_view(wallet, batch);
    let copies: Vec<_> = batch
        .copies()
        .iter()
        .map(|copy| copy.envelope().copy.as_str())
        .collect();
    value["texts"] = json!(copies);
    output.answer(&copies.join("\n"), &value);
}

fn shared(wallet: &Wallet, output: Output) {
    let lines: Vec<_> = wallet
        .shared()
        .iter()
        .map(|one| {
            let name = one.name.as_deref().unwrap_or(&one.verifier);
            let purpose = one.purpose.as_deref().unwrap_or("no purpose given");
            let items = one.items.iter();
            let what: Vec<_> = items
                .map(|item| format!("{}: {}", item.title, item.attributes.join(", ")))
                .collect();
            let what = if what.is_empty() {
                "declined".to_owned()
            } else {
                what.join("; ")
            };
            offer::plain(&format!("{}  {name} ({purpose})  {what}", one.time))
        })
        .collect();
    output.answer(
        &lines_or(&lines, "Nothing was shared yet."),
        &json!({"shared": wallet.shared()}),
    );
}

fn lines_or(lines: &[String], none: &str) -> String {
    if lines.is_empty() {
        none.to_owned()
    } else {
        lines.join("\n")
    }
}

fn show(number: usize, held: &Held, output: Output) {
    let mut value = view(number, held);
    value["copy"] = json!(held.envelope().copy);
    value["evidence"] = json!(held.evidence().map(|evidence| evidence.to_text()));
    output.answer(&held.envelope().copy, &value);
}

fn print(held: &Held, drawing: &Drawing, output: Output) -> Result<(), Failure> {
    if held.format() != Format::Hcert {
        return Err(Failure::new(
            Exit::Refused,
            "only a health certificate (HCERT) goes on paper: ask the issuer for a copy in that format",
        ));
    }
    if !drawing.of_evidence() {
        return drawing.draw(&held.envelope().copy, output);
    }
    let evidence = held.evidence().ok_or_else(|| {
        Failure::new(
            Exit::Refused,
            "this certificate's receipt is missing: fetch it with `vidimus wallet receipts --from URL`",
        )
    })?;
    drawing.draw(&evidence.to_text(), output)
}

async fn fetch_receipts(open: &mut Open, from: &str, output: Output) -> Result<(), Failure> {
    let progress = output.counting("fetching receipts", 0);
    let came = open.fetch_receipts(&Server::new(from, None)?, &progress).await;
    drop(progress);
    let came = came?;
    let missing = open
        .wallet
        .held()
        .iter()
        .filter(|held| held.envelope().receipt.is_none())
        .count();
    let text = format!("{came} receipts came, {missing} are still missing");
    output.answer(&text, &json!({"received": came, "missing": missing}));
    Ok(())
}

fn present(open: &mut Open, numbers: &[usize], request: &Path, output: Output) -> Result<(), Failure> {
    let request = expected(&read_json(request)?)?;
    let account = open.signers()?.account;
    let presentation = open
        .wallet
        .present(numbers, &request, &account, clock().now())
        .map_err(failure)?;
    open.save()?;
    output.answer(&presentation, &json!({"presentation": presentation}));
    Ok(())
}

fn history(wallet: &Wallet, output: Output) {
    let shown = wallet.shown();
    let lines: Vec<_> = shown
        .iter()
        .map(|shown| {
            let purpose = shown.purpose.as_deref().unwrap_or("no purpose given");
            let categories = shown.categories.join(", ");
            format!("{}  {categories}  {} ({purpose})", shown.time, shown.audience)
        })
        .collect();
    output.answer(&lines_or(&lines, "Nothing was shown yet."), &json!({"shown": shown}));
}

fn change_passphrase(open: &mut Open, new: Option<PathBuf>, output: Output) -> Result<(), Failure> {
    let new = PassphraseArguments { passphrase_file: new }.new_one()?;
    open.file =
        PasswordFile::create(&new, Cost::RECOMMENDED, &mut OsEntropy).map_err(|error| Failure::setup(&error))?;
    open.save()?;
    output.answer("The passphrase was changed.", &json!({"changed": true}));
    Ok(())
}

/// A verifier's request, as `vidimus request` or `POST /v1/presentation-requests` gives it.
pub fn expected(value: &Value) -> Result<Expected, Failure> {
    vidimus_wallet::request::from_json(value).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

fn line(number: usize, held: &Held) -> String {
    let anchored = if held.envelope().receipt.is_some() {
        "anchored"
    } else {
        "receipt missing"
    };
    let signed = if held.envelope().counter_signature.is_some() {
        ", counter-signed"
    } else {
        ""
    };
    // What is sealed to this wallet can come from anybody; whoever checks it verifies who signed.
    format!(
        "{number:>3}  {:<26} {:<11} until {}  {anchored}{signed}, issuer not verified",
        held.category(),
        held.format().name(),
        held.valid_until()
    )
}

fn view(number: usize, held: &Held) -> Value {
    json!({
        "number": number,
        "category": held.category(),
        "format": held.format().name(),
        "issuer": held.issuer(),
        "valid_from": held.valid_from().to_rfc3339(),
        "valid_until": held.valid_until().to_rfc3339(),
        "received_at": held.received_at().to_rfc3339(),
        "digest": held.digest().to_string(),
        "commitment": held.commitment().map(|commitment| commitment.to_string()),
        "anchored": held.envelope().receipt.is_some(),
        "counter_signed": held.envelope().counter_signature.is_some(),
    })
}
