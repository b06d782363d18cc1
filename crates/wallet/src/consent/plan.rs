//! Which answers there are to a query, and which the holder's wishes leave.

use super::{Refusal, Wishes};
use crate::{
    Wallet,
    attribute::{self, Name},
    batch::{Batch, Form, Next, Read},
    issuer::Vouching,
};
use std::borrow::Cow;
use vidimus_core::{Digest, Provider, Timestamp};
use vidimus_credential::{
    category::{Categories, Category},
    sd_jwt::ClaimPath,
};
use vidimus_openid4vc::dcql::{Authority, Candidate, Evaluation, Match, Query, Type, evaluate};

/// A certificate that may be shown now.
pub(super) struct Holding<'w> {
    pub(super) batch: Cow<'w, Batch>,
    pub(super) next: Next,
    pub(super) read: Read,
    /// Whether an authority whom the holder trusts vouches for its issuer.
    pub(super) vouched: bool,
    category: Option<&'w Category>,
}

pub(super) struct Holdings<'w> {
    pub(super) all: Vec<Holding<'w>>,
}

/// One way to answer one credential query.
#[derive(Clone)]
pub(super) struct Way<'q> {
    pub(super) id: &'q str,
    pub(super) holding: usize,
    /// The number of its certificate.
    pub(super) number: u32,
    /// What is disclosed.
    pub(super) paths: Vec<ClaimPath>,
    /// What is seen: with its name, and whether it was asked for.
    pub(super) attributes: Vec<(ClaimPath, Name, bool)>,
    /// Whether it is shown whole, and of a category that is known here.
    whole_of_ours: bool,
}

/// All ways, by credential query, the best first.
pub(super) struct Plans<'q> {
    query: &'q Query,
    ways: Vec<Vec<Way<'q>>>,
}

impl<'w> Holdings<'w> {
    pub(super) fn of(
        wallet: &'w Wallet,
        verifier: &Digest,
        categories: &'w Categories,
        now: Timestamp,
        provider: &dyn Provider,
    ) -> Self {
        let valid = wallet
            .batches
            .iter()
            .filter(|batch| batch.validity(now).is_valid() && !batch.copies().is_empty());
        let vouching = Vouching::of(wallet);
        let all = valid.filter_map(|batch| {
            let next = batch.next(verifier);
            let read = Read::copy(&batch.copies()[next.copy].envelope().copy, provider).ok()?;
            Some(Holding {
                category: attribute::category_of(batch.form(), batch.types(), &read.claims, categories),
                vouched: vouching.vouches_for(batch, now, provider),
                batch: Cow::Borrowed(batch),
                next,
                read,
            })
        });
        let mut all: Vec<_> = all.collect();
        // What names the holder by the one DID: whoever sees it can compare, so it comes last.
        let held = wallet.held.iter().enumerate();
        all.extend(held.filter_map(|(place, held)| {
            let read = Read::copy(&held.envelope().copy, provider).ok()?;
            let batch = Batch::of_held(place + 1, held, &wallet.account, &read)?;
            let shown = read.form == Form::JwtVcJson && batch.validity(now).is_valid();
            shown.then(|| Holding {
                category: attribute::category_of(batch.form(), batch.types(), &read.claims, categories),
                vouched: false,
                batch: Cow::Owned(batch),
                next: Next {
                    copy: 0,
                    linkable: true,
                },
                read,
            })
        }));
        Self { all }
    }

