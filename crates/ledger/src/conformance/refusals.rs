//! What a ledger must not take, and how it says so.

use super::{Chain, at, refused};
use crate::eth::{B256, BlockId, U256};

pub(super) async fn what_is_wrong_is_refused(chain: &Chain) {
    let ledger = &*chain.ledger;
    let [sender, receiver, _] = chain.funded;
    let nonce = chain.nonce(&sender).await;
    let fields = chain.fields(nonce, Some(receiver.address), 1, Vec::new()).await;
    let sign = |fields: crate::transaction::Fields| fields.prepare().sign_with_secret(sender.secret()).unwrap();

    // Not transactions.
    for junk in [&b""[..], b"\x02", b"\xc0", b"\x7fhello", &[0xff; 200]] {
        assert_eq!(
            ledger.submit(junk).await.unwrap_err().blame(),
            crate::Blame::Caller,
            "{junk:?}"
        );
    }
    let good = sign(fields.clone());
    let mut longer = good.raw.clone();
    longer.push(0);
    // Some nodes overlook them; then the hash they name is not that of what was sent, and the client finds it out.
    ledger.submit(&longer).await.expect_err("trailing bytes");

    // A signature that recovers nobody: r is not on the curve's field.
    let mut bad = good.raw.clone();
    let r = bad.len() - 65;
    bad[r..r + 32].fill(0xff);
    assert_eq!(
        ledger.submit(&bad).await.unwrap_err().blame(),
        crate::Blame::Caller,
        "bad signature"
    );

    let other_chain = crate::transaction::Fields {
        chain_id: chain.chain_id + 1,
        ..fields.clone()
    };
    refused(ledger.submit(&sign(other_chain).raw).await, "chain id");

    let mined = chain.mine(&good).await;
    assert!(mined.success);
    let stale = crate::transaction::Fields {
        value: 2,
        ..fields.clone()
    };
    refused(ledger.submit(&sign(stale).raw).await, "nonce too low");

    let next = crate::transaction::Fields {
        nonce: nonce + 1,
        ..fields.clone()
    };
    let too_dear = crate::transaction::Fields {
        value: Chain::FUNDS * 1000,
        ..next.clone()
    };
    refused(ledger.submit(&sign(too_dear).raw).await, "insufficient funds");
    let from_nothing = crate::transaction::Fields {
        nonce: 0,
        ..fields.clone()
    };
    let unfunded = from_nothing.prepare().sign_with_secret(chain.poor.secret()).unwrap();
    refused(ledger.submit(&unfunded.raw).await, "insufficient funds");

    let too_little_gas = crate::transaction::Fields {
        gas_limit: 20_999,
        ..next.clone()
    };
    refused(ledger.submit(&sign(too_little_gas).raw).await, "intrinsic gas");
    let too_much_gas = crate::transaction::Fields {
        gas_limit: 1 << 40,
        ..next.clone()
    };
    refused(ledger.submit(&sign(too_much_gas).raw).await, "gas");
    let tip_above_fee = crate::transaction::Fields {
        priority_fee: next.max_fee + 1,
        ..next
    };
    assert_eq!(
        ledger.submit(&sign(tip_above_fee).raw).await.unwrap_err().blame(),
        crate::Blame::Caller
    );
    assert_eq!(chain.nonce(&sender).await, nonce + 1, "nothing of it was taken");
}

pub(super) async fn what_is_not_there_is_none(chain: &Chain) {
    let ledger = &*chain.ledger;
    let unknown = B256::repeat_byte(0x11);
    let far = ledger.head().await.unwrap().number + 1_000_000;
    assert!(ledger.block(at(far), true).await.unwrap().is_none());
    assert!(ledger.block(BlockId::hash(unknown), true).await.unwrap().is_none());
    assert!(ledger.transaction(unknown).await.unwrap().is_none());
    assert!(ledger.receipt(unknown).await.unwrap().is_none());
    assert_eq!(
        ledger.balance(at_nobody(), BlockId::latest()).await.unwrap(),
        U256::ZERO
    );
    assert_eq!(ledger.nonce(at_nobody(), BlockId::latest()).await.unwrap(), 0);
    assert!(ledger.code(at_nobody(), BlockId::latest()).await.unwrap().is_empty());
    assert_eq!(
        ledger
            .storage(at_nobody(), U256::from(3), BlockId::latest())
            .await
            .unwrap(),
        B256::ZERO
    );
    assert_eq!(
        ledger.balance(at_nobody(), at(far)).await.unwrap_err().blame(),
        crate::Blame::Caller
    );
}

fn at_nobody() -> crate::eth::Address {
    crate::eth::Address::repeat_byte(0x77)
}
