//! SQLite: one thread writes and groups commits, several connections read.
//!
//! While one commit waits for the disk, requests queue up; the next transaction takes as many as are there, so throughput grows with load and
//! a lone request waits for nobody.

mod connection;

pub(crate) use connection::Connection;

use crate::{Error, Missing, Tx, migrate, store::Health, tx::Database, value::Value};
use connection::{constraints, sqlite_code};
use rusqlite::ffi::ErrorCode;
use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, oneshot};
use vidimus_core::Provider;

/// Requests in one commit at most.
const GROUP: usize = 512;
/// After this long a group is committed even if more requests wait, so that the first of it does not wait for the last.
const LINGER: Duration = Duration::from_millis(4);
/// For so many groups after a request failed half done, each request's beginning is marked, so that it alone can be undone.
const MARKED: u32 = 256;
/// Requests that may wait for the writer. More are refused: the service is past what its disk can do.
const QUEUE: usize = 8192;
const READERS: usize = 4;

pub(crate) struct Sqlite {
    queue: SyncSender<Message>,
    readers: Arc<Readers>,
    health: Arc<Health>,
    provider: Arc<dyn Provider>,
}

enum Message {
    Request(Box<dyn Request>),
    Close(oneshot::Sender<()>),
}

struct Readers {
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Sqlite {
    pub(crate) fn open(
        path: &Path,
        missing: Missing,
        provider: Arc<dyn Provider>,
        health: Arc<Health>,
    ) -> Result<Self, Error> {
        prepare_file(path, missing)?;
        let mut writer = Connection::open(path, false)?;
        migrate::sqlite(&writer, provider.as_ref())?;
        writer.constraints = Arc::new(constraints(&writer.inner).map_err(|e| writer.error("schema", &e))?);
        let mut idle = Vec::new();
        for _ in 0..READERS {
            let mut reader = Connection::open(path, true)?;
            reader.constraints = writer.constraints.clone();
            idle.push(reader);
        }
        let (queue, requests) = sync_channel(QUEUE);
        let thread = Writer {
            connection: writer,
            provider: provider.clone(),
            health: health.clone(),
            marked: Cell::new(0),
        };
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || thread.serve(&requests))
            .map_err(|_| Error::open("no thread could be started for the writer: check the limits on processes"))?;
        let readers = Arc::new(Readers {
            permits: Arc::new(Semaphore::new(READERS)),
            idle: Mutex::new(idle),
        });
        Ok(Self {
            queue,
            readers,
            health,
            provider,
        })
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let request = Box::new(Pending {
            work,
            outcome: None,
            reply,
        });
        match self.queue.try_send(Message::Request(request)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return Err(Error::unavailable("more writes wait than the disk can take; retry later", "queue").into());
            }
            Err(TrySendError::Disconnected(_)) => return Err(self.gone().into()),
        }
        match answer.await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(self.gone().into()),
        }
    }

    pub(crate) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let provider = self.provider.clone();
        self.with_reader(move |connection| look(connection, provider.as_ref(), &work))
            .await
    }

    /// On the thread that asks, if a connection is idle.
    pub(crate) async fn get<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let Ok(_permit) = self.readers.permits.try_acquire() else {
            return self.read(work).await;
        };
        self.readers
            .lend(|connection| look(connection, self.provider.as_ref(), &work))
    }

    pub(crate) async fn examine(&self) -> Result<(), Error> {
        self.with_reader(|connection| {
            let check = connection.query("PRAGMA integrity_check(1)", &[])?;
            let whole = check.len() == 1 && check[0].0 == [Value::Text("ok".into())];
            if !whole || !connection.query("PRAGMA foreign_key_check", &[])?.is_empty() {
                return Err(Error::corrupt("integrity check"));
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        let queue = self.queue.clone();
        // Blocks while the queue is full, hence not on the runtime.
        let sent = tokio::task::spawn_blocking(move || queue.send(Message::Close(done)).is_ok()).await;
        if matches!(sent, Ok(true)) {
            let _ = closed.await;
        }
        let Ok(_all) = self.readers.permits.acquire_many(READERS as u32).await else {
            return;
        };
        self.readers.permits.close();
        self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn gone(&self) -> Error {
        self.health
            .check()
            .err()
            .unwrap_or_else(|| Error::unavailable("the store is closed", "closed"))
    }

    async fn with_reader<T, E>(&self, work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let readers = self.readers.clone();
        let permit = readers.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::unavailable("the store is closed", "closed"))?;
        let run = tokio::task::spawn_blocking(move || {
            // Until the connection is back, also when nobody waits for the work any more.
            let _permit = permit;
            readers.lend(work)
        });
        match run.await {
            Ok(result) => result,
            Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
            // The runtime is being shut down and dropped the work before it began.
            Err(_) => Err(Error::unavailable("the store is closed", "closed").into()),
        }
    }
}

impl Readers {
    /// For who has a permit.
    fn lend<T>(&self, work: impl FnOnce(&Connection) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = idle().pop().expect("as many connections as permits");
        let result = catch_unwind(AssertUnwindSafe(|| work(&connection)));
        idle().push(connection);
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Runs `work` in a transaction that only reads.
fn look<T, E: From<Error>>(
    connection: &Connection,
    provider: &dyn Provider,
    work: &impl Fn(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    connection.run("BEGIN")?;
    let result = attempt(work, Tx::new(Database::Sqlite(connection), provider));
    // Nothing was written, so how the transaction ends decides nothing; the connection must only be out of it.
    let ended = connection.run("COMMIT");
    match (result, ended) {
        (Ok(Ok(_)), Err(error)) => Err(error.into()),
        (Ok(result), _) => result,
        (Err(panic), _) => resume_unwind(panic),
    }
}

/// Makes the file itself, so that only its owner can read it; SQLite gives its two companions the same mode.
fn prepare_file(path: &Path, missing: Missing) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    if missing == Missing::Refuse {
        return Err(Error::open(format!(
            "there is no database at {}; `vidimus init` makes one, or set the right path",
            path.display()
        )));
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::open(format!("{} cannot be made ({error})", path.display()))),
    }
}

/// A request, whatever it returns.
trait Request: Send {
    /// Runs the work; whether its effects are to be kept.
    fn run(&mut self, tx: Tx<'_>) -> bool;
    /// Answers, after the commit or its failure.
    fn finish(self: Box<Self>, commit: Result<(), Error>);
    /// Nobody waits for the answer.
    fn is_abandoned(&self) -> bool;
}

type Panic = Box<dyn Any + Send>;

struct Pending<F, T, E> {
    work: F,
    outcome: Option<Result<Result<T, E>, Panic>>,
    reply: oneshot::Sender<Result<Result<T, E>, Panic>>,
}

impl<F, T, E> Request for Pending<F, T, E>
where
    F: Fn(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, tx: Tx<'_>) -> bool {
        let outcome = attempt(&self.work, tx);
        let keep = matches!(outcome, Ok(Ok(_)));
        self.outcome = Some(outcome);
        keep
    }
    fn finish(self: Box<Self>, commit: Result<(), Error>) {
        let answer = match (self.outcome, commit) {
            (Some(panic @ Err(_)), _) => panic,
            (Some(outcome), Ok(())) => outcome,
            // A refusal too: what it was about may have been a neighbour's, and is gone.
            (_, Err(error)) => Ok(Err(error.into())),
            (None, Ok(())) => Ok(Err(Error::unavailable("the request was not run", "queue").into())),
        };
        // The caller may have gone away meanwhile; what was committed stays committed.
        let _ = self.reply.send(answer);
    }
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}

/// Runs the work once. A transaction in which a statement failed never counts as a success.
pub(crate) fn attempt<T, E: From<Error>>(
    work: &impl Fn(&mut Tx<'_>) -> Result<T, E>,
    mut tx: Tx<'_>,
) -> Result<Result<T, E>, Panic> {
    let result = catch_unwind(AssertUnwindSafe(|| work(&mut tx)))?;
    Ok(match (result, tx.into_failure()) {
        (Ok(_), Some(error)) => Err(error.into()),
        (result, _) => result,
    })
}

struct Writer {
    connection: Connection,
    provider: Arc<dyn Provider>,
    health: Arc<Health>,
    /// For so many groups yet, each request's beginning is marked. A mark makes SQLite copy each page before it changes, and few requests fail
    /// after they have changed something.
    marked: Cell<u32>,
}

/// How running a request inside the group's transaction ended.
enum Step {
    Ended,
    /// It failed half done, and nothing marked where it began: the whole group must be undone and run again.
    Spoiled,
    /// SQLite has rolled the whole transaction back (a full disk, a read error): the others of the group must run again.
    Lost,
}

impl Writer {
    fn serve(self, requests: &Receiver<Message>) {
        let mut closing = None;
        while closing.is_none() {
            match requests.recv() {
                Ok(Message::Request(first)) => closing = self.group(first, requests),
                Ok(Message::Close(done)) => closing = Some(done),
                Err(_) => return,
            }
        }
        let done = closing;
        // Folds the log into the file, so that a copy of a closed database is one file. Not needed for safety.
        let _ = self.connection.query("PRAGMA wal_checkpoint(TRUNCATE)", &[]);
        drop(self.connection);
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    /// One group: at least `first`, and what else waits. Gives back the wish to close, if one came.
    #[allow(clippy::disallowed_methods, reason = "bounds the time of a group; orders no data")]
    fn group(&self, first: Box<dyn Request>, requests: &Receiver<Message>) -> Option<oneshot::Sender<()>> {
        let start = Instant::now();
        let mut closing = None;
        let mut group = Vec::new();
        if let Err(error) = self
            .health
            .check()
            .and_then(|()| self.connection.run("BEGIN IMMEDIATE"))
        {
            // Whoever waits behind the first would find the same after the same wait.
            first.finish(Err(error.clone()));
            for _ in 1..GROUP {
                match requests.try_recv() {
                    Ok(Message::Request(request)) => request.finish(Err(error.clone())),
                    Ok(Message::Close(done)) => return Some(done),
                    Err(_) => break,
                }
            }
            return None;
        }
        let marked = self.marked.get();
        self.marked.set(marked.saturating_sub(1));
        let mut next = Some(first);
        while let Some(mut request) = next.take() {
            let step = self.step(request.as_mut(), marked > 0);
            group.push(request);
            let step = match step {
                // Alone it needs no mark: it has its answer.
                Step::Spoiled if group.len() == 1 => {
                    self.connection.roll_back();
                    group.into_iter().for_each(|request| request.finish(Ok(())));
                    return closing;
                }
                Step::Spoiled => match self.again(&mut group) {
                    Ok(step) => step,
                    Err(error) => {
                        group.into_iter().for_each(|request| request.finish(Err(error.clone())));
                        return closing;
                    }
                },
                step => step,
            };
            if let Step::Lost = step {
                self.one_by_one(group);
                return closing;
            }
            // From the next group on beginnings are marked.
            let spoiled = self.marked.get() > marked;
            if spoiled || group.len() >= GROUP || start.elapsed() >= LINGER {
                break;
            }
            match requests.try_recv() {
                Ok(Message::Request(request)) => next = Some(request),
                Ok(Message::Close(done)) => closing = Some(done),
                Err(_) => {}
            }
        }
        match self.commit() {
            Ok(()) => group.into_iter().for_each(|request| request.finish(Ok(()))),
            Err(error) if error.is_retryable() && group.len() > 1 => self.one_by_one(group),
            Err(error) => group.into_iter().for_each(|request| request.finish(Err(error.clone()))),
        }
        closing
    }

    /// The group in a new transaction, each request's beginning marked.
    fn again(&self, group: &mut [Box<dyn Request>]) -> Result<Step, Error> {
        self.marked.set(MARKED);
        self.connection.roll_back();
        self.connection.run("BEGIN IMMEDIATE")?;
        for request in group {
            if let Step::Lost = self.step(request.as_mut(), true) {
                return Ok(Step::Lost);
            }
        }
        Ok(Step::Ended)
    }

    fn step(&self, request: &mut dyn Request, marked: bool) -> Step {
        if request.is_abandoned() {
            Step::Ended
        } else if marked {
            self.marked_step(request)
        } else {
            self.plain_step(request)
        }
    }

    fn plain_step(&self, request: &mut dyn Request) -> Step {
        let before = self.connection.inner.total_changes();
        let keep = request.run(self.tx());
        let changed = self.connection.inner.total_changes() != before;
        if self.connection.inner.is_autocommit() {
            Step::Lost
        } else if keep || !changed {
            Step::Ended
        } else {
            Step::Spoiled
        }
    }

    /// What fails is undone alone.
    fn marked_step(&self, request: &mut dyn Request) -> Step {
        if self.connection.run("SAVEPOINT request").is_err() {
            self.connection.roll_back();
            return Step::Lost;
        }
        let keep = request.run(self.tx());
        if self.connection.inner.is_autocommit() {
            return Step::Lost;
        }
        let undone = keep || self.connection.run("ROLLBACK TO request").is_ok();
        if undone && self.connection.run("RELEASE request").is_ok() {
            return Step::Ended;
        }
        self.connection.roll_back();
        Step::Lost
    }

    /// Each request in a transaction of its own: the one that cannot be fails, the others do not fail with it.
    fn one_by_one(&self, group: Vec<Box<dyn Request>>) {
        let mut none = None;
        for mut request in group {
            if request.is_abandoned() {
                continue;
            }
            if none.is_none() {
                let begun = self.health.check();
                none = begun.and_then(|()| self.connection.run("BEGIN IMMEDIATE")).err();
            }
            if let Some(error) = &none {
                // Whoever comes next would find the same after the same wait.
                request.finish(Err(error.clone()));
                continue;
            }
            let keep = request.run(self.tx());
            let lost = self.connection.inner.is_autocommit();
            if keep && !lost {
                request.finish(self.commit());
                continue;
            }
            self.connection.roll_back();
            let undone = || Error::unavailable("the transaction was rolled back; retry later", "rollback");
            // One that is not to be kept has its answer.
            request.finish(if keep { Err(undone()) } else { Ok(()) });
        }
    }

    fn tx(&self) -> Tx<'_> {
        Tx::new(Database::Sqlite(&self.connection), self.provider.as_ref())
    }

    fn commit(&self) -> Result<(), Error> {
        let Err(error) = self.connection.run_raw("COMMIT") else {
            return Ok(());
        };
        let code = sqlite_code(&error);
        let known = matches!(
            error.sqlite_error_code(),
            // The last frame of the log did not fit, so no reader will ever take the transaction for committed; or it was never tried.
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::OutOfMemory)
        );
        if known && (self.connection.inner.is_autocommit() || self.connection.run("ROLLBACK").is_ok()) {
            return Err(self.connection.error("COMMIT", &error));
        }
        Err(self.health.poison(code))
    }
}
