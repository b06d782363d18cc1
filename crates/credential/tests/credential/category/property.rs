//! Whatever comes, reading ends in an intake that its category allows, or in a rejection.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use vidimus_credential::{
    category::{Strictness, transliteration, uvci},
    intake,
};

/// Reads and holds the result to what is promised of it.
fn read(bytes: &[u8]) -> bool {
    let categories = Categories::built_in();
    match intake::read(bytes, &context(&categories)) {
        Ok(intake) => {
            let category = categories.category(&intake.category).unwrap();
            assert_eq!(category.validate_at(&intake.claims, NOW), Ok(()));
            assert!(category.validity(&intake.claims, NOW).is_ok());
            let person = &intake.person;
            for zone in [&person.family_name_transliterated, &person.given_name_transliterated] {
                assert!(zone.is_empty() || transliteration::is_standardised(zone));
            }
            true
        }
        Err(rejection) => {
            assert!(!rejection.issues.is_empty());
            false
        }
    }
}

fn samples() -> Vec<Value> {
    let texts = [files("samples/fhir"), files("samples/dcc"), files("samples/claims")].concat();
    texts
        .iter()
        .map(|(_, text)| serde_json::from_str(text).unwrap())
        .collect()
}

/// Every place in a document.
fn pointers(value: &Value, at: String, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                pointers(
                    inner,
                    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                    into,
                );
            }
        }
        Value::Array(items) => {
            for (i, inner) in items.iter().enumerate() {
                pointers(inner, format!("{at}/{i}"), into);
            }
        }
        _ => {}
    }
    into.push(at);
}

fn strange() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("2025-02-30")),
        Just(json!("9999-12-31T23:59:60Z")),
        Just(json!("#")),
        Just(json!("Patient/p1")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z]{1,8}", inner), 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(!read(&bytes));
    }

    #[test]
    fn a_sample_with_any_part_replaced_is_read_or_refused(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), value in strange()) {
        let samples = samples();
        let mut document = which.get(&samples).clone();
        let mut all = Vec::new();
        pointers(&document, String::new(), &mut all);
        let pointer: &String = at.get(&all);
        *document.pointer_mut(pointer).unwrap() = value;
        read(document.to_string().as_bytes());
    }

    #[test]
    fn a_sample_without_one_part_is_read_or_refused(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        let samples = samples();
        let mut document = which.get(&samples).clone();
        let mut all = Vec::new();
        pointers(&document, String::new(), &mut all);
        let pointer: &String = at.get(&all);
        if let Some((parent, name)) = pointer.rsplit_once('/') {
            match document.pointer_mut(parent).unwrap() {
                Value::Object(members) => drop(members.remove(&name.replace("~1", "/").replace("~0", "~"))),
                Value::Array(items) => drop(items.remove(name.parse().unwrap())),
                _ => {}
            }
        }
        read(document.to_string().as_bytes());
    }

    #[test]
    fn a_cut_sample_is_refused(which in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let samples = samples();
        let text = which.get(&samples).to_string();
        prop_assert!(!read(&text.as_bytes()[..cut.index(text.len())]));
    }

    #[test]
    fn a_name_is_transliterated_into_its_form_or_refused(name in "\\PC{0,60}") {
        if let Ok(zone) = transliteration::transliterate(&name) {
            prop_assert!(transliteration::is_standardised(&zone), "{zone}");
            prop_assert!(!zone.starts_with('<') && !zone.ends_with('<') && !zone.contains("<<"));
            // What has the form stays as it is.
            prop_assert_eq!(transliteration::transliterate(&zone), Ok(zone));
        }
    }

    #[test]
    fn a_copy_has_one_identifier(bytes in any::<[u8; 16]>()) {
        let id = vidimus_core::id::CopyId::from_bytes(bytes);
        prop_assert_eq!(uvci::copy(&uvci::of(id, "AT")), Some(id));
    }

    #[test]
    fn any_vaccination_goes_into_a_eu_certificate_and_back(dose in 1..=9u8, series in 1..=9u8, day in 0..700i64, family in "[A-Za-zäöüßčřžñ' -]{0,20}[A-Za-z]") {
        let categories = Categories::built_in();
        let date = Timestamp(NOW.0 - day * 86_400).to_rfc3339();
        let form = json!({
            "person": {"family_name": family, "given_name": "Ana", "birth_date": "1970"},
            "category": "sars-cov-2-vaccination",
            "claims": {
                "vaccine": "1119349007", "product": "EU/1/20/1528", "manufacturer": "ORG-100030215", "dose": dose, "doses_in_series": series,
                "vaccinated_on": &date[..10], "country": "AT", "issuer_name": "Amt",
            },
        });
        let intake = intake::read(form.to_string().as_bytes(), &context(&categories)).unwrap();
        let category = categories.category(&intake.category).unwrap();
        prop_assert_eq!(category.acceptance(&intake.claims).is_ok(), dose >= series);
        let statement = statement(&intake, &categories);
        prop_assert!(statement.valid_from <= statement.valid_until);
        let dcc = category.to_dcc(&statement).unwrap();
        let read = categories.from_dcc(&dcc, Strictness::Strict).unwrap();
        prop_assert_eq!(read.person, statement.person);
        prop_assert_eq!(Value::Object(read.claims), Value::Object(statement.claims));
    }
}
