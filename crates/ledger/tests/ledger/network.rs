//! The network backend, in front of an embedded ledger that is served over HTTP.

use crate::support::{open, serve};
use std::sync::Arc;
use std::time::Duration;
use vidimus_ledger::conformance::{self, Chain};
use vidimus_ledger::network::{ANSWER, FeeRules, Finality, Settings};
use vidimus_ledger::rpc::Limits;
use vidimus_ledger::{Blame, FatalError, Ledger, LedgerError, Network, RetryError, embedded::DEFAULT_CHAIN_ID};

pub fn settings(url: String) -> Settings {
    Settings {
        url,
        bearer: None,
        chain_id: DEFAULT_CHAIN_ID,
        finality: Finality::Latest,
        timeout: Duration::from_secs(10),
        fees: FeeRules {
            priority_fee: Some(0),
            ..FeeRules::default()
        },
        verify: true,
        answer: ANSWER,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_in_front_of_an_embedded_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(
        Arc::new(open(&folder.path().join("ledger"))),
        Limits {
            may_send: true,
            ..Limits::default()
        },
    )
    .await;
    let network = Network::connect(settings(url)).await.unwrap();
    conformance::all(&Chain::new(Arc::new(network), DEFAULT_CHAIN_ID)).await;
}

#[tokio::test]
async fn another_chain_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(Arc::new(open(&folder.path().join("ledger"))), Limits::default()).await;
    let error = Network::connect(Settings {
        chain_id: 1,
        ..settings(url)
    })
    .await
    .unwrap_err();
    assert!(matches!(
        error,
        LedgerError::Fatal(FatalError::WrongChain {
            expected: 1,
            found: DEFAULT_CHAIN_ID
        })
    ));
}

/// Serves whatever `answer` says to each body.
async fn serve_lies(
    answer: impl Fn(serde_json::Value) -> (axum::http::StatusCode, String) + Clone + Send + Sync + 'static,
) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let handler = move |body: axum::body::Bytes| {
        let (status, text) = answer(serde_json::from_slice(&body).unwrap());
        async move { (status, [("content-type", "application/json")], text) }
    };
    let router = axum::Router::new().route("/", axum::routing::post(handler));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn result(request: &serde_json::Value, result: serde_json::Value) -> (axum::http::StatusCode, String) {
    let answer = serde_json::json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
    (axum::http::StatusCode::OK, answer.to_string())
}

/// A node that is on the right chain and otherwise answers `text` with `status`.
async fn connect_to_lies(status: u16, text: &'static str) -> Network {
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    let url = serve_lies(move |request| match request["method"].as_str() {
        Some("eth_chainId") => result(&request, serde_json::json!(format!("{DEFAULT_CHAIN_ID:#x}"))),
        _ => (status, text.replace("ID", &request["id"].to_string())),
    });
    Network::connect(settings(url.await)).await.unwrap()
}

