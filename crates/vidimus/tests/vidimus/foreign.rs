//! Another country, whose certificates an airline here checks: an authority, an issuer, and who signs its status lists.

use serde_json::{Value, json};
use vidimus::clock::SystemClock;
use vidimus_core::{
    Algorithm, Signer, Timestamp,
    encoding::{base64, base64url},
    time::Clock,
};
use vidimus_credential::{
    status::{Bits, SigningHeader, Status, token_list},
    x509::Certificate,
};
use vidimus_crypto::{
    KeyKind, OsEntropy, SigningKey,
    ca::{Authority, DocumentGroup, Subject, Validity},
};

const DAY: i64 = 86_400;
/// A place in its lists that is revoked.
pub const REVOKED: u64 = 7;

pub fn now() -> Timestamp {
    SystemClock.now()
}

/// The country.
pub struct Country {
    pub authority: Vec<u8>,
    pub issuer: (SigningKey, Vec<u8>),
    pub lists: (SigningKey, Vec<u8>),
}

impl Country {
    pub fn new() -> Self {
        let entropy = &mut OsEntropy;
        let validity = Validity {
            not_before: now().plus(-30 * DAY),
            not_after: now().plus(300 * DAY),
        };
        let subject = |name: &str| Subject {
            common_name: name.to_owned(),
            organization: None,
            country: Some("FR".to_owned()),
        };
        let [root, issuer, lists] = [(); 3].map(|()| SigningKey::generate(KeyKind::P256, entropy));
        let authority = Authority::create(root, subject("Foreign root"), validity, entropy).unwrap();
        let groups = [DocumentGroup::Test];
        let issuer_certificate = authority
            .issue_document_signer(
                issuer.public_key(),
                &subject("Foreign issuer"),
                &groups,
                validity,
                now(),
                entropy,
            )
            .unwrap();
        let lists_certificate = authority
            .issue_status_signer(lists.public_key(), &subject("Foreign lists"), validity, now(), entropy)
            .unwrap();
        Self {
            authority: authority.certificate().to_vec(),
            issuer: (issuer, issuer_certificate),
            lists: (lists, lists_certificate),
        }
    }

    pub fn root_pem(&self) -> String {
        pem(&self.authority)
    }

    /// A residence permit that names this place in a list; it is bound to no key.
    pub fn permit(&self, list: &str, index: u64) -> String {
        self.permit_with(|claims| claims["status"] = json!({"status_list": {"idx": index, "uri": list}}))
    }

    pub fn permit_with(&self, change: impl FnOnce(&mut Value)) -> String {
        signed_permit(&self.issuer, change)
    }

    /// Its list, in which one place is revoked.
    pub fn list(&self, uri: &str, ttl: Option<u64>) -> String {
        list_by(&self.lists, uri, ttl, &[REVOKED])
    }
}

/// A permit by this key and certificate.
pub fn signed_permit((key, certificate): &(SigningKey, Vec<u8>), change: impl FnOnce(&mut Value)) -> String {
    let mut claims = json!({
        "iss": "https://office.example", "iat": now().plus(-60), "exp": now().plus(DAY), "vct": "https://office.example/permit",
        "family_name": "Gößinger", "level": 3,
    });
    change(&mut claims);
    let header = json!({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": [base64(certificate)]});
    let message = [header, claims]
        .map(|part| base64url(part.to_string().as_bytes()))
        .join(".");
    let signature = key.sign(Algorithm::Es256, message.as_bytes()).unwrap();
    format!("{message}.{}~", base64url(&signature))
}

/// A list by this key and certificate, with these places revoked.
pub fn list_by(signer: &(SigningKey, Vec<u8>), uri: &str, ttl: Option<u64>, revoked: &[u64]) -> String {
    list_of(signer, uri, ttl, revoked, 5)
}

/// The same, signed so many seconds ago.
pub fn list_of(
    (key, certificate): &(SigningKey, Vec<u8>),
    uri: &str,
    ttl: Option<u64>,
    revoked: &[u64],
    age: i64,
) -> String {
    let mut bits = Bits::new(131_072).unwrap();
    for place in revoked {
        bits.set(*place, Status::Revoked).unwrap();
    }
    let terms = token_list::Terms {
        uri: uri.to_owned(),
        issued_at: now().plus(-age),
        expires_at: Some(now().plus(DAY)),
        ttl,
    };
    let header = SigningHeader {
        algorithm: Algorithm::Es256,
        kid: None,
        x5c: std::slice::from_ref(certificate),
    };
    let unsigned = token_list::prepare(&bits, &terms, &header).unwrap();
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

pub fn pem(der: &[u8]) -> String {
    Certificate::from_der(der).unwrap().to_pem()
}
