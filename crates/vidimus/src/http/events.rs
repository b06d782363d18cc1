//! What happens to a participant's objects, as server-sent events.

use super::{Guard, auth::Caller, error::Failure, extract::Query};
use crate::app::{
    App,
    events::{self, EventView, Following},
};
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{StreamExt, stream};
use serde::Deserialize;
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use utoipa::IntoParams;
use vidimus_core::id::ParticipantId;

/// Streams of one participant.
const EACH: usize = 8;
/// A comment goes out after so long without an event, so that what stands in between sees life.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Streams that are open in this process.
#[derive(Debug)]
pub(super) struct Streams {
    most: usize,
    open: Mutex<HashMap<ParticipantId, usize>>,
}

impl Streams {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            open: Mutex::default(),
        }
    }

    fn enter(&self, participant: ParticipantId) -> Result<(), Failure> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= self.most {
            return Err(Failure::busy().retry_after(10));
        }
        let own = open.entry(participant).or_default();
        if *own >= EACH {
            return Err(Failure::rate()
                .detail("8 streams of this participant are open already")
                .retry_after(10));
        }
        *own += 1;
        Ok(())
    }

    fn leave(&self, participant: ParticipantId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&participant) {
            *own -= 1;
            if *own == 0 {
                open.remove(&participant);
            }
        }
    }
}

/// One of them, counted until it is dropped.
struct Place {
    guard: Arc<Guard>,
    participant: ParticipantId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.guard.streams.leave(self.participant);
    }
}

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Events after this sequence number, as far as they are kept (30 days). Without it, and without `Last-Event-ID`, those from now on.
    after: Option<u64>,
}

/// Follow what happens
///
/// Server-sent events: `id` is the sequence number, `event` the kind, `data` an `EventView`. After a break, `Last-Event-ID` goes on where it
/// stopped, on any instance. A number that is missing is of an event that is not kept any more. The stream ends with the API key, or when the
/// participant is suspended or revoked.
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    params(EventQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The last sequence number that was received")),
    responses((status = 200, description = "Events as they come", content_type = "text/event-stream", body = EventView))
)]
pub(super) async fn follow(
    State(app): State<Arc<App>>,
    Extension(guard): Extension<Arc<Guard>>,
    Caller(caller): Caller,
    headers: HeaderMap,
    Query(query): Query<EventQuery>,
) -> Result<Response, Failure> {
    let after = last_event_id(&headers)?.or(query.after);
    let participant = caller.participant;
    guard.streams.enter(participant)?;
    let place = Place { guard, participant };
    let following = events::follow(app, caller, after).await?;
    let keep_alive = KeepAlive::new().interval(HEARTBEAT).text("alive");
    let mut response = Sse::new(told(following, place)).keep_alive(keep_alive).into_response();
    // For proxies that hold answers back.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    response
        .headers_mut()
        .insert(unbuffered, HeaderValue::from_static("no"));
    Ok(response)
}

fn told(following: Following, place: Place) -> impl stream::Stream<Item = Result<Event, Infallible>> + Send {
    let batches = stream::unfold((following, place), |(mut following, place)| async move {
        let found = following.next(|| place.guard.stopping()).await?;
        Some((found, (following, place)))
    });
    batches.flat_map(|found| {
        stream::iter(found.into_iter().map(|numbered| {
            let view = EventView::from(&numbered);
            let data = serde_json::to_string(&view).expect("names and numbers are always JSON");
            let event = Event::default()
                .id(view.sequence.to_string())
                .event(view.kind)
                .data(data);
            Ok(event)
        }))
    })
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let refused = || Failure::query("Last-Event-ID is not the id of an event".to_owned());
    number.map(Some).ok_or_else(refused)
}
