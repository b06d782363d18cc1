//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#[path = "../../../../fuzz/src/ledger.rs"]
mod fuzz;
#[path = "../../../../fuzz/src/run.rs"]
mod run;

use crate::support::with_an_anchor;
use serde_json::{Value, json};
use vidimus_ledger::conformance::Chain;
use vidimus_ledger::eth::{Address, B256, keccak256};
use vidimus_ledger::network::{FeeRules, heard};
use vidimus_ledger::rpc::{self, Limits};
use vidimus_ledger::{Ledger, convert};

/// A chain with one anchor, and what a node says of the block it stands in: the block, its receipts, its logs, the fee history and the tip.
async fn answers() -> [Value; 5] {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _, _) = with_an_anchor(&folder.path().join("ledger")).await;
    let head = convert::to_hash(ledger.head().await.unwrap().hash);
    let mut answers = Vec::new();
    for (method, params) in [
        ("eth_getBlockByHash", json!([head, true])),
        ("eth_getBlockReceipts", json!([head])),
        ("eth_getLogs", json!([{"blockHash": head}])),
        ("eth_feeHistory", json!(["0xa", "latest", [50.0]])),
        ("eth_maxPriorityFeePerGas", json!([])),
    ] {
        let asked = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = rpc::handle(&*ledger, Limits::default(), asked.to_string().as_bytes()).await;
        answers.push(serde_json::from_slice(&answer).unwrap());
    }
    answers.try_into().unwrap()
}

fn lines(answers: &[&Value]) -> Vec<u8> {
    let lines: Vec<_> = answers.iter().map(|answer| answer.to_string()).collect();
    lines.join("\n").into_bytes()
}

fn with(answer: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = answer.clone();
    *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    changed
}

/// Whether all that was said is believed of a block as the node gave it.
fn is_believed(data: &[u8]) -> bool {
    let lines: Vec<_> = data.splitn(3, |byte| *byte == b'\n').collect();
    let read = match *lines.as_slice() {
        [block, receipts, logs] => heard::block(block, receipts, logs, false),
        _ => return false,
    };
    read.is_ok_and(|read| read.refused == 0 && !read.receipts.is_empty())
}

#[tokio::test]
async fn the_corpus_of_a_nodes_blocks_is_what_makes_it() {
    let [block, receipts, logs, ..] = &answers().await;
    let no_logs = with(logs, "/result", json!([]));
    let refusal = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "nonce too low: next nonce 5, tx nonce 3"}});
    let reverted =
        json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 3, "message": "execution reverted", "data": "0x08c379a0"}});
    let other = json!(format!("0x{}", "01".repeat(32)));
    let lie = |which: usize, pointer: &str, value: Value| {
        let mut said = [block, receipts, logs].map(Value::clone);
        said[which] = with(&said[which], pointer, value);
        lines(&said.each_ref())
    };
    run::seeds(
        "ledger_block",
        is_believed,
        &[
            ("anchored", lines(&[block, receipts, logs])),
            ("no-logs", lines(&[block, receipts, &no_logs])),
        ],
        &[
            ("hash", lie(0, "/result/hash", other.clone())),
            ("time", lie(0, "/result/timestamp", json!("0x1"))),
            ("extra", lie(0, "/result/extraData", json!("0xf8ff"))),
            ("transactions", lie(0, "/result/transactions", json!([]))),
            ("amount", lie(0, "/result/transactions/0/value", json!("0x1"))),
            ("status", lie(1, "/result/0/status", json!("0x0"))),
            (
                "receipt-twice",
                lie(1, "/result", json!([receipts["result"][0], receipts["result"][0]])),
            ),
            ("no-receipts", lie(1, "/result", json!([]))),
            ("topic", lie(2, "/result/0/topics/1", other.clone())),
            ("place", lie(2, "/result/0/logIndex", json!("0xffffffffffffffff"))),
            ("no-place", lie(2, "/result/0/logIndex", Value::Null)),
            ("data", lie(2, "/result/0/data", json!("0x"))),
            ("null", lie(0, "/result", Value::Null)),
            ("refusal", lines(&[&refusal, receipts, logs])),
            ("reverted", lines(&[&reverted, receipts, logs])),
            ("one-answer", lines(&[block])),
        ],
    );
}

