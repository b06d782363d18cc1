//! `vidimus openapi`.

use super::{Failure, Output};

/// Print the description of the HTTP API (OpenAPI 3.1).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  vidimus openapi > docs/openapi.json")]
pub struct Arguments {}

pub(super) fn run(_: &Arguments, output: Output) -> Result<(), Failure> {
    let text = crate::http::description::text();
    // JSON either way; only the spacing differs.
    let value = serde_json::from_str(text).map_err(|error| Failure::new(super::Exit::Internal, error.to_string()))?;
    output.answer(text, &value);
    Ok(())
}
