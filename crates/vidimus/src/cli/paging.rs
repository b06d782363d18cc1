//! Lists that come a page at a time.

use super::{
    Failure, Output,
    client::{Server, text},
    participants::items,
};
use serde_json::Value;

/// Which page.
#[derive(Debug, clap::Args)]
pub(super) struct Paging {
    /// `next` of the page before.
    #[arg(long)]
    cursor: Option<String>,
    /// Rows in the page, 1 to 500.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

impl Paging {
    /// Reads that page of a list and shows it, a line each; `nothing` where it is empty.
    pub(super) async fn show(
        self,
        server: &Server,
        path: &str,
        nothing: &str,
        line: impl Fn(&Value) -> String,
        output: Output,
    ) -> Result<(), Failure> {
        let limit = self.limit;
        let cursor = self
            .cursor
            .map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let page = server.get(&format!("{path}?limit={limit}{cursor}")).await?;
        let mut lines: Vec<_> = items(&page).map(line).collect();
        if lines.is_empty() {
            lines.push(nothing.into());
        }
        let next = text(&page, "/next");
        if !next.is_empty() {
            lines.push(format!("more with --cursor {next}"));
        }
        output.answer(&lines.join("\n"), &page);
        Ok(())
    }
}
