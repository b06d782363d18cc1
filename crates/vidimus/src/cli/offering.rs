//! `vidimus offer`: certificates offered to wallets.

use super::{
    Failure, Output,
    client::{Server, ServerArguments, idempotency_key, read_text, text, write},
    paging::Paging,
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Offer certificates to wallets (OpenID4VCI).
///
/// The link (or a QR code of it) goes to the person in one way, the code in another: whoever has both can claim the certificate.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus offer create --result RESULT --output offer.svg
  vidimus offer create --category sars-cov-2-naat --contact contact.txt     the result is still to come
  vidimus offer withdraw OFFER")]
pub struct Arguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Offer the certificate of a result, or of one that is still to come.
    Create(Create),
    /// List the own offers, oldest first.
    List(Paging),
    /// Show an offer.
    Show {
        /// Its id.
        id: String,
    },
    /// Take an offer back: nothing can be claimed with it any more.
    Withdraw {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("subject").required(true)))]
struct Create {
    /// Id of the result.
    #[arg(long, group = "subject")]
    result: Option<String>,
    /// Category of a result that is still to come; its report names the offer.
    #[arg(long, value_name = "NAME", group = "subject")]
    category: Option<String>,
    /// Format wanted: `dc+sd-jwt`, `jwt_vc_json`. Can be given several times; default all that the category has.
    #[arg(long, value_name = "NAME")]
    format: Vec<String>,
    /// As HAIP 1.0 has it: the person permits the wallet on the issuer's page, and types the code there.
    #[arg(long)]
    haip: bool,
    /// Seconds until it ends, 60 to 2 592 000; default three days.
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u32>,
    /// File with the mail address or telephone number that the code is sent to; without it the answer shows the code.
    #[arg(long, value_name = "FILE")]
    contact: Option<PathBuf>,
    /// Record the contact with the result, so that who loses the wallet can claim again with a code that is sent there.
    #[arg(long, requires = "contact", requires = "result")]
    keep_contact: bool,
    /// Language of that message: `en` or `de`.
    #[arg(long, value_name = "CODE", requires = "contact")]
    language: Option<String>,
    /// Draw the link as a QR code: `.svg` or `.png`.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Same for each try of one request; default random.
    #[arg(long, value_name = "TEXT")]
    idempotency_key: Option<String>,
}

pub(super) async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let server = arguments.server.authenticated()?;
    match arguments.command {
        Command::Create(new) => create(&server, new, output).await,
        Command::List(paging) => {
            paging
                .show(&server, "/v1/offers", "There are no offers.", line, output)
                .await?;
            Ok(())
        }
        Command::Show { id } => {
            let view = server.get(&format!("/v1/offers/{id}")).await?;
            output.answer(&describe(&view), &view);
            Ok(())
        }
        Command::Withdraw { id } => {
            server.delete(&format!("/v1/offers/{id}")).await?;
            let view = server.get(&format!("/v1/offers/{id}")).await?;
            output.answer(&describe(&view), &view);
            Ok(())
        }
    }
}

async fn create(server: &Server, new: Create, output: Output) -> Result<(), Failure> {
    let mut body = json!({
        "result": new.result, "category": new.category, "formats": new.format,
        "pre_authorized": new.haip.then_some(false), "expires_in": new.expires_in, "keep_contact": new.keep_contact,
    });
    if let Some(contact) = &new.contact {
        body["send_code"] = json!({"to": read_text(contact)?.trim()});
        if let Some(language) = &new.language {
            body["send_code"]["language"] = json!(language);
        }
    }
    let key = new.idempotency_key.unwrap_or_else(idempotency_key);
    let view = server.create("/v1/offers", &body, &key).await?;
    if let Some(path) = &new.output {
        let form = match path.extension().and_then(|ending| ending.to_str()) {
            Some("png") => "png",
            _ => "svg",
        };
        let drawn = server
            .bytes(&format!("/v1/offers/{}/qr?form={form}", text(&view, "/id")))
            .await?;
        write(path, &drawn)?;
    }
    output.answer(&describe(&view), &view);
    Ok(())
}

fn line(offer: &Value) -> String {
    format!(
        "{}  {:<9} until {}  {}",
        text(offer, "/id"),
        text(offer, "/state"),
        text(offer, "/expires"),
        text(offer, "/category")
    )
}

/// An offer, as text.
pub fn describe(view: &Value) -> String {
    let mut lines = vec![
        format!("offer {}  {}", text(view, "/id"), text(view, "/state")),
        format!("  category  {}", text(view, "/category")),
        format!("  until     {}", text(view, "/expires")),
        format!("  link      {}", text(view, "/link")),
    ];
    let code = text(view, "/tx_code/code");
    if !code.is_empty() {
        lines.push(format!(
            "  code      {code}   (shown this once; it goes to the person in another way)"
        ));
    }
    lines.join("\n")
}
