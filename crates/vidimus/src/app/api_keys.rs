//! API keys of machines: `vk_<id>_<secret>`, the secret 256 random bits of which only a keyed hash is kept. Whoever reads the table can
//! neither use a key nor try candidates without the root key.

use crate::app::{
    App,
    error::Error,
    keys::Keys,
    once::Once,
    principal::{Permission, Principal, Role},
    requests::{ApiKeyView, NewApiKey},
};
use std::{fmt, sync::Arc};
use subtle::ConstantTimeEq;
use vidimus_core::{
    ApiKey, Digest, Entropy, Secret, Timestamp,
    id::{ApiKeyId, ParticipantId},
};
use vidimus_credential::check::registry::Standing;
use vidimus_store::{Scope, api_keys, audit, participants};

/// Longest life of a key.
pub(super) const MOST_DAYS: u32 = 730;

const DAY: i64 = 86_400;

/// A key that was just made: its row, and the text that is shown this once.
pub struct Made {
    /// To be stored.
    pub row: api_keys::ApiKey,
    /// `vk_…`.
    pub text: Secret<String>,
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").field("id", &self.row.id).finish_non_exhaustive()
    }
}

/// Makes a key for `participant`; the caller stores the row in the transaction that needs it.
pub fn make(
    app: &App,
    entropy: &mut dyn Entropy,
    participant: ParticipantId,
    label: &str,
    permissions: &[Permission],
    days: u32,
) -> Made {
    make_with(
        &app.keys,
        app.clock.now(),
        entropy,
        participant,
        label,
        permissions,
        days,
    )
}

/// [`make`], where no application is open.
pub(super) fn make_with(
    keys: &Keys,
    now: Timestamp,
    entropy: &mut dyn Entropy,
    participant: ParticipantId,
    label: &str,
    permissions: &[Permission],
    days: u32,
) -> Made {
    let mut secret = [0; 32];
    let id = ApiKeyId::generate(entropy);
    entropy.fill(&mut secret);
    let key = ApiKey {
        id,
        secret: Secret::new(secret),
    };
    let names: Vec<_> = permissions.iter().map(|permission| permission.name()).collect();
    Made {
        text: key.text(),
        row: api_keys::ApiKey {
            id,
            participant,
            name: label.to_owned(),
            secret_hash: hash(keys, &key.secret),
            permissions: names.join(" "),
            created: now,
            expires: now.plus(i64::from(days) * DAY),
            revoked: None,
            last_used_day: None,
        },
    }
}

fn hash(keys: &Keys, secret: &Secret<[u8; 32]>) -> Digest {
    Digest(keys.credential_hash("api-key", secret.expose()))
}

/// What a participant of this role may be given a key for, at most.
pub const fn permissions_of(role: Role) -> &'static [Permission] {
    use Permission::{Admin, Check, Issue, Operate, Read};
    match role {
        Role::Authority => &[Read, Admin, Operate],
        Role::Issuer => &[Read, Issue, Admin, Operate],
        Role::Verifier => &[Read, Check, Admin, Operate],
    }
}

/// Who presents this key; `None` when it is unknown, wrong, expired or revoked, which all take the same time and answer alike.
///
/// With it comes where its participant stands in the registry on the chain; `None` while the chain does not have its admission yet.
pub async fn authenticate(app: &App, presented: &ApiKey) -> Result<Option<(Principal, Option<Standing>)>, Error> {
    let id = presented.id;
    let found = app
        .store
        .get(move |tx| {
            let Some(key) = api_keys::find(tx, id)? else {
                return Ok(None);
            };
            let participant = participants::find(tx, key.participant)?;
            Ok::<_, vidimus_store::Error>(participant.map(|participant| (key, participant)))
        })
        .await?;
    let now = app.clock.now();
    let hash = hash(&app.keys, &presented.secret);
    let stored = found.as_ref().map_or(Digest([0; 32]), |(key, _)| key.secret_hash);
    let same = bool::from(hash.as_bytes().ct_eq(stored.as_bytes()));
    let Some((key, participant)) = found else {
        return Ok(None);
    };
    if !same || key.revoked.is_some() || key.expires <= now {
        return Ok(None);
    }
    note_use(app, &key, now);
    let principal = Principal {
        participant: participant.id,
        role: role(participant.role),
        api_key: Some(id),
        permissions: key.permissions.split(' ').filter_map(Permission::from_name).collect(),
        row: Arc::new(participant),
    };
    let registries = app.registries();
    let standing = match principal.role {
        Role::Authority => Some(Standing::Active),
        Role::Issuer => registries
            .issuers
            .participant(&principal.row.account)
            .map(|entry| entry.standing()),
        Role::Verifier => registries
            .verifiers
            .participant(&principal.row.account)
            .map(|entry| entry.standing()),
    };
    Ok(Some((principal, standing)))
}

/// Notes the day of use, once a day. It is worth nothing to the request, so the request does not wait for it or fail by it.
fn note_use(app: &App, key: &api_keys::ApiKey, now: Timestamp) {
    let (id, day) = (key.id, now.0.div_euclid(DAY));
    if key.last_used_day.is_none_or(|last| last < day) {
        let store = app.store.clone();
        tokio::spawn(async move {
            let _ = store.write(move |tx| api_keys::touch(tx, id, day)).await;
        });
    }
}

