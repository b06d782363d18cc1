//! What a participant that keeps its own keys signs on the ledger: each transaction is decoded whole, and its call held against the calls that
//! follow from what was asked for here.

mod pinned;

pub(super) use pinned::Pinned;

use crate::{
    app::{
        chain::{ATTRIBUTE_VALIDITY, Contracts},
        participants::profile_json,
    },
    cli::{Exit, Failure},
};
use serde_json::Value;
use vidimus_core::{
    Address, Digest, Provider, PublicKey, Timestamp,
    encoding::{from_base64, from_base64url},
};
use vidimus_credential::{card::HolderCard, x509};
use vidimus_crypto::Native;
use vidimus_identity::ethr::AttributeName;
use vidimus_ledger::{
    contracts::{dids, issuers, registry, verifiers},
    transaction::Fields,
};

/// Most gas that a call of ours may be given.
const MOST_GAS: u64 = 2_000_000;
/// Most wei per gas that is offered without being told: 1000 gwei.
pub(super) const MOST_FEE: u128 = 1_000_000_000_000;

/// By how much the server's clock may differ, in seconds.
const SKEW: i64 = 300;

/// Whose keys these are.
pub(super) struct Own {
    /// The account that the DID names.
    pub identity: Address,
    /// The accounts whose keys are in the file.
    pub accounts: Vec<Address>,
    /// The P-256 signing key.
    pub signing: PublicKey,
}

/// The account that a DID names.
pub(super) fn identity_of(did: &str) -> Result<Address, Failure> {
    let named = did.rsplit(':').next().and_then(|text| text.parse().ok());
    named.ok_or_else(|| {
        Failure::new(
            Exit::Setup,
            "the DID of these keys names no account: the file is damaged",
        )
    })
}

/// A call that may be signed: to whom, and what.
pub(super) type Call = (Address, Vec<u8>);

/// The calls that may be signed: about these keys themselves, and what was asked for by the command whose answer this is.
pub(super) fn expected(answer: &Value, pinned: Pinned, own: &Own) -> Result<Vec<Call>, &'static str> {
    let contracts = pinned.contracts();
    let mut calls = about_oneself(contracts, own)?;
    let asked = &answer["asked"];
    let request = &asked["request"];
    let participant = &answer["participant"];
    let is_about_oneself = participant["account"] == own.identity.to_string().as_str();
    if asked["id"].as_str().is_some_and(|id| participant["id"] != id) {
        return Err("it is about another participant than was asked");
    }
    let role = participant["role"].as_str().unwrap_or_default();
    let registry_contract = if role == "issuer" {
        contracts.issuers
    } else {
        contracts.verifiers
    };
    let account = participant["account"]
        .as_str()
        .and_then(|text| text.parse::<Address>().ok());
    let list = |name: &str| -> Vec<String> { serde_json::from_value(request[name].clone()).unwrap_or_default() };
    let reason = || request["reason"].as_str().ok_or("what was asked has no reason");
    let about = || account.ok_or("the answer names no participant");
    match asked["operation"].as_str() {
        None => {}
        Some("admit") => calls.push(admission(request, participant, contracts)?),
        Some("rotate-keys") => {
            // The card is of the account that acts now; the registry knows the participant by the one it was admitted with.
            let (_, keys) = keys_of(request, participant)?;
            calls.push((registry_contract, registry::rotate_keys(about()?, &keys)));
        }
        Some("change") => {
            type Made = fn(Address, &[String]) -> Vec<u8>;
            let changes: [(&str, Made); 6] = [
                ("grant_categories", issuers::grant),
                ("withdraw_categories", issuers::withdraw),
                ("grant_attributes", verifiers::grant_attributes),
                ("withdraw_attributes", verifiers::withdraw_attributes),
                ("grant_purposes", verifiers::grant_purposes),
                ("withdraw_purposes", verifiers::withdraw_purposes),
            ];
            for (name, made) in changes {
                let names = list(name);
                if !names.is_empty() {
                    calls.push((registry_contract, made(about()?, &names)));
                }
            }
        }
        Some("rotate-account") => calls.extend(rotation(contracts, own)),
        Some("revoke-keys") => {
            if is_about_oneself {
                calls.extend(withdrawals(request, participant, contracts, own)?);
            }
            let version = request["version"]
                .as_u64()
                .and_then(|version| u32::try_from(version).ok());
            let version = version.ok_or("what was asked names no version")?;
            let times = match (request["from"].as_i64(), request["at"].as_i64()) {
                (Some(from), _) => from..=from,
                // From now on, by the server's clock: some minutes about when it was asked.
                (None, Some(at)) => at.saturating_sub(SKEW)..=at.saturating_add(SKEW),
                (None, None) => return Err("what was asked has no time"),
            };
            for from in times {
                let data = registry::revoke_keys(about()?, version, Timestamp(from));
                calls.push((registry_contract, data));
            }
        }
        Some("suspend") => calls.push((registry_contract, registry::suspend(about()?, reason()?))),
        Some("resume") => calls.push((registry_contract, registry::resume(about()?))),
        Some("revoke") => calls.push((registry_contract, registry::revoke(about()?, reason()?))),
        Some(_) => return Err("what was asked is not known here"),
    }
    Ok(calls)
}

