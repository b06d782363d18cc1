//! SQLite: one thread writes and groups commits, several connections read.
//!
//! While one commit waits for the disk, requests queue up; the next transaction takes as many as are there, so throughput grows with load and
//! a lone request waits for nobody.

use crate::{
    Error, Missing, Tx,
    error::Code,
    migrate,
    store::Health,
    tx::Database,
    value::{Param, Row, Value},
};
use rusqlite::{
    OpenFlags,
    ffi::{self, ErrorCode},
    types::{ToSqlOutput, ValueRef},
};
use std::{
    any::Any,
    collections::HashMap,
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
/// Requests that may wait for the writer. More are refused: the service is past what its disk can do.
const QUEUE: usize = 8192;
const READERS: usize = 4;
/// Another process (a backup, a command) may hold the write lock this long.
const BUSY: Duration = Duration::from_secs(5);

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
    permits: Semaphore,
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
        };
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || thread.serve(&requests))
            .map_err(|_| Error::open("no thread could be started for the writer: check the limits on processes"))?;
        let readers = Arc::new(Readers {
            permits: Semaphore::new(READERS),
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
        self.with_reader(move |connection| {
            connection.run("BEGIN")?;
            let result = attempt(&work, Tx::new(Database::Sqlite(connection), provider.as_ref()));
            // Nothing was written, so how the transaction ends decides nothing; the connection must only be out of it.
            let ended = connection.run("COMMIT");
            match (result, ended) {
                (Ok(Ok(_)), Err(error)) => Err(error.into()),
                (Ok(result), _) => result,
                (Err(panic), _) => resume_unwind(panic),
            }
        })
        .await
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
        let _permit = readers
            .permits
            .acquire()
            .await
            .map_err(|_| Error::unavailable("the store is closed", "closed"))?;
        let pool = readers.clone();
        let run = tokio::task::spawn_blocking(move || {
            let connection = pool.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = connection.expect("as many connections as permits");
            let result = catch_unwind(AssertUnwindSafe(|| work(&connection)));
            pool.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
            result.unwrap_or_else(|panic| resume_unwind(panic))
        });
        run.await.unwrap_or_else(|failed| resume_unwind(failed.into_panic()))
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
            (Some(outcome @ (Err(_) | Ok(Err(_)))), _) => outcome,
            (Some(outcome), Ok(())) => outcome,
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
}

/// How running a request inside the group's transaction ended.
enum Step {
    Ended,
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
        let mut next = Some(first);
        while let Some(mut request) = next.take() {
            let step = if request.is_abandoned() {
                Step::Ended
            } else {
                self.step(request.as_mut())
            };
            group.push(request);
            if let Step::Lost = step {
                self.one_by_one(group);
                return closing;
            }
            if group.len() >= GROUP || start.elapsed() >= LINGER {
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

    fn step(&self, request: &mut dyn Request) -> Step {
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
        for mut request in group {
            if request.is_abandoned() {
                continue;
            }
            let begun = self
                .health
                .check()
                .and_then(|()| self.connection.run("BEGIN IMMEDIATE"));
            if let Err(error) = begun {
                request.finish(Err(error));
                continue;
            }
            if request.run(self.tx()) && !self.connection.inner.is_autocommit() {
                request.finish(self.commit());
            } else {
                self.connection.roll_back();
                request.finish(Err(Error::unavailable(
                    "the transaction was rolled back; retry later",
                    "rollback",
                )));
            }
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

/// A connection and what is needed to name its errors.
pub(crate) struct Connection {
    inner: rusqlite::Connection,
    /// From the columns that SQLite names in an error to the name of the index.
    constraints: Arc<HashMap<String, Arc<str>>>,
}

impl Connection {
    fn open(path: &Path, read_only: bool) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let inner = rusqlite::Connection::open_with_flags(path, flags)
            .map_err(|error| Error::open(format!("{} (code {})", path.display(), sqlite_code(&error))))?;
        let connection = Self {
            inner,
            constraints: Arc::default(),
        };
        let pragmas = [
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
            "PRAGMA trusted_schema = OFF",
            "PRAGMA cell_size_check = ON",
            // What is deleted is overwritten: an erased salt or key does not stay behind in a free page.
            "PRAGMA secure_delete = ON",
            "PRAGMA temp_store = MEMORY",
            // KiB. There are several readers, and the system caches the file for all of them.
            if read_only {
                "PRAGMA cache_size = -8192"
            } else {
                "PRAGMA cache_size = -65536"
            },
            "PRAGMA wal_autocheckpoint = 4000",
            "PRAGMA journal_size_limit = 67108864",
        ];
        connection.inner.set_prepared_statement_cache_capacity(512);
        connection
            .inner
            .busy_timeout(BUSY)
            .map_err(|e| connection.error("busy_timeout", &e))?;
        for pragma in pragmas {
            let answer = connection.query(pragma, &[])?;
            let wal = [Value::Text("wal".into())];
            if pragma.contains("journal_mode =") && answer.first().is_none_or(|row| row.0 != wal) {
                return Err(Error::open(
                    "SQLite cannot keep a write-ahead log on this file system: use a local disk",
                ));
            }
        }
        if read_only {
            connection.query("PRAGMA query_only = ON", &[])?;
        }
        Ok(connection)
    }

    pub(crate) fn execute(&self, statement: &'static str, params: &[Param<'_>]) -> Result<u64, Error> {
        let run = || {
            let mut prepared = self.prepare(statement, params.len())?;
            bind(&mut prepared, params)?;
            prepared.raw_execute()
        };
        run()
            .map(|rows| rows as u64)
            .map_err(|error| self.error(statement, &error))
    }

    pub(crate) fn query(&self, statement: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let run = || {
            let mut prepared = self.prepare(statement, params.len())?;
            bind(&mut prepared, params)?;
            let columns = prepared.column_count();
            let mut rows = prepared.raw_query();
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let value = |place| row.get_ref(place).map(owned);
                all.push(Row((0..columns).map(value).collect::<Result<_, _>>()?));
            }
            Ok(all)
        };
        run().map_err(|error| self.error(statement, &error))
    }

    /// Several statements of a migration.
    pub(crate) fn run_batch(&self, statements: &str) -> Result<(), Error> {
        self.inner
            .execute_batch(statements)
            .map_err(|error| self.error("migration", &error))
    }

    pub(crate) fn run(&self, statement: &'static str) -> Result<(), Error> {
        self.run_raw(statement).map_err(|error| self.error(statement, &error))
    }

    fn run_raw(&self, statement: &'static str) -> rusqlite::Result<()> {
        self.inner.prepare_cached(statement)?.raw_execute().map(drop)
    }

    /// Ends a transaction that is not to be kept; when SQLite has ended it already there is nothing to do.
    fn roll_back(&self) {
        if !self.inner.is_autocommit() {
            let _ = self.run("ROLLBACK");
        }
    }

    fn prepare(&self, statement: &'static str, params: usize) -> rusqlite::Result<rusqlite::CachedStatement<'_>> {
        let prepared = self.inner.prepare_cached(statement)?;
        // SQLite numbers `$n` by first appearance; PostgreSQL by n. A statement is right only where the two agree.
        debug_assert!(
            (1..=prepared.parameter_count()).all(|i| prepared.parameter_name(i) == Some(&format!("${i}")))
                && prepared.parameter_count() == params,
            "parameters must be numbered in order of first appearance, and all given: {statement}"
        );
        Ok(prepared)
    }

    fn error(&self, statement: &str, error: &rusqlite::Error) -> Error {
        let code = sqlite_code(error);
        let rusqlite::Error::SqliteFailure(failure, message) = error else {
            return Error::Statement {
                code,
                statement: statement.into(),
            };
        };
        let unavailable = |reason| Error::Unavailable {
            reason,
            code: code.clone(),
        };
        match failure.code {
            ErrorCode::ConstraintViolation => self.constraint(failure.extended_code, message.as_deref(), statement),
            ErrorCode::DiskFull => unavailable("the disk is full; make room"),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
                unavailable("another process holds the database's lock")
            }
            ErrorCode::OutOfMemory => unavailable("out of memory"),
            ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_CORRUPTFS => {
                Error::corrupt("database file")
            }
            ErrorCode::SystemIoFailure => unavailable("the disk does not answer; check it"),
            ErrorCode::ReadOnly => unavailable("the database file or its disk is read-only"),
            ErrorCode::CannotOpen => {
                unavailable("a file of the database cannot be opened; check limits and permissions")
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Error::corrupt("database file"),
            _ => Error::Statement {
                code,
                statement: statement.into(),
            },
        }
    }

    fn constraint(&self, extended: i32, message: Option<&str>, statement: &str) -> Error {
        let named = message
            .and_then(|m| m.split_once("constraint failed: "))
            .map(|(_, name)| name);
        match (extended, named) {
            (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, _) => Error::conflict("foreign_key"),
            (ffi::SQLITE_CONSTRAINT_CHECK, Some(name)) => Error::conflict(name),
            (ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID, Some(columns)) => {
                // As PostgreSQL names it.
                let table = columns.split_once('.').map_or(columns, |(table, _)| table);
                Error::conflict(&format!("{table}_pkey"))
            }
            (ffi::SQLITE_CONSTRAINT_UNIQUE, Some(columns)) => match self.constraints.get(columns) {
                Some(name) => Error::Conflict {
                    constraint: name.clone(),
                },
                None => Error::conflict(columns),
            },
            _ => Error::Statement {
                code: Code::new(&extended.to_string()),
                statement: statement.into(),
            },
        }
    }
}

fn sqlite_code(error: &rusqlite::Error) -> Code {
    Code::new(
        &error
            .sqlite_error()
            .map_or_else(|| "driver".to_owned(), |e| e.extended_code.to_string()),
    )
}

fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        // No column of ours is of type REAL; NULL makes the reader say that the row is damaged.
        ValueRef::Real(_) => Value::Null,
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Bytes(text.to_owned()),
        },
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
    }
}

struct Bound<'a>(Param<'a>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Param::Null => ValueRef::Null,
            Param::Int(number) => ValueRef::Integer(number),
            Param::Text(text) => ValueRef::Text(text.as_bytes()),
            Param::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn bind(statement: &mut rusqlite::CachedStatement<'_>, params: &[Param<'_>]) -> rusqlite::Result<()> {
    for (place, param) in params.iter().enumerate() {
        statement.raw_bind_parameter(place + 1, Bound(*param))?;
    }
    Ok(())
}

/// SQLite names the columns of a violated index and PostgreSQL the index; this is the way from the one to the other.
fn constraints(connection: &rusqlite::Connection) -> rusqlite::Result<HashMap<String, Arc<str>>> {
    let mut names = HashMap::new();
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for table in tables {
        let mut indexes =
            connection.prepare("SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND origin = 'c'")?;
        let indexes: Vec<String> = indexes
            .query_map([&table], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for index in indexes {
            let mut columns = connection.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno")?;
            let columns: Vec<String> = columns
                .query_map([&index], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            names.insert(described(&table, &columns), index.into());
        }
    }
    Ok(names)
}

fn described(table: &str, columns: &[String]) -> String {
    columns
        .iter()
        .map(|column| format!("{table}.{column}"))
        .collect::<Vec<_>>()
        .join(", ")
}
