//! The authorization code grant up to the code: the pushed request (RFC 9126), the page on which a person shows who they are, and the way
//! back to the wallet.
//!
//! A person shows who they are by the code that they were given or sent apart from the offer; without an offer, as [`again`] asks. Five wrong
//! codes end the request, and lock the offer. The page belongs to one browser: its cookie is drawn when the pushed request is used, which is
//! possible once. What comes back is taken only from the page that the cookie is for: another tab has had the cookie replaced, another site
//! knows nothing of what stands in the form.

use super::{
    Configuration, Incoming, Refusal, Site, again,
    incoming::policy,
    metadata::{self, endpoints},
    offers::{self, TX_CODE_TRIES},
    standing,
    token::{Pushed, pushed},
};
use crate::app::{App, error::Error, keys::place};
use subtle::ConstantTimeEq as _;
use vidimus_core::{Digest, encoding::base64url, id::AuthorizationId};
use vidimus_openid4vc::{
    oauth::{
        ErrorCode, Form, Opaque,
        authorization::{AuthorizationRequest, AuthorizationResponse, AuthorizationStart, PushedResponse},
    },
    vci::issuer,
};
use vidimus_store::{
    audit,
    authorizations::{self, Authorization, State},
    events::{self, Event},
    offers as offer_rows,
};

/// How long a pushed request can be used.
const PUSHED_SECONDS: u32 = 90;
/// How long the page is answered.
const PAGE_SECONDS: i64 = 900;
/// How long an authorization code counts (RFC 6749 §4.1.2 recommends at most ten minutes, FAPI 2.0 §5.3.2.1 one).
pub const CODE_SECONDS: i64 = 60;

/// Takes a pushed authorization request.
pub async fn push(app: &App, site: &Site, incoming: &Incoming) -> Result<PushedResponse, Refusal> {
    let form = incoming.form()?;
    let request =
        AuthorizationRequest::parse(&form, &site.id, false).map_err(|error| Refusal::oauth(error.code(), error))?;
    let sender = incoming.sender(app, site, endpoints::PAR, None, Some(&request.client_id))?;
    standing::of_client(app, &sender).await?;
    let metadata = metadata::issuer(app, site).await?;
    // Where none are registered any will do: a wallet that is attested is known by its key, to which the code is bound.
    let may_redirect = |client: &str, address: &str| app.config.wallets.may_redirect(client, address);
    let granted = issuer::pushed(&request, sender.caller(), policy(app, false), &metadata, &may_redirect)
        .map_err(|error| Refusal::oauth(error.code(), error))?;
    let offer = match request.issuer_state.as_deref() {
        Some(state) => Some(offer_of(app, site, state, &granted.configurations).await?),
        None => None,
    };
    let kept = Pushed {
        client: request.client_id,
        client_key: granted.client_key,
        redirect_uri: request.redirect_uri,
        code_challenge: request.code_challenge.as_str().to_owned(),
        state: request.state,
        configurations: granted.configurations,
        by_details: granted.by_details,
        jkt: granted.jkt,
    };
    let (now, id) = (app.now(), AuthorizationId::generate(&mut *app.entropy()));
    let handle = Opaque::generate(&mut *app.entropy());
    let plain =
        serde_json::to_vec(&kept).map_err(|_| Error::Internal("an authorization request does not serialise"))?;
    let row = Authorization {
        id,
        participant: site.issuer.id,
        offer,
        request_hash: offers::hash(app, &handle),
        request: app.keys.seal(
            &place("authorizations", id.as_bytes(), "request"),
            &plain,
            &mut *app.entropy(),
        ),
        person: None,
        proof_code: None,
        contact: None,
        tries: 0,
        state: State::Pushed,
        created: now,
        expires: now.plus(PUSHED_SECONDS.into()),
    };
    let spent = sender.spent;
    let replayed = app
        .store
        .write(move |tx| {
            let replayed = spent.take(tx)?;
            if replayed.is_none() {
                authorizations::insert(tx, &row)?;
            }
            Ok::<_, Error>(replayed)
        })
        .await?;
    if replayed.is_some() {
        return Err(Refusal::oauth(ErrorCode::InvalidRequest, "a proof was used before"));
    }
    Ok(PushedResponse::new(&handle, PUSHED_SECONDS))
}

