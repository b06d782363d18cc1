//! Checks against the raw signature, `ssi`'s signature layer and npm did-jwt-vc, measured in turn. One thread.

// The world that the vectors of the check play in.
#[path = "../known.rs"]
mod known;
#[allow(dead_code, unused_imports, reason = "the vectors use all of it")]
#[path = "../../../crates/credential/tests/credential/check/world/mod.rs"]
mod world;

use aws_lc_rs::{digest, signature};
use serde_json::{Value, json};
use std::{
    hint::black_box,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};
use vidimus_bench::{Subject, in_turn, row, slice};
use vidimus_core::{
    Algorithm, Commitment, Provider, PublicKey, Receipt, Salt, Signer,
    merkle::Tree,
    receipt::{Anchor, BlockHash},
};
use vidimus_credential::{
    category::Categories,
    check::{self, Context, Envelope, Policy, Root, Roots},
    format::{self, vc_jwt::Version},
};
use world::{LABS, PROVIDER, Setup};

const BATCH: u64 = 1 << 17;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let slice = slice();
    for algorithm in [Algorithm::Es256, Algorithm::Es256k] {
        compare(algorithm, slice);
    }
}

fn compare(algorithm: Algorithm, slice: Duration) {
    let lab = &LABS.lab;
    let key = if algorithm == Algorithm::Es256 {
        &lab.keys[1].0
    } else {
        &lab.account
    };
    let mut statement = world::statement(lab);
    statement.holder = None;
    let copy = world::vc(&statement, Version::V1_1, algorithm, key);
    let setup = Setup::new();
    let provider = &*PROVIDER;

    let registry = known::registry(&setup, lab);
    let status = known::status_lists(&setup);
    let (envelope, root) = deep_receipt(&copy, statement.issued_at.plus(60));
    let anchors = setup.anchors.clone().expect("the world's anchors");
    let roots = Roots::new(
        anchors.chain_id,
        anchors.contract,
        anchors.block_number,
        anchors.read_at,
        [root],
    );
    let categories = Categories::built_in();
    let context = Context {
        now: setup.now,
        provider,
        categories: &categories,
        registry: Some(&registry),
        status: &status,
        roots: Some(&roots),
        trust: None,
        policy: Policy::default(),
        expected: None,
    };
    let with_receipt = serde_json::to_vec(&envelope).expect("an envelope serialises");
    let report = check::check_bytes(&with_receipt, &context);
    assert_eq!(report.verdict, check::Verdict::Valid, "{:?}", report.reasons());

    let parsed = format::parse(&copy).expect("our copy");
    let (message, raw_signature) = (parsed.message.clone(), parsed.signature.clone());
    let public = key.public_key().clone();
    let jwk: ssi_jwk::JWK = serde_json::from_value(public.to_jwk().expect("a JWK")).expect("a JWK");
    assert!(ssi_jws::decode_verify(&copy, &jwk).is_ok(), "ssi verifies it");

    let mut subjects = vec![
        raw(&public, message, raw_signature),
        Subject::new("check", || {
            black_box(check::check_bytes(copy.as_bytes(), &context));
        }),
        Subject::new("check with receipt", || {
            black_box(check::check_bytes(&with_receipt, &context));
        }),
        Subject::new("ssi", || {
            black_box(ssi_jws::decode_verify(&copy, &jwk).is_ok());
        }),
    ];
    let rates = in_turn(&mut subjects, 5, slice);
    let [raw, bare, receipt, ssi] = rates[..] else {
        unreachable!("four subjects")
    };
    let npm = did_jwt_vc(
        &copy,
        &statement.issuer,
        &public,
        setup.now.0,
        (slice.as_secs_f64() * 5.0).max(1.0),
    );
    let rates = Rates {
        raw,
        bare,
        receipt,
        ssi,
        npm,
    };
    rates.print(algorithm);
}

/// Operations a second.
struct Rates {
    raw: f64,
    bare: f64,
    receipt: f64,
    ssi: f64,
    npm: Option<f64>,
}

