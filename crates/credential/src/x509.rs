//! X.509 certificates (RFC 5280) of document signers and status signers: what is in one, and who signed it.

use vidimus_core::{Digest, Provider, PublicKey, Timestamp};

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
    /// May sign status lists (`id-kp-oauthStatusSigning`, draft-ietf-oauth-status-list §10).
    pub const STATUS_LIST: &str = "1.3.6.1.5.5.7.3.30";
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
    der: Vec<u8>,
    /// Subject, as RFC 4514 text.
    pub subject: String,
    /// Issuer, as RFC 4514 text.
    pub issuer: String,
    /// Its public key: P-256 or RSA of at least 2048 bits.
    pub public_key: PublicKey,
    /// First second of its validity.
    pub not_before: Timestamp,
    /// Last second of its validity.
    pub not_after: Timestamp,
    /// Serial number, big-endian.
    pub serial: Vec<u8>,
    /// Extended key usages, dotted; empty when the extension is absent.
    pub extended_key_usage: Vec<String>,
    /// Key usage `digitalSignature`; `None` when the extension is absent.
    pub digital_signature: Option<bool>,
    /// Key usage `keyCertSign`; `None` when the extension is absent.
    pub certificate_signing: Option<bool>,
    /// Whether basic constraints make it a certificate authority.
    pub is_authority: bool,
    /// Subject key identifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// Authority key identifier.
    pub authority_key_id: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads DER.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        todo!("{}", der.len())
    }
    /// Reads one PEM block, or base64 of DER with or without line breaks.
    pub fn from_text(text: &str) -> Result<Self, CertificateError> {
        todo!("{}", text.len())
    }
    /// Its DER.
    pub fn der(&self) -> &[u8] {
        &self.der
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
    /// Whether `issuer` signed it: names, key identifiers, the right to sign certificates, and the signature. Not the time.
    pub fn verify_signed_by(&self, issuer: &Certificate, provider: &dyn Provider) -> Result<(), CertificateError> {
        todo!("{issuer:?}{}", provider.sha256(&[]))
    }
}

/// The leaf of an `x5c` header, signed by one of `roots` and valid at `now`: exactly one certificate, not self-signed, and none of the
/// roots (HAIP 1.0 §6.1). The caller goes on to check its names and extended key usages.
pub fn leaf_of_chain(
    x5c: &[Vec<u8>],
    roots: &[Certificate],
    now: Timestamp,
    provider: &dyn Provider,
) -> Result<Certificate, CertificateError> {
    todo!("{}{}{now}{}", x5c.len(), roots.len(), provider.sha256(&[]))
}
