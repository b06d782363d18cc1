//! A verifier's session: one request, from what is asked until it is answered or over.

use super::{
    Client, ClientId, ClientMetadata, Formats, HostError, Invocation, MetadataError, Policy, Prefix, Request,
    RequestUriMethod, ResponseMode, TransactionData, TransactionError, VerifierInfo, WalletMetadata, generate_text,
    host,
};
use crate::{
    dcql::Query,
    jwe::{self, ContentEncryption, JweError, Parameters, PrivateKey, Recipient},
    oauth::{Endpoint, Form, FormError, Opaque},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vidimus_core::{Algorithm, Encryption, Entropy, PublicKey, SignError, Signer, Timestamp};
use vidimus_credential::{json as strict, jws};

/// What a verifier wants to ask.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The query.
    pub query: Query,
    /// How the response is sent.
    pub response_mode: ResponseMode,
    /// Where to. A path of its own for each session tells responses apart before they are read.
    pub response_uri: Endpoint,
    /// Where the holder's browser goes afterwards, on the same device; absent across devices.
    pub return_uri: Option<Endpoint>,
    /// What the holder shall authorise.
    pub transaction_data: Vec<TransactionData>,
    /// What is said about the verifier, such as [`super::Statement::to_info`].
    pub verifier_info: Vec<VerifierInfo>,
    /// What the verifier can check.
    pub formats: Formats,
    /// How long the session is open, in seconds: 60 to 300.
    pub lifetime: i64,
}

