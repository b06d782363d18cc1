//! HCERT: the EU Digital COVID Certificate and WHO GDHCN health certificate
//! (Electronic Health Certificate Specification 1.3): CWT claims in a COSE_Sign1, zlib, base45, `HC1:`.
//!
//! What is read is what the EU's own validators accept: with or without the CBOR tags 61 and 18, `alg` and `kid` in either header with
//! the protected one winning, whole or fractional numeric dates, tagged date texts. What is made has one form: tag 18, both
//! parameters protected, deterministic CBOR (RFC 8949 §4.2.1).

use super::{
    Content as AnyContent, Encoding, FormatError, InflateError, KeyHint, MAX_CERTIFICATE, Parsed, cbor, deflate,
    inflate, qr::MAX_CHARACTERS,
};
use crate::{Format, StatusReference};
use ciborium::Value as Cbor;
use coset::{AsCborValue, CborSerializable, CoseSign1, Header, RegisteredLabelWithPrivate, iana};
use serde_json::Value;
use std::fmt;
use vidimus_core::{Algorithm, Timestamp};

/// What the text of a health certificate begins with (specification §4: version 1 of the context).
pub const PREFIX: &str = "HC1:";
/// The largest COSE message that is inflated to.
pub const MAX_INFLATED: usize = 64 << 10;

const ISSUER: i64 = 1;
const EXPIRES: i64 = 4;
const ISSUED: i64 = 6;
const HCERT: i64 = -260;
/// `status` (draft-ietf-oauth-status-list-14 §6.3).
const STATUS: i64 = 65535;

/// The claims of an HCERT. Personal: `Debug` hides the payload.
#[derive(Clone, PartialEq)]
pub struct Content {
    /// `iss` (1): ISO 3166-1 alpha-2 code of the issuing country. Optional in the specification; required of what we make.
    pub issuer_country: Option<String>,
    /// `iat` (6).
    pub issued_at: Timestamp,
    /// `exp` (4).
    pub expires_at: Timestamp,
    /// The EU DCC payload: `hcert` (-260), key 1. An object.
    pub dcc: Value,
    /// Token Status List reference: claim 65535 (draft-ietf-oauth-status-list §6.3). Foreign certificates have none.
    pub status: Option<StatusReference>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("hcert::Content")
            .field("issuer_country", &self.issuer_country)
            .finish_non_exhaustive()
    }
}

impl Content {
    fn to_cbor(&self) -> Result<Cbor, FormatError> {
        let country = self.issuer_country.as_deref().ok_or(FormatError::Claim("iss"))?;
        if !self.dcc.is_object() {
            return Err(FormatError::Claim("hcert"));
        }
        let mut claims = vec![
            (Cbor::from(ISSUER), Cbor::from(country)),
            (Cbor::from(EXPIRES), Cbor::from(self.expires_at.0)),
            (Cbor::from(ISSUED), Cbor::from(self.issued_at.0)),
            (
                Cbor::from(HCERT),
                Cbor::Map(vec![(Cbor::from(1), cbor::from_json(&self.dcc))]),
            ),
        ];
        if let Some(status) = &self.status {
            let reference = Cbor::Map(vec![
                (Cbor::from("idx"), Cbor::from(status.index)),
                (Cbor::from("uri"), Cbor::from(status.token_list.as_str())),
            ]);
            claims.push((
                Cbor::from(STATUS),
                Cbor::Map(vec![(Cbor::from("status_list"), reference)]),
            ));
        }
        Ok(Cbor::Map(claims))
    }

    fn from_cbor(claims: &Cbor) -> Result<Self, FormatError> {
        let claims = claims.as_map().ok_or(FormatError::Cbor("the claims are not a map"))?;
        let date = |key, name| {
            cbor::member(claims, key)
                .and_then(cbor::seconds)
                .ok_or(FormatError::Claim(name))
        };
        let issuer_country = match cbor::member(claims, ISSUER) {
            None => None,
            Some(Cbor::Text(text)) => Some(text.clone()),
            Some(_) => return Err(FormatError::Claim("iss")),
        };
        let dcc = cbor::member(claims, HCERT)
            .and_then(Cbor::as_map)
            .and_then(|payloads| cbor::member(payloads, 1))
            .filter(|dcc| dcc.is_map())
            .ok_or(FormatError::Claim("hcert"))?;
        Ok(Self {
            issuer_country,
            issued_at: Timestamp(date(ISSUED, "iat")?),
            expires_at: Timestamp(date(EXPIRES, "exp")?),
            dcc: cbor::to_json(dcc).map_err(FormatError::Cbor)?,
            status: cbor::member(claims, STATUS).map(status_reference).transpose()?,
        })
    }
}

