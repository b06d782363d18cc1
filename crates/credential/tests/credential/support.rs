//! What every module here needs: keys from a seed, and a statement to sign.

use serde_json::{Value, json};
use std::{
    io::Write,
    path::{Path, PathBuf},
};
use vidimus_core::{Algorithm, Entropy, PublicKey, Signer, Timestamp, id::CopyId};
use vidimus_credential::{CategoryId, Person, Statement, StatusReference};
use vidimus_crypto::{KeyKind, SigningKey};

pub const NOW: Timestamp = Timestamp(1_772_352_900);

/// Foreign data beside the checkout, unless `VIDIMUS_FOREIGN` says where it is.
const FOREIGN_BESIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/foreign");

/// A line of its own for whoever reads the run: the harness drops what a passed test prints, but not what is written to standard error
/// itself.
pub fn tell(line: &str) {
    let line = format!("\n{line}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The EU's test data (`eu-digital-green-certificates/dgc-testdata`), which is no part of this repository: each file, by its name. Where
/// it is not there the test is skipped.
pub fn dgc_testdata() -> Option<Vec<(String, Value)>> {
    let foreign = std::env::var_os("VIDIMUS_FOREIGN").map_or_else(|| FOREIGN_BESIDE.into(), PathBuf::from);
    let root = foreign.join("dgc-testdata");
    if !root.is_dir() {
        tell("SKIPPED: foreign data: no dgc-testdata; set VIDIMUS_FOREIGN to the folder that holds it");
        return None;
    }
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    files.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(files.len() > 100, "{} holds only {} files", root.display(), files.len());
    Some(files)
}

fn collect(root: &Path, folder: &Path, into: &mut Vec<(String, Value)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, into);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let file = serde_json::from_slice(&std::fs::read(&path).unwrap()).expect(&name);
            into.push((name, file));
        }
    }
}

/// Repeatable bytes that look random enough for keys and serial numbers.
pub struct Seeded(pub u64);

impl Entropy for Seeded {
    fn fill(&mut self, into: &mut [u8]) {
        for byte in into {
            // SplitMix64.
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)) as u8;
        }
    }
}

pub fn key(kind: KeyKind, seed: u64) -> SigningKey {
    SigningKey::generate(kind, &mut Seeded(seed))
}

/// Each algorithm that is issued with, and a key for it.
pub fn keys() -> Vec<(Algorithm, SigningKey)> {
    [
        (Algorithm::Es256, KeyKind::P256),
        (Algorithm::Es256k, KeyKind::Secp256k1),
        (Algorithm::Es256kR, KeyKind::Secp256k1),
        (Algorithm::EdDsa, KeyKind::Ed25519),
    ]
    .map(|(algorithm, kind)| (algorithm, key(kind, 7)))
    .into()
}

pub fn public(key: &SigningKey) -> PublicKey {
    key.public_key().clone()
}

pub fn statement() -> Statement {
    Statement {
        id: CopyId::generate(&mut Seeded(1)),
        category: CategoryId::new("sars-cov-2-naat").unwrap(),
        issuer: "did:ethr:0x56494d:0x00112233445566778899aabbccddeeff00112233".into(),
        issuer_country: "AT".into(),
        holder: Some("did:ethr:0x56494d:0xffeeddccbbaa99887766554433221100ffeeddcc".into()),
        person: Person {
            family_name: "Musterfrau-Gößinger".into(),
            given_name: "Gabriele".into(),
            family_name_transliterated: "MUSTERFRAU<GOESSINGER".into(),
            given_name_transliterated: "GABRIELE".into(),
            birth_date: "1998-02-26".into(),
        },
        claims: json!({"result": "260415000", "sampled_at": "2026-03-01T06:00:00Z", "level": 1.5, "n": -3})
            .as_object()
            .unwrap()
            .clone(),
        issued_at: NOW,
        valid_from: NOW.plus(-3600),
        valid_until: NOW.plus(72 * 3600),
        status: Some(StatusReference {
            token_list: "https://health.example/status/1".into(),
            bitstring_list: Some("https://health.example/status/1/revocation".into()),
            suspension_list: Some("https://health.example/status/1/suspension".into()),
            index: 90_001,
        }),
    }
}
