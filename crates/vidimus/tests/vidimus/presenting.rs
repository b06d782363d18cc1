//! An airline asks, a traveller's wallet shows: OpenID4VP through the real router.

mod left;
mod told;
mod tries;

use self::{
    left::{
        one_network_does_not_fill_it_from_all_its_addresses, one_sender_does_not_fill_a_verifier_s_box,
        what_is_left_is_opened_for_its_verifier_and_checked,
    },
    told::a_verifier_that_may_not_ask_is_told_nothing,
    tries::{
        a_request_is_fetched_a_few_times_until_it_is_answered, of_two_answers_at_once_one_is_taken,
        what_anybody_can_sign_is_no_answer, who_saw_the_link_does_not_spoil_the_request,
    },
};
use crate::{
    harness::{Participant, TestApp, on_both},
    wallets::{
        code, offered,
        traveller::{Traveller, Wallet as Claimer, path},
    },
};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Map, Value, json};
use vidimus_core::{Algorithm, Signer};
use vidimus_credential::sd_jwt::{ClaimPath, SdJwt, key_binding};
use vidimus_crypto::{Native, OsEntropy, SigningKey};
use vidimus_openid4vc::vp::{
    ErrorCode, Evidence, Formats, HttpRequest, Incoming, Invocation, Policy, Presentation, Refusal, Step,
    TransactionData, Trust, Verified, VpToken, Wallet,
};

fn airline() -> Value {
    json!({
        "role": "verifier", "name": "Donau Air", "country": "AT", "url": "https://donau-air.example",
        "attributes": ["family_name", "result", "valid_until"], "purposes": ["boarding"],
    })
}

/// A traveller with one copy, and an airline.
struct World {
    airline: Participant,
    authority: String,
    copy: String,
    key: SigningKey,
}

async fn world(app: &TestApp) -> World {
    let offered = offered(app, json!({})).await;
    let traveller = Traveller::new();
    let claimer = Claimer::of_offer(app, &offered.offer).await;
    let tokens = claimer
        .pre_authorized(app, &traveller, Some(code(&offered.offer)))
        .await;
    let (copy, key) = claimer
        .claim_one(app, &traveller, &tokens, "sars-cov-2-naat.dc+sd-jwt")
        .await;
    let airline = app.admit(&offered.authority, &airline()).await;
    World {
        airline,
        authority: offered.authority,
        copy,
        key,
    }
}

fn asked() -> Value {
    json!({
        "purpose": "boarding", "purpose_text": "Your flight to Lisbon", "retention_seconds": 0,
        "credentials": [{"category": "sars-cov-2-naat", "attributes": ["family_name"], "optional": ["result"]}],
    })
}

fn wallet() -> Wallet {
    Wallet {
        policy: Policy::open().at_home(),
        formats: Formats::of(&[Algorithm::Es256], &[Algorithm::Es256], &[Algorithm::Es256]),
        transaction_types: Vec::new(),
        encrypted_requests: true,
    }
}

async fn anchored(app: &TestApp, world: &World) {
    let digest = vidimus_core::Provider::sha256(&Native::new(), &[SdJwt::parse(&world.copy).unwrap().jws().message()]);
    let asked = json!({"digest": digest.to_string()});
    app.until("the copy is anchored", async || {
        app.post("/v1/evidence", None, &asked).await.status == StatusCode::OK
    })
    .await;
}

async fn ask(app: &TestApp, airline: &Participant, body: &Value) -> Value {
    app.post("/v1/presentations", Some(&airline.key), body)
        .await
        .expect(StatusCode::CREATED)
}

/// Sends what a wallet says.
async fn send(app: &TestApp, request: &HttpRequest) -> crate::harness::Answer {
    let method = if request.body.is_some() {
        Method::POST
    } else {
        Method::GET
    };
    let request_uri = path(app, request.url.as_str());
    let sent = Request::builder()
        .method(method)
        .uri(request_uri)
        .header(header::ACCEPT, request.accept)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    app.send(sent.body(Body::from(request.body.clone().unwrap_or_default())).unwrap())
        .await
}

