//! Whether what a wallet's provider attested still counts, where the attestation carries a status: lists are [`foreign_lists`]', asked for once what names
//! them was verified. What cannot be looked up counts for nothing now: nobody is given anything on it.

use super::{Refusal, incoming::Sender};
use crate::app::{
    App,
    foreign_lists::{self, Asker},
    trusted::Role,
};
use serde_json::Value;
use vidimus_core::Digest;
use vidimus_openid4vc::{
    oauth::{
        ErrorCode,
        standing::{Reference, Signers, StandingError},
    },
    vci::{CredentialErrorCode, proof::Proven},
};

/// Why an attestation does not count.
#[derive(Debug, thiserror::Error)]
enum Fallen {
    /// What the list says, or is.
    #[error(transparent)]
    Standing(#[from] StandingError),
    /// The list is not at hand.
    #[error("the attestation's status list is not at hand: try again later")]
    NotAtHand,
}

/// Looks up the status of an attestation that a certificate with this fingerprint signed.
async fn look_up(app: &App, status: &Value, attester: &Digest) -> Result<(), Fallen> {
    let reference = Reference::read(status)?;
    let found = foreign_lists::fetch(app, Asker::Operator, &reference.uri)
        .await
        .flatten();
    let list = found.ok_or(Fallen::NotAtHand)?;
    let now = app.now();
    let most = i64::try_from(app.config.checks.status_max_age_seconds).unwrap_or(i64::MAX);
    if now.since(list.read_at()) > most {
        return Err(Fallen::NotAtHand);
    }
    let attesters = app.trusted.anchors(Role::Attester, now);
    let listed = app.trusted.anchors(Role::Status, now);
    let signers = Signers {
        attester,
        roots: &attesters.certificates,
        listed: &listed.certificates,
    };
    Ok(reference.check(list.list(), signers, now, app.provider())?)
}

/// Refuses a wallet whose attestation was withdrawn.
pub async fn of_client(app: &App, sender: &Sender) -> Result<(), Refusal> {
    let Some((client, status)) = sender
        .client
        .as_ref()
        .and_then(|client| Some((client, client.status.as_ref()?)))
    else {
        return Ok(());
    };
    look_up(app, status, &client.signer)
        .await
        .map_err(|fallen| match fallen {
            Fallen::NotAtHand => Refusal::oauth(ErrorCode::TemporarilyUnavailable, fallen),
            fallen @ Fallen::Standing(_) => Refusal::oauth(ErrorCode::InvalidClientAttestation, fallen),
        })
}

/// Refuses keys whose attestation was withdrawn.
pub async fn of_keys(app: &App, proven: &Proven) -> Result<(), Refusal> {
    for attested in &proven.attested {
        if let Some(status) = &attested.status {
            look_up(app, status, &attested.signer)
                .await
                .map_err(|fallen| Refusal::credential(CredentialErrorCode::InvalidProof, fallen))?;
        }
    }
    Ok(())
}
