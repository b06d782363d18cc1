//! The command line as a client of a server: the same HTTP API that everybody else has.

use super::{Exit, Failure, progress::Progress};
use crate::causes::with_causes;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;
use std::{path::PathBuf, time::Duration};
use vidimus_core::Secret;

/// Which server, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub struct ServerArguments {
    /// Address of the server.
    #[arg(
        long,
        global = true,
        env = "VIDIMUS_URL",
        default_value = "http://127.0.0.1:8654",
        value_name = "URL"
    )]
    pub url: String,
    /// File with the API key. Without it the variable VIDIMUS_API_KEY is used; a key never stands on the command line, where others see it.
    #[arg(long, global = true, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
}

/// A server.
#[derive(Debug, Clone)]
pub struct Server {
    url: String,
    api_key: Option<Secret<String>>,
    http: reqwest::Client,
}

impl ServerArguments {
    /// Without an API key, for what everybody may read.
    pub fn anonymous(&self) -> Result<Server, Failure> {
        Server::new(&self.url, None)
    }

    /// With the API key from the file or the variable.
    pub fn authenticated(&self) -> Result<Server, Failure> {
        let text = match &self.api_key_file {
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                Failure::new(
                    Exit::Usage,
                    format!("the API key cannot be read from {}: {error}", path.display()),
                )
            })?,
            None => std::env::var("VIDIMUS_API_KEY").map_err(|_| {
                Failure::new(
                    Exit::Usage,
                    "an API key is needed: name its file with --api-key-file, or set VIDIMUS_API_KEY",
                )
            })?,
        };
        Server::new(&self.url, Some(Secret::new(text.trim().to_owned())))
    }
}

impl Server {
    /// A server at `url`.
    pub fn new(url: &str, api_key: Option<Secret<String>>) -> Result<Self, Failure> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Failure::new(
                Exit::Usage,
                format!("`{url}` is not the address of a server: https://… is needed"),
            ));
        }
        // A crypto provider for TLS can be set once in a process; that it is there already is fine.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::unavailable(&error))?;
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            api_key,
            http,
        })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// GET, answered in JSON.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        json(&self.send(Method::GET, path, None::<&Value>, None).await?)
    }

    /// GET, answered in bytes.
    pub async fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.send(Method::GET, path, None::<&Value>, None).await
    }

    /// GET of something large, answered in bytes.
    pub async fn download(&self, path: &str, progress: &Progress) -> Result<Vec<u8>, Failure> {
        let mut response = self.ask(Method::GET, path, None::<&Value>, None).await?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.silent(error))? {
            progress.more(chunk.len() as u64);
            bytes.extend_from_slice(&chunk);
        }
        succeeded(status, bytes)
    }

    /// POST, answered in JSON.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        json(&self.send(Method::POST, path, Some(body), None).await?)
    }

    /// POST that makes something: with an idempotency key, and again (with the same key) when the answer got lost.
    pub async fn create(&self, path: &str, body: &impl Serialize, key: &str) -> Result<Value, Failure> {
        for _ in 0..2 {
            match self.send(Method::POST, path, Some(body), Some(key)).await {
                Err(failure) if failure.exit == Exit::Unavailable => tokio::time::sleep(Duration::from_secs(1)).await,
                answered => return json(&answered?),
            }
        }
        json(&self.send(Method::POST, path, Some(body), Some(key)).await?)
    }

    /// PATCH, answered in JSON.
    pub async fn patch(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        json(&self.send(Method::PATCH, path, Some(body), None).await?)
    }

    /// POST without a body, answered in JSON.
    pub async fn act(&self, path: &str) -> Result<Value, Failure> {
        json(&self.send(Method::POST, path, None::<&Value>, None).await?)
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(Method::DELETE, path, None::<&Value>, None).await.map(drop)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        key: Option<&str>,
    ) -> Result<Vec<u8>, Failure> {
        let response = self.ask(method, path, body, key).await?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| self.silent(error))?;
        succeeded(status, bytes.to_vec())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        key: Option<&str>,
    ) -> Result<reqwest::Response, Failure> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(secret) = &self.api_key {
            request = request.bearer_auth(secret.expose());
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.map_err(|error| self.silent(error))
    }

    fn silent(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        Failure::new(
            Exit::Unavailable,
            format!("{} does not answer: {}", self.url, with_causes(&error)),
        )
    }
}

