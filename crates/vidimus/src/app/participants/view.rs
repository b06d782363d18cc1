//! Participants as others see them.

use super::{entry, find, profile::Profile, role, row_role, with_entry};
use crate::app::{
    App,
    deployment::public_key,
    error::Error,
    principal::Role,
    requests::{Custody, KeyView, ParticipantView},
};
use vidimus_core::{encoding::base64, id::ParticipantId};
use vidimus_credential::check::registry::{Grant, KeyRecord, Standing};
use vidimus_store::{Scope, keys as key_rows, participants as rows};

/// Everybody who takes part, as the registry has them.
pub async fn list(app: &App, role: Option<Role>) -> Result<Vec<ParticipantView>, Error> {
    let role = role.map(row_role);
    let found = app.store.read(move |tx| rows::list(tx, role)).await?;
    let mut views = Vec::with_capacity(found.len());
    for participant in found {
        views.push(view(app, participant).await?);
    }
    Ok(views)
}

/// One participant.
pub async fn get(app: &App, id: ParticipantId) -> Result<ParticipantView, Error> {
    view(app, find(app, id).await?).await
}

async fn view(app: &App, participant: rows::Participant) -> Result<ParticipantView, Error> {
    let id = participant.id;
    let scope = Scope::on_behalf_of(id);
    let keys = app.store.read(move |tx| key_rows::list(tx, &scope, Some(id))).await?;
    let standing = entry(app, &participant)?;
    let granted = with_entry(app, &participant, |entry| {
        let (mut categories, mut attributes, mut purposes) = (Vec::new(), Vec::new(), Vec::new());
        for grant in entry.grants() {
            match grant {
                Grant::Category(name) => categories.push(name.clone()),
                Grant::Attribute(name) => attributes.push(name.clone()),
                Grant::Purpose(name) => purposes.push(name.clone()),
            }
        }
        [categories, attributes, purposes]
    });
    let records = with_entry(app, &participant, |entry| entry.keys().to_vec()).unwrap_or_default();
    let [categories, attributes, purposes] =
        granted.unwrap_or_else(|| ["categories", "attributes", "purposes"].map(|list| permits(&participant, list)));
    let profile = Profile::of(&participant)?;
    Ok(ParticipantView {
        id: participant.id.to_string(),
        role: role(participant.role),
        did: participant.did.clone(),
        account: participant.account.to_string(),
        name: participant.name.clone(),
        country: participant.country.clone(),
        url: profile.address,
        status: match participant.role {
            rows::Role::Authority => "active",
            _ => standing_name(standing),
        }
        .to_owned(),
        custody: match participant.custody {
            rows::Custody::Wrapped => Custody::Wrapped,
            rows::Custody::Own => Custody::Own,
        },
        categories,
        attributes,
        purposes,
        keys: keys
            .iter()
            .map(|key| key_view(key, registry_version(key, &keys, &records)))
            .collect(),
    })
}

/// Under which version the registry has a key: the newest with the signing key that was made with it. Our rows count on where a rotation came
/// to nothing, and the registry does not.
fn registry_version(key: &key_rows::Key, rows: &[key_rows::Key], records: &[KeyRecord]) -> Option<u32> {
    let signing = rows
        .iter()
        .find(|row| row.purpose == "signing" && row.version == key.version)?;
    let holds = |record: &&KeyRecord| {
        let point = record.keys.p256.as_ref();
        point.is_some_and(|point| point.as_bytes() == signing.public)
    };
    records.iter().rfind(holds).map(|record| record.version)
}

fn key_view(key: &key_rows::Key, version: Option<u32>) -> KeyView {
    let jwk = public_key(key).and_then(|key| key.to_jwk()).unwrap_or_else(
        || serde_json::json!({"crv": "X25519", "kty": "OKP", "x": vidimus_core::encoding::base64url(&key.public)}),
    );
    KeyView {
        id: key.id.to_string(),
        purpose: key.purpose.clone(),
        version: if key.purpose == "account" { Some(0) } else { version },
        jwk,
        certificate: key.certificate.as_deref().map(base64),
        state: key.state.name().to_owned(),
    }
}

pub(super) const fn standing_name(standing: Option<Standing>) -> &'static str {
    match standing {
        None => "pending",
        Some(Standing::Active) => "active",
        Some(Standing::Suspended) => "suspended",
        Some(Standing::Revoked) => "revoked",
    }
}

fn permits(participant: &rows::Participant, list: &str) -> Vec<String> {
    serde_json::from_str::<serde_json::Value>(&participant.permits)
        .ok()
        .and_then(|value| serde_json::from_value(value.get(list)?.clone()).ok())
        .unwrap_or_default()
}