/// What these keys may always say of themselves: their signing key in their own DID, and that they take the authority's role.
fn about_oneself(contracts: Contracts, own: &Own) -> Result<Vec<Call>, &'static str> {
    let announce = dids::Change::SetAttribute {
        name: signing_key_name()?,
        value: own.signing.as_bytes().to_vec(),
        validity: ATTRIBUTE_VALIDITY,
    };
    let mut calls = vec![(contracts.dids, announce.calldata(own.identity))];
    for contract in contracts.governed() {
        calls.push((contract, registry::accept_authority()));
    }
    Ok(calls)
}

/// That the newest account takes the place of the others: as owner of the DID, and in the authority's role.
fn rotation(contracts: Contracts, own: &Own) -> Vec<Call> {
    let Some(newest) = own.accounts.last() else {
        return Vec::new();
    };
    let mut calls = vec![(contracts.dids, dids::Change::Owner(*newest).calldata(own.identity))];
    for contract in contracts.governed() {
        calls.push((contract, registry::offer_authority(*newest)));
    }
    calls
}

/// That a signing key of the version that leaked leaves the DID document.
fn withdrawals(
    request: &Value,
    participant: &Value,
    contracts: Contracts,
    own: &Own,
) -> Result<Vec<Call>, &'static str> {
    let name = signing_key_name()?;
    let keys = participant["keys"].as_array().into_iter().flatten();
    let leaked = keys.filter(|key| key["purpose"] == "signing" && key["version"] == request["version"]);
    let points = leaked.filter_map(|key| PublicKey::from_jwk(&key["jwk"]));
    Ok(points
        .map(|point| {
            let value = point.as_bytes().to_vec();
            let withdrawn = dids::Change::RevokeAttribute { name, value };
            (contracts.dids, withdrawn.calldata(own.identity))
        })
        .collect())
}

fn signing_key_name() -> Result<[u8; 32], &'static str> {
    AttributeName::p256_issuer_key()
        .encode()
        .map_err(|_| "an attribute's name")
}

/// The call that admits whom the request names: with the card's keys where a card was given, else with those that the server made.
fn admission(request: &Value, participant: &Value, contracts: Contracts) -> Result<Call, &'static str> {
    let text = |name: &str| request[name].as_str();
    let list = |name: &str| -> Vec<String> { serde_json::from_value(request[name].clone()).unwrap_or_default() };
    let (account, keys) = keys_of(request, participant)?;
    let profile = profile_json(
        text("name").ok_or("what was asked has no name")?,
        text("country").ok_or("what was asked has no country")?,
        text("url"),
    );
    let profile = Native::new().sha256(&[profile.as_bytes()]);
    Ok(match text("role") {
        Some("issuer") => {
            let data = issuers::approve(account, profile, &keys, &list("categories"));
            (contracts.issuers, data)
        }
        Some("verifier") => {
            let data = verifiers::approve(account, profile, &keys, &list("attributes"), &list("purposes"));
            (contracts.verifiers, data)
        }
        _ => return Err("what was asked has no role"),
    })
}

