//! What breaks: the process, the disk, the file. Nothing acknowledged is lost; nothing is written twice.

use crate::setting::*;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use vidimus_core::Digest;
use vidimus_store::{
    Config, Error, Missing, Store, audit,
    testing::{self, Place, SmallDisk},
    value::Param,
};

pub const TABLE: &str = "CREATE TABLE notes (id BIGINT NOT NULL)";
const INSERT: &str = "INSERT INTO notes (id) VALUES ($1)";

/// A note and an audit entry, in one transaction.
pub async fn note(store: &Store, id: i64) -> Result<(), Error> {
    store
        .write(move |tx| {
            testing::execute(tx, INSERT, &[Param::Int(id)])?;
            let event = audit::Event {
                time: NOW,
                actor: None,
                operation: "note".into(),
                object: id.to_be_bytes().to_vec(),
                details: Digest([0; 32]),
            };
            audit::append(tx, &event).map(drop)
        })
        .await
}

pub async fn notes(store: &Store) -> Vec<i64> {
    column(store, "SELECT id FROM notes ORDER BY id").await
}

/// Every acknowledged note is there, none twice, and the log tells of exactly those that are there.
pub async fn is_sound(store: &Store, acknowledged: &BTreeSet<i64>) {
    let stored = notes(store).await;
    let distinct: BTreeSet<i64> = stored.iter().copied().collect();
    assert_eq!(stored.len(), distinct.len(), "nothing is written twice");
    assert!(
        acknowledged.is_subset(&distinct),
        "lost: {:?}",
        acknowledged.difference(&distinct)
    );
    let audit::Verdict::Whole(head) = store.read(audit::verify).await.unwrap() else {
        panic!("the log is broken")
    };
    assert_eq!(head.sequence as usize, stored.len());
    store.examine().await.unwrap();
}

