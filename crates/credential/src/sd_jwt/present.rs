//! Choosing what to show (RFC 9901 §7.2).

use super::{ClaimPath, Processed, SdJwt};

/// A claim that is asked for is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the claim that is asked for with path {path} is not there")]
pub struct ChoiceError {
    /// The path that leads nowhere, by its place among those that were given.
    pub path: usize,
}

impl Processed {
    /// The disclosures that it takes to show what `paths` lead to, and no other: each value whole, with what holds it. In their order, by
    /// their places in the list.
    pub fn choose(&self, paths: &[ClaimPath]) -> Result<Vec<usize>, ChoiceError> {
        let mut chosen = vec![false; self.disclosed.len()];
        for (place, path) in paths.iter().enumerate() {
            let found = path.select(&self.claims);
            if found.is_empty() {
                return Err(ChoiceError { path: place });
            }
            for (at, _) in found {
                for (chosen, disclosed) in chosen.iter_mut().zip(&self.disclosed) {
                    // Around the claim, it, or beneath it.
                    *chosen |= disclosed.path.leads_to(&at) || at.leads_to(&disclosed.path);
                }
            }
        }
        Ok((0..chosen.len()).filter(|at| chosen[*at]).collect())
    }
}

impl SdJwt<'_> {
    /// The SD-JWT with the disclosures at those places alone; places that there are none at are passed over. Without key binding.
    pub fn present(&self, chosen: &[usize]) -> String {
        combine(
            self.signed(),
            chosen.iter().filter_map(|at| self.disclosures().get(*at).copied()),
        )
    }
}

/// The form with tildes (§4): `jwt` and each disclosure is followed by one.
pub fn combine<'a>(jwt: &str, disclosures: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::with_capacity(jwt.len() * 2);
    text.push_str(jwt);
    text.push('~');
    for disclosure in disclosures {
        text.push_str(disclosure);
        text.push('~');
    }
    text
}
