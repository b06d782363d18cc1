//! What an issuer decides: each function takes what came in, verified as far as it can be verified by itself, and what the store knows, and says
//! what may be done. Nothing here counts, remembers or uses up: the caller does, in the transaction that acts on the answer.

use super::{
    error::CredentialErrorCode,
    metadata::{Configuration, IssuerMetadata, ProofType},
    request::{CredentialRequest, Proofs, Requested},
};
use crate::oauth::{
    AuthorizationDetail, ErrorCode, Grant, Opaque, Scope, TokenRequest,
    attestation::Client,
    authorization::{AuthorizationRequest, AuthorizationStart},
    dpop, pkce,
};
use vidimus_core::{Provider, Timestamp};

/// What is asked of wallets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A wallet must authenticate by its attestation (HAIP §4.4.1).
    pub attested: bool,
    /// Tokens are bound to a key (HAIP §4, RFC 9449).
    pub dpop: bool,
    /// Pre-authorized codes are taken from who does not say who they are
    /// ([`anonymous_access`](crate::oauth::ServerMetadata::anonymous_access)).
    pub anonymous: bool,
}

impl Policy {
    /// As HAIP 1.0 demands.
    pub const HAIP: Self = Self {
        attested: true,
        dpop: true,
        anonymous: false,
    };
}

/// Who sent a request, as far as it was verified.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caller<'a> {
    /// The wallet, where it authenticated.
    pub client: Option<&'a Client>,
    /// The key that its DPoP proof was made with.
    pub dpop: Option<&'a dpop::Proven>,
}

impl Caller<'_> {
    fn thumbprint(&self) -> Option<&str> {
        self.dpop.map(|proven| proven.thumbprint.as_str())
    }
    /// What the policy demands of every request at an OAuth endpoint; gives the client's id, attested or only claimed.
    fn check<'a>(&'a self, claimed: Option<&'a str>, policy: Policy) -> Result<Option<&'a str>, GrantError> {
        let attested = self.client.map(|client| client.client_id.as_str());
        if policy.attested && attested.is_none() {
            return Err(GrantError::ClientMissing);
        }
        if let (Some(attested), Some(claimed)) = (attested, claimed)
            && attested != claimed
        {
            return Err(GrantError::OtherClient);
        }
        if policy.dpop && self.dpop.is_none() {
            return Err(GrantError::DpopMissing);
        }
        Ok(attested.or(claimed))
    }
}

/// Why nothing is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The wallet has to authenticate, and did not.
    #[error("the client must authenticate by a client attestation")]
    ClientMissing,
    /// Authenticated as another client than the request names.
    #[error("the client is another than the request names")]
    OtherClient,
    /// There is no `client_id`, and anonymous access is not supported (OpenID4VCI §6.3).
    #[error("anonymous access is not supported")]
    Anonymous,
    /// A DPoP proof is needed.
    #[error("a DPoP proof is needed")]
    DpopMissing,
    /// The DPoP proof is of another key than the code or token is bound to.
    #[error("the code or token is bound to another key")]
    DpopKey,
    /// The code or token is unknown, another client's or another instance's.
    #[error("the code or token is not valid")]
    Unknown,
    /// It has expired.
    #[error("the code or token has expired")]
    Expired,
    /// It was used before. Tokens that came of it are to be withdrawn (RFC 6749 §4.1.2, FAPI 2.0 §5.3.2.1).
    #[error("the code or token was used before")]
    Used,
    /// The transaction code was wrong too often.
    #[error("the transaction code was wrong too often")]
    Locked,
    /// A transaction code is needed, and there is none.
    #[error("a transaction code is needed")]
    TxCodeMissing,
    /// A transaction code came where none was asked for.
    #[error("no transaction code was asked for")]
    TxCodeUnexpected,
    /// The transaction code is wrong: one attempt is used up.
    #[error("the transaction code is wrong")]
    TxCodeWrong,
    /// `redirect_uri` is not that of the authorization request, or not one of this client's.
    #[error("the redirect_uri is not accepted")]
    RedirectUri,
    /// PKCE's verifier is missing.
    #[error("the code_verifier is missing")]
    VerifierMissing,
    /// PKCE's verifier is not that of the challenge.
    #[error("the code_verifier is wrong")]
    Verifier,
    /// Nothing that is known here is asked for, or more than was granted.
    #[error("the scope is not one that can be granted")]
    Scope,
    /// A detail is of a configuration that is unknown, or was not granted.
    #[error("the authorization details are not ones that can be granted")]
    Details,
    /// `resource` is another credential issuer.
    #[error("the resource is not this credential issuer")]
    Target,
    /// `request_uri` is unknown, expired, used, or another client's.
    #[error("the request_uri is not valid")]
    RequestUri,
}

