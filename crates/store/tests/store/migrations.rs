//! The schema: from nothing, again, and from databases that earlier versions left.

use crate::setting::*;
use std::path::{Path, PathBuf};
use vidimus_store::{Config, Error, MIGRATIONS, Missing, Store, audit, blobs::Blobs, testing};

on_both! {
    async fn opening_again_changes_nothing(setting: Setting) {
        let stamp = "SELECT checksum FROM migrations ORDER BY number";
        let before: Vec<Vec<u8>> = column(&setting.store, stamp).await;
        assert_eq!(before.len(), MIGRATIONS.len());
        let again = setting.again().await;
        assert_eq!(column::<Vec<u8>>(&again, stamp).await, before);
        assert_eq!(again.kind(), setting.store.kind());
    }

    async fn a_newer_schema_is_refused(setting: Setting) {
        setting.do_it("INSERT INTO migrations (number, name, checksum) SELECT 999, name, checksum FROM migrations WHERE number = 1").await.unwrap();
        let refused = open(&setting.place).await.unwrap_err();
        assert!(matches!(refused, Error::SchemaNewer { found: 999, .. }), "{refused}");
    }

    async fn a_changed_migration_is_refused(setting: Setting) {
        setting.do_it("UPDATE migrations SET name = 'other' WHERE number = 1").await.unwrap();
        let refused = open(&setting.place).await.unwrap_err();
        assert!(matches!(refused, Error::SchemaChanged { number: 1, .. }), "{refused}");
        setting.do_it("UPDATE migrations SET name = 'first', checksum = (SELECT account FROM participants) WHERE number = 1").await.unwrap();
        assert!(open(&setting.place).await.is_err());
    }

    async fn a_migration_that_fails_leaves_nothing(setting: Setting) {
        // As if another program had taken one of the last table's names: everything goes but that table, then it is opened.
        let drop_all: Vec<String> = match setting.store.kind() {
            "sqlite" => vec![],
            _ => column(&setting.store, "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public'").await,
        };
        let place = if setting.store.kind() == "sqlite" {
            testing::sqlite()
        } else {
            assert!(!drop_all.is_empty());
            testing::postgres().unwrap()
        };
        occupy(&place).await;
        let refused = open(&place).await.unwrap_err();
        assert!(matches!(refused, Error::Migration { number: 1, .. }), "{refused}");
        let again = open(&place).await.unwrap_err();
        assert!(matches!(again, Error::Migration { number: 1, .. }), "nothing of the first try is in the way: {again}");
        free(&place).await;
        open(&place).await.expect("once the name is free, all of it runs");
    }

    async fn instances_that_start_together_migrate_once(setting: Setting) {
        let place = match setting.store.kind() {
            "sqlite" => testing::sqlite(),
            _ => testing::postgres().unwrap(),
        };
        let starts: Vec<_> = (0..6)
            .map(|_| {
                let config = place.config.clone();
                tokio::spawn(async move { Store::open(config, provider()).await })
            })
            .collect();
        for start in starts {
            start.await.unwrap().expect("it waits for the one that migrates");
        }
        let store = open(&place).await.unwrap();
        assert_eq!(number(&store, "SELECT COUNT(*) FROM migrations").await, MIGRATIONS.len() as i64);
    }
}

async fn occupy(place: &testing::Place) {
    bare(place, "CREATE TABLE limits (x BIGINT)").await;
}

async fn free(place: &testing::Place) {
    bare(place, "DROP TABLE limits").await;
}

/// A statement on a database that the store has not opened.
async fn bare(place: &testing::Place, statement: &str) {
    match &place.config {
        Config::Sqlite { path, .. } => rusqlite::Connection::open(path)
            .unwrap()
            .execute_batch(statement)
            .unwrap(),
        Config::Postgres { url, .. } => {
            let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
            let task = tokio::spawn(connection);
            client.batch_execute(statement).await.unwrap();
            drop(client);
            task.await.unwrap().unwrap();
        }
    }
}

#[test]
fn migrations_are_numbered_without_gaps() {
    for (place, migration) in MIGRATIONS.iter().enumerate() {
        assert_eq!(migration.number as usize, place + 1);
        let left = migration
            .text
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(word, _)| word);
        for word in left {
            assert!(
                ["bytes", "int", "text", "table"].contains(&word),
                "{word} is no type word"
            );
        }
    }
}

/// Releases whose data directories are kept under `tests/fixtures`.
const RELEASES: &[&str] = &["before-0.1.0", "0.1.0"];

/// Data directories of earlier releases: each is copied, migrated and held against itself.
#[tokio::test(flavor = "multi_thread")]
async fn data_of_earlier_releases_migrates() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let mut databases = Vec::new();
    find_databases(&fixtures, &mut databases);
    for release in RELEASES {
        assert!(
            databases.iter().any(|path| path.starts_with(fixtures.join(release))),
            "there is no database under tests/fixtures/{release}, which is committed"
        );
    }
    for database in databases {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("vidimus.db");
        std::fs::copy(&database, &path).unwrap();
        let store = Store::open(
            Config::Sqlite {
                path,
                missing: Missing::Refuse,
            },
            provider(),
        )
        .await
        .unwrap();
        store.examine().await.unwrap();
        let verdict = store.read(audit::verify).await.unwrap();
        assert!(
            matches!(verdict, audit::Verdict::Whole(_)),
            "{}: {verdict:?}",
            database.display()
        );
        let blobs = database.with_file_name("blobs");
        if blobs.is_dir() {
            copy_all(&blobs, &copy.path().join("blobs"));
            let kept = Blobs::local(&copy.path().join("blobs"), provider()).unwrap();
            assert!(kept.examine().await.unwrap().is_empty(), "{}", blobs.display());
        }
        let applied = number(&store, "SELECT COUNT(*) FROM migrations").await;
        assert_eq!(applied, MIGRATIONS.len() as i64, "{}", database.display());
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn find_databases(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            find_databases(&path, found);
        } else if std::fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0")) {
            found.push(path);
        }
    }
}
