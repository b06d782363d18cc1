//! Doing once what is asked twice: answers kept under the caller's idempotency key.

use crate::app::{App, error::Error, keys::place, principal::Principal};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;
use vidimus_core::Digest;
use vidimus_store::idempotency::{self, Begin};

/// How long a key is kept.
const KEPT: i64 = 2 * 86_400;
/// How long a request may be at work before a retry takes it over.
const LEASE: i64 = 60;

/// Does `work`, or gives the answer again that it had under this key. The answer is kept encrypted: it may hold a new API key.
///
/// Where the process ends in the middle, the next try does the work again. For what is lost then nobody has the secret: a participant without a
/// key, or a key without an owner, which the authority sees and can revoke.
pub async fn once<T, F>(
    app: &App,
    caller: &Principal,
    key: Option<&str>,
    operation: &str,
    request: &impl Serialize,
    work: F,
) -> Result<T, Error>
where
    T: Serialize + DeserializeOwned,
    F: Future<Output = Result<T, Error>>,
{
    let Some(key) = key else { return work.await };
    let participant = caller.participant;
    let text =
        serde_json::to_vec(&(operation, request)).map_err(|_| Error::Internal("a request does not serialise"))?;
    let digest = Digest(app.keys.credential_hash("idempotency", &text));
    let place = place(
        "idempotency",
        &[participant.as_bytes(), key.as_bytes()].concat(),
        "response",
    );
    let now = app.now();
    let begun = {
        let key = key.to_owned();
        app.store
            .write(move |tx| {
                idempotency::begin(
                    tx,
                    participant,
                    &key,
                    &digest,
                    &[],
                    now,
                    now.plus(LEASE),
                    now.plus(KEPT),
                )
            })
            .await?
    };
    match begun {
        Begin::New | Begin::Resumed { .. } => {}
        Begin::Done { response } => {
            let plain = app.keys.open(&place, &response)?;
            return serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a kept answer does not read"));
        }
        Begin::Running => {
            return Err(Error::conflict(
                "in-progress",
                "a request with this Idempotency-Key is at work",
                "send the same request again in a few seconds",
            ));
        }
        Begin::Mismatch => {
            return Err(Error::conflict(
                "idempotency-key-reused",
                "this Idempotency-Key was sent with another request",
                "use a new key for a new request",
            ));
        }
    }
    let done = work.await;
    let key = key.to_owned();
    match &done {
        Ok(answer) => {
            let plain = serde_json::to_vec(answer).map_err(|_| Error::Internal("an answer does not serialise"))?;
            let sealed = app.keys.seal(&place, &plain, &mut *app.entropy());
            let kept = app
                .store
                .write(move |tx| idempotency::finish(tx, participant, &key, &sealed))
                .await;
            if let Err(error) = kept {
                // The work is done and is answered; only a retry would not know it.
                tracing::warn!(cause = %error, "an answer was not kept for retries");
            }
        }
        Err(_) => {
            let released = app
                .store
                .write(move |tx| idempotency::release(tx, participant, &key))
                .await;
            if let Err(error) = released {
                tracing::warn!(cause = %error, "an idempotency key was not released; it is free again in a minute");
            }
        }
    }
    done
}
