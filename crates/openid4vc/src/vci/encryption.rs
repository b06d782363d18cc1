//! Encrypted requests and responses of the credential endpoints (OpenID4VCI §10): the same JSON inside a JWE, with the media type
//! `application/jwt`.

use super::{
    metadata::{RequestEncryption, ResponseEncryption},
    request::EncryptTo,
};
use crate::jwe::{self, ContentEncryption, ECDH_ES, Jwe, JweError, Parameters, Recipient};
use vidimus_core::{Encryption, Entropy, Secret, SecretBytes};

/// The media type of what is encrypted.
pub const MEDIA_TYPE: &str = "application/jwt";
/// The one compression (RFC 7516 §4.1.3).
const DEFLATE: &str = "DEF";

/// Why a message is not encrypted or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// The JWE is not readable, or does not open.
    #[error("the encrypted message cannot be used")]
    Jwe(#[source] JweError),
    /// It is encrypted, or asks to be, in a way that was not offered, or that is not known here.
    #[error("the message is to be encrypted in a way that was not offered")]
    NotOffered,
    /// It names a key that is none of the issuer's.
    #[error("the message is encrypted to a key that is not known")]
    Key,
}

/// What a wallet asks for the response to be encrypted with: `private` is the half that it keeps, for this one response. `None` where nothing that
/// the metadata list is known here.
pub fn ask(
    offered: &ResponseEncryption,
    crypto: &dyn Encryption,
    entropy: &mut dyn Entropy,
) -> Result<(EncryptTo, Secret<[u8; 32]>), EncryptionError> {
    let alg = offered.alg_values_supported.iter().any(|name| name == ECDH_ES);
    let enc = preferred(&offered.enc_values_supported).filter(|_| alg);
    let enc = enc.ok_or(EncryptionError::NotOffered)?;
    let private = jwe::generate_key(crypto, entropy).map_err(EncryptionError::Jwe)?;
    let key = crypto
        .p256_public(&private)
        .ok_or(EncryptionError::Jwe(JweError::Entropy))?;
    let wanted = EncryptTo {
        key,
        alg: ECDH_ES.to_owned(),
        kid: None,
        enc: enc.name().to_owned(),
        zip: None,
    };
    Ok((wanted, private))
}

fn preferred(listed: &[String]) -> Option<ContentEncryption> {
    let lists = |one: &ContentEncryption| listed.iter().any(|name| name == one.name());
    ContentEncryption::ALL.into_iter().find(lists)
}

/// Encrypts a request to one of the issuer's keys.
pub fn seal_request(
    request: &str,
    offered: &RequestEncryption,
    crypto: &dyn Encryption,
    entropy: &mut dyn Entropy,
) -> Result<String, EncryptionError> {
    let key = offered.jwks.agreement_keys(ECDH_ES).next();
    let (kid, key) = key.ok_or(EncryptionError::NotOffered)?;
    let enc = preferred(&offered.enc_values_supported).ok_or(EncryptionError::NotOffered)?;
    let recipient = Recipient {
        key,
        kid: Some(kid.to_owned()),
    };
    let parameters = Parameters::default();
    jwe::encrypt(&recipient, enc, &parameters, request.as_bytes(), crypto, entropy).map_err(EncryptionError::Jwe)
}

/// Opens a request. `key` gives the issuer's private key of a `kid`; what is encrypted in a way that the metadata do not list is refused.
pub fn open_request(
    body: &str,
    offered: &RequestEncryption,
    key: &dyn Fn(&str) -> Option<Secret<[u8; 32]>>,
    max_bytes: usize,
    crypto: &dyn Encryption,
) -> Result<SecretBytes, EncryptionError> {
    let message = Jwe::parse(body, max_bytes).map_err(EncryptionError::Jwe)?;
    let enc = message.encryption().name();
    if !offered.enc_values_supported.iter().any(|name| name == enc) {
        return Err(EncryptionError::NotOffered);
    }
    let zips = offered.zip_values_supported.as_deref().unwrap_or_default();
    let inflate = zips.iter().any(|zip| zip == DEFLATE).then_some(max_bytes);
    let private = message.kid().and_then(key).ok_or(EncryptionError::Key)?;
    message.decrypt(&private, inflate, crypto).map_err(EncryptionError::Jwe)
}

/// Encrypts a response as the wallet asked, which [`EncryptTo::is_offered`] allowed.
pub fn seal_response(
    response: &str,
    wanted: &EncryptTo,
    crypto: &dyn Encryption,
    entropy: &mut dyn Entropy,
) -> Result<String, EncryptionError> {
    let enc = ContentEncryption::from_name(&wanted.enc).filter(|_| wanted.alg == ECDH_ES);
    let zip = wanted.zip.as_deref();
    if zip.is_some_and(|zip| zip != DEFLATE) {
        return Err(EncryptionError::NotOffered);
    }
    let recipient = Recipient {
        key: wanted.key.clone(),
        kid: wanted.kid.clone(),
    };
    let parameters = Parameters {
        compressed: zip.is_some(),
        ..Parameters::default()
    };
    let enc = enc.ok_or(EncryptionError::NotOffered)?;
    jwe::encrypt(&recipient, enc, &parameters, response.as_bytes(), crypto, entropy).map_err(EncryptionError::Jwe)
}

/// Opens a response that was asked for with [`ask`].
pub fn open_response(
    body: &str,
    wanted: &EncryptTo,
    private: &Secret<[u8; 32]>,
    max_bytes: usize,
    crypto: &dyn Encryption,
) -> Result<SecretBytes, EncryptionError> {
    let message = Jwe::parse(body, max_bytes).map_err(EncryptionError::Jwe)?;
    if message.encryption().name() != wanted.enc || message.kid() != wanted.kid.as_deref() {
        return Err(EncryptionError::NotOffered);
    }
    message.decrypt(private, None, crypto).map_err(EncryptionError::Jwe)
}
