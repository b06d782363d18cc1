//! How a wallet authenticates: its provider attests its key, and it proves that it holds it (draft-ietf-oauth-attestation-based-client-auth-07,
//! OpenID4VCI appendix E, HAIP §4.4.1).
//!
//! The attestation is signed by a certificate that one of the trusted attesters' roots issued, for signing JSON Web Tokens or for nothing in
//! particular: where one authority certifies verifiers too, theirs do not attest wallets. `-08` no longer has `iss` in the proof of
//! possession: it is made here, and when it is read it may be absent, but not another than the client.
//! Before `-06` it had `exp`, which servers still ask for: it is made here.

use super::{
    ErrorCode, Identifier, jwk,
    signed::{self, SignedError},
    wire::{self, MAX_TEXT},
};
use serde_json::{Map, Value, json};
use std::fmt;
use vidimus_core::{Algorithm, Entropy, Provider, PublicKey, SignError, Signer, Timestamp, encoding};
use vidimus_credential::{
    jws::{Jws, JwsError},
    x509::{Certificate, CertificateError},
};

/// The header with the attestation.
pub const HEADER: &str = "OAuth-Client-Attestation";
/// The header with the proof of possession.
pub const POP_HEADER: &str = "OAuth-Client-Attestation-PoP";
/// The `typ` of the attestation.
pub const TYPE: &str = "oauth-client-attestation+jwt";
/// The `typ` of the proof of possession.
pub const POP_TYPE: &str = "oauth-client-attestation-pop+jwt";
/// The longest attestation that is read; a certificate is most of it.
pub const MAX_ATTESTATION: usize = 24 << 10;
/// How far a proof's `iat` may lie back, and ahead, in seconds.
pub const WINDOW: i64 = 60;

/// A client attestation to be made, by the wallet's provider.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// Who attests.
    pub issuer: &'a str,
    /// The wallet software: one value for all its instances (HAIP §4.4.1).
    pub client_id: &'a str,
    /// The key of this instance, for one issuer alone (HAIP §4.4.1: attestations are not reused across issuers).
    pub key: &'a PublicKey,
    /// Now.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The wallet's name, for people.
    pub wallet_name: Option<&'a str>,
    /// Where to read about it.
    pub wallet_link: Option<&'a str>,
    /// How to learn that it was withdrawn (Token Status List).
    pub status: Option<&'a Value>,
}

impl Draft<'_> {
    /// Signs it. `chain` is the signer's certificate, DER, without the trust anchor (HAIP §4.4.1).
    pub fn sign(&self, signer: &dyn Signer, algorithm: Algorithm, chain: &[Vec<u8>]) -> Result<String, SignError> {
        let key = self.key.to_jwk().ok_or(SignError::Algorithm(algorithm))?;
        let chain: Vec<String> = chain.iter().map(|der| encoding::base64(der)).collect();
        let mut payload = json!({
            "iss": self.issuer,
            "sub": self.client_id,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "cnf": {"jwk": key},
        });
        for (name, value) in [("wallet_name", self.wallet_name), ("wallet_link", self.wallet_link)] {
            if let Some(value) = value {
                payload[name] = value.into();
            }
        }
        if let Some(status) = self.status {
            payload["status"] = status.clone();
        }
        let header = json!({"typ": TYPE, "alg": algorithm.name(), "x5c": chain});
        wire::sign(signer, algorithm, header, &payload)
    }
}

