//! Waking wallets: web push (RFC 8030) with an empty message, by a key that names this deployment (VAPID, RFC 8292). What there is to tell,
//! the wallet asks for itself; a push service learns that something happened, and when.

use crate::{
    app::{
        App, Error,
        delivery::{Failed, sent},
        deployment::{Refusal, kind, row},
        keys::{Keys, place},
    },
    outside::{self, Request},
};
use reqwest::{
    StatusCode,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use vidimus_core::{
    Algorithm, Digest, Signer, Timestamp, encoding,
    id::{KeyId, SubscriptionId},
};
use vidimus_crypto::{KeyKind, OsEntropy, SigningKey};
use vidimus_store::{Scope, Store, Tx, keys as key_rows, push as rows};

/// The purpose of the deployment's key for push services.
pub const PURPOSE: &str = "push";
/// How long a subscription is used: a wallet that is alive renews it.
pub const LIFETIME: i64 = 90 * 86_400;
/// How long a wake-up is worth bringing.
pub const WORTH: i64 = 86_400;
/// Subscriptions of one owner.
const MOST: u32 = 4;
/// How long what a push service is shown holds; it takes at most a day (RFC 8292 §2).
const SHOWN_FOR: i64 = 12 * 3_600;

/// A subscription as a browser gives it (`PushSubscription`). Messages are empty, so its keys are not needed.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewSubscription {
    /// Where messages are sent.
    pub endpoint: String,
}

impl std::fmt::Debug for NewSubscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewSubscription(…)")
    }
}

/// The deployment's key for push services.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its row.
    pub id: KeyId,
    /// Its public half: an uncompressed point.
    pub public: Vec<u8>,
}

impl Key {
    /// As wallets give it to their push service (`applicationServerKey`).
    pub fn application_server_key(&self) -> String {
        encoding::base64url(&self.public)
    }
}

/// The key for push services; made here for deployments that are older than it.
pub async fn key(store: &Store, keys: &Keys, now: Timestamp) -> Result<Key, Refusal> {
    let find = || store.read(|tx| key_rows::active(tx, &Scope::system(), None, PURPOSE, kind(KeyKind::P256)));
    let mut found = find().await?;
    if found.is_none() {
        let mut entropy = OsEntropy;
        let key = SigningKey::generate(KeyKind::P256, &mut entropy);
        let new = row(keys, PURPOSE, &key, now, &mut entropy);
        let made = store.write(move |tx| key_rows::insert(tx, &new)).await;
        match made {
            Ok(()) => tracing::info!("made the deployment's key for push services, which it did not have yet"),
            // Another instance was faster.
            Err(error) if error.constraint().is_some() => {}
            Err(error) => return Err(error.into()),
        }
        found = find().await?;
    }
    let found = found.ok_or(Refusal::Damaged("the key for push services is not in the database"))?;
    Ok(Key {
        id: found.id,
        public: found.public,
    })
}

/// Subscribes whoever has the token that `owner` is the hash of. The same endpoint again renews it.
pub async fn subscribe(app: &App, owner: Digest, new: &NewSubscription) -> Result<(), Error> {
    let target = app.outside.target(&new.endpoint).map_err(|error| {
        Error::invalid(
            "push-endpoint",
            format!("/endpoint: {error}"),
            "subscribe anew at the push service, and give the endpoint as it says it",
        )
    })?;
    if !is_known(app, &target) {
        return Err(Error::invalid(
            "push-service",
            "/endpoint: not of a push service that is known here",
            "use one that `outside.push_hosts` names, or ask the operator to add it",
        ));
    }
    let id = SubscriptionId::generate(&mut *app.entropy());
    let endpoint = target.as_str().as_bytes();
    let now = app.now();
    let row = rows::Subscription {
        id,
        owner,
        endpoint_hash: Digest(app.keys.credential_hash("push-endpoint", endpoint)),
        endpoint: app.keys.seal(&sealed_for(id), endpoint, &mut *app.entropy()),
        created: now,
        expires: now.plus(LIFETIME),
    };
    app.store.write(move |tx| rows::insert(tx, &row, MOST)).await?;
    Ok(())
}

/// Ends all subscriptions of an owner.
pub async fn unsubscribe(app: &App, owner: Digest) -> Result<(), Error> {
    app.store.write(move |tx| rows::remove_all(tx, &owner)).await?;
    Ok(())
}

/// A wake-up, made before the transaction that queues it.
#[derive(Debug, Clone, Copy)]
pub struct Notice {
    id: [u8; 16],
    now: Timestamp,
}

