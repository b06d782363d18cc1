//! Reading an SD-JWT VC, whoever made it.

use super::{CLAIMS, IN_THE_CLEAR, PERSON, TYPE, attribute::of_person_mut, category_of};
use crate::{
    CategoryId, DisclosedPerson, Format, StatusReference,
    format::{self, FormatError, KeyHint, MAX_CERTIFICATE, Parsed, numeric_date},
    sd_jwt::{
        Disclosed, SdJwt, SdJwtError, Step,
        key_binding::{KeyBinding, KeyBindingError, holder_key},
        process,
    },
};
use serde_json::{Map, Value};
use std::fmt;
use vidimus_core::{Provider, PublicKey, Timestamp, id::CopyId};

/// Claims that cannot be disclosed by themselves (§3.2.2.2), whoever issues.
const NEVER_CONCEALED: [&str; 7] = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status"];

/// What an SD-JWT VC says in the clear, and what it takes to read the rest. Nothing in it is verified. Personal: `Debug` hides it.
#[derive(Clone, PartialEq)]
pub struct Content {
    /// `iss`, where it has one.
    pub issuer: Option<String>,
    /// `vct`: its type.
    pub vct: String,
    /// `vct#integrity`, where it has one.
    pub integrity: Option<String>,
    /// `jti`, where it has one.
    pub id: Option<String>,
    /// `iat`, where it stands in the clear.
    pub issued_at: Option<Timestamp>,
    /// `nbf`.
    pub valid_from: Option<Timestamp>,
    /// `exp`.
    pub valid_until: Option<Timestamp>,
    /// The key in `cnf`.
    pub holder: Option<PublicKey>,
    /// The token status list that it refers to.
    pub status: Option<StatusReference>,
    /// `x5c`: DER, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// `kid`.
    pub kid: Option<String>,
    /// The key binding it was shown with.
    pub binding: Option<KeyBinding>,
    payload: Map<String, Value>,
    text: String,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("vct", &self.vct)
            .field("bound", &self.binding.is_some())
            .finish_non_exhaustive()
    }
}

/// What a copy shows. Personal: `Debug` hides it.
#[derive(Clone, PartialEq)]
pub struct Shown {
    /// The person's attributes that are disclosed.
    pub person: DisclosedPerson,
    /// What else is disclosed: of a certificate of ours the category's claims, of another all that is not in the clear.
    pub claims: Map<String, Value>,
    /// When it was issued.
    pub issued_at: Option<Timestamp>,
    /// Where the disclosures went, in their order.
    pub disclosed: Vec<Disclosed>,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown(…)")
    }
}

/// Reads an SD-JWT VC, with or without key binding. Its disclosures are read by [`Content::show`], which takes a hash function.
pub fn parse(text: &str) -> Result<Parsed, FormatError> {
    if text.len() > MAX_CERTIFICATE {
        return Err(FormatError::TooLarge);
    }
    let read = SdJwt::parse(text).map_err(refused)?;
    let header = read.jws().header();
    if !header.is_type(TYPE) {
        return Err(FormatError::Unknown);
    }
    let payload = read.jws().claims().map_err(FormatError::Jws)?;
    let binding = read.key_binding().transpose().map_err(|error| match error {
        KeyBindingError::Jws(error) => FormatError::Jws(error),
        KeyBindingError::Claim(name) => FormatError::Claim(name),
        _ => FormatError::Claim("the key binding"),
    })?;
    let holder = match payload.get("cnf") {
        None => None,
        Some(_) => Some(holder_key(&payload).map_err(|_| FormatError::Claim("cnf"))?),
    };
    let content = Content {
        issuer: member(&payload, "iss")?,
        vct: member(&payload, "vct")?.ok_or(FormatError::Claim("vct"))?,
        integrity: member(&payload, "vct#integrity")?,
        id: member(&payload, "jti")?,
        issued_at: date(&payload, "iat")?,
        valid_from: date(&payload, "nbf")?,
        valid_until: date(&payload, "exp")?,
        holder,
        status: payload.get("status").map(status).transpose()?,
        chain: header.x5c.clone(),
        kid: header.kid.clone(),
        binding,
        text: read.unbound().to_owned(),
        payload,
    };
    let signed = read.into_jws().into_signed();
    Ok(Parsed {
        format: Format::SdJwtVc,
        content: format::Content::SdJwtVc(Box::new(content)),
        algorithm: signed.header.algorithm,
        key: signed.header.kid.map_or(KeyHint::None, KeyHint::Kid),
        message: signed.message,
        signature: signed.signature,
    })
}

