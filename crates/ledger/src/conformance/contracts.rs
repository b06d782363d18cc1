//! Vidimus's own contracts, as the service uses them.

use super::{Account, Chain, at, refused};
use crate::contracts::anchors::{self, AnchorsEvent};
use crate::contracts::dids::{self, Change, DidEvent};
use crate::contracts::registry::{self, Keys, Permission, RegistryEvent, Status};
use crate::contracts::{Contract, address_created, issuers, revert_name, verifiers, verify_code};
use crate::eth::{B256, BlockId, Filter, TransactionRequest, TxKind, U256, keccak256};
use crate::{CallerError, FatalError, LedgerError, convert};
use alloy::signers::{SignerSync, local::PrivateKeySigner};
use vidimus_core::{Address, Digest, Timestamp};

async fn deploy(chain: &Chain, contract: Contract) -> Address {
    let nonce = chain.nonce(&chain.authority).await;
    let code = contract.creation_code(chain.authority.address);
    let signed = chain.signed(&chain.authority, None, 0, code).await;
    let mined = chain.mine(&signed).await;
    assert!(mined.success, "{} is created", contract.name());
    let address = mined.contract.expect("a creation names its contract");
    assert_eq!(
        address,
        address_created(chain.authority.address, nonce),
        "known before it is sent"
    );
    address
}

fn some_keys(seed: u8) -> Keys {
    Keys {
        p256_x: [seed; 32],
        p256_y: [seed + 1; 32],
        x25519: [seed + 2; 32],
        certificate: [seed + 3; 32],
    }
}

pub(super) async fn a_deployment_is_where_and_what_it_should_be(chain: &Chain) {
    for contract in Contract::ALL {
        let address = deploy(chain, contract).await;
        verify_code(&*chain.ledger, contract, address).await.unwrap();
        let other = if contract == Contract::Anchors {
            Contract::IssuerRegistry
        } else {
            Contract::Anchors
        };
        let error = verify_code(&*chain.ledger, other, address).await.unwrap_err();
        assert!(matches!(error, LedgerError::Fatal(FatalError::OtherCode { .. })));
        if contract != Contract::EthereumDidRegistry {
            let authority = registry::authority(&*chain.ledger, address, BlockId::latest())
                .await
                .unwrap();
            assert_eq!(authority, chain.authority.address);
        }
    }
}

pub(super) async fn the_authority_approves_and_suspends(chain: &Chain) {
    let ledger = &*chain.ledger;
    let address = deploy(chain, Contract::IssuerRegistry).await;
    let [lab, stranger, _] = chain.funded;
    let categories = ["sars-cov-2-test".to_owned(), "vaccination".to_owned()];
    let may = async |category: &str, at| {
        issuers::may_issue(ledger, address, lab.address, category, at)
            .await
            .unwrap()
    };

    let approval = issuers::approve(lab.address, Digest([7; 32]), &some_keys(1), &categories);
    let refusal = chain.send_reverting(&stranger, address, approval.clone()).await;
    assert!(!may("vaccination", BlockId::latest()).await, "a stranger admits nobody");
    let approved = chain.send(&chain.authority, address, approval).await;
    assert!(may("vaccination", BlockId::latest()).await);
    assert!(!may("recovery", BlockId::latest()).await);
    assert!(!may("vaccination", at(refusal.block_number)).await, "then it was not");
    let events: Vec<_> = approved
        .logs
        .iter()
        .filter_map(registry::decode)
        .map(|e| e.event)
        .collect();
    assert!(
        events.contains(&RegistryEvent::Approved {
            participant: lab.address,
            profile: Digest([7; 32])
        }),
        "{events:?}"
    );
    assert!(events.contains(&RegistryEvent::Granted {
        participant: lab.address,
        permission: Permission::Category,
        name: "vaccination".into()
    }));
    assert!(events.contains(&RegistryEvent::KeysRotated {
        participant: lab.address,
        version: 1,
        keys: some_keys(1)
    }));
    assert_eq!(
        registry::keys(ledger, address, lab.address, BlockId::latest())
            .await
            .unwrap(),
        Some((1, some_keys(1)))
    );

    let suspended = chain
        .send(&chain.authority, address, registry::suspend(lab.address, "audit"))
        .await;
    assert!(!may("vaccination", BlockId::latest()).await);
    assert!(
        may("vaccination", at(approved.block_number)).await,
        "then it was admitted"
    );
    let event = suspended.logs.iter().find_map(registry::decode).unwrap();
    assert_eq!(
        event.event,
        RegistryEvent::Suspended {
            participant: lab.address,
            reason: "audit".into()
        }
    );
    assert_eq!(
        (event.contract, event.at.block_number),
        (address, suspended.block_number)
    );
    let status = async || {
        registry::status(ledger, address, lab.address, BlockId::latest())
            .await
            .unwrap()
    };
    assert_eq!(status().await, Status::Suspended);
    chain
        .send(&chain.authority, address, registry::resume(lab.address))
        .await;
    assert_eq!(status().await, Status::Active);
    chain
        .send(
            &chain.authority,
            address,
            registry::rotate_keys(lab.address, &some_keys(9)),
        )
        .await;
    chain
        .send(
            &chain.authority,
            address,
            registry::revoke_keys(lab.address, 1, Timestamp(1_700_000_000)),
        )
        .await;
    assert_eq!(
        registry::keys(ledger, address, lab.address, BlockId::latest())
            .await
            .unwrap(),
        Some((2, some_keys(9)))
    );
    chain
        .send(
            &chain.authority,
            address,
            issuers::withdraw(lab.address, &categories[..1]),
        )
        .await;
    assert!(!may("sars-cov-2-test", BlockId::latest()).await);
    assert!(may("vaccination", BlockId::latest()).await);
    chain
        .send(&chain.authority, address, registry::revoke(lab.address, "fraud"))
        .await;
    assert_eq!(status().await, Status::Revoked);
    chain
        .send_reverting(&chain.authority, address, registry::resume(lab.address))
        .await;
}

