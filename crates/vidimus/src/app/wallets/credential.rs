//! The nonce and credential endpoints (OpenID4VCI §7, §8).
//!
//! A wallet brings the keys that it wants copies for; each copy is signed for one of them, has a salt, a commitment and a status place of its own,
//! and is given to the wallet alone: nobody else keeps it. A request that was cut off is asked again, and gives other copies.

use super::{
    Configuration, Incoming, Refusal, Site, deferred,
    incoming::{Sender, Spent},
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
    trusted::Role,
};
use std::sync::Arc;
use vidimus_core::{
    Provider as _, PublicKey, Timestamp,
    encoding::base64url,
    id::{CertificateId, ClaimId, CopyId, GrantId, ParticipantId},
};
use vidimus_credential::{
    CategoryId, Format, card, category::Category, format::sd_jwt_vc, sd_jwt::Step, x509::Certificate,
};
use vidimus_openid4vc::{
    jwe::{self, ContentEncryption, Jwe, Recipient},
    oauth::{ErrorCode, Opaque},
    vci::{
        CredentialErrorCode, CredentialRequest, CredentialResponse, IssuerMetadata, NonceResponse,
        issuer::{self, Access, RefusalCode, Wanted},
        proof::{self, Controller, HolderKey},
        request::EncryptTo,
    },
};
use vidimus_store::{
    Tx, audit, certificates,
    claims::{self, Claim, State},
    events::{self, Event},
    grants::{self, Grant},
    offers as offer_rows, results,
};

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

/// A request as it was read, and whether it came encrypted.
pub(super) async fn opened(app: &App, incoming: &Incoming) -> Result<(Vec<u8>, bool), Refusal> {
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

pub(super) fn answer(
    app: &App,
    response: &CredentialResponse,
    encrypt_to: Option<&EncryptTo>,
) -> Result<Answer, Refusal> {
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
        certificate => deferred::defer(app, site, &grant, &configuration, holders, sender, certificate).await?,
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
pub(super) async fn claimable(
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

/// What a request for copies uses up, in the transaction of what it does: its proofs and nonces, and so many of the copies that its grant gives.
#[derive(Debug, Clone)]
pub(super) struct Used {
    pub(super) spent: Spent,
    pub(super) grant: GrantId,
    pub(super) count: u32,
    pub(super) most: u32,
}

impl Used {
    /// By a request that wants a copy for each of these holders.
    pub(super) fn new(app: &App, sender: Sender, grant: GrantId, holders: &[Holder]) -> Self {
        Self {
            spent: sender.spent,
            grant,
            count: u32::try_from(holders.len()).unwrap_or(u32::MAX),
            most: app.config.wallets.copies_per_grant,
        }
    }

    /// By one whose copies were counted when they were asked for; whoever ends the grant meanwhile ends them, too.
    pub(super) fn counted_before(sender: Sender, grant: GrantId) -> Self {
        Self {
            spent: sender.spent,
            grant,
            count: 0,
            most: u32::MAX,
        }
    }

    pub(super) fn take(&self, tx: &mut Tx<'_>) -> Result<Option<Blocked>, vidimus_store::Error> {
        if let Some(kind) = self.spent.take(tx)? {
            return Ok(Some(Blocked::Replayed(kind)));
        }
        let within = grants::count(tx, self.grant, self.count, self.most)?;
        Ok((!within).then_some(Blocked::Exhausted))
    }
}

/// Makes the copies and answers with them; `note` runs in the transaction that completes them.
pub(super) async fn issue(
    app: &App,
    site: &Site,
    asked: issue::ForWallet,
    used: Used,
    notification: &Opaque,
    note: impl Fn(&mut Tx<'_>, &[CopyId]) -> Result<(), Error> + Send + Sync + 'static,
) -> Result<CredentialResponse, Refusal> {
    let (issuer, now) = (site.issuer.id, app.now());
    let entry = app.audit_entry(Some(issuer), "issue-to-wallet", asked.certificate.as_bytes());
    let first = move |tx: &mut Tx<'_>| {
        let blocked = used.take(tx)?;
        if blocked.is_none() {
            audit::append(tx, &entry)?;
        }
        Ok::<_, Error>(blocked)
    };
    let last = move |tx: &mut Tx<'_>, copies: &[CopyId]| {
        note(tx, copies)?;
        tell(tx, issuer, copies, now)
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
    let used = Used::new(app, sender, grant.id, &holders);
    let note = move |tx: &mut Tx<'_>, copies: &[CopyId]| {
        let ids: Vec<_> = copies.iter().map(ToString::to_string).collect();
        let claim = Claim {
            copies: Some(ids.join(" ")),
            ..claim.clone()
        };
        Ok(claims::insert(tx, &claim)?)
    };
    let asked = issue::ForWallet {
        certificate,
        format: configuration.format,
        holders,
    };
    issue(app, site, asked, used, &notification, note).await
}

/// Tells the issuer of copies that a wallet is given.
pub(super) fn tell(tx: &mut Tx<'_>, issuer: ParticipantId, copies: &[CopyId], now: Timestamp) -> Result<(), Error> {
    for copy in copies {
        let event = Event::once(issuer, events::Kind::CredentialIssued, *copy.as_bytes(), now);
        events::append(tx, &event)?;
    }
    Ok(())
}

pub(super) async fn spend(app: &App, sender: Sender) -> Result<(), Refusal> {
    let replayed = app
        .store
        .write(move |tx| Ok::<_, Error>(sender.spent.take(tx)?))
        .await?;
    replayed.map_or(Ok(()), |kind| Err(blocked(Blocked::Replayed(kind))))
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
