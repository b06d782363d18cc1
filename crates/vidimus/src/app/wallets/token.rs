//! The token endpoint (RFC 6749 §3.2; OpenID4VCI §6): codes and refresh tokens become access tokens.
//!
//! A code counts once. One that comes again ends everything that it gave: somebody else has it. A refresh token is bound to the wallet's keys,
//! so it goes on as it is (FAPI 2.0 §5.3.2.1), until [`refresh_end_days`](crate::config::Wallets::refresh_end_days) after the first copies.

use super::{
    Incoming, Refusal, Site,
    incoming::{self, Sender, policy},
    metadata::{self, endpoints},
    offers::{self, TX_CODE_TRIES},
    standing,
};
use crate::app::{App, error::Error, keys::place};
use serde::{Deserialize, Serialize};
use vidimus_core::{
    Digest, Timestamp,
    encoding::hex,
    id::{AuthorizationId, GrantId, ParticipantId},
};
use vidimus_openid4vc::{
    oauth::{
        AuthorizationDetail, ErrorCode, Grant as Given, Opaque, TokenRequest, TokenResponse,
        access::{AccessError, AccessToken},
        pkce,
        token::TokenType,
    },
    vci::issuer::{self, GrantError, Granted, Kept, KeptCode, KeptOffer, KeptRefresh},
};
use vidimus_store::{
    Tx, audit,
    authorizations::{self, Authorization},
    events::{self, Event},
    grants::{self, Grant, Kind},
    offers::{self as offer_rows, Offer, State},
};

/// What a wallet pushed, as it is kept until its code is redeemed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pushed {
    /// The wallet software.
    pub client: String,
    /// Thumbprint of the attested key.
    pub client_key: Option<String>,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// PKCE.
    pub code_challenge: String,
    /// Comes back unchanged.
    pub state: Option<String>,
    /// What is asked for.
    pub configurations: Vec<String>,
    /// Whether by authorization details.
    pub by_details: bool,
    /// Thumbprint of the DPoP key that the code is bound to.
    pub jkt: Option<String>,
}

impl Pushed {
    fn granted(&self) -> Granted {
        Granted {
            client_id: Some(self.client.clone()),
            client_key: self.client_key.clone(),
            jkt: self.jkt.clone(),
            configurations: self.configurations.clone(),
            by_details: self.by_details,
        }
    }
}

/// What a wallet pushed.
pub fn pushed(app: &App, authorization: &Authorization) -> Result<Pushed, Error> {
    let place = place("authorizations", authorization.id.as_bytes(), "request");
    let plain = app.keys.open(&place, &authorization.request)?;
    serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a kept authorization request does not read"))
}

/// What a request gives for a token, as the store has it.
enum Found {
    Offer(Box<Offer>),
    Authorization(Box<(Authorization, Pushed)>),
    Refresh(Box<(Digest, grants::Token)>),
    Nothing,
}

impl Found {
    /// When the grant was made that is refreshed.
    fn refreshed(&self) -> Option<Timestamp> {
        match self {
            Self::Refresh(found) => Some(found.1.grant.created),
            _ => None,
        }
    }
}

/// Answers a token request.
pub async fn request(app: &App, site: &Site, incoming: &Incoming) -> Result<TokenResponse, Refusal> {
    let form = incoming.form()?;
    let mut request =
        TokenRequest::parse(&form, &site.id, false).map_err(|error| Refusal::oauth(error.code(), error))?;
    if app.config.wallets.haip_only && matches!(request.grant, Given::PreAuthorized { .. }) {
        return Err(Refusal::oauth(
            ErrorCode::UnsupportedGrantType,
            "pre-authorized codes are not taken here",
        ));
    }
    let sender = incoming.sender(app, site, endpoints::TOKEN, None, request.client_id.as_deref())?;
    standing::of_client(app, &sender).await?;
    let found = find(app, site, &request).await?;
    if let (Found::Offer(offer), Given::PreAuthorized { tx_code, .. }) = (&found, &mut request.grant) {
        // Kept under a key, so compared under it.
        *tx_code = tx_code
            .as_ref()
            .map(|given| Opaque::new(hex(&offers::keyed(app, offer.id, given.expose()))));
    }
    let decision = decide(app, site, &request, &found, &sender).await?;
    let bound = decision
        .as_ref()
        .is_ok_and(|granted| granted.jkt.is_some() || granted.client_key.is_some());
    let tokens = Tokens::draw(app, bound, found.refreshed());
    settle(app, site, found, &decision, sender, &tokens).await?;
    crate::fault::point(crate::fault::AFTER_TOKEN);
    match decision {
        Ok(granted) => Ok(tokens.answer(&granted)),
        Err(error) => Err(refused(error)),
    }
}

