//! Transactions and groups of them: what one request does never touches another, and what was acknowledged is there.

use crate::setting::{Setting, insert, number, on_both};
use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::sync::{RwLock, oneshot};
use vidimus_store::{Error, Tx, testing, value::Param};

const TABLE: &str = "CREATE TABLE notes (id BIGINT PRIMARY KEY, CONSTRAINT notes_small CHECK (id < 1000000))";
const INSERT: &str = "INSERT INTO notes (id) VALUES ($1)";
const COUNT: &str = "SELECT COUNT(*) FROM notes";

on_both! {
    async fn an_error_of_one_request_leaves_its_neighbours(setting: Setting) {
        setting.do_it(TABLE).await.unwrap();
        insert(&setting.store, INSERT, 1).await.unwrap();
        // Every third request breaks: a duplicate, a check, an error of its own after a write, a panic after a write.
        let tasks: Vec<_> = (0..400_i64)
            .map(|n| {
                let store = setting.store.clone();
                tokio::spawn(async move {
                    match n % 6 {
                        0 => insert(&store, INSERT, 1).await.err().map(|e| e.constraint().map(str::to_owned)),
                        2 => insert(&store, INSERT, 2_000_000).await.err().map(|e| e.constraint().map(str::to_owned)),
                        4 => store
                            .write(move |tx| {
                                testing::execute(tx, INSERT, &[Param::Int(500_000 + n)])?;
                                Err::<(), _>(Error::Scope)
                            })
                            .await
                            .err()
                            .map(|e| matches!(e, Error::Scope).then(|| "own".to_owned())),
                        _ => insert(&store, INSERT, 1000 + n).await.err().map(|e| Some(e.to_string())),
                    }
                })
            })
            .collect();
        for (n, task) in tasks.into_iter().enumerate() {
            let expected = match n % 6 {
                0 => Some(Some("notes_pkey")),
                2 => Some(Some("notes_small")),
                4 => Some(Some("own")),
                _ => None,
            };
            assert_eq!(task.await.unwrap(), expected.map(|e| e.map(str::to_owned)), "request {n}");
        }
        assert_eq!(setting.number(COUNT).await, 1 + 200);
    }

    async fn a_panic_reaches_its_caller_alone_and_writes_nothing(setting: Setting) {
        setting.do_it(TABLE).await.unwrap();
        let store = setting.store.clone();
        let panicked = tokio::spawn(async move {
            store
                .write(|tx| {
                    testing::execute(tx, INSERT, &[Param::Int(1)])?;
                    if tx_is_real() { panic!("a bug of the caller") }
                    Ok::<_, Error>(())
                })
                .await
        });
        assert!(panicked.await.unwrap_err().is_panic());
        insert(&setting.store, INSERT, 2).await.unwrap();
        assert_eq!(setting.number(COUNT).await, 1);
    }

    async fn a_swallowed_failure_is_a_failure(setting: Setting) {
        setting.do_it(TABLE).await.unwrap();
        insert(&setting.store, INSERT, 1).await.unwrap();
        let result = setting
            .store
            .write(|tx| {
                testing::execute(tx, INSERT, &[Param::Int(2)])?;
                let _ = testing::execute(tx, INSERT, &[Param::Int(1)]);
                Ok::<_, Error>(())
            })
            .await;
        assert_eq!(result.unwrap_err().constraint(), Some("notes_pkey"));
        assert_eq!(setting.number(COUNT).await, 1, "nothing of a failed transaction stays");
    }

    async fn a_read_sees_one_state_and_cannot_write(setting: Setting) {
        setting.do_it(TABLE).await.unwrap();
        let (store, runtime) = (setting.store.clone(), tokio::runtime::Handle::current());
        let (first, second) = setting
            .store
            .read(move |tx| {
                let first: i64 = testing::query(tx, COUNT, &[])?.remove(0).take(0)?;
                runtime.block_on(insert(&store, INSERT, first + 10)).unwrap();
                let second: i64 = testing::query(tx, COUNT, &[])?.remove(0).take(0)?;
                Ok::<_, Error>((first, second))
            })
            .await
            .unwrap();
        assert_eq!((first, second), (0, 0), "a write in between is not seen");
        assert_eq!(setting.number(COUNT).await, 1);
        let refused = setting.store.read(|tx| testing::execute(tx, INSERT, &[Param::Int(99)])).await;
        assert!(refused.is_err());
        let refused = setting.store.get(|tx| testing::execute(tx, INSERT, &[Param::Int(99)])).await;
        assert!(refused.is_err());
        assert_eq!(setting.number(COUNT).await, 1);
    }

    async fn requests_after_close_are_refused(setting: Setting) {
        setting.do_it(TABLE).await.unwrap();
        let pending: Vec<_> = (0..100)
            .map(|n| {
                let store = setting.store.clone();
                tokio::spawn(async move { insert(&store, INSERT, n).await })
            })
            .collect();
        for task in pending {
            task.await.unwrap().unwrap();
        }
        setting.store.close().await;
        let refused = insert(&setting.store, INSERT, 1000).await.unwrap_err();
        assert!(refused.is_retryable(), "{refused}");
        assert_eq!(number(&setting.again().await, COUNT).await, 100);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_that_nobody_waits_for_any_more_keeps_its_connection() {
    let setting = Setting::new(testing::sqlite()).await;
    setting.do_it(TABLE).await.unwrap();
    let release = Arc::new(RwLock::new(()));
    let held = release.clone().write_owned().await;
    // As many as there are connections, and some more.
    for place in 0..8 {
        let (began, begun) = oneshot::channel();
        let (began, release, store) = (Mutex::new(Some(began)), release.clone(), setting.store.clone());
        let reading = tokio::spawn(async move {
            let work = move |_: &mut Tx<'_>| {
                let _ = began.lock().unwrap().take().map(|began| began.send(()));
                drop(release.blocking_read());
                Ok::<_, Error>(())
            };
            store.read(work).await
        });
        // The last wait for a connection, and never begin.
        if place < 4 {
            begun.await.unwrap();
        } else {
            tokio::task::yield_now().await;
        }
        reading.abort();
        assert!(reading.await.unwrap_err().is_cancelled());
    }
    let mut reading = pin!(setting.store.get(|tx| testing::query(tx, COUNT, &[])));
    let polled = poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await;
    assert!(polled.is_pending(), "every connection is in use");
    drop(held);
    assert_eq!(reading.await.unwrap().len(), 1);
}

/// Requests in a queue behind a writer that is held up: one that is kept, then one that fails half done, then one that fails before it did anything, then
/// another that is kept. How often the first of them ran.
async fn around_one_that_fails_half_done(setting: &Setting, base: i64) -> u32 {
    let (held, runs) = (Arc::new(RwLock::new(())), Arc::new(AtomicU32::new(0)));
    let hold = held.clone().write_owned().await;
    let work = |kind: &'static str| {
        let (store, held, runs) = (setting.store.clone(), held.clone(), runs.clone());
        tokio::spawn(async move {
            let work = move |tx: &mut Tx<'_>| {
                let note = |tx: &mut Tx<'_>, at| testing::execute(tx, INSERT, &[Param::Int(base + at)]).map(drop);
                match kind {
                    "holds" => drop(held.blocking_read()),
                    "kept" => {
                        runs.fetch_add(1, Ordering::Relaxed);
                        note(tx, 1)?;
                    }
                    "half" => {
                        note(tx, 2)?;
                        return Err(Error::Scope);
                    }
                    "refused" => return Err(Error::Scope),
                    _ => note(tx, 3)?,
                }
                Ok::<_, Error>(())
            };
            store.write(work).await
        })
    };
    let mut all = Vec::new();
    for kind in ["holds", "kept", "half", "refused", "after"] {
        all.push((kind, work(kind)));
        // In this order.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(hold);
    for (kind, task) in all {
        let result = task.await.unwrap();
        match kind {
            "half" | "refused" => assert!(matches!(result, Err(Error::Scope)), "{kind}: {result:?}"),
            _ => result.unwrap(),
        }
    }
    runs.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_group_is_run_again_without_the_one_that_failed_half_done() {
    let setting = Setting::new(testing::sqlite()).await;
    setting.do_it(TABLE).await.unwrap();
    let (mut turns, mut again) = (0, false);
    // A machine that stands still in between makes a group of each.
    while !again && turns < 50 {
        turns += 1;
        again = around_one_that_fails_half_done(&setting, turns * 10).await == 2;
        assert_eq!(
            setting.number(COUNT).await,
            turns * 2,
            "both that were kept, and nothing of the other"
        );
    }
    assert!(again, "no group was ever run again");
    // The next groups are marked: one that fails half done is undone alone.
    assert_eq!(around_one_that_fails_half_done(&setting, 100_000).await, 1);
    for place in 0..300 {
        insert(&setting.store, INSERT, 200_000 + place).await.unwrap();
    }
    assert_eq!(setting.number(COUNT).await, turns * 2 + 2 + 300);
    let unmarked = async |base| around_one_that_fails_half_done(&setting, base).await == 2;
    let mut later = false;
    for turn in 0..50 {
        later = later || unmarked(300_000 + turn * 10).await;
    }
    assert!(later, "the marks end");
}

/// Keeps the compiler from seeing that the code after it is never reached.
fn tx_is_real() -> bool {
    std::hint::black_box(true)
}
