//! Nonces ahead, replacements, bundles.

use crate::support::{Hand, NOW, genesis, open, plain, transfer};
use vidimus_ledger::conformance::{Account, Chain};
use vidimus_ledger::embedded::{BaseFee, WAITING_EACH};
use vidimus_ledger::eth::{BlockId, BlockTransactions};
use vidimus_ledger::{CallerError, Embedded, Genesis, Ledger, LedgerError, convert};

fn sign(sender: &Account, fields: vidimus_ledger::transaction::Fields) -> vidimus_ledger::transaction::Signed {
    fields.prepare().sign_with_secret(sender.secret()).unwrap()
}

#[tokio::test]
async fn what_waits_for_a_nonce_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let sender = Chain::accounts()[1];
    let all: Vec<_> = (0..4).map(|nonce| transfer(&sender, nonce)).collect();
    let ledger = open(&path);
    for signed in [&all[3], &all[2], &all[1]] {
        ledger.submit(&signed.raw).await.unwrap();
    }
    assert_eq!(ledger.head().await.unwrap().number, 0, "nothing can be mined yet");
    ledger.close().await;

    let ledger = open(&path);
    let waiting = ledger
        .transaction(convert::to_hash(all[2].hash))
        .await
        .unwrap()
        .expect("it was acknowledged");
    assert_eq!((waiting.block_hash, waiting.inner.signer()), (None, sender.eth()));
    assert_eq!(ledger.nonce(sender.eth(), BlockId::pending()).await.unwrap(), 0);
    ledger.submit(&all[0].raw).await.unwrap();
    let block = ledger.block(BlockId::latest(), false).await.unwrap().unwrap();
    let expected: Vec<_> = all.iter().map(|signed| convert::to_hash(signed.hash)).collect();
    assert_eq!(
        block.transactions,
        BlockTransactions::Hashes(expected),
        "all four, in order, in one block"
    );
    assert_eq!(ledger.nonce(sender.eth(), BlockId::pending()).await.unwrap(), 4);
    ledger.close().await;
    let ledger = open(&path);
    assert_eq!(ledger.head().await.unwrap().number, 1, "and not again");
    ledger.audit().unwrap();
}

#[tokio::test]
async fn a_replacement_offers_a_tenth_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = open(&path);
    let sender = Chain::accounts()[1];
    let offer = |max_fee, priority_fee, value| {
        sign(
            &sender,
            vidimus_ledger::transaction::Fields {
                max_fee,
                priority_fee,
                value,
                ..plain(&sender, 1)
            },
        )
    };
    let first = offer(100, 10, 1);
    ledger.submit(&first.raw).await.unwrap();
    for too_little in [offer(100, 10, 2), offer(109, 11, 2), offer(110, 10, 2)] {
        let error = ledger.submit(&too_little.raw).await.unwrap_err();
        assert!(
            matches!(error, LedgerError::Caller(CallerError::Underpriced)),
            "{error}"
        );
    }
    let better = offer(110, 11, 2);
    ledger.submit(&better.raw).await.unwrap();
    assert!(
        ledger
            .transaction(convert::to_hash(first.hash))
            .await
            .unwrap()
            .is_none(),
        "it is replaced"
    );
    ledger.submit(&transfer(&sender, 0).raw).await.unwrap();
    assert!(ledger.receipt(convert::to_hash(better.hash)).await.unwrap().is_some());
    let error = ledger.submit(&first.raw).await.unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::Caller(CallerError::NonceTooLow { expected: 2, found: 1 })
        ),
        "{error}"
    );
}

#[tokio::test]
async fn one_sender_cannot_fill_the_waiting_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = open(&path);
    let (greedy, other) = (Chain::accounts()[1], Chain::accounts()[2]);
    let many = (1..=WAITING_EACH as u64 + 20)
        .map(|nonce| transfer(&greedy, nonce).raw)
        .collect();
    let results = ledger.submit_all(many).await;
    let taken = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(taken, WAITING_EACH);
    assert!(
        results[taken..]
            .iter()
            .all(|result| matches!(result, Err(LedgerError::Caller(CallerError::TooMuch { .. }))))
    );
    ledger.submit(&transfer(&other, 5).raw).await.unwrap();
    ledger.submit(&transfer(&greedy, 0).raw).await.unwrap();
    assert_eq!(
        ledger.nonce(greedy.eth(), BlockId::latest()).await.unwrap(),
        WAITING_EACH as u64 + 1
    );
    ledger.close().await;
    open(&path).audit().unwrap();
}

