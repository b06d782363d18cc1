//! A deployment adds a category at run time: two files, no code.

use super::*;
use crate::support::{key, public};
use serde_json::json;
use vidimus_core::{Algorithm, Provider, Signer};
use vidimus_credential::{
    Format,
    category::{DccError, Source},
    format::{self, Content, Unsigned, vc_jwt, vc_jwt::Version},
    intake,
};
use vidimus_crypto::{KeyKind, Native};

fn file(path: &str) -> String {
    std::fs::read_to_string(vectors().join(path)).unwrap()
}

fn with_yellow_fever() -> Categories {
    let mut categories = Categories::built_in();
    categories
        .load_value_set(
            "yellow-fever-vaccine.json",
            &file("samples/value-sets/yellow-fever-vaccine.json"),
        )
        .unwrap();
    let id = categories
        .load(
            "yellow-fever-vaccination.json",
            &file("samples/categories/yellow-fever-vaccination.json"),
        )
        .unwrap();
    assert_eq!(id.as_str(), "yellow-fever-vaccination");
    categories
}

#[test]
fn a_clinic_reports_issues_and_anyone_reads_a_kind_of_certificate_that_no_code_knows() {
    let categories = with_yellow_fever();
    let bundle = file("samples/fhir-added/yellow-fever-vaccination.json");
    let intake = intake::read(bundle.as_bytes(), &context(&categories)).unwrap();
    assert_eq!(
        Value::Object(intake.claims.clone()),
        json!({"product": "STAMARIL", "batch": "W3C421-M", "country": "JP", "vaccinated_on": "2025-02-01", "target": "16541001"})
    );
    let category = categories.category(&intake.category).unwrap();
    let statement = statement(&intake, &categories);
    assert_eq!(statement.valid_from.to_rfc3339(), "2025-02-11T00:00:00Z");
    assert_eq!(statement.valid_until.to_rfc3339(), "2145-02-01T23:59:59Z");
    assert_eq!(category.acceptance(&statement.claims), Ok(()));
    assert_eq!(
        category.to_dcc(&statement),
        Err(DccError::NoRendering(id("yellow-fever-vaccination")))
    );
    assert!(!category.permits(Format::Hcert));

    let (clinic, native) = (key(KeyKind::P256, 3), Native::new());
    let context = vc_jwt::context_url("https://health.example/");
    let kid = format!("{}#controller", statement.issuer);
    let prepared = vc_jwt::prepare(&statement, Version::V2_0, &context, Algorithm::Es256, &kid).unwrap();
    let unsigned = Unsigned::Jws(prepared);
    let signature = clinic.sign(Algorithm::Es256, unsigned.message()).unwrap();
    let parsed = format::parse(&unsigned.finish(&signature)).unwrap();
    assert_eq!(
        native.verify(parsed.algorithm, &public(&clinic), &parsed.message, &parsed.signature),
        Ok(())
    );
    let Content::Statement(read) = parsed.content else {
        panic!("not a statement")
    };
    assert_eq!(*read, statement);
    assert_eq!(category.validate(&read.claims), Ok(()));
}

fn source(name: &str, text: impl Into<String>) -> Source {
    let (name, text) = (name.to_owned(), text.into());
    Source { name, text }
}

