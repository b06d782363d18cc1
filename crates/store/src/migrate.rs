//! The schema, in numbered steps. Expand first, contract in a later release, so that the version before can still run beside this one.
//!
//! A step is one text with type words in braces: `{bytes}` BLOB or BYTEA, `{int}` INTEGER or BIGINT, `{text}` TEXT, on PostgreSQL ordered by
//! bytes as in SQLite, `{table}` what follows a table's closing parenthesis.

use crate::{Error, postgres, sqlite, tx::Database, value::params};
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
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "first",
        text: include_str!("../migrations/0001_first.sql"),
    },
    Migration {
        number: 2,
        name: "offers",
        text: include_str!("../migrations/0002_offers.sql"),
    },
    Migration {
        number: 3,
        name: "unfinished",
        text: include_str!("../migrations/0003_unfinished.sql"),
    },
    Migration {
        number: 4,
        name: "delegates",
        text: include_str!("../migrations/0004_delegates.sql"),
    },
    Migration {
        number: 5,
        name: "connections",
        text: include_str!("../migrations/0005_connections.sql"),
    },
    Migration {
        number: 6,
        name: "wallets",
        text: include_str!("../migrations/0006_wallets.sql"),
    },
    Migration {
        number: 7,
        name: "delivery",
        text: include_str!("../migrations/0007_delivery.sql"),
    },
    Migration {
        number: 8,
        name: "tries",
        text: include_str!("../migrations/0008_tries.sql"),
    },
    Migration {
        number: 9,
        name: "again",
        text: include_str!("../migrations/0009_again.sql"),
    },
    Migration {
        number: 10,
        name: "events",
        text: include_str!("../migrations/0010_events.sql"),
    },
    Migration {
        number: 11,
        name: "indexes",
        text: include_str!("../migrations/0011_indexes.sql"),
    },
];

impl Migration {
    fn checksum(&self, provider: &dyn Provider) -> Digest {
        provider.sha256(&[self.text.as_bytes()])
    }

    /// With the type words of this database.
    fn filled(&self, database: &Database<'_>) -> String {
        let words = match database {
            Database::Sqlite(_) => ["BLOB", "INTEGER", "TEXT", "STRICT"],
            Database::Postgres(_) => ["BYTEA", "BIGINT", "TEXT COLLATE \"C\"", ""],
        };
        ["{bytes}", "{int}", "{text}", "{table}"]
            .iter()
            .zip(words)
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
    // The lock is taken before looking, so that two processes do not both find the same step missing.
    let begin = "BEGIN IMMEDIATE";
    let table = "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL) STRICT";
    while step(&Database::Sqlite(connection), begin, &[table], provider)? {}
    Ok(())
}

pub(crate) fn postgres(connection: &postgres::Connection, provider: &dyn Provider) -> Result<(), Error> {
    let prepare = [
        // One instance migrates; the others wait here, however long it takes, and then find nothing to do.
        "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0",
        "SELECT pg_advisory_xact_lock(6213817409912)",
        "CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum BYTEA NOT NULL)",
    ];
    while step(&Database::Postgres(connection), "BEGIN", &prepare, provider)? {}
    Ok(())
}

/// Applies the next step, in a transaction of its own; `false` when there is none.
fn step(database: &Database<'_>, begin: &str, prepare: &[&str], provider: &dyn Provider) -> Result<bool, Error> {
    database.run_batch(begin)?;
    let done = (|| {
        prepare.iter().try_for_each(|statement| database.run_batch(statement))?;
        let Some(next) = missing(MIGRATIONS, database.query(LIST, &[])?, provider)?.first() else {
            return Ok(false);
        };
        let apply = || {
            database.run_batch(&next.filled(database))?;
            let checksum = next.checksum(provider);
            database.execute(RECORD, params![next.number, *next.name, checksum])
        };
        apply().map_err(|error| next.failed(error))?;
        Ok(true)
    })();
    match done {
        Ok(_) => database.run_batch("COMMIT")?,
        Err(_) => {
            let _ = database.run_batch("ROLLBACK");
        }
    }
    done
}
