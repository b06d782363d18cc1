//! The state between steps, and what all steps share.

use super::{
    ClientAuthentication, Context, HttpRequest, HttpResponse, Next, Place, Policy, Received, Session, WalletClient,
    WalletError,
};
use crate::{
    oauth::{
        Endpoint, ErrorResponse, Identifier, Opaque, ServerMetadata, access::AccessToken, attestation, challenge, dpop,
        metadata::ATTEST_JWT, token::TokenType,
    },
    vci::{CredentialOffer, IssuerMetadata},
};
use serde::{Deserialize, Serialize};
use std::fmt;
use vidimus_core::{Algorithm, Signer, Timestamp};

/// How often one request is sent again with a new nonce or challenge.
const MAX_RETRIES: u8 = 3;

/// One issuance, from an offer to its last notification. It can be written and read between two steps; it holds secrets then.
#[derive(Clone, Serialize, Deserialize)]
pub struct Issuance {
    pub(super) policy: Policy,
    pub(super) client: Option<WalletClient>,
    pub(super) offer: Option<CredentialOffer>,
    pub(super) metadata: Option<IssuerMetadata>,
    pub(super) signed: bool,
    /// Metadata are asked for without a signature, since whoever signs them is not trusted.
    #[serde(default)]
    pub(super) unsigned: bool,
    pub(super) server: Option<ServerMetadata>,
    /// The authorization server that the person chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) chosen: Option<Identifier>,
    pub(super) state: State,
    pub(super) fresh: Fresh,
    pub(super) tokens: Option<Tokens>,
    pub(super) session: Option<Session>,
    pub(super) queue: Vec<Item>,
    pub(super) retries: u8,
    /// The token was renewed for what is asked for now.
    pub(super) renewed: bool,
    /// The credential was asked for anew, with another nonce or after a deferral that ended.
    #[serde(default)]
    pub(super) anew: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum State {
    Offer(Endpoint),
    IssuerMetadata(Identifier),
    ServerMetadata {
        now: Identifier,
        left: Vec<Identifier>,
    },
    Review,
    Challenge {
        then: Box<State>,
    },
    Pushed {
        form: String,
        verifier: Opaque,
        state: Opaque,
    },
    Browser {
        location: String,
        verifier: Opaque,
        state: Opaque,
    },
    Token {
        by: TokenBy,
        then: Option<Box<State>>,
    },
    Nonce,
    Prove {
        nonce: Option<String>,
    },
    Credential(Sent),
    Wait {
        transaction_id: String,
        until: Timestamp,
        keys: usize,
    },
    Deferred {
        transaction_id: String,
        sent: Sent,
    },
    Store(Received),
    Notify(String),
    Done,
}

/// What a token is had for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum TokenBy {
    PreAuthorized { tx_code: Option<Opaque> },
    Code { code: Opaque, verifier: Opaque },
    Refresh,
}

/// A request to the credential endpoints as it goes out: sent again, it is the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) body: String,
    pub(super) content_type: String,
    pub(super) key: Option<ResponseKey>,
    pub(super) keys: usize,
}

/// What the response is to be opened with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ResponseKey {
    pub(super) private: Opaque,
    pub(super) enc: String,
}

/// The latest nonces of the servers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Fresh {
    pub(super) server: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) challenge: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Tokens {
    pub(super) access: Opaque,
    pub(super) dpop: bool,
    /// Whether the request named a client.
    pub(super) named: bool,
    pub(super) expires_at: Option<Timestamp>,
}

/// A credential that is still to be requested.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) configuration: String,
    pub(super) identifier: Option<String>,
    pub(super) copies: usize,
}

impl fmt::Debug for Issuance {
    /// Where it stands, and nothing that is worth anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuance")
            .field("place", &self.place())
            .field("left", &self.queue.len())
            .finish_non_exhaustive()
    }
}

impl Issuance {
    pub(super) fn new(policy: Policy, client: Option<WalletClient>, state: State) -> Self {
        Self {
            policy,
            client,
            offer: None,
            metadata: None,
            signed: false,
            unsigned: false,
            server: None,
            chosen: None,
            state,
            fresh: Fresh::default(),
            tokens: None,
            session: None,
            queue: Vec::new(),
            retries: 0,
            renewed: false,
            anew: false,
        }
    }

    /// Whether something would be lost if it ended here: a code that counts once, or the tokens that one gave. It is to be kept from now on, before
    /// anything more is sent.
    pub fn has_grant(&self) -> bool {
        let redeems = matches!(
            self.state,
            State::Token {
                by: TokenBy::Code { .. },
                ..
            }
        );
        !matches!(self.state, State::Done) && (redeems || self.tokens.is_some())
    }

