//! Clients from npm (ethers, ethr-did-resolver) against an embedded ledger that is served. The packages are those of `e2e/`.

use crate::support::{NOW, open, serve, skip};
use std::path::Path;
use std::sync::Arc;
use vidimus_core::Timestamp;
use vidimus_crypto::Native;
use vidimus_identity::{
    Did,
    ethr::{self, At},
};
use vidimus_ledger::conformance::Chain;
use vidimus_ledger::contracts::dids::{self, Change, DidEvent};
use vidimus_ledger::contracts::{Contract, Placed, address_created};
use vidimus_ledger::embedded::DEFAULT_CHAIN_ID;
use vidimus_ledger::eth::BlockId;
use vidimus_ledger::rpc::Limits;

const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../e2e/package.json");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ethers_and_the_did_resolver_read_and_write_it() {
    let modules = Path::new(PACKAGES).with_file_name("node_modules");
    if !modules.join("ethr-did-resolver").exists() || !modules.join("ethers").exists() {
        skip("ethers and ethr-did-resolver are not installed; run `npm ci` in e2e/");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(open(&folder.path().join("ledger")));
    let chain = Chain::new(ledger.clone(), DEFAULT_CHAIN_ID);
    let [holder, heir, _] = chain.funded;
    let code = Contract::EthereumDidRegistry.creation_code(chain.authority.address);
    chain.mine(&chain.signed(&chain.authority, None, 0, code).await).await;
    let registry = address_created(chain.authority.address, 0);
    for change in [
        Change::SetAttribute {
            name: name("did/svc/HubService"),
            value: b"https://hub.example".to_vec(),
            validity: 1_000_000_000,
        },
        Change::AddDelegate {
            kind: name("veriKey"),
            delegate: heir.address,
            validity: 1_000_000_000,
        },
        Change::SetAttribute {
            name: name("did/pub/X25519/enc/base64"),
            value: vec![9; 32],
            validity: 1_000_000_000,
        },
        // Signing keys as they come and go: the first is revoked after the second was there, then comes a third.
        signing_key(1),
        signing_key(2),
        Change::RevokeAttribute {
            name: name(SIGNING_KEY),
            value: vec![1; 65],
        },
        signing_key(3),
    ] {
        chain.send(&holder, registry, change.calldata(holder.address)).await;
    }

    let url = serve(
        ledger.clone(),
        Limits {
            may_send: true,
            ..Limits::default()
        },
    )
    .await;
    let secret: String = chain.funded[2]
        .secret()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let output = tokio::process::Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ledger/clients.cjs"))
        .args([PACKAGES, &url, &DEFAULT_CHAIN_ID.to_string(), &registry.to_string()])
        .args([&holder.address.to_string(), &heir.address.to_string()])
        .arg(secret)
        .output()
        .await
        .expect("node runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("ethers and the resolver are content"), "{said}");
    let theirs: serde_json::Value = serde_json::from_str(said.trim().lines().last().unwrap()).unwrap();
    let latest = BlockId::latest();
    let history = dids::history(&*ledger, registry, holder.address, latest, 100)
        .await
        .unwrap();
    let events: Vec<_> = history.into_iter().map(event).collect();
    let did: Did = format!("did:ethr:{DEFAULT_CHAIN_ID:#x}:{}", holder.address)
        .parse()
        .unwrap();
    let ours = ethr::resolve(did.as_ethr().unwrap(), &events, At::Now(Timestamp(NOW)), &Native::new()).unwrap();
    assert_eq!(serde_json::to_value(&ours.did_document).unwrap(), theirs);
    let ids = ours.did_document.verification_method.iter();
    let numbers: Vec<_> = ids.filter_map(|method| method.id.split_once("#delegate-")).collect();
    let numbers: Vec<_> = numbers.into_iter().map(|(_, number)| number).collect();
    assert_eq!(numbers, ["1", "2", "4", "6"], "5 is the revocation of 3");
    ledger.audit().unwrap();
}

const SIGNING_KEY: &str = "did/pub/Multikey/veriKey/hex";

fn name(text: &str) -> [u8; 32] {
    let mut name = [0; 32];
    name[..text.len()].copy_from_slice(text.as_bytes());
    name
}

fn signing_key(digit: u8) -> Change {
    Change::SetAttribute {
        name: name(SIGNING_KEY),
        value: vec![digit; 65],
        validity: 1_000_000_000,
    }
}

/// A logged event as documents are made of it.
fn event(placed: Placed<DidEvent>) -> ethr::Event {
    ethr::Event {
        block: placed.at.block_number,
        time: placed.at.time.unwrap(),
        previous_change: placed.event.previous(),
        change: placed.event.into(),
    }
}
