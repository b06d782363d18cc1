//! Claims path pointers and claims descriptions (OpenID4VCI appendices B and C).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// How deep a path may go.
pub const MAX_PATH: usize = 32;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// A member of an object.
    Name(String),
    /// An element of an array, from 0.
    Index(u64),
    /// All elements of an array.
    All,
}

/// Where a claim stands (appendix C): 1 to [`MAX_PATH`] steps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimPath(Vec<Step>);

impl ClaimPath {
    /// From steps. `None` where there are none, or too many.
    pub fn new(steps: Vec<Step>) -> Option<Self> {
        (1..=MAX_PATH).contains(&steps.len()).then_some(Self(steps))
    }
    /// From the names of nested members. `None` as in [`Self::new`].
    pub fn of_names<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Option<Self> {
        Self::new(names.into_iter().map(|name| Step::Name(name.into())).collect())
    }
    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
    /// Whether both may stand in one list of descriptions (appendix B.3): not the same claim, no `null` where the other has a number, no array
    /// where the other has an object.
    fn agrees(&self, other: &Self) -> bool {
        for (one, two) in self.0.iter().zip(&other.0) {
            match (one, two) {
                (one, two) if one == two => {}
                (Step::Name(_), Step::Name(_)) | (Step::Index(_), Step::Index(_)) => return true,
                _ => return false,
            }
        }
        self.0.len() != other.0.len()
    }
}

impl Serialize for ClaimPath {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.iter().map(|step| match step {
            Step::Name(name) => Value::from(name.as_str()),
            Step::Index(index) => Value::from(*index),
            Step::All => Value::Null,
        }))
    }
}

impl<'de> Deserialize<'de> for ClaimPath {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom("not a claims path pointer");
        let steps: Option<Vec<Step>> = Vec::<Value>::deserialize(d)?
            .into_iter()
            .map(|step| match step {
                Value::String(name) => Some(Step::Name(name)),
                Value::Null => Some(Step::All),
                Value::Number(number) => number.as_u64().map(Step::Index),
                _ => None,
            })
            .collect();
        steps.and_then(Self::new).ok_or_else(wrong)
    }
}

/// A claim that is asked for in authorization details (appendix B.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRequest {
    /// Which.
    pub path: ClaimPath,
    /// Whether a credential without it is of no use.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mandatory: bool,
}

/// How a claim is called in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimDisplay {
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The language (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

/// A claim as the issuer's metadata describe it (appendix B.2); the order of the list is that of the display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimDescription {
    /// Which.
    pub path: ClaimPath,
    /// Whether it is in every credential.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mandatory: bool,
    /// Its names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub display: Vec<ClaimDisplay>,
}

/// Whether a list of paths neither repeats nor contradicts itself (appendix B.3).
pub fn is_consistent<'a>(paths: impl IntoIterator<Item = &'a ClaimPath>) -> bool {
    let paths: Vec<_> = paths.into_iter().collect();
    paths
        .iter()
        .enumerate()
        .all(|(at, one)| paths[..at].iter().all(|two| one.agrees(two)))
}