    pub(super) fn plans<'q>(&self, query: &'q Query) -> Plans<'q> {
        let types: Vec<Vec<&str>> = self
            .all
            .iter()
            .map(|holding| holding.batch.types().iter().map(String::as_str).collect())
            .collect();
        let authorities: Vec<Vec<Authority<'_>>> = self
            .all
            .iter()
            .map(|holding| {
                // A chain that leads to nobody names whom it likes.
                let ids = holding.read.authorities.iter().filter(|_| holding.vouched);
                ids.map(|id| Authority::KeyIdentifier(id)).collect()
            })
            .collect();
        let candidates: Vec<Candidate<'_>> = self
            .all
            .iter()
            .zip(types.iter().zip(&authorities))
            .map(|(holding, (types, authorities))| Candidate {
                kind: match holding.batch.form() {
                    Form::SdJwtVc => Type::SdJwtVc(types),
                    Form::JwtVcJson => Type::JwtVcJson(types),
                },
                claims: &holding.read.claims,
                authorities,
                holder_bound: true,
            })
            .collect();
        let evaluation = evaluate(query, &candidates);
        let ways = (0..query.credentials().len()).map(|place| self.ways(query, place, &evaluation));
        Plans {
            query,
            ways: ways.collect(),
        }
    }

    /// By the verifier's preference among claim sets, then what somebody vouches for, then so that nobody can link, then so that it holds longest.
    fn ways<'q>(&self, query: &'q Query, place: usize, evaluation: &Evaluation<'q, '_>) -> Vec<Way<'q>> {
        let credential = &query.credentials()[place];
        let sets: Vec<Option<usize>> = match credential.claim_sets.len() {
            0 => vec![None],
            count => (0..count).map(Some).collect(),
        };
        let mut matches = evaluation.matches(&credential.id).to_vec();
        matches.sort_by_key(|found| {
            let holding = &self.all[found.candidate];
            let until = holding.batch.valid_until().map_or(i64::MAX, |until| until.0);
            (
                !holding.vouched,
                holding.next.linkable,
                std::cmp::Reverse((until, holding.batch.id())),
            )
        });
        let mut ways = Vec::new();
        for claim_set in sets {
            for found in &matches {
                let holding = &self.all[found.candidate];
                let mut asked = query.asked(place, claim_set);
                let has = asked.all(|claim| {
                    let selected = claim.path.select(&holding.read.claims);
                    let takes = |element: &&serde_json::Value| {
                        claim.values.is_empty() || claim.values.iter().any(|value| value.is(element))
                    };
                    selected.iter().any(takes)
                });
                if has {
                    let found = Match {
                        candidate: found.candidate,
                        claim_set,
                    };
                    let disclosed = evaluation.disclosed(&credential.id, found);
                    let paths = disclosed.iter().map(ClaimPath::from).collect();
                    ways.push(holding.way(&credential.id, found.candidate, paths));
                }
            }
        }
        ways
    }
}

impl Holding<'_> {
    fn way<'q>(&self, id: &'q str, holding: usize, paths: Vec<ClaimPath>) -> Way<'q> {
        let form = self.batch.form();
        let named = |path: &ClaimPath| attribute::name(self.category, form, path);
        let attributes = match form {
            Form::SdJwtVc => {
                let asked = paths.iter().map(|path| (path.clone(), named(path), true));
                asked.collect()
            }
            Form::JwtVcJson => {
                let all = attribute::all_of_subject(&self.read.claims).into_iter();
                all.map(|path| {
                    let asked = paths.iter().any(|one| one.leads_to(&path) || path.leads_to(one));
                    let name = named(&path);
                    (path, name, asked)
                })
                .collect()
            }
        };
        Way {
            id,
            holding,
            number: self.batch.id(),
            paths,
            attributes,
            whole_of_ours: form == Form::JwtVcJson && self.category.is_some(),
        }
    }
}

