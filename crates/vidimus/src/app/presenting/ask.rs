//! A verifier's request: held against what the verifier is registered for, before any wallet sees it.

use super::{
    Asker, Kept, asker, endpoint, request_place, view,
    views::{AskedCredential, NewPresentation, PresentationView},
};
use crate::app::{
    App, checks,
    checks::Admitted,
    error::{Error, Problem},
    once::Once,
    principal::Principal,
    wallets::{credential, offers},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use vidimus_core::{Algorithm, encoding::hex, id::PresentationId};
use vidimus_credential::{
    CategoryId,
    category::Category,
    format::sd_jwt_vc::{self, Asked as AskedFor},
    sd_jwt::{ClaimPath, Step},
};
use vidimus_openid4vc::{
    dcql::{self, Claim, Component, Credential, CredentialSet, Kind, Path, Query, QueryError},
    oauth::{Endpoint, Opaque},
    vp::{
        Ask, AskError, Formats, Policy, RequestUriMethod, ResponseMode, Session, Statement, TransactionData,
        WalletAddress,
    },
};
use vidimus_store::{
    audit,
    presentations::{self, Presentation, State},
};

/// How a verifier is known to the wallet (OpenID4VP 1.0 §5.9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// By the hash of its access certificate, as HAIP 1.0 asks.
    #[default]
    X509Hash,
    /// By this deployment's host name in its access certificate.
    X509SanDns,
    /// By its did:ethr.
    DecentralizedIdentifier,
}

/// What issuers of SD-JWT VCs may sign with: ours with ES256, others, where they are trusted, with the others too (HAIP 1.0 §7).
const OF_ISSUERS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256];
/// What key bindings may be signed with.
const OF_HOLDERS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Es256k];

/// Seconds that a request is open where its maker does not say.
const DEFAULT_SECONDS: u32 = 120;
/// The longest text for a holder.
const MAX_TEXT: usize = 300;

/// What a failure of the protocol's means to the verifier.
pub fn refused(error: AskError) -> Error {
    match error {
        AskError::Unsupported(_) | AskError::Parameters(_) | AskError::Metadata(_) | AskError::WalletNonce => {
            Error::invalid(
                "wallet-request",
                format!("{error}"),
                "fetch the request with parameters that OpenID4VP 1.0 §5.10 knows",
            )
        }
        AskError::Expired => Error::NotFound("presentation"),
        AskError::Key(_) | AskError::Sign(_) | AskError::Encrypt(_) | AskError::OtherClient => {
            Error::Internal("a request object could not be made")
        }
        AskError::ResponseHost => Error::conflict(
            "access-certificate",
            format!("{error}"),
            "ask the authority to renew your keys (`vidimus participant rotate-keys`)",
        ),
        error => Error::invalid("presentation", format!("{error}"), "mend the request"),
    }
}

