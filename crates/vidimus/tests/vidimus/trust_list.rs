//! Health certificates of others on the server: the airline brings the list of signers that it trusts.

use crate::harness::{Answer, Participant, TestApp, airline, laboratory};
use axum::http::StatusCode;
use serde_json::{Value, json};
use vidimus::clock::SystemClock;
use vidimus_core::{Algorithm, Provider, Signer, Timestamp, encoding::base64, id::CopyId, time::Clock};
use vidimus_credential::{CategoryId, Person, Statement, category::Categories, format::hcert};
use vidimus_crypto::{
    KeyKind, Native, OsEntropy, SigningKey,
    ca::{Authority, DocumentGroup, Subject, Validity},
};

const DAY: i64 = 86_400;

/// A document signer of another country.
struct Foreign {
    key: SigningKey,
    certificate: Vec<u8>,
}

fn now() -> Timestamp {
    SystemClock.now()
}

impl Foreign {
    fn of(group: DocumentGroup) -> Self {
        let entropy = &mut OsEntropy;
        let validity = Validity {
            not_before: now().plus(-30 * DAY),
            not_after: now().plus(300 * DAY),
        };
        let subject = |name: &str| Subject {
            common_name: name.to_owned(),
            organization: None,
            country: Some("FR".to_owned()),
        };
        let root = SigningKey::generate(KeyKind::P256, entropy);
        let authority = Authority::create(root, subject("Foreign root"), validity, entropy).unwrap();
        let key = SigningKey::generate(KeyKind::P256, entropy);
        let public = key.public_key().clone();
        let certificate = authority
            .issue_document_signer(&public, &subject("Foreign signer"), &[group], validity, now(), entropy)
            .unwrap();
        Self { key, certificate }
    }

    /// A negative test of today, by `key`, under this signer's `kid`.
    fn test(&self, key: &SigningKey) -> String {
        let categories = Categories::built_in();
        let id = CategoryId::new("sars-cov-2-naat").unwrap();
        let claims = json!({
            "target": "840539006", "test_type": "LP6464-4", "sampled_at": now().plus(-3_600).to_rfc3339(),
            "result": "260415000", "testing_centre": "Laboratoire de la Ville", "country": "FR", "issuer_name": "CNAM",
        });
        let statement = Statement {
            id: CopyId::generate(&mut OsEntropy),
            category: id.clone(),
            issuer: String::new(),
            issuer_country: "FR".to_owned(),
            holder: None,
            person: Person {
                family_name: "Lefèvre".to_owned(),
                given_name: "Anaïs".to_owned(),
                family_name_transliterated: "LEFEVRE".to_owned(),
                given_name_transliterated: "ANAIS".to_owned(),
                birth_date: "1991-07-14".to_owned(),
            },
            claims: claims.as_object().unwrap().clone(),
            issued_at: now().plus(-1_800),
            valid_from: now().plus(-3_600),
            valid_until: now().plus(DAY),
            status: None,
        };
        let content = hcert::Content {
            issuer_country: Some("FR".to_owned()),
            issued_at: statement.issued_at,
            expires_at: statement.valid_until,
            dcc: categories.category(&id).unwrap().to_dcc(&statement).unwrap(),
            status: None,
        };
        let kid = Native::new().sha256(&[&self.certificate]).0[..8].try_into().unwrap();
        let unsigned = hcert::prepare(&content, kid).unwrap();
        let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }

    /// A list with this signer alone, as the EU gateway writes it.
    fn list(&self) -> String {
        json!([{"certificateType": "DSC", "country": "FR", "rawData": base64(&self.certificate)}]).to_string()
    }
}

struct Gate {
    app: TestApp,
    airline: Participant,
    laboratory: Participant,
}

impl Gate {
    async fn with(more: &str) -> Self {
        let app = TestApp::with(more).await;
        let authority = app.set_up().await;
        Self {
            laboratory: app.admit(&authority, &laboratory("Laboratory")).await,
            airline: app.admit(&authority, &airline("Danube Air")).await,
            app,
        }
    }

