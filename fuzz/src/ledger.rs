//! What the targets of `vidimus-ledger`'s parsers do with their bytes.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use vidimus_core::{Timestamp, time::Clock};
use vidimus_ledger::contracts::{anchors, dids, registry, revert_name};
use vidimus_ledger::network::{FeeRules, heard};
use vidimus_ledger::rpc::{self, Limits};
use vidimus_ledger::{Blame, Embedded, Genesis, Ledger, eth, transaction};

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[
    ("ledger_block", block),
    ("ledger_fees", fees),
    ("ledger_log", log),
    ("ledger_proof", proof),
    ("ledger_rpc", json_rpc),
    ("ledger_transaction", raw_transaction),
    ("ledger_unsigned", unsigned),
];

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(1_772_452_800)
    }
}

struct Server {
    ledger: Embedded,
    runtime: tokio::runtime::Runtime,
}

static SERVER: LazyLock<Mutex<Server>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Mutex::new(Server {
        ledger: Embedded::in_memory(Genesis::default(), Arc::new(Fixed)).expect("memory does not fail"),
        runtime: runtime.expect("a runtime of one thread starts"),
    })
});

/// A JSON-RPC body: always answered with JSON 2.0, or with nothing; and the ledger is none the worse for it.
pub fn json_rpc(data: &[u8]) {
    let server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let limits = Limits {
        may_send: true,
        ..Limits::default()
    };
    let answer = server.runtime.block_on(rpc::handle(&server.ledger, limits, data));
    assert!(answer.len() <= limits.answer + 1024);
    if !answer.is_empty() {
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("an answer is JSON");
        let one = answer.as_array().and_then(|all| all.first()).unwrap_or(&answer);
        assert_eq!(one["jsonrpc"], "2.0");
        assert!(one.get("result").is_some() != one.get("error").is_some());
        assert_ne!(one["error"]["code"], -32603, "a request does not break the ledger");
    }
    let head = server.runtime.block_on(server.ledger.head());
    assert_eq!(
        head.expect("it goes on").number,
        0,
        "nobody has funds, so nothing is mined"
    );
}

/// A signed transaction: what is read is written as the same bytes; what is not is the sender's fault.
pub fn raw_transaction(data: &[u8]) {
    if let Ok(signed) = transaction::inspect(data) {
        assert_eq!(signed.raw, data);
        assert_eq!(eth::keccak256(data).0, signed.hash.0);
    }
    let _ = transaction::recipient(data);
    let server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let error = server
        .runtime
        .block_on(server.ledger.submit(data))
        .expect_err("nobody has funds");
    assert_eq!(error.blame(), Blame::Caller, "{error}");
}

/// A transaction to sign, as a server gives it: what is read is written as the same bytes, its hash is theirs, and it says what its fields say.
pub fn unsigned(data: &[u8]) {
    let Ok(read) = transaction::Unsigned::decode(data) else {
        return;
    };
    assert_eq!(read.encoded(), data, "one spelling");
    assert_eq!(*read.hash(), eth::keccak256(data).0);
    // Whoever signs judges it by its fields: there is nothing in it that they do not say, but for an access list, which costs gas and does
    // nothing else.
    if let Some(fields) = read.fields() {
        assert_eq!((read.chain_id(), read.to()), (fields.chain_id, fields.to));
        assert_eq!(read.value(), eth::U256::from(fields.value));
        let again = fields.clone().prepare();
        assert_eq!(again.fields(), Some(fields));
        assert!(again.encoded().len() <= data.len());
        assert!(again.hash() == read.hash() || again.encoded().len() < data.len());
    } else {
        assert!(read.value() > eth::U256::from(u128::MAX));
    }
}

/// A log as a node says it, JSON; then its data as a revert's.
pub fn log(data: &[u8]) {
    if let Ok(log) = serde_json::from_slice::<eth::Log>(data) {
        let read = [
            registry::decode(&log).is_some(),
            anchors::decode(&log).is_some(),
            dids::decode(&log).is_some(),
        ];
        assert!(
            read.iter().filter(|read| **read).count() <= 1,
            "an event has one meaning"
        );
    }
    let _ = revert_name(data);
}

/// A node's answers, a line each: a block with its transactions, its receipts, logs of it. What is believed stands in the block, and is
/// believed again.
pub fn block(data: &[u8]) {
    let lines: Vec<_> = data.splitn(3, |byte| *byte == b'\n').collect();
    let answer = |at: usize| lines.get(at).copied().unwrap_or_default();
    for mined in [false, true] {
        let Ok(read) = heard::block(answer(0), answer(1), answer(2), mined) else {
            continue;
        };
        let logged: Vec<_> = read.receipts.iter().flat_map(|receipt| receipt.inner.logs()).collect();
        for receipt in &read.receipts {
            assert_eq!(receipt.block_number, Some(read.header.number));
        }
        for log in &read.logs {
            assert_eq!(log.block_number, Some(read.header.number));
            assert_eq!(log.block_timestamp, Some(read.header.timestamp));
            assert!(log.transaction_hash.is_some() && log.transaction_index.is_some());
            // A receipt that named another transaction is refused, its logs are the block's all the same.
            assert!(read.refused > 0 || logged.iter().any(|found| found.inner == log.inner));
        }
    }
    for status in [200, 400, 429, 500] {
        if let Err(error) = heard::refusal(status, data) {
            assert!(error.to_string().len() <= 1024, "somebody else's text is cut");
        }
    }
}

/// A node's answers, a line each: the fee history, and the tip it suggests. Nothing is offered beyond the most.
pub fn fees(data: &[u8]) {
    let (history, tip) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len()));
    for most in [0, 1, FeeRules::default().most, u128::MAX] {
        for priority_fee in [None, Some(0), Some(u128::MAX)] {
            if let Ok(fees) = heard::fees(history, tip.trim_ascii(), FeeRules { most, priority_fee }) {
                assert!(fees.max_fee <= most && fees.priority_fee <= fees.max_fee);
            }
        }
    }
}

/// An account, a state's root, and a node's answer to `eth_getProof`, a line each. What a proof says under one root it says under no other, and
/// that an account has a nonce it says of one account alone.
pub fn proof(data: &[u8]) {
    let lines: Vec<_> = data.splitn(3, |byte| *byte == b'\n').collect();
    let word = |at: usize| std::str::from_utf8(lines.get(at).copied().unwrap_or_default()).unwrap_or_default();
    let account: eth::Address = word(0).parse().unwrap_or_default();
    let root: eth::B256 = word(1).parse().unwrap_or_default();
    let answer = lines.get(2).copied().unwrap_or_default();
    let other = eth::Address::from_word(eth::keccak256(account));
    for mined in [false, true] {
        let Ok(nonce) = heard::nonce(root, account, answer, mined) else {
            continue;
        };
        assert_eq!(heard::nonce(root, account, answer, mined).ok(), Some(nonce));
        assert!(
            mined || heard::nonce(!root, account, answer, false).is_err(),
            "another state"
        );
        let of_other = heard::nonce(root, other, answer, mined).unwrap_or(0);
        assert!(nonce == 0 || of_other == 0, "two accounts in one leaf");
    }
}
