//! Value, nonces, history.

use super::{Account, Chain, PATIENCE, at};
use crate::eth::{BlockId, BlockNumberOrTag, BlockTransactions, U256};
use crate::{await_mined, convert};

pub(super) async fn chain_and_blocks(chain: &Chain) {
    assert_eq!(chain.ledger.chain_id().await.unwrap(), chain.chain_id);
    let first = chain
        .ledger
        .block(at(0), true)
        .await
        .unwrap()
        .expect("there is a genesis block");
    assert_eq!(first.header.number, 0);
    let earliest = chain
        .ledger
        .block(BlockNumberOrTag::Earliest.into(), false)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(earliest.header.hash, first.header.hash);
    let head = chain.ledger.head().await.unwrap();
    let finalized = chain.ledger.finalized().await.unwrap();
    assert!(finalized.number <= head.number);
}

pub(super) async fn value_moves_and_fees_are_paid(chain: &Chain) {
    let [sender, receiver, _] = chain.funded;
    let before = chain.ledger.balance(sender.eth(), BlockId::latest()).await.unwrap();
    let received = chain.ledger.balance(receiver.eth(), BlockId::latest()).await.unwrap();
    let signed = chain
        .signed(&sender, Some(receiver.address), 1_000_000_007, Vec::new())
        .await;
    let mined = chain.mine(&signed).await;
    assert!(mined.success);
    assert_eq!(mined.gas_used, 21_000);
    assert_eq!(mined.contract, None);

    let receipt = chain
        .ledger
        .receipt(convert::to_hash(signed.hash))
        .await
        .unwrap()
        .unwrap();
    let paid = U256::from(receipt.effective_gas_price) * U256::from(receipt.gas_used);
    assert_eq!(
        chain.ledger.balance(sender.eth(), BlockId::latest()).await.unwrap(),
        before - U256::from(1_000_000_007) - paid
    );
    assert_eq!(
        chain.ledger.balance(receiver.eth(), BlockId::latest()).await.unwrap(),
        received + U256::from(1_000_000_007)
    );
    assert_eq!((receipt.from, receipt.to), (sender.eth(), Some(receiver.eth())));
    assert_eq!(receipt.block_number, Some(mined.block_number));

    let transaction = chain
        .ledger
        .transaction(convert::to_hash(signed.hash))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(transaction.block_hash, Some(convert::to_hash(mined.block_hash)));
    assert_eq!(transaction.inner.signer(), sender.eth());
}

pub(super) async fn history_is_read_by_number_and_hash(chain: &Chain) {
    let [sender, _, _] = chain.funded;
    let newcomer = Account::numbered(0x1157_0000 + chain.nonce(&sender).await);
    let first = chain
        .mine(&chain.signed(&sender, Some(newcomer.address), 5, Vec::new()).await)
        .await;
    let second = chain
        .mine(&chain.signed(&sender, Some(newcomer.address), 7, Vec::new()).await)
        .await;
    assert!(second.block_number > first.block_number);
    for (block, expected) in [
        (first.block_number - 1, 0),
        (first.block_number, 5),
        (second.block_number, 12),
    ] {
        assert_eq!(
            chain.ledger.balance(newcomer.eth(), at(block)).await.unwrap(),
            U256::from(expected),
            "at block {block}"
        );
    }
    let by_hash = BlockId::hash(convert::to_hash(first.block_hash));
    assert_eq!(
        chain.ledger.balance(newcomer.eth(), by_hash).await.unwrap(),
        U256::from(5)
    );
    let nonce = chain.ledger.nonce(sender.eth(), at(first.block_number)).await.unwrap();
    assert_eq!(
        chain.ledger.nonce(sender.eth(), at(second.block_number)).await.unwrap(),
        nonce + 1
    );

    let block = chain
        .ledger
        .block(at(second.block_number), true)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(block.header.hash, convert::to_hash(second.block_hash));
    assert_eq!(
        block.header.hash,
        block.header.inner.hash_slow(),
        "the hash is the header's"
    );
    let same = chain
        .ledger
        .block(BlockId::hash(block.header.hash), false)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(same.header, block.header);
    let BlockTransactions::Hashes(hashes) = same.transactions else {
        panic!("hashes were asked for")
    };
    assert!(hashes.contains(&convert::to_hash(second.transaction)));
    let BlockTransactions::Full(full) = block.transactions else {
        panic!("transactions were asked for")
    };
    assert_eq!(full.iter().map(|tx| *tx.inner.tx_hash()).collect::<Vec<_>>(), hashes);
    let parent = chain
        .ledger
        .block(BlockId::hash(same.header.parent_hash), false)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(parent.header.number + 1, second.block_number);
    assert!(
        parent.header.timestamp <= same.header.timestamp,
        "time never goes backwards"
    );
}

