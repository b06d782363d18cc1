//! A node that lies, and one that talks without end.

use crate::network::settings;
use crate::support::with_an_anchor;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vidimus_ledger::conformance::Chain;
use vidimus_ledger::contracts::anchors;
use vidimus_ledger::embedded::DEFAULT_CHAIN_ID;
use vidimus_ledger::eth::{Address as EthAddress, BlockId, Filter, Log, TransactionReceipt, TxHash};
use vidimus_ledger::network::Settings;
use vidimus_ledger::rpc::{self, Limits};
use vidimus_ledger::{CallerError, FatalError, Ledger, LedgerError, Network, RetryError, convert};

type Lie = fn(&str, &mut Value);

/// A chain with one anchor on it, behind a node that says what the lie of the moment makes of the truth.
struct Liar {
    url: String,
    lie: Arc<Mutex<Lie>>,
    anchored: TxHash,
    filter: Filter,
    _folder: tempfile::TempDir,
}

impl Liar {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, contract, anchored) = with_an_anchor(&folder.path().join("ledger")).await;
        let lie: Arc<Mutex<Lie>> = Arc::new(Mutex::new(|_, _| {}));
        let of_the_moment = lie.clone();
        let answer = move |body: axum::body::Bytes| {
            let (ledger, lie) = (ledger.clone(), of_the_moment.clone());
            async move {
                let asked: Value = serde_json::from_slice(&body).unwrap();
                let answer = rpc::handle(&*ledger, Limits::default(), &body).await;
                let mut answer: Value = serde_json::from_slice(&answer).unwrap();
                lie.lock().unwrap()(asked["method"].as_str().unwrap(), &mut answer["result"]);
                ([("content-type", "application/json")], answer.to_string())
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/", axum::routing::post(answer));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            lie,
            anchored: convert::to_hash(anchored),
            filter: Filter::new().from_block(0).address(convert::to_address(contract)),
            _folder: folder,
        }
    }

    /// A new client, which has seen no truth yet.
    async fn client(&self, lie: Lie) -> Network {
        *self.lie.lock().unwrap() = |_, _| {};
        let network = Network::connect(settings(self.url.clone())).await.unwrap();
        *self.lie.lock().unwrap() = lie;
        network
    }

    async fn logs(&self, lie: Lie) -> Result<Vec<Log>, LedgerError> {
        self.client(lie).await.logs(&self.filter).await
    }

    async fn receipt(&self, lie: Lie) -> Result<Option<TransactionReceipt>, LedgerError> {
        self.client(lie).await.receipt(self.anchored).await
    }
}

#[track_caller]
fn unproven<T: std::fmt::Debug>(what: &str, answer: Result<T, LedgerError>) {
    assert!(
        matches!(answer, Err(LedgerError::Fatal(FatalError::Unproven(_)))),
        "{what}: {answer:?}"
    );
}

#[tokio::test]
async fn a_block_that_does_not_hash_to_its_hash_is_not_believed() {
    let liar = Liar::new().await;
    let lies: [(&str, Lie); 6] = [
        ("another time", |_, block| block["timestamp"] = json!("0x1")),
        ("another number", |_, block| block["number"] = json!("0x63")),
        ("another state", |_, block| {
            block["stateRoot"] = json!(TxHash::repeat_byte(1))
        }),
        ("another parent", |_, block| {
            block["parentHash"] = json!(TxHash::repeat_byte(1))
        }),
        ("another hash", |_, block| block["hash"] = json!(TxHash::repeat_byte(1))),
        ("other receipts", |_, block| {
            block["receiptsRoot"] = json!(TxHash::repeat_byte(1))
        }),
    ];
    for (what, lie) in lies {
        unproven(what, liar.client(lie).await.head().await);
    }
    // Whole, and not the one that was asked for.
    let truth = liar.client(|_, _| {}).await;
    let first = truth.block(0_u64.into(), false).await.unwrap().unwrap();
    assert_eq!(first.header.number, 0);
    let other = liar
        .client(|method, block| {
            if method == "eth_getBlockByHash" {
                block["hash"] = json!(TxHash::repeat_byte(1));
            }
        })
        .await;
    unproven("by hash", other.block(BlockId::hash(first.header.hash), false).await);
}