/// This test program again, as a process that writes until it is stopped or can write no more.
fn writer(config: &Config, first: i64, before: &str) -> Child {
    let place = match config {
        Config::Sqlite { path, .. } => path.display().to_string(),
        Config::Postgres { url, .. } => url.clone(),
    };
    let script = format!("{before} exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args([
            "faults::writes_until_stopped",
            "--exact",
            "--ignored",
            "--nocapture",
            "--quiet",
        ])
        .env("WRITER_PLACE", place)
        .env("WRITER_FIRST", first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Not a test of its own: the process that [`writer`] starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs inside other tests"]
async fn writes_until_stopped() {
    let (Ok(place), Ok(first)) = (std::env::var("WRITER_PLACE"), std::env::var("WRITER_FIRST")) else {
        return;
    };
    let config = if place.contains('=') {
        Config::Postgres {
            url: place,
            connections: 16,
        }
    } else {
        Config::Sqlite {
            path: place.into(),
            missing: Missing::Refuse,
        }
    };
    let store = Store::open(config, provider()).await.unwrap();
    let first: i64 = first.parse().unwrap();
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..20_000 {
                    let id = first + task * 100_000 + n;
                    let (word, go_on) = match note(&store, id).await {
                        Ok(()) => ("ok", true),
                        Err(Error::Fatal { .. }) => ("fatal", false),
                        Err(_) => ("refused", false),
                    };
                    writeln!(std::io::stdout().lock(), "{word} {id}").unwrap();
                    if !go_on {
                        break;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let after = note(&store, first - 1).await;
    if store.is_poisoned() {
        // What the service waits for, to stop.
        assert!(store.poisoned().await.is_fatal());
    }
    println!(
        "{} {}",
        if matches!(after, Err(Error::Fatal { .. })) {
            "closed"
        } else {
            "open"
        },
        store.is_poisoned()
    );
}

on_both! {
    async fn kill_9_loses_nothing_acknowledged(setting: Setting) {
        setting.do_it(TABLE).await.unwrap();
        setting.store.close().await;
        let mut acknowledged = BTreeSet::new();
        for round in 0..6_usize {
            let mut child = writer(&setting.place.config, 10_000_000 * (round as i64 + 1), "");
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            // Killed at another point each time: in the middle of the first group, or well under way.
            let enough = [1, 40, 200, 333, 700, 1500][round];
            let mut count = 0;
            for line in lines.by_ref() {
                if let Some(id) = line.unwrap().strip_prefix("ok ") {
                    acknowledged.insert(id.parse().unwrap());
                    count += 1;
                }
                if count == enough {
                    child.kill().unwrap();
                }
            }
            assert!(count >= enough, "the writer ended by itself after {count}");
            child.wait().unwrap();
            is_sound(&setting.again().await, &acknowledged).await;
        }
    }
}

/// Writing past the file size limit fails with EFBIG at the commit: nobody can know how much of the transaction is on the disk.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_commit_nothing_is_written_any_more() {
    let setting = Setting::new(testing::sqlite()).await;
    setting.do_it(TABLE).await.unwrap();
    setting.store.close().await;
    let mut child = writer(&setting.place.config, 0, "trap '' XFSZ; ulimit -f 6000;");
    let (mut acknowledged, mut fatal, mut last) = (BTreeSet::new(), 0, String::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split_once(' ') {
            Some(("ok", id)) => drop(acknowledged.insert(id.parse::<i64>().unwrap())),
            Some(("fatal", _)) => fatal += 1,
            _ if line.starts_with("closed") || line.starts_with("open") => last = line,
            _ => {}
        }
    }
    assert!(child.wait().unwrap().success());
    assert!(!acknowledged.is_empty());
    assert_eq!(
        (fatal, &last[..]),
        (32, "closed true"),
        "every writer was told to stop, and so is whoever comes later"
    );
    is_sound(&setting.again().await, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_fit_fails_alone() {
    let setting = Setting::new(testing::sqlite()).await;
    setting
        .do_it("CREATE TABLE large (id BIGINT NOT NULL, content BLOB)")
        .await
        .unwrap();
    let pages = setting.number("PRAGMA page_count").await;
    let limit = |pages: i64| {
        let statement: &'static str = Box::leak(format!("PRAGMA max_page_count = {pages}").into_boxed_str());
        let store = setting.store.clone();
        async move { store.write(move |tx| testing::query(tx, statement, &[])).await.unwrap() }
    };
    limit(pages + 30).await;
    let write = |id: i64, size: usize| {
        let store = setting.store.clone();
        tokio::spawn(async move {
            let content = vec![1; size];
            store
                .write(move |tx| {
                    let params = [Param::Int(id), Param::Bytes(&content)];
                    testing::execute(tx, "INSERT INTO large (id, content) VALUES ($1, $2)", &params)
                })
                .await
        })
    };
    let tasks: Vec<_> = (0..60)
        .map(|id| write(id, if id % 10 == 5 { 1 << 20 } else { 10 }))
        .collect();
    for (id, task) in tasks.into_iter().enumerate() {
        let result = task.await.unwrap();
        if id % 10 == 5 {
            assert!(result.unwrap_err().is_retryable());
        } else {
            assert_eq!(result.unwrap(), 1, "request {id}");
        }
    }
    assert_eq!(setting.number("SELECT COUNT(*) FROM large").await, 54);
    assert!(!setting.store.is_poisoned());
    limit(1 << 20).await;
    assert_eq!(
        write(99, 1 << 20).await.unwrap().unwrap(),
        1,
        "with room again, it goes on"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_heals() {
    let Some(disk) = SmallDisk::mount(3) else { return };
    let path = disk.path().join("vidimus.db");
    let place = Place {
        config: Config::Sqlite {
            path,
            missing: Missing::Create,
        },
        directory: tempfile::tempdir().unwrap(),
    };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let setting = Setting::new(place).await;
    setting.do_it(TABLE).await.unwrap();
    let mut acknowledged = BTreeSet::new();
    let mut refused = 0;
    for group in 0..4000_i64 {
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let store = setting.store.clone();
                tokio::spawn(async move { (group * 8 + n, note(&store, group * 8 + n).await) })
            })
            .collect();
        for task in tasks {
            match task.await.unwrap() {
                (id, Ok(())) => drop(acknowledged.insert(id)),
                (_, Err(error)) => {
                    assert!(error.is_retryable(), "{error}");
                    refused += 1;
                }
            }
        }
        if refused > 20 {
            break;
        }
    }
    assert!(refused > 20, "3 MB are full after that");
    assert!(!setting.store.is_poisoned());
    assert_eq!(
        notes(&setting.store).await.len(),
        acknowledged.len(),
        "reads go on, and nothing refused was written"
    );
    std::fs::remove_file(ballast).unwrap();
    note(&setting.store, -1).await.expect("it heals");
    acknowledged.insert(-1);
    is_sound(&setting.store, &acknowledged).await;
    setting.store.close().await;
    is_sound(&setting.again().await, &acknowledged).await;
}

fn sqlite_path(place: &Place) -> PathBuf {
    match &place.config {
        Config::Sqlite { path, .. } => path.clone(),
        Config::Postgres { .. } => unreachable!("asked for SQLite"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_named_as_such() {
    let setting = Setting::new(testing::sqlite()).await;
    let certificate = setting.certificate().await;
    for _ in 0..50 {
        setting.copy(certificate).await;
    }
    setting.store.close().await;
    let path = sqlite_path(&setting.place);
    let whole = std::fs::read(&path).unwrap();
    let refusal = |change: fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let place = &setting.place;
        async move {
            match open(place).await {
                Err(error) => error,
                Ok(store) => {
                    let found = store.examine().await;
                    store.close().await;
                    found.expect_err("the damage is found")
                }
            }
        }
    };
    for error in [
        refusal(|bytes| bytes[..16].fill(0)).await,
        refusal(|bytes| bytes[4096..].fill(0x5a)).await,
        refusal(|bytes| bytes.truncate(3 * 4096)).await,
        refusal(|bytes| {
            *bytes = b"this is a text file, and not a short one either; nobody would take it for a database".repeat(9)
        })
        .await,
    ] {
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("restore it from a backup"));
    }
    std::fs::write(&path, &whole).unwrap();
    open(&setting.place).await.unwrap().examine().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_opened_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let missing = Config::Sqlite {
        path: directory.path().join("none.db"),
        missing: Missing::Refuse,
    };
    let error = Store::open(missing, provider()).await.unwrap_err();
    assert!(error.to_string().contains("`vidimus init`"), "{error}");
    let nowhere = Config::Sqlite {
        path: directory.path().join("no/such/place.db"),
        missing: Missing::Create,
    };
    assert!(matches!(
        Store::open(nowhere, provider()).await,
        Err(Error::Open { .. })
    ));
    let is_directory = Config::Sqlite {
        path: directory.path().into(),
        missing: Missing::Refuse,
    };
    assert!(matches!(
        Store::open(is_directory, provider()).await,
        Err(Error::Open { .. })
    ));
    for url in [
        "postgres://user:s3cret@db.invalid/vidimus?sslrootcert=/nonexistent.pem",
        "postgres://user:s3cret@localhost/vidimus?sslmode=require&sslrootcert=/dev/null",
        "host=/nonexistent user=vidimus password=s3cret",
        "not a setting, s3cret",
        "postgres://user:s3cret@localhost:1/vidimus",
    ] {
        let config = Config::Postgres {
            url: url.into(),
            connections: 4,
        };
        assert!(!format!("{config:?}").contains("s3cret"));
        let error = Store::open(config, provider()).await.unwrap_err();
        assert!(matches!(error, Error::Open { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn only_its_owner_reads_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let setting = Setting::new(testing::sqlite()).await;
    let path = sqlite_path(&setting.place);
    for suffix in ["", "-wal", "-shm"] {
        let file = PathBuf::from(format!("{}{suffix}", path.display()));
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            file.display()
        );
    }
}