/// Makes a request.
pub async fn create(
    app: &App,
    caller: &Principal,
    new: NewPresentation,
    once: Once<'_>,
) -> Result<PresentationView, Error> {
    let admitted = checks::admitted(app, caller, &new.purpose)?;
    let (query, attributes) = query(app, &admitted, &new)?;
    if app.config.wallets.haip_only {
        keep_to_haip(&new, &query)?;
    }
    let asker = asker(app, &caller.row, new.client).await?;
    let (now, id) = (app.now(), PresentationId::generate(&mut *app.entropy()));
    let statement = statement(caller, &new)?;
    let ask = Ask {
        query,
        response_mode: if new.unencrypted {
            ResponseMode::DirectPost
        } else {
            ResponseMode::DirectPostJwt
        },
        response_uri: endpoint(app, id, "response"),
        return_uri: return_uri(new.return_uri.as_deref())?,
        transaction_data: transaction_data(&new.transaction_data)?,
        verifier_info: vec![statement.to_info(asker.client.id())],
        formats: Formats::of(&OF_ISSUERS, &OF_HOLDERS, &[Algorithm::Es256, Algorithm::Es256k]),
        lifetime: new.expires_in.unwrap_or(DEFAULT_SECONDS).into(),
    };
    let (session, private) = Session::open(
        ask,
        &asker.client,
        &policy(app),
        now,
        &*app.provider,
        &mut *app.entropy(),
    )
    .map_err(refused)?;
    let link = link(app, &new, &session, id)?;
    let browser = session
        .return_uri
        .is_some()
        .then(|| Opaque::generate(&mut *app.entropy()));
    let expires = session.expires_at;
    let kept = Kept {
        session,
        key: private.map(|key| hex(key.expose())),
        client: new.client,
        attributes,
    };
    let plain = serde_json::to_vec(&kept).map_err(|_| Error::Internal("a request does not serialise"))?;
    let row = Presentation {
        id,
        participant: caller.participant,
        purpose: new.purpose.clone(),
        request: Some(app.keys.seal(&request_place(id), &plain, &mut *app.entropy())),
        session_hash: browser.as_ref().map(|secret| offers::hash(app, secret)),
        response_code_hash: None,
        answer: None,
        state: State::Made,
        fetches: 0,
        wrong_answers: 0,
        created: now,
        expires,
        updated: now,
    };
    let answer = PresentationView {
        link: Some(link),
        session: browser.map(|secret| secret.expose().to_owned()),
        ..view(app, &row, None)
    };
    let (scope, note) = (caller.scope(), once.note(&answer)?);
    let entry = app.audit_entry(Some(caller.participant), "ask-presentation", id.as_bytes());
    app.store
        .write(move |tx| {
            presentations::insert(tx, &scope, &row)?;
            audit::append(tx, &entry)?;
            note.keep(tx)
        })
        .await?;
    Ok(answer)
}

/// What our own requests hold to; a deployment on this machine may be answered there.
pub fn policy(app: &App) -> Policy {
    let open = Policy::open();
    if app.config.server.public_url.as_str().starts_with("https://") {
        open
    } else {
        open.at_home()
    }
}

fn link(app: &App, new: &NewPresentation, session: &Session, id: PresentationId) -> Result<String, Error> {
    let text = new.link.as_deref().unwrap_or(&app.config.wallets.request_link);
    let address: WalletAddress = text.parse().map_err(|_| {
        Error::invalid(
            "wallet-link",
            "/link: not the beginning of an address that opens a wallet",
            "name `openid4vp://`, `haip-vp://`, or an https address",
        )
    })?;
    let method = if new.post {
        RequestUriMethod::Post
    } else {
        RequestUriMethod::Get
    };
    Ok(session
        .invocation(endpoint(app, id, "request"), method)
        .to_link(&address))
}

/// Refuses what a deployment that keeps to HAIP alone does not ask for (HAIP 1.0 §5, §5.1, §5.3).
fn keep_to_haip(new: &NewPresentation, query: &Query) -> Result<(), Error> {
    let other_format = |asked: &Credential| !matches!(asked.kind, Kind::SdJwtVc { .. });
    let beside = if new.unencrypted {
        "/unencrypted: the answer could be read on its way"
    } else if new.client != Client::X509Hash {
        "/client: not `x509_hash`"
    } else if query.credentials().iter().any(other_format) {
        "another format than `dc+sd-jwt` is asked for"
    } else if new.return_uri.is_none() && !new.cross_device {
        "/return_uri: there is none, nor is it said that the wallet is on another device (`cross_device`)"
    } else {
        return Ok(());
    };
    Err(Error::conflict(
        "haip-only",
        format!("{beside}, and this deployment keeps to HAIP"),
        "leave out what HAIP does not have; name what it asks for",
    ))
}

fn return_uri(text: Option<&str>) -> Result<Option<Endpoint>, Error> {
    let read = |text: &str| {
        Endpoint::new(text).map_err(|_| {
            Error::invalid(
                "return-uri",
                "/return_uri: not an https address",
                "name the page of yours that the browser goes to afterwards",
            )
        })
    };
    text.map(read).transpose()
}

