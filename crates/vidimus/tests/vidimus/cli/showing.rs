//! A traveller shows certificates: to verifiers that are known in each way, with what is authorised, and without being asked.

use super::{
    claiming::{api_key, asked, claim, claimed, everything, offered, permitted},
    place::{Deployment, content_id, fhir, read, text},
};
use crate::server::{Api, free_port};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
};

fn body() -> Value {
    json!({
        "purpose": "boarding", "retention_seconds": 0,
        "credentials": [{"category": "sars-cov-2-naat", "attributes": ["family_name"]}],
    })
}

/// What the airline has of an answer.
async fn seen(server: &Deployment, api: &Api, request: &Value) -> Value {
    let path = format!("/v1/presentations/{}", text(request, "/id"));
    api.get(Some(&api_key(server, "verifier")), &path).await
}

#[tokio::test]
async fn verifiers_are_known_by_their_certificate_their_host_or_their_did() {
    let port = free_port();
    let public = format!("http://localhost:{port}");
    let server = Deployment::known_as(&public, port);
    server.with_participants();
    let api = claimed(&server, &public, "P1234567", "dc+sd-jwt", "3").await;
    for (client, prefix) in [
        ("x509_hash", "x509_hash:"),
        ("x509_san_dns", "x509_san_dns:localhost"),
        ("decentralized_identifier", "decentralized_identifier:did:ethr:"),
    ] {
        for post in [false, true] {
            let mut body = body();
            body["client"] = client.into();
            body["post"] = post.into();
            let request = api
                .post(Some(&api_key(&server, "verifier")), "/v1/presentations", &body)
                .await;
            let link = text(&request, "/link");
            let said = server.ask(&["wallet", "request", &link, "--loopback", "--yes"]).json();
            let verifier = &said["consent"]["verifier"];
            assert!(text(verifier, "/client_id").starts_with(prefix), "{verifier}");
            assert_eq!(
                (&verifier["name"], &verifier["standing"]),
                (&json!("Danube Air"), &json!("admitted"))
            );
            let seen = seen(&server, &api, &request).await;
            assert_eq!(
                seen["answer"]["credentials"][0]["attributes"],
                json!({"family_name": "Musterfrau"}),
                "{client}: {seen}"
            );
        }
    }
    // HAIP 1.0 knows the first alone.
    let mut body = body();
    body["client"] = "x509_san_dns".into();
    let request = api
        .post(Some(&api_key(&server, "verifier")), "/v1/presentations", &body)
        .await;
    let haip = [
        "wallet",
        "request",
        &text(&request, "/link"),
        "--loopback",
        "--haip",
        "--yes",
    ];
    server.ask(&haip).refused(4, &["nothing was sent"]);
}

#[tokio::test]
async fn what_is_authorised_is_shown_whole_and_bound_to_the_presentation() {
    let server = Deployment::serve();
    server.with_participants();
    let api = claimed(&server, &server.url, "P1234567", "dc+sd-jwt", "2").await;
    let mut body = body();
    let what = format!(
        "Seat 12A, {}, 12.00 EUR",
        "with a window and room for the legs, ".repeat(12)
    );
    body["transaction_data"] = json!([{"type": "urn:danube-air:seat", "credential_ids": ["c0"], "what": what}]);
    let request = api
        .post(Some(&api_key(&server, "verifier")), "/v1/presentations", &body)
        .await;
    let answer = ["wallet", "request", &text(&request, "/link"), "--loopback"];
    server.ask(&answer).refused(4, &["unknown type", "nothing was sent"]);
    let types = |members: Value| json!([{"name": "urn:danube-air:seat", "members": members}]).to_string();
    let known = [&answer[..], &["--transaction-types", "types.json"]].concat();
    server.ask(&known).refused(2, &["types.json"]);
    server.write(
        "types.json",
        &types(json!([{"name": "what", "kind": "integer", "required": true}])),
    );
    server.ask(&known).refused(4, &["form of their type"]);
    server.write(
        "types.json",
        &types(json!([{"name": "what", "kind": "text", "required": true}])),
    );
    let shown = server.ask(&known).json();
    assert_eq!(shown["consent"]["authorise"][0]["members"]["what"], what.as_str());
    let people = server.run(&known);
    assert!(people.out.contains(&what), "all of it, however long: {}", people.out);
    server.ask(&[&known[..], &["--yes"]].concat()).json();
    let seen = seen(&server, &api, &request).await;
    assert_eq!(
        (&seen["state"], &seen["answer"]["transaction_data"]),
        (&json!("answered"), &json!("authorised"))
    );
}

