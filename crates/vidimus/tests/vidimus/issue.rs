//! Issuing under pressure: at the same time as a revocation, after a crash, on paper and beside it.

use crate::harness::{TestApp, airline, laboratory, result};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;
use vidimus_core::id::CertificateId;
use vidimus_credential::{
    check::Evidence,
    format::{self, Content},
};
use vidimus_store::{Scope, certificates, copies, status, testing::rows};

/// Whether every place of a certificate's copies is revoked; how many copies there are.
async fn revoked_places(app: &TestApp, certificate: &str) -> (usize, usize) {
    let id: CertificateId = certificate.parse().unwrap();
    app.app
        .store
        .read(move |tx| {
            let copies = copies::list_by_certificate(tx, &Scope::system(), id)?;
            let mut revoked = 0;
            for copy in &copies {
                revoked += usize::from(status::find(tx, copy.id)?.is_some_and(|entry| entry.status == status::REVOKED));
            }
            Ok::<_, vidimus_store::Error>((copies.len(), revoked))
        })
        .await
        .unwrap()
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer}: {value}"))
        .to_owned()
}

/// Copies that are asked for at once.
const AT_ONCE: usize = 6;

async fn copies_while_revoking(app: TestApp) {
    let app = Arc::new(app);
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let key = laboratory.key.clone();
    let (mut added, mut refused) = (0, 0);
    for round in 0..12 {
        let report = result(&format!("P20000{round:02}"));
        let made = app
            .post("/v1/results", Some(&key), &report)
            .await
            .expect(StatusCode::CREATED);
        let (certificate, of) = (text(&made, "/certificate"), text(&made, "/result"));
        let mut asked = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (app, key, path) = (app.clone(), key.clone(), format!("/v1/results/{of}/copies"));
            asked.spawn(async move { app.post(&path, Some(&key), &json!({"formats": ["hcert"]})).await });
        }
        // The revocation comes while none, one, two… of them are answered, and the others are wherever they are.
        let mut answers = Vec::new();
        while answers.len() < round % AT_ONCE {
            answers.push(asked.join_next().await.unwrap().unwrap());
        }
        let revoke = format!("/v1/certificates/{certificate}/revoke");
        let revoked = app.post(&revoke, Some(&key), &json!({"reason": "error"})).await;
        assert_eq!(revoked.status, StatusCode::OK, "{}", revoked.text());
        while let Some(answer) = asked.join_next().await {
            answers.push(answer.unwrap());
        }
        for answer in answers {
            match answer.status {
                StatusCode::CREATED => added += 1,
                // Not valid any more, or not found as a live one.
                StatusCode::CONFLICT | StatusCode::NOT_FOUND => refused += 1,
                _ => panic!("{}: {}", answer.status, answer.text()),
            }
        }
        let (all, revoked) = revoked_places(&app, &certificate).await;
        assert_eq!(
            revoked, all,
            "round {round}: a copy of a revoked certificate is in force"
        );
    }
    println!("copies while revoking: {added} added, {refused} refused");
    assert_eq!(added + refused, 12 * AT_ONCE);
    assert!(added >= 30, "two rounds each waited for none to five answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_copy_of_a_revoked_certificate_stays_in_force() {
    copies_while_revoking(TestApp::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_copy_of_a_revoked_certificate_stays_in_force_on_postgresql() {
    if let Some(app) = TestApp::postgres().await {
        copies_while_revoking(app).await;
    }
}

async fn left_behind(app: TestApp) {
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let key = Some(laboratory.key.as_str());
    let mut certificates_made = Vec::new();
    for (number, state) in [(1, "revoked"), (2, "replaced"), (3, "valid")] {
        let made = app
            .post("/v1/results", key, &result(&format!("P300000{number}")))
            .await
            .expect(StatusCode::CREATED);
        certificates_made.push((text(&made, "/certificate"), state));
    }
    // As an earlier version could leave them: the certificates moved on, their places did not.
    for (certificate, state) in &certificates_made {
        let (id, now): (CertificateId, _) = (certificate.parse().unwrap(), app.app.now());
        let state = *state;
        app.app
            .store
            .write(move |tx| {
                let scope = Scope::system();
                match state {
                    "revoked" => certificates::set_state(
                        tx,
                        &scope,
                        id,
                        certificates::State::Valid,
                        certificates::State::Revoked,
                        Some("fraud"),
                        now,
                    ),
                    "replaced" => certificates::replace(tx, &scope, id, id, now),
                    _ => Ok(true),
                }
            })
            .await
            .unwrap();
        assert_eq!(revoked_places(&app, certificate).await, (1, 0));
    }
    let before = app.get("/v1/status/1/token", None).await.text();
    assert_eq!(vidimus::app::status::repair(&app.app).await.unwrap(), 2);
    assert_eq!(
        vidimus::app::status::repair(&app.app).await.unwrap(),
        0,
        "nothing is left to repair"
    );
    for (certificate, state) in &certificates_made {
        assert_eq!(
            revoked_places(&app, certificate).await,
            (1, usize::from(*state != "valid")),
            "{state}"
        );
    }
    assert_ne!(
        app.get("/v1/status/1/token", None).await.text(),
        before,
        "the served list shows it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_earlier_versions_left_in_force_is_revoked_at_start() {
    left_behind(TestApp::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_earlier_versions_left_in_force_is_revoked_at_start_on_postgresql() {
    if let Some(app) = TestApp::postgres().await {
        left_behind(app).await;
    }
}

/// Puts all idempotency keys where a crash leaves them: at work, until so many seconds from now.
async fn crashed(app: &TestApp, seconds: i64) {
    let until = app.app.now().plus(seconds);
    let rows = app
        .app
        .store
        .write(move |tx| rows::leave_requests_at_work(tx, until))
        .await
        .unwrap();
    assert!(rows > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_crash_cut_short_is_taken_up_and_has_one_effect() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let lab = app.admit(&authority, &laboratory("Laboratory")).await;
    let send = async |path: &str, bearer: &str, key: &str, body: &Value| {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {bearer}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body.to_string()))
            .unwrap();
        app.send(request).await
    };
    let new_key = json!({"permissions": ["read"], "days": 1});
    for (path, bearer, body, count) in [
        ("/v1/results", &lab.key, result("P4000001"), "/v1/results"),
        (
            "/v1/participants",
            &authority,
            laboratory("Another"),
            "/v1/participants?role=issuer",
        ),
        ("/v1/api-keys", &authority, new_key, "/v1/api-keys"),
    ] {
        let key = format!("once{}", path.replace('/', "-"));
        let first = send(path, bearer, &key, &body).await.expect(StatusCode::CREATED);
        let there = app.get(count, Some(bearer)).await.expect(StatusCode::OK)["items"]
            .as_array()
            .unwrap()
            .len();
        // Somebody may still be at it: refused, and told when it is taken over.
        crashed(&app, 17).await;
        let answer = send(path, bearer, &key, &body).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        let seconds: i64 = answer.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((10..=17).contains(&seconds), "{seconds}");
        assert_eq!(answer.problem(), "in-progress");
        // Nobody is: the same answer, the same secret, and nothing is there twice.
        crashed(&app, -1).await;
        let again = send(path, bearer, &key, &body).await.expect(StatusCode::CREATED);
        for member in ["/certificate", "/participant/id", "/api_key", "/id", "/secret"] {
            assert_eq!(first.pointer(member), again.pointer(member), "{path} {member}");
        }
        assert_eq!(
            app.get(count, Some(bearer)).await.expect(StatusCode::OK)["items"]
                .as_array()
                .unwrap()
                .len(),
            there
        );
        let once_more = send(path, bearer, &key, &body).await.expect(StatusCode::CREATED);
        assert_eq!(again, once_more, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_carries_the_issuers_registered_name_and_its_evidence_is_given_to_who_holds_it() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let lab = app.admit(&authority, &laboratory("Labor Donauraum GmbH")).await;
    let gate = app.admit(&authority, &airline("Danube Air")).await;
    let mut report = result("P5000001");
    report["wait"] = json!(true);
    // Whoever reports cannot choose under whose name it is issued.
    report["claims"]["claims"]["issuer_name"] = json!("Somebody Else");
    let made = app
        .post("/v1/results", Some(&lab.key), &report)
        .await
        .expect(StatusCode::CREATED);
    let paper = format!("/v1/copies/{}/paper", text(&made, "/copies/0/id"));
    let copy = app.get(&format!("{paper}?form=text"), Some(&lab.key)).await.text();
    let parsed = format::parse(&copy).unwrap();
    let Content::Hcert(content) = &parsed.content else {
        panic!("no HCERT")
    };
    assert_eq!(content.dcc["t"][0]["is"], "Labor Donauraum GmbH");

    // The second code, drawn by the issuer; and the same for whoever has the first.
    let second = app
        .get(&format!("{paper}?form=text&code=evidence"), Some(&lab.key))
        .await
        .text();
    let evidence = Evidence::parse(&second).unwrap();
    let png = app
        .get(&format!("{paper}?form=png&code=evidence"), Some(&lab.key))
        .await;
    assert!(png.body.starts_with(b"\x89PNG"));
    let digest = parsed.digest(app.app.provider());
    let ask = json!({"digest": digest.to_string()});
    let given = app.post("/v1/evidence", None, &ask).await.expect(StatusCode::OK);
    assert_eq!(text(&given, "/text"), second);
    assert_eq!(given["receipt"], serde_json::to_value(&evidence.receipt).unwrap());
    let names: Vec<_> = given.as_object().unwrap().keys().collect();
    assert_eq!(names, ["salt", "receipt", "text"], "nothing about a person");
    let unknown = json!({"digest": "00".repeat(32)});
    assert_eq!(app.post("/v1/evidence", None, &unknown).await.problem(), "not-found");
    assert_eq!(
        app.post("/v1/evidence", None, &json!({"digest": "7"})).await.problem(),
        "digest"
    );

    // Checked with both, in one text or two; a wrong second code is not let pass although this server has the right one.
    let check = async |input: &str, evidence: Option<&str>| {
        let body = json!({"input": input, "evidence": evidence, "purpose": "boarding"});
        app.post("/v1/checks", Some(&gate.key), &body)
            .await
            .expect(StatusCode::OK)
    };
    let reason = |answer: &Value, test: &str| {
        let tests = answer["tests"].as_array().unwrap();
        tests
            .iter()
            .find(|found| found["test"] == test)
            .map(|found| text(found, "/reason"))
            .unwrap_or_default()
    };
    for answer in [
        check(&copy, Some(&second)).await,
        check(&format!("{second}\n{copy}"), None).await,
        check(&copy, None).await,
    ] {
        assert_eq!(
            (text(&answer, "/verdict"), reason(&answer, "receipt")),
            ("valid".into(), "receipt_ok".into())
        );
        assert_eq!(answer["accepted_without_evidence"], false);
    }
    let other = Evidence {
        salt: vidimus_core::Salt::from_bytes([9; 32]),
        ..evidence
    };
    let answer = check(&copy, Some(&other.to_text())).await;
    assert_eq!(
        (text(&answer, "/verdict"), reason(&answer, "integrity")),
        ("invalid".into(), "integrity_mismatch".into())
    );
    let answer = check(&copy, Some("VE1:nothing")).await;
    assert_eq!(reason(&answer, "syntax"), "evidence_malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_that_is_not_anchored_yet_is_accepted_only_by_the_verifiers_choice() {
    // Nothing is anchored within this test.
    let app = TestApp::slow_to_anchor().await;
    let authority = app.set_up().await;
    let lab = app.admit(&authority, &laboratory("Laboratory")).await;
    let gate = app.admit(&authority, &airline("Danube Air")).await;
    let made = app
        .post("/v1/results", Some(&lab.key), &result("P6000001"))
        .await
        .expect(StatusCode::CREATED);
    let paper = format!("/v1/copies/{}/paper", text(&made, "/copies/0/id"));
    let copy = app.get(&format!("{paper}?form=text"), Some(&lab.key)).await.text();
    let early = app.get(&format!("{paper}?code=evidence"), Some(&lab.key)).await;
    assert_eq!(early.problem(), "not-anchored");
    let check = async |accept: bool| {
        let body = json!({"input": copy, "accept_without_evidence": accept, "purpose": "boarding"});
        app.post("/v1/checks", Some(&gate.key), &body)
            .await
            .expect(StatusCode::OK)
    };
    let alone = check(false).await;
    assert_eq!(
        (text(&alone, "/verdict"), &alone["accepted_without_evidence"]),
        ("undetermined".into(), &json!(false))
    );
    let waived = check(true).await;
    assert_eq!(
        (text(&waived, "/verdict"), &waived["accepted_without_evidence"]),
        ("valid".into(), &json!(true))
    );
    let outcomes: Vec<_> = waived["tests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|test| test["outcome"] == "waived")
        .collect();
    assert_eq!(outcomes.len(), 2, "integrity and receipt: {waived}");
    app.post(
        &format!("/v1/certificates/{}/revoke", text(&made, "/certificate")),
        Some(&lab.key),
        &json!({"reason": "error"}),
    )
    .await
    .expect(StatusCode::OK);
    assert_eq!(text(&check(true).await, "/verdict"), "invalid");
}
