//! Statements as EU certificates, and back.

use super::*;
use serde_json::json;
use vidimus_credential::{
    category::{DccError, Strictness, check_dcc, uvci},
    intake,
};

#[test]
fn what_the_laboratory_reports_goes_into_a_eu_certificate_and_comes_back_the_same() {
    let categories = Categories::built_in();
    let mut rendered = 0;
    for (name, text) in [files("samples/fhir"), files("samples/dcc"), files("samples/claims")].concat() {
        let intake = intake::read(text.as_bytes(), &context(&categories)).unwrap();
        let category = categories.category(&intake.category).unwrap();
        let statement = statement(&intake, &categories);
        let dcc = match category.to_dcc(&statement) {
            Err(DccError::NoRendering(id)) => {
                assert_eq!(id.as_str(), "sars-cov-2-antibody");
                continue;
            }
            other => other.unwrap_or_else(|e| panic!("{name}: {e:?}")),
        };
        assert_eq!(check_dcc(&dcc, Strictness::Strict), Ok(()), "{name}");
        assert_eq!(check_dcc(&dcc, Strictness::Lenient), Ok(()), "{name}");
        let read = categories.from_dcc(&dcc, Strictness::Strict).unwrap();
        assert_eq!(read.person, statement.person, "{name}");
        assert_eq!(read.category, statement.category, "{name}");
        assert_eq!(uvci::copy(&read.uvci), Some(statement.id), "{name}: {}", read.uvci);
        // An EU certificate always names an issuer; without a name, by its DID.
        let mut expected = statement.claims.clone();
        expected.entry("issuer_name").or_insert_with(|| json!(statement.issuer));
        assert_eq!(Value::Object(read.claims), Value::Object(expected), "{name}");
        rendered += 1;
    }
    assert!(rendered >= 20, "{rendered}");
}

#[test]
fn an_issuers_payload_is_taken_over_but_for_its_identifier() {
    let categories = Categories::built_in();
    for (name, text) in files("samples/dcc") {
        let payload: Value = serde_json::from_str(&text).unwrap();
        let intake = intake::dcc::read(text.as_bytes(), &context(&categories)).unwrap();
        let mut again = categories
            .category(&intake.category)
            .unwrap()
            .to_dcc(&statement(&intake, &categories))
            .unwrap();
        let group = ["v", "t", "r"]
            .into_iter()
            .find(|group| payload.get(group).is_some())
            .unwrap();
        again[group][0]["ci"] = payload[group][0]["ci"].clone();
        assert_eq!(again, payload, "{name}");
    }
}

#[test]
fn a_person_with_one_name_takes_version_1_3_2() {
    let categories = Categories::built_in();
    let text = std::fs::read_to_string(vectors().join("samples/fhir/antigen-negative-one-name.json")).unwrap();
    let intake = intake::read(text.as_bytes(), &context(&categories)).unwrap();
    let dcc = categories
        .category(&intake.category)
        .unwrap()
        .to_dcc(&statement(&intake, &categories))
        .unwrap();
    assert_eq!(
        (&dcc["ver"], &dcc["nam"]),
        (&json!("1.3.2"), &json!({"gn": "Suhartini", "gnt": "SUHARTINI"}))
    );
    assert_eq!(dcc["dob"], "1977");
}

#[test]
fn what_a_eu_certificate_cannot_hold_is_refused_with_its_place() {
    let categories = Categories::built_in();
    let text = std::fs::read_to_string(vectors().join("samples/claims/naat-negative.json")).unwrap();
    let intake = intake::read(text.as_bytes(), &context(&categories)).unwrap();
    let category = categories.category(&intake.category).unwrap();
    let mut statement = statement(&intake, &categories);
    statement.person.family_name = "Ä".repeat(81);
    let Err(DccError::Schema(violations)) = category.to_dcc(&statement) else {
        panic!("81 characters fit")
    };
    assert_eq!(
        (violations[0].pointer.as_str(), violations[0].code.as_str()),
        ("/nam/fn", "maxLength")
    );
    assert!(!violations[0].message.contains('Ä'));
}