#[tokio::test]
async fn a_log_that_its_block_does_not_hold_is_not_believed() {
    let liar = Liar::new().await;
    let truth = liar.logs(|_, _| {}).await.unwrap();
    let anchored = truth.last().unwrap().clone();
    assert_eq!(anchored.transaction_hash, Some(liar.anchored));
    assert!(anchors::decode(&anchored).is_some());

    fn newest(method: &str, logs: &mut Value) -> Option<Value> {
        (method == "eth_getLogs").then(|| logs.as_array_mut().unwrap().pop().unwrap())
    }
    let lies: [(&str, Lie); 9] = [
        ("another root", |method, logs| {
            if let Some(mut log) = newest(method, logs) {
                log["topics"][1] = json!(TxHash::repeat_byte(9));
                *logs = json!([log]);
            }
        }),
        ("another size", |method, logs| {
            if let Some(mut log) = newest(method, logs) {
                log["data"] = json!(TxHash::with_last_byte(200));
                *logs = json!([log]);
            }
        }),
        ("of another contract", |method, logs| {
            if let Some(mut log) = newest(method, logs) {
                log["address"] = json!("0x0000000000000000000000000000000000000001");
                *logs = json!([log]);
            }
        }),
        ("at another place", |method, logs| {
            if let Some(mut log) = newest(method, logs) {
                log["logIndex"] = json!("0x1");
                *logs = json!([log]);
            }
        }),
        ("at no place", |method, logs| {
            if let Some(mut log) = newest(method, logs) {
                log["logIndex"] = json!(null);
                *logs = json!([log]);
            }
        }),
        ("in no block", |method, logs| {
            if let Some(mut log) = newest(method, logs) {
                log["blockHash"] = json!(null);
                *logs = json!([log]);
            }
        }),
        ("with receipts to fit", |method, answer| {
            let lie = json!(TxHash::with_last_byte(200));
            if let Some(mut log) = newest(method, answer) {
                log["data"] = lie;
                *answer = json!([log]);
            } else if method == "eth_getBlockReceipts" {
                answer[0]["logs"][0]["data"] = lie;
            }
        }),
        ("with fewer transactions", |method, answer| {
            if method == "eth_getBlockByHash" {
                answer["transactions"] = json!([]);
            }
        }),
        ("with a transaction that was not sent", |method, answer| {
            if method == "eth_getBlockByHash" {
                answer["transactions"][0]["value"] = json!("0x5");
            }
        }),
    ];
    for (what, lie) in lies {
        unproven(what, liar.logs(lie).await);
    }

    // What stands in the block is taken from it, whatever is said beside.
    let beside = liar
        .logs(|method, logs| {
            if let Some(mut log) = newest(method, logs) {
                log["transactionHash"] = json!(TxHash::repeat_byte(9));
                log["blockNumber"] = json!("0x1");
                log["blockTimestamp"] = json!("0x1");
                *logs = json!([log]);
            }
        })
        .await
        .unwrap();
    assert_eq!(beside[0].transaction_hash, anchored.transaction_hash);
    assert_eq!(beside[0].block_number, anchored.block_number);
    assert_eq!(beside[0].block_timestamp, anchored.block_timestamp);
    assert!(beside[0].block_timestamp > Some(1));
}

/// A log as it stands in its block, for who asked for another.
static GENUINE: Mutex<Value> = Mutex::new(Value::Null);

#[tokio::test]
async fn a_log_that_nobody_asked_for_is_not_believed() {
    let liar = Liar::new().await;
    let genuine = liar.logs(|_, _| {}).await.unwrap().pop().unwrap();
    *GENUINE.lock().unwrap() = json!([genuine]);
    let network = liar
        .client(|method, logs| {
            if method == "eth_getLogs" {
                *logs = GENUINE.lock().unwrap().clone();
            }
        })
        .await;
    assert_eq!(
        network.logs(&liar.filter).await.unwrap(),
        std::slice::from_ref(&genuine)
    );
    let first = network.block(0_u64.into(), false).await.unwrap().unwrap();
    let (block, here) = (genuine.block_number.unwrap(), || liar.filter.clone());
    let asked = [
        ("of another contract", here().address(EthAddress::repeat_byte(1))),
        ("of another event", here().event_signature(TxHash::repeat_byte(1))),
        ("about something else", here().topic1(TxHash::repeat_byte(1))),
        ("from before", here().from_block(block + 1).to_block(block + 2)),
        ("from after", here().to_block(block - 1)),
        ("of another block", Filter::new().at_block_hash(first.header.hash)),
    ];
    for (what, filter) in asked {
        unproven(what, network.logs(&filter).await);
    }
}

#[tokio::test]
async fn a_nonce_that_the_state_does_not_hold_is_not_believed() {
    let liar = Liar::new().await;
    let [authority, other] = [0, 1].map(|place| convert::to_address(Chain::accounts()[place].address));
    let counts: Lie = |method, answer| {
        if method == "eth_getTransactionCount" {
            *answer = json!("0x3e8");
        }
    };
    let network = liar.client(counts).await;
    assert_eq!(network.settled_nonce(authority).await.unwrap(), 3);
    assert_eq!(network.settled_nonce(other).await.unwrap(), 0);
    assert_eq!(
        network.settled_nonce(EthAddress::repeat_byte(9)).await.unwrap(),
        0,
        "not there"
    );
    let lies: [(&str, Lie); 4] = [
        ("no proof", |method, answer| {
            if method == "eth_getProof" {
                answer["accountProof"] = json!([]);
            }
        }),
        ("another account's", |method, answer| {
            if method == "eth_getProof" {
                answer["accountProof"].as_array_mut().unwrap().pop();
            }
        }),
        ("a leaf of its own", |method, answer| {
            if method == "eth_getProof" {
                let last = answer["accountProof"].as_array_mut().unwrap().last_mut().unwrap();
                *last = json!(format!("{}00", last.as_str().unwrap()));
            }
        }),
        ("of another state", |method, answer| {
            if method.starts_with("eth_getBlock") {
                answer["stateRoot"] = json!(TxHash::repeat_byte(1));
            }
        }),
    ];
    for (what, lie) in lies {
        unproven(what, liar.client(lie).await.settled_nonce(authority).await);
    }
}