impl<'q> Plans<'q> {
    /// Takes out what shows more than the verifier is registered for, asked for or not: a certificate that can only be shown whole. The first such attribute.
    /// Claims that the category has no attribute for, which nobody can be registered for, count only where they are asked for.
    pub(super) fn limit(&mut self, permits: &dyn Fn(&Name) -> bool) -> Option<String> {
        let beyond = |way: &Way<'q>| {
            let counts = |path: &ClaimPath, name: &Name, asked: bool| {
                asked || !way.whole_of_ours || !attribute::is_unnamed_claim(path, name)
            };
            let mut names = way.attributes.iter();
            let found = names.find(|(path, name, asked)| !permits(name) && counts(path, name, *asked));
            found.map(|(_, name, _)| name.as_str().to_owned())
        };
        let first = self.ways.iter().flatten().find_map(beyond);
        for ways in &mut self.ways {
            ways.retain(|way| beyond(way).is_none());
        }
        first
    }

    /// The answer under these wishes: what is required, and what they add.
    pub(super) fn answer(&self, wishes: &Wishes) -> Result<Vec<&Way<'q>>, Refusal> {
        for id in wishes.with.iter().chain(wishes.using.keys()) {
            if self.query.position(id).is_none() {
                return Err(Refusal::NotOffered(id.clone()));
            }
        }
        let best = self.best(wishes);
        let mut places = self.places(&best).ok_or(Refusal::Wishes)?;
        for id in &wishes.with {
            if places.iter().any(|place| self.query.credentials()[*place].id == *id) {
                continue;
            }
            let more = self
                .option_with(id, &best)
                .ok_or_else(|| Refusal::NotOffered(id.clone()))?;
            places.extend(more);
        }
        places.sort_unstable();
        places.dedup();
        let mut ways = Vec::with_capacity(places.len());
        for place in &places {
            let Some(way) = best[*place] else { continue };
            ways.push(way);
            let more = wishes.more.get(way.id).map_or(&[][..], Vec::as_slice);
            for number in more.iter().filter(|number| **number != way.number) {
                let other = self.ways[*place]
                    .iter()
                    .find(|other| other.number == *number && Self::leaves_out(other, wishes));
                ways.push(other.ok_or(Refusal::Wishes)?);
            }
        }
        let asked_twice = |id: &&String| !self.takes_several(id) || !ways.iter().any(|way| way.id == id.as_str());
        if let Some(id) = wishes.more.keys().find(asked_twice) {
            return Err(Refusal::NotOffered(id.clone()));
        }
        Ok(ways)
    }

    /// Whether a credential query takes several certificates (OpenID4VP 1.0 §6.1, `multiple`).
    pub(super) fn takes_several(&self, id: &str) -> bool {
        let place = self.query.position(id);
        place.is_some_and(|place| self.query.credentials()[place].multiple)
    }

    fn leaves_out(way: &Way<'_>, wishes: &Wishes) -> bool {
        let shows = |name: &String| way.attributes.iter().any(|(_, shown, _)| shown.as_str() == name);
        !wishes.without.iter().any(shows)
    }

    /// What could be shown too, and is not chosen.
    pub(super) fn optional(&self, wishes: &Wishes, chosen: &[&Way<'q>]) -> Vec<&Way<'q>> {
        let best = self.best(wishes);
        let optional = self.query.sets().iter().filter(|set| !set.required);
        let mut places: Vec<usize> = optional
            .flat_map(|set| set.options.iter().flatten())
            .filter(|id| !chosen.iter().any(|way| way.id == id.as_str()))
            .filter(|id| self.option_with(id, &best).is_some())
            .filter_map(|id| self.query.position(id))
            .collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| best[place]).collect()
    }

    /// The best way for each credential query that the wishes leave.
    fn best(&self, wishes: &Wishes) -> Vec<Option<&Way<'q>>> {
        let fits = |way: &&Way<'q>| {
            let using = wishes.using.get(way.id).is_none_or(|number| *number == way.number);
            using && Self::leaves_out(way, wishes)
        };
        self.ways.iter().map(|ways| ways.iter().find(fits)).collect()
    }

    /// The credential queries that an answer has at least: of each required set its first option that can be had.
    fn places(&self, best: &[Option<&Way<'q>>]) -> Option<Vec<usize>> {
        if self.query.sets().is_empty() {
            return best.iter().all(Option::is_some).then(|| (0..best.len()).collect());
        }
        let mut places = Vec::new();
        for set in self.query.sets().iter().filter(|set| set.required) {
            let option = set.options.iter().find_map(|option| self.places_of(option, best))?;
            places.extend(option);
        }
        Some(places)
    }

    fn places_of(&self, option: &[String], best: &[Option<&Way<'q>>]) -> Option<Vec<usize>> {
        let place = |id: &String| self.query.position(id).filter(|place| best[*place].is_some());
        option.iter().map(place).collect()
    }

    /// The first option of any set that has this credential query and can be had.
    fn option_with(&self, id: &str, best: &[Option<&Way<'q>>]) -> Option<Vec<usize>> {
        let options = self.query.sets().iter().flat_map(|set| &set.options);
        let mut having = options.filter(|option| option.iter().any(|member| member == id));
        having.find_map(|option| self.places_of(option, best))
    }

    /// Whether there is no answer without this credential query.
    pub(super) fn needs(&self, id: &str) -> bool {
        let Some(left_out) = self.query.position(id) else {
            return false;
        };
        let mut best = self.best(&Wishes::default());
        best[left_out] = None;
        self.places(&best).is_none()
    }

    /// Other certificates that would answer the same credential query.
    pub(super) fn others(&self, way: &Way<'_>) -> Vec<u32> {
        let place = self.query.position(way.id);
        let ways = place.map_or(&[][..], |place| &self.ways[place]);
        let mut numbers: Vec<u32> = ways
            .iter()
            .filter(|one| one.holding != way.holding)
            .map(|one| one.number)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}