#[tokio::test]
async fn the_corpus_of_a_nodes_fees_is_what_makes_it() {
    let [.., history, tip] = &answers().await;
    let unknown = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "the method does not exist"}});
    let most = json!(format!("0x{}", "f".repeat(32)));
    let reads = |data: &[u8]| {
        let (history, tip) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len()));
        heard::fees(history, tip, FeeRules::default()).is_ok()
    };
    let paid = json!([["0x1"], ["0x3"], ["0x0"], [], ["0x2"]]);
    run::seeds(
        "ledger_fees",
        reads,
        &[
            ("free", lines(&[history, tip])),
            ("tip-unknown", lines(&[history, &unknown])),
            ("rewards", lines(&[&with(history, "/result/reward", paid), &unknown])),
            (
                "rewards-of-most",
                lines(&[&with(history, "/result/reward", json!([[most]])), &unknown]),
            ),
            (
                "no-base-fee",
                lines(&[&with(history, "/result/baseFeePerGas", json!([])), tip]),
            ),
            (
                "base-fee-of-64-bits",
                lines(&[
                    &with(history, "/result/baseFeePerGas", json!(["0xffffffffffffffff"])),
                    tip,
                ]),
            ),
            (
                "tip-of-256-bits",
                lines(&[history, &with(tip, "/result", json!(format!("0x{}", "f".repeat(64))))]),
            ),
        ],
        &[
            (
                "base-fee-of-128-bits",
                lines(&[&with(history, "/result/baseFeePerGas", json!([most])), tip]),
            ),
            (
                "base-fee-of-256-bits",
                lines(&[
                    &with(
                        history,
                        "/result/baseFeePerGas",
                        json!([format!("0x{}", "f".repeat(64))]),
                    ),
                    tip,
                ]),
            ),
            ("null", lines(&[&with(history, "/result", Value::Null), tip])),
            ("refused", lines(&[&unknown, tip])),
            ("nothing", Vec::new()),
        ],
    );
}

/// Whether a node's answer proves a nonce, or that there is none.
fn is_proven(data: &[u8]) -> bool {
    let lines: Vec<_> = data.splitn(3, |byte| *byte == b'\n').collect();
    let [account, root, answer] = *lines.as_slice() else {
        return false;
    };
    let word = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().to_owned();
    heard::nonce(
        word(root).parse().unwrap(),
        word(account).parse().unwrap(),
        answer,
        false,
    )
    .is_ok()
}

#[tokio::test]
async fn the_corpus_of_a_nodes_proofs_is_what_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _, _) = with_an_anchor(&folder.path().join("ledger")).await;
    let head = convert::to_hash(ledger.head().await.unwrap().hash);
    let ask = async |method: &str, params: Value| -> Value {
        let asked = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = rpc::handle(&*ledger, Limits::default(), asked.to_string().as_bytes()).await;
        serde_json::from_slice(&answer).unwrap()
    };
    let block = ask("eth_getBlockByHash", json!([head, false])).await;
    let root: B256 = serde_json::from_value(block["result"]["stateRoot"].clone()).unwrap();
    let (there, not_there) = (Chain::accounts()[0].eth(), Address::repeat_byte(9));
    let proof = ask("eth_getProof", json!([there, [], head])).await;
    let absent = ask("eth_getProof", json!([not_there, [], head])).await;
    let seed = |account: Address, root: B256, answer: &Value| format!("{account:#x}\n{root}\n{answer}").into_bytes();
    let nodes = proof["result"]["accountProof"].as_array().unwrap().clone();
    assert!(nodes.len() >= 2, "a branch and a leaf");
    let [first, .., leaf] = nodes.as_slice() else {
        unreachable!("asserted above")
    };
    let of = |nodes: Vec<Value>| with(&proof, "/result/accountProof", json!(nodes));
    let is_of_nonce_3 = heard::nonce(root, there, proof.to_string().as_bytes(), false);
    assert_eq!(is_of_nonce_3.unwrap(), 3, "a contract, a permission, an anchor");
    assert_eq!(
        heard::nonce(root, not_there, absent.to_string().as_bytes(), false).unwrap(),
        0
    );
    let refusal = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "the method does not exist"}});
    // The empty state is one node, 0x80, whose hash everybody knows.
    let empty = keccak256([0x80]);
    // One node as the root of its own state: what only who mines blocks can have.
    let alone = |node: &str| {
        let bytes: vidimus_ledger::eth::Bytes = node.parse().unwrap();
        seed(there, keccak256(bytes), &of(vec![json!(node)]))
    };
    let longer = json!(format!("{}00", leaf.as_str().unwrap()));
    let lie = |nodes: Vec<Value>| seed(there, root, &of(nodes));
    let cut = nodes[..nodes.len() - 1].to_vec();
    run::seeds(
        "ledger_proof",
        is_proven,
        &[
            ("there", seed(there, root, &proof)),
            ("not-there", seed(not_there, root, &absent)),
            // What the answer says beside the proof counts for nothing.
            (
                "another-nonce-beside-it",
                seed(there, root, &with(&proof, "/result/nonce", json!("0x63"))),
            ),
            ("empty-state", seed(there, empty, &of(Vec::new()))),
            ("leaf-of-another-path", alone("0xc22080")),
            ("extension-of-another-path", alone("0xc2111f")),
        ],
        &[
            ("another-root", seed(there, !root, &proof)),
            ("anothers-proof", seed(not_there, root, &proof)),
            ("no-nodes", lie(Vec::new())),
            ("leaf-cut-off", lie(cut.clone())),
            ("leaf-longer", lie([cut.clone(), vec![longer]].concat())),
            ("leaf-alone", lie(vec![leaf.clone()])),
            ("root-twice", lie(vec![first.clone(), first.clone()])),
            ("string", alone("0x83010203")),
            ("nothing-in-it", alone("0xc0")),
            ("one-item", alone("0xc180")),
            ("three-items", alone("0xc3808080")),
            ("path-of-no-bytes", alone("0xc28080")),
            ("length-lie", alone("0xf8ff")),
            ("length-of-64-bits", alone("0xffffffffffffffffff")),
            ("node-in-node", alone("0xd1c08080808080808080808080808080808080")),
            ("null", seed(there, root, &with(&proof, "/result", Value::Null))),
            ("refused", seed(there, root, &refusal)),
            ("nothing", Vec::new()),
        ],
    );
}

