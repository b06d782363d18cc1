//! What may be presented, chosen by the holder and checked by the verifier (OpenID4VP 1.0 §6.4.2, §8.1).

use super::{Candidate, Evaluation, Match, Mismatch, Query, evaluate::fit, query::bits};

/// What a holder chose to present for one credential query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen<'q> {
    /// The credential query.
    pub id: &'q str,
    /// The places of the candidates.
    pub candidates: Vec<usize>,
}

/// Why something is no answer to a query: our own holder's choice, or what another wallet sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is for a credential query that there is not.
    #[error("it answers a credential query that there is not")]
    Unknown,
    /// A credential query is answered twice.
    #[error("it answers the credential query {0} twice")]
    Repeated(String),
    /// A credential query is named, and nothing presented for it.
    #[error("it presents nothing for the credential query {0}")]
    Nothing(String),
    /// More than one credential where `multiple` is not set.
    #[error("it presents more than one credential for the credential query {0}")]
    NotMultiple(String),
    /// One credential twice for the same credential query. Only of a choice: two presentations of one credential are not known to be one.
    #[error("it presents a credential twice for the credential query {0}")]
    Twice(String),
    /// What is presented is not what is asked for.
    #[error("presentation {place} for the credential query {id} does not match it")]
    Mismatch {
        /// The credential query.
        id: String,
        /// Which of its presentations, from 0.
        place: usize,
        /// Why.
        #[source]
        reason: Mismatch,
    },
    /// Nothing is presented for a credential query, and there are no credential sets that would allow it.
    #[error("it presents nothing for the credential query {0}, which is required")]
    Missing(String),
    /// No option of a required credential set is presented.
    #[error("it presents no option of the required credential set {0}")]
    RequiredSet(usize),
    /// A credential that no credential set asks for, beside what is presented.
    #[error("the credential query {0} completes no option of a credential set")]
    NotAsked(String),
}

impl<'q> Evaluation<'q, '_> {
    /// The first answer there is: of each required credential set the first option that can be presented, of each credential query the first match; nothing that is
    /// optional. None if the query cannot be satisfied.
    pub fn first_answer(&self) -> Option<Vec<Chosen<'q>>> {
        if !self.is_satisfiable() {
            return None;
        }
        let places = if self.query.sets().is_empty() {
            u64::MAX >> (64 - self.query.credentials().len())
        } else {
            let outcomes = self.sets();
            let required = outcomes
                .iter()
                .zip(&self.query.plan.options)
                .filter(|(outcome, _)| outcome.required);
            required.fold(0, |all, (outcome, options)| all | options[outcome.options[0]])
        };
        let chosen = bits(places.into()).map(|place| Chosen {
            id: &self.query.credentials()[place].id,
            candidates: vec![self.matches[place][0].candidate],
        });
        Some(chosen.collect())
    }

    /// Whether this choice is a valid answer. Gives what each chosen candidate matched with, in the order of the choice.
    pub fn check(&self, chosen: &[Chosen<'_>]) -> Result<Vec<Vec<Match>>, AnswerError> {
        let mut presented = 0;
        let mut all = Vec::with_capacity(chosen.len());
        for choice in chosen {
            let place = self.query.take(choice.id, choice.candidates.len(), &mut presented)?;
            let repeated = |at: usize| choice.candidates[..at].contains(&choice.candidates[at]);
            if (1..choice.candidates.len()).any(repeated) {
                return Err(AnswerError::Twice(choice.id.to_owned()));
            }
            let mut found = Vec::with_capacity(choice.candidates.len());
            for (at, candidate) in choice.candidates.iter().enumerate() {
                found.push(self.find(place, *candidate).map_err(|reason| AnswerError::Mismatch {
                    id: choice.id.to_owned(),
                    place: at,
                    reason,
                })?);
            }
            all.push(found);
        }
        self.query.check_presented(presented)?;
        Ok(all)
    }

    fn find(&self, place: usize, candidate: usize) -> Result<Match, Mismatch> {
        let matches = &self.matches[place];
        if let Ok(at) = matches.binary_search_by_key(&candidate, |found| found.candidate) {
            return Ok(matches[at]);
        }
        // Why not; a place that there is no candidate at has no format.
        let candidate = self.candidates.get(candidate).ok_or(Mismatch::Format)?;
        let (credential, plan) = (&self.query.credentials()[place], &self.query.plan.claims[place]);
        match fit(credential, plan, candidate, &mut super::path::Walk::exact()) {
            Ok(_) => unreachable!("what fits was found"),
            Err(reason) => Err(reason),
        }
    }
}

