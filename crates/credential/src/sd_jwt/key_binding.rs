//! Key binding (RFC 9901 §4.3): a JWT by which the holder of the key in `cnf` binds what it shows to one request.

use crate::{
    format::numeric_date,
    jws::{self, Jws, JwsError},
};
use serde_json::{Map, Value, json};
use std::fmt;
use subtle::ConstantTimeEq;
use vidimus_core::{Algorithm, Digest, Provider, PublicKey, Timestamp, encoding};

/// `typ` of a key binding.
pub const TYPE: &str = "kb+jwt";
/// The longest key binding that is read.
pub const MAX_KEY_BINDING: usize = 16 << 10;

/// Claims that a key binding has of its own.
const OWN: [&str; 4] = ["iat", "aud", "nonce", "sd_hash"];

/// A key binding to be made.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// Who asked, as the protocol names it: in OpenID4VP the client identifier.
    pub audience: &'a str,
    /// The request's nonce.
    pub nonce: &'a str,
    /// Now.
    pub issued_at: Timestamp,
    /// Claims beside these, such as `transaction_data_hashes` (OpenID4VP 1.0 §8.4, appendix B.3.3). What has the name of one of these is left
    /// out.
    pub more: Map<String, Value>,
}

/// A key binding that waits for its signature, and what it binds.
#[derive(Clone, PartialEq, Eq)]
pub struct Unsigned {
    presented: String,
    token: jws::Unsigned,
}

impl fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key_binding::Unsigned(…)")
    }
}

impl Draft<'_> {
    /// Binds `presented`, an SD-JWT with its tildes and without key binding ([`super::SdJwt::present`]), to be signed with `algorithm` by the
    /// key in its `cnf`.
    pub fn prepare(&self, presented: String, algorithm: Algorithm, provider: &dyn Provider) -> Unsigned {
        let mut payload = self.more.clone();
        payload.retain(|name, _| !OWN.contains(&name.as_str()));
        payload.insert("iat".into(), self.issued_at.0.into());
        payload.insert("aud".into(), self.audience.into());
        payload.insert("nonce".into(), self.nonce.into());
        let hash = provider.sha256(&[presented.as_bytes()]);
        payload.insert("sd_hash".into(), encoding::base64url(&hash.0).into());
        let mut header = Map::new();
        header.insert("alg".into(), json!(algorithm.name()));
        header.insert("typ".into(), json!(TYPE));
        let payload = Value::Object(payload).to_string();
        Unsigned {
            presented,
            token: jws::Unsigned::new(&header, payload.as_bytes()),
        }
    }
}

impl Unsigned {
    /// The bytes to sign.
    pub fn message(&self) -> &[u8] {
        self.token.message()
    }
    /// The SD-JWT with its key binding. `signature` is raw (r ‖ s, not DER).
    pub fn finish(self, signature: &[u8]) -> String {
        let mut text = self.presented;
        text.push_str(&self.token.finish(signature));
        text
    }
}

/// Why a key binding does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyBindingError {
    /// Not a readable compact JWS.
    #[error("the key binding is not a readable JWS")]
    Jws(#[source] JwsError),
    /// Its `typ` is not [`TYPE`].
    #[error("the key binding has another type")]
    Type,
    /// A claim is missing or has the wrong form.
    #[error("the key binding's claim {0} is missing or has the wrong form")]
    Claim(&'static str),
    /// The SD-JWT names no key in `cnf.jwk` that is understood.
    #[error("the SD-JWT names no key of its holder")]
    Key,
    /// Signed with an algorithm that does not go with the holder's key.
    #[error("the key binding's algorithm does not go with the holder's key")]
    Algorithm,
    /// The holder's key did not sign it.
    #[error("the key binding is not signed by the holder's key")]
    Signature,
    /// It binds something else than what came with it.
    #[error("the key binding is over other claims")]
    Hash,
    /// It is for another verifier.
    #[error("the key binding is for another audience")]
    Audience,
    /// It answers another request.
    #[error("the key binding has another nonce")]
    Nonce,
    /// It was made in the future.
    #[error("the key binding is dated in the future")]
    Future,
    /// It was made too long ago.
    #[error("the key binding is too old")]
    Old,
}

/// Which time of making is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Now.
    pub now: Timestamp,
    /// How old it may be, in seconds.
    pub max_age: i64,
    /// By how many seconds it may seem to come from the future.
    pub skew: i64,
}

impl Window {
    /// Whether `made` lies within.
    pub fn admits(&self, made: Timestamp) -> Result<(), KeyBindingError> {
        if made > self.now.plus(self.skew) {
            Err(KeyBindingError::Future)
        } else if self.now > made.plus(self.max_age) {
            Err(KeyBindingError::Old)
        } else {
            Ok(())
        }
    }
}

