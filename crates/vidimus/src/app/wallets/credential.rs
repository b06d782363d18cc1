//! The credential endpoints (OpenID4VCI §7–§11): nonces, credentials, those that were not ready, and what the wallet says of them.
//!
//! A wallet brings the keys that it wants copies for; each copy is signed for one of them, has a salt, a commitment and a status place of its own,
//! and is given to the wallet alone: nobody else keeps it. A request that was cut off is asked again, and gives other copies.

use super::{
    Configuration, Incoming, Refusal, Site,
    incoming::Sender,
    metadata::{self, endpoints},
    nonces::{self, Kind},
    offers, own_keys, standing, token,
};
use crate::app::{
    App,
    copies::{self, Holder},
    error::Error,
    issue,
    memo::Memo,
    push,
    trusted::Role,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use vidimus_core::{
    Digest, Provider as _, PublicKey, Timestamp,
    encoding::base64url,
    id::{CertificateId, ClaimId, CopyId, EventId, GrantId, ParticipantId},
};
use vidimus_credential::{
    CategoryId, Format, card, category::Category, format::sd_jwt_vc, sd_jwt::Step, x509::Certificate,
};
use vidimus_openid4vc::{
    jwe::{self, ContentEncryption, Jwe, Recipient},
    oauth::{ErrorCode, Opaque},
    vci::{
        CredentialErrorCode, CredentialRequest, CredentialResponse, DeferredRequest, IssuerMetadata, NonceResponse,
        Notification,
        issuer::{self, Access, RefusalCode, Wanted},
        proof::{self, Controller, HolderKey},
        request::EncryptTo,
    },
};
use vidimus_store::{
    Tx, audit, certificates,
    claims::{self, Claim, Notified, State},
    events::{self, Event},
    grants::{self, Grant},
    offers as offer_rows, results,
};

/// How long a deferred request is answered: thirty days.
const DEFERRED_SECONDS: i64 = 30 * 86_400;
/// When a wallet is to ask again for what was not ready.
const INTERVAL: u32 = 60;
/// How long a notification about copies is taken: ninety days.
const NOTIFICATION_SECONDS: i64 = 90 * 86_400;
/// The largest encrypted request.
const MAX_REQUEST: usize = 1 << 20;

/// The type of a category's SD-JWT VCs.
pub fn vct(app: &App, category: &CategoryId) -> String {
    sd_jwt_vc::type_url(app.config.server.public_url.as_str(), category)
}

/// Where an attribute stands in an SD-JWT VC, as names.
pub fn sd_jwt_path(category: &Category, attribute: &str) -> Option<Vec<String>> {
    let path = sd_jwt_vc::path_of(category.disclosure(attribute)?)?;
    path.steps()
        .iter()
        .map(|step| match step {
            Step::Name(name) => Some(name.clone()),
            Step::Index(_) | Step::All => None,
        })
        .collect()
}

/// A nonce for proofs (§7).
pub fn nonce(app: &App, site: &Site) -> NonceResponse {
    NonceResponse {
        c_nonce: nonces::make(app, site, Kind::Credential),
    }
}

/// An answer, encrypted where the wallet asked for it.
#[derive(Debug)]
pub struct Answer {
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// JSON, or a JWE.
    pub body: String,
    /// Whether the credential is still to come.
    pub deferred: bool,
}

/// What a claim keeps of a holder's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptHolder {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    did: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jwk: Option<PublicKey>,
}

impl From<&Holder> for KeptHolder {
    fn from(holder: &Holder) -> Self {
        Self {
            did: holder.did.clone(),
            jwk: holder.key.clone(),
        }
    }
}

