//! An issuer that answers requests, with its store in memory: what the wallet is tried against.

use super::world::{Attester, ES256, ISSUER, NOW, Seeded, issuer, metadata_json};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use vidimus_core::{Secret, Timestamp, encoding};
use vidimus_crypto::Native;
use vidimus_openid4vc::{
    jwe,
    oauth::{
        AuthorizationDetail, ErrorCode, ErrorResponse, Form, Grant, Opaque, TokenRequest, TokenResponse,
        access::{AccessError, AccessToken},
        attestation::{self, Client},
        authorization::{AuthorizationRequest, AuthorizationResponse, AuthorizationStart, PushedResponse},
        dpop,
        token::TokenType,
    },
    vci::{
        CredentialErrorCode, CredentialRequest, CredentialResponse, DeferredRequest, Event, IssuerMetadata,
        Notification, encryption,
        issuer::{self, Access, Caller, Granted, Kept, KeptCode, KeptOffer, KeptRefresh, KeptRequest, Policy},
        proof::{Expected, HolderKey, Parsed},
        request::EncryptTo,
        wallet::HttpRequest,
    },
};

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn json(status: u16, body: impl ToString) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), "application/json; charset=utf-8".into())],
            body: body.to_string(),
        }
    }
    fn refused(status: u16, code: &str) -> Self {
        Self::json(status, serde_json::to_string(&ErrorResponse::new(code, "no")).unwrap())
    }
    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// Changes an answer.
pub type Tamper = fn(&mut Reply);

pub struct KeptPreAuthorized {
    pub configurations: Vec<String>,
    pub tx_code: Option<Opaque>,
    pub attempts: u32,
    pub used: bool,
}

struct Code {
    granted: Granted,
    request: AuthorizationRequest,
    used: bool,
}

pub struct Server {
    pub metadata: Value,
    pub server: Value,
    pub policy: Policy,
    pub now: Timestamp,
    pub offers: HashMap<String, KeptPreAuthorized>,
    pub dpop_nonce: Option<&'static str>,
    pub challenges: bool,
    pub by_identifier: bool,
    pub ready: bool,
    pub stale_nonces: u32,
    pub notified: Vec<(String, Event)>,
    pub log: Vec<String>,
    /// Changes the answers of one endpoint on their way.
    pub tamper: Option<(&'static str, Tamper)>,
    pub token_lifetime: u32,
    root: vidimus_credential::x509::Certificate,
    key: Secret<[u8; 32]>,
    pushed: HashMap<String, (AuthorizationRequest, Granted)>,
    codes: HashMap<String, Code>,
    tokens: HashMap<String, (Granted, Timestamp)>,
    refresh: HashMap<String, Granted>,
    nonces: HashSet<String>,
    challenge: Option<String>,
    seen: HashSet<String>,
    deferred: HashMap<String, Vec<HolderKey>>,
    entropy: Seeded,
}

impl Server {
    pub fn new() -> Self {
        let native = Native::new();
        let mut entropy = Seeded(4711);
        let key = jwe::generate_key(&native, &mut entropy).unwrap();
        let server = json!({
            "issuer": ISSUER,
            "authorization_endpoint": format!("{ISSUER}/authorize"),
            "token_endpoint": format!("{ISSUER}/token"),
            "pushed_authorization_request_endpoint": format!("{ISSUER}/par"),
            "response_types_supported": ["code"],
            "grant_types_supported": [
                "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:pre-authorized_code",
            ],
            "token_endpoint_auth_methods_supported": ["attest_jwt_client_auth"],
            "client_attestation_signing_alg_values_supported": ["ES256"],
            "client_attestation_pop_signing_alg_values_supported": ["ES256"],
            "dpop_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "pre-authorized_grant_anonymous_access_supported": true,
            "authorization_details_types_supported": ["openid_credential"],
        });
        Self {
            metadata: metadata_json(),
            server,
            policy: Policy {
                attested: false,
                dpop: false,
                anonymous: true,
            },
            now: NOW,
            offers: HashMap::new(),
            dpop_nonce: None,
            challenges: false,
            by_identifier: false,
            ready: true,
            stale_nonces: 0,
            notified: Vec::new(),
            log: Vec::new(),
            tamper: None,
            token_lifetime: 300,
            root: Attester::new(100).root,
            key,
            pushed: HashMap::new(),
            codes: HashMap::new(),
            tokens: HashMap::new(),
            refresh: HashMap::new(),
            nonces: HashSet::new(),
            challenge: None,
            seen: HashSet::new(),
            deferred: HashMap::new(),
            entropy,
        }
    }

