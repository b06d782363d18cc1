//! From the choice to the token: the challenge, the pushed request, the browser and the token endpoint.

use super::{
    Context, HttpResponse, Issuance, Next, Place, Session, WalletError, answer,
    begin::expect,
    machine::{Item, State, TokenBy, Tokens},
};
use crate::oauth::{
    AuthorizationDetail, Grant, Opaque, Scope, ServerMetadata, TokenRequest, TokenResponse,
    authorization::{AuthorizationRequest, AuthorizationResponse, AuthorizationStart, PushedResponse, with_query},
    challenge::ChallengeResponse,
    details::OPENID_CREDENTIAL,
    jwk, pkce,
    token::TokenType,
};

const JSON: &str = "application/json";

impl Issuance {
    pub(super) fn challenge_came(
        &mut self,
        context: &mut Context<'_>,
        response: &HttpResponse<'_>,
    ) -> Result<Next, WalletError> {
        expect(Place::Challenge, response, JSON)?;
        let challenge = answer(Place::Challenge, ChallengeResponse::parse(response.body))?;
        let State::Challenge { then } = std::mem::replace(&mut self.state, State::Done) else {
            return Err(WalletError::Step);
        };
        self.state = *then;
        self.fresh.challenge = Some(challenge.attestation_challenge);
        self.send(context)
    }

    /// By scope where each configuration has one (HAIP §4.3), else by authorization details.
    fn asked(&self) -> Result<(Option<Scope>, Option<Vec<AuthorizationDetail>>), WalletError> {
        let metadata = self.metadata()?;
        let configuration = |item: &Item| metadata.credential_configurations_supported.get(&item.configuration);
        let scopes: Option<Vec<_>> = self
            .queue
            .iter()
            .map(|item| configuration(item)?.scope.clone())
            .collect();
        if let Some(scope) = scopes.and_then(Scope::new) {
            return Ok((Some(scope), None));
        }
        let types = self.server()?.authorization_details_types_supported.as_ref();
        if !ServerMetadata::lists(types, OPENID_CREDENTIAL) {
            return Err(WalletError::NoGrant);
        }
        let located = metadata.authorization_servers.is_some();
        let issuer = metadata.credential_issuer.as_str();
        let detail = |item: &Item| {
            let mut detail = AuthorizationDetail::new(item.configuration.as_str());
            detail.locations = located.then(|| vec![issuer.to_owned()]);
            detail
        };
        Ok((None, Some(self.queue.iter().map(detail).collect())))
    }

    /// The credential issuer, where one server serves several (RFC 8707, OpenID4VCI §5.1.2).
    fn resource(&self) -> Option<String> {
        let metadata = self.metadata.as_ref()?;
        metadata.authorization_servers.as_ref()?;
        Some(metadata.credential_issuer.as_str().to_owned())
    }

    pub(super) fn authorize(&mut self, context: &mut Context<'_>) -> Result<Next, WalletError> {
        let client = self.client.clone().ok_or(WalletError::NoGrant)?;
        let verifier = pkce::generate_verifier(context.entropy);
        let state = Opaque::generate(context.entropy);
        let (scope, authorization_details) = self.asked()?;
        let grant = self.offer.as_ref().and_then(|offer| offer.authorization_code());
        let dpop_jkt = match self.dpop(context)? {
            Some((signer, _)) => jwk::thumbprint(signer.public_key(), context.crypto),
            None => None,
        };
        let request = AuthorizationRequest {
            client_id: client.client_id,
            redirect_uri: client.redirect_uri,
            code_challenge: pkce::Challenge::of(&verifier, context.crypto),
            state: Some(state.expose().to_owned()),
            resource: self.resource().filter(|_| scope.is_some()),
            scope,
            authorization_details,
            issuer_state: grant.and_then(|grant| grant.issuer_state.clone()),
            dpop_jkt,
        };
        let form = request.to_form();
        let server = self.server()?;
        if server.pushed_authorization_request_endpoint.is_some() {
            let form = form.encode();
            self.state = State::Pushed { form, verifier, state };
            return self.send(context);
        }
        let endpoint = server.authorization_endpoint.as_ref().ok_or(WalletError::NoGrant)?;
        let location = with_query(endpoint.as_str(), &form);
        self.state = State::Browser {
            location: location.clone(),
            verifier,
            state,
        };
        Ok(Next::Browse(location))
    }

    pub(super) fn pushed_came(&mut self, response: &HttpResponse<'_>) -> Result<Next, WalletError> {
        expect(Place::PushedRequest, response, JSON)?;
        let pushed = answer(Place::PushedRequest, PushedResponse::parse(response.body))?;
        let State::Pushed { verifier, state, .. } = std::mem::replace(&mut self.state, State::Done) else {
            return Err(WalletError::Step);
        };
        let client = self.client.as_ref().ok_or(WalletError::Step)?;
        let endpoint = self
            .server()?
            .authorization_endpoint
            .as_ref()
            .ok_or(WalletError::Step)?;
        let location = AuthorizationStart::location(endpoint, &client.client_id, &pushed);
        self.state = State::Browser {
            location: location.clone(),
            verifier,
            state,
        };
        Ok(Next::Browse(location))
    }

