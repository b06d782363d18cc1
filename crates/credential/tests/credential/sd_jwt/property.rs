//! Any JSON object and any choice of what is disclosable.

use super::*;
use crate::support::Seeded;
use proptest::prelude::*;
use std::collections::BTreeSet;
use vidimus_credential::sd_jwt::{ClaimPath, ConcealError, Frame, Processed, Step, conceal};

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zäß\"\\\\ ]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-f_.]{1,3}", inner, 0..4).prop_map(|members| Value::Object(
                members
                    .into_iter()
                    .filter(|(name, _)| name != "_sd" && name != "...")
                    .collect()
            )),
        ]
    })
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    let members = prop::collection::btree_map("[a-f]{1,3}", json_value(), 0..6);
    members.prop_map(|members| members.into_iter().collect())
}

/// Every place in the claims, by a path without wildcards, with what stands there.
fn places(claims: &Map<String, Value>) -> Vec<(ClaimPath, Value)> {
    fn walk(at: &[Step], value: &Value, into: &mut Vec<(ClaimPath, Value)>) {
        if let Ok(path) = ClaimPath::new(at.to_vec()) {
            into.push((path, value.clone()));
        }
        let longer = |step: Step| [at, &[step]].concat();
        match value {
            Value::Object(members) => {
                members
                    .iter()
                    .for_each(|(name, value)| walk(&longer(Step::Name(name.clone())), value, into));
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(i, value)| walk(&longer(Step::Index(i)), value, into));
            }
            _ => {}
        }
    }
    let mut into = Vec::new();
    claims
        .iter()
        .for_each(|(name, value)| walk(&[Step::Name(name.clone())], value, &mut into));
    into
}

fn processed(text: &str) -> Processed {
    SdJwt::parse(text).unwrap().process(&Native::new()).unwrap()
}

proptest! {
    #[test]
    fn what_is_concealed_comes_back(claims in claims(), seed in any::<u64>(), picks in any::<u64>(), decoys in 0_usize..4) {
        let places = places(&claims);
        let picked: Vec<_> = places.iter().enumerate().filter(|(at, _)| picks >> (at % 64) & 1 == 1).map(|(_, place)| place).collect();
        let frame = picked.iter().fold(Frame::new().decoys(None, decoys), |frame, (path, _)| frame.disclosable(path));
        let concealed = conceal(&claims, &frame, &Native::new(), &mut Seeded(seed)).unwrap();
        prop_assert_eq!(concealed.disclosures.len(), picked.len());
        let jwt = unsigned(&concealed.payload);
        let all = concealed.combine(&jwt);
        let whole = processed(&all);
        prop_assert_eq!(&whole.claims, &claims);
        let paths: BTreeSet<_> = whole.disclosed.iter().map(|one| one.path.clone()).collect();
        prop_assert_eq!(paths, picked.iter().map(|(path, _)| path.clone()).collect::<BTreeSet<_>>());

        // Nothing of what is disclosable stands in the payload. (What stands behind an element that is not shown stands elsewhere then.)
        let none = processed(&format!("{jwt}~"));
        for one in &whole.disclosed {
            if one.path.steps().iter().all(|step| matches!(step, Step::Name(_))) {
                prop_assert!(one.path.select(&none.claims).is_empty(), "{:?} is in the clear", one.path);
            }
        }

        // Each place alone: it is shown whole, and no disclosure that is neither it, around it or beneath it.
        for (path, value) in &places {
            let chosen = whole.choose(std::slice::from_ref(path)).unwrap();
            let read = SdJwt::parse(&all).unwrap();
            let shown_text = read.present(&chosen);
            let shown = processed(&shown_text);
            prop_assert_eq!(shown.disclosed.len(), chosen.len());
            for at in 0..whole.disclosed.len() {
                let disclosed = &whole.disclosed[at];
                let needed = disclosed.path.leads_to(path) || path.leads_to(&disclosed.path);
                prop_assert_eq!(chosen.contains(&at), needed);
                prop_assert_eq!(shown_text.contains(read.disclosures()[at]), needed);
                prop_assert!(disclosed.parent.is_none_or(|parent| !needed || chosen.contains(&parent)));
            }
            if path.steps().iter().all(|step| matches!(step, Step::Name(_))) {
                let found = path.select(&shown.claims);
                prop_assert_eq!(found.len(), 1);
                prop_assert_eq!(found[0].1, value);
            }
        }
    }

    #[test]
    fn everything_can_be_disclosable(claims in claims(), seed in any::<u64>()) {
        let frame = claims.keys().fold(Frame::new(), |frame, name| {
            let path = ClaimPath::of([name]);
            frame.disclosable(&path).disclosable_beneath(&path)
        });
        let concealed = conceal(&claims, &frame, &Native::new(), &mut Seeded(seed)).unwrap();
        prop_assert_eq!(concealed.disclosures.len(), places(&claims).len());
        let mut left: Vec<_> = concealed.payload.keys().cloned().collect();
        left.retain(|name| name != "_sd" && name != "_sd_alg");
        prop_assert!(left.is_empty(), "{left:?}");
        prop_assert_eq!(processed(&concealed.combine(&unsigned(&concealed.payload))).claims, claims);
    }

    #[test]
    fn reading_never_panics(text in "[A-Za-z0-9_.~-]{0,80}", payload in json_value(), disclosures in prop::collection::vec(json_value(), 0..4)) {
        let _ = read(&text);
        let texts: Vec<_> = disclosures.iter().map(disclosure).collect();
        let mut payload = json!({"a": payload});
        payload["_sd"] = texts.iter().map(|text| Value::from(digest(text))).collect();
        let _ = read_parts(&payload, &texts);
    }
}