    pub fn with_encryption(mut self, required: bool) -> Self {
        use vidimus_core::Encryption;
        let mut jwk = Native::new().p256_public(&self.key).unwrap().to_jwk().unwrap();
        jwk["kid"] = json!("enc-1");
        jwk["alg"] = json!("ECDH-ES");
        self.metadata["credential_request_encryption"] = json!({
            "jwks": {"keys": [{"kty": "OKP", "crv": "X25519", "kid": "other", "alg": "ECDH-ES", "x": "AA"}, jwk]},
            "enc_values_supported": ["A128GCM", "A256GCM"],
            "encryption_required": required,
        });
        self.metadata["credential_response_encryption"] = json!({
            "alg_values_supported": ["ECDH-ES"],
            "enc_values_supported": ["A128GCM"],
            "encryption_required": required,
        });
        self
    }

    pub fn with_challenges(mut self) -> Self {
        self.challenges = true;
        self.server["challenge_endpoint"] = json!(format!("{ISSUER}/challenge"));
        self
    }

    fn text(&mut self) -> String {
        Opaque::generate(&mut self.entropy).expose().to_owned()
    }
    fn read_metadata(&self) -> IssuerMetadata {
        IssuerMetadata::parse(self.metadata.to_string().as_bytes(), &issuer()).unwrap()
    }

    pub fn answer(&mut self, request: &HttpRequest) -> Reply {
        let path = request.url.url().path().to_owned();
        self.log.push(path.clone());
        let mut reply = match path.as_str() {
            "/offer" => Reply::json(200, self.metadata["offer"].clone()),
            "/.well-known/openid-credential-issuer/issuer" => Reply::json(200, &self.metadata),
            "/.well-known/oauth-authorization-server/issuer" => Reply::json(200, &self.server),
            "/issuer/challenge" => {
                let challenge = self.text();
                self.challenge = Some(challenge.clone());
                Reply::json(200, json!({"attestation_challenge": challenge}))
            }
            "/issuer/par" => self.par(request).unwrap_or_else(|reply| reply),
            "/issuer/token" => self.token(request).unwrap_or_else(|reply| reply),
            "/issuer/nonce" => {
                let nonce = self.text();
                self.nonces.insert(nonce.clone());
                Reply::json(200, json!({"c_nonce": nonce})).with("DPoP-Nonce", self.dpop_nonce.unwrap_or("free"))
            }
            "/issuer/credential" => self.credential(request).unwrap_or_else(|reply| reply),
            "/issuer/deferred" => self.defer(request).unwrap_or_else(|reply| reply),
            "/issuer/notification" => self.notification(request).unwrap_or_else(|reply| reply),
            _ => Reply::json(404, "{}"),
        };
        if let Some((_, tamper)) = self.tamper.filter(|(at, _)| *at == path) {
            tamper(&mut reply);
        }
        reply
    }

    /// The person logs in and says yes.
    pub fn browse(&mut self, location: &str) -> String {
        let query = location.split_once('?').unwrap().1;
        let start = AuthorizationStart::parse(query).unwrap();
        let (request, granted) = self.pushed.remove(start.request.expose()).expect("a pushed request");
        let kept = KeptRequest {
            client_id: &request.client_id,
            expires_at: self.now.plus(60),
            used: false,
        };
        issuer::start(&start, Some(kept), self.now).unwrap();
        let code = self.text();
        let response = AuthorizationResponse::Code(Opaque::new(code.as_str()));
        let back = response.location(&request.redirect_uri, request.state.as_deref(), &issuer());
        self.codes.insert(
            code,
            Code {
                granted,
                request,
                used: false,
            },
        );
        back.split_once('?').unwrap().1.to_owned()
    }

