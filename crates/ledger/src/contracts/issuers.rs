//! The registry of issuers. Events and what both registries share: [`registry`](super::registry).

use super::abi::IssuerRegistry as Abi;
use super::{read, registry::Keys};
use crate::error::Result;
use crate::eth::BlockId;
use crate::{Ledger, convert};
use alloy::sol_types::SolCall;
use vidimus_core::{Address, Digest};

/// Calldata: admits `issuer` for `categories`, at least one.
pub fn approve(issuer: Address, profile: Digest, keys: &Keys, categories: &[String]) -> Vec<u8> {
    Abi::approveCall {
        issuer: convert::to_address(issuer),
        profile: convert::to_word(profile),
        newKeys: keys.encode(),
        categories: categories.to_vec(),
    }
    .abi_encode()
}

/// Calldata: admits for more categories.
pub fn grant(issuer: Address, categories: &[String]) -> Vec<u8> {
    Abi::grantCategoriesCall {
        issuer: convert::to_address(issuer),
        categories: categories.to_vec(),
    }
    .abi_encode()
}

/// Calldata: no longer for these categories.
pub fn withdraw(issuer: Address, categories: &[String]) -> Vec<u8> {
    Abi::withdrawCategoriesCall {
        issuer: convert::to_address(issuer),
        categories: categories.to_vec(),
    }
    .abi_encode()
}

/// Whether `issuer` is active and admitted for `category`.
pub async fn may_issue(
    ledger: &dyn Ledger,
    registry: Address,
    issuer: Address,
    category: &str,
    at: BlockId,
) -> Result<bool> {
    let call = Abi::mayIssueCall {
        issuer: convert::to_address(issuer),
        category: category.to_owned(),
    };
    read(ledger, registry, call, at).await
}
