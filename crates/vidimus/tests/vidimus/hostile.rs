//! What a hostile client sends: through the router where that is enough, over a socket where connections matter.

use crate::harness::TestApp;
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::json;
use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};
use vidimus::http::server;

fn post(path: &str, kind: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, kind)
        .body(body.into())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_problem_document() {
    let app = TestApp::new().await;
    let json = "application/json";
    let deep = format!("{}1{}", "[".repeat(100_000 / 4), "]".repeat(100_000 / 4));
    let cases: Vec<(Request<Body>, StatusCode, &str)> = vec![
        (post("/v1/setup", json, ""), StatusCode::BAD_REQUEST, "json"),
        (post("/v1/setup", json, "{"), StatusCode::BAD_REQUEST, "json"),
        (post("/v1/setup", json, "\u{feff}{}"), StatusCode::BAD_REQUEST, "json"),
        (
            post("/v1/setup", json, vec![0xff, 0xfe, b'{', b'}']),
            StatusCode::BAD_REQUEST,
            "json",
        ),
        (
            post("/v1/setup", json, "{\"token\": 1}"),
            StatusCode::BAD_REQUEST,
            "json",
        ),
        (post("/v1/setup", json, "[]"), StatusCode::BAD_REQUEST, "json"),
        (
            post(
                "/v1/setup",
                json,
                "{\"token\":\"a\",\"token\":\"b\",\"name\":\"n\",\"country\":\"AT\"}",
            ),
            StatusCode::BAD_REQUEST,
            "json",
        ),
        (
            post(
                "/v1/setup",
                json,
                "{\"token\":\"a\",\"name\":\"n\",\"country\":\"AT\",\"role\":\"authority\"}",
            ),
            StatusCode::BAD_REQUEST,
            "json",
        ),
        (
            post("/v1/setup", json, deep.clone()),
            StatusCode::BAD_REQUEST,
            "too-deep",
        ),
        (
            post("/v1/setup", json, "x".repeat(64 * 1024 + 1)),
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
        ),
        (
            post("/v1/setup", "text/plain", "{}"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
        ),
        (
            post("/v1/setup", "application/x-www-form-urlencoded", "token=a"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
        ),
        (
            Request::post("/v1/setup").body(Body::from("{}")).unwrap(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
        ),
        (
            Request::get("/v1/setup").body(Body::empty()).unwrap(),
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
        ),
        (
            Request::get("/").body(Body::empty()).unwrap(),
            StatusCode::NOT_FOUND,
            "not-found",
        ),
        (
            Request::get("/v1/categories/..%2f..%2fetc%2fpasswd")
                .body(Body::empty())
                .unwrap(),
            StatusCode::NOT_FOUND,
            "not-found",
        ),
        (
            Request::get("/v1/categories/%00").body(Body::empty()).unwrap(),
            StatusCode::NOT_FOUND,
            "not-found",
        ),
        (
            Request::get("/v1/categories/%ff%fe").body(Body::empty()).unwrap(),
            StatusCode::NOT_FOUND,
            "not-found",
        ),
        (
            Request::get("/v1/profile").body(Body::empty()).unwrap(),
            StatusCode::UNAUTHORIZED,
            "no-api-key",
        ),
    ];
    for (request, status, name) in cases {
        let what = format!("{} {}", request.method(), request.uri());
        let answer = app.send(request).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (status, name),
            "{what}: {}",
            answer.text()
        );
    }
    assert_eq!(app.get("/v1/setup", None).await.headers[header::ALLOW], "POST");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_exact_api_key_is_accepted() {
    let app = TestApp::new().await;
    let key = app.set_up().await;
    let other = {
        let mut other = key.clone();
        let last = if other.ends_with('0') { '1' } else { '0' };
        other.pop();
        other.push(last);
        other
    };
    for value in [
        format!("Bearer {other}"),
        format!("Bearer {}", key.to_uppercase()),
        format!("Bearer {key}x"),
        format!("Bearer {key} {key}"),
        format!("Basic {key}"),
        key.clone(),
        "Bearer ".into(),
        format!("Bearer vk_{}_{}", "0".repeat(32), "0".repeat(64)),
        format!("Bearer {}", "A".repeat(8000)),
    ] {
        let request = Request::get("/v1/profile")
            .header(header::AUTHORIZATION, &value)
            .body(Body::empty())
            .unwrap();
        let answer = app.send(request).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::UNAUTHORIZED, "api-key-not-accepted"),
            "{value}"
        );
        assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
    }
    let twice = Request::get("/v1/profile")
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::AUTHORIZATION, format!("Bearer {other}"))
        .body(Body::empty())
        .unwrap();
    assert_eq!(app.send(twice).await.problem(), "api-key-not-accepted");
    app.get("/v1/profile", Some(&key)).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_choose_ids_or_inject_headers() {
    let app = TestApp::new().await;
    let request = Request::get("/livez")
        .header("x-request-id", "chosen")
        .body(Body::empty())
        .unwrap();
    let answer = app.send(request).await;
    assert_ne!(answer.headers["x-request-id"], "chosen");
    assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert!(
        answer.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap()
            .contains("default-src 'none'")
    );
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let answer = app.get("/v1/categories/a%0d%0aSet-Cookie:%20x", None).await;
    assert_eq!(answer.problem(), "not-found");
    assert!(!answer.headers.contains_key(header::SET_COOKIE));
    for key in ["", " ", "a b", &"x".repeat(256)] {
        let request = Request::post("/v1/results")
            .header("idempotency-key", key)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from("{}"))
            .unwrap();
        // Without an API key the header is not even looked at.
        assert_eq!(app.send(request).await.problem(), "no-api-key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rates_of_a_client_and_of_a_key_are_limited_each() {
    let app = TestApp::with("[server.limits]\nkey_requests_per_minute = 20\naddress_requests_per_minute = 100\n").await;
    let key = app.set_up().await;
    let mut limited = None;
    for count in 0..60 {
        let answer = app.get("/v1/profile", Some(&key)).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(answer.problem(), "rate-limit");
            assert!(
                answer.headers[header::RETRY_AFTER]
                    .to_str()
                    .unwrap()
                    .parse::<u64>()
                    .unwrap()
                    >= 1
            );
            limited = Some(count);
            break;
        }
    }
    let count = limited.expect("a key's rate is limited");
    assert!((15..40).contains(&count), "limited after {count}");
    // The address has tokens left for others, and when it has none the probes are still answered.
    app.get("/v1/categories", None).await.expect(StatusCode::OK);
    let mut last = StatusCode::OK;
    for _ in 0..200 {
        last = app.get("/v1/categories", None).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    app.get("/livez", None).await.expect(StatusCode::OK);
    app.get("/readyz", None).await.expect(StatusCode::OK);
}

/// The service on a socket; dropping the sender stops it.
async fn listening(more: &str) -> (TestApp, SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let app = TestApp::with(more).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let guard = app.guard.clone();
    let served = tokio::spawn(async move {
        let stop = async {
            let _ = stopped.await;
        };
        server::serve(guard, listener, None, stop).await.unwrap();
    });
    (app, address, stop, served)
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut bytes)).await;
    assert!(
        read.is_ok(),
        "the server keeps the connection: {}",
        String::from_utf8_lossy(&bytes)
    );
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_let_go() {
    let (_app, address, _stop, _served) = listening("[server.limits]\nheader_seconds = 1\nrequest_seconds = 2\n").await;
    let silent = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        read_to_end(&mut stream).await
    };
    let slow_headers = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\nX-A: ")
            .await
            .unwrap();
        read_to_end(&mut stream).await
    };
    let half_preface = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
        read_to_end(&mut stream).await
    };
    let slow_body = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head =
            b"POST /v1/setup HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
        stream.write_all(head).await.unwrap();
        read_to_end(&mut stream).await
    };
    let (silent, slow_headers, half_preface, slow_body) = tokio::join!(silent, slow_headers, half_preface, slow_body);
    assert_eq!(silent, "");
    assert!(
        slow_headers.is_empty() || slow_headers.starts_with("HTTP/1.1 408"),
        "{slow_headers}"
    );
    assert!(!half_preface.contains("200"), "{half_preface}");
    assert!(
        slow_body.starts_with("HTTP/1.1 408") && slow_body.contains("urn:vidimus:error:timeout"),
        "{slow_body}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_refused() {
    let (_app, address, _stop, _served) = listening("[server.limits]\nheader_seconds = 1\n").await;
    let huge_header = format!("GET /livez HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n\r\n", "a".repeat(100_000));
    let many_headers = format!("GET /livez HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-A: a\r\n".repeat(200));
    let smuggled = "POST /v1/setup HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n{}{}x";
    for bytes in [
        huge_header.as_str(),
        &many_headers,
        smuggled,
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET /livez\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(bytes.as_bytes()).await;
        let answer = read_to_end(&mut stream).await;
        assert!(!answer.contains(" 200 "), "{}: {answer}", &bytes[..20.min(bytes.len())]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_requests_are_bounded() {
    let (app, address, _stop, _served) = listening("[server.limits]\nconnections = 2\nconcurrency = 1\n").await;
    let ask_slowly = async || {
        let slow =
            b"POST /v1/setup HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may be closed before all is written, where another is open still.
        let _ = stream.write_all(slow).await;
        stream
    };
    let mut first = ask_slowly().await;
    // The first request holds the one place; while it does, others are told to come back, and the probe is answered.
    app.until("the first request is under way", async || {
        // One of our own questions may have had the place when it came, and it was refused.
        if first.try_read(&mut [0]).is_ok() {
            first = ask_slowly().await;
        }
        app.get("/v1/categories", None).await.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    let busy = app.get("/v1/categories", None).await;
    assert_eq!(busy.problem(), "busy");
    assert!(busy.headers.contains_key(header::RETRY_AFTER));
    app.get("/livez", None).await.expect(StatusCode::OK);
    // One connection is open and one more is allowed: of six, five are closed at once.
    let mut others = Vec::new();
    for _ in 0..6 {
        others.push(TcpStream::connect(address).await.unwrap());
    }
    let closed = others.iter_mut().map(|stream| async move {
        let mut byte = [0];
        matches!(
            tokio::time::timeout(Duration::from_secs(2), stream.read(&mut byte)).await,
            Ok(Ok(0) | Err(_))
        )
    });
    assert_eq!(
        futures::future::join_all(closed)
            .await
            .into_iter()
            .filter(|closed| *closed)
            .count(),
        5
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_requests_under_way_finish() {
    let (_app, address, stop, served) = listening("").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = json!({"token": "x", "name": "n", "country": "AT"}).to_string();
    let head = format!(
        "POST /v1/setup HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..5]).await.unwrap();
    // The server has taken the request up when it answers another on the same listener.
    let mut other = TcpStream::connect(address).await.unwrap();
    other
        .write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(read_to_end(&mut other).await.starts_with("HTTP/1.1 200"));
    stop.send(()).unwrap();
    stream.write_all(&body.as_bytes()[5..]).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.contains("setup-link-unknown"),
        "{answer}"
    );
    tokio::time::timeout(Duration::from_secs(10), served)
        .await
        .expect("it stops within ten seconds")
        .unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "and listens no more");
}
