//! A traveller claims what the laboratory offers, answers the airline, and has a backup: the wallet's command line against a server.

use super::place::{Deployment, read, text, until};
use crate::{harness::result, server::Api};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::Stdio,
};
use vidimus_credential::{category::Categories, format::qr::QrCode};

/// The API key of a role, as the command line keeps it.
pub fn api_key(server: &Deployment, role: &str) -> String {
    server.read(&format!("{role}.key")).trim().to_owned()
}

/// The laboratory offers a result.
pub async fn offered(server: &Deployment, api: &Api, passport: &str, more: Value) -> Value {
    let key = api_key(server, "issuer");
    let reported = api.post(Some(&key), "/v1/results", &result(passport)).await;
    let mut body = json!({"result": reported["result"]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    api.post(Some(&key), "/v1/offers", &body).await
}

/// A wallet that trusts the deployment at `public` and claims a certificate.
pub async fn claimed(server: &Deployment, public: &str, passport: &str, format: &str, copies: &str) -> Api {
    let api = Api::new(server.url.clone());
    if !server.path("wallet.vidimus").exists() {
        server.ask(&["wallet", "new"]).json();
        server.ask(&["wallet", "trust", public, "--loopback"]).json();
    }
    claim(server, &api, passport, format, copies).await;
    api
}

/// A wallet claims a certificate, whomever it trusts.
pub async fn claim(server: &Deployment, api: &Api, passport: &str, format: &str, copies: &str) {
    let offer = offered(server, api, passport, json!({"formats": [format]})).await;
    let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
    let claim = ["wallet", "offer", &link, "--loopback", "--code", &code];
    server.ask(&[&claim[..], &["--copies", copies]].concat()).json();
}

/// Names of all attributes that there are.
pub fn everything() -> BTreeSet<String> {
    let categories = Categories::built_in();
    let disclosures = categories.iter().flat_map(|category| category.disclosures());
    disclosures.map(|disclosure| disclosure.name.clone()).collect()
}

/// Waits until the wallet has the receipts of its first certificate's copies.
pub fn until_anchored(server: &Deployment, copies: u32) {
    until(|| {
        server
            .ask(&["wallet", "receipts", "--from", &server.url, "--loopback"])
            .json();
        server.ask(&["wallet", "list"]).json()["claimed"][0]["anchored"] == copies
    });
}

/// The airline asks for two attributes; one can be left out.
pub async fn asked(server: &Deployment, api: &Api) -> Value {
    let body = json!({
        "purpose": "boarding", "purpose_text": "Your flight to Lisbon", "retention_seconds": 0,
        "credentials": [{"category": "sars-cov-2-naat", "attributes": ["family_name"], "optional": ["result"]}],
    });
    api.post(Some(&api_key(server, "verifier")), "/v1/presentations", &body)
        .await
}

/// The person permits it on the issuer's page. The browser, and where it is sent back to.
pub async fn permitted(page: &str, code: &str) -> (reqwest::Client, String) {
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let opened = browser.get(page).send().await.unwrap();
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().to_owned();
    let shown = opened.text().await.unwrap();
    let form = shown.split("name=\"page\" value=\"").nth(1).unwrap();
    let form = form.split('"').next().unwrap();
    let answered = browser
        .post(page.split('?').next().unwrap())
        .header("cookie", cookie.split(';').next().unwrap())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("page={form}&code={code}"))
        .send()
        .await
        .unwrap();
    let back = answered.headers()["location"].to_str().unwrap().to_owned();
    (browser, back)
}

fn names(view: &Value) -> Vec<&str> {
    let attributes = view["consent"]["credentials"][0]["attributes"].as_array();
    let attributes = attributes.unwrap_or_else(|| panic!("{view}"));
    attributes.iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_traveller_claims_consents_and_keeps_a_backup() {
    let server = Deployment::serve();
    let (_, airline) = server.with_participants();
    let api = Api::new(server.url.clone());
    server.ask(&["wallet", "new"]).json();

    // An offer is looked at, and claimed with the code, from a picture.
    let offer = offered(&server, &api, "P1234567", json!({"formats": ["dc+sd-jwt"]})).await;
    let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
    server.ask(&["wallet", "offer", &link]).refused(4, &["http"]);
    let shown = server.ask(&["wallet", "offer", &link, "--loopback"]).json();
    assert_eq!(
        (&shown["offer"]["name"], &shown["claimed"]),
        (&json!("Labor Donauraum"), &json!([]))
    );
    assert_eq!(shown["offer"]["signed"], false, "nobody is trusted yet");
    let trusted = server.ask(&["wallet", "trust", &server.url, "--loopback"]).json();
    assert_eq!(trusted["verifiers"], 1);
    std::fs::write(server.path("offer.png"), QrCode::of_link(&link).unwrap().to_png(6)).unwrap();
    let wrong = format!("{:08}", (code.parse::<u64>().unwrap() + 1) % 100_000_000);
    server
        .ask(&["wallet", "offer", "offer.png", "--loopback", "--code", &wrong])
        .refused(4, &["invalid_grant"]);
    let claim = [
        "wallet",
        "offer",
        "offer.png",
        "--loopback",
        "--code",
        &code,
        "--copies",
        "2",
    ];
    let claimed = server.ask(&claim).json();
    assert_eq!(claimed["offer"]["signed"], true);
    assert_eq!(
        claimed["claimed"][0]["vouched"], true,
        "its issuer's certificate leads to the root"
    );
    assert_eq!(
        (&claimed["claimed"][0]["copies"], &claimed["claimed"][0]["number"]),
        (&json!(2), &json!("c1"))
    );
    server.ask(&claim).refused(4, &[]);
    let offers = api
        .get(
            Some(&api_key(&server, "issuer")),
            &format!("/v1/offers/{}", text(&offer, "/id")),
        )
        .await;
    assert_eq!(offers["state"], "claimed");
    until_anchored(&server, 2);
    // Its word that it has them is kept, and brought to the laboratory.
    let quietly = server.ask(&["wallet", "counter-sign", "c1", "--quietly"]).json();
    assert_eq!(
        (&quietly["counter_signed"], &quietly["told"]),
        (&json!(2), &Value::Null)
    );
    let unreached = server.ask(&["wallet", "counter-sign", "c1"]).json();
    assert_eq!(unreached["told"], 0, "this machine is not asked without --loopback");
    let signed = server.ask(&["wallet", "counter-sign", "c1", "--loopback"]).json();
    assert_eq!((&signed["counter_signed"], &signed["told"]), (&json!(2), &json!(2)));
    assert_eq!(
        signed["counter_signatures"], quietly["counter_signatures"],
        "the first stays"
    );
    let result = format!("/v1/results/{}", text(&offers, "/result"));
    let result = api.get(Some(&api_key(&server, "issuer")), &result).await;
    let copies = result["certificate"]["copies"].as_array().unwrap().iter();
    let told = copies.filter(|copy| copy["counter_signed"] == true).count();
    assert_eq!(told, 2, "{result}");
    let people = server.run(&["wallet", "list"]);
    assert!(
        people.out.contains("2 of 2 copies unused") && people.out.contains("anchored"),
        "{}",
        people.out
    );

    // The airline asks: it is shown, agreed to with one attribute left out, and answered once.
    let request = asked(&server, &api).await;
    let link = text(&request, "/link");
    let view = server.ask(&["wallet", "request", &link, "--loopback"]).json();
    assert_eq!(view["outcome"], "shown");
    assert_eq!(view["consent"]["verifier"]["name"], "Danube Air");
    assert_eq!(view["consent"]["verifier"]["standing"], "admitted");
    assert_eq!(view["consent"]["purpose_text"], "Your flight to Lisbon");
    let mut all = names(&view);
    all.sort_unstable();
    assert_eq!(all, ["family_name", "result"]);
    let needed = [
        "wallet",
        "request",
        &link,
        "--loopback",
        "--yes",
        "--without",
        "family_name",
    ];
    server.ask(&needed).refused(4, &["nothing was sent"]);
    let less = ["wallet", "request", &link, "--loopback", "--yes", "--without", "result"];
    let answered = server.ask(&less).json();
    assert_eq!(answered["outcome"], "presented");
    assert_eq!(names(&answered), ["family_name"]);
    let path = format!("/v1/presentations/{}", text(&request, "/id"));
    let read = api.get(Some(&api_key(&server, "verifier")), &path).await;
    let said = read.to_string();
    assert!(said.contains("Musterfrau") || said.contains("family_name"), "{said}");
    assert!(!said.contains("260415000"), "what was left out did not go: {said}");
    server.ask(&less).refused(4, &[]);
    let shared = server.ask(&["wallet", "shared"]).json();
    assert_eq!(shared["shared"][0]["items"][0]["attributes"], json!(["family_name"]));
    assert_eq!(server.ask(&["wallet", "list"]).json()["claimed"][0]["unused"], 1);

    // A no, and a verifier that is suspended: it is told no more than that.
    let declined = asked(&server, &api).await;
    let no = [
        "wallet",
        "request",
        &text(&declined, "/link"),
        "--loopback",
        "--decline",
    ];
    assert_eq!(server.ask(&no).json()["outcome"], "declined");
    let late = asked(&server, &api).await;
    server.suspend(&airline);
    let mut suspended = false;
    for _ in 0..100 {
        let registry = api.get(None, "/v1/registry/verifiers").await;
        suspended = registry["items"][0]["status"] == "suspended";
        if suspended {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert!(suspended);
    server
        .ask(&["wallet", "request", &text(&late, "/link"), "--loopback", "--yes"])
        .refused(4, &[]);
    let shared = server.ask(&["wallet", "shared"]).json();
    let shared = shared["shared"].as_array().unwrap();
    assert!(shared[1..].iter().all(|one| one["outcome"] == "declined"), "{shared:?}");

    // Lost and restored.
    let kept = server.ask(&["wallet", "backup", "wallet.backup"]).json();
    let code = text(&kept, "/code");
    assert_eq!(code.split('-').count(), 13);
    server.write("code.txt", &code);
    let rehearsed = server
        .ask(&[
            "wallet",
            "restore",
            "wallet.backup",
            "--code-file",
            "code.txt",
            "--rehearse",
        ])
        .json();
    assert_eq!(
        (&rehearsed["written"], &rehearsed["certificates"]),
        (&json!(false), &json!(1))
    );
    let restore = [
        "wallet",
        "restore",
        "wallet.backup",
        "--code-file",
        "code.txt",
        "--wallet",
        "new.vidimus",
    ];
    server.ask(&restore).json();
    server.ask(&restore).refused(4, &["there already"]);
    let list = server.ask(&["wallet", "list", "--wallet", "new.vidimus"]).json();
    assert_eq!(list["claimed"][0]["copies"], 2);
    let mistyped = if code.starts_with('0') { "1" } else { "0" }.to_owned() + &code[1..];
    server.write("code.txt", &mistyped);
    server
        .ask(&[
            "wallet",
            "restore",
            "wallet.backup",
            "--code-file",
            "code.txt",
            "--rehearse",
        ])
        .refused(2, &["group 1"]);
}

#[tokio::test]
async fn an_offer_without_a_code_is_permitted_in_the_browser() {
    let server = Deployment::serve();
    server.with_participants();
    let api = Api::new(server.url.clone());
    server.ask(&["wallet", "new"]).json();
    let offer = offered(
        &server,
        &api,
        "P7654321",
        json!({"formats": ["dc+sd-jwt"], "pre_authorized": false}),
    )
    .await;
    let link = text(&offer, "/link");
    let claim = ["wallet", "offer", &link, "--loopback", "--haip", "--copies", "1"];
    server.ask(&claim).refused(2, &["--provider"]);
    let elsewhere = [
        &claim[..],
        &["--authority", "https://other.example", "--provider", &server.url],
    ]
    .concat();
    server.ask(&elsewhere).refused(4, &["not the issuer's"]);
    server.ask(&["wallet", "trust", &server.url, "--loopback"]).json();
    let mut wallet = server
        .command(&claim)
        .arg("--json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(wallet.stderr.take().unwrap()).lines();
    let page = lines
        .map(|line| line.unwrap())
        .find_map(|line| line.trim().starts_with("http").then(|| line.trim().to_owned()))
        .expect("it prints where to go");
    let (browser, back) = permitted(&page, &text(&offer, "/tx_code/code")).await;
    assert!(back.starts_with("http://127.0.0.1:"), "{back}");
    let stray = back.replace("/callback", "/favicon.ico");
    assert_eq!(browser.get(&stray).send().await.unwrap().status(), 404);
    assert_eq!(browser.get(&back).send().await.unwrap().status(), 200);
    let claimed = read(wallet.wait_with_output().unwrap()).json();
    assert_eq!(claimed["claimed"][0]["copies"], 1, "{claimed}");

    // Once the copy was used, new ones are had without asking anybody.
    let request = asked(&server, &api).await;
    let answer = ["wallet", "request", &text(&request, "/link"), "--loopback", "--yes"];
    server.ask(&answer).json();
    let fresh = server.ask(&["wallet", "refresh", "--loopback", "--copies", "2"]).json();
    assert_eq!(fresh["claimed"][0]["copies"], 2, "{fresh}");
    let again = server.ask(&["wallet", "refresh", "--loopback"]).json();
    assert_eq!(again["claimed"], json!([]), "there are unused ones");
}
