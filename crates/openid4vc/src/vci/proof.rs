//! Proofs of the keys that credentials are to be bound to (OpenID4VCI §8.2, appendix F).

use super::{
    error::CredentialErrorCode,
    key_attestation::{Attested, KeyAttestation, KeyAttestationError},
    metadata::ProofType,
    request::Proofs,
};
use crate::oauth::{Identifier, jwk, wire};
use serde_json::{Map, Value, json};
use std::fmt;
use vidimus_core::{Address, Algorithm, Provider, PublicKey, SignError, Signer, Timestamp, encoding};
use vidimus_credential::{
    jws::{Jws, JwsError},
    x509::Certificate,
};

/// The `typ` of a proof of the type `jwt`.
pub const TYPE: &str = "openid4vci-proof+jwt";
/// The longest proof that is read; a key attestation is most of it.
pub const MAX_PROOF: usize = 192 << 10;
/// How far `iat` may lie back, and ahead, in seconds.
pub const WINDOW: i64 = 300;

/// How a proof names its key.
#[derive(Debug, Clone, Copy)]
pub enum KeyName<'a> {
    /// As `jwk`: the credential is bound to the key itself.
    Jwk,
    /// As a DID URL in `kid`: the credential is bound to the DID.
    Did(&'a str),
}

/// A proof to be made.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// Whom it is for.
    pub issuer: &'a Identifier,
    /// The issuer's nonce.
    pub nonce: Option<&'a str>,
    /// `client_id`; `None` where the token was had anonymously.
    pub client_id: Option<&'a str>,
    /// An attestation of the key.
    pub key_attestation: Option<&'a str>,
    /// Now.
    pub issued_at: Timestamp,
}

impl Draft<'_> {
    /// Signs it with the key that it is about.
    pub fn sign(&self, signer: &dyn Signer, algorithm: Algorithm, name: KeyName<'_>) -> Result<String, SignError> {
        let mut header = json!({"typ": TYPE, "alg": algorithm.name()});
        match name {
            KeyName::Jwk => {
                let jwk = signer.public_key().to_jwk();
                header["jwk"] = jwk.ok_or(SignError::Algorithm(algorithm))?;
            }
            KeyName::Did(kid) => header["kid"] = json!(kid),
        }
        if let Some(attestation) = self.key_attestation {
            header["key_attestation"] = json!(attestation);
        }
        let mut payload = json!({"aud": self.issuer, "iat": self.issued_at});
        if let Some(client_id) = self.client_id {
            payload["iss"] = json!(client_id);
        }
        if let Some(nonce) = self.nonce {
            payload["nonce"] = json!(nonce);
        }
        wire::sign(signer, algorithm, header, &payload)
    }
}

/// What a DID URL leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Controller {
    /// A key.
    Key(PublicKey),
    /// An account whose key shows in its signatures only (did:ethr).
    Account(Address),
}

/// What a credential is to be bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HolderKey {
    /// The key itself.
    Jwk(PublicKey),
    /// A DID.
    Did {
        /// The DID URL of the key.
        kid: String,
        /// What it led to.
        controller: Controller,
    },
}

impl HolderKey {
    /// The DID without its fragment.
    pub fn did(&self) -> Option<&str> {
        match self {
            Self::Jwk(_) => None,
            Self::Did { kid, .. } => kid.split(['#', '?']).next(),
        }
    }
    fn is_same(&self, other: &Self) -> bool {
        let controller = |key: &Self| match key {
            Self::Jwk(key) => Controller::Key(key.clone()),
            Self::Did { controller, .. } => controller.clone(),
        };
        controller(self) == controller(other)
    }
}

/// Why proofs are not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not a readable JWT of this type, or a claim is missing or malformed.
    #[error("a proof is malformed")]
    Malformed,
    /// Signed with an algorithm that the metadata do not list.
    #[error("a proof is signed with an algorithm that is not accepted")]
    Algorithm,
    /// Not exactly one of `jwk`, `kid` and `x5c`, a private or unsuitable key, or a DID that leads to none.
    #[error("a proof's key is not accepted")]
    Key,
    /// The key is named in a way that the metadata do not list.
    #[error("a proof names its key in a way that is not supported")]
    Binding,
    /// The signature does not verify.
    #[error("a proof's signature does not verify")]
    Signature,
    /// `aud` is not this issuer.
    #[error("a proof was made for another issuer")]
    Audience,
    /// `iss` is not the client that the token was given to.
    #[error("a proof was made by another client")]
    Client,
    /// Made too long ago, or in the future.
    #[error("a proof was not made just now")]
    Time,
    /// It has no nonce.
    #[error("a proof has no nonce")]
    NonceMissing,
    /// Its nonce is not, or no longer, one of this issuer's, or not that of the other proofs.
    #[error("a proof's nonce is not one of this issuer's")]
    Nonce,
    /// The same key twice.
    #[error("two proofs are for the same key")]
    SameKey,
    /// More keys than one request may be for.
    #[error("there are more proofs than one request may have")]
    TooMany,
    /// The metadata demand a key attestation, and there is none.
    #[error("a key attestation is needed")]
    AttestationMissing,
    /// The key attestation is not accepted.
    #[error("the key attestation is not accepted")]
    Attestation(#[source] KeyAttestationError),
    /// The proof is signed with a key that its attestation does not name.
    #[error("a proof's key is not in its key attestation")]
    NotAttested,
}

