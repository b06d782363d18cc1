//! What an issuer that keeps its own keys knows of an SD-JWT VC that a wallet asked for: what stands in it for everybody, and what it was made of. Everything
//! else is concealed, so it is made again from the report, and is the same or not.

use super::copies::{Own, REPLACED, Said};
use crate::app::render::SdJwtTerms;
use serde_json::Value;
use vidimus_core::{
    Digest, Provider as _, PublicKey, Timestamp,
    encoding::{from_base64, from_base64url},
};
use vidimus_credential::{StatusReference, category::Category, format::sd_jwt_vc};
use vidimus_crypto::Native;

/// What a message says that is not in the report.
pub(super) fn said(message: &[u8], category: &Category, seed: Option<&str>, own: &Own) -> Result<Said, &'static str> {
    let plain = in_the_clear(message)?;
    Ok(Said {
        issued_at: plain.issued_at,
        until: plain.until,
        status: status_of(&plain, own),
        kid: String::new(),
        signer: None,
        holder: None,
        sd_jwt: Some(wallet_terms(&plain, category, seed, own)?),
        content: None,
    })
}

/// What an SD-JWT VC says to everybody.
struct InTheClear {
    issued_at: Timestamp,
    until: Timestamp,
    status: (String, u64),
    holder: PublicKey,
    certificate: Vec<u8>,
}

fn in_the_clear(message: &[u8]) -> Result<InTheClear, &'static str> {
    let part = |text: &str| -> Option<Value> { serde_json::from_slice(&from_base64url(text).ok()?).ok() };
    let read = || {
        let (header, payload) = std::str::from_utf8(message).ok()?.split_once('.')?;
        let (header, payload) = (part(header)?, part(payload)?);
        let status = &payload["status"]["status_list"];
        Some(InTheClear {
            issued_at: Timestamp(payload["iat"].as_i64()?),
            until: Timestamp(payload["exp"].as_i64()?),
            status: (status["uri"].as_str()?.to_owned(), status["idx"].as_u64()?),
            holder: PublicKey::from_jwk(&payload["cnf"]["jwk"])?,
            certificate: from_base64(header["x5c"][0].as_str()?).ok()?,
        })
    };
    read().ok_or("it is no certificate")
}

fn status_of(plain: &InTheClear, own: &Own) -> StatusReference {
    let (token_list, index) = plain.status.clone();
    let base = token_list.trim_end_matches("/token").to_owned();
    let here = format!("{}/v1/status/", own.public_url);
    let of = |purpose: &str| base.starts_with(&here).then(|| format!("{base}/bitstring/{purpose}"));
    StatusReference {
        bitstring_list: of("revocation"),
        suspension_list: of("suspension"),
        token_list,
        index,
    }
}

/// How the copy of a wallet is made again: what the server draws at random is in `seed`.
fn wallet_terms(
    plain: &InTheClear,
    category: &Category,
    seed: Option<&str>,
    own: &Own,
) -> Result<SdJwtTerms, &'static str> {
    let seed = seed
        .and_then(|seed| from_base64url(seed).ok()?.try_into().ok())
        .ok_or("it does not say how it was made")?;
    let kid = Native::new().sha256(&[&plain.certificate]).0;
    if own.signers_before.iter().any(|signer| kid.starts_with(signer)) {
        return Err(REPLACED);
    }
    if !own.signers.iter().any(|signer| kid.starts_with(signer)) {
        return Err("it names a document signer that is not this issuer's key");
    }
    let vct = sd_jwt_vc::type_url(&own.public_url, category.id());
    let document = sd_jwt_vc::type_metadata::document(category, &vct);
    Ok(SdJwtTerms {
        issuer: format!("{}/issuers/{}", own.public_url, own.id),
        integrity: sd_jwt_vc::type_metadata::integrity(&document, &Native::new()),
        vct,
        holder: plain.holder.clone(),
        chain: vec![plain.certificate.clone()],
        seed: Digest(seed),
    })
}
