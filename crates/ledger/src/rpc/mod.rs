//! JSON-RPC 2.0 over a ledger, without HTTP: bytes in, bytes out.

use crate::Ledger;

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

/// Answers one JSON-RPC body, a request or a batch. Always JSON, or empty where nothing but notifications came.
pub async fn handle(ledger: &dyn Ledger, limits: Limits, body: &[u8]) -> Vec<u8> {
    let _ = (ledger, limits, body);
    Vec::new()
}

use crate::error::CallerError;
use crate::eth::Bytes;

/// A revert, with its text where the data is `Error(string)` or `Panic(uint256)`.
pub(crate) fn reverted(data: Bytes) -> CallerError {
    let reason = alloy::sol_types::decode_revert_reason(&data);
    CallerError::Reverted { data, reason }
}
