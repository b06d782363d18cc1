//! Reading one: digests are found, disclosures put in their places, and whatever does not fit is refused (RFC 9901 §7.1).

use super::{
    ClaimPath, DIGESTS, ELEMENT, HASH, HASH_NAME, MAX_DISCLOSURES, MAX_SD_JWT, Step, is_reserved,
    key_binding::{KeyBinding, KeyBindingError},
};
use crate::{
    json::{self, MAX_DEPTH, Node},
    jws::{Jws, JwsError},
};
use serde_json::{Map, Value};
use std::fmt;
use vidimus_core::{Provider, encoding};

/// Why a text is not read as an SD-JWT, or its disclosures do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SdJwtError {
    /// Longer than [`MAX_SD_JWT`].
    #[error("the SD-JWT is longer than {MAX_SD_JWT} bytes")]
    TooLarge,
    /// No tilde after the issuer-signed JWT (§4).
    #[error("an SD-JWT ends its signed part and each disclosure with a tilde")]
    Form,
    /// The issuer-signed JWT does not read.
    #[error("the issuer-signed JWT does not read")]
    Jws(#[source] JwsError),
    /// More than [`MAX_DISCLOSURES`].
    #[error("more than {MAX_DISCLOSURES} disclosures")]
    TooMany,
    /// A disclosure is not base64url of a JSON array of a salt, a name (for a member) and a value.
    #[error("a disclosure is not an array of a salt, a name and a value")]
    Disclosure,
    /// A disclosure stands there twice.
    #[error("a disclosure stands there twice")]
    Twice,
    /// A disclosure's digest stands nowhere.
    #[error("a disclosure belongs nowhere")]
    Orphan,
    /// `_sd_alg` is not one that is understood.
    #[error("_sd_alg is not {HASH}")]
    Hash,
    /// `_sd` is not an array of texts.
    #[error("_sd is not an array of digests")]
    Digests,
    /// A digest stands there twice.
    #[error("a digest stands there twice")]
    Repeated,
    /// `...` stands for no element, beside other members, or has no digest.
    #[error("... does not stand for an element of an array")]
    Element,
    /// `_sd_alg` beneath the top.
    #[error("_sd_alg stands beneath the top")]
    Nested,
    /// The disclosure of an element has a name, or that of a member none.
    #[error("the disclosure of a member stands for an element, or the other way round")]
    Kind,
    /// A disclosure names a claim `_sd`, `_sd_alg` or `...`.
    #[error("a disclosure names a claim that can be none")]
    Reserved,
    /// A disclosure names a claim that is there already.
    #[error("a disclosure names a claim that is there already")]
    Taken,
    /// What is disclosed nests deeper than [`MAX_DEPTH`].
    #[error("claims are nested deeper than {MAX_DEPTH}")]
    TooDeep,
}

/// An SD-JWT that was read and not verified.
#[derive(Clone)]
pub struct SdJwt<'a> {
    jws: Jws<'a>,
    signed: &'a str,
    disclosures: Vec<&'a str>,
    unbound: &'a str,
    bound: Option<&'a str>,
}

impl fmt::Debug for SdJwt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdJwt")
            .field("header", self.jws.header())
            .field("disclosures", &self.disclosures.len())
            .field("bound", &self.bound.is_some())
            .finish_non_exhaustive()
    }
}

impl<'a> SdJwt<'a> {
    /// Reads an SD-JWT, or one with its key binding (SD-JWT+KB).
    pub fn parse(text: &'a str) -> Result<Self, SdJwtError> {
        if text.len() > MAX_SD_JWT {
            return Err(SdJwtError::TooLarge);
        }
        let (Some(first), Some(last)) = (
            memchr::memchr(b'~', text.as_bytes()),
            memchr::memrchr(b'~', text.as_bytes()),
        ) else {
            return Err(SdJwtError::Form);
        };
        let signed = &text[..first];
        let mut disclosures = Vec::new();
        if first < last {
            for disclosure in text[first + 1..last].split('~') {
                if disclosures.len() >= MAX_DISCLOSURES {
                    return Err(SdJwtError::TooMany);
                }
                disclosures.push(disclosure);
            }
        }
        let after = &text[last + 1..];
        Ok(Self {
            jws: Jws::parse(signed, MAX_SD_JWT).map_err(SdJwtError::Jws)?,
            signed,
            disclosures,
            unbound: &text[..=last],
            bound: (!after.is_empty()).then_some(after),
        })
    }

