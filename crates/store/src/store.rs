//! The store: one handle for both databases.

use crate::{Error, Tx, error::Code, postgres::Postgres, sqlite::Sqlite};
use std::{path::PathBuf, sync::Arc};
use tokio::sync::watch;
use vidimus_core::Provider;

/// Which database, and where.
#[derive(Clone)]
pub enum Config {
    /// One file, on a local disk, for one instance.
    Sqlite {
        /// The database file. Two more appear beside it (`-wal`, `-shm`) and belong to it.
        path: PathBuf,
        /// What to do when there is no such file.
        missing: Missing,
    },
    /// A server, for several instances.
    Postgres {
        /// `postgres://user:password@host/database` or `host=… dbname=…`. May hold a password: it is never printed. Over a Unix socket or
        /// loopback the connection is as it is; to another host it is TLS, whose certificate the system's authorities or those in
        /// `sslrootcert=FILE` have signed for that name, unless `sslmode=disable` says otherwise.
        url: String,
        /// Connections at most; each write in progress takes one.
        connections: usize,
    },
}

/// What to do when there is no database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Make one (`vidimus init`).
    Create,
    /// Refuse, and say how to make one.
    Refuse,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite { path, missing } => f
                .debug_struct("Sqlite")
                .field("path", path)
                .field("missing", missing)
                .finish(),
            Self::Postgres { connections, .. } => f
                .debug_struct("Postgres")
                .field("connections", connections)
                .finish_non_exhaustive(),
        }
    }
}

/// The database. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
    health: Arc<Health>,
}

#[derive(Clone)]
enum Backend {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

/// Whether the outcome of every commit is known.
pub(crate) struct Health(watch::Sender<Option<Code>>);

impl Health {
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &*self.0.borrow() {
            None => Ok(()),
            Some(code) => Err(Error::Fatal { code: code.clone() }),
        }
    }
    pub(crate) fn poison(&self, code: Code) -> Error {
        tracing::error!(%code, "a commit failed with an unknown outcome: no more writes; stop and start again");
        self.0.send_if_modified(|state| {
            let first = state.is_none();
            state.get_or_insert_with(|| code.clone());
            first
        });
        Error::Fatal { code }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.backend {
            Backend::Sqlite(_) => "Store(SQLite)",
            Backend::Postgres(_) => "Store(PostgreSQL)",
        })
    }
}

impl Store {
    /// Opens the database and brings its schema up to date: each migration runs once, in a transaction of its own. A database that a newer
    /// version has migrated, or whose applied migrations read differently, is refused.
    ///
    /// `provider` hashes migrations and audit entries.
    pub async fn open(config: Config, provider: Arc<dyn Provider>) -> Result<Self, Error> {
        let health = Arc::new(Health(watch::Sender::new(None)));
        let backend = match config {
            Config::Sqlite { path, missing } => {
                let health = health.clone();
                let opened = tokio::task::spawn_blocking(move || Sqlite::open(&path, missing, provider, health)).await;
                Backend::Sqlite(Arc::new(
                    opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?,
                ))
            }
            Config::Postgres { url, connections } => Backend::Postgres(Arc::new(
                Postgres::open(&url, connections, provider, health.clone()).await?,
            )),
        };
        Ok(Self { backend, health })
    }

    /// Runs `work` in a transaction and returns after its commit is durable; an `Err` of `work` rolls it back.
    ///
    /// `work` may run more than once (a serialization failure, a full disk, a neighbour in its group that failed half done) and must have no effect
    /// but through its [`Tx`]: random values, ids and the time are made before and moved in. On SQLite, requests that wait at the same time share
    /// one commit, and an error of one never touches another. When the returned future is dropped, the work may or may not have been done.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.health.check()?;
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.write(work).await,
            Backend::Postgres(postgres) => postgres.write(work).await,
        }
    }

    /// Runs `work` in a read-only transaction: all its statements see one state of the database. Reads go on when writes are refused.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.read(work).await,
            Backend::Postgres(postgres) => postgres.read(work).await,
        }
    }

    /// [`Self::read`] for a few rows by their keys, and nothing that grows: SQLite reads them at once on the thread that asks, which costs less
    /// than handing the work to another thread and waiting for it.
    pub async fn get<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.get(work).await,
            Backend::Postgres(postgres) => postgres.read(work).await,
        }
    }

    /// Whether a commit has failed with an unknown outcome, so that the process must stop.
    pub fn is_poisoned(&self) -> bool {
        self.health.check().is_err()
    }

    /// Resolves when a commit has failed with an unknown outcome; never otherwise. The service waits for it beside its signals.
    pub async fn poisoned(&self) -> Error {
        let mut state = self.health.0.subscribe();
        let failed = state.wait_for(Option::is_some).await.map(|code| code.clone());
        match failed {
            Ok(Some(code)) => Error::Fatal { code },
            // The sender lives as long as `self`.
            _ => std::future::pending().await,
        }
    }

    /// Which database, for logs: `sqlite` or `postgresql`.
    pub const fn kind(&self) -> &'static str {
        match &self.backend {
            Backend::Sqlite(_) => "sqlite",
            Backend::Postgres(_) => "postgresql",
        }
    }

    /// Reads the whole database and looks for damage: SQLite's integrity check and every foreign key; on PostgreSQL, which has its own tools
    /// for that (`pg_amcheck`), only that it answers. Minutes on large databases; for `vidimus` commands, not for a health check.
    pub async fn examine(&self) -> Result<(), Error> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.examine().await,
            Backend::Postgres(postgres) => postgres.read(|tx| tx.query("SELECT 1", &[]).map(drop)).await,
        }
    }

    /// Waits for the writes in progress and closes the files; later writes are refused as unavailable.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(postgres) => postgres.close(),
        }
    }
}
