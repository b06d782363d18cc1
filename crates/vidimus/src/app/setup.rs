//! The first start: a one-time link makes the authority. There is no default password, and nothing to guess: the token has 256 bits, lasts
//! 15 minutes, works once, and only its hash is kept.

use crate::app::{App, error::Error};
use vidimus_core::{Digest, Entropy, Secret, Timestamp, encoding};
use vidimus_store::{Tx, participants, setup_links};

/// How long a link lasts, in seconds.
pub const LIFETIME: i64 = 15 * 60;

const PURPOSE: &str = "authority";

/// A link, shown once.
#[derive(Debug)]
pub struct Link {
    /// The token, `vs_…`.
    pub token: Secret<String>,
    /// Until when it can be used.
    pub expires: Timestamp,
}

/// Whether the deployment still waits for its authority.
pub async fn is_open(app: &App) -> Result<bool, Error> {
    Ok(app
        .store
        .read(|tx| participants::list(tx, Some(participants::Role::Authority)))
        .await?
        .is_empty())
}

/// Makes a link and withdraws those made before; refused once there is an authority.
pub async fn make_link(app: &App) -> Result<Link, Error> {
    let mut bytes = [0; 32];
    app.entropy().fill(&mut bytes);
    let token = Secret::new(format!("vs_{}", encoding::hex(&bytes)));
    let (hash, now) = (token_hash(app, token.expose()), app.clock.now());
    let expires = now.plus(LIFETIME);
    app.store
        .write(move |tx| {
            if !participants::list(tx, Some(participants::Role::Authority))?.is_empty() {
                return Err(already_set_up());
            }
            setup_links::withdraw(tx, PURPOSE, now)?;
            setup_links::insert(tx, &hash, PURPOSE, None, now, expires)?;
            Ok(())
        })
        .await?;
    Ok(Link { token, expires })
}

/// The hash under which a token is kept.
pub fn token_hash(app: &App, token: &str) -> Digest {
    Digest(app.keys.credential_hash("setup-link", token.as_bytes()))
}

/// Uses the link up, in the transaction that makes the authority; each way a link can be useless is told apart.
pub fn use_link(tx: &mut Tx<'_>, hash: &Digest, now: Timestamp) -> Result<(), Error> {
    if !participants::list(tx, Some(participants::Role::Authority))?.is_empty() {
        return Err(already_set_up());
    }
    if setup_links::take(tx, hash, now)?.is_some_and(|used| used.purpose == PURPOSE) {
        return Ok(());
    }
    Err(match setup_links::find(tx, hash)? {
        Some(link) if link.used.is_some() => Error::forbidden(
            "setup-link-used",
            "this setup link was used, or replaced by a newer one",
            "make a new one with `vidimus setup-link`",
        ),
        Some(_) => Error::forbidden(
            "setup-link-expired",
            "this setup link has expired: it lasts 15 minutes",
            "make a new one with `vidimus setup-link`",
        ),
        None => Error::forbidden(
            "setup-link-unknown",
            "this is not a setup link of this deployment",
            "copy the whole token from the output of `vidimus serve` or `vidimus setup-link`",
        ),
    })
}

fn already_set_up() -> Error {
    Error::conflict(
        "already-set-up",
        "this deployment has its authority already",
        "sign in with the authority's API key; setup links are only for the first start",
    )
}