/// Account and keys of a participant: the card's, where one was given; the certificate beside them must hold the same key.
fn keys_of(request: &Value, participant: &Value) -> Result<(Address, registry::Keys), &'static str> {
    let provider = Native::new();
    let keys = || participant["keys"].as_array().into_iter().flatten();
    let (account, signing, sealing) = match request["card"].as_str() {
        Some(card) => {
            let now = crate::cli::clock().now();
            let card =
                HolderCard::verify(card, &provider, now).map_err(|_| "the card that was given does not verify")?;
            let account = card.did.rsplit(':').next().and_then(|text| text.parse().ok());
            (account, Some(card.signing_key.clone()), Some(card.sealing_key))
        }
        None => {
            let newest = |purpose: &str| keys().rfind(|key| key["purpose"] == purpose).map(|key| &key["jwk"]);
            let account = participant["account"].as_str().and_then(|text| text.parse().ok());
            let sealing = newest("sealing")
                .and_then(|jwk| from_base64url(jwk["x"].as_str()?).ok())
                .and_then(|bytes| bytes.try_into().ok());
            (account, newest("signing").and_then(PublicKey::from_jwk), sealing)
        }
    };
    let signing = signing.ok_or("the answer has no signing key")?;
    let certificate = keys()
        .filter_map(|key| from_base64(key["certificate"].as_str()?).ok())
        .rfind(|der| x509::Certificate::from_der(der).is_ok_and(|read| read.public_key == signing))
        .map_or(Digest([0; 32]), |der| provider.sha256(&[&der]));
    let point: &[u8; 65] = signing
        .as_bytes()
        .try_into()
        .map_err(|_| "the signing key is not of P-256")?;
    let half = |from: usize| -> [u8; 32] { point[from..from + 32].try_into().expect("32 of 65 bytes") };
    let keys = registry::Keys {
        p256_x: half(1),
        p256_y: half(33),
        x25519: sealing.ok_or("the answer has no sealing key")?,
        certificate: certificate.0,
    };
    Ok((account.ok_or("the answer names no account")?, keys))
}