fn statement(caller: &Principal, new: &NewPresentation) -> Result<Statement, Error> {
    let fits =
        |text: &String| text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control) && !text.is_empty();
    if new.purpose_text.as_ref().is_some_and(|text| !fits(text)) {
        return Err(Error::invalid(
            "purpose-text",
            format!("/purpose_text: one line of at most {MAX_TEXT} characters"),
            "say it shorter",
        ));
    }
    Ok(Statement {
        participant: Some(caller.participant.to_string()),
        purpose: new.purpose.clone(),
        purpose_text: new.purpose_text.clone(),
        retention_seconds: new.retention_seconds,
    })
}

fn transaction_data(list: &[Value]) -> Result<Vec<TransactionData>, Error> {
    list.iter()
        .enumerate()
        .map(|(place, value)| {
            let refused = || {
                Error::invalid(
                    "transaction-data",
                    format!("/transaction_data/{place}: an object with `type` and `credential_ids` is needed"),
                    "see OpenID4VP 1.0 §8.4",
                )
            };
            let members = value.as_object().ok_or_else(refused)?;
            let kind = members.get("type").and_then(Value::as_str).ok_or_else(refused)?;
            let ids = members
                .get("credential_ids")
                .and_then(Value::as_array)
                .ok_or_else(refused)?;
            let ids: Option<Vec<&str>> = ids.iter().map(Value::as_str).collect();
            let mut rest: Map<String, Value> = members.clone();
            rest.retain(|name, _| name != "type" && name != "credential_ids");
            TransactionData::new(kind, &ids.ok_or_else(refused)?, &rest).map_err(|_| refused())
        })
        .collect()
}

type Attributes = Vec<(String, Vec<String>)>;

/// The query, and the attributes that it asks for, each of which the verifier is registered for.
fn query(app: &App, admitted: &Admitted, new: &NewPresentation) -> Result<(Query, Attributes), Error> {
    let query = match (&new.dcql_query, new.credentials.as_slice()) {
        (Some(value), []) => Query::from_json(value).map_err(|error| bad_query(&error))?,
        (None, asked @ [_, ..]) => build(app, asked)?,
        _ => {
            return Err(Error::invalid(
                "presentation-query",
                "a request has exactly one of `credentials` and `dcql_query`",
                "send one of them",
            ));
        }
    };
    let attributes = query
        .credentials()
        .iter()
        .map(|credential| Ok((credential.id.clone(), permitted(app, admitted, credential)?)))
        .collect::<Result<_, Error>>()?;
    Ok((query, attributes))
}

fn bad_query(error: &QueryError) -> Error {
    Error::invalid(
        "presentation-query",
        format!("/dcql_query: {error}"),
        "see OpenID4VP 1.0 §6",
    )
}

fn build(app: &App, asked: &[AskedCredential]) -> Result<Query, Error> {
    let mut credentials = Vec::with_capacity(asked.len());
    let (mut sets, mut all) = (Vec::new(), true);
    for (place, one) in asked.iter().enumerate() {
        let id = format!("c{place}");
        let category = CategoryId::new(one.category.as_str())
            .ok()
            .and_then(|id| app.categories.category(&id));
        let category = category.ok_or_else(|| {
            Error::invalid(
                "category",
                format!("/credentials/{place}/category: not a category that is known here"),
                "name one that `GET /v1/categories` lists",
            )
        })?;
        credentials.push(build_one(app, &id, category, one, place)?);
        all &= one.required;
        sets.push(CredentialSet {
            options: vec![vec![id]],
            required: one.required,
        });
    }
    Query::new(credentials, if all { Vec::new() } else { sets }).map_err(|error| bad_query(&error))
}

fn build_one(
    app: &App,
    id: &str,
    category: &Category,
    asked: &AskedCredential,
    place: usize,
) -> Result<Credential, Error> {
    let vct = credential::vct(app, category.id());
    let mut query = Credential::sd_jwt_vc(id, [vct.as_str()]);
    let names = asked.attributes.iter().chain(&asked.optional);
    for (at, name) in names.enumerate() {
        let path = category.disclosure(name).and_then(sd_jwt_vc::path_of);
        let path = path.and_then(|path| to_query(&path)).ok_or_else(|| {
            Error::invalid(
                "attribute",
                format!("/credentials/{place}: attribute number {at} is none of this category"),
                "name attributes as `GET /v1/categories/{category}` lists them",
            )
        })?;
        query = query.asking(Claim::at(path).named(format!("a{at}")));
    }
    if !asked.optional.is_empty() {
        let ids = |count: usize| (0..count).map(|at| format!("a{at}")).collect::<Vec<_>>();
        query.claim_sets = vec![
            ids(asked.attributes.len() + asked.optional.len()),
            ids(asked.attributes.len()),
        ];
        query.claim_sets.retain(|set| !set.is_empty());
    }
    Ok(query)
}