/// A request as it was read, and whether it came encrypted.
async fn opened(app: &App, incoming: &Incoming) -> Result<(Vec<u8>, bool), Refusal> {
    let malformed = |text: &str| Refusal::credential(CredentialErrorCode::InvalidCredentialRequest, text);
    match incoming.content_type.as_str() {
        "application/json" => Ok((incoming.body.clone(), false)),
        "application/jwt" => {
            let refused =
                |error: jwe::JweError| Refusal::credential(CredentialErrorCode::InvalidEncryptionParameters, error);
            let text = std::str::from_utf8(&incoming.body).map_err(|_| malformed("not a JWE"))?;
            let jwe = Jwe::parse(text.trim(), MAX_REQUEST).map_err(refused)?;
            let row = app.key(app.facts.exchange_key).await?;
            if jwe.kid() != Some(row.id.to_string().as_str()) {
                return Err(Refusal::credential(
                    CredentialErrorCode::InvalidEncryptionParameters,
                    "the request is encrypted to another key than the metadata's",
                ));
            }
            let private = app.exchange_key().await?;
            let plain = jwe.decrypt(&private, None, &*app.provider).map_err(refused)?;
            Ok((plain.expose().clone(), true))
        }
        _ => Err(malformed("the body must be application/json, or application/jwt")),
    }
}

fn answer(app: &App, response: &CredentialResponse, encrypt_to: Option<&EncryptTo>) -> Result<Answer, Refusal> {
    let deferred = matches!(response, CredentialResponse::Deferred { .. });
    let json = response.to_json();
    let Some(to) = encrypt_to else {
        return Ok(Answer {
            encrypted: false,
            body: json,
            deferred,
        });
    };
    let refused = |error: String| Refusal::credential(CredentialErrorCode::InvalidEncryptionParameters, error);
    let encryption =
        ContentEncryption::from_name(&to.enc).ok_or_else(|| refused("`enc` is not supported".to_owned()))?;
    let recipient = Recipient {
        key: to.key.clone(),
        kid: to.kid.clone(),
    };
    let parameters = jwe::Parameters::default();
    let body = jwe::encrypt(
        &recipient,
        encryption,
        &parameters,
        json.as_bytes(),
        &*app.provider,
        &mut *app.entropy(),
    )
    .map_err(|error| refused(error.to_string()))?;
    Ok(Answer {
        encrypted: true,
        body,
        deferred,
    })
}

/// Answers a credential request (§8).
pub async fn request(app: &App, site: &Site, incoming: &Incoming) -> Result<Answer, Refusal> {
    let (grant, sender) = token::authenticate(app, site, incoming, endpoints::CREDENTIAL).await?;
    let (body, encrypted) = opened(app, incoming).await?;
    let refused = |error: vidimus_openid4vc::vci::request::RequestError| Refusal::credential(error.code(), error);
    let request = CredentialRequest::parse(&body).map_err(refused)?;
    let metadata = metadata::issuer(app, site).await?;
    request.check_encryption(&metadata, encrypted).map_err(refused)?;
    let granted: Vec<String> = grant.configurations.split(' ').map(str::to_owned).collect();
    let identifiers: Vec<(String, String)> = match &request.requested {
        vidimus_openid4vc::vci::request::Requested::Identifier(_) => {
            granted.iter().map(|id| (id.clone(), id.clone())).collect()
        }
        vidimus_openid4vc::vci::request::Requested::Configuration(_) => Vec::new(),
    };
    let access = Access {
        configurations: &granted,
        identifiers: &identifiers,
    };
    let wanted = issuer::credential(&request, access, &metadata).map_err(|error| match error.code() {
        RefusalCode::Credential(code) => Refusal::credential(code, error),
        RefusalCode::Access(code) => Refusal::token(code, error),
    })?;
    let configuration = Configuration::find(wanted.id, &site.configurations(app))
        .ok_or(Error::Internal("metadata name a configuration that is not there"))?;
    let proven = prove(app, site, &wanted, &grant, &metadata)?;
    standing::of_keys(app, &proven).await?;
    let holders: Vec<Holder> = proven.keys.iter().map(holder).collect();
    let mut spent = sender.spent;
    if let Some(nonce) = &proven.nonce {
        let hash = nonces::hash(app, &[nonce]);
        spent.push("credential-nonce", hash, app.now().plus(nonces::LIFETIME));
    }
    let sender = Sender {
        spent,
        ..Sender::default()
    };
    let response = match claimable(app, site, &grant, &configuration).await? {
        Some(certificate) if !own_keys::are_kept(site) => {
            issue_now(app, site, &grant, &configuration, holders, sender, certificate).await?
        }
        certificate => defer(app, site, &grant, &configuration, holders, sender, certificate).await?,
    };
    answer(app, &response, request.encrypt_to.as_ref())
}