    fn client(&mut self, request: &HttpRequest, client_id: Option<&str>) -> Result<Option<Client>, Reply> {
        let header = |name| request.header(name).into_iter().collect::<Vec<_>>();
        let headers = attestation::Headers::parse(
            &header("oauth-client-attestation"),
            &header("oauth-client-attestation-pop"),
        );
        let refused = |code: ErrorCode| Reply::refused(400, code.name());
        let Some(headers) = headers.map_err(|error| refused(error.code()))? else {
            return Ok(None);
        };
        let challenge = self.challenge.take();
        let known = |text: &str| Some(text) == challenge.as_deref();
        let expected = attestation::Expected {
            audience: &issuer(),
            roots: std::slice::from_ref(&self.root),
            algorithms: ES256,
            pop_algorithms: ES256,
            client_id,
            challenge: self.challenges.then_some(&known as &dyn Fn(&str) -> bool),
            max_age: None,
            now: self.now,
        };
        let client = headers
            .verify(&expected, &Native::new())
            .map_err(|error| refused(error.code()))?;
        if !self.seen.insert(client.jti.clone()) {
            return Err(refused(ErrorCode::InvalidClientAttestation));
        }
        Ok(Some(client))
    }

    fn proof(&mut self, request: &HttpRequest, token: Option<&Opaque>) -> Result<Option<dpop::Proven>, Reply> {
        let headers: Vec<_> = request.header("dpop").into_iter().collect();
        let status = if token.is_some() { 401 } else { 400 };
        let nonce = self.dpop_nonce;
        let refused = |error: dpop::DpopError| {
            let code = error.code().name();
            let reply = if status == 401 {
                Reply::json(401, "").with("WWW-Authenticate", &format!("DPoP error=\"{code}\""))
            } else {
                Reply::refused(status, code)
            };
            reply.with("DPoP-Nonce", nonce.unwrap_or("free"))
        };
        let Some(proof) = dpop::Proof::from_headers(&headers).map_err(refused)? else {
            return Ok(None);
        };
        let known = |text: &str| Some(text) == nonce;
        let expected = dpop::Expected {
            request: dpop::Request {
                method: request.method.name(),
                url: request.url.as_str(),
            },
            algorithms: ES256,
            token,
            nonce: nonce.is_some().then_some(&known as &dyn Fn(&str) -> bool),
            now: self.now,
        };
        let proven = proof.verify(&expected, &Native::new()).map_err(refused)?;
        if !self.seen.insert(proven.jti.clone()) {
            return Err(refused(dpop::DpopError::Malformed));
        }
        Ok(Some(proven))
    }

    fn par(&mut self, request: &HttpRequest) -> Result<Reply, Reply> {
        let form = Form::parse(request.body.as_bytes()).unwrap();
        let pushed = AuthorizationRequest::parse(&form, &issuer(), false)
            .map_err(|error| Reply::refused(400, error.code().name()))?;
        let client = self.client(request, Some(&pushed.client_id))?;
        let caller = Caller {
            client: client.as_ref(),
            dpop: None,
        };
        let may = |_: &str, uri: &str| uri == "https://wallet.example/cb";
        let granted = issuer::pushed(&pushed, caller, self.policy, &self.read_metadata(), &may)
            .map_err(|error| Reply::refused(400, error.code().name()))?;
        let name = self.text();
        self.pushed.insert(name.clone(), (pushed, granted));
        let response = PushedResponse::new(&Opaque::new(name), 60);
        Ok(Reply::json(201, serde_json::to_string(&response).unwrap()))
    }

