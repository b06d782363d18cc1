use vidimus_core::{Address, Timestamp};

/// One event of an ERC-1056 registry about one identity, in the order of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Number of its block.
    pub block: u64,
    /// Time of its block.
    pub time: Timestamp,
    /// Number of the block of the identity's change before this one; 0 for its first.
    pub previous_change: u64,
    /// What changed.
    pub change: Change,
}

/// What changed. `valid_to` is Unix seconds; the contract's 256 bits are held at the end of 64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// `DIDOwnerChanged`: another account controls the identity; the zero address gives it up for ever.
    Owner {
        /// The new owner.
        owner: Address,
    },
    /// `DIDDelegateChanged`: an account may act for the identity, or no longer (then `valid_to` has passed).
    Delegate {
        /// `veriKey` or `sigAuth`, zero-padded.
        delegate_type: [u8; 32],
        /// The account.
        delegate: Address,
        /// Until when.
        valid_to: u64,
    },
    /// `DIDAttributeChanged`: a key or service, or no longer (then `valid_to` is 0).
    Attribute {
        /// See [`AttributeName`](super::AttributeName), zero-padded.
        name: [u8; 32],
        /// The key's or the service's bytes.
        value: Vec<u8>,
        /// Until when.
        valid_to: u64,
    },
}

/// A delegate type, such as `veriKey` or `sigAuth`, as the contract takes it. `None` when it is longer than 32 bytes.
pub fn delegate_type(text: &str) -> Option<[u8; 32]> {
    padded(text)
}

pub(super) fn padded(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(bytes)
}

/// The text of a `bytes32`; `None` where it is not UTF-8, and so not meant for did:ethr.
pub(super) fn unpadded(bytes: &[u8; 32]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().map(|text| text.trim_end_matches('\0'))
}
