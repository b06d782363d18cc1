//! Disks that fail, lose power and rot.

use crate::disk::{Disk, Fault, Step};
use crate::support::{Hand, NOW, genesis, open, transfer};
use std::collections::BTreeMap;
use vidimus_ledger::conformance::{Account, Chain};
use vidimus_ledger::eth::{BlockId, TxHash};
use vidimus_ledger::{Blame, Embedded, FatalError, Ledger, LedgerError};

fn open_disk(disk: &Disk) -> Embedded {
    Embedded::open_with(disk.clone(), genesis(), Hand::at(NOW)).unwrap()
}

/// What was acknowledged is there, everything has its root, and the chain goes on.
async fn assert_whole(ledger: &Embedded, acknowledged: &[TxHash], sender: &Account) {
    for hash in acknowledged {
        assert!(
            ledger.transaction(*hash).await.unwrap().is_some(),
            "{hash} was acknowledged and is lost"
        );
    }
    ledger.audit().unwrap();
    let nonce = ledger.nonce(sender.eth(), BlockId::pending()).await.unwrap();
    assert!(nonce >= acknowledged.len() as u64);
    ledger.submit(&transfer(sender, nonce).raw).await.unwrap();
}

#[tokio::test]
async fn a_failed_write_is_never_acknowledged_and_stops_the_ledger() {
    let sender = Chain::accounts()[1];
    let (mut writes, mut syncs) = (0, 0);
    loop {
        // Every write in turn, then every sync in turn, until one is never reached.
        let fault = if syncs > 0 {
            Fault::Sync(syncs - 1)
        } else {
            Fault::Write(writes)
        };
        let disk = Disk::default();
        drop(open_disk(&disk));
        let ledger = open_disk(&disk);
        disk.fail_at(fault);
        let mut acknowledged = Vec::new();
        let mut failure = None;
        for nonce in 0..6 {
            match ledger.submit(&transfer(&sender, nonce).raw).await {
                Ok(hash) => acknowledged.push(hash),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = failure {
            assert!(disk.is_broken());
            assert!(
                matches!(error, LedgerError::Fatal(FatalError::CommitFailed(_))),
                "{fault:?}: {error}"
            );
            for _ in 0..2 {
                let again = ledger
                    .submit(&transfer(&sender, acknowledged.len() as u64).raw)
                    .await
                    .unwrap_err();
                assert!(
                    matches!(again, LedgerError::Fatal(FatalError::CommitFailed(_))),
                    "{again}"
                );
            }
            assert_eq!(
                ledger.head().await.unwrap_err().blame(),
                Blame::Fatal,
                "it refuses until it is opened again"
            );
            drop(ledger);
            // What was not synced may be there or not.
            for bytes in [disk.bytes(), disk.synced()] {
                assert_whole(&open_disk(&Disk::of(bytes)), &acknowledged, &sender).await;
            }
        } else {
            assert!(!disk.is_broken());
            if syncs > 0 {
                break;
            }
        }
        if syncs > 0 || !disk.is_broken() {
            syncs += 1;
        } else {
            writes += 1;
        }
    }
    assert!(
        writes > 6 && syncs > 6,
        "each of {writes} writes and {syncs} syncs failed once"
    );
}

/// After a loss of power the disk holds everything up to the last sync, and any part of what was written since.
#[tokio::test]
async fn power_may_fail_between_any_two_writes() {
    let sender = Chain::accounts()[1];
    let disk = Disk::default();
    let ledger = open_disk(&disk);
    let mut acknowledged = Vec::new();
    disk.note(0);
    for nonce in 0..8 {
        acknowledged.push(ledger.submit(&transfer(&sender, nonce).raw).await.unwrap());
        disk.note(acknowledged.len());
    }
    drop(ledger);

    let mut seed = 7_u64;
    let mut coin = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed >> 63 == 1
    };
    let steps = disk.steps();
    let begun = steps
        .iter()
        .position(|step| matches!(step, Step::Acknowledged(0)))
        .unwrap();
    let (mut images, mut known) = (0, 0);
    let mut synced = Vec::new();
    let mut since: Vec<&Step> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Acknowledged(count) => known = *count,
            Step::Sync => {
                since.drain(..).for_each(|step| apply(&mut synced, step, usize::MAX));
            }
            other => since.push(other),
        }
        if index < begun {
            continue;
        }
        // All of it; all but half of the last write; a random part of it.
        let all = since.iter().map(|_| usize::MAX).collect::<Vec<_>>();
        let mut torn = all.clone();
        if let (Some(last), Some(Step::Write(_, data))) = (torn.last_mut(), since.last()) {
            *last = data.len() / 2 / 512 * 512;
        }
        let some: Vec<usize> = since.iter().map(|_| if coin() { usize::MAX } else { 0 }).collect();
        for kept in [all, torn, some] {
            let mut image = synced.clone();
            since
                .iter()
                .zip(kept)
                .for_each(|(step, kept)| apply(&mut image, step, kept));
            assert_whole(&open_disk(&Disk::of(image)), &acknowledged[..known], &sender).await;
            images += 1;
        }
    }
    assert!(images > 100, "{images}");
}

