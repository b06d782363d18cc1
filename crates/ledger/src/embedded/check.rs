//! What can be said of a transaction without any state.

use super::evm::environment;
use super::genesis::Fork;
use crate::error::CallerError;
use crate::eth::{Address, B256, Bytes};
use alloy::consensus::transaction::SignerRecoverable;
use alloy::consensus::{Transaction, TxEnvelope};
use alloy::eips::eip2718::Decodable2718;
use revm::context_interface::cfg::gas::calculate_initial_tx_gas_for_tx;

/// Most bytes of one transaction (go-ethereum's limit).
pub const TRANSACTION_BYTES: usize = 128 * 1024;

/// A transaction whose signature, chain, kind and gas limit are in order.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) transaction: TxEnvelope,
    pub(super) sender: Address,
    pub(super) hash: B256,
    pub(super) raw: Bytes,
}

impl Checked {
    pub(super) fn new(raw: &[u8], chain_id: u64, fork: Fork, block_gas: u64) -> Result<Self, CallerError> {
        if raw.len() > TRANSACTION_BYTES {
            return Err(CallerError::Oversized {
                found: raw.len(),
                limit: TRANSACTION_BYTES,
            });
        }
        let transaction = TxEnvelope::decode_2718_exact(raw).map_err(|e| CallerError::Malformed(e.to_string()))?;
        match transaction {
            TxEnvelope::Legacy(_) | TxEnvelope::Eip2930(_) | TxEnvelope::Eip1559(_) => {}
            TxEnvelope::Eip4844(_) | TxEnvelope::Eip7702(_) => {
                return Err(CallerError::Malformed("transaction type not supported".into()));
            }
        }
        // A transaction for any chain (before EIP-155) could be replayed here from another one.
        if transaction.chain_id() != Some(chain_id) {
            return Err(CallerError::ChainId {
                expected: chain_id,
                found: transaction.chain_id(),
            });
        }
        if transaction.gas_limit() > block_gas {
            return Err(CallerError::GasLimit {
                limit: block_gas,
                found: transaction.gas_limit(),
            });
        }
        if transaction
            .max_priority_fee_per_gas()
            .is_some_and(|tip| tip > transaction.max_fee_per_gas())
        {
            return Err(CallerError::Refused(
                "max priority fee per gas higher than max fee per gas".into(),
            ));
        }
        if transaction.nonce() == u64::MAX {
            return Err(CallerError::Refused("nonce has max value".into()));
        }
        let sender = transaction.recover_signer().map_err(|_| CallerError::Signature)?;
        let intrinsic = calculate_initial_tx_gas_for_tx(environment(&transaction, sender), fork.spec(), None);
        if transaction.gas_limit() < intrinsic.initial_total_gas() {
            return Err(CallerError::IntrinsicGas {
                have: transaction.gas_limit(),
                want: intrinsic.initial_total_gas(),
            });
        }
        Ok(Self {
            hash: *transaction.tx_hash(),
            transaction,
            sender,
            raw: Bytes::copy_from_slice(raw),
        })
    }

    pub(super) fn nonce(&self) -> u64 {
        self.transaction.nonce()
    }
}
