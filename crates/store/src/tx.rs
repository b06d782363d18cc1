//! One transaction, as the statements of the aggregates see it.

use crate::{
    Error,
    error::Code,
    postgres, sqlite,
    value::{Param, Row},
};
use std::sync::Arc;
use vidimus_core::Provider;

/// A transaction on either database. Its statements stand in this crate; other crates call the functions of the aggregates.
///
/// A statement that failed has failed the transaction: every later statement gives the same error, and the transaction is rolled back even
/// if its closure returns `Ok`. PostgreSQL works like that, so SQLite is made to. Where a conflict is expected, say `ON CONFLICT` instead.
pub struct Tx<'a> {
    database: Database<'a>,
    provider: &'a dyn Provider,
    failed: Option<Error>,
}

pub(crate) enum Database<'a> {
    Sqlite(&'a sqlite::Connection),
    Postgres(&'a postgres::Connection),
}

impl Database<'_> {
    pub(crate) fn execute(&self, statement: &'static str, params: &[Param<'_>]) -> Result<u64, Error> {
        match self {
            Self::Sqlite(connection) => connection.execute(statement, params),
            Self::Postgres(connection) => connection.execute(statement, params),
        }
    }

    pub(crate) fn query(&self, statement: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        match self {
            Self::Sqlite(connection) => connection.query(statement, params),
            Self::Postgres(connection) => connection.query(statement, params),
        }
    }

    pub(crate) fn run_batch(&self, statements: &str) -> Result<(), Error> {
        match self {
            Self::Sqlite(connection) => connection.run_batch(statements),
            Self::Postgres(connection) => connection.run_batch(statements),
        }
    }
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.database {
            Database::Sqlite(_) => "Tx(SQLite)",
            Database::Postgres(_) => "Tx(PostgreSQL)",
        })
    }
}

impl<'a> Tx<'a> {
    pub(crate) const fn new(database: Database<'a>, provider: &'a dyn Provider) -> Self {
        Self {
            database,
            provider,
            failed: None,
        }
    }

    /// What hashes, for functions that chain.
    pub(crate) const fn provider(&self) -> &'a dyn Provider {
        self.provider
    }

    pub(crate) const fn failure(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    pub(crate) fn into_failure(self) -> Option<Error> {
        self.failed
    }

    /// Runs a statement and says how many rows it changed. `statement` is one text for both databases, its parameters `$1…` numbered in the
    /// order of their first appearance.
    pub(crate) fn execute(&mut self, statement: &'static str, params: &[Param<'_>]) -> Result<u64, Error> {
        self.guard(|database| database.execute(statement, params))
    }

    /// Runs a statement and gives all its rows. Statements name their columns and bound their answers.
    pub(crate) fn query(&mut self, statement: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.guard(|database| database.query(statement, params))
    }

    /// All rows that a statement gives, each as `read` takes it.
    pub(crate) fn list<T>(
        &mut self,
        statement: &'static str,
        params: &[Param<'_>],
        read: impl FnMut(Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.query(statement, params)?.into_iter().map(read).collect()
    }

    /// The row that a statement gives, if it gives one, as `read` takes it.
    pub(crate) fn find<T>(
        &mut self,
        statement: &'static str,
        params: &[Param<'_>],
        read: impl FnOnce(Row) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.query_one(statement, params)?.map(read).transpose()
    }

    /// Runs a statement that gives at most one row.
    pub(crate) fn query_one(&mut self, statement: &'static str, params: &[Param<'_>]) -> Result<Option<Row>, Error> {
        let mut rows = self.query(statement, params)?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            _ => Err(self.fail(Error::Statement {
                code: Code::new("more than one row"),
                statement: statement.into(),
            })),
        }
    }

    /// Runs a statement that gives exactly one row, such as a count or an insert with `RETURNING`.
    pub(crate) fn query_exactly(&mut self, statement: &'static str, params: &[Param<'_>]) -> Result<Row, Error> {
        match self.query_one(statement, params)? {
            Some(row) => Ok(row),
            None => Err(self.fail(Error::Statement {
                code: Code::new("no row"),
                statement: statement.into(),
            })),
        }
    }

    /// Fails the transaction: a compare-and-set that did not take, or a row that cannot be.
    pub(crate) fn fail(&mut self, error: Error) -> Error {
        self.failed.get_or_insert(error).clone()
    }

    /// The text of a conflict that the schema cannot say.
    pub(crate) fn conflict(&mut self, constraint: &str) -> Error {
        self.fail(Error::Conflict {
            constraint: Arc::from(constraint),
        })
    }

    fn guard<T>(&mut self, run: impl FnOnce(&Database<'a>) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        run(&self.database).map_err(|error| self.fail(error))
    }
}
