//! Who lost a wallet claims again by an identity service that the operator names (OpenID Connect with verified claims): it says which identity
//! document the person has, and by that document the laboratory reported the person.
//!
//! Nothing more is kept for it than the authorization itself: what goes to the service follows from its id under keys of the deployment, so that what
//! comes back counts for this page alone.

use super::{
    Site,
    again::{self, Proved},
    authorize::{self, Answering, Notice, Shown},
    offers::TX_CODE_TRIES,
    token::pushed,
};
use crate::{
    app::{App, error::Error, issue, trusted::Role},
    config,
    outside::{self, Request},
};
use bytes::Bytes;
use reqwest::{
    StatusCode,
    header::{self, HeaderValue},
};
use subtle::ConstantTimeEq as _;
use vidimus_core::{
    Algorithm,
    encoding::{base64url, from_base64url},
    id::AuthorizationId,
};
use vidimus_credential::intake::{DocumentKind, IdentityDocument};
use vidimus_openid4vc::oauth::{
    Endpoint, ErrorCode, Form, Grant, Opaque, TokenRequest,
    identity::{Ask, Document, Expected, IdentityError, MAX_AGE, basic, id_token, verify},
    pkce::Challenge,
};
use vidimus_store::{authorizations, persons::PersonIndex};

/// What signs ID tokens.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256];
/// Where browsers come back to, for every issuer: the one address that the service is told.
pub const RETURN: &str = "/identity-return";

