//! What the files of the five categories say: validity, acceptance, constraints, required tests.

use super::*;
use serde_json::json;
use vidimus_core::reason::Test;
use vidimus_credential::Format;

fn naat(result: &str) -> Map<String, Value> {
    object(json!({
        "target": "840539006", "test_type": "LP6464-4", "sampled_at": "2025-03-02T09:15:00+01:00", "result": result, "country": "AT",
    }))
}

fn vaccination(dose: u8, series: u8) -> Map<String, Value> {
    object(json!({
        "target": "840539006", "vaccine": "1119349007", "product": "EU/1/20/1528", "manufacturer": "ORG-100030215",
        "dose": dose, "doses_in_series": series, "vaccinated_on": "2025-01-20", "country": "CZ",
    }))
}

fn window(name: &str, claims: &Map<String, Value>) -> (String, String) {
    let validity = category(name).validity(claims, NOW).unwrap();
    (validity.from.to_rfc3339(), validity.until.to_rfc3339())
}

fn codes(violations: Result<(), Vec<vidimus_credential::category::Violation>>) -> Vec<(String, String)> {
    violations
        .unwrap_err()
        .into_iter()
        .map(|violation| (violation.pointer, violation.code))
        .collect()
}

#[test]
fn a_pcr_test_speaks_for_72_hours_and_an_antigen_test_for_24() {
    let claims = naat("260415000");
    assert_eq!(
        window("sars-cov-2-naat", &claims),
        ("2025-03-02T08:15:00Z".into(), "2025-03-05T08:15:00Z".into())
    );
    assert_eq!(
        window("sars-cov-2-antigen", &claims),
        ("2025-03-02T08:15:00Z".into(), "2025-03-03T08:15:00Z".into())
    );
    assert_eq!(window("sars-cov-2-antibody", &claims).1, "2025-05-31T08:15:00Z");
}

#[test]
fn a_recovery_speaks_from_day_11_to_day_180() {
    let recovery = category("sars-cov-2-recovery");
    let mut claims = object(json!({"first_positive_on": "2025-01-15", "country": "BE"}));
    recovery.complete(&mut claims);
    assert_eq!(recovery.validate_at(&claims, NOW), Ok(()));
    let (from, until) = window("sars-cov-2-recovery", &claims);
    assert_eq!(
        (from.as_str(), until.as_str()),
        ("2025-01-26T00:00:00Z", "2025-07-14T23:59:59Z")
    );
}

#[test]
fn a_primary_series_counts_from_day_14_to_day_270_and_a_booster_without_end() {
    let of = |dose, series| window("sars-cov-2-vaccination", &vaccination(dose, series));
    let primary = ("2025-02-03T00:00:00Z".into(), "2025-10-17T23:59:59Z".into());
    let booster = ("2025-01-20T00:00:00Z".into(), "2026-03-03T08:00:00Z".into());
    assert_eq!(of(2, 2), primary);
    assert_eq!(of(1, 1), primary);
    assert_eq!(of(3, 3), booster);
    assert_eq!(of(2, 1), booster);
    assert_eq!(of(3, 2), booster);
    assert_eq!(of(1, 2).0, "2025-01-20T00:00:00Z");
    assert_eq!(of(2, 3).1, "2025-10-17T23:59:59Z");
}

#[test]
fn the_airline_accepts_negative_tests_and_complete_series() {
    let rules = |name: &str, claims: &Map<String, Value>| -> Vec<String> {
        category(name)
            .acceptance(claims)
            .err()
            .into_iter()
            .flatten()
            .map(|refusal| refusal.rule)
            .collect()
    };
    assert!(rules("sars-cov-2-naat", &naat("260415000")).is_empty());
    assert_eq!(rules("sars-cov-2-naat", &naat("260373001")), ["not-detected"]);
    assert_eq!(rules("sars-cov-2-antigen", &naat("260373001")), ["not-detected"]);
    assert_eq!(rules("sars-cov-2-antibody", &naat("260415000")), ["detected"]);
    assert!(rules("sars-cov-2-vaccination", &vaccination(2, 2)).is_empty());
    assert!(rules("sars-cov-2-vaccination", &vaccination(2, 1)).is_empty());
    assert_eq!(rules("sars-cov-2-vaccination", &vaccination(1, 2)), ["series-complete"]);
    // A claim that is not there is not accepted either.
    assert_eq!(rules("sars-cov-2-naat", &Map::new()), ["not-detected"]);
}

