//! `vidimus setup`, `participant`, `api-key`: who takes part, as the authority and the participants themselves decide it.

use super::{
    Exit, Failure, Output,
    client::{SecretFile, Server, ServerArguments, read_text, text},
};
use crate::app::principal::{Permission, Role};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};
use vidimus_core::Timestamp;

/// How long `--wait` waits for the ledger.
const PATIENCE: Duration = Duration::from_secs(60);

/// Make the authority of a new deployment, once.
///
/// Takes the one-time token that `vidimus serve` printed at its first start. Its API key is shown this once: let it be written to a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus setup --token-file token.txt --name \"Ministry of Health\" --country AT --save-api-key authority.key
  vidimus setup --token-file - --name \"Ministry of Health\" --country AT --card card.jwt      keys stay with the authority")]
pub struct SetupArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// File with the token; `-` for standard input. Without it the variable VIDIMUS_SETUP_TOKEN is used.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Name of the authority, as others will see it.
    #[arg(long)]
    name: String,
    /// ISO 3166-1 alpha-2 code of its country.
    #[arg(long)]
    country: String,
    /// Card of keys that the authority keeps itself (`vidimus keys card`); without it the server makes keys and keeps them wrapped.
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    /// New file, for this user only, that the API key is written to.
    #[arg(long, value_name = "FILE")]
    save_api_key: Option<PathBuf>,
}

/// Admit, change, suspend and revoke issuers and verifiers.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus participant admit issuer --name \"Labor Donauraum\" --country AT --category sars-cov-2-naat --wait --save-api-key lab.key
  vidimus participant admit verifier --name \"Danube Air\" --country AT --attribute family_name --purpose boarding
  vidimus participant suspend ID --reason accreditation-lost")]
pub struct ParticipantArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: ParticipantCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ParticipantCommand {
    /// Admit an issuer (for categories) or a verifier (for attributes and purposes).
    Admit(AdmissionArguments),
    /// List the participants.
    List {
        /// Only those of this role.
        #[arg(long, value_parser = role)]
        role: Option<Role>,
    },
    /// Show one participant; without an id the one that the API key belongs to.
    Show {
        /// Its id.
        id: Option<String>,
    },
    /// Admit a participant for more.
    Grant {
        /// Its id.
        id: String,
        #[command(flatten)]
        grants: Grants,
    },
    /// Take away what a participant is admitted for.
    Withdraw {
        /// Its id.
        id: String,
        #[command(flatten)]
        grants: Grants,
    },
    /// Suspend: until it is resumed, nothing that it issued checks as valid.
    Suspend {
        /// Its id.
        id: String,
        /// A code such as `accreditation-lost`; it goes to the public registry.
        #[arg(long)]
        reason: String,
    },
    /// End a suspension.
    Resume {
        /// Its id.
        id: String,
    },
    /// Revoke, for good.
    Revoke {
        /// Its id.
        id: String,
        /// A code such as `fraud`; it goes to the public registry.
        #[arg(long)]
        reason: String,
    },
    /// Give new signing and sealing keys; what the old ones signed stays valid.
    RotateKeys {
        /// Its id.
        id: String,
        /// Card with the new keys (`vidimus keys renew`), where it keeps its keys itself.
        #[arg(long, value_name = "FILE")]
        card: Option<PathBuf>,
    },
    /// Revoke a version of the keys, which leaked: what they sign from then on is not trusted. Give new ones with `rotate-keys`.
    RevokeKeys {
        /// Its id.
        id: String,
        /// Which version, as `participant show` lists them.
        version: u32,
        /// From when on, RFC 3339; not in the future. Without it from now on. What no anchor proves older is not trusted either.
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<Timestamp>,
    },
    /// Give the account a new key: the DID stays, and belongs to the new account.
    RotateAccount {
        /// Its id; without it the participant that the API key belongs to.
        id: Option<String>,
        /// Card of the new account (`vidimus keys new-account`), where it keeps its keys itself.
        #[arg(long, value_name = "FILE")]
        card: Option<PathBuf>,
    },
}