impl GrantError {
    /// Its code (RFC 6749 §5.2, RFC 9449, RFC 9396, RFC 8707, OpenID4VCI §6.3).
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::ClientMissing | Self::OtherClient | Self::Anonymous => ErrorCode::InvalidClient,
            Self::DpopMissing | Self::DpopKey => ErrorCode::InvalidDpopProof,
            Self::Unknown | Self::Expired | Self::Used | Self::Locked | Self::TxCodeWrong | Self::Verifier => {
                ErrorCode::InvalidGrant
            }
            Self::TxCodeMissing | Self::TxCodeUnexpected | Self::RedirectUri | Self::VerifierMissing => {
                ErrorCode::InvalidRequest
            }
            Self::Scope => ErrorCode::InvalidScope,
            Self::Details => ErrorCode::InvalidAuthorizationDetails,
            Self::Target => ErrorCode::InvalidTarget,
            Self::RequestUri => ErrorCode::InvalidRequestUri,
        }
    }
}

/// What may be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The client; `None` where it did not say.
    pub client_id: Option<String>,
    /// The thumbprint of its attested key, which refresh tokens are bound to.
    pub client_key: Option<String>,
    /// The thumbprint of the key that tokens are bound to; `None`: none.
    pub jkt: Option<String>,
    /// The configurations, none twice.
    pub configurations: Vec<String>,
    /// Asked for by authorization details: the token response then names identifiers (OpenID4VCI §6.2).
    pub by_details: bool,
}

/// What a request asks for, among `known`. `None` where it asks for nothing in particular.
fn asked(
    scope: Option<&Scope>,
    details: Option<&[AuthorizationDetail]>,
    metadata: &IssuerMetadata,
    known: &dyn Fn(&str) -> bool,
) -> Result<Option<Vec<String>>, GrantError> {
    if scope.is_none() && details.is_none() {
        return Ok(None);
    }
    let mut wanted: Vec<String> = Vec::new();
    for detail in details.unwrap_or_default() {
        let id = &detail.credential_configuration_id;
        if metadata.credential_configurations_supported.get(id).is_none() || !known(id) {
            return Err(GrantError::Details);
        }
        wanted.push(id.clone());
    }
    // Scope values that are not known are ignored (OpenID4VCI §5.1.2).
    for value in scope.iter().flat_map(|scope| scope.values()) {
        let ids = metadata.with_scope(value).map(|(id, _)| id).filter(|id| known(id));
        wanted.extend(ids.map(str::to_owned));
    }
    let mut once: Vec<String> = Vec::new();
    for id in wanted {
        if !once.contains(&id) {
            once.push(id);
        }
    }
    if once.is_empty() {
        Err(GrantError::Scope)
    } else {
        Ok(Some(once))
    }
}

fn check_target(resource: Option<&str>, metadata: &IssuerMetadata) -> Result<(), GrantError> {
    match resource {
        Some(resource) if resource != metadata.credential_issuer.as_str() => Err(GrantError::Target),
        _ => Ok(()),
    }
}

/// Whether a pushed authorization request may be kept, and for what. `may_redirect`: whether this client may be answered at that address.
pub fn pushed(
    request: &AuthorizationRequest,
    caller: Caller<'_>,
    policy: Policy,
    metadata: &IssuerMetadata,
    may_redirect: &dyn Fn(&str, &str) -> bool,
) -> Result<Granted, GrantError> {
    // The key may be named by a proof or by its thumbprint alone (RFC 9449 §10.1).
    let policy_here = Policy { dpop: false, ..policy };
    caller.check(Some(&request.client_id), policy_here)?;
    let jkt = match (request.dpop_jkt.as_deref(), caller.thumbprint()) {
        (Some(named), Some(proved)) if named != proved => return Err(GrantError::DpopKey),
        (named, proved) => named.or(proved),
    };
    if !may_redirect(&request.client_id, &request.redirect_uri) {
        return Err(GrantError::RedirectUri);
    }
    check_target(request.resource.as_deref(), metadata)?;
    let details = request.authorization_details.as_deref();
    let configurations = asked(request.scope.as_ref(), details, metadata, &|_| true)?.ok_or(GrantError::Scope)?;
    Ok(Granted {
        client_id: Some(request.client_id.clone()),
        client_key: caller.client.map(|client| client.thumbprint.clone()),
        jkt: jkt.map(str::to_owned),
        configurations,
        by_details: details.is_some(),
    })
}

/// A pushed request as it is kept.
#[derive(Debug, Clone, Copy)]
pub struct KeptRequest<'a> {
    /// Whose.
    pub client_id: &'a str,
    /// Until when a browser may come with its name.
    pub expires_at: Timestamp,
    /// One came before.
    pub used: bool,
}

