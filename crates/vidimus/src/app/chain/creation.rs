//! The contracts come to the chain.

use super::{CREATIONS, Contracts, PATIENCE};
use crate::app::{
    deployment::{Facts, Refusal},
    keys::Keys,
};
use std::{sync::Arc, time::Duration};
use vidimus_core::Address;
use vidimus_crypto::{KeyKind, SigningKey};
use vidimus_ledger::{
    Blame, CallerError, Ledger, LedgerError, RetryError,
    contracts::{Contract, address_created, anchors, verify_code},
    convert, eth,
    transaction::{Fields, Offer},
};
use vidimus_store::{Scope, Store, deployment as deployment_rows, keys as key_rows};

/// Gas that creating any of our contracts stays below.
const CREATION_GAS: u64 = 6_000_000;
/// How often more is offered before a start gives up, each after [`PATIENCE`].
const ROUNDS: u32 = 9;

/// Makes sure that the contracts are on the chain: checks their code where they are known, else creates them.
///
/// The operator's first transactions create them, in a fixed order, so their addresses follow from its account; whatever was sent before a
/// crash is not sent again. The operator is the first authority, until the one that is set up takes over.
pub async fn ensure_contracts(
    ledger: &dyn Ledger,
    store: &Store,
    keys: &Keys,
    facts: &Facts,
    most_per_gas: u128,
) -> Result<Contracts, Refusal> {
    let found = store
        .read(deployment_rows::find)
        .await?
        .ok_or(Refusal::NotInitialised)?;
    if let Ok(contracts) = serde_json::from_str::<Contracts>(&found.contracts) {
        for (contract, address) in contracts.all() {
            verify_code(ledger, contract, address).await.map_err(Refusal::Ledger)?;
        }
        return Ok(contracts);
    }
    let key = operator_key(store, keys, facts).await?;
    let at = |contract: Contract| {
        let nonce = Contract::ALL
            .iter()
            .position(|candidate| *candidate == contract)
            .unwrap_or_default() as u64;
        address_created(facts.operator, nonce)
    };
    let contracts = Contracts {
        issuers: at(Contract::IssuerRegistry),
        verifiers: at(Contract::VerifierRegistry),
        dids: at(Contract::EthereumDidRegistry),
        anchors: at(Contract::Anchors),
    };
    let steps = CREATIONS;
    loop {
        let operator = convert::to_address(facts.operator);
        let nonce = ledger
            .nonce(operator, eth::BlockId::latest())
            .await
            .map_err(Refusal::Ledger)?;
        if nonce >= steps {
            break;
        }
        let creation = usize::try_from(nonce).ok().and_then(|place| Contract::ALL.get(place));
        let call = Fields {
            chain_id: facts.chain,
            nonce,
            gas_limit: CREATION_GAS,
            max_fee: 0,
            priority_fee: 0,
            to: creation.is_none().then_some(contracts.anchors),
            value: 0,
            data: match creation {
                Some(contract) => contract.creation_code(facts.operator),
                None => anchors::set_anchorer(facts.anchorer, true),
            },
        };
        mine(ledger, facts.operator, &key, &call, most_per_gas).await?;
    }
    for (contract, address) in contracts.all() {
        verify_code(ledger, contract, address).await.map_err(Refusal::Ledger)?;
    }
    let latest = eth::BlockId::latest();
    let may = anchors::is_anchorer(ledger, contracts.anchors, facts.anchorer, latest).await;
    if !may.map_err(Refusal::Ledger)? {
        return Err(Refusal::Configuration(
            "the operator's first transactions on this chain are not the ones that create the contracts",
        ));
    }
    let text = serde_json::to_string(&contracts).expect("addresses serialise");
    store
        .write(move |tx| deployment_rows::set_contracts(tx, "{}", &text))
        .await?;
    Ok(contracts)
}

/// Sends one of the operator's first transactions until its nonce is used, offering more when blocks pass it by. Nothing of it is stored:
/// whatever was sent in an earlier start, or by another instance, does the same.
async fn mine(
    ledger: &dyn Ledger,
    operator: Address,
    key: &SigningKey,
    call: &Fields,
    most_per_gas: u128,
) -> Result<(), Refusal> {
    let account = convert::to_address(operator);
    let mut offer: Option<Offer> = None;
    for _ in 0..ROUNDS {
        let fees = ledger.fees().await.map_err(Refusal::Ledger)?;
        let now = Offer {
            max_fee: fees.max_fee,
            priority_fee: fees.priority_fee,
        };
        let next = match offer {
            None => now,
            Some(before) => before.instead(now, most_per_gas).unwrap_or(before),
        };
        offer = Some(next);
        let fields = Fields {
            max_fee: next.max_fee,
            priority_fee: next.priority_fee,
            ..call.clone()
        };
        let signed = fields
            .prepare()
            .sign(operator, |hash| key.sign_digest(hash))
            .map_err(|_| Refusal::Damaged("the operator's key does not sign"))?;
        match ledger.submit(&signed.raw).await {
            // What an earlier start sent is still waiting, and this does not offer enough more.
            Ok(_) | Err(LedgerError::Caller(CallerError::Underpriced | CallerError::NonceTooLow { .. })) => {}
            Err(error) => {
                if error.blame() == Blame::Caller {
                    tracing::error!(%operator, "the network takes nothing from the operator's account: can it pay for gas?");
                }
                return Err(Refusal::Ledger(error));
            }
        }
        let mut pause = Duration::from_millis(50);
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            let next = ledger.nonce(account, eth::BlockId::latest()).await;
            if next.map_err(Refusal::Ledger)? > call.nonce {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
    Err(Refusal::Ledger(
        RetryError::NotMined(PATIENCE.as_secs() * u64::from(ROUNDS)).into(),
    ))
}

async fn operator_key(store: &Store, keys: &Keys, facts: &Facts) -> Result<Arc<SigningKey>, Refusal> {
    let id = facts.operator_key;
    let row = store.read(move |tx| key_rows::find(tx, &Scope::system(), id)).await?;
    let row = row.ok_or(Refusal::Damaged("the operator's key is not in the database"))?;
    let wrapped = row.secret.ok_or(Refusal::Damaged("the operator's key has no secret"))?;
    keys.signing_key(id, KeyKind::Secp256k1, &wrapped)
        .map_err(Refusal::Start)
}
