//! Whether the process lives, whether the instance can work, and its metrics.

use super::{Guard, error::Failure, extract::Json, metrics::single};
use crate::app::error::Place;
use axum::{
    Extension,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use utoipa::ToSchema;
use vidimus_core::Timestamp;
use vidimus_store::{
    Error::{Fatal, Unavailable},
    figures::{self, Figures},
    status,
};

/// The process answers.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Alive {
    /// Always `alive`.
    pub status: String,
    /// Version of this program.
    pub version: String,
}

/// The process is alive
#[utoipa::path(get, path = "/livez", tag = "service", responses((status = 200, body = Alive)))]
pub(super) async fn live() -> Json<Alive> {
    Json(Alive {
        status: "alive".into(),
        version: env!("CARGO_PKG_VERSION").into(),
    })
}

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

/// The instance can do its work
///
/// The ledger and what waits for it do not count: without them the instance is degraded, and still ready.
#[utoipa::path(get, path = "/readyz", tag = "service", responses((status = 200, body = Readiness)))]
pub(super) async fn ready(Extension(guard): Extension<Arc<Guard>>) -> Result<Json<Readiness>, Failure> {
    let parts = recent_parts(&guard).await;
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
    if guard.stopping() {
        return Err(Failure::not_ready().detail("the process is stopping"));
    }
    if !wrong.is_empty() {
        return Err(Failure::not_ready().places(wrong));
    }
    let whole = parts.ledger == OK && parts.anchoring == OK;
    let status = if whole { "ready" } else { "degraded" };
    Ok(Json(Readiness {
        status: status.into(),
        parts,
    }))
}

/// The parts, looked at once a second however often somebody asks: looking writes.
async fn recent_parts(guard: &Guard) -> Parts {
    let mut seen = guard.readiness.lock().await;
    let now = guard.app.now();
    match &*seen {
        Some((at, parts)) if *at == now => parts.clone(),
        _ => {
            let parts = parts(guard).await;
            *seen = Some((now, parts.clone()));
            parts
        }
    }
}

async fn parts(guard: &Guard) -> Parts {
    let app = &guard.app;
    // Opening the store has brought its schema up to date, and opening the application has tried the root key on it; a database that
    // was put in its place since then holds another deployment, or none.
    let own = app.keys.check_value().to_vec();
    let now = app.now();
    let database = app.store.write(move |tx| figures::probe(tx, now));
    let database = match timeout(DATABASE_PATIENCE, database).await {
        Ok(Ok(())) => OK.to_owned(),
        Ok(Err(error @ (Unavailable { .. } | Fatal { .. }))) => error.to_string(),
        // The rest is for the log: it may quote a statement.
        Ok(Err(error)) => {
            tracing::error!(cause = %error, "the database does not take a write");
            "does not take writes".to_owned()
        }
        Err(_) => format!("does not answer within {} seconds", DATABASE_PATIENCE.as_secs()),
    };
    let (mut keys, mut anchoring) = (OK, OK.to_owned());
    // What cannot be read now is the database's to report.
    if database == OK {
        match app.store.read(vidimus_store::deployment::find).await {
            Ok(Some(found)) if found.root_key_check == own => {}
            Ok(_) => keys = "the database belongs to another root key",
            Err(_) => {}
        }
        if let Ok(figures) = app.store.read(move |tx| figures::read(tx, now)).await {
            let interval = i64::try_from(app.config.anchor.interval_seconds).unwrap_or(i64::MAX);
            let waits = figures.oldest_unanchored.map_or(0, |since| now.since(since));
            if waits > interval.saturating_mul(BACKLOG_INTERVALS).max(BACKLOG) {
                anchoring = format!("a commitment has waited for its anchor for {waits} s");
            }
        }
    }
    Parts {
        database,
        disk: disk(&app.config.data_dir, app.config.server.limits.disk_headroom_mib),
        keys: keys.to_owned(),
        ledger: match timeout(LEDGER_PATIENCE, app.ledger.head()).await {
            Ok(Ok(head)) if app.steady_blocks && now.since(head.time) > STALLED => {
                format!("stands still: its newest block is {} s old", now.since(head.time))
            }
            Ok(Ok(_)) => OK.to_owned(),
            Ok(Err(_)) | Err(_) => "does not answer".to_owned(),
        },
        anchoring,
    }
}

