//! ERC-1056, the registry behind `did:ethr`.
//!
//! An identity changes by its owner's transaction, or by anyone's transaction that carries the owner's signature over
//! [`Change::hash`]: holders own no ether, so the service relays for them.

use super::abi::EthereumDIDRegistry as Abi;
use super::{Placed, read};
use crate::error::{CallerError, Result};
use crate::eth::{self, Address as EthAddress, B256, BlockId, Filter, U256, keccak256};
use crate::{Ledger, convert};
use alloy::sol_types::{SolCall, SolEventInterface};
use vidimus_core::Address;
use vidimus_identity::ethr;

/// One change to an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Another owner.
    Owner(Address),
    /// A delegate for `validity` seconds from now.
    AddDelegate {
        /// What it may do (`sigAuth`, `veriKey`), padded with zeros.
        kind: [u8; 32],
        /// Who.
        delegate: Address,
        /// For how many seconds.
        validity: u64,
    },
    /// No longer a delegate.
    RevokeDelegate {
        /// What it could do.
        kind: [u8; 32],
        /// Who.
        delegate: Address,
    },
    /// An attribute for `validity` seconds from now.
    SetAttribute {
        /// `did/pub/…`, padded with zeros.
        name: [u8; 32],
        /// The key, or the service's address.
        value: Vec<u8>,
        /// For how many seconds.
        validity: u64,
    },
    /// No longer an attribute.
    RevokeAttribute {
        /// Its name.
        name: [u8; 32],
        /// Its value.
        value: Vec<u8>,
    },
}

impl Change {
    /// Calldata for a transaction that the owner of `identity` sends itself.
    pub fn calldata(&self, identity: Address) -> Vec<u8> {
        let identity = convert::to_address(identity);
        match self {
            Self::Owner(owner) => Abi::changeOwnerCall {
                identity,
                newOwner: convert::to_address(*owner),
            }
            .abi_encode(),
            Self::AddDelegate {
                kind,
                delegate,
                validity,
            } => Abi::addDelegateCall {
                identity,
                delegateType: B256::new(*kind),
                delegate: convert::to_address(*delegate),
                validity: U256::from(*validity),
            }
            .abi_encode(),
            Self::RevokeDelegate { kind, delegate } => Abi::revokeDelegateCall {
                identity,
                delegateType: B256::new(*kind),
                delegate: convert::to_address(*delegate),
            }
            .abi_encode(),
            Self::SetAttribute { name, value, validity } => Abi::setAttributeCall {
                identity,
                name: B256::new(*name),
                value: value.clone().into(),
                validity: U256::from(*validity),
            }
            .abi_encode(),
            Self::RevokeAttribute { name, value } => Abi::revokeAttributeCall {
                identity,
                name: B256::new(*name),
                value: value.clone().into(),
            }
            .abi_encode(),
        }
    }

    /// What the owner signs for a transaction that another account sends: 0x19 0x00 ‖ registry ‖ the owner's nonce in the
    /// registry ‖ identity ‖ the change.
    pub fn hash(&self, registry: Address, owner_nonce: u64, identity: Address) -> [u8; 32] {
        let word = |n: u64| U256::from(n).to_be_bytes::<32>();
        let mut message = vec![0x19, 0x00];
        message.extend_from_slice(&registry.0);
        message.extend_from_slice(&word(owner_nonce));
        message.extend_from_slice(&identity.0);
        match self {
            Self::Owner(owner) => {
                message.extend_from_slice(b"changeOwner");
                message.extend_from_slice(&owner.0);
            }
            Self::AddDelegate {
                kind,
                delegate,
                validity,
            } => {
                message.extend_from_slice(b"addDelegate");
                message.extend_from_slice(kind);
                message.extend_from_slice(&delegate.0);
                message.extend_from_slice(&word(*validity));
            }
            Self::RevokeDelegate { kind, delegate } => {
                message.extend_from_slice(b"revokeDelegate");
                message.extend_from_slice(kind);
                message.extend_from_slice(&delegate.0);
            }
            Self::SetAttribute { name, value, validity } => {
                message.extend_from_slice(b"setAttribute");
                message.extend_from_slice(name);
                message.extend_from_slice(value);
                message.extend_from_slice(&word(*validity));
            }
            Self::RevokeAttribute { name, value } => {
                message.extend_from_slice(b"revokeAttribute");
                message.extend_from_slice(name);
                message.extend_from_slice(value);
            }
        }
        keccak256(message).0
    }

