//! The holder's counter-signature: a compact JWS (`typ` `vidimus-countersignature+jwt`) over the digest of a copy. It says "I hold this copy",
//! travels beside the copy, and cannot be moved to another one.
//!
//! A copy that names its holder by a DID is counter-signed by that DID's key; one that names a key alone (`cnf`), by that key, which the
//! counter-signature names by its JWK Thumbprint URI (RFC 9278).

use crate::{card, json, jws};
use serde::Deserialize;
use serde_json::json;
use vidimus_core::{Algorithm, Digest, Provider, PublicKey, Timestamp, encoding};

/// `typ` of a counter-signature.
pub const TYPE: &str = "vidimus-countersignature+jwt";
/// The longest counter-signature that is read; it may carry a holder card.
pub const MAX_COUNTER_SIGNATURE: usize = 16 << 10;

/// What a counter-signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterSignature {
    /// Who signed: a holder's DID, or [`key_uri`] of a key.
    pub holder: String,
    /// Digest of the copy: SHA-256 of the issuer-signed bytes.
    pub digest: Digest,
    /// When.
    pub signed_at: Timestamp,
    /// The holder card, where the P-256 key signed.
    pub card: Option<String>,
    signed: jws::Signed,
}

/// Why a counter-signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CounterSignatureError {
    /// It does not read.
    #[error("not a counter-signature")]
    Malformed,
    /// It is over another copy.
    #[error("the counter-signature is over another copy")]
    Digest,
    /// It names another holder.
    #[error("the counter-signature is by another holder")]
    Holder,
    /// The signature does not verify with the holder's key.
    #[error("the counter-signature does not verify")]
    Signature,
}

/// A counter-signature, to be signed with `algorithm`: ES256K or ES256K-R by the account key, or ES256 by the P-256 key that `card` binds
/// or the holder's `did:jwk` is.
pub fn prepare(
    holder: &str,
    digest: &Digest,
    signed_at: Timestamp,
    algorithm: Algorithm,
    card: Option<&str>,
) -> jws::Unsigned {
    let header = card::members(json!({"alg": algorithm.name(), "typ": TYPE, "kid": card::kid_of(holder)}));
    let mut payload = json!({"iss": holder, "iat": signed_at, "digest": digest});
    if let Some(card) = card {
        payload["card"] = card.into();
    }
    jws::Unsigned::new(&header, payload.to_string().as_bytes())
}

/// The name of a holder that is known by its key alone: the JWK Thumbprint URI (RFC 9278). `None` for keys without a JWK form.
pub fn key_uri(key: &PublicKey, provider: &dyn Provider) -> Option<String> {
    let thumbprint = key.thumbprint(provider)?;
    Some(format!(
        "urn:ietf:params:oauth:jwk-thumbprint:sha-256:{}",
        encoding::base64url(&thumbprint.0)
    ))
}

/// A counter-signature of a copy whose `cnf` is `key`, to be signed by that key with ES256. `None` where the key is not on P-256.
pub fn prepare_by_key(
    key: &PublicKey,
    digest: &Digest,
    signed_at: Timestamp,
    provider: &dyn Provider,
) -> Option<jws::Unsigned> {
    let PublicKey::P256(_) = key else { return None };
    let name = key_uri(key, provider)?;
    let header = card::members(json!({"alg": Algorithm::Es256.name(), "typ": TYPE, "kid": name}));
    let payload = json!({"iss": name, "iat": signed_at, "digest": digest});
    Some(jws::Unsigned::new(&header, payload.to_string().as_bytes()))
}

impl CounterSignature {
    /// Reads one. Verifies nothing.
    pub fn parse(text: &str) -> Result<Self, CounterSignatureError> {
        let malformed = CounterSignatureError::Malformed;
        let token = jws::Jws::parse(text.trim(), MAX_COUNTER_SIGNATURE).map_err(|_| malformed)?;
        if !token.header().is_type(TYPE) {
            return Err(malformed);
        }
        let payload = json::parse(token.payload(), MAX_COUNTER_SIGNATURE).map_err(|_| malformed)?;
        let payload: Payload = serde_json::from_value(payload).map_err(|_| malformed)?;
        Ok(Self {
            holder: payload.iss,
            digest: payload.digest,
            signed_at: payload.iat,
            card: payload.card,
            signed: token.into_signed(),
        })
    }

    /// Whether `holder` signed it over the copy with this `digest`.
    pub fn verify(
        &self,
        holder: &str,
        digest: &Digest,
        provider: &dyn Provider,
        now: Timestamp,
    ) -> Result<(), CounterSignatureError> {
        if self.holder != holder {
            return Err(CounterSignatureError::Holder);
        }
        if self.digest != *digest {
            return Err(CounterSignatureError::Digest);
        }
        card::verify_holder(&self.signed, holder, self.card.as_deref(), provider, now)
            .map_err(|_| CounterSignatureError::Signature)
    }

    /// Whether `key`, which the copy with this `digest` names in `cnf`, signed it.
    pub fn verify_by_key(
        &self,
        key: &PublicKey,
        digest: &Digest,
        provider: &dyn Provider,
    ) -> Result<(), CounterSignatureError> {
        if key_uri(key, provider).as_ref() != Some(&self.holder) || self.card.is_some() {
            return Err(CounterSignatureError::Holder);
        }
        if self.digest != *digest {
            return Err(CounterSignatureError::Digest);
        }
        self.signed
            .verify(provider, Algorithm::Es256, key)
            .map_err(|_| CounterSignatureError::Signature)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    iss: String,
    iat: Timestamp,
    digest: Digest,
    #[serde(default)]
    card: Option<String>,
}