    /// The issuer-signed JWT.
    pub fn jws(&self) -> &Jws<'a> {
        &self.jws
    }
    /// The text of the issuer-signed JWT.
    pub fn signed(&self) -> &'a str {
        self.signed
    }
    /// The disclosures, as they came.
    pub fn disclosures(&self) -> &[&'a str] {
        &self.disclosures
    }
    /// Without its key binding, up to and with the last tilde: what `sd_hash` is taken over (§4.3.1).
    pub fn unbound(&self) -> &'a str {
        self.unbound
    }
    /// The text of the key binding, where there is one. Who receives an SD-JWT from an issuer refuses one (§7.2).
    pub fn bound(&self) -> Option<&'a str> {
        self.bound
    }
    /// The key binding, read and not verified.
    pub fn key_binding(&self) -> Option<Result<KeyBinding, KeyBindingError>> {
        self.bound.map(KeyBinding::parse)
    }
    /// What is left once everything has been interpreted.
    pub fn into_jws(self) -> Jws<'a> {
        self.jws
    }

    /// Puts the disclosures into the payload. Says nothing about the signature.
    pub fn process(&self, provider: &dyn Provider) -> Result<Processed, SdJwtError> {
        let payload = self.jws.claims().map_err(SdJwtError::Jws)?;
        process(payload, &self.disclosures, provider)
    }
}

/// A payload with everything in its place that is disclosed, and nothing left of what is not. Personal: `Debug` hides it.
#[derive(Clone, PartialEq)]
pub struct Processed {
    /// The claims.
    pub claims: Map<String, Value>,
    /// For each disclosure, in the order they came, where it went.
    pub disclosed: Vec<Disclosed>,
}

impl fmt::Debug for Processed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Processed({} disclosed)", self.disclosed.len())
    }
}

/// Where a disclosure went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosed {
    /// The claim that it discloses, without [`Step::All`]. Elements count as they stand among those that are disclosed.
    pub path: ClaimPath,
    /// The disclosure that holds its digest, by its place in the list; none where the signed payload does.
    pub parent: Option<usize>,
}

/// [`SdJwt::process`] of a payload and disclosures that came apart.
pub fn process(
    payload: Map<String, Value>,
    disclosures: &[&str],
    provider: &dyn Provider,
) -> Result<Processed, SdJwtError> {
    let came = disclosures.iter().enumerate().map(|(at, text)| {
        let digest = provider.sha256(&[text.as_bytes()]).0;
        Ok((digest, at, Some(Disclosure::parse(text)?)))
    });
    let mut came = came.collect::<Result<Vec<_>, _>>()?;
    came.sort_unstable_by_key(|(digest, at, _)| (*digest, *at));
    if came.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(SdJwtError::Twice);
    }
    let mut payload = payload;
    match payload.shift_remove(HASH_NAME) {
        None => {}
        Some(Value::String(name)) if name == HASH => {}
        Some(_) => return Err(SdJwtError::Hash),
    }
    let mut filler = Filler {
        came,
        met: Vec::new(),
        odd: Vec::new(),
        path: Vec::new(),
        disclosed: vec![None; disclosures.len()],
    };
    filler.members(&mut payload, None)?;
    filler.met_once()?;
    let disclosed: Option<Vec<_>> = filler.disclosed.into_iter().collect();
    Ok(Processed {
        claims: payload,
        disclosed: disclosed.ok_or(SdJwtError::Orphan)?,
    })
}

/// A disclosure that was decoded.
struct Disclosure {
    name: Option<String>,
    value: Value,
}

impl Disclosure {
    fn parse(text: &str) -> Result<Self, SdJwtError> {
        let malformed = SdJwtError::Disclosure;
        let bytes = encoding::from_base64url(text).map_err(|_| malformed)?;
        let Ok(Node::List(parts)) = json::read(&bytes, MAX_SD_JWT) else {
            return Err(malformed);
        };
        match parts.as_slice() {
            [Node::Text(_), Node::Text(name), value] => Ok(Self {
                name: Some(name.clone().into_owned()),
                value: value.to_value(),
            }),
            [Node::Text(_), value] => Ok(Self {
                name: None,
                value: value.to_value(),
            }),
            _ => Err(malformed),
        }
    }
}

struct Filler {
    /// What came, with its digest and place, in the order of digests; taken out where it goes.
    came: Vec<([u8; 32], usize, Option<Disclosure>)>,
    /// The digests that were met.
    met: Vec<[u8; 32]>,
    /// Texts in the places of digests that can be none.
    odd: Vec<String>,
    path: Vec<Step>,
    disclosed: Vec<Option<Disclosed>>,
}