/// A `status` claim that is not understood is an error and not an absent status.
fn status_reference(claim: &Cbor) -> Result<StatusReference, FormatError> {
    let read = || {
        let list = cbor::named(claim.as_map()?, "status_list")?.as_map()?;
        Some(StatusReference {
            token_list: cbor::named(list, "uri")?.as_text()?.to_owned(),
            bitstring_list: None,
            suspension_list: None,
            index: u64::try_from(cbor::named(list, "idx")?.as_integer()?).ok()?,
        })
    };
    read().ok_or(FormatError::Claim("status"))
}

/// An HCERT that waits for its ES256 signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Unsigned {
    protected: Vec<u8>,
    payload: Vec<u8>,
    message: Vec<u8>,
}

impl fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hcert::Unsigned(…)")
    }
}

impl Unsigned {
    /// From the Sig_structure that an earlier [`Self::message`] gave, and only from one that [`prepare`] made.
    pub fn from_message(message: &[u8]) -> Result<Self, FormatError> {
        let refused = FormatError::Cbor("not a Sig_structure that was prepared here");
        let value = cbor::read(message).map_err(FormatError::Cbor)?;
        let [
            Cbor::Text(context),
            Cbor::Bytes(protected),
            Cbor::Bytes(aad),
            Cbor::Bytes(payload),
        ] = value.as_array().map(Vec::as_slice).unwrap_or_default()
        else {
            return Err(refused);
        };
        let header = Header::from_slice(protected).map_err(|_| refused)?;
        let content = Content::from_cbor(&cbor::read(payload).map_err(FormatError::Cbor)?)?;
        let kid: [u8; 8] = header.key_id.as_slice().try_into().map_err(|_| refused)?;
        let again = prepare(&content, kid)?;
        if context == "Signature1" && aad.is_empty() && again.message == message {
            Ok(again)
        } else {
            Err(refused)
        }
    }
    /// The Sig_structure (RFC 9052 §4.4): the bytes to sign.
    pub fn message(&self) -> &[u8] {
        &self.message
    }
    /// The text of the certificate, `HC1:…`. `signature` is r ‖ s.
    pub fn finish(self, signature: &[u8]) -> String {
        let cose = cose(self.protected, self.payload, signature);
        format!("{PREFIX}{}", base45::encode(deflate(&cose, Encoding::Zlib)))
    }
    /// Whether the text will fit a QR code, whatever the signature, and whichever of as many other bytes take the place of what is random in it
    /// (the copy's id, its place in the status list).
    pub fn is_drawable(&self) -> bool {
        let cose = cose(self.protected.clone(), self.payload.clone(), &self.costly_signature());
        // Hardly more than what is not compressed at all; and that is how short most are.
        characters(cose.len() + CONTAINER) <= MAX_CHARACTERS
            || characters(deflate(&cose, Encoding::Zlib).len() + UNFORESEEN) <= MAX_CHARACTERS
    }
    /// 64 bytes that compress no better than a signature does: all different, and as far as there are such, none that the rest has.
    fn costly_signature(&self) -> [u8; 64] {
        let mut seen = [false; 256];
        for byte in self.protected.iter().chain(&self.payload) {
            seen[usize::from(*byte)] = true;
        }
        // Odd, so that every byte comes once, and not side by side.
        let all = (0..=u8::MAX).map(|place| place.wrapping_mul(167));
        let (known, new): (Vec<_>, Vec<_>) = all.partition(|byte| seen[usize::from(*byte)]);
        let mut costly = [0; 64];
        for (to, from) in costly.iter_mut().zip(new.into_iter().chain(known)) {
            *to = from;
        }
        costly
    }
}

/// Bytes that zlib adds at most to a message of this size that does not compress.
const CONTAINER: usize = 32;
/// Bytes that a message with other random parts may compress worse by.
const UNFORESEEN: usize = 16;

/// Characters of the text of so many bytes (RFC 9285 §3: three for two, two for the last).
const fn characters(bytes: usize) -> usize {
    PREFIX.len() + bytes / 2 * 3 + bytes % 2 * 2
}

fn cose(protected: Vec<u8>, payload: Vec<u8>, signature: &[u8]) -> Vec<u8> {
    let parts = vec![
        Cbor::Bytes(protected),
        Cbor::Map(Vec::new()),
        Cbor::Bytes(payload),
        Cbor::Bytes(signature.to_vec()),
    ];
    cbor::write(Cbor::Tag(iana::CborTag::CoseSign1 as u64, Box::new(Cbor::Array(parts))))
}

