//! From the offer to the person's choice: whose offer it is, what the issuer and its authorization server say of themselves, and whether that is
//! enough for this wallet.

use super::{
    Choice, Context, HttpResponse, Issuance, MAX_COPIES, Next, Place, Policy, Review, Session, WalletClient,
    WalletError,
    machine::{Item, State, TokenBy, refusal},
};
use crate::{
    oauth::{Endpoint, Identifier, ServerMetadata, metadata::PRE_AUTHORIZED, pkce},
    vci::{
        CredentialOffer, IssuerMetadata, OfferLink,
        signed_metadata::{self, SignedMetadataError},
    },
};

const JSON: &str = "application/json";

impl Issuance {
    /// Begins with what a link or QR code holds.
    pub fn from_link(
        link: &str,
        policy: Policy,
        client: Option<WalletClient>,
        context: &mut Context<'_>,
    ) -> Result<(Self, Next), WalletError> {
        match OfferLink::parse(link)? {
            OfferLink::Value(offer) => Self::from_offer(offer, policy, client, context),
            OfferLink::Reference(location) => {
                let mut issuance = Self::new(policy, client, State::Offer(location.clone()));
                issuance.is_secure(&location)?;
                let next = issuance.send(context)?;
                Ok((issuance, next))
            }
        }
    }

    /// Begins with an offer, or with what a wallet itself looks for: an issuer and configurations, without grants.
    pub fn from_offer(
        offer: CredentialOffer,
        policy: Policy,
        client: Option<WalletClient>,
        context: &mut Context<'_>,
    ) -> Result<(Self, Next), WalletError> {
        let mut issuance = Self::new(policy, client, State::Done);
        let next = issuance.take_offer(offer, context)?;
        Ok((issuance, next))
    }

    /// Begins with a session of before: new copies of these configurations, with its refresh token.
    pub fn renew(
        session: Session,
        configurations: &[(String, usize)],
        policy: Policy,
        client: Option<WalletClient>,
        context: &mut Context<'_>,
    ) -> Result<(Self, Next), WalletError> {
        let mut issuance = Self::new(policy, client, State::IssuerMetadata(session.issuer.clone()));
        issuance.is_secure(&IssuerMetadata::location(&session.issuer))?;
        issuance.queue = queue(configurations);
        issuance.session = Some(session);
        let next = issuance.send(context)?;
        Ok((issuance, next))
    }

    /// Takes this authorization server of those that the issuer names, before its metadata came (§12.2.4: the wallet may choose).
    pub fn choose_server(&mut self, server: Identifier) {
        self.chosen = Some(server);
    }

    fn take_offer(&mut self, offer: CredentialOffer, context: &mut Context<'_>) -> Result<Next, WalletError> {
        self.is_secure(&IssuerMetadata::location(&offer.credential_issuer))?;
        self.state = State::IssuerMetadata(offer.credential_issuer.clone());
        self.offer = Some(offer);
        self.send(context)
    }

    pub(super) fn offer_came(
        &mut self,
        context: &mut Context<'_>,
        response: &HttpResponse<'_>,
    ) -> Result<Next, WalletError> {
        expect(Place::Offer, response, JSON)?;
        self.take_offer(CredentialOffer::parse(response.body)?, context)
    }

    pub(super) fn issuer_metadata_came(
        &mut self,
        context: &mut Context<'_>,
        response: &HttpResponse<'_>,
    ) -> Result<Next, WalletError> {
        let State::IssuerMetadata(issuer) = &self.state else {
            return Err(WalletError::Step);
        };
        let issuer = issuer.clone();
        let asked = !context.metadata_roots.is_empty() && !self.unsigned;
        let metadata = if asked && response.is(signed_metadata::MEDIA_TYPE) {
            let text = std::str::from_utf8(response.body).map_err(|_| WalletError::MediaType(Place::IssuerMetadata))?;
            let roots = context.metadata_roots;
            match signed_metadata::verify(text.trim(), &issuer, roots, context.now, context.crypto) {
                Ok((metadata, _)) => {
                    self.signed = true;
                    metadata
                }
                // What somebody says whom nobody trusts is rejected (§12.2.3). Every issuer has the same without a signature (§12.2.2).
                Err(SignedMetadataError::Signer(_)) if !self.policy.signed_metadata => {
                    self.unsigned = true;
                    return self.send(context);
                }
                Err(error) => return Err(error.into()),
            }
        } else {
            expect(Place::IssuerMetadata, response, JSON)?;
            if self.policy.signed_metadata {
                return Err(WalletError::Unsigned);
            }
            IssuerMetadata::parse(response.body, &issuer)?
        };
        self.check_issuer(&metadata)?;
        let mut left: Vec<Identifier> = self.candidates(&metadata)?.into_iter().rev().cloned().collect();
        let now = left.pop().ok_or(WalletError::NoGrant)?;
        self.is_secure(&ServerMetadata::location(&now))?;
        self.metadata = Some(metadata);
        self.state = State::ServerMetadata { now, left };
        self.send(context)
    }

