//! A wallet of another provider, which withdraws what it attested.

use super::{
    code, offered,
    traveller::{Proofs, Traveller, Wallet},
};
use crate::{
    harness::{Answer, Later, TestApp, configuration, initialise},
    receiver::Receiver,
};
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use vidimus_core::{Algorithm, Signer as _};
use vidimus_credential::status::{
    Bits, SigningHeader, Status,
    token_list::{self, MEDIA_TYPE, Terms},
};
use vidimus_crypto::{
    KeyKind, OsEntropy, SigningKey,
    ca::{Authority, Subject, Validity},
};
use vidimus_openid4vc::{oauth::attestation, vci::key_attestation};

const CLIENT: &str = "their-wallet";

/// A provider of wallets, with a list of what it has withdrawn.
struct Provider {
    authority: Authority,
    key: SigningKey,
    chain: Vec<Vec<u8>>,
    list: Arc<Mutex<Option<String>>>,
    server: Receiver,
}

impl Provider {
    async fn new(now: vidimus_core::Timestamp) -> Self {
        let subject = |name: &str| Subject {
            common_name: name.into(),
            organization: None,
            country: Some("DE".into()),
        };
        let validity = Validity {
            not_before: now.plus(-86_400),
            not_after: now.plus(86_400 * 30),
        };
        let key = |kind| SigningKey::generate(kind, &mut OsEntropy);
        let authority = Authority::create(key(KeyKind::P256), subject("Wallets"), validity, &mut OsEntropy).unwrap();
        let own = key(KeyKind::P256);
        let leaf = authority.issue_attester(own.public_key(), &subject("Provider"), validity, now, &mut OsEntropy);
        let list = Arc::new(Mutex::new(None::<String>));
        let served = list.clone();
        let server = Receiver::plain(move |_, _| -> Response {
            match &*served.lock().unwrap() {
                Some(list) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], list.clone()).into_response(),
                None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            }
        })
        .await;
        Self {
            authority,
            key: own,
            chain: vec![leaf.unwrap()],
            list,
            server,
        }
    }

    fn uri(&self) -> String {
        format!("http://127.0.0.1:{}/status/1", self.server.port)
    }

    fn status(&self, index: u64) -> Value {
        json!({"status_list": {"idx": index, "uri": self.uri()}})
    }

    /// Serves a list in which these places were withdrawn.
    fn withdraw(&self, places: &[u64], now: vidimus_core::Timestamp) {
        *self.list.lock().unwrap() = Some(self.signed(&self.uri(), places, now));
    }

    fn signed(&self, uri: &str, places: &[u64], now: vidimus_core::Timestamp) -> String {
        let mut bits = Bits::new(1).unwrap();
        for place in places {
            bits.set(*place, Status::Revoked).unwrap();
        }
        let terms = Terms {
            uri: uri.to_owned(),
            issued_at: now,
            expires_at: Some(now.plus(3_600)),
            ttl: Some(60),
        };
        let header = SigningHeader {
            algorithm: Algorithm::Es256,
            kid: None,
            x5c: &self.chain,
        };
        let unsigned = token_list::prepare(&bits, &terms, &header).unwrap();
        let signature = self.key.sign(Algorithm::Es256, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }

    fn client(&self, traveller: &Traveller, index: u64, now: vidimus_core::Timestamp) -> String {
        let draft = attestation::Draft {
            issuer: "https://wallets.example",
            client_id: CLIENT,
            key: traveller.client.public_key(),
            issued_at: now,
            expires_at: now.plus(3_600),
            wallet_name: None,
            wallet_link: None,
            status: Some(&self.status(index)),
        };
        draft.sign(&self.key, Algorithm::Es256, &self.chain).unwrap()
    }
}

fn error(answer: &Answer) -> String {
    answer.json()["error"].as_str().unwrap_or("none").to_owned()
}

