//! The person's browser, where an issuer asks there (RFC 8252).

use crate::cli::{Exit, Failure};
use std::io::{BufRead as _, Write as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// How the person's browser is asked.
pub(super) struct Asks {
    listener: Option<TcpListener>,
    pub(super) redirect_uri: String,
}

impl Asks {
    /// A port of this machine that the browser comes back to (RFC 8252 §7.3), or nothing but pasting.
    pub(super) async fn new(paste: bool) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(|error| Failure::unavailable(&error))?;
        let address = listener.local_addr().map_err(|error| Failure::unavailable(&error))?;
        Ok(Self {
            listener: (!paste).then_some(listener),
            redirect_uri: format!("http://127.0.0.1:{}/callback", address.port()),
        })
    }

    /// Sends the person there. The query that comes back.
    pub(super) async fn browser(&self, location: &str) -> Result<String, Failure> {
        let mut told = std::io::stderr();
        let _ = writeln!(told, "Open this address in a browser:\n\n  {location}\n");
        match &self.listener {
            None => {
                let _ = writeln!(told, "Paste the whole address that it comes back to:");
                let mut line = String::new();
                let read = std::io::stdin().lock().read_line(&mut line);
                read.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
                let query = line.trim().split_once('?').map(|(_, query)| query.to_owned());
                query.ok_or_else(|| Failure::new(Exit::Usage, "this address has no answer in it; nothing was claimed"))
            }
            Some(listener) => {
                let waiting = tokio::time::timeout(std::time::Duration::from_secs(600), answered(listener));
                waiting.await.map_err(|_| {
                    Failure::new(
                        Exit::Unavailable,
                        "nobody came back from the browser within ten minutes",
                    )
                })?
            }
        }
    }
}

/// Waits for the browser. What is no callback is answered and forgotten.
async fn answered(listener: &TcpListener) -> Result<String, Failure> {
    const HEAD: usize = 16 << 10;
    const PAGE: &str = "You can close this page and go back to your wallet.";
    loop {
        let (mut stream, _) = listener.accept().await.map_err(|error| Failure::unavailable(&error))?;
        let mut head = Vec::new();
        let mut part = [0; 1024];
        let reading = async {
            while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < HEAD {
                match stream.read(&mut part).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => head.extend_from_slice(&part[..count]),
                }
            }
        };
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), reading).await;
        let text = String::from_utf8_lossy(&head);
        let path = text.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
        let query = path.and_then(|path| path.strip_prefix("/callback?")).map(str::to_owned);
        let (status, body) = if query.is_some() {
            ("200 OK", PAGE)
        } else {
            ("404 Not Found", "")
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\
             referrer-policy: no-referrer\r\ncache-control: no-store\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        if let Some(query) = query {
            return Ok(query);
        }
    }
}
