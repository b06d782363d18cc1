//! Status lists and trust lists.

use super::*;
use std::io::Write;
use vidimus_core::encoding::from_base64url;

pub fn bits() -> Bits {
    let mut bits = Bits::new(131_072).unwrap();
    bits.set(REVOKED, Status::Revoked).unwrap();
    bits.set(SUSPENDED, Status::Suspended).unwrap();
    bits
}

/// The token list as `deployment` signs it.
pub fn token_list_of(
    deployment: &Deployment,
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    ttl: Option<u64>,
) -> List {
    let x5c = [deployment.lists_certificate.clone()];
    token_list_with(&deployment.lists, &x5c, TOKEN_LIST, issued_at, expires_at, ttl)
}

pub fn token_list_with(
    key: &TestKey,
    x5c: &[Vec<u8>],
    uri: &str,
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    ttl: Option<u64>,
) -> List {
    let terms = token_list::Terms {
        uri: uri.to_owned(),
        issued_at,
        expires_at,
        ttl,
    };
    let header = SigningHeader {
        algorithm: Algorithm::Es256,
        kid: None,
        x5c,
    };
    let unsigned = token_list::prepare(&bits(), &terms, &header).unwrap();
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    List {
        uri: TOKEN_LIST.to_owned(),
        kind: ListKind::Token,
        token: unsigned.finish(&signature),
    }
}

pub fn bitstring_list(purpose: bitstring::Purpose) -> List {
    let uri = match purpose {
        bitstring::Purpose::Revocation => REVOCATION_LIST,
        bitstring::Purpose::Suspension => SUSPENSION_LIST,
    };
    let terms = bitstring::Terms {
        uri: uri.to_owned(),
        issuer: did(&Address([0xaa; 20])),
        valid_from: now().plus(-600),
        valid_until: None,
        ttl: None,
    };
    let x5c = [DEPLOYMENT.lists_certificate.clone()];
    let header = SigningHeader {
        algorithm: Algorithm::Es256,
        kid: None,
        x5c: &x5c,
    };
    let unsigned: jws::Unsigned = bitstring::prepare(&bits(), purpose, &terms, &header).unwrap();
    let signature = DEPLOYMENT.lists.sign(Algorithm::Es256, unsigned.message()).unwrap();
    List {
        uri: uri.to_owned(),
        kind: ListKind::Bitstring,
        token: unsigned.finish(&signature),
    }
}

/// A megabyte more of zeros than a list may unfold to.
const BOMB: usize = 17 << 20;

/// A token list that is a bomb, and otherwise as it should be.
pub fn token_bomb() -> List {
    let mut list = token_list_of(&DEPLOYMENT, now().plus(-600), None, None);
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; BOMB]).unwrap();
    let lst = base64url(&encoder.finish().unwrap());
    list.token = list_with(&list.token, |claims| claims["status_list"]["lst"] = lst.into());
    list
}

/// A list of revocations that is a bomb, and otherwise as it should be.
pub fn bitstring_bomb() -> List {
    let mut list = bitstring_list(bitstring::Purpose::Revocation);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; BOMB]).unwrap();
    let encoded = format!("u{}", base64url(&encoder.finish().unwrap()));
    list.token = list_with(&list.token, |claims| {
        claims["credentialSubject"]["encodedList"] = encoded.into();
    });
    list
}

/// The list with other claims, signed again.
fn list_with(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut parts = token.split('.');
    let header = parts.next().unwrap();
    let mut claims = serde_json::from_slice(&from_base64url(parts.next().unwrap()).unwrap()).unwrap();
    change(&mut claims);
    let message = format!("{header}.{}", base64url(claims.to_string().as_bytes()));
    let signature = DEPLOYMENT.lists.sign(Algorithm::Es256, message.as_bytes()).unwrap();
    format!("{message}.{}", base64url(&signature))
}

/// A foreign country's document signer, and a trust list with it.
pub fn foreign() -> (TestKey, Vec<u8>, Value) {
    let key = TestKey::p256("foreign");
    let der = OTHER.certify(&key, ALL, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    let list = json!({"certificates": [{
        "certificateType": "DSC", "country": "FR", "kid": base64(&kid(&der)), "rawData": base64(&der),
    }]});
    (key, der, list)
}

/// An HCERT of that document signer which names its place in a status list, and the trust list with the signer.
pub fn foreign_with_status(list: &str, index: u64) -> (Value, String) {
    let (key, der, trust_list) = foreign();
    let mut content = hcert_content(&statement(&LABS.lab));
    content.status = Some(StatusReference {
        token_list: list.to_owned(),
        bitstring_list: None,
        suspension_list: None,
        index,
    });
    (trust_list, hcert_of(&content, kid(&der), &key))
}
