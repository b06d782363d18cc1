//! The holder card: what a holder gives an issuer so that copies can be made for its keys.
//!
//! A compact JWS (`typ` `vidimus-holder-card+jwt`) signed with ES256K by the holder's account key, the key of its `did:ethr`. It names the
//! holder's P-256 signing key, which proves that it is held by a signature of its own inside the card, and the X25519 key that payloads are
//! sealed to. Making one touches no server and no chain.
//!
//! A card binds the three keys together and says nothing about who the holder is.

use crate::{check::Verified, json, jws};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vidimus_core::{
    Address, Algorithm, Provider, PublicKey, SignatureError, Timestamp, Transcript,
    encoding::{base64url, from_base64url},
};

/// `typ` of a holder card.
pub const TYPE: &str = "vidimus-holder-card+jwt";
/// The longest card that is read.
pub const MAX_CARD: usize = 8 << 10;
/// By how many seconds a card may seem to come from the future.
const CLOCK_SKEW: i64 = 60;

/// The content of a holder card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderCard {
    /// `did:ethr:0x<chain id>:0x<address>`.
    pub did: String,
    /// The holder's P-256 signing key.
    pub signing_key: PublicKey,
    /// The holder's X25519 sealing key.
    pub sealing_key: [u8; 32],
    /// When the card was made.
    pub issued_at: Timestamp,
}

