//! Which keys there are, as file and variables spell them; whatever else is written is refused by name.

use super::{Error, wrong};
use std::path::Path;
use toml::{Table, Value};

/// Every key there is, its kind, in the order of the sample.
pub(super) const KEYS: &[(&str, Kind)] = &[
    ("data_dir", Kind::Text),
    ("root_key", Kind::Text),
    ("categories_dir", Kind::Text),
    ("server.listen", Kind::Text),
    ("server.public_url", Kind::Text),
    ("server.trusted_proxies", Kind::List),
    ("server.metrics_public", Kind::Flag),
    ("server.tls.certificate", Kind::Text),
    ("server.tls.key", Kind::Text),
    ("server.limits.body_bytes", Kind::Number),
    ("server.limits.large_body_bytes", Kind::Number),
    ("server.limits.trust_list_bytes", Kind::Number),
    ("server.limits.header_seconds", Kind::Number),
    ("server.limits.request_seconds", Kind::Number),
    ("server.limits.drain_seconds", Kind::Number),
    ("server.limits.concurrency", Kind::Number),
    ("server.limits.connections", Kind::Number),
    ("server.limits.streams", Kind::Number),
    ("server.limits.key_requests_per_minute", Kind::Number),
    ("server.limits.address_requests_per_minute", Kind::Number),
    ("server.limits.attested_keys_per_minute", Kind::Number),
    ("server.limits.disk_headroom_mib", Kind::Number),
    ("database.path", Kind::Text),
    ("database.url", Kind::Text),
    ("ledger.mode", Kind::Text),
    ("ledger.chain_id", Kind::Number),
    ("ledger.rpc_url", Kind::Text),
    ("ledger.rpc_key", Kind::Text),
    ("ledger.path", Kind::Text),
    ("ledger.fork", Kind::Text),
    ("ledger.base_fee", Kind::Number),
    ("ledger.confirmations", Kind::Number),
    ("ledger.rpc_public_reads", Kind::Flag),
    ("ledger.max_fee_per_gas", Kind::Number),
    ("ledger.priority_fee_per_gas", Kind::Number),
    ("ledger.replace_after_seconds", Kind::Number),
    ("ledger.empty_blocks", Kind::Flag),
    ("ledger.verify_blocks", Kind::Flag),
    ("blobs.path", Kind::Text),
    ("log.format", Kind::Text),
    ("log.level", Kind::Text),
    ("anchor.interval_seconds", Kind::Number),
    ("anchor.max_batch", Kind::Number),
    ("status.ttl_seconds", Kind::Number),
    ("status.valid_seconds", Kind::Number),
    ("checks.registry_max_age_seconds", Kind::Number),
    ("checks.status_max_age_seconds", Kind::Number),
    ("checks.ledger_max_age_seconds", Kind::Number),
    ("checks.presentation_max_age_seconds", Kind::Number),
    ("wallets.client_attestation", Kind::Text),
    ("wallets.offer_link", Kind::Text),
    ("wallets.request_link", Kind::Text),
    ("wallets.batch_size", Kind::Number),
    ("wallets.copies_per_grant", Kind::Number),
    ("wallets.token_seconds", Kind::Number),
    ("wallets.refresh_days", Kind::Number),
    ("wallets.refresh_end_days", Kind::Number),
    ("wallets.haip_only", Kind::Flag),
    ("wallets.require_nonces", Kind::Flag),
    ("wallets.redirects", Kind::List),
    ("trust.directory", Kind::Text),
    ("outside.networks", Kind::List),
    ("outside.loopback", Kind::Flag),
    ("outside.authorities", Kind::Text),
    ("outside.push_hosts", Kind::List),
    ("mail.host", Kind::Text),
    ("mail.port", Kind::Number),
    ("mail.tls", Kind::Text),
    ("mail.user", Kind::Text),
    ("mail.password", Kind::Text),
    ("mail.from", Kind::Text),
    ("identity.name", Kind::Text),
    ("identity.issuer", Kind::Text),
    ("identity.authorization_endpoint", Kind::Text),
    ("identity.token_endpoint", Kind::Text),
    ("identity.client_id", Kind::Text),
    ("identity.client_secret", Kind::Text),
    ("identity.trust_framework", Kind::Text),
];

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    List,
}

