//! What leaves for addresses of others: events to webhooks, codes to people, wake-ups to wallets. Each is a row that was committed with what
//! caused it; instances take rows by leases and try each until it arrives, is refused for good, or is too late.
//!
//! Webhooks follow Standard Webhooks 1.0: `webhook-id` is the same for every try, `webhook-timestamp` is of the try, and
//! `webhook-signature` is HMAC-SHA256 over both and the body, one after the other for each secret that is good. A receiver that keeps ids for as long as it accepts timestamps takes each once.

mod mail;

pub use mail::{Mailer, MailerError};

use crate::{
    app::{
        App, channel,
        error::Error,
        push,
        webhooks::{self, Target},
    },
    outside::{self, Request},
};
use futures::{StreamExt, stream::FuturesUnordered};
use reqwest::{
    StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use std::{fmt, time::Duration};
use tokio_util::sync::CancellationToken;
use vidimus_core::{
    Entropy, Timestamp, encoding,
    id::{DeliveryId, SubscriptionId, WebhookId},
};
use vidimus_crypto::hmac_sha256;
use vidimus_store::{
    Scope,
    deliveries::{self as rows, Channel, Claimed},
    webhooks as webhook_rows,
};

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a process has a row for itself; more than a try can take.
const LEASE: i64 = 60;
/// Tries under way at once, and of them for one target.
const SLOTS: usize = 64;
const EACH: u32 = 8;
/// What is due later, or of other instances, is looked for this often while something is under way.
const LOOK: Duration = Duration::from_secs(1);
/// The first pause of what others wait for, and the longest.
const PAUSE: (i64, i64) = (5, 3 * 3_600);
/// The same of what a person waits for.
const SHORT_PAUSE: (i64, i64) = (2, 30);
/// A webhook where nothing has arrived for so long is not used any more.
const FAILED_FOR: i64 = 3 * 86_400;

/// Why a try did not arrive. The text is shown to the webhook's owner; it has no address and nothing of the answer but its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// It did not get there.
    Outside(outside::Error),
    /// The receiver says something else than that it took it; and, maybe, when to come back.
    Status(StatusCode, Option<u32>),
    /// The mail server does not take it now.
    Mail(mail::Failed),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside(error) => error.fmt(f),
            Self::Status(status, _) => write!(f, "the receiver answered {}", status.as_u16()),
            Self::Mail(error) => error.fmt(f),
        }
    }
}

impl Failed {
    fn retry_after(&self) -> Option<i64> {
        match self {
            Self::Status(_, after) => after.map(i64::from),
            _ => None,
        }
    }
    fn is_gone(&self) -> bool {
        matches!(self, Self::Status(StatusCode::GONE, _))
    }
}

/// The body of a webhook: type, time, and data as thin as can be.
#[derive(Clone)]
pub struct Body(Vec<u8>);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body(…)")
    }
}

impl Body {
    /// A body of this type.
    pub(super) fn of(kind: &str, time: Timestamp, data: serde_json::Value) -> Self {
        let body = serde_json::json!({"type": kind, "timestamp": time.to_rfc3339(), "data": data});
        Self(body.to_string().into_bytes())
    }
}

/// Sends a signed body to a webhook, once.
pub(super) async fn post(
    app: &App,
    webhook: &webhook_rows::Webhook,
    id: DeliveryId,
    body: &Body,
) -> Result<Result<(), Failed>, Error> {
    let target = Target::open(&app.keys, webhook)?;
    let now = app.now();
    let (id, timestamp) = (id.to_string(), now.0.to_string());
    let signed: [&[u8]; 5] = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &body.0];
    let keys = target.keys(now)?;
    let signatures = keys
        .iter()
        .map(|key| format!("v1,{}", encoding::base64(&hmac_sha256(key.expose(), &signed))));
    let signature = signatures.collect::<Vec<_>>().join(" ");
    // Looked at again: the configuration may have changed since it was made.
    let url = match app.outside.target(&target.url) {
        Ok(url) => url,
        Err(error) => return Ok(Err(Failed::Outside(error))),
    };
    let mut request = Request::post(url, body.0.clone())
        .within(PATIENCE)
        .status_only()
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [
        ("webhook-id", &id),
        ("webhook-timestamp", &timestamp),
        ("webhook-signature", &signature),
    ] {
        let value = HeaderValue::from_str(value).expect("ids, numbers and base64 are ASCII");
        request = request.header(HeaderName::from_static(name), value);
    }
    Ok(sent(app.outside.send(request).await))
}

