//! `vidimus issue`, `copies`, `result`, `revoke`: what an issuer does.

use super::{
    Exit, Failure, Output,
    client::{ServerArguments, idempotency_key, read_json, read_text, text},
    paging::Paging,
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Report a result and issue its certificate.
///
/// With a holder's card the copies are signed and sealed for the holder at once; without one, paper (HCERT) is made. Personal data are read
/// from files, so that they stand on no command line; an identity document that is given here is the exception.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus issue --fhir bundle.json --card card.jwt --wait
  vidimus issue --dcc payload.json --fallback-id patient-81 --format hcert
  vidimus issue --claims result.json --document-file passport.json --algorithm ES256")]
#[command(group(clap::ArgGroup::new("input").required(true)))]
pub struct IssueArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// HL7 FHIR R4 Bundle, JSON; `-` for standard input.
    #[arg(long, value_name = "FILE", group = "input")]
    fhir: Option<PathBuf>,
    /// EU DCC 1.3 payload, JSON.
    #[arg(long, value_name = "FILE", group = "input")]
    dcc: Option<PathBuf>,
    /// The plain form, JSON: `{person, category, claims}`.
    #[arg(long, value_name = "FILE", group = "input")]
    claims: Option<PathBuf>,
    /// The identity document that was seen, such as `passport:AT:P4711087`.
    #[arg(long, value_name = "TYPE:COUNTRY:NUMBER", value_parser = document)]
    document: Option<Value>,
    /// The same from a file: JSON `{type, country, number}`.
    #[arg(long, value_name = "FILE", conflicts_with = "document")]
    document_file: Option<PathBuf>,
    /// The issuer's own identifier of the person, where no document was seen.
    #[arg(long, value_name = "TEXT")]
    fallback_id: Option<String>,
    /// The category, where the input could become more than one.
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    #[command(flatten)]
    rendering: Rendering,
    /// Rendering wanted: `vc-jwt-1.1`, `vc+jwt`, `hcert`. Can be given several times; default all that there are.
    #[arg(long, value_name = "NAME")]
    format: Vec<String>,
    /// Replace a valid certificate of the same kind; that one is revoked with reason `replaced`.
    #[arg(long)]
    replace: bool,
    /// File with the mail address or telephone number of the person, who can then claim again with a code that is sent there.
    #[arg(long, value_name = "FILE")]
    contact: Option<PathBuf>,
    /// Language of that message: `en` or `de`.
    #[arg(long, value_name = "CODE", requires = "contact")]
    language: Option<String>,
    /// Wait until the copies are anchored, at most 20 seconds.
    #[arg(long)]
    wait: bool,
    /// Same for each try of one request, so that it is done once; default random.
    #[arg(long, value_name = "TEXT")]
    idempotency_key: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Rendering {
    /// The holder's card (`vidimus wallet card`).
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    /// Signature algorithm of VC-JWT copies: `ES256K` (default), `ES256K-R` or `ES256`.
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// How copies are sealed: `hpke` (default) or `eip1098`.
    #[arg(long, value_name = "NAME")]
    envelope: Option<String>,
}

/// More copies of a certificate.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus copies add RESULT --card new-phone.jwt --format vc-jwt-1.1
  vidimus copies add RESULT --format hcert                             for paper")]
pub struct CopiesArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: CopiesCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CopiesCommand {
    /// Make copies for other holder keys, or, without a card, for paper.
    Add {
        /// Id of the result.
        result: String,
        #[command(flatten)]
        rendering: Rendering,
        /// Rendering wanted. Can be given several times.
        #[arg(long, required = true, value_name = "NAME")]
        format: Vec<String>,
        /// Same for each try of one request; default random.
        #[arg(long, value_name = "TEXT")]
        idempotency_key: Option<String>,
    },
}

/// Read the own results.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vidimus result list --limit 100\n  vidimus result show RESULT")]
pub struct ResultArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: ResultCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ResultCommand {
    /// List results, oldest first.
    List(Paging),
    /// Show a result, its certificate and the copies.
    Show {
        /// Its id.
        id: String,
    },
}

/// Revoke a certificate: all its copies, everywhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  vidimus revoke CERTIFICATE --reason error")]
pub struct RevokeArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Id of the certificate.
    certificate: String,
    /// `error`, `fraud`, `lost`, `superseded`, `request` or `other`: a code, never text about a person.
    #[arg(long, value_name = "CODE")]
    reason: String,
}

fn document(text: &str) -> Result<Value, String> {
    match text.split(':').collect::<Vec<_>>()[..] {
        [kind, country, number] if !number.is_empty() => {
            Ok(json!({"type": kind, "country": country, "number": number}))
        }
        _ => Err("TYPE:COUNTRY:NUMBER is needed, such as passport:AT:P4711087".into()),
    }
}

impl Rendering {
    fn put_into(&self, body: &mut Value) -> Result<(), Failure> {
        body["card"] = json!(self.card.as_deref().map(read_text).transpose()?);
        body["algorithm"] = json!(self.algorithm);
        body["envelope"] = json!(self.envelope);
        Ok(())
    }
}

