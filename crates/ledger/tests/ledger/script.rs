//! Transactions that try every corner of the virtual machine and of the state, as signed bytes in blocks.

use alloy::primitives::{Address, B256, U256, hex};
use vidimus_ledger::conformance::{Account, Chain};
use vidimus_ledger::contracts::dids::Change;
use vidimus_ledger::contracts::registry::{self, Keys};
use vidimus_ledger::contracts::{Contract, address_created, anchors, issuers};
use vidimus_ledger::embedded::DEFAULT_CHAIN_ID;
use vidimus_ledger::transaction::{Fields, Signed};

const GWEI: u128 = 1_000_000_000;

/// Code whose creation leaves `runtime` behind: PUSH len, DUP, PUSH 11, PUSH 0, CODECOPY, PUSH 0, RETURN.
pub fn creation(runtime: &str) -> Vec<u8> {
    let runtime = hex::decode(runtime).unwrap();
    let mut code = hex::decode("600080600b6000396000f3").unwrap();
    code[1] = runtime.len() as u8;
    code.extend(runtime);
    code
}

pub fn words(words: &[u64]) -> Vec<u8> {
    words
        .iter()
        .flat_map(|word| U256::from(*word).to_be_bytes::<32>())
        .collect()
}

/// SSTORE(calldata[0], calldata[32]).
pub const STORE: &str = "60203560003555";
/// With 32 bytes of calldata: SELFDESTRUCT to them. Otherwise: SSTORE(0, NUMBER).
const MORTAL: &str = "36602014600c5743600055005b600035ff";
/// CREATE2 of calldata with salt 0, its address kept in slot 0.
const FACTORY: &str = "36600060003760003660006000f560005500";
/// CALLs the address in calldata[0] with the rest of calldata, and logs what it returns.
const PROXY: &str = "602036038060206000376000600082600060006000355af13d600060003e3d6000a000";
/// Jumps in a circle until the gas is gone.
const CIRCLE: &str = "5b600056";

/// Signs transactions with nonces counted here, so that both chains are given the same bytes.
pub struct Script {
    nonces: std::collections::BTreeMap<vidimus_core::Address, u64>,
    pub blocks: Vec<Vec<Signed>>,
}

impl Script {
    fn new() -> Self {
        Self {
            nonces: Default::default(),
            blocks: Vec::new(),
        }
    }
    fn fields(&mut self, from: &Account, to: Option<vidimus_core::Address>, data: Vec<u8>) -> Fields {
        let nonce = self.nonces.entry(from.address).or_default();
        *nonce += 1;
        Fields {
            chain_id: DEFAULT_CHAIN_ID,
            nonce: *nonce - 1,
            gas_limit: 3_000_000,
            max_fee: 100 * GWEI,
            priority_fee: 2 * GWEI,
            to,
            value: 0,
            data,
        }
    }
    fn sign(&mut self, from: &Account, fields: Fields) -> Signed {
        fields.prepare().sign_with_secret(from.secret()).unwrap()
    }
    /// A block of one transaction.
    fn one(&mut self, from: &Account, to: Option<vidimus_core::Address>, data: Vec<u8>) {
        let fields = self.fields(from, to, data);
        let signed = self.sign(from, fields);
        self.blocks.push(vec![signed]);
    }
    fn with(
        &mut self,
        from: &Account,
        to: Option<vidimus_core::Address>,
        data: Vec<u8>,
        change: impl FnOnce(&mut Fields),
    ) {
        let mut fields = self.fields(from, to, data);
        change(&mut fields);
        let signed = self.sign(from, fields);
        self.blocks.push(vec![signed]);
    }
    fn create(&mut self, from: &Account, code: Vec<u8>) -> vidimus_core::Address {
        let address = address_created(from.address, *self.nonces.get(&from.address).unwrap_or(&0));
        self.one(from, None, code);
        address
    }
    /// Other kinds of transactions than EIP-1559.
    fn other_kind(&mut self, from: &Account, to: Address, access_list: bool) {
        use alloy::consensus::{SignableTransaction, TxEip2930, TxEnvelope, TxLegacy};
        use alloy::eips::eip2718::Encodable2718;
        use alloy::eips::eip2930::{AccessList, AccessListItem};
        use alloy::signers::{SignerSync, local::PrivateKeySigner};
        let fields = self.fields(from, None, words(&[5, 6]));
        let key = PrivateKeySigner::from_slice(from.secret()).unwrap();
        let envelope: TxEnvelope = if access_list {
            let item = AccessListItem {
                address: to,
                storage_keys: vec![B256::with_last_byte(5)],
            };
            let tx = TxEip2930 {
                chain_id: fields.chain_id,
                nonce: fields.nonce,
                gas_price: fields.max_fee,
                gas_limit: fields.gas_limit,
                to: to.into(),
                input: fields.data.into(),
                access_list: AccessList(vec![item]),
                ..Default::default()
            };
            let signature = key.sign_hash_sync(&tx.signature_hash()).unwrap();
            tx.into_signed(signature).into()
        } else {
            let tx = TxLegacy {
                chain_id: Some(fields.chain_id),
                nonce: fields.nonce,
                gas_price: fields.max_fee,
                gas_limit: fields.gas_limit,
                to: to.into(),
                input: fields.data.into(),
                ..Default::default()
            };
            let signature = key.sign_hash_sync(&tx.signature_hash()).unwrap();
            tx.into_signed(signature).into()
        };
        let signed = vidimus_ledger::transaction::inspect(&envelope.encoded_2718()).unwrap();
        self.blocks.push(vec![signed]);
    }
}

