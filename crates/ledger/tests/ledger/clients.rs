//! Clients from npm (ethers, ethr-did-resolver) against an embedded ledger that is served. The packages are those of `e2e/`.

use crate::support::{open, serve, skip};
use std::path::Path;
use std::sync::Arc;
use vidimus_ledger::conformance::Chain;
use vidimus_ledger::contracts::dids::Change;
use vidimus_ledger::contracts::{Contract, address_created};
use vidimus_ledger::embedded::DEFAULT_CHAIN_ID;
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
    let name = |text: &str| {
        let mut name = [0; 32];
        name[..text.len()].copy_from_slice(text.as_bytes());
        name
    };
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
    ledger.audit().unwrap();
}
