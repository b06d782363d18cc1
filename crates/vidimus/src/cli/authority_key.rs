//! `vidimus authority-key`.

use super::{Exit, Failure, Output, client::SecretFile, clock};
use crate::{
    app::recovery::{self, Lost, Recovery},
    config::Config,
};
use serde_json::json;
use std::path::PathBuf;
use vidimus_core::id::ApiKeyId;
use vidimus_store::api_keys::ApiKey;

/// Make a new API key for the authority, when its own is lost or has expired.
///
/// For the operator: it takes the configuration, the root key and the database, not the server, which may run meanwhile. It stands in the audit
/// log. The authority's other API keys are listed; those that were lost can be revoked in the same step.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus authority-key --save-api-key authority.key
  vidimus authority-key --revoke-others --save-api-key authority.key      only the new one is accepted from now on")]
pub struct Arguments {
    /// Days until it expires, 1 to 730.
    #[arg(long, default_value_t = 90)]
    days: u32,
    /// Id of a lost API key of the authority, to be revoked. Can be given several times.
    #[arg(long, value_name = "ID", conflicts_with = "revoke_others")]
    revoke: Vec<String>,
    /// Revoke every other API key of the authority.
    #[arg(long)]
    revoke_others: bool,
    /// New file, for this user only, that the API key is written to.
    #[arg(long, value_name = "FILE")]
    save_api_key: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments, config: Config, output: Output) -> Result<(), Failure> {
    let lost = if arguments.revoke_others {
        Lost::All
    } else {
        let ids = arguments.revoke.iter().map(|id| id.parse::<ApiKeyId>());
        let ids: Result<_, _> = ids.collect();
        Lost::Named(ids.map_err(|_| Failure::new(Exit::Usage, "--revoke: an API key's id is a UUID"))?)
    };
    let recovery = Recovery {
        days: arguments.days,
        lost,
    };
    let reserved = arguments.save_api_key.as_deref().map(SecretFile::reserve).transpose()?;
    let now = clock().now();
    let work = async {
        let recovered = recovery::recover(&config, now, recovery).await?;
        let view = |key: &ApiKey| {
            json!({
                "id": key.id.to_string(), "label": key.name, "expires": key.expires.0,
                "revoked": key.revoked.is_some(), "expired": key.expires <= now,
            })
        };
        let others: Vec<_> = recovered.others.iter().map(view).collect();
        let mut answer = view(&recovered.key);
        answer["secret"] = json!(recovered.secret.expose());
        answer["others"] = json!(others);
        Ok::<_, Failure>(answer)
    };
    let answer = SecretFile::keep(reserved, "secret", work).await?;
    let text = |value: &serde_json::Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let mut lines = vec![
        format!("{}\nAPI key: {}", text(&answer, "id"), text(&answer, "secret")),
        "Its other API keys:".into(),
    ];
    for other in answer["others"].as_array().into_iter().flatten() {
        let state = match (other["revoked"] == true, other["expired"] == true) {
            (true, _) => "revoked",
            (_, true) => "expired",
            _ => "accepted",
        };
        lines.push(format!("  {}  {state}  {}", text(other, "id"), text(other, "label")));
    }
    output.answer(&lines.join("\n"), &answer);
    Ok(())
}