pub(super) async fn issue(arguments: IssueArguments, output: Output) -> Result<(), Failure> {
    let server = arguments.server.authenticated()?;
    let mut body = json!({
        "fallback_id": arguments.fallback_id, "category": arguments.category, "formats": arguments.format,
        "replace": arguments.replace, "wait": arguments.wait,
    });
    for (name, path) in [
        ("fhir", &arguments.fhir),
        ("dcc", &arguments.dcc),
        ("claims", &arguments.claims),
    ] {
        if let Some(path) = path {
            body[name] = read_json(path)?;
        }
    }
    body["document"] = match &arguments.document_file {
        Some(path) => read_json(path)?,
        None => json!(arguments.document),
    };
    if let Some(contact) = &arguments.contact {
        body["contact"] = json!({"to": read_text(contact)?.trim()});
        if let Some(language) = &arguments.language {
            body["contact"]["language"] = json!(language);
        }
    }
    arguments.rendering.put_into(&mut body)?;
    let key = arguments.idempotency_key.unwrap_or_else(idempotency_key);
    let waiting = arguments.wait.then(|| output.waiting("waiting for the anchor"));
    let answer = server.create("/v1/results", &body, &key).await;
    drop(waiting);
    let view = answer?;
    output.answer(&describe(&view), &view);
    Ok(())
}

pub(super) async fn copies(arguments: CopiesArguments, output: Output) -> Result<(), Failure> {
    let CopiesCommand::Add {
        result,
        rendering,
        format,
        idempotency_key: key,
    } = arguments.command;
    let mut body = json!({ "formats": format });
    rendering.put_into(&mut body)?;
    let server = arguments.server.authenticated()?;
    let key = key.unwrap_or_else(idempotency_key);
    let view = server
        .create(&format!("/v1/results/{result}/copies"), &body, &key)
        .await?;
    output.answer(&describe(&view), &view);
    Ok(())
}

pub(super) async fn result(arguments: ResultArguments, output: Output) -> Result<(), Failure> {
    let server = arguments.server.authenticated()?;
    match arguments.command {
        ResultCommand::List(paging) => {
            paging
                .show(&server, "/v1/results", "There are no results.", line, output)
                .await?;
        }
        ResultCommand::Show { id } => {
            let view = server.get(&format!("/v1/results/{id}")).await?;
            let mut shown = line(&view);
            if view["certificate"].is_object() {
                shown.push_str(&format!("\n{}", describe(&view["certificate"])));
            }
            output.answer(&shown, &view);
        }
    }
    Ok(())
}

pub(super) async fn revoke(arguments: RevokeArguments, output: Output) -> Result<(), Failure> {
    let server = arguments.server.authenticated()?;
    let path = format!("/v1/certificates/{}/revoke", arguments.certificate);
    let view = server.post(&path, &json!({"reason": arguments.reason})).await?;
    output.answer(&describe(&view), &view);
    Ok(())
}

fn line(result: &Value) -> String {
    format!(
        "{}  {:<9} {}  {}",
        text(result, "/result"),
        text(result, "/state"),
        text(result, "/reported"),
        text(result, "/category")
    )
}

/// A certificate and its copies, as text.
pub fn describe(view: &Value) -> String {
    let reason = text(view, "/reason");
    let reason = if reason.is_empty() {
        reason
    } else {
        format!(" ({reason})")
    };
    let mut lines = vec![
        format!(
            "certificate {}  {}{reason}",
            text(view, "/certificate"),
            text(view, "/status")
        ),
        format!("  result    {}", text(view, "/result")),
        format!("  category  {}", text(view, "/category")),
        format!(
            "  valid     {} until {}",
            text(view, "/valid_from"),
            text(view, "/valid_until")
        ),
    ];
    for copy in view["copies"].as_array().into_iter().flatten() {
        let place = match (text(copy, "/content_id"), text(copy, "/format")) {
            (place, _) if !place.is_empty() => place,
            (_, format) if format == "hcert" => "on paper".to_owned(),
            _ => "in a wallet".to_owned(),
        };
        let signed = if copy["counter_signed"] == true {
            ", counter-signed"
        } else {
            ""
        };
        let anchored = if copy["anchored"] == true {
            "anchored"
        } else {
            "not yet anchored"
        };
        lines.push(format!(
            "  copy      {}  {:<10} {}, {anchored}{signed}, {place}",
            text(copy, "/id"),
            text(copy, "/format"),
            text(copy, "/state")
        ));
    }
    lines.join("\n")
}

/// Whether an answer says that every copy is anchored.
pub fn anchored(view: &Value) -> bool {
    view["copies"]
        .as_array()
        .is_some_and(|copies| !copies.is_empty() && copies.iter().all(|copy| copy["anchored"] == true))
}

/// The copies of an answer in a rendering.
pub fn copy_of<'a>(view: &'a Value, format: &str) -> Result<&'a Value, Failure> {
    let copies = view["copies"].as_array().into_iter().flatten();
    copies
        .into_iter()
        .find(|copy| copy["format"] == format)
        .ok_or_else(|| Failure::new(Exit::Internal, format!("the answer has no {format} copy")))
}
