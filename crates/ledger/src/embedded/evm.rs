//! The virtual machine: one transaction in a block, one call without a transaction.

use super::genesis::{BaseFee, Fork, Genesis};
use super::state::{Overlay, State};
use super::store::Sealed;
use crate::error::{CallerError, FatalError, LedgerError, Result};
use crate::eth::{Address, Bytes, TransactionRequest, U256};
use alloy::consensus::{BlockHeader, Header, Transaction as _, TxEnvelope, Typed2718};
use alloy::eips::eip1559::{BaseFeeParams, calc_next_block_base_fee};
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};
use revm::context::{BlockEnv, CfgEnv, Context, Evm, TxEnv};
use revm::handler::{EthFrame, EthPrecompiles, instructions::EthInstructions};
use revm::interpreter::interpreter::EthInterpreter;
use revm::primitives::{B256, TxKind, hardfork::SpecId};
use revm::{ExecuteCommitEvm, ExecuteEvm, Journal, MainBuilder, MainContext};

type Environment = Context<BlockEnv, TxEnv, CfgEnv, Overlay, Journal<Overlay>, ()>;

/// A virtual machine over changes to a state.
pub(super) struct Machine {
    evm: Evm<Environment, (), EthInstructions<EthInterpreter, Environment>, EthPrecompiles, EthFrame<EthInterpreter>>,
}

impl Fork {
    pub(super) const fn spec(self) -> SpecId {
        match self {
            Self::London => SpecId::LONDON,
            Self::Paris => SpecId::MERGE,
            Self::Shanghai => SpecId::SHANGHAI,
        }
    }
}

impl Genesis {
    /// The base fee of the block after `parent`.
    pub(super) fn next_base_fee(&self, parent: &Header) -> u64 {
        match self.base_fee {
            BaseFee::Constant(fee) => fee,
            BaseFee::Eip1559(_) => calc_next_block_base_fee(
                parent.gas_used(),
                parent.gas_limit(),
                parent.base_fee_per_gas().unwrap_or_default(),
                BaseFeeParams::ethereum(),
            ),
        }
    }
}

fn config(genesis: &Genesis) -> CfgEnv {
    let mut config = CfgEnv::new_with_spec(genesis.fork.spec());
    config.chain_id = genesis.chain_id;
    config
}

fn block(genesis: &Genesis, header: &Header) -> BlockEnv {
    BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        difficulty: header.difficulty,
        prevrandao: (genesis.fork != Fork::London).then_some(B256::ZERO),
        ..Default::default()
    }
}

/// What the virtual machine is to know about a signed transaction.
pub(super) fn environment(transaction: &TxEnvelope, sender: Address) -> TxEnv {
    TxEnv {
        tx_type: transaction.ty(),
        caller: sender,
        gas_limit: transaction.gas_limit(),
        gas_price: transaction.max_fee_per_gas(),
        kind: transaction.kind(),
        value: transaction.value(),
        data: transaction.input().clone(),
        nonce: transaction.nonce(),
        chain_id: transaction.chain_id(),
        access_list: transaction.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: transaction.max_priority_fee_per_gas(),
        ..Default::default()
    }
}

impl Machine {
    /// For the transactions of the block with `header`.
    pub(super) fn new(genesis: &Genesis, header: &Header, overlay: Overlay) -> Self {
        let context = Context::mainnet()
            .with_db(overlay)
            .with_cfg(config(genesis))
            .with_block(block(genesis, header));
        Self {
            evm: context.build_mainnet(),
        }
    }

    /// Runs one transaction and keeps its changes. A refusal ([`CallerError`]) changes nothing.
    pub(super) fn run(&mut self, transaction: TxEnv) -> Result<ExecutionResult> {
        self.evm.transact_commit(transaction).map_err(refused)
    }

    /// The changes so far.
    pub(super) fn into_overlay(self) -> Overlay {
        self.evm.ctx.journaled_state.database
    }
}

