//! X.509 certificates (RFC 5280) of document signers and status signers: what is in one, and who signed it.

use std::ops::Range;
use vidimus_core::{Algorithm, Digest, Provider, PublicKey, Timestamp, encoding};
use x509_cert::{
    TbsCertificate,
    der::{
        Decode, Encode, Reader, SliceReader,
        asn1::{AnyRef, ObjectIdentifier, UintRef},
        oid::AssociatedOid,
    },
    ext::pkix::{
        AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName, SubjectKeyIdentifier,
        name::GeneralName,
    },
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
    time::Time,
};

/// The longest DER that is read.
pub const MAX_DER: usize = 16 << 10;

/// Extended key usages of EU document signers (Electronic Health Certificate Specification §5.1), with the form that early issuers used.
pub mod usage {
    /// May sign test certificates.
    pub const TEST: [&str; 2] = ["1.3.6.1.4.1.1847.2021.1.1", "1.3.6.1.4.1.0.1847.2021.1.1"];
    /// May sign vaccination certificates.
    pub const VACCINATION: [&str; 2] = ["1.3.6.1.4.1.1847.2021.1.2", "1.3.6.1.4.1.0.1847.2021.1.2"];
    /// May sign recovery certificates.
    pub const RECOVERY: [&str; 2] = ["1.3.6.1.4.1.1847.2021.1.3", "1.3.6.1.4.1.0.1847.2021.1.3"];
    /// May sign JSON Web Tokens (`id-kp-jwt`, RFC 9509 §3), as status lists are. The draft's own `id-kp-oauthStatusSigning`
    /// (draft-ietf-oauth-status-list §10) has no number yet.
    pub const STATUS_LIST: &str = "1.3.6.1.5.5.7.3.37";
}

/// Why a certificate is not read or not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Longer than [`MAX_DER`].
    #[error("the certificate is longer than {MAX_DER} bytes")]
    TooLarge,
    /// Neither DER of a certificate, nor its PEM or base64.
    #[error("not a readable X.509 certificate")]
    Malformed,
    /// Its public key is of a kind, or size, that is not accepted.
    #[error("the certificate's public key is of a kind that is not accepted")]
    Key,
    /// It is signed with an algorithm that is not checked here (RSA PKCS #1 v1.5, other curves).
    #[error("the certificate is signed with an algorithm that is not supported")]
    SignatureAlgorithm,
    /// The issuer's key did not sign it.
    #[error("the certificate's signature does not verify")]
    Signature,
    /// Issuer's name, key identifier or rights do not match.
    #[error("the certificate was not issued by this authority")]
    Issuer,
    /// Not within its time.
    #[error("the certificate is not within its time of validity")]
    Validity,
    /// The chain has not the form that is accepted: one leaf, not self-signed, without the trust anchor.
    #[error("the chain must hold one certificate that is not self-signed, and no trust anchor")]
    Chain,
    /// A critical extension that is not understood.
    #[error("the certificate has a critical extension that is not understood")]
    CriticalExtension,
}

/// A certificate that was read; says nothing about trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Subject, as RFC 4514 text.
    pub subject: String,
    /// Issuer, as RFC 4514 text.
    pub issuer: String,
    /// Its public key: P-256 or RSA of 2048 to 8192 bits.
    pub public_key: PublicKey,
    /// First second of its validity.
    pub not_before: Timestamp,
    /// Last second of its validity.
    pub not_after: Timestamp,
    /// Serial number, big-endian.
    pub serial: Vec<u8>,
    /// Extended key usages, dotted; empty when the extension is absent (or empty: an early EU issuer wrote that).
    pub extended_key_usage: Vec<String>,
    /// Key usage `digitalSignature`; `None` when the extension is absent.
    pub digital_signature: Option<bool>,
    /// Key usage `keyCertSign`; `None` when the extension is absent.
    pub certificate_signing: Option<bool>,
    /// Whether basic constraints make it a certificate authority.
    pub is_authority: bool,
    /// How many authorities may stand below this one (RFC 5280 §4.2.1.9); `None` where it does not say.
    pub path_length: Option<u8>,
    /// DNS names among the subject's alternative names, as written.
    pub dns_names: Vec<String>,
    /// URIs among the subject's alternative names, as written.
    pub uris: Vec<String>,
    /// Subject key identifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// Authority key identifier.
    pub authority_key_id: Option<Vec<u8>>,
    der: Vec<u8>,
    subject_der: Vec<u8>,
    issuer_der: Vec<u8>,
    to_be_signed: Range<usize>,
    signature: Vec<u8>,
    signed_with: Option<Algorithm>,
    unknown_critical: bool,
}

