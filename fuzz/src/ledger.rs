//! What the targets of `vidimus-ledger`'s parsers do with their bytes.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use vidimus_core::{Timestamp, time::Clock};
use vidimus_ledger::contracts::{anchors, dids, registry, revert_name};
use vidimus_ledger::rpc::{self, Limits};
use vidimus_ledger::{Blame, Embedded, Genesis, Ledger, eth, transaction};

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[
    ("ledger_log", log),
    ("ledger_rpc", json_rpc),
    ("ledger_transaction", raw_transaction),
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