/// The offer that an issuer state belongs to. One that is wrong, over or another issuer's says no more than that it is not taken.
async fn offer_of(
    app: &App,
    site: &Site,
    state: &str,
    configurations: &[String],
) -> Result<vidimus_core::id::OfferId, Refusal> {
    let (hash, now) = (offers::hash(app, &Opaque::new(state)), app.now());
    let found = app.store.get(move |tx| offer_rows::find_by_state(tx, &hash)).await?;
    found
        .filter(|offer| {
            let offered: Vec<_> = offer.configurations.split(' ').collect();
            offer.participant == site.issuer.id
                && offer.state == offer_rows::State::Open
                && offer.expires > now
                && configurations.iter().all(|id| offered.contains(&id.as_str()))
        })
        .map(|offer| offer.id)
        .ok_or_else(|| Refusal::oauth(ErrorCode::InvalidRequest, "issuer_state belongs to no offer of this"))
}

/// What a browser is shown.
#[derive(Debug)]
pub enum Shown {
    /// The page that asks who the person is.
    Ask(Asked),
    /// Back to the wallet, or to who says who the person is.
    Elsewhere(String),
    /// There is nothing to go back to.
    Over(&'static str),
}

/// What the page asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The code of an offer.
    Offer,
    /// Where the person is reached, and the date of birth.
    Contact,
    /// The code that was sent there.
    Code,
    /// Nothing: only an identity service can say who the person is.
    Service,
    /// Nothing: an identity service knows who the person is.
    Identified,
}

/// What the person is told on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// What was just given was wrong.
    Wrong,
    /// The identity service did not say who the person is, or not so that it counts.
    NotIdentified,
    /// This issuer has nothing valid of the person whom the service named.
    NothingValid,
}

/// The page that asks who the person is.
#[derive(Debug)]
pub struct Asked {
    /// Who issues.
    pub issuer: String,
    /// Which wallet asks, as it calls itself.
    pub wallet: String,
    /// Where it is answered: the host of its address, or the address's scheme.
    pub at: String,
    /// The titles of what is asked for.
    pub titles: Vec<String>,
    /// The cookie's value, when it is first shown.
    pub cookie: Option<Opaque>,
    /// Stands in the form, and comes back with it.
    pub form: String,
    /// What is asked for.
    pub step: Step,
    /// What is told.
    pub notice: Option<Notice>,
    /// The name of the identity service, where one can be asked.
    pub service: Option<String>,
    /// What its code stands for is not known yet.
    pub service_code: Option<Opaque>,
}

/// What is shown where the wallet came without an offer, and the issuer has no way to send codes.
const NOTHING_OFFERED: &str =
    "There is no offer behind this request. Open the link of your offer, or scan its code, with your wallet.";
/// What a page says that nobody can answer any more.
pub const OVER: &str = "This page is no longer valid. Begin again in your wallet.";
const OTHER_TAB: &str =
    "Another page of this issuer was opened in this browser since. Go on there, or begin again in your wallet.";

/// The browser comes with a pushed request (RFC 9126 §4).
pub async fn start(app: &App, site: &Site, query: &str) -> Result<Shown, Error> {
    let Ok(start) = AuthorizationStart::parse(query) else {
        return Ok(Shown::Over("The address is not complete. Begin again in your wallet."));
    };
    let cookie = Opaque::generate(&mut *app.entropy());
    let (issuer, now) = (site.issuer.id, app.now());
    let (request, page) = (offers::hash(app, &start.request), offers::hash(app, &cookie));
    let found = app
        .store
        .write(move |tx| authorizations::show(tx, issuer, &request, &page, now, now.plus(PAGE_SECONDS)))
        .await?;
    let Some(authorization) = found else {
        return Ok(Shown::Over(OVER));
    };
    let kept = pushed(app, &authorization)?;
    let over = if kept.client != start.client_id {
        Some(OVER)
    } else if authorization.offer.is_none() && app.config.identity.is_none() && !again::is_possible(app, site).await? {
        // Nobody is sent on to where an unknown wallet says without having done something here (RFC 9700 §4.11.2, FAPI 2.0 §5.3.2.1).
        Some(NOTHING_OFFERED)
    } else {
        None
    };
    if let Some(text) = over {
        let id = authorization.id;
        app.store.write(move |tx| authorizations::refuse(tx, id)).await?;
        return Ok(Shown::Over(text));
    }
    let step = if authorization.offer.is_some() {
        Step::Offer
    } else {
        again::step(app, site, authorization.state).await?
    };
    let answering = Answering {
        app,
        site,
        authorization: &authorization,
        kept: &kept,
    };
    Ok(Shown::Ask(Asked {
        cookie: Some(cookie),
        ..answering.asked(step, None)
    }))
}

