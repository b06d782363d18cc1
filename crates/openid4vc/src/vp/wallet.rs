//! The wallet's side: from a link to a request that is verified, and from there to the response.

use super::{
    ErrorCode, Formats, Invocation, MAX_REQUEST, Policy, Prefix, REQUEST_TYPE, RequestError, RequestUriMethod,
    RequestUriPost, ResponseMode, TokenError, TransactionType, VpToken, WalletMetadata,
    authenticate::{self, Trust, Who},
    generate_text, host,
    request::Request,
};
use crate::{
    jwe::{self, ContentEncryption, Jwe, JweError, Parameters, PrivateKey, Recipient},
    oauth::{Endpoint, Form},
};
use serde_json::{Map, Value, json};
use std::{fmt, ops::Deref};
use vidimus_core::{Encryption, Entropy, Provider, Timestamp};
use vidimus_credential::{
    json as strict,
    jws::{self, Jws},
};

/// What a wallet takes and can do.
#[derive(Debug, Clone, PartialEq)]
pub struct Wallet {
    /// What it refuses beyond the specification.
    pub policy: Policy,
    /// The formats it presents.
    pub formats: Formats,
    /// The transaction data it can show.
    pub transaction_types: Vec<TransactionType>,
    /// Whether it wants request objects encrypted, where it posts for them.
    pub encrypted_requests: bool,
}

/// What the caller sends. It follows no redirect, keeps to a size and time, and sends no headers that tell wallets apart (§15.7).
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Where to.
    pub url: Endpoint,
    /// `POST` with this body of `application/x-www-form-urlencoded`; else `GET`. Personal.
    pub body: Option<String>,
    /// `Accept`.
    pub accept: &'static str,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        write!(f, "{method} {}", self.url)
    }
}

/// What comes after a link was read.
#[derive(Debug)]
pub enum Step {
    /// The request object is fetched.
    Fetch(Fetch),
    /// It was in the link.
    Received(Received),
}

impl Wallet {
    /// Begins with a link. The holder has been asked whether to go there, where nothing else says that the address is the verifier's (§15.9.1).
    pub fn start(
        &self,
        invocation: Invocation,
        crypto: &dyn Encryption,
        entropy: &mut dyn Entropy,
    ) -> Result<Step, RequestError> {
        let client_id = invocation.client_id().ok_or(RequestError::Missing("client_id"))?;
        let prefix = client_id.prefix();
        if prefix == Prefix::PreRegistered || !self.policy.prefixes.contains(&prefix) {
            return Err(RequestError::Prefix(prefix));
        }
        if self.policy.by_reference && !matches!(invocation, Invocation::Reference { .. }) {
            return Err(RequestError::NotSigned);
        }
        match invocation {
            Invocation::Plain(_) if prefix.is_signed() => Err(RequestError::NotSigned),
            Invocation::Reference { .. } | Invocation::Value { .. } if !prefix.is_signed() => Err(RequestError::Signed),
            Invocation::Plain(claims) => Ok(Step::Received(Received {
                client_id: client_id.to_string(),
                content: Content::Plain(claims),
                wallet_nonce: None,
                request_uri: None,
            })),
            Invocation::Value { request, .. } => {
                Received::read(&client_id.to_string(), &request, None, None).map(Step::Received)
            }
            Invocation::Reference {
                request_uri, method, ..
            } => {
                host::check(&request_uri, self.policy.loopback, self.policy.inside).map_err(RequestError::Host)?;
                let client_id = client_id.to_string();
                self.fetch(client_id, request_uri, method, crypto, entropy)
                    .map(Step::Fetch)
            }
        }
    }