#[tokio::test]
async fn several_certificates_answer_where_several_are_asked_for() {
    let server = Deployment::serve();
    server.with_participants();
    claimed(&server, &server.url, "P1000001", "dc+sd-jwt", "1").await;
    let api = claimed(&server, &server.url, "P2000002", "dc+sd-jwt", "1").await;
    let vct = format!("{}/v1/types/sars-cov-2-naat", server.url);
    let body = json!({"purpose": "boarding", "retention_seconds": 0, "dcql_query": {"credentials": [{
        "id": "tests", "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "multiple": true,
        "claims": [{"path": ["family_name"]}],
    }]}});
    let request = api
        .post(Some(&api_key(&server, "verifier")), "/v1/presentations", &body)
        .await;
    let link = text(&request, "/link");
    let answer = ["wallet", "request", &link, "--loopback"];
    let people = server.run(&answer);
    assert!(people.out.contains("--use tests="), "{}", people.out);
    let both = [&answer[..], &["--use", "tests=c1", "--use", "tests=c2", "--yes"]].concat();
    let said = server.ask(&both).json();
    assert_eq!(said["shared"]["items"].as_array().unwrap().len(), 2, "{said}");
    let seen = seen(&server, &api, &request).await;
    assert_eq!(seen["answer"]["credentials"].as_array().unwrap().len(), 2, "{seen}");
}

#[tokio::test]
async fn the_browsers_answer_can_be_pasted() {
    let server = Deployment::serve();
    server.with_participants();
    let api = Api::new(server.url.clone());
    server.ask(&["wallet", "new"]).json();
    server.ask(&["wallet", "trust", &server.url, "--loopback"]).json();
    let pasted = async |passport: &str, change: &dyn Fn(&str) -> String| {
        let more = json!({"formats": ["dc+sd-jwt"], "pre_authorized": false});
        let offer = offered(&server, &api, passport, more).await;
        let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
        let claim = [
            "wallet",
            "offer",
            &link,
            "--loopback",
            "--haip",
            "--copies",
            "2",
            "--paste",
        ];
        let mut wallet = server
            .command(&claim)
            .arg("--json")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(wallet.stderr.take().unwrap()).lines();
        let page = lines
            .map(|line| line.unwrap())
            .find_map(|line| line.trim().starts_with("http").then(|| line.trim().to_owned()))
            .expect("it prints where to go");
        let address = reqwest::Url::parse(&page).unwrap();
        let names: Vec<_> = address.query_pairs().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(
            names,
            ["client_id", "request_uri"],
            "nothing else goes through the browser"
        );
        let (_, back) = permitted(&page, &code).await;
        let line = change(&back) + "\n";
        wallet.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
        read(wallet.wait_with_output().unwrap())
    };
    // An answer that is none, and one that says it is another issuer's.
    let nothing = pasted("P1000001", &|_| "I closed it".to_owned()).await;
    nothing.refused(2, &["nothing was claimed"]);
    let mixed = |back: &str| back.replace("iss=", "iss=https%3A%2F%2Fother.example%2F");
    pasted("P2000002", &mixed).await.refused(4, &["browser is not used"]);
    let list = server.ask(&["wallet", "list"]).json();
    assert_eq!((&list["claimed"], &list["waiting"]), (&json!([]), &json!(0)));
    let claimed = pasted("P3000003", &|back| format!("  {back}")).await.json();
    assert_eq!(claimed["claimed"][0]["copies"], 2, "{claimed}");
    // HAIP from end to end: what was claimed so is shown so, encrypted, under the certificate's hash.
    let request = asked(&server, &api).await;
    let answer = [
        "wallet",
        "request",
        &text(&request, "/link"),
        "--loopback",
        "--haip",
        "--yes",
    ];
    assert_eq!(server.ask(&answer).json()["outcome"], "presented");
}