/// Whether a transaction is one of these calls, and nothing about it goes beyond the bounds; `after` is the nonce of the one before it.
pub(super) fn judge(
    fields: &Fields,
    chain_id: u64,
    calls: &[Call],
    after: Option<u64>,
    most_fee: u128,
) -> Result<(), &'static str> {
    let to = fields.to.ok_or("it makes a contract")?;
    if fields.chain_id != chain_id {
        return Err("it is for another chain than these keys");
    }
    if fields.value != 0 {
        return Err("it sends money");
    }
    if fields.gas_limit > MOST_GAS || fields.max_fee > most_fee || fields.priority_fee > fields.max_fee {
        return Err("it offers more gas, or more for it, than is allowed (--max-fee)");
    }
    if after.is_some_and(|after| Some(fields.nonce) != after.checked_add(1)) {
        return Err("its number does not follow that of the one before");
    }
    if !calls.iter().any(|(contract, _)| *contract == to) {
        return Err("it calls another contract than what was asked for");
    }
    if !calls
        .iter()
        .any(|(contract, data)| *contract == to && *data == fields.data)
    {
        return Err(
            "it does something else than what was asked for; give the answer of the command that asked, as it printed it with --json",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use vidimus_core::{Algorithm, Signer as _};
    use vidimus_crypto::{KeyKind, OsEntropy, SigningKey};

    const CHAIN: u64 = 0x56_494d;
    const PINNED: Pinned = Pinned {
        chain_id: CHAIN,
        issuers: Address([1; 20]),
        verifiers: Address([2; 20]),
        dids: Address([3; 20]),
        anchors: Address([4; 20]),
    };
    const LAB: Address = Address([0x1a; 20]);

    fn own() -> Own {
        Own {
            identity: Address([0xaa; 20]),
            accounts: vec![Address([0xaa; 20])],
            signing: PublicKey::P256([4; 65]),
        }
    }

    fn answer(operation: &str, request: Value) -> Value {
        let participant = json!({"role": "issuer", "account": LAB.to_string()});
        json!({"participant": participant, "asked": {"operation": operation, "request": request}})
    }

    fn fields(to: Address, data: Vec<u8>) -> Fields {
        Fields {
            chain_id: CHAIN,
            nonce: 7,
            gas_limit: 1_500_000,
            max_fee: 0,
            priority_fee: 0,
            to: Some(to),
            value: 0,
            data,
        }
    }

    fn judged(answer: &Value, fields: &Fields) -> Result<(), &'static str> {
        judge(fields, CHAIN, &expected(answer, PINNED, &own())?, Some(6), MOST_FEE)
    }

    #[test]
    fn what_was_asked_is_signed_and_nothing_else() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let asked = answer("change", json!({"grant_categories": ["sars-cov-2-naat"]}));
        let data = issuers::grant(LAB, &names(&["sars-cov-2-naat"]));
        let good = fields(PINNED.issuers, data.clone());
        assert_eq!(judged(&asked, &good), Ok(()));
        let suspended = answer("suspend", json!({"reason": "audit"}));
        assert_eq!(
            judged(&suspended, &fields(PINNED.issuers, registry::suspend(LAB, "audit"))),
            Ok(())
        );
        for (what, lie) in [
            (
                "another category",
                fields(PINNED.issuers, issuers::grant(LAB, &names(&["sars-cov-2-antigen"]))),
            ),
            (
                "one more category",
                fields(PINNED.issuers, issuers::grant(LAB, &names(&["sars-cov-2-naat", "x"]))),
            ),
            (
                "another participant",
                fields(
                    PINNED.issuers,
                    issuers::grant(Address([9; 20]), &names(&["sars-cov-2-naat"])),
                ),
            ),
            (
                "another function",
                fields(PINNED.issuers, registry::revoke(LAB, "fraud")),
            ),
            (
                "the role for another",
                fields(PINNED.issuers, registry::offer_authority(Address([9; 20]))),
            ),
            (
                "another owner of the DID",
                fields(
                    PINNED.dids,
                    dids::Change::Owner(Address([9; 20])).calldata(Address([0xaa; 20])),
                ),
            ),
            ("another contract", fields(Address([9; 20]), data.clone())),
            ("the verifiers' contract", fields(PINNED.verifiers, data.clone())),
            (
                "more behind it",
                fields(PINNED.issuers, [data.clone(), vec![0]].concat()),
            ),
            (
                "no contract",
                Fields {
                    to: None,
                    ..good.clone()
                },
            ),
            (
                "another chain",
                Fields {
                    chain_id: 1,
                    ..good.clone()
                },
            ),
            (
                "money",
                Fields {
                    value: 1,
                    ..good.clone()
                },
            ),
            (
                "a fee beyond bounds",
                Fields {
                    max_fee: MOST_FEE + 1,
                    ..good.clone()
                },
            ),
            (
                "a tip beyond the fee",
                Fields {
                    priority_fee: 1,
                    ..good.clone()
                },
            ),
            (
                "gas beyond bounds",
                Fields {
                    gas_limit: MOST_GAS + 1,
                    ..good.clone()
                },
            ),
            (
                "a number left out",
                Fields {
                    nonce: 8,
                    ..good.clone()
                },
            ),
        ] {
            assert!(judged(&asked, &lie).is_err(), "{what}");
        }
    }

    #[test]
    fn without_what_was_asked_only_what_is_about_oneself_is_signed() {
        let nothing = json!({"participant": {"role": "issuer", "account": LAB.to_string()}});
        let data = registry::suspend(LAB, "audit");
        assert!(judged(&nothing, &fields(PINNED.issuers, data)).is_err());
        assert_eq!(
            judged(&nothing, &fields(PINNED.anchors, registry::accept_authority())),
            Ok(())
        );
        assert!(judged(&nothing, &fields(PINNED.dids, registry::accept_authority())).is_err());
    }

    #[test]
    fn a_did_and_the_role_go_to_the_newest_account_when_that_was_asked() {
        let (old, newest) = (Address([0xaa; 20]), Address([0xbb; 20]));
        let own = Own {
            accounts: vec![old, newest],
            ..own()
        };
        let rotated = answer("rotate-account", json!({"card": "x"}));
        let changed = answer("change", json!({}));
        let judged = |answer: &Value, contract: Address, data: Vec<u8>| {
            let calls = expected(answer, PINNED, &own).unwrap();
            judge(&fields(contract, data), CHAIN, &calls, Some(6), MOST_FEE)
        };
        let owner = |to: Address| dids::Change::Owner(to).calldata(own.identity);
        assert_eq!(judged(&rotated, PINNED.dids, owner(newest)), Ok(()));
        assert_eq!(
            judged(&rotated, PINNED.anchors, registry::offer_authority(newest)),
            Ok(())
        );
        // Back to an account that may have leaked, or without having been asked.
        assert!(judged(&rotated, PINNED.dids, owner(old)).is_err());
        assert!(judged(&rotated, PINNED.anchors, registry::offer_authority(old)).is_err());
        assert!(judged(&changed, PINNED.dids, owner(newest)).is_err());
        assert!(judged(&changed, PINNED.anchors, registry::offer_authority(newest)).is_err());
    }

    #[test]
    fn keys_are_rotated_under_the_account_of_the_admission() {
        let holder = SigningKey::generate(KeyKind::Secp256k1, &mut OsEntropy);
        let signing = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
        let acting = holder.public_key().address(&Native::new()).unwrap();
        let card = HolderCard {
            did: format!("did:ethr:{CHAIN:#x}:{acting}"),
            signing_key: signing.public_key().clone(),
            sealing_key: [5; 32],
            issued_at: crate::cli::clock().now(),
        };
        let possession = signing.sign(Algorithm::Es256, &card.possession_message()).unwrap();
        let unsigned = card.prepare(&possession);
        let signature = holder.sign(Algorithm::Es256k, unsigned.message()).unwrap();
        let card = unsigned.finish(&signature);
        let asked = answer("rotate-keys", json!({ "card": card }));
        let point = signing.public_key().as_bytes();
        let keys = registry::Keys {
            p256_x: point[1..33].try_into().unwrap(),
            p256_y: point[33..].try_into().unwrap(),
            x25519: [5; 32],
            certificate: [0; 32],
        };
        let call = |account: Address| judged(&asked, &fields(PINNED.issuers, registry::rotate_keys(account, &keys)));
        assert_eq!(call(LAB), Ok(()));
        assert!(call(acting).is_err());
    }

    #[test]
    fn an_admission_is_of_whom_and_for_what_was_asked() {
        let signing =
            vidimus_crypto::SigningKey::generate(vidimus_crypto::KeyKind::P256, &mut vidimus_crypto::OsEntropy);
        let point = signing.public_key().as_bytes().to_vec();
        let participant = json!({
            "role": "verifier", "account": LAB.to_string(),
            "keys": [
                {"purpose": "signing", "jwk": signing.public_key().to_jwk().unwrap()},
                {"purpose": "sealing", "jwk": {"x": vidimus_core::encoding::base64url(&[5; 32])}},
            ],
        });
        let request = json!({
            "role": "verifier", "name": "Danube Air", "country": "AT", "url": null, "card": null, "categories": [],
            "attributes": ["result"], "purposes": ["boarding"],
        });
        let answer = json!({"participant": participant, "asked": {"operation": "admit", "request": request}});
        let keys = registry::Keys {
            p256_x: point[1..33].try_into().unwrap(),
            p256_y: point[33..].try_into().unwrap(),
            x25519: [5; 32],
            certificate: [0; 32],
        };
        let digest = |name: &str| Native::new().sha256(&[profile_json(name, "AT", None).as_bytes()]);
        let call = |name: &str, attribute: &str, purpose: &str| {
            let data = verifiers::approve(LAB, digest(name), &keys, &[attribute.into()], &[purpose.into()]);
            judged(&answer, &fields(PINNED.verifiers, data))
        };
        assert_eq!(call("Danube Air", "result", "boarding"), Ok(()));
        assert!(call("Another Air", "result", "boarding").is_err());
        assert!(call("Danube Air", "birth_date", "boarding").is_err());
        assert!(call("Danube Air", "result", "marketing").is_err());
    }
}
