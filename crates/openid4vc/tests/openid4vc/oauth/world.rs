//! Who takes part: a health authority with an issuer, a wallet's provider, and wallets.

use vidimus_core::{Algorithm, Entropy, PublicKey, Signer, Timestamp};
use vidimus_credential::x509::Certificate;
use vidimus_crypto::{
    KeyKind, SigningKey,
    ca::{Authority, Subject, Validity},
};
use vidimus_openid4vc::oauth::Identifier;

pub const NOW: Timestamp = Timestamp(1_772_352_900);
pub const ISSUER: &str = "https://health.example/issuer";

pub fn issuer() -> Identifier {
    Identifier::new(ISSUER).unwrap()
}

/// Repeatable bytes that look random enough for keys and nonces.
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

pub fn key(seed: u64) -> SigningKey {
    SigningKey::generate(KeyKind::P256, &mut Seeded(seed))
}

pub const ES256: &[Algorithm] = &[Algorithm::Es256];

/// Replaces a part of a compact JWS's JSON and signs it again with `signer`; `part` is 0 for the header, 1 for the payload.
pub fn altered(
    token: &str,
    signer: &dyn Signer,
    change: impl Fn(&mut serde_json::Value, &mut serde_json::Value),
) -> String {
    use vidimus_core::encoding::{base64url, from_base64url};
    let parts: Vec<&str> = token.split('.').collect();
    let json = |part: &str| serde_json::from_slice(&from_base64url(part).unwrap()).unwrap();
    let (mut header, mut payload) = (json(parts[0]), json(parts[1]));
    change(&mut header, &mut payload);
    let message = format!(
        "{}.{}",
        base64url(header.to_string().as_bytes()),
        base64url(payload.to_string().as_bytes())
    );
    let signature = signer.sign(signer.algorithms()[0], message.as_bytes()).unwrap();
    format!("{message}.{}", base64url(&signature))
}

/// A certificate authority that signs attesters' certificates.
pub struct Attester {
    pub root: Certificate,
    pub key: SigningKey,
    pub chain: Vec<Vec<u8>>,
}

impl Attester {
    pub fn new(seed: u64) -> Self {
        Self::certified(seed, |authority, key, subject, entropy| {
            authority
                .issue_status_signer(key, subject, VALIDITY, NOW, entropy)
                .unwrap()
        })
    }

    /// Under the same root, for another purpose.
    pub fn for_verifiers(seed: u64) -> Self {
        Self::certified(seed, |authority, key, subject, entropy| {
            let hosts = ["verifier.example".to_owned()];
            authority
                .issue_access(key, subject, &hosts, &[], VALIDITY, NOW, entropy)
                .unwrap()
        })
    }

    /// Under a root of its own, for nothing that it names.
    pub fn for_nothing_named(seed: u64) -> Self {
        struct Point([u8; 65]);
        impl rcgen::PublicKeyData for Point {
            fn der_bytes(&self) -> &[u8] {
                &self.0
            }
            fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
                &rcgen::PKCS_ECDSA_P256_SHA256
            }
        }
        let named = |name: &str, is_ca| {
            let mut params = rcgen::CertificateParams::default();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params.is_ca = is_ca;
            params
        };
        let authority = named("Root", rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
        let root = rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap()).unwrap();
        let signer = key(seed);
        let PublicKey::P256(point) = *signer.public_key() else {
            unreachable!("it is made as such")
        };
        let leaf = named("Leaf", rcgen::IsCa::ExplicitNoCa).signed_by(&Point(point), &root);
        Self {
            root: Certificate::from_der(root.der()).unwrap(),
            key: signer,
            chain: vec![leaf.unwrap().der().to_vec()],
        }
    }

    fn certified(seed: u64, issue: impl Fn(&Authority, &PublicKey, &Subject, &mut Seeded) -> Vec<u8>) -> Self {
        let subject = |name: &str| Subject {
            common_name: name.into(),
            organization: None,
            country: Some("AT".into()),
        };
        let entropy = &mut Seeded(seed + 500);
        let authority = Authority::create(key(seed), subject(&format!("Attesters {seed}")), VALIDITY, entropy).unwrap();
        let signer = key(seed + 1);
        let leaf = issue(&authority, signer.public_key(), &subject("Wallet provider"), entropy);
        Self {
            root: Certificate::from_der(authority.certificate()).unwrap(),
            key: signer,
            chain: vec![leaf],
        }
    }
}

const VALIDITY: Validity = Validity {
    not_before: Timestamp(NOW.0 - 86_400),
    not_after: Timestamp(NOW.0 + 365 * 86_400),
};
