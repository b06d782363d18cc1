//! Where participants want to be told: an address of theirs and a secret that signs what is sent there (Standard Webhooks 1.0).

use crate::app::{
    App, delivery,
    error::Error,
    events,
    keys::{Keys, place},
    once::Once,
    principal::{Principal, Role},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vidimus_core::{
    Entropy, Secret, Timestamp, encoding,
    id::{DeliveryId, WebhookId},
};
use vidimus_store::{
    audit, deliveries,
    events::Kind,
    webhooks::{self as rows, Purpose, State},
};
use zeroize::Zeroize;

/// Webhooks of one participant.
const MOST: u32 = 20;
/// Deliveries that are shown.
const SHOWN: u32 = 50;
/// Seconds in which a secret still signs beside the one that replaced it, where its owner does not say; and the most.
const OVERLAP: u32 = 86_400;
const LONGEST_OVERLAP: u32 = 7 * 86_400;

/// What a webhook is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebhookPurpose {
    /// It is told what happened.
    #[default]
    Events,
    /// It carries codes to people: an issuer's gateway for short messages.
    Codes,
}

/// Asks to be told.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// An https address.
    pub url: String,
    /// What for; without it, for events.
    #[serde(default)]
    pub purpose: WebhookPurpose,
    /// What it is told, such as `credential.issued`; without it, everything. Not for `codes`.
    #[serde(default)]
    pub kinds: Vec<String>,
}

/// A webhook.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// Its id.
    pub id: String,
    /// Its address.
    pub url: String,
    /// What for.
    pub purpose: WebhookPurpose,
    /// What it is told.
    pub kinds: Vec<String>,
    /// `active`, or `disabled` after nothing arrived for three days or the receiver said that it is gone. A test that arrives makes it active.
    pub state: String,
    /// Since when nothing arrives, Unix seconds.
    pub failing_since: Option<i64>,
    /// Why.
    pub last_error: Option<String>,
    /// When something last arrived, Unix seconds.
    pub last_success: Option<i64>,
    /// When it was made, Unix seconds.
    pub created: i64,
    /// Until when the secret before the present one signs too, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_until: Option<i64>,
    /// `whsec_…`, what it is signed with; shown once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Replaces a webhook's secret.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRotation {
    /// Seconds in which the present secret signs beside the new one, at most 604 800; without it a day. While the one before the present one still
    /// signs too, only 0 is taken. 0 where the present one became known to others: from then on the new one signs alone.
    #[serde(default)]
    pub overlap_seconds: Option<u32>,
}

/// A webhook and what was sent there.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookDetails {
    /// The webhook.
    pub webhook: WebhookView,
    /// The newest 50 deliveries, newest first.
    pub deliveries: Vec<DeliveryView>,
}

/// A delivery.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    /// Its id, `webhook-id` of each try.
    pub id: String,
    /// What happened; none for a code.
    pub kind: Option<String>,
    /// `waiting`, `delivered` or `given-up`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, Unix seconds, while it waits.
    pub next: Option<i64>,
    /// Why it did not arrive.
    pub last_error: Option<String>,
    /// When it was queued, Unix seconds.
    pub created: i64,
}

/// What came of a test.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookTest {
    /// Whether the receiver took it.
    pub arrived: bool,
    /// Why not.
    pub error: Option<String>,
}

/// Address and secret, as they are sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) url: String,
    secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Previous>,
}

/// The secret that was replaced.
#[derive(Serialize, Deserialize)]
struct Previous {
    secret: String,
    until: Timestamp,
}

impl Drop for Target {
    fn drop(&mut self) {
        self.url.zeroize();
        self.secret.zeroize();
        if let Some(previous) = &mut self.previous {
            previous.secret.zeroize();
        }
    }
}

impl Target {
    fn seal(&self, keys: &Keys, id: WebhookId, entropy: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
        let plain = serde_json::to_vec(self).map_err(|_| Error::Internal("a webhook's target does not serialise"))?;
        Ok(keys.seal(&place("webhooks", id.as_bytes(), "target"), &plain, entropy))
    }

    pub(super) fn open(keys: &Keys, row: &rows::Webhook) -> Result<Self, Error> {
        let plain = keys.open(&place("webhooks", row.id.as_bytes(), "target"), &row.target)?;
        serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a webhook's target does not read"))
    }

    /// The keys that sign: what stands behind the prefix of the secret, and of the one before it while that is still good.
    pub(super) fn keys(&self, now: Timestamp) -> Result<Vec<Secret<Vec<u8>>>, Error> {
        let previous = self.previous.iter().filter(|previous| now < previous.until);
        std::iter::once(&self.secret)
            .chain(previous.map(|previous| &previous.secret))
            .map(|secret| {
                let bytes = secret.strip_prefix(PREFIX).map(encoding::from_base64);
                bytes
                    .and_then(Result::ok)
                    .map(Secret::new)
                    .ok_or(Error::Internal("a webhook's secret does not read"))
            })
            .collect()
    }
}