    fn fetch(
        &self,
        client_id: String,
        request_uri: Endpoint,
        method: RequestUriMethod,
        crypto: &dyn Encryption,
        entropy: &mut dyn Entropy,
    ) -> Result<Fetch, RequestError> {
        let mut fetch = Fetch {
            request: HttpRequest {
                url: request_uri,
                body: None,
                accept: REQUEST_TYPE,
            },
            client_id,
            wallet_nonce: None,
            key: None,
            any_media_type: !self.policy.by_reference,
        };
        if method == RequestUriMethod::Get {
            return Ok(fetch);
        }
        if self.encrypted_requests {
            let refused = |error| RequestError::Encryption(Some(error));
            let private = jwe::generate_key(crypto, entropy).map_err(refused)?;
            let key = crypto.p256_public(&private).ok_or(refused(JweError::Entropy))?;
            let kid = Some(generate_text(entropy));
            fetch.key = Some((private, Recipient { key, kid }));
        }
        fetch.wallet_nonce = Some(generate_text(entropy));
        let post = RequestUriPost {
            wallet_nonce: fetch.wallet_nonce.clone(),
            metadata: WalletMetadata {
                formats: Some(self.formats.clone()),
                prefixes: self
                    .policy
                    .prefixes
                    .iter()
                    .map(|prefix| prefix.name().to_owned())
                    .collect(),
                signing: authenticate::ALGORITHMS
                    .iter()
                    .map(|one| one.name().to_owned())
                    .collect(),
                recipient: fetch.key.as_ref().map(|(_, recipient)| recipient.clone()),
                encryptions: ContentEncryption::ALL.to_vec(),
            },
        };
        fetch.request.body = Some(post.encode());
        Ok(fetch)
    }
}

/// A request object on its way.
#[derive(Debug)]
pub struct Fetch {
    request: HttpRequest,
    client_id: String,
    wallet_nonce: Option<String>,
    key: Option<(PrivateKey, Recipient)>,
    any_media_type: bool,
}

impl Fetch {
    /// What to send.
    pub fn http(&self) -> &HttpRequest {
        &self.request
    }

    /// Takes what came back: its status, media type and body. Any status but 200 ends it (§5.10.2).
    pub fn received(
        self,
        status: u16,
        media_type: Option<&str>,
        body: &[u8],
        crypto: &dyn Encryption,
    ) -> Result<Received, RequestError> {
        if status != 200 {
            return Err(RequestError::Fetch(status));
        }
        let essence = media_type.and_then(|text| text.split(';').next()).map(str::trim);
        if !self.any_media_type && !essence.is_some_and(|essence| essence.eq_ignore_ascii_case(REQUEST_TYPE)) {
            return Err(RequestError::MediaType);
        }
        let text = std::str::from_utf8(body)
            .map_err(|_| RequestError::Object(jws::JwsError::Parts))?
            .trim_ascii();
        let from = Some(self.request.url);
        let Some((private, recipient)) = self.key else {
            return Received::read(&self.client_id, text, self.wallet_nonce, from);
        };
        if text.bytes().filter(|byte| *byte == b'.').count() != 4 {
            return Err(RequestError::Encryption(None));
        }
        let refused = |error| RequestError::Encryption(Some(error));
        let jwe = Jwe::parse(text, MAX_REQUEST * 2).map_err(refused)?;
        if jwe.kid() != recipient.kid.as_deref() {
            return Err(RequestError::Encryption(None));
        }
        let content = jwe.decrypt(&private, None, crypto).map_err(refused)?;
        let object = std::str::from_utf8(content.expose()).map_err(|_| RequestError::Object(jws::JwsError::Parts))?;
        Received::read(&self.client_id, object, self.wallet_nonce, from)
    }
}

/// A request that came and is not verified.
#[derive(Debug)]
pub struct Received {
    client_id: String,
    content: Content,
    wallet_nonce: Option<String>,
    request_uri: Option<Endpoint>,
}

enum Content {
    Plain(Map<String, Value>),
    Signed {
        signed: Box<jws::Signed>,
        claims: Map<String, Value>,
    },
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Content(plain)",
            Self::Signed { .. } => "Content(signed)",
        })
    }
}

/// What it takes to verify a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence<'a> {
    /// [`Trust::roots`]: authorities that relying parties are trusted under.
    Certificate,
    /// [`Trust::keys`]: the keys of this verification method, from the DID's document as it is now.
    Did {
        /// The DID.
        did: &'a str,
        /// The DID URL of the verification method; absent where the header has none.
        kid: Option<&'a str>,
    },
    /// Nothing: nobody signed it.
    Nothing,
}

/// A request that is refused, and what may be sent back: only once the one who asked is known, and, so as not to show what a wallet does by itself,
/// only when the holder agrees (§15.10).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// Why.
    #[source]
    pub error: RequestError,
    /// The error response, where there is somebody to send it to.
    pub reply: Option<HttpRequest>,
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        Self { error, reply: None }
    }
}

