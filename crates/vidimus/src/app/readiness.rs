//! Whether this instance can work, and how it stands. HTTP only says it.

use super::{
    App,
    error::Place,
    tally::{Job, Record},
};
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Duration};
use tokio::{sync::Mutex, time::timeout};
use utoipa::ToSchema;
use vidimus_core::Timestamp;
use vidimus_store::{
    Error::{Fatal, Unavailable},
    deployment,
    figures::{self, Figures},
    status,
};

/// Whether this instance can do its work.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// `ready`, or `degraded`: work goes on, but something that is needed in the end does not answer.
    pub status: String,
    /// Each part: `ok`, or what is wrong with it.
    pub parts: Parts,
}

/// The parts that readiness looks at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Parts {
    /// Takes writes, and its schema is the one this program knows.
    pub database: String,
    /// Has the configured headroom.
    pub disk: String,
    /// The root key opens what is kept.
    pub keys: String,
    /// Answers, and where it makes blocks all the time, its newest one is of now. When not, certificates are issued and anchored later.
    pub ledger: String,
    /// No commitment waits for its anchor much longer than it should.
    pub anchoring: String,
    /// No job has failed for long. What it has to do waits for it.
    pub jobs: String,
}

/// The parts as they were looked at last, and when.
pub type Recent = Mutex<Option<(Timestamp, Parts)>>;

/// How this instance stands, in figures: counts and ages, never ids.
#[derive(Debug)]
pub struct Standing {
    /// When it was looked at.
    pub now: Timestamp,
    /// What the database says, where it answers.
    pub figures: Option<Figures>,
    /// When the newest status list was signed.
    pub status_list: Option<Timestamp>,
    /// Free space below the data directory.
    pub free_mib: Option<u64>,
    /// The ledger's newest block, where it answers.
    pub block: Option<u64>,
    /// How each job fares.
    pub jobs: [(Job, Record); Job::ALL.len()],
}

const OK: &str = "ok";
/// How long the database may take to say that it works, and the ledger: probes come every few seconds.
const DATABASE_PATIENCE: Duration = Duration::from_secs(5);
const LEDGER_PATIENCE: Duration = Duration::from_secs(2);
/// Longer than any network of ours takes from one block to the next, in seconds.
const STALLED: i64 = 300;
/// Longer than any network of ours takes to make a block final, in seconds; and so many times the interval of batches.
const BACKLOG: i64 = 900;
const BACKLOG_INTERVALS: i64 = 10;
/// How many seconds a job may fail before readiness tells: what is wrong is not over by itself then.
const FAILING: i64 = 900;

/// Whether this instance can work; the parts that it cannot do without, where it cannot. The ledger, and what waits for it or for a job, do
/// not count: without them the instance is degraded, and still ready.
pub async fn look(app: &App) -> Result<Readiness, Vec<Place>> {
    let parts = recent(app).await;
    let needed = [
        ("database", &parts.database),
        ("disk", &parts.disk),
        ("keys", &parts.keys),
    ];
    let wrong: Vec<_> = needed
        .into_iter()
        .filter(|(_, state)| *state != OK)
        .map(|(part, state)| Place {
            pointer: part.into(),
            code: "not-ready".into(),
            message: state.clone(),
        })
        .collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let is_whole = [&parts.ledger, &parts.anchoring, &parts.jobs]
        .iter()
        .all(|state| *state == OK);
    let status = if is_whole { "ready" } else { "degraded" };
    Ok(Readiness {
        status: status.into(),
        parts,
    })
}

/// The figures for metrics.
pub async fn standing(app: &App) -> Standing {
    let figures = app.store.read(figures::read).await;
    let figures = figures.map_err(|error| tracing::warn!(cause = %error, "metrics without figures of the store"));
    let list = app.store.read(|tx| status::published(tx, 1, "token")).await;
    let head = timeout(LEDGER_PATIENCE, app.ledger.head()).await.ok();
    Standing {
        now: app.now(),
        figures: figures.ok(),
        status_list: list.ok().flatten().map(|list| list.issued_at),
        free_mib: free_mib(&app.config.data_dir),
        block: head.and_then(Result::ok).map(|head| head.number),
        jobs: app.tally.read(),
    }
}

