//! The deployment's small certificate authority (RFC 5280): a self-signed P-256 root that signs document signers, verifiers' access
//! certificates and the signer of lists and bundles. One level, no intermediates; the root is published as a trust list entry.
//!
//! Whoever holds the root's private key can make document signers that every checker trusting the root accepts until the root is taken off
//! the trust list. Whether the applicant holds the private key of what is certified is for the caller to prove before.

use crate::Error;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyUsagePurpose, SanType, SerialNumber,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use time::OffsetDateTime;
use vidimus_core::{Algorithm, Entropy, PublicKey, Signer, Timestamp};
use x509_cert::{
    Certificate,
    der::{Decode, Encode, asn1::ObjectIdentifier},
    ext::pkix::SubjectKeyIdentifier,
};

/// What a document signer may sign (EU DCC, *Certificate governance*, extended key usage).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentGroup {
    /// Tests (`t`).
    Test,
    /// Vaccinations (`v`).
    Vaccination,
    /// Recoveries (`r`).
    Recovery,
}

impl DocumentGroup {
    /// The object identifier.
    pub const fn oid(self) -> [u64; 10] {
        let last = match self {
            Self::Test => 1,
            Self::Vaccination => 2,
            Self::Recovery => 3,
        };
        [1, 3, 6, 1, 4, 1, 1847, 2021, 1, last]
    }
}

/// Relying party of a presentation (ISO/IEC 18013-5 annex B.1.7, `mdlReaderAuth`). Without any usage an access certificate would pass for a
/// document signer of every group.
const READER: [u64; 6] = [1, 0, 18013, 5, 1, 6];
/// TLS client authentication (RFC 5280 §4.2.1.12): the nearest there is to attesting clients, beside signing tokens.
const CLIENT: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 3, 2];
/// Signing of JSON Web Tokens (RFC 9509 §3, `id-kp-jwt`): status lists and the offline bundle are such. The status list draft's own
/// `id-kp-oauthStatusSigning` has no number yet (30, which is seen for it, is a BGPsec router's, RFC 8209).
const JWT: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 3, 37];

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// Who is certified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// CN, 1 to 64 characters.
    pub common_name: String,
    /// O, at most 64 characters.
    pub organization: Option<String>,
    /// C: ISO 3166-1 alpha-2, upper case.
    pub country: Option<String>,
}

/// From when until when, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub not_before: Timestamp,
    /// Last second.
    pub not_after: Timestamp,
}

/// The certificate authority.
pub struct Authority {
    key: Box<dyn Signer>,
    subject: Subject,
    validity: Validity,
    key_id: Vec<u8>,
    der: Vec<u8>,
}

impl Authority {
    /// Makes a root certificate for `key`, a P-256 key.
    pub fn create(
        key: impl Signer + 'static,
        subject: Subject,
        validity: Validity,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Error> {
        let mut params = params(&subject, validity, entropy)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        let der = params
            .self_signed(&Bridge::new(key.public_key(), Some(&key))?)
            .map_err(certificate)?
            .der()
            .to_vec();
        Self::load(key, &der)
    }

    /// Takes up a root certificate that [`Self::create`] made, with its key.
    pub fn load(key: impl Signer + 'static, der: &[u8]) -> Result<Self, Error> {
        let malformed = |_| Error::Malformed("root certificate");
        let root = Certificate::from_der(der).map_err(malformed)?;
        let tbs = root.tbs_certificate();
        let point = tbs
            .subject_public_key_info()
            .subject_public_key
            .as_bytes()
            .unwrap_or_default();
        if !matches!(key.public_key(), PublicKey::P256(own) if own == point) {
            return Err(Error::Certificate("the root certificate is of another key".into()));
        }
        // The outer algorithm is not signed: it has to be the inner one (RFC 5280 §4.1.1.2).
        if root.signature_algorithm() != tbs.signature() || tbs.signature().oid != ECDSA_WITH_SHA256 {
            return Err(Error::Malformed("root certificate"));
        }
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(
                &tbs.to_der().map_err(malformed)?,
                root.signature().as_bytes().unwrap_or_default(),
            )
            .map_err(|_| Error::Malformed("root certificate"))?;
        let seconds = |time: x509_cert::time::Time| {
            Timestamp(i64::try_from(time.to_unix_duration().as_secs()).expect("X.509 ends with the year 9999"))
        };
        let (_, key_id) = tbs
            .get_extension::<SubjectKeyIdentifier>()
            .map_err(malformed)?
            .ok_or(Error::Malformed("root certificate"))?;
        let name = tbs.subject();
        Ok(Self {
            subject: Subject {
                common_name: name
                    .common_name()
                    .map_err(malformed)?
                    .ok_or(Error::Malformed("root certificate"))?
                    .value()
                    .into_owned(),
                organization: name
                    .organization()
                    .map_err(malformed)?
                    .map(|name| name.value().into_owned()),
                country: name.country().map_err(malformed)?.map(|country| country.to_string()),
            },
            validity: Validity {
                not_before: seconds(tbs.validity().not_before),
                not_after: seconds(tbs.validity().not_after),
            },
            key_id: key_id.0.as_bytes().to_vec(),
            der: der.to_vec(),
            key: Box::new(key),
        })
    }

    /// The root certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.der
    }

