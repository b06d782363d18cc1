//! What a wallet says of what it was given (OpenID4VCI §11), and how it is woken when what it waits for is there.

use super::{
    Incoming, Refusal, Site,
    credential::{Blocked, blocked, spend},
    metadata::endpoints,
    offers, token,
};
use crate::app::{App, error::Error, push};
use vidimus_core::{
    Digest, Provider as _,
    id::{EventId, GrantId},
};
use vidimus_openid4vc::{
    oauth::Opaque,
    vci::{CredentialErrorCode, Notification},
};
use vidimus_store::{
    claims::{self, Notified},
    events::{self, Event},
};

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
