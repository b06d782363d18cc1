//! PostgreSQL: a pool of connections, a transaction for each request, in READ COMMITTED.
//!
//! What must hold is held by constraints and compare-and-set, not by the isolation level. Each write counts itself in its connection's row of
//! `connections`, and a commit whose reply was lost is looked up there; only when the server cannot tell is the outcome unknown. (Not by
//! `pg_xact_status`: a server that crashed gives the ids of transactions that never reached its log to others, whose fate it would then tell.)

use crate::{
    Error, Tx, address,
    error::Code,
    migrate,
    sqlite::attempt,
    store::Health,
    tx::Database,
    value::{Param, Row, Value},
};
use deadpool_postgres::{Hook, HookError, Object, Pool, Runtime};
use std::{any::Any, panic::resume_unwind, sync::Arc, time::Duration};
use tokio::runtime::Handle;
use tokio_postgres::{
    SimpleQueryMessage,
    error::SqlState,
    types::{FromSql, IsNull, ToSql, Type, private::BytesMut},
};
use vidimus_core::Provider;

/// How often a request runs again after a serialization failure, a deadlock or a lost connection, with growing pauses: about two seconds.
const TRIES: u32 = 10;
/// How long a lost commit is looked up before its outcome counts as unknown. A transaction that still stands open somewhere ends within
/// `idle_in_transaction_session_timeout`.
const LOOKUP: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);
/// The connection's name in `connections`, given to it when it is made.
const NAME: &str = "SELECT set_config('vidimus.connection', gen_random_uuid()::text, false)";
/// Begins a write and counts it; no row where the connection is not counted yet.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
     UPDATE connections SET writes = writes + 1, used = CAST(extract(epoch FROM now()) AS BIGINT) \
     WHERE id = current_setting('vidimus.connection') RETURNING id, writes::text";
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Counts the connection from now on, and forgets those that were not used for a week: nobody looks for their commits any more.
const COUNT: &str = "DELETE FROM connections WHERE used < CAST(extract(epoch FROM now()) AS BIGINT) - 604800; \
     INSERT INTO connections (id, writes, used) \
     VALUES (current_setting('vidimus.connection'), 0, CAST(extract(epoch FROM now()) AS BIGINT))";

pub(crate) struct Postgres {
    pool: Pool,
    provider: Arc<dyn Provider>,
    health: Arc<Health>,
}

/// How one try ended.
enum Try<T, E> {
    Ended(Result<T, E>),
    /// Nothing was written; worth another try.
    Again(Error),
    /// The reply to COMMIT did not come.
    Lost {
        result: T,
        write: Write,
        code: Code,
    },
}

/// A write: the connection that made it, and how many it had made with it.
struct Write {
    connection: String,
    number: i64,
}

impl Postgres {
    pub(crate) async fn open(
        url: &str,
        connections: usize,
        provider: Arc<dyn Provider>,
        health: Arc<Health>,
    ) -> Result<Self, Error> {
        let manager = address::manager(url)?;
        let pool = Pool::builder(manager)
            .max_size(connections.max(2))
            .wait_timeout(Some(Duration::from_secs(10)))
            .create_timeout(Some(Duration::from_secs(10)))
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move {
                    // Durable even where the server's default is not.
                    let settings = "SET synchronous_commit = on; SET lock_timeout = '10s'; SET statement_timeout = '60s'; \
                                    SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = warning";
                    client.batch_execute(settings).await.map_err(HookError::Backend)?;
                    client.batch_execute(NAME).await.map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(|_| Error::open("the pool of connections cannot be made"))?;
        let this = Self { pool, provider, health };
        let connection = this.connect().await.map_err(|error| match error {
            Error::Unavailable { code, .. } => Error::open(format!(
                "PostgreSQL does not let us in (code {code}); check that it runs, the address, the user and the database"
            )),
            other => other,
        })?;
        let provider = this.provider.clone();
        let migrated = tokio::task::spawn_blocking(move || migrate::postgres(&connection, provider.as_ref())).await;
        migrated.unwrap_or_else(|panic| resume_unwind(panic.into_panic()))?;
        Ok(this)
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.transact(work, true).await
    }

    pub(crate) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.transact(work, false).await
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }

    async fn transact<T, E, F>(&self, work: F, write: bool) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let work = Arc::new(work);
        let mut last = Error::unavailable("PostgreSQL does not answer", "none");
        for round in 0..TRIES {
            if round > 0 {
                tokio::time::sleep(Duration::from_millis(4 << round.min(7))).await;
            }
            let connection = match self.connect().await {
                Ok(connection) => connection,
                // It was waited for long enough.
                Err(error) if error.code().is_some_and(|code| *code == Code::new("pool")) => return Err(error.into()),
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            let (work, provider) = (work.clone(), self.provider.clone());
            let run = tokio::task::spawn_blocking(move || connection.attempt(work.as_ref(), write, provider.as_ref()));
            match run.await.unwrap_or_else(|failed| Err(failed.into_panic())) {
                Err(panic) => resume_unwind(panic),
                Ok(Try::Ended(result)) => return result,
                Ok(Try::Again(error)) => last = error,
                Ok(Try::Lost { result, write, code }) => match self.look_up(&write).await {
                    Some(true) => return Ok(result),
                    Some(false) => {
                        last = Error::Unavailable {
                            reason: "PostgreSQL went away",
                            code,
                        }
                    }
                    None => return Err(self.health.poison(code).into()),
                },
            }
        }
        Err(last.into())
    }

    async fn connect(&self) -> Result<Connection, Error> {
        match self.pool.get().await {
            Ok(client) => Ok(Connection {
                client,
                runtime: Handle::current(),
            }),
            Err(deadpool_postgres::PoolError::Backend(error)) => Err(unavailable(&error)),
            Err(deadpool_postgres::PoolError::Closed) => Err(Error::unavailable("the store is closed", "closed")),
            Err(_) => Err(Error::unavailable(
                "no connection to PostgreSQL became free in time",
                "pool",
            )),
        }
    }

