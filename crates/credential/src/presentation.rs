//! Presentations: a holder shows copies in answer to a verifier's request.
//!
//! A W3C Verifiable Presentation 1.1 as a JWT (VC Data Model 1.1 §6.3.1): `vp.verifiableCredential` holds the copies as text, `nonce` and `aud`
//! bind it to the request, `exp` ends it soon. Two claims are ours: `purpose`, and `evidence`, which holds what travels beside each copy (salt,
//! receipt, counter-signature) in the copies' order.

use crate::{
    card,
    check::Envelope,
    jws::{self, JwsError},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vidimus_core::{Algorithm, Provider, Receipt, Salt, SignatureError, Timestamp};

/// The longest presentation that is read.
pub const MAX_PRESENTATION: usize = 256 << 10;
/// The most copies in one presentation.
pub const MAX_COPIES: usize = 16;

/// A presentation to be made.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The holder's DID.
    pub holder: &'a str,
    /// Who asked, as the request said it.
    pub audience: &'a str,
    /// The request's nonce.
    pub nonce: &'a str,
    /// What for, if the request said so.
    pub purpose: Option<&'a str>,
    /// Now.
    pub issued_at: Timestamp,
    /// When it ends; checkers take five minutes at most.
    pub expires_at: Timestamp,
    /// What is shown.
    pub envelopes: &'a [Envelope],
    /// The holder card, needed where the P-256 key signs.
    pub card: Option<&'a str>,
}

impl Draft<'_> {
    /// The presentation, to be signed with `algorithm`: ES256K or ES256K-R by the account key, or ES256 by the P-256 key that the card binds or
    /// the holder's `did:jwk` is.
    pub fn prepare(&self, algorithm: Algorithm) -> jws::Unsigned {
        let kid = card::kid_of(self.holder);
        let header = card::members(json!({"alg": algorithm.name(), "typ": "JWT", "kid": kid}));
        let copies: Vec<&str> = self.envelopes.iter().map(|envelope| envelope.copy.as_str()).collect();
        let mut payload = json!({
            "iss": self.holder,
            "aud": self.audience,
            "nonce": self.nonce,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "vp": {
                "@context": ["https://www.w3.org/2018/credentials/v1"],
                "type": ["VerifiablePresentation"],
                "verifiableCredential": copies,
            },
        });
        if let Some(purpose) = self.purpose {
            payload["purpose"] = purpose.into();
        }
        if let Some(card) = self.card {
            payload["card"] = card.into();
        }
        let evidence: Vec<Evidence> = self.envelopes.iter().map(Evidence::of).collect();
        if evidence.iter().any(|evidence| *evidence != Evidence::default()) {
            payload["evidence"] = serde_json::to_value(evidence).expect("hexadecimal text and numbers are JSON");
        }
        jws::Unsigned::new(&header, payload.to_string().as_bytes())
    }
}

/// What travels beside a copy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Evidence {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<Salt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counter_signature: Option<String>,
}

impl Evidence {
    fn of(envelope: &Envelope) -> Self {
        Self {
            salt: envelope.salt.clone(),
            receipt: envelope.receipt.clone(),
            counter_signature: envelope.counter_signature.clone(),
        }
    }
}

/// Why a text is not read as a presentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PresentationError {
    /// Not a readable compact JWS.
    #[error("not a readable JWS")]
    Jws(#[source] JwsError),
    /// It has no `vp` claim: something else.
    #[error("not a presentation")]
    NotOne,
    /// A claim has the wrong form.
    #[error("the claim {0} is missing or has the wrong form")]
    Claim(&'static str),
}

/// A presentation as it was read. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Presentation {
    /// DID of whoever says it shows this.
    pub holder: String,
    /// Whom it was made for.
    pub audience: Vec<String>,
    /// The nonce it answers.
    pub nonce: Option<String>,
    /// What for.
    pub purpose: Option<String>,
    /// When it was made.
    pub issued_at: Option<Timestamp>,
    /// From when it holds.
    pub not_before: Option<Timestamp>,
    /// Until when it holds.
    pub expires_at: Option<Timestamp>,
    /// What is shown.
    pub envelopes: Vec<Envelope>,
    card: Option<String>,
    signed: jws::Signed,
}