#[tokio::test]
async fn many_share_a_block_and_a_full_block_is_followed_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let small = Genesis {
        gas_limit: 210_000,
        ..genesis()
    };
    let ledger = Embedded::open(&path, small, Hand::at(NOW)).unwrap();
    let [a, b, ..] = Chain::accounts();
    // Ten fit into a block; the bundle is shuffled.
    let mut bundle: Vec<_> = (0..17)
        .flat_map(|nonce| [transfer(&a, nonce).raw, transfer(&b, nonce).raw])
        .collect();
    bundle.reverse();
    let results = ledger.submit_all(bundle.clone()).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(
        ledger.head().await.unwrap().number,
        4,
        "34 transactions, ten to a block"
    );
    for (number, count) in [(1, 10), (2, 10), (3, 10), (4, 4)] {
        let block = ledger.block(u64::into(number), false).await.unwrap().unwrap();
        assert_eq!(
            (block.transactions.len(), block.header.gas_used),
            (count, count as u64 * 21_000)
        );
    }
    for (raw, result) in bundle.iter().zip(results) {
        let hash = vidimus_ledger::transaction::inspect(raw).unwrap().hash;
        assert_eq!(
            result.unwrap(),
            convert::to_hash(hash),
            "each answer belongs to its transaction"
        );
        assert!(
            ledger.receipt(convert::to_hash(hash)).await.unwrap().is_some(),
            "acknowledged is mined"
        );
    }
    ledger.audit().unwrap();
}

#[tokio::test]
async fn funds_that_are_gone_drop_what_counted_on_them() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder.path().join("ledger"));
    let sender = Chain::accounts()[1];
    let spend = |nonce, value| {
        let to = Some(Chain::accounts()[2].address);
        sign(
            &sender,
            vidimus_ledger::transaction::Fields {
                value,
                to,
                ..plain(&sender, nonce)
            },
        )
    };
    let most = Chain::FUNDS - 5;
    let (first, second, third) = (spend(0, most), spend(1, most), spend(2, 1));
    let results = ledger
        .submit_all([&first, &second, &third].map(|signed| signed.raw.clone()).to_vec())
        .await;
    assert!(results[0].is_ok());
    assert!(
        matches!(
            results[1],
            Err(LedgerError::Caller(CallerError::InsufficientFunds { .. }))
        ),
        "{:?}",
        results[1]
    );
    assert!(results[2].is_ok(), "it waits for another one with nonce 1");
    assert!(ledger.receipt(convert::to_hash(third.hash)).await.unwrap().is_none());
    ledger.submit(&spend(1, 2).raw).await.unwrap();
    assert!(ledger.receipt(convert::to_hash(third.hash)).await.unwrap().is_some());
    ledger.audit().unwrap();
}

#[tokio::test]
async fn below_the_base_fee_nothing_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let dear = Genesis {
        base_fee: BaseFee::Constant(50),
        ..genesis()
    };
    let ledger = Embedded::open(&folder.path().join("ledger"), dear, Hand::at(NOW)).unwrap();
    let sender = Chain::accounts()[1];
    let error = ledger.submit(&transfer(&sender, 0).raw).await.unwrap_err();
    assert!(
        matches!(
            error,
            LedgerError::Caller(CallerError::FeeTooLow { base: 50, offered: 0 })
        ),
        "{error}"
    );
    let fees = ledger.fees().await.unwrap();
    assert_eq!((fees.base_fee, fees.priority_fee, fees.max_fee), (50, 0, 100));
    let fields = vidimus_ledger::transaction::Fields {
        max_fee: 50,
        ..plain(&sender, 0)
    };
    let before = ledger.balance(sender.eth(), BlockId::latest()).await.unwrap();
    let hash = ledger.submit(&sign(&sender, fields).raw).await.unwrap();
    let receipt = ledger.receipt(hash).await.unwrap().unwrap();
    assert_eq!(receipt.effective_gas_price, 50);
    let after = ledger.balance(sender.eth(), BlockId::latest()).await.unwrap();
    assert_eq!(
        before - after,
        vidimus_ledger::eth::U256::from(21_000 * 50),
        "burned, whoever the coinbase is"
    );
    assert_eq!(
        ledger
            .block(1.into(), false)
            .await
            .unwrap()
            .unwrap()
            .header
            .base_fee_per_gas,
        Some(50)
    );
}