fn refused(error: GrantError) -> Refusal {
    let code = error.code();
    match code {
        // Whether it is unknown, used or expired, or its second factor wrong, is not told.
        ErrorCode::InvalidGrant => Refusal::oauth(code, "the code or token does not count, or not for you"),
        code => Refusal::oauth(code, error),
    }
}

async fn find(app: &App, site: &Site, request: &TokenRequest) -> Result<Found, Refusal> {
    let issuer = site.issuer.id;
    Ok(match &request.grant {
        Given::PreAuthorized { code, .. } => {
            let hash = offers::hash(app, code);
            let found = app.store.get(move |tx| offer_rows::find_by_code(tx, &hash)).await?;
            found
                .filter(|offer| offer.participant == issuer)
                .map_or(Found::Nothing, |offer| Found::Offer(Box::new(offer)))
        }
        Given::AuthorizationCode { code, .. } => {
            let hash = offers::hash(app, code);
            let found = app
                .store
                .get(move |tx| authorizations::find_by_code(tx, issuer, &hash))
                .await?;
            match found {
                None => Found::Nothing,
                Some(authorization) => {
                    let pushed = pushed(app, &authorization)?;
                    Found::Authorization(Box::new((authorization, pushed)))
                }
            }
        }
        Given::Refresh(token) => {
            let hash = offers::hash(app, token);
            let found = app.store.get(move |tx| grants::find_token(tx, issuer, &hash)).await?;
            found
                .filter(|found| found.kind == Kind::Refresh)
                .map_or(Found::Nothing, |found| Found::Refresh(Box::new((hash, found))))
        }
    })
}

/// What the protocol says to it.
async fn decide(
    app: &App,
    site: &Site,
    request: &TokenRequest,
    found: &Found,
    sender: &Sender,
) -> Result<Result<Granted, GrantError>, Refusal> {
    let metadata = metadata::issuer(app, site).await?;
    let ask = |kept: Option<Kept<'_>>, pre_authorized: bool| {
        let policy = policy(app, pre_authorized);
        issuer::token(
            request,
            kept,
            sender.caller(),
            policy,
            &metadata,
            app.now(),
            app.provider(),
        )
    };
    Ok(match found {
        Found::Nothing => ask(None, matches!(request.grant, Given::PreAuthorized { .. })),
        Found::Offer(offer) => {
            let configurations: Vec<String> = offer.configurations.split(' ').map(str::to_owned).collect();
            let tx_code = offer.tx_code.map(|kept| Opaque::new(hex(&kept)));
            let kept = KeptOffer {
                configurations: &configurations,
                tx_code: tx_code.as_ref(),
                attempts_left: TX_CODE_TRIES.saturating_sub(offer.tries),
                expires_at: offer.expires,
                used: offer.state != State::Open,
            };
            ask(Some(Kept::Offer(kept)), true)
        }
        Found::Authorization(found) => {
            let (authorization, pushed) = &**found;
            let challenge = pkce::Challenge::parse(&pushed.code_challenge)
                .ok_or(Error::Internal("a kept challenge does not read"))?;
            let kept = KeptCode {
                granted: &pushed.granted(),
                redirect_uri: &pushed.redirect_uri,
                code_challenge: &challenge,
                expires_at: authorization.expires,
                used: authorization.state != authorizations::State::Granted,
            };
            ask(Some(Kept::Code(kept)), false)
        }
        Found::Refresh(found) => {
            let (_, token) = &**found;
            let grant = &token.grant;
            let granted = Granted {
                client_id: grant.client.clone(),
                client_key: incoming::thumbprint(grant.client_key),
                jkt: incoming::thumbprint(grant.dpop_key),
                configurations: grant.configurations.split(' ').map(str::to_owned).collect(),
                by_details: false,
            };
            let kept = KeptRefresh {
                granted: &granted,
                expires_at: token.expires,
                used: token.used.is_some() || grant.state != grants::State::Live,
            };
            // What it was bound to, it stays bound to; more is not asked.
            ask(Some(Kept::Refresh(kept)), true)
        }
    })
}

/// The tokens that a grant gives, drawn before the transaction that records them.
struct Tokens {
    access: Opaque,
    refresh: Option<Opaque>,
    seconds: u32,
    hashes: Hashes,
}