#[test]
fn a_deployments_files_are_told_apart_by_their_form_in_any_order() {
    let (category, set) = (
        file("samples/categories/yellow-fever-vaccination.json"),
        file("samples/value-sets/yellow-fever-vaccine.json"),
    );
    let mut categories = Categories::built_in();
    let files = vec![source("a.json", category.clone()), source("b.json", set.clone())];
    let added = categories.add(files).unwrap();
    assert_eq!(
        (added.categories, added.value_sets),
        (vec![category.clone()], vec![set.clone()])
    );
    assert!(categories.category(&id("yellow-fever-vaccination")).is_some());

    let refused = |files: Vec<Source>| Categories::built_in().add(files).unwrap_err();
    let alone = refused(vec![source("a.json", category.clone())]);
    assert_eq!(
        alone.to_string(),
        "a.json: /value_sets/~1product: there is no value set yellow-fever-vaccine; add the value set's file beside the category's"
    );
    let twice = refused(vec![
        source("a.json", set.clone()),
        source("b.json", category),
        source("c.json", set.clone()),
    ]);
    assert_eq!(
        twice.to_string(),
        "c.json: /id: yellow-fever-vaccine is the id of a.json too; keep one of the two files"
    );
    let other = refused(vec![source("a.json", r#"{"name": "vidimus"}"#)]);
    assert_eq!((other.file.as_str(), other.pointer.as_str()), ("a.json", "/"));
    assert!(other.message.starts_with("neither a category"), "{other}");
    let cut = refused(vec![source("a.json", &set[..200])]);
    assert!(cut.to_string().starts_with("a.json: /: not valid JSON"), "{cut}");
    let wordless = refused(vec![source("a.json", set.replace("\"en\"", "\"fr\""))]);
    assert_eq!(
        (wordless.file.as_str(), wordless.pointer.as_str()),
        ("a.json", "/concepts/STAMARIL/display/en")
    );
}

#[test]
fn without_the_file_the_same_bundle_is_of_no_category() {
    let bundle = file("samples/fhir-added/yellow-fever-vaccination.json");
    let rejection = intake::read(bundle.as_bytes(), &context(&Categories::built_in())).unwrap_err();
    let issue = &rejection.issues[0];
    assert_eq!(issue.location, "Bundle.entry[1].resource.vaccineCode");
    assert_eq!(issue.message, "CVX code 183 is not one any category accepts");
}

#[test]
fn another_acceptance_rule_is_another_file() {
    let categories = with_yellow_fever();
    let category = categories.category(&id("yellow-fever-vaccination")).unwrap();
    let claims = object(json!({"product": "YF-CHUMAKOV"}));
    assert_eq!(category.acceptance(&claims).unwrap_err()[0].rule, "prequalified");
}

#[test]
fn a_newer_value_set_reaches_the_categories_bound_to_it() {
    let mut categories = Categories::built_in();
    let set = json!({
        "id": "test-manufacturer-and-name", "version": "2025-01-01", "system": "https://covid-19-diagnostics.jrc.ec.europa.eu/devices",
        "concepts": {"9999": {"display": {"en": "A device of next year"}}},
    });
    let antigen = file("samples/claims/antigen-negative.json");
    assert!(intake::read(antigen.as_bytes(), &context(&categories)).is_ok());
    categories.load_value_set("devices.json", &set.to_string()).unwrap();
    let rejection = intake::read(antigen.as_bytes(), &context(&categories)).unwrap_err();
    assert_eq!(rejection.issues[0].location, "/claims/device");
    let next_year = antigen.replace("\"1232\"", "\"9999\"");
    assert!(intake::read(next_year.as_bytes(), &context(&categories)).is_ok());
    // What is built in stays as it was.
    assert!(intake::read(antigen.as_bytes(), &context(&Categories::built_in())).is_ok());
}

#[test]
fn a_broken_file_is_refused_with_its_place_and_the_next_step() {
    let text = file("samples/categories/yellow-fever-vaccination.json");
    let good: Value = serde_json::from_str(&text).unwrap();
    let cases: Vec<(&str, Value, &str)> = vec![
        ("/id", json!("Yellow Fever"), "/id"),
        ("/texts/en", Value::Null, "/texts/en"),
        ("/texts", json!({"en": {"title": "T", "description": "D"}}), "/texts"),
        ("/version", json!("1"), "/version"),
        ("/validity/0/from/0/add", json!("10 days"), "/validity/0/from/0/add"),
        ("/validity/0/from/0/add", json!("P1DT"), "/"),
        ("/validity/0/from/0/of", json!("/vaccinated"), "/validity/0/from"),
        ("/validity/0/from/0/of", json!("/batch"), "/validity/0/from"),
        (
            "/validity/0/when",
            json!({"present": {"claim": "/batch"}}),
            "/validity/0/when",
        ),
        ("/validity", json!([]), "/validity"),
        (
            "/defaults",
            json!({"vaccinated_on": {"of": "issued_at"}}),
            "/defaults/vaccinated_on/of",
        ),
        ("/acceptance/0/holds", json!({"run": "rm"}), "/acceptance/0/holds"),
        (
            "/acceptance/0/holds/not/in/claim",
            json!("/nothing"),
            "/acceptance/0/holds",
        ),
        (
            "/schema/properties/batch/pattern",
            json!("("),
            "/schema/properties/batch/pattern",
        ),
        (
            "/schema/properties/batch",
            json!({"$ref": "https://evil.example/schema.json"}),
            "/schema/properties/batch/$ref",
        ),
        (
            "/schema/additionalProperties",
            json!(true),
            "/schema/additionalProperties",
        ),
        ("/value_sets/~1product", json!("nowhere"), "/value_sets/~1product"),
        (
            "/value_sets",
            json!({"/vaccine": "country-codes"}),
            "/value_sets/~1vaccine",
        ),
        ("/past/0", json!("/when"), "/past/0"),
        (
            "/disclosures/2/pointer",
            json!("/claims/result"),
            "/disclosures/2/pointer",
        ),
        ("/disclosures/1/name", json!("family_name"), "/disclosures/1/name"),
        ("/formats", json!(["hcert"]), "/formats"),
        ("/formats", json!(["pdf"]), "/formats/0"),
        ("/checks/required/0", json!("horoscope"), "/checks/required/0"),
        (
            "/fhir/0/claims/lot",
            json!({"read": "text", "paths": ["lotNumber"]}),
            "/fhir/0/claims/lot",
        ),
        (
            "/fhir/0/codes/1/claims/colour",
            json!("red"),
            "/fhir/0/codes/1/claims/colour",
        ),
        (
            "/fhir/0/claims/batch/paths/0",
            json!("lot Number"),
            "/fhir/0/claims/batch/paths/0",
        ),
        ("/constants/colour", json!("red"), "/constants/colour"),
        ("/code", json!("fn main() {}"), "/"),
    ];
    for (pointer, value, place) in cases {
        let mut broken = good.clone();
        set(&mut broken, pointer, value);
        let mut categories = with_yellow_fever();
        let error = categories.load("yf.json", &broken.to_string()).unwrap_err();
        assert_eq!(
            (error.file.as_str(), error.pointer.as_str()),
            ("yf.json", place),
            "{pointer}: {error}"
        );
        assert!(!error.next.is_empty());
    }
    let error = Categories::built_in().load("cut.json", &text[..300]).unwrap_err();
    assert!(error.to_string().starts_with("cut.json: /: not valid JSON"), "{error}");
}

/// Puts a value at a pointer; `null` takes the member away.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/");
    let parent = document.pointer_mut(parent).unwrap();
    match parent {
        Value::Object(members) if value.is_null() => drop(members.remove(&name)),
        Value::Object(members) => drop(members.insert(name, value)),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        _ => panic!("{pointer} leads nowhere"),
    }
}
