//! A request of a wallet, as far as the protocols look at it, and what proves whose it is.

use super::{
    Refusal, Site,
    nonces::{self, Kind},
};
use crate::{
    app::{App, trusted::Role},
    config::ClientAttestation,
};
use vidimus_core::{Algorithm, Digest, Provider as _, Timestamp, encoding};
use vidimus_credential::x509::Certificate;
use vidimus_openid4vc::oauth::{
    ErrorCode, Form, Opaque,
    attestation::{self, AttestationError},
    dpop,
};
use vidimus_openid4vc::vci::issuer::{Caller, Policy};
use vidimus_store::Tx;

/// What signs DPoP proofs, attestations and their proofs.
pub const ALGORITHMS: [Algorithm; 2] = [Algorithm::Es256, Algorithm::EdDsa];

/// Headers and body of a request.
#[derive(Debug, Default)]
pub struct Incoming {
    /// The method, which a DPoP proof names.
    pub method: String,
    /// `Authorization`.
    pub authorization: Vec<String>,
    /// `DPoP`.
    pub dpop: Vec<String>,
    /// `OAuth-Client-Attestation`.
    pub attestation: Vec<String>,
    /// `OAuth-Client-Attestation-PoP`.
    pub attestation_pop: Vec<String>,
    /// `Content-Type`, without parameters, in lower case.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Values that a request uses up: they count once. Taken in the transaction of what the request does.
#[derive(Debug, Clone, Default)]
pub struct Spent(Vec<(&'static str, Digest, Timestamp)>);

impl Spent {
    /// One value more.
    pub fn push(&mut self, kind: &'static str, hash: Digest, until: Timestamp) {
        self.0.push((kind, hash, until));
    }
    /// Uses all of them up, or gives the kind of the first that was used before.
    pub fn take(&self, tx: &mut Tx<'_>) -> Result<Option<&'static str>, vidimus_store::Error> {
        for (kind, hash, until) in &self.0 {
            if !nonces::use_once(tx, kind, hash, *until)? {
                return Ok(Some(kind));
            }
        }
        Ok(None)
    }
}

/// The kind of DPoP proofs among [`Spent`].
pub const DPOP: &str = "dpop";
/// The kind of client attestations' proofs.
pub const ATTESTATION: &str = "client-attestation";

/// Who sent a request, as far as it proved it.
#[derive(Debug, Default)]
pub struct Sender {
    /// The key that its DPoP proof was made with.
    pub dpop: Option<dpop::Proven>,
    /// The wallet that was attested.
    pub client: Option<attestation::Client>,
    /// What its proofs use up.
    pub spent: Spent,
}

fn borrowed(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

/// A thumbprint as it is kept.
pub fn kept(text: Option<&str>) -> Option<Digest> {
    encoding::from_base64url(text?).ok()?.try_into().ok().map(Digest)
}

/// The inverse.
pub fn thumbprint(kept: Option<Digest>) -> Option<String> {
    kept.map(|digest| encoding::base64url(digest.as_bytes()))
}

impl Incoming {
    /// The body as a form.
    pub fn form(&self) -> Result<Form, Refusal> {
        if self.content_type != "application/x-www-form-urlencoded" {
            return Err(Refusal::oauth(
                ErrorCode::InvalidRequest,
                "the body must be application/x-www-form-urlencoded",
            ));
        }
        Form::parse(&self.body).map_err(|error| Refusal::oauth(ErrorCode::InvalidRequest, error))
    }

    /// The proofs that came with a request to an endpoint of the site, verified. `token` is the access token, at a resource; `client_id` that of the
    /// request.
    pub fn sender(
        &self,
        app: &App,
        site: &Site,
        endpoint: &str,
        token: Option<&Opaque>,
        client_id: Option<&str>,
    ) -> Result<Sender, Refusal> {
        let mut sender = Sender::default();
        self.dpop(app, site, endpoint, token, &mut sender)?;
        // A resource is opened by a token, whoever asked for it.
        if token.is_none() {
            self.client(app, site, client_id, &mut sender)?;
        }
        Ok(sender)
    }

    fn dpop(
        &self,
        app: &App,
        site: &Site,
        endpoint: &str,
        token: Option<&Opaque>,
        sender: &mut Sender,
    ) -> Result<(), Refusal> {
        let refused = |error: dpop::DpopError| match token {
            Some(_) => Refusal::token(error.code(), error),
            None => Refusal::oauth(error.code(), error),
        };
        let headers = borrowed(&self.dpop);
        let Some(proof) = dpop::Proof::from_headers(&headers).map_err(refused)? else {
            return Ok(());
        };
        // A nonce need not be asked for, since ids of proofs are remembered; one that is there has to be ours.
        let known = |nonce: &str| nonces::is_known(app, site, Kind::Dpop, nonce);
        let has_one = proof.nonce().is_some() || app.config.wallets.require_nonces;
        let url = site.endpoint(endpoint);
        let expected = dpop::Expected {
            request: dpop::Request {
                method: &self.method,
                url: url.as_str(),
            },
            algorithms: &ALGORITHMS,
            token,
            nonce: has_one.then_some(&known as &dyn Fn(&str) -> bool),
            now: app.now(),
        };
        let proven = proof.verify(&expected, app.provider()).map_err(refused)?;
        let hash = nonces::hash(app, &[&proven.thumbprint, &proven.jti]);
        sender.spent.push(DPOP, hash, proven.until);
        sender.dpop = Some(proven);
        Ok(())
    }

    fn client(&self, app: &App, site: &Site, client_id: Option<&str>, sender: &mut Sender) -> Result<(), Refusal> {
        if self.attestation.is_empty() && self.attestation_pop.is_empty() {
            return Ok(());
        }
        // Our own root certifies others too, who do not attest wallets: of it only the one certificate counts.
        let own = app.provider.sha256(&[&app.facts.attester_certificate]);
        let client = match self.attested(app, site, client_id, &app.roots) {
            Ok(client) if client.signer == own => client,
            // Signed under our root, and something else is wrong with it.
            Err(error) if !matches!(error, AttestationError::Signer(_)) => {
                return Err(Refusal::oauth(error.code(), error));
            }
            _ => {
                let anchors = app.trusted.anchors(Role::Attester, app.now());
                self.attested(app, site, client_id, &anchors.certificates)
                    .map_err(|error| Refusal::oauth(error.code(), error))?
            }
        };
        let hash = nonces::hash(app, &[&client.thumbprint, &client.jti]);
        sender.spent.push(ATTESTATION, hash, client.until);
        sender.client = Some(client);
        Ok(())
    }

    fn attested(
        &self,
        app: &App,
        site: &Site,
        client_id: Option<&str>,
        roots: &[Certificate],
    ) -> Result<attestation::Client, AttestationError> {
        let (attested, pop) = (borrowed(&self.attestation), borrowed(&self.attestation_pop));
        let headers = attestation::Headers::parse(&attested, &pop)?.ok_or(AttestationError::Count)?;
        // Need not be asked for, since ids of proofs are remembered; one that is there has to be ours.
        let known = |challenge: &str| nonces::is_known(app, site, Kind::Attestation, challenge);
        let has_one = headers.challenge().is_some() || app.config.wallets.require_nonces;
        let expected = attestation::Expected {
            audience: &site.id,
            roots,
            algorithms: &ALGORITHMS,
            pop_algorithms: &ALGORITHMS,
            client_id,
            challenge: has_one.then_some(&known as &dyn Fn(&str) -> bool),
            max_age: None,
            now: app.now(),
        };
        headers.verify(&expected, app.provider())
    }
}

impl Sender {
    /// As the protocol's decisions take it.
    pub const fn caller(&self) -> Caller<'_> {
        Caller {
            client: self.client.as_ref(),
            dpop: self.dpop.as_ref(),
        }
    }
}

/// What is asked of wallets for a grant.
pub fn policy(app: &App, pre_authorized: bool) -> Policy {
    if app.config.wallets.haip_only {
        return Policy::HAIP;
    }
    let attested = match app.config.wallets.client_attestation {
        ClientAttestation::Required => true,
        ClientAttestation::Authorization => !pre_authorized,
        ClientAttestation::Optional => false,
    };
    Policy {
        attested,
        dpop: !pre_authorized,
        anonymous: pre_authorized,
    }
}
