use alloy::primitives::{Bytes, U256};

/// What every operation of a ledger returns.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// Why the ledger did not do what was asked, sorted by what to do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The request is at fault: sending it again changes nothing.
    #[error(transparent)]
    Caller(#[from] CallerError),
    /// The ledger cannot answer now. Send the same bytes again later: submission is idempotent.
    #[error(transparent)]
    Retry(#[from] RetryError),
    /// This ledger must not be used any more until an operator (or a restart, which reconciles) has looked at it.
    #[error(transparent)]
    Fatal(#[from] FatalError),
}

/// Who is to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The caller: change the request.
    Caller,
    /// Time: ask again.
    Retry,
    /// The operator.
    Fatal,
}

impl LedgerError {
    /// Who is to act.
    pub const fn blame(&self) -> Blame {
        match self {
            Self::Caller(_) => Blame::Caller,
            Self::Retry(_) => Blame::Retry,
            Self::Fatal(_) => Blame::Fatal,
        }
    }

    /// Whether the same question about less would be answered. Nodes bound what they look through, and we what we read.
    pub fn asks_too_much(&self) -> bool {
        match self {
            Self::Caller(CallerError::TooMuch { .. }) => true,
            // go-ethereum, Besu and those that sell access say it with this code, or in these words.
            Self::Caller(CallerError::Node { code, message }) => {
                let message = message.to_ascii_lowercase();
                *code == crate::rpc::LIMIT
                    || ["more than", "too large", "too many", "limit", "block range"]
                        .iter()
                        .any(|words| message.contains(words))
            }
            _ => false,
        }
    }
}

/// What is wrong with a request. The texts of transaction refusals are go-ethereum's, because tools match on them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// The bytes are no signed transaction of a kind this chain takes.
    #[error("not a transaction: {0}")]
    Malformed(String),
    /// More bytes than a transaction may have.
    #[error("oversized data: {found} bytes, at most {limit}")]
    Oversized {
        /// Bytes sent.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The signature does not yield a sender (wrong length, not on the curve, or high s: EIP-2).
    #[error("invalid sender")]
    Signature,
    /// Signed for another chain, or for none (EIP-155).
    #[error("invalid chain id for signer: have {found:?} want {expected}")]
    ChainId {
        /// This chain.
        expected: u64,
        /// The chain signed for; `None` for a transaction that any chain would take.
        found: Option<u64>,
    },
    /// The sender's next nonce is higher already, and another transaction used this one.
    #[error("nonce too low: next nonce {expected}, tx nonce {found}")]
    NonceTooLow {
        /// The sender's next nonce.
        expected: u64,
        /// The transaction's.
        found: u64,
    },
    /// Too far ahead of the sender's next nonce to be kept waiting.
    #[error("nonce too high: next nonce {expected}, tx nonce {found}")]
    NonceTooHigh {
        /// The sender's next nonce.
        expected: u64,
        /// The transaction's.
        found: u64,
    },
    /// The sender cannot pay the value and the most that the gas may cost.
    #[error("insufficient funds for gas * price + value: have {have} want {want}")]
    InsufficientFunds {
        /// The sender's balance, wei.
        have: U256,
        /// What the transaction may cost, wei.
        want: U256,
    },
    /// The gas limit does not cover what every such transaction costs.
    #[error("intrinsic gas too low: have {have}, want {want}")]
    IntrinsicGas {
        /// The transaction's gas limit.
        have: u64,
        /// The least it needs.
        want: u64,
    },
    /// The gas limit is above the block's.
    #[error("exceeds block gas limit: {found} > {limit}")]
    GasLimit {
        /// The block's limit.
        limit: u64,
        /// The transaction's.
        found: u64,
    },
    /// The fee offered is below the block's base fee.
    #[error("max fee per gas less than block base fee: maxFeePerGas: {offered}, baseFee: {base}")]
    FeeTooLow {
        /// The base fee, wei per gas.
        base: u64,
        /// What the transaction offers at most, wei per gas.
        offered: u128,
    },
    /// Another transaction waits with the same sender and nonce, and this one does not offer 10 % more.
    #[error("replacement transaction underpriced")]
    Underpriced,
    /// The virtual machine refuses the transaction before running it, for the reason given.
    #[error("transaction refused: {0}")]
    Refused(String),
    /// A call (never a submitted transaction) reverted.
    #[error("execution reverted{}", .reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default())]
    Reverted {
        /// What the contract returned: an encoded error.
        data: Bytes,
        /// The text, when the data is `Error(string)`.
        reason: Option<String>,
    },
    /// A call used up its gas or met an invalid instruction.
    #[error("execution halted: {0}")]
    Halted(String),
    /// The block asked for is not on this chain.
    #[error("header not found")]
    NoSuchBlock,
    /// The request asks for more than one answer may hold.
    #[error("{what}: at most {limit}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The most there may be.
        limit: u64,
    },
    /// An argument does not make sense.
    #[error("invalid argument: {0}")]
    Argument(String),
    /// The other side refused for a reason this side does not know.
    #[error("the node refused ({code}): {message}")]
    Node {
        /// JSON-RPC error code.
        code: i64,
        /// Its message, cut to 200 characters.
        message: String,
    },
}