#[test]
fn claims_outside_schema_value_sets_and_constraints_are_named_by_pointer_without_their_value() {
    let naat_category = category("sars-cov-2-naat");
    let mut claims = naat("SECRET");
    claims.insert("country".into(), json!("ZZ"));
    let violations = naat_category.validate(&claims).unwrap_err();
    assert!(
        violations.iter().all(|violation| !violation.message.contains("SECRET")),
        "{violations:?}"
    );
    assert_eq!(
        codes(Err(violations)),
        [
            ("/country".into(), "value_set".into()),
            ("/result".into(), "value_set".into())
        ]
    );
    // Somebody else's lists may be newer; the shape has to fit all the same.
    assert_eq!(naat_category.validate_foreign(&claims), Ok(()));
    claims.remove("sampled_at");
    claims.insert("Hanna".into(), json!("SECRET"));
    let violations = naat_category.validate_foreign(&claims).unwrap_err();
    assert!(
        violations.iter().all(|violation| !violation.message.contains("Hanna")),
        "{violations:?}"
    );
    let found = codes(Err(violations));
    assert!(found.contains(&("/sampled_at".into(), "required".into())), "{found:?}");
    assert!(
        found.contains(&(String::new(), "additionalProperties".into())),
        "{found:?}"
    );

    let late = naat("260415000");
    assert_eq!(
        codes(naat_category.validate_at(&late, Timestamp(0))),
        [("/sampled_at".into(), "future".into())]
    );

    let recovery = object(json!({
        "target": "840539006", "first_positive_on": "2025-01-15", "valid_from": "2025-01-25", "valid_until": "2025-07-15", "country": "BE",
    }));
    assert_eq!(
        codes(category("sars-cov-2-recovery").validate(&recovery)),
        [
            ("/valid_from".into(), "constraint".into()),
            ("/valid_until".into(), "constraint".into())
        ]
    );
}

#[test]
fn a_validity_that_cannot_be_computed_names_the_claim() {
    let mut claims = naat("260415000");
    claims.insert("sampled_at".into(), json!("yesterday"));
    let error = category("sars-cov-2-naat").validity(&claims, NOW).unwrap_err();
    assert_eq!(error.pointer, "/sampled_at");
    assert!(!error.to_string().contains("yesterday"));
}

#[test]
fn paper_has_no_holder_so_an_hcert_requires_no_binding() {
    for category in Categories::built_in().iter() {
        for format in category.formats() {
            let tests = category.required_tests(*format);
            for test in [
                Test::Syntax,
                Test::Signature,
                Test::Issuer,
                Test::Status,
                Test::Validity,
                Test::Receipt,
            ] {
                assert!(tests.contains(&test), "{category:?} {format:?} {test:?}");
            }
            assert_eq!(
                tests.contains(&Test::HolderBinding),
                *format != Format::Hcert,
                "{category:?} {format:?}"
            );
            assert_eq!(
                category.requires(Test::CounterSignature, *format),
                // Wallets that nobody here wrote make none.
                !matches!(format, Format::Hcert | Format::SdJwtVc)
            );
        }
    }
    assert!(!category("sars-cov-2-antibody").permits(Format::Hcert));
}

#[test]
fn every_category_speaks_english_and_german_and_shows_its_attributes() {
    let categories = Categories::built_in();
    for (name, text) in files("samples/claims") {
        let intake = vidimus_credential::intake::read(text.as_bytes(), &context(&categories)).unwrap();
        let category = categories.category(&intake.category).unwrap();
        assert_ne!(category.texts("en").title, category.texts("de").title, "{name}");
        assert_eq!(category.texts("xx").title, category.texts("en").title);
        let statement = statement(&intake, &categories);
        for disclosure in category.disclosures() {
            let optional = ["test_name", "testing_centre"].contains(&disclosure.name.as_str());
            assert!(
                optional || disclosure.value(&statement).is_some(),
                "{name}: {}",
                disclosure.name
            );
            assert!(disclosure.titles.contains_key("de"), "{name}: {}", disclosure.name);
        }
        assert_eq!(
            category.disclosure("valid_from").unwrap().value(&statement),
            Some(json!(statement.valid_from.to_rfc3339()))
        );
        assert_eq!(category.kind(&intake.claims), intake.category.as_str());
    }
    let claims = naat("260373001");
    assert_eq!(
        category("sars-cov-2-naat").display("/result", &claims, "de"),
        Some("Nachgewiesen")
    );
}