/// The role as the application has it.
fn role(stored: participants::Role) -> Role {
    match stored {
        participants::Role::Authority => Role::Authority,
        participants::Role::Issuer => Role::Issuer,
        participants::Role::Verifier => Role::Verifier,
    }
}

/// Makes another key for the caller's own participant, with no more than the caller's own permissions.
pub async fn create(app: &App, caller: &Principal, request: NewApiKey, once: Once<'_>) -> Result<ApiKeyView, Error> {
    let beyond = request
        .permissions
        .iter()
        .find(|wanted| !caller.permissions.contains(wanted));
    if let Some(wanted) = beyond {
        return Err(Error::forbidden(
            "permission-beyond-own",
            format!("this API key does not have the permission `{}` itself", wanted.name()),
            "use an API key that has it, or leave it out",
        ));
    }
    let made = checked(app, caller.participant, &request)?;
    store(app, caller, caller.scope(), made, once).await
}

/// Makes a key for another participant: the first one, or one to replace what was lost. For the authority.
pub async fn create_for(
    app: &App,
    caller: &Principal,
    participant: ParticipantId,
    request: NewApiKey,
    once: Once<'_>,
) -> Result<ApiKeyView, Error> {
    let found = app.store.get(move |tx| participants::find(tx, participant)).await?;
    let Some(found) = found else {
        return Err(Error::NotFound("participant"));
    };
    let allowed = permissions_of(role(found.role));
    if let Some(wanted) = request.permissions.iter().find(|wanted| !allowed.contains(wanted)) {
        return Err(Error::invalid(
            "permission-beyond-role",
            format!(
                "a participant of role {} has no use for the permission `{}`",
                role(found.role).name(),
                wanted.name()
            ),
            "leave it out",
        ));
    }
    let made = checked(app, participant, &request)?;
    store(app, caller, Scope::on_behalf_of(participant), made, once).await
}

fn checked(app: &App, participant: ParticipantId, request: &NewApiKey) -> Result<Made, Error> {
    if request.permissions.is_empty() {
        return Err(Error::invalid(
            "no-permissions",
            "an API key without permissions is of no use",
            "name at least one",
        ));
    }
    if !(1..=MOST_DAYS).contains(&request.days) {
        return Err(Error::invalid(
            "days",
            "an API key lasts 1 to 730 days",
            "give `days` in that range",
        ));
    }
    if request.label.chars().count() > 100 || request.label.chars().any(char::is_control) {
        return Err(Error::invalid(
            "label",
            "a label has at most 100 characters, none of them control characters",
            "mend `label`",
        ));
    }
    let mut permissions = request.permissions.clone();
    permissions.sort_unstable();
    permissions.dedup();
    Ok(make(
        app,
        &mut *app.entropy(),
        participant,
        &request.label,
        &permissions,
        request.days,
    ))
}

async fn store(app: &App, caller: &Principal, scope: Scope, made: Made, once: Once<'_>) -> Result<ApiKeyView, Error> {
    let answer = ApiKeyView {
        secret: Some(made.text.expose().clone()),
        ..view(&made.row)
    };
    let note = once.note(&answer)?;
    let row = made.row.clone();
    let entry = app.audit_entry(Some(caller.participant), "create-api-key", row.id.as_bytes());
    let with = caller.api_key;
    app.store
        .write(move |tx| {
            // Revoked since it was let in: what it makes now would outlive it.
            if let Some(with) = with
                && !api_keys::hold(tx, with)?
            {
                return Err(Error::forbidden(
                    "api-key-revoked",
                    "the API key of this request was revoked meanwhile",
                    "use another API key",
                ));
            }
            api_keys::insert(tx, &scope, &row)?;
            audit::append(tx, &entry)?;
            note.keep(tx)
        })
        .await?;
    Ok(answer)
}

/// The caller's participant's keys, newest first.
pub async fn list(app: &App, caller: &Principal) -> Result<Vec<ApiKeyView>, Error> {
    let (scope, own) = (caller.scope(), caller.participant);
    let rows = app.store.read(move |tx| api_keys::list(tx, &scope, own)).await?;
    Ok(rows.iter().map(view).collect())
}

/// Revokes one of the caller's participant's keys; from the next request on it is not accepted.
pub async fn revoke(app: &App, caller: &Principal, id: ApiKeyId) -> Result<(), Error> {
    let (scope, now) = (caller.scope(), app.clock.now());
    let entry = app.audit_entry(Some(caller.participant), "revoke-api-key", id.as_bytes());
    let known = app
        .store
        .write(move |tx| {
            if api_keys::revoke(tx, &scope, id, now)? {
                audit::append(tx, &entry)?;
                return Ok::<_, vidimus_store::Error>(true);
            }
            // Revoked before: the caller has what it asked for.
            Ok(api_keys::find(tx, id)?.is_some_and(|key| scope.covers(key.participant)))
        })
        .await?;
    if known { Ok(()) } else { Err(Error::NotFound("API key")) }
}

fn view(row: &api_keys::ApiKey) -> ApiKeyView {
    ApiKeyView {
        id: row.id.to_string(),
        label: row.name.clone(),
        permissions: row.permissions.split(' ').filter_map(Permission::from_name).collect(),
        created: row.created.0,
        expires: row.expires.0,
        revoked: row.revoked.is_some(),
        secret: None,
    }
}