    /// Calldata that carries the owner's 65-byte signature (r ‖ s ‖ v, v = 0, 1, 27 or 28) over [`hash`](Self::hash).
    pub fn signed_calldata(&self, identity: Address, signature: &[u8; 65]) -> Vec<u8> {
        let identity = convert::to_address(identity);
        let (r, s) = (B256::from_slice(&signature[..32]), B256::from_slice(&signature[32..64]));
        let v = if signature[64] < 27 {
            signature[64] + 27
        } else {
            signature[64]
        };
        match self {
            Self::Owner(owner) => Abi::changeOwnerSignedCall {
                identity,
                sigV: v,
                sigR: r,
                sigS: s,
                newOwner: convert::to_address(*owner),
            }
            .abi_encode(),
            Self::AddDelegate {
                kind,
                delegate,
                validity,
            } => Abi::addDelegateSignedCall {
                identity,
                sigV: v,
                sigR: r,
                sigS: s,
                delegateType: B256::new(*kind),
                delegate: convert::to_address(*delegate),
                validity: U256::from(*validity),
            }
            .abi_encode(),
            Self::RevokeDelegate { kind, delegate } => Abi::revokeDelegateSignedCall {
                identity,
                sigV: v,
                sigR: r,
                sigS: s,
                delegateType: B256::new(*kind),
                delegate: convert::to_address(*delegate),
            }
            .abi_encode(),
            Self::SetAttribute { name, value, validity } => Abi::setAttributeSignedCall {
                identity,
                sigV: v,
                sigR: r,
                sigS: s,
                name: B256::new(*name),
                value: value.clone().into(),
                validity: U256::from(*validity),
            }
            .abi_encode(),
            Self::RevokeAttribute { name, value } => Abi::revokeAttributeSignedCall {
                identity,
                sigV: v,
                sigR: r,
                sigS: s,
                name: B256::new(*name),
                value: value.clone().into(),
            }
            .abi_encode(),
        }
    }
}

/// An event of the registry. `previous` is the block of the identity's change before, 0 for the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DidEvent {
    /// Another owner.
    OwnerChanged {
        /// Whose.
        identity: Address,
        /// The new owner.
        owner: Address,
        /// Block of the change before.
        previous: u64,
    },
    /// A delegate was added (`valid_to` in the future) or revoked (`valid_to` the block's time).
    DelegateChanged {
        /// Whose.
        identity: Address,
        /// What it may do.
        kind: [u8; 32],
        /// Who.
        delegate: Address,
        /// Unix seconds, held at the end of the range.
        valid_to: u64,
        /// Block of the change before.
        previous: u64,
    },
    /// An attribute was set, or revoked (`valid_to` 0).
    AttributeChanged {
        /// Whose.
        identity: Address,
        /// Its name.
        name: [u8; 32],
        /// Its value.
        value: Vec<u8>,
        /// Unix seconds, held at the end of the range.
        valid_to: u64,
        /// Block of the change before.
        previous: u64,
    },
}

impl DidEvent {
    /// Block of the identity's change before this one, 0 for the first.
    pub const fn previous(&self) -> u64 {
        match self {
            Self::OwnerChanged { previous, .. }
            | Self::DelegateChanged { previous, .. }
            | Self::AttributeChanged { previous, .. } => *previous,
        }
    }
}