    /// Whether a write was committed; `None` when the server cannot tell.
    async fn look_up(&self, write: &Write) -> Option<bool> {
        // Waits for the write, where its connection is not buried yet: it holds this row.
        let statement = "SELECT writes FROM connections WHERE id = $1 FOR UPDATE";
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < LOOKUP {
            if let Ok(connection) = self.connect().await
                && let Ok(row) = connection.client.query_opt(statement, &[&write.connection]).await
            {
                // It was counted before the write began. Where it is not there, this is not the database that it was.
                let writes = row?.try_get::<_, i64>(0).ok()?;
                return Some(writes >= write.number);
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }
}

/// A connection from the pool, used from a thread that may block.
pub(crate) struct Connection {
    client: Object,
    runtime: Handle,
}

impl Connection {
    fn attempt<T, E: From<Error>>(
        self,
        work: &impl Fn(&mut Tx<'_>) -> Result<T, E>,
        write: bool,
        provider: &dyn Provider,
    ) -> Result<Try<T, E>, Box<dyn Any + Send>> {
        let begun = match self.begin(write) {
            Ok(begun) => begun,
            Err(error) => {
                // It may stand in a transaction that failed.
                drop(Object::take(self.client));
                return Ok(Try::Again(error));
            }
        };
        let mut cause = None;
        let observed = |tx: &mut Tx<'_>| work(tx);
        let tx = Tx::new(Database::Postgres(&self), provider);
        let result = match attempt_observed(&observed, tx, &mut cause) {
            Ok(result) => result,
            Err(panic) => {
                // The transaction dies with the connection.
                drop(Object::take(self.client));
                return Err(panic);
            }
        };
        match result {
            Ok(result) => match self.runtime.block_on(self.client.simple_query("COMMIT")) {
                Ok(_) => Ok(Try::Ended(Ok(result))),
                Err(error) => Ok(self.commit_failed(result, &error, begun)),
            },
            Err(error) => {
                if self.runtime.block_on(self.client.simple_query("ROLLBACK")).is_err() {
                    drop(Object::take(self.client));
                }
                match cause {
                    Some(cause) if is_transient(&cause) => Ok(Try::Again(cause)),
                    _ => Ok(Try::Ended(Err(error))),
                }
            }
        }
    }

    /// Begins; a write is counted in the same round trip.
    fn begin(&self, write: bool) -> Result<Option<Write>, Error> {
        if !write {
            self.ask(BEGIN_READ)?;
            return Ok(None);
        }
        if let Some(counted) = self.ask(BEGIN_WRITE)? {
            return Ok(Some(counted));
        }
        self.ask("ROLLBACK")?;
        self.ask(COUNT)?;
        let counted = self.ask(BEGIN_WRITE)?;
        counted.map(Some).ok_or(Error::Unavailable {
            reason: "PostgreSQL forgot a connection as soon as it was counted",
            code: Code::new("connections"),
        })
    }

    fn ask(&self, statements: &str) -> Result<Option<Write>, Error> {
        let answers = self
            .runtime
            .block_on(self.client.simple_query(statements))
            .map_err(|error| pg_error(statements, &error))?;
        Ok(answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => Some(Write {
                connection: row.get(0)?.to_owned(),
                number: row.get(1)?.parse().ok()?,
            }),
            _ => None,
        }))
    }

    fn commit_failed<T, E: From<Error>>(
        self,
        result: T,
        error: &tokio_postgres::Error,
        begun: Option<Write>,
    ) -> Try<T, E> {
        let Some(write) = begun else {
            return Try::Ended(Ok(result));
        };
        let known = error.as_db_error().is_some_and(|db| db.severity() == "ERROR");
        if !known {
            drop(Object::take(self.client));
            return Try::Lost {
                result,
                write,
                code: pg_code(error),
            };
        }
        let error = pg_error("COMMIT", error);
        if is_transient(&error) {
            Try::Again(error)
        } else {
            Try::Ended(Err(error.into()))
        }
    }

    pub(crate) fn execute(&self, statement: &'static str, params: &[Param<'_>]) -> Result<u64, Error> {
        self.runtime
            .block_on(async {
                let prepared = self.client.prepare_cached(statement).await?;
                let bound: Vec<Bound<'_>> = params.iter().copied().map(Bound).collect();
                let params: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|param| param as _).collect();
                self.client.execute(&prepared, &params).await
            })
            .map_err(|error| pg_error(statement, &error))
    }

    pub(crate) fn query(&self, statement: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let read = async {
            let prepared = self.client.prepare_cached(statement).await?;
            let bound: Vec<Bound<'_>> = params.iter().copied().map(Bound).collect();
            let params: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|param| param as _).collect();
            let rows = self.client.query(&prepared, &params).await?;
            let owned = |row: &tokio_postgres::Row| {
                (0..row.len())
                    .map(|place| row.try_get::<_, Value>(place))
                    .collect::<Result<_, _>>()
                    .map(Row)
            };
            rows.iter().map(owned).collect::<Result<_, _>>()
        };
        self.runtime
            .block_on(read)
            .map_err(|error: tokio_postgres::Error| pg_error(statement, &error))
    }

    /// Several statements of a migration.
    pub(crate) fn run_batch(&self, statements: &str) -> Result<(), Error> {
        self.runtime
            .block_on(self.client.batch_execute(statements))
            .map_err(|error| pg_error("migration", &error))
    }
}

