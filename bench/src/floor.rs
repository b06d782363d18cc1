//! What the floor servers share: a group commit over SQLite.

use axum::http::StatusCode;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};
use tokio::sync::oneshot;
use vidimus_core::Entropy;
use vidimus_crypto::OsEntropy;

type Work = Box<dyn Fn(&Connection) -> rusqlite::Result<()> + Send>;
type Queued = (Work, oneshot::Sender<()>);

/// Writes what is queued, as much as is there in one transaction.
pub struct Writer(SyncSender<Queued>);

impl Writer {
    /// Opens a database, makes what these statements say in it, and starts its writer. Log and cache are as large as the product's.
    pub fn open(path: &Path, tables: &str) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -16384; \
             PRAGMA wal_autocheckpoint = 16000; PRAGMA journal_size_limit = 67108864;",
        )?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch(tables)?;
        let (queue, requests) = sync_channel(8_192);
        std::thread::spawn(move || write(&connection, &requests));
        Ok(Self(queue))
    }

    /// Queues a piece of work and waits until it is durable.
    pub async fn commit(
        &self,
        work: impl Fn(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), StatusCode> {
        let (reply, answer) = oneshot::channel();
        self.0
            .try_send((Box::new(work), reply))
            .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        answer.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// While one commit waits for the disk, requests queue up; the next takes all that are there.
fn write(connection: &Connection, requests: &Receiver<Queued>) {
    while let Ok(first) = requests.recv() {
        let mut group = vec![first];
        while group.len() < 512 {
            let Ok(next) = requests.try_recv() else { break };
            group.push(next);
        }
        let done = connection.execute_batch("BEGIN IMMEDIATE").and_then(|()| {
            for (work, _) in &group {
                work(connection)?;
            }
            connection.execute_batch("COMMIT")
        });
        done.expect("a floor that fails measures nothing");
        for (_, reply) in group {
            let _ = reply.send(());
        }
    }
}

/// Runs a statement, prepared once.
pub fn run(connection: &Connection, statement: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute(values).map(drop)
}

/// Random bytes.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsEntropy.fill(&mut bytes);
    bytes
}
