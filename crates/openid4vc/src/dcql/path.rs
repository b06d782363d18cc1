//! Claims path pointers (OpenID4VP 1.0 §7).

use super::{QueryError, limit};
use serde_json::Value as Json;
use vidimus_credential::sd_jwt::{self, ClaimPath};

/// One component of a claims path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Component {
    /// The member of that name.
    Key(String),
    /// The element at that place, from 0.
    Index(u64),
    /// Every element.
    All,
}

impl From<&str> for Component {
    fn from(name: &str) -> Self {
        Self::Key(name.to_owned())
    }
}

/// A claims path pointer: never empty, at most [`limit::PATH`] components.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path(Vec<Component>);

impl Path {
    /// A path of these components.
    pub fn new(components: Vec<Component>) -> Result<Self, QueryError> {
        if components.is_empty() {
            return Err(QueryError::Empty("path"));
        }
        if components.len() > limit::PATH {
            return Err(QueryError::TooMany("path"));
        }
        let long = |component: &Component| matches!(component, Component::Key(name) if name.len() > limit::TEXT);
        if components.iter().any(long) {
            return Err(QueryError::TooLong("path"));
        }
        Ok(Self(components))
    }

    /// A path of names.
    pub fn of_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, QueryError> {
        Self::new(names.into_iter().map(Component::from).collect())
    }

    /// Reads one from JSON.
    pub fn from_json(value: &Json) -> Result<Self, QueryError> {
        let items = value.as_array().ok_or(QueryError::Form("path"))?;
        if items.len() > limit::PATH {
            return Err(QueryError::TooMany("path"));
        }
        let component = |item: &Json| match item {
            Json::String(name) => Ok(Component::Key(name.clone())),
            Json::Null => Ok(Component::All),
            Json::Number(place) => place.as_u64().map(Component::Index).ok_or(QueryError::Component),
            _ => Err(QueryError::Component),
        };
        Self::new(items.iter().map(component).collect::<Result<_, _>>()?)
    }

    /// As JSON.
    pub fn to_json(&self) -> Json {
        let component = |component: &Component| match component {
            Component::Key(name) => Json::from(name.as_str()),
            Component::Index(place) => Json::from(*place),
            Component::All => Json::Null,
        };
        Json::Array(self.0.iter().map(component).collect())
    }

    /// Its components.
    pub fn components(&self) -> &[Component] {
        &self.0
    }

    /// Every element that the path selects in `root`, in the document's order; empty where processing ends in an error.
    pub fn select<'v>(&self, root: &'v Json) -> Vec<&'v Json> {
        let mut found = Vec::new();
        let walked = Walk::exact().run(self, root, &mut |_, element| found.push(element));
        if walked.is_err() { Vec::new() } else { found }
    }
}

/// One step to an element of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step<'a> {
    /// Into the member of that name.
    Key(&'a str),
    /// Into the element at that place.
    Index(usize),
}

/// Where one selected element is in its document. With it goes all that is inside it (§7.3: a claim is selected with its sub-claims).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location<'a>(pub(super) Vec<Step<'a>>);

impl<'a> Location<'a> {
    /// The steps to it, from the root: at least one, at most [`limit::PATH`].
    pub fn steps(&self) -> &[Step<'a>] {
        &self.0
    }

    /// The element there.
    pub fn find<'v>(&self, root: &'v Json) -> Option<&'v Json> {
        self.0.iter().try_fold(root, |at, step| match step {
            Step::Key(name) => at.as_object()?.get(*name),
            Step::Index(place) => at.as_array()?.get(*place),
        })
    }

    /// Whether `other` is this or inside it.
    pub fn covers(&self, other: &Location<'_>) -> bool {
        other.0.starts_with(&self.0)
    }
}