impl ProofError {
    /// Its code (§8.3.1.2).
    pub const fn code(self) -> CredentialErrorCode {
        match self {
            Self::Nonce => CredentialErrorCode::InvalidNonce,
            _ => CredentialErrorCode::InvalidProof,
        }
    }
}

/// What proofs must be.
pub struct Expected<'a> {
    /// This issuer.
    pub issuer: &'a Identifier,
    /// What the metadata say of the proof type.
    pub proof_type: &'a ProofType,
    /// How keys may be named (`cryptographic_binding_methods_supported`).
    pub binding_methods: &'a [String],
    /// Whether a nonce is one of this issuer's that still counts. `None` for an issuer without a nonce endpoint.
    pub nonce: Option<&'a dyn Fn(&str) -> bool>,
    /// The client that the token was given to; `None` where it was had anonymously.
    pub client_id: Option<&'a str>,
    /// The most keys in one request.
    pub max_keys: usize,
    /// Roots whose certificates may sign key attestations.
    pub roots: &'a [Certificate],
    /// Where DID URLs lead; `did:jwk` is read here.
    pub resolve: &'a dyn Fn(&str) -> Option<Controller>,
    /// Now.
    pub now: Timestamp,
}

impl fmt::Debug for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected")
            .field("issuer", self.issuer)
            .finish_non_exhaustive()
    }
}

/// Keys whose holder was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// What to bind a copy each to, no two the same, at most [`Expected::max_keys`].
    pub keys: Vec<HolderKey>,
    /// The nonce: the caller uses it up.
    pub nonce: Option<String>,
    /// What was attested of the keys, by each attestation.
    pub attested: Vec<Attested>,
}

/// Proofs as they were read: claims of whoever sent them.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// Proofs of possession.
    Jwt(Vec<JwtProof<'a>>),
    /// A key attestation alone.
    Attestation(Box<KeyAttestation<'a>>),
}

/// A proof of possession as it was read.
pub struct JwtProof<'a> {
    token: Jws<'a>,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    nonce: Option<String>,
}

impl fmt::Debug for JwtProof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtProof(…)")
    }
}

impl<'a> Parsed<'a> {
    /// Reads them.
    pub fn parse(proofs: &'a Proofs) -> Result<Self, ProofError> {
        match proofs {
            Proofs::Jwt(tokens) => tokens
                .iter()
                .map(|token| JwtProof::parse(token))
                .collect::<Result<_, _>>()
                .map(Self::Jwt),
            Proofs::Attestation(token) => KeyAttestation::parse(token)
                .map(|attestation| Self::Attestation(Box::new(attestation)))
                .map_err(ProofError::Attestation),
        }
    }
    /// The nonce that they claim, to be looked up before they are verified.
    pub fn nonce(&self) -> Option<&str> {
        match self {
            Self::Jwt(proofs) => proofs.iter().find_map(|proof| proof.nonce.as_deref()),
            Self::Attestation(attestation) => attestation.nonce(),
        }
    }
    /// The DID URLs that they name their keys by, to be resolved before they are verified.
    pub fn dids(&self) -> impl Iterator<Item = &str> {
        let proofs = match self {
            Self::Jwt(proofs) => proofs.as_slice(),
            Self::Attestation(_) => &[],
        };
        proofs
            .iter()
            .filter_map(|proof| proof.token.header().kid.as_deref())
            .filter(|kid| kid.starts_with("did:"))
    }