#[tokio::test]
async fn a_node_that_talks_nonsense_is_asked_again_later() {
    for (status, text) in [
        (200, ""),
        (200, "not json"),
        (200, "{}"),
        (200, r#"{"jsonrpc":"2.0","id":ID,"result":"0xzz"}"#),
        (200, r#"{"jsonrpc":"2.0","id":ID,"result":[1,2,3]}"#),
        (200, r#"{"jsonrpc":"2.0","id":ID,"result":null}"#),
        (
            200,
            r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32002,"message":"busy"}}"#,
        ),
        (429, "slow down"),
        (500, "oops"),
        (503, "later"),
        (307, "elsewhere"),
        (404, "<html>"),
    ] {
        let network = connect_to_lies(status, text).await;
        let error = network.head().await.unwrap_err();
        assert_eq!(error.blame(), Blame::Retry, "{status} {text}: {error}");
        assert!(
            network
                .receipt(vidimus_ledger::eth::B256::ZERO)
                .await
                .map_or(true, |found| found.is_none())
        );
    }
}

#[tokio::test]
async fn a_node_that_names_another_hash_is_not_believed() {
    let url = serve_lies(|request| match request["method"].as_str() {
        Some("eth_chainId") => result(&request, serde_json::json!(format!("{DEFAULT_CHAIN_ID:#x}"))),
        _ => result(&request, serde_json::json!(vidimus_ledger::eth::B256::repeat_byte(6))),
    });
    let network = Network::connect(settings(url.await)).await.unwrap();
    let signed = crate::support::transfer(&Chain::accounts()[0], 0);
    let error = network.submit(&signed.raw).await.unwrap_err();
    assert!(
        matches!(error, LedgerError::Fatal(FatalError::Inconsistent(_))),
        "{error}"
    );
}

#[tokio::test]
async fn a_node_that_says_nonce_too_low_may_have_mined_it() {
    // A retry after a lost answer: the node knows the transaction, and refuses to take it again.
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(open(&folder.path().join("ledger")));
    let signed = crate::support::transfer(&Chain::accounts()[0], 0);
    ledger.submit(&signed.raw).await.unwrap();
    let found = serde_json::to_value(
        ledger
            .transaction(vidimus_ledger::convert::to_hash(signed.hash))
            .await
            .unwrap(),
    );
    let found = found.unwrap();
    let url = serve_lies(move |request| match request["method"].as_str() {
        Some("eth_chainId") => result(&request, serde_json::json!(format!("{DEFAULT_CHAIN_ID:#x}"))),
        Some("eth_getTransactionByHash") => result(&request, found.clone()),
        _ => {
            let error = serde_json::json!({ "code": -32000, "message": "nonce too low" });
            let answer = serde_json::json!({ "jsonrpc": "2.0", "id": request["id"], "error": error });
            (axum::http::StatusCode::OK, answer.to_string())
        }
    });
    let network = Network::connect(settings(url.await)).await.unwrap();
    assert_eq!(
        network.submit(&signed.raw).await.unwrap(),
        vidimus_ledger::convert::to_hash(signed.hash)
    );
}

#[tokio::test]
async fn what_cannot_be_reached_is_said_without_the_address() {
    // A listener that never answers, and a port where nobody listens.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (silent_at, closed_at) = (silent.local_addr().unwrap(), closed.local_addr().unwrap());
    drop(closed);
    let timeout = Duration::from_millis(300);
    let cases = [
        (silent_at, RetryError::Timeout(0)),
        (closed_at, RetryError::Unreachable("no connection".into())),
    ];
    for (at, expected) in cases {
        let url = format!("http://user:secret-token@{at}/secret-path");
        let settings = Settings {
            timeout,
            bearer: Some("secret-bearer".into()),
            ..settings(url)
        };
        assert!(!format!("{settings:?}").contains("secret"), "{settings:?}");
        let error = Network::connect(settings).await.unwrap_err();
        let LedgerError::Retry(found) = &error else {
            panic!("{error}")
        };
        assert_eq!(*found, expected);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
    drop(silent);
    for (url, sentence) in [("not a url", "not a URL"), ("ftp://127.0.0.1/", "http:// or https://")] {
        let error = Network::connect(settings(url.into())).await.unwrap_err();
        assert!(error.to_string().contains(sentence), "{error}");
    }
}

#[tokio::test]
async fn the_bearer_token_goes_with_every_request() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let handler = |headers: axum::http::HeaderMap, body: axum::body::Bytes| async move {
        if headers
            .get("authorization")
            .is_none_or(|value| value != "Bearer a-token")
        {
            return (axum::http::StatusCode::UNAUTHORIZED, String::new());
        }
        let request: serde_json::Value = serde_json::from_slice(&body).unwrap();
        result(&request, serde_json::json!(format!("{DEFAULT_CHAIN_ID:#x}")))
    };
    let router = axum::Router::new().route("/", axum::routing::post(handler));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let with = Settings {
        bearer: Some("a-token".into()),
        ..settings(url.clone())
    };
    assert_eq!(
        Network::connect(with).await.unwrap().chain_id().await.unwrap(),
        DEFAULT_CHAIN_ID
    );
    let error = Network::connect(settings(url)).await.unwrap_err();
    assert!(error.to_string().contains("401"), "{error}");
}
