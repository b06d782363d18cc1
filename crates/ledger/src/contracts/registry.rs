//! What the registries of issuers and of verifiers have in common.

use super::abi::{IssuerRegistry as Abi, VerifierRegistry};
use super::{Placed, read};
use crate::error::Result;
use crate::eth::{self, B256, BlockId};
use crate::{Ledger, convert};
use alloy::sol_types::{SolCall, SolEventInterface};
use vidimus_core::{Address, Digest, Timestamp};

/// A participant's keys beside its account; zeros where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keys {
    /// x of the P-256 signing key.
    pub p256_x: [u8; 32],
    /// y of the P-256 signing key.
    pub p256_y: [u8; 32],
    /// The X25519 sealing key.
    pub x25519: [u8; 32],
    /// SHA-256 of the DER of the signing key's X.509 certificate.
    pub certificate: [u8; 32],
}

impl Keys {
    pub(super) fn encode(&self) -> super::abi::IssuerRegistry::Keys {
        Abi::Keys {
            p256x: B256::new(self.p256_x),
            p256y: B256::new(self.p256_y),
            x25519: B256::new(self.x25519),
            certificate: B256::new(self.certificate),
        }
    }
    fn decode(keys: &Abi::Keys) -> Self {
        Self {
            p256_x: keys.p256x.0,
            p256_y: keys.p256y.0,
            x25519: keys.x25519.0,
            certificate: keys.certificate.0,
        }
    }
}

/// Where a participant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Never admitted.
    None,
    /// Admitted.
    Active,
    /// For now not.
    Suspended,
    /// For good not.
    Revoked,
}

/// What a name stands for that a participant was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// A category of certificate, to issue.
    Category,
    /// An attribute, to ask for.
    Attribute,
    /// A purpose, to ask for.
    Purpose,
}

/// An event of either registry. Rebuilding from them all gives the whole history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryEvent {
    /// Admitted; `profile` is the SHA-256 of its public profile.
    Approved {
        /// Who.
        participant: Address,
        /// SHA-256 of its public profile.
        profile: Digest,
    },
    /// Another public profile.
    ProfileChanged {
        /// Who.
        participant: Address,
        /// SHA-256 of its public profile.
        profile: Digest,
    },
    /// New keys; those before stay valid for what they signed before.
    KeysRotated {
        /// Who.
        participant: Address,
        /// Counted from 1.
        version: u32,
        /// The new keys.
        keys: Keys,
    },
    /// Keys count as revoked for whatever is signed at or after `from`.
    KeysRevoked {
        /// Who.
        participant: Address,
        /// Which keys.
        version: u32,
        /// From when on.
        from: Timestamp,
    },
    /// Not for now.
    Suspended {
        /// Who.
        participant: Address,
        /// A code.
        reason: String,
    },
    /// Active again.
    Resumed {
        /// Who.
        participant: Address,
    },
    /// Not any more.
    Revoked {
        /// Who.
        participant: Address,
        /// A code.
        reason: String,
    },
    /// May now issue, or ask for, `name`.
    Granted {
        /// Who.
        participant: Address,
        /// What kind of name.
        permission: Permission,
        /// The name.
        name: String,
    },
    /// May no longer.
    Withdrawn {
        /// Who.
        participant: Address,
        /// What kind of name.
        permission: Permission,
        /// The name.
        name: String,
    },
    /// The authority offered its role.
    AuthorityOffered {
        /// The authority.
        from: Address,
        /// To whom; the zero address takes an offer back.
        to: Address,
    },
    /// The role went over.
    AuthorityTransferred {
        /// Who had it; zero at creation.
        from: Address,
        /// Who has it.
        to: Address,
    },
}

/// Reads a log of either registry; `None` for logs of anything else.
pub fn decode(log: &eth::Log) -> Option<Placed<RegistryEvent>> {
    Placed::new(log, event(log)?)
}