    /// Verifies all of them (appendix F.4): one that is wrong refuses them all.
    pub fn verify(self, expected: &Expected<'_>, provider: &dyn Provider) -> Result<Proven, ProofError> {
        let nonce = self.nonce().map(str::to_owned);
        match self {
            Self::Attestation(attestation) => {
                check_nonce(attestation.nonce(), None, expected)?;
                check_method("jwk", expected)?;
                let attested = verify_attestation(*attestation, expected, false, provider)?;
                let keys = attested.keys.iter().take(expected.max_keys).cloned();
                Ok(Proven {
                    keys: keys.map(HolderKey::Jwk).collect(),
                    nonce,
                    attested: vec![attested],
                })
            }
            Self::Jwt(proofs) => verify_proofs(proofs, nonce, expected, provider),
        }
    }
}

fn verify_proofs(
    proofs: Vec<JwtProof<'_>>,
    nonce: Option<String>,
    expected: &Expected<'_>,
    provider: &dyn Provider,
) -> Result<Proven, ProofError> {
    if proofs.len() > expected.max_keys {
        return Err(ProofError::TooMany);
    }
    let alone = proofs.len() == 1;
    let mut keys: Vec<HolderKey> = Vec::new();
    let mut attested = Vec::new();
    for proof in proofs {
        let (key, attestation) = proof.verify(nonce.as_deref(), expected, provider)?;
        if keys.iter().any(|known| known.is_same(&key)) {
            return Err(ProofError::SameKey);
        }
        keys.push(key);
        attested.extend(attestation);
    }
    // One proof with an attestation stands for all keys that it names (appendix F.1).
    if let ([HolderKey::Jwk(proved)], [attestation], true) = (keys.as_slice(), attested.as_slice(), alone) {
        let others = attestation.keys.iter().filter(|key| *key != proved).cloned();
        let all = std::iter::once(proved.clone()).chain(others);
        keys = all.take(expected.max_keys).map(HolderKey::Jwk).collect();
    }
    Ok(Proven { keys, nonce, attested })
}

fn verify_attestation(
    attestation: KeyAttestation<'_>,
    expected: &Expected<'_>,
    must_end: bool,
    provider: &dyn Provider,
) -> Result<Attested, ProofError> {
    let required = expected
        .proof_type
        .key_attestations_required
        .clone()
        .unwrap_or_default();
    let algorithms = expected.proof_type.algorithms();
    attestation
        .verify(expected.roots, &algorithms, &required, must_end, expected.now, provider)
        .map_err(ProofError::Attestation)
}

/// The nonce must be one of the issuer's, and that of the other proofs.
fn check_nonce(nonce: Option<&str>, others: Option<&str>, expected: &Expected<'_>) -> Result<(), ProofError> {
    let Some(known) = expected.nonce else { return Ok(()) };
    let nonce = nonce.ok_or(ProofError::NonceMissing)?;
    if known(nonce) && others.is_none_or(|others| others == nonce) {
        Ok(())
    } else {
        Err(ProofError::Nonce)
    }
}

fn check_method(method: &str, expected: &Expected<'_>) -> Result<(), ProofError> {
    if expected.binding_methods.iter().any(|known| known == method) {
        Ok(())
    } else {
        Err(ProofError::Binding)
    }
}

impl<'a> JwtProof<'a> {
    fn parse(text: &'a str) -> Result<Self, ProofError> {
        let token = Jws::parse(text, MAX_PROOF).map_err(|error| match error {
            JwsError::Algorithm => ProofError::Algorithm,
            _ => ProofError::Malformed,
        })?;
        if !token.header().is_type(TYPE) {
            return Err(ProofError::Malformed);
        }
        let header = token.header_members();
        let claims = token.claims().map_err(|_| ProofError::Malformed)?;
        let nonce = wire::text(&claims, "nonce").map_err(|_| ProofError::Malformed)?;
        Ok(Self {
            header,
            claims,
            nonce,
            token,
        })
    }

    fn verify(
        &self,
        nonce: Option<&str>,
        expected: &Expected<'_>,
        provider: &dyn Provider,
    ) -> Result<(HolderKey, Option<Attested>), ProofError> {
        let algorithm = self.token.header().algorithm;
        if !expected.proof_type.algorithms().contains(&algorithm) {
            return Err(ProofError::Algorithm);
        }
        let attestation = match self.header.get("key_attestation") {
            None => None,
            Some(Value::String(text)) => Some(KeyAttestation::parse(text).map_err(ProofError::Attestation)?),
            Some(_) => return Err(ProofError::Malformed),
        };
        let key = self.key(attestation.as_ref(), expected)?;
        self.verify_signature(&key, algorithm, provider)?;
        self.check_claims(nonce, expected)?;
        let Some(attestation) = attestation else {
            return match expected.proof_type.key_attestations_required {
                None => Ok((key, None)),
                Some(_) => Err(ProofError::AttestationMissing),
            };
        };
        // Nobody is trusted to attest, and nobody is asked to: it says nothing.
        if expected.roots.is_empty() && expected.proof_type.key_attestations_required.is_none() {
            return Ok((key, None));
        }
        if attestation.nonce().is_some() {
            check_nonce(attestation.nonce(), nonce, expected)?;
        }
        let attested = verify_attestation(attestation, expected, true, provider)?;
        let named = match &key {
            HolderKey::Jwk(key)
            | HolderKey::Did {
                controller: Controller::Key(key),
                ..
            } => attested.keys.contains(key),
            HolderKey::Did { .. } => false,
        };
        if named {
            Ok((key, Some(attested)))
        } else {
            Err(ProofError::NotAttested)
        }
    }

