//! Doing once what is asked twice: answers kept under the caller's idempotency key.
//!
//! What a retry needs to answer the same is noted in the transaction that does the work ([`Note::keep`]): so it is known after a crash
//! whether the work was done, and what came of it. The note is kept under the key only while nobody else noted anything: of two processes at
//! the same request, one commits.

use crate::app::{App, error::Error, keys::place, principal::Principal};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;
use vidimus_core::{Digest, Transcript, id::ParticipantId};
use vidimus_store::{
    Tx,
    idempotency::{self, Begin},
};

/// How long a key is kept.
const KEPT: i64 = 2 * 86_400;
/// How long a request may be at work before a retry takes it over.
const LEASE: i64 = 60;

/// A request that is done under an idempotency key, or without one.
#[derive(Debug)]
pub struct Once<'a> {
    app: &'a App,
    held: Option<(ParticipantId, &'a str)>,
}

/// What was begun under a key, to be kept in the transaction that does it.
#[derive(Debug)]
pub struct Note(Option<(ParticipantId, String, Vec<u8>)>);

impl Once<'_> {
    /// What a retry needs to answer the same. Kept encrypted: it may hold a new API key.
    pub fn note(&self, what: &impl Serialize) -> Result<Note, Error> {
        let Some((participant, key)) = self.held else {
            return Ok(Note(None));
        };
        let plain = serde_json::to_vec(what).map_err(|_| Error::Internal("a note does not serialise"))?;
        let place = place_of(participant, key, "note");
        let sealed = self.app.keys.seal(&place, &plain, &mut *self.app.entropy());
        Ok(Note(Some((participant, key.to_owned(), sealed))))
    }
}

impl Note {
    /// Keeps the note, in the transaction that does the work. Refuses, and so undoes the work, where another process has done it meanwhile.
    pub fn keep(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        match &self.0 {
            Some((participant, key, sealed)) if !idempotency::note(tx, *participant, key, sealed)? => {
                Err(in_progress(LEASE))
            }
            _ => Ok(()),
        }
    }
}

/// Another process has the key for so many seconds more, unless it ends before.
pub fn in_progress(seconds: i64) -> Error {
    Error::conflict(
        "in-progress",
        "a request with this Idempotency-Key is at work",
        "send the same request again when Retry-After says: it is answered, or taken over if it was given up",
    )
    .retry_after(u64::try_from(seconds).unwrap_or(1).max(1))
}

/// What an operation is about: its name, and what was sent.
#[derive(Debug)]
pub struct Asked<'a, R> {
    /// The idempotency key.
    pub key: Option<&'a str>,
    /// The operation's name; a key stands for one operation.
    pub operation: &'static str,
    /// What was sent.
    pub request: &'a R,
}

/// Does `work`, or gives the answer again that it had under this key. The answer is kept encrypted: it may hold a new API key.
///
/// Where the process ended in the middle, the next try finds the note that was committed with the work, and `recall` makes the answer of it;
/// without a note nothing was done, and it is done now.
pub async fn once<'a, T, N, R, F, G>(
    app: &'a App,
    caller: &Principal,
    asked: Asked<'a, R>,
    work: impl FnOnce(Once<'a>) -> F,
    recall: impl FnOnce(N) -> G,
) -> Result<T, Error>
where
    T: Serialize + DeserializeOwned,
    N: DeserializeOwned,
    R: Serialize,
    F: Future<Output = Result<T, Error>>,
    G: Future<Output = Result<T, Error>>,
{
    let Asked {
        key,
        operation,
        request,
    } = asked;
    let Some(key) = key else {
        return work(Once { app, held: None }).await;
    };
    let participant = caller.participant;
    // Another key of the same participant may not do what this one may, and is not given what this one was.
    let asked = (operation, caller.api_key.map(|key| key.to_string()), request);
    let text = serde_json::to_vec(&asked).map_err(|_| Error::Internal("a request does not serialise"))?;
    let digest = Digest(app.keys.credential_hash("idempotency", &text));
    let place = place_of(participant, key, "response");
    let now = app.now();
    let begun = {
        let key = key.to_owned();
        let (lease, expires) = (now.plus(LEASE), now.plus(KEPT));
        app.store
            .write(move |tx| idempotency::begin(tx, participant, &key, &digest, &[], now, lease, expires))
            .await?
    };
    let done = match begun {
        Begin::New => work(held(app, participant, key)).await,
        Begin::Resumed { reference } if reference.is_empty() => work(held(app, participant, key)).await,
        Begin::Resumed { reference } => {
            let plain = app.keys.open(&place_of(participant, key, "note"), &reference)?;
            let note =
                serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a kept note does not read"))?;
            recall(note).await
        }
        Begin::Done { response } => {
            let plain = app.keys.open(&place, &response)?;
            return serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a kept answer does not read"));
        }
        Begin::Running { until } => return Err(in_progress(until.since(now))),
        Begin::Mismatch => {
            return Err(Error::conflict(
                "idempotency-key-reused",
                "this Idempotency-Key was sent with another request",
                "use a new key for a new request",
            ));
        }
    };
    match &done {
        Ok(answer) => {
            let plain = serde_json::to_vec(answer).map_err(|_| Error::Internal("an answer does not serialise"))?;
            let sealed = app.keys.seal(&place, &plain, &mut *app.entropy());
            finish(app, participant, key, sealed).await;
        }
        Err(_) => release(app, participant, key).await,
    }
    done
}

/// Keeps the answer for retries.
async fn finish(app: &App, participant: ParticipantId, key: &str, sealed: Vec<u8>) {
    let key = key.to_owned();
    let kept = app
        .store
        .write(move |tx| idempotency::finish(tx, participant, &key, &sealed))
        .await;
    if let Err(error) = kept {
        // The work is done and is answered; a retry recalls it from its note.
        tracing::warn!(cause = %error, "an answer was not kept for retries");
    }
}

/// Nothing was done: the key is free for the next try.
async fn release(app: &App, participant: ParticipantId, key: &str) {
    let key = key.to_owned();
    let released = app
        .store
        .write(move |tx| idempotency::release(tx, participant, &key))
        .await;
    if let Err(error) = released {
        tracing::warn!(cause = %error, "an idempotency key was not released; it is free again in a minute");
    }
}

/// [`once`]'s `recall` where the note is the answer itself.
pub async fn as_noted<T>(answer: T) -> Result<T, Error> {
    Ok(answer)
}

fn held<'a>(app: &'a App, participant: ParticipantId, key: &'a str) -> Once<'a> {
    Once {
        app,
        held: Some((participant, key)),
    }
}

fn place_of(participant: ParticipantId, key: &str, what: &'static str) -> Transcript {
    place("idempotency", &[participant.as_bytes(), key.as_bytes()].concat(), what)
}
