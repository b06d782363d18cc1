//! SD-JWT VCs: made by laboratories, shown by travellers.

use super::*;
use vidimus_credential::{
    category::{Categories, Category},
    format::sd_jwt_vc::{self, Terms, issuer_metadata::Key, type_metadata},
    sd_jwt::{ClaimPath, SdJwt, key_binding},
};

pub const PUBLIC: &str = "https://health.example";
pub const ISSUER: &str = "https://health.example/issuers/lab";

/// Issuers of somebody else's SD-JWT VCs that a check trusts, and what is known of their status.
#[derive(Clone, Default)]
pub struct Issuers {
    /// Authorities, and issuers by certificate, as DER.
    pub authorities: Vec<Vec<u8>>,
    /// Keys by `iss`.
    pub keys: Vec<(String, Vec<Key>)>,
    /// Certificates of who signs status lists, as DER.
    pub status_signers: Vec<Vec<u8>>,
    /// Keys of who signs status lists.
    pub status_keys: Vec<Key>,
    /// What was fetched where, when.
    pub lists: Vec<(String, String, Timestamp)>,
}

pub fn category_of(statement: &Statement) -> std::sync::Arc<Category> {
    Categories::built_in().category(&statement.category).unwrap().clone()
}

/// A copy as its holder gets it, for the key `holder`, signed with the P-256 key of `lab`'s `version`.
pub fn sd_jwt_of(statement: &Statement, lab: &Lab, version: usize, holder: &TestKey) -> String {
    let category = category_of(statement);
    let vct = sd_jwt_vc::type_url(PUBLIC, &statement.category);
    let integrity = type_metadata::integrity(&type_metadata::document(&category, &vct), &*PROVIDER);
    let (key, certificate) = &lab.keys[version - 1];
    let terms = Terms {
        issuer: ISSUER,
        vct: &vct,
        integrity: &integrity,
        holder: holder.public_key(),
        kid: None,
        chain: std::slice::from_ref(certificate),
    };
    let seed = format!("{}-{}", statement.id, holder.name);
    let unsigned = sd_jwt_vc::prepare(statement, &category, &terms, &*PROVIDER, &mut Seeded::new(&seed)).unwrap();
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

/// The copy of the day, for the traveller.
pub fn sd_jwt(lab: &Lab) -> String {
    sd_jwt_of(&statement(lab), lab, lab.keys.len(), &TRAVELLER.p256)
}

/// The copy with the disclosures that it takes to show these claims: `result` is the category's, `/birthdate` stands at the top.
pub fn showing(copy: &str, claims: &[&str]) -> String {
    let path = |name: &&str| match name.strip_prefix('/') {
        Some(name) => ClaimPath::of([name]),
        None => ClaimPath::of(["claims", name]),
    };
    let paths: Vec<_> = claims.iter().map(path).collect();
    let read = SdJwt::parse(copy).unwrap();
    let processed = read.process(&*PROVIDER).unwrap();
    read.present(&processed.choose(&paths).unwrap())
}

/// With a key binding.
pub struct Binding<'a> {
    pub audience: String,
    pub nonce: String,
    pub issued_at: Timestamp,
    pub key: &'a TestKey,
}

impl Default for Binding<'_> {
    fn default() -> Self {
        let Expected { nonce, audience, .. } = request();
        Self {
            audience,
            nonce,
            issued_at: now().plus(-20),
            key: &TRAVELLER.p256,
        }
    }
}

impl Binding<'_> {
    pub fn bind(&self, presented: &str) -> String {
        let draft = key_binding::Draft {
            audience: &self.audience,
            nonce: &self.nonce,
            issued_at: self.issued_at,
            more: serde_json::Map::new(),
        };
        let unsigned = draft.prepare(presented.to_owned(), Algorithm::Es256, &*PROVIDER);
        let signature = self.key.sign(Algorithm::Es256, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }
}

/// A counter-signature by the key of a copy.
pub fn countersign_by(key: &TestKey, copy: &str) -> String {
    let (digest, time) = (digest_of(copy), at("2026-03-01T10:00:00Z"));
    let unsigned = countersign::prepare_by_key(key.public_key(), &digest, time, &*PROVIDER).unwrap();
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}