/// Makes a wake-up.
pub fn notice(app: &App) -> Notice {
    Notice {
        id: app.random(),
        now: app.now(),
    }
}

/// Queues a wake-up for an owner, in the transaction of what it is woken for; nothing where it has not subscribed. [`Wake::deliveries`]
/// afterwards sends it at once, else it is found within a second.
///
/// [`Wake::deliveries`]: super::Wake
pub fn notify(tx: &mut Tx<'_>, owner: &Digest, notice: &Notice) -> Result<(), vidimus_store::Error> {
    rows::notify(tx, owner, &notice.id, notice.now, notice.now.plus(WORTH)).map(drop)
}

fn sealed_for(id: SubscriptionId) -> vidimus_core::Transcript {
    place("push_subscriptions", id.as_bytes(), "endpoint")
}

/// Whether the host is a known push service, or below one.
fn is_known(app: &App, target: &outside::Target) -> bool {
    let host = target.host();
    let below = |known: &String| {
        host.strip_suffix(known.as_str())
            .is_some_and(|left| left.is_empty() || left.ends_with('.'))
    };
    app.config.outside.push_hosts.iter().any(below)
}

/// What came of a wake-up.
#[derive(Debug)]
pub(super) enum Sent {
    /// The push service has it.
    Arrived,
    /// There is no such subscription any more.
    Gone,
    /// The push service does not want it, now or later.
    Refused,
    /// Not now.
    Failed(Failed),
}

/// Sends a wake-up, once.
pub(super) async fn send(app: &App, id: SubscriptionId, expires: Timestamp) -> Result<Sent, Error> {
    let found = app.store.read(move |tx| rows::find(tx, id)).await?;
    let Some(row) = found.filter(|row| row.expires > app.now()) else {
        return Ok(Sent::Gone);
    };
    let endpoint = app.keys.open(&sealed_for(id), &row.endpoint)?;
    let endpoint = std::str::from_utf8(endpoint.expose()).map_err(|_| Error::Internal("an endpoint is no text"))?;
    let target = match app.outside.target(endpoint) {
        Ok(target) if is_known(app, &target) => target,
        // The configuration has changed since.
        _ => return Ok(Sent::Gone),
    };
    let shown = vapid(app, &target.origin()).await?;
    let ttl = u32::try_from(expires.since(app.now())).unwrap_or(0);
    let request = Request::post(target, "")
        .within(Duration::from_secs(10))
        .status_only()
        .header(AUTHORIZATION, shown)
        .header(HeaderName::from_static("ttl"), HeaderValue::from(ttl))
        .header(HeaderName::from_static("urgency"), HeaderValue::from_static("high"));
    Ok(match sent(app.outside.send(request).await) {
        Ok(()) => Sent::Arrived,
        Err(Failed::Status(StatusCode::NOT_FOUND | StatusCode::GONE, _)) => Sent::Gone,
        Err(Failed::Status(status, _))
            if status.is_client_error()
                && !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) =>
        {
            tracing::warn!(status = status.as_u16(), "a push service refuses what it was sent");
            Sent::Refused
        }
        Err(failed) => Sent::Failed(failed),
    })
}

/// Who sends this, to one push service and for half a day (RFC 8292 §2, §3).
async fn vapid(app: &App, audience: &str) -> Result<HeaderValue, Error> {
    let mut claims = serde_json::json!({"aud": audience, "exp": app.now().plus(SHOWN_FOR).0});
    let public_url = app.config.server.public_url.as_str();
    if public_url.starts_with("https://") {
        claims["sub"] = public_url.into();
    }
    let header = encoding::base64url(br#"{"typ":"JWT","alg":"ES256"}"#);
    let message = format!("{header}.{}", encoding::base64url(claims.to_string().as_bytes()));
    let key = app.key(app.push.id).await?;
    let wrapped = key
        .secret
        .as_ref()
        .ok_or(Error::Internal("the key for push services has no secret"))?;
    let signature = app
        .keys
        .signing_key(key.id, KeyKind::P256, wrapped)?
        .sign(Algorithm::Es256, message.as_bytes())
        .map_err(|_| Error::Internal("the key for push services does not sign"))?;
    let text = format!(
        "vapid t={message}.{}, k={}",
        encoding::base64url(&signature),
        app.push.application_server_key()
    );
    HeaderValue::from_str(&text).map_err(|_| Error::Internal("what a push service is shown is no header"))
}