fn prove(
    app: &App,
    site: &Site,
    wanted: &Wanted<'_>,
    grant: &Grant,
    metadata: &IssuerMetadata,
) -> Result<proof::Proven, Refusal> {
    let refused = |error: proof::ProofError| Refusal::credential(error.code(), error);
    let Some((proofs, proof_type)) = wanted.proofs else {
        return Err(Refusal::credential(
            CredentialErrorCode::InvalidProof,
            "a proof of the holder's key is needed",
        ));
    };
    let own = app.provider.sha256(&[&app.facts.attester_certificate]);
    let anchors = app.trusted.anchors(Role::Attester, app.now());
    let check = |roots: &[Certificate]| {
        let known = |nonce: &str| nonces::is_known(app, site, Kind::Credential, nonce);
        let methods = wanted.configuration.cryptographic_binding_methods_supported.clone();
        let expected = proof::Expected {
            issuer: &site.id,
            proof_type,
            binding_methods: methods.as_deref().unwrap_or_default(),
            nonce: Some(&known),
            client_id: grant.client.as_deref(),
            max_keys: metadata.batch_size(),
            roots,
            resolve: &resolve,
            now: app.now(),
        };
        proof::Parsed::parse(proofs)?.verify(&expected, app.provider())
    };
    // As with wallets' own attestations: of our root only the one certificate attests.
    match check(&app.roots) {
        Ok(proven) if proven.attested.iter().all(|attested| attested.signer == own) => Ok(proven),
        _ => check(&anchors.certificates).map_err(refused),
    }
}

/// A holder's did:ethr is its account: what a proof is signed with is then known by its address.
fn resolve(kid: &str) -> Option<Controller> {
    let did = kid.split(['#', '?']).next()?;
    card::account_of(did).map(Controller::Account)
}

fn holder(key: &HolderKey) -> Holder {
    match key {
        HolderKey::Jwk(key) => Holder {
            did: None,
            key: Some(key.clone()),
        },
        HolderKey::Did { controller, .. } => Holder {
            did: key.did().map(str::to_owned),
            key: match controller {
                Controller::Key(key) => Some(key.clone()),
                Controller::Account(_) => None,
            },
        },
    }
}

/// The certificate that a grant leads to; none while its result is still to come.
async fn claimable(
    app: &App,
    site: &Site,
    grant: &Grant,
    configuration: &Configuration,
) -> Result<Option<CertificateId>, Refusal> {
    let (scope, offer, person, contact) = (site.scope(), grant.offer, grant.person, grant.contact);
    let (category, now) = (configuration.category.to_string(), app.now());
    let found = app
        .store
        .get(move |tx| {
            // Who proved who they are gets what is theirs now; an offer is of one result.
            let candidates = match (offer, person) {
                (Some(offer), _) => match offer_rows::find(tx, &scope, offer)? {
                    Some(offer) if offer.category == category => match offer.result {
                        Some(result) => Vec::from_iter(results::find(tx, &scope, result)?),
                        None => Vec::new(),
                    },
                    _ => Vec::new(),
                },
                (None, Some(person)) => results::list_live(tx, &scope, &person, &category, contact.as_ref())?,
                (None, None) => Vec::new(),
            };
            let mut found = None;
            for result in candidates {
                let Some(certificate) = certificates::find_by_result(tx, &scope, result.id)? else {
                    continue;
                };
                let valid = result.state == results::State::Live
                    && certificate.state == certificates::State::Valid
                    && certificate.valid_until > now;
                found = Some(valid.then_some(certificate.id));
                // The newest that is valid: a newer one may have ended, or be suspended.
                if valid {
                    break;
                }
            }
            Ok::<_, vidimus_store::Error>(found)
        })
        .await?;
    let denied = |why| Err(Refusal::credential(CredentialErrorCode::CredentialRequestDenied, why));
    match found {
        Some(Some(certificate)) => Ok(Some(certificate)),
        Some(None) => denied("this certificate is not valid any more"),
        // Nothing is still to come where nothing was offered.
        None if person.is_some() => denied("there is no such certificate of this person"),
        None => Ok(None),
    }
}