fn signature(account: &Account, hash: &[u8; 32]) -> [u8; 65] {
    use alloy::signers::{SignerSync, local::PrivateKeySigner};
    let key = PrivateKeySigner::from_slice(account.secret()).unwrap();
    key.sign_hash_sync(&B256::new(*hash)).unwrap().as_bytes()
}

/// The blocks, and the accounts to look at afterwards.
pub fn script() -> (Script, Vec<vidimus_core::Address>) {
    let mut s = Script::new();
    let [authority, a, b, c] = Chain::accounts();
    // Vidimus's contracts: success, reverts, logs, ecrecover.
    let mut addresses = Vec::new();
    for contract in Contract::ALL {
        addresses.push(s.create(&authority, contract.creation_code(authority.address)));
    }
    let [registry_at, _, dids_at, anchors_at] = addresses[..] else {
        unreachable!()
    };
    let names = ["sars-cov-2-test".to_owned(), "recovery".to_owned()];
    let keys = Keys {
        p256_x: [1; 32],
        p256_y: [2; 32],
        x25519: [3; 32],
        certificate: [4; 32],
    };
    let approve = issuers::approve(a.address, vidimus_core::Digest([9; 32]), &keys, &names);
    s.one(&b, Some(registry_at), approve.clone());
    s.one(&authority, Some(registry_at), approve);
    s.one(&authority, Some(registry_at), registry::suspend(a.address, "audit"));
    s.one(&authority, Some(registry_at), registry::resume(a.address));
    s.one(
        &authority,
        Some(registry_at),
        registry::rotate_keys(a.address, &Keys::default()),
    );
    s.one(&authority, Some(registry_at), issuers::withdraw(a.address, &names[1..]));
    s.one(&authority, Some(registry_at), registry::revoke(a.address, "fraud"));
    s.one(&authority, Some(anchors_at), anchors::set_anchorer(a.address, true));
    let root = vidimus_core::Digest([0xaa; 32]);
    s.one(&a, Some(anchors_at), anchors::anchor(root, 1000));
    s.one(&a, Some(anchors_at), anchors::anchor(root, 1000));
    let set = Change::SetAttribute {
        name: [b'n'; 32],
        value: vec![7; 70],
        validity: 100,
    };
    s.one(&b, Some(dids_at), set.calldata(b.address));
    let sealed = set.signed_calldata(b.address, &signature(&b, &set.hash(dids_at, 0, b.address)));
    s.one(&c, Some(dids_at), sealed.clone());
    s.one(&c, Some(dids_at), sealed);
    // Plain transfers: to a newcomer, to oneself, to the coinbase, of nothing to nobody, to a precompile.
    let coinbase = vidimus_core::Address([0xcb; 20]);
    for (to, value) in [
        (vidimus_core::Address([0x44; 20]), 5),
        (a.address, 6),
        (coinbase, 7),
        (vidimus_core::Address([0x45; 20]), 0),
        (vidimus_core::Address([0; 20]), 1),
        (vidimus_core::Address(Address::with_last_byte(4).into_array()), 3),
    ] {
        s.with(&a, Some(to), Vec::new(), |fields| fields.value = value);
    }
    // Storage: set, change, clear (refunds), clear again.
    let store = s.create(&a, creation(STORE));
    for (slot, value) in [(1, 5), (1, 6), (2, 7), (1, 0), (1, 0), (3, 0), (2, 0), (1, 9)] {
        s.one(&a, Some(store), words(&[slot, value]));
    }
    s.other_kind(&b, Address::from(store.0), false);
    s.other_kind(&b, Address::from(store.0), true);
    // Self-destruction: with storage and balance, to another and to itself; made again at the same address by CREATE2.
    let heir = u64::from_be_bytes([0, 0, 0, 0, 0, 0, 0x77, 0x77]);
    let mortal = s.create(&b, creation(MORTAL));
    s.with(&b, Some(mortal), Vec::new(), |fields| fields.value = 0);
    s.with(&b, Some(mortal), vec![0; 1], |fields| fields.value = 12);
    s.with(&b, Some(mortal), words(&[heir]), |fields| fields.value = 30);
    s.one(&b, Some(mortal), Vec::new());
    let factory = s.create(&c, creation(FACTORY));
    let child_code = creation(MORTAL);
    let child = Address::from(factory.0).create2_from_code(B256::ZERO, &child_code);
    let child = vidimus_core::Address(child.into_array());
    s.one(&c, Some(factory), child_code.clone());
    s.one(&c, Some(child), Vec::new());
    s.one(&c, Some(factory), child_code.clone());
    s.one(&c, Some(child), words(&[heir]));
    s.one(&c, Some(factory), child_code.clone());
    s.one(&c, Some(child), Vec::new());
    // In one block: die and be born again.
    let die = s.fields(&c, Some(child), words(&[heir]));
    let rebirth = s.fields(&c, Some(factory), child_code);
    let block = vec![s.sign(&c, die), s.sign(&c, rebirth)];
    s.blocks.push(block);
    // Precompiles, through a contract that logs what they return.
    let proxy = s.create(&a, creation(PROXY));
    let call = |to: u64, input: &[u8]| [words(&[to]), input.to_vec()].concat();
    let hash = [0x11; 32];
    let sig = signature(&a, &hash);
    let recover = [&hash[..], &words(&[u64::from(sig[64])]), &sig[..64]].concat();
    s.one(&a, Some(proxy), call(1, &recover));
    for precompile in 2..=4 {
        s.one(&a, Some(proxy), call(precompile, b"the same bytes for all three"));
    }
    s.one(&a, Some(proxy), call(5, &[words(&[1, 1, 1]), vec![3, 5, 7]].concat()));
    s.one(&a, Some(proxy), call(6, &words(&[1, 2, 1, 2])));
    s.one(&a, Some(proxy), call(7, &words(&[1, 2, 9])));
    s.one(&a, Some(proxy), call(8, &[]));
    let mut blake = vec![0; 213];
    blake[3] = 12;
    blake[212] = 1;
    s.one(&a, Some(proxy), call(9, &blake));
    s.one(&a, Some(proxy), call(8, &words(&[1, 1, 1])));
    // A call within that reverts, and one that runs out of gas.
    let anchors_word = U256::from_be_slice(&anchors_at.0).to_be_bytes::<32>().to_vec();
    s.one(&a, Some(proxy), [anchors_word, anchors::anchor(root, 1)].concat());
    let circle = s.create(&a, creation(CIRCLE));
    s.with(&a, Some(circle), Vec::new(), |fields| fields.gas_limit = 100_000);
    let circle_word = U256::from_be_slice(&circle.0).to_be_bytes::<32>().to_vec();
    s.with(&a, Some(proxy), circle_word, |fields| fields.gas_limit = 200_000);
    // Creations that fail: a revert, code that begins with 0xEF (EIP-3541), gas that is short; and one with value.
    s.one(&b, None, hex::decode("60006000fd").unwrap());
    s.one(&b, None, hex::decode("60ef60005360016000f3").unwrap());
    s.with(&b, None, creation(STORE), |fields| fields.gas_limit = 53_600);
    s.with(&b, None, creation(MORTAL), |fields| fields.value = 77);
    s.one(&b, None, Vec::new());
    // Fees: no tip, all of the fee as tip, much calldata.
    s.with(&c, Some(a.address), Vec::new(), |fields| fields.priority_fee = 0);
    s.with(&c, Some(a.address), Vec::new(), |fields| {
        fields.priority_fee = fields.max_fee
    });
    s.one(&c, Some(a.address), vec![0xfe; 20_000]);
    s.one(&c, Some(a.address), vec![0; 20_000]);
    // Full blocks, so that the base fee rises, then emptier ones.
    for _ in 0..3 {
        s.with(&c, Some(circle), Vec::new(), |fields| fields.gas_limit = 25_000_000);
    }
    // Blocks of many transactions, of several senders; slots set and cleared in a fixed disorder.
    let mut seed = 12_345_u64;
    let mut next = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..12 {
        let mut block = Vec::new();
        for sender in [&a, &b, &c] {
            for _ in 0..next(9) {
                let value = if next(3) == 0 { 0 } else { next(1 << 40) };
                let fields = s.fields(sender, Some(store), words(&[next(40), value]));
                block.push(s.sign(sender, fields));
            }
        }
        s.blocks.push(block);
    }
    let watched = [addresses, vec![store, mortal, factory, child, proxy, circle, coinbase]].concat();
    (s, watched)
}
