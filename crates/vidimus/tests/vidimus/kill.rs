//! The server is killed, again and again, while a laboratory issues and revokes. Clients journal every acknowledgement outside of it; what it
//! acknowledged must hold, once, whenever it is back.
//!
//! `VIDIMUS_KILL_ROUNDS` sets the rounds (3 without it); `VIDIMUS_KILL_SEED` repeats a run's choices. Even rounds are killed at a random moment,
//! odd ones abort at one of the program's own fail-points ([`vidimus::fault`]); after each round the server is killed once more when it has
//! been looked at, while its jobs are at work.

mod clients;
mod look;
mod outside;
mod wallets;

use self::outside::{Choices, Outside, Revocation};
use crate::{
    holder::Holder,
    program,
    server::{Api, Server, free_port},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::process::ExitStatusExt,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use vidimus::fault;
use vidimus_core::Entropy;
use vidimus_crypto::OsEntropy;

const CLIENTS: u64 = 6;
/// Every certificate has these copies.
const FORMATS: [&str; 2] = ["vc-jwt-1.1", "hcert"];
/// Longer than an abandoned intent waits before a job takes it up, and than a key's lease.
const PATIENCE: Duration = Duration::from_secs(180);
/// How a fail-point ends a process.
const SIGABRT: i32 = 6;

/// The whole of a run.
struct Run {
    api: Api,
    laboratory: String,
    authority: String,
    holder: Holder,
    outside: Mutex<Outside>,
    over: AtomicBool,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// `VIDIMUS_KILL_SEED`, or one that is random.
fn seed() -> u64 {
    number("VIDIMUS_KILL_SEED").unwrap_or_else(|| {
        let mut bytes = [0; 4];
        OsEntropy.fill(&mut bytes);
        u32::from_be_bytes(bytes).into()
    })
}

/// A deployment of its own that serves, and the authority's API key.
async fn begin(directory: &Path) -> (Server, Api, String) {
    let base = format!("http://127.0.0.1:{}", free_port());
    let text = format!(
        "data_dir = \"data\"\nroot_key = \"keys/root.key\"\n[server]\nlisten = \"{}\"\npublic_url = \"{base}\"\n[server.limits]\n\
         address_requests_per_minute = 10000000\nkey_requests_per_minute = 10000000\n[anchor]\ninterval_seconds = 1\n",
        &base[7..]
    );
    std::fs::write(directory.join("vidimus.toml"), text).unwrap();
    let made = program::command(directory, &["init"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let api = Api::new(base);
    let server = Server::start(directory, None, true).unwrap();
    let link: Value = serde_json::from_str(server.setup.as_deref().unwrap()).unwrap();
    let body = json!({"token": link["setup"]["token"], "name": "Ministry of Health", "country": "AT"});
    let (_, set_up) = api.send(None, "POST", "/v1/setup", Some(&body), "").await.unwrap();
    let authority = set_up["api_key"].as_str().unwrap().to_owned();
    (server, api, authority)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_when_what_was_acknowledged_holds_once() {
    let rounds = number("VIDIMUS_KILL_ROUNDS").unwrap_or(3);
    let seed = seed();
    println!("VIDIMUS_KILL_SEED={seed} VIDIMUS_KILL_ROUNDS={rounds}");
    let mut choices = Choices(seed);

    let directory = TempDir::new().unwrap();
    let (mut server, api, authority) = begin(directory.path()).await;
    let body = json!({"role": "issuer", "name": "Labor Donauraum", "country": "AT", "categories": ["sars-cov-2-naat"]});
    let (_, admitted) = api
        .send(Some(&authority), "POST", "/v1/participants", Some(&body), "")
        .await
        .unwrap();
    let laboratory = admitted["api_key"].as_str().unwrap().to_owned();
    let journal = File::create(directory.path().join("journal.jsonl")).unwrap();
    let run = Arc::new(Run {
        api,
        laboratory,
        authority,
        holder: Holder::new(),
        outside: Mutex::new(Outside {
            reports: BTreeMap::new(),
            revocations: BTreeMap::new(),
            journal,
            acknowledgements: 0,
        }),
        over: AtomicBool::new(false),
    });
    run.until("the admission is on the ledger", async || {
        run.api.get(Some(&run.laboratory), "/v1/profile").await["status"] == "active"
    })
    .await;

    let (mut kills, mut looked) = (0_u64, 0_u64);
    let mut aborts: BTreeMap<&str, u64> = BTreeMap::new();
    for round in 0..rounds {
        let failpoint = (round % 2 == 1).then(|| {
            let name = fault::ALL[(round / 2) as usize % fault::ALL.len()];
            // Requests pass the first three often, batches and transactions pass the others once or twice in a round.
            let often = [fault::AFTER_INTENT, fault::AFTER_SIGN, fault::AFTER_COMPLETE].contains(&name);
            let passes = 1 + choices.next(if often { 20 } else { 2 });
            (name, format!("{name}:{passes}"))
        });
        if let Some((name, failpoint)) = &failpoint {
            drop(server);
            kills += 1;
            // It may abort before it serves: there is work left from the round before.
            match Server::start(directory.path(), Some(failpoint), false) {
                Some(started) => server = started,
                None => {
                    *aborts.entry(name).or_default() += 1;
                    println!("round {round}: aborted at {failpoint} before it served");
                    server = Server::start(directory.path(), None, false).unwrap();
                    continue;
                }
            }
        }
        run.over.store(false, Ordering::Relaxed);
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let (run, choices) = (run.clone(), Choices(choices.next(u64::MAX)));
            clients.spawn(async move { run.client(round, number, choices).await });
        }
        let delay = 200 + choices.next(1_800);
        if let Some((name, failpoint)) = &failpoint {
            let what = format!("the server comes to {failpoint}");
            program::until_async(&what, PATIENCE, async || server.child.try_wait().unwrap().is_some()).await;
            let ended = server.child.wait().unwrap();
            assert_eq!(ended.signal(), Some(SIGABRT), "{failpoint}: {ended}");
            *aborts.entry(name).or_default() += 1;
        } else {
            let gone = async { while clients.join_next().await.transpose().unwrap().is_some() {} };
            let _ = tokio::time::timeout(Duration::from_millis(delay), gone).await;
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended by itself: {ended:?}");
            server.child.kill().unwrap();
            server.child.wait().unwrap();
            kills += 1;
        }
        run.over.store(true, Ordering::Relaxed);
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
        server = Server::start(directory.path(), None, false).unwrap();
        looked += run.look(round.saturating_sub(1)..=round).await;
        println!(
            "round {round}: {} acknowledgements, {}",
            run.outside.lock().unwrap().acknowledgements,
            match failpoint {
                Some((_, failpoint)) => format!("aborted at {failpoint}"),
                None => format!("killed after {delay} ms"),
            }
        );
    }
    let (certificates, batches, receipts) = run.settle().await;
    looked += run.look(0..=rounds).await;
    drop(server);
    let outside = run.outside.lock().unwrap();
    let revoked = outside
        .revocations
        .values()
        .filter(|state| **state == Revocation::Acknowledged)
        .count();
    println!(
        "{rounds} rounds, {kills} kills, {} aborts at fail-points; {} acknowledgements: {certificates} certificates, {revoked} \
         revocations; {receipts} receipts in {batches} batches; looked at {looked} times; lost 0, doubled 0",
        aborts.values().sum::<u64>(),
        outside.acknowledgements
    );
    assert!(certificates > 0);
    assert_eq!(
        aborts.values().sum::<u64>(),
        rounds / 2,
        "every second round: {aborts:?}"
    );
    if rounds >= 2 * fault::ALL.len() as u64 {
        assert!(fault::ALL.iter().all(|name| aborts.contains_key(name)), "{aborts:?}");
    }
}