pub(super) async fn a_verifier_is_admitted(chain: &Chain) {
    let ledger = &*chain.ledger;
    let address = deploy(chain, Contract::VerifierRegistry).await;
    let [airline, _, _] = chain.funded;
    let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let (attributes, purposes) = (names(&["result", "valid_until"]), names(&["boarding"]));
    let data = verifiers::approve(
        airline.address,
        Digest([1; 32]),
        &Keys::default(),
        &attributes,
        &purposes,
    );
    let mined = chain.send(&chain.authority, address, data).await;
    let granted: Vec<_> = mined
        .logs
        .iter()
        .filter_map(registry::decode)
        .filter_map(|e| match e.event {
            RegistryEvent::Granted { permission, name, .. } => Some((permission, name)),
            _ => None,
        })
        .collect();
    assert!(granted.contains(&(Permission::Attribute, "result".into())));
    assert!(granted.contains(&(Permission::Purpose, "boarding".into())));
    let may = async |attribute: &str, purpose: &str| {
        verifiers::may_ask(ledger, address, airline.address, attribute, purpose, BlockId::latest())
            .await
            .unwrap()
    };
    assert!(may("result", "boarding").await);
    assert!(!may("name", "boarding").await);
    assert!(!may("result", "marketing").await);
}

pub(super) async fn a_root_is_anchored_once(chain: &Chain) {
    let ledger = &*chain.ledger;
    let address = deploy(chain, Contract::Anchors).await;
    let [anchorer, _, _] = chain.funded;
    let root = Digest([0xab; 32]);
    chain
        .send_reverting(&anchorer, address, anchors::anchor(root, 100))
        .await;
    chain
        .send(&chain.authority, address, anchors::set_anchorer(anchorer.address, true))
        .await;
    assert!(
        anchors::is_anchorer(ledger, address, anchorer.address, BlockId::latest())
            .await
            .unwrap()
    );
    assert_eq!(
        anchors::anchored(ledger, address, root, BlockId::latest())
            .await
            .unwrap(),
        None
    );

    let mined = chain.send(&anchorer, address, anchors::anchor(root, 100)).await;
    assert!(mined.gas_used <= 60_000, "an anchor is cheap: {}", mined.gas_used);
    let found = anchors::anchored(ledger, address, root, BlockId::latest())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.block_number, found.time, found.size),
        (mined.block_number, mined.time, 100)
    );
    let event = mined.logs.iter().find_map(anchors::decode).unwrap();
    assert_eq!(
        event.event,
        AnchorsEvent::Anchored {
            root,
            size: 100,
            anchorer: anchorer.address
        }
    );

    chain
        .send_reverting(&anchorer, address, anchors::anchor(root, 100))
        .await;
    assert_eq!(
        anchors::anchored(ledger, address, root, BlockId::latest())
            .await
            .unwrap(),
        Some(found)
    );
    // A call says why.
    let request = TransactionRequest {
        from: Some(anchorer.eth()),
        to: Some(TxKind::Call(convert::to_address(address))),
        input: anchors::anchor(root, 100).into(),
        ..Default::default()
    };
    let error = ledger.call(request, BlockId::latest()).await.unwrap_err();
    let LedgerError::Caller(CallerError::Reverted { data, .. }) = error else {
        panic!("{error}")
    };
    assert_eq!(revert_name(&data), Some("AlreadyAnchored"));
}