impl Filler {
    fn value(&mut self, value: &mut Value, parent: Option<usize>) -> Result<(), SdJwtError> {
        match value {
            Value::Object(members) => {
                if members.contains_key(HASH_NAME) {
                    return Err(SdJwtError::Nested);
                }
                self.members(members, parent)
            }
            Value::Array(items) => self.items(items, parent),
            _ => Ok(()),
        }
    }

    fn members(&mut self, members: &mut Map<String, Value>, parent: Option<usize>) -> Result<(), SdJwtError> {
        self.bounded()?;
        if members.contains_key(ELEMENT) {
            return Err(SdJwtError::Element);
        }
        let digests = members.shift_remove(DIGESTS);
        for (name, value) in members.iter_mut() {
            if matches!(value, Value::Object(_) | Value::Array(_)) {
                self.path.push(Step::Name(name.clone()));
                self.value(value, parent)?;
                self.path.pop();
            }
        }
        let digests = match digests {
            None => return Ok(()),
            Some(Value::Array(digests)) => digests,
            Some(_) => return Err(SdJwtError::Digests),
        };
        for digest in digests {
            let Value::String(digest) = digest else {
                return Err(SdJwtError::Digests);
            };
            let Some((at, disclosure)) = self.find(digest) else {
                continue;
            };
            let name = disclosure.name.ok_or(SdJwtError::Kind)?;
            if is_reserved(&name) {
                return Err(SdJwtError::Reserved);
            }
            if members.contains_key(&name) {
                return Err(SdJwtError::Taken);
            }
            let mut value = disclosure.value;
            self.fill(Step::Name(name.clone()), at, &mut value, parent)?;
            members.insert(name, value);
        }
        Ok(())
    }

    fn items(&mut self, items: &mut Vec<Value>, parent: Option<usize>) -> Result<(), SdJwtError> {
        self.bounded()?;
        let mut shown = Vec::with_capacity(items.len());
        for mut item in std::mem::take(items) {
            let step = Step::Index(shown.len());
            match concealed(&mut item)? {
                None => {
                    self.path.push(step);
                    self.value(&mut item, parent)?;
                    self.path.pop();
                    shown.push(item);
                }
                Some(digest) => {
                    let Some((at, disclosure)) = self.find(digest) else {
                        continue;
                    };
                    if disclosure.name.is_some() {
                        return Err(SdJwtError::Kind);
                    }
                    let mut value = disclosure.value;
                    self.fill(step, at, &mut value, parent)?;
                    shown.push(value);
                }
            }
        }
        *items = shown;
        Ok(())
    }

    /// The disclosure with that digest, the first time that it is met.
    fn find(&mut self, text: String) -> Option<(usize, Disclosure)> {
        let Some(digest) = encoding::digest_from_base64url(&text) else {
            self.odd.push(text);
            return None;
        };
        self.met.push(digest);
        let found = self.came.binary_search_by_key(&digest, |(digest, ..)| *digest).ok()?;
        let (_, at, disclosure) = &mut self.came[found];
        Some((*at, disclosure.take()?))
    }

    /// That no digest stood there twice (§7.1 step 4).
    fn met_once(&mut self) -> Result<(), SdJwtError> {
        self.met.sort_unstable();
        self.odd.sort_unstable();
        let twice =
            self.met.windows(2).any(|pair| pair[0] == pair[1]) || self.odd.windows(2).any(|pair| pair[0] == pair[1]);
        if twice { Err(SdJwtError::Repeated) } else { Ok(()) }
    }

    /// Notes where a disclosure goes, and goes on inside it.
    fn fill(&mut self, step: Step, at: usize, value: &mut Value, parent: Option<usize>) -> Result<(), SdJwtError> {
        self.path.push(step);
        let path = ClaimPath::new(self.path.clone()).map_err(|_| SdJwtError::TooDeep)?;
        self.disclosed[at] = Some(Disclosed { path, parent });
        self.value(value, Some(at))?;
        self.path.pop();
        Ok(())
    }

    /// Disclosures hold disclosures, so that depth is not that of one document.
    fn bounded(&self) -> Result<(), SdJwtError> {
        if self.path.len() >= MAX_DEPTH {
            Err(SdJwtError::TooDeep)
        } else {
            Ok(())
        }
    }
}

/// The digest that stands for an element, where one does.
fn concealed(item: &mut Value) -> Result<Option<String>, SdJwtError> {
    let Value::Object(members) = item else {
        return Ok(None);
    };
    match (members.get_mut(ELEMENT).map(Value::take), members.len()) {
        (None, _) => Ok(None),
        (Some(Value::String(digest)), 1) => Ok(Some(digest)),
        (Some(_), _) => Err(SdJwtError::Element),
    }
}
