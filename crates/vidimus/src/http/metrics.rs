//! What `/metrics` says: fixed labels, never an id. Counts for HTTP, and is the one place that measures durations.

use super::operation::Operation;
use crate::app::{
    readiness::Standing,
    tally::{Job, Record},
};
use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};
use vidimus_core::Timestamp;

/// Upper bounds of the duration histogram, in milliseconds.
const BOUNDS: [u64; 10] = [1, 2, 5, 10, 25, 100, 250, 1_000, 5_000, 30_000];

/// Measures from when it was started.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    #[allow(clippy::disallowed_methods, reason = "durations for metrics are measured here")]
    pub fn start() -> Self {
        Self(Instant::now())
    }
    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Counters of HTTP, one set per operation; the last set is for what matched no operation.
#[derive(Debug)]
pub struct Metrics {
    series: Vec<Series>,
    in_flight: AtomicU64,
    shed: AtomicU64,
    limited: AtomicU64,
}

#[derive(Debug, Default)]
struct Series {
    /// By status class: 2xx, 3xx, 4xx, 5xx.
    answers: [AtomicU64; 4],
    buckets: [AtomicU64; BOUNDS.len()],
    micros: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            series: (0..=Operation::ALL.len()).map(|_| Series::default()).collect(),
            in_flight: AtomicU64::new(0),
            shed: AtomicU64::new(0),
            limited: AtomicU64::new(0),
        }
    }
}

impl Metrics {
    /// Counts a request as under way until the guard is dropped.
    pub fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(self)
    }
    /// Counts an answer.
    pub fn answered(&self, operation: Option<Operation>, status: u16, took: Duration) {
        let series = &self.series[operation.map_or(Operation::ALL.len(), |operation| operation as usize)];
        let class = usize::from(status / 100).clamp(2, 5) - 2;
        series.answers[class].fetch_add(1, Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        series.micros.fetch_add(micros, Relaxed);
        if let Some(at) = BOUNDS.iter().position(|bound| micros <= bound * 1_000) {
            series.buckets[at].fetch_add(1, Relaxed);
        }
    }
    /// Counts a request refused because too many were under way.
    pub fn shed(&self) {
        self.shed.fetch_add(1, Relaxed);
    }
    /// Counts a request refused because its caller asks too often.
    pub fn limited(&self) {
        self.limited.fetch_add(1, Relaxed);
    }

    /// Prometheus text format, version 0.0.4.
    pub fn render(&self, out: &mut String) {
        let names = Operation::ALL.iter().map(|operation| operation.name()).chain(["none"]);
        family(
            out,
            "vidimus_http_requests_total",
            "counter",
            "Answers by operation and status class.",
        );
        for (series, name) in self.series.iter().zip(names.clone()) {
            for (class, count) in series.answers.iter().enumerate() {
                let (count, class) = (count.load(Relaxed), class + 2);
                if count > 0 {
                    let _ = writeln!(
                        out,
                        "vidimus_http_requests_total{{operation=\"{name}\",status=\"{class}xx\"}} {count}"
                    );
                }
            }
        }
        family(
            out,
            "vidimus_http_request_duration_seconds",
            "histogram",
            "Time from headers to answer.",
        );
        for (series, name) in self.series.iter().zip(names) {
            let total: u64 = series.answers.iter().map(|count| count.load(Relaxed)).sum();
            if total == 0 {
                continue;
            }
            let mut below = 0;
            for (bound, count) in BOUNDS.iter().zip(&series.buckets) {
                below += count.load(Relaxed);
                let bound = *bound as f64 / 1_000.0;
                let _ = writeln!(
                    out,
                    "vidimus_http_request_duration_seconds_bucket{{operation=\"{name}\",le=\"{bound}\"}} {below}"
                );
            }
            let seconds = series.micros.load(Relaxed) as f64 / 1e6;
            let _ = writeln!(
                out,
                "vidimus_http_request_duration_seconds_bucket{{operation=\"{name}\",le=\"+Inf\"}} {total}"
            );
            let _ = writeln!(
                out,
                "vidimus_http_request_duration_seconds_sum{{operation=\"{name}\"}} {seconds}"
            );
            let _ = writeln!(
                out,
                "vidimus_http_request_duration_seconds_count{{operation=\"{name}\"}} {total}"
            );
        }
        single(
            out,
            "vidimus_http_requests_in_flight",
            "gauge",
            "Requests under way.",
            self.in_flight.load(Relaxed),
        );
        single(
            out,
            "vidimus_http_shed_total",
            "counter",
            "Requests refused with 503 by load.",
            self.shed.load(Relaxed),
        );
        single(
            out,
            "vidimus_http_limited_total",
            "counter",
            "Requests refused with 429.",
            self.limited.load(Relaxed),
        );
    }
}