    fn check_issuer(&self, metadata: &IssuerMetadata) -> Result<(), WalletError> {
        let optional = [
            &metadata.nonce_endpoint,
            &metadata.deferred_credential_endpoint,
            &metadata.notification_endpoint,
        ];
        let endpoints = optional.into_iter().flatten();
        endpoints
            .chain([&metadata.credential_endpoint])
            .try_for_each(|endpoint| self.is_secure(endpoint))?;
        let supported = &metadata.credential_configurations_supported;
        let known: Vec<_> = self.wanted().into_iter().filter_map(|id| supported.get(id)).collect();
        if known.is_empty() {
            return Err(WalletError::NothingOffered);
        }
        if self.policy.haip {
            if known.iter().any(|configuration| configuration.scope.is_none()) {
                return Err(WalletError::Policy("a scope for each configuration"));
            }
            let bound = known
                .iter()
                .any(|one| one.cryptographic_binding_methods_supported.is_some());
            if bound && metadata.nonce_endpoint.is_none() {
                return Err(WalletError::Policy("a nonce endpoint"));
            }
        }
        Ok(())
    }

    /// Ids that are offered, or wanted anew.
    fn wanted(&self) -> Vec<&str> {
        match &self.offer {
            Some(offer) => offer.credential_configuration_ids.iter().map(String::as_str).collect(),
            None => self.queue.iter().map(|item| item.configuration.as_str()).collect(),
        }
    }

    /// Whether the code in the offer is used: where there is one, and the policy does not insist on the browser.
    pub(super) fn is_pre_authorized(&self) -> bool {
        let offered = self.offer.as_ref().and_then(CredentialOffer::pre_authorized);
        offered.is_some() && !self.policy.haip
    }

