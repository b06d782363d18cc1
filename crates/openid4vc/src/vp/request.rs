//! The authorization request (§5), as claims of a request object or as parameters of a URL.

use super::{
    AUDIENCE, ClientId, ClientIdError, ClientMetadata, ErrorCode, HostError, MetadataError, TransactionData,
    TransactionError, VerifierInfo, info, is_url_safe, transaction,
};
use crate::{
    dcql::{Query, QueryError},
    jwe::JweError,
    oauth::{Endpoint, FormError},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vidimus_core::Timestamp;
use vidimus_credential::{json as strict, jws::JwsError, x509::CertificateError};

/// Why a wallet does not take a request. [`Self::code`] is what it answers, where it answers at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The link is none, or too long, or has no parameters.
    #[error("the link is not an authorization request")]
    Link,
    /// Its parameters are not readable.
    #[error("the request's parameters are not readable")]
    Parameters(#[source] FormError),
    /// A parameter is missing.
    #[error("the request lacks {0}")]
    Missing(&'static str),
    /// A parameter has the wrong form.
    #[error("the request's {0} has the wrong form")]
    Form(&'static str),
    /// Two parameters exclude each other.
    #[error("the request has both {0} and {1}")]
    Both(&'static str, &'static str),
    /// `request_uri_method` is neither `get` nor `post`.
    #[error("the request_uri_method is neither get nor post")]
    Method,
    /// `client_id` is not one, or of a prefix that is not known.
    #[error("the client identifier is not accepted")]
    ClientId(#[source] ClientIdError),
    /// Policy does not take this prefix.
    #[error("requests under the client identifier prefix {0} are not taken")]
    Prefix(super::Prefix),
    /// The link and the request object name different clients.
    #[error("the link and the request object name different clients")]
    OtherClient,
    /// Not signed, where it must be; or not by `request_uri`, where policy asks for that.
    #[error("the request is not signed and fetched as it must be")]
    NotSigned,
    /// Signed, where no key can be authentic (`redirect_uri`).
    #[error("a request under this client identifier prefix cannot be signed")]
    Signed,
    /// The request object could not be fetched: this HTTP status.
    #[error("the verifier answered the request for its request object with status {0}")]
    Fetch(u16),
    /// The request object came as another media type.
    #[error("the request object came as another media type")]
    MediaType,
    /// The request object is not a readable JWS.
    #[error("the request object is not readable")]
    Object(#[source] JwsError),
    /// The request object's `typ` is not `oauth-authz-req+jwt`.
    #[error("the request object is not typed as one")]
    Type,
    /// The request object should be encrypted to the wallet and is not, or the other way round, or to another key.
    #[error("the request object is not encrypted as was asked")]
    Encryption(#[source] Option<JweError>),
    /// A request object inside a request object (RFC 9101 §4).
    #[error("the request object refers to another one")]
    Nested,
    /// `aud` is not a wallet's.
    #[error("the request object is not for a wallet")]
    Audience,
    /// `wallet_nonce` is not the one that was sent: an old request, or another wallet's.
    #[error("the request object does not answer this fetch")]
    WalletNonce,
    /// Its time is over.
    #[error("the request has expired")]
    Expired,
    /// Its time has not begun.
    #[error("the request is from the future")]
    Future,
    /// The key of the client identifier did not sign it.
    #[error("the request object's signature does not verify")]
    Signature,
    /// No key for this client was given, or the header does not name one of it.
    #[error("the key that signed the request is not one of the client")]
    Key,
    /// The certificate is not trusted, or not the one that the client identifier names.
    #[error("the client's certificate is not accepted")]
    Certificate(#[source] CertificateError),
    /// The certificate is not one for relying parties.
    #[error("the client's certificate is not one for relying parties")]
    Usage,
    /// The client identifier names another certificate or host.
    #[error("the client identifier does not belong to the certificate")]
    OtherCertificate,
    /// The response would go to a host that is not the client's.
    #[error("the response would go to a host that the client's certificate does not name")]
    ResponseHost,
    /// The request object came from a host that is not the client's.
    #[error("the request came from a host that the client's certificate does not name")]
    RequestHost,
    /// A URL that is not gone to.
    #[error("the request points where the wallet does not go")]
    Host(#[source] HostError),
    /// The response type is not `vp_token`.
    #[error("the response type is not vp_token")]
    ResponseType,
    /// The response mode is neither `direct_post` nor `direct_post.jwt`, or policy wants it encrypted.
    #[error("the response mode is not accepted")]
    ResponseMode,
    /// A `scope` in place of a query.
    #[error("the scope is not known")]
    Scope,
    /// The query is not one.
    #[error("the query is not accepted")]
    Query(#[source] QueryError),
    /// The client's metadata are not accepted.
    #[error("the client's metadata are not accepted")]
    Metadata(#[source] MetadataError),
    /// No format that is asked for is supported by both sides.
    #[error("none of the formats that are asked for is supported")]
    Formats,
    /// Transaction data are not accepted.
    #[error("the transaction data are not accepted")]
    Transaction(#[source] TransactionError),
    /// `verifier_info` has the wrong form, or says about the client what is another's.
    #[error("the verifier_info is not accepted")]
    VerifierInfo,
}

impl RequestError {
    /// The error code (§8.5).
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Method => ErrorCode::InvalidRequestUriMethod,
            Self::Fetch(_) | Self::MediaType => ErrorCode::InvalidRequestUri,
            Self::Object(_)
            | Self::Type
            | Self::Encryption(_)
            | Self::Nested
            | Self::Audience
            | Self::WalletNonce
            | Self::Signature => ErrorCode::InvalidRequestObject,
            Self::ResponseType => ErrorCode::UnsupportedResponseType,
            Self::Scope => ErrorCode::InvalidScope,
            Self::Formats => ErrorCode::VpFormatsNotSupported,
            Self::Transaction(_) => ErrorCode::InvalidTransactionData,
            _ => ErrorCode::InvalidRequest,
        }
    }
}

/// How the response is sent (§8.2, §8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ResponseMode {
    /// Posted as a form.
    #[serde(rename = "direct_post")]
    DirectPost,
    /// Posted as a form that holds a JWE.
    #[serde(rename = "direct_post.jwt")]
    DirectPostJwt,
}

impl ResponseMode {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DirectPost => "direct_post",
            Self::DirectPostJwt => "direct_post.jwt",
        }
    }
}

/// What a verifier asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Who asks: also the audience of every presentation (§14.1.2).
    pub client_id: ClientId,
    /// How the response is sent.
    pub response_mode: ResponseMode,
    /// Where to.
    pub response_uri: Endpoint,
    /// Binds every presentation to this request.
    pub nonce: String,
    /// Comes back with the response.
    pub state: Option<String>,
    /// What is asked for.
    pub query: Query,
    /// The verifier's metadata.
    pub metadata: Option<ClientMetadata>,
    /// What the holder shall authorise with it.
    pub transaction_data: Vec<TransactionData>,
    /// What is said about the verifier.
    pub verifier_info: Vec<VerifierInfo>,
    /// The wallet's nonce, where it posted one for this request object.
    pub wallet_nonce: Option<String>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
    /// `nbf`.
    pub not_before: Option<Timestamp>,
    /// `exp`.
    pub expires_at: Option<Timestamp>,
}

impl Request {
    /// The claims of a request object.
    pub fn to_claims(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
        put("aud", AUDIENCE.into());
        put("client_id", self.client_id.to_string().into());
        put("response_type", "vp_token".into());
        put("response_mode", self.response_mode.name().into());
        put("response_uri", self.response_uri.as_str().into());
        put("nonce", self.nonce.as_str().into());
        let mut put_some = |name: &str, value: Option<Value>| value.into_iter().for_each(|value| put(name, value));
        put_some("state", self.state.as_deref().map(Value::from));
        put_some("dcql_query", Some(self.query.to_json()));
        put_some("client_metadata", self.metadata.as_ref().map(ClientMetadata::to_json));
        let list = |list: Value| list.as_array().is_some_and(|list| !list.is_empty()).then_some(list);
        put_some("transaction_data", list(json!(self.transaction_data)));
        put_some("verifier_info", list(json!(self.verifier_info)));
        put_some("wallet_nonce", self.wallet_nonce.as_deref().map(Value::from));
        put_some("iat", self.issued_at.map(|time| time.0.into()));
        put_some("nbf", self.not_before.map(|time| time.0.into()));
        put_some("exp", self.expires_at.map(|time| time.0.into()));
        claims
    }

    /// Reads the claims of a request object. `iss` is ignored, as are claims that are not known (§5).
    pub fn from_claims(claims: &Map<String, Value>) -> Result<Self, RequestError> {
        Self::from_claims_for(claims, None)
    }

    /// [`Self::from_claims`] with another audience that will do.
    pub(super) fn from_claims_for(claims: &Map<String, Value>, other: Option<&str>) -> Result<Self, RequestError> {
        if claims.contains_key("request") || claims.contains_key("request_uri") {
            return Err(RequestError::Nested);
        }
        let aud = claims.get("aud");
        let is_wallet = |text: &str| text == AUDIENCE || other == Some(text);
        let is_aud = |value: &Value| match value {
            Value::String(one) => is_wallet(one),
            Value::Array(list) => matches!(list.as_slice(), [Value::String(one)] if is_wallet(one)),
            _ => false,
        };
        if !aud.is_some_and(is_aud) {
            return Err(RequestError::Audience);
        }
        Self::from_members(claims)
    }

    /// Reads parameters that are not signed: of a URL, where objects are JSON text (§5.1).
    pub(super) fn from_parameters(mut parameters: Map<String, Value>) -> Result<Self, RequestError> {
        for name in ["dcql_query", "client_metadata", "transaction_data", "verifier_info"] {
            if let Some(Value::String(text)) = parameters.get(name) {
                let value = strict::parse(text.as_bytes(), super::MAX_REQUEST).map_err(|_| RequestError::Form(name))?;
                parameters.insert(name.to_owned(), value);
            }
        }
        Self::from_members(&parameters)
    }

    fn from_members(members: &Map<String, Value>) -> Result<Self, RequestError> {
        let text = |name: &'static str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= super::MAX_TEXT => Ok(Some(text.as_str())),
            Some(_) => Err(RequestError::Form(name)),
        };
        let required = |name: &'static str| text(name)?.ok_or(RequestError::Missing(name));
        let client_id: ClientId = required("client_id")?.parse().map_err(RequestError::ClientId)?;
        if required("response_type")? != "vp_token" {
            return Err(RequestError::ResponseType);
        }
        let response_mode = match required("response_mode")? {
            "direct_post" => ResponseMode::DirectPost,
            "direct_post.jwt" => ResponseMode::DirectPostJwt,
            _ => return Err(RequestError::ResponseMode),
        };
        if members.contains_key("redirect_uri") {
            return Err(RequestError::Both("redirect_uri", "response_mode=direct_post"));
        }
        let response_uri = match (text("response_uri")?, &client_id) {
            (Some(uri), _) => Endpoint::new(uri).map_err(|_| RequestError::Form("response_uri"))?,
            (None, ClientId::RedirectUri(uri)) => uri.clone(),
            (None, _) => return Err(RequestError::Missing("response_uri")),
        };
        let nonce = required("nonce")?;
        let state = text("state")?;
        if !is_url_safe(nonce) {
            return Err(RequestError::Form("nonce"));
        }
        if state.is_some_and(|state| !is_url_safe(state)) {
            return Err(RequestError::Form("state"));
        }
        let query = match (members.get("dcql_query"), members.contains_key("scope")) {
            (Some(_), true) => return Err(RequestError::Both("dcql_query", "scope")),
            (None, true) => return Err(RequestError::Scope),
            (None, false) => return Err(RequestError::Missing("dcql_query")),
            (Some(query), false) => Query::from_json(query).map_err(RequestError::Query)?,
        };
        let is_bound = query.credentials().iter().all(|credential| credential.holder_binding);
        if !is_bound && state.is_none() {
            // §5.3: without holder binding only the state ties the response to the request.
            return Err(RequestError::Missing("state"));
        }
        let metadata = members.get("client_metadata").map(ClientMetadata::from_json);
        let time = |name: &'static str| match members.get(name) {
            None => Ok(None),
            Some(value) => (value.as_i64())
                .or_else(|| {
                    value
                        .as_f64()
                        .filter(|time| time.abs() < 1e15)
                        .map(|time| time.floor() as i64)
                })
                .map(|seconds| Some(Timestamp(seconds)))
                .ok_or(RequestError::Form(name)),
        };
        Ok(Self {
            client_id,
            response_mode,
            response_uri,
            nonce: nonce.to_owned(),
            state: state.map(str::to_owned),
            metadata: metadata.transpose().map_err(RequestError::Metadata)?,
            transaction_data: members
                .get("transaction_data")
                .map_or(Ok(Vec::new()), transaction_data)?,
            verifier_info: members
                .get("verifier_info")
                .map_or(Ok(Vec::new()), |list| verifier_info(list, &query))?,
            query,
            wallet_nonce: text("wallet_nonce")?.map(str::to_owned),
            issued_at: time("iat")?,
            not_before: time("nbf")?,
            expires_at: time("exp")?,
        })
    }
}

fn transaction_data(list: &Value) -> Result<Vec<TransactionData>, RequestError> {
    let refused = RequestError::Transaction;
    let list = list.as_array().ok_or(refused(TransactionError::Malformed))?;
    if !(1..=transaction::MAX_COUNT).contains(&list.len()) {
        return Err(refused(TransactionError::Count));
    }
    let data = |item: &Value| TransactionData::parse(item.as_str().ok_or(TransactionError::Malformed)?);
    list.iter().map(data).collect::<Result<_, _>>().map_err(refused)
}

fn verifier_info(list: &Value, query: &Query) -> Result<Vec<VerifierInfo>, RequestError> {
    let entries = list
        .as_array()
        .filter(|list| (1..=info::MAX_ENTRIES).contains(&list.len()))
        .ok_or(RequestError::VerifierInfo)?;
    let entry = |item: &Value| {
        serde_json::from_value::<VerifierInfo>(item.clone())
            .ok()
            .filter(|entry| entry.is_well_formed(|id| query.position(id).is_some()))
            .ok_or(RequestError::VerifierInfo)
    };
    entries.iter().map(entry).collect()
}