/// Why a session is not opened, or its request not given out. The fault is the verifier's own, but for the variants that name the wallet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Not 60 to 300 seconds.
    #[error("a session is open for 60 to 300 seconds")]
    Lifetime,
    /// The verifier's own policy does not take its client identifier's prefix.
    #[error("requests under the client identifier prefix {0} are not taken")]
    Prefix(Prefix),
    /// The policy wants responses encrypted.
    #[error("responses must be encrypted")]
    NotEncrypted,
    /// The response would go to a host that the client's certificate does not name: wallets refuse that.
    #[error("the client's certificate does not name the host of the response_uri")]
    ResponseHost,
    /// A URL that wallets do not go to.
    #[error("the response_uri is not one that wallets go to")]
    Host(#[source] HostError),
    /// Under `redirect_uri`, the response goes to the client identifier.
    #[error("the response_uri is not the client identifier")]
    OtherUri,
    /// The query asks for a format that the verifier does not check.
    #[error("the query asks for a format that is not among those that are checked")]
    Formats,
    /// Transaction data that do not fit the query.
    #[error("the transaction data do not fit the query")]
    Transaction(#[source] TransactionError),
    /// More transaction data or `verifier_info` than wallets read.
    #[error("there is more transaction data or verifier_info than a wallet reads")]
    TooMany,
    /// `verifier_info` that names a credential that is not asked for.
    #[error("the verifier_info does not fit the query")]
    VerifierInfo,
    /// The encryption key could not be made.
    #[error("the session's key was not made")]
    Key(#[source] JweError),
    /// The session is another client's.
    #[error("the session is another client's")]
    OtherClient,
    /// The session is over.
    #[error("the session is over")]
    Expired,
    /// The prefix has no signed requests.
    #[error("requests under this client identifier prefix are not signed")]
    Unsigned,
    /// The key did not sign.
    #[error("the request object was not signed")]
    Sign(#[source] SignError),
    /// The wallet's parameters are not readable.
    #[error("the wallet's parameters are not readable")]
    Parameters(#[source] FormError),
    /// The wallet's metadata are not readable.
    #[error("the wallet's metadata are not accepted")]
    Metadata(#[source] MetadataError),
    /// `wallet_nonce` is too long, or has characters that it must not have.
    #[error("the wallet_nonce has the wrong form")]
    WalletNonce,
    /// The wallet does not take this prefix, this signature or any of the formats.
    #[error("the wallet does not support {0}")]
    Unsupported(&'static str),
    /// The wallet wants the request encrypted as we cannot.
    #[error("the request object was not encrypted")]
    Encrypt(#[source] JweError),
}

/// What the verifier keeps of a request. Whoever can change it can take answers that are none; the nonces are worth nothing to others.
/// Its encryption key is kept beside it, sealed. It is answered once: who takes it from the store for that has the only right to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Who asks.
    pub client_id: ClientId,
    /// The nonce that presentations are bound to.
    pub nonce: String,
    /// The state that comes back with the response: finds the session.
    pub state: String,
    /// How the response is sent.
    pub response_mode: ResponseMode,
    /// Where to.
    pub response_uri: Endpoint,
    /// Where the browser goes afterwards.
    pub return_uri: Option<Endpoint>,
    /// What is asked for.
    #[serde(with = "query")]
    pub query: Query,
    /// What the holder shall authorise.
    pub transaction_data: Vec<TransactionData>,
    /// What is said about the verifier.
    pub verifier_info: Vec<VerifierInfo>,
    /// What the verifier can check.
    pub formats: Formats,
    /// The public half of the encryption key.
    pub encryption_key: Option<PublicKey>,
    /// Its `kid`: finds the session of an encrypted response.
    pub kid: Option<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Until when it may be answered.
    pub expires_at: Timestamp,
}

mod query {
    use super::Query;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(query: &Query, s: S) -> Result<S::Ok, S::Error> {
        query.to_json().serialize(s)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Query, D::Error> {
        Query::from_json(&serde_json::Value::deserialize(d)?).map_err(D::Error::custom)
    }
}

impl Session {
    /// Opens a session with fresh nonce, state and, for an encrypted response, key (HAIP 1.0 §5: one for each request). The private key is for
    /// the caller to seal.
    pub fn open(
        ask: Ask,
        client: &Client,
        policy: &Policy,
        now: Timestamp,
        crypto: &dyn Encryption,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, Option<PrivateKey>), AskError> {
        check(&ask, client, policy)?;
        let private = match ask.response_mode {
            ResponseMode::DirectPost => None,
            ResponseMode::DirectPostJwt => Some(jwe::generate_key(crypto, entropy).map_err(AskError::Key)?),
        };
        let public = private.as_ref().and_then(|private| crypto.p256_public(private));
        let session = Self {
            client_id: client.id().clone(),
            nonce: generate_text(entropy),
            state: generate_text(entropy),
            response_mode: ask.response_mode,
            response_uri: ask.response_uri,
            return_uri: ask.return_uri,
            query: ask.query,
            transaction_data: ask.transaction_data,
            verifier_info: ask.verifier_info,
            formats: ask.formats,
            kid: public.as_ref().map(|_| generate_text(entropy)),
            encryption_key: public,
            created_at: now,
            expires_at: now.plus(ask.lifetime),
        };
        Ok((session, private))
    }

    /// Whether it may still be answered.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.created_at.since(now) <= 60 && now < self.expires_at
    }

    fn request(&self) -> Request {
        let recipient = self.encryption_key.clone().map(|key| Recipient {
            key,
            kid: self.kid.clone(),
        });
        Request {
            client_id: self.client_id.clone(),
            response_mode: self.response_mode,
            response_uri: self.response_uri.clone(),
            nonce: self.nonce.clone(),
            state: Some(self.state.clone()),
            query: self.query.clone(),
            metadata: Some(ClientMetadata {
                recipient,
                encryptions: ContentEncryption::ALL.to_vec(),
                formats: Some(self.formats.clone()),
            }),
            transaction_data: self.transaction_data.clone(),
            verifier_info: self.verifier_info.clone(),
            wallet_nonce: None,
            issued_at: None,
            not_before: None,
            expires_at: None,
        }
    }

    /// The signed request object (§5, RFC 9101), for whoever fetches it: by `get`, or by `post` with what the wallet says of itself. It is
    /// encrypted where the wallet wants that. `signer` holds the key that `client` names.
    pub fn request_object(
        &self,
        client: &Client,
        (signer, algorithm): (&dyn Signer, Algorithm),
        wallet: &RequestUriPost,
        now: Timestamp,
        crypto: &dyn Encryption,
        entropy: &mut dyn Entropy,
    ) -> Result<String, AskError> {
        if *client.id() != self.client_id {
            return Err(AskError::OtherClient);
        }
        if !self.is_open(now) {
            return Err(AskError::Expired);
        }
        if !client.id().prefix().is_signed() {
            return Err(AskError::Unsigned);
        }
        self.check_wallet(&wallet.metadata, algorithm)?;
        let claims = Request {
            wallet_nonce: wallet.wallet_nonce.clone(),
            issued_at: Some(now),
            expires_at: Some(self.expires_at),
            ..self.request()
        }
        .to_claims();
        let mut header = Map::new();
        header.insert("alg".into(), algorithm.name().into());
        header.insert(
            "typ".into(),
            super::REQUEST_TYPE.trim_start_matches("application/").into(),
        );
        client.add_evidence(&mut header);
        let unsigned = jws::Unsigned::new(&header, Value::Object(claims).to_string().as_bytes());
        let signature = signer.sign(algorithm, unsigned.message()).map_err(AskError::Sign)?;
        let object = unsigned.finish(&signature);
        let Some(recipient) = &wallet.metadata.recipient else {
            return Ok(object);
        };
        let known = |one: &ContentEncryption| wallet.metadata.encryptions.contains(one);
        let encryption = ContentEncryption::ALL
            .into_iter()
            .find(known)
            .ok_or(AskError::Encrypt(JweError::Encryption))?;
        let parameters = Parameters {
            typ: Some("oauth-authz-req+jwt".into()),
            cty: Some("JWT".into()),
            ..Parameters::default()
        };
        jwe::encrypt(recipient, encryption, &parameters, object.as_bytes(), crypto, entropy).map_err(AskError::Encrypt)
    }

    fn check_wallet(&self, wallet: &WalletMetadata, algorithm: Algorithm) -> Result<(), AskError> {
        if !wallet.takes_prefix(self.client_id.prefix()) {
            return Err(AskError::Unsupported("the client identifier prefix"));
        }
        if !wallet.takes_signature(algorithm) {
            return Err(AskError::Unsupported("the signature algorithm"));
        }
        let asked = |formats: &Formats| {
            let mut credentials = self.query.credentials().iter();
            credentials.any(|credential| formats.supports(credential.kind.format()))
        };
        if wallet.formats.as_ref().is_some_and(|formats| !asked(formats)) {
            return Err(AskError::Unsupported("any of the formats"));
        }
        Ok(())
    }

    /// What goes into the link and QR code where the request object is behind `request_uri`.
    pub fn invocation(&self, request_uri: Endpoint, method: RequestUriMethod) -> Invocation {
        Invocation::Reference {
            client_id: self.client_id.clone(),
            request_uri,
            method,
        }
    }

    /// What goes into the link where nothing is signed (`redirect_uri`).
    pub fn plain_invocation(&self) -> Invocation {
        let mut claims = self.request().to_claims();
        claims.shift_remove("aud");
        Invocation::Plain(claims)
    }

    /// What the wallet gets for its response (§8.2): on the same device, where to send the browser, with a fresh response code. The code is to be
    /// kept, hashed; only the browser that brings it, in the session that the request was made in, sees the answer (§14.2, HAIP 1.0 §5.1).
    pub fn acknowledge(&self, entropy: &mut dyn Entropy) -> (Option<Opaque>, String) {
        let Some(return_uri) = &self.return_uri else {
            return (None, "{}".into());
        };
        let code = Opaque::generate(entropy);
        let mut url = return_uri.url();
        url.query_pairs_mut().append_pair("response_code", code.expose());
        (Some(code), json!({"redirect_uri": url.as_str()}).to_string())
    }
}

fn check(ask: &Ask, client: &Client, policy: &Policy) -> Result<(), AskError> {
    if !(60..=300).contains(&ask.lifetime) {
        return Err(AskError::Lifetime);
    }
    let prefix = client.id().prefix();
    if !policy.prefixes.contains(&prefix) {
        return Err(AskError::Prefix(prefix));
    }
    if policy.encrypted && ask.response_mode != ResponseMode::DirectPostJwt {
        return Err(AskError::NotEncrypted);
    }
    host::check(&ask.response_uri, policy.loopback, policy.inside).map_err(AskError::Host)?;
    let url = ask.response_uri.url();
    let must_name = policy.bound_hosts || prefix == Prefix::X509SanDns;
    if must_name && !client.may_respond_to(url.host_str().unwrap_or_default()) {
        return Err(AskError::ResponseHost);
    }
    if matches!(client.id(), ClientId::RedirectUri(uri) if *uri != ask.response_uri) {
        return Err(AskError::OtherUri);
    }
    if ask.transaction_data.len() > super::transaction::MAX_COUNT || ask.verifier_info.len() > super::info::MAX_ENTRIES
    {
        return Err(AskError::TooMany);
    }
    let mut credentials = ask.query.credentials().iter();
    if !credentials.all(|credential| ask.formats.supports(credential.kind.format())) {
        return Err(AskError::Formats);
    }
    for data in &ask.transaction_data {
        data.check_query(&ask.query).map_err(AskError::Transaction)?;
    }
    let is_known = |id: &str| ask.query.position(id).is_some();
    let well_formed = |entry: &VerifierInfo| entry.is_well_formed(is_known);
    ask.verifier_info
        .iter()
        .all(well_formed)
        .then_some(())
        .ok_or(AskError::VerifierInfo)
}

/// What a wallet posts to `request_uri` (§5.10). By `get`, nothing: the default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestUriPost {
    /// `wallet_nonce`.
    pub wallet_nonce: Option<String>,
    /// `wallet_metadata`.
    pub metadata: WalletMetadata,
}

impl RequestUriPost {
    /// Reads a body. Parameters that are not known are ignored.
    pub fn parse(body: &[u8]) -> Result<Self, AskError> {
        let form = Form::parse(body).map_err(AskError::Parameters)?;
        let wallet_nonce = form.get("wallet_nonce").map(str::to_owned);
        let fits = |text: &String| text.len() <= 512 && text.bytes().all(|byte| byte.is_ascii_graphic());
        if wallet_nonce.as_ref().is_some_and(|nonce| !fits(nonce)) {
            return Err(AskError::WalletNonce);
        }
        let metadata = match form.get("wallet_metadata") {
            None => WalletMetadata::default(),
            Some(text) => strict::parse(text.as_bytes(), 64 << 10)
                .map_err(|_| MetadataError::Form("wallet_metadata"))
                .and_then(|value| WalletMetadata::from_json(&value))
                .map_err(AskError::Metadata)?,
        };
        Ok(Self { wallet_nonce, metadata })
    }
    /// The body.
    pub fn encode(&self) -> String {
        Form::new()
            .with("wallet_metadata", &self.metadata.to_json().to_string())
            .with_some("wallet_nonce", self.wallet_nonce.as_deref())
            .encode()
    }
}
