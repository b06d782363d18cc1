//! A wallet as the tests play it: what it signs it signs with real keys, and what it sends it sends through the router.

use crate::harness::{Answer, TestApp};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Value, json};
use vidimus::app::wallets::attest;
use vidimus_core::{Algorithm, Signer, time::Clock};
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};
use vidimus_openid4vc::{
    oauth::{Form, Identifier, Opaque, attestation, dpop, pkce},
    vci::proof::{Draft, KeyName},
};

/// Keys of one wallet.
pub struct Traveller {
    pub dpop: SigningKey,
    pub client: SigningKey,
}

impl Traveller {
    pub fn new() -> Self {
        let key = || SigningKey::generate(KeyKind::P256, &mut OsEntropy);
        Self {
            dpop: key(),
            client: key(),
        }
    }
}

/// What it knows of an offer.
pub struct Wallet {
    pub offer: Value,
    reference: String,
    issuer: Identifier,
    verifier: Opaque,
}

/// The path of an address of the deployment.
pub fn path(app: &TestApp, url: &str) -> String {
    let rest = url.strip_prefix(app.app.config.server.public_url.as_str());
    rest.unwrap_or_else(|| panic!("{url} is elsewhere")).to_owned()
}

/// The page's cookie.
pub fn cookie(page: &Answer) -> String {
    let set = page.headers["set-cookie"].to_str().unwrap();
    for needed in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(needed), "{set}");
    }
    set.split(';').next().unwrap().to_owned()
}

/// What a request is sent with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proofs<'a> {
    pub attested: bool,
    pub without_dpop: bool,
    pub nonce: Option<&'a str>,
    pub challenge: Option<&'a str>,
    /// Another provider's attestation, for this client.
    pub attestation: Option<(&'a str, &'a str)>,
}

/// A page as a browser has it.
#[derive(Debug, Clone)]
pub struct Page {
    pub cookie: String,
    pub form: String,
}

impl Page {
    pub fn of(page: &Answer) -> Self {
        Self {
            cookie: cookie(page),
            form: form(page),
        }
    }
}

/// What stands in the page's form.
pub fn form(page: &Answer) -> String {
    let text = page.text();
    let (_, rest) = text
        .split_once("name=\"page\" value=\"")
        .unwrap_or_else(|| panic!("{text}"));
    rest.split('"').next().unwrap().to_owned()
}

impl Wallet {
    /// One that has no offer, and knows its issuer.
    pub fn of_issuer(app: &TestApp, issuer: &str) -> Self {
        let url = format!("{}/issuers/{issuer}", app.app.config.server.public_url);
        Self {
            offer: Value::Null,
            reference: String::new(),
            issuer: Identifier::new(url).unwrap(),
            verifier: pkce::generate_verifier(&mut OsEntropy),
        }
    }

    pub async fn of_offer(app: &TestApp, view: &Value) -> Self {
        let link = view["link"].as_str().unwrap();
        let (scheme, query) = link.split_once("?").unwrap();
        assert_eq!(scheme, "openid-credential-offer://");
        let form = Form::parse(query.as_bytes()).unwrap();
        let reference = path(app, form.get("credential_offer_uri").unwrap());
        let offer = app.get(&reference, None).await.expect(StatusCode::OK);
        let issuer = Identifier::new(offer["credential_issuer"].as_str().unwrap()).unwrap();
        Self {
            offer,
            reference,
            issuer,
            verifier: pkce::generate_verifier(&mut OsEntropy),
        }
    }

    /// The offer once more.
    pub async fn fetch(&self, app: &TestApp) -> Answer {
        app.get(&self.reference, None).await
    }

    fn endpoint(&self, name: &str) -> String {
        format!("{}/{name}", self.issuer)
    }

    fn proof(
        &self,
        app: &TestApp,
        key: &SigningKey,
        endpoint: &str,
        token: Option<&str>,
        nonce: Option<&str>,
    ) -> String {
        let token = token.map(Opaque::new);
        let request = dpop::Request {
            method: "POST",
            url: &self.endpoint(endpoint),
        };
        let draft = dpop::Draft {
            request,
            token: token.as_ref(),
            nonce,
            now: app.app.now(),
        };
        draft
            .sign(key, Algorithm::Es256, &Native::new(), &mut OsEntropy)
            .unwrap()
    }

    /// Sends a form to an endpoint of the authorization server.
    pub async fn form(
        &self,
        app: &TestApp,
        traveller: &Traveller,
        endpoint: &str,
        form: &Form,
        attested: bool,
    ) -> Answer {
        let proofs = Proofs {
            attested,
            ..Proofs::default()
        };
        self.form_with(app, traveller, endpoint, form, proofs).await
    }

