//! One question over HTTP: the answer's size and time are bounded before anything of it is read as JSON.

use super::refusal;
use crate::error::{CallerError, LedgerError, Result, RetryError};
use alloy::rpc::json_rpc::{Response, ResponsePayload};
use alloy::transports::http::reqwest::{Client, StatusCode, Url, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How a node is asked.
pub(super) struct Node {
    pub(super) client: Client,
    pub(super) url: Url,
    /// Of the whole question, answer included; the client keeps it, this is for messages.
    pub(super) timeout: Duration,
    /// Most bytes of an answer.
    pub(super) most: usize,
    pub(super) next: AtomicU64,
}

impl std::fmt::Debug for Node {
    // The address may hold a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Node(…)")
    }
}

impl Node {
    pub(super) async fn ask<R: DeserializeOwned>(&self, method: &'static str, params: impl Serialize) -> Result<R> {
        let params = match serde_json::to_value(params) {
            // What `()` serialises to.
            Ok(Value::Null) => json!([]),
            Ok(params) => params,
            Err(_) => return Err(unreadable("the request could not be made")),
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let question = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let (status, body) = self.post(question.to_string()).await?;
        read(status, &body)
    }

    async fn post(&self, question: String) -> Result<(StatusCode, Vec<u8>)> {
        let failed = |cause| LedgerError::from(refusal::transport(&cause, self.timeout));
        let request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(question);
        let mut response = request.send().await.map_err(failed)?;
        let too_large = || {
            LedgerError::from(CallerError::TooMuch {
                what: "bytes of a node's answer",
                limit: self.most as u64,
            })
        };
        if response
            .content_length()
            .is_some_and(|length| usize::try_from(length).map_or(true, |length| length > self.most))
        {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.most {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body))
    }
}

/// What an answer says, of whatever status.
pub(super) fn read<R: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<R> {
    let answer = serde_json::from_slice::<Response>(body);
    if !status.is_success() {
        // Some nodes say what is wrong with a request beside a status that says so too.
        return Err(match (status, answer) {
            (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) => RetryError::Busy.into(),
            (_, Ok(answer)) if answer.payload.is_error() => error(answer.payload),
            _ => unreadable(&format!("HTTP status {}", status.as_u16())),
        });
    }
    // The text that does not read is not repeated: it may hold anything.
    let answer = answer.map_err(|_| unreadable("the answer is no JSON-RPC"))?;
    match answer.payload {
        ResponsePayload::Success(result) => {
            serde_json::from_str(result.get()).map_err(|_| unreadable("the answer is not what the method returns"))
        }
        failure => Err(error(failure)),
    }
}

fn error(payload: ResponsePayload) -> LedgerError {
    match payload {
        ResponsePayload::Failure(payload) => refusal::read(&payload),
        ResponsePayload::Success(_) => unreadable("the answer is no JSON-RPC"),
    }
}

fn unreadable(what: &str) -> LedgerError {
    RetryError::Unreachable(what.to_owned()).into()
}
