//! Key attestations (OpenID4VCI appendix D, HAIP §4.5.1): who keeps a wallet's keys says how, about keys that are named in it.

use super::metadata::AttestationsRequired;
use crate::oauth::{
    jwk,
    signed::{self, SignedError},
    wire::{self, MAX_TEXT},
};
use serde_json::{Map, Value, json};
use std::fmt;
use vidimus_core::{Algorithm, Digest, Provider, PublicKey, SignError, Signer, Timestamp, encoding};
use vidimus_credential::{
    jws::{Jws, JwsError},
    x509::{Certificate, CertificateError},
};

/// The `typ`.
pub const TYPE: &str = "key-attestation+jwt";
/// The longest attestation that is read.
pub const MAX_ATTESTATION: usize = 128 << 10;
/// The most keys in one attestation.
pub const MAX_KEYS: usize = 256;
/// How far `iat` may lie ahead, in seconds.
const SKEW: i64 = 60;

/// Attack potential resistance (appendix D.2).
pub mod resistance {
    /// VAN.5.
    pub const HIGH: &str = "iso_18045_high";
    /// VAN.4.
    pub const MODERATE: &str = "iso_18045_moderate";
    /// VAN.3.
    pub const ENHANCED_BASIC: &str = "iso_18045_enhanced-basic";
    /// VAN.2.
    pub const BASIC: &str = "iso_18045_basic";
}

/// A key attestation to be made.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// Who attests.
    pub issuer: &'a str,
    /// The keys.
    pub keys: &'a [PublicKey],
    /// Now.
    pub issued_at: Timestamp,
    /// When it, and the keys, end.
    pub expires_at: Timestamp,
    /// The issuer's nonce.
    pub nonce: Option<&'a str>,
    /// How the keys are kept; [`resistance`] or an address.
    pub key_storage: &'a [&'a str],
    /// How the person unlocks them.
    pub user_authentication: &'a [&'a str],
    /// How to learn that it was withdrawn.
    pub status: Option<&'a Value>,
}

impl Draft<'_> {
    /// Signs it. `chain` is the signer's certificate, DER, without the trust anchor.
    pub fn sign(&self, signer: &dyn Signer, algorithm: Algorithm, chain: &[Vec<u8>]) -> Result<String, SignError> {
        let keys: Option<Vec<Value>> = self.keys.iter().map(PublicKey::to_jwk).collect();
        let chain: Vec<String> = chain.iter().map(|der| encoding::base64(der)).collect();
        let mut payload = json!({
            "iss": self.issuer,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "attested_keys": keys.ok_or(SignError::Algorithm(algorithm))?,
        });
        for (name, list) in [
            ("key_storage", self.key_storage),
            ("user_authentication", self.user_authentication),
        ] {
            if !list.is_empty() {
                payload[name] = json!(list);
            }
        }
        if let Some(nonce) = self.nonce {
            payload["nonce"] = json!(nonce);
        }
        if let Some(status) = self.status {
            payload["status"] = status.clone();
        }
        let header = json!({"typ": TYPE, "alg": algorithm.name(), "x5c": chain});
        wire::sign(signer, algorithm, header, &payload)
    }
}

/// Why a key attestation is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyAttestationError {
    /// Not a readable JWT of this type, or a claim is missing or malformed.
    #[error("not a key attestation")]
    Malformed,
    /// Signed with an algorithm that the metadata do not list.
    #[error("the key attestation is signed with an algorithm that is not accepted")]
    Algorithm,
    /// No trusted root issued the certificate that signs it.
    #[error("the key attestation's signer is not trusted")]
    Signer(#[source] CertificateError),
    /// The signature does not verify.
    #[error("the key attestation's signature does not verify")]
    Signature,
    /// It has ended, was not made yet, or has no end where it needs one.
    #[error("the key attestation is not within its time")]
    Time,
    /// A key in it is not accepted, or there twice.
    #[error("a key in the key attestation is not accepted")]
    Key,
    /// The keys are kept less well than is asked for.
    #[error("the key attestation does not say what the issuer asks for")]
    Resistance,
}

/// A key attestation as it was read: claims of whoever sent it.
pub struct KeyAttestation<'a> {
    token: Jws<'a>,
    claims: Map<String, Value>,
    keys: Vec<(Option<String>, PublicKey)>,
    nonce: Option<String>,
}

impl fmt::Debug for KeyAttestation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyAttestation({} keys)", self.keys.len())
    }
}

/// A key attestation that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// The keys.
    pub keys: Vec<PublicKey>,
    /// The fingerprint of the certificate that signed.
    pub signer: Digest,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// How the keys are kept.
    pub key_storage: Vec<String>,
    /// How the person unlocks them.
    pub user_authentication: Vec<String>,
    /// Where to look whether it was withdrawn: the caller does, before it relies on it.
    pub status: Option<Value>,
}