/// What stands in the form of an authorization, and in no other.
fn form_of(app: &App, id: AuthorizationId) -> String {
    base64url(&app.keys.credential_hash("authorization-form", id.as_bytes()))
}

/// The digits of the code that was typed.
pub fn digits_of(form: &Form) -> String {
    let typed = form.get("code").unwrap_or_default();
    typed.chars().filter(char::is_ascii_digit).collect()
}

/// What the person does on the page: gives what is asked for, or declines.
pub async fn answer(app: &App, site: &Site, cookie: Option<&str>, form: &Form) -> Result<Shown, Error> {
    let Some(cookie) = cookie else {
        return Ok(Shown::Over(OVER));
    };
    let (issuer, now) = (site.issuer.id, app.now());
    let (page, scope) = (offers::hash(app, &Opaque::new(cookie)), site.scope());
    let found = app
        .store
        .read(move |tx| {
            let Some(authorization) = authorizations::find_by_page(tx, issuer, &page, now)? else {
                return Ok(None);
            };
            let offer = match authorization.offer {
                Some(id) => offer_rows::find(tx, &scope, id)?,
                None => None,
            };
            Ok::<_, vidimus_store::Error>(Some((authorization, offer)))
        })
        .await?;
    let Some((authorization, offer)) = found else {
        return Ok(Shown::Over(OVER));
    };
    let shown = form_of(app, authorization.id);
    let given = form.get("page").unwrap_or_default();
    if !bool::from(shown.as_bytes().ct_eq(given.as_bytes())) {
        return Ok(Shown::Over(OTHER_TAB));
    }
    let kept = pushed(app, &authorization)?;
    let answering = Answering {
        app,
        site,
        authorization: &authorization,
        kept: &kept,
    };
    if form.get("decline").is_some() {
        return answering.refused(ErrorCode::AccessDenied).await;
    }
    if authorization.offer.is_none() {
        return again::answer(&answering, form).await;
    }
    let Some(offer) = offer.filter(|offer| offer.state == offer_rows::State::Open && offer.expires > now) else {
        return answering.refused(ErrorCode::AccessDenied).await;
    };
    let given = offers::keyed(app, offer.id, &digits_of(form));
    let right = offer.tx_code.is_some_and(|code| code.ct_eq(&given).into());
    if right {
        grant(&answering, &offer).await
    } else {
        miss(&answering, offer.id).await
    }
}

/// An authorization that a browser is at.
#[derive(Debug, Clone, Copy)]
pub struct Answering<'a> {
    /// This instance.
    pub app: &'a App,
    /// The issuer.
    pub site: &'a Site,
    /// Its row.
    pub authorization: &'a Authorization,
    /// What the wallet pushed.
    pub kept: &'a Pushed,
}