/// A key binding as it was read. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBinding {
    /// `iat`: when it was made.
    pub issued_at: Timestamp,
    /// `exp`, where it has one.
    pub expires_at: Option<Timestamp>,
    /// `nbf`, where it has one.
    pub not_before: Option<Timestamp>,
    /// `aud`: for whom.
    pub audience: String,
    /// `nonce`: in answer to what.
    pub nonce: String,
    /// `sd_hash`: over what.
    pub hash: Digest,
    /// The other claims.
    pub more: Map<String, Value>,
    signed: jws::Signed,
}

impl KeyBinding {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, KeyBindingError> {
        use KeyBindingError::Claim;
        let token = Jws::parse(text, MAX_KEY_BINDING).map_err(KeyBindingError::Jws)?;
        if !token.header().is_type(TYPE) {
            return Err(KeyBindingError::Type);
        }
        let mut claims = token.claims().map_err(KeyBindingError::Jws)?;
        let mut take = |name: &'static str| claims.shift_remove(name).ok_or(Claim(name));
        let text = |value: Value, name| match value {
            Value::String(text) => Ok(text),
            _ => Err(Claim(name)),
        };
        let issued_at = numeric_date(&take("iat")?).ok_or(Claim("iat"))?;
        let audience = text(take("aud")?, "aud")?;
        let nonce = text(take("nonce")?, "nonce")?;
        let hash = text(take("sd_hash")?, "sd_hash")?;
        let hash = encoding::from_base64url(&hash).map_err(|_| Claim("sd_hash"))?;
        let date = |name: &'static str| {
            let value = claims.get(name);
            value.map(|value| numeric_date(value).ok_or(Claim(name))).transpose()
        };
        Ok(Self {
            issued_at,
            expires_at: date("exp")?,
            not_before: date("nbf")?,
            audience,
            nonce,
            hash: Digest(hash.try_into().map_err(|_| Claim("sd_hash"))?),
            more: claims,
            signed: token.into_signed(),
        })
    }

    /// Whether `key`, the holder's ([`holder_key`]), signed it over `presented`: the SD-JWT with its tildes and without this
    /// ([`super::SdJwt::unbound`]). The algorithm is the one that goes with the key.
    pub fn verify_holder(
        &self,
        presented: &str,
        key: &PublicKey,
        provider: &dyn Provider,
    ) -> Result<(), KeyBindingError> {
        let algorithm = self.signed.header.algorithm;
        if !key.fits(algorithm) || algorithm == Algorithm::Es256kR {
            return Err(KeyBindingError::Algorithm);
        }
        self.signed
            .verify(provider, algorithm, key)
            .map_err(|_| KeyBindingError::Signature)?;
        let hash = provider.sha256(&[presented.as_bytes()]);
        if bool::from(hash.0.ct_eq(&self.hash.0)) {
            Ok(())
        } else {
            Err(KeyBindingError::Hash)
        }
    }

    /// Whether it answers a request. That a nonce is used once is the caller's to see to.
    pub fn verify_request(&self, audience: &str, nonce: &str, window: &Window) -> Result<(), KeyBindingError> {
        self.verify_time(window)?;
        if self.audience != audience {
            Err(KeyBindingError::Audience)
        } else if !bool::from(self.nonce.as_bytes().ct_eq(nonce.as_bytes())) {
            Err(KeyBindingError::Nonce)
        } else {
            Ok(())
        }
    }

    /// Whether it was made within `window`, and lies within the time that it may give itself.
    pub fn verify_time(&self, window: &Window) -> Result<(), KeyBindingError> {
        window.admits(self.issued_at)?;
        if self.not_before.is_some_and(|from| from > window.now.plus(window.skew)) {
            Err(KeyBindingError::Future)
        } else if self.expires_at.is_some_and(|end| window.now > end.plus(window.skew)) {
            Err(KeyBindingError::Old)
        } else {
            Ok(())
        }
    }
}

/// The holder's key: the member `jwk` of the claim `cnf` (RFC 7800 §3.2), the only form that is understood here.
pub fn holder_key(claims: &Map<String, Value>) -> Result<PublicKey, KeyBindingError> {
    let key = claims
        .get("cnf")
        .and_then(|cnf| cnf.get("jwk"))
        .ok_or(KeyBindingError::Key)?;
    // Not a public key: whoever issued it had the holder's secret, and so has everybody now.
    if key.get("d").is_some() {
        return Err(KeyBindingError::Key);
    }
    PublicKey::from_jwk(key).ok_or(KeyBindingError::Key)
}
