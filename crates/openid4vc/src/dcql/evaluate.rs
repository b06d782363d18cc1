//! What a wallet holds, held against a query (OpenID4VP 1.0 §6.4).

use super::{
    Claim, Credential, Kind, Location, Query, TrustedAuthority,
    path::Walk,
    query::{ClaimPlan, bits},
};
use serde_json::Value as Json;

/// A credential as a query sees it: what the wallet holds, or what a presentation disclosed.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// Its format and its types.
    pub kind: Type<'a>,
    /// Its claims, where paths begin: the payload of an SD-JWT VC with its disclosures put in (all of them, or those that were presented), the W3C credential,
    /// the namespaces of an mdoc.
    pub claims: &'a Json,
    /// Who stands behind its issuer, as far as its chain shows.
    pub authorities: &'a [Authority<'a>],
    /// Held: whether its key can sign a presentation. Presented: whether it did, and the signature was checked.
    pub holder_bound: bool,
}

/// The claims are personal.
impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// The format of a credential, with its types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type<'a> {
    /// `dc+sd-jwt`: its `vct`, and those that it extends.
    SdJwtVc(&'a [&'a str]),
    /// `jwt_vc_json`: its types as full IRIs; what no context defines stays as it is.
    JwtVcJson(&'a [&'a str]),
    /// `ldp_vc`: the same.
    LdpVc(&'a [&'a str]),
    /// `mso_mdoc`: its doctype.
    Mdoc(&'a str),
}

/// One authority behind an issuer (§6.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority<'a> {
    /// The key identifier in an authority key identifier of the chain.
    KeyIdentifier(&'a [u8]),
    /// A trusted list that has a certificate of the chain, in itself or in a list that it refers to.
    TrustedList(&'a str),
    /// An entity on the trust path.
    Federation(&'a str),
}

/// Why a candidate is not what a credential query asks for: the first of the tests that it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another format.
    #[error("another format is asked for")]
    Format,
    /// Another type.
    #[error("another type is asked for")]
    Type,
    /// Not bound to its holder.
    #[error("it is not bound to its holder")]
    HolderBinding,
    /// No authority behind its issuer is one that is asked for.
    #[error("no authority behind its issuer is one that is asked for")]
    Authority,
    /// A claim that is asked for is not there, or has another value.
    #[error("a claim that is asked for is not there or has another value")]
    Claims,
}

/// A candidate that is what a credential query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The place of the candidate.
    pub candidate: usize,
    /// Which claim set it has, the first in the verifier's order; none where there are no claim sets.
    pub claim_set: Option<usize>,
}

/// What a wallet can answer.
#[derive(Debug, Clone)]
pub struct Evaluation<'q, 'c> {
    pub(super) query: &'q Query,
    pub(super) candidates: &'c [Candidate<'c>],
    pub(super) matches: Vec<Vec<Match>>,
}

/// What came of a credential set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetOutcome {
    /// Whether there can be an answer without it.
    pub required: bool,
    /// The places of the options that can be presented; empty: it cannot be answered.
    pub options: Vec<usize>,
}