/// The parts, looked at once a second however often somebody asks: looking writes.
async fn recent(app: &App) -> Parts {
    let mut seen = app.readiness.lock().await;
    let now = app.now();
    match &*seen {
        Some((at, parts)) if *at >= now => parts.clone(),
        _ => {
            let parts = parts(app, now).await;
            // As of the end: those who waited for it take it, and do not look one after the other.
            *seen = Some((app.now(), parts.clone()));
            parts
        }
    }
}

async fn parts(app: &App, now: Timestamp) -> Parts {
    let database = database(app, now).await;
    // What cannot be read now is the database's to report.
    let (keys, anchoring) = if database == OK {
        (keys(app).await, anchoring(app, now).await)
    } else {
        (OK, OK.to_owned())
    };
    Parts {
        database,
        disk: disk(&app.config.data_dir, app.config.server.limits.disk_headroom_mib),
        keys: keys.to_owned(),
        ledger: ledger(app, now).await,
        anchoring,
        jobs: jobs(app, now),
    }
}

async fn database(app: &App, now: Timestamp) -> String {
    let probe = app.store.write(move |tx| figures::probe(tx, now));
    match timeout(DATABASE_PATIENCE, probe).await {
        Ok(Ok(())) => OK.to_owned(),
        Ok(Err(error @ (Unavailable { .. } | Fatal { .. }))) => error.to_string(),
        // The rest is for the log: it may quote a statement.
        Ok(Err(error)) => {
            tracing::error!(cause = %error, "the database does not take a write");
            "does not take writes".to_owned()
        }
        Err(_) => format!("does not answer within {} seconds", DATABASE_PATIENCE.as_secs()),
    }
}

/// Opening the store has brought its schema up to date, and opening the application has tried the root key on it; a database that was put in
/// its place since then holds another deployment, or none.
async fn keys(app: &App) -> &'static str {
    match app.store.read(deployment::find).await {
        Ok(Some(found)) if found.root_key_check == app.keys.check_value() => OK,
        Ok(_) => "the database belongs to another root key",
        Err(_) => OK,
    }
}

async fn anchoring(app: &App, now: Timestamp) -> String {
    let Ok(figures) = app.store.read(figures::read).await else {
        return OK.to_owned();
    };
    let interval = i64::try_from(app.config.anchor.interval_seconds).unwrap_or(i64::MAX);
    let waits = figures.oldest_unanchored.map_or(0, |since| now.since(since));
    if waits > interval.saturating_mul(BACKLOG_INTERVALS).max(BACKLOG) {
        return format!("a commitment has waited for its anchor for {waits} s");
    }
    OK.to_owned()
}

async fn ledger(app: &App, now: Timestamp) -> String {
    match timeout(LEDGER_PATIENCE, app.ledger.head()).await {
        Ok(Ok(head)) if app.steady_blocks && now.since(head.time) > STALLED => {
            format!("stands still: its newest block is {} s old", now.since(head.time))
        }
        Ok(Ok(_)) => OK.to_owned(),
        Ok(Err(_)) | Err(_) => "does not answer".to_owned(),
    }
}

/// The job that has failed for longest counts.
fn jobs(app: &App, now: Timestamp) -> String {
    let failing = app.tally.read().into_iter();
    let longest = failing
        .filter_map(|(job, record)| Some((now.since(record.failing?.1), job)))
        .max_by_key(|(seconds, _)| *seconds);
    match longest {
        Some((seconds, job)) if seconds > FAILING => format!("`{}` has failed for {seconds} s", job.name()),
        _ => OK.to_owned(),
    }
}

fn disk(path: &Path, headroom_mib: u64) -> String {
    match free_mib(path) {
        Some(free) if free < headroom_mib => format!("{free} MiB are free, {headroom_mib} are needed"),
        Some(_) => OK.to_owned(),
        None => "the data directory is not there".to_owned(),
    }
}

fn free_mib(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize) >> 20)
}