    /// Takes the query that the browser came back with, in answer to [`Next::Browse`]. A query that is another session's changes nothing.
    pub fn callback(&mut self, query: &str, context: &mut Context<'_>) -> Result<Next, WalletError> {
        let State::Browser { verifier, state, .. } = &self.state else {
            return Err(WalletError::Step);
        };
        let server = self.server()?;
        let promised = server.authorization_response_iss_parameter_supported || self.policy.haip;
        match AuthorizationResponse::parse(query, state, &server.issuer, promised)? {
            AuthorizationResponse::Refused { error, description } => Err(WalletError::Refused {
                place: Place::Authorization,
                error,
                description,
            }),
            AuthorizationResponse::Code(code) => {
                let by = TokenBy::Code {
                    code,
                    verifier: verifier.clone(),
                };
                self.state = State::Token { by, then: None };
                self.send(context)
            }
        }
    }

    /// Whether the token request names the client: it authenticates, or the server does not take anonymous ones.
    fn is_named(&self, context: &Context<'_>, by: &TokenBy) -> Result<bool, WalletError> {
        if self.client_authentication(context)?.is_some() {
            return Ok(true);
        }
        let anonymous = match by {
            TokenBy::PreAuthorized { .. } => self.server()?.anonymous_access,
            TokenBy::Code { .. } => false,
            TokenBy::Refresh => self.session.as_ref().is_some_and(|session| !session.named),
        };
        Ok(self.client.is_some() && !anonymous)
    }

    pub(super) fn token_form(&self, by: &TokenBy, context: &Context<'_>) -> Result<String, WalletError> {
        let grant = match by {
            TokenBy::PreAuthorized { tx_code } => Grant::PreAuthorized {
                code: self
                    .offer
                    .as_ref()
                    .and_then(|offer| offer.pre_authorized())
                    .map(|grant| grant.code.clone())
                    .ok_or(WalletError::Step)?,
                tx_code: tx_code.clone(),
            },
            TokenBy::Code { code, verifier } => Grant::AuthorizationCode {
                code: code.clone(),
                redirect_uri: self.client.as_ref().map(|client| client.redirect_uri.clone()),
                code_verifier: Some(verifier.clone()),
            },
            TokenBy::Refresh => {
                let session = self.session.as_ref().ok_or(WalletError::Step)?;
                Grant::Refresh(session.refresh_token.clone())
            }
        };
        let client = self
            .client
            .as_ref()
            .filter(|_| self.is_named(context, by).unwrap_or(false));
        let request = TokenRequest {
            client_id: client.map(|client| client.client_id.clone()),
            ..TokenRequest::new(grant)
        };
        Ok(request.to_form().encode())
    }

    pub(super) fn token_came(
        &mut self,
        context: &mut Context<'_>,
        response: &HttpResponse<'_>,
    ) -> Result<Next, WalletError> {
        let State::Token { by, then } = self.state.clone() else {
            return Err(WalletError::Step);
        };
        if let Err(error) = expect(Place::Token, response, JSON) {
            // A transaction code can be typed wrong; whether it may be tried again is the server's to say.
            if matches!(by, TokenBy::PreAuthorized { tx_code: Some(_) }) {
                self.state = State::Review;
            }
            return Err(error);
        }
        let token = answer(Place::Token, TokenResponse::parse(response.body))?;
        let dpop = token.token_type == TokenType::Dpop;
        let proved = self.dpop(context)?.is_some();
        if (dpop && !proved) || (self.policy.haip && !dpop) {
            return Err(WalletError::Token);
        }
        let named = self.is_named(context, &by)?;
        self.tokens = Some(Tokens {
            access: token.access_token,
            dpop,
            named,
            expires_at: token.expires_in.map(|seconds| context.now.plus(i64::from(seconds))),
        });
        if let Some(refresh_token) = token.refresh_token {
            self.session = Some(Session {
                issuer: self.metadata()?.credential_issuer.clone(),
                server: self.server()?.issuer.clone(),
                refresh_token,
                named,
            });
        }
        if let Some(then) = then {
            self.state = *then;
            return self.send(context);
        }
        if let Some(details) = token.authorization_details {
            self.queue = by_identifier(&self.queue, &details);
        }
        if self.queue.is_empty() {
            return Err(WalletError::Token);
        }
        self.begin_item(context)
    }
}

/// What was chosen, by the identifiers that the token response gives it (OpenID4VCI §8.2).
fn by_identifier(queue: &[Item], details: &[AuthorizationDetail]) -> Vec<Item> {
    let mut items = Vec::new();
    for item in queue {
        let of_item = details
            .iter()
            .filter(|detail| detail.credential_configuration_id == item.configuration);
        for identifier in of_item.flat_map(|detail| detail.credential_identifiers.iter().flatten()) {
            items.push(Item {
                identifier: Some(identifier.clone()),
                ..item.clone()
            });
        }
    }
    items
}