/// Held while a request is under way.
#[derive(Debug)]
pub struct InFlight<'m>(&'m Metrics);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// How the instance stands.
pub fn standing(out: &mut String, standing: &Standing) {
    store(out, standing);
    let age = |since| seconds(standing, since);
    let signed = "Time since the status list was signed.";
    if let Some(list) = standing.status_list {
        single(out, "vidimus_status_list_age_seconds", "gauge", signed, age(list));
    }
    let free = "Free space below the data directory.";
    if let Some(mib) = standing.free_mib {
        single(out, "vidimus_disk_free_mebibytes", "gauge", free, mib);
    }
    let up = u64::from(standing.block.is_some());
    single(out, "vidimus_ledger_up", "gauge", "Whether the ledger answers.", up);
    if let Some(block) = standing.block {
        single(
            out,
            "vidimus_ledger_block",
            "gauge",
            "Number of the newest block.",
            block,
        );
    }
    jobs(out, &standing.jobs, age);
}

/// What the database says.
fn store(out: &mut String, standing: &Standing) {
    let Some(figures) = &standing.figures else { return };
    let age = |since: Option<Timestamp>| since.map_or(0, |since| seconds(standing, since));
    for (name, kind, help, value) in [
        (
            "vidimus_outbox_depth",
            "gauge",
            "Commitments that wait for a batch.",
            figures.outbox_waiting,
        ),
        (
            "vidimus_oldest_unanchored_seconds",
            "gauge",
            "Age of the oldest unanchored commitment.",
            age(figures.oldest_unanchored),
        ),
        (
            "vidimus_transactions_open",
            "gauge",
            "Ledger transactions that are not settled.",
            figures.transactions_open,
        ),
        (
            "vidimus_copies_unpublished",
            "gauge",
            "Copies whose payload is not in the blob store yet.",
            figures.copies_unpublished,
        ),
        (
            "vidimus_deliveries_waiting",
            "gauge",
            "What waits to be sent to webhooks, people and wallets.",
            figures.deliveries_waiting,
        ),
        (
            "vidimus_oldest_delivery_seconds",
            "gauge",
            "Age of the oldest of it.",
            age(figures.oldest_delivery),
        ),
        (
            "vidimus_audit_head_age_seconds",
            "gauge",
            "Time since the last entry of the audit log.",
            age(figures.audit_time),
        ),
        (
            "vidimus_audit_entries_total",
            "counter",
            "Entries of the audit log.",
            figures.audit_entries,
        ),
    ] {
        single(out, name, kind, help, value);
    }
}

/// How the jobs of this process fare.
fn jobs(out: &mut String, jobs: &[(Job, Record)], age: impl Fn(Timestamp) -> u64) {
    let mut each = |name: &str, kind: &str, help: &str, value: &dyn Fn(&Record) -> u64| {
        family(out, name, kind, help);
        for (job, record) in jobs {
            let _ = writeln!(out, "{name}{{job=\"{}\"}} {}", job.name(), value(record));
        }
    };
    each(
        "vidimus_job_runs_total",
        "counter",
        "Runs of a job that ended.",
        &|record| record.runs,
    );
    each(
        "vidimus_job_failures_total",
        "counter",
        "Runs of a job that failed and are tried again.",
        &|record| record.failures,
    );
    each(
        "vidimus_job_success_age_seconds",
        "gauge",
        "Time since a run of a job did all that it should, or since the start.",
        &|record| age(record.succeeded),
    );
}

fn seconds(standing: &Standing, since: Timestamp) -> u64 {
    u64::try_from(standing.now.since(since)).unwrap_or(0)
}

/// One metric without labels.
fn single(out: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    family(out, name, kind, help);
    let _ = writeln!(out, "{name} {value}");
}