/// Makes the proof of possession, with the attested key, for the authorization server `audience`.
pub fn prove(
    signer: &dyn Signer,
    algorithm: Algorithm,
    client_id: &str,
    audience: &Identifier,
    challenge: Option<&str>,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<String, SignError> {
    let mut jti = [0; 16];
    entropy.fill(&mut jti);
    let mut payload = json!({
        "iss": client_id,
        "aud": audience,
        "jti": encoding::base64url(&jti),
        "iat": now,
        "exp": now.plus(WINDOW),
    });
    if let Some(challenge) = challenge {
        payload["challenge"] = challenge.into();
    }
    wire::sign(
        signer,
        algorithm,
        json!({"typ": POP_TYPE, "alg": algorithm.name()}),
        &payload,
    )
}

/// Why a client is not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// There is not exactly one of each header.
    #[error("exactly one client attestation and one proof of possession are needed")]
    Count,
    /// The attestation is not a readable JWT of its type, or a claim is missing or malformed.
    #[error("not a client attestation")]
    Malformed,
    /// The proof of possession is not.
    #[error("not a proof of possession of a client attestation")]
    PopMalformed,
    /// One of them is signed with an algorithm that this server does not list.
    #[error("signed with an algorithm that is not accepted")]
    Algorithm,
    /// No trusted root issued the certificate that signs the attestation.
    #[error("the client attestation's signer is not trusted")]
    Signer(#[source] CertificateError),
    /// The attestation's signature does not verify.
    #[error("the client attestation's signature does not verify")]
    Signature,
    /// The attestation has ended, or has not begun.
    #[error("the client attestation is not within its time")]
    Expired,
    /// The attestation is older than this server takes.
    #[error("the client attestation is too old")]
    Old,
    /// The attested key is no public key that signs so.
    #[error("the attested key is not accepted")]
    Key,
    /// The proof's signature does not verify with the attested key.
    #[error("the proof of possession does not verify with the attested key")]
    PopSignature,
    /// The proof names another client than the attestation, or the request does.
    #[error("the client attestation is another client's")]
    Client,
    /// The proof was made for another server.
    #[error("the proof of possession was made for another server")]
    Audience,
    /// The proof was made too long ago, or in the future.
    #[error("the proof of possession was not made just now")]
    Time,
    /// The proof lacks the server's challenge, or has an old one.
    #[error("the proof of possession needs a challenge of this server")]
    Challenge,
}

impl AttestationError {
    /// Its code (§6.2).
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Challenge => ErrorCode::UseAttestationChallenge,
            Self::Old => ErrorCode::UseFreshAttestation,
            Self::Client => ErrorCode::InvalidClient,
            _ => ErrorCode::InvalidClientAttestation,
        }
    }
}

/// The two tokens as they were read.
pub struct Headers<'a> {
    attestation: Jws<'a>,
    claims: Map<String, Value>,
    pop: Jws<'a>,
    pop_claims: Map<String, Value>,
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Headers(…)")
    }
}

/// What they must be.
pub struct Expected<'a> {
    /// This authorization server.
    pub audience: &'a Identifier,
    /// Roots whose certificates may sign attestations; intermediate authorities may stand in `x5c`.
    pub roots: &'a [Certificate],
    /// The algorithms that the metadata list, for attestations.
    pub algorithms: &'a [Algorithm],
    /// The same for proofs of possession.
    pub pop_algorithms: &'a [Algorithm],
    /// `client_id` of the request, if there is one.
    pub client_id: Option<&'a str>,
    /// Whether a challenge is one of this server's that still counts. Without it none is asked for.
    pub challenge: Option<&'a dyn Fn(&str) -> bool>,
    /// How old an attestation may be, in seconds, by its `iat`.
    pub max_age: Option<i64>,
    /// Now.
    pub now: Timestamp,
}

impl fmt::Debug for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected")
            .field("audience", self.audience)
            .finish_non_exhaustive()
    }
}

/// A wallet that was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The wallet software.
    pub client_id: String,
    /// Who attested, as it calls itself; what is trusted is the certificate.
    pub issuer: String,
    /// The fingerprint of the certificate that signed.
    pub signer: vidimus_core::Digest,
    /// The key of this instance.
    pub key: PublicKey,
    /// Its thumbprint: a refresh token is bound to it (§10.3).
    pub thumbprint: String,
    /// When the attestation ends.
    pub expires_at: Timestamp,
    /// The wallet's name.
    pub wallet_name: Option<String>,
    /// Where to look whether the attestation was withdrawn.
    pub status: Option<Value>,
    /// Whoever remembers it, with the thumbprint, until [`Self::until`] refuses replays (§12.1).
    pub jti: String,
    /// After this time the proof would be refused anyway.
    pub until: Timestamp,
}

impl<'a> Headers<'a> {
    /// Reads the two headers of a request, given all values of each. `None` where there is neither.
    pub fn parse(attestation: &[&'a str], pop: &[&'a str]) -> Result<Option<Self>, AttestationError> {
        let (attestation, pop) = match (attestation, pop) {
            ([], []) => return Ok(None),
            ([attestation], [pop]) => (*attestation, *pop),
            _ => return Err(AttestationError::Count),
        };
        let (attestation, claims) = read(attestation, TYPE, AttestationError::Malformed)?;
        let (pop, pop_claims) = read(pop, POP_TYPE, AttestationError::PopMalformed)?;
        Ok(Some(Self {
            attestation,
            claims,
            pop,
            pop_claims,
        }))
    }

    /// The challenge that the proof claims, to be looked up before it is verified.
    pub fn challenge(&self) -> Option<&str> {
        self.pop_claims.get("challenge").and_then(Value::as_str)
    }

