//! What holds of every query and wallet.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::time::Instant;
use vidimus_openid4vc::dcql::{
    Candidate, Chosen, Claim, Component, Credential, CredentialSet, Location, Path, Query, Step, Type, Value,
    check_response, evaluate, limit,
};

/// Small alphabets, so that paths often hit.
fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (0..3_i64).prop_map(Json::from),
        "[xy]".prop_map(Json::from),
    ];
    let inner = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map("[a-c]", inner, 0..4).prop_map(|members| json!(members)),
        ]
    });
    proptest::collection::btree_map("[a-c]", inner, 0..4).prop_map(|members| json!(members))
}

fn path() -> impl Strategy<Value = Path> {
    let component = prop_oneof![
        3 => "[a-c]".prop_map(Component::Key),
        1 => (0..3_u64).prop_map(Component::Index),
        1 => Just(Component::All),
    ];
    ("[a-c]", proptest::collection::vec(component, 0..3)).prop_map(|(first, mut rest)| {
        rest.insert(0, Component::Key(first));
        Path::new(rest).unwrap()
    })
}

fn claim() -> impl Strategy<Value = Claim> {
    let value = prop_oneof![
        "[xy]".prop_map(Value::Text),
        (0..3_i128).prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
    ];
    (path(), proptest::collection::vec(value, 0..3)).prop_map(|(path, values)| Claim::at(path).one_of(values))
}

fn credential() -> impl Strategy<Value = Credential> {
    let sets = proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..4), 0..4);
    (proptest::collection::vec(claim(), 0..4), sets, any::<bool>(), "[vw]").prop_map(|(claims, sets, multiple, vct)| {
        let mut credential = Credential::sd_jwt_vc("", [vct.as_str()]);
        credential.multiple = multiple;
        let named = claims.into_iter().enumerate();
        credential.claims = named.map(|(place, claim)| claim.named(format!("c{place}"))).collect();
        if !credential.claims.is_empty() {
            let id = |place: &prop::sample::Index| format!("c{}", place.index(credential.claims.len()));
            credential.claim_sets = sets.iter().map(|set| set.iter().map(id).collect()).collect();
        }
        credential
    })
}

/// Read back from JSON, as a wallet has it: paths may repeat.
fn query() -> impl Strategy<Value = Json> {
    let credentials = proptest::collection::vec(credential(), 1..5);
    let option = proptest::collection::vec(any::<prop::sample::Index>(), 1..3);
    let set = (proptest::collection::vec(option, 1..4), any::<bool>());
    (credentials, proptest::collection::vec(set, 0..4)).prop_map(|(mut credentials, sets)| {
        for (place, credential) in credentials.iter_mut().enumerate() {
            credential.id = format!("q{place}");
        }
        let id = |place: &prop::sample::Index| format!("q{}", place.index(credentials.len()));
        let option = |option: &Vec<prop::sample::Index>| option.iter().map(id).collect();
        let sets: Vec<CredentialSet> = sets
            .iter()
            .map(|(options, required)| CredentialSet {
                options: options.iter().map(option).collect(),
                required: *required,
            })
            .collect();
        // Through JSON, since a built query refuses repeated paths.
        let parts: Vec<Json> = credentials
            .into_iter()
            .map(|mut credential| {
                let claims = std::mem::take(&mut credential.claims);
                let claim_sets = std::mem::take(&mut credential.claim_sets);
                let alone = Query::new(vec![credential], vec![]).unwrap().to_json();
                let mut part = alone["credentials"][0].clone();
                if !claims.is_empty() {
                    part["claims"] = claims.iter().map(claim_json).collect();
                }
                if !claim_sets.is_empty() {
                    part["claim_sets"] = json!(claim_sets);
                }
                part
            })
            .collect();
        let mut whole = json!({ "credentials": parts });
        if !sets.is_empty() {
            let set = |set: &CredentialSet| json!({ "options": set.options, "required": set.required });
            whole["credential_sets"] = sets.iter().map(set).collect();
        }
        whole
    })
}

fn claim_json(claim: &Claim) -> Json {
    let alone = Credential::sd_jwt_vc("a", ["v"]).asking(claim.clone());
    Query::new(vec![alone], vec![]).unwrap().to_json()["credentials"][0]["claims"][0].clone()
}

fn held<'a>(types: &'a [&'a str], claims: &'a Json) -> Candidate<'a> {
    Candidate {
        kind: Type::SdJwtVc(types),
        claims,
        authorities: &[],
        holder_bound: true,
    }
}

