//! Credentials that are not ready when they are asked for (OpenID4VCI §9): what is kept of the request, and what answers it later.

use super::{
    Configuration, Incoming, Refusal, Site,
    credential::{self, Answer, Used, answer, blocked, claimable, opened, spend},
    incoming::Sender,
    metadata::{self, endpoints},
    offers, own_keys, token,
};
use crate::app::{App, copies::Holder, error::Error, issue};
use serde::{Deserialize, Serialize};
use vidimus_core::{
    Digest, PublicKey,
    id::{CertificateId, ClaimId, CopyId},
};
use vidimus_openid4vc::{
    oauth::Opaque,
    vci::{CredentialErrorCode, CredentialResponse, DeferredRequest},
};
use vidimus_store::{
    Tx,
    claims::{self, Claim, State},
    grants::Grant,
};

/// How long a deferred request is answered: thirty days.
const DEFERRED_SECONDS: i64 = 30 * 86_400;
/// When a wallet is to ask again for what was not ready.
const INTERVAL: u32 = 60;
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

/// The answer comes later: with the result, or, where `certificate` is there, with its issuer's own signature.
pub(super) async fn defer(
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
    let used = Used::new(app, sender, claim.grant, &holders);
    let done = app
        .store
        .write(move |tx| {
            if let Some(blocked) = used.take(tx)? {
                return Ok(Some(blocked));
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
pub async fn request(app: &App, site: &Site, incoming: &Incoming) -> Result<Answer, Refusal> {
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
    let (id, hash): (ClaimId, Digest) = (claim.id, offers::hash(app, &notification));
    let used = Used::counted_before(sender, claim.grant);
    let asked = issue::ForWallet {
        certificate,
        format: configuration.format,
        holders,
    };
    let note = move |tx: &mut Tx<'_>, copies: &[CopyId]| answered(tx, id, &hash, copies);
    credential::issue(app, site, asked, used, &notification, note).await
}
