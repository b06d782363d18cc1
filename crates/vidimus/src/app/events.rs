//! What happened to a participant's objects, told to the participant: made here, numbered by a job, followed as a stream.

use crate::app::{App, error::Error, participants, principal::Principal};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::ToSchema;
use vidimus_core::id::{EventId, ParticipantId};
use vidimus_store::{
    api_keys,
    events::{self, Event, Kind, Numbered},
    participants as rows,
};

/// How long an event is kept.
pub const KEPT: i64 = 30 * 86_400;
/// How long an event is brought to webhooks.
pub const DELIVERED_WITHIN: i64 = 3 * 86_400;
/// For how long events are gathered before they are numbered.
pub const GATHERING: Duration = Duration::from_millis(50);
/// Events that are read at once.
const AT_ONCE: u32 = 100;
/// A stream looks for events of other instances, and whether it may go on, this often.
const LOOK: Duration = Duration::from_secs(1);

/// What a participant is told.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Its place among the participant's events, counted from 1 without gaps.
    pub sequence: u64,
    /// What happened, such as `credential.issued`.
    pub kind: String,
    /// Id of the object that it happened to.
    pub object: String,
    /// When, Unix seconds.
    pub time: i64,
}

impl From<&Numbered> for EventView {
    fn from(numbered: &Numbered) -> Self {
        Self {
            sequence: numbered.sequence,
            kind: numbered.event.kind.name().to_owned(),
            object: object(&numbered.event),
            time: numbered.event.time.0,
        }
    }
}

/// The object's id as text: every object's is of the same form.
pub(super) fn object(event: &Event) -> String {
    EventId::from_bytes(event.object).to_string()
}

/// An event of now, for [`events::append`] in the transaction of what it tells. [`Wake::events`](super::Wake) afterwards brings it at once,
/// else it is found within a second.
pub fn event(app: &App, participant: ParticipantId, kind: Kind, object: &[u8; 16]) -> Event {
    Event {
        id: EventId::generate(&mut *app.entropy()),
        participant,
        kind,
        object: *object,
        time: app.now(),
    }
}

/// Numbers what has none yet, and queues it for webhooks.
pub async fn number(app: &App) -> Result<(), Error> {
    let waiting = app.store.read(events::unnumbered).await?;
    let mut numbered = 0;
    for participant in waiting {
        let now = app.now();
        let expires = now.plus(DELIVERED_WITHIN);
        loop {
            let done = app
                .store
                .write(move |tx| events::number(tx, participant, AT_ONCE, now, expires))
                .await?;
            numbered += done;
            if done < AT_ONCE.into() {
                break;
            }
        }
    }
    if numbered > 0 {
        app.wake.numbered.notify_waiters();
        app.wake.deliveries.notify_one();
    }
    Ok(())
}

/// A participant's events from a place on, as they come. Ends when its key or its participant may not read them any more.
#[derive(Debug)]
pub struct Following {
    app: Arc<App>,
    caller: Principal,
    after: u64,
}

/// Follows the caller's events after a place; without one, from now on.
pub async fn follow(app: Arc<App>, caller: Principal, after: Option<u64>) -> Result<Following, Error> {
    standing(&app, &caller)?;
    let (scope, own) = (caller.scope(), caller.participant);
    let after = match after {
        Some(after) => after,
        None => app.store.read(move |tx| events::last(tx, &scope, own)).await?,
    };
    Ok(Following { app, caller, after })
}

impl Following {
    /// The next events; none when it is over. Waits for them, and asks `stop` now and then whether to go on.
    pub async fn next(&mut self, stop: impl Fn() -> bool) -> Option<Vec<Numbered>> {
        loop {
            let app = self.app.clone();
            let numbered = app.wake.numbered.notified();
            tokio::pin!(numbered);
            // Before looking, so that what is numbered meanwhile wakes this.
            numbered.as_mut().enable();
            if stop() {
                return None;
            }
            // What fails here failed for the moment: the client comes back with the place that it has.
            let found = self.look().await.ok()??;
            if let Some(last) = found.last() {
                self.after = last.sequence;
                return Some(found);
            }
            tokio::select! {
                () = numbered => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// What there is; `None` when the caller may not read it any more.
    async fn look(&self) -> Result<Option<Vec<Numbered>>, Error> {
        if standing(&self.app, &self.caller).is_err() {
            return Ok(None);
        }
        let (scope, own, after) = (self.caller.scope(), self.caller.participant, self.after);
        let (key, now) = (self.caller.api_key, self.app.now());
        let found = self.app.store.read(move |tx| {
            if let Some(key) = key {
                let key = api_keys::find(tx, key)?;
                if key.is_none_or(|key| key.revoked.is_some() || key.expires <= now) {
                    return Ok(None);
                }
            }
            events::after(tx, &scope, own, after, AT_ONCE).map(Some)
        });
        Ok(found.await?)
    }
}

/// Only who is in good standing now.
fn standing(app: &App, caller: &Principal) -> Result<(), Error> {
    let registries = app.registries();
    let registry = match caller.row.role {
        rows::Role::Issuer => &registries.issuers,
        rows::Role::Verifier => &registries.verifiers,
        rows::Role::Authority => return Ok(()),
    };
    participants::in_good_standing(registry, &caller.row).map(drop)
}
