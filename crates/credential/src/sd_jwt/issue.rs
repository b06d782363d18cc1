//! Making one: which claims are disclosable, and what stands in the payload instead of them (RFC 9901 §4.1, §4.2).

use super::{ClaimPath, DIGESTS, ELEMENT, HASH, HASH_NAME, MAX_DISCLOSURES, Step, combine, digest_of, is_reserved};
use crate::json::MAX_DEPTH;
use serde_json::{Map, Value, json};
use std::{borrow::Cow, fmt};
use vidimus_core::{Entropy, Provider, encoding};

/// The most decoys that are made.
const MAX_DECOYS: usize = MAX_DISCLOSURES;

/// Which parts of a JSON object can be disclosed each on its own, and where decoys hide how many there are. What holds disclosable parts may be
/// disclosable itself (§4.2.6).
#[derive(Debug, Clone, Default)]
pub struct Frame {
    alone: bool,
    decoys: usize,
    /// Everything beneath is disclosable, whatever `beneath` says.
    deep: bool,
    beneath: Vec<(Step, Frame)>,
}

impl Frame {
    /// Nothing is disclosable.
    pub fn new() -> Self {
        Self::default()
    }
    /// What `path` leads to is disclosable on its own. [`Step::All`] stands for the elements that [`Step::Index`] does not name.
    #[must_use]
    pub fn disclosable(mut self, path: &ClaimPath) -> Self {
        self.at(path.steps()).alone = true;
        self
    }
    /// Everything beneath what `path` leads to is disclosable, at every depth; not that itself.
    #[must_use]
    pub fn disclosable_beneath(mut self, path: &ClaimPath) -> Self {
        self.at(path.steps()).deep = true;
        self
    }
    /// That many decoys in the object or array that `path` leads to, or at the top (§4.2.5).
    #[must_use]
    pub fn decoys(mut self, path: Option<&ClaimPath>, count: usize) -> Self {
        self.at(path.map_or(&[], ClaimPath::steps)).decoys = count;
        self
    }

    fn at(&mut self, steps: &[Step]) -> &mut Self {
        let Some((first, rest)) = steps.split_first() else {
            return self;
        };
        let at = match self.beneath.iter().position(|(step, _)| step == first) {
            Some(at) => at,
            None => {
                self.beneath.push((first.clone(), Self::default()));
                self.beneath.len() - 1
            }
        };
        self.beneath[at].1.at(rest)
    }

    fn find(&self, matches: impl Fn(&Step) -> bool) -> Option<&Self> {
        self.beneath
            .iter()
            .find(|(step, _)| matches(step))
            .map(|(_, frame)| frame)
    }
}

/// Why claims are not concealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConcealError {
    /// A claim has a name that means something to SD-JWT.
    #[error("a claim cannot be named _sd, _sd_alg or ...")]
    Reserved,
    /// The frame names a member or element that is not there, or takes an object for an array or the other way round.
    #[error("the frame does not fit the claims")]
    Frame,
    /// More than [`MAX_DISCLOSURES`].
    #[error("more than {MAX_DISCLOSURES} disclosures or decoys")]
    TooMany,
    /// Nested deeper than is read.
    #[error("claims are nested deeper than {MAX_DEPTH}")]
    TooDeep,
}

/// A payload to sign and what it takes to read it. The disclosures are personal: `Debug` hides all of it.
#[derive(Clone, PartialEq)]
pub struct Concealed {
    /// The payload, with digests in place of what can be disclosed.
    pub payload: Map<String, Value>,
    /// The disclosures, a part before what holds it.
    pub disclosures: Vec<String>,
}

impl fmt::Debug for Concealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Concealed({} disclosures)", self.disclosures.len())
    }
}

impl Concealed {
    /// The SD-JWT, as the holder gets it: `jwt` is the signed payload.
    pub fn combine(&self, jwt: &str) -> String {
        combine(jwt, self.disclosures.iter().map(String::as_str))
    }
}

/// `claims` without what `frame` says, and digests in its place, in the order of their text, which says nothing of the claims' (§4.2.4.1).
pub fn conceal(
    claims: &Map<String, Value>,
    frame: &Frame,
    provider: &dyn Provider,
    entropy: &mut dyn Entropy,
) -> Result<Concealed, ConcealError> {
    let mut maker = Maker {
        provider,
        salts: Salts::new(entropy),
        disclosures: Vec::new(),
        content: Vec::with_capacity(256),
        decoys: 0,
    };
    let mut payload = maker.members(claims, frame, 1)?;
    payload.insert(HASH_NAME.into(), HASH.into());
    Ok(Concealed {
        payload,
        disclosures: maker.disclosures,
    })
}

const CLEAR: &Frame = &Frame {
    alone: false,
    decoys: 0,
    deep: false,
    beneath: Vec::new(),
};
const ALL: &Frame = &Frame {
    alone: true,
    decoys: 0,
    deep: true,
    beneath: Vec::new(),
};

struct Maker<'a> {
    provider: &'a dyn Provider,
    salts: Salts<'a>,
    disclosures: Vec<String>,
    /// What the last disclosure said, for the room that it takes.
    content: Vec<u8>,
    decoys: usize,
}