/// Why the service did not say who somebody is.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the identity service was not reached")]
    Outside(#[from] outside::Error),
    #[error("the identity service's token endpoint answered {0}")]
    Status(StatusCode),
    #[error(transparent)]
    Token(#[from] IdentityError),
}

impl Failed {
    /// Whether it says nothing of the code: the service is not there.
    fn is_passing(&self) -> bool {
        match self {
            Self::Outside(_) => true,
            Self::Status(status) => status.is_server_error(),
            Self::Token(_) => false,
        }
    }
}

/// What the browser carries to the service and back: made for one authorization.
struct Carried {
    state: Opaque,
    nonce: Opaque,
    verifier: Opaque,
}

impl Carried {
    fn of(app: &App, id: AuthorizationId) -> Self {
        let keyed = |purpose| app.keys.credential_hash(purpose, id.as_bytes());
        let mut state = id.as_bytes().to_vec();
        state.extend_from_slice(&keyed("identity-state"));
        Self {
            state: Opaque::new(base64url(&state)),
            nonce: Opaque::new(base64url(&keyed("identity-nonce"))),
            verifier: Opaque::new(base64url(&keyed("identity-verifier"))),
        }
    }
}

/// The authorization that a state was made for.
fn authorization_of(app: &App, state: &str) -> Option<AuthorizationId> {
    let bytes = from_base64url(state).ok()?;
    let id = AuthorizationId::from_bytes(bytes.get(..16)?.try_into().ok()?);
    let made = Carried::of(app, id).state;
    bool::from(made.expose().as_bytes().ct_eq(state.as_bytes())).then_some(id)
}

fn return_uri(app: &App) -> Endpoint {
    Endpoint::new(app.url(RETURN)).expect("the public address and a path are an address")
}

/// Sends the browser to the service.
pub fn leave(answering: &Answering<'_>, service: &config::Identity) -> Shown {
    let Answering { app, authorization, .. } = *answering;
    let carried = Carried::of(app, authorization.id);
    let ask = Ask {
        endpoint: &service.authorization_endpoint,
        client_id: &service.client_id,
        redirect_uri: &return_uri(app),
        state: &carried.state,
        nonce: &carried.nonce,
        challenge: &Challenge::of(&carried.verifier, app.provider()),
        trust_framework: service.trust_framework.as_deref(),
        max_age: MAX_AGE,
    };
    Shown::Elsewhere(ask.location())
}

/// The browser comes back from the service. It brings no cookie, being sent from there: the page asks the person to go on.
pub async fn returned(app: &App, query: &str) -> Result<Option<(Site, Shown)>, Error> {
    let (Some(service), Ok(form)) = (&app.config.identity, Form::parse(query.as_bytes())) else {
        return Ok(None);
    };
    let Some(id) = form.get("state").and_then(|state| authorization_of(app, state)) else {
        return Ok(None);
    };
    // Another service's answer (RFC 9207 §2.4).
    if form.get("iss").is_some_and(|named| named != service.issuer) {
        return Ok(None);
    }
    let now = app.now();
    let found = app.store.get(move |tx| authorizations::find(tx, id, now)).await?;
    let Some(authorization) = found else { return Ok(None) };
    let (site, kept) = (
        Site::open(app, authorization.participant).await?,
        pushed(app, &authorization)?,
    );
    let answering = Answering {
        app,
        site: &site,
        authorization: &authorization,
        kept: &kept,
    };
    let shown = match form.get("code") {
        Some(code) if form.get("error").is_none() => answering.with_code(code),
        _ => answering.tell(
            again::step(app, &site, authorization.state).await?,
            Notice::NotIdentified,
        ),
    };
    Ok(Some((site, shown)))
}

/// The person goes on: the service is asked what its code stands for.
pub async fn answer(
    answering: &Answering<'_>,
    service: &config::Identity,
    code: &str,
    lost: bool,
) -> Result<Shown, Error> {
    let Answering {
        app,
        site,
        authorization,
        ..
    } = *answering;
    let step = again::step(app, site, authorization.state).await?;
    let documents = match ask(app, service, authorization.id, code).await {
        Ok(documents) => documents,
        Err(error) => {
            tracing::warn!(error = %crate::causes::with_causes(&error), "an identity service did not say who somebody is");
            if error.is_passing() {
                return Ok(answering.tell(step, Notice::NotIdentified));
            }
            let id = authorization.id;
            let count = app
                .store
                .write(move |tx| authorizations::miss(tx, id, TX_CODE_TRIES))
                .await?;
            return match count {
                Some(count) if count < TX_CODE_TRIES => Ok(answering.tell(step, Notice::NotIdentified)),
                Some(_) => answering.refused(ErrorCode::AccessDenied).await,
                // Another request of this page has ended it meanwhile, and has told the wallet.
                None => Ok(Shown::Over(authorize::OVER)),
            };
        }
    };
    let named = documents
        .iter()
        .filter_map(|document| Some((index(app, document)?, document.birth_date.clone())));
    match again::with_valid(answering, named.collect()).await? {
        Some(person) => {
            let proved = Proved { person, contact: None };
            again::grant(answering, proved, lost).await
        }
        None => Ok(answering.tell(step, Notice::NothingValid)),
    }
}

/// What the service says of whoever has its code.
async fn ask(app: &App, service: &config::Identity, id: AuthorizationId, code: &str) -> Result<Vec<Document>, Failed> {
    let Carried { nonce, verifier, .. } = Carried::of(app, id);
    let answer = exchange(app, service, code, verifier).await?;
    let anchors = app.trusted.anchors(Role::Identity, app.now());
    let keys: Vec<_> = anchors.keys.iter().map(|key| (key.kid.as_deref(), &key.key)).collect();
    let expected = Expected {
        issuer: &service.issuer,
        client_id: &service.client_id,
        nonce: &nonce,
        trust_framework: service.trust_framework.as_deref(),
        keys: &keys,
        roots: &anchors.certificates,
        algorithms: &ALGORITHMS,
        now: app.now(),
    };
    Ok(verify(&id_token(&answer)?, &expected, app.provider())?)
}

/// The token endpoint's answer to a code.
async fn exchange(app: &App, service: &config::Identity, code: &str, verifier: Opaque) -> Result<Bytes, Failed> {
    let mut request = TokenRequest::new(Grant::AuthorizationCode {
        code: Opaque::new(code),
        redirect_uri: Some(return_uri(app).as_str().to_owned()),
        code_verifier: Some(verifier),
    });
    // Without a secret the client is named, and PKCE alone protects the code.
    request.client_id = service.client_secret.is_none().then(|| service.client_id.clone());
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    let target = app.outside.target(service.token_endpoint.as_str())?;
    let mut sent = Request::post(target, request.to_form().encode())
        .header(header::CONTENT_TYPE, form)
        .header(header::ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(secret) = &service.client_secret {
        let mut value =
            HeaderValue::from_str(&basic(&service.client_id, secret.expose())).expect("base64 may stand in a header");
        value.set_sensitive(true);
        sent = sent.header(header::AUTHORIZATION, value);
    }
    let answer = app.outside.send(sent).await?;
    if answer.status == StatusCode::OK {
        Ok(answer.body)
    } else {
        Err(Failed::Status(answer.status))
    }
}

/// The person whom laboratories reported with this document. None for kinds that they report nobody with.
fn index(app: &App, document: &Document) -> Option<PersonIndex> {
    // The identifiers of document types that OpenID's working group for identity assurance collects.
    let kind = match document.kind.as_str() {
        "passport" => DocumentKind::Passport,
        "idcard" => DocumentKind::NationalId,
        "driving_permit" => DocumentKind::DrivingLicence,
        "residence_permit" => DocumentKind::ResidencePermit,
        _ => return None,
    };
    let document = IdentityDocument::new(kind, &document.country, &document.number)?;
    issue::index_of(app, &document)
}