#[test]
fn the_corpus_of_transactions_to_sign_is_what_makes_it() {
    use vidimus_ledger::transaction::{Fields, Unsigned};
    let call = Fields {
        chain_id: 0x56_494d,
        nonce: 3,
        gas_limit: 200_000,
        max_fee: 2_000_000_000,
        priority_fee: 1_000_000_000,
        to: Some(vidimus_core::Address([0xac; 20])),
        value: 0,
        data: vec![7; 68],
    };
    let encoded = |change: &dyn Fn(&mut Fields)| {
        let mut fields = call.clone();
        change(&mut fields);
        fields.prepare().encoded()
    };
    let good = encoded(&|_| {});
    let put = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let raw = |hex: &str| vidimus_core::encoding::from_hex(hex).unwrap();
    run::seeds(
        "ledger_unsigned",
        |data| Unsigned::decode(data).is_ok_and(|read| read.fields().is_some()),
        &[
            ("call", good.clone()),
            ("create", encoded(&|fields| fields.to = None)),
            ("no-data", encoded(&|fields| fields.data.clear())),
            ("value", encoded(&|fields| fields.value = 1)),
            ("value-of-128-bits", encoded(&|fields| fields.value = u128::MAX)),
            (
                "largest-numbers",
                encoded(&|fields| (fields.nonce, fields.chain_id, fields.max_fee) = (u64::MAX, u64::MAX, u128::MAX)),
            ),
            // One entry without storage keys: it costs gas, and does nothing.
            (
                "access-list",
                raw(&format!("02e00101808080808080d7d694{}c0", "11".repeat(20))),
            ),
        ],
        &[
            ("nothing", Vec::new()),
            ("type-alone", good[..1].to_vec()),
            ("without-type", good[1..].to_vec()),
            ("legacy-type", put(0, &[0])),
            ("blob-type", put(0, &[3])),
            ("set-code-type", put(0, &[4])),
            ("cut", good[..good.len() - 1].to_vec()),
            ("longer", [&good[..], &[0]].concat()),
            ("list-longer-than-its-items", raw("02ca0101808080808080c080")),
            ("items-longer-than-the-list", raw("02c80101808080808080c0")),
            ("no-list", raw("02890101808080808080c0")),
            ("length-of-64-bits", raw("02ffffffffffffffffff")),
            ("length-of-4-gib", raw("02fbffffffff")),
            ("number-with-a-zero-in-front", raw("02cb82000101808080808080c0")),
            ("number-of-zero-as-a-byte", raw("02c90001808080808080c0")),
            ("chain-id-of-72-bits", raw("02d28901000000000000000001808080808080c0")),
            ("small-number-in-the-long-form", raw("02ca810101808080808080c0")),
            (
                "account-of-19-bytes",
                raw(&format!("02dc010180808093{}8080c0", "11".repeat(19))),
            ),
            (
                "value-of-256-bits",
                raw(&format!("02e9010180808080a0{}80c0", "ff".repeat(32))),
            ),
            (
                "value-of-264-bits",
                raw(&format!("02ea010180808080a1{}80c0", "ff".repeat(33))),
            ),
            (
                "signed",
                raw(&format!(
                    "02f84c0101808080808080c001a0{}a0{}",
                    "11".repeat(32),
                    "22".repeat(32)
                )),
            ),
            ("text", b"{}".to_vec()),
        ],
    );
}
