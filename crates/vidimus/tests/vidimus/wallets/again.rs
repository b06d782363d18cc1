//! Who lost a wallet claims again: the laboratory is not asked, and nobody learns whom it knows.

use super::traveller::{Page, Traveller, Wallet};
use crate::{
    harness::{Answer, Later, Participant, TestApp, configuration, initialise, laboratory, result},
    receiver::Receiver,
};
use axum::{http::StatusCode, response::IntoResponse};
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;
use vidimus::config::{Config, Database};
use vidimus_openid4vc::oauth::Form;

const CONFIGURATION: &str = "sars-cov-2-naat.dc+sd-jwt";
const CONTACT: &str = "+436641234567";
const BORN: &str = "1998-02-26";

/// A laboratory that sends codes by its own gateway, and a traveller that it knows.
struct Setting {
    app: TestApp,
    clock: Arc<Later>,
    gateway: Receiver,
    authority: String,
    laboratory: Participant,
    reported: Value,
    /// What a wallet without an offer asks for.
    scope: &'static str,
}

async fn setting() -> Setting {
    Setting::with("sars-cov-2-naat", CONFIGURATION, |_| {}).await
}

/// The traveller's result of so many seconds ago, recorded with their contact.
fn report(category: &str, ago: i64) -> Value {
    let mut report = result("P1234567");
    report["contact"] = json!({"to": CONTACT, "language": "de"});
    report["claims"]["category"] = json!(category);
    report["claims"]["claims"]["sampled_at"] = json!(crate::foreign::now().plus(-ago).to_rfc3339());
    report
}

impl Setting {
    async fn with(category: &str, scope: &'static str, change: impl FnOnce(&mut Config)) -> Self {
        let directory = TempDir::new().unwrap();
        let mut config = configuration(directory.path(), "[outside]\nloopback = true\n");
        change(&mut config);
        initialise(&config).await;
        let clock = Arc::<Later>::default();
        let app = TestApp::opened(directory, config, clock.clone()).await;
        let gateway = Receiver::plain(|_, _| StatusCode::OK.into_response()).await;
        let authority = app.set_up().await;
        let mut admission = laboratory("Labor Donauraum");
        admission["categories"] = json!([category]);
        let laboratory = app.admit(&authority, &admission).await;
        let hook = json!({"url": format!("http://127.0.0.1:{}/sms", gateway.port), "purpose": "codes"});
        app.post("/v1/webhooks", Some(&laboratory.key), &hook)
            .await
            .expect(StatusCode::CREATED);
        let report = report(category, 3_600);
        let reported = app
            .post("/v1/results", Some(&laboratory.key), &report)
            .await
            .expect(StatusCode::CREATED);
        Self {
            app,
            clock,
            gateway,
            authority,
            laboratory,
            reported,
            scope,
        }
    }

    fn wallet(&self) -> Wallet {
        Wallet::of_issuer(&self.app, &self.laboratory.id)
    }

