//! A server in a process of its own, which can be killed, and asking it.

use crate::program;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub struct Server {
    pub child: Child,
    pub setup: Option<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts `serve`; `first` waits for the setup link too.
    pub fn start(directory: &Path, failpoint: Option<&str>, first: bool) -> Option<Self> {
        let mut command = program::command(directory, &["--json", "serve"]);
        if let Some(failpoint) = failpoint {
            command.env("VIDIMUS_FAILPOINT", failpoint);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut logs = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let mut told = Vec::new();
        while !line.contains("\"serving\"") {
            told.push(std::mem::take(&mut line));
            if logs.read_line(&mut line).unwrap() == 0 {
                let ended = child.wait().unwrap();
                assert!(
                    failpoint.is_some() && ended.code().is_none(),
                    "the server does not start: {ended} {told:?}"
                );
                return None;
            }
        }
        let directory = directory.to_owned();
        std::thread::spawn(move || {
            let mut file = File::options()
                .append(true)
                .create(true)
                .open(directory.join("serve.log"))
                .unwrap();
            let _ = std::io::copy(&mut logs, &mut file);
        });
        let mut setup = String::new();
        if first {
            BufReader::new(child.stdout.take().unwrap())
                .read_line(&mut setup)
                .unwrap();
        }
        Some(Self {
            child,
            setup: first.then_some(setup),
        })
    }
}

pub struct Api {
    pub client: Client,
    pub base: String,
}

impl Api {
    pub fn new(base: String) -> Self {
        // A connection that was idle for long may be gone when the next request is sent.
        let client = Client::builder()
            .timeout(Duration::from_secs(20))
            .pool_idle_timeout(Duration::from_secs(2))
            .build()
            .unwrap();
        Self { client, base }
    }

    /// `None` when nobody answers.
    pub async fn send(
        &self,
        key: Option<&str>,
        method: &str,
        path: &str,
        body: Option<&Value>,
        idempotency: &str,
    ) -> Option<(StatusCode, Value)> {
        let mut request = self
            .client
            .request(method.parse().unwrap(), format!("{}{path}", self.base));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if !idempotency.is_empty() {
            request = request.header("idempotency-key", idempotency);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.ok()?;
        let status = response.status();
        let bytes = response.bytes().await.ok()?;
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        Some((status, serde_json::from_slice(&bytes).unwrap_or_else(|_| text())))
    }

    pub async fn get(&self, key: Option<&str>, path: &str) -> Value {
        let (status, body) = self
            .send(key, "GET", path, None, "")
            .await
            .expect("a server that nobody kills answers");
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub async fn post(&self, key: Option<&str>, path: &str, body: &Value) -> Value {
        let (status, answer) = self
            .send(key, "POST", path, Some(body), "")
            .await
            .expect("a server that nobody kills answers");
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    pub async fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = self.post(None, "/rpc", &body).await;
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }
}
