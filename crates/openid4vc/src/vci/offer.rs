//! Credential offers (OpenID4VCI §4.1).

use crate::oauth::{
    Endpoint, Form, Identifier, Opaque,
    authorization::with_query,
    wire::{self, WireError},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest offer that is read, as a link or as a document.
pub const MAX_OFFER: usize = 64 << 10;
/// The most configurations in one offer.
pub const MAX_OFFERED: usize = 64;

/// An offer: what there is, from whom, and how to get it. It is not signed: whoever reads it trusts nothing in it (§13.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialOffer {
    /// From whom.
    pub credential_issuer: Identifier,
    /// What: keys of the issuer's `credential_configurations_supported`.
    pub credential_configuration_ids: Vec<String>,
    /// How. Absent: as the authorization server's metadata say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Grants>,
}

/// The grants of an offer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grants {
    /// Through the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_code: Option<AuthorizationCodeGrant>,
    /// At once, with a code that is in the offer.
    #[serde(
        default,
        rename = "urn:ietf:params:oauth:grant-type:pre-authorized_code",
        skip_serializing_if = "Option::is_none"
    )]
    pub pre_authorized_code: Option<PreAuthorizedGrant>,
}

/// Through the browser.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AuthorizationCodeGrant {
    /// Goes into the authorization request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_state: Option<String>,
    /// Which of several authorization servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_server: Option<Identifier>,
}

/// At once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreAuthorizedGrant {
    /// The code: short lived, single use.
    #[serde(rename = "pre-authorized_code")]
    pub code: Opaque,
    /// That, and what, comes by a second channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx_code: Option<TxCode>,
    /// Which of several authorization servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_server: Option<Identifier>,
}

/// What the transaction code looks like, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TxCode {
    /// Digits, or anything.
    #[serde(default, skip_serializing_if = "is_numeric")]
    pub input_mode: InputMode,
    /// How long it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u16>,
    /// At most 300 characters about where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a transaction code is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputMode {
    /// Digits only.
    #[default]
    Numeric,
    /// Any characters.
    Text,
}

fn is_numeric(mode: &InputMode) -> bool {
    *mode == InputMode::Numeric
}

impl TxCode {
    /// Whether what a person typed can be the code at all: a wallet asks again instead of using up an attempt.
    pub fn fits(&self, typed: &str) -> bool {
        let digits = self.input_mode == InputMode::Text || typed.bytes().all(|byte| byte.is_ascii_digit());
        let length = self
            .length
            .is_none_or(|length| typed.chars().count() == usize::from(length));
        !typed.is_empty() && digits && length
    }
}

/// How a wallet is invoked (§4.1, §12.1.1, HAIP §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// `openid-credential-offer://`.
    OpenidCredentialOffer,
    /// `haip-vci://`.
    HaipVci,
    /// A wallet's own address.
    Endpoint(Endpoint),
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenidCredentialOffer => "openid-credential-offer://",
            Self::HaipVci => "haip-vci://",
            Self::Endpoint(endpoint) => endpoint.as_str(),
        })
    }
}

/// Why an offer is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Longer than [`MAX_OFFER`].
    #[error("the offer is longer than {MAX_OFFER} bytes")]
    TooLarge,
    /// The link is not one that holds an offer: another scheme, no query, or a parameter twice.
    #[error("not a link with a credential offer")]
    Link,
    /// It has both an offer and a reference to one, or neither (§4.1).
    #[error("the link must hold an offer or a reference to one, and not both")]
    Both,
    /// The reference is not a URL that may be fetched.
    #[error("the reference to the offer is not an https URL")]
    Reference,
    /// The offer is not readable.
    #[error("the offer is not readable")]
    Wire(#[from] WireError),
    /// A list is empty or has a value twice, or a text is longer than it may be.
    #[error("the offer has a value that it must not have: {0}")]
    Value(&'static str),
}

/// What a link holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferLink {
    /// The offer itself.
    Value(CredentialOffer),
    /// Where it is to be fetched.
    Reference(Endpoint),
}

impl OfferLink {
    /// Reads what a QR code or link holds: `openid-credential-offer://`, `haip-vci://`, or an `https` address of the wallet.
    pub fn parse(link: &str) -> Result<Self, OfferError> {
        if link.len() > MAX_OFFER {
            return Err(OfferError::TooLarge);
        }
        let (scheme, rest) = link.trim().split_once("://").ok_or(OfferError::Link)?;
        let known = ["openid-credential-offer", "haip-vci", "https", "http"];
        if !known.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(OfferError::Link);
        }
        let (_, query) = rest.split_once('?').ok_or(OfferError::Link)?;
        let query = query.split('#').next().unwrap_or_default();
        let form = Form::parse(query.as_bytes()).map_err(|_| OfferError::Link)?;
        match (form.get("credential_offer"), form.get("credential_offer_uri")) {
            (Some(offer), None) => CredentialOffer::parse(offer.as_bytes()).map(Self::Value),
            (None, Some(uri)) => Endpoint::new(uri)
                .map(Self::Reference)
                .map_err(|_| OfferError::Reference),
            _ => Err(OfferError::Both),
        }
    }
    /// The link.
    pub fn to_link(&self, invocation: &Invocation) -> String {
        let form = match self {
            Self::Value(offer) => Form::new().with("credential_offer", &offer.to_json()),
            Self::Reference(endpoint) => Form::new().with("credential_offer_uri", endpoint.as_str()),
        };
        with_query(&invocation.to_string(), &form)
    }
}

impl CredentialOffer {
    /// Reads the document.
    pub fn parse(bytes: &[u8]) -> Result<Self, OfferError> {
        if bytes.len() > MAX_OFFER {
            return Err(OfferError::TooLarge);
        }
        let offer: Self = wire::read(bytes, "credential offer")?;
        offer.check()?;
        Ok(offer)
    }

    fn check(&self) -> Result<(), OfferError> {
        let ids = &self.credential_configuration_ids;
        let twice = ids.iter().enumerate().any(|(at, id)| ids[..at].contains(id));
        if !(1..=MAX_OFFERED).contains(&ids.len()) || twice || ids.iter().any(String::is_empty) {
            return Err(OfferError::Value("credential_configuration_ids"));
        }
        let Some(pre) = self.pre_authorized() else {
            return Ok(());
        };
        if pre.code.expose().is_empty() || pre.code.expose().len() > wire::MAX_TEXT {
            return Err(OfferError::Value("pre-authorized_code"));
        }
        let description = pre.tx_code.as_ref().and_then(|code| code.description.as_deref());
        if description.is_some_and(|text| text.chars().count() > 300) {
            return Err(OfferError::Value("description"));
        }
        if pre.tx_code.as_ref().and_then(|code| code.length) == Some(0) {
            return Err(OfferError::Value("length"));
        }
        Ok(())
    }

    /// The grant of a pre-authorized code.
    pub fn pre_authorized(&self) -> Option<&PreAuthorizedGrant> {
        self.grants.as_ref()?.pre_authorized_code.as_ref()
    }
    /// The grant of an authorization code.
    pub fn authorization_code(&self) -> Option<&AuthorizationCodeGrant> {
        self.grants.as_ref()?.authorization_code.as_ref()
    }
    /// Whether the offer says nothing of grants, so that the authorization server's metadata do (§4.1.1).
    pub fn leaves_grants_open(&self) -> bool {
        self.grants.as_ref().is_none_or(|grants| *grants == Grants::default())
    }
    /// As JSON. Whoever reads it has the code.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and lists of them are JSON")
    }
}
