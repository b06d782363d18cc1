//! Whether what a wallet's provider attested still counts, where the attestation carries a status: the list is fetched through `outside`, once what
//! names it was verified. What cannot be looked up counts for nothing now: nobody is given anything on it.

use super::{Refusal, incoming::Sender};
use crate::{
    app::{App, trusted::Role},
    outside::Request,
};
use reqwest::{
    StatusCode,
    header::{ACCEPT, HeaderValue},
};
use serde_json::Value;
use std::time::Duration;
use vidimus_core::Digest;
use vidimus_credential::status::token_list::{MEDIA_TYPE, TokenList};
use vidimus_openid4vc::{
    oauth::{
        ErrorCode,
        standing::{Reference, Signers, StandingError},
    },
    vci::{CredentialErrorCode, proof::Proven},
};

/// The longest list that is taken.
const MAX_LIST: usize = 16 << 20;
/// How long fetching may take: a wallet waits for its answer.
const WITHIN: Duration = Duration::from_secs(5);

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
    let list = fetch(app, &reference.uri).await.ok_or(Fallen::NotAtHand)?;
    let now = app.now();
    let attesters = app.trusted.anchors(Role::Attester, now);
    let listed = app.trusted.anchors(Role::Status, now);
    let signers = Signers {
        attester,
        roots: &attesters.certificates,
        listed: &listed.certificates,
    };
    Ok(reference.check(&list, signers, now, app.provider())?)
}

/// The list at this address; none where what is there is none.
async fn fetch(app: &App, uri: &str) -> Option<TokenList> {
    let target = app.outside.target(uri).ok()?;
    let request = Request::get(target)
        .header(ACCEPT, HeaderValue::from_static(MEDIA_TYPE))
        .at_most(MAX_LIST)
        .within(WITHIN);
    let answer = app.outside.send(request).await.ok()?;
    if answer.status != StatusCode::OK || answer.media_type() != MEDIA_TYPE {
        return None;
    }
    let read = move || TokenList::parse(std::str::from_utf8(&answer.body).ok()?.trim()).ok();
    tokio::task::spawn_blocking(read).await.ok()?
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
