//! The authorization code grant up to the code: the pushed request (RFC 9126), what the browser brings (RFC 6749 §4.1.1), and the way back
//! (§4.1.2, RFC 9207).

use super::{
    AuthorizationDetail, ErrorCode, Form, Identifier, Opaque, Scope,
    details::DetailsError,
    form::FormError,
    pkce,
    wire::{self, MAX_TEXT, WireError},
};
use serde::{Deserialize, Serialize};
use url::Url;

/// An authorization request. PKCE with `S256` is always there (HAIP §4, FAPI 2.0 §5.3.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationRequest {
    /// Which wallet software.
    pub client_id: String,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// Binds the code to the one who asked.
    pub code_challenge: pkce::Challenge,
    /// Comes back unchanged.
    pub state: Option<String>,
    /// What is asked for, by scope.
    pub scope: Option<Scope>,
    /// What is asked for, in detail.
    pub authorization_details: Option<Vec<AuthorizationDetail>>,
    /// From the credential offer. May have been injected (OpenID4VCI §5.1.3).
    pub issuer_state: Option<String>,
    /// The credential issuer (RFC 8707).
    pub resource: Option<String>,
    /// The thumbprint of the DPoP key that the code is to be bound to (RFC 9449 §10).
    pub dpop_jkt: Option<String>,
}

/// Why an authorization request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The form is not readable.
    #[error("not a readable request")]
    Form(#[from] FormError),
    /// A parameter is missing.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter has a value that it must not have.
    #[error("the parameter {0} has a value that is not accepted")]
    Value(&'static str),
    /// `response_type` is not `code`.
    #[error("only the response type code is supported")]
    ResponseType,
    /// `request_uri` stands in a pushed request (RFC 9126 §2.1).
    #[error("a pushed request must not hold request_uri")]
    RequestUri,
    /// The scope is not readable.
    #[error("the scope is malformed")]
    Scope,
    /// The authorization details are not taken.
    #[error("the authorization details are not accepted")]
    Details(#[from] DetailsError),
}

impl RequestError {
    /// Its code (RFC 6749 §4.1.2.1, RFC 9126 §2.3).
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Form(_) | Self::Missing(_) | Self::Value(_) | Self::RequestUri => ErrorCode::InvalidRequest,
            Self::ResponseType => ErrorCode::UnsupportedResponseType,
            Self::Scope => ErrorCode::InvalidScope,
            Self::Details(error) => error.code(),
        }
    }
}

pub(super) fn short(form: &Form, name: &'static str) -> Result<Option<String>, RequestError> {
    match form.get(name) {
        Some(value) if value.len() > MAX_TEXT => Err(RequestError::Value(name)),
        value => Ok(value.map(str::to_owned)),
    }
}

impl AuthorizationRequest {
    /// Reads a pushed request. `issuer` is the credential issuer that authorization details may be for; `must_locate` as in
    /// [`AuthorizationDetail::parse_request`].
    ///
    /// `redirect_uri` is checked for its form only. Which ones a client may use is the caller's to know, and nothing may be sent to one before.
    pub fn parse(form: &Form, issuer: &Identifier, must_locate: bool) -> Result<Self, RequestError> {
        if form.get("request_uri").is_some() || form.get("request").is_some() {
            return Err(RequestError::RequestUri);
        }
        let needed = |name| short(form, name)?.ok_or(RequestError::Missing(name));
        if needed("response_type")? != "code" {
            return Err(RequestError::ResponseType);
        }
        if needed("code_challenge_method")? != pkce::S256 {
            return Err(RequestError::Value("code_challenge_method"));
        }
        let redirect_uri = needed("redirect_uri")?;
        if !is_redirect(&redirect_uri) {
            return Err(RequestError::Value("redirect_uri"));
        }
        let dpop_jkt = short(form, "dpop_jkt")?;
        if dpop_jkt
            .as_deref()
            .is_some_and(|jkt| pkce::Challenge::parse(jkt).is_none())
        {
            return Err(RequestError::Value("dpop_jkt"));
        }
        let details = form
            .get("authorization_details")
            .map(|text| AuthorizationDetail::parse_request(text, issuer.as_str(), must_locate));
        Ok(Self {
            client_id: needed("client_id")?,
            redirect_uri,
            code_challenge: pkce::Challenge::parse(&needed("code_challenge")?)
                .ok_or(RequestError::Value("code_challenge"))?,
            state: short(form, "state")?,
            scope: short(form, "scope")?
                .map(|text| Scope::parse(&text).ok_or(RequestError::Scope))
                .transpose()?,
            authorization_details: details.transpose()?,
            issuer_state: short(form, "issuer_state")?,
            resource: short(form, "resource")?,
            dpop_jkt,
        })
    }

    /// As a form.
    pub fn to_form(&self) -> Form {
        let details = self
            .authorization_details
            .as_deref()
            .map(AuthorizationDetail::to_parameter);
        Form::new()
            .with("response_type", "code")
            .with("client_id", &self.client_id)
            .with("redirect_uri", &self.redirect_uri)
            .with("code_challenge", self.code_challenge.as_str())
            .with("code_challenge_method", pkce::S256)
            .with_some("state", self.state.as_deref())
            .with_some("scope", self.scope.as_ref().map(ToString::to_string).as_deref())
            .with_some("authorization_details", details.as_deref())
            .with_some("issuer_state", self.issuer_state.as_deref())
            .with_some("resource", self.resource.as_deref())
            .with_some("dpop_jkt", self.dpop_jkt.as_deref())
    }
}

