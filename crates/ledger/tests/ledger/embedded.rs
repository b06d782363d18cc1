//! The embedded ledger by itself.

use crate::support::{Hand, NOW, genesis, open, plain, transfer};
use alloy::consensus::proofs;
use alloy::primitives::hex;
use std::sync::Arc;
use vidimus_ledger::conformance::{self, Chain};
use vidimus_ledger::embedded::{Allocation, BaseFee, Fork};
use vidimus_ledger::eth::{B256, BlockId, BlockTransactions, Bloom, Bytes, TransactionRequest, TxKind, U256};
use vidimus_ledger::transaction::Fields;
use vidimus_ledger::{Embedded, FatalError, Genesis, Ledger, LedgerError, convert};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = Arc::new(open(&path));
    conformance::all(&Chain::new(ledger.clone(), ledger.genesis().chain_id)).await;
    let audit = ledger.audit().unwrap();
    assert!(audit.transactions > 100, "{audit:?}");
    let head = ledger.head().await.unwrap();
    drop(ledger);
    let again = Arc::new(open(&path));
    assert_eq!(
        again.head().await.unwrap(),
        head,
        "closed and opened, it is where it was"
    );
    conformance::all(&Chain::new(again.clone(), again.genesis().chain_id)).await;
    again.audit().unwrap();
}

#[tokio::test]
async fn a_blocks_roots_follow_from_its_contents() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(open(&folder.path().join("ledger")));
    conformance::all(&Chain::new(ledger.clone(), ledger.genesis().chain_id)).await;
    for number in 0..=ledger.head().await.unwrap().number {
        let block = ledger.block(number.into(), true).await.unwrap().unwrap();
        let header = &block.header.inner;
        assert_eq!(header.hash_slow(), block.header.hash);
        let BlockTransactions::Full(transactions) = &block.transactions else {
            panic!("full ones were asked for")
        };
        let bodies: Vec<_> = transactions.iter().map(|tx| tx.inner.inner().clone()).collect();
        assert_eq!(
            proofs::calculate_transaction_root(&bodies),
            header.transactions_root,
            "block {number}"
        );
        let mut receipts = Vec::new();
        for transaction in transactions {
            let receipt = ledger.receipt(*transaction.inner.tx_hash()).await.unwrap().unwrap();
            receipts.push(receipt.inner.into_primitives_receipt());
        }
        assert_eq!(
            proofs::calculate_receipt_root(&receipts),
            header.receipts_root,
            "block {number}"
        );
        let bloom = receipts
            .iter()
            .fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
        assert_eq!(bloom, header.logs_bloom, "block {number}");
    }
}

#[tokio::test]
async fn another_genesis_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    open(&path).close().await;
    let others = [
        (
            Genesis {
                chain_id: 1,
                ..genesis()
            },
            "the chain id is 5654861 in the file and 1",
        ),
        (
            Genesis {
                fork: Fork::Shanghai,
                ..genesis()
            },
            "the fork is London in the file and Shanghai",
        ),
        (
            Genesis {
                gas_limit: 1,
                ..genesis()
            },
            "the gas limit",
        ),
        (
            Genesis {
                base_fee: BaseFee::Constant(7),
                ..genesis()
            },
            "the base fee",
        ),
        (
            Genesis {
                timestamp: 1,
                ..genesis()
            },
            "the first timestamp",
        ),
        (
            genesis().funded(Chain::accounts()[0].eth(), U256::from(1)),
            "the first accounts",
        ),
    ];
    for (other, sentence) in others {
        let error = Embedded::open(&path, other, Hand::at(NOW)).unwrap_err();
        assert!(matches!(error, LedgerError::Fatal(FatalError::OtherGenesis { .. })));
        assert!(error.to_string().contains(sentence), "{error}");
    }
    open(&path);
}

#[tokio::test]
async fn a_file_is_opened_once_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = open(&path);
    let error = Embedded::open(&path, genesis(), Hand::at(NOW)).unwrap_err();
    assert!(error.to_string().contains("another process has it open"), "{error}");
    ledger.submit(&transfer(&Chain::accounts()[0], 0).raw).await.unwrap();
    ledger.close().await;
    assert_eq!(open(&path).head().await.unwrap().number, 1);
}

#[tokio::test]
async fn time_never_goes_backwards() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hand::at(NOW);
    let ledger = Embedded::open(&folder.path().join("ledger"), genesis(), clock.clone()).unwrap();
    let sender = Chain::accounts()[0];
    let mut times = Vec::new();
    for (nonce, now) in (0..).zip([NOW, NOW + 10, NOW - 3600, -5, NOW + 11]) {
        clock.set(now);
        ledger.submit(&transfer(&sender, nonce).raw).await.unwrap();
        times.push(ledger.head().await.unwrap().time.0);
    }
    assert_eq!(times, [NOW, NOW + 10, NOW + 10, NOW + 10, NOW + 11]);
}