impl Certificate {
    /// Reads DER: exactly one certificate, nothing after it.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_DER {
            return Err(CertificateError::TooLarge);
        }
        let certificate = x509_cert::Certificate::from_der(der).map_err(malformed)?;
        let inner = certificate.tbs_certificate();
        if inner.signature() != certificate.signature_algorithm() {
            return Err(CertificateError::Malformed);
        }
        let usage = extension::<KeyUsage>(inner)?;
        let constraints = extension::<BasicConstraints>(inner)?;
        let names = extension::<SubjectAltName>(inner)?
            .map(|names| names.0)
            .unwrap_or_default();
        let seconds = |time: Time| i64::try_from(time.to_unix_duration().as_secs()).map(Timestamp);
        Ok(Self {
            subject: inner.subject().to_string(),
            issuer: inner.issuer().to_string(),
            public_key: public_key(inner.subject_public_key_info())?,
            not_before: seconds(inner.validity().not_before).map_err(|_| CertificateError::Malformed)?,
            not_after: seconds(inner.validity().not_after).map_err(|_| CertificateError::Malformed)?,
            serial: inner.serial_number().as_bytes().to_vec(),
            extended_key_usage: extension::<ExtendedKeyUsage>(inner)?
                .map(|usages| usages.0.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
            digital_signature: usage.as_ref().map(KeyUsage::digital_signature),
            certificate_signing: usage.as_ref().map(KeyUsage::key_cert_sign),
            is_authority: constraints.as_ref().is_some_and(|constraints| constraints.ca),
            path_length: constraints.and_then(|constraints| constraints.path_len_constraint),
            dns_names: names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
                    _ => None,
                })
                .collect(),
            uris: names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
                    _ => None,
                })
                .collect(),
            subject_key_id: extension::<SubjectKeyIdentifier>(inner)?.map(|id| id.0.as_bytes().to_vec()),
            authority_key_id: extension::<AuthorityKeyIdentifier>(inner)?
                .and_then(|id| Some(id.key_identifier?.as_bytes().to_vec())),
            der: der.to_vec(),
            subject_der: inner.subject().to_der().map_err(malformed)?,
            issuer_der: inner.issuer().to_der().map_err(malformed)?,
            to_be_signed: to_be_signed(der)?,
            signature: certificate
                .signature()
                .as_bytes()
                .ok_or(CertificateError::Malformed)?
                .to_vec(),
            signed_with: signature_algorithm(certificate.signature_algorithm()),
            unknown_critical: inner
                .extensions()
                .is_some_and(|all| all.iter().any(|one| one.critical && !UNDERSTOOD.contains(&one.extn_id))),
        })
    }
    /// Reads one PEM block, or base64 of DER with or without line breaks.
    pub fn from_text(text: &str) -> Result<Self, CertificateError> {
        if text.len() > 2 * MAX_DER {
            return Err(CertificateError::TooLarge);
        }
        let text = match text.split_once(PEM_BEGIN) {
            None => text,
            Some((_, rest)) => rest.split_once(PEM_END).ok_or(CertificateError::Malformed)?.0,
        };
        let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        Self::from_der(&encoding::from_base64(&text).map_err(|_| CertificateError::Malformed)?)
    }
    /// Whether it says that its key does something else than issuing: an authority also certifies those who ask, serve or attest.
    pub fn names_another_use(&self) -> bool {
        // Relying parties (ISO/IEC 18013-5 annex B.1.7), TLS servers and clients (RFC 5280 §4.2.1.12), and with these those who attest wallets.
        const OTHERS: [&str; 3] = ["1.0.18013.5.1.6", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];
        self.extended_key_usage
            .iter()
            .any(|usage| OTHERS.contains(&usage.as_str()))
    }
    /// Whether all that it is for is signing tokens (RFC 9509 §3): what signers of status lists have, and would otherwise issue with.
    pub fn signs_status_lists_alone(&self) -> bool {
        let usages = &self.extended_key_usage;
        !usages.is_empty() && usages.iter().all(|usage| usage == usage::STATUS_LIST)
    }
    /// Whether its key may issue, for all that it says itself.
    pub fn may_issue(&self) -> bool {
        self.digital_signature != Some(false) && !self.names_another_use() && !self.signs_status_lists_alone()
    }
    /// Its DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
    /// Its PEM (RFC 7468).
    pub fn to_pem(&self) -> String {
        let text = encoding::base64(&self.der);
        let mut pem = format!("{PEM_BEGIN}\n");
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str(PEM_END);
        pem.push('\n');
        pem
    }
    /// SHA-256 of its DER.
    pub fn fingerprint(&self, provider: &dyn Provider) -> Digest {
        provider.sha256(&[&self.der])
    }
    /// The key identifier of HCERT: the first 8 bytes of [`Self::fingerprint`].
    pub fn kid(&self, provider: &dyn Provider) -> [u8; 8] {
        let mut kid = [0; 8];
        kid.copy_from_slice(&self.fingerprint(provider).0[..8]);
        kid
    }
    /// Whether `now` is within its validity, both ends included.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now <= self.not_after
    }
    /// Whether subject and issuer are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.subject_der == self.issuer_der
    }
    /// Whether `host` is one of its DNS names, letter case aside. Wildcards stand for nothing.
    pub fn names_host(&self, host: &str) -> bool {
        self.dns_names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
    /// Whether it says that it is for this extended key usage. One that says nothing of any does not.
    pub fn names(&self, usage: &str) -> bool {
        self.extended_key_usage.iter().any(|named| named == usage)
    }
    /// Whether it may be used for one of `usages`: it says so, or says nothing about extended key usage.
    pub fn allows(&self, usages: &[&str]) -> bool {
        self.extended_key_usage.is_empty()
            || self
                .extended_key_usage
                .iter()
                .any(|usage| usages.contains(&usage.as_str()))
    }
    /// Whether `issuer` signed it: names, key identifiers, the right to sign certificates, critical extensions, and the signature. Not the
    /// time, and not whether `issuer` is trusted.
    pub fn verify_signed_by(&self, issuer: &Certificate, provider: &dyn Provider) -> Result<(), CertificateError> {
        if self.unknown_critical || issuer.unknown_critical {
            return Err(CertificateError::CriticalExtension);
        }
        let other_key = matches!((&self.authority_key_id, &issuer.subject_key_id), (Some(a), Some(b)) if a != b);
        if self.issuer_der != issuer.subject_der
            || other_key
            || !issuer.is_authority
            || issuer.certificate_signing == Some(false)
        {
            return Err(CertificateError::Issuer);
        }
        let algorithm = self.signed_with.ok_or(CertificateError::SignatureAlgorithm)?;
        if !issuer.public_key.fits(algorithm) {
            return Err(CertificateError::SignatureAlgorithm);
        }
        let signature = match algorithm {
            Algorithm::Es256 => raw_ecdsa(&self.signature).ok_or(CertificateError::Signature)?,
            _ => self.signature.clone(),
        };
        provider
            .verify(
                algorithm,
                &issuer.public_key,
                &self.der[self.to_be_signed.clone()],
                &signature,
            )
            .map_err(|_| CertificateError::Signature)
    }
}