impl Received {
    fn read(
        client_id: &str,
        object: &str,
        wallet_nonce: Option<String>,
        request_uri: Option<Endpoint>,
    ) -> Result<Self, RequestError> {
        let jws = Jws::parse(object, MAX_REQUEST).map_err(RequestError::Object)?;
        if !jws.header().is_type("oauth-authz-req+jwt") {
            return Err(RequestError::Type);
        }
        let claims = jws.claims().map_err(RequestError::Object)?;
        // Before any key is looked up: the two must name the same client (§5.10.1, RFC 9101 §5).
        if claims.get("client_id").and_then(Value::as_str) != Some(client_id) {
            return Err(RequestError::OtherClient);
        }
        if wallet_nonce.is_some() && claims.get("wallet_nonce").and_then(Value::as_str) != wallet_nonce.as_deref() {
            return Err(RequestError::WalletNonce);
        }
        Ok(Self {
            client_id: client_id.to_owned(),
            content: Content::Signed {
                signed: Box::new(jws.into_signed()),
                claims,
            },
            wallet_nonce,
            request_uri,
        })
    }

    /// What it takes to verify it.
    pub fn evidence(&self) -> Evidence<'_> {
        match &self.content {
            Content::Plain(_) => Evidence::Nothing,
            Content::Signed { signed, .. } => match self.client_id.strip_prefix("decentralized_identifier:") {
                Some(did) => Evidence::Did {
                    did,
                    kid: signed.header.kid.as_deref(),
                },
                None => Evidence::Certificate,
            },
        }
    }

    /// Verifies who asks and that what they ask is in order.
    pub fn verify(
        self,
        wallet: &Wallet,
        trust: Trust<'_>,
        now: Timestamp,
        provider: &dyn Provider,
    ) -> Result<Verified<Incoming>, Refusal> {
        let (claims, who) = match &self.content {
            Content::Plain(claims) => (claims, Who::Nobody),
            Content::Signed { signed, claims } => {
                let client_id = self.client_id.parse().map_err(RequestError::ClientId)?;
                let who = authenticate::authenticate(&client_id, signed, trust, &wallet.policy, now, provider)?;
                (claims, who)
            }
        };
        let reply_to = self.reply_to(claims, &who, &wallet.policy)?;
        self.check(claims, who, wallet, now).map_err(|error| Refusal {
            reply: reply_to.map(|(url, state)| {
                let form = error_form(error.code(), state.as_deref());
                post(url, form.encode())
            }),
            error,
        })
    }

    /// Where an error response goes, and with which state: nowhere, where the place is not readable.
    fn reply_to(
        &self,
        claims: &Map<String, Value>,
        who: &Who,
        policy: &Policy,
    ) -> Result<Option<(Endpoint, Option<String>)>, RequestError> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let Some(uri) = text("response_uri").and_then(|uri| Endpoint::new(uri).ok()) else {
            return Ok(None);
        };
        check_hosts(&uri, self.request_uri.as_ref(), who, &self.client_id, policy)?;
        let state = text("state").filter(|state| super::is_url_safe(state));
        Ok(Some((uri, state.map(str::to_owned))))
    }

    fn check(
        &self,
        claims: &Map<String, Value>,
        who: Who,
        wallet: &Wallet,
        now: Timestamp,
    ) -> Result<Verified<Incoming>, RequestError> {
        let request = match &self.content {
            Content::Plain(_) => Request::from_parameters(claims.clone())?,
            Content::Signed { .. } => {
                let fetched_from = self.request_uri.as_ref().filter(|_| !wallet.policy.audience);
                Request::from_claims_for(claims, fetched_from.map(Endpoint::as_str))?
            }
        };
        let policy = &wallet.policy;
        check_hosts(
            &request.response_uri,
            self.request_uri.as_ref(),
            &who,
            &self.client_id,
            policy,
        )?;
        if request.wallet_nonce != self.wallet_nonce && self.wallet_nonce.is_some() {
            return Err(RequestError::WalletNonce);
        }
        if request.expires_at.is_some_and(|end| end <= now) {
            return Err(RequestError::Expired);
        }
        let is_future = |time: Option<Timestamp>| time.is_some_and(|time| time.since(now) > 60);
        if is_future(request.issued_at) || is_future(request.not_before) {
            return Err(RequestError::Future);
        }
        if policy.encrypted && request.response_mode != ResponseMode::DirectPostJwt {
            return Err(RequestError::ResponseMode);
        }
        let encryption = match (request.response_mode, &request.metadata) {
            (ResponseMode::DirectPost, _) => None,
            (ResponseMode::DirectPostJwt, None) => return Err(RequestError::Missing("client_metadata")),
            (ResponseMode::DirectPostJwt, Some(metadata)) => {
                let (recipient, encryption) = metadata.encryption().map_err(RequestError::Metadata)?;
                Some((recipient.clone(), encryption))
            }
        };
        check_formats(&request, wallet)?;
        super::transaction::check_all(&request.transaction_data, &wallet.transaction_types, &request.query)
            .map_err(RequestError::Transaction)?;
        let statement = match who {
            // Nobody stands behind it.
            Who::Nobody => None,
            _ => super::Statement::find(&request.verifier_info, &request.client_id)
                .map_err(|()| RequestError::VerifierInfo)?,
        };
        Ok(Verified(Incoming {
            request,
            who,
            statement,
            encryption,
        }))
    }
}