impl Maker<'_> {
    fn value<'v>(&mut self, value: &'v Value, frame: &Frame, depth: usize) -> Result<Cow<'v, Value>, ConcealError> {
        match value {
            Value::Object(_) | Value::Array(_) if depth >= MAX_DEPTH => Err(ConcealError::TooDeep),
            Value::Object(members) => Ok(Cow::Owned(self.members(members, frame, depth + 1)?.into())),
            Value::Array(items) => Ok(Cow::Owned(self.items(items, frame, depth + 1)?.into())),
            _ if frame.decoys > 0 || !frame.beneath.is_empty() => Err(ConcealError::Frame),
            leaf => Ok(Cow::Borrowed(leaf)),
        }
    }

    fn members(
        &mut self,
        claims: &Map<String, Value>,
        frame: &Frame,
        depth: usize,
    ) -> Result<Map<String, Value>, ConcealError> {
        let fits = |step: &Step| matches!(step, Step::Name(name) if claims.contains_key(name));
        if !frame.beneath.iter().all(|(step, _)| fits(step)) {
            return Err(ConcealError::Frame);
        }
        let mut payload = Map::new();
        let mut digests = Vec::new();
        for (name, value) in claims {
            if is_reserved(name) {
                return Err(ConcealError::Reserved);
            }
            let beneath = frame.find(|step| matches!(step, Step::Name(known) if known == name));
            let inner = if frame.deep { ALL } else { beneath.unwrap_or(CLEAR) };
            let value = self.value(value, inner, depth)?;
            if inner.alone {
                digests.push(Value::String(self.disclosure(Some(name), &value)?));
            } else {
                payload.insert(name.clone(), value.into_owned());
            }
        }
        for _ in 0..frame.decoys {
            digests.push(Value::String(self.decoy()?));
        }
        if !digests.is_empty() {
            digests.sort_unstable_by(|one, other| one.as_str().cmp(&other.as_str()));
            payload.insert(DIGESTS.into(), digests.into());
        }
        Ok(payload)
    }

    fn items(&mut self, items: &[Value], frame: &Frame, depth: usize) -> Result<Vec<Value>, ConcealError> {
        let fits = |step: &Step| match step {
            Step::Name(_) => false,
            Step::Index(index) => *index < items.len(),
            Step::All => true,
        };
        if !frame.beneath.iter().all(|(step, _)| fits(step)) {
            return Err(ConcealError::Frame);
        }
        let others = frame.find(|step| *step == Step::All);
        let mut list = Vec::with_capacity(items.len() + frame.decoys);
        for (index, value) in items.iter().enumerate() {
            let beneath = frame.find(|step| *step == Step::Index(index)).or(others);
            let inner = if frame.deep { ALL } else { beneath.unwrap_or(CLEAR) };
            let value = self.value(value, inner, depth)?;
            list.push(if inner.alone {
                json!({ ELEMENT: self.disclosure(None, &value)? })
            } else {
                value.into_owned()
            });
        }
        for _ in 0..frame.decoys {
            let decoy = json!({ ELEMENT: self.decoy()? });
            let at = self.salts.below(list.len() + 1);
            list.insert(at, decoy);
        }
        Ok(list)
    }

    /// Makes a disclosure and gives its digest.
    fn disclosure(&mut self, name: Option<&str>, value: &Value) -> Result<String, ConcealError> {
        if self.disclosures.len() >= MAX_DISCLOSURES {
            return Err(ConcealError::TooMany);
        }
        let content = &mut self.content;
        content.clear();
        content.extend_from_slice(b"[\"");
        encoding::base64url_into(&self.salts.next(), content);
        content.extend_from_slice(b"\",");
        let written = "JSON values with text keys always write";
        if let Some(name) = name {
            serde_json::to_writer(&mut *content, name).expect(written);
            content.push(b',');
        }
        serde_json::to_writer(&mut *content, value).expect(written);
        content.push(b']');
        let text = encoding::base64url(content);
        let digest = digest_of(&text, self.provider);
        self.disclosures.push(text);
        Ok(digest)
    }

    /// A digest of something random, which nobody can tell from that of a disclosure (§4.2.5).
    fn decoy(&mut self) -> Result<String, ConcealError> {
        self.decoys += 1;
        if self.decoys > MAX_DECOYS {
            return Err(ConcealError::TooMany);
        }
        let random = [self.salts.next(), self.salts.next()];
        Ok(encoding::base64url(&self.provider.sha256(&[&random[0], &random[1]]).0))
    }
}

/// Salts of 128 bits (§9.3), drawn sixteen at a time.
struct Salts<'a> {
    entropy: &'a mut dyn Entropy,
    pool: [[u8; 16]; 16],
    left: usize,
}

impl<'a> Salts<'a> {
    fn new(entropy: &'a mut dyn Entropy) -> Self {
        Self {
            entropy,
            pool: [[0; 16]; 16],
            left: 0,
        }
    }

    fn next(&mut self) -> [u8; 16] {
        if self.left == 0 {
            self.entropy.fill(self.pool.as_flattened_mut());
            self.left = self.pool.len();
        }
        self.left -= 1;
        std::mem::take(&mut self.pool[self.left])
    }

    /// A number below `end`. The bias of 128 bits cut to some hundred is nothing.
    fn below(&mut self, end: usize) -> usize {
        (u128::from_le_bytes(self.next()) % end as u128) as usize
    }
}