    /// The key that the header names (appendix F.1): exactly one of `jwk`, `kid` and `x5c`.
    fn key(&self, attestation: Option<&KeyAttestation<'_>>, expected: &Expected<'_>) -> Result<HolderKey, ProofError> {
        let header = self.token.header();
        match (self.header.get("jwk"), header.kid.as_deref(), header.x5c.first()) {
            (Some(jwk), None, None) => {
                check_method("jwk", expected)?;
                jwk::signing(jwk).map(HolderKey::Jwk).map_err(|_| ProofError::Key)
            }
            (None, None, Some(der)) => {
                check_method("jwk", expected)?;
                let certificate = Certificate::from_der(der).map_err(|_| ProofError::Key)?;
                Ok(HolderKey::Jwk(certificate.public_key))
            }
            (None, Some(kid), None) => match (kid.strip_prefix("did:"), attestation) {
                (Some(did), _) => {
                    let method = did.split(':').next().unwrap_or_default();
                    check_method(&format!("did:{method}"), expected)?;
                    let controller = match did.strip_prefix("jwk:") {
                        Some(encoded) => did_jwk(encoded).map(Controller::Key),
                        None => (expected.resolve)(kid),
                    };
                    Ok(HolderKey::Did {
                        kid: kid.to_owned(),
                        controller: controller.ok_or(ProofError::Key)?,
                    })
                }
                (None, Some(attestation)) => {
                    check_method("jwk", expected)?;
                    attestation.key(kid).cloned().map(HolderKey::Jwk).ok_or(ProofError::Key)
                }
                (None, None) => Err(ProofError::Key),
            },
            _ => Err(ProofError::Key),
        }
    }

    fn verify_signature(
        &self,
        key: &HolderKey,
        algorithm: Algorithm,
        provider: &dyn Provider,
    ) -> Result<(), ProofError> {
        let (message, signature) = (self.token.message(), self.token.signature());
        let verified = match key {
            HolderKey::Jwk(key)
            | HolderKey::Did {
                controller: Controller::Key(key),
                ..
            } => {
                if !key.fits(algorithm) {
                    return Err(ProofError::Key);
                }
                provider.verify(algorithm, key, message, signature)
            }
            HolderKey::Did {
                controller: Controller::Account(account),
                ..
            } => provider.verify_account(algorithm, account, message, signature),
        };
        verified.map_err(|_| ProofError::Signature)
    }

    fn check_claims(&self, nonce: Option<&str>, expected: &Expected<'_>) -> Result<(), ProofError> {
        let claims = &self.claims;
        if !wire::is_audience(claims, expected.issuer.as_str()) {
            return Err(ProofError::Audience);
        }
        let client = wire::text(claims, "iss").map_err(|_| ProofError::Malformed)?;
        if let (Some(named), Some(known)) = (client.as_deref(), expected.client_id)
            && named != known
        {
            return Err(ProofError::Client);
        }
        check_nonce(self.nonce.as_deref(), nonce, expected)?;
        let time = |name| wire::time(claims, name).map_err(|_| ProofError::Malformed);
        let issued_at = time("iat")?.ok_or(ProofError::Malformed)?;
        let ended = time("exp")?.is_some_and(|end| end <= expected.now);
        if expected.now.since(issued_at).abs() > WINDOW || ended {
            return Err(ProofError::Time);
        }
        Ok(())
    }
}

/// The key in a `did:jwk`, given what stands behind the method's name; its DID URL ends in `#0`.
fn did_jwk(rest: &str) -> Option<PublicKey> {
    let (encoded, fragment) = rest.split_once('#').unwrap_or((rest, "0"));
    let bytes = encoding::from_base64url(encoded).ok().filter(|_| fragment == "0")?;
    let jwk = vidimus_credential::json::parse(&bytes, wire::MAX_TEXT).ok()?;
    jwk::signing(&jwk).ok()
}