    fn token(&mut self, request: &HttpRequest) -> Result<Reply, Reply> {
        let form = Form::parse(request.body.as_bytes()).unwrap();
        let asked =
            TokenRequest::parse(&form, &issuer(), false).map_err(|error| Reply::refused(400, error.code().name()))?;
        let client = self.client(request, asked.client_id.as_deref())?;
        let proven = self.proof(request, None)?;
        let caller = Caller {
            client: client.as_ref(),
            dpop: proven.as_ref(),
        };
        let expires_at = self.now.plus(60);
        let kept = match &asked.grant {
            Grant::PreAuthorized { code, .. } => self.offers.get(code.expose()).map(|offer| {
                Kept::Offer(KeptOffer {
                    configurations: &offer.configurations,
                    tx_code: offer.tx_code.as_ref(),
                    attempts_left: offer.attempts,
                    expires_at,
                    used: offer.used,
                })
            }),
            Grant::AuthorizationCode { code, .. } => self.codes.get(code.expose()).map(|code| {
                Kept::Code(KeptCode {
                    granted: &code.granted,
                    redirect_uri: &code.request.redirect_uri,
                    code_challenge: &code.request.code_challenge,
                    expires_at,
                    used: code.used,
                })
            }),
            Grant::Refresh(token) => {
                let granted = self.refresh.get(token.expose());
                granted.map(|granted| {
                    Kept::Refresh(KeptRefresh {
                        granted,
                        expires_at,
                        used: false,
                    })
                })
            }
        };
        let metadata = self.read_metadata();
        let granted = issuer::token(&asked, kept, caller, self.policy, &metadata, self.now, &Native::new());
        match &asked.grant {
            Grant::PreAuthorized { code, .. } => {
                if let Some(offer) = self.offers.get_mut(code.expose()) {
                    offer.attempts = offer.attempts.saturating_sub(1);
                    offer.used |= granted.is_ok();
                }
            }
            Grant::AuthorizationCode { code, .. } => {
                if let Some(code) = self.codes.get_mut(code.expose()) {
                    code.used |= granted.is_ok();
                }
            }
            Grant::Refresh(token) => drop(self.refresh.remove(token.expose())),
        }
        let granted = granted.map_err(|error| Reply::refused(400, error.code().name()))?;
        let (access, refresh) = (self.text(), self.text());
        let ends = self.now.plus(i64::from(self.token_lifetime));
        self.tokens.insert(access.clone(), (granted.clone(), ends));
        self.refresh.insert(refresh.clone(), granted.clone());
        let details = (self.by_identifier || granted.by_details).then(|| {
            let detail = |id: &String| {
                let mut detail = AuthorizationDetail::new(id.as_str());
                detail.credential_identifiers = Some(vec![format!("{id}/1")]);
                detail
            };
            granted.configurations.iter().map(detail).collect()
        });
        let response = TokenResponse {
            access_token: Opaque::new(access),
            token_type: if granted.jkt.is_some() {
                TokenType::Dpop
            } else {
                TokenType::Bearer
            },
            expires_in: Some(self.token_lifetime),
            refresh_token: Some(Opaque::new(refresh)),
            scope: None,
            authorization_details: details,
        };
        Ok(Reply::json(200, response.to_json()))
    }

    fn access(&mut self, request: &HttpRequest) -> Result<Granted, Reply> {
        let headers: Vec<_> = request.header("authorization").into_iter().collect();
        let refused = |error: AccessError| {
            let code = error.code().map_or("", ErrorCode::name);
            Reply::json(401, "").with("WWW-Authenticate", &format!("DPoP error=\"{code}\""))
        };
        let token = AccessToken::parse(&headers).map_err(refused)?;
        let (granted, ends) = self
            .tokens
            .get(token.token.expose())
            .cloned()
            .ok_or(refused(AccessError::Unknown))?;
        if ends <= self.now {
            return Err(refused(AccessError::Unknown));
        }
        let proven = self.proof(request, Some(&token.token))?;
        let thumbprint = proven.as_ref().map(|proven| proven.thumbprint.as_str());
        token
            .check_binding(granted.jkt.as_deref(), thumbprint)
            .map_err(refused)?;
        Ok(granted)
    }

    fn open(&self, request: &HttpRequest) -> (Vec<u8>, bool) {
        if request.header("content-type") != Some("application/jwt") {
            return (request.body.clone().into_bytes(), false);
        }
        let metadata = self.read_metadata();
        let offered = metadata.credential_request_encryption.as_ref().unwrap();
        let key = |kid: &str| (kid == "enc-1").then(|| self.key.clone());
        let opened = encryption::open_request(&request.body, offered, &key, 1 << 20, &Native::new());
        (opened.unwrap().expose().clone(), true)
    }

    fn reply(&mut self, response: &CredentialResponse, encrypt_to: Option<&EncryptTo>) -> Reply {
        let status = if matches!(response, CredentialResponse::Issued { .. }) {
            200
        } else {
            202
        };
        let Some(wanted) = encrypt_to else {
            return Reply::json(status, response.to_json());
        };
        let body = encryption::seal_response(&response.to_json(), wanted, &Native::new(), &mut self.entropy).unwrap();
        Reply {
            status,
            headers: vec![("content-type".into(), "application/jwt".into())],
            body,
        }
    }

