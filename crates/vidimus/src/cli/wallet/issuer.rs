//! The keys of issuers whose copies bring no certificate: by their JWT VC Issuer Metadata, or by their DID.

use super::{open::Open, web::Web};
use crate::cli::{Exit, Failure};
use serde_json::Value;
use std::collections::BTreeMap;
use vidimus_core::PublicKey;
use vidimus_credential::format::sd_jwt_vc::issuer_metadata::{self, IssuerError, Keys};
use vidimus_identity::{Did, VerificationKey};
use vidimus_wallet::issuer::{IssuerKeys, Source, read_document};

type Found = Vec<(Option<String>, VerificationKey)>;

/// Fetches the keys that these copies are verified with. `issuer` is the Credential Issuer Identifier. Whatever keeps them from being found may pass.
pub(super) async fn keys_of(
    open: &Open,
    web: &Web,
    issuer: &str,
    copies: &[String],
) -> Result<Vec<IssuerKeys>, Failure> {
    let mut sources: Vec<Source> = Vec::new();
    for copy in copies {
        // One that names nobody has no key to be found: whoever verifies it says so.
        let Ok(source) = Source::of(copy) else { continue };
        if source != Source::Certificate && !sources.contains(&source) {
            sources.push(source);
        }
    }
    let mut found = Vec::with_capacity(sources.len());
    for source in sources {
        let (keys, registry) = match &source {
            Source::Certificate => continue,
            Source::Metadata(iss) => (by_metadata(web, iss).await?, None),
            Source::Did(did) => by_did(open, web, issuer, did).await?,
        };
        found.push(IssuerKeys { source, keys, registry });
    }
    Ok(found)
}

/// A document of an issuer's. That there is none is no answer either: it may be published late, or again.
async fn document(web: &Web, url: &str) -> Result<Vec<u8>, Failure> {
    let came = web.get(url).await?;
    match came.status {
        200 => Ok(came.body),
        404 | 410 => Err(Failure::new(
            Exit::Unavailable,
            "the issuer does not publish the keys that it signs with",
        )),
        _ => Err(Failure::new(
            Exit::Unavailable,
            "the issuer's keys cannot be fetched now",
        )),
    }
}

/// SD-JWT VC draft 13 §5.
async fn by_metadata(web: &Web, issuer: &str) -> Result<Found, Failure> {
    let refused = |error: IssuerError| Failure::unavailable(&error);
    // On this machine, where TLS may be missing, the address is made alike; whether it may be reached is decided where it is.
    let secure = issuer.strip_prefix("http://").map(|rest| format!("https://{rest}"));
    let url = issuer_metadata::url(secure.as_deref().unwrap_or(issuer)).map_err(refused)?;
    let url = match secure {
        Some(_) => url.replacen("https://", "http://", 1),
        None => url,
    };
    let keys = match issuer_metadata::read(&document(web, &url).await?, issuer).map_err(refused)? {
        Keys::Here(keys) => keys,
        Keys::At(url) => issuer_metadata::read_keys(&document(web, &url).await?).map_err(refused)?,
    };
    let keys = keys.into_iter().map(|key| (key.id, VerificationKey::Key(key.key)));
    Ok(keys.collect())
}

/// The keys of a DID, and the trusted deployment whose registry has them.
async fn by_did(open: &Open, web: &Web, issuer: &str, did: &str) -> Result<(Found, Option<String>), Failure> {
    match did.parse::<Did>() {
        Ok(Did::Web(at)) => {
            let document = document(web, &at.document_url()).await?;
            Ok((
                read_document(did, &document).map_err(|error| Failure::unavailable(&error))?,
                None,
            ))
        }
        Ok(Did::Ethr(_)) => {
            // One that does not answer keeps none of the others from being asked.
            let mut silent = None;
            for trusted in open.wallet.trusted() {
                match registered(web, &trusted.url, did).await {
                    Ok(Some(keys)) => return Ok((keys, Some(trusted.url.clone()))),
                    Ok(None) => {}
                    Err(failure) => silent = Some(failure),
                }
            }
            // The issuer's own deployment: its word, as good as its address.
            let own = match issuer.split_once("/issuers/") {
                Some((url, _)) => registered(web, url, did).await?,
                None => None,
            };
            match (own, silent) {
                (Some(keys), _) => Ok((keys, None)),
                (None, Some(failure)) => Err(failure),
                (None, None) => Ok((Vec::new(), None)),
            }
        }
        // A did:jwk says its key itself; others are not resolved here.
        _ => Ok((Vec::new(), None)),
    }
}

/// The keys that a deployment's registry has of an admitted issuer.
async fn registered(web: &Web, url: &str, did: &str) -> Result<Option<Found>, Failure> {
    let unreadable = || Failure::new(Exit::Unavailable, "the registry of issuers does not read");
    let answer = document(web, &format!("{url}/v1/registry/issuers")).await?;
    let registry: BTreeMap<String, Value> = serde_json::from_slice(&answer).map_err(|_| unreadable())?;
    let items = registry.get("items").and_then(Value::as_array).ok_or_else(unreadable)?;
    let item = items
        .iter()
        .find(|item| item["did"] == did && item["status"] == "active");
    Ok(item.map(|item| {
        let keys = item["keys"].as_array().into_iter().flatten();
        // What a key signed before it was replaced stays good.
        let counts = |key: &Value| key["state"] == "active" || key["state"] == "retired";
        let signs = |key: &&Value| counts(key) && key["purpose"] != "sealing";
        let read = keys.filter(signs).filter_map(|key| PublicKey::from_jwk(&key["jwk"]));
        // Under which number a key stands in the DID's document is the chain's to say.
        read.map(|key| (None, VerificationKey::Key(key))).collect()
    }))
}