/// Holds `candidates` against the query. Borrows all; nothing is copied but places.
pub fn evaluate<'q, 'c>(query: &'q Query, candidates: &'c [Candidate<'c>]) -> Evaluation<'q, 'c> {
    let mut walk = Walk::exact();
    let plans = query.credentials().iter().zip(&query.plan.claims);
    let matches = plans
        .map(|(credential, plan)| {
            let fits = candidates.iter().enumerate().filter_map(|(place, candidate)| {
                let claim_set = fit(credential, plan, candidate, &mut walk).ok()?;
                Some(Match {
                    candidate: place,
                    claim_set,
                })
            });
            fits.collect()
        })
        .collect();
    Evaluation {
        query,
        candidates,
        matches,
    }
}

impl<'q> Evaluation<'q, '_> {
    /// Whether all that is required can be presented. If not, nothing may be (§6.4.2).
    pub fn is_satisfiable(&self) -> bool {
        let matched = self.matched();
        if self.query.sets().is_empty() {
            return self.matches.iter().all(|matches| !matches.is_empty());
        }
        let sets = self.query.sets().iter().zip(&self.query.plan.options);
        sets.filter(|(set, _)| set.required)
            .all(|(_, options)| options.iter().any(|option| option & matched == *option))
    }

    /// What matches the credential query of that identifier, in the order of the candidates.
    pub fn matches(&self, id: &str) -> &[Match] {
        self.query.position(id).map_or(&[], |place| &self.matches[place])
    }

    /// What came of each credential set, in the query's order.
    pub fn sets(&self) -> Vec<SetOutcome> {
        let matched = self.matched();
        let sets = self.query.sets().iter().zip(&self.query.plan.options);
        sets.map(|(set, options)| {
            let possible = options
                .iter()
                .enumerate()
                .filter(|(_, option)| *option & matched == **option);
            SetOutcome {
                required: set.required,
                options: possible.map(|(place, _)| place).collect(),
            }
        })
        .collect()
    }

    /// Where all is that would be disclosed of a match for that credential query: elements, so that a path over a whole array comes out as those of its elements
    /// that are selected, and those alone whose value is asked for. Sorted, none inside another.
    pub fn disclosed(&self, id: &str, found: Match) -> Vec<Location<'q>> {
        let (Some(place), Some(candidate)) = (self.query.position(id), self.candidates.get(found.candidate)) else {
            return Vec::new();
        };
        let asked = self.query.asked(place, found.claim_set);
        locations(asked, &mut Walk::exact(), candidate.claims)
    }

    fn matched(&self) -> u64 {
        let places = self.matches.iter().enumerate();
        places.fold(0, |all, (place, matches)| all | u64::from(!matches.is_empty()) << place)
    }
}

impl Query {
    /// The claims that the credential query at that place asks for: of a claim set, or all. No path twice (§6.1).
    pub fn asked(&self, credential: usize, claim_set: Option<usize>) -> impl Iterator<Item = &Claim> {
        let asked = self.plan.claims.get(credential).map_or(0, |plan| match claim_set {
            None => plan.all,
            Some(set) => plan.sets.get(set).copied().unwrap_or(0),
        });
        bits(asked).map(move |place| &self.credentials()[credential].claims[place])
    }

    /// Where in what was presented for a credential query the claims are that it asks for, in the first claim set that it has: for a verifier that keeps
    /// nothing else. Nothing, if it does not answer the credential query.
    pub fn asked_of<'q>(&'q self, id: &str, presented: &Candidate<'_>) -> Vec<Location<'q>> {
        let Some(place) = self.position(id) else {
            return Vec::new();
        };
        let mut walk = presented.walk();
        match fit(
            &self.credentials()[place],
            &self.plan.claims[place],
            presented,
            &mut walk,
        ) {
            Ok(claim_set) => locations(self.asked(place, claim_set), &mut walk, presented.claims),
            Err(_) => Vec::new(),
        }
    }
}

impl Candidate<'_> {
    /// How paths run over what was presented: only formats with selective disclosure inside arrays lose elements.
    pub(super) fn walk<'q>(&self) -> Walk<'q> {
        Walk::new(matches!(self.kind, Type::SdJwtVc(_)))
    }
}

fn locations<'q>(asked: impl Iterator<Item = &'q Claim>, walk: &mut Walk<'q>, claims: &Json) -> Vec<Location<'q>> {
    let mut all = Vec::new();
    for claim in asked {
        let before = all.len();
        let walked = walk.run(&claim.path, claims, &mut |trail, element| {
            if claim.takes(element) {
                all.push(Location(trail.to_vec()));
            }
        });
        if walked.is_err() {
            all.truncate(before);
        }
    }
    all.sort_unstable();
    // What is inside another comes right after it, or after something else that is.
    all.dedup_by(|inner, outer| outer.covers(inner));
    all
}

