//! Copies as their issuer sees them.

use super::{Loaded, load, plan_of, prepare};
use crate::app::{
    App,
    chain::accounts,
    error::{Error, Problem},
    requests::{CertificateView, CopyView, ToSign},
};
use std::time::Duration;
use vidimus_core::{encoding::base64url, id::CertificateId};
use vidimus_store::{
    Scope, certificates,
    copies::{self as rows, State},
    outbox, participants,
};

/// A certificate and its copies, as their issuer sees them.
pub async fn view(app: &App, scope: &Scope, id: CertificateId) -> Result<CertificateView, Error> {
    let scope = *scope;
    let found = app
        .store
        .get(move |tx| {
            let Some(certificate) = certificates::find(tx, &scope, id)? else {
                return Ok(None);
            };
            let mut copies = Vec::new();
            for copy in rows::list_by_certificate(tx, &scope, id)? {
                let anchored = match &copy.commitment {
                    Some(commitment) => outbox::anchored(tx, commitment)?.is_some(),
                    None => false,
                };
                copies.push((copy, anchored));
            }
            let issuer = participants::find(tx, certificate.participant)?;
            Ok::<_, vidimus_store::Error>(Some((certificate, copies, issuer)))
        })
        .await?;
    let (certificate, copies, issuer) = found.ok_or(Error::NotFound("certificate"))?;
    let own = issuer.is_some_and(|issuer| issuer.custody == participants::Custody::Own);
    let unsigned = copies.iter().any(|(copy, _)| copy.state == State::Intent);
    let loaded = if own && unsigned {
        Some(load(app, scope, id).await?)
    } else {
        None
    };
    let mut views = Vec::with_capacity(copies.len());
    for (copy, anchored) in copies {
        let mut to_sign = None;
        if let (Some(loaded), State::Intent) = (&loaded, copy.state) {
            let plan = plan_of(loaded, &copy)?;
            let (bytes, key) = prepare(app, loaded, &copy, &plan).await?;
            let account = (key.purpose == accounts::PURPOSE).then(|| accounts::account_of(app, &key));
            to_sign = Some(ToSign {
                algorithm: plan.algorithm.name().to_owned(),
                message: base64url(bytes.message()),
                account: account.flatten().map(|account| account.to_string()),
                wallet_seed: plan.wallet.map(|wallet| base64url(wallet.seed.as_bytes())),
            });
        }
        views.push(CopyView {
            id: copy.id.to_string(),
            format: copy.format,
            state: match copy.state {
                State::Intent => "unsigned",
                State::Signed | State::Published => "signed",
                State::Abandoned => "abandoned",
            }
            .to_owned(),
            content_id: copy.holder.and(copy.content),
            commitment: copy.commitment.map(|commitment| commitment.to_string()),
            anchored,
            counter_signed: copy.counter_signature.is_some(),
            to_sign,
        });
    }
    Ok(certificate_view(app, certificate, views))
}

/// A certificate that was issued just now, without asking the database again.
pub fn issued_view(app: &App, mut loaded: Loaded, signed: &[rows::Signed]) -> CertificateView {
    // In the order in which every later answer has them.
    loaded.copies.sort_by_key(|copy| (copy.created, copy.id));
    let views = loaded
        .copies
        .iter()
        .filter_map(|copy| {
            let signed = signed.iter().find(|signed| signed.id == copy.id)?;
            Some(CopyView {
                id: copy.id.to_string(),
                format: copy.format.clone(),
                state: "signed".to_owned(),
                content_id: copy.holder.as_ref().and_then(|_| signed.content.clone()),
                commitment: Some(signed.commitment.to_string()),
                anchored: false,
                counter_signed: false,
                to_sign: None,
            })
        })
        .collect();
    certificate_view(app, loaded.certificate, views)
}

fn certificate_view(app: &App, certificate: certificates::Certificate, copies: Vec<CopyView>) -> CertificateView {
    CertificateView {
        result: certificate.result.to_string(),
        certificate: certificate.id.to_string(),
        category: certificate.category,
        status: match certificate.state {
            certificates::State::Valid if certificate.valid_until <= app.now() => "expired",
            certificates::State::Valid => "valid",
            certificates::State::Suspended => "suspended",
            certificates::State::Revoked => "revoked",
            certificates::State::Replaced => "replaced",
        }
        .to_owned(),
        reason: certificate.reason,
        valid_from: certificate.valid_from.to_rfc3339(),
        valid_until: certificate.valid_until.to_rfc3339(),
        copies,
    }
}

/// Waits until every signed copy of a certificate has its receipt.
pub async fn await_anchors(app: &App, scope: &Scope, id: CertificateId) -> Result<(), Error> {
    let step = Duration::from_millis(100);
    for _ in 0..crate::app::chain::PATIENCE.as_millis() / step.as_millis() {
        let changed = app.wake.receipts.notified();
        let view = view(app, scope, id).await?;
        if view.copies.iter().all(|copy| copy.anchored || copy.state != "signed") {
            return Ok(());
        }
        let _ = tokio::time::timeout(step, changed).await;
    }
    Err(Error::NotReady(Problem::new(
        "anchor-slow",
        "the certificate is issued; its anchor takes longer than 20 seconds",
        "nothing is lost: read the certificate again later",
    )))
}