pub(super) async fn an_identity_changes_and_is_read_back(chain: &Chain) {
    let ledger = &*chain.ledger;
    let address = deploy(chain, Contract::EthereumDidRegistry).await;
    let [holder, relay, heir] = chain.funded;
    assert_eq!(
        dids::changed(ledger, address, holder.address, BlockId::latest())
            .await
            .unwrap(),
        0
    );
    assert!(
        dids::history(ledger, address, holder.address, BlockId::latest(), 10)
            .await
            .unwrap()
            .is_empty()
    );

    let mut name = [0; 32];
    name[..b"did/pub/X25519/enc/hex".len()].copy_from_slice(b"did/pub/X25519/enc/hex");
    let set = Change::SetAttribute {
        name,
        value: vec![5; 32],
        validity: 86_400,
    };
    chain.send(&holder, address, set.calldata(holder.address)).await;
    chain
        .send_reverting(&relay, address, set.calldata(holder.address))
        .await;

    // Signed by the holder, sent and paid by another.
    let mut kind = [0; 32];
    kind[..7].copy_from_slice(b"veriKey");
    let add = Change::AddDelegate {
        kind,
        delegate: heir.address,
        validity: 3600,
    };
    let nonce = dids::nonce(ledger, address, holder.address, BlockId::latest())
        .await
        .unwrap();
    let signature = sign(&holder, &add.hash(address, nonce, holder.address));
    let signed = add.signed_calldata(holder.address, &signature);
    chain.send(&relay, address, signed.clone()).await;
    chain.send_reverting(&relay, address, signed).await;
    for change in [
        Change::SetAttribute {
            name,
            value: vec![6; 32],
            validity: 60,
        },
        Change::RevokeAttribute {
            name,
            value: vec![6; 32],
        },
        Change::RevokeDelegate {
            kind,
            delegate: heir.address,
        },
    ] {
        let nonce = dids::nonce(ledger, address, holder.address, BlockId::latest())
            .await
            .unwrap();
        let signature = sign(&holder, &change.hash(address, nonce, holder.address));
        chain
            .send(&relay, address, change.signed_calldata(holder.address, &signature))
            .await;
    }
    let nonce = dids::nonce(ledger, address, holder.address, BlockId::latest())
        .await
        .unwrap();
    let hand_over = Change::Owner(heir.address);
    let signature = sign(&holder, &hand_over.hash(address, nonce, holder.address));
    chain
        .send(&relay, address, hand_over.signed_calldata(holder.address, &signature))
        .await;
    assert_eq!(
        dids::owner(ledger, address, holder.address, BlockId::latest())
            .await
            .unwrap(),
        heir.address
    );

    let history = dids::history(ledger, address, holder.address, BlockId::latest(), 10)
        .await
        .unwrap();
    assert_eq!(history.len(), 6);
    assert!(
        history
            .windows(2)
            .all(|pair| pair[0].at.block_number <= pair[1].at.block_number)
    );
    assert!(
        matches!(&history[0].event, DidEvent::AttributeChanged { value, previous: 0, .. } if *value == vec![5; 32])
    );
    assert!(matches!(&history[1].event, DidEvent::DelegateChanged { delegate, .. } if *delegate == heir.address));
    assert!(matches!(&history[5].event, DidEvent::OwnerChanged { owner, .. } if *owner == heir.address));
    refused(
        dids::history(ledger, address, holder.address, BlockId::latest(), 3).await,
        "at most 3",
    );
}

fn sign(account: &Account, hash: &[u8; 32]) -> [u8; 65] {
    let key = PrivateKeySigner::from_slice(account.secret()).unwrap();
    key.sign_hash_sync(&B256::new(*hash)).unwrap().as_bytes()
}

