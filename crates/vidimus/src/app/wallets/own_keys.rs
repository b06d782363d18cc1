//! Copies for wallets of issuers that sign with keys of their own: the answer is deferred (OpenID4VCI §9) until the issuer's program has signed.
//!
//! What a wallet asks for is planned at once, bound to the keys that it brought, and told to the issuer (`copy.to-sign`); the certificate then shows
//! the bytes to sign. What was signed waits sealed under the person's data key, until the wallet asks again.

use super::{
    Configuration, Refusal, Site,
    credential::{Blocked, Used, blocked, spend, tell},
    deferred::answered,
    incoming::Sender,
    notification::push_owner,
    offers,
};
use crate::app::{
    App,
    copies::{self, Holder},
    error::Error,
    issue,
    keys::place,
    push,
};
use vidimus_core::{
    Timestamp, Transcript,
    id::{CertificateId, ClaimId, CopyId, ParticipantId},
};
use vidimus_crypto::DataKey;
use vidimus_openid4vc::{
    oauth::Opaque,
    vci::{CredentialErrorCode, CredentialResponse},
};
use vidimus_store::{
    Tx, audit,
    claims::{self, Claim},
    copies::State,
    events::{self, Event},
    participants::Custody,
    waiting,
};

/// When a wallet is to ask again: the issuer's program is told at once, and signs in a moment.
pub const INTERVAL: u32 = 5;

/// Whether the site's issuer signs itself.
pub fn are_kept(site: &Site) -> bool {
    site.issuer.custody == Custody::Own
}

fn text_at(copy: CopyId) -> Transcript {
    place("waiting_copies", copy.as_bytes(), "text")
}

/// Has copies signed for a claim that is new: `claim` is recorded with them.
pub async fn ask(app: &App, site: &Site, claim: Claim, asked: issue::ForWallet, sender: Sender) -> Result<(), Refusal> {
    let used = Used::new(app, sender, claim.grant, &asked.holders);
    let first = move |tx: &mut Tx<'_>| Ok::<_, Error>(used.take(tx)?);
    let (id, issuer, now) = (claim.id, site.issuer.id, app.now());
    let last = move |tx: &mut Tx<'_>, copies: &[CopyId]| {
        claims::insert(tx, &claim)?;
        plan(tx, issuer, id, copies, now)
    };
    issue::to_be_signed(app, site, asked, first, last)
        .await?
        .map_err(blocked)?;
    app.wake.events.notify_one();
    Ok(())
}

fn plan(
    tx: &mut Tx<'_>,
    issuer: ParticipantId,
    claim: ClaimId,
    copies: &[CopyId],
    now: Timestamp,
) -> Result<(), Error> {
    waiting::insert(tx, claim, copies)?;
    for copy in copies {
        events::append(
            tx,
            &Event::once(issuer, events::Kind::CopyToSign, *copy.as_bytes(), now),
        )?;
    }
    Ok(())
}

fn later(transaction: &str) -> CredentialResponse {
    CredentialResponse::Deferred {
        transaction_id: transaction.to_owned(),
        interval: INTERVAL,
    }
}

/// Answers who asks again.
pub async fn deferred(
    app: &App,
    site: &Site,
    claim: &Claim,
    configuration: &Configuration,
    holders: Vec<Holder>,
    sender: Sender,
    (transaction, certificate): (&str, CertificateId),
) -> Result<CredentialResponse, Refusal> {
    let id = claim.id;
    let waiting = app.store.read(move |tx| waiting::of_claim(tx, id)).await?;
    if waiting.is_empty() {
        // The result has come since.
        plan_for(app, site, id, configuration, holders, sender, certificate).await?;
        return Ok(later(transaction));
    }
    let loaded = copies::load(app, site.scope(), certificate).await?;
    let is_given_up = |copy: CopyId| {
        let mut rows = loaded.copies.iter();
        rows.any(|row| row.id == copy && row.state == State::Abandoned)
    };
    if waiting.iter().any(|one| is_given_up(one.copy)) {
        deny(app, id, sender).await?;
        return Err(Refusal::credential(
            CredentialErrorCode::CredentialRequestDenied,
            "the issuer has not signed",
        ));
    }
    let mut texts = Vec::with_capacity(waiting.len());
    for one in &waiting {
        let Some(sealed) = &one.text else {
            spend(app, sender).await?;
            return Ok(later(transaction));
        };
        let plain = loaded.data_key.open(&text_at(one.copy), sealed)?;
        let text = String::from_utf8(plain.expose().clone());
        texts.push(text.map_err(|_| Error::Internal("a kept copy does not read"))?);
    }
    let ids: Vec<CopyId> = waiting.iter().map(|one| one.copy).collect();
    deliver(app, site, id, certificate, ids, texts, sender).await
}