fn new_secret(app: &App) -> String {
    let mut secret = app.random::<32>();
    let text = format!("{PREFIX}{}", encoding::base64(&secret));
    secret.zeroize();
    text
}

const PREFIX: &str = "whsec_";

/// Makes a webhook; its secret is in the answer, and nowhere else afterwards.
pub async fn create(app: &App, caller: &Principal, new: NewWebhook, once: Once<'_>) -> Result<WebhookView, Error> {
    let url = app.outside.target(&new.url).map_err(|error| refused(&error))?;
    let kinds = kinds(caller, &new)?;
    let id = WebhookId::generate(&mut *app.entropy());
    let target = Target {
        url: url.as_str().to_owned(),
        secret: new_secret(app),
        previous: None,
    };
    let row = rows::Webhook {
        id,
        participant: caller.participant,
        purpose: match new.purpose {
            WebhookPurpose::Events => Purpose::Events,
            WebhookPurpose::Codes => Purpose::Codes,
        },
        kinds,
        target: target.seal(&app.keys, id, &mut *app.entropy())?,
        state: State::Active,
        failing_since: None,
        last_error: None,
        last_success: None,
        created: app.now(),
    };
    let answer = WebhookView {
        secret: Some(target.secret.clone()),
        ..view(app, &row)?
    };
    let (note, scope) = (once.note(&answer)?, caller.scope());
    let entry = app.audit_entry(Some(caller.participant), "create-webhook", id.as_bytes());
    app.store
        .write(move |tx| {
            if !rows::insert(tx, &scope, &row, MOST)? {
                return Err(Error::conflict(
                    "too-many-webhooks",
                    "a participant has at most 20 webhooks",
                    "remove one that is not needed any more",
                ));
            }
            audit::append(tx, &entry)?;
            note.keep(tx)
        })
        .await?;
    Ok(answer)
}

fn refused(error: &crate::outside::Error) -> Error {
    Error::invalid(
        "webhook-url",
        format!("/url: {error}"),
        "give an https address that can be reached from everywhere",
    )
}

