//! `vidimus paper`, `evidence`: what is printed, and what belongs beside it.

use super::{
    Exit, Failure, Output,
    client::{ServerArguments, read_text, text, write},
};
use clap::ValueEnum;
use serde_json::json;
use std::path::{Path, PathBuf};
use vidimus_core::encoding;
use vidimus_credential::format::{self, qr::QrCode};
use vidimus_crypto::Native;

/// Draw a paper copy: a QR code as SVG or PNG, or its text.
///
/// The certificate itself, which whoever sees it can read, or, with --evidence, the second code that belongs beside it: with both, paper checks
/// without a network.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus paper COPY --output certificate.svg
  vidimus paper COPY --evidence --output evidence.svg      once the copy is anchored")]
pub struct PaperArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Id of the copy.
    copy: String,
    #[command(flatten)]
    drawing: Drawing,
}

/// Fetch the evidence of paper that came without its second code.
///
/// For whoever has the certificate: only its signed bytes give the digest that is asked for, and nothing else of it leaves this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  vidimus evidence paper.txt --url https://vidimus.example > evidence.txt")]
pub struct EvidenceArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// File with the certificate, `HC1:…`; `-` for standard input.
    certificate: PathBuf,
}

/// Which code, how and where to.
#[derive(Debug, clap::Args)]
pub struct Drawing {
    /// The second code, with salt and receipt, in place of the certificate.
    #[arg(long)]
    evidence: bool,
    /// Where to; `-` for standard output (with --json as `text`, a PNG as `base64`).
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// What to draw; without it the file's name says, else the text.
    #[arg(long)]
    form: Option<Form>,
}

/// Ways of drawing a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// QR code, SVG.
    Svg,
    /// QR code, PNG.
    Png,
    /// The text in the QR code.
    Text,
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Text => "text",
        }
    }
}

impl Drawing {
    /// Whether the second code is wanted.
    pub const fn of_evidence(&self) -> bool {
        self.evidence
    }

    fn form(&self) -> Form {
        self.form
            .unwrap_or_else(|| match self.output.extension().and_then(|name| name.to_str()) {
                Some("svg") => Form::Svg,
                Some("png") => Form::Png,
                _ => Form::Text,
            })
    }

    /// Draws a text that is at hand.
    pub fn draw(&self, text: &str, output: Output) -> Result<(), Failure> {
        let code = || QrCode::new(text).map_err(|error| Failure::new(Exit::Refused, error.to_string()));
        let bytes = match self.form() {
            Form::Svg => code()?.to_svg().into_bytes(),
            Form::Png => code()?.to_png(8),
            Form::Text => format!("{text}\n").into_bytes(),
        };
        self.keep(&bytes, output)
    }

    fn keep(&self, bytes: &[u8], output: Output) -> Result<(), Failure> {
        let form = self.form();
        if self.output != Path::new("-") {
            write(&self.output, bytes)?;
            let shown = format!("{} bytes in {}", bytes.len(), self.output.display());
            output.answer(
                &shown,
                &json!({"output": self.output, "form": form.name(), "bytes": bytes.len()}),
            );
        } else if output.json {
            let drawn = match form {
                Form::Png => json!({"form": form.name(), "base64": encoding::base64(bytes)}),
                Form::Svg | Form::Text => {
                    let text = String::from_utf8_lossy(bytes);
                    json!({"form": form.name(), "text": text.trim_end_matches('\n')})
                }
            };
            output.answer("", &drawn);
        } else {
            write(&self.output, bytes)?;
        }
        Ok(())
    }
}

pub(super) async fn paper(arguments: PaperArguments, output: Output) -> Result<(), Failure> {
    let PaperArguments { server, copy, drawing } = arguments;
    let code = if drawing.evidence { "evidence" } else { "certificate" };
    let form = drawing.form().name();
    let path = format!("/v1/copies/{copy}/paper?form={form}&code={code}");
    let bytes = server.authenticated()?.bytes(&path).await?;
    drawing.keep(&bytes, output)
}

pub(super) async fn evidence(arguments: EvidenceArguments, output: Output) -> Result<(), Failure> {
    let copy = read_text(&arguments.certificate)?;
    let copy = format::parse(&copy).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!(
                "{}: {error}; scan the certificate again",
                arguments.certificate.display()
            ),
        )
    })?;
    let digest = copy.digest(&Native::new()).to_string();
    let server = arguments.server.anonymous()?;
    let answer = server.post("/v1/evidence", &json!({"digest": digest})).await?;
    output.answer(&text(&answer, "/text"), &answer);
    Ok(())
}
