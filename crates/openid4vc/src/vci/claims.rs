//! Claims path pointers and claims descriptions (OpenID4VCI appendices B and C).

use crate::dcql::{Component, Path};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Where a claim stands (appendix C): the same pointer that queries use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimPath(Path);

impl ClaimPath {
    /// From the names of nested members. `None` where there are none, or too many.
    pub fn of_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        Path::of_names(names).ok().map(Self)
    }
    /// The pointer.
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// Whether both may stand in one list of descriptions (appendix B.3): not the same claim, no `null` where the other has a number, no array
    /// where the other has an object.
    fn agrees(&self, other: &Self) -> bool {
        let (mine, others) = (self.0.components(), other.0.components());
        for pair in mine.iter().zip(others) {
            match pair {
                (one, two) if one == two => {}
                (Component::Key(_), Component::Key(_)) | (Component::Index(_), Component::Index(_)) => return true,
                _ => return false,
            }
        }
        mine.len() != others.len()
    }
}

impl From<Path> for ClaimPath {
    fn from(path: Path) -> Self {
        Self(path)
    }
}

impl Serialize for ClaimPath {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.to_json().serialize(s)
    }
}

impl<'de> Deserialize<'de> for ClaimPath {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Path::from_json(&Value::deserialize(d)?)
            .map(Self)
            .map_err(serde::de::Error::custom)
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