/// Prepares an HCERT to be signed with ES256. `kid` is the first 8 bytes of SHA-256 of the signer's certificate
/// ([`crate::x509::Certificate::kid`]).
pub fn prepare(content: &Content, kid: [u8; 8]) -> Result<Unsigned, FormatError> {
    let protected = cbor::write(Cbor::Map(vec![
        (
            Cbor::from(iana::HeaderParameter::Alg as i64),
            Cbor::from(iana::Algorithm::ES256 as i64),
        ),
        (
            Cbor::from(iana::HeaderParameter::Kid as i64),
            Cbor::from(kid.as_slice()),
        ),
    ]));
    let payload = cbor::write(content.to_cbor()?);
    let message = cbor::write(Cbor::Array(vec![
        Cbor::from("Signature1"),
        Cbor::Bytes(protected.clone()),
        Cbor::Bytes(Vec::new()),
        Cbor::Bytes(payload.clone()),
    ]));
    Ok(Unsigned {
        protected,
        payload,
        message,
    })
}

/// Reads an HCERT.
pub fn parse(text: &str) -> Result<Parsed, FormatError> {
    if text.len() > MAX_CERTIFICATE {
        return Err(FormatError::TooLarge);
    }
    parse_cose(&decompress(&decode(text)?)?)
}

/// The first step: `HC1:` and base45 off.
pub fn decode(text: &str) -> Result<Vec<u8>, FormatError> {
    let encoded = text.strip_prefix(PREFIX).ok_or(FormatError::Unknown)?;
    let bytes = base45::decode(encoded).map_err(|_| FormatError::Base45)?;
    // The library lets the last group overflow; a text has one reading.
    if base45::encode(&bytes) == encoded {
        Ok(bytes)
    } else {
        Err(FormatError::Base45)
    }
}

/// The second step: zlib off, within [`MAX_INFLATED`].
pub fn decompress(bytes: &[u8]) -> Result<Vec<u8>, FormatError> {
    inflate(bytes, Encoding::Zlib, MAX_INFLATED).map_err(|error| match error {
        InflateError::TooLarge => FormatError::TooLarge,
        InflateError::Corrupt => FormatError::Compression,
    })
}

/// The third step: COSE_Sign1 and the claims in it.
pub fn parse_cose(bytes: &[u8]) -> Result<Parsed, FormatError> {
    let Sign1 {
        algorithm,
        kid,
        payload,
        message,
        signature,
    } = Sign1::parse(bytes)?;
    let claims = cbor::read(&payload).map_err(FormatError::Cbor)?;
    Ok(Parsed {
        format: Format::Hcert,
        content: AnyContent::Hcert(Box::new(Content::from_cbor(&claims)?)),
        algorithm,
        key: kid.map_or(KeyHint::None, KeyHint::Bytes),
        message,
        signature,
    })
}

/// A COSE_Sign1 message (RFC 9052 §4.2) that was read and not verified, with any payload.
#[derive(Clone, PartialEq, Eq)]
pub struct Sign1 {
    /// `alg`, claimed: ES256 or PS256.
    pub algorithm: Algorithm,
    /// `kid`, where there is one.
    pub kid: Option<Vec<u8>>,
    /// The payload.
    pub payload: Vec<u8>,
    /// The Sig_structure: what is signed.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl fmt::Debug for Sign1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sign1")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl Sign1 {
    /// Reads a message of at most [`MAX_INFLATED`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() > MAX_INFLATED {
            return Err(FormatError::TooLarge);
        }
        let mut value = cbor::read(bytes).map_err(FormatError::Cbor)?;
        for tag in [iana::CborTag::Cwt as u64, iana::CborTag::CoseSign1 as u64] {
            value = match value {
                Cbor::Tag(found, inner) if found == tag => *inner,
                other => other,
            };
        }
        let cose = CoseSign1::from_cbor_value(value).map_err(|_| FormatError::Cbor("not a COSE_Sign1"))?;
        let (protected, unprotected) = (&cose.protected.header, &cose.unprotected);
        if !protected.crit.is_empty() || !unprotected.crit.is_empty() {
            return Err(FormatError::Cbor("a critical header parameter is not implemented"));
        }
        let algorithm = match protected.alg.as_ref().or(unprotected.alg.as_ref()) {
            Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256)) => Algorithm::Es256,
            Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::PS256)) => Algorithm::Ps256,
            _ => return Err(FormatError::Algorithm),
        };
        let kid = [protected, unprotected]
            .into_iter()
            .map(|header| &header.key_id)
            .find(|kid| !kid.is_empty())
            .cloned();
        if cose.payload.is_none() {
            return Err(FormatError::Cbor("the payload is detached"));
        }
        let message = cose.tbs_data(&[]);
        Ok(Self {
            algorithm,
            kid,
            payload: cose.payload.unwrap_or_default(),
            message,
            signature: cose.signature,
        })
    }
}
