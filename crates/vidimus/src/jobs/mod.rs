//! Background work: each job runs at its interval or when it is woken, reads what there is to do from the database, and can be stopped and
//! started again at any point. Several instances may run the same jobs (`docs/decisions/0009-jobs-are-loops.md`).

mod anchor;
pub mod blobs;
mod transactions;

use crate::app::{App, Error, chain, copies, delivery, events, presenting, tally::Job, wallets};
use futures::FutureExt as _;
use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use vidimus_store::{
    Scope, authorizations, claims, copies as copy_rows, deliveries, events as event_rows, grants, idempotency,
    left_presentations, limits, offers, presentations, push as push_rows, requests, seen,
};

/// After a failure a job waits twice as long at first, and at most 16 times as long, as its interval or this, whichever is shorter: what
/// happens once a day is not put off for days.
const RETRY: Duration = Duration::from_secs(15);
/// How old an intent is when nobody is at work on it any more.
const STALE_INTENT: i64 = 60;
/// How long an issuer with its own keys has to sign a copy: a week.
const GIVEN_UP: i64 = 7 * 86_400;
/// How long a delivery that ended can be looked at. Less than its event is kept.
const DELIVERIES_KEPT: i64 = 14 * 86_400;

/// The jobs of one process.
#[derive(Debug)]
pub struct Jobs {
    tasks: JoinSet<()>,
}

