//! Who signed a token that holds its signer's certificate (`x5c`).

use vidimus_core::{Provider, Timestamp};
use vidimus_credential::{
    jws::Jws,
    x509::{self, Certificate, CertificateError, usage},
};

/// Extended key usage of who signs JSON Web Tokens (`id-kp-jwt`, RFC 9509 §3).
pub(crate) const JWT: &str = usage::STATUS_LIST;

/// Why a token's signer is not accepted.
pub(crate) enum SignedError {
    /// The certificate is not one of a trusted root, or not for this.
    Signer(CertificateError),
    /// The certificate's key did not sign.
    Signature,
}

/// The certificate that signed `token`: below one of `roots`, which are not in the chain, and not self-signed (HAIP §4.1, §4.4.1, §4.5.1). Where a
/// `usage` is given, a certificate for other usages is refused.
pub(crate) fn signer(
    token: &Jws<'_>,
    roots: &[Certificate],
    usage: Option<&str>,
    now: Timestamp,
    provider: &dyn Provider,
) -> Result<Certificate, SignedError> {
    let header = token.header();
    let leaf = x509::leaf_of_path(&header.x5c, roots, now, provider).map_err(SignedError::Signer)?;
    let usable = usage.is_none_or(|usage| leaf.allows(&[usage]));
    if !usable || !leaf.public_key.fits(header.algorithm) || leaf.digital_signature == Some(false) {
        return Err(SignedError::Signer(CertificateError::Key));
    }
    provider
        .verify(header.algorithm, &leaf.public_key, token.message(), token.signature())
        .map_err(|_| SignedError::Signature)?;
    Ok(leaf)
}
