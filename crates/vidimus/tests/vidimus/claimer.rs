//! A traveller's wallet over HTTP, against a server that may be gone at any moment: each step gives the answer, or none where nobody answers.

use crate::server::Api;
use reqwest::{Method, StatusCode, header};
use serde_json::{Map, Value, json};
use vidimus::clock::SystemClock;
use vidimus_core::{Algorithm, Signer, time::Clock};
use vidimus_credential::{
    sd_jwt::{ClaimPath, SdJwt, key_binding},
    x509::Certificate,
};
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};
use vidimus_openid4vc::{
    oauth::{Form, Identifier, Opaque, dpop},
    vci::proof::{Draft, KeyName},
    vp::{Formats, HttpRequest, Incoming, Invocation, Policy, Presentation, Step, Trust, Verified, VpToken, Wallet},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";

pub fn new_key() -> SigningKey {
    SigningKey::generate(KeyKind::P256, &mut OsEntropy)
}

/// What a wallet knows of an offer.
#[derive(Clone)]
pub struct Claimer {
    pub issuer: Identifier,
    pub code: String,
}

/// An answer: the status and the JSON in it.
pub type Told = Option<(StatusCode, Value)>;

async fn told(request: reqwest::RequestBuilder) -> Told {
    let response = request.send().await.ok()?;
    let status = response.status();
    let bytes = response.bytes().await.ok()?;
    Some((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

impl Claimer {
    /// Fetches the offer behind a link.
    pub async fn of_link(api: &Api, link: &str) -> Option<Self> {
        let (_, query) = link.split_once('?').unwrap();
        let form = Form::parse(query.as_bytes()).unwrap();
        let (status, offer) = told(api.client.get(form.get("credential_offer_uri").unwrap())).await?;
        assert_eq!(status, StatusCode::OK, "{offer}");
        Some(Self {
            issuer: Identifier::new(offer["credential_issuer"].as_str().unwrap()).unwrap(),
            code: offer["grants"][GRANT]["pre-authorized_code"]
                .as_str()
                .unwrap()
                .to_owned(),
        })
    }

    pub fn endpoint(&self, name: &str) -> String {
        format!("{}/{name}", self.issuer)
    }

    fn proof(&self, key: &SigningKey, endpoint: &str, token: Option<&str>) -> String {
        let token = token.map(Opaque::new);
        let url = self.endpoint(endpoint);
        let draft = dpop::Draft {
            request: dpop::Request {
                method: "POST",
                url: &url,
            },
            token: token.as_ref(),
            nonce: None,
            now: SystemClock.now(),
        };
        draft
            .sign(key, Algorithm::Es256, &Native::new(), &mut OsEntropy)
            .unwrap()
    }

    /// Redeems the code of the offer, with the one that came in another way.
    pub async fn token(&self, api: &Api, dpop: &SigningKey, tx_code: &str) -> Told {
        let form = Form::new()
            .with("grant_type", GRANT)
            .with("pre-authorized_code", &self.code)
            .with("tx_code", tx_code);
        let request = api
            .client
            .post(self.endpoint("token"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("DPoP", self.proof(dpop, "token", None));
        told(request.body(form.encode())).await
    }

    pub async fn nonce(&self, api: &Api) -> Option<String> {
        let (status, made) = told(api.client.post(self.endpoint("nonce"))).await?;
        assert_eq!(status, StatusCode::OK, "{made}");
        Some(made["c_nonce"].as_str().unwrap().to_owned())
    }

    /// Claims a copy for a key.
    pub async fn claim(
        &self,
        api: &Api,
        dpop: &SigningKey,
        token: &str,
        configuration: &str,
        key: &SigningKey,
    ) -> Told {
        let nonce = self.nonce(api).await?;
        let draft = Draft {
            issuer: &self.issuer,
            nonce: Some(&nonce),
            client_id: None,
            key_attestation: None,
            issued_at: SystemClock.now(),
        };
        let proof = draft.sign(key, Algorithm::Es256, KeyName::Jwk).unwrap();
        let body = json!({"credential_configuration_id": configuration, "proofs": {"jwt": [proof]}});
        let request = api
            .client
            .post(self.endpoint("credential"))
            .header(header::AUTHORIZATION, format!("DPoP {token}"))
            .header("DPoP", self.proof(dpop, "credential", Some(token)));
        told(request.json(&body)).await
    }
}

/// Sends what a wallet says.
pub async fn send(api: &Api, request: &HttpRequest) -> Option<(StatusCode, Option<String>, Vec<u8>)> {
    let method = if request.body.is_some() {
        Method::POST
    } else {
        Method::GET
    };
    let mut sent = api
        .client
        .request(method, request.url.as_str())
        .header(header::ACCEPT, request.accept);
    if let Some(body) = &request.body {
        sent = sent
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.clone());
    }
    let response = sent.send().await.ok()?;
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
    Some((response.status(), kind, response.bytes().await.ok()?.to_vec()))
}

/// Fetches a verifier's request and verifies who asks.
pub async fn incoming(api: &Api, link: &str, roots: &[Certificate]) -> Option<Verified<Incoming>> {
    let native = Native::new();
    let wallet = Wallet {
        policy: Policy::open().at_home(),
        formats: Formats::of(&[Algorithm::Es256], &[Algorithm::Es256], &[Algorithm::Es256]),
        transaction_types: Vec::new(),
        encrypted_requests: true,
    };
    let Step::Fetch(fetch) = wallet
        .start(Invocation::parse(link).unwrap(), &native, &mut OsEntropy)
        .unwrap()
    else {
        panic!("by reference")
    };
    let (status, kind, body) = send(api, fetch.http()).await?;
    let received = fetch
        .received(status.as_u16(), kind.as_deref(), &body, &native)
        .unwrap();
    let trust = Trust { roots, keys: &[] };
    Some(received.verify(&wallet, trust, SystemClock.now(), &native).unwrap())
}

/// The answer to a request: a copy with these claims disclosed, bound to it.
pub fn answer(incoming: &Verified<Incoming>, copy: &str, key: &SigningKey, claims: &[ClaimPath]) -> HttpRequest {
    let native = Native::new();
    let held = SdJwt::parse(copy).unwrap();
    let places = held.process(&native).unwrap().choose(claims).unwrap();
    let draft = key_binding::Draft {
        audience: &incoming.request.client_id.to_string(),
        nonce: &incoming.request.nonce,
        issued_at: SystemClock.now(),
        more: Map::new(),
    };
    let unsigned = draft.prepare(held.present(&places), Algorithm::Es256, &native);
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    let token = VpToken::new().with("c0", vec![Presentation::Text(unsigned.finish(&signature))]);
    incoming
        .present(&token, SystemClock.now(), &native, &mut OsEntropy)
        .unwrap()
}