/// What of them is recorded.
#[derive(Clone, Copy)]
struct Hashes {
    access: Digest,
    refresh: Option<Digest>,
    access_until: Timestamp,
    refresh_until: Timestamp,
    /// Until when the last of them holds, the one that was refreshed among them.
    last: Timestamp,
    now: Timestamp,
}

impl Tokens {
    /// A refresh token only for who proves a key: whoever finds another could go on for months. `refreshed`: it has one, of a grant of that
    /// time.
    fn draw(app: &App, bound: bool, refreshed: Option<Timestamp>) -> Self {
        let (now, wallets) = (app.now(), &app.config.wallets);
        let access = Opaque::generate(&mut *app.entropy());
        let refresh = (bound && refreshed.is_none()).then(|| Opaque::generate(&mut *app.entropy()));
        let seconds = u32::try_from(wallets.token_seconds).unwrap_or(u32::MAX);
        let days = |days: u64| i64::try_from(days).unwrap_or(364) * 86_400;
        let end = refreshed.unwrap_or(now).plus(days(wallets.refresh_end_days));
        let access_until = now.plus(seconds.into());
        let refresh_until = now.plus(days(wallets.refresh_days)).min(end);
        let hashes = Hashes {
            access: offers::hash(app, &access),
            refresh: refresh.as_ref().map(|token| offers::hash(app, token)),
            access_until,
            refresh_until,
            last: if bound {
                access_until.max(refresh_until)
            } else {
                access_until
            },
            now,
        };
        Self {
            access,
            refresh,
            seconds,
            hashes,
        }
    }

    fn answer(self, granted: &Granted) -> TokenResponse {
        let details = granted.by_details.then(|| {
            granted
                .configurations
                .iter()
                .map(|id| {
                    let mut detail = AuthorizationDetail::new(id);
                    detail.credential_identifiers = Some(vec![id.clone()]);
                    detail
                })
                .collect()
        });
        TokenResponse {
            access_token: self.access,
            token_type: if granted.jkt.is_some() {
                TokenType::Dpop
            } else {
                TokenType::Bearer
            },
            expires_in: Some(self.seconds),
            refresh_token: self.refresh,
            scope: None,
            authorization_details: details,
        }
    }
}

impl Hashes {
    fn record(&self, tx: &mut Tx<'_>, grant: GrantId) -> Result<(), vidimus_store::Error> {
        grants::insert_token(tx, &self.access, grant, Kind::Access, self.now, self.access_until)?;
        if let Some(refresh) = &self.refresh {
            grants::insert_token(tx, refresh, grant, Kind::Refresh, self.now, self.refresh_until)?;
        }
        Ok(())
    }
}

/// One authorization gives one grant: its id leads to it.
const fn grant_of_authorization(id: AuthorizationId) -> GrantId {
    GrantId::from_bytes(*id.as_bytes())
}

/// The grant to record; none where one is renewed.
fn grant(app: &App, site: &Site, found: &Found, granted: &Granted, hashes: &Hashes) -> Option<Grant> {
    let (id, offer, person, contact) = match found {
        Found::Offer(offer) => (GrantId::generate(&mut *app.entropy()), Some(offer.id), None, None),
        Found::Authorization(found) => (
            grant_of_authorization(found.0.id),
            found.0.offer,
            found.0.person,
            found.0.contact,
        ),
        Found::Refresh(_) | Found::Nothing => return None,
    };
    Some(Grant {
        id,
        participant: site.issuer.id,
        offer,
        person,
        contact,
        configurations: granted.configurations.join(" "),
        client: granted.client_id.clone(),
        client_key: incoming::kept(granted.client_key.as_deref()),
        dpop_key: incoming::kept(granted.jkt.as_deref()),
        claimed: 0,
        state: grants::State::Live,
        created: hashes.now,
        expires: hashes.last,
    })
}