/// What a transaction may find in the way.
#[derive(Debug, Clone, Copy)]
pub enum Blocked {
    /// A proof or nonce was used before.
    Replayed(&'static str),
    /// The grant was ended, or gives no more copies.
    Exhausted,
}

pub(super) fn blocked(what: Blocked) -> Refusal {
    match what {
        Blocked::Replayed("credential-nonce") => {
            Refusal::credential(CredentialErrorCode::InvalidNonce, "the nonce was used before")
        }
        Blocked::Replayed(_) => Refusal::token(ErrorCode::InvalidDpopProof, "the proof was used before"),
        Blocked::Exhausted => Refusal::credential(
            CredentialErrorCode::CredentialRequestDenied,
            "no more copies are given under this token",
        ),
    }
}

async fn issue_now(
    app: &App,
    site: &Site,
    grant: &Grant,
    configuration: &Configuration,
    holders: Vec<Holder>,
    sender: Sender,
    certificate: CertificateId,
) -> Result<CredentialResponse, Refusal> {
    let (id, now) = (ClaimId::generate(&mut *app.entropy()), app.now());
    let notification = Opaque::generate(&mut *app.entropy());
    let claim = Claim {
        id,
        participant: site.issuer.id,
        grant: grant.id,
        configuration: configuration.id(),
        holder_keys: "[]".to_owned(),
        copies: None,
        transaction_hash: None,
        notification_hash: Some(offers::hash(app, &notification)),
        notified: None,
        state: State::Delivered,
        created: now,
        expires: now.plus(NOTIFICATION_SECONDS),
    };
    let most = app.config.wallets.copies_per_grant;
    let issuer = site.issuer.id;
    let (count, grant) = (u32::try_from(holders.len()).unwrap_or(u32::MAX), grant.id);
    let spent = sender.spent;
    let entry = app.audit_entry(Some(site.issuer.id), "issue-to-wallet", certificate.as_bytes());
    let first = move |tx: &mut Tx<'_>| {
        if let Some(kind) = spent.take(tx)? {
            return Ok(Some(Blocked::Replayed(kind)));
        }
        if !grants::count(tx, grant, count, most)? {
            return Ok(Some(Blocked::Exhausted));
        }
        audit::append(tx, &entry)?;
        Ok::<_, Error>(None)
    };
    let last = move |tx: &mut Tx<'_>, copies: &[CopyId]| {
        let ids: Vec<_> = copies.iter().map(ToString::to_string).collect();
        let claim = Claim {
            copies: Some(ids.join(" ")),
            ..claim.clone()
        };
        claims::insert(tx, &claim)?;
        tell(tx, issuer, copies, now)
    };
    let asked = issue::ForWallet {
        certificate,
        format: configuration.format,
        holders,
    };
    let credentials = issue::for_wallet(app, site, asked, first, last)
        .await?
        .map_err(blocked)?;
    app.wake.events.notify_one();
    Ok(CredentialResponse::Issued {
        credentials,
        notification_id: Some(notification.expose().to_owned()),
    })
}