    /// When the root is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// A document signer: signs certificates about people, of these groups and nothing else.
    pub fn issue_document_signer(
        &self,
        key: &PublicKey,
        subject: &Subject,
        groups: &[DocumentGroup],
        validity: Validity,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, Error> {
        if groups.is_empty() {
            return Err(Error::Certificate(
                "a document signer of no group would pass for one of every group".into(),
            ));
        }
        let usages = groups.iter().map(|group| group.oid().to_vec()).collect();
        self.issue(key, subject, usages, Vec::new(), validity, now, entropy)
    }

    /// A verifier's access certificate: signs requests for presentations, under these host names and URIs.
    #[allow(clippy::too_many_arguments, reason = "each is one line of the certificate")]
    pub fn issue_access(
        &self,
        key: &PublicKey,
        subject: &Subject,
        hosts: &[String],
        uris: &[String],
        validity: Validity,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, Error> {
        let host = |host: &String| host.as_str().try_into().map(SanType::DnsName);
        let uri = |uri: &String| uri.as_str().try_into().map(SanType::URI);
        let names: Result<Vec<_>, _> = hosts.iter().map(host).chain(uris.iter().map(uri)).collect();
        let names = names.map_err(certificate)?;
        if names.is_empty() {
            return Err(Error::Certificate(
                "an access certificate names at least one host or URI".into(),
            ));
        }
        self.issue(key, subject, vec![READER.to_vec()], names, validity, now, entropy)
    }

    /// The signer of status lists and trust bundles.
    pub fn issue_status_signer(
        &self,
        key: &PublicKey,
        subject: &Subject,
        validity: Validity,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, Error> {
        self.issue(key, subject, vec![JWT.to_vec()], Vec::new(), validity, now, entropy)
    }

    /// The signer of wallets' and their keys' attestations (OpenID4VCI appendices D and E).
    pub fn issue_attester(
        &self,
        key: &PublicKey,
        subject: &Subject,
        validity: Validity,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, Error> {
        self.issue(
            key,
            subject,
            vec![JWT.to_vec(), CLIENT.to_vec()],
            Vec::new(),
            validity,
            now,
            entropy,
        )
    }

    #[allow(clippy::too_many_arguments, reason = "each is one line of the certificate")]
    fn issue(
        &self,
        key: &PublicKey,
        subject: &Subject,
        usages: Vec<Vec<u64>>,
        names: Vec<SanType>,
        validity: Validity,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, Error> {
        if now < self.validity.not_before || now > self.validity.not_after {
            return Err(Error::Certificate("the root certificate is not valid now".into()));
        }
        if validity.not_before < self.validity.not_before || validity.not_after > self.validity.not_after {
            return Err(Error::Certificate(
                "it would be valid when the root certificate is not".into(),
            ));
        }
        if validity.not_after <= now {
            return Err(Error::Certificate("it would have expired already".into()));
        }
        if *key == *self.key.public_key() {
            return Err(Error::Certificate(
                "the root's own key is not certified for anything else".into(),
            ));
        }
        let mut leaf = params(subject, validity, entropy)?;
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = usages.into_iter().map(ExtendedKeyUsagePurpose::Other).collect();
        leaf.subject_alt_names = names;
        leaf.use_authority_key_identifier_extension = true;
        let mut root = CertificateParams::default();
        root.distinguished_name = self.subject.distinguished_name()?;
        root.key_identifier_method = KeyIdMethod::PreSpecified(self.key_id.clone());
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = Issuer::new(root, Bridge::new(self.key.public_key(), Some(&*self.key))?);
        let issued = leaf.signed_by(&Bridge::new(key, None)?, &issuer).map_err(certificate)?;
        Ok(issued.der().to_vec())
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("subject", &self.subject)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

impl Subject {
    fn distinguished_name(&self) -> Result<DistinguishedName, Error> {
        let short = |text: &str| (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if !short(&self.common_name) || self.organization.as_deref().is_some_and(|name| !short(name)) {
            return Err(Error::Certificate(
                "a name has 1 to 64 characters, none of them control characters".into(),
            ));
        }
        let mut name = DistinguishedName::new();
        if let Some(country) = &self.country {
            if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
                return Err(Error::Certificate("a country has two capital letters".into()));
            }
            let country = country.as_str().try_into().map_err(certificate)?;
            name.push(DnType::CountryName, DnValue::PrintableString(country));
        }
        if let Some(organization) = &self.organization {
            name.push(DnType::OrganizationName, organization.as_str());
        }
        name.push(DnType::CommonName, self.common_name.as_str());
        Ok(name)
    }
}

fn params(subject: &Subject, validity: Validity, entropy: &mut dyn Entropy) -> Result<CertificateParams, Error> {
    if validity.not_before >= validity.not_after {
        return Err(Error::Certificate("it would end before it begins".into()));
    }
    let time = |time: Timestamp| {
        OffsetDateTime::from_unix_timestamp(time.0)
            .ok()
            .filter(|time| (1970..=9999).contains(&time.year()))
            .ok_or(Error::Certificate(
                "its validity is outside the years that X.509 can say".into(),
            ))
    };
    // 126 random bits: positive, 16 bytes (RFC 5280 §4.1.2.2 allows 20).
    let mut serial = [0; 16];
    entropy.fill(&mut serial);
    serial[0] = serial[0] & 0x7f | 0x40;
    let mut params = CertificateParams::default();
    params.not_before = time(validity.not_before)?;
    params.not_after = time(validity.not_after)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = subject.distinguished_name()?;
    Ok(params)
}

fn certificate(error: rcgen::Error) -> Error {
    Error::Certificate(error.to_string())
}

/// Our keys as `rcgen` asks for them.
struct Bridge<'a> {
    point: &'a [u8],
    signer: Option<&'a dyn Signer>,
}

impl<'a> Bridge<'a> {
    fn new(key: &'a PublicKey, signer: Option<&'a dyn Signer>) -> Result<Self, Error> {
        let PublicKey::P256(point) = key else {
            return Err(Error::Key("P-256"));
        };
        // A certificate for a point that is not on the curve would be refused by everybody.
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .parse()
            .map_err(|_| Error::Key("P-256"))?;
        Ok(Self { point, signer })
    }
}

impl rcgen::PublicKeyData for Bridge<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.point
    }
    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Bridge<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self
            .signer
            .and_then(|signer| signer.sign(Algorithm::Es256, message).ok())
            .ok_or(rcgen::Error::RemoteKeyError)?;
        let (r, s) = signature.split_at_checked(32).ok_or(rcgen::Error::RemoteKeyError)?;
        let body = [integer(r), integer(s)].concat();
        Ok([
            &[
                0x30,
                u8::try_from(body.len()).map_err(|_| rcgen::Error::RemoteKeyError)?,
            ],
            &body[..],
        ]
        .concat())
    }
}

/// A DER INTEGER of an unsigned big-endian number shorter than 127 bytes (RFC 3279 §2.2.3, `Ecdsa-Sig-Value`).
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len() - 1);
    let number = &bytes[start..];
    let sign = usize::from(number[0] & 0x80 != 0);
    let mut der = vec![2, u8::try_from(number.len() + sign).expect("a coordinate has 32 bytes")];
    der.resize(2 + sign, 0);
    der.extend_from_slice(number);
    der
}