fn refused(error: EVMError<LedgerError>) -> LedgerError {
    match error {
        EVMError::Transaction(invalid) => invalid_transaction(invalid).into(),
        EVMError::Database(error) => error,
        EVMError::Header(error) => FatalError::Inconsistent(error.to_string()).into(),
        other => FatalError::Inconsistent(other.to_string()).into(),
    }
}

fn invalid_transaction(invalid: InvalidTransaction) -> CallerError {
    use InvalidTransaction as I;
    match invalid {
        I::LackOfFundForMaxFee { fee, balance } => CallerError::InsufficientFunds {
            have: *balance,
            want: *fee,
        },
        I::NonceTooLow { tx, state } => CallerError::NonceTooLow {
            expected: state,
            found: tx,
        },
        I::NonceTooHigh { tx, state } => CallerError::NonceTooHigh {
            expected: state,
            found: tx,
        },
        I::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => CallerError::IntrinsicGas {
            have: gas_limit,
            want: initial_gas,
        },
        other => CallerError::Refused(other.to_string()),
    }
}

/// Runs a call on top of the block with `header`, within `gas`.
pub(super) fn call(
    genesis: &Genesis,
    sealed: &Sealed,
    state: &State,
    request: &TransactionRequest,
    gas: u64,
) -> Result<ExecutionResult> {
    let mut header = sealed.header.clone();
    let price = request.max_fee_per_gas.or(request.gas_price).unwrap_or_default();
    if price == 0 {
        // As go-ethereum does: who offers nothing for gas is not asked for the base fee in a call.
        header.base_fee_per_gas = Some(0);
    }
    let sender = request.from.unwrap_or_default();
    let transaction = TxEnv {
        tx_type: if request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some() {
            2
        } else {
            1
        },
        caller: sender,
        gas_limit: gas.min(header.gas_limit),
        gas_price: price,
        kind: request.to.unwrap_or(TxKind::Create),
        value: request.value.unwrap_or_default(),
        data: request.input.input().cloned().unwrap_or_default(),
        nonce: state.account(sender)?.map_or(0, |account| account.nonce),
        chain_id: Some(request.chain_id.unwrap_or(genesis.chain_id)),
        access_list: request.access_list.clone().unwrap_or_default(),
        gas_priority_fee: request.max_priority_fee_per_gas,
        ..Default::default()
    };
    let mut config = config(genesis);
    config.disable_eip3607 = true;
    let context = Context::mainnet()
        .with_db(Overlay::over(state.clone()))
        .with_cfg(config)
        .with_block(block(genesis, &header));
    context.build_mainnet().transact_one(transaction).map_err(refused)
}

/// What a call returned, or why it did not.
pub(super) fn output(result: ExecutionResult) -> Result<Bytes> {
    match result {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        ExecutionResult::Revert { output, .. } => Err(crate::rpc::reverted(output).into()),
        ExecutionResult::Halt { reason, .. } => Err(CallerError::Halted(format!("{reason:?}")).into()),
    }
}

/// The least gas limit, by bisection between what is surely too little and what is known to suffice.
pub(super) fn estimate(genesis: &Genesis, sealed: &Sealed, state: &State, request: &TransactionRequest) -> Result<u64> {
    let most = request
        .gas
        .unwrap_or(sealed.header.gas_limit)
        .min(sealed.header.gas_limit);
    let first = call(genesis, sealed, state, request, most)?;
    if !first.is_success() {
        return output(first).map(|_| most);
    }
    let (mut too_little, mut enough) = (first.tx_gas_used().saturating_sub(1), most);
    // 63/64 of the gas are handed on in a call and refunds come at the end: a limit a little above the gas used mostly
    // suffices, and finding that out first saves most of the search.
    let guess = (first.gas().total_gas_spent() + 2_300) * 64 / 63;
    let mut next = guess.min(enough);
    while too_little + 1 < enough {
        let suffices = match call(genesis, sealed, state, request, next) {
            Ok(result) => result.is_success(),
            Err(LedgerError::Caller(_)) => false,
            Err(error) => return Err(error),
        };
        if suffices {
            enough = next
        } else {
            too_little = next
        }
        next = too_little + (enough - too_little) / 2;
    }
    Ok(enough)
}