/// The answer comes later: with the result, or, where `certificate` is there, with its issuer's own signature.
async fn defer(
    app: &App,
    site: &Site,
    grant: &Grant,
    configuration: &Configuration,
    holders: Vec<Holder>,
    sender: Sender,
    certificate: Option<CertificateId>,
) -> Result<CredentialResponse, Refusal> {
    let now = app.now();
    let transaction = Opaque::generate(&mut *app.entropy());
    let kept: Vec<KeptHolder> = holders.iter().map(KeptHolder::from).collect();
    let claim = Claim {
        id: ClaimId::generate(&mut *app.entropy()),
        participant: site.issuer.id,
        grant: grant.id,
        configuration: configuration.id(),
        holder_keys: serde_json::to_string(&kept).map_err(|_| Error::Internal("a holder's key does not serialise"))?,
        copies: None,
        transaction_hash: Some(offers::hash(app, &transaction)),
        notification_hash: None,
        notified: None,
        state: State::Pending,
        created: now,
        expires: now.plus(DEFERRED_SECONDS),
    };
    let later = CredentialResponse::Deferred {
        transaction_id: transaction.expose().to_owned(),
        interval: if certificate.is_some() {
            own_keys::INTERVAL
        } else {
            INTERVAL
        },
    };
    if let Some(certificate) = certificate {
        let asked = issue::ForWallet {
            certificate,
            format: configuration.format,
            holders,
        };
        own_keys::ask(app, site, claim, asked, sender).await?;
        return Ok(later);
    }
    let most = app.config.wallets.copies_per_grant;
    let (count, spent) = (u32::try_from(holders.len()).unwrap_or(u32::MAX), sender.spent);
    let done = app
        .store
        .write(move |tx| {
            if let Some(kind) = spent.take(tx)? {
                return Ok(Some(Blocked::Replayed(kind)));
            }
            if !grants::count(tx, claim.grant, count, most)? {
                return Ok(Some(Blocked::Exhausted));
            }
            claims::insert(tx, &claim)?;
            Ok::<_, Error>(None)
        })
        .await?;
    match done {
        Some(what) => Err(blocked(what)),
        None => Ok(later),
    }
}

/// Answers a deferred credential request (§9).
pub async fn deferred(app: &App, site: &Site, incoming: &Incoming) -> Result<Answer, Refusal> {
    let (grant, sender) = token::authenticate(app, site, incoming, endpoints::DEFERRED).await?;
    let (body, encrypted) = opened(app, incoming).await?;
    let refused = |error: vidimus_openid4vc::vci::request::RequestError| Refusal::credential(error.code(), error);
    let request = DeferredRequest::parse(&body).map_err(refused)?;
    request
        .check_encryption(&*metadata::issuer(app, site).await?, encrypted)
        .map_err(refused)?;
    let unknown = || {
        Refusal::credential(
            CredentialErrorCode::InvalidTransactionId,
            "the transaction is unknown, or was answered already",
        )
    };
    let (issuer, hash) = (site.issuer.id, offers::hash(app, &Opaque::new(&request.transaction_id)));
    let now = app.now();
    let found = app
        .store
        .get(move |tx| claims::find_by_transaction(tx, issuer, &hash))
        .await?;
    let claim = found
        .filter(|claim| claim.grant == grant.id && claim.expires > now && claim.state == State::Pending)
        .ok_or_else(unknown)?;
    let configuration = Configuration::find(&claim.configuration, &site.configurations(app)).ok_or_else(|| {
        Refusal::credential(
            CredentialErrorCode::CredentialRequestDenied,
            "this issuer does not issue this credential any more",
        )
    })?;
    let response = match claimable(app, site, &grant, &configuration).await? {
        None => {
            spend(app, sender).await?;
            CredentialResponse::Deferred {
                transaction_id: request.transaction_id.clone(),
                interval: INTERVAL,
            }
        }
        Some(certificate) if own_keys::are_kept(site) => {
            let (holders, asked) = (holders_of(&claim)?, (request.transaction_id.as_str(), certificate));
            own_keys::deferred(app, site, &claim, &configuration, holders, sender, asked).await?
        }
        Some(certificate) => issue_deferred(app, site, &claim, &configuration, sender, certificate).await?,
    };
    answer(app, &response, request.encrypt_to.as_ref())
}

fn holders_of(claim: &Claim) -> Result<Vec<Holder>, Error> {
    let kept: Vec<KeptHolder> =
        serde_json::from_str(&claim.holder_keys).map_err(|_| Error::Internal("a claim's keys do not read"))?;
    let holder = |kept: KeptHolder| Holder {
        did: kept.did,
        key: kept.jwk,
    };
    Ok(kept.into_iter().map(holder).collect())
}