/// Whether the browser may go on to the person: to be answered here and never by a redirect where it may not.
pub fn start(start: &AuthorizationStart, kept: Option<KeptRequest<'_>>, now: Timestamp) -> Result<(), GrantError> {
    match kept {
        Some(kept) if kept.client_id == start.client_id && !kept.used && now < kept.expires_at => Ok(()),
        _ => Err(GrantError::RequestUri),
    }
}

/// A pre-authorized code as it is kept.
#[derive(Debug, Clone, Copy)]
pub struct KeptOffer<'a> {
    /// What was offered.
    pub configurations: &'a [String],
    /// What went by the second channel.
    pub tx_code: Option<&'a Opaque>,
    /// Attempts left before this one. The caller takes one off before it asks, in one step with reading it, so that two requests at once cannot
    /// share one; a grant gives it back by using up the code.
    pub attempts_left: u32,
    /// Until when the code can be used.
    pub expires_at: Timestamp,
    /// It was used before.
    pub used: bool,
}

/// What a grant is kept as.
#[derive(Debug, Clone, Copy)]
pub enum Kept<'a> {
    /// A pre-authorized code.
    Offer(KeptOffer<'a>),
    /// An authorization code.
    Code(KeptCode<'a>),
    /// A refresh token.
    Refresh(KeptRefresh<'a>),
}

/// An authorization code as it is kept: what [`pushed`] granted, and what the request said.
#[derive(Debug, Clone, Copy)]
pub struct KeptCode<'a> {
    /// What was granted, to whom.
    pub granted: &'a Granted,
    /// Where the code went.
    pub redirect_uri: &'a str,
    /// PKCE's challenge.
    pub code_challenge: &'a pkce::Challenge,
    /// Until when the code can be used.
    pub expires_at: Timestamp,
    /// It was used before.
    pub used: bool,
}

/// A refresh token as it is kept.
#[derive(Debug, Clone, Copy)]
pub struct KeptRefresh<'a> {
    /// What was granted, to whom.
    pub granted: &'a Granted,
    /// Until when the token can be used.
    pub expires_at: Timestamp,
    /// It was withdrawn, or exchanged for another.
    pub used: bool,
}

/// Whether a token request is granted. `kept` is what the store has under the code or token of the request, if anything.
pub fn token(
    request: &TokenRequest,
    kept: Option<Kept<'_>>,
    caller: Caller<'_>,
    policy: Policy,
    metadata: &IssuerMetadata,
    now: Timestamp,
    provider: &dyn Provider,
) -> Result<Granted, GrantError> {
    let client_id = caller.check(request.client_id.as_deref(), policy)?;
    check_target(request.resource.as_deref(), metadata)?;
    let before = match (&request.grant, kept.ok_or(GrantError::Unknown)?) {
        (Grant::PreAuthorized { tx_code, .. }, Kept::Offer(offer)) => {
            if client_id.is_none() && !policy.anonymous {
                return Err(GrantError::Anonymous);
            }
            check_offer(tx_code.as_ref(), offer, now)?;
            Granted {
                client_id: client_id.map(str::to_owned),
                client_key: caller.client.map(|client| client.thumbprint.clone()),
                jkt: caller.thumbprint().map(str::to_owned),
                configurations: offer.configurations.to_vec(),
                by_details: false,
            }
        }
        (
            Grant::AuthorizationCode {
                redirect_uri,
                code_verifier,
                ..
            },
            Kept::Code(code),
        ) => {
            check_time(code.used, code.expires_at, now)?;
            let granted = check_holder(code.granted, client_id, caller)?;
            if redirect_uri.as_deref() != Some(code.redirect_uri) {
                return Err(GrantError::RedirectUri);
            }
            let verifier = code_verifier.as_ref().ok_or(GrantError::VerifierMissing)?;
            if !code.code_challenge.matches(verifier, provider) {
                return Err(GrantError::Verifier);
            }
            granted
        }
        (Grant::Refresh(_), Kept::Refresh(token)) => {
            check_time(token.used, token.expires_at, now)?;
            check_holder(token.granted, client_id, caller)?
        }
        _ => return Err(GrantError::Unknown),
    };
    let details = request.authorization_details.as_deref();
    let wanted = asked(request.scope.as_ref(), details, metadata, &|id| {
        before.configurations.iter().any(|known| known == id)
    })?;
    Ok(Granted {
        by_details: before.by_details || details.is_some(),
        configurations: wanted.unwrap_or_else(|| before.configurations.clone()),
        ..before
    })
}

fn check_time(used: bool, expires_at: Timestamp, now: Timestamp) -> Result<(), GrantError> {
    match (used, now < expires_at) {
        (true, _) => Err(GrantError::Used),
        (false, false) => Err(GrantError::Expired),
        (false, true) => Ok(()),
    }
}

