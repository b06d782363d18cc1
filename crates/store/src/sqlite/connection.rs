//! One SQLite connection: how it is set up, how statements run on it, what its errors mean.

use crate::{
    Error,
    error::Code,
    value::{Param, Row, Value},
};
use rusqlite::{
    OpenFlags,
    config::DbConfig,
    ffi::{self, ErrorCode},
    types::{ToSqlOutput, ValueRef},
};
use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

/// Another process (a backup, a command) may hold the write lock this long.
const BUSY: Duration = Duration::from_secs(5);

/// A connection and what is needed to name its errors.
pub(crate) struct Connection {
    pub(super) inner: rusqlite::Connection,
    /// From the columns that SQLite names in an error to the name of the index.
    pub(super) constraints: Arc<HashMap<String, Arc<str>>>,
}

impl Connection {
    pub(super) fn open(path: &Path, read_only: bool) -> Result<Self, Error> {
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
            // KiB. There are several readers, and the system caches the file for all of them. Not more for the writer: where a B-tree was balanced
            // SQLite looks through all cached pages at the commit.
            if read_only {
                "PRAGMA cache_size = -8192"
            } else {
                "PRAGMA cache_size = -16384"
            },
            // Pages of the log: what the journal's limit holds. A page that changed often meanwhile is written to the file once.
            "PRAGMA wal_autocheckpoint = 16000",
            "PRAGMA journal_size_limit = 67108864",
        ];
        connection.inner.set_prepared_statement_cache_capacity(512);
        // A plan holds whatever is bound. Without this every statement that might use an index with a condition is prepared anew at each use.
        connection
            .inner
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(|e| connection.error("query planner", &e))?;
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

    pub(super) fn run_raw(&self, statement: &'static str) -> rusqlite::Result<()> {
        self.inner.prepare_cached(statement)?.raw_execute().map(drop)
    }

    /// Ends a transaction that is not to be kept; when SQLite has ended it already there is nothing to do.
    pub(super) fn roll_back(&self) {
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

    pub(super) fn error(&self, statement: &str, error: &rusqlite::Error) -> Error {
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

pub(super) fn sqlite_code(error: &rusqlite::Error) -> Code {
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
pub(super) fn constraints(connection: &rusqlite::Connection) -> rusqlite::Result<HashMap<String, Arc<str>>> {
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
