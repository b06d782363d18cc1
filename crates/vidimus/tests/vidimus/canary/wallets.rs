//! What passes between issuers, wallets and verifiers, and is nobody else's: contacts, codes, tokens, nonces, answers, addresses and secrets of
//! webhooks.

use super::*;
use crate::{
    claimer::{self, Claimer, new_key},
    server::Api,
};
use vidimus_credential::{sd_jwt::ClaimPath, x509::Certificate};

const CONTACT: &str = "+4366471717171";
const FORM: &str = "application/x-www-form-urlencoded";

/// What is a secret of those who take part, as it becomes known to them.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    /// One more; short ones could be anywhere by chance.
    fn keep(&mut self, secret: &str) -> String {
        assert!(secret.len() >= 12, "{secret}");
        self.0.push(secret.to_owned());
        secret.to_owned()
    }
    fn keep_at(&mut self, value: &Value, pointer: &str) -> String {
        let secret = value.pointer(pointer).and_then(Value::as_str);
        self.keep(secret.unwrap_or_else(|| panic!("no {pointer}: {value}")))
    }
}

/// Answers to those whose secrets they have are not among what is searched.
struct Scene<'a> {
    api: Api,
    client: &'a mut Client,
    secrets: Secrets,
    laboratory: String,
    airline: String,
    authority: String,
    /// Codes of eight digits, looked for where digits stand alone.
    codes: Vec<String>,
    refusals: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_wallet_is_where_it_must_not_be() {
    let mut watched = Watched::begin();
    let token = watched.token();
    let (secrets, codes, refusals) = {
        let api = Api::new(watched.client.base.clone());
        let mut scene = begin(api, &mut watched.client, &token).await;
        scene.take_part().await;
        (scene.secrets.0, scene.codes, scene.refusals)
    };
    assert!(secrets.len() >= 20, "{} secrets", secrets.len());
    assert!(refusals > 100, "{refusals} refusals were provoked");
    let mut finds = Finds(Vec::new(), secrets);
    let log = watched.end(&mut finds);
    for number in log
        .split(|c: char| !c.is_ascii_digit())
        .filter(|number| number.len() == 8)
    {
        if codes.iter().any(|code| code == number) {
            finds.0.push(format!("the code {number} is in the log"));
        }
    }
    assert!(finds.0.is_empty(), "{} finds:\n{}", finds.0.len(), finds.0.join("\n"));
}

async fn begin<'a>(api: Api, client: &'a mut Client, token: &str) -> Scene<'a> {
    let made = api
        .post(
            None,
            "/v1/setup",
            &json!({"token": token, "name": "Ministry", "country": "AT"}),
        )
        .await;
    let mut secrets = Secrets::default();
    let authority = secrets.keep_at(&made, "/api_key");
    let issuer = json!({"role": "issuer", "name": "Laboratory", "country": "AT", "categories": ["sars-cov-2-naat"]});
    let verifier = json!({
        "role": "verifier", "name": "Airline", "country": "AT", "url": "https://airline.example",
        "attributes": ["family_name"], "purposes": ["boarding"],
    });
    let mut keys = Vec::new();
    for body in [issuer, verifier] {
        let admitted = api.post(Some(&authority), "/v1/participants", &body).await;
        let key = secrets.keep_at(&admitted, "/api_key");
        program::until_async("the admission is on the ledger", PATIENCE, async || {
            api.get(Some(&key), "/v1/profile").await["status"] == "active"
        })
        .await;
        keys.push(key);
    }
    let [laboratory, airline] = keys.try_into().unwrap();
    Scene {
        api,
        client,
        secrets,
        laboratory,
        airline,
        authority,
        codes: Vec::new(),
        refusals: 0,
    }
}

