//! Who lost a wallet claims again by an identity service: the service names the document by which the laboratory reported them.

use super::traveller::{Page, Traveller, Wallet, form, path};
use crate::{
    harness::{Answer, Participant, TestApp, configuration, initialise, laboratory, result},
    receiver::{Received, Receiver},
};
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use vidimus::{app::wallets::attest, clock::SystemClock};
use vidimus_core::{
    Algorithm, Signer,
    encoding::{base64, base64url},
    time::Clock as _,
};
use vidimus_credential::jws::Unsigned;
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};
use vidimus_openid4vc::oauth::{Form, Opaque, pkce};

const CONFIGURATION: &str = "sars-cov-2-naat.dc+sd-jwt";
const ISSUER: &str = "https://id.example";
const BORN: &str = "1998-02-26";
const SECRET: &str = "a secret & more";

/// What the service was asked for at its authorization endpoint, by code.
type Codes = Arc<Mutex<HashMap<String, Form>>>;

/// An OpenID provider that has just identified somebody by a document.
struct Service {
    codes: Codes,
    /// The documents and the date of birth that it has of the person.
    person: Arc<Mutex<(Value, &'static str)>>,
    receiver: Receiver,
}

fn passport(number: &str) -> Value {
    json!([{
        "type": "document",
        "document_details": {"type": "passport", "document_number": number, "issuer": {"country_code": "AUT"}},
    }])
}

impl Service {
    async fn start(key: SigningKey) -> Self {
        let (codes, person) = (Codes::default(), Arc::new(Mutex::new((passport("p 123 4567"), BORN))));
        let (kept, says) = (codes.clone(), person.clone());
        let answer = move |_: &str, received: &Received| token(&key, &kept, &says.lock().unwrap(), received);
        Self {
            codes,
            person,
            receiver: Receiver::plain(answer).await,
        }
    }