impl Presentation {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, PresentationError> {
        let token = jws::Jws::parse(text.trim(), MAX_PRESENTATION).map_err(PresentationError::Jws)?;
        let mut claims = token.claims().map_err(PresentationError::Jws)?;
        let Some(vp) = claims.remove("vp") else {
            return Err(PresentationError::NotOne);
        };
        let holder = text_claim(&mut claims, "iss")?.ok_or(PresentationError::Claim("iss"))?;
        if vp.get("holder").is_some_and(|named| named.as_str() != Some(&holder)) {
            return Err(PresentationError::Claim("holder"));
        }
        let copies = copies(vp)?;
        let evidence: Vec<Option<Evidence>> = match claims.remove("evidence") {
            None => Vec::new(),
            Some(value) => serde_json::from_value(value).map_err(|_| PresentationError::Claim("evidence"))?,
        };
        if !evidence.is_empty() && evidence.len() != copies.len() {
            return Err(PresentationError::Claim("evidence"));
        }
        let beside = evidence
            .into_iter()
            .map(Option::unwrap_or_default)
            .chain(std::iter::repeat(Evidence::default()));
        let envelopes = copies
            .into_iter()
            .zip(beside)
            .map(
                |(
                    copy,
                    Evidence {
                        salt,
                        receipt,
                        counter_signature,
                    },
                )| Envelope {
                    copy,
                    salt,
                    receipt,
                    counter_signature,
                },
            )
            .collect();
        Ok(Self {
            holder,
            audience: audience(claims.remove("aud"))?,
            nonce: text_claim(&mut claims, "nonce")?,
            purpose: text_claim(&mut claims, "purpose")?,
            issued_at: time_claim(&claims, "iat")?,
            not_before: time_claim(&claims, "nbf")?,
            expires_at: time_claim(&claims, "exp")?,
            card: text_claim(&mut claims, "card")?,
            envelopes,
            signed: token.into_signed(),
        })
    }

    /// Whether the one it names as holder signed it.
    pub fn verify_holder(&self, provider: &dyn Provider, now: Timestamp) -> Result<(), SignatureError> {
        card::verify_holder(&self.signed, &self.holder, self.card.as_deref(), provider, now)
    }
}

fn text_claim(claims: &mut Map<String, Value>, name: &'static str) -> Result<Option<String>, PresentationError> {
    match claims.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(PresentationError::Claim(name)),
    }
}

/// A NumericDate (RFC 7519 §2); fractions of a second are cut off.
fn time_claim(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, PresentationError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value
        .as_i64()
        .or_else(|| value.as_f64().filter(|f| f.abs() < 1e15).map(|f| f.floor() as i64));
    whole
        .map(|seconds| Some(Timestamp(seconds)))
        .ok_or(PresentationError::Claim(name))
}

fn audience(value: Option<Value>) -> Result<Vec<String>, PresentationError> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one]),
        Some(list) => serde_json::from_value(list).map_err(|_| PresentationError::Claim("aud")),
    }
}

fn copies(mut vp: Value) -> Result<Vec<String>, PresentationError> {
    let wrong = PresentationError::Claim("verifiableCredential");
    let copies = match vp.get_mut("verifiableCredential").map(Value::take) {
        Some(Value::String(one)) => vec![one],
        Some(list) => serde_json::from_value(list).map_err(|_| wrong)?,
        None => return Err(wrong),
    };
    if (1..=MAX_COPIES).contains(&copies.len()) {
        Ok(copies)
    } else {
        Err(wrong)
    }
}