    /// The authorization servers that may be used (§12.2.4, §4.1.1).
    fn candidates<'m>(&self, metadata: &'m IssuerMetadata) -> Result<Vec<&'m Identifier>, WalletError> {
        let servers = metadata.servers();
        let named = match (&self.offer, &self.session) {
            (None, Some(session)) => Some(&session.server),
            (None, None) => None,
            (Some(offer), _) if self.is_pre_authorized() => offer
                .pre_authorized()
                .and_then(|grant| grant.authorization_server.as_ref()),
            (Some(offer), _) => {
                if !offer.leaves_grants_open() && offer.authorization_code().is_none() {
                    return Err(WalletError::NoGrant);
                }
                let grant = offer.authorization_code();
                grant.and_then(|grant| grant.authorization_server.as_ref())
            }
        };
        let named = match (named, &self.chosen) {
            (Some(named), Some(chosen)) if named != chosen => return Err(WalletError::OtherServer),
            (named, chosen) => named.or(chosen.as_ref()),
        };
        let Some(named) = named else { return Ok(servers) };
        let known = servers.into_iter().find(|server| *server == named);
        known.map(|server| vec![server]).ok_or(WalletError::OtherServer)
    }

    pub(super) fn server_metadata_came(
        &mut self,
        context: &mut Context<'_>,
        response: &HttpResponse<'_>,
    ) -> Result<Next, WalletError> {
        let State::ServerMetadata { now, left } = &self.state else {
            return Err(WalletError::Step);
        };
        let (now, mut left) = (now.clone(), left.clone());
        expect(Place::ServerMetadata, response, JSON)?;
        let server = ServerMetadata::parse(response.body, &now)?;
        let grant = match (self.offer.is_some(), self.is_pre_authorized()) {
            (false, _) => "refresh_token",
            (true, true) => PRE_AUTHORIZED,
            (true, false) => "authorization_code",
        };
        // An offer of a pre-authorized code says by itself that the server takes it.
        let silent = server.grant_types_supported.is_none() && grant != "authorization_code";
        if !silent && !server.supports_grant(grant) {
            let now = left.pop().ok_or(WalletError::NoGrant)?;
            self.is_secure(&ServerMetadata::location(&now))?;
            self.state = State::ServerMetadata { now, left };
            return self.send(context);
        }
        self.check_server(&server)?;
        self.server = Some(server);
        self.client_authentication(context)?;
        self.dpop(context)?;
        if self.offer.is_none() {
            let by = TokenBy::Refresh;
            self.state = State::Token { by, then: None };
            return self.send(context);
        }
        self.state = State::Review;
        Ok(Next::Review)
    }

    fn check_server(&self, server: &ServerMetadata) -> Result<(), WalletError> {
        let optional = [
            &server.authorization_endpoint,
            &server.pushed_authorization_request_endpoint,
            &server.challenge_endpoint,
        ];
        let endpoints = optional.into_iter().flatten();
        endpoints
            .chain([&server.token_endpoint])
            .try_for_each(|endpoint: &Endpoint| self.is_secure(endpoint))?;
        if self.offer.is_none() || self.is_pre_authorized() {
            return Ok(());
        }
        if server.authorization_endpoint.is_none() || self.client.is_none() {
            return Err(WalletError::NoGrant);
        }
        let methods = server.code_challenge_methods_supported.as_ref();
        let s256 = ServerMetadata::lists(methods, pkce::S256);
        if !s256 && (self.policy.haip || methods.is_some()) {
            return Err(WalletError::Policy("PKCE with S256"));
        }
        let pushes = server.pushed_authorization_request_endpoint.is_some();
        if !pushes && (self.policy.haip || server.require_pushed_authorization_requests) {
            return Err(WalletError::Policy("pushed authorization requests"));
        }
        if self.policy.haip && !server.authorization_response_iss_parameter_supported {
            return Err(WalletError::Policy("the issuer in the authorization response"));
        }
        Ok(())
    }

    /// What is offered. `None` before [`Next::Review`].
    pub fn review(&self) -> Option<Review<'_>> {
        let (offer, metadata) = (self.offer.as_ref()?, self.metadata.as_ref()?);
        self.server.as_ref()?;
        let pre = offer.pre_authorized().filter(|_| self.is_pre_authorized());
        Some(Review {
            issuer: &metadata.credential_issuer,
            metadata,
            signed: self.signed,
            offered: &offer.credential_configuration_ids,
            tx_code: pre.and_then(|grant| grant.tx_code.as_ref()),
            through_browser: pre.is_none(),
        })
    }

    /// Goes on with what the person chose, in answer to [`Next::Review`]; again after a transaction code that was wrong.
    pub fn accept(&mut self, choice: Choice, context: &mut Context<'_>) -> Result<Next, WalletError> {
        let review = match self.state {
            State::Review => self.review().ok_or(WalletError::Step)?,
            _ => return Err(WalletError::Step),
        };
        let most = review.metadata.batch_size().min(MAX_COPIES);
        let ids: Vec<_> = choice.configurations.iter().map(|(id, _)| id).collect();
        let once = ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id));
        let offered = choice.configurations.iter().all(|(id, copies)| {
            review.offered.contains(id) && review.configuration(id).is_some() && (1..=most).contains(copies)
        });
        let code = match (review.tx_code, &choice.tx_code) {
            (None, None) => true,
            (Some(asked), Some(typed)) => asked.fits(typed.expose()),
            _ => false,
        };
        if choice.configurations.is_empty() || !once || !offered || !code {
            return Err(WalletError::Choice);
        }
        let through_browser = review.through_browser;
        self.queue = queue(&choice.configurations);
        if through_browser {
            return self.authorize(context);
        }
        let by = TokenBy::PreAuthorized {
            tx_code: choice.tx_code,
        };
        self.state = State::Token { by, then: None };
        self.send(context)
    }
}

fn queue(configurations: &[(String, usize)]) -> Vec<Item> {
    let item = |(configuration, copies): &(String, usize)| Item {
        configuration: configuration.clone(),
        identifier: None,
        copies: *copies,
    };
    configurations.iter().map(item).collect()
}

/// Status 200 and the media type, or why not.
pub(super) fn expect(place: Place, response: &HttpResponse<'_>, media_type: &str) -> Result<(), WalletError> {
    if !response.is_success() {
        return Err(refusal(place, response));
    }
    if !response.is(media_type) {
        return Err(WalletError::MediaType(place));
    }
    Ok(())
}
