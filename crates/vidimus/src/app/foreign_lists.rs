//! Status lists of others, as certificates refer to them whose issuer the operator or the caller trusts.
//!
//! A list is fetched whole and says nothing of whose certificate is checked; one that many checks need is fetched once, and again when it is due. Only what a
//! trusted issuer signed makes this server ask anybody. What is kept is not judged: each check holds it against who is trusted then.
//!
//! Whom the operator trusts and whom callers trust have nothing in common here: neither what is kept nor the places for asking. Somebody waits for each
//! verdict, so whoever finds no place in time goes without the list.

mod places;

use self::places::Places;
use crate::{
    app::{App, checks},
    outside::{self, Request, Target},
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
use vidimus_core::{Timestamp, id::ParticipantId};
use vidimus_credential::{
    check::{ForeignList, ListError},
    status::token_list::MEDIA_TYPE,
};

/// The longest list that is taken.
const MAX_TOKEN: usize = 16 << 20;
/// How long fetching may take: somebody waits for the verdict.
const WITHIN: Duration = Duration::from_secs(5);
/// How long it may take until it is one's turn: as long as whoever fetches the same list may take.
const WAIT: Duration = WITHIN;
/// Redirects that are followed (draft-ietf-oauth-status-list-14 §8.1).
const REDIRECTS: u8 = 3;
/// Seconds before a list is asked for again that did not come.
const AGAIN: i64 = 30;
/// The most lists that are kept, of those that the operator's trust leads to and of those that callers' does.
const MOST_LISTS: usize = 256;
/// The most bytes of each.
const MOST_BYTES: usize = 32 << 20;

/// What came of fetching: nothing yet, something that is no status list, or the list.
type Found = Option<Option<Arc<ForeignList>>>;

/// Whose trust in an issuer makes this server ask for its list.
#[derive(Debug, Clone, Copy)]
pub enum Asker {
    /// The operator's: the trust directory.
    Operator,
    /// That of who asked for the check, and brought a trust list.
    Caller(ParticipantId),
}

/// The lists that are kept.
#[derive(Debug, Default)]
pub struct ForeignLists {
    operator: Lists,
    callers: Lists,
}

/// The lists of one kind of asker.
#[derive(Debug, Default)]
pub struct Lists {
    kept: Mutex<HashMap<String, Kept>>,
    places: Places,
}

#[derive(Debug)]
struct Kept {
    found: Found,
    /// The one by another signer that it came after: whoever can write to a list's host once cannot have it forgotten.
    before: Option<Arc<ForeignList>>,
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
    #[error("too many lists are waited for: no place came free in time")]
    Busy,
}

impl ForeignLists {
    /// Those that this asker's checks look at.
    pub const fn of(&self, asker: Asker) -> &Lists {
        match asker {
            Asker::Operator => &self.operator,
            Asker::Caller(_) => &self.callers,
        }
    }
}

impl Lists {
    /// The list as it is kept, if it is not due yet and was signed no longer ago than `max_age`, in seconds: a check would not count an older one.
    pub fn fresh(&self, uri: &str, now: Timestamp, max_age: i64) -> Option<Arc<ForeignList>> {
        let mut all = self.lock();
        let kept = all.get_mut(uri)?;
        kept.used_at = now;
        let list = kept.found.clone().flatten()?;
        let counts = now.since(list.issued_at()) <= max_age;
        (list.read_at() <= now && now < list.due() && counts).then_some(list)
    }

    /// The one by another signer that the kept one came after.
    pub fn before(&self, uri: &str) -> Option<Arc<ForeignList>> {
        self.lock().get(uri)?.before.clone()
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
            before: None,
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
            (Ok(new), Some(Some(old))) if !new.names_signer_of(old) => {
                kept.before = Some(old.clone());
                kept.found = Some(Some(Arc::new(new)));
            }
            (Ok(new), _) => kept.found = Some(Some(Arc::new(new))),
            (Err(_), Some(Some(_))) => {}
            (Err(_), _) => kept.found = Some(None),
        }
        make_room(&mut all, uri);
    }
}

/// Lets go of what was used longest ago, until the rest fits; never of `uri`.
fn make_room(all: &mut HashMap<String, Kept>, uri: &str) {
    let size = |kept: &Kept| {
        let lists = kept.found.iter().flatten().chain(&kept.before);
        lists.map(|list| list.size()).sum::<usize>()
    };
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
pub async fn fetch(app: &App, asker: Asker, uri: &str) -> Found {
    let lists = app.foreign_lists.of(asker);
    // What this deployment says of its own copies is no list of others.
    if uri.starts_with(&app.url("/")) {
        return None;
    }
    let target = match app.outside.target(uri) {
        Ok(target) => target,
        Err(error) => {
            missing(&error.into());
            return None;
        }
    };
    let turn = lists.turn(uri, app.now());
    let max_age = checks::policy(app).status_max_age;
    let is_due = |asked_at: Option<Timestamp>| {
        let now = app.now();
        lists.fresh(uri, now, max_age).is_none() && asked_at.is_none_or(|at| now.since(at).abs() >= AGAIN)
    };
    let caller = match asker {
        Asker::Operator => None,
        Asker::Caller(participant) => Some(participant),
    };
    let mine = async {
        let asked_at = turn.lock().await;
        let place = match is_due(*asked_at) {
            true => Some(lists.places.take(caller, target.host()).await),
            false => None,
        };
        (asked_at, place)
    };
    match tokio::time::timeout(WAIT, mine).await {
        Err(_) => missing(&Missing::Busy),
        Ok((_, None)) => {}
        Ok((mut asked_at, Some(_place))) => {
            let now = app.now();
            match ask(app, target, uri, now).await {
                Ok(read) => {
                    if let Err(error) = &read {
                        tracing::warn!(%error, "what was fetched as a status list of others is none");
                    }
                    lists.keep(uri, read);
                }
                Err(error) => missing(&error),
            }
            // Only now: who went away meanwhile did not ask in vain, and the next one asks.
            *asked_at = lists.fresh(uri, now, max_age).is_none().then_some(now);
        }
    }
    lists.found(uri)
}

fn missing(error: &Missing) {
    tracing::warn!(%error, "a status list of others is not at hand");
}

async fn ask(app: &App, target: Target, uri: &str, now: Timestamp) -> Result<Result<ForeignList, ListError>, Missing> {
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
