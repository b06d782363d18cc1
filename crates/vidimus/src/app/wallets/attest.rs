//! The wallet provider of this deployment: attests wallets (OpenID4VCI appendix E) and their keys (appendix D) to issuers.
//!
//! What is attested is that a key is held by a wallet that speaks this protocol, and no more: the keys of `vidimus wallet` are files, so no
//! resistance to attack is claimed for them (`key_storage` stays out). Nothing is kept: no instance is known, and an attestation is for one issuer.
//! Only how many keys one network has had attested is counted, for a minute and under a key.

use crate::app::{App, copies::keys::signer as signer_of, error::Error};
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, sync::Arc};
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use vidimus_core::{Algorithm, PublicKey};
use vidimus_credential::jws::Jws;
use vidimus_crypto::SigningKey;
use vidimus_openid4vc::{oauth::attestation, vci::key_attestation};
use vidimus_store::limits;

/// The client id that all instances share (HAIP 1.0 §4.4.1).
pub const CLIENT: &str = "vidimus-wallet";
/// What a wallet signs with each key that it wants attested.
pub const PROOF_TYPE: &str = "vidimus-attestation-request+jwt";
/// How long attestations hold: a day.
const SECONDS: i64 = 86_400;
/// How far the proof's time may lie from now.
const WINDOW: i64 = 300;
/// Keys in one key attestation.
const MAX_KEYS: usize = 100;
const MINUTE: i64 = 60;
/// The longest proof.
const MAX_PROOF: usize = 4 << 10;

/// Asks for attestations: for the wallet's own key at one issuer, and for keys that copies are to be bound to. Each key is proved by a JWT of the
/// type `vidimus-attestation-request+jwt` with the key as `jwk` in its header, signed by it: `aud` this deployment, `iat`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttestationRequest {
    /// Proves the key of this instance for one issuer.
    #[serde(default)]
    pub client: Option<String>,
    /// Proves the keys to be attested together.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The issuer's nonce, which goes into the key attestation.
    #[serde(default)]
    pub nonce: Option<String>,
}

/// The attestations.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Attestations {
    /// The client id that goes with it.
    pub client_id: String,
    /// The client attestation, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_attestation: Option<String>,
    /// The key attestation, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_attestation: Option<String>,
}

impl std::fmt::Debug for Attestations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attestations(…)")
    }
}

/// Makes attestations. `from` is the network that asks: nobody has to say who they are here, so keys are counted by it. What is verified is
/// verified away from the threads that answer others.
pub async fn attest(app: &Arc<App>, request: AttestationRequest, from: IpAddr) -> Result<Attestations, Error> {
    if request.keys.len() > MAX_KEYS {
        return Err(refused(&format!("/keys: at most {MAX_KEYS}")));
    }
    if request
        .nonce
        .as_deref()
        .is_some_and(|nonce| nonce.is_empty() || nonce.len() > 512)
    {
        return Err(refused("/nonce: 1 to 512 bytes"));
    }
    let count = request.keys.len() + usize::from(request.client.is_some());
    let from = app
        .keys
        .credential_hash("attestation-sender", from.to_string().as_bytes());
    bound(app, from, count as u64).await?;
    // A few at a time, so that what others wait for is not behind it.
    static AT_ONCE: Semaphore = Semaphore::const_new(4);
    let turn = AT_ONCE
        .acquire()
        .await
        .map_err(|_| Error::Internal("a closed semaphore"))?;
    let row = app.key(app.facts.attester_key).await?;
    let signer = signer_of(app, &row)?;
    let app = app.clone();
    let made = tokio::task::spawn_blocking(move || {
        // Held until it is done, also where nobody waits for it any more.
        let _turn = turn;
        make(&app, &signer, &request)
    });
    made.await.map_err(|_| Error::Internal("attesting ended"))?
}

/// Counts the keys of one asker.
async fn bound(app: &App, from: [u8; 32], keys: u64) -> Result<(), Error> {
    let now = app.now();
    let hits = app
        .store
        .write(move |tx| limits::hit_by(tx, "attested-keys", &from, keys, MINUTE, now))
        .await?;
    if hits <= app.config.server.limits.attested_keys_per_minute.into() {
        return Ok(());
    }
    Err(Error::forbidden(
        "too-many-attestations",
        "as many keys of this sender were attested within a minute as may be",
        "try again in a minute",
    )
    .retry_after(60))
}

/// Verifies the proofs and signs; nothing else.
fn make(app: &App, signer: &SigningKey, request: &AttestationRequest) -> Result<Attestations, Error> {
    let chain = [app.facts.attester_certificate.clone()];
    let issuer = app.config.server.public_url.as_str();
    let (now, until) = (app.now(), app.now().plus(SECONDS));
    let unsigned = |_| Error::Internal("the attester's key does not sign");
    let client_attestation = match &request.client {
        None => None,
        Some(proof) => {
            let draft = attestation::Draft {
                issuer,
                client_id: CLIENT,
                key: &proved(app, proof, "/client")?,
                issued_at: now,
                expires_at: until,
                wallet_name: Some("Vidimus"),
                wallet_link: None,
                status: None,
            };
            Some(draft.sign(signer, Algorithm::Es256, &chain).map_err(unsigned)?)
        }
    };
    let keys = request
        .keys
        .iter()
        .enumerate()
        .map(|(place, proof)| proved(app, proof, &format!("/keys/{place}")))
        .collect::<Result<Vec<_>, _>>()?;
    let key_attestation = if keys.is_empty() {
        None
    } else {
        let draft = key_attestation::Draft {
            issuer,
            keys: &keys,
            issued_at: now,
            expires_at: until,
            nonce: request.nonce.as_deref(),
            key_storage: &[],
            user_authentication: &[],
            status: None,
        };
        Some(draft.sign(signer, Algorithm::Es256, &chain).map_err(unsigned)?)
    };
    Ok(Attestations {
        client_id: CLIENT.to_owned(),
        client_attestation,
        key_attestation,
    })
}

fn refused(what: &str) -> Error {
    Error::invalid(
        "attestation-request",
        format!("{what}: nothing was attested"),
        "prove each key with a JWT that it signs: typ, jwk, aud and iat as the manual says",
    )
}

/// The key that a proof is signed by and names.
fn proved(app: &App, proof: &str, place: &str) -> Result<PublicKey, Error> {
    let wrong = || {
        refused(&format!(
            "{place}: not a proof of a P-256 key for this deployment, made just now"
        ))
    };
    let token = Jws::parse(proof, MAX_PROOF).map_err(|_| wrong())?;
    let header = token.header_members();
    let key = header
        .get("jwk")
        .filter(|jwk| jwk.get("d").is_none())
        .and_then(PublicKey::from_jwk)
        .filter(|key| matches!(key, PublicKey::P256(_)))
        .ok_or_else(wrong)?;
    let claims = token.claims().map_err(|_| wrong())?;
    let for_us = claims.get("aud").and_then(|aud| aud.as_str()) == Some(app.config.server.public_url.as_str());
    let made = claims.get("iat").and_then(serde_json::Value::as_i64);
    let just_now = made.is_some_and(|made| app.now().0.abs_diff(made) <= WINDOW.unsigned_abs());
    let is_es256 = token.header().algorithm == Algorithm::Es256 && token.header().is_type(PROOF_TYPE);
    if !(for_us && just_now && is_es256) {
        return Err(wrong());
    }
    vidimus_core::Provider::verify(
        &*app.provider,
        Algorithm::Es256,
        &key,
        token.message(),
        token.signature(),
    )
    .map_err(|_| wrong())?;
    Ok(key)
}