    /// The page, opened by a wallet that has no offer.
    async fn page(&self, wallet: &Wallet, traveller: &Traveller) -> Page {
        let pushed = wallet
            .push(&self.app, traveller, &json!({"scope": self.scope}))
            .await
            .expect(StatusCode::CREATED);
        let page = wallet.page(&self.app, pushed["request_uri"].as_str().unwrap()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
        Page::of(&page)
    }

    async fn say(&self, wallet: &Wallet, page: &Page, contact: &str, born: &str) -> Answer {
        let fields = [("contact", contact), ("birth_date", born)];
        wallet.answer_page(&self.app, page, &fields).await
    }

    /// Waits until nobody is to be looked up any more; gives the codes that were sent.
    async fn codes(&self) -> Vec<String> {
        self.app
            .until("everybody was looked up and written to", async || {
                let open = "SELECT COUNT(*) FROM authorizations WHERE proof_ciphertext IS NOT NULL";
                let store = &self.app.app.store;
                let rows = store
                    .read(move |tx| vidimus_store::testing::query(tx, open, &[]))
                    .await
                    .unwrap();
                let unproved: u32 = rows.into_iter().next().unwrap().take(0).unwrap();
                let due = store.read(vidimus_store::deliveries::next_due).await.unwrap();
                unproved == 0 && due.is_none()
            })
            .await;
        let code = |body: &Value| {
            assert_eq!(body["data"]["to"], CONTACT);
            let text = body["data"]["text"].as_str().unwrap().to_owned();
            let code = text
                .strip_prefix("Ihr Code lautet ")
                .unwrap()
                .split('.')
                .next()
                .unwrap()
                .to_owned();
            assert_eq!(code.len(), 8, "{text}");
            code
        };
        let bodies = self.gateway.requests();
        bodies
            .iter()
            .map(|request| code(&serde_json::from_slice(&request.body).unwrap()))
            .collect()
    }

    /// All of it, up to the tokens.
    async fn claim(&self, wallet: &Wallet, traveller: &Traveller, more: &[(&str, &str)]) -> Value {
        let before = self.codes().await.len();
        let page = self.page(wallet, traveller).await;
        let asked = self.say(wallet, &page, CONTACT, BORN).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.text());
        let codes = self.codes().await;
        assert_eq!(codes.len(), before + 1);
        let code = codes.last().unwrap();
        let mut fields = vec![("code", code.as_str())];
        fields.extend_from_slice(more);
        let back = wallet.answer_page(&self.app, &page, &fields).await;
        assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.text());
        let location = back.headers["location"].to_str().unwrap();
        wallet
            .redeem(&self.app, traveller, location)
            .await
            .expect(StatusCode::OK)
    }

    /// The statuses of the copies that wallets hold, valid ones first, and of paper.
    async fn statuses(&self) -> (Vec<u32>, Vec<u32>) {
        let text = "SELECT e.status, CASE WHEN c.holder IS NULL THEN 0 ELSE 1 END FROM status_entries e \
                    JOIN copies c ON c.id = e.copy_id ORDER BY c.created, c.id";
        let rows = self
            .app
            .app
            .store
            .read(move |tx| vidimus_store::testing::query(tx, text, &[]))
            .await
            .unwrap();
        let (mut held, mut paper) = (Vec::new(), Vec::new());
        for mut row in rows {
            let status: u32 = row.take(0).unwrap();
            let list = if row.take::<u32>(1).unwrap() == 1 {
                &mut held
            } else {
                &mut paper
            };
            list.push(status);
        }
        held.sort_unstable();
        (held, paper)
    }
}

