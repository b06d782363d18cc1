//! Proofs that the one who sends a request holds the key that its token is bound to (DPoP, RFC 9449).

use super::{
    ErrorCode, Opaque, jwk,
    wire::{self, MAX_TEXT},
};
use serde_json::json;
use std::fmt;
use url::Url;
use vidimus_core::{Algorithm, Entropy, Provider, PublicKey, SignError, Signer, Timestamp, encoding};
use vidimus_credential::jws::Jws;

/// The `typ` of a proof.
pub const TYPE: &str = "dpop+jwt";
/// The longest proof that is read.
pub const MAX_PROOF: usize = 8 << 10;
/// How far `iat` may lie back, and ahead, in seconds.
pub const WINDOW: i64 = 60;

/// Why a proof is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DpopError {
    /// There is not exactly one proof.
    #[error("exactly one DPoP proof is needed")]
    Count,
    /// Not a readable JWT of this type, or a claim is missing or malformed.
    #[error("not a DPoP proof")]
    Malformed,
    /// Signed with an algorithm that this server does not list.
    #[error("the proof is signed with an algorithm that is not accepted")]
    Algorithm,
    /// Its header holds no public key that may sign so.
    #[error("the proof's key is not accepted")]
    Key,
    /// The signature does not verify.
    #[error("the proof's signature does not verify")]
    Signature,
    /// Made for another request.
    #[error("the proof was made for another request")]
    Request,
    /// Made too long ago, or in the future.
    #[error("the proof was not made just now")]
    Time,
    /// Made for another access token, or for none.
    #[error("the proof was made for another access token")]
    Token,
    /// It lacks the server's nonce, or has an old one.
    #[error("the proof needs a nonce of this server")]
    Nonce,
}

impl DpopError {
    /// Its code (RFC 9449 §5, §8).
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Nonce => ErrorCode::UseDpopNonce,
            _ => ErrorCode::InvalidDpopProof,
        }
    }
}

/// What a request is proved for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The URL as the client sees it; query and fragment do not count.
    pub url: &'a str,
}

/// A proof to be made.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The request that it goes with.
    pub request: Request<'a>,
    /// The access token of the request, at a resource.
    pub token: Option<&'a Opaque>,
    /// The latest nonce of the server that the request goes to.
    pub nonce: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

impl Draft<'_> {
    /// Signs it with the key that the token is, or is to be, bound to.
    pub fn sign(
        &self,
        signer: &dyn Signer,
        algorithm: Algorithm,
        provider: &dyn Provider,
        entropy: &mut dyn Entropy,
    ) -> Result<String, SignError> {
        let key = signer.public_key().to_jwk().ok_or(SignError::Algorithm(algorithm))?;
        let mut jti = [0; 16];
        entropy.fill(&mut jti);
        let url = self.request.url;
        let mut payload = json!({
            "jti": encoding::base64url(&jti),
            "htm": self.request.method,
            "htu": target(url).map_or_else(|| url.to_owned(), |url| url.to_string()),
            "iat": self.now,
        });
        if let Some(token) = self.token {
            payload["ath"] = hash(token, provider).into();
        }
        if let Some(nonce) = self.nonce {
            payload["nonce"] = nonce.into();
        }
        let header = json!({"typ": TYPE, "alg": algorithm.name(), "jwk": key});
        wire::sign(signer, algorithm, header, &payload)
    }
}

/// `ath` (§4.2).
fn hash(token: &Opaque, provider: &dyn Provider) -> String {
    encoding::base64url(provider.sha256(&[token.expose().as_bytes()]).as_bytes())
}

/// A proof as it was read: claims of whoever sent it.
pub struct Proof<'a> {
    token: Jws<'a>,
    key: PublicKey,
    method: String,
    url: Url,
    issued_at: Timestamp,
    jti: String,
    nonce: Option<String>,
    token_hash: Option<String>,
}

impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proof").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What a proof must be.
pub struct Expected<'a> {
    /// The request that it came with.
    pub request: Request<'a>,
    /// The algorithms that the metadata list.
    pub algorithms: &'a [Algorithm],
    /// The access token of the request, at a resource.
    pub token: Option<&'a Opaque>,
    /// Whether a nonce is one of this server's that still counts. Without it no nonce is asked for.
    pub nonce: Option<&'a dyn Fn(&str) -> bool>,
    /// Now.
    pub now: Timestamp,
}