fn event(log: &eth::Log) -> Option<RegistryEvent> {
    use VerifierRegistry::VerifierRegistryEvents as V;
    let address = convert::from_address;
    // The verifiers' registry has all the shared events under the same signatures; only the categories are the issuers' own.
    if let Ok(event) = V::decode_log(&log.inner) {
        return Some(match event.data {
            V::Approved(e) => RegistryEvent::Approved {
                participant: address(e.participant),
                profile: convert::from_word(e.profile),
            },
            V::ProfileChanged(e) => RegistryEvent::ProfileChanged {
                participant: address(e.participant),
                profile: convert::from_word(e.profile),
            },
            V::KeysRotated(e) => RegistryEvent::KeysRotated {
                participant: address(e.participant),
                version: e.version,
                keys: Keys {
                    p256_x: e.keys.p256x.0,
                    p256_y: e.keys.p256y.0,
                    x25519: e.keys.x25519.0,
                    certificate: e.keys.certificate.0,
                },
            },
            V::KeysRevoked(e) => RegistryEvent::KeysRevoked {
                participant: address(e.participant),
                version: e.version,
                from: Timestamp(i64::try_from(e.from).unwrap_or(i64::MAX)),
            },
            V::Suspended(e) => RegistryEvent::Suspended {
                participant: address(e.participant),
                reason: e.reason,
            },
            V::Resumed(e) => RegistryEvent::Resumed {
                participant: address(e.participant),
            },
            V::Revoked(e) => RegistryEvent::Revoked {
                participant: address(e.participant),
                reason: e.reason,
            },
            V::AttributeGranted(e) => granted(e.verifier, Permission::Attribute, e.attribute),
            V::AttributeWithdrawn(e) => withdrawn(e.verifier, Permission::Attribute, e.attribute),
            V::PurposeGranted(e) => granted(e.verifier, Permission::Purpose, e.purpose),
            V::PurposeWithdrawn(e) => withdrawn(e.verifier, Permission::Purpose, e.purpose),
            V::AuthorityOffered(e) => RegistryEvent::AuthorityOffered {
                from: address(e.from),
                to: address(e.to),
            },
            V::AuthorityTransferred(e) => RegistryEvent::AuthorityTransferred {
                from: address(e.from),
                to: address(e.to),
            },
        });
    }
    match Abi::IssuerRegistryEvents::decode_log(&log.inner).ok()?.data {
        Abi::IssuerRegistryEvents::CategoryGranted(e) => Some(granted(e.issuer, Permission::Category, e.category)),
        Abi::IssuerRegistryEvents::CategoryWithdrawn(e) => Some(withdrawn(e.issuer, Permission::Category, e.category)),
        _ => None,
    }
}

fn granted(participant: eth::Address, permission: Permission, name: String) -> RegistryEvent {
    RegistryEvent::Granted {
        participant: convert::from_address(participant),
        permission,
        name,
    }
}

fn withdrawn(participant: eth::Address, permission: Permission, name: String) -> RegistryEvent {
    RegistryEvent::Withdrawn {
        participant: convert::from_address(participant),
        permission,
        name,
    }
}

/// Calldata: new keys.
pub fn rotate_keys(participant: Address, keys: &Keys) -> Vec<u8> {
    Abi::rotateKeysCall {
        participant: convert::to_address(participant),
        newKeys: keys.encode(),
    }
    .abi_encode()
}

/// Calldata: keys of `version` are not trusted for what is signed at or after `from` (times before 1970 count as 1970).
pub fn revoke_keys(participant: Address, version: u32, from: Timestamp) -> Vec<u8> {
    let from = u64::try_from(from.0).unwrap_or(0);
    Abi::revokeKeysCall {
        participant: convert::to_address(participant),
        version,
        from,
    }
    .abi_encode()
}

/// Calldata: not for now. `reason` is a code, never text about a person.
pub fn suspend(participant: Address, reason: &str) -> Vec<u8> {
    Abi::suspendCall {
        participant: convert::to_address(participant),
        reason: reason.to_owned(),
    }
    .abi_encode()
}

/// Calldata: active again.
pub fn resume(participant: Address) -> Vec<u8> {
    Abi::resumeCall {
        participant: convert::to_address(participant),
    }
    .abi_encode()
}

/// Calldata: not any more. `reason` is a code, never text about a person.
pub fn revoke(participant: Address, reason: &str) -> Vec<u8> {
    Abi::revokeCall {
        participant: convert::to_address(participant),
        reason: reason.to_owned(),
    }
    .abi_encode()
}

/// Calldata, for [`Anchors`](super::Contract::Anchors) too: offers the authority's role.
pub fn offer_authority(to: Address) -> Vec<u8> {
    Abi::offerAuthorityCall {
        to: convert::to_address(to),
    }
    .abi_encode()
}

/// Calldata, for [`Anchors`](super::Contract::Anchors) too: takes the role that was offered.
pub fn accept_authority() -> Vec<u8> {
    Abi::acceptAuthorityCall {}.abi_encode()
}

/// Who holds the authority's role in a registry or in [`Anchors`](super::Contract::Anchors).
pub async fn authority(ledger: &dyn Ledger, contract: Address, at: BlockId) -> Result<Address> {
    read(ledger, contract, Abi::authorityCall {}, at)
        .await
        .map(convert::from_address)
}

/// Whom the authority's role is offered to; the zero address where it is offered to nobody.
pub async fn pending_authority(ledger: &dyn Ledger, contract: Address, at: BlockId) -> Result<Address> {
    read(ledger, contract, Abi::pendingAuthorityCall {}, at)
        .await
        .map(convert::from_address)
}

/// Where a participant stands.
pub async fn status(ledger: &dyn Ledger, registry: Address, participant: Address, at: BlockId) -> Result<Status> {
    let call = Abi::statusCall {
        participant: convert::to_address(participant),
    };
    Ok(match read(ledger, registry, call, at).await? {
        1 => Status::Active,
        2 => Status::Suspended,
        3 => Status::Revoked,
        _ => Status::None,
    })
}

/// A participant's newest keys and their version; `None` before there are any.
pub async fn keys(
    ledger: &dyn Ledger,
    registry: Address,
    participant: Address,
    at: BlockId,
) -> Result<Option<(u32, Keys)>> {
    let found = read(
        ledger,
        registry,
        Abi::keysCall {
            participant: convert::to_address(participant),
        },
        at,
    )
    .await?;
    Ok((found.version > 0).then(|| (found.version, Keys::decode(&found.newest))))
}