#[tokio::test]
async fn a_receipt_that_its_block_does_not_hold_is_not_believed() {
    let liar = Liar::new().await;
    let truth = liar.receipt(|_, _| {}).await.unwrap().unwrap();
    assert!(truth.status());
    let lies: [(&str, Lie); 4] = [
        ("it failed", |method, receipt| {
            if method == "eth_getTransactionReceipt" {
                receipt["status"] = json!("0x0");
            }
        }),
        ("it logged nothing", |method, receipt| {
            if method == "eth_getTransactionReceipt" {
                receipt["logs"] = json!([]);
            }
        }),
        ("its block has others", |method, receipts| {
            if method == "eth_getBlockReceipts" {
                *receipts = json!([]);
            }
        }),
        ("its block has another transaction", |method, block| {
            if method == "eth_getBlockByHash" {
                block["transactions"][0]["nonce"] = json!("0x63");
            }
        }),
    ];
    for (what, lie) in lies {
        unproven(what, liar.receipt(lie).await);
    }
    // The receipt of one transaction, given for another.
    let network = liar.client(|_, _| {}).await;
    let other = crate::support::transfer(&Chain::accounts()[1], 0);
    assert_eq!(network.receipt(convert::to_hash(other.hash)).await.unwrap(), None);
    *STOLEN.lock().unwrap() = serde_json::to_value(truth).unwrap();
    let network = liar
        .client(|method, receipt| {
            if method == "eth_getTransactionReceipt" {
                *receipt = STOLEN.lock().unwrap().clone();
            }
        })
        .await;
    unproven("of another", network.receipt(convert::to_hash(other.hash)).await);
}

static STOLEN: Mutex<Value> = Mutex::new(Value::Null);

/// A server that answers `eth_chainId` and then goes on as `talk` does; counts what it could send.
fn talker(talk: fn(&mut std::net::TcpStream, &AtomicUsize)) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), counter) = (stream, counter.clone()) else {
                return;
            };
            std::thread::spawn(move || {
                let mut asked = Vec::new();
                let mut chunk = [0; 4096];
                while !asked.ends_with(b"}") {
                    match stream.read(&mut chunk) {
                        Ok(0) | Err(_) => return,
                        Ok(count) => asked.extend_from_slice(&chunk[..count]),
                    }
                }
                if String::from_utf8_lossy(&asked).contains("eth_chainId") {
                    let body =
                        json!({"jsonrpc": "2.0", "id": 1, "result": format!("{DEFAULT_CHAIN_ID:#x}")}).to_string();
                    let _ = write!(
                        stream,
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                        body.len()
                    );
                } else {
                    talk(&mut stream, &counter);
                }
            });
        }
    });
    (url, sent)
}

async fn connect(url: String, timeout: Duration) -> Network {
    let settings = Settings {
        timeout,
        answer: 100_000,
        ..settings(url)
    };
    Network::connect(settings).await.unwrap()
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let patience = Duration::from_secs(20);
    let announced = talker(|stream, sent| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n";
        while stream
            .write_all(if sent.load(Ordering::SeqCst) == 0 {
                head
            } else {
                &[b' '; 4096]
            })
            .is_ok()
        {
            sent.fetch_add(4096, Ordering::SeqCst);
        }
    });
    let unannounced = talker(|stream, sent| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = [b"1000\r\n".as_slice(), &[b' '; 4096], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {
            sent.fetch_add(4096, Ordering::SeqCst);
        }
    });
    for (url, sent) in [announced, unannounced] {
        let network = connect(url, patience).await;
        let error = network.head().await.unwrap_err();
        assert!(
            matches!(error, LedgerError::Caller(CallerError::TooMuch { limit: 100_000, .. })),
            "{error}"
        );
        assert!(error.asks_too_much());
        // Beside what was read, what the sockets hold.
        assert!(sent.load(Ordering::SeqCst) < 64 << 20);
    }
}

#[tokio::test]
async fn an_answer_that_trickles_is_not_waited_for() {
    let (url, _) = talker(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n");
        // How fast it trickles; nothing waits for this.
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let network = connect(url, Duration::from_millis(400)).await;
    let begun = tokio::time::Instant::now();
    let error = network.head().await.unwrap_err();
    assert!(matches!(error, LedgerError::Retry(RetryError::Timeout(_))), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}
