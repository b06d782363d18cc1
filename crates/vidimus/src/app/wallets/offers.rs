//! Offers (OpenID4VCI §4.1): what a laboratory hands a person, as a link or a QR code, and the code that comes by a second channel.
//!
//! An offer is worth the certificate only together with the transaction code that the person gets in another way: eight digits, five tries. The
//! wallet asks for it with a pre-authorized code, the authorization page without one. Reference, code and state are derived from the offer's id under a key of the deployment, so that the database, which keeps their
//! hashes, cannot claim anything, and the offer can still be shown again to its issuer.

use super::{
    Configuration, Site, again,
    views::{NewOffer, OfferPage, OfferView, TxCodeView},
};
use crate::app::{
    App,
    channel::{self, Contact},
    error::Error,
    issue::Issuer,
    once::Once,
    principal::Principal,
    reading::Page,
};
use std::str::FromStr as _;
use vidimus_core::{
    Digest, Provider as _, Secret,
    encoding::base64url,
    id::{OfferId, ResultId},
};
use vidimus_credential::CategoryId;
use vidimus_openid4vc::{
    oauth::{Endpoint, Opaque},
    vci::{
        CredentialOffer, OfferLink,
        offer::{AuthorizationCodeGrant, Grants, InputMode, Invocation, PreAuthorizedGrant, TxCode},
    },
};
use vidimus_store::{
    audit, contacts, grants, offers,
    offers::{Offer, State},
    results,
};

/// Digits of a transaction code.
const TX_CODE_DIGITS: u32 = 8;
/// Wrong transaction codes before an offer is locked.
pub const TX_CODE_TRIES: u32 = 5;
/// How long an offer may be claimed where its maker does not say: three days.
const DEFAULT_SECONDS: u32 = 3 * 86_400;
/// At least a minute, at most thirty days.
const SECONDS: std::ops::RangeInclusive<u32> = 60..=30 * 86_400;

/// What of an offer is derived from its id.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// In its address.
    Reference,
    /// The pre-authorized code.
    Code,
    /// The issuer state.
    State,
}

fn derive(app: &App, id: OfferId, part: Part) -> Opaque {
    let kind = match part {
        Part::Reference => "offer-reference",
        Part::Code => "offer-code",
        Part::State => "offer-state",
    };
    Opaque::new(base64url(&app.keys.credential_hash(kind, id.as_bytes())))
}

/// The hash under which a bearer value is kept.
pub fn hash(app: &App, value: &Opaque) -> Digest {
    app.provider.sha256(&[value.expose().as_bytes()])
}

/// A transaction code as it is kept: keyed, since there are only so many.
pub fn keyed(app: &App, id: OfferId, tx_code: &str) -> [u8; 32] {
    let mut message = id.as_bytes().to_vec();
    message.extend_from_slice(tx_code.as_bytes());
    app.keys.credential_hash("offer-tx-code", &message)
}

/// A number of so many digits, each as likely.
pub fn digits(app: &App, count: u32) -> String {
    let bound = 10_u64.pow(count);
    // What lies above the last whole multiple would make small numbers likelier: drawn again.
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let drawn = u64::from_be_bytes(app.random());
        if drawn < limit {
            return format!("{:0width$}", drawn % bound, width = count as usize);
        }
    }
}