fn succeeded(status: StatusCode, bytes: Vec<u8>) -> Result<Vec<u8>, Failure> {
    if status.is_success() {
        Ok(bytes)
    } else {
        Err(refused(status, &bytes))
    }
}

fn json(bytes: &[u8]) -> Result<Value, Failure> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(bytes).map_err(|_| {
        Failure::new(
            Exit::Unavailable,
            "the server's answer is not JSON: is this the address of a Vidimus?",
        )
    })
}

/// A problem document as a failure: its cause, the next step, the places that do not fit, and the id to quote.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let problem: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |name: &str| problem.get(name).and_then(Value::as_str).map(str::to_owned);
    let exit = match status.as_u16() {
        400 | 413 | 415 | 422 => Exit::Usage,
        408 | 429 | 500.. => Exit::Unavailable,
        _ => Exit::Refused,
    };
    let mut message = text("detail")
        .or_else(|| text("title"))
        .unwrap_or_else(|| format!("the server answered {status}"));
    if let Some(next) = text("next") {
        message.push_str(&format!("; {next}"));
    }
    for place in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| place.get(name).and_then(Value::as_str).unwrap_or_default();
        message.push_str(&format!(
            "\n  {}: {} [{}]",
            part("pointer"),
            part("detail"),
            part("code")
        ));
    }
    if let Some(request) = text("instance")
        .as_deref()
        .and_then(|text| text.strip_prefix("urn:uuid:"))
    {
        message.push_str(&format!(" (request {request})"));
    }
    let name = text("type").map(|kind| kind.rsplit([':', '/']).next().unwrap_or_default().to_owned());
    Failure { exit, message, name }
}

/// A random idempotency key.
pub fn idempotency_key() -> String {
    vidimus_core::id::RequestId::generate(&mut vidimus_crypto::OsEntropy).to_string()
}

/// Reads a file, or standard input for `-`.
pub fn read(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let result = if path == std::path::Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().take(64 << 20).read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    result.map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be read: {error}", path.display())))
}

/// [`read`], as text without white space around it.
pub fn read_text(path: &std::path::Path) -> Result<String, Failure> {
    let bytes = read(path)?;
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::new(Exit::Usage, format!("{} is not text", path.display())))?;
    Ok(text.trim().to_owned())
}

/// [`read`], as JSON.
pub fn read_json(path: &std::path::Path) -> Result<Value, Failure> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| Failure::new(Exit::Usage, format!("{} is not JSON: {error}", path.display())))
}

/// Writes a file, or standard output for `-`. Secrets go through [`write_private`].
pub fn write(path: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write as _;
    let result = if path == std::path::Path::new("-") {
        std::io::stdout().write_all(bytes)
    } else {
        std::fs::write(path, bytes)
    };
    result.map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be written: {error}", path.display())))
}

/// Writes a new file that only this user reads.
pub fn write_private(path: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    vidimus_crypto::file::create_private(path, bytes).map_err(|error| Failure::new(Exit::Usage, with_causes(&error)))
}

/// A new file for a secret that a server will give once. It is made before the server is asked, so that what comes has a place.
#[derive(Debug)]
pub struct SecretFile {
    path: PathBuf,
    file: std::fs::File,
}

impl SecretFile {
    /// Makes the file, empty, for this user only; refuses to write over one.
    pub fn reserve(path: &std::path::Path) -> Result<Self, Failure> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| {
                Failure::new(
                    Exit::Usage,
                    format!("{} cannot be made: {error}; name a new file", path.display()),
                )
            })?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Runs `request` and keeps the secret that its answer has under `name`, in place of which the answer then has the file's name. Without
    /// such a file the answer stays as it is.
    pub async fn keep(
        reserved: Option<Self>,
        name: &str,
        request: impl Future<Output = Result<Value, Failure>>,
    ) -> Result<Value, Failure> {
        use std::io::Write as _;
        let answer = request.await;
        let Some(mut reserved) = reserved else { return answer };
        let mut answer = answer.inspect_err(|_| drop(std::fs::remove_file(&reserved.path)))?;
        if let Some(Value::String(secret)) = answer.get(name) {
            let written = writeln!(reserved.file, "{secret}").and_then(|()| reserved.file.sync_all());
            // Better shown than lost: it is given only once.
            if written.is_ok() {
                answer[name] = Value::from(format!("in {}", reserved.path.display()));
            }
        } else {
            let _ = std::fs::remove_file(&reserved.path);
        }
        Ok(answer)
    }
}

/// A text from an answer of the server.
pub fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}