    fn credential(&mut self, request: &HttpRequest) -> Result<Reply, Reply> {
        let granted = self.access(request)?;
        let (body, encrypted) = self.open(request);
        let metadata = self.read_metadata();
        let refused = |code: CredentialErrorCode| Reply::refused(400, code.name());
        let asked = CredentialRequest::parse(&body).map_err(|error| refused(error.code()))?;
        asked
            .check_encryption(&metadata, encrypted)
            .map_err(|error| refused(error.code()))?;
        let named = self.by_identifier || granted.by_details;
        let identifiers: Vec<_> = granted
            .configurations
            .iter()
            .filter(|_| named)
            .map(|id| (format!("{id}/1"), id.clone()))
            .collect();
        let access = Access {
            configurations: &granted.configurations,
            identifiers: &identifiers,
        };
        let wanted = issuer::credential(&asked, access, &metadata).map_err(|error| match error.code() {
            issuer::RefusalCode::Credential(code) => refused(code),
            issuer::RefusalCode::Access(code) => Reply::refused(403, code.name()),
        })?;
        let (proofs, proof_type) = wanted.proofs.unwrap();
        let stale = self.stale_nonces > 0;
        self.stale_nonces = self.stale_nonces.saturating_sub(1);
        let known = |nonce: &str| self.nonces.contains(nonce) && !stale;
        let expected = Expected {
            issuer: &issuer(),
            proof_type,
            binding_methods: wanted
                .configuration
                .cryptographic_binding_methods_supported
                .as_ref()
                .unwrap(),
            nonce: Some(&known),
            client_id: granted.client_id.as_deref(),
            max_keys: metadata.batch_size(),
            roots: std::slice::from_ref(&self.root),
            resolve: &|_| None,
            now: self.now,
        };
        let proven = Parsed::parse(proofs)
            .and_then(|parsed| parsed.verify(&expected, &Native::new()))
            .map_err(|error| refused(error.code()))?;
        self.nonces.remove(proven.nonce.as_deref().unwrap());
        if self.ready {
            let response = self.issued(&proven.keys);
            return Ok(self.reply(&response, asked.encrypt_to.as_ref()));
        }
        let transaction_id = self.text();
        self.deferred.insert(transaction_id.clone(), proven.keys);
        let response = CredentialResponse::Deferred {
            transaction_id,
            interval: 3600,
        };
        Ok(self.reply(&response, asked.encrypt_to.as_ref()))
    }

    fn issued(&mut self, keys: &[HolderKey]) -> CredentialResponse {
        let credential = |key: &HolderKey| match key {
            HolderKey::Jwk(key) => format!("copy-for-{}", encoding::hex(&key.as_bytes()[1..5])),
            HolderKey::Did { kid, .. } => format!("copy-for-{kid}"),
        };
        CredentialResponse::Issued {
            credentials: keys.iter().map(credential).collect(),
            notification_id: Some(self.text()),
        }
    }

    fn defer(&mut self, request: &HttpRequest) -> Result<Reply, Reply> {
        self.access(request)?;
        let (body, encrypted) = self.open(request);
        let refused = |code: CredentialErrorCode| Reply::refused(400, code.name());
        let asked = DeferredRequest::parse(&body).map_err(|error| refused(error.code()))?;
        asked
            .check_encryption(&self.read_metadata(), encrypted)
            .map_err(|error| refused(error.code()))?;
        if !self.ready && self.deferred.contains_key(&asked.transaction_id) {
            let transaction_id = asked.transaction_id;
            let response = CredentialResponse::Deferred {
                transaction_id,
                interval: 60,
            };
            return Ok(self.reply(&response, asked.encrypt_to.as_ref()));
        }
        let keys = self.deferred.remove(&asked.transaction_id);
        let keys = keys.ok_or(refused(CredentialErrorCode::InvalidTransactionId))?;
        let response = self.issued(&keys);
        Ok(self.reply(&response, asked.encrypt_to.as_ref()))
    }

    fn notification(&mut self, request: &HttpRequest) -> Result<Reply, Reply> {
        self.access(request)?;
        let notification =
            Notification::parse(request.body.as_bytes()).map_err(|error| Reply::refused(400, error.code().name()))?;
        self.notified.push((notification.notification_id, notification.event));
        Ok(Reply {
            status: 204,
            headers: Vec::new(),
            body: String::new(),
        })
    }
}