/// Why a card is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Not a readable compact JWS.
    #[error("the holder card is not a readable JWS")]
    Jws(#[source] jws::JwsError),
    /// A JWS, but not a holder card.
    #[error("not a holder card: {0} is missing or has the wrong form")]
    Member(&'static str),
    /// Not signed by the account that its DID names.
    #[error("the holder card is not signed by the account of its DID")]
    Account,
    /// The P-256 key in it did not sign.
    #[error("the P-256 key in the holder card did not sign it")]
    Possession,
    /// Made in the future.
    #[error("the holder card is dated in the future")]
    Future,
}

impl HolderCard {
    /// The bytes that the P-256 key signs (ES256) to prove that the holder has it.
    pub fn possession_message(&self) -> Vec<u8> {
        Transcript::new("vidimus/holder-card/v1")
            .field(self.did.as_bytes())
            .field(self.signing_key.as_bytes())
            .field(&self.sealing_key)
            .number(self.issued_at.0.unsigned_abs())
            .into_bytes()
    }

    /// The card, to be signed with ES256K by the account key. `possession` is the P-256 key's signature over [`Self::possession_message`].
    pub fn prepare(&self, possession: &[u8]) -> jws::Unsigned {
        let header = members(json!({"alg": "ES256K", "typ": TYPE, "kid": format!("{}#controller", self.did)}));
        let payload = json!({
            "iss": self.did,
            "iat": self.issued_at,
            "p256": self.signing_key.to_jwk(),
            "x25519": {"crv": "X25519", "kty": "OKP", "x": base64url(&self.sealing_key)},
            "possession": base64url(possession),
        });
        jws::Unsigned::new(&header, payload.to_string().as_bytes())
    }

    /// Reads a card and verifies both signatures.
    pub fn verify(text: &str, provider: &dyn Provider, now: Timestamp) -> Result<Verified<Self>, CardError> {
        let token = jws::Jws::parse(text.trim(), MAX_CARD).map_err(CardError::Jws)?;
        if !token.header().is_type(TYPE) {
            return Err(CardError::Member("typ"));
        }
        let payload: Payload = json::parse(token.payload(), MAX_CARD)
            .ok()
            .and_then(|value| serde_json::from_value(value).ok())
            .ok_or(CardError::Member("the payload"))?;
        let account = account_of(&payload.iss).ok_or(CardError::Member("iss"))?;
        let algorithm = match token.header().algorithm {
            algorithm @ (Algorithm::Es256k | Algorithm::Es256kR) => algorithm,
            _ => return Err(CardError::Account),
        };
        provider
            .verify_account(algorithm, &account, token.message(), token.signature())
            .map_err(|_| CardError::Account)?;
        let signing_key = PublicKey::from_jwk(&payload.p256)
            .filter(|key| matches!(key, PublicKey::P256(_)))
            .ok_or(CardError::Member("p256"))?;
        let sealing_key = read_x25519(&payload.x25519).ok_or(CardError::Member("x25519"))?;
        let possession = from_base64url(&payload.possession).map_err(|_| CardError::Member("possession"))?;
        let card = Self {
            did: payload.iss,
            signing_key,
            sealing_key,
            issued_at: payload.iat,
        };
        if card.issued_at > now.plus(CLOCK_SKEW) || card.issued_at.0 < 0 {
            return Err(CardError::Future);
        }
        provider
            .verify(
                Algorithm::Es256,
                &card.signing_key,
                &card.possession_message(),
                &possession,
            )
            .map_err(|_| CardError::Possession)?;
        Ok(Verified::new(card))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    iss: String,
    iat: Timestamp,
    p256: Value,
    x25519: Value,
    possession: String,
}

fn read_x25519(jwk: &Value) -> Option<[u8; 32]> {
    let member = |name: &str| jwk.get(name)?.as_str();
    if (member("kty")?, member("crv")?) != ("OKP", "X25519") {
        return None;
    }
    from_base64url(member("x")?).ok()?.try_into().ok()
}

/// The account that a `did:ethr` names, on whichever network; `None` for other DIDs and for did:ethr by public key.
pub fn account_of(did: &str) -> Option<Address> {
    let rest = did.strip_prefix("did:ethr:")?;
    let address = match rest.split_once(':') {
        Some((network, address)) if !network.is_empty() => address,
        Some(_) => return None,
        None => rest,
    };
    if address.len() != 42 || !address.starts_with("0x") {
        return None;
    }
    address.parse().ok()
}

/// The longest `did:jwk` that is read.
const MAX_DID_JWK: usize = 1 << 10;

/// The P-256 key that a `did:jwk` is (its method's specification: base64url of the JWK); `None` for other DIDs and keys.
fn key_of(did: &str) -> Option<PublicKey> {
    let text = did.strip_prefix("did:jwk:").filter(|text| text.len() <= MAX_DID_JWK)?;
    let jwk = json::parse(&from_base64url(text).ok()?, MAX_DID_JWK).ok()?;
    // A private key there is everybody's.
    if jwk.get("d").is_some() {
        return None;
    }
    PublicKey::from_jwk(&jwk).filter(|key| matches!(key, PublicKey::P256(_)))
}

/// The DID URL of the key with which the holder signs by `algorithm`: of a `did:jwk` its only one.
pub(crate) fn kid_of(did: &str) -> String {
    let fragment = if did.starts_with("did:jwk:") { "0" } else { "controller" };
    format!("{did}#{fragment}")
}

/// Verifies what a holder signed: by the account of its DID (ES256K, ES256K-R), by the P-256 key (ES256) that `card` binds to that DID, or by
/// the one that its `did:jwk` is.
pub(crate) fn verify_holder(
    signed: &jws::Signed,
    did: &str,
    card: Option<&str>,
    provider: &dyn Provider,
    now: Timestamp,
) -> Result<(), SignatureError> {
    match signed.header.algorithm {
        algorithm @ (Algorithm::Es256k | Algorithm::Es256kR) => {
            let account = account_of(did).ok_or(SignatureError::Key)?;
            provider.verify_account(algorithm, &account, &signed.message, &signed.signature)
        }
        Algorithm::Es256 if did.starts_with("did:jwk:") => {
            let key = key_of(did).ok_or(SignatureError::Key)?;
            let kid = signed.header.kid.as_deref();
            let fits = kid.is_none_or(|kid| kid == did || kid.strip_prefix(did) == Some("#0"));
            if !fits || card.is_some() {
                return Err(SignatureError::Key);
            }
            signed.verify(provider, Algorithm::Es256, &key)
        }
        Algorithm::Es256 => {
            let card =
                HolderCard::verify(card.ok_or(SignatureError::Key)?, provider, now).map_err(|_| SignatureError::Key)?;
            if card.did != did {
                return Err(SignatureError::Key);
            }
            signed.verify(provider, Algorithm::Es256, &card.signing_key)
        }
        Algorithm::EdDsa | Algorithm::Ps256 => Err(SignatureError::Key),
    }
}

pub(crate) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => unreachable!("called with object literals"),
    }
}