impl Content {
    /// The category that its type names, where the type is one of ours.
    pub fn category(&self) -> Option<CategoryId> {
        category_of(&self.vct)
    }
    /// The id of the copy, where it is one of ours.
    pub fn copy_id(&self) -> Option<CopyId> {
        self.id.as_deref()?.strip_prefix("urn:uuid:")?.parse().ok()
    }
    /// The SD-JWT with its disclosures and without key binding.
    pub fn unbound(&self) -> &str {
        &self.text
    }
    /// The disclosures, as they came.
    pub fn disclosures(&self) -> impl Iterator<Item = &str> {
        let disclosures = self.text.split_once('~').map_or("", |(_, rest)| rest);
        disclosures.split_terminator('~')
    }
    /// Whether the key binding was signed by the key in `cnf`, over exactly what is shown.
    pub fn verify_binding(&self, provider: &dyn Provider) -> Result<(), KeyBindingError> {
        let (Some(binding), Some(holder)) = (&self.binding, &self.holder) else {
            return Err(KeyBindingError::Key);
        };
        binding.verify_holder(&self.text, holder, provider)
    }

    /// Puts the disclosures in their places (RFC 9901 §7.1, and §3.2.2.2 here). Of a certificate of ours nothing else is taken than what its
    /// format has.
    pub fn show(&self, provider: &dyn Provider) -> Result<Shown, FormatError> {
        let disclosures: Vec<&str> = self.disclosures().collect();
        let processed = process(self.payload.clone(), &disclosures, provider).map_err(refused)?;
        for one in &processed.disclosed {
            if let [Step::Name(name), ..] = one.path.steps()
                && let Some(name) = NEVER_CONCEALED.iter().find(|never| **never == name.as_str())
            {
                return Err(FormatError::Claim(name));
            }
        }
        let mut claims = processed.claims;
        let issued_at = date(&claims, "iat")?;
        claims.retain(|name, _| !IN_THE_CLEAR.contains(&name.as_str()));
        let mut person = DisclosedPerson::default();
        let ours = self.category().is_some();
        for ((name, _), place) in PERSON.into_iter().zip(of_person_mut(&mut person)) {
            match claims.get_mut(name).map(Value::take) {
                None => continue,
                Some(Value::String(text)) => *place = Some(text),
                // Another's claim of that name need not be ours.
                Some(_) if !ours => continue,
                Some(_) => return Err(FormatError::Claim(name)),
            }
            claims.shift_remove(name);
        }
        if ours {
            claims = self.own_claims(claims)?;
        }
        Ok(Shown {
            person,
            claims,
            issued_at,
            disclosed: processed.disclosed,
        })
    }

    fn own_claims(&self, mut claims: Map<String, Value>) -> Result<Map<String, Value>, FormatError> {
        self.copy_id().ok_or(FormatError::Claim("jti"))?;
        for (name, there) in [
            ("iss", self.issuer.is_some()),
            ("iat", self.issued_at.is_some()),
            ("nbf", self.valid_from.is_some()),
            ("exp", self.valid_until.is_some()),
            ("cnf", self.holder.is_some()),
        ] {
            if !there {
                return Err(FormatError::Claim(name));
            }
        }
        match (claims.shift_remove(CLAIMS), claims.is_empty()) {
            (Some(Value::Object(claims)), true) => Ok(claims),
            _ => Err(FormatError::Claim(CLAIMS)),
        }
    }
}

fn refused(error: SdJwtError) -> FormatError {
    match error {
        SdJwtError::TooLarge | SdJwtError::TooMany => FormatError::TooLarge,
        SdJwtError::Form => FormatError::Unknown,
        SdJwtError::Jws(error) => FormatError::Jws(error),
        error => FormatError::Disclosures(error),
    }
}

fn member(payload: &Map<String, Value>, name: &'static str) -> Result<Option<String>, FormatError> {
    match payload.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(FormatError::Claim(name)),
    }
}

fn date(payload: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, FormatError> {
    let value = payload.get(name);
    value
        .map(|value| numeric_date(value).ok_or(FormatError::Claim(name)))
        .transpose()
}

/// A mechanism that is not understood is an error and not an absent status.
fn status(value: &Value) -> Result<StatusReference, FormatError> {
    let list = &value["status_list"];
    match (list["uri"].as_str(), list["idx"].as_u64()) {
        (Some(uri), Some(index)) => Ok(StatusReference {
            token_list: uri.to_owned(),
            bitstring_list: None,
            suspension_list: None,
            index,
        }),
        _ => Err(FormatError::Claim("status")),
    }
}