/// For choosing the disclosures of an SD-JWT: its elements have the same places as in the claims that were evaluated.
impl From<&Location<'_>> for ClaimPath {
    fn from(location: &Location<'_>) -> Self {
        let step = |step: &Step<'_>| match step {
            Step::Key(name) => sd_jwt::Step::from(*name),
            Step::Index(place) => sd_jwt::Step::Index(*place),
        };
        let steps = location.0.iter().map(step).collect();
        ClaimPath::new(steps).expect("a location has as many steps as the path that led there, 1 to 32")
    }
}

/// A component met an element of another kind, which ends processing with an error (§7.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Abort;

/// Processes paths, keeping the steps to where it is.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    trail: Vec<Step<'a>>,
    /// Whether arrays may have lost elements before the one that is meant.
    moved: bool,
}

impl<'a> Walk<'a> {
    /// Over a document as it was issued.
    pub(super) fn exact() -> Self {
        Self::new(false)
    }

    /// Over what was disclosed of one, if `moved`: a processed SD-JWT has lost the elements that were withheld and closed the gaps (RFC 9901 §7.1), so the
    /// element that an index meant is at this place or an earlier one.
    pub(super) fn new(moved: bool) -> Self {
        Self {
            trail: Vec::with_capacity(limit::PATH),
            moved,
        }
    }

    /// Hands every selected element to `visit`. It has seen some of them when this ends in an error, and they do not count then.
    pub(super) fn run<'v>(
        &mut self,
        path: &'a Path,
        root: &'v Json,
        visit: &mut impl FnMut(&[Step<'a>], &'v Json),
    ) -> Result<(), Abort> {
        self.trail.clear();
        self.step(&path.0, root, false, visit)
    }

    /// Depth first; as nothing but a missing member or element takes an element out of the selection, errors are the same as breadth first. At most
    /// [`limit::PATH`] deep. `guessed`: the element may not be the one that is meant, so that its kind says nothing.
    fn step<'v>(
        &mut self,
        rest: &'a [Component],
        at: &'v Json,
        guessed: bool,
        visit: &mut impl FnMut(&[Step<'a>], &'v Json),
    ) -> Result<(), Abort> {
        let Some((component, rest)) = rest.split_first() else {
            visit(&self.trail, at);
            return Ok(());
        };
        let other_kind = if guessed { Ok(()) } else { Err(Abort) };
        match component {
            Component::Key(name) => {
                let Some(members) = at.as_object() else {
                    return other_kind;
                };
                match members.get(name.as_str()) {
                    Some(member) => self.into(Step::Key(name), rest, member, guessed, visit),
                    None => Ok(()),
                }
            }
            Component::Index(place) => {
                let Some(items) = at.as_array() else {
                    return other_kind;
                };
                let place = usize::try_from(*place).unwrap_or(usize::MAX);
                if self.moved {
                    let possible = items.iter().take(place.saturating_add(1)).enumerate();
                    return self.each(possible, rest, true, visit);
                }
                match items.get(place) {
                    Some(item) => self.into(Step::Index(place), rest, item, guessed, visit),
                    None => Ok(()),
                }
            }
            Component::All => match at.as_array() {
                Some(items) => self.each(items.iter().enumerate(), rest, guessed, visit),
                None => other_kind,
            },
        }
    }

    fn each<'v>(
        &mut self,
        items: impl Iterator<Item = (usize, &'v Json)>,
        rest: &'a [Component],
        guessed: bool,
        visit: &mut impl FnMut(&[Step<'a>], &'v Json),
    ) -> Result<(), Abort> {
        for (place, item) in items {
            self.into(Step::Index(place), rest, item, guessed, visit)?;
        }
        Ok(())
    }

    fn into<'v>(
        &mut self,
        step: Step<'a>,
        rest: &'a [Component],
        at: &'v Json,
        guessed: bool,
        visit: &mut impl FnMut(&[Step<'a>], &'v Json),
    ) -> Result<(), Abort> {
        self.trail.push(step);
        let walked = self.step(rest, at, guessed, visit);
        self.trail.pop();
        walked
    }
}