    /// Verifies both (§9).
    pub fn verify(self, expected: &Expected<'_>, provider: &dyn Provider) -> Result<Client, AttestationError> {
        let malformed = |_| AttestationError::Malformed;
        let algorithm = self.attestation.header().algorithm;
        let pop_algorithm = self.pop.header().algorithm;
        if !expected.algorithms.contains(&algorithm) || !expected.pop_algorithms.contains(&pop_algorithm) {
            return Err(AttestationError::Algorithm);
        }
        let signer = signed::signer(
            &self.attestation,
            expected.roots,
            Some(signed::JWT),
            expected.now,
            provider,
        )
        .map_err(|error| match error {
            SignedError::Signature => AttestationError::Signature,
            SignedError::Signer(error) => AttestationError::Signer(error),
        })?;

        let text = |name| wire::text(&self.claims, name).map_err(malformed);
        let time = |name| wire::time(&self.claims, name).map_err(malformed);
        let client_id = text("sub")?.ok_or(AttestationError::Malformed)?;
        let expires_at = time("exp")?.ok_or(AttestationError::Malformed)?;
        let issued_at = time("iat")?;
        let not_before = [time("nbf")?, issued_at];
        if expires_at <= expected.now
            || not_before
                .into_iter()
                .flatten()
                .any(|from| from > expected.now.plus(WINDOW))
        {
            return Err(AttestationError::Expired);
        }
        if let Some(age) = expected.max_age
            && issued_at.is_none_or(|made| expected.now.since(made) > age)
        {
            return Err(AttestationError::Old);
        }
        let key = self.claims.get("cnf").and_then(|cnf| cnf.get("jwk"));
        let key = jwk::signing(key.ok_or(AttestationError::Malformed)?).map_err(|_| AttestationError::Key)?;
        if !key.fits(pop_algorithm) {
            return Err(AttestationError::Key);
        }
        let (jti, until) = self.verify_pop(&key, &client_id, expected, provider)?;
        Ok(Client {
            issuer: text("iss")?.ok_or(AttestationError::Malformed)?,
            signer: signer.fingerprint(provider),
            thumbprint: jwk::thumbprint(&key, provider).ok_or(AttestationError::Key)?,
            wallet_name: text("wallet_name")?,
            status: self.claims.get("status").cloned(),
            client_id,
            key,
            expires_at,
            jti,
            until,
        })
    }

    fn verify_pop(
        &self,
        key: &PublicKey,
        client_id: &str,
        expected: &Expected<'_>,
        provider: &dyn Provider,
    ) -> Result<(String, Timestamp), AttestationError> {
        let malformed = |_| AttestationError::PopMalformed;
        let pop = &self.pop;
        provider
            .verify(pop.header().algorithm, key, pop.message(), pop.signature())
            .map_err(|_| AttestationError::PopSignature)?;
        let claims = &self.pop_claims;
        let named = [
            wire::text(claims, "iss").map_err(malformed)?.as_deref(),
            expected.client_id,
        ]
        .into_iter()
        .flatten()
        .any(|named| named != client_id);
        if named {
            return Err(AttestationError::Client);
        }
        // The identifier as a text, not a list of it alone (FAPI 2.0 §5.3.2.1).
        if claims.get("aud").and_then(Value::as_str) != Some(expected.audience.as_str()) {
            return Err(AttestationError::Audience);
        }
        let challenge = wire::text(claims, "challenge").map_err(malformed)?;
        if let Some(known) = expected.challenge
            && !challenge.as_deref().is_some_and(known)
        {
            return Err(AttestationError::Challenge);
        }
        let time = |name| wire::time(claims, name).map_err(malformed);
        let issued_at = time("iat")?.ok_or(AttestationError::PopMalformed)?;
        let soon = expected.now.plus(WINDOW);
        if expected.now.since(issued_at).abs() > WINDOW
            || time("nbf")?.is_some_and(|from| from > soon)
            || time("exp")?.is_some_and(|end| end <= expected.now)
        {
            return Err(AttestationError::Time);
        }
        let jti = wire::text(claims, "jti").map_err(malformed)?;
        let jti = jti
            .filter(|jti| jti.len() <= 256)
            .ok_or(AttestationError::PopMalformed)?;
        Ok((jti, issued_at.plus(WINDOW)))
    }
}

fn read<'a>(
    text: &'a str,
    typ: &str,
    malformed: AttestationError,
) -> Result<(Jws<'a>, Map<String, Value>), AttestationError> {
    let token = Jws::parse(text, MAX_ATTESTATION).map_err(|error| match error {
        JwsError::Algorithm => AttestationError::Algorithm,
        _ => malformed,
    })?;
    if !token.header().is_type(typ) {
        return Err(malformed);
    }
    let claims = token.claims().map_err(|_| malformed)?;
    if claims
        .values()
        .any(|value| value.as_str().is_some_and(|text| text.len() > MAX_TEXT))
    {
        return Err(malformed);
    }
    Ok((token, claims))
}