/// What is left when only that is disclosed: elements of arrays that are not go away, with their places.
fn disclose(at: &Json, trail: &mut Vec<Step<'static>>, shown: &[Location<'_>]) -> Json {
    if shown.iter().any(|location| trail.starts_with(location.steps())) {
        return at.clone();
    }
    let on_the_way = |trail: &[Step<'_>]| {
        shown
            .iter()
            .any(|location| location.steps().starts_with(trail) || trail.starts_with(location.steps()))
    };
    match at {
        Json::Object(members) => {
            let kept = members.iter().filter_map(|(name, member)| {
                trail.push(Step::Key(NAMES[(name.as_bytes()[0] - b'a') as usize]));
                let kept = on_the_way(trail).then(|| (name.clone(), disclose(member, trail, shown)));
                trail.pop();
                kept
            });
            Json::Object(kept.collect())
        }
        Json::Array(items) => {
            let kept = items.iter().enumerate().filter_map(|(place, item)| {
                trail.push(Step::Index(place));
                let kept = on_the_way(trail).then(|| disclose(item, trail, shown));
                trail.pop();
                kept
            });
            Json::Array(kept.collect())
        }
        other => other.clone(),
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// The text of §7.1.1, word for word in code: breadth first, with the places of what is selected.
fn plainly<'p, 'v>(path: &'p Path, root: &'v Json) -> Option<Vec<(Vec<Step<'p>>, &'v Json)>> {
    let mut selected = vec![(Vec::new(), root)];
    for component in path.components() {
        let mut next = Vec::new();
        for (location, at) in selected {
            let mut add = |step, element| {
                let mut location = location.clone();
                location.push(step);
                next.push((location, element));
            };
            match component {
                Component::Key(name) => at
                    .as_object()?
                    .get(name)
                    .into_iter()
                    .for_each(|member| add(Step::Key(name), member)),
                Component::All => at
                    .as_array()?
                    .iter()
                    .enumerate()
                    .for_each(|(place, item)| add(Step::Index(place), item)),
                Component::Index(place) => {
                    let place = *place as usize;
                    at.as_array()?
                        .get(place)
                        .into_iter()
                        .for_each(|item| add(Step::Index(place), item));
                }
            }
        }
        selected = next;
    }
    (!selected.is_empty()).then_some(selected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_path_selects_what_the_plain_reading_selects(path in path(), root in document()) {
        let plain = plainly(&path, &root).unwrap_or_default();
        let elements: Vec<&Json> = plain.iter().map(|(_, element)| *element).collect();
        prop_assert_eq!(path.select(&root), elements);
    }

    #[test]
    fn nothing_is_disclosed_that_was_not_asked_and_what_is_asked_is(query in query(), documents in proptest::collection::vec(document(), 0..4)) {
        let query = Query::from_json(&query).unwrap();
        let wallet: Vec<_> = documents.iter().map(|claims| held(&["v"], claims)).collect();
        let found = evaluate(&query, &wallet);
        for (place, credential) in query.credentials().iter().enumerate() {
            for one in found.matches(&credential.id) {
                let claims = wallet[one.candidate].claims;
                let shown = found.disclosed(&credential.id, *one);
                let asked: Vec<&Claim> = query.asked(place, one.claim_set).collect();
                prop_assert!(asked.iter().all(|claim| credential.claims.contains(claim)));
                let may = |location: &Location<'_>| asked.iter().any(|claim| {
                    let value = location.find(claims).unwrap();
                    let right = claim.values.is_empty() || claim.values.iter().any(|wanted| wanted.is(value));
                    right && plainly(&claim.path, claims).is_some_and(|selected| selected.iter().any(|(steps, element)| steps == location.steps() && *element == value))
                });
                prop_assert!(shown.iter().all(may));
                let inside = |(steps, _): &(Vec<Step<'_>>, &Json)| shown.iter().any(|shown| steps.starts_with(shown.steps()));
                for claim in &asked {
                    let selected = plainly(&claim.path, claims).unwrap();
                    prop_assert!(selected.iter().any(inside));
                }
                for (at, location) in shown.iter().enumerate() {
                    prop_assert!(shown.iter().enumerate().all(|(other, outer)| other == at || !outer.covers(location)));
                }
            }
        }
    }

    #[test]
    fn an_answer_from_an_evaluation_is_one_for_the_verifier(query in query(), documents in proptest::collection::vec(document(), 0..4)) {
        let query = Query::from_json(&query).unwrap();
        let wallet: Vec<_> = documents.iter().map(|claims| held(&["v", "w"], claims)).collect();
        let found = evaluate(&query, &wallet);
        let Some(answer) = found.first_answer() else {
            prop_assert!(!found.is_satisfiable());
            return Ok(());
        };
        let matches = found.check(&answer).unwrap();
        let presented: Vec<(&str, Vec<Json>)> = answer.iter().zip(&matches).map(|(chosen, matches)| {
            let presented = matches.iter().map(|one| {
                let shown = found.disclosed(chosen.id, *one);
                disclose(wallet[one.candidate].claims, &mut Vec::new(), &shown)
            });
            (chosen.id, presented.collect())
        }).collect();
        let views: Vec<(&str, Vec<Candidate<'_>>)> = presented.iter()
            .map(|(id, claims)| (*id, claims.iter().map(|claims| held(&["v", "w"], claims)).collect()))
            .collect();
        let views: Vec<(&str, &[Candidate<'_>])> = views.iter().map(|(id, views)| (*id, views.as_slice())).collect();
        prop_assert!(check_response(&query, &views).is_ok(), "{:?}", check_response(&query, &views));
        // Without one of its parts it is none, unless that part was more than had to be.
        if query.sets().is_empty() && !views.is_empty() {
            prop_assert!(check_response(&query, &views[1..]).is_err());
        }
    }

    #[test]
    fn a_choice_is_valid_exactly_if_the_sets_say_so(query in query(), chosen in proptest::collection::vec(any::<bool>(), 4)) {
        let query = Query::from_json(&query).unwrap();
        let counts: Vec<(&str, usize)> = query.credentials().iter().zip(&chosen)
            .filter(|(_, chosen)| **chosen)
            .map(|(credential, _)| (credential.id.as_str(), 1))
            .collect();
        let has = |id: &String| counts.iter().any(|(named, _)| named == id);
        let complete: Vec<(&CredentialSet, Vec<&Vec<String>>)> = query.sets().iter()
            .map(|set| (set, set.options.iter().filter(|option| option.iter().all(has)).collect()))
            .collect();
        let valid = if query.sets().is_empty() {
            counts.len() == query.credentials().len()
        } else {
            complete.iter().all(|(set, options)| !set.required || !options.is_empty())
                && counts.iter().all(|(id, _)| complete.iter().flat_map(|(_, options)| options).any(|option| option.iter().any(|named| named == id)))
        };
        prop_assert_eq!(query.check_counts(counts.iter().copied()).is_ok(), valid);
    }

    #[test]
    fn reading_never_fails_in_another_way(text in r#"[\[\]{}:,"a-c0-9. nul-]{0,60}"#, value in document()) {
        let _ = Query::parse(text.as_bytes());
        let wrapped = json!({"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": value.clone(), "claims": [value.clone()], "claim_sets": value.clone()}], "credential_sets": value});
        prop_assert!(Query::from_json(&wrapped).is_err());
    }
}

/// The largest query that is read, made to be slow, against a wallet that all but matches it.
#[test]
#[allow(clippy::disallowed_methods, reason = "the test is about time")]
fn the_slowest_query_is_bounded() {
    let per_credential = limit::ALL_CLAIMS / limit::CREDENTIALS;
    let values = limit::ALL_VALUES / limit::ALL_CLAIMS;
    let credential = |place: usize| {
        let claims = (0..per_credential).map(|claim| {
            // The last claim is never there, and every set asks for it last.
            let last = if claim + 1 == per_credential { "missing" } else { "x" };
            let nested = (0..4).map(|_| Component::All);
            let mut path: Vec<Component> = vec!["deep".into()];
            path.extend(nested);
            path.extend([last.into(), Component::Key(format!("n{claim}"))]);
            Claim::at(Path::new(path).unwrap())
                .named(format!("c{claim}"))
                .one_of((0..values).map(|value| Value::Text(format!("value {value}"))))
        });
        let mut credential = Credential::sd_jwt_vc(format!("q{place}"), ["v"]);
        credential.claims = claims.collect();
        let set: Vec<String> = (0..per_credential).map(|claim| format!("c{claim}")).collect();
        credential.claim_sets = vec![set; limit::CLAIM_SETS];
        credential
    };
    let credentials: Vec<Credential> = (0..limit::CREDENTIALS).map(credential).collect();
    let option: Vec<String> = credentials.iter().map(|credential| credential.id.clone()).collect();
    let set = CredentialSet {
        options: vec![option; limit::OPTIONS],
        required: true,
    };
    let query = Query::new(credentials, vec![set; limit::CREDENTIAL_SETS]).unwrap();
    let leaf: Json = (0..per_credential)
        .map(|claim| (format!("n{claim}"), json!("value 7")))
        .collect();
    let claims = (0..4).fold(json!({ "x": leaf }), |inner, _| json!([inner, inner]));
    let claims = json!({ "deep": claims });
    let wallet = vec![held(&["v"], &claims); 100];
    let start = Instant::now();
    let found = evaluate(&query, &wallet);
    assert!(!found.is_satisfiable());
    assert_eq!(found.first_answer(), None);
    assert!(
        found
            .check(&[Chosen {
                id: "q0",
                candidates: vec![0]
            }])
            .is_err()
    );
    // 64 credentials × 100 candidates × 8 claims × 16 elements × 8 values are some million comparisons: a second, unoptimised.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    // Beyond the limits nothing is built at all.
    let bytes = format!("{{\"credentials\":[{}]}}", "{},".repeat(limit::BYTES));
    assert!(Query::parse(bytes.as_bytes()).is_err());
}