/// The wallet reads the link, fetches the request and verifies who asks.
async fn received(app: &TestApp, wallet: &Wallet, view: &Value) -> Result<Verified<Incoming>, Refusal> {
    let native = Native::new();
    let invocation = Invocation::parse(view["link"].as_str().unwrap()).unwrap();
    let Step::Fetch(fetch) = wallet.start(invocation, &native, &mut OsEntropy).unwrap() else {
        panic!("by reference")
    };
    let answer = send(app, fetch.http()).await;
    let kind = answer
        .headers
        .get(header::CONTENT_TYPE)
        .map(|kind| kind.to_str().unwrap().to_owned());
    let received = fetch
        .received(answer.status.as_u16(), kind.as_deref(), &answer.body, &native)
        .unwrap();
    assert_eq!(received.evidence(), Evidence::Certificate);
    let trust = Trust {
        roots: &app.app.roots,
        keys: &[],
    };
    received.verify(wallet, trust, app.app.now(), &native)
}

/// The copy with these claims disclosed, bound to the request.
fn presentation(
    app: &TestApp,
    world: &World,
    incoming: &Incoming,
    claims: &[ClaimPath],
    more: Map<String, Value>,
) -> String {
    let draft = key_binding::Draft {
        audience: &incoming.request.client_id.to_string(),
        nonce: &incoming.request.nonce,
        issued_at: app.app.now(),
        more,
    };
    bound(world, &draft, claims)
}