async fn setting() -> (TestApp, Arc<Later>, Provider) {
    let directory = TempDir::new().unwrap();
    let trust = directory.path().join("trust");
    let more = format!("[trust]\ndirectory = {trust:?}\n[outside]\nloopback = true\n");
    let config = configuration(directory.path(), &more);
    initialise(&config).await;
    let clock = Arc::<Later>::default();
    let now = vidimus_core::time::Clock::now(&*clock);
    let provider = Provider::new(now).await;
    std::fs::create_dir_all(trust.join("attesters")).unwrap();
    std::fs::write(trust.join("attesters/wallets.der"), provider.authority.certificate()).unwrap();
    (TestApp::opened(directory, config, clock.clone()).await, clock, provider)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_whose_attestation_was_withdrawn_is_refused() {
    let (app, clock, provider) = setting().await;
    let offered = offered(&app, json!({"pre_authorized": false})).await;
    let (traveller, wallet) = (Traveller::new(), Wallet::of_offer(&app, &offered.offer).await);
    let push = async |index: u64| {
        let form = wallet.pushed(&json!({"client_id": CLIENT}));
        let attested = provider.client(&traveller, index, app.app.now());
        let proofs = Proofs {
            attestation: Some((CLIENT, &attested)),
            ..Proofs::default()
        };
        wallet.form_with(&app, &traveller, "par", &form, proofs).await
    };
    let unknown = push(7).await;
    assert_eq!(
        (unknown.status, error(&unknown).as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        "nobody can say that it counts"
    );
    clock.by(60);
    provider.withdraw(&[8], app.app.now());
    push(7).await.expect(StatusCode::CREATED);
    let withdrawn = push(8).await;
    assert_eq!(
        (withdrawn.status, error(&withdrawn).as_str()),
        (StatusCode::BAD_REQUEST, "invalid_client_attestation")
    );
    clock.by(180);
    provider.withdraw(&[7, 8], app.app.now());
    assert_eq!(error(&push(7).await), "invalid_client_attestation", "withdrawn since");
    assert_eq!(provider.server.requests().len(), 3, "a list is kept while it is fresh");
    // A list that somebody else signed is none of this provider's.
    clock.by(300);
    let other = Provider::new(app.app.now()).await;
    *provider.list.lock().unwrap() = Some(other.signed(&provider.uri(), &[], app.app.now()));
    assert_eq!(error(&push(9).await), "invalid_client_attestation");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_whose_attestation_was_withdrawn_get_no_copy() {
    let (app, _, provider) = setting().await;
    provider.withdraw(&[8], app.app.now());
    let offered = offered(&app, json!({})).await;
    let (traveller, wallet) = (Traveller::new(), Wallet::of_offer(&app, &offered.offer).await);
    let tokens = wallet
        .pre_authorized(&app, &traveller, Some(code(&offered.offer)))
        .await;
    let claim = async |index: u64| {
        let nonce = wallet.nonce(&app).await;
        let draft = key_attestation::Draft {
            issuer: "https://wallets.example",
            keys: &[SigningKey::generate(KeyKind::P256, &mut OsEntropy).public_key().clone()],
            issued_at: app.app.now(),
            expires_at: app.app.now().plus(600),
            nonce: Some(&nonce),
            key_storage: &[],
            user_authentication: &[],
            status: Some(&provider.status(index)),
        };
        let attested = draft.sign(&provider.key, Algorithm::Es256, &provider.chain).unwrap();
        let body = json!({
            "credential_configuration_id": "sars-cov-2-naat.dc+sd-jwt", "proofs": {"attestation": [attested]},
        });
        wallet.resource(&app, &traveller, &tokens, "credential", &body).await
    };
    claim(7).await.expect(StatusCode::OK);
    let refused = claim(8).await;
    assert_eq!(
        (refused.status, error(&refused).as_str()),
        (StatusCode::BAD_REQUEST, "invalid_proof")
    );
}