/// Who is admitted, and for what.
#[derive(Debug, clap::Args)]
struct AdmissionArguments {
    /// `issuer` or `verifier`.
    #[arg(value_parser = role)]
    role: Role,
    /// Name, as others will see it.
    #[arg(long)]
    name: String,
    /// ISO 3166-1 alpha-2 code of its country.
    #[arg(long)]
    country: String,
    /// Its web address.
    #[arg(long, value_name = "ADDRESS")]
    website: Option<String>,
    #[command(flatten)]
    grants: Grants,
    /// Card of keys that it keeps itself (`vidimus keys card`); without it the server makes keys and keeps them wrapped.
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    /// New file, for this user only, that its first API key is written to.
    #[arg(long, value_name = "FILE")]
    save_api_key: Option<PathBuf>,
    /// Wait until the ledger has the admission.
    #[arg(long)]
    wait: bool,
}

/// What a participant is admitted for. Each can be given several times.
#[derive(Debug, clap::Args)]
struct Grants {
    /// Category, for an issuer (`vidimus category list`).
    #[arg(long, value_name = "NAME")]
    category: Vec<String>,
    /// Attribute, for a verifier (`vidimus category show`).
    #[arg(long, value_name = "NAME")]
    attribute: Vec<String>,
    /// Purpose, for a verifier.
    #[arg(long, value_name = "NAME")]
    purpose: Vec<String>,
}

/// Make, list and revoke API keys.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus api-key create --permission check --days 30 --label \"gate 12\" --save-api-key gate12.key
  vidimus api-key list
  vidimus api-key revoke ID")]
pub struct ApiKeyArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(subcommand)]
    command: ApiKeyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ApiKeyCommand {
    /// Make an API key.
    Create {
        /// What it may be used for: `read`, `issue`, `check`, `admin`, `operate`. Can be given several times.
        #[arg(long, required = true, value_parser = permission)]
        permission: Vec<Permission>,
        /// Days until it expires, 1 to 730.
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// A label, for people.
        #[arg(long, default_value = "")]
        label: String,
        /// The participant that it is for, where the authority makes it; else the own.
        #[arg(long, value_name = "ID")]
        participant: Option<String>,
        /// New file, for this user only, that the API key is written to.
        #[arg(long, value_name = "FILE")]
        save_api_key: Option<PathBuf>,
    },
    /// List the own participant's API keys.
    List,
    /// Revoke an API key; from the next request on it is not accepted.
    Revoke {
        /// Its id.
        id: String,
    },
}

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| "`issuer` or `verifier` is needed".into())
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).map_err(|_| "a time such as 2026-03-02T12:00:00Z is needed".into())
}

fn permission(name: &str) -> Result<Permission, String> {
    serde_json::from_value(json!(name)).map_err(|_| "one of read, issue, check, admin, operate is needed".into())
}

fn reserve(path: Option<&PathBuf>) -> Result<Option<SecretFile>, Failure> {
    path.map(|path| SecretFile::reserve(path)).transpose()
}

pub(super) async fn setup(arguments: SetupArguments, output: Output) -> Result<(), Failure> {
    let token = match &arguments.token_file {
        Some(path) => read_text(path)?,
        None => std::env::var("VIDIMUS_SETUP_TOKEN").map_err(|_| {
            let text = "the one-time token is needed: --token-file, or the variable VIDIMUS_SETUP_TOKEN";
            Failure::new(Exit::Usage, text)
        })?,
    };
    let card = arguments.card.as_deref().map(read_text).transpose()?;
    let reserved = reserve(arguments.save_api_key.as_ref())?;
    let server = arguments.server.anonymous()?;
    let body = json!({"token": token, "name": arguments.name, "country": arguments.country, "card": card});
    let answer = SecretFile::keep(reserved, "api_key", server.post("/v1/setup", &body)).await?;
    output.answer(&describe_change(&answer), &answer);
    Ok(())
}