/// An absolute URI without fragment (RFC 6749 §3.1.2) that is no script: `https`, `http` to this machine, or a scheme of an application's own,
/// which has a full stop or a hyphen in it (RFC 8252 §7.1).
fn is_redirect(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let scheme = match url.scheme() {
        "https" | "http" => return super::Endpoint::new(text).is_ok(),
        scheme => scheme,
    };
    url.fragment().is_none() && scheme.contains(['.', '-'])
}

/// The answer to a pushed request (RFC 9126 §2.2), with status 201.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushedResponse {
    /// Names the request that was pushed.
    pub request_uri: String,
    /// Seconds that it can be used for.
    pub expires_in: u32,
}

impl PushedResponse {
    /// How such names begin.
    pub const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

    /// For a request that is kept under `name`.
    pub fn new(name: &Opaque, expires_in: u32) -> Self {
        Self {
            request_uri: format!("{}{}", Self::PREFIX, name.expose()),
            expires_in,
        }
    }
    /// Reads one.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let response: Self = wire::read(bytes, "pushed authorization response")?;
        if response.request_uri.is_empty() || response.request_uri.len() > MAX_TEXT || response.expires_in == 0 {
            return Err(WireError::Form("pushed authorization response"));
        }
        Ok(response)
    }
}

/// What the browser brings to the authorization endpoint once the request was pushed (RFC 9126 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationStart {
    /// Must be that of the pushed request.
    pub client_id: String,
    /// The name under which the request was pushed.
    pub request: Opaque,
}

impl AuthorizationStart {
    /// Reads the query. Everything else in it is ignored: the pushed request is what counts (RFC 9126 §4).
    pub fn parse(query: &str) -> Result<Self, RequestError> {
        let form = Form::parse(query.as_bytes())?;
        let client_id = short(&form, "client_id")?.ok_or(RequestError::Missing("client_id"))?;
        let uri = short(&form, "request_uri")?.ok_or(RequestError::Missing("request_uri"))?;
        let name = uri
            .strip_prefix(PushedResponse::PREFIX)
            .filter(|name| !name.is_empty())
            .ok_or(RequestError::Value("request_uri"))?;
        Ok(Self {
            client_id,
            request: Opaque::new(name),
        })
    }
    /// Where the browser is to be sent.
    pub fn location(endpoint: &super::Endpoint, client_id: &str, pushed: &PushedResponse) -> String {
        let query = Form::new()
            .with("client_id", client_id)
            .with("request_uri", &pushed.request_uri);
        with_query(endpoint.as_str(), &query)
    }
}

/// `location` with more parameters in its query.
pub(crate) fn with_query(location: &str, query: &Form) -> String {
    let separator = match location.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{location}{separator}{}", query.encode())
}

/// What comes back to the wallet through the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizationResponse {
    /// The code.
    Code(Opaque),
    /// The server or the person said no.
    Refused {
        /// The code of the error, as it was written.
        error: String,
        /// The server's sentence.
        description: Option<String>,
    },
}

/// Why an authorization response is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The query is not readable.
    #[error("not a readable response")]
    Form(#[from] FormError),
    /// `state` is not the one that was sent: another session's answer.
    #[error("the response belongs to another session")]
    State,
    /// `iss` is missing where the server promised it, or names another server: a mix-up (RFC 9207 §2.4).
    #[error("the response is that of another authorization server")]
    Issuer,
    /// Neither code nor error, or both.
    #[error("the response has neither a code nor an error")]
    Neither,
}

impl AuthorizationResponse {
    /// Where the server sends the browser with it.
    pub fn location(&self, redirect_uri: &str, state: Option<&str>, issuer: &Identifier) -> String {
        let query = match self {
            Self::Code(code) => Form::new().with("code", code.expose()),
            Self::Refused { error, description } => Form::new()
                .with("error", error)
                .with_some("error_description", description.as_deref()),
        };
        let query = query.with_some("state", state).with("iss", issuer.as_str());
        with_query(redirect_uri, &query)
    }

    /// Reads the query that came back. `state` and `issuer` are what this session was started with; `issuer_promised` is the server's
    /// `authorization_response_iss_parameter_supported`: without it `iss` may be absent, but not wrong.
    pub fn parse(
        query: &str,
        state: &Opaque,
        issuer: &Identifier,
        issuer_promised: bool,
    ) -> Result<Self, ResponseError> {
        let form = Form::parse(query.as_bytes())?;
        if form.get("state").map(Opaque::new).as_ref() != Some(state) {
            return Err(ResponseError::State);
        }
        match form.get("iss") {
            Some(named) if named != issuer.as_str() => return Err(ResponseError::Issuer),
            None if issuer_promised => return Err(ResponseError::Issuer),
            _ => {}
        }
        match (form.get("code"), form.get("error")) {
            (Some(code), None) => Ok(Self::Code(Opaque::new(code))),
            (None, Some(error)) => Ok(Self::Refused {
                error: super::error::plain(error),
                description: form.get("error_description").map(super::error::plain),
            }),
            _ => Err(ResponseError::Neither),
        }
    }
}
