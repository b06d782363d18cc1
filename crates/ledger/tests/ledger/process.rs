//! anvil as a process, for the tests of this crate and of those that include the file.
//!
//! The binary is that of the environment variable `VIDIMUS_ANVIL`, or of the npm package in `e2e/`.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What its blocks ask for gas, in wei, until it is told otherwise.
pub const BASE_FEE: u128 = 1_000_000_000;

/// A running anvil; ended when dropped.
pub struct Process {
    child: Child,
    pub url: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts one on a port of its own, and waits until the node there `answers`. Where it is not installed, `skip` is told.
    pub async fn start(
        skip: fn(&str),
        chain_id: u64,
        more: &[&str],
        answers: impl AsyncFn(&str) -> bool,
    ) -> Option<Self> {
        let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../../e2e/node_modules/.bin/anvil");
        let binary = std::env::var_os("VIDIMUS_ANVIL").map_or_else(|| PathBuf::from(package), PathBuf::from);
        if !binary.exists() {
            skip("anvil is not installed; run `npm ci` in e2e/, or set VIDIMUS_ANVIL");
            return None;
        }
        // The port is free when we look; another process may take it before anvil does, so a few are tried.
        for _ in 0..5 {
            let port = std::net::TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let child = Command::new(&binary)
                .args(["--accounts", "0", "--hardfork", "london", "--quiet"])
                .args(["--chain-id", &chain_id.to_string(), "--port", &port.to_string()])
                .args(["--block-base-fee-per-gas", &BASE_FEE.to_string()])
                .args(more)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut process = Self {
                child,
                url: format!("http://127.0.0.1:{port}"),
            };
            for _ in 0..200 {
                if answers(&process.url).await {
                    return Some(process);
                }
                if process.child.try_wait().unwrap().is_some() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        panic!("anvil does not start");
    }
}