fn check_offer(tx_code: Option<&Opaque>, offer: KeptOffer<'_>, now: Timestamp) -> Result<(), GrantError> {
    check_time(offer.used, offer.expires_at, now)?;
    match (offer.tx_code, tx_code) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(GrantError::TxCodeUnexpected),
        (Some(_), _) if offer.attempts_left == 0 => Err(GrantError::Locked),
        (Some(_), None) => Err(GrantError::TxCodeMissing),
        (Some(known), Some(given)) if known == given => Ok(()),
        (Some(_), Some(_)) => Err(GrantError::TxCodeWrong),
    }
}

/// That whoever sends the request is the one that the code or token was given to: the same client, the same instance (attestation-based client
/// authentication §10.3), the same key.
fn check_holder(granted: &Granted, client_id: Option<&str>, caller: Caller<'_>) -> Result<Granted, GrantError> {
    let instance = caller.client.map(|client| client.thumbprint.as_str());
    let same_instance = granted.client_key.is_none() || granted.client_key.as_deref() == instance;
    if granted.client_id.as_deref() != client_id || !same_instance {
        return Err(GrantError::Unknown);
    }
    if granted.jkt.is_some() && granted.jkt.as_deref() != caller.thumbprint() {
        return Err(GrantError::DpopKey);
    }
    Ok(Granted {
        jkt: caller.thumbprint().map(str::to_owned),
        ..granted.clone()
    })
}

/// What an access token allows.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// Configurations that may be requested.
    pub configurations: &'a [String],
    /// Identifiers that the token response named, each with its configuration. Where there are any, they alone may be requested.
    pub identifiers: &'a [(String, String)],
}

/// Why a credential is not issued on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialRefused {
    /// No such configuration.
    #[error("the credential configuration is unknown")]
    Configuration,
    /// No such identifier.
    #[error("the credential identifier is unknown")]
    Identifier,
    /// The token response named identifiers, and the request does not use one (OpenID4VCI §8.2).
    #[error("the credential must be requested by its identifier")]
    IdentifierNeeded,
    /// The token is for something else.
    #[error("the access token is not for this credential")]
    NotGranted,
    /// Proofs are needed.
    #[error("proofs are needed")]
    ProofsMissing,
    /// Proofs of a type that the metadata do not list for this credential.
    #[error("the proof type is not supported for this credential")]
    ProofType,
}

/// Which of the two kinds of errors an answer carries (OpenID4VCI §8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalCode {
    /// About the request: status 400.
    Credential(CredentialErrorCode),
    /// About the token: as RFC 6750 §3.
    Access(ErrorCode),
}

impl CredentialRefused {
    /// Its code.
    pub const fn code(self) -> RefusalCode {
        RefusalCode::Credential(match self {
            Self::Configuration => CredentialErrorCode::UnknownCredentialConfiguration,
            Self::Identifier => CredentialErrorCode::UnknownCredentialIdentifier,
            Self::IdentifierNeeded => CredentialErrorCode::InvalidCredentialRequest,
            Self::ProofsMissing | Self::ProofType => CredentialErrorCode::InvalidProof,
            Self::NotGranted => return RefusalCode::Access(ErrorCode::InsufficientScope),
        })
    }
}

/// What is to be issued.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The configuration's id.
    pub id: &'a str,
    /// The configuration.
    pub configuration: &'a Configuration,
    /// The proofs, and what the metadata ask of their type; `None` where the credential is bound to no key.
    pub proofs: Option<(&'a Proofs, &'a ProofType)>,
}

/// What a credential request asks for, if the token allows it.
pub fn credential<'a>(
    request: &'a CredentialRequest,
    access: Access<'a>,
    metadata: &'a IssuerMetadata,
) -> Result<Wanted<'a>, CredentialRefused> {
    let supported = &metadata.credential_configurations_supported;
    let id = match &request.requested {
        Requested::Identifier(identifier) => access
            .identifiers
            .iter()
            .find(|(known, _)| known == identifier)
            .map(|(_, configuration)| configuration.as_str())
            .ok_or(CredentialRefused::Identifier)?,
        Requested::Configuration(id) => {
            if supported.get(id).is_none() {
                return Err(CredentialRefused::Configuration);
            }
            if !access.identifiers.is_empty() {
                return Err(CredentialRefused::IdentifierNeeded);
            }
            if !access.configurations.contains(id) {
                return Err(CredentialRefused::NotGranted);
            }
            id
        }
    };
    let configuration = supported.get(id).ok_or(CredentialRefused::Configuration)?;
    let proofs = match (&request.proofs, &configuration.proof_types_supported) {
        (None, None) => None,
        (None, Some(_)) => return Err(CredentialRefused::ProofsMissing),
        (Some(proofs), _) => {
            let proof_type = configuration.proof_type(proofs.name());
            Some((proofs, proof_type.ok_or(CredentialRefused::ProofType)?))
        }
    };
    Ok(Wanted {
        id,
        configuration,
        proofs,
    })
}
