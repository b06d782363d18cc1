//! The schema, in numbered steps. Expand first, contract in a later release, so that the version before can still run beside this one.
//!
//! A step is one text with type words in braces: `{bytes}` BLOB or BYTEA, `{int}` INTEGER or BIGINT, `{text}` TEXT, on PostgreSQL ordered by
//! bytes as in SQLite, `{table}` what follows a table's closing parenthesis.

use crate::{Error, postgres, sqlite};
use vidimus_core::{Digest, Provider};

/// A step of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its number; the first is 1.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    /// Its text, before the type words are put in.
    pub text: &'static str,
}

/// All steps, in order. An applied step never changes: write another.
pub const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "first",
    text: include_str!("../migrations/0001_first.sql"),
}];

impl Migration {
    fn checksum(&self, provider: &dyn Provider) -> Digest {
        provider.sha256(&[self.text.as_bytes()])
    }

    fn for_sqlite(&self) -> String {
        self.filled([
            ("{bytes}", "BLOB"),
            ("{int}", "INTEGER"),
            ("{text}", "TEXT"),
            ("{table}", "STRICT"),
        ])
    }

    fn for_postgres(&self) -> String {
        self.filled([
            ("{bytes}", "BYTEA"),
            ("{int}", "BIGINT"),
            ("{text}", "TEXT COLLATE \"C\""),
            ("{table}", ""),
        ])
    }

    fn filled(&self, words: [(&str, &str); 4]) -> String {
        words
            .iter()
            .fold(self.text.to_owned(), |text, (word, by)| text.replace(word, by))
    }

    fn failed(&self, source: Error) -> Error {
        Error::Migration {
            number: self.number,
            name: self.name.into(),
            source: Box::new(source),
        }
    }
}

const LIST: &str = "SELECT number, name, checksum FROM migrations ORDER BY number";
const RECORD: &str = "INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)";

/// The steps that are missing, after those that are there have been compared.
fn missing<'a>(
    known: &'a [Migration],
    applied: Vec<crate::value::Row>,
    provider: &dyn Provider,
) -> Result<&'a [Migration], Error> {
    let newest = known.last().map_or(0, |migration| migration.number);
    let count = applied.len();
    for (place, mut row) in applied.into_iter().enumerate() {
        let (number, name, checksum) = (row.take::<u32>(0)?, row.take::<String>(1)?, row.take::<Digest>(2)?);
        if number > newest {
            return Err(Error::SchemaNewer {
                found: number,
                known: newest,
            });
        }
        let same = known.get(place).is_some_and(|migration| {
            migration.number == number && migration.name == name && migration.checksum(provider) == checksum
        });
        if !same {
            return Err(Error::SchemaChanged {
                number,
                name: name.into(),
            });
        }
    }
    Ok(&known[count..])
}

pub(crate) fn sqlite(connection: &sqlite::Connection, provider: &dyn Provider) -> Result<(), Error> {
    sqlite_steps(connection, provider, MIGRATIONS)
}

fn sqlite_steps(connection: &sqlite::Connection, provider: &dyn Provider, known: &[Migration]) -> Result<(), Error> {
    loop {
        // The lock is taken before looking, so that two processes do not both find the same step missing.
        connection.run("BEGIN IMMEDIATE")?;
        let step = (|| {
            connection.run_batch(
                "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL) STRICT",
            )?;
            let Some(next) = missing(known, connection.query(LIST, &[])?, provider)?.first() else {
                return Ok(false);
            };
            let apply = || {
                connection.run_batch(&next.for_sqlite())?;
                let checksum = next.checksum(provider);
                connection.execute(RECORD, crate::value::params![next.number, *next.name, checksum])
            };
            apply().map_err(|error| next.failed(error))?;
            Ok(true)
        })();
        match step {
            Ok(more) => {
                connection.run("COMMIT")?;
                if !more {
                    return Ok(());
                }
            }
            Err(error) => {
                let _ = connection.run("ROLLBACK");
                return Err(error);
            }
        }
    }
}

pub(crate) fn postgres(connection: &postgres::Connection, provider: &dyn Provider) -> Result<(), Error> {
    loop {
        connection.run_batch("BEGIN")?;
        let step = (|| {
            // One instance migrates; the others wait here, however long it takes, and then find nothing to do.
            connection.run_batch("SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0")?;
            connection.run_batch("SELECT pg_advisory_xact_lock(6213817409912)")?;
            connection.run_batch(
                "CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum BYTEA NOT NULL)",
            )?;
            let Some(next) = missing(MIGRATIONS, connection.query(LIST, &[])?, provider)?.first() else {
                return Ok(false);
            };
            let apply = || {
                connection.run_batch(&next.for_postgres())?;
                let checksum = next.checksum(provider);
                connection.execute(RECORD, crate::value::params![next.number, *next.name, checksum])
            };
            apply().map_err(|error| next.failed(error))?;
            Ok(true)
        })();
        match step {
            Ok(more) => {
                connection.run_batch("COMMIT")?;
                if !more {
                    return Ok(());
                }
            }
            Err(error) => {
                let _ = connection.run_batch("ROLLBACK");
                return Err(error);
            }
        }
    }
}
