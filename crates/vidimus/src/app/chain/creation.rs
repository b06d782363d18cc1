//! The contracts come to the chain.

use super::{CREATIONS, Contracts, PATIENCE};
use crate::app::{
    deployment::{Facts, Refusal},
    keys::Keys,
};
use std::sync::Arc;
use vidimus_crypto::{KeyKind, SigningKey};
use vidimus_ledger::{
    Ledger, await_mined,
    contracts::{Contract, address_created, anchors, verify_code},
    convert, eth,
    transaction::Fields,
};
use vidimus_store::{Scope, Store, deployment as deployment_rows, keys as key_rows};

/// Gas that creating any of our contracts stays below.
const CREATION_GAS: u64 = 6_000_000;

/// Makes sure that the contracts are on the chain: checks their code where they are known, else creates them.
///
/// The operator's first transactions create them, in a fixed order, so their addresses follow from its account; whatever was sent before a
/// crash is not sent again. The operator is the first authority, until the one that is set up takes over.
pub async fn ensure_contracts(
    ledger: &dyn Ledger,
    store: &Store,
    keys: &Keys,
    facts: &Facts,
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
        let fees = ledger.fees().await.map_err(Refusal::Ledger)?;
        let creation = usize::try_from(nonce).ok().and_then(|place| Contract::ALL.get(place));
        let fields = Fields {
            chain_id: facts.chain,
            nonce,
            gas_limit: CREATION_GAS,
            max_fee: fees.max_fee,
            priority_fee: fees.priority_fee,
            to: creation.is_none().then_some(contracts.anchors),
            value: 0,
            data: match creation {
                Some(contract) => contract.creation_code(facts.operator),
                None => anchors::set_anchorer(facts.anchorer, true),
            },
        };
        let signed = fields
            .prepare()
            .sign(facts.operator, |hash| key.sign_digest(hash))
            .map_err(|_| Refusal::Damaged("the operator's key does not sign"))?;
        ledger.submit(&signed.raw).await.map_err(Refusal::Ledger)?;
        let mined = await_mined(ledger, signed.hash, PATIENCE)
            .await
            .map_err(Refusal::Ledger)?;
        if !mined.success {
            return Err(Refusal::Configuration("a contract could not be created on this chain"));
        }
    }
    for (contract, address) in contracts.all() {
        verify_code(ledger, contract, address).await.map_err(Refusal::Ledger)?;
    }
    let text = serde_json::to_string(&contracts).expect("addresses serialise");
    store
        .write(move |tx| deployment_rows::set_contracts(tx, "{}", &text))
        .await?;
    Ok(contracts)
}

async fn operator_key(store: &Store, keys: &Keys, facts: &Facts) -> Result<Arc<SigningKey>, Refusal> {
    let id = facts.operator_key;
    let row = store.read(move |tx| key_rows::find(tx, &Scope::system(), id)).await?;
    let row = row.ok_or(Refusal::Damaged("the operator's key is not in the database"))?;
    let wrapped = row.secret.ok_or(Refusal::Damaged("the operator's key has no secret"))?;
    keys.signing_key(id, KeyKind::Secp256k1, &wrapped)
        .map_err(Refusal::Start)
}