impl Rates {
    fn print(&self, algorithm: Algorithm) {
        let (name, is_es256) = (algorithm.name(), algorithm == Algorithm::Es256);
        let Self {
            raw,
            bare,
            receipt,
            ssi,
            npm,
        } = *self;
        println!();
        row(
            &format!("{name}: raw verification, operations/s"),
            None,
            raw,
            "aws-lc-rs / libsecp256k1, key parsed once",
        );
        row(
            &format!("{name}: check (signature, registry, status), operations/s"),
            None,
            bare,
            "",
        );
        row(
            &format!("{name}: check with receipt, operations/s"),
            None,
            receipt,
            "proof of 17 levels",
        );
        row(&format!("{name}: check : raw"), Some(('>', 0.90)), bare / raw, "");
        row(
            &format!("{name}: check with receipt : raw"),
            Some(('>', if is_es256 { 0.80 } else { 0.75 })),
            receipt / raw,
            "",
        );
        row(
            &format!("{name}: check : ssi"),
            Some(('>', if is_es256 { 8.0 } else { 2.0 })),
            bare / ssi,
            "ssi 0.16's JWS layer alone: signature only",
        );
        row(&format!("{name}: check with receipt : ssi"), None, receipt / ssi, "");
        match npm {
            Some(npm) => row(
                &format!("{name}: check : did-jwt-vc"),
                Some(('>', 50.0)),
                bare / npm,
                &format!("did-jwt-vc {npm:.0}/s, keys at hand"),
            ),
            None => println!("SKIPPED: did-jwt-vc (npm ci in e2e)"),
        }
    }
}

fn raw<'a>(public: &'a PublicKey, message: Vec<u8>, raw_signature: Vec<u8>) -> Subject<'a> {
    match public {
        PublicKey::P256(point) => {
            let key = signature::ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).expect("a key");
            Subject::new("raw", move || {
                key.verify_sig(&message, &raw_signature).expect("it verifies")
            })
        }
        key => {
            let key = secp256k1::PublicKey::from_slice(key.as_bytes()).expect("a key");
            Subject::new("raw", move || {
                let hash = digest::digest(&digest::SHA256, &message);
                let message = secp256k1::Message::from_digest(hash.as_ref().try_into().expect("32 bytes"));
                let signature = secp256k1::ecdsa::Signature::from_compact(&raw_signature).expect("a signature");
                secp256k1::SECP256K1
                    .verify_ecdsa(message, &signature, &key)
                    .expect("it verifies");
            })
        }
    }
}

/// The copy among 131 072.
fn deep_receipt(copy: &str, time: vidimus_core::Timestamp) -> (Envelope, Root) {
    let provider = &*PROVIDER;
    let digest = world::digest_of(copy);
    let salt = Salt::from_bytes([7; 32]);
    let own = Commitment::derive(provider, &salt, &digest);
    let mut entries: Vec<_> = (0..BATCH - 1)
        .map(|n| Commitment::from_bytes(provider.sha256(&[&n.to_be_bytes()]).0))
        .collect();
    entries.insert(4_711, own);
    let tree = Tree::build(provider, &entries);
    let anchor = Anchor {
        chain_id: world::CHAIN,
        contract: world::ANCHORS,
        root: tree.root(),
        transaction: BlockHash([0xa7; 32]),
        block_number: 800,
        block_hash: BlockHash([0xb0; 32]),
        time,
    };
    let receipt = Receipt {
        version: 1,
        proof: tree.prove(4_711).expect("it is there"),
        anchor: anchor.clone(),
    };
    (
        Envelope {
            salt: Some(salt),
            receipt: Some(receipt),
            ..Envelope::new(copy)
        },
        Root { anchor, size: BATCH },
    )
}

fn did_jwt_vc(copy: &str, did: &str, public: &PublicKey, now: i64, seconds: f64) -> Option<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/did-jwt-vc.mjs");
    let method = json!({"id": format!("{did}#controller"), "type": "JsonWebKey2020", "controller": did, "publicKeyJwk": public.to_jwk()?});
    let document = json!({"id": did, "verificationMethod": [method], "assertionMethod": [format!("{did}#controller")],
        "authentication": [format!("{did}#controller")]});
    let input: Value = json!({"jwt": copy, "document": document, "now": now, "seconds": seconds});
    let mut child = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(input.to_string().as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
