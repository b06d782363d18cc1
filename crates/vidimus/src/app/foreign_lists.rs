//! Status lists of others, as certificates refer to them whose issuer the operator or the caller trusts.
//!
//! A list is fetched whole and says nothing of whose certificate is checked; one that many checks need is fetched once, and again when it is due. Only what a
//! trusted issuer signed makes this server ask anybody. What is kept is not judged: each check holds it against who is trusted then.

use crate::{
    app::{App, checks},
    outside::{self, Request},
};
use reqwest::{
    StatusCode,
    header::{ACCEPT, HeaderValue},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;
use vidimus_core::Timestamp;
use vidimus_credential::{
    check::{ForeignList, ListError},
    status::token_list::MEDIA_TYPE,
};

/// The longest list that is taken.
const MAX_TOKEN: usize = 16 << 20;
/// How long fetching may take: somebody waits for the verdict.
const WITHIN: Duration = Duration::from_secs(5);
/// Redirects that are followed (draft-ietf-oauth-status-list-14 §8.1).
const REDIRECTS: u8 = 3;
/// Seconds before a list is asked for again that did not come.
const AGAIN: i64 = 30;
/// The most lists that are kept.
const MOST_LISTS: usize = 256;
/// The most bytes of them.
const MOST_BYTES: usize = 64 << 20;
/// Lists that are fetched and read at the same time.
const AT_ONCE: usize = 8;

/// What came of fetching: nothing yet, something that is no status list, or the list.
type Found = Option<Option<Arc<ForeignList>>>;

/// The lists that are kept.
#[derive(Debug)]
pub struct ForeignLists {
    kept: Mutex<HashMap<String, Kept>>,
    turns: Semaphore,
}

#[derive(Debug)]
struct Kept {
    found: Found,
    used_at: Timestamp,
    /// When it was asked for in vain, and held while somebody asks.
    asked_at: Arc<tokio::sync::Mutex<Option<Timestamp>>>,
}

/// Why a list did not come. Names no address.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error("the list was not fetched")]
    Outside(#[from] outside::Error),
    #[error("the answer has status {0}")]
    Status(StatusCode),
    #[error("the answer is no {MEDIA_TYPE}")]
    Type,
    #[error("reading it ended")]
    Ended,
}

impl Default for ForeignLists {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }
}

impl ForeignLists {
    /// The list as it is kept, if it is not due yet and was signed no longer ago than `max_age`, in seconds: a check would not count an older one.
    pub fn fresh(&self, uri: &str, now: Timestamp, max_age: i64) -> Option<Arc<ForeignList>> {
        let mut all = self.lock();
        let kept = all.get_mut(uri)?;
        kept.used_at = now;
        let list = kept.found.clone().flatten()?;
        let counts = now.since(list.issued_at()) <= max_age;
        (list.read_at() <= now && now < list.due() && counts).then_some(list)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self, uri: &str) -> Found {
        self.lock().get(uri).and_then(|kept| kept.found.clone())
    }

    fn turn(&self, uri: &str, now: Timestamp) -> Arc<tokio::sync::Mutex<Option<Timestamp>>> {
        let mut all = self.lock();
        let kept = all.entry(uri.to_owned()).or_insert_with(|| Kept {
            found: None,
            used_at: now,
            asked_at: Arc::default(),
        });
        kept.used_at = now;
        let turn = kept.asked_at.clone();
        // Places alone are bounded too: an issuer may name another list in each certificate.
        make_room(&mut all, uri);
        turn
    }

    /// Keeps what came, unless it is older than what is there: who replays an old list gains nothing.
    fn keep(&self, uri: &str, read: Result<ForeignList, ListError>) {
        let mut all = self.lock();
        let Some(kept) = all.get_mut(uri) else { return };
        match (read, &kept.found) {
            (Ok(new), Some(Some(old))) if new.issued_at() < old.issued_at() => {}
            (Ok(new), _) => kept.found = Some(Some(Arc::new(new))),
            (Err(_), Some(Some(_))) => {}
            (Err(_), _) => kept.found = Some(None),
        }
        make_room(&mut all, uri);
    }
}

/// Lets go of what was used longest ago, until the rest fits; never of `uri`.
fn make_room(all: &mut HashMap<String, Kept>, uri: &str) {
    let size = |kept: &Kept| kept.found.iter().flatten().map(|list| list.size()).sum::<usize>();
    let mut bytes: usize = all.values().map(size).sum();
    while all.len() > MOST_LISTS || bytes > MOST_BYTES {
        let others = all.iter().filter(|(name, _)| *name != uri);
        let Some(oldest) = others
            .min_by_key(|(_, kept)| kept.used_at)
            .map(|(name, _)| name.clone())
        else {
            return;
        };
        bytes -= all.remove(&oldest).map_or(0, |kept| size(&kept));
    }
}

/// The list at this address: as it is kept, or fetched where that is due. What does not come is not asked for again at once; what is kept then
/// stays at hand, and says itself how old it is.
pub async fn fetch(app: &App, uri: &str) -> Found {
    let lists = &app.foreign_lists;
    // What this deployment says of its own copies is no list of others.
    if uri.starts_with(&app.url("/")) {
        return None;
    }
    let turn = lists.turn(uri, app.now());
    let mut asked_at = turn.lock().await;
    let (now, max_age) = (app.now(), checks::policy(app).status_max_age);
    if let Some(list) = lists.fresh(uri, now, max_age) {
        return Some(Some(list));
    }
    if asked_at.is_none_or(|at| now.since(at).abs() >= AGAIN) {
        *asked_at = Some(now);
        match ask(app, uri, now).await {
            Ok(read) => {
                if let Err(error) = &read {
                    tracing::warn!(%error, "what was fetched as a status list of others is none");
                }
                lists.keep(uri, read);
                if lists.fresh(uri, now, max_age).is_some() {
                    *asked_at = None;
                }
            }
            Err(error) => tracing::warn!(%error, "a status list of others is not at hand"),
        }
    }
    lists.found(uri)
}

async fn ask(app: &App, uri: &str, now: Timestamp) -> Result<Result<ForeignList, ListError>, Missing> {
    let target = app.outside.target(uri)?;
    let _turn = app.foreign_lists.turns.acquire().await.map_err(|_| Missing::Ended)?;
    let request = Request::get(target)
        .header(ACCEPT, HeaderValue::from_static(MEDIA_TYPE))
        .at_most(MAX_TOKEN)
        .within(WITHIN)
        .following(REDIRECTS);
    let answer = app.outside.send(request).await?;
    if answer.status != StatusCode::OK {
        return Err(Missing::Status(answer.status));
    }
    if answer.media_type() != MEDIA_TYPE {
        return Err(Missing::Type);
    }
    let uri = uri.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let text = std::str::from_utf8(&answer.body).unwrap_or_default();
        ForeignList::read(&uri, text, now)
    });
    read.await.map_err(|_| Missing::Ended)
}