impl Jobs {
    /// Waits until every job has ended after its current step.
    pub async fn join(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Starts all jobs; `stop` ends them.
pub fn start(app: Arc<App>, stop: CancellationToken) -> Jobs {
    let interval = Duration::from_secs(app.config.anchor.interval_seconds.max(1));
    let second = Duration::from_secs(1);
    let stopped = stop.clone();
    let mut run = Run {
        app,
        stop,
        tasks: JoinSet::new(),
    };
    run.repeat(
        Job::Index,
        second,
        |app| &app.wake.blocks,
        |app| async move { chain::catch_up(&app).await },
    );
    run.repeat(
        Job::Delegates,
        second * 5,
        |app| &app.wake.delegates,
        |app| async move { chain::Delegates::look(&app).await },
    );
    run.repeat(
        Job::Transactions,
        second,
        |app| &app.wake.transactions,
        |app| async move { transactions::settle(&app).await },
    );
    run.repeat(
        Job::Anchor,
        interval,
        |app| &app.wake.anchor_now,
        |app| async move { anchor::run(&app).await },
    );
    let passed_by = Arc::new(blobs::PassedBy::default());
    run.repeat(
        Job::Publish,
        interval,
        |app| &app.wake.outbox,
        move |app| {
            let passed_by = passed_by.clone();
            async move {
                tokio::time::sleep(blobs::GATHERING).await;
                blobs::publish(&app, &passed_by).await
            }
        },
    );
    run.repeat(
        Job::FinishIntents,
        second * 15,
        |app| &app.wake.never,
        |app| async move { finish_intents(&app).await },
    );
    run.repeat(
        Job::HandOver,
        second * 15,
        |app| &app.wake.authority,
        |app| async move { hand_over(&app).await },
    );
    run.repeat(
        Job::Events,
        second,
        |app| &app.wake.events,
        |app| async move {
            // What happens meanwhile is numbered with it: each numbering is a commit, which those who are answered now would wait for.
            tokio::time::sleep(events::GATHERING).await;
            events::number(&app).await
        },
    );
    run.repeat(
        Job::LapsePresentations,
        second * 5,
        |app| &app.wake.never,
        |app| async move { presenting::lapse(&app).await },
    );
    let ended = stopped.clone();
    run.repeat(
        Job::Deliver,
        second,
        |app| &app.wake.deliveries,
        move |app| {
            let stopped = ended.clone();
            async move { delivery::run(&app, &stopped).await }
        },
    );
    run.repeat(
        Job::ProvePersons,
        second,
        |app| &app.wake.proofs,
        |app| async move { wallets::again::send_codes(&app).await },
    );
    run.repeat(
        Job::Sweep,
        second * 300,
        |app| &app.wake.never,
        |app| async move { sweep(&app).await },
    );
    run.repeat(
        Job::RepairStatuses,
        second * 86_400,
        |app| &app.wake.never,
        |app| async move { crate::app::status::repair(&app).await.map(drop) },
    );
    run.repeat(
        Job::RepairBlobs,
        second * 86_400,
        |app| &app.wake.never,
        move |app| {
            let stopped = stopped.clone();
            async move { blobs::repair(&app, &stopped).await.map(drop) }
        },
    );
    Jobs { tasks: run.tasks }
}

/// Jobs while they are started.
struct Run {
    app: Arc<App>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Run {
    fn repeat<F>(
        &mut self,
        job: Job,
        interval: Duration,
        wake: impl Fn(&App) -> &Notify + Send + 'static,
        work: impl Fn(Arc<App>) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let (app, stop) = (self.app.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            loop {
                let done = attempt(work(app.clone())).await;
                let mut pause = interval;
                match &done {
                    Ok(()) => app.tally.succeeded(job, app.now()),
                    Err(error) => {
                        let failures = app.tally.failed(job, app.now());
                        pause = interval.min(RETRY) * (1 << failures.min(4));
                        // Once when it begins to fail, then ever more rarely: a ledger that is down for a night is one story.
                        if failures.is_power_of_two() {
                            let error = crate::causes::with_causes(error);
                            tracing::warn!(job = job.name(), failures, %error, "a job failed and is tried again");
                        }
                    }
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                    () = wake(&app).notified(), if done.is_ok() => {}
                }
            }
        });
    }
}

/// One run. A defect in it must not end the job for good while the process goes on and looks well.
async fn attempt(run: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let done = AssertUnwindSafe(run).catch_unwind().await;
    done.unwrap_or(Err(Error::Internal("a job panicked")))
}

/// Takes up what a crash left between intent and signature. Copies whose issuer signs itself wait for it, for a week.
async fn finish_intents(app: &App) -> Result<(), Error> {
    let (before, given_up) = (app.now().plus(-STALE_INTENT), app.now().plus(-GIVEN_UP));
    app.store.write(move |tx| copy_rows::abandon_all(tx, given_up)).await?;
    let mut certificates = app
        .store
        .read(move |tx| copy_rows::stale_intents(tx, before, 1_000))
        .await?;
    certificates.dedup();
    for certificate in certificates {
        // One that cannot be finished must not keep the others.
        if let Err(error) = copies::sign_all(app, Scope::system(), certificate, None).await {
            tracing::error!(%certificate, error = %crate::causes::with_causes(&error), "an intent cannot be finished");
        }
    }
    Ok(())
}

/// Hands the contracts over to the authority, where setting it up was cut short, or to its new account.
async fn hand_over(app: &App) -> Result<(), Error> {
    if crate::app::setup::is_open(app).await? || (app.handed_over() && !chain::is_rotating(app).await?) {
        return Ok(());
    }
    chain::hand_over(app).await?;
    if chain::is_handed_over(app).await? {
        app.set_handed_over();
    }
    Ok(())
}

/// Rows that one sweep removes of what others refer to.
const SWEPT: u32 = 10_000;
/// How long a verifier can read the answer to its request: an hour after the request has ended.
const ANSWERS: i64 = 3_600;

/// Removes what has expired.
async fn sweep(app: &App) -> Result<(), Error> {
    let now = app.now();
    app.store
        .write(move |tx| {
            idempotency::sweep(tx, now)?;
            authorizations::sweep(tx, now)?;
            claims::sweep(tx, now)?;
            grants::sweep(tx, now, SWEPT)?;
            offers::sweep(tx, now, SWEPT)?;
            seen::sweep(tx, now)?;
            presentations::sweep(tx, now, ANSWERS)?;
            left_presentations::sweep(tx, now)?;
            event_rows::sweep(tx, now.plus(-events::KEPT))?;
            deliveries::sweep(tx, now.plus(-DELIVERIES_KEPT))?;
            push_rows::sweep(tx, now)?;
            limits::sweep(tx, now)?;
            requests::sweep(tx, now)
        })
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_that_panics_has_failed_and_does_not_end_the_job() {
        assert!(attempt(async { Ok(()) }).await.is_ok());
        let failed = attempt(async { panic!("a defect") }).await;
        assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
    }
}