/// Carries the decision out, in one transaction: uses up what counts once, counts a wrong guess, ends what a thief may have.
async fn settle(
    app: &App,
    site: &Site,
    found: Found,
    decision: &Result<Granted, GrantError>,
    sender: Sender,
    tokens: &Tokens,
) -> Result<(), Refusal> {
    let hashes = tokens.hashes;
    let grant = decision
        .as_ref()
        .ok()
        .and_then(|granted| grant(app, site, &found, granted, &hashes));
    let error = decision.as_ref().err().copied();
    let spent = sender.spent;
    let object = match &found {
        Found::Nothing => return Ok(()),
        Found::Offer(offer) => *offer.id.as_bytes(),
        Found::Authorization(found) => *found.0.id.as_bytes(),
        Found::Refresh(found) => *found.1.grant.id.as_bytes(),
    };
    let entry = |operation| app.audit_entry(Some(site.issuer.id), operation, &object);
    let (claimed, reused) = (entry("grant-wallet"), entry("end-wallet-grant"));
    let done = app
        .store
        .write(move |tx| {
            if error.is_none() && spent.take(tx)?.is_some() {
                return Ok(Some(GrantError::DpopKey));
            }
            let used_up = match (&found, error) {
                (Found::Offer(offer), Some(GrantError::TxCodeWrong)) => {
                    offer_rows::miss(tx, offer.id, TX_CODE_TRIES)?;
                    return Ok(None);
                }
                (Found::Offer(offer), None) => {
                    let event = Event::once(
                        offer.participant,
                        events::Kind::OfferClaimed,
                        *offer.id.as_bytes(),
                        hashes.now,
                    );
                    let claimed = offer_rows::claim(tx, offer.id, hashes.now)?;
                    if claimed {
                        events::append(tx, &event)?;
                    }
                    claimed
                }
                // A code that is brought in the wrong way is used up: it is not with whom it was meant for.
                (Found::Authorization(found), error) if error != Some(GrantError::Used) => {
                    authorizations::redeem(tx, found.0.id, hashes.now)?
                }
                (Found::Refresh(found), None) => grants::use_refresh(tx, &found.0, hashes.now, hashes.refresh_until)?,
                (Found::Authorization(_) | Found::Refresh(_), Some(GrantError::Used)) => false,
                _ => return Ok(None),
            };
            if !used_up {
                // Used before: one of the two who have it is not the one that it was given to (RFC 6749 §4.1.2, RFC 9700 §4.14.2).
                let before = match &found {
                    Found::Authorization(found) => Some(grant_of_authorization(found.0.id)),
                    Found::Refresh(found) if found.1.used.is_some() => Some(found.1.grant.id),
                    _ => None,
                };
                if let Some(id) = before
                    && grants::end(tx, id)?
                {
                    audit::append(tx, &reused)?;
                }
                return Ok(Some(GrantError::Used));
            }
            if error.is_some() {
                return Ok(None);
            }
            let id = match (&grant, &found) {
                (Some(grant), _) => {
                    grants::insert(tx, grant)?;
                    audit::append(tx, &claimed)?;
                    grant.id
                }
                (None, Found::Refresh(found)) => {
                    grants::prolong(tx, found.1.grant.id, hashes.last)?;
                    found.1.grant.id
                }
                (None, _) => return Ok(None),
            };
            hashes.record(tx, id)?;
            Ok::<_, Error>(None)
        })
        .await?;
    match done {
        Some(GrantError::DpopKey) => Err(Refusal::oauth(ErrorCode::InvalidDpopProof, "a proof was used before")),
        Some(error) => Err(refused(error)),
        None => Ok(()),
    }
}

/// An access token that came to a resource of the site, with the proof of its key, and the grant behind it.
pub async fn authenticate(
    app: &App,
    site: &Site,
    request: &Incoming,
    endpoint: &'static str,
) -> Result<(Grant, Sender), Refusal> {
    let headers: Vec<&str> = request.authorization.iter().map(String::as_str).collect();
    let about = |error: AccessError| match error.code() {
        Some(code) => Refusal::token(code, error),
        None => Refusal::NoToken,
    };
    let presented = AccessToken::parse(&headers).map_err(about)?;
    let (issuer, hash): (ParticipantId, Digest) = (site.issuer.id, offers::hash(app, &presented.token));
    let found = app.store.get(move |tx| grants::find_token(tx, issuer, &hash)).await?;
    let now = app.now();
    let grant = found
        .filter(|found| found.kind == Kind::Access && found.expires > now && found.grant.state == grants::State::Live)
        .map(|found| found.grant)
        .ok_or_else(|| about(AccessError::Unknown))?;
    if app.config.wallets.haip_only && grant.dpop_key.is_none() {
        return Err(about(AccessError::Unknown));
    }
    let sender = request.sender(app, site, endpoint, Some(&presented.token), None)?;
    let proof = sender.dpop.as_ref().map(|proven| proven.thumbprint.as_str());
    presented
        .check_binding(incoming::thumbprint(grant.dpop_key).as_deref(), proof)
        .map_err(about)?;
    Ok((grant, sender))
}