/// Keys that hold paths of files.
const PATHS: &[&str] = &[
    "data_dir",
    "root_key",
    "categories_dir",
    "server.tls.certificate",
    "server.tls.key",
    "database.path",
    "ledger.path",
    "blobs.path",
    "trust.directory",
    "outside.authorities",
];

pub(super) fn rebase(table: &mut Table, base: &Path) {
    for key in PATHS {
        if let Some(Value::String(text)) = find(table, key) {
            *text = base.join(&*text).to_string_lossy().into_owned();
        }
    }
}

fn find<'t>(table: &'t mut Table, key: &str) -> Option<&'t mut Value> {
    let mut parts = key.split('.');
    let mut at = table.get_mut(parts.next()?)?;
    for part in parts {
        at = at.as_table_mut()?.get_mut(part)?;
    }
    Some(at)
}

pub(super) fn refuse_unknown(table: &Table, prefix: &str, file: &Path) -> Result<(), Error> {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        let section = KEYS.iter().any(|(known, _)| known.starts_with(&format!("{key}.")));
        match value {
            Value::Table(inner) if section => refuse_unknown(inner, &key, file)?,
            _ if KEYS.iter().any(|(known, _)| *known == key) => {}
            _ if section => return Err(wrong(&key, "is a section: write its keys below [section]")),
            _ => {
                let nearest = nearest(&key, KEYS.iter().map(|(known, _)| (*known).to_owned()));
                return Err(Error::UnknownKey {
                    place: file.display().to_string(),
                    key,
                    nearest,
                });
            }
        }
    }
    Ok(())
}

fn variable(key: &str) -> String {
    format!("VIDIMUS_{}", key.replace('.', "_").to_ascii_uppercase())
}

pub(super) fn apply_variable(table: &mut Table, name: &str, value: &str) -> Result<(), Error> {
    if !name.starts_with("VIDIMUS_") {
        return Ok(());
    }
    let Some((key, kind)) = KEYS.iter().find(|(key, _)| variable(key) == name) else {
        // The command line has variables of its own. What is written like a key, or stands in a section of this file, is meant for it.
        let in_section = KEYS
            .iter()
            .filter_map(|(key, _)| key.split_once('.'))
            .any(|(section, _)| {
                name.strip_prefix(&variable(section))
                    .is_some_and(|rest| rest.starts_with('_'))
            });
        if !in_section && KEYS.iter().all(|(key, _)| edits(&variable(key), name) > 2) {
            return Ok(());
        }
        let nearest = nearest(name, KEYS.iter().map(|(key, _)| variable(key)));
        return Err(Error::UnknownKey {
            place: "environment".into(),
            key: name.into(),
            nearest,
        });
    };
    let value = match kind {
        Kind::Text => Value::String(value.into()),
        Kind::Number => Value::Integer(value.parse().map_err(|_| wrong(key, "a whole number is needed"))?),
        Kind::Flag => Value::Boolean(value.parse().map_err(|_| wrong(key, "true or false is needed"))?),
        Kind::List => Value::Array(
            value
                .split(',')
                .map(str::trim)
                .filter(|s| !s.is_empty())
                .map(Value::from)
                .collect(),
        ),
    };
    let (section, leaf) = key.rsplit_once('.').unwrap_or(("", key));
    let mut at = table;
    for part in section.split('.').filter(|part| !part.is_empty()) {
        at = at
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .expect("sections were checked to be tables");
    }
    at.insert(leaf.into(), value);
    Ok(())
}

/// The known key that is written most alike: few edits for its length, or the same last part in another section.
fn nearest(key: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let leaf = |k: &str| k.rsplit('.').next().unwrap_or(k).to_owned();
    known
        .map(|candidate| {
            let whole = edits(key, &candidate);
            let last = 1 + edits(&leaf(key), &leaf(&candidate));
            (whole.min(last), candidate)
        })
        .min()
        .filter(|(distance, _)| *distance <= 1 + key.len() / 3)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (above + 1).min(row[j] + 1).min(diagonal + usize::from(x != *y));
            diagonal = above;
        }
    }
    row[b.len()]
}