    /// Whether the issuer gave what it was asked for, and that waits to be stored.
    pub fn has_received(&self) -> bool {
        matches!(self.state, State::Store(_))
    }

    /// What it waits for, once more: after it was read back, or when a request got no answer.
    pub fn again(&mut self, context: &mut Context<'_>) -> Result<Next, WalletError> {
        self.retries = 0;
        self.renewed = false;
        self.anew = false;
        match self.state.clone() {
            State::Review => Ok(Next::Review),
            State::Browser { location, .. } => Ok(Next::Browse(location)),
            State::Prove { nonce } => self.ask_proofs(nonce),
            State::Wait { until, .. } => Ok(Next::Wait(until)),
            State::Store(received) => Ok(Next::Store(received)),
            State::Done => Ok(Next::Done),
            state @ (State::Credential(_) | State::Deferred { .. } | State::Notify { .. }) => self.go(state, context),
            _ => self.send(context),
        }
    }

    /// What new copies can be had with later, where the server gave a refresh token.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Takes what came back for the request of [`Next::Send`].
    pub fn receive(&mut self, context: &mut Context<'_>, response: HttpResponse<'_>) -> Result<Next, WalletError> {
        let place = self.place().ok_or(WalletError::Step)?;
        self.remember(place, &response);
        if self.is_to_be_sent_again(place, &response)? {
            return self.send(context);
        }
        let next = match place {
            Place::Offer => self.offer_came(context, &response),
            Place::IssuerMetadata => self.issuer_metadata_came(context, &response),
            Place::ServerMetadata => self.server_metadata_came(context, &response),
            Place::Challenge => self.challenge_came(context, &response),
            Place::PushedRequest => self.pushed_came(&response),
            Place::Authorization => Err(WalletError::Step),
            Place::Token => self.token_came(context, &response),
            Place::Nonce => self.nonce_came(&response),
            Place::Credential => self.credential_came(context, &response),
            Place::Deferred => self.deferred_came(context, &response),
            Place::Notification => self.next_item(context),
        };
        self.retries = 0;
        next
    }

    fn place(&self) -> Option<Place> {
        match self.state {
            State::Offer(_) => Some(Place::Offer),
            State::IssuerMetadata(_) => Some(Place::IssuerMetadata),
            State::ServerMetadata { .. } => Some(Place::ServerMetadata),
            State::Challenge { .. } => Some(Place::Challenge),
            State::Pushed { .. } => Some(Place::PushedRequest),
            State::Token { .. } => Some(Place::Token),
            State::Nonce => Some(Place::Nonce),
            State::Credential(_) => Some(Place::Credential),
            State::Deferred { .. } => Some(Place::Deferred),
            State::Notify(_) => Some(Place::Notification),
            State::Review
            | State::Browser { .. }
            | State::Prove { .. }
            | State::Wait { .. }
            | State::Store(_)
            | State::Done => None,
        }
    }

    /// Nonces come with any response (RFC 9449 §8.2, §9; attestation-based client authentication §8.1).
    fn remember(&mut self, place: Place, response: &HttpResponse<'_>) {
        let nonce = |name| {
            response
                .header(name)
                .filter(|text| !text.is_empty() && text.len() <= 1024)
        };
        if let Some(nonce) = nonce("dpop-nonce") {
            match place {
                Place::Nonce | Place::Credential | Place::Deferred | Place::Notification => {
                    self.fresh.resource = Some(nonce.to_owned());
                }
                Place::PushedRequest | Place::Token | Place::Challenge => self.fresh.server = Some(nonce.to_owned()),
                _ => {}
            }
        }
        if let Some(challenge) = nonce(challenge::HEADER) {
            self.fresh.challenge = Some(challenge.to_owned());
        }
    }

    /// Whether the server only wants a fresh nonce or challenge in the same request.
    fn is_to_be_sent_again(&mut self, place: Place, response: &HttpResponse<'_>) -> Result<bool, WalletError> {
        if !matches!(response.status, 400 | 401) {
            return Ok(false);
        }
        let code = ErrorResponse::parse(response.body)
            .map(|body| body.error)
            .unwrap_or_default();
        let header = response.header("www-authenticate").unwrap_or_default();
        let says = |name: &str| code == name || header.contains(&format!("error=\"{name}\""));
        let oauth = matches!(place, Place::PushedRequest | Place::Token);
        let again = if says("use_dpop_nonce") {
            response.header("dpop-nonce").is_some()
        } else {
            oauth && says("use_attestation_challenge")
        };
        if again {
            self.retries += 1;
            if self.retries > MAX_RETRIES {
                return Err(WalletError::Nonces);
            }
        }
        Ok(again)
    }