/// Whether an answer says that it was taken.
pub(super) fn sent(answer: Result<outside::Answer, outside::Error>) -> Result<(), Failed> {
    match answer {
        Ok(answer) if answer.status.is_success() => Ok(()),
        Ok(answer) => Err(Failed::Status(answer.status, answer.retry_after())),
        Err(error) => Err(Failed::Outside(error)),
    }
}

/// Tries what is due until nothing is. Stops taking more when `stop` says so.
pub async fn run(app: &App, stop: &CancellationToken) -> Result<(), Error> {
    let now = app.now();
    app.store.write(move |tx| rows::expire(tx, now)).await?;
    let mut under_way = FuturesUnordered::new();
    let mut failed = None;
    loop {
        if under_way.len() + EACH as usize <= SLOTS && !stop.is_cancelled() && failed.is_none() {
            let (now, room) = (app.now(), (SLOTS - under_way.len()) as u32);
            let claimed = app
                .store
                .write(move |tx| rows::claim(tx, now, now.plus(LEASE), EACH, room))
                .await;
            match claimed {
                Ok(claimed) => under_way.extend(claimed.into_iter().map(|one| attempt(app, one))),
                Err(error) => failed = Some(error.into()),
            }
        }
        if under_way.is_empty() {
            return failed.map_or(Ok(()), Err);
        }
        tokio::select! {
            Some(done) = under_way.next() => if let Err(error) = done {
                failed.get_or_insert(error);
            },
            () = app.wake.deliveries.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// One try of one delivery.
async fn attempt(app: &App, claimed: Claimed) -> Result<(), Error> {
    let (id, attempt, channel) = (claimed.id, claimed.attempt, claimed.channel);
    let tried = match channel {
        Channel::Webhook | Channel::Gateway => to_webhook(app, claimed).await,
        Channel::Push => to_wallet(app, claimed).await,
        Channel::Mail => by_mail(app, claimed).await,
    };
    match tried {
        Err(Error::Store(error)) => Err(error.into()),
        // What is wrong with one does not keep the others.
        Err(error) => {
            let cause = crate::causes::with_causes(&error);
            tracing::error!(channel = channel.name(), cause, "a delivery cannot be made");
            let now = app.now();
            app.store
                .write(move |tx| rows::put_off(tx, id, attempt, now.plus(PAUSE.1), "internal", now))
                .await?;
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn to_webhook(app: &App, claimed: Claimed) -> Result<(), Error> {
    let (id, webhook) = (claimed.id, WebhookId::from_bytes(claimed.target));
    let found = app
        .store
        .read(move |tx| webhook_rows::find(tx, &Scope::system(), webhook))
        .await?;
    let Some(row) = found else {
        return give_up(app, id, "the webhook was removed").await;
    };
    let body = match (&claimed.event, &claimed.message) {
        (Some(event), _) => webhooks::body(event),
        (None, Some(sealed)) => channel::Message::open(app, id, sealed)?.for_gateway(),
        (None, None) => return give_up(app, id, "the event is not kept any more").await,
    };
    let sent = post(app, &row, id, &body).await?;
    let now = app.now();
    let Err(failure) = sent else {
        let was_failing = row.failing_since.is_some();
        app.store
            .write(move |tx| {
                rows::delivered(tx, id, now)?;
                webhook_rows::arrived(tx, webhook, now)?;
                if was_failing {
                    rows::hurry(tx, webhook.as_bytes(), now)?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        return Ok(());
    };
    let due = due(app, &claimed, failure.retry_after(), now);
    let (text, gone) = (failure.to_string(), failure.is_gone());
    let disabled = app
        .store
        .write(move |tx| {
            let since = webhook_rows::failed(tx, webhook, &text, now)?;
            rows::put_off(tx, id, claimed.attempt, due, &text, now)?;
            if gone || since.is_some_and(|since| now.since(since) >= FAILED_FOR) {
                return webhook_rows::disable(tx, webhook, now);
            }
            rows::put_off_others(tx, webhook.as_bytes(), due, now)?;
            Ok(false)
        })
        .await?;
    if disabled {
        tracing::warn!(%webhook, error = %failure, "a webhook is not used any more");
    }
    Ok(())
}

async fn to_wallet(app: &App, claimed: Claimed) -> Result<(), Error> {
    let (id, subscription) = (claimed.id, SubscriptionId::from_bytes(claimed.target));
    let sent = push::send(app, subscription, claimed.expires).await?;
    let now = app.now();
    match sent {
        push::Sent::Arrived => {
            app.store.write(move |tx| rows::delivered(tx, id, now)).await?;
        }
        push::Sent::Gone => {
            app.store
                .write(move |tx| vidimus_store::push::remove(tx, subscription))
                .await?;
        }
        push::Sent::Refused => give_up(app, id, "refused").await?,
        push::Sent::Failed(failure) => {
            let due = due(app, &claimed, failure.retry_after(), now);
            let text = failure.to_string();
            app.store
                .write(move |tx| rows::put_off(tx, id, claimed.attempt, due, &text, now))
                .await?;
        }
    }
    Ok(())
}

async fn by_mail(app: &App, claimed: Claimed) -> Result<(), Error> {
    let id = claimed.id;
    let Some(mailer) = &app.mailer else {
        return give_up(app, id, "mail is not configured any more").await;
    };
    let Some(sealed) = &claimed.message else {
        return Err(Error::Internal("a delivery that says nothing"));
    };
    let sent = mailer
        .send(&channel::Message::open(app, id, sealed)?, id, app.now())
        .await;
    let now = app.now();
    match sent {
        Ok(()) => {
            app.store.write(move |tx| rows::delivered(tx, id, now)).await?;
            Ok(())
        }
        Err(failure) if failure.is_final() => {
            tracing::warn!(error = %failure, "a code was not sent by mail");
            give_up(app, id, "refused").await
        }
        Err(failure) => {
            if claimed.attempt == 1 {
                tracing::warn!(error = %failure, "a code was not sent by mail and is tried again");
            }
            let (due, text) = (due(app, &claimed, None, now), failure.to_string());
            app.store
                .write(move |tx| rows::put_off(tx, id, claimed.attempt, due, &text, now))
                .await?;
            Ok(())
        }
    }
}

async fn give_up(app: &App, id: DeliveryId, why: &'static str) -> Result<(), Error> {
    let now = app.now();
    app.store.write(move |tx| rows::give_up(tx, id, why, now)).await?;
    Ok(())
}

/// When to try again: each pause three times the one before, a quarter more or less so that not all come at once, and never sooner than the
/// receiver says.
fn due(app: &App, claimed: &Claimed, retry_after: Option<i64>, now: Timestamp) -> Timestamp {
    let bounds = match claimed.channel {
        Channel::Webhook | Channel::Push => PAUSE,
        Channel::Gateway | Channel::Mail => SHORT_PAUSE,
    };
    now.plus(pause(bounds, claimed.attempt, retry_after, &mut *app.entropy()))
}

fn pause((first, longest): (i64, i64), attempt: u32, retry_after: Option<i64>, entropy: &mut dyn Entropy) -> i64 {
    let grown = 3_i64
        .saturating_pow(attempt.saturating_sub(1))
        .saturating_mul(first)
        .min(longest);
    let mut random = [0; 2];
    entropy.fill(&mut random);
    let quarter = grown / 4;
    let jitter = i64::from(u16::from_be_bytes(random)) % (2 * quarter + 1) - quarter;
    (grown + jitter).max(retry_after.unwrap_or(0).min(longest)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vidimus_crypto::OsEntropy;

    #[test]
    fn pauses_grow_to_a_most_and_heed_the_receiver() {
        let mut entropy = OsEntropy;
        for attempt in 1..40 {
            let grown = 3_i64.saturating_pow(attempt - 1).saturating_mul(5).min(PAUSE.1);
            for _ in 0..20 {
                let pause = pause(PAUSE, attempt, None, &mut entropy);
                assert!(
                    (grown - grown / 4..=grown + grown / 4).contains(&pause),
                    "{attempt}: {pause}"
                );
            }
        }
        assert!(pause(PAUSE, 1, Some(600), &mut entropy) == 600);
        assert!(pause(PAUSE, 1, Some(i64::MAX), &mut entropy) == PAUSE.1);
        let spread: std::collections::BTreeSet<_> = (0..200).map(|_| pause(PAUSE, 9, None, &mut entropy)).collect();
        assert!(spread.len() > 50, "not all come at once");
    }

    #[test]
    fn what_is_shown_of_a_failure_has_no_address() {
        let status = Failed::Status(StatusCode::FOUND, None).to_string();
        assert_eq!(status, "the receiver answered 302");
        for error in [
            Failed::Outside(outside::Error::Inside),
            Failed::Outside(outside::Error::Redirect),
        ] {
            assert!(!error.to_string().contains("://"), "{error}");
        }
    }
}