/// What DID documents are made of.
impl From<DidEvent> for ethr::Change {
    fn from(event: DidEvent) -> Self {
        match event {
            DidEvent::OwnerChanged { owner, .. } => Self::Owner { owner },
            DidEvent::DelegateChanged {
                kind,
                delegate,
                valid_to,
                ..
            } => Self::Delegate {
                delegate_type: kind,
                delegate,
                valid_to,
            },
            DidEvent::AttributeChanged {
                name, value, valid_to, ..
            } => Self::Attribute { name, value, valid_to },
        }
    }
}

/// Reads a log of the registry; `None` for logs of anything else.
pub fn decode(log: &eth::Log) -> Option<Placed<DidEvent>> {
    use Abi::EthereumDIDRegistryEvents as E;
    let event = match E::decode_log(&log.inner).ok()?.data {
        E::DIDOwnerChanged(e) => DidEvent::OwnerChanged {
            identity: convert::from_address(e.identity),
            owner: convert::from_address(e.owner),
            previous: e.previousChange.saturating_to(),
        },
        E::DIDDelegateChanged(e) => DidEvent::DelegateChanged {
            identity: convert::from_address(e.identity),
            kind: e.delegateType.0,
            delegate: convert::from_address(e.delegate),
            valid_to: e.validTo.saturating_to(),
            previous: e.previousChange.saturating_to(),
        },
        E::DIDAttributeChanged(e) => DidEvent::AttributeChanged {
            identity: convert::from_address(e.identity),
            name: e.name.0,
            value: e.value.to_vec(),
            valid_to: e.validTo.saturating_to(),
            previous: e.previousChange.saturating_to(),
        },
    };
    Placed::new(log, event)
}

/// Who owns `identity`: itself unless it was changed.
pub async fn owner(ledger: &dyn Ledger, registry: Address, identity: Address, at: BlockId) -> Result<Address> {
    let call = Abi::identityOwnerCall {
        identity: convert::to_address(identity),
    };
    read(ledger, registry, call, at).await.map(convert::from_address)
}

/// The nonce that `owner`'s next signed change must carry.
pub async fn nonce(ledger: &dyn Ledger, registry: Address, owner: Address, at: BlockId) -> Result<u64> {
    let nonce: U256 = read(
        ledger,
        registry,
        Abi::nonceCall {
            owner: convert::to_address(owner),
        },
        at,
    )
    .await?;
    Ok(nonce.saturating_to())
}

/// Block of the newest change to `identity`; 0 when there is none.
pub async fn changed(ledger: &dyn Ledger, registry: Address, identity: Address, at: BlockId) -> Result<u64> {
    let block: U256 = read(
        ledger,
        registry,
        Abi::changedCall {
            identity: convert::to_address(identity),
        },
        at,
    )
    .await?;
    Ok(block.saturating_to())
}

/// All changes to `identity` up to `at`, oldest first, by walking back from one to the one before. `limit` is the most blocks
/// with changes that are visited: an attacker may make as many as it pays for.
pub async fn history(
    ledger: &dyn Ledger,
    registry: Address,
    identity: Address,
    at: BlockId,
    limit: u64,
) -> Result<Vec<Placed<DidEvent>>> {
    let account: EthAddress = convert::to_address(identity);
    let mut found: Vec<Placed<DidEvent>> = Vec::new();
    let mut block = changed(ledger, registry, identity, at).await?;
    let mut visited = 0;
    while block != 0 {
        visited += 1;
        if visited > limit {
            return Err(CallerError::TooMuch {
                what: "blocks with changes of one identity",
                limit,
            }
            .into());
        }
        let filter = Filter::new()
            .address(convert::to_address(registry))
            .topic1(account.into_word())
            .select(block);
        let logs = ledger.logs(&filter).await?;
        let mut events: Vec<_> = logs.iter().filter_map(decode).collect();
        events.sort_by_key(|e| e.at.log_index);
        // Within one block the first event names the block before; strictly earlier, or a lying node could loop us for ever.
        let earlier = events.first().map_or(0, |e| e.event.previous());
        if earlier >= block {
            return Err(CallerError::Argument("the registry's events do not lead backwards".into()).into());
        }
        events.append(&mut found);
        found = events;
        block = earlier;
    }
    Ok(found)
}
