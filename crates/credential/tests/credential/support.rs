//! What every module here needs: keys from a seed, and a statement to sign.

use serde_json::json;
use vidimus_core::{Algorithm, Entropy, PublicKey, Signer, Timestamp, id::CopyId};
use vidimus_credential::{CategoryId, Person, Statement, StatusReference};
use vidimus_crypto::{KeyKind, SigningKey};

pub const NOW: Timestamp = Timestamp(1_772_352_900);

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
