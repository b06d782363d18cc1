//! How the jobs of this process fare. Counted in memory: what there is to do stands in the database, and another instance may do it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use vidimus_core::Timestamp;

/// The jobs. Their names are labels of metrics, and stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Reads the ledger's events.
    Index,
    /// Reads under which numbers keys stand in DID documents.
    Delegates,
    /// Follows transactions until they are final.
    Transactions,
    /// Anchors commitments.
    Anchor,
    /// Puts payloads into the blob store.
    Publish,
    /// Takes up what a crash left between intent and signature.
    FinishIntents,
    /// Hands the contracts over to the authority.
    HandOver,
    /// Numbers what is to be told.
    Events,
    /// Ends requests that were not answered in time.
    LapsePresentations,
    /// Sends to webhooks, people and wallets.
    Deliver,
    /// Looks up who wants to claim again.
    ProvePersons,
    /// Removes what has expired.
    Sweep,
    /// Mends status lists.
    RepairStatuses,
    /// Mends the blob store.
    RepairBlobs,
}

impl Job {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 14] = [
        Self::Index,
        Self::Delegates,
        Self::Transactions,
        Self::Anchor,
        Self::Publish,
        Self::FinishIntents,
        Self::HandOver,
        Self::Events,
        Self::LapsePresentations,
        Self::Deliver,
        Self::ProvePersons,
        Self::Sweep,
        Self::RepairStatuses,
        Self::RepairBlobs,
    ];

    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Delegates => "delegates",
            Self::Transactions => "transactions",
            Self::Anchor => "anchor",
            Self::Publish => "publish",
            Self::FinishIntents => "finish-intents",
            Self::HandOver => "hand-over",
            Self::Events => "events",
            Self::LapsePresentations => "lapse-presentations",
            Self::Deliver => "deliver",
            Self::ProvePersons => "prove-persons",
            Self::Sweep => "sweep",
            Self::RepairStatuses => "repair-statuses",
            Self::RepairBlobs => "repair-blobs",
        }
    }
}

/// How one job fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Runs that ended, however.
    pub runs: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// When a run last did all that it should; the process's start, until one has.
    pub succeeded: Timestamp,
    /// How many runs in a row have failed up to now, and since when.
    pub failing: Option<(u32, Timestamp)>,
}

/// The records of all jobs.
#[derive(Debug)]
pub struct Tally(Mutex<[Record; Job::ALL.len()]>);

impl Tally {
    /// No run yet.
    pub fn new(now: Timestamp) -> Self {
        let none = Record {
            runs: 0,
            failures: 0,
            succeeded: now,
            failing: None,
        };
        Self(Mutex::new([none; Job::ALL.len()]))
    }

    /// A run has done what it should.
    pub fn succeeded(&self, job: Job, now: Timestamp) {
        let record = &mut self.lock()[job as usize];
        record.runs += 1;
        (record.succeeded, record.failing) = (now, None);
    }

    /// A run has failed. How many have in a row.
    pub fn failed(&self, job: Job, now: Timestamp) -> u32 {
        let record = &mut self.lock()[job as usize];
        record.runs += 1;
        record.failures += 1;
        let (before, since) = record.failing.unwrap_or((0, now));
        let in_a_row = before.saturating_add(1);
        record.failing = Some((in_a_row, since));
        in_a_row
    }

    /// Each job's record.
    pub fn read(&self) -> [(Job, Record); Job::ALL.len()] {
        let records = *self.lock();
        Job::ALL.map(|job| (job, records[job as usize]))
    }

    fn lock(&self) -> MutexGuard<'_, [Record; Job::ALL.len()]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_ends_a_row_of_failures_and_not_their_count() {
        let tally = Tally::new(Timestamp(100));
        assert_eq!(tally.failed(Job::Publish, Timestamp(110)), 1);
        assert_eq!(tally.failed(Job::Publish, Timestamp(120)), 2);
        let of = |job: Job| tally.read()[job as usize];
        assert_eq!(of(Job::Publish).1.failing, Some((2, Timestamp(110))));
        assert_eq!(of(Job::Publish).1.succeeded, Timestamp(100));
        tally.succeeded(Job::Publish, Timestamp(130));
        let expected = Record {
            runs: 3,
            failures: 2,
            succeeded: Timestamp(130),
            failing: None,
        };
        assert_eq!(of(Job::Publish), (Job::Publish, expected));
        assert_eq!(tally.failed(Job::Publish, Timestamp(140)), 1);
        for job in Job::ALL.into_iter().filter(|job| *job != Job::Publish) {
            assert_eq!(of(job), (job, Tally::new(Timestamp(100)).read()[0].1), "{}", job.name());
        }
    }
}
