//! Signed credential issuer metadata (OpenID4VCI §12.2.3, HAIP §4.1): the same document in a JWT, signed by a certificate that one of the wallet's
//! trusted roots issued.

use super::metadata::{IssuerMetadata, MAX_METADATA, MetadataError};
use crate::oauth::{
    Identifier,
    signed::{self, SignedError},
    wire,
};
use serde_json::json;
use vidimus_core::{Algorithm, Provider, SignError, Signer, Timestamp, encoding};
use vidimus_credential::{
    jws::Jws,
    x509::{Certificate, CertificateError},
};

/// The `typ`.
pub const TYPE: &str = "openidvci-issuer-metadata+jwt";
/// The media type that a wallet asks for, and that says that it is signed.
pub const MEDIA_TYPE: &str = "application/jwt";
/// How far `iat` may lie ahead, in seconds.
const SKEW: i64 = 60;

/// Why signed metadata are not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedMetadataError {
    /// Not a readable JWT of this type, or a claim is missing or malformed.
    #[error("not signed credential issuer metadata")]
    Malformed,
    /// No trusted root issued the certificate that signs them.
    #[error("the signer of the metadata is not trusted")]
    Signer(#[source] CertificateError),
    /// The signature does not verify.
    #[error("the signature of the metadata does not verify")]
    Signature,
    /// `sub` is another issuer.
    #[error("the signed metadata are about another credential issuer")]
    Subject,
    /// They have ended, or were not made yet.
    #[error("the signed metadata are not within their time")]
    Time,
    /// The document inside is not used.
    #[error(transparent)]
    Content(#[from] MetadataError),
}

/// Signs metadata. `chain` is the signer's certificate, DER, without the trust anchor.
pub fn sign(
    metadata: &IssuerMetadata,
    signer: &dyn Signer,
    algorithm: Algorithm,
    chain: &[Vec<u8>],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<String, SignError> {
    let mut payload = serde_json::to_value(metadata).expect("texts, numbers and lists of them are JSON");
    payload["iss"] = json!(metadata.credential_issuer);
    payload["sub"] = json!(metadata.credential_issuer);
    payload["iat"] = json!(now);
    payload["exp"] = json!(expires_at);
    let chain: Vec<String> = chain.iter().map(|der| encoding::base64(der)).collect();
    let header = json!({"typ": TYPE, "alg": algorithm.name(), "x5c": chain});
    wire::sign(signer, algorithm, header, &payload)
}

/// Metadata of `issuer` whose signer is trusted.
pub fn verify(
    token: &str,
    issuer: &Identifier,
    roots: &[Certificate],
    now: Timestamp,
    provider: &dyn Provider,
) -> Result<(IssuerMetadata, Certificate), SignedMetadataError> {
    const MALFORMED: SignedMetadataError = SignedMetadataError::Malformed;
    let token = Jws::parse(token, 2 * MAX_METADATA).map_err(|_| MALFORMED)?;
    let header = token.header();
    if !header.is_type(TYPE) {
        return Err(MALFORMED);
    }
    let leaf = signed::signer(&token, roots, None, now, provider).map_err(|error| match error {
        SignedError::Signature => SignedMetadataError::Signature,
        SignedError::Signer(error) => SignedMetadataError::Signer(error),
    })?;
    let claims = token.claims().map_err(|_| MALFORMED)?;
    if wire::text(&claims, "sub").map_err(|_| MALFORMED)?.as_deref() != Some(issuer.as_str()) {
        return Err(SignedMetadataError::Subject);
    }
    let time = |name| wire::time(&claims, name).map_err(|_| MALFORMED);
    let issued_at = time("iat")?.ok_or(MALFORMED)?;
    if issued_at > now.plus(SKEW) || time("exp")?.is_some_and(|end| end <= now) {
        return Err(SignedMetadataError::Time);
    }
    Ok((IssuerMetadata::from_members(claims, issuer)?, leaf))
}