#[tokio::test]
async fn the_fork_decides_which_code_runs() {
    // PUSH0, PUSH0, RETURN at an address of the first accounts; and DIFFICULTY or PREVRANDAO.
    let (push_zero, difficulty) = (
        convert::to_address(vidimus_core::Address([0x50; 20])),
        Chain::accounts()[3].eth(),
    );
    let contract = |code: &str| Allocation {
        code: Some(hex::decode(code).unwrap().into()),
        ..Allocation::default()
    };
    for (fork, runs) in [(Fork::London, false), (Fork::Paris, false), (Fork::Shanghai, true)] {
        let folder = tempfile::tempdir().unwrap();
        let mut genesis = Genesis { fork, ..genesis() };
        genesis.alloc.insert(push_zero, contract("5f5ff3"));
        genesis.alloc.insert(difficulty, contract("4460005260206000f3"));
        let ledger = Embedded::open(&folder.path().join("ledger"), genesis, Hand::at(NOW)).unwrap();
        let request = |to| TransactionRequest {
            to: Some(TxKind::Call(to)),
            ..Default::default()
        };
        assert_eq!(
            ledger.call(request(push_zero), BlockId::latest()).await.is_ok(),
            runs,
            "{fork:?}"
        );
        let zero = Bytes::copy_from_slice(B256::ZERO.as_slice());
        assert_eq!(
            ledger.call(request(difficulty), BlockId::latest()).await.unwrap(),
            zero,
            "{fork:?}"
        );
        let sender = Chain::accounts()[0];
        let to = Some(convert::from_address(push_zero));
        let fields = Fields {
            to,
            value: 0,
            gas_limit: 50_000,
            ..plain(&sender, 0)
        };
        let hash = ledger
            .submit(&fields.prepare().sign_with_secret(sender.secret()).unwrap().raw)
            .await
            .unwrap();
        assert_eq!(ledger.receipt(hash).await.unwrap().unwrap().status(), runs, "{fork:?}");
        let header = ledger.block(1.into(), false).await.unwrap().unwrap().header;
        assert_eq!(header.withdrawals_root.is_some(), fork == Fork::Shanghai);
        assert_eq!(header.hash, header.inner.hash_slow());
        ledger.audit().unwrap();
    }
}

#[tokio::test]
async fn first_accounts_have_code_and_storage() {
    let folder = tempfile::tempdir().unwrap();
    let address = convert::to_address(vidimus_core::Address([0x60; 20]));
    let mut genesis = genesis();
    genesis.alloc.insert(
        address,
        Allocation {
            balance: U256::from(5),
            code: Some(hex::decode("60015460005260206000f3").unwrap().into()),
            storage: [(U256::from(1), U256::from(42)), (U256::from(2), U256::ZERO)].into(),
        },
    );
    let path = folder.path().join("ledger");
    let ledger = Embedded::open(&path, genesis.clone(), Hand::at(NOW)).unwrap();
    let request = TransactionRequest {
        to: Some(TxKind::Call(address)),
        ..Default::default()
    };
    let answer = ledger.call(request.clone(), BlockId::latest()).await.unwrap();
    assert_eq!(U256::from_be_slice(&answer), U256::from(42));
    assert_eq!(
        ledger.storage(address, U256::from(1), 0.into()).await.unwrap(),
        B256::from(U256::from(42))
    );
    ledger.audit().unwrap();
    ledger.close().await;
    // The genesis is compared with what the file keeps of it, code and storage included.
    let ledger = Embedded::open(&path, genesis, Hand::at(NOW)).unwrap();
    ledger.submit(&transfer(&Chain::accounts()[0], 0).raw).await.unwrap();
    assert_eq!(
        ledger.call(request, 0.into()).await.unwrap(),
        answer,
        "in the past, through the trie"
    );
}

#[tokio::test]
async fn after_close_nothing_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = Arc::new(open(&path));
    let sender = Chain::accounts()[0];
    let submissions: Vec<_> = (0..50)
        .map(|nonce| {
            let ledger = Arc::clone(&ledger);
            let raw = transfer(&sender, nonce).raw;
            tokio::spawn(async move { ledger.submit(&raw).await.unwrap() })
        })
        .collect();
    let mut hashes = Vec::new();
    for submission in submissions {
        hashes.push(submission.await.unwrap());
    }
    Arc::into_inner(ledger).unwrap().close().await;
    let ledger = open(&path);
    for hash in hashes {
        assert!(ledger.receipt(hash).await.unwrap().is_some());
    }
}
