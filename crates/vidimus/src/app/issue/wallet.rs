//! Copies for a wallet that waits for them, each bound to a key that it brought.

use super::{Issuer, intents};
use crate::app::{
    App,
    copies::{self, Holder, Plan},
    error::Error,
    wallets::Site,
};
use vidimus_core::{
    Algorithm, Digest,
    id::{CertificateId, CopyId},
};
use vidimus_credential::Format;
use vidimus_store::{Tx, certificates, copies as rows};

/// What a wallet is to be given.
#[derive(Debug)]
pub struct ForWallet {
    /// Of which certificate.
    pub certificate: CertificateId,
    /// In which rendering.
    pub format: Format,
    /// One copy for each.
    pub holders: Vec<Holder>,
}

/// Makes copies of a certificate for a wallet and gives their texts, in the order of the holders. `first` runs in the transaction that intends
/// them, and may find something in the way: then nothing is written. `last` runs in the one that completes them.
pub async fn for_wallet<B: Send + 'static>(
    app: &App,
    site: &Site,
    asked: ForWallet,
    first: impl Fn(&mut Tx<'_>) -> Result<Option<B>, Error> + Send + Sync + 'static,
    last: impl Fn(&mut Tx<'_>, &[CopyId]) -> Result<(), Error> + Send + Sync + 'static,
) -> Result<Result<Vec<String>, B>, Error> {
    let begun = match begin(app, site, asked, first, |_, _| Ok(())).await? {
        Ok(begun) => begun,
        Err(blocked) => return Ok(Err(blocked)),
    };
    let wanted = begun.planned.len();
    let signed = copies::sign_with(app, site.scope(), &begun.loaded, &begun.planned, last).await?;
    if signed.len() != wanted {
        return Err(Error::conflict(
            "key-revoked",
            "the issuer's signing key was revoked meanwhile",
            "try again when the issuer has a new key",
        ));
    }
    Ok(Ok(signed.into_iter().map(|finished| finished.text).collect()))
}

/// The same where the issuer keeps its keys: the copies are intended, and wait for its signature. `last` runs in the same transaction as `first`.
pub async fn to_be_signed<B: Send + 'static>(
    app: &App,
    site: &Site,
    asked: ForWallet,
    first: impl Fn(&mut Tx<'_>) -> Result<Option<B>, Error> + Send + Sync + 'static,
    last: impl Fn(&mut Tx<'_>, &[CopyId]) -> Result<(), Error> + Send + Sync + 'static,
) -> Result<Result<(), B>, Error> {
    Ok(begin(app, site, asked, first, last).await?.map(drop))
}

/// Copies that are intended.
struct Begun {
    loaded: copies::Loaded,
    planned: Vec<(rows::Copy, Plan)>,
}

async fn begin<B: Send + 'static>(
    app: &App,
    site: &Site,
    asked: ForWallet,
    first: impl Fn(&mut Tx<'_>) -> Result<Option<B>, Error> + Send + Sync + 'static,
    also: impl Fn(&mut Tx<'_>, &[CopyId]) -> Result<(), Error> + Send + Sync + 'static,
) -> Result<Result<Begun, B>, Error> {
    let now = app.now();
    let scope = site.scope();
    let issuer = Issuer {
        row: site.issuer.clone(),
        scope,
    };
    let keys = copies::issuer_keys(app, scope, &issuer.row).await?;
    let key = keys.for_algorithm(Algorithm::Es256)?;
    let plans = asked
        .holders
        .iter()
        .map(|holder| {
            let by_key = asked.format == Format::SdJwtVc;
            let name = if by_key { None } else { holder.to_did() };
            if by_key && holder.key.is_none() || !by_key && name.is_none() {
                return Err(Error::Internal("a holder of another kind than the format takes"));
            }
            Ok(Plan {
                format: asked.format,
                algorithm: Algorithm::Es256,
                key,
                delegate: app.delegates().number(key),
                holder: name,
                sealing_key: None,
                eip1098: false,
                issued_at: now,
                wallet: Some(copies::ForWallet {
                    key: by_key.then(|| holder.key.clone()).flatten(),
                    seed: Digest(app.random()),
                }),
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    keys.require_settled(app, &issuer.row, &plans).await?;
    let mut loaded = copies::load(app, scope, asked.certificate).await?;
    issuer.require(app, Some(&loaded.subject.category))?;
    let names: Vec<_> = asked.holders.iter().map(|holder| holder.name(app.provider())).collect();
    let planned = intents::named(
        intents::intents(app, asked.certificate, issuer.row.id, &plans, &loaded.data_key, now)?,
        names,
    );
    let certificate = asked.certificate;
    let begun = app
        .store
        .write(move |tx| {
            if let Some(blocked) = first(tx)? {
                return Ok(Err(blocked));
            }
            // Takes the certificate's row, so that a revocation comes either before, and is seen here, or after, and sees these copies.
            let valid = certificates::State::Valid;
            if !certificates::set_state(tx, &scope, certificate, valid, valid, None, now)? {
                return Err(super::not_valid());
            }
            let intents = intents::intend(tx, &scope, &planned)?;
            let ids: Vec<_> = intents.iter().map(|intent| intent.id).collect();
            also(tx, &ids)?;
            Ok::<_, Error>(Ok(intents))
        })
        .await?;
    let intents: Vec<rows::Intent> = match begun {
        Ok(intents) => intents,
        Err(blocked) => return Ok(Err(blocked)),
    };
    loaded.copies = intents.into_iter().map(intents::as_row).collect();
    let planned = loaded.copies.iter().cloned().zip(plans).collect();
    Ok(Ok(Begun { loaded, planned }))
}