fn error(answer: &Answer) -> String {
    let location = answer.headers["location"].to_str().unwrap();
    let query = location.split_once('?').unwrap().1;
    let form = Form::parse(query.as_bytes()).unwrap();
    form.get("error").unwrap_or("none").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_traveller_proves_who_they_are_and_has_copies_again() {
    let setting = setting().await;
    let (old, traveller, wallet) = (Traveller::new(), Traveller::new(), setting.wallet());
    let first = setting.claim(&wallet, &old, &[]).await;
    let lost = wallet.claim(&setting.app, &old, &first, CONFIGURATION, 2).await;
    lost.expect(StatusCode::OK);

    // Another phone: the copies before stay as they are.
    let tokens = setting.claim(&wallet, &traveller, &[]).await;
    let claimed = wallet.claim(&setting.app, &traveller, &tokens, CONFIGURATION, 1).await;
    claimed.expect(StatusCode::OK);
    assert_eq!(setting.statuses().await, (vec![0, 0, 0], vec![0]));
    let none = wallet
        .claim(&setting.app, &traveller, &tokens, "sars-cov-2-naat.jwt_vc_json", 1)
        .await;
    assert_ne!(none.status, StatusCode::OK, "only what was asked for");

    // And once more, after a theft: what was held is over, and so is what would renew it; paper and certificate stay.
    let thirds = Traveller::new();
    let again = setting.claim(&wallet, &thirds, &[("lost", "yes")]).await;
    assert_eq!(setting.statuses().await, (vec![1, 1, 1], vec![0]));
    let copies = wallet.claim(&setting.app, &thirds, &again, CONFIGURATION, 1).await;
    copies.expect(StatusCode::OK);
    assert_eq!(setting.statuses().await.0, [0, 1, 1, 1]);
    for (traveller, tokens) in [(&old, &first), (&traveller, &tokens)] {
        let over = wallet.claim(&setting.app, traveller, tokens, CONFIGURATION, 1).await;
        assert_eq!(over.json()["error"], "invalid_token");
        let over = wallet.refresh(&setting.app, traveller, tokens).await;
        assert_eq!(over.json()["error"], "invalid_grant");
    }
    wallet
        .refresh(&setting.app, &thirds, &again)
        .await
        .expect(StatusCode::OK);

    // What is not valid any more is nobody's to claim, also not with the tokens that are there.
    let certificate = setting.reported["certificate"].as_str().unwrap();
    let path = format!("/v1/certificates/{certificate}/revoke");
    let body = json!({"reason": "wrong-result"});
    setting
        .app
        .post(&path, Some(&setting.laboratory.key), &body)
        .await
        .expect(StatusCode::OK);
    let denied = wallet.claim(&setting.app, &thirds, &again, CONFIGURATION, 1).await;
    assert_eq!(denied.json()["error"], "credential_request_denied");
    let page = setting.page(&wallet, &thirds).await;
    setting.say(&wallet, &page, CONTACT, BORN).await;
    assert_eq!(setting.codes().await.len(), 3, "nobody is written to about it");
}

/// Who is known, who is not, and who says a wrong date see the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_tells_nobody_whom_the_laboratory_knows() {
    let setting = setting().await;
    let (traveller, wallet) = (Traveller::new(), setting.wallet());
    // The same telephone, another person: the address alone does not tell which of them it is, the date of birth does.
    let mut other = result("P7654321");
    other["contact"] = json!({"to": CONTACT});
    other["claims"]["person"] = json!({"family_name": "Muster", "given_name": "Max", "birth_date": "2011-05-01"});
    setting
        .app
        .post("/v1/results", Some(&setting.laboratory.key), &other)
        .await
        .expect(StatusCode::CREATED);

    let mut pages = std::collections::BTreeSet::new();
    for (contact, born, sent) in [
        (CONTACT, "1998-02-27", 0),
        ("+436640000000", BORN, 0),
        ("someone@example.org", BORN, 0),
        (CONTACT, BORN, 1),
    ] {
        let page = setting.page(&wallet, &traveller).await;
        let answer = setting.say(&wallet, &page, contact, born).await;
        assert_eq!(answer.status, StatusCode::OK);
        pages.insert(answer.text().replace(&page.form, "…"));
        assert_eq!(setting.codes().await.len(), sent, "{contact} {born}");
        let guess = wallet.answer_page(&setting.app, &page, &[("code", "12345678")]).await;
        assert!(guess.text().contains("not right"), "{}", guess.text());
        pages.insert(guess.text().replace(&page.form, "…"));
    }
    assert_eq!(pages.len(), 2, "one before the code, one after a wrong one: {pages:#?}");

    // Twins with one telephone: neither is sent the other's certificate.
    let mut twin = result("P1111111");
    twin["contact"] = json!({"to": CONTACT});
    setting
        .app
        .post("/v1/results", Some(&setting.laboratory.key), &twin)
        .await
        .expect(StatusCode::CREATED);
    let page = setting.page(&wallet, &traveller).await;
    setting.say(&wallet, &page, CONTACT, BORN).await;
    assert_eq!(setting.codes().await.len(), 1);

    // Neither contact nor date of birth is anywhere in clear.
    let mut finds = crate::canary::Finds::default();
    crate::canary::search_files(&mut finds, "the data directory", &setting.app.app.config.data_dir);
    let files = std::fs::read(setting.app.app.config.database_file().unwrap()).unwrap();
    assert!(!files.windows(CONTACT.len()).any(|window| window == CONTACT.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_guessed_five_times_belong_to_one_browser_and_end() {
    let setting = setting().await;
    let (traveller, wallet) = (Traveller::new(), setting.wallet());
    let page = setting.page(&wallet, &traveller).await;
    for (contact, born) in [("anna", BORN), (CONTACT, "26.02.1998"), ("", "")] {
        let wrong = setting.say(&wallet, &page, contact, born).await;
        assert!(wrong.text().contains("no mail address"), "{}", wrong.text());
    }
    setting.say(&wallet, &page, CONTACT, BORN).await;
    let code = setting.codes().await.remove(0);
    let again = setting.say(&wallet, &page, CONTACT, BORN).await;
    assert!(again.text().contains("not right"), "one code for a page");

    // The code in another browser, or in another page of this one, is worth nothing.
    let elsewhere = setting.page(&wallet, &traveller).await;
    for crossed in [
        Page {
            cookie: elsewhere.cookie.clone(),
            form: page.form.clone(),
        },
        Page {
            cookie: page.cookie.clone(),
            form: elsewhere.form.clone(),
        },
    ] {
        let refused = wallet.answer_page(&setting.app, &crossed, &[("code", &code)]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    }
    setting.say(&wallet, &elsewhere, CONTACT, BORN).await;
    setting.codes().await;
    let crossed = wallet.answer_page(&setting.app, &elsewhere, &[("code", &code)]).await;
    assert!(crossed.text().contains("not right"), "it is another page's code");

    let wrong = format!("{:08}", (code.parse::<u64>().unwrap() + 1) % 100_000_000);
    for _ in 0..3 {
        let refused = wallet.answer_page(&setting.app, &page, &[("code", &wrong)]).await;
        assert!(refused.text().contains("not right"));
    }
    let last = wallet.answer_page(&setting.app, &page, &[("code", &wrong)]).await;
    assert_eq!(error(&last), "access_denied");
    let late = wallet.answer_page(&setting.app, &page, &[("code", &code)]).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST, "it is locked");

    // A page that nobody answered in time.
    let page = setting.page(&wallet, &traveller).await;
    setting.say(&wallet, &page, CONTACT, BORN).await;
    let code = setting.codes().await.pop().unwrap();
    setting.clock.by(901);
    let late = wallet.answer_page(&setting.app, &page, &[("code", &code)]).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST, "it has expired");

    // Codes of one contact in a day; declining is always possible.
    for place in 4..=6 {
        let page = setting.page(&wallet, &traveller).await;
        let asked = setting.say(&wallet, &page, CONTACT, BORN).await;
        let expected = if place <= 5 {
            StatusCode::OK
        } else {
            StatusCode::BAD_REQUEST
        };
        assert_eq!(asked.status, expected, "{place}: {}", asked.text());
        if place == 5 {
            let declined = wallet.answer_page(&setting.app, &page, &[("decline", "yes")]).await;
            assert_eq!(error(&declined), "access_denied");
        }
    }
    let page = setting.page(&wallet, &traveller).await;
    let other = setting.say(&wallet, &page, "+436640000000", BORN).await;
    assert_eq!(other.status, StatusCode::OK, "another contact is another count");
    setting.clock.by(901 + 86_400);
    let page = setting.page(&wallet, &traveller).await;
    let asked = setting.say(&wallet, &page, CONTACT, BORN).await;
    assert_eq!(asked.status, StatusCode::OK, "the day is over");
}

/// A contact is kept with an offer too; another issuer's is none of this one's.
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_belongs_to_the_issuer_that_recorded_it() {
    let setting = setting().await;
    let (app, traveller) = (&setting.app, Traveller::new());
    let result = &setting.reported["result"];
    for (body, problem) in [
        (json!({"result": result, "keep_contact": true}), "keep-contact"),
        (
            json!({"category": "sars-cov-2-naat", "keep_contact": true, "send_code": {"to": CONTACT}}),
            "keep-contact",
        ),
    ] {
        let refused = app.post("/v1/offers", Some(&setting.laboratory.key), &body).await;
        assert_eq!(refused.problem(), problem);
    }
    let body = json!({"result": result, "keep_contact": true, "send_code": {"to": "anna@example.org"}});
    app.post("/v1/offers", Some(&setting.laboratory.key), &body)
        .await
        .expect(StatusCode::CREATED);
    let wallet = setting.wallet();
    let page = setting.page(&wallet, &traveller).await;
    setting.say(&wallet, &page, CONTACT, BORN).await;
    let sent = || {
        let all = setting.gateway.requests();
        all.iter()
            .filter(|request| String::from_utf8_lossy(&request.body).contains(CONTACT))
            .count()
    };
    let page = setting.page(&wallet, &traveller).await;
    setting.say(&wallet, &page, "Anna@Example.org", BORN).await;
    app.until("the code goes to the newer contact", async || {
        setting.gateway.requests().len() == 2
    })
    .await;
    assert_eq!(sent(), 0, "and the one before is forgotten");

    let other = app.admit(&setting.authority, &laboratory("Other")).await;
    let elsewhere = Wallet::of_issuer(app, &other.id);
    let pushed = elsewhere
        .push(app, &traveller, &json!({}))
        .await
        .expect(StatusCode::CREATED);
    let page = elsewhere.page(app, pushed["request_uri"].as_str().unwrap()).await;
    assert_eq!(
        page.status,
        StatusCode::BAD_REQUEST,
        "an issuer that cannot send codes offers nothing: {}",
        page.text()
    );
    assert!(page.text().contains("no offer"));
}

/// A category of which a person may have several certificates at once: a test for each sample.
const EACH: &str = "naat-of-each-sample";
const EACH_CONFIGURATION: &str = "naat-of-each-sample.dc+sd-jwt";

async fn several(database: Option<Database>) {
    let files = TempDir::new().unwrap();
    let category = include_str!("../../../../credential/categories/sars-cov-2-naat.json")
        .replace("sars-cov-2-naat", EACH)
        .replace(
            r#""uniqueness": {"claims": []}"#,
            r#""uniqueness": {"claims": ["/sampled_at"]}"#,
        );
    std::fs::write(files.path().join("each.json"), category).unwrap();
    let setting = Setting::with(EACH, EACH_CONFIGURATION, |config| {
        config.categories_dir = Some(files.path().to_owned());
        config.database = database.unwrap_or(config.database.clone());
    })
    .await;
    let (app, wallet, key) = (&setting.app, setting.wallet(), Some(setting.laboratory.key.as_str()));
    let held = async |more: &[(&str, &str)]| {
        let traveller = Traveller::new();
        let tokens = setting.claim(&wallet, &traveller, more).await;
        let claimed = wallet.claim(app, &traveller, &tokens, EACH_CONFIGURATION, 1).await;
        claimed.expect(StatusCode::OK);
        (traveller, tokens)
    };
    let first = held(&[]).await;
    setting.clock.by(60);
    let newer = app
        .post("/v1/results", key, &report(EACH, 1_800))
        .await
        .expect(StatusCode::CREATED);
    let second = held(&[]).await;
    assert_eq!(setting.statuses().await, (vec![0, 0], vec![0, 0]));

    // What was lost held copies of both.
    let third = held(&[("lost", "yes")]).await;
    assert_eq!(setting.statuses().await, (vec![0, 1, 1], vec![0, 0]));
    for (traveller, tokens) in [&first, &second] {
        let over = wallet.refresh(app, traveller, tokens).await;
        assert_eq!(over.json()["error"], "invalid_grant");
    }

    // The newer one ends: the older one is what is theirs then, also by the tokens that are there.
    let path = format!("/v1/certificates/{}/revoke", newer["certificate"].as_str().unwrap());
    let revoked = app.post(&path, key, &json!({"reason": "wrong-result"})).await;
    revoked.expect(StatusCode::OK);
    assert_eq!(setting.statuses().await, (vec![1, 1, 1], vec![0, 1]));
    let (traveller, tokens) = &third;
    let again = wallet.claim(app, traveller, tokens, EACH_CONFIGURATION, 1).await;
    again.expect(StatusCode::OK);
    held(&[]).await;
    assert_eq!(setting.statuses().await, (vec![0, 0, 1, 1, 1], vec![0, 1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_certificates_the_newest_valid_one_is_claimed_and_a_lost_wallet_s_copies_of_all_are_ended() {
    several(None).await;
    if let Some(place) = vidimus_store::testing::postgres() {
        let vidimus_store::Config::Postgres { url, .. } = &place.config else {
            unreachable!("a PostgreSQL place")
        };
        several(Some(Database::Postgres(vidimus_core::Secret::new(url.clone())))).await;
    }
}
