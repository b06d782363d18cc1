//! Sealed payloads go into the blob store, and go there again where a loss of power or a disk took them. The rows are what is durable.

use crate::app::{App, Error};
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use vidimus_core::id::CopyId;
use vidimus_store::{
    blobs::{ContentId, Error as BlobError},
    copies,
};

/// What is issued within this time is published in one commit: those who are served meanwhile would wait for each.
pub const GATHERING: Duration = Duration::from_millis(250);
/// Copies in one step.
const STEP: u32 = 100;

/// Copies whose payload is not what their row says: said once, and passed by from then on.
pub type PassedBy = Mutex<HashSet<CopyId>>;

/// Puts sealed payloads into the blob store. Until then reads are served from the row, so no request is worth waiting for this: while more
/// wait than go in one step, it rests four times as long as it works.
#[allow(clippy::disallowed_methods, reason = "measures its own work; orders no data")]
pub async fn publish(app: &App, passed_by: &PassedBy) -> Result<(), Error> {
    loop {
        let begun = std::time::Instant::now();
        let bad = passed_by.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let limit = STEP.saturating_add(u32::try_from(bad.len()).unwrap_or(u32::MAX));
        let waiting = app.store.read(move |tx| copies::unpublished(tx, limit)).await?;
        let more = waiting.len() >= limit as usize;
        let mut published = Vec::with_capacity(waiting.len());
        let mut failed = None;
        for (id, content, payload) in waiting {
            if bad.contains(&id) {
                continue;
            }
            match put(app, &content, payload).await {
                Ok(true) => published.push(id),
                Ok(false) => {
                    tracing::error!(copy = %id, "a copy's payload is not what its row says: it is not published");
                    passed_by.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if !published.is_empty() {
            app.store
                .write(move |tx| {
                    for id in &published {
                        copies::set_published(tx, *id)?;
                    }
                    Ok::<_, vidimus_store::Error>(())
                })
                .await?;
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if !more {
            return Ok(());
        }
        tokio::time::sleep(begun.elapsed() * 4).await;
    }
}

/// Puts a payload under the id that its row names; `false`, and nothing put, where it is another's or none.
async fn put(app: &App, content: &str, payload: Vec<u8>) -> Result<bool, Error> {
    if app.blobs.id(&payload).to_string() != content {
        return Ok(false);
    }
    match app.blobs.put(payload).await {
        Ok(_) => Ok(true),
        Err(BlobError::TooLarge { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Looks whether each published copy's blob is there and whole, a step a second, and puts it again from its row where it is not. How many
/// it put.
pub async fn repair(app: &App, stop: &CancellationToken) -> Result<u64, Error> {
    let (mut after, mut repaired) = (None, 0);
    loop {
        let page = app.store.read(move |tx| copies::published(tx, after, STEP)).await?;
        for (id, content) in &page {
            after = Some(*id);
            let Ok(content) = content.parse::<ContentId>() else {
                continue;
            };
            match app.blobs.get(content).await {
                Ok(Some(_)) => continue,
                Ok(None) | Err(BlobError::Damaged(_)) => {}
                Err(error) => return Err(error.into()),
            }
            repaired += u64::from(put_again(app, *id, content).await?);
        }
        if page.len() < STEP as usize {
            break;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
    if repaired > 0 {
        tracing::warn!(
            repaired,
            "blobs that were gone or damaged were put again from their rows"
        );
    }
    Ok(repaired)
}

async fn put_again(app: &App, id: CopyId, content: ContentId) -> Result<bool, Error> {
    let text = content.to_string();
    let named = text.clone();
    let payload = app.store.read(move |tx| copies::payload(tx, id, &named)).await?;
    // What was erased meanwhile stays erased.
    let Some(payload) = payload else { return Ok(false) };
    if !put(app, &text, payload).await? {
        tracing::error!(copy = %id, "a copy's payload is not what its row says, and its blob is gone");
        return Ok(false);
    }
    if app
        .store
        .read(move |tx| copies::payload(tx, id, &text))
        .await?
        .is_none()
    {
        app.blobs.remove(content).await?;
        return Ok(false);
    }
    Ok(true)
}
