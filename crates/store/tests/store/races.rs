//! Two instances and many requests at once: what must be unique is.

use crate::setting::*;
use std::collections::{BTreeSet, HashSet};
use vidimus_core::{
    Address,
    id::{BatchId, CopyId, RequestId, ResultId},
};
use vidimus_store::{
    Error, Store, Tx, batches, idempotency, limits, persons, requests, results, setup_links, status, transactions,
};

const MANY: usize = 48;

/// Runs the same kind of work many times at once, half of it through another instance.
async fn at_once<T: Send + 'static>(
    setting: &Setting,
    work: impl Fn(usize) -> Box<dyn Fn(&mut Tx<'_>) -> Result<T, Error> + Send + Sync>,
) -> Vec<Result<T, Error>> {
    let stores: [Store; 2] = [setting.store.clone(), setting.again().await];
    let tasks: Vec<_> = (0..MANY)
        .map(|n| {
            let (store, work) = (stores[n % 2].clone(), work(n));
            tokio::spawn(async move { store.write(move |tx| work(tx)).await })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

fn succeeded<T>(results: Vec<Result<T, Error>>) -> Vec<T> {
    results
        .into_iter()
        .map(|result| result.expect("it succeeds, if need be after waiting"))
        .collect()
}

on_both! {
    async fn one_of_many_same_results_is_recorded(setting: Setting) {
        let (person, key, scope, laboratory) = (digest(), wrapped(), setting.scope(), setting.laboratory);
        setting.store.write(move |tx| persons::ensure(tx, &person, &key, NOW)).await.unwrap();
        let results = at_once(&setting, |_| {
            let result = result_of(ResultId::from_bytes(random()), laboratory, person);
            Box::new(move |tx| results::insert(tx, &scope, &result))
        })
        .await;
        let (recorded, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(recorded.len(), 1);
        assert!(refused.into_iter().all(|r| r.unwrap_err().constraint() == Some("results_live")));
    }

    async fn one_person_gets_one_data_key(setting: Setting) {
        let person = digest();
        let seen = succeeded(
            at_once(&setting, |_| {
                let key = wrapped();
                Box::new(move |tx| persons::ensure(tx, &person, &key, NOW))
            })
            .await,
        );
        assert!(seen.iter().all(|p| *p == seen[0]));
    }

    async fn nonces_have_no_gaps_and_no_doubles(setting: Setting) {
        let call = |object: usize| transactions::Call {
            id: RequestId::from_bytes(random()), chain: CHAIN, account: Address([1; 20]), purpose: "approve".into(),
            object: object.to_be_bytes().to_vec(), to: None, data: vec![], gas: 1,
        };
        // Each third request fails after it took its nonce, and gives it back.
        let taken = at_once(&setting, |n| {
            let call = call(n);
            Box::new(move |tx| {
                let outbound = transactions::enqueue(tx, &call, 10, NOW)?;
                if n % 3 == 0 { Err(Error::Scope) } else { Ok(outbound.nonce) }
            })
        })
        .await;
        let nonces: BTreeSet<u64> = taken.iter().filter_map(|r| r.as_ref().ok().copied()).collect();
        assert_eq!(nonces, (10..10 + (MANY - MANY / 3) as u64).collect());
    }

    async fn a_nonce_that_was_once_said_too_high_leaves_no_gap(setting: Setting) {
        let call = |object: u8| transactions::Call {
            id: RequestId::from_bytes(random()), chain: CHAIN, account: Address([1; 20]), purpose: "approve".into(),
            object: vec![object], to: None, data: vec![], gas: 1,
        };
        let mut taken = Vec::new();
        for (object, floor) in [(1, 3), (2, 0), (3, 4), (4, 9)] {
            let call = call(object);
            taken.push(setting.store.write(move |tx| transactions::enqueue(tx, &call, floor, NOW)).await.unwrap().nonce);
            let raise = "UPDATE nonces SET next = 1000";
            setting.store.write(move |tx| vidimus_store::testing::execute(tx, raise, &[])).await.unwrap();
        }
        assert_eq!(taken, [3, 4, 5, 9], "after our own newest, and where the caller is sure");
    }

    async fn one_decision_is_one_transaction(setting: Setting) {
        let results = at_once(&setting, |_| {
            let call = transactions::Call {
                id: RequestId::from_bytes(random()), chain: CHAIN, account: Address([1; 20]), purpose: "anchor".into(),
                object: vec![7], to: None, data: vec![], gas: 1,
            };
            Box::new(move |tx| transactions::enqueue(tx, &call, 0, NOW).map(|outbound| outbound.call.id))
        })
        .await;
        // Those that raced are told so, and find the one transaction when they ask again.
        assert!(results.iter().filter_map(|r| r.as_ref().err()).all(|e| e.constraint() == Some("transactions_object")));
        let ids: HashSet<_> = results.into_iter().filter_map(Result::ok).collect();
        assert_eq!(ids.len(), 1);
        assert_eq!(setting.number("SELECT COUNT(*) FROM transactions").await, 1);
        assert_eq!(setting.number("SELECT next FROM nonces").await, 1, "no nonce was lost");
    }

    async fn each_commitment_is_in_one_batch(setting: Setting) {
        let certificate = setting.certificate().await;
        let mut waiting = BTreeSet::new();
        for _ in 0..100 {
            waiting.insert(setting.copy(certificate).await.commitment);
        }
        let mut gathered = Vec::new();
        // Instances that raced for the same rows come back empty and ask again.
        while gathered.len() < 100 {
            let batches = at_once(&setting, |_| {
                let id = BatchId::from_bytes(random());
                Box::new(move |tx| batches::gather(tx, id, CHAIN, 7, NOW))
            })
            .await;
            let before = gathered.len();
            gathered.extend(succeeded(batches).into_iter().flatten());
            assert!(gathered.len() > before);
        }
        assert_eq!(gathered.len(), 100);
        assert_eq!(gathered.into_iter().collect::<BTreeSet<_>>(), waiting);
        assert_eq!(setting.number("SELECT COUNT(*) FROM batches WHERE size = 0").await, 0);
        assert_eq!(setting.number("SELECT CAST(SUM(size) AS BIGINT) FROM batches").await, 100);
    }

    async fn each_place_in_a_list_has_one_copy(setting: Setting) {
        let places = succeeded(
            at_once(&setting, |_| {
                let copy = CopyId::from_bytes(random());
                Box::new(move |tx| status::reserve(tx, 1, &(0..MANY as u64).collect::<Vec<_>>(), copy, NOW))
            })
            .await,
        );
        let distinct: BTreeSet<_> = places.iter().map(|place| place.unwrap()).collect();
        assert_eq!(distinct.len(), MANY);
        let full = CopyId::from_bytes(random());
        let none = setting.store.write(move |tx| status::reserve(tx, 1, &[1, 2, 3], full, NOW)).await.unwrap();
        assert_eq!(none, None);
        assert_eq!(setting.store.read(|tx| status::used(tx, 1)).await.unwrap(), MANY as u64);
    }

    async fn one_of_many_same_requests_begins(setting: Setting) {
        let (participant, request) = (setting.laboratory, digest());
        let begun = succeeded(
            at_once(&setting, |_| {
                Box::new(move |tx| {
                    idempotency::begin(tx, participant, "k", &request, b"", NOW, NOW.plus(30), NOW.plus(99))
                })
            })
            .await,
        );
        assert_eq!(begun.iter().filter(|b| **b == idempotency::Begin::New).count(), 1);
        assert_eq!(begun.iter().filter(|b| matches!(b, idempotency::Begin::Running { .. })).count(), MANY - 1);
    }

    async fn a_nonce_and_a_link_are_taken_by_one(setting: Setting) {
        let (nonce, link, scope, participant) = (digest(), digest(), setting.scope(), setting.laboratory);
        setting
            .store
            .write(move |tx| {
                setup_links::insert(tx, &link, "authority", None, NOW, NOW.plus(60))?;
                requests::insert(tx, &scope, &requests::Request {
                    nonce_hash: nonce, id: RequestId::from_bytes([1; 16]), participant, body: vec![], created: NOW,
                    expires: NOW.plus(60), used: None,
                })
            })
            .await
            .unwrap();
        let taken = succeeded(
            at_once(&setting, |_| {
                Box::new(move |tx| {
                    Ok((requests::take(tx, &scope, &nonce, NOW)?.is_some(), setup_links::take(tx, &link, NOW)?.is_some()))
                })
            })
            .await,
        );
        assert_eq!(taken.iter().filter(|t| t.0).count(), 1);
        assert_eq!(taken.iter().filter(|t| t.1).count(), 1);
    }

    async fn no_guess_is_missed(setting: Setting) {
        let counts = succeeded(
            at_once(&setting, |_| Box::new(move |tx| limits::hit(tx, "pickup", b"s", 60, NOW))).await,
        );
        assert_eq!(counts.into_iter().collect::<BTreeSet<_>>(), (1..=MANY as u64).collect());
    }
}
