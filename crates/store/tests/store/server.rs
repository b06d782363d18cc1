//! PostgreSQL goes away, loses replies, gives up transactions, is elsewhere.

use crate::{
    faults::{TABLE, is_sound, note, notes},
    setting::*,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::Notify,
};
use vidimus_store::{
    Config, Error, Store,
    testing::{self, Server},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_elsewhere_is_reached_by_tls() {
    let Some(server) = Server::start() else { return };
    let direct = server.place();
    let Config::Postgres { url, .. } = &direct.config else {
        unreachable!("asked for PostgreSQL")
    };
    let name = url.rsplit_once("dbname=").unwrap().1;
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = |file: &str, content: String| {
        let path = direct.directory.path().join(file);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (root, wrong) = (
        file("root.pem", certified.cert.pem()),
        file("wrong.pem", other.cert.pem()),
    );
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    // The server reads its key only from a file of its own user.
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for (file, content) in [
        ("server.key", certified.signing_key.serialize_pem()),
        ("server.crt", certified.cert.pem()),
    ] {
        let lines = content
            .lines()
            .map(|line| format!("('{line}')"))
            .collect::<Vec<_>>()
            .join(",");
        let keep = format!("umask 077; cat >\"$PGDATA/{file}\"");
        client
            .batch_execute(&format!("COPY (VALUES {lines}) TO PROGRAM '{keep}'"))
            .await
            .unwrap();
    }
    for setting in [&format!("port = {port}"), "listen_addresses = '127.0.0.1'", "ssl = on"] {
        client
            .batch_execute(&format!("ALTER SYSTEM SET {setting}"))
            .await
            .unwrap();
    }
    drop(client);
    let server = tokio::task::spawn_blocking(move || {
        server.restart("fast");
        server
    })
    .await
    .unwrap();

    let reach = |options: &str| {
        let url = format!("postgres://vidimus@localhost:{port}/{name}?{options}");
        async move { Store::open(Config::Postgres { url, connections: 2 }, provider()).await }
    };
    let encrypted = "SELECT CAST(ssl AS INT) FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let store = reach(&format!("sslmode=verify-full&sslrootcert={root}")).await.unwrap();
    assert_eq!(number(&store, encrypted).await, 1);
    let plain = reach("sslmode=disable").await.unwrap();
    assert_eq!(number(&plain, encrypted).await, 0, "on loopback");
    let refused = reach(&format!("sslmode=require&sslrootcert={wrong}"))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, Error::Open { .. }),
        "another authority's server: {refused}"
    );
    let by_number = format!("postgres://vidimus@127.0.0.1:{port}/{name}?sslmode=require&sslrootcert={root}");
    let refused = Store::open(
        Config::Postgres {
            url: by_number,
            connections: 2,
        },
        provider(),
    )
    .await
    .unwrap_err();
    assert!(
        matches!(refused, Error::Open { .. }),
        "the certificate is for another name: {refused}"
    );
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crashing_server_loses_nothing_acknowledged() {
    let Some(server) = Server::start() else { return };
    let setting = Setting::new(server.place()).await;
    setting.do_it(TABLE).await.unwrap();
    let done = Arc::new(AtomicU8::new(0));
    let tasks: Vec<_> = (0..24_i64)
        .map(|task| {
            let (store, done) = (setting.store.clone(), done.clone());
            tokio::spawn(async move {
                let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
                let mut n = 0;
                while done.load(Ordering::Relaxed) == 0 {
                    let id = task * 1_000_000 + n;
                    n += 1;
                    match note(&store, id).await {
                        Ok(()) => acknowledged.push(id),
                        Err(error) => {
                            assert!(error.is_retryable(), "{error}");
                            refused.push(id);
                        }
                    }
                }
                (acknowledged, refused)
            })
        })
        .collect();
    let server = tokio::task::spawn_blocking(move || {
        for mode in ["immediate", "fast", "immediate"] {
            server.restart(mode);
        }
        server
    })
    .await
    .unwrap();
    done.store(1, Ordering::Relaxed);
    let (mut acknowledged, mut refused) = (BTreeSet::new(), Vec::new());
    for task in tasks {
        let (ok, not) = task.await.unwrap();
        acknowledged.extend(ok);
        refused.extend(not);
    }
    assert!(!acknowledged.is_empty());
    assert!(
        !setting.store.is_poisoned(),
        "the server could tell how each commit ended"
    );
    is_sound(&setting.store, &acknowledged).await;
    let stored: BTreeSet<i64> = notes(&setting.store).await.into_iter().collect();
    assert_eq!(
        stored,
        acknowledged,
        "what was refused was not written: {} were",
        refused.len()
    );
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadlock_is_tried_again() {
    let Some(place) = testing::postgres() else { return };
    let setting = Setting::new(place).await;
    setting.do_it(TABLE).await.unwrap();
    setting.do_it("INSERT INTO notes (id) VALUES (1), (2)").await.unwrap();
    let together = Arc::new(std::sync::Barrier::new(2));
    let one = "UPDATE notes SET id = id + 10 WHERE id % 10 = 1";
    let two = "UPDATE notes SET id = id + 10 WHERE id % 10 = 2";
    let tasks = [[one, two], [two, one]].map(|statements| {
        let (store, together, tries) = (setting.store.clone(), together.clone(), AtomicU8::new(0));
        tokio::spawn(async move {
            store
                .write(move |tx| {
                    testing::execute(tx, statements[0], &[])?;
                    // Each holds one row and asks for the other's.
                    let tries = tries.fetch_add(1, Ordering::SeqCst) + 1;
                    if tries == 1 {
                        together.wait();
                    }
                    testing::execute(tx, statements[1], &[])?;
                    Ok::<_, Error>(tries)
                })
                .await
        })
    });
    let mut tries = Vec::new();
    for task in tasks {
        tries.push(task.await.unwrap().unwrap());
    }
    tries.sort_unstable();
    assert_eq!(tries, [1, 2], "one was given up for the other, and tried again");
    assert_eq!(notes(&setting.store).await, [21, 22]);
}

/// Where a connection is cut.
const NOT: u8 = 0;
const BEFORE_COMMIT: u8 = 1;
const AFTER_COMMIT: u8 = 2;
const HELD_AT_COMMIT: u8 = 3;

/// A connection that is held at its COMMIT: says that it is, and is cut when told to.
#[derive(Default)]
struct Held {
    there: Notify,
    go: Notify,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_reply_to_commit_is_looked_up() {
    let Some(direct) = testing::postgres() else { return };
    let Config::Postgres { url, .. } = &direct.config else {
        unreachable!("asked for PostgreSQL")
    };
    let socket = url
        .split_whitespace()
        .find_map(|part| part.strip_prefix("host="))
        .unwrap();
    let cut = Arc::new(AtomicU8::new(NOT));
    let listener = UnixListener::bind(direct.directory.path().join(".s.PGSQL.5432")).unwrap();
    let server = Path::new(socket).join(".s.PGSQL.5432");
    tokio::spawn(relay(listener, server, cut.clone(), Arc::default()));
    let through = url.replace(socket, &direct.directory.path().display().to_string());
    let config = Config::Postgres {
        url: through,
        connections: 4,
    };
    let store = Store::open(config, provider()).await.unwrap();
    store.write(|tx| testing::execute(tx, TABLE, &[])).await.unwrap();
    let mut expected = BTreeSet::new();
    for id in 0..12 {
        cut.store([NOT, BEFORE_COMMIT, AFTER_COMMIT][id as usize % 3], Ordering::SeqCst);
        note(&store, id).await.expect("the caller does not notice");
        assert_eq!(cut.load(Ordering::SeqCst), NOT, "the connection was cut");
        expected.insert(id);
    }
    is_sound(&store, &expected).await;
    assert_eq!(notes(&store).await.len(), 12);
    assert!(!store.is_poisoned());
}

/// What never reached the server's log is as if it had never been, and its id goes to another transaction, which commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_is_not_taken_for_another_s_with_its_id() {
    let Some(server) = Server::start() else { return };
    let place = server.place();
    let Config::Postgres { url, .. } = &place.config else {
        unreachable!("asked for PostgreSQL")
    };
    let socket = url
        .split_whitespace()
        .find_map(|part| part.strip_prefix("host="))
        .unwrap();
    let (cut, held) = (Arc::new(AtomicU8::new(NOT)), Arc::new(Held::default()));
    let listener = UnixListener::bind(place.directory.path().join(".s.PGSQL.5432")).unwrap();
    let behind = Path::new(socket).join(".s.PGSQL.5432");
    tokio::spawn(relay(listener, behind, cut.clone(), held.clone()));
    let config = Config::Postgres {
        url: url.replace(socket, &place.directory.path().display().to_string()),
        connections: 2,
    };
    let store = Store::open(config, provider()).await.unwrap();
    store.write(|tx| testing::execute(tx, TABLE, &[])).await.unwrap();
    note(&store, 1).await.unwrap();

    cut.store(HELD_AT_COMMIT, Ordering::SeqCst);
    let writing = {
        let store = store.clone();
        tokio::spawn(async move { note(&store, 2).await })
    };
    held.there.notified().await;
    let server = tokio::task::spawn_blocking(move || {
        server.restart("immediate");
        server
    })
    .await
    .unwrap();
    let (direct, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..64 {
        direct.batch_execute("SELECT pg_current_xact_id()").await.unwrap();
    }
    held.go.notify_one();
    writing.await.unwrap().expect("it is written in another try");
    is_sound(&store, &BTreeSet::from([1, 2])).await;
    drop(server);
}

/// Passes bytes between clients and the server, and cuts one connection around its next COMMIT when asked to.
async fn relay(listener: UnixListener, server: PathBuf, cut: Arc<AtomicU8>, held: Arc<Held>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (server, cut, held) = (server.clone(), cut.clone(), held.clone());
        tokio::spawn(async move {
            let mut upstream = UnixStream::connect(server).await.unwrap();
            let (mut request, mut reply) = ([0; 65536], [0; 65536]);
            loop {
                tokio::select! {
                    read = client.read(&mut request) => {
                        let Ok(size @ 1..) = read else { return };
                        let commit = request[..size].windows(7).any(|bytes| bytes == b"COMMIT\0");
                        let mode = if commit { cut.swap(NOT, Ordering::SeqCst) } else { NOT };
                        if mode == BEFORE_COMMIT {
                            return;
                        }
                        if mode == HELD_AT_COMMIT {
                            held.there.notify_one();
                            held.go.notified().await;
                            return;
                        }
                        upstream.write_all(&request[..size]).await.unwrap();
                        if mode == AFTER_COMMIT {
                            // It has committed once it answers.
                            assert!(upstream.read(&mut reply).await.unwrap() > 0);
                            return;
                        }
                    }
                    read = upstream.read(&mut reply) => {
                        let Ok(size @ 1..) = read else { return };
                        if client.write_all(&reply[..size]).await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
    }
}