/// Why the ledger cannot answer now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetryError {
    /// More transactions wait than may.
    #[error("the ledger is busy: too many transactions are waiting")]
    Busy,
    /// The other side did not answer in time.
    #[error("the ledger did not answer within {0} seconds")]
    Timeout(u64),
    /// The other side cannot be reached, or answers what is no JSON-RPC.
    #[error("the ledger cannot be reached: {0}")]
    Unreachable(String),
    /// Not mined within the time given; it may be yet.
    #[error("the transaction is not mined after {0} seconds")]
    NotMined(u64),
}

/// Why this ledger must not be used any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FatalError {
    /// A commit failed, so what the file holds is not known. Close and open again: opening reconciles.
    #[error(
        "the ledger stopped because a write failed: {0}; what was not acknowledged may or may not be stored; mend the cause \
         (is the disk full?) and start again"
    )]
    CommitFailed(String),
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
    /// The file cannot be read or does not check.
    #[error("the ledger file is damaged: {0}; restore it from a backup")]
    Damaged(String),
    /// The file cannot be opened: locked by another process, no permission, no space.
    #[error("the ledger file cannot be opened: {0}")]
    Open(String),
    /// The file was made with other chain parameters.
    #[error(
        "the ledger file was made for another chain: {what} is {stored} in the file and {configured} in the \
         configuration; use the configuration it was made with, or another file"
    )]
    OtherGenesis {
        /// Which parameter differs.
        what: &'static str,
        /// In the file.
        stored: String,
        /// Asked for.
        configured: String,
    },
    /// The file was written by a later version.
    #[error("the ledger file has format {found}, this program reads {known}: use a newer program")]
    Format {
        /// In the file.
        found: u64,
        /// What this program writes.
        known: u64,
    },
    /// The node is on another chain than configured.
    #[error("the node is on chain {found}, the configuration says {expected}")]
    WrongChain {
        /// Configured.
        expected: u64,
        /// The node's.
        found: u64,
    },
    /// What a node says does not follow from the block that it says it of.
    #[error(
        "the node says {0}, and its block does not bear that out: ask another node; `ledger.verify_blocks = false` is for networks \
         whose blocks have a form of their own"
    )]
    Unproven(&'static str),
    /// The code at an address is not the contract it should be.
    #[error("the code at {address} is not {contract}")]
    OtherCode {
        /// The contract's name.
        contract: &'static str,
        /// Where it should be.
        address: vidimus_core::Address,
    },
    /// A bug or a broken file: an invariant does not hold.
    #[error("the ledger is inconsistent: {0}")]
    Inconsistent(String),
}