/// Whether a candidate is what is asked for, and with which claim set.
pub(super) fn fit<'q>(
    credential: &'q Credential,
    plan: &ClaimPlan,
    candidate: &Candidate<'_>,
    walk: &mut Walk<'q>,
) -> Result<Option<usize>, Mismatch> {
    has_type(&credential.kind, candidate.kind)?;
    if credential.holder_binding && !candidate.holder_bound {
        return Err(Mismatch::HolderBinding);
    }
    let trusted = &credential.trusted_authorities;
    let stands = |authority| trusted.iter().any(|trusted| trusted.takes(authority));
    if !trusted.is_empty() && !candidate.authorities.iter().any(stands) {
        return Err(Mismatch::Authority);
    }
    let mut seen = Seen::default();
    let mut has = |asked: u128| seen.all_of(asked, |place| credential.claims[place].is_in(candidate.claims, walk));
    if plan.sets.is_empty() {
        return if has(plan.all) { Ok(None) } else { Err(Mismatch::Claims) };
    }
    let first = plan.sets.iter().position(|set| has(*set));
    first.map(Some).ok_or(Mismatch::Claims)
}

/// Which claims of one candidate were looked for, so that claim sets that share a claim look for it once.
#[derive(Default)]
struct Seen {
    there: u128,
    missing: u128,
}

impl Seen {
    fn all_of(&mut self, asked: u128, mut look: impl FnMut(usize) -> bool) -> bool {
        if asked & self.missing != 0 {
            return false;
        }
        for place in bits(asked & !self.there) {
            if !look(place) {
                self.missing |= 1 << place;
                return false;
            }
            self.there |= 1 << place;
        }
        true
    }
}

impl Claim {
    /// Whether an element has a value that is asked for.
    fn takes(&self, element: &Json) -> bool {
        self.values.is_empty() || self.values.iter().any(|value| value.is(element))
    }

    /// Whether the path selects an element, one with a value that is asked for. Elements with another value are as if they were not there (§6.4.1).
    fn is_in<'q>(&'q self, claims: &Json, walk: &mut Walk<'q>) -> bool {
        let mut found = false;
        let walked = walk.run(&self.path, claims, &mut |_, element| {
            found = found || self.takes(element)
        });
        walked.is_ok() && found
    }
}

fn has_type(kind: &Kind, of: Type<'_>) -> Result<(), Mismatch> {
    let fits = match (kind, of) {
        (Kind::SdJwtVc { vct_values }, Type::SdJwtVc(types)) => {
            vct_values.is_empty() || vct_values.iter().any(|value| types.contains(&value.as_str()))
        }
        (Kind::JwtVcJson { type_values }, Type::JwtVcJson(types))
        | (Kind::LdpVc { type_values }, Type::LdpVc(types)) => {
            let has_all = |alternative: &Vec<String>| alternative.iter().all(|value| types.contains(&value.as_str()));
            type_values.is_empty() || type_values.iter().any(has_all)
        }
        (Kind::Mdoc { doctype_value }, Type::Mdoc(doctype)) => {
            doctype_value.as_ref().is_none_or(|value| value == doctype)
        }
        _ => return Err(Mismatch::Format),
    };
    if fits { Ok(()) } else { Err(Mismatch::Type) }
}

impl TrustedAuthority {
    fn takes(&self, authority: &Authority<'_>) -> bool {
        match (self, authority) {
            (Self::KeyIdentifier(values), Authority::KeyIdentifier(id)) => values.iter().any(|value| value == id),
            (Self::TrustedList(values), Authority::TrustedList(name))
            | (Self::Federation(values), Authority::Federation(name)) => values.iter().any(|value| value == name),
            _ => false,
        }
    }
}
