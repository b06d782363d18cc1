//! A process that dies while it makes blocks. What it printed as acknowledged is kept outside, by this one.

use crate::support::{open, transfer};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use vidimus_ledger::Ledger;
use vidimus_ledger::conformance::Chain;
use vidimus_ledger::eth::{BlockId, TxHash};

const FILE: &str = "VIDIMUS_TEST_LEDGER";

/// Submits without end, several senders at once, and prints each hash when it is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test below, in a process of its own that is killed"]
async fn victim() {
    let ledger = Arc::new(open(std::env::var_os(FILE).expect("the file's path").as_ref()));
    let submitters = Chain::accounts().map(|sender| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            let mut nonce = ledger.nonce(sender.eth(), BlockId::pending()).await.unwrap();
            loop {
                // Out of order, so that some are acknowledged as waiting.
                for next in [nonce + 1, nonce] {
                    let hash = ledger.submit(&transfer(&sender, next).raw).await.unwrap();
                    writeln!(std::io::stdout().lock(), "acknowledged {hash}").unwrap();
                }
                nonce += 2;
            }
        })
    });
    let [first, ..] = submitters;
    first.await.unwrap();
}

#[tokio::test]
async fn what_a_killed_process_acknowledged_is_stored() {
    let rounds = if std::env::var("VIDIMUS_LONG").as_deref() == Ok("1") {
        40
    } else {
        12
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut acknowledged: Vec<TxHash> = Vec::new();
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::victim", "--exact", "--ignored", "--nocapture"])
            .env(FILE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Killed at another moment each time: after so many acknowledgements, in the middle of the next.
        let enough = acknowledged.len() + 10 + 17 * (round % 5);
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let hash = |line: &str| {
            line.split_once("acknowledged ")
                .and_then(|(_, hash)| hash.get(..66)?.parse::<TxHash>().ok())
        };
        for line in &mut lines {
            acknowledged.extend(hash(&line));
            if acknowledged.len() >= enough {
                break;
            }
        }
        child.kill().unwrap();
        // What it had printed before it died counts as well.
        acknowledged.extend(lines.filter_map(|line| hash(&line)));
        child.wait().unwrap();
        assert!(acknowledged.len() >= enough, "it died by itself");

        let ledger = open(&path);
        for hash in &acknowledged {
            assert!(
                ledger.transaction(*hash).await.unwrap().is_some(),
                "{hash} was acknowledged and is lost"
            );
        }
        let audit = ledger.audit().unwrap();
        let mut mined = 0;
        for account in Chain::accounts() {
            mined += ledger.nonce(account.eth(), BlockId::latest()).await.unwrap();
        }
        assert_eq!(audit.transactions, mined, "each was mined once");
        ledger.close().await;
    }
    eprintln!("{} acknowledged over {rounds} kills, none lost", acknowledged.len());
}