/// As [`attempt`], and keeps the store's own error apart from what the work made of it.
fn attempt_observed<T, E: From<Error>>(
    work: &impl Fn(&mut Tx<'_>) -> Result<T, E>,
    tx: Tx<'_>,
    cause: &mut Option<Error>,
) -> Result<Result<T, E>, Box<dyn Any + Send>> {
    let seen = std::cell::RefCell::new(None);
    let result = attempt(
        &|tx: &mut Tx<'_>| {
            let result = work(tx);
            *seen.borrow_mut() = tx.failure().cloned();
            result
        },
        tx,
    );
    *cause = seen.into_inner();
    result
}

/// Whether the same transaction may succeed at once: the server gave it up in favour of another, or is restarting.
fn is_transient(error: &Error) -> bool {
    let Error::Unavailable { code, .. } = error else {
        return false;
    };
    let code = &*code.0;
    code == "closed connection" || code.starts_with("40") || code.starts_with("08") || code.starts_with("57P")
}

fn pg_code(error: &tokio_postgres::Error) -> Code {
    Code::new(error.code().map_or("closed connection", SqlState::code))
}

fn unavailable(error: &tokio_postgres::Error) -> Error {
    Error::Unavailable {
        reason: "PostgreSQL does not answer",
        code: pg_code(error),
    }
}

/// Takes code and constraint only: a server's message and detail quote values.
fn pg_error(statement: &str, error: &tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        let driver = !error.is_closed() && std::error::Error::source(error).is_some_and(|e| !e.is::<std::io::Error>());
        if driver {
            return Error::Statement {
                code: Code::new("driver"),
                statement: statement.into(),
            };
        }
        return unavailable(error);
    };
    let code = pg_code(error);
    let because = |reason| Error::Unavailable {
        reason,
        code: code.clone(),
    };
    match db.code().code() {
        "23505" | "23514" | "23P01" => Error::conflict(db.constraint().unwrap_or("unnamed")),
        "23503" => Error::conflict("foreign_key"),
        "53100" => because("PostgreSQL's disk is full; make room"),
        "XX001" | "XX002" => Error::corrupt(db.table().unwrap_or("a table of PostgreSQL")),
        "25006" => because("PostgreSQL is read-only: a standby, or out of room"),
        "55P03" | "57014" => because("a lock was held for too long"),
        other if other.starts_with("40") => because("too many writes of the same rows at once"),
        other if ["08", "53", "57", "58"].iter().any(|class| other.starts_with(class)) => {
            because("PostgreSQL does not answer")
        }
        _ => Error::Statement {
            code,
            statement: statement.into(),
        },
    }
}

#[derive(Debug)]
struct Bound<'a>(Param<'a>);

type Converted<T> = Result<T, Box<dyn std::error::Error + Sync + Send>>;

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Converted<IsNull> {
        match self.0 {
            Param::Null => Ok(IsNull::Yes),
            Param::Int(number) if *ty == Type::INT4 => i32::try_from(number)?.to_sql(ty, out),
            Param::Int(number) if *ty == Type::INT8 => number.to_sql(ty, out),
            Param::Text(text) if <&str as ToSql>::accepts(ty) => text.to_sql(ty, out),
            Param::Bytes(bytes) if *ty == Type::BYTEA => bytes.to_sql(ty, out),
            _ => Err(format!("a parameter of type {ty} is given another").into()),
        }
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    tokio_postgres::types::to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Converted<Self> {
        match *ty {
            Type::INT8 => i64::from_sql(ty, raw).map(Self::Int),
            Type::INT4 => i32::from_sql(ty, raw).map(|number| Self::Int(number.into())),
            Type::BOOL => bool::from_sql(ty, raw).map(|is| Self::Int(is.into())),
            Type::BYTEA => Ok(Self::Bytes(raw.to_owned())),
            _ => String::from_sql(ty, raw).map(Self::Text),
        }
    }
    fn from_sql_null(_: &Type) -> Converted<Self> {
        Ok(Self::Null)
    }
    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4 | Type::BOOL | Type::BYTEA) || <String as FromSql<'_>>::accepts(ty)
    }
}