    /// The request of the state that it is in; a challenge is fetched first where one is needed.
    pub(super) fn send(&mut self, context: &mut Context<'_>) -> Result<Next, WalletError> {
        let oauth = matches!(self.state, State::Pushed { .. } | State::Token { .. });
        let attests = oauth && self.client_authentication(context)?.is_some();
        if attests && self.fresh.challenge.is_none() && self.server()?.challenge_endpoint.is_some() {
            let then = std::mem::replace(&mut self.state, State::Done);
            self.state = State::Challenge { then: Box::new(then) };
        }
        self.request(context).map(Next::Send)
    }

    fn request(&mut self, context: &mut Context<'_>) -> Result<HttpRequest, WalletError> {
        const FORM: &str = "application/x-www-form-urlencoded";
        const JSON: &str = "application/json";
        let endpoint = |endpoint: &Option<Endpoint>| endpoint.clone().ok_or(WalletError::Step);
        match self.state.clone() {
            State::Offer(location) => Ok(HttpRequest::get(location, JSON)),
            State::IssuerMetadata(issuer) => {
                let accept = match (context.metadata_roots, self.policy.signed_metadata) {
                    ([], _) => JSON,
                    _ if self.unsigned => JSON,
                    (_, true) => "application/jwt",
                    (_, false) => "application/jwt, application/json;q=0.5",
                };
                Ok(HttpRequest::get(IssuerMetadata::location(&issuer), accept))
            }
            State::ServerMetadata { now, .. } => Ok(HttpRequest::get(ServerMetadata::location(&now), JSON)),
            State::Challenge { .. } => {
                let endpoint = endpoint(&self.server()?.challenge_endpoint)?;
                Ok(HttpRequest::post(endpoint, FORM, String::new()))
            }
            State::Pushed { form, .. } => {
                let endpoint = endpoint(&self.server()?.pushed_authorization_request_endpoint)?;
                let mut request = HttpRequest::post(endpoint, FORM, form);
                self.authenticate(&mut request, context)?;
                Ok(request)
            }
            State::Token { by, .. } => {
                let form = self.token_form(&by, context)?;
                let endpoint = self.server()?.token_endpoint.clone();
                let mut request = HttpRequest::post(endpoint, FORM, form);
                self.authenticate(&mut request, context)?;
                if let Some((signer, algorithm)) = self.dpop(context)? {
                    let nonce = self.fresh.server.clone();
                    add_proof(&mut request, context, signer, algorithm, None, nonce.as_deref())?;
                }
                Ok(request)
            }
            State::Nonce => {
                let endpoint = endpoint(&self.metadata()?.nonce_endpoint)?;
                Ok(HttpRequest::post(endpoint, JSON, String::new()))
            }
            State::Credential(sent) => {
                let endpoint = self.metadata()?.credential_endpoint.clone();
                self.authorized(HttpRequest::post(endpoint, &sent.content_type, sent.body), context)
            }
            State::Deferred { sent, .. } => {
                let endpoint = endpoint(&self.metadata()?.deferred_credential_endpoint)?;
                self.authorized(HttpRequest::post(endpoint, &sent.content_type, sent.body), context)
            }
            State::Notify(body) => {
                let endpoint = endpoint(&self.metadata()?.notification_endpoint)?;
                self.authorized(HttpRequest::post(endpoint, JSON, body), context)
            }
            _ => Err(WalletError::Step),
        }
    }

    /// The token, with a proof of its key where it is bound to one.
    fn authorized(&self, mut request: HttpRequest, context: &mut Context<'_>) -> Result<HttpRequest, WalletError> {
        let tokens = self.tokens.as_ref().ok_or(WalletError::Step)?;
        let token_type = if tokens.dpop {
            TokenType::Dpop
        } else {
            TokenType::Bearer
        };
        let token = AccessToken {
            token_type,
            token: tokens.access.clone(),
        };
        request.headers.push(("authorization", token.to_header()));
        if tokens.dpop {
            let (signer, algorithm) = self.dpop(context)?.ok_or(WalletError::Algorithm("DPoP"))?;
            let nonce = self.fresh.resource.as_deref();
            add_proof(&mut request, context, signer, algorithm, Some(&tokens.access), nonce)?;
        }
        Ok(request)
    }