pub(super) async fn participant(arguments: ParticipantArguments, output: Output) -> Result<(), Failure> {
    let server = arguments.server.authenticated()?;
    let change = match arguments.command {
        ParticipantCommand::Admit(admission) => admit(&server, admission, output).await?,
        ParticipantCommand::List { role } => return list(&server, role, output).await,
        ParticipantCommand::Show { id } => {
            let path = id.map_or_else(|| "/v1/profile".into(), |id| format!("/v1/participants/{id}"));
            let participant = server.get(&path).await?;
            output.answer(&describe(&participant), &participant);
            return Ok(());
        }
        ParticipantCommand::Grant { id, grants } => {
            let body = json!({"grant_categories": grants.category, "grant_attributes": grants.attribute, "grant_purposes": grants.purpose});
            let answer = server.patch(&format!("/v1/participants/{id}"), &body).await?;
            asked(answer, "change", Some(&id), body)
        }
        ParticipantCommand::Withdraw { id, grants } => {
            let body = json!({"withdraw_categories": grants.category, "withdraw_attributes": grants.attribute, "withdraw_purposes": grants.purpose});
            let answer = server.patch(&format!("/v1/participants/{id}"), &body).await?;
            asked(answer, "change", Some(&id), body)
        }
        ParticipantCommand::Suspend { id, reason } => {
            let body = json!({"reason": reason});
            let answer = server.post(&format!("/v1/participants/{id}/suspend"), &body).await?;
            asked(answer, "suspend", Some(&id), body)
        }
        ParticipantCommand::Resume { id } => {
            let answer = server.act(&format!("/v1/participants/{id}/resume")).await?;
            asked(answer, "resume", Some(&id), json!({}))
        }
        ParticipantCommand::Revoke { id, reason } => {
            let body = json!({"reason": reason});
            let answer = server.post(&format!("/v1/participants/{id}/revoke"), &body).await?;
            asked(answer, "revoke", Some(&id), body)
        }
        ParticipantCommand::RevokeKeys { id, version, from } => {
            let path = format!("/v1/participants/{id}/keys/{version}/revoke");
            let answer = server.post(&path, &json!({"from": from})).await?;
            let request = json!({"version": version, "from": from, "at": super::clock().now()});
            asked(answer, "revoke-keys", Some(&id), request)
        }
        ParticipantCommand::RotateAccount { id, card } => {
            let card = card.as_deref().map(read_text).transpose()?;
            let id = match id {
                Some(id) => id,
                None => text(&server.get("/v1/profile").await?, "/id"),
            };
            let body = json!({"card": card});
            let answer = server.post(&format!("/v1/participants/{id}/account"), &body).await?;
            asked(answer, "rotate-account", Some(&id), body)
        }
        ParticipantCommand::RotateKeys { id, card } => {
            let card = card.as_deref().map(read_text).transpose()?;
            let body = json!({"card": card});
            let answer = server.post(&format!("/v1/participants/{id}/keys"), &body).await?;
            asked(answer, "rotate-keys", Some(&id), body)
        }
    };
    output.answer(&describe_change(&change), &change);
    Ok(())
}

async fn admit(server: &Server, admission: AdmissionArguments, output: Output) -> Result<Value, Failure> {
    let card = admission.card.as_deref().map(read_text).transpose()?;
    let reserved = reserve(admission.save_api_key.as_ref())?;
    let grants = admission.grants;
    let body = json!({
        "role": admission.role, "name": admission.name, "country": admission.country, "url": admission.website, "card": card,
        "categories": grants.category, "attributes": grants.attribute, "purposes": grants.purpose,
    });
    let request = server.post("/v1/participants", &body);
    let mut answer = SecretFile::keep(reserved, "api_key", request).await?;
    if admission.wait {
        let waiting = output.waiting("waiting for the ledger");
        let participant = until_active(server, &text(&answer, "/participant/id")).await;
        drop(waiting);
        answer["participant"] = participant?;
    }
    Ok(asked(answer, "admit", None, body))
}

async fn list(server: &Server, role: Option<Role>, output: Output) -> Result<(), Failure> {
    let query = role.map_or_else(String::new, |role| format!("?role={}", role.name()));
    let list = server.get(&format!("/v1/participants{query}")).await?;
    let lines: Vec<_> = items(&list).map(line).collect();
    let shown = if lines.is_empty() {
        "There are no participants.".into()
    } else {
        lines.join("\n")
    };
    output.answer(&shown, &list);
    Ok(())
}

/// An answer with what was asked for here beside it: `keys sign-transactions` signs what follows from that, whatever the server prepared.
fn asked(mut answer: Value, operation: &str, id: Option<&str>, request: Value) -> Value {
    answer["asked"] = json!({"operation": operation, "id": id, "request": request});
    answer
}