fn to_query(path: &ClaimPath) -> Option<Path> {
    let components = path.steps().iter().map(|step| match step {
        Step::Name(name) => Component::Key(name.clone()),
        Step::Index(place) => Component::Index(*place as u64),
        Step::All => Component::All,
    });
    Path::new(components.collect()).ok()
}

fn from_query(path: &Path) -> Option<ClaimPath> {
    let steps = path.components().iter().map(|component| match component {
        Component::Key(name) => Step::Name(name.clone()),
        Component::Index(place) => Step::Index(usize::try_from(*place).unwrap_or(usize::MAX)),
        Component::All => Step::All,
    });
    ClaimPath::new(steps.collect()).ok()
}

/// The attributes that a credential query asks for, if the verifier is registered for all of them.
fn permitted(app: &App, admitted: &Admitted, credential: &Credential) -> Result<Vec<String>, Error> {
    let mut wanted: Vec<String> = Vec::new();
    match &credential.kind {
        Kind::SdJwtVc { vct_values } => {
            let categories: Vec<&Category> = vct_values
                .iter()
                .filter_map(|vct| sd_jwt_vc::category_of(vct))
                .filter_map(|id| app.categories.category(&id).map(|category| &**category))
                .collect();
            let own = !vct_values.is_empty() && categories.len() == vct_values.len();
            for (place, claim) in credential.claims.iter().enumerate() {
                if own {
                    for category in &categories {
                        wanted.extend(attribute(category, &claim.path, &credential.id, place)?);
                    }
                } else {
                    // A type of others: its claims go by their first name.
                    wanted.extend(first_name(&claim.path));
                }
            }
            if !own && credential.claims.is_empty() {
                return Err(beyond(&credential.id));
            }
        }
        // Shown whole, so all of it is asked for.
        Kind::JwtVcJson { .. } => {
            for category in app.categories.iter() {
                wanted.extend(category.disclosures().iter().map(|disclosure| disclosure.name.clone()));
            }
        }
        Kind::LdpVc { .. } | Kind::Mdoc { .. } | Kind::Other { .. } => {
            return Err(Error::invalid(
                "format",
                format!(
                    "/dcql_query: the credential query `{}` asks for a format that is not checked here",
                    credential.id
                ),
                "ask for `dc+sd-jwt` or `jwt_vc_json`",
            ));
        }
    }
    wanted.sort();
    wanted.dedup();
    if wanted.iter().any(|name| !admitted.attributes.contains(name)) {
        return Err(beyond(&credential.id));
    }
    Ok(wanted)
}

fn attribute(category: &Category, path: &Path, id: &str, place: usize) -> Result<Option<String>, Error> {
    let asked = from_query(path).map(|path| match sd_jwt_vc::asked(category, &path) {
        AskedFor::Attribute(name) => Ok(Some(name.to_owned())),
        AskedFor::Clear => Ok(None),
        AskedFor::Nothing => Err(()),
    });
    match asked {
        Some(Ok(name)) => Ok(name),
        _ => Err(Error::Invalid(Problem::new(
            "attribute",
            format!("/dcql_query: claim number {place} of `{id}` is no attribute of the category, or more than one"),
            "ask for attributes one by one",
        ))),
    }
}

fn first_name(path: &Path) -> Option<String> {
    match path.components().first() {
        Some(dcql::Component::Key(name)) => Some(name.clone()),
        _ => None,
    }
}

fn beyond(id: &str) -> Error {
    Error::forbidden(
        "attribute-not-granted",
        format!("`{id}` asks for attributes that you are not registered for"),
        "ask only for attributes you are admitted for",
    )
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