/// Makes an offer: of a result, or of a category whose result is still to come.
pub async fn create(app: &App, caller: &Principal, new: NewOffer, once: Once<'_>) -> Result<OfferView, Error> {
    let (category, result) = subject(app, caller, &new).await?;
    let issuer = Issuer::of(app, caller, Some(&category))?;
    let haip_only = app.config.wallets.haip_only;
    let pre_authorized = new.pre_authorized.unwrap_or(!haip_only);
    if pre_authorized && haip_only {
        return Err(Error::conflict(
            "haip-only",
            "this deployment keeps to HAIP, which has no pre-authorized codes",
            "leave `pre_authorized` out: the person gives the code on the issuer's page",
        ));
    }
    let site = Site::of(app, issuer.row.clone());
    let configurations = configurations(app, &site, &category, &new.formats)?;
    let seconds = new.expires_in.unwrap_or(DEFAULT_SECONDS);
    if !SECONDS.contains(&seconds) {
        return Err(Error::invalid(
            "offer-time",
            format!("/expires_in: {} to {} seconds", SECONDS.start(), SECONDS.end()),
            "name a time within that, or none for three days",
        ));
    }
    let contact = match &new.send_code {
        Some(send) => {
            let contact = Contact::parse(&send.to)?;
            channel::reaches(app, caller, &contact).await?;
            Some((contact, send.language))
        }
        None => None,
    };
    let kept = match (&new.send_code, result) {
        _ if !new.keep_contact => None,
        (Some(contact), Some(result)) => {
            let kept = again::sealed_for(app, caller.scope(), result, contact).await?;
            Some((result, kept))
        }
        _ => {
            return Err(Error::invalid(
                "keep-contact",
                "/keep_contact: there is no contact, or no result to record it with",
                "name `result` and `send_code`; a result that is still to come is reported with its `contact`",
            ));
        }
    };
    let (now, id) = (app.now(), OfferId::generate(&mut *app.entropy()));
    let expires = now.plus(seconds.into());
    let tx_code = Secret::new(digits(app, TX_CODE_DIGITS));
    let message = match &contact {
        Some((contact, language)) => {
            let code = channel::Code {
                issuer: caller.participant,
                contact,
                code: &tx_code,
                expires,
                language: *language,
            };
            Some(channel::prepare(app, caller.scope(), &code).await?)
        }
        None => None,
    };
    let code = derive(app, id, Part::Code);
    let state = derive(app, id, Part::State);
    let row = Offer {
        id,
        participant: caller.participant,
        result,
        category: category.to_string(),
        configurations: ids(&configurations).join(" "),
        reference_hash: hash(app, &derive(app, id, Part::Reference)),
        code_hash: pre_authorized.then(|| hash(app, &code)),
        state_hash: Some(hash(app, &state)),
        tx_code: Some(keyed(app, id, tx_code.expose())),
        tx_code_length: Some(TX_CODE_DIGITS),
        tries: 0,
        state: State::Open,
        created: now,
        expires,
    };
    let view = OfferView {
        // Who is sent the code gets it there alone.
        tx_code: message.is_none().then(|| TxCodeView {
            code: tx_code.expose().clone(),
        }),
        ..view(app, &site, &row)
    };
    let (scope, note) = (caller.scope(), once.note(&view)?);
    let entry = app.audit_entry(Some(caller.participant), "offer", id.as_bytes());
    app.store
        .write(move |tx| {
            offers::insert(tx, &scope, &row)?;
            if let Some((result, contact)) = &kept {
                contacts::set(tx, *result, contact)?;
            }
            audit::append(tx, &entry)?;
            if let Some(message) = &message {
                message.queue(tx)?;
            }
            note.keep(tx)
        })
        .await?;
    app.wake.deliveries.notify_one();
    Ok(view)
}

/// Which category, and which result if it is there.
async fn subject(app: &App, caller: &Principal, new: &NewOffer) -> Result<(CategoryId, Option<ResultId>), Error> {
    match (&new.result, &new.category) {
        (Some(result), None) => {
            let id = ResultId::from_str(result).map_err(|_| Error::NotFound("result"))?;
            let scope = caller.scope();
            let found = app.store.get(move |tx| results::find(tx, &scope, id)).await?;
            let found = found
                .filter(|found| found.state == results::State::Live)
                .ok_or(Error::NotFound("result"))?;
            let category = CategoryId::new(found.category).map_err(|_| Error::Internal("a kept category"))?;
            Ok((category, Some(id)))
        }
        (None, Some(category)) => {
            let category = CategoryId::new(category.as_str())
                .ok()
                .filter(|id| app.categories.category(id).is_some());
            let unknown = || {
                Error::invalid(
                    "category",
                    "/category: not a category that is known here",
                    "name one that `GET /v1/categories` lists",
                )
            };
            Ok((category.ok_or_else(unknown)?, None))
        }
        _ => Err(Error::invalid(
            "offer-subject",
            "an offer has exactly one of `result` and `category`",
            "name the result, or the category of one that is still to come",
        )),
    }
}

fn configurations(
    app: &App,
    site: &Site,
    category: &CategoryId,
    formats: &[String],
) -> Result<Vec<Configuration>, Error> {
    let mut possible: Vec<_> = site
        .configurations(app)
        .into_iter()
        .filter(|one| one.category == *category)
        .collect();
    if !formats.is_empty() {
        let known: Vec<_> = possible.iter().map(Configuration::format_name).collect();
        if let Some(place) = formats.iter().position(|format| !known.contains(&format.as_str())) {
            return Err(Error::invalid(
                "format",
                format!(
                    "/formats/{place}: not a format that wallets can have of this category; possible: {}",
                    known.join(", ")
                ),
                "name a possible one, or none for all",
            ));
        }
        possible.retain(|one| formats.iter().any(|format| format == one.format_name()));
    }
    if possible.is_empty() {
        return Err(Error::conflict(
            "no-wallet-format",
            "this category has no rendering that wallets hold",
            "add `dc+sd-jwt` or `vc-jwt-1.1` to its file, or hand the certificate over in another way",
        ));
    }
    Ok(possible)
}

fn ids(configurations: &[Configuration]) -> Vec<String> {
    configurations.iter().map(Configuration::id).collect()
}