async fn plan_for(
    app: &App,
    site: &Site,
    claim: ClaimId,
    configuration: &Configuration,
    holders: Vec<Holder>,
    sender: Sender,
    certificate: CertificateId,
) -> Result<(), Refusal> {
    let spent = sender.spent;
    let first = move |tx: &mut Tx<'_>| Ok::<_, Error>(spent.take(tx)?.map(Blocked::Replayed));
    let (issuer, now) = (site.issuer.id, app.now());
    let last = move |tx: &mut Tx<'_>, copies: &[CopyId]| {
        if waiting::of_claim(tx, claim)?.is_empty() {
            return plan(tx, issuer, claim, copies, now);
        }
        // Of two requests at once one has planned; what the other would have is signed for nobody.
        Err(Error::conflict(
            "answered",
            "this request is being answered",
            "ask again",
        ))
    };
    let asked = issue::ForWallet {
        certificate,
        format: configuration.format,
        holders,
    };
    issue::to_be_signed(app, site, asked, first, last)
        .await?
        .map_err(blocked)?;
    app.wake.events.notify_one();
    Ok(())
}

async fn deny(app: &App, id: ClaimId, sender: Sender) -> Result<(), Refusal> {
    let denied = app
        .store
        .write(move |tx| {
            if let Some(kind) = sender.spent.take(tx)? {
                return Ok(Some(Blocked::Replayed(kind)));
            }
            claims::deny(tx, id)?;
            waiting::remove(tx, id)?;
            Ok::<_, Error>(None)
        })
        .await?;
    denied.map_or(Ok(()), |what| Err(blocked(what)))
}

async fn deliver(
    app: &App,
    site: &Site,
    id: ClaimId,
    certificate: CertificateId,
    copies: Vec<CopyId>,
    credentials: Vec<String>,
    sender: Sender,
) -> Result<CredentialResponse, Refusal> {
    let notification = Opaque::generate(&mut *app.entropy());
    let (hash, issuer, now) = (offers::hash(app, &notification), site.issuer.id, app.now());
    let entry = app.audit_entry(Some(issuer), "issue-to-wallet", certificate.as_bytes());
    let done = app
        .store
        .write(move |tx| {
            if let Some(kind) = sender.spent.take(tx)? {
                return Ok(Some(Blocked::Replayed(kind)));
            }
            answered(tx, id, &hash, &copies)?;
            waiting::remove(tx, id)?;
            audit::append(tx, &entry)?;
            tell(tx, issuer, &copies, now)?;
            Ok::<_, Error>(None)
        })
        .await?;
    if let Some(what) = done {
        return Err(blocked(what));
    }
    app.wake.events.notify_one();
    Ok(CredentialResponse::Issued {
        credentials,
        notification_id: Some(notification.expose().to_owned()),
    })
}

/// A copy that its issuer has signed, as it waits for its wallet.
#[derive(Debug)]
pub struct Signed {
    copy: CopyId,
    sealed: Vec<u8>,
    issuer: ParticipantId,
    notice: push::Notice,
    now: Timestamp,
}

impl Signed {
    /// Seals its text.
    pub fn new(app: &App, issuer: ParticipantId, copy: CopyId, data_key: &DataKey, text: &str) -> Self {
        Self {
            copy,
            sealed: data_key.seal(&text_at(copy), text.as_bytes(), &mut *app.entropy()),
            issuer,
            notice: push::notice(app),
            now: app.now(),
        }
    }

    /// Keeps it, and has the wallet woken when it is the last of its request.
    pub fn keep(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let Some((claim, grant)) = waiting::fill(tx, self.copy, &self.sealed)? else {
            return Ok(());
        };
        if waiting::of_claim(tx, claim)?.iter().all(|one| one.text.is_some()) {
            let ready = events::Kind::CredentialReady;
            events::append(tx, &Event::once(self.issuer, ready, *claim.as_bytes(), self.now))?;
            push::notify(tx, &push_owner(grant), &self.notice)?;
        }
        Ok(())
    }
}
