//! The state, whatever is done to it.

use crate::script::{STORE, creation, words};
use crate::support::{Hand, NOW, genesis, open, plain, transfer};
use alloy::primitives::hex;
use proptest::prelude::*;
use std::collections::BTreeMap;
use vidimus_ledger::conformance::Chain;
use vidimus_ledger::contracts::address_created;
use vidimus_ledger::embedded::{Allocation, LOG_ANSWERS};
use vidimus_ledger::eth::{B256, BlockId, Filter, TransactionRequest, TxKind, U256};
use vidimus_ledger::transaction::Fields;
use vidimus_ledger::{CallerError, Embedded, Ledger, LedgerError, convert};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Slots are set, changed and cleared in any order, in blocks of any size: every block's state reads as a plain map would, and the
    /// root is the one that another trie computes.
    #[test]
    fn slots_read_as_they_were_written_at_every_block(
        blocks in proptest::collection::vec(proptest::collection::vec((0..12_u64, 0..4_u64), 1..6), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let ledger = open(&folder.path().join("ledger"));
            let sender = Chain::accounts()[0];
            let sign = |fields: Fields| fields.prepare().sign_with_secret(sender.secret()).unwrap().raw;
            let contract = address_created(sender.address, 0);
            let create = Fields { gas_limit: 200_000, to: None, value: 0, data: creation(STORE), ..plain(&sender, 0) };
            ledger.submit(&sign(create)).await.unwrap();
            let (mut nonce, mut model) = (1, BTreeMap::new());
            let mut history = Vec::new();
            for block in blocks {
                let bundle = block.iter().zip(nonce..).map(|((slot, value), nonce)| {
                    let data = words(&[*slot, *value]);
                    sign(Fields { gas_limit: 100_000, to: Some(contract), value: 0, data, ..plain(&sender, nonce) })
                });
                for result in ledger.submit_all(bundle.collect()).await {
                    result.unwrap();
                }
                nonce += block.len() as u64;
                model.extend(block);
                history.push((ledger.head().await.unwrap().number, model.clone()));
            }
            for (number, model) in history {
                for slot in 0..12 {
                    let expected = U256::from(model.get(&slot).copied().unwrap_or_default());
                    let found = ledger.storage(convert::to_address(contract), U256::from(slot), number.into()).await;
                    assert_eq!(found.unwrap(), B256::from(expected), "slot {slot} at block {number}");
                }
            }
            ledger.audit().unwrap();
        });
    }
}

#[tokio::test]
async fn a_contract_sees_the_hashes_of_the_blocks_before() {
    let folder = tempfile::tempdir().unwrap();
    // BLOCKHASH(NUMBER - 1).
    let code = hex::decode("600143034060005260206000f3").unwrap();
    let contract = convert::to_address(vidimus_core::Address([0x70; 20]));
    let mut genesis = genesis();
    genesis.alloc.insert(
        contract,
        Allocation {
            code: Some(code.into()),
            ..Allocation::default()
        },
    );
    let ledger = Embedded::open(&folder.path().join("ledger"), genesis, Hand::at(NOW)).unwrap();
    for nonce in 0..3 {
        ledger
            .submit(&transfer(&Chain::accounts()[0], nonce).raw)
            .await
            .unwrap();
    }
    for number in 1..=3 {
        let request = TransactionRequest {
            to: Some(TxKind::Call(contract)),
            ..Default::default()
        };
        let answer = ledger.call(request, BlockId::number(number)).await.unwrap();
        let block = ledger.block(BlockId::number(number), false).await.unwrap().unwrap();
        assert_eq!(B256::from_slice(&answer), block.header.parent_hash);
    }
}

#[tokio::test]
async fn logs_that_do_not_fit_into_one_answer_are_refused_not_cut() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder.path().join("ledger"));
    let sender = Chain::accounts()[0];
    let sign = |fields: Fields| fields.prepare().sign_with_secret(sender.secret()).unwrap().raw;
    // A thousand times LOG0 of nothing.
    let code = creation("6103e85b60006000a060019003806003570000");
    ledger
        .submit(&sign(Fields {
            gas_limit: 200_000,
            to: None,
            value: 0,
            data: code,
            ..plain(&sender, 0)
        }))
        .await
        .unwrap();
    let to = Some(address_created(sender.address, 0));
    for nonce in 1..=11 {
        let fields = Fields {
            gas_limit: 1_000_000,
            to,
            value: 0,
            ..plain(&sender, nonce)
        };
        let hash = ledger.submit(&sign(fields)).await.unwrap();
        assert_eq!(ledger.receipt(hash).await.unwrap().unwrap().inner.logs().len(), 1000);
    }
    let all = Filter::new().from_block(0).to_block(100);
    let error = ledger.logs(&all).await.unwrap_err();
    let limit = LOG_ANSWERS as u64;
    assert!(
        matches!(error, LedgerError::Caller(CallerError::TooMuch { limit: l, .. }) if l == limit),
        "{error}"
    );
    let ten = ledger.logs(&Filter::new().from_block(2).to_block(11)).await.unwrap();
    assert_eq!(ten.len(), LOG_ANSWERS);
    assert_eq!(
        (ten[1000].block_number, ten[1000].log_index),
        (Some(3), Some(0)),
        "counted within each block"
    );
}