/// What was issued to the wallet's own DID, and not to a key for one verifier, answers too: whole, and under that DID.
#[tokio::test]
async fn a_certificate_of_the_holders_did_answers_a_request() {
    let server = Deployment::serve();
    server.with_participants();
    let api = Api::new(server.url.clone());
    let everything = everything();
    let mut admit = vec!["--purpose", "border"];
    admit.extend(everything.iter().flat_map(|name| ["--attribute", name.as_str()]));
    server.admit("verifier", "Border Police", "border.key", &admit);
    server.ask(&["wallet", "new"]).json();
    server.ask(&["wallet", "trust", &server.url, "--loopback"]).json();
    server.keep("card.jwt", server.run(&["wallet", "card"]));
    server.write("fhir.json", &fhir());
    let issue = [
        "issue",
        "--fhir",
        "fhir.json",
        "--format",
        "vc-jwt-1.1",
        "--card",
        "card.jwt",
        "--wait",
    ];
    let issued = server
        .ask(&[&issue[..], &["--api-key-file", "issuer.key"]].concat())
        .json();
    let content = content_id(&issued, "vc-jwt-1.1");
    server
        .ask(&["wallet", "receive", &content, "--from", &server.url])
        .json();
    let signed = server.ask(&["wallet", "counter-sign", "1", "--loopback"]).json();
    assert_eq!(signed["told"], 1, "the laboratory knows");
    let types = ["https://www.w3.org/2018/credentials#VerifiableCredential"];
    let ask = async |key: &str, purpose: &str| {
        let query = json!({"credentials": [{"id": "test", "format": "jwt_vc_json", "meta": {"type_values": [types]}}]});
        let body = json!({"purpose": purpose, "retention_seconds": 0, "dcql_query": query});
        api.send(Some(key), "POST", "/v1/presentations", Some(&body), "")
            .await
            .unwrap()
    };
    let nosy = ask(&api_key(&server, "verifier"), "boarding").await;
    assert_eq!(nosy.0, reqwest::StatusCode::FORBIDDEN, "it may not see all of it");
    let key = api_key(&server, "border");
    let (_, request) = ask(&key, "border").await;
    let link = text(&request, "/link");
    let answer = ["wallet", "request", &link, "--loopback", "--use", "test=1"];
    let people = server.run(&answer);
    let said = format!("{}{}", people.out, people.err);
    assert!(people.out.contains("names you by your DID"), "{said}");
    server
        .ask(&[&answer[..], &["--yes"]].concat())
        .refused(4, &["only be shown whole"]);
    server.ask(&[&answer[..], &["--whole", "--yes"]].concat()).json();
    let path = format!("/v1/presentations/{}", text(&request, "/id"));
    let seen = api.get(Some(&key), &path).await;
    assert_eq!(
        (seen["state"].as_str(), seen["answer"]["verdict"].as_str()),
        (Some("answered"), Some("valid")),
        "{seen}"
    );
    let attributes = &seen["answer"]["credentials"][0]["attributes"];
    assert_eq!(attributes["family_name"], "Achleitner-Sørby", "{seen}");
}

/// Whom a directory names is believed without a deployment that the wallet trusts.
#[tokio::test]
async fn a_directory_says_whom_a_wallet_trusts() {
    let server = Deployment::serve();
    server.with_participants();
    let api = Api::new(server.url.clone());
    server.ask(&["wallet", "new"]).json();
    claim(&server, &api, "P1234567", "dc+sd-jwt", "2").await;
    let request = api
        .post(Some(&api_key(&server, "verifier")), "/v1/presentations", &body())
        .await;
    let link = text(&request, "/link");
    let look = ["wallet", "request", &link, "--loopback", "--unregistered"];
    server.ask(&look).refused(4, &["certificate is not accepted"]);
    let vouched = |more: &[&str]| {
        let list = server.ask(&[&["wallet", "list"], more].concat()).json();
        list["claimed"][0]["vouched"].as_bool().unwrap()
    };
    assert!(!vouched(&[]));

    let root = api.client.get(format!("{}/v1/trust/root", server.url)).send().await;
    let root = root.unwrap().text().await.unwrap();
    for role in ["issuers", "verifiers"] {
        std::fs::create_dir_all(server.path("trusted").join(role)).unwrap();
    }
    server
        .ask(&[&look[..], &["--trust", "nowhere"]].concat())
        .refused(2, &["nowhere"]);
    // Each role has its own: who may issue may not ask.
    server.write("trusted/issuers/root.pem", &root);
    assert!(vouched(&["--trust", "trusted"]));
    assert!(!vouched(&[]), "it is said each time");
    server
        .ask(&[&look[..], &["--trust", "trusted"]].concat())
        .refused(4, &["certificate is not accepted"]);
    server.write("trusted/verifiers/root.pem", &root);
    let agree = ["--yes", "--trust", "trusted"];
    let shown = server.ask(&[&look[..], &agree].concat()).json();
    assert_eq!(shown["consent"]["verifier"]["name"], "CN=Danube Air,O=Danube Air,C=AT");
    let seen = seen(&server, &api, &request).await;
    assert_eq!(seen["state"], "answered", "{seen}");
    server.write("trusted/verifiers/broken.pem", "-----BEGIN CERTIFICATE-----");
    server
        .ask(&["wallet", "list", "--trust", "trusted"])
        .refused(2, &["broken.pem"]);
}
