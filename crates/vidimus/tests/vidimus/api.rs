//! What HTTP itself promises: caching, pages, retries, JSON-RPC's guard, metrics without ids, the audit log.

use crate::harness::{Participant, TestApp, airline, laboratory, result};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Value, json};

async fn with_laboratory(more: &str) -> (TestApp, String, Participant) {
    let app = TestApp::with(more).await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    (app, authority, laboratory)
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_payloads_are_cached_by_tag_and_read_from_any_page() {
    let (app, ..) = with_laboratory("").await;
    for (path, kind) in [
        ("/v1/status/1/token", "application/statuslist+jwt"),
        ("/v1/status/1/bitstring/revocation", "application/vc+jwt"),
        ("/v1/status/1/bitstring/suspension", "application/vc+jwt"),
    ] {
        let answer = app.get(path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], kind);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "public, max-age=300");
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(answer.text().split('.').count(), 3);
        let tag = answer.headers[header::ETAG].clone();
        let again = Request::get(path)
            .header(header::IF_NONE_MATCH, tag)
            .body(Body::empty())
            .unwrap();
        let again = app.send(again).await;
        assert_eq!(
            (again.status, again.body.len()),
            (StatusCode::NOT_MODIFIED, 0),
            "{path}"
        );
        let other = Request::get(path)
            .header(header::IF_NONE_MATCH, "\"other\"")
            .body(Body::empty())
            .unwrap();
        assert_eq!(app.send(other).await.status, StatusCode::OK);
    }
    for path in [
        "/v1/status/1/bitstring/refresh",
        "/v1/status/2/token",
        "/v1/status/-1/token",
        "/v1/status/x/token",
    ] {
        assert_eq!(app.get(path, None).await.problem(), "not-found", "{path}");
    }
    let root = app.get("/v1/trust/root", None).await;
    assert!(root.text().starts_with("-----BEGIN CERTIFICATE-----"));
    let context = app.get("/contexts/certificate/v1", None).await;
    assert_eq!(context.headers[header::CONTENT_TYPE], "application/ld+json");
    assert!(context.json()["@context"].is_object());
    let issuers = app.get("/v1/registry/issuers", None).await.expect(StatusCode::OK);
    assert_eq!(issuers["items"].as_array().unwrap().len(), 1);
    // Private answers stay out of caches, and of other origins' reach.
    let private = app.get("/v1/profile", None).await;
    assert_eq!(private.headers[header::CACHE_CONTROL], "no-store");
    assert!(!private.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_sent_again_is_done_once() {
    let (app, _, laboratory) = with_laboratory("").await;
    let send = async |key: &str, body: &Value| {
        let request = Request::post("/v1/results")
            .header(header::AUTHORIZATION, format!("Bearer {}", laboratory.key))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body.to_string()))
            .unwrap();
        app.send(request).await
    };
    let body = result("P1234567");
    let first = send("one", &body).await.expect(StatusCode::CREATED);
    let again = send("one", &body).await.expect(StatusCode::CREATED);
    assert_eq!(first["certificate"], again["certificate"]);
    assert_eq!(first["copies"], again["copies"]);
    let other = send("one", &result("P7654321")).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "{}", other.text());
    let doubled = send("two", &body).await;
    assert_eq!(
        doubled.status,
        StatusCode::CONFLICT,
        "one valid certificate of a kind: {}",
        doubled.text()
    );
    for key in ["", "a b", &"x".repeat(256)] {
        assert_eq!(send(key, &body).await.problem(), "idempotency-key", "{key:?}");
    }
    let listed = app
        .get("/v1/results", Some(&laboratory.key))
        .await
        .expect(StatusCode::OK);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_is_made_twice_is_made_once() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let send = async |path: &str, key: &str, body: &Value| {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {authority}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body.to_string()))
            .unwrap();
        app.send(request).await
    };
    let admission = crate::harness::laboratory("Laboratory");
    let first = send("/v1/participants", "admit-1", &admission)
        .await
        .expect(StatusCode::CREATED);
    let again = send("/v1/participants", "admit-1", &admission)
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(first, again, "the same answer, with the same API key");
    let all = app
        .get("/v1/participants?role=issuer", Some(&authority))
        .await
        .expect(StatusCode::OK);
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    let other = send("/v1/participants", "admit-1", &crate::harness::laboratory("Other")).await;
    assert_eq!(
        (other.status, other.problem().as_str()),
        (StatusCode::CONFLICT, "idempotency-key-reused")
    );
    let new = json!({"permissions": ["read"], "days": 1});
    let elsewhere = send("/v1/api-keys", "admit-1", &new).await;
    assert_eq!(
        elsewhere.problem(),
        "idempotency-key-reused",
        "a key stands for one operation"
    );
    let wrong = json!({"permissions": ["read"], "days": 0});
    assert_eq!(
        send("/v1/api-keys", "key-1", &wrong).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let made = send("/v1/api-keys", "key-1", &new).await.expect(StatusCode::CREATED);
    assert_eq!(
        send("/v1/api-keys", "key-1", &new).await.expect(StatusCode::CREATED),
        made
    );

    // Another key of the same participant is not given the secret that this one made.
    let restricted = json!({"permissions": ["read", "admin"], "days": 1});
    let other = app
        .post("/v1/api-keys", Some(&authority), &restricted)
        .await
        .expect(StatusCode::CREATED);
    let request = Request::post("/v1/api-keys")
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", other["secret"].as_str().unwrap()),
        )
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", "key-1")
        .body(Body::from(new.to_string()))
        .unwrap();
    assert_eq!(app.send(request).await.problem(), "idempotency-key-reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_listed_page_by_page() {
    let (app, authority, laboratory) = with_laboratory("").await;
    let other = app.admit(&authority, &crate::harness::laboratory("Other")).await;
    for number in 0..5 {
        let body = result(&format!("P100000{number}"));
        app.post("/v1/results", Some(&laboratory.key), &body)
            .await
            .expect(StatusCode::CREATED);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for page in 0.. {
        assert!(page < 3, "three pages of two");
        let path = format!("/v1/results?limit=2{cursor}");
        let answer = app.get(&path, Some(&laboratory.key)).await.expect(StatusCode::OK);
        seen.extend(
            answer["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["result"].as_str().unwrap().to_owned()),
        );
        match answer["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    let one = app
        .get(&format!("/v1/results/{}", seen[0]), Some(&laboratory.key))
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        (&one["state"], &one["certificate"]["status"]),
        (&json!("live"), &json!("valid"))
    );
    let foreign = app.get("/v1/results", Some(&other.key)).await.expect(StatusCode::OK);
    assert_eq!(foreign["items"], json!([]));
    for (query, name) in [("cursor=x", "cursor"), ("limit=x", "query"), ("page=1", "query")] {
        let answer = app.get(&format!("/v1/results?{query}"), Some(&laboratory.key)).await;
        assert_eq!(answer.problem(), name, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paper_copy_is_drawn_and_revoking_shows_at_once() {
    let (app, _, laboratory) = with_laboratory("").await;
    let made = app
        .post("/v1/results", Some(&laboratory.key), &result("P1234567"))
        .await
        .expect(StatusCode::CREATED);
    let path = format!("/v1/copies/{}/paper", made["copies"][0]["id"].as_str().unwrap());
    let svg = app.get(&path, Some(&laboratory.key)).await;
    assert_eq!(svg.headers[header::CONTENT_TYPE], "image/svg+xml");
    assert!(svg.text().contains("<svg"));
    assert_eq!(svg.headers[header::CACHE_CONTROL], "no-store");
    let png = app.get(&format!("{path}?form=png"), Some(&laboratory.key)).await;
    assert!(png.body.starts_with(b"\x89PNG"));
    let text = app.get(&format!("{path}?form=text"), Some(&laboratory.key)).await;
    assert!(text.text().starts_with("HC1:"));
    assert_eq!(
        app.get(&format!("{path}?form=gif"), Some(&laboratory.key))
            .await
            .problem(),
        "query"
    );

    let before = app.get("/v1/status/1/token", None).await;
    let path = format!("/v1/certificates/{}", made["certificate"].as_str().unwrap());
    let wrong = app
        .post(
            &format!("{path}/revoke"),
            Some(&laboratory.key),
            &json!({"reason": "Mrs Miller asked"}),
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let revoked = app
        .post(
            &format!("{path}/revoke"),
            Some(&laboratory.key),
            &json!({"reason": "error"}),
        )
        .await;
    assert_eq!(revoked.expect(StatusCode::OK)["status"], "revoked");
    let after = app.get("/v1/status/1/token", None).await;
    assert_ne!(before.headers[header::ETAG], after.headers[header::ETAG]);
    assert_ne!(before.text(), after.text());
}

fn rpc(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_read_by_anybody_and_written_with_a_key() {
    let (app, authority, laboratory) = with_laboratory("").await;
    let id = app
        .post("/rpc", None, &rpc("eth_chainId", json!([])))
        .await
        .expect(StatusCode::OK);
    assert_eq!(id["result"], "0x56494d");
    let send = rpc("eth_sendRawTransaction", json!(["0x02"]));
    let anonymous = app.post("/rpc", None, &send).await.expect(StatusCode::OK);
    let with_key = app.post("/rpc", Some(&authority), &send).await.expect(StatusCode::OK);
    let reading = json!({"permissions": ["read"], "days": 1});
    let reading = app.post("/v1/api-keys", Some(&laboratory.key), &reading).await;
    let reading = reading.expect(StatusCode::CREATED)["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let without_permission = app.post("/rpc", Some(&reading), &send).await.expect(StatusCode::OK);
    assert!(anonymous["error"]["code"].is_i64() && with_key["error"]["code"].is_i64());
    assert_ne!(
        anonymous["error"], with_key["error"],
        "the guard speaks before the ledger does"
    );
    assert_eq!(
        without_permission["error"], anonymous["error"],
        "a key without the permission sends nothing"
    );
    assert_eq!(
        app.post("/rpc", Some("vk_wrong"), &send).await.problem(),
        "api-key-not-accepted"
    );
    let garbage = Request::post("/rpc").body(Body::from("garbage")).unwrap();
    assert_eq!(app.send(garbage).await.expect(StatusCode::OK)["error"]["code"], -32700);
    let huge = Request::post("/rpc").body(Body::from(vec![b' '; 2 << 20])).unwrap();
    assert_eq!(app.send(huge).await.problem(), "too-large");

    let private = TestApp::with("[ledger]\nrpc_public_reads = false\n").await;
    let refused = private.post("/rpc", None, &rpc("eth_chainId", json!([]))).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (StatusCode::UNAUTHORIZED, "no-api-key")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_fixed_labels_and_no_ids() {
    let (app, authority, laboratory) = with_laboratory("").await;
    let made = app
        .post("/v1/results", Some(&laboratory.key), &result("P1234567"))
        .await
        .expect(StatusCode::CREATED);
    let certificate = made["certificate"].as_str().unwrap();
    app.get(&format!("/v1/certificates/{certificate}"), Some(&laboratory.key))
        .await
        .expect(StatusCode::OK);
    assert_eq!(app.get("/metrics", None).await.problem(), "no-api-key");
    let text = app.get("/metrics", Some(&authority)).await.text();
    for needed in [
        "vidimus_http_requests_total{operation=\"ReportResult\",status=\"2xx\"} 1",
        "vidimus_http_request_duration_seconds_bucket{operation=\"ReadCertificate\",le=\"+Inf\"} 1",
        "vidimus_outbox_depth ",
        "vidimus_oldest_unanchored_seconds ",
        "vidimus_audit_head_age_seconds ",
        "vidimus_ledger_up 1",
        "vidimus_disk_free_mebibytes ",
    ] {
        assert!(text.contains(needed), "{needed} is not in:\n{text}");
    }
    let ids = [
        certificate,
        made["result"].as_str().unwrap(),
        &laboratory.id,
        "Laboratory",
        "/v1/",
    ];
    assert!(ids.iter().all(|id| !text.contains(id)), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("vidimus_") && value.parse::<f64>().is_ok(), "{line}");
    }
    let open = TestApp::with("[server]\nmetrics_public = true\n").await;
    assert_eq!(open.get("/metrics", None).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_reads_who_did_what_and_that_nothing_is_missing() {
    let (app, authority, laboratory) = with_laboratory("").await;
    app.post("/v1/results", Some(&laboratory.key), &result("P1234567"))
        .await
        .expect(StatusCode::CREATED);
    let log = app.get("/v1/audit", Some(&authority)).await.expect(StatusCode::OK);
    let entries = log["items"].as_array().unwrap();
    let operations: Vec<_> = entries
        .iter()
        .map(|entry| entry["operation"].as_str().unwrap())
        .collect();
    assert!(
        ["set-up", "admit", "report"]
            .iter()
            .all(|wanted| operations.contains(wanted)),
        "{operations:?}"
    );
    let by_laboratory = entries.iter().find(|entry| entry["operation"] == "report").unwrap();
    assert_eq!(by_laboratory["actor"], json!(laboratory.id));
    let page = app
        .get("/v1/audit?after=1&limit=1", Some(&authority))
        .await
        .expect(StatusCode::OK);
    assert_eq!((&page["items"][0]["sequence"], &page["next"]), (&json!(2), &json!(2)));
    let verdict = app
        .get("/v1/audit/verification", Some(&authority))
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        (&verdict["whole"], &verdict["entries"]),
        (&json!(true), &json!(entries.len()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_ready_and_says_so_part_by_part() {
    let app = TestApp::new().await;
    let ready = app.get("/readyz", None).await.expect(StatusCode::OK);
    assert_eq!(
        ready,
        json!({"status": "ready", "parts": {"database": "ok", "disk": "ok", "keys": "ok", "ledger": "ok", "anchoring": "ok", "jobs": "ok"}})
    );
    let tight = TestApp::with("[server.limits]\ndisk_headroom_mib = 1000000000\n").await;
    let answer = tight.get("/readyz", None).await;
    assert_eq!(answer.problem(), "not-ready");
    assert_eq!(answer.json()["errors"][0]["pointer"], "disk");
    app.guard.stop();
    assert_eq!(app.get("/readyz", None).await.problem(), "not-ready");
    assert_eq!(app.get("/livez", None).await.headers[header::CONNECTION], "close");
    // HEAD is answered like GET, without a body.
    let head = app.ask(Method::HEAD, "/livez", None, None).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_asks_only_for_what_it_is_admitted_for() {
    let (app, authority, laboratory) = with_laboratory("").await;
    let airline = app.admit(&authority, &airline("Airline")).await;
    let made = app
        .post("/v1/results", Some(&laboratory.key), &result("P1234567"))
        .await
        .expect(StatusCode::CREATED);
    let path = format!(
        "/v1/copies/{}/paper?form=text",
        made["copies"][0]["id"].as_str().unwrap()
    );
    let paper = app.get(&path, Some(&laboratory.key)).await.text();
    let checked = app
        .post(
            "/v1/checks",
            Some(&airline.key),
            &json!({"input": paper, "purpose": "boarding"}),
        )
        .await;
    let checked = checked.expect(StatusCode::OK);
    let shown = checked["attributes"].as_object().unwrap();
    assert!(shown.keys().all(|name| name == "family_name"), "{checked}");
    for (body, status) in [
        (json!({"input": paper, "purpose": "marketing"}), StatusCode::FORBIDDEN),
        (
            json!({"input": paper, "purpose": "boarding", "attributes": ["birth_date"]}),
            StatusCode::FORBIDDEN,
        ),
    ] {
        assert_eq!(
            app.post("/v1/checks", Some(&airline.key), &body).await.status,
            status,
            "{body}"
        );
    }
    let request = app
        .post(
            "/v1/presentation-requests",
            Some(&airline.key),
            &json!({"purpose": "boarding"}),
        )
        .await;
    assert!(request.expect(StatusCode::CREATED)["nonce"].as_str().unwrap().len() >= 43);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_did_changes_by_its_owner_s_signature_alone() {
    let app = TestApp::new().await;
    let account = format!("0x{}", "11".repeat(20));
    let change = |signature: String| json!({"identity": account, "change": {"kind": "change_owner", "owner": format!("0x{}", "22".repeat(20))}, "signature": signature});
    let forged = app
        .post("/v1/dids/changes", None, &change(format!("0x{}", "01".repeat(65))))
        .await;
    assert_eq!(
        (forged.status, forged.problem().as_str()),
        (StatusCode::FORBIDDEN, "did-change")
    );
    assert_eq!(
        app.post("/v1/dids/changes", None, &change("0x01".into()))
            .await
            .problem(),
        "signature"
    );

    use vidimus_core::Signer as _;
    let provider = vidimus_crypto::Native::new();
    let key = vidimus_crypto::SigningKey::generate(vidimus_crypto::KeyKind::Secp256k1, &mut vidimus_crypto::OsEntropy);
    let identity = key.public_key().address(&provider).unwrap();
    let new_owner = vidimus_core::Address([0x22; 20]);
    let hash = vidimus_ledger::contracts::dids::Change::Owner(new_owner).hash(app.app.contracts.dids, 0, identity);
    let signature = key.sign_digest(&hash).unwrap();
    let body = json!({
        "identity": identity.to_string(),
        "change": {"kind": "change_owner", "owner": new_owner.to_string()},
        "signature": vidimus_core::encoding::hex(&signature),
    });
    let relayed = app
        .post("/v1/dids/changes", None, &body)
        .await
        .expect(StatusCode::ACCEPTED);
    assert!(relayed["transaction"].as_str().unwrap().starts_with("0x"));
    app.until("a replay is refused", async || {
        app.post("/v1/dids/changes", None, &body).await.status == StatusCode::FORBIDDEN
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_reads_which_contracts_on_which_chain() {
    let app = TestApp::new().await;
    let deployment = app.get("/v1/deployment", None).await.expect(StatusCode::OK);
    assert_eq!(deployment["chain_id"], 5_654_861);
    assert_eq!(deployment["confirmations"], 0);
    // What it says is so: there is code at each contract, and the operator has sent what made them.
    let call = async |method: &str, params: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        app.post("/rpc", None, &body).await.expect(StatusCode::OK)["result"].clone()
    };
    for name in ["issuers", "verifiers", "dids", "anchors"] {
        let code = call("eth_getCode", json!([deployment["contracts"][name], "latest"])).await;
        assert!(code.as_str().unwrap().len() > 100, "{name}: {deployment}");
    }
    let sent = call(
        "eth_getTransactionCount",
        json!([deployment["accounts"]["operator"], "latest"]),
    )
    .await;
    assert_eq!(sent, "0x5");
    let sent = call(
        "eth_getTransactionCount",
        json!([deployment["accounts"]["anchorer"], "latest"]),
    )
    .await;
    assert_eq!(sent, "0x0");
}
