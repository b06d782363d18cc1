//! One status table, served as a Token Status List and as two Bitstring lists, each signed by the deployment's status signer.

use crate::app::{App, error::Error};
use std::sync::Arc;
use vidimus_core::{Algorithm, Signer, Timestamp};
use vidimus_credential::{
    check::StatusLists,
    status::{Bits, SigningHeader, Status, bitstring, token_list},
};
use vidimus_crypto::KeyKind;
use vidimus_store::status as rows;

/// An encoding of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Token Status List, JWT.
    Token,
    /// Bitstring Status List credential, purpose revocation.
    Revocation,
    /// Bitstring Status List credential, purpose suspension.
    Suspension,
}

impl Encoding {
    /// The name as it stands in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Revocation => "bitstring-revocation",
            Self::Suspension => "bitstring-suspension",
        }
    }
    /// Where the list is served.
    pub fn path(self, list: u64) -> String {
        match self {
            Self::Token => format!("/v1/status/{list}/token"),
            Self::Revocation => format!("/v1/status/{list}/bitstring/revocation"),
            Self::Suspension => format!("/v1/status/{list}/bitstring/suspension"),
        }
    }
}

/// A signed list, with what HTTP says about it.
#[derive(Debug, Clone)]
pub struct Served {
    /// The JWT.
    pub token: String,
    /// Counted from 1; the ETag.
    pub version: u64,
    /// When it was signed.
    pub issued_at: Timestamp,
}

/// The list as it is now: what is published if it shows every change and is not too old, else signed anew.
pub async fn served(app: &App, list: u64, encoding: Encoding) -> Result<Served, Error> {
    let now = app.now();
    let found = app
        .store
        .read(move |tx| {
            let Some(list) = rows::list(tx, list)? else {
                return Ok(None);
            };
            let published = rows::published(tx, list.list, encoding.name())?;
            Ok::<_, vidimus_store::Error>(Some((list, published)))
        })
        .await?;
    let (row, published) = found.ok_or(Error::NotFound("status list"))?;
    // Signed again after half its lifetime, so that whoever fetches it can keep it for a while.
    let lifetime = i64::try_from(app.config.status.valid_seconds).unwrap_or(i64::MAX);
    if let Some(published) = &published
        && published.revision == row.revision
        && now < published.issued_at.plus(lifetime / 2)
    {
        let token =
            String::from_utf8(published.signed.clone()).map_err(|_| Error::Internal("a kept list is no text"))?;
        return Ok(Served {
            token,
            version: published.version,
            issued_at: published.issued_at,
        });
    }
    let set = app.store.read(move |tx| rows::not_valid(tx, list)).await?;
    let mut bits = Bits::new(row.capacity).map_err(|_| Error::Internal("a status list of an impossible size"))?;
    for (place, status) in set {
        let status = if status == rows::SUSPENDED {
            Status::Suspended
        } else {
            Status::Revoked
        };
        bits.set(place, status)
            .map_err(|_| Error::Internal("a status outside its list"))?;
    }
    let token = sign(app, list, &bits, encoding, now, lifetime).await?;
    let version = published.map_or(1, |published| published.version + 1);
    let new = rows::Published {
        list,
        encoding: encoding.name().to_owned(),
        version,
        revision: row.revision,
        signed: token.clone().into_bytes(),
        issued_at: now,
        valid_until: now.plus(lifetime),
    };
    app.store.write(move |tx| rows::publish(tx, &new)).await?;
    Ok(Served {
        token,
        version,
        issued_at: now,
    })
}

async fn sign(
    app: &App,
    list: u64,
    bits: &Bits,
    encoding: Encoding,
    now: Timestamp,
    lifetime: i64,
) -> Result<String, Error> {
    let signer = status_signer(app).await?;
    let chain = [app.facts.status_certificate.clone()];
    let header = SigningHeader {
        algorithm: Algorithm::Es256,
        kid: None,
        x5c: &chain,
    };
    let uri = app.url(&encoding.path(list));
    let ttl = Some(app.config.status.ttl_seconds);
    let failed = |_| Error::Internal("a status list cannot be encoded");
    let purpose = match encoding {
        Encoding::Token => {
            let terms = token_list::Terms {
                uri,
                issued_at: now,
                expires_at: Some(now.plus(lifetime)),
                ttl,
            };
            let unsigned = token_list::prepare(bits, &terms, &header).map_err(failed)?;
            return finish(&signer, unsigned);
        }
        Encoding::Revocation => bitstring::Purpose::Revocation,
        Encoding::Suspension => bitstring::Purpose::Suspension,
    };
    let issuer = app.config.server.public_url.as_str().to_owned();
    let terms = bitstring::Terms {
        uri,
        issuer,
        valid_from: now,
        valid_until: Some(now.plus(lifetime)),
        ttl,
    };
    finish(
        &signer,
        bitstring::prepare(bits, purpose, &terms, &header).map_err(failed)?,
    )
}

/// Signs what the deployment itself says, with the status signer's key.
pub fn finish(
    signer: &vidimus_crypto::SigningKey,
    unsigned: vidimus_credential::jws::Unsigned,
) -> Result<String, Error> {
    let signature = signer
        .sign(Algorithm::Es256, unsigned.message())
        .map_err(|_| Error::Internal("the status signer's key does not sign"))?;
    Ok(unsigned.finish(&signature))
}

/// The status signer's key.
pub async fn status_signer(app: &App) -> Result<Arc<vidimus_crypto::SigningKey>, Error> {
    let row = app.key(app.facts.status_key).await?;
    let wrapped = row
        .secret
        .as_ref()
        .ok_or(Error::Internal("the status signer's key has no secret"))?;
    app.keys.signing_key(row.id, KeyKind::P256, wrapped)
}

/// Verified lists for checks on this server, with every change up to now. Kept until the next change.
/// `all` are the lists' rows.
pub async fn lists(app: &App, all: &[rows::List]) -> Result<Arc<StatusLists>, Error> {
    let state: Vec<(u64, u64)> = all.iter().map(|list| (list.list, list.revision)).collect();
    if let Some(kept) = app.kept_lists(&state) {
        return Ok(kept);
    }
    let mut lists = StatusLists::new();
    for list in all {
        let served = served(app, list.list, Encoding::Token).await?;
        let uri = app.url(&Encoding::Token.path(list.list));
        lists
            .add_token_list(&uri, &served.token, &app.roots, app.now(), app.provider())
            .map_err(|_| Error::Internal("a list that this deployment signed does not verify"))?;
    }
    Ok(app.keep_lists(state, lists))
}

/// Revokes in the status table what earlier versions left in force there of certificates that are revoked or replaced.
pub async fn repair(app: &App) -> Result<u64, Error> {
    let now = app.now();
    let repaired = app.store.write(move |tx| rows::repair(tx, now)).await?;
    if repaired > 0 {
        tracing::warn!(
            repaired,
            "copies of revoked certificates were not revoked in the status lists, and are now"
        );
    }
    Ok(repaired)
}