fn kinds(caller: &Principal, new: &NewWebhook) -> Result<Vec<Kind>, Error> {
    if new.purpose == WebhookPurpose::Codes {
        if caller.role != Role::Issuer {
            return Err(Error::invalid(
                "webhook-purpose",
                "/purpose: codes are sent for issuers alone",
                "leave `purpose` out",
            ));
        }
        if !new.kinds.is_empty() {
            return Err(Error::invalid(
                "event-kind",
                "/kinds: a webhook for codes is told nothing else",
                "leave `kinds` out, and make another webhook for events",
            ));
        }
        return Ok(Vec::new());
    }
    if new.kinds.is_empty() {
        return Ok(Kind::ALL.to_vec());
    }
    let known = |name: &String| {
        Kind::from_name(name).ok_or_else(|| {
            Error::invalid(
                "event-kind",
                format!("/kinds: events are {}", Kind::ALL.map(Kind::name).join(", ")),
                "name some of these, or none to be told everything",
            )
        })
    };
    let mut kinds = new.kinds.iter().map(known).collect::<Result<Vec<_>, _>>()?;
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

/// The caller's webhooks, oldest first.
pub async fn list(app: &App, caller: &Principal) -> Result<Vec<WebhookView>, Error> {
    let (scope, own) = (caller.scope(), caller.participant);
    let found = app.store.read(move |tx| rows::list(tx, &scope, own)).await?;
    found.iter().map(|row| view(app, row)).collect()
}

/// One of the caller's webhooks, with what was sent there.
pub async fn get(app: &App, caller: &Principal, id: WebhookId) -> Result<WebhookDetails, Error> {
    let scope = caller.scope();
    let found = app
        .store
        .read(move |tx| {
            let Some(row) = rows::find(tx, &scope, id)? else {
                return Ok(None);
            };
            Ok::<_, Error>(Some((row, deliveries::list(tx, &scope, id, SHOWN)?)))
        })
        .await?;
    let (row, sent) = found.ok_or(Error::NotFound("webhook"))?;
    Ok(WebhookDetails {
        webhook: view(app, &row)?,
        deliveries: sent.into_iter().map(shown).collect(),
    })
}

fn shown(delivery: deliveries::Delivery) -> DeliveryView {
    DeliveryView {
        id: delivery.id.to_string(),
        kind: delivery.kind.map(|kind| kind.name().to_owned()),
        state: delivery.state.name().to_owned(),
        attempts: delivery.attempts,
        next: (delivery.state == deliveries::State::Waiting).then_some(delivery.due.0),
        last_error: delivery.last_error,
        created: delivery.created.0,
    }
}

/// Removes one of the caller's webhooks, and what was still to be sent there.
pub async fn remove(app: &App, caller: &Principal, id: WebhookId) -> Result<(), Error> {
    let scope = caller.scope();
    let entry = app.audit_entry(Some(caller.participant), "remove-webhook", id.as_bytes());
    let removed = app
        .store
        .write(move |tx| {
            let removed = rows::remove(tx, &scope, id)?;
            if removed {
                audit::append(tx, &entry)?;
            }
            Ok::<_, Error>(removed)
        })
        .await?;
    if removed {
        Ok(())
    } else {
        Err(Error::NotFound("webhook"))
    }
}

/// Gives one of the caller's webhooks another secret, which is in the answer and nowhere else afterwards. The one before signs beside it for a
/// while, so that the receiver changes in its own time: two are good at most, and what was promised of the older one holds, unless the caller asks that
/// the new one signs alone.
pub async fn rotate(
    app: &App,
    caller: &Principal,
    id: WebhookId,
    rotation: SecretRotation,
    once: Once<'_>,
) -> Result<WebhookView, Error> {
    let overlap = rotation.overlap_seconds.unwrap_or(OVERLAP);
    if overlap > LONGEST_OVERLAP {
        return Err(Error::invalid(
            "secret-overlap",
            "/overlap_seconds: two secrets are good for at most seven days",
            "name fewer seconds, or none for a day",
        ));
    }
    let (scope, now) = (caller.scope(), app.now());
    let found = app.store.get(move |tx| rows::find(tx, &scope, id)).await?;
    let row = found.ok_or(Error::NotFound("webhook"))?;
    let mut before = Target::open(&app.keys, &row)?;
    if let Some(older) = before
        .previous
        .as_ref()
        .filter(|older| overlap > 0 && now < older.until)
    {
        return Err(Error::conflict(
            "secret-rotating",
            format!(
                "the secret before the present one signs too until {}",
                older.until.to_rfc3339()
            ),
            "rotate it after that; or, where a secret became known to others, with `overlap_seconds` 0, which ends both at once",
        ));
    }
    let target = Target {
        url: before.url.clone(),
        secret: new_secret(app),
        previous: (overlap > 0).then(|| Previous {
            secret: std::mem::take(&mut before.secret),
            until: now.plus(overlap.into()),
        }),
    };
    let (was, sealed) = (row.target.clone(), target.seal(&app.keys, id, &mut *app.entropy())?);
    let answer = WebhookView {
        secret: Some(target.secret.clone()),
        ..shown_as(&row, &target, now)
    };
    let note = once.note(&answer)?;
    let entry = app.audit_entry(Some(caller.participant), "rotate-webhook", id.as_bytes());
    app.store
        .write(move |tx| {
            if !rows::retarget(tx, &scope, id, &was, &sealed)? {
                return Err(Error::conflict(
                    "webhook-changed",
                    "the webhook was changed or removed at the same moment",
                    "read it, and ask again where that is still wanted",
                ));
            }
            audit::append(tx, &entry)?;
            note.keep(tx)
        })
        .await?;
    Ok(answer)
}

/// Sends a test to one of the caller's webhooks now, and says what came of it. One that arrives makes a disabled webhook active.
pub async fn test(app: &App, caller: &Principal, id: WebhookId) -> Result<WebhookTest, Error> {
    let scope = caller.scope();
    let row = app.store.get(move |tx| rows::find(tx, &scope, id)).await?;
    let row = row.ok_or(Error::NotFound("webhook"))?;
    let body = delivery::Body::of("test", app.now(), serde_json::json!({"object": id}));
    let delivery = DeliveryId::generate(&mut *app.entropy());
    let sent = delivery::post(app, &row, delivery, &body).await?;
    let (now, error) = (app.now(), sent.as_ref().err().map(ToString::to_string));
    let text = error.clone();
    app.store
        .write(move |tx| {
            match &text {
                None => {
                    rows::arrived(tx, id, now)?;
                    deliveries::hurry(tx, id.as_bytes(), now)?;
                }
                Some(text) => drop(rows::failed(tx, id, text, now)?),
            }
            Ok::<_, Error>(())
        })
        .await?;
    app.wake.deliveries.notify_one();
    Ok(WebhookTest {
        arrived: error.is_none(),
        error,
    })
}

fn view(app: &App, row: &rows::Webhook) -> Result<WebhookView, Error> {
    Ok(shown_as(row, &Target::open(&app.keys, row)?, app.now()))
}

fn shown_as(row: &rows::Webhook, target: &Target, now: Timestamp) -> WebhookView {
    let previous = target.previous.as_ref().filter(|previous| now < previous.until);
    WebhookView {
        id: row.id.to_string(),
        url: target.url.clone(),
        purpose: match row.purpose {
            Purpose::Events => WebhookPurpose::Events,
            Purpose::Codes => WebhookPurpose::Codes,
        },
        kinds: row.kinds.iter().map(|kind| kind.name().to_owned()).collect(),
        state: row.state.name().to_owned(),
        failing_since: row.failing_since.map(|time| time.0),
        last_error: row.last_error.clone(),
        last_success: row.last_success.map(|time| time.0),
        created: row.created.0,
        previous_until: previous.map(|previous| previous.until.0),
        secret: None,
    }
}

/// What a webhook is told of an event: ids and times. Who wants more asks for it.
pub(super) fn body(event: &vidimus_store::events::Event) -> delivery::Body {
    let data = serde_json::json!({"object": events::object(event), "event": event.id});
    delivery::Body::of(event.kind.name(), event.time, data)
}