    /// The same with these proofs.
    pub async fn form_with(
        &self,
        app: &TestApp,
        traveller: &Traveller,
        endpoint: &str,
        form: &Form,
        proofs: Proofs<'_>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path(app, &self.endpoint(endpoint)))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if !proofs.without_dpop {
            request = request.header("DPoP", self.proof(app, &traveller.dpop, endpoint, None, proofs.nonce));
        }
        if proofs.attested || proofs.attestation.is_some() {
            let (client, attested) = match proofs.attestation {
                Some((client, attested)) => (client, attested.to_owned()),
                None => {
                    let made = self.attestations(app, traveller).await;
                    (attest::CLIENT, made["client_attestation"].as_str().unwrap().to_owned())
                }
            };
            let pop = attestation::prove(
                &traveller.client,
                Algorithm::Es256,
                client,
                &self.issuer,
                proofs.challenge,
                app.app.now(),
                &mut OsEntropy,
            );
            request = request
                .header(attestation::HEADER, attested)
                .header(attestation::POP_HEADER, pop.unwrap());
        }
        app.send(request.body(Body::from(form.encode())).unwrap()).await
    }

    /// What the deployment's wallet provider says of this wallet.
    pub async fn attestations(&self, app: &TestApp, traveller: &Traveller) -> Value {
        let key = traveller.client.public_key().to_jwk().unwrap();
        let header = json!({"alg": "ES256", "typ": attest::PROOF_TYPE, "jwk": key});
        let Value::Object(header) = header else { unreachable!() };
        let payload = json!({"aud": app.app.config.server.public_url.as_str(), "iat": app.app.now()}).to_string();
        let unsigned = vidimus_credential::jws::Unsigned::new(&header, payload.as_bytes());
        let signature = traveller.client.sign(Algorithm::Es256, unsigned.message()).unwrap();
        let body = json!({"client": unsigned.finish(&signature)});
        app.post("/v1/wallet-attestations", None, &body)
            .await
            .expect(StatusCode::OK)
    }

    pub fn pre_authorized_form(&self, tx_code: Option<&str>) -> Form {
        let grant = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
        Form::new()
            .with("grant_type", grant)
            .with(
                "pre-authorized_code",
                self.offer["grants"][grant]["pre-authorized_code"].as_str().unwrap(),
            )
            .with_some("tx_code", tx_code)
    }

    pub async fn token(&self, app: &TestApp, traveller: &Traveller, form: &Form) -> Answer {
        self.form(app, traveller, "token", form, false).await
    }

    pub async fn pre_authorized(&self, app: &TestApp, traveller: &Traveller, tx_code: Option<&str>) -> Value {
        self.token(app, traveller, &self.pre_authorized_form(tx_code))
            .await
            .expect(StatusCode::OK)
    }

    /// Pushes an authorization request; `more` changes it.
    pub async fn push(&self, app: &TestApp, traveller: &Traveller, more: &Value) -> Answer {
        self.form(app, traveller, "par", &self.pushed(more), true).await
    }

    pub fn pushed(&self, more: &Value) -> Form {
        let challenge = pkce::Challenge::of(&self.verifier, &Native::new());
        let state = &self.offer["grants"]["authorization_code"]["issuer_state"];
        let mut members = json!({
            "response_type": "code", "client_id": attest::CLIENT, "redirect_uri": "https://wallet.example/back",
            "code_challenge": challenge.as_str(), "code_challenge_method": "S256", "state": "of-this-session",
            "scope": "sars-cov-2-naat.dc+sd-jwt", "issuer_state": state,
        });
        for (name, value) in more.as_object().unwrap() {
            members[name] = value.clone();
        }
        members
            .as_object()
            .unwrap()
            .iter()
            .fold(Form::new(), |form, (name, value)| form.with_some(name, value.as_str()))
    }

    pub async fn page(&self, app: &TestApp, request_uri: &str) -> Answer {
        let query = Form::new()
            .with("client_id", attest::CLIENT)
            .with("request_uri", request_uri);
        app.get(
            &format!("{}?{}", path(app, &self.endpoint("authorize")), query.encode()),
            None,
        )
        .await
    }

    /// Sends the page's form with its cookie.
    pub async fn answer_page(&self, app: &TestApp, page: &Page, fields: &[(&str, &str)]) -> Answer {
        let mut form = Form::new().with("page", &page.form);
        for (name, value) in fields {
            form = form.with(name, value);
        }
        self.post_page(app, Some(&page.cookie), &form).await
    }

    pub async fn post_page(&self, app: &TestApp, cookie: Option<&str>, form: &Form) -> Answer {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path(app, &self.endpoint("authorize")))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        app.send(request.body(Body::from(form.encode())).unwrap()).await
    }

    /// Redeems the code of an authorization response.
    pub async fn redeem(&self, app: &TestApp, traveller: &Traveller, location: &str) -> Answer {
        let (base, query) = location.split_once('?').unwrap();
        assert_eq!(base, "https://wallet.example/back");
        let back = Form::parse(query.as_bytes()).unwrap();
        assert_eq!(
            (back.get("state"), back.get("iss")),
            (Some("of-this-session"), Some(self.issuer.as_str()))
        );
        let form = self.code_form(back.get("code").expect("a code"));
        self.form(app, traveller, "token", &form, true).await
    }

    pub fn code_form(&self, code: &str) -> Form {
        Form::new()
            .with("grant_type", "authorization_code")
            .with("client_id", attest::CLIENT)
            .with("code", code)
            .with("redirect_uri", "https://wallet.example/back")
            .with("code_verifier", self.verifier.expose())
    }

    pub fn refresh_form(&self, tokens: &Value) -> Form {
        Form::new()
            .with("grant_type", "refresh_token")
            .with("client_id", attest::CLIENT)
            .with("refresh_token", tokens["refresh_token"].as_str().unwrap())
    }

    pub async fn refresh(&self, app: &TestApp, traveller: &Traveller, tokens: &Value) -> Answer {
        self.form(app, traveller, "token", &self.refresh_form(tokens), true)
            .await
    }

    /// Sends JSON to a resource, with the access token and the proof of its key.
    pub async fn resource(
        &self,
        app: &TestApp,
        traveller: &Traveller,
        tokens: &Value,
        endpoint: &str,
        body: &Value,
    ) -> Answer {
        self.resource_with(app, traveller, tokens, endpoint, body, None).await
    }

    /// The same with a nonce for the proof.
    pub async fn resource_with(
        &self,
        app: &TestApp,
        traveller: &Traveller,
        tokens: &Value,
        endpoint: &str,
        body: &Value,
        nonce: Option<&str>,
    ) -> Answer {
        let token = tokens["access_token"].as_str().unwrap();
        let request = Request::builder()
            .method(Method::POST)
            .uri(path(app, &self.endpoint(endpoint)))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("DPoP {token}"))
            .header("DPoP", self.proof(app, &traveller.dpop, endpoint, Some(token), nonce))
            .body(Body::from(body.to_string()))
            .unwrap();
        app.send(request).await
    }

    pub async fn nonce(&self, app: &TestApp) -> String {
        let answer = app.post(&path(app, &self.endpoint("nonce")), None, &json!({})).await;
        answer.expect(StatusCode::OK)["c_nonce"].as_str().unwrap().to_owned()
    }

    /// Proofs of new keys under one nonce.
    pub fn proofs(&self, app: &TestApp, tokens: &Value, keys: &[SigningKey], nonce: &str) -> Vec<String> {
        let attested = tokens.get("client").and_then(Value::as_str);
        keys.iter()
            .map(|key| {
                let draft = Draft {
                    issuer: &self.issuer,
                    nonce: Some(nonce),
                    client_id: attested,
                    key_attestation: None,
                    issued_at: vidimus::clock::SystemClock.now(),
                };
                let _ = app;
                draft.sign(key, Algorithm::Es256, KeyName::Jwk).unwrap()
            })
            .collect()
    }

    /// Claims one copy, and gives it with its key.
    pub async fn claim_one(
        &self,
        app: &TestApp,
        traveller: &Traveller,
        tokens: &Value,
        configuration: &str,
    ) -> (String, SigningKey) {
        let key = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
        let nonce = self.nonce(app).await;
        let proofs = self.proofs(app, tokens, std::slice::from_ref(&key), &nonce);
        let body = json!({"credential_configuration_id": configuration, "proofs": {"jwt": proofs}});
        let claimed = self.resource(app, traveller, tokens, "credential", &body).await;
        let claimed = claimed.expect(StatusCode::OK);
        (
            claimed["credentials"][0]["credential"].as_str().unwrap().to_owned(),
            key,
        )
    }

    /// Claims copies for so many new keys.
    pub async fn claim(
        &self,
        app: &TestApp,
        traveller: &Traveller,
        tokens: &Value,
        configuration: &str,
        keys: usize,
    ) -> Answer {
        let keys: Vec<_> = (0..keys)
            .map(|_| SigningKey::generate(KeyKind::P256, &mut OsEntropy))
            .collect();
        let nonce = self.nonce(app).await;
        let proofs = self.proofs(app, tokens, &keys, &nonce);
        let body = json!({"credential_configuration_id": configuration, "proofs": {"jwt": proofs}});
        self.resource(app, traveller, tokens, "credential", &body).await
    }
}
