//! What a node's error means. Nodes agree on little more than the wording of go-ethereum.

use crate::error::{CallerError, LedgerError, RetryError};
use crate::rpc;
use alloy::rpc::json_rpc::ErrorPayload;
use alloy::transports::http::reqwest;
use std::time::Duration;

/// Most characters of a node's message that are kept: it is somebody else's text.
const MESSAGE: usize = 200;

pub(super) fn read(payload: &ErrorPayload) -> LedgerError {
    match payload.as_revert_data() {
        Some(data) => rpc::reverted(data).into(),
        None => classify(payload.code, &payload.message),
    }
}

fn classify(code: i64, message: &str) -> LedgerError {
    let lower = message.to_ascii_lowercase();
    let says = |text: &str| lower.contains(text);
    if code == rpc::UNAVAILABLE || says("txpool is full") || says("too many requests") {
        return RetryError::Busy.into();
    }
    if code == 3 || says("execution reverted") {
        return rpc::reverted(Default::default()).into();
    }
    if says("header not found") || says("unknown block") || says("block not found") {
        return CallerError::NoSuchBlock.into();
    }
    if says("replacement transaction underpriced") {
        return CallerError::Underpriced.into();
    }
    if says("invalid sender") {
        return CallerError::Signature.into();
    }
    let numbers = numbers(&lower);
    let number = |at: usize| numbers.get(at).copied();
    // Numbers are read where they follow go-ethereum's wording; a node that says less is quoted.
    let known = if says("nonce too low") {
        number(0)
            .zip(number(1))
            .map(|(expected, found)| CallerError::NonceTooLow { expected, found })
    } else if says("nonce too high") {
        number(0)
            .zip(number(1))
            .map(|(expected, found)| CallerError::NonceTooHigh { expected, found })
    } else if says("intrinsic gas too low") {
        number(0)
            .zip(number(1))
            .map(|(have, want)| CallerError::IntrinsicGas { have, want })
    } else {
        None
    };
    known
        .unwrap_or_else(|| CallerError::Node {
            code,
            message: message.chars().take(MESSAGE).collect(),
        })
        .into()
}

/// The decimal numbers in a text, in order.
fn numbers(text: &str) -> Vec<u64> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

/// reqwest prints the URL with its errors, and the URL may hold a token.
pub(super) fn transport(cause: &reqwest::Error, timeout: Duration) -> RetryError {
    if cause.is_timeout() {
        RetryError::Timeout(timeout.as_secs())
    } else if cause.is_connect() {
        RetryError::Unreachable("no connection".into())
    } else {
        RetryError::Unreachable("the connection broke".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_words_become_types() {
        let read = |message: &str| match classify(-32000, message) {
            LedgerError::Caller(error) => error,
            other => panic!("{other}"),
        };
        assert_eq!(
            read("nonce too low: next nonce 5, tx nonce 3"),
            CallerError::NonceTooLow { expected: 5, found: 3 }
        );
        assert_eq!(
            read("intrinsic gas too low: have 20000, want 21000"),
            CallerError::IntrinsicGas {
                have: 20000,
                want: 21000
            }
        );
        assert_eq!(read("replacement transaction underpriced"), CallerError::Underpriced);
        assert_eq!(read("header not found"), CallerError::NoSuchBlock);
        assert_eq!(
            read("nonce too low"),
            CallerError::Node {
                code: -32000,
                message: "nonce too low".into()
            }
        );
        assert!(matches!(classify(-32002, "busy"), LedgerError::Retry(RetryError::Busy)));
        assert!(matches!(
            classify(-32000, "txpool is full"),
            LedgerError::Retry(RetryError::Busy)
        ));
    }

    #[test]
    fn a_long_message_is_cut() {
        let LedgerError::Caller(CallerError::Node { message, .. }) = classify(-1, &"x".repeat(10_000)) else {
            panic!("another error");
        };
        assert_eq!(message.len(), MESSAGE);
    }
}
