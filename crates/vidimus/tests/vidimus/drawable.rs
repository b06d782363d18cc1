//! What is issued as a health certificate can be drawn: what is too long is refused before anything of it is kept.

use crate::{
    harness::{Participant, TestApp, laboratory, result},
    holder::Holder,
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use vidimus_store::testing::rows;

/// So many letters in no order: what compresses worst.
fn letters(of: &str, count: usize) -> String {
    let of: Vec<char> = of.chars().collect();
    let mut place = count;
    let mut next = |_| {
        place = place * 75 % 65_537;
        of[place % of.len()]
    };
    (0..count).map(&mut next).collect()
}

/// Greek letters that are one letter each in a machine-readable zone.
const GREEK: &str = "ΑΒΓΔΕΖΛΝΡΣΤΧάβγδέζήίλνρστύώ";
const OLD_GREEK: &str = "ἀἁἂἃἄἅἆἇἈἉἊἋἌἍἎἏἐἑἒἓἔἕἘἙἚἛἜἝἠἡἢἣἤἥἦἧἨἩἪἫἬἭἮἯἰἱἲἳἴἵἶἷἸἹἺἻἼἽἾἿὀὁὂὃὄὅὈὉὊὋὌὍὐὑὒὓὔὕὖὗὙὛὝὟ";

/// A report of a person with long names, tested at a place with this name.
fn long(passport: &str, centre: &str) -> Value {
    let mut report = result(passport);
    let name = |of: usize| letters(GREEK, of).replace('Χ', "Ρ");
    let person = &mut report["claims"]["person"];
    (person["family_name"], person["given_name"]) = (json!(name(80)), json!(name(78)));
    let claims = &mut report["claims"]["claims"];
    (claims["test_name"], claims["testing_centre"]) = (json!(centre), json!(centre.chars().rev().collect::<String>()));
    report
}

async fn kept(app: &TestApp) -> [u64; 5] {
    app.app.store.read(rows::of_reports).await.unwrap()
}

async fn refused(app: &TestApp, laboratory: &Participant, path: &str, body: &Value) {
    let before = kept(app).await;
    let answer = app.post(path, Some(&laboratory.key), body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text());
    let next = answer.json()["next"].as_str().unwrap().to_owned();
    assert!(next.contains("shorten") && next.contains("without `hcert`"), "{next}");
    assert!(
        !answer.text().contains('Λ') && !answer.text().contains('ἀ'),
        "names nobody"
    );
    assert_eq!(answer.problem(), "not-renderable");
    assert_eq!(kept(app).await, before, "nothing is left of what was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_certificate_that_no_code_holds_is_refused_and_nothing_is_left_of_it() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let centre = letters(OLD_GREEK, 80);
    let laboratory_of = laboratory(&letters(OLD_GREEK, 64));
    let mut own_keys = laboratory("Own keys");
    own_keys["card"] = json!(Holder::new().card);
    let own = app.admit(&authority, &own_keys).await;
    let laboratory = app.admit(&authority, &laboratory_of).await;
    let traveller = Holder::new();
    for (place, issuer) in [&laboratory, &own].into_iter().enumerate() {
        // Asked for, or not: paper alone, and beside what is sealed.
        let mut report = long(&format!("P710000{place}"), &centre);
        refused(&app, issuer, "/v1/results", &report).await;
        report.as_object_mut().unwrap().remove("formats");
        refused(&app, issuer, "/v1/results", &report).await;
        report["card"] = json!(traveller.card);
        refused(&app, issuer, "/v1/results", &report).await;
        report["formats"] = json!(["vc-jwt-1.1"]);
        let made = app
            .post("/v1/results", Some(&issuer.key), &report)
            .await
            .expect(StatusCode::CREATED);
        let more = format!("/v1/results/{}/copies", made["result"].as_str().unwrap());
        refused(&app, issuer, &more, &json!({"formats": ["hcert"]})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_health_certificate_that_is_issued_is_drawn() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let key = Some(laboratory.key.as_str());
    let mut lengths = Vec::new();
    for (place, report) in [result("P7200000"), long("P7200001", &letters(GREEK, 12))]
        .iter()
        .enumerate()
    {
        let made = app.post("/v1/results", key, report).await.expect(StatusCode::CREATED);
        let more = format!("/v1/results/{}/copies", made["result"].as_str().unwrap());
        let made = app
            .post(&more, key, &json!({"formats": ["hcert"]}))
            .await
            .expect(StatusCode::CREATED);
        for copy in made["copies"].as_array().unwrap() {
            let paper = format!("/v1/copies/{}/paper", copy["id"].as_str().unwrap());
            lengths.push(app.get(&format!("{paper}?form=text"), key).await.text().len());
            for (form, begins) in [("svg", &b"<?xml"[..]), ("png", b"\x89PNG")] {
                let drawn = app.get(&format!("{paper}?form={form}"), key).await;
                assert_eq!(drawn.status, StatusCode::OK, "{place}: {}", drawn.text());
                assert!(drawn.body.starts_with(begins));
            }
        }
    }
    println!("{lengths:?} characters");
    assert!(lengths[..2].iter().all(|length| *length < 970));
    assert!(
        lengths[2..].iter().all(|length| (971..=1_249).contains(length)),
        "at the lowest level: {lengths:?}"
    );
}