fn disk(path: &std::path::Path, headroom_mib: u64) -> String {
    match free_mib(path) {
        Some(free) if free < headroom_mib => format!("{free} MiB are free, {headroom_mib} are needed"),
        Some(_) => OK.to_owned(),
        None => "the data directory is not there".to_owned(),
    }
}

fn free_mib(path: &std::path::Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize) >> 20)
}

/// Prometheus metrics
///
/// Text format 0.0.4. Labels are fixed; no metric names a person, a participant or a certificate.
#[utoipa::path(get, path = "/metrics", tag = "service", responses((status = 200, description = "Metrics", content_type = "text/plain")))]
pub(super) async fn metrics(Extension(guard): Extension<Arc<Guard>>) -> Response {
    let mut text = String::with_capacity(8192);
    guard.metrics.render(&mut text);
    let now = guard.app.now();
    match guard.app.store.read(move |tx| figures::read(tx, now)).await {
        Ok(figures) => render(&figures, now, &mut text),
        Err(error) => tracing::warn!(cause = %error, "metrics without figures of the store"),
    }
    if let Ok(Some(list)) = guard.app.store.read(|tx| status::published(tx, 1, "token")).await {
        let age = u64::try_from(now.since(list.issued_at)).unwrap_or(0);
        single(
            &mut text,
            "vidimus_status_list_age_seconds",
            "gauge",
            "Time since the status list was signed.",
            age,
        );
    }
    if let Some(free) = free_mib(&guard.app.config.data_dir) {
        single(
            &mut text,
            "vidimus_disk_free_mebibytes",
            "gauge",
            "Free space below the data directory.",
            free,
        );
    }
    let ledger = timeout(LEDGER_PATIENCE, guard.app.ledger.head()).await;
    let ledger = ledger.ok().and_then(Result::ok);
    single(
        &mut text,
        "vidimus_ledger_up",
        "gauge",
        "Whether the ledger answers.",
        u64::from(ledger.is_some()),
    );
    if let Some(head) = ledger {
        single(
            &mut text,
            "vidimus_ledger_block",
            "gauge",
            "Number of the newest block.",
            head.number,
        );
    }
    let mut response = text.into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn render(figures: &Figures, now: Timestamp, text: &mut String) {
    let age = |since: Option<Timestamp>| since.map_or(0, |since| u64::try_from(now.since(since)).unwrap_or(0));
    for (name, help, value) in [
        (
            "vidimus_outbox_depth",
            "Commitments that wait for a batch.",
            figures.outbox_waiting,
        ),
        (
            "vidimus_oldest_unanchored_seconds",
            "Age of the oldest unanchored commitment.",
            age(figures.oldest_unanchored),
        ),
        (
            "vidimus_transactions_open",
            "Ledger transactions that are not settled.",
            figures.transactions_open,
        ),
        (
            "vidimus_copies_unpublished",
            "Copies whose payload is not in the blob store yet.",
            figures.copies_unpublished,
        ),
        ("vidimus_jobs_due", "Jobs that are due.", figures.jobs_due),
        (
            "vidimus_jobs_failing",
            "Jobs that failed and wait for another try.",
            figures.jobs_failing,
        ),
        (
            "vidimus_audit_head_age_seconds",
            "Time since the last entry of the audit log.",
            age(figures.audit_time),
        ),
    ] {
        single(text, name, "gauge", help, value);
    }
    single(
        text,
        "vidimus_audit_entries_total",
        "counter",
        "Entries of the audit log.",
        figures.audit_entries,
    );
}
