//! The members of a trust list that are ours: issuers of SD-JWT VCs, and signers of status lists.

use super::{TrustList, TrustListError};
use crate::{
    format::sd_jwt_vc::issuer_metadata::{self, Key},
    x509,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use vidimus_core::encoding;

/// The most certificates, and the most issuers.
const MOST: usize = 1_000;
/// The most authorities of one name: each may have to be tried.
const MOST_OF_A_NAME: usize = 16;

const ISSUERS: &str = "sd_jwt_vc";
const STATUS: &str = "status_signers";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Issuers {
    #[serde(default)]
    authorities: Vec<String>,
    /// JWT VC Issuer Metadata (SD-JWT VC draft 13 §5) with the keys in them.
    #[serde(default)]
    issuers: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusSigners {
    #[serde(default)]
    certificates: Vec<String>,
    #[serde(default)]
    jwks: Option<Value>,
}

/// Takes these members out of a trust list, so that nothing in them is read as a document signer.
pub(super) fn take(value: &mut Value, list: &mut TrustList) -> Result<(), TrustListError> {
    let Value::Object(members) = value else { return Ok(()) };
    if let Some(member) = members.shift_remove(ISSUERS) {
        let wrong = TrustListError::Member(ISSUERS);
        let read: Issuers = object(member, wrong)?;
        for certificate in certificates(&read.authorities, wrong)? {
            list.add_authority(certificate);
        }
        if read.issuers.len() > MOST {
            return Err(wrong);
        }
        for metadata in read.issuers {
            let (Some(Value::String(issuer)), Some(jwks)) = (metadata.get("issuer"), metadata.get("jwks")) else {
                return Err(wrong);
            };
            if list.issuer(issuer).is_some() {
                return Err(wrong);
            }
            list.add_issuer(issuer.as_str(), keys(jwks, wrong)?);
        }
    }
    if let Some(member) = members.shift_remove(STATUS) {
        let wrong = TrustListError::Member(STATUS);
        let read: StatusSigners = object(member, wrong)?;
        for certificate in certificates(&read.certificates, wrong)? {
            list.add_status_signer(certificate);
        }
        if let Some(jwks) = read.jwks {
            list.add_status_keys(keys(&jwks, wrong)?);
        }
    }
    Ok(())
}

/// An object, and no array of its members.
fn object<T: for<'a> Deserialize<'a>>(member: Value, wrong: TrustListError) -> Result<T, TrustListError> {
    match member {
        Value::Object(_) => serde_json::from_value(member).map_err(|_| wrong),
        _ => Err(wrong),
    }
}

fn certificates(texts: &[String], wrong: TrustListError) -> Result<Vec<x509::Certificate>, TrustListError> {
    if texts.len() > MOST {
        return Err(wrong);
    }
    let mut read: Vec<x509::Certificate> = Vec::with_capacity(texts.len());
    for text in texts {
        let der = encoding::from_base64(text).map_err(|_| wrong)?;
        let certificate = x509::Certificate::from_der(&der).map_err(|_| wrong)?;
        let namesakes = read.iter().filter(|one| one.subject == certificate.subject).count();
        if namesakes >= MOST_OF_A_NAME {
            return Err(wrong);
        }
        read.push(certificate);
    }
    Ok(read)
}

fn keys(jwks: &Value, wrong: TrustListError) -> Result<Vec<Key>, TrustListError> {
    issuer_metadata::keys(jwks).map_err(|_| wrong)
}