/// Notes that a deferred request was answered with these copies.
pub(super) fn answered(tx: &mut Tx<'_>, id: ClaimId, notification: &Digest, copies: &[CopyId]) -> Result<(), Error> {
    let ids: Vec<_> = copies.iter().map(ToString::to_string).collect();
    // Of two requests at once one is answered; what the other signed is given to nobody.
    if !claims::make(tx, id, &ids.join(" "), notification)? {
        return Err(Error::conflict(
            "answered",
            "this request was answered already",
            "use what was given",
        ));
    }
    claims::deliver(tx, id)?;
    Ok(())
}

async fn issue_deferred(
    app: &App,
    site: &Site,
    claim: &Claim,
    configuration: &Configuration,
    sender: Sender,
    certificate: CertificateId,
) -> Result<CredentialResponse, Refusal> {
    let holders = holders_of(claim)?;
    let notification = Opaque::generate(&mut *app.entropy());
    let (issuer, now) = (site.issuer.id, app.now());
    let (id, hash): (ClaimId, Digest) = (claim.id, offers::hash(app, &notification));
    let spent = sender.spent;
    let grant = claim.grant;
    let entry = app.audit_entry(Some(site.issuer.id), "issue-to-wallet", certificate.as_bytes());
    let first = move |tx: &mut Tx<'_>| {
        if let Some(kind) = spent.take(tx)? {
            return Ok(Some(Blocked::Replayed(kind)));
        }
        // They were counted when they were asked for; whoever ends the grant meanwhile ends them, too.
        if !grants::count(tx, grant, 0, u32::MAX)? {
            return Ok(Some(Blocked::Exhausted));
        }
        audit::append(tx, &entry)?;
        Ok::<_, Error>(None)
    };
    let last = move |tx: &mut Tx<'_>, copies: &[CopyId]| {
        answered(tx, id, &hash, copies)?;
        tell(tx, issuer, copies, now)
    };
    let asked = issue::ForWallet {
        certificate,
        format: configuration.format,
        holders,
    };
    let credentials = issue::for_wallet(app, site, asked, first, last)
        .await?
        .map_err(blocked)?;
    app.wake.events.notify_one();
    Ok(CredentialResponse::Issued {
        credentials,
        notification_id: Some(notification.expose().to_owned()),
    })
}

/// Tells the issuer of copies that a wallet is given.
pub(super) fn tell(tx: &mut Tx<'_>, issuer: ParticipantId, copies: &[CopyId], now: Timestamp) -> Result<(), Error> {
    for copy in copies {
        let event = Event::once(issuer, events::Kind::CredentialIssued, *copy.as_bytes(), now);
        events::append(tx, &event)?;
    }
    Ok(())
}

fn first_half(digest: &Digest) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest.0[..16]);
    half
}

/// Whom to wake when what a grant waits for is there: the grant's wallet.
pub fn push_owner(grant: GrantId) -> Digest {
    let mut owner = [0; 32];
    owner[..16].copy_from_slice(grant.as_bytes());
    Digest(owner)
}

/// Has the wallet that holds this token woken, by its push service, when what it waits for is there.
pub async fn subscribe(app: &App, site: &Site, incoming: &Incoming) -> Result<(), Refusal> {
    let (grant, sender) = token::authenticate(app, site, incoming, endpoints::PUSH).await?;
    let new: push::NewSubscription = serde_json::from_slice(&incoming.body).map_err(|_| {
        Error::invalid(
            "push-subscription",
            "the body is not `{\"endpoint\": \"https://…\"}`",
            "send the endpoint that the push service gave",
        )
    })?;
    spend(app, sender).await?;
    Ok(push::subscribe(app, push_owner(grant.id), &new).await?)
}

