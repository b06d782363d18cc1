//! The vectors, read as a stranger would.

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::{collections::BTreeMap, fmt::Debug};
use vidimus_core::encoding::from_base64url;
use vidimus_openid4vc::dcql::{Authority, Candidate, Chosen, Path, Query, Step, Type, check_response, evaluate};

macro_rules! vectors {
    ($file:literal) => {
        serde_json::from_str(include_str!(concat!("../../../../../vectors/dcql/", $file))).unwrap()
    };
}

/// The name of an error's variant, and what it holds.
fn name_of(error: &impl Debug) -> String {
    let text = format!("{error:?}");
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
    let fields = ["id", "place", "reason"];
    let kept: Vec<_> = words
        .filter(|word| !word.is_empty() && (!fields.contains(word) || text.contains("(\"")))
        .collect();
    kept.join(" ")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Queries {
    cases: Vec<QueryCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryCase {
    name: String,
    #[serde(default, rename = "says")]
    _says: String,
    repeat: Option<Repeat>,
    query: Json,
    expected: String,
}

#[derive(Deserialize)]
struct Repeat {
    at: String,
    times: usize,
}

#[test]
fn queries_are_read_or_refused_for_their_own_reason() {
    let Queries { cases } = vectors!("queries.json");
    let mut refused = 0;
    for mut case in cases {
        if let Some(Repeat { at, times }) = case.repeat {
            let list = case.query.pointer_mut(&at).unwrap().as_array_mut().unwrap();
            let unit = list[0].to_string();
            *list = (0..times)
                .map(|count| serde_json::from_str(&unit.replace('#', &count.to_string())).unwrap())
                .collect();
        }
        let read = Query::from_json(&case.query);
        let expected = read.as_ref().err().map_or("query".to_owned(), name_of);
        assert_eq!(expected, case.expected, "{}", case.name);
        match read {
            Ok(query) => {
                let written = query.to_json();
                assert_eq!(Query::parse(written.to_string().as_bytes()), Ok(query), "{}", case.name);
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 80);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Paths {
    document: Json,
    cases: Vec<PathCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathCase {
    path: Json,
    selected: Option<Vec<Json>>,
    #[serde(default, rename = "says")]
    _says: String,
}

#[test]
fn paths_select_what_the_text_says() {
    let Paths { document, cases } = vectors!("paths.json");
    for case in cases {
        let path = Path::from_json(&case.path).unwrap();
        let selected: Vec<Json> = path.select(&document).into_iter().cloned().collect();
        assert_eq!(selected, case.selected.unwrap_or_default(), "{}", case.path);
        assert_eq!(path.to_json(), case.path);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Evaluations {
    credentials: BTreeMap<String, CredentialFile>,
    cases: Vec<EvaluationCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialFile {
    format: String,
    types: Vec<String>,
    claims: Json,
    #[serde(default)]
    authorities: Vec<AuthorityFile>,
    #[serde(default = "yes")]
    holder_bound: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorityFile {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvaluationCase {
    name: String,
    #[serde(default, rename = "says")]
    _says: String,
    query: Json,
    holds: Vec<String>,
    satisfiable: bool,
    matches: BTreeMap<String, Vec<MatchFile>>,
    #[serde(default)]
    sets: Vec<SetFile>,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct MatchFile {
    credential: String,
    claim_set: Option<usize>,
    disclosed: Vec<Json>,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
struct SetFile {
    required: bool,
    options: Vec<usize>,
}

/// What a [`Candidate`] borrows.
struct Held<'f> {
    file: &'f CredentialFile,
    types: Vec<&'f str>,
    keys: Vec<Vec<u8>>,
}

impl<'f> Held<'f> {
    fn of(file: &'f CredentialFile) -> Self {
        let aki = |authority: &AuthorityFile| from_base64url(&authority.value).unwrap_or_default();
        Self {
            file,
            types: file.types.iter().map(String::as_str).collect(),
            keys: file.authorities.iter().map(aki).collect(),
        }
    }

    fn authorities(&self) -> Vec<Authority<'_>> {
        let pairs = self.file.authorities.iter().zip(&self.keys);
        let authority = |(authority, key): (&'f AuthorityFile, _)| match authority.kind.as_str() {
            "aki" => Authority::KeyIdentifier(key),
            "etsi_tl" => Authority::TrustedList(&authority.value),
            "openid_federation" => Authority::Federation(&authority.value),
            other => panic!("{other}"),
        };
        pairs.map(|(file, key)| authority((file, key.as_slice()))).collect()
    }

    fn candidate<'a>(&'a self, authorities: &'a [Authority<'a>]) -> Candidate<'a> {
        Candidate {
            kind: match self.file.format.as_str() {
                "dc+sd-jwt" => Type::SdJwtVc(&self.types),
                "jwt_vc_json" => Type::JwtVcJson(&self.types),
                "mso_mdoc" => Type::Mdoc(self.types[0]),
                other => panic!("{other}"),
            },
            claims: &self.file.claims,
            authorities,
            holder_bound: self.file.holder_bound,
        }
    }
}

#[test]
fn wallets_find_what_matches_and_disclose_what_is_asked() {
    let Evaluations { credentials, cases } = vectors!("evaluate.json");
    for case in cases {
        let query = Query::from_json(&case.query).unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
        let held: Vec<_> = case.holds.iter().map(|name| Held::of(&credentials[name])).collect();
        let authorities: Vec<_> = held.iter().map(Held::authorities).collect();
        let wallet: Vec<_> = held
            .iter()
            .zip(&authorities)
            .map(|(held, theirs)| held.candidate(theirs))
            .collect();
        let found = evaluate(&query, &wallet);
        assert_eq!(found.is_satisfiable(), case.satisfiable, "{}", case.name);
        assert_eq!(case.matches.len(), query.credentials().len(), "{}", case.name);
        for (id, expected) in &case.matches {
            let matches = found.matches(id).iter().map(|one| MatchFile {
                credential: case.holds[one.candidate].clone(),
                claim_set: one.claim_set,
                disclosed: found
                    .disclosed(id, *one)
                    .iter()
                    .map(|location| steps(location.steps()))
                    .collect(),
            });
            let matches: Vec<_> = matches.collect();
            assert_eq!(&matches, expected, "{}: {id}", case.name);
        }
        let sets = found.sets().into_iter().map(|set| SetFile {
            required: set.required,
            options: set.options,
        });
        let sets: Vec<_> = sets.collect();
        assert_eq!(sets, case.sets, "{}", case.name);
        match found.first_answer() {
            Some(answer) => assert!(found.check(&answer).is_ok(), "{}", case.name),
            None => assert!(
                !case.satisfiable && found.check(&all_there_is(&query, &found)).is_err(),
                "{}",
                case.name
            ),
        }
    }
}

fn all_there_is<'q>(query: &'q Query, found: &vidimus_openid4vc::dcql::Evaluation<'q, '_>) -> Vec<Chosen<'q>> {
    let ids = query.credentials().iter().map(|credential| credential.id.as_str());
    let chosen = ids.filter_map(|id| {
        let candidates = vec![found.matches(id).first()?.candidate];
        Some(Chosen { id, candidates })
    });
    chosen.collect()
}

fn steps(steps: &[Step<'_>]) -> Json {
    let step = |step: &Step<'_>| match step {
        Step::Key(name) => Json::from(*name),
        Step::Index(place) => Json::from(*place),
    };
    steps.iter().map(step).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Responses {
    cases: Vec<ResponseCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseCase {
    name: String,
    #[serde(default, rename = "says")]
    _says: String,
    query: Json,
    presented: Map<String, Json>,
    expected: String,
}

#[test]
fn verifiers_take_answers_and_nothing_else() {
    let Responses { cases } = vectors!("responses.json");
    for case in cases {
        let query = Query::from_json(&case.query).unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
        let files: Vec<(&str, Vec<CredentialFile>)> = case
            .presented
            .iter()
            .map(|(id, files)| (id.as_str(), serde_json::from_value(files.clone()).unwrap()))
            .collect();
        let held: Vec<(&str, Vec<Held<'_>>)> = files
            .iter()
            .map(|(id, files)| (*id, files.iter().map(Held::of).collect()))
            .collect();
        let authorities: Vec<Vec<_>> = held
            .iter()
            .map(|(_, held)| held.iter().map(Held::authorities).collect())
            .collect();
        let candidates: Vec<(&str, Vec<Candidate<'_>>)> = held
            .iter()
            .zip(&authorities)
            .map(|((id, held), theirs)| {
                (
                    *id,
                    held.iter()
                        .zip(theirs)
                        .map(|(held, theirs)| held.candidate(theirs))
                        .collect(),
                )
            })
            .collect();
        let presented: Vec<(&str, &[Candidate<'_>])> = candidates
            .iter()
            .map(|(id, candidates)| (*id, candidates.as_slice()))
            .collect();
        let checked = check_response(&query, &presented);
        let outcome = checked.as_ref().err().map_or("answer".to_owned(), name_of);
        assert_eq!(outcome, case.expected, "{}", case.name);
        if checked.is_ok() {
            let counts = presented.iter().map(|(id, candidates)| (*id, candidates.len()));
            assert_eq!(query.check_counts(counts), Ok(()), "{}", case.name);
        }
        // The order in which identifiers come does not matter.
        let backwards: Vec<_> = presented.into_iter().rev().collect();
        assert_eq!(
            check_response(&query, &backwards).is_ok(),
            case.expected == "answer",
            "{}",
            case.name
        );
    }
}