impl Answering<'_> {
    fn asked(&self, step: Step, notice: Option<Notice>) -> Asked {
        let known = self.site.configurations(self.app);
        let title = |one: Configuration| {
            let category = self.app.categories.category(&one.category)?;
            Some(category.texts("en").title.clone())
        };
        let mut titles: Vec<String> = self
            .kept
            .configurations
            .iter()
            .filter_map(|id| Configuration::find(id, &known))
            .filter_map(title)
            .collect();
        titles.dedup();
        Asked {
            issuer: self.site.issuer.name.clone(),
            wallet: self.kept.client.clone(),
            at: place_of(&self.kept.redirect_uri),
            titles,
            cookie: None,
            form: form_of(self.app, self.authorization.id),
            step,
            notice,
            service: self.app.config.identity.as_ref().map(|service| service.name.clone()),
            service_code: None,
        }
    }

    /// The page with what it asks next.
    pub fn ask(&self, step: Step) -> Shown {
        Shown::Ask(self.asked(step, None))
    }

    /// The page once more, with a notice.
    pub fn tell(&self, step: Step, notice: Notice) -> Shown {
        Shown::Ask(self.asked(step, Some(notice)))
    }

    /// The page for who comes from an identity service with its code.
    pub fn with_code(&self, code: &str) -> Shown {
        Shown::Ask(Asked {
            service_code: Some(Opaque::new(code)),
            ..self.asked(Step::Identified, None)
        })
    }

    /// An authorization code, and the hash that it is kept as.
    pub fn code(&self) -> (Opaque, Digest) {
        let code = Opaque::generate(&mut *self.app.entropy());
        let hash = offers::hash(self.app, &code);
        (code, hash)
    }

    fn back(&self, response: &AuthorizationResponse) -> Shown {
        Shown::Elsewhere(response.location(&self.kept.redirect_uri, self.kept.state.as_deref(), &self.site.id))
    }

    /// Back to the wallet with its code.
    pub fn granted(&self, code: Opaque) -> Shown {
        self.back(&AuthorizationResponse::Code(code))
    }

    /// Back to the wallet without.
    pub async fn refused(&self, code: ErrorCode) -> Result<Shown, Error> {
        let id = self.authorization.id;
        self.app.store.write(move |tx| authorizations::refuse(tx, id)).await?;
        Ok(self.back(&AuthorizationResponse::Refused {
            error: code.name().to_owned(),
            description: None,
        }))
    }
}

/// The part of an address by which people know whose it is.
fn place_of(address: &str) -> String {
    let (scheme, rest) = address.split_once(':').unwrap_or(("", address));
    let authority = rest.strip_prefix("//").map(|rest| rest.split(['/', '?', '#']).next());
    match authority.flatten() {
        Some(host) if !host.is_empty() && scheme.starts_with("http") => host.to_owned(),
        _ => format!("{scheme}:"),
    }
}

async fn grant(answering: &Answering<'_>, offer: &offer_rows::Offer) -> Result<Shown, Error> {
    let Answering {
        app,
        site,
        authorization,
        ..
    } = *answering;
    let (code, hash) = answering.code();
    let (id, offer, now) = (authorization.id, offer.id, app.now());
    let entry = app.audit_entry(Some(site.issuer.id), "authorize-wallet", id.as_bytes());
    let event = Event::once(site.issuer.id, events::Kind::OfferClaimed, *offer.as_bytes(), now);
    let granted = app
        .store
        .write(move |tx| {
            let granted =
                offer_rows::claim(tx, offer, now)? && authorizations::grant(tx, id, &hash, now.plus(CODE_SECONDS))?;
            if !granted {
                return Err(Error::conflict("over", "the offer is over", "ask for another"));
            }
            audit::append(tx, &entry)?;
            events::append(tx, &event)?;
            Ok(())
        })
        .await;
    match granted {
        Ok(()) => app.wake.events.notify_one(),
        Err(Error::Conflict(_)) => return answering.refused(ErrorCode::AccessDenied).await,
        Err(error) => return Err(error),
    }
    Ok(answering.granted(code))
}

/// A wrong code counts against the request and against the offer: neither another browser nor another wallet gets more tries.
async fn miss(answering: &Answering<'_>, offer: vidimus_core::id::OfferId) -> Result<Shown, Error> {
    let id = answering.authorization.id;
    let count = answering
        .app
        .store
        .write(move |tx| {
            let of_offer = offer_rows::miss(tx, offer, TX_CODE_TRIES)?;
            let of_request = authorizations::miss(tx, id, TX_CODE_TRIES)?;
            Ok::<_, Error>(of_offer.max(of_request))
        })
        .await?;
    match count {
        Some(count) if count < TX_CODE_TRIES => Ok(answering.tell(Step::Offer, Notice::Wrong)),
        _ => answering.refused(ErrorCode::AccessDenied).await,
    }
}
