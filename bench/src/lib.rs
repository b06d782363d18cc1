//! What the benchmarks share: measuring in turn, and a table that says for each goal what was reached.

#![allow(clippy::disallowed_methods, reason = "benchmarks measure time")]

pub mod floor;
pub mod service;

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// One thing that is measured: a name, and one operation of it.
pub struct Subject<'a> {
    /// What it is.
    pub name: &'a str,
    /// Does it once.
    pub run: Box<dyn FnMut() + 'a>,
}

impl<'a> Subject<'a> {
    /// Names an operation.
    pub fn new(name: &'a str, run: impl FnMut() + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }
}

/// How long each is measured at a time: `BENCH_SLICE_MS`, or 400.
pub fn slice() -> Duration {
    Duration::from_millis(service::number("BENCH_SLICE_MS", 400))
}

/// Operations a second of this thread's processor time of each, measured in turn: `rounds` times `slice` each, the median. Processor time,
/// because what else runs on the machine then slows all alike or none.
pub fn in_turn(subjects: &mut [Subject<'_>], rounds: usize, slice: Duration) -> Vec<f64> {
    let mut rates = vec![Vec::new(); subjects.len()];
    for round in 0..=rounds {
        for (place, subject) in subjects.iter_mut().enumerate() {
            let (start, busy, mut count) = (Instant::now(), processor_time(), 0_u64);
            while start.elapsed() < slice {
                for _ in 0..16 {
                    (subject.run)();
                }
                count += 16;
            }
            // The first round warms up.
            if round > 0 {
                rates[place].push(count as f64 / (processor_time() - busy).as_secs_f64());
            }
        }
    }
    rates.into_iter().map(median).collect()
}

/// What this thread has used of a processor.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let negative = "a processor's time is not negative";
    Duration::new(
        time.tv_sec.try_into().expect(negative),
        time.tv_nsec.try_into().expect(negative),
    )
}

/// The median.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints a row of the table.
pub fn row(what: &str, goal: Option<(char, f64)>, figure: f64, note: &str) {
    let (goal, reached) = match goal {
        None => (String::new(), ""),
        Some((sign, goal)) => {
            let holds = if sign == '<' { figure <= goal } else { figure >= goal };
            (
                format!("{} {}", if sign == '<' { '≤' } else { '≥' }, number(goal)),
                if holds { "reached" } else { "NOT reached" },
            )
        }
    };
    println!("{what:<62} {goal:>10} {:>12} {reached:<12} {note}", number(figure));
}

fn number(value: f64) -> String {
    if value >= 1000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}
