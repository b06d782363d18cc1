//! A laboratory offers, a traveller's wallet claims: OpenID4VCI through the real router.

mod again;
mod haip;
mod identified;
mod standing;
pub mod traveller;

use crate::harness::{TestApp, airline, configuration, initialise, laboratory, on_both, result};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use traveller::{Page, Traveller, Wallet};
use vidimus::clock::SystemClock;
use vidimus_openid4vc::oauth::Form;

/// A laboratory with a result, and the offer of its certificate.
pub struct Offered {
    pub laboratory: crate::harness::Participant,
    pub authority: String,
    pub offer: Value,
}

pub async fn offered(app: &TestApp, more: Value) -> Offered {
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Labor Donauraum")).await;
    let reported = app
        .post("/v1/results", Some(&laboratory.key), &result("P1234567"))
        .await
        .expect(StatusCode::CREATED);
    let mut body = json!({"result": reported["result"]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let offer = app
        .post("/v1/offers", Some(&laboratory.key), &body)
        .await
        .expect(StatusCode::CREATED);
    Offered {
        laboratory,
        authority,
        offer,
    }
}

pub fn code(offer: &Value) -> &str {
    offer["tx_code"]["code"].as_str().unwrap()
}

on_both!(
    a_traveller_claims_several_copies_with_the_code,
    a_code_is_guessed_five_times,
    a_result_that_is_still_to_come_is_claimed_later,
    a_wallet_is_permitted_on_the_page,
    who_lost_the_wallet_claims_again_with_another_offer,
    what_comes_back_belongs_to_the_page_that_was_shown,
);

/// Two tabs share the cookie of the newer one; the older one's form changes nothing, and neither does what another site sends.
async fn what_comes_back_belongs_to_the_page_that_was_shown(app: TestApp) {
    let offered = offered(&app, json!({"pre_authorized": false})).await;
    let traveller = Traveller::new();
    let wallet = Wallet::of_offer(&app, &offered.offer).await;
    let mut tabs = Vec::new();
    for _ in 0..2 {
        let pushed = wallet
            .push(&app, &traveller, &json!({}))
            .await
            .expect(StatusCode::CREATED);
        let page = wallet.page(&app, pushed["request_uri"].as_str().unwrap()).await;
        tabs.push(Page::of(&page));
    }
    let [older, newer] = [&tabs[0], &tabs[1]];
    assert_ne!(older.form, newer.form);
    let code = code(&offered.offer);
    let crossed = Page {
        cookie: newer.cookie.clone(),
        form: older.form.clone(),
    };
    let foreign = Form::new().with("code", code);
    let refusals = [
        wallet.answer_page(&app, &crossed, &[("code", code)]).await,
        wallet.answer_page(&app, &crossed, &[("decline", "yes")]).await,
        wallet.post_page(&app, Some(&newer.cookie), &foreign).await,
    ];
    for refused in refusals {
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text());
        assert!(refused.text().contains("Another page"), "{}", refused.text());
    }
    let back = wallet.answer_page(&app, newer, &[("code", code)]).await;
    assert_eq!(
        back.status,
        StatusCode::SEE_OTHER,
        "nothing was used up: {}",
        back.text()
    );
}

async fn a_traveller_claims_several_copies_with_the_code(app: TestApp) {
    let offered = offered(&app, json!({})).await;
    assert_eq!(offered.offer["state"], "open");
    assert_eq!(
        offered.offer["haip"], false,
        "a pre-authorized code is ours, beside HAIP"
    );
    let traveller = Traveller::new();
    let wallet = Wallet::of_offer(&app, &offered.offer).await;
    let tokens = wallet
        .pre_authorized(&app, &traveller, Some(code(&offered.offer)))
        .await;
    assert_eq!(tokens["token_type"], "DPoP");

    for (configuration, keys) in [("sars-cov-2-naat.dc+sd-jwt", 3), ("sars-cov-2-naat.jwt_vc_json", 2)] {
        let claimed = wallet.claim(&app, &traveller, &tokens, configuration, keys).await;
        let claimed = claimed.expect(StatusCode::OK);
        let copies = claimed["credentials"].as_array().unwrap();
        assert_eq!(copies.len(), keys);
        let texts: std::collections::BTreeSet<_> =
            copies.iter().map(|copy| copy["credential"].as_str().unwrap()).collect();
        assert_eq!(texts.len(), keys, "no two are the same");
        let notification = json!({"notification_id": claimed["notification_id"], "event": "credential_accepted"});
        wallet
            .resource(&app, &traveller, &tokens, "notification", &notification)
            .await
            .expect(StatusCode::NO_CONTENT);
    }
    let state = app
        .get(
            &format!("/v1/offers/{}", offered.offer["id"].as_str().unwrap()),
            Some(&offered.laboratory.key),
        )
        .await
        .expect(StatusCode::OK);
    assert_eq!(state["state"], "claimed");
    assert_eq!(state["tx_code"], Value::Null, "the code is shown once");

    let again = wallet
        .token(
            &app,
            &traveller,
            &wallet.pre_authorized_form(Some(code(&offered.offer))),
        )
        .await;
    assert_eq!(
        (again.status, again.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_grant"))
    );
}

async fn a_code_is_guessed_five_times(app: TestApp) {
    let offered = offered(&app, json!({})).await;
    let traveller = Traveller::new();
    let wallet = Wallet::of_offer(&app, &offered.offer).await;
    let right = code(&offered.offer);
    let missing = wallet.token(&app, &traveller, &wallet.pre_authorized_form(None)).await;
    assert_eq!(missing.json()["error"], "invalid_request", "no guess");
    for guess in 0..5 {
        let wrong = format!("{:08}", (right.parse::<u64>().unwrap() + 1 + guess) % 100_000_000);
        let refused = wallet
            .token(&app, &traveller, &wallet.pre_authorized_form(Some(&wrong)))
            .await;
        assert_eq!(
            (refused.status, refused.json()["error"].as_str()),
            (StatusCode::BAD_REQUEST, Some("invalid_grant"))
        );
    }
    let late = wallet
        .token(&app, &traveller, &wallet.pre_authorized_form(Some(right)))
        .await;
    assert_eq!(late.json()["error"], "invalid_grant", "it is locked");
    let id = offered.offer["id"].as_str().unwrap();
    let state = app
        .get(&format!("/v1/offers/{id}"), Some(&offered.laboratory.key))
        .await
        .expect(StatusCode::OK);
    assert_eq!(state["state"], "locked");
    assert_eq!(
        wallet.fetch(&app).await.problem(),
        "not-found",
        "the offer is not shown any more"
    );
}

async fn a_result_that_is_still_to_come_is_claimed_later(app: TestApp) {
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Labor Donauraum")).await;
    let offer = app
        .post(
            "/v1/offers",
            Some(&laboratory.key),
            &json!({"category": "sars-cov-2-naat", "formats": ["dc+sd-jwt"]}),
        )
        .await
        .expect(StatusCode::CREATED);
    let traveller = Traveller::new();
    let wallet = Wallet::of_offer(&app, &offer).await;
    let tokens = wallet.pre_authorized(&app, &traveller, Some(code(&offer))).await;
    let waiting = wallet
        .claim(&app, &traveller, &tokens, "sars-cov-2-naat.dc+sd-jwt", 2)
        .await;
    let waiting = waiting.expect(StatusCode::ACCEPTED);
    assert!(waiting["interval"].as_u64().unwrap() > 0);
    let transaction = json!({"transaction_id": waiting["transaction_id"]});
    let early = wallet
        .resource(&app, &traveller, &tokens, "deferred-credential", &transaction)
        .await;
    assert_eq!(
        early.expect(StatusCode::ACCEPTED)["transaction_id"],
        waiting["transaction_id"]
    );

    let mut report = result("P1234567");
    report["offer"] = offer["id"].clone();
    app.post("/v1/results", Some(&laboratory.key), &report)
        .await
        .expect(StatusCode::CREATED);
    let ready = wallet
        .resource(&app, &traveller, &tokens, "deferred-credential", &transaction)
        .await;
    assert_eq!(ready.expect(StatusCode::OK)["credentials"].as_array().unwrap().len(), 2);
    let again = wallet
        .resource(&app, &traveller, &tokens, "deferred-credential", &transaction)
        .await;
    assert_eq!(
        (again.status, again.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_transaction_id"))
    );
}

/// A link that somebody was sent leads nowhere but to a page of the issuer's, under TLS alone.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_on_without_having_done_something() {
    let directory = tempfile::TempDir::new().unwrap();
    let config = configuration(directory.path(), "[server]\npublic_url = \"https://vidimus.example\"\n");
    initialise(&config).await;
    let app = TestApp::opened(directory, config, Arc::new(SystemClock)).await;
    let offered = offered(&app, json!({"pre_authorized": false})).await;
    let traveller = Traveller::new();
    let wallet = Wallet::of_offer(&app, &offered.offer).await;
    for state in [Value::Null, json!("guessed")] {
        let evil = json!({"issuer_state": state, "redirect_uri": "https://evil.example/login"});
        let pushed = wallet.push(&app, &traveller, &evil).await;
        if pushed.status != StatusCode::CREATED {
            continue;
        }
        let page = wallet.page(&app, pushed.json()["request_uri"].as_str().unwrap()).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text());
        assert!(!page.headers.contains_key("location"));
        assert!(
            page.text().contains("no offer") && !page.text().contains("evil.example"),
            "{}",
            page.text()
        );
        assert_eq!(page.headers["strict-transport-security"], "max-age=31536000");
        let again = wallet.page(&app, pushed.json()["request_uri"].as_str().unwrap()).await;
        assert_eq!(again.status, StatusCode::BAD_REQUEST, "it is over");
    }
}

/// The laboratory knows again who it is, and offers once more; other copies, of the same certificate.
async fn who_lost_the_wallet_claims_again_with_another_offer(app: TestApp) {
    let offered = offered(&app, json!({})).await;
    let mut seen = std::collections::BTreeSet::new();
    let mut offer = offered.offer.clone();
    for _ in 0..2 {
        let (traveller, wallet) = (Traveller::new(), Wallet::of_offer(&app, &offer).await);
        let tokens = wallet.pre_authorized(&app, &traveller, Some(code(&offer))).await;
        let (copy, _) = wallet
            .claim_one(&app, &traveller, &tokens, "sars-cov-2-naat.dc+sd-jwt")
            .await;
        assert!(seen.insert(copy), "another copy");
        let body = json!({"result": offered.offer["result"]});
        offer = app
            .post("/v1/offers", Some(&offered.laboratory.key), &body)
            .await
            .expect(StatusCode::CREATED);
    }
    let result = format!("/v1/results/{}", offered.offer["result"].as_str().unwrap());
    let result = app
        .get(&result, Some(&offered.laboratory.key))
        .await
        .expect(StatusCode::OK);
    let copies = result["certificate"]["copies"].as_array().unwrap();
    let held = copies.iter().filter(|copy| copy["format"] == "dc+sd-jwt").count();
    assert_eq!(held, 2, "of one certificate: {result}");
}

async fn a_wallet_is_permitted_on_the_page(app: TestApp) {
    let offered = offered(&app, json!({"pre_authorized": false})).await;
    assert_eq!(offered.offer["haip"], true);
    let traveller = Traveller::new();
    let wallet = Wallet::of_offer(&app, &offered.offer).await;
    assert!(
        wallet.offer["grants"]
            .get("urn:ietf:params:oauth:grant-type:pre-authorized_code")
            .is_none()
    );
    let pushed = wallet
        .push(&app, &traveller, &json!({}))
        .await
        .expect(StatusCode::CREATED);
    let page = wallet.page(&app, pushed["request_uri"].as_str().unwrap()).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    assert!(page.text().contains("Labor Donauraum") && page.text().contains("SARS-CoV-2 test"));
    assert!(
        !page.headers.contains_key("access-control-allow-origin"),
        "no other page reads it"
    );
    let page = Page::of(&page);
    let second = wallet.page(&app, pushed["request_uri"].as_str().unwrap()).await;
    assert_eq!(second.status, StatusCode::BAD_REQUEST, "one browser");
    let right = ("code", code(&offered.offer));
    let form = Form::new().with("page", &page.form).with(right.0, right.1);
    let without = wallet.post_page(&app, None, &form).await;
    assert_eq!(without.status, StatusCode::BAD_REQUEST);
    let wrong = wallet.answer_page(&app, &page, &[("code", "00000000")]).await;
    assert!(wrong.text().contains("not right"));
    assert_eq!(traveller::form(&wrong), page.form);
    let back = wallet.answer_page(&app, &page, &[right]).await;
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.text());
    let location = back.headers["location"].to_str().unwrap();
    let tokens = wallet.redeem(&app, &traveller, location).await;
    let tokens = tokens.expect(StatusCode::OK);
    assert_eq!(tokens["token_type"], "DPoP");
    let claimed = wallet
        .claim(&app, &traveller, &tokens, "sars-cov-2-naat.dc+sd-jwt", 1)
        .await;
    claimed.expect(StatusCode::OK);

    let renewed = wallet.refresh(&app, &traveller, &tokens).await.expect(StatusCode::OK);
    let more = wallet
        .claim(&app, &traveller, &renewed, "sars-cov-2-naat.dc+sd-jwt", 2)
        .await;
    more.expect(StatusCode::OK);
    assert_eq!(
        renewed.get("refresh_token"),
        None,
        "it is bound to keys, so it goes on as it is"
    );
    let again = wallet.refresh(&app, &traveller, &tokens).await.expect(StatusCode::OK);
    let thief = Traveller::new();
    let stolen = wallet.refresh(&app, &thief, &tokens).await;
    assert_eq!(
        stolen.json()["error"],
        "invalid_grant",
        "with other keys it is worth nothing"
    );
    for live in [&renewed, &again] {
        let more = wallet
            .claim(&app, &traveller, live, "sars-cov-2-naat.dc+sd-jwt", 1)
            .await;
        more.expect(StatusCode::OK);
    }
    let twice = wallet.redeem(&app, &traveller, location).await;
    assert_eq!(twice.json()["error"], "invalid_grant");
    let ended = wallet
        .claim(&app, &traveller, &renewed, "sars-cov-2-naat.dc+sd-jwt", 1)
        .await;
    assert_eq!(
        (ended.status, ended.json()["error"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("invalid_token")),
        "a code that comes twice ends what it gave"
    );
    let ended = wallet.refresh(&app, &traveller, &tokens).await;
    assert_eq!(ended.json()["error"], "invalid_grant");
    let _ = (&offered.laboratory, &offered.authority, airline("x"), Method::GET);
}