    async fn ask(&self, copy: &str, more: &Value) -> Answer {
        let mut body = json!({"input": copy, "purpose": "boarding"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.app.post("/v1/checks", Some(&self.airline.key), &body).await
    }

    /// Its verdict is this, and one of its tests gave this reason.
    async fn says(&self, copy: &str, more: Value, verdict: &str, reason: &str) -> Value {
        let answer = self.ask(copy, &more).await.expect(StatusCode::OK);
        assert_eq!(answer["verdict"], verdict, "{answer}");
        let mut tests = answer["tests"].as_array().unwrap().iter();
        assert!(tests.any(|test| test["reason"] == reason), "{reason}: {answer}");
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_airline_checks_certificates_of_others_against_signers_that_it_names() {
    let gate = Gate::with("").await;
    let (foreign, other) = (Foreign::of(DocumentGroup::Test), Foreign::of(DocumentGroup::Test));
    let copy = foreign.test(&foreign.key);
    let list = |of: &Foreign| json!({"trust_list": of.list()});

    let answer = gate.says(&copy, list(&foreign), "valid", "issuer_trusted").await;
    assert_eq!(
        answer["attributes"],
        json!({"family_name": "Lefèvre"}),
        "what it is admitted for"
    );
    assert_eq!(
        (&answer["trust_list"]["signers"], &answer["trust_list"]["age"]),
        (&json!(1), &json!(0))
    );
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        base64(&foreign.certificate)
    );
    gate.says(&copy, json!({"trust_list": pem}), "valid", "issuer_trusted")
        .await;

    // Forged: another key under the listed signer's kid; a signer that is not in the list; no list at all; a signer of something else.
    let forged = foreign.test(&other.key);
    let refused = gate.says(&forged, list(&foreign), "invalid", "signature_invalid").await;
    assert_eq!(refused["attributes"], json!({}));
    gate.says(&copy, list(&other), "invalid", "key_unknown").await;
    let alone = gate.says(&copy, json!({}), "invalid", "key_unknown").await;
    assert_eq!(alone.get("trust_list"), None);
    let vaccinator = Foreign::of(DocumentGroup::Vaccination);
    let beyond = vaccinator.test(&vaccinator.key);
    gate.says(&beyond, list(&vaccinator), "invalid", "key_usage").await;

    // An old list does not say valid; one from the future is of now.
    let fetched = |at: Timestamp| json!({"trust_list": foreign.list(), "trust_list_read_at": at.to_rfc3339()});
    let old = fetched(now().plus(-8 * DAY));
    gate.says(&copy, old, "undetermined", "registry_stale").await;
    let future = gate
        .says(&copy, fetched(now().plus(DAY)), "valid", "issuer_trusted")
        .await;
    assert_eq!(future["trust_list"]["age"], 0);

    // The deployment's own issuers stay what the registry says of them, whatever list comes along.
    let own = gate
        .app
        .post(
            "/v1/results",
            Some(&gate.laboratory.key),
            &crate::harness::result("P7000001"),
        )
        .await
        .expect(StatusCode::CREATED);
    let paper = format!(
        "/v1/copies/{}/paper?form=text",
        own["copies"][0]["id"].as_str().unwrap()
    );
    let paper = gate.app.get(&paper, Some(&gate.laboratory.key)).await.text();
    let own = json!({"trust_list": foreign.list(), "accept_without_evidence": true});
    gate.says(&paper, own, "valid", "issuer_ok").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_none_or_too_large_is_refused() {
    let gate = Gate::with("[server.limits]\ntrust_list_bytes = 4096\n").await;
    let foreign = Foreign::of(DocumentGroup::Test);
    let copy = foreign.test(&foreign.key);
    let at = |time: &str| json!({"trust_list": foreign.list(), "trust_list_read_at": time});
    let list = |text: &str| json!({ "trust_list": text });
    for (more, place) in [
        (list("nonsense"), "/trust_list: not a trust list"),
        (list("[]"), "/trust_list: the trust list holds no certificate"),
        (list(&" ".repeat(4097)), "/trust_list: larger than 4096 bytes"),
        (at("yesterday"), "/trust_list_read_at: not a time"),
    ] {
        let answer = gate.ask(&copy, &more).await;
        assert_eq!(answer.problem(), "trust-list");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(place), "{place:?} is not in: {detail}");
    }
    let large = gate.ask(&copy, &list(&" ".repeat(2 << 20))).await;
    assert_eq!(large.problem(), "too-large");
    assert!(gate.ask(&copy, &list(&foreign.list())).await.expect(StatusCode::OK)["verdict"] == "valid");
}
