//! What is checked, in any of the forms it is shown in.

use super::{Envelope, Evidence};
use crate::{
    format::{self, Content, FormatError, Parsed, evidence, hcert, sd_jwt_vc},
    jws::JwsError,
    presentation::{MAX_PRESENTATION, Presentation, PresentationError},
    statement::{Format, Statement, StatusReference},
};
use serde::Deserialize;
use std::borrow::Cow;
use vidimus_core::{Digest, Provider, Receipt, Salt, reason::Reason, receipt::Anchor};

/// The most bytes an input may have: a presentation that carries an envelope.
pub const MAX_INPUT: usize = MAX_PRESENTATION;

/// Something to check: a copy, and what came with it. Read, not verified.
#[derive(Clone, PartialEq)]
pub struct Input {
    pub(super) copy: Parsed,
    pub(super) salt: Option<Salt>,
    pub(super) receipt: Option<Receipt>,
    pub(super) counter_signature: Option<String>,
    pub(super) presentation: Option<Presentation>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input")
            .field("format", &self.copy.format)
            .finish_non_exhaustive()
    }
}

impl Input {
    /// Reads an input, whichever it is: the text of a copy (a VC as JWT, an SD-JWT VC with or without key binding, or `HC1:…`), an [`Envelope`] as
    /// JSON, a presentation as JWT that shows one copy, or paper: `HC1:…` and its evidence `VE1:…`, each in a line of its own. The error is the
    /// reason that a report gives.
    pub fn parse(bytes: &[u8]) -> Result<Self, Reason> {
        if bytes.len() > MAX_INPUT {
            return Err(Reason::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Reason::Malformed)?.trim();
        if text.starts_with('{') {
            let envelope: Borrowed<'_> = serde_json::from_str(text).map_err(|_| Reason::Malformed)?;
            return envelope.read();
        }
        if let Some((copy, evidence)) = two_codes(text) {
            return Self::parse_with(copy.as_bytes(), Some(evidence));
        }
        match format::parse(text) {
            Ok(copy) => Ok(Self::from_copy(copy)),
            // A presentation is a JWT too, longer than a certificate may be.
            Err(error) if !text.starts_with(format::hcert::PREFIX) => Self::parse_presentation(text, error),
            Err(error) => Err(error.reason()),
        }
    }

    /// [`Self::parse`] of a copy whose evidence came apart from it. Evidence beside what brings its own is refused: it would be unclear which
    /// of them counts.
    pub fn parse_with(bytes: &[u8], evidence: Option<&str>) -> Result<Self, Reason> {
        let mut input = Self::parse(bytes)?;
        if let Some(text) = evidence {
            let evidence = Evidence::parse(text.trim()).map_err(|_| Reason::EvidenceMalformed)?;
            if input.salt.is_some() || input.receipt.is_some() || input.presentation.is_some() {
                return Err(Reason::EvidenceMalformed);
            }
            input = input.with_receipt(evidence.salt, evidence.receipt);
        }
        Ok(input)
    }

    /// A copy alone.
    pub fn from_copy(copy: Parsed) -> Self {
        Self {
            copy,
            salt: None,
            receipt: None,
            counter_signature: None,
            presentation: None,
        }
    }

    /// A copy and what belongs to it.
    pub fn from_envelope(envelope: Envelope) -> Result<Self, Reason> {
        let Envelope {
            copy,
            salt,
            receipt,
            counter_signature,
        } = envelope;
        let copy = copy.into();
        Borrowed {
            copy,
            salt,
            receipt,
            counter_signature,
        }
        .read()
    }

    /// All copies that a presentation shows, each as an input of its own.
    pub fn from_presentation(presentation: &Presentation) -> Result<Vec<Self>, Reason> {
        let one = |envelope: &Envelope| Self::from_envelope(envelope.clone())?.within(presentation.clone());
        presentation.envelopes.iter().map(one).collect()
    }

    /// An SD-JWT VC is shown with its own key binding and in no presentation.
    fn within(mut self, presentation: Presentation) -> Result<Self, Reason> {
        if self.copy.format == Format::SdJwtVc {
            return Err(Reason::UnsupportedFormat);
        }
        self.presentation = Some(presentation);
        Ok(self)
    }

    fn parse_presentation(text: &str, as_copy: FormatError) -> Result<Self, Reason> {
        match Presentation::parse(text) {
            Ok(mut presentation) if presentation.envelopes.len() == 1 => {
                let envelope = presentation.envelopes.remove(0);
                Self::from_envelope(envelope)?.within(presentation)
            }
            Ok(_) => Err(Reason::UnsupportedFormat),
            Err(PresentationError::NotOne | PresentationError::Jws(JwsError::TooLarge(_))) => Err(as_copy.reason()),
            Err(PresentationError::Jws(JwsError::Algorithm)) => Err(Reason::AlgorithmNotAllowed),
            Err(PresentationError::Jws(_)) => Err(as_copy.reason()),
            Err(PresentationError::Claim(_)) => Err(Reason::Malformed),
        }
    }

    /// Adds what was fetched elsewhere: paper carries neither salt nor receipt, and asks for them by digest.
    #[must_use]
    pub fn with_receipt(mut self, salt: Salt, receipt: Receipt) -> Self {
        self.salt = Some(salt);
        self.receipt = Some(receipt);
        self
    }

    /// Whether this is paper as it was scanned, with nothing beside it.
    pub fn is_bare_paper(&self) -> bool {
        self.copy.format == Format::Hcert && self.salt.is_none() && self.receipt.is_none()
    }

    /// The form of the copy.
    pub fn format(&self) -> Format {
        self.copy.format
    }
    /// SHA-256 of the issuer-signed bytes.
    pub fn digest(&self, provider: &dyn Provider) -> Digest {
        self.copy.digest(provider)
    }
    /// The status lists that a check of this needs, so that they can be fetched first. A claim: fetch only from where the deployment serves
    /// them, or through a client that is safe against forged addresses.
    pub fn status(&self) -> Option<&StatusReference> {
        status_of(&self.copy)
    }
    /// The anchor that its receipt names, so that the ledger can be asked first.
    pub fn anchor(&self) -> Option<&Anchor> {
        self.receipt.as_ref().map(|receipt| &receipt.anchor)
    }
    /// What an SD-JWT VC says. Not verified.
    pub fn sd_jwt_vc(&self) -> Option<&sd_jwt_vc::Content> {
        match &self.copy.content {
            Content::SdJwtVc(content) => Some(content),
            Content::Statement(_) | Content::Hcert(_) => None,
        }
    }
    /// The statement, where the format carries a whole one. Not verified.
    pub fn statement(&self) -> Option<&Statement> {
        self.copy.statement()
    }
    /// Whether its holder shows it: in a presentation, or with a key binding. Not verified.
    pub fn is_shown(&self) -> bool {
        let binding = self.sd_jwt_vc().and_then(|content| content.binding.as_ref());
        self.presentation.is_some() || binding.is_some()
    }
    /// The presentation it was shown in.
    pub fn presentation(&self) -> Option<&Presentation> {
        self.presentation.as_ref()
    }
}

/// A health certificate and its evidence, in lines of their own and in any order, as a scanner gives two codes. Neither text ends in a space
/// (the last digit of a group of base45 is never that), so trimming lines loses nothing.
fn two_codes(text: &str) -> Option<(&str, &str)> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (first, second) = (lines.next()?, lines.next()?);
    if lines.next().is_some() {
        return None;
    }
    let are = |copy: &str, beside: &str| copy.starts_with(hcert::PREFIX) && beside.starts_with(evidence::PREFIX);
    if are(first, second) {
        Some((first, second))
    } else {
        are(second, first).then_some((second, first))
    }
}

/// An envelope whose copy stays where it is. Every member is known and no object within is open, so a name that stands twice is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Borrowed<'a> {
    #[serde(borrow)]
    copy: Cow<'a, str>,
    #[serde(default)]
    salt: Option<Salt>,
    #[serde(default)]
    receipt: Option<Receipt>,
    #[serde(default)]
    counter_signature: Option<String>,
}

impl Borrowed<'_> {
    fn read(self) -> Result<Input, Reason> {
        Ok(Input {
            copy: format::parse(&self.copy).map_err(FormatError::reason)?,
            salt: self.salt,
            receipt: accept(self.receipt)?,
            counter_signature: self.counter_signature,
            presentation: None,
        })
    }
}

pub(super) fn status_of(copy: &Parsed) -> Option<&StatusReference> {
    match &copy.content {
        Content::Statement(statement) => statement.status.as_ref(),
        Content::Hcert(content) => content.status.as_ref(),
        Content::SdJwtVc(content) => content.status.as_ref(),
    }
}

fn accept(receipt: Option<Receipt>) -> Result<Option<Receipt>, Reason> {
    match receipt {
        Some(receipt) if receipt.version != 1 => Err(Reason::UnsupportedFormat),
        receipt => Ok(receipt),
    }
}