/// Ends that.
pub async fn unsubscribe(app: &App, site: &Site, incoming: &Incoming) -> Result<(), Refusal> {
    let (grant, sender) = token::authenticate(app, site, incoming, endpoints::PUSH).await?;
    spend(app, sender).await?;
    Ok(push::unsubscribe(app, push_owner(grant.id)).await?)
}

pub(super) async fn spend(app: &App, sender: Sender) -> Result<(), Refusal> {
    let replayed = app
        .store
        .write(move |tx| Ok::<_, Error>(sender.spent.take(tx)?))
        .await?;
    replayed.map_or(Ok(()), |kind| Err(blocked(Blocked::Replayed(kind))))
}

/// Takes what a wallet says of what it was given (§11).
pub async fn notify(app: &App, site: &Site, incoming: &Incoming) -> Result<(), Refusal> {
    let (grant, sender) = token::authenticate(app, site, incoming, endpoints::NOTIFICATION).await?;
    let notification = Notification::parse(&incoming.body).map_err(|error| Refusal::credential(error.code(), error))?;
    let hash = offers::hash(app, &Opaque::new(&notification.notification_id));
    let said = Notified::from_name(notification.event.name()).ok_or(Error::Internal("an event without a name"))?;
    let kind = match said {
        Notified::Accepted => events::Kind::CredentialAccepted,
        Notified::Failure => events::Kind::CredentialFailed,
        Notified::Deleted => events::Kind::CredentialDeleted,
    };
    let (provider, participant, now) = (app.provider.clone(), site.issuer.id, app.now());
    let spent = sender.spent;
    let done = app
        .store
        .write(move |tx| {
            if let Some(kind) = spent.take(tx)? {
                return Ok(Err(Blocked::Replayed(kind)));
            }
            let claim = claims::notify(tx, grant.id, &hash, said)?;
            if let Some(claim) = claim {
                // The same word again is the same event.
                let said = provider.sha256(&[claim.as_bytes(), kind.name().as_bytes()]);
                let event = Event {
                    id: EventId::from_bytes(first_half(&said)),
                    participant,
                    kind,
                    object: *claim.as_bytes(),
                    time: now,
                };
                events::append(tx, &event)?;
            }
            Ok::<_, Error>(Ok(claim))
        })
        .await?;
    match done.map_err(blocked)? {
        Some(_) => {
            app.wake.events.notify_one();
            Ok(())
        }
        None => Err(Refusal::credential(
            CredentialErrorCode::InvalidNotificationId,
            "the notification_id is unknown",
        )),
    }
}

/// Type metadata and their integrity, by category.
pub(in crate::app) type Types = Memo<CategoryId, (Vec<u8>, String)>;

/// The type metadata of a category's SD-JWT VCs, and its integrity.
pub fn type_metadata(app: &App, category: &CategoryId) -> Result<Arc<(Vec<u8>, String)>, Error> {
    app.types.get(category.clone(), |id| {
        let found = app
            .categories
            .category(id)
            .filter(|category| category.permits(Format::SdJwtVc))
            .ok_or(Error::NotFound("type"))?;
        let document = sd_jwt_vc::type_metadata::document(found, &vct(app, id));
        let integrity = sd_jwt_vc::type_metadata::integrity(&document, app.provider());
        Ok((document, integrity))
    })
}

/// The keys that an issuer's SD-JWT VCs are signed with, as JWT VC Issuer Metadata (SD-JWT VC draft 13 §5).
pub async fn jwt_vc_issuer(app: &App, site: &Site) -> Result<Vec<u8>, Error> {
    let keys = copies::keys::published(app, site.scope(), &site.issuer).await?;
    let keys: Vec<_> = keys
        .into_iter()
        .map(|key| sd_jwt_vc::issuer_metadata::Key {
            id: Some(key_id(app, &key)),
            key,
        })
        .collect();
    Ok(sd_jwt_vc::issuer_metadata::document(site.id.as_str(), &keys))
}

/// The `kid` of a key: its thumbprint (RFC 7638).
pub fn key_id(app: &App, key: &PublicKey) -> String {
    key.thumbprint(app.provider())
        .map_or_else(String::new, |digest| base64url(digest.as_bytes()))
}