/// Does a step to an image; of a write, only the first `kept` bytes. The length of a file is kept by its file system's journal.
fn apply(image: &mut Vec<u8>, step: &Step, kept: usize) {
    match step {
        Step::Write(offset, data) => {
            let kept = kept.min(data.len());
            image[*offset as usize..*offset as usize + kept].copy_from_slice(&data[..kept]);
        }
        Step::Resize(len) => image.resize(*len as usize, 0),
        Step::Sync | Step::Acknowledged(_) => {}
    }
}

/// All that the ledger says, for comparison.
async fn everything(ledger: &Embedded) -> Option<Vec<String>> {
    let mut said = vec![format!("{:?}", ledger.audit().ok()?)];
    for number in 0..=ledger.head().await.ok()?.number {
        let block = ledger.block(number.into(), true).await.ok()??;
        for hash in block.transactions.hashes() {
            said.push(format!("{:?}", ledger.receipt(hash).await.ok()??));
        }
        let sender = Chain::accounts()[1].eth();
        said.push(format!("{:?}", ledger.balance(sender, number.into()).await.ok()?));
        said.push(format!("{block:?}"));
    }
    for account in Chain::accounts() {
        said.push(format!(
            "{:?}",
            ledger.proof(account.eth(), Vec::new(), BlockId::latest()).await.ok()?
        ));
    }
    Some(said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_found_or_was_not_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let sender = Chain::accounts()[1];
    let ledger = open(&path);
    for nonce in 0..40 {
        ledger.submit(&transfer(&sender, nonce).raw).await.unwrap();
    }
    // One that waits, too.
    ledger.submit(&transfer(&sender, 50).raw).await.unwrap();
    let truth = everything(&ledger).await.unwrap();
    ledger.close().await;

    let bytes = std::fs::read(&path).unwrap();
    // All over what was ever written, some of which is free again by now: there a flip changes nothing. And the first page, which says
    // where everything is, closely.
    let used: Vec<usize> = (0..bytes.len() / 512)
        .filter(|n| bytes[n * 512..(n + 1) * 512].iter().any(|b| *b != 0))
        .collect();
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let flips = if std::env::var("VIDIMUS_LONG").as_deref() == Ok("1") {
        600
    } else {
        60
    };
    let first_page = (0..320).step_by(if flips > 100 { 1 } else { 8 });
    let places: Vec<usize> = first_page
        .chain((0..flips).map(|flip| used[flip * used.len() / flips] * 512 + (flip * 131) % 512))
        .collect();
    for (flip, &at) in places.iter().enumerate() {
        let mut rotten = bytes.clone();
        rotten[at] ^= 1 << (flip % 8);
        std::fs::write(&path, &rotten).unwrap();
        let outcome = match Embedded::open(&path, genesis(), Hand::at(NOW)) {
            Err(error) => {
                assert_eq!(error.blame(), Blame::Fatal, "{error}");
                "refused at opening"
            }
            Ok(ledger) => match everything(&ledger).await {
                None => "refused when read",
                Some(said) => {
                    assert_eq!(
                        said.len(),
                        truth.len(),
                        "byte {at} flipped, and the ledger tells another story"
                    );
                    assert!(said == truth, "byte {at} flipped, and the ledger tells another story");
                    "not in use"
                }
            },
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    eprintln!("{} flips: {outcomes:?}", places.len());
    assert!(outcomes["refused at opening"] > places.len() / 5, "{outcomes:?}");
}

#[tokio::test]
async fn what_is_no_ledger_file_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    std::fs::write(&path, b"certainly not a ledger").unwrap();
    let error = Embedded::open(&path, genesis(), Hand::at(NOW)).unwrap_err();
    assert!(matches!(error, LedgerError::Fatal(FatalError::Damaged(_))), "{error}");
    assert!(error.to_string().contains("restore it from a backup"), "{error}");
    assert_eq!(
        std::fs::read(&path).unwrap(),
        b"certainly not a ledger",
        "it is left as it was"
    );

    let missing = folder.path().join("no such folder/ledger");
    let error = Embedded::open(&missing, genesis(), Hand::at(NOW)).unwrap_err();
    assert!(matches!(error, LedgerError::Fatal(FatalError::Open(_))), "{error}");
}