/// An offer as its issuer sees it; the transaction code is shown only when it is made.
fn view(app: &App, site: &Site, row: &Offer) -> OfferView {
    let reference = Endpoint::new(app.url(&format!("/offers/{}", derive(app, row.id, Part::Reference).expose())))
        .expect("the public address and a path make an address");
    let link = OfferLink::Reference(reference).to_link(&invocation(&app.config.wallets.offer_link));
    let state = match row.state {
        State::Open if row.expires <= app.now() => "expired",
        state => state.name(),
    };
    OfferView {
        id: row.id.to_string(),
        issuer: site.id.to_string(),
        result: row.result.map(|id| id.to_string()),
        category: row.category.clone(),
        configurations: row.configurations.split(' ').map(str::to_owned).collect(),
        pre_authorized: row.code_hash.is_some(),
        haip: row.code_hash.is_none(),
        link,
        state: state.to_owned(),
        tx_code: None,
        expires: row.expires.to_rfc3339(),
    }
}

fn invocation(text: &str) -> Invocation {
    match text {
        "openid-credential-offer://" => Invocation::OpenidCredentialOffer,
        "haip-vci://" => Invocation::HaipVci,
        address => Endpoint::new(address).map_or(Invocation::OpenidCredentialOffer, Invocation::Endpoint),
    }
}

/// The caller's offers.
pub async fn list(app: &App, caller: &Principal, cursor: Option<&str>, limit: Option<u32>) -> Result<OfferPage, Error> {
    let scope = caller.scope();
    let page = Page::new(cursor, limit)?;
    let after = page.after.map(|(created, id)| (created, OfferId::from_bytes(id)));
    let mut rows = app
        .store
        .read(move |tx| offers::list(tx, &scope, after, page.rows()))
        .await?;
    let next = page.cut(&mut rows, |row| (row.created, *row.id.as_bytes()));
    let site = Site::of(app, caller.row.as_ref().clone());
    let items = rows.iter().map(|row| view(app, &site, row)).collect();
    Ok(OfferPage { items, next })
}

/// One of the caller's offers.
pub async fn read(app: &App, caller: &Principal, id: OfferId) -> Result<OfferView, Error> {
    let row = find(app, caller, id).await?;
    Ok(view(app, &Site::of(app, caller.row.as_ref().clone()), &row))
}

async fn find(app: &App, caller: &Principal, id: OfferId) -> Result<Offer, Error> {
    let scope = caller.scope();
    let found = app.store.get(move |tx| offers::find(tx, &scope, id)).await?;
    found.ok_or(Error::NotFound("offer"))
}

/// Takes an offer back: nothing can be claimed with it any more, also not with tokens that it gave.
pub async fn withdraw(app: &App, caller: &Principal, id: OfferId) -> Result<OfferView, Error> {
    find(app, caller, id).await?;
    let scope = caller.scope();
    let entry = app.audit_entry(Some(caller.participant), "withdraw-offer", id.as_bytes());
    app.store
        .write(move |tx| {
            let open = offers::withdraw(tx, &scope, id)?;
            let ended = grants::end_of_offer(tx, id)?;
            if open || ended > 0 {
                audit::append(tx, &entry)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    read(app, caller, id).await
}

/// The offer behind a reference, for whoever has it (OpenID4VCI §4.1.3). One that cannot be claimed any more answers as if it were not there.
pub async fn by_reference(app: &App, reference: &str) -> Result<CredentialOffer, Error> {
    let wanted = hash(app, &Opaque::new(reference));
    let now = app.now();
    let found = app.store.get(move |tx| offers::find_by_reference(tx, &wanted)).await?;
    let row = found
        .filter(|row| row.state == State::Open && row.expires > now)
        .ok_or(Error::NotFound("offer"))?;
    let site = Site::open(app, row.participant).await?;
    Ok(document(app, &site, &row))
}

fn document(app: &App, site: &Site, row: &Offer) -> CredentialOffer {
    let pre_authorized = row.code_hash.map(|_| PreAuthorizedGrant {
        code: derive(app, row.id, Part::Code),
        tx_code: row.tx_code_length.map(|length| TxCode {
            input_mode: InputMode::Numeric,
            length: u16::try_from(length).ok(),
            description: Some("The code that you were given or sent separately.".to_owned()),
        }),
        authorization_server: None,
    });
    CredentialOffer {
        credential_issuer: site.id.clone(),
        credential_configuration_ids: row.configurations.split(' ').map(str::to_owned).collect(),
        grants: Some(Grants {
            authorization_code: Some(AuthorizationCodeGrant {
                issuer_state: Some(derive(app, row.id, Part::State).expose().to_owned()),
                authorization_server: None,
            }),
            pre_authorized_code: pre_authorized,
        }),
    }
}