pub(super) async fn api_key(arguments: ApiKeyArguments, output: Output) -> Result<(), Failure> {
    let server = arguments.server.authenticated()?;
    match arguments.command {
        ApiKeyCommand::Create {
            permission,
            days,
            label,
            participant,
            save_api_key,
        } => {
            let reserved = reserve(save_api_key.as_ref())?;
            let body = json!({"permissions": permission, "days": days, "label": label});
            let path =
                participant.map_or_else(|| "/v1/api-keys".into(), |id| format!("/v1/participants/{id}/api-keys"));
            let key = SecretFile::keep(reserved, "secret", server.post(&path, &body)).await?;
            output.answer(
                &format!("{}\nAPI key: {}", text(&key, "/id"), text(&key, "/secret")),
                &key,
            );
        }
        ApiKeyCommand::List => {
            let list = server.get("/v1/api-keys").await?;
            let lines: Vec<_> = items(&list)
                .map(|key| {
                    let expires = key["expires"]
                        .as_i64()
                        .map_or_else(String::new, |at| Timestamp(at).to_rfc3339());
                    let revoked = if key["revoked"] == true { "  revoked" } else { "" };
                    format!(
                        "{}  until {expires}  {}  {}{revoked}",
                        text(key, "/id"),
                        joined(&key["permissions"]),
                        text(key, "/label")
                    )
                })
                .collect();
            output.answer(&lines.join("\n"), &list);
        }
        ApiKeyCommand::Revoke { id } => {
            server.delete(&format!("/v1/api-keys/{id}")).await?;
            output.answer("Revoked.", &json!({"id": id, "revoked": true}));
        }
    }
    Ok(())
}

/// Waits until the ledger has a participant's admission.
pub async fn until_active(server: &Server, id: &str) -> Result<Value, Failure> {
    let path = format!("/v1/participants/{id}");
    let admitted = async {
        loop {
            let participant = server.get(&path).await?;
            if participant["status"] != "pending" {
                return Ok(participant);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, admitted).await.unwrap_or_else(|_| {
        let text = "the ledger does not have the admission yet; look again with `vidimus participant show`";
        Err(Failure::new(Exit::Unavailable, text))
    })
}

/// The entries of a list.
pub fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.get("items").and_then(Value::as_array).into_iter().flatten()
}

/// Texts of an array, in one line.
pub fn joined(value: &Value) -> String {
    let texts: Vec<_> = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    texts.join(", ")
}

fn line(participant: &Value) -> String {
    format!(
        "{}  {:<9} {:<9} {} ({})",
        text(participant, "/id"),
        text(participant, "/role"),
        text(participant, "/status"),
        text(participant, "/name"),
        text(participant, "/country")
    )
}

fn describe(participant: &Value) -> String {
    let mut lines = vec![line(participant), format!("  {}", text(participant, "/did"))];
    for what in ["categories", "attributes", "purposes"] {
        let listed = joined(&participant[what]);
        if !listed.is_empty() {
            lines.push(format!("  {what}: {listed}"));
        }
    }
    for key in participant["keys"].as_array().into_iter().flatten() {
        if key["purpose"] == "signing" {
            let state = text(key, "/state");
            lines.push(match key["version"].as_u64() {
                Some(version) => format!("  signing key: version {version}, {state}"),
                None => format!("  signing key: {state}"),
            });
        }
    }
    lines.push(format!(
        "  keys: {}",
        if participant["custody"] == "own" {
            "its own"
        } else {
            "kept wrapped by the server"
        }
    ));
    lines.join("\n")
}

fn describe_change(change: &Value) -> String {
    let mut lines = vec![describe(&change["participant"])];
    let key = text(change, "/api_key");
    if !key.is_empty() {
        lines.push(format!("API key, shown this once: {key}"));
    }
    let prepared = change["prepared"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|prepared| text(prepared, "/summary"));
    let prepared: Vec<_> = prepared.collect();
    if !prepared.is_empty() {
        lines.push(format!(
            "Waiting for own keys: {}. Give this answer (--json) to `vidimus keys sign-transactions`.",
            prepared.join(", ")
        ));
    }
    lines.join("\n")
}
