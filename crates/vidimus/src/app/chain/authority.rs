//! Who governs the contracts, and what issuers announce of themselves.

use super::{Call, Plan, await_success, send};
use crate::app::{App, error::Error};
use vidimus_core::Address;
use vidimus_core::PublicKey;
use vidimus_crypto::SigningKey;
use vidimus_identity::ethr::AttributeName;
use vidimus_ledger::{contracts::dids, eth};
use vidimus_store::participants;

/// Hands the contracts over to the authority: the operator offers, the authority accepts, for each contract that the operator still holds.
/// Safe to repeat; `jobs` does so until it is done. An authority with its own keys accepts by what was prepared for it.
pub async fn hand_over(app: &App) -> Result<(), Error> {
    let authority = crate::app::participants::authority_row(app).await?;
    let account = authority.account;
    for contract in app.contracts.governed() {
        let latest = eth::BlockId::latest();
        let held_by = vidimus_ledger::contracts::registry::authority(&*app.ledger, contract, latest).await?;
        if held_by != app.facts.operator {
            continue;
        }
        let object = [contract.0, account.0].concat();
        let call = Call::new(
            contract,
            vidimus_ledger::contracts::registry::offer_authority(account),
            "offer-authority",
        );
        let offer = send(app, app.facts.operator, call, object.clone()).await?;
        await_success(app, &offer).await?;
        if authority.custody == participants::Custody::Wrapped {
            let call = Call::new(
                contract,
                vidimus_ledger::contracts::registry::accept_authority(),
                "accept-authority",
            );
            let accepted = send(app, account, call, object).await?;
            await_success(app, &accepted).await?;
        }
    }
    Ok(())
}

/// Whether the operator holds none of the contracts any more.
pub async fn is_handed_over(app: &App) -> Result<bool, Error> {
    for contract in app.contracts.governed() {
        let latest = eth::BlockId::latest();
        let held_by = vidimus_ledger::contracts::registry::authority(&*app.ledger, contract, latest).await?;
        if held_by == app.facts.operator {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How long a signing key's attribute holds in the DID registry: ten years, as long as the root certificate.
const ATTRIBUTE_VALIDITY: u64 = 10 * 365 * 86_400;

/// Plans to put an issuer's P-256 key into its DID document, so that clients that know nothing of our registry verify ES256. The issuer signs,
/// the operator pays (ERC-1056's signed variants); an issuer with its own keys gets a transaction to sign.
pub async fn announce_signing_key(
    app: &App,
    account: Address,
    account_key: Option<&SigningKey>,
    key: &PublicKey,
    plan: &mut Plan,
) -> Result<(), Error> {
    let name = AttributeName::p256_issuer_key()
        .encode()
        .map_err(|_| Error::Internal("the attribute's name does not fit"))?;
    let attribute = dids::Change::SetAttribute {
        name,
        value: key.as_bytes().to_vec(),
        validity: ATTRIBUTE_VALIDITY,
    };
    let Some(account_key) = account_key else {
        let call = Call::new(app.contracts.dids, attribute.calldata(account), "announce-signing-key");
        return plan.prepare(app, account, call).await;
    };
    let nonce = dids::nonce(&*app.ledger, app.contracts.dids, account, eth::BlockId::latest()).await?;
    let hash = attribute.hash(app.contracts.dids, nonce, account);
    let signature = account_key
        .sign_digest(&hash)
        .map_err(|_| Error::Internal("an account key does not sign"))?;
    let calldata = attribute.signed_calldata(account, &signature);
    let call = Call::new(app.contracts.dids, calldata, "announce-signing-key");
    plan.queue(app, app.facts.operator, call, app.random::<16>().to_vec())
        .await;
    Ok(())
}
