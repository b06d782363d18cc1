//! The authorization code grant up to the code: the pushed request (RFC 9126), the page on which a person shows who they are, and the way
//! back to the wallet.
//!
//! A person shows who they are by the code that they were given or sent apart from the offer. Five wrong codes end the request, and lock the
//! offer. The page belongs to one browser: its cookie is drawn when the pushed request is used, which is possible once.

use super::{
    Configuration, Incoming, Refusal, Site,
    incoming::policy,
    metadata::{self, endpoints},
    offers::{self, TX_CODE_TRIES},
    token::{Pushed, pushed},
};
use crate::app::{App, error::Error, keys::place};
use subtle::ConstantTimeEq as _;
use vidimus_core::{Digest, id::AuthorizationId};
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
const CODE_SECONDS: i64 = 60;

/// Takes a pushed authorization request.
pub async fn push(app: &App, site: &Site, incoming: &Incoming) -> Result<PushedResponse, Refusal> {
    let form = incoming.form()?;
    let request =
        AuthorizationRequest::parse(&form, &site.id, false).map_err(|error| Refusal::oauth(error.code(), error))?;
    let sender = incoming.sender(app, site, endpoints::PAR, None, Some(&request.client_id))?;
    let metadata = metadata::issuer(app, site).await?;
    // Any address: a wallet that is attested is known by its key, to which the code is bound.
    let granted = issuer::pushed(&request, sender.caller(), policy(app, false), &metadata, &|_, _| true)
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
    let found = app.store.read(move |tx| offer_rows::find_by_state(tx, &hash)).await?;
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
    /// The page that asks for the code.
    Ask(Asked),
    /// Back to the wallet.
    Back(String),
    /// There is nothing to go back to.
    Over(&'static str),
}

/// The page that asks for the code.
#[derive(Debug)]
pub struct Asked {
    /// Who issues.
    pub issuer: String,
    /// Which wallet asks, as it calls itself.
    pub wallet: String,
    /// The titles of what is asked for.
    pub titles: Vec<String>,
    /// The cookie's value, when it is first shown.
    pub cookie: Option<Opaque>,
    /// Whether a wrong code was just given.
    pub wrong: bool,
}

/// What is shown where the wallet came without an offer.
const NOTHING_OFFERED: &str =
    "There is no offer behind this request. Open the link of your offer, or scan its code, with your wallet.";
const OVER: &str = "This page is no longer valid. Begin again in your wallet.";

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
    if kept.client != start.client_id {
        let id = authorization.id;
        app.store.write(move |tx| authorizations::refuse(tx, id)).await?;
        return Ok(Shown::Over(OVER));
    }
    if authorization.offer.is_none() {
        // Nobody is sent on to where an unknown wallet says without having done something here (RFC 9700 §4.11.2, FAPI 2.0 §5.3.2.1).
        let id = authorization.id;
        app.store.write(move |tx| authorizations::refuse(tx, id)).await?;
        return Ok(Shown::Over(NOTHING_OFFERED));
    }
    Ok(ask(app, site, &kept, Some(cookie), false))
}

fn ask(app: &App, site: &Site, kept: &Pushed, cookie: Option<Opaque>, wrong: bool) -> Shown {
    let known = site.configurations(app);
    let mut titles: Vec<String> = kept
        .configurations
        .iter()
        .filter_map(|id| Configuration::find(id, &known))
        .filter_map(|one| Some(app.categories.category(&one.category)?.texts("en").title.clone()))
        .collect();
    titles.dedup();
    Shown::Ask(Asked {
        issuer: site.issuer.name.clone(),
        wallet: kept.client.clone(),
        titles,
        cookie,
        wrong,
    })
}

/// What the person does on the page: gives the code, or declines.
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
    let kept = pushed(app, &authorization)?;
    if form.get("decline").is_some() {
        return refused(app, site, &authorization, &kept, ErrorCode::AccessDenied).await;
    }
    let Some(offer) = offer.filter(|offer| offer.state == offer_rows::State::Open && offer.expires > now) else {
        return refused(app, site, &authorization, &kept, ErrorCode::AccessDenied).await;
    };
    let typed: String = form
        .get("code")
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let given = offers::keyed(app, offer.id, &typed);
    let right = offer.tx_code.is_some_and(|code| code.ct_eq(&given).into());
    if right {
        grant(app, site, &authorization, &kept, &offer).await
    } else {
        miss(app, site, &authorization, &kept, offer.id).await
    }
}

async fn grant(
    app: &App,
    site: &Site,
    authorization: &Authorization,
    kept: &Pushed,
    offer: &offer_rows::Offer,
) -> Result<Shown, Error> {
    let code = Opaque::generate(&mut *app.entropy());
    let (id, offer, now) = (authorization.id, offer.id, app.now());
    let hash: Digest = offers::hash(app, &code);
    let entry = app.audit_entry(Some(site.issuer.id), "authorize-wallet", id.as_bytes());
    let event = Event::once(site.issuer.id, events::Kind::OfferClaimed, *offer.as_bytes(), now);
    let granted = app
        .store
        .write(move |tx| {
            let granted = offer_rows::claim(tx, offer, now)?
                && authorizations::grant(tx, id, None, &hash, now.plus(CODE_SECONDS))?;
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
        Err(Error::Conflict(_)) => return refused(app, site, authorization, kept, ErrorCode::AccessDenied).await,
        Err(error) => return Err(error),
    }
    let response = AuthorizationResponse::Code(code);
    Ok(Shown::Back(response.location(
        &kept.redirect_uri,
        kept.state.as_deref(),
        &site.id,
    )))
}

/// A wrong code counts against the request and against the offer: neither another browser nor another wallet gets more tries.
async fn miss(
    app: &App,
    site: &Site,
    authorization: &Authorization,
    kept: &Pushed,
    offer: vidimus_core::id::OfferId,
) -> Result<Shown, Error> {
    let id = authorization.id;
    let count = app
        .store
        .write(move |tx| {
            let of_offer = offer_rows::miss(tx, offer, TX_CODE_TRIES)?;
            let of_request = authorizations::miss(tx, id, TX_CODE_TRIES)?;
            Ok::<_, Error>(of_offer.max(of_request))
        })
        .await?;
    match count {
        Some(count) if count < TX_CODE_TRIES => Ok(ask(app, site, kept, None, true)),
        _ => refused(app, site, authorization, kept, ErrorCode::AccessDenied).await,
    }
}

async fn refused(
    app: &App,
    site: &Site,
    authorization: &Authorization,
    kept: &Pushed,
    code: ErrorCode,
) -> Result<Shown, Error> {
    let id = authorization.id;
    app.store.write(move |tx| authorizations::refuse(tx, id)).await?;
    let response = AuthorizationResponse::Refused {
        error: code.name().to_owned(),
        description: None,
    };
    Ok(Shown::Back(response.location(
        &kept.redirect_uri,
        kept.state.as_deref(),
        &site.id,
    )))
}
