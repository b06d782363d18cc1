//! The registry of verifiers. Events and what both registries share: [`registry`](super::registry).

use super::abi::VerifierRegistry as Abi;
use super::{read, registry::Keys};
use crate::error::Result;
use crate::eth::{B256, BlockId};
use crate::{Ledger, convert};
use alloy::sol_types::SolCall;
use vidimus_core::{Address, Digest};

/// Calldata: admits `verifier` for `attributes` and `purposes`, at least one of each.
pub fn approve(verifier: Address, profile: Digest, keys: &Keys, attributes: &[String], purposes: &[String]) -> Vec<u8> {
    Abi::approveCall {
        verifier: convert::to_address(verifier),
        profile: convert::to_word(profile),
        newKeys: Abi::Keys {
            p256x: B256::new(keys.p256_x),
            p256y: B256::new(keys.p256_y),
            x25519: B256::new(keys.x25519),
            certificate: B256::new(keys.certificate),
        },
        attributes: attributes.to_vec(),
        purposes: purposes.to_vec(),
    }
    .abi_encode()
}

/// Calldata: may ask for more attributes.
pub fn grant_attributes(verifier: Address, attributes: &[String]) -> Vec<u8> {
    Abi::grantAttributesCall {
        verifier: convert::to_address(verifier),
        attributes: attributes.to_vec(),
    }
    .abi_encode()
}

/// Calldata: no longer for these attributes.
pub fn withdraw_attributes(verifier: Address, attributes: &[String]) -> Vec<u8> {
    Abi::withdrawAttributesCall {
        verifier: convert::to_address(verifier),
        attributes: attributes.to_vec(),
    }
    .abi_encode()
}

/// Calldata: may ask for more purposes.
pub fn grant_purposes(verifier: Address, purposes: &[String]) -> Vec<u8> {
    Abi::grantPurposesCall {
        verifier: convert::to_address(verifier),
        purposes: purposes.to_vec(),
    }
    .abi_encode()
}

/// Calldata: no longer for these purposes.
pub fn withdraw_purposes(verifier: Address, purposes: &[String]) -> Vec<u8> {
    Abi::withdrawPurposesCall {
        verifier: convert::to_address(verifier),
        purposes: purposes.to_vec(),
    }
    .abi_encode()
}

/// Whether `verifier` is active and may ask for `attribute` for `purpose`.
pub async fn may_ask(
    ledger: &dyn Ledger,
    registry: Address,
    verifier: Address,
    attribute: &str,
    purpose: &str,
    at: BlockId,
) -> Result<bool> {
    let call = Abi::mayAskCall {
        verifier: convert::to_address(verifier),
        attribute: attribute.to_owned(),
        purpose: purpose.to_owned(),
    };
    read(ledger, registry, call, at).await
}