fn check_hosts(
    response_uri: &Endpoint,
    request_uri: Option<&Endpoint>,
    who: &Who,
    client_id: &str,
    policy: &Policy,
) -> Result<(), RequestError> {
    host::check(response_uri, policy.loopback, policy.inside).map_err(RequestError::Host)?;
    let names = |endpoint: &Endpoint, name: &dyn Fn(&str) -> bool| name(endpoint.url().host_str().unwrap_or_default());
    match who {
        Who::Certificate(leaf) => {
            let by_name = client_id.strip_prefix("x509_san_dns:");
            let in_leaf = |host: &str| leaf.names_host(host);
            let is_client = |host: &str| by_name.is_none_or(|name| name.eq_ignore_ascii_case(host));
            if (policy.bound_hosts && !names(response_uri, &in_leaf)) || !names(response_uri, &is_client) {
                return Err(RequestError::ResponseHost);
            }
            if policy.bound_hosts && request_uri.is_some_and(|uri| !names(uri, &in_leaf)) {
                return Err(RequestError::RequestHost);
            }
        }
        // A DID names no hosts; what its registry entry says is looked at by whoever asks for consent.
        Who::Did { .. } => {}
        Who::Nobody if client_id.strip_prefix("redirect_uri:") == Some(response_uri.as_str()) => {}
        Who::Nobody => return Err(RequestError::ResponseHost),
    }
    Ok(())
}

fn check_formats(request: &Request, wallet: &Wallet) -> Result<(), RequestError> {
    let theirs = request.metadata.as_ref().and_then(|metadata| metadata.formats.as_ref());
    if wallet.policy.formats && theirs.is_none() {
        return Err(RequestError::Missing("vp_formats_supported"));
    }
    let both = |format: &str| wallet.formats.supports(format) && theirs.is_none_or(|theirs| theirs.supports(format));
    let mut credentials = request.query.credentials().iter();
    credentials
        .any(|credential| both(credential.kind.format()))
        .then_some(())
        .ok_or(RequestError::Formats)
}

/// What passed the wallet's checks; only they make one.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified<T>(T);

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A request, and who makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// What is asked. Presentations are made for its `client_id` and `nonce`.
    pub request: Request,
    /// Who asks.
    pub who: Who,
    /// What the verifier says about its purpose; its word alone.
    pub statement: Option<super::Statement>,
    encryption: Option<(Recipient, ContentEncryption)>,
}