#[test]
fn digests_stand_in_an_order_that_says_nothing() {
    let claims = json!({"a": 1, "b": 2, "c": 3, "list": [1, 2, 3]});
    let claims = claims.as_object().unwrap();
    let frame = ["a", "b", "c"]
        .iter()
        .fold(Frame::new(), |frame, name| frame.disclosable(&ClaimPath::of([name])));
    let list = ClaimPath::of(["list"]);
    let frame = frame.decoys(None, 3).decoys(Some(&list), 2);
    let mut placed = BTreeSet::new();
    for seed in 0..20 {
        let concealed = conceal(claims, &frame, &Native::new(), &mut Seeded(seed)).unwrap();
        let digests: Vec<_> = concealed.payload["_sd"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(digests.len(), 6);
        assert!(digests.is_sorted());
        let list = concealed.payload["list"].as_array().unwrap();
        assert_eq!(list.len(), 5);
        placed.insert(list.iter().map(Value::is_object).collect::<Vec<_>>());
        assert_eq!(
            processed(&concealed.combine(&unsigned(&concealed.payload))).claims,
            *claims
        );
    }
    assert!(placed.len() > 5, "decoys stand at the same places: {placed:?}");
}

#[test]
fn salts_are_never_used_twice() {
    let items: Vec<_> = (0..200).collect();
    let claims = json!({ "items": items });
    let path = ClaimPath::of(["items"]);
    let frame = Frame::new().disclosable_beneath(&path);
    let concealed = conceal(claims.as_object().unwrap(), &frame, &Native::new(), &mut Seeded(9)).unwrap();
    let salts: BTreeSet<_> = concealed
        .disclosures
        .iter()
        .map(|text| {
            let content = vidimus_core::encoding::from_base64url(text).unwrap();
            let content: Value = serde_json::from_slice(&content).unwrap();
            let salt = content[0].as_str().unwrap().to_owned();
            assert_eq!(salt.len(), 22, "128 bits");
            salt
        })
        .collect();
    assert_eq!(salts.len(), 200);
}

#[test]
fn what_cannot_be_concealed() {
    let make = |claims: Value, frame: &Frame| {
        conceal(claims.as_object().unwrap(), frame, &Native::new(), &mut Seeded(1)).map(|made| made.disclosures.len())
    };
    for claims in [
        json!({"_sd": []}),
        json!({"...": 1}),
        json!({"_sd_alg": "sha-256"}),
        json!({"a": {"_sd": 1}}),
        json!({"a": [{"b": {"...": 1}}]}),
        json!({"a": {"_sd_alg": 1}}),
    ] {
        assert_eq!(
            make(claims.clone(), &Frame::new()),
            Err(ConcealError::Reserved),
            "{claims}"
        );
    }
    let path = |value: Value| ClaimPath::from_json(&value).unwrap();
    for wrong in [
        json!(["b"]),
        json!([0]),
        json!(["a", "c"]),
        json!(["a", 2]),
        json!(["n", "x"]),
        json!(["o", null]),
    ] {
        let frame = Frame::new().disclosable(&path(wrong.clone()));
        assert_eq!(
            make(json!({"a": [1, 2], "n": 1, "o": {}}), &frame),
            Err(ConcealError::Frame),
            "{wrong}"
        );
    }
    let all = Frame::new().disclosable_beneath(&path(json!(["a"])));
    assert_eq!(make(json!({"a": vec![1; 256]}), &all), Ok(256));
    assert_eq!(make(json!({"a": vec![1; 257]}), &all), Err(ConcealError::TooMany));
    assert_eq!(
        make(json!({}), &Frame::new().decoys(None, 257)),
        Err(ConcealError::TooMany)
    );
    let mut deep = json!(1);
    for _ in 0..70 {
        deep = json!([deep]);
    }
    assert_eq!(make(json!({ "a": deep }), &Frame::new()), Err(ConcealError::TooDeep));
}