    /// The client attestation and its proof, where the server takes them; a challenge is used once.
    fn authenticate(&mut self, request: &mut HttpRequest, context: &mut Context<'_>) -> Result<(), WalletError> {
        let Some((client, algorithm)) = self.client_authentication(context)? else {
            return Ok(());
        };
        let client_id = &self.client.as_ref().ok_or(WalletError::Step)?.client_id;
        let challenge = self.fresh.challenge.take();
        let audience = &self.server.as_ref().ok_or(WalletError::Step)?.issuer;
        let pop = attestation::prove(
            client.signer,
            algorithm,
            client_id,
            audience,
            challenge.as_deref(),
            context.now,
            context.entropy,
        )?;
        request
            .headers
            .push(("oauth-client-attestation", client.attestation.to_owned()));
        request.headers.push(("oauth-client-attestation-pop", pop));
        Ok(())
    }

    /// Whether, and with what, the wallet authenticates at this server.
    pub(super) fn client_authentication<'a>(
        &self,
        context: &Context<'a>,
    ) -> Result<Option<(ClientAuthentication<'a>, Algorithm)>, WalletError> {
        let server = self.server()?;
        let listed = ServerMetadata::lists(server.token_endpoint_auth_methods_supported.as_ref(), ATTEST_JWT);
        match context.client.filter(|_| listed && self.client.is_some()) {
            None if self.policy.haip => Err(WalletError::Policy("client authentication by attestation")),
            None => Ok(None),
            Some(client) => {
                let list = server.client_attestation_pop_signing_alg_values_supported.as_ref();
                let algorithm = pick(client.signer, list).ok_or(WalletError::Algorithm("attested"))?;
                Ok(Some((client, algorithm)))
            }
        }
    }

    /// Whether, and with what, tokens are bound to a key at this server.
    pub(super) fn dpop<'a>(&self, context: &Context<'a>) -> Result<Option<(&'a dyn Signer, Algorithm)>, WalletError> {
        let list = self.server()?.dpop_signing_alg_values_supported.as_ref();
        match (context.dpop, list) {
            (Some(signer), Some(list)) => {
                let algorithm = pick(signer, Some(list)).ok_or(WalletError::Algorithm("DPoP"))?;
                Ok(Some((signer, algorithm)))
            }
            _ if self.policy.haip => Err(WalletError::Policy("DPoP")),
            _ => Ok(None),
        }
    }

    pub(super) fn metadata(&self) -> Result<&IssuerMetadata, WalletError> {
        self.metadata.as_ref().ok_or(WalletError::Step)
    }
    pub(super) fn server(&self) -> Result<&ServerMetadata, WalletError> {
        self.server.as_ref().ok_or(WalletError::Step)
    }
    pub(super) fn is_secure(&self, endpoint: &Endpoint) -> Result<(), WalletError> {
        if endpoint.is_secure() || self.policy.loopback {
            Ok(())
        } else {
            Err(WalletError::Insecure(endpoint.to_string()))
        }
    }
}

/// The first of a key's algorithms that a list has; without a list the key's own first.
pub(super) fn pick(signer: &dyn Signer, list: Option<&Vec<String>>) -> Option<Algorithm> {
    let listed = |algorithm: &&Algorithm| list.is_none_or(|list| list.iter().any(|name| name == algorithm.name()));
    signer.algorithms().iter().find(listed).copied()
}

fn add_proof(
    request: &mut HttpRequest,
    context: &mut Context<'_>,
    signer: &dyn Signer,
    algorithm: Algorithm,
    token: Option<&Opaque>,
    nonce: Option<&str>,
) -> Result<(), WalletError> {
    let draft = dpop::Draft {
        request: dpop::Request {
            method: request.method.name(),
            url: request.url.as_str(),
        },
        token,
        nonce,
        now: context.now,
    };
    let proof = draft.sign(signer, algorithm, context.crypto, context.entropy)?;
    request.headers.push(("dpop", proof));
    Ok(())
}

/// The refusal that a response holds: in its body, or at a resource in its header (RFC 6750 §3).
pub(super) fn refusal(place: Place, response: &HttpResponse<'_>) -> WalletError {
    if let Ok(body) = ErrorResponse::parse(response.body) {
        return WalletError::Refused {
            place,
            error: body.error,
            description: body.error_description,
        };
    }
    let header = response.header("www-authenticate").unwrap_or_default();
    let named = header
        .split_once("error=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(code, _)| crate::oauth::plain(code));
    match named {
        Some(error) => WalletError::Refused {
            place,
            error,
            description: None,
        },
        None => WalletError::Status {
            place,
            status: response.status,
        },
    }
}
