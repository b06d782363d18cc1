//! Public keys as JSON Web Keys that came from outside (RFC 7517).

use serde_json::Value;
use vidimus_core::{Algorithm, Provider, PublicKey, encoding};

/// Why a JSON Web Key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Not a key of a kind that is known: EC on P-256 or secp256k1, OKP on Ed25519.
    #[error("not a public key of a kind that is accepted")]
    Kind,
    /// It has members of a private or symmetric key (RFC 7518 §6).
    #[error("the key holds private parts")]
    Private,
    /// It names an `alg` that this kind of key does not sign with, or a `use` other than `sig`.
    #[error("the key is not one to sign with")]
    Use,
}

/// Members that only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Reads a public key, whatever it is for.
pub fn public(jwk: &Value) -> Result<PublicKey, JwkError> {
    let members = jwk.as_object().ok_or(JwkError::Kind)?;
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return Err(JwkError::Private);
    }
    PublicKey::from_jwk(jwk).ok_or(JwkError::Kind)
}

/// Reads a public key that signatures are verified with.
pub fn signing(jwk: &Value) -> Result<PublicKey, JwkError> {
    let key = public(jwk)?;
    let text = |name| jwk.get(name).map(|value: &Value| value.as_str().unwrap_or_default());
    if text("use").is_some_and(|usage| usage != "sig") {
        return Err(JwkError::Use);
    }
    match text("alg") {
        Some(name) if !Algorithm::from_name(name).is_some_and(|algorithm| key.fits(algorithm)) => Err(JwkError::Use),
        _ => Ok(key),
    }
}

/// The RFC 7638 thumbprint as base64url, as `jkt` holds it (RFC 9449 §6.1). `None` for RSA keys, which have no JWK form here.
pub fn thumbprint(key: &PublicKey, provider: &dyn Provider) -> Option<String> {
    key.thumbprint(provider)
        .map(|digest| encoding::base64url(digest.as_bytes()))
}
