//! A certificate that is held.

use crate::WalletError;
use serde::{Deserialize, Serialize};
use vidimus_core::{Commitment, Digest, Provider, Receipt, Timestamp};
use vidimus_credential::{
    Format,
    check::{Envelope, Evidence},
    format::{Content, Parsed},
};

/// A copy with what belongs to it, and what a list of certificates shows of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    envelope: Envelope,
    format: Format,
    digest: Digest,
    commitment: Option<Commitment>,
    category: String,
    issuer: String,
    valid_from: Timestamp,
    valid_until: Timestamp,
    received_at: Timestamp,
    source: String,
}

impl Held {
    pub(crate) fn new(
        envelope: Envelope,
        parsed: &Parsed,
        source: &str,
        provider: &dyn Provider,
        now: Timestamp,
    ) -> Result<Self, WalletError> {
        let digest = parsed.digest(provider);
        let commitment = envelope
            .salt
            .as_ref()
            .map(|salt| Commitment::derive(provider, salt, &digest));
        let (category, issuer, valid_from, valid_until) = match &parsed.content {
            Content::Statement(statement) => (
                statement.category.to_string(),
                statement.issuer.clone(),
                statement.valid_from,
                statement.valid_until,
            ),
            Content::Hcert(content) => (
                "health certificate".to_owned(),
                content.issuer_country.clone().unwrap_or_default(),
                content.issued_at,
                content.expires_at,
            ),
            Content::SdJwtVc(content) => (
                content
                    .category()
                    .map_or_else(|| content.vct.clone(), |category| category.to_string()),
                content.issuer.clone().unwrap_or_default(),
                content.valid_from.or(content.issued_at).unwrap_or(now),
                content.valid_until.unwrap_or(Timestamp(i64::MAX)),
            ),
        };
        let receipt = envelope.receipt.clone();
        let mut held = Self {
            envelope: Envelope {
                receipt: None,
                ..envelope
            },
            format: parsed.format,
            digest,
            commitment,
            category,
            issuer,
            valid_from,
            valid_until,
            received_at: now,
            source: source.to_owned(),
        };
        if let Some(receipt) = receipt {
            held.add_receipt(receipt, provider)?;
        }
        Ok(held)
    }

    pub(crate) fn add_receipt(&mut self, receipt: Receipt, provider: &dyn Provider) -> Result<(), WalletError> {
        let commitment = self.commitment.as_ref().ok_or(WalletError::NoSalt)?;
        receipt.verify(provider, commitment).map_err(|_| WalletError::Receipt)?;
        self.envelope.receipt = Some(receipt);
        Ok(())
    }

    pub(crate) fn set_counter_signature(&mut self, text: String) {
        self.envelope.counter_signature = Some(text);
    }

    /// The copy, its salt, its receipt, its counter-signature: what is shown.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
    /// What belongs beside it on paper, once its receipt is there.
    pub fn evidence(&self) -> Option<Evidence> {
        Some(Evidence {
            salt: self.envelope.salt.clone()?,
            receipt: self.envelope.receipt.clone()?,
        })
    }
    /// Its rendering.
    pub fn format(&self) -> Format {
        self.format
    }
    /// SHA-256 of the issuer-signed bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }
    /// Its commitment, by which its receipt is asked for.
    pub fn commitment(&self) -> Option<Commitment> {
        self.commitment
    }
    /// The category's name; an HCERT's is found only by a check.
    pub fn category(&self) -> &str {
        &self.category
    }
    /// The issuer as the copy names it. Not verified.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
    /// From when it is valid.
    pub fn valid_from(&self) -> Timestamp {
        self.valid_from
    }
    /// Until when.
    pub fn valid_until(&self) -> Timestamp {
        self.valid_until
    }
    /// When it came in.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }
    /// Where it came from.
    pub fn source(&self) -> &str {
        &self.source
    }
}