    /// The person is with it, and comes back with its code.
    fn identify(&self, location: &str) -> String {
        let query = location
            .strip_prefix(&format!("http://127.0.0.1:{}/authorize?", self.receiver.port))
            .unwrap_or_else(|| panic!("{location}"));
        let asked = Form::parse(query.as_bytes()).unwrap();
        assert!(asked.get("claims").unwrap().contains("document_number"));
        let code = Opaque::generate(&mut OsEntropy).expose().to_owned();
        let back = Form::new()
            .with("code", &code)
            .with("state", asked.get("state").unwrap())
            .with("iss", ISSUER);
        let returned = format!("{}?{}", asked.get("redirect_uri").unwrap(), back.encode());
        self.codes.lock().unwrap().insert(code, asked);
        returned
    }
}

/// The token endpoint: a code counts once, for the client that has its secret and the verifier of the challenge.
fn token(key: &SigningKey, codes: &Codes, person: &(Value, &'static str), received: &Received) -> Response {
    let (documents, born) = person;
    let form = Form::parse(&received.body).unwrap();
    let asked = form.get("code").and_then(|code| codes.lock().unwrap().remove(code));
    let verifier = form.get("code_verifier").map(Opaque::new);
    let basic = format!("Basic {}", base64(b"vidimus:a+secret+%26+more"));
    let (Some(asked), Some(verifier)) = (asked, verifier) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let challenge = pkce::Challenge::parse(asked.get("code_challenge").unwrap()).unwrap();
    let fits = challenge.matches(&verifier, &Native::new())
        && received.path == "/token"
        && received.header("authorization") == basic
        && form.get("redirect_uri") == asked.get("redirect_uri");
    if !fits {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let now = SystemClock.now();
    let claims = json!({
        "iss": ISSUER, "sub": "someone", "aud": "vidimus", "nonce": asked.get("nonce"), "iat": now.0, "exp": now.0 + 60,
        "auth_time": now.0 - 5,
        "verified_claims": {
            "verification": {"trust_framework": "eidas", "evidence": documents},
            "claims": {"birthdate": born},
        },
    });
    let Value::Object(header) = json!({"alg": "ES256", "kid": "k"}) else {
        unreachable!()
    };
    let unsigned = Unsigned::new(&header, claims.to_string().as_bytes());
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    let id_token = unsigned.finish(&signature);
    Json(json!({"access_token": "a", "token_type": "Bearer", "id_token": id_token})).into_response()
}

struct Setting {
    app: TestApp,
    service: Service,
    laboratory: Participant,
    reported: Value,
}

async fn setting() -> Setting {
    let directory = TempDir::new().unwrap();
    let key = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let mut jwk = key.public_key().to_jwk().unwrap();
    jwk["kid"] = "k".into();
    let trusted = directory.path().join("trusted/identity");
    std::fs::create_dir_all(&trusted).unwrap();
    std::fs::write(trusted.join("id.json"), json!({"keys": [jwk]}).to_string()).unwrap();
    let service = Service::start(key).await;
    let port = service.receiver.port;
    let more = format!(
        "[outside]\nloopback = true\n[trust]\ndirectory = {:?}\n[identity]\nname = \"ID & Co\"\nissuer = \"{ISSUER}\"\n\
         authorization_endpoint = \"http://127.0.0.1:{port}/authorize\"\ntoken_endpoint = \"http://127.0.0.1:{port}/token\"\n\
         client_id = \"vidimus\"\nclient_secret = \"{SECRET}\"\ntrust_framework = \"eidas\"\n\
         [wallets]\nredirects = [\"{} https://wallet.example/back\"]\n",
        directory.path().join("trusted"),
        attest::CLIENT,
    );
    let config = configuration(directory.path(), &more);
    initialise(&config).await;
    let app = TestApp::opened(directory, config, Arc::new(SystemClock)).await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Labor Donauraum")).await;
    let reported = app
        .post("/v1/results", Some(&laboratory.key), &result("P1234567"))
        .await
        .expect(StatusCode::CREATED);
    Setting {
        app,
        service,
        laboratory,
        reported,
    }
}

impl Setting {
    async fn page(&self, wallet: &Wallet, traveller: &Traveller) -> Page {
        let pushed = wallet
            .push(&self.app, traveller, &json!({}))
            .await
            .expect(StatusCode::CREATED);
        let page = wallet.page(&self.app, pushed["request_uri"].as_str().unwrap()).await;
        let text = page.text();
        assert_eq!(page.status, StatusCode::OK, "{text}");
        assert!(text.contains("Show who you are with ID &amp; Co"), "{text}");
        assert!(!text.contains("Mail address"), "the laboratory sends no codes: {text}");
        Page::of(&page)
    }

    /// From the page to the service.
    async fn leave(&self, wallet: &Wallet, page: &Page) -> String {
        let away = wallet.answer_page(&self.app, page, &[("identity", "yes")]).await;
        assert_eq!(away.status, StatusCode::SEE_OTHER, "{}", away.text());
        away.headers["location"].to_str().unwrap().to_owned()
    }

    /// Back from it: the browser sends no cookie, the page has the code.
    async fn back(&self, returned: &str, page: &Page) -> String {
        let shown = self.app.get(&path(&self.app, returned), None).await;
        let text = shown.text();
        assert_eq!(shown.status, StatusCode::OK, "{text}");
        assert_eq!(form(&shown), page.form);
        assert!(
            shown.headers.get("set-cookie").is_none() && shown.headers.get("access-control-allow-origin").is_none()
        );
        let (_, rest) = text
            .split_once("name=\"identity_code\" value=\"")
            .unwrap_or_else(|| panic!("{text}"));
        rest.split('"').next().unwrap().to_owned()
    }

    /// All of it, up to what the person's last step gives.
    async fn identify(&self, wallet: &Wallet, page: &Page, more: &[(&str, &str)]) -> Answer {
        let returned = self.service.identify(&self.leave(wallet, page).await);
        let code = self.back(&returned, page).await;
        let mut fields = vec![("identity_code", code.as_str())];
        fields.extend_from_slice(more);
        wallet.answer_page(&self.app, page, &fields).await
    }

    async fn claim(&self, traveller: &Traveller, more: &[(&str, &str)]) -> Value {
        let wallet = Wallet::of_issuer(&self.app, &self.laboratory.id);
        let page = self.page(&wallet, traveller).await;
        let back = self.identify(&wallet, &page, more).await;
        assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.text());
        let location = back.headers["location"].to_str().unwrap();
        let tokens = wallet
            .redeem(&self.app, traveller, location)
            .await
            .expect(StatusCode::OK);
        let claimed = wallet.claim(&self.app, traveller, &tokens, CONFIGURATION, 1).await;
        claimed.expect(StatusCode::OK);
        tokens
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_traveller_whom_an_identity_service_knows_has_copies_again() {
    let setting = setting().await;
    let wallet = Wallet::of_issuer(&setting.app, &setting.laboratory.id);
    let (old, new) = (Traveller::new(), Traveller::new());
    let first = setting.claim(&old, &[]).await;
    setting.claim(&new, &[("lost", "yes")]).await;
    let over = wallet.refresh(&setting.app, &old, &first).await;
    assert_eq!(
        over.json()["error"],
        "invalid_grant",
        "the lost wallet gets nothing more"
    );

    // What the service was told names nobody, and its secret went nowhere else.
    for request in setting.service.receiver.requests() {
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        assert!(!body.contains("1234567") && !body.contains("secret"), "{body}");
    }

    // Somebody whom the laboratory does not know, a document of another kind, another date of birth, and a certificate that is over: told, and free to try otherwise.
    let certificate = setting.reported["certificate"].as_str().unwrap().to_owned();
    let card = json!([{"type": "document", "document_details": {"type": "idcard", "document_number": "P1234567", "issuer": {"country_code": "AUT"}}}]);
    for (person, over) in [
        ((passport("P7654321"), BORN), false),
        ((card, BORN), false),
        // The laboratory mistyped a number, which is somebody else's.
        ((passport("P1234567"), "1971-01-01"), false),
        ((passport("P1234567"), BORN), true),
    ] {
        if over {
            let path = format!("/v1/certificates/{certificate}/revoke");
            let body = json!({"reason": "wrong-result"});
            setting
                .app
                .post(&path, Some(&setting.laboratory.key), &body)
                .await
                .expect(StatusCode::OK);
        }
        *setting.service.person.lock().unwrap() = person;
        let page = setting.page(&wallet, &new).await;
        let told = setting.identify(&wallet, &page, &[]).await;
        let text = told.text();
        assert_eq!(told.status, StatusCode::OK, "{text}");
        assert!(
            text.contains("no valid certificate of yours") && text.contains("Show who you are"),
            "{text}"
        );
    }
}

/// What the service says in another session, or to another client, is nothing here.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_identity_service_says_counts_for_one_page() {
    let setting = setting().await;
    let (app, service) = (&setting.app, &setting.service);
    let (traveller, wallet) = (
        Traveller::new(),
        Wallet::of_issuer(&setting.app, &setting.laboratory.id),
    );
    let (page, other) = (
        setting.page(&wallet, &traveller).await,
        setting.page(&wallet, &traveller).await,
    );
    let returned = service.identify(&setting.leave(&wallet, &page).await);
    let code = setting.back(&returned, &page).await;

    // Brought to another page: PKCE's verifier is that page's. To the right page in another browser: it has no cookie for it.
    let crossed = wallet.answer_page(app, &other, &[("identity_code", &code)]).await;
    assert!(crossed.text().contains("did not say who you are"), "{}", crossed.text());
    let stolen = Page {
        cookie: other.cookie.clone(),
        form: page.form.clone(),
    };
    let refused = wallet.answer_page(app, &stolen, &[("identity_code", &code)]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    // The code is used up by now.
    let again = wallet.answer_page(app, &page, &[("identity_code", &code)]).await;
    assert!(again.text().contains("did not say who you are"), "{}", again.text());

    // A person who declined there, an answer of another service, and states that nobody here made.
    let state = Form::parse(returned.split_once('?').unwrap().1.as_bytes()).unwrap();
    let state = state.get("state").unwrap().to_owned();
    let at = |query: Form| format!("/identity-return?{}", query.encode());
    let declined = app
        .get(
            &at(Form::new().with("error", "access_denied").with("state", &state)),
            None,
        )
        .await;
    assert!(
        declined.text().contains("did not say who you are"),
        "{}",
        declined.text()
    );
    let mixed = Form::new()
        .with("code", "c")
        .with("state", &state)
        .with("iss", "https://other.example");
    let altered = format!(
        "{}{}",
        &state[..state.len() - 2],
        if state.ends_with("AA") { "BA" } else { "AA" }
    );
    let unknown = base64url(&[7; 48]);
    for query in [
        mixed,
        Form::new().with("code", "c").with("state", &altered),
        Form::new().with("code", "c").with("state", &unknown),
        Form::new().with("code", "c").with("state", "x"),
        Form::new().with("code", "c"),
    ] {
        let over = app.get(&at(query), None).await;
        assert_eq!(over.status, StatusCode::BAD_REQUEST);
        assert!(over.text().contains("no longer valid"), "{}", over.text());
    }

    // Codes that the service does not know are tried five times with it; then the page is over.
    let before = service.receiver.requests().len();
    for _ in 0..3 {
        let wrong = wallet.answer_page(app, &page, &[("identity_code", "made-up")]).await;
        assert_eq!(wrong.status, StatusCode::OK);
    }
    let last = wallet.answer_page(app, &page, &[("identity_code", "made-up")]).await;
    assert_eq!(last.status, StatusCode::SEE_OTHER, "{}", last.text());
    assert!(
        last.headers["location"]
            .to_str()
            .unwrap()
            .contains("error=access_denied")
    );
    let over = wallet.answer_page(app, &page, &[("identity_code", "made-up")]).await;
    assert_eq!(over.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        service.receiver.requests().len(),
        before + 4,
        "and the service is left in peace"
    );
    let late = app.get(&path(app, &returned), None).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
}

/// What was typed into the page before does not count for who is identified.
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_was_typed_before_narrows_nothing() {
    let setting = setting().await;
    let (app, laboratory) = (&setting.app, &setting.laboratory);
    // Now the laboratory can send codes, so that the page asks for a contact too.
    let hook = json!({"url": format!("http://127.0.0.1:{}/sms", setting.service.receiver.port), "purpose": "codes"});
    app.post("/v1/webhooks", Some(&laboratory.key), &hook)
        .await
        .expect(StatusCode::CREATED);
    let wallet = Wallet::of_issuer(app, &laboratory.id);
    let come = async |traveller: &Traveller| {
        let pushed = wallet
            .push(app, traveller, &json!({}))
            .await
            .expect(StatusCode::CREATED);
        Page::of(&wallet.page(app, pushed["request_uri"].as_str().unwrap()).await)
    };
    let redeem = async |traveller: &Traveller, back: Answer| {
        assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.text());
        let location = back.headers["location"].to_str().unwrap().to_owned();
        wallet.redeem(app, traveller, &location).await.expect(StatusCode::OK)
    };
    let (old, new) = (Traveller::new(), Traveller::new());
    let page = come(&old).await;
    let first = redeem(&old, setting.identify(&wallet, &page, &[]).await).await;

    let page = come(&new).await;
    let fields = [("contact", "wrong@example.org"), ("birth_date", BORN)];
    let asked = wallet.answer_page(app, &page, &fields).await;
    assert!(asked.text().contains("a code is on its way"), "{}", asked.text());
    // A service that failed for the moment leads back to where the person was.
    let failed = wallet.answer_page(app, &page, &[("identity_code", "made-up")]).await;
    assert!(failed.text().contains("a code is on its way"), "{}", failed.text());
    let tokens = redeem(&new, setting.identify(&wallet, &page, &[("lost", "yes")]).await).await;
    let claimed = wallet.claim(app, &new, &tokens, CONFIGURATION, 1).await;
    claimed.expect(StatusCode::OK);
    let over = wallet.refresh(app, &old, &first).await;
    assert_eq!(
        over.json()["error"],
        "invalid_grant",
        "the lost wallet gets nothing more"
    );
}
