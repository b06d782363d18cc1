//! `vidimus category`, `audit`: what the public and the authority read.

use super::{
    Exit, Failure, Output,
    client::{ServerArguments, text},
    participants::{items, joined},
};

/// Read the kinds of certificates.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vidimus category list\n  vidimus --json category show sars-cov-2-naat")]
pub struct CategoryArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: CategoryCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CategoryCommand {
    /// List the categories.
    List,
    /// Show a category.
    Show {
        /// Its name.
        name: String,
    },
}

/// Read the audit log and verify its chain of hashes (the authority).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  vidimus audit list --after 100\n  vidimus audit verify")]
pub struct AuditArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// List entries.
    List {
        /// Entries after this sequence number.
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// Rows, 1 to 500.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Walk the whole chain of hashes.
    Verify,
}

pub(super) async fn category(arguments: CategoryArguments, output: Output) -> Result<(), Failure> {
    let server = arguments.server.anonymous()?;
    match arguments.command {
        CategoryCommand::List => {
            let list = server.get("/v1/categories").await?;
            let lines: Vec<_> = items(&list)
                .map(|category| {
                    format!(
                        "{:<24} {}  ({})",
                        text(category, "/id"),
                        text(category, "/title"),
                        joined(&category["formats"])
                    )
                })
                .collect();
            output.answer(&lines.join("\n"), &list);
        }
        CategoryCommand::Show { name } => {
            let category = server.get(&format!("/v1/categories/{name}")).await?;
            let mut lines = vec![
                format!("{}  {}", text(&category, "/id"), text(&category, "/title")),
                text(&category, "/description"),
                format!("attributes: {}", joined(&category["attributes"])),
            ];
            for (format, tests) in category["required_tests"].as_object().into_iter().flatten() {
                lines.push(format!("{format}: {}", joined(tests)));
            }
            output.answer(&lines.join("\n"), &category);
        }
    }
    Ok(())
}

pub(super) async fn audit(arguments: AuditArguments, output: Output) -> Result<Exit, Failure> {
    let server = arguments.server.authenticated()?;
    match arguments.command {
        AuditCommand::List { after, limit } => {
            let page = server.get(&format!("/v1/audit?after={after}&limit={limit}")).await?;
            let lines: Vec<_> = items(&page)
                .map(|entry| {
                    let parts = ["/sequence", "/time", "/operation", "/actor", "/object"].map(|name| text(entry, name));
                    parts.join("  ")
                })
                .collect();
            output.answer(&lines.join("\n"), &page);
            Ok(Exit::Done)
        }
        AuditCommand::Verify => {
            let progress = output.waiting("walking the chain of hashes");
            let verdict = server.get("/v1/audit/verification").await;
            drop(progress);
            let verdict = verdict?;
            let whole = verdict["whole"] == true;
            let shown = if whole {
                format!(
                    "whole: {} entries, head {}",
                    text(&verdict, "/entries"),
                    text(&verdict, "/head")
                )
            } else {
                format!("broken at entry {}: the log was altered", text(&verdict, "/broken_at"))
            };
            output.answer(&shown, &verdict);
            Ok(if whole { Exit::Done } else { Exit::Invalid })
        }
    }
}