pub(super) async fn resubmission_is_idempotent(chain: &Chain) {
    let [sender, receiver, _] = chain.funded;
    let signed = chain.signed(&sender, Some(receiver.address), 1, Vec::new()).await;
    let mined = chain.mine(&signed).await;
    let nonce = chain.nonce(&sender).await;
    for _ in 0..3 {
        let again = chain.mine(&signed).await;
        assert_eq!(again, mined, "mined once, where it was");
    }
    assert_eq!(chain.nonce(&sender).await, nonce, "nothing was sent twice");
}

pub(super) async fn many_transactions_from_several_senders(chain: &Chain) {
    const EACH: u64 = 20;
    let receiver = Account::numbered(0x3a27_0000 + chain.nonce(&chain.funded[0]).await);
    let mut all = Vec::new();
    for sender in &chain.funded {
        let nonce = chain.nonce(sender).await;
        for offset in 0..EACH {
            let mut fields = chain
                .fields(nonce + offset, Some(receiver.address), 3, Vec::new())
                .await;
            fields.gas_limit = 21_000;
            all.push(fields.prepare().sign_with_secret(sender.secret()).unwrap());
        }
    }
    let submissions = all.iter().map(|signed| {
        let (ledger, raw) = (chain.ledger.clone(), signed.raw.clone());
        tokio::spawn(async move { ledger.submit(&raw).await })
    });
    for submission in submissions.collect::<Vec<_>>() {
        submission.await.unwrap().unwrap();
    }
    for signed in &all {
        assert!(
            await_mined(&*chain.ledger, signed.hash, PATIENCE)
                .await
                .unwrap()
                .success
        );
    }
    assert_eq!(
        chain.ledger.balance(receiver.eth(), BlockId::latest()).await.unwrap(),
        U256::from(3 * EACH * chain.funded.len() as u64),
        "each was applied once"
    );
}

pub(super) async fn a_gap_waits_until_it_closes(chain: &Chain) {
    let [sender, receiver, _] = chain.funded;
    let nonce = chain.nonce(&sender).await;
    let sign = async |nonce| {
        let fields = chain.fields(nonce, Some(receiver.address), 1, Vec::new()).await;
        fields.prepare().sign_with_secret(sender.secret()).unwrap()
    };
    let (first, second) = (sign(nonce).await, sign(nonce + 1).await);
    chain.ledger.submit(&second.raw).await.unwrap();
    assert!(
        chain
            .ledger
            .receipt(convert::to_hash(second.hash))
            .await
            .unwrap()
            .is_none(),
        "not before the first"
    );
    let waiting = chain.ledger.transaction(convert::to_hash(second.hash)).await.unwrap();
    assert_eq!(waiting.expect("it is known").block_hash, None);
    chain.ledger.submit(&second.raw).await.unwrap();
    chain.ledger.submit(&first.raw).await.unwrap();
    let first = await_mined(&*chain.ledger, first.hash, PATIENCE).await.unwrap();
    let second = await_mined(&*chain.ledger, second.hash, PATIENCE).await.unwrap();
    assert!(first.success && second.success && first.block_number <= second.block_number);
}