impl<'a> KeyAttestation<'a> {
    /// Reads one.
    pub fn parse(text: &'a str) -> Result<Self, KeyAttestationError> {
        const MALFORMED: KeyAttestationError = KeyAttestationError::Malformed;
        let token = Jws::parse(text, MAX_ATTESTATION).map_err(|error| match error {
            JwsError::Algorithm => KeyAttestationError::Algorithm,
            _ => MALFORMED,
        })?;
        if !token.header().is_type(TYPE) {
            return Err(MALFORMED);
        }
        let claims = token.claims().map_err(|_| MALFORMED)?;
        let list = claims.get("attested_keys").and_then(Value::as_array).ok_or(MALFORMED)?;
        if !(1..=MAX_KEYS).contains(&list.len()) {
            return Err(MALFORMED);
        }
        let mut keys: Vec<(Option<String>, PublicKey)> = Vec::with_capacity(list.len());
        for value in list {
            let key = jwk::signing(value).map_err(|_| KeyAttestationError::Key)?;
            if keys.iter().any(|(_, known)| *known == key) {
                return Err(KeyAttestationError::Key);
            }
            let kid = value.get("kid").and_then(Value::as_str).map(str::to_owned);
            keys.push((kid, key));
        }
        let nonce = wire::text(&claims, "nonce").map_err(|_| MALFORMED)?;
        Ok(Self {
            token,
            claims,
            keys,
            nonce,
        })
    }

    /// The nonce that it claims.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// The key that a proof's `kid` means: the one with that `kid`, or the one at that place.
    pub fn key(&self, kid: &str) -> Option<&PublicKey> {
        let named = self.keys.iter().find(|(known, _)| known.as_deref() == Some(kid));
        let place = || self.keys.get(kid.parse::<usize>().ok()?);
        named.or_else(place).map(|(_, key)| key)
    }

    /// Verifies it: who signed, its time, and that it says at least what `required` asks for. `must_end`: it is used with the proof type `jwt`
    /// (appendix D.1).
    pub fn verify(
        self,
        roots: &[Certificate],
        algorithms: &[Algorithm],
        required: &AttestationsRequired,
        must_end: bool,
        now: Timestamp,
        provider: &dyn Provider,
    ) -> Result<Attested, KeyAttestationError> {
        const MALFORMED: KeyAttestationError = KeyAttestationError::Malformed;
        let header = self.token.header();
        if !algorithms.contains(&header.algorithm) {
            return Err(KeyAttestationError::Algorithm);
        }
        let leaf =
            signed::signer(&self.token, roots, Some(signed::JWT), now, provider).map_err(|error| match error {
                SignedError::Signature => KeyAttestationError::Signature,
                SignedError::Signer(error) => KeyAttestationError::Signer(error),
            })?;
        let time = |name| wire::time(&self.claims, name).map_err(|_| MALFORMED);
        let issued_at = time("iat")?.ok_or(MALFORMED)?;
        let expires_at = time("exp")?;
        let ended = expires_at.is_some_and(|end| end <= now);
        if issued_at > now.plus(SKEW) || ended || (must_end && expires_at.is_none()) {
            return Err(KeyAttestationError::Time);
        }
        let key_storage = texts(&self.claims, "key_storage")?;
        let user_authentication = texts(&self.claims, "user_authentication")?;
        let says = |said: &[String], asked: &Option<Vec<String>>| {
            asked
                .as_ref()
                .is_none_or(|asked| said.iter().any(|value| asked.contains(value)))
        };
        if !says(&key_storage, &required.key_storage) || !says(&user_authentication, &required.user_authentication) {
            return Err(KeyAttestationError::Resistance);
        }
        Ok(Attested {
            keys: self.keys.into_iter().map(|(_, key)| key).collect(),
            signer: leaf.fingerprint(provider),
            expires_at,
            key_storage,
            user_authentication,
            status: self.claims.get("status").cloned(),
        })
    }
}

/// A list of texts that is not empty where it is there.
fn texts(claims: &Map<String, Value>, name: &str) -> Result<Vec<String>, KeyAttestationError> {
    let Some(value) = claims.get(name) else {
        return Ok(Vec::new());
    };
    let list: Vec<String> = serde_json::from_value(value.clone()).map_err(|_| KeyAttestationError::Malformed)?;
    if (1..=64).contains(&list.len()) && list.iter().all(|text| text.len() <= MAX_TEXT) {
        Ok(list)
    } else {
        Err(KeyAttestationError::Malformed)
    }
}
