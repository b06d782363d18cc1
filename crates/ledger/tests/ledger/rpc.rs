//! JSON-RPC as bytes.

use crate::support::{open, transfer};
use serde_json::{Value, json};
use vidimus_ledger::conformance::Chain;
use vidimus_ledger::eth::{B256, Bytes, U256};
use vidimus_ledger::rpc::{Limits, handle};
use vidimus_ledger::{Embedded, Ledger};

struct Served {
    ledger: Embedded,
    _folder: tempfile::TempDir,
}

impl Served {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            ledger: open(&folder.path().join("ledger")),
            _folder: folder,
        }
    }
    async fn raw(&self, limits: Limits, body: &[u8]) -> Value {
        let answer = handle(&self.ledger, limits, body).await;
        if answer.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&answer).unwrap()
        }
    }
    async fn ask(&self, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        let limits = Limits {
            may_send: true,
            ..Limits::default()
        };
        let answer = self.raw(limits, body.to_string().as_bytes()).await;
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)));
        answer
    }
    async fn result(&self, method: &str, params: Value) -> Value {
        let mut answer = self.ask(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }
    async fn code(&self, method: &str, params: Value) -> i64 {
        let answer = self.ask(method, params).await;
        answer["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("{method} does not fail: {answer}"))
    }
}

#[tokio::test]
async fn every_method_answers_as_a_node_does() {
    let served = Served::new();
    let [sender, other, ..] = Chain::accounts();
    let signed = transfer(&sender, 0);
    let raw = Bytes::from(signed.raw.clone());
    let hash = served.result("eth_sendRawTransaction", json!([raw])).await;
    assert_eq!(hash, json!(signed.hash.to_string()));
    assert_eq!(
        served.result("eth_sendRawTransaction", json!([raw])).await,
        hash,
        "and again"
    );

    assert_eq!(served.result("eth_chainId", json!([])).await, "0x56494d");
    assert_eq!(served.result("net_version", json!([])).await, "5654861");
    assert_eq!(served.result("eth_blockNumber", json!([])).await, "0x1");
    assert_eq!(served.result("eth_gasPrice", json!([])).await, "0x0");
    assert_eq!(served.result("eth_maxPriorityFeePerGas", json!([])).await, "0x0");
    assert!(
        served
            .result("web3_clientVersion", json!([]))
            .await
            .as_str()
            .unwrap()
            .starts_with("vidimus/")
    );
    assert_eq!(
        served
            .result("eth_getTransactionCount", json!([sender.eth(), "latest"]))
            .await,
        "0x1"
    );
    assert_eq!(
        served
            .result("eth_getTransactionCount", json!([sender.eth(), "0x0"]))
            .await,
        "0x0"
    );
    assert_eq!(
        served.result("eth_getBalance", json!([other.eth(), "latest"])).await,
        json!(U256::from(Chain::FUNDS))
    );
    assert_eq!(served.result("eth_getCode", json!([other.eth()])).await, "0x");
    assert_eq!(
        served
            .result("eth_getStorageAt", json!([other.eth(), "0x0", "latest"]))
            .await,
        json!(B256::ZERO)
    );

    let block = served.result("eth_getBlockByNumber", json!(["latest", true])).await;
    assert_eq!(
        (&block["number"], &block["transactions"][0]["hash"]),
        (&json!("0x1"), &hash)
    );
    assert_eq!(block["transactions"][0]["blockHash"], block["hash"]);
    for field in [
        "parentHash",
        "stateRoot",
        "receiptsRoot",
        "transactionsRoot",
        "logsBloom",
        "baseFeePerGas",
        "nonce",
        "difficulty",
        "miner",
        "extraData",
        "size",
        "gasLimit",
        "gasUsed",
        "timestamp",
        "uncles",
        "sha3Uncles",
        "mixHash",
    ] {
        assert!(!block[field].is_null(), "a block has {field}");
    }
    let by_hash = served.result("eth_getBlockByHash", json!([block["hash"], false])).await;
    assert_eq!(by_hash["transactions"], json!([hash]));
    let transaction = served.result("eth_getTransactionByHash", json!([hash])).await;
    assert_eq!(
        (&transaction["type"], &transaction["transactionIndex"]),
        (&json!("0x2"), &json!("0x0"))
    );
    assert_eq!(transaction["from"].as_str().unwrap(), sender.address.to_string());
    let receipt = served.result("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(
        (&receipt["status"], &receipt["gasUsed"]),
        (&json!("0x1"), &json!("0x5208"))
    );
    assert_eq!(
        (&receipt["logs"], &receipt["contractAddress"]),
        (&json!([]), &Value::Null)
    );

    let call = json!({ "from": sender.eth(), "to": other.eth(), "value": "0x1" });
    assert_eq!(served.result("eth_call", json!([call, "latest"])).await, "0x");
    assert_eq!(served.result("eth_estimateGas", json!([call])).await, "0x5208");
    // The identity precompile.
    let echo = json!({ "to": "0x0000000000000000000000000000000000000004", "data": "0x1234" });
    assert_eq!(served.result("eth_call", json!([echo, "latest"])).await, "0x1234");
    assert_eq!(
        served
            .result("eth_getLogs", json!([{ "fromBlock": "0x0", "toBlock": "latest" }]))
            .await,
        json!([])
    );
    let history = served
        .result("eth_feeHistory", json!(["0x5", "latest", [10.0, 50.0]]))
        .await;
    assert_eq!(history["oldestBlock"], "0x0");
    assert_eq!(history["baseFeePerGas"], json!(["0x0", "0x0", "0x0"]));
    assert_eq!(history["reward"], json!([["0x0", "0x0"], ["0x0", "0x0"]]));
    let proof = served
        .result("eth_getProof", json!([sender.eth(), ["0x0"], "latest"]))
        .await;
    assert_eq!(
        (&proof["nonce"], &proof["storageProof"][0]["value"]),
        (&json!("0x1"), &json!("0x0"))
    );
    assert!(proof["accountProof"].as_array().unwrap().len() > 1);

    let nothing = json!(B256::repeat_byte(1));
    for method in ["eth_getTransactionByHash", "eth_getTransactionReceipt"] {
        assert_eq!(served.result(method, json!([nothing])).await, Value::Null);
    }
    assert_eq!(
        served.result("eth_getBlockByHash", json!([nothing, false])).await,
        Value::Null
    );
    assert_eq!(
        served.result("eth_getBlockByNumber", json!(["0x99", false])).await,
        Value::Null
    );
}

#[tokio::test]
async fn errors_have_their_codes() {
    let served = Served::new();
    let sender = Chain::accounts()[1];
    for (body, expected) in [
        (&b""[..], -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (b"{}", -32600),
        (br#"{"id":1,"method":"eth_chainId"}"#, -32600),
        (br#"{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":1}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}"#, -32600),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":{}}"#,
            -32602,
        ),
        (br#"{"jsonrpc":"2.0","id":1,"method":"eth_mine"}"#, -32601),
    ] {
        let answer = served.raw(Limits::default(), body).await;
        assert_eq!(answer["error"]["code"], expected, "{}", String::from_utf8_lossy(body));
        assert_eq!(answer["jsonrpc"], "2.0");
    }
    let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
    assert_eq!(served.raw(Limits::default(), &deep).await["error"]["code"], -32700);

    for (method, params, expected) in [
        ("eth_getBalance", json!([]), -32602),
        ("eth_getBalance", json!(["0x12"]), -32602),
        ("eth_getBalance", json!([sender.eth(), "yesterday"]), -32602),
        ("eth_getBalance", json!([sender.eth(), "0xffff"]), -32000),
        ("eth_getBlockByHash", json!(["0x1", true]), -32602),
        ("eth_call", json!([{ "to": 5 }]), -32602),
        ("eth_call", json!([{}, "latest", { "0x00": {} }]), -32602),
        ("eth_sendRawTransaction", json!(["zz"]), -32602),
        ("eth_sendRawTransaction", json!(["0x02"]), -32000),
        ("eth_getLogs", json!([{ "fromBlock": "0x5", "toBlock": "0x1" }]), -32602),
        (
            "eth_getLogs",
            json!([{ "fromBlock": "0x0", "blockHash": B256::ZERO }]),
            -32602,
        ),
        ("eth_getLogs", json!([{ "blockHash": B256::ZERO }]), -32000),
        ("eth_feeHistory", json!(["0x1", "latest", [50.0, 10.0]]), -32602),
        (
            "eth_getProof",
            json!([sender.eth(), vec!["0x0"; 257], "latest"]),
            -32005,
        ),
    ] {
        assert_eq!(served.code(method, params.clone()).await, expected, "{method} {params}");
    }
    // PUSH1 0, PUSH1 0, REVERT as creation code: a revert without data; INVALID: a halt.
    assert_eq!(served.code("eth_call", json!([{ "data": "0x60006000fd" }])).await, 3);
    assert_eq!(
        served
            .code("eth_estimateGas", json!([{ "data": "0x60006000fd" }]))
            .await,
        3
    );
    assert_eq!(served.code("eth_call", json!([{ "data": "0xfe" }])).await, -32000);
    // Error("no"): the text is in the message, the bytes in the data.
    let mut code = vec![0x60, 100, 0x60, 12, 0x60, 0, 0x39, 0x60, 100, 0x60, 0, 0xfd];
    code.extend([0x08, 0xc3, 0x79, 0xa0]);
    code.extend(U256::from(32).to_be_bytes::<32>());
    code.extend(U256::from(2).to_be_bytes::<32>());
    code.extend(b"no");
    code.resize(12 + 100, 0);
    let answer = served.ask("eth_call", json!([{ "data": Bytes::from(code) }])).await;
    assert_eq!(answer["error"]["message"], "execution reverted: no");
    assert!(answer["error"]["data"].as_str().unwrap().starts_with("0x08c379a0"));
}

#[tokio::test]
async fn who_may_not_send_does_not() {
    let served = Served::new();
    let raw = Bytes::from(transfer(&Chain::accounts()[1], 0).raw);
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw] });
    let answer = served.raw(Limits::default(), body.to_string().as_bytes()).await;
    assert_eq!(answer["error"]["code"], -32004);
    let batch = json!([body]).to_string();
    assert_eq!(
        served.raw(Limits::default(), batch.as_bytes()).await[0]["error"]["code"],
        -32004
    );
    assert_eq!(served.ledger.head().await.unwrap().number, 0);
}

#[tokio::test]
async fn batches_are_answered_one_by_one_and_bounded() {
    let served = Served::new();
    let one = |id: Value| json!({ "jsonrpc": "2.0", "id": id, "method": "eth_chainId" });
    let note = json!({ "jsonrpc": "2.0", "method": "eth_chainId" });
    let batch = json!([one(json!(1)), note, one(json!("two")), 5, one(Value::Null)]).to_string();
    let answer = served.raw(Limits::default(), batch.as_bytes()).await;
    let ids: Vec<_> = answer
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["id"].clone())
        .collect();
    assert_eq!(
        ids,
        [json!(1), json!("two"), Value::Null, Value::Null],
        "a notification has no answer"
    );
    assert_eq!(answer[2]["error"]["code"], -32600);
    assert_eq!(answer[3]["result"], "0x56494d");
    assert_eq!(
        served
            .raw(Limits::default(), json!([note]).to_string().as_bytes())
            .await,
        Value::Null
    );
    assert_eq!(
        served.raw(Limits::default(), note.to_string().as_bytes()).await,
        Value::Null
    );

    let tight = Limits {
        batch: 2,
        body: 1000,
        answer: 600,
        ..Limits::default()
    };
    let three = json!([one(json!(1)), one(json!(2)), one(json!(3))]).to_string();
    assert_eq!(served.raw(tight, three.as_bytes()).await["error"]["code"], -32005);
    assert_eq!(served.raw(tight, &[b' '; 1001]).await["error"]["code"], -32005);
    // A block does not fit into 600 bytes; the chain id after it does.
    let block = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", true] });
    let answer = served
        .raw(tight, json!([block, one(json!(2))]).to_string().as_bytes())
        .await;
    assert_eq!(answer[0]["error"]["code"], -32005);
    assert_eq!(answer[1]["result"], "0x56494d");
}

#[tokio::test]
async fn a_broken_ledger_says_nothing_about_itself() {
    let disk = crate::disk::Disk::default();
    let genesis = crate::support::genesis();
    let ledger = Embedded::open_with(disk.clone(), genesis, crate::support::Hand::at(1)).unwrap();
    disk.fail_at(crate::disk::Fault::Sync(0));
    ledger
        .submit(&transfer(&Chain::accounts()[1], 0).raw)
        .await
        .unwrap_err();
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"}"#;
    let answer = handle(&ledger, Limits::default(), body).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["error"], json!({ "code": -32603, "message": "internal error" }));
}
