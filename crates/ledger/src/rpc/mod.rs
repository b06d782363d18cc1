//! JSON-RPC 2.0 over a ledger, without HTTP: bytes in, bytes out.
//!
//! Whatever ledger is behind it, an Ethereum tool (ethers, a did:ethr resolver, another Vidimus) sees a node. Who may ask, and
//! who may send, is for the server to decide: [`Limits::may_send`] is given with every call.

mod methods;

use crate::error::{CallerError, LedgerError};
use crate::eth::Bytes;
use crate::{Blame, Ledger};
use serde_json::{Value, json};

/// What one call may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Whether `eth_sendRawTransaction` is answered. The server decides for each caller.
    pub may_send: bool,
    /// Most bytes of a body.
    pub body: usize,
    /// Most requests in a batch.
    pub batch: usize,
    /// Most bytes of an answer; what goes over is an error instead.
    pub answer: usize,
}

impl Default for Limits {
    /// Reading only; 1 MiB in, 100 requests, 16 MiB out.
    fn default() -> Self {
        Self {
            may_send: false,
            body: 1 << 20,
            batch: 100,
            answer: 16 << 20,
        }
    }
}

/// Error codes: JSON-RPC 2.0 §5.1, EIP-1474, and go-ethereum's 3 for reverts.
mod code {
    pub(super) const PARSE: i64 = -32700;
    pub(super) const REQUEST: i64 = -32600;
    pub(super) const METHOD: i64 = -32601;
    pub(super) const PARAMS: i64 = -32602;
    pub(super) const INTERNAL: i64 = -32603;
    pub(super) const SERVER: i64 = -32000;
    pub(super) const UNAVAILABLE: i64 = -32002;
    pub(super) const NOT_ALLOWED: i64 = -32004;
    pub(super) const LIMIT: i64 = -32005;
    pub(super) const REVERTED: i64 = 3;
}

/// The code that says "ask again later", for clients of this module.
pub(crate) const UNAVAILABLE: i64 = code::UNAVAILABLE;
/// The code that says "ask for less", for clients of this module.
pub(crate) const LIMIT: i64 = code::LIMIT;

/// An error as it is answered.
#[derive(Debug, Clone, PartialEq)]
struct Failure {
    code: i64,
    message: String,
    data: Option<Bytes>,
}

impl Failure {
    fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let code = match &error {
            LedgerError::Caller(CallerError::Reverted { data, .. }) => {
                return Self {
                    code: code::REVERTED,
                    message: error.to_string(),
                    data: Some(data.clone()),
                };
            }
            LedgerError::Caller(CallerError::Argument(_)) => code::PARAMS,
            LedgerError::Caller(CallerError::TooMuch { .. }) => code::LIMIT,
            LedgerError::Caller(_) => code::SERVER,
            LedgerError::Retry(_) => code::UNAVAILABLE,
            LedgerError::Fatal(_) => code::INTERNAL,
        };
        // What is broken inside is for the operator's log, not for whoever asks.
        let message = match error.blame() {
            Blame::Fatal => "internal error".to_owned(),
            Blame::Caller | Blame::Retry => error.to_string(),
        };
        Self::new(code, message)
    }
}

/// Answers one JSON-RPC body, a request or a batch. Always JSON, or empty where nothing but notifications came.
pub async fn handle(ledger: &dyn Ledger, limits: Limits, body: &[u8]) -> Vec<u8> {
    if body.len() > limits.body {
        return rejected(Failure::new(
            code::LIMIT,
            format!("request too large: at most {} bytes", limits.body),
        ));
    }
    let parsed = match serde_json::from_slice::<Value>(body) {
        Ok(parsed) => parsed,
        Err(_) => return rejected(Failure::new(code::PARSE, "not JSON")),
    };
    match parsed {
        Value::Array(requests) if requests.is_empty() => rejected(Failure::new(code::REQUEST, "empty batch")),
        Value::Array(requests) if requests.len() > limits.batch => rejected(Failure::new(
            code::LIMIT,
            format!("batch too large: at most {} requests", limits.batch),
        )),
        Value::Array(requests) => {
            let mut left = limits.answer;
            let mut answers = Vec::new();
            for request in requests {
                if let Some(answer) = one(ledger, limits, request, left).await {
                    left = left.saturating_sub(answer.len());
                    answers.push(answer);
                }
            }
            if answers.is_empty() {
                return Vec::new();
            }
            [b"[".as_slice(), &answers.join(b",".as_slice()), b"]"].concat()
        }
        request => one(ledger, limits, request, limits.answer).await.unwrap_or_default(),
    }
}

/// Answers one request; `None` for a notification.
async fn one(ledger: &dyn Ledger, limits: Limits, request: Value, room: usize) -> Option<Vec<u8>> {
    let Value::Object(mut request) = request else {
        return Some(rejected(Failure::new(code::REQUEST, "a request is an object")));
    };
    let id = request.remove("id");
    if let Some(id) = &id
        && !matches!(id, Value::Null | Value::Number(_) | Value::String(_))
    {
        return Some(rejected(Failure::new(code::REQUEST, "an id is a number or a text")));
    }
    let answer_id = id.clone().unwrap_or(Value::Null);
    if request.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Some(respond(
            answer_id,
            Err(Failure::new(code::REQUEST, "jsonrpc must be \"2.0\"")),
            room,
        ));
    }
    let Some(Value::String(method)) = request.remove("method") else {
        return Some(respond(
            answer_id,
            Err(Failure::new(code::REQUEST, "method must be a text")),
            room,
        ));
    };
    let params = match request.remove("params") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(params)) => params,
        Some(_) => {
            let failure = Failure::new(code::PARAMS, "params must be a list");
            return id.map(|id| respond(id, Err(failure), room));
        }
    };
    let result = methods::call(ledger, limits, &method, params).await;
    id.map(|id| respond(id, result, room))
}

fn respond(id: Value, result: Result<Value, Failure>, room: usize) -> Vec<u8> {
    let failure = match result {
        Ok(result) => {
            let bytes = json!({ "jsonrpc": "2.0", "id": id, "result": result })
                .to_string()
                .into_bytes();
            if bytes.len() <= room {
                return bytes;
            }
            Failure::new(code::LIMIT, "the answer is too large")
        }
        Err(failure) => failure,
    };
    let mut error = json!({ "code": failure.code, "message": failure.message });
    if let Some(data) = failure.data {
        error["data"] = Value::String(data.to_string());
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
        .to_string()
        .into_bytes()
}

fn rejected(failure: Failure) -> Vec<u8> {
    respond(Value::Null, Err(failure), 0)
}

/// A revert, with its text where the data is `Error(string)` or `Panic(uint256)`.
pub(crate) fn reverted(data: Bytes) -> CallerError {
    // alloy marks a text as such; the message says "reverted" already.
    let reason = alloy::sol_types::decode_revert_reason(&data)
        .map(|reason| reason.strip_prefix("revert: ").map_or(reason.clone(), str::to_owned));
    CallerError::Reverted { data, reason }
}
