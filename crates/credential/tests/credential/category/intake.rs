//! Results from real input: the samples give exactly these claims, and each reject vector its code.

use super::*;
use serde_json::json;
use vidimus_credential::intake::{self, Code, DocumentKind, IdentityDocument, Source};

fn sample(path: &str) -> Intake {
    let text = std::fs::read_to_string(vectors().join("samples").join(path)).unwrap();
    intake::read(text.as_bytes(), &context(&Categories::built_in())).unwrap_or_else(|e| panic!("{path}: {e:?}"))
}

fn says(path: &str, category: &str, claims: Value) -> Intake {
    let intake = sample(path);
    assert_eq!(
        (intake.category.as_str(), intake.source),
        (category, Source::Fhir),
        "{path}"
    );
    assert_eq!(Value::Object(intake.claims.clone()), claims, "{path}");
    intake
}

fn document(kind: DocumentKind, country: &str, number: &str) -> Option<IdentityDocument> {
    Some(IdentityDocument {
        kind,
        country: country.into(),
        number: number.into(),
    })
}

#[test]
fn the_laboratory_sends_tests() {
    let negative = says(
        "fhir/pcr-negative.json",
        "sars-cov-2-naat",
        json!({
            "target": "840539006", "test_type": "LP6464-4", "test_name": "TaqPath COVID-19 RT-PCR", "result": "260415000",
            "sampled_at": "2025-03-02T09:15:00+01:00", "testing_centre": "Labor Donauraum GmbH", "country": "AT",
        }),
    );
    assert_eq!(negative.document, document(DocumentKind::Passport, "AT", "P4711087"));
    let person = &negative.person;
    assert_eq!(
        (person.family_name.as_str(), person.given_name.as_str()),
        ("Achleitner-Sørby", "Hanna Lise")
    );
    assert_eq!(person.family_name_transliterated, "ACHLEITNER<SOERBY");
    assert_eq!(person.given_name_transliterated, "HANNA<LISE");
    assert_eq!(person.birth_date, "1987-05-14");

    let positive = says(
        "fhir/pcr-positive.json",
        "sars-cov-2-naat",
        json!({
            "target": "840539006", "test_type": "LP6464-4", "result": "260373001", "sampled_at": "2025-03-01T07:40:00+01:00",
            "testing_centre": "Institut für Mikrobiologie Passau", "country": "DE",
        }),
    );
    assert_eq!(positive.document, document(DocumentKind::NationalId, "DE", "L01X00T47"));
    assert_eq!(positive.person.given_name_transliterated, "JUERGEN");
    says(
        "fhir/antigen-negative.json",
        "sars-cov-2-antigen",
        json!({
            "target": "840539006", "test_type": "LP217198-3", "device": "1232", "test_name": "Panbio COVID-19 Ag Rapid Test",
            "result": "260415000", "sampled_at": "2025-03-02T16:05:00+01:00", "testing_centre": "Apotheke am Stadtpark", "country": "AT",
        }),
    );
    let antibody = says(
        "fhir/antibody-detected.json",
        "sars-cov-2-antibody",
        json!({
            "target": "840539006", "test_type": "94563-4", "test_name": "Chemiluminescence immunoassay", "result": "260373001",
            "sampled_at": "2025-02-27T08:30:00+01:00", "testing_centre": "Laboratorio Guadalquivir", "country": "AT",
        }),
    );
    assert_eq!(antibody.document, document(DocumentKind::NationalId, "ES", "X9988776R"));
    let report = sample("fhir/pcr-negative-report.json");
    assert_eq!(
        (report.claims["result"].as_str(), report.claims["country"].as_str()),
        (Some("260415000"), Some("HR"))
    );
}

#[test]
fn the_doctor_sends_vaccinations_and_recoveries() {
    let comirnaty = json!({
        "target": "840539006", "vaccine": "1119349007", "product": "EU/1/20/1528", "manufacturer": "ORG-100030215",
        "dose": 2, "doses_in_series": 2, "vaccinated_on": "2025-01-20", "country": "CZ",
    });
    says(
        "fhir/vaccination-comirnaty-2-of-2.json",
        "sars-cov-2-vaccination",
        comirnaty,
    );
    let janssen = json!({
        "target": "840539006", "vaccine": "1119305005", "product": "EU/1/20/1525", "manufacturer": "ORG-100001417",
        "dose": 1, "doses_in_series": 1, "vaccinated_on": "2025-01-10", "country": "SE",
    });
    let intake = says(
        "fhir/vaccination-janssen-1-of-1.json",
        "sars-cov-2-vaccination",
        janssen,
    );
    assert_eq!(intake.person.birth_date, "1964");
    let booster = json!({
        "target": "840539006", "vaccine": "1119349007", "product": "EU/1/20/1507", "manufacturer": "ORG-100031184",
        "dose": 3, "doses_in_series": 3, "vaccinated_on": "2025-02-11", "country": "AT",
    });
    let intake = says(
        "fhir/vaccination-booster-3-of-3.json",
        "sars-cov-2-vaccination",
        booster,
    );
    assert_eq!(intake.person.family_name_transliterated, "KONSTANTINOU");
    let recovery = json!({
        "target": "840539006", "first_positive_on": "2025-01-15", "valid_from": "2025-01-26", "valid_until": "2025-07-14", "country": "BE",
    });
    says("fhir/recovery.json", "sars-cov-2-recovery", recovery);
}