/// The leaf of an `x5c` header, signed by one of `roots` and valid (as is that root) at `now`: exactly one certificate, not self-signed,
/// and none of the roots (HAIP 1.0 §6.1). The caller goes on to check its names and extended key usages.
pub fn leaf_of_chain(
    x5c: &[Vec<u8>],
    roots: &[Certificate],
    now: Timestamp,
    provider: &dyn Provider,
) -> Result<Certificate, CertificateError> {
    let [der] = x5c else {
        return Err(CertificateError::Chain);
    };
    let leaf = Certificate::from_der(der)?;
    if leaf.is_self_issued() || leaf.is_authority || roots.iter().any(|root| root.der == leaf.der) {
        return Err(CertificateError::Chain);
    }
    // The root that fails last says why: with one root, as is usual, that is the reason.
    let mut refused = CertificateError::Issuer;
    for root in roots {
        match leaf.verify_signed_by(root, provider) {
            Ok(()) if root.is_valid_at(now) && leaf.is_valid_at(now) => return Ok(leaf),
            Ok(()) => refused = CertificateError::Validity,
            Err(CertificateError::Issuer) => {}
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The leaf of an `x5c` header whose certificates each are signed by the next and the last by one of `roots`, all valid at `now`: the leaf is
/// neither self-signed nor an authority, the others are authorities and have room for those below them (RFC 5280 §4.2.1.9, §6.1), and no root is
/// among them (HAIP 1.0 §5). The caller goes on to check the leaf's names and extended key usages.
pub fn leaf_of_path(
    x5c: &[Vec<u8>],
    roots: &[Certificate],
    now: Timestamp,
    provider: &dyn Provider,
) -> Result<Certificate, CertificateError> {
    path_to_anchor(x5c, roots, now, provider).map(|(leaf, _)| leaf)
}

/// [`leaf_of_path`], and the root that the path leads to.
pub fn path_to_anchor<'a>(
    x5c: &[Vec<u8>],
    roots: &'a [Certificate],
    now: Timestamp,
    provider: &dyn Provider,
) -> Result<(Certificate, &'a Certificate), CertificateError> {
    let path: Vec<Certificate> = x5c
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect::<Result<_, _>>()?;
    let (leaf, authorities) = path.split_first().ok_or(CertificateError::Chain)?;
    let is_anchor = |one: &Certificate| one.is_self_issued() || roots.iter().any(|root| root.der == one.der);
    if leaf.is_authority || path.iter().any(is_anchor) {
        return Err(CertificateError::Chain);
    }
    let has_room =
        |authority: &Certificate, below: usize| authority.path_length.is_none_or(|length| usize::from(length) >= below);
    for (below, pair) in path.windows(2).enumerate() {
        pair[0].verify_signed_by(&pair[1], provider)?;
        if !has_room(&pair[1], below) {
            return Err(CertificateError::Chain);
        }
    }
    if !path.iter().all(|one| one.is_valid_at(now)) {
        return Err(CertificateError::Validity);
    }
    let last = path.last().unwrap_or(leaf);
    let mut refused = CertificateError::Issuer;
    for root in roots {
        match last.verify_signed_by(root, provider) {
            Ok(()) if !has_room(root, authorities.len()) => refused = CertificateError::Chain,
            Ok(()) if root.is_valid_at(now) => return Ok((leaf.clone(), root)),
            Ok(()) => refused = CertificateError::Validity,
            Err(CertificateError::Issuer) => {}
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Extensions that are looked at here or, names, by the caller.
const UNDERSTOOD: [ObjectIdentifier; 6] = [
    KeyUsage::OID,
    ExtendedKeyUsage::OID,
    BasicConstraints::OID,
    SubjectKeyIdentifier::OID,
    AuthorityKeyIdentifier::OID,
    SubjectAltName::OID,
];
const PEM_BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const PEM_END: &str = "-----END CERTIFICATE-----";

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// The contents of `RSASSA-PSS-params` for SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 4055 §3.1): the only ones that are PS256.
const PSS_SHA256: [u8; 52] = *b"\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\
    \xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\
    \xa2\x03\x02\x01\x20";

fn malformed(_: x509_cert::der::Error) -> CertificateError {
    CertificateError::Malformed
}

/// One extension; twice the same is malformed (RFC 5280 §4.2).
fn extension<'a, T: Decode<'a, Error = x509_cert::der::Error> + AssociatedOid>(
    inner: &'a TbsCertificate,
) -> Result<Option<T>, CertificateError> {
    Ok(inner
        .get_extension::<T>()
        .map_err(malformed)?
        .map(|(_, extension)| extension))
}

/// Where the bytes that are signed stand: the first element inside the outer SEQUENCE, exactly as it came and not written anew.
fn to_be_signed(der: &[u8]) -> Result<Range<usize>, CertificateError> {
    let whole = AnyRef::from_der(der).map_err(malformed)?;
    let start = der.len() - whole.value().len();
    let mut inside = SliceReader::new(whole.value()).map_err(malformed)?;
    let signed = inside.tlv_bytes().map_err(malformed)?;
    Ok(start..start + signed.len())
}

fn public_key(info: &SubjectPublicKeyInfoOwned) -> Result<PublicKey, CertificateError> {
    let bits = info.subject_public_key.as_bytes().ok_or(CertificateError::Malformed)?;
    if info.algorithm.oid == EC_PUBLIC_KEY {
        let curve = info
            .algorithm
            .parameters
            .as_ref()
            .and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        let point: Result<[u8; 65], _> = bits.try_into();
        match (curve, point) {
            (Some(P256), Ok(point)) if point[0] == 4 => Ok(PublicKey::P256(point)),
            _ => Err(CertificateError::Key),
        }
    } else if info.algorithm.oid == RSA_ENCRYPTION || info.algorithm.oid == RSASSA_PSS {
        let (modulus, exponent) = two_numbers(bits).ok_or(CertificateError::Key)?;
        let zeros = modulus
            .as_bytes()
            .first()
            .map_or(0, |byte| byte.leading_zeros() as usize);
        let length = modulus.as_bytes().len() * 8 - zeros.min(7);
        let fits = (2048..=8192).contains(&length) && (1..=8).contains(&exponent.as_bytes().len());
        if fits {
            Ok(PublicKey::Rsa(bits.to_vec()))
        } else {
            Err(CertificateError::Key)
        }
    } else {
        Err(CertificateError::Key)
    }
}

fn signature_algorithm(identifier: &AlgorithmIdentifierOwned) -> Option<Algorithm> {
    match (identifier.oid, identifier.parameters.as_ref()) {
        (ECDSA_WITH_SHA256, None) => Some(Algorithm::Es256),
        (RSASSA_PSS, Some(parameters)) if parameters.value() == PSS_SHA256 => Some(Algorithm::Ps256),
        _ => None,
    }
}

/// `SEQUENCE { INTEGER, INTEGER }`, both not negative: an ECDSA signature (RFC 3279 §2.2.3) or an RSA key (RFC 8017 §A.1.1).
fn two_numbers(der: &[u8]) -> Option<(UintRef<'_>, UintRef<'_>)> {
    let mut reader = SliceReader::new(der).ok()?;
    let numbers: Result<_, x509_cert::der::Error> =
        reader.sequence(|inside| Ok((UintRef::decode(inside)?, UintRef::decode(inside)?)));
    let numbers = numbers.ok()?;
    reader.finish().ok()?;
    Some(numbers)
}

/// r ‖ s of a DER signature on P-256.
fn raw_ecdsa(der: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = two_numbers(der)?;
    let mut raw = vec![0; 64];
    for (number, end) in [(r, 32), (s, 64)] {
        let bytes = number.as_bytes();
        let start = end - 32_usize;
        let from = end.checked_sub(bytes.len()).filter(|from| *from >= start)?;
        raw[from..end].copy_from_slice(bytes);
    }
    Some(raw)
}
