//! Paths within a bundle: member names joined by dots, through lists, and `resolve()`, a small part of FHIRPath.

use super::bundle::{Bundle, Node};
use serde::Deserialize;
use std::fmt;

/// A path such as `performer.resolve().address.country`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Member(String),
    Resolve,
}

impl TryFrom<String> for Path {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.split('.')
            .map(|step| match step {
                "resolve()" => Ok(Step::Resolve),
                name if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                    Ok(Step::Member(name.to_owned()))
                }
                _ => Err("a path is member names and resolve(), joined by dots"),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Path {
    /// Everything the path leads to. A reference to what is not in the bundle leads to nothing: bundles may refer outside.
    pub(super) fn evaluate<'a>(&self, bundle: &Bundle<'a>, start: &Node<'a>) -> Vec<Node<'a>> {
        let mut nodes = vec![start.clone()];
        for step in &self.0 {
            nodes = nodes
                .iter()
                .flat_map(|node| match step {
                    Step::Member(name) => node.members(name),
                    Step::Resolve => bundle.resolve(node).into_iter().collect(),
                })
                .collect();
        }
        nodes
    }

    /// Everything the path leads to within the resource itself.
    pub(super) fn members_of<'a>(&self, start: &Node<'a>) -> Vec<Node<'a>> {
        self.0.iter().fold(vec![start.clone()], |nodes, step| match step {
            Step::Member(name) => nodes.iter().flat_map(|node| node.members(name)).collect(),
            Step::Resolve => Vec::new(),
        })
    }

    /// The path as it stands after a location: without what comes after the first `resolve()`.
    pub(super) fn local(&self) -> String {
        let names = self.0.iter().map_while(|step| match step {
            Step::Member(name) => Some(name.as_str()),
            Step::Resolve => None,
        });
        names.collect::<Vec<_>>().join(".")
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            let dot = if i == 0 { "" } else { "." };
            match step {
                Step::Member(name) => write!(f, "{dot}{name}")?,
                Step::Resolve => write!(f, "{dot}resolve()")?,
            }
        }
        Ok(())
    }
}