pub(super) async fn logs_are_found_by_address_topic_and_range(chain: &Chain) {
    let ledger = &*chain.ledger;
    let (one, other) = (
        deploy(chain, Contract::Anchors).await,
        deploy(chain, Contract::Anchors).await,
    );
    let mut mined = Vec::new();
    for contract in [one, other] {
        chain
            .send(
                &chain.authority,
                contract,
                anchors::set_anchorer(chain.authority.address, true),
            )
            .await;
        for n in 1..=3 {
            mined.push(
                chain
                    .send(&chain.authority, contract, anchors::anchor(Digest([n; 32]), n.into()))
                    .await,
            );
        }
    }
    let (first, last) = (mined[0].block_number, mined[5].block_number);
    let signature = keccak256("Anchored(bytes32,uint64,address)");
    let all = Filter::new()
        .from_block(first)
        .to_block(last)
        .event_signature(signature);
    let both = all
        .clone()
        .address(vec![convert::to_address(one), convert::to_address(other)]);
    assert_eq!(ledger.logs(&both).await.unwrap().len(), 6);
    let of_one = ledger
        .logs(&all.clone().address(convert::to_address(one)))
        .await
        .unwrap();
    assert_eq!(of_one.len(), 3);
    assert!(
        of_one
            .windows(2)
            .all(|pair| pair[0].block_number < pair[1].block_number)
    );
    let second = both.clone().topic1(B256::new([2; 32]));
    let found = ledger.logs(&second).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].transaction_hash, Some(convert::to_hash(mined[1].transaction)));
    assert_eq!(found[0].block_hash, Some(convert::to_hash(mined[1].block_hash)));
    let either = both.clone().topic1(vec![B256::new([2; 32]), B256::new([3; 32])]);
    assert_eq!(ledger.logs(&either).await.unwrap().len(), 4);
    let in_block = Filter::new()
        .at_block_hash(convert::to_hash(mined[4].block_hash))
        .event_signature(signature);
    assert_eq!(ledger.logs(&in_block).await.unwrap().len(), 1);
    assert_eq!(
        ledger.logs(&both.from_block(last).to_block(last)).await.unwrap().len(),
        1
    );
}

pub(super) async fn calls_and_estimates_say_what_a_transaction_would_do(chain: &Chain) {
    let ledger = &*chain.ledger;
    let address = deploy(chain, Contract::Anchors).await;
    let request = |from: Account, data: Vec<u8>| TransactionRequest {
        from: Some(from.eth()),
        to: Some(TxKind::Call(convert::to_address(address))),
        input: data.into(),
        ..Default::default()
    };
    let allow = anchors::set_anchorer(chain.authority.address, true);
    let estimate = ledger
        .estimate_gas(request(chain.authority, allow.clone()), BlockId::latest())
        .await
        .unwrap();
    let nonce = chain.nonce(&chain.authority).await;
    let mut fields = chain.fields(nonce, Some(address), 0, allow.clone()).await;
    fields.gas_limit = estimate;
    let mined = chain
        .mine(&fields.prepare().sign_with_secret(chain.authority.secret()).unwrap())
        .await;
    assert!(mined.success, "the estimate suffices");
    assert!(
        estimate <= mined.gas_used + mined.gas_used / 3,
        "{estimate} for {}",
        mined.gas_used
    );
    assert!(
        anchors::is_anchorer(ledger, address, chain.authority.address, BlockId::latest())
            .await
            .unwrap()
    );

    let [stranger, ..] = chain.funded;
    let error = ledger
        .call(request(stranger, allow.clone()), BlockId::latest())
        .await
        .unwrap_err();
    let LedgerError::Caller(CallerError::Reverted { data, .. }) = error else {
        panic!("{error}")
    };
    assert_eq!(revert_name(&data), Some("NotAuthority"));
    refused(
        ledger.estimate_gas(request(stranger, allow), BlockId::latest()).await,
        "revert",
    );
    // A call changes nothing.
    let nonce = chain.nonce(&stranger).await;
    ledger
        .call(request(stranger, Vec::new()), BlockId::latest())
        .await
        .unwrap_err();
    assert_eq!(chain.nonce(&stranger).await, nonce);
}

pub(super) async fn proofs_lead_to_the_state_root(chain: &Chain) {
    let ledger = &*chain.ledger;
    let address = deploy(chain, Contract::Anchors).await;
    let head = ledger.head().await.unwrap();
    let block = ledger.block(at(head.number), false).await.unwrap().unwrap();
    // Slot 0 of the contract holds its authority.
    let slots = vec![B256::ZERO, B256::from(U256::from(999))];
    let proof = ledger
        .proof(convert::to_address(address), slots, at(head.number))
        .await
        .unwrap();
    assert_eq!(
        B256::from(proof.storage_proof[0].value),
        chain.authority.eth().into_word()
    );
    assert_eq!(proof.storage_proof[1].value, U256::ZERO);
    assert_eq!(
        ledger
            .storage(convert::to_address(address), U256::ZERO, at(head.number))
            .await
            .unwrap(),
        chain.authority.eth().into_word()
    );
    let first = proof.account_proof.first().expect("the state is not empty");
    assert_eq!(
        keccak256(first),
        block.header.state_root,
        "the proof begins at the root"
    );
    let first = proof.storage_proof[0].proof.first().expect("the storage is not empty");
    assert_eq!(keccak256(first), proof.storage_hash);
    let nobody = ledger
        .proof(Account::numbered(0xffff_0001).eth(), Vec::new(), at(head.number))
        .await
        .unwrap();
    assert_eq!((nobody.nonce, nobody.balance), (0, U256::ZERO));
    assert!(!nobody.account_proof.is_empty(), "absence is proven too");
}