impl Scene<'_> {
    async fn take_part(&mut self) {
        self.webhooks().await;
        let issuer = self.claim().await;
        self.spoil(&issuer).await;
        let (laboratory, airline, authority) = (self.laboratory.clone(), self.airline.clone(), self.authority.clone());
        for (path, key) in [
            ("/metrics", Some(&laboratory)),
            ("/v1/results", Some(&laboratory)),
            ("/v1/presentations", Some(&airline)),
            ("/v1/left-presentations", Some(&airline)),
            ("/v1/audit?limit=500", Some(&authority)),
            ("/v1/deployment", None),
            ("/v1/registry/verifiers", None),
        ] {
            let (status, _) = self.client.get(path, key.map(String::as_str)).await;
            assert_eq!(status, 200, "{path}");
        }
    }

    /// Addresses may be secrets of their owners; nobody answers at these.
    async fn webhooks(&mut self) {
        for (key, body) in [
            (
                &self.laboratory,
                json!({"url": "https://gateway.invalid/QZHOOKONEQZ?token=QZTOKENONEQZ", "purpose": "codes"}),
            ),
            (
                &self.airline,
                json!({"url": "https://receiver.invalid/QZHOOKTWOQZ?token=QZTOKENTWOQZ"}),
            ),
        ] {
            let made = self.api.post(Some(key), "/v1/webhooks", &body).await;
            let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
            let rotated = self.api.post(Some(key), &format!("{path}/secret"), &json!({})).await;
            let tested = self.api.post(Some(key), &format!("{path}/test"), &json!({})).await;
            assert_eq!(tested["arrived"], false);
            for view in [made, rotated] {
                let secret = view["secret"]
                    .as_str()
                    .unwrap()
                    .strip_prefix("whsec_")
                    .unwrap()
                    .to_owned();
                self.secrets.keep(secret.trim_end_matches('='));
                let bytes = encoding::from_base64(&secret).unwrap();
                self.secrets.keep(&encoding::hex(&bytes));
            }
        }
        for mark in ["QZHOOKONEQZ", "QZHOOKTWOQZ", "QZTOKENONEQZ", "QZTOKENTWOQZ"] {
            self.secrets.0.push(mark.to_owned());
        }
    }

    /// From the offer to the verifier's reading. Gives the issuer's address.
    async fn claim(&mut self) -> String {
        let mut body = report();
        body["formats"] = json!(["hcert"]);
        let reported = self.api.post(Some(&self.laboratory), "/v1/results", &body).await;
        let sent = json!({"result": reported["result"], "send_code": {"to": CONTACT}});
        self.secrets.keep(CONTACT);
        let second = self.api.post(Some(&self.laboratory), "/v1/offers", &sent).await;
        let offer = json!({"result": reported["result"]});
        let first = self.api.post(Some(&self.laboratory), "/v1/offers", &offer).await;
        let code = first["tx_code"]["code"].as_str().unwrap().to_owned();
        self.codes.push(code.clone());
        for view in [&first, &second] {
            let reference = view["link"].as_str().unwrap().rsplit("%2F").next().unwrap();
            self.secrets.keep(reference);
        }
        let (dpop, key) = (new_key(), new_key());
        let claimer = Claimer::of_link(&self.api, first["link"].as_str().unwrap())
            .await
            .unwrap();
        self.secrets.keep(&claimer.code);
        let locked = Claimer::of_link(&self.api, second["link"].as_str().unwrap())
            .await
            .unwrap();
        self.secrets.keep(&locked.code);
        let (status, token) = claimer.token(&self.api, &dpop, &code).await.unwrap();
        assert_eq!(status, 200, "{token}");
        let access = self.secrets.keep_at(&token, "/access_token");
        self.secrets.keep_at(&token, "/refresh_token");
        let nonce = claimer.nonce(&self.api).await.unwrap();
        self.secrets.keep(&nonce);
        let configuration = "sars-cov-2-naat.dc+sd-jwt";
        let (status, claimed) = claimer
            .claim(&self.api, &dpop, &access, configuration, &key)
            .await
            .unwrap();
        assert_eq!(status, 200, "{claimed}");
        let copy = claimed["credentials"][0]["credential"].as_str().unwrap().to_owned();
        self.secrets.keep(copy.split('~').nth(1).unwrap());
        // What was right once is refused with what it was right with, and nothing of it is told.
        let path = |name: &str| claimer.endpoint(name)[self.api.base.len()..].to_owned();
        let form = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Apre-authorized_code&pre-authorized_code={}&tx_code={code}",
            claimer.code
        );
        let (token, credential) = (path("token"), path("credential"));
        self.refused("POST", &token, None, FORM, &form).await;
        let proofs = json!({"credential_configuration_id": configuration, "proofs": {"jwt": [copy]}}).to_string();
        self.refused("POST", &credential, Some(&access), "application/json", &proofs)
            .await;
        self.present(&copy, &key).await;
        claimer.issuer.to_string()
    }

    async fn present(&mut self, copy: &str, key: &vidimus_crypto::SigningKey) {
        let root = self.client.http.get(format!("{}/v1/trust/root", self.client.base));
        let root = root.send().await.unwrap().text().await.unwrap();
        let roots = vec![Certificate::from_text(&root).unwrap()];
        let body = json!({
            "purpose": "boarding", "purpose_text": "QZPURPOSEQZ", "return_uri": "https://airline.example/QZRETURNQZ",
            "credentials": [{"category": "sars-cov-2-naat", "attributes": ["family_name"]}],
        });
        self.secrets.0.extend(["QZPURPOSEQZ", "QZRETURNQZ"].map(str::to_owned));
        let view = self.api.post(Some(&self.airline), "/v1/presentations", &body).await;
        let session = self.secrets.keep_at(&view, "/session");
        let incoming = claimer::incoming(&self.api, view["link"].as_str().unwrap(), &roots)
            .await
            .unwrap();
        self.secrets.keep(&incoming.request.nonce);
        self.secrets.keep(incoming.request.state.as_deref().unwrap());
        let wrong = claimer::answer(&incoming, copy, key, &[]);
        let response = wrong.url.as_str()[self.api.base.len()..].to_owned();
        self.refused("POST", &response, None, FORM, wrong.body.as_deref().unwrap())
            .await;
        let right = claimer::answer(&incoming, copy, key, &[ClaimPath::of(["family_name"])]);
        let (status, _, told) = claimer::send(&self.api, &right).await.unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&told));
        let told: Value = serde_json::from_slice(&told).unwrap();
        let code = told["redirect_uri"]
            .as_str()
            .unwrap()
            .split_once("response_code=")
            .unwrap()
            .1;
        let code = self.secrets.keep(code);
        let path = format!("/v1/presentations/{}", view["id"].as_str().unwrap());
        let airline = self.airline.clone();
        for (code, session) in [(&code, "another-session"), (&session, session.as_str())] {
            let guess = json!({"response_code": code, "session": session}).to_string();
            self.refused(
                "POST",
                &format!("{path}/confirmation"),
                Some(&airline),
                "application/json",
                &guess,
            )
            .await;
        }
        let confirmed = json!({"response_code": code, "session": session});
        let read = self
            .api
            .post(Some(&airline), &format!("{path}/confirmation"), &confirmed)
            .await;
        let name = read["answer"]["credentials"][0]["attributes"]["family_name"]
            .as_str()
            .unwrap();
        assert_eq!(name, "Qzfamilyqz", "the verifier reads it, and nobody else: {read}");
    }

    /// Sends what is refused.
    async fn refused(&mut self, method: &str, path: &str, key: Option<&str>, kind: &str, body: &str) {
        let (status, answer) = self.client.ask(method, path, key, kind, Some(body.to_owned())).await;
        assert!(status >= 400, "{method} {path}: {status} {answer}");
        self.refusals += 1;
    }

    /// Everything that wallets and those around them speak to is sent strays.
    async fn spoil(&mut self, issuer: &str) {
        let issuer = &issuer[self.api.base.len()..];
        let nobody = "00000000-0000-4000-8000-000000000000";
        let of_issuer = [
            "token",
            "par",
            "authorize",
            "credential",
            "deferred-credential",
            "notification",
            "push-subscription",
        ];
        let mut paths: Vec<String> = of_issuer.iter().map(|name| format!("{issuer}/{name}")).collect();
        paths.extend(["request", "response"].map(|name| format!("/presentations/{nobody}/{name}")));
        let api = [
            "offers",
            "presentations",
            "left-presentations",
            "webhooks",
            "counter-signatures",
            "wallet-attestations",
            "evidence",
        ];
        paths.extend(api.map(|name| format!("/v1/{name}")));
        paths.push(format!("/v1/left-presentations/{nobody}/check"));
        let bodies = [
            (FORM, "QZSTRAYQZ".to_owned()),
            (FORM, "grant_type=QZSTRAYQZ&code=QZSTRAYQZ&tx_code=QZSTRAYQZ&client_id=QZSTRAYQZ&request_uri=QZSTRAYQZ".to_owned()),
            (FORM, "grant_type=refresh_token&refresh_token=QZSTRAYQZ&client_id=QZSTRAYQZ".to_owned()),
            (FORM, "wallet_nonce=QZSTRAYQZ&wallet_metadata=QZSTRAYQZ&response=QZSTRAYQZ&vp_token=QZSTRAYQZ&state=QZSTRAYQZ&error=QZSTRAYQZ".to_owned()),
            ("application/json", json!({"QZSTRAYQZ": "QZSTRAYQZ"}).to_string()),
            ("application/json", json!({"url": "https://QZSTRAYQZ.invalid/QZSTRAYQZ", "kinds": ["QZSTRAYQZ"]}).to_string()),
            ("application/json", json!({"result": "QZSTRAYQZ", "send_code": {"to": "QZSTRAYQZ"}}).to_string()),
            ("application/json", json!({"verifier": "QZSTRAYQZ", "payload": "QZSTRAYQZ!"}).to_string()),
            ("application/json", json!({"purpose": "boarding", "opened": {"presentation": "QZSTRAYQZ", "nonce": "QZSTRAYQZ"}}).to_string()),
            ("application/json", json!({"purpose": "QZSTRAYQZ", "credentials": [{"category": "QZSTRAYQZ", "attributes": ["QZSTRAYQZ"]}]}).to_string()),
            ("application/json", json!({"purpose": "boarding", "dcql_query": {"credentials": [{"id": "QZSTRAYQZ", "format": "QZSTRAYQZ"}]}}).to_string()),
            ("application/json", json!({"credential_configuration_id": "QZSTRAYQZ", "proofs": {"jwt": ["QZSTRAYQZ"]}}).to_string()),
        ];
        let keys = [None, Some(self.laboratory.clone()), Some(self.airline.clone())];
        for path in &paths {
            for (kind, body) in &bodies {
                for key in &keys {
                    self.refused("POST", path, key.as_deref(), kind, body).await;
                }
            }
        }
    }
}