/// The copy with these claims disclosed, bound by the holder's key.
fn bound(world: &World, draft: &key_binding::Draft<'_>, claims: &[ClaimPath]) -> String {
    let native = Native::new();
    let held = SdJwt::parse(&world.copy).unwrap();
    let places = held.process(&native).unwrap().choose(claims).unwrap();
    let unsigned = draft.prepare(held.present(&places), Algorithm::Es256, &native);
    let signature = world.key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

fn names() -> [ClaimPath; 2] {
    [ClaimPath::of(["family_name"]), ClaimPath::of(["claims", "result"])]
}

async fn answer(app: &TestApp, incoming: &Verified<Incoming>, text: String) -> crate::harness::Answer {
    let token = VpToken::new().with("c0", vec![Presentation::Text(text)]);
    let response = incoming
        .present(&token, app.app.now(), &Native::new(), &mut OsEntropy)
        .unwrap();
    send(app, &response).await
}

async fn read(app: &TestApp, world: &World, view: &Value) -> Value {
    let path = format!("/v1/presentations/{}", view["id"].as_str().unwrap());
    app.get(&path, Some(&world.airline.key)).await.expect(StatusCode::OK)
}

on_both!(
    an_airline_sees_what_it_asked_for_and_no_more,
    a_nosy_airline_is_refused_before_anybody_is_asked,
    an_answer_is_taken_once_and_only_for_its_request,
    who_saw_the_link_does_not_spoil_the_request,
    what_anybody_can_sign_is_no_answer,
    of_two_answers_at_once_one_is_taken,
    a_request_is_fetched_a_few_times_until_it_is_answered,
    on_the_same_device_the_browser_has_to_come_back,
    a_holder_declines_and_an_airline_that_was_suspended_reads_nothing,
    a_payment_is_authorised_with_the_presentation,
    a_copy_with_key_binding_answers_a_plain_request_once,
    one_sender_does_not_fill_a_verifier_s_box,
    what_is_left_is_opened_for_its_verifier_and_checked,
    one_network_does_not_fill_it_from_all_its_addresses,
    a_verifier_that_may_not_ask_is_told_nothing,
);

async fn an_airline_sees_what_it_asked_for_and_no_more(app: TestApp) {
    let world = world(&app).await;
    for post in [false, true] {
        let mut body = asked();
        body["post"] = post.into();
        let view = ask(&app, &world.airline, &body).await;
        assert_eq!(view["state"], "made");
        assert!(view["link"].as_str().unwrap().starts_with("openid4vp://?"));
        let incoming = received(&app, &wallet(), &view).await.unwrap();
        let statement = incoming.statement.clone().unwrap();
        assert_eq!(
            (statement.purpose.as_str(), statement.retention_seconds),
            ("boarding", 0)
        );
        assert_eq!(statement.participant.as_deref(), Some(world.airline.id.as_str()));
        anchored(&app, &world).await;
        let text = presentation(&app, &world, &incoming, &names(), Map::new());
        let taken = answer(&app, &incoming, text).await.expect(StatusCode::OK);
        assert_eq!(taken, json!({}), "nowhere to go, across devices");
        let read = read(&app, &world, &view).await;
        assert_eq!(
            (read["state"].as_str(), read["answer"]["verdict"].as_str()),
            (Some("answered"), Some("valid")),
            "{read}"
        );
        let credential = &read["answer"]["credentials"][0];
        assert_eq!(
            credential["attributes"],
            json!({"family_name": "Musterfrau", "result": "260415000"})
        );
        assert_eq!(credential["issuer"], "Labor Donauraum");
    }
}

async fn a_nosy_airline_is_refused_before_anybody_is_asked(app: TestApp) {
    let world = world(&app).await;
    let refused = async |change: &dyn Fn(&mut Value)| {
        let mut body = asked();
        change(&mut body);
        let answer = app.post("/v1/presentations", Some(&world.airline.key), &body).await;
        (answer.status, answer.problem())
    };
    let beyond = (StatusCode::FORBIDDEN, "attribute-not-granted".to_owned());
    assert_eq!(
        refused(&|body| body["credentials"][0]["attributes"] = json!(["birth_date"])).await,
        beyond
    );
    assert_eq!(
        refused(&|body| body["credentials"][0]["optional"] = json!(["given_name"])).await,
        beyond
    );
    assert_eq!(
        refused(&|body| body["purpose"] = json!("marketing")).await.1,
        "purpose-not-granted"
    );
    let vct = app.app.url("/v1/types/sars-cov-2-naat");
    let query = |credential: Value| {
        move |body: &mut Value| {
            body.as_object_mut().unwrap().remove("credentials");
            body["dcql_query"] = json!({"credentials": [credential.clone()]});
        }
    };
    let sd_jwt =
        |claims: Value| json!({"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "claims": claims});
    assert_eq!(refused(&query(sd_jwt(json!([{"path": ["birthdate"]}])))).await, beyond);
    assert_eq!(
        refused(&query(sd_jwt(json!([{"path": ["claims"]}])))).await.1,
        "attribute"
    );
    assert_eq!(
        refused(&query(sd_jwt(json!([{"path": ["claims", null]}])))).await.1,
        "attribute"
    );
    let whole = json!({"id": "q", "format": "jwt_vc_json", "meta": {"type_values": [["https://www.w3.org/2018/credentials#VerifiableCredential"]]}});
    assert_eq!(refused(&query(whole)).await, beyond, "it would be shown whole");
    let foreign = json!({"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:eudi:pid:1"]}, "claims": [{"path": ["birth_date"]}]});
    assert_eq!(refused(&query(foreign)).await, beyond);
    for (change, problem) in [
        (json!({"expires_in": 59}), "presentation"),
        (json!({"expires_in": 301}), "presentation"),
        (json!({"link": "javascript://x"}), "wallet-link"),
        (json!({"return_uri": "http://elsewhere.example/"}), "return-uri"),
        (json!({"credentials": []}), "presentation-query"),
    ] {
        let apply = |body: &mut Value| {
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
        };
        assert_eq!(refused(&apply).await.1, problem, "{change}");
    }
}

async fn an_answer_is_taken_once_and_only_for_its_request(app: TestApp) {
    let world = world(&app).await;
    let (first, second) = (
        ask(&app, &world.airline, &asked()).await,
        ask(&app, &world.airline, &asked()).await,
    );
    let (one, two) = (
        received(&app, &wallet(), &first).await.unwrap(),
        received(&app, &wallet(), &second).await.unwrap(),
    );
    let text = presentation(&app, &world, &one, &names(), Map::new());
    // A response to the one request, brought to the other's address: encrypted to another key.
    let token = VpToken::new().with("c0", vec![Presentation::Text(text.clone())]);
    let mut crossed = one
        .present(&token, app.app.now(), &Native::new(), &mut OsEntropy)
        .unwrap();
    crossed.url = two.request.response_uri.clone();
    let refused = send(&app, &crossed).await;
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_request"))
    );
    let garbage = HttpRequest {
        body: Some("response=x.y.z.a.b".to_owned()),
        ..crossed.clone()
    };
    assert_eq!(send(&app, &garbage).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        read(&app, &world, &second).await["state"],
        "fetched",
        "what is no answer settles nothing"
    );
    // A presentation made for the first, as answer to the second: read, and not believed.
    let wrong = answer(&app, &two, text.clone()).await;
    assert_eq!(
        (wrong.status, wrong.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_request"))
    );
    let open = read(&app, &world, &second).await;
    assert_eq!(
        (
            open["state"].as_str(),
            open["answer"]["error"].as_str(),
            &open["wrong_answers"]
        ),
        (Some("fetched"), Some("no_match"), &json!(1)),
        "{open}"
    );
    answer(&app, &one, text.clone()).await.expect(StatusCode::OK);
    let again = answer(&app, &one, text).await;
    assert_eq!(
        (again.status, again.problem().as_str()),
        (StatusCode::NOT_FOUND, "not-found"),
        "answered once"
    );
    // What is asked for and not shown is no answer.
    let third = ask(&app, &world.airline, &asked()).await;
    let three = received(&app, &wallet(), &third).await.unwrap();
    let empty = presentation(&app, &world, &three, &[], Map::new());
    assert_eq!(answer(&app, &three, empty).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(read(&app, &world, &third).await["answer"]["error"], "no_match");
    let withdrawn = ask(&app, &world.airline, &asked()).await;
    let path = format!("/v1/presentations/{}", withdrawn["id"].as_str().unwrap());
    app.ask(Method::DELETE, &path, Some(&world.airline.key), None)
        .await
        .expect(StatusCode::OK);
    let gone = app
        .get(
            &format!("/presentations/{}/request", withdrawn["id"].as_str().unwrap()),
            None,
        )
        .await;
    assert_eq!(gone.problem(), "not-found");
}

/// Without OpenID4VP: a nonce of `/v1/presentation-requests`, signed in the key binding.
async fn a_copy_with_key_binding_answers_a_plain_request_once(app: TestApp) {
    let world = world(&app).await;
    anchored(&app, &world).await;
    let request = app
        .post(
            "/v1/presentation-requests",
            Some(&world.airline.key),
            &json!({"purpose": "boarding"}),
        )
        .await;
    let request = request.expect(StatusCode::CREATED);
    let native = Native::new();
    let held = SdJwt::parse(&world.copy).unwrap();
    let places = held.process(&native).unwrap().choose(&names()).unwrap();
    let draft = key_binding::Draft {
        audience: request["audience"].as_str().unwrap(),
        nonce: request["nonce"].as_str().unwrap(),
        issued_at: app.app.now(),
        more: Map::new(),
    };
    let unsigned = draft.prepare(held.present(&places), Algorithm::Es256, &native);
    let signature = world.key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    let text = unsigned.finish(&signature);
    for (verdict, reason) in [("valid", "nonce_ok"), ("invalid", "nonce_mismatch")] {
        let (found, reasons) = app.check(&world.airline.key, &text).await;
        assert_eq!(found, verdict, "{reasons:?}");
        assert!(reasons.iter().any(|found| found == reason), "{reasons:?}");
    }
}

async fn on_the_same_device_the_browser_has_to_come_back(app: TestApp) {
    let world = world(&app).await;
    let mut body = asked();
    body["return_uri"] = json!("https://donau-air.example/back?flight=7");
    let view = ask(&app, &world.airline, &body).await;
    let session = view["session"].as_str().unwrap();
    let incoming = received(&app, &wallet(), &view).await.unwrap();
    let text = presentation(&app, &world, &incoming, &names(), Map::new());
    let told = answer(&app, &incoming, text).await.expect(StatusCode::OK);
    let back = told["redirect_uri"].as_str().unwrap();
    let code = back
        .strip_prefix("https://donau-air.example/back?flight=7&response_code=")
        .unwrap();
    let before = read(&app, &world, &view).await;
    assert_eq!(
        (before["state"].as_str(), &before["answer"]),
        (Some("answered"), &Value::Null),
        "nobody came back"
    );
    let confirm = async |code: &str, session: &str| {
        let path = format!("/v1/presentations/{}/confirmation", view["id"].as_str().unwrap());
        app.post(
            &path,
            Some(&world.airline.key),
            &json!({"response_code": code, "session": session}),
        )
        .await
    };
    assert_eq!(confirm("guess", session).await.problem(), "other-session");
    assert_eq!(confirm(code, "another-browser").await.problem(), "other-session");
    let confirmed = confirm(code, session).await.expect(StatusCode::OK);
    assert!(
        confirmed["answer"]["credentials"][0]["attributes"]["family_name"].is_string(),
        "{confirmed}"
    );
}

async fn a_holder_declines_and_an_airline_that_was_suspended_reads_nothing(app: TestApp) {
    let world = world(&app).await;
    let (first, second) = (
        ask(&app, &world.airline, &asked()).await,
        ask(&app, &world.airline, &asked()).await,
    );
    let incoming = received(&app, &wallet(), &first).await.unwrap();
    let declined = incoming
        .decline(ErrorCode::AccessDenied, &Native::new(), &mut OsEntropy)
        .unwrap();
    send(&app, &declined).await.expect(StatusCode::OK);
    let read_first = read(&app, &world, &first).await;
    assert_eq!(
        (read_first["state"].as_str(), read_first["answer"]["error"].as_str()),
        (Some("declined"), Some("access_denied"))
    );

    let incoming = received(&app, &wallet(), &second).await.unwrap();
    let path = format!("/v1/participants/{}/suspend", world.airline.id);
    app.post(&path, Some(&world.authority), &json!({"reason": "accreditation-lost"}))
        .await
        .expect(StatusCode::OK);
    app.until("the suspension is on the ledger", async || {
        let refused = app.post("/v1/presentations", Some(&world.airline.key), &asked()).await;
        refused.status == StatusCode::FORBIDDEN
    })
    .await;
    let text = presentation(&app, &world, &incoming, &names(), Map::new());
    let late = answer(&app, &incoming, text).await;
    let unknown = app
        .send(
            Request::builder()
                .method(Method::POST)
                .uri("/presentations/00000000-0000-4000-8000-000000000000/response")
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from("error=access_denied&state=x"))
                .unwrap(),
        )
        .await;
    assert_eq!(
        late.comparable(),
        unknown.comparable(),
        "as if there were no such request"
    );
    let id = first["id"].as_str().unwrap();
    let read = app
        .get(&format!("/v1/presentations/{id}"), Some(&world.airline.key))
        .await;
    assert_eq!(read.status, StatusCode::FORBIDDEN);
}

async fn a_payment_is_authorised_with_the_presentation(app: TestApp) {
    let world = world(&app).await;
    let mut body = asked();
    body["transaction_data"] =
        json!([{"type": "urn:example:payment", "credential_ids": ["c0"], "amount": "12.00 EUR"}]);
    let mut wallet = wallet();
    wallet.transaction_types = vec![vidimus_openid4vc::vp::TransactionType {
        name: "urn:example:payment".into(),
        members: vec![vidimus_openid4vc::vp::MemberRule {
            name: "amount".into(),
            kind: vidimus_openid4vc::vp::MemberKind::Text,
            required: true,
        }],
    }];
    for (authorises, state, status) in [
        (true, "answered", StatusCode::OK),
        (false, "fetched", StatusCode::BAD_REQUEST),
    ] {
        let view = ask(&app, &world.airline, &body).await;
        let incoming = received(&app, &wallet, &view).await.unwrap();
        let data: Vec<&TransactionData> = incoming.request.transaction_data.iter().collect();
        let claims = if authorises {
            TransactionData::claims(&data, &Native::new())
        } else {
            Map::new()
        };
        let text = presentation(&app, &world, &incoming, &names(), claims);
        assert_eq!(answer(&app, &incoming, text).await.status, status);
        let read = read(&app, &world, &view).await;
        assert_eq!(read["state"], state, "{read}");
        assert_eq!(read["answer"]["transaction_data"] == "authorised", authorises);
    }
}