/// Why a response is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresentError {
    /// The request is over.
    #[error("the request has expired")]
    Expired,
    /// What is to be presented does not answer the query.
    #[error("what is presented does not answer the query")]
    Token(#[source] TokenError),
    /// It could not be encrypted to the verifier's key.
    #[error("the response could not be encrypted")]
    Encrypt(#[source] JweError),
}

impl Verified<Incoming> {
    /// The response with these presentations, to be sent once.
    pub fn present(
        &self,
        token: &VpToken,
        now: Timestamp,
        crypto: &dyn Encryption,
        entropy: &mut dyn Entropy,
    ) -> Result<HttpRequest, PresentError> {
        if self.request.expires_at.is_some_and(|end| end <= now) {
            return Err(PresentError::Expired);
        }
        token.check(&self.request.query).map_err(PresentError::Token)?;
        let state = self.request.state.as_deref();
        let body = match &self.encryption {
            None => Form::new()
                .with("vp_token", &token.to_json().to_string())
                .with_some("state", state)
                .encode(),
            Some(_) => {
                let mut content = json!({"vp_token": token.to_json()});
                if let Some(state) = state {
                    content["state"] = state.into();
                }
                self.encrypt(&content, crypto, entropy)?
            }
        };
        Ok(post(self.request.response_uri.clone(), body))
    }

    /// The response without any: encrypted where the response would be, so that the two look alike from outside. [`ErrorCode::AccessDenied`]
    /// stands for a holder's no and for having nothing that fits, which are not told apart (§15.4.1).
    pub fn decline(
        &self,
        code: ErrorCode,
        crypto: &dyn Encryption,
        entropy: &mut dyn Entropy,
    ) -> Result<HttpRequest, PresentError> {
        let state = self.request.state.as_deref();
        let body = match &self.encryption {
            None => error_form(code, state).encode(),
            Some(_) => {
                let mut content = json!({"error": code.name()});
                if let Some(state) = state {
                    content["state"] = state.into();
                }
                self.encrypt(&content, crypto, entropy)?
            }
        };
        Ok(post(self.request.response_uri.clone(), body))
    }

    fn encrypt(
        &self,
        content: &Value,
        crypto: &dyn Encryption,
        entropy: &mut dyn Entropy,
    ) -> Result<String, PresentError> {
        let (recipient, encryption) = self.encryption.as_ref().expect("called where there is one");
        let text = zeroize::Zeroizing::new(content.to_string());
        let parameters = Parameters::default();
        let jwe = jwe::encrypt(recipient, *encryption, &parameters, text.as_bytes(), crypto, entropy)
            .map_err(PresentError::Encrypt)?;
        Ok(Form::new().with("response", &jwe).encode())
    }
}

fn error_form(code: ErrorCode, state: Option<&str>) -> Form {
    Form::new().with("error", code.name()).with_some("state", state)
}

fn post(url: Endpoint, body: String) -> HttpRequest {
    HttpRequest {
        url,
        body: Some(body),
        accept: "application/json",
    }
}

/// Why what the verifier answered to a response is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcknowledgeError {
    /// It did not take the response: this HTTP status.
    #[error("the verifier answered the response with status {0}")]
    Status(u16),
    /// Not the JSON it must be.
    #[error("the verifier's answer is not readable")]
    Malformed,
    /// The redirect is to where a browser is not sent.
    #[error("the verifier's answer redirects where the wallet sends nobody")]
    Redirect,
}

impl Wallet {
    /// Where to send the holder's browser after a response, from what the verifier answered (§8.2). `None`: nowhere.
    pub fn acknowledged(&self, status: u16, body: &[u8]) -> Result<Option<String>, AcknowledgeError> {
        if status != 200 {
            return Err(AcknowledgeError::Status(status));
        }
        let members = strict::parse_object(body, 64 << 10).map_err(|_| AcknowledgeError::Malformed)?;
        let Some(uri) = members.get("redirect_uri") else {
            return Ok(None);
        };
        let uri = uri.as_str().ok_or(AcknowledgeError::Malformed)?;
        // A fragment may hold the response code; without it, the rules of any other address.
        let (address, _) = uri.split_once('#').unwrap_or((uri, ""));
        let endpoint = Endpoint::new(address).map_err(|_| AcknowledgeError::Redirect)?;
        let plain = uri.len() <= super::MAX_TEXT && uri.bytes().all(|byte| byte.is_ascii_graphic());
        host::check(&endpoint, self.policy.loopback, self.policy.inside).map_err(|_| AcknowledgeError::Redirect)?;
        plain.then(|| Some(uri.to_owned())).ok_or(AcknowledgeError::Redirect)
    }
}