/// Checks what a wallet presented, by identifier of the credential query, as its presentations were read and verified. Gives for each presentation the claim set that
/// it has ([`Match::candidate`] is its place), in the order of `presented`.
///
/// It holds the response against the query, and no more: that the credentials are genuine, their issuers trusted, and what the claims say, is checked elsewhere,
/// whatever the query asked for (§13.3, §13.5).
pub fn check_response(query: &Query, presented: &[(&str, &[Candidate<'_>])]) -> Result<Vec<Vec<Match>>, AnswerError> {
    let mut named = 0;
    let mut all = Vec::with_capacity(presented.len());
    for (id, candidates) in presented {
        let place = query.take(id, candidates.len(), &mut named)?;
        let mut found = Vec::with_capacity(candidates.len());
        for (at, candidate) in candidates.iter().enumerate() {
            let (credential, plan) = (&query.credentials()[place], &query.plan.claims[place]);
            let claim_set = fit(credential, plan, candidate, &mut candidate.walk());
            let claim_set = claim_set.map_err(|reason| AnswerError::Mismatch {
                id: credential.id.clone(),
                place: at,
                reason,
            })?;
            found.push(Match {
                candidate: at,
                claim_set,
            });
        }
        all.push(found);
    }
    query.check_presented(named)?;
    Ok(all)
}

impl Query {
    /// Whether a response may name these credential queries, each with so many presentations: [`check_response`] without a look at them, for refusing early.
    pub fn check_counts<'i>(&self, presented: impl IntoIterator<Item = (&'i str, usize)>) -> Result<(), AnswerError> {
        let mut named = 0;
        for (id, count) in presented {
            self.take(id, count, &mut named)?;
        }
        self.check_presented(named)
    }

    /// The place of a credential query that is answered with `count` presentations.
    fn take(&self, id: &str, count: usize, named: &mut u64) -> Result<usize, AnswerError> {
        let place = self.position(id).ok_or(AnswerError::Unknown)?;
        if *named & 1 << place != 0 {
            return Err(AnswerError::Repeated(id.to_owned()));
        }
        *named |= 1 << place;
        match count {
            0 => Err(AnswerError::Nothing(id.to_owned())),
            1 => Ok(place),
            _ if self.credentials()[place].multiple => Ok(place),
            _ => Err(AnswerError::NotMultiple(id.to_owned())),
        }
    }

    /// Whether these credential queries together are an answer: all that is required, and nothing that no presented option has. An answer may have two options of one
    /// credential set where both are complete; which of them was meant cannot be told, and nobody loses by it but who chose so.
    fn check_presented(&self, named: u64) -> Result<(), AnswerError> {
        let id = |place: usize| self.credentials()[place].id.clone();
        if self.sets().is_empty() {
            let missing = (0..self.credentials().len()).find(|place| named & 1 << place == 0);
            return missing.map_or(Ok(()), |place| Err(AnswerError::Missing(id(place))));
        }
        let mut asked = 0;
        for (place, (set, options)) in self.sets().iter().zip(&self.plan.options).enumerate() {
            let complete = options.iter().filter(|option| *option & named == **option);
            let answered = complete.fold(0, |all, option| all | option);
            if set.required && answered == 0 {
                return Err(AnswerError::RequiredSet(place));
            }
            asked |= answered;
        }
        match bits((named & !asked).into()).next() {
            Some(place) => Err(AnswerError::NotAsked(id(place))),
            None => Ok(()),
        }
    }
}