#[test]
fn a_positive_test_is_a_recovery_only_when_asked_for() {
    let categories = Categories::built_in();
    let text = std::fs::read_to_string(vectors().join("samples/fhir/pcr-positive.json")).unwrap();
    let recovery = id("sars-cov-2-recovery");
    let asked = Context {
        category: Some(&recovery),
        ..context(&categories)
    };
    let intake = intake::read(text.as_bytes(), &asked).unwrap();
    assert_eq!(intake.category, recovery);
    assert_eq!(intake.claims["valid_from"], "2025-03-12");
    let negative = std::fs::read_to_string(vectors().join("samples/fhir/pcr-negative.json")).unwrap();
    assert_eq!(
        intake::read(negative.as_bytes(), &asked).unwrap_err().issues[0].code,
        Code::UnknownCode
    );
    let vaccination = std::fs::read_to_string(vectors().join("samples/fhir/vaccination-janssen-1-of-1.json")).unwrap();
    let issue = &intake::read(vaccination.as_bytes(), &asked).unwrap_err().issues[0];
    assert_eq!(
        (issue.code, issue.location.as_str()),
        (Code::WrongCategory, "Bundle.entry[1].resource.vaccineCode")
    );
}

#[test]
fn names_in_two_scripts_keep_the_one_and_use_the_other() {
    let person = sample("fhir/pcr-negative-two-scripts.json").person;
    assert_eq!(
        (person.family_name.as_str(), person.given_name.as_str()),
        ("Христова", "Цветелина")
    );
    assert_eq!(person.family_name_transliterated, "HRISTOVA");
    assert_eq!(person.given_name_transliterated, "TSVETELINA");
    let plain = sample("claims/vaccination.json");
    assert_eq!(
        (
            plain.person.family_name.as_str(),
            plain.person.family_name_transliterated.as_str()
        ),
        ("山田", "YAMADA")
    );
    assert_eq!(plain.document, document(DocumentKind::Passport, "JP", "TZ1122334"));
}

#[test]
fn every_sample_reads_in_each_form() {
    let categories = Categories::built_in();
    let mut counts = Vec::new();
    for (folder, source) in [("fhir", Source::Fhir), ("dcc", Source::Dcc), ("claims", Source::Claims)] {
        let all = files(&format!("samples/{folder}"));
        counts.push(all.len());
        for (name, text) in all {
            let intake =
                intake::read(text.as_bytes(), &context(&categories)).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            assert_eq!(intake.source, source, "{name}");
            assert!(
                !format!("{intake:?}").contains(&intake.person.family_name) || intake.person.family_name.is_empty()
            );
        }
    }
    assert!(counts[0] >= 8 && counts[1] >= 8 && counts[2] == 5, "{counts:?}");
}

#[test]
fn every_reject_vector_is_refused_with_its_code_and_place() {
    let categories = Categories::built_in();
    let all = files("intake/reject");
    let mut seen = std::collections::BTreeSet::new();
    for (name, text) in &all {
        let vector: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(
            vector["comment"].as_str().is_some_and(|comment| !comment.is_empty()),
            "{name}"
        );
        let input = match (&vector["input"], &vector["repeat"]) {
            (Value::Null, repeat) => {
                let times = repeat["times"].as_u64().unwrap_or_else(|| panic!("{name}: no input"));
                repeat["text"].as_str().unwrap().repeat(usize::try_from(times).unwrap())
            }
            (Value::String(text), _) => text.clone(),
            (json, _) => json.to_string(),
        };
        let asked = vector["ask"].as_str().map(id);
        let context = Context {
            category: asked.as_ref(),
            ..context(&categories)
        };
        let rejection = match intake::read(input.as_bytes(), &context) {
            Ok(_) => panic!("{name}: taken"),
            Err(rejection) => rejection,
        };
        let issue = &rejection.issues[0];
        assert_eq!(issue.code.name(), vector["expect"]["code"], "{name}: {issue}");
        if let Some(location) = vector["expect"]["location"].as_str() {
            assert_eq!(issue.location, location, "{name}: {issue}");
        }
        assert!(!issue.message.is_empty() && !issue.next.is_empty(), "{name}");
        for personal in ["Achleitner", "Novák", "4711", "Hanna", "1987-05-14", "Berghe", "الراشد"] {
            assert!(
                !rejection
                    .issues
                    .iter()
                    .any(|issue| issue.to_string().contains(personal)),
                "{name}: {rejection:?}"
            );
        }
        seen.insert(issue.code.name());
    }
    assert!(all.len() >= 80, "{}", all.len());
    // A code that no vector shows is a code that nobody has seen.
    let unseen: Vec<_> = Code::ALL
        .iter()
        .map(|code| code.name())
        .filter(|code| !seen.contains(code))
        .collect();
    assert_eq!(unseen, [""; 0]);
}