impl fmt::Debug for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

/// A proof that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The key.
    pub key: PublicKey,
    /// Its thumbprint, as base64url: what a token is bound to (`cnf.jkt`, §6.1).
    pub thumbprint: String,
    /// Whoever remembers it, with the thumbprint, until [`Self::until`] refuses replays (§11.1).
    pub jti: String,
    /// After this time the proof would be refused anyway.
    pub until: Timestamp,
}

impl<'a> Proof<'a> {
    /// Reads the one `DPoP` header of a request. `None` where there is none.
    pub fn from_headers(headers: &[&'a str]) -> Result<Option<Self>, DpopError> {
        match headers {
            [] => Ok(None),
            [one] => Self::parse(one).map(Some),
            _ => Err(DpopError::Count),
        }
    }

    /// Reads a proof.
    pub fn parse(text: &'a str) -> Result<Self, DpopError> {
        let token = Jws::parse(text, MAX_PROOF).map_err(|error| match error {
            vidimus_credential::jws::JwsError::Algorithm => DpopError::Algorithm,
            _ => DpopError::Malformed,
        })?;
        if !token.header().is_type(TYPE) {
            return Err(DpopError::Malformed);
        }
        let header = token.header_members();
        let key = jwk::signing(header.get("jwk").ok_or(DpopError::Key)?).map_err(|_| DpopError::Key)?;
        let claims = token.claims().map_err(|_| DpopError::Malformed)?;
        let text = |name| wire::text(&claims, name).map_err(|_| DpopError::Malformed);
        let issued_at = wire::time(&claims, "iat").map_err(|_| DpopError::Malformed)?;
        let jti = text("jti")?
            .filter(|jti| jti.len() <= 256)
            .ok_or(DpopError::Malformed)?;
        Ok(Self {
            key,
            method: text("htm")?.ok_or(DpopError::Malformed)?,
            url: text("htu")?.and_then(|url| target(&url)).ok_or(DpopError::Malformed)?,
            issued_at: issued_at.ok_or(DpopError::Malformed)?,
            jti,
            nonce: text("nonce")?,
            token_hash: text("ath")?,
            token,
        })
    }

    /// The nonce that it claims, to be looked up before it is verified.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// Verifies it (§4.3). Whether its `jti` was seen before is the caller's to find out.
    pub fn verify(self, expected: &Expected<'_>, provider: &dyn Provider) -> Result<Proven, DpopError> {
        let algorithm = self.token.header().algorithm;
        if !expected.algorithms.contains(&algorithm) {
            return Err(DpopError::Algorithm);
        }
        if !self.key.fits(algorithm) {
            return Err(DpopError::Key);
        }
        provider
            .verify(algorithm, &self.key, self.token.message(), self.token.signature())
            .map_err(|_| DpopError::Signature)?;
        if self.method != expected.request.method || Some(&self.url) != target(expected.request.url).as_ref() {
            return Err(DpopError::Request);
        }
        match (expected.token, &self.token_hash) {
            (None, _) => {}
            (Some(token), Some(claimed)) if *claimed == hash(token, provider) => {}
            _ => return Err(DpopError::Token),
        }
        if let Some(known) = expected.nonce
            && !self.nonce.as_deref().is_some_and(known)
        {
            return Err(DpopError::Nonce);
        }
        if expected.now.since(self.issued_at).abs() > WINDOW {
            return Err(DpopError::Time);
        }
        Ok(Proven {
            thumbprint: jwk::thumbprint(&self.key, provider).ok_or(DpopError::Key)?,
            key: self.key,
            jti: self.jti,
            until: self.issued_at.plus(WINDOW),
        })
    }
}

/// A URL as two are compared (§4.3: without query and fragment, normalised as RFC 3986 §6.2.2 and §6.2.3 ask).
fn target(text: &str) -> Option<Url> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let mut url = Url::parse(text).ok().filter(Url::has_host)?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}
