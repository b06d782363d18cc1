//! A kind of certificate that a deployment adds by two files: reported, issued, checked here and at a gate without a network.

use crate::{
    harness::{Answer, Participant, TestApp, configuration, initialise, laboratory},
    holder::Holder,
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use vidimus::{
    app::{App, checks, copies::SEAL_INFO},
    clock::SystemClock,
    config::Config,
};
use vidimus_core::{Algorithm, Signer, time::Clock};
use vidimus_credential::{
    check::{self, Bundle, Context, Envelope, Expected, Verdict},
    presentation::Draft,
};
use vidimus_crypto::{Native, envelope};

pub const CATEGORY: &str = include_str!("../../../../vectors/samples/categories/yellow-fever-vaccination.json");
pub const VALUE_SET: &str = include_str!("../../../../vectors/samples/value-sets/yellow-fever-vaccine.json");
pub const FHIR: &str = include_str!("../../../../vectors/samples/fhir-added/yellow-fever-vaccination.json");

/// A deployment made in `directory`, with these files in its `categories_dir`.
async fn made(directory: &Path, files: &[(&str, &str)]) -> Config {
    let mut config = configuration(directory, "");
    let categories = directory.join("categories");
    std::fs::create_dir(&categories).unwrap();
    for (name, text) in files {
        std::fs::write(categories.join(name), text).unwrap();
    }
    config.categories_dir = Some(categories);
    initialise(&config).await;
    config
}

struct Scene {
    app: TestApp,
    clinic: Participant,
    airline: Participant,
    traveller: Holder,
}

impl Scene {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        // The category's name comes first: the order of files does not matter.
        let config = made(directory.path(), &[("a.json", CATEGORY), ("b.json", VALUE_SET)]).await;
        let app = TestApp::opened(directory, config, Arc::new(SystemClock)).await;
        let authority = app.set_up().await;
        let mut clinic = laboratory("Travel clinic");
        clinic["categories"] = json!(["yellow-fever-vaccination"]);
        let airline = json!({
            "role": "verifier", "name": "Danube Air", "country": "AT",
            "attributes": ["family_name", "vaccinated_on"], "purposes": ["boarding"],
        });
        Self {
            clinic: app.admit(&authority, &clinic).await,
            airline: app.admit(&authority, &airline).await,
            traveller: Holder::new(),
            app,
        }
    }

    async fn report(&self, fhir: &str) -> Answer {
        let body = json!({
            "fhir": serde_json::from_str::<Value>(fhir).unwrap(), "card": self.traveller.card,
            "formats": ["vc-jwt-1.1"], "wait": true,
        });
        self.app.post("/v1/results", Some(&self.clinic.key), &body).await
    }

    /// The traveller's copy, opened, with its receipt.
    async fn received(&self, issued: &Value) -> Envelope {
        let content = issued["copies"][0]["content_id"].as_str().unwrap();
        let sealed = self.app.get(&format!("/ipfs/{content}?format=raw"), None).await.body;
        let opened = envelope::open(&self.traveller.sealing, SEAL_INFO, &[], &sealed).unwrap();
        // It was sealed before it was anchored.
        let receipt = format!("/v1/receipts/{}", issued["copies"][0]["commitment"].as_str().unwrap());
        let receipt = self.app.get(&receipt, None).await.expect(StatusCode::OK);
        Envelope {
            receipt: Some(serde_json::from_value(receipt).unwrap()),
            ..serde_json::from_slice(opened.expose()).unwrap()
        }
    }

    /// What the airline asks.
    async fn asked(&self) -> Expected {
        let asked = self
            .app
            .post(
                "/v1/presentation-requests",
                Some(&self.airline.key),
                &json!({"purpose": "boarding"}),
            )
            .await
            .expect(StatusCode::CREATED);
        let text = |name: &str| asked[name].as_str().unwrap().to_owned();
        Expected {
            nonce: text("nonce"),
            audience: text("audience"),
            purpose: Some(text("purpose")),
        }
    }

    fn shown(&self, envelope: &Envelope, asked: &Expected) -> String {
        let account = &self.traveller.account;
        let did = account.public_key().address(&Native::new()).unwrap();
        let now = SystemClock.now();
        let draft = Draft {
            holder: &format!("did:ethr:0x56494d:{did}"),
            audience: &asked.audience,
            nonce: &asked.nonce,
            purpose: asked.purpose.as_deref(),
            issued_at: now,
            expires_at: now.plus(60),
            envelopes: std::slice::from_ref(envelope),
            card: None,
        };
        let unsigned = draft.prepare(Algorithm::Es256k);
        let signature = account.sign(Algorithm::Es256k, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clinic_issues_a_kind_of_certificate_that_two_files_added_and_airline_and_gate_check_it() {
    let scene = Scene::new().await;
    let (app, airline) = (&scene.app, Some(scene.airline.key.as_str()));
    let listed = app.get("/v1/categories/yellow-fever-vaccination", None).await;
    assert_eq!(listed.expect(StatusCode::OK)["title"], "Yellow fever vaccination");

    // A code outside the added value set is refused where it stands.
    let unknown = FHIR.replace("\"183\"", "\"37\"");
    let refused = scene.report(&unknown).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text());
    let issued = scene.report(FHIR).await.expect(StatusCode::CREATED);
    let copy = scene.received(&issued).await;

    let asked = scene.asked().await;
    let body = json!({"input": scene.shown(&copy, &asked), "purpose": "boarding"});
    let online = app.post("/v1/checks", airline, &body).await.expect(StatusCode::OK);
    assert_eq!(online["verdict"], "valid", "{online}");
    assert_eq!(
        (&online["category"], &online["attributes"]),
        (
            &json!("yellow-fever-vaccination"),
            &json!({"family_name": "Nakagawa", "vaccinated_on": "2025-02-01"})
        )
    );

    // The gate knows the kind by the bundle alone.
    let text = app.get("/v1/bundle", None).await.text();
    let (native, now) = (Native::new(), SystemClock.now());
    let bundle = Bundle::open(&text, &app.app.roots, &native, now, None)
        .unwrap()
        .into_inner();
    let asked = scene.asked().await;
    let context = Context {
        now,
        provider: &native,
        categories: &bundle.categories,
        registry: Some(&bundle.issuers),
        status: &bundle.status,
        roots: Some(&bundle.roots),
        trust: None,
        policy: checks::policy(&app.app),
        expected: Some(&asked),
    };
    let report = check::check_bytes(scene.shown(&copy, &asked).as_bytes(), &context);
    assert_eq!(report.verdict, Verdict::Valid, "{:?}", report.reasons());
    let (id, _) = report.category.zip(report.certificate).unwrap();
    let category = bundle.categories.category(&id).unwrap();
    let (_, set) = category.value_sets().find(|(claim, _)| *claim == "/product").unwrap();
    assert_eq!(set.concepts["STAMARIL"].text("en"), "Stamaril (Sanofi Pasteur)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_does_not_start_on_files_that_do_not_fit() {
    let elsewhere = VALUE_SET.replace("\"yellow-fever-vaccine\"", "\"other\"");
    let cut = &CATEGORY[..400];
    for (files, said) in [
        (
            vec![("a.json", CATEGORY)],
            "/a.json: /value_sets/~1product: there is no value set yellow-fever-vaccine; add",
        ),
        (
            vec![("a.json", CATEGORY), ("b.json", &elsewhere)],
            "/a.json: /value_sets/~1product: there is no value set",
        ),
        (
            vec![("a.json", VALUE_SET), ("b.json", VALUE_SET)],
            "/b.json: /id: yellow-fever-vaccine is the id of",
        ),
        (vec![("a.json", "{\"issuer\": 7}")], "/a.json: /: neither a category"),
        (vec![("a.json", cut)], "/a.json: /: not valid JSON"),
    ] {
        let directory = TempDir::new().unwrap();
        let config = made(directory.path(), &files).await;
        let refusal = App::open(Arc::new(config), Arc::new(SystemClock)).await.unwrap_err();
        assert!(refusal.to_string().contains(said), "{said:?} is not in: {refusal}");
    }
}
